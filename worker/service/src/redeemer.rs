//! Turns vouchers into money: the newest of each lane, in batches.

use crate::{
	chain::Skipped,
	error::{open, Refusal},
	metrics::Metrics,
	payee::Payee,
	payments::LaneKey,
	worker::stopped,
};
use openledger_primitives::{Balance, BlockNumber, ChannelId, Lane, SignedVoucher};
use std::{
	collections::HashMap,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::{Duration, Instant},
};
use tokio::sync::watch;

/// Most vouchers of one transaction; the chain takes 200.
pub const MAX_BATCH: usize = 200;

/// How often to look whether something must be redeemed ahead of time.
const LOOK: Duration = Duration::from_secs(1);

/// How long to wait after a failure, however urgent it is.
const RETRY: Duration = Duration::from_secs(10);

/// Blocks to wait before a voucher that the chain skipped is sent again.
const BACK_OFF: BlockNumber = 100;

/// The newest block in which the chain skipped a voucher of each lane, and why. The redeemer says which
/// lanes matter before it sends their vouchers, the follower notes what it sees of those.
#[derive(Debug, Default)]
pub struct Skips(Mutex<SkippedAt>);

type SkippedAt = HashMap<(ChannelId, Lane), Option<(BlockNumber, String)>>;

impl Skips {
	fn lock(&self) -> MutexGuard<'_, SkippedAt> {
		self.0.lock().unwrap_or_else(PoisonError::into_inner)
	}

	fn watch(&self, key: &LaneKey) {
		self.lock().entry((key.channel, key.lane)).or_default();
	}

	/// Notes a skipped voucher of a lane that matters. One that waits for a top-up, or that was paid
	/// already, has nothing wrong with it.
	pub fn note(&self, skipped: &Skipped, block: BlockNumber) {
		if matches!(skipped.reason.as_str(), "EscrowEmpty" | "Stale") {
			return;
		}
		if let Some(at) = self.lock().get_mut(&(skipped.channel, skipped.lane)) {
			*at = Some((block, skipped.reason.clone()));
		}
	}

	fn reason(&self, key: &LaneKey, block: BlockNumber) -> Option<String> {
		let (at, reason) = self.lock().get(&(key.channel, key.lane))?.clone()?;
		(at == block).then_some(reason)
	}
}

/// Redeems for one provider.
pub struct Redeemer {
	payee: Arc<Payee>,
	metrics: Metrics,
	every: Duration,
	/// Redeem at once when this much waits, in units.
	threshold: Balance,
	/// Redeem at once when a voucher is good for fewer blocks than this.
	margin: BlockNumber,
	/// Totals submitted, and the block they were included in: not sent again before it is followed.
	submitted: HashMap<LaneKey, (Balance, BlockNumber)>,
	/// What the chain skipped: not sent again for a while, unless a newer voucher is held.
	skips: Arc<Skips>,
	/// The skip of each lane that was reported, by its block.
	reported: HashMap<LaneKey, BlockNumber>,
	/// Vouchers given up, so that each is reported once.
	lost: HashMap<LaneKey, Balance>,
}

/// What waits to be redeemed.
#[derive(Debug, Default)]
struct Due {
	vouchers: Vec<(LaneKey, SignedVoucher)>,
	amount: Balance,
	soonest: Option<BlockNumber>,
}

impl Redeemer {
	/// Redeems every `every`, at once beyond `threshold` units or within `margin` blocks of a voucher's
	/// end. `skips` is the follower's.
	pub fn new(
		payee: Arc<Payee>,
		skips: Arc<Skips>,
		metrics: Metrics,
		every: Duration,
		threshold: Balance,
		margin: BlockNumber,
	) -> Self {
		Self {
			payee,
			metrics,
			every,
			threshold,
			margin,
			submitted: HashMap::new(),
			skips,
			reported: HashMap::new(),
			lost: HashMap::new(),
		}
	}

