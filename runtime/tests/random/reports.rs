//! Usage reports: honest ones and all kinds of lies, who finds them out, and how money is paid.

use crate::{
	people::Person,
	world::{Served, World},
};
use frame_support::traits::Get;
use openledger_primitives::{
	dispute::{
		audit_draw, AuditAnswer, AuditTree, Dispute, Leaf, Opened, ShownPart, ShownReceipt,
		SpanEvidence, AUDIT_LEAVES,
	},
	merkle::Tree,
	report::{parts, payouts, receipt_net, role_shares, Earning},
	voucher::acknowledge,
	Attribution as Scores, Balance, Commitment, EpochIndex, Hash, PartLeaf, Payee, PayoutLeaf,
	Receipt, ReceiptLeaf, Terms,
};
use openledger_runtime::{
	parameters::governed::attribution, AccountId, Attribution, Runtime, System,
};
use pallet_attribution::{Call, Pot};
use rand::Rng;

/// Whose pot, of which epoch.
type Key = (AccountId, EpochIndex);

/// What a pot was paid for: a receipt, or nothing that is known.
#[derive(Clone)]
pub struct Earned {
	receipt: Option<Receipt>,
	false_span: Option<Scores>,
	paid: Balance,
}

impl Earned {
	/// Adds what was paid of a receipt; once for each receipt.
	pub fn add(all: &mut Vec<Self>, served: Option<&Served>, paid: Balance) {
		let receipt = served.map(|served| &served.receipt);
		match all
			.iter_mut()
			.find(|known| known.receipt.as_ref() == receipt)
		{
			Some(known) => known.paid += paid,
			None => all.push(Self {
				receipt: receipt.cloned(),
				false_span: served.and_then(|served| served.false_span.clone()),
				paid,
			}),
		}
	}

	fn leaf(&self) -> ReceiptLeaf {
		ReceiptLeaf {
			receipt: self.receipt.as_ref().map_or(Hash::zero(), Receipt::digest),
			paid: self.paid,
		}
	}
}

/// How a report is proven wrong.
#[derive(Clone)]
pub enum Lie {
	/// By this, whatever happens.
	Certain(Box<Dispute>),
	/// By this, as long as what it refers to is there.
	Likely(Box<Dispute>),
	/// By what was acknowledged on the lane of the receipt in this place.
	NotAcknowledged(usize),
}

/// What a report on chain was made of.
#[derive(Clone)]
pub struct Book {
	leaves: Vec<(ReceiptLeaf, Option<Receipt>)>,
	parts: Vec<PartLeaf>,
	payouts: Vec<PayoutLeaf>,
	/// What is wrong with it.
	pub lie: Option<Lie>,
}

impl Book {
	fn receipts(&self) -> Vec<ReceiptLeaf> {
		self.leaves.iter().map(|(leaf, _)| *leaf).collect()
	}

	fn commitments(&self) -> [Commitment; 3] {
		[
			commit(&self.receipts()),
			commit(&self.parts),
			commit(&self.payouts),
		]
	}

	fn shown(&self, at: usize) -> ShownReceipt {
		ShownReceipt {
			leaf: open(&self.receipts(), at),
			receipt: self.leaves[at].1.clone(),
		}
	}

	/// What an audit with `seed` asks for; `None` where the book has not what was drawn.
	fn answer(&self, seed: Hash) -> Option<AuditAnswer> {
		let leaves = self.receipts();
		let licence = leaves.iter().map(|leaf| leaf.paid).sum();
		let net = self.payouts.iter().map(|leaf| leaf.amount).sum();
		let mut answer = AuditAnswer {
			receipts: Default::default(),
			parts: Default::default(),
		};
		for number in 0..AUDIT_LEAVES {
			let unit = audit_draw(seed, AuditTree::Receipts, number, licence)?;
			let at = holding(&leaves, unit)?;
			answer.receipts.try_push(self.shown(at)).ok()?;
			let unit = audit_draw(seed, AuditTree::Parts, number, net)?;
			let part = holding(&self.parts, unit)?;
			let payout = holding(&self.payouts, unit)?;
			let of = usize::try_from(self.parts[part].receipt).ok()?;
			(of < self.leaves.len()).then_some(())?;
			let shown = ShownPart {
				part: open(&self.parts, part),
				payout: open(&self.payouts, payout),
				of: self.shown(of),
			};
			answer.parts.try_push(shown).ok()?;
		}
		Some(answer)
	}
}

