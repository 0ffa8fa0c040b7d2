use super::*;

#[test]
fn withdraw_unbonded_should_free_what_has_waited_and_nothing_else() {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 900));
		assert_ok!(Stakes::undelegate(signed(carol()), alice(), 300));
		next_session();
		assert_ok!(Stakes::undelegate(signed(carol()), alice(), 200));
		next_sessions(UnbondingPeriod::get() - 2);
		assert_noop!(
			Stakes::withdraw_unbonded(signed(carol()), alice()),
			Error::<Test>::NothingUnbonded
		);
		next_session();
		assert_ok!(Stakes::withdraw_unbonded(signed(carol()), alice()));
		assert_last_event(Event::Withdrawn {
			candidate: alice(),
			staker: carol(),
			amount: 300,
		});
		assert_eq!(held(&carol()), 600);
		next_session();
		assert_ok!(Stakes::withdraw_unbonded(signed(carol()), alice()));
		assert_eq!(held(&carol()), 400);
	});
}

#[test]
fn withdraw_unbonded_should_not_be_moved_by_a_later_change_of_the_period() {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 300));
		assert_ok!(Stakes::undelegate(signed(carol()), alice(), 300));
		let promised = UnbondingPeriod::get();
		UnbondingPeriod::set(1_000);
		next_sessions(promised);
		assert_ok!(Stakes::withdraw_unbonded(signed(carol()), alice()));
		assert_eq!(Stakes::position(alice(), carol()), None);
		assert_eq!(Stakes::candidate(alice()).unwrap().delegators, 0);
	});
}

#[test]
fn withdraw_unbonded_should_wait_until_offences_cannot_be_reported_whatever_the_period() {
	build_and_execute(|| {
		UnbondingPeriod::set(0);
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 300));
		assert_ok!(Stakes::undelegate(signed(carol()), alice(), 300));
		next_sessions(REPORTABLE + 2);
		assert_noop!(
			Stakes::withdraw_unbonded(signed(carol()), alice()),
			Error::<Test>::NothingUnbonded
		);
		next_session();
		assert_ok!(Stakes::withdraw_unbonded(signed(carol()), alice()));
	});
}

#[test]
fn withdraw_unbonded_should_refuse_who_has_nothing_there() {
	build_and_execute(|| {
		assert_noop!(
			Stakes::withdraw_unbonded(signed(carol()), alice()),
			Error::<Test>::NothingUnbonded
		);
		assert_noop!(
			Stakes::withdraw_unbonded(signed(carol()), dave()),
			Error::<Test>::NotCandidate
		);
	});
}
