//! The processor's backend: f32, base weights streamed once per step for the whole batch.

use std::{collections::HashMap, sync::Arc};

use openledger_kernels::{
	attention, gemm, lora, rms_norm, rope, silu_mul, AttentionRow, KvLayout, Level, LoraSegment,
	LoraSlice, Matrix, RopeTable,
};
use rayon::{prelude::*, ThreadPool, ThreadPoolBuilder};

use crate::{
	adapter::{LoraWeights, Site},
	backend::{Backend, BatchItem, SequenceId},
	config::ModelConfig,
	error::EngineError,
	weights::ModelWeights,
};

/// Positions in a KV page: small enough to waste little, large enough for long contiguous reads.
const PAGE_TOKENS: usize = 32;

/// Freed pages kept for the next sequence.
const SPARE_PAGES: usize = 64;

struct Layer {
	input_norm: Vec<f32>,
	/// q, k and v one below the other.
	qkv: Matrix,
	qkv_bias: Option<Vec<f32>>,
	output: Matrix,
	post_norm: Vec<f32>,
	/// Gate and up one below the other.
	gate_up: Matrix,
	down: Matrix,
}

/// The buffers of a step, kept between steps.
#[derive(Default)]
struct Buffers {
	x: Vec<f32>,
	normed: Vec<f32>,
	qkv: Vec<f32>,
	attended: Vec<f32>,
	gate_up: Vec<f32>,
	activated: Vec<f32>,
}

/// [`Backend`] on this machine's processor.
pub struct CpuBackend {
	config: ModelConfig,
	level: Level,
	pool: Arc<ThreadPool>,
	embedding: Matrix,
	lm_head: Option<Matrix>,
	norm: Vec<f32>,
	layers: Vec<Layer>,
	rope: RopeTable,
	layout: KvLayout,
	sequences: HashMap<SequenceId, Vec<Box<[f32]>>>,
	spare: Vec<Box<[f32]>>,
	/// Sums of last hidden states and how many of them, for sequences that want them.
	pooled: HashMap<SequenceId, (Vec<f32>, usize)>,
	next: u64,
	buffers: Buffers,
}

/// Rows of the batch that share an adapter.
struct Span<'a> {
	rows: std::ops::Range<usize>,
	adapter: &'a LoraWeights,
}

fn cleared(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
	buffer.clear();
	buffer.resize(len, 0.0);
	buffer
}

impl CpuBackend {
	/// Takes the weights over; positions beyond `max_context` cannot be computed.
	///
	/// # Errors
	/// [`EngineError::Model`] when a weight is missing, [`EngineError::BadSetting`] when the threads cannot be made.
	pub fn new(
		config: &ModelConfig,
		weights: ModelWeights,
		max_context: usize,
		threads: usize,
	) -> Result<Self, EngineError> {
		let mut weights = weights.checked(config)?;
		let pool = ThreadPoolBuilder::new()
			.num_threads(threads)
			.thread_name(|i| format!("engine-{i}"))
			.build()
			.map_err(|e| EngineError::BadSetting {
				name: "threads",
				reason: e.to_string(),
			})?;
		let mut layers = Vec::with_capacity(config.layers);
		for layer in 0..config.layers {
			let prefix = format!("model.layers.{layer}");
			let mut matrix = |names: &[&str]| -> Result<Matrix, EngineError> {
				let mut data = Vec::new();
				let (mut n, mut k) = (0, 0);
				for name in names {
					let tensor = weights.take(&format!("{prefix}.{name}.weight"))?;
					n += tensor.shape[0];
					k = tensor.shape[1];
					if data.is_empty() {
						data = tensor.data;
					} else {
						data.extend_from_slice(&tensor.data);
					}
				}
				data.shrink_to_fit();
				Ok(Matrix::f32(data, n, k))
			};
			let qkv = matrix(&["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"])?;
			let output = matrix(&["self_attn.o_proj"])?;
			let gate_up = matrix(&["mlp.gate_proj", "mlp.up_proj"])?;
			let down = matrix(&["mlp.down_proj"])?;
			let mut vector = |name: &str| weights.take(&format!("{prefix}.{name}")).map(|t| t.data);
			let qkv_bias = if config.qkv_bias {
				let mut bias = vector("self_attn.q_proj.bias")?;
				bias.extend(vector("self_attn.k_proj.bias")?);
				bias.extend(vector("self_attn.v_proj.bias")?);
				Some(bias)
			} else {
				None
			};
			layers.push(Layer {
				input_norm: vector("input_layernorm.weight")?,
				qkv,
				qkv_bias,
				output,
				post_norm: vector("post_attention_layernorm.weight")?,
				gate_up,
				down,
			});
		}
		let vocabulary = |data| Matrix::f32(data, config.vocab_size, config.hidden_size);
		let lm_head = match config.tied_embeddings {
			true => None,
			false => Some(vocabulary(weights.take("lm_head.weight")?.data)),
		};
		let level = Level::best();
		tracing::info!(level = level.name(), threads, "CPU backend ready");
		Ok(Self {
			level,
			pool: Arc::new(pool),
			embedding: vocabulary(weights.take("model.embed_tokens.weight")?.data),
			lm_head,
			norm: weights.take("model.norm.weight")?.data,
			layers,
			rope: RopeTable::new(&config.inverse_frequencies(), max_context),
			layout: KvLayout {
				layers: config.layers,
				kv_heads: config.kv_heads,
				head_dim: config.head_dim,
				page_tokens: PAGE_TOKENS,
			},
			config: config.clone(),
			sequences: HashMap::new(),
			spare: Vec::new(),
			pooled: HashMap::new(),
			next: 0,
			buffers: Buffers::default(),
		})
	}

