//! A small runtime to test the pallet in, and a stand-in for the session pallet.

use crate as pallet_stakes;
use crate::*;
use frame::{
	testing_prelude::*,
	traits::{
		fungible::{Balanced as _, Inspect as _, InspectHold as _},
		Hooks, Imbalance as _, OnUnbalanced,
	},
};
use pallet_session::SessionManager;
use sp_staking::offence::{OffenceDetails, OnOffenceHandler};

type Block = frame_system::mocking::MockBlockU32<Test>;

construct_runtime!(
	pub struct Test {
		System: frame_system,
		Balances: pallet_balances,
		Stakes: pallet_stakes,
	}
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = Block;
	type AccountId = AccountId;
	type Lookup = IdentityLookup<AccountId>;
	type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type Balance = Balance;
	type ExistentialDeposit = ConstU128<10>;
	type AccountStore = System;
}

pub const MIN_SELF_STAKE: Balance = 1_000;
pub const MIN_DELEGATION: Balance = 100;
pub const ENDOWMENT: Balance = 1_000_000;
pub const REPORTABLE: SessionIndex = 4;
/// Blocks that each validator makes in a session.
pub const BLOCKS: u32 = 40;

parameter_types! {
	pub static MinValidators: u32 = 2;
	pub static MaxValidators: u32 = 3;
	pub static MaxDelegators: u32 = 3;
	pub static UnbondingPeriod: SessionIndex = 8;
	pub static SlashDelay: SessionIndex = 2;
	pub static JailPeriod: SessionIndex = 5;
	pub static MaxCommission: Perbill = Perbill::from_percent(20);
	pub const StakersPot: PalletId = PalletId(*b"ol/stake");

	/// What the next session's payout brings.
	pub static Earnings: Balance = 0;
	/// Accounts with session keys.
	pub static Keyed: Vec<AccountId> = vec![];
	/// Accounts whose keys were purged.
	pub static Purged: Vec<AccountId> = vec![];
	/// Validators of the session in progress and of the next.
	pub static Seated: Vec<AccountId> = vec![];
	pub static Queued: Vec<AccountId> = vec![];
	/// Validators that are switched off.
	pub static Offline: Vec<AccountId> = vec![];
	/// Who was disabled in this session.
	pub static Disabled: Vec<AccountId> = vec![];
	/// The sets that were announced, by session.
	pub static Announced: Vec<(SessionIndex, Vec<AccountId>)> = vec![];
	/// What was slashed.
	pub static Burnt: Balance = 0;
	/// The first session whose validators can still be proven.
	pub static Provable: SessionIndex = 0;
}

pub struct Pay;

impl Income<CreditOf<Test>> for Pay {
	fn collect() -> CreditOf<Test> {
		Balances::issue(Earnings::take())
	}
}

pub struct Burn;

impl OnUnbalanced<CreditOf<Test>> for Burn {
	fn on_nonzero_unbalanced(credit: CreditOf<Test>) {
		Burnt::mutate(|burnt| *burnt += credit.peek());
	}
}

pub struct FakeSessions;

impl Sessions for FakeSessions {
	fn validators() -> Vec<AccountId> {
		Seated::get()
	}

	fn is_seated(who: &AccountId) -> bool {
		Seated::get().contains(who) || Queued::get().contains(who)
	}

	fn has_keys(who: &AccountId) -> bool {
		Keyed::get().contains(who)
	}

	fn keyed() -> Vec<AccountId> {
		Keyed::get()
	}

	fn disable(validator: &AccountId, _: Perbill) {
		Disabled::mutate(|disabled| disabled.push(validator.clone()));
	}

	fn purge_keys(who: &AccountId) -> DispatchResult {
		Keyed::mutate(|keyed| keyed.retain(|keyed| keyed != who));
		Purged::mutate(|purged| purged.push(who.clone()));
		Ok(())
	}

	fn prune_before(session: SessionIndex) {
		Provable::set(session);
	}
}

impl Config for Test {
	type Currency = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type PalletId = StakersPot;
	type Income = Pay;
	type Slashed = Burn;
	type Sessions = FakeSessions;
	type CancelOrigin = EnsureRoot<AccountId>;
	type AdminOrigin = EnsureRoot<AccountId>;
	type MinSelfStake = ConstU128<MIN_SELF_STAKE>;
	type MinDelegation = ConstU128<MIN_DELEGATION>;
	type MinValidators = MinValidators;
	type MaxValidators = MaxValidators;
	type MaxCommission = MaxCommission;
	type UnbondingPeriod = UnbondingPeriod;
	type SlashDelay = SlashDelay;
	type JailPeriod = JailPeriod;
	type ReportableSessions = ConstU32<REPORTABLE>;
	type MaxCandidates = ConstU32<6>;
	type MaxDelegators = MaxDelegators;
	type MaxUnbonding = ConstU32<3>;
	type MaxSlashes = ConstU32<3>;
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = FakeSessions;
}

#[cfg(feature = "runtime-benchmarks")]
impl BenchmarkHelper for FakeSessions {
	fn set_keys(who: &AccountId) {
		Keyed::mutate(|keyed| keyed.push(who.clone()));
	}

	fn seat(validators: &[AccountId]) {
		Seated::set(validators.to_vec());
		Queued::set(validators.to_vec());
	}

	fn is_disabled(validator: &AccountId) -> bool {
		Disabled::get().contains(validator)
	}

	fn earn(amount: Balance) {
		Earnings::set(amount);
	}
}

