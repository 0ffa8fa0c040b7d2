use super::*;

#[test]
fn cancel_thaw_should_take_the_notice_back() {
	with_channel(|| {
		assert_ok!(Channels::thaw(signed(alice()), 0));
		assert_ok!(Channels::cancel_thaw(signed(alice()), 0));
		assert_eq!(last_event(), Event::ThawCancelled { channel: 0 });
		assert_eq!(channel().unwrap().thaw, None);
		pass(100);
		assert_noop!(
			Channels::withdraw(signed(alice()), 0),
			Error::<Test>::NotThawing
		);
	})
}

#[test]
fn cancel_thaw_should_refuse_all_but_the_payer_and_a_channel_that_is_not_thawing() {
	with_channel(|| {
		assert_noop!(
			Channels::cancel_thaw(signed(alice()), 0),
			Error::<Test>::NotThawing
		);
		assert_ok!(Channels::thaw(signed(alice()), 0));
		for who in [bob(), charlie()] {
			assert_noop!(
				Channels::cancel_thaw(signed(who), 0),
				Error::<Test>::NotPayer
			);
		}
		assert_noop!(
			Channels::cancel_thaw(signed(alice()), 1),
			Error::<Test>::UnknownChannel
		);
	})
}
