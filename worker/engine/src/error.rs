//! What can go wrong, one variant per cause. `code()` is stable and fit for an API; the message says what to do.

use std::time::Duration;

/// A model file or folder could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
	/// The file system refused.
	#[error("cannot read {path}: {reason}")]
	Io { path: String, reason: String },
	/// Neither a `.gguf` file nor a folder with `config.json` and safetensors.
	#[error("{path} is not a model: give a GGUF file or a folder with config.json, tokenizer.json and *.safetensors")]
	NotAModel { path: String },
	/// The file ends before what its header announces.
	#[error("the model file is truncated: {what} needs byte {needed}, the file has {len}; download it again")]
	Truncated { what: String, needed: u64, len: u64 },
	/// A header that contradicts itself or the format.
	#[error("the model header is malformed: {0}; download the file again")]
	Malformed(String),
	/// An architecture this engine does not compute.
	#[error("architecture {0} is not supported; llama, mistral, smollm3, qwen2 and qwen3 are")]
	UnsupportedArchitecture(String),
	/// A setting or tensor type that would have to be ignored to go on.
	#[error("{0} is not supported")]
	Unsupported(String),
	/// A tensor the architecture needs is not there.
	#[error("tensor {0} is missing from the model")]
	MissingTensor(String),
	/// A tensor has another shape than the configuration says.
	#[error("tensor {name} has shape {found:?}, the configuration asks for {expected:?}")]
	WrongShape {
		name: String,
		expected: Vec<usize>,
		found: Vec<usize>,
	},
	/// A weight is NaN or infinite.
	#[error("tensor {0} holds a value that is not finite")]
	NotFinite(String),
	/// The tokenizer is missing or broken.
	#[error("tokenizer: {0}")]
	Tokenizer(String),
	/// The chat template does not compile or refused the conversation.
	#[error("chat template: {0}")]
	Template(String),
}

impl ModelError {
	/// Stable identifier of the cause.
	pub fn code(&self) -> &'static str {
		match self {
			Self::Io { .. } => "model-io",
			Self::NotAModel { .. } => "not-a-model",
			Self::Truncated { .. } => "model-truncated",
			Self::Malformed(_) => "model-malformed",
			Self::UnsupportedArchitecture(_) => "unsupported-architecture",
			Self::Unsupported(_) => "model-unsupported",
			Self::MissingTensor(_) => "missing-tensor",
			Self::WrongShape { .. } => "wrong-tensor-shape",
			Self::NotFinite(_) => "model-not-finite",
			Self::Tokenizer(_) => "tokenizer",
			Self::Template(_) => "chat-template",
		}
	}
}

/// An adapter could not be imported or loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdapterError {
	/// The file system refused.
	#[error("cannot read or write {path}: {reason}")]
	Io { path: String, reason: String },
	/// The store has no adapter of this content.
	#[error("adapter {0} is not in the store; import it first")]
	NotFound(String),
	/// The bytes on disk are not those the key names.
	#[error("{file} of the adapter has SHA-256 {found}, not {expected}; fetch the adapter again")]
	HashMismatch {
		file: String,
		expected: String,
		found: String,
	},
	/// A file over the limit.
	#[error("{file} has {bytes} bytes, the limit is {limit}")]
	TooLarge {
		file: String,
		bytes: u64,
		limit: u64,
	},
	/// More than the whole adapter budget.
	#[error("the adapter needs {bytes} bytes of memory, the whole budget is {budget}; raise the adapter budget")]
	OverBudget { bytes: usize, budget: usize },
	/// More than a device ever has for it.
	#[error("the adapter needs {bytes} bytes of the device's memory, KV leaves {room} for adapters: lower --kv-budget")]
	NoDeviceRoom { bytes: usize, room: usize },
	/// More than pinned adapters leave of the budget: to load it, or to pin it too.
	#[error(
		"the adapter needs {bytes} bytes of memory, pinned adapters leave {left} of the budget of {budget}; \
		 unpin one or raise the adapter budget"
	)]
	PinsFillBudget {
		bytes: usize,
		left: usize,
		budget: usize,
	},
	/// No room was found in time: running requests hold the whole budget.
	#[error(
		"adapter {0} found no room within {1} s, because running requests hold the adapter budget; try again"
	)]
	NoRoomYet(String, u64),
	/// A request runs on it or waits for it, or it is being loaded.
	#[error("adapter {0} is in use; unload it when no request runs on it or waits for it")]
	InUse(String),
	/// It is kept in memory by hand.
	#[error("adapter {0} is pinned; unpin it first")]
	Pinned(String),
	/// `adapter_config.json` is not what PEFT writes.
	#[error("adapter_config.json: {0}")]
	BadConfig(String),
	/// A feature that would have to be ignored to go on.
	#[error("adapter feature {feature} is not supported: {advice}")]
	Unsupported {
		feature: String,
		/// What to do instead.
		advice: &'static str,
	},
	/// A weighted set that makes no sense.
	#[error("set of adapters: {0}")]
	BadSet(String),
	/// A place outside this machine did not give an adapter's files.
	#[error("adapter {adapter} could not be fetched from {place}: {reason}")]
	Fetch {
		adapter: String,
		place: String,
		reason: String,
	},
	/// The address of such a place.
	#[error("adapter source {place}: {reason}")]
	BadSource { place: String, reason: String },
	/// `adapter_model.safetensors` is truncated or not safetensors.
	#[error("adapter_model.safetensors is malformed: {0}")]
	Malformed(String),
	/// The tensors do not fit the model that is loaded.
	#[error("the adapter was made for another base model: {0}")]
	ForAnotherBase(String),
	/// A tensor named by the configuration, or the partner of one, is not there.
	#[error("adapter tensor {0} is missing")]
	MissingTensor(String),
	/// A tensor's rank is not the configured one.
	#[error("{name} has rank {found}, adapter_config.json says {expected}")]
	RankMismatch {
		name: String,
		expected: usize,
		found: usize,
	},
	/// A weight is NaN or infinite.
	#[error("adapter tensor {0} holds a value that is not finite")]
	NotFinite(String),
}

