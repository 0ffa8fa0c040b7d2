//! What the calls cost.
//!
//! These are estimates, not measurements: a count of the database accesses each call makes at most,
//! with RocksDB's constants, and a generous time for the computation. Benchmarks replace them.

use frame::weights_prelude::*;

/// Weights of this pallet's calls and hooks.
pub trait WeightInfo {
	/// `bond`.
	fn bond() -> Weight;
	/// `bond_more`.
	fn bond_more() -> Weight;
	/// `unbond`.
	fn unbond() -> Weight;
	/// `delegate`.
	fn delegate() -> Weight;
	/// `undelegate`.
	fn undelegate() -> Weight;
	/// `withdraw_unbonded`.
	fn withdraw_unbonded() -> Weight;
	/// `claim`.
	fn claim() -> Weight;
	/// `validate`.
	fn validate() -> Weight;
	/// `chill`.
	fn chill() -> Weight;
	/// `unjail`.
	fn unjail() -> Weight;
	/// `purge_keys`.
	fn purge_keys() -> Weight;
	/// `cancel_slash` of a slash with `parts` parts.
	fn cancel_slash(parts: u32) -> Weight;
	/// `set_fallback` to `validators` validators.
	fn set_fallback(validators: u32) -> Weight;
	/// Handling an offence of a validator with `positions` positions.
	fn on_offence(positions: u32) -> Weight;
	/// Looking for a slash to carry out, and carrying out one with `parts` parts.
	fn on_initialize(parts: u32) -> Weight;
}

/// Most bytes of one stored item of this pallet with its share of the trie.
const ITEM: u64 = 1_500;
/// Time of a call's own computation, in picoseconds.
const BASE: u64 = 40_000_000;

/// `reads` and `writes` of the database and the time of a call.
fn estimate(reads: u64, writes: u64) -> Weight {
	Weight::from_parts(BASE, reads.saturating_mul(ITEM))
		.saturating_add(RocksDbWeight::get().reads_writes(reads, writes))
}

/// So many of each for every one of `count`.
fn each(count: u32, reads: u64, writes: u64) -> Weight {
	let count = u64::from(count);
	estimate(count.saturating_mul(reads), count.saturating_mul(writes))
}

impl WeightInfo for () {
	// Candidate, count, session, position, account, holds; mark.
	fn bond() -> Weight {
		estimate(7, 6)
	}

	// Candidate, session, position, two marks, account, holds.
	fn bond_more() -> Weight {
		estimate(7, 6)
	}

	// Candidate, session, position, two marks.
	fn unbond() -> Weight {
		estimate(5, 4)
	}

	// As `bond_more`, and the jail.
	fn delegate() -> Weight {
		estimate(8, 6)
	}

	// As `unbond`.
	fn undelegate() -> Weight {
		estimate(5, 4)
	}

	// Candidate, session, position, two marks, account, holds; count.
	fn withdraw_unbonded() -> Weight {
		estimate(7, 7)
	}

	// Candidate, session, position, two marks, both accounts, what is owed; count.
	fn claim() -> Weight {
		estimate(8, 8)
	}

	// Candidate, session, jail.
	fn validate() -> Weight {
		estimate(3, 1)
	}

	// Candidate.
	fn chill() -> Weight {
		estimate(1, 1)
	}

	// Jail, session.
	fn unjail() -> Weight {
		estimate(2, 1)
	}

	// Candidate, fallback, validators, queued validators, keys, two key owners, account, holds.
	fn purge_keys() -> Weight {
		estimate(9, 5)
	}

	// Slash; account and holds of each part.
	fn cancel_slash(parts: u32) -> Weight {
		estimate(1, 1).saturating_add(each(parts, 2, 2))
	}

	// Fallback; keys of each.
	fn set_fallback(validators: u32) -> Weight {
		estimate(1, 1).saturating_add(each(validators, 1, 0))
	}

	// Candidate, session, jail, queue, disabled validators; position and mark of each.
	fn on_offence(positions: u32) -> Weight {
		estimate(6, 6).saturating_add(each(positions, 2, 2))
	}

	// Queue, session, slash; account and holds of each part, and who gets the money.
	fn on_initialize(parts: u32) -> Weight {
		estimate(3, 2).saturating_add(each(parts, 3, 3))
	}
}
