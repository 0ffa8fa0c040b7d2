//! The base model on a device: where its weights and the buffers of a step lie, and the operations of a step.

use std::sync::Arc;

use half::bf16;
use openledger_kernels::{
	device::{
		plan::{self, Capacity, Layout, Tables},
		tables::{Entry, SampleRow, MAX_SLICES},
		Append, Attention, Copy, Device, DeviceError, Element, Embed, Gemm, HeadNorms, Lora,
		LoraColumns, Op, Ptr, RmsNorm, Rope, Sample, SiluMul, WeightFormat, Weights,
	},
	KvLayout, Values,
};
use rayon::prelude::*;

use super::{image, pool::ALIGN};
use crate::{
	adapter::Site,
	config::ModelConfig,
	error::{EngineError, ModelError},
	weights::ModelWeights,
};

/// Largest sum of ranks of a fused site: three projections of the largest rank an adapter may have.
pub(crate) const MAX_RANKS: usize = 3 * 1024;

/// Most members of a weighted set.
pub(crate) const MAX_DEPTH: usize = crate::set::AdapterSet::MAX_MEMBERS;

/// What a device backend computes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Formats {
	/// Type of activations, KV and adapters.
	pub element: Element,
	/// Format of the weights.
	pub weights: WeightFormat,
	/// Whether products of many rows go to the vendor's library.
	pub library: bool,
}

/// What a model's buffers are made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
	pub formats: Formats,
	pub layout: KvLayout,
	pub max_context: usize,
	/// The most a step can have.
	pub most: Capacity,
}

/// Gives out an arena from its beginning.
pub(crate) struct Bump {
	start: Ptr,
	at: usize,
	bytes: usize,
}

impl Bump {
	pub fn new(start: Ptr, bytes: usize) -> Self {
		Self {
			start,
			at: 0,
			bytes,
		}
	}

	/// The next `bytes` bytes, aligned.
	fn take(&mut self, bytes: usize) -> Result<Ptr, DeviceError> {
		let free = self.bytes - self.at;
		let size = bytes.max(1).checked_next_multiple_of(ALIGN);
		match size.filter(|size| *size <= free) {
			Some(size) => {
				let at = self.start.at(self.at);
				self.at += size;
				Ok(at)
			}
			None => Err(DeviceError::Memory {
				wanted: bytes,
				free,
			}),
		}
	}

	/// All that is left, aligned.
	pub fn rest(&self) -> (Ptr, usize) {
		(self.start.at(self.at), self.bytes - self.at)
	}
}

/// Where the weights of a model come from.
pub(crate) enum Source<'a> {
	/// Host memory.
	Host(&'a ModelWeights),
	/// Random ones made on the device: to measure speed without a file.
	Random,
}

struct Layer {
	input_norm: Ptr,
	qkv: Weights,
	bias: Option<Ptr>,
	head_norms: Option<HeadNorms>,
	output: Weights,
	post_norm: Ptr,
	gate_up: Weights,
	down: Weights,
}

/// What a step reads and writes besides the weights.
struct Buffers {
	tables: Ptr,
	x: Ptr,
	normed: Ptr,
	qkv: Ptr,
	attended: Ptr,
	projected: Ptr,
	gate_up: Ptr,
	activated: Ptr,
	wanted: Ptr,
	logits: Ptr,
	partial: Ptr,
	inner: Ptr,
	/// Updates of the input embedding, of the rows that have any.
	embeds: Ptr,
	/// How tokens are drawn, and those drawn.
	draws: Ptr,
	drawn: Ptr,
}

/// A model on a device.
pub(crate) struct DeviceModel {
	config: ModelConfig,
	formats: Formats,
	layout: KvLayout,
	max_context: usize,
	embedding: Weights,
	head: Weights,
	norm: Ptr,
	layers: Vec<Layer>,
	rope: Ptr,
	buffers: Buffers,
	/// The most a step can have.
	most: Capacity,
	weight_bytes: usize,
}

/// Kind of a step, for which its launches are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
	pub capacity: Capacity,
	/// Whether an adapter changes the output matrix.
	pub head: bool,
	/// Whether an adapter changes the embedding.
	pub embeds: bool,
}

/// Writes tensors to a device.
struct Uploader<'a> {
	device: &'a dyn Device,
	source: &'a Source<'a>,
	formats: Formats,
	bump: &'a mut Bump,
	/// Random bytes that are there already.
	random: Option<(Ptr, usize)>,
}

/// Bytes of a block of random weights.
const RANDOM_BLOCK: usize = 16 << 20;

