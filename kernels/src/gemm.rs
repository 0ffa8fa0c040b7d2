//! Matrix products `y[m, n] += x[m, k] · w[n, k]^T` for weights in any stored format.
//!
//! **Floor.** Every weight byte is read from memory once for each [`ROW_TILE`] rows: per weight 4 (f32), 2 (f16, bf16),
//! 1.06 (Q8_0), 0.82 (Q6_K), 0.69 (Q5_0), 0.63 (Q4_1), 0.58 (Q4_K), 0.56 (Q4_0) bytes. And `m·n·k` multiply-adds, of
//! which an instruction of 512 bits does 16 in f32, 32 in bf16 (`vdpbf16ps`) and 64 in int8 (`vpdpbusd`), after
//! unpacking, which costs about 2 instructions per 16 weights in exact arithmetic and 0.5 in int8, once for a group of
//! rows. So one row is bound by memory in all formats, and prefill by the multiply-adds.
//!
//! **Arithmetic.** [`Arithmetic::Exact`] multiplies f32 inputs with the stored weights, whose values are exact in f32.
//! [`Arithmetic::Rounded`] rounds the inputs as well: to int8 in blocks of 32 for weights in blocks (what llama.cpp
//! does), to bf16 for bf16 weights; sums stay in f32. Rounding changes an output by about 0.7 % of its typical size.
//!
//! **Measured** on one thread of a shared AMD EPYC (Zen 4), 3072 × 768 from memory, plain read 37 GB/s
//! (`cargo run --release --example gemm -p openledger-kernels`): one row 15–29 GB/s of weights (Q5_0 to Q6_K exact
//! 11–12); 32 rows 48–55 G multiply-adds/s exact (the processor's f32 peak at this clock), 94 in rounded bf16, 121–142
//! in rounded int8. Eight rows of Q4_1: 49 exact, 131 rounded, so a batch of eight is bound by the multiply-adds. From
//! five rows on the next panel is asked for meanwhile.
//!
//! **Determinism.** An output is a chain of operations in the order of `k` that no block shape changes: a row's result
//! does not depend on the other rows, or on the number of threads.

use half::bf16;
use std::arch::x86_64::{_mm_prefetch, _MM_HINT_T1};

use crate::{
	matrix::{Matrix, Part, Store, Unit},
	pool::Pool,
	quant::Quant,
	simd::{leveled, Kind, Level},
	wide::{Avx2, Avx512, Plain, Wide, LANES},
};

/// Rows that share one pass over the weights: 64 rows of 1,536 f32 inputs are 384 KiB, which stays in a core's L2.
pub const ROW_TILE: usize = 64;

/// From so many rows on, a product asks for the next panel of weights while it multiplies. With fewer it waits for memory
/// anyway, which the processor's own prefetching reads faster.
const BUSY_ROWS: usize = 5;

/// Inputs of a block: those that share a scale when inputs are rounded.
const BLOCK: usize = 32;

/// Products with fewer multiply-adds than this are not worth a hand-over to another thread.
const SERIAL: usize = 1 << 15;

/// What happens to the inputs of a product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Arithmetic {
	/// They stay f32.
	#[default]
	Exact,
	/// They are rounded to int8 (weights in blocks) or bf16 (bf16 weights); f32 and f16 weights see them as they are.
	Rounded,
}

/// A block of rounded inputs: `value ≈ scale · code`.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Head {
	scale: f32,
	/// Sum of the rounded values.
	sum: f32,
	/// Sum of the codes; and of either half.
	codes: i32,
	halves: [i32; 2],
}

/// The inputs of a product in the forms its formats ask for, kept between products so that none allocates.
///
/// All are in blocks of 32 inputs: `[block][row][32]`, so that a group of rows lies at constant distances.
#[derive(Default)]
pub struct Inputs {
	exact: Vec<f32>,
	sums: Vec<f32>,
	codes: Vec<i8>,
	heads: Vec<Head>,
	narrow: Vec<bf16>,
}

impl std::fmt::Debug for Inputs {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("Inputs").finish_non_exhaustive()
	}
}

#[derive(Clone, Copy, Default)]
struct Needs {
	exact: bool,
	codes: bool,
	narrow: bool,
}

impl Needs {
	fn of(matrix: &Matrix, arithmetic: Arithmetic) -> Self {
		let mut needs = Self::default();
		for part in &matrix.parts {
			match (part.store, arithmetic) {
				(Store::Blocks(_), Arithmetic::Rounded) => needs.codes = true,
				(Store::Bf16, Arithmetic::Rounded) => needs.narrow = true,
				_ => needs.exact = true,
			}
		}
		needs
	}
}

