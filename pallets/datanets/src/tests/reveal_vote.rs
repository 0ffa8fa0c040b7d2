use crate::{
	mock::{Datanets, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

#[test]
fn reveal_vote_should_open_the_ballot() {
	build_and_execute(|| {
		let id = reviewed([10_000, 20_000, 30_000]);
		let wren = contribute(bob(), id, b"a wren");
		let [_, second, _] = reviewers();
		assert_ok!(commit(id, wren, second.clone(), Vote::Reject));
		pass(COMMIT);
		assert_ok!(reveal(id, wren, second.clone(), Vote::Reject));
		assert_last_event(Event::VoteRevealed {
			datanet: id,
			contribution: wren,
			reviewer: second.clone(),
			vote: Vote::Reject,
			weight: 20_000,
		});
		assert_noop!(
			reveal(id, wren, second, Vote::Reject),
			Error::<Test>::AlreadyRevealed
		);
	});
}

#[test]
fn reveal_vote_should_wait_until_nobody_can_commit_any_more() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let wren = contribute(bob(), id, b"a wren");
		let [first, second, third] = reviewers();
		assert_ok!(commit(id, wren, first.clone(), Vote::Accept));
		assert_ok!(commit(id, wren, second, Vote::Accept));
		pass(COMMIT - 1);
		assert_noop!(
			reveal(id, wren, first.clone(), Vote::Accept),
			Error::<Test>::RevealTooEarly
		);
		assert_ok!(commit(id, wren, third, Vote::Accept));
		assert_ok!(reveal(id, wren, first, Vote::Accept));
	});
}

#[test]
fn reveal_vote_should_be_refused_when_the_time_is_over() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let wren = contribute(bob(), id, b"a wren");
		let [first, second, _] = reviewers();
		for who in [first.clone(), second.clone()] {
			assert_ok!(commit(id, wren, who, Vote::Accept));
		}
		pass(COMMIT + REVEAL - 1);
		assert_ok!(reveal(id, wren, first, Vote::Accept));
		pass(1);
		assert_noop!(
			reveal(id, wren, second, Vote::Accept),
			Error::<Test>::RevealPhaseOver
		);
	});
}

#[test]
fn reveal_vote_should_refuse_another_vote_or_salt() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let wren = contribute(bob(), id, b"a wren");
		let [first, ..] = reviewers();
		assert_ok!(commit(id, wren, first.clone(), Vote::Accept));
		pass(COMMIT);
		assert_noop!(
			reveal(id, wren, first.clone(), Vote::Reject),
			Error::<Test>::WrongReveal
		);
		assert_noop!(
			Datanets::reveal_vote(signed(first), id, wren, Vote::Accept, Hash::zero()),
			Error::<Test>::WrongReveal
		);
	});
}

#[test]
fn reveal_vote_should_refuse_who_has_not_committed_or_has_no_seat() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		assert_noop!(
			reveal(id, 0, carol(), Vote::Accept),
			Error::<Test>::NoReview
		);
		let wren = contribute(bob(), id, b"a wren");
		let [first, second, _] = reviewers();
		assert_ok!(commit(id, wren, second, Vote::Accept));
		pass(COMMIT);
		assert_noop!(
			reveal(id, wren, first, Vote::Accept),
			Error::<Test>::NotCommitted
		);
		assert_noop!(
			reveal(id, wren, carol(), Vote::Accept),
			Error::<Test>::NotSeated
		);
	});
}
