//! Weights of `pallet_transaction_payment`. Measured and written by `make weights`: to change them, change what is
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

impl<T: frame_system::Config> pallet_transaction_payment::WeightInfo for WeightInfo<T> {
	// Storage: `Parameters::Parameters` (r:2 w:0)
	// Storage: `System::Account` (r:3 w:3)
	// Storage: `Session::Validators` (r:1 w:0)
	// At least 132_987 ns.
	fn charge_transaction_payment() -> Weight {
		Weight::from_parts(134_800_000, 8_799)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(3))
	}
}
