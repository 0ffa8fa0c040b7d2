//! A small runtime to test the pallet in.

use crate as pallet_datanets;
use crate::*;
use frame::{
	testing_prelude::*,
	traits::fungible::{HoldConsideration, Inspect, InspectHold},
	traits::tokens::imbalance::ResolveTo,
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
	pub static ContributionBond: Balance = 5_000;
	pub static OpenBondPerKib: Balance = 700;
	pub static DuplicateReward: u32 = 400_000;
	pub static MinReviewerStake: Balance = 10_000;
	pub static ReviewFee: Balance = 100;
	pub static SilenceSlash: u32 = 50_000;
	pub static AppealPeriod: BlockNumber = 30;
	pub Treasury: AccountId = treasury();
}

/// Blocks until a bond is free.
pub const BOND_PERIOD: BlockNumber = 100;
/// Blocks that make an original known.
pub const ORIGINAL_AGE: BlockNumber = 7;
/// Blocks until stake gets a seat.
pub const WARM_UP: BlockNumber = 5;
/// Blocks to commit in.
pub const COMMIT: BlockNumber = 10;
/// Blocks to reveal in.
pub const REVEAL: BlockNumber = 20;
/// What an appeal puts at stake.
pub const APPEAL_DEPOSIT: Balance = 2_000;
/// Seats in a panel.
pub const PANEL: u32 = 4;

/// 1,000 units and one more per byte.
pub type Price = LinearStoragePrice<ConstU128<1_000>, ConstU128<1>, Balance>;

