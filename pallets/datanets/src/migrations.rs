//! From older layouts of this pallet's storage to the present one.
//!
//! - 0 → 1: a reviewer counts its seats, not its votes, and remembers its last absence; a bond says when
//!   its contribution was made. Seats of reviewers who had left are gone. Contributions that were accepted
//!   have a place of their own, and only these count as kept.

use crate::*;
#[cfg(any(feature = "std", feature = "try-runtime"))]
use alloc::vec::Vec;
use alloc::{collections::BTreeMap, vec};
use frame::deps::frame_support::{
	migrations::VersionedMigration, storage_alias, traits::UncheckedOnRuntimeUpgrade,
};

/// Version of the layout that this code reads and writes.
pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

/// The layout of version 0.
// The aliases expand to types that nothing can document.
#[allow(missing_docs)]
pub mod v0 {
	use super::*;

	/// What a contribution has at stake.
	#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
	pub struct Bond {
		/// Forfeited if the contribution is proven to be a duplicate; in units.
		pub amount: Balance,
		/// What the reviewers get, in units.
		pub fee: Balance,
		/// The block from which it may be taken back.
		pub free_at: Option<BlockNumber>,
	}

	/// Who has stake in a Datanet's panel.
	#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
	pub struct Reviewer {
		/// The account.
		pub account: AccountId,
		/// What it has at stake, in units.
		pub stake: Balance,
		/// The block since which it has had all of that at stake.
		pub since: BlockNumber,
		/// In how many open reviews it has committed to a vote.
		pub votes: u32,
		/// Whether it leaves as soon as those are concluded.
		pub leaving: bool,
	}

	/// The reviewers of a Datanet.
	pub type PanelOf<T> = BoundedVec<Reviewer, <T as Config>::MaxPanel>;

	/// What contributions have at stake.
	#[storage_alias]
	pub type Bonds<T: Config> = StorageDoubleMap<
		Pallet<T>,
		Twox64Concat,
		DatanetId,
		Twox64Concat,
		ContributionId,
		Bond,
		OptionQuery,
	>;

	/// The reviewers of each Datanet that has any.
	#[storage_alias]
	pub type Panels<T: Config> =
		StorageMap<Pallet<T>, Twox64Concat, DatanetId, PanelOf<T>, ValueQuery>;
}

/// From version 0 to version 1.
pub type V1<T> =
	VersionedMigration<0, 1, CountSeats<T>, Pallet<T>, <T as frame_system::Config>::DbWeight>;

/// What [`V1`] does to storage, whatever its version.
pub struct CountSeats<T>(PhantomData<T>);

impl<T: Config> UncheckedOnRuntimeUpgrade for CountSeats<T> {
	fn on_runtime_upgrade() -> Weight {
		let mut moved = 0u64;
		let mut seats = BTreeMap::<(DatanetId, AccountId), u32>::new();
		let mut reviews = vec![];
		reviews.extend(Reviews::<T>::iter());
		for (datanet, id, mut review) in reviews {
			let panel = v0::Panels::<T>::get(datanet);
			// Whose stake is gone shall not count for the quorum.
			review.seats.retain(|seat| {
				panel
					.iter()
					.any(|reviewer| reviewer.account == seat.reviewer)
			});
			for seat in &review.seats {
				let count = seats.entry((datanet, seat.reviewer.clone())).or_default();
				*count = count.saturating_add(1);
			}
			Reviews::<T>::insert(datanet, id, review);
			moved = moved.saturating_add(1);
		}
		Panels::<T>::translate::<v0::PanelOf<T>, _>(|datanet, old| {
			moved = moved.saturating_add(1);
			let panel = old.into_iter().map(|reviewer| Reviewer {
				seats: seats
					.remove(&(datanet, reviewer.account.clone()))
					.unwrap_or_default(),
				account: reviewer.account,
				stake: reviewer.stake,
				since: reviewer.since,
				leaving: reviewer.leaving,
				absent: 0,
			});
			Some(BoundedVec::truncate_from(panel.collect()))
		});
		Bonds::<T>::translate::<v0::Bond, _>(|_, _, old| {
			moved = moved.saturating_add(1);
			Some(Bond {
				amount: old.amount,
				fee: old.fee,
				free_at: old.free_at,
				registered: 0,
			})
		});
		let mut kept = BTreeMap::<DatanetId, u32>::new();
		for (datanet, id, contribution) in Contributions::<T>::iter() {
			moved = moved.saturating_add(1);
			if !contribution.state.is_undecided() {
				Admitted::<T>::insert(datanet, id, ());
				let count = kept.entry(datanet).or_default();
				*count = count.saturating_add(1);
			}
		}
		Datanets::<T>::translate_values(|mut pool: Datanet<T>| {
			moved = moved.saturating_add(1);
			pool.kept = 0;
			Some(pool)
		});
		for (datanet, count) in kept {
			Datanets::<T>::mutate(datanet, |pool| {
				if let Some(pool) = pool {
					pool.kept = count;
				}
			});
		}
		// Each entry is read and written; a review's panel is read, too.
		T::DbWeight::get().reads_writes(moved.saturating_mul(2), moved.saturating_mul(2))
	}

	#[cfg(feature = "try-runtime")]
	fn pre_upgrade() -> Result<Vec<u8>, frame::try_runtime::TryRuntimeError> {
		Ok(Self::note())
	}

	#[cfg(feature = "try-runtime")]
	fn post_upgrade(state: Vec<u8>) -> Result<(), frame::try_runtime::TryRuntimeError> {
		Self::verify(&state)
	}
}

#[cfg(any(feature = "std", feature = "try-runtime"))]
impl<T: Config> CountSeats<T> {
	/// What [`verify`](Self::verify) compares with, to be called before the upgrade: how many bonds there
	/// are, and who is on which panel with how much.
	pub fn note() -> Vec<u8> {
		let bonds = v0::Bonds::<T>::iter_values().count() as u64;
		let mut stakes: Vec<_> = v0::Panels::<T>::iter()
			.flat_map(|(datanet, panel)| {
				panel
					.into_iter()
					.map(move |reviewer| (datanet, reviewer.account, reviewer.stake))
			})
			.collect();
		stakes.sort_unstable();
		(bonds, stakes).encode()
	}

	/// Checks after the upgrade that no bond and no reviewer was lost, and every invariant.
	pub fn verify(noted: &[u8]) -> Result<(), frame::deps::sp_runtime::TryRuntimeError> {
		let bonds = Bonds::<T>::iter_values().count() as u64;
		let mut stakes: Vec<_> = Panels::<T>::iter()
			.flat_map(|(datanet, panel)| {
				panel
					.into_iter()
					.map(move |reviewer| (datanet, reviewer.account, reviewer.stake))
			})
			.collect();
		stakes.sort_unstable();
		ensure!(
			(bonds, stakes).encode() == noted,
			"a bond or a stake is not what it was"
		);
		Pallet::<T>::do_try_state()
	}
}
