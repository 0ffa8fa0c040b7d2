use super::*;

#[test]
fn top_up_should_add_the_payers_money() {
	with_channel(|| {
		assert_ok!(Channels::top_up(signed(alice()), 0, 5 * OPEN));
		assert_eq!(escrow(), 105 * OPEN);
		assert_eq!(channel().unwrap().deposited, 105 * OPEN);
		assert_eq!(kept(), 105 * OPEN);
		assert_eq!(
			last_event(),
			Event::ToppedUp {
				channel: 0,
				by: alice(),
				amount: 5 * OPEN,
				escrow: 105 * OPEN
			}
		);
	})
}

#[test]
fn top_up_should_take_a_third_partys_own_money() {
	with_channel(|| {
		assert_ok!(Channels::top_up(signed(charlie()), 0, 5 * OPEN));
		assert_eq!(kept(), 105 * OPEN);
		assert_eq!(Balances::total_balance(&alice()), ENDOWMENT - 100 * OPEN);
		assert_eq!(Balances::total_balance(&charlie()), ENDOWMENT - 5 * OPEN);
	})
}

#[test]
fn top_up_should_refuse_nothing_unknown_channels_and_money_that_is_not_there() {
	with_channel(|| {
		assert_noop!(
			Channels::top_up(signed(alice()), 0, 0),
			Error::<Test>::ZeroAmount
		);
		assert_noop!(
			Channels::top_up(signed(alice()), 1, OPEN),
			Error::<Test>::UnknownChannel
		);
		assert_noop!(
			Channels::top_up(signed(charlie()), 0, ENDOWMENT),
			TokenError::NotExpendable
		);
		assert_noop!(
			Channels::top_up(signed(alice()), 0, ENDOWMENT),
			TokenError::FundsUnavailable
		);
		assert!(Channels::top_up(signed(alice()), 0, Balance::MAX).is_err());
		assert!(Channels::top_up(signed(charlie()), 0, Balance::MAX).is_err());
		assert_eq!(escrow(), 100 * OPEN);
	})
}
