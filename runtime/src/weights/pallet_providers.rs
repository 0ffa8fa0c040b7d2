//! Weights of `pallet_providers`. Measured and written by `make weights`: to change them, change what is
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

impl<T: frame_system::Config> pallet_providers::WeightInfo for WeightInfo<T> {
	// Storage: `Providers::Providers` (r:1 w:1)
	// Storage: `Providers::HotKeys` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:2 w:0)
	// Storage: `Models::BaseModels` (r:16 w:0)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `Providers::LastQuotes` (r:1 w:1)
	// Storage: `Providers::LastSeen` (r:0 w:1)
	// e: 8 to 256.
	// b: 1 to 16.
	// At least 92_617 ns.
	fn register(e: u32, b: u32) -> Weight {
		Weight::from_parts(91_489_390, 6_044)
			// Give or take 6_153.
			.saturating_add(Weight::from_parts(6_815, 0).saturating_mul(e.into()))
			// Give or take 97_890.
			.saturating_add(Weight::from_parts(2_786_114, 0).saturating_mul(b.into()))
			.saturating_add(Weight::from_parts(0, 2_813).saturating_mul(b.into()))
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().reads(1).saturating_mul(b.into()))
			.saturating_add(T::DbWeight::get().writes(5))
	}

	// Storage: `Providers::Providers` (r:1 w:0)
	// Storage: `Parameters::Parameters` (r:2 w:0)
	// Storage: `Providers::PendingQuotes` (r:1 w:1)
	// Storage: `Providers::QuoteChanges` (r:17 w:2)
	// At least 97_204 ns.
	fn set_quote() -> Weight {
		Weight::from_parts(100_439_000, 60_694)
			.saturating_add(T::DbWeight::get().reads(21))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	// Storage: `Providers::Providers` (r:1 w:1)
	// Storage: `Providers::HotKeys` (r:1 w:2)
	// At least 24_516 ns.
	fn set_hot_key() -> Weight {
		Weight::from_parts(25_969_000, 3_925)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	// Storage: `Providers::Providers` (r:1 w:1)
	// e: 8 to 256.
	// At least 17_416 ns.
	fn set_endpoint(e: u32) -> Weight {
		Weight::from_parts(18_377_459, 3_925)
			// Give or take 1_501.
			.saturating_add(Weight::from_parts(5_220, 0).saturating_mul(e.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Providers::Providers` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// At least 73_969 ns.
	fn bond_more() -> Weight {
		Weight::from_parts(74_791_000, 3_925)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Providers::Providers` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:1 w:0)
	// Storage: `Providers::PendingQuotes` (r:1 w:1)
	// Storage: `Providers::QuoteChanges` (r:1 w:1)
	// Storage: `Providers::LastQuotes` (r:0 w:1)
	// At least 36_304 ns.
	fn leave() -> Weight {
		Weight::from_parts(38_076_000, 4_502)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	// Storage: `Providers::Providers` (r:1 w:1)
	// Storage: `Attribution::AtRisk` (r:1 w:0)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `Providers::LastQuotes` (r:1 w:1)
	// Storage: `Providers::HotKeys` (r:0 w:1)
	// Storage: `Providers::FormerQuotes` (r:0 w:1)
	// Storage: `Providers::LastSeen` (r:0 w:1)
	// At least 77_935 ns.
	fn withdraw_bond() -> Weight {
		Weight::from_parts(79_919_000, 3_925)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(6))
	}

	// Storage: `Providers::Providers` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:1 w:0)
	// Storage: `Providers::LastSeen` (r:0 w:1)
	// At least 23_875 ns.
	fn unjail() -> Weight {
		Weight::from_parts(24_616_000, 3_925)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Providers::LastSeen` (r:0 w:1)
	// At least 14_842 ns.
	fn heartbeat() -> Weight {
		Weight::from_parts(16_114_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Providers::Providers` (r:1 w:0)
	// Storage: `Parameters::Parameters` (r:1 w:0)
	// Storage: `Providers::LastSeen` (r:1 w:0)
	// Storage: `System::BlockHash` (r:1 w:0)
	// At least 69_423 ns.
	fn authorize_heartbeat() -> Weight {
		Weight::from_parts(72_567_000, 3_925).saturating_add(T::DbWeight::get().reads(4))
	}

	// Storage: `Providers::QuoteChanges` (r:1 w:1)
	// Storage: `Providers::PendingQuotes` (r:32 w:32)
	// Storage: `Providers::Providers` (r:32 w:32)
	// Storage: `Providers::FormerQuotes` (r:32 w:32)
	// c: 0 to 32.
	// At least 5_408 ns.
	fn change_quotes(c: u32) -> Weight {
		Weight::from_parts(6_591_102, 4_502)
			// Give or take 56_980.
			.saturating_add(Weight::from_parts(21_457_269, 0).saturating_mul(c.into()))
			.saturating_add(Weight::from_parts(0, 4_829).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().reads(3).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(T::DbWeight::get().writes(3).saturating_mul(c.into()))
	}
}
