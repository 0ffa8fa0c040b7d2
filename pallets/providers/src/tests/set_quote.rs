use crate::{
	mock::{Providers, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

#[test]
fn set_quote_should_change_the_price_under_the_next_number() {
	build_and_execute(|| {
		register(alice(), 1);
		let dearer = Rate {
			input: 300,
			output: 400,
		};
		assert_ok!(Providers::set_quote(signed(alice()), dearer));
		let quote = Quote {
			id: 2,
			rate: dearer,
		};
		assert_last_event(Event::QuoteChanged {
			provider: alice(),
			quote,
		});
		assert_eq!(Providers::quote(alice()), Some(quote));
		assert_ok!(Providers::set_quote(signed(alice()), RATE));
		assert_eq!(Providers::quote(alice()).unwrap().id, 3);
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
fn set_quote_should_refuse_a_provider_that_is_leaving() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_ok!(Providers::leave(signed(alice())));
		assert_noop!(
			Providers::set_quote(signed(alice()), RATE),
			Error::<Test>::AlreadyLeaving
		);
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
