//! The one pool that KV pages and adapters share on a device.
//!
//! Terms: a *frame* is as large as a page of KV, and the pool is a row of frames. A frame is free, holds one page, or
//! belongs to the *heap*, where the tensors of adapters lie in *extents* of their true size, side by side and across
//! the borders of neighbouring heap frames. An extent is *leased* while a running request needs it.
//!
//! Design: pages take the lowest free frame, the heap the highest, so the two meet in the middle and there is no
//! border to tune. A heap frame without extents is free again at once. What makes the pool safe to share is one bound
//! that [`Pool::lease`] keeps: frames that leases touch are never more than the pool less what KV was promised. All
//! other frames hold pages or idle adapters, which can go; so a page can always be had, however the heap is
//! fragmented.

use std::collections::{BTreeMap, BTreeSet};

/// Every extent begins at a multiple of this, in bytes: what a vectorised load and a tensor-core tile ask for.
pub(crate) const ALIGN: usize = 256;

/// Number of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Frame(pub u32);

/// Bytes of the heap, by their offset in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
	pub at: usize,
	/// A multiple of [`ALIGN`], not 0.
	pub len: usize,
}

impl Extent {
	fn end(&self) -> usize {
		self.at + self.len
	}
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
	Free,
	/// A page of KV with so many owners.
	Page(u32),
	/// Part of the heap, with so many leased extents in it.
	Heap(u32),
}

/// Which bytes of a device hold what. Bookkeeping only: it never touches them.
#[derive(Debug)]
pub(crate) struct Pool {
	frame: usize,
	states: Vec<State>,
	free: BTreeSet<Frame>,
	/// Unused bytes of heap frames by offset; neighbours are always joined.
	holes: BTreeMap<usize, usize>,
	/// The same by size.
	sizes: BTreeSet<(usize, usize)>,
	/// Frames promised to pages.
	promised: usize,
	pages: usize,
	/// Heap frames that leases touch.
	pinned: usize,
	extent_bytes: usize,
}

impl Pool {
	/// `frames` free frames of `frame` bytes (a multiple of [`ALIGN`]), of which `promised` are always to be had for
	/// pages.
	pub fn new(frames: usize, frame: usize, promised: usize) -> Self {
		debug_assert!(frame > 0 && frame.is_multiple_of(ALIGN) && promised <= frames);
		Self {
			frame,
			states: vec![State::Free; frames],
			free: (0..frames as u32).map(Frame).collect(),
			holes: BTreeMap::new(),
			sizes: BTreeSet::new(),
			promised,
			pages: 0,
			pinned: 0,
			extent_bytes: 0,
		}
	}

	/// Frames that hold pages.
	pub fn pages(&self) -> usize {
		self.pages
	}

	/// Bytes of a frame.
	pub fn frame(&self) -> usize {
		self.frame
	}

	/// Bytes that pages can always have.
	pub fn promised_bytes(&self) -> usize {
		self.promised * self.frame
	}

	/// Bytes of extents.
	pub fn extent_bytes(&self) -> usize {
		self.extent_bytes
	}

	/// Most bytes that leases can have.
	pub fn leasable(&self) -> usize {
		(self.states.len() - self.promised) * self.frame
	}

	/// A frame for a page with one owner; `None` when nothing is free.
	pub fn take_page(&mut self) -> Option<Frame> {
		let frame = self.free.pop_first()?;
		self.states[frame.0 as usize] = State::Page(1);
		self.pages += 1;
		Some(frame)
	}

	/// Whether a page can be had without anything going.
	pub fn has_free(&self) -> bool {
		!self.free.is_empty()
	}

	/// Adds an owner to a page.
	pub fn retain(&mut self, frame: Frame) {
		match &mut self.states[frame.0 as usize] {
			State::Page(owners) => *owners += 1,
			state => debug_assert!(false, "{frame:?} is no page but {state:?}"),
		}
	}

