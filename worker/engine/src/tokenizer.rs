//! Text to tokens and back, without ever splitting a character, and the chat template.

use std::{
	collections::{BTreeMap, HashMap},
	path::Path,
	sync::Arc,
};

use minijinja::{context, syntax::SyntaxConfig, Environment, ErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::{json, Value};
use sha2::{Digest, Sha256};

use crate::{
	config::ModelConfig,
	error::ModelError,
	gguf::{Gguf, Value as GgufValue},
	tools::{Chat, OPEN},
};

/// Used when a model brings no chat template.
const CHATML: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + \
	message['content'] + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}\
	{{ '<|im_start|>assistant\n' }}{% endif %}";

/// Instructions a chat template may execute.
const TEMPLATE_FUEL: u64 = 10_000_000;

/// Tokens after which text that is still no valid UTF-8 is given out with replacement characters: a character has
/// at most four bytes, so it never will be.
const MAX_PENDING: usize = 4;

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
	/// `system`, `user` or `assistant`.
	pub role: String,
	/// What was said.
	pub content: String,
}

#[derive(Debug)]
struct Inner {
	tokenizer: tokenizers::Tokenizer,
	templates: Environment<'static>,
	bos: Option<String>,
	eos: Option<String>,
	add_bos: Option<u32>,
	/// Whether tokens are written with one character for each byte.
	byte_level: bool,
	/// Tokens that were added to the vocabulary: their text, and whether they are special.
	added: HashMap<u32, (String, bool)>,
	/// Whether the template tells tools, and calls, in the form of [`crate::tools`].
	knows_tools: bool,
}

/// The tokenizer of a model with its chat template. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Tokenizer {
	inner: Arc<Inner>,
}

fn broken(error: impl std::fmt::Display) -> ModelError {
	ModelError::Tokenizer(error.to_string())
}

/// JSON with the keys of every object in order, so that its hash does not depend on how it was put together.
fn in_order(value: &Value) -> String {
	match value {
		Value::Object(map) => {
			let sorted: BTreeMap<&String, &Value> = map.iter().collect();
			let fields: Vec<String> = sorted
				.into_iter()
				.map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), in_order(value)))
				.collect();
			format!("{{{}}}", fields.join(","))
		}
		Value::Array(items) => {
			let items: Vec<String> = items.iter().map(in_order).collect();
			format!("[{}]", items.join(","))
		}
		other => other.to_string(),
	}
}

/// JSON as templates see it.
fn for_template(value: &Value) -> minijinja::Value {
	match value {
		Value::Null => ().into(),
		Value::Bool(value) => (*value).into(),
		Value::Number(number) => match (number.as_i64(), number.as_f64()) {
			(Some(whole), _) => whole.into(),
			(None, Some(real)) => real.into(),
			(None, None) => number.to_string().into(),
		},
		Value::String(text) => text.as_str().into(),
		Value::Array(items) => items.iter().map(for_template).collect(),
		Value::Object(map) => minijinja::Value::from_pairs(
			map.iter()
				.map(|(key, value)| (key.as_str(), for_template(value))),
		),
	}
}

/// The byte that a character of a byte-level vocabulary stands for: printable Latin-1 for itself, what follows
/// U+0100 for all others in order.
fn byte_of(character: char) -> Option<u8> {
	let own = |code: u32| matches!(code, 33..=126 | 161..=172 | 174..=255);
	let code = u32::from(character);
	if own(code) {
		return u8::try_from(code).ok();
	}
	let at = code.checked_sub(256)? as usize;
	(0u8..=255).filter(|byte| !own(u32::from(*byte))).nth(at)
}

