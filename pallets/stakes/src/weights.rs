//! What the calls cost. A runtime's weights are measured by this pallet's benchmarks.

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
	/// `dissolve` of a candidate with `positions` positions.
	fn dissolve(positions: u32) -> Weight;
	/// Handling an offence of a validator with `positions` positions.
	fn on_offence(positions: u32) -> Weight;
	/// Looking for a slash to carry out, and carrying out one with `parts` parts.
	fn on_initialize(parts: u32) -> Weight;
	/// Electing validators from `candidates` candidates. Nobody is charged for this or for the next
	/// two: the session pallet takes a whole block for a change of sessions, in which they must fit.
	fn new_session(candidates: u32) -> Weight;
	/// Sharing income out among `validators` validators.
	fn end_session(validators: u32) -> Weight;
	/// Looking for jailed ones among `validators` validators, and disabling all if all are.
	fn start_session(validators: u32) -> Weight;
}

/// For tests: something that grows with the input.
fn for_tests(input: u32) -> Weight {
	Weight::from_parts(u64::from(input).saturating_add(1).saturating_mul(10_000), 0)
}

/// For tests: no measurements.
impl WeightInfo for () {
	fn bond() -> Weight {
		for_tests(0)
	}

	fn bond_more() -> Weight {
		for_tests(0)
	}

	fn unbond() -> Weight {
		for_tests(0)
	}

	fn delegate() -> Weight {
		for_tests(0)
	}

	fn undelegate() -> Weight {
		for_tests(0)
	}

	fn withdraw_unbonded() -> Weight {
		for_tests(0)
	}

	fn claim() -> Weight {
		for_tests(0)
	}

	fn validate() -> Weight {
		for_tests(0)
	}

	fn chill() -> Weight {
		for_tests(0)
	}

	fn unjail() -> Weight {
		for_tests(0)
	}

	fn purge_keys() -> Weight {
		for_tests(0)
	}

	fn cancel_slash(parts: u32) -> Weight {
		for_tests(parts)
	}

	fn set_fallback(validators: u32) -> Weight {
		for_tests(validators)
	}

	fn dissolve(positions: u32) -> Weight {
		for_tests(positions)
	}

	fn on_offence(positions: u32) -> Weight {
		for_tests(positions)
	}

	fn on_initialize(parts: u32) -> Weight {
		for_tests(parts)
	}

	fn new_session(candidates: u32) -> Weight {
		for_tests(candidates)
	}

	fn end_session(validators: u32) -> Weight {
		for_tests(validators)
	}

	fn start_session(validators: u32) -> Weight {
		for_tests(validators)
	}
}
