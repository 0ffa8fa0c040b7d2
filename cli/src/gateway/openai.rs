//! Requests and answers in OpenAI's shape.

use super::error::GatewayError;
use openledger_proto::v1::{start::Input, Chat, Message, Sampling, Start};
use serde::Deserialize;
use serde_json::{json, Value};
use std::collections::HashMap;

/// Most tokens of an answer where the request does not say.
pub const DEFAULT_MAX_TOKENS: u32 = 512;
/// Most stop texts.
const MAX_STOPS: usize = 4;

/// A request to `/v1/chat/completions` or `/v1/completions`. Fields that mean nothing here are ignored;
/// those that would change the answer and are not supported are refused.
#[derive(Clone, Debug, Deserialize)]
pub struct Request {
	/// The model's name.
	pub model: String,
	messages: Option<Vec<ChatMessage>>,
	prompt: Option<Texts>,
	max_tokens: Option<u32>,
	max_completion_tokens: Option<u32>,
	temperature: Option<f32>,
	top_p: Option<f32>,
	top_k: Option<u32>,
	seed: Option<i64>,
	stop: Option<Texts>,
	n: Option<u32>,
	/// Whether to stream.
	#[serde(default)]
	pub stream: bool,
	stream_options: Option<StreamOptions>,
	min_p: Option<f32>,
	presence_penalty: Option<f32>,
	frequency_penalty: Option<f32>,
	repetition_penalty: Option<f32>,
	logit_bias: Option<HashMap<String, f32>>,
	min_tokens: Option<u32>,
	logprobs: Option<Value>,
	tools: Option<Vec<Value>>,
	adapters: Option<Value>,
	response_format: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
struct StreamOptions {
	#[serde(default)]
	include_usage: bool,
}

#[derive(Clone, Debug, Deserialize)]
struct ChatMessage {
	role: String,
	content: Option<Content>,
}

/// Text, or parts of text.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Content {
	Text(String),
	Parts(Vec<Part>),
}

#[derive(Clone, Debug, Deserialize)]
struct Part {
	#[serde(rename = "type")]
	kind: String,
	text: Option<String>,
}

/// One text or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Texts {
	One(String),
	Many(Vec<String>),
}

impl Texts {
	fn all(self) -> Vec<String> {
		match self {
			Self::One(text) => vec![text],
			Self::Many(texts) => texts,
		}
	}
}

/// Which of the two endpoints was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
	/// `/v1/chat/completions`.
	Chat,
	/// `/v1/completions`.
	Text,
}

impl Request {
	/// Whether a stream ends with the number of tokens.
	pub fn includes_usage(&self) -> bool {
		self.stream_options
			.as_ref()
			.is_some_and(|options| options.include_usage)
	}

