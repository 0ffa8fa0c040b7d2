use crate::{
	mock::{Providers, *},
	*,
};
use frame::{
	testing_prelude::assert_ok,
	traits::{fungible::Balanced as _, Imbalance as _},
};

/// Slashes `who` and burns what that gives; says how much it was.
fn slash(who: &AccountId, amount: Balance) -> Balance {
	let credit = Providers::slash_bond(who, amount);
	let taken = credit.peek();
	drop(credit);
	taken
}

#[test]
fn slash_should_take_from_the_bond_and_hand_it_over_as_money() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_ok!(Providers::bond_more(signed(alice()), 500));
		let issuance = Balances::total_issuance();
		let credit = Providers::slash_bond(&alice(), 300);
		assert_eq!(credit.peek(), 300);
		assert_last_event(Event::BondSlashed {
			provider: alice(),
			amount: 300,
			bond: MIN_BOND + 200,
		});
		assert_eq!(Providers::bond_of(&alice()), MIN_BOND + 200);
		assert_eq!(held(&alice()), MIN_BOND + 200);
		assert!(Providers::is_active(&alice()), "it has enough at stake");
		assert_ok!(Balances::resolve(&bob(), credit));
		assert_eq!(Balances::free_balance(bob()), ENDOWMENT + 300);
		assert_eq!(Balances::total_issuance(), issuance);
	});
}

#[test]
fn slash_should_take_no_more_than_there_is() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_eq!(slash(&alice(), Balance::MAX), MIN_BOND);
		assert_eq!(Providers::bond_of(&alice()), 0);
		System::reset_events();
		assert_eq!(slash(&alice(), 1), 0);
		assert_eq!(slash(&alice(), 0), 0);
		assert_eq!(System::event_count(), 0);
	});
}

#[test]
fn slash_should_find_nothing_with_who_does_not_provide() {
	build_and_execute(|| {
		assert_eq!(slash(&bob(), 1_000), 0);
		assert_eq!(Providers::bond_of(&bob()), 0);
		assert_eq!(Balances::free_balance(bob()), ENDOWMENT);
	});
}

#[test]
fn slash_below_the_least_bond_should_put_a_provider_out_of_work_until_it_bonds_more() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_eq!(slash(&alice(), 1), 1);
		System::assert_has_event(
			Event::<Test>::Jailed {
				provider: alice(),
				until: 1,
			}
			.into(),
		);
		assert!(!Providers::is_active(&alice()));
		assert_eq!(Providers::quote(alice()), None);
		assert_eq!(
			Providers::unjail(signed(alice())),
			Err(Error::<Test>::BondTooSmall.into())
		);
		assert_ok!(Providers::bond_more(signed(alice()), 1));
		assert_ok!(Providers::unjail(signed(alice())));
		assert!(Providers::is_active(&alice()));
	});
}

#[test]
fn slash_should_reach_a_bond_that_is_on_its_way_out_and_one_in_jail() {
	build_and_execute(|| {
		register(alice(), 1);
		register(bob(), 2);
		assert_ok!(Providers::leave(signed(alice())));
		Providers::jail(&bob());
		let states = || [alice(), bob()].map(|who| Providers::provider(who).map(|kept| kept.state));
		let before = states();
		assert_eq!(slash(&alice(), 400), 400);
		assert_eq!(slash(&bob(), 400), 400);
		assert_eq!(states(), before, "neither gets out of where it is");
		System::set_block_number(1 + UnbondingPeriod::get());
		assert_ok!(Providers::withdraw_bond(signed(alice())));
		assert_eq!(Balances::free_balance(alice()), ENDOWMENT - 400);
	});
}

#[test]
fn a_bond_slashed_to_nothing_should_still_let_its_owner_leave() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_eq!(slash(&alice(), MIN_BOND), MIN_BOND);
		assert_ok!(Providers::leave(signed(alice())));
		System::set_block_number(1 + UnbondingPeriod::get());
		assert_ok!(Providers::withdraw_bond(signed(alice())));
		assert_eq!(Providers::provider(alice()), None);
	});
}
