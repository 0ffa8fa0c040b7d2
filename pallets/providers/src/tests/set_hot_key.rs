use crate::{
	mock::{Providers, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

#[test]
fn set_hot_key_should_disown_the_one_before() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_ok!(Providers::set_hot_key(signed(alice()), hot_key(2)));
		assert_last_event(Event::HotKeyChanged {
			provider: alice(),
			hot_key: hot_key(2),
		});
		assert_eq!(Providers::provider_of(hot_key(1)), None);
		assert_eq!(Providers::provider_of(hot_key(2)), Some(alice()));
		assert_eq!(Providers::provider(alice()).unwrap().hot_key, hot_key(2));
		register(bob(), 1);
	});
}

#[test]
fn set_hot_key_should_refuse_keys_in_use_and_the_cold_account() {
	build_and_execute(|| {
		register(alice(), 1);
		register(bob(), 2);
		let set = |key| Providers::set_hot_key(signed(alice()), key);
		assert_noop!(set(hot_key(2)), Error::<Test>::HotKeyTaken);
		assert_noop!(set(hot_key(1)), Error::<Test>::HotKeyTaken);
		assert_noop!(set(alice()), Error::<Test>::HotKeyIsProvider);
	});
}

#[test]
fn set_hot_key_should_be_the_cold_accounts_alone() {
	build_and_execute(|| {
		register(alice(), 1);
		for thief in [hot_key(1), bob()] {
			assert_noop!(
				Providers::set_hot_key(signed(thief), hot_key(3)),
				Error::<Test>::NotProvider
			);
		}
	});
}

#[test]
fn set_hot_key_should_still_do_while_leaving() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_ok!(Providers::leave(signed(alice())));
		assert_ok!(Providers::set_hot_key(signed(alice()), hot_key(2)));
		assert_eq!(Providers::provider_of_hot_key(&hot_key(2)), Some(alice()));
	});
}