/// Grows without clearing what is there: every element is written before it is read.
fn room<T: Copy + Default>(buffer: &mut Vec<T>, len: usize) -> *mut T {
	if buffer.len() < len {
		buffer.resize(len, T::default());
	}
	buffer.as_mut_ptr()
}

#[inline(always)]
fn round_body<const FMA: bool>(codes: &mut [i8], head: &mut Head, x: &[f32]) {
	const LANES: usize = 16;
	let mut largest = [0f32; LANES];
	for half in x.chunks_exact(LANES) {
		for l in 0..LANES {
			let v = half[l].abs();
			largest[l] = if v > largest[l] { v } else { largest[l] };
		}
	}
	let largest = largest
		.iter()
		.fold(0f32, |m, v| if *v > m { *v } else { m });
	let scale = largest / 127.0;
	let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
	// Adding 1.5 * 2^23 leaves the nearest integer in the low bits.
	const ROUND: f32 = 12_582_912.0;
	for (h, half) in x.chunks_exact(LANES).enumerate() {
		let mut sum = 0i32;
		for l in 0..LANES {
			let code = (half[l] * inverse + ROUND).to_bits() as i8;
			codes[h * LANES + l] = code;
			sum += i32::from(code);
		}
		head.halves[h] = sum;
	}
	// An input that is no number makes its row's outputs none, as in exact arithmetic.
	let poison: f32 = x.iter().map(|v| v * 0.0).sum();
	head.scale = scale + poison;
	head.codes = head.halves[0] + head.halves[1];
	head.sum = head.scale * head.codes as f32;
}

leveled! {
	fn round(codes: &mut [i8], head: &mut Head, x: &[f32]) = round_body
}

#[inline(always)]
fn narrow_body<const FMA: bool>(out: &mut [bf16], x: &[f32]) {
	for (out, v) in out.iter_mut().zip(x) {
		// `bf16::from_f32` without its branch: to nearest, ties to even, and what is no number stays none.
		let bits = v.to_bits();
		let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
		let kept = if v.is_nan() {
			bits >> 16 | 0x40
		} else {
			nearest
		};
		*out = bf16::from_bits(kept as u16);
	}
}

leveled! {
	fn narrow(out: &mut [bf16], x: &[f32]) = narrow_body
}

struct Forms {
	exact: *mut f32,
	sums: *mut f32,
	codes: *mut i8,
	heads: *mut Head,
	narrow: *mut bf16,
}
// SAFETY: threads write disjoint rows.
unsafe impl Sync for Forms {}

impl Inputs {
	/// Brings `x` (`[m, k]`) into the forms `needs` names.
	fn prepare(&mut self, pool: &Pool, level: Level, x: &[f32], m: usize, k: usize, needs: Needs) {
		let blocks = k.div_ceil(BLOCK);
		let len = |on: bool| if on { blocks * m } else { 0 };
		let forms = Forms {
			exact: room(&mut self.exact, len(needs.exact) * BLOCK),
			sums: room(&mut self.sums, len(needs.exact)),
			codes: room(&mut self.codes, len(needs.codes) * BLOCK),
			heads: room(&mut self.heads, len(needs.codes)),
			narrow: room(&mut self.narrow, len(needs.narrow) * BLOCK),
		};
		let row = |r: usize| {
			let forms = &forms;
			let x = &x[r * k..(r + 1) * k];
			for b in 0..blocks {
				let mut padded = [0f32; BLOCK];
				let part = &x[b * BLOCK..((b + 1) * BLOCK).min(k)];
				padded[..part.len()].copy_from_slice(part);
				let at = b * m + r;
				// SAFETY: `at` is below `blocks * m`, for which there is room; only this call has row `r`.
				unsafe {
					if needs.exact {
						forms
							.exact
							.add(at * BLOCK)
							.cast::<[f32; BLOCK]>()
							.write(padded);
						*forms.sums.add(at) = crate::simd::sum_block(&padded);
					}
					if needs.codes {
						let codes =
							std::slice::from_raw_parts_mut(forms.codes.add(at * BLOCK), BLOCK);
						round(level, codes, &mut *forms.heads.add(at), &padded);
					}
					if needs.narrow {
						let out =
							std::slice::from_raw_parts_mut(forms.narrow.add(at * BLOCK), BLOCK);
						narrow(level, out, &padded);
					}
				}
			}
		};
		if m == 1 || m * k < SERIAL / 8 {
			(0..m).for_each(row);
		} else {
			let rows = m.div_ceil(pool.threads() * 2);
			pool.run(m.div_ceil(rows), |i| {
				(i * rows..((i + 1) * rows).min(m)).for_each(&row)
			});
		}
	}
}

