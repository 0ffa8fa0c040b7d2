//! What `/metrics` tells of tenants, adapters and memory.

#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use serde_json::json;

/// Labels and value of each sample of a metric.
fn samples(metrics: &str, name: &str) -> Vec<(String, f64)> {
	let samples = metrics.lines().filter_map(|line| {
		let (labels, value) = line
			.strip_prefix(name)?
			.strip_prefix('{')?
			.rsplit_once("} ")?;
		Some((labels.to_owned(), value.parse().unwrap()))
	});
	samples.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_adapters_and_tiers_should_be_told_within_bounds() {
	let worker = Worker::small(&["lora", "rslora"], &[]).await;
	let ask = async |user: &str, model: &str, tokens: u32| {
		let body = json!({ "model": model, "prompt": "t5 t17 t3 t40", "max_tokens": tokens, "user": user,
			"temperature": 0, "ignore_eos": true });
		let (status, body) = worker.post("/v1/completions", &body).await;
		assert_eq!(status, 200, "{body}");
	};
	for user in 0..40 {
		ask(&user.to_string(), "lora", 2).await;
	}
	let metrics = worker.metrics().await;
	let tokens = samples(&metrics, "openledger_tenant_tokens_total");
	assert_eq!(
		tokens.len(),
		2 * 33,
		"32 tenants and the rest, each in and out: {tokens:?}"
	);
	let out = |tokens: &[(String, f64)]| {
		let out = tokens
			.iter()
			.filter(|(labels, _)| labels.contains("direction=\"out\""));
		out.map(|(_, value)| value).sum::<f64>()
	};
	assert_eq!(out(&tokens), 80.0);
	let others = |metrics: &str| {
		let all = samples(metrics, "openledger_tenant_requests_total");
		all.into_iter()
			.find(|(labels, _)| labels == "tenant=\"others\"")
			.unwrap()
			.1
	};
	assert_eq!(others(&metrics), 8.0);
	// The name is a hash: who reads it learns no user's name or key.
	ask("a-heavy-user", "rslora", 40).await;
	worker.metrics().await;
	ask("a-heavy-user", "rslora", 40).await;
	let metrics = worker.metrics().await;
	assert!(!metrics.contains("heavy"), "{metrics}");
	let heaviest = samples(&metrics, "openledger_tenant_tokens_total");
	let heaviest = heaviest.iter().map(|(_, value)| *value).fold(0.0, f64::max);
	assert!(
		heaviest >= 40.0,
		"who is served most is told by name: {heaviest}"
	);
	assert!(others(&metrics) >= 8.0);
	assert_eq!(
		samples(&metrics, "openledger_tenant_queue_seconds_total").len(),
		33
	);

	let loads = samples(&metrics, "openledger_adapter_load_milliseconds_bucket");
	assert_eq!(loads.len(), 13);
	assert!(
		loads.windows(2).all(|pair| pair[0].1 <= pair[1].1),
		"{loads:?}"
	);
	assert_eq!(loads[12].1, 2.0, "both adapters were loaded");
	assert_eq!(
		samples(&metrics, "openledger_adapter_load_milliseconds_count")[0].1,
		2.0
	);
	assert!(samples(&metrics, "openledger_adapter_load_milliseconds_sum")[0].1 > 0.0);
	let tiers = samples(&metrics, "openledger_tier_bytes");
	assert_eq!(tiers.len(), 4);
	for (labels, bytes) in &tiers {
		assert!(*bytes > 0.0 || labels.contains("kv"), "{labels}: {bytes}");
	}
	worker.stop().await;
}
