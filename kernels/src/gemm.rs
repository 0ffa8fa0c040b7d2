//! Matrix products `y[m, n] += x[m, k] · w[n, k]^T`.
//!
//! Floor: `n·k` weights read once from memory for every [`ROW_TILE`] rows (4 bytes each in f32, 2 in bf16) and
//! `m·n·k` multiply-adds. With one row the weights' bytes decide; from about 16 rows of f32 on the multiply-adds.
//!
//! Each output is one chain of vector multiply-adds over `k` followed by one fixed reduction tree, whatever the
//! block shape: so a row's result does not depend on the other rows. A block of 4×4 outputs needs 8 loads for 16
//! multiply-adds and hides their latency.
//!
//! Measured on one thread of a shared AMD EPYC at 2.6 GHz, AVX-512, 3072 × 576 from memory (`examples/gemm.rs`):
//! 18–22 GB/s of weights for 1 to 4 rows, 11 GB/s (43 GFLOP/s) for 8, 90 GFLOP/s for 64.

use half::bf16;
use rayon::prelude::*;
use std::arch::x86_64::*;

use crate::simd::{self, Kind, Level};

/// Rows that share one pass over the weights: 64 rows of 1,536 inputs are 384 KiB, which stays in a core's L2.
pub const ROW_TILE: usize = 64;

/// Products with fewer multiply-adds than this are not worth a hand-over to another thread.
const SERIAL: usize = 1 << 16;

/// A weight matrix of `n` rows of `k` values, in the precision it is stored in.
#[derive(Clone, Debug)]
pub enum Matrix {
	/// Exact f32.
	F32 { data: Vec<f32>, n: usize, k: usize },
	/// bfloat16, widened on load; half the bytes.
	Bf16 { data: Vec<bf16>, n: usize, k: usize },
}

impl Matrix {
	/// f32 matrix of `n` rows of `k`.
	///
	/// # Panics
	/// When `data` does not hold `n * k` values.
	pub fn f32(data: Vec<f32>, n: usize, k: usize) -> Self {
		assert_eq!(data.len(), n * k, "matrix data must have n * k values");
		Self::F32 { data, n, k }
	}

	/// The same matrix rounded to bfloat16.
	pub fn to_bf16(&self) -> Self {
		match self {
			Self::F32 { data, n, k } => Self::Bf16 {
				data: data.iter().map(|v| bf16::from_f32(*v)).collect(),
				n: *n,
				k: *k,
			},
			Self::Bf16 { .. } => self.clone(),
		}
	}

	/// Number of rows: outputs of the product.
	pub fn n(&self) -> usize {
		match self {
			Self::F32 { n, .. } | Self::Bf16 { n, .. } => *n,
		}
	}

	/// Number of columns: inputs of the product.
	pub fn k(&self) -> usize {
		match self {
			Self::F32 { k, .. } | Self::Bf16 { k, .. } => *k,
		}
	}

	/// Bytes of the stored weights: what one pass reads from memory.
	pub fn bytes(&self) -> usize {
		match self {
			Self::F32 { data, .. } => data.len() * 4,
			Self::Bf16 { data, .. } => data.len() * 2,
		}
	}

	/// Copies row `row` (widened to f32) into `out`, which holds `k` values: an embedding look-up.
	///
	/// # Panics
	/// When `row` is not below `n` or `out` is not `k` long.
	pub fn copy_row(&self, row: usize, out: &mut [f32]) {
		match self {
			Self::F32 { data, k, .. } => out.copy_from_slice(&data[row * k..(row + 1) * k]),
			Self::Bf16 { data, k, .. } => {
				assert_eq!(out.len(), *k);
				for (o, v) in out.iter_mut().zip(&data[row * k..(row + 1) * k]) {
					*o = v.to_f32();
				}
			}
		}
	}
}

/// A stored weight: how to load 16, 8 or 1 of them as f32.
trait Element: Copy + Sync {
	/// # Safety
	/// 16 readable elements; AVX-512F.
	unsafe fn load16(p: *const Self) -> __m512;
	/// # Safety
	/// 8 readable elements; AVX2.
	unsafe fn load8(p: *const Self) -> __m256;
	fn widen(self) -> f32;
}

impl Element for f32 {
	#[inline(always)]
	unsafe fn load16(p: *const Self) -> __m512 {
		// SAFETY: the caller promises 16 readable values and the instructions.
		unsafe { _mm512_loadu_ps(p) }
	}
	#[inline(always)]
	unsafe fn load8(p: *const Self) -> __m256 {
		// SAFETY: the caller promises 8 readable values and the instructions.
		unsafe { _mm256_loadu_ps(p) }
	}
	#[inline(always)]
	fn widen(self) -> f32 {
		self
	}
}

