//! Walks the finalized blocks one by one and counts what they redeemed.

use crate::{
	chain::{Chain, ChainError},
	error::{open, Refusal},
	metrics::Metrics,
	payee::Followed,
	redeemer::Skips,
	store::{Block, Redemption, Store},
	worker::stopped,
};
use openledger_primitives::AccountId;
use std::{
	sync::Arc,
	time::{Duration, Instant},
};
use tokio::sync::watch;

/// How often the node is asked for a newer block.
pub const POLL: Duration = Duration::from_millis(500);

/// How long to wait after a failure.
const RETRY: Duration = Duration::from_secs(2);

/// Follows one chain for one provider.
pub struct Follower {
	chain: Arc<dyn Chain>,
	store: Store,
	provider: AccountId,
	metrics: Option<Metrics>,
	skips: Arc<Skips>,
	followed: watch::Sender<Followed>,
}

impl Follower {
	/// Begins where the store stands; a new store begins at the newest finalized block.
	pub async fn start(
		chain: Arc<dyn Chain>,
		store: Store,
		provider: AccountId,
	) -> Result<(Self, watch::Receiver<Followed>), Refusal> {
		let block = match store.followed()? {
			Some(block) => block,
			None => {
				let block = chain.finalized().await?;
				store.follow(block, 0, Vec::new()).await?;
				block
			}
		};
		let (followed, receiver) = watch::channel(Followed {
			block,
			seen: Instant::now(),
		});
		let follower = Self {
			chain,
			store,
			provider,
			metrics: None,
			skips: Arc::default(),
			followed,
		};
		Ok((follower, receiver))
	}

	/// Counts what is redeemed in these metrics.
	pub fn with_metrics(self, metrics: Metrics) -> Self {
		Self {
			metrics: Some(metrics),
			..self
		}
	}

	/// Which of the provider's vouchers the chain skipped.
	pub fn skips(&self) -> Arc<Skips> {
		self.skips.clone()
	}

	/// Follows up to the newest finalized block.
	pub async fn catch_up(&self) -> Result<(), Refusal> {
		let newest = self.chain.finalized().await?;
		loop {
			let block = self.followed.borrow().block;
			if block.number >= newest.number {
				self.announce(block);
				return Ok(());
			}
			let Some(next) = block.number.checked_add(1) else {
				return Ok(());
			};
			self.step(next).await?;
		}
	}

	async fn step(&self, number: u32) -> Result<(), Refusal> {
		let events = match self.chain.events(number, &self.provider).await {
			Ok(events) => events,
			Err(ChainError::Pruned(error)) => return self.jump(error).await,
			Err(error) => return Err(error.into()),
		};
		for skipped in &events.skipped {
			// What is paid in the same block was not what was skipped: anybody may send junk for a lane.
			let is_paid = |paid: &Redemption| {
				paid.key.channel == skipped.channel && paid.key.lane == skipped.lane
			};
			if !events.redemptions.iter().any(is_paid) {
				self.skips.note(skipped, number);
			}
			tracing::debug!(
				channel = skipped.channel,
				lane = skipped.lane,
				reason = skipped.reason,
				"a voucher was skipped"
			);
		}
		let epoch = if events.redemptions.is_empty() {
			0
		} else {
			self.chain.epoch(events.block.hash).await?.index
		};
		for redemption in &events.redemptions {
			if let Some(metrics) = &self.metrics {
				metrics.redeemed(redemption);
			}
			tracing::debug!(
				block = number,
				epoch,
				channel = redemption.key.channel,
				lane = redemption.key.lane,
				compute = open(redemption.compute),
				licence = open(redemption.licence),
				"redeemed"
			);
		}
		self.store
			.follow(events.block, epoch, events.redemptions)
			.await?;
		self.announce(events.block);
		Ok(())
	}

	/// The node has dropped the state of blocks this worker did not see. If nothing was redeemed in them,
	/// nothing is lost by going on at the newest.
	async fn jump(&self, error: String) -> Result<(), Refusal> {
		let newest = self.chain.finalized().await?;
		for (key, lane) in self.store.lanes()? {
			let state = self.chain.lane(newest.hash, key.channel, key.lane).await?;
			let same = match state {
				Some(state) if state.generation == key.generation => {
					state.amount == lane.redeemed.amount
				}
				_ => true,
			};
			if !same {
				return Err(Refusal::Chain(format!(
					"{error} Lane {} of channel {} was redeemed meanwhile, so this worker must read \
					 those blocks",
					key.lane, key.channel
				)));
			}
		}
		tracing::warn!(
			to = newest.number,
			"the node has dropped blocks this worker did not see; nothing was redeemed in them"
		);
		self.store.follow(newest, 0, Vec::new()).await?;
		self.announce(newest);
		Ok(())
	}

	fn announce(&self, block: Block) {
		self.followed.send_replace(Followed {
			block,
			seen: Instant::now(),
		});
	}

	/// Follows until `stop` becomes true.
	pub async fn run(self, mut stop: watch::Receiver<bool>) {
		let mut failing = false;
		loop {
			let wait = match self.catch_up().await {
				Ok(()) => {
					if failing {
						tracing::info!("the node answers again");
						failing = false;
					}
					POLL
				}
				Err(error) => {
					if !failing {
						tracing::error!(%error, "cannot follow the chain; trying on");
						failing = true;
					}
					RETRY
				}
			};
			tokio::select! {
				() = stopped(&mut stop) => return,
				() = tokio::time::sleep(wait) => {},
			}
		}
	}
}
