use super::*;

fn with_pot(test: impl FnOnce(Book)) {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 60 * OPEN, 40 * OPEN);
		end_epoch();
		test(Book::of(bob(), 0, 4));
	})
}

#[test]
fn report_should_commit_to_receipts_and_payouts() {
	with_pot(|book| {
		assert_ok!(book.report());
		let now = System::block_number();
		assert_eq!(
			Attribution::report_of(bob(), 0),
			Some(Report {
				receipts: book.receipts,
				parts: book.parts,
				payouts: book.payouts,
				terms: 1,
				reporter: bob(),
				deposit: 0,
				reported_at: now,
				open_at: now + 5,
				audit: None,
				settled: 0,
				paid: 0,
			})
		);
		assert_eq!(
			last_event(),
			Event::Reported {
				provider: bob(),
				epoch: 0,
				receipts: book.receipts,
				payouts: book.payouts,
				terms: 1,
				open_at: now + 5,
				parts: book.parts,
				reporter: bob(),
				deposit: 0,
			}
		);
	})
}

#[test]
fn report_should_be_open_to_the_provider_itself() {
	with_pot(|book| {
		assert_ok!(book.report_by(bob()));
		assert!(Attribution::report_of(bob(), 0).is_some());
	})
}

#[test]
fn report_should_refuse_anyone_without_a_pot() {
	with_pot(|book| {
		for who in [alice(), hot(&eve()), eve(), dave()] {
			assert_noop!(book.report_by(who), Error::<Test>::NothingToReport);
		}
		assert_noop!(
			Attribution::report(
				RuntimeOrigin::none(),
				0,
				book.receipts,
				book.parts,
				book.payouts
			),
			BadOrigin
		);
	})
}

#[test]
fn report_should_wait_for_the_end_of_the_epoch() {
	with_pot(|book| {
		for epoch in [1, 2, EpochIndex::MAX] {
			let early = Book {
				epoch,
				..book.clone()
			};
			assert_noop!(early.report(), Error::<Test>::EpochNotOver);
			assert_noop!(early.report_for(dave()), Error::<Test>::EpochNotOver);
		}
	})
}

#[test]
fn report_should_read_the_window_when_it_is_made() {
	with_pot(|book| {
		DisputeWindow::set(&100);
		assert_ok!(book.report());
		DisputeWindow::set(&0);
		pass(99);
		assert_noop!(book.settle(0, 1), Error::<Test>::WindowOpen);
		pass(1);
		assert_ok!(book.settle(0, 1));
	})
}

#[test]
fn report_should_be_settled_at_once_when_the_cut_took_all() {
	ExtBuilder.build_and_execute(|| {
		GovernedTerms::set(&Terms {
			protocol_cut: 1_000_000,
			..Terms::default()
		});
		end_epoch();
		collect(&bob(), 60 * OPEN, 40 * OPEN);
		end_epoch();
		let (epoch, pot) = (1, Attribution::pot(bob(), 1).unwrap());
		assert_eq!((pot.licence, pot.net), (40 * OPEN, 0));
		let receipts = Commitment {
			root: Hash::repeat_byte(1),
			sum: 40 * OPEN,
			count: 1,
		};
		let report = |payouts| {
			let none = Commitment::default();
			Attribution::report(signed(hot(&bob())), epoch, receipts, none, payouts)
		};
		let named = Commitment {
			root: Hash::repeat_byte(1),
			sum: 0,
			count: 1,
		};
		assert_noop!(report(named), Error::<Test>::PayoutsDoNotMatch);
		assert_ok!(report(Commitment::default()));
		assert_eq!(
			last_event(),
			Event::Settled {
				provider: bob(),
				epoch,
				paid: 0
			}
		);
		pass(5);
		let leaf = PayoutLeaf {
			payee: Payee::Stakers,
			amount: 0,
		};
		assert_noop!(
			Attribution::settle(
				signed(alice()),
				bob(),
				epoch,
				vec![leaf].try_into().unwrap(),
				Default::default()
			),
			Error::<Test>::NothingLeft
		);
	})
}

#[test]
fn report_should_be_refused_where_the_block_has_had_enough() {
	ExtBuilder.build_and_execute(|| {
		for _ in 0..=MAX_REPORTS {
			collect(&bob(), 0, OPEN);
			end_epoch();
		}
		for epoch in 0..MAX_REPORTS {
			assert_ok!(Book::of(bob(), epoch, 1).report());
		}
		let late = Book::of(bob(), MAX_REPORTS, 1);
		assert_noop!(late.report(), Error::<Test>::TooManyReports);
		pass(1);
		assert_ok!(late.report());
	})
}

#[test]
fn a_provider_that_lost_its_receipts_should_report_for_the_treasury() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 0, 40 * OPEN);
		end_epoch();
		let book = Book::lost(bob(), 0);
		assert_ok!(book.report());
		pass(5);
		book.settle_all();
		assert_eq!(Attribution::credit(treasury()), 38 * OPEN);
	})
}

#[test]
fn at_risk_should_be_what_is_not_settled() {
	ExtBuilder.build_and_execute(|| {
		assert_eq!(Attribution::at_risk(&bob()), 0);
		collect(&bob(), 0, 40 * OPEN);
		collect(&bob(), 60 * OPEN, 0);
		assert_eq!(Attribution::at_risk(&bob()), 38 * OPEN);
		end_epoch();
		collect(&bob(), 0, 20 * OPEN);
		let book = Book::of(bob(), 0, 4);
		assert_ok!(book.report());
		pass(5);
		assert_eq!(Attribution::at_risk(&bob()), 57 * OPEN);
		assert_ok!(book.settle(0, 1));
		assert_eq!(
			Attribution::at_risk(&bob()),
			57 * OPEN - book.leaves[0].amount
		);
		assert_ok!(book.settle(1, 6));
		assert_eq!(Attribution::at_risk(&bob()), 19 * OPEN);
		assert_eq!(Attribution::at_risk(&eve()), 0);
	})
}
