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

#[test]
fn try_state_should_notice_announcements_that_would_be_lost() {
	let pending = |id, from| PendingQuote {
		quote: Quote { id, rate: RATE },
		from,
	};
	let list = |block| QuoteChanges::<Test>::set(block, vec![alice()].try_into().unwrap());
	assert_noticed("5: an announced quote with an old number", |_| {
		PendingQuotes::<Test>::insert(alice(), pending(1, 9));
		list(9);
	});
	assert_noticed("5: an announced quote that is overdue", |_| {
		PendingQuotes::<Test>::insert(alice(), pending(2, 1));
		list(1);
	});
	assert_noticed("5: an announced quote that is not listed once", |_| {
		PendingQuotes::<Test>::insert(alice(), pending(2, 9));
		list(8);
	});
	assert_noticed("5: a change of a price that is not announced", |_| list(8));
	assert_noticed(Error::<Test>::NotProvider, |_| {
		PendingQuotes::<Test>::insert(bob(), pending(2, 9))
	});
	assert_noticed(Error::<Test>::AlreadyLeaving, |provider| {
		PendingQuotes::<Test>::insert(alice(), pending(2, 9));
		list(9);
		provider.state = ProviderState::Leaving { free_at: 9 };
	});
}

#[test]
fn try_state_should_notice_a_past_that_was_not() {
	let former = |id| {
		let quotes = vec![Quote { id, rate: RATE }];
		FormerQuotes::<Test>::insert(
			alice(),
			BoundedVec::<_, ConstU32<3>>::try_from(quotes).unwrap(),
		)
	};
	assert_noticed("6: former quotes that are out of order", |_| former(1));
	assert_noticed("8: the last quote number of who is not leaving", |_| {
		LastQuotes::<Test>::insert(alice(), 1)
	});
	assert_noticed("7: a provider that was seen in a block to come", |_| {
		LastSeen::<Test>::insert(alice(), 2)
	});
	assert_noticed(Error::<Test>::NotProvider, |_| {
		LastSeen::<Test>::insert(bob(), 1)
	});
}
