use super::*;

#[test]
fn unjail_should_let_a_validator_back_when_its_time_is_over() {
	build_and_execute(|| {
		bond(carol(), 5_000);
		next_sessions(2);
		report(carol(), 10, 2);
		assert_noop!(Stakes::unjail(signed(carol())), Error::<Test>::JailNotOver);
		next_sessions(2);
		assert!(!Seated::get().contains(&carol()));
		next_sessions(JailPeriod::get() - 2);
		assert_ok!(Stakes::unjail(signed(carol())));
		assert_last_event(Event::Unjailed { validator: carol() });
		next_sessions(2);
		assert!(Seated::get().contains(&carol()));
	});
}

#[test]
fn unjail_should_refuse_who_is_not_in_jail() {
	build_and_execute(|| {
		assert_noop!(Stakes::unjail(signed(alice())), Error::<Test>::NotInJail);
	});
}
