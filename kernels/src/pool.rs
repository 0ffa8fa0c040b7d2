//! A fork-join pool for regions of a few microseconds.
//!
//! A decoding step of a small model is some 150 matrix products of 10 to 100 µs each, so handing work over must cost
//! well under a microsecond. Workers therefore look for the next region for [`SPIN`] after the last one, and then
//! sleep: an idle engine uses no processor time. The calling thread works too.
//!
//! A region is a number of parts which the threads claim one by one, so a thread that the operating system takes off
//! its core delays one part only. Which thread computes a part never changes a result: parts write disjoint outputs.

use std::{
	panic::{catch_unwind, resume_unwind, AssertUnwindSafe},
	sync::{
		atomic::{fence, AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering},
		Arc, Mutex, TryLockError,
	},
	thread::{JoinHandle, Thread},
	time::{Duration, Instant},
};

/// How long a worker looks for the next region before it sleeps: longer than what a step does between two regions,
/// about as long as waking a sleeping thread takes.
const SPIN: Duration = Duration::from_micros(200);

/// Looks between two pauses. A pause on every look would have a hypervisor take the processor away from a thread that
/// waits for a microsecond: it takes a row of pauses for a lock whose holder does not run.
const PAUSE: u32 = 64;

/// Looks between two glances at the clock.
const GLANCE: u32 = 1024;

/// The closure of a region behind a thin pointer.
type Call = unsafe fn(*const (), usize);

/// Low half of the ticket while the next region is being prepared.
const CLOSED: u64 = 0xffff_ffff;

/// State the threads share. `ticket` holds the number of the region (high half) and the next unclaimed part (low half).
struct Shared {
	ticket: AtomicU64,
	parts: AtomicUsize,
	call: AtomicPtr<()>,
	data: AtomicPtr<()>,
	finished: AtomicUsize,
	panicked: AtomicBool,
	stop: AtomicBool,
	parked: Vec<AtomicBool>,
}

impl Shared {
	/// Runs unclaimed parts of the current region until there are none.
	fn help(&self) {
		let mut ticket = self.ticket.load(Ordering::Acquire);
		loop {
			let part = (ticket & CLOSED) as usize;
			let parts = self.parts.load(Ordering::Acquire);
			let call = self.call.load(Ordering::Acquire);
			let data = self.data.load(Ordering::Acquire);
			if part >= parts {
				return;
			}
			// Success proves that nothing was published since `ticket` was read: the region cannot end, and so
			// its fields cannot change, before its last part was claimed.
			match self.ticket.compare_exchange_weak(
				ticket,
				ticket + 1,
				Ordering::AcqRel,
				Ordering::Acquire,
			) {
				Err(now) => ticket = now,
				Ok(_) => {
					// SAFETY: `call` was stored from a `Call`, and `data` is the closure it expects; the caller of
					// `run` keeps it alive until this part is counted as finished.
					let ran = catch_unwind(AssertUnwindSafe(|| unsafe {
						std::mem::transmute::<*mut (), Call>(call)(data, part)
					}));
					if ran.is_err() {
						self.panicked.store(true, Ordering::Relaxed);
					}
					self.finished.fetch_add(1, Ordering::Release);
					ticket = self.ticket.load(Ordering::Acquire);
				}
			}
		}
	}

	fn work(&self, worker: usize) {
		let mut seen = 0;
		let mut since = Instant::now();
		let mut looks = 0u32;
		while !self.stop.load(Ordering::Relaxed) {
			let ticket = self.ticket.load(Ordering::Acquire) >> 32;
			if ticket != seen {
				seen = ticket;
				self.help();
				since = Instant::now();
				looks = 0;
				continue;
			}
			looks += 1;
			if looks.is_multiple_of(PAUSE) {
				std::hint::spin_loop();
			}
			if looks < GLANCE {
				continue;
			}
			looks = 0;
			if since.elapsed() < SPIN {
				// Whoever else wants this processor may be whom the next region waits for.
				std::thread::yield_now();
				continue;
			}
			// Announce the sleep, then look once more: `run` publishes first and looks for sleepers afterwards.
			self.parked[worker].store(true, Ordering::Relaxed);
			fence(Ordering::SeqCst);
			while self.ticket.load(Ordering::Relaxed) >> 32 == seen
				&& !self.stop.load(Ordering::Relaxed)
				&& self.parked[worker].load(Ordering::Relaxed)
			{
				std::thread::park();
			}
			self.parked[worker].store(false, Ordering::Relaxed);
			since = Instant::now();
		}
	}

	/// Wakes the workers that sleep.
	fn wake(&self, threads: &[Thread]) {
		fence(Ordering::SeqCst);
		for (parked, thread) in self.parked.iter().zip(threads) {
			if parked.load(Ordering::Relaxed) && parked.swap(false, Ordering::Relaxed) {
				thread.unpark();
			}
		}
	}
}

