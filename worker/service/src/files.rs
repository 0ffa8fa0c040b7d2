//! Adapter files in the content-addressed store, and those that are on their way into it.
//!
//! The engine's store has one folder per adapter, named by the SHA-256 of its weights. Files that come
//! one by one wait in `.incoming-<weights>` until weights and configuration are there; the folder
//! then gets its name in one step. `index.bin` may come before or after.

use crate::error::Refusal;
use openledger_engine::{
	store::{CONFIG_FILE, WEIGHTS_FILE},
	AdapterKey,
};
use openledger_primitives::Hash;
use sha2::{Digest, Sha256};
use std::{
	fs::{self, File},
	io::{Read, Write},
	path::{Path, PathBuf},
	sync::atomic::{AtomicU64, Ordering},
};

/// Name of the attribution index's file.
pub const INDEX_FILE: &str = "index.bin";

/// Most bytes of `adapter_config.json`.
const MAX_CONFIG: u64 = 1 << 20;

/// The hashes an adapter is registered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
	/// SHA-256 of `adapter_model.safetensors`.
	pub weights: Hash,
	/// SHA-256 of `adapter_config.json`.
	pub config: Hash,
	/// SHA-256 of `index.bin`.
	pub index: Hash,
}

impl Registered {
	/// The engine's key.
	pub fn key(&self) -> AdapterKey {
		AdapterKey {
			weights: self.weights.0,
			config: self.config.0,
		}
	}
}

/// The folder of adapters.
#[derive(Debug)]
pub struct Files {
	root: PathBuf,
	limit: u64,
	next: AtomicU64,
}

fn disk(path: &Path, error: std::io::Error) -> Refusal {
	Refusal::Store(format!("{}: {error}", path.display()))
}

impl Files {
	/// The adapters in `root`; no file may have more than `limit` bytes.
	pub fn new(root: PathBuf, limit: u64) -> Self {
		Self {
			root,
			limit,
			next: AtomicU64::new(0),
		}
	}

	fn folder(&self, weights: &Hash) -> PathBuf {
		self.root.join(hex::encode(weights.0))
	}

	fn incoming(&self, weights: &Hash) -> PathBuf {
		self.root
			.join(format!(".incoming-{}", hex::encode(weights.0)))
	}

	/// Where the index of an adapter is.
	pub fn index(&self, weights: &Hash) -> PathBuf {
		self.folder(weights).join(INDEX_FILE)
	}

	/// The first file of the adapter that is not there.
	pub fn missing(&self, registered: &Registered) -> Option<&'static str> {
		let folder = self.folder(&registered.weights);
		[WEIGHTS_FILE, CONFIG_FILE, INDEX_FILE]
			.into_iter()
			.find(|file| !folder.join(file).is_file())
	}

	/// Bytes of an adapter's files on disk.
	pub fn bytes(&self, weights: &Hash) -> u64 {
		let folder = self.folder(weights);
		[WEIGHTS_FILE, CONFIG_FILE, INDEX_FILE]
			.into_iter()
			.filter_map(|file| fs::metadata(folder.join(file)).ok())
			.map(|meta| meta.len())
			.sum()
	}

	/// Begins to receive a file.
	pub fn receive(&self, registered: &Registered, file: &str) -> Result<Incoming, Refusal> {
		let (name, expected, limit) = match file {
			WEIGHTS_FILE => (WEIGHTS_FILE, registered.weights, self.limit),
			CONFIG_FILE => (CONFIG_FILE, registered.config, MAX_CONFIG),
			INDEX_FILE => (INDEX_FILE, registered.index, self.limit),
			other => {
				return Err(Refusal::BadRequest(format!(
					"{other:?} is not a file of an adapter; send {WEIGHTS_FILE}, {CONFIG_FILE} or {INDEX_FILE}"
				)))
			}
		};
		let number = self.next.fetch_add(1, Ordering::Relaxed);
		let path = self
			.root
			.join(format!(".upload-{}-{number}", std::process::id()));
		let handle = File::create(&path).map_err(|error| disk(&path, error))?;
		Ok(Incoming {
			name,
			expected,
			limit,
			registered: *registered,
			written: 0,
			hasher: Sha256::new(),
			file: handle,
			path,
		})
	}

	/// Puts a file that came whole and right where it belongs.
	pub fn finish(&self, incoming: Incoming) -> Result<(), Refusal> {
		let found = Hash::from(<[u8; 32]>::from(incoming.hasher.clone().finalize()));
		if found != incoming.expected {
			return Err(Refusal::HashMismatch {
				file: incoming.name.to_owned(),
				expected: hex::encode(incoming.expected.0),
				found: hex::encode(found.0),
			});
		}
		incoming
			.file
			.sync_all()
			.map_err(|error| disk(&incoming.path, error))?;
		let weights = incoming.registered.weights;
		let folder = self.folder(&weights);
		let target = if folder.is_dir() {
			folder.clone()
		} else {
			let incoming = self.incoming(&weights);
			fs::create_dir_all(&incoming).map_err(|error| disk(&incoming, error))?;
			incoming
		};
		let place = target.join(incoming.name);
		fs::rename(&incoming.path, &place).map_err(|error| disk(&place, error))?;
		let whole = [WEIGHTS_FILE, CONFIG_FILE]
			.iter()
			.all(|file| target.join(file).is_file());
		if target != folder && whole {
			match fs::rename(&target, &folder) {
				Ok(()) => {}
				// Another upload was first; what it put there has the same hashes.
				Err(_) if folder.is_dir() => {
					let rest = target.join(INDEX_FILE);
					if rest.is_file() {
						let place = folder.join(INDEX_FILE);
						fs::rename(&rest, &place).map_err(|error| disk(&place, error))?;
					}
				}
				Err(error) => return Err(disk(&folder, error)),
			}
		}
		if let Ok(root) = File::open(&self.root) {
			// The file itself is synced; a lost rename only means that it has to be sent again.
			let _synced = root.sync_all();
		}
		Ok(())
	}

	/// The bytes of an adapter's index, checked against its hash.
	pub fn read_index(&self, weights: &Hash, index: &Hash) -> Result<Vec<u8>, Refusal> {
		let path = self.index(weights);
		let file = File::open(&path).map_err(|error| disk(&path, error))?;
		let mut bytes = Vec::new();
		file.take(self.limit.saturating_add(1))
			.read_to_end(&mut bytes)
			.map_err(|error| disk(&path, error))?;
		if bytes.len() as u64 > self.limit {
			return Err(Refusal::TooLarge {
				what: INDEX_FILE.to_owned(),
				limit: self.limit,
			});
		}
		let found = Hash::from(<[u8; 32]>::from(Sha256::digest(&bytes)));
		if found != *index {
			return Err(Refusal::HashMismatch {
				file: path.display().to_string(),
				expected: hex::encode(index.0),
				found: hex::encode(found.0),
			});
		}
		Ok(bytes)
	}
}

