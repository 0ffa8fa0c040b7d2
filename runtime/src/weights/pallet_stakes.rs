//! Weights of `pallet_stakes`. Measured and written by `make weights`: to change them, change what is
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

impl<T: frame_system::Config> pallet_stakes::WeightInfo for WeightInfo<T> {
	// Storage: `Stakes::Candidates` (r:1 w:1)
	// Storage: `Stakes::CounterForCandidates` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:2 w:0)
	// Storage: `Stakes::CurrentSession` (r:1 w:0)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `Stakes::Positions` (r:1 w:1)
	// At least 95_912 ns.
	fn bond() -> Weight {
		Weight::from_parts(111_675_000, 6_044)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	// Storage: `Stakes::Candidates` (r:1 w:1)
	// Storage: `Stakes::CurrentSession` (r:1 w:0)
	// Storage: `Stakes::Positions` (r:1 w:1)
	// Storage: `Stakes::Marks` (r:1 w:2)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:1 w:0)
	// At least 172_076 ns.
	fn bond_more() -> Weight {
		Weight::from_parts(184_683_000, 4_030)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(5))
	}

	// Storage: `Stakes::Candidates` (r:1 w:1)
	// Storage: `Stakes::CurrentSession` (r:1 w:0)
	// Storage: `Stakes::Positions` (r:1 w:1)
	// Storage: `Stakes::Marks` (r:1 w:2)
	// Storage: `Parameters::Parameters` (r:2 w:0)
	// At least 57_205 ns.
	fn unbond() -> Weight {
		Weight::from_parts(97_644_000, 6_044)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	// Storage: `Stakes::Candidates` (r:1 w:1)
	// Storage: `Stakes::CurrentSession` (r:1 w:0)
	// Storage: `Stakes::Jailed` (r:1 w:0)
	// Storage: `Stakes::Positions` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:1 w:0)
	// Storage: `Stakes::Marks` (r:1 w:2)
	// Storage: `Balances::Holds` (r:1 w:1)
	// At least 118_355 ns.
	fn delegate() -> Weight {
		Weight::from_parts(126_468_000, 4_030)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(5))
	}

	// Storage: `Stakes::Candidates` (r:1 w:1)
	// Storage: `Stakes::CurrentSession` (r:1 w:0)
	// Storage: `Stakes::Positions` (r:1 w:1)
	// Storage: `Stakes::Marks` (r:1 w:2)
	// Storage: `Parameters::Parameters` (r:2 w:0)
	// At least 84_536 ns.
	fn undelegate() -> Weight {
		Weight::from_parts(103_493_000, 6_044)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	// Storage: `Stakes::Candidates` (r:1 w:1)
	// Storage: `Stakes::CurrentSession` (r:1 w:0)
	// Storage: `Stakes::Positions` (r:1 w:1)
	// Storage: `Stakes::Marks` (r:1 w:2)
	// Storage: `Balances::Holds` (r:1 w:1)
	// At least 109_212 ns.
	fn withdraw_unbonded() -> Weight {
		Weight::from_parts(166_477_000, 4_030)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(5))
	}

