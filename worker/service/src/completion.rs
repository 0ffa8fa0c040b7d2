//! Answers over HTTP, one or several to a request, whole or as a stream.

use crate::{
	answer::name_of,
	error::Refusal,
	generator::Generator,
	http::{error_body, refuse},
	metrics::Tracked,
	openai::Asked,
	worker::{answer_id, Ready, Worker},
};
use axum::{
	response::{
		sse::{Event, KeepAlive, Sse},
		IntoResponse, Response,
	},
	Json,
};
use futures::{
	stream::{BoxStream, SelectAll},
	Stream, StreamExt,
};
use openledger_engine::{CallReader, Part, Request, StreamEvent, Tenant, TokenLogprobs, ToolCall};
use serde_json::{json, Map, Value};
use std::{
	convert::Infallible,
	sync::Arc,
	time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::OwnedSemaphorePermit;
use tracing::{field::Empty, Span};

/// Which of the two endpoints was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
	/// `/v1/chat/completions`.
	Chat,
	/// `/v1/completions`.
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

	fn id(self) -> String {
		let id = answer_id();
		match self {
			Self::Chat => id,
			Self::Text => id.replacen("chatcmpl-", "cmpl-", 1),
		}
	}
}

/// What one event adds to an answer.
#[derive(Default)]
struct Piece {
	text: String,
	calls: Vec<ToolCall>,
	token: Option<(u32, TokenLogprobs)>,
}

impl Piece {
	fn is_empty(&self) -> bool {
		self.text.is_empty() && self.calls.is_empty() && self.token.is_none()
	}
}

/// One answer under way.
struct Choice {
	tracked: Tracked,
	calls: Option<CallReader>,
	/// Calls so far.
	called: usize,
	tokens: u32,
	/// Tokens of the prompt whose keys and values were there already; of a prompt's first answer.
	cached: u32,
	first: bool,
	/// Characters of the tokens so far, for OpenAI's offsets.
	offset: usize,
	begun: bool,
}

impl Choice {
	/// What a token adds.
	fn piece(&mut self, id: u32, text: String, logprobs: Option<Box<TokenLogprobs>>) -> Piece {
		self.tracked.token();
		let mut piece = Piece {
			token: logprobs.map(|logprobs| (id, *logprobs)),
			..Piece::default()
		};
		match &mut self.calls {
			None => piece.text = text,
			Some(reader) => {
				let parts = reader.push(&text);
				for part in parts {
					match part {
						Part::Text(text) => piece.text.push_str(&text),
						Part::Call(call) => piece.calls.push(call),
					}
				}
			}
		}
		piece
	}

	/// What was withheld when the answer has ended.
	fn rest(&mut self) -> Piece {
		let text = self.calls.as_mut().and_then(CallReader::finish);
		Piece {
			text: text.unwrap_or_default(),
			..Piece::default()
		}
	}

	/// Takes new calls in; gives each the form that clients read.
	fn call(&mut self, calls: Vec<ToolCall>, streaming: bool) -> Vec<Value> {
		calls
			.into_iter()
			.map(|call| {
				let mut shown = json!({
					"id": format!("call_{:032x}", rand::random::<u128>()), "type": "function",
					"function": { "name": call.name, "arguments": call.arguments },
				});
				if streaming {
					shown["index"] = self.called.into();
				}
				self.called += 1;
				shown
			})
			.collect()
	}

