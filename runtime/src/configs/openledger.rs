//! What OpenLedger is about: Datanets, models, providers, channels and attribution; and how each
//! of them learns from the others what it needs to know.

use crate::{
	accounts::{self, TreasuryAccount},
	currency::deposit,
	governance::origins::EnsureAttribution,
	parameters::governed::{attribution, datanets, serving},
	time::HOURS,
	weights, AccountId, Attribution, Balance, Balances, Datanets, Hash, Models, Providers, Runtime,
	RuntimeHoldReason, System,
};
use frame_support::{
	parameter_types,
	traits::{
		fungible::{Credit, HoldConsideration},
		tokens::imbalance::ResolveTo,
		ConstU128, ConstU32, Get, LinearStoragePrice, Randomness,
	},
	PalletId,
};
use openledger_primitives::{
	dispute::{AdapterFact, ChainFacts, ChannelFact, Source},
	fees,
	hash::structured_hash,
	AdapterId, BaseModelId, ChannelId, Commitment, ContributionId, DatanetId, EpochIndex,
	Generation, Lane, Payee, Rate, RedeemedLane, SnapshotVersion, PARTS,
};

/// Most bytes of a name.
type MaxNameLen = ConstU32<64>;
/// Most bytes of a URI or an endpoint.
type MaxUriLen = ConstU32<256>;

/// What an entry of so many bytes costs while it is stored.
type StoragePrice =
	LinearStoragePrice<ConstU128<{ deposit(1, 0) }>, ConstU128<{ deposit(0, 1) }>, Balance>;
/// A deposit held for `Reason`.
type Deposit<Reason> = HoldConsideration<AccountId, Balances, Reason, StoragePrice>;

parameter_types! {
	pub const DatanetDeposit: RuntimeHoldReason =
		RuntimeHoldReason::Datanets(pallet_datanets::HoldReason::Datanet);
	pub const ContributionDeposit: RuntimeHoldReason =
		RuntimeHoldReason::Datanets(pallet_datanets::HoldReason::Contribution);
	pub const BaseModelDeposit: RuntimeHoldReason =
		RuntimeHoldReason::Models(pallet_models::HoldReason::BaseModel);
	pub const AdapterDeposit: RuntimeHoldReason =
		RuntimeHoldReason::Models(pallet_models::HoldReason::Adapter);
	pub const AlgorithmDeposit: RuntimeHoldReason =
		RuntimeHoldReason::Models(pallet_models::HoldReason::Algorithm);
	pub const ChannelDeposit: RuntimeHoldReason =
		RuntimeHoldReason::Channels(pallet_channels::HoldReason::Deposit);
	pub const AttributionPot: PalletId = accounts::ATTRIBUTION_POT;
	pub const EscrowAccount: PalletId = accounts::ESCROW;
}

impl pallet_datanets::Config for Runtime {
	type AppealDeposit = datanets::AppealDeposit;
	type AppealPeriod = datanets::AppealPeriod;
	type AppealQuorum = datanets::AppealQuorum;
	type BlockNumberProvider = System;
	type BondPeriod = datanets::BondPeriod;
	type CommitPeriod = datanets::CommitPeriod;
	type ContributionBond = datanets::ContributionBond;
	type ContributionConsideration = Deposit<ContributionDeposit>;
	type Currency = Balances;
	type DatanetConsideration = Deposit<DatanetDeposit>;
	type DuplicateReward = datanets::DuplicateReward;
	type MaxContributions = ConstU32<4_096>;
	type MaxNameLen = MaxNameLen;
	type MaxPanel = ConstU32<32>;
	type MaxUriLen = MaxUriLen;
	type MinReviewerStake = datanets::MinReviewerStake;
	type OpenBondPerKib = datanets::OpenBondPerKib;
	type OriginalAge = ConstU32<HOURS>;
	type RevealPeriod = datanets::RevealPeriod;
	type ReviewFee = datanets::ReviewFee;
	type ReviewQuorum = datanets::ReviewQuorum;
	type ReviewerWarmUp = datanets::ReviewerWarmUp;
	type RuntimeHoldReason = RuntimeHoldReason;
	type SilenceSlash = datanets::SilenceSlash;
	type Slash = ResolveTo<TreasuryAccount, Balances>;
	type WeightInfo = weights::pallet_datanets::WeightInfo<Runtime>;
}

