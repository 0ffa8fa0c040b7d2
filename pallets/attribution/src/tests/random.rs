//! Random sequences of redemptions, epochs, reports, settlements and claims keep every invariant and
//! every unit.

use super::*;
use frame::traits::{fungible::Balanced as _, Imbalance as _};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
	Collect {
		eve: bool,
		compute: Balance,
		licence: Balance,
	},
	Govern {
		cut: u32,
		burnt: u32,
		valid: bool,
	},
	Pass {
		blocks: BlockNumber,
	},
	Report {
		eve: bool,
		epoch: EpochIndex,
		contributors: u32,
	},
	Settle {
		report: usize,
		len: u32,
	},
	Claim {
		who: u32,
	},
	Lie {
		eve: bool,
		epoch: EpochIndex,
		lost: bool,
	},
	ReportFor {
		epoch: EpochIndex,
		contributors: u32,
		lie: bool,
	},
	Dispute {
		report: usize,
	},
	Answer {
		report: usize,
	},
	FailAudit {
		report: usize,
	},
	Demand {
		report: usize,
	},
	Forfeit {
		eve: bool,
		epoch: EpochIndex,
	},
	Withdraw {
		who: u32,
	},
}

/// Amounts of every size, dust and none included.
fn amount() -> impl Strategy<Value = Balance> {
	prop_oneof![0..10u128, 0..ED, 0..100 * OPEN]
}

fn step() -> impl Strategy<Value = Step> {
	prop_oneof![
		4 => (any::<bool>(), amount(), amount())
			.prop_map(|(eve, compute, licence)| Step::Collect { eve, compute, licence }),
		1 => (0..=1_000_000u32, 0..=1_000_000u32, any::<bool>())
			.prop_map(|(cut, burnt, valid)| Step::Govern { cut, burnt, valid }),
		3 => (1u32..15).prop_map(|blocks| Step::Pass { blocks }),
		4 => (any::<bool>(), 0u32..8, 0u32..20)
			.prop_map(|(eve, epoch, contributors)| Step::Report { eve, epoch, contributors }),
		6 => (0usize..8, 1u32..12).prop_map(|(report, len)| Step::Settle { report, len }),
		4 => (0u32..24).prop_map(|who| Step::Claim { who }),
		2 => (any::<bool>(), 0u32..8, any::<bool>())
			.prop_map(|(eve, epoch, lost)| Step::Lie { eve, epoch, lost }),
		2 => (0u32..8, 0u32..8, any::<bool>())
			.prop_map(|(epoch, contributors, lie)| Step::ReportFor { epoch, contributors, lie }),
		3 => (0usize..8).prop_map(|report| Step::Dispute { report }),
		2 => (0usize..8).prop_map(|report| Step::Answer { report }),
		2 => (0usize..8).prop_map(|report| Step::FailAudit { report }),
		2 => (0usize..8).prop_map(|report| Step::Demand { report }),
		2 => (any::<bool>(), 0u32..8).prop_map(|(eve, epoch)| Step::Forfeit { eve, epoch }),
		1 => (0u32..4).prop_map(|who| Step::Withdraw { who }),
	]
}

fn payee(who: u32) -> AccountId {
	match who {
		0 => carol(),
		1 => dave(),
		2 => treasury(),
		3 => bob(),
		_ => contributor(who - 4),
	}
}

/// Takes a step; a call that is refused changes nothing, which is as good.
fn take(step: Step, books: &mut Vec<Book>) {
	match step {
		Step::Collect {
			eve: is_eve,
			compute,
			licence,
		} => collect(&if is_eve { eve() } else { bob() }, compute, licence),
		Step::Govern { cut, burnt, valid } => GovernedTerms::set(&Terms {
			protocol_cut: cut,
			burnt,
			stakers: if valid { 100_000 } else { 100_001 },
			..Terms::default()
		}),
		Step::Pass { blocks } => pass(blocks),
		Step::Report {
			eve: is_eve,
			epoch,
			contributors,
		} => {
			let provider = if is_eve { eve() } else { bob() };
			let has_money =
				Attribution::pot(provider.clone(), epoch).is_some_and(|pot| pot.net > 0);
			if has_money {
				let book = Book::of(provider, epoch, contributors);
				// By its hot key, or where a deposit is due by itself.
				let who = book.provider.clone();
				if book.report().is_ok() || book.report_by(who).is_ok() {
					books.push(book);
				}
			}
		}
		Step::Demand { report } => {
			if let Some((book, _)) = standing(books, report) {
				let _ = book.demand_audit(carol());
			}
		}
		Step::Settle { report, len } => {
			let Some((book, on_chain)) = standing(books, report) else {
				return;
			};
			let len = len.min(book.payouts.count - on_chain.settled);
			if len > 0 {
				let result = book.settle(on_chain.settled, len);
				let is_open = System::block_number() >= on_chain.open_at;
				assert_eq!(result.is_ok(), is_open && on_chain.audit.is_none());
			}
		}
		Step::Claim { who } => {
			let who = payee(who);
			let (credit, balance) = (Attribution::credit(who.clone()), Balances::balance(&who));
			let result = Attribution::claim(signed(alice()), who);
			assert_eq!(result.is_ok(), credit > 0 && balance + credit >= ED);
		}
		Step::Lie {
			eve: is_eve,
			epoch,
			lost,
		} => {
			let provider = if is_eve { eve() } else { bob() };
			if let Some(book) = lie(provider, epoch, lost) {
				if book.report().is_ok() {
					books.push(book);
				}
			}
		}
		Step::ReportFor {
			epoch,
			contributors,
			lie: is_lie,
		} => {
			let has_money = Attribution::pot(bob(), epoch).is_some_and(|pot| pot.net > 0);
			if has_money {
				let book = if is_lie {
					lie(bob(), epoch, false).unwrap()
				} else {
					Book::of(bob(), epoch, contributors)
				};
				if book.report_for(dave()).is_ok() {
					books.push(book);
				}
			}
		}
		Step::Dispute { report } => {
			let Some((book, on_chain)) = standing(books, report) else {
				return;
			};
			let dispute = Dispute::WrongPart {
				part: book.part(0),
				leaf: book.leaf(),
				receipt: book.receipt.clone(),
			};
			let is_lie = book.receipt.is_some()
				&& book.part_leaves.len() == 1
				&& book.part_leaves[0].payee == Payee::AdapterOwner(0)
				&& book.parts.sum > 3;
			let in_time = on_chain.settled == 0
				&& (System::block_number() < on_chain.open_at || on_chain.audit.is_some());
			let result = book.dispute(carol(), dispute);
			assert!(!is_lie || result.is_ok() == in_time, "{result:?}");
			assert!(result.is_err() || is_lie || book.parts.sum <= 3);
		}
		Step::Answer { report } => {
			if let Some((book, on_chain)) = standing(books, report) {
				if let Some(audit) = on_chain.audit {
					let _ = book.answer_audit(alice(), book.answer(audit.seed));
				}
			}
		}
		Step::FailAudit { report } => {
			if let Some((book, on_chain)) = standing(books, report) {
				let result =
					Attribution::fail_audit(signed(carol()), book.provider.clone(), book.epoch);
				let is_due = on_chain
					.audit
					.is_some_and(|audit| System::block_number() > audit.due);
				assert_eq!(result.is_ok(), is_due);
			}
		}
		Step::Forfeit { eve: is_eve, epoch } => {
			let provider = if is_eve { eve() } else { bob() };
			let _ = Attribution::forfeit(signed(carol()), provider, epoch);
		}
		Step::Withdraw { who } => {
			let credit = Attribution::credit(payee(who));
			let money = Attribution::withdraw_credit(&payee(who));
			assert_eq!(money.peek(), credit);
			// Whoever collects it puts it somewhere.
			assert!(Balances::resolve(&alice(), money).is_ok());
		}
	}
}

