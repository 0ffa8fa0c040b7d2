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
	AdapterKey, AdapterSet,
};
use openledger_primitives::{
	AccountId, AdapterId, AlgorithmId, BaseModelId, Hash, Price, QuoteId, Rate,
};
use std::{
	collections::{BTreeMap, BTreeSet},
	fs::Metadata,
	os::unix::fs::MetadataExt,
	path::Path,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// How old an offline worker's list of its store may be. Requests do not depend on it: each looks at the folder it
/// names.
const RESCAN: Duration = Duration::from_secs(1);

/// How old a file's time must be before the file system's clock is sure to tell a later change from it.
const SETTLED: Duration = Duration::from_secs(2);

/// What a set of adapters is called in metrics, whose labels must not be as many as there are sets.
pub const SET: &str = "(set)";

/// Most bytes of a file's name.
const MAX_FILE_NAME: usize = 255;

/// Bytes to free when the store is full, so that it need not be done again for every file.
pub const ROOM: u64 = 256 << 20;

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

/// An adapter of a set, as a request names it.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
	/// The adapter's name.
	pub name: String,
	/// What its update is multiplied by.
	pub weight: f32,
}

/// The set that a model's name spells: `cook*0.6+poet*0.4`, with weight 1 where none is given. `None` if it spells
/// none.
///
/// Names on the chain have neither sign; a folder or a name given by the operator is found first.
pub fn members_of(model: &str) -> Option<Vec<Member>> {
	if !model.contains(['+', '*']) {
		return None;
	}
	model
		.split('+')
		// Longer ones are refused by their length.
		.take(AdapterSet::MAX_MEMBERS + 1)
		.map(|part| {
			let weighted = part.rsplit_once('*');
			let weighted = weighted.and_then(|(name, by)| Some((name, by.trim().parse().ok()?)));
			let (name, weight) = weighted.unwrap_or((part, 1.0));
			let name = name.trim().to_owned();
			(!name.is_empty()).then_some(Member { name, weight })
		})
		.collect()
}

/// A model that answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Served {
	/// The name that was asked for.
	pub name: String,
	/// The base model on the chain; 0 without a chain.
	pub base: BaseModelId,
	/// The adapter; `None` for the bare base model.
	pub adapter: Option<ServedAdapter>,
	/// Several adapters in place of one.
	pub set: Option<Arc<AdapterSet>>,
	/// Names of all its adapters.
	pub adapters: Vec<String>,
	/// What a token costs.
	pub price: Price,
	/// The quote in force.
	pub quote: QuoteId,
}

impl Served {
	/// What it is called in metrics.
	pub fn label(&self) -> &str {
		match self.set {
			None => &self.name,
			Some(_) => SET,
		}
	}
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
				self.fetch(block, &registered).await?;
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
			set: None,
			adapters: adapter.iter().map(|_| name.to_owned()).collect(),
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

	/// Brings an adapter's files from elsewhere, if they are missing and there is a place to look; what no active adapter
	/// needs makes room for them.
	pub async fn fetch(&self, block: Block, registered: &Registered) -> Result<(), Refusal> {
		match self.files.fetch(*registered, true).await {
			Err(Refusal::StoreFull(_)) => {}
			result => return result,
		}
		let mut needed = self.view.chain().adapters(block.hash).await?;
		needed.retain(|adapter| adapter.state == AdapterState::Active);
		let files = self.files.clone();
		let made = tokio::task::spawn_blocking(move || {
			let needed: Vec<Registered> = needed.iter().map(self::registered).collect();
			files.make_room(ROOM, &needed)
		});
		made.await
			.map_err(|_| Refusal::Store("making room in the store failed".into()))?;
		self.files.fetch(*registered, true).await
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

/// What the file system tells of an adapter's two files: another after any change, unless that came within a tick of
/// its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp([File; 2]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct File {
	inode: (u64, u64),
	bytes: u64,
	written: (i64, i64),
	/// Cannot be set back, unlike the time it was written.
	changed: (i64, i64),
}

impl File {
	fn new(of: &Metadata) -> Self {
		Self {
			inode: (of.dev(), of.ino()),
			bytes: of.size(),
			written: (of.mtime(), of.mtime_nsec()),
			changed: (of.ctime(), of.ctime_nsec()),
		}
	}
}

impl Stamp {
	/// `None` unless both files are there.
	fn of(folder: &Path) -> Option<Self> {
		let file = |name| {
			let of = std::fs::metadata(folder.join(name)).ok()?;
			of.is_file().then(|| File::new(&of))
		};
		Some(Self([file(WEIGHTS_FILE)?, file(CONFIG_FILE)?]))
	}

