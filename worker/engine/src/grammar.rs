//! Answers that keep to a form: JSON, JSON of a schema, tool calls.
//!
//! A [`Constraint`] says what an answer must look like. It is compiled into a [`Grammar`] by a thread of its own,
//! never by the one that schedules, and remembered, so that the next request with the same schema costs nothing. In
//! every step the grammar then says which tokens may come next; the sampler takes out all others before it chooses,
//! so the answer is in the form whatever the temperature is. Only an answer that is cut short, by `max_tokens` or a
//! stop text, may be the beginning of one.
//!
//! Schemas come from strangers. Their size, the work of compiling them, the work of one step and the memory of the
//! automaton are bounded; a request over a bound fails alone and by name.

use std::{
	collections::{HashMap, HashSet},
	panic::{catch_unwind, AssertUnwindSafe},
	sync::{
		mpsc::{sync_channel, Receiver, RecvTimeoutError, SyncSender, TrySendError},
		Arc, Mutex, PoisonError,
	},
	time::Duration,
};

use llguidance::{
	api::{ParserLimits, TopLevelGrammar},
	toktrie::{TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv},
	Matcher, ParserFactory,
};
use serde_json::{json, Value};
use sha2::{Digest, Sha256};

use crate::{
	error::EngineError,
	tokenizer::Tokenizer,
	tools::{Tool, ToolChoice, CLOSE, OPEN},
};

/// Most bytes of a schema, or of all tools of a request together.
pub const MAX_SCHEMA_BYTES: usize = 64 << 10;

/// Most calls in one answer.
const MAX_CALLS: usize = 16;

/// Parts of a schema that may be put together, references followed: beyond it a compiler that multiplies parts out
/// may take for ever.
const MAX_PARTS: usize = 20_000;

/// Alternatives that one part of a schema may multiply out to.
const MAX_ALTERNATIVES: u64 = 256;

/// How deep references may lead into references.
const MAX_DEPTH: usize = 200;

/// How long a request waits for its grammar.
const PATIENCE: Duration = Duration::from_secs(10);

/// Compiling threads at a time: one that works, the others held up by something.
const MAX_THREADS: usize = 3;

/// Constraints that may wait for the compiling thread.
const QUEUE: usize = 16;

/// Compiled grammars, and refusals, that are remembered.
const REMEMBERED: usize = 128;

/// The compiler descends into schemas.
const STACK_BYTES: usize = 16 << 20;

/// What an answer must look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
	source: Source,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
	Schema(Value),
	Lark(String),
}

/// A schema with how JSON is written: one space after commas and colons, no other white space, so that a model
/// cannot fill its answer with it.
fn written(schema: &Value) -> Result<Value, EngineError> {
	if !Survey::new(schema).stays_small() {
		let reason = "its parts refer to each other, or combine, in too many ways";
		return Err(too_complex(reason));
	}
	let mut schema = match schema {
		Value::Object(map) => map.clone(),
		_ => {
			let reason = "a schema is a JSON object".to_owned();
			return Err(EngineError::BadGrammar(reason));
		}
	};
	let style =
		json!({ "item_separator": ", ", "key_separator": ": ", "whitespace_flexible": false });
	schema.insert("x-guidance".into(), style);
	Ok(Value::Object(schema))
}

/// Walks a schema as a compiler has to that merges what `allOf`, `anyOf` and `$ref` put together.
struct Survey<'a> {
	root: &'a Value,
	parts: usize,
	/// References that stand alone: each is compiled once, however often it is named.
	alone: Vec<&'a str>,
	seen: HashSet<&'a str>,
}

/// Keywords that say nothing about what matches.
const NOTES: [&str; 13] = [
	"$comment",
	"$defs",
	"$id",
	"$schema",
	"default",
	"definitions",
	"deprecated",
	"description",
	"examples",
	"readOnly",
	"title",
	"writeOnly",
	"x-guidance",
];

impl<'a> Survey<'a> {
	fn new(root: &'a Value) -> Self {
		Self {
			root,
			parts: 0,
			alone: Vec::new(),
			seen: HashSet::new(),
		}
	}

	fn stays_small(mut self) -> bool {
		if self.alternatives(self.root, false, 0).is_none() {
			return false;
		}
		while let Some(reference) = self.alone.pop() {
			if let Some(target) = self.target(reference) {
				if self.alternatives(target, false, 0).is_none() {
					return false;
				}
			}
		}
		true
	}

