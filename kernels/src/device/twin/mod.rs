//! A device in the host's memory: the same operations on the same tables, computed plainly, every access checked.
//!
//! It is lazy on purpose: queued work runs when somebody waits for it, in the order of its stream, and a stream gets
//! ahead of the other no further than events make it. So work that forgets to wait for a load, or a pinned buffer
//! that is written again too early, gives wrong results here every time, not only on a bad day.

mod memory;
mod ops;

use std::{
	collections::VecDeque,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::Instant,
};

use super::{
	Arena, Device, DeviceError, DeviceInfo, Event, Graph, HostMemory, Op, Pinned, Ptr, Stream,
};
use memory::Memory;

/// Where the twin's arena begins: an address that is nobody's, so that it is never mistaken for an offset.
const START: Ptr = Ptr(0x7e00_0000_0000);

/// Something queued.
enum Work {
	Op(Op),
	Graph(Arc<Vec<Op>>),
	In {
		to: Ptr,
		from: Pinned,
		at: usize,
		bytes: usize,
	},
	Out {
		to: Pinned,
		at: usize,
		from: Ptr,
		bytes: usize,
	},
	Fill {
		to: Ptr,
		value: u8,
		bytes: usize,
	},
	/// The event's `n`-th recording.
	Record(usize, u64),
	Wait(usize, u64),
}

#[derive(Clone, Copy, Default)]
struct EventState {
	recorded: u64,
	passed: u64,
	asked: u64,
	stream: usize,
	at: Option<Instant>,
}

/// What computes behind the queues.
pub(crate) trait Executor: Send {
	fn arena(&self) -> Arena;
	fn run(&mut self, op: &Op) -> Result<(), DeviceError>;
	fn bytes(&self, at: Ptr, len: usize) -> Result<&[u8], DeviceError>;
	fn bytes_mut(&mut self, at: Ptr, len: usize) -> Result<&mut [u8], DeviceError>;
}

struct State {
	memory: Box<dyn Executor>,
	streams: [VecDeque<Work>; 2],
	events: Vec<EventState>,
	graphs: Vec<Option<Arc<Vec<Op>>>>,
	/// The stream, its operations, and whether all of them could be launched.
	capture: Option<(Stream, Vec<Op>, bool)>,
	/// The first error of work that ran; every later call gives it again.
	failed: Option<DeviceError>,
}

fn index(stream: Stream) -> usize {
	match stream {
		Stream::Compute => 0,
		Stream::Load => 1,
	}
}

impl State {
	fn run(&mut self, work: Work) -> Result<(), DeviceError> {
		match work {
			Work::Op(op) => self.memory.run(&op),
			Work::Graph(ops) => ops.iter().try_for_each(|op| self.memory.run(op)),
			Work::In {
				to,
				from,
				at,
				bytes,
			} => from.read(at, self.memory.bytes_mut(to, bytes)?),
			Work::Out {
				to,
				at,
				from,
				bytes,
			} => to.write(at, self.memory.bytes(from, bytes)?),
			Work::Fill { to, value, bytes } => {
				self.memory.bytes_mut(to, bytes)?.fill(value);
				Ok(())
			}
			Work::Record(event, time) => {
				let event = &mut self.events[event];
				event.passed = event.passed.max(time);
				event.at = Some(Instant::now());
				Ok(())
			}
			Work::Wait(event, time) => self.advance_to(event, time),
		}
	}

	/// Runs what is queued on a stream until `done`, or all of it.
	fn advance(&mut self, stream: usize, done: impl Fn(&Self) -> bool) -> Result<(), DeviceError> {
		while !done(self) {
			if let Some(error) = &self.failed {
				return Err(error.clone());
			}
			let Some(work) = self.streams[stream].pop_front() else {
				break;
			};
			if let Err(error) = self.run(work) {
				self.failed = Some(error);
			}
		}
		self.healthy()
	}

	fn advance_to(&mut self, event: usize, time: u64) -> Result<(), DeviceError> {
		let stream = self.events[event].stream;
		self.advance(stream, |state| state.events[event].passed >= time)
	}

	fn healthy(&self) -> Result<(), DeviceError> {
		match &self.failed {
			Some(error) => Err(error.clone()),
			None => Ok(()),
		}
	}

	fn all(&mut self) -> Result<(), DeviceError> {
		self.advance(0, |_| false)?;
		self.advance(1, |_| false)
	}

	fn uncaptured(&self, stream: Stream) -> Result<(), DeviceError> {
		match &self.capture {
			Some((captured, ..)) if *captured == stream => Err(DeviceError::Capture(
				"only operations can be captured; copy before or after",
			)),
			_ => Ok(()),
		}
	}

	fn event(&self, event: Event) -> Result<EventState, DeviceError> {
		let state = self.events.get(event.0).copied();
		state.ok_or(DeviceError::Driver {
			call: "event",
			why: "the event is another device's".into(),
		})
	}
}

