//! Model and adapter files, good and hostile. A tiny model is written in both formats; every refusal has a name.
#![allow(clippy::unwrap_used)]

mod common;

use std::{collections::BTreeMap, io::Cursor, path::Path};

use candle_core::{
	quantized::{
		gguf_file::{self, Value},
		GgmlDType, QTensor,
	},
	Device, Tensor as CandleTensor,
};
use common::*;
use openledger_engine::*;
use rand::{Rng, SeedableRng};

struct Tiny {
	config: serde_json::Value,
	/// In Hugging Face names and order.
	tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
	tokens: Vec<String>,
	merges: Vec<String>,
}

const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const HEAD_DIM: usize = 8;

fn tiny() -> Tiny {
	let mut tokens = alphabet();
	tokens.extend(["ab", "<|im_start|>", "<|im_end|>"].map(String::from));
	let config = serde_json::json!({
		"model_type": "llama", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
		"num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "head_dim": HEAD_DIM,
		"vocab_size": tokens.len(), "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
		"rope_parameters": {"rope_theta": 100000.0, "rope_type": "default"},
		"tie_word_embeddings": true, "eos_token_id": 258, "hidden_act": "silu",
	});
	let parsed = ModelConfig::from_json(&config.to_string()).unwrap();
	let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
	let tensors = parsed
		.tensors()
		.into_iter()
		.map(|(name, shape)| {
			let n = shape.iter().product();
			(
				name,
				(shape, (0..n).map(|_| rng.random_range(-0.3..0.3)).collect()),
			)
		})
		.collect();
	Tiny {
		config,
		tensors,
		tokens,
		merges: vec!["a b".into()],
	}
}

impl Tiny {
	fn write_folder(&self, folder: &Path) {
		std::fs::create_dir_all(folder).unwrap();
		std::fs::write(folder.join("config.json"), self.config.to_string()).unwrap();
		let vocab: serde_json::Map<String, serde_json::Value> = self
			.tokens
			.iter()
			.enumerate()
			.map(|(id, t)| (t.clone(), id.into()))
			.collect();
		let added = [(257, "<|im_start|>"), (258, "<|im_end|>")].map(|(id, content)| {
			serde_json::json!({"id": id, "content": content, "single_word": false,
				"lstrip": false, "rstrip": false, "normalized": false, "special": true})
		});
		let bytes = serde_json::json!({"type": "ByteLevel", "add_prefix_space": false,
			"trim_offsets": true, "use_regex": true});
		let tokenizer = serde_json::json!({"version": "1.0", "added_tokens": added,
			"normalizer": null, "pre_tokenizer": bytes, "post_processor": null, "decoder": bytes,
			"model": {"type": "BPE", "vocab": vocab, "merges": self.merges}});
		std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
		std::fs::write(folder.join("model.safetensors"), self.safetensors()).unwrap();
	}

	fn safetensors(&self) -> Vec<u8> {
		let raw = self
			.tensors
			.iter()
			.map(|(name, (shape, data))| {
				let bytes = data.iter().flat_map(|v| v.to_le_bytes()).collect();
				(name.clone(), (shape.clone(), bytes))
			})
			.collect();
		safetensors_bytes(&raw)
	}

