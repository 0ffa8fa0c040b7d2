//! What the calls and the hook cost, each in the worst case that it can meet.

// This runs on no chain: what does not go as it should must fail loudly.
#![allow(
	clippy::arithmetic_side_effects,
	clippy::expect_used,
	clippy::indexing_slicing
)]

use crate::*;
use alloc::{vec, vec::Vec};
use frame::{
	benchmarking::prelude::*,
	traits::fungible::{hold::Inspect as _, hold::Mutate as _, Inspect as _, Mutate as _},
};
use openledger_primitives::{
	dispute::{
		audit_draw, AuditTree, Leaf, Opened, ShownPart, ShownReceipt, AUDIT_LEAVES,
		MAX_ACKNOWLEDGED, MAX_PARTS,
	},
	merkle::{self, Tree, MAX_LEAVES},
	voucher::acknowledge,
	AdapterId, ChannelId, Hash, PartLeaf, Receipt, ReceiptLeaf, OPEN,
};

/// What benchmarks need of other pallets.
pub trait BenchmarkHelper {
	/// A provider that takes work and has `bond` units at stake, with as much to read about it as there
	/// can be, and its hot key.
	fn provider(bond: Balance) -> (AccountId, AccountId);

	/// The payee number `number`: a contributor to an adapter with the longest lineage there can be,
	/// which contains the contribution nowhere but at its end. Each number stands for another account,
	/// and, where the runtime has as many, for another adapter, base model and Datanet.
	fn contributor(number: u32) -> Payee;

	/// A new channel that pays `provider`, with as much to read about it as there can be.
	fn channel(provider: &AccountId) -> ChannelId;

	/// Has every report audited from now on.
	fn audit_all();
}

/// Most leaves of a settlement that are measured.
const MAX_SETTLE: u32 = 256;
/// Most reports of a block that are measured.
const MAX_REPORTS: u32 = 128;
/// Most bytes of digests in a dispute. Texts can be longer, but a byte of them costs less.
const MAX_DIGESTS: u32 = 32 * MAX_ACKNOWLEDGED;
/// What a provider has at stake: more than the chain's least bond, and less after a slash.
const BOND: Balance = 200 * OPEN;
/// Licence money of an epoch.
const LICENCE: Balance = 80 * OPEN;
/// What is left of it after the cut. A slash by twice as much leaves something of the bond.
const NET: Balance = 75 * OPEN;
/// A block late enough for everything to have happened before.
const NOW: BlockNumber = 1_000_000;
/// The epoch that everything is about.
const EPOCH: EpochIndex = 7;
/// The version of the terms in force.
const TERMS: TermsVersion = 3;

/// Fails if the runtime allows more than is measured.
pub(crate) fn assert_bounds_are_measured<T: Config>() {
	assert!(
		T::MaxSettle::get() <= MAX_SETTLE && T::MaxReports::get() <= MAX_REPORTS,
		"weights are measured up to what the runtime allows; raise the benchmarks' bounds with it"
	);
}

/// Sets the clock, and the epoch `past` epochs after [`EPOCH`].
fn begin<T: Config>(past: EpochIndex) {
	T::BlockNumberProvider::set_block_number(NOW);
	TermsOf::<T>::insert(TERMS, T::Terms::get());
	CurrentEpoch::<T>::put(Epoch {
		index: EPOCH + past,
		start: NOW,
		length: T::EpochLength::get(),
		terms: TERMS,
	});
	// What keeps the pallet's account alive, and all that it may have to pay.
	let funded = T::Currency::mint_into(&Pallet::<T>::account_id(), 1_000_000 * OPEN);
	funded.expect("benchmarks hand out less than there can be");
}

fn put_pot<T: Config>(provider: &AccountId) {
	let pot = Pot {
		licence: LICENCE,
		net: NET,
		terms: TERMS,
	};
	Pots::<T>::insert(provider, EPOCH, pot);
	AtRisk::<T>::insert(provider, 2 * NET);
}

