//! The invariants must notice what they are for.

use crate::{
	mock::{Datanets, *},
	*,
};
use frame::testing_prelude::{assert_err, assert_ok, hypothetically};

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
		crate::Datanets::<Test>::mutate(id, |pool| pool.as_mut().unwrap().kept = 2)
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
