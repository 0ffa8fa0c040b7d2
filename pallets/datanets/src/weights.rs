//! What the calls cost.
//!
//! These are estimates, not measurements: a count of the database accesses each call makes at most,
//! with RocksDB's constants, and a generous time for the computation. Benchmarks replace them.

use frame::weights_prelude::*;

/// Weights of this pallet's calls.
pub trait WeightInfo {
	/// `create` with `text` bytes of text in all.
	fn create(text: u32) -> Weight;
	/// `contribute` with `text` bytes of text in all.
	fn contribute(text: u32) -> Weight;
	/// `accept`.
	fn accept() -> Weight;
	/// `reject`.
	fn reject() -> Weight;
	/// `snapshot` of a Datanet that keeps `contributions` contributions.
	fn snapshot(contributions: u32) -> Weight;
	/// `withdraw`.
	fn withdraw() -> Weight;
}

/// Most bytes of one stored item of this pallet with its share of the trie.
const ITEM: u64 = 1_000;
/// Time of a call's own computation, in picoseconds.
const BASE: u64 = 30_000_000;
/// Time to check, hash and store a byte of text, in picoseconds.
const PER_BYTE: u64 = 10_000;
/// Time to decode, sort and hash a contribution into a snapshot, in picoseconds.
const PER_LEAF: u64 = 5_000_000;

/// `reads` and `writes` of the database and `time` picoseconds of computation.
fn estimate(time: u64, reads: u64, writes: u64) -> Weight {
	Weight::from_parts(time, reads.saturating_mul(ITEM))
		.saturating_add(RocksDbWeight::get().reads_writes(reads, writes))
}

/// Estimated time for a call with `text` bytes.
fn with_text(text: u32) -> u64 {
	BASE.saturating_add(PER_BYTE.saturating_mul(text.into()))
}

impl WeightInfo for () {
	// Next id, account, holds; the Datanet and its deposit.
	fn create(text: u32) -> Weight {
		estimate(with_text(text), 3, 5)
	}

	// Datanet, root, account, holds; the contribution and its deposit.
	fn contribute(text: u32) -> Weight {
		estimate(with_text(text), 4, 6)
	}

	// Datanet, contribution.
	fn accept() -> Weight {
		estimate(BASE, 2, 2)
	}

	// Datanet, contribution, deposit, account, holds; the root.
	fn reject() -> Weight {
		estimate(BASE, 5, 6)
	}

	// Datanet, last snapshot, block number, every contribution; the new snapshot.
	fn snapshot(contributions: u32) -> Weight {
		let contributions = u64::from(contributions);
		let time = BASE.saturating_add(PER_LEAF.saturating_mul(contributions));
		estimate(time, contributions.saturating_add(3), 2)
	}

	// Datanet, contribution, deposit, account, holds; the root.
	fn withdraw() -> Weight {
		estimate(BASE, 5, 6)
	}
}