fn tree<L: Leaf>(leaves: &[L]) -> Tree {
	Tree::new(leaves.iter().map(Leaf::node).collect()).unwrap()
}

fn commit<L: Leaf>(leaves: &[L]) -> Commitment {
	if leaves.is_empty() {
		Commitment::default()
	} else {
		tree(leaves).commitment()
	}
}

fn open<L: Leaf + Clone>(leaves: &[L], index: usize) -> Opened<L> {
	let proof = tree(leaves).proof(index as u32).unwrap();
	Opened {
		index: index as u32,
		leaf: leaves[index].clone(),
		proof: proof.try_into().unwrap(),
	}
}

/// The leaf that holds a unit of the sum.
fn holding<L: Leaf>(leaves: &[L], mut unit: Balance) -> Option<usize> {
	leaves.iter().position(|leaf| {
		let amount = leaf.node().sum;
		let holds = unit < amount;
		unit = unit.saturating_sub(amount);
		holds
	})
}

fn certain(dispute: Dispute) -> Option<Lie> {
	Some(Lie::Certain(Box::new(dispute)))
}

impl World {
	// Who reports.

	/// A pot without a report, mostly of an epoch that is over.
	fn unreported_pot(&mut self) -> Option<Key> {
		let now = Attribution::epoch().index;
		let over: Vec<_> = self
			.unreported
			.iter()
			.filter(|(_, epoch)| *epoch < now)
			.cloned()
			.collect();
		let all: Vec<_> = self.unreported.iter().cloned().collect();
		if self.once_in(24) {
			self.one_of(&all)
		} else {
			self.one_of(&over)
		}
	}

	pub fn report(&mut self) {
		let Some(key) = self.unreported_pot() else {
			return;
		};
		let lie = self.once_in(3);
		let Some(book) = self.book(&key, true, lie) else {
			return;
		};
		let provider = self.known(&key.0);
		let who = self.redeemer(&provider);
		let [receipts, parts, payouts] = book.commitments();
		let call = Call::report {
			epoch: key.1,
			receipts,
			parts,
			payouts,
		};
		if self.sign(&who, call) {
			self.file(key, book);
		}
	}

	pub fn report_for(&mut self) {
		let disproved: Vec<_> = self
			.unreported
			.iter()
			.filter(|(provider, epoch)| Attribution::disproved(provider.clone(), *epoch).is_some())
			.cloned()
			.collect();
		let key = match self.one_of(&disproved) {
			Some(key) if !self.once_in(4) => Some(key),
			_ => self.unreported_pot(),
		};
		let Some(key) = key else {
			return;
		};
		let who = self.person();
		let lie = self.once_in(3);
		let Some(book) = self.book(&key, who.account == key.0, lie) else {
			return;
		};
		let [receipts, parts, payouts] = book.commitments();
		let call = Call::report_for {
			provider: key.0.clone(),
			epoch: key.1,
			receipts,
			parts,
			payouts,
		};
		if self.sign(&who, call) {
			self.file(key, book);
		}
	}

	/// Remembers what a report was made of.
	fn file(&mut self, key: Key, book: Book) {
		self.count(if book.lie.is_some() {
			"lie reported"
		} else {
			"honest report"
		});
		self.unreported.remove(&key);
		let report = Attribution::report_of(key.0.clone(), key.1).unwrap();
		if report.settled < report.payouts.count {
			self.filed.insert(key, book);
		}
	}

	// What they report.

