//! The worker's side of payment: which channel may spend what, what is on disk, what is recovered.

use crate::{
	attributor::Attributor,
	catalog::OnChain,
	error::Refusal,
	meter::{Meter, Seat},
	payments::{LaneKey, Totals},
	store::{Block, LaneRecord, OpenAnswer, Store, StoreError},
	view::View,
};
use openledger_client::types::{Channel, LaneState};
use openledger_primitives::{
	dispute::MAX_ACKNOWLEDGED, AccountId, Attribution, Balance, BlockNumber, ChannelId, Hash,
	Receipt,
};
use std::{
	sync::Arc,
	time::{Duration, Instant},
};
use tokio::sync::watch;

/// Lanes of a channel, from 0.
pub const LANES: u32 = 256;

impl From<StoreError> for Refusal {
	fn from(error: StoreError) -> Self {
		Self::Store(error.to_string())
	}
}

/// The newest block the worker has followed to.
#[derive(Clone, Copy, Debug)]
pub struct Followed {
	/// The block.
	pub block: Block,
	/// When the node last answered.
	pub seen: Instant,
}

/// What being paid takes.
pub struct Payee {
	/// The chain, read once per block.
	pub view: Arc<View>,
	/// What is served.
	pub catalog: OnChain,
	/// What is on disk.
	pub store: Store,
	/// Who may spend what.
	pub meter: Meter,
	/// Attribution.
	pub attributor: Arc<Attributor>,
	/// Hash of the chain's first block.
	pub genesis: Hash,
	/// The provider.
	pub provider: AccountId,
	/// The longest a voucher may be good for, in blocks.
	pub max_lifetime: BlockNumber,
	/// The newest block; the follower moves it.
	pub followed: watch::Receiver<Followed>,
	/// How old it may be.
	pub block_age: Duration,
	/// How long to wait for a newer block when the followed one says that a channel cannot pay.
	pub patience: Duration,
}

/// Whether a block that is newer may say otherwise: the payer may just have opened the channel, or
/// topped it up.
fn may_be_news(refusal: &Refusal) -> bool {
	matches!(
		refusal,
		Refusal::UnknownChannel(_)
			| Refusal::WrongGeneration { .. }
			| Refusal::ChannelThawing(_)
			| Refusal::EscrowEmpty { .. }
			| Refusal::DelegateLimit(_)
	)
}

/// Whether a voucher of these totals can still be redeemed where `redeemed` was: nothing of what the
/// chain has counted on the lane is beyond it.
fn covers(held: &Totals, redeemed: &LaneState) -> bool {
	let compute = |amount: Balance, licence| amount.saturating_sub(licence);
	redeemed.amount <= held.amount
		&& redeemed.licence <= held.licence
		&& compute(redeemed.amount, redeemed.licence) <= compute(held.amount, held.licence)
		&& redeemed.tokens <= held.tokens
}

fn within_delegate_limit(channel: &Channel, needed: Balance) -> Result<(), Refusal> {
	let left = channel
		.delegate
		.as_ref()
		.map_or(0, |delegate| delegate.limit.saturating_sub(delegate.spent));
	if needed > left {
		return Err(Refusal::DelegateLimit(channel.id));
	}
	Ok(())
}

impl Payee {
	/// The newest block, unless the node has not answered for too long.
	pub fn block(&self) -> Result<Block, Refusal> {
		let followed = *self.followed.borrow();
		let age = followed.seen.elapsed();
		if age > self.block_age {
			let age = age.as_secs();
			return Err(Refusal::Chain(format!("it has not answered for {age} s")));
		}
		Ok(followed.block)
	}

	/// Waits until the node was asked for newer blocks.
	async fn newer(&self) {
		let mut followed = self.followed.clone();
		let twice = async {
			// The first look may have begun before the call.
			for _ in 0..2 {
				if followed.changed().await.is_err() {
					return;
				}
			}
		};
		// Without news it goes on with what is known.
		let _news = tokio::time::timeout(self.patience, twice).await;
	}

