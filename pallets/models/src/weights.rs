//! What the calls cost.

use frame::weights_prelude::*;

/// Weights of this pallet's calls.
pub trait WeightInfo {
	/// `register_base` with `text` bytes of text in all.
	fn register_base(text: u32) -> Weight;
	/// `register_adapter` with `bytes` encoded bytes and `lineage` snapshots.
	fn register_adapter(bytes: u32, lineage: u32) -> Weight;
	/// `retire_adapter`.
	fn retire_adapter() -> Weight;
	/// `propose_algorithm` with `text` bytes of text in all.
	fn propose_algorithm(text: u32) -> Weight;
	/// `withdraw_algorithm`.
	fn withdraw_algorithm() -> Weight;
	/// `shadow_algorithm`, `activate_algorithm` and `retire_algorithm`.
	fn change_algorithm() -> Weight;
}

/// For tests: a weight that grows with `size`. Says nothing of what a call takes.
fn for_tests(size: u32) -> Weight {
	Weight::from_parts(10_000, 0).saturating_mul(u64::from(size).saturating_add(1))
}

/// For tests: they need weights that grow as the calls do, whatever the calls take. A chain needs the
/// measured ones.
impl WeightInfo for () {
	fn register_base(text: u32) -> Weight {
		for_tests(text)
	}

	fn register_adapter(bytes: u32, lineage: u32) -> Weight {
		for_tests(bytes).saturating_add(for_tests(lineage))
	}

	fn retire_adapter() -> Weight {
		for_tests(0)
	}

	fn propose_algorithm(text: u32) -> Weight {
		for_tests(text)
	}

	fn withdraw_algorithm() -> Weight {
		for_tests(0)
	}

	fn change_algorithm() -> Weight {
		for_tests(0)
	}
}