	fn target(&self, reference: &str) -> Option<&'a Value> {
		let pointer = reference.strip_prefix('#')?;
		self.root.pointer(pointer)
	}

	/// Whether a reference leads, over others, to something that is more than a reference.
	fn arrives(&self, reference: &'a str) -> bool {
		let mut reference = reference;
		for _ in 0..MAX_DEPTH {
			let Some(Value::Object(map)) = self.target(reference) else {
				return true;
			};
			let only = map
				.keys()
				.all(|key| key == "$ref" || NOTES.contains(&key.as_str()));
			match map.get("$ref") {
				Some(Value::String(next)) if only => reference = next,
				_ => return true,
			}
		}
		false
	}

	/// What a part multiplies out to; `merged` if it is put together with another. `None` beyond the limits.
	fn alternatives(&mut self, part: &'a Value, merged: bool, depth: usize) -> Option<u64> {
		self.parts += 1;
		if self.parts > MAX_PARTS || depth > MAX_DEPTH {
			return None;
		}
		let Value::Object(map) = part else {
			return Some(1);
		};
		let says = map.keys().filter(|key| !NOTES.contains(&key.as_str()));
		let combined = map.get("allOf").and_then(Value::as_array);
		let combines = ["$ref", "allOf", "anyOf", "oneOf"]
			.iter()
			.any(|key| map.contains_key(*key));
		let several = says.count() > 1 || combined.is_some_and(|all| all.len() > 1);
		let merged = merged || (combines && several);
		let mut product = 1u64;
		for (key, value) in map {
			match (key.as_str(), value) {
				("$ref", Value::String(reference)) if merged => {
					if let Some(target) = self.target(reference) {
						let count = self.alternatives(target, true, depth + 1)?;
						product = product.saturating_mul(count);
					}
				}
				("$ref", Value::String(reference)) => {
					if !self.arrives(reference) {
						return None;
					}
					if self.seen.insert(reference) {
						self.alone.push(reference);
					}
				}
				("allOf", Value::Array(parts)) => {
					for part in parts {
						let count = self.alternatives(part, merged, depth + 1)?;
						product = product.saturating_mul(count);
					}
				}
				("anyOf" | "oneOf", Value::Array(parts)) => {
					let mut sum = 0u64;
					for part in parts {
						sum = sum.saturating_add(self.alternatives(part, merged, depth + 1)?);
					}
					product = product.saturating_mul(sum.max(1));
				}
				("properties" | "patternProperties" | "dependentSchemas", Value::Object(parts)) => {
					for part in parts.values() {
						self.alternatives(part, merged, depth + 1)?;
					}
				}
				("enum" | "const" | "required" | "type" | "pattern", _) => {}
				(key, _) if NOTES.contains(&key) => {}
				(_, Value::Array(parts)) => {
					for part in parts {
						self.alternatives(part, merged, depth + 1)?;
					}
				}
				(_, part) => {
					self.alternatives(part, merged, depth + 1)?;
				}
			}
		}
		(product <= MAX_ALTERNATIVES).then_some(product)
	}
}

fn within_limit(bytes: usize) -> Result<(), EngineError> {
	if bytes > MAX_SCHEMA_BYTES {
		let reason = format!("it has {bytes} bytes, the limit is {MAX_SCHEMA_BYTES}");
		return Err(EngineError::BadGrammar(reason));
	}
	Ok(())
}

impl Constraint {
	/// Any JSON object.
	pub fn json_object() -> Self {
		let source = Source::Schema(json!({ "type": "object" }));
		Self { source }
	}

	/// JSON that a schema describes.
	///
	/// # Errors
	/// [`EngineError::BadGrammar`] when it is no object or over [`MAX_SCHEMA_BYTES`].
	pub fn json_schema(schema: &Value) -> Result<Self, EngineError> {
		within_limit(schema.to_string().len())?;
		let source = Source::Schema(written(schema)?);
		Ok(Self { source })
	}

