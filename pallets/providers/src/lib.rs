//! Providers: who serves models, where, at what price, and with what at stake.
//!
//! # Terms
//!
//! - **Provider**: an account that offers to run models for money. It is a cold account: its key need
//!   not be on a machine that serves.
//! - **Hot key**: the key on its machines. It signs the provider's usage reports; it can neither take
//!   the bond nor change the registration.
//! - **Bond**: the provider's money that is at stake while it serves and for a while after.
//! - **Quote**: what it asks for computing, in units per 1,000 tokens read and written, with a number.
//!
//! # A user's story
//!
//! Alice [registers](Pallet::register) with a bond, the address of her machine and its hot key, the base
//! models it serves and her price. Clients find her on chain and pay her through channels. She makes it
//! cheaper with [`set_quote`](Pallet::set_quote), and after the notice that is her price. Her machine is broken into: she
//! [replaces the hot key](Pallet::set_hot_key) and the thief has nothing. In the end she
//! [leaves](Pallet::leave), which clients see at once, and after the unbonding period
//! [takes her bond](Pallet::withdraw_bond).
//!
//! # Design
//!
//! The bond is a hold on the provider's own account, so it cannot be spent and is counted once. It
//! stays held for the unbonding period after leaving, while receipts of the last answers can still be
//! disputed; hot key and endpoint can be changed in that time, because reports are still due, but the
//! price cannot. Even then it stays while the provider has collected money that is not
//! [settled](AtRisk), however long that takes.
//!
//! A price is announced some time before it is asked, and what is announced can be read. A client that
//! looks before it signs is never charged a price it did not know, and an answer that is under way is
//! charged by the quote it began with: every quote has a number, which vouchers and receipts name, and
//! what a number meant [stays readable](Pallet::quote_rate) for a good while.
//!
//! A machine shows that it is there by [heartbeats](Pallet::heartbeat). They only inform: a client asks
//! [`is_alive`](Pallet::is_alive) before it opens a channel. Silence is not punished, since the payer
//! risks no more than the one chunk it paid last, and a network failure is no fraud.
//!
//! Who is caught cheating loses some of its bond and goes to **jail**: it keeps its registration, its
//! reports are still due, but it counts as inactive until its time is over and it asks to be let
//! [out](Pallet::unjail) with enough at stake. Who falls below the least bond without more goes there
//! too, for no longer than it takes to bond more.
//!
//! A hot key belongs to one provider, so that a report's signer tells whose it is, and is not the
//! provider's own account, so that who steals it cannot take the bond.

#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs)]
#![cfg_attr(
	not(test),
	deny(
		clippy::arithmetic_side_effects,
		clippy::indexing_slicing,
		clippy::expect_used
	)
)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod impls;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
mod types;
pub mod weights;

use frame::deps::sp_runtime::MultiSignature;
use frame::{prelude::*, token::fungible};
use openledger_primitives::{AccountId, Balance, BaseModelId, BlockNumber, Hash, QuoteId, Rate};

#[cfg(feature = "runtime-benchmarks")]
pub use benchmarking::BenchmarkHelper;
pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

// What the macro generates expects things of the runtime that hold once it compiles.
#[allow(clippy::expect_used)]
#[frame::pallet]
pub mod pallet {
	use super::*;

