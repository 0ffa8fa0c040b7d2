//! The OpenAI HTTP interface, vLLM's calls for adapters, `/health` and `/metrics`.
//!
//! Completions and embeddings are free on a worker without a chain. With a chain they answer 402: vouchers travel
//! over gRPC, and `openledger gateway` offers this same interface on the payer's side.
//!
//! Every answer carries an `x-request-id`: the client's own, if it sent a usable one. It stands in every log line of
//! the request and on its trace.

use crate::{
	catalog::{hashes_of, key_of},
	completion::{begin, Kind},
	error::{Blame, Refusal},
	generator::Generator,
	openai::{self, Fields},
	telemetry,
	worker::{Mode, Worker},
};
use axum::{
	body::Bytes,
	extract::{rejection::BytesRejection, DefaultBodyLimit, Path, State},
	http::{header, HeaderMap, StatusCode},
	middleware,
	response::{IntoResponse, Response},
	routing::{get, post},
	Json, Router,
};
use base64::Engine as _;
use futures::StreamExt;
use openledger_engine::{AdapterKey, Request, StreamEvent, Tenant};
use serde_json::{json, Value};
use std::sync::Arc;
use tower_http::cors::CorsLayer;

type Body = Result<Bytes, BytesRejection>;

/// The routes of `worker`.
pub fn router(worker: Arc<Worker>) -> Router {
	Router::new()
		.route("/v1/chat/completions", post(chat_completions))
		.route("/v1/completions", post(completions))
		.route("/v1/embeddings", post(embeddings))
		.route("/v1/models", get(models))
		.route("/v1/models/{*name}", get(model))
		.route("/v1/load_lora_adapter", post(load_adapter))
		.route("/v1/unload_lora_adapter", post(unload_adapter))
		.route("/tokenize", post(tokenize))
		.route("/detokenize", post(detokenize))
		.route("/health", get(health))
		.route("/metrics", get(metrics))
		.fallback(not_found)
		.layer(DefaultBodyLimit::max(worker.limits.message))
		.layer(middleware::from_fn(telemetry::identified))
		.layer(CorsLayer::permissive().expose_headers([telemetry::REQUEST_ID]))
		.with_state(worker)
}