	/// The request as workers take it, without the payer.
	pub fn start(self, kind: Kind) -> Result<Start, GatewayError> {
		if self.n.is_some_and(|n| n != 1) {
			return Err(GatewayError::parameter(
				"n",
				"Only one answer at a time: leave `n` out.",
			));
		}
		let asks_logprobs = match &self.logprobs {
			None | Some(Value::Null) | Some(Value::Bool(false)) => false,
			Some(_) => true,
		};
		if asks_logprobs {
			return Err(GatewayError::parameter(
				"logprobs",
				"Probabilities are not offered.",
			));
		}
		if self.tools.as_ref().is_some_and(|tools| !tools.is_empty()) {
			return Err(GatewayError::parameter("tools", "Tools are not offered."));
		}
		if self.adapters.as_ref().is_some_and(|set| !set.is_null()) {
			return Err(GatewayError::parameter(
				"adapters",
				"A receipt pays the owners of one adapter: name it in `model`.",
			));
		}
		let json_schema = json_schema(self.response_format.as_ref())?;
		let logit_bias = self
			.logit_bias
			.unwrap_or_default()
			.into_iter()
			.map(|(id, bias)| Some((id.parse().ok()?, bias)))
			.collect::<Option<HashMap<u32, f32>>>()
			.ok_or_else(|| {
				let message = "`logit_bias` maps token ids to numbers.";
				GatewayError::parameter("logit_bias", message)
			})?;
		let input = match kind {
			Kind::Chat => Input::Chat(Chat {
				messages: messages(self.messages)?,
			}),
			Kind::Text => Input::Prompt(prompt(self.prompt)?),
		};
		let between = |name, value: f32, least: f32, most: f32| {
			if (least..=most).contains(&value) {
				Ok(value)
			} else {
				Err(GatewayError::parameter(
					name,
					format!("`{name}` lies between {least} and {most}."),
				))
			}
		};
		let within = |name, value, most| between(name, value, 0.0, most);
		let penalty = |name, value: Option<f32>| between(name, value.unwrap_or(0.0), -2.0, 2.0);
		let stop = self.stop.map(Texts::all).unwrap_or_default();
		if stop.len() > MAX_STOPS || stop.iter().any(String::is_empty) {
			return Err(GatewayError::parameter(
				"stop",
				"Give at most four stop texts, none of them empty.",
			));
		}
		let max_tokens = self.max_completion_tokens.or(self.max_tokens);
		if max_tokens == Some(0) {
			return Err(GatewayError::parameter(
				"max_tokens",
				"Ask for at least one token.",
			));
		}
		Ok(Start {
			model: self.model,
			input: Some(input),
			sampling: Some(Sampling {
				temperature: within("temperature", self.temperature.unwrap_or(1.0), 2.0)?,
				top_p: within("top_p", self.top_p.unwrap_or(1.0), 1.0)?,
				top_k: self.top_k.unwrap_or(0),
				// A seed is any 64 bits; OpenAI's are signed.
				seed: self.seed.map(|seed| u64::from_ne_bytes(seed.to_ne_bytes())),
				min_p: within("min_p", self.min_p.unwrap_or(0.0), 1.0)?,
				presence_penalty: penalty("presence_penalty", self.presence_penalty)?,
				frequency_penalty: penalty("frequency_penalty", self.frequency_penalty)?,
				repetition_penalty: within(
					"repetition_penalty",
					self.repetition_penalty.unwrap_or(1.0),
					100.0,
				)?,
				logit_bias,
				min_tokens: self.min_tokens.unwrap_or(0),
			}),
			max_tokens: max_tokens.unwrap_or(DEFAULT_MAX_TOKENS),
			stop,
			payer: None,
			json_schema,
			adapters: Vec::new(),
		})
	}
}

/// The schema that `response_format` asks for; empty for plain text.
fn json_schema(format: Option<&Value>) -> Result<String, GatewayError> {
	let Some(format) = format.filter(|format| !format.is_null()) else {
		return Ok(String::new());
	};
	let schema = format
		.get("json_schema")
		.and_then(|named| named.get("schema"));
	match (format.get("type").and_then(Value::as_str), schema) {
		(Some("text"), _) => Ok(String::new()),
		(Some("json_object"), _) => Ok(json!({ "type": "object" }).to_string()),
		(Some("json_schema"), Some(schema)) => Ok(schema.to_string()),
		_ => Err(GatewayError::parameter(
			"response_format",
			"`response_format` is text, json_object, or json_schema with a `schema`.",
		)),
	}
}

fn messages(messages: Option<Vec<ChatMessage>>) -> Result<Vec<Message>, GatewayError> {
	let messages = messages.unwrap_or_default();
	if messages.is_empty() {
		return Err(GatewayError::parameter(
			"messages",
			"Give at least one message.",
		));
	}
	messages
		.into_iter()
		.map(|message| {
			let content = match message.content {
				Some(Content::Text(text)) => text,
				Some(Content::Parts(parts)) => parts
					.into_iter()
					.map(|part| match (part.kind.as_str(), part.text) {
						("text", Some(text)) => Ok(text),
						(kind, _) => Err(GatewayError::parameter(
							"messages",
							format!(
								"Messages hold text; a part of type {kind:?} is not supported."
							),
						)),
					})
					.collect::<Result<Vec<_>, _>>()?
					.concat(),
				None => String::new(),
			};
			// Newer clients call the instructions so; models know them as the system's.
			let role = match message.role.as_str() {
				"developer" => "system".to_owned(),
				_ => message.role,
			};
			Ok(Message { role, content })
		})
		.collect()
}