/// A report that may be disputed and is to be audited.
fn open_report<T: Config>(provider: &AccountId) -> Report {
	let commitment = |sum| Commitment {
		root: Hash::repeat_byte(1),
		sum,
		count: MAX_LEAVES,
	};
	put_pot::<T>(provider);
	Report {
		receipts: commitment(LICENCE),
		parts: commitment(NET),
		payouts: commitment(NET),
		terms: TERMS,
		reporter: provider.clone(),
		deposit: 0,
		reported_at: NOW - T::AuditDelay::get(),
		open_at: NOW + 1,
		audit: None,
		settled: 0,
		paid: 0,
	}
}

/// A provider whose report has been removed before, so that there is an entry about that.
fn disproved<T: Config>() -> AccountId {
	let (provider, _) = T::BenchmarkHelper::provider(BOND);
	let removed = Removed { times: 1, since: 0 };
	Disproved::<T>::insert(&provider, EPOCH, removed);
	provider
}

/// Puts `amount` units on hold of `who`'s money, which it is given.
fn hold<T: Config>(reason: HoldReason, who: &AccountId, amount: Balance) {
	T::Currency::mint_into(who, 2 * amount + OPEN)
		.and_then(|_| T::Currency::hold(&reason.into(), who, amount))
		.expect("it was given the money");
}

/// An audit that somebody demanded of the provider's report, and the deposit for it. Says who.
fn demand<T: Config>(provider: &AccountId) -> AccountId {
	let by: AccountId = account("watcher", 0, 0);
	let deposit = T::DemandDeposit::get();
	hold::<T>(HoldReason::Demand, &by, deposit);
	let demand = Demand {
		by: by.clone(),
		deposit,
		drawn_at: NOW,
		answered: false,
	};
	Demands::<T>::insert(provider, EPOCH, demand);
	by
}

/// Notes that somebody demanded an audit of the provider's report, which it has passed.
fn put_answered<T: Config>(provider: &AccountId) {
	let demand = Demand {
		by: account("watcher", 0, 0),
		deposit: 0,
		drawn_at: NOW,
		answered: true,
	};
	Demands::<T>::insert(provider, EPOCH, demand);
}

/// A report by the provider itself, against a deposit since its bond does not answer for its pots.
fn report_with_deposit<T: Config>(provider: &AccountId) -> Report {
	hold::<T>(HoldReason::Report, provider, OPEN);
	Report {
		deposit: OPEN,
		..open_report::<T>(provider)
	}
}

/// Has the provider more at risk than its bond answers for, and gives its hot key the deposit that it
/// needs to report. Says how much that is.
fn uncover<T: Config>(provider: &AccountId, hot_key: &AccountId) -> Balance {
	put_pot::<T>(provider);
	AtRisk::<T>::insert(provider, 1_000_000 * BOND);
	let deposit = T::ReporterDeposit::get().max(NET);
	T::Currency::mint_into(hot_key, 2 * deposit)
		.expect("benchmarks hand out less than there can be");
	deposit
}

fn assert_reported<T: Config>(provider: &AccountId, hot_key: &AccountId, deposit: Balance) {
	let report = Reports::<T>::get(provider, EPOCH).expect("it was reported");
	assert_eq!((&report.reporter, report.deposit), (hot_key, deposit));
	let held = T::Currency::balance_on_hold(&HoldReason::Report.into(), hot_key);
	assert_eq!(held, deposit);
	let listed = ToDraw::<T>::get(NOW + T::AuditDelay::get());
	assert_eq!(listed.len() as u32, T::MaxReports::get());
}

fn assert_removed<T: Config>(provider: &AccountId, by: &AccountId) {
	assert!(!Reports::<T>::contains_key(provider, EPOCH));
	let removed = Disproved::<T>::get(provider, EPOCH).expect("its report was removed");
	assert_eq!(removed.times, 2);
	assert!(
		Credits::<T>::get(by) > 0,
		"there was a bond to be slashed, and the disputer has its share"
	);
}

/// Three commitments to as many leaves as there may be.
fn commitments() -> [Commitment; 3] {
	[LICENCE, NET, NET].map(|sum| Commitment {
		root: Hash::repeat_byte(1),
		sum,
		count: MAX_LEAVES,
	})
}

/// Fills the list of reports that [`NOW`]'s reports are entered in, but for one place.
fn fill_draws<T: Config>() {
	let others = T::MaxReports::get() - 1;
	let others = (0..others).map(|index| (account("other", index, 0), EPOCH));
	let others = BoundedVec::truncate_from(others.collect());
	ToDraw::<T>::insert(NOW + T::AuditDelay::get(), others);
}

