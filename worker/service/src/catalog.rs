//! From the name in a request to the model that answers it, and what a token of it costs.

use crate::{
	error::Refusal,
	files::{Files, Registered},
	generator::Generator,
	store::Block,
	view::{Named, View},
};
use openledger_client::types::{Adapter, AdapterState, ProviderState};
use openledger_engine::{
	store::{CONFIG_FILE, WEIGHTS_FILE},
	AdapterKey,
};
use openledger_primitives::{
	AccountId, AdapterId, AlgorithmId, BaseModelId, Hash, Price, QuoteId, Rate,
};
use std::{
	collections::BTreeMap,
	path::Path,
	sync::{Arc, Mutex, PoisonError},
	time::{Duration, Instant},
};

/// How long an offline worker remembers what is in its store before a name it does not know makes it
/// look again.
const RESCAN: Duration = Duration::from_secs(1);

/// Most bytes of a name that an operator gives an adapter.
const MAX_NAME: usize = 200;

/// An adapter that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServedAdapter {
	/// Its id on the chain.
	pub id: Option<AdapterId>,
	/// Its files, for the engine.
	pub key: AdapterKey,
	/// The algorithm that attributes its answers.
	pub algorithm: AlgorithmId,
	/// Content hash of its attribution index.
	pub index: Hash,
}

/// A model that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
	/// The name that was asked for.
	pub name: String,
	/// The base model on the chain; 0 without a chain.
	pub base: BaseModelId,
	/// The adapter; `None` for the bare base model.
	pub adapter: Option<ServedAdapter>,
	/// What a token costs.
	pub price: Price,
	/// The quote in force.
	pub quote: QuoteId,
}

/// What a worker on a chain serves.
pub struct OnChain {
	/// The chain, read once per block.
	pub view: Arc<View>,
	/// The files.
	pub files: Arc<Files>,
	/// The provider.
	pub provider: AccountId,
	/// The base model.
	pub base: BaseModelId,
	/// All adapters of the newest block that was asked for.
	pub all: Mutex<(Hash, Arc<Vec<Adapter>>)>,
}

impl OnChain {
	/// A worker of `provider` that serves `base`.
	pub fn new(view: Arc<View>, files: Arc<Files>, provider: AccountId, base: BaseModelId) -> Self {
		Self {
			view,
			files,
			provider,
			base,
			all: Mutex::default(),
		}
	}

	/// The adapter of that name, whether or not it can be served.
	pub async fn adapter(&self, block: Block, name: &str) -> Result<Arc<Adapter>, Refusal> {
		match self.view.named(block, name).await? {
			Some(Named::Adapter(adapter)) => Ok(adapter),
			Some(Named::Base(_)) => Err(Refusal::BadRequest(format!(
				"{name:?} is a base model, not an adapter"
			))),
			None => Err(Refusal::UnknownModel(name.to_owned())),
		}
	}

	/// The model of that name, if this worker can serve it now.
	pub async fn resolve(&self, block: Block, name: &str) -> Result<Served, Refusal> {
		let named = self
			.view
			.named(block, name)
			.await?
			.ok_or_else(|| Refusal::UnknownModel(name.to_owned()))?;
		let base = match &named {
			Named::Base(id) => *id,
			Named::Adapter(adapter) => adapter.base,
		};
		if base != self.base {
			return Err(Refusal::OtherBase(name.to_owned()));
		}
		let missing = |what: &str| Refusal::Chain(format!("the chain does not have {what}"));
		let model = self
			.view
			.base(block, base)
			.await?
			.ok_or_else(|| missing("the base model"))?;
		let provider = self
			.view
			.provider(block, &self.provider)
			.await?
			.ok_or_else(|| missing("this worker's provider any more"))?;
		if provider.state != ProviderState::Active {
			return Err(Refusal::ShuttingDown);
		}
		let (adapter, rate) = match &named {
			Named::Base(_) => (None, Rate::default()),
			Named::Adapter(adapter) => {
				if adapter.state != AdapterState::Active {
					return Err(Refusal::ModelRetired(name.to_owned()));
				}
				let registered = registered(adapter);
				if let Some(file) = self.files.missing(&registered) {
					return Err(Refusal::AdapterMissing {
						model: name.to_owned(),
						file,
					});
				}
				let served = ServedAdapter {
					id: Some(adapter.id),
					key: registered.key(),
					algorithm: adapter.algorithm,
					index: adapter.index,
				};
				(Some(served), adapter.rate)
			}
		};
		Ok(Served {
			name: name.to_owned(),
			base,
			adapter,
			price: Price {
				compute: provider.quote.rate,
				licence: model
					.rate
					.checked_add(&rate)
					.ok_or(Refusal::PriceOverflow)?,
			},
			quote: provider.quote.id,
		})
	}

	/// Every active adapter over the served base, with its name.
	pub async fn adapters(&self, block: Block) -> Result<Arc<Vec<Adapter>>, Refusal> {
		let lock = || self.all.lock().unwrap_or_else(PoisonError::into_inner);
		{
			let all = lock();
			if all.0 == block.hash {
				return Ok(all.1.clone());
			}
		}
		let mut found = self.view.chain().adapters(block.hash).await?;
		found.retain(|adapter| adapter.base == self.base && adapter.state == AdapterState::Active);
		let found = Arc::new(found);
		*lock() = (block.hash, found.clone());
		Ok(found)
	}
}

