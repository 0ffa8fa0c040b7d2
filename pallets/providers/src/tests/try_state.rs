//! The invariants must notice what they are for.

use crate::{
	mock::{Providers, *},
	*,
};
use frame::testing_prelude::{assert_err, assert_ok, hypothetically};

/// `damage` to Alice's registration must be noticed with `report`.
fn assert_noticed(report: impl Into<DispatchError>, damage: impl FnOnce(&mut Provider<Test>)) {
	build_and_execute(|| {
		register(alice(), 1);
		assert_ok!(Providers::do_try_state());
		hypothetically!({
			crate::Providers::<Test>::mutate(alice(), |provider| {
				damage(provider.as_mut().unwrap())
			});
			assert_err!(Providers::do_try_state(), report.into());
		});
	});
}

#[test]
fn try_state_should_notice_a_bond_that_is_not_held() {
	assert_noticed("1: a bond and what is held for it", |provider| {
		provider.bond += 1
	});
}

#[test]
fn try_state_should_notice_hot_keys_that_lead_elsewhere() {
	assert_noticed("2: a provider's hot key leads elsewhere", |provider| {
		provider.hot_key = hot_key(2)
	});
	assert_noticed("2: a hot key that is its provider's account", |provider| {
		HotKeys::<Test>::insert(alice(), alice());
		provider.hot_key = alice();
	});
	assert_noticed("2: a hot key without a provider", |_| {
		HotKeys::<Test>::insert(hot_key(2), bob())
	});
}

#[test]
fn try_state_should_notice_offers_that_cannot_be() {
	assert_noticed(Error::<Test>::NoBases, |provider| {
		provider.bases = bases(&[])
	});
	assert_noticed(Error::<Test>::UnknownBase, |provider| {
		provider.bases = bases(&[10])
	});
	assert_noticed("4: an endpoint that is no URL", |provider| {
		provider.endpoint = endpoint("nowhere")
	});
	assert_noticed("4: a quote without a number", |provider| {
		provider.quote.id = 0
	});
}
