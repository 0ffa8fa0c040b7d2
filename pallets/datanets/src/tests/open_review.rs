use crate::{
	mock::{Datanets, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

fn open(datanet: DatanetId, contribution: ContributionId) -> DispatchResult {
	Datanets::open_review(signed(wallet()), datanet, contribution)
}

#[test]
fn open_review_should_seat_who_came_later() {
	build_and_execute(|| {
		let id = datanet(Curation::Reviewers);
		let wren = contribute(bob(), id, b"a wren");
		assert_noop!(open(id, wren), Error::<Test>::NoReviewers);
		join(id, carol(), 10_000);
		assert_noop!(open(id, wren), Error::<Test>::NoReviewers);
		pass(WARM_UP);
		assert_ok!(open(id, wren));
		let now = System::block_number();
		assert_last_event(Event::ReviewOpened {
			datanet: id,
			contribution: wren,
			appeal: false,
			seats: 1,
			commit_until: now + COMMIT,
			reveal_until: now + COMMIT + REVEAL,
		});
	});
}

#[test]
fn open_review_should_give_no_seat_to_stake_below_the_least_or_who_leaves() {
	build_and_execute(|| {
		let id = reviewed([10_000, 20_000, 30_000]);
		let wren = contribute(bob(), id, b"a wren");
		let [_, _, third] = reviewers();
		assert_ok!(commit(id, wren, third.clone(), Vote::Accept));
		assert_ok!(Datanets::leave_panel(signed(third), id));
		MinReviewerStake::set(15_000);
		let owl = contribute(bob(), id, b"an owl");
		let review = Datanets::review(id, owl).unwrap();
		let seats: Vec<_> = review.seats.iter().map(|seat| seat.weight).collect();
		assert_eq!(seats, [20_000]);
	});
}

#[test]
fn open_review_should_refuse_a_second_one_at_a_time() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let wren = contribute(bob(), id, b"a wren");
		assert_noop!(open(id, wren), Error::<Test>::UnderReview);
	});
}

#[test]
fn open_review_should_try_again_when_too_few_voted() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let wren = contribute(bob(), id, b"a wren");
		pass(COMMIT);
		assert_ok!(conclude(id, wren));
		assert_eq!(state(id, wren), Some(ContributionState::Pending));
		assert_ok!(open(id, wren));
		decide(id, wren, &[Vote::Accept; 3]);
		assert_eq!(
			state(id, wren),
			Some(ContributionState::Accepted { since: 1 })
		);
	});
}

#[test]
fn open_review_should_refuse_what_is_decided_or_not_there() {
	build_and_execute(|| {
		assert_noop!(open(0, 0), Error::<Test>::UnknownDatanet);
		let owners = datanet(Curation::Owner);
		contribute(bob(), owners, b"a wren");
		assert_noop!(open(owners, 0), Error::<Test>::NoPanel);
		let id = reviewed([10_000; 3]);
		assert_noop!(open(id, 0), Error::<Test>::UnknownContribution);
		let (wren, owl) = (
			contribute(bob(), id, b"a wren"),
			contribute(bob(), id, b"an owl"),
		);
		decide(id, wren, &[Vote::Accept; 3]);
		assert_noop!(open(id, wren), Error::<Test>::NotPending);
		assert_ok!(conclude(id, owl));
		assert_ok!(open(id, owl));
		decide(id, owl, &[Vote::Reject; 3]);
		assert_noop!(open(id, owl), Error::<Test>::NotPending);
	});
}
