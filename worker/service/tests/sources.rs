//! Adapters from elsewhere: a worker fetches what its store lacks from a folder or an HTTP server.

#![allow(clippy::unwrap_used)]

mod common;

use axum::{
	extract::State,
	http::{header, StatusCode, Uri},
	response::IntoResponse,
	Router,
};
use clap::Parser;
use common::*;
use openledger_engine::{AdapterKey, AdapterStore};
use openledger_worker::{
	serve,
	settings::{Cli, Command},
};
use serde_json::{json, Value};
use std::{
	path::{Path, PathBuf},
	sync::{Arc, Mutex},
};

/// Puts two adapters of the fixture into a place with the store's layout.
fn far(folder: &Path) -> [AdapterKey; 2] {
	let store = AdapterStore::open(folder).unwrap();
	["lora", "rslora"].map(|name| store.import(&fixture().join(name)).unwrap())
}

async fn text(worker: &Worker, model: &str) -> (u16, String) {
	let body = json!({ "model": model, "prompt": "t5 t17 t3 t40", "max_tokens": 12, "temperature": 0,
		"ignore_eos": true });
	let (status, body) = worker.post("/v1/completions", &body).await;
	if status != 200 {
		return (status, code(&body));
	}
	let answer: Value = serde_json::from_str(&body).unwrap();
	(
		200,
		answer["choices"][0]["text"].as_str().unwrap().to_owned(),
	)
}

/// Serves a folder over HTTP and notes what is asked; appends a byte to weights where it forges.
struct Server {
	root: PathBuf,
	forges: bool,
	asked: Mutex<Vec<String>>,
}

async fn answer(State(server): State<Arc<Server>>, uri: Uri) -> impl IntoResponse {
	server.asked.lock().unwrap().push(uri.path().to_owned());
	match std::fs::read(server.root.join(uri.path().trim_start_matches('/'))) {
		Err(_) => StatusCode::NOT_FOUND.into_response(),
		Ok(mut bytes) => {
			if server.forges && uri.path().ends_with("safetensors") {
				bytes.push(0);
			}
			let headers = [
				(header::ETAG, "\"x\""),
				(header::LAST_MODIFIED, "Sat, 21 Nov 2026 12:00:00 GMT"),
			];
			(headers, bytes).into_response()
		}
	}
}

async fn serve_folder(root: &Path, forges: bool) -> (String, Arc<Server>) {
	let server = Arc::new(Server {
		root: root.to_owned(),
		forges,
		asked: Mutex::default(),
	});
	let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
	let address = format!("http://{}/far", listener.local_addr().unwrap());
	let router = Router::new().fallback(answer).with_state(server.clone());
	tokio::spawn(async move { axum::serve(listener, router).await });
	(address, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn adapters_should_be_fetched_from_a_folder_and_kept() {
	let near = Worker::small(&["lora", "rslora"], &[]).await;
	let folder = tempfile::tempdir().unwrap();
	let [lora, rslora] = far(&folder.path().join("far"));
	let place = format!("file://{}/far", folder.path().display());
	let worker = Worker::small(&[], &["--adapter-source", &place]).await;
	let expected = text(&near, "lora").await;
	assert_eq!(text(&worker, &lora.folder()).await, expected);
	// By a name that the operator gives it.
	let body = json!({ "lora_name": "cook", "lora_path": rslora.folder() });
	let token = worker.token();
	let (status, reply) = worker
		.post_as("/v1/load_lora_adapter", &body, Some(&token))
		.await;
	assert_eq!(status, 200, "{reply}");
	assert_eq!(text(&worker, "cook").await, text(&near, "rslora").await);
	// In a set too.
	let spelt = format!("cook*0.5+{}*0.5", lora.folder());
	assert_eq!(
		text(&worker, &spelt).await,
		text(&near, "rslora*0.5+lora*0.5").await
	);
	// Once here it needs the place no more.
	std::fs::remove_dir_all(folder.path().join("far")).unwrap();
	assert!(worker.store.join(lora.folder()).is_dir());
	assert_eq!(text(&worker, &lora.folder()).await, expected);
	let unknown = format!("{}-{}", "3".repeat(64), "4".repeat(64));
	assert_eq!(text(&worker, &unknown).await, (404, "unknown-model".into()));
	near.stop().await;
	worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn adapters_should_be_fetched_over_http_once_and_forgeries_refused() {
	let folder = tempfile::tempdir().unwrap();
	let [lora, rslora] = far(&folder.path().join("far"));
	let (forger, _) = serve_folder(folder.path(), true).await;
	let worker = Worker::small(&[], &["--adapter-source", &forger]).await;
	let refused = text(&worker, &lora.folder()).await;
	assert_eq!(refused, (500, "adapter-hash-mismatch".into()));
	assert!(!worker.store.join(lora.folder()).exists());
	worker.stop().await;

	// The next place is asked where one does not have it, or something else.
	let (honest, server) = serve_folder(folder.path(), false).await;
	let both = format!("{forger},{honest}");
	let worker = Worker::small(&[], &["--adapter-source", &both]).await;
	let (model, other) = (lora.folder(), rslora.folder());
	let all = (0..8).map(|_| text(&worker, &model));
	let answers = futures::future::join_all(all).await;
	assert_eq!(answers[0].0, 200, "{answers:?}");
	assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
	assert_eq!(server.asked.lock().unwrap().len(), 2, "each file once");
	assert_eq!(text(&worker, &other).await.0, 200);
	let unknown = format!("{}-{}", "3".repeat(64), "4".repeat(64));
	for _ in 0..3 {
		assert_eq!(text(&worker, &unknown).await, (404, "unknown-model".into()));
	}
	assert_eq!(
		server.asked.lock().unwrap().len(),
		5,
		"what is absent is not asked for each time"
	);
	worker.stop().await;
}

#[tokio::test]
async fn an_address_that_cannot_be_should_be_refused_at_the_start() {
	let folder = tempfile::tempdir().unwrap();
	let model = folder.path().join("model");
	small_model(&model);
	for place in [
		"ftp://somewhere",
		"nothing",
		"https://user:secret@host/x",
		"file://host/x",
	] {
		let arguments = [
			"openledger-worker",
			"serve",
			"--offline",
			"--adapter-source",
			place,
			"--model",
		];
		let paths = [
			("--store", folder.path().join("store")),
			("--data", folder.path().join("data")),
		];
		let arguments = arguments.iter().map(std::ffi::OsString::from);
		let arguments = arguments.chain([model.clone().into_os_string()]);
		let arguments = arguments.chain(
			paths
				.into_iter()
				.flat_map(|(option, path)| [option.into(), path.into_os_string()]),
		);
		let Command::Serve(settings) = Cli::try_parse_from(arguments).unwrap().command else {
			panic!("serve was asked for")
		};
		let error = format!("{:#}", serve::start(*settings).await.unwrap_err());
		assert!(error.contains("--adapter-source"), "{error}");
		assert!(!error.contains("secret"), "{error}");
	}
}
