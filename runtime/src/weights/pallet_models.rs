//! Weights of `pallet_models`. Measured and written by `make weights`: to change them, change what is
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

impl<T: frame_system::Config> pallet_models::WeightInfo for WeightInfo<T> {
	// Storage: `Models::Names` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:1 w:0)
	// Storage: `Models::NextBaseModel` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `Models::BaseModelDeposits` (r:0 w:1)
	// Storage: `Models::BaseModels` (r:0 w:1)
	// t: 3 to 192.
	// At least 83_274 ns.
	fn register_base(_t: u32) -> Weight {
		Weight::from_parts(86_951_921, 3_802)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(6))
	}

	// Storage: `Models::Names` (r:1 w:1)
	// Storage: `Models::BaseModels` (r:1 w:0)
	// Storage: `Models::AdapterByFiles` (r:1 w:1)
	// Storage: `Datanets::Snapshots` (r:8 w:0)
	// Storage: `Models::Algorithms` (r:1 w:0)
	// Storage: `Parameters::Parameters` (r:1 w:0)
	// Storage: `Models::NextAdapter` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `Models::Adapters` (r:0 w:1)
	// Storage: `Models::AdapterDeposits` (r:0 w:1)
	// b: 512 to 1614.
	// l: 1 to 8.
	// At least 126_507 ns.
	fn register_adapter(b: u32, l: u32) -> Weight {
		Weight::from_parts(115_489_062, 3_929)
			// Give or take 1_918.
			.saturating_add(Weight::from_parts(12_189, 0).saturating_mul(b.into()))
			// Give or take 280_273.
			.saturating_add(Weight::from_parts(3_015_732, 0).saturating_mul(l.into()))
			.saturating_add(Weight::from_parts(0, 2_621).saturating_mul(l.into()))
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().reads(1).saturating_mul(l.into()))
			.saturating_add(T::DbWeight::get().writes(7))
	}

	// Storage: `Models::Adapters` (r:1 w:1)
	// At least 27_480 ns.
	fn retire_adapter() -> Weight {
		Weight::from_parts(30_005_000, 5_124)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Models::AlgorithmNames` (r:1 w:0)
	// Storage: `Models::NextProposal` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `Models::ProposalDeposits` (r:0 w:1)
	// Storage: `Models::Proposals` (r:0 w:1)
	// t: 4 to 320.
	// At least 80_479 ns.
	fn propose_algorithm(t: u32) -> Weight {
		Weight::from_parts(87_333_027, 3_802)
			// Give or take 12_387.
			.saturating_add(Weight::from_parts(15_443, 0).saturating_mul(t.into()))
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(5))
	}

	// Storage: `Models::Proposals` (r:1 w:1)
	// Storage: `Models::ProposalDeposits` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// At least 69_113 ns.
	fn withdraw_algorithm() -> Weight {
		Weight::from_parts(70_454_000, 3_931)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	// Storage: `Models::Proposals` (r:1 w:1)
	// Storage: `Models::AlgorithmNames` (r:1 w:1)
	// Storage: `Models::NextAlgorithm` (r:1 w:1)
	// Storage: `Models::ProposalDeposits` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `Models::Algorithms` (r:0 w:1)
	// At least 84_795 ns.
	fn change_algorithm() -> Weight {
		Weight::from_parts(87_100_000, 3_931)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(7))
	}
}
