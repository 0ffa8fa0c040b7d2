//! Escrow that a payer puts up for a provider, and the vouchers drawn on it.
//!
//! # Terms
//!
//! - **Channel**: one payer's prepaid balance with one provider.
//! - **Escrow**: what is left of it. The money waits in an account of the pallet's, for which nobody
//!   can sign.
//! - **Lane**: an independent counter inside a channel, so that several answers can be paid for at a
//!   time. Vouchers of different lanes add up, vouchers of one lane replace each other.
//! - **Voucher**: a signed "on this lane I owe this much in all".
//! - **Delegate**: a hot key that signs vouchers in the payer's stead, up to a limit.
//! - **Thaw**: the notice a payer gives before taking the escrow back.
//! - **Generation**: counts how often the escrow was taken back. A voucher is good for one.
//!
//! # Story
//!
//! Alice wants answers from Bob's machine. She [opens](Call::open) a channel with 10 OPEN and lets a
//! key in her browser sign for up to 2 of them. As tokens stream in, the browser signs vouchers: 0.01,
//! then 0.02, then 0.03. Bob keeps only the last, and in the evening [redeems](Call::redeem) the
//! newest of each of his customers in one transaction. When Alice is done she [thaws](Call::thaw) the
//! channel. Bob sees it and redeems what he still holds; no voucher outlasts the thaw. Then Alice
//! [closes](Call::close) the channel and has the rest and her deposit back, or she
//! [withdraws](Call::withdraw) the rest and keeps the channel for later.
//!
//! # Design
//!
//! - A payment is capped, not refused: a voucher over more than the escrow draws what is there, and
//!   the rest after a top-up. A bad voucher is skipped with a [reason](SkipReason); the others of its
//!   batch are paid.
//! - Only a channel's provider, or its hot key, redeems its vouchers. A payer can sign whatever it
//!   likes; could it redeem too, it would put a voucher ahead of those that the provider holds and
//!   make them void. Anyone may top up, since a top-up changes nothing but the escrow.
//! - What a provider accepted in good faith stays good for a voucher's longest lifetime: a thaw takes
//!   longer than that, and a revoked delegate's vouchers remain valid for that long, within its limit.
//! - A provider has to account for licence money before it is paid out, and answers for that with its
//!   bond. So a voucher whose licence money would outgrow the bond is skipped until there is
//!   [room](Revenue::room).
//! - Escrow leaves the payer's account, so that OPEN locked by a vote cannot be put into a channel, nor
//!   voted with once it is there: on hold in the payer's account, it could vote, be paid to a provider who
//!   is the payer, and vote again.
//! - Anyone may top up, so closing must not depend on an empty escrow: once a thaw has ended, one call
//!   gives the escrow back and removes the channel.
//! - The money leaves as two credits, compute and licence, for [`Config::Revenue`] to place.

#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used))]
#![cfg_attr(
	not(test),
	deny(
		clippy::arithmetic_side_effects,
		clippy::indexing_slicing,
		clippy::expect_used
	)
)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod impls;
pub mod migrations;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
mod types;
pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
pub use benchmarking::BenchmarkHelper;
pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

use frame::prelude::*;
use openledger_primitives::{
	AccountId, Balance, BlockNumber, ChannelId, Generation, Hash, Lane, SignedVoucher,
};

/// The pallet.
// The macros expand to `expect`s that hold for every pallet in a runtime.
#[allow(clippy::expect_used)]
#[frame::pallet]
pub mod pallet {
	use super::*;
	use crate::impls::MAX_EXTRA_CHECKS;
	use frame::traits::{fungible, Consideration, Footprint};

