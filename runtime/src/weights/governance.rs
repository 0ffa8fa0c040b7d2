//! Weights of `governance`. Measured and written by `make weights`: to change them, change what is
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

impl<T: frame_system::Config> crate::governance::WeightInfo for WeightInfo<T> {
	// Storage: `Parameters::Parameters` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// At least 17_866 ns.
	fn set() -> Weight {
		Weight::from_parts(19_569_000, 3_517)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
}
