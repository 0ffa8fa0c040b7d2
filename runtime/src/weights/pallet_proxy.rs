//! Weights of `pallet_proxy`. Measured and written by `make weights`: to change them, change what is
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

impl<T: frame_system::Config> pallet_proxy::WeightInfo for WeightInfo<T> {
	// Storage: `Proxy::Proxies` (r:1 w:0)
	// p: 1 to 31.
	// At least 15_152 ns.
	fn proxy(p: u32) -> Weight {
		Weight::from_parts(15_714_724, 4_706)
			// Give or take 8_264.
			.saturating_add(Weight::from_parts(40_751, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(1))
	}

	// Storage: `Proxy::Proxies` (r:1 w:0)
	// Storage: `Proxy::Announcements` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// a: 0 to 31.
	// p: 1 to 31.
	// At least 43_264 ns.
	fn proxy_announced(a: u32, p: u32) -> Weight {
		Weight::from_parts(44_121_685, 5_698)
			// Give or take 13_348.
			.saturating_add(Weight::from_parts(266_620, 0).saturating_mul(a.into()))
			// Give or take 13_801.
			.saturating_add(Weight::from_parts(27_977, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Proxy::Announcements` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// a: 0 to 31.
	// p: 1 to 31.
	// At least 28_993 ns.
	fn remove_announcement(a: u32, p: u32) -> Weight {
		Weight::from_parts(23_901_801, 5_698)
			// Give or take 66_221.
			.saturating_add(Weight::from_parts(545_920, 0).saturating_mul(a.into()))
			// Give or take 68_469.
			.saturating_add(Weight::from_parts(127_196, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Proxy::Announcements` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// a: 0 to 31.
	// p: 1 to 31.
	// At least 29_263 ns.
	fn reject_announcement(a: u32, p: u32) -> Weight {
		Weight::from_parts(30_009_585, 5_698)
			// Give or take 8_531.
			.saturating_add(Weight::from_parts(258_257, 0).saturating_mul(a.into()))
			// Give or take 8_821.
			.saturating_add(Weight::from_parts(29_346, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Proxy::Proxies` (r:1 w:0)
	// Storage: `Proxy::Announcements` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// a: 0 to 31.
	// p: 1 to 31.
	// At least 39_339 ns.
	fn announce(a: u32, p: u32) -> Weight {
		Weight::from_parts(40_070_039, 5_698)
			// Give or take 10_648.
			.saturating_add(Weight::from_parts(244_191, 0).saturating_mul(a.into()))
			// Give or take 11_010.
			.saturating_add(Weight::from_parts(17_985, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Proxy::Proxies` (r:1 w:1)
	// p: 1 to 31.
	// At least 28_272 ns.
	fn add_proxy(p: u32) -> Weight {
		Weight::from_parts(29_148_627, 4_706)
			// Give or take 6_310.
			.saturating_add(Weight::from_parts(62_890, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Proxy::Proxies` (r:1 w:1)
	// p: 1 to 31.
	// At least 28_292 ns.
	fn remove_proxy(p: u32) -> Weight {
		Weight::from_parts(28_855_056, 4_706)
			// Give or take 12_691.
			.saturating_add(Weight::from_parts(103_177, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Proxy::Proxies` (r:1 w:1)
	// p: 1 to 31.
	// At least 28_382 ns.
	fn remove_proxies(p: u32) -> Weight {
		Weight::from_parts(26_897_857, 4_706)
			// Give or take 11_968.
			.saturating_add(Weight::from_parts(2_167_231, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Proxy::Proxies` (r:1 w:1)
	// p: 1 to 31.
	// At least 32_078 ns.
	fn create_pure(p: u32) -> Weight {
		Weight::from_parts(32_729_791, 4_706)
			// Give or take 8_232.
			.saturating_add(Weight::from_parts(48_136, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Proxy::Proxies` (r:1 w:1)
	// p: 0 to 30.
	// At least 29_734 ns.
	fn kill_pure(p: u32) -> Weight {
		Weight::from_parts(30_872_659, 4_706)
			// Give or take 9_845.
			.saturating_add(Weight::from_parts(45_458, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Proxy::Proxies` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Proxy::Announcements` (r:1 w:1)
	// At least 51_706 ns.
	fn poke_deposit() -> Weight {
		Weight::from_parts(53_700_000, 5_698)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
}
