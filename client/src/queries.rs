//! What can be read from the chain.

use crate::{api, chain::AtBlock, convert, types::*, Chain, ChainError};
use openledger_primitives::{
	dispute::Source, AccountId, AdapterId, Balance, BaseModelId, BlockNumber, ChannelId,
	ContributionId, DatanetId, EpochIndex, Generation, Lane, SnapshotVersion, Terms, TermsVersion,
};
use std::time::Instant;
use subxt::{
	storage::{Address, PrefixOf},
	utils::Static,
};

/// A storage entry that a read yields: its key and its value.
type Pair<A> = (<A as Address>::KeyParts, <A as Address>::Value);

/// A lane of a channel in one of its generations.
pub type LaneOf = (ChannelId, Generation, Lane);

impl Chain {
	/// The base model with this id.
	pub async fn base_model(&self, id: BaseModelId) -> Result<Option<BaseModel>, ChainError> {
		let value = self
			.get(api::storage().models().base_models(), (id,))
			.await?;
		Ok(value.map(|value| convert::base_model(id, value)))
	}

	/// All base models, by id.
	pub async fn base_models(&self) -> Result<Vec<BaseModel>, ChainError> {
		let all = self.all(api::storage().models().base_models(), ()).await?;
		Ok(sorted(all, |((id,), value)| {
			(id, convert::base_model(id, value))
		}))
	}

	/// The adapter with this id.
	pub async fn adapter(&self, id: AdapterId) -> Result<Option<Adapter>, ChainError> {
		let value = self.get(api::storage().models().adapters(), (id,)).await?;
		Ok(value.map(|value| convert::adapter(id, value)))
	}

	/// All adapters, by id.
	pub async fn adapters(&self) -> Result<Vec<Adapter>, ChainError> {
		let all = self.all(api::storage().models().adapters(), ()).await?;
		Ok(sorted(all, |((id,), value)| {
			(id, convert::adapter(id, value))
		}))
	}

	/// What a name stands for.
	pub async fn by_name(&self, name: &str) -> Result<Option<ModelId>, ChainError> {
		let key = (name.as_bytes().to_vec(),);
		let value = self.get(api::storage().models().names(), key).await?;
		Ok(value.map(Into::into))
	}

	/// The Datanet with this id.
	pub async fn datanet(&self, id: DatanetId) -> Result<Option<Datanet>, ChainError> {
		let value = self
			.get(api::storage().datanets().datanets(), (id,))
			.await?;
		Ok(value.map(|value| convert::datanet(id, value)))
	}

	/// All Datanets, by id.
	pub async fn datanets(&self) -> Result<Vec<Datanet>, ChainError> {
		let all = self.all(api::storage().datanets().datanets(), ()).await?;
		Ok(sorted(all, |((id,), value)| {
			(id, convert::datanet(id, value))
		}))
	}

	/// A contribution.
	pub async fn contribution(
		&self,
		datanet: DatanetId,
		id: ContributionId,
	) -> Result<Option<Contribution>, ChainError> {
		let address = api::storage().datanets().contributions();
		let value = self.get(address, (datanet, id)).await?;
		Ok(value.map(|value| convert::contribution(datanet, id, value)))
	}

	/// All contributions that a Datanet keeps, by id.
	pub async fn contributions(&self, datanet: DatanetId) -> Result<Vec<Contribution>, ChainError> {
		let address = api::storage().datanets().contributions();
		let all = self.all(address, (datanet,)).await?;
		Ok(sorted(all, |((datanet, id), value)| {
			(id, convert::contribution(datanet, id, value))
		}))
	}

	/// A snapshot of a Datanet.
	pub async fn snapshot(
		&self,
		datanet: DatanetId,
		version: SnapshotVersion,
	) -> Result<Option<Snapshot>, ChainError> {
		let address = api::storage().datanets().snapshots();
		let value = self.get(address, (datanet, version)).await?;
		Ok(value.map(|value| convert::snapshot(datanet, version, value)))
	}

	/// The provider with this cold account.
	pub async fn provider(&self, account: &AccountId) -> Result<Option<Provider>, ChainError> {
		let address = api::storage().providers().providers();
		let value = self.get(address, (Static(account.clone()),)).await?;
		Ok(value.map(|value| convert::provider(account.clone(), value)))
	}

	/// All providers, by account.
	pub async fn providers(&self) -> Result<Vec<Provider>, ChainError> {
		let all = self.all(api::storage().providers().providers(), ()).await?;
		Ok(sorted(all, |((account,), value)| {
			(account.0.clone(), convert::provider(account.0, value))
		}))
	}

