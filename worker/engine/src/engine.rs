//! The handle that services hold.

use std::{
	path::PathBuf,
	sync::{
		atomic::{AtomicU64, AtomicUsize, Ordering},
		Arc, Mutex, PoisonError, Weak,
	},
	thread::JoinHandle,
	time::{Duration, Instant},
};

use futures::channel::mpsc;

use crate::{
	backend::Backend,
	cache::{Cache, CacheStats},
	config::ModelConfig,
	cpu::{CpuBackend, CpuSettings, Precision},
	device::{self, DeviceBackend, DeviceChoice, DeviceSettings},
	dora::BaseRows,
	error::{AdapterError, EngineError},
	grammar::{Constraint, Grammar, Grammars},
	machine::Processor,
	memory::Memory,
	queue::{Job, QueueBounds, Shared},
	request::{Request, TokenStream, Wake},
	scheduler::{Limits, Scheduler},
	store::{AdapterKey, AdapterStore},
	tokenizer::Tokenizer,
	usage::TenantStats,
	weights::LoadedModel,
};

/// Stop texts a request may have, and bytes each may have.
const MAX_STOPS: usize = 16;
const MAX_STOP_BYTES: usize = 1024;

/// How long pinning waits for running requests to leave room.
const PIN_WAIT: Duration = Duration::from_secs(30);

/// Settings of an engine.
#[derive(Clone, Debug)]
pub struct EngineConfig {
	/// Most sequences in one step.
	pub max_batch: usize,
	/// Most tokens of prompt and answer together; 0, or more than the model has, means the model's own context.
	pub max_context: usize,
	/// Bytes for keys and values, of running sequences and kept for later requests. With 0, [`Engine::new`] takes 2 GiB
	/// on a processor, on a device four fifths of what the weights leave.
	pub kv_budget: usize,
	/// Bytes for adapters in host memory. With 0, [`Engine::new`] takes 1 GiB on a processor, and a quarter of the host's
	/// free memory beside a device.
	pub adapter_budget: usize,
	/// Bytes for both together, of which each takes what it needs, in place of `kv_budget` and `adapter_budget`; 0 to keep
	/// those two apart. A quarter is kept for either, and for KV at least one whole context, if that is no more than
	/// half: a request may take no more of it, nor an adapter, a set or all pins of theirs.
	pub memory_budget: usize,
	/// Most requests that may wait.
	pub max_queue: usize,
	/// Most requests of one tenant that may wait; 0 for no bound but `max_queue`.
	pub max_queue_per_tenant: usize,
	/// Most bytes of distinct adapters in one step, so that steps stay short when every row has an adapter of its own:
	/// adapters beyond take turns, and one takes part however large it is. 0 for no bound.
	pub step_adapter_bytes: usize,
	/// Whether KV pages are kept for later requests that begin with the same tokens.
	pub prefix_cache: bool,
	/// Whether prompts are read before running answers go on: more tokens per second in all, and longer pauses within
	/// answers.
	pub prompts_first: bool,
	/// Threads that compute; 0 for as many as the machine has.
	pub threads: usize,
	/// How exactly the base model is computed.
	pub precision: Precision,
	/// Where it is computed.
	pub device: DeviceChoice,
	/// Folder of the adapter store.
	pub store: PathBuf,
}

/// Bytes that KV and adapters may take on a processor when nobody says.
const DEFAULT_KV_BUDGET: usize = 2 << 30;
const DEFAULT_ADAPTER_BUDGET: usize = 1 << 30;

impl EngineConfig {
	/// Defaults for a small machine: 32 sequences, 4,096 tokens of context, 2 GiB of KV, 1 GiB of adapters, 1,024
	/// waiting requests and 256 of a tenant, no bound on a step's adapters, prefixes kept, all threads of the processor.
	pub fn new(store: impl Into<PathBuf>) -> Self {
		Self {
			max_batch: 32,
			max_context: 4096,
			kv_budget: DEFAULT_KV_BUDGET,
			adapter_budget: DEFAULT_ADAPTER_BUDGET,
			memory_budget: 0,
			max_queue: 1024,
			max_queue_per_tenant: 256,
			step_adapter_bytes: 0,
			prefix_cache: true,
			prompts_first: false,
			threads: 0,
			precision: Precision::default(),
			device: DeviceChoice::Cpu,
			store: store.into(),
		}
	}
}

/// Most tokens of prompt and answer together.
fn context(config: &EngineConfig, model: &ModelConfig) -> usize {
	match config.max_context {
		0 => model.max_context,
		most => most.min(model.max_context),
	}
}

