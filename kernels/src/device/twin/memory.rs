//! The twin's arena: bytes behind addresses.

use half::bf16;

use super::Executor;
use crate::device::{
	tables::Entry, Arena, Count, DeviceError, Element, Op, Ptr, WeightFormat, Weights,
};

/// What untouched memory holds: not a number in f32 and in bf16, and an absurd address.
const UNTOUCHED: u8 = 0xff;

pub(super) struct Memory {
	start: Ptr,
	bytes: Vec<u8>,
}

impl Memory {
	pub fn new(start: Ptr, len: usize) -> Result<Self, DeviceError> {
		let mut bytes = Vec::new();
		bytes
			.try_reserve_exact(len)
			.map_err(|_| DeviceError::Memory {
				wanted: len,
				free: 0,
			})?;
		bytes.resize(len, UNTOUCHED);
		Ok(Self { start, bytes })
	}

	fn place(&self, at: Ptr, len: usize) -> Result<usize, DeviceError> {
		let inside = at.0.checked_sub(self.start.0).filter(|offset| {
			let end = offset.checked_add(len as u64);
			end.is_some_and(|end| end <= self.bytes.len() as u64)
		});
		inside.map(|offset| offset as usize).ok_or_else(|| {
			DeviceError::Table(format!("{len} bytes at {:#x} are not in the arena", at.0))
		})
	}

	/// Row `index` of a table.
	pub fn entry<T: Entry>(&self, table: Ptr, index: usize) -> Result<T, DeviceError> {
		self.bytes(table.at(index * T::BYTES), T::BYTES)
			.map(T::read)
	}

	pub fn put<T: Entry>(&mut self, table: Ptr, index: usize, entry: T) -> Result<(), DeviceError> {
		entry.write(self.bytes_mut(table.at(index * T::BYTES), T::BYTES)?);
		Ok(())
	}

	/// A count, which must not exceed what buffers were made for.
	pub fn count(&self, count: Count) -> Result<usize, DeviceError> {
		let value: u32 = self.entry(count.at, 0)?;
		match value as usize {
			value if value <= count.most => Ok(value),
			value => Err(DeviceError::Table(format!(
				"a count of {value} where {} is the most",
				count.most
			))),
		}
	}

	/// `len` values from value `first` on.
	pub fn values(
		&self,
		element: Element,
		at: Ptr,
		first: usize,
		len: usize,
	) -> Result<Vec<f32>, DeviceError> {
		let size = element.bytes();
		let bytes = self.bytes(at.at(first * size), len * size)?;
		Ok(match element {
			Element::F32 => bytes.chunks_exact(4).map(f32::read).collect(),
			Element::Bf16 => bytes
				.chunks_exact(2)
				.map(|b| bf16::from_le_bytes([b[0], b[1]]).to_f32())
				.collect(),
		})
	}

	pub fn set(
		&mut self,
		element: Element,
		at: Ptr,
		first: usize,
		values: &[f32],
	) -> Result<(), DeviceError> {
		let size = element.bytes();
		let bytes = self.bytes_mut(at.at(first * size), values.len() * size)?;
		match element {
			Element::F32 => bytes
				.chunks_exact_mut(4)
				.zip(values)
				.for_each(|(b, v)| v.write(b)),
			Element::Bf16 => bytes
				.chunks_exact_mut(2)
				.zip(values)
				.for_each(|(b, v)| b.copy_from_slice(&bf16::from_f32(*v).to_le_bytes())),
		}
		Ok(())
	}

	/// Row `row` of a weight matrix, without its scale.
	pub fn weights(&self, weights: &Weights, row: usize) -> Result<Vec<f32>, DeviceError> {
		let first = row * weights.k;
		match weights.format {
			WeightFormat::F32 => self.values(Element::F32, weights.data, first, weights.k),
			WeightFormat::Bf16 => self.values(Element::Bf16, weights.data, first, weights.k),
			WeightFormat::Int8 => {
				let bytes = self.bytes(weights.data.at(first), weights.k)?;
				Ok(bytes.iter().map(|b| f32::from(*b as i8)).collect())
			}
		}
	}

	/// The scale of a row of a weight matrix.
	pub fn scale(&self, weights: &Weights, row: usize) -> Result<f32, DeviceError> {
		match weights.format {
			WeightFormat::Int8 => self.entry(weights.scales, row),
			_ => Ok(1.0),
		}
	}
}

impl Executor for Memory {
	fn arena(&self) -> Arena {
		Arena {
			start: self.start,
			bytes: self.bytes.len(),
		}
	}

	fn run(&mut self, op: &Op) -> Result<(), DeviceError> {
		self.compute(op)
	}

	fn bytes(&self, at: Ptr, len: usize) -> Result<&[u8], DeviceError> {
		let place = self.place(at, len)?;
		Ok(&self.bytes[place..place + len])
	}

	fn bytes_mut(&mut self, at: Ptr, len: usize) -> Result<&mut [u8], DeviceError> {
		let place = self.place(at, len)?;
		Ok(&mut self.bytes[place..place + len])
	}
}
