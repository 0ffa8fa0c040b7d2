//! Weights of `pallet_referenda`. Measured and written by `make weights`: to change them, change what is
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

impl<T: frame_system::Config> pallet_referenda::WeightInfo for WeightInfo<T> {
	// Storage: `Referenda::ReferendumCount` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// Storage: `Referenda::ReferendumInfoFor` (r:0 w:1)
	// At least 42_963 ns.
	fn submit() -> Weight {
		Weight::from_parts(43_735_000, 110_487)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `Scheduler::Agenda` (r:2 w:2)
	// Storage: `Scheduler::Retries` (r:0 w:1)
	// At least 57_105 ns.
	fn place_decision_deposit_preparing() -> Weight {
		Weight::from_parts(58_607_000, 219_984)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `Referenda::DecidingCount` (r:1 w:0)
	// Storage: `Referenda::TrackQueue` (r:1 w:1)
	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// Storage: `Scheduler::Retries` (r:0 w:1)
	// At least 76_163 ns.
	fn place_decision_deposit_queued() -> Weight {
		Weight::from_parts(79_097_000, 110_487)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `Referenda::DecidingCount` (r:1 w:0)
	// Storage: `Referenda::TrackQueue` (r:1 w:1)
	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// Storage: `Scheduler::Retries` (r:0 w:1)
	// At least 76_985 ns.
	fn place_decision_deposit_not_queued() -> Weight {
		Weight::from_parts(79_557_000, 110_487)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `Referenda::DecidingCount` (r:1 w:1)
	// Storage: `System::Account` (r:4 w:0)
	// Storage: `Scheduler::Agenda` (r:2 w:2)
	// Storage: `Scheduler::Retries` (r:0 w:1)
	// At least 86_488 ns.
	fn place_decision_deposit_passing() -> Weight {
		Weight::from_parts(89_553_000, 219_984)
			.saturating_add(T::DbWeight::get().reads(9))
			.saturating_add(T::DbWeight::get().writes(5))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `Referenda::DecidingCount` (r:1 w:1)
	// Storage: `System::Account` (r:4 w:0)
	// Storage: `Scheduler::Agenda` (r:2 w:2)
	// Storage: `Scheduler::Retries` (r:0 w:1)
	// At least 93_849 ns.
	fn place_decision_deposit_failing() -> Weight {
		Weight::from_parts(96_323_000, 219_984)
			.saturating_add(T::DbWeight::get().reads(9))
			.saturating_add(T::DbWeight::get().writes(5))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// At least 30_735 ns.
	fn refund_decision_deposit() -> Weight {
		Weight::from_parts(32_017_000, 3_831)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// At least 30_175 ns.
	fn refund_submission_deposit() -> Weight {
		Weight::from_parts(31_076_000, 3_831)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// Storage: `Scheduler::Retries` (r:0 w:1)
	// At least 29_213 ns.
	fn cancel() -> Weight {
		Weight::from_parts(29_624_000, 110_487)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// Storage: `System::Account` (r:1 w:1)
	// Storage: `Referenda::MetadataOf` (r:1 w:0)
	// Storage: `Scheduler::Retries` (r:0 w:1)
	// At least 100_569 ns.
	fn kill() -> Weight {
		Weight::from_parts(102_012_000, 110_487)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `Referenda::TrackQueue` (r:1 w:0)
	// Storage: `Referenda::DecidingCount` (r:1 w:1)
	// At least 15_654 ns.
	fn one_fewer_deciding_queue_empty() -> Weight {
		Weight::from_parts(16_484_000, 5_477)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `Referenda::TrackQueue` (r:1 w:1)
	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `System::Account` (r:4 w:0)
	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// At least 88_782 ns.
	fn one_fewer_deciding_failing() -> Weight {
		Weight::from_parts(97_154_000, 110_487)
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `Referenda::TrackQueue` (r:1 w:1)
	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `System::Account` (r:4 w:0)
	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// At least 79_317 ns.
	fn one_fewer_deciding_passing() -> Weight {
		Weight::from_parts(88_020_000, 110_487)
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:0)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `Referenda::TrackQueue` (r:1 w:1)
	// At least 30_876 ns.
	fn nudge_referendum_requeued_insertion() -> Weight {
		Weight::from_parts(36_063_000, 5_477)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:0)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `Referenda::TrackQueue` (r:1 w:1)
	// At least 29_113 ns.
	fn nudge_referendum_requeued_slide() -> Weight {
		Weight::from_parts(33_279_000, 5_477)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `Referenda::DecidingCount` (r:1 w:0)
	// Storage: `Referenda::TrackQueue` (r:1 w:1)
	// At least 34_591 ns.
	fn nudge_referendum_queued() -> Weight {
		Weight::from_parts(39_198_000, 5_477)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `Referenda::DecidingCount` (r:1 w:0)
	// Storage: `Referenda::TrackQueue` (r:1 w:1)
	// At least 40_110 ns.
	fn nudge_referendum_not_queued() -> Weight {
		Weight::from_parts(46_348_000, 5_477)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// At least 27_201 ns.
	fn nudge_referendum_no_deposit() -> Weight {
		Weight::from_parts(29_374_000, 110_487)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// At least 28_152 ns.
	fn nudge_referendum_preparing() -> Weight {
		Weight::from_parts(29_003_000, 110_487)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// At least 18_448 ns.
	fn nudge_referendum_timed_out() -> Weight {
		Weight::from_parts(20_120_000, 3_831)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `Referenda::DecidingCount` (r:1 w:1)
	// Storage: `System::Account` (r:4 w:0)
	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// At least 62_192 ns.
	fn nudge_referendum_begin_deciding_failing() -> Weight {
		Weight::from_parts(63_664_000, 110_487)
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `Referenda::DecidingCount` (r:1 w:1)
	// Storage: `System::Account` (r:4 w:0)
	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// At least 54_521 ns.
	fn nudge_referendum_begin_deciding_passing() -> Weight {
		Weight::from_parts(59_158_000, 110_487)
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `System::Account` (r:4 w:0)
	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// At least 48_502 ns.
	fn nudge_referendum_begin_confirming() -> Weight {
		Weight::from_parts(51_426_000, 110_487)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `System::Account` (r:4 w:0)
	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// At least 58_367 ns.
	fn nudge_referendum_end_confirming() -> Weight {
		Weight::from_parts(59_138_000, 110_487)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `System::Account` (r:4 w:0)
	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// At least 56_854 ns.
	fn nudge_referendum_continue_not_confirming() -> Weight {
		Weight::from_parts(59_298_000, 110_487)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `System::Account` (r:4 w:0)
	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// At least 46_289 ns.
	fn nudge_referendum_continue_confirming() -> Weight {
		Weight::from_parts(47_640_000, 110_487)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `System::Account` (r:4 w:0)
	// Storage: `Scheduler::Agenda` (r:2 w:2)
	// Storage: `Scheduler::Lookup` (r:1 w:1)
	// At least 63_034 ns.
	fn nudge_referendum_approved() -> Weight {
		Weight::from_parts(63_975_000, 219_984)
			.saturating_add(T::DbWeight::get().reads(9))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:1)
	// Storage: `Launch::Trial` (r:1 w:0)
	// Storage: `System::Account` (r:4 w:0)
	// Storage: `Scheduler::Agenda` (r:1 w:1)
	// At least 48_101 ns.
	fn nudge_referendum_rejected() -> Weight {
		Weight::from_parts(49_724_000, 110_487)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:0)
	// Storage: `Preimage::StatusFor` (r:1 w:0)
	// Storage: `Preimage::RequestStatusFor` (r:1 w:0)
	// Storage: `Referenda::MetadataOf` (r:0 w:1)
	// At least 21_441 ns.
	fn set_some_metadata() -> Weight {
		Weight::from_parts(22_944_000, 3_831)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	// Storage: `Referenda::ReferendumInfoFor` (r:1 w:0)
	// Storage: `Referenda::MetadataOf` (r:1 w:1)
	// At least 16_684 ns.
	fn clear_metadata() -> Weight {
		Weight::from_parts(17_486_000, 3_831)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
}
