use super::*;

#[test]
fn bond_more_should_add_to_the_own_stake() {
	build_and_execute(|| {
		assert_ok!(Stakes::bond_more(signed(alice()), 500));
		let stake = MIN_SELF_STAKE + 500;
		assert_last_event(Event::Staked {
			candidate: alice(),
			staker: alice(),
			amount: 500,
			stake,
		});
		assert_eq!(held(&alice()), stake);
		assert_eq!(Stakes::candidate(alice()).unwrap().own, stake);
	});
}

#[test]
fn bond_more_should_refuse_nothing_and_who_is_no_candidate() {
	build_and_execute(|| {
		assert_noop!(
			Stakes::bond_more(signed(alice()), 0),
			Error::<Test>::ZeroAmount
		);
		assert_noop!(
			Stakes::bond_more(signed(carol()), 500),
			Error::<Test>::NotCandidate
		);
		assert_noop!(
			Stakes::bond_more(signed(alice()), ENDOWMENT),
			TokenError::FundsUnavailable
		);
		assert_noop!(
			Stakes::bond_more(signed(alice()), Balance::MAX),
			ArithmeticError::Overflow
		);
	});
}

#[test]
fn bond_more_should_not_bring_back_a_candidate_with_less_than_the_least_stake() {
	build_and_execute(|| {
		assert_ok!(Stakes::unbond(signed(alice()), MIN_SELF_STAKE));
		assert_noop!(
			Stakes::bond_more(signed(alice()), MIN_SELF_STAKE - 1),
			Error::<Test>::StakeTooSmall
		);
		assert_ok!(Stakes::bond_more(signed(alice()), MIN_SELF_STAKE));
		assert_eq!(held(&alice()), 2 * MIN_SELF_STAKE);
	});
}