	/// Bytes of base weights that a step streams when every row wants logits: its memory floor without KV and
	/// adapters.
	pub fn weight_bytes(&self) -> usize {
		let layers: usize = self
			.layers
			.iter()
			.map(|l| l.qkv.bytes() + l.output.bytes() + l.gate_up.bytes() + l.down.bytes())
			.sum();
		layers + self.lm_head.as_ref().unwrap_or(&self.embedding).bytes()
	}

	fn grow(&mut self, sequence: SequenceId, tokens: usize) -> Result<(), EngineError> {
		let pages = self
			.sequences
			.get_mut(&sequence)
			.ok_or_else(|| EngineError::Backend("a sequence of the batch is not open".into()))?;
		while pages.len() * PAGE_TOKENS < tokens {
			let page = self.spare.pop();
			pages.push(page.unwrap_or_else(|| vec![0.0; self.layout.page_len()].into()));
		}
		Ok(())
	}

	fn forward(&mut self, batch: &[BatchItem], logits: &mut Vec<f32>) -> Result<(), EngineError> {
		let (config, level) = (self.config.clone(), self.level);
		for item in batch {
			let end = item.position + item.tokens.len();
			if end > self.rope.positions() || item.tokens.is_empty() {
				return Err(EngineError::Backend(
					"an item is empty or beyond the context".into(),
				));
			}
			self.grow(item.sequence, end)?;
		}
		let m: usize = batch.iter().map(|item| item.tokens.len()).sum();
		let (hidden, ff) = (config.hidden_size, config.intermediate_size);
		let (q_width, kv_width) = (config.q_width(), config.kv_width());
		let qkv_width = q_width + 2 * kv_width;

		// Which rows use which adapter, once for all sites of the step.
		let mut spans: Vec<Span> = Vec::new();
		let mut row = 0;
		for item in batch {
			let rows = row..row + item.tokens.len();
			row = rows.end;
			let Some(adapter) = &item.adapter else {
				continue;
			};
			match spans.last_mut() {
				Some(span)
					if std::ptr::eq(span.adapter, &**adapter) && span.rows.end == rows.start =>
				{
					span.rows.end = rows.end
				}
				_ => spans.push(Span { rows, adapter }),
			}
		}
		let update = |y: &mut [f32], n: usize, x: &[f32], k: usize, layer: usize, site: Site| {
			if spans.is_empty() {
				return;
			}
			let slices: Vec<Vec<LoraSlice>> = spans
				.iter()
				.map(|span| {
					let site = span.adapter.site(layer, site);
					site.slices
						.iter()
						.map(|s| LoraSlice {
							first: s.first,
							rank: s.rank,
							column: s.column,
							width: s.width,
							b: &s.b,
						})
						.collect()
				})
				.collect();
			let segments: Vec<LoraSegment> = spans
				.iter()
				.zip(&slices)
				.map(|(span, slices)| LoraSegment {
					rows: span.rows.clone(),
					a: &span.adapter.site(layer, site).a,
					slices,
				})
				.collect();
			lora(level, y, n, x, k, &segments);
		};

		let Buffers {
			x,
			normed,
			qkv,
			attended,
			gate_up,
			activated,
		} = &mut self.buffers;
		let x = cleared(x, m * hidden);
		let tokens = batch.iter().flat_map(|item| &item.tokens);
		for (token, row) in tokens.zip(x.chunks_exact_mut(hidden)) {
			if *token as usize >= config.vocab_size {
				return Err(EngineError::UnknownToken(*token));
			}
			self.embedding.copy_row(*token as usize, row);
		}
		let normed = cleared(normed, m * hidden);
		for (index, layer) in self.layers.iter().enumerate() {
			rms_norm(level, normed, x, &layer.input_norm, config.rms_eps);
			let qkv = cleared(qkv, m * qkv_width);
			if let Some(bias) = &layer.qkv_bias {
				qkv.chunks_exact_mut(qkv_width)
					.for_each(|row| row.copy_from_slice(bias));
			}
			gemm(level, qkv, normed, &layer.qkv, m);
			update(qkv, qkv_width, normed, hidden, index, Site::Qkv);

			let mut rows = qkv.chunks_exact_mut(qkv_width);
			for item in batch {
				let pages = self.sequences.get_mut(&item.sequence).ok_or_else(|| {
					EngineError::Backend("a sequence of the batch is not open".into())
				})?;
				for (position, row) in (item.position..).zip(rows.by_ref().take(item.tokens.len()))
				{
					rope(level, &mut row[..q_width + kv_width], &self.rope, position);
					let (keys, values) = row[q_width..].split_at(kv_width);
					self.layout.write(pages, index, position, keys, values);
				}
			}
			let mut sees = Vec::with_capacity(m);
			for item in batch {
				let pages = self
					.sequences
					.get(&item.sequence)
					.map(Vec::as_slice)
					.unwrap_or_default();
				let first = item.position + 1;
				sees.extend(
					(first..first + item.tokens.len()).map(|len| AttentionRow { pages, len }),
				);
			}
			let attended = cleared(attended, m * q_width);
			attention(
				level,
				attended,
				qkv,
				qkv_width,
				config.heads,
				&sees,
				&self.layout,
				index,
			);

			gemm(level, x, attended, &layer.output, m);
			update(x, hidden, attended, q_width, index, Site::Output);

			rms_norm(level, normed, x, &layer.post_norm, config.rms_eps);
			let gate_up = cleared(gate_up, m * 2 * ff);
			gemm(level, gate_up, normed, &layer.gate_up, m);
			update(gate_up, 2 * ff, normed, hidden, index, Site::GateUp);
			let activated = cleared(activated, m * ff);
			if m < 16 {
				silu_mul(level, activated, gate_up, ff);
			} else {
				activated
					.par_chunks_mut(8 * ff)
					.zip(gate_up.par_chunks(16 * ff))
					.for_each(|(out, rows)| silu_mul(level, out, rows, ff));
			}
			gemm(level, x, activated, &layer.down, m);
			update(x, hidden, activated, ff, index, Site::Down);
		}

		let mut rows = x.chunks_exact(hidden);
		for item in batch {
			let rows = rows.by_ref().take(item.tokens.len());
			if let Some((sum, count)) = self.pooled.get_mut(&item.sequence) {
				let mut last = vec![0.0; hidden];
				for row in rows {
					rms_norm(level, &mut last, row, &self.norm, config.rms_eps);
					sum.iter_mut()
						.zip(&last)
						.for_each(|(sum, value)| *sum += value);
					*count += 1;
				}
			} else {
				rows.for_each(drop);
			}
		}

		// Only the rows whose logits are wanted meet the output matrix.
		let mut wanted = Vec::new();
		let mut row = 0;
		for item in batch {
			row += item.tokens.len();
			if item.logits {
				wanted.extend_from_slice(&x[(row - 1) * hidden..row * hidden]);
			}
		}
		let count = wanted.len() / hidden;
		let normed = &mut normed[..count * hidden];
		rms_norm(level, normed, &wanted, &self.norm, config.rms_eps);
		let logits = cleared(logits, count * config.vocab_size);
		gemm(
			level,
			logits,
			normed,
			self.lm_head.as_ref().unwrap_or(&self.embedding),
			count,
		);
		Ok(())
	}
}