	#[pallet::pallet]
	#[pallet::storage_version(migrations::STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	/// What the runtime has to supply.
	#[pallet::config]
	pub trait Config:
		frame_system::Config<AccountId = AccountId, Hash = Hash, RuntimeEvent: From<Event<Self>>>
	{
		/// OPEN.
		type Currency: fungible::Mutate<AccountId, Balance = Balance>
			+ fungible::Balanced<AccountId>;

		/// Names the account that escrow waits in. Genesis has to give it the least balance of an account.
		#[pallet::constant]
		type PalletId: Get<PalletId>;

		/// Who may be paid, and who acts for them.
		type Providers: ProviderInspect;

		/// Takes the money that vouchers draw.
		type Revenue: Revenue<CreditOf<Self>>;

		/// What a payer leaves as a deposit for a channel and all its lanes.
		type ChannelConsideration: Consideration<AccountId, Footprint>;

		/// Least escrow to open a channel with, in units.
		#[pallet::constant]
		type MinEscrow: Get<Balance>;

		/// Blocks between a thaw and the withdrawal; more than `MaxVoucherLifetime`.
		type ThawPeriod: Get<BlockNumber>;

		/// The most blocks that a voucher may still be good for when it is redeemed.
		type MaxVoucherLifetime: Get<BlockNumber>;

		/// The most vouchers redeemed at once.
		#[pallet::constant]
		type MaxBatch: Get<u32>;

		/// The number of lanes a channel has.
		#[pallet::constant]
		type MaxLanes: Get<u32>;

		/// The clock.
		type BlockNumberProvider: BlockNumberProvider<BlockNumber = BlockNumber>;

		/// Weights of the calls.
		type WeightInfo: WeightInfo;

		/// What benchmarks need of other pallets.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: BenchmarkHelper;
	}

