//! Adapter files in the content-addressed store, and those that are on their way into it.
//!
//! The engine's store has one folder per adapter, named by the SHA-256 of its weights and of its
//! configuration. Files that come one by one wait in `.incoming-<folder>` until both are there; the
//! folder then gets its name in one step. The attribution index lies beside the folders as
//! `index-<SHA-256>.bin`. So every path follows from the hashes of what is in it, and no upload for
//! one adapter can touch the files of another.

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

/// Name of the attribution index's file, as uploads call it.
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

/// SHA-256 of a file; `None` if it cannot be read.
fn hash_of(path: &Path) -> Option<Hash> {
	let mut hasher = Sha256::new();
	std::io::copy(&mut File::open(path).ok()?, &mut hasher).ok()?;
	Some(Hash::from(<[u8; 32]>::from(hasher.finalize())))
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

	/// Where the index with this hash is.
	pub fn index(&self, index: &Hash) -> PathBuf {
		self.root
			.join(format!("index-{}.bin", hex::encode(index.0)))
	}

	/// Where the files of an adapter are, with the names that uploads give them.
	fn places(&self, registered: &Registered) -> [(&'static str, PathBuf); 3] {
		let folder = self.root.join(registered.key().folder());
		[
			(WEIGHTS_FILE, folder.join(WEIGHTS_FILE)),
			(CONFIG_FILE, folder.join(CONFIG_FILE)),
			(INDEX_FILE, self.index(&registered.index)),
		]
	}

	/// The first file of the adapter that is not there.
	pub fn missing(&self, registered: &Registered) -> Option<&'static str> {
		self.places(registered)
			.into_iter()
			.find(|(_, path)| !path.is_file())
			.map(|(name, _)| name)
	}

	/// Bytes of an adapter's files on disk.
	pub fn bytes(&self, registered: &Registered) -> u64 {
		self.places(registered)
			.into_iter()
			.filter_map(|(_, path)| fs::metadata(path).ok())
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
		let registered = incoming.registered;
		let folder = self.root.join(registered.key().folder());
		let waiting = self
			.root
			.join(format!(".incoming-{}", registered.key().folder()));
		let place = if incoming.name == INDEX_FILE {
			self.index(&registered.index)
		} else if folder.is_dir() {
			folder.join(incoming.name)
		} else {
			fs::create_dir_all(&waiting).map_err(|error| disk(&waiting, error))?;
			waiting.join(incoming.name)
		};
		// What is there and whole stays; only a damaged file is replaced.
		if hash_of(&place) != Some(incoming.expected) {
			fs::rename(&incoming.path, &place).map_err(|error| disk(&place, error))?;
		}
		let whole = [WEIGHTS_FILE, CONFIG_FILE]
			.iter()
			.all(|file| waiting.join(file).is_file());
		if whole {
			match fs::rename(&waiting, &folder) {
				Ok(()) => {}
				// Another upload was first; what it put there has the same hashes.
				Err(_) if folder.is_dir() => {}
				Err(error) => return Err(disk(&folder, error)),
			}
		}
		if let Ok(root) = File::open(&self.root) {
			// The file itself is synced; a lost rename only means that it has to be sent again.
			let _synced = root.sync_all();
		}
		Ok(())
	}

	/// The bytes of an index, at most `limit`, checked against its hash.
	pub fn read_index(&self, index: &Hash, limit: u64) -> Result<Vec<u8>, Refusal> {
		let path = self.index(index);
		let limit = limit.min(self.limit);
		let file = File::open(&path).map_err(|error| disk(&path, error))?;
		let mut bytes = Vec::new();
		file.take(limit.saturating_add(1))
			.read_to_end(&mut bytes)
			.map_err(|error| disk(&path, error))?;
		if bytes.len() as u64 > limit {
			return Err(Refusal::TooLarge {
				what: INDEX_FILE.to_owned(),
				limit,
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
		send_for(files, &registered(), name, bytes)
	}

	fn send_for(
		files: &Files,
		registered: &Registered,
		name: &str,
		bytes: &[u8],
	) -> Result<(), Refusal> {
		let mut incoming = files.receive(registered, name)?;
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
			let index = files.read_index(&registered().index, 100);
			assert_eq!(index.unwrap(), b"index");
			assert_eq!(
				fs::read_dir(folder.path()).unwrap().count(),
				2,
				"the folder and the index, nothing else is left"
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
	fn the_same_weights_registered_with_other_files_should_leave_the_first_adapter_alone() {
		let folder = tempfile::tempdir().unwrap();
		let files = Files::new(folder.path().into(), 100);
		let copycat = Registered {
			config: content_hash(b"trap"),
			index: content_hash(b"loot"),
			..registered()
		};
		let all: [(&str, &[u8], &[u8]); 3] = [
			(WEIGHTS_FILE, b"weights", b"weights"),
			(CONFIG_FILE, b"config", b"trap"),
			(INDEX_FILE, b"index", b"loot"),
		];
		for (name, good, _) in all {
			send(&files, name, good).unwrap();
		}
		for (name, _, bad) in all {
			send_for(&files, &copycat, name, bad).unwrap();
		}
		assert_eq!(files.missing(&copycat), None);
		for ((_, path), (_, good, _)) in files.places(&registered()).into_iter().zip(all) {
			assert_eq!(fs::read(path).unwrap(), good);
		}
	}

	#[test]
	fn a_damaged_file_should_be_replaced_by_sending_it_again() {
		let folder = tempfile::tempdir().unwrap();
		let files = Files::new(folder.path().into(), 100);
		send(&files, INDEX_FILE, b"index").unwrap();
		fs::write(files.index(&registered().index), b"rot").unwrap();
		assert!(files.read_index(&registered().index, 100).is_err());
		send(&files, INDEX_FILE, b"index").unwrap();
		assert!(files.read_index(&registered().index, 100).is_ok());
		let error = files.read_index(&registered().index, 4).unwrap_err();
		assert_eq!(error.code(), "too-large");
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
