//! Which adapters are in the device's memory, and which of them goes when room is needed.
//!
//! An adapter is known by its place in host memory, which it keeps as long as anybody has it there. It takes room in
//! the [`Pool`] when a sequence leases it first, and stays after the last lease until something else needs the room:
//! those that host memory has dropped go first, then the least recently used. One that is still being copied stays
//! where it is, so that nothing is written over by a copy under way.

use std::{
	collections::HashMap,
	sync::{Arc, Weak},
};

use super::pool::{Extent, Pool, ALIGN};
use crate::adapter::LoraWeights;

/// An adapter by its address in host memory.
pub(crate) type Resident = usize;

/// The name of an adapter here.
pub(crate) fn resident(adapter: &Arc<LoraWeights>) -> Resident {
	Arc::as_ptr(adapter) as usize
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
	/// Its copy is under way.
	Loading,
	/// It can be used.
	Ready,
}

struct Entry {
	/// Keeps the address from being used for another adapter.
	weights: Weak<LoraWeights>,
	extents: Vec<Extent>,
	leases: usize,
	used: u64,
	state: State,
}

/// What became of a wish for an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leased {
	/// It is there, or on its way.
	Held,
	/// It has a place now and must be copied there.
	New,
	/// Leases leave no room for it now.
	NoRoom,
}

/// Why an adapter can never be leased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Never {
	/// It has more bytes than adapters may ever have.
	TooLarge { bytes: usize, room: usize },
	/// Nothing else is there, and still its tensors find no room between the pages of KV.
	Scattered { bytes: usize },
}

/// Adapters that have a place.
#[derive(Default)]
pub(crate) struct Residents {
	entries: HashMap<Resident, Entry>,
	clock: u64,
	/// Bytes of leased ones.
	leased: usize,
	evictions: u64,
}

fn bytes(extents: &[Extent]) -> usize {
	extents.iter().map(|extent| extent.len).sum()
}

impl Residents {
	/// Adapters that have a place.
	pub fn len(&self) -> usize {
		self.entries.len()
	}

	/// How often one was dropped to make room.
	pub fn evictions(&self) -> u64 {
		self.evictions
	}

	/// Where an adapter's tensors are.
	pub fn extents(&self, key: Resident) -> Option<&[Extent]> {
		self.entries.get(&key).map(|entry| &*entry.extents)
	}

	/// How far it is.
	pub fn state(&self, key: Resident) -> Option<State> {
		self.entries.get(&key).map(|entry| entry.state)
	}

	/// Whether any copy is under way.
	pub fn loading(&self) -> bool {
		self.entries
			.values()
			.any(|entry| entry.state == State::Loading)
	}

	/// Its copy is complete.
	pub fn loaded(&mut self, key: Resident) {
		if let Some(entry) = self.entries.get_mut(&key) {
			entry.state = State::Ready;
		}
	}

	/// Its copy failed: it has no place any more, whoever leases it.
	pub fn failed(&mut self, pool: &mut Pool, key: Resident) {
		if let Some(entry) = self.entries.remove(&key) {
			(0..entry.leases).for_each(|_| pool.end_lease(&entry.extents));
			if entry.leases > 0 {
				self.leased -= bytes(&entry.extents);
			}
			pool.remove(&entry.extents);
		}
	}

	/// Leases an adapter; `sizes` are those of its tensors, in bytes.
	pub fn lease(
		&mut self,
		pool: &mut Pool,
		adapter: &Arc<LoraWeights>,
		sizes: impl Fn() -> Vec<usize>,
	) -> Result<Leased, Never> {
		let key = resident(adapter);
		self.clock += 1;
		if let Some(entry) = self.entries.get_mut(&key) {
			if pool.lease(&entry.extents) {
				entry.leases += 1;
				entry.used = self.clock;
				if entry.leases == 1 {
					self.leased += bytes(&entry.extents);
				}
				return Ok(Leased::Held);
			}
			// It lies where a lease would take from what pages were promised.
			if entry.state == State::Loading {
				return Ok(Leased::NoRoom);
			}
			self.drop_idle(pool, key);
		}
		let sizes = sizes();
		let needed: usize = sizes
			.iter()
			.map(|s| s.max(&1).next_multiple_of(ALIGN))
			.sum();
		if needed > pool.leasable() {
			let room = pool.leasable();
			return Err(Never::TooLarge {
				bytes: needed,
				room,
			});
		}
		if self.leased + needed > pool.leasable() {
			return Ok(Leased::NoRoom);
		}
		loop {
			if let Some(extents) = pool.place(sizes.iter().copied()) {
				if pool.lease(&extents) {
					self.leased += needed;
					let entry = Entry {
						weights: Arc::downgrade(adapter),
						extents,
						leases: 1,
						used: self.clock,
						state: State::Loading,
					};
					self.entries.insert(key, entry);
					return Ok(Leased::New);
				}
				pool.remove(&extents);
			}
			if !self.evict(pool) {
				return match self.entries.is_empty() {
					true => Err(Never::Scattered { bytes: needed }),
					false => Ok(Leased::NoRoom),
				};
			}
		}
	}

