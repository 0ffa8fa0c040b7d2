use crate::{
	mock::{Providers, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

#[test]
fn withdraw_bond_should_return_it_after_the_period_and_forget_the_provider() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_ok!(Providers::leave(signed(alice())));
		System::set_block_number(1 + UnbondingPeriod::get());
		assert_ok!(Providers::withdraw_bond(signed(alice())));
		assert_last_event(Event::Left {
			provider: alice(),
			bond: MIN_BOND,
		});
		assert_eq!(held(&alice()), 0);
		assert_eq!(Balances::free_balance(alice()), ENDOWMENT);
		assert_eq!(Providers::provider(alice()), None);
		assert_eq!(Providers::provider_of(hot_key(1)), None);
		register(alice(), 1);
	});
}

#[test]
fn a_new_registration_should_not_reuse_a_quote_number() {
	build_and_execute(|| {
		register(alice(), 1);
		// Number 2 is announced, and void by leaving.
		assert_ok!(Providers::set_quote(signed(alice()), Rate::default()));
		assert_ok!(Providers::leave(signed(alice())));
		run_to(1 + UnbondingPeriod::get());
		assert_ok!(Providers::withdraw_bond(signed(alice())));
		register(alice(), 1);
		assert_eq!(Providers::quote(alice()).unwrap().id, 3);
		register(bob(), 2);
		assert_eq!(Providers::quote(bob()).unwrap().id, 1);
	});
}

#[test]
fn withdraw_bond_should_refuse_before_the_period_is_over() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_ok!(Providers::leave(signed(alice())));
		System::set_block_number(UnbondingPeriod::get());
		assert_noop!(
			Providers::withdraw_bond(signed(alice())),
			Error::<Test>::BondLocked
		);
	});
}

#[test]
fn withdraw_bond_should_not_be_moved_by_a_later_change_of_the_period() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_ok!(Providers::leave(signed(alice())));
		UnbondingPeriod::set(1_000);
		System::set_block_number(21);
		assert_ok!(Providers::withdraw_bond(signed(alice())));
	});
}

#[test]
fn withdraw_bond_should_refuse_who_has_not_left() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_noop!(
			Providers::withdraw_bond(signed(alice())),
			Error::<Test>::NotLeaving
		);
		assert_noop!(
			Providers::withdraw_bond(signed(bob())),
			Error::<Test>::NotProvider
		);
	});
}

#[test]
fn withdraw_bond_should_refuse_while_anything_is_at_risk() {
	build_and_execute(|| {
		register(alice(), 1);
		register(bob(), 2);
		for who in [alice(), bob()] {
			assert_ok!(Providers::leave(signed(who)));
		}
		System::set_block_number(10 * UnbondingPeriod::get());
		AtStake::set(1);
		assert_noop!(
			Providers::withdraw_bond(signed(alice())),
			Error::<Test>::BondAtRisk
		);
		assert_ok!(Providers::withdraw_bond(signed(bob())));
		AtStake::set(0);
		assert_ok!(Providers::withdraw_bond(signed(alice())));
	});
}
