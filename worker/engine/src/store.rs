//! Content-addressed adapters on disk: `<root>/<weights>-<config>/{adapter_model.safetensors,
//! adapter_config.json}`, with the hex SHA-256 of either file in the folder's name.
//!
//! Paths are made from hashes alone, so nothing a caller says leads outside the root, and the same weights with
//! another configuration are another adapter; both files are verified at every load.

use std::{
	fs::{self, File},
	io::{Read, Write},
	path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::AdapterError;

/// Name of the weights' file.
pub const WEIGHTS_FILE: &str = "adapter_model.safetensors";
/// Name of the configuration's file.
pub const CONFIG_FILE: &str = "adapter_config.json";

/// Largest configuration accepted, in bytes.
const MAX_CONFIG: u64 = 1 << 20;

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

/// The folder of adapters of one worker.
#[derive(Clone, Debug)]
pub struct AdapterStore {
	root: PathBuf,
	limit: u64,
}

fn io(path: &Path, error: std::io::Error) -> AdapterError {
	AdapterError::Io {
		path: path.display().to_string(),
		reason: error.to_string(),
	}
}

/// Reads a regular file (never a link) of at most `limit` bytes.
fn read(path: &Path, limit: u64) -> Result<Vec<u8>, AdapterError> {
	let kind = fs::symlink_metadata(path).map_err(|e| io(path, e))?;
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
	let file = File::open(path).map_err(|e| io(path, e))?;
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
		let key = AdapterKey {
			weights: Sha256::digest(&files.weights).into(),
			config: Sha256::digest(&files.config).into(),
		};
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
		if !self.contains(key) {
			return Err(AdapterError::NotFound(key.folder()));
		}
		let folder = self.path(key);
		let verified = |name: &str, limit: u64, expected: &[u8; 32]| {
			let bytes = read(&folder.join(name), limit)?;
			let found: [u8; 32] = Sha256::digest(&bytes).into();
			if found != *expected {
				return Err(AdapterError::HashMismatch {
					file: name.to_string(),
					expected: crate::hex(expected),
					found: crate::hex(&found),
				});
			}
			Ok(bytes)
		};
		Ok(AdapterFiles {
			config: verified(CONFIG_FILE, MAX_CONFIG, &key.config)?,
			weights: verified(WEIGHTS_FILE, self.limit, &key.weights)?,
		})
	}
}
