//! What the worker asks of the chain. [`live`] asks a node; tests answer from memory.

pub mod live;

use crate::{
	payments::LaneKey,
	store::{Block, Redemption},
};
use openledger_client::types::{
	Adapter, BaseModel, Channel, Epoch, LaneState, ModelId, Pot, Provider, Report,
};
use openledger_primitives::{
	dispute::AuditAnswer, merkle::Node, AccountId, AdapterId, BaseModelId, BlockNumber, ChannelId,
	Commitment, DatanetId, EpochIndex, Hash, Lane, PayoutLeaf, SignedVoucher, SnapshotVersion,
	Terms, TermsVersion,
};
use tonic::async_trait;

/// Why the chain did not answer, or said no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
	/// Trying again may help: no connection, no block in time, a busy node.
	#[error("{0}")]
	Unreachable(String),
	/// The node no longer has the state of the block.
	#[error("{0}")]
	Pruned(String),
	/// The chain refused the call; the first part names pallet and error.
	#[error("{name}: {docs}")]
	Refused {
		/// `Pallet.Error`.
		name: String,
		/// What it means and what to do.
		docs: String,
	},
	/// Anything else.
	#[error("{0}")]
	Other(String),
}

/// A voucher that a redemption skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
	/// The channel.
	pub channel: ChannelId,
	/// The lane.
	pub lane: Lane,
	/// Why.
	pub reason: String,
}

/// What a finalized block did for a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockEvents {
	/// The block.
	pub block: Block,
	/// Redemptions that paid the provider, in order.
	pub redemptions: Vec<Redemption>,
	/// Vouchers that redemptions in it skipped, whoever's they are.
	pub skipped: Vec<Skipped>,
}

/// Reads of finalized blocks and the calls a worker makes. Reads name the block they answer for,
/// so that several fit each other.
#[async_trait]
pub trait Chain: Send + Sync + 'static {
	/// Hash of the first block.
	fn genesis(&self) -> Hash;
	/// The newest finalized block.
	async fn finalized(&self) -> Result<Block, ChainError>;
	/// What the finalized block of that number did for `provider`.
	async fn events(
		&self,
		number: BlockNumber,
		provider: &AccountId,
	) -> Result<BlockEvents, ChainError>;
	/// The longest a voucher may be good for, in blocks.
	async fn max_voucher_lifetime(&self, at: Hash) -> Result<BlockNumber, ChainError>;
	/// Blocks between two heartbeats of a provider's machine.
	async fn heartbeat_period(&self, at: Hash) -> Result<BlockNumber, ChainError>;
	/// The block of the last heartbeat of a provider's machine.
	async fn last_heartbeat(
		&self,
		at: Hash,
		provider: &AccountId,
	) -> Result<Option<BlockNumber>, ChainError>;
	/// The provider whose worker signs with `hot_key`.
	async fn provider_of(
		&self,
		at: Hash,
		hot_key: &AccountId,
	) -> Result<Option<AccountId>, ChainError>;
	/// A provider.
	async fn provider(&self, at: Hash, account: &AccountId)
		-> Result<Option<Provider>, ChainError>;
	/// A base model.
	async fn base_model(&self, at: Hash, id: BaseModelId) -> Result<Option<BaseModel>, ChainError>;
	/// What a name stands for.
	async fn by_name(&self, at: Hash, name: &str) -> Result<Option<ModelId>, ChainError>;
	/// An adapter.
	async fn adapter(&self, at: Hash, id: AdapterId) -> Result<Option<Adapter>, ChainError>;
	/// All adapters.
	async fn adapters(&self, at: Hash) -> Result<Vec<Adapter>, ChainError>;
	/// The commitment to a Datanet's snapshot.
	async fn snapshot(
		&self,
		at: Hash,
		datanet: DatanetId,
		version: SnapshotVersion,
	) -> Result<Option<Commitment>, ChainError>;
	/// A channel.
	async fn channel(&self, at: Hash, id: ChannelId) -> Result<Option<Channel>, ChainError>;
	/// What was redeemed on a lane.
	async fn lane(
		&self,
		at: Hash,
		channel: ChannelId,
		lane: Lane,
	) -> Result<Option<LaneState>, ChainError>;
	/// The settlement epoch that runs.
	async fn epoch(&self, at: Hash) -> Result<Epoch, ChainError>;
	/// A version of the terms.
	async fn terms(&self, at: Hash, version: TermsVersion) -> Result<Option<Terms>, ChainError>;
	/// The licence money `provider` redeemed in an epoch.
	async fn pot(
		&self,
		at: Hash,
		provider: &AccountId,
		epoch: EpochIndex,
	) -> Result<Option<Pot>, ChainError>;
	/// The provider's report of an epoch.
	async fn report(
		&self,
		at: Hash,
		provider: &AccountId,
		epoch: EpochIndex,
	) -> Result<Option<Report>, ChainError>;

	/// Shows that the provider's machine knew block `known`, for no fee.
	async fn heartbeat(
		&self,
		provider: &AccountId,
		known: BlockNumber,
	) -> Result<BlockNumber, ChainError>;
	/// Redeems vouchers; returns the finalized block that did it.
	async fn redeem(&self, vouchers: Vec<SignedVoucher>) -> Result<BlockNumber, ChainError>;
	/// Posts a usage report.
	async fn submit_report(
		&self,
		epoch: EpochIndex,
		receipts: Commitment,
		parts: Commitment,
		payouts: Commitment,
	) -> Result<BlockNumber, ChainError>;
	/// Opens the leaves that an audit of a report drew.
	async fn answer_audit(
		&self,
		provider: &AccountId,
		epoch: EpochIndex,
		answer: AuditAnswer,
	) -> Result<BlockNumber, ChainError>;
	/// Settles the next payout leaves of a report.
	async fn settle(
		&self,
		provider: &AccountId,
		epoch: EpochIndex,
		leaves: Vec<PayoutLeaf>,
		proof: Vec<Node>,
	) -> Result<BlockNumber, ChainError>;
	/// Removes up to `limit` of the lanes that the chain keeps of a settled pot.
	async fn sweep(
		&self,
		provider: &AccountId,
		epoch: EpochIndex,
		limit: u32,
	) -> Result<BlockNumber, ChainError>;
}

/// The lane that a redemption event names.
pub fn lane_key(channel: ChannelId, generation: u32, lane: Lane) -> LaneKey {
	LaneKey {
		channel,
		generation,
		lane,
	}
}