	/// A report of a pot; `None` where there is nothing to say.
	fn book(&mut self, key: &Key, by_provider: bool, lie: bool) -> Option<Book> {
		let pot = Attribution::pot(key.0.clone(), key.1)?;
		let earned = self.pots[key].clone();
		let known: Balance = earned.iter().map(|earned| earned.paid).sum();
		assert_eq!(known, pot.licence, "a pot is what was redeemed into it");
		let terms = Attribution::terms(pot.terms).unwrap();
		let mut book = self.honest(&earned, &pot, &terms);
		if lie && pot.net > 0 {
			if let Some(false_book) = self.falsify(&book, &earned, &pot, &terms, key) {
				book = false_book;
			}
		}
		if book.lie.is_none() && pot.net > 0 {
			book.lie = hidden_fault(&book, &earned, by_provider);
		}
		Some(book)
	}

	/// Everybody's share of what was earned.
	fn honest(&mut self, earned: &[Earned], pot: &Pot, terms: &Terms) -> Book {
		let earnings: Vec<_> = earned
			.iter()
			.map(|earned| {
				let adapter = earned.receipt.as_ref().and_then(|receipt| receipt.adapter);
				let adapter = adapter.map(|adapter| {
					let payable = self.payable[&adapter].clone();
					let mut weights: Vec<_> = payable
						.into_iter()
						.map(|(datanet, contribution)| {
							let weight = self.rng.random_range(0..4u128);
							(datanet, contribution, weight)
						})
						.collect();
					// Not more than a few of many.
					while weights.len() > 6 {
						let at = self.below(weights.len());
						weights.swap_remove(at);
					}
					(adapter, weights)
				});
				Earning {
					paid: earned.paid,
					base: earned.receipt.as_ref().map(|receipt| receipt.base),
					adapter,
				}
			})
			.collect();
		let parts = parts(pot.licence, pot.net, &earnings, terms).unwrap();
		Book {
			leaves: earned
				.iter()
				.map(|earned| (earned.leaf(), earned.receipt.clone()))
				.collect(),
			payouts: payouts(&parts).unwrap(),
			parts,
			lie: None,
		}
	}

