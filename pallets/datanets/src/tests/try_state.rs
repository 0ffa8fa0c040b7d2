//! The invariants must notice what they are for.

use crate::{
	mock::{Datanets, *},
	*,
};
use frame::{
	testing_prelude::{assert_err, assert_ok, hypothetically},
	traits::fungible::hold::Mutate as _,
};

/// A Datanet with a snapshot of two contributions, one of which is withdrawn, and a pending third.
fn populate() -> DatanetId {
	let id = datanet(Curation::Owner);
	for content in [b"a wren", b"an owl", b"a rook"] {
		contribute(bob(), id, content);
	}
	assert_ok!(Datanets::accept(signed(alice()), id, 0));
	assert_ok!(Datanets::accept(signed(alice()), id, 1));
	snapshot(id);
	assert_ok!(Datanets::withdraw(signed(bob()), id, 1));
	id
}

/// `damage` to the populated chain must be noticed with `report`.
fn assert_noticed(report: &'static str, damage: impl FnOnce(DatanetId)) {
	build_and_execute(|| {
		let id = populate();
		assert_ok!(Datanets::do_try_state());
		hypothetically!({
			damage(id);
			assert_err!(Datanets::do_try_state(), DispatchError::Other(report));
		});
	});
}

#[test]
fn try_state_should_notice_ids_that_were_not_given() {
	assert_noticed("1: id of a Datanet", |_| NextDatanet::<Test>::put(0));
	assert_noticed("2: id of a contribution", |id| {
		crate::Datanets::<Test>::mutate(id, |pool| pool.as_mut().unwrap().contributions = 2)
	});
}

#[test]
fn try_state_should_notice_lost_deposits() {
	assert_noticed("1: deposit of a Datanet", DatanetDeposits::<Test>::remove);
	assert_noticed("2: a contribution without a deposit", |id| {
		ContributionDeposits::<Test>::remove(id, 2)
	});
}

#[test]
fn try_state_should_notice_wrong_counts() {
	assert_noticed("3: contributions kept", |id| {
		crate::Datanets::<Test>::mutate(id, |pool| pool.as_mut().unwrap().kept = 3)
	});
	assert_noticed("3: contributions with a place", |id| {
		Admitted::<Test>::remove(id, 1)
	});
	assert_noticed("3: contributions with a place", |id| {
		Admitted::<Test>::insert(id, 2, ())
	});
	assert_noticed("3: contributions accepted", |id| {
		crate::Datanets::<Test>::mutate(id, |pool| pool.as_mut().unwrap().accepted = 2)
	});
}

#[test]
fn try_state_should_notice_roots_that_lead_elsewhere() {
	assert_noticed("4: a contribution's root leads elsewhere", |id| {
		ContributionByRoot::<Test>::insert(id, records(b"a wren").root, 2)
	});
	assert_noticed("4: a root without a contribution", |id| {
		ContributionByRoot::<Test>::insert(id, records(b"a crow").root, 2)
	});
}

#[test]
fn try_state_should_notice_states_that_cannot_be() {
	let set = |state| {
		move |id| Contributions::<Test>::mutate(id, 2, |kept| kept.as_mut().unwrap().state = state)
	};
	assert_noticed(
		"6: accepted from a snapshot after the next",
		set(ContributionState::Accepted { since: 3 }),
	);
	assert_noticed(
		"6: withdrawn but in no snapshot",
		set(ContributionState::Withdrawn { since: 2, until: 2 }),
	);
	assert_noticed("5: pending in an open Datanet", |id| {
		crate::Datanets::<Test>::mutate(id, |pool| pool.as_mut().unwrap().curation = Curation::Open)
	});
}

#[test]
fn try_state_should_notice_missing_and_changed_snapshots() {
	assert_noticed("7: versions of the snapshots", |id| {
		Snapshots::<Test>::remove(id, 1)
	});
	assert_noticed("8: a snapshot's root", |id| {
		Contributions::<Test>::mutate(id, 0, |kept| {
			kept.as_mut().unwrap().records = Commitment {
				sum: 7,
				..records(b"a wren")
			}
		});
	});
}

/// A Datanet with a review in which the first reviewer has committed, a rejected contribution, and a
/// duplicate; populated apart because [`populate`] has a curating owner.
fn populate_reviewed() -> DatanetId {
	let id = reviewed([10_000, 20_000, 30_000]);
	let rejected = contribute(bob(), id, b"a wren");
	decide(id, rejected, &[Vote::Reject; 3]);
	for contents in [["an owl", "a rook"], ["an owl", "a crow"]] {
		let given = give(carol(), id, &contents);
		decide(id, given, &[Vote::Accept; 3]);
	}
	snapshot(id);
	let (original, duplicate) = (
		prove(1, &["an owl", "a rook"], 0),
		prove(2, &["an owl", "a crow"], 0),
	);
	assert_ok!(Datanets::claim_duplicate(
		signed(bob()),
		id,
		original,
		duplicate
	));
	let pending = contribute(bob(), id, b"a gull");
	let [first, ..] = reviewers();
	assert_ok!(commit(id, pending, first, Vote::Accept));
	id
}

