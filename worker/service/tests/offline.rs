//! A whole worker with the real model, over real sockets, without a chain.

#![allow(clippy::unwrap_used)]

mod common;

use clap::Parser;
use common::*;
use openledger_proto::v1::{
	adapters_client::AdaptersClient, generate_request::Frame as Out,
	generate_response::Frame as In, inference_client::InferenceClient,
	receipts_client::ReceiptsClient, start, AdapterRequest, Chat, Finished, GenerateRequest,
	GetReceiptRequest, ListAdaptersRequest, Message, PinAdapterRequest, QuoteRequest, Sampling,
	Start,
};
use openledger_worker::{
	serve,
	settings::{Cli, Command},
};
use serde_json::{json, Value};

fn chat(stream: bool) -> Value {
	json!({
		"model": "smol", "temperature": 0, "max_tokens": 12, "stream": stream,
		"stream_options": { "include_usage": true },
		"messages": [{ "role": "user", "content": "What is the capital of France?" }],
	})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_should_answer_over_http_and_grpc_and_stop_in_order() {
	let worker = Worker::start().await;

	let (status, body) = worker.post("/v1/chat/completions", &chat(false)).await;
	assert_eq!(status, 200, "{body}");
	let whole: Value = serde_json::from_str(&body).unwrap();
	let answer = whole["choices"][0]["message"]["content"]
		.as_str()
		.unwrap()
		.to_owned();
	assert!(answer.contains("Paris"), "{answer}");
	let usage = &whole["usage"];
	let (read, written) = (&usage["prompt_tokens"], &usage["completion_tokens"]);
	assert_eq!(
		usage["total_tokens"].as_u64().unwrap(),
		read.as_u64().unwrap() + written.as_u64().unwrap()
	);

	// What was computed for a caller is there the next time, and for nobody else.
	for (user, is_cached) in [
		(None, true),
		(Some("another"), false),
		(Some("another"), true),
	] {
		let mut chat = chat(false);
		chat["user"] = user.into();
		let (status, body) = worker.post("/v1/chat/completions", &chat).await;
		assert_eq!(status, 200, "{body}");
		let again: Value = serde_json::from_str(&body).unwrap();
		assert_eq!(again["choices"][0]["message"]["content"], answer.as_str());
		let cached = &again["usage"]["prompt_tokens_details"]["cached_tokens"];
		assert_eq!(
			cached.as_u64().unwrap() > 0,
			is_cached,
			"{user:?}: {cached}"
		);
	}

	// The stream brings the same answer in pieces, then the usage, then the end.
	let (status, body) = worker.post("/v1/chat/completions", &chat(true)).await;
	assert_eq!(status, 200, "{body}");
	let events: Vec<&str> = body
		.lines()
		.filter_map(|line| line.strip_prefix("data: "))
		.collect();
	assert_eq!(events.last(), Some(&"[DONE]"));
	let chunks: Vec<Value> = events[..events.len() - 1]
		.iter()
		.map(|event| serde_json::from_str(event).unwrap())
		.collect();
	let text: String = chunks
		.iter()
		.filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
		.collect();
	assert_eq!(text, answer);
	assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
	for tokens in ["prompt_tokens", "completion_tokens", "total_tokens"] {
		assert_eq!(chunks[chunks.len() - 1]["usage"][tokens], usage[tokens]);
	}
	let reason = &chunks[chunks.len() - 2]["choices"][0]["finish_reason"];
	assert_eq!(reason, &whole["choices"][0]["finish_reason"]);

	let prompt = json!({
		"model": "smol", "prompt": "The capital of France is", "max_tokens": 5, "temperature": 0,
		"seed": 1,
	});
	let (status, body) = worker.post("/v1/completions", &prompt).await;
	assert_eq!(status, 200, "{body}");
	let text: Value = serde_json::from_str(&body).unwrap();
	assert_eq!(text["object"], "text_completion");
	assert!(!text["choices"][0]["text"].as_str().unwrap().is_empty());

	let (status, body) = worker.get("/v1/models").await;
	assert_eq!(status, 200);
	let models: Value = serde_json::from_str(&body).unwrap();
	assert_eq!(models["data"][0]["id"], "smol");
	assert_eq!(worker.get("/health").await.0, 200);
	let (status, metrics) = worker.get("/metrics").await;
	assert_eq!(status, 200);
	for line in [
		"openledger_tokens_total{model=\"smol\",direction=\"out\"}",
		"vllm:num_requests_running{model_name=\"smol\"} 0",
		"vllm:num_requests_waiting{model_name=\"smol\"} 0",
		"vllm:kv_cache_usage_perc{model_name=\"smol\"}",
		"vllm:lora_requests_info{max_lora=\"32\",waiting_lora_adapters=\"\",running_lora_adapters=\"\"}",
	] {
		assert!(metrics.contains(line), "{line} is not in {metrics}");
	}

	// Bad input: each has its code.
	let mut wrong = chat(false);
	wrong["model"] = "nobody".into();
	let (status, body) = worker.post("/v1/chat/completions", &wrong).await;
	assert_eq!((status, code(&body).as_str()), (404, "unknown-model"));
	let mut wrong = chat(false);
	wrong["messages"] = json!([]);
	let (status, body) = worker.post("/v1/chat/completions", &wrong).await;
	assert_eq!((status, code(&body).as_str()), (400, "bad-request"));
	let mut wrong = chat(false);
	wrong["tools"] = json!([{}]);
	let (status, body) = worker.post("/v1/chat/completions", &wrong).await;
	assert_eq!((status, code(&body).as_str()), (400, "bad-request"));
	assert!(body.contains("`tools[0]`"), "{body}");
	let mut wrong = chat(false);
	wrong["messages"][0]["content"] = "word ".repeat(10_000).into();
	let (status, body) = worker.post("/v1/chat/completions", &wrong).await;
	assert_eq!((status, code(&body).as_str()), (400, "prompt-too-long"));
	wrong["messages"][0]["content"] = "x".repeat(70_000).into();
	let (status, body) = worker.post("/v1/chat/completions", &wrong).await;
	assert_eq!((status, code(&body).as_str()), (400, "too-large"));
	let (status, body) = worker
		.post("/v1/chat/completions", &json!("nonsense"))
		.await;
	assert_eq!((status, code(&body).as_str()), (400, "bad-request"));

	over_grpc(&worker, &answer).await;

	worker.stop().await;
}

/// The text of an answer and how it ended.
async fn generate(
	inference: &mut InferenceClient<tonic::transport::Channel>,
	start: Start,
) -> Result<(String, Finished), tonic::Status> {
	let (frames, receiver) = tokio::sync::mpsc::channel(4);
	let frame = Some(Out::Start(start));
	frames.send(GenerateRequest { frame }).await.unwrap();
	let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
	let mut replies = inference.generate(stream).await?.into_inner();
	let mut text = String::new();
	let mut finished = None;
	while let Some(reply) = replies.message().await? {
		match reply.frame.unwrap() {
			In::Accepted(accepted) => assert!(accepted.due.is_none()),
			In::Chunk(chunk) => text.push_str(&chunk.text),
			In::Finished(end) => finished = Some(end),
			In::Settled(_) => panic!("nothing is paid, so nothing is settled"),
		}
	}
	Ok((text, finished.unwrap()))
}

async fn over_grpc(worker: &Worker, answer: &str) {
	let channel = tonic::transport::Endpoint::from_shared(worker.grpc.clone())
		.unwrap()
		.connect()
		.await
		.unwrap();
	let mut inference = InferenceClient::new(channel.clone());
	let content = "What is the capital of France?".to_owned();
	let messages = vec![Message {
		role: "user".into(),
		content,
	}];
	let input = Some(start::Input::Chat(Chat {
		messages: messages.clone(),
	}));
	let start = Start {
		model: "smol".into(),
		input,
		max_tokens: 12,
		..Start::default()
	};
	let schema = r#"{"type":"object","additionalProperties":false,"required":["city"],
		"properties":{"city":{"enum":["Paris","Rome"]}}}"#;
	let formed = Start {
		json_schema: schema.to_owned(),
		sampling: Some(Sampling {
			temperature: 1.0,
			seed: Some(3),
			presence_penalty: 0.5,
			..Sampling::default()
		}),
		max_tokens: 30,
		..start.clone()
	};
	let (text, _) = generate(&mut inference, formed.clone()).await.unwrap();
	let told: Value = serde_json::from_str(&text).unwrap();
	assert!(
		["Paris", "Rome"].contains(&told["city"].as_str().unwrap()),
		"{text}"
	);
	let wrong = Start {
		json_schema: "{".into(),
		..formed
	};
	let refused = generate(&mut inference, wrong).await.unwrap_err();
	assert_eq!(refused.code(), tonic::Code::InvalidArgument);
	assert!(refused.message().contains("json_schema"), "{refused}");
	let (text, finished) = generate(&mut inference, start).await.unwrap();
	assert_eq!(text, answer);
	assert!(finished.receipt.is_empty());

	let quote = QuoteRequest {
		model: "smol".into(),
		input: Some(openledger_proto::v1::quote_request::Input::Chat(Chat {
			messages,
		})),
		max_tokens: 12,
	};
	let quoted = inference.quote(quote).await.unwrap().into_inner();
	assert!(quoted.prompt_tokens > 10);
	assert_eq!(quoted.most, "0", "without a chain nothing costs anything");

	let mut adapters = AdaptersClient::new(channel.clone());
	let listed = adapters
		.list(ListAdaptersRequest {})
		.await
		.unwrap()
		.into_inner();
	assert!(listed.adapters.is_empty());
	let nobody = AdapterRequest {
		model: "nobody".into(),
	};
	let refused = [
		adapters.load(nobody.clone()).await.unwrap_err(),
		adapters.unload(nobody.clone()).await.unwrap_err(),
		adapters
			.pin(PinAdapterRequest {
				model: "nobody".into(),
				pinned: true,
			})
			.await
			.unwrap_err(),
	];
	for status in refused {
		assert_eq!(status.code(), tonic::Code::Unauthenticated);
		assert!(status.message().contains("operator.token"), "{status}");
	}
	let mut with_token = tonic::Request::new(nobody);
	let bearer = format!("Bearer {}", worker.token()).parse().unwrap();
	with_token.metadata_mut().insert("authorization", bearer);
	let unknown = adapters.load(with_token).await.unwrap_err();
	assert_eq!(unknown.code(), tonic::Code::NotFound);
	assert_eq!(
		unknown.metadata().get("openledger-error").unwrap(),
		"unknown-model"
	);
	let mut receipts = ReceiptsClient::new(channel.clone());
	let offline = receipts
		.get(GetReceiptRequest { key: None })
		.await
		.unwrap_err();
	assert_eq!(
		offline.metadata().get("openledger-error").unwrap(),
		"offline"
	);

	let mut health = tonic_health::pb::health_client::HealthClient::new(channel);
	let service = "openledger.inference.v1.Inference".to_owned();
	let asked = tonic_health::pb::HealthCheckRequest { service };
	let status = health.check(asked).await.unwrap().into_inner().status;
	assert_eq!(
		status,
		tonic_health::pb::health_check_response::ServingStatus::Serving as i32
	);
}

