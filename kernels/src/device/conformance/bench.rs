//! What cases are made with: random values, guarded buffers, comparisons.

use half::bf16;

use super::{Why, ARENA_BYTES};
use crate::device::{
	tables::Entry, Count, Device, DeviceError, Element, Op, Ptr, Stream, WeightFormat, Weights,
};

/// What outputs hold before: not a number in any float type.
const POISON: u8 = 0xff;
/// Bytes behind every buffer, and what they hold.
const GUARD: usize = 256;
const GUARD_BYTE: u8 = 0xa5;

/// A buffer with its guard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Buffer {
	pub at: Ptr,
	pub bytes: usize,
}

pub(super) struct Bench<'a> {
	pub device: &'a dyn Device,
	random: u64,
	next: usize,
	buffers: Vec<Buffer>,
	worst: f64,
}

/// Rounds to what an element can hold.
pub(super) fn rounded(element: Element, values: Vec<f32>) -> Vec<f32> {
	match element {
		Element::F32 => values,
		Element::Bf16 => values
			.into_iter()
			.map(|v| bf16::from_f32(v).to_f32())
			.collect(),
	}
}

/// Part of a value that rounding to an element loses at most.
pub(super) fn epsilon(element: Element) -> f64 {
	match element {
		Element::F32 => 2f64.powi(-24),
		Element::Bf16 => 2f64.powi(-8),
	}
}

impl<'a> Bench<'a> {
	pub fn new(device: &'a dyn Device, seed: u64) -> Result<Self, DeviceError> {
		let arena = device.arena();
		if arena.bytes < ARENA_BYTES {
			return Err(DeviceError::Memory {
				wanted: ARENA_BYTES,
				free: arena.bytes,
			});
		}
		Ok(Self {
			device,
			random: seed,
			next: 0,
			buffers: Vec::new(),
			worst: 0.0,
		})
	}

	pub fn worst(&self) -> f64 {
		self.worst
	}

	/// Forgets all buffers.
	pub fn clear(&mut self) {
		self.next = 0;
		self.buffers.clear();
	}

	/// SplitMix64.
	pub fn random(&mut self) -> u64 {
		self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
		let mut z = self.random;
		z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
		z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
		z ^ z >> 31
	}

	/// A number below `most`, which is above zero.
	pub fn below(&mut self, most: usize) -> usize {
		(self.random() % most as u64) as usize
	}

	/// Uniform in -1..1.
	pub fn value(&mut self) -> f32 {
		(self.random() >> 40) as f32 / (1u32 << 23) as f32 - 1.0
	}

	pub fn values(&mut self, element: Element, len: usize) -> Vec<f32> {
		let values = (0..len).map(|_| self.value()).collect();
		rounded(element, values)
	}

	/// A poisoned buffer, guarded.
	pub fn buffer(&mut self, bytes: usize) -> Result<Buffer, Why> {
		let at = self.device.arena().start.at(self.next);
		let all = (bytes + GUARD).next_multiple_of(256);
		if self.next + all > ARENA_BYTES {
			return Err(Why::Wrong("the suite needs a larger arena".into()));
		}
		self.next += all;
		let buffer = Buffer { at, bytes };
		let mut content = vec![POISON; bytes];
		content.resize(all, GUARD_BYTE);
		self.device.write(at, &content)?;
		self.buffers.push(buffer);
		Ok(buffer)
	}

	/// A buffer for `len` values.
	pub fn output(&mut self, element: Element, len: usize) -> Result<Ptr, Why> {
		Ok(self.buffer(len * element.bytes())?.at)
	}

	/// A buffer that holds `values`.
	pub fn input(&mut self, element: Element, values: &[f32]) -> Result<Ptr, Why> {
		let at = self.output(element, values.len())?;
		self.set(element, at, values)?;
		Ok(at)
	}

	pub fn set(&mut self, element: Element, at: Ptr, values: &[f32]) -> Result<(), Why> {
		let mut bytes = Vec::with_capacity(values.len() * 4);
		for value in values {
			match element {
				Element::F32 => bytes.extend(value.to_le_bytes()),
				Element::Bf16 => bytes.extend(bf16::from_f32(*value).to_le_bytes()),
			}
		}
		Ok(self.device.write(at, &bytes)?)
	}

	/// A buffer that holds rows of a table.
	pub fn table<T: Entry>(&mut self, entries: &[T]) -> Result<Ptr, Why> {
		let mut bytes = vec![0; entries.len() * T::BYTES];
		for (entry, bytes) in entries.iter().zip(bytes.chunks_exact_mut(T::BYTES)) {
			entry.write(bytes);
		}
		let at = self.buffer(bytes.len())?.at;
		self.device.write(at, &bytes)?;
		Ok(at)
	}

