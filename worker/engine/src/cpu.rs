//! The processor's backend: base weights stay as stored and are streamed once per step for the whole batch.
//!
//! A step allocates nothing once its buffers have grown. Its floor is [`CpuBackend::weight_bytes`] over the speed of
//! memory; what one row costs beside that is attention, and some 150 hand-overs between threads.

use std::{collections::HashMap, str::FromStr, sync::Arc};

use openledger_kernels::{
	attention, gemm, rms_norm, rope, silu_mul_rows, Arithmetic, AttentionRow, Inputs, KvLayout,
	KvPage, Level, Matrix, Pool, RopeTable, Values,
};

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

/// How exactly the base model is computed. By name: `exact`, `rounded`, `int8`.
///
/// Adapters, attention and everything between the matrix products are f32 in all of them.
///
/// What they cost, on the demo model over 114 positions of four texts, against f32 (mean divergence in nats; share of
/// positions with the same first choice), as `cargo test -p openledger-engine --test precision -- --nocapture` prints:
///
/// | weights | precision | divergence | same first choice |
/// |---|---|---|---|
/// | Q4_1 as shipped | exact | 2e-11 | 100 % |
/// | Q4_1 as shipped | rounded | 3.9e-3 | 96.5 % |
/// | bf16 | exact | 7.6e-5 | 100 % |
/// | bf16 | rounded | 2.1e-4 | 99.1 % |
/// | bf16 | int8 | 6.3e-3 | 96.5 % |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
	/// Weights as stored and their exact values, inputs in f32: logits within 1e-4 of an f32 reference.
	#[default]
	Exact,
	/// Weights as stored; inputs rounded to int8 in blocks of 32 for weights in blocks, to bf16 for bf16 weights.
	/// What llama.cpp does. Faster for several rows and for prompts.
	Rounded,
	/// f32, f16 and bf16 weights rounded to int8 in blocks of 32 when they are loaded, and inputs as in
	/// [`Precision::Rounded`]: half the memory and traffic of bf16. Weights in blocks stay as they are.
	Int8,
}

impl Precision {
	/// All of them.
	pub const ALL: [Precision; 3] = [Self::Exact, Self::Rounded, Self::Int8];

	/// The name.
	pub fn name(self) -> &'static str {
		match self {
			Self::Exact => "exact",
			Self::Rounded => "rounded",
			Self::Int8 => "int8",
		}
	}

	fn arithmetic(self) -> Arithmetic {
		match self {
			Self::Exact => Arithmetic::Exact,
			Self::Rounded | Self::Int8 => Arithmetic::Rounded,
		}
	}
}

impl FromStr for Precision {
	type Err = String;

	fn from_str(name: &str) -> Result<Self, Self::Err> {
		let found = Self::ALL.into_iter().find(|p| p.name() == name);
		found.ok_or_else(|| format!("{name} is no precision: use exact, rounded or int8"))
	}
}

/// Settings of a [`CpuBackend`].
#[derive(Clone, Copy, Debug)]
pub struct CpuSettings {
	/// Positions beyond this cannot be computed.
	pub max_context: usize,
	/// Threads that compute.
	pub threads: usize,
	/// How exactly.
	pub precision: Precision,
}

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
	/// Rows whose logits are wanted.
	wanted: Vec<f32>,
	heads: Vec<f32>,
	inputs: Inputs,
	updates: UpdateBuffers,
	sees: Vec<AttentionRow<'static>>,
}

/// [`Backend`] on this machine's processor.
pub struct CpuBackend {
	config: ModelConfig,
	level: Level,
	precision: Precision,
	pool: Pool,
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

/// The memory of a vector, for elements that borrow something else.
pub(crate) fn reused<A, B>(mut vector: Vec<A>) -> Vec<B> {
	vector.clear();
	// Collecting in place keeps the allocation, because both elements have one layout.
	vector.into_iter().filter_map(|_| None).collect()
}

fn cleared(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
	buffer.clear();
	buffer.resize(len, 0.0);
	buffer
}

impl CpuBackend {
	/// [`Self::with`] for [`Precision::Exact`].
	///
	/// # Errors
	/// As for [`Self::with`].
	pub fn new(
		config: &ModelConfig,
		weights: ModelWeights,
		max_context: usize,
		threads: usize,
	) -> Result<Self, EngineError> {
		let settings = CpuSettings {
			max_context,
			threads,
			precision: Precision::Exact,
		};
		Self::with(config, weights, settings)
	}

