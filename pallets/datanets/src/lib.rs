//! Datanets: communities pool records here, and models say which of them they were trained on.
//!
//! # Terms
//!
//! - **Datanet**: a pool of records of one media type under one licence.
//! - **Record**: a piece of content, such as a text. Stays off chain.
//! - **Contribution**: records that one contributor gives at once; on chain stands the root of a
//!   [Merkle-sum tree](openledger_primitives::merkle) over them, with their count and bytes.
//! - **Curation**: who decides whether a contribution is accepted.
//! - **Snapshot**: the accepted contributions at one moment, frozen under a version number. Models are
//!   trained on snapshots, and money earned by a model goes to the contributors of its snapshots.
//!
//! # A user's story
//!
//! Alice [creates](Pallet::create) a Datanet of birdsong field notes under `CC-BY-4.0`, curated by
//! herself. Bob [contributes](Pallet::contribute) 200 notes: he puts the files where the URI says, and
//! their root on chain, and names the account that shall earn. Alice reads them and
//! [accepts](Pallet::accept). She makes [snapshot](Pallet::snapshot) 1, and somebody trains an adapter
//! on it. Should Bob [withdraw](Pallet::withdraw) later, snapshot 2 is without his notes; snapshot 1,
//! and what he earns through models trained on it, stay.
//!
//! # Design
//!
//! A snapshot's root covers root, count and bytes of every contribution, so who has the content can
//! prove to the chain that a record is part of a snapshot, by two short proofs.
//!
//! A root can be in a Datanet once, so nobody can give the same records again under another name; the
//! root of what a snapshot contains stays taken even after a withdrawal.
//!
//! Who puts something on chain pays a deposit by its size. It comes back when the state goes: for
//! contributions that are rejected, or withdrawn before a snapshot contains them. Nothing else of them
//! stays. The number of contributions a Datanet keeps is bounded, because making a snapshot reads them
//! all.

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

mod impls;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
mod types;
pub mod weights;

