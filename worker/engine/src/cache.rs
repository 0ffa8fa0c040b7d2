//! Adapters in memory: loaded just in time by background threads, within a byte budget.
//!
//! Terms: a request *wants* its adapter from when it is queued until it takes a lease; a lease is a clone of the
//! `Arc`; a *pin* is the operator's wish to keep it; a *hint* is a load ahead of any request. A *set* is several
//! adapters at once: it wants and leases each of its members.
//!
//! Neither wanted nor leased nor pinned adapters are evicted. Among the others the victim is chosen by GreedyDual-Size
//! (Cao and Irani, "Cost-Aware WWW Proxy Caching Algorithms", USITS 1997): an adapter's value is the cost of loading a
//! byte of it plus the value of the last victim when it was used last, and the least value goes first. Costs are
//! rounded to powers of four of the mean, so that equally dear adapters go least recently used first.
//!
//! Loads that a request waits for come before those that only an operator waits for, and those before hints. While
//! answers are computed, all but the first kind are done one at a time and with pauses, until an operator has waited
//! long. A load that finds no room is set aside until leases end, and others go on; after some patience nobody may pass
//! it any more. Nothing here makes the scheduler wait. Pins do not end by themselves, so what does not fit beside them
//! is refused at once. Besides the budget, at most one adapter file per loading thread is in memory while it is read.
//!
//! The budget may be shared with KV ([`crate::memory`]). What has to fit for good, an adapter, a set, all pins, is then
//! measured by the adapters' floor; beyond that they stay as long as KV leaves them room.

use std::{
	cell::Cell,
	collections::HashMap,
	panic::{catch_unwind, resume_unwind, AssertUnwindSafe},
	sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
	thread::JoinHandle,
	time::{Duration, Instant},
};

use crate::{
	adapter::{AdapterConfig, LoraWeights},
	config::ModelConfig,
	dora::BaseRows,
	error::AdapterError,
	memory::Memory,
	set::AdapterSet,
	store::{AdapterFiles, AdapterKey, AdapterStore},
};

/// How often loads without room look again by themselves; normally they are told.
const RETRY: Duration = Duration::from_millis(50);

/// How long a load without room lets later ones pass.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a set waits for room for all its members: sets that hold one member each could wait for each other.
const SET_WAIT: Duration = Duration::from_secs(30);

/// What part of the processors' time loads take that no request waits for, while answers are computed.
const LEISURE: f64 = 0.025;

/// How long an operator's load waits its turn before it is done like a request's: less than the operator waits.
const TURN: Duration = Duration::from_secs(20);

/// How long such a load works at least before it pauses.
const BREATH: Duration = Duration::from_micros(500);

/// Milliseconds by which loads are told apart in [`CacheStats::load_times`].
pub const LOAD_BOUNDS_MS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];

enum Slot {
	Loading { hint: bool },
	Ready(Arc<LoraWeights>),
	Failed(AdapterError),
	Set(SetSlot),
}

struct SetSlot {
	set: Arc<AdapterSet>,
	/// The lease, while anybody has one: rows that share it are computed together.
	lease: Weak<LoraWeights>,
	/// When somebody began to want it.
	since: Instant,
}

struct Entry {
	slot: Slot,
	wanted: usize,
	/// Those of [`Self::wanted`] that an operator does, and no request.
	patient: usize,
	pinned: bool,
	/// When it was used last, by the cache's clock.
	used: u64,
	/// What a byte of it costs to load, relative to the mean.
	cost: f64,
	/// Its value to the policy.
	value: f64,
}

/// A load that nobody does yet.
struct Pending {
	key: AdapterKey,
	/// Its bytes, once a try has found no room for them.
	needed: Option<usize>,
	since: Instant,
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
	/// Time spent reading, verifying and converting, waiting for room not counted.
	pub load_time: Duration,
	/// How many loads took at most as long as [`LOAD_BOUNDS_MS`] says and longer than the bound before; those beyond the
	/// last bound come last.
	pub load_times: [u64; LOAD_BOUNDS_MS.len() + 1],
}

#[derive(Default)]
struct State {
	entries: HashMap<AdapterKey, Entry>,
	/// Sets that requests hold.
	sets: HashMap<AdapterKey, Weak<AdapterSet>>,
	/// In the order they were asked for.
	queue: Vec<Pending>,
	clock: u64,
	/// Value of the last victim.
	inflation: f64,
	stop: bool,
	stats: CacheStats,
	loaded_bytes: u64,
	pace: Pace,
}

