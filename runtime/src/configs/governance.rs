//! How owners of OPEN decide: referenda, votes, the scheduler that carries decisions out, the
//! preimages they are made of, and the treasury they spend.

use crate::{
	accounts,
	currency::{deposit, OPEN},
	governance::{
		origins::{EnsureCanceller, EnsureKiller, EnsureSpender, EnsureTreasurer},
		tracks::Tracks,
	},
	time::DAYS,
	weights, AccountId, Balance, Balances, BlockNumber, Launch, OriginCaller, Preimage, Referenda,
	Runtime, RuntimeCall, RuntimeEvent, RuntimeHoldReason, RuntimeOrigin, Scheduler, System,
	Treasury,
};
use frame_support::{
	parameter_types,
	traits::{
		fungible::{HoldConsideration, Inspect, Mutate},
		tokens::{Pay, PaymentStatus, Preservation, UnityAssetBalanceConversion},
		AsEnsureOriginWithArg, ConstU128, ConstU32, EqualPrivilegeOnly, Get, LinearStoragePrice,
	},
	weights::Weight,
	PalletId,
};
use frame_system::{EnsureRoot, EnsureSigned};
use sp_runtime::{traits::IdentityLookup, DispatchError, Permill};

parameter_types! {
	pub const PreimageDeposit: RuntimeHoldReason =
		RuntimeHoldReason::Preimage(pallet_preimage::HoldReason::Preimage);
	pub const TreasuryId: PalletId = accounts::TREASURY;
	pub const NothingBurnt: Permill = Permill::zero();
	/// Part of a block that scheduled calls may fill.
	pub ScheduledWeight: Weight = super::system::MAX_BLOCK_WEIGHT.saturating_div(2);
	/// Blocks that a vote with the lowest conviction stays locked after its referendum.
	pub VoteLockingPeriod: BlockNumber = unless_trial(7 * DAYS, 10);
	/// Blocks after which a referendum that nobody placed the decision deposit for ends.
	pub UndecidingTimeout: BlockNumber = unless_trial(14 * DAYS, 50);
	/// Blocks between two payments of locally approved spends.
	pub SpendPeriod: BlockNumber = unless_trial(DAYS, 5);
	/// Blocks in which an approved spend must be claimed.
	pub PayoutPeriod: BlockNumber = unless_trial(30 * DAYS, 100);
}

/// Most calls that can be scheduled for one block.
#[cfg(not(feature = "runtime-benchmarks"))]
type MaxScheduledPerBlock = ConstU32<50>;
/// The benchmarks of votes open as many referenda as an account can vote on, all of which set their
/// alarms to the same block.
#[cfg(feature = "runtime-benchmarks")]
type MaxScheduledPerBlock = ConstU32<512>;

/// `period`, or `short` on a chain that only tries things out.
fn unless_trial(period: BlockNumber, short: BlockNumber) -> BlockNumber {
	if Launch::is_trial() {
		short
	} else {
		period
	}
}

/// All OPEN that somebody could vote with: what the protocol's keyless accounts hold cannot vote,
/// and would only make every referendum harder to pass. Bonds, stakes and deposits count: who holds
/// them can vote with them. The escrow of channels does not, since it left its payer's account.
pub struct Electorate;

impl Get<Balance> for Electorate {
	fn get() -> Balance {
		accounts::endowed()
			.iter()
			.chain([&accounts::community()])
			.map(<Balances as Inspect<AccountId>>::total_balance)
			.fold(
				<Balances as Inspect<AccountId>>::total_issuance(),
				Balance::saturating_sub,
			)
	}
}

/// Pays from the treasury, and never closes its account: what is paid to the treasury next must
/// have where to go, however small it is.
pub struct PayFromTreasury;

impl Pay for PayFromTreasury {
	type AssetKind = ();
	type Balance = Balance;
	type Beneficiary = AccountId;
	type Error = DispatchError;
	type Id = ();

	fn pay(who: &AccountId, (): (), amount: Balance) -> Result<(), DispatchError> {
		let from = accounts::treasury();
		<Balances as Mutate<AccountId>>::transfer(&from, who, amount, Preservation::Preserve)?;
		Ok(())
	}

	fn check_payment((): ()) -> PaymentStatus {
		PaymentStatus::Success
	}

