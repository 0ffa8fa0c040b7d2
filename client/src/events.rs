//! What happened on the chain: the events of OpenLedger's own pallets, as plain values.
//!
//! Fields mean what they mean in the pallets; amounts are in units of 10⁻¹⁸ OPEN.

use crate::{
	api::{self, runtime_types},
	chain::Config,
	convert::text,
	types::{Curation, Delegate, Quote},
	ChainError,
};
use openledger_primitives::{
	amount_as_string, dispute::Fault, AccountId, AdapterId, AlgorithmId, Balance, BaseModelId,
	BlockNumber, ChannelId, Commitment, ContributionId, DatanetId, EpochIndex, Generation, Hash,
	Lane, Payee, Rate, RedemptionSplit, SnapshotVersion, TermsVersion,
};
use serde::{Deserialize, Serialize};
use subxt::events::{Events, Phase};

/// An event of one of OpenLedger's pallets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "pallet", rename_all = "kebab-case")]
pub enum ChainEvent {
	/// Of Datanets.
	Datanets(DatanetsEvent),
	/// Of models.
	Models(ModelsEvent),
	/// Of providers.
	Providers(ProvidersEvent),
	/// Of channels.
	Channels(ChannelsEvent),
	/// Of attribution.
	Attribution(AttributionEvent),
}

/// What happened to Datanets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum DatanetsEvent {
	Created {
		datanet: DatanetId,
		owner: AccountId,
		name: String,
		licence: String,
		media_type: String,
		curation: Curation,
	},
	Contributed {
		datanet: DatanetId,
		contribution: ContributionId,
		contributor: AccountId,
		payout: AccountId,
		records: Commitment,
		uri: String,
	},
	Accepted {
		datanet: DatanetId,
		contribution: ContributionId,
		contributor: AccountId,
	},
	Rejected {
		datanet: DatanetId,
		contribution: ContributionId,
		contributor: AccountId,
	},
	Snapshotted {
		datanet: DatanetId,
		version: SnapshotVersion,
		contributions: Commitment,
		licence: String,
	},
	Withdrawn {
		datanet: DatanetId,
		contribution: ContributionId,
		contributor: AccountId,
	},
}

/// What happened to models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum ModelsEvent {
	BaseRegistered {
		base: BaseModelId,
		owner: AccountId,
		name: String,
		weights: Hash,
		tokenizer: Hash,
		rate: Rate,
	},
	AdapterRegistered {
		adapter: AdapterId,
		owner: AccountId,
		name: String,
		base: BaseModelId,
		weights: Hash,
		config: Hash,
		index: Hash,
		algorithm: AlgorithmId,
		lineage: Vec<(DatanetId, SnapshotVersion)>,
		rate: Rate,
	},
	AdapterRetired {
		adapter: AdapterId,
		owner: AccountId,
	},
}

/// What happened to providers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum ProvidersEvent {
	Registered {
		provider: AccountId,
		hot_key: AccountId,
		endpoint: String,
		#[serde(with = "amount_as_string")]
		bond: Balance,
		bases: Vec<BaseModelId>,
		quote: Quote,
	},
	QuoteChanged {
		provider: AccountId,
		quote: Quote,
	},
	HotKeyChanged {
		provider: AccountId,
		hot_key: AccountId,
	},
	EndpointChanged {
		provider: AccountId,
		endpoint: String,
	},
	Bonded {
		provider: AccountId,
		#[serde(with = "amount_as_string")]
		bond: Balance,
	},
	Leaving {
		provider: AccountId,
		free_at: BlockNumber,
	},
	Left {
		provider: AccountId,
		#[serde(with = "amount_as_string")]
		bond: Balance,
	},
}

