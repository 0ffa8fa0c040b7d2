//! Weights of `frame_system_extensions`. Measured and written by `make weights`: to change them, change what is
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

impl<T: frame_system::Config> frame_system::ExtensionsWeightInfo for WeightInfo<T> {
	// At least 2_423 ns.
	fn check_genesis() -> Weight {
		Weight::from_parts(2_653_000, 0)
	}

	// At least 5_018 ns.
	fn check_mortality_mortal_transaction() -> Weight {
		Weight::from_parts(5_117_000, 0)
	}

	// At least 5_097 ns.
	fn check_mortality_immortal_transaction() -> Weight {
		Weight::from_parts(5_318_000, 0)
	}

	// At least 821 ns.
	fn check_non_zero_sender() -> Weight {
		Weight::from_parts(831_000, 0)
	}

	// Storage: `System::Account` (r:1 w:1)
	// At least 9_524 ns.
	fn check_nonce() -> Weight {
		Weight::from_parts(9_845_000, 3_593)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// At least 641 ns.
	fn check_spec_version() -> Weight {
		Weight::from_parts(691_000, 0)
	}

	// At least 651 ns.
	fn check_tx_version() -> Weight {
		Weight::from_parts(691_000, 0)
	}

	// At least 4_987 ns.
	fn check_weight() -> Weight {
		Weight::from_parts(6_520_000, 0)
	}

	// At least 2_825 ns.
	fn weight_reclaim() -> Weight {
		Weight::from_parts(2_964_000, 0)
	}
}