	/// Calls of `tools`, at most one unless `parallel`. With [`ToolChoice::Auto`] the answer may also be text, or
	/// what `instead` says.
	///
	/// # Errors
	/// [`EngineError::BadGrammar`] when the tools are over [`MAX_SCHEMA_BYTES`], have a schema that is no object, or
	/// lack the one that must be called.
	pub fn tool_calls(
		tools: &[Tool],
		choice: &ToolChoice,
		parallel: bool,
		instead: Option<&Self>,
	) -> Result<Self, EngineError> {
		let bytes = tools.iter().map(|t| t.parameters.to_string().len());
		within_limit(bytes.sum())?;
		let called: Vec<&Tool> = tools
			.iter()
			.filter(|tool| !matches!(choice, ToolChoice::Named(name) if *name != tool.name))
			.collect();
		if called.is_empty() {
			let reason = "there is no tool that could be called".to_owned();
			return Err(EngineError::BadGrammar(reason));
		}
		let auto = *choice == ToolChoice::Auto;
		let mut lark = String::from("%llguidance {}\n");
		lark.push_str(match (auto, instead) {
			(false, _) => "start: calls\n",
			(true, None) => "start: TEXT? | calls\n",
			(true, Some(_)) => "start: instead | calls\n",
		});
		match (auto, instead.map(|constraint| &constraint.source)) {
			(true, None) => lark.push_str(&format!(
				"TEXT: /(.|\\n)+/ & ~/(.|\\n)*{OPEN}(.|\\n)*/\nopening[lazy]: /(.|\\n)*{OPEN}/\n"
			)),
			(true, Some(Source::Schema(schema))) => {
				lark.push_str(&format!("instead: %json {schema}\nopening: \"{OPEN}\"\n"));
			}
			(true, Some(Source::Lark(_))) => {
				let reason = "tool calls stand beside text or JSON only".to_owned();
				return Err(EngineError::BadGrammar(reason));
			}
			(false, _) => lark.push_str(&format!("opening: \"{OPEN}\"\n")),
		}
		let more = match parallel && !matches!(choice, ToolChoice::Named(_)) {
			true => format!(" (\"\\n{OPEN}\" call){{0,{}}}", MAX_CALLS - 1),
			false => String::new(),
		};
		lark.push_str(&format!("calls: opening call{more}\n"));
		let names: Vec<String> = (0..called.len()).map(|i| format!("call_{i}")).collect();
		lark.push_str(&format!("call: {}\n", names.join(" | ")));
		for (i, tool) in called.into_iter().enumerate() {
			let name = Value::from(tool.name.as_str());
			let before = Value::from(format!("\n{{\"name\": {name}, \"arguments\": "));
			let after = Value::from(format!("}}\n{CLOSE}"));
			let schema = written(&tool.parameters)?;
			lark.push_str(&format!(
				"call_{i}: {before} arguments_{i} {after}\narguments_{i}: %json {schema}\n"
			));
		}
		let source = Source::Lark(lark);
		Ok(Self { source })
	}

	fn key(&self) -> [u8; 32] {
		let (kind, text) = match &self.source {
			Source::Schema(schema) => ("schema", schema.to_string()),
			Source::Lark(text) => ("lark", text.clone()),
		};
		let mut hash = Sha256::new();
		hash.update(kind);
		hash.update([0]);
		hash.update(text);
		hash.finalize().into()
	}
}

/// A compiled constraint, and where in it an answer is. A clone goes its own way.
pub struct Grammar {
	matcher: Matcher,
}

impl Clone for Grammar {
	fn clone(&self) -> Self {
		// What one request makes of the automaton, and of its limits, must not touch another.
		Self {
			matcher: self.matcher.deep_clone(),
		}
	}
}

impl std::fmt::Debug for Grammar {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.write_str("Grammar")
	}
}

fn too_complex(error: impl std::fmt::Display) -> EngineError {
	EngineError::GrammarTooComplex(first_line(&error.to_string()))
}

/// The compiler's messages may bring the whole grammar along.
fn first_line(text: &str) -> String {
	let line = text.lines().next().unwrap_or_default();
	line.chars().take(300).collect()
}

impl Grammar {
	/// Appends the logits to `out`, minus infinity in place of those that may not come next.
	///
	/// # Errors
	/// [`EngineError::GrammarTooComplex`] when that takes more work or memory than a step may.
	pub(crate) fn apply(&mut self, logits: &[f32], out: &mut Vec<f32>) -> Result<(), EngineError> {
		let mask = self.matcher.compute_mask_or_eos().map_err(too_complex)?;
		let words = mask.as_slice();
		for (at, logits) in logits.chunks(32).enumerate() {
			let word = words.get(at).copied().unwrap_or(0);
			out.extend(
				logits
					.iter()
					.enumerate()
					.map(|(bit, logit)| match (word >> bit) & 1 {
						0 => f32::NEG_INFINITY,
						_ => *logit,
					}),
			);
		}
		Ok(())
	}

