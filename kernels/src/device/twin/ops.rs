//! What each operation computes, plainly: sums in f64, rounded once where the operation says.

use super::{memory::Memory, Executor};
use crate::device::{
	tables::{
		DecodeRow, DecodeWork, LoraChunk, LoraEntry, PrefillTile, SampleRow, CHUNK_ROWS,
		SPLIT_POSITIONS, WORK_SPLITS,
	},
	Attention, Convert, Copy, DeviceError, Element, Embed, Gemm, Lora, Op, Ptr, RmsNorm, Rope,
	Sample, SiluMul,
};

fn wrong<T>(why: String) -> Result<T, DeviceError> {
	Err(DeviceError::Table(why))
}

/// Kernels load 16 bytes at a time.
fn aligned(at: Ptr) -> Result<(), DeviceError> {
	match at.0 % 16 {
		0 => Ok(()),
		_ => wrong(format!("{:#x} is not aligned to 16 bytes", at.0)),
	}
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
	a.iter()
		.zip(b)
		.map(|(a, b)| f64::from(*a) * f64::from(*b))
		.sum()
}

fn norm(values: &mut [f32], weight: &[f32], eps: f32) {
	let mean = dot(values, values) / values.len() as f64;
	let scale = 1.0 / (mean + f64::from(eps)).sqrt();
	for (value, weight) in values.iter_mut().zip(weight) {
		*value = (f64::from(*value) * scale * f64::from(*weight)) as f32;
	}
}

/// One split of a context: its largest score, its sum, its values.
struct Partial {
	max: f64,
	sum: f64,
	values: Vec<f64>,
}

impl Memory {
	pub fn compute(&mut self, op: &Op) -> Result<(), DeviceError> {
		match op {
			Op::Embed(op) => self.embed(op),
			Op::RmsNorm(op) => self.rms_norm(op),
			Op::Gemm(op) => self.gemm(op),
			Op::Rope(op) => self.rope(op),
			Op::Attention(op) => self.attention(op),
			Op::Lora(op) => self.lora(op),
			Op::SiluMul(op) => self.silu_mul(op),
			Op::Sample(op) => self.sample(op),
			Op::Convert(op) => self.convert(op),
			Op::Copy(op) => self.copy(op),
		}
	}

	fn embed(&mut self, op: &Embed) -> Result<(), DeviceError> {
		for row in 0..self.count(op.rows)? {
			let token: u32 = self.entry(op.tokens, row)?;
			let token = (token as usize).min(op.table.n - 1);
			let scale = self.scale(&op.table, token)?;
			let mut values = self.weights(&op.table, token)?;
			values.iter_mut().for_each(|v| *v *= scale);
			self.set(Element::F32, op.out, row * op.table.k, &values)?;
		}
		Ok(())
	}

	fn rms_norm(&mut self, op: &RmsNorm) -> Result<(), DeviceError> {
		let weight = self.values(Element::F32, op.weight, 0, op.width)?;
		for row in 0..self.count(op.rows)? {
			let from = match op.gather {
				Some(gather) => self.entry::<u32>(gather, row)? as usize,
				None => row,
			};
			let mut x = self.values(Element::F32, op.x, from * op.width, op.width)?;
			if let Some(add) = op.add {
				let add = self.values(op.element, add, row * op.width, op.width)?;
				x.iter_mut().zip(add).for_each(|(x, add)| *x += add);
				self.set(Element::F32, op.x, from * op.width, &x)?;
			}
			norm(&mut x, &weight, op.eps);
			self.set(op.element, op.out, row * op.width, &x)?;
		}
		Ok(())
	}

	fn gemm(&mut self, op: &Gemm) -> Result<(), DeviceError> {
		let (n, k) = (op.weights.n, op.weights.k);
		let rows = self.count(op.rows)?;
		let inputs: Vec<Vec<f32>> = (0..rows)
			.map(|row| self.values(op.element, op.x, row * k, k))
			.collect::<Result<_, _>>()?;
		let mut outputs = vec![vec![0.0; n]; rows];
		for column in 0..n {
			let weights = self.weights(&op.weights, column)?;
			let scale = f64::from(self.scale(&op.weights, column)?);
			for (x, y) in inputs.iter().zip(&mut outputs) {
				y[column] = (dot(x, &weights) * scale) as f32;
			}
		}
		for (row, y) in outputs.iter().enumerate() {
			self.set(op.out, op.y, row * n, y)?;
		}
		Ok(())
	}

