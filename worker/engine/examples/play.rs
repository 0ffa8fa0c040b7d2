//! The engine in a process of its own, driven by JSON lines, for comparisons with other libraries: `bench/serve`
//! starts it and reads its answers. By hand:
//!
//! `echo '{"bandwidth": true}' | cargo run -q --example play -p openledger-engine -- '{"model": PATH, "store": DIR}'`
//!
//! The argument is an object of settings: `model` (GGUF file or folder), `store` (folder of adapters), and if
//! wanted `threads`, `max_batch`, `max_context`, `kv_mib`, `adapter_mib`, `precision`, `prompts_first`. Each line of
//! the input is one command:
//!
//! - `{"run": [{"ids": [1, 2], "adapter": FOLDER or null, "tokens": N}]}`: all requests at once. Answers `seconds`
//!   until the last has ended, `tokens` generated and `first`, the seconds to each request's first token.
//! - `{"bandwidth": true}`: bytes per second that all threads together read from memory.

use std::{
	error::Error,
	io::{BufRead, Write},
	time::Instant,
};

use openledger_engine::{
	load_model, AdapterKey, Engine, EngineConfig, Request, StreamEvent, TokenStream,
};
use serde_json::{json, Value};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Far more than the caches hold.
const BANDWIDTH_BYTES: usize = 512 << 20;

fn number(settings: &Value, name: &str, otherwise: usize) -> Outcome<usize> {
	match settings.get(name) {
		None | Some(Value::Null) => Ok(otherwise),
		Some(value) => {
			let value = value.as_u64().ok_or(format!("{name} is no number"))?;
			Ok(usize::try_from(value)?)
		}
	}
}

fn text<'a>(settings: &'a Value, name: &str) -> Outcome<&'a str> {
	let value = settings.get(name).and_then(Value::as_str);
	Ok(value.ok_or(format!("{name} is missing"))?)
}

fn hash(hex: &str) -> Option<[u8; 32]> {
	let bytes: Option<Vec<u8>> = (0..hex.len())
		.step_by(2)
		.map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok())
		.collect();
	bytes?.try_into().ok()
}

/// The adapter whose folder in the store has this name.
fn key(folder: &str) -> Outcome<AdapterKey> {
	let bad = || format!("{folder:?} is not <weights' hash>-<configuration's hash>");
	let (weights, config) = folder.split_once('-').ok_or_else(bad)?;
	Ok(AdapterKey {
		weights: hash(weights).ok_or_else(bad)?,
		config: hash(config).ok_or_else(bad)?,
	})
}

fn request(wanted: &Value) -> Outcome<Request> {
	let ids = wanted.get("ids").and_then(Value::as_array);
	let prompt = ids
		.ok_or("ids are missing")?
		.iter()
		.map(|id| {
			let id = id.as_u64().ok_or("an id is no number")?;
			Ok(u32::try_from(id)?)
		})
		.collect::<Outcome<Vec<u32>>>()?;
	let adapter = match wanted.get("adapter").and_then(Value::as_str) {
		None => None,
		Some(folder) => Some(key(folder)?),
	};
	Ok(Request {
		prompt,
		adapter,
		max_tokens: number(wanted, "tokens", 128)?,
		..Default::default()
	})
}

/// Reads a stream to its end: seconds from `begin` to the first token, and the number of tokens.
fn drain(mut stream: TokenStream, begin: Instant) -> Result<(f64, usize), String> {
	let (mut first, mut tokens) = (0.0, 0);
	while let Some(event) = stream.next_blocking() {
		match event {
			StreamEvent::Token { .. } => {
				if tokens == 0 {
					first = begin.elapsed().as_secs_f64();
				}
				tokens += 1;
			}
			StreamEvent::Failed(error) => return Err(error.to_string()),
			_ => {}
		}
	}
	Ok((first, tokens))
}

