//! An adapter's two files. Whatever the bytes, they are refused by name, or become an adapter of the bytes that its header
//! foretold; nothing panics, and no more memory is taken than a small multiple of the files.
//!
//! Both files are made of the input: good ones with a list of changes, so that what lies behind the JSON and the header is
//! reached soon, or the bytes as they are.

#![no_main]

use libfuzzer_sys::fuzz_target;
use openledger_engine::{dora::BaseRows, AdapterConfig, LoraWeights, ModelConfig};
use std::sync::LazyLock;

static BASE: LazyLock<ModelConfig> = LazyLock::new(|| {
	ModelConfig::from_json(
		r#"{"model_type": "llama", "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2,
			"num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 10,
			"max_position_embeddings": 16, "tie_word_embeddings": true}"#,
	)
	.expect("a good configuration; qed")
});

/// A base whose every weight is 1.
struct Ones;

impl BaseRows for Ones {
	fn row(&self, _: usize, _: &str, _: usize, out: &mut [f32]) {
		out.fill(1.0);
	}
}

/// A safetensors file of tensors of ones.
fn ones(tensors: &[(String, [usize; 2])]) -> Vec<u8> {
	let (mut header, mut end) = (String::from("{"), 0);
	for (name, [rows, columns]) in tensors {
		let begin = end;
		end += 4 * rows * columns;
		let comma = if begin == 0 { "" } else { "," };
		let shape = if *columns == 1 {
			format!("{rows}")
		} else {
			format!("{rows},{columns}")
		};
		header += &format!(
			r#"{comma}"base_model.model.{name}":{{"dtype":"F32","shape":[{shape}],"data_offsets":[{begin},{end}]}}"#
		);
	}
	header += "}";
	let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
	bytes.extend(header.bytes());
	bytes.extend(1f32.to_le_bytes().repeat(end / 4));
	bytes
}

/// Configuration and weights of adapters that use everything there is.
static SEEDS: LazyLock<[(Vec<u8>, Vec<u8>); 3]> = LazyLock::new(|| {
	let layers = |sites: &[(&str, usize, usize)], rank: usize, magnitude: bool| {
		let mut tensors = Vec::new();
		for layer in 0..2 {
			for (site, input, output) in sites {
				let name = format!("model.layers.{layer}.{site}");
				tensors.push((format!("{name}.lora_A.weight"), [rank, *input]));
				tensors.push((format!("{name}.lora_B.weight"), [*output, rank]));
				if magnitude {
					tensors.push((format!("{name}.lora_magnitude_vector"), [*output, 1]));
				}
			}
		}
		ones(&tensors)
	};
	let plain = br#"{"peft_type":"LORA","r":2,"lora_alpha":4,"bias":"none","target_modules":["q_proj","down_proj"],
		"use_rslora":false,"use_dora":false,"modules_to_save":null,"rank_pattern":{},"alpha_pattern":{}}"#;
	let dora = br#"{"peft_type":"LORA","r":3,"lora_alpha":4,"bias":"none","target_modules":["k_proj"],"use_dora":true}"#;
	let head = br#"{"peft_type":"LORA","r":2,"lora_alpha":4.5,"bias":"none","target_modules":["embed_tokens","lm_head"],
		"use_rslora":true,"rank_pattern":{"^nothing.*$":3},"alpha_pattern":{"lm_head":3}}"#;
	let named = |name: &str, shape| (name.to_owned(), shape);
	[
		(
			plain.to_vec(),
			layers(
				&[("self_attn.q_proj", 8, 8), ("mlp.down_proj", 12, 8)],
				2,
				false,
			),
		),
		(
			dora.to_vec(),
			layers(&[("self_attn.k_proj", 8, 4)], 3, true),
		),
		(
			head.to_vec(),
			ones(&[
				named("model.embed_tokens.lora_embedding_A", [2, 10]),
				named("model.embed_tokens.lora_embedding_B", [8, 2]),
				named("lm_head.lora_A.weight", [2, 8]),
				named("lm_head.lora_B.weight", [10, 2]),
			]),
		),
	]
});

/// The next `n` bytes.
fn take<'a>(input: &mut &'a [u8], n: usize) -> &'a [u8] {
	let (taken, rest) = input.split_at(n.min(input.len()));
	*input = rest;
	taken
}

fn number(input: &mut &[u8]) -> usize {
	take(input, 2)
		.iter()
		.fold(0, |n, byte| n << 8 | usize::from(*byte))
}

/// Puts bytes of the input in place of some of the files', change by change.
fn change(config: &mut Vec<u8>, weights: &mut Vec<u8>, mut input: &[u8]) {
	while let [kind, rest @ ..] = input {
		input = rest;
		let file = if kind & 1 == 0 {
			&mut *config
		} else {
			&mut *weights
		};
		let at = number(&mut input) % (file.len() + 1);
		let gone = usize::from(kind >> 1 & 7).min(file.len() - at);
		let new = take(&mut input, usize::from(kind >> 4));
		file.splice(at..at + gone, new.iter().copied());
	}
}

fn read(config: &[u8], weights: &[u8]) -> Option<LoraWeights> {
	let config = AdapterConfig::parse(config).ok()?;
	let foretold = LoraWeights::examine(&config, weights, &BASE);
	let loaded = LoraWeights::load(&config, weights, &BASE, Some(&Ones)).ok()?;
	assert_eq!(foretold.as_ref().ok(), Some(&loaded.bytes()));
	assert!(loaded.bytes() <= 2 * weights.len());
	Some(loaded)
}

fuzz_target!(|input: &[u8]| {
	let [kind, rest @ ..] = input else {
		return;
	};
	let mut input = rest;
	if let Some((config, weights)) = SEEDS.get(usize::from(*kind)) {
		let (mut config, mut weights) = (config.clone(), weights.clone());
		if input.is_empty() {
			assert!(read(&config, &weights).is_some(), "unchanged they are good");
		}
		change(&mut config, &mut weights, input);
		read(&config, &weights);
		return;
	}
	let length = number(&mut input);
	let config = take(&mut input, length);
	read(config, input);
});
