use crate::{
	mock::{Datanets, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

#[test]
fn commit_vote_should_seal_the_ballot() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let wren = contribute(bob(), id, b"a wren");
		let [first, ..] = reviewers();
		assert_ok!(commit(id, wren, first.clone(), Vote::Accept));
		let commitment = vote_commitment(id, wren, &first, Vote::Accept, &salt(&first));
		assert_last_event(Event::VoteCommitted {
			datanet: id,
			contribution: wren,
			reviewer: first,
			commitment,
		});
		let review = Datanets::review(id, wren).unwrap();
		assert_eq!(review.seats[0].ballot, Ballot::Sealed(commitment));
		assert_eq!(Datanets::panel(id)[0].seats, 1);
	});
}

#[test]
fn vote_commitment_should_be_the_hash_that_other_languages_can_compute() {
	let mut bytes = b"openledger/review-vote/1".to_vec();
	bytes.extend(7u32.to_le_bytes());
	bytes.extend(9u32.to_le_bytes());
	bytes.extend([3; 32]);
	bytes.push(1);
	bytes.extend([5; 32]);
	assert_eq!(
		vote_commitment(7, 9, &carol(), Vote::Accept, &Hash::repeat_byte(5)),
		openledger_primitives::content_hash(&bytes)
	);
}

#[test]
fn commit_vote_should_be_possible_once() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let wren = contribute(bob(), id, b"a wren");
		let [first, ..] = reviewers();
		assert_ok!(commit(id, wren, first.clone(), Vote::Accept));
		assert_noop!(
			commit(id, wren, first, Vote::Reject),
			Error::<Test>::AlreadyCommitted
		);
	});
}

#[test]
fn commit_vote_should_be_refused_when_the_time_is_over() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let wren = contribute(bob(), id, b"a wren");
		let [first, second, _] = reviewers();
		pass(COMMIT - 1);
		assert_ok!(commit(id, wren, first, Vote::Accept));
		pass(1);
		assert_noop!(
			commit(id, wren, second, Vote::Accept),
			Error::<Test>::CommitPhaseOver
		);
	});
}

#[test]
fn commit_vote_should_need_a_seat_taken_when_the_review_opened() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let wren = contribute(bob(), id, b"a wren");
		join(id, carol(), 50_000);
		pass(WARM_UP);
		assert_noop!(
			commit(id, wren, carol(), Vote::Accept),
			Error::<Test>::NotSeated
		);
	});
}

#[test]
fn commit_vote_should_be_possible_for_who_is_leaving() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let wren = contribute(bob(), id, b"a wren");
		let [first, ..] = reviewers();
		assert_ok!(Datanets::leave_panel(signed(first.clone()), id));
		assert_ok!(commit(id, wren, first, Vote::Accept));
	});
}

#[test]
fn commit_vote_should_weigh_no_more_than_what_is_still_at_stake() {
	build_and_execute(|| {
		let id = reviewed([90_000, 10_000, 10_000]);
		let wren = contribute(bob(), id, b"a wren");
		let [first, ..] = reviewers();
		assert_ok!(commit(id, wren, first.clone(), Vote::Accept));
		pass(COMMIT + REVEAL - 1);
		let owl = contribute(bob(), id, b"an owl");
		pass(1);
		// Its silence costs it a twentieth.
		assert_ok!(conclude(id, wren));
		assert_ok!(commit(id, owl, first.clone(), Vote::Accept));
		let review = Datanets::review(id, owl).unwrap();
		let seat = review.seats.iter().find(|seat| seat.reviewer == first);
		assert_eq!(seat.unwrap().weight, 85_500);
	});
}

#[test]
fn commit_vote_should_refuse_without_a_review() {
	build_and_execute(|| {
		let id = datanet(Curation::Reviewers);
		assert_noop!(
			commit(id, 0, carol(), Vote::Accept),
			Error::<Test>::UnknownContribution
		);
		let wren = contribute(bob(), id, b"a wren");
		assert_noop!(
			commit(id, wren, carol(), Vote::Accept),
			Error::<Test>::NoReview
		);
	});
}