	/// Why money of a payer is on hold.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// The escrow of its channels, in layout 0; nothing is held for it any more.
		#[codec(index = 0)]
		Escrow,
		/// The deposits for its channels' storage.
		#[codec(index = 1)]
		Deposit,
	}

	/// The id that the next channel gets. Never falls, so that no id is used twice.
	#[pallet::storage]
	pub type NextChannel<T: Config> = StorageValue<_, ChannelId, ValueQuery>;

	/// The channels. The hasher is cheap since ids are counted, not chosen; each channel is paid for
	/// by a deposit.
	#[pallet::storage]
	pub type Channels<T: Config> = StorageMap<_, Twox64Concat, ChannelId, Channel>;

	/// The deposits for the channels, apart from them since redeeming does not need them.
	#[pallet::storage]
	pub type Deposits<T: Config> = StorageMap<_, Twox64Concat, ChannelId, T::ChannelConsideration>;

	/// What was redeemed on each lane. The hashers are cheap since neither key is free to choose: ids
	/// are counted, lanes are below `MaxLanes`, which also bounds the lanes of a channel.
	#[pallet::storage]
	pub type Lanes<T: Config> =
		StorageDoubleMap<_, Twox64Concat, ChannelId, Twox64Concat, Lane, LaneState>;

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(pub(crate) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A channel was opened.
		#[codec(index = 0)]
		Opened {
			/// The channel.
			channel: ChannelId,
			/// Whose money it is.
			payer: AccountId,
			/// Who is paid from it.
			provider: AccountId,
			/// What can be spent, in units.
			escrow: Balance,
			/// The generation its vouchers have to name.
			generation: Generation,
		},
		/// A channel's escrow grew.
		#[codec(index = 1)]
		ToppedUp {
			/// The channel.
			channel: ChannelId,
			/// Who paid.
			by: AccountId,
			/// How much, in units.
			amount: Balance,
			/// What can be spent now, in units.
			escrow: Balance,
		},
		/// Who may sign vouchers beside the payer changed.
		#[codec(index = 2)]
		DelegateSet {
			/// The channel.
			channel: ChannelId,
			/// The new delegate.
			delegate: Option<Delegate>,
			/// The revoked delegate whose vouchers are good for a while yet.
			former: Option<Former>,
		},
		/// The payer gave notice that it will withdraw.
		#[codec(index = 3)]
		Thawing {
			/// The channel.
			channel: ChannelId,
			/// The first block in which it may.
			free_at: BlockNumber,
		},
		/// The payer took its notice back.
		#[codec(index = 4)]
		ThawCancelled {
			/// The channel.
			channel: ChannelId,
		},
		/// The payer took the escrow back.
		#[codec(index = 5)]
		Withdrawn {
			/// The channel.
			channel: ChannelId,
			/// How much it was, in units.
			amount: Balance,
			/// The generation that vouchers have to name from now on.
			generation: Generation,
		},
		/// A channel is no more.
		#[codec(index = 6)]
		Closed {
			/// The channel.
			channel: ChannelId,
		},
		/// A voucher was paid, in full or as far as money was there.
		#[codec(index = 7)]
		Redeemed {
			/// The channel.
			channel: ChannelId,
			/// Who paid.
			payer: AccountId,
			/// Who was paid.
			provider: AccountId,
			/// The channel's generation.
			generation: Generation,
			/// The lane.
			lane: Lane,
			/// Compute money paid now, in units.
			compute: Balance,
			/// Licence money paid now, in units.
			licence: Balance,
			/// All that was redeemed on this lane in this generation, in units.
			amount: Balance,
			/// What is left in escrow, in units.
			escrow: Balance,
		},
		/// A voucher was not paid.
		#[codec(index = 8)]
		VoucherSkipped {
			/// Its place in the batch.
			index: u32,
			/// The channel it names.
			channel: ChannelId,
			/// The lane it names.
			lane: Lane,
			/// Why.
			reason: SkipReason,
		},
	}

	/// Why a call was refused.
	#[pallet::error]
	pub enum Error<T> {
		/// The provider is not registered, is jailed, or is leaving. Choose one that is active.
		#[codec(index = 0)]
		ProviderNotActive,
		/// The escrow is below the least a channel is opened with. Put in at least `MinEscrow`.
		#[codec(index = 1)]
		EscrowTooSmall,
		/// There is no such channel, or it was closed. Check the id.
		#[codec(index = 2)]
		UnknownChannel,
		/// Only the channel's payer may do this. Sign with its account.
		#[codec(index = 3)]
		NotPayer,
		/// A top-up of nothing. Name an amount.
		#[codec(index = 4)]
		ZeroAmount,
		/// The delegate is the payer, who may sign anyway. Name another key.
		#[codec(index = 5)]
		DelegateIsPayer,
		/// The key's vouchers are still good, and the new limit is below what they may yet draw.
		/// Name a higher limit, or revoke the key.
		#[codec(index = 6)]
		LimitLowered,
		/// The vouchers of a delegate revoked before are still good. Wait until they have expired,
		/// or thaw the channel.
		#[codec(index = 7)]
		FormerDelegateStillGood,
		/// The channel is thawing already. Wait for it to end, then withdraw.
		#[codec(index = 8)]
		AlreadyThawing,
		/// The channel is not thawing. Thaw it first.
		#[codec(index = 9)]
		NotThawing,
		/// The thaw has not ended. Withdraw from the block it names on.
		#[codec(index = 10)]
		StillThawing,
		/// There is money in escrow. Thaw the channel first, and close it when the thaw has ended.
		#[codec(index = 11)]
		EscrowNotEmpty,
		/// There are no vouchers in the batch. Send at least one.
		#[codec(index = 12)]
		NoVouchers,
		/// The channel has had its last generation, or the last channel id is taken. Open another
		/// channel, or ask for a runtime with wider counters.
		#[codec(index = 13)]
		CounterExhausted,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			assert!(
				T::ThawPeriod::get() > T::MaxVoucherLifetime::get(),
				"a thaw must outlast every voucher: ThawPeriod > MaxVoucherLifetime"
			);
			assert!(
				T::MaxBatch::get() > 0,
				"a batch must hold a voucher: MaxBatch > 0"
			);
			assert!(
				(1..=u32::from(Lane::MAX).saturating_add(1)).contains(&T::MaxLanes::get()),
				"a channel has between 1 and 65,536 lanes: MaxLanes"
			);
			#[cfg(feature = "runtime-benchmarks")]
			benchmarking::assert_bounds_are_measured::<T>();
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), frame::try_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Opens a channel to `provider` with `escrow` units of the sender's money, which moves to the
		/// pallet's account. `delegate` is a second key that may sign vouchers, with the most they may
		/// draw. A deposit for the channel's storage is held until it is closed.
		///
		/// Fails with [`Error::ProviderNotActive`], [`Error::EscrowTooSmall`],
		/// [`Error::DelegateIsPayer`], or if the sender lacks the money.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::open())]
		pub fn open(
			origin: OriginFor<T>,
			provider: AccountId,
			escrow: Balance,
			delegate: Option<(AccountId, Balance)>,
		) -> DispatchResult {
			let payer = ensure_signed(origin)?;
			Self::do_open(payer, provider, escrow, delegate)
		}

		/// Adds `amount` units of the sender's money to a channel, whoever its payer is. The money is
		/// the payer's from then on. A thaw goes on as it was.
		///
		/// Fails with [`Error::ZeroAmount`], [`Error::UnknownChannel`], or if the sender lacks the
		/// money.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::top_up())]
		pub fn top_up(origin: OriginFor<T>, channel: ChannelId, amount: Balance) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_top_up(who, channel, amount)
		}

		/// Appoints, replaces or (with `None`) revokes the key that may sign vouchers beside the payer.
		///
		/// A replaced key's vouchers stay good for the longest lifetime of a voucher, within its
		/// limit, since the provider may have served them; providers serve it no more. Appointing
		/// the same key again starts its limit anew, which may not cut what it may yet draw.
		///
		/// Fails with [`Error::UnknownChannel`], [`Error::NotPayer`], [`Error::DelegateIsPayer`],
		/// [`Error::LimitLowered`], [`Error::FormerDelegateStillGood`].
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::set_delegate())]
		pub fn set_delegate(
			origin: OriginFor<T>,
			channel: ChannelId,
			delegate: Option<(AccountId, Balance)>,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_set_delegate(who, channel, delegate)
		}

		/// Gives notice that the payer will withdraw the escrow. Until the thaw ends, vouchers are
		/// paid as before.
		///
		/// Fails with [`Error::UnknownChannel`], [`Error::NotPayer`], [`Error::AlreadyThawing`].
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::thaw())]
		pub fn thaw(origin: OriginFor<T>, channel: ChannelId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_thaw(who, channel)
		}

		/// Takes the notice back.
		///
		/// Fails with [`Error::UnknownChannel`], [`Error::NotPayer`], [`Error::NotThawing`].
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::cancel_thaw())]
		pub fn cancel_thaw(origin: OriginFor<T>, channel: ChannelId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_cancel_thaw(who, channel)
		}

		/// Gives the whole escrow back to the payer, once the thaw has ended, and begins the channel's
		/// next generation: no voucher signed before is good any more.
		///
		/// Fails with [`Error::UnknownChannel`], [`Error::NotPayer`], [`Error::NotThawing`],
		/// [`Error::StillThawing`], [`Error::CounterExhausted`].
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::withdraw())]
		pub fn withdraw(origin: OriginFor<T>, channel: ChannelId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_withdraw(who, channel)
		}

		/// Removes a channel, lanes and all, and releases its deposit. Money in escrow goes back to
		/// the payer too, once a thaw has ended; so nobody can keep a channel open by topping it up.
		///
		/// Fails with [`Error::UnknownChannel`], [`Error::NotPayer`], [`Error::EscrowNotEmpty`],
		/// [`Error::StillThawing`], [`Error::CounterExhausted`].
		#[pallet::call_index(6)]
		#[pallet::weight(T::WeightInfo::close(T::MaxLanes::get()))]
		pub fn close(origin: OriginFor<T>, channel: ChannelId) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			let lanes = Self::do_close(who, channel)?;
			Ok(Some(T::WeightInfo::close(lanes)).into())
		}

		/// Draws what each voucher owes beyond what was redeemed on its lane, as far as the escrow and
		/// the limit of a delegate who signed it go. A voucher that is not good is reported by
		/// [`Event::VoucherSkipped`] and the others are paid.
		///
		/// The sender has to be the provider of the vouchers' channels or its hot key; the vouchers of
		/// any other provider are skipped. A provider whose account is another's hot key redeems for
		/// both. Weighed as if every voucher were signed by the key that is tried last; what was not
		/// needed of that is given back.
		///
		/// Fails with [`Error::NoVouchers`].
		#[pallet::call_index(7)]
		#[pallet::weight(Pallet::<T>::redeem_weight(
			vouchers.len() as u32,
			(vouchers.len() as u32).saturating_mul(MAX_EXTRA_CHECKS)
		))]
		pub fn redeem(
			origin: OriginFor<T>,
			vouchers: BoundedVec<SignedVoucher, T::MaxBatch>,
		) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			let count = vouchers.len() as u32;
			let extra_checks = Self::do_redeem(who, vouchers)?;
			Ok(Some(Self::redeem_weight(count, extra_checks)).into())
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// The channel with this id.
		pub fn channel(channel: ChannelId) -> Option<Channel> {
			Channels::<T>::get(channel)
		}

		/// The licence money, in units, that a provider may still collect before what it has to account
		/// for outgrows its bond; vouchers that draw more at a time are skipped.
		pub fn room(provider: AccountId) -> Balance {
			T::Revenue::room(&provider)
		}

		/// What was redeemed on a lane in the channel's current generation; `None` if the channel or
		/// the lane does not exist.
		pub fn lane(channel: ChannelId, lane: Lane) -> Option<LaneState> {
			let generation = Channels::<T>::get(channel)?.generation;
			(u32::from(lane) < T::MaxLanes::get())
				.then(|| Self::lane_state(channel, lane, generation))
		}
	}
}
