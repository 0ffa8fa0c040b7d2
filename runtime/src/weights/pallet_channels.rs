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
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Channels::Deposits` (r:0 w:1)
	// Storage: `Channels::Channels` (r:0 w:1)
	// At least 133_969 ns.
	fn open() -> Weight {
		Weight::from_parts(137_303_000, 3_925)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(5))
	}

	// Storage: `Channels::Channels` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// At least 66_429 ns.
	fn top_up() -> Weight {
		Weight::from_parts(67_560_000, 3_752)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Channels::Channels` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:1 w:0)
	// At least 21_121 ns.
	fn set_delegate() -> Weight {
		Weight::from_parts(26_850_000, 3_752)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Channels::Channels` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:2 w:0)
	// At least 22_674 ns.
	fn thaw() -> Weight {
		Weight::from_parts(23_294_000, 6_044)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Channels::Channels` (r:1 w:1)
	// At least 16_394 ns.
	fn cancel_thaw() -> Weight {
		Weight::from_parts(19_740_000, 3_752)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Channels::Channels` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// At least 70_805 ns.
	fn withdraw() -> Weight {
		Weight::from_parts(75_532_000, 3_752)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Channels::Channels` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Channels::Deposits` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `Channels::Lanes` (r:257 w:256)
	// l: 0 to 256.
	// At least 128_350 ns.
	fn close(l: u32) -> Weight {
		Weight::from_parts(157_461_231, 3_802)
			// Give or take 141_403.
			.saturating_add(Weight::from_parts(5_213_922, 0).saturating_mul(l.into()))
			.saturating_add(Weight::from_parts(0, 2_577).saturating_mul(l.into()))
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().reads(1).saturating_mul(l.into()))
			.saturating_add(T::DbWeight::get().writes(4))
			.saturating_add(T::DbWeight::get().writes(1).saturating_mul(l.into()))
	}

	// Storage: `Providers::HotKeys` (r:1 w:0)
	// Storage: `System::BlockHash` (r:1 w:0)
	// Storage: `Parameters::Parameters` (r:2 w:0)
	// Storage: `Channels::Channels` (r:200 w:200)
	// Storage: `Channels::Lanes` (r:200 w:200)
	// Storage: `Providers::Providers` (r:2 w:0)
	// Storage: `Attribution::AtRisk` (r:2 w:2)
	// Storage: `System::Account` (r:5 w:5)
	// Storage: `Attribution::CurrentEpoch` (r:1 w:0)
	// Storage: `Attribution::TermsOf` (r:1 w:0)
	// Storage: `Attribution::Pots` (r:2 w:2)
	// Storage: `Attribution::Sources` (r:200 w:200)
	// Storage: `Attribution::Totals` (r:1 w:1)
	// v: 1 to 200.
	// At least 223_151 ns.
	fn redeem(v: u32) -> Weight {
		Weight::from_parts(357_051_699, 13_522)
			// Give or take 258_912.
			.saturating_add(Weight::from_parts(66_401_988, 0).saturating_mul(v.into()))
			.saturating_add(Weight::from_parts(0, 2_762).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(17))
			.saturating_add(T::DbWeight::get().reads(3).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().writes(9))
			.saturating_add(T::DbWeight::get().writes(3).saturating_mul(v.into()))
	}

	// At least 41_452 ns.
	fn check_signature() -> Weight {
		Weight::from_parts(41_732_000, 0)
	}
}
