//! What a large network costs the chain in a day: transactions, block space, and state.
//!
//! A model by counting. Weights and limits are the runtime's; sizes are the encoded lengths of the
//! stored types with their keys; only the size of the network is an assumption.

use codec::MaxEncodedLen;
use frame_support::{dispatch::DispatchClass, traits::Get, weights::Weight};
use openledger_primitives::{AccountId, Balance};
use openledger_runtime::{configs::BlockWeights, time::DAYS, Runtime};
use pallet_attribution::WeightInfo as _;
use pallet_channels::WeightInfo as _;

/// Compute time in picoseconds.
type Time = u64;

/// A network, and how it is used.
#[derive(Clone, Copy, Debug)]
pub struct Network {
	/// Providers that earn.
	pub providers: u64,
	/// Contributors that earn.
	pub contributors: u64,
	/// Lanes that each provider redeems in an epoch.
	pub lanes: u64,
	/// Payees (contributors, owners, stakers) that each provider owes in an epoch.
	pub payees: u64,
	/// Blocks in an epoch.
	pub epoch: u32,
	/// Days between two claims of an account.
	pub claim_days: u64,
}

/// How what providers owe becomes what accounts may claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
	/// Every payout leaf of every report is credited: what the pallets do.
	Leaves,
	/// Each report carries on its provider's total per payee; an account proves its newest total when
	/// it wants its money. Not built: the model shows when it pays.
	CumulativeRoots,
}

/// What a day costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Day {
	/// Transactions.
	pub transactions: u64,
	/// Their compute time.
	pub time: u128,
	/// Bytes by which the state grows.
	pub state: u128,
}

impl Day {
	/// The part of the block space for ordinary transactions that is used, in parts per thousand.
	pub fn fullness(&self) -> u128 {
		self.time * 1_000 / (u128::from(room()) * u128::from(DAYS)).max(1)
	}

	fn add(&mut self, transactions: u64, each: Time) {
		self.transactions = self.transactions.saturating_add(transactions);
		self.time += u128::from(transactions) * u128::from(each);
	}
}

/// Compute time of a block for ordinary transactions.
fn room() -> Time {
	BlockWeights::get()
		.get(DispatchClass::Normal)
		.max_total
		.unwrap_or(BlockWeights::get().max_block)
		.ref_time()
}

fn time(weight: Weight) -> Time {
	let overhead = BlockWeights::get()
		.get(DispatchClass::Normal)
		.base_extrinsic;
	weight.saturating_add(overhead).ref_time()
}

/// What one of many items of a batch costs, its part of the transaction included.
fn each(batch: impl Fn(u32) -> Weight, size: u32) -> Time {
	time(batch(size)).div_ceil(size.max(1).into())
}

type Channels = <Runtime as pallet_channels::Config>::WeightInfo;
type Attribution = <Runtime as pallet_attribution::Config>::WeightInfo;

/// Vouchers that fit into one block if nothing else does.
pub fn vouchers_per_block() -> u64 {
	let batch = <Runtime as pallet_channels::Config>::MaxBatch::get();
	room() / each(Channels::redeem, batch).max(1)
}

/// Payout leaves that can be credited in one block if nothing else is done.
pub fn credits_per_block() -> u64 {
	let batch = <Runtime as pallet_attribution::Config>::MaxSettle::get();
	room() / each(Attribution::settle, batch).max(1)
}

impl Network {
	/// A day of this network.
	pub fn day(&self, settlement: Settlement) -> Day {
		let mut day = Day::default();
		let per_day = |per_epoch: u64| per_epoch * u64::from(DAYS) / u64::from(self.epoch.max(1));

		let batch: u32 = <Runtime as pallet_channels::Config>::MaxBatch::get();
		let redeemed = batch.min(self.lanes as u32);
		let batches = self.lanes.div_ceil(redeemed.max(1).into());
		day.add(
			per_day(self.providers * batches),
			time(Channels::redeem(redeemed)),
		);

		let reports = per_day(self.providers);
		day.add(reports, time(Attribution::report()));

		// A pot and a report stay for good; keys are two hashes with what they hash.
		let key = 32 + 16 + AccountId::max_encoded_len() + 8 + 4;
		let entries = 2 * key
			+ pallet_attribution::Pot::max_encoded_len()
			+ pallet_attribution::Report::max_encoded_len();
		match settlement {
			Settlement::Leaves => {
				let batch: u32 = <Runtime as pallet_attribution::Config>::MaxSettle::get();
				let size = batch.min(self.payees as u32);
				let batches = self.payees.div_ceil(size.max(1).into());
				day.add(
					per_day(self.providers * batches),
					time(Attribution::settle(size)),
				);
				day.add(
					self.contributors / self.claim_days,
					time(Attribution::claim()),
				);
				day.state = u128::from(reports) * entries as u128;
			}
			Settlement::CumulativeRoots => {
				// One report a provider stays, and one paid total for each payee and provider, once.
				let owing = self.payees * self.providers / self.contributors.max(1);
				let claims = self.contributors * owing.max(1) / self.claim_days;
				day.add(claims, time(Attribution::settle(1)));
				let total =
					32 + 2 * (16 + AccountId::max_encoded_len()) + Balance::max_encoded_len();
				// Spread over a year, since they are made but once.
				day.state = u128::from(self.payees * self.providers) * total as u128 / 365;
			}
		}
		day
	}
}
