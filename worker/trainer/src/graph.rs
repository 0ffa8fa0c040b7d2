//! Large operations with their own gradients, as nodes of candle's graph.
//!
//! candle computes the gradient of both sides of every matrix product, also of a frozen one, which
//! doubles the work of the backward pass. Here a frozen matrix belongs to the operation, not to the
//! graph. Values are computed on detached tensors before the node is made; the node only hands them on.

use candle_core::{
	bail, CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Storage, Tensor,
};
use rayon::prelude::*;

/// A node with a value and the gradients of its `N` arguments.
struct Node<F> {
	name: &'static str,
	value: Tensor,
	backward: F,
}

impl<F> Node<F> {
	fn storage(&self) -> Result<(CpuStorage, Shape)> {
		let (storage, layout) = self.value.storage_and_layout();
		let Storage::Cpu(storage) = &*storage else {
			bail!("{}: the trainer computes on the CPU", self.name)
		};
		match layout.contiguous_offsets() {
			Some((0, end)) if end == storage.as_slice::<f32>()?.len() => {
				Ok((storage.clone(), layout.shape().clone()))
			}
			_ => bail!("{}: the value is not contiguous", self.name),
		}
	}
}

impl<F: Fn(&Tensor) -> Result<Tensor> + Send + Sync> CustomOp1 for Node<F> {
	fn name(&self) -> &'static str {
		self.name
	}

	fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
		self.storage()
	}

	fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
		(self.backward)(&gradient.detach()).map(Some)
	}
}

impl<F: Fn(&Tensor) -> Result<(Tensor, Tensor)> + Send + Sync> CustomOp2 for Node<F> {
	fn name(&self) -> &'static str {
		self.name
	}

	fn cpu_fwd(
		&self,
		_: &CpuStorage,
		_: &Layout,
		_: &CpuStorage,
		_: &Layout,
	) -> Result<(CpuStorage, Shape)> {
		self.storage()
	}

	fn bwd(
		&self,
		_: &Tensor,
		_: &Tensor,
		_: &Tensor,
		gradient: &Tensor,
	) -> Result<(Option<Tensor>, Option<Tensor>)> {
		let (first, second) = (self.backward)(&gradient.detach())?;
		Ok((Some(first), Some(second)))
	}
}

type Three = (Option<Tensor>, Option<Tensor>, Option<Tensor>);

impl<F: Fn(&Tensor) -> Result<Three> + Send + Sync> CustomOp3 for Node<F> {
	fn name(&self) -> &'static str {
		self.name
	}

	fn cpu_fwd(
		&self,
		_: &CpuStorage,
		_: &Layout,
		_: &CpuStorage,
		_: &Layout,
		_: &CpuStorage,
		_: &Layout,
	) -> Result<(CpuStorage, Shape)> {
		self.storage()
	}

	fn bwd(
		&self,
		_: &Tensor,
		_: &Tensor,
		_: &Tensor,
		_: &Tensor,
		gradient: &Tensor,
	) -> Result<Three> {
		(self.backward)(&gradient.detach())
	}
}

/// The values of a tensor, row by row.
fn values(tensor: &Tensor) -> Result<Vec<f32>> {
	tensor.flatten_all()?.to_vec1::<f32>()
}

fn like(data: Vec<f32>, tensor: &Tensor) -> Result<Tensor> {
	Tensor::from_vec(data, tensor.shape(), tensor.device())
}

/// The two matrices of a LoRA update and its factor.
#[derive(Clone)]
pub(crate) struct Update {
	/// `[rank, in]`.
	pub(crate) a: Tensor,
	/// `[out, rank]`.
	pub(crate) b: Tensor,
	pub(crate) scale: f64,
}

