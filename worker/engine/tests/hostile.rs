//! Adapter files made to do harm: they are refused by name, cost no more memory than they have bytes, and never touch
//! another request.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
	alloc::{GlobalAlloc, Layout, System},
	cell::Cell,
	fs,
	time::{Duration, Instant},
};

use common::*;
use openledger_engine::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

thread_local! {
	static LIVE: Cell<isize> = const { Cell::new(0) };
	static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, with each thread's bytes counted.
struct Counting;

fn count(bytes: isize) {
	// A thread that ends has no counters any more.
	let _ = LIVE.try_with(|live| {
		live.set(live.get() + bytes);
		PEAK.try_with(|peak| peak.set(peak.get().max(live.get())))
	});
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
	unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
		count(layout.size() as isize);
		// SAFETY: the caller's promise is the system's.
		unsafe { System.alloc(layout) }
	}

	unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
		count(-(layout.size() as isize));
		// SAFETY: the caller's promise is the system's.
		unsafe { System.dealloc(pointer, layout) }
	}
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs `f`; returns its result and the most bytes it held at once.
fn measured<T>(f: impl FnOnce() -> T) -> (T, usize) {
	let before = LIVE.get();
	PEAK.set(before);
	let result = f();
	(result, (PEAK.get() - before).max(0) as usize)
}

fn base() -> ModelConfig {
	ModelConfig::from_json(
		r#"{"model_type": "llama", "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2,
			"num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 10,
			"max_position_embeddings": 16, "tie_word_embeddings": true}"#,
	)
	.unwrap()
}

/// A base whose every weight is 1.
struct Ones;

impl dora::BaseRows for Ones {
	fn row(&self, _: usize, _: &str, _: usize, out: &mut [f32]) {
		out.fill(1.0);
	}
}

fn load(config: &[u8], weights: &[u8], base: &ModelConfig) -> Result<LoraWeights, AdapterError> {
	let config = AdapterConfig::parse(config)?;
	LoraWeights::load(&config, weights, base, Some(&Ones))
}

/// An adapter that uses everything: all kinds of tensors, patterns and DoRA.
fn seeds(base: &ModelConfig) -> Vec<AdapterFiles> {
	let plain = RandomAdapter::new(base, 1, 2, &["q_proj", "down_proj"], 0.1);
	let mut dora = RandomAdapter::new(base, 2, 1, &["k_proj"], 0.1).tensors();
	for layer in 0..2 {
		let name =
			format!("base_model.model.model.layers.{layer}.self_attn.k_proj.lora_magnitude_vector");
		dora.insert(name, (vec![4], 1f32.to_le_bytes().repeat(4)));
	}
	let mut dora_config = RandomAdapter::new(base, 2, 1, &["k_proj"], 0.1).config_json();
	dora_config["use_dora"] = true.into();
	let ones = |n: usize| 1f32.to_le_bytes().repeat(n);
	let embedding = [
		("model.embed_tokens.lora_embedding_A", vec![2, 10]),
		("model.embed_tokens.lora_embedding_B", vec![8, 2]),
		("model.embed_tokens.base_layer.weight", vec![10, 8]),
		("lm_head.lora_A.weight", vec![2, 8]),
		("lm_head.lora_B.weight", vec![10, 2]),
	];
	let embedding = embedding.into_iter().map(|(name, shape)| {
		let bytes = ones(shape.iter().product());
		(format!("base_model.model.{name}"), (shape, bytes))
	});
	let config = serde_json::json!({"peft_type": "LORA", "r": 2, "lora_alpha": 4.5, "bias": "none",
		"target_modules": ["embed_tokens", "lm_head"], "use_rslora": true,
		"rank_pattern": {"^nothing.*$": 3}, "alpha_pattern": {"lm_head": 3}});
	vec![
		plain.files(),
		AdapterFiles {
			config: serde_json::to_vec(&dora_config).unwrap(),
			weights: safetensors_bytes(&dora),
		},
		AdapterFiles {
			config: serde_json::to_vec(&config).unwrap(),
			weights: safetensors_bytes(&embedding.collect()),
		},
	]
}