impl pallet_models::Config for Runtime {
	type AdapterConsideration = Deposit<AdapterDeposit>;
	type AlgorithmConsideration = Deposit<AlgorithmDeposit>;
	type AlgorithmOrigin = EnsureAttribution;
	type BaseModelConsideration = Deposit<BaseModelDeposit>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = crate::benchmarking::Helper;
	type MaxLineage = ConstU32<8>;
	type MaxNameLen = MaxNameLen;
	type MaxRate = serving::MaxRate;
	type MaxUriLen = MaxUriLen;
	type Snapshots = Wiring;
	type WeightInfo = weights::pallet_models::WeightInfo<Runtime>;
}

impl pallet_providers::Config for Runtime {
	type AtRisk = Wiring;
	type Bases = Wiring;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = crate::benchmarking::Helper;
	type BlockNumberProvider = System;
	type Currency = Balances;
	type HeartbeatPeriod = serving::HeartbeatPeriod;
	type JailPeriod = serving::JailPeriod;
	type MaxBases = ConstU32<16>;
	type MaxEndpointLen = MaxUriLen;
	// More than change in the time that the vouchers of an epoch and its report take.
	type MaxFormerQuotes = ConstU32<64>;
	type MaxQuoteChanges = ConstU32<32>;
	type MaxRate = serving::MaxRate;
	type MinBond = serving::MinBond;
	type MissedHeartbeats = serving::MissedHeartbeats;
	type QuoteNotice = serving::QuoteNotice;
	type RuntimeHoldReason = RuntimeHoldReason;
	type UnbondingPeriod = serving::UnbondingPeriod;
	type WeightInfo = weights::pallet_providers::WeightInfo<Runtime>;
}

impl pallet_channels::Config for Runtime {
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = crate::benchmarking::Helper;
	type BlockNumberProvider = System;
	type ChannelConsideration = Deposit<ChannelDeposit>;
	type Currency = Balances;
	type MaxBatch = ConstU32<200>;
	type MaxLanes = ConstU32<256>;
	type MaxVoucherLifetime = serving::VoucherLifetime;
	type MinEscrow = serving::MinEscrow;
	type PalletId = EscrowAccount;
	type Providers = Wiring;
	type Revenue = Wiring;
	type ThawPeriod = serving::ThawPeriod;
	type WeightInfo = weights::pallet_channels::WeightInfo<Runtime>;
}

impl pallet_attribution::Config for Runtime {
	type AuditDelay = ConstU32<6>;
	type AuditPeriod = attribution::AuditPeriod;
	type AuditRate = attribution::AuditRate;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = crate::benchmarking::Helper;
	type BlockNumberProvider = System;
	type Currency = Balances;
	type DemandDeposit = attribution::DemandDeposit;
	type DisputeWindow = attribution::DisputeWindow;
	type DisputerShare = attribution::DisputerShare;
	type EpochLength = attribution::EpochLength;
	type Facts = Wiring;
	type MaxReports = ConstU32<128>;
	type MaxSettle = ConstU32<256>;
	type MinSlash = attribution::MinSlash;
	type PalletId = AttributionPot;
	type Payees = Wiring;
	type Penalty = Wiring;
	type Providers = Wiring;
	type Randomness = Wiring;
	type ReportDeadline = attribution::ReportDeadline;
	type ReporterDeposit = attribution::ReporterDeposit;
	type RuntimeHoldReason = RuntimeHoldReason;
	type SlashFactor = attribution::SlashFactor;
	type Terms = attribution::SplitTerms;
	type Treasury = TreasuryAccount;
	type WeightInfo = weights::pallet_attribution::WeightInfo<Runtime>;
}

/// Answers what one pallet asks of another.
#[derive(Default)]
pub struct Wiring;

impl pallet_models::SnapshotInspect for Wiring {
	fn exists(datanet: DatanetId, version: SnapshotVersion) -> bool {
		Datanets::snapshot_exists(datanet, version)
	}
}

impl pallet_providers::BaseInspect for Wiring {
	fn exists(base: BaseModelId) -> bool {
		Models::base_exists(base)
	}
}

impl pallet_providers::AtRisk for Wiring {
	fn at_risk(provider: &AccountId) -> Balance {
		Attribution::at_risk(provider)
	}
}

impl pallet_channels::ProviderInspect for Wiring {
	fn is_active(provider: &AccountId) -> bool {
		Providers::is_active(provider)
	}

	fn provider_of_hot_key(hot_key: &AccountId) -> Option<AccountId> {
		Providers::provider_of_hot_key(hot_key)
	}
}

impl pallet_channels::Revenue<Credit<AccountId, Balances>> for Wiring {
	fn collect(
		provider: &AccountId,
		lanes: &[RedeemedLane],
		compute: Credit<AccountId, Balances>,
		licence: Credit<AccountId, Balances>,
	) {
		Attribution::collect(provider, lanes, compute, licence);
	}

