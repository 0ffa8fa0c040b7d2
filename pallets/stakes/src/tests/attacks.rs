//! Attacks, each of which fails.

use super::*;

#[test]
fn stake_put_in_just_before_a_payout_and_taken_out_just_after_should_earn_nothing() {
	build_and_execute(|| {
		next_session();
		// In at the last moment before a rich payout, a hundred times what everybody else has.
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 200_000));
		pay_out(1_000_000);
		assert_ok!(Stakes::undelegate(signed(carol()), alice(), 200_000));
		assert_eq!(claimable(alice(), carol()), 0);
		assert_eq!(claimable(alice(), alice()), 500_000);
		// Nor later: it unbonds.
		pay_out(1_000_000);
		assert_eq!(claimable(alice(), carol()), 0);
	});
}

#[test]
fn stake_for_one_payout_should_earn_for_one_session_and_be_locked_for_all_of_unbonding() {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 1_000));
		assert_ok!(Stakes::delegate(signed(dave()), bob(), 1_000));
		next_session();
		pay_out(4_000);
		assert_ok!(Stakes::undelegate(signed(carol()), alice(), 1_000));
		let locked = UnbondingPeriod::get();
		for _ in 0..locked {
			pay_out(3_000);
			assert_noop!(
				Stakes::delegate(signed(carol()), alice(), ENDOWMENT - 1_000),
				TokenError::FundsUnavailable
			);
		}
		assert_eq!(claimable(alice(), carol()), 1_000);
		assert_eq!(
			claimable(bob(), dave()),
			1_000 + Balance::from(locked) * 1_000
		);
	});
}

#[test]
fn moving_stake_between_candidates_at_a_payout_should_not_earn_twice() {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 1_000));
		next_session();
		pay_out(3_000);
		let earned = claimable(alice(), carol());
		assert_ok!(Stakes::undelegate(signed(carol()), alice(), 1_000));
		assert_ok!(Stakes::delegate(signed(carol()), bob(), 1_000));
		pay_out(3_000);
		assert_eq!(claimable(alice(), carol()), earned);
		assert_eq!(claimable(bob(), carol()), 0);
	});
}

#[test]
fn topping_up_should_not_make_old_payouts_count_for_the_new_stake() {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 1_000));
		next_session();
		pay_out(3_000);
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 500_000));
		assert_eq!(claimable(alice(), carol()), 1_000);
		next_session();
		assert_eq!(claimable(alice(), carol()), 1_000);
	});
}

#[test]
fn claiming_again_and_again_should_not_gain_by_rounding() {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 333));
		assert_ok!(Stakes::delegate(signed(dave()), bob(), 333));
		next_session();
		let mut paid = 0;
		for _ in 0..50 {
			pay_out(7);
			if claimable(alice(), carol()) > 0 {
				paid += claim(alice(), carol());
			}
		}
		assert!(paid <= claimable(bob(), dave()));
	});
}

#[test]
fn leaving_before_a_report_should_not_escape_the_slash() {
	build_and_execute(|| {
		UnbondingPeriod::set(0);
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 500));
		next_session();
		let offence = session();
		assert_ok!(Stakes::unbond(signed(alice()), MIN_SELF_STAKE));
		assert_ok!(Stakes::undelegate(signed(carol()), alice(), 500));
		// It still validates in the next session, and may misbehave there too.
		for last in [offence, offence + 1] {
			while Provable::get() < last {
				next_session();
			}
			assert_noop!(
				Stakes::withdraw_unbonded(signed(alice()), alice()),
				Error::<Test>::NothingUnbonded
			);
		}
		report(alice(), 50, offence + 1);
		next_sessions(SlashDelay::get());
		assert_ok!(Stakes::withdraw_unbonded(signed(alice()), alice()));
		assert_ok!(Stakes::withdraw_unbonded(signed(carol()), alice()));
		assert_eq!(Burnt::get(), 750);
		assert_eq!(Balances::free_balance(alice()), ENDOWMENT - 500);
		assert_eq!(Balances::free_balance(carol()), ENDOWMENT - 250);
	});
}

