use super::*;

/// Bob's report of an epoch with 40 OPEN, changed by `change` before it is made.
fn with_report(change: impl FnOnce(Book) -> Book, test: impl FnOnce(Book)) {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 60 * OPEN, 40 * OPEN);
		end_epoch();
		let book = change(Book::of(bob(), 0, 4));
		assert_ok!(book.report());
		test(book);
	})
}

fn wrong_receipt(book: &Book) -> Dispute {
	Dispute::WrongReceipt {
		leaf: book.leaf(),
		receipt: book.receipt.clone().unwrap(),
	}
}

#[test]
fn dispute_should_remove_the_report_slash_jail_and_reward() {
	let foreign = |book: Book| book.forge(|receipt| receipt.channel = 1);
	with_report(foreign, |book| {
		let issuance = Balances::total_issuance();
		assert_ok!(book.dispute(eve(), wrong_receipt(&book)));
		// Twice the pot of 38 OPEN; half of it to Eve.
		assert_eq!(
			last_event(),
			Event::ReportRemoved {
				provider: bob(),
				epoch: 0,
				reporter: bob(),
				by: eve(),
				fault: Fault::ForeignChannel,
				receipts: book.receipts,
				parts: book.parts,
				payouts: book.payouts,
				slashed: 76 * OPEN,
				reward: 38 * OPEN,
			}
		);
		assert_eq!(BondOfBob::get(), (1_000 - 76) * OPEN);
		assert_eq!(Jailed::get(), vec![bob()]);
		assert_eq!(Attribution::credit(eve()), 38 * OPEN);
		assert_eq!(issuance - Balances::total_issuance(), 38 * OPEN);
		assert_eq!(book.on_chain(), None);
		let removed = Removed { times: 1, since: 1 };
		assert_eq!(Attribution::disproved(bob(), 0), Some(removed));
		// The pot is as it was.
		assert_eq!(Attribution::at_risk(&bob()), 38 * OPEN);
		assert_ok!(Attribution::claim(signed(eve()), eve()));
	})
}

#[test]
fn dispute_should_take_the_least_slash_of_a_small_pot_and_no_more_than_the_bond() {
	for (licence, bond, slashed) in [(OPEN, 1_000 * OPEN, 10 * OPEN), (40 * OPEN, OPEN, OPEN)] {
		ExtBuilder.build_and_execute(|| {
			collect(&bob(), 0, licence);
			end_epoch();
			let book = Book::of(bob(), 0, 1).forge(|receipt| receipt.channel = 7);
			assert_ok!(book.report());
			// Others are slashed as long as the report stands.
			BondOfBob::set(&bond);
			assert_ok!(book.dispute(eve(), wrong_receipt(&book)));
			assert_eq!(BondOfBob::get(), bond - slashed);
			assert_eq!(Attribution::credit(eve()), slashed / 2);
		})
	}
}

#[test]
fn dispute_should_share_the_slash_as_governed() {
	for (share, reward) in [(0, 0), (1_000_000, 76 * OPEN), (250_000, 19 * OPEN)] {
		let foreign = |book: Book| book.forge(|receipt| receipt.channel = 1);
		with_report(foreign, |book| {
			DisputerShare::set(&share);
			assert_ok!(book.dispute(eve(), wrong_receipt(&book)));
			assert_eq!(Attribution::credit(eve()), reward);
		})
	}
}

#[test]
fn dispute_should_be_possible_in_the_window_only() {
	let foreign = |book: Book| book.forge(|receipt| receipt.channel = 1);
	with_report(foreign, |book| {
		pass(5);
		assert_noop!(
			book.dispute(eve(), wrong_receipt(&book)),
			Error::<Test>::DisputeTooLate
		);
	});
	with_report(foreign, |book| {
		pass(4);
		assert_ok!(book.dispute(eve(), wrong_receipt(&book)));
		assert_noop!(
			book.dispute(eve(), wrong_receipt(&book)),
			Error::<Test>::NotReported
		);
	});
}

#[test]
fn dispute_should_be_possible_as_long_as_an_audit_is_open() {
	ExtBuilder.build_and_execute(|| {
		AuditRate::set(&1_000_000);
		collect(&bob(), 60 * OPEN, 40 * OPEN);
		end_epoch();
		let book = Book::of(bob(), 0, 4).forge(|receipt| receipt.channel = 1);
		assert_ok!(book.report());
		pass(7);
		assert!(System::block_number() > book.on_chain().unwrap().open_at);
		assert_ok!(book.dispute(eve(), wrong_receipt(&book)));
		assert_eq!(book.on_chain(), None);
	})
}

#[test]
fn dispute_should_find_every_fault_the_chain_can_check() {
	type Change = fn(&mut openledger_primitives::Receipt);
	let cases: [(Change, Fault); 7] = [
		(
			|receipt| receipt.genesis = Hash::repeat_byte(9),
			Fault::WrongChain,
		),
		(|receipt| receipt.channel = 9, Fault::UnknownChannel),
		(|receipt| receipt.base = 9, Fault::UnknownBase),
		(|receipt| receipt.adapter = Some(9), Fault::UnknownAdapter),
		(|receipt| receipt.algorithm = 0, Fault::WrongAlgorithm),
		(|receipt| receipt.index = Hash::zero(), Fault::WrongIndex),
		(|receipt| receipt.licence -= 1, Fault::WrongPrice),
	];
	for (change, expected) in cases {
		with_report(
			|book| book.forge(change),
			|book| {
				assert_ok!(book.dispute(eve(), wrong_receipt(&book)));
				let removed = matches!(
					last_event(),
					Event::ReportRemoved { fault, .. } if fault == expected
				);
				assert!(removed, "{expected:?}");
			},
		)
	}
}

#[test]
fn dispute_should_find_a_receipt_paid_in_two_epochs() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 0, 40 * OPEN);
		end_epoch();
		collect(&bob(), 0, 30 * OPEN);
		end_epoch();
		let first = Book::of(bob(), 0, 4);
		let receipt = first.receipt.clone().unwrap();
		let second = Book::of(bob(), 1, 4).forge(|again| *again = receipt.clone());
		assert_ok!(first.report());
		assert_ok!(second.report());
		let dispute = Dispute::PaidTwice {
			leaf: second.leaf(),
			receipt,
			others: vec![(0, first.leaf())].try_into().unwrap(),
		};
		assert_ok!(second.dispute(eve(), dispute));
		assert!(first.on_chain().is_some() && second.on_chain().is_none());
	})
}