/// A refusal as OpenAI's clients read it.
impl IntoResponse for Refusal {
	fn into_response(self) -> Response {
		let status =
			StatusCode::from_u16(self.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
		let mut response = (status, Json(error_body(&self))).into_response();
		if let Some(seconds) = self.retry_after() {
			response
				.headers_mut()
				.insert(header::RETRY_AFTER, seconds.into());
		}
		response
	}
}

/// A refusal as OpenAI's clients read it.
pub fn error_body(refusal: &Refusal) -> Value {
	let kind = match refusal.blame() {
		Blame::Request => "invalid_request_error",
		Blame::Payment => "insufficient_quota",
		Blame::Missing => "not_found_error",
		Blame::Caller => "authentication_error",
		Blame::Load => "rate_limit_error",
		Blame::Worker => "server_error",
	};
	let param = match refusal {
		Refusal::BadField { field, .. } => Value::from(field.as_str()),
		Refusal::Engine {
			field: Some(field), ..
		} => Value::from(*field),
		Refusal::SetNotPayable => Value::from("adapters"),
		Refusal::UnknownModel(_) | Refusal::ModelRetired(_) | Refusal::AdapterMissing { .. } => {
			Value::from("model")
		}
		_ => Value::Null,
	};
	json!({ "error": {
		"message": refusal.to_string(), "type": kind, "param": param, "code": refusal.code(),
	} })
}

/// Counts, logs and answers a refusal.
pub fn refuse(worker: &Worker, refusal: Refusal, context: &str) -> Response {
	worker.refused(&refusal, context);
	refusal.into_response()
}

async fn not_found() -> Response {
	Refusal::NotFound(
		"no such path; there are /v1/chat/completions, /v1/completions, /v1/embeddings, /v1/models, \
		 /v1/load_lora_adapter, /v1/unload_lora_adapter, /tokenize, /detokenize, /health and /metrics"
			.into(),
	)
	.into_response()
}

async fn health(State(worker): State<Arc<Worker>>) -> Response {
	let chain = match &worker.mode {
		Mode::Paid(payee) => payee.block().map(|block| Some(block.number)),
		Mode::Offline(_) => Ok(None),
	};
	match chain {
		_ if worker.is_stopping() => Refusal::ShuttingDown.into_response(),
		Ok(block) => Json(json!({ "status": "ok", "block": block })).into_response(),
		Err(refusal) => {
			(StatusCode::SERVICE_UNAVAILABLE, Json(error_body(&refusal))).into_response()
		}
	}
}

async fn metrics(State(worker): State<Arc<Worker>>) -> Response {
	let metrics = worker.metrics.clone();
	let text = tokio::task::spawn_blocking(move || metrics.render()).await;
	match text.unwrap_or(Err(std::fmt::Error)) {
		Ok(text) => {
			let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
			([(header::CONTENT_TYPE, kind)], text).into_response()
		}
		Err(error) => (
			StatusCode::INTERNAL_SERVER_ERROR,
			format!("cannot write metrics: {error}"),
		)
			.into_response(),
	}
}

async fn models(State(worker): State<Arc<Worker>>) -> Response {
	match list(&worker).await {
		Ok(models) => Json(json!({ "object": "list", "data": models })).into_response(),
		Err(refusal) => refuse(&worker, refusal, "models"),
	}
}

async fn model(State(worker): State<Arc<Worker>>, Path(name): Path<String>) -> Response {
	let listed = list(&worker).await.and_then(|models| {
		let found = models
			.into_iter()
			.find(|model| model["id"] == name.as_str());
		found.ok_or(Refusal::UnknownModel(name))
	});
	match listed {
		Ok(model) => Json(model).into_response(),
		Err(refusal) => refuse(&worker, refusal, "models"),
	}
}

fn model_entry(id: &str, parent: Option<&str>) -> Value {
	json!({
		"id": id, "object": "model", "created": 0, "owned_by": "openledger",
		"root": parent.unwrap_or(id), "parent": parent,
	})
}

async fn list(worker: &Worker) -> Result<Vec<Value>, Refusal> {
	let (base, names): (String, Vec<String>) = match &worker.mode {
		Mode::Paid(payee) => {
			let block = payee.block()?;
			let base = payee.view.base(block, payee.catalog.base).await?;
			let base = base.map(|base| base.name.clone()).unwrap_or_default();
			let adapters = payee.catalog.adapters(block).await?;
			let here = adapters.iter().filter(|adapter| {
				worker
					.files
					.missing(&crate::catalog::registered(adapter))
					.is_none()
			});
			(base, here.map(|adapter| adapter.name.clone()).collect())
		}
		Mode::Offline(offline) => {
			let offline = offline.clone();
			tokio::task::spawn_blocking(move || {
				(
					offline.base().to_owned(),
					offline.names().keys().cloned().collect(),
				)
			})
			.await
			.map_err(|_| Refusal::Store("reading the adapter store failed".into()))?
		}
	};
	let mut entries = vec![model_entry(&base, None)];
	entries.extend(names.iter().map(|name| model_entry(name, Some(&base))));
	Ok(entries)
}

fn fields(worker: &Worker, body: Body) -> Result<Fields, Refusal> {
	match body {
		Ok(body) => Fields::parse(&body),
		Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
			Err(Refusal::TooLarge {
				what: "the request's body".into(),
				limit: worker.limits.message as u64,
			})
		}
		Err(rejection) => Err(Refusal::BadRequest(rejection.body_text())),
	}
}

fn free_only(worker: &Worker) -> Result<(), Refusal> {
	match worker.mode {
		Mode::Offline(_) => Ok(()),
		Mode::Paid(_) => Err(Refusal::PaymentRequired),
	}
}

/// Whom a call is for: its API key, and what it says of its user, if either is given. Requests of others never
/// share what was computed for it, and take turns with it.
fn tenant(headers: &HeaderMap, fields: &mut Fields) -> Result<Option<Tenant>, Refusal> {
	let user: Option<String> = fields.take("user")?;
	let key = headers.get(header::AUTHORIZATION);
	if user.is_none() && key.is_none() {
		return Ok(None);
	}
	let mut name = key.map(|key| key.as_bytes().to_vec()).unwrap_or_default();
	name.push(0);
	name.extend(user.unwrap_or_default().into_bytes());
	Ok(Some(Tenant::of(name)))
}

