//! Disputes: an honest report can never be disputed, and every lie can.
#![allow(clippy::unwrap_used)]

use openledger_primitives::{
	content_hash,
	dispute::{
		audit_draw, AdapterFact, AuditAnswer, AuditTree, ChainFacts, ChannelFact, Dispute, Fault,
		Leaf, NotProven, Opened, ReportFacts, ShownPart, ShownReceipt, Source, SpanEvidence,
		AUDIT_LEAVES, MAX_ACKNOWLEDGED,
	},
	merkle::{self, Tree},
	report::{parts, parts_tree, payouts, payouts_tree, receipts_tree, Earning},
	voucher::acknowledge,
	AccountId, AdapterId, Attribution, Balance, BaseModelId, ChannelId, Commitment, ContributionId,
	DatanetId, EpochIndex, Generation, Hash, Lane, PartLeaf, Payee, PayoutLeaf, Rate, Receipt,
	ReceiptLeaf, RecordLeaf, Score, Span, Terms,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

const RECORD: &[u8] = b"Leeks are sliced before they are washed.";
const ANSWER: &[u8] = b"First, leeks are sliced, then washed.";

/// The epoch that is reported.
const EPOCH: EpochIndex = 5;
/// The lane that earned it, unless there are several.
const LANE: Lane = 3;

fn provider() -> AccountId {
	[1; 32].into()
}

/// The chain as the tests know it: base model 0, adapters 0 and 1 on it, channel 0 to the provider,
/// channel 1 to another, channel 2 closed, contributions 0 to 299 of Datanet 0.
#[derive(Clone, Default)]
struct World {
	/// What was redeemed of the lanes that were used; `None` before any account was kept.
	sources: Option<BTreeMap<(ChannelId, Generation, Lane), Source>>,
	reported: BTreeMap<EpochIndex, (AccountId, Commitment)>,
}

fn records() -> Tree {
	let leaf = |text: &[u8]| {
		RecordLeaf {
			record: content_hash(text),
			bytes: text.len() as u32,
		}
		.node()
	};
	Tree::new(vec![leaf(RECORD), leaf(b"another"), leaf(b"short")]).unwrap()
}

impl ChainFacts for World {
	fn genesis(&self) -> Hash {
		Hash::repeat_byte(7)
	}

	fn channel(&self, channel: ChannelId) -> ChannelFact {
		match channel {
			0 => ChannelFact::Open {
				provider: provider(),
			},
			1 => ChannelFact::Open {
				provider: [2; 32].into(),
			},
			2 => ChannelFact::Closed,
			_ => ChannelFact::NeverOpened,
		}
	}

	fn source(
		&self,
		who: &AccountId,
		epoch: EpochIndex,
		channel: ChannelId,
		generation: Generation,
		lane: Lane,
	) -> Option<Source> {
		let sources = self.sources.as_ref()?;
		let source = sources.get(&(channel, generation, lane));
		Some(
			source
				.filter(|_| *who == provider() && epoch == EPOCH)
				.copied()
				.unwrap_or_default(),
		)
	}

	fn base_rate(&self, base: BaseModelId) -> Option<Rate> {
		(base == 0).then_some(Rate {
			input: 3_000,
			output: 7_001,
		})
	}

	fn adapter(&self, adapter: AdapterId) -> Option<AdapterFact> {
		(adapter < 2).then_some(AdapterFact {
			base: 0,
			rate: Rate {
				input: 1_000,
				output: 2_000,
			},
			algorithm: 1,
			index: Hash::repeat_byte(5),
		})
	}

	fn is_payable(&self, payee: &Payee) -> bool {
		match payee {
			Payee::BaseOwner(base) => *base == 0,
			Payee::AdapterOwner(adapter) => *adapter < 2,
			Payee::Stakers | Payee::Treasury => true,
			Payee::Contributor {
				adapter,
				datanet,
				contribution,
			} => *adapter < 2 && *datanet == 0 && *contribution < 300,
		}
	}

	fn records(&self, datanet: DatanetId, contribution: ContributionId) -> Option<Commitment> {
		(datanet == 0 && contribution == 0).then(|| records().commitment())
	}

	fn reported(&self, _: &AccountId, epoch: EpochIndex) -> Option<(AccountId, Commitment)> {
		self.reported.get(&epoch).cloned()
	}
}

/// A report with everything behind it.
#[derive(Clone)]
struct Book {
	receipts: Vec<Receipt>,
	receipt_leaves: Vec<ReceiptLeaf>,
	parts: Vec<PartLeaf>,
	payouts: Vec<PayoutLeaf>,
	terms: Terms,
}

/// An answer: adapter and the weights of contributors, tokens, parts per thousand that are paid.
type Asked = (Option<(AdapterId, Vec<u64>)>, u32, u32, u32);

fn attribution() -> Attribution {
	let at = |text: &[u8]| {
		text.windows(15)
			.position(|window| window == b"eeks are sliced")
			.unwrap() as u32
	};
	Attribution {
		algorithm: 1,
		scores: vec![Score {
			datanet: 0,
			contribution: 0,
			weight: 15,
		}],
		spans: vec![Span {
			datanet: 0,
			contribution: 0,
			record: content_hash(RECORD),
			record_index: 0,
			record_offset: at(RECORD),
			answer_offset: at(ANSWER),
			length: 15,
			weight: 15,
		}],
	}
}

fn receipt(sequence: u32, adapter: Option<AdapterId>, tokens_in: u32, tokens_out: u32) -> Receipt {
	let world = World::default();
	let mut rate = world.base_rate(0).unwrap();
	if let Some(adapter) = adapter {
		rate = rate
			.checked_add(&world.adapter(adapter).unwrap().rate)
			.unwrap();
	}
	Receipt {
		genesis: world.genesis(),
		channel: 0,
		generation: 0,
		lane: LANE,
		sequence,
		base: 0,
		adapter,
		tokens_in,
		tokens_out,
		quote: 1,
		compute: 99,
		licence: rate.charge(tokens_in, tokens_out).unwrap(),
		request: Hash::repeat_byte(8),
		response: content_hash(ANSWER),
		algorithm: u16::from(adapter.is_some()),
		index: adapter.map_or(Hash::zero(), |_| Hash::repeat_byte(5)),
		attribution: attribution().digest(),
	}
}

impl Book {
	fn honest(asked: &[Asked], unexplained: Option<Balance>, terms: Terms) -> Self {
		let mut receipts = Vec::new();
		let mut receipt_leaves = Vec::new();
		let mut earnings = Vec::new();
		for (sequence, (adapter, tokens_in, tokens_out, permille)) in (0..).zip(asked) {
			let receipt = receipt(
				sequence,
				adapter.as_ref().map(|(id, _)| *id),
				*tokens_in,
				*tokens_out,
			);
			let paid = receipt.licence * Balance::from(*permille) / 1_000;
			receipt_leaves.push(ReceiptLeaf {
				receipt: receipt.digest(),
				paid,
			});
			earnings.push(Earning {
				paid,
				base: Some(0),
				adapter: adapter.clone().map(|(id, weights)| {
					let weights = (0..).zip(weights);
					(
						id,
						weights.map(|(c, weight)| (0, c, weight.into())).collect(),
					)
				}),
			});
			receipts.push(receipt);
		}
		if let Some(paid) = unexplained {
			receipt_leaves.push(ReceiptLeaf {
				receipt: Hash::zero(),
				paid,
			});
			earnings.push(Earning {
				paid,
				base: None,
				adapter: None,
			});
		}
		let licence: Balance = earnings.iter().map(|earning| earning.paid).sum();
		let parts = parts(licence, licence - licence / 20, &earnings, &terms).unwrap();
		Self {
			receipts,
			receipt_leaves,
			payouts: payouts(&parts).unwrap(),
			parts,
			terms,
		}
	}

	fn usual() -> Self {
		let asked = [
			(Some((0, vec![3, 1, 0])), 20, 100, 1_000),
			(None, 5, 60, 1_000),
			(Some((1, vec![1, 1, 1])), 9, 40, 500),
			(Some((0, vec![])), 9, 40, 1_000),
		];
		Self::honest(&asked, Some(100), Terms::default())
	}

	fn facts(&self) -> ReportFacts {
		ReportFacts {
			provider: provider(),
			epoch: EPOCH,
			reporter: provider(),
			receipts: receipts_tree(&self.receipt_leaves).unwrap().commitment(),
			parts: parts_tree(&self.parts).unwrap().commitment(),
			payouts: payouts_tree(&self.payouts).unwrap().commitment(),
			terms: self.terms,
		}
	}

	fn check(&self, dispute: Dispute) -> Result<Fault, NotProven> {
		dispute.check(&self.facts(), &self.world())
	}

	/// The chain after the payers acknowledged all receipts and paid what was counted of them; money that
	/// is not explained came from a lane of its own.
	fn world(&self) -> World {
		let mut sources = BTreeMap::<_, Source>::new();
		for (receipt, leaf) in self.receipts.iter().zip(&self.receipt_leaves) {
			let lane = (receipt.channel, receipt.generation, receipt.lane);
			let source = sources.entry(lane).or_default();
			source.licence += leaf.paid;
			source.total += receipt.licence;
			source.receipts = acknowledge(source.receipts, receipt.digest());
		}
		World {
			sources: Some(sources),
			..World::default()
		}
	}

	/// The digests of a lane's receipts.
	fn acknowledged(&self, lane: Lane) -> Vec<Hash> {
		self.of_lane(lane).iter().map(Receipt::digest).collect()
	}

	fn of_lane(&self, lane: Lane) -> Vec<Receipt> {
		let mut receipts = self.receipts.clone();
		receipts.retain(|receipt| receipt.lane == lane);
		receipts
	}

	/// That the receipts from one to another count more than their lane earned.
	fn lane_exceeded(&self, first: usize, last: usize) -> Dispute {
		Dispute::LaneExceeded {
			first: self.leaf(first),
			first_receipt: self.receipts[first].clone(),
			last: self.leaf(last),
			last_receipt: self.receipts[last].clone(),
		}
	}

	fn digests(&self) -> Vec<Hash> {
		self.receipts.iter().map(Receipt::digest).collect()
	}

	fn leaf(&self, index: usize) -> Opened<ReceiptLeaf> {
		open(&self.receipt_leaves, index)
	}

	fn part(&self, index: usize) -> Opened<PartLeaf> {
		open(&self.parts, index)
	}

	fn payout(&self, index: usize) -> Opened<PayoutLeaf> {
		open(&self.payouts, index)
	}

	fn part_of(&self, payee: Payee, receipt: u32) -> usize {
		self.parts
			.iter()
			.position(|part| part.payee == payee && part.receipt == receipt)
			.unwrap()
	}

	fn wrong_part(&self, index: usize) -> Dispute {
		let receipt = self.parts[index].receipt as usize;
		Dispute::WrongPart {
			part: self.part(index),
			leaf: self.leaf(receipt),
			receipt: self.receipts.get(receipt).cloned(),
		}
	}

	fn data_exceeded(&self, receipt: usize) -> Dispute {
		let of_data = |part: &PartLeaf| {
			part.receipt as usize == receipt
				&& matches!(part.payee, Payee::Contributor { .. } | Payee::Treasury)
		};
		Dispute::DataExceeded {
			leaf: self.leaf(receipt),
			receipt: self.receipts[receipt].clone(),
			parts: (0..self.parts.len())
				.filter(|index| of_data(&self.parts[*index]))
				.map(|index| self.part(index))
				.collect::<Vec<_>>()
				.try_into()
				.unwrap(),
		}
	}

	fn false_span(&self, receipt: usize, evidence: SpanEvidence) -> Dispute {
		Dispute::FalseSpan {
			leaf: self.leaf(receipt),
			receipt: self.receipts[receipt].clone(),
			attribution: attribution(),
			span: 0,
			evidence,
		}
	}

	/// Every dispute that can be filed with true data.
	fn all_disputes(&self) -> Vec<Dispute> {
		let mut all = Vec::new();
		for first in 0..self.receipt_leaves.len() {
			for second in 0..self.receipt_leaves.len() {
				all.push(Dispute::Unexplained {
					leaf: self.leaf(first),
				});
				all.push(Dispute::DuplicateReceipt {
					first: self.leaf(first),
					second: self.leaf(second),
				});
			}
		}
		for (index, receipt) in self.receipts.iter().enumerate() {
			let (leaf, receipt) = (self.leaf(index), receipt.clone());
			all.push(Dispute::WrongReceipt {
				leaf: leaf.clone(),
				receipt: receipt.clone(),
			});
			all.push(Dispute::Overpaid {
				leaf: leaf.clone(),
				receipt: receipt.clone(),
			});
			all.push(Dispute::NotAcknowledged {
				leaf: leaf.clone(),
				receipt: receipt.clone(),
				acknowledged: self.acknowledged(receipt.lane).try_into().unwrap(),
			});
			all.push(Dispute::NotRedeemed {
				leaf: leaf.clone(),
				receipt: receipt.clone(),
				acknowledged: self.of_lane(receipt.lane).try_into().unwrap(),
			});
			for last in 0..self.receipts.len() {
				all.push(self.lane_exceeded(index, last));
			}
			all.push(self.data_exceeded(index));
			let record = |index: u32| {
				let leaf = [RECORD, b"another", b"short"][index as usize];
				SpanEvidence::Record(Opened {
					index,
					leaf: RecordLeaf {
						record: content_hash(leaf),
						bytes: leaf.len() as u32,
					},
					proof: records().proof(index).unwrap().try_into().unwrap(),
				})
			};
			for evidence in [
				SpanEvidence::OutOfTree,
				SpanEvidence::Texts {
					record: RECORD.to_vec().try_into().unwrap(),
					answer: ANSWER.to_vec().try_into().unwrap(),
				},
				record(0),
				record(1),
				record(2),
			] {
				all.push(self.false_span(index, evidence));
			}
		}
		for first in 0..self.parts.len() {
			all.push(self.wrong_part(first));
			all.push(Dispute::PartWithoutReceipt {
				part: self.part(first),
			});
			for second in 0..self.parts.len() {
				all.push(Dispute::DuplicatePart {
					first: self.part(first),
					second: self.part(second),
				});
			}
			for payout in 0..self.payouts.len() {
				all.push(Dispute::Misplaced {
					part: self.part(first),
					payout: self.payout(payout),
				});
			}
		}
		for payout in 0..self.payouts.len() {
			all.push(Dispute::UnknownPayee {
				payout: self.payout(payout),
			});
			all.push(Dispute::EmptyPayout {
				payout: self.payout(payout),
			});
			for second in 0..self.payouts.len() {
				all.push(Dispute::PayoutsDisordered {
					first: self.payout(payout),
					second: self.payout(second),
				});
			}
		}
		all
	}

	fn shown(&self, index: usize) -> ShownReceipt {
		ShownReceipt {
			leaf: self.leaf(index),
			receipt: self.receipts.get(index).cloned(),
		}
	}

	/// What an honest reporter answers to an audit.
	fn answer(&self, seed: Hash) -> AuditAnswer {
		let find = |amounts: Vec<Balance>, unit: Balance| {
			let mut end = 0;
			let holds = |amount: &Balance| {
				end += amount;
				unit < end
			};
			amounts.iter().position(holds).unwrap()
		};
		let facts = self.facts();
		let paid = || self.receipt_leaves.iter().map(|leaf| leaf.paid).collect();
		let parts = || self.parts.iter().map(|part| part.amount).collect();
		let payouts = || self.payouts.iter().map(|payout| payout.amount).collect();
		let receipts = (0..AUDIT_LEAVES).map(|number| {
			let unit = audit_draw(seed, AuditTree::Receipts, number, facts.receipts.sum).unwrap();
			self.shown(find(paid(), unit))
		});
		let shown_parts = (0..AUDIT_LEAVES).map(|number| {
			let unit = audit_draw(seed, AuditTree::Parts, number, facts.parts.sum).unwrap();
			let part = find(parts(), unit);
			ShownPart {
				part: self.part(part),
				payout: self.payout(find(payouts(), unit)),
				of: self.shown(self.parts[part].receipt as usize),
			}
		});
		AuditAnswer {
			receipts: receipts.collect::<Vec<_>>().try_into().unwrap(),
			parts: shown_parts.collect::<Vec<_>>().try_into().unwrap(),
		}
	}

	/// Puts the payouts in accord with the parts, as a careful cheat does.
	fn repay(&mut self) {
		self.payouts = payouts(&self.parts).unwrap();
	}

	/// Replaces a receipt with another of the same price.
	fn forge(&mut self, index: usize, change: impl FnOnce(&mut Receipt)) {
		change(&mut self.receipts[index]);
		self.receipt_leaves[index].receipt = self.receipts[index].digest();
	}
}

fn fold(digests: &[Hash]) -> Hash {
	digests.iter().fold(Hash::zero(), |accumulator, digest| {
		acknowledge(accumulator, *digest)
	})
}

fn open<L: Leaf + Clone>(leaves: &[L], index: usize) -> Opened<L> {
	let tree = Tree::new(leaves.iter().map(Leaf::node).collect()).unwrap();
	Opened {
		index: index as u32,
		leaf: leaves[index].clone(),
		proof: tree.proof(index as u32).unwrap().try_into().unwrap(),
	}
}

fn contributor(adapter: AdapterId, contribution: ContributionId) -> Payee {
	Payee::Contributor {
		adapter,
		datanet: 0,
		contribution,
	}
}

fn terms() -> impl Strategy<Value = Terms> {
	prop::array::uniform3(0..=1_000_000u32).prop_map(|mut cuts| {
		cuts.sort_unstable();
		Terms {
			base_owner: cuts[0],
			adapter_owner: cuts[1] - cuts[0],
			stakers: cuts[2] - cuts[1],
			data: 1_000_000 - cuts[2],
			..Terms::default()
		}
	})
}

/// Spreads the receipts over lanes, as a worker lists them: those of a lane side by side, in sequence.
fn spread(book: &mut Book, lanes: &[bool]) {
	let (mut lane, mut sequence) = (0, 0);
	for index in 0..book.receipts.len() {
		if lanes.get(index) == Some(&true) {
			(lane, sequence) = (lane + 1, 0);
		}
		book.forge(index, |receipt| {
			(receipt.lane, receipt.sequence) = (lane, sequence)
		});
		sequence += 1;
	}
}

fn asked() -> impl Strategy<Value = Asked> {
	let weights = prop::collection::vec(0u64..1_000, 0..5);
	(
		prop::option::of((0u32..2, weights)),
		0u32..50,
		0u32..200,
		0u32..=1_000,
	)
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(48))]

	#[test]
	fn an_honest_report_should_never_be_disputed(
		asked in prop::collection::vec(asked(), 1..5),
		unexplained in prop::option::of(1u128..1_000),
		terms in terms(),
		lanes in prop::collection::vec(any::<bool>(), 5),
	) {
		let total: u32 = asked.iter().map(|(_, i, o, p)| (i + o) * p).sum();
		prop_assume!(total > 1_000);
		let mut book = Book::honest(&asked, unexplained, terms);
		spread(&mut book, &lanes);
		for dispute in book.all_disputes() {
			let verdict = book.check(dispute.clone());
			prop_assert!(verdict.is_err(), "{verdict:?} {dispute:?}");
		}
	}

	#[test]
	fn an_honest_reporter_should_pass_every_audit_and_only_with_the_leaves_drawn(
		asked in prop::collection::vec(asked(), 1..5),
		unexplained in prop::option::of(1u128..1_000),
		seed: [u8; 32],
		other: [u8; 32],
	) {
		let total: u32 = asked.iter().map(|(_, i, o, p)| (i + o) * p).sum();
		prop_assume!(total > 1_000);
		let book = Book::honest(&asked, unexplained, Terms::default());
		let answer = book.answer(seed.into());
		let verdict = answer.check(seed.into(), &book.facts(), &book.world());
		prop_assert_eq!(verdict, Ok(()));
		let others = book.answer(other.into());
		let verdict = others.check(seed.into(), &book.facts(), &book.world());
		prop_assert_eq!(verdict.is_ok(), others == answer);
	}

	#[test]
	fn money_moved_between_any_two_parts_should_be_found(
		asked in prop::collection::vec(asked(), 1..5),
		from: prop::sample::Index,
		to: prop::sample::Index,
		amount in 1u128..1_000,
	) {
		let total: u32 = asked.iter().map(|(_, i, o, p)| (i + o) * p).sum();
		prop_assume!(total > 1_000);
		let mut book = Book::honest(&asked, None, Terms::default());
		let (from, to) = (from.index(book.parts.len()), to.index(book.parts.len()));
		let is_data = |part: &PartLeaf| {
			matches!(part.payee, Payee::Contributor { .. } | Payee::Treasury)
		};
		let (source, target) = (book.parts[from], book.parts[to]);
		// Within one answer's data share it is a matter of opinion who gets how much.
		let semantic = is_data(&source) && is_data(&target) && source.receipt == target.receipt;
		prop_assume!(from != to && !semantic);
		let amount = amount.min(source.amount);
		book.parts[from].amount -= amount;
		book.parts[to].amount += amount;
		book.repay();
		let found = book
			.all_disputes()
			.into_iter()
			.any(|dispute| book.check(dispute).is_ok());
		prop_assert!(found);
	}

	#[test]
	fn payouts_that_are_not_the_sums_of_parts_should_be_found(
		asked in prop::collection::vec(asked(), 1..5),
		from: prop::sample::Index,
		to: prop::sample::Index,
		amount in 1u128..1_000,
	) {
		let total: u32 = asked.iter().map(|(_, i, o, p)| (i + o) * p).sum();
		prop_assume!(total > 1_000);
		let mut book = Book::honest(&asked, None, Terms::default());
		let (from, to) = (from.index(book.payouts.len()), to.index(book.payouts.len()));
		prop_assume!(from != to);
		let amount = amount.min(book.payouts[from].amount);
		book.payouts[from].amount -= amount;
		book.payouts[to].amount += amount;
		let found = book
			.all_disputes()
			.into_iter()
			.any(|dispute| book.check(dispute) == Ok(Fault::Misplaced));
		prop_assert!(found);
	}
}