fn prompt(prompt: Option<Texts>) -> Result<String, GatewayError> {
	match prompt.map(Texts::all).as_deref() {
		Some([text]) if !text.is_empty() => Ok(text.clone()),
		Some([_, _, ..]) => Err(GatewayError::parameter(
			"prompt",
			"Give one prompt at a time.",
		)),
		_ => Err(GatewayError::parameter("prompt", "Give a prompt.")),
	}
}

/// What stands in every piece of an answer.
#[derive(Clone, Debug)]
pub struct Head {
	/// Which endpoint was asked.
	pub kind: Kind,
	/// The worker's name for the answer.
	pub id: String,
	/// Seconds since 1970.
	pub created: u64,
	/// The model's name.
	pub model: String,
}

impl Head {
	fn object(&self, streamed: bool) -> &'static str {
		match (self.kind, streamed) {
			(Kind::Chat, false) => "chat.completion",
			(Kind::Chat, true) => "chat.completion.chunk",
			(Kind::Text, _) => "text_completion",
		}
	}

	fn frame(&self, streamed: bool, choices: Value) -> Value {
		json!({
			"id": self.id,
			"object": self.object(streamed),
			"created": self.created,
			"model": self.model,
			"choices": choices,
		})
	}

	/// The first piece of a stream: who speaks.
	pub fn opening(&self) -> Option<Value> {
		match self.kind {
			Kind::Chat => Some(self.frame(
				true,
				json!([{
					"index": 0,
					"delta": { "role": "assistant", "content": "" },
					"finish_reason": null,
				}]),
			)),
			Kind::Text => None,
		}
	}

	/// A piece of text in a stream.
	pub fn piece(&self, text: &str) -> Value {
		let choice = match self.kind {
			Kind::Chat => {
				json!({ "index": 0, "delta": { "content": text }, "finish_reason": null })
			}
			Kind::Text => json!({ "index": 0, "text": text, "finish_reason": null }),
		};
		self.frame(true, json!([choice]))
	}

	/// The last piece of a stream with a choice: why it ended, and its receipt.
	pub fn ending(&self, reason: &str, receipt: &str) -> Value {
		let choice = match self.kind {
			Kind::Chat => json!({ "index": 0, "delta": {}, "finish_reason": reason }),
			Kind::Text => json!({ "index": 0, "text": "", "finish_reason": reason }),
		};
		let mut frame = self.frame(true, json!([choice]));
		add(&mut frame, "x-openledger-receipt", json!(receipt));
		frame
	}

	/// The number of tokens, at the end of a stream.
	pub fn usage_piece(&self, tokens_in: u32, tokens_out: u32) -> Value {
		let mut frame = self.frame(true, json!([]));
		add(&mut frame, "usage", usage(tokens_in, tokens_out));
		frame
	}

	/// A whole answer.
	pub fn whole(
		&self,
		text: &str,
		reason: &str,
		tokens_in: u32,
		tokens_out: u32,
		receipt: &str,
	) -> Value {
		let choice = match self.kind {
			Kind::Chat => json!({
				"index": 0,
				"message": { "role": "assistant", "content": text, "refusal": null },
				"logprobs": null,
				"finish_reason": reason,
			}),
			Kind::Text => {
				json!({ "index": 0, "text": text, "logprobs": null, "finish_reason": reason })
			}
		};
		let mut frame = self.frame(false, json!([choice]));
		add(&mut frame, "usage", usage(tokens_in, tokens_out));
		add(&mut frame, "x-openledger-receipt", json!(receipt));
		frame
	}
}

fn add(frame: &mut Value, name: &str, value: Value) {
	if let Some(object) = frame.as_object_mut() {
		object.insert(name.to_owned(), value);
	}
}

fn usage(tokens_in: u32, tokens_out: u32) -> Value {
	json!({
		"prompt_tokens": tokens_in,
		"completion_tokens": tokens_out,
		"total_tokens": u64::from(tokens_in) + u64::from(tokens_out),
	})
}