	pub fn count(&mut self, value: usize, most: usize) -> Result<Count, Why> {
		Ok(Count {
			at: self.table(&[value as u32])?,
			most,
		})
	}

	/// A random weight matrix and its values.
	pub fn weights(
		&mut self,
		format: WeightFormat,
		n: usize,
		k: usize,
	) -> Result<(Weights, Vec<f32>), Why> {
		let (data, scales, values) = match format {
			WeightFormat::F32 => {
				let values = self.values(Element::F32, n * k);
				(self.input(Element::F32, &values)?, Ptr(0), values)
			}
			WeightFormat::Bf16 => {
				let values = self.values(Element::Bf16, n * k);
				(self.input(Element::Bf16, &values)?, Ptr(0), values)
			}
			WeightFormat::Int8 => {
				let bytes: Vec<u8> = (0..n * k).map(|_| self.random() as u8).collect();
				let scales: Vec<f32> = (0..n).map(|_| self.value() / 128.0).collect();
				let values = bytes
					.iter()
					.enumerate()
					.map(|(i, b)| f32::from(*b as i8) * scales[i / k])
					.collect();
				let data = self.buffer(bytes.len())?.at;
				self.device.write(data, &bytes)?;
				(data, self.input(Element::F32, &scales)?, values)
			}
		};
		let weights = Weights {
			format,
			data,
			scales,
			n,
			k,
		};
		Ok((weights, values))
	}

	pub fn launch(&mut self, op: impl Into<Op>) -> Result<(), Why> {
		self.device.launch(Stream::Compute, &op.into())?;
		Ok(())
	}

	pub fn bytes(&self, at: Ptr, len: usize) -> Result<Vec<u8>, Why> {
		let mut bytes = vec![0; len];
		self.device.read(at, &mut bytes)?;
		Ok(bytes)
	}

	pub fn read(&self, element: Element, at: Ptr, len: usize) -> Result<Vec<f32>, Why> {
		let bytes = self.bytes(at, len * element.bytes())?;
		Ok(match element {
			Element::F32 => bytes.chunks_exact(4).map(f32::read).collect(),
			Element::Bf16 => bytes
				.chunks_exact(2)
				.map(|b| bf16::from_le_bytes([b[0], b[1]]).to_f32())
				.collect(),
		})
	}

	/// Whether every guard is as it was.
	pub fn guards(&self, what: &str) -> Result<(), Why> {
		for buffer in &self.buffers {
			let behind = self.bytes(buffer.at.at(buffer.bytes), GUARD)?;
			if let Some(at) = behind.iter().position(|b| *b != GUARD_BYTE) {
				return Err(Why::Wrong(format!(
					"{what}: byte {at} behind a buffer of {} was written",
					buffer.bytes
				)));
			}
		}
		Ok(())
	}

	/// Whether values that nothing should have written are still poison.
	pub fn untouched(&self, what: &str, at: Ptr, bytes: usize) -> Result<(), Why> {
		match self.bytes(at, bytes)?.iter().all(|b| *b == POISON) {
			true => Ok(()),
			false => Err(Why::Wrong(format!(
				"{what}: rows beyond the count were written"
			))),
		}
	}

	/// Compares with f64: each value may be off by `allowed` of it.
	pub fn close(
		&mut self,
		what: &str,
		got: &[f32],
		want: &[f64],
		allowed: impl Fn(usize) -> f64,
	) -> Result<(), Why> {
		if got.len() != want.len() {
			return Err(Why::Wrong(format!(
				"{what}: {} values instead of {}",
				got.len(),
				want.len()
			)));
		}
		for (i, (got, want)) in got.iter().zip(want).enumerate() {
			let part = (f64::from(*got) - want).abs() / allowed(i);
			if part.is_nan() || part > 1.0 {
				return Err(Why::Wrong(format!(
					"{what}: value {i} is {got}, not {want}; that is {part:.2} of what is allowed"
				)));
			}
			self.worst = self.worst.max(part);
		}
		Ok(())
	}

	/// Compares bits.
	pub fn same(&self, what: &str, got: &[f32], want: &[f32]) -> Result<(), Why> {
		let differs = got
			.iter()
			.zip(want)
			.position(|(a, b)| a.to_bits() != b.to_bits());
		match differs {
			None if got.len() == want.len() => Ok(()),
			at => Err(Why::Wrong(format!(
				"{what}: the bits of a row depend on its company (at {at:?}: {:?} and {:?})",
				at.map(|at| got[at]),
				at.map(|at| want[at])
			))),
		}
	}
}