#[test]
fn the_usual_report_should_stand() {
	let book = Book::usual();
	for dispute in book.all_disputes() {
		assert!(book.check(dispute.clone()).is_err(), "{dispute:?}");
	}
}

#[test]
fn a_receipt_counted_twice_should_be_found_but_not_money_without_one() {
	let mut book = Book::usual();
	book.receipt_leaves[2].receipt = book.receipt_leaves[0].receipt;
	let dispute = |first, second| Dispute::DuplicateReceipt {
		first: book.leaf(first),
		second: book.leaf(second),
	};
	assert_eq!(book.check(dispute(0, 2)), Ok(Fault::DuplicateReceipt));
	assert_eq!(book.check(dispute(0, 0)), Err(NotProven::Holds));
	assert_eq!(book.check(dispute(0, 1)), Err(NotProven::Holds));
	let mut lost = Book::usual();
	lost.receipt_leaves[0].receipt = Hash::zero();
	let dispute = Dispute::DuplicateReceipt {
		first: lost.leaf(0),
		second: lost.leaf(4),
	};
	assert_eq!(lost.check(dispute), Err(NotProven::Holds));
}

#[test]
fn receipts_that_contradict_the_chain_should_be_found() {
	type Change = fn(&mut Receipt);
	let cases: [(Change, Fault); 11] = [
		(|receipt| receipt.genesis = Hash::zero(), Fault::WrongChain),
		(|receipt| receipt.channel = 9, Fault::UnknownChannel),
		(|receipt| receipt.channel = 1, Fault::ForeignChannel),
		(|receipt| receipt.base = 1, Fault::UnknownBase),
		(|receipt| receipt.adapter = Some(2), Fault::UnknownAdapter),
		(|receipt| receipt.algorithm = 0, Fault::WrongAlgorithm),
		(|receipt| receipt.index = Hash::zero(), Fault::WrongIndex),
		(|receipt| receipt.licence += 1, Fault::WrongPrice),
		(|receipt| receipt.licence -= 1, Fault::WrongPrice),
		(|receipt| receipt.tokens_out += 1, Fault::WrongPrice),
		(|receipt| receipt.adapter = None, Fault::WrongIndex),
	];
	for (change, fault) in cases {
		let mut book = Book::usual();
		book.forge(0, change);
		let dispute = Dispute::WrongReceipt {
			leaf: book.leaf(0),
			receipt: book.receipts[0].clone(),
		};
		assert_eq!(book.check(dispute), Ok(fault));
	}
	// A channel that was closed tells nothing any more.
	let mut book = Book::usual();
	book.forge(0, |receipt| receipt.channel = 2);
	let dispute = Dispute::WrongReceipt {
		leaf: book.leaf(0),
		receipt: book.receipts[0].clone(),
	};
	assert_eq!(book.check(dispute), Err(NotProven::Holds));
}