/// A device in the host's memory.
pub struct Twin {
	info: DeviceInfo,
	arena: Arena,
	state: Mutex<State>,
}

impl Twin {
	/// With an arena of `bytes` bytes. They are not zero, as a device's are not: they hold a pattern that is no
	/// number in any float type.
	///
	/// # Errors
	/// [`DeviceError::Memory`].
	pub fn new(bytes: usize) -> Result<Self, DeviceError> {
		let memory = Memory::new(START, bytes)?;
		Ok(Self::with(Box::new(memory), "the host's memory"))
	}

	/// With something else that computes.
	pub(crate) fn with(memory: Box<dyn Executor>, name: &str) -> Self {
		let arena = memory.arena();
		let bytes = arena.bytes;
		Self {
			info: DeviceInfo {
				name: name.into(),
				kind: "twin",
				capability: (0, 0),
				driver: 0,
				processors: 1,
				free_bytes: bytes,
				total_bytes: bytes,
				kernels: "host",
				library: false,
			},
			arena,
			state: Mutex::new(State {
				memory,
				streams: Default::default(),
				events: Vec::new(),
				graphs: Vec::new(),
				capture: None,
				failed: None,
			}),
		}
	}

	fn state(&self) -> MutexGuard<'_, State> {
		// Every change of the state is whole before anything can panic.
		self.state.lock().unwrap_or_else(PoisonError::into_inner)
	}

	fn inside(&self, what: &'static str, at: Ptr, bytes: usize) -> Result<(), DeviceError> {
		match self.arena.holds(at, bytes) {
			true => Ok(()),
			false => Err(DeviceError::Outside { what, at, bytes }),
		}
	}
}

struct HostBytes {
	start: *mut u8,
	layout: std::alloc::Layout,
	bytes: usize,
}

// SAFETY: the memory is only reached through raw pointers by copies; torn reads are bytes all the same, and whoever
// shares a buffer between threads orders its copies as for any device.
unsafe impl Send for HostBytes {}
// SAFETY: as above.
unsafe impl Sync for HostBytes {}

impl HostMemory for HostBytes {
	fn place(&self) -> (*mut u8, usize) {
		(self.start, self.bytes)
	}
}

impl Drop for HostBytes {
	fn drop(&mut self) {
		// SAFETY: allocated in `pinned` with this layout.
		unsafe { std::alloc::dealloc(self.start, self.layout) };
	}
}

impl Device for Twin {
	fn info(&self) -> &DeviceInfo {
		&self.info
	}

	fn arena(&self) -> Arena {
		self.arena
	}

	fn pinned(&self, bytes: usize) -> Result<Pinned, DeviceError> {
		let none = DeviceError::Memory {
			wanted: bytes,
			free: 0,
		};
		let Ok(layout) = std::alloc::Layout::from_size_align(bytes.max(1), 64) else {
			return Err(none);
		};
		// SAFETY: the layout has at least one byte.
		let start = unsafe { std::alloc::alloc_zeroed(layout) };
		if start.is_null() {
			return Err(none);
		}
		Ok(Pinned::new(Arc::new(HostBytes {
			start,
			layout,
			bytes,
		})))
	}

	fn copy_in(
		&self,
		stream: Stream,
		to: Ptr,
		from: &Pinned,
		at: usize,
		bytes: usize,
	) -> Result<(), DeviceError> {
		self.inside("the target of a copy", to, bytes)?;
		from.part(at, bytes)?;
		let mut state = self.state();
		state.uncaptured(stream)?;
		state.healthy()?;
		state.streams[index(stream)].push_back(Work::In {
			to,
			from: from.clone(),
			at,
			bytes,
		});
		Ok(())
	}

	fn copy_out(
		&self,
		stream: Stream,
		to: &Pinned,
		at: usize,
		from: Ptr,
		bytes: usize,
	) -> Result<(), DeviceError> {
		self.inside("the source of a copy", from, bytes)?;
		to.part(at, bytes)?;
		let mut state = self.state();
		state.uncaptured(stream)?;
		state.healthy()?;
		state.streams[index(stream)].push_back(Work::Out {
			to: to.clone(),
			at,
			from,
			bytes,
		});
		Ok(())
	}

	fn write(&self, to: Ptr, bytes: &[u8]) -> Result<(), DeviceError> {
		self.inside("the target of a copy", to, bytes.len())?;
		let mut state = self.state();
		state.uncaptured(Stream::Compute)?;
		state.all()?;
		state
			.memory
			.bytes_mut(to, bytes.len())?
			.copy_from_slice(bytes);
		Ok(())
	}