async fn chat_completions(
	State(worker): State<Arc<Worker>>,
	headers: HeaderMap,
	body: Body,
) -> Response {
	let begun = async {
		free_only(&worker)?;
		let mut fields = fields(&worker, body)?;
		let tenant = tenant(&headers, &mut fields)?;
		begin(&worker, Kind::Chat, openai::chat(fields)?, tenant).await
	};
	match begun.await {
		Ok(running) => running.respond().await,
		Err(refusal) => refuse(&worker, refusal, "chat.completions"),
	}
}

async fn completions(
	State(worker): State<Arc<Worker>>,
	headers: HeaderMap,
	body: Body,
) -> Response {
	let begun = async {
		free_only(&worker)?;
		let mut fields = fields(&worker, body)?;
		let tenant = tenant(&headers, &mut fields)?;
		begin(&worker, Kind::Text, openai::completion(fields)?, tenant).await
	};
	match begun.await {
		Ok(running) => running.respond().await,
		Err(refusal) => refuse(&worker, refusal, "completions"),
	}
}

async fn embeddings(State(worker): State<Arc<Worker>>, headers: HeaderMap, body: Body) -> Response {
	match embed(&worker, &headers, body).await {
		Ok(answer) => Json(answer).into_response(),
		Err(refusal) => refuse(&worker, refusal, "embeddings"),
	}
}

async fn embed(worker: &Worker, headers: &HeaderMap, body: Body) -> Result<Value, Refusal> {
	free_only(worker)?;
	let mut fields = fields(worker, body)?;
	let tenant = tenant(headers, &mut fields)?;
	let asked = openai::embeddings(fields)?;
	let _place = worker.place()?;
	let mut data = Vec::with_capacity(asked.wanted.len());
	let mut read = 0u32;
	let mut model = String::new();
	// One after the other: a list of texts is one caller's, and must not fill the queue for all others.
	for (index, wanted) in asked.wanted.into_iter().enumerate() {
		let ready = worker.ready(wanted).await?;
		let tokens = ready.tokens_in();
		let mut tracked = worker
			.metrics
			.track(ready.model.label(), &ready.model.adapters);
		let mut events = worker.generator.submit(Request {
			embed: true,
			tenant,
			..ready.request
		})?;
		let vector = loop {
			match events.next().await {
				Some(StreamEvent::Embedding(vector)) => break vector,
				Some(StreamEvent::Failed(error)) => return Err(error.into()),
				Some(_) => {}
				None => return Err(Refusal::ShuttingDown),
			}
		};
		tracked.read(tokens);
		tracked.ended("embedded");
		read = read.saturating_add(tokens);
		model = ready.model.name;
		let embedding = if asked.base64 {
			let bytes: Vec<u8> = vector.iter().flat_map(|v| v.to_le_bytes()).collect();
			base64::engine::general_purpose::STANDARD
				.encode(bytes)
				.into()
		} else {
			Value::from(vector)
		};
		data.push(json!({ "object": "embedding", "index": index, "embedding": embedding }));
	}
	Ok(json!({
		"object": "list", "data": data, "model": model,
		"usage": { "prompt_tokens": read, "total_tokens": read },
	}))
}

/// Whether the call carries the operator's token.
fn from_operator(worker: &Worker, headers: &HeaderMap) -> Result<(), Refusal> {
	let value = headers.get(header::AUTHORIZATION);
	worker
		.operator
		.check_value(value.and_then(|value| value.to_str().ok()))
}

/// The adapter that an operator's call is about.
fn lora_name(fields: &mut Fields) -> Result<String, Refusal> {
	let name: Option<String> = fields.take("lora_name")?;
	name.filter(|name| !name.is_empty())
		.ok_or_else(|| Refusal::field("lora_name", "is missing"))
}

/// Does what the operator wants with the adapter of that name, once it is found. `act` may block.
async fn act(
	worker: &Worker,
	name: &str,
	act: impl FnOnce(&dyn Generator, &AdapterKey) -> Result<(), Refusal> + Send + 'static,
) -> Result<(), Refusal> {
	let served = worker.resolve(name).await?;
	let adapter = served
		.adapter
		.ok_or_else(|| Refusal::field("lora_name", "is the base model's"))?;
	let generator = worker.generator.clone();
	tokio::task::spawn_blocking(move || act(&*generator, &adapter.key))
		.await
		.map_err(|_| Refusal::Store("the engine did not answer".into()))?
}