/// `x Wᵀ + bias + scale · (x Aᵀ) Bᵀ` for `x: [rows, in]`, frozen `W: [out, in]` and `bias: [out]`.
pub(crate) fn linear(
	x: &Tensor,
	weight: &Tensor,
	bias: Option<&Tensor>,
	update: Option<&Update>,
) -> Result<Tensor> {
	let input = x.detach();
	let mut value = input.matmul(&weight.t()?)?;
	if let Some(bias) = bias {
		value = value.broadcast_add(bias)?;
	}
	let weight = weight.clone();
	let Some(Update { a, b, scale }) = update else {
		if !x.track_op() {
			return Ok(value);
		}
		let backward = move |gradient: &Tensor| gradient.matmul(&weight);
		return x.apply_op1(Node {
			name: "frozen linear",
			value,
			backward,
		});
	};
	let (low, high, scale, tracked) = (a.detach(), b.detach(), *scale, x.track_op());
	let inner = input.matmul(&low.t()?)?;
	let value = (value + (inner.matmul(&high.t()?)? * scale)?)?;
	let backward = move |gradient: &Tensor| {
		let scaled = (gradient * scale)?;
		let of_b = scaled.t()?.matmul(&inner)?;
		let of_inner = scaled.matmul(&high)?;
		let of_a = of_inner.t()?.matmul(&input)?;
		let of_x = match tracked {
			true => Some((gradient.matmul(&weight)? + of_inner.matmul(&low)?)?),
			false => None,
		};
		Ok((of_x, Some(of_a), Some(of_b)))
	};
	x.apply_op3(
		a,
		b,
		Node {
			name: "linear with update",
			value,
			backward,
		},
	)
}

/// Root-mean-square normalisation of each row, times `weight`.
pub(crate) fn rms_norm(x: &Tensor, weight: &[f32], epsilon: f32) -> Result<Tensor> {
	let width = weight.len();
	let input = values(&x.detach())?;
	let inverse: Vec<f32> = input
		.chunks_exact(width)
		.map(|row| {
			let squares: f32 = row.iter().map(|v| v * v).sum();
			1.0 / (squares / width as f32 + epsilon).sqrt()
		})
		.collect();
	let mut out = Vec::with_capacity(input.len());
	for (row, inverse) in input.chunks_exact(width).zip(&inverse) {
		out.extend(row.iter().zip(weight).map(|(v, w)| v * inverse * w));
	}
	let value = like(out, x)?;
	if !x.track_op() {
		return Ok(value);
	}
	let weight = weight.to_vec();
	let backward = move |gradient: &Tensor| {
		let given = values(gradient)?;
		let mut out = Vec::with_capacity(given.len());
		let rows = given
			.chunks_exact(width)
			.zip(input.chunks_exact(width))
			.zip(&inverse);
		for ((given, row), inverse) in rows {
			let along: f32 = given
				.iter()
				.zip(&weight)
				.zip(row)
				.map(|((g, w), v)| g * w * v)
				.sum();
			let along = along * inverse * inverse / width as f32;
			let each = given.iter().zip(&weight).zip(row);
			out.extend(each.map(|((g, w), v)| inverse * (g * w - v * along)));
		}
		like(out, gradient)
	};
	x.apply_op1(Node {
		name: "rms norm",
		value,
		backward,
	})
}

/// `silu(gate) · up`.
pub(crate) fn gated(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
	let (g, u) = (values(&gate.detach())?, values(&up.detach())?);
	let mut sigmoid = vec![0f32; g.len()];
	sigmoid
		.par_chunks_mut(4096)
		.zip(g.par_chunks(4096))
		.for_each(|(s, g)| {
			s.iter_mut()
				.zip(g)
				.for_each(|(s, g)| *s = 1.0 / (1.0 + (-g).exp()))
		});
	let out = g
		.iter()
		.zip(&u)
		.zip(&sigmoid)
		.map(|((g, u), s)| g * s * u)
		.collect();
	let value = like(out, gate)?;
	if !gate.track_op() && !up.track_op() {
		return Ok(value);
	}
	let backward = move |gradient: &Tensor| {
		let given = values(gradient)?;
		let of_gate = given
			.iter()
			.zip(&u)
			.zip(&g)
			.zip(&sigmoid)
			.map(|(((d, u), g), s)| d * u * s * (1.0 + g * (1.0 - s)))
			.collect();
		let of_up = given
			.iter()
			.zip(&g)
			.zip(&sigmoid)
			.map(|((d, g), s)| d * g * s)
			.collect();
		Ok((like(of_gate, gradient)?, like(of_up, gradient)?))
	};
	gate.apply_op2(
		up,
		Node {
			name: "gated",
			value,
			backward,
		},
	)
}