impl Element for bf16 {
	#[inline(always)]
	unsafe fn load16(p: *const Self) -> __m512 {
		// SAFETY: the caller promises 16 readable values and the instructions; bf16 is 16 plain bits.
		unsafe {
			let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(p.cast()));
			_mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide))
		}
	}
	#[inline(always)]
	unsafe fn load8(p: *const Self) -> __m256 {
		// SAFETY: the caller promises 8 readable values and the instructions; bf16 is 16 plain bits.
		unsafe {
			let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(p.cast()));
			_mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
		}
	}
	#[inline(always)]
	fn widen(self) -> f32 {
		self.to_f32()
	}
}

/// One product's operands. Rows of `x` are `k` apart, rows of `w` too, rows of `y` are `ldy` apart.
struct Product<E> {
	x: *const f32,
	w: *const E,
	y: *mut f32,
	m: usize,
	k: usize,
	ldy: usize,
}

impl<E> Clone for Product<E> {
	fn clone(&self) -> Self {
		*self
	}
}
impl<E> Copy for Product<E> {}
// SAFETY: threads read `x` and `w` and write disjoint columns of `y`.
unsafe impl<E> Send for Product<E> {}
// SAFETY: as above.
unsafe impl<E> Sync for Product<E> {}

/// Sums of four accumulators, each as the same tree over its 16 lanes.
#[inline]
#[target_feature(enable = "avx512f,avx2,fma")]
fn reduce4_avx512(v: [__m512; 4]) -> __m128 {
	let half = |v: __m512| {
		let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(v)));
		_mm256_add_ps(_mm512_castps512_ps256(v), high)
	};
	reduce4_avx2([half(v[0]), half(v[1]), half(v[2]), half(v[3])])
}

/// Sums of four accumulators, each as the same tree over its 8 lanes.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn reduce4_avx2(v: [__m256; 4]) -> __m128 {
	let quads = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
	_mm_add_ps(
		_mm256_castps256_ps128(quads),
		_mm256_extractf128_ps::<1>(quads),
	)
}

/// Adds `MR × NR` outputs.
///
/// With `FETCH` it asks for the next `NR` columns meanwhile: the processor's own prefetchers lose the track where
/// one short row of weights ends, which costs half of the bandwidth.
///
/// # Safety
/// Rows `row..row + MR` and columns `col..col + NR` of the product exist; the caller alone writes those outputs.
#[inline]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn block_avx512<E: Element, const MR: usize, const NR: usize, const FETCH: bool>(
	p: Product<E>,
	row: usize,
	col: usize,
) {
	// SAFETY: all addresses lie in the rows and columns the caller vouches for, and reads stop before `k`.
	unsafe {
		let x = p.x.add(row * p.k);
		let w = p.w.add(col * p.k);
		let mut acc = [[_mm512_setzero_ps(); NR]; MR];
		let whole = p.k / 16 * 16;
		let mut at = 0;
		while at < whole {
			let mut wv = [_mm512_setzero_ps(); NR];
			for j in 0..NR {
				wv[j] = E::load16(w.add(j * p.k + at));
				if FETCH {
					_mm_prefetch::<_MM_HINT_T0>(w.wrapping_add((NR + j) * p.k + at).cast());
				}
			}
			for i in 0..MR {
				let xv = _mm512_loadu_ps(x.add(i * p.k + at));
				for j in 0..NR {
					acc[i][j] = _mm512_fmadd_ps(xv, wv[j], acc[i][j]);
				}
			}
			at += 16;
		}
		let mut at = 0;
		while at < MR * NR {
			let mut lanes = [_mm512_setzero_ps(); 4];
			for (l, lane) in lanes.iter_mut().enumerate() {
				if at + l < MR * NR {
					*lane = acc[(at + l) / NR][(at + l) % NR];
				}
			}
			let mut sums = [0f32; 4];
			_mm_storeu_ps(sums.as_mut_ptr(), reduce4_avx512(lanes));
			for (l, sum) in sums.iter_mut().enumerate() {
				if at + l < MR * NR {
					let (i, j) = ((at + l) / NR, (at + l) % NR);
					for t in whole..p.k {
						let (x, w) = (*x.add(i * p.k + t), (*w.add(j * p.k + t)).widen());
						*sum = x.mul_add(w, *sum);
					}
					*p.y.add((row + i) * p.ldy + col + j) += *sum;
				}
			}
			at += 4;
		}
	}
}

