//! Several adapters at once, over HTTP and gRPC, on a worker with a small model.

#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use openledger_proto::v1::{
	generate_request::Frame as Out, generate_response::Frame as In,
	inference_client::InferenceClient, start, GenerateRequest, Start, WeightedAdapter,
};
use serde_json::{json, Value};

const PROMPT: &str = "t5 t17 t3 t40";

async fn complete(worker: &Worker, extra: Value) -> (u16, String) {
	let mut body = json!({ "model": "base", "prompt": PROMPT, "max_tokens": 12, "temperature": 0,
		"ignore_eos": true });
	for (name, value) in extra.as_object().unwrap() {
		body[name] = value.clone();
	}
	worker.post("/v1/completions", &body).await
}

async fn text(worker: &Worker, extra: Value) -> String {
	let (status, body) = complete(worker, extra.clone()).await;
	assert_eq!(status, 200, "{extra}: {body}");
	let answer: Value = serde_json::from_str(&body).unwrap();
	answer["choices"][0]["text"].as_str().unwrap().to_owned()
}

async fn meaning(worker: &Worker, extra: Value) -> Vec<f32> {
	let mut body = json!({ "model": "base", "input": PROMPT });
	for (name, value) in extra.as_object().unwrap() {
		body[name] = value.clone();
	}
	let (status, reply) = worker.post("/v1/embeddings", &body).await;
	assert_eq!(status, 200, "{extra}: {reply}");
	let reply: Value = serde_json::from_str(&reply).unwrap();
	serde_json::from_value(reply["data"][0]["embedding"].clone()).unwrap()
}

fn apart(a: &[f32], b: &[f32]) -> f32 {
	a.iter()
		.zip(b)
		.map(|(a, b)| (a - b).abs())
		.fold(0.0, f32::max)
}

async fn over_grpc(worker: &Worker, start: Start) -> Result<String, tonic::Status> {
	let mut inference = InferenceClient::connect(worker.grpc.clone()).await.unwrap();
	let (frames, receiver) = tokio::sync::mpsc::channel(4);
	let frame = Some(Out::Start(start));
	frames.send(GenerateRequest { frame }).await.unwrap();
	let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
	let mut replies = inference.generate(stream).await?.into_inner();
	let mut text = String::new();
	while let Some(reply) = replies.message().await? {
		if let In::Chunk(chunk) = reply.frame.unwrap() {
			text.push_str(&chunk.text);
		}
	}
	Ok(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_should_be_served_however_it_is_named() {
	let worker = Worker::small(&["lora", "rslora", "patterns"], &[]).await;
	let listed = json!({ "adapters": [
		{ "name": "lora", "weight": 0.6 }, { "name": "rslora", "weight": -0.4 }, { "name": "patterns" },
	] });
	let spelt = json!({ "model": "lora*0.6+rslora*-0.4+patterns" });
	let together = text(&worker, listed.clone()).await;
	assert_eq!(together, text(&worker, spelt.clone()).await);
	assert_ne!(together, text(&worker, json!({})).await);
	for alone in ["lora", "rslora", "patterns"] {
		assert_ne!(together, text(&worker, json!({ "model": alone })).await);
	}
	let start = Start {
		model: "base".into(),
		input: Some(start::Input::Prompt(PROMPT.into())),
		max_tokens: 12,
		sampling: Some(openledger_proto::v1::Sampling {
			min_tokens: 12,
			..Default::default()
		}),
		adapters: [("lora", 0.6), ("rslora", -0.4), ("patterns", 1.0)]
			.map(|(name, weight)| WeightedAdapter {
				name: name.into(),
				weight,
			})
			.into(),
		..Start::default()
	};
	assert_eq!(over_grpc(&worker, start.clone()).await.unwrap(), together);

	// What a set of one with weight 1 means is what its member means, and weights count.
	let alone = meaning(&worker, json!({ "model": "lora" })).await;
	let once = meaning(&worker, json!({ "adapters": [{ "name": "lora" }] })).await;
	let half = meaning(&worker, json!({ "model": "lora*0.5" })).await;
	let base = meaning(&worker, json!({})).await;
	assert!(apart(&alone, &once) < 1e-6);
	assert!(apart(&alone, &half) > 1e-4 && apart(&base, &half) > 1e-4);

	// The answer says what was asked, and a metric's label is not the caller's to make.
	let (_, body) = complete(&worker, spelt).await;
	assert!(body.contains("lora*0.6+rslora*-0.4+patterns"), "{body}");
	let metrics = worker.metrics().await;
	assert!(
		metrics.contains("openledger_answers_total{model=\"(set)\",ended=\"length\"} 4"),
		"{metrics}"
	);
	assert!(!metrics.contains("lora*0.6"), "{metrics}");

	let mut wrong = start;
	wrong.adapters[1].weight = f32::NAN;
	let refused = over_grpc(&worker, wrong).await.unwrap_err();
	assert_eq!(refused.code(), tonic::Code::InvalidArgument);
	assert_eq!(
		refused.metadata().get("openledger-error").unwrap(),
		"adapter-bad-set"
	);
	worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sets_that_cannot_be_should_be_refused_by_name() {
	let worker = Worker::small(&["lora", "rslora"], &[]).await;
	let nine = ["lora"; 9].join("+");
	for (extra, expected) in [
		(
			json!({ "adapters": [{ "name": "lora" }, { "name": "nobody" }] }),
			(404, "unknown-model"),
		),
		(json!({ "model": "lora+nobody" }), (404, "unknown-model")),
		(json!({ "model": "nobody+" }), (404, "unknown-model")),
		(
			json!({ "model": "lora*nan+rslora" }),
			(400, "adapter-bad-set"),
		),
		(
			json!({ "model": "lora*1e39+rslora" }),
			(400, "adapter-bad-set"),
		),
		(
			json!({ "model": "lora*0+rslora" }),
			(400, "adapter-bad-set"),
		),
		(json!({ "model": "lora*101" }), (400, "adapter-bad-set")),
		(json!({ "model": "lora+lora" }), (400, "adapter-bad-set")),
		(json!({ "model": nine }), (400, "adapter-bad-set")),
		(json!({ "model": "lora+base" }), (400, "bad-request")),
		(
			json!({ "model": "lora", "adapters": [{ "name": "rslora" }] }),
			(400, "bad-request"),
		),
		(json!({ "adapters": [] }), (400, "bad-request")),
		(
			json!({ "adapters": [{ "name": "lora", "weight": "much" }] }),
			(400, "bad-request"),
		),
	] {
		let (status, body) = complete(&worker, extra.clone()).await;
		assert_eq!((status, code(&body).as_str()), expected, "{extra}: {body}");
		let field = param(&body);
		let field = field.as_str().unwrap();
		assert!(
			field.starts_with("adapters") || field == "model",
			"{extra}: {field}"
		);
	}
	// Nothing of it harms the next request.
	text(&worker, json!({ "model": "lora+rslora" })).await;
	worker.stop().await;
}