	/// Whether a change from now on is sure to show.
	fn is_settled(&self) -> bool {
		let now = SystemTime::now().duration_since(UNIX_EPOCH);
		let before = now.unwrap_or_default().saturating_sub(SETTLED).as_secs();
		let before = i64::try_from(before).unwrap_or(i64::MAX);
		self.0.iter().all(|file| file.changed.0 < before)
	}
}

/// A folder of the store.
#[derive(Clone, Copy)]
struct Folder {
	stamp: Stamp,
	/// Whether the stamp was settled when the files were read.
	settled: bool,
	/// The adapter in it; `None` if it could not be used.
	key: Option<AdapterKey>,
}

#[derive(Default)]
struct Index {
	folders: BTreeMap<String, Folder>,
	/// Names that were given by hand.
	given: BTreeMap<String, AdapterKey>,
	/// All names, and when they were listed.
	listed: Option<(Instant, Arc<BTreeMap<String, AdapterKey>>)>,
}

/// What a worker without a chain serves: the base model, and every folder of its store by its name.
///
/// A folder is read when it is named for the first time or its files have changed since, which two looks at the file
/// system tell: what was added, replaced or removed counts from the next request on. A change within the same tick of
/// the file system's clock as the one before it, to a file of the same size, counts two seconds later.
pub struct Offline {
	base: String,
	generator: Arc<dyn Generator>,
	index: Mutex<Index>,
}

impl Offline {
	/// A worker that calls its base model `base`.
	pub fn new(base: String, generator: Arc<dyn Generator>) -> Self {
		Self {
			base,
			generator,
			index: Mutex::default(),
		}
	}

	fn lock(&self) -> MutexGuard<'_, Index> {
		self.index.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// The model of that name. Reads files: not for use inside an async task.
	pub fn resolve(&self, name: &str) -> Result<Served, Refusal> {
		let adapter = if name == self.base {
			None
		} else {
			let key = self.adapter(name);
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
			set: None,
			adapters: adapter.iter().map(|_| name.to_owned()).collect(),
			price: Price::default(),
			quote: 0,
		})
	}

	/// The base model's name.
	pub fn base(&self) -> &str {
		&self.base
	}

	/// The adapters by name, as of a second ago at most. Reads files: not for use inside an async task.
	pub fn names(&self) -> Arc<BTreeMap<String, AdapterKey>> {
		if let Some((at, names)) = &self.lock().listed {
			if at.elapsed() < RESCAN {
				return names.clone();
			}
		}
		let folders = std::fs::read_dir(self.generator.store());
		let found: BTreeSet<String> = folders
			.into_iter()
			.flatten()
			.filter_map(|folder| folder.ok()?.file_name().into_string().ok())
			.collect();
		let keyed = found.iter().filter_map(|name| {
			let key = self.look(name)?;
			Some((name.clone(), key))
		});
		let mut names: BTreeMap<String, AdapterKey> = keyed.collect();
		let mut index = self.lock();
		index.folders.retain(|name, _| found.contains(name));
		names.extend(index.given.iter().map(|(name, key)| (name.clone(), *key)));
		let names = Arc::new(names);
		index.listed = Some((Instant::now(), names.clone()));
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
		let other = self.adapter(name).is_some_and(|known| known != key);
		if other && !replace {
			let reason = "is taken by another adapter; unload that, or set `load_inplace`";
			return Err(Refusal::field("lora_name", reason));
		}
		let mut index = self.lock();
		index.given.insert(name.to_owned(), key);
		index.listed = None;
		Ok(())
	}

	/// Forgets a name that was given with [`Self::add`].
	pub fn remove(&self, name: &str) {
		let mut index = self.lock();
		index.given.remove(name);
		index.listed = None;
	}

	/// The adapter of that name.
	fn adapter(&self, name: &str) -> Option<AdapterKey> {
		let given = self.lock().given.get(name).copied();
		given.or_else(|| self.look(name))
	}

