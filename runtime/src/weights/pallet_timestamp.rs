//! Weights of `pallet_timestamp`. Measured and written by `make weights`: to change them, change what is
//! measured.
//!
//! 2026-11-21: 20 steps of each component, 8 repeats of each step.
//! AMD EPYC, 2 cores, 24 GiB of memory.

use core::marker::PhantomData;
#[allow(unused_imports)]
use frame_support::traits::Get;
use frame_support::weights::Weight;

/// What was measured.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_timestamp::WeightInfo for WeightInfo<T> {
	// Storage: `Timestamp::Now` (r:1 w:1)
	// Storage: `Babe::CurrentSlot` (r:1 w:0)
	// At least 7_511 ns.
	fn set() -> Weight {
		Weight::from_parts(8_592_000, 1_493)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// At least 1_122 ns.
	fn on_finalize() -> Weight {
		Weight::from_parts(1_342_000, 0)
	}
}
