//! Shares out what the network earns: redeemed money at once, licence money by epoch and report.
//!
//! # Terms
//!
//! - **Redemption**: money drawn from a channel: a compute part and a licence part.
//! - **Cut**: the protocol's part of both; one part of it is burnt, the rest is the treasury's.
//! - **Epoch**: a stretch of blocks. Licence money redeemed in it is shared out together.
//! - **Terms**: the governed shares. An epoch has one version of them from its first block to its last.
//! - **Pot**: one provider's licence money of one epoch.
//! - **Report**: that provider's commitment to who is owed what of the pot.
//! - **Settlement**: turning the report's payout leaves into credits, in order, each with its proof.
//! - **Credit**: what an account may claim. Dust stays credited until there is more of it.
//!
//! # Story
//!
//! Bob's machine answered for Alice with an adapter that Carol trained on Dave's text. Bob redeems
//! Alice's voucher; he gets the compute part less the cut, and the licence part goes into his pot.
//! The epoch ends. Bob's hot key [reports](Call::report) one root over the receipts and one over the
//! payouts; the chain knows how much money there was, so neither can promise more or less. Anyone who
//! has the receipts can compute the same roots. When the dispute window has passed, Dave, or anyone
//! for him, [settles](Call::settle) the leaves and [claims](Call::claim) what he was credited.
//!
//! # Design
//!
//! - A payout names what somebody did, "contribution 3 of Datanet 1", never an account. The chain
//!   finds the account, so no report can put another in its place. What has no account goes to the
//!   treasury.
//! - Leaves are settled in order, which makes it impossible to settle one twice and needs no bitmap.
//! - [`Pallet::collect`] cannot fail, since the channel has already let go of the money: what an
//!   account cannot take is credited to it.
//! - The pots and credits lie in [one account](Pallet::account_id), which genesis keeps alive.

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

mod impls;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
mod types;
pub mod weights;

pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

use frame::prelude::*;
use openledger_primitives::{
	merkle::{Node, MAX_PROOF},
	AccountId, Balance, BlockNumber, Commitment, EpochIndex, Hash, Payee, PayoutLeaf,
	RedemptionSplit, Terms, TermsVersion,
};

/// The pallet.
// The macros expand to `expect`s that hold for every pallet in a runtime.
#[allow(clippy::expect_used)]
#[frame::pallet]
pub mod pallet {
	use super::*;

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// What the runtime has to supply.
	#[pallet::config]
	pub trait Config:
		frame_system::Config<AccountId = AccountId, Hash = Hash, RuntimeEvent: From<Event<Self>>>
	{
		/// OPEN.
		type Currency: fungible::Mutate<AccountId, Balance = Balance>
			+ fungible::Balanced<AccountId>;

		/// Names the account that holds pots and credits.
		#[pallet::constant]
		type PalletId: Get<PalletId>;

		/// The treasury's account.
		type Treasury: Get<AccountId>;

		/// Who reports for whom.
		type Providers: ProviderInspect;

		/// Who is paid for what.
		type Payees: PayeeInspect;

		/// The governed shares, read when an epoch begins.
		type Terms: Get<Terms>;

		/// Blocks in an epoch, at least two, read when an epoch begins.
		type EpochLength: Get<BlockNumber>;

		/// Blocks between a report and its settlement, read when it is made.
		type DisputeWindow: Get<BlockNumber>;

		/// The most payout leaves settled at once.
		#[pallet::constant]
		type MaxSettle: Get<u32>;

		/// The clock.
		type BlockNumberProvider: BlockNumberProvider<BlockNumber = BlockNumber>;

		/// Weights of the calls.
		type WeightInfo: WeightInfo;
	}

	/// The epoch in progress.
	#[pallet::storage]
	pub type CurrentEpoch<T: Config> = StorageValue<_, Epoch, ValueQuery>;

	/// Every version of the terms that was ever in force. The hasher is cheap since versions are
	/// counted; there is at most one an epoch, and only when governance changed them.
	#[pallet::storage]
	pub type TermsOf<T: Config> = StorageMap<_, Twox64Concat, TermsVersion, Terms>;

	/// The pots. Accounts are free to choose, so they are hashed with a strong hash; epochs are
	/// counted. Each pot was paid for by a redemption.
	#[pallet::storage]
	pub type Pots<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, AccountId, Twox64Concat, EpochIndex, Pot>;