/// The shape of attention and the rotation of each position.
pub(crate) struct Heads {
	pub(crate) queries: usize,
	pub(crate) keys: usize,
	pub(crate) width: usize,
	/// `(cos, sin)` of each position and half-dimension, row by row.
	pub(crate) rotation: Vec<(f32, f32)>,
}

impl Heads {
	/// Rotates each head of each row, or back with `sign` -1. Rows are positions from 0 on.
	fn rotate(&self, data: &mut [f32], heads: usize, sign: f32) {
		let half = self.width / 2;
		let rows = data.chunks_exact_mut(heads * self.width);
		for (row, rotation) in rows.zip(self.rotation.chunks_exact(half)) {
			for head in row.chunks_exact_mut(self.width) {
				let (low, high) = head.split_at_mut(half);
				for ((a, b), (cos, sin)) in low.iter_mut().zip(high).zip(rotation) {
					let (x, y, sin) = (*a, *b, sign * sin);
					*a = x * cos - y * sin;
					*b = y * cos + x * sin;
				}
			}
		}
	}

	/// `[rows, heads · width]` to `[query heads, rows, width]`; each key head is repeated.
	fn spread(&self, data: Vec<f32>, rows: usize, heads: usize) -> Result<Tensor> {
		let shape = (rows, heads, self.width);
		let tensor = Tensor::from_vec(data, shape, &candle_core::Device::Cpu)?.transpose(0, 1)?;
		let group = self.queries / heads;
		if group == 1 {
			return tensor.contiguous();
		}
		let tensor = tensor.unsqueeze(1)?;
		tensor
			.expand((heads, group, rows, self.width))?
			.contiguous()?
			.reshape((self.queries, rows, self.width))
	}

	/// The reverse of [`Self::spread`]: repeated heads are summed.
	fn gather(&self, tensor: &Tensor, rows: usize, heads: usize) -> Result<Vec<f32>> {
		let group = self.queries / heads;
		let tensor = match group {
			1 => tensor.clone(),
			_ => tensor.reshape((heads, group, rows, self.width))?.sum(1)?,
		};
		values(&tensor.transpose(0, 1)?.contiguous()?)
	}
}