	/// As the converters to GGUF do: q and k interleaved. Written down separately from the engine's inverse.
	fn gguf(&self) -> Vec<u8> {
		let interleave = |data: &[f32], heads: usize| {
			let t = CandleTensor::from_slice(data, (heads, 2, HEAD_DIM / 2, 32), &Device::Cpu);
			t.unwrap()
				.transpose(1, 2)
				.unwrap()
				.contiguous()
				.unwrap()
				.flatten_all()
				.unwrap()
		};
		let tensors: Vec<(String, QTensor)> = self
			.tensors
			.iter()
			.map(|(name, (shape, data))| {
				let flat = if name.contains("q_proj") {
					interleave(data, HEADS)
				} else if name.contains("k_proj") {
					interleave(data, KV_HEADS)
				} else {
					CandleTensor::from_slice(data, data.len(), &Device::Cpu).unwrap()
				};
				let tensor = flat.reshape(shape.as_slice()).unwrap();
				(
					gguf_name(name),
					QTensor::quantize(&tensor, GgmlDType::F32).unwrap(),
				)
			})
			.collect();
		let strings =
			|list: &[String]| Value::Array(list.iter().cloned().map(Value::String).collect());
		let kinds = (0..self.tokens.len()).map(|id| Value::I32(if id > 256 { 3 } else { 1 }));
		let metadata = [
			("general.architecture", Value::String("llama".into())),
			("llama.embedding_length", Value::U32(32)),
			("llama.feed_forward_length", Value::U32(48)),
			("llama.block_count", Value::U32(2)),
			("llama.attention.head_count", Value::U32(HEADS as u32)),
			("llama.attention.head_count_kv", Value::U32(KV_HEADS as u32)),
			("llama.context_length", Value::U32(64)),
			("llama.rope.freq_base", Value::F32(100000.0)),
			("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
			("tokenizer.ggml.model", Value::String("gpt2".into())),
			("tokenizer.ggml.pre", Value::String("smollm".into())),
			("tokenizer.ggml.tokens", strings(&self.tokens)),
			("tokenizer.ggml.merges", strings(&self.merges)),
			("tokenizer.ggml.token_type", Value::Array(kinds.collect())),
			("tokenizer.ggml.eos_token_id", Value::U32(258)),
		];
		let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(k, v)| (*k, v)).collect();
		let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(n, t)| (n.as_str(), t)).collect();
		let mut file = Cursor::new(Vec::new());
		gguf_file::write(&mut file, &metadata, &tensors).unwrap();
		file.into_inner()
	}
}

fn load_bytes(folder: &Path, bytes: &[u8]) -> Result<LoadedModel, ModelError> {
	let path = folder.join("model.gguf");
	std::fs::write(&path, bytes).unwrap();
	load_model(&path)
}

#[test]
fn gguf_and_folder_should_give_the_same_model() {
	let folder = tempfile::tempdir().unwrap();
	let tiny = tiny();
	let gguf = load_bytes(folder.path(), &tiny.gguf()).unwrap();
	tiny.write_folder(&folder.path().join("hf"));
	let hf = load_model(&folder.path().join("hf")).unwrap();
	assert_eq!(
		gguf.config,
		ModelConfig {
			bos: None,
			..hf.config.clone()
		}
	);
	assert_eq!(gguf.config.rope_theta, 100000.0);
	assert_eq!(gguf.weights.tensors, hf.weights.tensors);
	for (name, (shape, data)) in &tiny.tensors {
		assert_eq!(
			(
				&gguf.weights.get(name).unwrap().shape,
				&hf.weights.get(name).unwrap().data
			),
			(shape, &Values::F32(data.clone()))
		);
	}
	assert_ne!(gguf.weights_hash, hf.weights_hash);
	for text in ["abab cab", "çé 😀\n<|im_start|>x"] {
		assert_eq!(
			gguf.tokenizer.encode(text).unwrap(),
			hf.tokenizer.encode(text).unwrap()
		);
	}
	assert_eq!(hf.tokenizer.encode("ab<|im_end|>").unwrap(), [256, 258]);

	// The other spelling of the rope base, and none.
	let mut config = tiny.config.clone();
	config.as_object_mut().unwrap().remove("rope_parameters");
	config["rope_theta"] = 5000.0.into();
	assert_eq!(
		ModelConfig::from_json(&config.to_string())
			.unwrap()
			.rope_theta,
		5000.0
	);
	config.as_object_mut().unwrap().remove("rope_theta");
	assert_eq!(
		ModelConfig::from_json(&config.to_string())
			.unwrap()
			.rope_theta,
		10000.0
	);
}

