//! Speed of the engine on the demo model, with the floors beside the figures:
//! `cargo run --release --example bench -p openledger-engine [model] [decode [name]]`. With `decode` it ends after
//! the table of the precisions, of which only those with `name` in their names are measured.

use std::{
	collections::BTreeMap,
	error::Error,
	path::{Path, PathBuf},
	sync::Arc,
	time::{Duration, Instant},
};

use openledger_engine::{
	backend::{Backend, BatchItem, SequenceId},
	cpu::CpuBackend,
	*,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::{tensor::TensorView, Dtype};

type Outcome<T> = Result<T, Box<dyn Error>>;

const ADAPTERS: usize = 8;
const RANK: usize = 16;
const TOKENS: usize = 64;
const MANY: usize = 1000;
const MANY_RANK: usize = 8;

/// A random adapter on all linear sites, bf16 as trainers often write it.
fn adapter(config: &ModelConfig, seed: u64, rank: usize) -> Outcome<AdapterFiles> {
	let mut rng = ChaCha8Rng::seed_from_u64(seed);
	let mut tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)> = BTreeMap::new();
	for layer in 0..config.layers {
		for (block, module) in SITES {
			let (input, output) = config.site_shape(module).ok_or("unknown site")?;
			let prefix = format!("base_model.model.model.layers.{layer}.{block}.{module}");
			let mut take = |n: usize, spread: f32| -> Vec<u8> {
				(0..n)
					.flat_map(|_| {
						half::bf16::from_f32(rng.random_range(-spread..spread)).to_le_bytes()
					})
					.collect()
			};
			let a = take(rank * input, 1.0 / (input as f32).sqrt());
			let b = take(output * rank, 0.02);
			tensors.insert(format!("{prefix}.lora_A.weight"), (vec![rank, input], a));
			tensors.insert(format!("{prefix}.lora_B.weight"), (vec![output, rank], b));
		}
	}
	let views = tensors
		.iter()
		.map(|(name, (shape, bytes))| {
			Ok((name, TensorView::new(Dtype::BF16, shape.clone(), bytes)?))
		})
		.collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
	let config = serde_json::json!({"peft_type": "LORA", "r": rank, "lora_alpha": rank,
		"bias": "none", "target_modules": SITES.map(|(_, module)| module)});
	Ok(AdapterFiles {
		config: serde_json::to_vec(&config)?,
		weights: safetensors::serialize(views, None)?,
	})
}

/// Peak resident memory of this process in bytes.
fn peak_memory() -> Outcome<usize> {
	let status = std::fs::read_to_string("/proc/self/status")?;
	let line = status
		.lines()
		.find(|l| l.starts_with("VmHWM:"))
		.ok_or("no VmHWM")?;
	Ok(line
		.split_whitespace()
		.nth(1)
		.ok_or("no number")?
		.parse::<usize>()?
		<< 10)
}

fn folder_bytes(folder: &Path) -> Outcome<u64> {
	let mut sum = 0;
	for entry in std::fs::read_dir(folder)? {
		for file in std::fs::read_dir(entry?.path())? {
			sum += file?.metadata()?.len();
		}
	}
	Ok(sum)
}

struct Prompts(Vec<Vec<u32>>);

impl Prompts {
	/// The `i`-th request: it always generates `max_tokens` tokens, whatever they are.
	fn request(&self, i: usize, adapter: Option<AdapterKey>, max_tokens: usize) -> Request {
		Request {
			prompt: self.0[i % self.0.len()].clone(),
			adapter,
			max_tokens,
			..Default::default()
		}
	}
}

/// Time to the first token, times between tokens, tokens.
struct Timing {
	first: Duration,
	gaps: Vec<Duration>,
	tokens: usize,
}

