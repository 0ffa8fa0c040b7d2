//! Weights of `pallet_providers`: estimates, until `make weights` has measured them. A storage read and a write
//! as the database's weights say, a signature check 60 µs, a hash 2 µs, plus the work between them.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};
#[allow(unused_imports)]
use pallet_providers::WeightInfo as _;

/// Most bytes of one stored item of this pallet with its share of the trie.
const ITEM: u64 = 1_000;
/// Time of a call's own computation, in picoseconds.
const BASE: u64 = 30_000_000;
/// Time to check a signature, in picoseconds.
const SIGNATURE: u64 = 60_000_000;
/// Time to check, hash and store a byte of text, in picoseconds.
const PER_BYTE: u64 = 10_000;

/// `reads` and `writes` of the database and the time for a call with `bytes` bytes.
fn estimate<T: frame_system::Config>(bytes: u32, reads: u64, writes: u64) -> Weight {
	let time = BASE.saturating_add(PER_BYTE.saturating_mul(bytes.into()));
	Weight::from_parts(time, reads.saturating_mul(ITEM))
		.saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}

/// What a call is thought to cost.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_providers::WeightInfo for WeightInfo<T> {
	// Provider, hot key, account, holds, each base model; when it was seen.
	fn register(endpoint: u32, bases: u32) -> Weight {
		estimate::<T>(endpoint, u64::from(bases).saturating_add(4), 5)
	}

	// Provider, block number, notice, highest rate, its announcement and where that is listed; at worst
	// all blocks are full but the last.
	fn set_quote() -> Weight {
		estimate::<T>(0, 22, 4)
	}

	// Provider, new hot key; old hot key.
	fn set_hot_key() -> Weight {
		estimate::<T>(0, 2, 3)
	}

	// Provider.
	fn set_endpoint(endpoint: u32) -> Weight {
		estimate::<T>(endpoint, 1, 1)
	}

	// Provider, account, holds.
	fn bond_more() -> Weight {
		estimate::<T>(0, 3, 3)
	}

	// Provider, block number, its announcement and where that is listed.
	fn leave() -> Weight {
		estimate::<T>(0, 4, 3)
	}

	// Provider, block number, value at risk, account, holds; hot key, former quotes, when it was seen.
	fn withdraw_bond() -> Weight {
		estimate::<T>(0, 5, 6)
	}

	// Provider, block number, least bond; when it was seen.
	fn unjail() -> Weight {
		estimate::<T>(0, 3, 2)
	}

	// When it was seen.
	fn heartbeat() -> Weight {
		estimate::<T>(0, 0, 1)
	}

	// Provider, block number, period, when it was seen, genesis hash.
	fn authorize_heartbeat() -> Weight {
		estimate::<T>(0, 5, 0).saturating_add(Weight::from_parts(SIGNATURE, 0))
	}

	// The list; of each its provider, announcement and former quotes.
	fn change_quotes(changes: u32) -> Weight {
		estimate::<T>(0, 1, u64::from(changes > 0))
			.saturating_add(estimate::<T>(0, 3, 3).saturating_mul(changes.into()))
	}
}
