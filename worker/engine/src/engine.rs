//! The handle that services hold.

use std::{
	path::PathBuf,
	sync::{atomic::Ordering, Arc, Mutex, PoisonError, Weak},
	thread::JoinHandle,
	time::Duration,
};

use futures::channel::mpsc;

use crate::{
	backend::Backend,
	cache::{Cache, CacheStats},
	config::ModelConfig,
	cpu::{CpuBackend, CpuSettings, Precision},
	error::{AdapterError, EngineError},
	request::{Request, TokenStream, Wake},
	scheduler::{Job, Limits, Scheduler, Shared},
	store::{AdapterKey, AdapterStore},
	tokenizer::Tokenizer,
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
	/// Bytes for keys and values.
	pub kv_budget: usize,
	/// Bytes for adapters in memory.
	pub adapter_budget: usize,
	/// Most requests that may wait.
	pub max_queue: usize,
	/// Threads that compute; 0 for as many as the machine has.
	pub threads: usize,
	/// How exactly the base model is computed.
	pub precision: Precision,
	/// Folder of the adapter store.
	pub store: PathBuf,
}

impl EngineConfig {
	/// Defaults for a small machine: 32 sequences, 4,096 tokens of context, 2 GiB of KV, 1 GiB of adapters, 256
	/// waiting requests, all threads.
	pub fn new(store: impl Into<PathBuf>) -> Self {
		Self {
			max_batch: 32,
			max_context: 4096,
			kv_budget: 2 << 30,
			adapter_budget: 1 << 30,
			max_queue: 256,
			threads: 0,
			precision: Precision::default(),
			store: store.into(),
		}
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
	/// Bytes of KV set aside for running sequences.
	pub kv_reserved: usize,
	/// Bytes KV may take.
	pub kv_budget: usize,
	/// Bytes adapters may take.
	pub adapter_budget: usize,
	/// The adapter cache.
	pub adapters: CacheStats,
	/// Prompt tokens computed.
	pub tokens_in: u64,
	/// Tokens generated.
	pub tokens_out: u64,
	/// Steps computed.
	pub steps: u64,
}

struct Inner {
	shared: Arc<Shared>,
	cache: Arc<Cache>,
	store: AdapterStore,
	tokenizer: Tokenizer,
	model: ModelConfig,
	weights_hash: [u8; 32],
	tokenizer_hash: [u8; 32],
	config: EngineConfig,
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
	/// Starts an engine on this machine's processor.
	///
	/// # Errors
	/// [`EngineError::BadSetting`], [`EngineError::Model`], [`EngineError::Adapter`] when the store cannot be opened.
	pub fn new(model: LoadedModel, mut config: EngineConfig) -> Result<Engine, EngineError> {
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
		if config.threads == 0 {
			config.threads = std::thread::available_parallelism().map_or(1, |n| n.get());
		}
		let own = model.config.max_context;
		if config.max_context == 0 || config.max_context > own {
			config.max_context = own;
		}
		let LoadedModel {
			config: shape,
			weights,
			tokenizer,
			weights_hash,
			tokenizer_hash,
		} = model;
		let settings = CpuSettings {
			max_context: config.max_context,
			threads: config.threads,
			precision: config.precision,
		};
		let backend = CpuBackend::with(&shape, weights, settings)?;
		if backend.page_bytes() > config.kv_budget {
			let reason = format!(
				"must hold at least one page of {} bytes",
				backend.page_bytes()
			);
			return bad("kv_budget", &reason);
		}
		let (page_tokens, page_bytes) = (backend.page_tokens(), backend.page_bytes());
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
			config.adapter_budget,
			Box::new(move || waker.wake()),
		)
		.map_err(thread_error)?;
		let cache = Arc::new(cache);
		let scheduler = Scheduler::new(
			Arc::clone(&shared),
			Box::new(backend),
			Arc::clone(&cache),
			tokenizer.clone(),
			Limits {
				max_batch: config.max_batch,
				kv_budget: config.kv_budget,
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
			store,
			tokenizer,
			model: shape,
			weights_hash,
			tokenizer_hash,
			config,
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
	/// [`EngineError::ShuttingDown`]. Later ones come as [`crate::StreamEvent::Failed`].
	pub fn submit(&self, request: Request) -> Result<TokenStream, EngineError> {
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
		let fits = inner.config.kv_budget / inner.page_bytes * inner.page_tokens;
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
		if let Some(key) = &request.adapter {
			if !inner.store.contains(key) {
				return Err(AdapterError::NotFound(key.folder()).into());
			}
		}
		let shared: Arc<dyn Wake> = inner.shared.clone();
		let wake: Weak<dyn Wake> = Arc::downgrade(&shared);
		if let Some(allowance) = &request.allowance {
			allowance.attach(wake.clone());
		}
		let (events, receiver) = mpsc::unbounded();
		inner
			.shared
			.submit(Job { request, events }, inner.config.max_queue)?;
		Ok(TokenStream::new(receiver, wake))
	}

	/// Text ↔ tokens of the base model.
	pub fn tokenizer(&self) -> &Tokenizer {
		&self.inner.tokenizer
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
		EngineStats {
			running: shared.running.load(Ordering::Acquire),
			waiting: shared.waiting.load(Ordering::Acquire),
			kv_bytes: shared.kv_bytes.load(Ordering::Acquire),
			kv_reserved: shared.kv_reserved.load(Ordering::Acquire),
			kv_budget: self.inner.config.kv_budget,
			adapter_budget: self.inner.config.adapter_budget,
			adapters: self.inner.cache.stats(),
			tokens_in: shared.tokens_in.load(Ordering::Relaxed),
			tokens_out: shared.tokens_out.load(Ordering::Relaxed),
			steps: shared.steps.load(Ordering::Relaxed),
		}
	}

	/// Adapters in memory and the bytes each takes.
	pub fn adapters(&self) -> Vec<(AdapterKey, usize)> {
		self.inner.cache.resident()
	}

	/// Loads an adapter in the background, if the budget has room. A failure is logged and counted.
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
		if !self.inner.store.contains(key) {
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
		let files = self.inner.store.load(key)?;
		let config = crate::AdapterConfig::parse(&files.config)?;
		crate::LoraWeights::parse(&config, &files.weights, &self.inner.model).map(|_| ())
	}
}
