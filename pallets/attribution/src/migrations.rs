//! From one storage layout to the next.

use crate::*;
use alloc::vec::Vec;
use frame::traits::UncheckedOnRuntimeUpgrade;

/// The layout of this version.
pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(2);

/// Layout 0: reports without parts, always by the provider, and no count of what is at risk.
pub(crate) mod v0 {
	use super::*;

	/// A report as it was.
	#[derive(Clone, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
	pub struct Report {
		/// Over receipt leaves.
		pub receipts: Commitment,
		/// Over payout leaves.
		pub payouts: Commitment,
		/// The version of the terms by which it was made.
		pub terms: TermsVersion,
		/// The block in which it was made.
		pub reported_at: BlockNumber,
		/// The first block in which it may be settled.
		pub open_at: BlockNumber,
		/// How many payout leaves are settled.
		pub settled: u32,
		/// What they amounted to, in units.
		pub paid: Balance,
	}

	/// The reports as they were.
	#[frame::storage_alias]
	pub type Reports<T: Config> =
		StorageDoubleMap<Pallet<T>, Blake2_128Concat, AccountId, Twox64Concat, EpochIndex, Report>;
}

/// Gives each report the fields it lacks and counts what is at risk. A report made before has no
/// parts: it is settled as it is, and can be disputed only for its receipts and payees.
pub struct AddParts<T>(core::marker::PhantomData<T>);

impl<T: Config> UncheckedOnRuntimeUpgrade for AddParts<T> {
	fn on_runtime_upgrade() -> Weight {
		let reports: Vec<_> = v0::Reports::<T>::drain().collect();
		let mut count = u64::try_from(reports.len()).unwrap_or(u64::MAX);
		for (provider, epoch, report) in reports {
			let new = Report {
				receipts: report.receipts,
				parts: Commitment::default(),
				payouts: report.payouts,
				terms: report.terms,
				reporter: provider.clone(),
				deposit: 0,
				reported_at: report.reported_at,
				open_at: report.open_at,
				audit: None,
				settled: report.settled,
				paid: report.paid,
			};
			Reports::<T>::insert(provider, epoch, new);
		}
		for (provider, epoch, pot) in Pots::<T>::iter() {
			count = count.saturating_add(1);
			let paid = Reports::<T>::get(&provider, epoch).map_or(0, |report| report.paid);
			let open = pot.net.saturating_sub(paid);
			if open > 0 {
				AtRisk::<T>::mutate(provider, |at_risk| *at_risk = at_risk.saturating_add(open));
			}
		}
		T::DbWeight::get().reads_writes(count.saturating_mul(3), count.saturating_mul(2))
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
impl<T: Config> AddParts<T> {
	/// What [`verify`](Self::verify) compares with, to be called before the upgrade.
	pub fn note() -> Vec<u8> {
		let count = v0::Reports::<T>::iter().count() as u64;
		let paid = v0::Reports::<T>::iter_values()
			.fold(0u128, |sum, report| sum.saturating_add(report.paid));
		(count, paid).encode()
	}

	/// Checks after the upgrade that every report is kept, and every invariant.
	pub fn verify(mut noted: &[u8]) -> Result<(), frame::deps::sp_runtime::TryRuntimeError> {
		let before = <(u64, Balance)>::decode(&mut noted)
			.map_err(|_| "what was noted before the upgrade decodes")?;
		let count = Reports::<T>::iter().count() as u64;
		let paid =
			Reports::<T>::iter_values().fold(0u128, |sum, report| sum.saturating_add(report.paid));
		ensure!((count, paid) == before, "every report is kept");
		Pallet::<T>::do_try_state()
	}
}

/// Notes from which epoch on all sources are known: the next, since money of the one in progress was
/// redeemed without a note of its lane. Disputes about lanes prove nothing of reports on earlier ones.
pub struct KeepSources<T>(core::marker::PhantomData<T>);

impl<T: Config> UncheckedOnRuntimeUpgrade for KeepSources<T> {
	fn on_runtime_upgrade() -> Weight {
		let next = CurrentEpoch::<T>::get().index.saturating_add(1);
		SourcesSince::<T>::put(next);
		T::DbWeight::get().reads_writes(1, 1)
	}

	#[cfg(feature = "try-runtime")]
	fn post_upgrade(_: Vec<u8>) -> Result<(), frame::try_runtime::TryRuntimeError> {
		Self::verify()
	}
}

#[cfg(any(feature = "std", feature = "try-runtime"))]
impl<T: Config> KeepSources<T> {
	/// Checks after the upgrade that no epoch that has begun is held against lanes, and every invariant.
	pub fn verify() -> Result<(), frame::deps::sp_runtime::TryRuntimeError> {
		ensure!(
			SourcesSince::<T>::get() > CurrentEpoch::<T>::get().index,
			"no epoch before the upgrade is held against its lanes"
		);
		Pallet::<T>::do_try_state()
	}
}

/// From layout 1 to 2.
pub type V1ToV2<T> = frame::deps::frame_support::migrations::VersionedMigration<
	1,
	2,
	KeepSources<T>,
	Pallet<T>,
	<T as frame_system::Config>::DbWeight,
>;

/// From layout 0 to 1.
pub type V0ToV1<T> = frame::deps::frame_support::migrations::VersionedMigration<
	0,
	1,
	AddParts<T>,
	Pallet<T>,
	<T as frame_system::Config>::DbWeight,
>;