/// Threads that compute the parts of a region together. Dropping the pool ends them.
pub struct Pool {
	shared: Arc<Shared>,
	workers: Vec<JoinHandle<()>>,
	wakers: Vec<Thread>,
	/// Held during a region: there is one at a time.
	busy: Mutex<()>,
}

impl std::fmt::Debug for Pool {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("Pool")
			.field("threads", &self.threads())
			.finish()
	}
}

impl Pool {
	/// A pool in which `threads` threads compute, the caller of [`Pool::run`] being one of them.
	///
	/// # Errors
	/// When the operating system refuses a thread.
	pub fn new(threads: usize) -> std::io::Result<Self> {
		let others = threads.saturating_sub(1);
		let mut pool = Self::of(others);
		for worker in 0..others {
			let shared = Arc::clone(&pool.shared);
			let thread = std::thread::Builder::new()
				.name(format!("kernels-{worker}"))
				.spawn(move || shared.work(worker))?;
			pool.wakers.push(thread.thread().clone());
			pool.workers.push(thread);
		}
		Ok(pool)
	}

	/// A pool without threads of its own: everything runs on the caller.
	pub fn serial() -> Self {
		Self::of(0)
	}

	fn of(others: usize) -> Self {
		Self {
			shared: Arc::new(Shared {
				ticket: AtomicU64::new(0),
				parts: AtomicUsize::new(0),
				call: AtomicPtr::new(std::ptr::null_mut()),
				data: AtomicPtr::new(std::ptr::null_mut()),
				finished: AtomicUsize::new(0),
				panicked: AtomicBool::new(false),
				stop: AtomicBool::new(false),
				parked: (0..others).map(|_| AtomicBool::new(false)).collect(),
			}),
			workers: Vec::with_capacity(others),
			wakers: Vec::with_capacity(others),
			busy: Mutex::new(()),
		}
	}

	/// Threads that compute, the caller included.
	pub fn threads(&self) -> usize {
		self.workers.len() + 1
	}

	/// Calls `part` with every number below `parts`, in any order and on any thread, and returns when all are done.
	///
	/// From inside a part, or while another thread uses the pool, all parts run on the caller.
	///
	/// # Panics
	/// When a part panics; the other parts are finished first.
	pub fn run<F: Fn(usize) + Sync>(&self, parts: usize, part: F) {
		let alone = || (0..parts).for_each(&part);
		if self.workers.is_empty() || parts < 2 || parts >= CLOSED as usize {
			return alone();
		}
		let _busy = match self.busy.try_lock() {
			Ok(guard) => guard,
			Err(TryLockError::Poisoned(guard)) => guard.into_inner(),
			Err(TryLockError::WouldBlock) => return alone(),
		};
		unsafe fn call<F: Fn(usize)>(data: *const (), part: usize) {
			// SAFETY: `data` points to the closure of the region, see `run`.
			unsafe { (*data.cast::<F>())(part) }
		}
		let shared = &*self.shared;
		// The last region is closed first, so that no late worker takes the new number of parts for the old one's:
		// whoever sees a field of the new region fails to exchange the old ticket.
		let last = shared.ticket.load(Ordering::Relaxed) >> 32;
		shared.ticket.store(last << 32 | CLOSED, Ordering::Relaxed);
		shared.finished.store(0, Ordering::Release);
		shared
			.call
			.store(call::<F> as Call as *mut (), Ordering::Release);
		shared
			.data
			.store((&raw const part).cast::<()>().cast_mut(), Ordering::Release);
		shared.parts.store(parts, Ordering::Release);
		shared
			.ticket
			.store(last.wrapping_add(1) << 32, Ordering::Release);
		shared.wake(&self.wakers);
		shared.help();
		let mut looks = 0u32;
		while shared.finished.load(Ordering::Acquire) < parts {
			looks = looks.wrapping_add(1);
			if looks.is_multiple_of(PAUSE) {
				std::hint::spin_loop();
			}
			// A worker that was taken off its core may need this one.
			if looks.is_multiple_of(4 * GLANCE) {
				std::thread::yield_now();
			}
		}
		if shared.panicked.swap(false, Ordering::Relaxed) {
			drop(_busy);
			resume_unwind(Box::new("a part of a kernel panicked"));
		}
	}
}

impl Drop for Pool {
	fn drop(&mut self) {
		self.shared.stop.store(true, Ordering::SeqCst);
		self.shared.wake(&self.wakers);
		for worker in self.workers.drain(..) {
			worker.thread().unpark();
			// A part's panic was caught, so the thread itself ends well.
			let _ended = worker.join();
		}
	}
}