impl AdapterError {
	/// A feature that is not supported, and what to do instead.
	pub(crate) fn unsupported(feature: impl Into<String>, advice: &'static str) -> Self {
		Self::Unsupported {
			feature: feature.into(),
			advice,
		}
	}

	/// Stable identifier of the cause.
	pub fn code(&self) -> &'static str {
		match self {
			Self::Io { .. } => "adapter-io",
			Self::NotFound(_) => "adapter-not-found",
			Self::HashMismatch { .. } => "adapter-hash-mismatch",
			Self::TooLarge { .. } => "adapter-too-large",
			Self::OverBudget { .. } => "adapter-over-budget",
			Self::NoDeviceRoom { .. } => "adapter-no-device-room",
			Self::PinsFillBudget { .. } => "adapter-pins-fill-budget",
			Self::NoRoomYet(..) => "adapter-no-room-yet",
			Self::InUse(_) => "adapter-in-use",
			Self::Pinned(_) => "adapter-pinned",
			Self::BadConfig(_) => "adapter-bad-config",
			Self::Unsupported { .. } => "adapter-unsupported",
			Self::BadSet(_) => "adapter-bad-set",
			Self::Fetch { .. } => "adapter-fetch",
			Self::BadSource { .. } => "adapter-bad-source",
			Self::Malformed(_) => "adapter-malformed",
			Self::ForAnotherBase(_) => "adapter-for-another-base",
			Self::MissingTensor(_) => "adapter-missing-tensor",
			Self::RankMismatch { .. } => "adapter-rank-mismatch",
			Self::NotFinite(_) => "adapter-not-finite",
		}
	}
}

/// A request could not be served, or the engine not started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
	/// From the model.
	#[error(transparent)]
	Model(#[from] ModelError),
	/// From the adapter.
	#[error(transparent)]
	Adapter(#[from] AdapterError),
	/// A setting that cannot work.
	#[error("engine setting {name}: {reason}")]
	BadSetting { name: &'static str, reason: String },
	/// No prompt.
	#[error("the prompt is empty")]
	EmptyPrompt,
	/// Prompt and answer do not fit the context or the KV budget.
	#[error("the prompt has {prompt} tokens; with max_tokens it must stay within {limit}")]
	PromptTooLong { prompt: usize, limit: usize },
	/// A token id outside the vocabulary.
	#[error("token {0} is not in the vocabulary")]
	UnknownToken(u32),
	/// A sampling parameter outside its range.
	#[error("sampling parameter {name} must be {expected}")]
	BadSampling {
		name: &'static str,
		expected: &'static str,
	},
	/// A schema, or tools, that no grammar can be made of.
	#[error("the schema cannot be used: {0}")]
	BadGrammar(String),
	/// A schema that takes more work or memory than one request may.
	#[error("the schema is too complex: {0}; make it simpler")]
	GrammarTooComplex(String),
	/// Too many schemas wait to be compiled.
	#[error("too many schemas are being compiled; try again later")]
	GrammarBusy,
	/// Too many requests wait.
	#[error("the queue is full ({waiting} requests wait); try again in {} s", whole_seconds(*.retry_after))]
	QueueFull {
		waiting: usize,
		retry_after: Duration,
	},
	/// Too many requests of one tenant wait.
	#[error(
		"{waiting} of this caller's requests wait already; try again in {} s or send fewer at a time",
		whole_seconds(*.retry_after)
	)]
	TenantQueueFull {
		waiting: usize,
		retry_after: Duration,
	},
	/// The deadline passed while the request waited.
	#[error(
		"the request's deadline passed before there was room for it; try again or allow more time"
	)]
	Deadline,
	/// The engine was shut down.
	#[error("the engine is shutting down")]
	ShuttingDown,
	/// A step of the backend failed.
	#[error("the backend failed: {0}")]
	Backend(String),
}

/// At least one: clients read 0 as "at once".
fn whole_seconds(time: Duration) -> u64 {
	(time.as_secs_f64().ceil() as u64).max(1)
}

impl EngineError {
	/// In how many seconds to try again, if that is known: what `Retry-After` should say.
	pub fn retry_after(&self) -> Option<u64> {
		match self {
			Self::QueueFull { retry_after, .. } | Self::TenantQueueFull { retry_after, .. } => {
				Some(whole_seconds(*retry_after))
			}
			_ => None,
		}
	}

	/// Stable identifier of the cause.
	pub fn code(&self) -> &'static str {
		match self {
			Self::Model(e) => e.code(),
			Self::Adapter(e) => e.code(),
			Self::BadSetting { .. } => "bad-setting",
			Self::EmptyPrompt => "empty-prompt",
			Self::PromptTooLong { .. } => "prompt-too-long",
			Self::UnknownToken(_) => "unknown-token",
			Self::BadSampling { .. } => "bad-sampling",
			Self::BadGrammar(_) => "bad-grammar",
			Self::GrammarTooComplex(_) => "grammar-too-complex",
			Self::GrammarBusy => "grammar-busy",
			Self::QueueFull { .. } => "queue-full",
			Self::TenantQueueFull { .. } => "tenant-queue-full",
			Self::Deadline => "deadline",
			Self::ShuttingDown => "shutting-down",
			Self::Backend(_) => "backend",
		}
	}
}
