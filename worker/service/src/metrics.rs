//! What `/metrics` shows: vLLM's names where routers know them, `openledger_*` for the rest.

use crate::{generator::Generator, store::Redemption};
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
	collections::BTreeMap,
	sync::{atomic::AtomicU64, Arc, Mutex, PoisonError},
	time::{Duration, SystemTime, UNIX_EPOCH},
};

type Labels = Vec<(&'static str, String)>;
type Counters = Family<Labels, Counter>;
type Amounts = Family<Labels, Counter<f64, AtomicU64>>;

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
	/// Metrics of a worker that serves `model` with `generator` in batches of at most `max_batch`.
	pub fn new(model: &str, max_batch: usize, generator: Arc<dyn Generator>) -> Self {
		let seconds = || Histogram::new(exponential_buckets(0.005, 2.0, 16));
		let mut registry = Registry::default();
		let adapters = Arc::<Adapters>::default();
		registry.register_collector(Box::new(EngineCollector {
			generator,
			adapters: adapters.clone(),
			model: model.to_owned(),
			max_batch,
		}));
		let mut metrics = Self {
			registry: Arc::default(),
			adapters,
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

	/// The text that Prometheus reads.
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
	pub fn track(&self, model: &str, is_adapter: bool) -> Tracked {
		if is_adapter {
			self.adapters
				.change(model, |[waiting, _]| *waiting = waiting.saturating_add(1));
		}
		Tracked {
			metrics: self.clone(),
			model: model.to_owned(),
			is_adapter,
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
	is_adapter: bool,
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
			if self.is_adapter {
				self.metrics
					.adapters
					.change(&self.model, |[waiting, running]| {
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
		if self.is_adapter {
			self.metrics.adapters.change(&self.model, |counts| {
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
	adapters: Arc<Adapters>,
	model: String,
	max_batch: usize,
}

impl std::fmt::Debug for EngineCollector {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.write_str("EngineCollector")
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
		let counters: [(&str, &str, u64); 9] = [
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
			(
				"openledger_adapter_load_milliseconds",
				"Time spent loading adapters",
				stats.adapters.load_ms,
			),
			("openledger_engine_steps", "Batches computed", stats.steps),
		];
		for (name, help, value) in counters {
			let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
			ConstCounter::new(value).encode(metric.encode_family(&model)?)?;
		}
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