/// Texts that mean something where they may land.
const WORDS: [&[u8]; 28] = [
	b"0",
	b"1",
	b"-1",
	b"18446744073709551615",
	b"9223372036854775808",
	b"1e308",
	b"1e-400",
	b"null",
	b"true",
	b"[]",
	b"{}",
	b"\"",
	b"[[[[[[[[",
	b"F32",
	b"F16",
	b"BF16",
	b"I64",
	b"F8_E4M3",
	b"F4",
	b"lora_A",
	b"lora_B",
	b"default.",
	b"model.layers.99999999999999999999.",
	b"data_offsets",
	b"shape",
	b"__metadata__",
	b"../../",
	b"(a*)*",
];

/// Changes a few places of a file, some of them with meaning.
fn mutate(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
	for _ in 0..1 + rng.random_range(0..4) {
		if bytes.is_empty() {
			return;
		}
		let at = rng.random_range(0..bytes.len());
		// The header is where decisions are made.
		let at = if rng.random_range(0..4) > 0 {
			at.min(rng.random_range(0..bytes.len()))
		} else {
			at
		};
		match rng.random_range(0..9) {
			0 => bytes[at] ^= 1 << rng.random_range(0..8),
			1 => bytes[at] = rng.random(),
			2 => bytes.truncate(at),
			3 => {
				let word = WORDS[rng.random_range(0..WORDS.len())];
				bytes.splice(at..at, word.iter().copied());
			}
			4 => {
				let word = WORDS[rng.random_range(0..WORDS.len())];
				let end = (at + word.len()).min(bytes.len());
				bytes.splice(at..end, word.iter().copied());
			}
			5 => {
				let end = (at + rng.random_range(1..40)).min(bytes.len());
				let part = bytes[at..end].to_vec();
				let to = rng.random_range(0..bytes.len());
				bytes.splice(to..to, part);
			}
			6 => {
				let end = (at + rng.random_range(1..40)).min(bytes.len());
				bytes.drain(at..end);
			}
			// Digits become other digits: lengths, offsets, shapes, ranks, layers.
			7 => {
				if let Some(digit) = bytes[at..].iter_mut().find(|b| b.is_ascii_digit()) {
					*digit = b'0' + rng.random_range(0..10);
				}
			}
			// The header's length, to match what was done to it or not to.
			_ if bytes.len() >= 8 => {
				let length = match rng.random_range(0..4) {
					0 => rng.random(),
					1 => bytes.len() as u64 - 8,
					_ => {
						let end = bytes.windows(3).rposition(|w| w == b"}}}" || w == b"]}}");
						end.map_or(0, |end| end as u64 + 3 - 8)
					}
				};
				bytes[..8].copy_from_slice(&length.to_le_bytes());
			}
			_ => {}
		}
	}
}

/// What a header or a configuration says, and what it could say instead and still be well-formed.
const SWAPS: [(&str, &str); 24] = [
	("lora_A", "lora_B"),
	("lora_B", "lora_A"),
	("lora_A", "lora_magnitude_vector"),
	("layers.0", "layers.1"),
	("layers.1", "layers.2"),
	("q_proj", "v_proj"),
	("k_proj", "o_proj"),
	("down_proj", "gate_proj"),
	("lm_head", "model.embed_tokens"),
	("embed_tokens", "norm"),
	("F32", "BF16"),
	("F32", "I32"),
	("[2,8]", "[8,2]"),
	("[2,8]", "[16]"),
	("[2,8]", "[16,1]"),
	("[2,", "[1,2,"),
	("\"r\":2", "\"r\":3"),
	("\"r\":1", "\"r\":1024"),
	("\"bias\":\"none\"", "\"bias\":\"all\""),
	("\"use_dora\":true", "\"use_dora\":false"),
	("\"use_dora\":false", "\"use_dora\":true"),
	("q_proj\"", "up_proj\""),
	("LORA", "IA3"),
	("[0,", "[4,"),
];

/// Changes one thing a file says, at one of the places it says it.
fn swap(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
	let (from, to) = SWAPS[rng.random_range(0..SWAPS.len())];
	let from = from.as_bytes();
	let places: Vec<usize> = bytes
		.windows(from.len())
		.enumerate()
		.filter(|(_, window)| *window == from)
		.map(|(at, _)| at)
		.collect();
	if !places.is_empty() {
		let at = places[rng.random_range(0..places.len())];
		bytes.splice(at..at + from.len(), to.bytes());
	}
}

