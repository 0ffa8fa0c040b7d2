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
				payouts: book.payouts,
				terms: 1,
				reported_at: now,
				open_at: now + 5,
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
			}
		);
	})
}

#[test]
fn report_should_be_open_to_the_provider_itself() {
	with_pot(|book| {
		assert_ok!(Attribution::report(
			signed(bob()),
			0,
			book.receipts,
			book.payouts
		));
		assert!(Attribution::report_of(bob(), 0).is_some());
	})
}

#[test]
fn report_should_refuse_anyone_without_a_pot() {
	with_pot(|book| {
		for who in [alice(), hot(&eve()), eve(), dave()] {
			assert_noop!(
				Attribution::report(signed(who), 0, book.receipts, book.payouts),
				Error::<Test>::NothingToReport
			);
		}
		assert_noop!(
			Attribution::report(RuntimeOrigin::none(), 0, book.receipts, book.payouts),
			BadOrigin
		);
	})
}

#[test]
fn report_should_wait_for_the_end_of_the_epoch() {
	with_pot(|book| {
		for epoch in [1, 2, EpochIndex::MAX] {
			assert_noop!(
				Attribution::report(signed(hot(&bob())), epoch, book.receipts, book.payouts),
				Error::<Test>::EpochNotOver
			);
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
		let report = |payouts| Attribution::report(signed(hot(&bob())), epoch, receipts, payouts);
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
