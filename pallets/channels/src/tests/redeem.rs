use super::*;

#[test]
fn redeem_should_pay_what_the_newest_voucher_owes_beyond_the_last() {
	with_channel(|| {
		assert_eq!(skipped(sign("Alice", voucher(10 * OPEN, 4 * OPEN))), None);
		let receipts = Hash::repeat_byte(3);
		let newest = Voucher {
			tokens: 9,
			receipts,
			..voucher(15 * OPEN, 5 * OPEN)
		};
		assert_eq!(skipped(sign("Alice", newest)), None);

		assert_eq!(
			last_event(),
			Event::Redeemed {
				channel: 0,
				payer: alice(),
				provider: bob(),
				generation: 0,
				lane: 0,
				compute: 4 * OPEN,
				licence: OPEN,
				amount: 15 * OPEN,
				escrow: 85 * OPEN,
			}
		);
		assert_eq!(
			Channels::lane(0, 0),
			Some(LaneState {
				generation: 0,
				amount: 15 * OPEN,
				licence: 5 * OPEN,
				tokens: 9,
				receipts
			})
		);
		assert_eq!(channel().unwrap().redeemed, 15 * OPEN);
		assert_eq!(Balances::balance(&bob()), ENDOWMENT + 10 * OPEN);
		assert_eq!(Balances::balance(&pot()), ENDOWMENT + 5 * OPEN);
		assert_eq!(Balances::total_balance(&alice()), ENDOWMENT - 100 * OPEN);
		assert_eq!(kept(), 85 * OPEN);
	})
}

#[test]
fn redeem_should_add_up_lanes() {
	with_channel(|| {
		let on = |lane, amount| {
			sign(
				"Alice",
				Voucher {
					lane,
					..voucher(amount, 0)
				},
			)
		};
		redeem(vec![on(0, OPEN), on(1, 2 * OPEN), on(3, 3 * OPEN)]);
		assert_eq!(escrow(), 94 * OPEN);
		assert_eq!(Channels::lane(0, 2), Some(LaneState::new(0)));
		assert_eq!(Channels::lane(0, 4), None);
	})
}

#[test]
fn redeem_should_pay_in_part_when_escrow_is_short_and_the_exact_rest_after_a_top_up() {
	with_channel(|| {
		let whole = sign("Alice", voucher(301 * OPEN, 100 * OPEN + 1));
		redeem(vec![whole.clone()]);
		assert_eq!(escrow(), 0);
		let lane = Channels::lane(0, 0).unwrap();
		assert_eq!(lane.amount, 100 * OPEN);
		assert_eq!(lane.licence, 100 * (100 * OPEN + 1) / 301);
		assert_skipped(whole.clone(), SkipReason::EscrowEmpty);

		assert_ok!(Channels::top_up(signed(charlie()), 0, 300 * OPEN));
		redeem(vec![whole]);
		let lane = Channels::lane(0, 0).unwrap();
		assert_eq!((lane.amount, lane.licence), (301 * OPEN, 100 * OPEN + 1));
		assert_eq!(escrow(), 99 * OPEN);
		assert_eq!(Balances::balance(&pot()), ENDOWMENT + 100 * OPEN + 1);
	})
}

#[test]
fn redeem_should_pay_the_good_vouchers_of_a_batch_and_report_the_bad() {
	with_channel(|| {
		System::reset_events();
		redeem(vec![
			sign("Alice", voucher(OPEN, 0)),
			sign(
				"Bob",
				Voucher {
					lane: 1,
					..voucher(OPEN, 0)
				},
			),
			sign(
				"Alice",
				Voucher {
					channel: 9,
					..voucher(OPEN, 0)
				},
			),
			sign(
				"Alice",
				Voucher {
					lane: 2,
					..voucher(OPEN, 0)
				},
			),
		]);
		assert_eq!(escrow(), 98 * OPEN);
		let skipped: Vec<_> = events()
			.into_iter()
			.filter(|event| matches!(event, Event::VoucherSkipped { .. }))
			.collect();
		assert_eq!(
			skipped,
			[
				Event::VoucherSkipped {
					index: 1,
					channel: 0,
					lane: 1,
					reason: SkipReason::BadSignature
				},
				Event::VoucherSkipped {
					index: 2,
					channel: 9,
					lane: 0,
					reason: SkipReason::UnknownChannel
				},
			]
		);
	})
}

#[test]
fn redeem_should_pay_while_the_channel_thaws() {
	with_channel(|| {
		assert_ok!(Channels::thaw(signed(alice()), 0));
		assert_eq!(skipped(sign("Alice", voucher(OPEN, 0))), None);
	})
}