	/// What the runtime decides.
	#[pallet::config]
	pub trait Config:
		frame_system::Config<AccountId = AccountId, Hash = Hash, RuntimeEvent: From<Event<Self>>>
	{
		/// The money that is bonded.
		type Currency: fungible::hold::Mutate<AccountId, Balance = Balance, Reason = Self::RuntimeHoldReason>
			+ fungible::hold::Balanced<AccountId>;

		/// The runtime's reasons for holding money.
		type RuntimeHoldReason: From<HoldReason>;

		/// The base models that there are.
		type Bases: BaseInspect;

		/// What providers have yet to account for.
		type AtRisk: AtRisk;

		/// Least bond of a provider, in units.
		type MinBond: Get<Balance>;

		/// How many blocks the bond stays held after leaving.
		type UnbondingPeriod: Get<BlockNumber>;

		/// How many blocks a jailed provider stays jailed at least.
		type JailPeriod: Get<BlockNumber>;

		/// How many blocks ahead another price has to be announced; at least one, whatever this says.
		type QuoteNotice: Get<BlockNumber>;

		/// The fewest blocks between two heartbeats of a provider, and the most that one may be old.
		type HeartbeatPeriod: Get<BlockNumber>;

		/// After how many of those periods without a heartbeat a provider counts as silent.
		type MissedHeartbeats: Get<u32>;

		/// Highest rate a provider may ask, in units per 1,000 tokens.
		type MaxRate: Get<Balance>;

		/// Most base models a provider may serve.
		#[pallet::constant]
		type MaxBases: Get<u32>;

		/// Most bytes of an endpoint.
		#[pallet::constant]
		type MaxEndpointLen: Get<u32>;

		/// How many of a provider's former quotes are kept.
		#[pallet::constant]
		type MaxFormerQuotes: Get<u32>;

		/// Most prices that change in one block.
		#[pallet::constant]
		type MaxQuoteChanges: Get<u32>;

		/// The clock that periods are counted by. It must give every number, as blocks do: what is due
		/// in a number that is left out stays undone.
		type BlockNumberProvider: BlockNumberProvider<BlockNumber = BlockNumber>;

		/// Weights of the calls.
		type WeightInfo: WeightInfo;

		/// What benchmarks need of other pallets.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: BenchmarkHelper;
	}