	/// Takes the weights over and lays them out for the kernels.
	///
	/// # Errors
	/// [`EngineError::Model`] when a weight is missing, [`EngineError::BadSetting`] when the threads cannot be made.
	pub fn with(
		config: &ModelConfig,
		weights: ModelWeights,
		settings: CpuSettings,
	) -> Result<Self, EngineError> {
		let mut weights = weights.checked(config)?;
		let precision = settings.precision;
		let pool = Pool::new(settings.threads).map_err(|e| EngineError::BadSetting {
			name: "threads",
			reason: e.to_string(),
		})?;
		let pack = |parts: Vec<Values>, k: usize| {
			let parts: Vec<Values> = match precision {
				Precision::Int8 => parts.into_iter().map(|p| p.to_int8(k)).collect(),
				_ => parts,
			};
			Matrix::new(&pool, &parts.iter().collect::<Vec<_>>(), k)
		};
		let mut layers = Vec::with_capacity(config.layers);
		for layer in 0..config.layers {
			let prefix = format!("model.layers.{layer}");
			let mut matrix = |names: &[&str]| -> Result<Matrix, EngineError> {
				let mut parts = Vec::with_capacity(names.len());
				let mut k = 0;
				for name in names {
					let tensor = weights.take(&format!("{prefix}.{name}.weight"))?;
					k = tensor.shape[1];
					parts.push(tensor.data);
				}
				Ok(pack(parts, k))
			};
			let qkv = matrix(&["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"])?;
			let output = matrix(&["self_attn.o_proj"])?;
			let gate_up = matrix(&["mlp.gate_proj", "mlp.up_proj"])?;
			let down = matrix(&["mlp.down_proj"])?;
			let mut vector = |name: &str| {
				weights
					.take(&format!("{prefix}.{name}"))
					.map(|t| t.to_f32())
			};
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
		let vocabulary = |data: Values| pack(vec![data], config.hidden_size);
		let lm_head = match config.tied_embeddings {
			true => None,
			false => Some(Arc::new(vocabulary(weights.take("lm_head.weight")?.data))),
		};
		let embedding = Arc::new(vocabulary(weights.take("model.embed_tokens.weight")?.data));
		let level = Level::best();
		tracing::info!(
			level = level.name(),
			threads = pool.threads(),
			precision = precision.name(),
			"CPU backend ready"
		);
		Ok(Self {
			level,
			precision,
			embedding,
			lm_head,
			norm: weights.take("model.norm.weight")?.to_f32(),
			layers: Arc::new(layers),
			rope: RopeTable::new(&config.inverse_frequencies(), settings.max_context),
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
			pool,
		})
	}

	/// Formats of the base weights, each once.
	pub fn formats(&self) -> Vec<&'static str> {
		let mut names: Vec<_> = self
			.layers
			.iter()
			.flat_map(|l| [&l.qkv, &l.output, &l.gate_up, &l.down])
			.chain([&*self.embedding])
			.chain(self.lm_head.as_deref())
			.flat_map(Matrix::formats)
			.collect();
		names.sort_unstable();
		names.dedup();
		names
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
		for item in batch {
			let end = item.position + item.tokens.len();
			if end > self.rope.positions() || item.tokens.is_empty() {
				return Err(EngineError::Backend(
					"an item is empty or beyond the context".into(),
				));
			}
			self.grow(item.sequence, item.position, end)?;
		}
		let (config, level, pool) = (&self.config, self.level, &self.pool);
		let arithmetic = self.precision.arithmetic();
		let m: usize = batch.iter().map(|item| item.tokens.len()).sum();
		let (hidden, ff) = (config.hidden_size, config.intermediate_size);
		let (q_width, kv_width) = (config.q_width(), config.kv_width());
		let qkv_width = q_width + 2 * kv_width;
		let Buffers {
			x,
			normed,
			qkv,
			attended,
			gate_up,
			activated,
			wanted,
			heads,
			inputs,
			updates: kept,
			sees: kept_sees,
		} = &mut self.buffers;

		let updates = Updates::new(pool, level, batch, kept);
		let at = |layer, site, n, k| At { layer, site, n, k };
		let mut product = |y: &mut [f32], x: &[f32], w: &Matrix, m: usize| {
			gemm(pool, level, arithmetic, y, x, w, m, inputs);
		};

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
			product(qkv, normed, &layer.qkv, m);
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
			let mut sees: Vec<AttentionRow> = reused(std::mem::take(kept_sees));
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
				pool,
				level,
				attended,
				qkv,
				qkv_width,
				config.heads,
				&sees,
				&self.layout,
				index,
			);
			*kept_sees = reused(sees);

			let here = at(index, Site::Output, hidden, q_width);
			updates.before(kept, x, here);
			product(x, attended, &layer.output, m);
			updates.after(kept, x, attended, here);

			rms_norm(level, normed, x, &layer.post_norm, config.rms_eps);
			let gate_up = cleared(gate_up, m * 2 * ff);
			let here = at(index, Site::GateUp, 2 * ff, hidden);
			updates.before(kept, gate_up, here);
			product(gate_up, normed, &layer.gate_up, m);
			updates.after(kept, gate_up, normed, here);
			let activated = cleared(activated, m * ff);
			silu_mul_rows(pool, level, activated, gate_up, ff);
			let here = at(index, Site::Down, hidden, ff);
			updates.before(kept, x, here);
			product(x, activated, &layer.down, m);
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
		wanted.clear();
		let mut row = 0;
		for item in batch {
			row += item.tokens.len();
			if item.logits {
				wanted.extend_from_slice(&x[(row - 1) * hidden..row * hidden]);
			}
		}
		let count = wanted.len() / hidden;
		let normed = &mut normed[..count * hidden];
		rms_norm(level, normed, wanted, &self.norm, config.rms_eps);
		let logits = cleared(logits, count * config.vocab_size);
		let here = at(0, Site::Head, config.vocab_size, hidden);
		updates.before(kept, logits, here);
		let head = self.lm_head.as_ref().unwrap_or(&self.embedding);
		product(logits, normed, head, count);
		updates.after(kept, logits, normed, here);
		updates.give_back(kept);
		Ok(())
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

	fn base_rows(&self) -> Option<Arc<dyn BaseRows>> {
		Some(Arc::new(Rows {
			q_width: self.config.q_width(),
			kv_width: self.config.kv_width(),
			up: self.config.intermediate_size,
			layers: Arc::clone(&self.layers),
			embedding: Arc::clone(&self.embedding),
			lm_head: self.lm_head.clone(),
		}))
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
		self.forward(batch, logits)
	}
}
