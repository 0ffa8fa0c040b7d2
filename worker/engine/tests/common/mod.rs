//! The demo model, and adapters made from a seed.
#![allow(dead_code)]

pub mod small;

use std::{
	collections::BTreeMap,
	path::{Path, PathBuf},
	time::{Duration, Instant},
};

use openledger_engine::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Families there are fixtures of, each with its adapters.
pub const FAMILIES: [(&str, &[&str]); 6] = [
	(
		"llama",
		&["lora", "rslora", "dora", "patterns", "head", "embedding"],
	),
	("llama3", &["dora-head"]),
	("mistral", &["lora"]),
	("qwen2", &["lora", "dora"]),
	("qwen3", &["lora", "dora"]),
	("smollm3", &["lora"]),
];

/// The byte-level alphabet: every byte as a printable character.
pub fn alphabet() -> Vec<String> {
	let mut next = 256;
	(0u32..256)
		.map(|byte| {
			let printable = matches!(byte, 33..=126 | 161..=172 | 174..=255);
			let code = if printable {
				byte
			} else {
				next += 1;
				next - 1
			};
			char::from_u32(code).unwrap().to_string()
		})
		.collect()
}

/// What a tensor of a Hugging Face file is called in GGUF.
pub fn gguf_name(name: &str) -> String {
	name.replace("model.layers.", "blk.")
		.replace("model.embed_tokens", "token_embd")
		.replace("model.norm", "output_norm")
		.replace("lm_head", "output")
		.replace("post_attention_layernorm", "ffn_norm")
		.replace("input_layernorm", "attn_norm")
		.replace("self_attn.o_proj", "attn_output")
		.replace("self_attn.", "attn_")
		.replace("mlp.", "ffn_")
		.replace("_proj", "")
}

/// Waits until the condition holds; panics after 20 seconds.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
	let begin = Instant::now();
	while !condition() {
		assert!(
			begin.elapsed() < Duration::from_secs(20),
			"{what} did not happen"
		);
		std::thread::sleep(Duration::from_millis(1));
	}
}

/// Where the demo model is.
pub fn model_path() -> PathBuf {
	let path = match std::env::var_os("OPENLEDGER_MODEL") {
		Some(path) => PathBuf::from(path),
		None => {
			let cache = std::env::var_os("XDG_CACHE_HOME")
				.map(PathBuf::from)
				.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
				.unwrap_or_default();
			cache.join("openledger/models/SmolLM2-135M-Instruct.Q4_1.gguf")
		}
	};
	assert!(
		path.is_file(),
		"the demo model is not at {}: run scripts/model.sh, or set OPENLEDGER_MODEL",
		path.display()
	);
	path
}

pub fn model() -> LoadedModel {
	load_model(&model_path()).unwrap()
}

/// A LoRA adapter of random weights on the given modules of every layer.
pub struct RandomAdapter {
	pub rank: usize,
	pub alpha: f64,
	pub modules: Vec<&'static str>,
	/// Name (`layers.0.self_attn.q_proj`) → A `[rank, in]` and B `[out, rank]`.
	pub weights: BTreeMap<String, (Vec<f32>, Vec<f32>)>,
}

pub const ALL_MODULES: [&str; 7] = [
	"q_proj",
	"k_proj",
	"v_proj",
	"o_proj",
	"gate_proj",
	"up_proj",
	"down_proj",
];

impl RandomAdapter {
	/// `strength` is the typical size of the elements of B; A's are about 1/√in.
	pub fn new(
		config: &ModelConfig,
		seed: u64,
		rank: usize,
		modules: &[&'static str],
		strength: f32,
	) -> Self {
		let mut rng = ChaCha8Rng::seed_from_u64(seed);
		let mut weights = BTreeMap::new();
		for layer in 0..config.layers {
			for (block, module) in SITES {
				if !modules.contains(&module) {
					continue;
				}
				let (input, output) = config.site_shape(module).unwrap();
				let spread = 1.0 / (input as f32).sqrt();
				let mut take = |n: usize, spread: f32| -> Vec<f32> {
					(0..n).map(|_| rng.random_range(-spread..spread)).collect()
				};
				let a = take(rank * input, spread);
				let b = take(output * rank, strength);
				weights.insert(format!("layers.{layer}.{block}.{module}"), (a, b));
			}
		}
		Self {
			rank,
			alpha: 2.0 * rank as f64,
			modules: modules.to_vec(),
			weights,
		}
	}

	pub fn config_json(&self) -> serde_json::Value {
		serde_json::json!({
			"peft_type": "LORA", "r": self.rank, "lora_alpha": self.alpha, "bias": "none",
			"target_modules": self.modules, "task_type": "CAUSAL_LM", "use_rslora": false,
			"fan_in_fan_out": false, "modules_to_save": null, "use_dora": false,
			"rank_pattern": {}, "alpha_pattern": {}, "some_key_of_a_later_release": [1, 2],
		})
	}

	/// Tensors by their PEFT names: shape and little-endian f32 bytes.
	pub fn tensors(&self) -> BTreeMap<String, (Vec<usize>, Vec<u8>)> {
		let bytes = |v: &[f32]| v.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
		let mut tensors = BTreeMap::new();
		for (name, (a, b)) in &self.weights {
			let prefix = format!("base_model.model.model.{name}");
			let shape = vec![self.rank, a.len() / self.rank];
			tensors.insert(format!("{prefix}.lora_A.weight"), (shape, bytes(a)));
			let shape = vec![b.len() / self.rank, self.rank];
			tensors.insert(format!("{prefix}.lora_B.weight"), (shape, bytes(b)));
		}
		tensors
	}

	pub fn files(&self) -> AdapterFiles {
		AdapterFiles {
			config: serde_json::to_vec(&self.config_json()).unwrap(),
			weights: safetensors_bytes(&self.tensors()),
		}
	}
}

pub fn safetensors_bytes(tensors: &BTreeMap<String, (Vec<usize>, Vec<u8>)>) -> Vec<u8> {
	let views = tensors.iter().map(|(name, (shape, bytes))| {
		let view = safetensors::tensor::TensorView::new(
			safetensors::Dtype::F32,
			shape.clone(),
			bytes.as_slice(),
		);
		(name.clone(), view.unwrap())
	});
	safetensors::serialize(views, None).unwrap()
}

pub fn chat(engine: &Engine, text: &str) -> Vec<u32> {
	let message = ChatMessage {
		role: "user".into(),
		content: text.into(),
	};
	let prompt = engine
		.tokenizer()
		.apply_chat_template(&[message], true)
		.unwrap();
	engine.tokenizer().encode(&prompt).unwrap()
}

/// A fixture of `families.rs`.
pub fn fixture(family: &str) -> PathBuf {
	Path::new(env!("CARGO_MANIFEST_DIR"))
		.join("tests/fixtures")
		.join(family)
}

/// Writes a fixture's model into `folder`, with a tokenizer in which every id is a word of its own (`t0`, `t1`, …).
pub fn fixture_model(family: &str, folder: &Path) {
	for name in ["config.json", "model.safetensors"] {
		std::fs::copy(fixture(family).join(name), folder.join(name)).unwrap();
	}
	let vocab: serde_json::Map<String, serde_json::Value> =
		(0..96).map(|id| (format!("t{id}"), id.into())).collect();
	let tokenizer = serde_json::json!({"version": "1.0", "added_tokens": [], "normalizer": null,
		"pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
		"model": {"type": "WordLevel", "vocab": vocab, "unk_token": "t0"}});
	std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
}
