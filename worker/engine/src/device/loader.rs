//! Brings adapters from host memory into the device's, beside the steps.
//!
//! A thread of its own lays an adapter out in pinned memory and queues the copies on the load stream; the event behind
//! them says when it can be used. Neither waits for a step nor makes one wait. The laid-out adapters stay in pinned
//! memory within a budget: an adapter that the device dropped comes back at the speed of the bus.

use std::{
	collections::{HashMap, VecDeque},
	sync::{
		mpsc::{self, Receiver, Sender, TryRecvError},
		Arc, Weak,
	},
	thread::JoinHandle,
};

use openledger_kernels::device::{Device, DeviceError, Event, Pinned, Ptr, Stream};

use super::{
	image::{Image, Shape},
	pool::Extent,
	residents::Resident,
};
use crate::adapter::LoraWeights;

/// An adapter to be brought.
struct Job {
	key: Resident,
	adapter: Arc<LoraWeights>,
	extents: Vec<Extent>,
	/// Recorded behind the copies.
	event: Event,
}

/// What became of it: its event, and the memory that the copies read until then.
type Queued = (Resident, Event, Result<Pinned, DeviceError>);

/// Counters of the loader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadStats {
	/// Adapters brought to the device.
	pub loads: u64,
	/// Bytes copied for them.
	pub bytes: u64,
	/// Loads whose laid-out adapter was still in pinned memory.
	pub pinned_hits: u64,
}

/// What ended.
pub(crate) struct Ended {
	pub key: Resident,
	pub result: Result<(), DeviceError>,
}

pub(crate) struct Loader {
	device: Arc<dyn Device>,
	jobs: Option<Sender<Job>>,
	queued: Receiver<(Queued, LoadStats)>,
	thread: Option<JoinHandle<()>>,
	/// Copies under way, in the order of the stream.
	under_way: VecDeque<(Resident, Event, Pinned)>,
	events: Vec<Event>,
	/// Jobs that the thread has not answered.
	pending: usize,
	stats: LoadStats,
}

impl Loader {
	/// Starts the thread. `start` is the address of the pool, `budget` what laid-out adapters may take of pinned memory
	/// when nobody waits for them.
	pub fn start(
		device: &Arc<dyn Device>,
		shape: Shape,
		start: Ptr,
		budget: usize,
	) -> std::io::Result<Self> {
		let (jobs, todo) = mpsc::channel::<Job>();
		let (done, queued) = mpsc::channel();
		let mut stage = Stage {
			device: Arc::clone(device),
			shape,
			start,
			budget,
			images: HashMap::new(),
			bytes: 0,
			clock: 0,
			stats: LoadStats::default(),
		};
		let thread = std::thread::Builder::new()
			.name("device-loads".into())
			.spawn(move || {
				while let Ok(job) = todo.recv() {
					let result = stage.load(&job);
					let (key, event) = (job.key, job.event);
					// The adapter is let go before anybody learns that it is there.
					drop(job);
					if done.send(((key, event, result), stage.stats)).is_err() {
						return;
					}
				}
			})?;
		Ok(Self {
			device: Arc::clone(device),
			jobs: Some(jobs),
			queued,
			thread: Some(thread),
			under_way: VecDeque::new(),
			events: Vec::new(),
			pending: 0,
			stats: LoadStats::default(),
		})
	}

	/// Counters.
	pub fn stats(&self) -> LoadStats {
		self.stats
	}

	/// Begins to bring an adapter.
	pub fn load(
		&mut self,
		key: Resident,
		adapter: &Arc<LoraWeights>,
		extents: &[Extent],
	) -> Result<(), DeviceError> {
		let event = match self.events.pop() {
			Some(event) => event,
			None => self.device.event()?,
		};
		let job = Job {
			key,
			adapter: Arc::clone(adapter),
			extents: extents.to_vec(),
			event,
		};
		let sent = self.jobs.as_ref().map(|jobs| jobs.send(job));
		match sent {
			Some(Ok(())) => {
				self.pending += 1;
				Ok(())
			}
			_ => Err(lost()),
		}
	}

	fn take(&mut self, ((key, event, result), stats): (Queued, LoadStats)) -> Option<Ended> {
		self.stats = stats;
		self.pending -= 1;
		match result {
			Ok(memory) => {
				self.under_way.push_back((key, event, memory));
				None
			}
			Err(error) => {
				self.events.push(event);
				Some(Ended {
					key,
					result: Err(error),
				})
			}
		}
	}

