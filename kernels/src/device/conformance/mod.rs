//! One suite for every device: fresh random inputs, results against f64, poisoned outputs, guarded buffers.
//!
//! [`run`] is what tests, a worker's self-test and the benchmark on a device call. A case fails when a result is
//! further from f64 than its types allow, when a row's bits depend on its company, or when anything but the result
//! was written.

mod attention;
mod bench;
mod lora;
mod rest;

use super::{Device, DeviceError};
use bench::Bench;

/// Bytes of the arena that the suite uses at most.
pub const ARENA_BYTES: usize = 96 << 20;

/// A case that passed.
#[derive(Clone, Debug, PartialEq)]
pub struct Passed {
	/// What was tried.
	pub name: String,
	/// Largest error, as a part of what was allowed.
	pub error: f64,
	/// Seconds the case took, inputs and reference included.
	pub seconds: f64,
}

/// Why the suite stopped.
#[derive(Clone, Debug, PartialEq)]
pub struct Failed {
	/// The case.
	pub name: String,
	/// What is wrong with it.
	pub why: String,
}

impl std::fmt::Display for Failed {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		write!(f, "{}: {}", self.name, self.why)
	}
}

impl std::error::Error for Failed {}

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
	/// A few shapes of each operation: seconds even on the twin.
	Small,
	/// All of them.
	Whole,
}

/// Why a case failed, before its name is known.
pub(crate) enum Why {
	Device(DeviceError),
	Wrong(String),
}

impl From<DeviceError> for Why {
	fn from(error: DeviceError) -> Self {
		Self::Device(error)
	}
}

type Case = fn(&mut Bench<'_>, Extent) -> Result<(), Why>;

/// Every case by name.
const CASES: &[(&str, Case)] = &[
	("copies, fills and conversions", rest::copies),
	("streams, events and graphs", rest::order),
	("embedding", rest::embed),
	("rms norm", rest::rms_norm),
	("products", rest::gemm),
	("rope and pages", rest::rope),
	("attention", attention::attention),
	(
		"attention alone, in company and cut",
		attention::determinism,
	),
	("low-rank updates", lora::lora),
	("silu", rest::silu_mul),
	("sampling", rest::sample),
	("refusals", rest::refusals),
];

/// Runs the suite with inputs from `seed`, calling `seen` after each case.
///
/// It uses the first [`ARENA_BYTES`] bytes of the arena; nothing else may be queued.
///
/// # Errors
/// The first case that failed; the device may then be in no usable state.
pub fn run(
	device: &dyn Device,
	seed: u64,
	extent: Extent,
	mut seen: impl FnMut(&Passed),
) -> Result<Vec<Passed>, Failed> {
	let mut passed = Vec::new();
	for (name, case) in CASES {
		let failed = |why: String| Failed {
			name: (*name).into(),
			why: format!("{why} (seed {seed}, {})", device.info().name),
		};
		let start = std::time::Instant::now();
		let mut bench = Bench::new(device, seed).map_err(|e| failed(e.to_string()))?;
		match case(&mut bench, extent) {
			Ok(()) => {}
			Err(Why::Device(error)) => return Err(failed(error.to_string())),
			Err(Why::Wrong(why)) => return Err(failed(why)),
		}
		let one = Passed {
			name: (*name).into(),
			error: bench.worst(),
			seconds: start.elapsed().as_secs_f64(),
		};
		seen(&one);
		passed.push(one);
	}
	Ok(passed)
}
