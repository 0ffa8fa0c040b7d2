//! Which device computes, by the operator's choice and by what the machine has.

use std::{
	fmt,
	str::FromStr,
	sync::{Arc, Mutex, PoisonError},
};

use openledger_kernels::device::{Cuda, Device, DeviceError};

use super::Opener;
use crate::error::EngineError;

/// Where a model is computed. By name: `auto`, `cpu`, `cuda`, `cuda:N`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeviceChoice {
	/// The first GPU if it can be used, otherwise the processor.
	#[default]
	Auto,
	/// The processor.
	Cpu,
	/// The GPU of that number, as the driver counts; an error if it cannot be used.
	Cuda(usize),
}

impl fmt::Display for DeviceChoice {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Auto => f.write_str("auto"),
			Self::Cpu => f.write_str("cpu"),
			Self::Cuda(number) => write!(f, "cuda:{number}"),
		}
	}
}

impl FromStr for DeviceChoice {
	type Err = String;

	fn from_str(name: &str) -> Result<Self, Self::Err> {
		let number = |text: &str| text.parse::<u16>().ok().map(|n| Self::Cuda(n.into()));
		let found = match name {
			"auto" => Some(Self::Auto),
			"cpu" => Some(Self::Cpu),
			"cuda" => Some(Self::Cuda(0)),
			_ => name.strip_prefix("cuda:").and_then(number),
		};
		found.ok_or_else(|| format!("{name} is no device: use auto, cpu, cuda or cuda:N"))
	}
}

/// Bytes of a GPU's free memory that are left to its driver, which keeps captured graphs there, and to others.
const SPARE: usize = 1 << 30;

fn cuda(number: usize) -> Result<Arc<dyn Device>, DeviceError> {
	Ok(Arc::new(Cuda::open_most(number, SPARE)?))
}

/// How to open the device that was chosen; `None` for the processor. It was opened once when this returns.
///
/// # Errors
/// [`EngineError::Backend`] when a GPU was asked for and cannot be used: it says what is missing.
pub fn find(choice: DeviceChoice) -> Result<Option<Opener>, EngineError> {
	let number = match choice {
		DeviceChoice::Cpu => return Ok(None),
		DeviceChoice::Auto => 0,
		DeviceChoice::Cuda(number) => number,
	};
	let device = match (cuda(number), choice) {
		(Ok(device), _) => device,
		(Err(error), DeviceChoice::Auto) => {
			match error {
				DeviceError::Absent(why) => tracing::info!(why, "no GPU: the processor computes"),
				error => tracing::warn!(%error, "the GPU cannot be used: the processor computes"),
			}
			return Ok(None);
		}
		(Err(error), _) => {
			let reason = format!("--device {choice}: {error}; --device cpu serves without it");
			return Err(EngineError::Backend(reason));
		}
	};
	let info = device.info();
	tracing::info!(
		device = info.name,
		number,
		driver = info.driver,
		"a GPU computes"
	);
	// The first to open it gets this one; should it be lost, the next gets another.
	let first = Mutex::new(Some(device));
	Ok(Some(Box::new(move || {
		let first = first.lock().unwrap_or_else(PoisonError::into_inner).take();
		first.map_or_else(|| cuda(number), Ok)
	})))
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn devices_should_be_known_by_their_names() {
		for (name, choice) in [
			("auto", DeviceChoice::Auto),
			("cpu", DeviceChoice::Cpu),
			("cuda:3", DeviceChoice::Cuda(3)),
		] {
			assert_eq!(name.parse(), Ok(choice));
			assert_eq!(choice.to_string(), name);
		}
		assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
		for name in ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:99999"] {
			let error = name.parse::<DeviceChoice>().map(|_| ());
			assert!(error.is_err_and(|e| e.contains("cuda:N")), "{name}");
		}
	}
}
