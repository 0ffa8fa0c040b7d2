//! Weights of `pallet_models`: estimates, until `make weights` has measured them. A storage read and a write
//! as the database's weights say, a signature check 60 µs, a hash 2 µs, plus the work between them.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};
#[allow(unused_imports)]
use pallet_models::WeightInfo as _;

/// Most bytes of one stored item of this pallet with its share of the trie.
const ITEM: u64 = 2_500;
/// Time of a call's own computation, in picoseconds.
const BASE: u64 = 30_000_000;
/// Time to check, hash and store a byte, in picoseconds.
const PER_BYTE: u64 = 10_000;

/// `reads` and `writes` of the database and the time for a call with `bytes` bytes.
fn estimate<T: frame_system::Config>(bytes: u32, reads: u64, writes: u64) -> Weight {
	let time = BASE.saturating_add(PER_BYTE.saturating_mul(bytes.into()));
	Weight::from_parts(time, reads.saturating_mul(ITEM))
		.saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}

/// What a call is thought to cost.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_models::WeightInfo for WeightInfo<T> {
	// Name, next id, account, holds; the model and its deposit.
	fn register_base(text: u32) -> Weight {
		estimate::<T>(text, 4, 6)
	}

	// Name, files, next id, base, algorithm, account, holds, each snapshot; the adapter and its deposit.
	fn register_adapter(bytes: u32, lineage: u32) -> Weight {
		estimate::<T>(bytes, u64::from(lineage).saturating_add(7), 7)
	}

	// The adapter, which may be of the greatest size.
	fn retire_adapter() -> Weight {
		estimate::<T>(2_500, 1, 1)
	}

	// Name, next id, account, holds; the algorithm and its deposit.
	fn propose_algorithm(text: u32) -> Weight {
		estimate::<T>(text, 4, 6)
	}

	// The algorithm, its name and deposit, the account and its holds.
	fn withdraw_algorithm() -> Weight {
		estimate::<T>(500, 4, 5)
	}

	// The algorithm and its deposit, the number of active ones, the account and its holds.
	fn change_algorithm() -> Weight {
		estimate::<T>(500, 5, 5)
	}
}
