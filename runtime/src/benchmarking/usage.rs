//! What the benchmarks of channels and attribution need: providers with bonds, channels with redeemed
//! lanes, and contributors to the data of adapters. Each has all that it can have.

use super::Helper;
use crate::{
	accounts,
	currency::{EXISTENTIAL_DEPOSIT, OPEN},
	parameters::governed::{attribution, serving},
	AccountId, Balance, Balances, Hash, Runtime, RuntimeParameters, System,
};
use alloc::{vec, vec::Vec};
use frame_benchmarking::account;
use frame_support::{
	traits::{
		dynamic_params::AggregatedKeyValue,
		fungible::{Inspect, Mutate, MutateHold},
		Get,
	},
	BoundedVec,
};
use openledger_primitives::{ChannelId, Commitment, Payee, Rate, PARTS};
use pallet_attribution::{CurrentEpoch, TermsOf};
use pallet_channels::{Channel, Channels, Delegate, Former, NextChannel};
use pallet_datanets::{Contribution, ContributionState, Contributions, Snapshot, Snapshots};
use pallet_models::{Adapter, AdapterState, Adapters, BaseModel, BaseModels};
use pallet_providers::{HotKeys, LastSeen, Provider, ProviderState, Providers, Quote};

/// The first id of what is set up here, above those of what a chain begins with.
const FIRST: u32 = 1_000;

/// A text as long as `S` allows.
fn text<S: Get<u32>>() -> BoundedVec<u8, S> {
	BoundedVec::truncate_from(vec![b'x'; S::get() as usize])
}

fn rate() -> Rate {
	Rate {
		input: OPEN,
		output: OPEN,
	}
}

fn commitment() -> Commitment {
	Commitment {
		root: Hash::repeat_byte(1),
		sum: 1,
		count: 1,
	}
}

fn endow(who: &AccountId, amount: Balance) {
	Balances::mint_into(who, amount).expect("benchmarks hand out less than there can be; qed");
}

/// The accounts that money is collected into and the terms that it is split by, as genesis leaves them.
fn found() {
	for pot in accounts::endowed() {
		if Balances::balance(&pot) == 0 {
			endow(&pot, EXISTENTIAL_DEPOSIT);
		}
	}
	let epoch = CurrentEpoch::<Runtime>::get();
	if !TermsOf::<Runtime>::contains_key(epoch.terms) {
		TermsOf::<Runtime>::insert(epoch.terms, attribution::SplitTerms::get());
	}
}

fn enlist(who: &AccountId, hot_key: &AccountId, bond: Balance) {
	found();
	endow(who, bond + OPEN);
	let reason = pallet_providers::HoldReason::Bond.into();
	Balances::hold(&reason, who, bond).expect("it has more than that; qed");
	let bases = <Runtime as pallet_providers::Config>::MaxBases::get();
	let provider = Provider::<Runtime> {
		hot_key: hot_key.clone(),
		endpoint: text(),
		bond,
		bases: BoundedVec::truncate_from((0..bases).collect()),
		quote: Quote {
			id: 1,
			rate: rate(),
		},
		state: ProviderState::Active,
	};
	Providers::<Runtime>::insert(who, provider);
	HotKeys::<Runtime>::insert(hot_key, who);
	LastSeen::<Runtime>::insert(who, System::block_number());
}

impl pallet_channels::BenchmarkHelper for Helper {
	fn provide(provider: &AccountId, hot_key: &AccountId, room: Balance) {
		// Of what it has bonded, a provider may collect several times as much.
		enlist(provider, hot_key, room.max(serving::MinBond::get()));
	}
}

impl pallet_attribution::BenchmarkHelper for Helper {
	fn provider(bond: Balance) -> (AccountId, AccountId) {
		let (provider, hot_key) = (account("provider", 0, 0), account("hot key", 0, 0));
		enlist(&provider, &hot_key, bond);
		(provider, hot_key)
	}

	fn contributor(number: u32) -> Payee {
		let id = FIRST + number;
		let longest = <Runtime as pallet_models::Config>::MaxLineage::get();
		for version in 1..=longest {
			let snapshot = Snapshot::<Runtime> {
				contributions: commitment(),
				licence: text(),
				block: System::block_number(),
			};
			Snapshots::<Runtime>::insert(id, version, snapshot);
		}
		let contribution = Contribution::<Runtime> {
			contributor: account("contributor", number, 0),
			payout: account("payout", number, 0),
			records: commitment(),
			uri: text(),
			state: ContributionState::Accepted { since: longest },
		};
		Contributions::<Runtime>::insert(id, 0, contribution);
		let base = BaseModel::<Runtime> {
			owner: account("base owner", number, 0),
			name: text(),
			architecture: text(),
			weights: Hash::repeat_byte(1),
			tokenizer: Hash::repeat_byte(2),
			licence: text(),
			rate: rate(),
		};
		BaseModels::<Runtime>::insert(id, base);
		let lineage: Vec<_> = (1..=longest).map(|version| (id, version)).collect();
		let adapter = Adapter::<Runtime> {
			owner: account("adapter owner", number, 0),
			name: text(),
			base: id,
			weights: Hash::repeat_byte(1),
			config: Hash::repeat_byte(2),
			rank: pallet_models::MAX_RANK,
			targets: BoundedVec::truncate_from(vec![text(); pallet_models::MAX_TARGETS as usize]),
			lineage: BoundedVec::truncate_from(lineage),
			manifest: Hash::repeat_byte(3),
			algorithm: 1,
			index: Hash::repeat_byte(4),
			uri: text(),
			rate: rate(),
			state: AdapterState::Active,
		};
		Adapters::<Runtime>::insert(id, adapter);
		Payee::Contributor {
			adapter: id,
			datanet: id,
			contribution: 0,
		}
	}

	fn channel(provider: &AccountId) -> ChannelId {
		let id = NextChannel::<Runtime>::get();
		NextChannel::<Runtime>::put(id + 1);
		let delegate = |name| Delegate {
			signer: account(name, 0, 0),
			limit: OPEN,
			spent: 0,
		};
		let channel = Channel {
			payer: account("payer", 0, 0),
			provider: provider.clone(),
			generation: 0,
			escrow: OPEN,
			deposited: 2 * OPEN,
			redeemed: OPEN,
			withdrawn: 0,
			thaw: Some(1),
			delegate: Some(delegate("delegate")),
			former: Some(Former {
				delegate: delegate("former"),
				until: 1,
			}),
		};
		Channels::<Runtime>::insert(id, channel);
		id
	}

	fn audit_all() {
		let every = attribution::Parameters::AuditRate(attribution::AuditRate, Some(PARTS));
		let (key, value) = RuntimeParameters::Attribution(every).into_parts();
		pallet_parameters::Parameters::<Runtime>::set(key, value);
	}
}
