//! Weights of `pallet_channels`. Measured and written by `make weights`: to change them, change what is
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

impl<T: frame_system::Config> pallet_channels::WeightInfo for WeightInfo<T> {
	// Storage: `Providers::Providers` (r:1 w:0)
	// Storage: `Parameters::Parameters` (r:1 w:0)
	// Storage: `Channels::NextChannel` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `Channels::Deposits` (r:0 w:1)
	// Storage: `Channels::Channels` (r:0 w:1)
	// At least 130_083 ns.
	fn open() -> Weight {
		Weight::from_parts(133_859_000, 3_925)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	// Storage: `Channels::Channels` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// At least 70_474 ns.
	fn top_up() -> Weight {
		Weight::from_parts(72_607_000, 3_802)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	// Storage: `Channels::Channels` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:1 w:0)
	// At least 20_130 ns.
	fn set_delegate() -> Weight {
		Weight::from_parts(20_481_000, 3_752)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Channels::Channels` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:2 w:0)
	// At least 22_153 ns.
	fn thaw() -> Weight {
		Weight::from_parts(22_494_000, 6_044)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Channels::Channels` (r:1 w:1)
	// At least 15_804 ns.
	fn cancel_thaw() -> Weight {
		Weight::from_parts(16_635_000, 3_752)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Channels::Channels` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// At least 64_866 ns.
	fn withdraw() -> Weight {
		Weight::from_parts(66_939_000, 3_802)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Channels::Channels` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `Channels::Deposits` (r:1 w:1)
	// Storage: `Channels::Lanes` (r:257 w:256)
	// l: 0 to 256.
	// At least 117_465 ns.
	fn close(l: u32) -> Weight {
		Weight::from_parts(102_858_446, 3_802)
			// Give or take 24_308.
			.saturating_add(Weight::from_parts(4_926_171, 0).saturating_mul(l.into()))
			.saturating_add(Weight::from_parts(0, 2_577).saturating_mul(l.into()))
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().reads(1).saturating_mul(l.into()))
			.saturating_add(T::DbWeight::get().writes(3))
			.saturating_add(T::DbWeight::get().writes(1).saturating_mul(l.into()))
	}

	// Storage: `Providers::HotKeys` (r:1 w:0)
	// Storage: `System::BlockHash` (r:1 w:0)
	// Storage: `Parameters::Parameters` (r:2 w:0)
	// Storage: `Channels::Channels` (r:200 w:200)
	// Storage: `Channels::Lanes` (r:200 w:200)
	// Storage: `Providers::Providers` (r:2 w:0)
	// Storage: `Attribution::AtRisk` (r:2 w:2)
	// Storage: `Balances::Holds` (r:200 w:200)
	// Storage: `System::Account` (r:204 w:204)
	// Storage: `Attribution::CurrentEpoch` (r:1 w:0)
	// Storage: `Attribution::TermsOf` (r:1 w:0)
	// Storage: `Attribution::Pots` (r:2 w:2)
	// Storage: `Attribution::Sources` (r:200 w:200)
	// Storage: `Attribution::Totals` (r:1 w:1)
	// v: 1 to 200.
	// At least 558_739 ns.
	fn redeem(v: u32) -> Weight {
		Weight::from_parts(564_848_000, 10_919)
			// Give or take 645_700.
			.saturating_add(Weight::from_parts(380_450_636, 0).saturating_mul(v.into()))
			.saturating_add(Weight::from_parts(0, 2_812).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(16))
			.saturating_add(T::DbWeight::get().reads(5).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().writes(8))
			.saturating_add(T::DbWeight::get().writes(5).saturating_mul(v.into()))
	}
}
