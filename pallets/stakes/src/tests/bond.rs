use super::*;

#[test]
fn bond_should_hold_the_stake_and_make_a_candidate() {
	build_and_execute(|| {
		let commission = Perbill::from_percent(5);
		assert_ok!(Stakes::bond(signed(carol()), 5_000, commission));
		assert_last_event(Event::Bonded {
			candidate: carol(),
			amount: 5_000,
			commission,
		});
		assert_eq!(held(&carol()), 5_000);
		let candidate = Stakes::candidate(carol()).unwrap();
		assert_eq!((candidate.own, candidate.stake), (5_000, 5_000));
		assert_eq!(candidate.commission, commission);
		assert!(candidate.active);
		assert_eq!(Stakes::candidates()[0].0, carol());
	});
}

#[test]
fn bond_should_refuse_who_bonded_already() {
	build_and_execute(|| {
		assert_noop!(
			Stakes::bond(signed(alice()), 5_000, Perbill::zero()),
			Error::<Test>::AlreadyCandidate
		);
	});
}

#[test]
fn bond_should_refuse_less_than_the_least_stake_and_more_than_there_is() {
	build_and_execute(|| {
		assert_noop!(
			Stakes::bond(signed(carol()), MIN_SELF_STAKE - 1, Perbill::zero()),
			Error::<Test>::StakeTooSmall
		);
		assert_noop!(
			Stakes::bond(signed(carol()), ENDOWMENT, Perbill::zero()),
			TokenError::FundsUnavailable
		);
		assert_noop!(
			Stakes::bond(signed(carol()), Balance::MAX, Perbill::zero()),
			TokenError::FundsUnavailable
		);
	});
}

#[test]
fn bond_should_refuse_a_commission_above_the_bound() {
	build_and_execute(|| {
		assert_noop!(
			Stakes::bond(signed(carol()), 5_000, Perbill::from_percent(21)),
			Error::<Test>::CommissionTooHigh
		);
	});
}

#[test]
fn bond_should_refuse_one_candidate_too_many() {
	build_and_execute(|| {
		for number in 3..=6 {
			bond(account(number), 5_000);
		}
		assert_noop!(
			Stakes::bond(signed(account(7)), 5_000, Perbill::zero()),
			Error::<Test>::TooManyCandidates
		);
	});
}
