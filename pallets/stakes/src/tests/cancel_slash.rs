use super::*;

#[test]
fn cancel_slash_should_give_back_what_was_seized() {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 500));
		next_session();
		report(alice(), 10, 1);
		assert_eq!(Stakes::candidate(alice()).unwrap().stake, 900 + 450);
		assert_ok!(Stakes::cancel_slash(RuntimeOrigin::root(), 0));
		assert_last_event(Event::SlashCancelled {
			id: 0,
			offender: alice(),
			amount: 150,
		});
		assert_eq!((held(&alice()), held(&carol())), (900, 450));
		assert_eq!(Balances::free_balance(carol()), ENDOWMENT - 450);
		next_sessions(SlashDelay::get() + 1);
		assert_eq!(Burnt::get(), 0);
	});
}

#[test]
fn cancel_slash_should_not_keep_later_slashes_from_being_carried_out() {
	build_and_execute(|| {
		report(alice(), 10, 0);
		report(bob(), 20, 0);
		assert_ok!(Stakes::cancel_slash(RuntimeOrigin::root(), 0));
		next_sessions(SlashDelay::get());
		next_block();
		assert_eq!(Burnt::get(), 200);
		assert!(Stakes::slashes().is_empty());
	});
}

#[test]
fn cancel_slash_should_refuse_what_is_gone_and_others_than_governance() {
	build_and_execute(|| {
		let cancel = || Stakes::cancel_slash(RuntimeOrigin::root(), 0);
		assert_noop!(cancel(), Error::<Test>::UnknownSlash);
		report(alice(), 10, 0);
		assert_noop!(
			Stakes::cancel_slash(signed(alice()), 0),
			DispatchError::BadOrigin
		);
		assert_ok!(cancel());
		assert_noop!(cancel(), Error::<Test>::UnknownSlash);
	});
}