/// Changes a file's header or values and leaves the rest of it whole, its header's length included.
fn refine(weights: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
	let length = u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
	let mut header = weights[8..8 + length].to_vec();
	let mut data = weights[8 + length..].to_vec();
	match rng.random_range(0..4) {
		0 => {
			let at = rng.random_range(0..data.len() / 4) * 4;
			let values = [f32::NAN, f32::INFINITY, f32::MAX, f32::MIN_POSITIVE, -0.0];
			let value = values[rng.random_range(0..values.len())];
			data[at..at + 4].copy_from_slice(&value.to_le_bytes());
		}
		1 => mutate(&mut header, rng),
		_ => (0..1 + rng.random_range(0..3)).for_each(|_| swap(&mut header, rng)),
	}
	*weights = (header.len() as u64).to_le_bytes().to_vec();
	weights.extend(header);
	weights.extend(data);
}

/// As many as `OPENLEDGER_HOSTILE` says, else 100,000: a million takes two minutes.
fn inputs() -> usize {
	let set = std::env::var("OPENLEDGER_HOSTILE").ok();
	set.map_or(100_000, |n| {
		n.parse().expect("OPENLEDGER_HOSTILE is a number")
	})
}

#[test]
fn changed_files_should_be_read_or_refused_within_a_bound_of_memory() {
	let base = base();
	let seeds = seeds(&base);
	for files in &seeds {
		load(&files.config, &files.weights, &base).unwrap();
	}
	let threads = 2;
	let per_thread = inputs() / threads;
	let run = |thread: usize| {
		let mut rng = ChaCha8Rng::seed_from_u64(thread as u64);
		let (mut accepted, mut codes) = (0, std::collections::BTreeMap::new());
		for _ in 0..per_thread {
			let mut files = seeds[rng.random_range(0..seeds.len())].clone();
			match rng.random_range(0..10) {
				0 => mutate(&mut files.config, &mut rng),
				1..=3 => refine(&mut files.weights, &mut rng),
				4 => swap(&mut files.config, &mut rng),
				5 => {
					swap(&mut files.config, &mut rng);
					refine(&mut files.weights, &mut rng);
				}
				6 => {
					mutate(&mut files.config, &mut rng);
					mutate(&mut files.weights, &mut rng);
				}
				_ => mutate(&mut files.weights, &mut rng),
			}
			let (result, peak) = measured(|| load(&files.config, &files.weights, &base));
			// Patterns are compiled, the rest is copied a few times at most.
			let bound = (1 << 20) + 64 * (files.config.len() + files.weights.len());
			assert!(peak < bound, "{peak} bytes for {files:?}");
			match result {
				Ok(adapter) => {
					accepted += 1;
					assert!(adapter.bytes() <= 2 * files.weights.len());
				}
				Err(error) => *codes.entry(error.code()).or_insert(0usize) += 1,
			}
		}
		(accepted, codes)
	};
	let begin = Instant::now();
	let results: Vec<_> = std::thread::scope(|scope| {
		let threads: Vec<_> = (0..threads).map(|t| scope.spawn(move || run(t))).collect();
		threads.into_iter().map(|t| t.join().unwrap()).collect()
	});
	for (accepted, codes) in &results {
		println!(
			"{accepted} accepted, refused: {codes:?}, {:.1?}",
			begin.elapsed()
		);
		// The mutations must reach every door, or they test nothing.
		assert!(*accepted > per_thread / 50);
		for code in [
			"adapter-bad-config",
			"adapter-malformed",
			"adapter-unsupported",
			"adapter-for-another-base",
			"adapter-missing-tensor",
			"adapter-rank-mismatch",
			"adapter-not-finite",
		] {
			assert!(codes.contains_key(code), "{code} was never reached");
		}
	}
}

/// A safetensors file of a header and data as they are.
fn raw(header: &str, data: &[u8]) -> Vec<u8> {
	let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
	bytes.extend(header.as_bytes());
	bytes.extend(data);
	bytes
}