#[test]
fn a_receipt_that_is_not_the_one_committed_to_should_prove_nothing() {
	let book = Book::usual();
	let mut receipt = book.receipts[0].clone();
	receipt.licence = 0;
	let leaf = book.leaf(0);
	for dispute in [
		Dispute::WrongReceipt {
			leaf: leaf.clone(),
			receipt: receipt.clone(),
		},
		Dispute::Overpaid { leaf, receipt },
	] {
		assert_eq!(book.check(dispute), Err(NotProven::Preimage));
	}
}

#[test]
fn a_leaf_at_another_place_should_prove_nothing() {
	let book = Book::usual();
	let mut moved = book.leaf(0);
	moved.index = 1;
	let dispute = Dispute::Overpaid {
		leaf: moved,
		receipt: book.receipts[0].clone(),
	};
	let refused = book.check(dispute);
	assert_eq!(
		refused,
		Err(NotProven::Opening(merkle::MerkleError::WrongRoot))
	);
}

#[test]
fn a_receipt_counted_for_more_than_it_costs_should_be_found() {
	let mut book = Book::usual();
	book.receipt_leaves[0].paid = book.receipts[0].licence + 1;
	let dispute = |index| Dispute::Overpaid {
		leaf: book.leaf(index),
		receipt: book.receipts[index].clone(),
	};
	assert_eq!(book.check(dispute(0)), Ok(Fault::Overpaid));
	assert_eq!(book.check(dispute(1)), Err(NotProven::Holds));
}