	/// Owners of a page.
	pub fn owners(&self, frame: Frame) -> u32 {
		match self.states[frame.0 as usize] {
			State::Page(owners) => owners,
			_ => 0,
		}
	}

	/// Takes an owner away; the frame is free when it was the last.
	pub fn release(&mut self, frame: Frame) {
		let state = &mut self.states[frame.0 as usize];
		match state {
			State::Page(owners) if *owners > 1 => *owners -= 1,
			State::Page(_) => {
				*state = State::Free;
				self.free.insert(frame);
				self.pages -= 1;
			}
			state => debug_assert!(false, "{frame:?} is no page but {state:?}"),
		}
	}

	fn frames_of(&self, extent: Extent) -> std::ops::RangeInclusive<usize> {
		extent.at / self.frame..=(extent.end() - 1) / self.frame
	}

	fn add_hole(&mut self, mut at: usize, mut len: usize) {
		if let Some((before, size)) = self.holes.range(..at).next_back().map(|(a, l)| (*a, *l)) {
			debug_assert!(before + size <= at, "a hole would overlap another");
			if before + size == at {
				self.remove_hole(before, size);
				(at, len) = (before, len + size);
			}
		}
		if let Some(size) = self.holes.get(&(at + len)).copied() {
			self.remove_hole(at + len, size);
			len += size;
		}
		self.holes.insert(at, len);
		self.sizes.insert((len, at));
	}

	fn remove_hole(&mut self, at: usize, len: usize) {
		self.holes.remove(&at);
		self.sizes.remove(&(len, at));
	}

	/// Adds `count` neighbouring free frames to the heap, the highest there are.
	fn grow(&mut self, count: usize) -> bool {
		let (mut run, mut first) = (0, 0);
		for Frame(frame) in self.free.iter().rev().copied() {
			run = match run > 0 && frame + 1 == first {
				true => run + 1,
				false => 1,
			};
			first = frame;
			if run == count {
				break;
			}
		}
		if run < count || count == 0 {
			return false;
		}
		for frame in first as usize..first as usize + count {
			self.states[frame] = State::Heap(0);
			self.free.remove(&Frame(frame as u32));
		}
		self.add_hole(first as usize * self.frame, count * self.frame);
		true
	}

	fn extent(&mut self, len: usize) -> Option<Extent> {
		let len = len.max(1).checked_next_multiple_of(ALIGN)?;
		let found = |pool: &Self| pool.sizes.range((len, 0)..).next().copied();
		let (size, at) = match found(self) {
			Some(hole) => hole,
			None => {
				if !self.grow(len.div_ceil(self.frame)) {
					return None;
				}
				found(self)?
			}
		};
		self.remove_hole(at, size);
		if size > len {
			self.add_hole(at + len, size - len);
		}
		self.extent_bytes += len;
		Some(Extent { at, len })
	}

	/// Extents of these sizes in bytes, all or none; `None` when there is no room for them as things lie.
	pub fn place(&mut self, sizes: impl IntoIterator<Item = usize>) -> Option<Vec<Extent>> {
		let mut extents = Vec::new();
		for size in sizes {
			match self.extent(size) {
				Some(extent) => extents.push(extent),
				None => {
					self.remove(&extents);
					return None;
				}
			}
		}
		Some(extents)
	}

	/// Frees extents that are not leased, and the frames that hold nothing else.
	pub fn remove(&mut self, extents: &[Extent]) {
		for extent in extents {
			self.extent_bytes -= extent.len;
			self.add_hole(extent.at, extent.len);
			// The hole that holds it now; whole frames inside it leave the heap.
			let hole = self.holes.range(..=extent.at).next_back();
			let Some((at, len)) = hole.map(|(at, len)| (*at, *len)) else {
				continue;
			};
			let (first, last) = (at.div_ceil(self.frame), (at + len) / self.frame);
			if first >= last {
				continue;
			}
			self.remove_hole(at, len);
			for frame in first..last {
				debug_assert_eq!(
					self.states[frame],
					State::Heap(0),
					"frame {frame} is leased"
				);
				self.states[frame] = State::Free;
				self.free.insert(Frame(frame as u32));
			}
			if first * self.frame > at {
				self.add_hole(at, first * self.frame - at);
			}
			if at + len > last * self.frame {
				self.add_hole(last * self.frame, at + len - last * self.frame);
			}
		}
	}

