//! Requests in OpenAI's shape: from a body to what a worker can answer.
//!
//! Each field is read on its own, so that a wrong one is refused by its name. Fields that say nothing about the answer
//! (`user`, `metadata`, `store`, …) are ignored, as OpenAI ignores what it does not know; those that would change it
//! and are not honoured are refused by name.

use crate::{
	catalog::Member,
	error::Refusal,
	worker::{Input, Wanted},
};
use openledger_engine::{AdapterSet, Chat, Constraint, Sampling, Tool, ToolCall, ToolChoice, Turn};
use serde::de::DeserializeOwned;
use serde_json::{json, Map, Value};
use std::collections::BTreeMap;

/// Most answers to one request: prompts times `n`.
pub const MAX_CHOICES: usize = 32;

/// Most texts of one request for embeddings.
pub const MAX_TEXTS: usize = 256;

/// Most tools of a request.
const MAX_TOOLS: usize = 128;

/// Most characters of a tool's name.
const MAX_NAME: usize = 64;

/// Fields that would change the answer and are not honoured, with what their neutral values are.
const NOT_HONOURED: [&str; 17] = [
	"audio",
	"bad_words",
	"best_of",
	"echo",
	"function_call",
	"functions",
	"guided_choice",
	"guided_grammar",
	"guided_json",
	"guided_regex",
	"prediction",
	"prompt_logprobs",
	"stop_token_ids",
	"structured_outputs",
	"suffix",
	"use_beam_search",
	"web_search_options",
];

/// The fields of a request that are not read yet.
pub struct Fields(Map<String, Value>);

impl Fields {
	/// The fields of a body.
	///
	/// # Errors
	/// [`Refusal::BadRequest`] when it is no JSON object.
	pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
		match serde_json::from_slice(body) {
			Ok(Value::Object(fields)) => Ok(Self(fields)),
			Ok(_) => Err(Refusal::BadRequest("the body must be a JSON object".into())),
			Err(error) => Err(Refusal::BadRequest(format!("the body is no JSON: {error}"))),
		}
	}

	/// Takes a field out; `null` is as good as not there.
	fn raw(&mut self, name: &str) -> Option<Value> {
		self.0.remove(name).filter(|value| !value.is_null())
	}

	/// Takes a field of a type out.
	///
	/// # Errors
	/// [`Refusal::BadField`].
	pub fn take<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<Option<T>, Refusal> {
		self.raw(name)
			.map(serde_json::from_value)
			.transpose()
			.map_err(|error| Refusal::field(name, format!("cannot be read: {error}")))
	}

	/// Takes a flag out; it is off where it is not given.
	pub fn flag(&mut self, name: &'static str) -> Result<bool, Refusal> {
		Ok(self.take(name)?.unwrap_or(false))
	}

	/// The name of the model.
	pub fn model(&mut self) -> Result<String, Refusal> {
		let model: Option<String> = self.take("model")?;
		model.ok_or_else(|| Refusal::field("model", "is missing"))
	}

	/// Refuses what would change the answer and is not honoured.
	fn refuse_unsupported(&mut self) -> Result<(), Refusal> {
		for name in NOT_HONOURED {
			let neutral = match self.raw(name) {
				None | Some(Value::Bool(false)) => true,
				Some(Value::Number(number)) => number.as_u64() == Some(1),
				Some(Value::String(text)) => text.is_empty(),
				Some(Value::Array(items)) => items.is_empty(),
				Some(_) => false,
			};
			if !neutral {
				return Err(Refusal::field(name, "is not supported; leave it out"));
			}
		}
		let modalities: Vec<String> = self.take("modalities")?.unwrap_or_default();
		if modalities.iter().any(|kind| kind != "text") {
			return Err(Refusal::field("modalities", "must be [\"text\"]"));
		}
		Ok(())
	}
}

/// A request for completions.
#[derive(Debug)]
pub struct Asked {
	/// What is to be answered, one for each prompt.
	pub wanted: Vec<Wanted>,
	/// Answers to each prompt.
	pub n: usize,
	/// Whether the answer streams.
	pub stream: bool,
	/// Whether the stream tells how many tokens it took.
	pub include_usage: bool,
	/// Whether calls of tools are to be read out of the answer.
	pub has_tools: bool,
}

