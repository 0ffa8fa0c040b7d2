//! Causal attention of the rows of a batch, each over its own sequence's key/value pages, with grouped heads.
//!
//! Floor of a row at context `len`: `2 · len · kv_heads · head_dim` values read once (all query heads of a group
//! share the read) and `2 · len · heads · head_dim` multiply-adds. Prefill and decode rows are the same thing
//! here: a row sees exactly the first `len` positions.

use std::{cell::RefCell, sync::Arc};

use crate::{
	pool::Pool,
	simd::{fma, Kind, Level},
	wide::{Avx2, Avx512, Plain, Wide, LANES},
};

/// A page of keys and values. Several sequences may have it; then nobody writes it.
///
/// A head's values are `[position][head_dim]`, its keys `[head_dim][position]`: a vector of keys then gives a vector of
/// scores, without a sum across lanes.
pub type KvPage = Arc<[f32]>;

/// Where keys and values lie inside a page. A page holds `page_tokens` positions of one sequence for all layers:
/// `[layer][key, value][kv head]`, and for each `page_tokens * head_dim` values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvLayout {
	/// Layers of the model.
	pub layers: usize,
	/// Key/value heads.
	pub kv_heads: usize,
	/// Values per head.
	pub head_dim: usize,
	/// Positions in a page.
	pub page_tokens: usize,
}

impl KvLayout {
	/// Number of f32 values in a page.
	pub fn page_len(&self) -> usize {
		self.layers * 2 * self.kv_heads * self.page_tokens * self.head_dim
	}

	/// Offset of the keys of `head` in `layer`.
	pub fn keys(&self, layer: usize, head: usize) -> usize {
		(layer * 2 * self.kv_heads + head) * self.page_tokens * self.head_dim
	}

	/// Offset of the values of `head` in `layer`.
	pub fn values(&self, layer: usize, head: usize) -> usize {
		((layer * 2 + 1) * self.kv_heads + head) * self.page_tokens * self.head_dim
	}

	/// Stores one position's keys and values (each `kv_heads * head_dim`).
	///
	/// # Panics
	/// When `pages` has no page for `position`, or somebody else has that page too.
	pub fn write(
		&self,
		pages: &mut [KvPage],
		layer: usize,
		position: usize,
		keys: &[f32],
		values: &[f32],
	) {
		let page = Arc::get_mut(&mut pages[position / self.page_tokens])
			.expect("a page that is written has one owner");
		let slot = position % self.page_tokens;
		for head in 0..self.kv_heads {
			let from = head * self.head_dim..(head + 1) * self.head_dim;
			let column = page[self.keys(layer, head) + slot..].iter_mut();
			for (to, key) in column.step_by(self.page_tokens).zip(&keys[from.clone()]) {
				*to = *key;
			}
			let at = self.values(layer, head) + slot * self.head_dim;
			page[at..at + self.head_dim].copy_from_slice(&values[from]);
		}
	}
}

/// What one row of the batch attends to.
#[derive(Clone, Copy, Debug)]
pub struct AttentionRow<'a> {
	/// Pages of the row's sequence, its own key and value already stored.
	pub pages: &'a [KvPage],
	/// Positions the row sees, its own included.
	pub len: usize,
}

/// Values of a head that are summed in registers.
const STRIP: usize = 64;

/// Vectors of positions whose scores are summed in registers, for up to four heads.
const VECTORS: usize = 2;

