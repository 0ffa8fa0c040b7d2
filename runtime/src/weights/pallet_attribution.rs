//! Weights of `pallet_attribution`: estimates, until `make weights` has measured them. A storage read and a write
//! as the database's weights say, a signature check 60 µs, a hash 2 µs, plus the work between them.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};
use openledger_primitives::{dispute::AUDIT_LEAVES, merkle};
#[allow(unused_imports)]
use pallet_attribution::WeightInfo as _;

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

fn estimate<T: frame_system::Config>(compute: u64, reads: u64, writes: u64) -> Weight {
	Weight::from_parts(compute, 0).saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}

/// What a call is thought to cost.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_attribution::WeightInfo for WeightInfo<T> {
	// Epoch, randomness, entropy.
	fn on_initialize() -> Weight {
		estimate::<T>(4 * HASH, 3, 1)
	}

	// The same, terms in force, governed terms and length.
	fn begin_epoch() -> Weight {
		estimate::<T>(CALL, 7, 3)
	}

	// The sender's pot, hot key, epoch, pot, report, window, totals, the reports to draw from; bond, value
	// at risk, removed reports, deposit, and the sender's account and hold.
	fn report() -> Weight {
		estimate::<T>(CALL.saturating_mul(2), 14, 5)
	}

	// Report, totals, value at risk, disproved reports and the reporter's deposit once; of each leaf: adapter, base model or snapshot and contribution, and the
	// payee's credit.
	fn settle(leaves: u32) -> Weight {
		estimate::<T>(CALL.saturating_add(EDGES), 8, 6)
			.saturating_add(estimate::<T>(LEAF, 5, 1).saturating_mul(leaves.into()))
	}

	// Credit, totals, two accounts.
	fn claim() -> Weight {
		estimate::<T>(CALL.saturating_mul(2), 4, 4)
	}

	// The list once; of each: report, randomness, rate and period.
	fn draw_audits(reports: u32) -> Weight {
		estimate::<T>(0, 1, 1).saturating_add(
			estimate::<T>(CALL.saturating_add(HASH), 4, 1).saturating_mul(reports.into()),
		)
	}

	// As `report`, with removed reports, deadline, deposit, and the sender's account and hold.
	fn report_for() -> Weight {
		estimate::<T>(CALL.saturating_mul(2), 13, 5)
	}

	// Report, terms, pot; what the kinds of disputes look up, 32 other reports at most among them;
	// bond, hold and account of the reporter, credit, totals, pallet's account.
	fn dispute(bytes: u32) -> Weight {
		estimate::<T>(
			CALL.saturating_mul(4)
				.saturating_add(BYTE.saturating_mul(bytes.into())),
			55,
			14,
		)
	}

	// Report, terms; channel, lane, models and payee of each leaf.
	fn answer_audit() -> Weight {
		let openings = AUDIT_OPENINGS.saturating_mul(EDGES.saturating_add(LEAF));
		estimate::<T>(
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
		estimate::<T>(CALL.saturating_mul(2), 10, 7)
	}

	// The sum before it, and the report it stands in.
	fn openings(openings: u32) -> Weight {
		estimate::<T>(EDGES, 1, 0).saturating_mul(openings.into())
	}

	// Report, demand, draws; account and hold.
	fn demand_audit() -> Weight {
		estimate::<T>(CALL.saturating_mul(2), 7, 5)
	}

	// Report; each source.
	fn sweep(sources: u32) -> Weight {
		estimate::<T>(CALL, 3, 0)
			.saturating_add(estimate::<T>(0, 1, 1).saturating_mul(sources.into()))
	}
}