	/// Leases extents; `false` (and nothing leased) if pages could then miss what they were promised.
	pub fn lease(&mut self, extents: &[Extent]) -> bool {
		for (i, extent) in extents.iter().enumerate() {
			self.count(*extent, true);
			if self.pinned > self.states.len() - self.promised {
				extents[..=i].iter().for_each(|e| self.count(*e, false));
				return false;
			}
		}
		true
	}

	/// Ends a lease.
	pub fn end_lease(&mut self, extents: &[Extent]) {
		extents.iter().for_each(|e| self.count(*e, false));
	}

	fn count(&mut self, extent: Extent, up: bool) {
		for frame in self.frames_of(extent) {
			let State::Heap(leases) = &mut self.states[frame] else {
				debug_assert!(false, "an extent lies in the heap");
				continue;
			};
			if up {
				*leases += 1;
				self.pinned += usize::from(*leases == 1);
			} else {
				*leases -= 1;
				self.pinned -= usize::from(*leases == 0);
			}
		}
	}
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
	use rand::{Rng, SeedableRng};
	use rand_chacha::ChaCha8Rng;

	use super::*;

	/// An adapter of the model below.
	struct Adapter {
		extents: Vec<Extent>,
		leases: u32,
	}

	fn check(pool: &Pool, pages: &[Frame], adapters: &[Adapter]) {
		let mut ranges: Vec<(usize, usize)> = pages
			.iter()
			.map(|f| (f.0 as usize * pool.frame, pool.frame))
			.chain(
				adapters
					.iter()
					.flat_map(|a| &a.extents)
					.map(|e| (e.at, e.len)),
			)
			.chain(pool.holes.iter().map(|(at, len)| (*at, *len)))
			.chain(
				pool.free
					.iter()
					.map(|f| (f.0 as usize * pool.frame, pool.frame)),
			)
			.collect();
		ranges.sort_unstable();
		let mut at = 0;
		for (start, len) in ranges {
			assert_eq!(start, at, "every byte belongs to one thing");
			at += len;
		}
		assert_eq!(at, pool.states.len() * pool.frame);
		assert_eq!(pool.holes.len(), pool.sizes.len());
		let bytes: usize = adapters
			.iter()
			.flat_map(|a| &a.extents)
			.map(|e| e.len)
			.sum();
		assert_eq!((pool.extent_bytes(), pool.pages()), (bytes, pages.len()));
		let mut pinned = vec![false; pool.states.len()];
		for adapter in adapters.iter().filter(|a| a.leases > 0) {
			for extent in &adapter.extents {
				pool.frames_of(*extent)
					.for_each(|frame| pinned[frame] = true);
			}
		}
		assert_eq!(pool.pinned, pinned.iter().filter(|p| **p).count());
		assert!(pool.pinned + pool.promised <= pool.states.len());
	}

