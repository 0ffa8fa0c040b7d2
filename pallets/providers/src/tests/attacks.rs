//! Each test is an attack, and fails as an attack.

use crate::{
	mock::{Providers, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

#[test]
fn a_price_should_not_change_between_quote_and_use() {
	build_and_execute(|| {
		register(alice(), 1);
		let agreed = Providers::quote(alice()).unwrap();
		let extortion = Rate {
			input: MAX_RATE,
			output: MAX_RATE,
		};
		assert_ok!(Providers::set_quote(signed(alice()), extortion));
		// Whatever she does within the notice, what was agreed to is what is asked.
		for block in 2..=QuoteNotice::get() {
			run_to(block);
			assert_eq!(Providers::quote(alice()), Some(agreed));
		}
		// And afterwards anybody can still tell what the number on the receipt meant.
		run_to(1 + QuoteNotice::get());
		assert_eq!(Providers::quote_rate(alice(), agreed.id), Some(agreed.rate));
	});
}

#[test]
fn an_announced_price_should_not_be_swapped_at_the_last_moment() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_ok!(Providers::set_quote(signed(alice()), RATE));
		run_to(QuoteNotice::get());
		let dearer = Rate {
			input: MAX_RATE,
			output: MAX_RATE,
		};
		assert_ok!(Providers::set_quote(signed(alice()), dearer));
		run_to(2 * QuoteNotice::get() - 1);
		assert_eq!(Providers::quote(alice()), Some(Quote { id: 1, rate: RATE }));
		run_to(2 * QuoteNotice::get());
		assert_eq!(Providers::quote(alice()).unwrap().rate, dearer);
		assert_eq!(
			Providers::quote_rate(alice(), 2),
			None,
			"one number never means two prices"
		);
	});
}

#[test]
fn one_provider_should_not_fill_the_blocks_in_which_others_change_their_price() {
	build_and_execute(|| {
		register(alice(), 1);
		register(bob(), 2);
		for _ in 0..100 {
			assert_ok!(Providers::set_quote(signed(alice()), RATE));
		}
		assert_eq!(QuoteChanges::<Test>::iter_values().flatten().count(), 1);
		assert_ok!(Providers::set_quote(signed(bob()), RATE));
	});
}

#[test]
fn a_cheat_should_not_save_its_bond_by_leaving_first() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_ok!(Providers::leave(signed(alice())));
		run_to(1 + UnbondingPeriod::get());
		// What it collected is not settled, so the bond is there to be taken.
		AtStake::set(1);
		assert_noop!(
			Providers::withdraw_bond(signed(alice())),
			Error::<Test>::BondAtRisk
		);
		drop(Providers::slash_bond(&alice(), MIN_BOND));
		AtStake::set(0);
		assert_ok!(Providers::withdraw_bond(signed(alice())));
		assert_eq!(Balances::free_balance(alice()), ENDOWMENT - MIN_BOND);
	});
}