	fn reason(&self, reason: &'static str) -> &'static str {
		match reason {
			"stop" if self.called > 0 => "tool_calls",
			reason => reason,
		}
	}
}

type Events = BoxStream<'static, (usize, Option<StreamEvent>)>;

/// All answers to one request, under way.
pub struct Running {
	worker: Arc<Worker>,
	kind: Kind,
	id: String,
	model: String,
	created: u64,
	prompt_tokens: u32,
	stream: bool,
	include_usage: bool,
	events: SelectAll<Events>,
	choices: Vec<Choice>,
	span: Span,
	_places: OwnedSemaphorePermit,
}

/// Begins to answer.
///
/// # Errors
/// Every refusal that is known before the first token.
pub async fn begin(
	worker: &Arc<Worker>,
	kind: Kind,
	asked: Asked,
	tenant: Option<Tenant>,
) -> Result<Running, Refusal> {
	let places = worker.places(asked.wanted.len().saturating_mul(asked.n))?;
	let mut prompt_tokens = 0u32;
	let mut name = String::new();
	let mut events = SelectAll::new();
	let mut choices = Vec::new();
	for wanted in asked.wanted {
		let ready = worker.ready(wanted).await?;
		let tokens_in = ready.tokens_in();
		prompt_tokens = prompt_tokens.saturating_add(tokens_in);
		let Ready { model, request } = ready;
		for index in 0..asked.n {
			let at = choices.len();
			let tracked = worker.metrics.track(model.label(), &model.adapters);
			let tokens = worker.generator.submit(Request {
				sampling: request.sampling.nth(index),
				tenant,
				..request.clone()
			})?;
			if index == 0 {
				tracked.read(tokens_in);
			}
			// A stream that ends without saying so must not leave its answer waiting.
			let ended = futures::stream::once(async { None });
			events.push(
				tokens
					.map(Some)
					.chain(ended)
					.map(move |event| (at, event))
					.boxed(),
			);
			choices.push(Choice {
				tracked,
				calls: asked.has_tools.then(CallReader::default),
				called: 0,
				tokens: 0,
				cached: 0,
				first: index == 0,
				offset: 0,
				begun: false,
			});
		}
		name = model.name;
	}
	let now = SystemTime::now()
		.duration_since(UNIX_EPOCH)
		.unwrap_or_default();
	let id = kind.id();
	let span = tracing::info_span!(
		"answer",
		id,
		model = name,
		choices = choices.len(),
		prompt_tokens,
		completion_tokens = Empty,
		ended = Empty
	);
	Ok(Running {
		worker: worker.clone(),
		kind,
		id,
		model: name,
		created: now.as_secs(),
		prompt_tokens,
		stream: asked.stream,
		include_usage: asked.include_usage,
		events,
		choices,
		span,
		_places: places,
	})
}

/// Adds what `more` has to the lists in `all`.
fn merge(all: &mut Value, more: Value) {
	match (all, more) {
		(all @ Value::Null, more) => *all = more,
		(Value::Object(all), Value::Object(more)) => {
			for (name, more) in more {
				match (all.get_mut(&name), more) {
					(Some(Value::Array(all)), Value::Array(more)) => all.extend(more),
					(_, more) => {
						all.insert(name, more);
					}
				}
			}
		}
		_ => {}
	}
}

impl Running {
	fn object(&self, choices: Vec<Value>) -> Value {
		json!({
			"id": self.id, "object": self.kind.object(self.stream), "created": self.created,
			"model": self.model, "choices": choices,
		})
	}

	fn usage(&self) -> Value {
		let written = self.choices.iter().map(|choice| choice.tokens);
		let written = written.fold(0u32, u32::saturating_add);
		let cached: u32 = self.choices.iter().map(|choice| choice.cached).sum();
		json!({
			"prompt_tokens": self.prompt_tokens, "completion_tokens": written,
			"total_tokens": self.prompt_tokens.saturating_add(written),
			"prompt_tokens_details": { "cached_tokens": cached },
		})
	}

	/// Notes that an answer has ended, and why.
	fn ended(&mut self, at: usize, reason: &'static str, tokens: u32, cached: u32) {
		let Some(choice) = self.choices.get_mut(at) else {
			return;
		};
		choice.tokens = tokens;
		// The prompt counts once, so what later answers to it find does not count.
		if choice.first {
			choice.cached = cached;
		}
		choice.tracked.ended(reason);
		let written: u32 = self.choices.iter().map(|choice| choice.tokens).sum();
		self.span.record("completion_tokens", written);
		self.span.record("ended", reason);
		let _entered = self.span.enter();
		tracing::debug!(tokens, reason, "answer finished");
	}