	/// Ends a lease.
	pub fn end(&mut self, pool: &mut Pool, key: Resident) {
		if let Some(entry) = self.entries.get_mut(&key).filter(|e| e.leases > 0) {
			pool.end_lease(&entry.extents);
			entry.leases -= 1;
			if entry.leases == 0 {
				self.leased -= bytes(&entry.extents);
			}
		}
	}

	/// Drops idle adapters until a page of KV can be had; `false` if that does not help.
	pub fn make_room_for_page(&mut self, pool: &mut Pool) -> bool {
		while !pool.has_free() {
			if !self.evict(pool) {
				return false;
			}
		}
		true
	}

	fn drop_idle(&mut self, pool: &mut Pool, key: Resident) {
		if let Some(entry) = self.entries.remove(&key) {
			debug_assert!(entry.leases == 0 && entry.state == State::Ready);
			pool.remove(&entry.extents);
			self.evictions += 1;
		}
	}

	/// Drops the adapter that will be missed least; `false` if all are leased or on their way.
	fn evict(&mut self, pool: &mut Pool) -> bool {
		let idle = self
			.entries
			.iter()
			.filter(|(_, entry)| entry.leases == 0 && entry.state == State::Ready);
		let victim = idle.min_by_key(|(_, e)| (e.weights.strong_count() > 0, e.used));
		let Some(key) = victim.map(|(key, _)| *key) else {
			return false;
		};
		self.drop_idle(pool, key);
		true
	}
}

#[cfg(test)]
mod tests {
	use rand::{Rng, SeedableRng};
	use rand_chacha::ChaCha8Rng;

	use super::*;

	fn adapter() -> Arc<LoraWeights> {
		Arc::new(LoraWeights::set(Vec::new()))
	}

	#[test]
	fn the_least_recently_used_should_make_room_but_those_the_host_dropped_first() {
		let mut pool = Pool::new(4, 1024, 1);
		let mut residents = Residents::default();
		let mut all: Vec<_> = (0..3).map(|_| adapter()).collect();
		let one = || vec![1024];
		for adapter in &all {
			assert_eq!(residents.lease(&mut pool, adapter, one), Ok(Leased::New));
			residents.loaded(resident(adapter));
		}
		let fourth = adapter();
		assert_eq!(residents.lease(&mut pool, &fourth, one), Ok(Leased::NoRoom));
		assert_eq!(residents.evictions(), 0, "nothing goes in vain");
		all.iter()
			.for_each(|a| residents.end(&mut pool, resident(a)));
		assert_eq!(residents.lease(&mut pool, &all[0], one), Ok(Leased::Held));
		residents.end(&mut pool, resident(&all[0]));
		let names: Vec<_> = all.iter().map(resident).collect();
		drop(all.remove(2));
		// The pool has one frame left, which is promised to pages only as far as leases go.
		assert_eq!(residents.lease(&mut pool, &fourth, one), Ok(Leased::New));
		assert_eq!(residents.evictions(), 0);
		assert!(pool.take_page().is_none() && residents.make_room_for_page(&mut pool));
		assert_eq!(residents.state(names[2]), None);
		let page = pool.take_page();
		assert!(page.is_some() && residents.make_room_for_page(&mut pool));
		assert_eq!(residents.state(names[1]), None);
		assert_eq!(residents.state(names[0]), Some(State::Ready));
	}