/// Python's string methods that chat templates use.
fn method(
	value: &minijinja::Value,
	name: &str,
	args: &[minijinja::Value],
) -> Result<minijinja::Value, minijinja::Error> {
	let unknown = || minijinja::Error::from(ErrorKind::UnknownMethod);
	if let Some(text) = value.as_str() {
		let first = args.first().and_then(|a| a.as_str());
		let set: Vec<char> = first.unwrap_or(" \t\r\n").chars().collect();
		return Ok(match name {
			"strip" => text.trim_matches(set.as_slice()).into(),
			"lstrip" => text.trim_start_matches(set.as_slice()).into(),
			"rstrip" => text.trim_end_matches(set.as_slice()).into(),
			"startswith" => text.starts_with(first.ok_or_else(unknown)?).into(),
			"endswith" => text.ends_with(first.ok_or_else(unknown)?).into(),
			"upper" => text.to_uppercase().into(),
			"lower" => text.to_lowercase().into(),
			"split" => match first {
				Some(separator) if !separator.is_empty() => {
					text.split(separator).map(minijinja::Value::from).collect()
				}
				_ => text
					.split_whitespace()
					.map(minijinja::Value::from)
					.collect(),
			},
			"replace" => {
				let to = args.get(1).and_then(|a| a.as_str()).ok_or_else(unknown)?;
				text.replace(first.ok_or_else(unknown)?, to).into()
			}
			_ => return Err(unknown()),
		});
	}
	if name == "get" {
		let key = args.first().ok_or_else(unknown)?;
		let found = value.get_item(key)?;
		let fallback = args
			.get(1)
			.cloned()
			.unwrap_or_else(|| minijinja::Value::from(()));
		return Ok(if found.is_undefined() {
			fallback
		} else {
			found
		});
	}
	Err(unknown())
}

fn environment(template: String) -> Result<Environment<'static>, ModelError> {
	let mut env = Environment::new();
	env.set_fuel(Some(TEMPLATE_FUEL));
	// As transformers renders templates.
	let syntax = SyntaxConfig::builder()
		.trim_blocks(true)
		.lstrip_blocks(true)
		.build();
	env.set_syntax(syntax.map_err(|e| ModelError::Template(e.to_string()))?);
	env.set_unknown_method_callback(|_, value, name, args| method(value, name, args));
	env.add_function(
		"raise_exception",
		|message: String| -> Result<String, minijinja::Error> {
			Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
		},
	);
	env.add_template_owned("chat", template)
		.map_err(|e| ModelError::Template(e.to_string()))?;
	Ok(env)
}

impl Tokenizer {
	fn new(
		json: &[u8],
		template: Option<String>,
		bos: Option<String>,
		eos: Option<String>,
		add_bos: Option<u32>,
	) -> Result<(Self, [u8; 32]), ModelError> {
		let mut tokenizer = tokenizers::Tokenizer::from_bytes(json).map_err(broken)?;
		tokenizer.with_padding(None);
		tokenizer.with_truncation(None).map_err(broken)?;
		let template = template.unwrap_or_else(|| CHATML.to_string());
		let knows_tools = template.contains("tools") && template.contains(OPEN);
		let templates = environment(template)?;
		let decoder = tokenizer.get_decoder().map(serde_json::to_string);
		let byte_level = matches!(decoder, Some(Ok(decoder)) if decoder.contains("\"ByteLevel\""));
		let added = tokenizer
			.get_added_tokens_decoder()
			.into_iter()
			.map(|(id, token)| (id, (token.content, token.special)))
			.collect();
		let inner = Arc::new(Inner {
			tokenizer,
			templates,
			bos,
			eos,
			add_bos,
			byte_level,
			added,
			knows_tools,
		});
		Ok((Self { inner }, Sha256::digest(json).into()))
	}

	/// From `tokenizer.json`, `tokenizer_config.json` and `chat_template.jinja` of a Hugging Face folder.
	pub(crate) fn from_folder(
		folder: &Path,
		config: &ModelConfig,
	) -> Result<(Self, [u8; 32]), ModelError> {
		let path = folder.join("tokenizer.json");
		let json = std::fs::read(&path).map_err(|e| ModelError::Io {
			path: path.display().to_string(),
			reason: e.to_string(),
		})?;
		let settings: Value = match std::fs::read(folder.join("tokenizer_config.json")) {
			Ok(bytes) => serde_json::from_slice(&bytes)
				.map_err(|e| broken(format!("tokenizer_config.json: {e}")))?,
			Err(_) => Value::Null,
		};
		let token = |name: &str| {
			let value = settings.get(name)?;
			value
				.as_str()
				.or_else(|| value.get("content")?.as_str())
				.map(str::to_string)
		};
		let template = match std::fs::read_to_string(folder.join("chat_template.jinja")) {
			Ok(text) => Some(text),
			Err(_) => settings
				.get("chat_template")
				.and_then(Value::as_str)
				.map(str::to_string),
		};
		let add_bos = settings.get("add_bos_token").and_then(Value::as_bool) == Some(true);
		let add_bos = add_bos.then_some(config.bos).flatten();
		Self::new(
			&json,
			template,
			token("bos_token"),
			token("eos_token"),
			add_bos,
		)
	}

