//! Signing transactions, sending them, and finding out what became of them.

use crate::{
	api,
	chain::{number_of, AtBlock, Config},
	events, At, Chain, ChainError, ChainEvent, Keypair,
};
use openledger_primitives::{Balance, BlockNumber, Hash};
use serde::Serialize;
use sp_runtime::traits::{BlakeTwo256, Hash as _};
use std::time::Duration;
use subxt::{
	config::{DefaultExtrinsicParams, DefaultExtrinsicParamsBuilder},
	error::DispatchError,
	events::Phase,
	transactions::{Payload, TransactionStatus},
	utils::{AccountId32, MultiSignature},
};

/// For how many blocks a transaction is good.
const MORTALITY: u64 = 256;
/// How often a transaction is made anew when another program has used the key's next number.
const ATTEMPTS: u32 = 6;
/// How long to wait before the next attempt, or the next look for a transaction.
const PAUSE: Duration = Duration::from_millis(500);

/// What to wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wait {
	/// Until a block contains it; that block may yet be replaced.
	#[default]
	InBlock,
	/// Until that block is final.
	Finalized,
}

/// A transaction that succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Submitted {
	/// Hash of the transaction.
	pub extrinsic: Hash,
	/// Hash of the block that contains it.
	pub block: Hash,
	/// Number of that block.
	pub number: BlockNumber,
	/// The fee that was paid, in units.
	#[serde(with = "openledger_primitives::amount_as_string")]
	pub fee: Balance,
	/// What it did: events of OpenLedger's own pallets.
	pub events: Vec<ChainEvent>,
}

/// What the node answered to a transaction.
enum Sent {
	/// It is in the pool, or was in it already.
	Accepted(Option<Watch>),
	/// Its number was used by another one.
	NumberTaken(String),
	/// Its signer cannot pay the fee.
	Unpaid(String),
}

type Watch = subxt::transactions::TransactionProgress<
	Config,
	subxt::client::OnlineClientAtBlockImpl<Config>,
>;

/// What a transaction says beside its call: it is mortal, from a block that stays.
fn params(from: &AtBlock, number: u64) -> DefaultExtrinsicParams<Config> {
	DefaultExtrinsicParamsBuilder::<Config>::new()
		.mortal_from_unchecked(MORTALITY, from.block_number(), from.block_hash())
		.nonce(number)
		.build()
}

impl Chain {
	/// Signs `call` with `key`, sends it, and waits until it is where `wait` says.
	///
	/// Several calls of one key at a time are safe: they are numbered one after the other. A lost
	/// connection is survived: the transaction is looked for in the blocks that follow. Fails with
	/// [`ChainError::Dispatch`] where the pallet refused.
	pub async fn submit<C: Payload>(
		&self,
		call: &C,
		key: &Keypair,
		wait: Wait,
	) -> Result<Submitted, ChainError> {
		let turn = self.turn(&key.account()).lock_owned().await;
		let from = self.at(At::Finalized).view().await?;
		let (extrinsic, watch) = self.send(call, key, &from).await?;
		drop(turn);
		self.landed(extrinsic, watch, wait, &from).await
	}

	/// Sends `call` without an account that signs and pays, for calls that say by their own arguments
	/// who allows them, and waits as [`Chain::submit`] does.
	///
	/// Fails with [`ChainError::Refused`] where the pallet does not let it in.
	pub async fn submit_authorized<C: Payload>(
		&self,
		call: &C,
		wait: Wait,
	) -> Result<Submitted, ChainError> {
		let from = self.at(At::Finalized).view().await?;
		// The chain knows no extension that holds a signature, so none travels.
		let nobody = (AccountId32([0; 32]), MultiSignature::Sr25519([0; 64]));
		let general = self
			.at(At::Best)
			.view()
			.await?
			.transactions()
			.create_v5_signable_offline(call, params(&from, 0))
			.and_then(|mut general| general.sign_with_account_and_signature(&nobody.0, &nobody.1))
			.map_err(ChainError::from_subxt)?;
		let extrinsic = general.hash();
		let watch = match self.offer(&general).await? {
			Sent::Accepted(watch) => watch,
			Sent::NumberTaken(why) | Sent::Unpaid(why) => return Err(ChainError::Refused(why)),
		};
		self.landed(extrinsic, watch, wait, &from).await
	}