	/// Goes on by a token.
	///
	/// # Errors
	/// [`EngineError::GrammarTooComplex`]; also for a token that may not come next.
	pub(crate) fn accept(&mut self, id: u32) -> Result<(), EngineError> {
		if self.matcher.is_stopped() {
			return Ok(());
		}
		self.matcher.consume_token(id).map_err(too_complex)
	}
}

/// The tokenizer as the grammar compiler sees it.
struct Environment {
	tokenizer: Tokenizer,
	trie: TokTrie,
}

impl TokenizerEnv for Environment {
	fn tok_trie(&self) -> &TokTrie {
		&self.trie
	}

	fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
		let own = std::str::from_utf8(bytes)
			.ok()
			.and_then(|text| self.tokenizer.encode(text).ok());
		match own {
			// Some tokenizers add a space, and the name of a special token becomes that token.
			Some(ids) if self.trie.decode(&ids) == bytes => ids,
			_ => self.trie.greedy_tokenize(bytes),
		}
	}

	fn tokenize_is_canonical(&self) -> bool {
		self.tokenizer.is_byte_level()
	}
}

type Compiled = Result<Grammar, EngineError>;

struct Task {
	constraint: Constraint,
	reply: SyncSender<Compiled>,
}

#[derive(Default)]
struct Memory {
	grammars: HashMap<[u8; 32], (u64, Compiled)>,
	clock: u64,
}

impl Memory {
	fn get(&mut self, key: &[u8; 32]) -> Option<Compiled> {
		self.clock += 1;
		let (used, compiled) = self.grammars.get_mut(key)?;
		*used = self.clock;
		Some(compiled.clone())
	}

	fn put(&mut self, key: [u8; 32], compiled: Compiled) {
		if self.grammars.len() >= REMEMBERED {
			let oldest = self.grammars.iter().min_by_key(|(_, (used, _))| *used);
			if let Some(oldest) = oldest.map(|(key, _)| *key) {
				self.grammars.remove(&oldest);
			}
		}
		self.clock += 1;
		self.grammars.insert(key, (self.clock, compiled));
	}
}

/// Compiles constraints for one model.
pub(crate) struct Grammars {
	memory: Arc<Mutex<Memory>>,
	/// The compiling thread, which is started when it is first needed.
	tasks: Mutex<Option<SyncSender<Task>>>,
	/// One clone for each compiling thread that has not ended.
	threads: Arc<()>,
	tokenizer: Tokenizer,
	eos: Vec<u32>,
	vocab_size: usize,
}

impl Grammars {
	pub fn new(tokenizer: Tokenizer, eos: Vec<u32>, vocab_size: usize) -> Self {
		Self {
			memory: Arc::default(),
			tasks: Mutex::new(None),
			threads: Arc::default(),
			tokenizer,
			eos,
			vocab_size,
		}
	}

	/// The grammar of `constraint`, at its beginning. Blocks until it is compiled.
	///
	/// # Errors
	/// [`EngineError::BadGrammar`], [`EngineError::GrammarTooComplex`], [`EngineError::GrammarBusy`].
	pub fn compile(&self, constraint: &Constraint) -> Compiled {
		let lock = || self.memory.lock().unwrap_or_else(PoisonError::into_inner);
		if let Some(compiled) = lock().get(&constraint.key()) {
			return compiled;
		}
		let (reply, compiled) = sync_channel(1);
		let task = Task {
			constraint: constraint.clone(),
			reply,
		};
		self.send(task)?;
		compiled.recv_timeout(PATIENCE).unwrap_or_else(|error| {
			if error == RecvTimeoutError::Timeout {
				// Whatever holds the thread up must not hold up all that come later.
				*self.tasks.lock().unwrap_or_else(PoisonError::into_inner) = None;
			}
			Err(EngineError::GrammarBusy)
		})
	}

	fn send(&self, task: Task) -> Result<(), EngineError> {
		let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
		let sender = match tasks.take() {
			Some(sender) => sender,
			None => self.start()?,
		};
		let sent = sender.try_send(task);
		*tasks = match &sent {
			// A thread that has ended is replaced next time.
			Err(TrySendError::Disconnected(_)) => None,
			_ => Some(sender),
		};
		sent.map_err(|_| EngineError::GrammarBusy)
	}

