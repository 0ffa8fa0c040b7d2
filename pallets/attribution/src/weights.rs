//! What each call costs the chain, as the runtime's benchmarks measure it.

use frame::weights_prelude::*;

/// Weight of each call.
pub trait WeightInfo {
	/// Weight of `on_initialize` in a block that begins no epoch, without the drawing of audits.
	fn on_initialize() -> Weight;
	/// Weight of `on_initialize` in a block that begins an epoch, without the drawing of audits.
	fn begin_epoch() -> Weight;
	/// Weight of `report`.
	fn report() -> Weight;
	/// Weight of `settle` with `leaves` leaves, the finding of their payees included.
	fn settle(leaves: u32) -> Weight;
	/// Weight of `claim`.
	fn claim() -> Weight;
	/// Weight of drawing audits from `reports` reports.
	fn draw_audits(reports: u32) -> Weight;
	/// Weight of `report_for`.
	fn report_for() -> Weight;
	/// Weight of `dispute` with a dispute of `bytes` bytes that opens one leaf.
	fn dispute(bytes: u32) -> Weight;
	/// Weight of checking `openings` more leaves that a dispute opens, each in a report of its own.
	fn openings(openings: u32) -> Weight;
	/// Weight of `answer_audit`.
	fn answer_audit() -> Weight;
	/// Weight of `fail_audit`.
	fn fail_audit() -> Weight;
	/// Weight of `forfeit`.
	fn forfeit() -> Weight;
	/// Weight of `demand_audit`.
	fn demand_audit() -> Weight;
	/// Weight of `sweep` that removes `sources` sources.
	fn sweep(sources: u32) -> Weight;
}

/// For tests: what grows with the input grows here too, and nothing else is true of it.
impl WeightInfo for () {
	fn on_initialize() -> Weight {
		steps(0)
	}

	fn begin_epoch() -> Weight {
		steps(1)
	}

	fn report() -> Weight {
		steps(0)
	}

	fn settle(leaves: u32) -> Weight {
		steps(leaves)
	}

	fn claim() -> Weight {
		steps(0)
	}

	fn draw_audits(reports: u32) -> Weight {
		steps(reports)
	}

	fn report_for() -> Weight {
		steps(0)
	}

	fn dispute(bytes: u32) -> Weight {
		steps(bytes)
	}

	fn openings(openings: u32) -> Weight {
		steps(openings)
	}

	fn answer_audit() -> Weight {
		steps(0)
	}

	fn fail_audit() -> Weight {
		steps(0)
	}

	fn forfeit() -> Weight {
		steps(0)
	}

	fn demand_audit() -> Weight {
		steps(0)
	}

	fn sweep(sources: u32) -> Weight {
		steps(sources)
	}
}

fn steps(count: u32) -> Weight {
	Weight::from_parts(10_000, 0).saturating_mul(u64::from(count).saturating_add(1))
}
