//! The payer's money: channels opened, topped up and signed for.
//!
//! The payer's key signs only what opens and fills channels. Vouchers are signed by a hot key made for
//! this gateway, which may spend up to a limit that stands on chain.

use super::{
	error::GatewayError,
	journal::Journal,
	lanes::{LaneKey, LanePool, LaneRecord, Totals},
};
use crate::amount::named;
use openledger_client::{
	calls,
	events::ChannelsEvent,
	types::{Channel, Provider},
	Chain, ChainError, ChainEvent, Keypair, Wait,
};
use openledger_primitives::{
	AccountId, Balance, BlockNumber, ChannelId, Generation, Hash, Lane, QuoteId, SignedVoucher,
	Voucher,
};
use std::{
	collections::HashMap,
	future::Future,
	sync::{
		atomic::{AtomicU32, Ordering},
		Arc, Mutex, PoisonError,
	},
	time::Duration,
};

/// How long not to try again after filling a channel has failed.
const PAUSE: Duration = Duration::from_secs(10);

/// How much may be spent.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
	/// Put into a channel when it is opened, and again when it runs low.
	pub escrow: Balance,
	/// The most that may be put into channels in all.
	pub max_spend: Balance,
	/// The most that one answer may cost.
	pub per_answer: Balance,
	/// Answers at a time per channel.
	pub lanes: u16,
}

/// A channel this gateway pays from.
pub struct PaidChannel {
	/// Its id.
	pub id: ChannelId,
	/// Its generation.
	pub generation: Generation,
	/// The provider.
	pub provider: AccountId,
	/// Its lanes.
	pub pool: Arc<LanePool>,
	records: Mutex<HashMap<Lane, LaneRecord>>,
	/// All that can be spent in this generation, from its beginning.
	funded: Mutex<Balance>,
	/// Held while a top-up is under way.
	filling: tokio::sync::Mutex<()>,
}

impl PaidChannel {
	/// The record of a lane.
	pub fn record(&self, lane: Lane) -> LaneRecord {
		let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
		records.get(&lane).cloned().unwrap_or_default()
	}

	/// The lane's key.
	pub fn key(&self, lane: Lane) -> LaneKey {
		LaneKey {
			channel: self.id,
			generation: self.generation,
			lane,
		}
	}

	fn remember(&self, lane: Lane, record: LaneRecord) {
		let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
		records.insert(lane, record);
	}

	/// What is funded and not signed away yet.
	pub fn left(&self) -> Balance {
		let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
		let signed = records.values().fold(0, |sum: Balance, record| {
			sum.saturating_add(record.signed.amount)
		});
		let funded = *self.funded.lock().unwrap_or_else(PoisonError::into_inner);
		funded.saturating_sub(signed)
	}
}

/// What pays.
pub struct Purse {
	chain: Chain,
	payer: Keypair,
	hot: Keypair,
	budget: Budget,
	journal: Journal,
	max_lanes: u32,
	lifetime: BlockNumber,
	/// The newest finalized block.
	now: AtomicU32,
	channels: tokio::sync::Mutex<HashMap<AccountId, Arc<PaidChannel>>>,
	/// Held from deciding how much may be put into a channel until it is there.
	spending: tokio::sync::Mutex<()>,
}

impl Purse {
	/// A purse that pays with `payer`'s money and signs vouchers with `hot`.
	pub async fn open(
		chain: &Chain,
		payer: Keypair,
		hot: Keypair,
		budget: Budget,
		journal: Journal,
	) -> Result<Self, ChainError> {
		let chain = chain.finalized();
		let parameters = chain.parameters().await?;
		let now = chain.finalized_number().await?;
		Ok(Self {
			chain,
			payer,
			hot,
			budget,
			journal,
			max_lanes: parameters.max_lanes,
			lifetime: lifetime(parameters.max_voucher_lifetime),
			now: AtomicU32::new(now),
			channels: tokio::sync::Mutex::default(),
			spending: tokio::sync::Mutex::default(),
		})
	}

	/// The payer's account.
	pub fn payer(&self) -> AccountId {
		self.payer.account()
	}

	/// The most that one answer may cost, in units.
	pub fn per_answer(&self) -> Balance {
		self.budget.per_answer
	}

	/// Whether a channel to the provider is in use.
	pub async fn has_channel(&self, provider: &AccountId) -> bool {
		self.channels.lock().await.contains_key(provider)
	}

	/// Genesis hash of the chain.
	pub fn genesis(&self) -> Hash {
		self.chain.genesis()
	}

	/// Sets the clock that vouchers are dated by.
	pub async fn tick(&self) {
		match self.chain.finalized_number().await {
			Ok(number) => self.now.store(number, Ordering::Relaxed),
			Err(error) => tracing::warn!(%error, "the node does not answer"),
		}
	}

