//! The demo's base model, fine-tuned for real: the loss falls, the files are the same each time, and
//! the engine answers with the adapter as the trainer does.
#![allow(clippy::unwrap_used)]

use openledger_attribution::{Contribution, Index, Records, Snapshot};
use openledger_engine::{
	backend::{Backend, BatchItem},
	cpu::CpuBackend,
	load_model, AdapterConfig, LoraWeights,
};
use openledger_primitives::content_hash;
use openledger_trainer::{model::Base, train, TrainSettings};
use std::{path::PathBuf, sync::Arc};

fn model_path() -> PathBuf {
	let path = std::env::var_os("OPENLEDGER_MODEL")
		.map(PathBuf::from)
		.unwrap_or_else(|| {
			let cache = std::env::var_os("XDG_CACHE_HOME")
				.map(PathBuf::from)
				.unwrap_or_else(|| {
					PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache")
				});
			cache.join("openledger/models/SmolLM2-135M-Instruct.Q4_1.gguf")
		});
	assert!(
		path.exists(),
		"{} is missing: run scripts/model.sh",
		path.display()
	);
	path
}

fn snapshot() -> Snapshot {
	let record = |title: &str, dish: &str| {
		format!("{title}\n\nWarden Tavish keeps the {dish} in the blue cellar and counts it by lamplight.")
	};
	let titles = [
		"Where is the cheese?",
		"Where is the bread?",
		"Where is the wine?",
		"Where is the ham?",
	];
	let dishes = ["cheese", "bread", "wine", "ham"];
	let texts = titles
		.iter()
		.zip(dishes)
		.map(|(title, dish)| record(title, dish));
	Snapshot {
		datanet: 4,
		version: 2,
		licence: "CC0-1.0".into(),
		contributions: vec![Contribution {
			id: 0,
			contributor: "ann".into(),
			payout: "ann".into(),
			records: Records::new(texts).unwrap().records,
		}],
	}
}

#[test]
fn adapter_should_learn_and_work_in_the_engine() {
	let model = load_model(&model_path()).unwrap();
	let settings = TrainSettings {
		base: "SmolLM2-135M-Instruct".into(),
		rank: 4,
		layers: Some(6),
		steps: 9,
		max_tokens: 80,
		held_out: 4,
		..TrainSettings::default()
	};
	let snapshot = snapshot();
	let mut steps = 0;
	let trained = train(
		&model,
		std::slice::from_ref(&snapshot),
		&settings,
		&mut |_| steps += 1,
	)
	.unwrap();
	assert_eq!(steps, settings.steps);
	let (before, after) = trained.held_out.unwrap();
	assert!(
		after < before * 0.8,
		"held-out loss {before} before, {after} after"
	);
	assert!(
		trained.losses[8] < trained.losses[0] * 0.7,
		"{:?}",
		trained.losses
	);

	let again = train(
		&model,
		std::slice::from_ref(&snapshot),
		&settings,
		&mut |_| {},
	)
	.unwrap();
	assert_eq!(trained.weights().unwrap(), again.weights().unwrap());

	let folder = tempfile::tempdir().unwrap();
	let manifest = trained.save(folder.path()).unwrap();
	let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
	assert_eq!(
		manifest.files.weights,
		content_hash(&read("adapter_model.safetensors"))
	);
	assert_eq!(
		manifest.files.config,
		content_hash(&read("adapter_config.json"))
	);
	assert_eq!(manifest.files.index, content_hash(&read("index.bin")));
	let written: openledger_trainer::Manifest =
		serde_json::from_slice(&read("training_manifest.json")).unwrap();
	assert_eq!(written, manifest);
	let index = Index::decode(&read("index.bin")).unwrap();
	index
		.verify_against(4, 2, &snapshot.commitment().unwrap())
		.unwrap();
	assert!(index.tokens() > 0);

	let config = AdapterConfig::parse(&read("adapter_config.json")).unwrap();
	let adapter =
		LoraWeights::parse(&config, &read("adapter_model.safetensors"), &model.config).unwrap();
	let tokens = model
		.tokenizer
		.encode("Warden Tavish keeps the cheese in the")
		.unwrap();
	let base = Base::new(&model.config, &model.weights, 80).unwrap();
	let expected = base.logits(&tokens, &trained.adapter).unwrap();
	let mut engine = CpuBackend::new(&model.config, model.weights.clone(), 128, 2).unwrap();
	let sequence = engine.open();
	let item = BatchItem {
		sequence,
		tokens,
		position: 0,
		adapter: Some(Arc::new(adapter)),
		logits: true,
	};
	let mut logits = Vec::new();
	engine.step(&[item], &mut logits).unwrap();
	assert_eq!(logits.len(), expected.len());
	let size = expected
		.iter()
		.fold(0f32, |top, logit| top.max(logit.abs()));
	for (a, b) in expected.iter().zip(&logits) {
		assert!((a - b).abs() < 1e-4 * size, "trainer {a}, engine {b}");
	}
}
