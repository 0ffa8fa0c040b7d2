//! The chain behind a node.

use super::{BlockEvents, Chain, ChainError, Skipped};
use crate::{
	payments::LaneKey,
	store::{Block, Redemption},
};
use openledger_client::{
	calls,
	events::ChannelsEvent,
	types::{Adapter, BaseModel, Channel, Epoch, LaneState, ModelId, Pot, Provider, Report},
	At, Chain as Client, ChainError as ClientError, ChainEvent, Keypair, Payload, Wait,
};
use openledger_primitives::{
	dispute::AuditAnswer, merkle::Node, AccountId, AdapterId, BaseModelId, BlockNumber, ChannelId,
	Commitment, DatanetId, EpochIndex, Hash, Heartbeat, Lane, PayoutLeaf, SignedVoucher,
	SnapshotVersion, Terms, TermsVersion,
};
use tonic::async_trait;

impl From<ClientError> for ChainError {
	fn from(error: ClientError) -> Self {
		match error {
			error if error.is_transient() => Self::Unreachable(error.to_string()),
			ClientError::Pruned(_) => Self::Pruned(error.to_string()),
			ClientError::Dispatch {
				pallet,
				error,
				docs,
			} => Self::Refused {
				name: format!("{pallet}.{error}"),
				docs,
			},
			error => Self::Other(error.to_string()),
		}
	}
}

/// A node, and the key that signs what the worker sends to it.
#[derive(Debug)]
pub struct Live {
	client: Client,
	key: Keypair,
}

impl Live {
	/// Signs with the provider's hot key.
	pub fn new(client: Client, key: Keypair) -> Self {
		Self { client, key }
	}

	fn at(&self, block: Hash) -> Client {
		self.client.at(At::Block(block))
	}

	async fn submit(&self, call: impl Payload + Sync + Send) -> Result<BlockNumber, ChainError> {
		Ok(self
			.client
			.submit(&call, &self.key, Wait::Finalized)
			.await?
			.number)
	}
}

#[async_trait]
impl Chain for Live {
	fn genesis(&self) -> Hash {
		self.client.genesis()
	}

	async fn finalized(&self) -> Result<Block, ChainError> {
		let number = self.client.finalized_number().await?;
		let hash = self.client.block_hash(number).await?;
		Ok(Block { number, hash })
	}

	async fn events(
		&self,
		number: BlockNumber,
		provider: &AccountId,
	) -> Result<BlockEvents, ChainError> {
		let found = self.client.block(number).await?;
		let mut events = BlockEvents {
			block: Block {
				number,
				hash: found.hash,
			},
			..BlockEvents::default()
		};
		for event in found.events {
			match event {
				ChainEvent::Channels(ChannelsEvent::Redeemed(paid))
					if paid.provider == *provider =>
				{
					events.redemptions.push(Redemption {
						key: LaneKey {
							channel: paid.channel,
							generation: paid.generation,
							lane: paid.lane,
						},
						compute: paid.compute,
						licence: paid.licence,
						amount: paid.amount,
					});
				}
				ChainEvent::Channels(ChannelsEvent::VoucherSkipped {
					channel,
					lane,
					reason,
					..
				}) => events.skipped.push(Skipped {
					channel,
					lane,
					reason,
				}),
				_ => {}
			}
		}
		Ok(events)
	}

	async fn max_voucher_lifetime(&self, at: Hash) -> Result<BlockNumber, ChainError> {
		Ok(self.at(at).parameters().await?.max_voucher_lifetime)
	}

	async fn heartbeat_period(&self, at: Hash) -> Result<BlockNumber, ChainError> {
		Ok(self.at(at).parameters().await?.heartbeat_period)
	}

	async fn last_heartbeat(
		&self,
		at: Hash,
		provider: &AccountId,
	) -> Result<Option<BlockNumber>, ChainError> {
		Ok(self.at(at).last_heartbeat(provider).await?)
	}

	async fn provider_of(
		&self,
		at: Hash,
		hot_key: &AccountId,
	) -> Result<Option<AccountId>, ChainError> {
		Ok(self.at(at).provider_of(hot_key).await?)
	}