/// Nodes that stand side by side in a tree of `count` leaves, from `start` on; all others in it are made
/// up and without amounts. Its commitment, and the proof that they stand there.
fn climb(start: u32, count: u32, nodes: Vec<Node>) -> (Commitment, Vec<Node>) {
	let made_up = Node {
		hash: Hash::repeat_byte(2),
		sum: 0,
	};
	let len = u32::try_from(nodes.len()).expect("there are few");
	let (mut low, mut high, mut width) = (start, start + len, count);
	let (mut padding, mut level, mut proof) = (Node::default(), nodes, Vec::new());
	for _ in 0..merkle::depth(count).expect("as many leaves as there may be") {
		if low % 2 == 1 {
			level.insert(0, made_up);
			proof.push(made_up);
		}
		if high % 2 == 1 && high < width {
			level.push(made_up);
			proof.push(made_up);
		} else if high % 2 == 1 {
			level.push(padding);
		}
		let join = |pair: &[Node]| merkle::join(&pair[0], &pair[1]).expect("small amounts");
		level = level.chunks(2).map(join).collect();
		padding = join(&[padding, padding]);
		(low, high) = (low / 2, high.div_ceil(2));
		width = width.div_ceil(2);
	}
	let commitment = Commitment {
		root: level[0].hash,
		sum: level[0].sum,
		count,
	};
	(commitment, proof)
}

/// A tree of the greatest depth, whose last leaves are known.
struct HighTree {
	known: Tree,
	/// Where the known leaves begin.
	start: u32,
	/// The way from the root of the known leaves to that of the tree.
	above: Vec<Node>,
	commitment: Commitment,
}

impl HighTree {
	fn new(mut leaves: Vec<Node>) -> Self {
		let width = leaves.len().next_power_of_two();
		leaves.resize(width, Node::default());
		let width = u32::try_from(width).expect("there are few");
		let known = Tree::new(leaves).expect("there are few");
		let Commitment { root, sum, .. } = known.commitment();
		let places = MAX_LEAVES / width;
		let (above_all, above) = climb(places - 1, places, vec![Node { hash: root, sum }]);
		Self {
			known,
			start: MAX_LEAVES - width,
			above,
			commitment: Commitment {
				count: MAX_LEAVES,
				..above_all
			},
		}
	}

	/// The known leaf number `number`, opened.
	fn open<L: Leaf>(&self, number: u32, leaf: L) -> Opened<L> {
		let mut proof = self.known.proof(number).expect("it is known");
		proof.extend(&self.above);
		let opened = Opened {
			index: self.start + number,
			leaf,
			proof: proof.try_into().expect("a node for each level"),
		};
		assert!(opened.before(&self.commitment).is_ok());
		opened
	}
}

fn adapter_of(payee: &Payee) -> AdapterId {
	match payee {
		Payee::Contributor { adapter, .. } => *adapter,
		other => panic!("{other:?} is no contributor"),
	}
}

/// A channel that pays `provider`, whose first lane earned all of the epoch's money and acknowledged
/// `receipts`.
fn channel<T: Config>(provider: &AccountId, receipts: Hash) -> ChannelId {
	let channel = T::BenchmarkHelper::channel(provider);
	put_source::<T>(provider, channel, receipts);
	channel
}

fn put_source<T: Config>(provider: &AccountId, channel: ChannelId, receipts: Hash) {
	let source = Source {
		licence: LICENCE,
		total: LICENCE,
		receipts,
	};
	Sources::<T>::insert((provider, EPOCH), (channel, 0, 0), source);
}