async fn load_adapter(
	State(worker): State<Arc<Worker>>,
	headers: HeaderMap,
	body: Body,
) -> Response {
	let loaded = async {
		from_operator(&worker, &headers)?;
		let mut fields = fields(&worker, body)?;
		let name = lora_name(&mut fields)?;
		let path: Option<String> = fields.take("lora_path")?;
		let replace = fields.flag("load_inplace")?;
		load(&worker, &name, path, replace).await?;
		Ok::<_, Refusal>(name)
	};
	match loaded.await {
		Ok(name) => format!("Success: LoRA adapter '{name}' added successfully.").into_response(),
		Err(refusal) => refuse(&worker, refusal, "load_lora_adapter"),
	}
}

async fn load(
	worker: &Worker,
	name: &str,
	path: Option<String>,
	replace: bool,
) -> Result<(), Refusal> {
	match (&worker.mode, path) {
		(_, None) => {}
		(Mode::Paid(_), Some(_)) => {
			let reason = "is for workers without a chain; register the adapter and send it with \
			              `openledger adapter push`";
			return Err(Refusal::field("lora_path", reason));
		}
		(Mode::Offline(offline), Some(path)) => {
			if let Some(key) = key_of(&path) {
				worker.files.fetch(hashes_of(&key), false).await?;
			}
			let (offline, name) = (offline.clone(), name.to_owned());
			tokio::task::spawn_blocking(move || offline.add(&name, path.as_ref(), replace))
				.await
				.map_err(|_| Refusal::Store("reading the adapter store failed".into()))??;
		}
	}
	act(worker, name, |generator, key| {
		let pinned = generator.pinned().contains(key);
		// Pinning waits until it is loaded, and says why if it cannot be.
		generator.pin(key, true)?;
		match pinned {
			true => Ok(()),
			false => generator.pin(key, false),
		}
	})
	.await
}

async fn unload_adapter(
	State(worker): State<Arc<Worker>>,
	headers: HeaderMap,
	body: Body,
) -> Response {
	let unloaded = async {
		from_operator(&worker, &headers)?;
		let name = lora_name(&mut fields(&worker, body)?)?;
		act(&worker, &name, |generator, key| generator.unload(key)).await?;
		if let Mode::Offline(offline) = &worker.mode {
			offline.remove(&name);
		}
		Ok::<_, Refusal>(name)
	};
	match unloaded.await {
		Ok(name) => format!("Success: LoRA adapter '{name}' removed successfully.").into_response(),
		Err(refusal) => refuse(&worker, refusal, "unload_lora_adapter"),
	}
}

async fn tokenize(State(worker): State<Arc<Worker>>, body: Body) -> Response {
	let tokens = async {
		let mut fields = fields(&worker, body)?;
		let prompt: Option<String> = fields.take("prompt")?;
		let prompt = prompt.ok_or_else(|| Refusal::field("prompt", "is missing"))?;
		let generator = worker.generator.clone();
		let most = generator.context();
		tokio::task::spawn_blocking(move || generator.prompt(&prompt))
			.await
			.map_err(|_| Refusal::BadRequest("the prompt cannot be tokenised".into()))?
			.map(|tokens| json!({ "count": tokens.len(), "max_model_len": most, "tokens": tokens }))
	};
	match tokens.await {
		Ok(tokens) => Json(tokens).into_response(),
		Err(refusal) => refuse(&worker, refusal, "tokenize"),
	}
}

async fn detokenize(State(worker): State<Arc<Worker>>, body: Body) -> Response {
	let text = fields(&worker, body).and_then(|mut fields| {
		let tokens: Option<Vec<u32>> = fields.take("tokens")?;
		let tokens = tokens.ok_or_else(|| Refusal::field("tokens", "is missing"))?;
		worker.generator.text(&tokens)
	});
	match text {
		Ok(text) => Json(json!({ "prompt": text })).into_response(),
		Err(refusal) => refuse(&worker, refusal, "detokenize"),
	}
}