/// What the engine holds and has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineStats {
	/// Sequences that run.
	pub running: usize,
	/// Requests that wait.
	pub waiting: usize,
	/// Bytes of KV pages in use.
	pub kv_bytes: usize,
	/// Bytes of KV pages that nobody uses now and that are kept for later requests. They make room when it is needed.
	pub kv_cached: usize,
	/// Bytes of KV set aside for running sequences.
	pub kv_reserved: usize,
	/// Most bytes KV may take.
	pub kv_budget: usize,
	/// Most bytes adapters may take.
	pub adapter_budget: usize,
	/// Most bytes both may take together.
	pub memory_budget: usize,
	/// The adapter cache.
	pub adapters: CacheStats,
	/// Prompt tokens read, computed or from the prefix cache.
	pub tokens_in: u64,
	/// Those of them that came from the prefix cache.
	pub cached_tokens: u64,
	/// Tokens generated.
	pub tokens_out: u64,
	/// Steps computed.
	pub steps: u64,
	/// KV pages dropped from the prefix cache to make room.
	pub prefix_evictions: u64,
	/// Requests begun.
	pub begun: u64,
	/// Time that requests waited in total until they were begun: for money, their adapter, their turn and KV.
	pub queue_time: Duration,
	/// Requests refused because the queue was full.
	pub refused: u64,
	/// Requests whose client left.
	pub cancelled: u64,
	/// Requests ended by their deadline.
	pub deadlines: u64,
	/// Requests that failed.
	pub failed: u64,
}

/// What an engine has to know about the model that its backend computes.
#[derive(Clone, Debug)]
pub struct Base {
	/// Shape and constants.
	pub config: ModelConfig,
	/// Text ↔ tokens, and the chat template.
	pub tokenizer: Tokenizer,
	/// See [`LoadedModel::weights_hash`].
	pub weights_hash: [u8; 32],
	/// See [`LoadedModel::tokenizer_hash`].
	pub tokenizer_hash: [u8; 32],
}

struct Inner {
	shared: Arc<Shared>,
	cache: Arc<Cache>,
	rows: Option<Arc<dyn BaseRows>>,
	store: AdapterStore,
	tokenizer: Tokenizer,
	grammars: Grammars,
	model: ModelConfig,
	weights_hash: [u8; 32],
	tokenizer_hash: [u8; 32],
	config: EngineConfig,
	memory: Arc<Memory>,
	page_tokens: usize,
	page_bytes: usize,
	thread: Mutex<Option<JoinHandle<()>>>,
}

impl Inner {
	fn shutdown(&self) {
		self.shared.stop();
		let thread = self
			.thread
			.lock()
			.unwrap_or_else(PoisonError::into_inner)
			.take();
		if thread.is_some_and(|t| t.join().is_err()) {
			tracing::error!("the scheduler had panicked");
		}
	}
}

impl Drop for Inner {
	fn drop(&mut self) {
		self.shutdown();
	}
}

/// A running engine. Cloning is cheap; the last clone to go shuts it down.
#[derive(Clone)]
pub struct Engine {
	inner: Arc<Inner>,
}

impl std::fmt::Debug for Engine {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("Engine")
			.field("stats", &self.stats())
			.finish()
	}
}

