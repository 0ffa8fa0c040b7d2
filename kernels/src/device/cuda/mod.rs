//! A device with a CUDA driver, found at run time: nothing of CUDA is needed to build this or to start.
//!
//! The driver is enough when the kernels were built in (`make kernels`, then build again); otherwise NVRTC compiles
//! the embedded sources when the device is opened. cuBLASLt, if it is there, serves [`Gemm::library`](super::Gemm).
//!
//! No GPU has run this yet: what is checked elsewhere are the kernels' sources, on a processor, and how operations
//! become launches. `OPENLEDGER_DEVICE=cuda cargo test -p openledger-kernels --test device` tries all of it where
//! there is one.

mod args;
mod driver;
mod image;
mod launch;
mod library;

#[cfg(test)]
mod emulated;

use std::{
	collections::HashMap,
	ffi::{c_void, CString},
	sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cudarc::driver::{result, sys};

use super::{
	Arena, Device, DeviceError, DeviceInfo, Event, Graph, HostMemory, Op, Pinned, Ptr, Stream,
};
use driver::{call, Context};
use launch::{lower, Config, Launch, Work, COUNTERS, KERNELS};
use library::Library;

/// Bytes beside the arena for sums of spans and for the library.
const WORKSPACE: usize = 64 << 20;

/// Alignment of the arena.
const ALIGN: usize = 256;

/// Oldest compute capability: asynchronous copies into shared memory and bf16 tensor cores.
const OLDEST: (u32, u32) = (8, 0);

/// What the streams own, behind one lock that is held while work is queued: so the order of calls is that of work.
struct State {
	events: Vec<sys::CUevent>,
	graphs: Vec<Option<sys::CUgraphExec>>,
	/// The stream and whether all launches were queued.
	capture: Option<(Stream, bool)>,
	library: Option<Library>,
}

/// A GPU.
pub struct Cuda {
	info: DeviceInfo,
	arena: Arena,
	config: Config,
	memory: sys::CUdeviceptr,
	streams: [sys::CUstream; 2],
	module: sys::CUmodule,
	functions: HashMap<&'static str, sys::CUfunction>,
	state: Mutex<State>,
	/// Last, so that it outlives everything above.
	context: Arc<Context>,
}

// SAFETY: the driver's handles may be used from any thread that has bound the context, which every method does first;
// what changes is behind the lock.
unsafe impl Send for Cuda {}
// SAFETY: as above.
unsafe impl Sync for Cuda {}

/// Pinned memory of the driver.
struct HostBytes {
	start: *mut u8,
	bytes: usize,
	context: Arc<Context>,
}

// SAFETY: the memory is only reached through raw pointers by copies; see `Pinned`.
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
		// A copy that is still queued may touch the memory; its stream is not known here.
		if self.context.bind().is_ok() && result::ctx::synchronize().is_ok() {
			// SAFETY: allocated by `malloc_host`, freed once, and no copy is under way.
			let _ = unsafe { result::free_host(self.start.cast::<c_void>()) };
		}
	}
}

impl Cuda {
	/// How many GPUs there are.
	///
	/// # Errors
	/// [`DeviceError::Absent`] when there is no driver.
	pub fn count() -> Result<usize, DeviceError> {
		driver::start()?;
		let count = call("cuDeviceGetCount", result::device::get_count())?;
		Ok(usize::try_from(count).unwrap_or(0))
	}

	/// What the GPU with this number is and how much memory is free, without opening it for work.
	///
	/// # Errors
	/// [`DeviceError::Absent`] when there is no driver, no such GPU, or one that is too old.
	pub fn probe(ordinal: usize) -> Result<DeviceInfo, DeviceError> {
		let context = Context::new(ordinal)?;
		Self::describe(&context)
	}

	fn describe(context: &Context) -> Result<DeviceInfo, DeviceError> {
		context.bind()?;
		use sys::CUdevice_attribute as Attribute;
		let attribute = |which| context.attribute(which);
		let capability = (
			attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
			attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
		);
		let (free_bytes, total_bytes) = call("cuMemGetInfo", result::mem_get_info())?;
		let info = DeviceInfo {
			name: context.name()?,
			kind: "cuda",
			capability,
			driver: driver::version()?,
			processors: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
			free_bytes,
			total_bytes,
			kernels: image::origin(capability),
			library: library::present(),
		};
		match capability >= OLDEST {
			true => Ok(info),
			false => Err(DeviceError::Absent(format!(
				"{} has compute capability {}.{}; the kernels need 8.0 (Ampere) or newer",
				info.name, capability.0, capability.1
			))),
		}
	}

