//! Low-rank updates through the tables a plan makes.

use super::{
	bench::{epsilon, Bench},
	Extent, Why,
};
use crate::device::{
	plan::{Capacity, Layout, PlanAdapter, PlanItem, Shape},
	tables::{LoraEntry, MAX_SLICES},
	Element, Lora, LoraColumns, Ptr,
};

/// An adapter: of each entry the slices' weights.
struct Adapter {
	table: Ptr,
	ranks: usize,
	sites: Vec<Vec<SliceValues>>,
}

#[derive(Clone, Default)]
struct SliceValues {
	a: Vec<f32>,
	b: Vec<f32>,
	gain: Vec<f32>,
	scale: f32,
}

/// A fused site.
#[derive(Clone, Copy, Debug)]
struct Site {
	k: usize,
	n: usize,
	slices: [LoraColumns; MAX_SLICES],
	slice_count: usize,
}

fn site(k: usize, n: usize, columns: &[(usize, usize)]) -> Site {
	let mut slices = [LoraColumns::default(); MAX_SLICES];
	for (slice, (column, width)) in slices.iter_mut().zip(columns) {
		*slice = LoraColumns {
			column: *column,
			width: *width,
		};
	}
	Site {
		k,
		n,
		slices,
		slice_count: columns.len(),
	}
}

/// An adapter with two entries: one it does not change, and one of the given ranks.
fn adapter(
	b: &mut Bench<'_>,
	element: Element,
	site: &Site,
	ranks: &[usize],
	gains: bool,
) -> Result<Adapter, Why> {
	let mut entry = LoraEntry::default();
	let mut values = Vec::new();
	let mut all = Vec::new();
	for (i, rank) in ranks.iter().enumerate() {
		let width = site.slices[i].width;
		let slice = SliceValues {
			a: b.values(element, rank * site.k),
			b: b.values(element, rank * width),
			gain: match gains {
				true => b.values(Element::F32, width),
				false => Vec::new(),
			},
			scale: b.value() * 2.0,
		};
		all.extend_from_slice(&slice.a);
		entry.b[i] = b.input(element, &slice.b)?;
		entry.scale[i] = slice.scale;
		entry.rank[i] = *rank as u32;
		if gains {
			entry.gain[i] = b.input(Element::F32, &slice.gain)?;
		}
		values.push(slice);
	}
	entry.a = b.input(element, &all)?;
	Ok(Adapter {
		table: b.table(&[LoraEntry::default(), entry])?,
		ranks: ranks.iter().sum(),
		sites: vec![vec![SliceValues::default(); ranks.len()], values],
	})
}

/// Items of a batch: tokens, and which adapters with which factors.
type Items<'a> = &'a [(usize, &'a [(usize, f32)])];

struct Run<'a> {
	element: Element,
	out: Element,
	site: Site,
	adapters: &'a [Adapter],
	entry: usize,
}

impl Run<'_> {
	fn run(
		&self,
		b: &mut Bench<'_>,
		items: Items<'_>,
		x: &[f32],
		y: &[f32],
		spare: usize,
	) -> Result<Vec<f32>, Why> {
		let rows: usize = items.iter().map(|i| i.0).sum();
		let lists: Vec<Vec<PlanAdapter>> = items
			.iter()
			.map(|(_, used)| {
				used.iter()
					.map(|(index, factor)| PlanAdapter {
						table: self.adapters[*index].table,
						ranks: self.adapters[*index].ranks,
						factor: *factor,
					})
					.collect()
			})
			.collect();
		let tokens = [0; 64];
		let pages = [b.device.arena().start; 8];
		let items: Vec<PlanItem<'_>> = items
			.iter()
			.zip(&lists)
			.map(|((count, _), adapters)| PlanItem {
				tokens: &tokens[..*count],
				position: 0,
				pages: &pages,
				adapters,
				logits: true,
			})
			.collect();
		let capacity = Capacity {
			rows: rows + spare,
			items: items.len() + spare,
			pages: 8 * items.len(),
			partials: items.len(),
			depth: lists.iter().map(Vec::len).max().unwrap_or(0).max(1),
			ranks: self.adapters.iter().map(|a| a.ranks).max().unwrap_or(0) + spare,
		};
		let shape = Shape {
			heads: 1,
			kv_heads: 1,
			page_tokens: 16,
		};
		let plan = Layout::new(shape, capacity);
		let base = b.buffer(plan.bytes())?.at;
		let mut bytes = vec![0xff; plan.bytes()];
		plan.fill(base, &items, &mut bytes)
			.map_err(|e| Why::Wrong(e.to_string()))?;
		b.device.write(base, &bytes)?;
		let tables = plan.tables(base);
		let (x, to) = (b.input(self.element, x)?, b.input(self.out, y)?);
		let inner = b.output(self.element, tables.inner_len)?;
		for chunks in &tables.chunks {
			b.launch(Lora {
				element: self.element,
				chunks: chunks.rows,
				count: chunks.row_count,
				entry: self.entry,
				x,
				k: self.site.k,
				out: self.out,
				y: to,
				n: self.site.n,
				rows,
				slices: self.site.slices,
				slice_count: self.site.slice_count,
				inner,
				inner_len: tables.inner_len,
				ranks: capacity.ranks,
			})?;
		}
		b.guards("low-rank updates")?;
		b.read(self.out, to, y.len())
	}

	/// In f64, and how far a result may be off.
	fn reference(&self, items: Items<'_>, x: &[f32], y: &[f32]) -> (Vec<f64>, Vec<f64>) {
		let (k, n) = (self.site.k, self.site.n);
		let mut want: Vec<f64> = y.iter().map(|v| f64::from(*v)).collect();
		let mut allowed = vec![0.0; want.len()];
		let mut row = 0;
		for (count, used) in items {
			for row in row..row + count {
				for (index, factor) in *used {
					for (s, slice) in self.adapters[*index].sites[self.entry].iter().enumerate() {
						let columns = self.site.slices[s];
						let rank = slice.b.len() / columns.width;
						for column in 0..columns.width {
							let at = row * n + columns.column + column;
							if let Some(gain) = slice.gain.get(column) {
								want[at] += want[at] * f64::from(*factor) * f64::from(*gain);
							}
							let (mut update, mut size) = (0.0, 0.0);
							for j in 0..rank {
								let (mut t, mut t_size) = (0.0, 0.0);
								for (x, a) in x[row * k..][..k].iter().zip(&slice.a[j * k..]) {
									let p = f64::from(*x) * f64::from(*a);
									t += p;
									t_size += p.abs();
								}
								let scale = f64::from(slice.scale) * f64::from(*factor);
								let b = f64::from(slice.b[j * columns.width + column]);
								update += t * scale * b;
								// The first product is rounded to the element, its sum is in f32.
								let lost = epsilon(self.element) * t.abs() + 4e-6 * t_size;
								size += (lost * scale * b).abs() + 4e-6 * (t * scale * b).abs();
							}
							want[at] += update;
							allowed[at] += size
								+ epsilon(self.out) * (want[at].abs() + 1e-6)
								+ 2e-7 * want[at].abs();
						}
					}
				}
			}
			row += count;
		}
		(want, allowed)
	}
}