#[test]
fn a_folder_model_should_serve_and_know_its_hash() {
	let folder = tempfile::tempdir().unwrap();
	tiny().write_folder(folder.path());
	let model = load_model(folder.path()).unwrap();
	let again = load_model(folder.path()).unwrap();
	assert_eq!(model.weights_hash, again.weights_hash);
	let store = folder.path().join("store");
	let engine = Engine::new(
		model,
		EngineConfig {
			threads: 1,
			..EngineConfig::new(store)
		},
	)
	.unwrap();
	assert_eq!(engine.max_context(), 64);
	let prompt = engine.tokenizer().encode("abc").unwrap();
	let done = engine
		.submit(Request {
			prompt,
			max_tokens: 20,
			..Default::default()
		})
		.unwrap();
	assert!(done.wait().unwrap().completion_tokens >= 1);
	let text = "changed";
	std::fs::write(folder.path().join("extra.txt"), text).unwrap();
	assert_eq!(
		load_model(folder.path()).unwrap().weights_hash,
		again.weights_hash
	);
}

#[test]
fn truncated_gguf_should_be_named_at_every_length() {
	let folder = tempfile::tempdir().unwrap();
	let bytes = tiny().gguf();
	for len in (0..bytes.len())
		.step_by(97)
		.chain([4, 8, 16, 24, bytes.len() - 1])
	{
		let code = load_bytes(folder.path(), &bytes[..len]).unwrap_err().code();
		let expected = if len < 4 {
			"not-a-model"
		} else {
			"model-truncated"
		};
		assert_eq!(code, expected, "length {len}");
	}
}

#[test]
fn flipped_header_bytes_should_never_panic() {
	let folder = tempfile::tempdir().unwrap();
	let bytes = tiny().gguf();
	let data = tiny()
		.tensors
		.values()
		.map(|(_, d)| d.len() * 4)
		.sum::<usize>();
	let header = bytes.len() - data;
	let mut refused = 0;
	// The vocabulary in the middle is text; every byte of the numbers at both ends is tried.
	for at in (0..700)
		.chain((700..header - 1400).step_by(23))
		.chain(header - 1400..header)
	{
		for flip in [0x01, 0x80, 0xff] {
			let mut bytes = bytes.clone();
			bytes[at] ^= flip;
			refused += usize::from(load_bytes(folder.path(), &bytes).is_err());
		}
	}
	assert!(refused > 700, "{refused}");
}

#[test]
fn mislabelled_models_should_be_named() {
	let folder = tempfile::tempdir().unwrap();
	let code = |bytes: &[u8]| load_bytes(folder.path(), bytes).unwrap_err().code();
	assert_eq!(code(b"PK\x03\x04 a zip"), "not-a-model");
	assert_eq!(code(&tiny().safetensors()), "not-a-model");
	let replaced = |from: &[u8], to: &[u8]| {
		let mut bytes = tiny().gguf();
		let at = bytes.windows(from.len()).position(|w| w == from).unwrap();
		bytes[at..at + to.len()].copy_from_slice(to);
		bytes
	};
	assert_eq!(
		code(&replaced(
			b"\x05\0\0\0\0\0\0\0llama",
			b"\x05\0\0\0\0\0\0\0gemma"
		)),
		"unsupported-architecture"
	);
	assert_eq!(
		code(&replaced(b"blk.1.ffn_up.weight", b"blk.1.ffn_xx.weight")),
		"missing-tensor"
	);
	assert_eq!(code(&replaced(b"smollm", b"strang")), "model-unsupported");
	// 2^60 metadata entries in a file of a few kilobytes.
	let mut oversized = tiny().gguf();
	oversized[16..24].copy_from_slice(&(1u64 << 60).to_le_bytes());
	assert_eq!(code(&oversized), "model-truncated");
	let mut infinite = tiny();
	infinite.tensors.get_mut("model.norm.weight").unwrap().1[3] = f32::INFINITY;
	assert_eq!(code(&infinite.gguf()), "model-not-finite");
	assert_eq!(
		load_model(&folder.path().join("absent"))
			.unwrap_err()
			.code(),
		"model-io"
	);
	assert_eq!(
		load_model(&{
			let empty = folder.path().join("empty");
			std::fs::create_dir(&empty).unwrap();
			empty
		})
		.unwrap_err()
		.code(),
		"not-a-model"
	);
}

