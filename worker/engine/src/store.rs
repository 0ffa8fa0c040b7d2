//! Content-addressed adapters on disk: `<root>/<weights>-<config>/{adapter_model.safetensors,
//! adapter_config.json}`, with the hex SHA-256 of either file in the folder's name.
//!
//! Paths are made from hashes alone, so nothing a caller says leads outside the root, and the same weights with
//! another configuration are another adapter; both files are verified at every load.
//!
//! Behind the folder there may be [`AdapterSource`]s, such as an object store: what the folder lacks is fetched from
//! them by its hashes, and is an adapter only if it has them.

use std::{
	fs::{self, File, OpenOptions},
	io::{Read, Write},
	os::unix::fs::OpenOptionsExt,
	path::{Path, PathBuf},
	sync::{Arc, PoisonError, RwLock},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::AdapterError;

/// Name of the weights' file.
pub const WEIGHTS_FILE: &str = "adapter_model.safetensors";
/// Name of the configuration's file.
pub const CONFIG_FILE: &str = "adapter_config.json";

/// Largest configuration accepted, in bytes.
pub(crate) const MAX_CONFIG: u64 = 1 << 20;

/// Bytes that are hashed in well under a millisecond.
const HASHED_AT_ONCE: usize = 1 << 20;

/// What an adapter is: the SHA-256 of both its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AdapterKey {
	/// SHA-256 of `adapter_model.safetensors`.
	pub weights: [u8; 32],
	/// SHA-256 of `adapter_config.json`.
	pub config: [u8; 32],
}

impl AdapterKey {
	/// Name of the adapter's folder: both hashes in hexadecimal, joined by `-`.
	pub fn folder(&self) -> String {
		format!("{}-{}", crate::hex(&self.weights), crate::hex(&self.config))
	}
}

/// An adapter's files in memory, verified.
#[derive(Clone, Debug)]
pub struct AdapterFiles {
	/// `adapter_config.json`.
	pub config: Vec<u8>,
	/// `adapter_model.safetensors`.
	pub weights: Vec<u8>,
}

impl AdapterFiles {
	/// The key of these files.
	pub fn key(&self) -> AdapterKey {
		self.key_between(&|| {})
	}

	fn key_between(&self, between: &dyn Fn()) -> AdapterKey {
		let mut weights = Sha256::new();
		for part in self.weights.chunks(HASHED_AT_ONCE) {
			weights.update(part);
			between();
		}
		AdapterKey {
			weights: weights.finalize().into(),
			config: Sha256::digest(&self.config).into(),
		}
	}

	/// Whether these are the files of `key`.
	///
	/// # Errors
	/// [`AdapterError::HashMismatch`] names the one that is not.
	pub fn verify(&self, key: &AdapterKey) -> Result<(), AdapterError> {
		self.verify_between(key, &|| {})
	}

	/// [`Self::verify`], calling `between` between parts.
	pub(crate) fn verify_between(
		&self,
		key: &AdapterKey,
		between: &dyn Fn(),
	) -> Result<(), AdapterError> {
		let found = self.key_between(between);
		for (file, found, expected) in [
			(CONFIG_FILE, found.config, key.config),
			(WEIGHTS_FILE, found.weights, key.weights),
		] {
			if found != expected {
				return Err(AdapterError::HashMismatch {
					file: file.to_string(),
					expected: crate::hex(&expected),
					found: crate::hex(&found),
				});
			}
		}
		Ok(())
	}
}

/// A place adapters can be fetched from by their keys. It need not be trusted: what it gives is verified.
pub trait AdapterSource: Send + Sync + std::fmt::Debug {
	/// What to call the place in errors.
	fn name(&self) -> String;

	/// Fetches an adapter's files, the weights of at most `limit` bytes and the configuration of at most 1 MiB; `None`
	/// when the place does not have them. Called on a loading thread, which it may block.
	///
	/// # Errors
	/// [`AdapterError`], whatever went wrong.
	fn fetch(&self, key: &AdapterKey, limit: u64) -> Result<Option<AdapterFiles>, AdapterError>;