/// What happened to channels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum ChannelsEvent {
	Opened {
		channel: ChannelId,
		payer: AccountId,
		provider: AccountId,
		#[serde(with = "amount_as_string")]
		escrow: Balance,
		generation: Generation,
	},
	ToppedUp {
		channel: ChannelId,
		by: AccountId,
		#[serde(with = "amount_as_string")]
		amount: Balance,
		#[serde(with = "amount_as_string")]
		escrow: Balance,
	},
	DelegateSet {
		channel: ChannelId,
		delegate: Option<Delegate>,
	},
	Thawing {
		channel: ChannelId,
		free_at: BlockNumber,
	},
	ThawCancelled {
		channel: ChannelId,
	},
	Withdrawn {
		channel: ChannelId,
		#[serde(with = "amount_as_string")]
		amount: Balance,
		generation: Generation,
	},
	Closed {
		channel: ChannelId,
	},
	Redeemed(Redeemed),
	VoucherSkipped {
		index: u32,
		channel: ChannelId,
		lane: Lane,
		/// Why, such as `Stale`.
		reason: String,
	},
}

/// A voucher was paid, in whole or in part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redeemed {
	/// The channel.
	pub channel: ChannelId,
	/// Who paid.
	pub payer: AccountId,
	/// Who was paid.
	pub provider: AccountId,
	/// The generation.
	pub generation: Generation,
	/// The lane.
	pub lane: Lane,
	/// Compute money that moved.
	#[serde(with = "amount_as_string")]
	pub compute: Balance,
	/// Licence money that moved.
	#[serde(with = "amount_as_string")]
	pub licence: Balance,
	/// The lane's total afterwards.
	#[serde(with = "amount_as_string")]
	pub amount: Balance,
	/// The channel's escrow afterwards.
	#[serde(with = "amount_as_string")]
	pub escrow: Balance,
}

/// What happened to licence money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum AttributionEvent {
	EpochStarted {
		epoch: EpochIndex,
		terms: TermsVersion,
	},
	Collected {
		provider: AccountId,
		epoch: EpochIndex,
		#[serde(with = "amount_as_string")]
		compute: Balance,
		#[serde(with = "amount_as_string")]
		licence: Balance,
		split: RedemptionSplit,
	},
	Reported {
		provider: AccountId,
		epoch: EpochIndex,
		receipts: Commitment,
		parts: Commitment,
		payouts: Commitment,
		terms: TermsVersion,
		reporter: AccountId,
		open_at: BlockNumber,
	},
	ReportRemoved {
		provider: AccountId,
		epoch: EpochIndex,
		fault: Fault,
		#[serde(with = "amount_as_string")]
		slashed: Balance,
		#[serde(with = "amount_as_string")]
		reward: Balance,
	},
	Credited {
		provider: AccountId,
		epoch: EpochIndex,
		payee: Payee,
		account: AccountId,
		#[serde(with = "amount_as_string")]
		amount: Balance,
	},
	Unpayable {
		provider: AccountId,
		epoch: EpochIndex,
		payee: Payee,
		#[serde(with = "amount_as_string")]
		amount: Balance,
	},
	Settled {
		provider: AccountId,
		epoch: EpochIndex,
		#[serde(with = "amount_as_string")]
		paid: Balance,
	},
	Claimed {
		account: AccountId,
		#[serde(with = "amount_as_string")]
		amount: Balance,
	},
	Deferred {
		account: AccountId,
		#[serde(with = "amount_as_string")]
		amount: Balance,
	},
}

/// Our own pallets' events of a block, or of one phase of it, in order.
pub(crate) fn decode(
	events: &Events<Config>,
	phase: Option<Phase>,
) -> Result<Vec<ChainEvent>, ChainError> {
	let mut ours = Vec::new();
	for event in events.iter() {
		let event = event.map_err(ChainError::from_subxt)?;
		if phase.is_some_and(|phase| phase != event.phase()) || !is_ours(event.pallet_name()) {
			continue;
		}
		let event: api::Event = event.decode_as().map_err(ChainError::from_subxt)?;
		ours.extend(plain(event));
	}
	Ok(ours)
}

fn is_ours(pallet: &str) -> bool {
	["Datanets", "Models", "Providers", "Channels", "Attribution"].contains(&pallet)
}

fn plain(event: api::Event) -> Option<ChainEvent> {
	Some(match event {
		api::Event::Datanets(event) => ChainEvent::Datanets(datanets(event)?),
		api::Event::Models(event) => ChainEvent::Models(models(event)?),
		api::Event::Providers(event) => ChainEvent::Providers(providers(event)?),
		api::Event::Channels(event) => ChainEvent::Channels(channels(event)),
		api::Event::Attribution(event) => ChainEvent::Attribution(attribution(event)?),
		_ => return None,
	})
}

