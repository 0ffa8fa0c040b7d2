//! A runtime with this pallet in it, and named actors.

use crate as pallet_channels;
use crate::*;
use frame::{
	deps::{
		sp_core::{sr25519, Pair},
		sp_io::hashing::sha2_256,
	},
	testing_prelude::*,
	traits::{
		fungible::{Balanced as _, HoldConsideration, Inspect as _},
		IdentityLookup, Imbalance as _, LinearStoragePrice,
	},
};
use openledger_primitives::{Hash, RedeemedLane, Voucher, OPEN};

#[frame_construct_runtime]
mod runtime {
	#[runtime::runtime]
	#[runtime::derive(
		RuntimeCall,
		RuntimeEvent,
		RuntimeError,
		RuntimeOrigin,
		RuntimeTask,
		RuntimeHoldReason,
		RuntimeFreezeReason,
		RuntimeViewFunction
	)]
	pub struct Test;

	#[runtime::pallet_index(0)]
	pub type System = frame_system;

	#[runtime::pallet_index(1)]
	pub type Balances = pallet_balances;

	#[runtime::pallet_index(33)]
	pub type Channels = pallet_channels;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = MockBlockU32<Test>;
	type AccountId = AccountId;
	type Lookup = IdentityLookup<AccountId>;
	type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type AccountStore = System;
	type Balance = Balance;
	type ExistentialDeposit = ConstU128<ED>;
}

/// Least balance of an account.
pub const ED: Balance = OPEN / 1000;
/// What every actor begins with.
pub const ENDOWMENT: Balance = 1_000 * OPEN;
/// The deposit for a channel.
pub const DEPOSIT: Balance = OPEN;
/// The most vouchers in a batch.
pub const MAX_BATCH: u32 = 200;
/// The number of lanes.
pub const MAX_LANES: u32 = 4;

parameter_types! {
	pub const Escrow: PalletId = PalletId(*b"test/esc");
	pub const DepositReason: RuntimeHoldReason = RuntimeHoldReason::Channels(HoldReason::Deposit);
	pub storage ThawPeriod: BlockNumber = 20;
	pub storage MaxVoucherLifetime: BlockNumber = 10;
	/// The licence money that providers may still collect.
	pub storage Room: Balance = Balance::MAX;
	pub storage Inactive: Option<AccountId> = None;
	/// The lane of which money was collected last, as it was then.
	pub storage LastLane: Option<RedeemedLane> = None;
	/// The one hot key there is, and the provider whose it is.
	pub storage HotKey: (AccountId, AccountId) = (worker(), bob());
}

/// Everyone is a provider, but one.
pub struct Providers;
impl ProviderInspect for Providers {
	fn is_active(provider: &AccountId) -> bool {
		Inactive::get().as_ref() != Some(provider)
	}

	fn provider_of_hot_key(hot_key: &AccountId) -> Option<AccountId> {
		let (key, provider) = HotKey::get();
		(key == *hot_key).then_some(provider)
	}
}

/// Pays the provider the compute money and keeps the licence money in one pot, as far as there is
/// [`Room`]; burns what neither can take.
pub struct Till;
impl Revenue<CreditOf<Test>> for Till {
	fn collect(
		provider: &AccountId,
		lanes: &[RedeemedLane],
		compute: CreditOf<Test>,
		licence: CreditOf<Test>,
	) {
		LastLane::set(&lanes.last().copied());
		drop(Balances::resolve(provider, compute));
		Room::set(&Self::room(provider).saturating_sub(licence.peek()));
		drop(Balances::resolve(&pot(), licence));
	}

	fn room(_: &AccountId) -> Balance {
		Room::get()
	}
}

impl Config for Test {
	type Currency = Balances;
	type PalletId = Escrow;
	type Providers = Providers;
	type Revenue = Till;
	type ChannelConsideration = HoldConsideration<
		AccountId,
		Balances,
		DepositReason,
		LinearStoragePrice<ConstU128<DEPOSIT>, ConstU128<0>, Balance>,
	>;
	type MinEscrow = ConstU128<OPEN>;
	type ThawPeriod = ThawPeriod;
	type MaxVoucherLifetime = MaxVoucherLifetime;
	type MaxBatch = ConstU32<MAX_BATCH>;
	type MaxLanes = ConstU32<MAX_LANES>;
	type BlockNumberProvider = System;
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = Providers;
}

#[cfg(feature = "runtime-benchmarks")]
impl BenchmarkHelper for Providers {
	fn provide(provider: &AccountId, hot_key: &AccountId, room: Balance) {
		HotKey::set(&(hot_key.clone(), provider.clone()));
		Room::set(&room);
	}
}

/// The chain that benchmarks are tried out on: nobody has anything, and there is a keystore.
#[cfg(feature = "runtime-benchmarks")]
pub fn new_test_ext() -> TestState {
	let storage = RuntimeGenesisConfig::default().build_storage().unwrap();
	let mut state = TestState::new(storage);
	state.register_extension(sp_keystore::KeystoreExt::new(
		sp_keystore::testing::MemoryKeystore::new(),
	));
	state
}

/// The key of a named actor.
pub fn key(name: &str) -> sr25519::Pair {
	sr25519::Pair::from_seed(&sha2_256(name.as_bytes()))
}

/// The account of a named actor.
pub fn account(name: &str) -> AccountId {
	key(name).public().into()
}

/// Pays.
pub fn alice() -> AccountId {
	account("Alice")
}

/// Provides.
pub fn bob() -> AccountId {
	account("Bob")
}

