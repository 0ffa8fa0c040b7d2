//! Weights of `pallet_treasury`. Measured and written by `make weights`: to change them, change what is
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

impl<T: frame_system::Config> pallet_treasury::WeightInfo for WeightInfo<T> {
	// Storage: `Treasury::ProposalCount` (r:1 w:1)
	// Storage: `Treasury::Approvals` (r:1 w:1)
	// Storage: `Treasury::Proposals` (r:0 w:1)
	// At least 12_429 ns.
	fn spend_local() -> Weight {
		Weight::from_parts(13_200_000, 1_887)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	// Storage: `Treasury::Approvals` (r:1 w:1)
	// At least 6_089 ns.
	fn remove_approval() -> Weight {
		Weight::from_parts(6_290_000, 1_887)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `System::Account` (r:1 w:0)
	// Storage: `Treasury::Deactivated` (r:1 w:1)
	// Storage: `Treasury::LastSpendPeriod` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// p: 0 to 99.
	// At least 16_134 ns.
	fn on_initialize_proposals(p: u32) -> Weight {
		Weight::from_parts(17_480_187, 3_593)
			// Give or take 7_136.
			.saturating_add(Weight::from_parts(90_605, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `Treasury::SpendCount` (r:1 w:1)
	// Storage: `Treasury::Spends` (r:0 w:1)
	// At least 14_301 ns.
	fn spend() -> Weight {
		Weight::from_parts(15_333_000, 1_489)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Treasury::Spends` (r:1 w:1)
	// Storage: `System::Account` (r:2 w:2)
	// Storage: `Launch::Trial` (r:1 w:0)
	// At least 66_268 ns.
	fn payout() -> Weight {
		Weight::from_parts(67_650_000, 6_196)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	// Storage: `Treasury::Spends` (r:1 w:1)
	// At least 12_428 ns.
	fn check_status() -> Weight {
		Weight::from_parts(14_011_000, 3_534)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Treasury::Spends` (r:1 w:1)
	// At least 11_137 ns.
	fn void_spend() -> Weight {
		Weight::from_parts(11_437_000, 3_534)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
}
