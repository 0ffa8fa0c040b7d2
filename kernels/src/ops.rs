//! Row-wise operations: normalisation, rotary positions, activation, softmax.
//!
//! Floor: each reads and writes its rows once; at the engine's batch sizes they live in L2.

use crate::{
	pool::Pool,
	simd::{self, leveled, Level},
};

#[inline(always)]
fn rms_norm_body<const FMA: bool>(out: &mut [f32], x: &[f32], weight: &[f32], eps: f32) {
	let k = weight.len();
	assert_eq!(out.len(), x.len(), "out and x must have the same length");
	if k == 0 {
		return;
	}
	for (out, x) in out.chunks_exact_mut(k).zip(x.chunks_exact(k)) {
		let mean = simd::dot::<FMA>(x, x) / k as f32;
		let scale = 1.0 / (mean + eps).sqrt();
		for i in 0..k {
			out[i] = x[i] * scale * weight[i];
		}
	}
}

leveled! {
	/// Root-mean-square normalisation of each row of `x` (rows of `weight.len()`) into `out`.
	///
	/// # Panics
	/// When `out` and `x` differ in length.
	pub fn rms_norm(out: &mut [f32], x: &[f32], weight: &[f32], eps: f32) = rms_norm_body
}

/// Cosines and sines of the rotary embedding for positions `0..positions`.
#[derive(Clone, Debug)]
pub struct RopeTable {
	cos: Vec<f32>,
	sin: Vec<f32>,
	half: usize,
}

impl RopeTable {
	/// Table for `positions` positions from the `head_dim / 2` inverse frequencies.
	///
	/// Angles are products of f32 values, as in the reference implementations, and their cosines are then exact.
	pub fn new(inverse_frequencies: &[f32], positions: usize) -> Self {
		let half = inverse_frequencies.len();
		let mut cos = Vec::with_capacity(positions * half);
		let mut sin = Vec::with_capacity(positions * half);
		for position in 0..positions {
			for frequency in inverse_frequencies {
				let angle = f64::from(position as f32 * frequency);
				cos.push(angle.cos() as f32);
				sin.push(angle.sin() as f32);
			}
		}
		Self { cos, sin, half }
	}

	/// Number of positions in the table.
	pub fn positions(&self) -> usize {
		self.cos.len().checked_div(self.half).unwrap_or(0)
	}
}

#[inline(always)]
fn rope_body<const FMA: bool>(heads: &mut [f32], table: &RopeTable, position: usize) {
	let half = table.half;
	if half == 0 {
		return;
	}
	let cos = &table.cos[position * half..(position + 1) * half];
	let sin = &table.sin[position * half..(position + 1) * half];
	for head in heads.chunks_exact_mut(2 * half) {
		let (a, b) = head.split_at_mut(half);
		for i in 0..half {
			let (x, y) = (a[i], b[i]);
			a[i] = x * cos[i] - y * sin[i];
			b[i] = y * cos[i] + x * sin[i];
		}
	}
}

leveled! {
	/// Rotates every head of one row in place (rotate-half order: element `i` pairs with `i + head_dim / 2`).
	///
	/// # Panics
	/// When `position` lies outside the table.
	pub fn rope(heads: &mut [f32], table: &RopeTable, position: usize) = rope_body
}

#[inline(always)]
fn silu_mul_body<const FMA: bool>(out: &mut [f32], gate_up: &[f32], width: usize) {
	assert_eq!(
		gate_up.len(),
		2 * out.len(),
		"gate_up must be twice as long as out"
	);
	if width == 0 {
		return;
	}
	for (out, row) in out
		.chunks_exact_mut(width)
		.zip(gate_up.chunks_exact(2 * width))
	{
		let (gate, up) = row.split_at(width);
		for i in 0..width {
			out[i] = gate[i] / (1.0 + simd::exp::<FMA>(-gate[i])) * up[i];
		}
	}
}

leveled! {
	/// `silu(gate) * up` for rows of `gate_up` that hold `width` gates and then `width` ups.
	///
	/// # Panics
	/// When `gate_up` is not twice as long as `out`.
	pub fn silu_mul(out: &mut [f32], gate_up: &[f32], width: usize) = silu_mul_body
}

struct Output(*mut f32);
// SAFETY: tasks write disjoint rows.
unsafe impl Sync for Output {}

/// [`silu_mul`] in parallel over the rows.
///
/// # Panics
/// When `gate_up` is not twice as long as `out`.
pub fn silu_mul_rows(pool: &Pool, level: Level, out: &mut [f32], gate_up: &[f32], width: usize) {
	assert_eq!(
		gate_up.len(),
		2 * out.len(),
		"gate_up must be twice as long as out"
	);
	// An element costs some 20 instructions of 16 lanes.
	if out.len() < 1 << 13 || width == 0 {
		return silu_mul(level, out, gate_up, width);
	}
	let rows = out.len() / width;
	let target = Output(out.as_mut_ptr());
	let size = rows.div_ceil(pool.threads() * 2);
	pool.run(rows.div_ceil(size), |i| {
		let target = &target;
		let (from, to) = (i * size, ((i + 1) * size).min(rows));
		// SAFETY: the rows lie inside `out`, and only this task has them.
		let out = unsafe {
			std::slice::from_raw_parts_mut(target.0.add(from * width), (to - from) * width)
		};
		silu_mul(
			level,
			out,
			&gate_up[2 * from * width..2 * to * width],
			width,
		);
	});
}

#[inline(always)]
pub(crate) fn softmax_body<const FMA: bool>(values: &mut [f32]) {
	let shift = simd::max(values);
	let sum = simd::exp_sum::<FMA>(values, shift);
	let scale = 1.0 / sum;
	for v in values {
		*v *= scale;
	}
}

leveled! {
	/// Softmax of one row in place. Nothing happens to an empty row.
	pub fn softmax(values: &mut [f32]) = softmax_body
}
