//! The connection, and the blocks it reads from.

use crate::ChainError;
use openledger_primitives::{AccountId, BlockNumber, Hash};
use std::{
	collections::HashMap,
	future::Future,
	sync::{Arc, Mutex, PoisonError},
	time::Duration,
};
use subxt::{
	backend::LegacyBackend,
	client::{ClientAtBlock, OnlineClientAtBlockImpl},
	config::{PolkadotConfig, RpcConfigFor},
	rpcs::{
		client::{
			reconnecting_rpc_client::{ExponentialBackoff, RpcClient as ReconnectingClient},
			RpcClient,
		},
		methods::LegacyRpcMethods,
	},
	OnlineClient,
};

/// How the chain's transactions and headers look.
pub(crate) type Config = PolkadotConfig;
/// Access to the state of one block.
pub(crate) type AtBlock = ClientAtBlock<Config, OnlineClientAtBlockImpl<Config>>;
/// Calls of the node by name.
pub(crate) type Methods = LegacyRpcMethods<RpcConfigFor<Config>>;

/// The block that reads answer from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
	/// The newest block, which may yet be replaced.
	Best,
	/// The newest block that stays.
	Finalized,
	/// This one.
	Block(Hash),
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
	/// For the first connection.
	pub connect: Duration,
	/// For one answer of the node.
	pub answer: Duration,
	/// For a transaction to reach the block it is waited for in.
	pub inclusion: Duration,
}

impl Default for Settings {
	/// 10 s, 30 s, and 3 minutes.
	fn default() -> Self {
		Self {
			connect: Duration::from_secs(10),
			answer: Duration::from_secs(30),
			inclusion: Duration::from_secs(180),
		}
	}
}

/// A connection to a chain. Clones share it, and the order of each key's transactions.
#[derive(Clone)]
pub struct Chain {
	pub(crate) shared: Arc<Shared>,
	at: At,
}

pub(crate) struct Shared {
	pub(crate) url: String,
	pub(crate) settings: Settings,
	pub(crate) client: OnlineClient<Config>,
	pub(crate) methods: Methods,
	genesis: Hash,
	/// The block read last, since many reads in a row ask for the same.
	last: Mutex<Option<AtBlock>>,
	/// One lock for each key: its transactions get their numbers one after the other.
	turns: Mutex<HashMap<AccountId, Arc<tokio::sync::Mutex<()>>>>,
}

impl core::fmt::Debug for Chain {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		f.debug_struct("Chain")
			.field("url", &self.shared.url)
			.field("genesis", &self.shared.genesis)
			.field("at", &self.at)
			.finish()
	}
}

impl Chain {
	/// Connects to the node at `url` (`ws://…` or `wss://…`) and reads from its best block.
	///
	/// Fails at once, saying why, if there is no node. Afterwards the connection is made again by
	/// itself whenever it is lost.
	pub async fn connect(url: &str) -> Result<Self, ChainError> {
		Self::connect_with(url, Settings::default()).await
	}

	/// [`Chain::connect`] with other waiting times.
	pub async fn connect_with(url: &str, settings: Settings) -> Result<Self, ChainError> {
		if !(url.starts_with("ws://") || url.starts_with("wss://")) {
			return Err(ChainError::BadUrl {
				url: url.into(),
				reason: "it must begin with ws:// or wss://".into(),
			});
		}
		let unreachable = |reason: String| ChainError::Unreachable {
			url: url.into(),
			reason,
		};
		// The client that makes lost connections again would try for ever, so a plain one goes first.
		let first = tokio::time::timeout(settings.connect, RpcClient::from_insecure_url(url));
		match first.await {
			Ok(Ok(_)) => (),
			Ok(Err(error)) => return Err(unreachable(short(&error.to_string()))),
			Err(_) => return Err(unreachable("it took too long".into())),
		}
		let policy = ExponentialBackoff::from_millis(100).max_delay(Duration::from_secs(5));
		let lasting = ReconnectingClient::builder()
			.retry_policy(policy)
			.request_timeout(settings.answer)
			.build(url);
		let rpc = tokio::time::timeout(settings.connect, lasting)
			.await
			.map_err(|_| unreachable("it took too long".into()))?
			.map_err(|error| unreachable(short(&error.to_string())))?;
		let rpc = RpcClient::new(rpc);
		let backend = Arc::new(LegacyBackend::builder().build(rpc.clone()));
		let config = PolkadotConfig::builder().use_historic_types(false).build();
		let client = OnlineClient::from_backend_with_config(config, backend);
		let client = tokio::time::timeout(settings.connect, client)
			.await
			.map_err(|_| unreachable("it took too long".into()))?
			.map_err(|error| unreachable(short(&error.to_string())))?;
		let genesis = client.genesis_hash();
		Ok(Self {
			shared: Arc::new(Shared {
				url: url.into(),
				settings,
				client,
				methods: LegacyRpcMethods::new(rpc),
				genesis,
				last: Mutex::default(),
				turns: Mutex::default(),
			}),
			at: At::Best,
		})
	}

