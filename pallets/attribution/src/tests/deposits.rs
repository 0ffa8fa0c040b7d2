//! Who reports stands to lose no less than the pot, the second time too; and what nobody can settle is
//! not locked for ever.

use super::*;

/// Bob's report of 40 OPEN in which all is Dave's.
fn lie() -> Book {
	let payee = Payee::AdapterOwner(0);
	let amount = Attribution::pot(bob(), 0).unwrap().net;
	Book::with_leaves(bob(), 0, vec![PayoutLeaf { payee, amount }])
}

/// What is wrong with it.
fn shown(book: &Book) -> Dispute {
	Dispute::WrongPart {
		part: book.part(0),
		leaf: book.leaf(),
		receipt: book.receipt.clone(),
	}
}

/// Payouts that are a hash which nobody has leaves for.
fn poison(mut book: Book) -> Book {
	book.payouts.root = Hash::repeat_byte(0x66);
	book
}

fn earned() {
	collect(&bob(), 60 * OPEN, 40 * OPEN);
	end_epoch();
}

fn held(who: &AccountId) -> Balance {
	Balances::balance_on_hold(&HoldReason::Report.into(), who)
}

fn forfeit() -> DispatchResult {
	Attribution::forfeit(signed(dave()), bob(), 0)
}

#[test]
fn a_provider_whose_report_was_proven_wrong_should_need_a_deposit_for_the_next() {
	ExtBuilder.build_and_execute(|| {
		BondOfBob::set(&(10 * OPEN));
		earned();
		assert_ok!(lie().report());
		assert_ok!(lie().dispute(eve(), shown(&lie())));
		assert_eq!(BondOfBob::get(), 0);
		let before = Attribution::credit(eve());
		// Nothing is left at stake, so the second lie costs a deposit, of the provider's own money.
		assert_ok!(lie().report_by(bob()));
		assert_eq!(held(&bob()), 100 * OPEN);
		assert_ok!(lie().dispute(eve(), shown(&lie())));
		assert_eq!(held(&bob()), 0);
		assert_eq!(Attribution::credit(eve()) - before, 50 * OPEN);
		// Who tells the truth in the end has the deposit back.
		let right = Book::of(bob(), 0, 4);
		assert_ok!(right.report_by(bob()));
		pass(DisputeWindow::get());
		right.settle_all();
		assert_eq!(held(&bob()), 0);
	})
}

#[test]
fn a_provider_without_a_bond_for_its_pots_should_need_a_deposit() {
	ExtBuilder.build_and_execute(|| {
		earned();
		BondOfBob::set(&(9 * OPEN));
		let right = Book::of(bob(), 0, 4);
		assert!(right.report().is_err(), "its hot key has no money");
		assert_ok!(right.report_by(bob()));
		assert_eq!(right.on_chain().unwrap().deposit, 100 * OPEN);
	})
}

#[test]
fn a_stolen_hot_key_should_cost_at_most_one_slash_for_an_epoch() {
	ExtBuilder.build_and_execute(|| {
		earned();
		assert_ok!(lie().report());
		assert_ok!(lie().dispute(eve(), shown(&lie())));
		let bond = BondOfBob::get();
		assert!(bond > 0);
		// The thief has to put up its own money now.
		assert!(lie().report().is_err());
		assert!(lie().report_for(hot(&bob())).is_err());
		assert_ok!(Balances::mint_into(&hot(&bob()), 200 * OPEN));
		assert_ok!(lie().report());
		assert_eq!(held(&hot(&bob())), 100 * OPEN);
		assert_ok!(lie().dispute(eve(), shown(&lie())));
		assert_eq!(BondOfBob::get(), bond);
		assert_eq!(held(&bob()), 0);
		let stolen = 200 * OPEN - Balances::total_balance(&hot(&bob()));
		assert_eq!(stolen, 100 * OPEN);
	})
}

#[test]
fn an_audit_of_a_report_with_a_deposit_should_be_missed_once() {
	ExtBuilder.build_and_execute(|| {
		earned();
		assert_ok!(lie().report());
		assert_ok!(lie().dispute(eve(), shown(&lie())));
		AuditRate::set(&1_000_000);
		let book = Book::of(bob(), 0, 4);
		assert_ok!(book.report_by(bob()));
		pass(23);
		assert_ok!(Attribution::fail_audit(signed(eve()), bob(), 0));
		assert_eq!(book.on_chain(), None);
	})
}

#[test]
fn a_pot_should_not_be_frozen_by_payouts_that_cannot_be_settled() {
	ExtBuilder.build_and_execute(|| {
		earned();
		for _ in 0..5 {
			end_epoch();
		}
		// Dave reports in Bob's place, so that Bob's bond stays locked for ever.
		let book = poison(Book::of(bob(), 0, 4));
		assert_ok!(book.report_for(dave()));
		let open_at = book.on_chain().unwrap().open_at;
		let patience = EpochLength::get() * 2 * ReportDeadline::get();
		to_block(open_at + patience);
		assert_noop!(forfeit(), Error::<Test>::TooEarlyToForfeit);
		pass(1);
		assert_ok!(forfeit());
		assert_eq!(book.on_chain(), None);
		assert_eq!(Balances::total_balance(&dave()), ENDOWMENT - 100 * OPEN);
		let right = Book::of(bob(), 0, 4);
		assert_ok!(right.report_by(bob()));
		pass(DisputeWindow::get());
		right.settle_all();
		assert_eq!(Attribution::at_risk(&bob()), 0);
	})
}

#[test]
fn the_rest_of_a_report_that_nobody_can_settle_should_be_the_treasurys() {
	ExtBuilder.build_and_execute(|| {
		let book = reported();
		assert_ok!(book.settle(0, 1));
		let rest = 38 * OPEN - book.leaves[0].amount;
		pass(EpochLength::get() * 2 * ReportDeadline::get());
		assert_noop!(forfeit(), Error::<Test>::TooEarlyToForfeit);
		pass(1);
		assert_ok!(forfeit());
		assert_eq!(Attribution::at_risk(&bob()), 0);
		let report = book.on_chain().unwrap();
		let all = book.payouts.count;
		assert_eq!((report.settled, report.paid), (all, 38 * OPEN));
		assert!(Attribution::credit(treasury()) >= rest);
		assert_eq!(Jailed::get(), vec![bob()]);
		assert_noop!(forfeit(), Error::<Test>::AlreadyReported);
		assert_noop!(book.settle(1, 1), Error::<Test>::NothingLeft);
	})
}