impl Engine {
	/// Starts an engine where the settings say.
	///
	/// # Errors
	/// [`EngineError::BadSetting`], [`EngineError::Model`], [`EngineError::Adapter`] when the store cannot be opened,
	/// [`EngineError::Backend`] when the device that the settings name cannot be used.
	pub fn new(model: LoadedModel, mut config: EngineConfig) -> Result<Engine, EngineError> {
		let LoadedModel {
			config: shape,
			weights,
			tokenizer,
			weights_hash,
			tokenizer_hash,
		} = model;
		let max_context = context(&config, &shape);
		let backend: Box<dyn Backend> = match device::find(config.device)? {
			Some(open) => {
				if config.memory_budget > 0 {
					let reason =
						"is for a processor; on a device KV and adapters share its memory anyway";
					return Err(EngineError::BadSetting {
						name: "memory_budget",
						reason: reason.into(),
					});
				}
				let quarter = usize::try_from(Processor::of_this_machine().free_memory / 4);
				let quarter = quarter.unwrap_or(0).max(DEFAULT_ADAPTER_BUDGET);
				if config.adapter_budget == 0 {
					config.adapter_budget = quarter;
				}
				let settings = DeviceSettings {
					pinned_bytes: quarter / 2,
					max_context,
					max_rows: config.max_batch.saturating_add(crate::plan::MOST),
					max_items: config.max_batch.saturating_add(crate::plan::FEWEST),
					kv_bytes: config.kv_budget,
					int8: config.precision == Precision::Int8,
					..DeviceSettings::DEFAULT
				};
				let backend = DeviceBackend::new(&shape, weights, settings, open)?;
				config.kv_budget = backend.kv_promised();
				Box::new(backend)
			}
			None => {
				let threads = match config.threads {
					0 => std::thread::available_parallelism().map_or(1, |n| n.get()),
					threads => threads,
				};
				for (budget, default) in [
					(&mut config.kv_budget, DEFAULT_KV_BUDGET),
					(&mut config.adapter_budget, DEFAULT_ADAPTER_BUDGET),
				] {
					if *budget == 0 {
						*budget = default;
					}
				}
				let settings = CpuSettings {
					max_context,
					threads,
					precision: config.precision,
				};
				Box::new(CpuBackend::with(&shape, weights, settings)?)
			}
		};
		let base = Base {
			config: shape,
			tokenizer,
			weights_hash,
			tokenizer_hash,
		};
		Self::with_backend(base, backend, config)
	}

	/// Starts an engine on a backend of the caller's, which computes the model that `base` describes, to the context
	/// that the settings ask for. Of the settings, `threads`, `precision` and `device` are
	/// the backend's own affair.
	///
	/// # Errors
	/// [`EngineError::BadSetting`], [`EngineError::Adapter`] when the store cannot be opened.
	pub fn with_backend(
		base: Base,
		backend: Box<dyn Backend>,
		mut config: EngineConfig,
	) -> Result<Engine, EngineError> {
		let bad = |name, reason: &str| {
			Err(EngineError::BadSetting {
				name,
				reason: reason.into(),
			})
		};
		if config.max_batch == 0 {
			return bad("max_batch", "must be at least 1");
		}
		if config.max_queue == 0 {
			return bad("max_queue", "must be at least 1");
		}
		let unbounded = |bound: &mut usize| {
			if *bound == 0 {
				*bound = usize::MAX;
			}
		};
		unbounded(&mut config.max_queue_per_tenant);
		unbounded(&mut config.step_adapter_bytes);
		let Base {
			config: shape,
			tokenizer,
			weights_hash,
			tokenizer_hash,
		} = base;
		config.max_context = context(&config, &shape);
		let (page_tokens, page_bytes) = (backend.page_tokens(), backend.page_bytes());
		let whole = config.max_context.div_ceil(page_tokens) * page_bytes;
		let (setting, memory) = match config.memory_budget {
			0 => (
				"kv_budget",
				Memory::apart(config.kv_budget, config.adapter_budget),
			),
			total => ("memory_budget", Memory::shared(total, whole)),
		};
		if page_bytes > memory.kv_floor() {
			let part = match config.memory_budget {
				0 => "",
				_ => "half of it ",
			};
			let reason = format!("{part}must hold at least one page of {page_bytes} bytes");
			return bad(setting, &reason);
		}
		let memory = Arc::new(memory);
		let rows = backend.base_rows();
		let store = AdapterStore::open(&config.store)?;
		let shared = Arc::new(Shared::default());
		let thread_error = |e: std::io::Error| EngineError::BadSetting {
			name: "threads",
			reason: e.to_string(),
		};
		let waker = Arc::clone(&shared);
		let cache = Cache::start(
			store.clone(),
			shape.clone(),
			rows.clone(),
			Arc::clone(&memory),
			Box::new(move || waker.wake()),
		)
		.map_err(thread_error)?;
		let cache = Arc::new(cache);
		let scheduler = Scheduler::new(
			Arc::clone(&shared),
			backend,
			Arc::clone(&cache),
			tokenizer.clone(),
			Limits {
				max_batch: config.max_batch,
				memory: Arc::clone(&memory),
				step_adapter_bytes: config.step_adapter_bytes,
				prefix_cache: config.prefix_cache,
				prompts_first: config.prompts_first,
				eos: shape.eos.clone(),
				vocab_size: shape.vocab_size,
			},
		);
		let thread = std::thread::Builder::new()
			.name("engine".into())
			.spawn(move || scheduler.run())
			.map_err(thread_error)?;
		let inner = Inner {
			shared,
			cache,
			rows,
			store,
			grammars: Grammars::new(tokenizer.clone(), shape.eos.clone(), shape.vocab_size),
			tokenizer,
			model: shape,
			weights_hash,
			tokenizer_hash,
			config,
			memory,
			page_tokens,
			page_bytes,
			thread: Mutex::new(Some(thread)),
		};
		Ok(Engine {
			inner: Arc::new(inner),
		})
	}