	/// The loads that ended since; with `wait`, waits for one if any is under way.
	pub fn ended(&mut self, wait: bool) -> Vec<Ended> {
		let mut ended = Vec::new();
		loop {
			let idle = ended.is_empty() && self.under_way.is_empty();
			let received = match wait && idle && self.pending > 0 {
				true => self.queued.recv().map_err(|_| TryRecvError::Disconnected),
				false => self.queued.try_recv(),
			};
			match received {
				Ok(queued) => ended.extend(self.take(queued)),
				Err(_) => break,
			}
		}
		while let Some((key, event, _)) = self.under_way.front() {
			let key = *key;
			let passed = match wait && ended.is_empty() {
				true => self.device.finish(*event).map(|()| true),
				false => self.device.passed(*event),
			};
			let result = match passed {
				Ok(false) => break,
				Ok(true) => Ok(()),
				Err(error) => Err(error),
			};
			if let Some((_, event, _)) = self.under_way.pop_front() {
				self.events.push(event);
			}
			ended.push(Ended { key, result });
		}
		ended
	}
}

fn lost() -> DeviceError {
	DeviceError::Driver {
		call: "load",
		why: "the thread that loads adapters has ended".into(),
	}
}

impl Drop for Loader {
	fn drop(&mut self) {
		self.jobs = None;
		if self.thread.take().is_some_and(|t| t.join().is_err()) {
			tracing::error!("the thread that loads adapters had panicked");
		}
		// What a copy still reads must outlive it.
		if self.device.synchronize(Stream::Load).is_err() {
			tracing::debug!("the load stream ended with an error");
		}
	}
}

/// A laid-out adapter.
struct Laid {
	weights: Weak<LoraWeights>,
	image: Image,
	used: u64,
}

/// What the thread has.
struct Stage {
	device: Arc<dyn Device>,
	shape: Shape,
	start: Ptr,
	budget: usize,
	images: HashMap<Resident, Laid>,
	bytes: usize,
	clock: u64,
	stats: LoadStats,
}

impl Stage {
	fn load(&mut self, job: &Job) -> Result<Pinned, DeviceError> {
		self.clock += 1;
		let image = match self.images.get_mut(&job.key) {
			Some(laid) => {
				laid.used = self.clock;
				self.stats.pinned_hits += 1;
				laid.image.clone()
			}
			None => self.lay_out(job)?,
		};
		let addresses: Vec<Ptr> = job.extents.iter().map(|e| self.start.at(e.at)).collect();
		image.place(&self.shape, &job.adapter, &addresses)?;
		for copy in image.copies(&addresses) {
			let (to, from) = (copy.to, copy.from);
			self.device
				.copy_in(Stream::Load, to, image.memory(), from, copy.bytes)?;
			self.stats.bytes += copy.bytes as u64;
		}
		self.device.record(Stream::Load, job.event)?;
		self.stats.loads += 1;
		Ok(image.memory().clone())
	}

	/// Makes room among the laid-out adapters: what the host dropped goes first, then the least recently used.
	fn make_room(&mut self, needed: usize) {
		while self.bytes + needed > self.budget {
			let victim = self
				.images
				.iter()
				.min_by_key(|(_, laid)| (laid.weights.strong_count() > 0, laid.used));
			let Some(key) = victim.map(|(key, _)| *key) else {
				return;
			};
			if let Some(laid) = self.images.remove(&key) {
				self.bytes -= laid.image.memory().len();
			}
		}
	}

	fn lay_out(&mut self, job: &Job) -> Result<Image, DeviceError> {
		let needed = Image::bytes(&self.shape, &job.adapter);
		self.make_room(needed);
		let memory = match self.device.pinned(needed) {
			Err(DeviceError::Memory { .. }) if !self.images.is_empty() => {
				self.images.clear();
				self.bytes = 0;
				self.device.pinned(needed)?
			}
			memory => memory?,
		};
		let image = Image::new(&self.shape, &job.adapter, memory)?;
		if self.bytes + needed <= self.budget {
			self.bytes += needed;
			let laid = Laid {
				weights: Arc::downgrade(&job.adapter),
				image: image.clone(),
				used: self.clock,
			};
			self.images.insert(job.key, laid);
		}
		Ok(image)
	}
}
