use super::*;

#[test]
fn delegate_should_hold_the_stake_and_add_it_to_the_candidates() {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 300));
		assert_last_event(Event::Staked {
			candidate: alice(),
			staker: carol(),
			amount: 300,
			stake: 300,
		});
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 50));
		assert_eq!(held(&carol()), 350);
		let candidate = Stakes::candidate(alice()).unwrap();
		assert_eq!(candidate.own, MIN_SELF_STAKE);
		assert_eq!(candidate.stake, MIN_SELF_STAKE + 350);
		assert_eq!(candidate.delegators, 1);
		assert_eq!(Stakes::positions_of(carol()).len(), 1);
	});
}

#[test]
fn delegate_should_let_one_account_stake_on_several_candidates() {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 300));
		assert_ok!(Stakes::delegate(signed(carol()), bob(), 200));
		assert_eq!(held(&carol()), 500);
		assert_eq!(Stakes::positions_of(carol()).len(), 2);
	});
}

#[test]
fn delegate_should_refuse_amounts_that_do_not_do() {
	build_and_execute(|| {
		let delegate = |amount| Stakes::delegate(signed(carol()), alice(), amount);
		assert_noop!(delegate(0), Error::<Test>::ZeroAmount);
		assert_noop!(delegate(MIN_DELEGATION - 1), Error::<Test>::StakeTooSmall);
		assert_noop!(delegate(ENDOWMENT), TokenError::FundsUnavailable);
	});
}

#[test]
fn delegate_should_refuse_candidates_that_do_not_validate() {
	build_and_execute(|| {
		assert_noop!(
			Stakes::delegate(signed(carol()), dave(), 300),
			Error::<Test>::NotCandidate
		);
		assert_noop!(
			Stakes::delegate(signed(alice()), alice(), 300),
			Error::<Test>::OwnCandidate
		);
		assert_ok!(Stakes::chill(signed(alice())));
		assert_noop!(
			Stakes::delegate(signed(carol()), alice(), 300),
			Error::<Test>::NotValidating
		);
		report(bob(), 0, 0);
		assert_noop!(
			Stakes::delegate(signed(carol()), bob(), 300),
			Error::<Test>::NotValidating
		);
	});
}

#[test]
fn delegate_should_refuse_one_delegator_too_many_but_not_more_of_those_there_are() {
	build_and_execute(|| {
		for number in 3..=5 {
			assert_ok!(Stakes::delegate(signed(account(number)), alice(), 300));
		}
		assert_noop!(
			Stakes::delegate(signed(account(6)), alice(), 900),
			Error::<Test>::TooManyDelegators
		);
		assert_ok!(Stakes::delegate(signed(account(5)), alice(), 300));
		// One that only waits for its unbonding is bound to the candidate still.
		assert_ok!(Stakes::undelegate(signed(account(5)), alice(), 600));
		assert_noop!(
			Stakes::delegate(signed(account(6)), alice(), 900),
			Error::<Test>::TooManyDelegators
		);
	});
}