	/// The reports, one for each pot at most; hashed as the pots are.
	#[pallet::storage]
	pub type Reports<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, AccountId, Twox64Concat, EpochIndex, Report>;

	/// What each account may claim, in units. Accounts are free to choose, hence the strong hash; an
	/// entry is made only against money that is there, and none is zero.
	#[pallet::storage]
	pub type Credits<T: Config> = StorageMap<_, Blake2_128Concat, AccountId, Balance, ValueQuery>;

	/// Where all money went.
	#[pallet::storage]
	pub type Totals<T: Config> = StorageValue<_, Flows, ValueQuery>;

	/// Begins the first epoch.
	#[pallet::genesis_config]
	#[derive(frame::prelude::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// Nothing to configure: lengths and shares are governed parameters.
		#[serde(skip)]
		pub _config: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			Pallet::<T>::do_genesis();
		}
	}

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(pub(crate) fn deposit_event)]
	pub enum Event<T: Config> {
		/// An epoch began, and the one before ended.
		#[codec(index = 0)]
		EpochStarted {
			/// The epoch.
			epoch: EpochIndex,
			/// The version of the terms in force in it.
			terms: TermsVersion,
		},
		/// A redemption's money was shared out.
		#[codec(index = 1)]
		Collected {
			/// Who earned it.
			provider: AccountId,
			/// The epoch whose pot its licence part went to.
			epoch: EpochIndex,
			/// The compute part before the cut, in units.
			compute: Balance,
			/// The licence part before the cut, in units.
			licence: Balance,
			/// Where it went.
			split: RedemptionSplit,
		},
		/// A provider reported an epoch.
		#[codec(index = 2)]
		Reported {
			/// The provider.
			provider: AccountId,
			/// The epoch.
			epoch: EpochIndex,
			/// Over the receipts.
			receipts: Commitment,
			/// Over the payouts.
			payouts: Commitment,
			/// The version of the terms it was made by.
			terms: TermsVersion,
			/// The first block in which it may be settled.
			open_at: BlockNumber,
		},
		/// A payout was credited.
		#[codec(index = 3)]
		Credited {
			/// The provider who reported it.
			provider: AccountId,
			/// The epoch it was earned in.
			epoch: EpochIndex,
			/// What for.
			payee: Payee,
			/// Whose credit grew.
			account: AccountId,
			/// By how much, in units.
			amount: Balance,
		},
		/// A payout named nobody, and was credited to the treasury.
		#[codec(index = 4)]
		Unpayable {
			/// The provider who reported it.
			provider: AccountId,
			/// The epoch it was earned in.
			epoch: EpochIndex,
			/// Who does not exist.
			payee: Payee,
			/// How much it was, in units.
			amount: Balance,
		},
		/// The last payout of a report was credited.
		#[codec(index = 5)]
		Settled {
			/// The provider.
			provider: AccountId,
			/// The epoch.
			epoch: EpochIndex,
			/// All that was credited, in units.
			paid: Balance,
		},
		/// An account got what it was credited.
		#[codec(index = 6)]
		Claimed {
			/// The account.
			account: AccountId,
			/// How much it was, in units.
			amount: Balance,
		},
		/// An account could not take what it earned, since it would have stayed below the least
		/// balance, and was credited with it.
		#[codec(index = 7)]
		Deferred {
			/// The account.
			account: AccountId,
			/// How much it was, in units.
			amount: Balance,
		},
	}

	/// Why a call was refused.
	#[pallet::error]
	pub enum Error<T> {
		/// The epoch has not ended, so its pot may still grow. Report it when the next has begun.
		#[codec(index = 0)]
		EpochNotOver,
		/// The sender redeemed no licence money in this epoch. Check the epoch, and sign with the
		/// provider's hot key or its own.
		#[codec(index = 1)]
		NothingToReport,
		/// There is a report for this provider and epoch, and it cannot be changed.
		#[codec(index = 2)]
		AlreadyReported,
		/// The receipts do not sum to the licence money that was redeemed. Name each with what was
		/// redeemed of it in this epoch.
		#[codec(index = 3)]
		ReceiptsDoNotMatch,
		/// The payouts do not sum to the pot after the cut. Compute them from the pot by its terms.
		#[codec(index = 4)]
		PayoutsDoNotMatch,
		/// There are no leaves below a root, or more than a tree may have. Join small leaves.
		#[codec(index = 5)]
		LeafCountOutOfRange,
		/// There is no report for this provider and epoch. It has to be made first.
		#[codec(index = 6)]
		NotReported,
		/// The report may still be disputed. Settle it from the block it names on.
		#[codec(index = 7)]
		WindowOpen,
		/// There are no leaves in the call. Send the next ones.
		#[codec(index = 8)]
		NoLeaves,
		/// Every leaf of this report is settled.
		#[codec(index = 9)]
		NothingLeft,
		/// The proof does not lead from these leaves, as the next ones, to the report's root. Begin
		/// with the first leaf that is not settled.
		#[codec(index = 10)]
		InvalidProof,
		/// The account has no credit. Settle a report that pays it first.
		#[codec(index = 11)]
		NothingToClaim,
		/// The account would stay below the least balance. Wait for more credit, or send it some
		/// money first; the credit is kept.
		#[codec(index = 12)]
		BelowMinimum,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_initialize(_: BlockNumberFor<T>) -> Weight {
			if Self::roll_epoch() {
				T::WeightInfo::begin_epoch()
			} else {
				T::WeightInfo::on_initialize()
			}
		}

		fn integrity_test() {
			assert!(
				T::MaxSettle::get() > 0,
				"a settlement must hold a leaf: MaxSettle > 0"
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), frame::try_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Commits the sender's provider to what an epoch's receipts were and who is owed what. It is
		/// final: there is one report for each provider and epoch. Signed by the provider's hot key,
		/// or by the provider itself, which is the only way once it has left. A sender with a pot of
		/// its own reports that one, whoever's hot key it is.
		///
		/// `receipts` has to sum to the licence money redeemed in the epoch, `payouts` to the same
		/// after the cut. Where the cut took all, `payouts` is the empty commitment and the report is
		/// settled at once.
		///
		/// Fails with [`Error::EpochNotOver`], [`Error::NothingToReport`], [`Error::AlreadyReported`],
		/// [`Error::LeafCountOutOfRange`], [`Error::ReceiptsDoNotMatch`],
		/// [`Error::PayoutsDoNotMatch`].
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::report())]
		pub fn report(
			origin: OriginFor<T>,
			epoch: EpochIndex,
			receipts: Commitment,
			payouts: Commitment,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_report(who, epoch, receipts, payouts)
		}

		/// Credits the next payouts of a report, in order, with one
		/// [range proof](openledger_primitives::merkle) for all of them. Anyone may do it.
		///
		/// Fails with [`Error::NotReported`], [`Error::NoLeaves`], [`Error::NothingLeft`],
		/// [`Error::WindowOpen`], [`Error::InvalidProof`].
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::settle(leaves.len() as u32))]
		pub fn settle(
			origin: OriginFor<T>,
			provider: AccountId,
			epoch: EpochIndex,
			leaves: BoundedVec<PayoutLeaf, T::MaxSettle>,
			proof: BoundedVec<Node, ConstU32<{ MAX_PROOF }>>,
		) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_settle(provider, epoch, leaves.into_inner(), &proof)
		}

		/// Pays `beneficiary` all that it was credited. Anyone may do it for anyone.
		///
		/// Fails with [`Error::NothingToClaim`], [`Error::BelowMinimum`].
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::claim())]
		pub fn claim(origin: OriginFor<T>, beneficiary: AccountId) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_claim(beneficiary)
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// The epoch in progress.
		pub fn epoch() -> Epoch {
			CurrentEpoch::<T>::get()
		}

		/// A version of the terms.
		pub fn terms(version: TermsVersion) -> Option<Terms> {
			TermsOf::<T>::get(version)
		}

		/// A provider's pot of an epoch.
		pub fn pot(provider: AccountId, epoch: EpochIndex) -> Option<Pot> {
			Pots::<T>::get(provider, epoch)
		}

		/// A provider's report of an epoch. (`report` is the name of the call.)
		pub fn report_of(provider: AccountId, epoch: EpochIndex) -> Option<Report> {
			Reports::<T>::get(provider, epoch)
		}

		/// What an account may claim, in units.
		pub fn credit(account: AccountId) -> Balance {
			Credits::<T>::get(account)
		}

		/// Where all money went.
		pub fn totals() -> Flows {
			Totals::<T>::get()
		}
	}
}
