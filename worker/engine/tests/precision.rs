//! What the precisions cost, on the demo model; that steps allocate nothing; that stored formats serve as they are.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
	alloc::{GlobalAlloc, Layout, System},
	sync::{
		atomic::{AtomicUsize, Ordering},
		Arc, Mutex,
	},
};

use common::*;
use openledger_engine::{
	backend::{Backend, BatchItem, SequenceId},
	cpu::CpuBackend,
	*,
};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is handed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
	unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
		ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
		// SAFETY: the caller keeps the contract of `alloc`.
		unsafe { System.alloc(layout) }
	}
	unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
		// SAFETY: the caller keeps the contract of `dealloc`.
		unsafe { System.dealloc(pointer, layout) }
	}
	unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
		ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
		// SAFETY: the caller keeps the contract of `realloc`.
		unsafe { System.realloc(pointer, layout, size) }
	}
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// One test at a time, so that the allocations that are counted are those of the test.
static TURN: Mutex<()> = Mutex::new(());

fn backend(config: &ModelConfig, weights: ModelWeights, precision: Precision) -> CpuBackend {
	let settings = CpuSettings {
		max_context: 256,
		threads: 2,
		precision,
	};
	CpuBackend::with(config, weights, settings).unwrap()
}

/// The weights, all matrices as bf16.
fn bf16(weights: &ModelWeights) -> ModelWeights {
	let mut weights = weights.clone();
	for tensor in weights.tensors.values_mut().filter(|t| t.shape.len() == 2) {
		tensor.data = tensor.data.to_bf16();
	}
	weights
}

const TEXTS: [&str; 4] = [
	"The library opens at nine in the morning and closes at six, except on Sundays, when the old reading room \
	is kept open until late for those who study for their examinations.",
	"Photosynthesis is the process by which plants turn light, water and carbon dioxide into sugar and oxygen.",
	"def add(a, b):\n    return a + b\n\nfor i in range(10):\n    print(add(i, 2))\n",
	"Dear Ms Okonkwo, thank you for your letter of the third of May. We regret that the goods arrived broken.",
];

/// Logits after every token of the texts.
fn logits(backend: &mut CpuBackend, texts: &[Vec<u32>]) -> Vec<Vec<f32>> {
	let mut all = Vec::new();
	let ids: Vec<SequenceId> = texts.iter().map(|_| backend.open()).collect();
	let longest = texts.iter().map(Vec::len).max().unwrap();
	let mut row = Vec::new();
	for position in 0..longest {
		let batch: Vec<BatchItem> = texts
			.iter()
			.zip(&ids)
			.filter(|(text, _)| position < text.len())
			.map(|(text, id)| BatchItem {
				sequence: *id,
				tokens: vec![text[position]],
				position,
				adapter: None,
				logits: true,
			})
			.collect();
		backend.step(&batch, &mut row).unwrap();
		all.extend(
			row.chunks_exact(row.len() / batch.len())
				.map(<[f32]>::to_vec),
		);
	}
	ids.into_iter().for_each(|id| backend.close(id));
	all
}

fn distribution(logits: &[f32]) -> Vec<f64> {
	let largest = logits.iter().fold(f64::MIN, |m, v| m.max(f64::from(*v)));
	let e: Vec<f64> = logits
		.iter()
		.map(|v| (f64::from(*v) - largest).exp())
		.collect();
	let sum: f64 = e.iter().sum();
	e.into_iter().map(|v| v / sum).collect()
}

fn best(logits: &[f32]) -> usize {
	(0..logits.len())
		.max_by(|a, b| logits[*a].total_cmp(&logits[*b]))
		.unwrap()
}

/// Mean divergence (nats) from the reference, share of equal first choices, and largest difference over the largest
/// logit.
fn compare(got: &[Vec<f32>], want: &[Vec<f32>]) -> (f64, f64, f64) {
	let (mut divergence, mut equal, mut largest) = (0.0, 0, 0f64);
	for (got, want) in got.iter().zip(want) {
		let (p, q) = (distribution(want), distribution(got));
		divergence += p.iter().zip(&q).map(|(p, q)| p * (p / q).ln()).sum::<f64>();
		equal += usize::from(best(got) == best(want));
		let size = want.iter().fold(0f32, |m, v| m.max(v.abs()));
		let apart = got
			.iter()
			.zip(want)
			.fold(0f32, |m, (g, w)| m.max((g - w).abs()));
		largest = largest.max(f64::from(apart / size));
	}
	(
		divergence / want.len() as f64,
		equal as f64 / want.len() as f64,
		largest,
	)
}