#[test]
fn a_receipt_paid_in_several_epochs_should_not_be_paid_more_than_it_costs() {
	let book = Book::usual();
	let leaf = |paid| ReceiptLeaf {
		receipt: book.receipts[2].digest(),
		paid,
	};
	let half = book.receipt_leaves[2].paid;
	let rest = book.receipts[2].licence - half;
	let check = |paid: Balance, reporter: AccountId, epoch| {
		let other = vec![leaf(paid)];
		let mut world = book.world();
		let receipts = receipts_tree(&other).unwrap().commitment();
		world.reported.insert(epoch, (reporter, receipts));
		let dispute = Dispute::PaidTwice {
			leaf: book.leaf(2),
			receipt: book.receipts[2].clone(),
			others: vec![(epoch, open(&other, 0))].try_into().unwrap(),
		};
		dispute.check(&book.facts(), &world)
	};
	assert_eq!(check(rest, provider(), 4), Err(NotProven::Holds));
	assert_eq!(check(rest + 1, provider(), 4), Ok(Fault::PaidTwice));
	assert_eq!(check(rest + 1, provider(), 6), Ok(Fault::PaidTwice));
	// What another reporter said does not bind this one, nor does a report count twice.
	let another = check(rest + 1, [9; 32].into(), 4);
	assert_eq!(another, Err(NotProven::Unrelated));
	assert_eq!(check(rest + 1, provider(), 5), Err(NotProven::Unrelated));
}

