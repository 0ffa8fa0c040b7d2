//! Adapter files in the content-addressed store, and those that are on their way into it.
//!
//! The engine's store has one folder per adapter, named by the SHA-256 of its weights and of its
//! configuration. Files that come one by one wait in `.incoming-<folder>` until both are there; the
//! folder then gets its name in one step. The attribution index lies beside the folders as
//! `index-<SHA-256>.bin`. So every path follows from the hashes of what is in it, and no upload for
//! one adapter can touch the files of another.
//!
//! What is missing may be fetched from [`AdapterSource`]s, such as an object store with the same layout. They need not be
//! trusted: what they give counts only if it has the right hashes.
//!
//! All of it together stays within a quota. What is in the folder is measured now and then and counted
//! in between, so files that others put there count too, if a little late.

use crate::error::Refusal;
use openledger_engine::{
	store::{CONFIG_FILE, WEIGHTS_FILE},
	AdapterKey, AdapterSource,
};
use openledger_primitives::Hash;
use sha2::{Digest, Sha256};
use std::{
	collections::{HashMap, HashSet},
	fs::{self, File},
	io::{Read, Write},
	path::{Path, PathBuf},
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc, Mutex, PoisonError, RwLock, Weak,
	},
	time::{Duration, Instant, SystemTime},
};
use tokio::sync::{Mutex as Turn, Semaphore};

/// Name of the attribution index's file, as uploads call it.
pub const INDEX_FILE: &str = "index.bin";

/// Most bytes of `adapter_config.json`.
const MAX_CONFIG: u64 = 1 << 20;

/// How long a measurement of the folder is believed.
const MEASURED: Duration = Duration::from_secs(60);

/// How old what is left of an upload must be to be nobody's.
const LEFTOVER: Duration = Duration::from_secs(3600);

/// Adapters that are fetched at a time: each is in memory until it is on disk.
const FETCHES: usize = 4;

/// How long an adapter that no source has is not asked for again.
const ABSENT: Duration = Duration::from_secs(10);

/// Absent adapters that are remembered.
const MAX_ABSENT: usize = 1_024;

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
	room: Arc<Room>,
	measured: Mutex<Option<Instant>>,
	next: AtomicU64,
	sources: RwLock<Vec<Arc<dyn AdapterSource>>>,
	fetches: Arc<Semaphore>,
	/// One fetch at a time of each adapter.
	turns: Mutex<HashMap<AdapterKey, Weak<Turn<()>>>>,
	/// When no source had an adapter.
	absent: Mutex<HashMap<AdapterKey, Instant>>,
}

/// The bytes that are there, and how many may be.
#[derive(Debug)]
struct Room {
	quota: u64,
	used: AtomicU64,
}

impl Room {
	fn take(&self, bytes: u64) -> Result<(), Refusal> {
		let more = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.quota);
		self.used
			.fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
			.map(drop)
			.map_err(|_| Refusal::StoreFull(self.quota))
	}

	fn give(&self, bytes: u64) {
		let less = |used: u64| Some(used.saturating_sub(bytes));
		let _always = self
			.used
			.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
	}
}

/// Something in the folder that could make room.
struct Candidate {
	used: SystemTime,
	path: PathBuf,
	bytes: u64,
}

/// Bytes of a file, or of the files in a folder, and when the newest was last read or written.
fn size_and_use(path: &Path) -> (u64, SystemTime) {
	let of = |path: &Path| {
		let meta = fs::symlink_metadata(path)
			.ok()
			.filter(fs::Metadata::is_file)?;
		let times = [meta.accessed(), meta.modified()];
		let used = times.into_iter().filter_map(Result::ok).max();
		Some((meta.len(), used.unwrap_or(SystemTime::UNIX_EPOCH)))
	};
	let inside = fs::read_dir(path).into_iter().flatten().flatten();
	inside
		.filter_map(|entry| of(&entry.path()))
		.chain(of(path))
		.fold(
			(0, SystemTime::UNIX_EPOCH),
			|(bytes, newest), (more, used)| (bytes.saturating_add(more), newest.max(used)),
		)
}