fn little_f32(values: &[f32]) -> Vec<u8> {
	values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

impl Uploader<'_> {
	fn vector(&mut self, names: &[String], len: usize, plain: f32) -> Result<Ptr, EngineError> {
		let mut values = Vec::with_capacity(len);
		match self.source {
			Source::Random => values.resize(len, plain),
			Source::Host(weights) => {
				for name in names {
					values.extend(weights.get(name)?.to_f32());
				}
			}
		}
		let at = self.bump.take(len * 4)?;
		self.device.write(at, &little_f32(&values))?;
		Ok(at)
	}

	/// Matrices with rows of `k`, one below the other.
	fn matrix(&mut self, names: &[String], n: usize, k: usize) -> Result<Weights, EngineError> {
		let format = self.formats.weights;
		let data = self.bump.take(n * k * format.bytes())?;
		let scales = match format {
			WeightFormat::Int8 => self.bump.take(n * 4)?,
			_ => Ptr::default(),
		};
		let weights = Weights {
			format,
			data,
			scales,
			n,
			k,
		};
		let names = match self.source {
			Source::Random => {
				self.random(&weights)?;
				return Ok(weights);
			}
			Source::Host(host) => names.iter().map(|name| host.get(name)),
		};
		let mut row = 0;
		for tensor in names {
			let tensor = tensor?;
			let rows = tensor.shape[0];
			let (bytes, factors) = stored(&tensor.data, format, k);
			self.device
				.write(data.at(row * k * format.bytes()), &bytes)?;
			if !factors.is_empty() {
				self.device
					.write(scales.at(row * 4), &little_f32(&factors))?;
			}
			row += rows;
		}
		debug_assert_eq!(row, n, "the parts make up the matrix");
		Ok(weights)
	}

	/// Fills a matrix with random weights of about 1/√k, most of it by copies on the device.
	fn random(&mut self, weights: &Weights) -> Result<(), EngineError> {
		let bytes = weights.n * weights.k * weights.format.bytes();
		let (block, size) = match self.random {
			Some(block) => block,
			None => {
				// Values of ±1/64: what a width of 4,096 asks for.
				let mut state = 0x9E37_79B9_7F4A_7C15u64;
				let mut next = || {
					state = state
						.wrapping_mul(6364136223846793005)
						.wrapping_add(1442695040888963407);
					((state >> 40) as f32 / (1u64 << 23) as f32 - 1.0) / 64.0
				};
				let values: Vec<u8> = match weights.format {
					WeightFormat::F32 => (0..RANDOM_BLOCK / 4)
						.flat_map(|_| next().to_le_bytes())
						.collect(),
					WeightFormat::Bf16 => (0..RANDOM_BLOCK / 2)
						.flat_map(|_| bf16::from_f32(next()).to_le_bytes())
						.collect(),
					WeightFormat::Int8 => (0..RANDOM_BLOCK)
						.map(|_| (next() * 64.0 * 127.0) as i8 as u8)
						.collect(),
				};
				let at = self.bump.take(RANDOM_BLOCK)?;
				self.device.write(at, &values)?;
				self.random = Some((at, RANDOM_BLOCK));
				(at, RANDOM_BLOCK)
			}
		};
		for at in (0..bytes).step_by(size) {
			let copy = Copy {
				from: block,
				to: weights.data.at(at),
				bytes: size.min(bytes - at),
			};
			self.device.launch(super::COMPUTE, &copy.into())?;
		}
		if weights.format == WeightFormat::Int8 {
			let scales = vec![1.0 / (64.0 * 127.0); weights.n];
			self.device.write(weights.scales, &little_f32(&scales))?;
		}
		Ok(())
	}
}

/// A matrix in a device's format: its bytes, and with int8 a factor for each row.
fn stored(values: &Values, format: WeightFormat, k: usize) -> (Vec<u8>, Vec<f32>) {
	match (format, values) {
		(WeightFormat::Bf16, Values::Bf16(v)) => (
			v.par_iter().flat_map_iter(|v| v.to_le_bytes()).collect(),
			Vec::new(),
		),
		(WeightFormat::Bf16, _) => {
			let wide = values.to_f32();
			let bytes = wide
				.par_iter()
				.flat_map_iter(|v| bf16::from_f32(*v).to_le_bytes());
			(bytes.collect(), Vec::new())
		}
		(WeightFormat::F32, _) => (little_f32(&values.to_f32()), Vec::new()),
		(WeightFormat::Int8, _) => {
			let wide = values.to_f32();
			let factors: Vec<f32> = wide
				.par_chunks(k)
				.map(|row| row.iter().fold(0f32, |m, v| m.max(v.abs())) / 127.0)
				.collect();
			let bytes = wide
				.par_chunks(k)
				.zip(&factors)
				.flat_map_iter(|(row, factor)| {
					let inverse = match *factor {
						0.0 => 0.0,
						factor => 1.0 / factor,
					};
					row.iter()
						.map(move |v| (v * inverse).round().clamp(-127.0, 127.0) as i8 as u8)
				});
			(bytes.collect(), factors)
		}
	}
}

