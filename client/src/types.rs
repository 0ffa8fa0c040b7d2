//! What stands on the chain, as plain values. Amounts are in units of 10⁻¹⁸ OPEN and travel as decimal
//! strings in JSON; accounts as SS58; hashes as `0x…`.

use openledger_primitives::{
	amount_as_string, AccountId, AdapterId, AlgorithmId, Balance, BaseModelId, BlockNumber,
	ChannelId, Commitment, ContributionId, DatanetId, EpochIndex, Generation, Hash, Lane, QuoteId,
	Rate, SnapshotVersion, TermsVersion,
};
use serde::{Deserialize, Serialize};

/// Who decides what a Datanet accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Curation {
	/// Nobody: every contribution is accepted at once.
	Open,
	/// The owner.
	Owner,
	/// Reviewers with stake, by votes.
	Reviewers,
}

/// A pool of records under one licence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Datanet {
	/// Its id.
	pub id: DatanetId,
	/// Who owns it.
	pub owner: AccountId,
	/// What it is called.
	pub name: String,
	/// SPDX identifier of its licence.
	pub licence: String,
	/// Media type of its records.
	pub media_type: String,
	/// Who decides what it accepts.
	pub curation: Curation,
	/// The id the next contribution gets.
	pub contributions: ContributionId,
	/// How many contributions are accepted.
	pub accepted: u32,
	/// The newest snapshot's version; 0 without one.
	pub snapshots: SnapshotVersion,
}

/// Where a contribution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContributionState {
	/// Waits for the owner.
	Pending,
	/// Part of every snapshot from `since` on.
	Accepted {
		/// The first snapshot with it.
		since: SnapshotVersion,
	},
	/// Part of the snapshots from `since` to before `until`.
	Withdrawn {
		/// The first snapshot with it.
		since: SnapshotVersion,
		/// The first snapshot without it.
		until: SnapshotVersion,
	},
	/// Rejected by the reviewers; its contributor may appeal.
	Rejected {
		/// The first block in which it is too late for that.
		until: BlockNumber,
	},
	/// Proven to repeat a record of another contribution; part of the snapshots from `since` to before
	/// `until`.
	Duplicate {
		/// The first snapshot with it.
		since: SnapshotVersion,
		/// The first snapshot without it.
		until: SnapshotVersion,
		/// The contribution that had the record first.
		original: ContributionId,
	},
}

impl ContributionState {
	/// Whether snapshot `version` contains the contribution.
	pub fn is_in(&self, version: SnapshotVersion) -> bool {
		match self {
			Self::Pending | Self::Rejected { .. } => false,
			Self::Accepted { since } => *since <= version,
			Self::Withdrawn { since, until } | Self::Duplicate { since, until, .. } => {
				*since <= version && version < *until
			}
		}
	}
}

/// Records that one contributor gave to a Datanet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contribution {
	/// The Datanet.
	pub datanet: DatanetId,
	/// Its id in the Datanet.
	pub id: ContributionId,
	/// Who contributed.
	pub contributor: AccountId,
	/// Who earns.
	pub payout: AccountId,
	/// The tree over the records.
	pub records: Commitment,
	/// Where the records are found.
	pub uri: String,
	/// Where it stands.
	pub state: ContributionState,
}

/// What a Datanet contained at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
	/// The Datanet.
	pub datanet: DatanetId,
	/// Its version, from 1.
	pub version: SnapshotVersion,
	/// The tree over its contributions.
	pub contributions: Commitment,
	/// SPDX identifier of its licence.
	pub licence: String,
	/// The block it was made in.
	pub block: BlockNumber,
}

/// What a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelId {
	/// A base model.
	Base(BaseModelId),
	/// An adapter.
	Adapter(AdapterId),
}

/// A model that adapters are made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseModel {
	/// Its id.
	pub id: BaseModelId,
	/// Who owns it.
	pub owner: AccountId,
	/// The name that requests give.
	pub name: String,
	/// Its architecture, such as `llama`.
	pub architecture: String,
	/// Content hash of its weights file.
	pub weights: Hash,
	/// Content hash of its tokenizer.
	pub tokenizer: Hash,
	/// SPDX identifier of its licence.
	pub licence: String,
	/// What its owner asks.
	pub rate: Rate,
}

/// Whether an adapter is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdapterState {
	/// It is.
	Active,
	/// Not any more.
	Retired,
}