#[test]
fn parts_that_are_not_due_should_be_found() {
	type Change = fn(&mut PartLeaf);
	let cases: [(Payee, u32, Change); 8] = [
		(Payee::Stakers, 0, |part| part.amount += 1),
		(Payee::BaseOwner(0), 0, |part| part.amount -= 1),
		(Payee::BaseOwner(0), 1, |part| part.amount += 1),
		(Payee::AdapterOwner(0), 0, |part| part.amount += 1),
		(Payee::AdapterOwner(0), 0, |part| {
			part.payee = Payee::AdapterOwner(1)
		}),
		(contributor(1, 0), 2, |part| part.payee = contributor(0, 0)),
		(Payee::Treasury, 4, |part| part.amount += 1),
		(Payee::Treasury, 3, |part| part.amount += 1_000_000),
	];
	for (payee, receipt, change) in cases {
		let mut book = Book::usual();
		let index = book.part_of(payee, receipt);
		change(&mut book.parts[index]);
		let mut facts = book.facts();
		// The sums are what they were, since the chain checks them; another part would be smaller.
		facts.payouts.sum = Book::usual().facts().payouts.sum;
		let verdict = book.wrong_part(index).check(&facts, &book.world());
		assert_eq!(verdict, Ok(Fault::WrongPart), "{payee:?} {receipt}");
	}
}

#[test]
fn an_unexplained_receipt_should_pay_nobody_but_the_treasury() {
	let mut book = Book::usual();
	let index = book.part_of(Payee::Treasury, 4);
	book.parts[index].payee = Payee::AdapterOwner(0);
	assert_eq!(book.check(book.wrong_part(index)), Ok(Fault::WrongPart));
}

#[test]
fn an_explained_part_should_need_its_receipt() {
	let book = Book::usual();
	let index = book.part_of(Payee::AdapterOwner(0), 0);
	let dispute = Dispute::WrongPart {
		part: book.part(index),
		leaf: book.leaf(0),
		receipt: None,
	};
	assert_eq!(book.check(dispute), Err(NotProven::Preimage));
	let dispute = Dispute::WrongPart {
		part: book.part(index),
		leaf: book.leaf(1),
		receipt: Some(book.receipts[1].clone()),
	};
	assert_eq!(book.check(dispute), Err(NotProven::Unrelated));
}

#[test]
fn a_part_paid_twice_or_of_no_receipt_should_be_found() {
	let mut book = Book::usual();
	let first = book.part_of(contributor(0, 0), 0);
	let second = book.part_of(contributor(0, 1), 0);
	book.parts[second].payee = contributor(0, 0);
	let dispute = Dispute::DuplicatePart {
		first: book.part(first),
		second: book.part(second),
	};
	assert_eq!(book.check(dispute), Ok(Fault::DuplicatePart));

	let mut book = Book::usual();
	book.parts[0].receipt = 5;
	let dispute = Dispute::PartWithoutReceipt { part: book.part(0) };
	assert_eq!(book.check(dispute), Ok(Fault::PartWithoutReceipt));
}

#[test]
fn contributors_of_one_answer_should_not_get_another_answers_data_share() {
	let mut book = Book::usual();
	let from = book.part_of(contributor(1, 0), 2);
	let moved = book.parts[from].amount - 1;
	book.parts[from].amount = 1;
	let to = book.part_of(contributor(0, 1), 0);
	book.parts[to].amount += moved;
	book.repay();
	// Each part alone is no more than the data share.
	assert_eq!(book.check(book.wrong_part(to)), Err(NotProven::Holds));
	assert_eq!(book.check(book.data_exceeded(0)), Ok(Fault::DataExceeded));
	assert_eq!(book.check(book.data_exceeded(2)), Err(NotProven::Holds));
}

