//! Weights of `pallet_babe`. Measured and written by `make weights`: to change them, change what is
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

impl<T: frame_system::Config> pallet_babe::WeightInfo for WeightInfo<T> {
	// Storage: `Babe::PendingEpochConfigChange` (r:0 w:1)
	// At least 3_094 ns.
	fn plan_config_change() -> Weight {
		Weight::from_parts(3_264_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Session::CurrentIndex` (r:1 w:0)
	// Storage: `Session::Validators` (r:1 w:0)
	// Storage: `Session::NextKeys` (r:512 w:0)
	// Storage: `Offences::Reports` (r:1 w:1)
	// Storage: `Babe::GenesisSlot` (r:1 w:0)
	// Storage: `Launch::SessionSlots` (r:1 w:0)
	// Storage: `Babe::SkippedEpochs` (r:1 w:0)
	// Storage: `Offences::ConcurrentReportsIndex` (r:1 w:1)
	// Storage: `Stakes::Sprees` (r:1 w:1)
	// Storage: `Stakes::Jailed` (r:1 w:1)
	// Storage: `Stakes::CurrentSession` (r:1 w:0)
	// Storage: `Session::DisabledValidators` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:2 w:0)
	// Storage: `Stakes::Candidates` (r:1 w:1)
	// Storage: `Stakes::Positions` (r:258 w:257)
	// Storage: `Stakes::SlashQueue` (r:1 w:1)
	// Storage: `Stakes::Slashes` (r:1 w:2)
	// Storage: `Balances::Holds` (r:257 w:257)
	// Storage: `System::Account` (r:258 w:258)
	// Storage: `Stakes::Marks` (r:0 w:1)
	// v: 4 to 512.
	// d: 0 to 256.
	// At least 14_914_719 ns.
	fn report_equivocation(v: u32, d: u32) -> Weight {
		Weight::from_parts(1_245_356_585, 15_859)
			// Give or take 287_876.
			.saturating_add(Weight::from_parts(28_408_076, 0).saturating_mul(v.into()))
			// Give or take 570_409.
			.saturating_add(Weight::from_parts(82_909_467, 0).saturating_mul(d.into()))
			.saturating_add(Weight::from_parts(0, 3_040).saturating_mul(d.into()))
			.saturating_add(Weight::from_parts(0, 2_617).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(21))
			.saturating_add(T::DbWeight::get().reads(1).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(3).saturating_mul(d.into()))
			.saturating_add(T::DbWeight::get().writes(14))
			.saturating_add(T::DbWeight::get().writes(3).saturating_mul(d.into()))
	}
}
