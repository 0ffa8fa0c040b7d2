//! What each call costs the chain.
//!
//! These are estimates until they are benchmarked: a storage read 25 µs, a write 100 µs, one hash
//! 2 µs, plus the work between them. Proof size is nought, since the chain is no parachain.

use frame::weights_prelude::*;
use openledger_primitives::merkle;

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
}

const MICROSECOND: u64 = 1_000_000;
/// The fixed work of any call.
const CALL: u64 = 30 * MICROSECOND;
/// One SHA-256 of a leaf or a pair of nodes, called from Wasm.
const HASH: u64 = 2 * MICROSECOND;
/// Decoding, arithmetic and events of one leaf, and its share of the hashes: its own and, a tree
/// having fewer inner nodes than leaves, one more.
const LEAF: u64 = 30 * MICROSECOND + 2 * HASH;
/// The hashes along both edges of a range and of the padding, at the greatest depth.
const EDGES: u64 = HASH * (merkle::MAX_PROOF + merkle::MAX_DEPTH) as u64;

fn estimate(compute: u64, reads: u64, writes: u64) -> Weight {
	Weight::from_parts(compute, 0).saturating_add(RocksDbWeight::get().reads_writes(reads, writes))
}

impl WeightInfo for () {
	fn on_initialize() -> Weight {
		estimate(0, 1, 0)
	}

	// Epoch, terms in force, governed terms and length.
	fn begin_epoch() -> Weight {
		estimate(CALL, 5, 2)
	}

	// The sender's pot, hot key, epoch, pot, report, window, totals.
	fn report() -> Weight {
		estimate(CALL, 7, 2)
	}

	// Report and totals once; of each leaf: adapter, base model or snapshot and contribution, and the
	// payee's credit.
	fn settle(leaves: u32) -> Weight {
		estimate(CALL.saturating_add(EDGES), 3, 2)
			.saturating_add(estimate(LEAF, 5, 1).saturating_mul(leaves.into()))
	}

	// Credit, totals, two accounts.
	fn claim() -> Weight {
		estimate(CALL.saturating_mul(2), 4, 4)
	}
}