/// A product's operands. Rows of `y` are `ldy` apart.
#[derive(Clone, Copy)]
struct Job {
	exact: *const f32,
	sums: *const f32,
	codes: *const i8,
	heads: *const Head,
	narrow: *const bf16,
	y: *mut f32,
	ldy: usize,
	m: usize,
	/// Blocks of 32 inputs.
	blocks: usize,
}
// SAFETY: threads read the inputs and write disjoint columns of `y`.
unsafe impl Sync for Job {}

/// The part of the next panel that a group of rows asks for while it multiplies with this one.
#[derive(Clone, Copy)]
struct Ahead {
	at: *const u8,
	/// Lines of 64 bytes per block of 32 inputs.
	lines: usize,
}

impl Ahead {
	const NOTHING: Self = Self {
		at: std::ptr::null(),
		lines: 0,
	};

	/// What `groups` groups ask for together: all of `panel`, of `bytes`.
	fn shared(panel: *const u8, bytes: usize, blocks: usize, groups: usize) -> Self {
		Self {
			at: panel,
			lines: bytes.div_ceil(64 * blocks * groups),
		}
	}

	/// The same for the next group.
	fn next(self, blocks: usize) -> Self {
		Self {
			at: self.at.wrapping_add(64 * self.lines * blocks),
			..self
		}
	}

	/// Asks for what belongs to block `b`. Lines beyond the weights are a wish like any other, which the processor drops.
	#[inline(always)]
	fn ask(self, b: usize) {
		for line in b * self.lines..(b + 1) * self.lines {
			let line = self.at.wrapping_add(64 * line);
			// SAFETY: a prefetch reads nothing as far as the program can tell, whatever the address.
			unsafe { _mm_prefetch::<_MM_HINT_T1>(line.cast()) };
		}
	}
}

/// Panels `from..to` of a part, and the one that the same thread will probably begin with next.
#[derive(Clone, Copy)]
struct Piece {
	from: usize,
	to: usize,
	then: usize,
}

/// How a group of rows meets a panel: adds `R` rows × 16 outputs.
trait Kernel {
	/// # Safety
	/// `panel` is a panel of the kernel's format with `job.blocks` blocks; rows `row..row + R` exist in the form the
	/// kernel reads; the processor has the instructions of `W`.
	unsafe fn block<W: Wide, const R: usize>(
		job: &Job,
		panel: *const u8,
		row: usize,
		ahead: Ahead,
	) -> [W::F; R];
}

/// Runs the body for `$t` = 0 to 7 as constants, so that shifts become immediate.
macro_rules! steps {
	($t:ident, $body:block) => {{
		{
			const $t: usize = 0;
			$body
		}
		{
			const $t: usize = 1;
			$body
		}
		{
			const $t: usize = 2;
			$body
		}
		{
			const $t: usize = 3;
			$body
		}
		{
			const $t: usize = 4;
			$body
		}
		{
			const $t: usize = 5;
			$body
		}
		{
			const $t: usize = 6;
			$body
		}
		{
			const $t: usize = 7;
			$body
		}
	}};
}

struct Floats;
struct Halves;
struct Brains;
/// bf16 weights and inputs rounded to bf16.
struct Pairs;

impl Kernel for Floats {
	#[inline(always)]
	unsafe fn block<W: Wide, const R: usize>(
		job: &Job,
		panel: *const u8,
		row: usize,
		ahead: Ahead,
	) -> [W::F; R] {
		// SAFETY: the caller vouches for the panel and the rows; all reads lie inside them.
		unsafe {
			let mut even = [W::zero(); R];
			let mut odd = [W::zero(); R];
			for b in 0..job.blocks {
				ahead.ask(b);
				let x = job.exact.add((b * job.m + row) * BLOCK);
				let w = panel.add(b * BLOCK * LANES * 4).cast::<f32>();
				let mut i = 0;
				while i < BLOCK {
					let w0 = W::load(w.add(i * LANES));
					let w1 = W::load(w.add((i + 1) * LANES));
					for r in 0..R {
						even[r] = W::fma(w0, W::splat(*x.add(r * BLOCK + i)), even[r]);
						odd[r] = W::fma(w1, W::splat(*x.add(r * BLOCK + i + 1)), odd[r]);
					}
					i += 2;
				}
			}
			for r in 0..R {
				even[r] = W::add(even[r], odd[r]);
			}
			even
		}
	}
}

