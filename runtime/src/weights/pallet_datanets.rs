//! Weights of `pallet_datanets`. Measured and written by `make weights`: to change them, change what is
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

impl<T: frame_system::Config> pallet_datanets::WeightInfo for WeightInfo<T> {
	// Storage: `Datanets::NextDatanet` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `Datanets::DatanetDeposits` (r:0 w:1)
	// Storage: `Datanets::Datanets` (r:0 w:1)
	// t: 3 to 192.
	// At least 73_759 ns.
	fn create(t: u32) -> Weight {
		Weight::from_parts(76_362_007, 3_802)
			// Give or take 3_594.
			.saturating_add(Weight::from_parts(609, 0).saturating_mul(t.into()))
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(5))
	}

	// Storage: `Datanets::Datanets` (r:1 w:1)
	// Storage: `Datanets::ContributionByRoot` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:6 w:0)
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `Datanets::Panels` (r:1 w:1)
	// Storage: `Datanets::ContributionDeposits` (r:0 w:1)
	// Storage: `Datanets::Contributions` (r:0 w:1)
	// Storage: `Datanets::Reviews` (r:0 w:1)
	// Storage: `Datanets::Bonds` (r:0 w:1)
	// t: 1 to 256.
	// At least 259_585 ns.
	fn contribute(t: u32) -> Weight {
		Weight::from_parts(259_691_860, 16_152)
			// Give or take 10_881.
			.saturating_add(Weight::from_parts(112_895, 0).saturating_mul(t.into()))
			.saturating_add(T::DbWeight::get().reads(11))
			.saturating_add(T::DbWeight::get().writes(9))
	}

	// Storage: `Datanets::Datanets` (r:1 w:1)
	// Storage: `Datanets::Contributions` (r:1 w:1)
	// Storage: `Datanets::Bonds` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:1 w:0)
	// Storage: `Datanets::Admitted` (r:0 w:1)
	// At least 36_333 ns.
	fn accept() -> Weight {
		Weight::from_parts(38_798_000, 3_876)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	// Storage: `Datanets::Datanets` (r:1 w:1)
	// Storage: `Datanets::Contributions` (r:1 w:1)
	// Storage: `Datanets::Admitted` (r:1 w:0)
	// Storage: `Datanets::ContributionDeposits` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `Datanets::Bonds` (r:1 w:1)
	// Storage: `Datanets::ContributionByRoot` (r:0 w:1)
	// At least 134_709 ns.
	fn reject() -> Weight {
		Weight::from_parts(135_842_000, 3_876)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(7))
	}

	// Storage: `Datanets::Datanets` (r:1 w:1)
	// Storage: `Datanets::Admitted` (r:4097 w:0)
	// Storage: `Datanets::Contributions` (r:4096 w:0)
	// Storage: `Datanets::Snapshots` (r:1 w:1)
	// c: 1 to 4096.
	// At least 41_762 ns.
	fn snapshot(c: u32) -> Weight {
		Weight::from_parts(32_315_335, 3_724)
			// Give or take 62_531.
			.saturating_add(Weight::from_parts(10_218_473, 0).saturating_mul(c.into()))
			.saturating_add(Weight::from_parts(0, 2_886).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().reads(2).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Datanets::Datanets` (r:1 w:1)
	// Storage: `Datanets::Contributions` (r:1 w:1)
	// Storage: `Datanets::Reviews` (r:1 w:1)
	// Storage: `Datanets::Panels` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:1 w:0)
	// Storage: `Balances::Holds` (r:33 w:33)
	// Storage: `System::Account` (r:34 w:34)
	// Storage: `Datanets::Bonds` (r:1 w:1)
	// Storage: `Datanets::Admitted` (r:1 w:0)
	// Storage: `Datanets::ContributionDeposits` (r:1 w:1)
	// Storage: `Datanets::ContributionByRoot` (r:0 w:1)
	// s: 1 to 32.
	// At least 310_220 ns.
	fn withdraw(s: u32) -> Weight {
		Weight::from_parts(207_937_691, 6_196)
			// Give or take 741_907.
			.saturating_add(Weight::from_parts(98_574_368, 0).saturating_mul(s.into()))
			.saturating_add(Weight::from_parts(0, 2_812).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(11))
			.saturating_add(T::DbWeight::get().reads(2).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().writes(10))
			.saturating_add(T::DbWeight::get().writes(2).saturating_mul(s.into()))
	}

	// Storage: `Datanets::Contributions` (r:1 w:1)
	// At least 19_579 ns.
	fn set_payout_account() -> Weight {
		Weight::from_parts(22_924_000, 3_876)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Datanets::Contributions` (r:1 w:0)
	// Storage: `Datanets::Bonds` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// At least 73_589 ns.
	fn release_bond() -> Weight {
		Weight::from_parts(76_153_000, 3_876)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	// Storage: `Datanets::Datanets` (r:1 w:1)
	// Storage: `Datanets::Contributions` (r:2 w:1)
	// Storage: `Datanets::Snapshots` (r:1 w:0)
	// Storage: `Datanets::Bonds` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:1 w:0)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `System::Account` (r:3 w:3)
	// Storage: `Datanets::Admitted` (r:1 w:1)
	// Storage: `Datanets::ContributionDeposits` (r:1 w:1)
	// Storage: `Datanets::ContributionByRoot` (r:0 w:1)
	// n: 2 to 40.
	// At least 334_997 ns.
	fn claim_duplicate(n: u32) -> Weight {
		Weight::from_parts(325_779_050, 8_799)
			// Give or take 348_115.
			.saturating_add(Weight::from_parts(1_215_010, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(12))
			.saturating_add(T::DbWeight::get().writes(10))
	}

	// Storage: `Datanets::Datanets` (r:1 w:0)
	// Storage: `Datanets::Panels` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:1 w:0)
	// Storage: `System::Account` (r:2 w:2)
	// Storage: `Balances::Holds` (r:2 w:2)
	// At least 165_956 ns.
	fn join_panel() -> Weight {
		Weight::from_parts(174_088_000, 6_614)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(5))
	}

	// Storage: `Datanets::Panels` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:1 w:0)
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// At least 87_930 ns.
	fn leave_panel() -> Weight {
		Weight::from_parts(101_140_000, 5_430)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	// Storage: `Datanets::Datanets` (r:1 w:0)
	// Storage: `Datanets::Contributions` (r:1 w:0)
	// Storage: `Datanets::Reviews` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:4 w:0)
	// Storage: `Datanets::Panels` (r:1 w:1)
	// At least 135_471 ns.
	fn open_review() -> Weight {
		Weight::from_parts(148_400_000, 11_098)
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Datanets::Contributions` (r:1 w:0)
	// Storage: `Datanets::Reviews` (r:1 w:1)
	// Storage: `Datanets::Panels` (r:1 w:0)
	// At least 55_342 ns.
	fn commit_vote() -> Weight {
		Weight::from_parts(60_119_000, 6_107)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Datanets::Reviews` (r:1 w:1)
	// At least 41_792 ns.
	fn reveal_vote() -> Weight {
		Weight::from_parts(50_645_000, 6_107)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Datanets::Reviews` (r:1 w:1)
	// Storage: `Datanets::Datanets` (r:1 w:1)
	// Storage: `Datanets::Contributions` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:2 w:0)
	// Storage: `Datanets::Panels` (r:1 w:1)
	// Storage: `Balances::Holds` (r:33 w:33)
	// Storage: `System::Account` (r:34 w:34)
	// Storage: `Datanets::Bonds` (r:1 w:1)
	// Storage: `Datanets::Admitted` (r:1 w:0)
	// Storage: `Datanets::ContributionDeposits` (r:1 w:1)
	// Storage: `Datanets::ContributionByRoot` (r:0 w:1)
	// s: 1 to 32.
	// At least 313_775 ns.
	fn conclude_review(s: u32) -> Weight {
		Weight::from_parts(224_909_097, 6_196)
			// Give or take 422_673.
			.saturating_add(Weight::from_parts(98_966_817, 0).saturating_mul(s.into()))
			.saturating_add(Weight::from_parts(0, 2_812).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(12))
			.saturating_add(T::DbWeight::get().reads(2).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().writes(10))
			.saturating_add(T::DbWeight::get().writes(2).saturating_mul(s.into()))
	}

	// Storage: `Datanets::Contributions` (r:1 w:0)
	// Storage: `Datanets::Reviews` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:6 w:0)
	// Storage: `Datanets::Panels` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `Datanets::Bonds` (r:1 w:1)
	// At least 257_612 ns.
	fn appeal() -> Weight {
		Weight::from_parts(268_077_000, 16_152)
			.saturating_add(T::DbWeight::get().reads(12))
			.saturating_add(T::DbWeight::get().writes(5))
	}

	// Storage: `Datanets::Datanets` (r:1 w:1)
	// Storage: `Datanets::Contributions` (r:1 w:1)
	// Storage: `Datanets::Reviews` (r:1 w:0)
	// Storage: `Datanets::Admitted` (r:1 w:0)
	// Storage: `Datanets::ContributionDeposits` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `Datanets::Bonds` (r:1 w:1)
	// Storage: `Datanets::ContributionByRoot` (r:0 w:1)
	// At least 139_056 ns.
	fn clear_rejected() -> Weight {
		Weight::from_parts(146_668_000, 6_107)
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(7))
	}
}
