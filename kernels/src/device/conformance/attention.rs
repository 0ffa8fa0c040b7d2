//! Attention through the tables a plan makes.

use super::{
	bench::{epsilon, Bench},
	Extent, Why,
};
use crate::{
	device::{
		plan::{Capacity, Layout, PlanItem, Shape},
		Attention, Element, Ptr,
	},
	KvLayout,
};

/// A sequence whose keys and values are in pages.
struct Sequence {
	pages: Vec<Ptr>,
	/// `[position][kv head][head_dim]`.
	keys: Vec<f32>,
	values: Vec<f32>,
}

/// A model's attention.
#[derive(Clone, Copy, Debug)]
struct Heads {
	element: Element,
	heads: usize,
	kv_heads: usize,
	dim: usize,
	page_tokens: usize,
}

impl Heads {
	fn layout(&self) -> KvLayout {
		KvLayout {
			layers: 2,
			kv_heads: self.kv_heads,
			head_dim: self.dim,
			page_tokens: self.page_tokens,
		}
	}

	fn shape(&self) -> Shape {
		Shape {
			heads: self.heads,
			kv_heads: self.kv_heads,
			page_tokens: self.page_tokens,
		}
	}

	fn width(&self) -> usize {
		(self.heads + 2 * self.kv_heads) * self.dim
	}

	/// Sequences with `len` positions; whatever else is in their pages is poison.
	fn sequence(&self, b: &mut Bench<'_>, len: usize) -> Result<Sequence, Why> {
		let layout = self.layout();
		let span = self.kv_heads * self.dim;
		let keys = b.values(self.element, len * span);
		let values = b.values(self.element, len * span);
		let mut pages = Vec::new();
		for first in (0..len).step_by(self.page_tokens) {
			let mut page = vec![f32::NAN; layout.page_len()];
			for position in first..len.min(first + self.page_tokens) {
				for head in 0..self.kv_heads {
					let slot = (position - first) * self.dim;
					let from = position * span + head * self.dim;
					let at = layout.keys(1, head) + slot;
					page[at..at + self.dim].copy_from_slice(&keys[from..from + self.dim]);
					let at = layout.values(1, head) + slot;
					page[at..at + self.dim].copy_from_slice(&values[from..from + self.dim]);
				}
			}
			pages.push(b.input(self.element, &page)?);
		}
		Ok(Sequence {
			pages,
			keys,
			values,
		})
	}