/// How far loads that no request waits for are held back, so that running answers hardly notice them.
#[derive(Default)]
struct Pace {
	/// Whether answers are being computed.
	computing: bool,
	/// Loads under way that no request waited for when they began.
	loading: usize,
	/// When the next may begin.
	rest: Option<Instant>,
}

impl Pace {
	/// Whether such a load has to pause.
	fn rests(&self) -> bool {
		self.computing && self.rest.is_some_and(|end| end > Instant::now())
	}

	/// Whether none may begin.
	fn holds(&self) -> bool {
		self.computing && self.loading > 0 || self.rests()
	}

	/// One has worked for that long on a machine of that many processors.
	fn worked(&mut self, time: Duration, processors: usize) {
		let pauses = (1.0 / (LEISURE * processors as f64) - 1.0).max(0.0);
		self.rest = Some(Instant::now() + time.mul_f64(pauses));
	}

	/// How long to wait before looking again.
	fn left(&self) -> Duration {
		let rest = self.rest.filter(|_| self.computing);
		let left = rest.map(|end| end.saturating_duration_since(Instant::now()));
		let left = left.filter(|left| !left.is_zero());
		left.map_or(RETRY, |left| left.min(RETRY))
	}
}

struct Shared {
	state: Mutex<State>,
	changed: Condvar,
	store: AdapterStore,
	base: ModelConfig,
	rows: Option<Arc<dyn BaseRows>>,
	memory: Arc<Memory>,
	/// What adapters can always have of it.
	budget: usize,
	processors: usize,
	ready: Box<dyn Fn() + Send + Sync>,
}

impl Shared {
	fn lock(&self) -> MutexGuard<'_, State> {
		self.state.lock().unwrap_or_else(PoisonError::into_inner)
	}

	fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
		self.changed
			.wait(state)
			.unwrap_or_else(PoisonError::into_inner)
	}

	fn wait_for<'a>(&self, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
		self.changed
			.wait_timeout(state, time)
			.unwrap_or_else(PoisonError::into_inner)
			.0
	}
}

impl Entry {
	fn new(slot: Slot, used: u64) -> Self {
		Self {
			slot,
			wanted: 0,
			patient: 0,
			pinned: false,
			used,
			cost: 1.0,
			value: 0.0,
		}
	}

	/// Whether it is in memory and nobody wants or leases it.
	fn is_idle(&self) -> bool {
		// Leases are cloned from leases, or from here under the lock, so a count of one stays one.
		matches!(&self.slot, Slot::Ready(weights) if self.wanted == 0 && Arc::strong_count(weights) == 1)
	}
}

/// What a byte costs relative to the mean, rounded to a power of four between 1/16 and 16.
fn relative_cost(time: f64, bytes: f64, mean: f64) -> f64 {
	let ratio = time / bytes.max(1.0) / mean;
	if !ratio.is_finite() || ratio <= 0.0 {
		return 1.0;
	}
	4f64.powf((ratio.log2() / 2.0).round().clamp(-2.0, 2.0))
}

impl State {
	/// What could be evicted, the least value first.
	fn idle(&self) -> Vec<(f64, u64, AdapterKey, usize)> {
		let idle = self
			.entries
			.iter()
			.filter_map(|(key, entry)| match &entry.slot {
				Slot::Ready(weights) if !entry.pinned && entry.is_idle() => {
					Some((entry.value, entry.used, *key, weights.bytes()))
				}
				_ => None,
			});
		let mut idle: Vec<_> = idle.collect();
		idle.sort_unstable_by(|a, b| (a.0.total_cmp(&b.0)).then(a.1.cmp(&b.1)));
		idle
	}