/// OpenAI's reasons are `stop` and `length`; an answer the client broke off has stopped.
pub fn finish_reason(reason: &str) -> &'static str {
	match reason {
		"length" => "length",
		_ => "stop",
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn start(kind: Kind, body: Value) -> Result<Start, GatewayError> {
		serde_json::from_value::<Request>(body).unwrap().start(kind)
	}

	#[test]
	fn chat_should_become_a_workers_request() {
		let start = start(
			Kind::Chat,
			json!({
				"model": "cook",
				"messages": [
					{ "role": "developer", "content": "Be brief." },
					{ "role": "user", "content": [{ "type": "text", "text": "So" }, { "type": "text", "text": "up?" }] },
				],
				"max_completion_tokens": 7,
				"temperature": 0,
				"seed": -1,
				"stop": "END",
				"user": "ignored",
				"min_p": 0.25,
				"presence_penalty": -1,
				"logit_bias": { "5": -100 },
				"response_format": { "type": "json_object" },
			}),
		)
		.unwrap();
		let Some(Input::Chat(chat)) = start.input else {
			panic!("no chat")
		};
		let messages: Vec<(&str, &str)> = chat
			.messages
			.iter()
			.map(|message| (message.role.as_str(), message.content.as_str()))
			.collect();
		assert_eq!(messages, [("system", "Be brief."), ("user", "Soup?")]);
		assert_eq!((start.max_tokens, start.stop), (7, vec!["END".to_owned()]));
		let sampling = start.sampling.unwrap();
		assert_eq!((sampling.temperature, sampling.seed), (0.0, Some(u64::MAX)));
		assert_eq!((sampling.min_p, sampling.presence_penalty), (0.25, -1.0));
		assert_eq!(sampling.logit_bias.get(&5), Some(&-100.0));
		assert_eq!(start.json_schema, "{\"type\":\"object\"}");
	}

	#[test]
	fn unsupported_and_wrong_parameters_should_be_named() {
		let user = json!([{ "role": "user", "content": "x" }]);
		let image = json!([{ "role": "user", "content": [{ "type": "image_url" }] }]);
		for (param, body) in [
			("messages", json!({ "model": "m" })),
			("messages", json!({ "model": "m", "messages": image })),
			("n", json!({ "model": "m", "messages": user, "n": 2 })),
			(
				"adapters",
				json!({ "model": "m", "messages": user, "adapters": [{ "name": "a" }] }),
			),
			(
				"logprobs",
				json!({ "model": "m", "messages": user, "logprobs": true }),
			),
			(
				"tools",
				json!({ "model": "m", "messages": user, "tools": [{}] }),
			),
			(
				"temperature",
				json!({ "model": "m", "messages": user, "temperature": 3 }),
			),
			(
				"top_p",
				json!({ "model": "m", "messages": user, "top_p": -0.1 }),
			),
			(
				"max_tokens",
				json!({ "model": "m", "messages": user, "max_tokens": 0 }),
			),
			(
				"stop",
				json!({ "model": "m", "messages": user, "stop": ["a", ""] }),
			),
			(
				"response_format",
				json!({ "model": "m", "messages": user, "response_format": { "type": "json_schema" } }),
			),
			(
				"presence_penalty",
				json!({ "model": "m", "messages": user, "presence_penalty": 3 }),
			),
			(
				"min_p",
				json!({ "model": "m", "messages": user, "min_p": 1.5 }),
			),
			(
				"logit_bias",
				json!({ "model": "m", "messages": user, "logit_bias": { "x": 1 } }),
			),
		] {
			let error = start(Kind::Chat, body).unwrap_err();
			assert_eq!((error.status, error.param), (400, Some(param)));
		}
		let error = start(Kind::Text, json!({ "model": "m", "prompt": ["a", "b"] })).unwrap_err();
		assert_eq!(error.param, Some("prompt"));
	}

	#[test]
	fn answers_should_have_openais_shape() {
		let head = Head {
			kind: Kind::Chat,
			id: "chatcmpl-1".into(),
			created: 5,
			model: "cook".into(),
		};
		let whole = head.whole("Leek.", "stop", 3, 2, "0xab");
		assert_eq!(whole["object"], "chat.completion");
		assert_eq!(whole["choices"][0]["message"]["content"], "Leek.");
		assert_eq!(whole["usage"]["total_tokens"], 5);
		assert_eq!(whole["x-openledger-receipt"], "0xab");
		assert_eq!(head.piece("Le")["choices"][0]["delta"]["content"], "Le");
		assert_eq!(
			head.ending("length", "0xab")["choices"][0]["finish_reason"],
			"length"
		);
		assert_eq!(head.usage_piece(3, 2)["choices"], json!([]));
	}
}