/// The hashes that an adapter's files must have.
pub fn registered(adapter: &Adapter) -> Registered {
	Registered {
		weights: adapter.weights,
		config: adapter.config,
		index: adapter.index,
	}
}

#[derive(Default)]
struct Scan {
	names: BTreeMap<String, AdapterKey>,
	at: Option<Instant>,
	/// Names that were given by hand.
	given: BTreeMap<String, AdapterKey>,
}

/// What a worker without a chain serves: the base model, and every folder of its store by its name.
pub struct Offline {
	base: String,
	generator: Arc<dyn Generator>,
	scan: Mutex<Scan>,
}

impl Offline {
	/// A worker that calls its base model `base`.
	pub fn new(base: String, generator: Arc<dyn Generator>) -> Self {
		Self {
			base,
			generator,
			scan: Mutex::default(),
		}
	}

	/// The model of that name.
	pub fn resolve(&self, name: &str) -> Result<Served, Refusal> {
		let adapter = if name == self.base {
			None
		} else {
			let key = self.names().get(name).copied();
			Some(key.ok_or_else(|| Refusal::UnknownModel(name.to_owned()))?)
		};
		Ok(Served {
			name: name.to_owned(),
			base: 0,
			adapter: adapter.map(|key| ServedAdapter {
				id: None,
				key,
				algorithm: 0,
				index: Hash::zero(),
			}),
			price: Price::default(),
			quote: 0,
		})
	}

	/// The base model's name.
	pub fn base(&self) -> &str {
		&self.base
	}

	/// The adapters by name.
	pub fn names(&self) -> BTreeMap<String, AdapterKey> {
		let mut scan = self.scan.lock().unwrap_or_else(PoisonError::into_inner);
		if scan.at.is_none_or(|at| at.elapsed() >= RESCAN) {
			scan.names = self.read(&scan.names);
			scan.at = Some(Instant::now());
		}
		let mut names = scan.names.clone();
		names.extend(scan.given.iter().map(|(name, key)| (name.clone(), *key)));
		names
	}

	/// Serves the adapter in a folder of the store, given absolutely or from the store's root, as `name`; in place of
	/// another of that name only with `replace`.
	pub fn add(&self, name: &str, folder: &Path, replace: bool) -> Result<(), Refusal> {
		if name == self.base || name.starts_with('.') || name.len() > MAX_NAME {
			let reason =
				format!("must be another name than the base model's, of at most {MAX_NAME} bytes");
			return Err(Refusal::field("lora_name", reason));
		}
		let outside = || {
			let reason =
				"must be a folder in the worker's store (--store), with adapter_config.json and \
			              adapter_model.safetensors";
			Refusal::field("lora_path", reason)
		};
		let root = self
			.generator
			.store()
			.canonicalize()
			.map_err(|_| outside())?;
		let path = root.join(folder).canonicalize().map_err(|_| outside())?;
		if !path.starts_with(&root) || path == root {
			return Err(outside());
		}
		// What the folder's files name must not lead out of the store either.
		for file in [WEIGHTS_FILE, CONFIG_FILE] {
			let file = path.join(file).canonicalize().map_err(|_| outside())?;
			if !file.starts_with(&root) {
				return Err(outside());
			}
		}
		let key = self.generator.import(&path)?;
		self.generator.check_adapter(&key)?;
		let other = self.names().get(name).is_some_and(|known| *known != key);
		if other && !replace {
			let reason = "is taken by another adapter; unload that, or set `load_inplace`";
			return Err(Refusal::field("lora_name", reason));
		}
		let mut scan = self.scan.lock().unwrap_or_else(PoisonError::into_inner);
		scan.given.insert(name.to_owned(), key);
		Ok(())
	}

	/// Forgets a name that was given with [`Self::add`].
	pub fn remove(&self, name: &str) {
		let mut scan = self.scan.lock().unwrap_or_else(PoisonError::into_inner);
		scan.given.remove(name);
	}

	/// A folder that is not named by its hashes is imported under its name; the import stays beside it.
	fn read(&self, known: &BTreeMap<String, AdapterKey>) -> BTreeMap<String, AdapterKey> {
		let Ok(folders) = std::fs::read_dir(self.generator.store()) else {
			return BTreeMap::new();
		};
		folders
			.filter_map(|folder| {
				let path = folder.ok()?.path();
				let name = path.file_name()?.to_str()?.to_owned();
				let whole = [WEIGHTS_FILE, CONFIG_FILE]
					.iter()
					.all(|f| path.join(f).is_file());
				if name.starts_with('.') || !whole {
					return None;
				}
				if let Some(key) = known.get(&name) {
					return Some((name, *key));
				}
				// A folder in the store's own form is what it is called; its files are verified at load.
				let own = key_of(&name);
				match own.map_or_else(|| self.generator.import(&path), Ok) {
					Ok(key) => Some((name, key)),
					Err(error) => {
						tracing::warn!(folder = name, %error, "a folder of the store cannot be used");
						None
					}
				}
			})
			.collect()
	}
}

/// The adapter whose folder in the store is called `name`.
fn key_of(name: &str) -> Option<AdapterKey> {
	let (weights, config) = name.split_once('-')?;
	let hash = |text| hex::decode(text).ok()?.try_into().ok();
	Some(AdapterKey {
		weights: hash(weights)?,
		config: hash(config)?,
	})
}