	/// The channel to a provider: one that is open already, or a new one.
	pub async fn channel(&self, provider: &Provider) -> Result<Arc<PaidChannel>, GatewayError> {
		let mut channels = self.channels.lock().await;
		if let Some(channel) = channels.get(&provider.account) {
			return Ok(channel.clone());
		}
		let mine = self.chain.channels_of(&self.payer()).await?;
		let found = mine
			.iter()
			.filter(|channel| channel.provider == provider.account && channel.thaw.is_none())
			.max_by_key(|channel| (self.is_delegate(channel), channel.escrow));
		let id = match found {
			Some(channel) => {
				self.become_delegate(channel).await?;
				channel.id
			}
			None => self.open_channel(provider).await?,
		};
		let paid = Arc::new(self.adopt(id).await?);
		channels.insert(provider.account.clone(), paid.clone());
		tracing::info!(channel = id, provider = %provider.account, "paying from channel");
		Ok(paid)
	}

	/// Forgets a channel, so that the next request looks again what the chain has.
	pub async fn forget(&self, provider: &AccountId) {
		self.channels.lock().await.remove(provider);
	}

	fn is_delegate(&self, channel: &Channel) -> bool {
		let hot = self.hot.account();
		channel.delegate.as_ref().is_some_and(|delegate| {
			delegate.signer == hot && delegate.limit.saturating_sub(delegate.spent) > 0
		})
	}

	async fn become_delegate(&self, channel: &Channel) -> Result<(), GatewayError> {
		if self.is_delegate(channel) {
			return Ok(());
		}
		let delegate = Some((self.hot.account(), self.budget.max_spend));
		let call = calls::set_delegate(channel.id, delegate);
		self.chain
			.submit(&call, &self.payer, Wait::Finalized)
			.await?;
		Ok(())
	}

	/// What the channels of this gateway have been given in all.
	async fn deposited(&self) -> Result<Balance, GatewayError> {
		let hot = self.hot.account();
		let channels = self.chain.channels_of(&self.payer()).await?;
		let ours = channels.iter().filter(|channel| {
			let delegate = channel.delegate.as_ref();
			delegate.is_some_and(|delegate| delegate.signer == hot)
		});
		Ok(ours.fold(0, |sum: Balance, channel| {
			sum.saturating_add(channel.deposited)
		}))
	}

	async fn open_channel(&self, provider: &Provider) -> Result<ChannelId, GatewayError> {
		let open = async |escrow| {
			let delegate = Some((self.hot.account(), self.budget.max_spend));
			let call = calls::open_channel(provider.account.clone(), escrow, delegate);
			// The worker believes what is final.
			let done = self.chain.submit(&call, &self.payer, Wait::Finalized);
			Ok(done.await?)
		};
		let done = spend(&self.spending, &self.budget, self.deposited(), open).await?;
		let opened = done.events.iter().find_map(|event| match event {
			ChainEvent::Channels(ChannelsEvent::Opened { channel, .. }) => Some(*channel),
			_ => None,
		});
		opened.ok_or_else(|| {
			GatewayError::new(
				502,
				"runtime-incompatible",
				"A channel was opened without its event.",
			)
		})
	}

	/// Reads a channel from chain and journal.
	async fn adopt(&self, id: ChannelId) -> Result<PaidChannel, GatewayError> {
		let chain = self.chain.pinned().await?;
		let channel = chain.channel(id).await?.ok_or_else(|| {
			GatewayError::new(502, "unknown-channel", format!("Channel {id} is gone."))
		})?;
		let mut records = self.journal.lanes(id, channel.generation)?;
		let mut funded = channel.escrow;
		for entry in chain.lanes(id).await? {
			if entry.state.generation != channel.generation {
				continue;
			}
			funded = funded.saturating_add(entry.state.amount);
			let record = records.entry(entry.lane).or_default();
			if record.signed.amount < entry.state.amount {
				// Paid by another gateway, or before a journal was lost: nothing here explains it.
				record.signed.amount = entry.state.amount;
				record.retired = true;
			}
		}
		let retired: Vec<Lane> = records
			.iter()
			.filter_map(|(lane, record)| record.retired.then_some(*lane))
			.collect();
		Ok(PaidChannel {
			id,
			generation: channel.generation,
			provider: channel.provider,
			pool: LanePool::new(self.budget.lanes, self.max_lanes, &retired),
			records: Mutex::new(records),
			funded: Mutex::new(funded),
			filling: tokio::sync::Mutex::default(),
		})
	}

	/// Whether the channel should be filled before long.
	pub fn is_low(&self, channel: &PaidChannel) -> bool {
		channel.left() < self.budget.escrow / 2
	}

	/// Puts more into the channel, unless that happened since `left` was what is left.
	pub async fn top_up(&self, channel: &PaidChannel, left: Balance) -> Result<(), GatewayError> {
		let _filling = channel.filling.lock().await;
		if channel.left() > left && !self.is_low(channel) {
			return Ok(());
		}
		self.put_in(channel).await
	}

