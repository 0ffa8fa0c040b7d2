//! Weights in blocks of small integers, as GGUF files hold them: meaning, plain reading, and rounding to int8.

use half::f16;

/// A block format: `weight = scale · (code − centre)` or `scale · code + minimum`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quant {
	/// 4 bits, one scale per 32.
	Q4_0,
	/// 4 bits, scale and minimum per 32.
	Q4_1,
	/// 5 bits, one scale per 32.
	Q5_0,
	/// 5 bits, scale and minimum per 32.
	Q5_1,
	/// 8 bits, one scale per 32: also this engine's own int8.
	Q8_0,
	/// 4 bits, 6-bit scale and minimum per 32, and their scales per 256.
	Q4K,
	/// 5 bits, 6-bit scale and minimum per 32, and their scales per 256.
	Q5K,
	/// 6 bits, 8-bit scale per 16, and its scale per 256.
	Q6K,
}

/// One block read apart. Codes are unsigned; what does not exist in a format stays zero.
pub(crate) struct Block {
	pub codes: [u8; 256],
	/// Bits of the f16 scale.
	pub scale: u16,
	/// Bits of the f16 minimum (or of its scale).
	pub minimum: u16,
	/// Scales of the parts of a block of 256: 8 unsigned, or 16 signed as their bits.
	pub scales: [u8; 16],
	/// Minima of the parts of a block of 256.
	pub minima: [u8; 8],
}

impl Quant {
	/// All formats.
	pub const ALL: [Quant; 8] = [
		Self::Q4_0,
		Self::Q4_1,
		Self::Q5_0,
		Self::Q5_1,
		Self::Q8_0,
		Self::Q4K,
		Self::Q5K,
		Self::Q6K,
	];

	/// The name GGUF tools use.
	pub fn name(self) -> &'static str {
		match self {
			Self::Q4_0 => "Q4_0",
			Self::Q4_1 => "Q4_1",
			Self::Q5_0 => "Q5_0",
			Self::Q5_1 => "Q5_1",
			Self::Q8_0 => "Q8_0",
			Self::Q4K => "Q4_K",
			Self::Q5K => "Q5_K",
			Self::Q6K => "Q6_K",
		}
	}

	/// Weights in a block. A row consists of whole blocks.
	pub fn block_len(self) -> usize {
		match self {
			Self::Q4K | Self::Q5K | Self::Q6K => 256,
			_ => 32,
		}
	}

	/// Bytes of a block.
	pub fn block_bytes(self) -> usize {
		match self {
			Self::Q4_0 => 18,
			Self::Q4_1 => 20,
			Self::Q5_0 => 22,
			Self::Q5_1 => 24,
			Self::Q8_0 => 34,
			Self::Q4K => 144,
			Self::Q5K => 176,
			Self::Q6K => 210,
		}
	}

	pub(crate) fn bits(self) -> usize {
		match self {
			Self::Q4_0 | Self::Q4_1 | Self::Q4K => 4,
			Self::Q5_0 | Self::Q5_1 | Self::Q5K => 5,
			Self::Q6K => 6,
			Self::Q8_0 => 8,
		}
	}

	/// Whether weights are `scale · code + minimum`.
	pub(crate) fn has_minimum(self) -> bool {
		matches!(self, Self::Q4_1 | Self::Q5_1 | Self::Q4K | Self::Q5K)
	}

	/// Reads one block apart.
	pub(crate) fn block(self, bytes: &[u8]) -> Block {
		assert_eq!(bytes.len(), self.block_bytes());
		let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
		let mut block = Block {
			codes: [0; 256],
			scale: word(0),
			minimum: 0,
			scales: [0; 16],
			minima: [0; 8],
		};
		let codes = &mut block.codes;
		match self {
			Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 => {
				let mut at = 2;
				if self.has_minimum() {
					block.minimum = word(2);
					at = 4;
				}
				let mut fifth = 0u32;
				if self.bits() == 5 {
					fifth = u32::from_le_bytes([
						bytes[at],
						bytes[at + 1],
						bytes[at + 2],
						bytes[at + 3],
					]);
					at += 4;
				}
				for i in 0..16 {
					codes[i] = bytes[at + i] & 15 | ((fifth >> i & 1) as u8) << 4;
					codes[i + 16] = bytes[at + i] >> 4 | ((fifth >> (i + 16) & 1) as u8) << 4;
				}
			}
			Self::Q8_0 => {
				for i in 0..32 {
					codes[i] = bytes[2 + i] ^ 128;
				}
			}
			Self::Q4K | Self::Q5K => {
				block.minimum = word(2);
				let packed = &bytes[4..16];
				for j in 0..4 {
					block.scales[j] = packed[j] & 63;
					block.minima[j] = packed[j + 4] & 63;
					block.scales[j + 4] = packed[j + 8] & 15 | packed[j] >> 6 << 4;
					block.minima[j + 4] = packed[j + 8] >> 4 | packed[j + 4] >> 6 << 4;
				}
				let (fifth, low) = match self {
					Self::Q5K => (Some(&bytes[16..48]), &bytes[48..]),
					_ => (None, &bytes[16..]),
				};
				for pair in 0..4 {
					for i in 0..32 {
						let byte = low[pair * 32 + i];
						let bits = fifth.map_or(0, |f| f[i] >> (2 * pair));
						codes[pair * 64 + i] = byte & 15 | (bits & 1) << 4;
						codes[pair * 64 + 32 + i] = byte >> 4 | (bits >> 1 & 1) << 4;
					}
				}
			}
			Self::Q6K => {
				let (low, high) = (&bytes[..128], &bytes[128..192]);
				block.scales.copy_from_slice(&bytes[192..208]);
				block.scale = word(208);
				for half in 0..2 {
					for i in 0..32 {
						let bits = high[half * 32 + i];
						let (a, b) = (low[half * 64 + i], low[half * 64 + 32 + i]);
						let codes = &mut codes[half * 128 + i..];
						codes[0] = a & 15 | (bits & 3) << 4;
						codes[32] = b & 15 | (bits >> 2 & 3) << 4;
						codes[64] = a >> 4 | (bits >> 4 & 3) << 4;
						codes[96] = b >> 4 | (bits >> 6) << 4;
					}
				}
			}
		}
		block
	}

	/// Whether all scales of a block are finite, and with them its weights.
	pub fn is_finite(self, block: &[u8]) -> bool {
		let finite = |at: usize| f16::from_le_bytes([block[at], block[at + 1]]).is_finite();
		match self {
			Self::Q6K => finite(208),
			_ => finite(0) && (!self.has_minimum() || finite(2)),
		}
	}

	/// Writes the weights of whole blocks as f32 into `out`.
	///
	/// # Panics
	/// When `bytes` are not whole blocks, or `out` has another length than they.
	pub fn dequantise(self, bytes: &[u8], out: &mut [f32]) {
		let (len, size) = (self.block_len(), self.block_bytes());
		assert!(
			bytes.len().is_multiple_of(size) && out.len() == bytes.len() / size * len,
			"bytes must be whole blocks and out as long as they say"
		);
		for (bytes, out) in bytes.chunks_exact(size).zip(out.chunks_exact_mut(len)) {
			self.block(bytes).dequantise(self, out);
		}
	}
}