#[test]
fn one_part_listed_again_should_not_make_the_data_share_exceeded() {
	let book = Book::usual();
	let part = book.part(book.part_of(contributor(0, 0), 0));
	let dispute = Dispute::DataExceeded {
		leaf: book.leaf(0),
		receipt: book.receipts[0].clone(),
		parts: vec![part.clone(), part].try_into().unwrap(),
	};
	assert_eq!(book.check(dispute), Err(NotProven::Unrelated));
}

#[test]
fn a_payee_that_does_not_exist_should_be_found() {
	let mut book = Book::usual();
	let index = book.part_of(contributor(1, 0), 2);
	book.parts[index].payee = contributor(1, 700);
	book.parts.sort_by_key(|part| (part.payee, part.receipt));
	book.repay();
	let found = (0..book.payouts.len()).any(|payout| {
		let payout = book.payout(payout);
		book.check(Dispute::UnknownPayee { payout }) == Ok(Fault::UnknownPayee)
	});
	assert!(found);
}

#[test]
fn quotations_that_are_not_in_the_record_should_be_found() {
	let texts = || SpanEvidence::Texts {
		record: RECORD.to_vec().try_into().unwrap(),
		answer: ANSWER.to_vec().try_into().unwrap(),
	};
	let record = |index: u32, text: &[u8]| {
		SpanEvidence::Record(Opened {
			index,
			leaf: RecordLeaf {
				record: content_hash(text),
				bytes: text.len() as u32,
			},
			proof: records().proof(index).unwrap().try_into().unwrap(),
		})
	};
	type Change = fn(&mut Span);
	let cases: [(Change, SpanEvidence); 6] = [
		(|span| span.record_offset += 1, texts()),
		(|span| span.length = 1_000, texts()),
		(|span| span.answer_offset = u32::MAX, texts()),
		(|span| span.record_index = 1, record(1, b"another")),
		(|span| span.record_offset = 30, record(0, RECORD)),
		(|span| span.record_index = 3, SpanEvidence::OutOfTree),
	];
	for (change, evidence) in cases {
		let mut attribution = attribution();
		change(&mut attribution.spans[0]);
		let mut book = Book::usual();
		book.forge(0, |receipt| receipt.attribution = attribution.digest());
		let dispute = Dispute::FalseSpan {
			leaf: book.leaf(0),
			receipt: book.receipts[0].clone(),
			attribution,
			span: 0,
			evidence,
		};
		assert_eq!(book.check(dispute), Ok(Fault::FalseSpan));
	}
	// Other bytes than those that were committed to prove nothing.
	let book = Book::usual();
	let forged = SpanEvidence::Texts {
		record: b"nothing of the kind".to_vec().try_into().unwrap(),
		answer: ANSWER.to_vec().try_into().unwrap(),
	};
	let verdict = book.check(book.false_span(0, forged));
	assert_eq!(verdict, Err(NotProven::Unrelated));
}

#[test]
fn a_receipt_that_the_payer_did_not_acknowledge_should_be_found() {
	let book = Book::usual();
	let mut forged = book.clone();
	forged.forge(0, |receipt| receipt.response = Hash::zero());
	let dispute = |book: &Book, acknowledged: Vec<Hash>| Dispute::NotAcknowledged {
		leaf: book.leaf(0),
		receipt: book.receipts[0].clone(),
		acknowledged: acknowledged.try_into().unwrap(),
	};
	let check = |dispute: Dispute| dispute.check(&forged.facts(), &book.world());
	let verdict = check(dispute(&forged, book.digests()));
	assert_eq!(verdict, Ok(Fault::NotAcknowledged));
	// The list has to be the one that the voucher on chain sums up.
	let verdict = check(dispute(&forged, book.digests()[1..].to_vec()));
	assert_eq!(verdict, Err(NotProven::Unrelated));
	let verdict = check(dispute(&forged, vec![]));
	assert_eq!(verdict, Err(NotProven::Unrelated));
	// Receipts after the last redeemed voucher cannot be judged yet.
	let mut early = book.world();
	let sources = early.sources.as_mut().unwrap();
	sources.get_mut(&(0, 0, LANE)).unwrap().receipts = Hash::zero();
	let verdict = dispute(&forged, vec![]).check(&forged.facts(), &early);
	assert_eq!(verdict, Err(NotProven::Holds));
	// Nor can those of epochs of whose lanes the chain kept no account.
	let verdict = dispute(&forged, vec![]).check(&forged.facts(), &World::default());
	assert_eq!(verdict, Err(NotProven::Unknown));
}

#[test]
fn an_audit_should_not_be_passed_with_less_than_was_drawn_or_with_wrong_leaves() {
	let book = Book::usual();
	let seed = Hash::repeat_byte(3);
	let answer = book.answer(seed);
	let check =
		|book: &Book, answer: &AuditAnswer| answer.check(seed, &book.facts(), &book.world());
	assert_eq!(check(&book, &answer), Ok(()));
	let mut short = answer.clone();
	short.parts.pop();
	assert_eq!(check(&book, &short), Err(NotProven::Unrelated));
	let mut short = answer.clone();
	short.receipts.pop();
	assert_eq!(check(&book, &short), Err(NotProven::Unrelated));
	// A receipt at a wrong price, opened as it is.
	let mut cheat = book.clone();
	for index in 0..cheat.receipts.len() {
		cheat.forge(index, |receipt| receipt.licence += 1);
	}
	assert_eq!(
		check(&cheat, &cheat.answer(seed)),
		Err(NotProven::Unrelated)
	);
	// A receipt that nobody has.
	let mut withheld = answer;
	for shown in withheld.receipts.iter_mut() {
		shown.receipt = None;
	}
	assert!(check(&book, &withheld).is_err());
}