	/// The adapter in the folder of that name. One that is not named by its hashes is imported; the import stays beside
	/// it.
	fn look(&self, name: &str) -> Option<AdapterKey> {
		let is_plain = !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
		if name.is_empty() || name.len() > MAX_FILE_NAME || !is_plain {
			return None;
		}
		let path = self.generator.store().join(name);
		let Some(stamp) = Stamp::of(&path) else {
			self.lock().folders.remove(name);
			return None;
		};
		let settled = stamp.is_settled();
		let known = self.lock().folders.get(name).copied();
		if let Some(folder) = known {
			// One that was read when it was too new to tell is read once more.
			if folder.stamp == stamp && (folder.settled || !settled) {
				return folder.key;
			}
		}
		// A folder in the store's own form is what it is called; its files are verified at load.
		let key = match key_of(name).map_or_else(|| self.generator.import(&path), Ok) {
			Ok(key) => Some(key),
			Err(error) => {
				tracing::warn!(folder = name, %error, "a folder of the store cannot be used");
				None
			}
		};
		let folder = Folder {
			stamp,
			settled,
			key,
		};
		self.lock().folders.insert(name.to_owned(), folder);
		key
	}
}

/// The hashes of an adapter without a chain, which has no index.
pub fn hashes_of(key: &AdapterKey) -> Registered {
	Registered {
		weights: Hash::from(key.weights),
		config: Hash::from(key.config),
		index: Hash::zero(),
	}
}

