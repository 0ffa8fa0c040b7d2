//! The adapters' part of a step: which rows use which adapter, and what is added to each site's output.
//!
//! A row of a weighted set has several updates: its members' one after the other, in the set's order, each times its
//! factor. So a row's result depends on its own adapter alone, like everything else in a step.

use std::ops::Range;

use openledger_kernels::{lora, Level, LoraMemory, LoraSegment, Pool};

use crate::{
	adapter::{LoraWeights, Site, SiteWeights},
	backend::BatchItem,
	cpu::reused,
};

/// Rows that share an adapter.
struct Span<'a> {
	rows: Range<usize>,
	adapter: &'a LoraWeights,
}

impl<'a> Span<'a> {
	/// Number of updates of its rows.
	fn depth(&self) -> usize {
		self.adapter.members().len().max(1)
	}

	/// One of its updates and its factor.
	fn update(&self, at: usize) -> Option<(&'a LoraWeights, f32)> {
		match self.adapter.members() {
			[] if at == 0 => Some((self.adapter, 1.0)),
			members => members.get(at).map(|(member, factor)| (&**member, *factor)),
		}
	}

	fn updates(&self) -> impl Iterator<Item = (&'a LoraWeights, f32)> + '_ {
		(0..self.depth()).filter_map(|at| self.update(at))
	}

	/// Whether DoRA stretches what the base computes for its rows at a site.
	fn gains(&self, layer: usize, site: Site) -> bool {
		self.adapter.is_dora()
			&& self.updates().any(|(update, _)| {
				let slices = &update.site(layer, site).slices;
				slices.iter().any(|slice| !slice.gain.is_empty())
			})
	}
}

/// Buffers kept between steps.
#[derive(Default)]
pub(crate) struct UpdateBuffers {
	/// What the rows with gains held before the base's product.
	saved: Vec<f32>,
	memory: LoraMemory,
	rows: Vec<Span<'static>>,
	heads: Vec<Span<'static>>,
	segments: Vec<LoraSegment<'static, SiteWeights>>,
}

/// The shape of a site's product: `y` is `[rows, n]`, `x` is `[rows, k]`.
#[derive(Clone, Copy)]
pub(crate) struct At {
	pub layer: usize,
	pub site: Site,
	pub n: usize,
	pub k: usize,
}

/// The adapters of one batch.
pub(crate) struct Updates<'a> {
	pool: &'a Pool,
	level: Level,
	/// Over the rows of the batch.
	rows: Vec<Span<'a>>,
	/// Over the rows whose logits are wanted.
	heads: Vec<Span<'a>>,
	/// Most updates any row has.
	depth: usize,
	dora: bool,
}

fn extend<'a>(spans: &mut Vec<Span<'a>>, rows: Range<usize>, adapter: &'a LoraWeights) {
	match spans.last_mut() {
		Some(span) if std::ptr::eq(span.adapter, adapter) && span.rows.end == rows.start => {
			span.rows.end = rows.end
		}
		_ => spans.push(Span { rows, adapter }),
	}
}

impl<'a> Updates<'a> {
	/// Finds out once for all sites of the step which rows use which adapter.
	pub fn new(
		pool: &'a Pool,
		level: Level,
		batch: &'a [BatchItem],
		buffers: &mut UpdateBuffers,
	) -> Self {
		let mut rows: Vec<Span> = reused(std::mem::take(&mut buffers.rows));
		let mut heads: Vec<Span> = reused(std::mem::take(&mut buffers.heads));
		let (mut row, mut head) = (0, 0);
		for item in batch {
			let (first_row, first_head) = (row, head);
			row += item.tokens.len();
			head += usize::from(item.logits);
			if let Some(adapter) = &item.adapter {
				extend(&mut rows, first_row..row, adapter);
				if item.logits {
					extend(&mut heads, first_head..head, adapter);
				}
			}
		}
		Self {
			pool,
			level,
			depth: rows.iter().map(Span::depth).max().unwrap_or(0),
			dora: rows.iter().any(|span| span.adapter.is_dora()),
			rows,
			heads,
		}
	}

