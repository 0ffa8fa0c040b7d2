//! Causal attention of the rows of a batch, each over its own sequence's key/value pages, with grouped heads.
//!
//! Floor of a row at context `len`: `2 · len · kv_heads · head_dim` values read once (all query heads of a group
//! share the read) and `2 · len · heads · head_dim` multiply-adds. Prefill and decode rows are the same thing
//! here: a row sees exactly the first `len` positions.

use std::{cell::RefCell, sync::Arc};

use crate::{
	pool::Pool,
	simd::{self, fma, leveled, Level},
};

/// A page of keys and values. Several sequences may have it; then nobody writes it.
pub type KvPage = Arc<[f32]>;

/// Where keys and values lie inside a page. A page holds `page_tokens` positions of one sequence for all layers:
/// `[layer][key, value][kv head][position][head_dim]`.
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
		let slot = position % self.page_tokens * self.head_dim;
		for head in 0..self.kv_heads {
			let from = head * self.head_dim..(head + 1) * self.head_dim;
			let at = self.keys(layer, head) + slot;
			page[at..at + self.head_dim].copy_from_slice(&keys[from.clone()]);
			let at = self.values(layer, head) + slot;
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

#[inline(always)]
fn head_body<const FMA: bool>(
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
	let scale = 1.0 / (dim as f32).sqrt();
	scores.clear();
	scores.resize(group * len, 0.0);
	for (p, page) in row.pages.iter().enumerate() {
		let start = p * layout.page_tokens;
		if start >= len {
			break;
		}
		let count = (len - start).min(layout.page_tokens);
		let keys = &page[keys..keys + count * dim];
		for (t, key) in keys.chunks_exact(dim).enumerate() {
			for (g, q) in q.chunks_exact(dim).enumerate() {
				scores[g * len + start + t] = simd::dot::<FMA>(q, key) * scale;
			}
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

leveled! {
	fn head(
		out: &mut [f32],
		q: &[f32],
		row: AttentionRow<'_>,
		layout: &KvLayout,
		keys: usize,
		values: usize,
		scores: &mut Vec<f32>,
	) = head_body
}

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
		SCORES.with_borrow_mut(|scores| head(level, out, q, rows[r], layout, keys, values, scores));
	};
	let tasks = rows.len() * layout.kv_heads;
	let work: usize = rows.iter().map(|r| r.len * width).sum();
	if work < 1 << 14 {
		(0..tasks).for_each(one);
	} else {
		pool.run(tasks, one);
	}
}