/// Cosines and sines by position: `[positions, head_dim]`, half and half.
fn rotations(config: &ModelConfig, positions: usize) -> Vec<f32> {
	let frequencies = config.inverse_frequencies();
	let angle = |position: usize, frequency: &f32| f64::from(position as f32 * frequency);
	(0..positions)
		.flat_map(|position| {
			let cos = frequencies
				.iter()
				.map(move |f| angle(position, f).cos() as f32);
			let sin = frequencies
				.iter()
				.map(move |f| angle(position, f).sin() as f32);
			cos.chain(sin)
		})
		.collect()
}

impl DeviceModel {
	/// Takes memory for weights and buffers, and writes the weights.
	pub fn new(
		device: &Arc<dyn Device>,
		config: &ModelConfig,
		source: &Source<'_>,
		sizes: Sizes,
		bump: &mut Bump,
	) -> Result<Self, EngineError> {
		let Sizes {
			formats,
			layout,
			max_context,
			most,
		} = sizes;
		let before = bump.at;
		let (hidden, ff) = (config.hidden_size, config.intermediate_size);
		let (q, kv) = (config.q_width(), config.kv_width());
		let mut up = Uploader {
			device: &**device,
			source,
			formats,
			bump,
			random: None,
		};
		let of = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
		let embedding = up.matrix(
			&of(&["model.embed_tokens.weight"]),
			config.vocab_size,
			hidden,
		)?;
		let head = match config.tied_embeddings {
			true => embedding,
			false => up.matrix(&of(&["lm_head.weight"]), config.vocab_size, hidden)?,
		};
		let norm = up.vector(&of(&["model.norm.weight"]), hidden, 1.0)?;
		let mut layers = Vec::with_capacity(config.layers);
		for layer in 0..config.layers {
			let of = |names: &[&str]| -> Vec<String> {
				names
					.iter()
					.map(|n| format!("model.layers.{layer}.{n}"))
					.collect()
			};
			let [q_name, k_name, v_name] = ["q", "k", "v"].map(|m| format!("self_attn.{m}_proj"));
			let with = |end: &str| [&q_name, &k_name, &v_name].map(|n| format!("{n}.{end}"));
			let (weights, biases) = (with("weight"), with("bias"));
			let names = |list: &[String; 3]| of(&[&list[0], &list[1], &list[2]]);
			let bias = match config.qkv_bias {
				true => Some(up.vector(&names(&biases), q + 2 * kv, 0.0)?),
				false => None,
			};
			let head_norms = match config.qk_norm {
				true => Some(HeadNorms {
					q: up.vector(&of(&["self_attn.q_norm.weight"]), config.head_dim, 1.0)?,
					k: up.vector(&of(&["self_attn.k_norm.weight"]), config.head_dim, 1.0)?,
					eps: config.rms_eps,
				}),
				false => None,
			};
			layers.push(Layer {
				input_norm: up.vector(&of(&["input_layernorm.weight"]), hidden, 1.0)?,
				qkv: up.matrix(&names(&weights), q + 2 * kv, hidden)?,
				bias,
				head_norms,
				output: up.matrix(&of(&["self_attn.o_proj.weight"]), hidden, q)?,
				post_norm: up.vector(&of(&["post_attention_layernorm.weight"]), hidden, 1.0)?,
				gate_up: up.matrix(
					&of(&["mlp.gate_proj.weight", "mlp.up_proj.weight"]),
					2 * ff,
					hidden,
				)?,
				down: up.matrix(&of(&["mlp.down_proj.weight"]), hidden, ff)?,
			});
		}
		let weight_bytes = bump.at - before;
		let rope = bump.take(max_context * config.head_dim * 4)?;
		device.write(rope, &little_f32(&rotations(config, max_context)))?;
		let plan_shape = plan_shape(config, &layout);
		let size = formats.element.bytes();
		let (rows, items) = (most.rows, most.items);
		let partial = Attention::partial_bytes(most.partials, config.heads, config.head_dim);
		let inner = rows * MAX_RANKS;
		let buffers = Buffers {
			tables: bump.take(Layout::new(plan_shape, most).bytes())?,
			x: bump.take(rows * hidden * 4)?,
			normed: bump.take(rows * hidden * size)?,
			qkv: bump.take(rows * (q + 2 * kv) * size)?,
			attended: bump.take(rows * q * size)?,
			projected: bump.take(rows * hidden * size)?,
			gate_up: bump.take(rows * 2 * ff * size)?,
			activated: bump.take(rows * ff * size)?,
			wanted: bump.take(items * hidden * size)?,
			logits: bump.take(items * config.vocab_size * 4)?,
			partial: bump.take(partial)?,
			inner: bump.take(inner * size)?,
			embeds: bump.take(rows * hidden * size)?,
			draws: bump.take(items * SampleRow::BYTES)?,
			drawn: bump.take(items * 4)?,
		};
		device.synchronize(super::COMPUTE)?;
		let model = Self {
			config: config.clone(),
			formats,
			layout,
			max_context,
			embedding,
			head,
			norm,
			layers,
			rope,
			buffers,
			most,
			weight_bytes,
		};
		// Refused now rather than at the first request.
		let base = Kind {
			capacity: Capacity {
				depth: 0,
				ranks: 0,
				..most
			},
			head: false,
			embeds: false,
		};
		for op in model.ops(&base) {
			op.check(device.arena()).map_err(|error| {
				ModelError::Unsupported(format!("this model on a device ({error})"))
			})?;
		}
		Ok(model)
	}

