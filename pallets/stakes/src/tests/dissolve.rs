use super::*;
use frame::traits::fungible::Mutate as _;

/// Carol was a candidate and has withdrawn; Dave still delegates to her.
fn desert() {
	bond(carol(), 5_000);
	assert_ok!(Stakes::delegate(signed(dave()), carol(), 500));
	next_sessions(2);
	pay_out(7_500);
	assert_ok!(Stakes::unbond(signed(carol()), 5_000));
	next_sessions(UnbondingPeriod::get());
	assert_ok!(Stakes::withdraw_unbonded(signed(carol()), carol()));
}

#[test]
fn dissolve_should_give_delegators_back_what_is_theirs_and_free_the_place() {
	build_and_execute(|| {
		desert();
		let earned = claimable(carol(), dave());
		assert!(earned > 0);
		let own = Balances::free_balance(carol()) + claimable(carol(), carol());
		let count = Candidates::<Test>::count();
		assert_ok!(Stakes::dissolve(signed(pauper()), carol()));
		assert_last_event(Event::Dissolved { candidate: carol() });
		assert_eq!(held(&dave()), 0);
		assert_eq!(Balances::free_balance(dave()), ENDOWMENT + earned);
		assert_eq!(Balances::free_balance(carol()), own);
		assert_eq!(Candidates::<Test>::count(), count - 1);
		assert_eq!(Positions::<Test>::iter_key_prefix(carol()).count(), 0);
	});
}

#[test]
fn dissolve_should_refuse_who_may_still_be_slashed_or_made_a_validator() {
	build_and_execute(|| {
		let dissolve = |who| Stakes::dissolve(signed(pauper()), who);
		assert_noop!(dissolve(carol()), Error::<Test>::NotCandidate);
		bond(carol(), 5_000);
		assert_ok!(Stakes::delegate(signed(dave()), carol(), 500));
		assert_noop!(dissolve(carol()), Error::<Test>::NotDeserted);
		assert_ok!(Stakes::unbond(signed(carol()), 5_000));
		next_sessions(UnbondingPeriod::get());
		assert_noop!(dissolve(carol()), Error::<Test>::NotDeserted);
		assert_ok!(Stakes::withdraw_unbonded(signed(carol()), carol()));
		// As if it had been punished, or seated with others' stake alone.
		frame::testing_prelude::hypothetically!({
			report(carol(), 0, session());
			assert_noop!(dissolve(carol()), Error::<Test>::NotDeserted);
		});
		frame::testing_prelude::hypothetically!({
			Fallback::<Test>::put(BoundedVec::truncate_from(vec![carol()]));
			assert_noop!(dissolve(carol()), Error::<Test>::NotDeserted);
		});
		assert_ok!(dissolve(carol()));
	});
}

#[test]
fn dissolve_should_share_out_what_an_empty_account_cannot_take() {
	build_and_execute(|| {
		desert();
		// Nothing is left of its account but what it has earned, which is less than the least balance.
		let position = Position::<Test> {
			rewards: 5,
			mark: Positions::<Test>::get(carol(), dave()).mark,
			..Default::default()
		};
		let gone = account(50);
		Positions::<Test>::insert(carol(), &gone, position);
		Candidates::<Test>::mutate(carol(), |candidate| {
			candidate.as_mut().unwrap().delegators += 1;
		});
		Owed::<Test>::mutate(|owed| *owed += 5);
		assert_ok!(Balances::mint_into(&crate::Pallet::<Test>::pot(), 5));
		let surplus = crate::Pallet::<Test>::surplus();
		assert_ok!(Stakes::dissolve(signed(pauper()), carol()));
		assert_eq!(Balances::free_balance(&gone), 0);
		assert_eq!(crate::Pallet::<Test>::surplus(), surplus + 5);
	});
}