	/// Opens the GPU with this number and takes `bytes` bytes of its memory as the arena (and 64 MiB beside it).
	///
	/// # Errors
	/// [`DeviceError::Absent`] as for [`Cuda::probe`], or when there are neither kernels nor NVRTC;
	/// [`DeviceError::Memory`], [`DeviceError::Driver`].
	pub fn open(ordinal: usize, bytes: usize) -> Result<Self, DeviceError> {
		let context = Arc::new(Context::new(ordinal)?);
		let info = Self::describe(&context)?;
		let room = bytes
			.checked_next_multiple_of(ALIGN)
			.and_then(|arena| arena.checked_add(WORKSPACE));
		let none = DeviceError::Memory {
			wanted: bytes,
			free: info.free_bytes.saturating_sub(WORKSPACE),
		};
		let Some(all) = room.filter(|all| *all <= info.free_bytes) else {
			return Err(none);
		};
		let (module, functions) = image::load(&context, info.capability)?;
		// From here on, dropping gives back what was taken.
		let mut device = Self {
			info,
			arena: Arena {
				start: Ptr(0),
				bytes,
			},
			config: Config {
				processors: 0,
				counters: Ptr(0),
				workspace: Ptr(0),
				workspace_bytes: WORKSPACE - 4 * COUNTERS,
			},
			memory: 0,
			streams: [std::ptr::null_mut(); 2],
			module,
			functions,
			state: Mutex::new(State {
				events: Vec::new(),
				graphs: Vec::new(),
				capture: None,
				library: None,
			}),
			context,
		};
		// SAFETY: the context is bound; the size is above zero.
		device.memory = unsafe { result::malloc_sync(all) }.map_err(|_| none)?;
		device.arena.start = Ptr(device.memory);
		device.config.processors = device.info.processors as usize;
		device.config.counters = device.arena.start.at(all - WORKSPACE);
		device.config.workspace = device.config.counters.at(4 * COUNTERS);
		for stream in &mut device.streams {
			*stream = call(
				"cuStreamCreate",
				result::stream::create(result::stream::StreamKind::NonBlocking),
			)?;
		}
		// SAFETY: the counters lie in the memory that was just taken; the stream is the device's own.
		call("cuMemsetD8Async", unsafe {
			let at = device.config.counters.0;
			result::memset_d8_async(at, 0, 4 * COUNTERS, device.streams[0])
		})?;
		device.wait_for_all()?;
		if device.info.library {
			device.state().library = Some(Library::new(
				device.config.workspace,
				device.config.workspace_bytes,
			)?);
		}
		Ok(device)
	}

	/// [`Cuda::open`] with all memory that is free but `spare` bytes, which the driver and others may need.
	///
	/// # Errors
	/// As for [`Cuda::open`].
	pub fn open_most(ordinal: usize, spare: usize) -> Result<Self, DeviceError> {
		let free = Self::probe(ordinal)?.free_bytes;
		let bytes = free.saturating_sub(spare.saturating_add(WORKSPACE)) / ALIGN * ALIGN;
		match bytes {
			0 => Err(DeviceError::Memory {
				wanted: spare.saturating_add(WORKSPACE),
				free,
			}),
			bytes => Self::open(ordinal, bytes),
		}
	}

