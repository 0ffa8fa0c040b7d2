use crate::{
	mock::{Datanets, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

use Vote::{Accept, Reject};

#[test]
fn conclude_review_should_accept_by_the_weight_of_the_stake() {
	build_and_execute(|| {
		let id = reviewed([10_000, 20_000, 40_000]);
		let wren = contribute(bob(), id, b"a wren");
		decide(id, wren, &[Reject, Reject, Accept]);
		System::assert_has_event(
			Event::<Test>::ReviewConcluded {
				datanet: id,
				contribution: wren,
				appeal: false,
				outcome: Outcome::Accepted,
				accept: 40_000,
				reject: 30_000,
				seated: 70_000,
			}
			.into(),
		);
		assert_last_event(Event::Accepted {
			datanet: id,
			contribution: wren,
			contributor: bob(),
		});
		assert_eq!(
			state(id, wren),
			Some(ContributionState::Accepted { since: 1 })
		);
		let free_at = System::block_number() + BOND_PERIOD;
		assert_eq!(Datanets::bond(id, wren).unwrap().free_at, Some(free_at));
		assert!(Datanets::panel(id)
			.iter()
			.all(|reviewer| reviewer.seats == 0));
		assert_eq!(Datanets::review(id, wren), None);
	});
}

#[test]
fn conclude_review_should_reject_a_tie_and_leave_time_to_appeal() {
	build_and_execute(|| {
		let id = reviewed([10_000, 10_000, 20_000]);
		let wren = contribute(bob(), id, b"a wren");
		decide(id, wren, &[Reject, Accept]);
		let until = System::block_number() + AppealPeriod::get();
		assert_eq!(state(id, wren), Some(ContributionState::Rejected { until }));
		assert_eq!(Datanets::bond(id, wren).unwrap().amount, 5_000);
	});
}

#[test]
fn conclude_review_should_pay_all_who_revealed_by_their_stake_whatever_they_voted() {
	build_and_execute(|| {
		let id = reviewed([10_000, 20_000, 40_000]);
		let wren = contribute(bob(), id, b"a wren");
		decide(id, wren, &[Reject, Reject, Accept]);
		for (who, share) in reviewers().into_iter().zip([14, 29, 57]) {
			assert_eq!(wealth(who), ENDOWMENT + share);
		}
		assert_eq!(wealth(bob()), ENDOWMENT - 100);
		assert_eq!(held_for(HoldReason::Bond, bob()), 5_000);
	});
}

#[test]
fn conclude_review_should_decide_nothing_below_the_quorum() {
	build_and_execute(|| {
		let id = reviewed([10_000, 40_000, 40_000]);
		let wren = contribute(bob(), id, b"a wren");
		decide(id, wren, &[Accept]);
		assert_last_event(Event::ReviewConcluded {
			datanet: id,
			contribution: wren,
			appeal: false,
			outcome: Outcome::Undecided,
			accept: 10_000,
			reject: 0,
			seated: 90_000,
		});
		assert_eq!(state(id, wren), Some(ContributionState::Pending));
		assert_eq!(
			Datanets::bond(id, wren).unwrap().fee,
			100,
			"kept for the next"
		);
		assert_eq!(wealth(bob()), ENDOWMENT);
	});
}

#[test]
fn conclude_review_should_take_a_part_of_the_stake_of_who_kept_silent() {
	build_and_execute(|| {
		let id = reviewed([10_000, 30_000, 40_000]);
		let wren = contribute(bob(), id, b"a wren");
		let [first, second, third] = reviewers();
		for who in [first.clone(), second.clone()] {
			assert_ok!(commit(id, wren, who, Accept));
		}
		pass(COMMIT);
		assert_ok!(reveal(id, wren, second.clone(), Accept));
		assert_noop!(conclude(id, wren), Error::<Test>::ReviewRunning);
		pass(REVEAL);
		assert_ok!(conclude(id, wren));
		System::assert_has_event(
			Event::<Test>::ReviewerSlashed {
				datanet: id,
				contribution: wren,
				reviewer: first.clone(),
				amount: 500,
			}
			.into(),
		);
		assert_eq!(held_for(HoldReason::Stake, first.clone()), 9_500);
		assert_eq!(wealth(first), ENDOWMENT - 500);
		assert_eq!(wealth(treasury()), ENDOWMENT + 500 + 400);
		assert_eq!(wealth(second), ENDOWMENT + 100, "the whole fee");
		assert_eq!(wealth(third), ENDOWMENT - 400, "a fifth of that part");
	});
}

#[test]
fn conclude_review_should_let_go_who_loses_all() {
	build_and_execute(|| {
		SilenceSlash::set(1_000_000);
		let id = reviewed([10_000; 3]);
		let wren = contribute(bob(), id, b"a wren");
		let [first, ..] = reviewers();
		assert_ok!(commit(id, wren, first.clone(), Accept));
		pass(COMMIT + REVEAL);
		assert_ok!(conclude(id, wren));
		assert_eq!(Datanets::panel(id).len(), 2);
		assert_eq!(wealth(first), ENDOWMENT - 10_000);
	});
}

#[test]
fn conclude_review_should_come_as_soon_as_all_is_revealed() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let wren = contribute(bob(), id, b"a wren");
		for who in reviewers() {
			assert_noop!(conclude(id, wren), Error::<Test>::ReviewRunning);
			assert_ok!(commit(id, wren, who, Accept));
		}
		for who in reviewers() {
			assert_noop!(conclude(id, wren), Error::<Test>::ReviewRunning);
			assert_ok!(reveal(id, wren, who, Accept));
		}
		assert_ok!(conclude(id, wren));
	});
}

#[test]
fn conclude_review_should_refuse_without_a_review() {
	build_and_execute(|| {
		assert_noop!(conclude(0, 0), Error::<Test>::NoReview);
		let id = datanet(Curation::Reviewers);
		contribute(bob(), id, b"a wren");
		assert_noop!(conclude(id, 0), Error::<Test>::NoReview);
	});
}

#[test]
fn conclude_review_should_cost_by_the_seats() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let wren = contribute(bob(), id, b"a wren");
		pass(COMMIT);
		let done = Datanets::conclude_review(signed(wallet()), id, wren).unwrap();
		assert_eq!(
			done.actual_weight,
			Some(<() as WeightInfo>::conclude_review(3))
		);
	});
}
