//! Adapters in memory: loaded just in time by one background thread, within a byte budget.
//!
//! Terms: a request *wants* its adapter from when it is queued until it takes a lease; a lease is a clone of the
//! `Arc`; a *pin* is the operator's wish to keep it. Neither wanted nor leased nor pinned adapters are evicted, others
//! go least recently used first. A load that finds no room waits until leases end; it never makes the scheduler wait.
//! Pins do not end by themselves, so what does not fit beside them is refused at once. Besides the budget, at most one
//! adapter file is in memory while it is read.

use std::{
	collections::{HashMap, VecDeque},
	panic::{catch_unwind, AssertUnwindSafe},
	sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
	thread::JoinHandle,
	time::{Duration, Instant},
};

use crate::{
	adapter::{AdapterConfig, LoraWeights},
	config::ModelConfig,
	error::AdapterError,
	store::{AdapterKey, AdapterStore},
};

/// How often a load without room looks again by itself; normally it is told.
const RETRY: Duration = Duration::from_millis(50);

enum Slot {
	Loading { preload: bool },
	Ready(Arc<LoraWeights>),
	Failed(AdapterError),
}

struct Entry {
	slot: Slot,
	wanted: usize,
	pinned: bool,
	used: u64,
}

/// Counters of the cache since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
	/// Adapters in memory.
	pub resident: usize,
	/// Bytes they take, with what running loads have reserved.
	pub bytes: usize,
	/// Most bytes there ever were.
	pub peak_bytes: usize,
	/// Bytes of pinned adapters.
	pub pinned_bytes: usize,
	/// Requests that found their adapter in memory.
	pub hits: u64,
	/// Requests that did not.
	pub misses: u64,
	/// Adapters dropped to make room.
	pub evictions: u64,
	/// Adapters loaded.
	pub loads: u64,
	/// Loads that failed.
	pub failures: u64,
	/// Milliseconds spent reading, verifying and converting, waiting for room not counted.
	pub load_ms: u64,
}

#[derive(Default)]
struct State {
	entries: HashMap<AdapterKey, Entry>,
	queue: VecDeque<AdapterKey>,
	clock: u64,
	stop: bool,
	stats: CacheStats,
	load_time: Duration,
}

struct Shared {
	state: Mutex<State>,
	changed: Condvar,
	store: AdapterStore,
	base: ModelConfig,
	budget: usize,
	ready: Box<dyn Fn() + Send + Sync>,
}

impl Shared {
	fn lock(&self) -> MutexGuard<'_, State> {
		self.state.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

impl Entry {
	/// Whether it is in memory and nobody wants or leases it.
	fn is_idle(&self) -> bool {
		// Leases are cloned from leases, or from here under the lock, so a count of one stays one.
		matches!(&self.slot, Slot::Ready(weights) if self.wanted == 0 && Arc::strong_count(weights) == 1)
	}
}

impl State {
	/// Evicts until `needed` bytes are free and reserves them; `false` (and nothing evicted) when leases forbid.
	fn reserve(&mut self, needed: usize, budget: usize) -> bool {
		let mut idle: Vec<(u64, AdapterKey, usize)> = self
			.entries
			.iter()
			.filter_map(|(key, entry)| match &entry.slot {
				Slot::Ready(weights) if !entry.pinned && entry.is_idle() => {
					Some((entry.used, *key, weights.bytes()))
				}
				_ => None,
			})
			.collect();
		let evictable: usize = idle.iter().map(|(_, _, bytes)| bytes).sum();
		if self.stats.bytes - evictable + needed > budget {
			return false;
		}
		idle.sort_unstable();
		for (_, key, bytes) in idle {
			if self.stats.bytes + needed <= budget {
				break;
			}
			self.drop_ready(&key, bytes);
			self.stats.evictions += 1;
		}
		self.stats.bytes += needed;
		self.stats.peak_bytes = self.stats.peak_bytes.max(self.stats.bytes);
		true
	}

	/// Frees an adapter in memory that nobody holds.
	fn drop_ready(&mut self, key: &AdapterKey, bytes: usize) {
		self.entries.remove(key);
		self.stats.bytes -= bytes;
		self.stats.resident -= 1;
	}

