use super::*;

#[test]
fn settle_should_credit_each_payee_by_the_terms() {
	ExtBuilder.build_and_execute(|| {
		let book = reported();
		book.settle_all();
		// 38 OPEN after the cut: 10 % base, 30 % adapter, 10 % stakers, 50 % to four contributors.
		assert_eq!(Attribution::credit(carol()), 38 * OPEN / 10);
		assert_eq!(Attribution::credit(dave()), 38 * OPEN / 10 * 3);
		assert_eq!(Attribution::credit(treasury()), 38 * OPEN / 10);
		for contribution in 0..4 {
			assert_eq!(
				Attribution::credit(contributor(contribution)),
				38 * OPEN / 8
			);
		}
		assert_eq!(
			last_event(),
			Event::Settled {
				provider: bob(),
				epoch: 0,
				paid: 38 * OPEN
			}
		);
		assert!(events().contains(&Event::Credited {
			provider: bob(),
			epoch: 0,
			payee: Payee::Contributor {
				adapter: 0,
				datanet: 0,
				contribution: 3
			},
			account: contributor(3),
			amount: 38 * OPEN / 8,
		}));
		let report = Attribution::report_of(bob(), 0).unwrap();
		assert_eq!((report.settled, report.paid), (7, 38 * OPEN));
		assert_noop!(book.settle(0, 1), Error::<Test>::NothingLeft);
	})
}

#[test]
fn settle_should_go_on_where_it_left_off() {
	ExtBuilder.build_and_execute(|| {
		let book = reported();
		for (start, len) in [(0, 3), (3, 1), (4, 3)] {
			assert_ok!(book.settle(start, len));
			Attribution::do_try_state().unwrap();
		}
		assert_eq!(Attribution::report_of(bob(), 0).unwrap().paid, 38 * OPEN);
	})
}

#[test]
fn settle_should_settle_many_leaves_in_batches() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 0, 40 * OPEN);
		end_epoch();
		let book = Book::of(bob(), 0, 600);
		assert_ok!(book.report());
		pass(5);
		book.settle_all();
		assert_eq!(Attribution::report_of(bob(), 0).unwrap().paid, 38 * OPEN);
		assert_eq!(Attribution::totals().settled, 38 * OPEN);
	})
}

#[test]
fn settle_should_credit_the_treasury_with_what_nobody_is_owed() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 0, 40 * OPEN);
		end_epoch();
		let payee = Payee::Contributor {
			adapter: 0,
			datanet: 0,
			contribution: CONTRIBUTORS,
		};
		let leaf = PayoutLeaf {
			payee,
			amount: 38 * OPEN,
		};
		let book = Book::with_leaves(bob(), 0, vec![leaf]);
		assert_ok!(book.report());
		pass(5);
		book.settle_all();
		assert_eq!(Attribution::credit(treasury()), 38 * OPEN);
		let unpayable = Event::Unpayable {
			provider: bob(),
			epoch: 0,
			payee,
			amount: 38 * OPEN,
		};
		assert!(events().contains(&unpayable));
	})
}

#[test]
fn settle_should_wait_for_the_window_and_a_report() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 0, 40 * OPEN);
		end_epoch();
		let book = Book::of(bob(), 0, 4);
		assert_noop!(book.settle(0, 1), Error::<Test>::NotReported);
		assert_ok!(book.report());
		pass(4);
		assert_noop!(book.settle(0, 1), Error::<Test>::WindowOpen);
		pass(1);
		assert_noop!(book.settle_with(vec![], vec![]), Error::<Test>::NoLeaves);
		assert_ok!(book.settle(0, 1));
	})
}