fn run(engine: &Engine, wanted: &[Value]) -> Outcome<Value> {
	let requests = wanted.iter().map(request).collect::<Outcome<Vec<_>>>()?;
	let begin = Instant::now();
	let streams = requests
		.into_iter()
		.map(|request| engine.submit(request))
		.collect::<Result<Vec<_>, _>>()?;
	let ended: Vec<Result<(f64, usize), String>> = std::thread::scope(|scope| {
		let readers: Vec<_> = streams
			.into_iter()
			.map(|stream| scope.spawn(move || drain(stream, begin)))
			.collect();
		readers
			.into_iter()
			.map(|reader| {
				let panicked = Err("a reader panicked".to_string());
				reader.join().unwrap_or(panicked)
			})
			.collect()
	});
	let seconds = begin.elapsed().as_secs_f64();
	let ended = ended.into_iter().collect::<Result<Vec<_>, _>>()?;
	let tokens: usize = ended.iter().map(|(_, tokens)| tokens).sum();
	let first: Vec<f64> = ended.iter().map(|(first, _)| *first).collect();
	Ok(json!({ "seconds": seconds, "tokens": tokens, "first": first }))
}

/// Bytes per second of a plain read of one buffer per thread, the best of five passes.
fn bandwidth(threads: usize) -> f64 {
	let words = BANDWIDTH_BYTES / threads / 8;
	let buffers: Vec<Vec<u64>> = (0..threads).map(|i| vec![i as u64 + 1; words]).collect();
	(0..5)
		.map(|_| {
			let begin = Instant::now();
			let sum = std::thread::scope(|scope| {
				let sums: Vec<_> = buffers
					.iter()
					.map(|b| scope.spawn(move || b.iter().fold(0u64, |s, v| s.wrapping_add(*v))))
					.collect();
				sums.into_iter()
					.map(|sum| sum.join().unwrap_or(0))
					.fold(0, u64::wrapping_add)
			});
			std::hint::black_box(sum);
			(threads * words * 8) as f64 / begin.elapsed().as_secs_f64()
		})
		.fold(0.0, f64::max)
}

fn obey(engine: &Engine, threads: usize, line: &str) -> Outcome<Value> {
	let command: Value = serde_json::from_str(line)?;
	if let Some(wanted) = command.get("run").and_then(Value::as_array) {
		return run(engine, wanted);
	}
	if command.get("bandwidth").is_some() {
		return Ok(json!({ "bandwidth": bandwidth(threads) }));
	}
	Err("unknown command; there are run and bandwidth".into())
}

fn main() -> Outcome<()> {
	let settings = std::env::args().nth(1).ok_or("give the settings as JSON")?;
	let settings: Value = serde_json::from_str(&settings)?;
	let machine = std::thread::available_parallelism()?.get();
	let threads = number(&settings, "threads", machine)?.max(1);
	let mut config = EngineConfig::new(text(&settings, "store")?);
	config.threads = threads;
	config.max_batch = number(&settings, "max_batch", config.max_batch)?;
	config.max_context = number(&settings, "max_context", config.max_context)?;
	config.kv_budget = number(&settings, "kv_mib", 1024)? << 20;
	config.adapter_budget = number(&settings, "adapter_mib", 2048)? << 20;
	config.max_queue = config.max_queue.max(1024);
	if let Some(precision) = settings.get("precision").and_then(Value::as_str) {
		config.precision = precision.parse()?;
	}
	if let Some(first) = settings.get("prompts_first").and_then(Value::as_bool) {
		config.prompts_first = first;
	}
	let begin = Instant::now();
	let model = load_model(text(&settings, "model")?.as_ref())?;
	let engine = Engine::new(model, config)?;
	let mut out = std::io::stdout().lock();
	let ready = json!({ "ready": true, "load_seconds": begin.elapsed().as_secs_f64() });
	writeln!(out, "{ready}")?;
	for line in std::io::stdin().lock().lines() {
		let answer = obey(&engine, threads, &line?)
			.unwrap_or_else(|error| json!({ "error": error.to_string() }));
		writeln!(out, "{answer}")?;
		out.flush()?;
	}
	Ok(())
}
