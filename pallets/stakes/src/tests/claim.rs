use super::*;

#[test]
fn claim_should_pay_what_the_stake_earned_and_leave_the_pot_alive() {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), MIN_SELF_STAKE));
		next_session();
		// Two thirds of the stake are on Alice, half of that is Carol's.
		pay_out(3_000);
		assert_eq!(claimable(alice(), carol()), 1_000);
		assert_eq!(claim(alice(), carol()), 1_000);
		assert_last_event(Event::Claimed {
			candidate: alice(),
			staker: carol(),
			amount: 1_000,
		});
		assert_eq!(claim(alice(), alice()), 1_000);
		assert_eq!(claim(bob(), bob()), 1_000);
		assert_eq!(Owed::<Test>::get(), 0);
		assert_noop!(
			Stakes::claim(signed(carol()), alice(), carol()),
			Error::<Test>::NothingToClaim
		);
	});
}

#[test]
fn claim_should_find_all_of_several_sessions() {
	build_and_execute(|| {
		for _ in 0..5 {
			pay_out(2_000);
		}
		assert_eq!(claimable(alice(), alice()), 5_000);
		assert_eq!(claim(alice(), alice()), 5_000);
	});
}

#[test]
fn claim_should_refuse_who_has_earned_nothing() {
	build_and_execute(|| {
		assert_noop!(
			Stakes::claim(signed(carol()), alice(), carol()),
			Error::<Test>::NothingToClaim
		);
		assert_noop!(
			Stakes::claim(signed(carol()), carol(), carol()),
			Error::<Test>::NotCandidate
		);
	});
}

#[test]
fn a_validator_should_take_its_commission_first() {
	build_and_execute(|| {
		assert_ok!(Stakes::validate(signed(alice()), Perbill::from_percent(20)));
		assert_ok!(Stakes::delegate(signed(carol()), alice(), MIN_SELF_STAKE));
		next_sessions(2);
		pay_out(3_000);
		// Shares are rounded down; what that leaves is carried.
		assert_eq!(claimable(alice(), carol()), 799);
		assert_eq!(claimable(alice(), alice()), 400 + 799);
	});
}

#[test]
fn income_should_wait_where_nobody_earns_and_remainders_are_carried() {
	build_and_execute(|| {
		report(alice(), 0, 0);
		report(bob(), 0, 0);
		pay_out(1_001);
		assert_eq!(Owed::<Test>::get(), 0);
		next_sessions(5);
		assert_ok!(Stakes::unjail(signed(alice())));
		assert_ok!(Stakes::unjail(signed(bob())));
		next_session();
		assert_eq!(Owed::<Test>::get(), 1_000);
		pay_out(1);
		assert_eq!(Owed::<Test>::get(), 1_002);
	});
}

#[test]
fn money_that_somebody_sends_to_the_pot_should_be_shared_out_too() {
	build_and_execute(|| {
		assert_ok!(Balances::transfer_keep_alive(
			signed(carol()),
			crate::Pallet::<Test>::pot(),
			500
		));
		next_session();
		assert_eq!(claimable(alice(), alice()), 250);
	});
}

#[test]
fn what_left_the_stake_should_keep_what_it_earned() {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), MIN_SELF_STAKE));
		next_session();
		pay_out(3_000);
		assert_ok!(Stakes::undelegate(signed(carol()), alice(), MIN_SELF_STAKE));
		pay_out(3_000);
		assert_eq!(claim(alice(), carol()), 1_000);
	});
}