	/// Pins an adapter that is in memory.
	fn pin(&mut self, key: &AdapterKey, budget: usize) -> Result<(), AdapterError> {
		let bytes = match self.entries.get(key) {
			Some(entry) if entry.pinned => return Ok(()),
			Some(Entry {
				slot: Slot::Ready(weights),
				..
			}) => weights.bytes(),
			_ => return Err(AdapterError::NotFound(key.folder())),
		};
		self.beside_pins(bytes, budget)?;
		if let Some(entry) = self.entries.get_mut(key) {
			entry.pinned = true;
		}
		self.stats.pinned_bytes += bytes;
		Ok(())
	}

	/// [`AdapterError::PinsFillBudget`] if `needed` bytes cannot stand beside what is pinned.
	fn beside_pins(&self, needed: usize, budget: usize) -> Result<(), AdapterError> {
		let left = budget.saturating_sub(self.stats.pinned_bytes);
		if needed > left {
			return Err(AdapterError::PinsFillBudget {
				bytes: needed,
				left,
				budget,
			});
		}
		Ok(())
	}

	/// Whether anybody still waits for this load.
	fn needed(&self, key: &AdapterKey) -> bool {
		!self.stop
			&& self.entries.get(key).is_some_and(|entry| {
				entry.wanted > 0 || matches!(entry.slot, Slot::Loading { preload: true })
			})
	}
}

/// State of a wanted adapter.
pub(crate) enum Availability {
	Loading,
	Ready,
	Failed(AdapterError),
}

pub(crate) struct Cache {
	shared: Arc<Shared>,
	thread: Mutex<Option<JoinHandle<()>>>,
}

impl Cache {
	/// Starts the loading thread. `ready` is called whenever a load ended.
	pub fn start(
		store: AdapterStore,
		base: ModelConfig,
		budget: usize,
		ready: Box<dyn Fn() + Send + Sync>,
	) -> std::io::Result<Self> {
		let shared = Arc::new(Shared {
			state: Mutex::default(),
			changed: Condvar::new(),
			store,
			base,
			budget,
			ready,
		});
		let worker = Arc::clone(&shared);
		let thread = std::thread::Builder::new()
			.name("adapter-loader".into())
			.spawn(move || while load_next(&worker) {})?;
		Ok(Self {
			shared,
			thread: Mutex::new(Some(thread)),
		})
	}

	/// Begins to want an adapter; every call is followed by one [`Self::take`] or [`Self::unwant`].
	pub fn want(&self, key: &AdapterKey) {
		let mut state = self.shared.lock();
		state.clock += 1;
		let clock = state.clock;
		match state.entries.get_mut(key) {
			Some(entry) => {
				entry.wanted += 1;
				entry.used = clock;
				if matches!(entry.slot, Slot::Ready(_)) {
					state.stats.hits += 1;
				} else {
					state.stats.misses += 1;
				}
			}
			None => {
				let slot = Slot::Loading { preload: false };
				state.entries.insert(
					*key,
					Entry {
						slot,
						wanted: 1,
						pinned: false,
						used: clock,
					},
				);
				state.stats.misses += 1;
				state.queue.push_back(*key);
				self.shared.changed.notify_all();
			}
		}
	}

	/// Loads an adapter that nobody asked for yet, unless it is there.
	pub fn preload(&self, key: &AdapterKey) {
		let mut state = self.shared.lock();
		if state.entries.contains_key(key) {
			return;
		}
		state.clock += 1;
		let entry = Entry {
			slot: Slot::Loading { preload: true },
			wanted: 0,
			pinned: false,
			used: state.clock,
		};
		state.entries.insert(*key, entry);
		state.queue.push_back(*key);
		self.shared.changed.notify_all();
	}

	/// How far a wanted adapter is.
	pub fn poll(&self, key: &AdapterKey) -> Availability {
		match self.shared.lock().entries.get(key).map(|entry| &entry.slot) {
			Some(Slot::Ready(_)) => Availability::Ready,
			Some(Slot::Failed(error)) => Availability::Failed(error.clone()),
			Some(Slot::Loading { .. }) => Availability::Loading,
			None => Availability::Failed(AdapterError::NotFound(key.folder())),
		}
	}

