//! Weights of `frame_system`. Measured and written by `make weights`: to change them, change what is
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

impl<T: frame_system::Config> frame_system::WeightInfo for WeightInfo<T> {
	// b: 0 to 3932160.
	// At least 2_894 ns.
	fn remark(b: u32) -> Weight {
		Weight::from_parts(30_166_122, 0)
			// Give or take 6.
			.saturating_add(Weight::from_parts(336, 0).saturating_mul(b.into()))
	}

	// b: 0 to 3932160.
	// At least 6_840 ns.
	fn remark_with_event(b: u32) -> Weight {
		Weight::from_parts(7_040_000, 0)
			// Give or take 5.
			.saturating_add(Weight::from_parts(1_852, 0).saturating_mul(b.into()))
	}

	// Storage: UNKNOWN KEY `0x3a686561707061676573` (r:0 w:1)
	// At least 8_993 ns.
	fn set_heap_pages() -> Weight {
		Weight::from_parts(12_979_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: UNKNOWN KEY `0x3a636f6465` (r:0 w:1)
	// At least 157_792_447 ns.
	fn set_code() -> Weight {
		Weight::from_parts(164_470_267_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Skipped::Metadata` (r:0 w:0)
	// i: 0 to 1000.
	// At least 2_874 ns.
	fn set_storage(i: u32) -> Weight {
		Weight::from_parts(2_994_000, 0)
			// Give or take 5_652.
			.saturating_add(Weight::from_parts(1_097_926, 0).saturating_mul(i.into()))
			.saturating_add(T::DbWeight::get().writes(1).saturating_mul(i.into()))
	}

	// Storage: `Skipped::Metadata` (r:0 w:0)
	// i: 0 to 1000.
	// At least 2_934 ns.
	fn kill_storage(i: u32) -> Weight {
		Weight::from_parts(2_994_000, 0)
			// Give or take 3_306.
			.saturating_add(Weight::from_parts(750_732, 0).saturating_mul(i.into()))
			.saturating_add(T::DbWeight::get().writes(1).saturating_mul(i.into()))
	}

	// Storage: `Skipped::Metadata` (r:0 w:0)
	// p: 0 to 1000.
	// At least 5_568 ns.
	fn kill_prefix(p: u32) -> Weight {
		Weight::from_parts(5_608_000, 60)
			// Give or take 7_421.
			.saturating_add(Weight::from_parts(1_342_915, 0).saturating_mul(p.into()))
			.saturating_add(Weight::from_parts(0, 70).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(1).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().writes(1).saturating_mul(p.into()))
	}

	// Storage: `System::AuthorizedUpgrade` (r:0 w:1)
	// At least 24_025 ns.
	fn authorize_upgrade() -> Weight {
		Weight::from_parts(31_186_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `System::AuthorizedUpgrade` (r:1 w:1)
	// Storage: UNKNOWN KEY `0x3a636f6465` (r:0 w:1)
	// At least 162_743_967 ns.
	fn apply_authorized_upgrade() -> Weight {
		Weight::from_parts(170_129_005_000, 1_518)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(2))
	}
}