	/// Takes a lane for an answer, if its state is known here; looks twice before it refuses a channel
	/// that a newer block may show otherwise.
	pub async fn sit(&self, key: LaneKey, limit: usize) -> Result<(Seat, LaneRecord), Refusal> {
		match self.sit_now(key, limit).await {
			Err(refusal) if may_be_news(&refusal) => {
				self.newer().await;
				self.sit_now(key, limit).await
			}
			result => result,
		}
	}

	async fn sit_now(&self, key: LaneKey, limit: usize) -> Result<(Seat, LaneRecord), Refusal> {
		if u32::from(key.lane) >= LANES {
			return Err(Refusal::LaneOutOfRange(key.lane.into()));
		}
		let block = self.block()?;
		let channel = self.channel(block, key.channel).await?;
		self.check(&channel, &key)?;
		if let Some(free_at) = channel.thaw {
			if free_at <= block.number.saturating_add(self.max_lifetime) {
				return Err(Refusal::ChannelThawing(key.channel));
			}
		}
		let seat = self.meter.sit(key, limit)?;
		self.recover(key).await?;
		let lane = self.store.lane(&key)?.unwrap_or_default();
		if lane.sequence >= MAX_ACKNOWLEDGED {
			return Err(Refusal::LaneFull(key.lane));
		}
		let state = self.view.lane(block, key.channel, key.lane).await?;
		let redeemed = state.filter(|state| state.generation == key.generation);
		if redeemed.is_some_and(|redeemed| !covers(&lane.paid(), &redeemed)) {
			return Err(Refusal::LaneUnknown(key.lane));
		}
		Ok((seat, lane))
	}

	/// A channel.
	pub async fn channel(&self, block: Block, id: ChannelId) -> Result<Arc<Channel>, Refusal> {
		self.view
			.channel(block, id)
			.await?
			.ok_or(Refusal::UnknownChannel(id))
	}

	fn check(&self, channel: &Channel, key: &LaneKey) -> Result<(), Refusal> {
		if channel.provider != self.provider {
			return Err(Refusal::ForeignChannel(key.channel));
		}
		if channel.generation != key.generation {
			return Err(Refusal::WrongGeneration {
				channel: key.channel,
				asked: key.generation,
				current: channel.generation,
			});
		}
		Ok(())
	}

	/// [`Self::reserve`] for the beginning of an answer: looks twice before it refuses.
	pub async fn reserve_first(
		&self,
		seat: &Seat,
		total: Balance,
		by_delegate: bool,
	) -> Result<(), Refusal> {
		match self.reserve(seat, total, by_delegate).await {
			Err(refusal) if may_be_news(&refusal) => {
				self.newer().await;
				self.reserve(seat, total, by_delegate).await
			}
			result => result,
		}
	}

	/// Sets the channel's money aside up to `total` of the lane and looks whether the escrow covers it
	/// beside everything else. `by_delegate`: the delegate's limit must cover it too.
	pub async fn reserve(
		&self,
		seat: &Seat,
		total: Balance,
		by_delegate: bool,
	) -> Result<(), Refusal> {
		seat.reserve(total);
		let (channel, needed) = self.committed(seat).await?;
		if needed > channel.escrow {
			return Err(Refusal::EscrowEmpty {
				channel: channel.id,
				needed,
				left: channel.escrow,
			});
		}
		if by_delegate {
			within_delegate_limit(&channel, needed)?;
		}
		Ok(())
	}

	/// Whether the delegate's limit covers everything that is set aside, before a voucher of the delegate
	/// replaces the one that is held. The seat has set aside at least what the voucher says.
	pub async fn check_delegate(&self, seat: &Seat) -> Result<(), Refusal> {
		let (channel, needed) = self.committed(seat).await?;
		within_delegate_limit(&channel, needed)
	}

	/// The seat's channel, and what all its lanes have set aside, in units.
	async fn committed(&self, seat: &Seat) -> Result<(Arc<Channel>, Balance), Refusal> {
		let key = seat.key();
		let lanes = self.store.channel(key.channel, key.generation)?;
		// Escrow and redemptions must be those of one block.
		let channel = self.channel(lanes.block, key.channel).await?;
		self.check(&channel, &key)?;
		let needed = self
			.meter
			.committed(key.channel, key.generation, &lanes.lanes)
			.ok_or(Refusal::PriceOverflow)?;
		Ok((channel, needed))
	}

