//! What each call costs, in the worst case that it can meet.

// This runs on no chain: what does not go as it should must fail loudly.
#![allow(
	clippy::arithmetic_side_effects,
	clippy::expect_used,
	clippy::indexing_slicing
)]

use crate::*;
use alloc::{format, vec::Vec};
use frame::{
	benchmarking::prelude::*,
	deps::{
		sp_core::{crypto::KeyTypeId, sr25519},
		sp_io::crypto::{sr25519_generate, sr25519_sign},
	},
	traits::{
		fungible::{Balanced as _, Inspect as _},
		Verify as _,
	},
};
use openledger_primitives::{voucher::wrap, Hash, Voucher, OPEN};

/// What benchmarks need of other pallets.
pub trait BenchmarkHelper {
	/// Makes `provider` one that takes work and has `hot_key`, with as much to read about it as there
	/// can be, and sees to it that it may collect `room` units of licence money.
	fn provide(provider: &AccountId, hot_key: &AccountId, room: Balance);
}

/// Most vouchers of a batch that are measured.
const MAX_BATCH: u32 = 200;
/// Most lanes of a channel that are measured.
const MAX_LANES: u32 = 256;
/// What payers have, in units.
const PURSE: Balance = 1_000_000 * OPEN;
/// What keys are kept under while they are needed.
const KEYS: KeyTypeId = KeyTypeId(*b"benc");
/// A block late enough for everything to have happened before.
const NOW: BlockNumber = 1_000_000;

/// Fails if the runtime allows more than is measured.
pub(crate) fn assert_bounds_are_measured<T: Config>() {
	assert!(
		T::MaxBatch::get() <= MAX_BATCH && T::MaxLanes::get() <= MAX_LANES,
		"weights are measured up to what the runtime allows; raise the benchmarks' bounds with it"
	);
}

fn set_block<T: Config>(number: BlockNumber) {
	T::BlockNumberProvider::set_block_number(number);
}

fn endow<T: Config>(who: &AccountId) {
	let purse = T::Currency::issue(PURSE);
	T::Currency::resolve(who, purse)
		.map_err(drop)
		.expect("a purse is more than the least balance");
}

/// A provider that takes work.
fn provider<T: Config>() -> AccountId {
	let provider = account("provider", 0, 0);
	T::BenchmarkHelper::provide(&provider, &account("hot key", 0, 0), 0);
	provider
}

fn escrow<T: Config>() -> Balance {
	T::MinEscrow::get().max(OPEN)
}

/// Opens a channel to `provider` and replaces its first delegate, `former`, by another, so that it has
/// all that a channel can have.
fn open<T: Config>(payer: &AccountId, provider: &AccountId, former: &AccountId) -> ChannelId {
	endow::<T>(payer);
	if kept::<T>() == 0 {
		endow::<T>(&Pallet::<T>::account());
	}
	let id = NextChannel::<T>::get();
	let delegate = |signer: &AccountId| Some((signer.clone(), PURSE));
	Pallet::<T>::do_open(
		payer.clone(),
		provider.clone(),
		escrow::<T>(),
		delegate(former),
	)
	.expect("the provider is active and the payer has money");
	Pallet::<T>::do_set_delegate(payer.clone(), id, delegate(&key(0).into()))
		.expect("it is the payer's channel");
	id
}

/// The caller's channel, with all that a channel can have.
fn own_channel<T: Config>() -> (AccountId, ChannelId) {
	set_block::<T>(NOW);
	let payer = whitelisted_caller();
	let id = open::<T>(&payer, &provider::<T>(), &account("former", 0, 0));
	(payer, id)
}

/// Thaws the channel and lets the thaw end.
fn thaw_all<T: Config>(payer: &AccountId, id: ChannelId) {
	Pallet::<T>::do_thaw(payer.clone(), id).expect("it is the payer's channel");
	set_block::<T>(channel::<T>(id).thaw.expect("it was thawed"));
}