	/// The benchmarks pay less than an account has to have, so there is one already.
	#[cfg(feature = "runtime-benchmarks")]
	fn ensure_successful(who: &AccountId, (): (), amount: Balance) {
		let least = <Balances as Inspect<AccountId>>::minimum_balance();
		Balances::mint_into(who, least)
			.and_then(|_| Balances::mint_into(&accounts::treasury(), amount.saturating_add(least)))
			.expect("a benchmark pays less than there can be; qed");
	}

	#[cfg(feature = "runtime-benchmarks")]
	fn ensure_concluded((): ()) {}
}

impl pallet_preimage::Config for Runtime {
	type Consideration = HoldConsideration<
		AccountId,
		Balances,
		PreimageDeposit,
		LinearStoragePrice<ConstU128<{ deposit(2, 64) }>, ConstU128<{ deposit(0, 1) }>, Balance>,
	>;
	type Currency = Balances;
	type ManagerOrigin = EnsureRoot<AccountId>;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = weights::pallet_preimage::WeightInfo<Runtime>;
}

impl pallet_scheduler::Config for Runtime {
	type BlockNumberProvider = System;
	type MaxScheduledPerBlock = MaxScheduledPerBlock;
	type MaximumWeight = ScheduledWeight;
	type OriginPrivilegeCmp = EqualPrivilegeOnly;
	type PalletsOrigin = OriginCaller;
	type Preimages = Preimage;
	type RuntimeCall = RuntimeCall;
	type RuntimeEvent = RuntimeEvent;
	type RuntimeOrigin = RuntimeOrigin;
	type ScheduleOrigin = EnsureRoot<AccountId>;
	type WeightInfo = weights::pallet_scheduler::WeightInfo<Runtime>;
}

impl pallet_referenda::Config for Runtime {
	type AlarmInterval = ConstU32<1>;
	type BlockNumberProvider = System;
	type CancelOrigin = EnsureCanceller;
	type Currency = Balances;
	type KillOrigin = EnsureKiller;
	type MaxQueued = ConstU32<100>;
	type Preimages = Preimage;
	type RuntimeCall = RuntimeCall;
	type RuntimeEvent = RuntimeEvent;
	type Scheduler = Scheduler;
	type Slash = Treasury;
	type SubmissionDeposit = ConstU128<{ 10 * OPEN }>;
	type SubmitOrigin = AsEnsureOriginWithArg<EnsureSigned<AccountId>>;
	type Tally = pallet_conviction_voting::TallyOf<Runtime>;
	type Tracks = Tracks;
	type UndecidingTimeout = UndecidingTimeout;
	type Votes = Balance;
	type WeightInfo = weights::pallet_referenda::WeightInfo<Runtime>;
}

impl pallet_conviction_voting::Config for Runtime {
	type BlockNumberProvider = System;
	type Currency = Balances;
	type MaxTurnout = Electorate;
	type MaxVotes = ConstU32<512>;
	type Polls = Referenda;
	type RuntimeEvent = RuntimeEvent;
	type VoteLockingPeriod = VoteLockingPeriod;
	type VotingHooks = ();
	type WeightInfo = weights::pallet_conviction_voting::WeightInfo<Runtime>;
}

impl pallet_treasury::Config for Runtime {
	type AssetKind = ();
	type BalanceConverter = UnityAssetBalanceConversion;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = ();
	type Beneficiary = AccountId;
	type BeneficiaryLookup = IdentityLookup<AccountId>;
	type BlockNumberProvider = System;
	type Burn = NothingBurnt;
	type BurnDestination = ();
	type Currency = Balances;
	type MaxApprovals = ConstU32<100>;
	type PalletId = TreasuryId;
	type PayoutPeriod = PayoutPeriod;
	type Paymaster = PayFromTreasury;
	type RejectOrigin = EnsureTreasurer;
	type RuntimeEvent = RuntimeEvent;
	type SpendFunds = ();
	type SpendOrigin = EnsureSpender;
	type SpendPeriod = SpendPeriod;
	type WeightInfo = weights::pallet_treasury::WeightInfo<Runtime>;
}

impl crate::governance::Config for Runtime {
	type WeightInfo = weights::governance::WeightInfo<Runtime>;
}
