//! Weight matrices in the precision they are stored in, laid out for streaming.
//!
//! A matrix of `n` rows of `k` weights gives `n` outputs. Sixteen rows make a *panel*: the lanes of a vector are its
//! rows, and the weights of one input (or of four inputs, a byte each) stand beside each other for all sixteen. A
//! product thus reads every panel as one stream from front to back, with as many bytes as the file has for it (Q4_K
//! and Q5_K: 3 % more, their packed 6-bit scales being taken apart), and needs no sums across lanes.
//!
//! A panel of blocks is a sequence of *units* of 32 inputs (256 for the K formats):
//! - `scale` 16 × f16, then `minimum` 16 × f16 where the format has one;
//! - then for each 32 inputs: the parts' scales and minima (K formats: 16 bytes each), the fifth or fifth and sixth
//!   bits (64 bytes each), the low four bits (256 bytes) or the whole bytes (512).
//!
//! Word `c` of a group of 64 bytes belongs to row `c`; its byte `j` to input `4 t + j`, group `t` of eight. With four
//! bits, group `t` holds group `t + 4` in its high halves. The fifth bit of group `t` is bit `t` of the byte; the
//! fifth and sixth of group `t` are bits `2 (t % 4)` of vector `t / 4`.

use half::{bf16, f16};

use crate::{
	pool::Pool,
	quant::{to_int8, Quant},
	wide::LANES,
};

/// Row-major weights as stored.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
	/// f32.
	F32(Vec<f32>),
	/// IEEE half precision.
	F16(Vec<f16>),
	/// bfloat16.
	Bf16(Vec<bf16>),
	/// Whole blocks of a block format.
	Blocks(Quant, Vec<u8>),
}

impl From<Vec<f32>> for Values {
	fn from(data: Vec<f32>) -> Self {
		Self::F32(data)
	}
}

impl Values {
	/// Number of weights.
	pub fn len(&self) -> usize {
		match self {
			Self::F32(v) => v.len(),
			Self::F16(v) => v.len(),
			Self::Bf16(v) => v.len(),
			Self::Blocks(quant, bytes) => bytes.len() / quant.block_bytes() * quant.block_len(),
		}
	}

	/// Whether there are none.
	pub fn is_empty(&self) -> bool {
		self.len() == 0
	}

	/// Bytes they take.
	pub fn bytes(&self) -> usize {
		match self {
			Self::F32(v) => v.len() * 4,
			Self::F16(v) => v.len() * 2,
			Self::Bf16(v) => v.len() * 2,
			Self::Blocks(_, bytes) => bytes.len(),
		}
	}

	/// What they are: `f32`, `f16`, `bf16`, or the name of the block format.
	pub fn name(&self) -> &'static str {
		match self {
			Self::F32(_) => "f32",
			Self::F16(_) => "f16",
			Self::Bf16(_) => "bf16",
			Self::Blocks(quant, _) => quant.name(),
		}
	}

	/// All of them as f32. Exact.
	pub fn to_f32(&self) -> Vec<f32> {
		match self {
			Self::F32(v) => v.clone(),
			Self::F16(v) => v.iter().map(|v| v.to_f32()).collect(),
			Self::Bf16(v) => v.iter().map(|v| v.to_f32()).collect(),
			Self::Blocks(quant, bytes) => {
				let mut out = vec![0.0; self.len()];
				quant.dequantise(bytes, &mut out);
				out
			}
		}
	}

	/// Whether all are finite.
	pub fn is_finite(&self) -> bool {
		match self {
			Self::F32(v) => v.iter().all(|v| v.is_finite()),
			Self::F16(v) => v.iter().all(|v| v.is_finite()),
			Self::Bf16(v) => v.iter().all(|v| v.is_finite()),
			Self::Blocks(quant, bytes) => bytes
				.chunks_exact(quant.block_bytes())
				.all(|b| quant.is_finite(b)),
		}
	}

	/// The same weights rounded to bfloat16.
	pub fn to_bf16(&self) -> Self {
		match self {
			Self::Bf16(_) => self.clone(),
			_ => Self::Bf16(self.to_f32().into_iter().map(bf16::from_f32).collect()),
		}
	}

	/// The same weights rounded to int8, see [`to_int8`]; weights in blocks of eight bits or fewer stay as they are,
	/// and rows of a length that is no multiple of 32 too.
	pub fn to_int8(&self, k: usize) -> Self {
		match self {
			Self::Blocks(..) => self.clone(),
			_ if k == 0 || !k.is_multiple_of(32) => self.clone(),
			_ => Self::Blocks(Quant::Q8_0, to_int8(&self.to_f32())),
		}
	}
}

