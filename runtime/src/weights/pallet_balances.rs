//! Weights of `pallet_balances`. Measured and written by `make weights`: to change them, change what is
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

impl<T: frame_system::Config> pallet_balances::WeightInfo for WeightInfo<T> {
	// Storage: `System::Account` (r:2 w:2)
	// At least 92_307 ns.
	fn transfer_allow_death() -> Weight {
		Weight::from_parts(94_671_000, 6_196)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `System::Account` (r:1 w:1)
	// At least 56_483 ns.
	fn transfer_keep_alive() -> Weight {
		Weight::from_parts(58_387_000, 3_593)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `System::Account` (r:1 w:1)
	// At least 27_211 ns.
	fn force_set_balance_creating() -> Weight {
		Weight::from_parts(27_761_000, 3_593)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `System::Account` (r:1 w:1)
	// At least 26_870 ns.
	fn force_set_balance_killing() -> Weight {
		Weight::from_parts(27_421_000, 3_593)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `System::Account` (r:3 w:3)
	// At least 93_239 ns.
	fn force_transfer() -> Weight {
		Weight::from_parts(95_361_000, 8_799)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	// Storage: `System::Account` (r:1 w:1)
	// At least 71_095 ns.
	fn transfer_all() -> Weight {
		Weight::from_parts(72_277_000, 3_593)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `System::Account` (r:1 w:1)
	// At least 22_754 ns.
	fn force_unreserve() -> Weight {
		Weight::from_parts(23_255_000, 3_593)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `System::Account` (r:1000 w:1000)
	// u: 1 to 1000.
	// At least 22_484 ns.
	fn upgrade_accounts(u: u32) -> Weight {
		Weight::from_parts(22_623_000, 990)
			// Give or take 63_284.
			.saturating_add(Weight::from_parts(20_145_221, 0).saturating_mul(u.into()))
			.saturating_add(Weight::from_parts(0, 2_603).saturating_mul(u.into()))
			.saturating_add(T::DbWeight::get().reads(1).saturating_mul(u.into()))
			.saturating_add(T::DbWeight::get().writes(1).saturating_mul(u.into()))
	}

	// At least 6_910 ns.
	fn force_adjust_total_issuance() -> Weight {
		Weight::from_parts(7_942_000, 0)
	}

	// Storage: `System::Account` (r:1 w:1)
	// At least 64_485 ns.
	fn burn_allow_death() -> Weight {
		Weight::from_parts(65_147_000, 3_593)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// At least 28_632 ns.
	fn burn_keep_alive() -> Weight {
		Weight::from_parts(29_443_000, 0)
	}
}