/// A receipt of an answer by the adapter that contributor `number` contributed to, on a channel of its
/// own. Nothing is wrong with it.
fn receipt<T: Config>(provider: &AccountId, number: u32) -> Receipt {
	let facts = T::Facts::default();
	let id = adapter_of(&T::BenchmarkHelper::contributor(number));
	let adapter = facts.adapter(id).expect("the adapter exists");
	let base = facts.base_rate(adapter.base).expect("its base exists");
	let rate = base.checked_add(&adapter.rate).expect("low rates");
	let tokens_out = 1_000_000;
	Receipt {
		genesis: facts.genesis(),
		channel: channel::<T>(provider, Hash::zero()),
		generation: 0,
		lane: 0,
		sequence: number,
		base: adapter.base,
		adapter: Some(id),
		tokens_in: 0,
		tokens_out,
		quote: 1,
		compute: 0,
		licence: rate.charge(0, tokens_out).expect("low rates"),
		request: Hash::repeat_byte(3),
		response: Hash::repeat_byte(4),
		algorithm: adapter.algorithm,
		index: adapter.index,
		attribution: Hash::repeat_byte(5),
	}
}

fn leaf_of(receipt: &Receipt, paid: Balance) -> ReceiptLeaf {
	ReceiptLeaf {
		receipt: receipt.digest(),
		paid,
	}
}

/// The units that an audit draws from a tree, each with the number of its draw, in their order in the
/// tree.
fn draws(seed: Hash, tree: AuditTree, sum: Balance) -> Vec<(Balance, u32)> {
	let draw = |number| audit_draw(seed, tree, number, sum).expect("there is money");
	let mut draws: Vec<_> = (0..AUDIT_LEAVES)
		.map(|number| (draw(number), number))
		.collect();
	draws.sort();
	draws
}

/// Leaves of one unit each, at the units of `draws`, with made-up leaves over what lies between them.
/// The `n`th of them is leaf `2n + 1`.
fn leaves_at(draws: &[(Balance, u32)], leaves: &[impl Leaf]) -> Vec<Node> {
	let mut end = 0;
	let mut nodes = Vec::new();
	for ((unit, _), leaf) in draws.iter().zip(leaves) {
		let hash = Hash::repeat_byte(2);
		nodes.push(Node {
			hash,
			sum: unit - end,
		});
		nodes.push(leaf.node());
		end = unit + 1;
	}
	nodes
}

/// Orders what was made in the order of the tree by the numbers of the draws.
fn by_number<I: Clone, S: Get<u32>>(draws: &[(Balance, u32)], shown: &[I]) -> BoundedVec<I, S> {
	let mut numbered: Vec<_> = draws.iter().map(|(_, number)| *number).zip(shown).collect();
	numbered.sort_by_key(|(number, _)| *number);
	let shown: Vec<_> = numbered
		.into_iter()
		.map(|(_, shown)| shown.clone())
		.collect();
	BoundedVec::truncate_from(shown)
}