#[test]
fn redeem_should_pay_a_provider_that_has_left() {
	with_channel(|| {
		Inactive::set(&Some(bob()));
		assert_eq!(skipped(sign("Alice", voucher(OPEN, 0))), None);
		assert_eq!(Balances::balance(&bob()), ENDOWMENT + OPEN);
	})
}

#[test]
fn redeem_should_draw_on_the_delegates_limit_to_the_last_unit() {
	ExtBuilder.build_and_execute(|| {
		open(Some((hot(), 3 * OPEN)));
		let owed = sign("Hot", voucher(5 * OPEN, 2 * OPEN));
		assert_eq!(skipped(owed.clone()), None);
		let lane = Channels::lane(0, 0).unwrap();
		assert_eq!((lane.amount, lane.licence), (3 * OPEN, 6 * OPEN / 5));
		assert_skipped(owed, SkipReason::DelegateLimit);
		// The payer's own signature pays the rest.
		assert_eq!(skipped(sign("Alice", voucher(5 * OPEN, 2 * OPEN))), None);
		let lane = Channels::lane(0, 0).unwrap();
		assert_eq!((lane.amount, lane.licence), (5 * OPEN, 2 * OPEN));
	})
}

#[test]
fn redeem_should_refuse_an_empty_batch_and_an_unsigned_one() {
	with_channel(|| {
		assert_noop!(
			Channels::redeem(signed(bob()), BoundedVec::default()),
			Error::<Test>::NoVouchers
		);
		let good = BoundedVec::truncate_from(vec![sign("Alice", voucher(OPEN, 0))]);
		assert_noop!(Channels::redeem(RuntimeOrigin::none(), good), BadOrigin);
	})
}

#[test]
fn redeem_should_skip_vouchers_that_take_anything_back() {
	with_channel(|| {
		let first = Voucher {
			tokens: 10,
			..voucher(10 * OPEN, 4 * OPEN)
		};
		assert_eq!(skipped(sign("Alice", first)), None);
		let next = Voucher {
			tokens: 10,
			..voucher(12 * OPEN, 4 * OPEN)
		};
		for (what, worse) in [
			(
				"less licence",
				Voucher {
					licence: 4 * OPEN - 1,
					..next.clone()
				},
			),
			(
				"less compute",
				Voucher {
					licence: 6 * OPEN + 1,
					..next.clone()
				},
			),
			(
				"fewer tokens",
				Voucher {
					tokens: 9,
					..next.clone()
				},
			),
			(
				"more licence than money",
				Voucher {
					licence: 12 * OPEN + 1,
					..next.clone()
				},
			),
			(
				"overflowing licence",
				Voucher {
					licence: Balance::MAX,
					..next.clone()
				},
			),
		] {
			assert_eq!(
				skipped(sign("Alice", worse)),
				Some(SkipReason::NotMonotone),
				"{what}"
			);
		}
		assert_eq!(skipped(sign("Alice", next)), None);
	})
}

#[test]
fn redeem_should_tell_which_lane_the_money_came_from_and_what_it_acknowledged() {
	with_channel(|| {
		let acknowledging = |amount, byte| Voucher {
			receipts: Hash::repeat_byte(byte),
			..voucher(amount, amount / 2)
		};
		let told = |generation, amount, byte| {
			let lane = openledger_primitives::RedeemedLane {
				channel: 0,
				generation,
				lane: 0,
				drawn: OPEN / 2,
				licence: amount / 2,
				receipts: Hash::repeat_byte(byte),
			};
			assert_eq!(LastLane::get(), Some(lane));
			LastLane::set(&None);
		};
		redeem(vec![sign("Alice", acknowledging(OPEN, 1))]);
		told(0, OPEN, 1);
		redeem(vec![
			sign("Alice", acknowledging(2 * OPEN, 2)),
			// It owes nothing more, so the provider was not paid for what it acknowledges.
			sign("Alice", acknowledging(2 * OPEN, 3)),
		]);
		told(0, 2 * OPEN, 2);

		// A later generation begins at nothing.
		assert_ok!(Channels::thaw(signed(alice()), 0));
		pass(ThawPeriod::get());
		assert_ok!(Channels::withdraw(signed(alice()), 0));
		assert_ok!(Channels::top_up(signed(alice()), 0, OPEN));
		let next = Voucher {
			generation: 1,
			..acknowledging(OPEN, 4)
		};
		redeem(vec![sign("Alice", next)]);
		told(1, OPEN, 4);
	})
}
