//! What the pallets' benchmarks need of a whole runtime: who is measured, and how each pallet gets
//! the things of other pallets that its worst cases need. Only compiled to measure weights; see
//! `docs/weights.md`.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod babe;
mod equivocation;
mod grandpa;
mod session;
mod usage;

use crate::weights::MOST_VALIDATORS;
use crate::*;
use alloc::string::String;
use frame_benchmarking::{BenchmarkBatch, BenchmarkConfig, BenchmarkList};
use frame_support::traits::{StorageInfo, StorageInfoTrait, WhitelistedStorageKeys};
use frame_system_benchmarking::{extensions::Pallet as SystemExtensions, Pallet as SystemCalls};
use sp_consensus_babe::digests::{CompatibleDigestItem, PreDigest, SecondaryPlainPreDigest};
use sp_runtime::DigestItem;

// The names are those of the generated files in `weights/`, and of the crates whose `WeightInfo`
// they implement.
frame_benchmarking::define_benchmarks!(
	[frame_system, SystemCalls::<Runtime>]
	[frame_system_extensions, SystemExtensions::<Runtime>]
	[governance, Governance]
	[pallet_attribution, Attribution]
	[pallet_babe, babe::Pallet::<Runtime>]
	[pallet_balances, Balances]
	[pallet_channels, Channels]
	[pallet_conviction_voting, ConvictionVoting]
	[pallet_datanets, Datanets]
	[pallet_grandpa, grandpa::Pallet::<Runtime>]
	[pallet_models, Models]
	[pallet_multisig, Multisig]
	[pallet_preimage, Preimage]
	[pallet_providers, Providers]
	[pallet_proxy, Proxy]
	[pallet_referenda, Referenda]
	[pallet_scheduler, Scheduler]
	[pallet_session, session::Pallet::<Runtime>]
	[pallet_stakes, Stakes]
	[pallet_timestamp, Timestamp]
	[pallet_transaction_payment, TransactionPayment]
	[pallet_treasury, Treasury]
	[pallet_utility, Utility]
);

/// Every benchmark there is, and what storage the pallets have.
pub fn metadata(extra: bool) -> (Vec<BenchmarkList>, Vec<StorageInfo>) {
	let mut list = Vec::<BenchmarkList>::new();
	list_benchmarks!(list, extra);
	(list, AllPalletsWithSystem::storage_info())
}

/// Runs one benchmark.
pub fn dispatch(config: BenchmarkConfig) -> Result<Vec<BenchmarkBatch>, String> {
	let whitelist = AllPalletsWithSystem::whitelisted_storage_keys();
	let mut batches = Vec::<BenchmarkBatch>::new();
	let params = (&config, &whitelist);
	add_benchmarks!(params, batches);
	Ok(batches)
}

impl frame_system_benchmarking::Config for Runtime {}
impl pallet_transaction_payment::BenchmarkConfig for Runtime {
	/// The block has an author, whom the tip is paid to: the first validator.
	fn setup_benchmark_environment() {
		let digest = PreDigest::SecondaryPlain(SecondaryPlainPreDigest {
			authority_index: 0,
			slot: 1.into(),
		});
		System::deposit_log(DigestItem::babe_pre_digest(digest));
	}
}

/// Sets up what a pallet's benchmarks need of other pallets: the real ones, as the chain has them.
pub struct Helper;

// pallet-channels and pallet-attribution: in `usage`.

// pallet-datanets

// pallet-models

impl pallet_models::BenchmarkHelper for Helper {
	fn snapshots(
		count: u32,
	) -> Vec<(
		openledger_primitives::DatanetId,
		openledger_primitives::SnapshotVersion,
	)> {
		type Licence = pallet_datanets::NameOf<Runtime>;
		let snapshot = pallet_datanets::Snapshot::<Runtime> {
			contributions: openledger_primitives::Commitment {
				root: Hash::repeat_byte(1),
				sum: 1,
				count: 1,
			},
			licence: Licence::truncate_from(alloc::vec![b'x'; Licence::bound()]),
			block: System::block_number(),
		};
		(0..count)
			.map(|datanet| {
				pallet_datanets::Snapshots::<Runtime>::insert(datanet, 1, &snapshot);
				(datanet, 1)
			})
			.collect()
	}
}

// pallet-providers

impl pallet_providers::BenchmarkHelper for Helper {
	fn bases(count: u32) -> Vec<openledger_primitives::BaseModelId> {
		type Name = pallet_models::NameOf<Runtime>;
		let name = Name::truncate_from(alloc::vec![b'x'; Name::bound()]);
		(0..count)
			.inspect(|base| {
				let model = pallet_models::BaseModel::<Runtime> {
					owner: frame_benchmarking::account("owner", *base, 0),
					name: name.clone(),
					architecture: name.clone(),
					weights: Hash::repeat_byte(1),
					tokenizer: Hash::repeat_byte(2),
					licence: name.clone(),
					rate: Default::default(),
				};
				pallet_models::BaseModels::<Runtime>::insert(base, model);
			})
			.collect()
	}
}

// pallet-stakes

use frame_support::traits::{
	fungible::{Mutate as _, MutateHold as _},
	Get as _,
};
use pallet_session::historical;
use sp_runtime::traits::OpaqueKeys as _;

/// Session keys that nobody has the secrets of, other ones for each account.
fn keys_of(who: &AccountId) -> SessionKeys {
	let bytes: [u8; 32] = who.clone().into();
	SessionKeys {
		babe: sp_core::sr25519::Public::from_raw(bytes).into(),
		grandpa: sp_core::ed25519::Public::from_raw(bytes).into(),
	}
}

impl pallet_stakes::BenchmarkHelper for Helper {
	fn set_keys(who: &AccountId) {
		let deposit = <Runtime as pallet_session::Config>::KeyDeposit::get();
		let reason = pallet_session::HoldReason::Keys.into();
		Balances::mint_into(who, deposit * 2)
			.and_then(|_| Balances::hold(&reason, who, deposit))
			.and_then(|_| System::inc_consumers(who))
			.expect("it was given more than the deposit; qed");
		let keys = keys_of(who);
		for id in SessionKeys::key_ids() {
			let key = (*id, keys.get_raw(*id).to_vec());
			pallet_session::KeyOwner::<Runtime>::insert(key, who);
		}
		pallet_session::NextKeys::<Runtime>::insert(who, keys);
	}

	fn seat(validators: &[AccountId]) {
		let queued = validators.iter().map(|who| (who.clone(), keys_of(who)));
		pallet_session::QueuedKeys::<Runtime>::put(queued.collect::<Vec<_>>());
		pallet_session::Validators::<Runtime>::put(validators.to_vec());
		// As at the end of each session, there is one to forget.
		historical::HistoricalSessions::<Runtime>::insert(0, (Hash::repeat_byte(1), 1));
		historical::StoredRange::<Runtime>::put((0, 2));
	}

	fn is_disabled(validator: &AccountId) -> bool {
		let disabled = pallet_session::DisabledValidators::<Runtime>::get();
		pallet_session::Validators::<Runtime>::get()
			.iter()
			.zip(0..)
			.any(|(who, seat)| who == validator && disabled.iter().any(|(index, _)| *index == seat))
	}

	fn earn(amount: Balance) {
		Balances::mint_into(&Attribution::account_id(), amount * 2)
			.expect("benchmarks hand out less than there can be; qed");
		pallet_attribution::Credits::<Runtime>::insert(accounts::stakers_pot(), amount);
	}
}
