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
	/// `heartbeat`, once it is let in.
	fn heartbeat() -> Weight;
	/// Finding out whether a heartbeat is let in.
	fn authorize_heartbeat() -> Weight;
	/// What is done at the beginning of a block in which `changes` prices change.
	fn change_quotes(changes: u32) -> Weight;
}

/// Most bytes of one stored item of this pallet with its share of the trie.
const ITEM: u64 = 1_000;
/// Time of a call's own computation, in picoseconds.
const BASE: u64 = 30_000_000;
/// Time to check a signature, in picoseconds.
const SIGNATURE: u64 = 60_000_000;
/// Time to check, hash and store a byte of text, in picoseconds.
const PER_BYTE: u64 = 10_000;

/// `reads` and `writes` of the database and the time for a call with `bytes` bytes.
fn estimate(bytes: u32, reads: u64, writes: u64) -> Weight {
	let time = BASE.saturating_add(PER_BYTE.saturating_mul(bytes.into()));
	Weight::from_parts(time, reads.saturating_mul(ITEM))
		.saturating_add(RocksDbWeight::get().reads_writes(reads, writes))
}

impl WeightInfo for () {
	// Provider, hot key, account, holds, each base model; when it was seen.
	fn register(endpoint: u32, bases: u32) -> Weight {
		estimate(endpoint, u64::from(bases).saturating_add(4), 5)
	}

	// Provider, block number, notice, highest rate, its announcement and where that is listed; at worst
	// all blocks are full but the last.
	fn set_quote() -> Weight {
		estimate(0, 22, 4)
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

	// Provider, block number, its announcement and where that is listed.
	fn leave() -> Weight {
		estimate(0, 4, 3)
	}

	// Provider, block number, value at risk, account, holds; hot key, former quotes, when it was seen.
	fn withdraw_bond() -> Weight {
		estimate(0, 5, 6)
	}

	// Provider, block number, least bond; when it was seen.
	fn unjail() -> Weight {
		estimate(0, 3, 2)
	}

	// When it was seen.
	fn heartbeat() -> Weight {
		estimate(0, 0, 1)
	}

	// Provider, block number, period, when it was seen, genesis hash.
	fn authorize_heartbeat() -> Weight {
		estimate(0, 5, 0).saturating_add(Weight::from_parts(SIGNATURE, 0))
	}

	// The list; of each its provider, announcement and former quotes.
	fn change_quotes(changes: u32) -> Weight {
		estimate(0, 1, u64::from(changes > 0))
			.saturating_add(estimate(0, 3, 3).saturating_mul(changes.into()))
	}
}
