//! A runtime with this pallet in it, and named actors.

use crate as pallet_attribution;
use crate::*;
use frame::{
	testing_prelude::*,
	traits::{fungible::Inspect as _, IdentityLookup},
};
use openledger_primitives::{
	merkle::Tree,
	report::{parts, payouts, payouts_tree, receipts_tree, Earning},
	Hash, PayoutLeaf, ReceiptLeaf, OPEN,
};

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

	#[runtime::pallet_index(34)]
	pub type Attribution = pallet_attribution;
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
pub const ENDOWMENT: Balance = 1_000_000 * OPEN;
/// The most leaves in a settlement.
pub const MAX_SETTLE: u32 = 256;

parameter_types! {
	pub const Id: PalletId = PalletId(*b"ol/attri");
	pub storage GovernedTerms: Terms = Terms::default();
	pub storage EpochLength: BlockNumber = 10;
	pub storage DisputeWindow: BlockNumber = 5;
	pub TreasuryAccount: AccountId = treasury();
	/// An account that Eve has named as her hot key in place of her own.
	pub storage EvesHotKey: Option<AccountId> = None;
}

/// Bob and Eve provide; their hot keys are theirs plus one.
pub struct Providers;
impl ProviderInspect for Providers {
	fn provider_of_hot_key(hot_key: &AccountId) -> Option<AccountId> {
		if EvesHotKey::get().as_ref() == Some(hot_key) {
			return Some(eve());
		}
		[bob(), eve()]
			.into_iter()
			.find(|provider| hot(provider) == *hot_key)
	}
}

/// Base models belong to Carol, adapters to Dave; contribution `n` to contributor `n` if there is one.
pub struct Payees;
impl PayeeInspect for Payees {
	fn account_of(payee: &Payee) -> Option<AccountId> {
		match payee {
			Payee::BaseOwner(_) => Some(carol()),
			Payee::AdapterOwner(_) => Some(dave()),
			Payee::Stakers | Payee::Treasury => Some(treasury()),
			Payee::Contributor { contribution, .. } => {
				(*contribution < CONTRIBUTORS).then(|| contributor(*contribution))
			}
		}
	}
}

/// How many contributors there are.
pub const CONTRIBUTORS: u32 = 1_000;

impl Config for Test {
	type Currency = Balances;
	type PalletId = Id;
	type Treasury = TreasuryAccount;
	type Providers = Providers;
	type Payees = Payees;
	type Terms = GovernedTerms;
	type EpochLength = EpochLength;
	type DisputeWindow = DisputeWindow;
	type MaxSettle = ConstU32<MAX_SETTLE>;
	type BlockNumberProvider = System;
	type WeightInfo = ();
}

/// Pays for answers.
pub fn alice() -> AccountId {
	[1; 32].into()
}

/// Provides.
pub fn bob() -> AccountId {
	[2; 32].into()
}

/// Owns base models.
pub fn carol() -> AccountId {
	[3; 32].into()
}

/// Owns adapters.
pub fn dave() -> AccountId {
	[4; 32].into()
}

/// Provides too.
pub fn eve() -> AccountId {
	[5; 32].into()
}

/// The treasury.
pub fn treasury() -> AccountId {
	[9; 32].into()
}

/// The hot key of `provider`.
pub fn hot(provider: &AccountId) -> AccountId {
	let mut bytes: [u8; 32] = provider.clone().into();
	bytes[31] += 1;
	bytes.into()
}

/// A data contributor, who has no money to begin with.
pub fn contributor(contribution: u32) -> AccountId {
	let mut bytes = [77; 32];
	bytes[..4].copy_from_slice(&contribution.to_le_bytes());
	bytes.into()
}

/// Builds the chain a test runs on.
#[derive(Default)]
pub struct ExtBuilder;

impl ExtBuilder {
	/// A chain in its first block.
	pub fn build(self) -> TestState {
		let endowed = [alice(), bob(), carol(), dave(), eve(), treasury()];
		let mut ext: TestState = RuntimeGenesisConfig {
			system: Default::default(),
			balances: pallet_balances::GenesisConfig {
				balances: endowed.map(|who| (who, ENDOWMENT)).to_vec(),
				..Default::default()
			},
			attribution: Default::default(),
		}
		.build_storage()
		.unwrap()
		.into();
		ext.execute_with(|| to_block(1));
		ext
	}

	/// Runs `test` in the first block and checks all invariants after it.
	pub fn build_and_execute(self, test: impl FnOnce()) {
		self.build().execute_with(|| {
			test();
			Attribution::do_try_state().unwrap();
		})
	}
}

/// The origin of a call by `who`.
pub fn signed(who: AccountId) -> RuntimeOrigin {
	RuntimeOrigin::signed(who)
}

