//! Low-rank updates of a batch whose rows belong to different adapters: `y += (x · A^T) · B^T`, unmerged.
//!
//! Floor of a segment: the `rank · (k + n)` weights of its adapter read once per 16 rows, and as many
//! multiply-adds per row. Rows without a segment are never looked at: base-only rows cost nothing. Every slice
//! has its own true rank; nothing is padded.

use rayon::prelude::*;
use std::ops::Range;

use crate::{gemm::gemm_serial, ops::expand, simd::Level};

/// Rows of a segment that one task takes.
const CHUNK: usize = 16;

/// One projection inside a fused site (for example `k_proj` inside q/k/v).
#[derive(Clone, Copy, Debug)]
pub struct LoraSlice<'a> {
	/// First of this projection's rows in the segment's `a`.
	pub first: usize,
	/// Rank of this projection.
	pub rank: usize,
	/// First output column of this projection in a row of `y`.
	pub column: usize,
	/// `B^T`, scaled: `[rank, width]`, where `width` is the number of output columns.
	pub b: &'a [f32],
	/// Number of output columns.
	pub width: usize,
}

/// Consecutive rows of the batch that use the same adapter.
#[derive(Clone, Debug)]
pub struct LoraSegment<'a> {
	/// Rows of the batch.
	pub rows: Range<usize>,
	/// The shrink matrices of all slices, one below the other: `[sum of ranks, k]`.
	pub a: &'a [f32],
	/// The projections of the site that this adapter changes.
	pub slices: &'a [LoraSlice<'a>],
}

struct Output(*mut f32);
// SAFETY: tasks write disjoint rows.
unsafe impl Send for Output {}
// SAFETY: tasks write disjoint rows.
unsafe impl Sync for Output {}

/// Adds every segment's update to `y` (`[m, n]`) from `x` (`[m, k]`); segments must not share rows.
///
/// # Panics
/// When rows overlap or are out of order, or a slice does not fit the shapes.
pub fn lora(
	level: Level,
	y: &mut [f32],
	n: usize,
	x: &[f32],
	k: usize,
	segments: &[LoraSegment<'_>],
) {
	let mut last = 0;
	let mut tasks: Vec<(Range<usize>, &LoraSegment)> = Vec::with_capacity(segments.len());
	for segment in segments {
		assert!(
			segment.rows.start >= last,
			"segments must be in order and disjoint"
		);
		last = segment.rows.end.max(last);
		for slice in segment.slices {
			assert!(
				slice.column + slice.width <= n,
				"slice must lie inside a row of y"
			);
			assert_eq!(
				slice.b.len(),
				slice.rank * slice.width,
				"b must be rank * width"
			);
			assert!(
				(slice.first + slice.rank) * k <= segment.a.len(),
				"slice must lie inside a"
			);
		}
		if segment.slices.is_empty() {
			continue;
		}
		let mut start = segment.rows.start;
		while start < segment.rows.end {
			let end = (start + CHUNK).min(segment.rows.end);
			tasks.push((start..end, segment));
			start = end;
		}
	}
	assert!(
		last * n <= y.len() && last * k <= x.len(),
		"segments must lie inside the batch"
	);
	let out = Output(y.as_mut_ptr());
	let one = |(rows, segment): &(Range<usize>, &LoraSegment)| {
		let out = &out;
		let m = rows.len();
		let ranks = segment.a.len().checked_div(k).unwrap_or(0);
		let mut t = vec![0f32; m * ranks];
		gemm_serial(
			level,
			&mut t,
			&x[rows.start * k..rows.end * k],
			segment.a,
			m,
			ranks,
			k,
		);
		for (i, row) in rows.clone().enumerate() {
			for slice in segment.slices {
				// SAFETY: the row and the columns were checked to lie inside `y`, and no other task has this row.
				let y = unsafe {
					std::slice::from_raw_parts_mut(out.0.add(row * n + slice.column), slice.width)
				};
				let t = &t[i * ranks + slice.first..][..slice.rank];
				expand(level, y, t, slice.b);
			}
		}
	};
	match tasks.as_slice() {
		[] => {}
		[task] => one(task),
		tasks => tasks.par_iter().for_each(one),
	}
}