	fn rope(&mut self, op: &Rope) -> Result<(), DeviceError> {
		let (dim, half) = (op.head_dim, op.head_dim / 2);
		let width = (op.heads + 2 * op.kv_heads) * dim;
		let turned = (op.heads + op.kv_heads) * dim;
		let bias = match op.bias {
			Some(bias) => Some(self.values(Element::F32, bias, 0, width)?),
			None => None,
		};
		let norms = match op.norms {
			Some(norms) => Some((
				self.values(Element::F32, norms.q, 0, dim)?,
				self.values(Element::F32, norms.k, 0, dim)?,
				norms.eps,
			)),
			None => None,
		};
		let layout = &op.append.layout;
		for row in 0..self.count(op.rows)? {
			let position = self.entry::<u32>(op.positions, row)? as usize;
			let mut values = self.values(op.element, op.qkv, row * width, width)?;
			if let Some(bias) = &bias {
				values.iter_mut().zip(bias).for_each(|(v, b)| *v += b);
			}
			if let Some((q, k, eps)) = &norms {
				for (head, values) in values[..turned].chunks_exact_mut(dim).enumerate() {
					norm(values, if head < op.heads { q } else { k }, *eps);
				}
			}
			if let Some(table) = op.table {
				let at = position.min(op.table_len - 1) * dim;
				let angles = self.values(Element::F32, table, at, dim)?;
				let (cos, sin) = angles.split_at(half);
				for head in values[..turned].chunks_exact_mut(dim) {
					for i in 0..half {
						let (x, y) = (head[i], head[i + half]);
						head[i] = x * cos[i] - y * sin[i];
						head[i + half] = y * cos[i] + x * sin[i];
					}
				}
			}
			self.set(op.element, op.qkv, row * width, &values)?;
			let page: Ptr = self.entry(op.append.pages, row)?;
			let slot = position % layout.page_tokens * dim;
			let keys = &values[op.heads * dim..];
			for head in 0..op.kv_heads {
				let at = layout.keys(op.append.layer, head) + slot;
				self.set(op.element, page, at, &keys[head * dim..][..dim])?;
				let at = layout.values(op.append.layer, head) + slot;
				let from = (op.kv_heads + head) * dim;
				self.set(op.element, page, at, &keys[from..][..dim])?;
			}
		}
		Ok(())
	}

	/// One split for one query head.
	fn split(
		&self,
		op: &Attention,
		pages: Ptr,
		q: &[f32],
		kv_head: usize,
		len: usize,
		split: usize,
	) -> Result<Partial, DeviceError> {
		let (layout, dim) = (&op.layout, op.layout.head_dim);
		let mut scores = Vec::new();
		let mut values = Vec::new();
		let scale = 1.0 / (dim as f64).sqrt();
		for position in split * SPLIT_POSITIONS..len.min((split + 1) * SPLIT_POSITIONS) {
			let page: Ptr = self.entry(pages, position / layout.page_tokens)?;
			aligned(page)?;
			let slot = position % layout.page_tokens * dim;
			let key = layout.keys(op.layer, kv_head) + slot;
			scores.push(dot(q, &self.values(op.element, page, key, dim)?) * scale);
			let value = layout.values(op.layer, kv_head) + slot;
			values.push(self.values(op.element, page, value, dim)?);
		}
		let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
		let mut partial = Partial {
			max,
			sum: 0.0,
			values: vec![0.0; dim],
		};
		for (score, value) in scores.iter().zip(&values) {
			let weight = (score - max).exp();
			partial.sum += weight;
			for (out, value) in partial.values.iter_mut().zip(value) {
				*out += weight * f64::from(*value);
			}
		}
		Ok(partial)
	}

	fn query(&self, op: &Attention, row: usize, head: usize) -> Result<Vec<f32>, DeviceError> {
		if row >= op.rows {
			return wrong(format!("row {row} of {} attends", op.rows));
		}
		let dim = op.layout.head_dim;
		let width = (op.heads + 2 * op.layout.kv_heads) * dim;
		self.values(op.element, op.qkv, row * width + head * dim, dim)
	}