use frame::{prelude::*, traits::Consideration, traits::Footprint};
use openledger_primitives::{
	merkle, AccountId, BlockNumber, Commitment, ContributionId, DatanetId, Hash, SnapshotVersion,
};

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
		/// Deposit for a Datanet, by its encoded size.
		type DatanetConsideration: Consideration<AccountId, Footprint>;

		/// Deposit for a contribution, by its encoded size.
		type ContributionConsideration: Consideration<AccountId, Footprint>;

		/// Most bytes of a name, a licence or a media type.
		#[pallet::constant]
		type MaxNameLen: Get<u32>;

		/// Most bytes of a URI.
		#[pallet::constant]
		type MaxUriLen: Get<u32>;

		/// Most contributions a Datanet keeps; bounds the work of making a snapshot.
		#[pallet::constant]
		type MaxContributions: Get<u32>;

		/// The clock that snapshots are dated by.
		type BlockNumberProvider: BlockNumberProvider<BlockNumber = BlockNumber>;

		/// Weights of the calls.
		type WeightInfo: WeightInfo;
	}

	/// Why money is held.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// Deposit for a Datanet.
		#[codec(index = 0)]
		Datanet,
		/// Deposit for a contribution.
		#[codec(index = 1)]
		Contribution,
	}

	/// The pallet.
	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// The id the next Datanet gets.
	#[pallet::storage]
	pub type NextDatanet<T: Config> = StorageValue<_, DatanetId, ValueQuery>;

	/// Datanets by id. The chain counts the ids, so the cheap hasher is safe; each entry is paid for by
	/// a deposit.
	#[pallet::storage]
	pub type Datanets<T: Config> = StorageMap<_, Twox64Concat, DatanetId, Datanet<T>>;

	/// The deposit of each Datanet: one entry per entry of [`Datanets`], under the same key.
	#[pallet::storage]
	pub type DatanetDeposits<T: Config> =
		StorageMap<_, Twox64Concat, DatanetId, T::DatanetConsideration>;

	/// Contributions by Datanet and id. The chain counts both, so the cheap hasher is safe; a Datanet
	/// keeps at most [`Config::MaxContributions`], each paid for by a deposit.
	#[pallet::storage]
	pub type Contributions<T: Config> =
		StorageDoubleMap<_, Twox64Concat, DatanetId, Twox64Concat, ContributionId, Contribution<T>>;

	/// The deposit of each contribution: one entry per entry of [`Contributions`], under the same key.
	#[pallet::storage]
	pub type ContributionDeposits<T: Config> = StorageDoubleMap<
		_,
		Twox64Concat,
		DatanetId,
		Twox64Concat,
		ContributionId,
		T::ContributionConsideration,
	>;

	/// Which contribution of a Datanet has given a root. Contributors choose the root's bytes, so the
	/// hasher must be a strong one; one entry per entry of [`Contributions`].
	#[pallet::storage]
	pub type ContributionByRoot<T: Config> =
		StorageDoubleMap<_, Twox64Concat, DatanetId, Blake2_128Concat, Hash, ContributionId>;

	/// Snapshots by Datanet and version. The chain counts both, so the cheap hasher is safe; each costs
	/// its maker a reading of all contributions, and only a change allows another.
	#[pallet::storage]
	pub type Snapshots<T: Config> =
		StorageDoubleMap<_, Twox64Concat, DatanetId, Twox64Concat, SnapshotVersion, Snapshot<T>>;

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(pub(crate) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A Datanet was created.
		#[codec(index = 0)]
		Created {
			/// Its id.
			datanet: DatanetId,
			/// Its owner.
			owner: AccountId,
			/// Its name.
			name: NameOf<T>,
			/// SPDX identifier of its licence.
			licence: NameOf<T>,
			/// Media type of its records.
			media_type: NameOf<T>,
			/// Who decides what it accepts.
			curation: Curation,
		},
		/// Records were contributed.
		#[codec(index = 1)]
		Contributed {
			/// The Datanet.
			datanet: DatanetId,
			/// The contribution's id in it.
			contribution: ContributionId,
			/// Who contributed.
			contributor: AccountId,
			/// Who earns.
			payout: AccountId,
			/// The records.
			records: Commitment,
			/// Where they are found.
			uri: UriOf<T>,
		},
		/// A contribution was accepted.
		#[codec(index = 2)]
		Accepted {
			/// The Datanet.
			datanet: DatanetId,
			/// The contribution.
			contribution: ContributionId,
			/// Who contributed.
			contributor: AccountId,
		},
		/// A contribution was rejected and removed.
		#[codec(index = 3)]
		Rejected {
			/// The Datanet.
			datanet: DatanetId,
			/// The contribution.
			contribution: ContributionId,
			/// Who contributed.
			contributor: AccountId,
		},
		/// A snapshot was made.
		#[codec(index = 4)]
		Snapshotted {
			/// The Datanet.
			datanet: DatanetId,
			/// The snapshot's version.
			version: SnapshotVersion,
			/// The accepted contributions.
			contributions: Commitment,
			/// SPDX identifier of the licence.
			licence: NameOf<T>,
		},
		/// A contribution was withdrawn; snapshots from here on are without it.
		#[codec(index = 5)]
		Withdrawn {
			/// The Datanet.
			datanet: DatanetId,
			/// The contribution.
			contribution: ContributionId,
			/// Who contributed.
			contributor: AccountId,
		},
	}

	/// What went wrong.
	#[pallet::error]
	pub enum Error<T> {
		/// There is no Datanet with this id; look it up by the `Created` event.
		#[codec(index = 0)]
		UnknownDatanet,
		/// The Datanet has no contribution with this id, or it was rejected or withdrawn and is gone.
		#[codec(index = 1)]
		UnknownContribution,
		/// Only the Datanet's owner may do this; sign with the owner's account.
		#[codec(index = 2)]
		NotOwner,
		/// Only the contributor may withdraw; sign with the account that contributed.
		#[codec(index = 3)]
		NotContributor,
		/// The contribution was accepted or withdrawn already, so it cannot be accepted or rejected.
		#[codec(index = 4)]
		NotPending,
		/// The contribution is withdrawn already; nothing is left to do.
		#[codec(index = 5)]
		AlreadyWithdrawn,
		/// Name, licence, media type and URI must be UTF-8 text, not empty, without control characters.
		#[codec(index = 6)]
		InvalidText,
		/// The records' root is zero; build the tree over at least one record.
		#[codec(index = 7)]
		NoRoot,
		/// The records' count is zero; contribute at least one record.
		#[codec(index = 8)]
		NoRecords,
		/// There are more records than one tree may have; split them into several contributions.
		#[codec(index = 9)]
		TooManyRecords,
		/// The records have fewer bytes than there are records; leave out the empty ones.
		#[codec(index = 10)]
		EmptyRecords,
		/// The records have more bytes than so many records can have; a record has less than 4 GiB.
		#[codec(index = 11)]
		TooManyBytes,
		/// These very records are in the Datanet already; contribute others.
		#[codec(index = 12)]
		DuplicateContribution,
		/// The Datanet keeps as many contributions as it may; create another one.
		#[codec(index = 13)]
		DatanetFull,
		/// Nothing is accepted, or the last snapshot contains just the same; change something first.
		#[codec(index = 14)]
		NothingNew,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			assert!(T::MaxNameLen::get() > 0, "names need at least one byte");
			assert!(T::MaxUriLen::get() > 0, "URIs need at least one byte");
			assert!(
				(1..=merkle::MAX_LEAVES).contains(&T::MaxContributions::get()),
				"a snapshot's contributions must fit one tree"
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), frame::try_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Creates a Datanet that the caller owns.
		///
		/// - `name`: what it is called; need not be unique.
		/// - `licence`: SPDX identifier of the licence that everything in it is given under.
		/// - `media_type`: media type of its records, such as `text/plain`.
		/// - `curation`: who decides what is accepted.
		///
		/// Holds a deposit of the caller. Emits [`Event::Created`]. Fails with
		/// [`Error::InvalidText`], or if the caller cannot pay the deposit.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::create(Pallet::<T>::text_len(&[name, licence, media_type])))]
		pub fn create(
			origin: OriginFor<T>,
			name: NameOf<T>,
			licence: NameOf<T>,
			media_type: NameOf<T>,
			curation: Curation,
		) -> DispatchResult {
			let owner = ensure_signed(origin)?;
			Self::do_create(owner, name, licence, media_type, curation)
		}

		/// Contributes records to a Datanet, under its licence.
		///
		/// - `records`: root, count and bytes of the Merkle-sum tree over
		///   [`RecordLeaf`](openledger_primitives::RecordLeaf)s, none of them empty.
		/// - `uri`: where the records are found.
		/// - `payout`: the account that earns.
		///
		/// An open Datanet accepts at once, others when their owner [accepts](Pallet::accept). Holds a
		/// deposit of the caller. Emits [`Event::Contributed`], then [`Event::Accepted`] where it is
		/// open. Fails with [`Error::UnknownDatanet`], [`Error::InvalidText`], [`Error::NoRoot`],
		/// [`Error::NoRecords`], [`Error::TooManyRecords`], [`Error::EmptyRecords`],
		/// [`Error::TooManyBytes`], [`Error::DuplicateContribution`], [`Error::DatanetFull`], or if the
		/// caller cannot pay the deposit.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::contribute(Pallet::<T>::text_len(&[uri])))]
		pub fn contribute(
			origin: OriginFor<T>,
			datanet: DatanetId,
			records: Commitment,
			uri: UriOf<T>,
			payout: AccountId,
		) -> DispatchResult {
			let contributor = ensure_signed(origin)?;
			Self::do_contribute(contributor, datanet, records, uri, payout)
		}

		/// Accepts a pending contribution: the next snapshot contains it. Only the Datanet's owner may.
		///
		/// Emits [`Event::Accepted`]. Fails with [`Error::UnknownDatanet`], [`Error::NotOwner`],
		/// [`Error::UnknownContribution`], [`Error::NotPending`].
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::accept())]
		pub fn accept(
			origin: OriginFor<T>,
			datanet: DatanetId,
			contribution: ContributionId,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_accept(who, datanet, contribution)
		}

		/// Rejects a pending contribution: removes it, frees its root, and returns the contributor's
		/// deposit. Only the Datanet's owner may.
		///
		/// Emits [`Event::Rejected`]. Fails with [`Error::UnknownDatanet`], [`Error::NotOwner`],
		/// [`Error::UnknownContribution`], [`Error::NotPending`].
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::reject())]
		pub fn reject(
			origin: OriginFor<T>,
			datanet: DatanetId,
			contribution: ContributionId,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_reject(who, datanet, contribution)
		}

		/// Freezes what is accepted under the next version number. Only the Datanet's owner may; for an
		/// open Datanet, anyone.
		///
		/// Costs by the number of contributions the Datanet keeps; the rest of the weight is refunded.
		/// Emits [`Event::Snapshotted`]. Fails with [`Error::UnknownDatanet`], [`Error::NotOwner`],
		/// [`Error::NothingNew`].
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::snapshot(T::MaxContributions::get()))]
		pub fn snapshot(origin: OriginFor<T>, datanet: DatanetId) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			Self::do_snapshot(who, datanet)
		}

		/// Takes a contribution back: later snapshots are without it. Only its contributor may.
		///
		/// Where a snapshot contains it, it stays on record, keeps earning through models trained on
		/// that snapshot, and its deposit stays held. Otherwise it is removed, its root is free again,
		/// and the deposit is returned. Emits [`Event::Withdrawn`]. Fails with
		/// [`Error::UnknownDatanet`], [`Error::UnknownContribution`], [`Error::NotContributor`],
		/// [`Error::AlreadyWithdrawn`].
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::withdraw())]
		pub fn withdraw(
			origin: OriginFor<T>,
			datanet: DatanetId,
			contribution: ContributionId,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_withdraw(who, datanet, contribution)
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// The Datanet with this id.
		pub fn datanet(datanet: DatanetId) -> Option<Datanet<T>> {
			Datanets::<T>::get(datanet)
		}

		/// A contribution that the Datanet keeps.
		pub fn contribution(
			datanet: DatanetId,
			contribution: ContributionId,
		) -> Option<Contribution<T>> {
			Contributions::<T>::get(datanet, contribution)
		}

		/// The snapshot of a Datanet with this version.
		pub fn snapshot_at(datanet: DatanetId, version: SnapshotVersion) -> Option<Snapshot<T>> {
			Snapshots::<T>::get(datanet, version)
		}

		/// The account that earns for a contribution, if the snapshot contains it.
		pub fn payout_account(
			datanet: DatanetId,
			version: SnapshotVersion,
			contribution: ContributionId,
		) -> Option<AccountId> {
			Self::do_payout_account(datanet, version, contribution)
		}
	}
}