	/// A report with something wrong in it; `None` where that cannot be.
	fn falsify(
		&mut self,
		honest: &Book,
		earned: &[Earned],
		pot: &Pot,
		terms: &Terms,
		key: &Key,
	) -> Option<Book> {
		let mut book = honest.clone();
		// A receipt, and what it is worth.
		let at = self.below(book.leaves.len());
		let before: Balance = book.leaves[..at].iter().map(|(leaf, _)| leaf.paid).sum();
		let paid = book.leaves[at].0.paid;
		let worth = receipt_net(pot.licence, pot.net, before, paid).unwrap();
		let receipt = book.leaves[at].1.clone()?;
		match self.below(11) {
			0 => {
				let payee = match receipt.adapter {
					Some(adapter) => Payee::AdapterOwner(adapter),
					None => Payee::Treasury,
				};
				let part = replace(&mut book, at, &[(payee, worth)], worth)?;
				book.lie = certain(Dispute::WrongPart {
					part: open(&book.parts, part),
					leaf: open(&book.receipts(), at),
					receipt: Some(receipt),
				});
			}
			1 => {
				let part = self.below(book.parts.len());
				book.parts[part].payee = Payee::Contributor {
					adapter: 1_000_000,
					datanet: 0,
					contribution: 0,
				};
				settle_order(&mut book);
				let nobody = |leaf: &PayoutLeaf| matches!(leaf.payee, Payee::Contributor { adapter, .. } if adapter == 1_000_000);
				let payout = book.payouts.iter().position(nobody)?;
				book.lie = certain(Dispute::UnknownPayee {
					payout: open(&book.payouts, payout),
				});
			}
			2 => {
				let dearer = Receipt {
					licence: receipt.licence + 1,
					..receipt
				};
				book.leaves[at] = (leaf_of(&dearer, paid), Some(dearer.clone()));
				book.lie = certain(Dispute::WrongReceipt {
					leaf: open(&book.receipts(), at),
					receipt: dearer,
				});
			}
			3 => {
				let half = paid / 2;
				if half == 0 {
					return None;
				}
				let mut twice = earned.to_vec();
				twice[at].paid -= half;
				twice.push(Earned {
					paid: half,
					..twice[at].clone()
				});
				book = self.honest(&twice, pot, terms);
				let leaves = book.receipts();
				book.lie = certain(Dispute::DuplicateReceipt {
					first: open(&leaves, at),
					second: open(&leaves, leaves.len() - 1),
				});
			}
			4 => {
				let mut rate = pallet_models::BaseModels::<Runtime>::get(receipt.base)?.rate;
				if let Some(adapter) = receipt.adapter {
					let adapter = pallet_models::Adapters::<Runtime>::get(adapter)?;
					rate = rate.checked_add(&adapter.rate)?;
				}
				let short = Receipt {
					tokens_in: 1,
					tokens_out: 0,
					licence: rate.charge(1, 0)?,
					..receipt
				};
				if paid <= short.licence {
					return None;
				}
				book.leaves[at] = (leaf_of(&short, paid), Some(short.clone()));
				book.lie = certain(Dispute::Overpaid {
					leaf: open(&book.receipts(), at),
					receipt: short,
				});
			}
			5 => {
				book.payouts.reverse();
				let (part, payout) = misplaced(&book)?;
				book.lie = certain(Dispute::Misplaced {
					part: open(&book.parts, part),
					payout: open(&book.payouts, payout),
				});
			}
			6 => {
				let part = self.below(book.parts.len());
				let half = book.parts[part].amount / 2;
				if half == 0 {
					return None;
				}
				book.parts[part].amount -= half;
				let other = PartLeaf {
					amount: half,
					..book.parts[part]
				};
				book.parts.insert(part + 1, other);
				book.lie = certain(Dispute::DuplicatePart {
					first: open(&book.parts, part),
					second: open(&book.parts, part + 1),
				});
			}
			7 => {
				let part = self.below(book.parts.len());
				book.parts[part].receipt = book.leaves.len() as u32 + 3;
				book.lie = certain(Dispute::PartWithoutReceipt {
					part: open(&book.parts, part),
				});
			}
			8 => {
				let adapter = receipt.adapter?;
				let payable = self.payable[&adapter].clone();
				let [_, _, _, data] = role_shares(worth, terms)?;
				let other = data.min(worth - data);
				let (first, second) = (payable.first()?, payable.get(1)?);
				if data == 0 || other == 0 {
					return None;
				}
				let contributor = |(datanet, contribution): &(u32, u32)| Payee::Contributor {
					adapter,
					datanet: *datanet,
					contribution: *contribution,
				};
				let new = [(contributor(first), data), (contributor(second), other)];
				replace(&mut book, at, &new, worth)?;
				let of_both = |part: &PartLeaf| {
					part.receipt as usize == at && new.iter().any(|(payee, _)| *payee == part.payee)
				};
				let of_both: Vec<_> = (0..book.parts.len())
					.filter(|index| of_both(&book.parts[*index]))
					.map(|index| open(&book.parts, index))
					.collect();
				book.lie = certain(Dispute::DataExceeded {
					leaf: open(&book.receipts(), at),
					receipt,
					parts: of_both.try_into().ok()?,
				});
			}
			9 => {
				let other = Receipt {
					response: self.hash(),
					..receipt
				};
				book.leaves[at] = (leaf_of(&other, paid), Some(other));
				book.lie = Some(Lie::NotAcknowledged(at));
			}
			_ => {
				// A receipt that an earlier report counted.
				let mut earlier: Vec<_> = self
					.filed
					.iter()
					.filter(|((provider, epoch), book)| {
						*provider == key.0 && *epoch != key.1 && book.lie.is_none()
					})
					.map(|((_, epoch), book)| (*epoch, book.clone()))
					.collect();
				let own = |epoch: EpochIndex| {
					Attribution::report_of(key.0.clone(), epoch)
						.is_some_and(|report| report.reporter == key.0)
				};
				earlier.retain(|(epoch, _)| own(*epoch));
				let (epoch, theirs) = self.one_of(&earlier)?;
				let index = self.below(theirs.leaves.len());
				let (leaf, again) = theirs.leaves[index].clone();
				let again = again?;
				let known = earned
					.iter()
					.any(|earned| earned.receipt.as_ref() == Some(&again));
				if leaf.paid + paid <= again.licence || paid > again.licence || known {
					return None;
				}
				book.leaves[at] = (leaf_of(&again, paid), Some(again.clone()));
				book.lie = Some(Lie::Likely(Box::new(Dispute::PaidTwice {
					leaf: open(&book.receipts(), at),
					receipt: again,
					others: vec![(epoch, open(&theirs.receipts(), index))]
						.try_into()
						.unwrap(),
				})));
			}
		}
		Some(book)
	}

