use super::*;

fn late() -> Book {
	collect(&bob(), 0, 40 * OPEN);
	for _ in 0..5 {
		end_epoch();
	}
	Book::of(bob(), 0, 4)
}

#[test]
fn report_for_should_be_open_to_anyone_after_the_deadline_against_a_deposit() {
	ExtBuilder.build_and_execute(|| {
		let book = late();
		assert_ok!(book.report_for(eve()));
		let report = book.on_chain().unwrap();
		assert_eq!((report.reporter, report.deposit), (eve(), 100 * OPEN));
		let held = || Balances::balance_on_hold(&HoldReason::Report.into(), &eve());
		assert_eq!(held(), 100 * OPEN);
		pass(5);
		assert_ok!(book.settle(0, 6));
		assert_eq!(held(), 100 * OPEN);
		assert_ok!(book.settle(6, 1));
		assert_eq!(held(), 0);
		assert_eq!(Balances::balance(&eve()), ENDOWMENT);
	})
}

#[test]
fn report_for_should_wait_for_the_deadline() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 0, 40 * OPEN);
		end_epoch();
		let book = Book::of(bob(), 0, 4);
		for _ in 0..4 {
			assert_noop!(book.report_for(eve()), Error::<Test>::ProviderMayReport);
			end_epoch();
		}
		assert_ok!(book.report_for(eve()));
	})
}

#[test]
fn report_for_should_need_the_whole_deposit() {
	ExtBuilder.build_and_execute(|| {
		let book = late();
		assert!(book.report_for(contributor(0)).is_err());
		assert_eq!(book.on_chain(), None);
	})
}

#[test]
fn report_for_should_need_no_deposit_of_the_provider() {
	ExtBuilder.build_and_execute(|| {
		let book = late();
		assert_ok!(book.report_for(bob()));
		let report = book.on_chain().unwrap();
		assert_eq!((report.reporter, report.deposit), (bob(), 0));
	})
}

#[test]
fn report_for_should_be_refused_where_there_is_a_report_or_no_pot() {
	ExtBuilder.build_and_execute(|| {
		let book = late();
		assert_ok!(book.report());
		assert_noop!(book.report_for(eve()), Error::<Test>::AlreadyReported);
		let none = Book { epoch: 1, ..book };
		assert_noop!(none.report_for(eve()), Error::<Test>::NothingToReport);
	})
}