/// How the weights of a panel are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
	F32,
	F16,
	Bf16,
	Blocks(Quant),
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Rows in one format.
#[derive(Clone)]
pub(crate) struct Part {
	pub store: Store,
	/// First output of the part.
	pub first: usize,
	/// Rows.
	pub n: usize,
	/// Bytes from a panel to the next.
	pub stride: usize,
	data: Vec<Line>,
}

impl Part {
	pub fn panels(&self) -> usize {
		self.n.div_ceil(LANES)
	}

	pub fn panel(&self, panel: usize) -> *const u8 {
		assert!((panel + 1) * self.stride <= self.data.len() * 64);
		// SAFETY: the panel lies inside the data, as was just checked.
		unsafe { self.data.as_ptr().cast::<u8>().add(panel * self.stride) }
	}

	fn bytes(&self) -> &[u8] {
		// SAFETY: lines are plain bytes without gaps.
		unsafe { std::slice::from_raw_parts(self.data.as_ptr().cast(), self.data.len() * 64) }
	}
}

/// Offsets inside a unit of a block format; see the module.
#[derive(Clone, Copy)]
pub(crate) struct Unit {
	/// Inputs of a unit.
	pub len: usize,
	/// Bytes before the first 32 inputs.
	pub head: usize,
	/// Bytes of the parts' scales in front of every 32 inputs.
	pub scales: usize,
	/// Bytes of the bits above the fourth.
	pub plane: usize,
	/// Bytes of all of 32 inputs.
	pub block: usize,
}

impl Unit {
	pub const fn new(bits: usize, minimum: bool, parts: bool) -> Self {
		let scales = if parts { 32 } else { 0 };
		let plane = match bits {
			5 => 64,
			6 => 128,
			_ => 0,
		};
		Self {
			len: if parts { 256 } else { 32 },
			head: if minimum { 64 } else { 32 },
			scales,
			plane,
			block: scales + plane + if bits == 8 { 512 } else { 256 },
		}
	}

	pub const fn bytes(&self) -> usize {
		self.head + self.len / 32 * self.block
	}

	fn of(quant: Quant) -> Self {
		Self::new(quant.bits(), quant.has_minimum(), quant.block_len() == 256)
	}
}

/// Writes rows `first..` (up to sixteen, each of `blocks` blocks) as one panel. `panel` is all zero.
fn pack_blocks(panel: &mut [u8], quant: Quant, rows: &[u8], blocks: usize) {
	let unit = Unit::of(quant);
	let size = quant.block_bytes();
	for (c, row) in rows.chunks_exact(blocks * size).enumerate() {
		for (u, bytes) in row.chunks_exact(size).enumerate() {
			let block = quant.block(bytes);
			let out = &mut panel[u * unit.bytes()..(u + 1) * unit.bytes()];
			out[2 * c..2 * c + 2].copy_from_slice(&block.scale.to_le_bytes());
			if quant.has_minimum() {
				out[32 + 2 * c..34 + 2 * c].copy_from_slice(&block.minimum.to_le_bytes());
			}
			for part in 0..unit.len / 32 {
				let out = &mut out[unit.head + part * unit.block..][..unit.block];
				let (scales, out) = out.split_at_mut(unit.scales);
				if quant == Quant::Q6K {
					scales[c] = block.scales[2 * part];
					scales[16 + c] = block.scales[2 * part + 1];
				} else if !scales.is_empty() {
					scales[c] = block.scales[part];
					scales[16 + c] = block.minima[part];
				}
				let (plane, low) = out.split_at_mut(unit.plane);
				for (i, code) in block.codes[part * 32..part * 32 + 32].iter().enumerate() {
					let (t, j) = (i / 4, i % 4);
					let at = 4 * c + j;
					match quant.bits() {
						8 => low[64 * t + at] = *code,
						bits => {
							low[64 * (t % 4) + at] |= (code & 15) << (4 * (t / 4));
							match bits {
								5 => plane[at] |= code >> 4 << t,
								6 => plane[64 * (t / 4) + at] |= code >> 4 << (2 * (t % 4)),
								_ => {}
							}
						}
					}
				}
			}
		}
	}
}

