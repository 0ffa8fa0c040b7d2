//! Shows the chain now and then that the machine runs. Clients may ask the chain which do.

use crate::{chain::ChainError, metrics::Metrics, payee::Payee, worker::stopped};
use openledger_client::types::ProviderState;
use openledger_primitives::BlockNumber;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// How often to look whether a heartbeat is due: a block's time.
const LOOK: Duration = Duration::from_secs(6);

/// Sends a provider's heartbeats.
pub struct Heart {
	payee: Arc<Payee>,
	metrics: Metrics,
}

impl Heart {
	/// For the provider that `payee` works for.
	pub fn new(payee: Arc<Payee>, metrics: Metrics) -> Self {
		Self { payee, metrics }
	}

	/// Sends them until `stop` is true.
	pub async fn run(self, mut stop: watch::Receiver<bool>) {
		loop {
			match self.beat().await {
				Ok(Some(block)) => {
					self.metrics.heartbeat("included");
					tracing::debug!(block, "heartbeat included");
				}
				Ok(None) => {}
				Err(error) => {
					self.metrics.heartbeat("failed");
					tracing::warn!(%error, "no heartbeat; clients may take this provider for gone");
				}
			}
			tokio::select! {
				() = stopped(&mut stop) => return,
				() = tokio::time::sleep(LOOK) => {}
			}
		}
	}

	/// Sends one if it is due, and returns the block that includes it.
	pub(crate) async fn beat(&self) -> Result<Option<BlockNumber>, ChainError> {
		let (chain, account) = (self.payee.view.chain(), &self.payee.provider);
		let block = chain.finalized().await?;
		let provider = chain.provider(block.hash, account).await?;
		// Of others the chain takes none.
		if !provider.is_some_and(|provider| provider.state == ProviderState::Active) {
			return Ok(None);
		}
		if let Some(last) = chain.last_heartbeat(block.hash, account).await? {
			let period = chain.heartbeat_period(block.hash).await?.max(1);
			if block.number < last.saturating_add(period) {
				return Ok(None);
			}
		}
		chain.heartbeat(account, block.number).await.map(Some)
	}
}
