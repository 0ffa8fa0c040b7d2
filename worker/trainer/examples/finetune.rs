//! Fine-tunes an adapter on folders of text, one contributor each, and shows what it learned.
//!
//! `cargo run -p openledger-trainer --example finetune -- MODEL OUT SETTINGS FOLDER...` where
//! `SETTINGS` is JSON, such as `{"steps": 100}` or `{}`.
#![allow(clippy::unwrap_used)]

use openledger_attribution::{Algorithm, Contribution, Records, Snapshot};
use openledger_engine::{
	backend::{Backend, BatchItem},
	cpu::CpuBackend,
	load_model, AdapterConfig, ChatMessage, LoraWeights,
};
use openledger_trainer::{split_record, tokenize, train, Bar, TrainSettings};
use std::{path::Path, sync::Arc, time::Instant};

fn main() {
	let arguments: Vec<String> = std::env::args().skip(1).collect();
	let [model, out, settings, folders @ ..] = arguments.as_slice() else {
		eprintln!("usage: finetune MODEL OUT SETTINGS FOLDER...");
		std::process::exit(2);
	};
	let settings: TrainSettings = serde_json::from_str(settings).unwrap();
	let start = Instant::now();
	let model = load_model(Path::new(model)).unwrap();
	println!("model loaded in {:.1?}", start.elapsed());
	let contributions = folders
		.iter()
		.zip(0..)
		.map(|(folder, id)| Contribution {
			id,
			contributor: folder.clone(),
			payout: folder.clone(),
			records: Records::from_path(Path::new(folder)).unwrap().records,
		})
		.collect::<Vec<_>>();
	let snapshot = Snapshot {
		datanet: 0,
		version: 1,
		licence: "CC-BY-SA-4.0".into(),
		contributions,
	};
	let start = Instant::now();
	let bar = Bar::new();
	let trained = train(&model, &[snapshot], &settings, &mut |progress| {
		bar.show(progress);
		if progress.step % 20 == 0 {
			println!(
				"step {} loss {:.3}, {:.0} tok/s, {:.1?}",
				progress.step,
				progress.loss,
				progress.tokens_per_second,
				start.elapsed()
			);
		}
	})
	.unwrap();
	println!(
		"{:?} records, held-out loss {:?}, {:.1?}",
		trained.records,
		trained.held_out,
		start.elapsed()
	);
	trained.save(Path::new(out)).unwrap();

	let config = std::fs::read(Path::new(out).join("adapter_config.json")).unwrap();
	let config = AdapterConfig::parse(&config).unwrap();
	let weights = std::fs::read(Path::new(out).join("adapter_model.safetensors")).unwrap();
	let adapter = Arc::new(LoraWeights::parse(&config, &weights, &model.config).unwrap());
	let mut backend = CpuBackend::new(&model.config, model.weights.clone(), 512, 2).unwrap();
	let snapshot = &trained.index.snapshots()[0];
	for contribution in &snapshot.contributions {
		for record in contribution.records.texts().iter().step_by(7).take(3) {
			let message = ChatMessage {
				role: "user".into(),
				content: split_record(record).0,
			};
			let prompt = model
				.tokenizer
				.apply_chat_template(std::slice::from_ref(&message), true)
				.unwrap();
			let prompt = model.tokenizer.encode_prompt(&prompt).unwrap();
			let mut written = Vec::new();
			let sequence = backend.open();
			let (mut tokens, mut position) = (prompt.clone(), 0);
			while written.len() < 100 {
				let length = tokens.len();
				let item = BatchItem {
					sequence,
					tokens,
					position,
					adapter: Some(adapter.clone()),
					logits: true,
				};
				let mut logits = Vec::new();
				backend.step(&[item], &mut logits).unwrap();
				position += length;
				let best = (0..logits.len())
					.max_by(|a, b| logits[*a].total_cmp(&logits[*b]))
					.unwrap();
				if model.config.eos.contains(&(best as u32)) {
					break;
				}
				written.push(best as u32);
				tokens = vec![best as u32];
			}
			backend.close(sequence);
			let answer = model.tokenizer.decode(&written).unwrap();
			let asked = model.tokenizer.decode(&prompt).unwrap();
			let found = trained
				.index
				.attribute(Algorithm::SpanSa1, &asked, &answer, &|text| {
					tokenize(&model.tokenizer, text)
				});
			println!("\n> {}\n{answer}", message.content);
			for span in &found.spans {
				let start = span.answer_offset as usize;
				let text = &answer[start..start + span.length as usize];
				println!("  {} weight {}: {text:?}", span.contribution, span.weight);
			}
		}
	}
}
