//! Low-rank updates of a batch whose rows belong to different adapters: `y += scale · (x · A^T) · B^T`, unmerged.
//!
//! Floor of a segment: the `rank · (k + n)` weights of its adapter read once per [`CHUNK`] rows, in the precision they
//! are stored in, and as many multiply-adds per row. Rows without a segment are never looked at: base-only rows cost
//! nothing. Every slice has its own true rank; nothing is padded.
//!
//! Many chunks are shared out whole. A few (one stream, say) are cut: first along their ranks, then along the outputs,
//! so that all threads read.

use half::bf16;
use std::ops::Range;

use crate::{
	pool::Pool,
	shrink::shrink,
	simd::{Kind, Level},
	wide::{Avx2, Avx512, Plain, Wide, LANES},
};

/// Rows of a segment that one task takes.
pub const CHUNK: usize = 16;

/// Updates with fewer multiply-adds than this are not worth a hand-over to another thread.
const SERIAL: usize = 1 << 14;

/// An adapter's weights, row-major, as stored.
#[derive(Clone, Copy, Debug)]
pub enum LoraValues<'a> {
	/// f32.
	F32(&'a [f32]),
	/// bfloat16; half the bytes, and exact.
	Bf16(&'a [bf16]),
}

impl LoraValues<'_> {
	/// Number of weights.
	pub fn len(&self) -> usize {
		match self {
			Self::F32(v) => v.len(),
			Self::Bf16(v) => v.len(),
		}
	}

	/// Whether there are none.
	pub fn is_empty(&self) -> bool {
		self.len() == 0
	}
}

/// An adapter's weights in memory.
#[derive(Clone, Debug, PartialEq)]
pub enum LoraStore {
	/// f32.
	F32(Vec<f32>),
	/// bfloat16.
	Bf16(Vec<bf16>),
}

impl Default for LoraStore {
	fn default() -> Self {
		Self::F32(Vec::new())
	}
}

impl From<Vec<f32>> for LoraStore {
	fn from(weights: Vec<f32>) -> Self {
		Self::F32(weights)
	}
}

impl LoraStore {
	/// The weights.
	pub fn values(&self) -> LoraValues<'_> {
		match self {
			Self::F32(v) => LoraValues::F32(v),
			Self::Bf16(v) => LoraValues::Bf16(v),
		}
	}

	/// Bytes they take.
	pub fn bytes(&self) -> usize {
		match self {
			Self::F32(v) => v.len() * 4,
			Self::Bf16(v) => v.len() * 2,
		}
	}
}

/// One projection inside a fused site (for example `k_proj` inside q/k/v).
#[derive(Clone, Copy, Debug)]
pub struct LoraSlice<'a> {
	/// First of this projection's rows in the site's `A`.
	pub first: usize,
	/// Rank of this projection.
	pub rank: usize,
	/// First output column of this projection in a row of `y`.
	pub column: usize,
	/// `B^T`: `[rank, width]`, where `width` is the number of output columns.
	pub b: LoraValues<'a>,
	/// Number of output columns.
	pub width: usize,
	/// Factor of the update.
	pub scale: f32,
}

/// An adapter's update of one fused site.
pub trait LoraSite: Sync {
	/// The shrink matrices of all slices, one below the other: `[sum of ranks, k]`.
	fn a(&self) -> LoraValues<'_>;
	/// Number of projections of the site that the adapter changes.
	fn slices(&self) -> usize;
	/// One of them; called with numbers below [`LoraSite::slices`].
	fn slice(&self, index: usize) -> LoraSlice<'_>;
}

/// Consecutive rows of the batch that use the same adapter.
#[derive(Debug)]
pub struct LoraSegment<'a, S> {
	/// Rows of the batch.
	pub rows: Range<usize>,
	/// What the adapter does to them.
	pub site: &'a S,
	/// Factor of that, beside the slices' own: an adapter's weight in a set of them.
	pub factor: f32,
}

impl<S> Clone for LoraSegment<'_, S> {
	fn clone(&self) -> Self {
		Self {
			rows: self.rows.clone(),
			site: self.site,
			factor: self.factor,
		}
	}
}

