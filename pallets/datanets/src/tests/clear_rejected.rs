use crate::{
	mock::{Datanets, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

fn clear(datanet: DatanetId, contribution: ContributionId) -> DispatchResult {
	Datanets::clear_rejected(signed(wallet()), datanet, contribution)
}

#[test]
fn clear_rejected_should_leave_nothing_when_nobody_appealed() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let wren = contribute(bob(), id, b"a wren");
		decide(id, wren, &[Vote::Reject; 3]);
		assert_noop!(clear(id, wren), Error::<Test>::AppealPeriodRunning);
		pass(AppealPeriod::get());
		assert_ok!(clear(id, wren));
		assert_last_event(Event::Rejected {
			datanet: id,
			contribution: wren,
			contributor: bob(),
		});
		assert_eq!(state(id, wren), None);
		assert_eq!(Datanets::bond(id, wren), None);
		assert_eq!(Balances::free_balance(bob()), ENDOWMENT - 100);
		contribute(carol(), id, b"a wren");
	});
}

#[test]
fn clear_rejected_should_wait_for_an_appeal() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let wren = contribute(bob(), id, b"a wren");
		decide(id, wren, &[Vote::Reject; 3]);
		assert_ok!(Datanets::appeal(signed(bob()), id, wren));
		pass(AppealPeriod::get());
		assert_noop!(clear(id, wren), Error::<Test>::UnderReview);
	});
}

#[test]
fn clear_rejected_should_refuse_what_is_not_rejected_or_not_there() {
	build_and_execute(|| {
		assert_noop!(clear(0, 0), Error::<Test>::UnknownDatanet);
		let id = reviewed([10_000; 3]);
		assert_noop!(clear(id, 0), Error::<Test>::UnknownContribution);
		let wren = contribute(bob(), id, b"a wren");
		assert_noop!(clear(id, wren), Error::<Test>::NotRejected);
	});
}