/// `damage` to the chain with a review must be noticed with `report`.
fn assert_review_noticed(report: &'static str, damage: impl FnOnce(DatanetId)) {
	build_and_execute(|| {
		let id = populate_reviewed();
		assert_ok!(Datanets::do_try_state());
		hypothetically!({
			damage(id);
			assert_err!(Datanets::do_try_state(), DispatchError::Other(report));
		});
	});
}

#[test]
fn try_state_should_notice_duplicates_of_nothing_earlier() {
	assert_review_noticed(
		"6: duplicate but in no snapshot or of nothing earlier",
		|id| {
			Contributions::<Test>::mutate(id, 2, |kept| {
				kept.as_mut().unwrap().state = ContributionState::Duplicate {
					since: 1,
					until: 2,
					original: 2,
				}
			})
		},
	);
}

#[test]
fn try_state_should_notice_rejections_without_reviewers() {
	assert_noticed("5: rejected without reviewers", |id| {
		Contributions::<Test>::mutate(id, 2, |kept| {
			kept.as_mut().unwrap().state = ContributionState::Rejected { until: 7 }
		})
	});
}

#[test]
fn try_state_should_notice_wrong_bonds() {
	let bond = Bond {
		amount: 5_000,
		fee: 0,
		free_at: Some(7),
		registered: 0,
	};
	assert_review_noticed("9: a bond without a contribution", |id| {
		Bonds::<Test>::insert(id, 9, bond)
	});
	assert_review_noticed("9: a duplicate with a bond", |id| {
		Bonds::<Test>::insert(id, 2, bond)
	});
	assert_review_noticed("9: when a bond is free", |id| {
		Bonds::<Test>::insert(id, 3, bond)
	});
	assert_review_noticed("9: a fee without a review", |id| {
		Bonds::<Test>::insert(id, 1, Bond { fee: 1, ..bond })
	});
	assert_review_noticed("13: what is held", |id| {
		Bonds::<Test>::insert(
			id,
			1,
			Bond {
				amount: 5_001,
				..bond
			},
		)
	});
}

#[test]
fn try_state_should_notice_wrong_panels() {
	let mutate = |change: fn(&mut PanelOf<Test>)| move |id| Panels::<Test>::mutate(id, change);
	assert_review_noticed("10: a panel without a Datanet", |id| {
		Panels::<Test>::insert(id + 1, Panels::<Test>::get(id))
	});
	assert_review_noticed("10: a panel without a use", |id| {
		let owners = datanet(Curation::Owner);
		Panels::<Test>::insert(owners, Panels::<Test>::get(id))
	});
	assert_review_noticed(
		"10: a reviewer twice",
		mutate(|panel| panel.try_push(panel[2].clone()).unwrap()),
	);
	assert_review_noticed(
		"10: a reviewer without stake",
		mutate(|panel| panel[1].stake = 0),
	);
	assert_review_noticed(
		"10: a reviewer who should have left",
		mutate(|panel| {
			for reviewer in panel.iter_mut() {
				reviewer.leaving = true;
				reviewer.seats = 0;
			}
		}),
	);
	assert_review_noticed(
		"12: a reviewer's seats",
		mutate(|panel| {
			for reviewer in panel.iter_mut() {
				reviewer.seats += 1;
			}
		}),
	);
	assert_review_noticed("13: what is held", mutate(|panel| panel[1].stake += 1));
	assert_review_noticed("13: what is held", |_| {
		let reason = RuntimeHoldReason::Datanets(HoldReason::Stake);
		let [first, ..] = reviewers();
		assert_ok!(Balances::hold(&reason, &first, 1));
	});
}

/// A seat whose reviewer has not voted.
fn empty_seat(review: &mut Review<Test>) -> &mut Seat {
	let empty = |seat: &&mut Seat| seat.ballot == Ballot::Empty;
	review.seats.iter_mut().find(empty).unwrap()
}

#[test]
fn try_state_should_notice_wrong_reviews() {
	let mutate = |change: fn(&mut Review<Test>)| {
		move |id| Reviews::<Test>::mutate(id, 3, |review| change(review.as_mut().unwrap()))
	};
	assert_review_noticed(
		"11: a review of what is decided",
		mutate(|review| review.appeal = true),
	);
	assert_review_noticed(
		"11: a review of what is decided",
		mutate(|review| review.deposit = 1),
	);
	assert_review_noticed(
		"11: who has a seat",
		mutate(|review| empty_seat(review).reviewer = bob()),
	);
	assert_review_noticed(
		"12: a seat of somebody who left",
		mutate(|review| {
			let seat = empty_seat(review);
			seat.reviewer = alice();
			seat.ballot = Ballot::Open(Vote::Accept);
		}),
	);
	assert_review_noticed("11: a review without a contribution", |id| {
		let mut review = Reviews::<Test>::get(id, 3).unwrap();
		review.seats = Default::default();
		Reviews::<Test>::insert(id, 9, review)
	});
}