	/// Evicts until `needed` bytes are free and reserves them; `false` (and nothing evicted) when leases forbid, or KV
	/// has to give way first.
	fn reserve(&mut self, needed: usize, memory: &Memory) -> bool {
		let Err(missing) = memory.grow_adapters(self.stats.bytes + needed) else {
			self.take(needed);
			return true;
		};
		let idle = self.idle();
		let evictable: usize = idle.iter().map(|(_, _, _, bytes)| bytes).sum();
		let kept = memory.kv_idle();
		if evictable < missing {
			if evictable + kept >= missing {
				memory.ask(missing - evictable);
			}
			return false;
		}
		if kept > evictable {
			// For the next load, so that this one need not wait.
			memory.ask(missing);
		}
		let mut freed = 0;
		for (value, _, key, bytes) in idle {
			if freed >= missing {
				break;
			}
			self.evict(&key, value, bytes);
			freed += bytes;
		}
		// KV may have grown meanwhile.
		let granted = memory.grow_adapters(self.stats.bytes + needed).is_ok();
		match granted {
			true => self.take(needed),
			false => memory.set_adapters(self.stats.bytes),
		}
		granted
	}

	fn take(&mut self, bytes: usize) {
		self.stats.bytes += bytes;
		self.stats.peak_bytes = self.stats.peak_bytes.max(self.stats.bytes);
	}