#[test]
fn headers_made_to_harm_should_be_refused_by_name() {
	let base = base();
	let config = RandomAdapter::new(&base, 1, 1, &["q_proj"], 0.1)
		.files()
		.config;
	let a = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
	let b = "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight";
	let tensor = |shape: &str, from: u64, to: u64| {
		format!(r#"{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}"#)
	};
	let data = [0u8; 64];
	let pair =
		|a_tensor: String, b_tensor: String| format!(r#"{{"{a}":{a_tensor},"{b}":{b_tensor}}}"#);
	let good = pair(tensor("[1,8]", 0, 32), tensor("[8,1]", 32, 64));
	assert!(load(&config, &raw(&good, &data), &base).is_ok());
	let deep = format!(r#"{{"{a}":{}}}"#, "[".repeat(100_000));
	let many: String = (0..50_000)
		.map(|i| format!(r#""t{i}":{},"#, tensor("[0]", 0, 0)))
		.collect();
	let many = format!(r#"{{{}"{a}":{}}}"#, many, tensor("[1,8]", 0, 32));
	let cases: Vec<(&str, Vec<u8>, &str)> = vec![
		(
			"overlapping",
			raw(
				&pair(tensor("[1,8]", 0, 32), tensor("[8,1]", 16, 48)),
				&data,
			),
			"adapter-malformed",
		),
		(
			"a hole",
			raw(
				&pair(tensor("[1,8]", 0, 32), tensor("[8,1]", 40, 72)),
				&[0; 72],
			),
			"adapter-malformed",
		),
		(
			"out of range",
			raw(
				&pair(tensor("[1,8]", 0, 32), tensor("[8,1]", 32, 1 << 60)),
				&data,
			),
			"adapter-malformed",
		),
		(
			"reversed",
			raw(
				&pair(tensor("[1,8]", 32, 0), tensor("[8,1]", 32, 64)),
				&data,
			),
			"adapter-malformed",
		),
		(
			"overflowing shape",
			raw(
				&pair(
					tensor("[4294967296,4294967296,4]", 0, 32),
					tensor("[8,1]", 32, 64),
				),
				&data,
			),
			"adapter-malformed",
		),
		(
			"negative shape",
			raw(
				&pair(tensor("[-1,8]", 0, 32), tensor("[8,1]", 32, 64)),
				&data,
			),
			"adapter-malformed",
		),
		(
			"giant rank",
			raw(
				&pair(tensor("[1000000,0]", 0, 0), tensor("[8,1]", 0, 32)),
				&[0; 32],
			),
			"adapter-for-another-base",
		),
		(
			"other rank",
			raw(
				&pair(tensor("[2,8]", 0, 64), tensor("[8,1]", 64, 96)),
				&[0; 96],
			),
			"adapter-rank-mismatch",
		),
		(
			"three dimensions",
			raw(
				&pair(tensor("[1,8,1]", 0, 32), tensor("[8,1]", 32, 64)),
				&data,
			),
			"adapter-malformed",
		),
		(
			"one name twice",
			raw(
				&format!(
					r#"{{"{a}":{0},"{a}":{0},"{b}":{1}}}"#,
					tensor("[1,8]", 0, 32),
					tensor("[8,1]", 64, 96)
				),
				&[0; 96],
			),
			"adapter-malformed",
		),
		(
			"one tensor by two names",
			raw(
				&format!(
					r#"{{"{a}":{0},"{1}":{0},"{b}":{2}}}"#,
					tensor("[1,8]", 0, 32),
					a.replace("A.weight", "A.default.weight"),
					tensor("[8,1]", 32, 64)
				),
				&data,
			),
			"adapter-malformed",
		),
		("nested", raw(&deep, &data), "adapter-malformed"),
		("many tensors", raw(&many, &data), "adapter-unsupported"),
		(
			"a path for a name",
			raw(
				&good.replace("q_proj.lora_A", "../../../q_proj.lora_A"),
				&data,
			),
			"adapter-unsupported",
		),
		(
			"a header of 2^63 bytes",
			(1u64 << 63).to_le_bytes().to_vec(),
			"adapter-malformed",
		),
		(
			"a header of 99 MB that is not there",
			99_000_000u64.to_le_bytes().to_vec(),
			"adapter-malformed",
		),
		(
			"a header of 20 MB of spaces",
			raw(&" ".repeat(20_000_000), &[]),
			"adapter-malformed",
		),
		(
			"a pickle",
			b"\x80\x02}q\x00(X\x04\x00\x00\x00".to_vec(),
			"adapter-malformed",
		),
		(
			"an archive",
			b"PK\x03\x04\x14\x00\x00\x00\x08\x00".to_vec(),
			"adapter-malformed",
		),
		("nothing", Vec::new(), "adapter-malformed"),
	];
	for (what, bytes, code) in cases {
		let (result, peak) = measured(|| load(&config, &bytes, &base));
		let error = result.map(|_| ()).unwrap_err();
		// Some headers have two things wrong; which is found first does not matter.
		let codes = [code, "adapter-malformed", "adapter-missing-tensor"];
		assert!(codes.contains(&error.code()), "{what}: {error}");
		assert!(peak < (1 << 20) + 32 * bytes.len(), "{what}: {peak} bytes");
		assert!(
			error.to_string().len() < 2000,
			"{what}: the error is as long as the attack"
		);
	}
}

#[test]
fn configurations_made_to_harm_should_be_refused_by_name() {
	let base = base();
	let files = RandomAdapter::new(&base, 1, 2, &["q_proj"], 0.1).files();
	let with = |key: &str, value: &str| {
		let json = String::from_utf8(files.config.clone()).unwrap();
		format!(r#"{{"{key}": {value},{}"#, &json[1..]).into_bytes()
	};
	let many = |n: usize| {
		let entries: Vec<_> = (0..n).map(|i| format!(r#""a{i}": 1"#)).collect();
		format!("{{{}}}", entries.join(","))
	};
	// A key given twice: the last one counts, as in Python, so these stand alone.
	let alone = |key: &str, value: &str| {
		let mut json: serde_json::Value = serde_json::from_slice(&files.config).unwrap();
		json.as_object_mut().unwrap().remove(key);
		let json = serde_json::to_string(&json).unwrap();
		format!(r#"{{"{key}": {value},{}"#, &json[1..]).into_bytes()
	};
	let cases: Vec<(&str, Vec<u8>, &str)> = vec![
		("rank", alone("r", "1000000000"), "adapter-bad-config"),
		(
			"rank of 2^64",
			alone("r", "18446744073709551616"),
			"adapter-bad-config",
		),
		("negative rank", alone("r", "-1"), "adapter-bad-config"),
		("alpha", alone("lora_alpha", "1e309"), "adapter-bad-config"),
		(
			"alpha that overflows",
			alone("lora_alpha", "1e300"),
			"adapter-not-finite",
		),
		(
			"many patterns",
			alone("rank_pattern", &many(2000)),
			"adapter-bad-config",
		),
		(
			"a pattern's rank",
			alone("rank_pattern", r#"{"q_proj": 0}"#),
			"adapter-bad-config",
		),
		(
			"a pattern that explodes",
			alone("rank_pattern", r#"{"((a{1,300}){1,300}){1,300}": 2}"#),
			"adapter-unsupported",
		),
		(
			"a pattern that is none",
			alone("rank_pattern", r#"{"(": 2}"#),
			"adapter-unsupported",
		),
		(
			"deep",
			alone("target_modules", &"[".repeat(200_000)),
			"adapter-bad-config",
		),
		(
			"not UTF-8",
			b"{\"peft_type\": \"\xff\"}".to_vec(),
			"adapter-bad-config",
		),
		(
			"a truth that is a text",
			alone("use_dora", "\"yes\""),
			"adapter-bad-config",
		),
		("no file", Vec::new(), "adapter-bad-config"),
	];
	for (what, config, code) in cases {
		let (result, peak) = measured(|| load(&config, &files.weights, &base));
		let error = result.map(|_| ()).unwrap_err();
		assert_eq!(error.code(), code, "{what}: {error}");
		assert!(peak < (2 << 20) + 32 * config.len(), "{what}: {peak} bytes");
	}
	let begin = Instant::now();
	let slow = alone("rank_pattern", r#"{"(.*)*(.*)*(.*)*x": 3, "(a|a)*b": 3}"#);
	assert!(load(&slow, &files.weights, &base).is_ok());
	assert!(
		begin.elapsed() < Duration::from_secs(1),
		"patterns take time linear in the path"
	);
	assert!(load(&with("unknown", "[1]"), &files.weights, &base).is_ok());
}

#[test]
fn hostile_adapters_should_never_harm_other_requests() {
	let folder = tempfile::tempdir().unwrap();
	fixture_model("llama", folder.path());
	let model = load_model(folder.path()).unwrap();
	let config = EngineConfig {
		threads: 1,
		adapter_budget: 1 << 20,
		..EngineConfig::new(folder.path().join("store"))
	};
	let engine = Engine::new(model, config).unwrap();
	let store = engine.store();
	let good = store.import(&fixture("llama").join("lora")).unwrap();
	let ask = |adapter: Option<AdapterKey>| {
		engine.submit(Request {
			prompt: vec![7, 30, 12, 55],
			max_tokens: 24,
			adapter,
			..Default::default()
		})
	};
	let alone = ask(Some(good)).unwrap().wait().unwrap().ids;
	let base_alone = ask(None).unwrap().wait().unwrap().ids;

	let random = |seed: u64, strength: f32| {
		RandomAdapter::new(engine.model(), seed, 2, &ALL_MODULES, strength).files()
	};
	let insert = |files: &AdapterFiles| store.insert(files).unwrap();
	let mut hostile: Vec<(&str, AdapterKey, &[&str])> = Vec::new();
	// Finite weights that overflow when they are used: the row has no finite logit.
	let key = insert(&random(1, 1.5e38));
	hostile.push(("overflow", key, &["backend", "adapter-not-finite", "fine"]));
	hostile.push(("huge", insert(&random(2, 1e30)), &["backend", "fine"]));
	let mut nan = random(3, 0.1);
	let length = nan.weights.len();
	nan.weights[length - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
	hostile.push(("NaN", insert(&nan), &["adapter-not-finite"]));
	let mut short = random(4, 0.1);
	short.weights.truncate(length / 2);
	hostile.push(("short", insert(&short), &["adapter-malformed"]));
	let bomb = AdapterFiles {
		config: random(5, 0.1).config,
		weights: (1u64 << 62).to_le_bytes().to_vec(),
	};
	hostile.push(("bomb", insert(&bomb), &["adapter-malformed"]));
	let wide = RandomAdapter::new(engine.model(), 6, 1024, &ALL_MODULES, 0.1).files();
	hostile.push(("wide", insert(&wide), &["adapter-over-budget"]));
	let altered = insert(&random(7, 0.1));
	fs::write(
		store.path(&altered).join("adapter_model.safetensors"),
		b"other",
	)
	.unwrap();
	hostile.push(("altered", altered, &["adapter-hash-mismatch"]));
	let linked = insert(&random(8, 0.1));
	let path = store.path(&linked).join("adapter_config.json");
	fs::remove_file(&path).unwrap();
	std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
	hostile.push(("linked", linked, &["adapter-io"]));

	for round in 0..3 {
		let bad: Vec<_> = hostile
			.iter()
			.map(|(what, key, codes)| (*what, *codes, ask(Some(*key)).unwrap()))
			.collect();
		let (one, two, plain) = (
			ask(Some(good)).unwrap(),
			ask(Some(good)).unwrap(),
			ask(None).unwrap(),
		);
		assert_eq!(one.wait().unwrap().ids, alone, "round {round}");
		assert_eq!(two.wait().unwrap().ids, alone, "round {round}");
		assert_eq!(plain.wait().unwrap().ids, base_alone, "round {round}");
		for (what, codes, stream) in bad {
			let code = stream.wait().map_or_else(|e| e.code(), |_| "fine");
			assert!(codes.contains(&code), "{what}: {code}");
		}
	}
	assert_eq!(ask(Some(good)).unwrap().wait().unwrap().ids, alone);
	let begin = Instant::now();
	while engine.stats().running + engine.stats().kv_reserved > 0 {
		assert!(
			begin.elapsed() < Duration::from_secs(10),
			"{:?}",
			engine.stats()
		);
		std::thread::sleep(Duration::from_millis(2));
	}
	let stats = engine.stats();
	assert_eq!(stats.waiting, 0);
	assert!(stats.adapters.peak_bytes <= 1 << 20, "{stats:?}");
}
