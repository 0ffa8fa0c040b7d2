use crate::{
	mock::{Providers, *},
	*,
};
use frame::{
	deps::{
		frame_support::{
			pallet_prelude::{InvalidTransaction, TransactionSource, TransactionValidityError},
			traits::Authorize,
		},
		sp_core::Pair,
	},
	testing_prelude::{assert_noop, assert_ok},
};
use openledger_primitives::Heartbeat;

fn beat(at: BlockNumber) -> Heartbeat {
	Heartbeat {
		genesis: System::block_hash(0),
		provider: alice(),
		at,
	}
}

fn signature(beat: &Heartbeat) -> MultiSignature {
	machine(1).sign(beat.digest().as_bytes()).into()
}

/// Sends one that says what it should, signed by Alice's machine.
fn send_good(at: BlockNumber) -> Result<(), TransactionValidityError> {
	send_heartbeat(alice(), at, 1)
}

fn refused(invalid: InvalidTransaction) -> Result<(), TransactionValidityError> {
	Err(invalid.into())
}

#[test]
fn heartbeat_should_show_that_a_machine_is_there() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_eq!(Providers::last_seen(alice()), Some(1));
		run_to(12);
		assert_ok!(send_good(11));
		assert_last_event(Event::Heartbeat {
			provider: alice(),
			at: 11,
		});
		assert_eq!(Providers::last_seen(alice()), Some(11));
	});
}

#[test]
fn heartbeat_should_need_no_money() {
	build_and_execute(|| {
		register(alice(), 1);
		let issuance = Balances::total_issuance();
		run_to(11);
		assert_ok!(send_good(11));
		assert_eq!(Balances::total_issuance(), issuance);
		assert_eq!(Balances::free_balance(alice()), ENDOWMENT - MIN_BOND);
		assert!(!System::account_exists(&hot_key(1)));
	});
}

#[test]
fn silence_should_only_be_noticed() {
	build_and_execute(|| {
		register(alice(), 1);
		run_to(1 + 3 * HeartbeatPeriod::get());
		assert!(Providers::is_alive(alice()));
		run_to(2 + 3 * HeartbeatPeriod::get());
		assert!(!Providers::is_alive(alice()));
		assert!(Providers::is_active(&alice()), "it may still be used");
		assert_eq!(held(&alice()), MIN_BOND);
		assert_ok!(send_good(System::block_number()));
		assert!(Providers::is_alive(alice()));
	});
}

#[test]
fn who_takes_no_work_should_not_be_alive() {
	build_and_execute(|| {
		register(alice(), 1);
		Providers::jail(&alice());
		assert!(!Providers::is_alive(alice()));
		assert!(!Providers::is_alive(bob()));
		run_to(50);
		assert_eq!(
			send_good(50),
			refused(InvalidTransaction::BadSigner),
			"in jail"
		);
		assert_ok!(Providers::unjail(signed(alice())));
		assert!(Providers::is_alive(alice()), "it has just asked for work");
		assert_ok!(Providers::leave(signed(alice())));
		assert!(!Providers::is_alive(alice()));
		run_to(70);
		assert_eq!(
			send_good(70),
			refused(InvalidTransaction::BadSigner),
			"leaving"
		);
		assert_ok!(Providers::withdraw_bond(signed(alice())));
		assert_eq!(Providers::last_seen(alice()), None);
		assert_eq!(
			send_good(70),
			refused(InvalidTransaction::BadSigner),
			"gone"
		);
	});
}

#[test]
fn heartbeat_should_be_let_in_once_in_a_period() {
	build_and_execute(|| {
		register(alice(), 1);
		run_to(10);
		assert_eq!(send_good(10), refused(InvalidTransaction::Stale));
		run_to(11);
		assert_ok!(send_good(11));
		for block in 11..21 {
			run_to(block);
			assert_eq!(send_good(block), refused(InvalidTransaction::Stale));
		}
		run_to(21);
		assert_ok!(send_good(21));
	});
}

#[test]
fn heartbeat_should_be_recent_and_not_from_the_future() {
	build_and_execute(|| {
		register(alice(), 1);
		run_to(40);
		assert_eq!(send_good(41), refused(InvalidTransaction::Future));
		assert_eq!(
			send_good(29),
			refused(InvalidTransaction::AncientBirthBlock)
		);
		assert_ok!(send_good(30));
	});
}

#[test]
fn a_heartbeat_should_not_be_replayed() {
	build_and_execute(|| {
		register(alice(), 1);
		run_to(20);
		let (at, recorded) = (20, signature(&beat(20)));
		assert_ok!(send_signed_heartbeat(alice(), at, recorded.clone()));
		for block in [20, 30, 31, 1_000] {
			run_to(block);
			assert!(send_signed_heartbeat(alice(), at, recorded.clone()).is_err());
		}
		// Nor when governance makes periods longer or shorter.
		for period in [0, 1, 1_000, BlockNumber::MAX] {
			HeartbeatPeriod::set(period);
			assert!(send_signed_heartbeat(alice(), at, recorded.clone()).is_err());
		}
	});
}

#[test]
fn a_heartbeat_should_not_be_made_for_others_or_by_others() {
	build_and_execute(|| {
		register(alice(), 1);
		register(bob(), 2);
		run_to(20);
		let bad = refused(InvalidTransaction::BadProof);
		let good = signature(&beat(20));
		assert_eq!(
			send_signed_heartbeat(bob(), 20, good.clone()),
			bad,
			"another provider's"
		);
		assert_eq!(
			send_signed_heartbeat(alice(), 19, good.clone()),
			bad,
			"another block's"
		);
		let foreign = Heartbeat {
			genesis: Hash::repeat_byte(9),
			..beat(20)
		};
		assert_eq!(
			send_signed_heartbeat(alice(), 20, signature(&foreign)),
			bad,
			"another chain's"
		);
		assert_ok!(Providers::set_hot_key(signed(alice()), hot_key(3)));
		assert_eq!(
			send_signed_heartbeat(alice(), 20, signature(&beat(20))),
			bad,
			"a former hot key's"
		);
	});
}

#[test]
fn heartbeat_should_not_be_called_with_any_other_origin() {
	build_and_execute(|| {
		register(alice(), 1);
		run_to(20);
		for origin in [
			RuntimeOrigin::none(),
			RuntimeOrigin::root(),
			signed(alice()),
			signed(hot_key(1)),
		] {
			assert_noop!(
				Providers::heartbeat(origin, alice(), 20, signature(&beat(20))),
				DispatchError::BadOrigin
			);
		}
	});
}

#[test]
fn two_heartbeats_should_not_wait_for_inclusion_at_the_same_time() {
	build_and_execute(|| {
		register(alice(), 1);
		run_to(20);
		let tags = |at| {
			let call = Call::<Test>::heartbeat {
				provider: alice(),
				at,
				signature: signature(&beat(at)),
			};
			let (validity, refund) = call
				.authorize(TransactionSource::External)
				.unwrap()
				.unwrap();
			assert_eq!(refund, Weight::zero());
			assert!(validity.longevity <= u64::from(HeartbeatPeriod::get()));
			assert!(validity.propagate);
			validity.provides
		};
		assert_eq!(tags(20), tags(19));
	});
}