	fn start(&self) -> Result<SyncSender<Task>, EngineError> {
		if Arc::strong_count(&self.threads) > MAX_THREADS {
			return Err(EngineError::GrammarBusy);
		}
		let alive = self.threads.clone();
		let (sender, tasks) = sync_channel(QUEUE);
		let memory = self.memory.clone();
		let (tokenizer, eos) = (self.tokenizer.clone(), self.eos.clone());
		let vocab_size = self.vocab_size;
		std::thread::Builder::new()
			.name("grammar".into())
			.stack_size(STACK_BYTES)
			.spawn(move || {
				compile_all(&tasks, &memory, tokenizer, &eos, vocab_size);
				drop(alive);
			})
			.map_err(|e| EngineError::Backend(format!("the grammar compiler: {e}")))?;
		Ok(sender)
	}
}

fn compile_all(
	tasks: &Receiver<Task>,
	memory: &Mutex<Memory>,
	tokenizer: Tokenizer,
	eos: &[u32],
	vocab_size: usize,
) {
	let factory = factory(tokenizer, eos, vocab_size);
	while let Ok(Task { constraint, reply }) = tasks.recv() {
		let lock = || memory.lock().unwrap_or_else(PoisonError::into_inner);
		let key = constraint.key();
		let known = lock().get(&key);
		let compiled = known.unwrap_or_else(|| {
			let begin = std::time::Instant::now();
			// A bug in the compiler must cost this request, not all that come later.
			let compiled = catch_unwind(AssertUnwindSafe(|| compile(&factory, constraint)))
				.unwrap_or_else(|_| Err(too_complex("the compiler ended unexpectedly")));
			let error = compiled.as_ref().err().map(ToString::to_string);
			tracing::debug!(
				ms = begin.elapsed().as_millis() as u64,
				error,
				"grammar compiled"
			);
			lock().put(key, compiled.clone());
			compiled
		});
		// Whoever asked may have lost patience.
		let _ = reply.try_send(compiled);
	}
}

fn factory(
	tokenizer: Tokenizer,
	eos: &[u32],
	vocab_size: usize,
) -> Result<ParserFactory, EngineError> {
	let words: Vec<Vec<u8>> = (0..vocab_size as u32)
		.map(|id| match tokenizer.is_special(id) {
			true => {
				let name = tokenizer.id_to_token(id).unwrap_or_default();
				[&[TokTrie::SPECIAL_TOKEN_MARKER][..], name.as_bytes()].concat()
			}
			false => tokenizer.token_bytes(id),
		})
		.collect();
	let eos: Vec<u32> = eos
		.iter()
		.copied()
		.filter(|id| (*id as usize) < vocab_size)
		.collect();
	let Some(first) = eos.first() else {
		let reason = "the model has no token that ends an answer".to_owned();
		return Err(EngineError::BadGrammar(reason));
	};
	let info = TokRxInfo::new(vocab_size as u32, *first);
	let trie = TokTrie::from(&info, &words).with_eos_tokens(&eos);
	let environment: TokEnv = Arc::new(Environment { tokenizer, trie });
	let mut factory = ParserFactory::new_simple(&environment).map_err(too_complex)?;
	factory.quiet();
	*factory.limits_mut() = ParserLimits {
		// About 20 ms of compiling, and 5 ms of a step, in an optimised build.
		initial_lexer_fuel: 1_000_000,
		step_lexer_fuel: 70_000,
		step_max_items: 25_000,
		// About 16 MB for a running answer.
		max_lexer_states: 10_000,
		max_grammar_size: 100_000,
		verbose_errors: false,
		..ParserLimits::default()
	};
	Ok(factory)
}

fn compile(factory: &Result<ParserFactory, EngineError>, constraint: Constraint) -> Compiled {
	let factory = factory.as_ref().map_err(Clone::clone)?;

	let grammar = match constraint.source {
		Source::Schema(schema) => TopLevelGrammar::from_json_schema(schema),
		Source::Lark(text) => TopLevelGrammar::from_lark(text),
	};
	let parser = factory
		.create_parser(grammar)
		.map_err(|e| EngineError::BadGrammar(first_line(&e.to_string())))?;
	let mut matcher = Matcher::new(Ok(parser));
	// Computed here once, the automaton's beginning is there for every request.
	matcher.compute_mask().map_err(too_complex)?;
	Ok(Grammar { matcher })
}