/// A LoRA adapter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adapter {
	/// Its id.
	pub id: AdapterId,
	/// Who owns it.
	pub owner: AccountId,
	/// The name that requests give.
	pub name: String,
	/// The base model it is for.
	pub base: BaseModelId,
	/// Content hash of `adapter_model.safetensors`.
	pub weights: Hash,
	/// Content hash of `adapter_config.json`.
	pub config: Hash,
	/// Its rank.
	pub rank: u16,
	/// The projections it changes, such as `q_proj`.
	pub targets: Vec<String>,
	/// The snapshots it was trained on.
	pub lineage: Vec<(DatanetId, SnapshotVersion)>,
	/// Content hash of its training manifest.
	pub manifest: Hash,
	/// The algorithm that attributes its answers.
	pub algorithm: AlgorithmId,
	/// Content hash of its attribution index.
	pub index: Hash,
	/// Where its files are found.
	pub uri: String,
	/// What its owner asks.
	pub rate: Rate,
	/// Whether it is offered.
	pub state: AdapterState,
}

/// What a provider asks per token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
	/// Counts the provider's quotes.
	pub id: QuoteId,
	/// The rate.
	pub rate: Rate,
}

/// Whether a provider works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderState {
	/// It does.
	Active,
	/// It has given notice.
	Leaving {
		/// The block from which the bond is free.
		free_at: BlockNumber,
	},
	/// It was caught cheating, or has too little at stake.
	Jailed {
		/// The block from which it may ask to be let out.
		until: BlockNumber,
	},
}

/// Who serves models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
	/// Its cold account.
	pub account: AccountId,
	/// The key its worker signs with.
	pub hot_key: AccountId,
	/// Where its worker answers.
	pub endpoint: String,
	/// Its bond, in units.
	#[serde(with = "amount_as_string")]
	pub bond: Balance,
	/// The base models it serves.
	pub bases: Vec<BaseModelId>,
	/// What it asks.
	pub quote: Quote,
	/// Whether it works.
	pub state: ProviderState,
}

/// A key that may sign a channel's vouchers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegate {
	/// The key.
	pub signer: AccountId,
	/// How much it may spend, in units.
	#[serde(with = "amount_as_string")]
	pub limit: Balance,
	/// How much it has spent, in units.
	#[serde(with = "amount_as_string")]
	pub spent: Balance,
}

/// A payer's escrow with a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
	/// Its id.
	pub id: ChannelId,
	/// Who pays.
	pub payer: AccountId,
	/// Who is paid.
	pub provider: AccountId,
	/// The generation that vouchers must name.
	pub generation: Generation,
	/// What is left, in units.
	#[serde(with = "amount_as_string")]
	pub escrow: Balance,
	/// All that was ever put in, in units.
	#[serde(with = "amount_as_string")]
	pub deposited: Balance,
	/// All that was ever redeemed, in units.
	#[serde(with = "amount_as_string")]
	pub redeemed: Balance,
	/// The block from which the escrow can be withdrawn, if it thaws.
	pub thaw: Option<BlockNumber>,
	/// The key that signs in the payer's place.
	pub delegate: Option<Delegate>,
}

/// What was redeemed on a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneState {
	/// The generation this counts for; of an older one nothing counts.
	pub generation: Generation,
	/// Redeemed in all, in units.
	#[serde(with = "amount_as_string")]
	pub amount: Balance,
	/// The licence part of it, in units.
	#[serde(with = "amount_as_string")]
	pub licence: Balance,
	/// Tokens it paid for.
	pub tokens: u64,
	/// Accumulator over the acknowledged receipts.
	pub receipts: Hash,
}

/// A lane of a channel that has been redeemed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneEntry {
	/// The lane.
	pub lane: Lane,
	/// Its state.
	pub state: LaneState,
}

/// The settlement epoch that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
	/// Its index.
	pub index: EpochIndex,
	/// Its first block.
	pub start: BlockNumber,
	/// Its length in blocks.
	pub length: BlockNumber,
	/// The version of the terms in force.
	pub terms: TermsVersion,
}

/// The licence money a provider redeemed in one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pot {
	/// Before the protocol's cut, in units.
	#[serde(with = "amount_as_string")]
	pub licence: Balance,
	/// After it, in units.
	#[serde(with = "amount_as_string")]
	pub net: Balance,
	/// The version of the terms it is split by.
	pub terms: TermsVersion,
}