	/// The cold account of the provider whose worker signs with `hot_key`.
	pub async fn provider_of(&self, hot_key: &AccountId) -> Result<Option<AccountId>, ChainError> {
		let address = api::storage().providers().hot_keys();
		let value = self.get(address, (Static(hot_key.clone()),)).await?;
		Ok(value.map(|account| account.0))
	}

	/// The block of the last heartbeat of this provider's machine.
	pub async fn last_heartbeat(
		&self,
		provider: &AccountId,
	) -> Result<Option<BlockNumber>, ChainError> {
		let address = api::storage().providers().last_seen();
		self.get(address, (Static(provider.clone()),)).await
	}

	/// The channel with this id.
	pub async fn channel(&self, id: ChannelId) -> Result<Option<Channel>, ChainError> {
		let value = self
			.get(api::storage().channels().channels(), (id,))
			.await?;
		Ok(value.map(|value| convert::channel(id, value)))
	}

	/// All channels, by id.
	pub async fn channels(&self) -> Result<Vec<Channel>, ChainError> {
		let all = self.all(api::storage().channels().channels(), ()).await?;
		Ok(sorted(all, |((id,), value)| {
			(id, convert::channel(id, value))
		}))
	}

	/// The channels that this account pays from, by id.
	pub async fn channels_of(&self, payer: &AccountId) -> Result<Vec<Channel>, ChainError> {
		let mut all = self.channels().await?;
		all.retain(|channel| channel.payer == *payer);
		Ok(all)
	}

	/// What was redeemed on a lane; `None` if nothing ever was. See [`LaneState::generation`].
	pub async fn lane(&self, id: ChannelId, lane: Lane) -> Result<Option<LaneState>, ChainError> {
		let value = self
			.get(api::storage().channels().lanes(), (id, lane))
			.await?;
		Ok(value.map(Into::into))
	}

	/// All lanes of a channel that were ever redeemed on, in order.
	pub async fn lanes(&self, id: ChannelId) -> Result<Vec<LaneEntry>, ChainError> {
		let all = self.all(api::storage().channels().lanes(), (id,)).await?;
		Ok(sorted(all, |((_, lane), state)| {
			let state = state.into();
			(lane, LaneEntry { lane, state })
		}))
	}

	/// The id that the next channel gets.
	pub async fn next_channel(&self) -> Result<ChannelId, ChainError> {
		let value = self
			.get(api::storage().channels().next_channel(), ())
			.await?;
		Ok(value.unwrap_or_default())
	}

	/// The settlement epoch that runs.
	pub async fn epoch(&self) -> Result<Epoch, ChainError> {
		let value = self
			.get(api::storage().attribution().current_epoch(), ())
			.await?;
		value
			.map(Into::into)
			.ok_or_else(|| missing("Attribution.CurrentEpoch"))
	}

	/// A version of the terms.
	pub async fn terms(&self, version: TermsVersion) -> Result<Option<Terms>, ChainError> {
		let value = self
			.get(api::storage().attribution().terms_of(), (version,))
			.await?;
		Ok(value.map(|terms| terms.0))
	}

	/// The licence money that a provider redeemed in an epoch.
	pub async fn pot(
		&self,
		provider: &AccountId,
		epoch: EpochIndex,
	) -> Result<Option<Pot>, ChainError> {
		let key = (Static(provider.clone()), epoch);
		let value = self.get(api::storage().attribution().pots(), key).await?;
		Ok(value.map(Into::into))
	}

	/// What a provider redeemed of each lane in an epoch; `None` if the chain kept no account of lanes
	/// then. None are left of a pot that is settled and swept.
	pub async fn sources(
		&self,
		provider: &AccountId,
		epoch: EpochIndex,
	) -> Result<Option<Vec<(LaneOf, Source)>>, ChainError> {
		let storage = api::storage().attribution();
		let since = self.get(storage.sources_since(), ()).await?;
		if epoch < since.unwrap_or_default() {
			return Ok(None);
		}
		let key = (Static(provider.clone()), epoch);
		let all = self.all(storage.sources(), (key,)).await?;
		Ok(Some(sorted(all, |((_, lane), source)| {
			(lane, (lane, source.0))
		})))
	}

	/// A provider's report of an epoch.
	pub async fn report(
		&self,
		provider: &AccountId,
		epoch: EpochIndex,
	) -> Result<Option<Report>, ChainError> {
		let key = (Static(provider.clone()), epoch);
		let value = self
			.get(api::storage().attribution().reports(), key)
			.await?;
		Ok(value.map(Into::into))
	}