	/// Waits until the transaction is where `wait` says, and finds out what it did.
	async fn landed(
		&self,
		extrinsic: Hash,
		watch: Option<Watch>,
		wait: Wait,
		from: &AtBlock,
	) -> Result<Submitted, ChainError> {
		let limit = self.shared.settings.inclusion;
		let block = tokio::time::timeout(limit, self.inclusion(extrinsic, watch, wait, from))
			.await
			.map_err(|_| ChainError::timeout("inclusion of a transaction", limit))??;
		self.outcome(block, extrinsic).await
	}

	/// Signs and sends, until the node has taken it.
	async fn send<C: Payload>(
		&self,
		call: &C,
		key: &Keypair,
		from: &AtBlock,
	) -> Result<(Hash, Option<Watch>), ChainError> {
		let account = AccountId32::from(<[u8; 32]>::from(key.account()));
		let mut reason = String::new();
		for attempt in 0..ATTEMPTS {
			if attempt > 0 {
				tokio::time::sleep(PAUSE).await;
			}
			let number = self.shared.methods.system_account_next_index(&account);
			let number = self.answer("next transaction number", number).await?;
			// By the runtime of the best block, which may be newer than the finalized one's.
			let signed = self
				.at(At::Best)
				.view()
				.await?
				.transactions()
				.create_signable_offline(call, params(from, number))
				.and_then(|mut transaction| transaction.sign(key))
				.map_err(ChainError::from_subxt)?;
			let extrinsic = signed.hash();
			match self.offer(&signed).await? {
				Sent::Accepted(watch) => return Ok((extrinsic, watch)),
				Sent::NumberTaken(why) => reason = why,
				Sent::Unpaid(_) => return Err(ChainError::CannotPayFee(key.account().to_string())),
			}
		}
		Err(ChainError::Refused(format!(
			"{reason}. Another program uses the same key; let it finish, then try again."
		)))
	}

	/// Sends one finished transaction, again if the connection is lost meanwhile.
	async fn offer(
		&self,
		signed: &subxt::transactions::SubmittableTransaction<
			Config,
			subxt::client::OnlineClientAtBlockImpl<Config>,
		>,
	) -> Result<Sent, ChainError> {
		let limit = self.shared.settings.answer;
		loop {
			let watch = tokio::time::timeout(limit, signed.submit_and_watch())
				.await
				.map_err(|_| ChainError::timeout("sending a transaction", limit))?;
			let error = match watch {
				Ok(watch) => return Ok(Sent::Accepted(Some(watch))),
				Err(error) => subxt::Error::from(error),
			};
			if error.is_disconnected_will_reconnect() {
				tokio::time::sleep(PAUSE).await;
				continue;
			}
			let Some((code, text)) = refusal(&error) else {
				return Err(ChainError::from_subxt(error));
			};
			return match code {
				// The node has it already: sent before the connection was lost.
				1013 => Ok(Sent::Accepted(None)),
				1014 => Ok(Sent::NumberTaken(text)),
				1010 if text.contains("outdated") => Ok(Sent::NumberTaken(text)),
				1010 if text.contains("pay some fees") => Ok(Sent::Unpaid(text)),
				_ => Err(ChainError::Refused(text)),
			};
		}
	}