/// What a provider says an epoch's licence money is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
	/// The tree over the receipts.
	pub receipts: Commitment,
	/// The tree over the parts: what each payee gets of each receipt.
	pub parts: Commitment,
	/// The tree over the payouts.
	pub payouts: Commitment,
	/// The version of the terms.
	pub terms: TermsVersion,
	/// Who made it.
	pub reporter: AccountId,
	/// The block it was posted in.
	pub reported_at: BlockNumber,
	/// The block from which it can be settled.
	pub open_at: BlockNumber,
	/// The audit it has yet to pass.
	pub audit: Option<Audit>,
	/// How many payouts are settled.
	pub settled: u32,
	/// How much they were, in units.
	#[serde(with = "amount_as_string")]
	pub paid: Balance,
}

/// An audit that a report was drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
	/// What the leaves to show are drawn with.
	pub seed: Hash,
	/// The last block for the answer.
	pub due: BlockNumber,
	/// Whether an earlier last block passed without one.
	pub missed: bool,
}

impl Report {
	/// Whether it can still be proven wrong in block `now`.
	pub fn is_disputable(&self, now: BlockNumber) -> bool {
		!self.is_settled() && (now < self.open_at || self.audit.is_some())
	}

	/// Whether every payout is settled.
	pub fn is_settled(&self) -> bool {
		self.settled >= self.payouts.count
	}
}

/// Where all redeemed money went, in units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
	/// Redeemed from channels.
	#[serde(with = "amount_as_string")]
	pub redeemed: Balance,
	/// Burnt.
	#[serde(with = "amount_as_string")]
	pub burnt: Balance,
	/// To the treasury.
	#[serde(with = "amount_as_string")]
	pub treasury: Balance,
	/// To providers.
	#[serde(with = "amount_as_string")]
	pub providers: Balance,
	/// Into pots of licence money, after the cut.
	#[serde(with = "amount_as_string")]
	pub licence: Balance,
	/// Settled out of those pots.
	#[serde(with = "amount_as_string")]
	pub settled: Balance,
	/// Credited to payees.
	#[serde(with = "amount_as_string")]
	pub credited: Balance,
	/// Claimed by them.
	#[serde(with = "amount_as_string")]
	pub claimed: Balance,
}

/// What an account holds, in units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
	/// The account.
	pub account: AccountId,
	/// What it can spend, apart from what it must keep.
	#[serde(with = "amount_as_string")]
	pub free: Balance,
	/// What is held of it: escrow, bonds, deposits.
	#[serde(with = "amount_as_string")]
	pub reserved: Balance,
	/// The number of its next transaction.
	pub nonce: u32,
}

impl Account {
	/// Free and held together.
	pub fn total(&self) -> Balance {
		// Both are parts of the total issuance, so their sum fits.
		self.free.saturating_add(self.reserved)
	}
}

/// The figures that bound what can be done; amounts in units, periods in blocks. Governance can change
/// those that are not marked as fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
	/// The least an account may hold. Fixed.
	#[serde(with = "amount_as_string")]
	pub existential_deposit: Balance,
	/// Lanes of a channel. Fixed.
	pub max_lanes: u32,
	/// Vouchers of one redemption. Fixed.
	pub max_batch: u32,
	/// Payouts of one settlement. Fixed.
	pub max_settle: u32,
	/// How far ahead a voucher's last block may lie.
	pub max_voucher_lifetime: BlockNumber,
	/// How long a channel's escrow thaws.
	pub thaw_period: BlockNumber,
	/// The least escrow of a channel.
	#[serde(with = "amount_as_string")]
	pub min_escrow: Balance,
	/// The least bond of a provider.
	#[serde(with = "amount_as_string")]
	pub min_bond: Balance,
	/// How long a leaving provider's bond stays held.
	pub unbonding_period: BlockNumber,
	/// The highest rate per 1,000 tokens.
	#[serde(with = "amount_as_string")]
	pub max_rate: Balance,
	/// Blocks between two heartbeats of a provider's machine.
	pub heartbeat_period: BlockNumber,
	/// Length of the next settlement epoch.
	pub epoch_length: BlockNumber,
	/// How long a report can be disputed.
	pub dispute_window: BlockNumber,
}
