//! What a provider can set, on the command line or in the environment.

use clap::{Args, Parser, Subcommand};
use openledger_engine::{DeviceChoice, Precision};
use std::{net::SocketAddr, path::PathBuf};

/// Serves a base model and thousands of adapters over it, and gets paid per token in OPEN.
#[derive(Debug, Parser)]
#[command(name = "openledger-worker", version, about, max_term_width = 100)]
pub struct Cli {
	/// What to do.
	#[command(subcommand)]
	pub command: Command,
}

/// What the worker can do.
#[derive(Debug, Subcommand)]
pub enum Command {
	/// Serve: gRPC for payers, HTTP for health and metrics (and free answers with --offline)
	#[command(after_help = EXAMPLES)]
	Serve(Box<Serve>),
	/// Check this machine: processor, GPU, driver, speed of memory, a self-test, and what it can serve
	Doctor(Doctor),
}

/// Settings of `doctor`.
#[derive(Clone, Copy, Debug, Args)]
pub struct Doctor {
	/// What to check: auto (the processor, and the first GPU if there is one), cpu, cuda or cuda:N
	#[arg(
		long,
		value_name = "NAME",
		env = "OPENLEDGER_DEVICE",
		default_value = "auto"
	)]
	pub device: DeviceChoice,
	/// Print JSON
	#[arg(long)]
	pub json: bool,
}

const EXAMPLES: &str = "\
Examples:
  Try it out, without a chain:
    openledger-worker serve --offline --model SmolLM2-135M-Instruct.Q4_1.gguf

  Earn, with a hot key that `openledger provider register` named:
    openledger-worker serve --model SmolLM2-135M-Instruct.Q4_1.gguf \\
      --chain ws://127.0.0.1:9944 --key ~/.config/openledger/keys/hot.json --grpc 0.0.0.0:50051

Every option can be given as an environment variable. Logs: RUST_LOG=debug shows every answer.";

