use super::*;

fn list(accounts: &[AccountId]) -> BoundedVec<AccountId, <Test as Config>::MaxCandidates> {
	BoundedVec::truncate_from(accounts.to_vec())
}

#[test]
fn set_fallback_should_name_who_joins_when_too_few_are_elected() {
	build_and_execute(|| {
		Keyed::mutate(|keyed| keyed.push(dave()));
		assert_ok!(Stakes::set_fallback(RuntimeOrigin::root(), list(&[dave()])));
		assert_last_event(Event::FallbackSet { validators: 1 });
		assert_ok!(Stakes::chill(signed(bob())));
		next_sessions(2);
		assert_eq!(Seated::get(), [alice(), dave()]);
	});
}

#[test]
fn set_fallback_should_refuse_lists_that_cannot_validate_and_others_than_governance() {
	build_and_execute(|| {
		let set =
			|accounts: &[AccountId]| Stakes::set_fallback(RuntimeOrigin::root(), list(accounts));
		assert_noop!(set(&[]), Error::<Test>::InvalidFallback);
		assert_noop!(set(&[alice(), alice()]), Error::<Test>::InvalidFallback);
		assert_noop!(set(&[carol()]), Error::<Test>::InvalidFallback);
		assert_noop!(
			Stakes::set_fallback(signed(alice()), list(&[alice()])),
			DispatchError::BadOrigin
		);
	});
}
