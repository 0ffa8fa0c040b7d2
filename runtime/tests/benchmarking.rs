//! Every benchmark runs in the whole runtime, with its least and its most, and leaves what it says.
//! `make weights` measures the same in Wasm.
#![cfg(feature = "runtime-benchmarks")]
#![allow(clippy::unwrap_used)]

mod common;

use codec::Encode;
use common::storage_from_preset;
use frame_benchmarking::{BenchmarkConfig, BenchmarkParameter};
use openledger_runtime::{benchmarking, VERSION};
use sp_core::{
	storage::{ChildInfo, StateVersion, Storage, TrackedStorageKey},
	traits::{Externalities, ReadRuntimeVersion, ReadRuntimeVersionExt},
};
use sp_externalities::{
	set_and_run_with_externalities, Error, Extension, ExtensionStore, MultiRemovalResults,
};
use sp_keystore::{testing::MemoryKeystore, KeystoreExt};
use sp_state_machine::BasicExternalities;
use std::{
	any::{Any, TypeId},
	panic::{catch_unwind, AssertUnwindSafe},
};

/// What trips over an assertion of the SDK's that holds only outside of benchmarks, so that it cannot
/// run in a build that checks assertions: as many alarms are set to one block as there are votes in all
/// classes. In Wasm it runs.
const ASSERTS: &str = "pallet_conviction_voting::";

/// A state in memory that benchmarks can ask what they read and wrote; it does not know.
struct State(BasicExternalities);

impl ExtensionStore for State {
	fn extension_by_type_id(&mut self, type_id: TypeId) -> Option<&mut dyn Any> {
		self.0.extension_by_type_id(type_id)
	}

	fn register_extension_with_type_id(
		&mut self,
		type_id: TypeId,
		extension: Box<dyn Extension>,
	) -> Result<(), Error> {
		self.0.register_extension_with_type_id(type_id, extension)
	}

	fn deregister_extension_by_type_id(&mut self, type_id: TypeId) -> Result<(), Error> {
		self.0.deregister_extension_by_type_id(type_id)
	}
}

impl Externalities for State {
	fn set_offchain_storage(&mut self, key: &[u8], value: Option<&[u8]>) {
		self.0.set_offchain_storage(key, value)
	}

	fn storage(&mut self, key: &[u8]) -> Option<Vec<u8>> {
		self.0.storage(key)
	}

	fn storage_hash(&mut self, key: &[u8]) -> Option<Vec<u8>> {
		self.0.storage_hash(key)
	}

	fn child_storage_hash(&mut self, child: &ChildInfo, key: &[u8]) -> Option<Vec<u8>> {
		self.0.child_storage_hash(child, key)
	}

	fn child_storage(&mut self, child: &ChildInfo, key: &[u8]) -> Option<Vec<u8>> {
		self.0.child_storage(child, key)
	}

	fn next_storage_key(&mut self, key: &[u8]) -> Option<Vec<u8>> {
		self.0.next_storage_key(key)
	}

	fn next_child_storage_key(&mut self, child: &ChildInfo, key: &[u8]) -> Option<Vec<u8>> {
		self.0.next_child_storage_key(child, key)
	}

	fn kill_child_storage(
		&mut self,
		child: &ChildInfo,
		limit: Option<u32>,
		cursor: Option<&[u8]>,
	) -> MultiRemovalResults {
		self.0.kill_child_storage(child, limit, cursor)
	}

	fn clear_prefix(
		&mut self,
		prefix: &[u8],
		limit: Option<u32>,
		cursor: Option<&[u8]>,
	) -> MultiRemovalResults {
		self.0.clear_prefix(prefix, limit, cursor)
	}

	fn clear_child_prefix(
		&mut self,
		child: &ChildInfo,
		prefix: &[u8],
		limit: Option<u32>,
		cursor: Option<&[u8]>,
	) -> MultiRemovalResults {
		self.0.clear_child_prefix(child, prefix, limit, cursor)
	}

	fn place_storage(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
		self.0.place_storage(key, value)
	}

	fn place_child_storage(&mut self, child: &ChildInfo, key: Vec<u8>, value: Option<Vec<u8>>) {
		self.0.place_child_storage(child, key, value)
	}

