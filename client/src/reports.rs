//! Reports whose leaves and receipts have been published: what is wrong with one, and what answers an
//! audit of it.
//!
//! Every finding is a [`Dispute`] that [`Dispute::check`] has accepted, the same function that the chain
//! judges by: what is found here is proved there. Nothing here asks a chain.

use openledger_primitives::{
	dispute::{
		audit_draw, AuditAnswer, AuditTree, ChainFacts, Dispute, Fault, Opened, ReportFacts,
		ShownPart, ShownReceipt, SpanEvidence, AUDIT_LEAVES, MAX_PARTS,
	},
	merkle::{MerkleError, Tree},
	report::{parts_tree, payouts_tree, receipt_net, receipts_tree, role_shares},
	Attribution, Balance, Commitment, Hash, PartLeaf, Payee, PayoutLeaf, Receipt, ReceiptLeaf,
};
use std::collections::{BTreeMap, HashMap};

/// What a worker published of a report.
#[derive(Clone, Debug, Default)]
pub struct Published {
	/// Leaves of the receipts tree, in order.
	pub receipt_leaves: Vec<ReceiptLeaf>,
	/// Leaves of the parts tree, in order.
	pub part_leaves: Vec<PartLeaf>,
	/// Leaves of the payouts tree, in order.
	pub payout_leaves: Vec<PayoutLeaf>,
	/// The receipts, by their digests. Those that are not here were withheld.
	pub receipts: HashMap<Hash, Receipt>,
	/// The attributions, by their digests.
	pub attributions: HashMap<Hash, Attribution>,
}

/// Why a report cannot be checked: what was published is not what was committed to. Only an audit can
/// make the provider show it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Withheld {
	/// The leaves do not lead to the committed root.
	#[error("the published {0} do not lead to the root on chain")]
	Leaves(&'static str),
	/// The leaves make no tree.
	#[error("the published {0} make no tree: {1}")]
	NoTree(&'static str, MerkleError),
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
	/// What is wrong.
	pub fault: Fault,
	/// The proof of it.
	pub dispute: Dispute,
}

/// A report's trees, with their leaves.
pub struct Trees<'a> {
	published: &'a Published,
	receipts: Tree,
	parts: Option<Tree>,
	payouts: Option<Tree>,
}

impl<'a> Trees<'a> {
	/// Builds the trees and compares them with what the report committed to.
	pub fn new(published: &'a Published, report: &ReportFacts) -> Result<Self, Withheld> {
		let receipts = compare(
			"receipts",
			receipts_tree(&published.receipt_leaves),
			&report.receipts,
		)?;
		// The cut may have taken all.
		let (mut parts, mut payouts) = (None, None);
		if report.payouts.count > 0 {
			parts = Some(compare(
				"parts",
				parts_tree(&published.part_leaves),
				&report.parts,
			)?);
			payouts = Some(compare(
				"payouts",
				payouts_tree(&published.payout_leaves),
				&report.payouts,
			)?);
		}
		Ok(Self {
			published,
			receipts,
			parts,
			payouts,
		})
	}

	/// What answers an audit with `seed`: for each unit that it draws, the leaves that hold it. `None` if
	/// a receipt that would have to be shown is not there.
	pub fn answer(&self, seed: Hash) -> Option<AuditAnswer> {
		let published = self.published;
		let licence = ends(published.receipt_leaves.iter().map(|leaf| leaf.paid))?;
		let parts = ends(published.part_leaves.iter().map(|leaf| leaf.amount))?;
		let payouts = ends(published.payout_leaves.iter().map(|leaf| leaf.amount))?;
		let mut answer = AuditAnswer {
			receipts: Default::default(),
			parts: Default::default(),
		};
		for number in 0..AUDIT_LEAVES {
			let sum = *licence.last()?;
			let drawn = audit_draw(seed, AuditTree::Receipts, number, sum)?;
			let shown = self.shown(holding(&licence, drawn))?;
			answer.receipts.try_push(shown).ok()?;
			if let Some(net) = payouts.last() {
				let drawn = audit_draw(seed, AuditTree::Parts, number, *net)?;
				let part = self.part(holding(&parts, drawn))?;
				let of = self.shown(usize::try_from(part.leaf.receipt).ok()?)?;
				let payout = self.payout(holding(&payouts, drawn))?;
				let shown = ShownPart { part, payout, of };
				answer.parts.try_push(shown).ok()?;
			}
		}
		Some(answer)
	}