	/// Turns a want into a lease, if the adapter is ready.
	pub fn take(&self, key: &AdapterKey) -> Option<Arc<LoraWeights>> {
		let mut state = self.shared.lock();
		let entry = state.entries.get_mut(key)?;
		let Slot::Ready(weights) = &entry.slot else {
			return None;
		};
		entry.wanted = entry.wanted.saturating_sub(1);
		Some(Arc::clone(weights))
	}

	/// Ends a want without a lease. A failure nobody wants any more is forgotten, so that it can be tried again.
	pub fn unwant(&self, key: &AdapterKey) {
		let mut state = self.shared.lock();
		if let Some(entry) = state.entries.get_mut(key) {
			entry.wanted = entry.wanted.saturating_sub(1);
			if entry.wanted == 0 && matches!(entry.slot, Slot::Failed(_)) {
				state.entries.remove(key);
			}
		}
		self.shared.changed.notify_all();
	}

	/// Loads an adapter and keeps it in memory until [`Self::unpin`]. Blocks until it is loaded, at most for `wait`.
	pub fn pin(&self, key: &AdapterKey, wait: Duration) -> Result<(), AdapterError> {
		let deadline = Instant::now() + wait;
		self.want(key);
		let mut state = self.shared.lock();
		let result = loop {
			let slot = state.entries.get(key).map(|entry| &entry.slot);
			match slot {
				Some(Slot::Ready(_)) => break state.pin(key, self.shared.budget),
				Some(Slot::Failed(error)) => break Err(error.clone()),
				// Wanted entries stay until they are unwanted.
				None => break Err(AdapterError::NotFound(key.folder())),
				Some(Slot::Loading { .. }) => {}
			}
			let left = deadline.saturating_duration_since(Instant::now());
			if left.is_zero() {
				break Err(AdapterError::NoRoomYet(key.folder(), wait.as_secs()));
			}
			state = self
				.shared
				.changed
				.wait_timeout(state, left)
				.unwrap_or_else(PoisonError::into_inner)
				.0;
		};
		drop(state);
		self.unwant(key);
		result
	}

	/// Lets go of a pinned adapter: it stays in memory until there is need for room.
	pub fn unpin(&self, key: &AdapterKey) {
		let mut state = self.shared.lock();
		if let Some(entry) = state.entries.get_mut(key) {
			if let (true, Slot::Ready(weights)) = (entry.pinned, &entry.slot) {
				let bytes = weights.bytes();
				entry.pinned = false;
				state.stats.pinned_bytes -= bytes;
			}
		}
		drop(state);
		self.shared.changed.notify_all();
	}

	/// Frees an adapter that is in memory. One that is not there is no error.
	pub fn unload(&self, key: &AdapterKey) -> Result<(), AdapterError> {
		let mut state = self.shared.lock();
		let Some(entry) = state.entries.get(key) else {
			return Ok(());
		};
		if entry.pinned {
			return Err(AdapterError::Pinned(key.folder()));
		}
		match &entry.slot {
			Slot::Ready(weights) if entry.is_idle() => {
				let bytes = weights.bytes();
				state.drop_ready(key, bytes);
			}
			_ => return Err(AdapterError::InUse(key.folder())),
		}
		drop(state);
		self.shared.changed.notify_all();
		Ok(())
	}

	/// Pinned adapters.
	pub fn pinned(&self) -> Vec<AdapterKey> {
		let state = self.shared.lock();
		let pinned = state.entries.iter().filter(|(_, entry)| entry.pinned);
		let mut list: Vec<_> = pinned.map(|(key, _)| *key).collect();
		list.sort_unstable();
		list
	}

	/// To be called after leases ended: a load may find room now.
	pub fn released(&self) {
		self.shared.changed.notify_all();
	}

	/// Counters.
	pub fn stats(&self) -> CacheStats {
		let state = self.shared.lock();
		CacheStats {
			load_ms: state.load_time.as_millis() as u64,
			..state.stats
		}
	}

