//! What `/metrics` shows: vLLM's names where routers know them, `openledger_*` for the rest.

use crate::{
	files::Files,
	generator::Generator,
	store::Redemption,
	top::{Now, Top},
};
use openledger_engine::{EngineStats, Tenant, TenantStats, LOAD_BOUNDS_MS};
use openledger_primitives::{Balance, OPEN};
use prometheus_client::{
	collector::Collector,
	encoding::{text::encode, DescriptorEncoder, EncodeMetric},
	metrics::{
		counter::{ConstCounter, Counter},
		family::Family,
		gauge::ConstGauge,
		histogram::{exponential_buckets, Histogram},
		MetricType,
	},
	registry::Registry,
};
use std::{
	collections::{BTreeMap, HashSet},
	sync::{atomic::AtomicU64, Arc, Mutex, PoisonError},
	time::{Duration, SystemTime, UNIX_EPOCH},
};

type Labels = Vec<(&'static str, String)>;
type Counters = Family<Labels, Counter>;
type Amounts = Family<Labels, Counter<f64, AtomicU64>>;

/// Tenants that have labels of their own: those who were served most.
const TENANTS: usize = 32;

/// Models that have labels of their own: those that came first.
const MODELS: usize = 1_000;

/// The label of models beyond those.
const OTHERS: &str = "others";

/// Counters of a tenant: requests, refused ones, microseconds in the queue, tokens in, those found, tokens out.
type TenantCounters = [u64; 6];

fn counters_of(stats: &TenantStats) -> TenantCounters {
	let waited = u64::try_from(stats.queue_time.as_micros()).unwrap_or(u64::MAX);
	[
		stats.requests,
		stats.refused,
		waited,
		stats.tokens_in,
		stats.cached_tokens,
		stats.tokens_out,
	]
}

/// Requests that wait or run, by adapter.
#[derive(Debug, Default)]
struct Adapters(Mutex<BTreeMap<String, [u32; 2]>>);

impl Adapters {
	fn change(&self, name: &str, change: impl FnOnce(&mut [u32; 2])) {
		let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
		let counts = map.entry(name.to_owned()).or_default();
		change(counts);
		if *counts == [0, 0] {
			map.remove(name);
		}
	}

	/// Names of those with requests waiting (0) or running (1), separated by commas.
	fn names(&self, which: usize) -> String {
		let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
		let names: Vec<&str> = map
			.iter()
			.filter(|(_, counts)| counts.get(which).is_some_and(|count| *count > 0))
			.map(|(name, _)| name.as_str())
			.collect();
		names.join(",")
	}
}

/// All metrics of a worker.
#[derive(Clone)]
pub struct Metrics {
	registry: Arc<Registry>,
	adapters: Arc<Adapters>,
	models: Arc<Mutex<HashSet<String>>>,
	tokens: Counters,
	answers: Counters,
	errors: Counters,
	vouchers: Counters,
	uploads: Counter,
	earned: Amounts,
	redeemed: Amounts,
	lost: Counter<f64, AtomicU64>,
	redemptions: Counters,
	reports: Counters,
	settled: Counter,
	heartbeats: Counters,
	first_token: Histogram,
	between: Histogram,
	latency: Histogram,
	successes: Counters,
	base: String,
}

fn labels<const N: usize>(pairs: [(&'static str, &str); N]) -> Labels {
	pairs
		.into_iter()
		.map(|(key, value)| (key, value.to_owned()))
		.collect()
}

/// An amount in OPEN, as near as a float comes.
fn in_open(amount: Balance) -> f64 {
	amount as f64 / OPEN as f64
}

impl Metrics {
	/// Metrics of a worker that serves `model` with `generator` in batches of at most `max_batch`, and adapters from
	/// `files`.
	pub fn new(
		model: &str,
		max_batch: usize,
		generator: Arc<dyn Generator>,
		files: Arc<Files>,
	) -> Self {
		let seconds = || Histogram::new(exponential_buckets(0.005, 2.0, 16));
		let mut registry = Registry::default();
		let adapters = Arc::<Adapters>::default();
		registry.register_collector(Box::new(EngineCollector {
			generator,
			files,
			adapters: adapters.clone(),
			tenants: Mutex::new(Top::new(TENANTS)),
			model: model.to_owned(),
			max_batch,
		}));
		let mut metrics = Self {
			registry: Arc::default(),
			adapters,
			models: Arc::default(),
			tokens: Family::default(),
			answers: Family::default(),
			errors: Family::default(),
			vouchers: Family::default(),
			uploads: Counter::default(),
			earned: Family::default(),
			redeemed: Family::default(),
			lost: Counter::default(),
			redemptions: Family::default(),
			reports: Family::default(),
			settled: Counter::default(),
			heartbeats: Family::default(),
			first_token: seconds(),
			between: Histogram::new(exponential_buckets(0.001, 2.0, 14)),
			latency: seconds(),
			successes: Family::default(),
			base: model.to_owned(),
		};
		let m = &metrics;
		let r = &mut registry;
		r.register(
			"openledger_tokens",
			"Tokens by model and direction",
			m.tokens.clone(),
		);
		r.register(
			"openledger_answers",
			"Answers by model and how they ended",
			m.answers.clone(),
		);
		r.register(
			"openledger_errors",
			"Refused or failed requests by code",
			m.errors.clone(),
		);
		let help = "Vouchers by result: accepted, or why refused";
		r.register("openledger_vouchers", help, m.vouchers.clone());
		let help = "Adapter files that were received";
		r.register("openledger_uploads", help, m.uploads.clone());
		let help = "OPEN acknowledged by vouchers, by part (compute, licence) and model";
		r.register("openledger_earned_open", help, m.earned.clone());
		let help = "OPEN redeemed on the chain, by part (compute, licence)";
		r.register("openledger_redeemed_open", help, m.redeemed.clone());
		let help = "OPEN in vouchers that can no longer be redeemed";
		r.register("openledger_lost_open", help, m.lost.clone());
		let help = "Redemption transactions by result, and vouchers the chain skipped";
		r.register("openledger_redemptions", help, m.redemptions.clone());
		r.register(
			"openledger_reports",
			"Usage reports by result",
			m.reports.clone(),
		);
		let help = "Payout leaves this worker has settled";
		r.register("openledger_settled_payouts", help, m.settled.clone());
		let help = "Heartbeats to the chain by result";
		r.register("openledger_heartbeats", help, m.heartbeats.clone());
		let help = "From admission to the first token";
		r.register(
			"vllm:time_to_first_token_seconds",
			help,
			m.first_token.clone(),
		);
		let help = "From one token to the next";
		r.register("vllm:inter_token_latency_seconds", help, m.between.clone());
		let help = "Answers that came to their end, by reason";
		r.register("vllm:request_success", help, m.successes.clone());
		let help = "From admission to the last token";
		r.register("vllm:e2e_request_latency_seconds", help, m.latency.clone());
		metrics.registry = Arc::new(registry);
		metrics
	}

	/// The label of a model, of which there are a bounded number.
	fn label<'a>(&self, model: &'a str) -> &'a str {
		let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
		if !models.contains(model) {
			if models.len() >= MODELS {
				return OTHERS;
			}
			models.insert(model.to_owned());
		}
		model
	}

	/// The text that Prometheus reads. Reads the store's folder now and then: not for use inside an async task.
	pub fn render(&self) -> Result<String, std::fmt::Error> {
		let mut text = String::new();
		encode(&mut text, &self.registry)?;
		Ok(text)
	}

	/// A refused or failed request.
	pub fn error(&self, code: &str) {
		self.errors.get_or_create(&labels([("code", code)])).inc();
	}

	/// A voucher that came.
	pub fn voucher(&self, result: &str) {
		self.vouchers
			.get_or_create(&labels([("result", result)]))
			.inc();
	}

	/// Money that a voucher acknowledged for answers of `model`, in units.
	pub fn earned(&self, model: &str, compute: Balance, licence: Balance) {
		let model = self.label(model);
		let add = |part, amount| {
			self.earned
				.get_or_create(&labels([("part", part), ("model", model)]))
				.inc_by(in_open(amount));
		};
		add("compute", compute);
		add("licence", licence);
	}

	/// Money that the chain paid.
	pub fn redeemed(&self, redemption: &Redemption) {
		let add = |part, amount| {
			self.redeemed
				.get_or_create(&labels([("part", part)]))
				.inc_by(in_open(amount));
		};
		add("compute", redemption.compute);
		add("licence", redemption.licence);
	}

	/// Money that can no longer be redeemed, in units.
	pub fn lost(&self, amount: Balance) {
		self.lost.inc_by(in_open(amount));
	}

	/// A redemption transaction.
	pub fn redemption(&self, result: &str) {
		self.redemptions
			.get_or_create(&labels([("result", result)]))
			.inc();
	}

	/// A heartbeat.
	pub fn heartbeat(&self, result: &str) {
		self.heartbeats
			.get_or_create(&labels([("result", result)]))
			.inc();
	}

	/// A usage report.
	pub fn report(&self, result: &str) {
		self.reports
			.get_or_create(&labels([("result", result)]))
			.inc();
	}

	/// Settled leaves.
	pub fn settled(&self, leaves: u64) {
		self.settled.inc_by(leaves);
	}

	/// A file that was received.
	pub fn upload(&self) {
		self.uploads.inc();
	}

	/// Follows one answer; drop it when the answer has ended.
	///
	/// `model` must not be the caller's to make up; `adapters` are the names of those that it takes.
	pub fn track(&self, model: &str, adapters: &[String]) -> Tracked {
		for adapter in adapters {
			self.adapters
				.change(adapter, |[waiting, _]| *waiting = waiting.saturating_add(1));
		}
		Tracked {
			metrics: self.clone(),
			model: self.label(model).to_owned(),
			adapters: adapters.to_vec(),
			begin: std::time::Instant::now(),
			first: None,
			last: None,
			reason: "failed",
		}
	}
}

/// One answer, for the metrics.
pub struct Tracked {
	metrics: Metrics,
	model: String,
	adapters: Vec<String>,
	begin: std::time::Instant,
	first: Option<Duration>,
	/// When the last token came.
	last: Option<std::time::Instant>,
	reason: &'static str,
}

impl Tracked {
	/// Tokens that were read.
	pub fn read(&self, tokens: u32) {
		let labels = labels([("model", &self.model), ("direction", "in")]);
		self.metrics
			.tokens
			.get_or_create(&labels)
			.inc_by(tokens.into());
	}

	/// A token was written.
	pub fn token(&mut self) {
		let now = std::time::Instant::now();
		if let Some(last) = self.last.replace(now) {
			let gap = now.duration_since(last);
			self.metrics.between.observe(gap.as_secs_f64());
		}
		if self.first.is_none() {
			let waited = self.begin.elapsed();
			self.first = Some(waited);
			self.metrics.first_token.observe(waited.as_secs_f64());
			for adapter in &self.adapters {
				self.metrics.adapters.change(adapter, |[waiting, running]| {
					*waiting = waiting.saturating_sub(1);
					*running = running.saturating_add(1);
				});
			}
		}
		let labels = labels([("model", &self.model), ("direction", "out")]);
		self.metrics.tokens.get_or_create(&labels).inc();
	}

	/// How it ended.
	pub fn ended(&mut self, reason: &'static str) {
		self.reason = reason;
	}
}

impl Drop for Tracked {
	fn drop(&mut self) {
		let which = usize::from(self.first.is_some());
		for adapter in &self.adapters {
			self.metrics.adapters.change(adapter, |counts| {
				if let Some(count) = counts.get_mut(which) {
					*count = count.saturating_sub(1);
				}
			});
		}
		self.metrics
			.latency
			.observe(self.begin.elapsed().as_secs_f64());
		if matches!(self.reason, "stop" | "length") {
			let labels = labels([
				("model_name", &self.metrics.base),
				("finished_reason", self.reason),
			]);
			self.metrics.successes.get_or_create(&labels).inc();
		}
		let labels = labels([("model", &self.model), ("ended", self.reason)]);
		self.metrics.answers.get_or_create(&labels).inc();
	}
}

struct EngineCollector {
	generator: Arc<dyn Generator>,
	files: Arc<Files>,
	adapters: Arc<Adapters>,
	tenants: Mutex<Top<Tenant, 6>>,
	model: String,
	max_batch: usize,
}

impl std::fmt::Debug for EngineCollector {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.write_str("EngineCollector")
	}
}