/// As [`block_avx512`] with 8 lanes; `NR` is 1 or 4.
///
/// # Safety
/// As for [`block_avx512`].
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn block_avx2<E: Element, const MR: usize, const NR: usize, const FETCH: bool>(
	p: Product<E>,
	row: usize,
	col: usize,
) {
	// SAFETY: all addresses lie in the rows and columns the caller vouches for, and reads stop before `k`.
	unsafe {
		let x = p.x.add(row * p.k);
		let w = p.w.add(col * p.k);
		let mut acc = [[_mm256_setzero_ps(); NR]; MR];
		let whole = p.k / 8 * 8;
		let mut at = 0;
		while at < whole {
			let mut wv = [_mm256_setzero_ps(); NR];
			for j in 0..NR {
				wv[j] = E::load8(w.add(j * p.k + at));
				if FETCH {
					_mm_prefetch::<_MM_HINT_T0>(w.wrapping_add((NR + j) * p.k + at).cast());
				}
			}
			for i in 0..MR {
				let xv = _mm256_loadu_ps(x.add(i * p.k + at));
				for j in 0..NR {
					acc[i][j] = _mm256_fmadd_ps(xv, wv[j], acc[i][j]);
				}
			}
			at += 8;
		}
		for i in 0..MR {
			let y = p.y.add((row + i) * p.ldy + col);
			let mut lanes = [_mm256_setzero_ps(); 4];
			for (l, lane) in lanes.iter_mut().enumerate() {
				if l < NR {
					*lane = acc[i][l];
				}
			}
			let mut sums = [0f32; 4];
			_mm_storeu_ps(sums.as_mut_ptr(), reduce4_avx2(lanes));
			for (l, sum) in sums.iter_mut().enumerate() {
				if l < NR {
					let w = w.add(l * p.k);
					for t in whole..p.k {
						*sum = (*x.add(i * p.k + t)).mul_add((*w.add(t)).widen(), *sum);
					}
					*y.add(l) += *sum;
				}
			}
		}
	}
}

/// Up to 8 rows. Up to 4 are bound by memory, which is fastest read as one stream: a column at a time. For more,
/// two columns share each load of `x`.
///
/// # Safety
/// Rows `row..row + MR` and columns `from..to` exist and the caller alone writes them.
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn few_avx512<E: Element, const MR: usize>(
	p: Product<E>,
	row: usize,
	from: usize,
	to: usize,
) {
	// SAFETY: the blocks tile the rows and columns the caller vouches for.
	unsafe {
		let mut col = from;
		if MR > 4 {
			while col + 2 <= to {
				block_avx512::<E, MR, 2, true>(p, row, col);
				col += 2;
			}
		}
		while col < to {
			block_avx512::<E, MR, 1, false>(p, row, col);
			col += 1;
		}
	}
}

/// More rows: 4×4 outputs at a time; the columns come from memory for the first four rows, then from the cache.
///
/// # Safety
/// Rows `tile..end` and columns `from..to` exist and the caller alone writes them.
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn many_avx512<E: Element>(p: Product<E>, tile: usize, end: usize, from: usize, to: usize) {
	// SAFETY: the blocks tile the rows and columns the caller vouches for.
	unsafe {
		let mut col = from;
		while col + 4 <= to {
			block_avx512::<E, 4, 4, true>(p, tile, col);
			let mut row = tile + 4;
			while row + 4 <= end {
				block_avx512::<E, 4, 4, false>(p, row, col);
				row += 4;
			}
			match end - row {
				3 => block_avx512::<E, 3, 4, false>(p, row, col),
				2 => block_avx512::<E, 2, 4, false>(p, row, col),
				1 => block_avx512::<E, 1, 4, false>(p, row, col),
				_ => {}
			}
			col += 4;
		}
		while col < to {
			for row in tile..end {
				block_avx512::<E, 1, 1, false>(p, row, col);
			}
			col += 1;
		}
	}
}

/// # Safety
/// Columns `from..to` of the product exist and the caller alone writes them.
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn columns_avx512<E: Element>(p: Product<E>, from: usize, to: usize) {
	// SAFETY: the blocks tile rows `0..m` and columns `from..to`.
	unsafe {
		let mut tile = 0;
		while tile < p.m {
			let end = (tile + ROW_TILE).min(p.m);
			match end - tile {
				1 => few_avx512::<E, 1>(p, tile, from, to),
				2 => few_avx512::<E, 2>(p, tile, from, to),
				3 => few_avx512::<E, 3>(p, tile, from, to),
				4 => few_avx512::<E, 4>(p, tile, from, to),
				5 => few_avx512::<E, 5>(p, tile, from, to),
				6 => few_avx512::<E, 6>(p, tile, from, to),
				7 => few_avx512::<E, 7>(p, tile, from, to),
				8 => few_avx512::<E, 8>(p, tile, from, to),
				_ => many_avx512(p, tile, end, from, to),
			}
			tile = end;
		}
	}
}