	fn room(provider: &AccountId) -> Balance {
		covered_by_bond(provider).saturating_sub(Attribution::at_risk(provider))
	}
}

/// How much licence money a provider's bond answers for, in units.
fn covered_by_bond(provider: &AccountId) -> Balance {
	let factor = u128::from(serving::BondFactor::get());
	// A bond whose multiple is beyond all numbers covers whatever there is.
	fees::scale(Providers::bond_of(provider), factor, PARTS.into()).unwrap_or(Balance::MAX)
}

impl pallet_attribution::ProviderInspect for Wiring {
	fn provider_of_hot_key(hot_key: &AccountId) -> Option<AccountId> {
		Providers::provider_of_hot_key(hot_key)
	}
}

impl pallet_attribution::ProviderPenalty<Credit<AccountId, Balances>> for Wiring {
	fn covers(provider: &AccountId) -> bool {
		Attribution::at_risk(provider) <= covered_by_bond(provider)
	}

	fn slash(provider: &AccountId, amount: Balance) -> Credit<AccountId, Balances> {
		Providers::slash_bond(provider, amount)
	}

	fn jail(provider: &AccountId) {
		Providers::jail(provider);
	}
}

impl pallet_attribution::AuditRandomness for Wiring {
	/// What the VRF of the last block's author gave. Every slot of this chain has a VRF; were there a
	/// block without, its parent's hash has to do, which its author could have chosen among a few.
	fn random(subject: &[u8]) -> Hash {
		let (random, _) = pallet_babe::ParentBlockRandomness::<Runtime>::random(subject);
		random.unwrap_or_else(|| {
			structured_hash(b"openledger/no-vrf/1", &(System::parent_hash(), subject))
		})
	}
}

impl ChainFacts for Wiring {
	fn genesis(&self) -> Hash {
		System::block_hash(0)
	}

	fn channel(&self, channel: ChannelId) -> ChannelFact {
		match pallet_channels::Channels::<Runtime>::get(channel) {
			Some(channel) => ChannelFact::Open {
				provider: channel.provider,
			},
			None if channel < pallet_channels::NextChannel::<Runtime>::get() => ChannelFact::Closed,
			None => ChannelFact::NeverOpened,
		}
	}

	fn source(
		&self,
		provider: &AccountId,
		epoch: EpochIndex,
		channel: ChannelId,
		generation: Generation,
		lane: Lane,
	) -> Option<Source> {
		Attribution::source(provider, epoch, channel, generation, lane)
	}

	fn base_rate(&self, base: BaseModelId) -> Option<Rate> {
		pallet_models::BaseModels::<Runtime>::get(base).map(|model| model.rate)
	}

	fn adapter(&self, adapter: AdapterId) -> Option<AdapterFact> {
		pallet_models::Adapters::<Runtime>::get(adapter).map(|adapter| AdapterFact {
			base: adapter.base,
			rate: adapter.rate,
			algorithm: adapter.algorithm,
			index: adapter.index,
		})
	}

	fn is_payable(&self, payee: &Payee) -> bool {
		<Self as pallet_attribution::PayeeInspect>::account_of(payee).is_some()
	}

	fn records(&self, datanet: DatanetId, contribution: ContributionId) -> Option<Commitment> {
		pallet_datanets::Contributions::<Runtime>::get(datanet, contribution)
			.map(|contribution| contribution.records)
	}

	fn reported(&self, provider: &AccountId, epoch: EpochIndex) -> Option<(AccountId, Commitment)> {
		Attribution::reported(provider, epoch)
	}
}

impl pallet_attribution::PayeeInspect for Wiring {
	/// A contributor is paid only for a snapshot that the adapter was trained on and that holds the
	/// contribution. Where an adapter was trained on two snapshots of one Datanet, either will do.
	fn account_of(payee: &Payee) -> Option<AccountId> {
		match *payee {
			Payee::BaseOwner(base) => Models::base_owner(base),
			Payee::AdapterOwner(adapter) => Models::adapter_owner(adapter),
			Payee::Stakers => Some(accounts::stakers_pot()),
			Payee::Treasury => Some(accounts::treasury()),
			Payee::Contributor {
				adapter,
				datanet,
				contribution,
			} => Models::adapter_lineage(adapter)?
				.into_iter()
				.filter(|(trained_on, _)| *trained_on == datanet)
				.find_map(|(_, version)| Datanets::payout_account(datanet, version, contribution)),
		}
	}
}
