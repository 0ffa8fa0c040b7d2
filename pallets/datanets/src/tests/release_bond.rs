use crate::{
	mock::{Datanets, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

#[test]
fn release_bond_should_return_it_some_time_after_acceptance() {
	build_and_execute(|| {
		let id = datanet(Curation::Owner);
		let wren = contribute(bob(), id, b"a wren");
		let release = || Datanets::release_bond(signed(bob()), id, wren);
		pass(10 * BOND_PERIOD);
		assert_noop!(release(), Error::<Test>::BondLocked);
		assert_ok!(Datanets::accept(signed(alice()), id, wren));
		pass(BOND_PERIOD - 1);
		assert_noop!(release(), Error::<Test>::BondLocked);
		pass(1);
		assert_ok!(release());
		assert_last_event(Event::BondReleased {
			datanet: id,
			contribution: wren,
			contributor: bob(),
			amount: 5_000,
		});
		assert_eq!(held_for(HoldReason::Bond, bob()), 0);
		assert!(held(bob()) > 0, "the storage is still used");
		assert_noop!(release(), Error::<Test>::NoBond);
	});
}

#[test]
fn release_bond_should_be_the_contributors_alone() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let wren = contribute(bob(), id, b"a wren");
		pass(BOND_PERIOD);
		assert_noop!(
			Datanets::release_bond(signed(mallory()), id, wren),
			Error::<Test>::NotContributor
		);
		assert_noop!(
			Datanets::release_bond(signed(bob()), id, 7),
			Error::<Test>::UnknownContribution
		);
	});
}

#[test]
fn release_bond_should_not_know_contributions_from_before_there_were_bonds() {
	build_and_execute(|| {
		ContributionBond::set(0);
		OpenBondPerKib::set(0);
		let id = datanet(Curation::Open);
		let wren = contribute(bob(), id, b"a wren");
		Bonds::<Test>::remove(id, wren);
		assert_noop!(
			Datanets::release_bond(signed(bob()), id, wren),
			Error::<Test>::NoBond
		);
		assert_ok!(Datanets::withdraw(signed(bob()), id, wren));
		assert_eq!(Balances::free_balance(bob()), ENDOWMENT);
	});
}