	/// Whether somebody has demanded an audit of a report that is not settled.
	pub async fn is_demanded(
		&self,
		provider: &AccountId,
		epoch: EpochIndex,
	) -> Result<bool, ChainError> {
		let key = (Static(provider.clone()), epoch);
		let demand = self
			.get(api::storage().attribution().demands(), key)
			.await?;
		Ok(demand.is_some())
	}

	/// What an account can claim, in units.
	pub async fn credit(&self, account: &AccountId) -> Result<Balance, ChainError> {
		let key = (Static(account.clone()),);
		let value = self
			.get(api::storage().attribution().credits(), key)
			.await?;
		Ok(value.unwrap_or_default())
	}

	/// Every account that has something to claim, with how much, in units.
	pub async fn credits(&self) -> Result<Vec<(AccountId, Balance)>, ChainError> {
		let all = self.all(api::storage().attribution().credits(), ()).await?;
		Ok(sorted(all, |((account,), credit)| {
			(account.0.clone(), (account.0, credit))
		}))
	}

	/// Where all redeemed money went.
	pub async fn totals(&self) -> Result<Totals, ChainError> {
		let value = self.get(api::storage().attribution().totals(), ()).await?;
		Ok(value.map(Into::into).unwrap_or_default())
	}

	/// What an account holds; zeros if there is no such account.
	pub async fn balance(&self, account: &AccountId) -> Result<Account, ChainError> {
		let key = (Static(account.clone()),);
		let value = self.get(api::storage().system().account(), key).await?;
		Ok(match value {
			Some(info) => Account {
				account: account.clone(),
				free: info.data.free,
				reserved: info.data.reserved,
				nonce: info.nonce,
			},
			None => Account {
				account: account.clone(),
				free: 0,
				reserved: 0,
				nonce: 0,
			},
		})
	}

	/// Every account there is, in order.
	pub async fn all_accounts(&self) -> Result<Vec<Account>, ChainError> {
		let all = self.all(api::storage().system().account(), ()).await?;
		Ok(sorted(all, |((account,), info)| {
			let account = Account {
				account: account.0,
				free: info.data.free,
				reserved: info.data.reserved,
				nonce: info.nonce,
			};
			(account.account.clone(), account)
		}))
	}

	/// All the OPEN there is, in units.
	pub async fn total_issuance(&self) -> Result<Balance, ChainError> {
		let value = self
			.get(api::storage().balances().total_issuance(), ())
			.await?;
		value.ok_or_else(|| missing("Balances.TotalIssuance"))
	}

	/// A storage value, or its default where it has one.
	pub(crate) async fn get<A: Address>(
		&self,
		address: A,
		key: A::KeyParts,
	) -> Result<Option<A::Value>, ChainError> {
		let view = self.view().await?;
		let storage = view.storage();
		let value = self
			.answer("storage", storage.try_fetch(address, key))
			.await?;
		let value = value.map(|value| value.decode()).transpose();
		value.map_err(ChainError::from_subxt)
	}

	/// All entries of a storage map under a part of its key.
	pub(crate) async fn all<A: Address, P: PrefixOf<A::KeyParts>>(
		&self,
		address: A,
		prefix: P,
	) -> Result<Vec<Pair<A>>, ChainError> {
		let view: AtBlock = self.view().await?;
		let storage = view.storage();
		let mut entries = self
			.answer("storage", storage.iter(address, prefix))
			.await?;
		let mut all = Vec::new();
		let limit = self.shared.settings.answer;
		let mut since = Instant::now();
		loop {
			let left = limit.saturating_sub(since.elapsed());
			let next = tokio::time::timeout(left, entries.next()).await;
			let Some(entry) = next.map_err(|_| ChainError::timeout("storage", limit))? else {
				return Ok(all);
			};
			let entry = entry.map_err(ChainError::from_subxt)?;
			let key = entry.key().and_then(|key| key.decode());
			let value = entry.value().decode();
			all.push((
				key.map_err(ChainError::from_subxt)?,
				value.map_err(ChainError::from_subxt)?,
			));
			since = Instant::now();
		}
	}
}

/// Storage is walked in the order of hashes; people expect the order of ids.
fn sorted<E, K: Ord, V>(entries: Vec<E>, of: impl Fn(E) -> (K, V)) -> Vec<V> {
	let mut all: Vec<(K, V)> = entries.into_iter().map(of).collect();
	all.sort_by(|a, b| a.0.cmp(&b.0));
	all.into_iter().map(|(_, value)| value).collect()
}

fn missing(what: &str) -> ChainError {
	ChainError::Incompatible(format!("{what} is empty"))
}
