use crate::{
	mock::{Datanets, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

#[test]
fn withdraw_should_remove_what_is_pending_and_return_the_deposit() {
	build_and_execute(|| {
		let id = datanet(Curation::Owner);
		let wren = contribute(bob(), id, b"a wren");
		assert_ok!(Datanets::withdraw(signed(bob()), id, wren));
		assert_last_event(Event::Withdrawn {
			datanet: id,
			contribution: wren,
			contributor: bob(),
		});
		assert_eq!(Datanets::contribution(id, wren), None);
		assert_eq!(Balances::free_balance(bob()), ENDOWMENT);
		contribute(carol(), id, b"a wren");
	});
}

#[test]
fn withdraw_should_remove_what_is_accepted_but_in_no_snapshot() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let wren = contribute(bob(), id, b"a wren");
		assert_ok!(Datanets::withdraw(signed(bob()), id, wren));
		assert_eq!(Datanets::contribution(id, wren), None);
		assert_eq!(Balances::free_balance(bob()), ENDOWMENT);
		let pool = Datanets::datanet(id).unwrap();
		assert_eq!((pool.kept, pool.accepted), (0, 0));
	});
}

#[test]
fn withdraw_should_keep_what_a_snapshot_contains_on_record() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let wren = contribute(bob(), id, b"a wren");
		snapshot(id);
		let deposit = held(bob());
		assert_ok!(Datanets::withdraw(signed(bob()), id, wren));
		assert_eq!(
			state(id, wren),
			Some(ContributionState::Withdrawn { since: 1, until: 2 })
		);
		assert_eq!(held(bob()), deposit);
		assert_eq!(Datanets::payout_account(id, 1, wren), Some(wallet()));
		let pool = Datanets::datanet(id).unwrap();
		assert_eq!((pool.kept, pool.accepted), (1, 0));
		assert_noop!(
			Datanets::contribute(signed(carol()), id, records(b"a wren"), uri("a"), carol()),
			Error::<Test>::DuplicateContribution
		);
	});
}

#[test]
fn withdraw_should_be_the_contributors_alone() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let wren = contribute(bob(), id, b"a wren");
		for other in [alice(), carol(), wallet()] {
			assert_noop!(
				Datanets::withdraw(signed(other), id, wren),
				Error::<Test>::NotContributor
			);
		}
	});
}

#[test]
fn withdraw_should_refuse_a_second_time() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let wren = contribute(bob(), id, b"a wren");
		snapshot(id);
		assert_ok!(Datanets::withdraw(signed(bob()), id, wren));
		assert_noop!(
			Datanets::withdraw(signed(bob()), id, wren),
			Error::<Test>::AlreadyWithdrawn
		);
	});
}

#[test]
fn withdraw_should_refuse_what_is_not_there() {
	build_and_execute(|| {
		assert_noop!(
			Datanets::withdraw(signed(bob()), 0, 0),
			Error::<Test>::UnknownDatanet
		);
		let id = datanet(Curation::Open);
		assert_noop!(
			Datanets::withdraw(signed(bob()), id, 0),
			Error::<Test>::UnknownContribution
		);
	});
}
