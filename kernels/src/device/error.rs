//! Why a device did not do what it was asked.

use std::fmt;

use super::Ptr;

/// What went wrong on a device. None of them leaves the process unusable; after [`DeviceError::Driver`] from work
/// that ran, the device must be opened anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceError {
	/// No such device can be used here, and why.
	Absent(String),
	/// There is not enough memory.
	Memory {
		/// Bytes asked for.
		wanted: usize,
		/// Bytes that were free.
		free: usize,
	},
	/// An operand does not lie in the arena or is not aligned as its kernel needs it.
	Outside {
		/// The operand.
		what: &'static str,
		/// Its address.
		at: Ptr,
		/// Its size.
		bytes: usize,
	},
	/// A part of a pinned buffer that it does not have.
	Host {
		/// First byte.
		at: usize,
		/// Number of bytes.
		bytes: usize,
		/// Bytes of the buffer.
		len: usize,
	},
	/// A shape the operation cannot do.
	Shape {
		/// The operation.
		op: &'static str,
		/// What is wrong and what would be right.
		why: String,
	},
	/// A table that contradicts itself or its operation; only the twin finds these.
	Table(String),
	/// Captures do not work like this.
	Capture(&'static str),
	/// A call to the driver or a library failed.
	Driver {
		/// The call.
		call: &'static str,
		/// What it said.
		why: String,
	},
}

impl DeviceError {
	pub(crate) fn shape(op: &'static str, why: impl Into<String>) -> Self {
		Self::Shape {
			op,
			why: why.into(),
		}
	}
}

impl fmt::Display for DeviceError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Absent(why) => write!(f, "no device can be used: {why}"),
			Self::Memory { wanted, free } => write!(
				f,
				"{wanted} bytes of memory were asked for and {free} are free: take a smaller share or stop what else uses it"
			),
			Self::Outside { what, at, bytes } => write!(
				f,
				"{what} ({bytes} bytes at {:#x}) lies outside of the device's memory or is not aligned",
				at.0
			),
			Self::Host { at, bytes, len } => {
				write!(f, "{bytes} bytes at {at} of a pinned buffer of {len}")
			}
			Self::Shape { op, why } => write!(f, "{op}: {why}"),
			Self::Table(why) => write!(f, "a table of the step is wrong: {why}"),
			Self::Capture(why) => write!(f, "capturing: {why}"),
			Self::Driver { call, why } => write!(f, "{call} failed: {why}"),
		}
	}
}

impl std::error::Error for DeviceError {}