	fn attention(&mut self, op: &Attention) -> Result<(), DeviceError> {
		let (dim, group) = (op.layout.head_dim, op.heads / op.layout.kv_heads);
		let partial_len = dim + 2;
		for index in 0..self.count(op.works)? {
			let work: DecodeWork = self.entry(op.work, index)?;
			let (first, count, len) =
				(work.split as usize, work.splits as usize, work.len as usize);
			if count > WORK_SPLITS
				|| len > op.positions
				|| (first + count).saturating_sub(1) * SPLIT_POSITIONS >= len
			{
				return wrong(format!("{work:?} of {} positions", op.positions));
			}
			if work.partial as usize + count > op.partials {
				return wrong(format!("{work:?} where {} results fit", op.partials));
			}
			for split in 0..count {
				for head in 0..op.heads {
					let q = self.query(op, work.row as usize, head)?;
					let part = self.split(op, work.pages, &q, head / group, len, first + split)?;
					let mut out = vec![part.max as f32, part.sum as f32];
					out.extend(part.values.iter().map(|v| *v as f32));
					let at = (work.partial as usize + split) * op.heads + head;
					self.set(Element::F32, op.partial, at * partial_len, &out)?;
				}
			}
		}
		for index in 0..self.count(op.merges)? {
			let merge: DecodeRow = self.entry(op.merge, index)?;
			let (first, count) = (merge.partial as usize, merge.splits as usize);
			if first + count > op.partials || merge.row as usize >= op.rows {
				return wrong(format!("{merge:?} where {} results fit", op.partials));
			}
			for head in 0..op.heads {
				let parts: Vec<Partial> = (first..first + count)
					.map(|at| {
						let at = (at * op.heads + head) * partial_len;
						let values = self.values(Element::F32, op.partial, at, partial_len)?;
						Ok(Partial {
							max: f64::from(values[0]),
							sum: f64::from(values[1]),
							values: values[2..].iter().map(|v| f64::from(*v)).collect(),
						})
					})
					.collect::<Result<_, DeviceError>>()?;
				self.merged(op, merge.row as usize, head, &parts)?;
			}
		}
		for index in 0..self.count(op.tiles)? {
			let tile: PrefillTile = self.entry(op.tile, index)?;
			let most = Attention::tile_rows(op.heads, op.layout.kv_heads);
			let (row, rows, position) = (
				tile.row as usize,
				tile.rows as usize,
				tile.position as usize,
			);
			if rows > most || position + rows > op.positions {
				return wrong(format!("{tile:?}; a tile has {most} rows at most"));
			}
			for i in 0..rows {
				let len = position + i + 1;
				for head in 0..op.heads {
					let q = self.query(op, row + i, head)?;
					let parts: Vec<Partial> = (0..len.div_ceil(SPLIT_POSITIONS))
						.map(|split| {
							let part = self.split(op, tile.pages, &q, head / group, len, split)?;
							// As if it had been stored.
							let stored = |v: f64| f64::from(v as f32);
							Ok(Partial {
								max: stored(part.max),
								sum: stored(part.sum),
								values: part.values.into_iter().map(stored).collect(),
							})
						})
						.collect::<Result<_, DeviceError>>()?;
					self.merged(op, row + i, head, &parts)?;
				}
			}
		}
		debug_assert!(op.heads * dim > 0);
		Ok(())
	}

	fn merged(
		&mut self,
		op: &Attention,
		row: usize,
		head: usize,
		parts: &[Partial],
	) -> Result<(), DeviceError> {
		let dim = op.layout.head_dim;
		let max = parts
			.iter()
			.map(|p| p.max)
			.fold(f64::NEG_INFINITY, f64::max);
		let mut sum = 0.0;
		let mut values = vec![0.0; dim];
		for part in parts {
			let weight = (part.max - max).exp();
			sum += weight * part.sum;
			for (out, value) in values.iter_mut().zip(&part.values) {
				*out += weight * value;
			}
		}
		let out: Vec<f32> = values.iter().map(|v| (v / sum) as f32).collect();
		self.set(op.element, op.out, (row * op.heads + head) * dim, &out)
	}