	/// Bytes of weights.
	pub fn weight_bytes(&self) -> usize {
		self.weight_bytes
	}

	/// The most a step can have.
	pub fn most(&self) -> &Capacity {
		&self.most
	}

	/// Where the logits of a step are: f32 `[items, vocabulary]`.
	pub fn logits(&self) -> Ptr {
		self.buffers.logits
	}

	/// Where the last hidden states of a step are, after the final norm: `[rows, hidden]`.
	pub fn states(&self) -> Ptr {
		self.buffers.normed
	}

	/// Where the updates of the embedding go: `[rows, hidden]`.
	pub fn embeds(&self) -> Ptr {
		self.buffers.embeds
	}

	/// Where it is written how tokens are drawn ([`SampleRow`]s), and where those drawn are.
	pub fn drawn(&self) -> (Ptr, Ptr) {
		(self.buffers.draws, self.buffers.drawn)
	}

	/// Draws a token for each row whose logits a step has computed.
	pub fn draw(&self, kind: &Kind) -> Op {
		let tables = self.plan(kind).tables(self.buffers.tables);
		Sample {
			logits: self.buffers.logits,
			vocabulary: self.config.vocab_size,
			rows: tables.wanted_count,
			how: self.buffers.draws,
			tokens: self.buffers.drawn,
		}
		.into()
	}

	/// Where the tables go.
	pub fn tables(&self) -> Ptr {
		self.buffers.tables
	}

	/// How the tables of a kind of step are laid out.
	pub fn plan(&self, kind: &Kind) -> Layout {
		Layout::new(plan_shape(&self.config, &self.layout), kind.capacity)
	}

	/// Why adapters cannot change a site, if they cannot.
	pub fn refuses(&self, device: &dyn Device, site: Site) -> Option<DeviceError> {
		let kind = Kind {
			capacity: Capacity {
				depth: 1,
				ranks: MAX_RANKS,
				..self.most
			},
			head: true,
			embeds: false,
		};
		let tables = self.plan(&kind).tables(self.buffers.tables);
		let mut ops = Vec::new();
		self.update(&mut ops, &kind, &tables, 0, site);
		ops.iter().find_map(|op| op.check(device.arena()).err())
	}

	/// Adds the updates of a site to what the base made of it.
	fn update(&self, ops: &mut Vec<Op>, kind: &Kind, tables: &Tables, layer: usize, site: Site) {
		let (c, b) = (&self.config, &self.buffers);
		let (q, kv, ff) = (c.q_width(), c.kv_width(), c.intermediate_size);
		let element = self.formats.element;
		let (x, k, y, widths): (_, _, _, &[usize]) = match site {
			Site::Qkv => (b.normed, c.hidden_size, b.qkv, &[q, kv, kv]),
			Site::Output => (b.attended, q, b.projected, &[c.hidden_size]),
			Site::GateUp => (b.normed, c.hidden_size, b.gate_up, &[ff, ff]),
			Site::Down => (b.activated, ff, b.projected, &[c.hidden_size]),
			Site::Head => (b.wanted, c.hidden_size, b.logits, &[c.vocab_size]),
		};
		let mut slices = [LoraColumns::default(); MAX_SLICES];
		let mut column = 0;
		for (slice, width) in slices.iter_mut().zip(widths) {
			*slice = LoraColumns {
				column,
				width: *width,
			};
			column += width;
		}
		let head = site == Site::Head;
		for chunk in &tables.chunks {
			ops.push(
				Lora {
					element,
					chunks: if head { chunk.heads } else { chunk.rows },
					count: if head {
						chunk.head_count
					} else {
						chunk.row_count
					},
					entry: image::row(c.layers, layer, site),
					x,
					k,
					out: if head { Element::F32 } else { element },
					y,
					n: column,
					rows: if head {
						kind.capacity.items
					} else {
						kind.capacity.rows
					},
					slices,
					slice_count: widths.len(),
					inner: b.inner,
					inner_len: tables.inner_len,
					ranks: kind.capacity.ranks,
				}
				.into(),
			);
		}
	}

