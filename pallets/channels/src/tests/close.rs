use super::*;

#[test]
fn close_should_remove_channel_and_lanes_and_return_the_deposit() {
	with_channel(|| {
		let on = |lane| {
			sign(
				"Alice",
				Voucher {
					lane,
					..voucher(50 * OPEN, 0)
				},
			)
		};
		redeem(vec![on(0), on(1)]);
		let info = Channels::close(signed(alice()), 0).unwrap();
		assert_eq!(info.actual_weight, Some(<() as WeightInfo>::close(2)));
		assert_eq!(last_event(), Event::Closed { channel: 0 });
		assert_eq!(channel(), None);
		assert_eq!(Channels::lane(0, 0), None);
		assert_eq!(Lanes::<Test>::iter().count(), 0);
		assert_eq!(Deposits::<Test>::iter().count(), 0);
		assert_eq!(Balances::total_balance_on_hold(&alice()), 0);
		assert_eq!(Balances::balance(&alice()), ENDOWMENT - 100 * OPEN);
	})
}

#[test]
fn close_should_leave_other_channels_lanes_alone() {
	with_channel(|| {
		open(None);
		redeem(vec![
			sign("Alice", voucher(100 * OPEN, 0)),
			sign(
				"Alice",
				Voucher {
					channel: 1,
					..voucher(7 * OPEN, 0)
				},
			),
		]);
		assert_ok!(Channels::close(signed(alice()), 0));
		assert_eq!(Channels::lane(1, 0).unwrap().amount, 7 * OPEN);
		assert_eq!(kept(), 93 * OPEN);
	})
}

#[test]
fn close_should_refuse_while_money_is_in_escrow_and_all_but_the_payer() {
	with_channel(|| {
		let refused = |who: AccountId, id| Channels::close(signed(who), id).unwrap_err().error;
		assert_eq!(refused(alice(), 0), Error::<Test>::EscrowNotEmpty.into());
		assert_eq!(refused(alice(), 1), Error::<Test>::UnknownChannel.into());
		redeem(vec![sign("Alice", voucher(100 * OPEN, 0))]);
		assert_eq!(refused(bob(), 0), Error::<Test>::NotPayer.into());
		assert!(channel().is_some());
	})
}

#[test]
fn close_should_give_the_escrow_back_when_a_thaw_has_ended() {
	with_channel(|| {
		redeem(vec![sign("Alice", voucher(7 * OPEN, 0))]);
		assert_ok!(Channels::thaw(signed(alice()), 0));
		System::reset_events();
		pass(ThawPeriod::get());
		assert_ok!(Channels::close(signed(alice()), 0));
		assert_eq!(
			events(),
			[
				Event::Withdrawn {
					channel: 0,
					amount: 93 * OPEN,
					generation: 1
				},
				Event::Closed { channel: 0 }
			]
		);
		assert_eq!(Balances::total_balance_on_hold(&alice()), 0);
		assert_eq!(Balances::balance(&alice()), ENDOWMENT - 7 * OPEN);
	})
}

#[test]
fn close_should_not_give_the_escrow_back_before() {
	with_channel(|| {
		assert_ok!(Channels::thaw(signed(alice()), 0));
		pass(ThawPeriod::get() - 1);
		let refused = Channels::close(signed(alice()), 0).unwrap_err();
		assert_eq!(refused.error, Error::<Test>::StillThawing.into());
	})
}
