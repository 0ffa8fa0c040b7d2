use super::*;

#[test]
fn open_should_hold_escrow_and_deposit_in_the_payers_account() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(Channels::open(
			signed(alice()),
			bob(),
			100 * OPEN,
			Some((hot(), OPEN))
		));

		assert_eq!(kept(), 100 * OPEN);
		assert_eq!(
			Balances::balance_on_hold(&HoldReason::Deposit.into(), &alice()),
			DEPOSIT
		);
		assert_eq!(Balances::total_balance(&alice()), ENDOWMENT - 100 * OPEN);
		let delegate = Delegate {
			signer: hot(),
			limit: OPEN,
			spent: 0,
		};
		assert_eq!(
			channel(),
			Some(Channel {
				payer: alice(),
				provider: bob(),
				generation: 0,
				escrow: 100 * OPEN,
				deposited: 100 * OPEN,
				redeemed: 0,
				withdrawn: 0,
				thaw: None,
				delegate: Some(delegate.clone()),
				former: None,
			})
		);
		assert_eq!(
			events(),
			[
				Event::Opened {
					channel: 0,
					payer: alice(),
					provider: bob(),
					escrow: 100 * OPEN,
					generation: 0
				},
				Event::DelegateSet {
					channel: 0,
					delegate: Some(delegate),
					former: None
				},
			]
		);
	})
}

#[test]
fn open_should_give_every_channel_its_own_id_even_after_one_was_closed() {
	ExtBuilder.build_and_execute(|| {
		open(None);
		open(None);
		assert_ok!(Channels::thaw(signed(alice()), 1));
		pass(20);
		assert_ok!(Channels::withdraw(signed(alice()), 1));
		assert_ok!(Channels::close(signed(alice()), 1));
		open(None);
		assert!(Channels::channel(1).is_none());
		assert!(Channels::channel(2).is_some());
		assert_eq!(kept(), 200 * OPEN);
	})
}

#[test]
fn open_should_refuse_a_provider_that_is_not_active() {
	ExtBuilder.build_and_execute(|| {
		Inactive::set(&Some(bob()));
		assert_noop!(
			Channels::open(signed(alice()), bob(), 100 * OPEN, None),
			Error::<Test>::ProviderNotActive
		);
	})
}

#[test]
fn open_should_refuse_less_than_the_least_escrow() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(
			Channels::open(signed(alice()), bob(), OPEN - 1, None),
			Error::<Test>::EscrowTooSmall
		);
		assert_ok!(Channels::open(signed(alice()), bob(), OPEN, None));
	})
}

#[test]
fn open_should_refuse_money_the_payer_does_not_have() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(
			Channels::open(signed(alice()), bob(), ENDOWMENT, None),
			TokenError::FundsUnavailable
		);
		assert_noop!(
			Channels::open(signed(hot()), bob(), OPEN, None),
			TokenError::FundsUnavailable
		);
	})
}

#[test]
fn open_should_refuse_the_payer_as_its_own_delegate() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(
			Channels::open(signed(alice()), bob(), OPEN, Some((alice(), OPEN))),
			Error::<Test>::DelegateIsPayer
		);
	})
}

#[test]
fn open_should_refuse_when_the_last_id_is_taken() {
	ExtBuilder.build_and_execute(|| {
		NextChannel::<Test>::put(ChannelId::MAX);
		assert_noop!(
			Channels::open(signed(alice()), bob(), OPEN, None),
			Error::<Test>::CounterExhausted
		);
	})
}