	/// [`Self::fetch`], refusing what is not the adapter of that key.
	///
	/// # Errors
	/// Those of [`Self::fetch`], and [`AdapterError::HashMismatch`], which names the file and the place.
	fn fetch_verified(
		&self,
		key: &AdapterKey,
		limit: u64,
	) -> Result<Option<AdapterFiles>, AdapterError> {
		let Some(files) = self.fetch(key, limit)? else {
			return Ok(None);
		};
		files.verify(key).map_err(|error| match error {
			AdapterError::HashMismatch {
				file,
				expected,
				found,
			} => AdapterError::HashMismatch {
				file: format!("{file} from {}", self.name()),
				expected,
				found,
			},
			other => other,
		})?;
		Ok(Some(files))
	}

	/// Fetches a file of at most `limit` bytes that lies beside the adapters' folders; `None` when the place does not
	/// have it. Blocks too.
	///
	/// # Errors
	/// [`AdapterError`], whatever went wrong.
	fn fetch_file(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, AdapterError> {
		let _ = (name, limit);
		Ok(None)
	}
}

/// The folder of adapters of one worker, and where else to look. Clones share the sources.
#[derive(Clone, Debug)]
pub struct AdapterStore {
	root: PathBuf,
	limit: u64,
	sources: Arc<RwLock<Vec<Arc<dyn AdapterSource>>>>,
}

fn io(path: &Path, error: std::io::Error) -> AdapterError {
	AdapterError::Io {
		path: path.display().to_string(),
		reason: error.to_string(),
	}
}

/// Reads a regular file (never a link) of at most `limit` bytes.
fn read(path: &Path, limit: u64) -> Result<Vec<u8>, AdapterError> {
	// Not following a link and not waiting for the other end of a pipe, whoever may put one there meanwhile.
	let file = OpenOptions::new()
		.read(true)
		.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
		.open(path)
		.map_err(|e| io(path, e))?;
	let kind = file.metadata().map_err(|e| io(path, e))?;
	if !kind.is_file() {
		let reason = "not a regular file".to_string();
		return Err(AdapterError::Io {
			path: path.display().to_string(),
			reason,
		});
	}
	let too_large = |bytes| AdapterError::TooLarge {
		file: path.display().to_string(),
		bytes,
		limit,
	};
	if kind.len() > limit {
		return Err(too_large(kind.len()));
	}
	let mut bytes = Vec::with_capacity(kind.len() as usize);
	file.take(limit + 1)
		.read_to_end(&mut bytes)
		.map_err(|e| io(path, e))?;
	if bytes.len() as u64 > limit {
		return Err(too_large(bytes.len() as u64));
	}
	Ok(bytes)
}

/// Writes both files into a new folder and makes them durable.
fn stage(folder: &Path, files: &AdapterFiles) -> Result<(), AdapterError> {
	fs::create_dir(folder).map_err(|e| io(folder, e))?;
	for (name, bytes) in [(CONFIG_FILE, &files.config), (WEIGHTS_FILE, &files.weights)] {
		let path = folder.join(name);
		let mut file = File::create(&path).map_err(|e| io(&path, e))?;
		file.write_all(bytes)
			.and_then(|()| file.sync_all())
			.map_err(|e| io(&path, e))?;
	}
	Ok(())
}

impl AdapterStore {
	/// Largest adapter file a store accepts unless told otherwise: 1 GiB.
	pub const DEFAULT_LIMIT: u64 = 1 << 30;

	/// Opens the store at `root`, making the folder if needed.
	///
	/// # Errors
	/// [`AdapterError::Io`].
	pub fn open(root: impl Into<PathBuf>) -> Result<Self, AdapterError> {
		let root = root.into();
		fs::create_dir_all(&root).map_err(|e| io(&root, e))?;
		Ok(Self {
			root,
			limit: Self::DEFAULT_LIMIT,
			sources: Arc::default(),
		})
	}