#[test]
fn precisions_should_cost_what_is_written() {
	let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
	let model = model();
	let texts: Vec<Vec<u32>> = TEXTS
		.iter()
		.map(|text| model.tokenizer.encode(text).unwrap())
		.collect();
	let run = |weights: ModelWeights, precision| {
		logits(&mut backend(&model.config, weights, precision), &texts)
	};
	let stored = model.weights.clone();
	let narrow = bf16(&stored);
	let wide = {
		let mut wide = stored.clone();
		wide.tensors
			.values_mut()
			.for_each(|t| t.data = t.to_f32().into());
		wide
	};
	let want = run(wide, Precision::Exact);
	// Weights, precision, bounds of the divergence, the share of equal choices, the largest difference.
	let cases = [
		(
			"as stored",
			stored.clone(),
			Precision::Exact,
			1e-9,
			1.0,
			1e-4,
		),
		("as stored", stored, Precision::Rounded, 0.02, 0.9, 0.2),
		("bf16", narrow.clone(), Precision::Exact, 0.02, 0.9, 0.2),
		("bf16", narrow.clone(), Precision::Rounded, 0.02, 0.9, 0.2),
		("bf16", narrow, Precision::Int8, 0.02, 0.9, 0.2),
	];
	for (name, weights, precision, divergence, equal, largest) in cases {
		let got = compare(&run(weights, precision), &want);
		println!(
			"{name} {}: divergence {:.2e}, equal first choices {:.1} %, largest difference {:.2e}, {} positions",
			precision.name(),
			got.0,
			100.0 * got.1,
			got.2,
			want.len()
		);
		assert!(
			got.0 <= divergence && got.1 >= equal && got.2 <= largest,
			"{name} {}: {got:?}",
			precision.name()
		);
	}
}

#[test]
fn a_stored_model_should_be_streamed_in_the_bytes_of_its_file() {
	let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
	let model = model();
	let matrices: usize = model
		.weights
		.tensors
		.iter()
		.filter(|(_, tensor)| tensor.shape.len() == 2)
		.map(|(_, tensor)| tensor.data.bytes())
		.sum();
	let backend = CpuBackend::new(&model.config, model.weights, 64, 1).unwrap();
	assert_eq!(backend.weight_bytes(), matrices);
	assert_eq!(backend.formats(), ["Q4_1", "Q8_0"]);
}

#[test]
fn a_step_should_allocate_nothing() {
	let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
	let model = model();
	let adapters: Vec<Arc<LoraWeights>> = (0..2)
		.map(|seed| {
			let adapter = RandomAdapter::new(&model.config, seed, 5, &ALL_MODULES, 0.01);
			let files = adapter.files();
			let parsed = AdapterConfig::parse(&files.config).unwrap();
			Arc::new(LoraWeights::parse(&parsed, &files.weights, &model.config).unwrap())
		})
		.collect();
	for precision in [Precision::Exact, Precision::Rounded] {
		let mut backend = backend(&model.config, model.weights.clone(), precision);
		let ids: Vec<SequenceId> = (0..5).map(|_| backend.open()).collect();
		let batch = |position: usize| -> Vec<BatchItem> {
			ids.iter()
				.enumerate()
				.map(|(i, id)| BatchItem {
					sequence: *id,
					tokens: vec![100 + i as u32],
					position,
					adapter: adapters.get(i / 2).cloned(),
					logits: true,
				})
				.collect()
		};
		let mut logits = Vec::new();
		backend.step(&batch(0), &mut logits).unwrap();
		backend.step(&batch(1), &mut logits).unwrap();
		let later: Vec<Vec<BatchItem>> = (2..12).map(batch).collect();
		let before = ALLOCATIONS.load(Ordering::Relaxed);
		for batch in &later {
			backend.step(batch, &mut logits).unwrap();
		}
		let made = ALLOCATIONS.load(Ordering::Relaxed) - before;
		// The harness's own threads are idle meanwhile; a single allocation per step would be ten.
		assert!(
			made < later.len(),
			"{made} allocations in {} steps",
			later.len()
		);
	}
}
