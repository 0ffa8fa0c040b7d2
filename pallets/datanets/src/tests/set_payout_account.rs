use crate::{
	mock::{Datanets, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

#[test]
fn set_payout_account_should_change_who_earns_for_every_snapshot() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let wren = contribute(bob(), id, b"a wren");
		snapshot(id);
		assert_eq!(Datanets::payout_account(id, 1, wren), Some(wallet()));
		assert_ok!(Datanets::set_payout_account(
			signed(bob()),
			id,
			wren,
			carol()
		));
		assert_last_event(Event::PayoutAccountSet {
			datanet: id,
			contribution: wren,
			contributor: bob(),
			payout: carol(),
		});
		assert_eq!(Datanets::payout_account(id, 1, wren), Some(carol()));
	});
}

#[test]
fn set_payout_account_should_work_after_a_withdrawal_too() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let wren = contribute(bob(), id, b"a wren");
		snapshot(id);
		assert_ok!(Datanets::withdraw(signed(bob()), id, wren));
		assert_ok!(Datanets::set_payout_account(signed(bob()), id, wren, bob()));
		assert_eq!(Datanets::payout_account(id, 1, wren), Some(bob()));
	});
}

#[test]
fn set_payout_account_should_be_the_contributors_alone() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let wren = contribute(bob(), id, b"a wren");
		for other in [alice(), wallet(), mallory()] {
			assert_noop!(
				Datanets::set_payout_account(signed(other.clone()), id, wren, other),
				Error::<Test>::NotContributor
			);
		}
	});
}

#[test]
fn set_payout_account_should_refuse_what_is_not_there() {
	build_and_execute(|| {
		assert_noop!(
			Datanets::set_payout_account(signed(bob()), 0, 0, bob()),
			Error::<Test>::UnknownContribution
		);
	});
}
