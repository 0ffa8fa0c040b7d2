//! Reports validators that seal two blocks for one slot.
//!
//! The import of BABE blocks looks for that itself, but by headers that it has already taken the
//! seals off: what it reports proves nothing, and the chain refuses it. So this stands before it,
//! with the sealed headers, and reports first; the other report, of the same slot and offender, finds
//! its place in the pool taken. Reports of finality votes (GRANDPA) need no help.

use crate::service::{Client, TransactionPool};
use openledger_runtime::opaque::{Block, Header};
use sc_consensus::{BlockCheckParams, BlockImport, BlockImportParams, ImportResult};
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_api::{ApiExt, ProvideRuntimeApi};
use sp_blockchain::HeaderBackend;
use sp_consensus::{BlockOrigin, Error as ConsensusError};
use sp_consensus_babe::{
	check_equivocation_proof, digests::CompatibleDigestItem, AuthorityId, AuthorityIndex, BabeApi,
	EquivocationProof, Slot,
};
use sp_runtime::{traits::Header as _, RuntimeAppPublic};
use std::{
	collections::BTreeMap,
	sync::{Arc, Mutex, PoisonError},
};

/// How many slots back a second block is still noticed.
const SLOTS_KEPT: u64 = 1_000;

/// The first block seen of each slot and author. An author is known by its key: at the border of two
/// epochs, forks may have blocks of one slot by different validators with the same index.
#[derive(Default)]
struct Seen(BTreeMap<(Slot, AuthorityId), Header>);

impl Seen {
	/// Remembers `header`; returns the block seen before of the same slot and author, if it is
	/// another one.
	fn note(&mut self, slot: Slot, author: AuthorityId, header: &Header) -> Option<Header> {
		let newest = self
			.0
			.last_key_value()
			.map_or(slot, |((newest, _), _)| *newest);
		let oldest = newest.max(slot).saturating_sub(SLOTS_KEPT);
		self.0.retain(|(slot, _), _| *slot >= oldest);
		if slot < oldest {
			return None;
		}
		let first = self
			.0
			.entry((slot, author))
			.or_insert_with(|| header.clone());
		(first.hash() != header.hash()).then(|| first.clone())
	}
}

/// Whether the seal of `header` is by `author`.
fn has_sealed(author: &AuthorityId, header: &Header) -> bool {
	let mut header = header.clone();
	let seal = header.digest_mut().pop();
	seal.and_then(|seal| seal.as_babe_seal())
		.is_some_and(|seal| author.verify(&header.hash(), &seal))
}

/// Imports blocks by `inner`, and reports double signers before it does.
#[derive(Clone)]
pub struct ReportDoubleSigners<Inner> {
	inner: Inner,
	client: Arc<Client>,
	pool: Arc<TransactionPool>,
	seen: Arc<Mutex<Seen>>,
}

impl<Inner> ReportDoubleSigners<Inner> {
	/// Stands before `inner`.
	pub fn new(inner: Inner, client: Arc<Client>, pool: Arc<TransactionPool>) -> Self {
		Self {
			inner,
			client,
			pool,
			seen: Arc::default(),
		}
	}

	/// Whose seal `header` carries, if it is that of the authority with this index.
	fn author(&self, header: &Header, index: AuthorityIndex) -> Option<AuthorityId> {
		let parent = *header.parent_hash();
		let api = self.client.runtime_api();
		// The first block of an epoch is made by an author of the epoch that its parent calls next.
		let epochs = [api.current_epoch(parent), api.next_epoch(parent)];
		epochs
			.into_iter()
			.flatten()
			.filter_map(|epoch| epoch.authorities.get(index as usize).cloned())
			.map(|(author, _)| author)
			.find(|author| has_sealed(author, header))
	}

