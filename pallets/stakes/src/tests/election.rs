//! Who validates.

use super::*;

/// How often other validators were planned.
fn changes() -> usize {
	let is_change = |event: &_| matches!(event, RuntimeEvent::Stakes(Event::Elected { .. }));
	let records = System::events();
	records.iter().filter(|it| is_change(&it.event)).count()
}

#[test]
fn the_candidates_with_the_most_stake_should_validate() {
	build_and_execute(|| {
		bond(carol(), 3_000);
		bond(dave(), 4_000);
		bond(account(5), 2_000);
		assert_ok!(Stakes::delegate(signed(account(6)), alice(), 2_500));
		next_session();
		// One session's notice: what is elected now validates in the next.
		assert_eq!(Seated::get(), [alice(), bob()]);
		next_session();
		assert_eq!(Seated::get(), [alice(), carol(), dave()]);
		assert_eq!(changes(), 1);
		assert_eq!(Stakes::elected(), Seated::get());
	});
}

#[test]
fn ties_should_go_to_the_lower_account() {
	build_and_execute(|| {
		MaxValidators::set(2);
		for number in [5, 4, 3] {
			bond(account(number), 3_000);
		}
		next_sessions(2);
		assert_eq!(Seated::get(), [carol(), dave()]);
	});
}

#[test]
fn an_equal_set_should_be_announced_as_another_one() {
	build_and_execute(|| {
		next_sessions(2);
		let set = vec![alice(), bob()];
		assert_eq!(Announced::get(), [(2, set.clone()), (3, set)]);
		assert_eq!(changes(), 0);
	});
}

#[test]
fn a_candidate_without_session_keys_should_not_be_elected() {
	build_and_execute(|| {
		assert_ok!(Stakes::bond(signed(carol()), 9_000, Perbill::zero()));
		next_sessions(3);
		assert_eq!(changes(), 0);
		Keyed::mutate(|keyed| keyed.push(carol()));
		next_sessions(2);
		assert!(Seated::get().contains(&carol()));
		Keyed::mutate(|keyed| keyed.retain(|who| *who != carol()));
		next_sessions(2);
		assert_eq!(Seated::get(), [alice(), bob()]);
		next_session();
		assert_eq!(changes(), 2);
	});
}

#[test]
fn too_few_elected_should_be_joined_by_the_fallback() {
	build_and_execute(|| {
		MinValidators::set(3);
		assert_ok!(Stakes::unbond(signed(alice()), MIN_SELF_STAKE));
		bond(carol(), 5_000);
		next_session();
		let elected = Event::Elected {
			session: 2,
			validators: 3,
			fallback: 1,
		};
		System::assert_has_event(elected.into());
		next_session();
		assert_eq!(Seated::get(), [alice(), bob(), carol()]);
	});
}

#[test]
fn the_first_candidate_after_an_upgrade_should_not_take_the_chain_over() {
	build_and_execute(|| {
		// As on a chain that had validators before it had this pallet.
		Fallback::<Test>::kill();
		for validator in [alice(), bob()] {
			assert_ok!(Stakes::unbond(signed(validator), MIN_SELF_STAKE));
		}
		bond(carol(), 100_000);
		next_sessions(4);
		assert_eq!(Seated::get(), [alice(), bob(), carol()]);
	});
}

#[test]
fn nobody_to_elect_should_leave_the_present_set() {
	build_and_execute(|| {
		report(alice(), 0, 0);
		report(bob(), 0, 0);
		assert!(Stakes::elected().is_empty());
		next_sessions(3);
		assert_eq!(Seated::get(), [alice(), bob()]);
		assert_eq!(changes(), 0);
	});
}
