//! The driver: whether it is there, and a device's context.

use cudarc::driver::{result, sys};

use crate::device::DeviceError;

/// Calls that are used and not in every driver; one that is missing would otherwise end the process.
const CALLS: &[&str] = &[
	"cuCtxSetCurrent",
	"cuCtxSynchronize",
	"cuDevicePrimaryCtxRelease_v2",
	"cuDevicePrimaryCtxRetain",
	"cuEventCreate",
	"cuEventDestroy_v2",
	"cuEventElapsedTime_v2",
	"cuEventQuery",
	"cuEventRecord",
	"cuEventSynchronize",
	"cuFuncSetAttribute",
	"cuGetErrorName",
	"cuGetErrorString",
	"cuGraphDestroy",
	"cuGraphExecDestroy",
	"cuGraphInstantiateWithFlags",
	"cuGraphLaunch",
	"cuLaunchKernel",
	"cuMemAlloc_v2",
	"cuMemFreeHost",
	"cuMemFree_v2",
	"cuMemGetInfo_v2",
	"cuMemHostAlloc",
	"cuMemcpyDtoDAsync_v2",
	"cuMemcpyDtoHAsync_v2",
	"cuMemcpyDtoH_v2",
	"cuMemcpyHtoDAsync_v2",
	"cuMemsetD8Async",
	"cuModuleGetFunction",
	"cuModuleLoadData",
	"cuModuleUnload",
	"cuStreamBeginCapture_v2",
	"cuStreamCreate",
	"cuStreamDestroy_v2",
	"cuStreamEndCapture",
	"cuStreamSynchronize",
	"cuStreamWaitEvent",
];

/// An error of the driver, with the call's name.
pub(super) fn call<T>(
	call: &'static str,
	result: Result<T, result::DriverError>,
) -> Result<T, DeviceError> {
	result.map_err(|error| {
		let text = |text: Result<&std::ffi::CStr, result::DriverError>| {
			text.map_or_else(|_| "unknown".into(), |t| t.to_string_lossy().into_owned())
		};
		DeviceError::Driver {
			call,
			why: format!(
				"{} ({})",
				text(error.error_string()),
				text(error.error_name())
			),
		}
	})
}

/// Loads the driver.
pub(super) fn start() -> Result<(), DeviceError> {
	let absent = |why: String| Err(DeviceError::Absent(why));
	// SAFETY: loading the driver runs its own initialisers, which is what is wanted.
	if !unsafe { sys::is_culib_present() } {
		return absent(
			"there is no CUDA driver (libcuda.so.1); install NVIDIA's, or use the processor".into(),
		);
	}
	// SAFETY: the library is present, so this does not panic; symbols are only looked up, not called.
	let missing = unsafe {
		let library = sys::culib();
		CALLS
			.iter()
			.find(|name| library.get::<*const ()>(name.as_bytes()).is_err())
	};
	if let Some(name) = missing {
		return absent(format!(
			"the CUDA driver has no {name}; install one for CUDA 12.8 or newer"
		));
	}
	match result::init() {
		Ok(()) => Ok(()),
		Err(error) => match call::<()>("cuInit", Err(error)) {
			Err(error) => absent(error.to_string()),
			Ok(()) => Ok(()),
		},
	}
}

/// The driver's version, as 13000 for 13.0.
pub(super) fn version() -> Result<u32, DeviceError> {
	let mut version = 0;
	// SAFETY: writes one number.
	call("cuDriverGetVersion", unsafe {
		sys::cuDriverGetVersion(&mut version).result()
	})?;
	Ok(u32::try_from(version).unwrap_or(0))
}

/// A device's primary context, given back when this is dropped.
pub(super) struct Context {
	device: sys::CUdevice,
	context: sys::CUcontext,
}

// SAFETY: a context may be bound by any thread.
unsafe impl Send for Context {}
// SAFETY: as above; nothing here changes.
unsafe impl Sync for Context {}

impl Context {
	pub fn new(ordinal: usize) -> Result<Self, DeviceError> {
		start()?;
		let count = call("cuDeviceGetCount", result::device::get_count())?;
		let number = i32::try_from(ordinal)
			.ok()
			.filter(|number| *number < count)
			.ok_or_else(|| {
				DeviceError::Absent(format!("there is no GPU {ordinal}; there are {count}"))
			})?;
		let device = call("cuDeviceGet", result::device::get(number))?;
		// SAFETY: the device was just given by the driver.
		let context = call("cuDevicePrimaryCtxRetain", unsafe {
			result::primary_ctx::retain(device)
		})?;
		let own = Self { device, context };
		own.bind()?;
		Ok(own)
	}

	/// Makes it the calling thread's.
	pub fn bind(&self) -> Result<(), DeviceError> {
		// SAFETY: the context is retained as long as this lives.
		call("cuCtxSetCurrent", unsafe {
			result::ctx::set_current(self.context)
		})
	}

	pub fn name(&self) -> Result<String, DeviceError> {
		call("cuDeviceGetName", result::device::get_name(self.device))
	}

	pub fn attribute(&self, which: sys::CUdevice_attribute) -> Result<u32, DeviceError> {
		// SAFETY: the device was given by the driver.
		let value = call("cuDeviceGetAttribute", unsafe {
			result::device::get_attribute(self.device, which)
		})?;
		Ok(u32::try_from(value).unwrap_or(0))
	}
}

impl Drop for Context {
	fn drop(&mut self) {
		// SAFETY: retained once.
		let _ = unsafe { result::primary_ctx::release(self.device) };
	}
}