impl Kernel for Halves {
	#[inline(always)]
	unsafe fn block<W: Wide, const R: usize>(
		job: &Job,
		panel: *const u8,
		row: usize,
		ahead: Ahead,
	) -> [W::F; R] {
		// SAFETY: the caller vouches for the panel and the rows; all reads lie inside them.
		unsafe {
			let mut even = [W::zero(); R];
			let mut odd = [W::zero(); R];
			for b in 0..job.blocks {
				ahead.ask(b);
				let x = job.exact.add((b * job.m + row) * BLOCK);
				let w = panel.add(b * BLOCK * LANES * 2);
				let mut i = 0;
				while i < BLOCK {
					let w0 = W::load_f16(w.add(i * LANES * 2));
					let w1 = W::load_f16(w.add((i + 1) * LANES * 2));
					for r in 0..R {
						even[r] = W::fma(w0, W::splat(*x.add(r * BLOCK + i)), even[r]);
						odd[r] = W::fma(w1, W::splat(*x.add(r * BLOCK + i + 1)), odd[r]);
					}
					i += 2;
				}
			}
			for r in 0..R {
				even[r] = W::add(even[r], odd[r]);
			}
			even
		}
	}
}

impl Kernel for Brains {
	#[inline(always)]
	unsafe fn block<W: Wide, const R: usize>(
		job: &Job,
		panel: *const u8,
		row: usize,
		ahead: Ahead,
	) -> [W::F; R] {
		// SAFETY: the caller vouches for the panel and the rows; all reads lie inside them.
		unsafe {
			let mut even = [W::zero(); R];
			let mut odd = [W::zero(); R];
			let high = W::word(-65536);
			for b in 0..job.blocks {
				ahead.ask(b);
				let x = job.exact.add((b * job.m + row) * BLOCK);
				let w = panel.add(b * BLOCK * LANES * 2);
				let mut i = 0;
				while i < BLOCK {
					let pair = W::words(w.add(i * LANES * 2));
					let w0 = W::bits(W::shl(pair, 16));
					let w1 = W::bits(W::and(pair, high));
					for r in 0..R {
						even[r] = W::fma(w0, W::splat(*x.add(r * BLOCK + i)), even[r]);
						odd[r] = W::fma(w1, W::splat(*x.add(r * BLOCK + i + 1)), odd[r]);
					}
					i += 2;
				}
			}
			for r in 0..R {
				even[r] = W::add(even[r], odd[r]);
			}
			even
		}
	}
}

impl Kernel for Pairs {
	#[inline(always)]
	unsafe fn block<W: Wide, const R: usize>(
		job: &Job,
		panel: *const u8,
		row: usize,
		ahead: Ahead,
	) -> [W::F; R] {
		// SAFETY: the caller vouches for the panel and the rows; all reads lie inside them.
		unsafe {
			let mut even = [W::zero(); R];
			let mut odd = [W::zero(); R];
			for b in 0..job.blocks {
				ahead.ask(b);
				let x = job.narrow.add((b * job.m + row) * BLOCK);
				let w = panel.add(b * BLOCK * LANES * 2);
				let mut i = 0;
				while i < BLOCK {
					let w0 = W::words(w.add(i * LANES * 2));
					let w1 = W::words(w.add((i + 2) * LANES * 2));
					for r in 0..R {
						even[r] = W::dot_bf16(even[r], w0, x.add(r * BLOCK + i));
						odd[r] = W::dot_bf16(odd[r], w1, x.add(r * BLOCK + i + 2));
					}
					i += 4;
				}
			}
			for r in 0..R {
				even[r] = W::add(even[r], odd[r]);
			}
			even
		}
	}
}

/// Reading a unit of a block format: see [`crate::matrix`] for where things lie.
struct Format<const BITS: usize, const MINIMUM: bool, const PARTS: bool>;

impl<const BITS: usize, const MINIMUM: bool, const PARTS: bool> Format<BITS, MINIMUM, PARTS> {
	const UNIT: Unit = Unit::new(BITS, MINIMUM, PARTS);
	/// The code of weight zero, where there is no minimum; subtracted in all formats, for smaller sums.
	const CENTRE: i32 = 1 << (BITS - 1);
	/// Parts of 32 inputs with a scale of their own.
	const SPLIT: usize = if BITS == 6 { 2 } else { 1 };

	/// Scale and negated minimum's scale of a block of 256; scale and minimum of one of 32.
	#[inline(always)]
	unsafe fn head<W: Wide>(unit: *const u8) -> [W::F; 2] {
		// SAFETY: `unit` is a whole unit.
		unsafe {
			let scale = W::load_f16(unit);
			if !MINIMUM {
				return [scale, W::zero()];
			}
			let minimum = W::load_f16(unit.add(32));
			match PARTS {
				true => [scale, W::mul(minimum, W::splat(-1.0))],
				false => [scale, minimum],
			}
		}
	}

	#[inline(always)]
	unsafe fn scale<W: Wide>(block: *const u8, part: usize, head: [W::F; 2]) -> W::F {
		// SAFETY: `block` is a whole block.
		unsafe {
			match (PARTS, MINIMUM) {
				(true, true) => W::mul(head[0], W::load_u8(block)),
				(true, false) => W::mul(head[0], W::load_i8(block.add(16 * part))),
				_ => head[0],
			}
		}
	}

