//! From older layouts of this pallet's storage to the present one.
//!
//! - 0 → 1: an attribution algorithm knows its test vectors, its schema, its files and who proposed it;
//!   names of algorithms lead to them; ids are counted.
//! - 1 → 2: proposed algorithms are kept apart, under ids of their own. A proposal keeps its number. Names
//!   of proposals are free, and ids that only proposals had are given again.

use crate::*;
use alloc::vec::Vec;
use frame::deps::frame_support::{
	migrations::VersionedMigration, storage_alias, traits::UncheckedOnRuntimeUpgrade,
};

/// Version of the layout that this code reads and writes.
pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(2);

/// The layout of version 0.
// The alias expands to a type that nothing can document.
#[allow(missing_docs)]
pub mod v0 {
	use super::*;

	/// A version of an attribution algorithm.
	#[derive(
		CloneNoBound,
		DebugNoBound,
		PartialEqNoBound,
		EqNoBound,
		Encode,
		Decode,
		MaxEncodedLen,
		TypeInfo,
	)]
	#[scale_info(skip_type_params(T))]
	#[codec(mel_bound())]
	pub struct Algorithm<T: Config> {
		/// Its name and version.
		pub name: NameOf<T>,
		/// Content hash of its specification.
		pub spec: Hash,
		/// How far it is in use; the variants have the indices they had.
		pub state: AlgorithmState,
	}

	/// Attribution algorithms by id.
	#[storage_alias]
	pub type Algorithms<T: Config> =
		StorageMap<Pallet<T>, Twox64Concat, AlgorithmId, Algorithm<T>, OptionQuery>;
}

/// The layout of version 1, where it is another one now.
#[allow(missing_docs)]
pub mod v1 {
	use super::*;

	/// The deposit of each proposed algorithm, under the id of an algorithm.
	#[storage_alias]
	pub type AlgorithmDeposits<T: Config> = StorageMap<
		Pallet<T>,
		Twox64Concat,
		AlgorithmId,
		<T as Config>::AlgorithmConsideration,
		OptionQuery,
	>;
}

/// From version 0 to version 1.
pub type V1<T> =
	VersionedMigration<0, 1, LearnOrigin<T>, Pallet<T>, <T as frame_system::Config>::DbWeight>;

/// What [`V1`] does to storage, whatever its version.
pub struct LearnOrigin<T>(PhantomData<T>);

impl<T: Config> UncheckedOnRuntimeUpgrade for LearnOrigin<T> {
	fn on_runtime_upgrade() -> Weight {
		let mut moved = 0u64;
		for (id, old) in v0::Algorithms::<T>::drain() {
			Pallet::<T>::insert_original(id, old.name, old.spec, old.state);
			moved = moved.saturating_add(1);
		}
		// The algorithm is read and removed, then written with its name, the next id and their number.
		T::DbWeight::get().reads_writes(moved.saturating_mul(4), moved.saturating_mul(5))
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
impl<T: Config> LearnOrigin<T> {
	/// What [`verify`](Self::verify) compares with, to be called before the upgrade.
	pub fn note() -> Vec<u8> {
		v0::Algorithms::<T>::iter().collect::<Vec<_>>().encode()
	}

	/// Checks after the upgrade that every algorithm is kept, and every invariant.
	pub fn verify(mut noted: &[u8]) -> Result<(), frame::deps::sp_runtime::TryRuntimeError> {
		let before = Vec::<(AlgorithmId, v0::Algorithm<T>)>::decode(&mut noted)
			.map_err(|_| "the state before the upgrade cannot be read")?;
		ensure!(
			Algorithms::<T>::iter().count() == before.len(),
			"an algorithm was lost or made up"
		);
		for (id, old) in before {
			let kept = Algorithms::<T>::get(id).is_some_and(|new| {
				(new.name, new.spec, new.state) == (old.name, old.spec, old.state)
			});
			ensure!(kept, "an algorithm is not what it was");
		}
		Pallet::<T>::do_try_state()
	}
}

/// From version 1 to version 2.
pub type V2<T> =
	VersionedMigration<1, 2, PartProposals<T>, Pallet<T>, <T as frame_system::Config>::DbWeight>;

/// What [`V2`] does to storage, whatever its version.
pub struct PartProposals<T>(PhantomData<T>);

impl<T: Config> PartProposals<T> {
	/// The proposals of version 1.
	fn proposed() -> Vec<(AlgorithmId, Algorithm<T>)> {
		Algorithms::<T>::iter()
			.filter(|(_, algorithm)| algorithm.state == AlgorithmState::Proposed)
			.collect()
	}
}

impl<T: Config> UncheckedOnRuntimeUpgrade for PartProposals<T> {
	fn on_runtime_upgrade() -> Weight {
		let read = Algorithms::<T>::iter_keys().count() as u64;
		let proposed = Self::proposed();
		let moved = proposed.len() as u64;
		for (id, algorithm) in proposed {
			Algorithms::<T>::remove(id);
			AlgorithmNames::<T>::remove(&algorithm.name);
			if let Some(deposit) = v1::AlgorithmDeposits::<T>::take(id) {
				ProposalDeposits::<T>::insert(ProposalId::from(id), deposit);
			}
			Proposals::<T>::insert(ProposalId::from(id), algorithm);
		}
		// A number that was withdrawn is not given to another proposal.
		NextProposal::<T>::put(ProposalId::from(NextAlgorithm::<T>::get()));
		let last = Algorithms::<T>::iter_keys().max();
		NextAlgorithm::<T>::put(last.map_or(0, |last| last.saturating_add(1)));
		T::DbWeight::get().reads_writes(
			read.saturating_mul(3)
				.saturating_add(moved)
				.saturating_add(1),
			moved.saturating_mul(5).saturating_add(2),
		)
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
impl<T: Config> PartProposals<T> {
	/// What [`verify`](Self::verify) compares with, to be called before the upgrade.
	pub fn note() -> Vec<u8> {
		let deposits = v1::AlgorithmDeposits::<T>::iter().count() as u64;
		(deposits, Self::proposed()).encode()
	}

	/// Checks after the upgrade that every proposal is kept with its deposit, and every invariant.
	pub fn verify(mut noted: &[u8]) -> Result<(), frame::deps::sp_runtime::TryRuntimeError> {
		let (deposits, before) = <(u64, Vec<(AlgorithmId, Algorithm<T>)>)>::decode(&mut noted)
			.map_err(|_| "the state before the upgrade cannot be read")?;
		ensure!(
			ProposalDeposits::<T>::iter().count() as u64 == deposits
				&& Proposals::<T>::iter().count() == before.len(),
			"a proposal or its deposit was lost or made up"
		);
		for (id, old) in before {
			ensure!(
				Proposals::<T>::get(ProposalId::from(id)).as_ref() == Some(&old),
				"a proposal is not what it was"
			);
		}
		Pallet::<T>::do_try_state()
	}
}
