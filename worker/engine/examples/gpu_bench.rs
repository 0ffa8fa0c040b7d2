//! What a GPU does with adapters: `gpu_bench STAGE [--twin] [--tiny] [--device N] [--out FILE]`, see `bench/gpu`.
//!
//! Stages: `conformance`, `decode`, `site`, `load`, `many`. Each prints its rows and writes them as JSON. Weights are
//! random and made on the device; adapters are random too. `--twin` computes in host memory, to test the harness.

use std::{
	collections::BTreeMap,
	error::Error,
	sync::Arc,
	time::{Duration, Instant},
};

use openledger_engine::{
	backend::{Backend, BatchItem, SequenceId},
	device::{check, find, DeviceBackend, DeviceSettings, Draw, Opener, Twin},
	AdapterConfig, AdapterError, DeviceChoice, LoraWeights, ModelConfig, RopeScaling, SITES,
};
use openledger_kernels::device::{
	conformance::{self as kernels, Extent},
	plan::{Capacity, Layout, PlanAdapter, PlanItem, Shape},
	tables::{Entry, LoraEntry},
	Device, Element, Gemm, Lora, LoraColumns, Op, Ptr, Stream, WeightFormat, Weights,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde_json::{json, Value};

type Outcome<T> = Result<T, Box<dyn Error>>;

const ALL: [&str; 7] = [
	"q_proj",
	"k_proj",
	"v_proj",
	"o_proj",
	"gate_proj",
	"up_proj",
	"down_proj",
];
const ATTENTION: [&str; 4] = ["q_proj", "k_proj", "v_proj", "o_proj"];

/// What a run measures with.
struct Run {
	twin: bool,
	tiny: bool,
	number: usize,
	config: ModelConfig,
	/// Prompt tokens before decoding is measured.
	context: usize,
	batches: Vec<usize>,
	/// Rows of the rows with adapters.
	rows: usize,
	steps: usize,
	results: Vec<Value>,
}

fn llama_8b() -> ModelConfig {
	ModelConfig {
		architecture: "llama".into(),
		hidden_size: 4096,
		intermediate_size: 14336,
		layers: 32,
		heads: 32,
		kv_heads: 8,
		head_dim: 128,
		vocab_size: 128_256,
		max_context: 8192,
		rope_theta: 500_000.0,
		rope_scaling: RopeScaling::None,
		rms_eps: 1e-5,
		tied_embeddings: false,
		qkv_bias: false,
		qk_norm: false,
		unrotated: Vec::new(),
		eos: Vec::new(),
		bos: None,
	}
}

impl Run {
	fn new(twin: bool, tiny: bool, number: usize) -> Self {
		let mut config = llama_8b();
		if tiny {
			config = ModelConfig {
				hidden_size: 64,
				intermediate_size: 96,
				layers: 2,
				heads: 4,
				kv_heads: 2,
				head_dim: 16,
				vocab_size: 128,
				max_context: 256,
				..config
			};
		}
		Self {
			twin,
			tiny,
			number,
			config,
			context: if tiny { 24 } else { 512 },
			batches: if tiny {
				vec![1, 2, 4]
			} else {
				vec![1, 8, 32, 64]
			},
			rows: if tiny { 4 } else { 64 },
			steps: if tiny { 3 } else { 40 },
			results: Vec::new(),
		}
	}

	fn opener(&self) -> Outcome<Opener> {
		if self.twin {
			return Ok(Box::new(|| Ok(Arc::new(Twin::new(96 << 20)?))));
		}
		find(DeviceChoice::Cuda(self.number))?.ok_or_else(|| "no device".into())
	}

	fn settings(&self, kv_bytes: usize) -> DeviceSettings {
		DeviceSettings {
			max_context: if self.tiny { 256 } else { 2048 },
			max_rows: 512,
			max_items: 64,
			kv_bytes,
			pinned_bytes: if self.tiny { 1 << 20 } else { 16 << 30 },
			..DeviceSettings::DEFAULT
		}
	}

	fn backend(&self, kv_bytes: usize) -> Outcome<DeviceBackend> {
		let settings = self.settings(kv_bytes);
		Ok(DeviceBackend::random(
			&self.config,
			settings,
			self.opener()?,
		)?)
	}

	fn adapter(
		&self,
		seed: u64,
		rank: usize,
		modules: &[&str],
	) -> Result<Arc<LoraWeights>, AdapterError> {
		let files = check::random_adapter(&self.config, seed, rank, modules)?;
		let parsed = AdapterConfig::parse(&files.config)?;
		let weights = LoraWeights::parse(&parsed, &files.weights, &self.config)?;
		Ok(Arc::new(weights))
	}

	fn row(&mut self, name: &str, mut fields: Value) {
		if let Some(fields) = fields.as_object_mut() {
			fields.insert("row".into(), name.into());
		}
		println!("{fields}");
		self.results.push(fields);
	}
}

/// The middle of some times, in seconds.
fn median(times: &mut [f64]) -> f64 {
	times.sort_by(f64::total_cmp);
	times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

const GREEDY: Draw = Draw {
	temperature: 0.0,
	top_p: 1.0,
	random: 0.0,
	top_k: 0,
};

/// Running sequences of one length, with an adapter each or none.
struct Batch {
	ids: Vec<SequenceId>,
	adapters: Vec<Option<Arc<LoraWeights>>>,
	position: usize,
	vocabulary: usize,
}

impl Batch {
	fn begin(
		backend: &mut DeviceBackend,
		run: &Run,
		adapters: Vec<Option<Arc<LoraWeights>>>,
	) -> Outcome<Self> {
		let mut batch = Self {
			ids: adapters.iter().map(|_| backend.open()).collect(),
			adapters,
			position: 0,
			vocabulary: run.config.vocab_size,
		};
		let mut none = Vec::new();
		for at in 0..batch.ids.len() {
			let mut item = batch.item(at, run.context);
			item.logits = false;
			backend.step(&[item], &mut none)?;
		}
		batch.position = run.context;
		Ok(batch)
	}

	fn item(&self, at: usize, tokens: usize) -> BatchItem {
		BatchItem {
			sequence: self.ids[at],
			tokens: (0..tokens)
				.map(|i| ((self.position + i) * 31 + at * 7) as u32 % self.vocabulary as u32)
				.collect(),
			position: self.position,
			adapter: self.adapters[at].clone(),
			logits: true,
		}
	}

	/// Times of decoding steps; with `logits` those come to the host, otherwise one drawn token per row.
	fn decode(&mut self, backend: &mut DeviceBackend, steps: usize, logits: bool) -> Outcome<f64> {
		let (mut values, mut tokens, mut times) = (Vec::new(), Vec::new(), Vec::new());
		let draws = vec![GREEDY; self.ids.len()];
		let first = self.position;
		// The first few capture their graphs.
		for step in 0..steps + 3 {
			let items: Vec<_> = (0..self.ids.len()).map(|at| self.item(at, 1)).collect();
			let begin = Instant::now();
			match logits {
				true => backend.step(&items, &mut values)?,
				false => backend.step_drawn(&items, &draws, &mut tokens)?,
			}
			if step >= 3 {
				times.push(begin.elapsed().as_secs_f64());
			}
			self.position += 1;
		}
		self.position = first;
		Ok(median(&mut times))
	}

	fn end(self, backend: &mut DeviceBackend) {
		self.ids.into_iter().for_each(|id| backend.close(id));
	}
}

fn conformance(run: &mut Run) -> Outcome<()> {
	let device = run.opener()?()?;
	let bytes = if run.tiny { 1 << 20 } else { 512 << 20 };
	let speeds = check::speeds(&*device, bytes)?;
	let (extent, seed) = match run.tiny {
		true => (Extent::Small, 1),
		false => (Extent::Whole, rand::random()),
	};
	let cases = kernels::run(&*device, seed, extent, |case| println!("{case:?}"))?;
	let worst = cases.iter().fold(0f64, |worst, case| worst.max(case.error));
	let error = check::conforms(&device)?;
	let info = device.info().clone();
	let fields = json!({"device": info.name, "kind": info.kind, "driver": info.driver,
		"capability": [info.capability.0, info.capability.1], "memory": info.total_bytes,
		"kernels": info.kernels, "library": info.library, "error": error, "tolerance": check::TOLERANCE,
		"cases": cases.len(), "seed": seed, "worst_case": worst,
		"to_device": speeds.to_device, "from_device": speeds.from_device, "inside": speeds.inside});
	run.row("device", fields);
	match error <= check::TOLERANCE {
		true => Ok(()),
		false => Err(format!("the device does not conform: {error:e}").into()),
	}
}

/// Decoding at several batches; with adapters of several kinds; and beside adapters that nobody uses.
fn decode(run: &mut Run) -> Outcome<()> {
	let mut backend = run.backend(0)?;
	let c = run.config.clone();
	let weights = backend.stats().weight_bytes - c.vocab_size * c.hidden_size * 2;
	let kv = 2 * c.layers * c.kv_width() * 2 * run.context;
	let mut base = BTreeMap::new();
	for rows in run.batches.clone() {
		let mut batch = Batch::begin(&mut backend, run, vec![None; rows])?;
		let drawn = batch.decode(&mut backend, run.steps, false)?;
		let logits = batch.decode(&mut backend, run.steps, true)?;
		batch.end(&mut backend);
		base.insert(rows, drawn);
		run.row(
			&format!("base-{rows}"),
			json!({"rows": rows, "context": run.context, "seconds": drawn, "tok_s": rows as f64 / drawn,
				"seconds_with_logits": logits, "bytes": weights + kv * rows}),
		);
	}
	let all = run.rows;
	let kinds: [(&str, usize, &[&str], usize, usize); 5] = [
		("one-r16", 16, &ALL, 1, all),
		("distinct-r16", 16, &ALL, all, all),
		("distinct-r16-half", 16, &ALL, all / 2, all / 2),
		("distinct-r8-attention", 8, &ATTENTION, all, all),
		("mixed-r4-to-r64", 0, &ALL, all, all),
	];
	for (name, rank, modules, count, rows) in kinds {
		let plain = base.get(&rows).copied().unwrap_or(f64::NAN);
		let ranks = |i: usize| match rank {
			0 => [4, 8, 16, 32, 64][i % 5],
			rank => rank,
		};
		let adapters = (0..count)
			.into_par_iter()
			.map(|i| run.adapter(i as u64, ranks(i), modules))
			.collect::<Result<Vec<_>, _>>()?;
		let bytes: usize = adapters.iter().map(|a| a.bytes()).sum();
		let each = (0..rows)
			.map(|i| Some(Arc::clone(&adapters[i % adapters.len()])))
			.collect();
		let mut batch = Batch::begin(&mut backend, run, each)?;
		let seconds = batch.decode(&mut backend, run.steps, false)?;
		batch.end(&mut backend);
		// The adapters are still there, but nobody uses them.
		let mut beside = Batch::begin(&mut backend, run, vec![None; rows])?;
		let idle = beside.decode(&mut backend, run.steps, false)?;
		beside.end(&mut backend);
		run.row(
			name,
			json!({"rows": rows, "adapters": adapters.len(), "adapter_bytes": bytes, "seconds": seconds,
				"tok_s": rows as f64 / seconds, "loss": 1.0 - plain / seconds,
				"floor_loss": bytes as f64 / (weights + kv * rows + bytes) as f64,
				"idle_loss": 1.0 - plain / idle}),
		);
	}
	Ok(())
}

/// The update of one site by itself: what torch does by gathering, or adapter by adapter.
fn site(run: &mut Run) -> Outcome<()> {
	let device = run.opener()?()?;
	let (k, n) = if run.tiny { (64, 96) } else { (4096, 11008) };
	for (rows, rank) in [
		(run.rows, 16),
		(run.rows, 8),
		(run.rows, 64),
		(run.rows / 2, 16),
	] {
		let seconds = one_site(&*device, k, n, rows, rank, run.steps)?;
		let bytes = rows * rank * (k + n) * 2;
		run.row(
			&format!("site-{rows}-r{rank}"),
			json!({"k": k, "n": n, "rows": rows, "adapters": rows, "rank": rank, "seconds": seconds, "bytes": bytes}),
		);
	}
	// The base's product of the same shape, for comparison.
	let seconds = one_product(&*device, k, n, run.rows, run.steps)?;
	let fields = json!({"k": k, "n": n, "rows": run.rows, "seconds": seconds, "bytes": k * n * 2});
	run.row("product", fields);
	Ok(())
}

/// Seconds of a launch, from a captured graph of several.
fn timed(device: &dyn Device, ops: &[Op], steps: usize) -> Outcome<f64> {
	const TIMES: usize = 20;
	device.begin_capture(Stream::Compute)?;
	let launched = (0..TIMES).try_for_each(|_| {
		ops.iter()
			.try_for_each(|op| device.launch(Stream::Compute, op))
	});
	let graph = device.end_capture(Stream::Compute)?;
	launched?;
	let (begin, end) = (device.event()?, device.event()?);
	let mut times = Vec::new();
	for _ in 0..steps {
		device.record(Stream::Compute, begin)?;
		device.replay(Stream::Compute, graph)?;
		device.record(Stream::Compute, end)?;
		device.finish(end)?;
		times.push(device.seconds(begin, end)? / TIMES as f64);
	}
	device.drop_graph(graph);
	Ok(median(&mut times))
}

/// Places in the arena, one after the other.
struct Places(Ptr);

impl Places {
	fn take(&mut self, bytes: usize) -> Ptr {
		let at = self.0;
		self.0 = at.at(bytes.next_multiple_of(256));
		at
	}
}

fn one_site(
	device: &dyn Device,
	k: usize,
	n: usize,
	rows: usize,
	rank: usize,
	steps: usize,
) -> Outcome<f64> {
	let mut places = Places(device.arena().start);
	let capacity = Capacity {
		rows,
		items: rows,
		pages: rows,
		partials: rows,
		depth: 1,
		ranks: rank,
	};
	let layout = Layout::new(
		Shape {
			heads: 1,
			kv_heads: 1,
			page_tokens: 16,
		},
		capacity,
	);
	let tables_at = places.take(layout.bytes());
	let (x, y) = (places.take(rows * k * 2), places.take(rows * n * 2));
	let inner = places.take(rows * rank * 2);
	let mut adapters = Vec::new();
	device.fill(Stream::Compute, x, 0, rows * k * 2)?;
	device.fill(Stream::Compute, y, 0, rows * n * 2)?;
	for _ in 0..rows {
		let (table, a, b) = (
			places.take(LoraEntry::BYTES),
			places.take(rank * k * 2),
			places.take(rank * n * 2),
		);
		device.fill(Stream::Compute, a, 0, rank * k * 2)?;
		device.fill(Stream::Compute, b, 0, rank * n * 2)?;
		let mut entry = LoraEntry {
			a,
			..Default::default()
		};
		(entry.b[0], entry.scale[0], entry.rank[0]) = (b, 1.0, rank as u32);
		let mut bytes = vec![0; LoraEntry::BYTES];
		entry.write(&mut bytes);
		device.write(table, &bytes)?;
		adapters.push([PlanAdapter {
			table,
			ranks: rank,
			factor: 1.0,
		}]);
	}
	let page = [device.arena().start];
	let items: Vec<PlanItem<'_>> = adapters
		.iter()
		.map(|adapters| PlanItem {
			tokens: &[0],
			position: 0,
			pages: &page,
			adapters,
			logits: false,
		})
		.collect();
	let mut bytes = vec![0; layout.bytes()];
	layout.fill(tables_at, &items, &mut bytes)?;
	device.write(tables_at, &bytes)?;
	let tables = layout.tables(tables_at);
	let mut slices = [LoraColumns::default(); 3];
	slices[0] = LoraColumns {
		column: 0,
		width: n,
	};
	let op = Lora {
		element: Element::Bf16,
		chunks: tables.chunks[0].rows,
		count: tables.chunks[0].row_count,
		entry: 0,
		x,
		k,
		out: Element::Bf16,
		y,
		n,
		rows,
		slices,
		slice_count: 1,
		inner,
		inner_len: tables.inner_len,
		ranks: rank,
	};
	timed(device, &[op.into()], steps)
}

fn one_product(device: &dyn Device, k: usize, n: usize, rows: usize, steps: usize) -> Outcome<f64> {
	let mut places = Places(device.arena().start);
	let count = places.take(4);
	let (x, y, data) = (
		places.take(rows * k * 2),
		places.take(rows * n * 2),
		places.take(k * n * 2),
	);
	device.write(count, &(rows as u32).to_le_bytes())?;
	device.fill(Stream::Compute, x, 0, rows * k * 2)?;
	device.fill(Stream::Compute, data, 0, k * n * 2)?;
	let weights = Weights {
		format: WeightFormat::Bf16,
		data,
		scales: Ptr::default(),
		n,
		k,
	};
	let rows = openledger_kernels::device::Count {
		at: count,
		most: rows,
	};
	let op = Gemm {
		element: Element::Bf16,
		x,
		weights,
		out: Element::Bf16,
		y,
		rows,
		library: false,
	};
	timed(device, &[op.into()], steps)
}

/// Bringing an adapter to the device: laid out in pinned memory already, or not.
fn load(run: &mut Run) -> Outcome<()> {
	let mut backend = run.backend(0)?;
	let mut cold = Vec::new();
	let mut bytes = 0;
	for seed in 0..5 {
		let adapter = run.adapter(seed, 16, &ALL)?;
		bytes = adapter.bytes();
		cold.push(place(&mut backend, &adapter)?.as_secs_f64());
	}
	drop(backend);
	// A pool that holds one of three adapters: each comes back from pinned memory.
	let mut warm = Vec::new();
	let adapters = (0..3)
		.map(|seed| run.adapter(seed, 16, &ALL))
		.collect::<Result<Vec<_>, _>>()?;
	let mut backend = tight(run, bytes * 3 / 2)?;
	for round in 0..4 {
		for adapter in &adapters {
			let took = place(&mut backend, adapter)?.as_secs_f64();
			if round > 0 {
				warm.push(took);
			}
		}
	}
	let loads = backend.stats().loads;
	let fields = json!({"bytes": bytes, "seconds_laid_out": median(&mut warm), "seconds_cold": median(&mut cold),
		"pinned_hits": loads.pinned_hits});
	run.row("load-r16", fields);
	Ok(())
}

/// A backend whose pool has about `room` bytes for adapters: KV is promised all the rest, and takes it.
fn tight(run: &Run, room: usize) -> Outcome<DeviceBackend> {
	let probe = run.backend(0)?;
	let (page, promised) = (probe.page_bytes(), probe.kv_promised());
	drop(probe);
	let all = promised / page * 100 / 80;
	let kv = (all - room.div_ceil(page) - 1) * page;
	let mut backend = run.backend(kv)?;
	// Sequences nobody ever ends.
	let tokens = backend.page_tokens();
	let context = run.settings(0).max_context;
	let mut left = kv / page;
	let mut none = Vec::new();
	while left > 0 {
		let pages = left.min(context / tokens);
		let item = BatchItem {
			sequence: backend.open(),
			tokens: vec![1; 1],
			position: pages * tokens - 1,
			adapter: None,
			logits: false,
		};
		backend.step(&[item], &mut none)?;
		left -= pages;
	}
	Ok(backend)
}

/// Time until a new sequence's adapter is on the device.
fn place(backend: &mut DeviceBackend, adapter: &Arc<LoraWeights>) -> Outcome<Duration> {
	let id = backend.open();
	let begin = Instant::now();
	while !backend.place(id, adapter)? {
		std::hint::spin_loop();
	}
	let took = begin.elapsed();
	backend.close(id);
	Ok(took)
}

/// Requests for adapters drawn by Zipf's law: few and many registered, and more than fit.
fn many(run: &mut Run) -> Outcome<()> {
	let rank = if run.tiny { 2 } else { 8 };
	let registered = if run.tiny { 40 } else { 2000 };
	let modules = ["q_proj", "v_proj"];
	let all = (0..registered as u64)
		.into_par_iter()
		.map(|seed| run.adapter(seed, rank, &modules))
		.collect::<Result<Vec<_>, _>>()?;
	let bytes = all[0].bytes();
	for count in [5, registered] {
		let mut backend = run.backend(0)?;
		let (tok_s, first) = zipf(&mut backend, run, &all[..count])?;
		run.row(
			&format!("registered-{count}"),
			json!({"adapters": count, "tok_s": tok_s, "first_token_p50": first, "evictions": backend.stats().evictions}),
		);
	}
	let fit = (2 * run.rows).min(registered / 2);
	for (name, room) in [("fit", 2 * fit), ("twice", fit)] {
		let mut backend = match name {
			"fit" => run.backend(0)?,
			_ => tight_for(run, room * bytes * 5 / 4)?,
		};
		let (tok_s, first) = zipf(&mut backend, run, &all[..2 * fit])?;
		run.row(
			&format!("first-token-{name}"),
			json!({"adapters": 2 * fit, "room_for": room, "tok_s": tok_s, "first_token_p50": first,
				"evictions": backend.stats().evictions}),
		);
	}
	Ok(())
}

/// As [`tight`], with KV left for the running sequences.
fn tight_for(run: &Run, room: usize) -> Outcome<DeviceBackend> {
	let probe = run.backend(0)?;
	let page = probe.page_bytes();
	let pages = (run.context + 64).div_ceil(probe.page_tokens()) * run.rows;
	drop(probe);
	tight(run, room + pages * page)
}

/// Runs as many sequences as rows, each for 32 tokens after a prompt; tokens per second and the median time to the
/// first token.
fn zipf(
	backend: &mut DeviceBackend,
	run: &Run,
	adapters: &[Arc<LoraWeights>],
) -> Outcome<(f64, f64)> {
	struct Live {
		id: SequenceId,
		adapter: usize,
		position: usize,
		since: Instant,
		placed: bool,
	}
	let requests = if run.tiny { 30 } else { 1000 };
	let (prompt, answer) = (run.context / 8, if run.tiny { 4 } else { 32 });
	let sums: Vec<f64> = adapters
		.iter()
		.enumerate()
		.scan(0.0, |sum, (i, _)| {
			*sum += 1.0 / (i + 1) as f64;
			Some(*sum)
		})
		.collect();
	let mut rng = ChaCha8Rng::seed_from_u64(5);
	let mut live: Vec<Live> = Vec::new();
	let (mut begun, mut tokens, mut firsts) = (0, 0usize, Vec::new());
	let mut drawn = Vec::new();
	let begin = Instant::now();
	while begun < requests || !live.is_empty() {
		while live.len() < run.rows && begun < requests {
			let point = rng.random_range(0.0..*sums.last().ok_or("no adapters")?);
			let adapter = sums.partition_point(|sum| *sum < point);
			live.push(Live {
				id: backend.open(),
				adapter,
				position: 0,
				since: Instant::now(),
				placed: false,
			});
			begun += 1;
		}
		for one in live.iter_mut().filter(|one| !one.placed) {
			one.placed = backend.place(one.id, &adapters[one.adapter])?;
		}
		let mut order: Vec<usize> = (0..live.len()).filter(|i| live[*i].placed).collect();
		order.sort_by_key(|i| live[*i].adapter);
		// A few prompts beside all that decode.
		let mut prompts = 0;
		order.retain(|i| {
			prompts += usize::from(live[*i].position == 0);
			live[*i].position > 0 || prompts <= 4
		});
		let items: Vec<BatchItem> = order
			.iter()
			.map(|i| {
				let one = &live[*i];
				BatchItem {
					sequence: one.id,
					tokens: vec![1; if one.position == 0 { prompt } else { 1 }],
					position: one.position,
					adapter: Some(Arc::clone(&adapters[one.adapter])),
					logits: true,
				}
			})
			.collect();
		if items.is_empty() {
			continue;
		}
		backend.step_drawn(&items, &vec![GREEDY; items.len()], &mut drawn)?;
		tokens += items.len();
		for (i, item) in order.into_iter().zip(&items) {
			if item.position == 0 {
				firsts.push(live[i].since.elapsed().as_secs_f64());
			}
			live[i].position += item.tokens.len();
		}
		live.retain(|one| {
			let goes_on = one.position < prompt + answer;
			if !goes_on {
				backend.close(one.id);
			}
			goes_on
		});
	}
	Ok((
		tokens as f64 / begin.elapsed().as_secs_f64(),
		median(&mut firsts),
	))
}

fn main() -> Outcome<()> {
	let mut arguments = std::env::args().skip(1);
	let stage = arguments
		.next()
		.ok_or("name a stage: conformance, decode, site, load or many")?;
	let (mut twin, mut tiny, mut number, mut out) = (false, false, 0, None);
	while let Some(argument) = arguments.next() {
		match argument.as_str() {
			"--twin" => twin = true,
			"--tiny" => tiny = true,
			"--device" => number = arguments.next().ok_or("--device wants a number")?.parse()?,
			"--out" => out = arguments.next(),
			other => return Err(format!("{other} is no option").into()),
		}
	}
	let mut run = Run::new(twin, tiny || twin, number);
	let begin = Instant::now();
	let done = match stage.as_str() {
		"conformance" => conformance(&mut run),
		"decode" => decode(&mut run),
		"site" => site(&mut run),
		"load" => load(&mut run),
		"many" => many(&mut run),
		other => Err(format!("{other} is no stage").into()),
	};
	// What was measured before something failed counts all the same.
	if let Some(out) = out {
		let error = done.as_ref().err().map(|e| e.to_string());
		let c = &run.config;
		let report = json!({"stage": stage, "twin": twin, "seconds": begin.elapsed().as_secs_f64(),
			"error": error, "rows": run.results, "sites": SITES.len(),
			"shape": {"hidden": c.hidden_size, "ff": c.intermediate_size, "layers": c.layers, "q": c.q_width(),
				"kv": c.kv_width()}});
		std::fs::write(out, serde_json::to_string_pretty(&report)?)?;
	}
	done
}