#[test]
fn receipts_that_nobody_asked_for_should_not_get_the_money_of_those_that_were() {
	// The payer acknowledged three receipts, all redeemed, and half of the fourth is.
	let book = Book::usual();
	let acknowledged = &book.receipts[..3];
	let redeemed: Balance = acknowledged.iter().map(|receipt| receipt.licence).sum();
	let half = book.receipts[3].licence / 2;
	let mut world = book.world();
	let source = Source {
		licence: redeemed + half,
		total: redeemed + half,
		receipts: fold(&book.digests()[..3]),
	};
	world.sources = Some([((0, 0, LANE), source)].into());
	let check = |sequence: u32, paid: Balance| {
		let mut forged = book.clone();
		forged.forge(3, |receipt| receipt.sequence = sequence);
		forged.receipt_leaves[3].paid = paid;
		let not_redeemed = Dispute::NotRedeemed {
			leaf: forged.leaf(3),
			receipt: forged.receipts[3].clone(),
			acknowledged: acknowledged.to_vec().try_into().unwrap(),
		};
		let not_acknowledged = Dispute::NotAcknowledged {
			leaf: forged.leaf(3),
			receipt: forged.receipts[3].clone(),
			acknowledged: book.digests()[..3].to_vec().try_into().unwrap(),
		};
		[not_redeemed, not_acknowledged].map(|dispute| dispute.check(&forged.facts(), &world))
	};
	let holds = Err(NotProven::Holds);
	assert_eq!(check(3, half), [holds, holds]);
	assert_eq!(check(3, half + 1), [Ok(Fault::NotRedeemed), holds]);
	assert_eq!(check(4, half), [holds, Ok(Fault::NotAcknowledged)]);
	assert_eq!(check(4, 0), [holds, holds]);
	assert_eq!(check(2, half), [holds, Ok(Fault::NotAcknowledged)]);
}

#[test]
fn only_the_provider_should_report_money_that_it_cannot_explain() {
	let book = Book::usual();
	let check = |leaf, reporter: AccountId| {
		let facts = ReportFacts {
			reporter,
			..book.facts()
		};
		Dispute::Unexplained {
			leaf: book.leaf(leaf),
		}
		.check(&facts, &book.world())
	};
	let another: AccountId = [9; 32].into();
	assert_eq!(check(4, another.clone()), Ok(Fault::Unexplained));
	assert_eq!(check(3, another), Err(NotProven::Holds));
	assert_eq!(check(4, provider()), Err(NotProven::Holds));
}

#[test]
fn a_pot_should_not_be_paid_to_receipts_of_a_lane_that_did_not_earn_it() {
	type Change = fn(&mut Receipt);
	let elsewhere: [Change; 3] = [
		|receipt| receipt.lane = 60_000,
		|receipt| receipt.generation = 999,
		// A channel that is closed, whosever it was.
		|receipt| receipt.channel = 2,
	];
	let book = Book::usual();
	let world = book.world();
	for change in elsewhere {
		let mut forged = book.clone();
		forged.forge(1, change);
		let check = |dispute: Dispute| dispute.check(&forged.facts(), &world);
		let verdict = check(forged.lane_exceeded(1, 1));
		assert_eq!(verdict, Ok(Fault::LaneExceeded));
		let verdict = check(Dispute::WrongReceipt {
			leaf: forged.leaf(1),
			receipt: forged.receipts[1].clone(),
		});
		assert_eq!(
			verdict,
			Err(NotProven::Holds),
			"nothing else is wrong with it"
		);
		// And an audit that draws it is not passed.
		let seeds = (0..=255).map(Hash::repeat_byte);
		for seed in seeds {
			let answer = forged.answer(seed);
			let drawn = answer.receipts.iter().any(|shown| shown.leaf.index == 1)
				|| answer.parts.iter().any(|shown| shown.of.leaf.index == 1);
			let verdict = answer.check(seed, &forged.facts(), &world);
			assert_eq!(verdict.is_err(), drawn);
		}
	}
}

#[test]
fn receipts_that_their_payer_acknowledged_should_get_no_more_than_it_paid() {
	// A friend of the provider acknowledged receipts that cost as much as there is, and paid one unit.
	let mut book = Book::usual();
	book.forge(2, |receipt| (receipt.lane, receipt.sequence) = (9, 0));
	book.forge(3, |receipt| (receipt.lane, receipt.sequence) = (9, 1));
	let mut world = book.world();
	let source = world.sources.as_mut().unwrap().get_mut(&(0, 0, 9)).unwrap();
	let paid = source.licence;
	source.licence = 1;
	let check =
		|world: &World, first, last| book.lane_exceeded(first, last).check(&book.facts(), world);
	assert_eq!(check(&world, 2, 3), Ok(Fault::LaneExceeded));
	assert_eq!(check(&world, 0, 1), Err(NotProven::Holds));
	let source = world.sources.as_mut().unwrap().get_mut(&(0, 0, 9)).unwrap();
	// Each alone is within what the lane earned.
	source.licence = paid - 1;
	assert_eq!(check(&world, 2, 2), Err(NotProven::Holds));
	assert_eq!(check(&world, 3, 3), Err(NotProven::Holds));
	assert_eq!(check(&world, 2, 3), Ok(Fault::LaneExceeded));
	// Both have to be of the lane, in their order.
	assert_eq!(check(&world, 1, 3), Err(NotProven::Unrelated));
	assert_eq!(check(&world, 3, 2), Err(NotProven::Unrelated));
	assert_eq!(check(&World::default(), 2, 3), Err(NotProven::Unknown));
}

#[test]
fn receipts_should_not_hide_between_those_of_other_lanes_nor_share_a_place_on_theirs() {
	let mut book = Book::usual();
	let world = book.world();
	// Two made-up receipts in the place of the one that runs when the epoch ends.
	book.forge(3, |receipt| receipt.sequence = 2);
	let check = |first, last| book.lane_exceeded(first, last).check(&book.facts(), &world);
	assert_eq!(check(2, 3), Ok(Fault::LaneDisordered));
	assert_eq!(check(1, 3), Err(NotProven::Holds));

	// The lane's receipts around one of a lane that earned nothing.
	let mut book = Book::usual();
	book.forge(1, |receipt| receipt.lane = 4);
	let verdict = book.lane_exceeded(0, 2).check(&book.facts(), &{
		let mut world = book.world();
		world.sources.as_mut().unwrap().remove(&(0, 0, 4));
		world
	});
	assert_eq!(verdict, Ok(Fault::LaneExceeded));
}

