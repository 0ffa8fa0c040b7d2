use super::*;

#[test]
fn undelegate_should_take_from_the_stake_and_keep_it_held() {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 300));
		next_session();
		assert_ok!(Stakes::undelegate(signed(carol()), alice(), 200));
		assert_last_event(Event::Unbonding {
			candidate: alice(),
			staker: carol(),
			amount: 200,
			free_at: 1 + UnbondingPeriod::get(),
		});
		assert_eq!(held(&carol()), 300);
		assert_eq!(
			Stakes::candidate(alice()).unwrap().stake,
			MIN_SELF_STAKE + 100
		);
	});
}

#[test]
fn undelegate_should_take_first_what_does_not_earn_yet() {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 300));
		next_session();
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 300));
		assert_ok!(Stakes::undelegate(signed(carol()), alice(), 300));
		let position = Stakes::position(alice(), carol()).unwrap();
		assert_eq!((position.eligible, position.fresh), (300, 0));
	});
}

#[test]
fn undelegate_should_refuse_what_does_not_do() {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 300));
		let undelegate = |amount| Stakes::undelegate(signed(carol()), alice(), amount);
		assert_noop!(undelegate(0), Error::<Test>::ZeroAmount);
		assert_noop!(undelegate(301), Error::<Test>::NotSoMuchStaked);
		assert_noop!(undelegate(201), Error::<Test>::LeavesTooLittle);
		assert_noop!(
			Stakes::undelegate(signed(carol()), dave(), 1),
			Error::<Test>::NotCandidate
		);
		assert_noop!(
			Stakes::undelegate(signed(carol()), bob(), 1),
			Error::<Test>::NotSoMuchStaked
		);
		assert_noop!(
			Stakes::undelegate(signed(alice()), alice(), 1),
			Error::<Test>::OwnCandidate
		);
	});
}
