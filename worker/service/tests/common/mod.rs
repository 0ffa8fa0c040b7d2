//! What several of these tests need: a whole worker over real sockets, without a chain.

#![allow(dead_code, clippy::unwrap_used)]

use clap::Parser;
use openledger_worker::{
	serve::{self, Running},
	settings::{Cli, Command},
};
use serde_json::{json, Map, Value};
use std::{
	ffi::OsString,
	path::{Path, PathBuf},
};
use tokio::sync::oneshot;

/// The demo model.
pub fn model() -> PathBuf {
	let cache = || {
		let home = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache");
		std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from)
	};
	let path = std::env::var_os("OPENLEDGER_MODEL").map_or_else(
		|| cache().join("openledger/models/SmolLM2-135M-Instruct.Q4_1.gguf"),
		PathBuf::from,
	);
	assert!(
		path.exists(),
		"{} is missing: run scripts/model.sh",
		path.display()
	);
	path
}

/// The folder of the engine's small Llama and its adapters.
pub fn fixture() -> PathBuf {
	Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/fixtures/llama")
}

/// Copies the files of a folder.
pub fn copy(from: &Path, to: &Path) {
	std::fs::create_dir_all(to).unwrap();
	for file in std::fs::read_dir(from).unwrap() {
		let file = file.unwrap();
		if file.path().is_file() {
			std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
		}
	}
}

/// Writes the small model into `folder`, with a tokenizer in which every id is a word of its own (`t0`, `t1`, …).
pub fn small_model(folder: &Path) {
	copy(&fixture(), folder);
	let vocab: Map<String, Value> = (0..96).map(|id| (format!("t{id}"), id.into())).collect();
	let tokenizer = json!({"version": "1.0", "added_tokens": [], "normalizer": null,
		"pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
		"model": {"type": "WordLevel", "vocab": vocab, "unk_token": "t0"}});
	std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
}

pub struct Worker {
	pub grpc: String,
	pub http: String,
	pub data: PathBuf,
	pub store: PathBuf,
	stop: oneshot::Sender<()>,
	ended: tokio::task::JoinHandle<anyhow::Result<()>>,
	_folder: tempfile::TempDir,
}

impl Worker {
	/// A worker of the demo model, which it calls `smol`.
	pub async fn start() -> Self {
		let folder = tempfile::tempdir().unwrap();
		let more = ["--base-name", "smol", "--max-message", "64"];
		Self::with(folder, &model(), &more).await
	}

	/// A worker of the small model, which it calls `base`, with some of its adapters in the store and more arguments.
	pub async fn small(adapters: &[&str], arguments: &[&str]) -> Self {
		let folder = tempfile::tempdir().unwrap();
		let model = folder.path().join("model");
		small_model(&model);
		for adapter in adapters {
			copy(
				&fixture().join(adapter),
				&folder.path().join("store").join(adapter),
			);
		}
		let mut more = vec!["--base-name", "base", "--threads", "1"];
		more.extend(arguments);
		Self::with(folder, &model, &more).await
	}

	async fn with(folder: tempfile::TempDir, model: &Path, more: &[&str]) -> Self {
		let (store, data) = (folder.path().join("store"), folder.path().join("data"));
		let mut arguments: Vec<OsString> = [
			"openledger-worker",
			"serve",
			"--offline",
			"--grpc",
			"127.0.0.1:0",
			"--http",
			"127.0.0.1:0",
		]
		.map(OsString::from)
		.into();
		for (option, path) in [("--model", model), ("--store", &store), ("--data", &data)] {
			arguments.extend([option.into(), path.as_os_str().to_owned()]);
		}
		arguments.extend(more.iter().map(OsString::from));
		if !more.contains(&"--memory-budget") {
			arguments.extend(["--kv-budget".into(), "256".into()]);
		}
		let Command::Serve(settings) = Cli::try_parse_from(arguments).unwrap().command else {
			panic!("serve was asked for")
		};
		let running: Running = serve::start(*settings).await.unwrap();
		let (stop, stopped) = oneshot::channel();
		Self {
			grpc: format!("http://{}", running.grpc),
			http: format!("http://{}", running.http),
			data,
			store,
			stop,
			ended: tokio::spawn(running.until(async {
				let _stopped = stopped.await;
			})),
			_folder: folder,
		}
	}

	pub async fn post(&self, path: &str, body: &Value) -> (u16, String) {
		self.post_as(path, body, None).await
	}

	/// The same with a bearer token.
	pub async fn post_as(&self, path: &str, body: &Value, token: Option<&str>) -> (u16, String) {
		let url = format!("{}{path}", self.http);
		let mut request = reqwest::Client::new().post(url).json(body);
		if let Some(token) = token {
			request = request.bearer_auth(token);
		}
		let reply = request.send().await.unwrap();
		(reply.status().as_u16(), reply.text().await.unwrap())
	}

	pub async fn get(&self, path: &str) -> (u16, String) {
		let reply = reqwest::get(format!("{}{path}", self.http)).await.unwrap();
		(reply.status().as_u16(), reply.text().await.unwrap())
	}

	/// What Prometheus would read.
	pub async fn metrics(&self) -> String {
		let (status, metrics) = self.get("/metrics").await;
		assert_eq!(status, 200);
		metrics
	}

	/// The operator's token.
	pub fn token(&self) -> String {
		let token = std::fs::read_to_string(self.data.join("operator.token")).unwrap();
		token.trim().to_owned()
	}

	pub async fn stop(self) {
		self.stop.send(()).unwrap();
		self.ended.await.unwrap().unwrap();
	}
}

/// The code of an error.
pub fn code(body: &str) -> String {
	let error: Value = serde_json::from_str(body).unwrap();
	error["error"]["code"].as_str().unwrap().to_owned()
}

/// The field that an error is about.
pub fn param(body: &str) -> Value {
	let error: Value = serde_json::from_str(body).unwrap();
	error["error"]["param"].clone()
}
