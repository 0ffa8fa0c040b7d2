//! Weights of `pallet_grandpa`. Measured and written by `make weights`: to change them, change what is
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

impl<T: frame_system::Config> pallet_grandpa::WeightInfo for WeightInfo<T> {
	// Storage: `Session::CurrentIndex` (r:1 w:0)
	// Storage: `Session::Validators` (r:1 w:0)
	// Storage: `Session::NextKeys` (r:512 w:0)
	// Storage: `Offences::Reports` (r:1 w:1)
	// Storage: `Grandpa::SetIdSession` (r:2 w:0)
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
	// At least 14_115_554 ns.
	fn report_equivocation(v: u32, d: u32) -> Weight {
		Weight::from_parts(14_167_672_000, 15_859)
			// Give or take 1_036_132.
			.saturating_add(Weight::from_parts(11_086_848, 0).saturating_mul(v.into()))
			// Give or take 2_074_583.
			.saturating_add(Weight::from_parts(47_266_700, 0).saturating_mul(d.into()))
			.saturating_add(Weight::from_parts(0, 3_040).saturating_mul(d.into()))
			.saturating_add(Weight::from_parts(0, 2_617).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(20))
			.saturating_add(T::DbWeight::get().reads(1).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(3).saturating_mul(d.into()))
			.saturating_add(T::DbWeight::get().writes(14))
			.saturating_add(T::DbWeight::get().writes(3).saturating_mul(d.into()))
	}

	// Storage: `Grandpa::Stalled` (r:0 w:1)
	// At least 3_044 ns.
	fn note_stalled() -> Weight {
		Weight::from_parts(3_175_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}
}