/// A request to `/v1/chat/completions`.
///
/// # Errors
/// [`Refusal::BadField`].
pub fn chat(mut fields: Fields) -> Result<Asked, Refusal> {
	fields.refuse_unsupported()?;
	let messages = match fields.raw("messages") {
		None => return Err(Refusal::field("messages", "is missing")),
		Some(Value::Array(messages)) => messages,
		Some(_) => return Err(Refusal::field("messages", "must be a list")),
	};
	let messages = messages.into_iter().enumerate().map(message);
	let messages = messages.collect::<Result<Vec<Turn>, Refusal>>()?;
	let wants_logprobs = fields.flag("logprobs")?;
	let top: Option<usize> = fields.take("top_logprobs")?;
	if top.is_some_and(|most| most > 0) && !wants_logprobs {
		let reason = "is given without `logprobs`; set that to true";
		return Err(Refusal::field("top_logprobs", reason));
	}
	let logprobs = wants_logprobs.then(|| top.unwrap_or(0));
	let tools = tools(&mut fields)?;
	let choice = choice(&mut fields, &tools)?;
	let parallel = fields.take("parallel_tool_calls")?.unwrap_or(true);
	let format = format(&mut fields)?;
	let has_tools = choice.is_some();
	let form = match (&choice, format) {
		(None, format) => format.map(|format| (format, "response_format")),
		(Some(choice), format) => {
			let calls = Constraint::tool_calls(&tools, choice, parallel, format.as_ref());
			let calls = calls
				.map_err(|error| Refusal::field("tools", format!("cannot be used: {error}")))?;
			Some((calls, "tools"))
		}
	};
	let tools = if has_tools { tools } else { Vec::new() };
	let input = Input::Chat(Chat { messages, tools });
	asked(fields, vec![input], logprobs, form, has_tools)
}

/// A request to `/v1/completions`.
///
/// # Errors
/// [`Refusal::BadField`].
pub fn completion(mut fields: Fields) -> Result<Asked, Refusal> {
	fields.refuse_unsupported()?;
	for name in ["tools", "tool_choice"] {
		if fields.raw(name).is_some() {
			let reason = "is for /v1/chat/completions; leave it out";
			return Err(Refusal::field(name, reason));
		}
	}
	let prompt = fields.raw("prompt");
	let inputs = inputs("prompt", prompt, MAX_CHOICES)?;
	let logprobs = fields.take("logprobs")?;
	let form = format(&mut fields)?.map(|format| (format, "response_format"));
	asked(fields, inputs, logprobs, form, false)
}