	/// Gives the memory back for the next step.
	pub fn give_back(self, buffers: &mut UpdateBuffers) {
		buffers.rows = reused(self.rows);
		buffers.heads = reused(self.heads);
	}

	fn spans(&self, site: Site) -> &[Span<'a>] {
		match site {
			Site::Head => &self.heads,
			_ => &self.rows,
		}
	}

	/// Adds the updates of the input embedding to the rows `x` of the batch's tokens.
	pub fn embed<'t>(&self, x: &mut [f32], width: usize, tokens: impl Iterator<Item = &'t u32>) {
		if self.rows.iter().all(|span| {
			span.updates()
				.all(|(update, _)| update.embedding().is_none())
		}) {
			return;
		}
		let tokens: Vec<u32> = tokens.copied().collect();
		for span in &self.rows {
			for (update, factor) in span.updates() {
				let Some(update) = update.embedding() else {
					continue;
				};
				for row in span.rows.clone() {
					let x = &mut x[row * width..(row + 1) * width];
					let a = &update.a[tokens[row] as usize * update.rank..][..update.rank];
					for (a, b) in a.iter().zip(update.b.chunks_exact(width)) {
						let a = a * factor;
						x.iter_mut().zip(b).for_each(|(x, b)| *x += a * b);
					}
				}
			}
		}
	}

	/// To be called before the base's product is added to `y`: sets rows with gains aside, so that the product of
	/// the base stands alone in them.
	pub fn before(&self, buffers: &mut UpdateBuffers, y: &mut [f32], at: At) {
		if !self.dora {
			return;
		}
		buffers.saved.clear();
		for span in self.spans(at.site) {
			if span.gains(at.layer, at.site) {
				let y = &mut y[span.rows.start * at.n..span.rows.end * at.n];
				buffers.saved.extend_from_slice(y);
				y.fill(0.0);
			}
		}
	}

	/// To be called when the base's product of `x` is in `y`: adds every adapter's update.
	pub fn after(&self, buffers: &mut UpdateBuffers, y: &mut [f32], x: &[f32], at: At) {
		let spans = self.spans(at.site);
		if spans.is_empty() {
			return;
		}
		if self.dora {
			self.gain(&mut buffers.saved, y, at);
		}
		for depth in 0..self.depth {
			let mut segments = reused(std::mem::take(&mut buffers.segments));
			segments.extend(spans.iter().filter_map(|span| {
				let (update, factor) = span.update(depth)?;
				Some(LoraSegment {
					rows: span.rows.clone(),
					site: update.site(at.layer, at.site),
					factor,
				})
			}));
			let memory = &mut buffers.memory;
			lora(self.pool, self.level, y, at.n, x, at.k, &segments, memory);
			buffers.segments = reused(segments);
		}
	}

	/// Puts back what was set aside, with the base's product stretched.
	fn gain(&self, saved: &mut [f32], y: &mut [f32], at: At) {
		let mut saved = saved.chunks_exact_mut(at.n);
		for span in self.spans(at.site) {
			if !span.gains(at.layer, at.site) {
				continue;
			}
			for (row, saved) in span.rows.clone().zip(saved.by_ref()) {
				let y = &mut y[row * at.n..(row + 1) * at.n];
				for (update, factor) in span.updates() {
					for slice in &update.site(at.layer, at.site).slices {
						let columns = slice.column..slice.column + slice.gain.len();
						let saved = saved[columns.clone()].iter_mut();
						for ((saved, y), gain) in saved.zip(&y[columns]).zip(&slice.gain) {
							*saved += factor * gain * y;
						}
					}
				}
				y.iter_mut().zip(saved).for_each(|(y, saved)| *y += *saved);
			}
		}
	}
}
