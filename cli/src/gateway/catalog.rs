//! What the chain offers: models by name, and the providers that serve them.

use super::error::GatewayError;
use openledger_client::{
	types::{Adapter, AdapterState, BaseModel, Provider, ProviderState},
	Chain, ChainError,
};
use openledger_primitives::{AccountId, AdapterId, BaseModelId, Rate};
use std::{
	collections::HashMap,
	sync::{Arc, Mutex, PoisonError},
	time::{Duration, Instant},
};

/// How long the catalog is believed.
const FRESH: Duration = Duration::from_secs(6);
/// How long a provider that failed is asked last.
const BACK_OFF: Duration = Duration::from_secs(15);

/// A model that can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
	/// Its name.
	pub name: String,
	/// Who owns it.
	pub owner: AccountId,
	/// The base model.
	pub base: BaseModelId,
	/// The adapter, if it is one.
	pub adapter: Option<AdapterId>,
	/// Base model's and adapter's rate together.
	pub licence: Rate,
}

/// The chain's offers at one moment.
#[derive(Clone, Debug, Default)]
pub struct Offers {
	/// Active adapters and base models, by name.
	pub models: Vec<Model>,
	/// Active providers.
	pub providers: Vec<Provider>,
}

impl Offers {
	/// From what is registered.
	pub fn new(bases: Vec<BaseModel>, adapters: Vec<Adapter>, providers: Vec<Provider>) -> Self {
		let rates: HashMap<BaseModelId, Rate> =
			bases.iter().map(|base| (base.id, base.rate)).collect();
		let mut models: Vec<Model> = bases
			.into_iter()
			.map(|base| Model {
				name: base.name,
				owner: base.owner,
				base: base.id,
				adapter: None,
				licence: base.rate,
			})
			.collect();
		for adapter in adapters {
			let rate = rates
				.get(&adapter.base)
				.and_then(|rate| rate.checked_add(&adapter.rate));
			if let (AdapterState::Active, Some(licence)) = (adapter.state, rate) {
				models.push(Model {
					name: adapter.name,
					owner: adapter.owner,
					base: adapter.base,
					adapter: Some(adapter.id),
					licence,
				});
			}
		}
		models.sort_by(|a, b| a.name.cmp(&b.name));
		let mut providers = providers;
		providers.retain(|provider| provider.state == ProviderState::Active);
		Self { models, providers }
	}

	/// The model with this name.
	pub fn model(&self, name: &str) -> Option<&Model> {
		let found = self
			.models
			.binary_search_by(|model| model.name.as_str().cmp(name));
		found.ok().and_then(|at| self.models.get(at))
	}

	/// The providers that serve a base model, the cheapest first.
	pub fn serving(&self, base: BaseModelId) -> Vec<Provider> {
		let mut serving: Vec<Provider> = self
			.providers
			.iter()
			.filter(|provider| provider.bases.contains(&base))
			.cloned()
			.collect();
		// Writing costs more than reading in most answers; equal quotes go by account.
		serving.sort_by(|a, b| {
			let price = |provider: &Provider| {
				provider
					.quote
					.rate
					.input
					.saturating_add(provider.quote.rate.output)
			};
			price(a)
				.cmp(&price(b))
				.then_with(|| a.account.cmp(&b.account))
		});
		serving
	}
}

/// The chain's offers, read again every few seconds, and which providers failed lately.
pub struct Catalog {
	chain: Chain,
	offers: tokio::sync::Mutex<Option<(Instant, Arc<Offers>)>>,
	failed: Mutex<HashMap<AccountId, Instant>>,
}

impl Catalog {
	/// Over the finalized state of `chain`, which is what workers go by.
	pub fn new(chain: &Chain) -> Self {
		Self {
			chain: chain.finalized(),
			offers: tokio::sync::Mutex::default(),
			failed: Mutex::default(),
		}
	}

	/// What is offered; at most a few seconds old.
	pub async fn offers(&self) -> Result<Arc<Offers>, ChainError> {
		self.read(FRESH).await
	}

	async fn read(&self, fresh: Duration) -> Result<Arc<Offers>, ChainError> {
		let mut offers = self.offers.lock().await;
		if let Some((at, known)) = offers.as_ref() {
			if at.elapsed() < fresh {
				return Ok(known.clone());
			}
		}
		let chain = self.chain.pinned().await?;
		let read = Arc::new(Offers::new(
			chain.base_models().await?,
			chain.adapters().await?,
			chain.providers().await?,
		));
		*offers = Some((Instant::now(), read.clone()));
		Ok(read)
	}