/// Rows of one segment that are computed together.
#[derive(Clone, Debug)]
struct Chunk {
	segment: usize,
	rows: Range<usize>,
	/// Rows of the site's `A`.
	ranks: usize,
	/// Where the chunk's `x · A^T` begins in the shared memory.
	at: usize,
}

/// Working memory of [`lora`], kept between calls so that none allocates.
#[derive(Debug, Default)]
pub struct LoraMemory {
	chunks: Vec<Chunk>,
	inner: Vec<f32>,
}

#[derive(Clone, Copy)]
struct Shared(*mut f32);
// SAFETY: tasks write disjoint elements.
unsafe impl Sync for Shared {}

/// A weight the expansion can load.
trait Load: Copy {
	/// # Safety
	/// 16 readable elements, and the instructions of `W`.
	unsafe fn load<W: Wide>(p: *const Self) -> W::F;
	fn widen(self) -> f32;
}

impl Load for f32 {
	#[inline(always)]
	unsafe fn load<W: Wide>(p: *const Self) -> W::F {
		// SAFETY: the caller promises 16 values and the instructions.
		unsafe { W::load(p) }
	}
	#[inline(always)]
	fn widen(self) -> f32 {
		self
	}
}

impl Load for bf16 {
	#[inline(always)]
	unsafe fn load<W: Wide>(p: *const Self) -> W::F {
		// SAFETY: the caller promises 16 values and the instructions.
		unsafe { W::load_bf16(p) }
	}
	#[inline(always)]
	fn widen(self) -> f32 {
		self.to_f32()
	}
}

/// `y[rows, ..] += t · b` for some columns: rows of `y` are `ldy` apart, those of `t` `ldt`, those of `b` `ldb`.
#[derive(Clone, Copy)]
struct Expansion<E> {
	y: *mut f32,
	ldy: usize,
	t: *const f32,
	ldt: usize,
	b: *const E,
	ldb: usize,
	rank: usize,
	width: usize,
}

/// `R` rows and `C` vectors of columns from `col`.
///
/// # Safety
/// They exist and the caller alone writes them; the processor has the instructions of `W`.
#[inline(always)]
unsafe fn tile<W: Wide, E: Load, const R: usize, const C: usize>(
	e: &Expansion<E>,
	row: usize,
	col: usize,
) {
	// SAFETY: the caller vouches for rows and columns.
	unsafe {
		let mut acc = [[W::zero(); C]; R];
		for r in 0..R {
			for c in 0..C {
				acc[r][c] = W::load(e.y.add((row + r) * e.ldy + col + c * LANES));
			}
		}
		for j in 0..e.rank {
			let b = e.b.add(j * e.ldb + col);
			let mut w = [W::zero(); C];
			for c in 0..C {
				w[c] = E::load::<W>(b.add(c * LANES));
			}
			for r in 0..R {
				let t = W::splat(*e.t.add((row + r) * e.ldt + j));
				for c in 0..C {
					acc[r][c] = W::fma(t, w[c], acc[r][c]);
				}
			}
		}
		for r in 0..R {
			for c in 0..C {
				W::store(e.y.add((row + r) * e.ldy + col + c * LANES), acc[r][c]);
			}
		}
	}
}