	fn state(&self) -> MutexGuard<'_, State> {
		// Every change of the state is whole before anything can panic.
		self.state.lock().unwrap_or_else(PoisonError::into_inner)
	}

	fn stream(&self, stream: Stream) -> sys::CUstream {
		match stream {
			Stream::Compute => self.streams[0],
			Stream::Load => self.streams[1],
		}
	}

	fn inside(&self, what: &'static str, at: Ptr, bytes: usize) -> Result<(), DeviceError> {
		match self.arena.holds(at, bytes) {
			true => Ok(()),
			false => Err(DeviceError::Outside { what, at, bytes }),
		}
	}

	/// Binds the context and gives the state, if the stream is not capturing.
	fn ready(&self, stream: Stream) -> Result<MutexGuard<'_, State>, DeviceError> {
		self.context.bind()?;
		let state = self.state();
		match state.capture {
			Some((captured, _)) if captured == stream => Err(DeviceError::Capture(
				"only operations can be captured; copy before or after",
			)),
			_ => Ok(state),
		}
	}

	fn wait_for_all(&self) -> Result<(), DeviceError> {
		for stream in self.streams {
			// SAFETY: the device's own stream.
			call("cuStreamSynchronize", unsafe {
				result::stream::synchronize(stream)
			})?;
		}
		Ok(())
	}

	fn kernel(&self, stream: sys::CUstream, launch: &Launch) -> Result<(), DeviceError> {
		let Some(function) = self.functions.get(launch.kernel) else {
			return Err(DeviceError::Driver {
				call: launch.kernel,
				why: "the kernel is not in the image".into(),
			});
		};
		let [x, y, z] = launch.grid;
		let arguments = launch.arguments;
		let mut parameters = [arguments.as_ptr().cast_mut().cast::<c_void>()];
		// SAFETY: the kernel has one parameter, the structure whose bytes `arguments` holds, which the driver copies
		// now; its operands lie in the arena, as `Op::check` has seen, and what its tables say the plan vouches for.
		call("cuLaunchKernel", unsafe {
			result::launch_kernel(
				*function,
				(x, y, z),
				(launch.threads, 1, 1),
				launch.shared,
				stream,
				&mut parameters,
			)
		})
	}

	fn queue(&self, state: &mut State, stream: Stream, op: &Op) -> Result<(), DeviceError> {
		let stream = self.stream(stream);
		let mut result = Ok(());
		lower(&self.config, op, |work| {
			if result.is_err() {
				return;
			}
			result = match &work {
				Work::Kernel(launch) => self.kernel(stream, launch),
				// SAFETY: both places lie in the arena.
				Work::Copy { from, to, bytes } => call("cuMemcpyDtoDAsync", unsafe {
					result::memcpy_dtod_async(to.0, from.0, *bytes, stream)
				}),
				Work::Library(gemm) => match &mut state.library {
					Some(library) => library.multiply(stream, gemm),
					None => Err(DeviceError::shape("gemm", "cuBLASLt was not found")),
				},
			};
		});
		result
	}

	fn event_of(&self, state: &State, event: Event) -> Result<sys::CUevent, DeviceError> {
		let found = state.events.get(event.0).copied();
		found.ok_or(DeviceError::Driver {
			call: "event",
			why: "the event is another device's".into(),
		})
	}
}

impl Drop for Cuda {
	fn drop(&mut self) {
		if self.context.bind().is_err() {
			return;
		}
		let _ = result::ctx::synchronize();
		let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
		state.library = None;
		// SAFETY: the device's own handles, each freed once, with no work under way.
		unsafe {
			for graph in state.graphs.drain(..).flatten() {
				let _ = result::graph::exec_destroy(graph);
			}
			for event in state.events.drain(..) {
				let _ = result::event::destroy(event);
			}
			for stream in self.streams.iter().filter(|s| !s.is_null()) {
				let _ = result::stream::destroy(*stream);
			}
			if self.memory != 0 {
				let _ = result::free_sync(self.memory);
			}
			let _ = result::module::unload(self.module);
		}
	}
}

impl Device for Cuda {
	fn info(&self) -> &DeviceInfo {
		&self.info
	}

	fn arena(&self) -> Arena {
		self.arena
	}