/// Begins blocks up to `block`.
pub fn to_block(block: BlockNumber) {
	while System::block_number() < block {
		let next = System::block_number() + 1;
		System::set_block_number(next);
		Attribution::on_initialize(next);
	}
}

/// Lets `blocks` blocks pass.
pub fn pass(blocks: BlockNumber) {
	to_block(System::block_number() + blocks);
}

/// Ends the epoch in progress.
pub fn end_epoch() {
	let epoch = Attribution::epoch();
	to_block(epoch.start + epoch.length);
}

/// Has Alice pay `provider` for an answer.
pub fn collect(provider: &AccountId, compute: Balance, licence: Balance) {
	let compute = withdraw(compute);
	let licence = withdraw(licence);
	Attribution::collect(provider, compute, licence);
}

fn withdraw(amount: Balance) -> CreditOf<Test> {
	<Balances as frame::traits::fungible::Balanced<AccountId>>::withdraw(
		&alice(),
		amount,
		Precision::Exact,
		Preservation::Preserve,
		Fortitude::Polite,
	)
	.unwrap()
}

/// A report by the book, with what it commits to.
pub struct Book {
	/// The provider.
	pub provider: AccountId,
	/// The epoch.
	pub epoch: EpochIndex,
	/// Over one receipt.
	pub receipts: Commitment,
	/// Over the payouts.
	pub payouts: Commitment,
	/// The payouts, in order.
	pub leaves: Vec<PayoutLeaf>,
	/// The payouts' tree.
	pub tree: Tree,
}

impl Book {
	/// One answer with adapter 0, whose data came from the first `contributors` contributors alike.
	pub fn of(provider: AccountId, epoch: EpochIndex, contributors: u32) -> Self {
		let pot = Attribution::pot(provider.clone(), epoch).unwrap();
		let terms = Attribution::terms(pot.terms).unwrap();
		let weights = (0..contributors)
			.map(|contribution| (0, contribution, 1))
			.collect();
		let earning = Earning {
			paid: pot.licence,
			base: Some(0),
			adapter: Some((0, weights)),
		};
		let parts = parts(pot.licence, pot.net, &[earning], &terms).unwrap();
		let leaves = payouts(&parts).unwrap();
		Self::with_leaves(provider, epoch, leaves)
	}

	/// A report of these payouts.
	pub fn with_leaves(provider: AccountId, epoch: EpochIndex, leaves: Vec<PayoutLeaf>) -> Self {
		let paid = Attribution::pot(provider.clone(), epoch).unwrap().licence;
		let receipt = ReceiptLeaf {
			receipt: Hash::repeat_byte(1),
			paid,
		};
		let tree = payouts_tree(&leaves).unwrap();
		Self {
			provider,
			epoch,
			receipts: receipts_tree(&[receipt]).unwrap().commitment(),
			payouts: tree.commitment(),
			leaves,
			tree,
		}
	}

	/// Reports it.
	pub fn report(&self) -> DispatchResult {
		Attribution::report(
			signed(hot(&self.provider)),
			self.epoch,
			self.receipts,
			self.payouts,
		)
	}

	/// Settles `len` leaves from `start` on.
	pub fn settle(&self, start: u32, len: u32) -> DispatchResult {
		let proof = self.tree.range_proof(start, len).unwrap();
		let leaves = self.leaves[start as usize..(start + len) as usize].to_vec();
		self.settle_with(leaves, proof)
	}

	/// Settles `leaves` with `proof`.
	pub fn settle_with(&self, leaves: Vec<PayoutLeaf>, proof: Vec<Node>) -> DispatchResult {
		Attribution::settle(
			signed(alice()),
			self.provider.clone(),
			self.epoch,
			leaves.try_into().unwrap(),
			proof.try_into().unwrap(),
		)
	}

	/// Settles all leaves, as few at a time as there must be.
	pub fn settle_all(&self) {
		let count = self.payouts.count;
		for start in (0..count).step_by(MAX_SETTLE as usize) {
			assert_ok!(self.settle(start, MAX_SETTLE.min(count - start)));
		}
	}
}

/// Has Alice pay Bob 60 OPEN and 40 OPEN of licence money, ends the epoch, reports it with four
/// contributors and lets the window pass.
pub fn reported() -> Book {
	collect(&bob(), 60 * OPEN, 40 * OPEN);
	end_epoch();
	let book = Book::of(bob(), 0, 4);
	assert_ok!(book.report());
	pass(DisputeWindow::get());
	book
}

/// All accounts' balances.
pub fn all_money() -> Balance {
	frame_system::Account::<Test>::iter_keys()
		.map(|who| Balances::total_balance(&who))
		.sum()
}

/// This pallet's events since they were last reset.
pub fn events() -> Vec<Event<Test>> {
	System::read_events_for_pallet::<Event<Test>>()
}

/// This pallet's newest event.
pub fn last_event() -> Event<Test> {
	events().pop().unwrap()
}