/// Causal attention of one sequence with rotary positions: `q: [rows, query heads · width]`, `k` and
/// `v: [rows, key heads · width]`.
pub(crate) fn attention(
	q: &Tensor,
	k: &Tensor,
	v: &Tensor,
	heads: &std::sync::Arc<Heads>,
) -> Result<Tensor> {
	let rows = q.dim(0)?;
	let factor = 1.0 / (heads.width as f64).sqrt();
	let (mut qs, mut ks) = (values(&q.detach())?, values(&k.detach())?);
	heads.rotate(&mut qs, heads.queries, 1.0);
	heads.rotate(&mut ks, heads.keys, 1.0);
	let qs = heads.spread(qs, rows, heads.queries)?;
	let ks = heads.spread(ks, rows, heads.keys)?;
	let vs = heads.spread(values(&v.detach())?, rows, heads.keys)?;
	let mut scores = values(&(qs.matmul(&ks.t()?)? * factor)?)?;
	for (at, row) in scores.chunks_exact_mut(rows).enumerate() {
		let (seen, later) = row.split_at_mut(at % rows + 1);
		softmax(seen);
		later.fill(0.0);
	}
	let weights = Tensor::from_vec(scores, (heads.queries, rows, rows), q.device())?;
	let out = weights.matmul(&vs)?;
	let value = out
		.transpose(0, 1)?
		.contiguous()?
		.reshape((rows, heads.queries * heads.width))?;
	if !q.track_op() && !k.track_op() && !v.track_op() {
		return Ok(value);
	}
	let heads = heads.clone();
	let tracked = [q, k, v].map(|tensor| tensor.track_op());
	let backward = move |gradient: &Tensor| {
		let given = heads.spread(values(gradient)?, rows, heads.queries)?;
		let of_v = weights.t()?.matmul(&given)?;
		let of_weights = values(&given.matmul(&vs.t()?)?)?;
		let mut of_scores = values(&weights)?;
		for (weights, given) in of_scores
			.chunks_exact_mut(rows)
			.zip(of_weights.chunks_exact(rows))
		{
			let along: f32 = weights.iter().zip(given).map(|(w, g)| w * g).sum();
			weights
				.iter_mut()
				.zip(given)
				.for_each(|(w, g)| *w *= g - along);
		}
		let of_scores = (like(of_scores, &weights)? * factor)?;
		let mut of_q = heads.gather(&of_scores.matmul(&ks)?, rows, heads.queries)?;
		let mut of_k = heads.gather(&of_scores.t()?.matmul(&qs)?, rows, heads.keys)?;
		heads.rotate(&mut of_q, heads.queries, -1.0);
		heads.rotate(&mut of_k, heads.keys, -1.0);
		let of_v = heads.gather(&of_v, rows, heads.keys)?;
		let shaped = |data: Vec<f32>, wanted: bool| {
			let width = data.len() / rows;
			match wanted {
				true => Tensor::from_vec(data, (rows, width), gradient.device()).map(Some),
				false => Ok(None),
			}
		};
		Ok((
			shaped(of_q, tracked[0])?,
			shaped(of_k, tracked[1])?,
			shaped(of_v, tracked[2])?,
		))
	};
	q.apply_op3(
		k,
		v,
		Node {
			name: "attention",
			value,
			backward,
		},
	)
}

fn softmax(row: &mut [f32]) -> f32 {
	let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
	let mut sum = 0f32;
	for value in row.iter_mut() {
		*value = (*value - top).exp();
		sum += *value;
	}
	row.iter_mut().for_each(|value| *value /= sum);
	top + sum.ln()
}

/// Sum of `-log p(target)` over the rows of `x: [rows, in]`, by the frozen output matrix
/// `head: [vocabulary, in]`. The gradient is computed along with the value.
pub(crate) fn loss(x: &Tensor, head: &Tensor, targets: &[u32]) -> Result<Tensor> {
	let mut logits = values(&x.detach().matmul(&head.t()?)?)?;
	let vocabulary = head.dim(0)?;
	if logits.len() != targets.len() * vocabulary
		|| targets.iter().any(|target| *target as usize >= vocabulary)
	{
		bail!("loss: one target below {vocabulary} per row")
	}
	let losses: Vec<f32> = logits
		.par_chunks_mut(vocabulary)
		.zip(targets)
		.map(|(row, target)| {
			let right = row[*target as usize];
			let loss = softmax(row) - right;
			row[*target as usize] -= 1.0;
			loss
		})
		.collect();
	let value = Tensor::new(losses.iter().sum::<f32>(), x.device())?;
	if !x.track_op() {
		return Ok(value);
	}
	let shape = (targets.len(), vocabulary);
	let of_x = Tensor::from_vec(logits, shape, x.device())?.matmul(head)?;
	let backward = move |gradient: &Tensor| of_x.broadcast_mul(gradient);
	x.apply_op1(Node {
		name: "loss",
		value,
		backward,
	})
}