	/// Adapters in memory and their bytes.
	pub fn resident(&self) -> Vec<(AdapterKey, usize)> {
		let state = self.shared.lock();
		let mut list: Vec<_> = state
			.entries
			.iter()
			.filter_map(|(key, entry)| match &entry.slot {
				Slot::Ready(weights) => Some((*key, weights.bytes())),
				_ => None,
			})
			.collect();
		list.sort_unstable();
		list
	}
}

impl Drop for Cache {
	fn drop(&mut self) {
		self.shared.lock().stop = true;
		self.shared.changed.notify_all();
		let thread = self
			.thread
			.lock()
			.unwrap_or_else(PoisonError::into_inner)
			.take();
		if thread.is_some_and(|t| t.join().is_err()) {
			tracing::error!("the adapter loader had panicked");
		}
	}
}

/// Loads the next adapter of the queue; `false` when the cache stops.
fn load_next(shared: &Shared) -> bool {
	let mut state = shared.lock();
	let key = loop {
		if state.stop {
			return false;
		}
		match state.queue.pop_front() {
			Some(key) if state.needed(&key) => break key,
			Some(key) => {
				state.entries.remove(&key);
			}
			None => {
				state = shared
					.changed
					.wait(state)
					.unwrap_or_else(PoisonError::into_inner)
			}
		}
	};
	drop(state);
	// A bug in a parser must cost one request, not all later loads.
	let loaded = catch_unwind(AssertUnwindSafe(|| load(shared, &key))).unwrap_or_else(|_| {
		Err(AdapterError::Malformed(
			"reading it failed unexpectedly".into(),
		))
	});
	let mut state = shared.lock();
	match loaded {
		Ok(Some((weights, time))) => {
			state.stats.resident += 1;
			state.stats.loads += 1;
			state.load_time += time;
			tracing::debug!(
				adapter = key.folder(),
				bytes = weights.bytes(),
				?time,
				"adapter loaded"
			);
			if let Some(entry) = state.entries.get_mut(&key) {
				entry.slot = Slot::Ready(Arc::new(weights));
			}
		}
		Ok(None) => {
			state.entries.remove(&key);
		}
		Err(error) => {
			state.stats.failures += 1;
			tracing::warn!(adapter = key.folder(), code = error.code(), %error, "adapter refused");
			match state.entries.get_mut(&key) {
				Some(entry) if entry.wanted > 0 => entry.slot = Slot::Failed(error),
				_ => {
					state.entries.remove(&key);
				}
			}
		}
	}
	drop(state);
	// Whoever pins waits for it here, the scheduler by its own signal.
	shared.changed.notify_all();
	(shared.ready)();
	true
}

/// Reads, verifies and converts one adapter; `None` when nobody wants it any more while it waits for room.
fn load(
	shared: &Shared,
	key: &AdapterKey,
) -> Result<Option<(LoraWeights, Duration)>, AdapterError> {
	let begin = Instant::now();
	let files = shared.store.load(key)?;
	let config = AdapterConfig::parse(&files.config)?;
	let needed = LoraWeights::needed(&files.weights)?;
	if needed > shared.budget {
		return Err(AdapterError::OverBudget {
			bytes: needed,
			budget: shared.budget,
		});
	}
	let mut time = begin.elapsed();
	let mut state = shared.lock();
	while !state.reserve(needed, shared.budget) {
		if !state.needed(key) {
			return Ok(None);
		}
		state.beside_pins(needed, shared.budget)?;
		state = shared
			.changed
			.wait_timeout(state, RETRY)
			.unwrap_or_else(PoisonError::into_inner)
			.0;
	}
	drop(state);
	let begin = Instant::now();
	let parsed = catch_unwind(AssertUnwindSafe(|| {
		LoraWeights::parse(&config, &files.weights, &shared.base)
	}))
	.unwrap_or_else(|_| {
		Err(AdapterError::Malformed(
			"reading it failed unexpectedly".into(),
		))
	});
	time += begin.elapsed();
	match parsed {
		Ok(weights) => {
			debug_assert_eq!(weights.bytes(), needed, "the header foretells the bytes");
			Ok(Some((weights, time)))
		}
		Err(error) => {
			shared.lock().stats.bytes -= needed;
			Err(error)
		}
	}
}