	/// Reports the author of `header`, which carries its seal, if another block of the same slot and
	/// author was imported before.
	fn report(&self, header: Header) -> Result<(), String> {
		let digest = sc_consensus_babe::find_pre_digest::<Block>(&header)
			.map_err(|error| error.to_string())?;
		let slot = digest.slot();
		// The import refuses blocks of unknown authors.
		let Some(author) = self.author(&header, digest.authority_index()) else {
			return Ok(());
		};
		let first = self
			.seen
			.lock()
			.unwrap_or_else(PoisonError::into_inner)
			.note(slot, author.clone(), &header);
		let Some(first) = first else { return Ok(()) };

		let parent = *header.parent_hash();
		let proof = EquivocationProof {
			offender: author,
			slot,
			first_header: first,
			second_header: header,
		};
		if !check_equivocation_proof(proof.clone()) {
			return Err("its proof would not be taken".into());
		}

		let api = self.client.runtime_api();
		let best = self.client.info().best_hash;
		let ownership = [parent, best]
			.into_iter()
			.find_map(|at| {
				api.generate_key_ownership_proof(at, slot, proof.offender.clone())
					.ok()
					.flatten()
			})
			.ok_or("no session says whose key it is")?;

		let offender = proof.offender.clone();
		let mut api = self.client.runtime_api();
		api.register_extension(
			OffchainTransactionPoolFactory::new(Arc::clone(&self.pool))
				.offchain_transaction_pool(best),
		);
		let submitted = api
			.submit_report_equivocation_unsigned_extrinsic(best, proof, ownership)
			.map_err(|error| error.to_string())?;
		if submitted.is_some() {
			tracing::warn!(
				target: "babe",
				"Validator {offender} sealed two blocks for slot {slot}; it has been reported",
			);
		}
		Ok(())
	}
}

#[async_trait::async_trait]
impl<Inner> BlockImport<Block> for ReportDoubleSigners<Inner>
where
	Inner: BlockImport<Block, Error = ConsensusError> + Send + Sync,
{
	type Error = ConsensusError;

	async fn check_block(
		&self,
		block: BlockCheckParams<Block>,
	) -> Result<ImportResult, Self::Error> {
		self.inner.check_block(block).await
	}

	async fn import_block(
		&self,
		block: BlockImportParams<Block>,
	) -> Result<ImportResult, Self::Error> {
		// Whoever catches up with the chain would come too late with a report. Without a body there is
		// nothing that was checked.
		let is_news = matches!(
			block.origin,
			BlockOrigin::NetworkBroadcast | BlockOrigin::Own | BlockOrigin::ConsensusBroadcast
		);
		if is_news && !block.with_state() {
			if let Err(error) = self.report(block.post_header()) {
				tracing::warn!(
					target: "babe",
					"Two blocks of one author for one slot, but no report: {error}",
				);
			}
		}
		self.inner.import_block(block).await
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use sp_consensus_babe::AuthorityPair;
	use sp_runtime::{app_crypto::Pair, DigestItem};

	fn header(number: u32) -> Header {
		Header::new(
			number,
			Default::default(),
			Default::default(),
			Default::default(),
			Default::default(),
		)
	}

	fn pair(number: u8) -> AuthorityPair {
		AuthorityPair::from_seed(&[number; 32])
	}

	fn author(number: u8) -> AuthorityId {
		pair(number).public()
	}

	#[test]
	fn the_author_should_be_who_sealed_the_block() {
		let mut sealed = header(1);
		let seal = pair(1).sign(sealed.hash().as_ref());
		sealed.digest_mut().push(DigestItem::babe_seal(seal));
		assert!(has_sealed(&author(1), &sealed));
		assert!(!has_sealed(&author(2), &sealed));
		assert!(!has_sealed(&author(1), &header(1)));
	}

	#[test]
	fn another_block_of_the_same_slot_and_author_should_be_noticed() {
		let mut seen = Seen::default();
		assert_eq!(seen.note(7.into(), author(1), &header(1)), None);
		assert_eq!(seen.note(7.into(), author(1), &header(1)), None);
		assert_eq!(seen.note(7.into(), author(2), &header(2)), None);
		assert_eq!(seen.note(8.into(), author(1), &header(2)), None);
		assert_eq!(seen.note(7.into(), author(1), &header(3)), Some(header(1)));
	}

	#[test]
	fn what_is_remembered_should_be_bounded() {
		let mut seen = Seen::default();
		for slot in 0..3 * SLOTS_KEPT {
			seen.note(slot.into(), author(1), &header(1));
		}
		assert!(seen.0.len() as u64 <= SLOTS_KEPT + 1);
		// Too old to be remembered, and too old to come back.
		assert_eq!(seen.note(5.into(), author(1), &header(2)), None);
		assert_eq!(seen.note(5.into(), author(1), &header(3)), None);
	}
}