/// A report that stands as it was made.
fn standing(books: &[Book], at: usize) -> Option<(&Book, Report)> {
	let book = books.get(at)?;
	let on_chain = book.on_chain()?;
	(on_chain.payouts == book.payouts && on_chain.receipts == book.receipts)
		.then_some((book, on_chain))
}

/// A report that pays everything to an adapter's owner, or that knows of no receipts.
fn lie(provider: AccountId, epoch: EpochIndex, lost: bool) -> Option<Book> {
	let pot = Attribution::pot(provider.clone(), epoch).filter(|pot| pot.net > 0)?;
	if lost {
		return Some(Book::lost(provider, epoch));
	}
	let leaf = PayoutLeaf {
		payee: Payee::AdapterOwner(0),
		amount: pot.net,
	};
	Some(Book::with_leaves(provider, epoch, vec![leaf]))
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(256))]

	#[test]
	fn any_sequence_should_keep_the_invariants_and_every_unit(
		poor in any::<bool>(),
		audited in any::<bool>(),
		steps in prop::collection::vec(step(), 1..60),
	) {
		ExtBuilder.build_and_execute(|| {
			if poor {
				// Neither can take small amounts at once.
				for who in [bob(), treasury()] {
					assert_ok!(Balances::transfer_all(signed(who), alice(), false));
				}
			}
			if audited {
				AuditRate::set(&600_000);
			}
			ReportDeadline::set(&2);
			let before = (all_money(), Balances::total_issuance());
			let mut books = Vec::new();
			for step in steps {
				take(step, &mut books);
				Attribution::do_try_state().unwrap();
			}
			// Settle and claim all that can be.
			AuditRate::set(&0);
			for provider in [bob(), eve()] {
				let money = 100_000 * OPEN;
				assert_ok!(Balances::transfer_allow_death(signed(alice()), provider, money));
			}
			end_epoch();
			for report in 0..books.len() {
				take(Step::Answer { report }, &mut books);
			}
			for provider in [bob(), eve()] {
				for epoch in 0..Attribution::epoch().index {
					take(
						Step::Report { eve: provider == eve(), epoch, contributors: 3 },
						&mut books,
					);
				}
			}
			// An audit that was demanded last is yet to be drawn, and is missed twice.
			for _ in 0..3 {
				pass(AuditPeriod::get() + 1);
				for report in 0..books.len() {
					take(Step::FailAudit { report }, &mut books);
				}
			}
			for report in 0..books.len() {
				take(Step::Settle { report, len: u32::MAX }, &mut books);
			}
			for provider in [bob(), eve()] {
				for epoch in 0..Attribution::epoch().index {
					take(
						Step::Report { eve: provider == eve(), epoch, contributors: 3 },
						&mut books,
					);
					pass(1);
				}
			}
			pass(DisputeWindow::get());
			for report in 0..books.len() {
				take(Step::Settle { report, len: u32::MAX }, &mut books);
			}
			for who in 0..24 {
				take(Step::Claim { who }, &mut books);
			}
			let totals = Attribution::totals();
			assert_eq!(totals.settled, totals.licence);
			// What is left in the account is what could not be claimed, and the least balance.
			assert_eq!(
				Balances::balance(&Attribution::account_id()),
				ED + totals.credited - totals.claimed
			);
			// What changed in all balances together is what was burnt, and that was booked.
			let burnt = totals.burnt + burnt_by_slashing();
			assert_eq!(before.0 - all_money(), burnt);
			assert_eq!(before.1 - Balances::total_issuance(), burnt);
			assert_eq!(Attribution::at_risk(&bob()) + Attribution::at_risk(&eve()), 0);
		});
	}
}