/// What chats and completions have in common.
fn asked(
	mut fields: Fields,
	inputs: Vec<Input>,
	logprobs: Option<usize>,
	form: Option<(Constraint, &'static str)>,
	has_tools: bool,
) -> Result<Asked, Refusal> {
	let n = fields.take("n")?.unwrap_or(1usize);
	if n == 0 || n.saturating_mul(inputs.len()) > MAX_CHOICES {
		let reason = format!("must be at least 1, and with all prompts at most {MAX_CHOICES}");
		return Err(Refusal::field("n", reason));
	}
	let model = fields.model()?;
	let adapters = adapters(&mut fields)?;
	let mut max_tokens = 0;
	for name in ["max_tokens", "max_completion_tokens"] {
		if let Some(most) = fields.take(name)? {
			max_tokens = most;
			if most == 0 {
				return Err(Refusal::field(name, "must be at least 1"));
			}
		}
	}
	let stop = match fields.raw("stop") {
		None => Vec::new(),
		Some(Value::String(text)) => vec![text],
		Some(texts) => serde_json::from_value(texts)
			.map_err(|_| Refusal::field("stop", "must be a text or a list of texts"))?,
	};
	let sampling = sampling(&mut fields, logprobs)?;
	let stream = fields.flag("stream")?;
	let options: Map<String, Value> = fields.take("stream_options")?.unwrap_or_default();
	let include_usage = options.get("include_usage") == Some(&Value::Bool(true));
	let wanted = inputs
		.into_iter()
		.map(|input| Wanted {
			model: model.clone(),
			adapters: adapters.clone(),
			input,
			sampling: sampling.clone(),
			max_tokens,
			stop: stop.clone(),
			form: form.clone(),
		})
		.collect();
	Ok(Asked {
		wanted,
		n,
		stream,
		include_usage,
		has_tools,
	})
}

/// A weighted set of adapters in place of one: `[{"name": …, "weight": …}, …]`.
fn adapters(fields: &mut Fields) -> Result<Vec<Member>, Refusal> {
	let Some(adapters) = fields.raw("adapters") else {
		return Ok(Vec::new());
	};
	let wrong = || {
		let most = AdapterSet::MAX_MEMBERS;
		let reason =
			format!("must be a list of 1 to {most} adapters, each with a `name` and a `weight`");
		Refusal::field("adapters", reason)
	};
	let Value::Array(adapters) = adapters else {
		return Err(wrong());
	};
	if adapters.is_empty() || adapters.len() > AdapterSet::MAX_MEMBERS {
		return Err(wrong());
	}
	let member = |(at, member): (usize, &Value)| {
		let name = member.get("name").and_then(Value::as_str);
		let name = name.filter(|name| !name.is_empty()).ok_or_else(|| {
			Refusal::field(format!("adapters[{at}].name"), "must be an adapter's name")
		})?;
		let weight = match member.get("weight") {
			None | Some(Value::Null) => Some(1.0),
			Some(weight) => weight.as_f64(),
		};
		let weight = weight.map(|weight| weight as f32);
		let within = |weight: &f32| *weight != 0.0 && weight.abs() <= AdapterSet::MAX_WEIGHT;
		let weight = weight.filter(within).ok_or_else(|| {
			let most = AdapterSet::MAX_WEIGHT;
			let reason = format!("must be a number between -{most} and {most}, and not 0");
			Refusal::field(format!("adapters[{at}].weight"), reason)
		})?;
		Ok(Member {
			name: name.to_owned(),
			weight,
		})
	};
	adapters.iter().enumerate().map(member).collect()
}

fn sampling(fields: &mut Fields, logprobs: Option<usize>) -> Result<Sampling, Refusal> {
	let top_k = match fields.take::<i64>("top_k")? {
		None | Some(-1 | 0) => None,
		Some(k) => Some(
			usize::try_from(k)
				.map_err(|_| Refusal::field("top_k", "must be -1 or a positive number"))?,
		),
	};
	let bias: BTreeMap<String, f32> = fields.take("logit_bias")?.unwrap_or_default();
	let logit_bias = bias
		.into_iter()
		.map(|(id, bias)| Some((id.parse().ok()?, bias)))
		.collect::<Option<Vec<(u32, f32)>>>()
		.ok_or_else(|| Refusal::field("logit_bias", "must map token ids to numbers"))?;
	// Any 64 bits are a seed; OpenAI's are signed.
	let seed = match fields.raw("seed") {
		None => None,
		Some(seed) => match (seed.as_u64(), seed.as_i64()) {
			(Some(seed), _) => Some(seed),
			(None, Some(seed)) => Some(u64::from_ne_bytes(seed.to_ne_bytes())),
			_ => return Err(Refusal::field("seed", "must be a whole number of 64 bits")),
		},
	};
	let least = fields.take("min_tokens")?.unwrap_or(0);
	let min_tokens = match fields.flag("ignore_eos")? {
		true => usize::MAX,
		false => least,
	};
	Ok(Sampling {
		temperature: fields.take("temperature")?.unwrap_or(1.0),
		top_p: fields.take("top_p")?,
		top_k,
		min_p: fields.take("min_p")?,
		presence_penalty: fields.take("presence_penalty")?.unwrap_or(0.0),
		frequency_penalty: fields.take("frequency_penalty")?.unwrap_or(0.0),
		repetition_penalty: fields.take("repetition_penalty")?,
		logit_bias,
		logprobs,
		min_tokens,
		seed,
	})
}

/// Text, or parts of text, of the message at `field`.
fn text(value: Option<&Value>, field: &str) -> Result<String, Refusal> {
	match value {
		None | Some(Value::Null) => Ok(String::new()),
		Some(Value::String(text)) => Ok(text.clone()),
		Some(Value::Array(parts)) => parts
			.iter()
			.map(|part| {
				let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
				let text = match kind {
					"text" | "refusal" => part.get(kind).and_then(Value::as_str),
					_ => None,
				};
				text.ok_or_else(|| {
					let reason = format!("has a part of type {kind:?}; only text is supported");
					Refusal::field(format!("{field}.content"), reason)
				})
			})
			.collect(),
		Some(_) => Err(Refusal::field(
			format!("{field}.content"),
			"must be a text or a list of parts",
		)),
	}
}

fn message((at, message): (usize, Value)) -> Result<Turn, Refusal> {
	let field = format!("messages[{at}]");
	let Some(role) = message.get("role").and_then(Value::as_str) else {
		return Err(Refusal::field(format!("{field}.role"), "is missing"));
	};
	let calls = match message.get("tool_calls") {
		None | Some(Value::Null) => Vec::new(),
		Some(Value::Array(calls)) => calls
			.iter()
			.map(|call| {
				let function = call.get("function")?;
				let arguments = function.get("arguments")?.as_str()?;
				// It is put into the prompt as it is, and models copy what they see.
				serde_json::from_str::<Map<String, Value>>(arguments).ok()?;
				Some(ToolCall {
					name: function.get("name")?.as_str()?.to_owned(),
					arguments: arguments.to_owned(),
				})
			})
			.collect::<Option<_>>()
			.ok_or_else(|| {
				let reason = "must be calls of functions whose arguments are a JSON object";
				Refusal::field(format!("{field}.tool_calls"), reason)
			})?,
		Some(_) => {
			let field = format!("{field}.tool_calls");
			return Err(Refusal::field(field, "must be a list"));
		}
	};
	Ok(Turn {
		// Newer clients call the instructions so; models know them as the system's.
		role: match role {
			"developer" => "system".to_owned(),
			role => role.to_owned(),
		},
		content: text(message.get("content"), &field)?,
		calls,
	})
}

fn tools(fields: &mut Fields) -> Result<Vec<Tool>, Refusal> {
	let tools: Vec<Value> = fields.take("tools")?.unwrap_or_default();
	if tools.len() > MAX_TOOLS {
		let reason = format!("has more than {MAX_TOOLS} entries");
		return Err(Refusal::field("tools", reason));
	}
	let mut read: Vec<Tool> = Vec::with_capacity(tools.len());
	for (at, tool) in tools.into_iter().enumerate() {
		let wrong = |name: &str, reason: &str| Refusal::field(format!("tools[{at}]{name}"), reason);
		let (Some("function"), Some(Value::Object(function))) = (
			tool.get("type").and_then(Value::as_str),
			tool.get("function"),
		) else {
			return Err(wrong("", "must be of type \"function\" with a `function`"));
		};
		let name = function
			.get("name")
			.and_then(Value::as_str)
			.unwrap_or_default();
		let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
		if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(plain) {
			let reason = "must have 1 to 64 letters, digits, _ or -";
			return Err(wrong(".function.name", reason));
		}
		if read.iter().any(|other| other.name == name) {
			return Err(wrong(
				".function.name",
				"is the name of another tool already",
			));
		}
		let parameters = match function.get("parameters") {
			None | Some(Value::Null) => {
				json!({ "type": "object", "properties": {}, "additionalProperties": false })
			}
			Some(schema @ Value::Object(_)) => schema.clone(),
			Some(_) => return Err(wrong(".function.parameters", "must be a JSON schema")),
		};
		let description = function.get("description").and_then(Value::as_str);
		read.push(Tool {
			name: name.to_owned(),
			description: description.map(str::to_owned),
			parameters,
		});
	}
	Ok(read)
}

/// Whether tools may be called, and which; `None` where none may.
fn choice(fields: &mut Fields, tools: &[Tool]) -> Result<Option<ToolChoice>, Refusal> {
	let choice = match fields.raw("tool_choice") {
		None if tools.is_empty() => return Ok(None),
		None => ToolChoice::Auto,
		Some(Value::String(word)) => match word.as_str() {
			"none" => return Ok(None),
			"auto" if tools.is_empty() => return Ok(None),
			"auto" => ToolChoice::Auto,
			"required" => ToolChoice::Required,
			_ => {
				let reason = "must be none, auto, required or a function";
				return Err(Refusal::field("tool_choice", reason));
			}
		},
		Some(choice) => {
			let name = choice.get("function").and_then(|f| f.get("name")?.as_str());
			match (choice.get("type").and_then(Value::as_str), name) {
				(Some("function"), Some(name)) => ToolChoice::Named(name.to_owned()),
				_ => {
					let reason = "must be none, auto, required or a function";
					return Err(Refusal::field("tool_choice", reason));
				}
			}
		}
	};
	if tools.is_empty() {
		return Err(Refusal::field("tool_choice", "is given without `tools`"));
	}
	match &choice {
		ToolChoice::Named(name) if !tools.iter().any(|tool| tool.name == *name) => {
			let reason = format!("names {name:?}, which is not among `tools`");
			Err(Refusal::field("tool_choice", reason))
		}
		_ => Ok(Some(choice)),
	}
}

fn format(fields: &mut Fields) -> Result<Option<Constraint>, Refusal> {
	let Some(format) = fields.raw("response_format") else {
		return Ok(None);
	};
	match format.get("type").and_then(Value::as_str) {
		Some("text") => Ok(None),
		Some("json_object") => Ok(Some(Constraint::json_object())),
		Some("json_schema") => {
			let field = "response_format.json_schema.schema";
			let schema = format.get("json_schema").and_then(|s| s.get("schema"));
			let schema = schema.ok_or_else(|| Refusal::field(field, "is missing"))?;
			let constraint = Constraint::json_schema(schema);
			let constraint = constraint
				.map_err(|error| Refusal::field(field, format!("cannot be used: {error}")))?;
			Ok(Some(constraint))
		}
		_ => {
			let reason = "must be text, json_object or json_schema";
			Err(Refusal::field("response_format.type", reason))
		}
	}
}

/// A text, tokens, or a list of either.
fn inputs(field: &'static str, value: Option<Value>, most: usize) -> Result<Vec<Input>, Refusal> {
	let wrong = || {
		Refusal::field(
			field,
			"must be a text, a list of token ids, or a list of those",
		)
	};
	let tokens = |items: &[Value]| {
		let ids = items.iter().map(|id| u32::try_from(id.as_u64()?).ok());
		ids.collect::<Option<Vec<u32>>>()
	};
	let one = |value: Value| match value {
		Value::String(text) => Some(Input::Prompt(text)),
		Value::Array(items) => tokens(&items).map(Input::Tokens),
		_ => None,
	};
	let inputs = match value {
		None => return Err(Refusal::field(field, "is missing")),
		Some(Value::Array(items)) if items.first().is_some_and(Value::is_number) => {
			vec![Input::Tokens(tokens(&items).ok_or_else(wrong)?)]
		}
		Some(Value::Array(items)) => {
			let inputs: Option<Vec<Input>> = items.into_iter().map(one).collect();
			inputs.ok_or_else(wrong)?
		}
		Some(value) => vec![one(value).ok_or_else(wrong)?],
	};
	if inputs.is_empty() || inputs.len() > most {
		return Err(Refusal::field(
			field,
			format!("must have 1 to {most} entries"),
		));
	}
	Ok(inputs)
}

/// A request to `/v1/embeddings`.
#[derive(Debug)]
pub struct Texts {
	/// What the embeddings are of.
	pub wanted: Vec<Wanted>,
	/// Whether they are sent as bytes in base64 rather than as numbers.
	pub base64: bool,
}

/// A request to `/v1/embeddings`.
///
/// # Errors
/// [`Refusal::BadField`].
pub fn embeddings(mut fields: Fields) -> Result<Texts, Refusal> {
	let model = fields.model()?;
	let adapters = adapters(&mut fields)?;
	let input = fields.raw("input");
	let inputs = inputs("input", input, MAX_TEXTS)?;
	let base64 = match fields.take::<String>("encoding_format")?.as_deref() {
		None | Some("float") => false,
		Some("base64") => true,
		Some(_) => return Err(Refusal::field("encoding_format", "must be float or base64")),
	};
	if fields.raw("dimensions").is_some() {
		let reason = "is not supported: embeddings have as many as the model; leave it out";
		return Err(Refusal::field("dimensions", reason));
	}
	let wanted = inputs
		.into_iter()
		.map(|input| Wanted {
			model: model.clone(),
			adapters: adapters.clone(),
			input,
			sampling: Sampling::greedy(),
			max_tokens: 1,
			stop: Vec::new(),
			form: None,
		})
		.collect();
	Ok(Texts { wanted, base64 })
}

#[cfg(test)]
mod tests {
	use super::*;

	fn fields(body: Value) -> Fields {
		Fields::parse(body.to_string().as_bytes()).unwrap()
	}

	fn with(extra: Value) -> Value {
		let mut body = json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }] });
		for (name, value) in extra.as_object().unwrap() {
			body[name] = value.clone();
		}
		body
	}

	fn field_of(refusal: Refusal) -> String {
		match refusal {
			Refusal::BadField { field, .. } => field,
			other => panic!("{other:?} names no field"),
		}
	}

	#[test]
	fn chat_should_be_read_with_all_its_settings() {
		let asked = chat(fields(with(json!({
			"messages": [
				{ "role": "developer", "content": "Be brief." },
				{ "role": "user", "content": [{ "type": "text", "text": "So" }, { "type": "text", "text": "up?" }] },
			],
			"max_completion_tokens": 7, "max_tokens": 9, "temperature": 0, "seed": -1, "stop": "END", "n": 2,
			"user": "ignored", "logit_bias": { "5": -100 }, "logprobs": true, "top_logprobs": 3, "top_k": -1,
			"min_p": 0.1, "presence_penalty": 1, "frequency_penalty": -1, "repetition_penalty": 1.1,
			"stream": true, "stream_options": { "include_usage": true }, "store": true, "best_of": 1,
		}))))
		.unwrap();
		assert!(asked.stream && asked.include_usage && !asked.has_tools);
		assert_eq!(asked.n, 2);
		let wanted = &asked.wanted[0];
		let Input::Chat(chat) = &wanted.input else {
			panic!("no chat")
		};
		let said: Vec<(&str, &str)> = chat
			.messages
			.iter()
			.map(|turn| (turn.role.as_str(), turn.content.as_str()))
			.collect();
		assert_eq!(said, [("system", "Be brief."), ("user", "Soup?")]);
		assert_eq!(
			(wanted.max_tokens, wanted.stop.as_slice()),
			(7, ["END".to_owned()].as_slice())
		);
		let expected = Sampling {
			temperature: 0.0,
			min_p: Some(0.1),
			presence_penalty: 1.0,
			frequency_penalty: -1.0,
			repetition_penalty: Some(1.1),
			logit_bias: vec![(5, -100.0)],
			logprobs: Some(3),
			seed: Some(u64::MAX),
			..Sampling::default()
		};
		assert_eq!(wanted.sampling, expected);
	}

	#[test]
	fn wrong_fields_should_be_named() {
		let tool = json!({ "type": "function", "function": { "name": "f" } });
		for (name, extra) in [
			("temperature", json!({ "temperature": "hot" })),
			("n", json!({ "n": 0 })),
			("n", json!({ "n": 33 })),
			("n", json!({ "n": -1 })),
			("seed", json!({ "seed": 0.5 })),
			("stop", json!({ "stop": [1] })),
			("max_tokens", json!({ "max_tokens": 0 })),
			("top_logprobs", json!({ "top_logprobs": 2 })),
			("logit_bias", json!({ "logit_bias": { "x": 1 } })),
			(
				"messages[0].role",
				json!({ "messages": [{ "content": "x" }] }),
			),
			(
				"messages[0].content",
				json!({ "messages": [{ "role": "user", "content": [{ "type": "image_url" }] }] }),
			),
			(
				"messages[0].tool_calls",
				json!({ "messages": [{ "role": "assistant", "tool_calls": [
					{ "id": "1", "type": "function", "function": { "name": "f", "arguments": "[1" } },
				] }] }),
			),
			("tools[0]", json!({ "tools": [{ "type": "retrieval" }] })),
			(
				"tools[0].function.name",
				json!({ "tools": [{ "type": "function", "function": { "name": "a b" } }] }),
			),
			("tools[1].function.name", json!({ "tools": [tool, tool] })),
			("tool_choice", json!({ "tool_choice": "required" })),
			(
				"tool_choice",
				json!({ "tools": [tool], "tool_choice": "perhaps" }),
			),
			(
				"tool_choice",
				json!({ "tools": [tool], "tool_choice": { "type": "function", "function": { "name": "g" } } }),
			),
			(
				"response_format.type",
				json!({ "response_format": { "type": "xml" } }),
			),
			(
				"response_format.json_schema.schema",
				json!({ "response_format": { "type": "json_schema", "json_schema": { "schema": 5 } } }),
			),
			("guided_json", json!({ "guided_json": {} })),
			("functions", json!({ "functions": [{}] })),
			("best_of", json!({ "best_of": 2 })),
			("modalities", json!({ "modalities": ["text", "audio"] })),
			("adapters", json!({ "adapters": "a" })),
			("adapters", json!({ "adapters": [] })),
			(
				"adapters",
				json!({ "adapters": vec![json!({ "name": "a" }); 9] }),
			),
			("adapters[0].name", json!({ "adapters": [{ "weight": 1 }] })),
			(
				"adapters[1].weight",
				json!({ "adapters": [{ "name": "a" }, { "name": "b", "weight": "1" }] }),
			),
			(
				"adapters[0].weight",
				json!({ "adapters": [{ "name": "a", "weight": 1e39 }] }),
			),
			(
				"adapters[0].weight",
				json!({ "adapters": [{ "name": "a", "weight": 0 }] }),
			),
		] {
			let refusal = chat(fields(with(extra.clone()))).unwrap_err();
			assert_eq!(field_of(refusal), name, "{extra}");
		}
		let refusal = chat(fields(json!({ "messages": [] }))).unwrap_err();
		assert_eq!(field_of(refusal), "model");
		let refusal = chat(fields(json!({ "model": "m" }))).unwrap_err();
		assert_eq!(field_of(refusal), "messages");
		assert!(Fields::parse(b"[]").is_err() && Fields::parse(b"{").is_err());
	}

	#[test]
	fn tools_should_constrain_the_answer_unless_they_may_not_be_called() {
		let tool = json!({ "type": "function", "function": { "name": "f" } });
		let asked = chat(fields(with(json!({ "tools": [tool] })))).unwrap();
		assert!(asked.has_tools && asked.wanted[0].form.is_some());
		let none = json!({ "tools": [tool], "tool_choice": "none" });
		let asked = chat(fields(with(none))).unwrap();
		assert!(!asked.has_tools && asked.wanted[0].form.is_none());
		let Input::Chat(chat) = &asked.wanted[0].input else {
			panic!("no chat")
		};
		assert!(chat.tools.is_empty(), "nor are they told");
	}

	#[test]
	fn prompts_should_be_texts_or_tokens() {
		let inputs = |prompt: Value| {
			let body = json!({ "model": "m", "prompt": prompt });
			completion(fields(body)).map(|asked| {
				let inputs = asked.wanted.into_iter().map(|wanted| wanted.input);
				inputs.map(|input| format!("{input:?}")).collect::<Vec<_>>()
			})
		};
		assert_eq!(inputs(json!("a")).unwrap(), ["Prompt(\"a\")"]);
		assert_eq!(inputs(json!(["a", "b"])).unwrap().len(), 2);
		assert_eq!(inputs(json!([1, 2])).unwrap(), ["Tokens([1, 2])"]);
		assert_eq!(inputs(json!([[1], [2]])).unwrap().len(), 2);
		for wrong in [
			json!([]),
			json!([1, "a"]),
			json!({}),
			json!([-1]),
			Value::Null,
		] {
			assert_eq!(field_of(inputs(wrong).unwrap_err()), "prompt");
		}
	}
}