/// A third party.
pub fn charlie() -> AccountId {
	account("Charlie")
}

/// Alice's hot key; an account without money.
pub fn hot() -> AccountId {
	account("Hot")
}

/// Bob's hot key; an account without money.
pub fn worker() -> AccountId {
	account("Worker")
}

/// Where the licence money goes.
pub fn pot() -> AccountId {
	account("Pot")
}

/// The chain's genesis hash.
pub fn genesis() -> Hash {
	Hash::repeat_byte(7)
}

/// Builds the chain a test runs on.
#[derive(Default)]
pub struct ExtBuilder;

impl ExtBuilder {
	/// A chain in its first block.
	pub fn build(self) -> TestState {
		let endowed = [alice(), bob(), charlie(), pot()].map(|who| (who, ENDOWMENT));
		let escrow = (Channels::account(), ED);
		let mut ext: TestState = RuntimeGenesisConfig {
			system: Default::default(),
			balances: pallet_balances::GenesisConfig {
				balances: endowed.into_iter().chain([escrow]).collect(),
				..Default::default()
			},
		}
		.build_storage()
		.unwrap()
		.into();
		ext.execute_with(|| {
			frame_system::BlockHash::<Test>::insert(0, genesis());
			System::set_block_number(1);
		});
		ext
	}

	/// Runs `test` in the first block and checks all invariants after it.
	pub fn build_and_execute(self, test: impl FnOnce()) {
		self.build().execute_with(|| {
			test();
			Channels::do_try_state().unwrap();
		})
	}
}

/// Opens channel 0 from Alice to Bob with 100 OPEN, then runs `test`.
pub fn with_channel(test: impl FnOnce()) {
	ExtBuilder.build_and_execute(|| {
		open(None);
		test();
	})
}

/// Opens a channel from Alice to Bob with 100 OPEN.
pub fn open(delegate: Option<(AccountId, Balance)>) {
	assert_ok!(Channels::open(signed(alice()), bob(), 100 * OPEN, delegate));
}

/// The origin of a call by `who`.
pub fn signed(who: AccountId) -> RuntimeOrigin {
	RuntimeOrigin::signed(who)
}

/// A voucher for channel 0, generation 0, lane 0, good until five blocks from now.
pub fn voucher(amount: Balance, licence: Balance) -> Voucher {
	Voucher {
		genesis: genesis(),
		channel: 0,
		generation: 0,
		lane: 0,
		amount,
		licence,
		tokens: 1,
		receipts: Hash::zero(),
		quote: 1,
		valid_until: System::block_number() + 5,
	}
}

/// `voucher` signed by the actor called `name`.
pub fn sign(name: &str, voucher: Voucher) -> SignedVoucher {
	let signature = key(name).sign(voucher.digest().as_bytes()).into();
	SignedVoucher { voucher, signature }
}

/// Has Bob's hot key redeem `vouchers`.
pub fn redeem(vouchers: Vec<SignedVoucher>) {
	redeem_by(worker(), vouchers);
}

/// Has `who` redeem `vouchers`.
pub fn redeem_by(who: AccountId, vouchers: Vec<SignedVoucher>) {
	assert_ok!(Channels::redeem(
		signed(who),
		BoundedVec::truncate_from(vouchers)
	));
}

/// Has Bob's hot key redeem one voucher and says why it was skipped, or `None` if it was paid.
pub fn skipped(voucher: SignedVoucher) -> Option<SkipReason> {
	skipped_by(worker(), voucher)
}

/// Has `who` redeem one voucher and says why it was skipped, or `None` if it was paid.
pub fn skipped_by(who: AccountId, voucher: SignedVoucher) -> Option<SkipReason> {
	System::reset_events();
	redeem_by(who, vec![voucher]);
	events().into_iter().find_map(|event| match event {
		Event::VoucherSkipped { reason, .. } => Some(reason),
		_ => None,
	})
}

/// Checks that the voucher is skipped for `reason` and that nothing but that is written.
pub fn assert_skipped(voucher: SignedVoucher, reason: SkipReason) {
	assert_skipped_by(worker(), voucher, reason);
}

/// Checks the same when `who` redeems it.
pub fn assert_skipped_by(who: AccountId, voucher: SignedVoucher, reason: SkipReason) {
	let before = (
		channel(),
		Lanes::<Test>::iter().count(),
		Balances::total_issuance(),
	);
	let parties = [alice(), bob(), pot(), Channels::account()];
	let balances = parties.clone().map(|who| Balances::total_balance(&who));
	assert_eq!(skipped_by(who, voucher), Some(reason));
	assert_eq!(
		before,
		(
			channel(),
			Lanes::<Test>::iter().count(),
			Balances::total_issuance()
		)
	);
	assert_eq!(balances, parties.map(|who| Balances::total_balance(&who)));
}

/// Channel 0.
pub fn channel() -> Option<Channel> {
	Channels::channel(0)
}

/// What is left in channel 0.
pub fn escrow() -> Balance {
	channel().unwrap().escrow
}

/// What waits in escrow of all channels.
pub fn kept() -> Balance {
	Balances::balance(&Channels::account()) - ED
}

/// This pallet's events since they were last reset.
pub fn events() -> Vec<Event<Test>> {
	System::read_events_for_pallet::<Event<Test>>()
}

/// This pallet's newest event.
pub fn last_event() -> Event<Test> {
	events().pop().unwrap()
}

/// Lets `blocks` blocks pass.
pub fn pass(blocks: BlockNumber) {
	System::set_block_number(System::block_number() + blocks);
}
