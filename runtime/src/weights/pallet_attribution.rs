//! Weights of `pallet_attribution`. Measured and written by `make weights`: to change them, change what is
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

impl<T: frame_system::Config> pallet_attribution::WeightInfo for WeightInfo<T> {
	// Storage: `Attribution::CurrentEpoch` (r:1 w:0)
	// Storage: `Babe::AuthorVrfRandomness` (r:1 w:0)
	// Storage: `System::ParentHash` (r:1 w:0)
	// Storage: `Attribution::Entropy` (r:1 w:1)
	// At least 13_059 ns.
	fn on_initialize() -> Weight {
		Weight::from_parts(13_420_000, 1_518)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Attribution::CurrentEpoch` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:2 w:0)
	// Storage: `Attribution::TermsOf` (r:1 w:1)
	// Storage: `Babe::AuthorVrfRandomness` (r:1 w:0)
	// Storage: `System::ParentHash` (r:1 w:0)
	// Storage: `Attribution::Entropy` (r:1 w:1)
	// At least 41_091 ns.
	fn begin_epoch() -> Weight {
		Weight::from_parts(48_902_000, 6_044)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	// Storage: `Attribution::Pots` (r:2 w:0)
	// Storage: `Providers::HotKeys` (r:1 w:0)
	// Storage: `Attribution::CurrentEpoch` (r:1 w:0)
	// Storage: `Attribution::Reports` (r:1 w:1)
	// Storage: `Attribution::Disproved` (r:1 w:0)
	// Storage: `Attribution::AtRisk` (r:1 w:0)
	// Storage: `Parameters::Parameters` (r:3 w:0)
	// Storage: `Providers::Providers` (r:1 w:0)
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `Attribution::ToDraw` (r:1 w:1)
	// At least 116_633 ns.
	fn report() -> Weight {
		Weight::from_parts(124_795_000, 8_571)
			.saturating_add(T::DbWeight::get().reads(14))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	// Storage: `Attribution::Reports` (r:1 w:1)
	// Storage: `Models::Adapters` (r:256 w:0)
	// Storage: `Datanets::Snapshots` (r:2048 w:0)
	// Storage: `Datanets::Contributions` (r:256 w:0)
	// Storage: `Attribution::Credits` (r:256 w:256)
	// Storage: `Attribution::Totals` (r:1 w:1)
	// Storage: `Attribution::AtRisk` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `Attribution::Demands` (r:1 w:1)
	// Storage: `Attribution::Disproved` (r:0 w:1)
	// l: 1 to 256.
	// At least 211_213 ns.
	fn settle(l: u32) -> Weight {
		Weight::from_parts(96_845_465, 3_802)
			// Give or take 335_767.
			.saturating_add(Weight::from_parts(69_191_451, 0).saturating_mul(l.into()))
			.saturating_add(Weight::from_parts(0, 20_968).saturating_mul(l.into()))
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().reads(11).saturating_mul(l.into()))
			.saturating_add(T::DbWeight::get().writes(7))
			.saturating_add(T::DbWeight::get().writes(1).saturating_mul(l.into()))
	}

	// Storage: `Attribution::Credits` (r:1 w:1)
	// Storage: `System::Account` (r:2 w:2)
	// Storage: `Attribution::Totals` (r:1 w:1)
	// At least 74_941 ns.
	fn claim() -> Weight {
		Weight::from_parts(77_896_000, 6_196)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	// Storage: `Attribution::Entropy` (r:1 w:0)
	// Storage: `Attribution::ToDraw` (r:1 w:1)
	// Storage: `Attribution::Demands` (r:128 w:0)
	// Storage: `Attribution::Reports` (r:128 w:128)
	// Storage: `Parameters::Parameters` (r:2 w:0)
	// r: 0 to 128.
	// At least 4_657 ns.
	fn draw_audits(r: u32) -> Weight {
		Weight::from_parts(4_788_000, 8_087)
			// Give or take 64_355.
			.saturating_add(Weight::from_parts(22_320_550, 0).saturating_mul(r.into()))
			.saturating_add(Weight::from_parts(0, 2_809).saturating_mul(r.into()))
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().reads(2).saturating_mul(r.into()))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(T::DbWeight::get().writes(1).saturating_mul(r.into()))
	}

	// Storage: `Attribution::CurrentEpoch` (r:1 w:0)
	// Storage: `Attribution::Pots` (r:1 w:0)
	// Storage: `Attribution::Reports` (r:1 w:1)
	// Storage: `Providers::HotKeys` (r:1 w:0)
	// Storage: `Attribution::Disproved` (r:1 w:0)
	// Storage: `Attribution::AtRisk` (r:1 w:0)
	// Storage: `Parameters::Parameters` (r:3 w:0)
	// Storage: `Providers::Providers` (r:1 w:0)
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `Attribution::ToDraw` (r:1 w:1)
	// At least 114_540 ns.
	fn report_for() -> Weight {
		Weight::from_parts(117_474_000, 8_571)
			.saturating_add(T::DbWeight::get().reads(13))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	// Storage: `Models::Adapters` (r:1 w:0)
	// Storage: `Datanets::Snapshots` (r:8 w:0)
	// Storage: `Datanets::Contributions` (r:1 w:0)
	// Storage: `Attribution::Reports` (r:1 w:1)
	// Storage: `Attribution::TermsOf` (r:1 w:0)
	// Storage: `Attribution::SourcesSince` (r:1 w:0)
	// Storage: `Attribution::Sources` (r:1 w:0)
	// Storage: `Attribution::CurrentEpoch` (r:1 w:0)
	// Storage: `Attribution::Disproved` (r:1 w:1)
	// Storage: `Balances::Holds` (r:2 w:2)
	// Storage: `System::Account` (r:3 w:3)
	// Storage: `Parameters::Parameters` (r:5 w:0)
	// Storage: `Providers::Providers` (r:1 w:1)
	// Storage: `Attribution::Demands` (r:1 w:1)
	// Storage: `Attribution::Credits` (r:1 w:1)
	// Storage: `Attribution::Totals` (r:1 w:1)
	// b: 0 to 131072.
	// At least 341_447 ns.
	fn dispute(b: u32) -> Weight {
		Weight::from_parts(295_675_822, 21_958)
			// Give or take 387.
			.saturating_add(Weight::from_parts(41_565, 0).saturating_mul(b.into()))
			.saturating_add(T::DbWeight::get().reads(30))
			.saturating_add(T::DbWeight::get().writes(11))
	}

	// Storage: `Attribution::Reports` (r:128 w:0)
	// o: 0 to 128.
	// At least 220 ns.
	fn openings(o: u32) -> Weight {
		Weight::from_parts(21_852_435, 990)
			// Give or take 258_397.
			.saturating_add(Weight::from_parts(65_537_489, 0).saturating_mul(o.into()))
			.saturating_add(Weight::from_parts(0, 2_809).saturating_mul(o.into()))
			.saturating_add(T::DbWeight::get().reads(1).saturating_mul(o.into()))
	}

	// Storage: `Attribution::Reports` (r:1 w:1)
	// Storage: `Attribution::TermsOf` (r:1 w:0)
	// Storage: `Attribution::SourcesSince` (r:1 w:0)
	// Storage: `Attribution::Sources` (r:8 w:0)
	// Storage: `System::BlockHash` (r:1 w:0)
	// Storage: `Channels::Channels` (r:8 w:0)
	// Storage: `Models::BaseModels` (r:8 w:0)
	// Storage: `Models::Adapters` (r:8 w:0)
	// Storage: `Datanets::Snapshots` (r:32 w:0)
	// Storage: `Datanets::Contributions` (r:4 w:0)
	// Storage: `Attribution::Demands` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `System::Account` (r:2 w:2)
	// Storage: `Attribution::Credits` (r:1 w:1)
	// Storage: `Attribution::Totals` (r:1 w:1)
	// At least 2_623_168 ns.
	fn answer_audit() -> Weight {
		Weight::from_parts(2_679_221_000, 84_862)
			.saturating_add(T::DbWeight::get().reads(78))
			.saturating_add(T::DbWeight::get().writes(7))
	}

	// Storage: `Attribution::Reports` (r:1 w:1)
	// Storage: `Attribution::CurrentEpoch` (r:1 w:0)
	// Storage: `Attribution::Disproved` (r:1 w:1)
	// Storage: `Balances::Holds` (r:2 w:2)
	// Storage: `System::Account` (r:3 w:3)
	// Storage: `Parameters::Parameters` (r:5 w:0)
	// Storage: `Providers::Providers` (r:1 w:1)
	// Storage: `Attribution::Demands` (r:1 w:1)
	// Storage: `Attribution::Credits` (r:1 w:1)
	// Storage: `Attribution::Totals` (r:1 w:1)
	// At least 195_439 ns.
	fn fail_audit() -> Weight {
		Weight::from_parts(200_838_000, 13_625)
			.saturating_add(T::DbWeight::get().reads(17))
			.saturating_add(T::DbWeight::get().writes(11))
	}

	// Storage: `Attribution::Reports` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:3 w:0)
	// Storage: `Balances::Holds` (r:1 w:1)
	// Storage: `System::Account` (r:2 w:2)
	// Storage: `Providers::Providers` (r:1 w:1)
	// Storage: `Attribution::Demands` (r:1 w:1)
	// Storage: `Attribution::Credits` (r:1 w:1)
	// Storage: `Attribution::Totals` (r:1 w:1)
	// Storage: `Attribution::AtRisk` (r:1 w:1)
	// Storage: `Attribution::Disproved` (r:0 w:1)
	// At least 112_987 ns.
	fn forfeit() -> Weight {
		Weight::from_parts(117_695_000, 8_571)
			.saturating_add(T::DbWeight::get().reads(12))
			.saturating_add(T::DbWeight::get().writes(10))
	}

	// Storage: `Attribution::Reports` (r:1 w:1)
	// Storage: `Attribution::Demands` (r:1 w:1)
	// Storage: `Attribution::ToDraw` (r:1 w:1)
	// Storage: `Parameters::Parameters` (r:1 w:0)
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Balances::Holds` (r:1 w:1)
	// At least 90_935 ns.
	fn demand_audit() -> Weight {
		Weight::from_parts(93_348_000, 8_087)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(5))
	}

	// Storage: `Attribution::Reports` (r:1 w:0)
	// Storage: `Attribution::Sources` (r:256 w:256)
	// s: 1 to 256.
	// At least 20_039 ns.
	fn sweep(s: u32) -> Weight {
		Weight::from_parts(13_757_596, 3_799)
			// Give or take 21_136.
			.saturating_add(Weight::from_parts(4_530_468, 0).saturating_mul(s.into()))
			.saturating_add(Weight::from_parts(0, 2_613).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().reads(1).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().writes(1).saturating_mul(s.into()))
	}
}