macro_rules! expand {
	($name:ident, $wide:ty, $fma:literal, [$($feature:literal)?]) => {
		/// # Safety
		/// All rows and columns of the expansion exist and the caller alone writes them.
		$(#[target_feature(enable = $feature)])?
		unsafe fn $name<E: Load>(e: &Expansion<E>, rows: usize) {
			// SAFETY: the tiles cover the rows and columns the caller vouches for.
			unsafe {
				let mut row = 0;
				while row < rows {
					let four = row + 4 <= rows;
					let mut col = 0;
					if four {
						while col + 2 * LANES <= e.width {
							tile::<$wide, E, 4, 2>(e, row, col);
							col += 2 * LANES;
						}
						while col + LANES <= e.width {
							tile::<$wide, E, 4, 1>(e, row, col);
							col += LANES;
						}
					} else {
						while col + 4 * LANES <= e.width {
							tile::<$wide, E, 1, 4>(e, row, col);
							col += 4 * LANES;
						}
						while col + LANES <= e.width {
							tile::<$wide, E, 1, 1>(e, row, col);
							col += LANES;
						}
					}
					let count = if four { 4 } else { 1 };
					for r in row..row + count {
						for col in col..e.width {
							let y = e.y.add(r * e.ldy + col);
							for j in 0..e.rank {
								let (t, b) = (*e.t.add(r * e.ldt + j), *e.b.add(j * e.ldb + col));
								*y = crate::simd::fma::<$fma>(t, b.widen(), *y);
							}
						}
					}
					row += count;
				}
			}
		}
	};
}

expand!(expand_plain, Plain, false, []);
expand!(expand_avx2, Avx2, true, ["avx2,fma,f16c"]);
expand!(
	expand_avx512,
	Avx512<false, false>,
	true,
	["avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c"]
);

/// # Safety
/// As for [`expand_plain`].
unsafe fn expand<E: Load>(level: Level, e: &Expansion<E>, rows: usize) {
	// SAFETY: the caller vouches for the outputs, `level` for the instructions.
	unsafe {
		match level.0 {
			Kind::Portable => expand_plain(e, rows),
			Kind::Avx2 => expand_avx2(e, rows),
			_ => expand_avx512(e, rows),
		}
	}
}

/// Operands all chunks share.
struct Batch<'a> {
	level: Level,
	y: Shared,
	n: usize,
	x: &'a [f32],
	k: usize,
	inner: Shared,
}

impl Batch<'_> {
	/// Rows `ranks` of the segment's `x · A^T` for a chunk, each times the scale of its slice and the factor.
	///
	/// # Safety
	/// The chunk's inner values exist, are zero, and only this call writes these.
	unsafe fn shrink<S: LoraSite>(
		&self,
		chunk: &Chunk,
		segment: &LoraSegment<'_, S>,
		ranks: Range<usize>,
	) {
		let site = segment.site;
		let x = &self.x[chunk.rows.start * self.k..chunk.rows.end * self.k];
		// SAFETY: the caller vouches for the inner values.
		unsafe {
			let t = self.inner.0.add(chunk.at);
			match site.a() {
				LoraValues::F32(a) => {
					shrink(self.level, t, chunk.ranks, x, a, self.k, ranks.clone())
				}
				LoraValues::Bf16(a) => {
					shrink(self.level, t, chunk.ranks, x, a, self.k, ranks.clone())
				}
			}
			for slice in (0..site.slices()).map(|i| site.slice(i)) {
				let own = slice.first.max(ranks.start)..(slice.first + slice.rank).min(ranks.end);
				let scale = slice.scale * segment.factor;
				if scale == 1.0 {
					continue;
				}
				for row in 0..chunk.rows.len() {
					for j in own.clone() {
						*t.add(row * chunk.ranks + j) *= scale;
					}
				}
			}
		}
	}

	/// Columns `columns` of the site's output.
	///
	/// # Safety
	/// The chunk's inner values are complete; only this call writes these columns of its rows.
	unsafe fn expand<S: LoraSite>(&self, chunk: &Chunk, site: &S, columns: Range<usize>) {
		for slice in (0..site.slices()).map(|i| site.slice(i)) {
			let from = slice.column.max(columns.start);
			let to = (slice.column + slice.width).min(columns.end);
			if from >= to {
				continue;
			}
			let skip = from - slice.column;
			// SAFETY: the caller vouches for the columns; the slice was checked to fit.
			unsafe {
				let y = self.y.0.add(chunk.rows.start * self.n + from);
				let t = self.inner.0.add(chunk.at + slice.first).cast_const();
				macro_rules! run {
					($b:expr) => {
						expand(
							self.level,
							&Expansion {
								y,
								ldy: self.n,
								t,
								ldt: chunk.ranks,
								b: $b.as_ptr().add(skip),
								ldb: slice.width,
								rank: slice.rank,
								width: to - from,
							},
							chunk.rows.len(),
						)
					};
				}
				match slice.b {
					LoraValues::F32(b) => run!(b),
					LoraValues::Bf16(b) => run!(b),
				}
			}
		}
	}
}