	fn shown(&self, index: usize) -> Option<ShownReceipt> {
		let leaf = self.receipt(index)?;
		let receipt = match leaf.leaf.receipt.is_zero() {
			true => None,
			false => Some(self.published.receipts.get(&leaf.leaf.receipt)?.clone()),
		};
		Some(ShownReceipt { leaf, receipt })
	}

	/// A leaf of the receipts tree with its proof.
	pub fn receipt(&self, index: usize) -> Option<Opened<ReceiptLeaf>> {
		opened(&self.receipts, &self.published.receipt_leaves, index)
	}

	/// A leaf of the parts tree with its proof.
	pub fn part(&self, index: usize) -> Option<Opened<PartLeaf>> {
		opened(self.parts.as_ref()?, &self.published.part_leaves, index)
	}

	/// A leaf of the payouts tree with its proof.
	pub fn payout(&self, index: usize) -> Option<Opened<PayoutLeaf>> {
		opened(self.payouts.as_ref()?, &self.published.payout_leaves, index)
	}
}

/// Where each leaf ends, along the money.
fn ends(amounts: impl Iterator<Item = Balance>) -> Option<Vec<Balance>> {
	let mut sum: Balance = 0;
	amounts
		.map(|amount| {
			sum = sum.checked_add(amount)?;
			Some(sum)
		})
		.collect()
}

/// The leaf that holds `unit`; leaves of nothing hold none.
fn holding(ends: &[Balance], unit: Balance) -> usize {
	ends.partition_point(|end| *end <= unit)
}

fn compare(
	what: &'static str,
	tree: Result<Tree, MerkleError>,
	committed: &Commitment,
) -> Result<Tree, Withheld> {
	let tree = tree.map_err(|error| Withheld::NoTree(what, error))?;
	if tree.commitment() == *committed {
		Ok(tree)
	} else {
		Err(Withheld::Leaves(what))
	}
}

fn opened<L: Copy>(tree: &Tree, leaves: &[L], index: usize) -> Option<Opened<L>> {
	let leaf = *leaves.get(index)?;
	let index = u32::try_from(index).ok()?;
	Some(Opened {
		index,
		leaf,
		proof: tree.proof(index).ok()?.try_into().ok()?,
	})
}

/// All that is wrong with a report, as far as its leaves, its receipts and the chain can tell; at most
/// `limit` findings. One is enough to strike the report down.
pub fn find(
	published: &Published,
	report: &ReportFacts,
	chain: &impl ChainFacts,
	limit: usize,
) -> Result<Vec<Finding>, Withheld> {
	let trees = Trees::new(published, report)?;
	let mut search = Search {
		trees: &trees,
		report,
		chain,
		limit,
		found: Vec::new(),
	};
	search.receipts();
	search.lanes();
	search.parts();
	search.places();
	search.payees();
	search.order();
	search.spans();
	Ok(search.found)
}

struct Search<'a, C> {
	trees: &'a Trees<'a>,
	report: &'a ReportFacts,
	chain: &'a C,
	limit: usize,
	found: Vec<Finding>,
}