	/// From the tokens, merges and template in a GGUF file.
	pub(crate) fn from_gguf(
		gguf: &Gguf<'_>,
		config: &ModelConfig,
	) -> Result<(Self, [u8; 32]), ModelError> {
		let model = gguf.string("tokenizer.ggml.model")?;
		if model != "gpt2" {
			return Err(ModelError::Unsupported(format!("GGUF tokenizer {model}")));
		}
		let text = |value: &GgufValue<'_>, what: &str| match value {
			GgufValue::String(text) => Ok(text.to_string()),
			_ => Err(ModelError::Malformed(format!(
				"{what} holds something other than text"
			))),
		};
		let tokens = gguf
			.array("tokenizer.ggml.tokens")?
			.iter()
			.map(|v| text(v, "tokenizer.ggml.tokens"))
			.collect::<Result<Vec<_>, _>>()?;
		if tokens.len() > config.vocab_size {
			return Err(broken(format!(
				"{} tokens, but the embedding has {} rows",
				tokens.len(),
				config.vocab_size
			)));
		}
		let merges = gguf
			.array("tokenizer.ggml.merges")?
			.iter()
			.map(|v| text(v, "tokenizer.ggml.merges"))
			.collect::<Result<Vec<_>, _>>()?;
		let byte_level = |use_regex: bool| {
			json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
				"use_regex": use_regex})
		};
		let split = |digits: &str| {
			let pattern = format!(
				"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{{L}}\\p{{N}}]?\\p{{L}}+|{digits}|\
				 ?[^\\s\\p{{L}}\\p{{N}}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
			);
			json!({"type": "Sequence", "pretokenizers": [
				{"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated",
					"invert": false},
				byte_level(false)]})
		};
		let pre = gguf.string("tokenizer.ggml.pre").unwrap_or("gpt-2");
		let (pre_tokenizer, normalizer, ignore_merges) = match pre {
			"smollm" => (
				json!({"type": "Sequence", "pretokenizers": [
					{"type": "Digits", "individual_digits": true}, byte_level(true)]}),
				Value::Null,
				false,
			),
			"qwen2" => (split("\\p{N}"), json!({"type": "NFC"}), false),
			"llama-bpe" => (split("\\p{N}{1,3}"), Value::Null, true),
			"gpt-2" | "default" => (byte_level(true), Value::Null, false),
			other => {
				return Err(ModelError::Unsupported(format!(
					"GGUF pre-tokenizer {other}"
				)))
			}
		};
		// Token types of GGUF: 3 is a control token, 4 one that the maker of the model added.
		let mut added = Vec::new();
		if let Ok(types) = gguf.array("tokenizer.ggml.token_type") {
			for (id, (kind, content)) in types.iter().zip(&tokens).enumerate() {
				let special = match kind {
					GgufValue::Signed(3) | GgufValue::Unsigned(3) => true,
					GgufValue::Signed(4) | GgufValue::Unsigned(4) => false,
					_ => continue,
				};
				added.push(json!({"id": id, "content": content, "single_word": false,
					"lstrip": false, "rstrip": false, "normalized": false, "special": special}));
			}
		}
		let name = |key: &str| {
			gguf.number(&format!("tokenizer.ggml.{key}"))
				.and_then(|id| tokens.get(id))
				.cloned()
		};
		let (bos, eos) = (name("bos_token_id"), name("eos_token_id"));
		let mut vocab = serde_json::Map::with_capacity(tokens.len());
		for (id, token) in tokens.into_iter().enumerate() {
			if vocab.insert(token.clone(), id.into()).is_some() {
				return Err(broken(format!("the token {token:?} occurs twice")));
			}
		}
		let json = json!({
			"version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
			"normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "post_processor": null,
			"decoder": byte_level(true),
			"model": {"type": "BPE", "dropout": null, "unk_token": null,
				"continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
				"byte_fallback": false, "ignore_merges": ignore_merges, "vocab": vocab,
				"merges": merges}
		});
		let template = gguf
			.string("tokenizer.chat_template")
			.ok()
			.map(str::to_string);
		let add_bos = gguf.bool("tokenizer.ggml.add_bos_token").unwrap_or(false);
		let add_bos = add_bos.then_some(config.bos).flatten();
		Self::new(in_order(&json).as_bytes(), template, bos, eos, add_bos)
	}

	/// Tokens of a text exactly as it stands; names of special tokens in it become those tokens.
	///
	/// # Errors
	/// [`ModelError::Tokenizer`] when the tokenizer cannot represent the text.
	pub fn encode(&self, text: &str) -> Result<Vec<u32>, ModelError> {
		let encoding = self
			.inner
			.tokenizer
			.encode_fast(text, false)
			.map_err(broken)?;
		Ok(encoding.get_ids().to_vec())
	}

	/// Tokens of the start of a text: as [`Self::encode`], after the beginning-of-text token if the model wants one.
	///
	/// # Errors
	/// As [`Self::encode`].
	pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>, ModelError> {
		let mut ids: Vec<u32> = self.inner.add_bos.into_iter().collect();
		ids.extend(self.encode(text)?);
		Ok(ids)
	}

	/// Text of tokens; special tokens leave no trace, bytes that are no UTF-8 become U+FFFD.
	///
	/// # Errors
	/// [`ModelError::Tokenizer`].
	pub fn decode(&self, ids: &[u32]) -> Result<String, ModelError> {
		self.inner.tokenizer.decode(ids, true).map_err(broken)
	}

	/// Number of tokens, added ones included.
	pub fn vocab_size(&self) -> usize {
		self.inner.tokenizer.get_vocab_size(true)
	}

	/// Id of the token written exactly so.
	pub fn token_to_id(&self, token: &str) -> Option<u32> {
		self.inner.tokenizer.token_to_id(token)
	}

	/// How the token of that id is written in the vocabulary.
	pub fn id_to_token(&self, id: u32) -> Option<String> {
		self.inner.tokenizer.id_to_token(id)
	}

	/// Whether the token is special: it leaves no trace in a text.
	pub fn is_special(&self, id: u32) -> bool {
		self.inner
			.added
			.get(&id)
			.is_some_and(|(_, special)| *special)
	}

	/// Whether every byte can be written as a token of its own and no text changes when it is tokenised.
	pub fn is_byte_level(&self) -> bool {
		self.inner.byte_level
	}

	/// Bytes of a token's text: those of a part of a character too, those of a special token's name. None for an
	/// id without a token.
	pub fn token_bytes(&self, id: u32) -> Vec<u8> {
		if let Some((content, _)) = self.inner.added.get(&id) {
			return content.clone().into_bytes();
		}
		let Some(token) = self.id_to_token(id) else {
			return Vec::new();
		};
		if self.inner.byte_level {
			let bytes: Option<Vec<u8>> = token.chars().map(byte_of).collect();
			return bytes.unwrap_or_else(|| token.into_bytes());
		}
		// As SentencePiece writes bytes and spaces.
		let byte = token
			.strip_prefix("<0x")
			.and_then(|rest| rest.strip_suffix('>'))
			.and_then(|digits| u8::from_str_radix(digits, 16).ok());
		match byte {
			Some(byte) => vec![byte],
			None => token.replace('\u{2581}', " ").into_bytes(),
		}
	}

	/// The prompt of a conversation with tools, up to where the assistant's answer begins. Where the model's template
	/// does not know tools, they are told in the system message.
	///
	/// # Errors
	/// As [`Self::apply_chat_template`].
	pub fn render_chat(&self, chat: &Chat) -> Result<String, ModelError> {
		let has_tools = !chat.tools.is_empty() || chat.messages.iter().any(|m| !m.calls.is_empty());
		if !has_tools || !self.inner.knows_tools {
			return self.apply_chat_template(&chat.plain(), true);
		}
		let messages = chat.messages.iter().map(|turn| {
			let mut message = json!({ "role": turn.role, "content": turn.content });
			if !turn.calls.is_empty() {
				let calls = turn.calls.iter().map(|call| {
					let arguments: Value =
						serde_json::from_str(&call.arguments).unwrap_or_default();
					let function = json!({ "name": call.name, "arguments": arguments });
					json!({ "type": "function", "function": function })
				});
				message["tool_calls"] = calls.collect();
			}
			for_template(&message)
		});
		let tools = chat.tools.iter().map(|tool| for_template(&tool.shown()));
		// Templates ask whether there are tools at all.
		let tools = match chat.tools.is_empty() {
			true => ().into(),
			false => tools.collect(),
		};
		self.render(messages.collect(), tools, true)
	}

	/// The prompt of a conversation by the model's own template (ChatML if it has none). With
	/// `add_generation_prompt` it ends where the assistant's answer begins.
	///
	/// # Errors
	/// [`ModelError::Template`], also when the template refuses the order of roles.
	pub fn apply_chat_template(
		&self,
		messages: &[ChatMessage],
		add_generation_prompt: bool,
	) -> Result<String, ModelError> {
		let messages: Vec<minijinja::Value> = messages
			.iter()
			.map(|m| context! { role => m.role.as_str(), content => m.content.as_str() })
			.collect();
		self.render(messages.into(), ().into(), add_generation_prompt)
	}

	fn render(
		&self,
		messages: minijinja::Value,
		tools: minijinja::Value,
		add_generation_prompt: bool,
	) -> Result<String, ModelError> {
		self.inner
			.templates
			.get_template("chat")
			.and_then(|t| {
				t.render(context! {
					messages => messages,
					tools => tools,
					add_generation_prompt => add_generation_prompt,
					bos_token => self.inner.bos.as_deref().unwrap_or(""),
					eos_token => self.inner.eos.as_deref().unwrap_or(""),
				})
			})
			.map_err(|e| ModelError::Template(e.to_string()))
	}

	/// A decoder for a stream of tokens that follow `prompt`.
	pub fn stream(&self, prompt: &[u32]) -> DecodeStream {
		let mut stream = DecodeStream {
			tokenizer: self.clone(),
			ids: Vec::new(),
			prefix: 0,
			read: 0,
		};
		// The token before decides whether some tokenizers give a leading space.
		if let Some(last) = prompt.last() {
			let known = self.decode(&[*last]).unwrap_or_default();
			if !known.is_empty() && !known.contains('\u{FFFD}') {
				stream.ids.push(*last);
				stream.read = 1;
			}
		}
		stream
	}
}

