use super::*;

fn delegate(signer: AccountId, limit: Balance, spent: Balance) -> Option<Delegate> {
	Some(Delegate {
		signer,
		limit,
		spent,
	})
}

#[test]
fn set_delegate_should_let_a_key_sign_up_to_its_limit() {
	with_channel(|| {
		assert_skipped(sign("Hot", voucher(OPEN, 0)), SkipReason::BadSignature);
		assert_ok!(Channels::set_delegate(
			signed(alice()),
			0,
			Some((hot(), 3 * OPEN))
		));
		assert_eq!(
			last_event(),
			Event::DelegateSet {
				channel: 0,
				delegate: delegate(hot(), 3 * OPEN, 0),
				former: None
			}
		);
		assert_eq!(skipped(sign("Hot", voucher(OPEN, 0))), None);
		assert_eq!(channel().unwrap().delegate, delegate(hot(), 3 * OPEN, OPEN));
		assert_eq!(skipped(sign("Alice", voucher(2 * OPEN, 0))), None);
		assert_eq!(channel().unwrap().delegate, delegate(hot(), 3 * OPEN, OPEN));
	})
}

#[test]
fn set_delegate_should_start_the_same_keys_limit_anew() {
	with_channel(|| {
		assert_ok!(Channels::set_delegate(
			signed(alice()),
			0,
			Some((hot(), 3 * OPEN))
		));
		assert_eq!(skipped(sign("Hot", voucher(2 * OPEN, 0))), None);
		assert_ok!(Channels::set_delegate(
			signed(alice()),
			0,
			Some((hot(), OPEN))
		));
		assert_eq!(channel().unwrap().delegate, delegate(hot(), OPEN, 0));
		assert_eq!(channel().unwrap().former, None);
	})
}

#[test]
fn set_delegate_should_not_cut_what_a_key_may_yet_draw() {
	with_channel(|| {
		assert_ok!(Channels::set_delegate(
			signed(alice()),
			0,
			Some((hot(), 3 * OPEN))
		));
		assert_noop!(
			Channels::set_delegate(signed(alice()), 0, Some((hot(), 3 * OPEN - 1))),
			Error::<Test>::LimitLowered
		);
		assert_ok!(Channels::set_delegate(signed(alice()), 0, None));
		// Not by the way round a revocation either.
		assert_noop!(
			Channels::set_delegate(signed(alice()), 0, Some((hot(), OPEN))),
			Error::<Test>::LimitLowered
		);
		assert_ok!(Channels::set_delegate(
			signed(alice()),
			0,
			Some((hot(), 3 * OPEN))
		));
		assert_eq!(channel().unwrap().former, None);
	})
}

#[test]
fn set_delegate_should_keep_a_revoked_keys_vouchers_good_for_a_vouchers_lifetime() {
	with_channel(|| {
		assert_ok!(Channels::set_delegate(
			signed(alice()),
			0,
			Some((hot(), 3 * OPEN))
		));
		assert_ok!(Channels::set_delegate(signed(alice()), 0, None));
		let until = System::block_number() + MaxVoucherLifetime::get();
		let former = channel().unwrap().former.unwrap();
		assert_eq!(
			(Some(former.delegate), former.until),
			(delegate(hot(), 3 * OPEN, 0), until)
		);

		System::set_block_number(until);
		assert_eq!(skipped(sign("Hot", voucher(OPEN, 0))), None);
		assert_eq!(channel().unwrap().former.unwrap().delegate.spent, OPEN);
		System::set_block_number(until + 1);
		assert_skipped(sign("Hot", voucher(2 * OPEN, 0)), SkipReason::BadSignature);
	})
}

#[test]
fn set_delegate_should_hold_a_revoked_key_to_its_limit() {
	with_channel(|| {
		assert_ok!(Channels::set_delegate(
			signed(alice()),
			0,
			Some((hot(), 3 * OPEN))
		));
		assert_ok!(Channels::set_delegate(signed(alice()), 0, None));
		assert_eq!(skipped(sign("Hot", voucher(50 * OPEN, 0))), None);
		assert_eq!(escrow(), 97 * OPEN);
		assert_skipped(
			sign("Hot", voucher(50 * OPEN, 0)),
			SkipReason::DelegateLimit,
		);
	})
}

#[test]
fn set_delegate_should_have_one_former_delegate_at_a_time() {
	with_channel(|| {
		assert_ok!(Channels::set_delegate(
			signed(alice()),
			0,
			Some((hot(), OPEN))
		));
		assert_ok!(Channels::set_delegate(
			signed(alice()),
			0,
			Some((charlie(), OPEN))
		));
		assert_eq!(channel().unwrap().former.unwrap().delegate.signer, hot());
		assert_noop!(
			Channels::set_delegate(signed(alice()), 0, None),
			Error::<Test>::FormerDelegateStillGood
		);
		pass(MaxVoucherLifetime::get() + 1);
		assert_ok!(Channels::set_delegate(signed(alice()), 0, None));
		assert_eq!(
			channel().unwrap().former.unwrap().delegate.signer,
			charlie()
		);
	})
}

#[test]
fn set_delegate_should_drop_a_key_that_has_spent_its_limit_at_once() {
	with_channel(|| {
		assert_ok!(Channels::set_delegate(
			signed(alice()),
			0,
			Some((hot(), OPEN))
		));
		assert_eq!(skipped(sign("Hot", voucher(OPEN, 0))), None);
		assert_ok!(Channels::set_delegate(signed(alice()), 0, None));
		assert_eq!(channel().unwrap().former, None);
	})
}

#[test]
fn set_delegate_should_refuse_all_but_the_payer() {
	with_channel(|| {
		for who in [bob(), charlie(), hot()] {
			assert_noop!(
				Channels::set_delegate(signed(who), 0, None),
				Error::<Test>::NotPayer
			);
		}
		assert_noop!(
			Channels::set_delegate(signed(alice()), 1, None),
			Error::<Test>::UnknownChannel
		);
		assert_noop!(
			Channels::set_delegate(signed(alice()), 0, Some((alice(), 1))),
			Error::<Test>::DelegateIsPayer
		);
	})
}
