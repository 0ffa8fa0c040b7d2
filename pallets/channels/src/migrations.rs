//! From older layouts of this pallet's storage to the present one.
//!
//! - 0 → 1: escrow, which was on hold in each payer's account, moves to the pallet's account.

use crate::*;
use frame::{
	deps::frame_support::migrations::VersionedMigration,
	traits::{fungible::hold, tokens::Restriction, UncheckedOnRuntimeUpgrade},
};

/// Version of the layout that this code reads and writes.
pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

/// From version 0 to version 1. The pallet's account has to have the least balance of an account before.
pub type V1<T> =
	VersionedMigration<0, 1, MoveEscrow<T>, Pallet<T>, <T as frame_system::Config>::DbWeight>;

/// What [`V1`] does to storage, whatever its version.
pub struct MoveEscrow<T>(core::marker::PhantomData<T>);

impl<T: Config> UncheckedOnRuntimeUpgrade for MoveEscrow<T>
where
	T::Currency: hold::Mutate<AccountId, Balance = Balance, Reason: From<HoldReason>>,
{
	fn on_runtime_upgrade() -> Weight {
		let account = Pallet::<T>::account();
		let reason: <T::Currency as hold::Inspect<AccountId>>::Reason = HoldReason::Escrow.into();
		let mut moved = 0u64;
		for channel in Channels::<T>::iter_values().filter(|channel| channel.escrow > 0) {
			let (payer, escrow) = (&channel.payer, channel.escrow);
			// A lock of a vote does not keep escrow where it is: it is spent on answers already. The
			// deposit of the channel keeps the account.
			let done = <T::Currency as hold::Mutate<AccountId>>::transfer_on_hold(
				&reason,
				payer,
				&account,
				escrow,
				Precision::Exact,
				Restriction::Free,
				Fortitude::Force,
			);
			if done.is_err() {
				defensive!("the escrow of a channel was not on hold");
			}
			moved = moved.saturating_add(1);
		}
		// A channel is read; holds and accounts of both sides are read and written.
		T::DbWeight::get().reads_writes(moved.saturating_mul(4), moved.saturating_mul(3))
	}

	#[cfg(feature = "try-runtime")]
	fn pre_upgrade() -> Result<alloc::vec::Vec<u8>, frame::try_runtime::TryRuntimeError> {
		Ok(Self::note())
	}

	#[cfg(feature = "try-runtime")]
	fn post_upgrade(state: alloc::vec::Vec<u8>) -> Result<(), frame::try_runtime::TryRuntimeError> {
		Self::verify(&state)
	}
}

#[cfg(any(feature = "std", feature = "try-runtime"))]
impl<T: Config> MoveEscrow<T> {
	/// What the pallet's account has.
	fn kept() -> Balance {
		<T::Currency as frame::traits::fungible::Inspect<AccountId>>::balance(
			&Pallet::<T>::account(),
		)
	}

	/// What [`verify`](Self::verify) compares with, to be called before the upgrade.
	pub fn note() -> alloc::vec::Vec<u8> {
		Self::kept().encode()
	}

	/// Checks after the upgrade that all escrow has moved, and every invariant.
	pub fn verify(mut noted: &[u8]) -> DispatchResult {
		let before =
			Balance::decode(&mut noted).map_err(|_| "what was noted before the upgrade decodes")?;
		let expected = Channels::<T>::iter_values()
			.try_fold(before, |sum, channel| sum.checked_add(channel.escrow))
			.ok_or("escrows overflow")?;
		ensure!(Self::kept() == expected, "all escrow has moved");
		Pallet::<T>::do_try_state()
	}
}
