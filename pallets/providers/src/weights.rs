//! What the calls cost. A runtime's weights are measured by this pallet's benchmarks.

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

/// For tests: something that grows with the input.
fn for_tests(input: u32) -> Weight {
	Weight::from_parts(u64::from(input).saturating_add(1).saturating_mul(10_000), 0)
}

/// For tests: no measurements.
impl WeightInfo for () {
	fn register(endpoint: u32, bases: u32) -> Weight {
		for_tests(endpoint.saturating_add(bases))
	}

	fn set_quote() -> Weight {
		for_tests(0)
	}

	fn set_hot_key() -> Weight {
		for_tests(0)
	}

	fn set_endpoint(endpoint: u32) -> Weight {
		for_tests(endpoint)
	}

	fn bond_more() -> Weight {
		for_tests(0)
	}

	fn leave() -> Weight {
		for_tests(0)
	}

	fn withdraw_bond() -> Weight {
		for_tests(0)
	}

	fn unjail() -> Weight {
		for_tests(0)
	}

	fn heartbeat() -> Weight {
		for_tests(0)
	}

	fn authorize_heartbeat() -> Weight {
		for_tests(0)
	}

	fn change_quotes(changes: u32) -> Weight {
		for_tests(changes)
	}
}