	fn pinned(&self, bytes: usize) -> Result<Pinned, DeviceError> {
		self.context.bind()?;
		// SAFETY: the context is bound; the size is above zero.
		let start = unsafe { result::malloc_host(bytes.max(1), 0) };
		let start = start.map_err(|_| DeviceError::Memory {
			wanted: bytes,
			free: 0,
		})?;
		// SAFETY: the memory was just allocated with this size.
		unsafe { std::ptr::write_bytes(start.cast::<u8>(), 0, bytes.max(1)) };
		Ok(Pinned::new(Arc::new(HostBytes {
			start: start.cast(),
			bytes,
			context: Arc::clone(&self.context),
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
		let from = from.part(at, bytes)?;
		let _state = self.ready(stream)?;
		if bytes == 0 {
			return Ok(());
		}
		// SAFETY: both places have that many bytes; freeing the pinned one waits for all work.
		call("cuMemcpyHtoDAsync", unsafe {
			sys::cuMemcpyHtoDAsync_v2(to.0, from.cast(), bytes, self.stream(stream)).result()
		})
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
		let to = to.part(at, bytes)?;
		let _state = self.ready(stream)?;
		if bytes == 0 {
			return Ok(());
		}
		// SAFETY: both places have that many bytes; freeing the pinned one waits for all work.
		call("cuMemcpyDtoHAsync", unsafe {
			sys::cuMemcpyDtoHAsync_v2(to.cast(), from.0, bytes, self.stream(stream)).result()
		})
	}

	fn write(&self, to: Ptr, bytes: &[u8]) -> Result<(), DeviceError> {
		self.inside("the target of a copy", to, bytes.len())?;
		let _state = self.ready(Stream::Compute)?;
		self.wait_for_all()?;
		if bytes.is_empty() {
			return Ok(());
		}
		// Not by the call that waits: it may return before the bytes have arrived, and these streams would not wait.
		// SAFETY: the target lies in the arena; the source is not given back before the stream was waited for.
		call("cuMemcpyHtoDAsync", unsafe {
			sys::cuMemcpyHtoDAsync_v2(
				to.0,
				bytes.as_ptr().cast::<c_void>(),
				bytes.len(),
				self.streams[0],
			)
			.result()
		})?;
		self.wait_for_all()
	}

	fn read(&self, from: Ptr, bytes: &mut [u8]) -> Result<(), DeviceError> {
		self.inside("the source of a copy", from, bytes.len())?;
		let _state = self.ready(Stream::Compute)?;
		self.wait_for_all()?;
		if bytes.is_empty() {
			return Ok(());
		}
		// SAFETY: the source lies in the arena; the call returns when the target was written.
		call("cuMemcpyDtoH", unsafe {
			result::memcpy_dtoh_sync(bytes, from.0)
		})
	}

	fn fill(&self, stream: Stream, to: Ptr, value: u8, bytes: usize) -> Result<(), DeviceError> {
		self.inside("the target of a fill", to, bytes)?;
		let _state = self.ready(stream)?;
		if bytes == 0 {
			return Ok(());
		}
		// SAFETY: the target lies in the arena.
		call("cuMemsetD8Async", unsafe {
			result::memset_d8_async(to.0, value, bytes, self.stream(stream))
		})
	}

	fn launch(&self, stream: Stream, op: &Op) -> Result<(), DeviceError> {
		let checked = op.check_stream(stream).and_then(|()| op.check(self.arena));
		self.context.bind()?;
		let mut state = self.state();
		let queued = checked.and_then(|()| self.queue(&mut state, stream, op));
		if let Some((captured, whole)) = &mut state.capture {
			*whole &= *captured != stream || queued.is_ok();
		}
		queued
	}

	fn event(&self) -> Result<Event, DeviceError> {
		self.context.bind()?;
		let mut state = self.state();
		let event = result::event::create(sys::CUevent_flags::CU_EVENT_DEFAULT);
		state.events.push(call("cuEventCreate", event)?);
		Ok(Event(state.events.len() - 1))
	}

	fn record(&self, stream: Stream, event: Event) -> Result<(), DeviceError> {
		let state = self.ready(stream)?;
		let event = self.event_of(&state, event)?;
		// SAFETY: the device's own handles.
		call("cuEventRecord", unsafe {
			result::event::record(event, self.stream(stream))
		})
	}

	fn wait(&self, stream: Stream, event: Event) -> Result<(), DeviceError> {
		let state = self.ready(stream)?;
		let event = self.event_of(&state, event)?;
		// SAFETY: the device's own handles.
		call("cuStreamWaitEvent", unsafe {
			result::stream::wait_event(
				self.stream(stream),
				event,
				sys::CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT,
			)
		})
	}

	fn passed(&self, event: Event) -> Result<bool, DeviceError> {
		self.context.bind()?;
		let event = self.event_of(&self.state(), event)?;
		// SAFETY: the device's own handle.
		match unsafe { result::event::query(event) } {
			Err(result::DriverError(sys::CUresult::CUDA_ERROR_NOT_READY)) => Ok(false),
			other => call("cuEventQuery", other).map(|()| true),
		}
	}

	fn finish(&self, event: Event) -> Result<(), DeviceError> {
		self.context.bind()?;
		// Others may queue meanwhile.
		let event = self.event_of(&self.state(), event)?;
		// SAFETY: the device's own handle.
		call("cuEventSynchronize", unsafe {
			result::event::synchronize(event)
		})
	}

	fn seconds(&self, from: Event, to: Event) -> Result<f64, DeviceError> {
		self.context.bind()?;
		let state = self.state();
		let (from, to) = (self.event_of(&state, from)?, self.event_of(&state, to)?);
		// SAFETY: the device's own handles.
		let milliseconds = call("cuEventElapsedTime", unsafe {
			result::event::elapsed(from, to)
		})?;
		Ok(f64::from(milliseconds) / 1e3)
	}

	fn synchronize(&self, stream: Stream) -> Result<(), DeviceError> {
		drop(self.ready(stream)?);
		// SAFETY: the device's own stream.
		call("cuStreamSynchronize", unsafe {
			result::stream::synchronize(self.stream(stream))
		})
	}

	fn begin_capture(&self, stream: Stream) -> Result<(), DeviceError> {
		self.context.bind()?;
		let mut state = self.state();
		if state.capture.is_some() {
			return Err(DeviceError::Capture("one capture at a time"));
		}
		// Relaxed: loads on the other stream go on meanwhile, from whatever thread.
		// SAFETY: the device's own stream.
		call("cuStreamBeginCapture", unsafe {
			result::stream::begin_capture(
				self.stream(stream),
				sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED,
			)
		})?;
		state.capture = Some((stream, true));
		Ok(())
	}

	fn end_capture(&self, stream: Stream) -> Result<Graph, DeviceError> {
		self.context.bind()?;
		let mut state = self.state();
		let whole = match state.capture {
			Some((captured, whole)) if captured == stream => whole,
			_ => {
				return Err(DeviceError::Capture(
					"no capture is under way on the stream",
				))
			}
		};
		state.capture = None;
		// SAFETY: the device's own stream, which is capturing.
		let graph = call("cuStreamEndCapture", unsafe {
			result::stream::end_capture(self.stream(stream))
		})?;
		// SAFETY: the graph was just made; it is not needed once it was made executable.
		let made = unsafe {
			let made = match whole {
				true => {
					result::graph::instantiate(graph, sys::CUgraphInstantiate_flags(0)).map(Some)
				}
				false => Ok(None),
			};
			let _ = result::graph::destroy(graph);
			made
		};
		match call("cuGraphInstantiate", made)? {
			Some(graph) => {
				state.graphs.push(Some(graph));
				Ok(Graph(state.graphs.len() - 1))
			}
			None => Err(DeviceError::Capture("a launch within it failed")),
		}
	}

	fn replay(&self, stream: Stream, graph: Graph) -> Result<(), DeviceError> {
		let state = self.ready(stream)?;
		let Some(Some(graph)) = state.graphs.get(graph.0) else {
			return Err(DeviceError::Capture("the graph was dropped"));
		};
		// SAFETY: the device's own handles; operands lie in the arena, which lives as long as the device.
		call("cuGraphLaunch", unsafe {
			result::graph::launch(*graph, self.stream(stream))
		})
	}

	fn drop_graph(&self, graph: Graph) {
		let mut state = self.state();
		let taken = state.graphs.get_mut(graph.0).and_then(Option::take);
		if let (Some(graph), Ok(())) = (taken, self.context.bind()) {
			// SAFETY: taken from the list, so destroyed once; the driver lets a running graph end first.
			let _ = unsafe { result::graph::exec_destroy(graph) };
		}
	}
}

/// Names of kernels to the functions of an image.
fn functions(module: sys::CUmodule) -> Result<HashMap<&'static str, sys::CUfunction>, DeviceError> {
	let mut functions = HashMap::with_capacity(KERNELS.len());
	for name in KERNELS {
		let text = CString::new(*name).map_err(|_| DeviceError::Driver {
			call: "cuModuleGetFunction",
			why: "a name with a zero in it".into(),
		})?;
		// SAFETY: the module is loaded.
		let function = call("cuModuleGetFunction", unsafe {
			result::module::get_function(module, text)
		})
		.map_err(|error| DeviceError::Driver {
			call: name,
			why: error.to_string(),
		})?;
		if name.starts_with("gemm_tile_") {
			let attribute =
				sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
			// SAFETY: the function was just found.
			call("cuFuncSetAttribute", unsafe {
				result::function::set_function_attribute(
					function,
					attribute,
					launch::TILE_SHARED as i32,
				)
			})?;
		}
		functions.insert(*name, function);
	}
	Ok(functions)
}