fn datanets(event: runtime_types::pallet_datanets::pallet::Event) -> Option<DatanetsEvent> {
	use runtime_types::pallet_datanets::pallet::Event;
	Some(match event {
		Event::Created {
			datanet,
			owner,
			name,
			licence,
			media_type,
			curation,
		} => DatanetsEvent::Created {
			datanet,
			owner: owner.0,
			name: text(&name),
			licence: text(&licence),
			media_type: text(&media_type),
			curation: curation.into(),
		},
		Event::Contributed {
			datanet,
			contribution,
			contributor,
			payout,
			records,
			uri,
		} => DatanetsEvent::Contributed {
			datanet,
			contribution,
			contributor: contributor.0,
			payout: payout.0,
			records: records.0,
			uri: text(&uri),
		},
		Event::Accepted {
			datanet,
			contribution,
			contributor,
		} => DatanetsEvent::Accepted {
			datanet,
			contribution,
			contributor: contributor.0,
		},
		Event::Rejected {
			datanet,
			contribution,
			contributor,
		} => DatanetsEvent::Rejected {
			datanet,
			contribution,
			contributor: contributor.0,
		},
		Event::Snapshotted {
			datanet,
			version,
			contributions,
			licence,
		} => DatanetsEvent::Snapshotted {
			datanet,
			version,
			contributions: contributions.0,
			licence: text(&licence),
		},
		Event::Withdrawn {
			datanet,
			contribution,
			contributor,
		} => DatanetsEvent::Withdrawn {
			datanet,
			contribution,
			contributor: contributor.0,
		},
		// Events that nothing here needs yet.
		_ => return None,
	})
}

fn models(event: runtime_types::pallet_models::pallet::Event) -> Option<ModelsEvent> {
	use runtime_types::pallet_models::pallet::Event;
	Some(match event {
		Event::BaseRegistered {
			base,
			owner,
			name,
			weights,
			tokenizer,
			rate,
		} => ModelsEvent::BaseRegistered {
			base,
			owner: owner.0,
			name: text(&name),
			weights,
			tokenizer,
			rate: rate.0,
		},
		Event::AdapterRegistered {
			adapter,
			owner,
			name,
			base,
			weights,
			config,
			index,
			algorithm,
			lineage,
			rate,
		} => ModelsEvent::AdapterRegistered {
			adapter,
			owner: owner.0,
			name: text(&name),
			base,
			weights,
			config,
			index,
			algorithm,
			lineage,
			rate: rate.0,
		},
		Event::AdapterRetired { adapter, owner } => ModelsEvent::AdapterRetired {
			adapter,
			owner: owner.0,
		},
		// Events that nothing here needs yet.
		_ => return None,
	})
}

fn providers(event: runtime_types::pallet_providers::pallet::Event) -> Option<ProvidersEvent> {
	use runtime_types::pallet_providers::pallet::Event;
	Some(match event {
		Event::Registered {
			provider,
			hot_key,
			endpoint,
			bond,
			bases,
			quote,
		} => ProvidersEvent::Registered {
			provider: provider.0,
			hot_key: hot_key.0,
			endpoint: text(&endpoint),
			bond,
			bases,
			quote: quote.into(),
		},
		Event::QuoteChanged { provider, quote } => ProvidersEvent::QuoteChanged {
			provider: provider.0,
			quote: quote.into(),
		},
		Event::HotKeyChanged { provider, hot_key } => ProvidersEvent::HotKeyChanged {
			provider: provider.0,
			hot_key: hot_key.0,
		},
		Event::EndpointChanged { provider, endpoint } => ProvidersEvent::EndpointChanged {
			provider: provider.0,
			endpoint: text(&endpoint),
		},
		Event::Bonded { provider, bond } => ProvidersEvent::Bonded {
			provider: provider.0,
			bond,
		},
		Event::Leaving { provider, free_at } => ProvidersEvent::Leaving {
			provider: provider.0,
			free_at,
		},
		Event::Left { provider, bond } => ProvidersEvent::Left {
			provider: provider.0,
			bond,
		},
		// Events that nothing here needs yet.
		_ => return None,
	})
}