/// Scores of `G` heads (`q`, `[G, dim]`) for the `count` first positions of a page with these `keys`; `scores` is
/// `[G, len]`. Each is a sum in the order of the dimensions, whatever is computed beside it.
///
/// # Safety
/// The processor has the instructions of `W`.
#[inline(always)]
unsafe fn score<W: Wide, const FMA: bool, const G: usize>(
	scores: &mut [f32],
	len: usize,
	count: usize,
	q: &[f32],
	keys: &[f32],
	page_tokens: usize,
) {
	const SPAN: usize = VECTORS * LANES;
	let dim = keys.len() / page_tokens;
	let scale = 1.0 / (dim as f32).sqrt();
	let q: [&[f32]; G] = std::array::from_fn(|g| &q[g * dim..(g + 1) * dim]);
	let mut at = 0;
	while at < count && at + SPAN <= page_tokens {
		let kept = SPAN.min(count - at);
		// SAFETY: the processor has the instructions; the keys of a dimension reach `SPAN` positions from `at`.
		unsafe {
			let mut acc = [[W::zero(); VECTORS]; G];
			for (d, keys) in keys.chunks_exact(page_tokens).enumerate() {
				let keys = keys.as_ptr().add(at);
				let keys: [W::F; VECTORS] = std::array::from_fn(|v| W::load(keys.add(v * LANES)));
				for g in 0..G {
					let q = W::splat(q[g][d]);
					for v in 0..VECTORS {
						acc[g][v] = W::fma(q, keys[v], acc[g][v]);
					}
				}
			}
			for g in 0..G {
				let mut sums = [0f32; SPAN];
				for v in 0..VECTORS {
					W::store(
						sums[v * LANES..].as_mut_ptr(),
						W::mul(acc[g][v], W::splat(scale)),
					);
				}
				scores[g * len + at..][..kept].copy_from_slice(&sums[..kept]);
			}
		}
		at += kept;
	}
	for at in at..count {
		for g in 0..G {
			let column = keys[at..].iter().step_by(page_tokens);
			let sum = q[g]
				.iter()
				.zip(column)
				.fold(0.0, |sum, (q, key)| fma::<FMA>(*q, *key, sum));
			scores[g * len + at] = sum * scale;
		}
	}
}

/// Attention of a group of heads that share keys and values, which lie at these offsets of a page.
///
/// # Safety
/// The processor has the instructions of `W`.
#[inline(always)]
unsafe fn head_body<W: Wide, const FMA: bool>(
	out: &mut [f32],
	q: &[f32],
	row: AttentionRow<'_>,
	layout: &KvLayout,
	keys: usize,
	values: usize,
	scores: &mut Vec<f32>,
) {
	let dim = layout.head_dim;
	let group = q.len() / dim;
	let len = row.len;
	scores.clear();
	scores.resize(group * len, 0.0);
	for (p, page) in row.pages.iter().enumerate() {
		let start = p * layout.page_tokens;
		if start >= len {
			break;
		}
		let count = (len - start).min(layout.page_tokens);
		let keys = &page[keys..keys + layout.page_tokens * dim];
		let page = layout.page_tokens;
		let mut g = 0;
		while g < group {
			let (scores, q) = (&mut scores[g * len + start..], &q[g * dim..]);
			// SAFETY: the caller vouches for the instructions.
			unsafe {
				match group - g {
					4.. => score::<W, FMA, 4>(scores, len, count, q, keys, page),
					2.. => score::<W, FMA, 2>(scores, len, count, q, keys, page),
					_ => score::<W, FMA, 1>(scores, len, count, q, keys, page),
				}
			}
			g += match group - g {
				4.. => 4,
				2.. => 2,
				_ => 1,
			};
		}
	}
	for scores in scores.chunks_exact_mut(len) {
		crate::ops::softmax_body::<FMA>(scores);
	}
	out.fill(0.0);
	for (p, page) in row.pages.iter().enumerate() {
		let start = p * layout.page_tokens;
		if start >= len {
			break;
		}
		let count = (len - start).min(layout.page_tokens);
		let values = &page[values..values + count * dim];
		for (g, out) in out.chunks_exact_mut(dim).enumerate() {
			let weights = &scores[g * len + start..g * len + start + count];
			let mut at = 0;
			// A strip of the output stays in registers over all positions of the page.
			while at + STRIP <= dim {
				let mut acc = [0f32; STRIP];
				acc.copy_from_slice(&out[at..at + STRIP]);
				for (value, weight) in values.chunks_exact(dim).zip(weights) {
					let value = &value[at..at + STRIP];
					for i in 0..STRIP {
						acc[i] = fma::<FMA>(*weight, value[i], acc[i]);
					}
				}
				out[at..at + STRIP].copy_from_slice(&acc);
				at += STRIP;
			}
			if at == dim {
				continue;
			}
			for (value, weight) in values.chunks_exact(dim).zip(weights) {
				for i in at..dim {
					out[i] = fma::<FMA>(*weight, value[i], out[i]);
				}
			}
		}
	}
}