/// Commits `report` to receipts and parts as an audit with `seed` draws them, all of different payees,
/// adapters and channels, in trees of the greatest depth. What answers the audit.
fn audited<T: Config>(report: &mut Report, seed: Hash) -> AuditAnswer {
	let provider = report.reporter.clone();
	let of_receipts = draws(seed, AuditTree::Receipts, LICENCE);
	let of_parts = draws(seed, AuditTree::Parts, NET);
	let drawn: Vec<_> = (0..AUDIT_LEAVES)
		.map(|number| receipt::<T>(&provider, number))
		.collect();
	let shared: Vec<_> = (0..AUDIT_LEAVES)
		.map(|number| receipt::<T>(&provider, AUDIT_LEAVES + number))
		.collect();

	// What was drawn of the receipts; those that the parts are of; the rest.
	let drawn_leaves: Vec<_> = drawn.iter().map(|receipt| leaf_of(receipt, 1)).collect();
	let mut nodes = leaves_at(&of_receipts, &drawn_leaves);
	let first_shared = 2 * AUDIT_LEAVES;
	let rest = LICENCE - nodes.iter().map(|node| node.sum).sum::<Balance>();
	let each = rest / 8;
	let shared_leaves: Vec<_> = shared
		.iter()
		.map(|receipt| leaf_of(receipt, each))
		.collect();
	nodes.extend(shared_leaves.iter().map(Leaf::node));
	nodes.push(Node {
		hash: Hash::repeat_byte(2),
		sum: rest - each * Balance::from(AUDIT_LEAVES),
	});
	let receipts = HighTree::new(nodes);

	let payees: Vec<_> = (0..AUDIT_LEAVES)
		.map(|number| T::BenchmarkHelper::contributor(AUDIT_LEAVES + number))
		.collect();
	let index = |rank: u32| receipts.start + first_shared + rank;
	let part_leaves: Vec<_> = (0u32..)
		.zip(&payees)
		.map(|(rank, payee)| PartLeaf {
			payee: *payee,
			receipt: index(rank),
			amount: 1,
		})
		.collect();
	let payout_leaves: Vec<_> = payees
		.iter()
		.map(|payee| PayoutLeaf {
			payee: *payee,
			amount: 1,
		})
		.collect();
	let tree = |mut nodes: Vec<Node>| {
		let rest = NET - nodes.iter().map(|node| node.sum).sum::<Balance>();
		nodes.push(Node {
			hash: Hash::repeat_byte(2),
			sum: rest,
		});
		HighTree::new(nodes)
	};
	let parts = tree(leaves_at(&of_parts, &part_leaves));
	let payouts = tree(leaves_at(&of_parts, &payout_leaves));
	report.receipts = receipts.commitment;
	report.parts = parts.commitment;
	report.payouts = payouts.commitment;

	let show = |place: u32, leaf: ReceiptLeaf, receipt: &Receipt| ShownReceipt {
		leaf: receipts.open(place, leaf),
		receipt: Some(receipt.clone()),
	};
	let shown_receipts: Vec<_> = (0u32..)
		.zip(drawn_leaves.iter().zip(&drawn))
		.map(|(rank, (leaf, receipt))| show(2 * rank + 1, *leaf, receipt))
		.collect();
	let shown_parts: Vec<_> = (0u32..)
		.zip(part_leaves.iter().zip(&payout_leaves))
		.map(|(rank, (part, payout))| ShownPart {
			part: parts.open(2 * rank + 1, *part),
			payout: payouts.open(2 * rank + 1, *payout),
			of: show(
				first_shared + rank,
				shared_leaves[rank as usize],
				&shared[rank as usize],
			),
		})
		.collect();
	AuditAnswer {
		receipts: by_number(&of_receipts, &shown_receipts),
		parts: by_number(&of_parts, &shown_parts),
	}
}

