//! A small runtime to test the pallet in.

use crate as pallet_models;
use crate::*;
use frame::{
	testing_prelude::*,
	traits::fungible::{HoldConsideration, InspectHold},
	traits::LinearStoragePrice,
};
use openledger_primitives::Hash;

type Block = frame_system::mocking::MockBlockU32<Test>;

construct_runtime!(
	pub struct Test {
		System: frame_system,
		Balances: pallet_balances,
		Models: pallet_models,
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

parameter_types! {
	pub const BaseModelHold: RuntimeHoldReason = RuntimeHoldReason::Models(HoldReason::BaseModel);
	pub const AdapterHold: RuntimeHoldReason = RuntimeHoldReason::Models(HoldReason::Adapter);
	pub const AlgorithmHold: RuntimeHoldReason = RuntimeHoldReason::Models(HoldReason::Algorithm);
}

/// 1,000 units and one more per byte.
pub type Price = LinearStoragePrice<ConstU128<1_000>, ConstU128<1>, Balance>;

/// Datanets 0 to 9 have snapshots 1 to 3.
pub struct Snapshots;

impl SnapshotInspect for Snapshots {
	fn exists(datanet: DatanetId, version: SnapshotVersion) -> bool {
		datanet < 10 && (1..=3).contains(&version)
	}
}

#[cfg(feature = "runtime-benchmarks")]
impl BenchmarkHelper for Snapshots {
	fn snapshots(count: u32) -> Vec<(DatanetId, SnapshotVersion)> {
		(0..count).map(|datanet| (datanet, 1)).collect()
	}
}

pub const MAX_RATE: Balance = 1_000_000;

impl Config for Test {
	type BaseModelConsideration = HoldConsideration<AccountId, Balances, BaseModelHold, Price>;
	type AdapterConsideration = HoldConsideration<AccountId, Balances, AdapterHold, Price>;
	type AlgorithmConsideration = HoldConsideration<AccountId, Balances, AlgorithmHold, Price>;
	type AlgorithmOrigin = EnsureRoot<AccountId>;
	type Snapshots = Snapshots;
	type MaxNameLen = ConstU32<64>;
	type MaxUriLen = ConstU32<256>;
	type MaxLineage = ConstU32<8>;
	type MaxRate = ConstU128<MAX_RATE>;
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = Snapshots;
}

pub const ENDOWMENT: Balance = 1_000_000;

/// Publishes base models.
pub fn alice() -> AccountId {
	AccountId::new([1; 32])
}

/// Trains adapters.
pub fn bob() -> AccountId {
	AccountId::new([2; 32])
}

/// Has no money.
pub fn pauper() -> AccountId {
	AccountId::new([3; 32])
}

pub fn signed(who: AccountId) -> RuntimeOrigin {
	RuntimeOrigin::signed(who)
}

/// A fresh chain.
pub fn new_test_ext() -> TestState {
	let balances = vec![(alice(), ENDOWMENT), (bob(), ENDOWMENT)];
	let config = RuntimeGenesisConfig {
		balances: pallet_balances::GenesisConfig {
			balances,
			..Default::default()
		},
		..Default::default()
	};
	TestState::new(config.build_storage().unwrap())
}

/// Runs `test` on a fresh chain at block 1, then checks the pallet's invariants.
pub fn build_and_execute(test: impl FnOnce()) {
	new_test_ext().execute_with(|| {
		System::set_block_number(1);
		test();
		Models::do_try_state().unwrap();
	});
}

pub fn name(text: &str) -> NameOf<Test> {
	text.as_bytes().to_vec().try_into().unwrap()
}

pub const RATE: Rate = Rate {
	input: 100,
	output: 200,
};

/// Lets Alice register the base model `base-<id>`.
pub fn base() -> BaseModelId {
	let id = NextBaseModel::<Test>::get();
	assert_ok!(Models::register_base(
		signed(alice()),
		name(&format!("base-{id}")),
		name("llama"),
		Hash::repeat_byte(1),
		Hash::repeat_byte(2),
		name("Apache-2.0"),
		RATE
	));
	id
}

/// What Bob says of an adapter whose name and files are told apart by `seed`.
pub fn registration(base: BaseModelId, seed: u8) -> AdapterRegistration<Test> {
	AdapterRegistration {
		name: name(&format!("birdsong-{seed}")),
		base,
		weights: Hash::repeat_byte(seed),
		config: Hash::repeat_byte(3),
		rank: 8,
		targets: vec![name("q_proj"), name("v_proj")].try_into().unwrap(),
		lineage: vec![(0, 1), (4, 2)].try_into().unwrap(),
		manifest: Hash::repeat_byte(4),
		algorithm: algorithm::SPAN_SA_1,
		index: Hash::repeat_byte(5),
		uri: b"https://example.org/birdsong".to_vec().try_into().unwrap(),
		rate: RATE,
	}
}

/// Lets Bob register an adapter.
pub fn adapter(base: BaseModelId, seed: u8) -> AdapterId {
	let id = NextAdapter::<Test>::get();
	assert_ok!(Models::register_adapter(
		signed(bob()),
		registration(base, seed)
	));
	id
}

/// What Bob says of an algorithm of this name.
pub fn proposal(title: &str) -> AlgorithmProposal<Test> {
	AlgorithmProposal {
		name: name(title),
		spec: Hash::repeat_byte(1),
		vectors: Hash::repeat_byte(2),
		schema: Hash::repeat_byte(3),
		uri: b"https://example.org/mix".to_vec().try_into().unwrap(),
	}
}

/// Lets Bob propose an algorithm.
pub fn propose(title: &str) -> ProposalId {
	let id = NextProposal::<Test>::get();
	assert_ok!(Models::propose_algorithm(signed(bob()), proposal(title)));
	id
}

/// Lets Bob propose an algorithm and governance take it up.
pub fn take_up(title: &str) -> AlgorithmId {
	let proposal = propose(title);
	let id = NextAlgorithm::<Test>::get();
	assert_ok!(Models::shadow_algorithm(RuntimeOrigin::root(), proposal));
	id
}

/// What is held of `who` for any reason.
pub fn held(who: AccountId) -> Balance {
	Balances::total_balance_on_hold(&who)
}

pub fn assert_last_event(event: Event<Test>) {
	System::assert_last_event(event.into());
}