	/// The same store with another limit for the size of a weights' file, in bytes.
	pub fn with_limit(self, limit: u64) -> Self {
		Self { limit, ..self }
	}

	/// The folder of the store.
	pub fn root(&self) -> &Path {
		&self.root
	}

	/// Where the adapter's files are, whether or not they exist.
	pub fn path(&self, key: &AdapterKey) -> PathBuf {
		self.root.join(key.folder())
	}

	/// Whether the adapter's files exist (their content is verified when they are loaded).
	pub fn contains(&self, key: &AdapterKey) -> bool {
		let folder = self.path(key);
		folder.join(WEIGHTS_FILE).is_file() && folder.join(CONFIG_FILE).is_file()
	}

	/// Looks for adapters in one more place, after those named before. Meant for all clones of the store.
	pub fn add_source(&self, source: Arc<dyn AdapterSource>) {
		self.sources
			.write()
			.unwrap_or_else(PoisonError::into_inner)
			.push(source);
	}

	/// Whether a load of the adapter is worth trying: its files exist, or there are sources that may have them.
	pub fn offers(&self, key: &AdapterKey) -> bool {
		self.contains(key)
			|| !self
				.sources
				.read()
				.unwrap_or_else(PoisonError::into_inner)
				.is_empty()
	}

	/// Brings an adapter into the folder, from the first source that has it. Nothing happens if it is there.
	///
	/// # Errors
	/// [`AdapterError::NotFound`] if no source has it, the error of the last source that failed, or
	/// [`AdapterError::HashMismatch`] if what it gave is something else.
	pub fn fetch(&self, key: &AdapterKey) -> Result<(), AdapterError> {
		if self.contains(key) {
			return Ok(());
		}
		let sources = self
			.sources
			.read()
			.unwrap_or_else(PoisonError::into_inner)
			.clone();
		let mut failed = AdapterError::NotFound(key.folder());
		for source in sources {
			let verified = source.fetch_verified(key, self.limit).and_then(|files| {
				let Some(files) = files else {
					return Ok(false);
				};
				self.insert(&files).map(|_| true)
			});
			match verified {
				Ok(true) => return Ok(()),
				Ok(false) => {}
				Err(error) => {
					tracing::warn!(source = source.name(), %error, "an adapter source failed");
					failed = error;
				}
			}
		}
		Err(failed)
	}

	/// Copies an adapter out of a Hugging Face cache (`models--ORG--NAME/{refs,snapshots,blobs}`), `repository` being
	/// `ORG/NAME` and `revision` a branch, a tag or a commit.
	///
	/// # Errors
	/// [`AdapterError::BadSource`] when a name is not one of the Hub's or leads out of the repository's folder, and
	/// those of [`Self::import`].
	pub fn import_hub(
		&self,
		cache: &Path,
		repository: &str,
		revision: &str,
	) -> Result<AdapterKey, AdapterError> {
		let bad = |reason: &str| AdapterError::BadSource {
			place: format!("{repository}@{revision}"),
			reason: reason.into(),
		};
		let simple = |part: &str| {
			!part.is_empty()
				&& part.len() <= 96
				&& !part.starts_with('.')
				&& !part.contains("--")
				&& part
					.chars()
					.all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
		};
		let parts: Vec<&str> = repository.split('/').collect();
		if parts.is_empty() || parts.len() > 2 || !parts.iter().all(|part| simple(part)) {
			return Err(bad("give a repository as ORG/NAME"));
		}
		if revision.len() > 255 || !revision.split('/').all(simple) {
			return Err(bad("give a branch, a tag or a commit"));
		}
		let folder = cache.join(format!("models--{}", parts.join("--")));
		let folder = folder.canonicalize().map_err(|e| io(&folder, e))?;
		let reference = folder.join("refs").join(revision);
		let commit = match reference.is_file() {
			true => String::from_utf8(read(&reference, 128)?)
				.map_err(|_| bad("its reference is not a commit"))?
				.trim()
				.to_string(),
			false => revision.to_string(),
		};
		if !simple(&commit) {
			return Err(bad("its reference is not a commit"));
		}
		let snapshot = folder.join("snapshots").join(commit);
		// Files of a snapshot are links into the repository's blobs: followed, but not out of the repository.
		let inside = |name: &str, limit: u64| {
			let path = snapshot.join(name);
			let path = path.canonicalize().map_err(|e| io(&path, e))?;
			match path.starts_with(&folder) {
				true => read(&path, limit),
				false => Err(bad("a file of it leads out of its folder")),
			}
		};
		self.insert(&AdapterFiles {
			config: inside(CONFIG_FILE, MAX_CONFIG)?,
			weights: inside(WEIGHTS_FILE, self.limit)?,
		})
	}

