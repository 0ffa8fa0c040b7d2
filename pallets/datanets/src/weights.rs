//! What the calls cost.

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

/// For tests: a weight that grows with `size`. Says nothing of what a call takes.
fn for_tests(size: u32) -> Weight {
	Weight::from_parts(10_000, 0).saturating_mul(u64::from(size).saturating_add(1))
}

/// For tests: they need weights that grow as the calls do, whatever the calls take. A chain needs the
/// measured ones.
impl WeightInfo for () {
	fn create(text: u32) -> Weight {
		for_tests(text)
	}

	fn contribute(text: u32) -> Weight {
		for_tests(text)
	}

	fn accept() -> Weight {
		for_tests(0)
	}

	fn reject() -> Weight {
		for_tests(0)
	}

	fn snapshot(contributions: u32) -> Weight {
		for_tests(contributions)
	}

	fn withdraw(seats: u32) -> Weight {
		for_tests(seats)
	}

	fn set_payout_account() -> Weight {
		for_tests(0)
	}

	fn release_bond() -> Weight {
		for_tests(0)
	}

	fn claim_duplicate(nodes: u32) -> Weight {
		for_tests(nodes)
	}

	fn join_panel() -> Weight {
		for_tests(0)
	}

	fn leave_panel() -> Weight {
		for_tests(0)
	}

	fn open_review() -> Weight {
		for_tests(0)
	}

	fn commit_vote() -> Weight {
		for_tests(0)
	}

	fn reveal_vote() -> Weight {
		for_tests(0)
	}

	fn conclude_review(seats: u32) -> Weight {
		for_tests(seats)
	}

	fn appeal() -> Weight {
		for_tests(0)
	}

	fn clear_rejected() -> Weight {
		for_tests(0)
	}
}
