use super::*;

fn drawn(reporter: AccountId) -> Book {
	AuditRate::set(&1_000_000);
	collect(&bob(), 60 * OPEN, 40 * OPEN);
	for _ in 0..5 {
		end_epoch();
	}
	let book = Book::of(bob(), 0, 4);
	assert_ok!(book.report_for(reporter));
	pass(2);
	book
}

fn fail() -> DispatchResult {
	let done = Attribution::fail_audit(signed(eve()), bob(), 0);
	assert!(done.is_err() || done == Ok(Pays::No.into()));
	done.map(drop).map_err(|error| error.error)
}

#[test]
fn fail_audit_should_jail_first_and_slash_the_second_time() {
	ExtBuilder.build_and_execute(|| {
		let book = drawn(bob());
		assert_noop!(fail(), Error::<Test>::AuditNotDue);
		pass(20);
		assert_noop!(fail(), Error::<Test>::AuditNotDue);
		pass(1);
		assert_ok!(fail());
		let due = System::block_number() + 20;
		assert_eq!(
			last_event(),
			Event::AuditMissed {
				provider: bob(),
				epoch: 0,
				due
			}
		);
		assert_eq!(Jailed::get(), vec![bob()]);
		assert_eq!(BondOfBob::get(), 1_000 * OPEN);
		assert_noop!(fail(), Error::<Test>::AuditNotDue);
		pass(21);
		assert_ok!(fail());
		assert!(matches!(
			last_event(),
			Event::ReportRemoved {
				fault: Fault::AuditFailed,
				..
			}
		));
		assert_eq!(book.on_chain(), None);
		assert_eq!(BondOfBob::get(), (1_000 - 76) * OPEN);
		assert_eq!(Attribution::credit(eve()), 38 * OPEN);
	})
}

#[test]
fn a_second_chance_should_be_good_for_an_answer() {
	ExtBuilder.build_and_execute(|| {
		let book = drawn(bob());
		pass(21);
		assert_ok!(fail());
		let seed = book.on_chain().unwrap().audit.unwrap().seed;
		assert_ok!(book.answer_audit(hot(&bob()), book.answer(seed)));
		assert_noop!(fail(), Error::<Test>::NoAudit);
		book.settle_all();
	})
}

#[test]
fn fail_audit_should_take_the_deposit_of_another_reporter_at_once() {
	ExtBuilder.build_and_execute(|| {
		let book = drawn(dave());
		pass(21);
		assert_ok!(fail());
		assert_eq!(book.on_chain(), None);
		assert_eq!(Balances::total_balance(&dave()), ENDOWMENT - 100 * OPEN);
		assert_eq!(Attribution::credit(eve()), 50 * OPEN);
		assert!(Jailed::get().is_empty());
	})
}

#[test]
fn fail_audit_should_need_an_audit() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(fail(), Error::<Test>::NotReported);
		reported();
		assert_noop!(fail(), Error::<Test>::NoAudit);
	})
}