	/// Copies the adapter in `folder` (as PEFT writes it) into the store. Importing it again changes nothing.
	///
	/// # Errors
	/// [`AdapterError::Io`], [`AdapterError::TooLarge`].
	pub fn import(&self, folder: &Path) -> Result<AdapterKey, AdapterError> {
		self.insert(&AdapterFiles {
			config: read(&folder.join(CONFIG_FILE), MAX_CONFIG)?,
			weights: read(&folder.join(WEIGHTS_FILE), self.limit)?,
		})
	}

	/// Puts an adapter's files into the store, as one step: a crash leaves either nothing or all of it.
	///
	/// # Errors
	/// [`AdapterError::Io`], [`AdapterError::TooLarge`].
	pub fn insert(&self, files: &AdapterFiles) -> Result<AdapterKey, AdapterError> {
		for (file, bytes, limit) in [
			(CONFIG_FILE, files.config.len() as u64, MAX_CONFIG),
			(WEIGHTS_FILE, files.weights.len() as u64, self.limit),
		] {
			if bytes > limit {
				return Err(AdapterError::TooLarge {
					file: file.to_string(),
					bytes,
					limit,
				});
			}
		}
		let key = files.key();
		let target = self.path(&key);
		if self.contains(&key) {
			return Ok(key);
		}
		// Unique among processes and threads; a folder left by a crash has no hash for a name and is never read.
		let staging = self
			.root
			.join(format!(".{}-{:016x}", key.folder(), rand::random::<u64>()));
		let staged = stage(&staging, files)
			.and_then(|()| fs::rename(&staging, &target).map_err(|e| io(&target, e)));
		if let Err(error) = staged {
			// Failing to remove it costs space, not correctness.
			if let Err(e) = fs::remove_dir_all(&staging) {
				tracing::warn!(path = %staging.display(), error = %e, "cannot remove staging folder");
			}
			// Somebody else may have put the same adapter there meanwhile.
			return if self.contains(&key) {
				Ok(key)
			} else {
				Err(error)
			};
		}
		Ok(key)
	}

	/// Reads an adapter's files and verifies both hashes.
	///
	/// # Errors
	/// [`AdapterError::NotFound`], [`AdapterError::HashMismatch`], [`AdapterError::TooLarge`], [`AdapterError::Io`].
	pub fn load(&self, key: &AdapterKey) -> Result<AdapterFiles, AdapterError> {
		let files = self.read(key)?;
		files.verify(key)?;
		Ok(files)
	}

	/// Reads an adapter's files, which may be anything until [`AdapterFiles::verify`] has seen them.
	///
	/// # Errors
	/// [`AdapterError::NotFound`], [`AdapterError::TooLarge`], [`AdapterError::Io`].
	pub(crate) fn read(&self, key: &AdapterKey) -> Result<AdapterFiles, AdapterError> {
		if !self.contains(key) {
			return Err(AdapterError::NotFound(key.folder()));
		}
		let folder = self.path(key);
		Ok(AdapterFiles {
			config: read(&folder.join(CONFIG_FILE), MAX_CONFIG)?,
			weights: read(&folder.join(WEIGHTS_FILE), self.limit)?,
		})
	}
}