#[test]
fn a_data_share_should_not_be_exceeded_by_many_small_parts() {
	// Each of 256 parts is small enough, and so are any 128 of them; together they are all there is.
	let mut book = Book::honest(
		&[(Some((0, vec![1])), 9, 40, 1_000)],
		None,
		Terms::default(),
	);
	let net = book.facts().payouts.sum;
	let mut left = net;
	book.parts = (0..256)
		.map(|contribution| {
			let amount = if contribution == 255 { left } else { net / 256 };
			left -= amount;
			PartLeaf {
				payee: contributor(0, contribution),
				receipt: 0,
				amount,
			}
		})
		.collect();
	book.parts[255].amount = net / 256;
	book.repay();
	let exceeded = |count: usize| Dispute::DataExceeded {
		leaf: book.leaf(0),
		receipt: book.receipts[0].clone(),
		parts: (0..count)
			.map(|index| book.part(index))
			.collect::<Vec<_>>()
			.try_into()
			.unwrap(),
	};
	assert_eq!(book.check(exceeded(128)), Ok(Fault::TooManyParts));
	assert_eq!(book.check(exceeded(127)), Err(NotProven::Holds));
	// Nobody knew the rule before the chain kept an account of lanes.
	let before = exceeded(128).check(&book.facts(), &World::default());
	assert_eq!(before, Err(NotProven::Unknown));
}

#[test]
fn a_receipt_should_pay_those_with_the_largest_weights_and_hold() {
	let mut weights = vec![5; 200];
	weights[150..].fill(7);
	weights[3] = 0;
	let asked: Vec<Asked> = vec![(Some((0, weights)), 900, 4_000, 1_000)];
	let book = Book::honest(&asked, None, Terms::default());
	let paid: Vec<_> = book
		.parts
		.iter()
		.filter_map(|part| match part.payee {
			Payee::Contributor { contribution, .. } => Some(contribution),
			_ => None,
		})
		.collect();
	// The fifty that weigh most, and the first of those that weigh alike.
	let expected: Vec<_> = (0..78).filter(|at| *at != 3).chain(150..200).collect();
	assert_eq!(paid, expected);
	let sum: Balance = book.parts.iter().map(|part| part.amount).sum();
	assert_eq!(sum, book.facts().payouts.sum);
	let verdict = book.check(book.data_exceeded(0));
	assert_eq!(verdict, Err(NotProven::Holds));
}

#[test]
fn a_report_should_not_be_padded_with_payouts_of_nothing_or_of_one_payee() {
	let disordered = |book: &Book, first, second| {
		let dispute = Dispute::PayoutsDisordered {
			first: book.payout(first),
			second: book.payout(second),
		};
		book.check(dispute)
	};
	let mut padded = Book::usual();
	let nothing = PayoutLeaf {
		payee: Payee::Stakers,
		amount: 0,
	};
	padded.payouts.insert(0, nothing);
	let payout = padded.payout(0);
	let verdict = padded.check(Dispute::EmptyPayout { payout });
	assert_eq!(verdict, Ok(Fault::EmptyPayout));
	assert_eq!(disordered(&padded, 0, 1), Ok(Fault::PayoutsDisordered));

	// One payee's money in two payouts.
	let mut split = Book::usual();
	let amount = split.payouts[1].amount;
	split.payouts[1].amount -= 1;
	split.payouts.insert(
		1,
		PayoutLeaf {
			amount: 1,
			..split.payouts[1]
		},
	);
	assert_eq!(amount, split.payouts[1].amount + split.payouts[2].amount);
	assert_eq!(disordered(&split, 1, 2), Ok(Fault::PayoutsDisordered));
	assert_eq!(disordered(&split, 2, 1), Err(NotProven::Unrelated));
	assert_eq!(disordered(&split, 0, 1), Err(NotProven::Holds));
}

#[test]
fn a_receipt_too_late_on_its_lane_to_be_disputed_should_be_a_fault() {
	let mut book = Book::usual();
	let check = |book: &Book, world: &World| {
		let dispute = Dispute::WrongReceipt {
			leaf: book.leaf(0),
			receipt: book.receipts[0].clone(),
		};
		dispute.check(&book.facts(), world)
	};
	book.forge(0, |receipt| receipt.sequence = MAX_ACKNOWLEDGED - 1);
	assert_eq!(check(&book, &book.world()), Err(NotProven::Holds));
	book.forge(0, |receipt| receipt.sequence = MAX_ACKNOWLEDGED);
	assert_eq!(check(&book, &book.world()), Ok(Fault::LaneTooLong));
	// Lanes that were longer before there was a bound are no fault.
	assert_eq!(check(&book, &World::default()), Err(NotProven::Holds));
}

#[test]
fn a_lane_that_is_as_long_as_it_may_be_should_be_judged_to_its_end() {
	let receipts: Vec<_> = (0..MAX_ACKNOWLEDGED)
		.map(|sequence| receipt(sequence, None, 1, 1))
		.collect();
	let mut book = Book::honest(&[(None, 1, 1, 1_000)], None, Terms::default());
	book.forge(0, |receipt| receipt.sequence = MAX_ACKNOWLEDGED - 1);
	let mut world = book.world();
	let source = world
		.sources
		.as_mut()
		.unwrap()
		.get_mut(&(0, 0, LANE))
		.unwrap();
	source.total = receipts.iter().map(|receipt| receipt.licence).sum();
	source.receipts = fold(&receipts.iter().map(Receipt::digest).collect::<Vec<_>>());
	book.forge(0, |receipt| receipt.request = Hash::zero());
	let digests: Vec<_> = receipts.iter().map(Receipt::digest).collect();
	let dispute = Dispute::NotAcknowledged {
		leaf: book.leaf(0),
		receipt: book.receipts[0].clone(),
		acknowledged: digests.try_into().unwrap(),
	};
	assert_eq!(
		dispute.check(&book.facts(), &world),
		Ok(Fault::NotAcknowledged)
	);
	// One fewer is acknowledged, and nothing is left for the last.
	let source = world
		.sources
		.as_mut()
		.unwrap()
		.get_mut(&(0, 0, LANE))
		.unwrap();
	let known = &receipts[..receipts.len() - 1];
	source.total = known.iter().map(|receipt| receipt.licence).sum();
	source.receipts = fold(&known.iter().map(Receipt::digest).collect::<Vec<_>>());
	let dispute = Dispute::NotRedeemed {
		leaf: book.leaf(0),
		receipt: book.receipts[0].clone(),
		acknowledged: known.to_vec().try_into().unwrap(),
	};
	assert_eq!(dispute.check(&book.facts(), &world), Ok(Fault::NotRedeemed));
}
