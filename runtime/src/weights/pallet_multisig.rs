//! Weights of `pallet_multisig`. Measured and written by `make weights`: to change them, change what is
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

impl<T: frame_system::Config> pallet_multisig::WeightInfo for WeightInfo<T> {
	// z: 0 to 10000.
	// At least 41_431 ns.
	fn as_multi_threshold_1(z: u32) -> Weight {
		Weight::from_parts(55_838_307, 0)
			// Give or take 236.
			.saturating_add(Weight::from_parts(5_833, 0).saturating_mul(z.into()))
	}

	// Storage: `Multisig::Multisigs` (r:1 w:1)
	// s: 2 to 100.
	// z: 0 to 10000.
	// At least 66_108 ns.
	fn as_multi_create(s: u32, z: u32) -> Weight {
		Weight::from_parts(35_147_299, 6_811)
			// Give or take 20_191.
			.saturating_add(Weight::from_parts(414_029, 0).saturating_mul(s.into()))
			// Give or take 198.
			.saturating_add(Weight::from_parts(7_293, 0).saturating_mul(z.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Multisig::Multisigs` (r:1 w:1)
	// s: 3 to 100.
	// z: 0 to 10000.
	// At least 49_163 ns.
	fn as_multi_approve(s: u32, z: u32) -> Weight {
		Weight::from_parts(22_219_911, 6_811)
			// Give or take 10_825.
			.saturating_add(Weight::from_parts(286_688, 0).saturating_mul(s.into()))
			// Give or take 105.
			.saturating_add(Weight::from_parts(7_382, 0).saturating_mul(z.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Multisig::Multisigs` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// s: 2 to 100.
	// z: 0 to 10000.
	// At least 84_215 ns.
	fn as_multi_complete(s: u32, z: u32) -> Weight {
		Weight::from_parts(16_038_584, 6_811)
			// Give or take 61_861.
			.saturating_add(Weight::from_parts(817_588, 0).saturating_mul(s.into()))
			// Give or take 609.
			.saturating_add(Weight::from_parts(9_808, 0).saturating_mul(z.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Multisig::Multisigs` (r:1 w:1)
	// s: 2 to 100.
	// At least 36_894 ns.
	fn approve_as_multi_create(s: u32) -> Weight {
		Weight::from_parts(38_076_276, 6_811)
			// Give or take 18_605.
			.saturating_add(Weight::from_parts(347_570, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Multisig::Multisigs` (r:1 w:1)
	// s: 2 to 100.
	// At least 18_808 ns.
	fn approve_as_multi_approve(s: u32) -> Weight {
		Weight::from_parts(20_367_865, 6_811)
			// Give or take 9_260.
			.saturating_add(Weight::from_parts(328_010, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Multisig::Multisigs` (r:1 w:1)
	// s: 2 to 100.
	// At least 35_122 ns.
	fn cancel_as_multi(s: u32) -> Weight {
		Weight::from_parts(38_659_815, 6_811)
			// Give or take 11_797.
			.saturating_add(Weight::from_parts(286_648, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Multisig::Multisigs` (r:1 w:1)
	// s: 2 to 100.
	// At least 32_037 ns.
	fn poke_deposit(s: u32) -> Weight {
		Weight::from_parts(33_951_893, 6_811)
			// Give or take 19_969.
			.saturating_add(Weight::from_parts(330_347, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
}
