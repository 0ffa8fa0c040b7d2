//! What handles and the scheduler share: the way in, with its bounds, and the counters.

use std::{
	collections::HashMap,
	sync::{
		atomic::{AtomicU64, AtomicUsize, Ordering},
		Condvar, Mutex, MutexGuard, PoisonError,
	},
	time::{Duration, Instant},
};

use futures::channel::mpsc::UnboundedSender;

use crate::{
	error::EngineError,
	request::{Request, StreamEvent, Wake},
	tenant::Tenant,
	usage::Usage,
};

/// What a refused request is told to wait, at least and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(120));

/// A request on its way to the scheduler.
pub(crate) struct Job {
	pub request: Request,
	pub tenant: Tenant,
	pub events: UnboundedSender<StreamEvent>,
	/// When it was submitted.
	pub since: Instant,
}

/// Most requests that may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueBounds {
	pub all: usize,
	pub tenant: usize,
}

#[derive(Default)]
struct Inbox {
	jobs: Vec<Job>,
	/// Requests that wait, here or in the scheduler.
	waiting: HashMap<Tenant, usize>,
	signalled: bool,
	stop: bool,
}

/// Counts since the engine's start, but for the first four, which are of now.
#[derive(Default)]
pub(crate) struct Counters {
	pub running: AtomicUsize,
	pub kv_bytes: AtomicUsize,
	pub kv_cached: AtomicUsize,
	pub kv_reserved: AtomicUsize,
	pub tokens_in: AtomicU64,
	pub cached_tokens: AtomicU64,
	pub tokens_out: AtomicU64,
	pub steps: AtomicU64,
	pub prefix_evictions: AtomicU64,
	pub begun: AtomicU64,
	pub queue_us: AtomicU64,
	pub refused: AtomicU64,
	pub cancelled: AtomicU64,
	pub deadlines: AtomicU64,
	pub failed: AtomicU64,
}

/// Adds to a counter of which nothing else depends.
pub(crate) fn count(counter: &AtomicU64, by: u64) {
	counter.fetch_add(by, Ordering::Relaxed);
}

/// What handles and the scheduler share.
#[derive(Default)]
pub(crate) struct Shared {
	inbox: Mutex<Inbox>,
	signal: Condvar,
	usage: Mutex<Usage>,
	/// Requests that wait.
	pub waiting: AtomicUsize,
	pub counters: Counters,
	/// Microseconds between two requests that were begun while others waited; 0 if that is not known.
	pub interval_us: AtomicU64,
}

impl Shared {
	fn lock(&self) -> MutexGuard<'_, Inbox> {
		self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// The counters of the tenants.
	pub fn usage(&self) -> MutexGuard<'_, Usage> {
		self.usage.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Queues a job unless too many wait already.
	pub fn submit(&self, job: Job, bounds: QueueBounds) -> Result<(), EngineError> {
		let mut inbox = self.lock();
		if inbox.stop {
			return Err(EngineError::ShuttingDown);
		}
		let all = self.waiting.load(Ordering::Acquire);
		let own = inbox.waiting.get(&job.tenant).copied().unwrap_or(0);
		if all >= bounds.all || own >= bounds.tenant {
			let tenants = inbox.waiting.len().max(1);
			drop(inbox);
			count(&self.counters.refused, 1);
			self.usage().of(job.tenant).refused += 1;
			return Err(if all >= bounds.all {
				EngineError::QueueFull {
					waiting: all,
					retry_after: self.half_of(all),
				}
			} else {
				// Tenants take turns, so its requests go as slowly as if all others had as many.
				EngineError::TenantQueueFull {
					waiting: own,
					retry_after: self.half_of(own.saturating_mul(tenants).min(all)),
				}
			});
		}
		self.waiting.fetch_add(1, Ordering::AcqRel);
		*inbox.waiting.entry(job.tenant).or_default() += 1;
		inbox.jobs.push(job);
		inbox.signalled = true;
		self.signal.notify_all();
		Ok(())
	}

	/// How long half of so many waiting requests take to be begun: sooner, those who come back would find the queue
	/// about as full again.
	fn half_of(&self, waiting: usize) -> Duration {
		let interval = self.interval_us.load(Ordering::Relaxed);
		let half = u64::try_from(waiting / 2).unwrap_or(u64::MAX).max(1);
		Duration::from_micros(interval.saturating_mul(half)).clamp(RETRY.0, RETRY.1)
	}

	/// To be called when a request waits no longer.
	pub fn left(&self, tenant: &Tenant) {
		let mut inbox = self.lock();
		self.waiting.fetch_sub(1, Ordering::AcqRel);
		if let Some(own) = inbox.waiting.get_mut(tenant) {
			*own -= 1;
			if *own == 0 {
				inbox.waiting.remove(tenant);
			}
		}
	}

	/// New jobs, and whether to stop. If `idle`, waits first until there is something to do, or until `deadline`.
	pub fn take(&self, idle: bool, deadline: Option<Instant>) -> (Vec<Job>, bool) {
		let mut inbox = self.lock();
		while idle && !inbox.signalled && !inbox.stop {
			let Some(deadline) = deadline else {
				inbox = self
					.signal
					.wait(inbox)
					.unwrap_or_else(PoisonError::into_inner);
				continue;
			};
			let left = deadline.saturating_duration_since(Instant::now());
			if left.is_zero() {
				break;
			}
			inbox = self
				.signal
				.wait_timeout(inbox, left)
				.unwrap_or_else(PoisonError::into_inner)
				.0;
		}
		inbox.signalled = false;
		(std::mem::take(&mut inbox.jobs), inbox.stop)
	}

	pub fn stop(&self) {
		self.lock().stop = true;
		self.signal.notify_all();
	}
}

impl Wake for Shared {
	fn wake(&self) {
		self.lock().signalled = true;
		self.signal.notify_all();
	}
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
	use super::*;

	fn job(tenant: Tenant) -> Job {
		Job {
			request: Request::default(),
			tenant,
			events: futures::channel::mpsc::unbounded().0,
			since: Instant::now(),
		}
	}

	#[test]
	fn a_full_queue_should_say_when_to_come_back() {
		let shared = Shared::default();
		let bounds = QueueBounds {
			all: 40,
			tenant: 30,
		};
		let (many, few) = (Tenant::of("many"), Tenant::of("few"));
		for _ in 0..30 {
			shared.submit(job(many), bounds).unwrap();
		}
		let error = shared.submit(job(many), bounds).unwrap_err();
		assert_eq!(error.code(), "tenant-queue-full");
		assert_eq!(error.retry_after(), Some(1), "nothing is known yet");
		shared.interval_us.store(500_000, Ordering::Relaxed);
		for _ in 0..10 {
			shared.submit(job(few), bounds).unwrap();
		}
		let error = shared.submit(job(few), bounds).unwrap_err();
		assert_eq!(
			(error.code(), error.retry_after()),
			("queue-full", Some(10))
		);
		shared.interval_us.store(u64::MAX, Ordering::Relaxed);
		let error = shared.submit(job(few), bounds).unwrap_err();
		assert_eq!(error.retry_after(), Some(120));
		for _ in 0..10 {
			shared.left(&few);
		}
		assert_eq!(
			shared.lock().waiting.len(),
			1,
			"who waits no longer is forgotten"
		);
		assert!(shared.submit(job(few), bounds).is_ok());
		let refused = |tenant| shared.usage().of(tenant).refused;
		assert_eq!((refused(many), refused(few)), (1, 2));
	}
}
