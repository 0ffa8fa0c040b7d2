//! A runtime with this pallet in it, and named actors.

use crate as pallet_attribution;
use crate::*;
use frame::{
	testing_prelude::*,
	traits::{
		fungible::{Balanced as _, Inspect as _},
		IdentityLookup,
	},
};
use openledger_primitives::{
	content_hash,
	dispute::{
		audit_draw, AdapterFact, AuditTree, ChannelFact, Leaf, Opened, ShownPart, ShownReceipt,
		AUDIT_LEAVES,
	},
	merkle::Tree,
	report::{parts, parts_tree, payouts, payouts_tree, receipts_tree, Earning},
	AdapterId, BaseModelId, ChannelId, ContributionId, DatanetId, Generation, Hash, Lane, PartLeaf,
	PayoutLeaf, Rate, Receipt, ReceiptLeaf, RedeemedLane, OPEN,
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
/// The most reports in a block.
pub const MAX_REPORTS: u32 = 3;
/// The most leaves in a settlement.
pub const MAX_SETTLE: u32 = 256;

parameter_types! {
	pub const Id: PalletId = PalletId(*b"ol/attri");
	pub storage GovernedTerms: Terms = Terms::default();
	pub storage EpochLength: BlockNumber = 10;
	pub storage DisputeWindow: BlockNumber = 5;
	pub TreasuryAccount: AccountId = treasury();
	pub storage ReportDeadline: EpochIndex = 4;
	pub storage ReporterDeposit: Balance = 100 * OPEN;
	pub storage DemandDeposit: Balance = OPEN;
	pub storage MinSlash: Balance = 10 * OPEN;
	pub storage SlashFactor: u32 = 2_000_000;
	pub storage DisputerShare: u32 = 500_000;
	/// No audits but where a test is about them.
	pub storage AuditRate: u32 = 0;
	pub storage AuditPeriod: BlockNumber = 20;
	/// What the providers have at stake, which the test pretends is held of their money.
	pub storage BondOfBob: Balance = 1_000 * OPEN;
	pub storage BondOfEve: Balance = 1_000 * OPEN;
	/// What the dice give in other worlds than this.
	pub storage Throw: u32 = 0;
	/// The block that a cheat makes.
	pub storage LoadedIn: BlockNumber = 0;
	/// How often somebody was jailed.
	pub storage Jailed: Vec<AccountId> = Vec::new();
	/// An account that Eve has named as her hot key in place of her own.
	pub storage EvesHotKey: Option<AccountId> = None;
	/// The channels after the first two: whom they pay, if they are open.
	pub storage LaterChannels: Vec<Option<AccountId>> = Vec::new();
	/// What was redeemed on each lane in all.
	pub storage LaneTotals: Vec<((ChannelId, Lane), Balance)> = Vec::new();
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

/// Takes bonds out of the providers' own money.
pub struct Penalty;
impl Penalty {
	fn bond(provider: &AccountId) -> Balance {
		match provider {
			who if *who == bob() => BondOfBob::get(),
			who if *who == eve() => BondOfEve::get(),
			_ => 0,
		}
	}
}

impl ProviderPenalty<CreditOf<Test>> for Penalty {
	fn covers(provider: &AccountId) -> bool {
		Self::bond(provider) * 4 >= Attribution::at_risk(provider)
	}

	fn slash(provider: &AccountId, amount: Balance) -> CreditOf<Test> {
		let amount = amount.min(Self::bond(provider));
		let left = Self::bond(provider) - amount;
		if *provider == bob() {
			BondOfBob::set(&left);
		} else {
			BondOfEve::set(&left);
		}
		Balances::withdraw(
			provider,
			amount,
			Precision::BestEffort,
			Preservation::Expendable,
			Fortitude::Force,
		)
		.unwrap_or_default()
	}

	fn jail(provider: &AccountId) {
		let mut jailed = Jailed::get();
		jailed.push(provider.clone());
		Jailed::set(&jailed);
	}
}

/// Gives a hash of the number of the block, but what its author wanted where the die is loaded.
pub struct Dice;
impl AuditRandomness for Dice {
	fn random(subject: &[u8]) -> Hash {
		let now = System::block_number();
		if LoadedIn::get() == now {
			return Hash::zero();
		}
		content_hash(&(subject, now, Throw::get()).encode())
	}
}

/// Channel 0 pays Bob, channel 1 Eve, and there are those of [`LaterChannels`]. Base model 0 and
/// adapter 0 exist.
#[derive(Default)]
pub struct Facts;
impl ChainFacts for Facts {
	fn genesis(&self) -> Hash {
		System::block_hash(0)
	}

	fn channel(&self, channel: ChannelId) -> ChannelFact {
		match channel {
			0 => ChannelFact::Open { provider: bob() },
			1 => ChannelFact::Open { provider: eve() },
			_ => match later_channel(channel) {
				None => ChannelFact::NeverOpened,
				Some(None) => ChannelFact::Closed,
				Some(Some(provider)) => ChannelFact::Open { provider },
			},
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
		(base == 0).then_some(rate())
	}

	fn adapter(&self, adapter: AdapterId) -> Option<AdapterFact> {
		(adapter == 0).then_some(AdapterFact {
			base: 0,
			rate: Rate::default(),
			algorithm: 1,
			index: Hash::repeat_byte(5),
		})
	}

	fn is_payable(&self, payee: &Payee) -> bool {
		Payees::account_of(payee).is_some()
	}

	fn records(&self, _: DatanetId, _: ContributionId) -> Option<Commitment> {
		None
	}

	fn reported(&self, provider: &AccountId, epoch: EpochIndex) -> Option<(AccountId, Commitment)> {
		Attribution::reported(provider, epoch)
	}
}

fn later_channel(channel: ChannelId) -> Option<Option<AccountId>> {
	let place = usize::try_from(channel.checked_sub(2)?).ok()?;
	LaterChannels::get().get(place).cloned()
}

/// What 1,000 tokens cost.
fn rate() -> Rate {
	Rate {
		input: 0,
		output: OPEN,
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
	type Penalty = Penalty;
	type Facts = Facts;
	type Randomness = Dice;
	type RuntimeHoldReason = RuntimeHoldReason;
	type ReportDeadline = ReportDeadline;
	type ReporterDeposit = ReporterDeposit;
	type DemandDeposit = DemandDeposit;
	type MinSlash = MinSlash;
	type SlashFactor = SlashFactor;
	type DisputerShare = DisputerShare;
	type AuditRate = AuditRate;
	type AuditPeriod = AuditPeriod;
	type AuditDelay = ConstU32<2>;
	type MaxReports = ConstU32<MAX_REPORTS>;
	type Terms = GovernedTerms;
	type EpochLength = EpochLength;
	type DisputeWindow = DisputeWindow;
	type MaxSettle = ConstU32<MAX_SETTLE>;
	type BlockNumberProvider = System;
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = Facts;
}

#[cfg(feature = "runtime-benchmarks")]
impl BenchmarkHelper for Facts {
	fn provider(bond: Balance) -> (AccountId, AccountId) {
		BondOfBob::set(&bond);
		(bob(), hot(&bob()))
	}

	fn contributor(number: u32) -> Payee {
		Payee::Contributor {
			adapter: 0,
			datanet: 0,
			contribution: number,
		}
	}

	fn channel(provider: &AccountId) -> ChannelId {
		open_channel(provider)
	}

	fn audit_all() {
		AuditRate::set(&openledger_primitives::PARTS);
	}
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

/// Opens a channel to `provider`.
pub fn open_channel(provider: &AccountId) -> ChannelId {
	let mut channels = LaterChannels::get();
	channels.push(Some(provider.clone()));
	LaterChannels::set(&channels);
	channels.len() as ChannelId + 1
}

/// Closes one of the channels after the first two.
pub fn close_channel(channel: ChannelId) {
	let mut channels = LaterChannels::get();
	channels[channel as usize - 2] = None;
	LaterChannels::set(&channels);
}

/// Has Alice pay `provider` for an answer, on the first lane of the first channel to it.
pub fn collect(provider: &AccountId, compute: Balance, licence: Balance) {
	let channel = ChannelId::from(*provider == eve());
	collect_on(provider, channel, compute, licence, Hash::zero());
}

/// Has Alice pay `provider` on the first lane of a channel, and acknowledge `receipts`.
pub fn collect_on(
	provider: &AccountId,
	channel: ChannelId,
	compute: Balance,
	licence: Balance,
	receipts: Hash,
) {
	let mut totals = LaneTotals::get();
	let place = match totals.iter().position(|(lane, _)| *lane == (channel, 0)) {
		Some(place) => place,
		None => {
			totals.push(((channel, 0), 0));
			totals.len() - 1
		}
	};
	totals[place].1 += licence;
	let lane = RedeemedLane {
		channel,
		generation: 0,
		lane: 0,
		drawn: licence,
		licence: totals[place].1,
		receipts,
	};
	LaneTotals::set(&totals);
	Attribution::collect(provider, &[lane], withdraw(compute), withdraw(licence));
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
#[derive(Clone)]
pub struct Book {
	/// The provider.
	pub provider: AccountId,
	/// The epoch.
	pub epoch: EpochIndex,
	/// The one receipt, if the money is explained.
	pub receipt: Option<Receipt>,
	/// Its leaf.
	pub receipt_leaves: Vec<ReceiptLeaf>,
	/// The parts, in order.
	pub part_leaves: Vec<PartLeaf>,
	/// The payouts, in order.
	pub leaves: Vec<PayoutLeaf>,
	/// Over one receipt.
	pub receipts: Commitment,
	/// Over the parts.
	pub parts: Commitment,
	/// Over the payouts.
	pub payouts: Commitment,
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
		Self::with_parts(provider, epoch, parts)
	}

	/// A report of these payouts.
	pub fn with_leaves(provider: AccountId, epoch: EpochIndex, leaves: Vec<PayoutLeaf>) -> Self {
		let part = |leaf: PayoutLeaf| PartLeaf {
			payee: leaf.payee,
			receipt: 0,
			amount: leaf.amount,
		};
		let parts = leaves.iter().copied().map(part).collect();
		Self::with(provider, epoch, parts, leaves)
	}

	/// A report of these parts.
	pub fn with_parts(provider: AccountId, epoch: EpochIndex, parts: Vec<PartLeaf>) -> Self {
		let leaves = payouts(&parts).unwrap();
		Self::with(provider, epoch, parts, leaves)
	}

	/// A report of these parts and payouts of one receipt, which cost what was paid or a little more.
	pub fn with(
		provider: AccountId,
		epoch: EpochIndex,
		part_leaves: Vec<PartLeaf>,
		leaves: Vec<PayoutLeaf>,
	) -> Self {
		let paid = Attribution::pot(provider.clone(), epoch).unwrap().licence;
		let tokens_out = u32::try_from(paid.div_ceil(OPEN / 1_000)).unwrap();
		let receipt = Receipt {
			genesis: System::block_hash(0),
			channel: u64::from(provider == eve()),
			generation: 0,
			lane: 0,
			sequence: epoch,
			base: 0,
			adapter: Some(0),
			tokens_in: 0,
			tokens_out,
			quote: 1,
			compute: 0,
			licence: rate().charge(0, tokens_out).unwrap(),
			request: Hash::zero(),
			response: Hash::zero(),
			algorithm: 1,
			index: Hash::repeat_byte(5),
			attribution: Hash::zero(),
		};
		Self::from_leaves(provider, epoch, Some(receipt), paid, part_leaves, leaves)
	}

	/// The report that says that all receipts are lost.
	pub fn lost(provider: AccountId, epoch: EpochIndex) -> Self {
		let pot = Attribution::pot(provider.clone(), epoch).unwrap();
		let part = PartLeaf {
			payee: Payee::Treasury,
			receipt: 0,
			amount: pot.net,
		};
		let leaves = payouts(&[part]).unwrap();
		Self::from_leaves(provider, epoch, None, pot.licence, vec![part], leaves)
	}

	fn from_leaves(
		provider: AccountId,
		epoch: EpochIndex,
		receipt: Option<Receipt>,
		paid: Balance,
		part_leaves: Vec<PartLeaf>,
		leaves: Vec<PayoutLeaf>,
	) -> Self {
		let receipt_leaves = vec![ReceiptLeaf {
			receipt: receipt.as_ref().map_or(Hash::zero(), Receipt::digest),
			paid,
		}];
		let tree = payouts_tree(&leaves).unwrap();
		Self {
			provider,
			epoch,
			receipt,
			receipts: receipts_tree(&receipt_leaves).unwrap().commitment(),
			parts: parts_tree(&part_leaves).unwrap().commitment(),
			payouts: tree.commitment(),
			receipt_leaves,
			part_leaves,
			leaves,
			tree,
		}
	}

	/// Changes the receipt, and with it its leaf.
	pub fn forge(mut self, change: impl FnOnce(&mut Receipt)) -> Self {
		let mut receipt = self.receipt.take().unwrap();
		change(&mut receipt);
		let paid = self.receipt_leaves[0].paid;
		Self::from_leaves(
			self.provider,
			self.epoch,
			Some(receipt),
			paid,
			self.part_leaves,
			self.leaves,
		)
	}

	/// The receipt's leaf, opened.
	pub fn leaf(&self) -> Opened<ReceiptLeaf> {
		open(&self.receipt_leaves, 0)
	}

	/// A part, opened.
	pub fn part(&self, index: usize) -> Opened<PartLeaf> {
		open(&self.part_leaves, index)
	}

	/// A payout, opened.
	pub fn payout(&self, index: usize) -> Opened<PayoutLeaf> {
		open(&self.leaves, index)
	}

	/// That its receipt counts for more than its lane earned.
	pub fn lane_exceeded(&self) -> Dispute {
		let (leaf, receipt) = (self.leaf(), self.receipt.clone().unwrap());
		Dispute::LaneExceeded {
			first: leaf.clone(),
			first_receipt: receipt.clone(),
			last: leaf,
			last_receipt: receipt,
		}
	}

	/// What it answers to an audit with `seed`.
	pub fn answer(&self, seed: Hash) -> AuditAnswer {
		let of = || ShownReceipt {
			leaf: self.leaf(),
			receipt: self.receipt.clone(),
		};
		let parts = (0..AUDIT_LEAVES).map(|number| {
			let unit = audit_draw(seed, AuditTree::Parts, number, self.parts.sum).unwrap();
			let amounts = self.part_leaves.iter().map(|part| part.amount);
			let payouts = self.leaves.iter().map(|payout| payout.amount);
			ShownPart {
				part: self.part(holding(amounts, unit)),
				payout: self.payout(holding(payouts, unit)),
				of: of(),
			}
		});
		AuditAnswer {
			receipts: vec![of(); AUDIT_LEAVES as usize].try_into().unwrap(),
			parts: parts.collect::<Vec<_>>().try_into().unwrap(),
		}
	}

	/// Reports it as the provider's hot key.
	pub fn report(&self) -> DispatchResult {
		self.report_by(hot(&self.provider))
	}

	/// Reports it as `who`, who is the provider or its hot key.
	pub fn report_by(&self, who: AccountId) -> DispatchResult {
		Attribution::report(
			signed(who),
			self.epoch,
			self.receipts,
			self.parts,
			self.payouts,
		)
	}

	/// Reports it as `who` in the provider's place.
	pub fn report_for(&self, who: AccountId) -> DispatchResult {
		Attribution::report_for(
			signed(who),
			self.provider.clone(),
			self.epoch,
			self.receipts,
			self.parts,
			self.payouts,
		)
	}

	/// Disputes it as `who`.
	pub fn dispute(&self, who: AccountId, dispute: Dispute) -> DispatchResult {
		let done = Attribution::dispute(
			signed(who),
			self.provider.clone(),
			self.epoch,
			Box::new(dispute),
		);
		assert!(done.is_err() || done == Ok(Pays::No.into()));
		done.map(drop).map_err(|error| error.error)
	}

	/// Demands its audit as `who`.
	pub fn demand_audit(&self, who: AccountId) -> DispatchResult {
		Attribution::demand_audit(signed(who), self.provider.clone(), self.epoch)
	}

	/// Answers its audit as `who`.
	pub fn answer_audit(&self, who: AccountId, answer: AuditAnswer) -> DispatchResult {
		Attribution::answer_audit(
			signed(who),
			self.provider.clone(),
			self.epoch,
			Box::new(answer),
		)
	}

	/// What the chain holds of it.
	pub fn on_chain(&self) -> Option<Report> {
		Attribution::report_of(self.provider.clone(), self.epoch)
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

/// Where the first of `amounts` stands that reaches beyond `unit`.
fn holding(amounts: impl Iterator<Item = Balance>, unit: Balance) -> usize {
	let mut end = 0;
	let mut amounts = amounts;
	amounts
		.position(|amount| {
			end += amount;
			unit < end
		})
		.unwrap()
}

fn open<L: Leaf + Clone>(leaves: &[L], index: usize) -> Opened<L> {
	let tree = Tree::new(leaves.iter().map(Leaf::node).collect()).unwrap();
	Opened {
		index: index as u32,
		leaf: leaves[index].clone(),
		proof: tree.proof(index as u32).unwrap().try_into().unwrap(),
	}
}

/// What those who were slashed lost and nobody got.
pub fn burnt_by_slashing() -> Balance {
	events()
		.into_iter()
		.map(|event| match event {
			Event::ReportRemoved {
				slashed, reward, ..
			} => slashed - reward,
			_ => 0,
		})
		.sum()
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
