use super::*;

#[test]
fn withdraw_should_release_the_whole_escrow_and_begin_a_generation() {
	with_channel(|| {
		redeem(vec![sign("Alice", voucher(40 * OPEN, 10 * OPEN))]);
		assert_ok!(Channels::thaw(signed(alice()), 0));
		pass(20);
		assert_ok!(Channels::withdraw(signed(alice()), 0));
		assert_eq!(
			last_event(),
			Event::Withdrawn {
				channel: 0,
				amount: 60 * OPEN,
				generation: 1
			}
		);
		let channel = channel().unwrap();
		assert_eq!((channel.escrow, channel.withdrawn), (0, 60 * OPEN));
		assert_eq!((channel.generation, channel.thaw), (1, None));
		assert_eq!(kept(), 0);
		assert_eq!(Balances::total_balance(&alice()), ENDOWMENT - 40 * OPEN);
		assert_eq!(Channels::lane(0, 0), Some(LaneState::new(1)));
	})
}

#[test]
fn withdraw_should_wait_for_the_thaw() {
	with_channel(|| {
		assert_noop!(
			Channels::withdraw(signed(alice()), 0),
			Error::<Test>::NotThawing
		);
		assert_ok!(Channels::thaw(signed(alice()), 0));
		pass(19);
		assert_noop!(
			Channels::withdraw(signed(alice()), 0),
			Error::<Test>::StillThawing
		);
		pass(1);
		assert_noop!(
			Channels::withdraw(signed(bob()), 0),
			Error::<Test>::NotPayer
		);
		assert_noop!(
			Channels::withdraw(signed(alice()), 1),
			Error::<Test>::UnknownChannel
		);
		assert_ok!(Channels::withdraw(signed(alice()), 0));
		assert_noop!(
			Channels::withdraw(signed(alice()), 0),
			Error::<Test>::NotThawing
		);
	})
}

#[test]
fn withdraw_should_leave_a_channel_that_works() {
	with_channel(|| {
		redeem(vec![sign("Alice", voucher(40 * OPEN, 0))]);
		assert_ok!(Channels::thaw(signed(alice()), 0));
		pass(20);
		assert_ok!(Channels::withdraw(signed(alice()), 0));
		assert_ok!(Channels::top_up(signed(alice()), 0, 5 * OPEN));
		let next = Voucher {
			generation: 1,
			..voucher(OPEN, 0)
		};
		assert_eq!(skipped(sign("Alice", next)), None);
		assert_eq!(escrow(), 4 * OPEN);
		assert_eq!(Channels::lane(0, 0).unwrap().amount, OPEN);
	})
}

#[test]
fn withdraw_should_refuse_to_use_a_generation_twice() {
	with_channel(|| {
		crate::Channels::<Test>::mutate(0, |channel| {
			channel.as_mut().unwrap().generation = Generation::MAX;
		});
		assert_ok!(Channels::thaw(signed(alice()), 0));
		pass(20);
		assert_noop!(
			Channels::withdraw(signed(alice()), 0),
			Error::<Test>::CounterExhausted
		);
	})
}
