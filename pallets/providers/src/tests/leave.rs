use crate::{
	mock::{Providers, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

#[test]
fn leave_should_stop_work_and_keep_the_bond() {
	build_and_execute(|| {
		register(alice(), 1);
		System::set_block_number(7);
		assert_ok!(Providers::leave(signed(alice())));
		let free_at = 7 + UnbondingPeriod::get();
		assert_last_event(Event::Leaving {
			provider: alice(),
			free_at,
		});
		assert!(!Providers::is_active(&alice()));
		assert_eq!(Providers::quote(alice()), None);
		assert_eq!(held(&alice()), MIN_BOND);
		assert_eq!(
			Providers::provider(alice()).unwrap().state,
			ProviderState::Leaving { free_at }
		);
		assert_eq!(
			Providers::provider_of(hot_key(1)),
			Some(alice()),
			"reports are still due"
		);
	});
}

#[test]
fn leave_should_refuse_a_second_time() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_ok!(Providers::leave(signed(alice())));
		assert_noop!(
			Providers::leave(signed(alice())),
			Error::<Test>::AlreadyLeaving
		);
	});
}

#[test]
fn leave_should_refuse_who_does_not_provide() {
	build_and_execute(|| {
		register(alice(), 1);
		for other in [bob(), hot_key(1)] {
			assert_noop!(Providers::leave(signed(other)), Error::<Test>::NotProvider);
		}
	});
}

#[test]
fn leave_should_fail_when_the_period_has_no_end() {
	build_and_execute(|| {
		register(alice(), 1);
		UnbondingPeriod::set(BlockNumber::MAX);
		assert_noop!(Providers::leave(signed(alice())), ArithmeticError::Overflow);
	});
}
