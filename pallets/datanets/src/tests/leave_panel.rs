use crate::{
	mock::{Datanets, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

#[test]
fn leave_panel_should_return_the_stake_at_once_without_a_seat() {
	build_and_execute(|| {
		let id = reviewed([10_000, 20_000, 30_000]);
		let [_, second, _] = reviewers();
		assert_ok!(Datanets::leave_panel(signed(second.clone()), id));
		assert_last_event(Event::PanelLeft {
			datanet: id,
			reviewer: second.clone(),
			stake: 20_000,
			displaced_by: None,
		});
		assert_eq!(Balances::free_balance(second), ENDOWMENT);
		assert_eq!(Datanets::panel(id).len(), 2);
	});
}

#[test]
fn leave_panel_should_wait_for_every_seat() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let (wren, owl) = (
			contribute(bob(), id, b"a wren"),
			contribute(bob(), id, b"an owl"),
		);
		let [first, ..] = reviewers();
		assert_ok!(commit(id, wren, first.clone(), Vote::Accept));
		assert_ok!(Datanets::leave_panel(signed(first.clone()), id));
		assert_last_event(Event::PanelLeaving {
			datanet: id,
			reviewer: first.clone(),
		});
		assert_noop!(
			Datanets::leave_panel(signed(first.clone()), id),
			Error::<Test>::AlreadyLeaving
		);
		// A seat stays a duty.
		assert_ok!(commit(id, owl, first.clone(), Vote::Accept));
		pass(COMMIT);
		assert_ok!(reveal(id, wren, first.clone(), Vote::Accept));
		assert_ok!(reveal(id, owl, first.clone(), Vote::Accept));
		assert_ok!(conclude(id, wren));
		assert_eq!(held_for(HoldReason::Stake, first.clone()), 10_000);
		assert_ok!(conclude(id, owl));
		assert_eq!(held_for(HoldReason::Stake, first), 0);
		assert_eq!(Datanets::panel(id).len(), 2);
	});
}

#[test]
fn leave_panel_should_wait_for_the_warm_up() {
	build_and_execute(|| {
		let id = datanet(Curation::Reviewers);
		join(id, carol(), 10_000);
		let leave = || Datanets::leave_panel(signed(carol()), id);
		pass(WARM_UP - 1);
		assert_noop!(leave(), Error::<Test>::WarmingUp);
		pass(1);
		assert_ok!(leave());
	});
}

#[test]
fn leave_panel_should_refuse_who_is_not_on_it() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		assert_noop!(
			Datanets::leave_panel(signed(carol()), id),
			Error::<Test>::NotReviewer
		);
		assert_noop!(
			Datanets::leave_panel(signed(carol()), id + 1),
			Error::<Test>::NotReviewer
		);
	});
}

#[test]
fn leave_panel_should_leave_nothing_of_an_empty_one() {
	build_and_execute(|| {
		let id = datanet(Curation::Reviewers);
		join(id, carol(), 10_000);
		pass(WARM_UP);
		assert_ok!(Datanets::leave_panel(signed(carol()), id));
		assert!(!Panels::<Test>::contains_key(id));
	});
}
