//! Weights of `pallet_utility`. Measured and written by `make weights`: to change them, change what is
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

impl<T: frame_system::Config> pallet_utility::WeightInfo for WeightInfo<T> {
	// c: 0 to 1000.
	// At least 5_899 ns.
	fn batch(c: u32) -> Weight {
		Weight::from_parts(62_167_113, 0)
			// Give or take 106_662.
			.saturating_add(Weight::from_parts(4_249_619, 0).saturating_mul(c.into()))
	}

	// At least 6_650 ns.
	fn as_derivative() -> Weight {
		Weight::from_parts(9_474_000, 0)
	}

	// c: 0 to 1000.
	// At least 6_429 ns.
	fn batch_all(c: u32) -> Weight {
		Weight::from_parts(231_660_175, 0)
			// Give or take 103_177.
			.saturating_add(Weight::from_parts(4_598_655, 0).saturating_mul(c.into()))
	}

	// At least 8_432 ns.
	fn dispatch_as() -> Weight {
		Weight::from_parts(8_944_000, 0)
	}

	// c: 0 to 1000.
	// At least 5_869 ns.
	fn force_batch(c: u32) -> Weight {
		Weight::from_parts(23_256_508, 0)
			// Give or take 19_877.
			.saturating_add(Weight::from_parts(4_040_214, 0).saturating_mul(c.into()))
	}

	// At least 8_753 ns.
	fn dispatch_as_fallible() -> Weight {
		Weight::from_parts(9_063_000, 0)
	}

	// At least 10_796 ns.
	fn if_else() -> Weight {
		Weight::from_parts(11_367_000, 0)
	}
}
