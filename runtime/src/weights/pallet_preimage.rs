//! Weights of `pallet_preimage`. Measured and written by `make weights`: to change them, change what is
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

impl<T: frame_system::Config> pallet_preimage::WeightInfo for WeightInfo<T> {
	// Storage: `Preimage::StatusFor` (r:1 w:0)
	// Storage: `Preimage::RequestStatusFor` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `Preimage::PreimageFor` (r:0 w:1)
	// s: 0 to 4194304.
	// At least 72_778 ns.
	fn note_preimage(s: u32) -> Weight {
		Weight::from_parts(73_720_000, 3_802)
			// Give or take 25.
			.saturating_add(Weight::from_parts(2_746, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	// Storage: `Preimage::StatusFor` (r:1 w:0)
	// Storage: `Preimage::RequestStatusFor` (r:1 w:1)
	// Storage: `Preimage::PreimageFor` (r:0 w:1)
	// s: 0 to 4194304.
	// At least 18_217 ns.
	fn note_requested_preimage(s: u32) -> Weight {
		Weight::from_parts(18_868_000, 3_556)
			// Give or take 10.
			.saturating_add(Weight::from_parts(2_553, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Preimage::StatusFor` (r:1 w:0)
	// Storage: `Preimage::RequestStatusFor` (r:1 w:1)
	// Storage: `Preimage::PreimageFor` (r:0 w:1)
	// s: 0 to 4194304.
	// At least 17_386 ns.
	fn note_no_deposit_preimage(s: u32) -> Weight {
		Weight::from_parts(17_656_000, 3_556)
			// Give or take 24.
			.saturating_add(Weight::from_parts(2_704, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Preimage::StatusFor` (r:1 w:0)
	// Storage: `Preimage::RequestStatusFor` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `Preimage::PreimageFor` (r:0 w:1)
	// At least 120_348 ns.
	fn unnote_preimage() -> Weight {
		Weight::from_parts(129_883_000, 3_802)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	// Storage: `Preimage::StatusFor` (r:1 w:0)
	// Storage: `Preimage::RequestStatusFor` (r:1 w:1)
	// Storage: `Preimage::PreimageFor` (r:0 w:1)
	// At least 64_656 ns.
	fn unnote_no_deposit_preimage() -> Weight {
		Weight::from_parts(69_233_000, 3_556)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Preimage::StatusFor` (r:1 w:0)
	// Storage: `Preimage::RequestStatusFor` (r:1 w:1)
	// At least 60_279 ns.
	fn request_preimage() -> Weight {
		Weight::from_parts(63_464_000, 3_556)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Preimage::StatusFor` (r:1 w:0)
	// Storage: `Preimage::RequestStatusFor` (r:1 w:1)
	// At least 47_230 ns.
	fn request_no_deposit_preimage() -> Weight {
		Weight::from_parts(59_528_000, 3_556)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Preimage::StatusFor` (r:1 w:0)
	// Storage: `Preimage::RequestStatusFor` (r:1 w:1)
	// At least 41_281 ns.
	fn request_unnoted_preimage() -> Weight {
		Weight::from_parts(48_331_000, 3_556)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Preimage::StatusFor` (r:1 w:0)
	// Storage: `Preimage::RequestStatusFor` (r:1 w:1)
	// At least 15_553 ns.
	fn request_requested_preimage() -> Weight {
		Weight::from_parts(16_284_000, 3_556)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Preimage::StatusFor` (r:1 w:0)
	// Storage: `Preimage::RequestStatusFor` (r:1 w:1)
	// Storage: `Preimage::PreimageFor` (r:0 w:1)
	// At least 63_424 ns.
	fn unrequest_preimage() -> Weight {
		Weight::from_parts(79_909_000, 3_556)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Preimage::StatusFor` (r:1 w:0)
	// Storage: `Preimage::RequestStatusFor` (r:1 w:1)
	// At least 13_370 ns.
	fn unrequest_unnoted_preimage() -> Weight {
		Weight::from_parts(14_601_000, 3_556)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Preimage::StatusFor` (r:1 w:0)
	// Storage: `Preimage::RequestStatusFor` (r:1 w:1)
	// At least 14_161 ns.
	fn unrequest_multi_referenced_preimage() -> Weight {
		Weight::from_parts(15_743_000, 3_556)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Preimage::StatusFor` (r:1024 w:1024)
	// Storage: `System::Account` (r:1024 w:1024)
	// Storage: `Balances::Holds` (r:1024 w:1024)
	// Storage: `Preimage::RequestStatusFor` (r:0 w:1024)
	// n: 1 to 1024.
	// At least 81_701 ns.
	fn ensure_updated(n: u32) -> Weight {
		Weight::from_parts(82_102_000, 990)
			// Give or take 178_631.
			.saturating_add(Weight::from_parts(84_470_017, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2_812).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(3).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().writes(4).saturating_mul(n.into()))
	}
}