	// Storage: `Stakes::Candidates` (r:1 w:1)
	// Storage: `Stakes::CurrentSession` (r:1 w:0)
	// Storage: `Stakes::Positions` (r:1 w:1)
	// Storage: `Stakes::Marks` (r:1 w:2)
	// Storage: `System::Account` (r:2 w:2)
	// Storage: `Stakes::Owed` (r:1 w:1)
	// At least 106_878 ns.
	fn claim() -> Weight {
		Weight::from_parts(155_520_000, 6_196)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(7))
	}

	// Storage: `Stakes::Candidates` (r:1 w:1)
	// Storage: `Stakes::CurrentSession` (r:1 w:0)
	// Storage: `Stakes::Jailed` (r:1 w:0)
	// Storage: `Parameters::Parameters` (r:1 w:0)
	// Storage: `Stakes::Marks` (r:0 w:1)
	// At least 35_753 ns.
	fn validate() -> Weight {
		Weight::from_parts(59_969_000, 3_667)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Stakes::Candidates` (r:1 w:1)
	// Storage: `Stakes::CurrentSession` (r:1 w:0)
	// Storage: `Stakes::Marks` (r:0 w:1)
	// At least 40_430 ns.
	fn chill() -> Weight {
		Weight::from_parts(47_841_000, 3_667)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Stakes::Jailed` (r:1 w:1)
	// Storage: `Stakes::CurrentSession` (r:1 w:0)
	// Storage: `Stakes::Sprees` (r:1 w:1)
	// At least 43_064 ns.
	fn unjail() -> Weight {
		Weight::from_parts(44_867_000, 3_722)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Stakes::Candidates` (r:1 w:0)
	// Storage: `Stakes::Fallback` (r:1 w:0)
	// Storage: `Session::QueuedKeys` (r:1 w:0)
	// Storage: `Session::Validators` (r:1 w:0)
	// Storage: `Session::NextKeys` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `Session::ExternallySetKeys` (r:1 w:0)
	// Storage: `Session::KeyOwner` (r:0 w:2)
	// At least 243_692 ns.
	fn purge_keys() -> Weight {
		Weight::from_parts(291_773_000, 79_921)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	// Storage: `Stakes::Slashes` (r:1 w:1)
	// Storage: `System::Account` (r:257 w:257)
	// Storage: `Balances::Holds` (r:257 w:257)
	// p: 1 to 257.
	// At least 57_786 ns.
	fn cancel_slash(p: u32) -> Weight {
		Weight::from_parts(59_188_000, 15_859)
			// Give or take 349_275.
			.saturating_add(Weight::from_parts(51_159_678, 0).saturating_mul(p.into()))
			.saturating_add(Weight::from_parts(0, 2_812).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().reads(2).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(T::DbWeight::get().writes(2).saturating_mul(p.into()))
	}

	// Storage: `Session::NextKeys` (r:256 w:0)
	// Storage: `Stakes::Fallback` (r:0 w:1)
	// v: 1 to 256.
	// At least 54_391 ns.
	fn set_fallback(v: u32) -> Weight {
		Weight::from_parts(70_887_408, 4_823)
			// Give or take 28_991.
			.saturating_add(Weight::from_parts(3_977_127, 0).saturating_mul(v.into()))
			.saturating_add(Weight::from_parts(0, 2_572).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(1).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Stakes::Candidates` (r:1 w:1)
	// Storage: `Stakes::CurrentSession` (r:1 w:0)
	// Storage: `Stakes::Positions` (r:258 w:256)
	// Storage: `Session::QueuedKeys` (r:1 w:0)
	// Storage: `Session::Validators` (r:1 w:0)
	// Storage: `Stakes::Fallback` (r:1 w:0)
	// Storage: `Stakes::Sprees` (r:1 w:0)
	// Storage: `Stakes::Jailed` (r:1 w:0)
	// Storage: `Stakes::Marks` (r:255 w:256)
	// Storage: `System::Account` (r:257 w:257)
	// Storage: `Balances::Holds` (r:256 w:256)
	// Storage: `Stakes::Owed` (r:1 w:1)
	// Storage: `Stakes::CounterForCandidates` (r:1 w:1)
	// p: 1 to 257.
	// At least 340_615 ns.
	fn dissolve(p: u32) -> Weight {
		Weight::from_parts(343_199_000, 88_728)
			// Give or take 361_864.
			.saturating_add(Weight::from_parts(135_358_524, 0).saturating_mul(p.into()))
			.saturating_add(Weight::from_parts(0, 3_037).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(11))
			.saturating_add(T::DbWeight::get().reads(4).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().writes(4))
			.saturating_add(T::DbWeight::get().writes(4).saturating_mul(p.into()))
	}

	// Storage: `Stakes::Sprees` (r:1 w:1)
	// Storage: `Stakes::CurrentSession` (r:1 w:0)
	// Storage: `Session::DisabledValidators` (r:1 w:1)
	// Storage: `Session::Validators` (r:1 w:0)
	// Storage: `Parameters::Parameters` (r:2 w:0)
	// Storage: `Stakes::Jailed` (r:1 w:1)
	// Storage: `Stakes::Candidates` (r:1 w:1)
	// Storage: `Stakes::Positions` (r:258 w:257)
	// Storage: `Stakes::Marks` (r:256 w:257)
	// Storage: `Stakes::SlashQueue` (r:1 w:1)
	// Storage: `Stakes::Slashes` (r:1 w:2)
	// Storage: `Balances::Holds` (r:257 w:257)
	// Storage: `System::Account` (r:258 w:258)
	// p: 1 to 257.
	// At least 13_384_541 ns.
	fn on_offence(p: u32) -> Weight {
		Weight::from_parts(12_922_051_830, 723_674)
			// Give or take 2_689_851.
			.saturating_add(Weight::from_parts(52_160_586, 0).saturating_mul(p.into()))
			.saturating_add(Weight::from_parts(0, 3_040).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(525))
			.saturating_add(T::DbWeight::get().reads(2).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().writes(522))
			.saturating_add(T::DbWeight::get().writes(2).saturating_mul(p.into()))
	}

	// Storage: `Stakes::SlashQueue` (r:1 w:1)
	// Storage: `Stakes::Slashes` (r:1 w:1)
	// Storage: `Stakes::CurrentSession` (r:1 w:0)
	// Storage: `Balances::Holds` (r:257 w:257)
	// Storage: `System::Account` (r:258 w:258)
	// p: 0 to 257.
	// At least 16_895 ns.
	fn on_initialize(p: u32) -> Weight {
		Weight::from_parts(433_044_849, 15_859)
			// Give or take 1_245_717.
			.saturating_add(Weight::from_parts(49_476_244, 0).saturating_mul(p.into()))
			.saturating_add(Weight::from_parts(0, 2_812).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().reads(2).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().writes(3))
			.saturating_add(T::DbWeight::get().writes(2).saturating_mul(p.into()))
	}

	// Storage: `Parameters::Parameters` (r:3 w:0)
	// Storage: `Stakes::Candidates` (r:257 w:0)
	// Storage: `Session::NextKeys` (r:512 w:0)
	// Storage: `Stakes::Jailed` (r:512 w:0)
	// Storage: `Stakes::Fallback` (r:1 w:0)
	// Storage: `Session::Validators` (r:1 w:0)
	// c: 1 to 256.
	// At least 1_844_344 ns.
	fn new_session(c: u32) -> Weight {
		Weight::from_parts(2_261_300_859, 693_624)
			// Give or take 660_358.
			.saturating_add(Weight::from_parts(13_893_038, 0).saturating_mul(c.into()))
			.saturating_add(Weight::from_parts(0, 2_715).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads(518))
			.saturating_add(T::DbWeight::get().reads(3).saturating_mul(c.into()))
	}

	// Storage: `Attribution::Credits` (r:1 w:1)
	// Storage: `System::Account` (r:2 w:2)
	// Storage: `Attribution::Totals` (r:1 w:1)
	// Storage: `Stakes::Owed` (r:1 w:1)
	// Storage: `Session::Validators` (r:1 w:0)
	// Storage: `Stakes::Blocks` (r:1 w:0)
	// Storage: `Stakes::Jailed` (r:512 w:0)
	// Storage: `Stakes::Presences` (r:512 w:0)
	// Storage: `Stakes::Candidates` (r:512 w:512)
	// Storage: `Parameters::Parameters` (r:1 w:0)
	// Storage: `Stakes::Positions` (r:512 w:512)
	// Storage: `Historical::StoredRange` (r:1 w:1)
	// Storage: `Historical::HistoricalSessions` (r:0 w:2)
	// Storage: `Stakes::Marks` (r:0 w:512)
	// Storage: `Stakes::CurrentSession` (r:0 w:1)
	// v: 1 to 512.
	// At least 125_886 ns.
	fn end_session(v: u32) -> Weight {
		Weight::from_parts(126_287_000, 6_196)
			// Give or take 598_642.
			.saturating_add(Weight::from_parts(46_811_660, 0).saturating_mul(v.into()))
			.saturating_add(Weight::from_parts(0, 3_040).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(9))
			.saturating_add(T::DbWeight::get().reads(4).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().writes(9))
			.saturating_add(T::DbWeight::get().writes(3).saturating_mul(v.into()))
	}

	// Storage: `Session::Validators` (r:1 w:0)
	// Storage: `Stakes::Presences` (r:517 w:1028)
	// Storage: `Stakes::Blocks` (r:1 w:0)
	// Storage: `Stakes::Jailed` (r:512 w:0)
	// Storage: `Session::DisabledValidators` (r:1 w:1)
	// v: 1 to 512.
	// At least 37_425 ns.
	fn start_session(v: u32) -> Weight {
		Weight::from_parts(38_427_000, 13_670)
			// Give or take 501_731.
			.saturating_add(Weight::from_parts(40_213_892, 0).saturating_mul(v.into()))
			.saturating_add(Weight::from_parts(0, 2_536).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().reads(2).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().writes(5))
			.saturating_add(T::DbWeight::get().writes(2).saturating_mul(v.into()))
	}
}