/// Whether the store itself gives such names: nothing else is ever deleted.
fn is_ours(name: &str) -> bool {
	let hashes = |text: &str, count: usize| {
		let parts: Vec<&str> = text.split('-').collect();
		let is_hash = |part: &&str| part.len() == 64 && part.bytes().all(|b| b.is_ascii_hexdigit());
		parts.len() == count && parts.iter().all(is_hash)
	};
	let index = name
		.strip_prefix("index-")
		.and_then(|rest| rest.strip_suffix(".bin"));
	index.is_some_and(|hash| hashes(hash, 1)) || hashes(name, 2)
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
			room: Arc::new(Room {
				quota: u64::MAX,
				used: AtomicU64::new(0),
			}),
			measured: Mutex::default(),
			next: AtomicU64::new(0),
			sources: RwLock::default(),
			fetches: Arc::new(Semaphore::new(FETCHES)),
			turns: Mutex::default(),
			absent: Mutex::default(),
		}
	}

	/// The same with at most `quota` bytes in all; 0 for no limit.
	pub fn with_quota(self, quota: u64) -> Self {
		let quota = if quota == 0 { u64::MAX } else { quota };
		Self {
			room: Arc::new(Room {
				quota,
				used: AtomicU64::new(0),
			}),
			..self
		}
	}

	/// Looks for what is missing in one more place, after those named before.
	pub fn add_source(&self, source: Arc<dyn AdapterSource>) {
		self.sources
			.write()
			.unwrap_or_else(PoisonError::into_inner)
			.push(source);
	}

	fn sources(&self) -> Vec<Arc<dyn AdapterSource>> {
		self.sources
			.read()
			.unwrap_or_else(PoisonError::into_inner)
			.clone()
	}

	/// Whether files may come from elsewhere.
	pub fn has_sources(&self) -> bool {
		!self.sources().is_empty()
	}

	/// The first file of the adapter that is not there, its index left out unless it is wanted.
	fn lacks(&self, registered: &Registered, with_index: bool) -> Option<&'static str> {
		self.missing(registered)
			.filter(|file| with_index || *file != INDEX_FILE)
	}

	/// Brings an adapter's missing files into the folder, if a source has them; the caller looks what is missing still.
	/// Others who want the same adapter wait for the same fetch, which goes on if they leave.
	///
	/// # Errors
	/// What the last source that failed said, [`Refusal::StoreFull`], or [`Refusal::Store`].
	pub async fn fetch(
		self: &Arc<Self>,
		registered: Registered,
		with_index: bool,
	) -> Result<(), Refusal> {
		if !self.has_sources() || self.lacks(&registered, with_index).is_none() {
			return Ok(());
		}
		let key = registered.key();
		let turn = self.turn(key).lock_owned().await;
		if self.lacks(&registered, with_index).is_none() || self.is_absent(&key) {
			return Ok(());
		}
		let ended = |_| Refusal::Store("fetching an adapter ended unexpectedly".into());
		let permit = self.fetches.clone().acquire_owned().await;
		let permit = permit.map_err(|_| Refusal::ShuttingDown)?;
		let files = self.clone();
		let fetched = tokio::task::spawn_blocking(move || {
			let result = files.bring(&registered, with_index);
			drop((turn, permit));
			result
		});
		fetched.await.map_err(ended)?
	}

	/// Whose turn it is to fetch an adapter.
	fn turn(&self, key: AdapterKey) -> Arc<Turn<()>> {
		let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
		if let Some(turn) = turns.get(&key).and_then(Weak::upgrade) {
			return turn;
		}
		turns.retain(|_, turn| turn.strong_count() > 0);
		let turn = Arc::new(Turn::new(()));
		turns.insert(key, Arc::downgrade(&turn));
		turn
	}

	fn is_absent(&self, key: &AdapterKey) -> bool {
		let absent = self.absent.lock().unwrap_or_else(PoisonError::into_inner);
		absent.get(key).is_some_and(|at| at.elapsed() < ABSENT)
	}

	/// Asks one source after the other. Blocks.
	fn bring(&self, registered: &Registered, with_index: bool) -> Result<(), Refusal> {
		let mut result = Ok(());
		for source in self.sources() {
			match self.bring_from(&*source, registered, with_index) {
				Ok(()) if self.lacks(registered, with_index).is_none() => return Ok(()),
				Ok(()) => {}
				Err(refusal) => {
					let source = source.name();
					tracing::warn!(source, code = refusal.code(), %refusal, "an adapter source failed");
					result = Err(refusal);
				}
			}
		}
		if result.is_ok() {
			let mut absent = self.absent.lock().unwrap_or_else(PoisonError::into_inner);
			absent.retain(|_, at| at.elapsed() < ABSENT);
			if absent.len() < MAX_ABSENT {
				absent.insert(registered.key(), Instant::now());
			}
		}
		result
	}

	fn bring_from(
		&self,
		source: &dyn AdapterSource,
		registered: &Registered,
		with_index: bool,
	) -> Result<(), Refusal> {
		let key = registered.key();
		let lacks = self.lacks(registered, with_index);
		if lacks.is_some_and(|file| file != INDEX_FILE) {
			let Some(found) = source.fetch_verified(&key, self.limit)? else {
				return Ok(());
			};
			self.put(registered, CONFIG_FILE, &found.config)?;
			self.put(registered, WEIGHTS_FILE, &found.weights)?;
		}
		if self.lacks(registered, with_index) == Some(INDEX_FILE) {
			let name = format!("index-{}.bin", hex::encode(registered.index.0));
			if let Some(index) = source.fetch_file(&name, self.limit)? {
				self.put(registered, INDEX_FILE, &index)?;
			}
		}
		Ok(())
	}

	/// Puts a file where it belongs, if it is the right one and there is room.
	fn put(&self, registered: &Registered, file: &str, bytes: &[u8]) -> Result<(), Refusal> {
		let mut incoming = self.receive(registered, file)?;
		incoming.write(bytes)?;
		self.finish(incoming)
	}

	/// Counts what is in the folder, unless that was done just now.
	fn measure(&self, always: bool) {
		let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
		if !always && measured.is_some_and(|at| at.elapsed() < MEASURED) {
			return;
		}
		let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
		let used = entries.map(|entry| size_and_use(&entry.path()).0);
		self.room.used.store(used.sum(), Ordering::Release);
		*measured = Some(Instant::now());
	}

	/// Bytes in the folder, as of a minute ago at most. Reads the folder now and then: not for use inside an async task.
	pub fn used(&self) -> u64 {
		self.measure(false);
		self.room.used.load(Ordering::Acquire)
	}

	/// Deletes what none of `needed` needs, what was not used for longest first, until there are `bytes`
	/// free or nothing is left to delete; how many bytes were freed. Folders that others named stay.
	pub fn make_room(&self, bytes: u64, needed: &[Registered]) -> u64 {
		self.measure(true);
		let keep: HashSet<String> = needed
			.iter()
			.flat_map(|registered| {
				let folder = registered.key().folder();
				let index = format!("index-{}.bin", hex::encode(registered.index.0));
				[format!(".incoming-{folder}"), folder, index]
			})
			.collect();
		let now = SystemTime::now();
		let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
		let mut candidates: Vec<Candidate> = entries
			.filter_map(|entry| {
				let path = entry.path();
				let name = path.file_name()?.to_str()?.to_owned();
				if keep.contains(&name) {
					return None;
				}
				let (bytes, used) = size_and_use(&path);
				let old = now.duration_since(used).is_ok_and(|age| age > LEFTOVER);
				let leftover = name.starts_with(".upload-") || name.starts_with(".incoming-");
				let may_go = is_ours(&name) || (leftover && old);
				may_go.then_some(Candidate { used, path, bytes })
			})
			.collect();
		candidates.sort_by(|a, b| (a.used, &a.path).cmp(&(b.used, &b.path)));
		let mut freed: u64 = 0;
		for Candidate {
			path, bytes: size, ..
		} in candidates
		{
			let used = self.room.used.load(Ordering::Acquire);
			if used.saturating_add(bytes) <= self.room.quota {
				break;
			}
			let deleted = if path.is_dir() {
				fs::remove_dir_all(&path)
			} else {
				fs::remove_file(&path)
			};
			match deleted {
				Ok(()) => {
					tracing::info!(path = %path.display(), bytes = size, "deleted to make room");
					self.room.give(size);
					freed = freed.saturating_add(size);
				}
				Err(error) => tracing::warn!(path = %path.display(), %error, "cannot be deleted"),
			}
		}
		freed
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

	/// Begins to receive a file. Reads the folder now and then: not for use inside an async task.
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
		self.measure(false);
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
			room: self.room.clone(),
			kept: false,
			written: 0,
			hasher: Sha256::new(),
			file: handle,
			path,
		})
	}

	/// Puts a file that came whole and right where it belongs.
	pub fn finish(&self, mut incoming: Incoming) -> Result<(), Refusal> {
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
			let replaced = fs::metadata(&place).map_or(0, |meta| meta.len());
			fs::rename(&incoming.path, &place).map_err(|error| disk(&place, error))?;
			self.room.give(replaced);
			incoming.kept = true;
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
	room: Arc<Room>,
	kept: bool,
	written: u64,
	hasher: Sha256,
	file: File,
	path: PathBuf,
}