fn channel<T: Config>(id: ChannelId) -> Channel {
	Channels::<T>::get(id).expect("the channel was opened")
}

/// What waits in escrow of all channels, and the least balance.
fn kept<T: Config>() -> Balance {
	T::Currency::balance(&Pallet::<T>::account())
}

/// The public key of a secret number. Signatures are checked in full only against what is a key.
fn key(number: u32) -> sr25519::Public {
	sr25519_generate(KEYS, Some(format!("0x{:064x}", number + 1).into_bytes()))
}

fn sign(voucher: Voucher, signer: &sr25519::Public) -> SignedVoucher {
	let signature = sr25519_sign(KEYS, signer, voucher.digest().as_bytes())
		.expect("the key was generated here")
		.into();
	SignedVoucher { voucher, signature }
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// With a delegate.
	#[benchmark]
	fn open() {
		let payer: AccountId = whitelisted_caller();
		endow::<T>(&payer);
		let provider = provider::<T>();
		let delegate = account("delegate", 0, 0);

		#[extrinsic_call]
		_(
			RawOrigin::Signed(payer.clone()),
			provider,
			escrow::<T>(),
			Some((delegate, PURSE)),
		);

		let channel = channel::<T>(NextChannel::<T>::get() - 1);
		assert_eq!((channel.escrow, channel.payer), (escrow::<T>(), payer));
		assert_eq!(channel.delegate.map(|delegate| delegate.limit), Some(PURSE));
	}

	/// By another than the payer, whose money changes hands.
	#[benchmark]
	fn top_up() {
		let payer: AccountId = account("payer", 0, 0);
		let id = super::open::<T>(&payer, &provider::<T>(), &account("former", 0, 0));
		let friend: AccountId = whitelisted_caller();
		endow::<T>(&friend);

		#[extrinsic_call]
		_(RawOrigin::Signed(friend), id, OPEN);

		assert_eq!(channel::<T>(id).escrow, escrow::<T>() + OPEN);
		assert!(kept::<T>() >= escrow::<T>() + OPEN);
	}

	/// The former delegate is appointed again, and the present one becomes the former.
	#[benchmark]
	fn set_delegate() {
		let (payer, id) = own_channel::<T>();
		let former: AccountId = account("former", 0, 0);

		#[extrinsic_call]
		_(
			RawOrigin::Signed(payer),
			id,
			Some((former.clone(), 2 * PURSE)),
		);

		let channel = channel::<T>(id);
		assert_eq!(
			channel.delegate.map(|delegate| delegate.signer),
			Some(former)
		);
		assert_eq!(
			channel.former.map(|former| former.delegate.signer),
			Some(key(0).into())
		);
	}

	/// Of a channel with all that it can have.
	#[benchmark]
	fn thaw() {
		let (payer, id) = own_channel::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(payer), id);

		assert!(channel::<T>(id).thaw > Some(NOW));
	}

	/// Of a channel with all that it can have.
	#[benchmark]
	fn cancel_thaw() {
		let (payer, id) = own_channel::<T>();
		Pallet::<T>::do_thaw(payer.clone(), id).expect("it is the payer's channel");

		#[extrinsic_call]
		_(RawOrigin::Signed(payer), id);

		assert_eq!(channel::<T>(id).thaw, None);
	}

	/// Of a channel with all that it can have.
	#[benchmark]
	fn withdraw() {
		let (payer, id) = own_channel::<T>();
		thaw_all::<T>(&payer, id);
		let before = kept::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(payer), id);

		let channel = channel::<T>(id);
		assert_eq!((channel.escrow, channel.generation), (0, 1));
		assert_eq!(kept::<T>(), before - escrow::<T>());
	}

	/// With `l` lanes and money in escrow.
	#[benchmark]
	fn close(l: Linear<0, MAX_LANES>) {
		let (payer, id) = own_channel::<T>();
		for lane in 0..l {
			Lanes::<T>::insert(id, lane as Lane, LaneState::new(0));
		}
		thaw_all::<T>(&payer, id);
		let before = kept::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(payer), id);

		assert!(!Channels::<T>::contains_key(id) && !Deposits::<T>::contains_key(id));
		assert_eq!(Lanes::<T>::iter_prefix(id).count(), 0);
		assert_eq!(kept::<T>(), before - escrow::<T>());
	}

	/// `v` vouchers, each for another lane of another payer's channel, of the two providers that a
	/// sender can redeem for in turn. The key that is tried first, the delegate, has signed each. Each is over more than there is in escrow, so
	/// that it is paid in part.
	#[benchmark]
	fn redeem(v: Linear<1, MAX_BATCH>) {
		set_block::<T>(NOW);
		frame_system::BlockHash::<T>::insert(BlockNumberFor::<T>::zero(), Hash::repeat_byte(7));
		let sender: AccountId = account("sender", 0, 0);
		let other: AccountId = account("other", 0, 0);
		let (escrow, delegate) = (escrow::<T>(), key(0));
		let room = escrow * Balance::from(v);
		T::BenchmarkHelper::provide(&sender, &account("hot key", 0, 0), room);
		T::BenchmarkHelper::provide(&other, &sender, room);
		// What was redeemed on each lane before.
		let before = LaneState {
			amount: 4 * OPEN,
			licence: 3 * OPEN,
			tokens: 1_000,
			..LaneState::new(0)
		};
		let vouchers: Vec<_> = (0..v)
			.map(|index| {
				let provider = if index % 2 == 0 { &sender } else { &other };
				let payer = key(2 + index).into();
				let id = super::open::<T>(&payer, provider, &key(1).into());
				let lane = (index % T::MaxLanes::get()) as Lane;
				Lanes::<T>::insert(id, lane, before);
				Channels::<T>::mutate_extant(id, |channel| {
					channel.deposited += before.amount;
					channel.redeemed += before.amount;
				});
				let voucher = Voucher {
					genesis: Hash::repeat_byte(7),
					channel: id,
					generation: 0,
					lane,
					amount: before.amount + 2 * escrow + 1,
					licence: before.licence + escrow,
					tokens: 2_000,
					receipts: Hash::repeat_byte(8),
					quote: 1,
					valid_until: NOW,
				};
				sign(voucher, &delegate)
			})
			.collect();
		let redeemed: Vec<_> = vouchers
			.iter()
			.map(|signed| (signed.voucher.channel, signed.voucher.lane))
			.collect();
		let vouchers = vouchers.try_into().expect("no more than a batch may have");

		#[extrinsic_call]
		_(RawOrigin::Signed(sender), vouchers);

		for (id, lane) in redeemed {
			let channel = channel::<T>(id);
			assert_eq!(
				(channel.escrow, channel.redeemed),
				(0, before.amount + escrow)
			);
			assert_eq!(
				channel.delegate.map(|delegate| delegate.spent),
				Some(escrow)
			);
			let lane = Lanes::<T>::get(id, lane).expect("it was redeemed");
			assert_eq!(lane.amount, before.amount + escrow);
			assert!(lane.licence > before.licence);
		}
	}

	/// Of a key that did not sign, over the wrapped digest, with the hashing that this takes.
	#[benchmark]
	fn check_signature() {
		let voucher = Voucher {
			genesis: Hash::repeat_byte(7),
			channel: 0,
			generation: 0,
			lane: 0,
			amount: OPEN,
			licence: OPEN,
			tokens: 1,
			receipts: Hash::repeat_byte(8),
			quote: 1,
			valid_until: NOW,
		};
		let signed = sign(voucher, &key(0));
		let other: AccountId = key(1).into();
		let good;

		#[block]
		{
			let wrapped = wrap(signed.voucher.digest());
			good = signed.signature.verify(wrapped.as_slice(), &other);
		}

		assert!(!good);
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
