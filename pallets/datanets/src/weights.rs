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
	/// `withdraw` of a contribution whose review has `seats` seats.
	fn withdraw(seats: u32) -> Weight;
	/// `set_payout_account`.
	fn set_payout_account() -> Weight;
	/// `release_bond`.
	fn release_bond() -> Weight;
	/// `claim_duplicate` with `nodes` nodes in both proofs together.
	fn claim_duplicate(nodes: u32) -> Weight;
	/// `join_panel`.
	fn join_panel() -> Weight;
	/// `leave_panel`.
	fn leave_panel() -> Weight;
	/// `open_review`.
	fn open_review() -> Weight;
	/// `commit_vote`.
	fn commit_vote() -> Weight;
	/// `reveal_vote`.
	fn reveal_vote() -> Weight;
	/// `conclude_review` with `seats` seats.
	fn conclude_review(seats: u32) -> Weight;
	/// `appeal`.
	fn appeal() -> Weight;
	/// `clear_rejected`.
	fn clear_rejected() -> Weight;
}

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
fn estimate(time: u64, reads: u64, writes: u64) -> Weight {
	Weight::from_parts(time, reads.saturating_mul(ITEM))
		.saturating_add(RocksDbWeight::get().reads_writes(reads, writes))
}

/// As [`estimate`], and `panels` panels and reviews read and written.
fn with_panels(time: u64, panels: u64, reads: u64, writes: u64) -> Weight {
	let extra = Weight::from_parts(
		PER_PANEL.saturating_mul(panels),
		PANEL.saturating_mul(panels),
	);
	estimate(
		time,
		reads.saturating_add(panels),
		writes.saturating_add(panels),
	)
	.saturating_add(extra)
}

/// What ending a review with `seats` seats costs: for each, account and holds of the reviewer, and the
/// contributor's and the treasury's once more.
fn seats_weight(seats: u32) -> Weight {
	let seats = u64::from(seats);
	let accounts = seats.saturating_mul(2);
	with_panels(PER_SEAT.saturating_mul(seats), 2, accounts, accounts)
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

	// Datanet, root, account, holds, seven parameters, block; the contribution, its deposit and bond.
	// Panel and review.
	fn contribute(text: u32) -> Weight {
		with_panels(with_text(text), 2, 13, 7)
	}

	// Datanet, contribution, bond; a parameter and the block.
	fn accept() -> Weight {
		estimate(BASE, 5, 3)
	}

	// Datanet, contribution, deposit, bond, account, holds; the root.
	fn reject() -> Weight {
		estimate(BASE, 6, 7)
	}

	// Datanet, last snapshot, block number, every contribution; the new snapshot.
	fn snapshot(contributions: u32) -> Weight {
		let contributions = u64::from(contributions);
		let time = BASE.saturating_add(PER_LEAF.saturating_mul(contributions));
		estimate(time, contributions.saturating_add(3), 2)
	}

	// Datanet, contribution, deposit, bond, account, holds; the root. The review.
	fn withdraw(seats: u32) -> Weight {
		estimate(BASE, 8, 9).saturating_add(seats_weight(seats))
	}

	// Contribution.
	fn set_payout_account() -> Weight {
		estimate(BASE, 1, 1)
	}

	// Contribution, bond, block, account, holds.
	fn release_bond() -> Weight {
		estimate(BASE, 5, 3)
	}

	// Datanet, two contributions, bond, deposit, a parameter, accounts of contributor, claimer and
	// treasury, holds; the root.
	fn claim_duplicate(nodes: u32) -> Weight {
		let time = BASE.saturating_add(PER_NODE.saturating_mul(nodes.into()));
		estimate(time.saturating_mul(2), 10, 9)
	}

	// Datanet, two parameters, block, accounts and holds of two. The panel.
	fn join_panel() -> Weight {
		with_panels(BASE, 1, 8, 4)
	}

	// Account and holds. The panel.
	fn leave_panel() -> Weight {
		with_panels(BASE, 1, 2, 2)
	}

	// Datanet, contribution, four parameters, block. Panel and review.
	fn open_review() -> Weight {
		with_panels(BASE, 2, 7, 0)
	}

	// Contribution, block. Panel and review.
	fn commit_vote() -> Weight {
		with_panels(BASE, 2, 2, 0)
	}

	// Block. The review.
	fn reveal_vote() -> Weight {
		with_panels(BASE, 1, 1, 0)
	}

	// Datanet, contribution, bond, deposit, block, four parameters, accounts of contributor and treasury,
	// holds; the root.
	fn conclude_review(seats: u32) -> Weight {
		estimate(BASE, 12, 9).saturating_add(seats_weight(seats))
	}

	// Contribution, bond, block, six parameters, account, holds. Panel and review.
	fn appeal() -> Weight {
		with_panels(BASE, 2, 11, 3)
	}

	// Datanet, contribution, review, block, deposit, bond, account, holds; the root.
	fn clear_rejected() -> Weight {
		estimate(BASE, 8, 7)
	}
}