/// A weight matrix of `n` rows of `k` values; its rows may be in several formats, one after the other.
#[derive(Clone)]
pub struct Matrix {
	pub(crate) parts: Vec<Part>,
	n: usize,
	k: usize,
}

impl std::fmt::Debug for Matrix {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("Matrix")
			.field("n", &self.n)
			.field("k", &self.k)
			.finish_non_exhaustive()
	}
}

struct Target(*mut u8);
// SAFETY: threads write disjoint panels.
unsafe impl Sync for Target {}

impl Matrix {
	/// Stacks row-major weights with rows of `k`, each part in its own format.
	///
	/// # Panics
	/// When a part does not consist of whole rows, or its rows not of whole blocks.
	pub fn new(pool: &Pool, parts: &[&Values], k: usize) -> Self {
		let mut matrix = Self {
			parts: Vec::with_capacity(parts.len()),
			n: 0,
			k,
		};
		for values in parts {
			let n = values.len().checked_div(k).unwrap_or(0);
			assert_eq!(values.len(), n * k, "a matrix must consist of whole rows");
			let padded = k.next_multiple_of(32);
			let (store, stride) = match values {
				Values::F32(_) => (Store::F32, padded * LANES * 4),
				Values::F16(_) => (Store::F16, padded * LANES * 2),
				Values::Bf16(_) => (Store::Bf16, padded * LANES * 2),
				Values::Blocks(quant, _) => {
					assert!(
						k.is_multiple_of(quant.block_len()),
						"a row must consist of whole blocks"
					);
					let unit = Unit::of(*quant);
					(Store::Blocks(*quant), k / unit.len * unit.bytes())
				}
			};
			let stride = stride.next_multiple_of(64);
			let mut part = Part {
				store,
				first: matrix.n,
				n,
				stride,
				data: vec![Line([0; 64]); n.div_ceil(LANES) * stride / 64],
			};
			let target = Target(part.data.as_mut_ptr().cast());
			pool.run(part.panels(), |p| {
				let target = &target;
				// SAFETY: panel `p` lies inside the data, and this call alone has it.
				let panel =
					unsafe { std::slice::from_raw_parts_mut(target.0.add(p * stride), stride) };
				let rows = p * LANES..((p + 1) * LANES).min(n);
				match values {
					Values::F32(v) => {
						for (c, row) in rows.enumerate() {
							for (i, v) in v[row * k..(row + 1) * k].iter().enumerate() {
								let at = 4 * (i * LANES + c);
								panel[at..at + 4].copy_from_slice(&v.to_le_bytes());
							}
						}
					}
					Values::F16(v) => {
						for (c, row) in rows.enumerate() {
							for (i, v) in v[row * k..(row + 1) * k].iter().enumerate() {
								let at = 2 * (i * LANES + c);
								panel[at..at + 2].copy_from_slice(&v.to_le_bytes());
							}
						}
					}
					Values::Bf16(v) => {
						// Pairs of inputs make a word.
						for (c, row) in rows.enumerate() {
							for (i, v) in v[row * k..(row + 1) * k].iter().enumerate() {
								let at = 4 * (i / 2 * LANES + c) + 2 * (i % 2);
								panel[at..at + 2].copy_from_slice(&v.to_le_bytes());
							}
						}
					}
					Values::Blocks(quant, bytes) => {
						let blocks = k / quant.block_len();
						let row = blocks * quant.block_bytes();
						let rows = &bytes[rows.start * row..rows.end * row];
						pack_blocks(panel, *quant, rows, blocks);
					}
				}
			});
			matrix.n += n;
			if n > 0 {
				matrix.parts.push(part);
			}
		}
		matrix
	}