/// Adds every segment's update to `y` (`[m, n]`) from `x` (`[m, k]`); segments must not share rows.
///
/// # Panics
/// When rows overlap or are out of order, or a slice does not fit the shapes.
pub fn lora<S: LoraSite>(
	pool: &Pool,
	level: Level,
	y: &mut [f32],
	n: usize,
	x: &[f32],
	k: usize,
	segments: &[LoraSegment<'_, S>],
	memory: &mut LoraMemory,
) {
	let (mut last, mut inner, mut work) = (0, 0, 0);
	memory.chunks.clear();
	for (index, segment) in segments.iter().enumerate() {
		assert!(
			segment.rows.start >= last,
			"segments must be in order and disjoint"
		);
		last = segment.rows.end.max(last);
		let a = segment.site.a().len();
		let ranks = a.checked_div(k).unwrap_or(0);
		assert_eq!(a, ranks * k, "a must have whole rows of k");
		let mut size = a;
		for slice in (0..segment.site.slices()).map(|i| segment.site.slice(i)) {
			assert!(
				slice.column + slice.width <= n,
				"slice must lie inside a row of y"
			);
			assert_eq!(
				slice.b.len(),
				slice.rank * slice.width,
				"b must be rank * width"
			);
			assert!(slice.first + slice.rank <= ranks, "slice must lie inside a");
			size += slice.b.len();
		}
		if segment.site.slices() == 0 {
			continue;
		}
		let mut start = segment.rows.start;
		while start < segment.rows.end {
			let end = (start + CHUNK).min(segment.rows.end);
			memory.chunks.push(Chunk {
				segment: index,
				rows: start..end,
				ranks,
				at: inner,
			});
			inner += (end - start) * ranks;
			start = end;
		}
		work += size * segment.rows.len();
	}
	assert!(
		last * n <= y.len() && last * k <= x.len(),
		"segments must lie inside the batch"
	);
	if memory.chunks.is_empty() {
		return;
	}
	memory.inner.clear();
	memory.inner.resize(inner, 0.0);
	let batch = Batch {
		level,
		y: Shared(y.as_mut_ptr()),
		n,
		x,
		k,
		inner: Shared(memory.inner.as_mut_ptr()),
	};
	let chunks = &memory.chunks;
	let threads = pool.threads();
	if work < SERIAL || threads == 1 || chunks.len() >= 2 * threads {
		let one = |i: usize| {
			let chunk = &chunks[i];
			let segment = &segments[chunk.segment];
			// SAFETY: the chunk's rows and inner values are its own, and only this call has the chunk.
			unsafe {
				batch.shrink(chunk, segment, 0..chunk.ranks);
				batch.expand(chunk, segment.site, 0..n);
			}
		};
		return match work < SERIAL {
			true => (0..chunks.len()).for_each(one),
			false => pool.run(chunks.len(), one),
		};
	}
	pool.run(chunks.len() * threads, |i| {
		let chunk = &chunks[i / threads];
		let size = chunk.ranks.div_ceil(threads);
		let from = (i % threads * size).min(chunk.ranks);
		// SAFETY: the tasks of a chunk have disjoint ranges of ranks.
		unsafe {
			batch.shrink(
				chunk,
				&segments[chunk.segment],
				from..(from + size).min(chunk.ranks),
			)
		}
	});
	pool.run(chunks.len() * threads, |i| {
		let chunk = &chunks[i / threads];
		let size = n.div_ceil(threads).next_multiple_of(4 * LANES);
		let from = (i % threads * size).min(n);
		// SAFETY: the tasks of a chunk have disjoint ranges of columns; the inner values were completed above.
		unsafe {
			batch.expand(
				chunk,
				segments[chunk.segment].site,
				from..(from + size).min(n),
			)
		}
	});
}
