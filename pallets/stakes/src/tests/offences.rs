//! What an offence costs, whom, and when.

use super::*;

#[test]
fn an_offender_should_be_disabled_and_jailed_and_leave_the_set() {
	build_and_execute(|| {
		bond(carol(), 5_000);
		bond(dave(), 5_000);
		next_sessions(2);
		assert!(Seated::get().contains(&carol()));
		report(carol(), 10, 2);
		assert_eq!(Disabled::get(), [carol()]);
		assert_eq!(
			Stakes::jail(carol()),
			Some(Jail {
				since: 2,
				until: 2 + JailPeriod::get(),
				fraction: Perbill::from_percent(10),
			})
		);
		// A set that was planned before pardons all; who is in jail is disabled again.
		next_session();
		assert!(Seated::get().contains(&carol()) && Disabled::get().contains(&carol()));
		next_session();
		assert!(!Seated::get().contains(&carol()));
	});
}

#[test]
fn all_stakes_on_an_offender_should_be_seized_at_once_and_slashed_after_the_delay() {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 500));
		assert_ok!(Stakes::delegate(signed(carol()), bob(), 500));
		next_session();
		report(alice(), 10, 1);
		System::assert_has_event(
			Event::Seized {
				id: 0,
				offender: alice(),
				offence: 1,
				fraction: Perbill::from_percent(10),
				amount: 150,
				apply_at: 3,
			}
			.into(),
		);
		let stake = |who| Stakes::position(alice(), who).unwrap().eligible;
		assert_eq!((stake(alice()), stake(carol())), (900, 450));
		assert_eq!((held(&alice()), held(&carol())), (1_000, 1_000));
		next_session();
		assert_eq!(Burnt::get(), 0);
		next_session();
		assert_eq!(Burnt::get(), 150);
		assert_eq!((held(&alice()), held(&carol())), (900, 950));
		assert_eq!(held(&bob()), MIN_SELF_STAKE);
	});
}

#[test]
fn what_unbonds_should_be_slashed_if_it_was_at_stake_when_the_offender_was_elected() {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 900));
		next_session();
		assert_ok!(Stakes::undelegate(signed(carol()), alice(), 200));
		next_session();
		assert_ok!(Stakes::undelegate(signed(carol()), alice(), 300));
		next_session();
		assert_ok!(Stakes::undelegate(signed(carol()), alice(), 200));
		// The validators of session 3 were elected at the end of session 1, when 200 had left.
		report(alice(), 50, 3);
		let position = Stakes::position(alice(), carol()).unwrap();
		assert_eq!(position.eligible, 100);
		let chunks: Vec<_> = position
			.unbonding
			.iter()
			.map(|chunk| chunk.amount)
			.collect();
		assert_eq!(chunks, [200, 150, 100]);
		assert_eq!(
			Stakes::slashes()[0]
				.1
				.parts
				.iter()
				.find(|(who, _)| *who == carol()),
			Some(&(carol(), 350))
		);
	});
}

#[test]
fn stake_of_the_session_in_progress_should_be_spared() {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 900));
		report(alice(), 50, 0);
		assert_eq!(Stakes::position(alice(), carol()).unwrap().fresh, 900);
		assert_eq!(Stakes::position(alice(), alice()).unwrap().eligible, 500);
	});
}

#[test]
fn a_spree_should_cost_what_its_worst_offence_costs() {
	build_and_execute(|| {
		report(alice(), 10, 0);
		report(alice(), 10, 0);
		report(alice(), 5, 0);
		let own = || Stakes::candidate(alice()).unwrap().own;
		assert_eq!(own(), 900);
		report(alice(), 50, 0);
		// What is taken beyond the first tenth is rounded down.
		assert_eq!(own(), 501);
		next_session();
		// It was in jail and does it again: another spree.
		report(alice(), 10, 1);
		assert_eq!(own(), 451);
	});
}

#[test]
fn a_slash_of_everything_should_leave_no_stake() {
	build_and_execute(|| {
		report(alice(), 100, 0);
		assert_eq!(Stakes::candidate(alice()), None);
		assert_eq!(held(&alice()), MIN_SELF_STAKE);
		next_sessions(SlashDelay::get());
		assert_eq!(held(&alice()), 0);
		assert_eq!(Burnt::get(), MIN_SELF_STAKE);
	});
}

#[test]
fn an_offender_without_stake_should_be_jailed_too() {
	build_and_execute(|| {
		report(carol(), 50, 0);
		assert!(Stakes::jail(carol()).is_some());
		assert!(Stakes::slashes().is_empty());
	});
}

#[test]
fn a_full_queue_should_carry_out_the_oldest_slash_early() {
	build_and_execute(|| {
		SlashDelay::set(100);
		for (count, percent) in [10, 20, 30, 40].into_iter().enumerate() {
			assert_eq!(Stakes::slashes().len(), count.min(3));
			report(alice(), percent, 0);
		}
		assert_eq!(Stakes::slashes().len(), 3);
		assert_eq!(Burnt::get(), 100);
	});
}

#[test]
fn who_is_in_jail_should_earn_nothing() {
	build_and_execute(|| {
		report(alice(), 0, 0);
		pay_out(500);
		assert_eq!(claimable(alice(), alice()), 0);
		assert_eq!(claimable(bob(), bob()), 500);
	});
}