	fn evict(&mut self, key: &AdapterKey, value: f64, bytes: usize) {
		self.drop_ready(key, bytes);
		self.inflation = self.inflation.max(value);
		self.stats.evictions += 1;
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

	fn is_wanted(&self, key: &AdapterKey) -> bool {
		self.entries.get(key).is_some_and(|entry| entry.wanted > 0)
	}

	/// Whether a request waits for it, or an operator alone who has waited long.
	fn is_urgent(&self, pending: &Pending) -> bool {
		self.entries.get(&pending.key).is_some_and(|entry| {
			entry.wanted > entry.patient || entry.wanted > 0 && pending.since.elapsed() > TURN
		})
	}

	fn want(&mut self, key: &AdapterKey) {
		let known = match self.entries.get(key) {
			Some(entry) => match &entry.slot {
				Slot::Set(slot) => Some(Arc::clone(&slot.set)),
				_ => None,
			},
			None => self.sets.get(key).and_then(Weak::upgrade),
		};
		let Some(set) = known else {
			self.want_adapter(key);
			return;
		};
		self.clock += 1;
		let clock = self.clock;
		let entry = self.entries.entry(*key).or_insert_with(|| {
			let slot = SetSlot {
				set: Arc::clone(&set),
				lease: Weak::new(),
				since: Instant::now(),
			};
			Entry::new(Slot::Set(slot), clock)
		});
		if let (0, Slot::Set(slot)) = (entry.wanted, &mut entry.slot) {
			slot.since = Instant::now();
		}
		entry.wanted += 1;
		for (member, _) in set.members() {
			self.want_adapter(member);
		}
	}

	fn want_adapter(&mut self, key: &AdapterKey) {
		self.clock += 1;
		let (clock, inflation) = (self.clock, self.inflation);
		if let Some(entry) = self.entries.get_mut(key) {
			entry.wanted += 1;
			entry.used = clock;
			entry.value = inflation + entry.cost;
			if matches!(entry.slot, Slot::Ready(_)) {
				self.stats.hits += 1;
			} else {
				self.stats.misses += 1;
			}
			return;
		}
		let mut entry = Entry::new(Slot::Loading { hint: false }, clock);
		entry.wanted = 1;
		self.entries.insert(*key, entry);
		self.stats.misses += 1;
		self.enqueue(*key, None, Instant::now());
	}

	/// Counts an operator's want, or its end.
	fn patient(&mut self, key: &AdapterKey, change: isize) {
		if let Some(entry) = self.entries.get_mut(key) {
			entry.patient = entry.patient.saturating_add_signed(change);
		}
	}

	fn unwant(&mut self, key: &AdapterKey) {
		if let Some(Slot::Set(slot)) = self.entries.get(key).map(|entry| &entry.slot) {
			let set = Arc::clone(&slot.set);
			let members = set.members().iter();
			members.for_each(|(key, _)| self.unwant_adapter(key));
		}
		self.unwant_adapter(key);
	}

	fn unwant_adapter(&mut self, key: &AdapterKey) {
		if let Some(entry) = self.entries.get_mut(key) {
			entry.wanted = entry.wanted.saturating_sub(1);
			if entry.wanted == 0 && matches!(entry.slot, Slot::Failed(_)) {
				self.entries.remove(key);
			}
		}
	}

	fn enqueue(&mut self, key: AdapterKey, needed: Option<usize>, since: Instant) {
		let at = self.queue.partition_point(|other| other.since <= since);
		self.queue.insert(at, Pending { key, needed, since });
	}

	/// Whether a load that asked at `since` must leave room to an earlier one.
	fn must_yield(&self, since: Instant) -> bool {
		self.queue.iter().any(|other| {
			other.needed.is_some()
				&& other.since < since
				&& other.since.elapsed() > PATIENCE
				&& self.is_wanted(&other.key)
		})
	}

	/// The next load that can be done now, with its room reserved if its size is known.
	fn next(&mut self, budget: usize, memory: &Memory) -> Option<Pending> {
		let mut gone = Vec::new();
		self.queue.retain(|pending| {
			let wanted = self.entries.get(&pending.key).is_some_and(|entry| {
				entry.wanted > 0 || matches!(entry.slot, Slot::Loading { hint: true })
			});
			if !wanted {
				gone.push(pending.key);
			}
			wanted
		});
		for key in gone {
			self.entries.remove(&key);
		}
		let held = self.pace.holds();
		let mut at = None;
		for urgent in [true, false] {
			if at.is_some() || held && !urgent {
				break;
			}
			for index in 0..self.queue.len() {
				let pending = &self.queue[index];
				if !self.is_wanted(&pending.key) || self.is_urgent(pending) != urgent {
					continue;
				}
				let Some(needed) = pending.needed else {
					at = Some(index);
					break;
				};
				if self.beside_pins(needed, budget).is_err() {
					// Pins came meanwhile; loading it again says so.
					let mut pending = self.queue.remove(index);
					pending.needed = None;
					return Some(pending);
				}
				if !self.must_yield(pending.since) && self.reserve(needed, memory) {
					return Some(self.queue.remove(index));
				}
			}
		}
		// A hint is looked at when nobody waits for anything that could be done.
		let at = at.or_else(|| {
			let hint = |pending: &Pending| !held && !self.is_wanted(&pending.key);
			self.queue.iter().position(hint)
		});
		at.map(|index| self.queue.remove(index))
	}

	/// Forgets sets that nobody wants or leases any more.
	fn prune_sets(&mut self) {
		self.entries.retain(|_, entry| match &entry.slot {
			Slot::Set(slot) => entry.wanted > 0 || slot.lease.strong_count() > 0,
			_ => true,
		});
		self.sets.retain(|_, set| set.strong_count() > 0);
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
	threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Cache {
	/// Starts the loading threads. `ready` is called whenever a load ended.
	pub fn start(
		store: AdapterStore,
		base: ModelConfig,
		rows: Option<Arc<dyn BaseRows>>,
		memory: Arc<Memory>,
		ready: Box<dyn Fn() + Send + Sync>,
	) -> std::io::Result<Self> {
		let processors = std::thread::available_parallelism().map_or(1, |n| n.get());
		let shared = Arc::new(Shared {
			state: Mutex::default(),
			changed: Condvar::new(),
			store,
			base,
			rows,
			budget: memory.adapter_floor(),
			memory,
			processors,
			ready,
		});
		// Two at least, so that one that waits for a far store does not hold up the others.
		let count = (processors / 2).clamp(2, 4);
		let cache = Self {
			shared,
			threads: Mutex::default(),
		};
		for number in 0..count {
			let worker = Arc::clone(&cache.shared);
			let thread = std::thread::Builder::new()
				.name(format!("adapters-{number}"))
				.spawn(move || while load_next(&worker) {})?;
			cache
				.threads
				.lock()
				.unwrap_or_else(PoisonError::into_inner)
				.push(thread);
		}
		Ok(cache)
	}

	/// Makes a set known, as long as somebody holds it: its key can then be wanted like an adapter's.
	pub fn define(&self, set: &Arc<AdapterSet>) {
		let mut state = self.shared.lock();
		state.prune_sets();
		state.sets.insert(set.key(), Arc::downgrade(set));
	}

	/// Begins to want an adapter; every call is followed by one [`Self::take`] or [`Self::unwant`].
	pub fn want(&self, key: &AdapterKey) {
		self.shared.lock().want(key);
		self.shared.changed.notify_all();
	}

	/// Loads an adapter that nobody asked for yet, unless it is there.
	pub fn preload(&self, key: &AdapterKey) {
		let mut state = self.shared.lock();
		if state.entries.contains_key(key) {
			return;
		}
		state.clock += 1;
		let entry = Entry::new(Slot::Loading { hint: true }, state.clock);
		state.entries.insert(*key, entry);
		state.enqueue(*key, None, Instant::now());
		drop(state);
		self.shared.changed.notify_all();
	}

	/// How far a wanted adapter is.
	pub fn poll(&self, key: &AdapterKey) -> Availability {
		let state = self.shared.lock();
		let Some(entry) = state.entries.get(key) else {
			return Availability::Failed(AdapterError::NotFound(key.folder()));
		};
		match &entry.slot {
			Slot::Ready(_) => Availability::Ready,
			Slot::Failed(error) => Availability::Failed(error.clone()),
			Slot::Loading { .. } => Availability::Loading,
			Slot::Set(slot) => state.poll_set(slot, self.shared.budget),
		}
	}

	/// Turns a want into a lease, if the adapter is ready.
	pub fn take(&self, key: &AdapterKey) -> Option<Arc<LoraWeights>> {
		let mut state = self.shared.lock();
		let set = match &state.entries.get(key)?.slot {
			Slot::Set(slot) => Arc::clone(&slot.set),
			Slot::Ready(weights) => {
				let weights = Arc::clone(weights);
				state.unwant_adapter(key);
				return Some(weights);
			}
			_ => return None,
		};
		let mut members = Vec::with_capacity(set.members().len());
		for (member, factor) in set.members() {
			match &state.entries.get(member)?.slot {
				Slot::Ready(weights) => members.push((Arc::clone(weights), *factor)),
				_ => return None,
			}
		}
		set.members()
			.iter()
			.for_each(|(key, _)| state.unwant_adapter(key));
		let entry = state.entries.get_mut(key)?;
		entry.wanted = entry.wanted.saturating_sub(1);
		let Slot::Set(slot) = &mut entry.slot else {
			return None;
		};
		Some(slot.lease.upgrade().unwrap_or_else(|| {
			let lease = Arc::new(LoraWeights::set(members));
			slot.lease = Arc::downgrade(&lease);
			lease
		}))
	}

	/// Ends a want without a lease. A failure nobody wants any more is forgotten, so that it can be tried again.
	pub fn unwant(&self, key: &AdapterKey) {
		self.shared.lock().unwant(key);
		self.shared.changed.notify_all();
	}

	/// Loads an adapter and keeps it in memory until [`Self::unpin`]. Blocks until it is loaded, at most for `wait`.
	pub fn pin(&self, key: &AdapterKey, wait: Duration) -> Result<(), AdapterError> {
		let deadline = Instant::now() + wait;
		let mut state = self.shared.lock();
		state.want(key);
		state.patient(key, 1);
		self.shared.changed.notify_all();
		let result = loop {
			let slot = state.entries.get(key).map(|entry| &entry.slot);
			match slot {
				Some(Slot::Ready(_)) => break state.pin(key, self.shared.budget),
				Some(Slot::Failed(error)) => break Err(error.clone()),
				// Wanted entries stay until they are unwanted.
				None => break Err(AdapterError::NotFound(key.folder())),
				Some(Slot::Set(_)) => {
					break Err(AdapterError::BadSet("pin its members instead".into()))
				}
				Some(Slot::Loading { .. }) => {}
			}
			let left = deadline.saturating_duration_since(Instant::now());
			if left.is_zero() {
				break Err(AdapterError::NoRoomYet(key.folder(), wait.as_secs()));
			}
			state = self.shared.wait_for(state, left);
		};
		state.patient(key, -1);
		state.unwant(key);
		drop(state);
		self.shared.changed.notify_all();
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
				self.shared.memory.set_adapters(state.stats.bytes);
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

	/// Bytes of adapters beyond their floor that nobody uses.
	pub fn idle(&self) -> usize {
		let state = self.shared.lock();
		let beyond = state.stats.bytes.saturating_sub(self.shared.budget);
		if beyond == 0 {
			return 0;
		}
		let idle = state.idle().iter().map(|(_, _, _, bytes)| bytes).sum();
		beyond.min(idle)
	}

	/// Evicts adapters that nobody uses until `bytes` are free or they are down to their floor.
	pub fn give_way(&self, bytes: usize) {
		let mut state = self.shared.lock();
		let mut freed = 0;
		for (value, _, key, size) in state.idle() {
			if freed >= bytes || state.stats.bytes <= self.shared.budget {
				break;
			}
			state.evict(&key, value, size);
			freed += size;
		}
		self.shared.memory.set_adapters(state.stats.bytes);
	}

	/// Says whether answers are being computed: loads that no request waits for then take little of the machine.
	pub fn computing(&self, computing: bool) {
		let mut state = self.shared.lock();
		let ended = state.pace.computing && !computing;
		state.pace.computing = computing;
		drop(state);
		if ended {
			self.shared.changed.notify_all();
		}
	}

	/// To be called after leases ended: a load may find room now.
	pub fn released(&self) {
		self.shared.changed.notify_all();
	}

	/// Counters.
	pub fn stats(&self) -> CacheStats {
		self.shared.lock().stats
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

impl State {
	/// A set is ready when all its members are.
	fn poll_set(&self, slot: &SetSlot, budget: usize) -> Availability {
		let mut bytes = 0;
		let mut loading = false;
		for (member, _) in slot.set.members() {
			match self.entries.get(member).map(|entry| &entry.slot) {
				Some(Slot::Ready(weights)) => bytes += weights.bytes(),
				Some(Slot::Failed(error)) => return Availability::Failed(error.clone()),
				Some(Slot::Loading { .. }) => {
					loading = true;
					let pending = self.queue.iter().find(|pending| pending.key == *member);
					bytes += pending.and_then(|pending| pending.needed).unwrap_or(0);
				}
				_ => return Availability::Failed(AdapterError::NotFound(member.folder())),
			}
		}
		if bytes > budget {
			return Availability::Failed(AdapterError::OverBudget { bytes, budget });
		}
		if loading && slot.since.elapsed() > SET_WAIT {
			let key = slot.set.key().folder();
			return Availability::Failed(AdapterError::NoRoomYet(key, SET_WAIT.as_secs()));
		}
		match loading {
			true => Availability::Loading,
			false => Availability::Ready,
		}
	}

	/// Whether a set waits for anything.
	fn sets_wait(&self) -> bool {
		self.entries
			.values()
			.any(|entry| entry.wanted > 0 && matches!(entry.slot, Slot::Set(_)))
	}
}

impl Drop for Cache {
	fn drop(&mut self) {
		self.shared.lock().stop = true;
		self.shared.changed.notify_all();
		let threads =
			std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
		for thread in threads {
			if thread.join().is_err() {
				tracing::error!("an adapter loader had panicked");
			}
		}
	}
}

/// What became of a load.
enum Loaded {
	Done(LoraWeights, Duration),
	/// There is no room now for that many bytes.
	NoRoom(usize),
}

/// Loads the next adapter of the queue; `false` when the cache stops.
fn load_next(shared: &Shared) -> bool {
	let mut state = shared.lock();
	let pending = loop {
		if state.stop {
			return false;
		}
		if let Some(pending) = state.next(shared.budget, &shared.memory) {
			break pending;
		}
		if state.queue.is_empty() && !state.sets_wait() {
			state = shared.wait(state);
			continue;
		}
		let tell = state.sets_wait();
		let left = state.pace.left();
		state = shared.wait_for(state, left);
		if tell || shared.memory.is_asked() {
			// A set's patience may have ended, or KV has to give way; the scheduler looks when it is told.
			drop(state);
			(shared.ready)();
			state = shared.lock();
		}
	};
	let key = pending.key;
	let urgent = state.is_urgent(&pending);
	state.pace.loading += usize::from(!urgent);
	drop(state);
	// A bug in a parser must cost one request, not all later loads.
	let loaded = catch_unwind(AssertUnwindSafe(|| load(shared, &pending))).unwrap_or_else(|_| {
		Err(AdapterError::Malformed(
			"reading it failed unexpectedly".into(),
		))
	});
	let mut state = shared.lock();
	if !urgent {
		state.pace.loading -= 1;
	}
	match loaded {
		Ok(Loaded::Done(weights, time)) => {
			state.stats.resident += 1;
			state.stats.loads += 1;
			state.stats.load_time += time;
			let within = |bound: &u64| time <= Duration::from_millis(*bound);
			let at = LOAD_BOUNDS_MS.iter().position(within);
			state.stats.load_times[at.unwrap_or(LOAD_BOUNDS_MS.len())] += 1;
			state.loaded_bytes += weights.bytes() as u64;
			tracing::debug!(
				adapter = key.folder(),
				bytes = weights.bytes(),
				?time,
				"adapter loaded"
			);
			let mean = state.stats.load_time.as_secs_f64() / state.loaded_bytes.max(1) as f64;
			let cost = relative_cost(time.as_secs_f64(), weights.bytes() as f64, mean);
			let inflation = state.inflation;
			if let Some(entry) = state.entries.get_mut(&key) {
				entry.cost = cost;
				entry.value = inflation + cost;
				entry.slot = Slot::Ready(Arc::new(weights));
			}
		}
		Ok(Loaded::NoRoom(needed)) => {
			if state.is_wanted(&key) {
				state.enqueue(key, Some(needed), pending.since);
			} else {
				// A hint is worth no waiting.
				tracing::debug!(adapter = key.folder(), "no room for a hinted adapter");
				state.entries.remove(&key);
			}
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

/// Bytes of the budget that are given back unless they are kept.
struct Reserved<'a> {
	shared: &'a Shared,
	bytes: usize,
}

impl Drop for Reserved<'_> {
	fn drop(&mut self) {
		let mut state = self.shared.lock();
		state.stats.bytes -= self.bytes;
		self.shared.memory.set_adapters(state.stats.bytes);
	}
}

/// A load that pauses while answers are computed and no request waits for it.
struct Leisure<'a> {
	shared: &'a Shared,
	pending: &'a Pending,
	/// When it went on after the last pause.
	since: Cell<Instant>,
	paused: Cell<Duration>,
}

impl Leisure<'_> {
	/// To be called often: pauses if there was enough work since the last pause.
	fn breathe(&self) {
		if self.since.get().elapsed() >= BREATH {
			self.pause();
		}
	}

	/// Counts the work since the last pause.
	fn worked(&self, state: &mut State) {
		let worked = self.since.get().elapsed();
		state.pace.worked(worked, self.shared.processors);
	}

	fn pause(&self) {
		let begin = Instant::now();
		let mut state = self.shared.lock();
		self.worked(&mut state);
		while state.pace.rests() && !state.stop && !state.is_urgent(self.pending) {
			let left = state.pace.left();
			state = self.shared.wait_for(state, left);
		}
		drop(state);
		self.since.set(Instant::now());
		self.paused.set(self.paused.get() + begin.elapsed());
	}
}

/// Reads, verifies and converts one adapter.
fn load(shared: &Shared, pending: &Pending) -> Result<Loaded, AdapterError> {
	let mut reserved = Reserved {
		shared,
		bytes: pending.needed.unwrap_or(0),
	};
	let key = &pending.key;
	shared.store.fetch(key)?;
	let begin = Instant::now();
	let files = shared.store.read(key)?;
	let leisure = Leisure {
		shared,
		pending,
		since: Cell::new(begin),
		paused: Cell::default(),
	};
	// Nothing leaves here before the files are known.
	let state = shared.lock();
	let hurries = !state.pace.computing || state.is_urgent(pending);
	drop(state);
	let converted = if hurries {
		std::thread::scope(|scope| {
			// Hashing takes as long as all the rest: both at once.
			let known = scope.spawn(|| files.verify(key));
			let converted = convert(shared, pending, &files, &mut reserved, &|| {});
			known.join().unwrap_or_else(|e| resume_unwind(e))?;
			converted
		})?
	} else {
		let breathe = || leisure.breathe();
		files.verify_between(key, &breathe)?;
		let converted = convert(shared, pending, &files, &mut reserved, &breathe)?;
		// The next load waits for the work that was done last, this one need not.
		leisure.worked(&mut shared.lock());
		converted
	};
	Ok(match converted {
		Converted::Done(weights) => {
			reserved.bytes = 0;
			let time = begin.elapsed().saturating_sub(leisure.paused.get());
			Loaded::Done(weights, time)
		}
		Converted::NoRoom(needed) => Loaded::NoRoom(needed),
	})
}

/// What became of files that were read.
enum Converted {
	Done(LoraWeights),
	NoRoom(usize),
}

/// Makes weights of files that may still turn out to be others than they are said to be; calls `between` between parts.
fn convert(
	shared: &Shared,
	pending: &Pending,
	files: &AdapterFiles,
	reserved: &mut Reserved,
	between: &dyn Fn(),
) -> Result<Converted, AdapterError> {
	let config = AdapterConfig::parse(&files.config)?;
	let needed = LoraWeights::examine(&config, &files.weights, &shared.base)?;
	if needed > shared.budget {
		return Err(AdapterError::OverBudget {
			bytes: needed,
			budget: shared.budget,
		});
	}
	if pending.needed != Some(needed) {
		let mut state = shared.lock();
		state.stats.bytes -= std::mem::take(&mut reserved.bytes);
		shared.memory.set_adapters(state.stats.bytes);
		state.beside_pins(needed, shared.budget)?;
		if state.must_yield(pending.since) || !state.reserve(needed, &shared.memory) {
			return Ok(Converted::NoRoom(needed));
		}
		reserved.bytes = needed;
	}
	let weights = LoraWeights::load_between(
		&config,
		&files.weights,
		&shared.base,
		shared.rows.as_deref(),
		between,
	)?;
	debug_assert_eq!(weights.bytes(), needed, "the header foretells the bytes");
	Ok(Converted::Done(weights))
}

#[cfg(test)]
mod tests {
	use super::*;

	fn key(number: u8) -> AdapterKey {
		AdapterKey {
			weights: [number; 32],
			config: [number; 32],
		}
	}

	#[test]
	fn loads_should_be_done_in_the_order_of_who_waits_for_them() {
		let memory = Memory::apart(1, 1);
		let mut state = State::default();
		let [hint, operator, request, both] = [1, 2, 3, 4].map(key);
		let entry = Entry::new(Slot::Loading { hint: true }, 0);
		state.entries.insert(hint, entry);
		state.enqueue(hint, None, Instant::now());
		for (key, patient) in [(operator, 1), (both, 1), (request, 0), (both, 0)] {
			state.want(&key);
			state.patient(&key, patient);
		}
		state.pace.computing = true;
		state.pace.loading = 1;
		let next = |state: &mut State| state.next(1, &memory).map(|pending| pending.key);
		assert_eq!(next(&mut state), Some(both), "it was asked for first");
		assert_eq!(next(&mut state), Some(request));
		assert_eq!(next(&mut state), None, "another of the rest is under way");
		state.pace.loading = 0;
		state.pace.worked(Duration::from_secs(10), 2);
		assert_eq!(next(&mut state), None, "the processors rest from the last");
		assert_eq!(state.pace.left(), RETRY);
		state.queue[1].since -= TURN + RETRY;
		assert_eq!(next(&mut state), Some(operator), "it has waited long");
		assert_eq!(next(&mut state), None);
		state.pace.computing = false;
		assert_eq!(next(&mut state), Some(hint));
		assert!(state.queue.is_empty());
	}

	#[test]
	fn pauses_should_leave_the_processors_to_the_answers() {
		let time = Duration::from_secs(100);
		for (processors, pause) in [(1, 3900), (2, 1900), (20, 100), (40, 0), (64, 0)] {
			let mut pace = Pace {
				computing: true,
				..Default::default()
			};
			pace.worked(time, processors);
			let left = pace.rest.expect("it worked; qed") - Instant::now();
			let pause = Duration::from_secs(pause);
			assert!(
				left <= pause && left + time / 20 >= pause,
				"{processors}: {left:?}"
			);
		}
	}

	#[test]
	fn costs_should_be_equal_unless_they_differ_much() {
		assert_eq!(relative_cost(1.9, 1.0, 1.0), 1.0);
		assert_eq!(relative_cost(0.6, 1.0, 1.0), 1.0);
		assert_eq!(relative_cost(3.0, 1.0, 1.0), 4.0);
		assert_eq!(relative_cost(1.0, 3.0, 1.0), 0.25);
		assert_eq!(relative_cost(1e9, 1.0, 1.0), 16.0);
		assert_eq!(relative_cost(0.0, 1.0, 1.0), 1.0);
		assert_eq!(relative_cost(1.0, 1.0, 0.0), 1.0);
	}
}