	/// f32 matrix of `n` rows of `k`.
	///
	/// # Panics
	/// When `data` does not hold `n * k` values.
	pub fn f32(data: Vec<f32>, n: usize, k: usize) -> Self {
		assert_eq!(data.len(), n * k, "matrix data must have n * k values");
		let mut matrix = Self::new(&Pool::serial(), &[&Values::F32(data)], k);
		matrix.n = n;
		matrix
	}

	/// Number of rows: outputs of the product.
	pub fn n(&self) -> usize {
		self.n
	}

	/// Number of columns: inputs of the product.
	pub fn k(&self) -> usize {
		self.k
	}

	/// Bytes of the stored weights: what one pass reads from memory.
	pub fn bytes(&self) -> usize {
		self.parts.iter().map(|p| p.panels() * p.stride).sum()
	}

	/// Formats of the rows, each once.
	pub fn formats(&self) -> Vec<&'static str> {
		let mut names: Vec<_> = self
			.parts
			.iter()
			.map(|p| match p.store {
				Store::F32 => "f32",
				Store::F16 => "f16",
				Store::Bf16 => "bf16",
				Store::Blocks(quant) => quant.name(),
			})
			.collect();
		names.dedup();
		names
	}

	/// Copies row `row` (widened to f32) into `out`, which holds `k` values: an embedding look-up.
	///
	/// # Panics
	/// When `row` is not below `n` or `out` is not `k` long.
	pub fn copy_row(&self, row: usize, out: &mut [f32]) {
		assert!(
			row < self.n && out.len() == self.k,
			"row must exist and out hold k values"
		);
		let Some(part) = self.parts.iter().rev().find(|p| p.first <= row) else {
			return;
		};
		let (panel, c) = ((row - part.first) / LANES, (row - part.first) % LANES);
		let panel = &part.bytes()[panel * part.stride..(panel + 1) * part.stride];
		let half = |at: usize| u16::from_le_bytes([panel[at], panel[at + 1]]);
		for (i, out) in out.iter_mut().enumerate() {
			*out = match part.store {
				Store::F32 => {
					let at = 4 * (i * LANES + c);
					f32::from_le_bytes([panel[at], panel[at + 1], panel[at + 2], panel[at + 3]])
				}
				Store::F16 => f16::from_bits(half(2 * (i * LANES + c))).to_f32(),
				Store::Bf16 => {
					bf16::from_bits(half(4 * (i / 2 * LANES + c) + 2 * (i % 2))).to_f32()
				}
				Store::Blocks(quant) => stored(panel, quant, c, i),
			};
		}
	}
}

/// Weight `i` of row `c` of a panel of blocks.
fn stored(panel: &[u8], quant: Quant, c: usize, i: usize) -> f32 {
	let unit = Unit::of(quant);
	let bytes = &panel[i / unit.len * unit.bytes()..][..unit.bytes()];
	let half = |at: usize| f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32();
	let (mut scale, mut minimum) = (half(2 * c), 0.0);
	if quant.has_minimum() {
		minimum = half(32 + 2 * c);
	}
	let i = i % unit.len;
	let block = &bytes[unit.head + i / 32 * unit.block..][..unit.block];
	let (scales, block) = block.split_at(unit.scales);
	let i = i % 32;
	if quant == Quant::Q6K {
		scale *= f32::from(scales[16 * (i / 16) + c] as i8);
	} else if !scales.is_empty() {
		scale *= f32::from(scales[c]);
		minimum *= -f32::from(scales[16 + c]);
	}
	let (plane, low) = block.split_at(unit.plane);
	let (t, at) = (i / 4, 4 * c + i % 4);
	let code = match quant.bits() {
		8 => low[64 * t + at],
		bits => {
			let code = low[64 * (t % 4) + at] >> (4 * (t / 4)) & 15;
			match bits {
				5 => code | (plane[at] >> t & 1) << 4,
				6 => code | (plane[64 * (t / 4) + at] >> (2 * (t % 4)) & 3) << 4,
				_ => code,
			}
		}
	};
	match quant.has_minimum() {
		true => scale * f32::from(code) + minimum,
		false => scale * (f32::from(code) - (1 << (quant.bits() - 1)) as f32),
	}
}