	/// Checks that the index of the adapter of that name holds what the snapshots of its lineage hold.
	pub async fn verify_index(&self, name: &str) -> Result<(), Refusal> {
		let block = self.block()?;
		let adapter = self.catalog.adapter(block, name).await?;
		let loaded = self.attributor.index(adapter.index).await?;
		let mut lineage = Vec::with_capacity(adapter.lineage.len());
		for (datanet, version) in &adapter.lineage {
			let commitment = self.view.snapshot(block, *datanet, *version).await?;
			let commitment = commitment.ok_or_else(|| {
				let what =
					format!("the chain does not have snapshot {version} of Datanet {datanet}");
				Refusal::Attribution(what)
			})?;
			lineage.push((*datanet, *version, commitment));
		}
		loaded.verify(&lineage)
	}

	/// Ends the answer that a crash or a failure left open on a lane: a receipt for exactly the
	/// tokens that are paid. Nothing happens if there is none.
	pub async fn recover(&self, key: LaneKey) -> Result<(), Refusal> {
		match self.store.open_answer(&key)? {
			Some(answer) => self.close_at_paid(key, answer).await,
			None => Ok(()),
		}
	}

	/// Ends every open answer; how many there were. For the start, before anything is served.
	pub async fn recover_all(&self) -> Result<usize, Refusal> {
		let open = self.store.open_answers()?;
		let count = open.len();
		for (key, answer) in open {
			self.close_at_paid(key, answer).await?;
		}
		Ok(count)
	}

	async fn close_at_paid(&self, key: LaneKey, answer: OpenAnswer) -> Result<(), Refusal> {
		let (paid, text) = (answer.paid_out, answer.text.clone());
		let receipt = self.close(key, &answer, paid, &text).await?;
		tracing::info!(
			id = answer.id, channel = key.channel, lane = key.lane, tokens = paid,
			receipt = ?receipt.0.digest(), "an answer that broke off was closed at what is paid"
		);
		Ok(())
	}

	/// Attributes an answer and writes its receipt.
	pub async fn close(
		&self,
		key: LaneKey,
		answer: &OpenAnswer,
		tokens_out: u32,
		text: &str,
	) -> Result<(Receipt, Attribution), Refusal> {
		let (attribution, equal) = self.attribute(answer, text).await;
		let sequence = self.store.lane(&key)?.unwrap_or_default().sequence;
		let receipt = answer
			.receipt(self.genesis, key, sequence, tokens_out, text, &attribution)
			.ok_or(Refusal::PriceOverflow)?;
		let id = answer.id.clone();
		self.store
			.close(key, id, receipt.clone(), attribution.clone(), equal)
			.await?;
		Ok((receipt, attribution))
	}

	/// An answer without an adapter is attributed to nobody. One whose index is gone from the disk since
	/// it was accepted has no scores, so its data share follows those of other answers of that index.
	async fn attribute(
		&self,
		answer: &OpenAnswer,
		text: &str,
	) -> (Attribution, Vec<openledger_primitives::Score>) {
		let nobody = Attribution {
			algorithm: answer.algorithm,
			..Attribution::default()
		};
		if answer.adapter.is_none() {
			return (nobody, Vec::new());
		}
		let attributed = async {
			let loaded = self.attributor.index(answer.index).await?;
			let equal = loaded.equal().to_vec();
			let prompt = answer.prompt.clone();
			let text = text.to_owned();
			let attribution = self
				.attributor
				.attribute(loaded, answer.algorithm, prompt, text)
				.await?;
			Ok::<_, Refusal>((attribution, equal))
		};
		attributed.await.unwrap_or_else(|error| {
			tracing::error!(
				id = answer.id, index = ?answer.index, %error,
				"an answer is not attributed; send the adapter's index.bin again"
			);
			(nobody, Vec::new())
		})
	}
}
