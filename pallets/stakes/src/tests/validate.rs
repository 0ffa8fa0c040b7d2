use super::*;

#[test]
fn validate_should_bring_back_a_chilled_candidate() {
	build_and_execute(|| {
		assert_ok!(Stakes::chill(signed(alice())));
		assert_ok!(Stakes::validate(signed(alice()), Perbill::zero()));
		assert_last_event(Event::Validating {
			candidate: alice(),
			commission: Perbill::zero(),
			from: 0,
		});
		assert!(Stakes::candidate(alice()).unwrap().active);
	});
}

#[test]
fn validate_should_change_the_commission_after_one_whole_session() {
	build_and_execute(|| {
		let commission = Perbill::from_percent(20);
		assert_ok!(Stakes::validate(signed(alice()), commission));
		assert_last_event(Event::Validating {
			candidate: alice(),
			commission,
			from: 2,
		});
		let in_session = |session| Stakes::candidate(alice()).unwrap().commission_in(session);
		assert_eq!(in_session(1), Perbill::zero());
		assert_eq!(in_session(2), commission);
		// Asked again in time, it stays as it was.
		assert_ok!(Stakes::validate(signed(alice()), Perbill::zero()));
		assert_eq!(in_session(2), Perbill::zero());
	});
}

#[test]
fn no_commission_should_be_above_what_governance_allows_by_now() {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), MIN_SELF_STAKE));
		assert_ok!(Stakes::validate(signed(alice()), Perbill::from_percent(20)));
		next_sessions(2);
		MaxCommission::set(Perbill::zero());
		pay_out(3_000);
		assert_eq!(claimable(alice(), alice()), claimable(alice(), carol()));
	});
}

#[test]
fn validate_should_refuse_what_does_not_do() {
	build_and_execute(|| {
		assert_noop!(
			Stakes::validate(signed(carol()), Perbill::zero()),
			Error::<Test>::NotCandidate
		);
		assert_noop!(
			Stakes::validate(signed(alice()), Perbill::from_percent(21)),
			Error::<Test>::CommissionTooHigh
		);
		report(alice(), 0, 0);
		assert_noop!(
			Stakes::validate(signed(alice()), Perbill::zero()),
			Error::<Test>::InJail
		);
	});
}