/// # Safety
/// Columns `from..to` of the product exist and the caller alone writes them.
#[target_feature(enable = "avx2,fma")]
unsafe fn columns_avx2<E: Element>(p: Product<E>, from: usize, to: usize) {
	// SAFETY: the blocks tile rows `0..m` and columns `from..to`.
	unsafe {
		let mut tile = 0;
		while tile < p.m {
			let end = (tile + ROW_TILE).min(p.m);
			let mut col = from;
			while col + 4 <= to {
				let mut row = tile;
				if end - tile >= 2 {
					block_avx2::<E, 2, 4, true>(p, row, col);
					row += 2;
				}
				while row + 2 <= end {
					block_avx2::<E, 2, 4, false>(p, row, col);
					row += 2;
				}
				if row < end {
					block_avx2::<E, 1, 4, true>(p, row, col);
				}
				col += 4;
			}
			while col < to {
				for row in tile..end {
					block_avx2::<E, 1, 1, false>(p, row, col);
				}
				col += 1;
			}
			tile = end;
		}
	}
}

/// # Safety
/// Columns `from..to` of the product exist and the caller alone writes them.
unsafe fn columns_portable<E: Element>(p: Product<E>, from: usize, to: usize) {
	// SAFETY: rows below `m`, columns in `from..to`, inputs below `k`.
	unsafe {
		for col in from..to {
			let w = std::slice::from_raw_parts(p.w.add(col * p.k), p.k);
			for row in 0..p.m {
				let x = std::slice::from_raw_parts(p.x.add(row * p.k), p.k);
				let mut lanes = [0f32; simd::LANES];
				let mut xs = x.chunks_exact(simd::LANES);
				let mut ws = w.chunks_exact(simd::LANES);
				for (x, w) in (&mut xs).zip(&mut ws) {
					for l in 0..simd::LANES {
						lanes[l] += x[l] * w[l].widen();
					}
				}
				let mut sum = simd::reduce(lanes);
				for (x, w) in xs.remainder().iter().zip(ws.remainder()) {
					sum += x * w.widen();
				}
				*p.y.add(row * p.ldy + col) += sum;
			}
		}
	}
}

/// # Safety
/// Columns `from..to` of the product exist and the caller alone writes them.
unsafe fn columns<E: Element>(level: Level, p: Product<E>, from: usize, to: usize) {
	// SAFETY: the caller vouches for the columns, `level` for the instructions.
	unsafe {
		match level.0 {
			Kind::Avx512 => columns_avx512(p, from, to),
			Kind::Avx2 => columns_avx2(p, from, to),
			Kind::Portable => columns_portable(p, from, to),
		}
	}
}

fn run<E: Element>(
	level: Level,
	y: &mut [f32],
	x: &[f32],
	w: &[E],
	m: usize,
	n: usize,
	k: usize,
	parallel: bool,
) {
	assert_eq!(x.len(), m * k, "x must be m * k");
	assert_eq!(w.len(), n * k, "w must be n * k");
	assert_eq!(y.len(), m * n, "y must be m * n");
	if m == 0 || n == 0 || k == 0 {
		return;
	}
	let p = Product {
		x: x.as_ptr(),
		w: w.as_ptr(),
		y: y.as_mut_ptr(),
		m,
		k,
		ldy: n,
	};
	let threads = if parallel {
		rayon::current_num_threads()
	} else {
		1
	};
	if threads == 1 || m * n * k < SERIAL {
		// SAFETY: the lengths were checked above and `y` is borrowed mutably.
		return unsafe { columns(level, p, 0, n) };
	}
	// A few parts per thread let a thread that was interrupted be helped; multiples of 8 keep the blocks whole.
	let part = n.div_ceil(threads * 4).next_multiple_of(8);
	(0..n.div_ceil(part)).into_par_iter().for_each(|i| {
		let p = &p;
		// SAFETY: the lengths were checked above; the parts are disjoint ranges of columns.
		unsafe { columns(level, *p, i * part, ((i + 1) * part).min(n)) }
	});
}

/// `y[m, n] += x[m, k] · w^T`, in parallel over the rows of `w`.
///
/// # Panics
/// When a slice's length does not fit `m` and the matrix.
pub fn gemm(level: Level, y: &mut [f32], x: &[f32], w: &Matrix, m: usize) {
	match w {
		Matrix::F32 { data, n, k } => run(level, y, x, data, m, *n, *k, true),
		Matrix::Bf16 { data, n, k } => run(level, y, x, data, m, *n, *k, true),
	}
}

/// `y[m, n] += x[m, k] · w[n, k]^T` on the calling thread alone.
///
/// # Panics
/// When a slice's length does not fit `m`, `n` and `k`.
pub fn gemm_serial(
	level: Level,
	y: &mut [f32],
	x: &[f32],
	w: &[f32],
	m: usize,
	n: usize,
	k: usize,
) {
	run(level, y, x, w, m, n, k, false)
}
