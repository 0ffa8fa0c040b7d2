//! Logits against a slow reference: candle's Llama in f32 on the same weights, adapters merged into them.
#![allow(clippy::unwrap_used)]

mod common;

use std::{collections::HashMap, sync::Arc};

use candle_core::{DType, Device, Tensor as CandleTensor};
use candle_transformers::models::llama::{Cache, Config, Llama, LlamaEosToks};
use common::*;
use openledger_engine::{
	backend::{Backend, BatchItem},
	cpu::CpuBackend,
	*,
};

/// Largest difference over largest logit.
const TOLERANCE: f64 = 1e-4;

fn reference(model: &LoadedModel, adapter: Option<&RandomAdapter>) -> (Llama, Cache) {
	let device = Device::Cpu;
	let mut tensors: HashMap<String, CandleTensor> = model
		.weights
		.tensors
		.iter()
		.map(|(name, t)| {
			(
				name.clone(),
				CandleTensor::from_slice(&t.to_f32(), t.shape.as_slice(), &device).unwrap(),
			)
		})
		.collect();
	for (name, (a, b)) in adapter.iter().flat_map(|a| &a.weights) {
		let adapter = adapter.unwrap();
		let rank = adapter.rank;
		let a = CandleTensor::from_slice(a, (rank, a.len() / rank), &device).unwrap();
		let b = CandleTensor::from_slice(b, (b.len() / rank, rank), &device).unwrap();
		let delta = (b.matmul(&a).unwrap() * (adapter.alpha / rank as f64)).unwrap();
		let weight = tensors.get_mut(&format!("model.{name}.weight")).unwrap();
		*weight = (&*weight + delta).unwrap();
	}
	let c = &model.config;
	let config = Config {
		hidden_size: c.hidden_size,
		intermediate_size: c.intermediate_size,
		vocab_size: c.vocab_size,
		num_hidden_layers: c.layers,
		num_attention_heads: c.heads,
		num_key_value_heads: c.kv_heads,
		use_flash_attn: false,
		rms_norm_eps: f64::from(c.rms_eps),
		rope_theta: c.rope_theta,
		bos_token_id: None,
		eos_token_id: None::<LlamaEosToks>,
		rope_scaling: None,
		max_position_embeddings: 256,
		tie_word_embeddings: c.tied_embeddings,
	};
	let cache = Cache::new(true, DType::F32, &config, &device).unwrap();
	let vars = candle_nn::VarBuilder::from_tensors(tensors, DType::F32, &device);
	(Llama::load(vars, &config).unwrap(), cache)
}

fn close(got: &[f32], want: &[f32], what: &str) {
	assert_eq!(got.len(), want.len(), "{what}");
	let largest = want.iter().fold(0f64, |m, v| m.max(f64::from(v.abs())));
	let difference = got.iter().zip(want).fold(0f64, |m, (g, w)| {
		m.max((f64::from(*g) - f64::from(*w)).abs())
	});
	let relative = difference / largest;
	println!("{what}: {relative:.2e}");
	assert!(
		relative <= TOLERANCE,
		"{what}: relative difference {relative:e}"
	);
	assert!(largest > 1.0, "{what}: the reference itself says nothing");
}

#[test]
fn logits_should_agree_with_merged_references_for_base_and_two_ranks_in_one_batch() {
	let model = model();
	let config = model.config.clone();
	let adapters = [
		RandomAdapter::new(&config, 11, 4, &ALL_MODULES, 0.05),
		RandomAdapter::new(&config, 12, 19, &ALL_MODULES, 0.05),
	];
	let lora = |adapter: &RandomAdapter| {
		let files = adapter.files();
		let parsed = AdapterConfig::parse(&files.config).unwrap();
		Some(Arc::new(
			LoraWeights::parse(&parsed, &files.weights, &config).unwrap(),
		))
	};
	let prompts: Vec<Vec<u32>> = [
		"The library opens at nine in the morning and",
		"Of all the birds that winter here, the heron is the most patient. It",
		"def add(a, b):\n    return",
	]
	.iter()
	.map(|text| model.tokenizer.encode(text).unwrap())
	.collect();
	let variants = [None, Some(&adapters[0]), Some(&adapters[1])];

	// The reference: whole prompt, then two more tokens one by one.
	let follow: [u32; 2] = [260, 1234];
	let mut wanted: Vec<Vec<Vec<f32>>> = Vec::new();
	for (prompt, adapter) in prompts.iter().zip(variants) {
		let (llama, mut cache) = reference(&model, adapter);
		let mut rows = Vec::new();
		let mut forward = |tokens: &[u32], at: usize| {
			let input = CandleTensor::new(tokens, &Device::Cpu)
				.unwrap()
				.unsqueeze(0)
				.unwrap();
			let logits = llama.forward(&input, at, &mut cache).unwrap();
			rows.push(logits.flatten_all().unwrap().to_vec1::<f32>().unwrap());
		};
		forward(prompt, 0);
		for (i, token) in follow.iter().enumerate() {
			forward(&[*token], prompt.len() + i);
		}
		wanted.push(rows);
	}
	for i in 1..3 {
		let moved = wanted[i][0]
			.iter()
			.zip(&wanted[0][0])
			.any(|(a, b)| (a - b).abs() > 1.0);
		assert!(moved, "the adapters must change the logits");
	}

	let mut backend = CpuBackend::new(&config, model.weights, 256, 2).unwrap();
	let ids: Vec<_> = prompts.iter().map(|_| backend.open()).collect();
	let loras = [None, lora(&adapters[0]), lora(&adapters[1])];
	let mut logits = Vec::new();
	let item = |i: usize, tokens: &[u32], position: usize, logits: bool| BatchItem {
		sequence: ids[i],
		tokens: tokens.to_vec(),
		position,
		adapter: loras[i].clone(),
		logits,
	};
	// The prompt in two chunks of different lengths per sequence, all in the same steps.
	let cut = |i: usize| prompts[i].len() / 2 + i;
	let batch: Vec<_> = (0..3)
		.map(|i| item(i, &prompts[i][..cut(i)], 0, false))
		.collect();
	backend.step(&batch, &mut logits).unwrap();
	assert!(logits.is_empty());
	let batch: Vec<_> = (0..3)
		.map(|i| item(i, &prompts[i][cut(i)..], cut(i), true))
		.collect();
	backend.step(&batch, &mut logits).unwrap();
	let vocab = config.vocab_size;
	for i in 0..3 {
		close(
			&logits[i * vocab..(i + 1) * vocab],
			&wanted[i][0],
			&format!("prompt {i}"),
		);
	}
	for (t, token) in follow.iter().enumerate() {
		let batch: Vec<_> = (0..3)
			.map(|i| item(i, &[*token], prompts[i].len() + t, true))
			.collect();
		backend.step(&batch, &mut logits).unwrap();
		for i in 0..3 {
			let what = format!("sequence {i} token {t}");
			close(
				&logits[i * vocab..(i + 1) * vocab],
				&wanted[i][t + 1],
				&what,
			);
		}
	}

	// Alone, a row has the same bits as beside others.
	let beside = logits.clone();
	let last = prompts[1].len() + 1;
	backend
		.step(&[item(1, &follow[1..], last, true)], &mut logits)
		.unwrap();
	assert_eq!(logits, beside[vocab..2 * vocab]);
	for id in ids {
		backend.close(id);
	}
	assert_eq!(backend.kv_bytes(), 0);
}
