use crate::{
	mock::{Providers, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

fn state(who: &AccountId) -> ProviderState {
	Providers::provider(who.clone()).unwrap().state
}

#[test]
fn jail_should_take_a_providers_work_for_the_period_and_keep_the_rest() {
	build_and_execute(|| {
		register(alice(), 1);
		System::set_block_number(5);
		Providers::jail(&alice());
		let until = 5 + JailPeriod::get();
		assert_last_event(Event::Jailed {
			provider: alice(),
			until,
		});
		assert_eq!(state(&alice()), ProviderState::Jailed { until });
		assert!(!Providers::is_active(&alice()));
		assert_eq!(Providers::quote(alice()), None);
		assert_eq!(held(&alice()), MIN_BOND);
		assert_eq!(
			Providers::provider_of_hot_key(&hot_key(1)),
			Some(alice()),
			"reports are still due"
		);
	});
}

#[test]
fn jail_should_only_ever_last_longer() {
	build_and_execute(|| {
		register(alice(), 1);
		Providers::jail(&alice());
		System::set_block_number(4);
		JailPeriod::set(1);
		Providers::jail(&alice());
		assert_eq!(state(&alice()), ProviderState::Jailed { until: 11 });
		JailPeriod::set(10);
		Providers::jail(&alice());
		assert_eq!(state(&alice()), ProviderState::Jailed { until: 14 });
		JailPeriod::set(BlockNumber::MAX);
		Providers::jail(&alice());
		let until = BlockNumber::MAX;
		assert_eq!(state(&alice()), ProviderState::Jailed { until });
	});
}

#[test]
fn jail_should_mean_nothing_to_who_does_not_provide() {
	build_and_execute(|| {
		System::reset_events();
		Providers::jail(&bob());
		assert_eq!(System::event_count(), 0);
		assert_eq!(Providers::provider(bob()), None);
	});
}

#[test]
fn unjail_should_give_work_back_when_the_time_is_over() {
	build_and_execute(|| {
		register(alice(), 1);
		Providers::jail(&alice());
		System::set_block_number(JailPeriod::get());
		assert_noop!(
			Providers::unjail(signed(alice())),
			Error::<Test>::StillJailed
		);
		System::set_block_number(JailPeriod::get() + 1);
		assert_ok!(Providers::unjail(signed(alice())));
		assert_last_event(Event::Unjailed { provider: alice() });
		assert!(Providers::is_active(&alice()));
	});
}

#[test]
fn unjail_should_refuse_who_is_not_jailed_and_all_but_the_provider() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_noop!(Providers::unjail(signed(alice())), Error::<Test>::NotJailed);
		Providers::jail(&alice());
		System::set_block_number(100);
		for other in [bob(), hot_key(1)] {
			assert_noop!(Providers::unjail(signed(other)), Error::<Test>::NotProvider);
		}
		assert_ok!(Providers::leave(signed(alice())));
		assert_noop!(Providers::unjail(signed(alice())), Error::<Test>::NotJailed);
	});
}

#[test]
fn unjail_should_ask_for_the_least_bond_in_force() {
	build_and_execute(|| {
		register(alice(), 1);
		Providers::jail(&alice());
		System::set_block_number(100);
		LeastBond::set(MIN_BOND + 1);
		assert_noop!(
			Providers::unjail(signed(alice())),
			Error::<Test>::BondTooSmall
		);
		assert_ok!(Providers::bond_more(signed(alice()), 1));
		assert_ok!(Providers::unjail(signed(alice())));
	});
}

#[test]
fn leaving_and_coming_back_should_be_no_way_around_jail() {
	build_and_execute(|| {
		JailPeriod::set(100);
		register(alice(), 1);
		Providers::jail(&alice());
		assert_ok!(Providers::leave(signed(alice())));
		let free_at = 101;
		assert_eq!(state(&alice()), ProviderState::Leaving { free_at });
		System::set_block_number(100);
		assert_noop!(
			Providers::withdraw_bond(signed(alice())),
			Error::<Test>::BondLocked
		);
		System::set_block_number(101);
		assert_ok!(Providers::withdraw_bond(signed(alice())));
	});
}

#[test]
fn leaving_before_being_jailed_should_be_no_way_around_it_either() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_ok!(Providers::leave(signed(alice())));
		System::set_block_number(20);
		Providers::jail(&alice());
		let free_at = 30;
		assert_last_event(Event::Jailed {
			provider: alice(),
			until: free_at,
		});
		assert_eq!(state(&alice()), ProviderState::Leaving { free_at });
	});
}
