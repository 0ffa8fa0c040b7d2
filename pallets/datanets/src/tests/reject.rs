use crate::{
	mock::{Datanets, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

#[test]
fn reject_should_leave_nothing_and_return_the_deposit() {
	build_and_execute(|| {
		let id = datanet(Curation::Owner);
		let contribution = contribute(bob(), id, b"junk");
		assert!(held(bob()) > 0);
		assert_ok!(Datanets::reject(signed(alice()), id, contribution));
		assert_last_event(Event::Rejected {
			datanet: id,
			contribution,
			contributor: bob(),
		});
		assert_eq!(held(bob()), 0);
		assert_eq!(Balances::free_balance(bob()), ENDOWMENT);
		assert_eq!(Datanets::contribution(id, contribution), None);
		assert_eq!(Datanets::datanet(id).unwrap().kept, 0);
	});
}

#[test]
fn reject_should_free_the_root_for_its_true_author() {
	build_and_execute(|| {
		let id = datanet(Curation::Owner);
		let stolen = contribute(bob(), id, b"carol's notes");
		assert_ok!(Datanets::reject(signed(alice()), id, stolen));
		let given = contribute(carol(), id, b"carol's notes");
		assert_ne!(given, stolen);
		assert_ok!(Datanets::accept(signed(alice()), id, given));
	});
}

#[test]
fn reject_should_be_the_owners_alone() {
	build_and_execute(|| {
		let id = datanet(Curation::Owner);
		let contribution = contribute(bob(), id, b"a wren");
		assert_noop!(
			Datanets::reject(signed(carol()), id, contribution),
			Error::<Test>::NotOwner
		);
	});
}

#[test]
fn reject_should_be_refused_to_an_owner_who_left_it_to_reviewers() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let contribution = contribute(bob(), id, b"a wren");
		assert_noop!(
			Datanets::reject(signed(alice()), id, contribution),
			Error::<Test>::ReviewersDecide
		);
	});
}

#[test]
fn reject_should_refuse_what_is_accepted() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let contribution = contribute(bob(), id, b"a wren");
		assert_noop!(
			Datanets::reject(signed(alice()), id, contribution),
			Error::<Test>::NotPending
		);
	});
}

#[test]
fn reject_should_refuse_what_is_not_there() {
	build_and_execute(|| {
		assert_noop!(
			Datanets::reject(signed(alice()), 0, 0),
			Error::<Test>::UnknownDatanet
		);
		let id = datanet(Curation::Owner);
		assert_noop!(
			Datanets::reject(signed(alice()), id, 0),
			Error::<Test>::UnknownContribution
		);
	});
}