	/// What every weight has beside `scale · (code − CENTRE)`.
	#[inline(always)]
	unsafe fn minimum<W: Wide>(block: *const u8, head: [W::F; 2], scale: W::F) -> W::F {
		// SAFETY: `block` is a whole block.
		unsafe {
			let minimum = match PARTS {
				true => W::mul(head[1], W::load_u8(block.add(16))),
				false => head[1],
			};
			W::fma(scale, W::splat(Self::CENTRE as f32), minimum)
		}
	}

	#[inline(always)]
	unsafe fn low(block: *const u8, t: usize) -> *const u8 {
		let group = if BITS == 8 { t } else { t % 4 };
		// SAFETY: `block` is a whole block.
		unsafe { block.add(Self::UNIT.scales + Self::UNIT.plane + 64 * group) }
	}

	/// The codes of group `t`: four inputs of sixteen rows.
	#[inline(always)]
	unsafe fn codes<W: Wide>(block: *const u8, t: usize) -> W::I {
		// SAFETY: `block` is a whole block.
		unsafe {
			let words = W::words(Self::low(block, t));
			if BITS == 8 {
				return words;
			}
			let low = if t < 4 { words } else { W::shr(words, 4) };
			let low = W::and(low, W::word(0x0f0f_0f0f));
			match BITS {
				5 => {
					let plane = W::words(block.add(Self::UNIT.scales));
					let fifth = if t < 4 {
						W::shl(plane, 4 - t as u32)
					} else {
						W::shr(plane, t as u32 - 4)
					};
					W::or(low, W::and(fifth, W::word(0x1010_1010)))
				}
				6 => {
					let plane = W::words(block.add(Self::UNIT.scales + 64 * (t / 4)));
					let high = match t % 4 {
						0 => W::shl(plane, 4),
						1 => W::shl(plane, 2),
						2 => plane,
						_ => W::shr(plane, 2),
					};
					W::or(low, W::and(high, W::word(0x3030_3030)))
				}
				_ => low,
			}
		}
	}
}

/// Weights in blocks, inputs in f32.
struct Exact<const BITS: usize, const MINIMUM: bool, const PARTS: bool>;

impl<const BITS: usize, const MINIMUM: bool, const PARTS: bool> Kernel
	for Exact<BITS, MINIMUM, PARTS>
{
	#[inline(always)]
	unsafe fn block<W: Wide, const R: usize>(
		job: &Job,
		panel: *const u8,
		row: usize,
		ahead: Ahead,
	) -> [W::F; R] {
		type Of<const B: usize, const M: bool, const P: bool> = Format<B, M, P>;
		// SAFETY: the caller vouches for the panel and the rows; all reads lie inside them.
		unsafe {
			let unit = Of::<BITS, MINIMUM, PARTS>::UNIT;
			let mut acc = [W::zero(); R];
			let mut b = 0;
			let mut at = panel;
			while b < job.blocks {
				let head = Of::<BITS, MINIMUM, PARTS>::head::<W>(at);
				let mut block = at.add(unit.head);
				let end = b + unit.len / BLOCK;
				while b < end {
					ahead.ask(b);
					let x = job.exact.add((b * job.m + row) * BLOCK);
					let mut even = [W::zero(); R];
					let mut odd = [W::zero(); R];
					let mut scale = Of::<BITS, MINIMUM, PARTS>::scale::<W>(block, 0, head);
					steps!(T, {
						if Of::<BITS, MINIMUM, PARTS>::SPLIT == 2 && T == 4 {
							for r in 0..R {
								acc[r] = W::fma(W::add(even[r], odd[r]), scale, acc[r]);
								even[r] = W::zero();
								odd[r] = W::zero();
							}
							scale = Of::<BITS, MINIMUM, PARTS>::scale::<W>(block, 1, head);
						}
						let (w0, w1, w2, w3);
						if BITS == 4 {
							let words = W::words(Of::<BITS, MINIMUM, PARTS>::low(block, T));
							let shift = if T < 4 { 0 } else { 4 };
							w0 = W::nibble(words, shift);
							w1 = W::nibble(words, shift + 8);
							w2 = W::nibble(words, shift + 16);
							w3 = W::nibble(words, shift + 24);
						} else {
							let codes = Of::<BITS, MINIMUM, PARTS>::codes::<W>(block, T);
							let centre = Of::<BITS, MINIMUM, PARTS>::CENTRE as u8;
							let codes = W::sub_bytes(codes, centre);
							w0 = W::byte(codes, 0);
							w1 = W::byte(codes, 1);
							w2 = W::byte(codes, 2);
							w3 = W::byte(codes, 3);
						}
						for r in 0..R {
							let x = x.add(r * BLOCK + 4 * T);
							even[r] = W::fma(w0, W::splat(*x), even[r]);
							odd[r] = W::fma(w1, W::splat(*x.add(1)), odd[r]);
							even[r] = W::fma(w2, W::splat(*x.add(2)), even[r]);
							odd[r] = W::fma(w3, W::splat(*x.add(3)), odd[r]);
						}
					});
					for r in 0..R {
						acc[r] = W::fma(W::add(even[r], odd[r]), scale, acc[r]);
					}
					if MINIMUM {
						let minimum = Of::<BITS, MINIMUM, PARTS>::minimum::<W>(block, head, scale);
						for r in 0..R {
							let sum = W::splat(*job.sums.add(b * job.m + row + r));
							acc[r] = W::fma(minimum, sum, acc[r]);
						}
					}
					b += 1;
					block = block.add(unit.block);
				}
				at = at.add(unit.bytes());
			}
			acc
		}
	}
}

