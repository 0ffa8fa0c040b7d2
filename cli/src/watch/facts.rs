//! What the chain knows, gathered beforehand for a report's check.

use crate::CliError;
use openledger_client::reports::Published;
use openledger_client::{types, Chain, LaneOf};
use openledger_primitives::{
	dispute::{AdapterFact, ChainFacts, ChannelFact, Source},
	AccountId, AdapterId, BaseModelId, ChannelId, Commitment, ContributionId, DatanetId,
	EpochIndex, Generation, Hash, Lane, Payee, Rate,
};
use std::collections::{BTreeSet, HashMap};

/// What one report's check needs of the chain, all of one block.
#[derive(Clone, Debug, Default)]
pub struct Known {
	genesis: Hash,
	channels: HashMap<ChannelId, ChannelFact>,
	bases: HashMap<BaseModelId, Rate>,
	adapters: HashMap<AdapterId, types::Adapter>,
	contributions: HashMap<(DatanetId, ContributionId), types::Contribution>,
	sources: Option<HashMap<LaneOf, Source>>,
}

impl Known {
	/// Asks the chain for everything that `published`, a report by `provider` on `epoch`, mentions.
	pub async fn gather(
		chain: &Chain,
		provider: &AccountId,
		epoch: EpochIndex,
		published: &Published,
	) -> Result<Self, CliError> {
		let sources = chain.sources(provider, epoch).await?;
		let mut known = Self {
			genesis: chain.genesis(),
			sources: sources.map(|sources| sources.into_iter().collect()),
			..Self::default()
		};
		let next = chain.next_channel().await?;
		for receipt in published.receipts.values() {
			known.ask_base(chain, receipt.base).await?;
			if let Some(adapter) = receipt.adapter {
				known.ask_adapter(chain, adapter).await?;
			}
			if known.channels.contains_key(&receipt.channel) {
				continue;
			}
			let fact = match chain.channel(receipt.channel).await? {
				Some(channel) => ChannelFact::Open {
					provider: channel.provider,
				},
				None if receipt.channel < next => ChannelFact::Closed,
				None => ChannelFact::NeverOpened,
			};
			known.channels.insert(receipt.channel, fact);
		}
		for payee in payees(published) {
			match payee {
				Payee::BaseOwner(base) => known.ask_base(chain, base).await?,
				Payee::AdapterOwner(adapter) => known.ask_adapter(chain, adapter).await?,
				Payee::Contributor {
					adapter,
					datanet,
					contribution,
				} => {
					known.ask_adapter(chain, adapter).await?;
					known.ask_contribution(chain, datanet, contribution).await?;
				}
				Payee::Stakers | Payee::Treasury => {}
			}
		}
		for attribution in published.attributions.values() {
			for span in &attribution.spans {
				known
					.ask_contribution(chain, span.datanet, span.contribution)
					.await?;
			}
		}
		Ok(known)
	}

	async fn ask_base(&mut self, chain: &Chain, id: BaseModelId) -> Result<(), CliError> {
		if self.bases.contains_key(&id) {
			return Ok(());
		}
		if let Some(base) = chain.base_model(id).await? {
			self.bases.insert(id, base.rate);
		}
		Ok(())
	}

	async fn ask_adapter(&mut self, chain: &Chain, id: AdapterId) -> Result<(), CliError> {
		if self.adapters.contains_key(&id) {
			return Ok(());
		}
		if let Some(adapter) = chain.adapter(id).await? {
			self.adapters.insert(id, adapter);
		}
		Ok(())
	}

	async fn ask_contribution(
		&mut self,
		chain: &Chain,
		datanet: DatanetId,
		contribution: ContributionId,
	) -> Result<(), CliError> {
		let key = (datanet, contribution);
		if self.contributions.contains_key(&key) {
			return Ok(());
		}
		if let Some(found) = chain.contribution(datanet, contribution).await? {
			self.contributions.insert(key, found);
		}
		Ok(())
	}
}

/// Every payee that is named, once.
fn payees(published: &Published) -> BTreeSet<Payee> {
	let parts = published.part_leaves.iter().map(|leaf| leaf.payee);
	let payouts = published.payout_leaves.iter().map(|leaf| leaf.payee);
	parts.chain(payouts).collect()
}

impl ChainFacts for Known {
	fn genesis(&self) -> Hash {
		self.genesis
	}

	fn channel(&self, channel: ChannelId) -> ChannelFact {
		// What was not asked for accuses nobody.
		let fact = self.channels.get(&channel).cloned();
		fact.unwrap_or(ChannelFact::Closed)
	}

	fn source(
		&self,
		_: &AccountId,
		_: EpochIndex,
		channel: ChannelId,
		generation: Generation,
		lane: Lane,
	) -> Option<Source> {
		let source = self.sources.as_ref()?.get(&(channel, generation, lane));
		Some(source.copied().unwrap_or_default())
	}

	fn base_rate(&self, base: BaseModelId) -> Option<Rate> {
		self.bases.get(&base).copied()
	}

	fn adapter(&self, adapter: AdapterId) -> Option<AdapterFact> {
		self.adapters.get(&adapter).map(|adapter| AdapterFact {
			base: adapter.base,
			rate: adapter.rate,
			algorithm: adapter.algorithm,
			index: adapter.index,
		})
	}

	fn is_payable(&self, payee: &Payee) -> bool {
		match payee {
			Payee::BaseOwner(base) => self.bases.contains_key(base),
			Payee::AdapterOwner(adapter) => self.adapters.contains_key(adapter),
			Payee::Stakers | Payee::Treasury => true,
			Payee::Contributor {
				adapter,
				datanet,
				contribution,
			} => {
				let Some(adapter) = self.adapters.get(adapter) else {
					return false;
				};
				let Some(contribution) = self.contributions.get(&(*datanet, *contribution)) else {
					return false;
				};
				adapter.lineage.iter().any(|(trained_on, version)| {
					trained_on == datanet && contribution.state.is_in(*version)
				})
			}
		}
	}

	fn records(&self, datanet: DatanetId, contribution: ContributionId) -> Option<Commitment> {
		let found = self.contributions.get(&(datanet, contribution));
		found.map(|contribution| contribution.records)
	}

	fn reported(&self, _: &AccountId, _: EpochIndex) -> Option<(AccountId, Commitment)> {
		None
	}
}