#[test]
fn broken_folders_should_be_named() {
	let root = tempfile::tempdir().unwrap();
	let mut count = 0;
	let mut code = |change: &dyn Fn(&Path)| {
		count += 1;
		let folder = root.path().join(count.to_string());
		tiny().write_folder(&folder);
		change(&folder);
		load_model(&folder).unwrap_err().code()
	};
	let weights = tiny().safetensors();
	let write = |name: &'static str, bytes: Vec<u8>| {
		move |folder: &Path| std::fs::write(folder.join(name), &bytes).unwrap()
	};
	for len in [0, 7, 8, 100, weights.len() / 2, weights.len() - 1] {
		let cut = weights[..len].to_vec();
		assert_eq!(
			code(&write("model.safetensors", cut)),
			"model-truncated",
			"length {len}"
		);
	}
	let mut oversized = weights.clone();
	oversized[..8].copy_from_slice(&u64::MAX.to_le_bytes());
	assert_eq!(
		code(&write("model.safetensors", oversized)),
		"model-malformed"
	);
	assert_eq!(
		code(&write("model.safetensors", tiny().gguf())),
		"model-malformed"
	);
	assert_eq!(
		code(&write("config.json", b"{".to_vec())),
		"model-malformed"
	);
	let edited = |key: &str, value: serde_json::Value| {
		let mut config = tiny().config;
		config[key] = value;
		config.to_string().into_bytes()
	};
	assert_eq!(
		code(&write("config.json", edited("hidden_size", 64.into()))),
		"wrong-tensor-shape"
	);
	assert_eq!(
		code(&write("config.json", edited("num_hidden_layers", 3.into()))),
		"missing-tensor"
	);
	assert_eq!(
		code(&write(
			"config.json",
			edited("num_key_value_heads", 3.into())
		)),
		"model-malformed"
	);
	assert_eq!(
		code(&write(
			"config.json",
			edited("num_attention_heads", 0.into())
		)),
		"model-malformed"
	);
	assert_eq!(
		code(&write(
			"config.json",
			edited("vocab_size", (1u64 << 60).into())
		)),
		"model-malformed"
	);
	assert_eq!(
		code(&write("config.json", edited("model_type", "bert".into()))),
		"unsupported-architecture"
	);
	let yarn = serde_json::json!({"type": "yarn", "factor": 4.0});
	assert_eq!(
		code(&write("config.json", edited("rope_scaling", yarn))),
		"model-unsupported"
	);
	assert_eq!(code(&write("tokenizer.json", b"[]".to_vec())), "tokenizer");
	assert_eq!(
		code(&|f| std::fs::remove_file(f.join("tokenizer.json")).unwrap()),
		"model-io"
	);
	assert_eq!(
		code(&write("chat_template.jinja", b"{% if %}".to_vec())),
		"chat-template"
	);
}

fn tiny_config() -> ModelConfig {
	ModelConfig::from_json(&tiny().config.to_string()).unwrap()
}

fn parse(files: &AdapterFiles) -> Result<LoraWeights, AdapterError> {
	let config = AdapterConfig::parse(&files.config)?;
	LoraWeights::parse(&config, &files.weights, &tiny_config())
}

