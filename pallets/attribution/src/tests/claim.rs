use super::*;

#[test]
fn claim_should_pay_the_whole_credit_whoever_asks() {
	ExtBuilder.build_and_execute(|| {
		reported().settle_all();
		let owed = 38 * OPEN / 8;
		assert_ok!(Attribution::claim(signed(alice()), contributor(0)));
		assert_eq!(
			last_event(),
			Event::Claimed {
				account: contributor(0),
				amount: owed
			}
		);
		assert_eq!(Balances::balance(&contributor(0)), owed);
		assert_eq!(Attribution::credit(contributor(0)), 0);
		assert_eq!(Attribution::totals().claimed, owed);
		assert_noop!(
			Attribution::claim(signed(alice()), contributor(0)),
			Error::<Test>::NothingToClaim
		);
	})
}

#[test]
fn claim_should_pay_the_last_credit_there_is() {
	ExtBuilder.build_and_execute(|| {
		reported().settle_all();
		for who in [carol(), dave(), treasury()]
			.into_iter()
			.chain((0..4).map(contributor))
		{
			assert_ok!(Attribution::claim(signed(who.clone()), who));
		}
		assert_eq!(Balances::balance(&Attribution::account_id()), ED);
		assert_eq!(Credits::<Test>::iter().count(), 0);
	})
}

#[test]
fn claim_should_keep_dust_credited_until_there_is_more() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 0, ED);
		end_epoch();
		let book = Book::of(bob(), 0, 1);
		assert_ok!(book.report());
		pass(5);
		book.settle_all();
		let dust = Attribution::credit(contributor(0));
		assert!(dust > 0 && dust < ED);
		assert_noop!(
			Attribution::claim(signed(alice()), contributor(0)),
			Error::<Test>::BelowMinimum
		);
		assert_ok!(Balances::transfer_allow_death(
			signed(alice()),
			contributor(0),
			ED
		));
		assert_ok!(Attribution::claim(signed(alice()), contributor(0)));
		assert_eq!(Balances::balance(&contributor(0)), ED + dust);
	})
}

#[test]
fn claim_should_refuse_an_account_without_credit() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(
			Attribution::claim(signed(alice()), alice()),
			Error::<Test>::NothingToClaim
		);
		assert_noop!(
			Attribution::claim(RuntimeOrigin::none(), alice()),
			BadOrigin
		);
	})
}
