//! Base model + adapters → tokens: continuous batching of many LoRA adapters over one base model.
//!
//! Terms: a *request* is a prompt with an optional adapter; while it runs it is a *sequence*, with its own keys and
//! values (*KV*) in pages. A *step* computes one batch: one row for every sequence that decodes, several for one
//! that is still reading its prompt (*prefill*). A *lease* is a running sequence's hold on its adapter's weights.
//!
//! A user's story: a worker loads SmolLM2 with [`load_model`], starts an [`Engine`] and gets requests for hundreds
//! of adapters. Those it holds in memory join the running batch at once; another is read from the
//! [`AdapterStore`] by a thread of its own, and only the request that asked waits. All of them decode in the same
//! steps: the base weights are streamed once for the whole batch, each adapter's low-rank update is added to its
//! own rows.
//!
//! Design:
//! - [`weights`] and [`config`] make GGUF and Hugging Face folders look alike; [`adapter`] refuses by name what it
//!   would have to ignore.
//! - [`set`] is several adapters for one request, unmerged; [`source`] is where adapters come from besides the disk.
//! - [`backend::Backend`] is the seam to the arithmetic (a batch in, logits out); [`cpu`] and [`device`] implement it.
//! - The scheduler thread owns all sequences; handles talk to it by a queue and are never blocked by a step.
//! - Who begins next follows from what each tenant was served already (`fair`), what a step computes from who sat
//!   out longest (`plan`), and which KV is there already from its tokens, adapter bytes and tenant (`prefix`).
//! - A row's result does not depend on its batch mates, so a seed and a prompt always give the same text.

pub mod adapter;
pub mod backend;
pub mod config;
pub mod cpu;
pub mod device;
pub mod dora;
pub mod error;
pub mod grammar;
pub mod machine;
pub mod request;
pub mod sampling;
pub mod set;
pub mod source;
pub mod store;
pub mod tenant;
pub mod tokenizer;
pub mod tools;
pub mod weights;

mod cache;
mod embedding;
mod engine;
mod fair;
mod family;
mod gguf;
mod memory;
mod plan;
mod prefix;
mod queue;
mod scheduler;
mod updates;
mod usage;

pub use adapter::{AdapterConfig, LoraWeights};
pub use cache::{CacheStats, LOAD_BOUNDS_MS};
pub use config::{ModelConfig, RopeScaling};
pub use cpu::{CpuSettings, Precision};
pub use device::DeviceChoice;
pub use engine::{Base, Engine, EngineConfig, EngineStats};
pub use error::{AdapterError, EngineError, ModelError};
pub use grammar::{Constraint, Grammar};
pub use openledger_kernels::{Arithmetic, Quant, Values};
pub use request::{Allowance, Completion, FinishReason, Request, StreamEvent, TokenStream};
pub use sampling::{Sampling, TokenLogprobs};
pub use set::AdapterSet;
pub use source::ObjectSource;
pub use store::{AdapterFiles, AdapterKey, AdapterSource, AdapterStore};
pub use tenant::Tenant;
pub use tokenizer::{ChatMessage, DecodeStream, Tokenizer};
pub use tools::{CallReader, Chat, Part, Tool, ToolCall, ToolChoice, Turn};
pub use usage::TenantStats;
pub use weights::{load_model, LoadedModel, ModelWeights, Tensor};

/// The linear sites of a layer that an adapter may change: block and PEFT module name.
pub const SITES: [(&str, &str); 7] = [
	("self_attn", "q_proj"),
	("self_attn", "k_proj"),
	("self_attn", "v_proj"),
	("self_attn", "o_proj"),
	("mlp", "gate_proj"),
	("mlp", "up_proj"),
	("mlp", "down_proj"),
];

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
	bytes.iter().map(|b| format!("{b:02x}")).collect()
}
