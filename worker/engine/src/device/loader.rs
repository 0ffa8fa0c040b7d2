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
			spare: Vec::new(),
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
	/// Recorded behind the last copy of it.
	event: Event,
}

/// What the thread has.
struct Stage {
	device: Arc<dyn Device>,
	shape: Shape,
	start: Ptr,
	budget: usize,
	images: HashMap<Resident, Laid>,
	/// Memory of adapters that made room: taking and giving back pinned memory stops the device, so it is used again.
	spare: Vec<Pinned>,
	/// Bytes of both.
	bytes: usize,
	clock: u64,
	stats: LoadStats,
}

impl Stage {
	fn load(&mut self, job: &Job) -> Result<Pinned, DeviceError> {
		self.clock += 1;
		self.copy(job).inspect_err(|_| {
			// Nothing says when the copies that were queued are over, so its memory is nobody else's.
			if let Some(laid) = self.images.remove(&job.key) {
				self.bytes -= laid.image.memory().len();
			}
		})
	}

	fn copy(&mut self, job: &Job) -> Result<Pinned, DeviceError> {
		let image = match self.images.get_mut(&job.key) {
			Some(laid) => {
				(laid.used, laid.event) = (self.clock, job.event);
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

	/// Takes a laid-out adapter's memory that no copy reads: of what the host dropped first, then the least recently
	/// used.
	fn evict(&mut self) -> Option<Pinned> {
		let idle = self
			.images
			.iter()
			.filter(|(_, laid)| self.device.passed(laid.event).unwrap_or(false));
		let victim = idle.min_by_key(|(_, laid)| (laid.weights.strong_count() > 0, laid.used));
		let key = victim.map(|(key, _)| *key)?;
		let laid = self.images.remove(&key)?;
		Some(laid.image.memory().clone())
	}

	/// Memory for so many bytes, and whether it counts towards the budget.
	fn memory(&mut self, needed: usize) -> Result<(Pinned, bool), DeviceError> {
		loop {
			let fits = |memory: &Pinned| (needed..=needed * 2).contains(&memory.len());
			if let Some(at) = self.spare.iter().position(fits) {
				return Ok((self.spare.swap_remove(at), true));
			}
			if self.bytes + needed <= self.budget {
				let memory = self.device.pinned(needed)?;
				self.bytes += needed;
				return Ok((memory, true));
			}
			if let Some(memory) = self.spare.pop() {
				self.bytes -= memory.len();
			} else if let Some(memory) = self.evict() {
				self.spare.push(memory);
			} else {
				return Ok((self.device.pinned(needed)?, false));
			}
		}
	}

	fn lay_out(&mut self, job: &Job) -> Result<Image, DeviceError> {
		let needed = Image::bytes(&self.shape, &job.adapter);
		let (memory, counts) = match self.memory(needed) {
			Err(DeviceError::Memory { .. }) if self.bytes > 0 => {
				// The host has less than the budget says.
				self.images.clear();
				self.spare.clear();
				self.bytes = 0;
				self.memory(needed)?
			}
			memory => memory?,
		};
		let image = Image::new(&self.shape, &job.adapter, memory)?;
		if counts {
			let laid = Laid {
				weights: Arc::downgrade(&job.adapter),
				image: image.clone(),
				used: self.clock,
				event: job.event,
			};
			self.images.insert(job.key, laid);
		}
		Ok(image)
	}
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
	use openledger_kernels::{
		device::{Element, Twin},
		LoraStore,
	};

	use super::*;
	use crate::{
		adapter::{AdapterConfig, Site},
		device::{check, image, pool::ALIGN, residents::resident},
	};

	#[test]
	fn every_load_should_arrive_whole_though_memory_is_used_again() {
		let config = check::shape();
		let adapters: Vec<Arc<LoraWeights>> = (1..4)
			.map(|seed| {
				let files = check::random_adapter(&config, seed, 4, &["q_proj"]).unwrap();
				let parsed = AdapterConfig::parse(&files.config).unwrap();
				Arc::new(LoraWeights::parse(&parsed, &files.weights, &config).unwrap())
			})
			.collect();
		let shape = Shape::new(&config, Element::Bf16);
		let needed = Image::bytes(&shape, &adapters[0]);
		for budget in [0, needed * 3 / 2, needed * 5] {
			let device: Arc<dyn Device> = Arc::new(Twin::new(8 << 20).unwrap());
			let start = device.arena().start;
			let mut loader = Loader::start(&device, shape.clone(), start, budget).unwrap();
			for turn in 0..12 {
				let adapter = &adapters[turn % 3];
				let mut at = turn % 4 * needed;
				let sizes = image::sizes(&shape, adapter).into_iter();
				let extents: Vec<Extent> = sizes
					.map(|size| {
						let len = size.next_multiple_of(ALIGN);
						at += len;
						Extent { at: at - len, len }
					})
					.collect();
				loader.load(resident(adapter), adapter, &extents).unwrap();
				let ended = loader.ended(true);
				assert_eq!(ended.len(), 1);
				assert_eq!(
					(ended[0].key, &ended[0].result),
					(resident(adapter), &Ok(()))
				);
				let LoraStore::Bf16(wanted) = &adapter.site(1, Site::Qkv).slices[0].b else {
					panic!("the file is bf16")
				};
				let wanted: Vec<u8> = wanted.iter().flat_map(|v| v.to_le_bytes()).collect();
				let mut got = vec![0; wanted.len()];
				let last = extents.last().unwrap();
				device.read(start.at(last.at), &mut got).unwrap();
				assert_eq!(got, wanted, "turn {turn}, budget {budget}");
			}
			assert!(loader.ended(true).is_empty(), "nothing is under way");
			let stats = loader.stats();
			let hits = if budget == needed * 5 { 9 } else { 0 };
			assert_eq!((stats.loads, stats.pinned_hits), (12, hits));
			assert_eq!(stats.bytes, 12 * needed as u64);
		}
	}
}
