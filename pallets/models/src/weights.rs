//! What the calls cost.
//!
//! These are estimates, not measurements: a count of the database accesses each call makes at most,
//! with RocksDB's constants, and a generous time for the computation. Benchmarks replace them.

use frame::weights_prelude::*;

/// Weights of this pallet's calls.
pub trait WeightInfo {
	/// `register_base` with `text` bytes of text in all.
	fn register_base(text: u32) -> Weight;
	/// `register_adapter` with `bytes` encoded bytes and `lineage` snapshots.
	fn register_adapter(bytes: u32, lineage: u32) -> Weight;
	/// `retire_adapter`.
	fn retire_adapter() -> Weight;
	/// `propose_algorithm` with `text` bytes of text in all.
	fn propose_algorithm(text: u32) -> Weight;
	/// `withdraw_algorithm`.
	fn withdraw_algorithm() -> Weight;
	/// `shadow_algorithm`, `activate_algorithm` and `retire_algorithm`.
	fn change_algorithm() -> Weight;
}

/// Most bytes of one stored item of this pallet with its share of the trie.
const ITEM: u64 = 2_500;
/// Time of a call's own computation, in picoseconds.
const BASE: u64 = 30_000_000;
/// Time to check, hash and store a byte, in picoseconds.
const PER_BYTE: u64 = 10_000;

/// `reads` and `writes` of the database and the time for a call with `bytes` bytes.
fn estimate(bytes: u32, reads: u64, writes: u64) -> Weight {
	let time = BASE.saturating_add(PER_BYTE.saturating_mul(bytes.into()));
	Weight::from_parts(time, reads.saturating_mul(ITEM))
		.saturating_add(RocksDbWeight::get().reads_writes(reads, writes))
}

impl WeightInfo for () {
	// Name, next id, account, holds; the model and its deposit.
	fn register_base(text: u32) -> Weight {
		estimate(text, 4, 6)
	}

	// Name, files, next id, base, algorithm, account, holds, each snapshot; the adapter and its deposit.
	fn register_adapter(bytes: u32, lineage: u32) -> Weight {
		estimate(bytes, u64::from(lineage).saturating_add(7), 7)
	}

	// The adapter, which may be of the greatest size.
	fn retire_adapter() -> Weight {
		estimate(2_500, 1, 1)
	}

	// Name, next id, account, holds; the algorithm and its deposit.
	fn propose_algorithm(text: u32) -> Weight {
		estimate(text, 4, 6)
	}

	// The algorithm, its name and deposit, the account and its holds.
	fn withdraw_algorithm() -> Weight {
		estimate(500, 4, 5)
	}

	// The algorithm and its deposit, the number of active ones, the account and its holds.
	fn change_algorithm() -> Weight {
		estimate(500, 5, 5)
	}
}
