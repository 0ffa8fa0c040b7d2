use crate::{
	mock::{Datanets, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

#[test]
fn join_panel_should_hold_the_stake() {
	build_and_execute(|| {
		let id = datanet(Curation::Reviewers);
		join(id, carol(), 12_000);
		assert_last_event(Event::PanelJoined {
			datanet: id,
			reviewer: carol(),
			stake: 12_000,
		});
		assert_eq!(held_for(HoldReason::Stake, carol()), 12_000);
		let panel = Datanets::panel(id);
		assert_eq!(panel.len(), 1);
		assert_eq!(
			(panel[0].stake, panel[0].since, panel[0].seats),
			(12_000, 1, 0)
		);
	});
}

#[test]
fn join_panel_should_add_to_the_stake_and_begin_the_warm_up_anew() {
	build_and_execute(|| {
		let id = datanet(Curation::Reviewers);
		join(id, carol(), 12_000);
		pass(WARM_UP);
		join(id, carol(), 1);
		let panel = Datanets::panel(id);
		assert_eq!(panel.len(), 1);
		assert_eq!((panel[0].stake, panel[0].since), (12_001, 1 + WARM_UP));
		assert_eq!(held_for(HoldReason::Stake, carol()), 12_001);
	});
}

#[test]
fn join_panel_should_refuse_too_little_stake() {
	build_and_execute(|| {
		let id = datanet(Curation::Reviewers);
		let join = |stake| Datanets::join_panel(signed(carol()), id, stake);
		assert_noop!(join(9_999), Error::<Test>::StakeTooLow);
		assert_ok!(join(10_000));
		assert_noop!(join(0), Error::<Test>::StakeTooLow);
	});
}

#[test]
fn join_panel_should_refuse_stake_that_is_not_there() {
	build_and_execute(|| {
		let id = datanet(Curation::Reviewers);
		for who in [pauper(), carol()] {
			assert_noop!(
				Datanets::join_panel(signed(who), id, ENDOWMENT + 1),
				TokenError::FundsUnavailable
			);
		}
	});
}

#[test]
fn join_panel_should_refuse_datanets_without_one() {
	build_and_execute(|| {
		for curation in [Curation::Open, Curation::Owner] {
			let id = datanet(curation);
			assert_noop!(
				Datanets::join_panel(signed(carol()), id, 10_000),
				Error::<Test>::NoPanel
			);
		}
		assert_noop!(
			Datanets::join_panel(signed(carol()), 9, 10_000),
			Error::<Test>::UnknownDatanet
		);
	});
}

#[test]
fn join_panel_should_displace_the_least_stake_of_a_full_panel() {
	build_and_execute(|| {
		let id = datanet(Curation::Reviewers);
		let [first, second, third] = reviewers();
		let stakes = [(first, 20_000), (second.clone(), 10_000), (third, 30_000)];
		for (who, stake) in stakes {
			join(id, who, stake);
		}
		join(id, alice(), 40_000);
		assert_noop!(
			Datanets::join_panel(signed(carol()), id, 10_000),
			Error::<Test>::PanelFull
		);
		join(id, carol(), 10_001);
		System::assert_has_event(
			Event::<Test>::PanelLeft {
				datanet: id,
				reviewer: second.clone(),
				stake: 10_000,
				displaced_by: Some(carol()),
			}
			.into(),
		);
		assert_eq!(Balances::free_balance(second), ENDOWMENT);
		assert_eq!(Datanets::panel(id).len() as u32, PANEL);
	});
}

#[test]
fn join_panel_should_not_displace_who_has_a_seat() {
	build_and_execute(|| {
		let id = reviewed([10_000, 20_000, 20_000]);
		contribute(bob(), id, b"a wren");
		join(id, alice(), 40_000);
		assert_noop!(
			Datanets::join_panel(signed(carol()), id, 30_000),
			Error::<Test>::PanelFull
		);
		join(id, carol(), 50_000);
		let panel = Datanets::panel(id);
		let stays = |who: &AccountId| panel.iter().any(|reviewer| reviewer.account == *who);
		assert!(reviewers().iter().all(stays));
		assert!(!stays(&alice()));
	});
}

#[test]
fn join_panel_should_be_refused_to_who_is_leaving() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let wren = contribute(bob(), id, b"a wren");
		let [first, ..] = reviewers();
		assert_ok!(commit(id, wren, first.clone(), Vote::Accept));
		assert_ok!(Datanets::leave_panel(signed(first.clone()), id));
		assert_noop!(
			Datanets::join_panel(signed(first), id, 10_000),
			Error::<Test>::AlreadyLeaving
		);
	});
}