	/// Queues a request. Its events come through the stream; dropping the stream cancels it.
	///
	/// # Errors
	/// At once: [`EngineError::EmptyPrompt`], [`EngineError::PromptTooLong`], [`EngineError::UnknownToken`],
	/// [`EngineError::BadSampling`], [`AdapterError::NotFound`], [`EngineError::QueueFull`],
	/// [`EngineError::TenantQueueFull`], [`EngineError::ShuttingDown`]. Later ones come as [`crate::StreamEvent::Failed`].
	pub fn submit(&self, mut request: Request) -> Result<TokenStream, EngineError> {
		let inner = &*self.inner;
		if request.prompt.is_empty() {
			return Err(EngineError::EmptyPrompt);
		}
		if request.max_tokens == 0 {
			return Err(EngineError::BadSampling {
				name: "max_tokens",
				expected: "at least 1",
			});
		}
		let fits = inner.memory.kv_floor() / inner.page_bytes * inner.page_tokens;
		let limit = inner.config.max_context.min(fits);
		let prompt = request.prompt.len();
		if prompt.saturating_add(request.max_tokens) > limit {
			return Err(EngineError::PromptTooLong { prompt, limit });
		}
		if let Some(id) = request
			.prompt
			.iter()
			.find(|id| **id as usize >= inner.model.vocab_size)
		{
			return Err(EngineError::UnknownToken(*id));
		}
		request.sampling.check()?;
		let mut biased = request.sampling.logit_bias.iter().map(|(id, _)| *id);
		if let Some(id) = biased.find(|id| *id as usize >= inner.model.vocab_size) {
			return Err(EngineError::UnknownToken(id));
		}
		let stops = &request.stop;
		if stops.len() > MAX_STOPS
			|| stops
				.iter()
				.any(|s| s.is_empty() || s.len() > MAX_STOP_BYTES)
		{
			let expected = "at most 16 texts of 1 to 1024 bytes";
			return Err(EngineError::BadSampling {
				name: "stop",
				expected,
			});
		}
		let members = request.set.iter().flat_map(|set| set.members());
		for key in members.map(|(key, _)| key).chain(&request.adapter) {
			if !inner.store.offers(key) {
				return Err(AdapterError::NotFound(key.folder()).into());
			}
		}
		if let Some(set) = &request.set {
			if request.adapter.is_some() {
				let why = "name either one adapter or a set".to_string();
				return Err(AdapterError::BadSet(why).into());
			}
			// From here on its key stands where an adapter's would.
			inner.cache.define(set);
			request.adapter = Some(set.key());
		}
		let shared: Arc<dyn Wake> = inner.shared.clone();
		let wake: Weak<dyn Wake> = Arc::downgrade(&shared);
		if let Some(allowance) = &request.allowance {
			allowance.attach(wake.clone());
		}
		let (events, receiver) = mpsc::unbounded();
		let job = Job {
			tenant: request.tenant.unwrap_or_default(),
			request,
			events,
			since: Instant::now(),
		};
		let bounds = QueueBounds {
			all: inner.config.max_queue,
			tenant: inner.config.max_queue_per_tenant,
		};
		inner.shared.submit(job, bounds)?;
		Ok(TokenStream::new(receiver, wake))
	}

	/// Text ↔ tokens of the base model.
	pub fn tokenizer(&self) -> &Tokenizer {
		&self.inner.tokenizer
	}

	/// Makes a grammar for [`Request::grammar`]; what was made before is remembered. Blocks until it is made; not for use
	/// inside an async task.
	///
	/// # Errors
	/// [`EngineError::BadGrammar`], [`EngineError::GrammarTooComplex`], [`EngineError::GrammarBusy`].
	pub fn compile(&self, constraint: &Constraint) -> Result<Grammar, EngineError> {
		self.inner.grammars.compile(constraint)
	}

	/// Shape of the base model.
	pub fn model(&self) -> &ModelConfig {
		&self.inner.model
	}

	/// Hash of the base model's weights; see [`LoadedModel::weights_hash`].
	pub fn model_hash(&self) -> [u8; 32] {
		self.inner.weights_hash
	}