	async fn due(&mut self) -> Result<Due, Refusal> {
		let payee = self.payee.clone();
		let block = payee.block()?;
		let mut due = Due::default();
		for (key, lane) in payee.store.lanes()? {
			let Some(held) = &lane.held else { continue };
			let total = held.voucher.amount;
			let left = total.saturating_sub(lane.redeemed.amount);
			if left == 0 || self.waits(&key, total, block.number) {
				continue;
			}
			let channel = payee.view.channel(block, key.channel).await?;
			let gone = channel
				.as_ref()
				.is_none_or(|channel| channel.generation != key.generation);
			if gone || held.voucher.valid_until < block.number {
				if self.lost.insert(key, total) != Some(total) {
					self.metrics.lost(left);
					tracing::error!(
						channel = key.channel, lane = key.lane, lost = open(left),
						valid_until = held.voucher.valid_until, now = block.number,
						"a voucher can no longer be redeemed; redeem more often, and mind the escrow"
					);
				}
				continue;
			}
			// What is in escrow comes first, what is topped up later is paid then.
			if channel.is_some_and(|channel| channel.escrow == 0) {
				continue;
			}
			due.amount = due.amount.saturating_add(left);
			let ends = held.voucher.valid_until;
			due.soonest = Some(due.soonest.map_or(ends, |soonest| soonest.min(ends)));
			due.vouchers.push((key, held.clone()));
		}
		Ok(due)
	}

	/// Whether the lane's voucher was sent and its block is not followed yet, or it was skipped there
	/// not long ago.
	fn waits(&mut self, key: &LaneKey, total: Balance, now: BlockNumber) -> bool {
		let sent = self.submitted.get(key);
		let Some((_, at)) = sent.copied().filter(|(amount, _)| *amount == total) else {
			return false;
		};
		if at > now {
			return true;
		}
		let Some(reason) = self.skips.reason(key, at) else {
			return false;
		};
		if self.reported.insert(*key, at) != Some(at) {
			self.metrics.redemption("skipped");
			tracing::warn!(
				channel = key.channel,
				lane = key.lane,
				block = at,
				reason,
				"the chain skipped a voucher; it is sent again in {BACK_OFF} blocks"
			);
		}
		now < at.saturating_add(BACK_OFF)
	}

	/// Redeems everything that waits; how many vouchers were sent.
	pub async fn redeem(&mut self) -> Result<usize, Refusal> {
		let due = self.due().await?;
		let sent = due.vouchers.len();
		for batch in due.vouchers.chunks(MAX_BATCH) {
			let vouchers = batch.iter().map(|(_, voucher)| voucher.clone()).collect();
			batch.iter().for_each(|(key, _)| self.skips.watch(key));
			match self.payee.view.chain().redeem(vouchers).await {
				Ok(block) => {
					self.metrics.redemption("included");
					tracing::info!(
						block,
						vouchers = batch.len(),
						most = open(due.amount),
						"vouchers redeemed"
					);
					for (key, voucher) in batch {
						self.submitted.insert(*key, (voucher.voucher.amount, block));
					}
				}
				Err(error) => {
					self.metrics.redemption("failed");
					return Err(error.into());
				}
			}
		}
		Ok(sent)
	}

	/// Redeems until `stop` becomes true, then once more.
	pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
		let mut last = Instant::now();
		let mut failed = false;
		loop {
			let stopping = tokio::select! {
				() = stopped(&mut stop) => true,
				() = tokio::time::sleep(LOOK.min(self.every)) => false,
			};
			let due = stopping || last.elapsed() >= self.every;
			let urgent = !due && (!failed || last.elapsed() >= RETRY) && self.is_urgent().await;
			if due || urgent {
				let result = self.redeem().await;
				last = Instant::now();
				failed = result.is_err();
				if let Err(error) = result {
					tracing::warn!(%error, "redeeming failed; it is tried again");
				}
			}
			if stopping {
				return;
			}
		}
	}

	async fn is_urgent(&mut self) -> bool {
		let now = self.payee.followed.borrow().block.number;
		match self.due().await {
			Ok(due) => {
				due.amount >= self.threshold
					|| due
						.soonest
						.is_some_and(|soonest| soonest <= now.saturating_add(self.margin))
			}
			Err(_) => false,
		}
	}
}
