use super::*;

fn audited(test: impl FnOnce(Book, Audit)) {
	ExtBuilder.build_and_execute(|| {
		AuditRate::set(&1_000_000);
		collect(&bob(), 60 * OPEN, 40 * OPEN);
		end_epoch();
		let book = Book::of(bob(), 0, 4);
		assert_ok!(book.report());
		pass(2);
		let audit = book.on_chain().unwrap().audit.unwrap();
		test(book, audit);
	})
}

#[test]
fn an_audit_should_be_drawn_after_the_delay_and_pass_with_the_leaves_drawn() {
	audited(|book, audit| {
		let now = System::block_number();
		assert_eq!((audit.due, audit.missed), (now + 20, false));
		assert_eq!(
			last_event(),
			Event::AuditDrawn {
				provider: bob(),
				epoch: 0,
				seed: audit.seed,
				due: audit.due
			}
		);
		assert_ok!(book.answer_audit(hot(&bob()), book.answer(audit.seed)));
		assert_eq!(
			last_event(),
			Event::AuditPassed {
				provider: bob(),
				epoch: 0,
				by: hot(&bob())
			}
		);
		assert_eq!(book.on_chain().unwrap().audit, None);
		assert_noop!(
			book.answer_audit(hot(&bob()), book.answer(audit.seed)),
			Error::<Test>::NoAudit
		);
		pass(3);
		book.settle_all();
	})
}

#[test]
fn answer_audit_should_be_open_to_all_who_have_the_leaves_even_late() {
	audited(|book, audit| {
		pass(100);
		assert_ok!(book.answer_audit(eve(), book.answer(audit.seed)));
		book.settle_all();
	})
}

#[test]
fn answer_audit_should_refuse_other_leaves_than_those_drawn() {
	audited(|book, audit| {
		let other = book.answer(Hash::repeat_byte(1));
		assert!(other != book.answer(audit.seed));
		assert_noop!(
			book.answer_audit(hot(&bob()), other),
			Error::<Test>::Unrelated
		);
		let mut hidden = book.answer(audit.seed);
		hidden.receipts[0].receipt = None;
		assert_noop!(
			book.answer_audit(hot(&bob()), hidden),
			Error::<Test>::WrongPreimage
		);
		let mut moved = book.answer(audit.seed);
		moved.parts[0].part.index += 1;
		assert_noop!(
			book.answer_audit(hot(&bob()), moved),
			Error::<Test>::InvalidOpening
		);
	})
}

#[test]
fn answer_audit_should_refuse_a_report_that_is_wrong() {
	ExtBuilder.build_and_execute(|| {
		AuditRate::set(&1_000_000);
		collect(&bob(), 60 * OPEN, 40 * OPEN);
		end_epoch();
		let leaf = PayoutLeaf {
			payee: Payee::AdapterOwner(0),
			amount: 38 * OPEN,
		};
		let book = Book::with_leaves(bob(), 0, vec![leaf]);
		assert_ok!(book.report());
		pass(2);
		let seed = book.on_chain().unwrap().audit.unwrap().seed;
		assert_noop!(
			book.answer_audit(hot(&bob()), book.answer(seed)),
			Error::<Test>::Unrelated
		);
	})
}

#[test]
fn about_as_many_reports_should_be_audited_as_governed() {
	ExtBuilder.build_and_execute(|| {
		AuditRate::set(&250_000);
		let mut drawn = 0;
		for epoch in 0..200 {
			collect(&bob(), 0, OPEN);
			end_epoch();
			let book = Book::of(bob(), epoch, 1);
			assert_ok!(book.report());
			pass(2);
			drawn += u32::from(book.on_chain().unwrap().audit.is_some());
		}
		assert!((30..=70).contains(&drawn), "{drawn} of 200 at a quarter");
	})
}