/// Weights in blocks, inputs rounded to int8.
struct Rounded<const BITS: usize, const MINIMUM: bool, const PARTS: bool>;

impl<const BITS: usize, const MINIMUM: bool, const PARTS: bool> Kernel
	for Rounded<BITS, MINIMUM, PARTS>
{
	#[inline(always)]
	unsafe fn block<W: Wide, const R: usize>(
		job: &Job,
		panel: *const u8,
		row: usize,
		ahead: Ahead,
	) -> [W::F; R] {
		type Of<const B: usize, const M: bool, const P: bool> = Format<B, M, P>;
		// SAFETY: the caller vouches for the panel and the rows; all reads lie inside them.
		unsafe {
			let unit = Of::<BITS, MINIMUM, PARTS>::UNIT;
			let split = Of::<BITS, MINIMUM, PARTS>::SPLIT == 2;
			let centre = Of::<BITS, MINIMUM, PARTS>::CENTRE;
			let mut acc = [W::zero(); R];
			let mut b = 0;
			let mut at = panel;
			while b < job.blocks {
				let head = Of::<BITS, MINIMUM, PARTS>::head::<W>(at);
				let mut block = at.add(unit.head);
				let end = b + unit.len / BLOCK;
				while b < end {
					ahead.ask(b);
					let x = job.codes.add((b * job.m + row) * BLOCK);
					let heads = job.heads.add(b * job.m + row);
					let mut dots = [W::word(0); R];
					for r in 0..R {
						let head = heads.add(r);
						let sum = if split {
							(*head).halves[0]
						} else {
							(*head).codes
						};
						dots[r] = W::word(-centre * sum);
					}
					let mut scale = Of::<BITS, MINIMUM, PARTS>::scale::<W>(block, 0, head);
					steps!(T, {
						if split && T == 4 {
							for r in 0..R {
								let head = heads.add(r);
								let part = W::mul(W::float(dots[r]), W::splat((*head).scale));
								acc[r] = W::fma(part, scale, acc[r]);
								dots[r] = W::word(-centre * (*head).halves[1]);
							}
							scale = Of::<BITS, MINIMUM, PARTS>::scale::<W>(block, 1, head);
						}
						let codes = Of::<BITS, MINIMUM, PARTS>::codes::<W>(block, T);
						for r in 0..R {
							let x = x.add(r * BLOCK + 4 * T);
							dots[r] = if BITS == 8 {
								W::dot::<true>(dots[r], codes, x)
							} else {
								W::dot::<false>(dots[r], codes, x)
							};
						}
					});
					for r in 0..R {
						let part = W::mul(W::float(dots[r]), W::splat((*heads.add(r)).scale));
						acc[r] = W::fma(part, scale, acc[r]);
					}
					if MINIMUM {
						let minimum = Of::<BITS, MINIMUM, PARTS>::minimum::<W>(block, head, scale);
						for r in 0..R {
							acc[r] = W::fma(minimum, W::splat((*heads.add(r)).sum), acc[r]);
						}
					}
					b += 1;
					block = block.add(unit.block);
				}
				at = at.add(unit.bytes());
			}
			acc
		}
	}
}

/// Adds the sums of `R` rows to columns `col..col + count` of `y`.
#[inline(always)]
unsafe fn finish<W: Wide, const R: usize>(
	job: &Job,
	acc: [W::F; R],
	row: usize,
	col: usize,
	count: usize,
) {
	// SAFETY: the caller owns these outputs.
	unsafe {
		for r in 0..R {
			let y = job.y.add((row + r) * job.ldy + col);
			if count == LANES {
				W::store(y, W::add(W::load(y), acc[r]));
			} else {
				let mut sums = [0f32; LANES];
				W::store(sums.as_mut_ptr(), acc[r]);
				for c in 0..count {
					*y.add(c) += sums[c];
				}
			}
		}
	}
}