	/// Puts more into a channel that runs low, unless that is under way. After a failure it waits a
	/// while before anybody tries again.
	pub async fn fill(&self, channel: &PaidChannel) {
		let Ok(_filling) = channel.filling.try_lock() else {
			return;
		};
		if !self.is_low(channel) {
			return;
		}
		if let Err(error) = self.put_in(channel).await {
			tracing::warn!(channel = channel.id, "the channel runs low: {error}");
			tokio::time::sleep(PAUSE).await;
		}
	}

	async fn put_in(&self, channel: &PaidChannel) -> Result<(), GatewayError> {
		let top_up = async |amount| {
			let call = calls::top_up(channel.id, amount);
			let done = self.chain.submit(&call, &self.payer, Wait::Finalized);
			done.await?;
			Ok(amount)
		};
		let amount = spend(&self.spending, &self.budget, self.deposited(), top_up).await?;
		let mut funded = channel
			.funded
			.lock()
			.unwrap_or_else(PoisonError::into_inner);
		*funded = funded.saturating_add(amount);
		tracing::info!(channel = channel.id, amount = %named(amount), "topped up");
		Ok(())
	}

	/// Puts the record, with `totals` as signed, on disk, and only then signs a voucher for them.
	pub async fn sign(
		&self,
		channel: &PaidChannel,
		lane: Lane,
		record: &mut LaneRecord,
		totals: Totals,
		receipts: Hash,
		quote: QuoteId,
	) -> Result<SignedVoucher, GatewayError> {
		record.sign(totals);
		self.keep(channel, lane, record).await?;
		let Totals {
			amount,
			licence,
			tokens,
		} = totals;
		let voucher = Voucher {
			genesis: self.genesis(),
			channel: channel.id,
			generation: channel.generation,
			lane,
			amount,
			licence,
			tokens,
			receipts,
			quote,
			valid_until: self
				.now
				.load(Ordering::Relaxed)
				.saturating_add(self.lifetime),
		};
		Ok(self.hot.sign_voucher(voucher))
	}

	/// Puts a lane's record on disk.
	pub async fn keep(
		&self,
		channel: &PaidChannel,
		lane: Lane,
		record: &LaneRecord,
	) -> Result<(), GatewayError> {
		self.journal.put(channel.key(lane), record).await?;
		channel.remember(lane, record.clone());
		Ok(())
	}
}

/// Puts money into a channel by `put_in`, as much as may go there when `deposited` have been put into
/// all of them. One at a time, so that two cannot both spend what is left.
async fn spend<T>(
	spending: &tokio::sync::Mutex<()>,
	budget: &Budget,
	deposited: impl Future<Output = Result<Balance, GatewayError>>,
	put_in: impl AsyncFnOnce(Balance) -> Result<T, GatewayError>,
) -> Result<T, GatewayError> {
	let _spending = spending.lock().await;
	let deposited = deposited.await?;
	let left = budget.max_spend.saturating_sub(deposited);
	match budget.escrow.min(left) {
		0 => Err(GatewayError::new(
			402,
			"max-spend",
			format!(
				"This gateway has put {} into channels, as much as --max-spend allows. Start it \
				 with a higher one.",
				named(deposited)
			),
		)),
		allowed => put_in(allowed).await,
	}
}

/// How long vouchers are made good for: less than the chain takes, since the worker may see an older
/// block than this gateway.
fn lifetime(longest: BlockNumber) -> BlockNumber {
	longest.saturating_sub((longest / 4).min(10))
}

#[cfg(test)]
mod tests {
	use super::*;

	#[tokio::test]
	async fn max_spend_should_bound_what_is_put_in_at_the_same_time() {
		let budget = Budget {
			escrow: 10,
			max_spend: 25,
			per_answer: 5,
			lanes: 1,
		};
		let spending = tokio::sync::Mutex::default();
		let chain = Mutex::new(0);
		let deposited = || *chain.lock().unwrap();
		let puts = (0..8).map(|_| {
			let put_in = async |amount| {
				// What is on its way cannot be read back yet.
				tokio::time::sleep(Duration::from_millis(5)).await;
				*chain.lock().unwrap() += amount;
				Ok(())
			};
			spend(&spending, &budget, async { Ok(deposited()) }, put_in)
		});
		let done = futures::future::join_all(puts).await;
		assert_eq!(deposited(), 25);
		assert_eq!(done.iter().filter(|put| put.is_ok()).count(), 3);
		let refused = done.into_iter().find_map(Result::err).unwrap();
		assert_eq!((refused.status, refused.code.as_str()), (402, "max-spend"));
	}

	#[test]
	fn vouchers_should_live_shorter_than_the_chain_allows() {
		assert_eq!(lifetime(14_400), 14_390);
		assert_eq!(lifetime(20), 15);
		assert_eq!(lifetime(2), 2);
	}
}