fn channels(event: runtime_types::pallet_channels::pallet::Event) -> ChannelsEvent {
	use runtime_types::pallet_channels::pallet::Event;
	match event {
		Event::Opened {
			channel,
			payer,
			provider,
			escrow,
			generation,
		} => ChannelsEvent::Opened {
			channel,
			payer: payer.0,
			provider: provider.0,
			escrow,
			generation,
		},
		Event::ToppedUp {
			channel,
			by,
			amount,
			escrow,
		} => ChannelsEvent::ToppedUp {
			channel,
			by: by.0,
			amount,
			escrow,
		},
		Event::DelegateSet {
			channel, delegate, ..
		} => ChannelsEvent::DelegateSet {
			channel,
			delegate: delegate.map(Into::into),
		},
		Event::Thawing { channel, free_at } => ChannelsEvent::Thawing { channel, free_at },
		Event::ThawCancelled { channel } => ChannelsEvent::ThawCancelled { channel },
		Event::Withdrawn {
			channel,
			amount,
			generation,
		} => ChannelsEvent::Withdrawn {
			channel,
			amount,
			generation,
		},
		Event::Closed { channel } => ChannelsEvent::Closed { channel },
		Event::Redeemed {
			channel,
			payer,
			provider,
			generation,
			lane,
			compute,
			licence,
			amount,
			escrow,
		} => ChannelsEvent::Redeemed(Redeemed {
			channel,
			payer: payer.0,
			provider: provider.0,
			generation,
			lane,
			compute,
			licence,
			amount,
			escrow,
		}),
		Event::VoucherSkipped {
			index,
			channel,
			lane,
			reason,
		} => ChannelsEvent::VoucherSkipped {
			index,
			channel,
			lane,
			reason: format!("{reason:?}"),
		},
	}
}

fn attribution(
	event: runtime_types::pallet_attribution::pallet::Event,
) -> Option<AttributionEvent> {
	use runtime_types::pallet_attribution::pallet::Event;
	Some(match event {
		Event::EpochStarted { epoch, terms } => AttributionEvent::EpochStarted { epoch, terms },
		Event::Collected {
			provider,
			epoch,
			compute,
			licence,
			split,
		} => AttributionEvent::Collected {
			provider: provider.0,
			epoch,
			compute,
			licence,
			split: split.0,
		},
		Event::Reported {
			provider,
			epoch,
			receipts,
			parts,
			payouts,
			terms,
			reporter,
			open_at,
			..
		} => AttributionEvent::Reported {
			provider: provider.0,
			epoch,
			receipts: receipts.0,
			parts: parts.0,
			payouts: payouts.0,
			terms,
			reporter: reporter.0,
			open_at,
		},
		Event::ReportRemoved {
			provider,
			epoch,
			fault,
			slashed,
			reward,
			..
		} => AttributionEvent::ReportRemoved {
			provider: provider.0,
			epoch,
			fault: fault.0,
			slashed,
			reward,
		},
		Event::Credited {
			provider,
			epoch,
			payee,
			account,
			amount,
		} => AttributionEvent::Credited {
			provider: provider.0,
			epoch,
			payee: payee.0,
			account: account.0,
			amount,
		},
		Event::Unpayable {
			provider,
			epoch,
			payee,
			amount,
		} => AttributionEvent::Unpayable {
			provider: provider.0,
			epoch,
			payee: payee.0,
			amount,
		},
		Event::Settled {
			provider,
			epoch,
			paid,
		} => AttributionEvent::Settled {
			provider: provider.0,
			epoch,
			paid,
		},
		Event::Claimed { account, amount } => AttributionEvent::Claimed {
			account: account.0,
			amount,
		},
		Event::Deferred { account, amount } => AttributionEvent::Deferred {
			account: account.0,
			amount,
		},
		// Events that nothing here needs yet.
		_ => return None,
	})
}