fn drain(mut stream: TokenStream, begin: Instant) -> Outcome<Timing> {
	let mut last = begin;
	let mut timing = Timing {
		first: Duration::ZERO,
		gaps: Vec::new(),
		tokens: 0,
	};
	while let Some(event) = stream.next_blocking() {
		match event {
			StreamEvent::Token { .. } => {
				let now = Instant::now();
				if timing.tokens == 0 {
					timing.first = now - begin;
				} else {
					timing.gaps.push(now - last);
				}
				timing.tokens += 1;
				last = now;
			}
			StreamEvent::Failed(error) => return Err(error.into()),
			StreamEvent::Embedding(_) | StreamEvent::Finished { .. } => {}
		}
	}
	Ok(timing)
}

/// A way to hold and compute the base model, and what its steps took.
struct Variant {
	name: &'static str,
	backend: CpuBackend,
	ids: Vec<SequenceId>,
	position: usize,
	/// One row; eight rows of the base; eight rows with eight adapters.
	times: [Vec<Duration>; 3],
}

impl Variant {
	/// One decoding step of `rows` rows.
	fn step(&mut self, rows: usize, adapters: &[Arc<LoraWeights>]) -> Outcome<Duration> {
		let batch: Vec<BatchItem> = (0..rows)
			.map(|i| BatchItem {
				sequence: self.ids[i],
				tokens: vec![1000 + i as u32],
				position: self.position,
				adapter: adapters.get(i).cloned(),
				logits: true,
			})
			.collect();
		let mut logits = Vec::new();
		let begin = Instant::now();
		self.backend.step(&batch, &mut logits)?;
		Ok(begin.elapsed())
	}
}

/// Decoding at the backend, all precisions in turn, so that what else the machine does hits all of them alike.
fn decode_table(model: &LoadedModel, threads: usize) -> Outcome<()> {
	const ROUNDS: usize = 12;
	const STEPS: usize = 5;
	let recast = |to: &dyn Fn(&Values) -> Values| {
		let mut weights = model.weights.clone();
		for tensor in weights.tensors.values_mut().filter(|t| t.shape.len() == 2) {
			tensor.data = to(&tensor.data);
		}
		weights
	};
	let bf16 = recast(&Values::to_bf16);
	let list = [
		(
			"f32 exact",
			recast(&|v| v.to_f32().into()),
			Precision::Exact,
		),
		("bf16 exact", bf16.clone(), Precision::Exact),
		("bf16 rounded", bf16.clone(), Precision::Rounded),
		("int8", bf16, Precision::Int8),
		("as shipped exact", model.weights.clone(), Precision::Exact),
		(
			"as shipped rounded",
			model.weights.clone(),
			Precision::Rounded,
		),
	];
	let mut variants = Vec::new();
	let only = std::env::args().nth(3).unwrap_or_default();
	for (name, weights, precision) in list.into_iter().filter(|(name, ..)| name.contains(&only)) {
		let settings = CpuSettings {
			max_context: 512,
			threads,
			precision,
		};
		let mut backend = CpuBackend::with(&model.config, weights, settings)?;
		let ids: Vec<SequenceId> = (0..8).map(|_| backend.open()).collect();
		let prompt: Vec<BatchItem> = ids
			.iter()
			.map(|id| BatchItem {
				sequence: *id,
				tokens: (0..64).map(|t| 500 + t).collect(),
				position: 0,
				adapter: None,
				logits: false,
			})
			.collect();
		backend.step(&prompt, &mut Vec::new())?;
		variants.push(Variant {
			name,
			backend,
			ids,
			position: 64,
			times: Default::default(),
		});
	}
	let adapters: Vec<Arc<LoraWeights>> = (0..8)
		.map(|seed| {
			let files = adapter(&model.config, seed, RANK)?;
			let parsed = AdapterConfig::parse(&files.config)?;
			Ok(Arc::new(LoraWeights::parse(
				&parsed,
				&files.weights,
				&model.config,
			)?))
		})
		.collect::<Outcome<_>>()?;
	let extra: usize = adapters.iter().map(|a| a.bytes()).sum();
	let load = || std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
	let (before, mut speeds) = (load(), Vec::new());
	let plain = machine::Bandwidth::new(threads);
	for _ in 0..ROUNDS {
		speeds.push(plain.measure());
		for variant in &mut variants {
			for (kind, (rows, adapters)) in
				[(1, &adapters[..0]), (8, &adapters[..0]), (8, &adapters[..])]
					.into_iter()
					.enumerate()
			{
				// Sequences 1 to 7 would lag behind the first; all kinds write the same positions again.
				let position = variant.position;
				for _ in 0..STEPS {
					let time = variant.step(rows, adapters)?;
					variant.times[kind].push(time);
				}
				variant.position = position;
			}
		}
	}
	let speed = speeds.iter().copied().fold(0.0, f64::max);
	println!(
		"decode       context 65, {threads} threads, memory read at {:.1} GB/s; load average before {} after {}",
		speed / 1e9,
		before.split(' ').next().unwrap_or_default(),
		load().split(' ').next().unwrap_or_default()
	);
	println!("             median and fastest tenth of {} steps each, interleaved; floor: bytes over memory speed", ROUNDS * STEPS);
	println!(
		"             {:<20} {:<22} {:>8} {:>8} {:>8} {:>8} {:>8}",
		"weights", "rows", "MB/step", "median", "fastest", "floor", "of floor"
	);
	for variant in &mut variants {
		let kinds = [("1", 1, 0), ("8", 8, 0), ("8, 8 adapters bf16", 8, extra)];
		for (times, (rows, count, more)) in variant.times.iter_mut().zip(kinds) {
			times.sort_unstable();
			let rate = |at: usize| f64::from(count) / times[at].as_secs_f64();
			let bytes = variant.backend.weight_bytes() + more;
			let floor = f64::from(count) * speed / bytes as f64;
			let fastest = rate(times.len() / 10);
			println!(
				"             {:<20} {rows:<22} {:>8.0} {:>8.1} {fastest:>8.1} {floor:>8.1} {:>7.0} %",
				variant.name,
				bytes as f64 / 1e6,
				rate(times.len() / 2),
				100.0 * fastest / floor
			);
		}
	}
	Ok(())
}

