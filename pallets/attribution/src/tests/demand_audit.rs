use super::*;

/// A report of which Eve has seen nothing.
fn withheld() -> Book {
	collect(&bob(), 60 * OPEN, 40 * OPEN);
	end_epoch();
	let book = Book::of(bob(), 0, 4);
	assert_ok!(book.report());
	book
}

fn held(who: &AccountId) -> Balance {
	<Balances as frame::traits::fungible::InspectHold<AccountId>>::balance_on_hold(
		&HoldReason::Demand.into(),
		who,
	)
}

#[test]
fn a_report_whose_leaves_are_withheld_should_not_be_settled_once_somebody_demands_them() {
	ExtBuilder.build_and_execute(|| {
		let book = withheld();
		pass(4);
		assert_ok!(book.demand_audit(eve()));
		let drawn_at = System::block_number() + 2;
		assert_eq!(
			last_event(),
			Event::AuditDemanded {
				provider: bob(),
				epoch: 0,
				by: eve(),
				deposit: OPEN,
				drawn_at
			}
		);
		assert_eq!(held(&eve()), OPEN);
		pass(1);
		assert_noop!(book.settle(0, 1), Error::<Test>::WindowOpen);
		pass(1);
		assert_noop!(book.settle(0, 1), Error::<Test>::AuditOpen);
		pass(21);
		assert_ok!(Attribution::fail_audit(signed(dave()), bob(), 0));
		pass(21);
		assert_ok!(Attribution::fail_audit(signed(dave()), bob(), 0));
		assert_eq!(book.on_chain(), None);
		// Without her demand there had been nothing to miss.
		assert_eq!(Attribution::credit(eve()), 38 * OPEN);
		assert_eq!(held(&eve()), 0);
		assert_eq!(Attribution::demand(bob(), 0), None);
	})
}

#[test]
fn a_demand_should_pay_an_honest_reporter_for_its_answer() {
	ExtBuilder.build_and_execute(|| {
		let book = withheld();
		assert_ok!(book.demand_audit(eve()));
		pass(2);
		let seed = book.on_chain().unwrap().audit.unwrap().seed;
		assert_ok!(book.answer_audit(hot(&bob()), book.answer(seed)));
		assert_eq!(held(&eve()), 0);
		assert_eq!(Balances::total_balance(&eve()), ENDOWMENT - OPEN);
		assert_eq!(Attribution::credit(hot(&bob())), OPEN);
		pass(DisputeWindow::get());
		book.settle_all();
		assert_eq!(Attribution::demand(bob(), 0), None);
	})
}

#[test]
fn a_report_should_be_demanded_once() {
	ExtBuilder.build_and_execute(|| {
		let book = withheld();
		assert_ok!(book.demand_audit(eve()));
		assert_noop!(book.demand_audit(dave()), Error::<Test>::AlreadyDemanded);
		pass(2);
		assert_noop!(book.demand_audit(dave()), Error::<Test>::AuditOpen);
		let seed = book.on_chain().unwrap().audit.unwrap().seed;
		assert_ok!(book.answer_audit(bob(), book.answer(seed)));
		assert_noop!(book.demand_audit(dave()), Error::<Test>::AlreadyDemanded);
	})
}

#[test]
fn a_demand_should_come_in_time_and_with_its_deposit() {
	ExtBuilder.build_and_execute(|| {
		let poor = AccountId::from([66; 32]);
		let late = reported();
		assert_noop!(late.demand_audit(eve()), Error::<Test>::DisputeTooLate);
		late.settle_all();
		assert_noop!(late.demand_audit(eve()), Error::<Test>::DisputeTooLate);
		collect(&bob(), 0, 40 * OPEN);
		let epoch = Attribution::epoch().index;
		end_epoch();
		let book = Book::of(bob(), epoch, 4);
		assert_noop!(book.demand_audit(eve()), Error::<Test>::NotReported);
		assert_ok!(book.report());
		assert!(book.demand_audit(poor).is_err());
		assert_eq!(Attribution::demand(bob(), epoch), None);
	})
}

#[test]
fn a_demand_should_end_with_a_report_that_is_proven_wrong() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 60 * OPEN, 40 * OPEN);
		end_epoch();
		let stolen = PayoutLeaf {
			payee: Payee::AdapterOwner(0),
			amount: 38 * OPEN,
		};
		let book = Book::with_leaves(bob(), 0, vec![stolen]);
		assert_ok!(book.report());
		assert_ok!(book.demand_audit(eve()));
		let wrong = Dispute::WrongPart {
			part: book.part(0),
			leaf: book.leaf(),
			receipt: book.receipt.clone(),
		};
		assert_ok!(book.dispute(dave(), wrong));
		assert_eq!(held(&eve()), 0);
		assert_eq!(Balances::total_balance(&eve()), ENDOWMENT);
		assert!(Attribution::credit(dave()) > 0);
		// The report that is made in its place may be demanded again.
		let right = Book::of(bob(), 0, 4);
		assert_ok!(right.report_by(bob()));
		pass(1);
		assert_ok!(right.demand_audit(eve()));
	})
}
