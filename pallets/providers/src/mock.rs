//! A small runtime to test the pallet in.

use crate as pallet_providers;
use crate::*;
use frame::{
	deps::{
		frame_support::{
			pallet_prelude::{TransactionSource, TransactionValidityError},
			traits::Authorize,
		},
		sp_core::{sr25519, Pair},
	},
	testing_prelude::*,
	traits::fungible::InspectHold,
};
use openledger_primitives::Heartbeat;

type Block = frame_system::mocking::MockBlockU32<Test>;

construct_runtime!(
	pub struct Test {
		System: frame_system,
		Balances: pallet_balances,
		Providers: pallet_providers,
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

/// Base models 0 to 9 exist.
pub struct Bases;

impl BaseInspect for Bases {
	fn exists(base: BaseModelId) -> bool {
		base < 10
	}
}

/// Alice has [`AtStake`] to account for, nobody else has anything.
pub struct Accounts;

impl AtRisk for Accounts {
	fn at_risk(provider: &AccountId) -> Balance {
		if *provider == alice() {
			AtStake::get()
		} else {
			0
		}
	}
}

pub const MIN_BOND: Balance = 1_000;
pub const MAX_RATE: Balance = 1_000_000;

parameter_types! {
	pub static UnbondingPeriod: BlockNumber = 20;
	/// What Alice has yet to account for.
	pub static AtStake: Balance = 0;
	pub static LeastBond: Balance = MIN_BOND;
	pub static JailPeriod: BlockNumber = 10;
	pub static QuoteNotice: BlockNumber = 5;
	pub static HeartbeatPeriod: BlockNumber = 10;
}

impl Config for Test {
	type Currency = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type Bases = Bases;
	type AtRisk = Accounts;
	type MinBond = LeastBond;
	type UnbondingPeriod = UnbondingPeriod;
	type JailPeriod = JailPeriod;
	type QuoteNotice = QuoteNotice;
	type HeartbeatPeriod = HeartbeatPeriod;
	type MissedHeartbeats = ConstU32<3>;
	type MaxFormerQuotes = ConstU32<3>;
	type MaxQuoteChanges = ConstU32<1>;
	type MaxRate = ConstU128<MAX_RATE>;
	type MaxBases = ConstU32<4>;
	type MaxEndpointLen = ConstU32<64>;
	type BlockNumberProvider = System;
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = Bases;
}

#[cfg(feature = "runtime-benchmarks")]
impl BenchmarkHelper for Bases {
	fn bases(count: u32) -> alloc::vec::Vec<BaseModelId> {
		(0..count).collect()
	}
}

/// A fresh chain where nobody has anything, with a keystore.
#[cfg(feature = "runtime-benchmarks")]
pub fn new_test_ext() -> TestState {
	let storage = RuntimeGenesisConfig::default().build_storage().unwrap();
	let mut state = TestState::new(storage);
	state.register_extension(sp_keystore::KeystoreExt::new(
		sp_keystore::testing::MemoryKeystore::new(),
	));
	state
}

pub const ENDOWMENT: Balance = 1_000_000;

/// Provides.
pub fn alice() -> AccountId {
	AccountId::new([1; 32])
}

/// Provides, too.
pub fn bob() -> AccountId {
	AccountId::new([2; 32])
}

/// Has no money.
pub fn pauper() -> AccountId {
	AccountId::new([3; 32])
}

/// The key pair of a machine told from others by `seed`.
pub fn machine(seed: u8) -> sr25519::Pair {
	sr25519::Pair::from_seed(&[seed; 32])
}

/// The hot key of that machine.
pub fn hot_key(seed: u8) -> AccountId {
	machine(seed).public().into()
}

/// Sends a heartbeat of `provider`, signed by the machine of `seed`, as the transaction pool and then
/// a block would.
pub fn send_heartbeat(
	provider: AccountId,
	at: BlockNumber,
	seed: u8,
) -> Result<(), TransactionValidityError> {
	let beat = Heartbeat {
		genesis: System::block_hash(0),
		provider: provider.clone(),
		at,
	};
	let signature = machine(seed).sign(beat.digest().as_bytes()).into();
	send_signed_heartbeat(provider, at, signature)
}

/// The same with any signature.
pub fn send_signed_heartbeat(
	provider: AccountId,
	at: BlockNumber,
	signature: MultiSignature,
) -> Result<(), TransactionValidityError> {
	let call = Call::<Test>::heartbeat {
		provider,
		at,
		signature,
	};
	call.authorize(TransactionSource::External)
		.expect("heartbeats are let in by themselves")?;
	let origin = frame_system::RawOrigin::Authorized.into();
	assert_ok!(RuntimeCall::Providers(call).dispatch(origin));
	Ok(())
}

pub fn signed(who: AccountId) -> RuntimeOrigin {
	RuntimeOrigin::signed(who)
}

/// Runs `test` on a fresh chain at block 1, then checks the pallet's invariants.
pub fn build_and_execute(test: impl FnOnce()) {
	let balances = vec![(alice(), ENDOWMENT), (bob(), ENDOWMENT)];
	let config = RuntimeGenesisConfig {
		balances: pallet_balances::GenesisConfig {
			balances,
			..Default::default()
		},
		..Default::default()
	};
	TestState::new(config.build_storage().unwrap()).execute_with(|| {
		System::set_block_number(1);
		test();
		Providers::do_try_state().unwrap();
	});
}

/// Runs blocks up to `block`.
pub fn run_to(block: BlockNumber) {
	while System::block_number() < block {
		let next = System::block_number() + 1;
		System::set_block_number(next);
		<Providers as Hooks<BlockNumber>>::on_initialize(next);
	}
}

pub fn endpoint(url: &str) -> EndpointOf<Test> {
	url.as_bytes().to_vec().try_into().unwrap()
}

pub fn bases(ids: &[BaseModelId]) -> BasesOf<Test> {
	ids.to_vec().try_into().unwrap()
}

pub const RATE: Rate = Rate {
	input: 100,
	output: 200,
};

/// Registers `who` with the hot key of this seed and the least bond.
pub fn register(who: AccountId, seed: u8) {
	assert_ok!(Providers::register(
		signed(who),
		hot_key(seed),
		endpoint("https://example.org:50051"),
		MIN_BOND,
		bases(&[0, 1]),
		RATE
	));
}

/// What is held of `who` as bond.
pub fn held(who: &AccountId) -> Balance {
	Balances::balance_on_hold(&HoldReason::Bond.into(), who)
}

pub fn assert_last_event(event: Event<Test>) {
	System::assert_last_event(event.into());
}