/// Turns tokens into text one by one; a piece is withheld until its characters are whole.
#[derive(Clone, Debug)]
pub struct DecodeStream {
	tokenizer: Tokenizer,
	ids: Vec<u32>,
	/// Tokens before `prefix` are done with; those before `read` are given out and decide spaces.
	prefix: usize,
	read: usize,
}

impl DecodeStream {
	/// Takes one token; returns the text that is complete now, possibly none.
	///
	/// # Errors
	/// [`ModelError::Tokenizer`].
	pub fn push(&mut self, id: u32) -> Result<String, ModelError> {
		self.ids.push(id);
		self.advance(false)
	}

	/// Gives out what is left, incomplete characters as U+FFFD.
	///
	/// # Errors
	/// [`ModelError::Tokenizer`].
	pub fn finish(&mut self) -> Result<String, ModelError> {
		self.advance(true)
	}

	fn advance(&mut self, all: bool) -> Result<String, ModelError> {
		let known = self.tokenizer.decode(&self.ids[self.prefix..self.read])?;
		let now = self.tokenizer.decode(&self.ids[self.prefix..])?;
		let fresh = match now.strip_prefix(&known) {
			Some(fresh) => fresh.to_string(),
			None => self.tokenizer.decode(&self.ids[self.read..])?,
		};
		let pending = self.ids.len() - self.read;
		if fresh.is_empty() || (fresh.ends_with('\u{FFFD}') && !all && pending < MAX_PENDING) {
			return Ok(String::new());
		}
		self.prefix = self.read;
		self.read = self.ids.len();
		if self.prefix > 64 {
			self.ids.drain(..self.prefix);
			self.read -= self.prefix;
			self.prefix = 0;
		}
		Ok(fresh)
	}
}
