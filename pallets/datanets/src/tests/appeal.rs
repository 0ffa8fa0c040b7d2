use crate::{
	mock::{Datanets, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

use Vote::{Accept, Reject};

/// What the third reviewer loses by not voting on what is [`rejected`].
const ABSENT: Balance = 400;
/// What it loses by not voting on the appeal either.
const ABSENT_AGAIN: Balance = 396;

/// A contribution of Bob's that reviewers with 10,000, 20,000 and 40,000 rejected.
fn rejected() -> (DatanetId, ContributionId) {
	let id = reviewed([10_000, 20_000, 40_000]);
	let wren = contribute(bob(), id, b"a wren");
	decide(id, wren, &[Reject, Reject]);
	assert!(matches!(
		state(id, wren),
		Some(ContributionState::Rejected { .. })
	));
	(id, wren)
}

fn appeal(datanet: DatanetId, contribution: ContributionId) -> DispatchResult {
	Datanets::appeal(signed(bob()), datanet, contribution)
}

#[test]
fn appeal_should_open_a_second_review_and_hold_deposit_and_fee() {
	build_and_execute(|| {
		let (id, wren) = rejected();
		assert_ok!(appeal(id, wren));
		assert_last_event(Event::Appealed {
			datanet: id,
			contribution: wren,
			contributor: bob(),
			deposit: APPEAL_DEPOSIT,
		});
		assert_eq!(held_for(HoldReason::Appeal, bob()), APPEAL_DEPOSIT);
		assert_eq!(held_for(HoldReason::Bond, bob()), 5_000 + 100);
		let review = Datanets::review(id, wren).unwrap();
		assert!(review.appeal);
		assert_eq!(review.seats.len(), 3);
	});
}

#[test]
fn appeal_should_return_the_deposit_when_it_wins() {
	build_and_execute(|| {
		let (id, wren) = rejected();
		assert_ok!(appeal(id, wren));
		decide(id, wren, &[Reject, Reject, Accept]);
		assert_eq!(
			state(id, wren),
			Some(ContributionState::Accepted { since: 1 })
		);
		assert_eq!(held_for(HoldReason::Appeal, bob()), 0);
		assert_eq!(wealth(bob()), ENDOWMENT - 200, "two reviews were paid");
		assert_eq!(wealth(treasury()), ENDOWMENT + ABSENT);
	});
}

#[test]
fn appeal_should_forfeit_the_deposit_when_it_loses() {
	build_and_execute(|| {
		let (id, wren) = rejected();
		assert_ok!(appeal(id, wren));
		decide(id, wren, &[Reject, Accept, Reject]);
		System::assert_has_event(
			Event::<Test>::AppealLost {
				datanet: id,
				contribution: wren,
				contributor: bob(),
				deposit: APPEAL_DEPOSIT,
			}
			.into(),
		);
		assert_last_event(Event::Rejected {
			datanet: id,
			contribution: wren,
			contributor: bob(),
		});
		assert_eq!(state(id, wren), None);
		assert_eq!(wealth(treasury()), ENDOWMENT + APPEAL_DEPOSIT + ABSENT);
		assert_eq!(Balances::free_balance(bob()), wealth(bob()));
	});
}

#[test]
fn appeal_should_need_more_of_the_panel_than_the_first_review() {
	build_and_execute(|| {
		let (id, wren) = rejected();
		assert_ok!(appeal(id, wren));
		// Enough for a first review, not for this one.
		decide(id, wren, &[Accept, Accept]);
		assert_eq!(state(id, wren), None, "the rejection stands");
		assert_eq!(
			wealth(treasury()),
			ENDOWMENT + ABSENT + ABSENT_AGAIN,
			"but the contributor is not to blame"
		);
		assert_eq!(wealth(bob()), ENDOWMENT - 100);
	});
}

#[test]
fn appeal_should_be_refused_when_it_is_too_late() {
	build_and_execute(|| {
		let (id, wren) = rejected();
		pass(AppealPeriod::get());
		assert_noop!(appeal(id, wren), Error::<Test>::AppealPeriodOver);
	});
}

#[test]
fn appeal_should_be_possible_once_at_a_time() {
	build_and_execute(|| {
		let (id, wren) = rejected();
		assert_ok!(appeal(id, wren));
		assert_noop!(appeal(id, wren), Error::<Test>::UnderReview);
	});
}

#[test]
fn appeal_should_be_the_contributors_alone() {
	build_and_execute(|| {
		let (id, wren) = rejected();
		assert_noop!(
			Datanets::appeal(signed(mallory()), id, wren),
			Error::<Test>::NotContributor
		);
	});
}

#[test]
fn appeal_should_refuse_what_is_not_rejected() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		assert_noop!(appeal(id, 0), Error::<Test>::UnknownContribution);
		let wren = contribute(bob(), id, b"a wren");
		assert_noop!(appeal(id, wren), Error::<Test>::NotRejected);
	});
}

#[test]
fn appeal_should_be_refused_without_anybody_to_decide() {
	build_and_execute(|| {
		let (id, wren) = rejected();
		for who in reviewers() {
			assert_ok!(Datanets::leave_panel(signed(who), id));
		}
		assert_noop!(appeal(id, wren), Error::<Test>::NoReviewers);
	});
}
