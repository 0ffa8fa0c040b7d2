use super::*;

#[test]
fn chill_should_take_the_candidate_out_of_the_next_election() {
	build_and_execute(|| {
		bond(carol(), 5_000);
		bond(dave(), 5_000);
		next_sessions(2);
		assert!(Seated::get().contains(&carol()));
		assert_ok!(Stakes::chill(signed(carol())));
		assert_last_event(Event::Chilled { candidate: carol() });
		next_sessions(2);
		assert!(!Seated::get().contains(&carol()));
		assert_eq!(held(&carol()), 5_000);
	});
}

#[test]
fn chill_should_refuse_who_is_no_candidate() {
	build_and_execute(|| {
		assert_noop!(Stakes::chill(signed(carol())), Error::<Test>::NotCandidate);
	});
}

#[test]
fn a_chilled_fallback_validator_should_stay_while_there_are_too_few() {
	build_and_execute(|| {
		assert_ok!(Stakes::chill(signed(alice())));
		next_sessions(2);
		assert_eq!(Seated::get(), [alice(), bob()]);
	});
}