impl<'a, C: ChainFacts> Search<'a, C> {
	fn published(&self) -> &'a Published {
		self.trees.published
	}

	/// Keeps a dispute if it proves something.
	fn consider(&mut self, dispute: Option<Dispute>) {
		if self.found.len() >= self.limit {
			return;
		}
		let Some(dispute) = dispute else { return };
		if let Ok(fault) = dispute.check(self.report, self.chain) {
			self.found.push(Finding { fault, dispute });
		}
	}

	fn receipts(&mut self) {
		let leaves = &self.published().receipt_leaves;
		let mut seen = HashMap::new();
		for (at, leaf) in leaves.iter().enumerate() {
			if leaf.receipt.is_zero() {
				continue;
			}
			if let Some(first) = seen.insert(leaf.receipt, at) {
				self.consider(duplicate_receipt(self.trees, first, at));
			}
			let Some(receipt) = self.published().receipts.get(&leaf.receipt).cloned() else {
				continue;
			};
			let Some(leaf) = self.trees.receipt(at) else {
				continue;
			};
			self.consider(Some(Dispute::Overpaid {
				leaf: leaf.clone(),
				receipt: receipt.clone(),
			}));
			self.consider(Some(Dispute::WrongReceipt { leaf, receipt }));
		}
	}

	/// Lanes whose receipts count more than the lane earned, or do not stand in their sequence.
	fn lanes(&mut self) {
		let mut spans = BTreeMap::<_, (usize, usize)>::new();
		for (at, receipt) in self.listed() {
			let lane = (receipt.channel, receipt.generation, receipt.lane);
			let Some((_, last)) = spans.get_mut(&lane) else {
				spans.insert(lane, (at, at));
				continue;
			};
			let before = std::mem::replace(last, at);
			if self
				.receipt(before)
				.is_some_and(|before| before.sequence >= receipt.sequence)
			{
				self.consider(self.lane_exceeded(before, at));
			}
		}
		for (first, last) in spans.into_values() {
			self.consider(self.lane_exceeded(first, last));
		}
	}

	/// The receipts that were published, each with the place of its leaf.
	fn listed(&self) -> impl Iterator<Item = (usize, &'a Receipt)> {
		let Published {
			receipt_leaves,
			receipts,
			..
		} = self.published();
		let leaves = receipt_leaves.iter().enumerate();
		leaves.filter_map(move |(at, leaf)| Some((at, receipts.get(&leaf.receipt)?)))
	}

	fn receipt(&self, at: usize) -> Option<&'a Receipt> {
		let published = self.published();
		published
			.receipts
			.get(&published.receipt_leaves.get(at)?.receipt)
	}

	fn lane_exceeded(&self, first: usize, last: usize) -> Option<Dispute> {
		Some(Dispute::LaneExceeded {
			first: self.trees.receipt(first)?,
			first_receipt: self.receipt(first)?.clone(),
			last: self.trees.receipt(last)?,
			last_receipt: self.receipt(last)?.clone(),
		})
	}

	fn parts(&mut self) {
		let parts = &self.published().part_leaves;
		let mut seen = BTreeMap::new();
		let mut of_data = BTreeMap::<u32, Vec<usize>>::new();
		for (at, part) in parts.iter().enumerate() {
			if let Some(first) = seen.insert((part.payee, part.receipt), at) {
				self.consider(duplicate_part(self.trees, first, at));
			}
			if matches!(part.payee, Payee::Contributor { .. } | Payee::Treasury) {
				of_data.entry(part.receipt).or_default().push(at);
			}
			let Some(opened) = self.trees.part(at) else {
				continue;
			};
			let index = usize::try_from(part.receipt).unwrap_or(usize::MAX);
			let Some(leaf) = self.trees.receipt(index) else {
				self.consider(Some(Dispute::PartWithoutReceipt { part: opened }));
				continue;
			};
			let receipt = self.published().receipts.get(&leaf.leaf.receipt).cloned();
			self.consider(Some(Dispute::WrongPart {
				part: opened,
				leaf,
				receipt,
			}));
		}
		for (receipt, parts) in of_data {
			let dispute = self.data_exceeded(receipt, &parts);
			self.consider(dispute);
		}
	}

	/// The largest parts of a receipt's contributors, if together they exceed the data share or are more
	/// than there may be.
	fn data_exceeded(&self, index: u32, parts: &[usize]) -> Option<Dispute> {
		let leaf = self.trees.receipt(usize::try_from(index).ok()?)?;
		let receipt = self.published().receipts.get(&leaf.leaf.receipt)?.clone();
		let before = leaf.before(&self.report.receipts).ok()?;
		let (licence, net) = (self.report.receipts.sum, self.report.payouts.sum);
		let worth = receipt_net(licence, net, before, leaf.leaf.paid)?;
		let [_, _, _, data] = role_shares(worth, &self.report.terms)?;
		let amount = |at: &usize| {
			let part = self.published().part_leaves.get(*at);
			part.map_or(0, |part| part.amount)
		};
		let mut largest = parts.to_vec();
		largest.sort_by_key(|at| std::cmp::Reverse(amount(at)));
		largest.truncate(usize::try_from(MAX_PARTS).ok()?);
		let sum = largest
			.iter()
			.try_fold(0, |sum: Balance, at| sum.checked_add(amount(at)))?;
		let is_full = u32::try_from(largest.len()).is_ok_and(|count| count >= MAX_PARTS);
		if sum <= data && !is_full {
			return None;
		}
		largest.sort_unstable();
		let parts: Option<Vec<_>> = largest.iter().map(|at| self.trees.part(*at)).collect();
		Some(Dispute::DataExceeded {
			leaf,
			receipt,
			parts: parts?.try_into().ok()?,
		})
	}

	/// Parts and payouts that lie over one another without belonging together: both trees are walked
	/// along the money.
	fn places(&mut self) {
		let parts = &self.published().part_leaves;
		let payouts = &self.published().payout_leaves;
		let (mut part, mut payout) = (0, 0);
		let (mut part_end, mut payout_end): (Balance, Balance) = (0, 0);
		if let (Some(first), Some(second)) = (parts.first(), payouts.first()) {
			(part_end, payout_end) = (first.amount, second.amount);
		}
		while let (Some(this), Some(that)) = (parts.get(part), payouts.get(payout)) {
			if this.payee != that.payee && this.amount > 0 && that.amount > 0 {
				let dispute = self
					.trees
					.part(part)
					.zip(self.trees.payout(payout))
					.map(|(part, payout)| Dispute::Misplaced { part, payout });
				self.consider(dispute);
			}
			// The one that ends first is done; sums were checked when the trees were built.
			let next = part_end <= payout_end;
			if payout_end <= part_end {
				payout += 1;
				let amount = payouts.get(payout).map_or(0, |leaf| leaf.amount);
				payout_end = payout_end.saturating_add(amount);
			}
			if next {
				part += 1;
				let amount = parts.get(part).map_or(0, |leaf| leaf.amount);
				part_end = part_end.saturating_add(amount);
			}
		}
	}

	fn payees(&mut self) {
		for at in 0..self.published().payout_leaves.len() {
			let payout = self.trees.payout(at);
			self.consider(
				payout
					.clone()
					.map(|payout| Dispute::UnknownPayee { payout }),
			);
			self.consider(payout.map(|payout| Dispute::EmptyPayout { payout }));
		}
	}

	/// Payouts that do not stand in the order of their payees.
	fn order(&mut self) {
		let payouts = &self.published().payout_leaves;
		for (at, pair) in payouts.windows(2).enumerate() {
			if matches!(pair, [first, second] if first.payee < second.payee) {
				continue;
			}
			let shown = self.trees.payout(at).zip(self.trees.payout(at + 1));
			self.consider(
				shown.map(|(first, second)| Dispute::PayoutsDisordered { first, second }),
			);
		}
	}

	/// Spans that name a record which their contribution does not have. Whether the words are right
	/// can be told only by whoever has the answer: its payer.
	fn spans(&mut self) {
		for at in 0..self.published().receipt_leaves.len() {
			let Some(leaf) = self.trees.receipt(at) else {
				continue;
			};
			let Some(receipt) = self.published().receipts.get(&leaf.leaf.receipt).cloned() else {
				continue;
			};
			let attribution = self.published().attributions.get(&receipt.attribution);
			let Some(attribution) = attribution.cloned() else {
				continue;
			};
			for span in 0..attribution.spans.len() {
				self.consider(u32::try_from(span).ok().map(|span| Dispute::FalseSpan {
					leaf: leaf.clone(),
					receipt: receipt.clone(),
					attribution: attribution.clone(),
					span,
					evidence: SpanEvidence::OutOfTree,
				}));
			}
		}
	}
}

fn duplicate_receipt(trees: &Trees<'_>, first: usize, second: usize) -> Option<Dispute> {
	Some(Dispute::DuplicateReceipt {
		first: trees.receipt(first)?,
		second: trees.receipt(second)?,
	})
}

fn duplicate_part(trees: &Trees<'_>, first: usize, second: usize) -> Option<Dispute> {
	Some(Dispute::DuplicatePart {
		first: trees.part(first)?,
		second: trees.part(second)?,
	})
}
