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
fn what_a_spree_costs_more_in_the_same_session_should_be_one_slash() {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 500));
		next_session();
		report(alice(), 10, 1);
		report(alice(), 55, 1);
		let slashes = Stakes::slashes();
		assert_eq!(slashes.len(), 1);
		let slash = &slashes[0].1;
		assert_eq!(slash.fraction, Perbill::from_percent(55));
		assert_eq!(slash.parts.len(), 2);
		assert_eq!(slash.total(), Some(550 + 275));
		// In another session governance may be about to cancel the first; this is another one.
		next_session();
		report(alice(), 100, 1);
		let totals: Vec<_> = Stakes::slashes().iter().map(|it| it.1.total()).collect();
		assert_eq!(totals, [Some(825), Some(675)]);
	});
}

#[test]
fn offenders_of_one_round_should_have_one_slash_each() {
	build_and_execute(|| {
		SlashDelay::set(100);
		bond(carol(), 5_000);
		next_session();
		report(carol(), 10, 1);
		// A report of one more makes the offence graver, and comes with all of them.
		report(alice(), 9, 1);
		for offender in [alice(), bob()] {
			report(offender, 36, 1);
		}
		// There is room for three. Carol's, which governance may be about to cancel, still waits.
		let slashes = Stakes::slashes().into_iter().map(|(_, slash)| slash);
		let seized: Vec<_> = slashes
			.map(|it| (it.total().unwrap(), it.offender))
			.collect();
		assert_eq!(seized, [(500, carol()), (359, alice()), (360, bob())]);
		assert_eq!(Burnt::get(), 0);
	});
}

#[test]
fn an_old_offence_of_a_spree_should_cost_nothing_more_after_jail() {
	build_and_execute(|| {
		JailPeriod::set(1);
		let own = || Stakes::candidate(alice()).unwrap().own;
		report(alice(), 50, 0);
		next_session();
		assert_ok!(Stakes::unjail(signed(alice())));
		Disabled::set(vec![]);
		report(alice(), 50, 0);
		assert_eq!((own(), Stakes::jail(alice())), (500, None));
		assert!(!Disabled::get().contains(&alice()));
		// A graver one costs the difference.
		report(alice(), 75, 0);
		assert_eq!(own(), 250);
		assert!(Stakes::jail(alice()).is_some());
		// It is forgotten when it cannot be reported any more.
		next_sessions(REPORTABLE + 3);
		assert_ok!(Stakes::unjail(signed(alice())));
		assert!(!Sprees::<Test>::contains_key(alice()));
	});
}

#[test]
fn an_old_offence_should_cost_nothing_more_after_a_later_and_smaller_one() {
	build_and_execute(|| {
		report(alice(), 50, 0);
		next_session();
		report(alice(), 10, 1);
		let own = || Stakes::candidate(alice()).unwrap().own;
		assert_eq!(own(), 450);
		report(alice(), 50, 0);
		report(alice(), 10, 1);
		assert_eq!(own(), 450);
		// The jail says what is the newest and the worst.
		let jail = Stakes::jail(alice()).unwrap();
		assert_eq!((jail.since, jail.fraction), (1, Perbill::from_percent(50)));
	});
}

#[test]
fn who_was_jailed_by_the_runtime_before_should_not_pay_again() {
	build_and_execute(|| {
		JailPeriod::set(1);
		report(alice(), 50, 0);
		// As it was then.
		Sprees::<Test>::remove(alice());
		report(alice(), 50, 0);
		assert_eq!(Stakes::candidate(alice()).unwrap().own, 500);
		next_session();
		assert_ok!(Stakes::unjail(signed(alice())));
		report(alice(), 50, 0);
		assert_eq!(Stakes::candidate(alice()).unwrap().own, 500);
	});
}

#[test]
fn sprees_should_be_bounded_and_the_oldest_be_taken_for_one() {
	let spree = |since, percent| Spree {
		since,
		fraction: Perbill::from_percent(percent),
		slash: None,
	};
	build_and_execute(|| {
		let many: Vec<_> = (0..=MAX_SPREES).map(|n| spree(n, 50 - n)).collect();
		crate::Pallet::<Test>::put_sprees(&alice(), many);
		let kept = Sprees::<Test>::get(alice());
		assert_eq!(kept.len() as u32, MAX_SPREES);
		assert_eq!(kept[0], spree(1, 50));
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
			next_session();
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