#[test]
fn adapter_settings_should_be_honoured_or_refused_by_name() {
	let base = RandomAdapter::new(&tiny_config(), 1, 4, &["q_proj", "down_proj"], 0.1);
	assert!(parse(&base.files()).is_ok());
	let with = |key: &str, value: serde_json::Value| {
		let mut config = base.config_json();
		config[key] = value;
		let config = serde_json::to_vec(&config).unwrap();
		parse(&AdapterFiles {
			config,
			weights: base.files().weights,
		})
	};
	for (key, value) in [
		("fan_in_fan_out", true.into()),
		("modules_to_save", serde_json::json!(["lm_head"])),
		("bias", "all".into()),
		("lora_bias", true.into()),
		("layer_replication", serde_json::json!([[0, 2]])),
		("alora_invocation_tokens", serde_json::json!([1])),
		("init_lora_weights", "pissa_niter_4".into()),
		("peft_type", "IA3".into()),
		("rank_pattern", serde_json::json!({"(?<=a)b": 3})),
	] {
		let error = with(key, value).unwrap_err();
		assert_eq!(error.code(), "adapter-unsupported", "{key}");
		let named = error.to_string();
		assert!(named.contains(key), "{named}");
	}
	for (key, value) in [
		("r", 0.into()),
		("r", "four".into()),
		("lora_alpha", serde_json::Value::Null),
		("target_modules", 3.into()),
		("target_modules", serde_json::json!(["q_proj"])),
	] {
		assert_eq!(
			with(key, value).unwrap_err().code(),
			"adapter-bad-config",
			"{key}"
		);
	}
	assert_eq!(
		with("r", 5.into()).unwrap_err().code(),
		"adapter-rank-mismatch"
	);
	let more = serde_json::json!(["q_proj", "down_proj", "up_proj"]);
	assert_eq!(
		with("target_modules", more).unwrap_err().code(),
		"adapter-missing-tensor"
	);
	for (target, code) in [
		("lm_head", "adapter-missing-tensor"),
		("embed_tokens", "adapter-missing-tensor"),
		("router", "adapter-unsupported"),
	] {
		let targets = serde_json::json!(["q_proj", "down_proj", target]);
		assert_eq!(with("target_modules", targets).unwrap_err().code(), code);
	}
	let error = with("use_dora", true.into()).unwrap_err();
	assert_eq!(error.code(), "adapter-missing-tensor");
	assert!(
		error.to_string().contains("lora_magnitude_vector"),
		"{error}"
	);
	assert!(with("rank_pattern", serde_json::json!({"^a.*b$": 3})).is_ok());
	assert!(with("target_modules", ".*(q|down)_proj".into()).is_ok());
	assert!(with("init_lora_weights", "gaussian".into()).is_ok());

	let scale = |json: serde_json::Value, module: &str| {
		let mut config = base.config_json();
		for (key, value) in json.as_object().unwrap() {
			config[key] = value.clone();
		}
		AdapterConfig::parse(&serde_json::to_vec(&config).unwrap())
			.unwrap()
			.scale(module)
	};
	let module = "model.layers.1.self_attn.q_proj";
	assert_eq!(scale(serde_json::json!({}), module), 2.0);
	assert_eq!(scale(serde_json::json!({"use_rslora": true}), module), 4.0);
	assert_eq!(
		scale(serde_json::json!({"alpha_pattern": {"q_proj": 2}}), module),
		0.5
	);
	assert_eq!(
		scale(
			serde_json::json!({"rank_pattern": {"layers.1.self_attn.q_proj": 16}}),
			module
		),
		0.5
	);
	assert_eq!(
		scale(serde_json::json!({"alpha_pattern": {"_proj": 2}}), module),
		2.0
	);
}

/// Name → shape and bytes.
type Raw = BTreeMap<String, (Vec<usize>, Vec<u8>)>;

