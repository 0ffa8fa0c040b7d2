//! Weights of `pallet_scheduler`. Measured and written by `make weights`: to change them, change what is
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

impl<T: frame_system::Config> pallet_scheduler::WeightInfo for WeightInfo<T> {
	// Storage: `Scheduler::IncompleteSince` (r:1 w:1)
	// At least 5_668 ns.
	fn service_agendas_base() -> Weight {
		Weight::from_parts(5_889_000, 1_489)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// s: 0 to 512.
	// At least 4_647 ns.
	fn service_agenda_base(s: u32) -> Weight {
		Weight::from_parts(4_757_000, 110_487)
			// Give or take 4_938.
			.saturating_add(Weight::from_parts(687_301, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// At least 3_785 ns.
	fn service_task_base() -> Weight {
		Weight::from_parts(7_211_000, 0)
	}

	// Storage: `Preimage::PreimageFor` (r:1 w:1)
	// Storage: `Preimage::StatusFor` (r:1 w:0)
	// Storage: `Preimage::RequestStatusFor` (r:1 w:1)
	// s: 128 to 4194304.
	// At least 25_298 ns.
	fn service_task_fetched(s: u32) -> Weight {
		Weight::from_parts(29_784_000, 3_604)
			// Give or take 13.
			.saturating_add(Weight::from_parts(1_083, 0).saturating_mul(s.into()))
			.saturating_add(Weight::from_parts(0, 1).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Scheduler::Lookup` (r:0 w:1)
	// At least 5_768 ns.
	fn service_task_named() -> Weight {
		Weight::from_parts(7_932_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}

	// At least 3_545 ns.
	fn service_task_periodic() -> Weight {
		Weight::from_parts(3_736_000, 0)
	}

	// At least 3_144 ns.
	fn execute_dispatch_signed() -> Weight {
		Weight::from_parts(3_345_000, 0)
	}

	// At least 3_095 ns.
	fn execute_dispatch_unsigned() -> Weight {
		Weight::from_parts(3_345_000, 0)
	}

	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// s: 0 to 511.
	// At least 12_618 ns.
	fn schedule(s: u32) -> Weight {
		Weight::from_parts(11_048_986, 110_487)
			// Give or take 11_102.
			.saturating_add(Weight::from_parts(779_968, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// Storage: `Scheduler::Retries` (r:0 w:1)
	// Storage: `Scheduler::Lookup` (r:0 w:1)
	// s: 1 to 512.
	// At least 19_839 ns.
	fn cancel(s: u32) -> Weight {
		Weight::from_parts(9_774_119, 110_487)
			// Give or take 24_393.
			.saturating_add(Weight::from_parts(1_159_832, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	// Storage: `Scheduler::Lookup` (r:1 w:1)
	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// s: 0 to 511.
	// At least 17_466 ns.
	fn schedule_named(s: u32) -> Weight {
		Weight::from_parts(23_267_737, 110_487)
			// Give or take 21_019.
			.saturating_add(Weight::from_parts(753_279, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Scheduler::Lookup` (r:1 w:1)
	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// Storage: `Scheduler::Retries` (r:0 w:1)
	// s: 1 to 512.
	// At least 21_361 ns.
	fn cancel_named(s: u32) -> Weight {
		Weight::from_parts(19_263_927, 110_487)
			// Give or take 11_962.
			.saturating_add(Weight::from_parts(1_121_643, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// Storage: `Scheduler::Retries` (r:0 w:1)
	// s: 1 to 512.
	// At least 11_457 ns.
	fn schedule_retry(s: u32) -> Weight {
		Weight::from_parts(14_381_756, 110_487)
			// Give or take 2_276.
			.saturating_add(Weight::from_parts(38_855, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Scheduler::Agenda` (r:1 w:0)
	// Storage: `Scheduler::Retries` (r:0 w:1)
	// At least 258_663 ns.
	fn set_retry() -> Weight {
		Weight::from_parts(266_475_000, 110_487)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Scheduler::Lookup` (r:1 w:0)
	// Storage: `Scheduler::Agenda` (r:1 w:0)
	// Storage: `Scheduler::Retries` (r:0 w:1)
	// At least 262_799 ns.
	fn set_retry_named() -> Weight {
		Weight::from_parts(278_233_000, 110_487)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Scheduler::Agenda` (r:1 w:0)
	// Storage: `Scheduler::Retries` (r:0 w:1)
	// At least 235_820 ns.
	fn cancel_retry() -> Weight {
		Weight::from_parts(253_115_000, 110_487)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Scheduler::Lookup` (r:1 w:0)
	// Storage: `Scheduler::Agenda` (r:1 w:0)
	// Storage: `Scheduler::Retries` (r:0 w:1)
	// At least 244_272 ns.
	fn cancel_retry_named() -> Weight {
		Weight::from_parts(260_987_000, 110_487)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
}
