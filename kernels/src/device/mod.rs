//! Kernels over a device's own memory: what an accelerator can be asked to do, and who can do it.
//!
//! Terms: a *device* has one *arena* of memory, taken once at the start; what lies where in it is the caller's
//! business. A [`Ptr`] is an address in it. An [`Op`] is one launch: fixed shapes and addresses, and addresses of
//! *tables* ([`tables`]) that the host fills anew for every step ([`plan`]). Because everything that changes between
//! steps is in tables, a sequence of launches can be captured once as a [`Graph`] and replayed.
//!
//! A step, as an engine runs it: fill the tables in a [`Pinned`] buffer ([`plan::Layout::fill`]), copy them into the
//! arena, replay the graph of the step's size (or launch the operations), copy the logits out, wait for an event.
//!
//! Two devices exist. [`Twin`] computes in the host's memory, plainly and with every access checked: it is the
//! reference, and it lets everything above this line be tested where there is no accelerator. [`Cuda`] is the real
//! one; it is found at run time.
//!
//! Promises:
//! - **Row determinism.** The result of a row depends on that row alone, bit for bit: never on how many others share
//!   the batch, on the capacity of a table or on how a prompt was cut into steps. Sums are split by position, never
//!   by batch size, and few and many rows meet the same arithmetic. [`Gemm::library`] gives that up by name.
//! - **Nothing is padded** to the largest: ranks are true, chunks have their own, rows beyond a count are not
//!   computed (or, by the library, are computed in vain).
//! - **Errors, no panics.** Bad shapes and addresses outside the arena are refused before anything is launched.
//!   What a table says is checked when the plan makes it; [`Twin`] checks it again at every access.

pub mod conformance;
mod cuda;
mod error;
mod op;
pub mod plan;
pub mod tables;
mod twin;

pub use cuda::Cuda;
pub use error::DeviceError;
pub use op::{
	Append, Attention, Convert, Copy, Count, Element, Embed, Gemm, HeadNorms, Lora, LoraColumns,
	Op, RmsNorm, Rope, Sample, SiluMul, WeightFormat, Weights,
};

pub use twin::Twin;

use std::{fmt, sync::Arc};

/// An address in a device's arena, in bytes. Zero is nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ptr(pub u64);

impl Ptr {
	/// The address `bytes` further on.
	pub fn at(self, bytes: usize) -> Self {
		Self(self.0.wrapping_add(bytes as u64))
	}
}

/// All of a device's memory that kernels may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arena {
	/// Its first byte; aligned to 256.
	pub start: Ptr,
	/// Its size.
	pub bytes: usize,
}

impl Arena {
	/// Whether `bytes` from `at` lie inside.
	pub fn holds(&self, at: Ptr, bytes: usize) -> bool {
		at.0.checked_sub(self.start.0).is_some_and(|offset| {
			offset
				.checked_add(bytes as u64)
				.is_some_and(|end| end <= self.bytes as u64)
		})
	}
}

/// Where work is queued. Work of one stream runs in order, the streams beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
	/// The steps.
	Compute,
	/// Loads of weights and adapters.
	Load,
}

/// What a device is.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceInfo {
	/// Its name, as its driver says.
	pub name: String,
	/// `twin` or `cuda`.
	pub kind: &'static str,
	/// Compute capability, as (9, 0); (0, 0) for the twin.
	pub capability: (u32, u32),
	/// Version of the driver, as 13000 for 13.0; 0 for the twin.
	pub driver: u32,
	/// Processors that run blocks.
	pub processors: u32,
	/// Memory that was free when it was opened, the arena included.
	pub free_bytes: usize,
	/// All of its memory.
	pub total_bytes: usize,
	/// Where its kernels come from: `host`, `embedded` or `nvrtc`.
	pub kernels: &'static str,
	/// Whether [`Gemm::library`] is possible.
	pub library: bool,
}

/// A point in a stream's work. The device owns it and frees it when it is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event(pub(crate) usize);

/// Captured work. The device owns it until [`Device::drop_graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Graph(pub(crate) usize);

/// Host memory that a device reads and writes by itself. Clones share it; it is freed with the last of them.
///
/// It is copied into and out of, never borrowed: a copy that is still queued may touch it at any time. What it holds
/// while such a copy is under way is undefined, nothing else is.
#[derive(Clone)]
pub struct Pinned(Arc<dyn HostMemory>);

/// The memory behind a [`Pinned`].
pub(crate) trait HostMemory: Send + Sync {
	/// First byte and size; valid as long as `self`.
	fn place(&self) -> (*mut u8, usize);
}

impl fmt::Debug for Pinned {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "Pinned({} bytes)", self.len())
	}
}

impl Pinned {
	pub(crate) fn new(memory: Arc<dyn HostMemory>) -> Self {
		Self(memory)
	}

	/// Its size in bytes.
	pub fn len(&self) -> usize {
		self.0.place().1
	}

	/// Whether it has no bytes.
	pub fn is_empty(&self) -> bool {
		self.len() == 0
	}

	/// Address of `bytes` bytes from `at`.
	pub(crate) fn part(&self, at: usize, bytes: usize) -> Result<*mut u8, DeviceError> {
		let (start, len) = self.0.place();
		match at.checked_add(bytes) {
			Some(end) if end <= len => {
				// SAFETY: `at` is at most the size of the memory.
				Ok(unsafe { start.add(at) })
			}
			_ => Err(DeviceError::Host { at, bytes, len }),
		}
	}

	/// Copies `bytes` to position `at`.
	///
	/// # Errors
	/// [`DeviceError::Host`] when they do not fit.
	pub fn write(&self, at: usize, bytes: &[u8]) -> Result<(), DeviceError> {
		let to = self.part(at, bytes.len())?;
		// SAFETY: the part lies inside memory that no Rust reference points into.
		unsafe { std::ptr::copy(bytes.as_ptr(), to, bytes.len()) };
		Ok(())
	}

