//! What the calls cost.
//!
//! These are estimates, not measurements: a count of the database accesses each call makes at most,
//! with RocksDB's constants, and a generous time for the computation. Benchmarks replace them.

use frame::weights_prelude::*;

/// Weights of this pallet's calls.
pub trait WeightInfo {
	/// `register` with an endpoint of `endpoint` bytes and `bases` base models.
	fn register(endpoint: u32, bases: u32) -> Weight;
	/// `set_quote`.
	fn set_quote() -> Weight;
	/// `set_hot_key`.
	fn set_hot_key() -> Weight;
	/// `set_endpoint` to one of `endpoint` bytes.
	fn set_endpoint(endpoint: u32) -> Weight;
	/// `bond_more`.
	fn bond_more() -> Weight;
	/// `leave`.
	fn leave() -> Weight;
	/// `withdraw_bond`.
	fn withdraw_bond() -> Weight;
	/// `unjail`.
	fn unjail() -> Weight;
}

/// Most bytes of one stored item of this pallet with its share of the trie.
const ITEM: u64 = 1_000;
/// Time of a call's own computation, in picoseconds.
const BASE: u64 = 30_000_000;
/// Time to check, hash and store a byte of text, in picoseconds.
const PER_BYTE: u64 = 10_000;

/// `reads` and `writes` of the database and the time for a call with `bytes` bytes.
fn estimate(bytes: u32, reads: u64, writes: u64) -> Weight {
	let time = BASE.saturating_add(PER_BYTE.saturating_mul(bytes.into()));
	Weight::from_parts(time, reads.saturating_mul(ITEM))
		.saturating_add(RocksDbWeight::get().reads_writes(reads, writes))
}

impl WeightInfo for () {
	// Provider, hot key, account, holds, each base model.
	fn register(endpoint: u32, bases: u32) -> Weight {
		estimate(endpoint, u64::from(bases).saturating_add(4), 4)
	}

	// Provider.
	fn set_quote() -> Weight {
		estimate(0, 1, 1)
	}

	// Provider, new hot key; old hot key.
	fn set_hot_key() -> Weight {
		estimate(0, 2, 3)
	}

	// Provider.
	fn set_endpoint(endpoint: u32) -> Weight {
		estimate(endpoint, 1, 1)
	}

	// Provider, account, holds.
	fn bond_more() -> Weight {
		estimate(0, 3, 3)
	}

	// Provider, block number.
	fn leave() -> Weight {
		estimate(0, 2, 1)
	}

	// Provider, block number, account, holds; hot key.
	fn withdraw_bond() -> Weight {
		estimate(0, 4, 4)
	}

	// Provider, block number, least bond.
	fn unjail() -> Weight {
		estimate(0, 3, 1)
	}
}
