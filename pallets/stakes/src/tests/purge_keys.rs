use super::*;

#[test]
fn purge_keys_should_be_for_who_cannot_be_made_a_validator_any_more() {
	build_and_execute(|| {
		bond(carol(), 5_000);
		next_sessions(2);
		let purge = |who| Stakes::purge_keys(signed(who));
		assert_noop!(purge(alice()), Error::<Test>::KeysInUse);
		assert_noop!(purge(carol()), Error::<Test>::KeysInUse);
		assert_ok!(Stakes::unbond(signed(carol()), 5_000));
		assert_noop!(purge(carol()), Error::<Test>::KeysInUse);
		next_sessions(UnbondingPeriod::get());
		assert_ok!(Stakes::withdraw_unbonded(signed(carol()), carol()));
		assert_ok!(purge(carol()));
		assert_eq!(Purged::get(), [carol()]);
	});
}

#[test]
fn purge_keys_should_refuse_the_fallback_and_who_is_about_to_validate() {
	build_and_execute(|| {
		assert_ok!(Stakes::unbond(signed(alice()), MIN_SELF_STAKE));
		next_sessions(UnbondingPeriod::get());
		assert_ok!(Stakes::withdraw_unbonded(signed(alice()), alice()));
		assert_eq!(Stakes::candidate(alice()), None);
		assert_noop!(
			Stakes::purge_keys(signed(alice())),
			Error::<Test>::KeysInUse
		);
		Queued::set(vec![dave()]);
		assert_noop!(Stakes::purge_keys(signed(dave())), Error::<Test>::KeysInUse);
	});
}