/// A file on its way in. Dropped before it is whole, it leaves nothing.
#[derive(Debug)]
pub struct Incoming {
	name: &'static str,
	expected: Hash,
	limit: u64,
	registered: Registered,
	written: u64,
	hasher: Sha256,
	file: File,
	path: PathBuf,
}

impl Incoming {
	/// Takes the next bytes.
	pub fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
		self.written = self.written.saturating_add(bytes.len() as u64);
		if self.written > self.limit {
			return Err(Refusal::TooLarge {
				what: self.name.to_owned(),
				limit: self.limit,
			});
		}
		self.hasher.update(bytes);
		self.file
			.write_all(bytes)
			.map_err(|error| disk(&self.path, error))
	}
}

impl Drop for Incoming {
	fn drop(&mut self) {
		// It was renamed if it came whole, so there may be nothing to remove.
		let _gone = fs::remove_file(&self.path);
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use openledger_primitives::content_hash;

	fn registered() -> Registered {
		Registered {
			weights: content_hash(b"weights"),
			config: content_hash(b"config"),
			index: content_hash(b"index"),
		}
	}

	fn send(files: &Files, name: &str, bytes: &[u8]) -> Result<(), Refusal> {
		let mut incoming = files.receive(&registered(), name)?;
		incoming.write(bytes)?;
		files.finish(incoming)
	}

	#[test]
	fn files_should_become_an_adapter_in_any_order() {
		let orders = [[0, 1, 2], [2, 1, 0], [1, 2, 0]];
		for order in orders {
			let folder = tempfile::tempdir().unwrap();
			let files = Files::new(folder.path().into(), 100);
			assert_eq!(files.missing(&registered()), Some(WEIGHTS_FILE));
			let all: [(&str, &[u8]); 3] = [
				(WEIGHTS_FILE, b"weights"),
				(CONFIG_FILE, b"config"),
				(INDEX_FILE, b"index"),
			];
			for at in order {
				send(&files, all[at].0, all[at].1).unwrap();
			}
			assert_eq!(files.missing(&registered()), None);
			let index = files.read_index(&registered().weights, &registered().index);
			assert_eq!(index.unwrap(), b"index");
			assert_eq!(
				fs::read_dir(folder.path()).unwrap().count(),
				1,
				"nothing else is left"
			);
		}
	}

	#[test]
	fn a_file_with_another_hash_should_be_refused_and_leave_nothing() {
		let folder = tempfile::tempdir().unwrap();
		let files = Files::new(folder.path().into(), 100);
		let error = send(&files, WEIGHTS_FILE, b"other").unwrap_err();
		assert_eq!(error.code(), "hash-mismatch");
		assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
	}

	#[test]
	fn a_file_over_the_limit_or_of_another_name_should_be_refused() {
		let folder = tempfile::tempdir().unwrap();
		let files = Files::new(folder.path().into(), 6);
		assert_eq!(
			send(&files, WEIGHTS_FILE, b"weights").unwrap_err().code(),
			"too-large"
		);
		let error = send(&files, "../../etc/passwd", b"x").unwrap_err();
		assert_eq!(error.code(), "bad-request");
		assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
	}
}