/// A hash like no other of its kind.
fn numbered(number: u32) -> Hash {
	let mut bytes = [0; 32];
	let (_, last) = bytes.split_at_mut(28);
	last.copy_from_slice(&number.to_be_bytes());
	bytes.into()
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// In a block that begins no epoch. The drawing of audits is measured apart.
	#[benchmark]
	fn on_initialize() {
		begin::<T>(0);
		let before = Entropy::<T>::get();

		#[block]
		{
			assert!(!Pallet::<T>::roll_epoch());
			Pallet::<T>::stir();
		}

		assert_ne!(Entropy::<T>::get(), before);
	}

	/// In a block that begins an epoch with new terms.
	#[benchmark]
	fn begin_epoch() {
		begin::<T>(0);
		CurrentEpoch::<T>::mutate(|epoch| epoch.start = NOW - epoch.length);
		TermsOf::<T>::insert(
			TERMS,
			Terms {
				cap: T::Terms::get().cap ^ 1,
				..T::Terms::get()
			},
		);

		#[block]
		{
			assert!(Pallet::<T>::roll_epoch());
			Pallet::<T>::stir();
		}

		assert_eq!(CurrentEpoch::<T>::get().index, EPOCH + 1);
		assert_eq!(TermsOf::<T>::get(TERMS + 1), Some(T::Terms::get()));
	}

	/// By the hot key, against a deposit since the bond does not answer for the pots; as the last of as
	/// many reports as a block may have.
	#[benchmark]
	fn report() {
		begin::<T>(1);
		let (provider, hot_key) = T::BenchmarkHelper::provider(BOND);
		let deposit = uncover::<T>(&provider, &hot_key);
		fill_draws::<T>();
		let [receipts, parts, payouts] = commitments();

		#[extrinsic_call]
		_(
			RawOrigin::Signed(hot_key.clone()),
			EPOCH,
			receipts,
			parts,
			payouts,
		);

		assert_reported::<T>(&provider, &hot_key, deposit);
	}

	/// The last `l` payouts of as deep a tree as there may be, whose number needs padding at each level.
	/// Each payee is a contributor of another adapter, which has the longest lineage; the report was made
	/// by another than the provider, after one that was proven wrong, and its deposit is given back; an
	/// audit was demanded of it.
	#[benchmark]
	fn settle(l: Linear<1, MAX_SETTLE>) {
		begin::<T>(1);
		let provider = disproved::<T>();
		let leaves: Vec<_> = (0..l)
			.map(|number| PayoutLeaf {
				payee: T::BenchmarkHelper::contributor(number),
				amount: OPEN,
			})
			.collect();
		let count = MAX_LEAVES / 2 + 1;
		let nodes = leaves.iter().map(PayoutLeaf::node).collect();
		let (payouts, proof) = climb(count - l, count, nodes);
		let reporter: AccountId = account("reporter", 0, 0);
		hold::<T>(HoldReason::Report, &reporter, OPEN);
		put_answered::<T>(&provider);
		let made = Report {
			payouts,
			reporter: reporter.clone(),
			deposit: OPEN,
			open_at: NOW,
			settled: count - l,
			..open_report::<T>(&provider)
		};
		AtRisk::<T>::insert(&provider, 2 * payouts.sum);
		Reports::<T>::insert(&provider, EPOCH, made);
		let caller = whitelisted_caller();

		#[extrinsic_call]
		_(
			RawOrigin::Signed(caller),
			provider.clone(),
			EPOCH,
			leaves
				.clone()
				.try_into()
				.expect("no more than may be settled at once"),
			proof.try_into().expect("no longer than a proof may be"),
		);

		let made = Reports::<T>::get(&provider, EPOCH).expect("reports stay");
		assert_eq!((made.settled, made.deposit), (count, 0));
		assert!(!Disproved::<T>::contains_key(&provider, EPOCH));
		let held = T::Currency::balance_on_hold(&HoldReason::Report.into(), &reporter);
		assert_eq!(held, 0);
		for leaf in leaves {
			let account = T::Payees::account_of(&leaf.payee).expect("it can be paid");
			assert_eq!(Credits::<T>::get(&account), OPEN);
		}
		assert!(!Demands::<T>::contains_key(&provider, EPOCH));
	}

	/// For an account that does not exist.
	#[benchmark]
	fn claim() {
		begin::<T>(0);
		let beneficiary: AccountId = account("beneficiary", 0, 0);
		Pallet::<T>::credit_to(&beneficiary, OPEN);
		let caller = whitelisted_caller();

		#[extrinsic_call]
		_(RawOrigin::Signed(caller), beneficiary.clone());

		assert_eq!(T::Currency::balance(&beneficiary), OPEN);
		assert!(!Credits::<T>::contains_key(&beneficiary));
	}

	/// From `r` reports by different providers, all of which are drawn; of each an audit was demanded
	/// before.
	#[benchmark]
	fn draw_audits(r: Linear<0, MAX_REPORTS>) {
		begin::<T>(1);
		T::BenchmarkHelper::audit_all();
		let r = r.min(T::MaxReports::get());
		let providers: Vec<AccountId> = (0..r).map(|index| account("provider", index, 0)).collect();
		for provider in &providers {
			Reports::<T>::insert(provider, EPOCH, open_report::<T>(provider));
			put_answered::<T>(provider);
		}
		let listed: Vec<_> = providers.iter().map(|who| (who.clone(), EPOCH)).collect();
		if r > 0 {
			ToDraw::<T>::insert(NOW, BoundedVec::truncate_from(listed));
		}
		let drawn;

		#[block]
		{
			drawn = Pallet::<T>::draw_audits();
		}

		assert_eq!(drawn, r);
		assert!(!ToDraw::<T>::contains_key(NOW));
		for provider in providers {
			let made = Reports::<T>::get(&provider, EPOCH).expect("it was reported");
			assert!(made.audit.is_some());
		}
	}

	/// By the hot key, since more is looked up for it than for others, against a deposit as for
	/// [report]; as the last of as many reports as a block may have.
	#[benchmark]
	fn report_for() {
		begin::<T>(1);
		let (provider, hot_key) = T::BenchmarkHelper::provider(BOND);
		let deposit = uncover::<T>(&provider, &hot_key);
		fill_draws::<T>();
		let [receipts, parts, payouts] = commitments();

		#[extrinsic_call]
		_(
			RawOrigin::Signed(hot_key.clone()),
			provider.clone(),
			EPOCH,
			receipts,
			parts,
			payouts,
		);

		assert_reported::<T>(&provider, &hot_key, deposit);
	}

	/// A dispute that shows `b` bytes of digests, each of which is hashed on its own; no other kind has
	/// as much to do for a byte, but for opened leaves, which are [weighed](openings) apart. With it, the
	/// lookup of a payee, since another kind is about one. The reporter is a provider with a report that
	/// was proven wrong before; its deposit and its bond are slashed, and it is jailed. An audit was
	/// demanded, and its deposit is given back.
	#[benchmark]
	fn dispute(b: Linear<0, MAX_DIGESTS>) {
		begin::<T>(1);
		let provider = disproved::<T>();
		let acknowledged: Vec<_> = (0..b / 32).map(numbered).collect();
		let last = acknowledged.iter().copied().fold(Hash::zero(), acknowledge);
		let receipt = Receipt {
			channel: channel::<T>(&provider, last),
			sequence: u32::MAX,
			..super::receipt::<T>(&provider, 0)
		};
		let leaf = leaf_of(&receipt, LICENCE);
		let receipts = HighTree::new(vec![leaf.node()]);
		let made = Report {
			receipts: receipts.commitment,
			..report_with_deposit::<T>(&provider)
		};
		Reports::<T>::insert(&provider, EPOCH, made);
		demand::<T>(&provider);
		let call = Call::<T>::dispute {
			provider: provider.clone(),
			epoch: EPOCH,
			dispute: Box::new(Dispute::NotAcknowledged {
				leaf: receipts.open(0, leaf),
				receipt,
				acknowledged: BoundedVec::truncate_from(acknowledged),
			}),
		}
		.encode();
		let payee = T::BenchmarkHelper::contributor(1);
		let disputer: AccountId = whitelisted_caller();

		#[block]
		{
			assert!(T::Facts::default().is_payable(&payee));
			Call::<T>::decode(&mut &call[..])
				.expect("it was encoded above")
				.dispatch_bypass_filter(RawOrigin::Signed(disputer.clone()).into())
				.expect("the dispute is right");
		}

		assert_removed::<T>(&provider, &disputer);
	}

	/// Leaves in `o` other reports with trees of the greatest depth, and the receipt that they all name.
	#[benchmark]
	fn openings(o: Linear<0, MAX_PARTS>) {
		begin::<T>(1);
		let (provider, _) = T::BenchmarkHelper::provider(BOND);
		let receipt = super::receipt::<T>(&provider, 0);
		let leaf = leaf_of(&receipt, LICENCE);
		let tree = HighTree::new(vec![leaf.node()]);
		for epoch in 0..o {
			let made = Report {
				receipts: tree.commitment,
				..open_report::<T>(&provider)
			};
			Reports::<T>::insert(&provider, epoch, made);
		}
		let opened = tree.open(0, leaf).encode();
		let mut shown = 0;

		#[block]
		{
			for epoch in 0..o {
				let facts = T::Facts::default();
				let (reporter, receipts) =
					facts.reported(&provider, epoch).expect("it was reported");
				let opened =
					Opened::<ReceiptLeaf>::decode(&mut &opened[..]).expect("it was encoded above");
				assert_eq!(opened.before(&receipts), Ok(0));
				assert_eq!(receipt.digest(), opened.leaf.receipt);
				assert_eq!(reporter, provider);
				shown += 1;
			}
		}

		assert_eq!(shown, o);
	}

	/// With leaves of different payees, adapters and channels in trees of the greatest depth; somebody
	/// demanded the audit.
	#[benchmark]
	fn answer_audit() {
		begin::<T>(1);
		let (provider, _) = T::BenchmarkHelper::provider(BOND);
		let mut made = open_report::<T>(&provider);
		let seed = Hash::repeat_byte(6);
		let answer = audited::<T>(&mut made, seed);
		made.audit = Some(Audit {
			seed,
			due: NOW,
			missed: false,
		});
		Reports::<T>::insert(&provider, EPOCH, made);
		demand::<T>(&provider);
		let caller: AccountId = whitelisted_caller();

		#[extrinsic_call]
		_(
			RawOrigin::Signed(caller.clone()),
			provider.clone(),
			EPOCH,
			Box::new(answer),
		);

		let made = Reports::<T>::get(&provider, EPOCH).expect("it passed");
		assert_eq!(made.audit, None);
		assert_eq!(Credits::<T>::get(&caller), T::DemandDeposit::get());
	}

	/// Of a provider with a report that was proven wrong before, whose deposit and bond are slashed and
	/// which is jailed; somebody demanded the audit.
	#[benchmark]
	fn fail_audit() {
		begin::<T>(1);
		let provider = disproved::<T>();
		let made = Report {
			audit: Some(Audit {
				seed: Hash::repeat_byte(6),
				due: NOW - 1,
				missed: true,
			}),
			..report_with_deposit::<T>(&provider)
		};
		Reports::<T>::insert(&provider, EPOCH, made);
		let watcher = demand::<T>(&provider);
		let caller: AccountId = whitelisted_caller();

		#[extrinsic_call]
		_(RawOrigin::Signed(caller), provider.clone(), EPOCH);

		assert_removed::<T>(&provider, &watcher);
	}

	/// Of a report, settled in part, that the provider made against a deposit, after one that was proven
	/// wrong; an audit was demanded of it. Where nothing is settled, or nothing was reported, it is as
	/// [fail_audit], or has less to do.
	#[benchmark]
	fn forfeit() {
		begin::<T>(1);
		let provider = disproved::<T>();
		let made = Report {
			open_at: 1,
			settled: 1,
			paid: OPEN,
			..report_with_deposit::<T>(&provider)
		};
		Reports::<T>::insert(&provider, EPOCH, made);
		put_answered::<T>(&provider);
		let caller = whitelisted_caller();

		#[extrinsic_call]
		_(RawOrigin::Signed(caller), provider.clone(), EPOCH);

		let made = Reports::<T>::get(&provider, EPOCH).expect("it stays");
		assert_eq!((made.settled, made.paid), (MAX_LEAVES, NET));
		// The rest, and the deposit.
		assert_eq!(Credits::<T>::get(T::Treasury::get()), NET - OPEN + OPEN);
		assert!(!Disproved::<T>::contains_key(&provider, EPOCH));
		assert!(!Demands::<T>::contains_key(&provider, EPOCH));
	}

	/// As the last of as many reports as a block may draw audits from.
	#[benchmark]
	fn demand_audit() {
		begin::<T>(1);
		let provider = disproved::<T>();
		Reports::<T>::insert(&provider, EPOCH, open_report::<T>(&provider));
		fill_draws::<T>();
		let watcher: AccountId = account("watcher", 0, 0);
		let deposit = T::DemandDeposit::get();
		T::Currency::mint_into(&watcher, 2 * deposit + OPEN)
			.expect("benchmarks hand out less than there can be");

		#[extrinsic_call]
		_(RawOrigin::Signed(watcher.clone()), provider.clone(), EPOCH);

		let demand = Demands::<T>::get(&provider, EPOCH).expect("it was demanded");
		assert_eq!((&demand.by, demand.deposit), (&watcher, deposit));
		let held = T::Currency::balance_on_hold(&HoldReason::Demand.into(), &watcher);
		assert_eq!(held, deposit);
	}

	/// Of a pot with more sources than that.
	#[benchmark]
	fn sweep(s: Linear<1, MAX_SWEEP>) {
		begin::<T>(1);
		let (provider, _) = T::BenchmarkHelper::provider(BOND);
		let made = open_report::<T>(&provider);
		let made = Report {
			settled: made.payouts.count,
			paid: made.payouts.sum,
			..made
		};
		Reports::<T>::insert(&provider, EPOCH, made);
		for channel in 0..=s {
			put_source::<T>(&provider, channel.into(), Hash::zero());
		}
		let caller = whitelisted_caller();

		#[extrinsic_call]
		_(RawOrigin::Signed(caller), provider.clone(), EPOCH, s);

		assert_eq!(Sources::<T>::iter_key_prefix((provider, EPOCH)).count(), 1);
	}

	impl_benchmark_test_suite!(
		Pallet,
		crate::mock::ExtBuilder::default().build(),
		crate::mock::Test
	);
}
