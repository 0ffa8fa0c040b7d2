use crate::{
	mock::{Providers, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

#[test]
fn set_endpoint_should_say_where_the_provider_is_reached() {
	build_and_execute(|| {
		register(alice(), 1);
		let new = endpoint("http://203.0.113.7:8080");
		assert_ok!(Providers::set_endpoint(signed(alice()), new.clone()));
		assert_last_event(Event::EndpointChanged {
			provider: alice(),
			endpoint: new.clone(),
		});
		assert_eq!(Providers::provider(alice()).unwrap().endpoint, new);
	});
}

#[test]
fn set_endpoint_should_refuse_what_is_no_url() {
	build_and_execute(|| {
		register(alice(), 1);
		for bad in ["", "203.0.113.7", "https://", "http://a b"] {
			assert_noop!(
				Providers::set_endpoint(signed(alice()), endpoint(bad)),
				Error::<Test>::InvalidEndpoint
			);
		}
	});
}

#[test]
fn set_endpoint_should_be_the_providers_alone() {
	build_and_execute(|| {
		register(alice(), 1);
		assert_noop!(
			Providers::set_endpoint(signed(hot_key(1)), endpoint("http://evil")),
			Error::<Test>::NotProvider
		);
	});
}

#[test]
fn weight_should_grow_with_the_endpoint() {
	build_and_execute(|| {
		let weight = |url: &str| {
			Call::<Test>::set_endpoint {
				endpoint: endpoint(url),
			}
			.get_dispatch_info()
			.call_weight
			.ref_time()
		};
		assert!(weight("http://longer.example.org") > weight("http://a"));
	});
}
