//! The chain as of the block the worker has followed to, read once per block.

use crate::{
	chain::{Chain, ChainError},
	error::Refusal,
	store::Block,
};
use openledger_client::types::{Adapter, BaseModel, Channel, LaneState, ModelId, Provider};
use openledger_primitives::{
	AccountId, BaseModelId, ChannelId, Commitment, DatanetId, Hash, Lane, SnapshotVersion,
};
use std::{
	collections::HashMap,
	future::Future,
	hash::Hash as Key,
	sync::{Arc, Mutex, PoisonError},
};

/// Most entries of one kind that are kept for a block; beyond it they are read again.
const MAX_ENTRIES: usize = 4096;

impl From<ChainError> for Refusal {
	fn from(error: ChainError) -> Self {
		Self::Chain(error.to_string())
	}
}

/// What a name stands for, with what it needs.
#[derive(Clone, Debug)]
pub enum Named {
	/// A base model.
	Base(BaseModelId),
	/// An adapter.
	Adapter(Arc<Adapter>),
}

#[derive(Default)]
struct Cache {
	block: Hash,
	channels: HashMap<ChannelId, Option<Arc<Channel>>>,
	lanes: HashMap<(ChannelId, Lane), Option<LaneState>>,
	snapshots: HashMap<(DatanetId, SnapshotVersion), Option<Commitment>>,
	names: HashMap<String, Option<Named>>,
	bases: HashMap<BaseModelId, Option<Arc<BaseModel>>>,
	providers: HashMap<AccountId, Option<Arc<Provider>>>,
}

/// Reads with a memory of one block.
pub struct View {
	chain: Arc<dyn Chain>,
	cache: Mutex<Cache>,
}

impl View {
	/// A view of `chain`.
	pub fn new(chain: Arc<dyn Chain>) -> Self {
		Self {
			chain,
			cache: Mutex::default(),
		}
	}

	/// The chain itself.
	pub fn chain(&self) -> &Arc<dyn Chain> {
		&self.chain
	}

	async fn cached<K: Key + Eq + Clone, V: Clone>(
		&self,
		block: Block,
		key: &K,
		map: impl Fn(&mut Cache) -> &mut HashMap<K, V>,
		read: impl Future<Output = Result<V, ChainError>>,
	) -> Result<V, Refusal> {
		let lock = || self.cache.lock().unwrap_or_else(PoisonError::into_inner);
		{
			let mut cache = lock();
			if cache.block != block.hash {
				*cache = Cache {
					block: block.hash,
					..Cache::default()
				};
			} else if let Some(value) = map(&mut cache).get(key) {
				return Ok(value.clone());
			}
		}
		let value = read.await?;
		let mut cache = lock();
		if cache.block == block.hash {
			let map = map(&mut cache);
			if map.len() >= MAX_ENTRIES {
				map.clear();
			}
			map.insert(key.clone(), value.clone());
		}
		Ok(value)
	}

	/// A channel.
	pub async fn channel(
		&self,
		block: Block,
		id: ChannelId,
	) -> Result<Option<Arc<Channel>>, Refusal> {
		let read = async { Ok(self.chain.channel(block.hash, id).await?.map(Arc::new)) };
		self.cached(block, &id, |cache| &mut cache.channels, read)
			.await
	}

	/// What was redeemed on a lane.
	pub async fn lane(
		&self,
		block: Block,
		channel: ChannelId,
		lane: Lane,
	) -> Result<Option<LaneState>, Refusal> {
		let read = self.chain.lane(block.hash, channel, lane);
		self.cached(block, &(channel, lane), |cache| &mut cache.lanes, read)
			.await
	}

	/// The commitment to a Datanet's snapshot.
	pub async fn snapshot(
		&self,
		block: Block,
		datanet: DatanetId,
		version: SnapshotVersion,
	) -> Result<Option<Commitment>, Refusal> {
		let key = (datanet, version);
		let read = self.chain.snapshot(block.hash, datanet, version);
		self.cached(block, &key, |cache| &mut cache.snapshots, read)
			.await
	}

	/// What a name stands for.
	pub async fn named(&self, block: Block, name: &str) -> Result<Option<Named>, Refusal> {
		let read = async {
			Ok(match self.chain.by_name(block.hash, name).await? {
				None => None,
				Some(ModelId::Base(id)) => Some(Named::Base(id)),
				Some(ModelId::Adapter(id)) => self
					.chain
					.adapter(block.hash, id)
					.await?
					.map(|adapter| Named::Adapter(Arc::new(adapter))),
			})
		};
		self.cached(block, &name.to_owned(), |cache| &mut cache.names, read)
			.await
	}

	/// A base model.
	pub async fn base(
		&self,
		block: Block,
		id: BaseModelId,
	) -> Result<Option<Arc<BaseModel>>, Refusal> {
		let read = async { Ok(self.chain.base_model(block.hash, id).await?.map(Arc::new)) };
		self.cached(block, &id, |cache| &mut cache.bases, read)
			.await
	}

	/// A provider.
	pub async fn provider(
		&self,
		block: Block,
		account: &AccountId,
	) -> Result<Option<Arc<Provider>>, Refusal> {
		let read = async {
			Ok(self
				.chain
				.provider(block.hash, account)
				.await?
				.map(Arc::new))
		};
		self.cached(block, account, |cache| &mut cache.providers, read)
			.await
	}
}
