//! The gateway's counters.

use prometheus_client::{
	encoding::{text::encode, EncodeLabelSet},
	metrics::{counter::Counter, family::Family, gauge::Gauge},
	registry::{Registry, Unit},
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
	outcome: String,
}

/// The counters.
pub struct Metrics {
	registry: Registry,
	requests: Family<Outcome, Counter>,
	running: Gauge,
	tokens_in: Counter,
	tokens_out: Counter,
	vouchers: Counter,
	spent: Counter,
	retired: Counter,
}

impl Default for Metrics {
	fn default() -> Self {
		let mut registry = Registry::with_prefix("openledger_gateway");
		let metrics = Self {
			requests: Family::default(),
			running: Gauge::default(),
			tokens_in: Counter::default(),
			tokens_out: Counter::default(),
			vouchers: Counter::default(),
			spent: Counter::default(),
			retired: Counter::default(),
			registry: Registry::default(),
		};
		registry.register(
			"requests",
			"Requests by how they ended: ok or the code of the error",
			metrics.requests.clone(),
		);
		registry.register("running", "Requests under way", metrics.running.clone());
		registry.register(
			"tokens_in",
			"Tokens of prompts paid for",
			metrics.tokens_in.clone(),
		);
		registry.register(
			"tokens_out",
			"Tokens of answers paid for",
			metrics.tokens_out.clone(),
		);
		registry.register("vouchers", "Vouchers signed", metrics.vouchers.clone());
		registry.register_with_unit(
			"spent",
			"Price of the answers that ended, in millionths of an OPEN, rounded down each",
			Unit::Other("micro_open".into()),
			metrics.spent.clone(),
		);
		registry.register(
			"lanes_retired",
			"Lanes given up because the worker claimed what could not be explained",
			metrics.retired.clone(),
		);
		Self {
			registry,
			..metrics
		}
	}
}

/// Counts a request as running until dropped.
pub struct Running(Gauge);

impl Drop for Running {
	fn drop(&mut self) {
		self.0.dec();
	}
}

impl Metrics {
	/// A request begins.
	pub fn begin(&self) -> Running {
		self.running.inc();
		Running(self.running.clone())
	}

	/// A request has ended: `ok`, or an error's code.
	pub fn ended(&self, outcome: &str) {
		let outcome = outcome.to_owned();
		self.requests.get_or_create(&Outcome { outcome }).inc();
	}

	/// An answer was paid for: its tokens and its price in units.
	pub fn paid(&self, tokens_in: u32, tokens_out: u32, amount: u128) {
		self.tokens_in.inc_by(tokens_in.into());
		self.tokens_out.inc_by(tokens_out.into());
		self.spent
			.inc_by(u64::try_from(amount / 1_000_000_000_000).unwrap_or(u64::MAX));
	}

	/// A voucher was signed.
	pub fn voucher(&self) {
		self.vouchers.inc();
	}

	/// A lane was given up.
	pub fn retired(&self) {
		self.retired.inc();
	}

	/// All counters in the OpenMetrics text format.
	pub fn text(&self) -> String {
		let mut text = String::new();
		// Writing to a string does not fail.
		let _written = encode(&mut text, &self.registry);
		text
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn counters_should_be_readable() {
		let metrics = Metrics::default();
		let running = metrics.begin();
		metrics.ended("ok");
		metrics.ended("escrow-empty");
		metrics.paid(10, 5, 2_500_000_000_000_000_000);
		let text = metrics.text();
		assert!(text.contains("openledger_gateway_running 1"), "{text}");
		assert!(
			text.contains("requests_total{outcome=\"escrow-empty\"} 1"),
			"{text}"
		);
		assert!(text.contains("spent_micro_open_total 2500000"), "{text}");
		drop(running);
		assert!(metrics.text().contains("openledger_gateway_running 0"));
	}
}