	#[test]
	fn an_adapter_that_can_never_fit_should_be_refused_at_once() {
		let mut pool = Pool::new(4, 1024, 2);
		let mut residents = Residents::default();
		let refused = residents.lease(&mut pool, &adapter(), || vec![1024, 1024, 1]);
		let (bytes, room) = (2048 + ALIGN, 2048);
		assert_eq!(refused, Err(Never::TooLarge { bytes, room }));
		// Two frames are enough for its bytes, but pages lie between them.
		let pages: Vec<_> = (0..4).filter_map(|_| pool.take_page()).collect();
		pool.release(pages[1]);
		pool.release(pages[3]);
		let refused = residents.lease(&mut pool, &adapter(), || vec![2048]);
		assert_eq!(refused, Err(Never::Scattered { bytes: 2048 }));
	}

	#[test]
	fn a_copy_under_way_should_keep_its_place_after_its_lease_ended() {
		let mut pool = Pool::new(1, 1024, 0);
		let mut residents = Residents::default();
		let (first, second) = (adapter(), adapter());
		let one = || vec![1024];
		assert_eq!(residents.lease(&mut pool, &first, one), Ok(Leased::New));
		residents.end(&mut pool, resident(&first));
		assert_eq!(residents.lease(&mut pool, &second, one), Ok(Leased::NoRoom));
		assert!(!residents.make_room_for_page(&mut pool));
		residents.loaded(resident(&first));
		assert_eq!(residents.lease(&mut pool, &second, one), Ok(Leased::New));
		residents.failed(&mut pool, resident(&second));
		residents.end(&mut pool, resident(&second));
		assert_eq!((pool.extent_bytes(), residents.len()), (0, 0));
	}

	#[test]
	fn random_leases_should_never_deny_a_promised_page_nor_starve_an_adapter() {
		for seed in 0..40 {
			let mut rng = ChaCha8Rng::seed_from_u64(seed);
			let frames = rng.random_range(2..24usize);
			let promised = rng.random_range(0..frames);
			let mut pool = Pool::new(frames, 2048, promised);
			let mut residents = Residents::default();
			let adapters: Vec<_> = (0..12)
				.map(|_| {
					let count = rng.random_range(1..6);
					let sizes: Vec<usize> = (0..count).map(|_| rng.random_range(0..2048)).collect();
					(adapter(), sizes)
				})
				.collect();
			let mut held: Vec<usize> = Vec::new();
			let mut pages = Vec::new();
			for _ in 0..800 {
				match rng.random_range(0..5) {
					0 if pages.len() < promised => {
						// What is under way ends at some time; here at once.
						for (adapter, _) in &adapters {
							residents.loaded(resident(adapter));
						}
						assert!(residents.make_room_for_page(&mut pool), "seed {seed}");
						pages.extend(pool.take_page());
					}
					1 if !pages.is_empty() => {
						pool.release(pages.swap_remove(rng.random_range(0..pages.len())));
					}
					2 if !held.is_empty() => {
						let which = held.swap_remove(rng.random_range(0..held.len()));
						residents.end(&mut pool, resident(&adapters[which].0));
					}
					_ => {
						let which = rng.random_range(0..adapters.len());
						let (adapter, sizes) = &adapters[which];
						match residents.lease(&mut pool, adapter, || sizes.clone()) {
							Ok(Leased::Held) => held.push(which),
							Ok(Leased::New) => {
								held.push(which);
								if rng.random_bool(0.8) {
									residents.loaded(resident(adapter));
								}
							}
							Ok(Leased::NoRoom) => {
								let others = !held.is_empty() || residents.loading();
								assert!(others, "it waits for nobody, seed {seed}");
							}
							Err(_) => assert!(
								sizes
									.iter()
									.map(|s| s.max(&1).next_multiple_of(ALIGN))
									.sum::<usize>() > pool.leasable()
									|| held.is_empty(),
								"seed {seed}"
							),
						}
					}
				}
			}
			for which in held {
				residents.end(&mut pool, resident(&adapters[which].0));
			}
			for (adapter, _) in &adapters {
				residents.loaded(resident(adapter));
			}
			while residents.evict(&mut pool) {}
			assert_eq!(
				(pool.extent_bytes(), residents.leased, residents.len()),
				(0, 0, 0)
			);
		}
	}
}
