//! Weights of `pallet_conviction_voting`. Measured and written by `make weights`: to change them, change what is
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

impl<T: frame_system::Config> pallet_conviction_voting::WeightInfo for WeightInfo<T> {
	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `ConvictionVoting::VotingFor` (r:1 w:1)
	// Storage: `ConvictionVoting::ClassLocksFor` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `Balances::Locks` (r:1 w:1)
	// Storage: `Balances::Freezes` (r:1 w:0)
	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// At least 202_520 ns.
	fn vote_new() -> Weight {
		Weight::from_parts(214_157_000, 110_487)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(5))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `ConvictionVoting::VotingFor` (r:1 w:1)
	// Storage: `ConvictionVoting::ClassLocksFor` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `Balances::Locks` (r:1 w:1)
	// Storage: `Balances::Freezes` (r:1 w:0)
	// Storage: `Scheduler::Agenda` (r:2 w:2)
	// Storage: `Scheduler::Retries` (r:0 w:1)
	// At least 573_400 ns.
	fn vote_existing() -> Weight {
		Weight::from_parts(586_769_000, 219_984)
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(7))
	}

	// Storage: `ConvictionVoting::VotingFor` (r:1 w:1)
	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `Scheduler::Agenda` (r:2 w:2)
	// Storage: `Scheduler::Retries` (r:0 w:1)
	// At least 513_351 ns.
	fn remove_vote() -> Weight {
		Weight::from_parts(544_196_000, 219_984)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(5))
	}

	// Storage: `ConvictionVoting::VotingFor` (r:1 w:1)
	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:0)
	// At least 98_346 ns.
	fn remove_other_vote() -> Weight {
		Weight::from_parts(108_571_000, 30_706)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `ConvictionVoting::VotingFor` (r:2 w:2)
	// Storage: `Referenda::ReferendumInfoFor` (r:20 w:20)
	// Storage: `Scheduler::Agenda` (r:2 w:2)
	// Storage: `ConvictionVoting::ClassLocksFor` (r:1 w:1)
	// Storage: `Balances::Locks` (r:1 w:1)
	// Storage: `Balances::Freezes` (r:1 w:0)
	// Storage: `Scheduler::Retries` (r:0 w:20)
	// r: 0 to 20.
	// At least 120_048 ns.
	fn delegate(r: u32) -> Weight {
		Weight::from_parts(140_645_454, 219_984)
			// Give or take 509_735.
			.saturating_add(Weight::from_parts(43_166_801, 0).saturating_mul(r.into()))
			.saturating_add(Weight::from_parts(0, 2_841).saturating_mul(r.into()))
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().reads(1).saturating_mul(r.into()))
			.saturating_add(T::DbWeight::get().writes(6))
			.saturating_add(T::DbWeight::get().writes(2).saturating_mul(r.into()))
	}

	// Storage: `ConvictionVoting::VotingFor` (r:2 w:2)
	// Storage: `Referenda::ReferendumInfoFor` (r:20 w:20)
	// Storage: `Scheduler::Agenda` (r:2 w:2)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `Scheduler::Retries` (r:0 w:20)
	// r: 0 to 20.
	// At least 72_988 ns.
	fn undelegate(r: u32) -> Weight {
		Weight::from_parts(90_938_674, 219_984)
			// Give or take 546_286.
			.saturating_add(Weight::from_parts(42_975_887, 0).saturating_mul(r.into()))
			.saturating_add(Weight::from_parts(0, 2_841).saturating_mul(r.into()))
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().reads(1).saturating_mul(r.into()))
			.saturating_add(T::DbWeight::get().writes(4))
			.saturating_add(T::DbWeight::get().writes(2).saturating_mul(r.into()))
	}

	// Storage: `ConvictionVoting::VotingFor` (r:1 w:1)
	// Storage: `ConvictionVoting::ClassLocksFor` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `Balances::Locks` (r:1 w:1)
	// Storage: `Balances::Freezes` (r:1 w:0)
	// At least 151_574 ns.
	fn unlock() -> Weight {
		Weight::from_parts(159_036_000, 30_706)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(3))
	}
}