	fn lora(&mut self, op: &Lora) -> Result<(), DeviceError> {
		for index in 0..self.count(op.count)? {
			let chunk: LoraChunk = self.entry(op.chunks, index)?;
			let site: LoraEntry = self.entry(chunk.table, op.entry)?;
			let (row, rows) = (chunk.row as usize, chunk.rows as usize);
			for at in [site.a].iter().chain(&site.b[..op.slice_count]) {
				aligned(*at)?;
			}
			let ranks: usize = site.rank[..op.slice_count]
				.iter()
				.map(|r| *r as usize)
				.sum();
			let (inner, pitch) = (chunk.inner as usize, chunk.ranks as usize);
			if rows > CHUNK_ROWS || row + rows > op.rows {
				return wrong(format!("{chunk:?} of {} rows", op.rows));
			}
			if ranks > pitch || pitch > op.ranks || inner + rows * pitch > op.inner_len {
				return wrong(format!(
					"{chunk:?} for {ranks} ranks, where {} fit",
					op.ranks
				));
			}
			for r in 0..rows {
				let x = self.values(op.element, op.x, (row + r) * op.k, op.k)?;
				let mut j = 0;
				for slice in 0..op.slice_count {
					for _ in 0..site.rank[slice] {
						let a = self.values(op.element, site.a, j * op.k, op.k)?;
						let t = (dot(&x, &a) as f32) * (site.scale[slice] * chunk.factor);
						self.set(op.element, op.inner, inner + r * pitch + j, &[t])?;
						j += 1;
					}
				}
			}
			for r in 0..rows {
				let mut first = 0;
				for (slice, columns) in op.slices[..op.slice_count].iter().enumerate() {
					let rank = site.rank[slice] as usize;
					if rank == 0 && site.gain[slice] == Ptr(0) {
						continue;
					}
					let at = (row + r) * op.n + columns.column;
					let mut y = self.values(op.out, op.y, at, columns.width)?;
					if site.gain[slice] != Ptr(0) {
						let gain = self.values(Element::F32, site.gain[slice], 0, columns.width)?;
						for (y, gain) in y.iter_mut().zip(gain) {
							*y += *y * (chunk.factor * gain);
						}
					}
					let t = self.values(op.element, op.inner, inner + r * pitch + first, rank)?;
					let mut update = vec![0f64; columns.width];
					for (j, t) in t.iter().enumerate() {
						let at = j * columns.width;
						let b = self.values(op.element, site.b[slice], at, columns.width)?;
						for (update, b) in update.iter_mut().zip(b) {
							*update += f64::from(*t) * f64::from(b);
						}
					}
					for (y, update) in y.iter_mut().zip(update) {
						*y += update as f32;
					}
					self.set(op.out, op.y, at, &y)?;
					first += rank;
				}
			}
		}
		Ok(())
	}

	fn silu_mul(&mut self, op: &SiluMul) -> Result<(), DeviceError> {
		for row in 0..self.count(op.rows)? {
			let at = row * 2 * op.width;
			let both = self.values(op.element, op.gate_up, at, 2 * op.width)?;
			let (gate, up) = both.split_at(op.width);
			let out: Vec<f32> = gate
				.iter()
				.zip(up)
				.map(|(gate, up)| {
					let gate = f64::from(*gate);
					(gate / (1.0 + (-gate).exp()) * f64::from(*up)) as f32
				})
				.collect();
			self.set(op.element, op.out, row * op.width, &out)?;
		}
		Ok(())
	}

	fn sample(&mut self, op: &Sample) -> Result<(), DeviceError> {
		for row in 0..self.count(op.rows)? {
			let how: SampleRow = self.entry(op.how, row)?;
			let at = row * op.vocabulary;
			let logits = self.values(Element::F32, op.logits, at, op.vocabulary)?;
			self.put(op.tokens, row, choose(&logits, how))?;
		}
		Ok(())
	}

	fn convert(&mut self, op: &Convert) -> Result<(), DeviceError> {
		let values = self.values(op.from_element, op.from, 0, op.len)?;
		self.set(op.to_element, op.to, 0, &values)
	}

	fn copy(&mut self, op: &Copy) -> Result<(), DeviceError> {
		let bytes = self.bytes(op.from, op.bytes)?.to_vec();
		self.bytes_mut(op.to, op.bytes)?.copy_from_slice(&bytes);
		Ok(())
	}
}

/// The token of a row, as [`Sample`] defines it.
fn choose(logits: &[f32], how: SampleRow) -> u32 {
	let finite = |v: f32| if v.is_nan() { f32::NEG_INFINITY } else { v };
	let mut order: Vec<usize> = (0..logits.len()).collect();
	order.sort_by(|a, b| {
		finite(logits[*b])
			.total_cmp(&finite(logits[*a]))
			.then(a.cmp(b))
	});
	let best = finite(logits[order[0]]);
	if !best.is_finite() {
		return 0;
	}
	if how.temperature <= 0.0 {
		return order[0] as u32;
	}
	if how.top_k > 0 {
		order.truncate(how.top_k as usize);
	}
	let mass = |token: usize| -> u64 {
		let e = f64::from((finite(logits[token]) - best) / how.temperature).exp();
		(e * 4_294_967_296.0) as u64
	};
	let total: u64 = order.iter().map(|token| mass(*token)).sum();
	let wanted = (f64::from(how.top_p) * total as f64) as u64;
	let mut sum = 0;
	let mut kept = 0;
	for token in &order {
		sum += mass(*token);
		kept += 1;
		if sum >= wanted && how.top_p < 1.0 {
			break;
		}
	}
	order.truncate(kept);
	order.sort_unstable();
	let aim = (f64::from(how.random) * sum as f64) as u64;
	let mut passed = 0;
	for token in &order {
		passed += mass(*token);
		if passed > aim {
			return *token as u32;
		}
	}
	order.last().map_or(0, |token| *token as u32)
}
