use crate::{
	mock::{Providers, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

const DEARER: Rate = Rate {
	input: 300,
	output: 400,
};
const CHEAPER: Rate = Rate {
	input: 1,
	output: 2,
};

fn pending(who: AccountId) -> Option<(QuoteId, BlockNumber)> {
	Providers::pending_quote(who).map(|pending| (pending.quote.id, pending.from))
}

#[test]
fn set_quote_should_change_the_price_after_the_notice_and_not_before() {
	for rate in [DEARER, CHEAPER] {
		build_and_execute(|| {
			register(alice(), 1);
			assert_ok!(Providers::set_quote(signed(alice()), rate));
			let quote = Quote { id: 2, rate };
			let from = 1 + QuoteNotice::get();
			assert_last_event(Event::QuoteAnnounced {
				provider: alice(),
				quote,
				from,
			});
			assert_eq!(
				Providers::pending_quote(alice()),
				Some(PendingQuote { quote, from })
			);
			run_to(from - 1);
			assert_eq!(Providers::quote(alice()), Some(Quote { id: 1, rate: RATE }));
			run_to(from);
			assert_last_event(Event::QuoteChanged {
				provider: alice(),
				quote,
			});
			assert_eq!(Providers::quote(alice()), Some(quote));
			assert_eq!(Providers::pending_quote(alice()), None);
			assert_eq!(QuoteChanges::<Test>::iter().count(), 0);
		});
	}
}

#[test]
fn set_quote_should_give_at_least_a_block_of_notice() {
	build_and_execute(|| {
		register(alice(), 1);
		QuoteNotice::set(0);
		assert_ok!(Providers::set_quote(signed(alice()), DEARER));
		assert_eq!(pending(alice()), Some((2, 2)));
	});
}

#[test]
fn set_quote_should_void_what_was_announced_before_and_begin_the_notice_anew() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_ok!(Providers::set_quote(signed(alice()), DEARER));
		run_to(4);
		assert_ok!(Providers::set_quote(signed(alice()), CHEAPER));
		assert_eq!(pending(alice()), Some((3, 9)));
		run_to(8);
		assert_eq!(Providers::quote(alice()).unwrap().id, 1);
		run_to(9);
		let rate = CHEAPER;
		assert_eq!(Providers::quote(alice()), Some(Quote { id: 3, rate }));
		assert_eq!(
			Providers::quote_rate(alice(), 2),
			None,
			"nobody was ever asked that"
		);
	});
}

#[test]
fn set_quote_should_keep_what_former_numbers_meant() {
	build_and_execute(|| {
		register(alice(), 1);
		let rate = |id: QuoteId| Rate {
			input: id.into(),
			output: 0,
		};
		for id in 2..=5 {
			assert_ok!(Providers::set_quote(signed(alice()), rate(id)));
			assert_eq!(Providers::quote_rate(alice(), id), None, "not in force yet");
			run_to(System::block_number() + QuoteNotice::get());
		}
		let known = |id| Providers::quote_rate(alice(), id);
		assert_eq!(
			[2, 3, 4, 5].map(known),
			[2, 3, 4, 5].map(|id| Some(rate(id)))
		);
		assert_eq!(known(1), None, "only so many are kept");
		assert_eq!([0, 6].map(known), [None, None]);
		assert_eq!(Providers::quote_rate(bob(), 1), None);
	});
}

#[test]
fn set_quote_should_move_to_a_later_block_where_one_is_full() {
	build_and_execute(|| {
		register(alice(), 1);
		register(bob(), 2);
		assert_ok!(Providers::set_quote(signed(alice()), DEARER));
		assert_ok!(Providers::set_quote(signed(bob()), CHEAPER));
		assert_eq!(pending(alice()), Some((2, 6)));
		assert_eq!(pending(bob()), Some((2, 7)));
		// Alice's own place counts as free to her.
		assert_ok!(Providers::set_quote(signed(alice()), CHEAPER));
		assert_eq!(pending(alice()), Some((3, 6)));
		run_to(7);
		assert_eq!(Providers::quote(bob()).unwrap().id, 2);
	});
}

#[test]
fn set_quote_should_say_so_when_no_block_has_room() {
	build_and_execute(|| {
		register(alice(), 1);
		register(bob(), 2);
		assert_ok!(Providers::set_quote(signed(alice()), DEARER));
		for block in 6..22 {
			QuoteChanges::<Test>::set(block, vec![hot_key(9)].try_into().unwrap());
		}
		assert_noop!(
			Providers::set_quote(signed(bob()), DEARER),
			Error::<Test>::TooManyQuoteChanges
		);
		for block in 6..22 {
			QuoteChanges::<Test>::remove(block);
		}
		QuoteChanges::<Test>::set(6, vec![alice()].try_into().unwrap());
	});
}

#[test]
fn set_quote_should_do_in_jail() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_ok!(Providers::set_quote(signed(alice()), DEARER));
		Providers::jail(&alice());
		run_to(6);
		assert_eq!(Providers::provider(alice()).unwrap().quote.id, 2);
		assert_ok!(Providers::set_quote(signed(alice()), CHEAPER));
	});
}

#[test]
fn set_quote_should_refuse_a_rate_above_the_bound() {
	build_and_execute(|| {
		register(alice(), 1);
		let most = Rate {
			input: MAX_RATE,
			output: MAX_RATE,
		};
		assert_ok!(Providers::set_quote(signed(alice()), most));
		for bad in [
			Rate {
				input: MAX_RATE + 1,
				..most
			},
			Rate {
				output: MAX_RATE + 1,
				..most
			},
		] {
			assert_noop!(
				Providers::set_quote(signed(alice()), bad),
				Error::<Test>::RateTooHigh
			);
		}
	});
}

#[test]
fn set_quote_should_be_the_providers_alone() {
	build_and_execute(|| {
		register(alice(), 1);
		for other in [bob(), hot_key(1)] {
			assert_noop!(
				Providers::set_quote(signed(other), RATE),
				Error::<Test>::NotProvider
			);
		}
	});
}

#[test]
fn set_quote_should_refuse_a_provider_that_is_leaving_and_drop_what_it_announced() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_ok!(Providers::set_quote(signed(alice()), DEARER));
		assert_ok!(Providers::leave(signed(alice())));
		assert_eq!(Providers::pending_quote(alice()), None);
		assert_noop!(
			Providers::set_quote(signed(alice()), RATE),
			Error::<Test>::AlreadyLeaving
		);
		run_to(30);
		assert_eq!(Providers::quote_rate(alice(), 1), Some(RATE));
		assert_ok!(Providers::withdraw_bond(signed(alice())));
		assert_eq!(Providers::quote_rate(alice(), 1), None);
	});
}

#[test]
fn set_quote_should_fail_rather_than_use_a_number_twice() {
	build_and_execute(|| {
		register(alice(), 1);
		crate::Providers::<Test>::mutate(alice(), |provider| {
			provider.as_mut().unwrap().quote.id = QuoteId::MAX
		});
		assert_noop!(
			Providers::set_quote(signed(alice()), RATE),
			ArithmeticError::Overflow
		);
	});
}

#[test]
fn set_quote_should_fail_when_the_notice_has_no_end() {
	build_and_execute(|| {
		register(alice(), 1);
		QuoteNotice::set(BlockNumber::MAX);
		assert_noop!(
			Providers::set_quote(signed(alice()), RATE),
			ArithmeticError::Overflow
		);
	});
}