	/// Why money is held.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// A provider's bond.
		#[codec(index = 0)]
		Bond,
	}

	/// The pallet.
	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// Providers by account. Whoever pays a bond chooses the key, so the hasher must be a strong one.
	/// The account is part of the key, for reading all providers.
	#[pallet::storage]
	pub type Providers<T: Config> = StorageMap<_, Blake2_128Concat, AccountId, Provider<T>>;

	/// The provider each hot key belongs to. Providers choose hot keys, so the hasher must be a strong
	/// one; one entry per entry of [`Providers`].
	#[pallet::storage]
	pub type HotKeys<T: Config> = StorageMap<_, Blake2_128Concat, AccountId, AccountId>;

	/// Quotes that are announced and not in force yet, one for each provider at most; hashed as they
	/// are.
	#[pallet::storage]
	pub type PendingQuotes<T: Config> = StorageMap<_, Blake2_128Concat, AccountId, PendingQuote>;

	/// Whose price changes in which block. The hasher is cheap since blocks are counted; there is an
	/// account for each entry of [`PendingQuotes`].
	#[pallet::storage]
	pub type QuoteChanges<T: Config> = StorageMap<
		_,
		Twox64Concat,
		BlockNumber,
		BoundedVec<AccountId, T::MaxQuoteChanges>,
		ValueQuery,
	>;

	/// The quotes that were in force before a provider's present one, oldest first; hashed as
	/// providers are. Only the newest are kept.
	#[pallet::storage]
	pub type FormerQuotes<T: Config> = StorageMap<
		_,
		Blake2_128Concat,
		AccountId,
		BoundedVec<Quote, T::MaxFormerQuotes>,
		ValueQuery,
	>;

	/// The highest quote number of an account that was a provider and is none now, hashed as providers
	/// are: if it registers again its numbers go on, or one number would mean two prices to who knew the
	/// first. Each entry took a bond, held for the unbonding period.
	#[pallet::storage]
	pub type LastQuotes<T: Config> =
		StorageMap<_, Blake2_128Concat, AccountId, QuoteId, ValueQuery>;

	/// The block in which a provider was last known to be there; hashed as providers are.
	#[pallet::storage]
	pub type LastSeen<T: Config> = StorageMap<_, Blake2_128Concat, AccountId, BlockNumber>;

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(pub(crate) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A provider registered.
		#[codec(index = 0)]
		Registered {
			/// Its account.
			provider: AccountId,
			/// The key on its machines.
			hot_key: AccountId,
			/// Where it is reached.
			endpoint: EndpointOf<T>,
			/// What it has at stake, in units.
			bond: Balance,
			/// The base models it serves.
			bases: BasesOf<T>,
			/// What it asks.
			quote: Quote,
		},
		/// A provider asks the price that it announced.
		#[codec(index = 1)]
		QuoteChanged {
			/// The provider.
			provider: AccountId,
			/// What it asks from now on.
			quote: Quote,
		},
		/// A provider has another hot key; the one before counts no more.
		#[codec(index = 2)]
		HotKeyChanged {
			/// The provider.
			provider: AccountId,
			/// The new key.
			hot_key: AccountId,
		},
		/// A provider is reached elsewhere.
		#[codec(index = 3)]
		EndpointChanged {
			/// The provider.
			provider: AccountId,
			/// Where it is reached from now on.
			endpoint: EndpointOf<T>,
		},
		/// A provider bonded more.
		#[codec(index = 4)]
		Bonded {
			/// The provider.
			provider: AccountId,
			/// What it has at stake now, in units.
			bond: Balance,
		},
		/// A provider takes no more work.
		#[codec(index = 5)]
		Leaving {
			/// The provider.
			provider: AccountId,
			/// The first block in which it may take its bond.
			free_at: BlockNumber,
		},
		/// A provider took its bond and is gone.
		#[codec(index = 6)]
		Left {
			/// The provider.
			provider: AccountId,
			/// The bond it got back, in units.
			bond: Balance,
		},
		/// A provider lost some of its bond.
		#[codec(index = 7)]
		BondSlashed {
			/// The provider.
			provider: AccountId,
			/// What it lost, in units.
			amount: Balance,
			/// What it has at stake now, in units.
			bond: Balance,
		},
		/// A provider gets no work for a while.
		#[codec(index = 8)]
		Jailed {
			/// The provider.
			provider: AccountId,
			/// The first block in which it may ask to be let out.
			until: BlockNumber,
		},
		/// A provider gets work again.
		#[codec(index = 9)]
		Unjailed {
			/// The provider.
			provider: AccountId,
		},
		/// A provider will ask another price. What it announced before and is not in force yet counts
		/// no more.
		#[codec(index = 10)]
		QuoteAnnounced {
			/// The provider.
			provider: AccountId,
			/// What it will ask.
			quote: Quote,
			/// The first block in which it asks that.
			from: BlockNumber,
		},
		/// A provider's machine is there.
		#[codec(index = 11)]
		Heartbeat {
			/// The provider.
			provider: AccountId,
			/// The block in which its machine was running.
			at: BlockNumber,
		},
	}

	/// What went wrong.
	#[pallet::error]
	pub enum Error<T> {
		/// The account is no provider; register first.
		#[codec(index = 0)]
		NotProvider,
		/// The account is a provider already; change what is registered instead.
		#[codec(index = 1)]
		AlreadyRegistered,
		/// Another registration uses this hot key, or this one does already; make a new key.
		#[codec(index = 2)]
		HotKeyTaken,
		/// The hot key is the provider's own account; make a key that only the machine has.
		#[codec(index = 3)]
		HotKeyIsProvider,
		/// The endpoint must be an `http://` or `https://` URL with a host, without spaces or control
		/// characters.
		#[codec(index = 4)]
		InvalidEndpoint,
		/// The bond is below the least bond; bond more.
		#[codec(index = 5)]
		BondTooSmall,
		/// A provider must serve at least one base model.
		#[codec(index = 6)]
		NoBases,
		/// A base model is named twice; name each once.
		#[codec(index = 7)]
		DuplicateBase,
		/// There is no base model with this id; register it first.
		#[codec(index = 8)]
		UnknownBase,
		/// The rate is above what governance allows.
		#[codec(index = 9)]
		RateTooHigh,
		/// The amount is zero.
		#[codec(index = 10)]
		ZeroAmount,
		/// The provider is leaving; take the bond when it is free, then register again.
		#[codec(index = 11)]
		AlreadyLeaving,
		/// The provider is not leaving; leave first.
		#[codec(index = 12)]
		NotLeaving,
		/// The unbonding period is not over; wait for the block given when leaving.
		#[codec(index = 13)]
		BondLocked,
		/// The provider is not jailed; there is nothing to ask for.
		#[codec(index = 14)]
		NotJailed,
		/// The time in jail is not over; wait for the block given when it was jailed.
		#[codec(index = 15)]
		StillJailed,
		/// The provider has collected money that is not settled. Have its epochs reported and settled,
		/// then take the bond.
		#[codec(index = 16)]
		BondAtRisk,
		/// Too many prices change in the blocks in question; try again in a later block.
		#[codec(index = 17)]
		TooManyQuoteChanges,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			assert!(
				T::MaxBases::get() > 0,
				"a provider serves at least one base model"
			);
			assert!(
				T::MaxEndpointLen::get() >= 16,
				"an endpoint needs some bytes"
			);
			assert!(
				T::MaxQuoteChanges::get() > 0,
				"prices must be able to change"
			);
			assert!(
				T::MaxFormerQuotes::get() > 0,
				"receipts name the quote before this one"
			);
			#[cfg(feature = "runtime-benchmarks")]
			benchmarking::assert_bounds_are_measured::<T>();
		}

		fn on_initialize(_: BlockNumberFor<T>) -> Weight {
			T::WeightInfo::change_quotes(Self::change_quotes())
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), frame::try_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Registers the caller as a provider.
		///
		/// - `hot_key`: the key on its machines; no other provider's, and not the caller's account.
		/// - `endpoint`: where it is reached, an `http://` or `https://` URL.
		/// - `bond`: what it puts at stake, in units; held on the caller's account.
		/// - `bases`: the base models it serves.
		/// - `rate`: what it asks for computing, in units per 1,000 tokens.
		///
		/// Emits [`Event::Registered`]. Fails with [`Error::AlreadyRegistered`],
		/// [`Error::HotKeyIsProvider`], [`Error::HotKeyTaken`], [`Error::InvalidEndpoint`],
		/// [`Error::BondTooSmall`], [`Error::NoBases`], [`Error::DuplicateBase`],
		/// [`Error::UnknownBase`], [`Error::RateTooHigh`], or if the caller cannot pay the bond.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::register(
			u32::try_from(endpoint.len()).unwrap_or(u32::MAX),
			u32::try_from(bases.len()).unwrap_or(u32::MAX),
		))]
		pub fn register(
			origin: OriginFor<T>,
			hot_key: AccountId,
			endpoint: EndpointOf<T>,
			bond: Balance,
			bases: BasesOf<T>,
			rate: Rate,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_register(who, hot_key, endpoint, bond, bases, rate)
		}

		/// Announces another price, under the next quote number. Dearer or cheaper, it is in force
		/// after the notice and not before, so nobody's price changes while it is being agreed to. An
		/// announcement before this one that is not in force yet is void, and its number with it.
		///
		/// Emits [`Event::QuoteAnnounced`], and [`Event::QuoteChanged`] in the block in question. Fails with [`Error::NotProvider`],
		/// [`Error::AlreadyLeaving`], [`Error::RateTooHigh`], [`Error::TooManyQuoteChanges`].
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::set_quote())]
		pub fn set_quote(origin: OriginFor<T>, rate: Rate) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_set_quote(who, rate)
		}

		/// Replaces the hot key; the one before counts no more.
		///
		/// Emits [`Event::HotKeyChanged`]. Fails with [`Error::NotProvider`],
		/// [`Error::HotKeyIsProvider`], [`Error::HotKeyTaken`].
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::set_hot_key())]
		pub fn set_hot_key(origin: OriginFor<T>, hot_key: AccountId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_set_hot_key(who, hot_key)
		}

		/// Says where the provider is reached from now on.
		///
		/// Emits [`Event::EndpointChanged`]. Fails with [`Error::NotProvider`],
		/// [`Error::InvalidEndpoint`].
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::set_endpoint(
			u32::try_from(endpoint.len()).unwrap_or(u32::MAX)
		))]
		pub fn set_endpoint(origin: OriginFor<T>, endpoint: EndpointOf<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_set_endpoint(who, endpoint)
		}

		/// Puts `amount` more units at stake.
		///
		/// Emits [`Event::Bonded`]. Fails with [`Error::NotProvider`], [`Error::AlreadyLeaving`],
		/// [`Error::ZeroAmount`], or if the caller cannot pay it.
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::bond_more())]
		pub fn bond_more(origin: OriginFor<T>, amount: Balance) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_bond_more(who, amount)
		}

		/// Stops taking work, for good. The bond stays held for the unbonding period in force now; a
		/// jailed provider's at least until it could have been let out. An announced price is dropped.
		///
		/// Emits [`Event::Leaving`]. Fails with [`Error::NotProvider`], [`Error::AlreadyLeaving`].
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::leave())]
		pub fn leave(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_leave(who)
		}

		/// Takes the bond after the unbonding period and removes the registration. Vouchers that the
		/// provider still holds are worth only their compute money from then on.
		///
		/// Emits [`Event::Left`]. Fails with [`Error::NotProvider`], [`Error::NotLeaving`],
		/// [`Error::BondLocked`], [`Error::BondAtRisk`].
		#[pallet::call_index(6)]
		#[pallet::weight(T::WeightInfo::withdraw_bond())]
		pub fn withdraw_bond(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_withdraw_bond(who)
		}

		/// Takes work again after jail. The bond must be at least the least bond by now.
		///
		/// Emits [`Event::Unjailed`]. Fails with [`Error::NotProvider`], [`Error::NotJailed`],
		/// [`Error::StillJailed`], [`Error::BondTooSmall`].
		#[pallet::call_index(7)]
		#[pallet::weight(T::WeightInfo::unjail())]
		pub fn unjail(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_unjail(who)
		}

		/// Shows that a provider's machine is there: costs no fee and needs no account, as `signature`
		/// says enough.
		///
		/// - `provider`: the provider, which must be active;
		/// - `at`: the newest block that its machine knew when it signed;
		/// - `signature`: its hot key's over the [heartbeat](openledger_primitives::Heartbeat).
		///
		/// At most one in a period is accepted of a provider, and none that is older than a period: a
		/// signature is worth one transaction, once.
		///
		/// Emits [`Event::Heartbeat`]. A transaction is invalid, and none is included, with
		/// `BadSigner` if the provider is not active, `Future` if the block is still to come, `Stale` if
		/// the last heartbeat is less than a period before, `AncientBirthBlock` if it is too old, and
		/// `BadProof` if the signature is not the hot key's.
		#[pallet::call_index(8)]
		#[pallet::weight(T::WeightInfo::heartbeat())]
		#[pallet::authorize(Self::authorize_heartbeat)]
		#[pallet::weight_of_authorize(T::WeightInfo::authorize_heartbeat())]
		pub fn heartbeat(
			origin: OriginFor<T>,
			provider: AccountId,
			at: BlockNumber,
			signature: MultiSignature,
		) -> DispatchResult {
			ensure_authorized(origin)?;
			// Whose signature it is was checked before the transaction was let in.
			let _ = signature;
			Self::do_heartbeat(provider, at);
			Ok(())
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// The provider with this account.
		pub fn provider(account: AccountId) -> Option<Provider<T>> {
			Providers::<T>::get(account)
		}

		/// What the provider with this account asks; nothing if it takes no work.
		pub fn quote(account: AccountId) -> Option<Quote> {
			let provider = Providers::<T>::get(account)?;
			(provider.state == ProviderState::Active).then_some(provider.quote)
		}

		/// The price that a provider has announced and does not ask yet.
		pub fn pending_quote(account: AccountId) -> Option<PendingQuote> {
			PendingQuotes::<T>::get(account)
		}

		/// What a provider asks, or once asked, under a quote number; `None` if it never did, or if it
		/// was too many quotes ago.
		pub fn quote_rate(account: AccountId, quote: QuoteId) -> Option<Rate> {
			let present = Providers::<T>::get(&account)?.quote;
			if present.id == quote {
				return Some(present.rate);
			}
			FormerQuotes::<T>::get(account)
				.into_iter()
				.find(|former| former.id == quote)
				.map(|former| former.rate)
		}

		/// The block in which a provider was last known to be there; `None` if it never was.
		pub fn last_seen(account: AccountId) -> Option<BlockNumber> {
			LastSeen::<T>::get(account)
		}

		/// Whether a provider takes work and has given signs of life lately. Nobody loses anything by
		/// being silent: clients look elsewhere first.
		pub fn is_alive(account: AccountId) -> bool {
			let silence = T::HeartbeatPeriod::get().saturating_mul(T::MissedHeartbeats::get());
			let now = T::BlockNumberProvider::current_block_number();
			Self::is_active(&account)
				&& LastSeen::<T>::get(account).is_some_and(|at| now.saturating_sub(at) <= silence)
		}

		/// The provider that a hot key belongs to.
		pub fn provider_of(hot_key: AccountId) -> Option<AccountId> {
			HotKeys::<T>::get(hot_key)
		}
	}
}