impl Incoming {
	/// Takes the next bytes.
	///
	/// # Errors
	/// [`Refusal::StoreFull`] takes nothing: it can be tried again once there is room.
	pub fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
		let length = bytes.len() as u64;
		let written = self.written.saturating_add(length);
		if written > self.limit {
			return Err(Refusal::TooLarge {
				what: self.name.to_owned(),
				limit: self.limit,
			});
		}
		self.room.take(length)?;
		self.written = written;
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
		if !self.kept {
			self.room.give(self.written);
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use openledger_engine::{AdapterError, AdapterFiles};
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

	fn used(files: &Files) -> u64 {
		files.room.used.load(Ordering::Acquire)
	}

	#[test]
	fn a_full_store_should_refuse_more_and_count_every_byte() {
		let folder = tempfile::tempdir().unwrap();
		fs::write(folder.path().join("of-the-operator"), b"1234").unwrap();
		let files = Files::new(folder.path().into(), 100).with_quota(20);
		send(&files, WEIGHTS_FILE, b"weights").unwrap();
		assert_eq!(used(&files), 4 + 7);
		send(&files, WEIGHTS_FILE, b"weights").unwrap();
		assert_eq!(used(&files), 4 + 7, "what is there counts once");
		let error = send(&files, CONFIG_FILE, b"0123456789").unwrap_err();
		assert_eq!(error.code(), "store-full", "{error}");
		assert_eq!(used(&files), 4 + 7, "what was refused leaves nothing");
		send(&files, CONFIG_FILE, b"config").unwrap();
		assert_eq!(used(&files), 4 + 7 + 6);
		send(&files, INDEX_FILE, b"index").unwrap_err();
		files.measure(true);
		assert_eq!(used(&files), 4 + 7 + 6);
		let unbounded = Files::new(folder.path().into(), 100).with_quota(0);
		send(&unbounded, INDEX_FILE, b"index").unwrap();
	}

	#[test]
	fn room_should_be_made_by_what_no_adapter_needs_least_recently_used_first() {
		let folder = tempfile::tempdir().unwrap();
		let files = Files::new(folder.path().into(), 100).with_quota(40);
		for (name, bytes) in [
			(WEIGHTS_FILE, &b"weights"[..]),
			(CONFIG_FILE, b"config"),
			(INDEX_FILE, b"index"),
		] {
			send(&files, name, bytes).unwrap();
		}
		let stale = |name: String, hours: u64| {
			let path = folder.path().join(name);
			fs::write(&path, b"0123456789").unwrap();
			let then = SystemTime::now() - Duration::from_secs(3600 * hours);
			let times = fs::FileTimes::new().set_accessed(then).set_modified(then);
			File::open(&path).unwrap().set_times(times).unwrap();
			path
		};
		let hash = |byte: char| byte.to_string().repeat(64);
		let newer = stale(format!("index-{}.bin", hash('a')), 2);
		let older = stale(format!("index-{}.bin", hash('b')), 5);
		let theirs = stale("my-adapter".into(), 9);
		let leftover = stale(".upload-1-1".into(), 8);
		// 18 bytes of the adapter, 10 of the operator's own file; of 30 more, 12 fit.
		assert_eq!(files.make_room(2, &[registered()]), 20);
		assert!(!leftover.exists() && !older.exists());
		assert!(newer.exists() && theirs.exists());
		assert_eq!(files.missing(&registered()), None);
		assert_eq!(files.make_room(40, &[registered()]), 10);
		assert!(!newer.exists() && theirs.exists());
		assert_eq!(
			files.missing(&registered()),
			None,
			"what is needed never goes"
		);
		assert_eq!(files.make_room(40, &[]), 18);
		assert_eq!(files.missing(&registered()), Some(WEIGHTS_FILE));
		assert!(theirs.exists());
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

	/// Has files, or says something else.
	#[derive(Debug, Default)]
	struct Place {
		files: Option<AdapterFiles>,
		beside: Vec<u8>,
		asked: AtomicU64,
	}

	impl AdapterSource for Place {
		fn name(&self) -> String {
			"a place".into()
		}

		fn fetch(&self, _: &AdapterKey, _: u64) -> Result<Option<AdapterFiles>, AdapterError> {
			self.asked.fetch_add(1, Ordering::Relaxed);
			Ok(self.files.clone())
		}

		fn fetch_file(&self, _: &str, _: u64) -> Result<Option<Vec<u8>>, AdapterError> {
			Ok(Some(self.beside.clone()))
		}
	}

	fn place(weights: &[u8]) -> Arc<Place> {
		Arc::new(Place {
			files: Some(AdapterFiles {
				config: b"config".into(),
				weights: weights.into(),
			}),
			beside: b"index".into(),
			..Place::default()
		})
	}

	#[tokio::test]
	async fn what_is_missing_should_be_fetched_once_for_all_who_wait() {
		let folder = tempfile::tempdir().unwrap();
		let files = Arc::new(Files::new(folder.path().into(), 100));
		let good = place(b"weights");
		files.add_source(Arc::new(Place::default()));
		files.add_source(good.clone());
		let all = (0..8).map(|_| files.fetch(registered(), true));
		for fetched in futures::future::join_all(all).await {
			fetched.unwrap();
		}
		assert_eq!(files.missing(&registered()), None);
		assert_eq!(good.asked.load(Ordering::Relaxed), 1);
		assert_eq!(used(&files), 7 + 6 + 5, "what was fetched counts");
	}

	#[tokio::test]
	async fn a_source_that_gives_something_else_should_leave_nothing() {
		let folder = tempfile::tempdir().unwrap();
		let files = Arc::new(Files::new(folder.path().into(), 100));
		files.add_source(place(b"forged"));
		let error = files.fetch(registered(), true).await.unwrap_err();
		assert_eq!(error.code(), "adapter-hash-mismatch");
		assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
		// Nor does a source stand in the way of a better one.
		files.add_source(place(b"weights"));
		files.fetch(registered(), true).await.unwrap();
		assert_eq!(files.missing(&registered()), None);
	}

	#[tokio::test]
	async fn an_absent_adapter_should_not_be_asked_for_again_at_once() {
		let folder = tempfile::tempdir().unwrap();
		let files = Arc::new(Files::new(folder.path().into(), 100));
		let empty = Arc::new(Place::default());
		files.add_source(empty.clone());
		for _ in 0..5 {
			files.fetch(registered(), true).await.unwrap();
		}
		assert_eq!(empty.asked.load(Ordering::Relaxed), 1);
		assert_eq!(files.missing(&registered()), Some(WEIGHTS_FILE));
	}

	#[tokio::test]
	async fn what_is_fetched_should_stay_within_the_quota() {
		let folder = tempfile::tempdir().unwrap();
		let files = Arc::new(Files::new(folder.path().into(), 100).with_quota(15));
		files.add_source(place(b"weights"));
		files.fetch(registered(), false).await.unwrap();
		let error = files.fetch(registered(), true).await.unwrap_err();
		assert_eq!(error.code(), "store-full");
		assert_eq!(used(&files), 13);
	}
}
