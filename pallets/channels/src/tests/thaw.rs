use super::*;

#[test]
fn thaw_should_set_the_block_of_withdrawal() {
	with_channel(|| {
		assert_ok!(Channels::thaw(signed(alice()), 0));
		let free_at = System::block_number() + ThawPeriod::get();
		assert_eq!(channel().unwrap().thaw, Some(free_at));
		assert_eq!(
			last_event(),
			Event::Thawing {
				channel: 0,
				free_at
			}
		);
	})
}

#[test]
fn thaw_should_outlast_every_voucher_whatever_governance_set() {
	with_channel(|| {
		ThawPeriod::set(&3);
		MaxVoucherLifetime::set(&50);
		assert_ok!(Channels::thaw(signed(alice()), 0));
		let free_at = channel().unwrap().thaw.unwrap();
		assert_eq!(free_at, System::block_number() + 51);
		let last = Voucher {
			valid_until: free_at - 1,
			..voucher(OPEN, 0)
		};
		let beyond = Voucher {
			valid_until: free_at,
			..voucher(OPEN, 0)
		};
		assert_skipped(sign("Alice", beyond), SkipReason::LifetimeTooLong);
		assert_eq!(skipped(sign("Alice", last)), None);
	})
}

#[test]
fn thaw_should_not_start_twice_nor_by_another() {
	with_channel(|| {
		for who in [bob(), charlie()] {
			assert_noop!(Channels::thaw(signed(who), 0), Error::<Test>::NotPayer);
		}
		assert_noop!(
			Channels::thaw(signed(alice()), 1),
			Error::<Test>::UnknownChannel
		);
		assert_ok!(Channels::thaw(signed(alice()), 0));
		assert_noop!(
			Channels::thaw(signed(alice()), 0),
			Error::<Test>::AlreadyThawing
		);
	})
}

#[test]
fn thaw_should_refuse_an_end_beyond_the_last_block() {
	with_channel(|| {
		ThawPeriod::set(&BlockNumber::MAX);
		assert_noop!(
			Channels::thaw(signed(alice()), 0),
			ArithmeticError::Overflow
		);
	})
}
