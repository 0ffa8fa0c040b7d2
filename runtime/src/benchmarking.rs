//! What the pallets' benchmarks need of a whole runtime: who is measured, and how each pallet gets
//! the things of other pallets that its worst cases need. Only compiled to measure weights; see
//! `docs/weights.md`.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod babe;
mod equivocation;
mod grandpa;
mod session;

use crate::*;
use alloc::string::String;
use frame_benchmarking::{BenchmarkBatch, BenchmarkConfig, BenchmarkList};
use frame_support::traits::{StorageInfo, StorageInfoTrait, WhitelistedStorageKeys};
use frame_system_benchmarking::{extensions::Pallet as SystemExtensions, Pallet as SystemCalls};

// The names are those of the generated files in `weights/`, and of the crates whose `WeightInfo`
// they implement.
frame_benchmarking::define_benchmarks!(
	[frame_system, SystemCalls::<Runtime>]
	[frame_system_extensions, SystemExtensions::<Runtime>]
	[governance, Governance]
	[pallet_babe, babe::Pallet::<Runtime>]
	[pallet_balances, Balances]
	[pallet_conviction_voting, ConvictionVoting]
	[pallet_grandpa, grandpa::Pallet::<Runtime>]
	[pallet_multisig, Multisig]
	[pallet_preimage, Preimage]
	[pallet_proxy, Proxy]
	[pallet_referenda, Referenda]
	[pallet_scheduler, Scheduler]
	[pallet_session, session::Pallet::<Runtime>]
	[pallet_timestamp, Timestamp]
	[pallet_transaction_payment, TransactionPayment]
	[pallet_treasury, Treasury]
	[pallet_utility, Utility]
);

/// Most validators there can be: as many elected as governance may allow, and as many to fall back on.
const MOST_VALIDATORS: u32 = 512;

/// Every benchmark there is, and what storage the pallets have.
pub(crate) fn metadata(extra: bool) -> (Vec<BenchmarkList>, Vec<StorageInfo>) {
	let mut list = Vec::<BenchmarkList>::new();
	list_benchmarks!(list, extra);
	(list, AllPalletsWithSystem::storage_info())
}

/// Runs one benchmark.
pub(crate) fn dispatch(config: BenchmarkConfig) -> Result<Vec<BenchmarkBatch>, String> {
	let whitelist = AllPalletsWithSystem::whitelisted_storage_keys();
	let mut batches = Vec::<BenchmarkBatch>::new();
	let params = (&config, &whitelist);
	add_benchmarks!(params, batches);
	Ok(batches)
}

impl frame_system_benchmarking::Config for Runtime {}
impl pallet_transaction_payment::BenchmarkConfig for Runtime {}

/// Sets up what a pallet's benchmarks need of other pallets: the real ones, as the chain has them.
pub struct Helper;

// pallet-channels

// pallet-attribution

// pallet-datanets

// pallet-models

// pallet-providers

// pallet-stakes
