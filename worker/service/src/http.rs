//! The OpenAI HTTP interface, `/health` and `/metrics`.
//!
//! Completions are free on a worker without a chain. With a chain they answer 402: vouchers travel
//! over gRPC, and `openledger gateway` offers this same interface on the payer's side.

use crate::{
	answer::name_of,
	error::{Blame, Refusal},
	metrics::Tracked,
	worker::{answer_id, Input, Mode, Ready, Wanted, Worker},
};
use axum::{
	extract::{rejection::JsonRejection, DefaultBodyLimit, State},
	http::{header, StatusCode},
	response::{
		sse::{Event, KeepAlive, Sse},
		IntoResponse, Response,
	},
	routing::{get, post},
	Json, Router,
};
use futures::{stream::BoxStream, Stream, StreamExt};
use openledger_engine::{ChatMessage, Sampling, StreamEvent};
use serde::Deserialize;
use serde_json::{json, Value};
use std::{
	convert::Infallible,
	sync::Arc,
	time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::OwnedSemaphorePermit;
use tower_http::{cors::CorsLayer, trace::TraceLayer};

/// The routes of `worker`.
pub fn router(worker: Arc<Worker>) -> Router {
	Router::new()
		.route("/v1/chat/completions", post(chat_completions))
		.route("/v1/completions", post(completions))
		.route("/v1/models", get(models))
		.route("/health", get(health))
		.route("/metrics", get(metrics))
		.fallback(not_found)
		.layer(DefaultBodyLimit::max(worker.limits.message))
		.layer(CorsLayer::permissive())
		.layer(TraceLayer::new_for_http())
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

fn error_body(refusal: &Refusal) -> Value {
	let kind = match refusal.blame() {
		Blame::Request => "invalid_request_error",
		Blame::Payment => "insufficient_quota",
		Blame::Missing => "not_found_error",
		Blame::Caller => "authentication_error",
		Blame::Load => "rate_limit_error",
		Blame::Worker => "server_error",
	};
	let param = match refusal {
		Refusal::UnknownModel(_) | Refusal::ModelRetired(_) | Refusal::AdapterMissing { .. } => {
			Value::from("model")
		}
		_ => Value::Null,
	};
	json!({ "error": {
		"message": refusal.to_string(), "type": kind, "param": param, "code": refusal.code(),
	} })
}

fn refuse(worker: &Worker, refusal: Refusal, context: &str) -> Response {
	worker.refused(&refusal, context);
	refusal.into_response()
}

async fn not_found() -> Response {
	Refusal::NotFound(
		"no such path; there are /v1/chat/completions, /v1/completions, /v1/models, /health and \
		 /metrics"
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
	match worker.metrics.render() {
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
					offline.names().into_keys().collect(),
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

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
	One(String),
	Many(Vec<String>),
}

impl OneOrMany {
	fn into_vec(self) -> Vec<String> {
		match self {
			Self::One(text) => vec![text],
			Self::Many(texts) => texts,
		}
	}
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
	Text(String),
	Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
struct Part {
	#[serde(rename = "type")]
	kind: String,
	text: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Message {
	role: String,
	content: Option<Content>,
}

#[derive(Debug, Default, Deserialize)]
struct StreamOptions {
	#[serde(default)]
	include_usage: bool,
}

/// What both kinds of completion have in common. Settings that would change the answer and are not
/// honoured are listed so that they can be refused by name.
#[derive(Debug, Deserialize)]
struct Common {
	#[serde(default)]
	model: String,
	temperature: Option<f32>,
	top_p: Option<f32>,
	top_k: Option<i64>,
	seed: Option<u64>,
	max_tokens: Option<u32>,
	max_completion_tokens: Option<u32>,
	stop: Option<OneOrMany>,
	#[serde(default)]
	stream: bool,
	stream_options: Option<StreamOptions>,
	n: Option<u32>,
	frequency_penalty: Option<f32>,
	presence_penalty: Option<f32>,
	logprobs: Option<Value>,
	tools: Option<Vec<Value>>,
	response_format: Option<Value>,
	logit_bias: Option<Value>,
	echo: Option<bool>,
	suffix: Option<String>,
	best_of: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct ChatRequest {
	messages: Vec<Message>,
	#[serde(flatten)]
	common: Common,
}

#[derive(Debug, Deserialize)]
struct CompletionRequest {
	prompt: OneOrMany,
	#[serde(flatten)]
	common: Common,
}

impl Common {
	fn unsupported(&self) -> Option<&'static str> {
		let is_set = |value: &Option<Value>| {
			value.as_ref().is_some_and(|value| match value {
				Value::Null | Value::Bool(false) => false,
				Value::Object(map) => !map.is_empty(),
				_ => true,
			})
		};
		let format = self.response_format.as_ref().is_some_and(|format| {
			!format.is_null() && format.get("type").and_then(Value::as_str) != Some("text")
		});
		[
			(self.n.is_some_and(|n| n != 1), "n"),
			(self.best_of.is_some_and(|n| n != 1), "best_of"),
			(
				self.frequency_penalty.is_some_and(|p| p != 0.0),
				"frequency_penalty",
			),
			(
				self.presence_penalty.is_some_and(|p| p != 0.0),
				"presence_penalty",
			),
			(is_set(&self.logprobs), "logprobs"),
			(is_set(&self.logit_bias), "logit_bias"),
			(
				self.tools.as_ref().is_some_and(|tools| !tools.is_empty()),
				"tools",
			),
			(format, "response_format"),
			(self.echo == Some(true), "echo"),
			(
				self.suffix
					.as_ref()
					.is_some_and(|suffix| !suffix.is_empty()),
				"suffix",
			),
		]
		.into_iter()
		.find_map(|(set, name)| set.then_some(name))
	}

	fn wanted(self, input: Input) -> Result<Wanted, Refusal> {
		if let Some(name) = self.unsupported() {
			return Err(Refusal::BadRequest(format!(
				"`{name}` is not supported; leave it out"
			)));
		}
		let top_k = match self.top_k {
			None | Some(-1 | 0) => None,
			Some(k) => Some(usize::try_from(k).map_err(|_| {
				Refusal::BadRequest("`top_k` must be -1 or a positive number".into())
			})?),
		};
		Ok(Wanted {
			model: self.model,
			input,
			sampling: Sampling {
				temperature: self.temperature.unwrap_or(1.0),
				top_p: self.top_p,
				top_k,
				seed: self.seed,
			},
			max_tokens: self.max_completion_tokens.or(self.max_tokens).unwrap_or(0),
			stop: self.stop.map(OneOrMany::into_vec).unwrap_or_default(),
		})
	}
}

fn message(message: Message) -> Result<ChatMessage, Refusal> {
	let content = match message.content {
		None => String::new(),
		Some(Content::Text(text)) => text,
		Some(Content::Parts(parts)) => parts
			.into_iter()
			.map(|part| match (part.kind.as_str(), part.text) {
				("text", Some(text)) => Ok(text),
				(kind, _) => Err(Refusal::BadRequest(format!(
					"content of type {kind:?} is not supported; send text"
				))),
			})
			.collect::<Result<_, _>>()?,
	};
	Ok(ChatMessage {
		role: message.role,
		content,
	})
}

fn body<T>(worker: &Worker, body: Result<Json<T>, JsonRejection>) -> Result<T, Refusal> {
	match body {
		Ok(Json(body)) => Ok(body),
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

async fn chat_completions(
	State(worker): State<Arc<Worker>>,
	request: Result<Json<ChatRequest>, JsonRejection>,
) -> Response {
	let begin = async {
		free_only(&worker)?;
		let request = body(&worker, request)?;
		let messages = request
			.messages
			.into_iter()
			.map(message)
			.collect::<Result<Vec<_>, _>>()?;
		begin(&worker, Kind::Chat, Input::Chat(messages), request.common).await
	};
	match begin.await {
		Ok(running) => running.respond().await,
		Err(refusal) => refuse(&worker, refusal, "chat.completions"),
	}
}

async fn completions(
	State(worker): State<Arc<Worker>>,
	request: Result<Json<CompletionRequest>, JsonRejection>,
) -> Response {
	let begin = async {
		free_only(&worker)?;
		let request = body(&worker, request)?;
		let mut prompts = request.prompt.into_vec();
		let (Some(prompt), true) = (prompts.pop(), prompts.is_empty()) else {
			return Err(Refusal::BadRequest("`prompt` must be one text".into()));
		};
		begin(&worker, Kind::Text, Input::Prompt(prompt), request.common).await
	};
	match begin.await {
		Ok(running) => running.respond().await,
		Err(refusal) => refuse(&worker, refusal, "completions"),
	}
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
	Chat,
	Text,
}

impl Kind {
	fn object(self, streaming: bool) -> &'static str {
		match (self, streaming) {
			(Self::Chat, false) => "chat.completion",
			(Self::Chat, true) => "chat.completion.chunk",
			(Self::Text, _) => "text_completion",
		}
	}

	fn choice(self, streaming: bool, text: &str, first: bool, reason: Option<&str>) -> Value {
		let mut choice = json!({ "index": 0, "finish_reason": reason, "logprobs": null });
		let (field, value) = match (self, streaming) {
			(Self::Text, _) => ("text", Value::from(text)),
			(Self::Chat, false) => ("message", json!({ "role": "assistant", "content": text })),
			(Self::Chat, true) if first => {
				("delta", json!({ "role": "assistant", "content": text }))
			}
			(Self::Chat, true) if text.is_empty() && reason.is_some() => ("delta", json!({})),
			(Self::Chat, true) => ("delta", json!({ "content": text })),
		};
		choice[field] = value;
		choice
	}
}

/// An answer under way over HTTP.
struct Running {
	worker: Arc<Worker>,
	kind: Kind,
	id: String,
	model: String,
	created: u64,
	prompt_tokens: u32,
	stream: bool,
	include_usage: bool,
	tokens: BoxStream<'static, StreamEvent>,
	tracked: Tracked,
	_place: OwnedSemaphorePermit,
}

async fn begin(
	worker: &Arc<Worker>,
	kind: Kind,
	input: Input,
	common: Common,
) -> Result<Running, Refusal> {
	let place = worker.place()?;
	let stream = common.stream;
	let include_usage = common
		.stream_options
		.as_ref()
		.is_some_and(|o| o.include_usage);
	let ready = worker.ready(common.wanted(input)?).await?;
	let prompt_tokens = ready.tokens_in();
	let Ready { model, request } = ready;
	let tracked = worker.metrics.track(&model.name, model.adapter.is_some());
	let tokens = worker.generator.submit(request)?;
	tracked.read(prompt_tokens);
	let now = SystemTime::now()
		.duration_since(UNIX_EPOCH)
		.unwrap_or_default();
	Ok(Running {
		worker: worker.clone(),
		kind,
		id: answer_id(),
		model: model.name,
		created: now.as_secs(),
		prompt_tokens,
		stream,
		include_usage,
		tokens,
		tracked,
		_place: place,
	})
}

impl Running {
	fn object(&self, choices: Vec<Value>) -> Value {
		json!({
			"id": self.id, "object": self.kind.object(self.stream), "created": self.created,
			"model": self.model, "choices": choices,
		})
	}

	fn usage(&self, completion_tokens: u32) -> Value {
		json!({
			"prompt_tokens": self.prompt_tokens, "completion_tokens": completion_tokens,
			"total_tokens": self.prompt_tokens.saturating_add(completion_tokens),
		})
	}

	async fn respond(self) -> Response {
		if self.stream {
			return Sse::new(self.events())
				.keep_alive(KeepAlive::default())
				.into_response();
		}
		let worker = self.worker.clone();
		match self.whole().await {
			Ok(answer) => Json(answer).into_response(),
			Err(refusal) => refuse(&worker, refusal, "completion"),
		}
	}

	async fn whole(mut self) -> Result<Value, Refusal> {
		let mut text = String::new();
		loop {
			match self.tokens.next().await {
				Some(StreamEvent::Token { text: piece, .. }) => {
					self.tracked.token();
					text.push_str(&piece);
				}
				Some(StreamEvent::Finished {
					reason,
					completion_tokens,
					..
				}) => {
					let reason = name_of(reason);
					self.tracked.ended(reason);
					let choice = self.kind.choice(false, &text, true, Some(reason));
					let mut answer = self.object(vec![choice]);
					answer["usage"] = self.usage(completion_tokens);
					return Ok(answer);
				}
				Some(StreamEvent::Failed(error)) => return Err(error.into()),
				None => return Err(Refusal::ShuttingDown),
			}
		}
	}

	fn events(mut self) -> impl Stream<Item = Result<Event, Infallible>> {
		async_stream::stream! {
			let data = |value: Value| Ok(Event::default().data(value.to_string()));
			let mut first = true;
			let refusal = loop {
				match self.tokens.next().await {
					Some(StreamEvent::Token { text, .. }) => {
						self.tracked.token();
						if text.is_empty() && !first {
							continue;
						}
						let choice = self.kind.choice(true, &text, first, None);
						first = false;
						yield data(self.object(vec![choice]));
					},
					Some(StreamEvent::Finished { reason, completion_tokens, .. }) => {
						let reason = name_of(reason);
						self.tracked.ended(reason);
						let choice = self.kind.choice(true, "", false, Some(reason));
						yield data(self.object(vec![choice]));
						if self.include_usage {
							let mut last = self.object(Vec::new());
							last["usage"] = self.usage(completion_tokens);
							yield data(last);
						}
						yield Ok(Event::default().data("[DONE]"));
						return;
					},
					Some(StreamEvent::Failed(error)) => break Refusal::from(error),
					None => break Refusal::ShuttingDown,
				}
			};
			self.worker.refused(&refusal, "completion");
			yield data(error_body(&refusal));
			yield Ok(Event::default().data("[DONE]"));
		}
	}
}
