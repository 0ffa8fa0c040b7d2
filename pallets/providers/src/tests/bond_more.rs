use crate::{
	mock::{Providers, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

#[test]
fn bond_more_should_hold_more() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_ok!(Providers::bond_more(signed(alice()), 500));
		let bond = MIN_BOND + 500;
		assert_last_event(Event::Bonded {
			provider: alice(),
			bond,
		});
		assert_eq!(held(&alice()), bond);
		assert_eq!(Providers::provider(alice()).unwrap().bond, bond);
	});
}

#[test]
fn bond_more_should_refuse_nothing_and_more_than_there_is() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_noop!(
			Providers::bond_more(signed(alice()), 0),
			Error::<Test>::ZeroAmount
		);
		assert_noop!(
			Providers::bond_more(signed(alice()), ENDOWMENT),
			TokenError::FundsUnavailable
		);
		assert_noop!(
			Providers::bond_more(signed(alice()), Balance::MAX),
			ArithmeticError::Overflow
		);
	});
}

#[test]
fn bond_more_should_refuse_who_does_not_provide_or_is_leaving() {
	build_and_execute(|| {
		assert_noop!(
			Providers::bond_more(signed(bob()), 5),
			Error::<Test>::NotProvider
		);
		register(alice(), 1);
		assert_ok!(Providers::leave(signed(alice())));
		assert_noop!(
			Providers::bond_more(signed(alice()), 5),
			Error::<Test>::AlreadyLeaving
		);
	});
}
