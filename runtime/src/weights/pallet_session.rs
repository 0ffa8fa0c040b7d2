//! Weights of `pallet_session`. Measured and written by `make weights`: to change them, change what is
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

impl<T: frame_system::Config> pallet_session::WeightInfo for WeightInfo<T> {
	// Storage: `Stakes::Candidates` (r:1 w:0)
	// Storage: `Stakes::Fallback` (r:1 w:0)
	// Storage: `Session::Validators` (r:1 w:0)
	// Storage: `Session::NextKeys` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Session::KeyOwner` (r:2 w:2)
	// Storage: `Balances::Holds` (r:1 w:1)
	// At least 208_058 ns.
	fn set_keys() -> Weight {
		Weight::from_parts(226_967_000, 31_466)
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(5))
	}

	// Storage: `Stakes::Candidates` (r:1 w:0)
	// Storage: `Stakes::Fallback` (r:1 w:0)
	// Storage: `Session::Validators` (r:1 w:0)
	// Storage: `Session::NextKeys` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Session::ExternallySetKeys` (r:1 w:0)
	// Storage: `Session::KeyOwner` (r:0 w:2)
	// At least 99_217 ns.
	fn purge_keys() -> Weight {
		Weight::from_parts(103_423_000, 28_990)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(5))
	}
}
