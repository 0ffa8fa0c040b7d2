//! From the generated types to [plain ones](crate::types).

use crate::{
	api::runtime_types::{
		pallet_attribution::types as attribution, pallet_channels::types as channels,
		pallet_datanets::types as datanets, pallet_models::types as models,
		pallet_providers::types as providers,
	},
	types::*,
};
use openledger_primitives::{
	AccountId, AdapterId, BaseModelId, ChannelId, ContributionId, DatanetId, SnapshotVersion,
};

/// The pallets accept UTF-8 only, so nothing is lost here.
pub(crate) fn text(bytes: &[u8]) -> String {
	String::from_utf8_lossy(bytes).into_owned()
}

impl From<datanets::Curation> for Curation {
	fn from(curation: datanets::Curation) -> Self {
		match curation {
			datanets::Curation::Open => Self::Open,
			datanets::Curation::Owner => Self::Owner,
			datanets::Curation::Reviewers => Self::Reviewers,
		}
	}
}

impl From<Curation> for datanets::Curation {
	fn from(curation: Curation) -> Self {
		match curation {
			Curation::Open => Self::Open,
			Curation::Owner => Self::Owner,
			Curation::Reviewers => Self::Reviewers,
		}
	}
}

pub(crate) fn datanet(id: DatanetId, value: datanets::Datanet) -> Datanet {
	Datanet {
		id,
		owner: value.owner.0,
		name: text(&value.name),
		licence: text(&value.licence),
		media_type: text(&value.media_type),
		curation: value.curation.into(),
		contributions: value.contributions,
		accepted: value.accepted,
		snapshots: value.snapshots,
	}
}

impl From<datanets::ContributionState> for ContributionState {
	fn from(state: datanets::ContributionState) -> Self {
		match state {
			datanets::ContributionState::Pending => Self::Pending,
			datanets::ContributionState::Accepted { since } => Self::Accepted { since },
			datanets::ContributionState::Withdrawn { since, until } => {
				Self::Withdrawn { since, until }
			}
			datanets::ContributionState::Rejected { until } => Self::Rejected { until },
			datanets::ContributionState::Duplicate {
				since,
				until,
				original,
			} => Self::Duplicate {
				since,
				until,
				original,
			},
		}
	}
}

pub(crate) fn contribution(
	datanet: DatanetId,
	id: ContributionId,
	value: datanets::Contribution,
) -> Contribution {
	Contribution {
		datanet,
		id,
		contributor: value.contributor.0,
		payout: value.payout.0,
		records: value.records.0,
		uri: text(&value.uri),
		state: value.state.into(),
	}
}

pub(crate) fn snapshot(
	datanet: DatanetId,
	version: SnapshotVersion,
	value: datanets::Snapshot,
) -> Snapshot {
	Snapshot {
		datanet,
		version,
		contributions: value.contributions.0,
		licence: text(&value.licence),
		block: value.block,
	}
}

impl From<models::Model> for ModelId {
	fn from(model: models::Model) -> Self {
		match model {
			models::Model::Base(id) => Self::Base(id),
			models::Model::Adapter(id) => Self::Adapter(id),
		}
	}
}

pub(crate) fn base_model(id: BaseModelId, value: models::BaseModel) -> BaseModel {
	BaseModel {
		id,
		owner: value.owner.0,
		name: text(&value.name),
		architecture: text(&value.architecture),
		weights: value.weights,
		tokenizer: value.tokenizer,
		licence: text(&value.licence),
		rate: value.rate.0,
	}
}

impl From<models::AdapterState> for AdapterState {
	fn from(state: models::AdapterState) -> Self {
		match state {
			models::AdapterState::Active => Self::Active,
			models::AdapterState::Retired => Self::Retired,
		}
	}
}

pub(crate) fn adapter(id: AdapterId, value: models::Adapter) -> Adapter {
	Adapter {
		id,
		owner: value.owner.0,
		name: text(&value.name),
		base: value.base,
		weights: value.weights,
		config: value.config,
		rank: value.rank,
		targets: value.targets.iter().map(|target| text(target)).collect(),
		lineage: value.lineage,
		manifest: value.manifest,
		algorithm: value.algorithm,
		index: value.index,
		uri: text(&value.uri),
		rate: value.rate.0,
		state: value.state.into(),
	}
}

impl From<providers::Quote> for Quote {
	fn from(quote: providers::Quote) -> Self {
		Self {
			id: quote.id,
			rate: quote.rate.0,
		}
	}
}

impl From<providers::ProviderState> for ProviderState {
	fn from(state: providers::ProviderState) -> Self {
		match state {
			providers::ProviderState::Active => Self::Active,
			providers::ProviderState::Leaving { free_at } => Self::Leaving { free_at },
			providers::ProviderState::Jailed { until } => Self::Jailed { until },
		}
	}
}

pub(crate) fn provider(account: AccountId, value: providers::Provider) -> Provider {
	Provider {
		account,
		hot_key: value.hot_key.0,
		endpoint: text(&value.endpoint),
		bond: value.bond,
		bases: value.bases,
		quote: value.quote.into(),
		state: value.state.into(),
	}
}

impl From<channels::Delegate> for Delegate {
	fn from(delegate: channels::Delegate) -> Self {
		Self {
			signer: delegate.signer.0,
			limit: delegate.limit,
			spent: delegate.spent,
		}
	}
}

pub(crate) fn channel(id: ChannelId, value: channels::Channel) -> Channel {
	Channel {
		id,
		payer: value.payer.0,
		provider: value.provider.0,
		generation: value.generation,
		escrow: value.escrow,
		deposited: value.deposited,
		redeemed: value.redeemed,
		thaw: value.thaw,
		delegate: value.delegate.map(Into::into),
	}
}

impl From<channels::LaneState> for LaneState {
	fn from(lane: channels::LaneState) -> Self {
		Self {
			generation: lane.generation,
			amount: lane.amount,
			licence: lane.licence,
			tokens: lane.tokens,
			receipts: lane.receipts,
		}
	}
}

impl From<attribution::Epoch> for Epoch {
	fn from(epoch: attribution::Epoch) -> Self {
		Self {
			index: epoch.index,
			start: epoch.start,
			length: epoch.length,
			terms: epoch.terms,
		}
	}
}

impl From<attribution::Pot> for Pot {
	fn from(pot: attribution::Pot) -> Self {
		Self {
			licence: pot.licence,
			net: pot.net,
			terms: pot.terms,
		}
	}
}

impl From<attribution::Report> for Report {
	fn from(report: attribution::Report) -> Self {
		Self {
			receipts: report.receipts.0,
			parts: report.parts.0,
			payouts: report.payouts.0,
			terms: report.terms,
			reporter: report.reporter.0,
			reported_at: report.reported_at,
			open_at: report.open_at,
			audit: report.audit.map(|audit| Audit {
				seed: audit.seed,
				due: audit.due,
				missed: audit.missed,
			}),
			settled: report.settled,
			paid: report.paid,
		}
	}
}

impl From<attribution::Flows> for Totals {
	fn from(totals: attribution::Flows) -> Self {
		Self {
			redeemed: totals.redeemed,
			burnt: totals.burnt,
			treasury: totals.treasury,
			providers: totals.providers,
			licence: totals.licence,
			settled: totals.settled,
			credited: totals.credited,
			claimed: totals.claimed,
		}
	}
}