#[test]
fn adapter_tensors_should_be_checked_one_by_one() {
	let config = tiny_config();
	let make = || RandomAdapter::new(&config, 1, 4, &["q_proj", "down_proj"], 0.1);
	let parse_changed = |change: &dyn Fn(&mut Raw)| {
		let mut tensors = make().tensors();
		change(&mut tensors);
		let files = AdapterFiles {
			config: make().files().config,
			weights: safetensors_bytes(&tensors),
		};
		parse(&files).map_err(|e| e.code())
	};
	let a = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
	let b = "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight";
	assert!(parse_changed(&|_| {}).is_ok());
	assert_eq!(
		parse_changed(&|t| drop(t.remove(a))).unwrap_err(),
		"adapter-missing-tensor"
	);
	assert_eq!(
		parse_changed(&|t| t.clear()).unwrap_err(),
		"adapter-missing-tensor"
	);
	let renamed = |name: &'static str| {
		move |t: &mut Raw| {
			let tensor = t.remove(b).unwrap();
			t.insert(name.to_string(), tensor);
		}
	};
	let deep = "base_model.model.model.layers.2.self_attn.q_proj.lora_B.weight";
	assert_eq!(
		parse_changed(&renamed(deep)).unwrap_err(),
		"adapter-for-another-base"
	);
	let norm = "base_model.model.model.norm.lora_B.weight";
	assert_eq!(
		parse_changed(&renamed(norm)).unwrap_err(),
		"adapter-unsupported"
	);
	let head = "base_model.model.lm_head.lora_A.weight";
	let added = parse_changed(&|t| drop(t.insert(head.into(), t[a].clone())));
	assert_eq!(added.unwrap_err(), "adapter-bad-config", "not a target");
	let magnitude = "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector";
	let added = parse_changed(&|t| drop(t.insert(magnitude.into(), t[a].clone())));
	assert_eq!(
		added.unwrap_err(),
		"adapter-bad-config",
		"use_dora is not set"
	);
	let poison = |value: f32| {
		parse_changed(&|t| t.get_mut(a).unwrap().1[..4].copy_from_slice(&value.to_le_bytes()))
	};
	assert_eq!(poison(f32::NAN).unwrap_err(), "adapter-not-finite");
	assert_eq!(poison(f32::NEG_INFINITY).unwrap_err(), "adapter-not-finite");
	let other = ModelConfig {
		hidden_size: 16,
		..config.clone()
	};
	let other = RandomAdapter::new(&other, 1, 4, &["q_proj"], 0.1).files();
	assert_eq!(
		parse(&other).unwrap_err().code(),
		"adapter-for-another-base"
	);
}

#[test]
fn broken_adapter_files_should_never_panic() {
	let good = RandomAdapter::new(&tiny_config(), 1, 2, &["q_proj"], 0.1).files();
	for len in 0..good.weights.len() {
		let files = AdapterFiles {
			config: good.config.clone(),
			weights: good.weights[..len].to_vec(),
		};
		assert_eq!(
			parse(&files).unwrap_err().code(),
			"adapter-malformed",
			"length {len}"
		);
		assert!(LoraWeights::needed(&files.weights).is_err());
	}
	let header = 8 + u64::from_le_bytes(good.weights[..8].try_into().unwrap()) as usize;
	let mut refused = 0;
	for at in 0..header {
		for flip in [0x01, 0x02, 0x80] {
			let mut files = good.clone();
			files.weights[at] ^= flip;
			refused += usize::from(parse(&files).is_err());
		}
	}
	assert!(refused > header, "{refused} of {header}");
	for at in 0..good.config.len() {
		let mut files = good.clone();
		files.config.truncate(at);
		assert_eq!(parse(&files).unwrap_err().code(), "adapter-bad-config");
	}
}

