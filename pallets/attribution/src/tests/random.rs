//! Random sequences of redemptions, epochs, reports, settlements and claims keep every invariant and
//! every unit.

use super::*;
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
				if book.report().is_ok() {
					books.push(book);
				}
			}
		}
		Step::Settle { report, len } => {
			let Some(book) = books.get(report) else {
				return;
			};
			let settled = Attribution::report_of(book.provider.clone(), book.epoch)
				.unwrap()
				.settled;
			let len = len.min(book.payouts.count - settled);
			if len > 0 {
				let open_at = Attribution::report_of(book.provider.clone(), book.epoch)
					.unwrap()
					.open_at;
				let result = book.settle(settled, len);
				assert_eq!(result.is_ok(), System::block_number() >= open_at);
			}
		}
		Step::Claim { who } => {
			let who = payee(who);
			let (credit, balance) = (Attribution::credit(who.clone()), Balances::balance(&who));
			let result = Attribution::claim(signed(alice()), who);
			assert_eq!(result.is_ok(), credit > 0 && balance + credit >= ED);
		}
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(256))]

	#[test]
	fn any_sequence_should_keep_the_invariants_and_every_unit(
		poor in any::<bool>(),
		steps in prop::collection::vec(step(), 1..60),
	) {
		ExtBuilder.build_and_execute(|| {
			if poor {
				// Neither can take small amounts at once.
				for who in [bob(), treasury()] {
					assert_ok!(Balances::transfer_all(signed(who), alice(), false));
				}
			}
			let before = (all_money(), Balances::total_issuance());
			let mut books = Vec::new();
			for step in steps {
				take(step, &mut books);
				Attribution::do_try_state().unwrap();
			}
			// Settle and claim all that can be.
			end_epoch();
			for provider in [bob(), eve()] {
				for epoch in 0..Attribution::epoch().index {
					take(
						Step::Report { eve: provider == eve(), epoch, contributors: 3 },
						&mut books,
					);
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
			assert_eq!(before.0 - all_money(), totals.burnt);
			assert_eq!(before.1 - Balances::total_issuance(), totals.burnt);
		});
	}
}