	/// Runs attention for the items; the result is `[rows, heads * dim]`.
	fn run(
		&self,
		b: &mut Bench<'_>,
		items: &[PlanItem<'_>],
		qkv: &[f32],
		spare: usize,
	) -> Result<Vec<f32>, Why> {
		let rows: usize = items.iter().map(|i| i.tokens.len()).sum();
		let splits = |i: &PlanItem<'_>| Capacity::splits(i.position + i.tokens.len());
		let capacity = Capacity {
			rows: rows + spare,
			items: items.len() + spare,
			pages: items.iter().map(|i| i.pages.len()).sum::<usize>() + spare,
			partials: items.iter().map(splits).sum::<usize>() + spare,
			depth: 0,
			ranks: 0,
		};
		let plan = Layout::new(self.shape(), capacity);
		let base = b.buffer(plan.bytes())?.at;
		let mut tables = vec![0xff; plan.bytes()];
		let filled = plan
			.fill(base, items, &mut tables)
			.map_err(|e| Why::Wrong(e.to_string()))?;
		b.device.write(base, &tables)?;
		let t = plan.tables(base);
		let out = self.heads * self.dim;
		let partial = Attention::partial_bytes(capacity.partials, self.heads, self.dim);
		let op = Attention {
			element: self.element,
			qkv: b.input(self.element, qkv)?,
			out: b.output(self.element, (rows + spare) * out)?,
			rows,
			heads: self.heads,
			layout: self.layout(),
			layer: 1,
			work: t.work,
			works: t.works,
			merge: t.merge,
			merges: t.merges,
			tile: t.tile,
			tiles: t.tiles,
			positions: items
				.iter()
				.map(|i| i.position + i.tokens.len())
				.max()
				.unwrap_or(1),
			partial: b.buffer(partial)?.at,
			partials: capacity.partials,
		};
		debug_assert!(filled.rows == rows);
		b.launch(op)?;
		let got = b.read(self.element, op.out, rows * out)?;
		let size = self.element.bytes();
		b.untouched(
			"attention",
			op.out.at(rows * out * size),
			spare * out * size,
		)?;
		b.guards("attention")?;
		Ok(got)
	}

	/// One row in f64, and what a rounding of its weights can change.
	fn reference(&self, s: &Sequence, q: &[f32], len: usize) -> (Vec<f64>, Vec<f64>) {
		let group = self.heads / self.kv_heads;
		let (mut want, mut size) = (Vec::new(), Vec::new());
		for head in 0..self.heads {
			let kv = head / group;
			let q = &q[head * self.dim..][..self.dim];
			let at = |p: usize| (p * self.kv_heads + kv) * self.dim;
			let score = |p: usize| -> f64 {
				let key = &s.keys[at(p)..][..self.dim];
				let dot: f64 = q
					.iter()
					.zip(key)
					.map(|(q, k)| f64::from(*q) * f64::from(*k))
					.sum();
				dot / (self.dim as f64).sqrt()
			};
			let scores: Vec<f64> = (0..len).map(score).collect();
			let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
			let weights: Vec<f64> = scores.iter().map(|s| (s - most).exp()).collect();
			let sum: f64 = weights.iter().sum();
			for i in 0..self.dim {
				let (mut value, mut absolute) = (0.0, 0.0);
				for (p, weight) in weights.iter().enumerate() {
					let v = weight / sum * f64::from(s.values[at(p) + i]);
					value += v;
					absolute += v.abs();
				}
				want.push(value);
				size.push(absolute);
			}
		}
		(want, size)
	}
}

fn shapes(extent: Extent) -> Vec<Heads> {
	let make = |element, heads, kv_heads, dim, page_tokens| Heads {
		element,
		heads,
		kv_heads,
		dim,
		page_tokens,
	};
	let mut all = vec![
		make(Element::F32, 6, 2, 10, 16),
		make(Element::Bf16, 9, 3, 64, 32),
		make(Element::Bf16, 8, 2, 128, 16),
		make(Element::Bf16, 4, 4, 48, 16),
	];
	if extent == Extent::Whole {
		all.extend([
			make(Element::F32, 4, 1, 128, 32),
			make(Element::Bf16, 7, 1, 64, 16),
			make(Element::Bf16, 16, 1, 128, 64),
			make(Element::Bf16, 2, 2, 128, 32),
		]);
	}
	all
}

pub(super) fn attention(b: &mut Bench<'_>, extent: Extent) -> Result<(), Why> {
	for heads in shapes(extent) {
		// (positions before, tokens) of the items: decoding rows and prompts in one step, and no items at all.
		let mut batches = vec![
			vec![],
			vec![(0, 1)],
			vec![(0, 5), (130, 1), (16, 1), (40, 37)],
			vec![(700, 1), (127, 2), (0, 1), (128, 1), (255, 1), (90, 70)],
		];
		if extent == Extent::Whole {
			batches.push(vec![(2100, 1), (513, 130)]);
		}
		for batch in batches {
			b.clear();
			let sequences: Vec<Sequence> = batch
				.iter()
				.map(|(position, tokens)| heads.sequence(b, position + tokens))
				.collect::<Result<_, _>>()?;
			let tokens = [0; 256];
			let items: Vec<PlanItem<'_>> = batch
				.iter()
				.zip(&sequences)
				.map(|((position, count), sequence)| PlanItem {
					tokens: &tokens[..*count],
					position: *position,
					pages: &sequence.pages,
					adapters: &[],
					logits: true,
				})
				.collect();
			let rows: usize = batch.iter().map(|(_, tokens)| tokens).sum();
			let qkv: Vec<f32> = b
				.values(heads.element, rows * heads.width())
				.iter()
				.map(|v| v * 2.0)
				.collect();
			let got = heads.run(b, &items, &qkv, 3)?;
			let (mut want, mut size) = (Vec::new(), Vec::new());
			let mut row = 0;
			for ((position, tokens), sequence) in batch.iter().zip(&sequences) {
				for i in 0..*tokens {
					let q = &qkv[row * heads.width()..][..heads.heads * heads.dim];
					let (w, s) = heads.reference(sequence, q, position + i + 1);
					want.extend(w);
					size.extend(s);
					row += 1;
				}
			}
			// The result is rounded once, and before that each weight.
			let weights = match heads.element {
				Element::F32 => 1e-5,
				Element::Bf16 => 2f64.powi(-8),
			};
			b.close(&format!("{heads:?} {batch:?}"), &got, &want, |i| {
				epsilon(heads.element) * want[i].abs() + weights * size[i] + 1e-7
			})?;
		}
	}
	Ok(())
}

/// A row decoding alone, among others, and in prompts cut anywhere: the same bits.
pub(super) fn determinism(b: &mut Bench<'_>, extent: Extent) -> Result<(), Why> {
	for heads in shapes(extent) {
		b.clear();
		// Beyond two splits of a context.
		let len = 300;
		let sequence = heads.sequence(b, len)?;
		let other = heads.sequence(b, 150)?;
		let qkv = b.values(heads.element, len * heads.width());
		let strange = b.values(heads.element, 2 * heads.width());
		let tokens = vec![0; len];
		let item = |from: usize, to: usize| PlanItem {
			tokens: &tokens[from..to],
			position: from,
			pages: &sequence.pages,
			adapters: &[],
			logits: false,
		};
		let rows = |from: usize, to: usize| &qkv[from * heads.width()..to * heads.width()];
		let out = heads.heads * heads.dim;
		let whole = heads.run(b, &[item(0, len)], rows(0, len), 0)?;
		for (from, to) in [(0, 7), (7, 140), (140, 141), (141, 300)] {
			let cut = heads.run(b, &[item(from, to)], rows(from, to), 5)?;
			b.same(
				"attention of a cut prompt",
				&cut,
				&whole[from * out..to * out],
			)?;
		}
		let beside = PlanItem {
			position: 120,
			pages: &other.pages,
			..item(0, 1)
		};
		let prompt = PlanItem {
			tokens: &tokens[..2],
			..beside
		};
		for position in [0, 15, 16, 127, 128, 200, 299] {
			let own = item(position, position + 1);
			let q = rows(position, position + 1);
			let alone = heads.run(b, &[own], q, 0)?;
			let company = [&strange[..heads.width()], q, &strange].concat();
			let among = heads.run(b, &[beside, own, prompt], &company, 2)?;
			let want = &whole[position * out..(position + 1) * out];
			b.same("attention of a row alone", &alone, want)?;
			b.same(
				"attention of a row among others",
				&among[out..2 * out],
				want,
			)?;
		}
	}
	Ok(())
}