/// The adapter whose folder in the store is called `name`.
pub fn key_of(name: &str) -> Option<AdapterKey> {
	let (weights, config) = name.split_once('-')?;
	let hash = |text| hex::decode(text).ok()?.try_into().ok();
	Some(AdapterKey {
		weights: hash(weights)?,
		config: hash(config)?,
	})
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::testing::Script;
	use std::fs;

	fn write(store: &Path, name: &str, weights: &str) {
		let folder = store.join(name);
		fs::create_dir_all(&folder).unwrap();
		fs::write(folder.join(CONFIG_FILE), "{}").unwrap();
		fs::write(folder.join(WEIGHTS_FILE), weights).unwrap();
	}

	fn key(offline: &Offline, name: &str) -> Option<AdapterKey> {
		let served = offline.resolve(name).ok()?;
		Some(served.adapter.unwrap().key)
	}

	#[test]
	fn two_thousand_folders_should_be_read_once_and_every_change_seen_at_once() {
		let folder = tempfile::tempdir().unwrap();
		let store = folder.path();
		for n in 0..2_000 {
			write(store, &format!("adapter-{n}"), &format!("weights {n}"));
		}
		let script = Script::new(store);
		let imports = script.imports.clone();
		let imported = || imports.load(std::sync::atomic::Ordering::Relaxed);
		let offline = Offline::new("base".into(), Arc::new(script));
		let first = key(&offline, "adapter-7").unwrap();
		assert_eq!(imported(), 1, "a request reads the folder it names alone");
		// Of each there is the import under its hashes too.
		assert_eq!(offline.names().len(), 2_001);
		// Once more where the files were too new to tell a change.
		assert!(imported() <= 2_001, "{}", imported());
		std::thread::sleep(SETTLED + Duration::from_secs(1));
		assert_eq!(offline.names().len(), 4_000);
		let settled = imported();
		let begin = Instant::now();
		for n in 0..2_000 {
			assert!(key(&offline, &format!("adapter-{n}")).is_some());
		}
		let per_request = begin.elapsed() / 2_000;
		println!("a request takes {per_request:?} to find its adapter among 2,000");
		assert!(per_request < Duration::from_millis(1), "{per_request:?}");
		assert_eq!(imported(), settled, "nothing is read again");

		write(store, "adapter-7", "weights X");
		let replaced = key(&offline, "adapter-7").unwrap();
		assert_ne!(replaced, first, "written over");
		write(store, "aside", "weights Y");
		fs::rename(
			store.join("aside").join(WEIGHTS_FILE),
			store.join("adapter-8").join(WEIGHTS_FILE),
		)
		.unwrap();
		assert_ne!(key(&offline, "adapter-8"), key(&offline, "adapter-9"));
		assert_eq!(imported(), settled + 2);
		write(store, "new", "weights Z");
		assert!(key(&offline, "new").is_some(), "added");
		fs::remove_dir_all(store.join("adapter-9")).unwrap();
		assert_eq!(key(&offline, "adapter-9"), None, "removed");
		fs::remove_file(store.join("adapter-10").join(CONFIG_FILE)).unwrap();
		assert_eq!(key(&offline, "adapter-10"), None, "not whole any more");
		std::thread::sleep(RESCAN);
		let names = offline.names();
		assert!(names.contains_key("new") && !names.contains_key("adapter-9"));
		assert_eq!(names.get("adapter-7"), Some(&replaced));
	}

	#[test]
	fn a_change_too_quick_for_the_clock_should_be_seen_soon() {
		let folder = tempfile::tempdir().unwrap();
		let offline = Offline::new("base".into(), Arc::new(Script::new(folder.path())));
		write(folder.path(), "quick", "one");
		let first = key(&offline, "quick");
		// As if the file had been written again in the same tick.
		let mut stale = *offline.lock().folders.get("quick").unwrap();
		write(folder.path(), "quick", "two");
		stale.stamp = Stamp::of(&folder.path().join("quick")).unwrap();
		offline.lock().folders.insert("quick".into(), stale);
		assert_eq!(key(&offline, "quick"), first);
		std::thread::sleep(SETTLED + Duration::from_secs(1));
		assert_ne!(key(&offline, "quick"), first);
	}

	#[test]
	fn a_folder_that_cannot_be_used_should_be_read_once_until_it_changes() {
		let folder = tempfile::tempdir().unwrap();
		let script = Script::new(folder.path());
		let imports = script.imports.clone();
		let imported = || imports.load(std::sync::atomic::Ordering::Relaxed);
		let offline = Offline::new("base".into(), Arc::new(script));
		write(folder.path(), "broken", "x");
		let config = folder.path().join("broken").join(CONFIG_FILE);
		fs::write(&config, vec![b' '; 2 << 20]).unwrap();
		std::thread::sleep(SETTLED + Duration::from_secs(1));
		for _ in 0..3 {
			assert_eq!(key(&offline, "broken"), None);
			assert!(!offline.names().contains_key("broken"));
			offline.lock().listed = None;
		}
		assert_eq!(imported(), 1);
		fs::write(&config, "{}").unwrap();
		assert!(key(&offline, "broken").is_some());
	}

	#[test]
	fn names_that_lead_elsewhere_should_be_no_models() {
		let folder = tempfile::tempdir().unwrap();
		let store = folder.path().join("store");
		write(&store, "inside", "x");
		write(folder.path(), "outside", "x");
		let offline = Offline::new("base".into(), Arc::new(Script::new(&store)));
		assert!(key(&offline, "inside").is_some());
		let long = "x".repeat(MAX_FILE_NAME + 1);
		for name in [
			"../outside",
			"inside/",
			"inside/.",
			"",
			".",
			"..",
			"a\0b",
			&long,
		] {
			let refused = offline.resolve(name).unwrap_err();
			assert_eq!(refused.code(), "unknown-model", "{name}");
		}
	}

	#[test]
	fn a_set_should_be_spelt_by_its_names_and_weights() {
		let read = |model: &str| {
			let members = members_of(model)?;
			Some(
				members
					.into_iter()
					.map(|m| (m.name, m.weight))
					.collect::<Vec<_>>(),
			)
		};
		let pair =
			|a: (&str, f32), b: (&str, f32)| Some(vec![(a.0.into(), a.1), (b.0.into(), b.1)]);
		assert_eq!(
			read("cook*0.6+poet*0.4"),
			pair(("cook", 0.6), ("poet", 0.4))
		);
		assert_eq!(
			read(" cook + poet * -1e-3 "),
			pair(("cook", 1.0), ("poet", -0.001))
		);
		assert_eq!(read("cook*2"), Some(vec![("cook".into(), 2.0)]));
		assert_eq!(read("cook*much"), Some(vec![("cook*much".into(), 1.0)]));
		for none in ["cook", "", "+", "cook+", "*2", "cook++poet"] {
			assert_eq!(read(none), None, "{none}");
		}
		let many = vec!["a"; 1_000].join("+");
		assert_eq!(
			members_of(&many).unwrap().len(),
			AdapterSet::MAX_MEMBERS + 1
		);
	}
}
