//! The adapters' part of a step: which rows use which adapter, and what is added to each site's output.
//!
//! A row of a weighted set has several updates: its members' one after the other, in the set's order, each times its
//! factor. So a row's result depends on its own adapter alone, like everything else in a step.

use std::ops::Range;

use openledger_kernels::{lora, Level, LoraSegment, LoraSlice};

use crate::{
	adapter::{LoraWeights, Site, SiteWeights},
	backend::BatchItem,
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
	/// Inputs times a factor of a set.
	scaled: Vec<f32>,
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
	pub fn new(level: Level, batch: &'a [BatchItem]) -> Self {
		let (mut rows, mut heads) = (Vec::new(), Vec::new());
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
			level,
			depth: rows.iter().map(Span::depth).max().unwrap_or(0),
			dora: rows.iter().any(|span| span.adapter.is_dora()),
			rows,
			heads,
		}
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
			self.add(y, x, at, |span| {
				span.update(depth).filter(|(_, factor)| *factor == 1.0)
			});
			// A factor is applied to the input: the update is linear in it, and the weights stay shared.
			let factor = |span: &Span<'a>| span.update(depth).filter(|(_, factor)| *factor != 1.0);
			if spans.iter().all(|span| factor(span).is_none()) {
				continue;
			}
			let end = spans.last().map_or(0, |span| span.rows.end);
			if buffers.scaled.len() < end * at.k {
				buffers.scaled.resize(end * at.k, 0.0);
			}
			for span in spans {
				if let Some((_, factor)) = factor(span) {
					let rows = span.rows.start * at.k..span.rows.end * at.k;
					let scaled = buffers.scaled[rows.clone()].iter_mut();
					scaled
						.zip(&x[rows])
						.for_each(|(scaled, x)| *scaled = x * factor);
				}
			}
			self.add(y, &buffers.scaled, at, factor);
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

	/// Adds the chosen update of each span.
	fn add(
		&self,
		y: &mut [f32],
		x: &[f32],
		at: At,
		choose: impl Fn(&Span<'a>) -> Option<(&'a LoraWeights, f32)>,
	) {
		let mut sites: Vec<(Range<usize>, &SiteWeights, Range<usize>)> = Vec::new();
		let mut slices: Vec<LoraSlice> = Vec::new();
		for span in self.spans(at.site) {
			let Some((update, _)) = choose(span) else {
				continue;
			};
			let site = update.site(at.layer, at.site);
			let first = slices.len();
			slices.extend(site.slices.iter().map(|s| LoraSlice {
				first: s.first,
				rank: s.rank,
				column: s.column,
				width: s.width,
				b: &s.b,
			}));
			if slices.len() > first {
				sites.push((span.rows.clone(), site, first..slices.len()));
			}
		}
		if sites.is_empty() {
			return;
		}
		let segments: Vec<LoraSegment> = sites
			.into_iter()
			.map(|(rows, site, range)| LoraSegment {
				rows,
				a: &site.a,
				slices: &slices[range],
			})
			.collect();
		lora(self.level, y, at.n, x, at.k, &segments);
	}
}