pub(super) fn lora(b: &mut Bench<'_>, extent: Extent) -> Result<(), Why> {
	let mut sites = vec![
		site(64, 40, &[(0, 40)]),
		site(200, 600, &[(0, 520), (528, 8), (544, 56)]),
	];
	if extent == Extent::Whole {
		sites.push(site(1600, 1288, &[(0, 640), (640, 648)]));
	}
	let batches: &[Items<'_>] = &[
		&[],
		&[(3, &[])],
		&[(1, &[(0, 1.0)])],
		&[
			(2, &[]),
			(1, &[(0, 1.0)]),
			(1, &[(0, 1.0)]),
			(35, &[(1, -0.5)]),
			(1, &[(2, 1.0)]),
			(4, &[]),
			(9, &[(3, 1.0)]),
		],
		// Weighted sets, of which one has a member more, beside a single adapter.
		&[
			(5, &[(0, 0.25), (1, 0.75)]),
			(1, &[(0, 0.5), (1, 0.5), (3, 1.0)]),
			(2, &[(1, 1.0)]),
		],
	];
	for (element, out) in [
		(Element::F32, Element::F32),
		(Element::Bf16, Element::Bf16),
		(Element::Bf16, Element::F32),
	] {
		for site in &sites {
			for items in batches {
				b.clear();
				let count = site.slice_count;
				let adapters = [
					adapter(b, element, site, &[16, 16, 16][..count], false)?,
					adapter(b, element, site, &[1, 0, 37][..count], false)?,
					adapter(b, element, site, &[3, 8, 5][..count], true)?,
					adapter(b, element, site, &[64, 7, 0][..count], false)?,
				];
				for entry in [1, 0] {
					let run = Run {
						element,
						out,
						site: *site,
						adapters: &adapters,
						entry,
					};
					let rows: usize = items.iter().map(|i| i.0).sum();
					let x = b.values(element, rows * site.k);
					let y = b.values(out, rows * site.n);
					let got = run.run(b, items, &x, &y, 3)?;
					let what = format!("{element:?} to {out:?}, {site:?}, {items:?}");
					let (want, allowed) = run.reference(items, &x, &y);
					// What nobody updates keeps its bits; where nothing is allowed, anything more fails.
					b.close(&what, &got, &want, |i| allowed[i].max(1e-300))?;
					if entry == 0 {
						b.same(&what, &got, &y)?;
						continue;
					}
					let mut row = 0;
					for (tokens, used) in items.iter() {
						let pick = row + b.below(*tokens);
						let alone = run.run(
							b,
							&[(1, used)],
							&x[pick * site.k..][..site.k],
							&y[pick * site.n..][..site.n],
							0,
						)?;
						b.same(&what, &alone, &got[pick * site.n..][..site.n])?;
						row += tokens;
					}
				}
			}
		}
	}
	Ok(())
}
