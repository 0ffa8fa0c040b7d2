use super::*;

#[test]
fn unbond_should_take_from_the_own_stake_and_keep_it_held() {
	build_and_execute(|| {
		assert_ok!(Stakes::bond_more(signed(alice()), 500));
		assert_ok!(Stakes::unbond(signed(alice()), 400));
		assert_last_event(Event::Unbonding {
			candidate: alice(),
			staker: alice(),
			amount: 400,
			free_at: UnbondingPeriod::get(),
		});
		assert_eq!(held(&alice()), MIN_SELF_STAKE + 500);
		assert_eq!(
			Stakes::candidate(alice()).unwrap().own,
			MIN_SELF_STAKE + 100
		);
	});
}

#[test]
fn unbond_should_refuse_what_does_not_do() {
	build_and_execute(|| {
		assert_noop!(
			Stakes::unbond(signed(alice()), 0),
			Error::<Test>::ZeroAmount
		);
		assert_noop!(
			Stakes::unbond(signed(alice()), MIN_SELF_STAKE + 1),
			Error::<Test>::NotSoMuchStaked
		);
		assert_noop!(
			Stakes::unbond(signed(alice()), 1),
			Error::<Test>::LeavesTooLittle
		);
		assert_noop!(
			Stakes::unbond(signed(carol()), 1),
			Error::<Test>::NotCandidate
		);
	});
}

#[test]
fn unbond_should_merge_what_leaves_in_one_session_and_refuse_too_many_chunks() {
	build_and_execute(|| {
		assert_ok!(Stakes::bond_more(signed(alice()), 500));
		for _ in 0..3 {
			assert_ok!(Stakes::unbond(signed(alice()), 10));
			assert_ok!(Stakes::unbond(signed(alice()), 10));
			next_session();
		}
		let chunks = Stakes::position(alice(), alice()).unwrap().unbonding;
		assert_eq!(chunks.len(), 3);
		assert!(chunks.iter().all(|chunk| chunk.amount == 20));
		assert_noop!(
			Stakes::unbond(signed(alice()), 10),
			Error::<Test>::TooManyChunks
		);
	});
}

#[test]
fn unbonding_everything_should_end_the_candidacy_and_free_its_place() {
	build_and_execute(|| {
		bond(carol(), 5_000);
		assert_ok!(Stakes::unbond(signed(carol()), 5_000));
		next_sessions(2);
		assert!(!Seated::get().contains(&carol()));
		next_sessions(UnbondingPeriod::get());
		assert_ok!(Stakes::withdraw_unbonded(signed(carol()), carol()));
		assert_eq!(Stakes::candidate(carol()), None);
		assert_eq!(held(&carol()), 0);
		assert_eq!(Marks::<Test>::iter().count(), 0);
		bond(carol(), 5_000);
	});
}

#[test]
fn delegators_should_be_able_to_leave_a_candidate_that_has_left() {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 300));
		assert_ok!(Stakes::unbond(signed(alice()), MIN_SELF_STAKE));
		next_sessions(UnbondingPeriod::get());
		assert_ok!(Stakes::withdraw_unbonded(signed(alice()), alice()));
		assert_ok!(Stakes::undelegate(signed(carol()), alice(), 300));
		next_sessions(UnbondingPeriod::get());
		assert_ok!(Stakes::withdraw_unbonded(signed(carol()), alice()));
		assert_eq!(held(&carol()), 0);
		assert_eq!(Stakes::candidate(alice()), None);
	});
}
