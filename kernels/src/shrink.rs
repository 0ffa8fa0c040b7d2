//! Products with few, row-major weights: `t[m, n] += x[m, k] · a[n, k]^T`, the first half of a low-rank update.
//!
//! `n` is a rank or the sum of a few, so a matrix is too small for panels of sixteen rows: each output is a dot product
//! along `k`. Floor: `n·k` weights read once for every [`ROW_TILE`] rows and `m·n·k` multiply-adds.
//!
//! Each output is one chain of vector multiply-adds over `k` followed by one fixed reduction tree, whatever the
//! block shape: so a row's result does not depend on the other rows. A block of 4×4 outputs needs 8 loads for 16
//! multiply-adds and hides their latency.

use half::bf16;
use std::{arch::x86_64::*, ops::Range};

use crate::{
	gemm::ROW_TILE,
	simd::{self, Kind, Level},
};

/// A stored weight: how to load 16, 8 or 1 of them as f32.
pub(crate) trait Element: Copy + Sync {
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
/// Sums of four accumulators, each as the same tree over its 16 lanes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")]
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
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")]
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
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")]
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
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")]
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
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")]
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

/// Adds columns `columns` of `x · a^T` to `t`, whose rows are `n` apart. `x` holds whole rows of `k`, `a` has `n`.
///
/// # Safety
/// `t` points to as many rows of `n` as `x` has; the caller alone writes these columns.
///
/// # Panics
/// When `a` is not `n * k` long, or has fewer rows than `columns` says.
pub(crate) unsafe fn shrink<E: Element>(
	level: Level,
	t: *mut f32,
	n: usize,
	x: &[f32],
	a: &[E],
	k: usize,
	columns: Range<usize>,
) {
	assert!(
		a.len() == n * k && columns.end <= n,
		"a must have n rows of k"
	);
	if n == 0 || k == 0 || x.is_empty() {
		return;
	}
	let p = Product {
		x: x.as_ptr(),
		w: a.as_ptr(),
		y: t,
		m: x.len() / k,
		k,
		ldy: n,
	};
	// SAFETY: the caller vouches for the outputs, the lengths above for the operands, `level` for the instructions.
	unsafe {
		match level.0 {
			Kind::Portable => columns_portable(p, columns.start, columns.end),
			Kind::Avx2 => columns_avx2(p, columns.start, columns.end),
			_ => columns_avx512(p, columns.start, columns.end),
		}
	}
}

/// `y[m, n] += x[m, k] · w[n, k]^T` on the calling thread alone, all of it row-major.
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
	assert_eq!(x.len(), m * k, "x must be m * k");
	assert_eq!(y.len(), m * n, "y must be m * n");
	// SAFETY: `y` is borrowed mutably and has `m` rows of `n`.
	unsafe { shrink(level, y.as_mut_ptr(), n, x, w, k, 0..n) }
}
