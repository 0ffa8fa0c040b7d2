use super::*;

#[test]
fn forfeit_should_credit_the_treasury_and_jail() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 60 * OPEN, 40 * OPEN);
		for _ in 0..9 {
			end_epoch();
		}
		assert_ok!(Attribution::forfeit(signed(eve()), bob(), 0));
		assert_eq!(
			last_event(),
			Event::Forfeited {
				provider: bob(),
				epoch: 0,
				amount: 38 * OPEN
			}
		);
		assert_eq!(Attribution::credit(treasury()), 38 * OPEN);
		assert_eq!(Attribution::at_risk(&bob()), 0);
		assert_eq!(Jailed::get(), vec![bob()]);
		// It cannot be reported, forfeited or settled again.
		let book = Book::of(bob(), 0, 4);
		assert_noop!(book.report(), Error::<Test>::AlreadyReported);
		assert_noop!(
			Attribution::forfeit(signed(eve()), bob(), 0),
			Error::<Test>::AlreadyReported
		);
		assert_noop!(book.settle(0, 1), Error::<Test>::NothingLeft);
		// It is what a provider reports that lost its receipts.
		let lost = Book::lost(bob(), 0);
		let report = lost.on_chain().unwrap();
		assert_eq!(
			(report.receipts, report.parts, report.payouts),
			(lost.receipts, lost.parts, lost.payouts)
		);
	})
}

#[test]
fn forfeit_should_need_a_pot() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(
			Attribution::forfeit(signed(eve()), bob(), 0),
			Error::<Test>::NoPot
		);
	})
}