fn main() -> Outcome<()> {
	let path = std::env::args_os()
		.nth(1)
		.or_else(|| std::env::var_os("OPENLEDGER_MODEL"));
	let path = path.map(PathBuf::from).unwrap_or_else(|| {
		let home = std::env::var_os("HOME")
			.map(PathBuf::from)
			.unwrap_or_default();
		let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
		cache
			.unwrap_or_else(|| home.join(".cache"))
			.join("openledger/models/SmolLM2-135M-Instruct.Q4_1.gguf")
	});
	let folder = tempfile::tempdir()?;
	let threads = std::thread::available_parallelism()?.get();
	let begin = Instant::now();
	let mut model = load_model(&path)?;
	println!(
		"model        {} loaded in {:.2?}",
		path.display(),
		begin.elapsed()
	);
	// No end tokens: every request must generate the same number of tokens.
	model.config.eos.clear();
	decode_table(&model, threads)?;
	if std::env::args().nth(2).is_some_and(|a| a == "decode") {
		return Ok(());
	}
	let shape = model.config.clone();
	let linear: usize = model
		.weights
		.tensors
		.iter()
		.filter(|(name, t)| {
			t.shape.len() == 2 && (shape.tied_embeddings || !name.contains("embed"))
		})
		.map(|(_, t)| t.data.bytes())
		.sum();
	let store = AdapterStore::open(folder.path())?;
	let hot: Vec<AdapterKey> = (0..ADAPTERS)
		.map(|i| Ok(store.insert(&adapter(&shape, i as u64, RANK)?)?))
		.collect::<Outcome<_>>()?;
	let one = LoraWeights::needed(&store.load(&hot[0])?.weights)?;
	let many = LoraWeights::needed(&adapter(&shape, 0, MANY_RANK)?.weights)?;
	let budget = (one * (ADAPTERS + 4)).max(many * 16);
	let engine = Engine::new(
		model,
		EngineConfig {
			max_batch: 32,
			max_context: 1024,
			kv_budget: 1 << 30,
			adapter_budget: budget,
			max_queue: 2 * MANY,
			max_queue_per_tenant: 0,
			threads,
			..EngineConfig::new(folder.path())
		},
	)?;
	let prompts: Vec<Vec<u32>> = (0..8)
		.map(|i| {
			let topic = [
				"rivers", "bread", "stars", "law", "music", "trains", "bees", "maps",
			][i];
			let content = format!("Explain to a child, step by step, how {topic} work, and why.");
			let messages = [ChatMessage {
				role: "user".into(),
				content,
			}];
			let text = engine.tokenizer().apply_chat_template(&messages, true)?;
			engine.tokenizer().encode(&text)
		})
		.collect::<Result<_, _>>()?;
	let prompts = Prompts(prompts);
	println!(
		"shape        {} layers, {} wide, weights as shipped and exact, {threads} threads; rank {RANK} on all 7 sites, {} prompt + {TOKENS} new tokens",
		shape.layers,
		shape.hidden_size,
		prompts.0[0].len()
	);

	// Base, one stream, with the floor that the weights' bytes set.
	let plain = machine::Bandwidth::new(threads);
	let speed = plain.best(5);
	drop(plain);
	let warm = engine.submit(prompts.request(0, None, 8))?.wait()?;
	drop(warm);
	let timing = drain(
		engine.submit(prompts.request(0, None, TOKENS))?,
		Instant::now(),
	)?;
	let decode: Duration = timing.gaps.iter().sum();
	let rate = timing.gaps.len() as f64 / decode.as_secs_f64();
	let floor = speed / linear as f64;
	println!(
		"base x1      {rate:.1} tok/s decode; floor {floor:.1} tok/s ({:.0} MB per step at {:.1} GB/s): {:.0} %",
		linear as f64 / 1e6,
		speed / 1e9,
		100.0 * rate / floor
	);

	let run = |keys: &[Option<AdapterKey>], together: bool| -> Outcome<f64> {
		let begin = Instant::now();
		let mut tokens = 0;
		if together {
			let streams = keys
				.iter()
				.enumerate()
				.map(|(i, key)| engine.submit(prompts.request(i, *key, TOKENS)))
				.collect::<Result<Vec<_>, _>>()?;
			for stream in streams {
				tokens += stream.wait()?.ids.len();
			}
		} else {
			for (i, key) in keys.iter().enumerate() {
				tokens += engine
					.submit(prompts.request(i, *key, TOKENS))?
					.wait()?
					.ids
					.len();
			}
		}
		Ok(tokens as f64 / begin.elapsed().as_secs_f64())
	};
	let keys: Vec<Option<AdapterKey>> = hot.iter().copied().map(Some).collect();
	let bare = vec![None; ADAPTERS];
	// Warm: all adapters in memory.
	run(&keys, true)?;
	let base = run(&bare, true)?;
	let batch = run(&keys, true)?;
	let serial = run(&keys, false)?;
	println!("base x8      {base:.1} tok/s in one batch");
	println!(
		"8 adapters   {batch:.1} tok/s in one batch ({:.0} % below base), {serial:.1} tok/s one after the other: {:.2}x (target 3x)",
		100.0 * (1.0 - batch / base),
		batch / serial
	);

	// Cold adapters while others stream.
	let cold: Vec<AdapterKey> = (0..4)
		.map(|i| Ok(store.insert(&adapter(&shape, 1000 + i, RANK)?)?))
		.collect::<Outcome<_>>()?;
	let wait_quiet = || -> Outcome<Vec<std::thread::JoinHandle<Timing>>> {
		(0..4)
			.map(|i| {
				let stream = engine.submit(prompts.request(i, Some(hot[i]), 160))?;
				let begin = Instant::now();
				Ok(std::thread::spawn(move || {
					drain(stream, begin).unwrap_or(Timing {
						first: Duration::ZERO,
						gaps: Vec::new(),
						tokens: 0,
					})
				}))
			})
			.collect()
	};
	let mut firsts: [Vec<Duration>; 2] = Default::default();
	let mut gaps: [Vec<Duration>; 2] = Default::default();
	for (which, set) in [&hot[4..8], &cold[..]].into_iter().enumerate() {
		let running = wait_quiet()?;
		std::thread::sleep(Duration::from_millis(600));
		for (i, key) in set.iter().enumerate() {
			let timing = drain(
				engine.submit(prompts.request(i, Some(*key), 1))?,
				Instant::now(),
			)?;
			firsts[which].push(timing.first);
			std::thread::sleep(Duration::from_millis(100));
		}
		for thread in running {
			let timing = thread.join().map_err(|_| "a reader panicked")?;
			gaps[which].extend(timing.gaps);
		}
	}
	let median = |list: &mut Vec<Duration>| {
		list.sort_unstable();
		list.get(list.len() / 2).copied().unwrap_or_default()
	};
	let (warm_first, cold_first) = (median(&mut firsts[0]), median(&mut firsts[1]));
	let (warm_gap, cold_gap) = (median(&mut gaps[0]), median(&mut gaps[1]));
	println!(
		"cold adapter {:.1} MB: first token {cold_first:.1?} against {warm_first:.1?} warm, beside 4 streams: {:+.1} ms (target 100 ms)",
		one as f64 / 1e6,
		(cold_first.as_secs_f64() - warm_first.as_secs_f64()) * 1e3
	);
	println!(
		"other streams: token gap median {cold_gap:.1?}, max {:.1?} with loads; {warm_gap:.1?}, {:.1?} without (both with the newcomers' prompts)",
		gaps[1].last().copied().unwrap_or_default(),
		gaps[0].last().copied().unwrap_or_default()
	);

	// A thousand adapters in a budget for a few.
	let begin = Instant::now();
	let keys: Vec<AdapterKey> = (0..MANY)
		.map(|i| Ok(store.insert(&adapter(&shape, 5000 + i as u64, MANY_RANK)?)?))
		.collect::<Outcome<_>>()?;
	let disk = folder_bytes(folder.path())?;
	println!(
		"{MANY} adapters rank {MANY_RANK}: {:.2} GB on disk, made in {:.1?}",
		disk as f64 / 1e9,
		begin.elapsed()
	);
	let before = engine.stats();
	let begin = Instant::now();
	let streams = keys
		.iter()
		.enumerate()
		.map(|(i, key)| {
			// Short: loads, not prompts, are what is looked at here.
			let mut request = prompts.request(i, Some(*key), 4);
			request.prompt.truncate(4);
			engine.submit(request)
		})
		.collect::<Result<Vec<_>, _>>()?;
	let mut tokens = 0;
	for stream in streams {
		tokens += stream.wait()?.ids.len();
	}
	let stats = engine.stats().adapters;
	println!(
		"             all {MANY} served once in {:.1?} ({:.0} tok/s incl. prompts), {} loads of {:.1} ms, {} evictions",
		begin.elapsed(),
		tokens as f64 / begin.elapsed().as_secs_f64(),
		stats.loads - before.adapters.loads,
		1e3 * (stats.load_time - before.adapters.load_time).as_secs_f64() / (stats.loads - before.adapters.loads) as f64,
		stats.evictions - before.adapters.evictions
	);
	println!(
		"             adapter memory: peak {:.1} MB of a budget of {:.1} MB ({}); process peak {:.0} MB",
		stats.peak_bytes as f64 / 1e6,
		budget as f64 / 1e6,
		if stats.peak_bytes <= budget { "kept" } else { "EXCEEDED" },
		peak_memory()? as f64 / 1e6
	);
	Ok(())
}