#[test]
fn the_store_should_be_content_addressed_and_confined() {
	let root = tempfile::tempdir().unwrap();
	let store = AdapterStore::open(root.path().join("store")).unwrap();
	let adapter = RandomAdapter::new(&tiny_config(), 1, 2, &["q_proj"], 0.1);
	let files = adapter.files();
	let source = root.path().join("source");
	std::fs::create_dir(&source).unwrap();
	std::fs::write(source.join("adapter_config.json"), &files.config).unwrap();
	std::fs::write(source.join("adapter_model.safetensors"), &files.weights).unwrap();
	let key = store.import(&source).unwrap();
	assert_eq!(
		store.import(&source).unwrap(),
		key,
		"importing again changes nothing"
	);
	assert_eq!(
		std::fs::read_dir(store.root()).unwrap().count(),
		1,
		"no staging folder is left"
	);
	assert_eq!(store.path(&key).file_name().unwrap().len(), 64 + 1 + 64);
	assert_eq!(store.load(&key).unwrap().weights, files.weights);

	let mut other = files.clone();
	other.config.push(b' ');
	let beside = store.insert(&other).unwrap();
	assert_ne!(store.path(&beside), store.path(&key));
	assert_eq!(store.load(&beside).unwrap().config, other.config);
	assert_eq!(
		store.load(&key).unwrap().config,
		files.config,
		"the same weights with another configuration leave the first ones alone"
	);
	let code = |key: &AdapterKey| store.load(key).unwrap_err().code();
	assert_eq!(
		code(&AdapterKey {
			config: [0; 32],
			..key
		}),
		"adapter-not-found"
	);
	assert_eq!(
		code(&AdapterKey {
			weights: [0; 32],
			..key
		}),
		"adapter-not-found"
	);
	let small = AdapterStore::open(store.root()).unwrap().with_limit(10);
	assert_eq!(small.load(&key).unwrap_err().code(), "adapter-too-large");
	assert_eq!(
		small.import(&source).unwrap_err().code(),
		"adapter-too-large"
	);
	let weights = store.path(&key).join("adapter_model.safetensors");
	std::fs::remove_file(&weights).unwrap();
	std::os::unix::fs::symlink(source.join("adapter_model.safetensors"), &weights).unwrap();
	assert_eq!(code(&key), "adapter-io", "links are not followed");
	assert_eq!(
		store
			.import(&root.path().join("absent"))
			.unwrap_err()
			.code(),
		"adapter-io"
	);
}

#[test]
fn the_demo_tokenizer_should_round_trip_and_follow_its_template() {
	let model = model();
	let tokenizer = &model.tokenizer;
	for text in [
		"Hello, world!",
		"  two  spaces\tand\n\nlines ",
		"fn main() { println!(\"{}\", 1_000); }",
		"naïve café – Größe, Привет, こんにちは, हिन्दी 👩‍👩‍👧‍👦🇫🇷",
	] {
		let ids = tokenizer.encode(text).unwrap();
		assert_eq!(tokenizer.decode(&ids).unwrap(), text);
		let mut stream = tokenizer.stream(&[1]);
		let mut streamed = String::new();
		for id in &ids {
			streamed.push_str(&stream.push(*id).unwrap());
			assert!(text.starts_with(&streamed), "{streamed:?}");
		}
		streamed.push_str(&stream.finish().unwrap());
		assert_eq!(streamed, text);
	}
	let digits = tokenizer.encode("2026").unwrap();
	assert_eq!(digits.len(), 4, "digits stand alone");
	assert_eq!(tokenizer.encode("<|im_end|>").unwrap(), model.config.eos);
	assert_eq!(model.config.rope_theta, 100000.0);
	let user = ChatMessage {
		role: "user".into(),
		content: "Hi".into(),
	};
	assert_eq!(
		tokenizer.apply_chat_template(&[user], true).unwrap(),
		"<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging \
		 Face<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
	);
	let mut stream = tokenizer.stream(&[1]);
	let halves = tokenizer.encode("👩").unwrap();
	assert_eq!(
		stream.push(halves[0]).unwrap(),
		"",
		"half a character is withheld"
	);
	assert_eq!(stream.finish().unwrap(), "\u{FFFD}");
	assert_eq!(
		model.weights_hash[..4],
		[0xb1, 0x79, 0xc9, 0x52],
		"the file's own SHA-256 identifies it"
	);
}