	// Who finds out.

	/// A report on chain for which `test` holds, if there is one; otherwise any.
	fn a_filed(
		&mut self,
		test: impl Fn(&Book, &pallet_attribution::Report) -> bool,
	) -> Option<(Key, Book, pallet_attribution::Report)> {
		let all: Vec<_> = self
			.filed
			.iter()
			.map(|(key, book)| {
				let report = Attribution::report_of(key.0.clone(), key.1).expect("it is filed");
				(key.clone(), test(book, &report), report)
			})
			.collect();
		let fit: Vec<_> = all.iter().filter(|(_, fits, _)| *fits).cloned().collect();
		let chosen = self.one_of(&fit).or_else(|| self.one_of(&all));
		let (key, _, report) = chosen?;
		let book = self.filed[&key].clone();
		Some((key, book, report))
	}

	pub fn dispute(&mut self) {
		let now = System::block_number();
		let is_open = |report: &pallet_attribution::Report| {
			report.settled == 0 && (now < report.open_at || report.audit.is_some())
		};
		let lies = !self.once_in(3);
		let found = self.a_filed(|book, report| is_open(report) && book.lie.is_some() == lies);
		let Some((key, book, report)) = found else {
			return;
		};
		let mut is_certain = false;
		let dispute = match &book.lie {
			Some(Lie::Certain(dispute)) => {
				is_certain = true;
				Some(*dispute.clone())
			}
			Some(Lie::Likely(dispute)) => Some(*dispute.clone()),
			Some(Lie::NotAcknowledged(at)) => self.not_acknowledged(&key, &book, *at),
			None => Some(self.false_dispute(&book)),
		};
		let Some(dispute) = dispute else {
			return;
		};
		let who = self.person();
		let call = Call::dispute {
			provider: key.0,
			epoch: key.1,
			dispute: Box::new(dispute),
		};
		let issued = self.sign(&who, call);
		if book.lie.is_none() {
			assert!(!issued, "an honest report holds");
			self.count("false dispute refused");
		} else if issued {
			self.count("lie disputed");
		} else {
			assert!(
				!is_certain || !is_open(&report) || !self.was_valid(),
				"a lie is proven"
			);
		}
	}

	/// What the payer acknowledged in the place of a receipt.
	fn not_acknowledged(&self, (provider, epoch): &Key, book: &Book, at: usize) -> Option<Dispute> {
		let receipt = book.leaves[at].1.clone()?;
		let lane = (receipt.channel, receipt.generation, receipt.lane);
		let last = Attribution::source(provider, *epoch, lane.0, lane.1, lane.2)?.receipts;
		let mut so_far = Hash::zero();
		let mut acknowledged = Vec::new();
		for served in &self.lanes.get(&lane)?.served {
			if so_far == last {
				break;
			}
			let digest = served.receipt.digest();
			so_far = acknowledge(so_far, digest);
			acknowledged.push(digest);
		}
		Some(Dispute::NotAcknowledged {
			leaf: open(&book.receipts(), at),
			receipt,
			acknowledged: acknowledged.try_into().ok()?,
		})
	}

	/// An accusation without reason.
	fn false_dispute(&mut self, book: &Book) -> Dispute {
		let leaves = book.receipts();
		let at = self.below(leaves.len());
		let part = self.below(book.parts.len());
		let of = book.parts[part].receipt as usize;
		let payout = self.below(book.payouts.len());
		match (self.below(7), book.leaves[at].1.clone()) {
			(0, Some(receipt)) => Dispute::WrongReceipt {
				leaf: open(&leaves, at),
				receipt,
			},
			(1, Some(receipt)) => Dispute::Overpaid {
				leaf: open(&leaves, at),
				receipt,
			},
			(2, _) => Dispute::UnknownPayee {
				payout: open(&book.payouts, payout),
			},
			(3, _) => Dispute::PartWithoutReceipt {
				part: open(&book.parts, part),
			},
			(4, _) => Dispute::DuplicatePart {
				first: open(&book.parts, part),
				second: open(&book.parts, self.below(book.parts.len())),
			},
			(5, _) => Dispute::DuplicateReceipt {
				first: open(&leaves, at),
				second: open(&leaves, self.below(leaves.len())),
			},
			_ => Dispute::WrongPart {
				part: open(&book.parts, part),
				leaf: open(&leaves, of),
				receipt: book.leaves[of].1.clone(),
			},
		}
	}