impl Block {
	fn dequantise(&self, quant: Quant, out: &mut [f32]) {
		let scale = f16::from_bits(self.scale).to_f32();
		let minimum = f16::from_bits(self.minimum).to_f32();
		for (i, out) in out.iter_mut().enumerate() {
			let code = f32::from(self.codes[i]);
			*out = match quant {
				Quant::Q4_1 | Quant::Q5_1 => scale * code + minimum,
				Quant::Q4K | Quant::Q5K => {
					let part = i / 32;
					scale * f32::from(self.scales[part]) * code
						- minimum * f32::from(self.minima[part])
				}
				Quant::Q6K => scale * f32::from(self.scales[i / 16] as i8) * (code - 32.0),
				Quant::Q4_0 => scale * (code - 8.0),
				Quant::Q5_0 => scale * (code - 16.0),
				Quant::Q8_0 => scale * (code - 128.0),
			};
		}
	}
}

/// Rounds rows of weights to [`Quant::Q8_0`]: per 32 of them, 8 bits each and an f16 scale. The error of a weight is
/// at most 1/254 of the largest in its block, and 2⁻¹¹ of itself from the scale's rounding.
///
/// # Panics
/// When `weights` are not whole blocks of 32.
pub fn to_int8(weights: &[f32]) -> Vec<u8> {
	assert!(
		weights.len().is_multiple_of(32),
		"weights must be whole blocks of 32"
	);
	let mut bytes = Vec::with_capacity(weights.len() / 32 * 34);
	for block in weights.chunks_exact(32) {
		let largest = block.iter().fold(0f32, |m, v| m.max(v.abs()));
		let scale = f16::from_f32((largest / 127.0).min(f16::MAX.to_f32()));
		let inverse = match scale.to_f32() {
			0.0 => 0.0,
			scale => 1.0 / scale,
		};
		bytes.extend_from_slice(&scale.to_le_bytes());
		bytes.extend(
			block
				.iter()
				.map(|v| (v * inverse).round().clamp(-127.0, 127.0) as i8 as u8),
		);
	}
	bytes
}