macro_rules! head {
	($name:ident, $wide:ty, $fma:literal, [$($feature:literal)?]) => {
		/// # Safety
		/// The processor has the instructions.
		$(#[target_feature(enable = $feature)])?
		unsafe fn $name(
			out: &mut [f32],
			q: &[f32],
			row: AttentionRow<'_>,
			layout: &KvLayout,
			keys: usize,
			values: usize,
			scores: &mut Vec<f32>,
		) {
			// SAFETY: the caller vouches for the instructions.
			unsafe { head_body::<$wide, $fma>(out, q, row, layout, keys, values, scores) }
		}
	};
}

head!(head_plain, Plain, false, []);
head!(head_avx2, Avx2, true, ["avx2,fma,f16c"]);
head!(
	head_avx512,
	Avx512<false, false>,
	true,
	["avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c"]
);

struct Output(*mut f32);
// SAFETY: tasks write disjoint heads.
unsafe impl Sync for Output {}

/// Attention of every row: `q` and `out` are `[rows, heads * head_dim]`, rows of `q` being `stride` apart.
///
/// # Panics
/// When the shapes do not fit, `heads` is not a multiple of the layout's `kv_heads`, or a row sees more positions
/// than its pages hold.
pub fn attention(
	pool: &Pool,
	level: Level,
	out: &mut [f32],
	q: &[f32],
	stride: usize,
	heads: usize,
	rows: &[AttentionRow<'_>],
	layout: &KvLayout,
	layer: usize,
) {
	let group = heads / layout.kv_heads;
	assert_eq!(
		group * layout.kv_heads,
		heads,
		"query heads must be a multiple of the kv heads"
	);
	let width = heads * layout.head_dim;
	assert!(stride >= width, "stride must cover the query heads");
	assert_eq!(
		out.len(),
		rows.len() * width,
		"out must be rows * heads * head_dim"
	);
	for row in rows {
		assert!(row.len > 0 && row.len <= row.pages.len() * layout.page_tokens);
	}
	let span = group * layout.head_dim;
	let target = Output(out.as_mut_ptr());
	let one = |task: usize| {
		thread_local!(static SCORES: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) });
		let target = &target;
		let (r, kv) = (task / layout.kv_heads, task % layout.kv_heads);
		let q = &q[r * stride + kv * span..][..span];
		// SAFETY: `out` has `rows * width` values and each task owns one group of heads of one row.
		let out =
			unsafe { std::slice::from_raw_parts_mut(target.0.add(r * width + kv * span), span) };
		let (keys, values) = (layout.keys(layer, kv), layout.values(layer, kv));
		let head = match level.0 {
			Kind::Portable => head_plain,
			Kind::Avx2 => head_avx2,
			_ => head_avx512,
		};
		// SAFETY: a `Level` exists only when the processor has its instructions.
		SCORES.with_borrow_mut(|scores| unsafe {
			head(out, q, rows[r], layout, keys, values, scores)
		});
	};
	let tasks = rows.len() * layout.kv_heads;
	let work: usize = rows.iter().map(|r| r.len * width).sum();
	if work < 1 << 14 {
		(0..tasks).for_each(one);
	} else {
		pool.run(tasks, one);
	}
}