impl EngineCollector {
	/// What each of the tenants with most was served, and all others together.
	fn tenants(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
		let (mut told, mut others) = (Vec::new(), [0; 6]);
		for stats in self.generator.tenants() {
			let values = counters_of(&stats);
			if stats.tenant == Tenant::OTHERS {
				others = values;
				continue;
			}
			told.push(Now {
				key: stats.tenant,
				since: stats.since,
				weight: stats.tokens_in.saturating_add(stats.tokens_out),
				values,
			});
		}
		let mut top = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
		top.look(&told, others);
		let mut all: Vec<(String, TenantCounters)> = top
			.shown()
			.iter()
			.map(|(tenant, values)| (tenant.to_string(), *values))
			.collect();
		all.push((Tenant::OTHERS.to_string(), top.rest()));
		drop(top);
		let mut tell = |name: &str,
		                help: &str,
		                direction: Option<&'static str>,
		                value: &[usize]| {
			let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
			for (tenant, values) in &all {
				for (at, direction) in value.iter().zip([direction, Some("out")]) {
					let mut labels = labels([("tenant", tenant)]);
					labels.extend(direction.map(|direction| ("direction", direction.to_owned())));
					let encoder = metric.encode_family(&labels)?;
					ConstCounter::new(values[*at]).encode(encoder)?;
				}
			}
			Ok::<_, std::fmt::Error>(())
		};
		tell(
			"openledger_tenant_requests",
			"Requests begun, by tenant",
			None,
			&[0],
		)?;
		tell(
			"openledger_tenant_refused",
			"Requests refused because the queue was full, by tenant",
			None,
			&[1],
		)?;
		tell(
			"openledger_tenant_tokens",
			"Tokens by tenant and direction",
			Some("in"),
			&[3, 5],
		)?;
		tell(
			"openledger_tenant_cached_tokens",
			"Prompt tokens that were not computed again, by tenant",
			None,
			&[4],
		)?;
		let help = "Time that requests waited before they were begun, by tenant";
		let name = "openledger_tenant_queue_seconds";
		let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
		for (tenant, values) in &all {
			let labels = labels([("tenant", tenant)]);
			let waited = Duration::from_micros(values[2]).as_secs_f64();
			ConstCounter::new(waited).encode(metric.encode_family(&labels)?)?;
		}
		Ok(())
	}

