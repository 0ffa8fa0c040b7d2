//! A small runtime to test the pallet in.

use crate as pallet_datanets;
use crate::*;
use frame::{
	testing_prelude::*,
	traits::fungible::{HoldConsideration, InspectHold},
	traits::LinearStoragePrice,
};
use openledger_primitives::{Balance, RecordLeaf};

type Block = frame_system::mocking::MockBlockU32<Test>;

construct_runtime!(
	pub struct Test {
		System: frame_system,
		Balances: pallet_balances,
		Datanets: pallet_datanets,
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
	pub const DatanetHold: RuntimeHoldReason = RuntimeHoldReason::Datanets(HoldReason::Datanet);
	pub const ContributionHold: RuntimeHoldReason =
		RuntimeHoldReason::Datanets(HoldReason::Contribution);
	pub static MaxContributions: u32 = 8;
}

/// 1,000 units and one more per byte.
pub type Price = LinearStoragePrice<ConstU128<1_000>, ConstU128<1>, Balance>;

impl Config for Test {
	type DatanetConsideration = HoldConsideration<AccountId, Balances, DatanetHold, Price>;
	type ContributionConsideration =
		HoldConsideration<AccountId, Balances, ContributionHold, Price>;
	type MaxNameLen = ConstU32<64>;
	type MaxUriLen = ConstU32<256>;
	type MaxContributions = MaxContributions;
	type BlockNumberProvider = System;
	type WeightInfo = ();
}

pub const ENDOWMENT: Balance = 1_000_000;

/// Owns Datanets.
pub fn alice() -> AccountId {
	AccountId::new([1; 32])
}

/// Contributes.
pub fn bob() -> AccountId {
	AccountId::new([2; 32])
}

/// Contributes, too.
pub fn carol() -> AccountId {
	AccountId::new([3; 32])
}

/// Has no money.
pub fn pauper() -> AccountId {
	AccountId::new([4; 32])
}

/// Where Bob wants his earnings.
pub fn wallet() -> AccountId {
	AccountId::new([5; 32])
}

pub fn signed(who: AccountId) -> RuntimeOrigin {
	RuntimeOrigin::signed(who)
}

/// Runs `test` on a fresh chain at block 1, then checks the pallet's invariants.
pub fn build_and_execute(test: impl FnOnce()) {
	let balances = [alice(), bob(), carol()]
		.into_iter()
		.map(|who| (who, ENDOWMENT))
		.collect::<Vec<_>>();
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
		Datanets::do_try_state().unwrap();
	});
}

/// The tree's commitment over one record with this content.
pub fn records(content: &[u8]) -> Commitment {
	let leaf = RecordLeaf {
		record: openledger_primitives::content_hash(content),
		bytes: content.len() as u32,
	};
	merkle::Tree::new(vec![leaf.node()]).unwrap().commitment()
}

pub fn name(text: &str) -> NameOf<Test> {
	text.as_bytes().to_vec().try_into().unwrap()
}

pub fn uri(text: &str) -> UriOf<Test> {
	text.as_bytes().to_vec().try_into().unwrap()
}

/// Creates a Datanet that Alice owns.
pub fn datanet(curation: Curation) -> DatanetId {
	let id = NextDatanet::<Test>::get();
	assert_ok!(Datanets::create(
		signed(alice()),
		name("birdsong"),
		name("CC-BY-4.0"),
		name("text/plain"),
		curation
	));
	id
}

/// Lets `who` contribute one record with this content.
pub fn contribute(who: AccountId, datanet: DatanetId, content: &[u8]) -> ContributionId {
	let id = crate::Datanets::<Test>::get(datanet).unwrap().contributions;
	assert_ok!(Datanets::contribute(
		signed(who),
		datanet,
		records(content),
		uri("https://example.org/notes"),
		wallet()
	));
	id
}

/// Lets Alice make the next snapshot.
pub fn snapshot(datanet: DatanetId) -> SnapshotVersion {
	assert_ok!(Datanets::snapshot(signed(alice()), datanet));
	crate::Datanets::<Test>::get(datanet).unwrap().snapshots
}

pub fn state(datanet: DatanetId, contribution: ContributionId) -> Option<ContributionState> {
	Datanets::contribution(datanet, contribution).map(|kept| kept.state)
}

/// What is held of `who` for contributions.
pub fn held(who: AccountId) -> Balance {
	Balances::balance_on_hold(&ContributionHold::get(), &who)
}

pub fn assert_last_event(event: Event<Test>) {
	System::assert_last_event(event.into());
}
