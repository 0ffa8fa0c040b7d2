//! What a provider collects never outgrows what its bond covers.

use super::*;

fn collected() -> Balance {
	Balances::balance(&pot()) - ENDOWMENT
}

#[test]
fn redeem_should_skip_licence_money_that_the_bond_does_not_cover() {
	with_channel(|| {
		Room::set(&(2 * OPEN));
		let signed = sign("Alice", voucher(10 * OPEN, 2 * OPEN + 1));
		assert_skipped(signed, SkipReason::BondTooSmall);
		assert_eq!(
			skipped(sign("Alice", voucher(10 * OPEN, 2 * OPEN))),
			None,
			"to the last unit"
		);
		assert_eq!(collected(), 2 * OPEN);
	})
}

#[test]
fn redeem_should_pay_a_skipped_voucher_once_there_is_room() {
	with_channel(|| {
		Room::set(&0);
		let signed = sign("Alice", voucher(10 * OPEN, 4 * OPEN));
		assert_skipped(signed.clone(), SkipReason::BondTooSmall);
		Room::set(&(4 * OPEN));
		assert_eq!(skipped(signed), None);
		assert_eq!(collected(), 4 * OPEN);
	})
}

#[test]
fn redeem_should_pay_vouchers_without_licence_money_whatever_the_bond() {
	with_channel(|| {
		Room::set(&0);
		assert_eq!(skipped(sign("Alice", voucher(10 * OPEN, 0))), None);
	})
}

#[test]
fn redeem_should_count_only_the_licence_money_that_a_voucher_draws_now() {
	with_channel(|| {
		redeem(vec![sign("Alice", voucher(10 * OPEN, 4 * OPEN))]);
		Room::set(&OPEN);
		assert_eq!(skipped(sign("Alice", voucher(15 * OPEN, 5 * OPEN))), None);
	})
}

#[test]
fn many_lanes_should_not_collect_more_than_the_bond_covers() {
	with_channel(|| {
		Room::set(&(5 * OPEN));
		let on = |lane| {
			let on_lane = Voucher {
				lane,
				..voucher(4 * OPEN, 2 * OPEN)
			};
			sign("Alice", on_lane)
		};
		System::reset_events();
		assert_eq!(Channels::room(bob()), 5 * OPEN);
		redeem(vec![on(0), on(1), on(2), on(3)]);
		assert_eq!(Channels::room(bob()), OPEN);
		assert_eq!(collected(), 4 * OPEN);
		let skipped = events().into_iter().filter_map(|event| match event {
			Event::VoucherSkipped { index, reason, .. } => Some((index, reason)),
			_ => None,
		});
		assert_eq!(
			skipped.collect::<Vec<_>>(),
			[(2, SkipReason::BondTooSmall), (3, SkipReason::BondTooSmall)]
		);
		assert_eq!(escrow(), 92 * OPEN, "nothing was drawn for those");
	})
}