	#[test]
	fn random_operations_should_never_give_a_byte_twice_nor_deny_a_promised_page() {
		for seed in 0..60 {
			let mut rng = ChaCha8Rng::seed_from_u64(seed);
			let frame = ALIGN * rng.random_range(1..9usize);
			let frames = rng.random_range(1..40usize);
			let promised = rng.random_range(0..=frames);
			let mut pool = Pool::new(frames, frame, promised);
			let mut pages: Vec<Frame> = Vec::new();
			let mut adapters: Vec<Adapter> = Vec::new();
			for _ in 0..600 {
				match rng.random_range(0..8) {
					0..=1 if pages.len() < promised => {
						// Idle adapters make room until there is a frame: it may never come to an end without one.
						while !pool.has_free() {
							let idle = adapters.iter().position(|a| a.leases == 0);
							let idle =
								adapters.swap_remove(idle.expect("a promised page is to be had"));
							pool.remove(&idle.extents);
						}
						pages.push(pool.take_page().unwrap());
					}
					2 if !pages.is_empty() => {
						let page = pages.swap_remove(rng.random_range(0..pages.len()));
						pool.retain(page);
						assert_eq!(pool.owners(page), 2);
						pool.release(page);
						pool.release(page);
					}
					3..=4 => {
						let count = rng.random_range(1..6);
						let sizes: Vec<usize> =
							(0..count).map(|_| rng.random_range(0..3 * frame)).collect();
						if let Some(extents) = pool.place(sizes.iter().copied()) {
							for (extent, size) in extents.iter().zip(sizes) {
								assert_eq!(extent.at % ALIGN, 0);
								assert!(extent.len >= size && extent.len < size.max(1) + ALIGN);
							}
							adapters.push(Adapter { extents, leases: 0 });
						}
					}
					5 if !adapters.is_empty() => {
						let at = rng.random_range(0..adapters.len());
						if pool.lease(&adapters[at].extents) {
							adapters[at].leases += 1;
						}
					}
					6 if !adapters.is_empty() => {
						let at = rng.random_range(0..adapters.len());
						if adapters[at].leases > 0 {
							pool.end_lease(&adapters[at].extents);
							adapters[at].leases -= 1;
						}
					}
					7 if !adapters.is_empty() => {
						let at = rng.random_range(0..adapters.len());
						if adapters[at].leases == 0 {
							pool.remove(&adapters.swap_remove(at).extents);
						}
					}
					_ => {}
				}
				check(&pool, &pages, &adapters);
			}
			for adapter in adapters.drain(..) {
				(0..adapter.leases).for_each(|_| pool.end_lease(&adapter.extents));
				pool.remove(&adapter.extents);
			}
			pages.drain(..).for_each(|page| pool.release(page));
			check(&pool, &[], &[]);
			assert_eq!((pool.free.len(), pool.holes.len()), (frames, 0));
		}
	}

	#[test]
	fn adapters_should_take_their_true_size_and_pages_the_rest() {
		let mut pool = Pool::new(10, 1024, 4);
		let small: Vec<_> = (0..6).map(|_| pool.place([300, 300]).unwrap()).collect();
		// Six of two extents of 512 bytes: six frames' worth, none wasted.
		assert_eq!(pool.extent_bytes(), 6 * 1024);
		let pages: Vec<_> = (0..4).map(|_| pool.take_page().unwrap()).collect();
		assert!(pool.take_page().is_none() && pool.place([1]).is_none());
		pool.remove(&small[0]);
		assert!(pool.take_page().is_some());
		assert_eq!(pages.iter().map(|p| p.0).collect::<Vec<_>>(), [0, 1, 2, 3]);
	}

	#[test]
	fn a_lease_that_would_break_the_promise_should_be_refused_whole() {
		let mut pool = Pool::new(4, 1024, 3);
		let one = pool.place([1024]).unwrap();
		let two = pool.place([512, 1024]).unwrap();
		assert!(pool.lease(&one));
		assert!(!pool.lease(&two));
		pool.end_lease(&one);
		assert!(!pool.lease(&two), "it lies in two frames");
		assert_eq!(pool.pinned, 0);
		assert_eq!(pool.leasable(), 1024);
	}

	#[test]
	fn a_tensor_larger_than_a_frame_should_find_neighbouring_frames() {
		let mut pool = Pool::new(6, 1024, 0);
		let low = pool.take_page().unwrap();
		let large = pool.place([2500]).unwrap();
		assert_eq!(
			large[0],
			Extent {
				at: 3072,
				len: 2560
			}
		);
		assert!(pool.place([2500]).is_none(), "two frames are left");
		pool.release(low);
		assert!(pool.place([2500]).is_some());
	}
}
