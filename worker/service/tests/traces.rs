//! What a worker writes into its log and sends to a collector about one request.

#![allow(clippy::unwrap_used)]

use opentelemetry_proto::tonic::{
	collector::trace::v1::{
		trace_service_server::{TraceService, TraceServiceServer},
		ExportTraceServiceRequest, ExportTraceServiceResponse,
	},
	common::v1::any_value::Value as Attribute,
	trace::v1::Span,
};
use serde_json::{json, Value};
use std::{
	path::PathBuf,
	process::{Child, Command, Stdio},
	time::{Duration, Instant},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::TcpListenerStream;

struct Collector(mpsc::UnboundedSender<Span>);

#[tonic::async_trait]
impl TraceService for Collector {
	async fn export(
		&self,
		request: tonic::Request<ExportTraceServiceRequest>,
	) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
		for resource in request.into_inner().resource_spans {
			for scope in resource.scope_spans {
				scope
					.spans
					.into_iter()
					.for_each(|span| self.0.send(span).unwrap());
			}
		}
		Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
	}
}

struct Worker(Child);

impl Drop for Worker {
	fn drop(&mut self) {
		let _gone = self.0.kill();
		let _ended = self.0.wait();
	}
}

fn model() -> PathBuf {
	let home = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache");
	let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
	let path = std::env::var_os("OPENLEDGER_MODEL").map_or_else(
		|| cache.join("openledger/models/SmolLM2-135M-Instruct.Q4_1.gguf"),
		PathBuf::from,
	);
	assert!(
		path.exists(),
		"{} is missing: run scripts/model.sh",
		path.display()
	);
	path
}

fn attribute(span: &Span, name: &str) -> Option<String> {
	let found = span
		.attributes
		.iter()
		.find(|attribute| attribute.key == name)?;
	match found.value.clone()?.value? {
		Attribute::StringValue(text) => Some(text),
		Attribute::IntValue(number) => Some(number.to_string()),
		other => panic!("{other:?}"),
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_should_be_found_by_its_name_in_log_and_trace() {
	let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
	let collector = listener.local_addr().unwrap();
	let (sender, mut spans) = mpsc::unbounded_channel();
	tokio::spawn(
		tonic::transport::Server::builder()
			.add_service(TraceServiceServer::new(Collector(sender)))
			.serve_with_incoming(TcpListenerStream::new(listener)),
	);
	let folder = tempfile::tempdir().unwrap();
	let port = std::net::TcpListener::bind("127.0.0.1:0")
		.unwrap()
		.local_addr()
		.unwrap()
		.port();
	let log = std::fs::File::create(folder.path().join("log")).unwrap();
	let child = Command::new(env!("CARGO_BIN_EXE_openledger-worker"))
		.args([
			"serve",
			"--offline",
			"--log-json",
			"--base-name",
			"smol",
			"--kv-budget",
			"128",
		])
		.args([
			"--grpc",
			"127.0.0.1:0",
			"--http",
			&format!("127.0.0.1:{port}"),
		])
		.args(["--otlp-endpoint", &format!("http://{collector}")])
		.arg("--model")
		.arg(model())
		.arg("--store")
		.arg(folder.path().join("store"))
		.arg("--data")
		.arg(folder.path().join("data"))
		.env("RUST_LOG", "openledger_worker=debug")
		.env("OTEL_BSP_SCHEDULE_DELAY", "200")
		.stderr(Stdio::from(log))
		.spawn()
		.unwrap();
	let _worker = Worker(child);
	let url = format!("http://127.0.0.1:{port}");
	let begin = Instant::now();
	while reqwest::get(format!("{url}/health")).await.is_err() {
		assert!(
			begin.elapsed() < Duration::from_secs(60),
			"the worker does not start"
		);
		tokio::time::sleep(Duration::from_millis(100)).await;
	}
	let trace = "0af7651916cd43dd8448eb211c80319c";
	let reply = reqwest::Client::new()
		.post(format!("{url}/v1/completions"))
		.header("x-request-id", "find-me")
		.header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"))
		.json(&json!({ "model": "smol", "prompt": "One, two,", "max_tokens": 3 }))
		.send()
		.await
		.unwrap();
	assert_eq!(reply.headers().get("x-request-id").unwrap(), "find-me");
	assert_eq!(reply.status(), 200);
	reply.text().await.unwrap();

	let mut found: Vec<Span> = Vec::new();
	let both = async {
		while !["answer", "POST /v1/completions"]
			.iter()
			.all(|name| found.iter().any(|span| span.name == *name))
		{
			let span = spans.recv().await.unwrap();
			if hex::encode(&span.trace_id) == trace {
				found.push(span);
			}
		}
	};
	tokio::time::timeout(Duration::from_secs(20), both)
		.await
		.unwrap();
	let named = |name: &str| found.iter().find(|span| span.name == name).unwrap();
	let (request, answer) = (named("POST /v1/completions"), named("answer"));
	assert_eq!(attribute(request, "request_id").as_deref(), Some("find-me"));
	assert_eq!(attribute(request, "status").as_deref(), Some("200"));
	assert_eq!(hex::encode(&request.parent_span_id), "b7ad6b7169203331");
	assert_eq!(answer.parent_span_id, request.span_id);
	assert_eq!(attribute(answer, "model").as_deref(), Some("smol"));
	assert_eq!(attribute(answer, "completion_tokens").as_deref(), Some("3"));

	let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
	let lines: Vec<Value> = log
		.lines()
		.map(|line| serde_json::from_str(line).unwrap())
		.collect();
	let finished = lines
		.iter()
		.find(|line| line["fields"]["message"] == "answer finished")
		.unwrap_or_else(|| panic!("no answer in {log}"));
	let ids: Vec<&Value> = finished["spans"]
		.as_array()
		.unwrap()
		.iter()
		.filter_map(|span| span.get("request_id"))
		.collect();
	assert_eq!(ids, ["find-me"], "{finished}");
}
