use crate::{
	mock::{Providers, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

/// What a provider says when it registers.
struct Said {
	who: AccountId,
	hot_key: AccountId,
	endpoint: EndpointOf<Test>,
	bond: Balance,
	bases: BasesOf<Test>,
	rate: Rate,
}

/// Registers Alice, as well as can be but for what `spoil` does to it.
fn register_but(spoil: impl FnOnce(&mut Said)) -> DispatchResult {
	let mut said = Said {
		who: alice(),
		hot_key: hot_key(1),
		endpoint: endpoint("https://example.org:50051"),
		bond: 5_000,
		bases: bases(&[3, 0]),
		rate: RATE,
	};
	spoil(&mut said);
	let Said {
		who,
		hot_key,
		endpoint,
		bond,
		bases,
		rate,
	} = said;
	Providers::register(signed(who), hot_key, endpoint, bond, bases, rate)
}

#[test]
fn register_should_hold_the_bond_and_publish_the_offer() {
	build_and_execute(|| {
		assert_ok!(register_but(|_| ()));
		let quote = Quote { id: 1, rate: RATE };
		assert_last_event(Event::Registered {
			provider: alice(),
			hot_key: hot_key(1),
			endpoint: endpoint("https://example.org:50051"),
			bond: 5_000,
			bases: bases(&[3, 0]),
			quote,
		});
		assert_eq!(held(&alice()), 5_000);
		assert_eq!(Balances::free_balance(alice()), ENDOWMENT - 5_000);
		assert!(Providers::is_active(&alice()));
		assert_eq!(Providers::quote(alice()), Some(quote));
		assert_eq!(Providers::provider_of(hot_key(1)), Some(alice()));
		assert_eq!(Providers::provider_of_hot_key(&hot_key(1)), Some(alice()));
		assert_eq!(Providers::provider(alice()).unwrap().bases, bases(&[3, 0]));
		assert!(!Providers::is_active(&hot_key(1)));
	});
}

#[test]
fn register_should_refuse_a_second_time() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_noop!(
			register_but(|said| said.hot_key = hot_key(2)),
			Error::<Test>::AlreadyRegistered
		);
	});
}

#[test]
fn register_should_refuse_another_providers_hot_key() {
	build_and_execute(|| {
		register(bob(), 1);
		assert_noop!(register_but(|_| ()), Error::<Test>::HotKeyTaken);
	});
}

#[test]
fn register_should_refuse_the_cold_account_as_hot_key() {
	build_and_execute(|| {
		assert_noop!(
			register_but(|said| said.hot_key = alice()),
			Error::<Test>::HotKeyIsProvider
		);
	});
}

#[test]
fn register_should_refuse_endpoints_that_are_no_http_url() {
	build_and_execute(|| {
		for bad in [
			"",
			"example.org",
			"ftp://example.org",
			"http://",
			"https:///path",
			"https://?query",
			"HTTP://example.org",
			"http://exam ple.org",
			"http://example.org/\n",
			"http://example.org/\0",
		] {
			assert_noop!(
				register_but(|said| said.endpoint = endpoint(bad)),
				Error::<Test>::InvalidEndpoint
			);
		}
		let not_utf8: EndpointOf<Test> = b"http://\xff.org".to_vec().try_into().unwrap();
		assert_noop!(
			register_but(|said| said.endpoint = not_utf8),
			Error::<Test>::InvalidEndpoint
		);
		assert_ok!(register_but(
			|said| said.endpoint = endpoint("http://[::1]:50051/v1")
		));
	});
}

#[test]
fn register_should_refuse_a_bond_below_the_least() {
	build_and_execute(|| {
		assert_noop!(
			register_but(|said| said.bond = MIN_BOND - 1),
			Error::<Test>::BondTooSmall
		);
		assert_ok!(register_but(|said| said.bond = MIN_BOND));
	});
}

#[test]
fn register_should_fail_without_money_for_the_bond() {
	build_and_execute(|| {
		assert_noop!(
			register_but(|said| said.who = pauper()),
			TokenError::FundsUnavailable
		);
		assert_noop!(
			register_but(|said| said.bond = ENDOWMENT + 1),
			TokenError::FundsUnavailable
		);
	});
}

#[test]
fn register_should_refuse_base_models_that_are_missing_doubled_or_unknown() {
	build_and_execute(|| {
		assert_noop!(
			register_but(|said| said.bases = bases(&[])),
			Error::<Test>::NoBases
		);
		assert_noop!(
			register_but(|said| said.bases = bases(&[1, 2, 1])),
			Error::<Test>::DuplicateBase
		);
		assert_noop!(
			register_but(|said| said.bases = bases(&[1, 10])),
			Error::<Test>::UnknownBase
		);
	});
}

#[test]
fn register_should_refuse_a_rate_above_the_bound() {
	build_and_execute(|| {
		assert_noop!(
			register_but(|said| said.rate.input = MAX_RATE + 1),
			Error::<Test>::RateTooHigh
		);
		assert_noop!(
			register_but(|said| said.rate.output = Balance::MAX),
			Error::<Test>::RateTooHigh
		);
	});
}

#[test]
fn weight_should_grow_with_endpoint_and_bases() {
	build_and_execute(|| {
		let weight = |url: &str, ids: &[BaseModelId]| {
			Call::<Test>::register {
				hot_key: hot_key(1),
				endpoint: endpoint(url),
				bond: 5_000,
				bases: bases(ids),
				rate: RATE,
			}
			.get_dispatch_info()
			.call_weight
			.ref_time()
		};
		let least = weight("http://a", &[0]);
		assert!(weight("http://ab", &[0]) > least);
		assert!(weight("http://a", &[0, 1]) > least);
	});
}