impl Backend for CpuBackend {
	fn page_tokens(&self) -> usize {
		PAGE_TOKENS
	}

	fn page_bytes(&self) -> usize {
		self.layout.page_len() * 4
	}

	fn open(&mut self) -> SequenceId {
		let id = SequenceId(self.next);
		self.next += 1;
		self.sequences.insert(id, Vec::new());
		id
	}

	fn close(&mut self, sequence: SequenceId) {
		self.pooled.remove(&sequence);
		for page in self.sequences.remove(&sequence).unwrap_or_default() {
			if self.spare.len() < SPARE_PAGES {
				self.spare.push(page);
			}
		}
	}

	fn pool(&mut self, sequence: SequenceId) {
		if self.sequences.contains_key(&sequence) {
			let sum = vec![0.0; self.config.hidden_size];
			self.pooled.insert(sequence, (sum, 0));
		}
	}

	fn pooled(&mut self, sequence: SequenceId) -> Option<(Vec<f32>, usize)> {
		self.pooled.remove(&sequence)
	}

	fn kv_bytes(&self) -> usize {
		self.sequences.values().map(Vec::len).sum::<usize>() * self.page_bytes()
	}

	fn step(&mut self, batch: &[BatchItem], logits: &mut Vec<f32>) -> Result<(), EngineError> {
		let pool = Arc::clone(&self.pool);
		pool.install(|| self.forward(batch, logits))
	}
}