	pub fn answer_audit(&mut self) {
		let Some((key, book, report)) = self.a_filed(|_, report| report.audit.is_some()) else {
			return;
		};
		let audit = report.audit;
		let seed = match audit {
			Some(audit) if !self.once_in(12) => audit.seed,
			_ => self.hash(),
		};
		let Some(answer) = book.answer(seed) else {
			return;
		};
		let who = self.person();
		let call = Call::answer_audit {
			provider: key.0,
			epoch: key.1,
			answer: Box::new(answer),
		};
		let passed = self.sign(&who, call);
		if book.lie.is_none() && audit.is_some_and(|audit| audit.seed == seed) {
			assert!(
				passed || !self.was_valid(),
				"an honest report passes its audit"
			);
		}
	}

	pub fn fail_audit(&mut self) {
		let now = System::block_number();
		let late = |_: &Book, report: &pallet_attribution::Report| {
			report.audit.is_some_and(|audit| audit.due < now)
		};
		let Some((key, book, report)) = self.a_filed(late) else {
			return;
		};
		let who = self.person();
		let call = Call::fail_audit {
			provider: key.0,
			epoch: key.1,
		};
		if self.sign(&who, call) {
			assert!(late(&book, &report), "no audit fails before it is due");
		}
	}

	pub fn demand_audit(&mut self) {
		let now = System::block_number();
		let open = |_: &Book, report: &pallet_attribution::Report| {
			now < report.open_at && report.audit.is_none()
		};
		let Some((key, book, report)) = self.a_filed(open) else {
			return;
		};
		let who = self.person();
		let call = Call::demand_audit {
			provider: key.0,
			epoch: key.1,
		};
		if self.sign(&who, call) {
			assert!(open(&book, &report), "an audit is demanded in the window");
		}
	}

	/// Removes what is kept of the lanes of an epoch, mostly of one that is settled.
	pub fn sweep(&mut self) {
		let mut kept: Vec<Key> = pallet_attribution::Sources::<Runtime>::iter()
			.map(|(key, ..)| key)
			.collect();
		kept.sort();
		kept.dedup();
		let is_settled = |(provider, epoch): &Key| {
			Attribution::report_of(provider.clone(), *epoch)
				.is_some_and(|report| report.settled == report.payouts.count)
		};
		let settled: Vec<Key> = kept.iter().filter(|key| is_settled(key)).cloned().collect();
		let chosen = match self.one_of(&settled) {
			Some(key) if !self.once_in(8) => Some(key),
			_ => self.one_of(&kept),
		};
		let Some(key) = chosen else {
			return;
		};
		let limit = self.rng.random_range(0..20);
		let who = self.person();
		let (provider, epoch) = key.clone();
		let call = Call::sweep {
			provider,
			epoch,
			limit,
		};
		if self.sign(&who, call) {
			assert!(is_settled(&key), "what a dispute may need is kept");
		}
	}

	// How money is paid.

	pub fn settle(&mut self) {
		let now = System::block_number();
		let ready = |_: &Book, report: &pallet_attribution::Report| {
			report.open_at <= now && report.audit.is_none()
		};
		let Some((key, book, report)) = self.a_filed(ready) else {
			return;
		};
		let (from, count) = (report.settled as usize, book.payouts.len());
		let most = (count - from).min(8);
		let len = self.rng.random_range(1..=most);
		let mut leaves = book.payouts[from..from + len].to_vec();
		let proof = tree(&book.payouts).range_proof(from as u32, len as u32);
		let changed = self.once_in(24);
		if changed {
			leaves[0].payee = Payee::Stakers;
			leaves[0].amount += 1;
		}
		let who = self.person();
		let call = Call::settle {
			provider: key.0,
			epoch: key.1,
			leaves: leaves.try_into().unwrap(),
			proof: proof.unwrap().try_into().unwrap(),
		};
		if self.sign(&who, call) {
			assert!(!changed, "only what was reported is paid");
			assert!(ready(&book, &report), "nothing is paid before its time");
		}
	}

