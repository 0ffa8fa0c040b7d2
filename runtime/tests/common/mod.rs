//! What the runtime's tests share.

#![allow(clippy::unwrap_used, dead_code)]

use openledger_runtime::{genesis, invariants, RuntimeGenesisConfig};
use sp_io::TestExternalities;
use sp_runtime::BuildStorage;

/// What a chain that starts from the preset called `id` stores at block zero.
pub fn storage_from_preset(id: &str) -> sp_core::storage::Storage {
	let default = serde_json::to_value(RuntimeGenesisConfig::default()).unwrap();
	let patch = genesis::preset(&id.into()).expect("the preset exists");
	let config = merge(default, serde_json::from_slice(&patch).unwrap());
	let config: RuntimeGenesisConfig = serde_json::from_value(config).unwrap();
	config.build_storage().unwrap()
}

/// The state at block zero of a chain that starts from the preset called `id`.
pub fn chain_from_preset(id: &str) -> TestExternalities {
	storage_from_preset(id).into()
}

/// Checks every invariant of our pallets and of the money, and of the SDK's pallets where this is
/// built with `--features try-runtime`.
pub fn check_invariants() {
	for check in invariants::check() {
		check
			.result
			.unwrap_or_else(|broken| panic!("{}: {broken:?}", check.name));
	}
	#[cfg(feature = "try-runtime")]
	for check in invariants::check_sdk() {
		check
			.result
			.unwrap_or_else(|broken| panic!("{}: {broken:?}", check.name));
	}
}

/// Every preset the runtime offers.
pub fn preset_names() -> Vec<String> {
	genesis::preset_names()
}

fn merge(base: serde_json::Value, patch: serde_json::Value) -> serde_json::Value {
	use serde_json::Value::Object;
	match (base, patch) {
		(Object(mut base), Object(patch)) => {
			for (key, value) in patch {
				let merged = match base.remove(&key) {
					Some(old) => merge(old, value),
					None => value,
				};
				base.insert(key, merged);
			}
			Object(base)
		}
		(_, patch) => patch,
	}
}