	async fn provider(
		&self,
		at: Hash,
		account: &AccountId,
	) -> Result<Option<Provider>, ChainError> {
		Ok(self.at(at).provider(account).await?)
	}

	async fn base_model(&self, at: Hash, id: BaseModelId) -> Result<Option<BaseModel>, ChainError> {
		Ok(self.at(at).base_model(id).await?)
	}

	async fn by_name(&self, at: Hash, name: &str) -> Result<Option<ModelId>, ChainError> {
		Ok(self.at(at).by_name(name).await?)
	}

	async fn adapter(&self, at: Hash, id: AdapterId) -> Result<Option<Adapter>, ChainError> {
		Ok(self.at(at).adapter(id).await?)
	}

	async fn adapters(&self, at: Hash) -> Result<Vec<Adapter>, ChainError> {
		Ok(self.at(at).adapters().await?)
	}

	async fn snapshot(
		&self,
		at: Hash,
		datanet: DatanetId,
		version: SnapshotVersion,
	) -> Result<Option<Commitment>, ChainError> {
		let snapshot = self.at(at).snapshot(datanet, version).await?;
		Ok(snapshot.map(|snapshot| snapshot.contributions))
	}

	async fn channel(&self, at: Hash, id: ChannelId) -> Result<Option<Channel>, ChainError> {
		Ok(self.at(at).channel(id).await?)
	}

	async fn lane(
		&self,
		at: Hash,
		channel: ChannelId,
		lane: Lane,
	) -> Result<Option<LaneState>, ChainError> {
		Ok(self.at(at).lane(channel, lane).await?)
	}

	async fn epoch(&self, at: Hash) -> Result<Epoch, ChainError> {
		Ok(self.at(at).epoch().await?)
	}

	async fn terms(&self, at: Hash, version: TermsVersion) -> Result<Option<Terms>, ChainError> {
		Ok(self.at(at).terms(version).await?)
	}

	async fn pot(
		&self,
		at: Hash,
		provider: &AccountId,
		epoch: EpochIndex,
	) -> Result<Option<Pot>, ChainError> {
		Ok(self.at(at).pot(provider, epoch).await?)
	}

	async fn report(
		&self,
		at: Hash,
		provider: &AccountId,
		epoch: EpochIndex,
	) -> Result<Option<Report>, ChainError> {
		Ok(self.at(at).report(provider, epoch).await?)
	}

	async fn heartbeat(
		&self,
		provider: &AccountId,
		known: BlockNumber,
	) -> Result<BlockNumber, ChainError> {
		let heartbeat = Heartbeat {
			genesis: self.client.genesis(),
			provider: provider.clone(),
			at: known,
		};
		let call = calls::heartbeat(&heartbeat, &self.key);
		let sent = self
			.client
			.submit_authorized(&call, Wait::Finalized)
			.await?;
		Ok(sent.number)
	}

	async fn redeem(&self, vouchers: Vec<SignedVoucher>) -> Result<BlockNumber, ChainError> {
		self.submit(calls::redeem(vouchers)).await
	}

	async fn submit_report(
		&self,
		epoch: EpochIndex,
		receipts: Commitment,
		parts: Commitment,
		payouts: Commitment,
	) -> Result<BlockNumber, ChainError> {
		self.submit(calls::report(epoch, receipts, parts, payouts))
			.await
	}

	async fn answer_audit(
		&self,
		provider: &AccountId,
		epoch: EpochIndex,
		answer: AuditAnswer,
	) -> Result<BlockNumber, ChainError> {
		self.submit(calls::answer_audit(provider.clone(), epoch, answer))
			.await
	}

	async fn settle(
		&self,
		provider: &AccountId,
		epoch: EpochIndex,
		leaves: Vec<PayoutLeaf>,
		proof: Vec<Node>,
	) -> Result<BlockNumber, ChainError> {
		self.submit(calls::settle(provider.clone(), epoch, leaves, proof))
			.await
	}

	async fn sweep(
		&self,
		provider: &AccountId,
		epoch: EpochIndex,
		limit: u32,
	) -> Result<BlockNumber, ChainError> {
		self.submit(calls::sweep(provider.clone(), epoch, limit))
			.await
	}
}
