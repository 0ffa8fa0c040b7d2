//! The HTTP side: OpenAI's paths.

use super::{
	error::GatewayError,
	openai::{finish_reason, Head, Kind, Request},
	session::{self, End, Event},
	Gateway,
};
use axum::{
	body::Bytes,
	extract::{DefaultBodyLimit, State},
	http::{header, HeaderMap, HeaderName, HeaderValue},
	response::{
		sse::{self, KeepAlive, Sse},
		IntoResponse, Response,
	},
	routing::{get, post},
	Json, Router,
};
use serde_json::{json, Value};
use std::{convert::Infallible, sync::Arc};
use tokio::sync::mpsc;

/// Header and field that carry a receipt's digest.
pub const RECEIPT: HeaderName = HeaderName::from_static("x-openledger-receipt");
/// Most bytes of a request.
const MAX_BODY: usize = 8 * 1024 * 1024;
/// Pieces of text that wait for a slow client before the answer does.
const PIECES: usize = 256;

/// The paths.
pub fn router(gateway: Arc<Gateway>) -> Router {
	Router::new()
		.route("/v1/chat/completions", post(chat))
		.route("/v1/completions", post(text))
		.route("/v1/models", get(models))
		.route("/v1/models/{name}", get(model))
		.route("/health", get(health))
		.route("/metrics", get(metrics))
		.fallback(unknown)
		.layer(DefaultBodyLimit::max(MAX_BODY))
		.with_state(gateway)
}

type Shared = State<Arc<Gateway>>;

async fn unknown() -> GatewayError {
	GatewayError::new(
		404,
		"unknown-path",
		"There is nothing here. This gateway offers /v1/chat/completions, /v1/completions, \
		 /v1/models, /health and /metrics.",
	)
}

async fn chat(State(gateway): Shared, body: Bytes) -> Result<Response, GatewayError> {
	complete(gateway, Kind::Chat, &body).await
}

async fn text(State(gateway): Shared, body: Bytes) -> Result<Response, GatewayError> {
	complete(gateway, Kind::Text, &body).await
}

async fn complete(
	gateway: Arc<Gateway>,
	kind: Kind,
	body: &[u8],
) -> Result<Response, GatewayError> {
	let request: Request = serde_json::from_slice(body).map_err(|error| {
		GatewayError::new(
			400,
			"invalid-json",
			format!("The request cannot be read: {error}."),
		)
	})?;
	let (stream, usage) = (request.stream, request.includes_usage());
	let start = request.start(kind)?;
	let model = start.model.clone();
	let (sender, mut events) = mpsc::channel(PIECES);
	tokio::spawn(session::run(gateway, start, sender));
	let id = match events.recv().await {
		Some(Event::Started { id }) => id,
		Some(Event::Failed(error)) => return Err(error),
		_ => return Err(ended_early()),
	};
	let head = Head {
		kind,
		id,
		created: session::now(),
		model,
	};
	if stream {
		// A failure before the first text is still told by its status.
		let first = events.recv().await;
		if let Some(Event::Failed(error)) = first {
			return Err(error);
		}
		return Ok(streamed(head, first, events, usage));
	}
	whole(head, events).await
}

fn ended_early() -> GatewayError {
	GatewayError::new(500, "gateway", "The gateway broke off. Its log says why.")
}

async fn whole(head: Head, mut events: mpsc::Receiver<Event>) -> Result<Response, GatewayError> {
	let mut head = head;
	let mut text = String::new();
	loop {
		match events.recv().await {
			// Another provider took over before there was any text.
			Some(Event::Started { id }) => head.id = id,
			Some(Event::Text(more)) => text.push_str(&more),
			Some(Event::Failed(error)) => return Err(error),
			Some(Event::Finished(end)) => {
				let End {
					reason,
					tokens_in,
					tokens_out,
					receipt,
				} = end;
				let receipt = format!("{receipt:?}");
				let body = head.whole(
					&text,
					finish_reason(&reason),
					tokens_in,
					tokens_out,
					&receipt,
				);
				let mut headers = HeaderMap::new();
				if let Ok(value) = HeaderValue::from_str(&receipt) {
					headers.insert(RECEIPT, value);
				}
				return Ok((headers, Json(body)).into_response());
			}
			None => return Err(ended_early()),
		}
	}
}

fn streamed(
	head: Head,
	first: Option<Event>,
	mut events: mpsc::Receiver<Event>,
	usage: bool,
) -> Response {
	let stream = async_stream::stream! {
		let mut head = head;
		let mut next = first;
		let mut opened = false;
		loop {
			let (frames, last) = match next {
				// Another provider took over before there was any text.
				Some(Event::Started { id }) => {
					head.id = id;
					(Vec::new(), false)
				},
				Some(Event::Text(text)) => (vec![head.piece(&text)], false),
				Some(Event::Finished(end)) => {
					let receipt = format!("{:?}", end.receipt);
					let mut frames = vec![head.ending(finish_reason(&end.reason), &receipt)];
					if usage {
						frames.push(head.usage_piece(end.tokens_in, end.tokens_out));
					}
					(frames, true)
				},
				Some(Event::Failed(error)) => (vec![error.body()], true),
				None => (vec![ended_early().body()], true),
			};
			if !frames.is_empty() && !opened {
				opened = true;
				if let Some(opening) = head.opening() {
					yield piece(&opening);
				}
			}
			for frame in frames {
				yield piece(&frame);
			}
			if last {
				yield Ok(sse::Event::default().data("[DONE]"));
				return;
			}
			next = events.recv().await;
		}
	};
	Sse::new(stream)
		.keep_alive(KeepAlive::default())
		.into_response()
}

fn piece(frame: &Value) -> Result<sse::Event, Infallible> {
	Ok(sse::Event::default().data(frame.to_string()))
}

async fn models(State(gateway): Shared) -> Result<Json<Value>, GatewayError> {
	let offers = gateway.catalog.offers().await?;
	let list: Vec<Value> = offers.models.iter().map(entry).collect();
	Ok(Json(json!({ "object": "list", "data": list })))
}

async fn model(
	State(gateway): Shared,
	axum::extract::Path(name): axum::extract::Path<String>,
) -> Result<Json<Value>, GatewayError> {
	let offers = gateway.catalog.offers().await?;
	let found = offers.model(&name).map(|model| Json(entry(model)));
	found.ok_or_else(|| {
		let message =
			format!("No model is called {name:?} on this chain. GET /v1/models lists them.");
		GatewayError::new(404, "unknown-model", message)
	})
}

fn entry(model: &super::catalog::Model) -> Value {
	json!({
		"id": model.name,
		"object": "model",
		"created": 0,
		"owned_by": model.owner,
		"base": model.base,
		"adapter": model.adapter,
	})
}

async fn health(State(gateway): Shared) -> Result<Json<Value>, GatewayError> {
	let offers = gateway.catalog.offers().await?;
	Ok(Json(json!({
		"status": "ok",
		"payer": gateway.purse.payer(),
		"genesis": gateway.purse.genesis(),
		"models": offers.models.len(),
		"providers": offers.providers.len(),
	})))
}

async fn metrics(State(gateway): Shared) -> impl IntoResponse {
	let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
	([(header::CONTENT_TYPE, kind)], gateway.metrics.text())
}