/// A fresh chain where nobody has anything.
#[cfg(feature = "runtime-benchmarks")]
pub fn new_test_ext() -> TestState {
	reset();
	let config = RuntimeGenesisConfig::default();
	TestState::new(config.build_storage().unwrap())
}

/// The account called by this number; 1 to 20 have money.
pub fn account(number: u8) -> AccountId {
	AccountId::new([number; 32])
}

/// Validates from genesis.
pub fn alice() -> AccountId {
	account(1)
}

/// Validates from genesis, too.
pub fn bob() -> AccountId {
	account(2)
}

/// Has money, and may become a candidate or a delegator.
pub fn carol() -> AccountId {
	account(3)
}

/// Has money, too.
pub fn dave() -> AccountId {
	account(4)
}

/// Has no money.
pub fn pauper() -> AccountId {
	account(100)
}

pub fn signed(who: AccountId) -> RuntimeOrigin {
	RuntimeOrigin::signed(who)
}

/// Forgets what an earlier test set.
fn reset() {
	Earnings::set(0);
	Keyed::set(vec![]);
	Purged::set(vec![]);
	Seated::set(vec![]);
	Queued::set(vec![]);
	Offline::set(vec![]);
	Disabled::set(vec![]);
	Announced::set(vec![]);
	Burnt::set(0);
	Provable::set(0);
	MinValidators::set(2);
	MaxValidators::set(3);
	MaxDelegators::set(3);
	UnbondingPeriod::set(8);
	SlashDelay::set(2);
	JailPeriod::set(5);
	MaxCommission::set(Perbill::from_percent(20));
}

/// Runs `test` in session 0 of a fresh chain, where Alice and Bob validate with the least stake of
/// their own, then checks the pallet's invariants.
pub fn build_and_execute(test: impl FnOnce()) {
	reset();
	Keyed::set(vec![alice(), bob()]);
	let mut balances: Vec<_> = (1..=20).map(|n| (account(n), ENDOWMENT)).collect();
	balances.push((crate::Pallet::<Test>::pot(), 10));
	let config = RuntimeGenesisConfig {
		balances: pallet_balances::GenesisConfig {
			balances,
			..Default::default()
		},
		stakes: pallet_stakes::GenesisConfig {
			stakes: vec![(alice(), MIN_SELF_STAKE), (bob(), MIN_SELF_STAKE)],
			..Default::default()
		},
		..Default::default()
	};
	TestState::new(config.build_storage().unwrap()).execute_with(|| {
		System::set_block_number(1);
		let genesis = <Stakes as SessionManager<_>>::new_session_genesis(0).unwrap();
		Seated::set(genesis.clone());
		Queued::set(genesis);
		<Stakes as SessionManager<_>>::start_session(0);
		test();
		Stakes::do_try_state().unwrap();
	});
}

/// The session pallet's part at the end of a session, and the first block of the next.
pub fn next_session() {
	let ended = session();
	for validator in Seated::get() {
		if !Offline::get().contains(&validator) {
			(0..BLOCKS).for_each(|_| Stakes::note_author(validator.clone()));
		}
	}
	<Stakes as SessionManager<_>>::end_session(ended);
	Seated::set(Queued::get());
	Disabled::set(vec![]);
	<Stakes as SessionManager<_>>::start_session(ended + 1);
	let next = <Stakes as SessionManager<_>>::new_session(ended + 2).unwrap();
	Announced::mutate(|announced| announced.push((ended + 2, next.clone())));
	Queued::set(next);
	next_block();
	Stakes::do_try_state().unwrap();
}

pub fn next_block() {
	let next = System::block_number() + 1;
	System::set_block_number(next);
	Stakes::on_initialize(next);
}

pub fn next_sessions(count: u32) {
	for _ in 0..count {
		next_session();
	}
}

/// The session in progress.
pub fn session() -> SessionIndex {
	CurrentSession::<Test>::get()
}

/// Ends the session with an income of `amount`.
pub fn pay_out(amount: Balance) {
	Earnings::set(amount);
	next_session();
}

/// `who` becomes a candidate with session keys.
pub fn bond(who: AccountId, amount: Balance) {
	assert_ok!(Stakes::bond(signed(who.clone()), amount, Perbill::zero()));
	Keyed::mutate(|keyed| keyed.push(who));
}

/// Reports that `offender` misbehaved in session `offence`.
pub fn report(offender: AccountId, percent: u32, offence: SessionIndex) {
	assert!(offence >= Provable::get(), "nobody can prove it any more");
	let details = OffenceDetails {
		offender: (offender, ()),
		reporters: vec![],
	};
	<Stakes as OnOffenceHandler<_, _, _>>::on_offence(
		&[details],
		&[Perbill::from_percent(percent)],
		offence,
	);
}

/// What is held of `who`.
pub fn held(who: &AccountId) -> Balance {
	Balances::balance_on_hold(&HoldReason::Stake.into(), who)
}

pub fn claimable(candidate: AccountId, staker: AccountId) -> Balance {
	Stakes::claimable(candidate, staker)
}

/// Claims and returns what was paid.
pub fn claim(candidate: AccountId, staker: AccountId) -> Balance {
	let before = Balances::balance(&staker);
	assert_ok!(Stakes::claim(signed(pauper()), candidate, staker.clone()));
	Balances::balance(&staker) - before
}

pub fn assert_last_event(event: Event<Test>) {
	System::assert_last_event(event.into());
}
