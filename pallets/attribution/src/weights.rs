//! What each call costs the chain.
//!
//! These are estimates until they are benchmarked: a storage read 25 µs, a write 100 µs, one hash
//! 2 µs, plus the work between them. Proof size is nought, since the chain is no parachain.

use frame::weights_prelude::*;
use openledger_primitives::{dispute::AUDIT_LEAVES, merkle};

/// Weight of each call.
pub trait WeightInfo {
	/// Weight of `on_initialize` in a block that begins no epoch.
	fn on_initialize() -> Weight;
	/// Weight of `on_initialize` in a block that begins an epoch.
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
	/// Weight of `dispute` with a dispute of `bytes` bytes.
	fn dispute(bytes: u32) -> Weight;
	/// Weight of `answer_audit`.
	fn answer_audit() -> Weight;
	/// Weight of `fail_audit`.
	fn fail_audit() -> Weight;
	/// Weight of `forfeit`.
	fn forfeit() -> Weight;
}

const MICROSECOND: u64 = 1_000_000;
/// The fixed work of any call.
const CALL: u64 = 30 * MICROSECOND;
/// One SHA-256 of a leaf or a pair of nodes, called from Wasm.
const HASH: u64 = 2 * MICROSECOND;
/// Decoding, arithmetic and events of one leaf, and its share of the hashes: its own and, a tree
/// having fewer inner nodes than leaves, one more.
const LEAF: u64 = 30 * MICROSECOND + 2 * HASH;
/// One byte of a dispute: decoded, and hashed with as few as 32 others.
const BYTE: u64 = 100_000;
/// The leaves that an audit opens: a receipt for each draw from one tree; part, payout and receipt for
/// each from the other.
const AUDIT_OPENINGS: u64 = 4 * AUDIT_LEAVES as u64;
/// The hashes along both edges of a range and of the padding, at the greatest depth.
const EDGES: u64 = HASH * (merkle::MAX_PROOF + merkle::MAX_DEPTH) as u64;

fn estimate(compute: u64, reads: u64, writes: u64) -> Weight {
	Weight::from_parts(compute, 0).saturating_add(RocksDbWeight::get().reads_writes(reads, writes))
}

impl WeightInfo for () {
	// Epoch, randomness, entropy.
	fn on_initialize() -> Weight {
		estimate(4 * HASH, 3, 1)
	}

	// The same, terms in force, governed terms and length.
	fn begin_epoch() -> Weight {
		estimate(CALL, 7, 3)
	}

	// The sender's pot, hot key, epoch, pot, report, window, totals, the reports to draw from.
	fn report() -> Weight {
		estimate(CALL, 8, 3)
	}

	// Report, totals, value at risk, disproved reports and the reporter's deposit once; of each leaf: adapter, base model or snapshot and contribution, and the
	// payee's credit.
	fn settle(leaves: u32) -> Weight {
		estimate(CALL.saturating_add(EDGES), 8, 6)
			.saturating_add(estimate(LEAF, 5, 1).saturating_mul(leaves.into()))
	}

	// Credit, totals, two accounts.
	fn claim() -> Weight {
		estimate(CALL.saturating_mul(2), 4, 4)
	}

	// The list once; of each: report, randomness, rate and period.
	fn draw_audits(reports: u32) -> Weight {
		estimate(0, 1, 1).saturating_add(
			estimate(CALL.saturating_add(HASH), 4, 1).saturating_mul(reports.into()),
		)
	}

	// As `report`, with removed reports, deadline, deposit, and the sender's account and hold.
	fn report_for() -> Weight {
		estimate(CALL.saturating_mul(2), 13, 5)
	}

	// Report, terms, pot; what the kinds of disputes look up, 32 other reports at most among them;
	// bond, hold and account of the reporter, credit, totals, pallet's account.
	fn dispute(bytes: u32) -> Weight {
		estimate(
			CALL.saturating_mul(4)
				.saturating_add(BYTE.saturating_mul(bytes.into())),
			55,
			14,
		)
	}

	// Report, terms; channel, lane, models and payee of each leaf.
	fn answer_audit() -> Weight {
		let openings = AUDIT_OPENINGS.saturating_mul(EDGES.saturating_add(LEAF));
		estimate(
			CALL.saturating_mul(4).saturating_add(openings),
			4 + 8 * AUDIT_OPENINGS,
			1,
		)
	}

	// The same as a dispute without a proof.
	fn fail_audit() -> Weight {
		Self::dispute(0)
	}

	// Epoch, pot, report, removed reports, deadline, provider, credit, totals, value at risk.
	fn forfeit() -> Weight {
		estimate(CALL.saturating_mul(2), 10, 7)
	}
}