	/// Bytes by where they are and what they are.
	fn tiers(
		&self,
		encoder: &mut DescriptorEncoder<'_>,
		stats: &EngineStats,
	) -> Result<(), std::fmt::Error> {
		let help = "Bytes by tier (disk, memory) and what they are (adapters, kv, kv kept for later prompts)";
		let name = "openledger_tier_bytes";
		let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
		for (tier, kind, bytes) in [
			("disk", "adapters", self.files.used() as f64),
			("memory", "adapters", stats.adapters.bytes as f64),
			("memory", "kv", stats.kv_bytes as f64),
			("memory", "kv-kept", stats.kv_cached as f64),
		] {
			let labels = labels([("tier", tier), ("kind", kind)]);
			ConstGauge::new(bytes).encode(metric.encode_family(&labels)?)?;
		}
		Ok(())
	}
}

impl Collector for EngineCollector {
	fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
		let stats = self.generator.stats();
		let model = labels([("model_name", &self.model)]);
		let usage = match stats.kv_budget {
			0 => 0.0,
			budget => stats.kv_reserved as f64 / budget as f64,
		};
		let gauges: [(&str, &str, f64); 8] = [
			(
				"openledger_kv_bytes",
				"Bytes of KV pages in use",
				stats.kv_bytes as f64,
			),
			(
				"vllm:num_requests_running",
				"Requests in the batch",
				stats.running as f64,
			),
			(
				"vllm:num_requests_waiting",
				"Requests that wait",
				stats.waiting as f64,
			),
			(
				"vllm:kv_cache_usage_perc",
				"Part of the KV memory that is set aside, 0 to 1",
				usage,
			),
			(
				"openledger_adapters_resident",
				"Adapters in memory",
				stats.adapters.resident as f64,
			),
			(
				"openledger_adapter_bytes",
				"Bytes of adapters in memory",
				stats.adapters.bytes as f64,
			),
			(
				"openledger_adapter_pinned_bytes",
				"Bytes of adapters that are pinned",
				stats.adapters.pinned_bytes as f64,
			),
			(
				"openledger_adapter_budget_bytes",
				"Most bytes of adapters",
				stats.adapter_budget as f64,
			),
		];
		for (name, help, value) in gauges {
			let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
			ConstGauge::new(value).encode(metric.encode_family(&model)?)?;
		}
		let counters: [(&str, &str, u64); 10] = [
			(
				"vllm:prompt_tokens",
				"Prompt tokens computed",
				stats.tokens_in,
			),
			(
				"vllm:generation_tokens",
				"Tokens generated",
				stats.tokens_out,
			),
			(
				"openledger_adapter_hits",
				"Requests that found their adapter in memory",
				stats.adapters.hits,
			),
			(
				"openledger_adapter_misses",
				"Requests that did not",
				stats.adapters.misses,
			),
			(
				"openledger_adapter_evictions",
				"Adapters dropped to make room",
				stats.adapters.evictions,
			),
			(
				"openledger_adapter_loads",
				"Adapters loaded",
				stats.adapters.loads,
			),
			(
				"openledger_adapter_load_failures",
				"Adapters that could not be loaded",
				stats.adapters.failures,
			),
			("openledger_engine_steps", "Batches computed", stats.steps),
			(
				"vllm:prefix_cache_queries",
				"Prompt tokens looked for among those computed before",
				stats.tokens_in,
			),
			(
				"vllm:prefix_cache_hits",
				"Those that were found",
				stats.cached_tokens,
			),
		];
		for (name, help, value) in counters {
			let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
			ConstCounter::new(value).encode(metric.encode_family(&model)?)?;
		}
		let buckets: Vec<(f64, u64)> = LOAD_BOUNDS_MS
			.iter()
			.map(|bound| *bound as f64)
			.chain([f64::INFINITY])
			.zip(stats.adapters.load_times)
			.collect();
		let name = "openledger_adapter_load_milliseconds";
		let help = "Time that adapters took to be read, verified and converted";
		let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
		metric.encode_family(&model)?.encode_histogram::<Labels>(
			stats.adapters.load_time.as_secs_f64() * 1e3,
			stats.adapters.loads,
			&buckets,
			None,
		)?;
		let name = "openledger_queue_seconds";
		let help = "Time that requests waited before they were begun";
		let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
		let waited = stats.queue_time.as_secs_f64();
		ConstCounter::new(waited).encode(metric.encode_family(&model)?)?;
		self.tenants(&mut encoder)?;
		self.tiers(&mut encoder, &stats)?;
		let lora = labels([
			("max_lora", &self.max_batch.to_string()),
			("waiting_lora_adapters", &self.adapters.names(0)),
			("running_lora_adapters", &self.adapters.names(1)),
		]);
		let now = SystemTime::now()
			.duration_since(UNIX_EPOCH)
			.unwrap_or_default();
		let help = "Adapters with requests; the value is the time of the scrape";
		let mut metric =
			encoder.encode_descriptor("vllm:lora_requests_info", help, None, MetricType::Gauge)?;
		ConstGauge::new(now.as_secs_f64()).encode(metric.encode_family(&lora)?)
	}
}