/// Runs the body with `$left` rows, fewer than `$rows` and those at most 8, as the constant `$r`.
macro_rules! rest {
	($rows:expr, $left:expr, $r:ident, $body:block) => {
		rest!($rows, $left, $r, $body, [1 2 3 4 5 6 7])
	};
	($rows:expr, $left:expr, $r:ident, $body:block, [$($n:literal)*]) => {
		match $left {
			$($n if $n < $rows => {
				const $r: usize = if $n < $rows { $n } else { 1 };
				$body
			})*
			_ => {}
		}
	};
}

/// One module per set of instructions: the kernels compiled for it, and the loops around them.
macro_rules! compiled {
	($name:ident, $wide:ty, $rows:expr, [$($feature:literal)?]) => {
		mod $name {
			use super::*;

			/// # Safety
			/// As for [`Kernel::block`]; the caller alone writes these outputs.
			$(#[target_feature(enable = $feature)])?
			unsafe fn group<K: Kernel, const R: usize>(
				job: &Job,
				panel: *const u8,
				row: usize,
				col: usize,
				count: usize,
				ahead: Ahead,
			) {
				// SAFETY: the caller vouches for all of it.
				unsafe {
					let acc = K::block::<$wide, R>(job, panel, row, ahead);
					finish::<$wide, R>(job, acc, row, col, count);
				}
			}

			/// All rows against the panels of a piece.
			///
			/// # Safety
			/// As for [`Kernel::block`]; the caller alone writes these columns.
			$(#[target_feature(enable = $feature)])?
			pub(super) unsafe fn span<K: Kernel>(job: &Job, part: &Part, piece: Piece) {
				let Piece { from, to, then } = piece;
				let mut tile = 0;
				while tile < job.m {
					let end = (tile + ROW_TILE).min(job.m);
					for p in from..to {
						let panel = part.panel(p);
						let col = part.first + p * LANES;
						let count = LANES.min(part.n - p * LANES);
						let mut row = tile;
						let mut ahead = Ahead::NOTHING;
						let next = if p + 1 < to { p + 1 } else { then };
						if next < part.panels() && end - tile >= BUSY_ROWS {
							let groups = (end - tile).div_ceil($rows);
							ahead = Ahead::shared(part.panel(next), part.stride, job.blocks, groups);
						}
						// SAFETY: the groups tile the rows and columns the caller vouches for.
						unsafe {
							while end - row >= $rows {
								group::<K, $rows>(job, panel, row, col, count, ahead);
								row += $rows;
								ahead = ahead.next(job.blocks);
							}
							rest!($rows, end - row, R, {
								group::<K, R>(job, panel, row, col, count, ahead);
							});
						}
					}
					tile = end;
				}
			}
		}
	};
}

compiled!(plain, Plain, 1, []);
compiled!(avx2, Avx2, 2, ["avx2,fma,f16c"]);
compiled!(
	avx512,
	Avx512<false, false>,
	8,
	["avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c"]
);
compiled!(
	vnni,
	Avx512<true, false>,
	8,
	["avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"]
);
compiled!(
	brain,
	Avx512<true, true>,
	8,
	["avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,avx2,fma,f16c"]
);

/// # Safety
/// The panels exist and hold what their part says; the caller alone writes their columns.
unsafe fn exact<K: Kernel>(level: Level, job: &Job, part: &Part, piece: Piece) {
	// SAFETY: the caller vouches for the panels, `level` for the instructions.
	unsafe {
		match level.0 {
			Kind::Portable => plain::span::<K>(job, part, piece),
			Kind::Avx2 => avx2::span::<K>(job, part, piece),
			_ => avx512::span::<K>(job, part, piece),
		}
	}
}

/// # Safety
/// As for [`exact`].
unsafe fn rounded<K: Kernel>(level: Level, job: &Job, part: &Part, piece: Piece) {
	// SAFETY: the caller vouches for the panels, `level` for the instructions.
	unsafe {
		match level.0 {
			Kind::Portable => plain::span::<K>(job, part, piece),
			Kind::Avx2 => avx2::span::<K>(job, part, piece),
			Kind::Avx512 => avx512::span::<K>(job, part, piece),
			_ => vnni::span::<K>(job, part, piece),
		}
	}
}

/// # Safety
/// As for [`exact`].
unsafe fn pairs(level: Level, job: &Job, part: &Part, piece: Piece) {
	// SAFETY: the caller vouches for the panels, `level` for the instructions.
	unsafe {
		match level.0 {
			Kind::Portable => plain::span::<Pairs>(job, part, piece),
			Kind::Avx2 => avx2::span::<Pairs>(job, part, piece),
			Kind::Avx512 | Kind::Vnni => avx512::span::<Pairs>(job, part, piece),
			Kind::Brain => brain::span::<Pairs>(job, part, piece),
		}
	}
}

/// # Safety
/// As for [`exact`].
unsafe fn dispatch(level: Level, arithmetic: Arithmetic, job: &Job, part: &Part, piece: Piece) {
	macro_rules! blocks {
		($bits:literal, $minimum:literal, $parts:literal) => {
			match arithmetic {
				Arithmetic::Exact => {
					exact::<Exact<$bits, $minimum, $parts>>(level, job, part, piece)
				}
				Arithmetic::Rounded => {
					rounded::<Rounded<$bits, $minimum, $parts>>(level, job, part, piece)
				}
			}
		};
	}
	// SAFETY: the caller vouches for the panels; the kernel is that of the part's format.
	unsafe {
		match part.store {
			Store::F32 => exact::<Floats>(level, job, part, piece),
			Store::F16 => exact::<Halves>(level, job, part, piece),
			Store::Bf16 => match arithmetic {
				Arithmetic::Exact => exact::<Brains>(level, job, part, piece),
				Arithmetic::Rounded => pairs(level, job, part, piece),
			},
			Store::Blocks(Quant::Q4_0) => blocks!(4, false, false),
			Store::Blocks(Quant::Q4_1) => blocks!(4, true, false),
			Store::Blocks(Quant::Q5_0) => blocks!(5, false, false),
			Store::Blocks(Quant::Q5_1) => blocks!(5, true, false),
			Store::Blocks(Quant::Q8_0) => blocks!(8, false, false),
			Store::Blocks(Quant::Q4K) => blocks!(4, true, true),
			Store::Blocks(Quant::Q5K) => blocks!(5, true, true),
			Store::Blocks(Quant::Q6K) => blocks!(6, false, true),
		}
	}
}

/// `y[m, n] += x[m, k] · w^T`, in parallel over the rows of `w`. `inputs` is working memory for the next call too.
///
/// # Panics
/// When a slice's length does not fit `m` and the matrix.
pub fn gemm(
	pool: &Pool,
	level: Level,
	arithmetic: Arithmetic,
	y: &mut [f32],
	x: &[f32],
	w: &Matrix,
	m: usize,
	inputs: &mut Inputs,
) {
	let (n, k) = (w.n(), w.k());
	assert_eq!(x.len(), m * k, "x must be m * k");
	assert_eq!(y.len(), m * n, "y must be m * n");
	if m == 0 || n == 0 || k == 0 {
		return;
	}
	inputs.prepare(pool, level, x, m, k, Needs::of(w, arithmetic));
	let job = Job {
		exact: inputs.exact.as_ptr(),
		sums: inputs.sums.as_ptr(),
		codes: inputs.codes.as_ptr(),
		heads: inputs.heads.as_ptr(),
		narrow: inputs.narrow.as_ptr(),
		y: y.as_mut_ptr(),
		ldy: n,
		m,
		blocks: k.div_ceil(BLOCK),
	};
	let panels: usize = w.parts.iter().map(Part::panels).sum();
	let size = if m * n * k < SERIAL {
		panels
	} else {
		// A few pieces per thread let a thread that was interrupted be helped.
		panels.div_ceil(pool.threads() * 4)
	};
	pool.run(panels.div_ceil(size), |i| {
		let job = &job;
		let (mut from, mut left) = (i * size, size);
		for part in &w.parts {
			let panels = part.panels();
			if from >= panels {
				from -= panels;
				continue;
			}
			let to = (from + left).min(panels);
			let then = to + (pool.threads() - 1) * size;
			let piece = Piece { from, to, then };
			// SAFETY: the panels exist, the inputs were prepared for their formats, and the pieces are disjoint
			// ranges of columns of `y`, which is borrowed mutably.
			unsafe { dispatch(level, arithmetic, job, part, piece) };
			left -= to - from;
			from = 0;
			if left == 0 {
				break;
			}
		}
	});
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn narrowing_should_round_as_the_standard_conversion_does() {
		let bits =
			(0..=u32::MAX)
				.step_by(65_521 / 7)
				.chain([0x7f80_0001, 0xffff_ffff, 0x7f7f_ffff]);
		let values: Vec<f32> = bits.map(f32::from_bits).collect();
		for level in Level::available() {
			let mut out = vec![bf16::ZERO; values.len()];
			narrow(level, &mut out, &values);
			for (got, v) in out.iter().zip(&values) {
				assert_eq!(
					got.to_bits(),
					bf16::from_f32(*v).to_bits(),
					"{v} at {}",
					level.name()
				);
			}
		}
	}
}