#[test]
fn leaving_before_the_session_one_was_elected_for_should_not_escape_the_slash() {
	build_and_execute(|| {
		bond(carol(), 5_000);
		assert_ok!(Stakes::delegate(signed(dave()), carol(), 500));
		next_session();
		assert!(Queued::get().contains(&carol()));
		assert_ok!(Stakes::unbond(signed(carol()), 5_000));
		assert_ok!(Stakes::undelegate(signed(dave()), carol(), 500));
		next_session();
		assert!(Seated::get().contains(&carol()));
		report(carol(), 50, session());
		assert_eq!(Stakes::slashes()[0].1.total(), Some(2_750));
	});
}

#[test]
fn a_validator_that_makes_no_blocks_should_earn_nothing_and_lose_its_seat() {
	build_and_execute(|| {
		MaxValidators::set(4);
		bond(carol(), MIN_SELF_STAKE);
		bond(dave(), MIN_SELF_STAKE);
		Offline::set(vec![dave()]);
		next_sessions(2);
		assert!(Seated::get().contains(&dave()));
		pay_out(3_000);
		assert_eq!(claimable(dave(), dave()), 0);
		assert_eq!(claimable(carol(), carol()), 1_000);
		assert!(Stakes::candidate(dave()).unwrap().active);
		pay_out(3_000);
		assert_eq!(claimable(dave(), dave()), 0);
		assert!(!Stakes::candidate(dave()).unwrap().active);
		next_session();
		assert!(!Seated::get().contains(&dave()));
		// Coming back earns nothing before it works.
		assert_ok!(Stakes::validate(signed(dave()), Perbill::zero()));
		next_sessions(2);
		assert!(Seated::get().contains(&dave()));
		pay_out(3_000);
		assert_eq!(claimable(dave(), dave()), 0);
		Offline::set(vec![]);
		pay_out(4_000);
		assert_eq!(claimable(dave(), dave()), 1_000);
	});
}

#[test]
fn a_part_of_the_network_should_not_chill_the_rest_of_it() {
	build_and_execute(|| {
		MaxValidators::set(4);
		bond(carol(), MIN_SELF_STAKE);
		bond(dave(), MIN_SELF_STAKE);
		next_sessions(2);
		Offline::set(vec![carol(), dave()]);
		next_sessions(10);
		assert_eq!(Seated::get().len(), 4);
		pay_out(2_000);
		assert_eq!(claimable(carol(), carol()), 0);
		assert_eq!(claimable(alice(), alice()), 1_000);
	});
}

#[test]
fn bad_luck_should_cost_nothing() {
	build_and_execute(|| {
		next_session();
		// Not a block in the whole session, but there were few.
		Presences::<Test>::mutate(bob(), |presence| {
			let presence = presence.as_mut().unwrap();
			presence.block = Blocks::<Test>::get() - 10;
			presence.session = 0;
		});
		Stakes::note_author(alice());
		Earnings::set(2_000);
		crate::Pallet::<Test>::share_out();
		assert_eq!(claimable(bob(), bob()), 1_000);
	});
}

#[test]
fn candidates_without_a_stake_of_their_own_should_not_keep_others_out() {
	build_and_execute(|| {
		// The attacker's money goes round: each place costs it a small delegation only.
		for number in 3..=6 {
			let candidate = account(number);
			assert_ok!(Stakes::bond(
				signed(candidate.clone()),
				5_000,
				Perbill::zero()
			));
			assert_ok!(Stakes::delegate(
				signed(account(20)),
				candidate.clone(),
				MIN_DELEGATION
			));
			assert_ok!(Stakes::unbond(signed(candidate), 5_000));
		}
		next_sessions(UnbondingPeriod::get());
		for number in 3..=6 {
			assert_ok!(Stakes::withdraw_unbonded(
				signed(account(number)),
				account(number)
			));
		}
		let bond = || Stakes::bond(signed(account(7)), 5_000, Perbill::zero());
		assert_noop!(bond(), Error::<Test>::TooManyCandidates);
		assert_ok!(Stakes::dissolve(signed(account(7)), account(3)));
		assert_ok!(bond());
		assert_eq!(held(&account(20)), 3 * MIN_DELEGATION);
	});
}