	/// Hash of the tokenizer; see [`LoadedModel::tokenizer_hash`].
	pub fn tokenizer_hash(&self) -> [u8; 32] {
		self.inner.tokenizer_hash
	}

	/// Most tokens of prompt and answer together.
	pub fn max_context(&self) -> usize {
		self.inner.config.max_context
	}

	/// The adapter store.
	pub fn store(&self) -> &AdapterStore {
		&self.inner.store
	}

	/// Counters.
	pub fn stats(&self) -> EngineStats {
		let shared = &self.inner.shared;
		let counters = &shared.counters;
		let now = |gauge: &AtomicUsize| gauge.load(Ordering::Acquire);
		let so_far = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
		EngineStats {
			running: now(&counters.running),
			waiting: now(&shared.waiting),
			kv_bytes: now(&counters.kv_bytes),
			kv_cached: now(&counters.kv_cached),
			kv_reserved: now(&counters.kv_reserved),
			kv_budget: self.inner.memory.kv_most(),
			adapter_budget: self.inner.memory.adapter_most(),
			memory_budget: self.inner.memory.total(),
			adapters: self.inner.cache.stats(),
			tokens_in: so_far(&counters.tokens_in),
			cached_tokens: so_far(&counters.cached_tokens),
			tokens_out: so_far(&counters.tokens_out),
			steps: so_far(&counters.steps),
			prefix_evictions: so_far(&counters.prefix_evictions),
			begun: so_far(&counters.begun),
			queue_time: Duration::from_micros(so_far(&counters.queue_us)),
			refused: so_far(&counters.refused),
			cancelled: so_far(&counters.cancelled),
			deadlines: so_far(&counters.deadlines),
			failed: so_far(&counters.failed),
		}
	}

	/// What each tenant was served, ordered by tenant. The 1,024 tenants seen last are listed singly, the rest
	/// together as [`crate::Tenant::OTHERS`].
	pub fn tenants(&self) -> Vec<TenantStats> {
		self.inner.shared.usage().list()
	}

	/// Adapters in memory and the bytes each takes.
	pub fn adapters(&self) -> Vec<(AdapterKey, usize)> {
		self.inner.cache.resident()
	}

	/// A hint that an adapter will be asked for: loads it in the background, after those that requests wait for, and
	/// fetches it first if the store has to. Without room beside what is in use nothing happens. A failure is logged
	/// and counted.
	pub fn preload(&self, key: &AdapterKey) {
		self.inner.cache.preload(key);
	}

	/// Loads an adapter and keeps it in memory until [`Self::unpin`] or the engine ends: it is never evicted. Blocks
	/// until it is loaded; not for use inside an async task.
	///
	/// # Errors
	/// [`AdapterError::PinsFillBudget`] if it does not fit beside what is pinned already,
	/// [`AdapterError::NoRoomYet`] if running requests hold the budget for too long, and those of a load.
	pub fn pin(&self, key: &AdapterKey) -> Result<(), AdapterError> {
		if !self.inner.store.offers(key) {
			return Err(AdapterError::NotFound(key.folder()));
		}
		self.inner.cache.pin(key, PIN_WAIT)
	}

	/// Lets go of a pinned adapter. It stays in memory until another needs the room.
	pub fn unpin(&self, key: &AdapterKey) {
		self.inner.cache.unpin(key);
	}

	/// Pinned adapters.
	pub fn pinned(&self) -> Vec<AdapterKey> {
		self.inner.cache.pinned()
	}

	/// Frees the memory of an adapter that no request uses; the next request for it loads it again.
	///
	/// # Errors
	/// [`AdapterError::InUse`], [`AdapterError::Pinned`].
	pub fn unload(&self, key: &AdapterKey) -> Result<(), AdapterError> {
		self.inner.cache.unload(key)
	}

	/// Stops: running requests finish as cancelled, waiting ones fail, later ones are refused. Returns when the
	/// scheduler has ended.
	pub fn shutdown(&self) {
		self.inner.shutdown();
	}

	/// Checks that an adapter's files can be used with this base model, without keeping it.
	///
	/// # Errors
	/// [`AdapterError`].
	pub fn check_adapter(&self, key: &AdapterKey) -> Result<(), AdapterError> {
		let inner = &*self.inner;
		inner.store.fetch(key)?;
		let files = inner.store.load(key)?;
		let config = crate::AdapterConfig::parse(&files.config)?;
		crate::LoraWeights::load(&config, &files.weights, &inner.model, inner.rows.as_deref())
			.map(|_| ())
	}
}
