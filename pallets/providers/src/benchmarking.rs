//! What the calls and the hook cost, each in the worst case that it can meet.

// This runs on no chain: what does not go as it should must fail loudly.
#![allow(
	clippy::arithmetic_side_effects,
	clippy::expect_used,
	clippy::indexing_slicing
)]

use crate::{impls::SPREAD, *};
use alloc::{vec, vec::Vec};
use frame::{
	benchmarking::prelude::*,
	deps::{
		frame_support::{pallet_prelude::TransactionSource, traits::Authorize},
		sp_core::crypto::KeyTypeId,
		sp_io::crypto::{sr25519_generate, sr25519_sign},
	},
	token::{
		fungible::{hold::Inspect as _, Balanced as _, Inspect as _},
		Precision,
	},
};
use openledger_primitives::Heartbeat;

/// What benchmarks need of other pallets.
pub trait BenchmarkHelper {
	/// Ids of `count` base models that exist.
	fn bases(count: u32) -> Vec<BaseModelId>;
}

/// Most bytes of an endpoint that are measured.
const MAX_ENDPOINT: u32 = 256;
/// Most base models of a provider that are measured.
const MAX_BASES: u32 = 16;
/// Most changes of prices in a block that are measured.
const MAX_QUOTE_CHANGES: u32 = 32;
/// What hot keys are kept under while they are needed.
const HOT_KEYS: KeyTypeId = KeyTypeId(*b"benc");
/// A block late enough for everything to have happened before.
const NOW: BlockNumber = 10_000_000;

/// Fails if the runtime allows more than is measured.
pub(crate) fn assert_bounds_are_measured<T: Config>() {
	assert!(
		T::MaxEndpointLen::get() <= MAX_ENDPOINT
			&& T::MaxBases::get() <= MAX_BASES
			&& T::MaxQuoteChanges::get() <= MAX_QUOTE_CHANGES,
		"weights are measured up to what the runtime allows; raise the benchmarks' bounds with it"
	);
}

fn set_block<T: Config>(number: BlockNumber) {
	T::BlockNumberProvider::set_block_number(number);
}

/// The longest URL that is not longer than `length`.
fn endpoint<T: Config>(length: u32) -> EndpointOf<T> {
	let mut url = b"http://a".to_vec();
	let length = length.min(T::MaxEndpointLen::get()) as usize;
	url.resize(length.max(url.len()), b'a');
	url.try_into().expect("no longer than an endpoint may be")
}

fn bases<T: Config>(count: u32) -> BasesOf<T> {
	let count = count.min(T::MaxBases::get());
	let bases = T::BenchmarkHelper::bases(count);
	assert_eq!(bases.len(), count as usize);
	bases.try_into().expect("no more than may be served")
}

/// The highest rate that may be asked.
fn rate<T: Config>() -> Rate {
	let most = T::MaxRate::get();
	Rate {
		input: most,
		output: most,
	}
}

/// A bond that is large enough, and for the account to have one.
fn bond<T: Config>() -> Balance {
	T::MinBond::get().max(T::Currency::minimum_balance())
}

/// Gives `who` enough money for three bonds and to live.
fn fund<T: Config>(who: &AccountId) {
	let amount = bond::<T>() * 3 + T::Currency::minimum_balance();
	let debt = T::Currency::deposit(who, amount, Precision::Exact).expect("there is room for it");
	drop(debt);
}

fn hot_key(index: u32) -> AccountId {
	account("hot key", index, 0)
}

/// Registers `who` with the longest endpoint and the most base models, in block [`NOW`].
fn register<T: Config>(who: &AccountId, hot_key: AccountId) {
	set_block::<T>(NOW);
	fund::<T>(who);
	Pallet::<T>::do_register(
		who.clone(),
		hot_key,
		endpoint::<T>(MAX_ENDPOINT),
		bond::<T>(),
		bases::<T>(MAX_BASES),
		rate::<T>(),
	)
	.expect("it has the money and everything else is right");
}

/// A provider that is as large as it can be.
fn provider<T: Config>() -> AccountId {
	let who = whitelisted_caller();
	register::<T>(&who, hot_key(0));
	who
}

fn record<T: Config>(who: &AccountId) -> Provider<T> {
	Providers::<T>::get(who).expect("it is registered")
}