	/// The block that contains the transaction.
	async fn inclusion(
		&self,
		extrinsic: Hash,
		watch: Option<Watch>,
		wait: Wait,
		from: &AtBlock,
	) -> Result<Hash, ChainError> {
		let dropped = |reason: String| ChainError::Dropped { extrinsic, reason };
		if let Some(mut watch) = watch {
			while let Some(Ok(status)) = watch.next().await {
				match status {
					TransactionStatus::InBestBlock(block) if wait == Wait::InBlock => {
						return Ok(block.block_hash());
					}
					TransactionStatus::InFinalizedBlock(block) => return Ok(block.block_hash()),
					TransactionStatus::Invalid { message } => return Err(dropped(message)),
					TransactionStatus::Dropped { message }
					| TransactionStatus::Error { message } => {
						tracing::debug!(?extrinsic, message, "the node stopped watching");
						break;
					}
					_ => (),
				}
			}
		}
		// The node no longer tells, so look for it in the blocks.
		let at = match wait {
			Wait::InBlock => At::Best,
			Wait::Finalized => At::Finalized,
		};
		let mut next = number_of(from);
		let last = u64::from(next).saturating_add(MORTALITY);
		loop {
			let newest = self.at(at).number().await?;
			while next <= newest {
				let block = self.block_hash(next).await?;
				if self.position(block, extrinsic).await?.is_some() {
					return Ok(block);
				}
				next = next.saturating_add(1);
			}
			if u64::from(newest) > last {
				return Err(dropped("its time ran out".into()));
			}
			tokio::time::sleep(PAUSE).await;
		}
	}

	/// Where the transaction stands in the block.
	async fn position(&self, block: Hash, extrinsic: Hash) -> Result<Option<u32>, ChainError> {
		let body = self.shared.methods.chain_get_block(Some(block));
		let body = self
			.answer("block", body)
			.await?
			.ok_or_else(|| ChainError::UnknownBlock(format!("{block:?}")))?;
		let position = body
			.block
			.extrinsics
			.iter()
			.position(|bytes| BlakeTwo256::hash(&bytes.0) == extrinsic);
		Ok(position.and_then(|position| u32::try_from(position).ok()))
	}

	/// What the transaction did in the block.
	async fn outcome(&self, block: Hash, extrinsic: Hash) -> Result<Submitted, ChainError> {
		let position = self
			.position(block, extrinsic)
			.await?
			.ok_or_else(|| ChainError::Rpc(format!("{extrinsic:?} is not in block {block:?}")))?;
		let view = self.at(At::Block(block)).view().await?;
		let all = self
			.answer("events of a block", view.events().fetch())
			.await?;
		let phase = Phase::ApplyExtrinsic(position);
		let mut fee = 0;
		for event in all.iter() {
			let event = event.map_err(ChainError::from_subxt)?;
			if event.phase() != phase {
				continue;
			}
			if (event.pallet_name(), event.event_name()) == ("System", "ExtrinsicFailed") {
				let error = DispatchError::decode_from(event.field_bytes(), view.metadata())
					.map_err(ChainError::from_subxt)?;
				return Err(ChainError::from_dispatch(error));
			}
			let paid =
				event.decode_fields_as::<api::transaction_payment::events::TransactionFeePaid>();
			if let Some(paid) = paid {
				fee = paid.map_err(ChainError::from_subxt)?.actual_fee;
			}
		}
		Ok(Submitted {
			extrinsic,
			block,
			number: number_of(&view),
			fee,
			events: events::decode(&all, Some(phase))?,
		})
	}
}

/// Code and text of a refusal by the node itself, with what it adds.
fn refusal(error: &subxt::Error) -> Option<(i32, String)> {
	use subxt::error::{BackendError, ExtrinsicError, RpcError};
	let subxt::Error::ExtrinsicError(ExtrinsicError::ErrorSubmittingTransaction(
		BackendError::Rpc(RpcError::ClientError(subxt::rpcs::Error::User(user))),
	)) = error
	else {
		return None;
	};
	let more = user
		.data
		.as_ref()
		.map(|data| data.get().trim_matches('"').to_owned());
	let text = match more {
		Some(more) => format!("{}: {more}", user.message),
		None => user.message.clone(),
	};
	Some((user.code, text))
}
