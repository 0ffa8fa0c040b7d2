//! Weights of `pallet_datanets`: estimates, until `make weights` has measured them. A storage read and a write
//! as the database's weights say, a signature check 60 µs, a hash 2 µs, plus the work between them.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};
#[allow(unused_imports)]
use pallet_datanets::WeightInfo as _;

/// Most bytes of one stored item of this pallet with its share of the trie.
const ITEM: u64 = 1_000;
/// Time of a call's own computation, in picoseconds.
const BASE: u64 = 30_000_000;
/// Time to check, hash and store a byte of text, in picoseconds.
const PER_BYTE: u64 = 10_000;
/// Time to decode, sort and hash a contribution into a snapshot, in picoseconds.
const PER_LEAF: u64 = 5_000_000;

/// Time to hash a proof's node, in picoseconds.
const PER_NODE: u64 = 5_000_000;
/// Most bytes of a panel or a review with their share of the trie.
const PANEL: u64 = 4_000;
/// Time to decode, search and encode a panel or a review, in picoseconds.
const PER_PANEL: u64 = 20_000_000;
/// Time to slash, pay and free a reviewer, in picoseconds.
const PER_SEAT: u64 = 100_000_000;

/// `reads` and `writes` of the database and `time` picoseconds of computation.
fn estimate<T: frame_system::Config>(time: u64, reads: u64, writes: u64) -> Weight {
	Weight::from_parts(time, reads.saturating_mul(ITEM))
		.saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}

/// As [`estimate`], and `panels` panels and reviews read and written.
fn with_panels<T: frame_system::Config>(time: u64, panels: u64, reads: u64, writes: u64) -> Weight {
	let extra = Weight::from_parts(
		PER_PANEL.saturating_mul(panels),
		PANEL.saturating_mul(panels),
	);
	estimate::<T>(
		time,
		reads.saturating_add(panels),
		writes.saturating_add(panels),
	)
	.saturating_add(extra)
}

/// What ending a review with `seats` seats costs: for each, account and holds of the reviewer, and the
/// contributor's and the treasury's once more.
fn seats_weight<T: frame_system::Config>(seats: u32) -> Weight {
	let seats = u64::from(seats);
	let accounts = seats.saturating_mul(2);
	with_panels::<T>(PER_SEAT.saturating_mul(seats), 2, accounts, accounts)
}

/// Estimated time for a call with `text` bytes.
fn with_text(text: u32) -> u64 {
	BASE.saturating_add(PER_BYTE.saturating_mul(text.into()))
}

/// What a call is thought to cost.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_datanets::WeightInfo for WeightInfo<T> {
	// Next id, account, holds; the Datanet and its deposit.
	fn create(text: u32) -> Weight {
		estimate::<T>(with_text(text), 3, 5)
	}

	// Datanet, root, account, holds, seven parameters, block; the contribution, its deposit and bond.
	// Panel and review.
	fn contribute(text: u32) -> Weight {
		with_panels::<T>(with_text(text), 2, 13, 7)
	}

	// Datanet, contribution, bond; a parameter and the block.
	fn accept() -> Weight {
		estimate::<T>(BASE, 5, 3)
	}

	// Datanet, contribution, deposit, bond, account, holds; the root.
	fn reject() -> Weight {
		estimate::<T>(BASE, 6, 7)
	}

	// Datanet, last snapshot, block number, every contribution; the new snapshot.
	fn snapshot(contributions: u32) -> Weight {
		let contributions = u64::from(contributions);
		let time = BASE.saturating_add(PER_LEAF.saturating_mul(contributions));
		estimate::<T>(time, contributions.saturating_add(3), 2)
	}

	// Datanet, contribution, deposit, bond, account, holds; the root. The review.
	fn withdraw(seats: u32) -> Weight {
		estimate::<T>(BASE, 8, 9).saturating_add(seats_weight::<T>(seats))
	}

	// Contribution.
	fn set_payout_account() -> Weight {
		estimate::<T>(BASE, 1, 1)
	}

	// Contribution, bond, block, account, holds.
	fn release_bond() -> Weight {
		estimate::<T>(BASE, 5, 3)
	}

	// Datanet, two contributions, bond, deposit, a parameter, accounts of contributor, claimer and
	// treasury, holds; the root.
	fn claim_duplicate(nodes: u32) -> Weight {
		let time = BASE.saturating_add(PER_NODE.saturating_mul(nodes.into()));
		estimate::<T>(time.saturating_mul(2), 10, 9)
	}

	// Datanet, two parameters, block, accounts and holds of two. The panel.
	fn join_panel() -> Weight {
		with_panels::<T>(BASE, 1, 8, 4)
	}

	// Account and holds. The panel.
	fn leave_panel() -> Weight {
		with_panels::<T>(BASE, 1, 2, 2)
	}

	// Datanet, contribution, four parameters, block. Panel and review.
	fn open_review() -> Weight {
		with_panels::<T>(BASE, 2, 7, 0)
	}

	// Contribution, block. Panel and review.
	fn commit_vote() -> Weight {
		with_panels::<T>(BASE, 2, 2, 0)
	}

	// Block. The review.
	fn reveal_vote() -> Weight {
		with_panels::<T>(BASE, 1, 1, 0)
	}

	// Datanet, contribution, bond, deposit, block, four parameters, accounts of contributor and treasury,
	// holds; the root.
	fn conclude_review(seats: u32) -> Weight {
		estimate::<T>(BASE, 12, 9).saturating_add(seats_weight::<T>(seats))
	}

	// Contribution, bond, block, six parameters, account, holds. Panel and review.
	fn appeal() -> Weight {
		with_panels::<T>(BASE, 2, 11, 3)
	}

	// Datanet, contribution, review, block, deposit, bond, account, holds; the root.
	fn clear_rejected() -> Weight {
		estimate::<T>(BASE, 8, 7)
	}
}
