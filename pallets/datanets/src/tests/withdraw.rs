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
fn withdraw_should_keep_the_bond_as_long_as_it_would_have_been() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let wren = contribute(bob(), id, b"a wren");
		let bond = Datanets::bond(id, wren);
		snapshot(id);
		assert_ok!(Datanets::withdraw(signed(bob()), id, wren));
		assert_eq!(Datanets::bond(id, wren), bond);
		pass(BOND_PERIOD);
		assert_ok!(Datanets::release_bond(signed(bob()), id, wren));
		assert_eq!(held_for(HoldReason::Bond, bob()), 0);
	});
}

#[test]
fn withdraw_should_cancel_the_review_and_pay_those_who_have_committed() {
	build_and_execute(|| {
		let id = reviewed([10_000, 20_000, 30_000]);
		let wren = contribute(bob(), id, b"a wren");
		let [first, second, third] = reviewers();
		assert_ok!(commit(id, wren, first.clone(), Vote::Accept));
		assert_ok!(commit(id, wren, second.clone(), Vote::Reject));
		assert_ok!(Datanets::leave_panel(signed(second.clone()), id));
		assert_ok!(Datanets::withdraw(signed(bob()), id, wren));
		System::assert_has_event(
			Event::<Test>::ReviewCancelled {
				datanet: id,
				contribution: wren,
			}
			.into(),
		);
		assert_eq!(Datanets::review(id, wren), None);
		assert_eq!(state(id, wren), None);
		assert_eq!(wealth(bob()), ENDOWMENT - 100);
		assert_eq!(wealth(first.clone()), ENDOWMENT + 33, "nobody is slashed");
		assert_eq!(wealth(second.clone()), ENDOWMENT + 67);
		assert_eq!(wealth(third), ENDOWMENT);
		assert_eq!(held_for(HoldReason::Stake, second), 0, "it waited to leave");
		assert_eq!(held_for(HoldReason::Stake, first), 10_000);
	});
}

#[test]
fn withdraw_should_cost_nothing_before_anybody_has_voted() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let wren = contribute(bob(), id, b"a wren");
		assert_ok!(Datanets::withdraw(signed(bob()), id, wren));
		assert_eq!(Balances::free_balance(bob()), ENDOWMENT);
	});
}

#[test]
fn withdraw_should_give_up_an_appeal() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let wren = contribute(bob(), id, b"a wren");
		decide(id, wren, &[Vote::Reject; 3]);
		assert_ok!(Datanets::appeal(signed(bob()), id, wren));
		assert_ok!(Datanets::withdraw(signed(bob()), id, wren));
		assert_eq!(wealth(treasury()), ENDOWMENT + APPEAL_DEPOSIT);
		assert_eq!(Balances::free_balance(bob()), wealth(bob()));
		assert_eq!(wealth(bob()), ENDOWMENT - 100 - APPEAL_DEPOSIT);
	});
}

#[test]
fn withdraw_should_refuse_what_is_excluded_as_a_duplicate() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let (ours, theirs) = (["a wren", "an owl"], ["a wren", "a rook"]);
		let first = give(bob(), id, &ours);
		let second = give(carol(), id, &theirs);
		snapshot(id);
		let (original, copy) = (prove(first, &ours, 0), prove(second, &theirs, 0));
		assert_ok!(Datanets::claim_duplicate(signed(bob()), id, original, copy));
		assert_noop!(
			Datanets::withdraw(signed(carol()), id, second),
			Error::<Test>::AlreadyExcluded
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