	fn storage_root(&mut self, version: StateVersion) -> Vec<u8> {
		self.0.storage_root(version)
	}

	fn child_storage_root(&mut self, child: &ChildInfo, version: StateVersion) -> Vec<u8> {
		self.0.child_storage_root(child, version)
	}

	fn storage_append(&mut self, key: Vec<u8>, value: Vec<u8>) {
		self.0.storage_append(key, value)
	}

	fn storage_start_transaction(&mut self) {
		self.0.storage_start_transaction()
	}

	fn storage_rollback_transaction(&mut self) -> Result<(), ()> {
		self.0.storage_rollback_transaction()
	}

	fn storage_commit_transaction(&mut self) -> Result<(), ()> {
		self.0.storage_commit_transaction()
	}

	// Every benchmark has a state of its own here, so there is nothing to go back to.
	fn wipe(&mut self) {}

	fn commit(&mut self) {}

	fn read_write_count(&self) -> (u32, u32, u32, u32) {
		(0, 0, 0, 0)
	}

	fn reset_read_write_count(&mut self) {}

	fn get_whitelist(&self) -> Vec<TrackedStorageKey> {
		Vec::new()
	}

	fn set_whitelist(&mut self, _: Vec<TrackedStorageKey>) {}

	fn get_read_and_written_keys(&self) -> Vec<(Vec<u8>, u32, u32, bool)> {
		Vec::new()
	}
}

/// Says of any Wasm that it is this runtime.
struct ThisVersion;

impl ReadRuntimeVersion for ThisVersion {
	fn read_runtime_version(&self, _: &[u8], _: &mut dyn Externalities) -> Result<Vec<u8>, String> {
		Ok(VERSION.encode())
	}
}

/// Runs `work` at the start of a chain.
fn at_genesis<R>(genesis: &Storage, work: impl FnOnce() -> R) -> R {
	let mut state = State(BasicExternalities::new(genesis.clone()));
	let keystore = KeystoreExt::new(MemoryKeystore::new());
	state
		.register_extension_with_type_id(TypeId::of::<KeystoreExt>(), Box::new(keystore))
		.unwrap();
	let version = ReadRuntimeVersionExt::new(ThisVersion);
	state
		.register_extension_with_type_id(TypeId::of::<ReadRuntimeVersionExt>(), Box::new(version))
		.unwrap();
	set_and_run_with_externalities(&mut state, work)
}

#[test]
fn every_benchmark_should_run_with_its_least_and_its_most() {
	let genesis = storage_from_preset("local_testnet");
	let only = std::env::var("BENCHMARKS").unwrap_or_default();
	let (list, _) = at_genesis(&genesis, || benchmarking::metadata(false));
	assert!(list.len() >= 20, "only {} pallets are measured", list.len());
	let mut failed = Vec::new();
	for pallet in list {
		for benchmark in pallet.benchmarks {
			let name = [&pallet.pallet[..], b"::", &benchmark.name].concat();
			let name = String::from_utf8(name).unwrap();
			if !name.contains(&only) || name.starts_with(ASSERTS) {
				continue;
			}
			let least: Vec<(BenchmarkParameter, u32)> = benchmark
				.components
				.iter()
				.map(|(component, least, _)| (*component, *least))
				.collect();
			let most = benchmark
				.components
				.iter()
				.map(|(component, _, most)| (*component, *most))
				.collect();
			for selected_components in [least, most] {
				let inputs = selected_components
					.iter()
					.map(|(component, value)| format!(" {component}={value}"))
					.collect::<String>();
				let config = BenchmarkConfig {
					pallet: pallet.pallet.clone(),
					instance: pallet.instance.clone(),
					benchmark: benchmark.name.clone(),
					selected_components,
					verify: true,
					internal_repeats: 1,
				};
				let run = || at_genesis(&genesis, || benchmarking::dispatch(config));
				let outcome = catch_unwind(AssertUnwindSafe(run));
				let is_measured = match outcome {
					Ok(Ok(batches)) => !batches.is_empty(),
					Ok(Err(reason)) => {
						println!("{name}{inputs}: {reason}");
						false
					}
					Err(_) => false,
				};
				if !is_measured {
					failed.push(format!("{name}{inputs}"));
				}
			}
		}
	}
	assert!(failed.is_empty(), "failed: {failed:#?}");
}