	/// Copies what is at position `at` into `bytes`.
	///
	/// # Errors
	/// [`DeviceError::Host`] when there is not that much.
	pub fn read(&self, at: usize, bytes: &mut [u8]) -> Result<(), DeviceError> {
		let from = self.part(at, bytes.len())?;
		// SAFETY: the part lies inside memory that no Rust reference points into.
		unsafe { std::ptr::copy(from, bytes.as_mut_ptr(), bytes.len()) };
		Ok(())
	}
}

/// An accelerator, or what stands in for one. Its methods can be called from any thread; queued work is ordered by
/// the order of the calls on a stream.
pub trait Device: Send + Sync {
	/// What it is.
	fn info(&self) -> &DeviceInfo;

	/// Its memory.
	fn arena(&self) -> Arena;

	/// Host memory for copies that the host does not wait for.
	///
	/// # Errors
	/// [`DeviceError::Memory`] when there is not enough.
	fn pinned(&self, bytes: usize) -> Result<Pinned, DeviceError>;

	/// Queues a copy of `bytes` bytes from position `at` of `from` into the arena.
	///
	/// # Errors
	/// [`DeviceError::Outside`], [`DeviceError::Host`], [`DeviceError::Capture`] while capturing,
	/// [`DeviceError::Driver`].
	fn copy_in(
		&self,
		stream: Stream,
		to: Ptr,
		from: &Pinned,
		at: usize,
		bytes: usize,
	) -> Result<(), DeviceError>;

	/// Queues a copy of `bytes` bytes out of the arena to position `at` of `to`.
	///
	/// # Errors
	/// As for [`Device::copy_in`].
	fn copy_out(
		&self,
		stream: Stream,
		to: &Pinned,
		at: usize,
		from: Ptr,
		bytes: usize,
	) -> Result<(), DeviceError>;

	/// Copies `bytes` into the arena behind everything queued, and waits: for starting up and for tests.
	///
	/// # Errors
	/// [`DeviceError::Outside`], [`DeviceError::Capture`], [`DeviceError::Driver`].
	fn write(&self, to: Ptr, bytes: &[u8]) -> Result<(), DeviceError>;

	/// Copies from the arena into `bytes` behind everything queued, and waits.
	///
	/// # Errors
	/// As for [`Device::write`].
	fn read(&self, from: Ptr, bytes: &mut [u8]) -> Result<(), DeviceError>;

	/// Queues setting `bytes` bytes to `value`.
	///
	/// # Errors
	/// [`DeviceError::Outside`], [`DeviceError::Capture`], [`DeviceError::Driver`].
	fn fill(&self, stream: Stream, to: Ptr, value: u8, bytes: usize) -> Result<(), DeviceError>;

	/// Queues an operation, or adds it to the graph that is being captured on the stream. Products run on the compute
	/// stream only.
	///
	/// # Errors
	/// [`DeviceError::Shape`] for shapes the operation cannot do, [`DeviceError::Outside`] for operands that do not
	/// lie in the arena, [`DeviceError::Driver`]. Errors of work queued earlier may come out here.
	fn launch(&self, stream: Stream, op: &Op) -> Result<(), DeviceError>;

	/// A new event that has not been recorded.
	///
	/// # Errors
	/// [`DeviceError::Driver`].
	fn event(&self) -> Result<Event, DeviceError>;

	/// Puts an event behind what is queued on a stream. An event can be recorded again.
	///
	/// # Errors
	/// [`DeviceError::Driver`].
	fn record(&self, stream: Stream, event: Event) -> Result<(), DeviceError>;

	/// Lets a stream wait for an event that was recorded; returns at once.
	///
	/// # Errors
	/// [`DeviceError::Driver`].
	fn wait(&self, stream: Stream, event: Event) -> Result<(), DeviceError>;

	/// Whether an event's turn has come.
	///
	/// # Errors
	/// [`DeviceError::Driver`], also for failed work before the event.
	fn passed(&self, event: Event) -> Result<bool, DeviceError>;

	/// Waits until an event's turn has come.
	///
	/// # Errors
	/// As for [`Device::passed`].
	fn finish(&self, event: Event) -> Result<(), DeviceError>;

	/// Seconds between two events that have passed.
	///
	/// # Errors
	/// As for [`Device::passed`].
	fn seconds(&self, from: Event, to: Event) -> Result<f64, DeviceError>;

	/// Waits until a stream has no work.
	///
	/// # Errors
	/// [`DeviceError::Driver`], also for work that failed.
	fn synchronize(&self, stream: Stream) -> Result<(), DeviceError>;

	/// From here on the stream's operations are not run but remembered. One capture at a time.
	///
	/// # Errors
	/// [`DeviceError::Capture`] when one is under way, [`DeviceError::Driver`].
	fn begin_capture(&self, stream: Stream) -> Result<(), DeviceError>;

	/// Ends the capture. Call it also when a launch within it has failed: nothing is captured then, but the stream is
	/// usable again.
	///
	/// # Errors
	/// [`DeviceError::Capture`] when none is under way on the stream or one of its launches failed,
	/// [`DeviceError::Driver`].
	fn end_capture(&self, stream: Stream) -> Result<Graph, DeviceError>;

	/// Queues captured operations, with what their tables say when they run.
	///
	/// # Errors
	/// [`DeviceError::Capture`] for a graph that was dropped, and those of the operations.
	fn replay(&self, stream: Stream, graph: Graph) -> Result<(), DeviceError>;

	/// Frees a graph; nothing happens if that was done before.
	fn drop_graph(&self, graph: Graph);
}