	pub fn claim_credit(&mut self) {
		let mut creditors: Vec<_> = pallet_attribution::Credits::<Runtime>::iter_keys().collect();
		creditors.sort();
		let beneficiary = match self.one_of(&creditors) {
			Some(account) if !self.once_in(16) => account,
			_ => self.person().account,
		};
		let who = self.person();
		self.sign(&who, Call::claim { beneficiary });
	}

	pub fn forfeit(&mut self) {
		let now = Attribution::epoch().index;
		let deadline = attribution::ReportDeadline::get();
		let late: Vec<_> = self
			.unreported
			.iter()
			.filter(|(_, epoch)| now.saturating_sub(*epoch) > deadline.saturating_mul(2))
			.cloned()
			.collect();
		let key = match self.one_of(&late) {
			Some(key) => Some(key),
			None => self.unreported_pot(),
		};
		let Some((provider, epoch)) = key else {
			return;
		};
		let who: Person = self.person();
		let early = now.saturating_sub(epoch) <= deadline.saturating_mul(2);
		if self.sign(&who, Call::forfeit { provider, epoch }) {
			assert!(!early, "no pot is forfeited before its time");
		}
	}
}

/// What is wrong with a report although its provider did its sums right.
fn hidden_fault(book: &Book, earned: &[Earned], by_provider: bool) -> Option<Lie> {
	let leaves = book.receipts();
	if let Some(at) = leaves.iter().position(|leaf| leaf.receipt.is_zero()) {
		if !by_provider {
			return certain(Dispute::Unexplained {
				leaf: open(&leaves, at),
			});
		}
	}
	let at = earned
		.iter()
		.position(|earned| earned.false_span.is_some())?;
	certain(Dispute::FalseSpan {
		leaf: open(&leaves, at),
		receipt: earned[at].receipt.clone()?,
		attribution: earned[at].false_span.clone()?,
		span: 0,
		evidence: SpanEvidence::OutOfTree,
	})
}

fn leaf_of(receipt: &Receipt, paid: Balance) -> ReceiptLeaf {
	ReceiptLeaf {
		receipt: receipt.digest(),
		paid,
	}
}

/// Puts the parts of a book in order and sums them up.
fn settle_order(book: &mut Book) {
	book.parts.sort_by_key(|part| (part.payee, part.receipt));
	book.payouts = payouts(&book.parts).unwrap();
}

/// Puts `new` parts in the place of those of the receipt `at`, which is `worth` so much; what is left is
/// the stakers'. The answer is where the first of them is.
fn replace(book: &mut Book, at: usize, new: &[(Payee, Balance)], worth: Balance) -> Option<usize> {
	if worth < 1_000 {
		return None;
	}
	let receipt = at as u32;
	book.parts.retain(|part| part.receipt != receipt);
	let given: Balance = new.iter().map(|(_, amount)| amount).sum();
	let rest = [(Payee::Stakers, worth - given)];
	for (payee, amount) in new.iter().chain(&rest) {
		if *amount > 0 {
			book.parts.push(PartLeaf {
				payee: *payee,
				receipt,
				amount: *amount,
			});
		}
	}
	settle_order(book);
	book.parts
		.iter()
		.position(|part| part.receipt == receipt && part.payee == new[0].0)
}

/// A part and a payout over one another that are of different payees.
fn misplaced(book: &Book) -> Option<(usize, usize)> {
	let mut before = 0;
	book.parts.iter().enumerate().find_map(|(at, part)| {
		let payout = holding(&book.payouts, before)?;
		before += part.amount;
		(book.payouts[payout].payee != part.payee).then_some((at, payout))
	})
}