	/// The model of that name and who serves it: healthy providers first, then the cheapest.
	pub async fn find(&self, name: &str) -> Result<(Model, Vec<Provider>), GatewayError> {
		let mut offers = self.offers().await?;
		if offers.model(name).is_none() {
			// Perhaps it was registered just now.
			offers = self.read(Duration::from_secs(1)).await?;
		}
		let model = offers.model(name).cloned().ok_or_else(|| GatewayError {
			param: Some("model"),
			..GatewayError::new(
				404,
				"unknown-model",
				format!("No model is called {name:?} on this chain. GET /v1/models lists them."),
			)
		})?;
		let mut providers = offers.serving(model.base);
		if providers.is_empty() {
			return Err(GatewayError::new(
				503,
				"no-provider",
				format!("No active provider serves {name:?} at the moment. Try again later."),
			));
		}
		let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
		let lately = |provider: &Provider| {
			failed
				.get(&provider.account)
				.is_some_and(|at| at.elapsed() < BACK_OFF)
		};
		// The sort is stable, so the cheapest stay first among equals.
		providers.sort_by_key(lately);
		Ok((model, providers))
	}

	/// Remembers that a provider failed.
	pub fn failed(&self, provider: &AccountId) {
		let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
		failed.insert(provider.clone(), Instant::now());
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use openledger_client::types::Quote;
	use openledger_primitives::Hash;

	fn rate(input: u128) -> Rate {
		Rate {
			input,
			output: 2 * input,
		}
	}

	fn base(id: u32, name: &str) -> BaseModel {
		BaseModel {
			id,
			owner: [1; 32].into(),
			name: name.into(),
			architecture: "llama".into(),
			weights: Hash::zero(),
			tokenizer: Hash::zero(),
			licence: "MIT".into(),
			rate: rate(10),
		}
	}

	fn adapter(id: u32, name: &str, state: AdapterState) -> Adapter {
		Adapter {
			id,
			owner: [2; 32].into(),
			name: name.into(),
			base: 0,
			weights: Hash::zero(),
			config: Hash::zero(),
			rank: 8,
			targets: Vec::new(),
			lineage: Vec::new(),
			manifest: Hash::zero(),
			algorithm: 1,
			index: Hash::zero(),
			uri: String::new(),
			rate: rate(5),
			state,
		}
	}

	fn provider(account: u8, price: u128, state: ProviderState) -> Provider {
		Provider {
			account: [account; 32].into(),
			hot_key: [account; 32].into(),
			endpoint: "http://h".into(),
			bond: 0,
			bases: vec![0],
			quote: Quote {
				id: 1,
				rate: rate(price),
			},
			state,
		}
	}

	#[test]
	fn offers_should_hold_active_models_with_their_whole_licence_rate() {
		let adapters = vec![
			adapter(0, "cook", AdapterState::Active),
			adapter(1, "old", AdapterState::Retired),
		];
		let offers = Offers::new(
			vec![base(0, "smol"), base(1, "alpha")],
			adapters,
			Vec::new(),
		);
		let names: Vec<&str> = offers
			.models
			.iter()
			.map(|model| model.name.as_str())
			.collect();
		assert_eq!(names, ["alpha", "cook", "smol"]);
		assert_eq!(offers.model("cook").unwrap().licence, rate(15));
		assert_eq!(offers.model("smol").unwrap().licence, rate(10));
		assert!(offers.model("old").is_none());
	}

	#[test]
	fn cheapest_active_provider_should_come_first() {
		let providers = vec![
			provider(3, 7, ProviderState::Active),
			provider(1, 1, ProviderState::Leaving { free_at: 9 }),
			provider(2, 5, ProviderState::Active),
			provider(1, 7, ProviderState::Active),
		];
		let offers = Offers::new(vec![base(0, "smol")], Vec::new(), providers);
		let order: Vec<u8> = offers
			.serving(0)
			.iter()
			.map(|provider| AsRef::<[u8]>::as_ref(&provider.account)[0])
			.collect();
		assert_eq!(order, [2, 1, 3]);
		assert!(offers.serving(1).is_empty());
	}
}
