use crate::{
	mock::{Datanets, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

#[test]
fn accept_should_put_the_contribution_into_the_next_snapshot() {
	build_and_execute(|| {
		let id = datanet(Curation::Owner);
		let (first, second) = (
			contribute(bob(), id, b"a wren"),
			contribute(bob(), id, b"an owl"),
		);
		assert_ok!(Datanets::accept(signed(alice()), id, first));
		assert_last_event(Event::Accepted {
			datanet: id,
			contribution: first,
			contributor: bob(),
		});
		assert_eq!(
			state(id, first),
			Some(ContributionState::Accepted { since: 1 })
		);
		snapshot(id);
		assert_ok!(Datanets::accept(signed(alice()), id, second));
		assert_eq!(
			state(id, second),
			Some(ContributionState::Accepted { since: 2 })
		);
		assert_eq!(Datanets::datanet(id).unwrap().accepted, 2);
	});
}

#[test]
fn accept_should_be_the_owners_alone() {
	build_and_execute(|| {
		let id = datanet(Curation::Owner);
		let contribution = contribute(bob(), id, b"a wren");
		assert_noop!(
			Datanets::accept(signed(bob()), id, contribution),
			Error::<Test>::NotOwner
		);
	});
}

#[test]
fn accept_should_start_the_time_until_the_bond_is_free() {
	build_and_execute(|| {
		let id = datanet(Curation::Owner);
		let contribution = contribute(bob(), id, b"a wren");
		assert_eq!(Datanets::bond(id, contribution).unwrap().free_at, None);
		pass(41);
		assert_ok!(Datanets::accept(signed(alice()), id, contribution));
		let free_at = Datanets::bond(id, contribution).unwrap().free_at;
		assert_eq!(free_at, Some(42 + BOND_PERIOD));
	});
}

#[test]
fn accept_should_be_refused_to_an_owner_who_left_it_to_reviewers() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let contribution = contribute(bob(), id, b"a wren");
		assert_noop!(
			Datanets::accept(signed(alice()), id, contribution),
			Error::<Test>::ReviewersDecide
		);
	});
}

#[test]
fn accept_should_refuse_what_is_not_there() {
	build_and_execute(|| {
		assert_noop!(
			Datanets::accept(signed(alice()), 0, 0),
			Error::<Test>::UnknownDatanet
		);
		let id = datanet(Curation::Owner);
		assert_noop!(
			Datanets::accept(signed(alice()), id, 0),
			Error::<Test>::UnknownContribution
		);
	});
}

#[test]
fn accept_should_refuse_what_is_accepted_or_withdrawn() {
	build_and_execute(|| {
		let id = datanet(Curation::Owner);
		let contribution = contribute(bob(), id, b"a wren");
		assert_ok!(Datanets::accept(signed(alice()), id, contribution));
		let again = || Datanets::accept(signed(alice()), id, contribution);
		assert_noop!(again(), Error::<Test>::NotPending);
		snapshot(id);
		assert_ok!(Datanets::withdraw(signed(bob()), id, contribution));
		assert_noop!(again(), Error::<Test>::NotPending);
	});
}