/// Settings of `serve`.
#[derive(Clone, Debug, Args)]
pub struct Serve {
	/// The base model: a GGUF file, or a folder with config.json, tokenizer.json and *.safetensors
	#[arg(long, value_name = "PATH", env = "OPENLEDGER_MODEL")]
	pub model: PathBuf,
	/// What the base model is called with --offline; on a chain it has its registered name
	#[arg(long, value_name = "NAME", env = "OPENLEDGER_BASE_NAME")]
	pub base_name: Option<String>,
	/// Folder of adapters; files that are uploaded go here
	#[arg(
		long,
		value_name = "DIR",
		env = "OPENLEDGER_STORE",
		default_value = "openledger-adapters"
	)]
	pub store: PathBuf,
	/// Where to fetch adapters that the store lacks: file:///FOLDER, http(s)://HOST/PREFIX or s3://BUCKET/PREFIX (keys
	/// and region from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT), laid out as the store; may be
	/// given several times
	#[arg(
		long,
		value_name = "URL",
		env = "OPENLEDGER_ADAPTER_SOURCE",
		value_delimiter = ','
	)]
	pub adapter_source: Vec<String>,
	/// Folder of vouchers and receipts: it is money, keep it safe
	#[arg(
		long,
		value_name = "DIR",
		env = "OPENLEDGER_DATA",
		default_value = "openledger-worker-data"
	)]
	pub data: PathBuf,

	/// File with the token for the operator's calls (load, pin, unload); otherwise operator.token in the
	/// data folder, which is made at the first start
	#[arg(long, value_name = "FILE", env = "OPENLEDGER_OPERATOR_TOKEN_FILE")]
	pub operator_token_file: Option<PathBuf>,

	/// The node to work with
	#[arg(
		long,
		value_name = "URL",
		env = "OPENLEDGER_CHAIN",
		default_value = "ws://127.0.0.1:9944",
		help_heading = "Chain"
	)]
	pub chain: String,
	/// The provider's hot key: a key file, or a secret such as //Alice on a development chain
	#[arg(
		long,
		value_name = "FILE|SECRET",
		env = "OPENLEDGER_KEY",
		hide_env_values = true,
		help_heading = "Chain"
	)]
	pub key: Option<String>,
	/// Passphrase of a sealed key file
	#[arg(
		long,
		env = "OPENLEDGER_PASSPHRASE",
		hide = true,
		hide_env_values = true
	)]
	pub passphrase: Option<String>,
	/// Serve without a chain, for nothing
	#[arg(long, env = "OPENLEDGER_OFFLINE", conflicts_with_all = ["key"], help_heading = "Chain")]
	pub offline: bool,
	/// Seconds between redemptions
	#[arg(
		long,
		value_name = "SECONDS",
		env = "OPENLEDGER_REDEEM_EVERY",
		default_value_t = 60,
		value_parser = clap::value_parser!(u64).range(1..=86_400),
		help_heading = "Chain"
	)]
	pub redeem_every: u64,
	/// Redeem at once when this much OPEN waits
	#[arg(
		long,
		value_name = "OPEN",
		env = "OPENLEDGER_REDEEM_ABOVE",
		default_value_t = 10,
		help_heading = "Chain"
	)]
	pub redeem_above: u64,
	/// Blocks of life a voucher must have left, so that there is time to redeem it
	#[arg(
		long,
		value_name = "BLOCKS",
		env = "OPENLEDGER_VOUCHER_MARGIN",
		default_value_t = 10,
		help_heading = "Chain"
	)]
	pub voucher_margin: u32,
	/// Seconds to wait for a voucher before an answer is closed at what was sent
	#[arg(
		long,
		value_name = "SECONDS",
		env = "OPENLEDGER_VOUCHER_WAIT",
		default_value_t = 30,
		value_parser = clap::value_parser!(u64).range(1..=600),
		help_heading = "Chain"
	)]
	pub voucher_wait: u64,

	/// Where gRPC listens
	#[arg(
		long,
		value_name = "ADDR",
		env = "OPENLEDGER_GRPC",
		default_value = "127.0.0.1:50051",
		help_heading = "Network"
	)]
	pub grpc: SocketAddr,
	/// Where HTTP listens: /health, /metrics, /v1/models, and completions with --offline
	#[arg(
		long,
		value_name = "ADDR",
		env = "OPENLEDGER_HTTP",
		default_value = "127.0.0.1:8080",
		help_heading = "Network"
	)]
	pub http: SocketAddr,
	/// Most answers at a time, waiting ones included
	#[arg(
		long,
		value_name = "N",
		env = "OPENLEDGER_MAX_STREAMS",
		default_value_t = 2048,
		help_heading = "Network"
	)]
	pub max_streams: usize,
	/// Most answers at a time on one channel
	#[arg(
		long,
		value_name = "N",
		env = "OPENLEDGER_MAX_STREAMS_PER_CHANNEL",
		default_value_t = 64,
		help_heading = "Network"
	)]
	pub max_streams_per_channel: usize,
	/// Largest request in KiB
	#[arg(
		long,
		value_name = "KIB",
		env = "OPENLEDGER_MAX_MESSAGE",
		default_value_t = 4096,
		value_parser = clap::value_parser!(u32).range(16..=65_536),
		help_heading = "Network"
	)]
	pub max_message: u32,
	/// Largest adapter file that may be uploaded, in MiB
	#[arg(
		long,
		value_name = "MIB",
		env = "OPENLEDGER_MAX_UPLOAD",
		default_value_t = 1024,
		help_heading = "Network"
	)]
	pub max_upload: u64,

	/// Most bytes of the adapter store, in MiB; when it is full, what no active adapter on the chain needs
	/// makes room, then uploads are refused; 0 for no limit
	#[arg(
		long,
		value_name = "MIB",
		env = "OPENLEDGER_STORE_QUOTA",
		default_value_t = 51_200,
		help_heading = "Network"
	)]
	pub store_quota: u64,

	/// Where the base model is computed: auto (the first GPU if there is one that can be used, otherwise the
	/// processor), cpu, cuda or cuda:N
	#[arg(
		long,
		value_name = "NAME",
		env = "OPENLEDGER_DEVICE",
		default_value = "auto",
		help_heading = "Engine"
	)]
	pub device: DeviceChoice,
	/// Threads that compute; 0 for all
	#[arg(
		long,
		value_name = "N",
		env = "OPENLEDGER_THREADS",
		default_value_t = 0,
		help_heading = "Engine"
	)]
	pub threads: usize,
	/// How exactly the base model is computed: exact, rounded (inputs of products to int8 or bf16, as llama.cpp does),
	/// or int8 (wider weights to int8 too)
	#[arg(
		long,
		value_name = "NAME",
		env = "OPENLEDGER_PRECISION",
		default_value = "exact",
		help_heading = "Engine"
	)]
	pub precision: Precision,
	/// Most answers in one batch
	#[arg(
		long,
		value_name = "N",
		env = "OPENLEDGER_MAX_BATCH",
		default_value_t = 32,
		help_heading = "Engine"
	)]
	pub max_batch: usize,
	/// Most requests that wait for a place in the batch
	#[arg(
		long,
		value_name = "N",
		env = "OPENLEDGER_MAX_QUEUE",
		default_value_t = 1024,
		help_heading = "Engine"
	)]
	pub max_queue: usize,
	/// Most requests of one payer or API key that wait; 0 for no bound but --max-queue
	#[arg(
		long,
		value_name = "N",
		env = "OPENLEDGER_MAX_QUEUE_PER_TENANT",
		default_value_t = 256,
		help_heading = "Engine"
	)]
	pub max_queue_per_tenant: usize,
	/// Most tokens of prompt and answer together; 0 for what the model was made for
	#[arg(
		long,
		value_name = "TOKENS",
		env = "OPENLEDGER_MAX_CONTEXT",
		default_value_t = 4096,
		help_heading = "Engine"
	)]
	pub max_context: usize,
	/// Tokens of an answer when the request does not say
	#[arg(
		long,
		value_name = "TOKENS",
		env = "OPENLEDGER_DEFAULT_MAX_TOKENS",
		default_value_t = 512,
		help_heading = "Engine"
	)]
	pub default_max_tokens: u32,
	/// Memory for the context of running answers, in MiB; 0 for 2048 on a processor, and on a GPU for four fifths of
	/// what the model leaves (adapters get the rest)
	#[arg(
		long,
		value_name = "MIB",
		env = "OPENLEDGER_KV_BUDGET",
		default_value_t = 0,
		help_heading = "Engine"
	)]
	pub kv_budget: usize,
	/// Host memory for adapters, in MiB; 0 for 1024, and beside a GPU for a quarter of what is free
	#[arg(
		long,
		value_name = "MIB",
		env = "OPENLEDGER_ADAPTER_BUDGET",
		default_value_t = 0,
		help_heading = "Engine"
	)]
	pub adapter_budget: usize,
	/// Memory for context and adapters together, in MiB, of which each takes what it needs, in place of --kv-budget and
	/// --adapter-budget; 0 to keep those apart
	#[arg(
		long,
		value_name = "MIB",
		env = "OPENLEDGER_MEMORY_BUDGET",
		default_value_t = 0,
		conflicts_with_all = ["kv_budget", "adapter_budget"],
		help_heading = "Engine"
	)]
	pub memory_budget: usize,
	/// Most memory of distinct adapters in one step, in MiB; those beyond take turns. 0 for no bound
	#[arg(
		long,
		value_name = "MIB",
		env = "OPENLEDGER_STEP_ADAPTER_BUDGET",
		default_value_t = 0,
		help_heading = "Engine"
	)]
	pub step_adapter_budget: usize,
	/// Compute every prompt whole, also where an earlier one of the same payer or API key began alike
	#[arg(long, env = "OPENLEDGER_NO_PREFIX_CACHE", help_heading = "Engine")]
	pub no_prefix_cache: bool,
	/// Read prompts before running answers go on: more tokens per second in all, longer pauses within answers
	#[arg(long, env = "OPENLEDGER_PROMPTS_FIRST", help_heading = "Engine")]
	pub prompts_first: bool,
	/// Memory for attribution indexes, in MiB; a file over a sixth of it is refused
	#[arg(
		long,
		value_name = "MIB",
		env = "OPENLEDGER_INDEX_BUDGET",
		default_value_t = 512,
		help_heading = "Engine"
	)]
	pub index_budget: usize,

	/// An OpenTelemetry collector to send traces to, by OTLP over gRPC, as http://127.0.0.1:4317
	#[arg(
		long,
		value_name = "URL",
		env = "OPENLEDGER_OTLP_ENDPOINT",
		help_heading = "Logs"
	)]
	pub otlp_endpoint: Option<String>,
	/// Write logs as JSON, one object per line
	#[arg(long, env = "OPENLEDGER_LOG_JSON", help_heading = "Logs")]
	pub log_json: bool,
}