impl Config for Test {
	type Currency = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type Slash = ResolveTo<Treasury, Balances>;
	type MaxPanel = ConstU32<PANEL>;
	type ContributionBond = ContributionBond;
	type OpenBondPerKib = OpenBondPerKib;
	type BondPeriod = ConstU32<BOND_PERIOD>;
	type OriginalAge = ConstU32<ORIGINAL_AGE>;
	type DuplicateReward = DuplicateReward;
	type MinReviewerStake = MinReviewerStake;
	type ReviewerWarmUp = ConstU32<WARM_UP>;
	type ReviewFee = ReviewFee;
	type CommitPeriod = ConstU32<COMMIT>;
	type RevealPeriod = ConstU32<REVEAL>;
	type AppealPeriod = AppealPeriod;
	type AppealDeposit = ConstU128<APPEAL_DEPOSIT>;
	type ReviewQuorum = ConstU32<333_334>;
	type AppealQuorum = ConstU32<500_001>;
	type SilenceSlash = SilenceSlash;
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

/// Where forfeited money goes.
pub fn treasury() -> AccountId {
	AccountId::new([6; 32])
}

/// Review, in this order.
pub fn reviewers() -> [AccountId; 3] {
	[[11; 32], [12; 32], [13; 32]].map(AccountId::new)
}

/// Is up to no good.
pub fn mallory() -> AccountId {
	AccountId::new([66; 32])
}

/// Everybody who begins with money.
pub fn everybody() -> Vec<AccountId> {
	let mut all = vec![alice(), bob(), carol(), mallory(), treasury()];
	all.extend(reviewers());
	all
}

pub fn signed(who: AccountId) -> RuntimeOrigin {
	RuntimeOrigin::signed(who)
}

/// A fresh chain.
pub fn new_test_ext() -> TestState {
	let balances = everybody()
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
	TestState::new(config.build_storage().unwrap())
}

/// Runs `test` on a fresh chain at block 1, then checks the pallet's invariants.
pub fn build_and_execute(test: impl FnOnce()) {
	new_test_ext().execute_with(|| {
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

/// The leaves of records with these contents.
pub fn leaves(contents: &[&str]) -> Vec<RecordLeaf> {
	contents
		.iter()
		.map(|content| RecordLeaf {
			record: openledger_primitives::content_hash(content.as_bytes()),
			bytes: content.len() as u32,
		})
		.collect()
}

/// The tree over records with these contents.
pub fn tree(contents: &[&str]) -> merkle::Tree {
	merkle::Tree::new(leaves(contents).iter().map(RecordLeaf::node).collect()).unwrap()
}

/// Lets `who` contribute records with these contents.
pub fn give(who: AccountId, datanet: DatanetId, contents: &[&str]) -> ContributionId {
	let id = crate::Datanets::<Test>::get(datanet).unwrap().contributions;
	let given = tree(contents).commitment();
	assert_ok!(Datanets::contribute(
		signed(who.clone()),
		datanet,
		given,
		uri("https://example.org/notes"),
		who
	));
	id
}

/// Proof of a record of a contribution with these contents.
pub fn prove(contribution: ContributionId, contents: &[&str], index: u32) -> RecordProof {
	RecordProof {
		contribution,
		index,
		leaf: leaves(contents)[index as usize],
		proof: tree(contents).proof(index).unwrap().try_into().unwrap(),
	}
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

/// What is held of `who` for the storage of contributions.
pub fn held(who: AccountId) -> Balance {
	Balances::balance_on_hold(&ContributionHold::get(), &who)
}

/// What is held of `who` for one of this pallet's reasons.
pub fn held_for(reason: HoldReason, who: AccountId) -> Balance {
	Balances::balance_on_hold(&RuntimeHoldReason::Datanets(reason), &who)
}

/// All that `who` has, held or not.
pub fn wealth(who: AccountId) -> Balance {
	<Balances as Inspect<AccountId>>::total_balance(&who)
}

/// Lets blocks pass.
pub fn pass(blocks: BlockNumber) {
	System::set_block_number(System::block_number() + blocks);
}

/// Puts `stake` of `who` at stake in a panel.
pub fn join(datanet: DatanetId, who: AccountId, stake: Balance) {
	assert_ok!(Datanets::join_panel(signed(who), datanet, stake));
}

/// A Datanet of Alice's with the three [`reviewers`], who have these stakes and have warmed up.
pub fn reviewed(stakes: [Balance; 3]) -> DatanetId {
	let id = datanet(Curation::Reviewers);
	for (who, stake) in reviewers().into_iter().zip(stakes) {
		join(id, who, stake);
	}
	pass(WARM_UP);
	id
}

/// A salt of somebody's own.
pub fn salt(who: &AccountId) -> crate::Hash {
	let bytes: &[u8] = who.as_ref();
	openledger_primitives::content_hash(bytes)
}

/// Commits `who` to a vote.
pub fn commit(
	datanet: DatanetId,
	contribution: ContributionId,
	who: AccountId,
	vote: Vote,
) -> DispatchResult {
	let commitment = vote_commitment(datanet, contribution, &who, vote, &salt(&who));
	Datanets::commit_vote(signed(who), datanet, contribution, commitment)
}

/// Reveals what [`commit`] committed to.
pub fn reveal(
	datanet: DatanetId,
	contribution: ContributionId,
	who: AccountId,
	vote: Vote,
) -> DispatchResult {
	let salt = salt(&who);
	Datanets::reveal_vote(signed(who), datanet, contribution, vote, salt)
}

/// Lets anybody conclude a review.
pub fn conclude(datanet: DatanetId, contribution: ContributionId) -> DispatchResult {
	Datanets::conclude_review(signed(wallet()), datanet, contribution)
		.map(|_| ())
		.map_err(|error| error.error)
}

/// Lets the [`reviewers`] vote, all or the first of them, and concludes the review.
pub fn decide(datanet: DatanetId, contribution: ContributionId, votes: &[Vote]) {
	for (who, vote) in reviewers().into_iter().zip(votes) {
		assert_ok!(commit(datanet, contribution, who, *vote));
	}
	pass(COMMIT);
	for (who, vote) in reviewers().into_iter().zip(votes) {
		assert_ok!(reveal(datanet, contribution, who, *vote));
	}
	assert_ok!(conclude(datanet, contribution));
}

pub fn assert_last_event(event: Event<Test>) {
	System::assert_last_event(event.into());
}