#[test]
fn small_delegators_should_not_keep_a_large_one_out() {
	build_and_execute(|| {
		MaxDelegators::set(16);
		use frame::traits::fungible::Mutate as _;
		let puppet = |number: u8| -> AccountId {
			let who = account(100 + number);
			assert_ok!(Balances::mint_into(&who, ENDOWMENT));
			who
		};
		let mut cost = 0;
		for number in 0..12 {
			assert_ok!(Stakes::delegate(
				signed(puppet(number)),
				alice(),
				MIN_DELEGATION
			));
			cost += MIN_DELEGATION;
		}
		// The last quarter is dearer and dearer.
		for number in 12..16 {
			let least = Stakes::least_stake(alice());
			assert_eq!(least, MIN_DELEGATION << (number - 12));
			let who = puppet(number);
			if number > 12 {
				assert_noop!(
					Stakes::delegate(signed(who.clone()), alice(), least - 1),
					Error::<Test>::StakeTooSmall
				);
			}
			assert_ok!(Stakes::delegate(signed(who.clone()), alice(), least));
			cost += least;
			// Nor can it be had for less afterwards.
			if number > 12 {
				assert_noop!(
					Stakes::undelegate(signed(who), alice(), least - MIN_DELEGATION),
					Error::<Test>::LeavesTooLittle
				);
			}
		}
		assert_eq!(cost, MIN_DELEGATION * (12 + 1 + 2 + 4 + 8));
	});
}

#[test]
fn dust_should_not_keep_a_place() {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 300));
		next_session();
		pay_out(13);
		assert!((1..10).contains(&claimable(alice(), carol())));
		assert_ok!(Stakes::undelegate(signed(carol()), alice(), 300));
		next_sessions(UnbondingPeriod::get());
		assert_ok!(Stakes::withdraw_unbonded(signed(carol()), alice()));
		assert_eq!(Stakes::candidate(alice()).unwrap().delegators, 0);
	});
}

#[test]
fn withdrawing_while_a_slash_waits_should_not_escape_it() {
	build_and_execute(|| {
		SlashDelay::set(20);
		assert_ok!(Stakes::unbond(signed(alice()), MIN_SELF_STAKE));
		report(alice(), 40, 0);
		next_sessions(UnbondingPeriod::get());
		assert_ok!(Stakes::withdraw_unbonded(signed(alice()), alice()));
		assert_eq!(held(&alice()), 400);
		next_sessions(20 - UnbondingPeriod::get());
		assert_eq!(Burnt::get(), 400);
	});
}

#[test]
fn a_commission_should_not_be_raised_on_delegators_who_cannot_leave_in_time() {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), MIN_SELF_STAKE));
		next_session();
		assert_ok!(Stakes::validate(signed(alice()), Perbill::from_percent(20)));
		pay_out(3_000);
		pay_out(3_000);
		assert_eq!(claimable(alice(), carol()), 2_000);
		pay_out(3_000);
		// A unit less than four fifths, by rounding.
		assert_eq!(claimable(alice(), carol()), 2_799);
	});
}

#[test]
fn bonding_anew_should_not_leave_jail() {
	build_and_execute(|| {
		bond(carol(), 5_000);
		report(carol(), 100, 0);
		assert_ok!(Stakes::unbond(signed(carol()), 5_000));
		next_sessions(UnbondingPeriod::get());
		assert_ok!(Stakes::withdraw_unbonded(signed(carol()), carol()));
		bond(carol(), 5_000);
		next_sessions(2);
		assert!(!Seated::get().contains(&carol()));
	});
}

#[test]
fn a_rich_candidate_without_a_stake_of_its_own_should_not_be_elected() {
	build_and_execute(|| {
		bond(carol(), 5_000);
		assert_ok!(Stakes::delegate(signed(dave()), carol(), 100_000));
		assert_ok!(Stakes::unbond(signed(carol()), 5_000));
		next_sessions(2);
		assert!(!Seated::get().contains(&carol()));
	});
}
