//! The processor's backend: f32, base weights streamed once per step for the whole batch.

use std::{collections::HashMap, sync::Arc};

use openledger_kernels::{
	attention, gemm, rms_norm, rope, silu_mul, AttentionRow, KvLayout, KvPage, Level, Matrix,
	RopeTable,
};
use rayon::{prelude::*, ThreadPool, ThreadPoolBuilder};

use crate::{
	adapter::Site,
	backend::{Backend, BatchItem, PageId, SequenceId},
	config::ModelConfig,
	dora::BaseRows,
	error::EngineError,
	family::HeadNorms,
	updates::{At, UpdateBuffers, Updates},
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
	head_norms: Option<HeadNorms>,
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
	heads: Vec<f32>,
	updates: UpdateBuffers,
}

/// [`Backend`] on this machine's processor.
pub struct CpuBackend {
	config: ModelConfig,
	level: Level,
	pool: Arc<ThreadPool>,
	embedding: Arc<Matrix>,
	lm_head: Option<Arc<Matrix>>,
	norm: Vec<f32>,
	layers: Arc<Vec<Layer>>,
	rope: RopeTable,
	layout: KvLayout,
	sequences: HashMap<SequenceId, Vec<KvPage>>,
	kept: HashMap<PageId, KvPage>,
	/// Pages of sequences and kept ones, each counted once.
	live: usize,
	spare: Vec<KvPage>,
	/// Sums of last hidden states and how many of them, for sequences that want them.
	pooled: HashMap<SequenceId, (Vec<f32>, usize)>,
	next: u64,
	buffers: Buffers,
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
			let head_norms = match config.qk_norm {
				true => Some(HeadNorms {
					q: vector("self_attn.q_norm.weight")?,
					k: vector("self_attn.k_norm.weight")?,
				}),
				false => None,
			};
			layers.push(Layer {
				input_norm: vector("input_layernorm.weight")?,
				qkv,
				qkv_bias,
				head_norms,
				output,
				post_norm: vector("post_attention_layernorm.weight")?,
				gate_up,
				down,
			});
		}
		let vocabulary = |data| Matrix::f32(data, config.vocab_size, config.hidden_size);
		let lm_head = match config.tied_embeddings {
			true => None,
			false => Some(Arc::new(vocabulary(weights.take("lm_head.weight")?.data))),
		};
		let level = Level::best();
		tracing::info!(level = level.name(), threads, "CPU backend ready");
		Ok(Self {
			level,
			pool: Arc::new(pool),
			embedding: Arc::new(vocabulary(weights.take("model.embed_tokens.weight")?.data)),
			lm_head,
			norm: weights.take("model.norm.weight")?.data,
			layers: Arc::new(layers),
			rope: RopeTable::new(&config.inverse_frequencies(), max_context),
			layout: KvLayout {
				layers: config.layers,
				kv_heads: config.kv_heads,
				head_dim: config.head_dim,
				page_tokens: PAGE_TOKENS,
			},
			config: config.clone(),
			sequences: HashMap::new(),
			kept: HashMap::new(),
			live: 0,
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

	/// Makes sure that the positions `from..to` of a sequence have pages that it may write.
	fn grow(&mut self, sequence: SequenceId, from: usize, to: usize) -> Result<(), EngineError> {
		let pages = self
			.sequences
			.get_mut(&sequence)
			.ok_or_else(|| EngineError::Backend("a sequence of the batch is not open".into()))?;
		while pages.len() * PAGE_TOKENS < to {
			let page = self
				.spare
				.pop()
				.unwrap_or_else(|| std::iter::repeat_n(0.0, self.layout.page_len()).collect());
			self.live += 1;
			pages.push(page);
		}
		let mut written = pages[from / PAGE_TOKENS..to.div_ceil(PAGE_TOKENS)].iter_mut();
		if written.any(|page| Arc::get_mut(page).is_none()) {
			let error = "a page that is kept or shared would be written again";
			return Err(EngineError::Backend(error.into()));
		}
		Ok(())
	}

	/// Frees a page if nobody else has it.
	fn recycle(&mut self, mut page: KvPage) {
		if Arc::get_mut(&mut page).is_none() {
			return;
		}
		self.live -= 1;
		if self.spare.len() < SPARE_PAGES {
			self.spare.push(page);
		}
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
			self.grow(item.sequence, item.position, end)?;
		}
		let m: usize = batch.iter().map(|item| item.tokens.len()).sum();
		let (hidden, ff) = (config.hidden_size, config.intermediate_size);
		let (q_width, kv_width) = (config.q_width(), config.kv_width());
		let qkv_width = q_width + 2 * kv_width;

		let updates = Updates::new(level, batch);
		let at = |layer, site, n, k| At { layer, site, n, k };
		let Buffers {
			x,
			normed,
			qkv,
			attended,
			gate_up,
			activated,
			heads,
			updates: kept,
		} = &mut self.buffers;
		let x = cleared(x, m * hidden);
		let tokens = batch.iter().flat_map(|item| &item.tokens);
		for (token, row) in tokens.zip(x.chunks_exact_mut(hidden)) {
			if *token as usize >= config.vocab_size {
				return Err(EngineError::UnknownToken(*token));
			}
			self.embedding.copy_row(*token as usize, row);
		}
		let tokens = batch.iter().flat_map(|item| &item.tokens);
		updates.embed(x, hidden, tokens);
		let normed = cleared(normed, m * hidden);
		for (index, layer) in self.layers.iter().enumerate() {
			rms_norm(level, normed, x, &layer.input_norm, config.rms_eps);
			let qkv = cleared(qkv, m * qkv_width);
			if let Some(bias) = &layer.qkv_bias {
				qkv.chunks_exact_mut(qkv_width)
					.for_each(|row| row.copy_from_slice(bias));
			}
			let here = at(index, Site::Qkv, qkv_width, hidden);
			updates.before(kept, qkv, here);
			gemm(level, qkv, normed, &layer.qkv, m);
			updates.after(kept, qkv, normed, here);

			let mut rows = qkv.chunks_exact_mut(qkv_width);
			for item in batch {
				let pages = self.sequences.get_mut(&item.sequence).ok_or_else(|| {
					EngineError::Backend("a sequence of the batch is not open".into())
				})?;
				for (position, row) in (item.position..).zip(rows.by_ref().take(item.tokens.len()))
				{
					let turned = &mut row[..q_width + kv_width];
					if let Some(norms) = &layer.head_norms {
						norms.apply(level, turned, q_width, config.rms_eps, heads);
					}
					if config.rotates(index) {
						rope(level, turned, &self.rope, position);
					}
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

			let here = at(index, Site::Output, hidden, q_width);
			updates.before(kept, x, here);
			gemm(level, x, attended, &layer.output, m);
			updates.after(kept, x, attended, here);

			rms_norm(level, normed, x, &layer.post_norm, config.rms_eps);
			let gate_up = cleared(gate_up, m * 2 * ff);
			let here = at(index, Site::GateUp, 2 * ff, hidden);
			updates.before(kept, gate_up, here);
			gemm(level, gate_up, normed, &layer.gate_up, m);
			updates.after(kept, gate_up, normed, here);
			let activated = cleared(activated, m * ff);
			if m < 16 {
				silu_mul(level, activated, gate_up, ff);
			} else {
				activated
					.par_chunks_mut(8 * ff)
					.zip(gate_up.par_chunks(16 * ff))
					.for_each(|(out, rows)| silu_mul(level, out, rows, ff));
			}
			let here = at(index, Site::Down, hidden, ff);
			updates.before(kept, x, here);
			gemm(level, x, activated, &layer.down, m);
			updates.after(kept, x, activated, here);
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
		let here = at(0, Site::Head, config.vocab_size, hidden);
		updates.before(kept, logits, here);
		gemm(
			level,
			logits,
			normed,
			self.lm_head.as_ref().unwrap_or(&self.embedding),
			count,
		);
		updates.after(kept, logits, normed, here);
		Ok(())
	}

	/// The weights, for adapters that need them when they are loaded.
	pub fn base_rows(&self) -> Arc<dyn BaseRows> {
		Arc::new(Rows {
			q_width: self.config.q_width(),
			kv_width: self.config.kv_width(),
			up: self.config.intermediate_size,
			layers: Arc::clone(&self.layers),
			embedding: Arc::clone(&self.embedding),
			lm_head: self.lm_head.clone(),
		})
	}
}

/// The weights of a backend and where a module's rows begin in a fused matrix.
struct Rows {
	q_width: usize,
	kv_width: usize,
	up: usize,
	layers: Arc<Vec<Layer>>,
	embedding: Arc<Matrix>,
	lm_head: Option<Arc<Matrix>>,
}

impl BaseRows for Rows {
	fn row(&self, layer: usize, module: &str, row: usize, out: &mut [f32]) {
		let layer = &self.layers[layer];
		let (matrix, first) = match module {
			"q_proj" => (&layer.qkv, 0),
			"k_proj" => (&layer.qkv, self.q_width),
			"v_proj" => (&layer.qkv, self.q_width + self.kv_width),
			"o_proj" => (&layer.output, 0),
			"gate_proj" => (&layer.gate_up, 0),
			"up_proj" => (&layer.gate_up, self.up),
			"down_proj" => (&layer.down, 0),
			"lm_head" => (&**self.lm_head.as_ref().unwrap_or(&self.embedding), 0),
			_ => (&*self.embedding, 0),
		};
		matrix.copy_row(first + row, out);
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
			self.recycle(page);
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
		self.live * self.page_bytes()
	}

	fn shares_pages(&self) -> bool {
		true
	}

	fn keep(&mut self, sequence: SequenceId, index: usize) -> Result<PageId, EngineError> {
		let page = self
			.sequences
			.get(&sequence)
			.and_then(|pages| pages.get(index))
			.ok_or_else(|| EngineError::Backend("the page to be kept is not there".into()))?;
		let id = PageId(self.next);
		self.next += 1;
		self.kept.insert(id, Arc::clone(page));
		Ok(id)
	}

	fn share(
		&mut self,
		sequence: SequenceId,
		index: usize,
		page: PageId,
	) -> Result<(), EngineError> {
		let wrong = |what: &str| Err(EngineError::Backend(what.into()));
		let Some(page) = self.kept.get(&page).map(Arc::clone) else {
			return wrong("the page to be shared is not kept");
		};
		let Some(pages) = self.sequences.get_mut(&sequence) else {
			return wrong("a sequence that shall share a page is not open");
		};
		if index > pages.len() {
			return wrong("a shared page would leave a gap in its sequence");
		}
		if index == pages.len() {
			pages.push(page);
			return Ok(());
		}
		let own = std::mem::replace(&mut pages[index], page);
		self.recycle(own);
		Ok(())
	}

	fn drop_page(&mut self, page: PageId) {
		if let Some(page) = self.kept.remove(&page) {
			self.recycle(page);
		}
	}

	fn step(&mut self, batch: &[BatchItem], logits: &mut Vec<f32>) -> Result<(), EngineError> {
		let pool = Arc::clone(&self.pool);
		pool.install(|| self.forward(batch, logits))
	}
}
