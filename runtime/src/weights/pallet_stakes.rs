//! Weights of `pallet_stakes`: estimates, until `make weights` has measured them. A storage read and a write
//! as the database's weights say, a signature check 60 µs, a hash 2 µs, plus the work between them.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};
#[allow(unused_imports)]
use pallet_stakes::WeightInfo as _;

/// Most bytes of one stored item of this pallet with its share of the trie.
const ITEM: u64 = 1_500;
/// Time of a call's own computation, in picoseconds.
const BASE: u64 = 40_000_000;

/// `reads` and `writes` of the database and the time of a call.
fn estimate<T: frame_system::Config>(reads: u64, writes: u64) -> Weight {
	Weight::from_parts(BASE, reads.saturating_mul(ITEM))
		.saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}

/// So many of each for every one of `count`.
fn each<T: frame_system::Config>(count: u32, reads: u64, writes: u64) -> Weight {
	let count = u64::from(count);
	estimate::<T>(count.saturating_mul(reads), count.saturating_mul(writes))
}

/// What a call is thought to cost.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_stakes::WeightInfo for WeightInfo<T> {
	// Candidate, count, session, position, account, holds; mark.
	fn bond() -> Weight {
		estimate::<T>(7, 6)
	}

	// Candidate, session, position, two marks, account, holds.
	fn bond_more() -> Weight {
		estimate::<T>(7, 6)
	}

	// Candidate, session, position, two marks.
	fn unbond() -> Weight {
		estimate::<T>(5, 4)
	}

	// As `bond_more`, and the jail.
	fn delegate() -> Weight {
		estimate::<T>(8, 6)
	}

	// As `unbond`.
	fn undelegate() -> Weight {
		estimate::<T>(5, 4)
	}

	// Candidate, session, position, two marks, account, holds; count.
	fn withdraw_unbonded() -> Weight {
		estimate::<T>(7, 7)
	}

	// Candidate, session, position, two marks, both accounts, what is owed; count.
	fn claim() -> Weight {
		estimate::<T>(8, 8)
	}

	// Candidate, session, jail.
	fn validate() -> Weight {
		estimate::<T>(3, 1)
	}

	// Candidate.
	fn chill() -> Weight {
		estimate::<T>(1, 1)
	}

	// Jail, session.
	fn unjail() -> Weight {
		estimate::<T>(2, 1)
	}

	// Candidate, fallback, validators, queued validators, keys, two key owners, account, holds.
	fn purge_keys() -> Weight {
		estimate::<T>(9, 5)
	}

	// Slash; account and holds of each part.
	fn cancel_slash(parts: u32) -> Weight {
		estimate::<T>(1, 1).saturating_add(each::<T>(parts, 2, 2))
	}

	// Fallback; keys of each.
	fn set_fallback(validators: u32) -> Weight {
		estimate::<T>(1, 1).saturating_add(each::<T>(validators, 1, 0))
	}

	// Candidate, session, jail, queue, disabled validators; position and mark of each.
	fn on_offence(positions: u32) -> Weight {
		estimate::<T>(6, 6).saturating_add(each::<T>(positions, 2, 2))
	}

	// Queue, session, slash; account and holds of each part, and who gets the money.
	fn on_initialize(parts: u32) -> Weight {
		estimate::<T>(3, 2).saturating_add(each::<T>(parts, 3, 3))
	}

	// Candidate, count, session; position, marks, account and holds of each.
	fn dissolve(positions: u32) -> Weight {
		estimate::<T>(4, 3).saturating_add(each::<T>(positions, 6, 6))
	}

	// Counts; candidate, jail and keys of each.
	fn new_session(candidates: u32) -> Weight {
		estimate::<T>(5, 3).saturating_add(each::<T>(candidates, 3, 1))
	}

	// Income; candidate and what it made of each.
	fn end_session(validators: u32) -> Weight {
		estimate::<T>(8, 6).saturating_add(each::<T>(validators, 3, 2))
	}

	// Jail of each.
	fn start_session(validators: u32) -> Weight {
		estimate::<T>(4, 3).saturating_add(each::<T>(validators, 1, 0))
	}
}