#[tokio::test]
async fn a_file_that_is_no_model_should_be_refused_with_its_name() {
	let folder = tempfile::tempdir().unwrap();
	let path = folder.path().join("broken.gguf");
	std::fs::write(&path, b"GGUF and then nothing").unwrap();
	let store = folder.path().join("store");
	let arguments = [
		"openledger-worker".into(),
		"serve".into(),
		"--offline".into(),
		"--model".into(),
		path.into_os_string(),
		"--store".into(),
		store.into_os_string(),
		"--data".into(),
		folder.path().join("data").into_os_string(),
	];
	let Command::Serve(settings) = Cli::try_parse_from(arguments).unwrap().command else {
		panic!("serve was asked for")
	};
	let error = format!("{:#}", serve::start(*settings).await.unwrap_err());
	assert!(error.contains("broken.gguf"), "{error}");
}

#[tokio::test]
async fn a_worker_without_a_key_should_say_what_to_give() {
	let arguments = ["openledger-worker", "serve", "--model", "model.gguf"];
	let Command::Serve(settings) = Cli::try_parse_from(arguments).unwrap().command else {
		panic!("serve was asked for")
	};
	let error = format!("{:#}", serve::start(*settings).await.unwrap_err());
	assert!(
		error.contains("--key") && error.contains("--offline"),
		"{error}"
	);
}
