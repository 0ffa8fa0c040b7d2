//! Blocks and their finality: BABE, GRANDPA, sessions, authorship and offences.

use crate::{
	accounts::{self, TreasuryAccount},
	currency::{self, OPEN},
	governance::origins::EnsureCanceller,
	launch::SessionSlots,
	parameters::governed::stakes,
	time::{REPORTABLE_SESSIONS, SLOT_MILLIS},
	validators::{LicenceShare, NoIdentification, NoteAuthor, Sessions, ValidatorOf},
	weights, AccountId, Babe, Balances, Historical, Offences, Runtime, RuntimeEvent,
	RuntimeHoldReason, Session, SessionKeys, Stakes,
};
use frame_support::{
	parameter_types,
	traits::{tokens::imbalance::ResolveTo, ConstU128, ConstU32, ConstU64, KeyOwnerProofSystem},
	PalletId,
};
use frame_system::EnsureRoot;
use pallet_session::{disabling::UpToLimitWithReEnablingDisablingStrategy, historical};
use sp_consensus_babe::AuthorityId as BabeId;
use sp_consensus_grandpa::AuthorityId as GrandpaId;
use sp_core::crypto::KeyTypeId;
use sp_runtime::{
	traits::{Get, OpaqueKeys},
	Perbill,
};

/// Most validators there can be.
pub type MaxAuthorities = ConstU32<1_000>;
/// Slots in a session.
pub struct SessionLength;

impl Get<u64> for SessionLength {
	fn get() -> u64 {
		SessionSlots::<Runtime>::get()
	}
}

/// Blocks for which an equivocation can be reported.
pub struct ReportLongevity;

impl Get<u64> for ReportLongevity {
	fn get() -> u64 {
		u64::from(REPORTABLE_SESSIONS).saturating_mul(SessionLength::get())
	}
}

/// Most delegators of a candidate, each of whom an offence touches.
type MaxDelegators = ConstU32<256>;

parameter_types! {
	pub const StakersPot: PalletId = accounts::STAKERS_POT;
	/// Highest commission of a validator.
	pub MaxCommission: Perbill = Perbill::from_parts(stakes::MaxCommission::get().saturating_mul(1_000));
}

impl pallet_babe::Config for Runtime {
	type DisabledValidators = Session;
	type EpochChangeTrigger = pallet_babe::ExternalTrigger;
	type EpochDuration = SessionLength;
	type EquivocationReportSystem =
		pallet_babe::EquivocationReportSystem<Self, Offences, Historical, ReportLongevity>;
	type ExpectedBlockTime = ConstU64<SLOT_MILLIS>;
	type KeyOwnerProof = <Historical as KeyOwnerProofSystem<(KeyTypeId, BabeId)>>::Proof;
	type MaxAuthorities = MaxAuthorities;
	type MaxNominators = MaxDelegators;
	type WeightInfo = weights::Reports<weights::pallet_babe::WeightInfo<Runtime>>;
}

impl pallet_grandpa::Config for Runtime {
	type EquivocationReportSystem =
		pallet_grandpa::EquivocationReportSystem<Self, Offences, Historical, ReportLongevity>;
	type KeyOwnerProof = <Historical as KeyOwnerProofSystem<(KeyTypeId, GrandpaId)>>::Proof;
	type MaxAuthorities = MaxAuthorities;
	type MaxNominators = MaxDelegators;
	// Each session has a set of its own. A vote of the oldest session that can be proven is checked
	// against the set before that one's, too.
	type MaxSetIdSessionEntries = ConstU64<{ REPORTABLE_SESSIONS as u64 + 3 }>;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = weights::Reports<weights::pallet_grandpa::WeightInfo<Runtime>>;
}

impl pallet_session::Config for Runtime {
	type Currency = Balances;
	type DisablingStrategy = UpToLimitWithReEnablingDisablingStrategy;
	// A set of session keys: two entries of about a hundred bytes.
	type KeyDeposit = ConstU128<{ currency::deposit(2, 200) + OPEN }>;
	type Keys = SessionKeys;
	type NextSessionRotation = Babe;
	type RuntimeEvent = RuntimeEvent;
	type SessionHandler = <SessionKeys as OpaqueKeys>::KeyTypeIdProviders;
	type SessionManager = historical::NoteHistoricalRoot<Self, Stakes>;
	type ShouldEndSession = Babe;
	type ValidatorId = AccountId;
	type ValidatorIdOf = ValidatorOf;
	type WeightInfo = weights::pallet_session::WeightInfo<Runtime>;
}

impl historical::Config for Runtime {
	type FullIdentification = ();
	type FullIdentificationOf = NoIdentification;
	type RuntimeEvent = RuntimeEvent;
}

impl pallet_offences::Config for Runtime {
	type IdentificationTuple = historical::IdentificationTuple<Self>;
	type OnOffenceHandler = Stakes;
	type RuntimeEvent = RuntimeEvent;
}

impl pallet_authorship::Config for Runtime {
	type EventHandler = NoteAuthor;
	type FindAuthor = pallet_session::FindAccountFromAuthorIndex<Self, Babe>;
}

impl pallet_stakes::Config for Runtime {
	type AdminOrigin = EnsureRoot<AccountId>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = crate::benchmarking::Helper;
	type CancelOrigin = EnsureCanceller;
	type Currency = Balances;
	type Income = LicenceShare;
	type JailPeriod = stakes::JailPeriod;
	type MaxCandidates = ConstU32<256>;
	type MaxCommission = MaxCommission;
	type MaxDelegators = MaxDelegators;
	type MaxSlashes = ConstU32<256>;
	type MaxUnbonding = ConstU32<16>;
	type MaxValidators = stakes::MaxValidators;
	type MinDelegation = stakes::MinDelegation;
	type MinSelfStake = stakes::MinSelfStake;
	type MinValidators = stakes::MinValidators;
	type PalletId = StakersPot;
	type ReportableSessions = ConstU32<REPORTABLE_SESSIONS>;
	type RuntimeHoldReason = RuntimeHoldReason;
	type Sessions = Sessions;
	type SlashDelay = stakes::SlashDelay;
	type Slashed = ResolveTo<TreasuryAccount, Balances>;
	type UnbondingPeriod = stakes::UnbondingPeriod;
	type WeightInfo = weights::pallet_stakes::WeightInfo<Runtime>;
}