	/// The launches of a step.
	pub fn ops(&self, kind: &Kind) -> Vec<Op> {
		let (c, b) = (&self.config, &self.buffers);
		let tables = self.plan(kind).tables(b.tables);
		let element = self.formats.element;
		let mut ops: Vec<Op> = Vec::with_capacity(self.layers.len() * 13 + 8);
		let norm = |add: Option<Ptr>, weight: Ptr| RmsNorm {
			element,
			x: b.x,
			add,
			weight,
			eps: c.rms_eps,
			width: c.hidden_size,
			gather: None,
			rows: tables.rows,
			out: b.normed,
		};
		let product = |x: Ptr, weights: Weights, y: Ptr| Gemm {
			element,
			x,
			weights,
			out: element,
			y,
			rows: tables.rows,
			library: self.formats.library,
		};
		ops.push(
			Embed {
				table: self.embedding,
				tokens: tables.tokens,
				rows: tables.rows,
				out: b.x,
			}
			.into(),
		);
		let mut add = kind.embeds.then_some(b.embeds);
		for (index, layer) in self.layers.iter().enumerate() {
			ops.push(norm(add, layer.input_norm).into());
			ops.push(product(b.normed, layer.qkv, b.qkv).into());
			self.update(&mut ops, kind, &tables, index, Site::Qkv);
			ops.push(
				Rope {
					element,
					qkv: b.qkv,
					rows: tables.rows,
					heads: c.heads,
					kv_heads: c.kv_heads,
					head_dim: c.head_dim,
					bias: layer.bias,
					norms: layer.head_norms,
					table: c.rotates(index).then_some(self.rope),
					table_len: self.max_context,
					positions: tables.positions,
					append: Append {
						pages: tables.row_pages,
						layout: self.layout,
						layer: index,
					},
				}
				.into(),
			);
			ops.push(
				Attention {
					element,
					qkv: b.qkv,
					out: b.attended,
					rows: kind.capacity.rows,
					heads: c.heads,
					layout: self.layout,
					layer: index,
					work: tables.work,
					works: tables.works,
					merge: tables.merge,
					merges: tables.merges,
					tile: tables.tile,
					tiles: tables.tiles,
					positions: self.max_context,
					partial: b.partial,
					partials: kind.capacity.partials,
				}
				.into(),
			);
			ops.push(product(b.attended, layer.output, b.projected).into());
			self.update(&mut ops, kind, &tables, index, Site::Output);
			ops.push(norm(Some(b.projected), layer.post_norm).into());
			ops.push(product(b.normed, layer.gate_up, b.gate_up).into());
			self.update(&mut ops, kind, &tables, index, Site::GateUp);
			ops.push(
				SiluMul {
					element,
					gate_up: b.gate_up,
					rows: tables.rows,
					width: c.intermediate_size,
					out: b.activated,
				}
				.into(),
			);
			ops.push(product(b.activated, layer.down, b.projected).into());
			self.update(&mut ops, kind, &tables, index, Site::Down);
			add = Some(b.projected);
		}
		// All rows: what came last is added to the stream, and embeddings want every state.
		ops.push(norm(add, self.norm).into());
		ops.push(
			RmsNorm {
				gather: Some(tables.wanted),
				rows: tables.wanted_count,
				out: b.wanted,
				..norm(None, self.norm)
			}
			.into(),
		);
		ops.push(
			Gemm {
				out: Element::F32,
				rows: tables.wanted_count,
				..product(b.wanted, self.head, b.logits)
			}
			.into(),
		);
		if kind.head {
			self.update(&mut ops, kind, &tables, 0, Site::Head);
		}
		ops
	}
}

/// What plans have to know about a model.
pub(crate) fn plan_shape(config: &ModelConfig, layout: &KvLayout) -> plan::Shape {
	plan::Shape {
		heads: config.heads,
		kv_heads: config.kv_heads,
		page_tokens: layout.page_tokens,
	}
}