/// Fills the list of former quotes of `who`; the answer is the number of its present one.
fn fill_former_quotes<T: Config>(who: &AccountId) -> QuoteId {
	let count = QuoteId::from(T::MaxFormerQuotes::get());
	let quote = |id| Quote {
		id,
		rate: rate::<T>(),
	};
	let former: Vec<_> = (1..=count).map(quote).collect();
	FormerQuotes::<T>::insert(who, BoundedVec::truncate_from(former));
	let mut provider = record::<T>(who);
	provider.quote = quote(count + 1);
	Providers::<T>::insert(who, provider);
	count + 1
}

/// Lists as many others as there is room for among those whose price changes in block `from`, less
/// `room`.
fn fill_changes<T: Config>(from: BlockNumber, room: u32) {
	let others = (0..T::MaxQuoteChanges::get() - room).map(|index| account("other", index, from));
	QuoteChanges::<T>::insert(from, BoundedVec::truncate_from(others.collect()));
}

/// Announces a quote of `who` for block `from`, where it is last in a full list.
fn announce<T: Config>(who: &AccountId, from: BlockNumber) {
	fill_changes::<T>(from, 1);
	QuoteChanges::<T>::try_append(from, who.clone()).expect("there is room for one");
	let quote = Quote {
		id: record::<T>(who).quote.id + 1,
		rate: rate::<T>(),
	};
	PendingQuotes::<T>::insert(who, PendingQuote { quote, from });
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// The endpoint is one long host, so all of it is looked at for its end. The account was a provider
	/// before.
	#[benchmark]
	fn register(e: Linear<8, MAX_ENDPOINT>, b: Linear<1, MAX_BASES>) {
		let who: AccountId = whitelisted_caller();
		fund::<T>(&who);
		LastQuotes::<T>::insert(&who, 6);
		let endpoint = endpoint::<T>(e);
		let bases = bases::<T>(b);
		let rate = rate::<T>();

		#[extrinsic_call]
		_(
			RawOrigin::Signed(who.clone()),
			hot_key(0),
			endpoint.clone(),
			bond::<T>(),
			bases.clone(),
			rate,
		);

		let provider = record::<T>(&who);
		assert_eq!(provider.endpoint, endpoint);
		assert_eq!(provider.bases, bases);
		assert_eq!(provider.quote, Quote { id: 7, rate });
		assert_eq!(HotKeys::<T>::get(hot_key(0)), Some(who.clone()));
		assert!(LastSeen::<T>::contains_key(&who));
		assert_eq!(held::<T>(&who), bond::<T>());
	}

	/// An announcement in a full block is taken back, and all blocks in which the new price may
	/// change are full but the last.
	#[benchmark]
	fn set_quote() {
		let who = provider::<T>();
		let first = NOW + T::QuoteNotice::get().max(1);
		let last = first + SPREAD - 1;
		announce::<T>(&who, first - 1);
		(first..last).for_each(|block| fill_changes::<T>(block, 0));
		fill_changes::<T>(last, 1);
		let rate = rate::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), rate);

		let pending = PendingQuotes::<T>::get(&who).expect("it is announced");
		assert_eq!(pending.from, last);
		// The second after the one it was registered with.
		assert_eq!(pending.quote, Quote { id: 3, rate });
		assert_eq!(QuoteChanges::<T>::get(last).last(), Some(&who));
		assert!(!QuoteChanges::<T>::get(first - 1).contains(&who));
	}

	/// The provider's record is as large as it can be.
	#[benchmark]
	fn set_hot_key() {
		let who = provider::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), hot_key(1));

		assert_eq!(record::<T>(&who).hot_key, hot_key(1));
		assert_eq!(HotKeys::<T>::get(hot_key(0)), None);
		assert_eq!(HotKeys::<T>::get(hot_key(1)), Some(who));
	}

	/// The endpoint is one long host, and the one before was as long as it can be.
	#[benchmark]
	fn set_endpoint(e: Linear<8, MAX_ENDPOINT>) {
		let who = provider::<T>();
		let endpoint = endpoint::<T>(e);

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), endpoint.clone());

		assert_eq!(record::<T>(&who).endpoint, endpoint);
	}

	/// The provider's record is as large as it can be.
	#[benchmark]
	fn bond_more() {
		let who = provider::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), bond::<T>());

		assert_eq!(record::<T>(&who).bond, bond::<T>() * 2);
		assert_eq!(held::<T>(&who), bond::<T>() * 2);
	}

	/// A jailed provider, whose announcement in a full block is taken back.
	#[benchmark]
	fn leave() {
		let who = provider::<T>();
		Pallet::<T>::jail(&who);
		announce::<T>(&who, NOW + 1);

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));

		assert!(matches!(
			record::<T>(&who).state,
			ProviderState::Leaving { free_at } if free_at > NOW
		));
		assert_eq!(PendingQuotes::<T>::get(&who), None);
		assert!(!QuoteChanges::<T>::get(NOW + 1).contains(&who));
	}

	/// As many former quotes as are kept are forgotten.
	#[benchmark]
	fn withdraw_bond() {
		let who = provider::<T>();
		fill_former_quotes::<T>(&who);
		Pallet::<T>::do_leave(who.clone()).expect("it is registered");
		set_block::<T>(NOW + T::UnbondingPeriod::get());

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));

		assert_eq!(Providers::<T>::get(&who), None);
		assert_eq!(HotKeys::<T>::get(hot_key(0)), None);
		assert!(!FormerQuotes::<T>::contains_key(&who));
		assert!(!LastSeen::<T>::contains_key(&who));
		assert_eq!(held::<T>(&who), 0);
	}

	/// The provider's record is as large as it can be.
	#[benchmark]
	fn unjail() {
		let who = provider::<T>();
		Pallet::<T>::jail(&who);
		let out = NOW + T::JailPeriod::get();
		set_block::<T>(out);

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));

		assert_eq!(record::<T>(&who).state, ProviderState::Active);
		assert_eq!(LastSeen::<T>::get(&who), Some(out));
	}

	/// The signature was checked before, and is not looked at again.
	#[benchmark]
	fn heartbeat() {
		let who = provider::<T>();
		let signature = sr25519_sign(HOT_KEYS, &sr25519_generate(HOT_KEYS, None), b"heartbeat")
			.expect("the key was just made");

		#[extrinsic_call]
		_(
			RawOrigin::Authorized,
			who.clone(),
			NOW + 1,
			signature.into(),
		);

		assert_eq!(LastSeen::<T>::get(&who), Some(NOW + 1));
	}

	/// A good heartbeat, for which everything is checked, the signature last.
	#[benchmark]
	fn authorize_heartbeat() {
		let who = account("provider", 0, 0);
		let machine = sr25519_generate(HOT_KEYS, None);
		super::register::<T>(&who, machine.into());
		let at = NOW + T::HeartbeatPeriod::get().max(1);
		set_block::<T>(at);
		let beat = Heartbeat {
			genesis: System::<T>::block_hash(BlockNumberFor::<T>::zero()),
			provider: who.clone(),
			at,
		};
		let signature = sr25519_sign(HOT_KEYS, &machine, beat.digest().as_bytes())
			.expect("the key was just made");
		let call = Call::<T>::heartbeat {
			provider: who,
			at,
			signature: signature.into(),
		};
		let answer;

		#[block]
		{
			answer = call.authorize(TransactionSource::External);
		}

		let (validity, _) = answer
			.expect("heartbeats are let in by themselves")
			.expect("this one is good");
		assert!(validity.propagate);
	}

	/// Every provider whose price changes is as large as it can be, and has as many former quotes as
	/// are kept, of which the oldest makes room.
	#[benchmark]
	fn change_quotes(c: Linear<0, MAX_QUOTE_CHANGES>) {
		set_block::<T>(NOW);
		let mut due = vec![];
		for index in 0..c.min(T::MaxQuoteChanges::get()) {
			let who = account("provider", index, 0);
			super::register::<T>(&who, hot_key(index));
			let present = fill_former_quotes::<T>(&who);
			let quote = Quote {
				id: present + 1,
				rate: rate::<T>(),
			};
			let from = NOW + 1;
			PendingQuotes::<T>::insert(&who, PendingQuote { quote, from });
			due.push((who, quote));
		}
		let listed = due.iter().map(|(who, _)| who.clone()).collect();
		QuoteChanges::<T>::insert(NOW + 1, BoundedVec::truncate_from(listed));
		set_block::<T>(NOW + 1);

		#[block]
		{
			Pallet::<T>::on_initialize(BlockNumberFor::<T>::zero());
		}

		assert!(!QuoteChanges::<T>::contains_key(NOW + 1));
		for (who, quote) in due {
			assert_eq!(record::<T>(&who).quote, quote);
			assert_eq!(PendingQuotes::<T>::get(&who), None);
			let former = FormerQuotes::<T>::get(&who);
			assert!(former.is_full());
			assert_eq!(former.last().map(|former| former.id), Some(quote.id - 1));
		}
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}

/// What is held of `who` as bond.
fn held<T: Config>(who: &AccountId) -> Balance {
	T::Currency::balance_on_hold(&HoldReason::Bond.into(), who)
}