	/// The node's address.
	pub fn url(&self) -> &str {
		&self.shared.url
	}

	/// Hash of the first block: names the chain.
	pub fn genesis(&self) -> Hash {
		self.shared.genesis
	}

	/// The same connection, reading from another block.
	pub fn at(&self, at: At) -> Self {
		Self {
			shared: self.shared.clone(),
			at,
		}
	}

	/// The same connection, reading the newest finalized state.
	pub fn finalized(&self) -> Self {
		self.at(At::Finalized)
	}

	/// The same connection, reading from the block that is the newest now, so that several reads fit
	/// each other.
	pub async fn pinned(&self) -> Result<Self, ChainError> {
		let view = self.view().await?;
		Ok(self.at(At::Block(view.block_hash())))
	}

	/// Number of the newest block.
	pub async fn best_number(&self) -> Result<BlockNumber, ChainError> {
		let view = self.at(At::Best).view().await?;
		Ok(number_of(&view))
	}

	/// Number of the newest finalized block.
	pub async fn finalized_number(&self) -> Result<BlockNumber, ChainError> {
		let view = self.at(At::Finalized).view().await?;
		Ok(number_of(&view))
	}

	/// Number of the block that this handle reads from.
	pub async fn number(&self) -> Result<BlockNumber, ChainError> {
		Ok(number_of(&self.view().await?))
	}

	/// Hash of the block with this number on the best chain.
	pub async fn block_hash(&self, number: BlockNumber) -> Result<Hash, ChainError> {
		let hash = self
			.shared
			.methods
			.chain_get_block_hash(Some(number.into()));
		self.answer("hash of a block", hash)
			.await?
			.ok_or_else(|| ChainError::UnknownBlock(number.to_string()))
	}

	/// The state that this handle reads.
	pub(crate) async fn view(&self) -> Result<AtBlock, ChainError> {
		let methods = &self.shared.methods;
		let hash = match self.at {
			At::Best => self
				.answer("best block", methods.chain_get_block_hash(None))
				.await?
				.ok_or_else(|| ChainError::UnknownBlock("(best)".into()))?,
			At::Finalized => {
				self.answer("finalized block", methods.chain_get_finalized_head())
					.await?
			}
			At::Block(hash) => hash,
		};
		let last = self
			.shared
			.last
			.lock()
			.unwrap_or_else(PoisonError::into_inner)
			.clone();
		if let Some(last) = last.filter(|last| last.block_hash() == hash) {
			return Ok(last);
		}
		let view = self
			.answer("block", self.shared.client.at_block(hash))
			.await?;
		*self
			.shared
			.last
			.lock()
			.unwrap_or_else(PoisonError::into_inner) = Some(view.clone());
		Ok(view)
	}

	/// Waits for an answer of the node, but not for ever.
	pub(crate) async fn answer<T, E: Into<subxt::Error>>(
		&self,
		what: &'static str,
		future: impl Future<Output = Result<T, E>>,
	) -> Result<T, ChainError> {
		let limit = self.shared.settings.answer;
		tokio::time::timeout(limit, future)
			.await
			.map_err(|_| ChainError::timeout(what, limit))?
			.map_err(ChainError::from_subxt)
	}

	/// The lock that puts one key's transactions in order.
	pub(crate) fn turn(&self, account: &AccountId) -> Arc<tokio::sync::Mutex<()>> {
		let mut turns = self
			.shared
			.turns
			.lock()
			.unwrap_or_else(PoisonError::into_inner);
		turns.entry(account.clone()).or_default().clone()
	}
}

/// The block's number; OpenLedger counts blocks in 32 bits.
pub(crate) fn number_of(view: &AtBlock) -> BlockNumber {
	BlockNumber::try_from(view.block_number()).unwrap_or(BlockNumber::MAX)
}

/// The innermost reason of an error that wraps others in its text.
fn short(text: &str) -> String {
	text.trim_start_matches("RPC error: client error: ")
		.to_owned()
}