	fn read(&self, from: Ptr, bytes: &mut [u8]) -> Result<(), DeviceError> {
		self.inside("the source of a copy", from, bytes.len())?;
		let mut state = self.state();
		state.uncaptured(Stream::Compute)?;
		state.all()?;
		bytes.copy_from_slice(state.memory.bytes(from, bytes.len())?);
		Ok(())
	}

	fn fill(&self, stream: Stream, to: Ptr, value: u8, bytes: usize) -> Result<(), DeviceError> {
		self.inside("the target of a fill", to, bytes)?;
		let mut state = self.state();
		state.uncaptured(stream)?;
		state.healthy()?;
		state.streams[index(stream)].push_back(Work::Fill { to, value, bytes });
		Ok(())
	}

	fn launch(&self, stream: Stream, op: &Op) -> Result<(), DeviceError> {
		let checked = op.check_stream(stream).and_then(|()| op.check(self.arena));
		let mut state = self.state();
		state.healthy()?;
		if let Some((captured, ops, whole)) = &mut state.capture {
			if *captured == stream {
				*whole &= checked.is_ok();
				ops.push(*op);
				return checked;
			}
		}
		checked?;
		state.streams[index(stream)].push_back(Work::Op(*op));
		Ok(())
	}

	fn event(&self) -> Result<Event, DeviceError> {
		let mut state = self.state();
		state.events.push(EventState::default());
		Ok(Event(state.events.len() - 1))
	}

	fn record(&self, stream: Stream, event: Event) -> Result<(), DeviceError> {
		let mut state = self.state();
		state.uncaptured(stream)?;
		state.healthy()?;
		state.event(event)?;
		let own = &mut state.events[event.0];
		own.recorded += 1;
		own.stream = index(stream);
		let time = own.recorded;
		state.streams[index(stream)].push_back(Work::Record(event.0, time));
		Ok(())
	}

	fn wait(&self, stream: Stream, event: Event) -> Result<(), DeviceError> {
		let mut state = self.state();
		state.uncaptured(stream)?;
		state.healthy()?;
		let own = state.event(event)?;
		if own.stream != index(stream) {
			state.streams[index(stream)].push_back(Work::Wait(event.0, own.recorded));
		}
		Ok(())
	}

	fn passed(&self, event: Event) -> Result<bool, DeviceError> {
		let mut state = self.state();
		state.healthy()?;
		let own = state.event(event)?;
		// The first question comes too early; whoever asks again has given the device its time.
		if own.passed < own.recorded && own.asked == own.recorded {
			state.advance_to(event.0, own.recorded)?;
		}
		let own = &mut state.events[event.0];
		own.asked = own.recorded;
		Ok(own.passed >= own.recorded)
	}

	fn finish(&self, event: Event) -> Result<(), DeviceError> {
		let mut state = self.state();
		let own = state.event(event)?;
		state.advance_to(event.0, own.recorded)
	}

	fn seconds(&self, from: Event, to: Event) -> Result<f64, DeviceError> {
		let state = self.state();
		match (state.event(from)?.at, state.event(to)?.at) {
			(Some(from), Some(to)) => Ok(to.saturating_duration_since(from).as_secs_f64()),
			_ => Err(DeviceError::Driver {
				call: "seconds",
				why: "an event has not passed".into(),
			}),
		}
	}

	fn synchronize(&self, stream: Stream) -> Result<(), DeviceError> {
		let mut state = self.state();
		state.uncaptured(stream)?;
		state.advance(index(stream), |_| false)
	}

	fn begin_capture(&self, stream: Stream) -> Result<(), DeviceError> {
		let mut state = self.state();
		state.healthy()?;
		if state.capture.is_some() {
			return Err(DeviceError::Capture("one capture at a time"));
		}
		state.capture = Some((stream, Vec::new(), true));
		Ok(())
	}

	fn end_capture(&self, stream: Stream) -> Result<Graph, DeviceError> {
		let mut state = self.state();
		match state.capture.take() {
			Some((captured, ops, whole)) if captured == stream => {
				if !whole {
					return Err(DeviceError::Capture("a launch within it failed"));
				}
				state.graphs.push(Some(Arc::new(ops)));
				Ok(Graph(state.graphs.len() - 1))
			}
			other => {
				state.capture = other;
				Err(DeviceError::Capture(
					"no capture is under way on the stream",
				))
			}
		}
	}

	fn replay(&self, stream: Stream, graph: Graph) -> Result<(), DeviceError> {
		let mut state = self.state();
		state.uncaptured(stream)?;
		state.healthy()?;
		let Some(Some(ops)) = state.graphs.get(graph.0) else {
			return Err(DeviceError::Capture("the graph was dropped"));
		};
		let ops = Arc::clone(ops);
		state.streams[index(stream)].push_back(Work::Graph(ops));
		Ok(())
	}

	fn drop_graph(&self, graph: Graph) {
		if let Some(slot) = self.state().graphs.get_mut(graph.0) {
			*slot = None;
		}
	}
}