	/// Answers.
	pub async fn respond(self) -> Response {
		if self.stream {
			return Sse::new(self.chunks())
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
		struct Built {
			text: String,
			calls: Vec<Value>,
			logprobs: Value,
			reason: &'static str,
		}
		let mut built: Vec<Built> = (0..self.choices.len())
			.map(|_| Built {
				text: String::new(),
				calls: Vec::new(),
				logprobs: Value::Null,
				reason: "",
			})
			.collect();
		let mut left = self.choices.len();
		while left > 0 {
			let Some((at, event)) = self.events.next().await else {
				return Err(Refusal::ShuttingDown);
			};
			let (Some(choice), Some(whole)) = (self.choices.get_mut(at), built.get_mut(at)) else {
				continue;
			};
			let piece = match event {
				Some(StreamEvent::Token { id, text, logprobs }) => choice.piece(id, text, logprobs),
				Some(StreamEvent::Finished {
					reason,
					completion_tokens,
					cached_tokens,
					..
				}) => {
					let rest = choice.rest();
					let reason = name_of(reason);
					whole.reason = choice.reason(reason);
					self.ended(at, reason, completion_tokens, cached_tokens);
					left -= 1;
					rest
				}
				Some(StreamEvent::Embedding(_)) => continue,
				Some(StreamEvent::Failed(error)) => return Err(error.into()),
				// After its end there is nothing to wait for; before it the engine has gone.
				None if whole.reason.is_empty() => return Err(Refusal::ShuttingDown),
				None => continue,
			};
			whole.text.push_str(&piece.text);
			if let Some(choice) = self.choices.get_mut(at) {
				whole.calls.extend(choice.call(piece.calls, false));
				let told = told(&*self.worker.generator, self.kind, choice, piece.token);
				merge(&mut whole.logprobs, told);
			}
		}
		let choices = built.into_iter().enumerate().map(|(index, whole)| {
			let mut shown =
				json!({ "index": index, "finish_reason": whole.reason, "logprobs": whole.logprobs });
			match self.kind {
				Kind::Text => shown["text"] = whole.text.into(),
				Kind::Chat => {
					let mut message =
						json!({ "role": "assistant", "content": whole.text, "refusal": null });
					if !whole.calls.is_empty() {
						message["tool_calls"] = whole.calls.into();
						if message["content"] == "" {
							message["content"] = Value::Null;
						}
					}
					shown["message"] = message;
				}
			}
			shown
		});
		let mut answer = self.object(choices.collect());
		answer["usage"] = self.usage();
		Ok(answer)
	}

	/// A chunk of a stream with what is new of one answer.
	fn chunk(&mut self, at: usize, piece: Piece, reason: Option<&'static str>) -> Option<Value> {
		let generator = self.worker.generator.clone();
		let kind = self.kind;
		let choice = self.choices.get_mut(at)?;
		if piece.is_empty() && choice.begun && reason.is_none() {
			return None;
		}
		let first = !std::mem::replace(&mut choice.begun, true);
		let logprobs = told(&*generator, kind, choice, piece.token);
		let calls = choice.call(piece.calls, true);
		let reason = reason.map(|reason| choice.reason(reason));
		let mut shown = json!({ "index": at, "finish_reason": reason, "logprobs": logprobs });
		match kind {
			Kind::Text => shown["text"] = piece.text.into(),
			Kind::Chat => {
				let mut delta = Map::new();
				if first {
					delta.insert("role".into(), "assistant".into());
				}
				if first || !piece.text.is_empty() {
					delta.insert("content".into(), piece.text.into());
				}
				if !calls.is_empty() {
					delta.insert("tool_calls".into(), calls.into());
				}
				shown["delta"] = delta.into();
			}
		}
		let mut chunk = self.object(vec![shown]);
		if self.include_usage {
			chunk["usage"] = Value::Null;
		}
		Some(chunk)
	}

	fn chunks(mut self) -> impl Stream<Item = Result<Event, Infallible>> {
		async_stream::stream! {
			let data = |value: Value| Ok(Event::default().data(value.to_string()));
			let mut done = vec![false; self.choices.len()];
			let refusal = loop {
				if done.iter().all(|done| *done) {
					if self.include_usage {
						let mut last = self.object(Vec::new());
						last["usage"] = self.usage();
						yield data(last);
					}
					yield Ok(Event::default().data("[DONE]"));
					return;
				}
				let Some((at, event)) = self.events.next().await else {
					break Refusal::ShuttingDown;
				};
				let Some(choice) = self.choices.get_mut(at) else {
					continue;
				};
				let (piece, reason) = match event {
					Some(StreamEvent::Token { id, text, logprobs }) => {
						(choice.piece(id, text, logprobs), None)
					},
					Some(StreamEvent::Finished { reason, completion_tokens, cached_tokens, .. }) => {
						let rest = choice.rest();
						let reason = name_of(reason);
						self.ended(at, reason, completion_tokens, cached_tokens);
						if let Some(done) = done.get_mut(at) {
							*done = true;
						}
						(rest, Some(reason))
					},
					Some(StreamEvent::Embedding(_)) => continue,
					Some(StreamEvent::Failed(error)) => break Refusal::from(error),
					None if done.get(at) == Some(&false) => break Refusal::ShuttingDown,
					None => continue,
				};
				if let Some(chunk) = self.chunk(at, piece, reason) {
					yield data(chunk);
				}
			};
			self.span.in_scope(|| self.worker.refused(&refusal, "completion"));
			yield data(error_body(&refusal));
			yield Ok(Event::default().data("[DONE]"));
		}
	}
}

/// How probable a token was, as clients of the endpoint read it; `null` where there is nothing to tell.
fn told(
	generator: &dyn Generator,
	kind: Kind,
	choice: &mut Choice,
	token: Option<(u32, TokenLogprobs)>,
) -> Value {
	let Some((id, logprobs)) = token else {
		return Value::Null;
	};
	let (bytes, special) = generator.token(id);
	// The token that ends an answer is no part of its text.
	if special {
		return Value::Null;
	}
	let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
	let entry = |bytes: Vec<u8>, logprob: f32| json!({ "token": text(&bytes), "logprob": logprob, "bytes": bytes });
	match kind {
		Kind::Chat => {
			let top: Vec<Value> = logprobs
				.top
				.iter()
				.map(|(id, logprob)| entry(generator.token(*id).0, *logprob))
				.collect();
			let mut shown = entry(bytes, logprobs.logprob);
			shown["top_logprobs"] = top.into();
			json!({ "content": [shown], "refusal": null })
		}
		Kind::Text => {
			let offset = choice.offset;
			choice.offset += text(&bytes).chars().count();
			let top: Map<String, Value> = logprobs
				.top
				.iter()
				.map(|(id, logprob)| (text(&generator.token(*id).0), (*logprob).into()))
				.collect();
			json!({
				"tokens": [text(&bytes)], "token_logprobs": [logprobs.logprob],
				"top_logprobs": [top], "text_offset": [offset],
			})
		}
	}
}
