//! Model families and adapter features against transformers and PEFT, by fixtures that `fixtures/make.py` made.
#![allow(clippy::unwrap_used)]

mod common;

use std::{fs, io::Cursor, path::PathBuf, sync::Arc};

use candle_core::{
	quantized::{
		gguf_file::{self, Value},
		GgmlDType, QTensor,
	},
	DType, Device, Tensor as CandleTensor,
};
use common::{fixture, fixture_model, gguf_name, FAMILIES};
use openledger_engine::{
	backend::{Backend, BatchItem},
	cpu::CpuBackend,
	dora::BaseRows,
	*,
};
use safetensors::SafeTensors;

/// Largest difference over largest logit.
const TOLERANCE: f64 = 1e-4;

/// A family's model with what is expected of it.
struct Family {
	folder: PathBuf,
	config: ModelConfig,
	backend: CpuBackend,
	rows: Option<Arc<dyn BaseRows>>,
	expected: Vec<u8>,
	_model: tempfile::TempDir,
}

impl Family {
	fn load(family: &str) -> Self {
		let model = tempfile::tempdir().unwrap();
		fixture_model(family, model.path());
		let loaded = load_model(model.path()).unwrap_or_else(|e| panic!("{family}: {e}"));
		Self::of(family, loaded, model)
	}

	/// The same model from a GGUF file.
	fn load_gguf(family: &str) -> Self {
		let model = tempfile::tempdir().unwrap();
		let path = model.path().join("model.gguf");
		fs::write(&path, gguf(family)).unwrap();
		let loaded = load_model(&path).unwrap_or_else(|e| panic!("{family}: {e}"));
		Self::of(family, loaded, model)
	}

	fn of(family: &str, loaded: LoadedModel, model: tempfile::TempDir) -> Self {
		let folder = fixture(family);
		let backend = CpuBackend::new(&loaded.config, loaded.weights, 64, 2).unwrap();
		Self {
			rows: backend.base_rows(),
			config: loaded.config,
			backend,
			expected: fs::read(folder.join("expected.safetensors")).unwrap(),
			folder,
			_model: model,
		}
	}

	fn adapter(&self, name: &str) -> Arc<LoraWeights> {
		let read = |file: &str| fs::read(self.folder.join(name).join(file)).unwrap();
		let config = AdapterConfig::parse(&read("adapter_config.json")).unwrap();
		let weights = read("adapter_model.safetensors");
		let needed = LoraWeights::examine(&config, &weights, &self.config).unwrap();
		let adapter = LoraWeights::load(&config, &weights, &self.config, self.rows.as_deref())
			.unwrap_or_else(|e| panic!("{name}: {e}"));
		assert_eq!(
			adapter.bytes(),
			needed,
			"{name}: the header foretells the bytes"
		);
		assert_eq!(LoraWeights::needed(&weights).unwrap(), needed);
		Arc::new(adapter)
	}

	fn tokens(&self) -> Vec<u32> {
		let file = SafeTensors::deserialize(&self.expected).unwrap();
		let tokens = file.tensor("tokens").unwrap();
		let ids = tokens.data().chunks_exact(4);
		ids.map(|b| u32::from_le_bytes(b.try_into().unwrap()))
			.collect()
	}

	fn wanted(&self, name: &str) -> Vec<Vec<f32>> {
		let file = SafeTensors::deserialize(&self.expected).unwrap();
		let values: Vec<f32> = file
			.tensor(name)
			.unwrap()
			.data()
			.chunks_exact(4)
			.map(|b| f32::from_le_bytes(b.try_into().unwrap()))
			.collect();
		values
			.chunks_exact(self.config.vocab_size)
			.map(<[f32]>::to_vec)
			.collect()
	}

	/// The logits after every token, for each adapter: the sequences share every step, the first tokens come as a
	/// prompt of two chunks, the others one by one.
	fn logits(&mut self, adapters: &[Option<Arc<LoraWeights>>]) -> Vec<Vec<Vec<f32>>> {
		let tokens = self.tokens();
		let ids: Vec<_> = adapters.iter().map(|_| self.backend.open()).collect();
		let mut rows = vec![Vec::new(); adapters.len()];
		let mut at = 0;
		let prompt = [3, 5];
		for length in prompt.into_iter().chain(std::iter::repeat(1)) {
			if at + length > tokens.len() {
				break;
			}
			let batch: Vec<_> = ids
				.iter()
				.zip(adapters)
				.map(|(id, adapter)| BatchItem {
					sequence: *id,
					tokens: tokens[at..at + length].to_vec(),
					position: at,
					adapter: adapter.clone(),
					logits: true,
				})
				.collect();
			let mut logits = Vec::new();
			self.backend.step(&batch, &mut logits).unwrap();
			for (rows, row) in rows
				.iter_mut()
				.zip(logits.chunks_exact(self.config.vocab_size))
			{
				rows.push(row.to_vec());
			}
			at += length;
		}
		ids.into_iter().for_each(|id| self.backend.close(id));
		rows
	}
}

/// A fixture as the converters to GGUF write it: other names, and the rows of q and k of Llama interleaved.
fn gguf(family: &str) -> Vec<u8> {
	let config = fs::read_to_string(fixture(family).join("config.json")).unwrap();
	let config = ModelConfig::from_json(&config).unwrap();
	let bytes = fs::read(fixture(family).join("model.safetensors")).unwrap();
	let file = SafeTensors::deserialize(&bytes).unwrap();
	let tensors: Vec<(String, QTensor)> = file
		.iter()
		.map(|(name, view)| {
			let raw = view.data();
			let tensor =
				CandleTensor::from_raw_buffer(raw, DType::BF16, view.shape(), &Device::Cpu);
			let mut tensor = tensor.unwrap().to_dtype(DType::F32).unwrap();
			let heads = match () {
				() if config.architecture != "llama" => None,
				() if name.contains("q_proj") => Some(config.heads),
				() if name.contains("k_proj") => Some(config.kv_heads),
				() => None,
			};
			if let Some(heads) = heads {
				let halves = (heads, 2, config.head_dim / 2, config.hidden_size);
				let turned = tensor.reshape(halves).unwrap().transpose(1, 2).unwrap();
				tensor = turned.contiguous().unwrap().reshape(view.shape()).unwrap();
			}
			(
				gguf_name(name),
				QTensor::quantize(&tensor, GgmlDType::F32).unwrap(),
			)
		})
		.collect();
	let arch = config.architecture.clone();
	let pre = match arch.as_str() {
		"llama" => "llama-bpe",
		_ => "qwen2",
	};
	let number = |n: usize| Value::U32(n as u32);
	let tokens = (0..config.vocab_size).map(|id| Value::String(format!("t{id}")));
	let metadata: Vec<(String, Value)> = [
		("embedding_length", number(config.hidden_size)),
		("feed_forward_length", number(config.intermediate_size)),
		("block_count", number(config.layers)),
		("attention.head_count", number(config.heads)),
		("attention.head_count_kv", number(config.kv_heads)),
		("attention.key_length", number(config.head_dim)),
		("context_length", number(config.max_context)),
		("rope.freq_base", Value::F32(config.rope_theta)),
		(
			"attention.layer_norm_rms_epsilon",
			Value::F32(config.rms_eps),
		),
	]
	.into_iter()
	.map(|(key, value)| (format!("{arch}.{key}"), value))
	.chain([
		("general.architecture".into(), Value::String(arch.clone())),
		("tokenizer.ggml.model".into(), Value::String("gpt2".into())),
		("tokenizer.ggml.pre".into(), Value::String(pre.into())),
		(
			"tokenizer.ggml.tokens".into(),
			Value::Array(tokens.collect()),
		),
		("tokenizer.ggml.merges".into(), Value::Array(Vec::new())),
		("tokenizer.ggml.eos_token_id".into(), Value::U32(1)),
	])
	.collect();
	let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(k, v)| (k.as_str(), v)).collect();
	let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(n, t)| (n.as_str(), t)).collect();
	let mut out = Cursor::new(Vec::new());
	gguf_file::write(&mut out, &metadata, &tensors).unwrap();
	out.into_inner()
}

/// Compares the rows that [`Family::logits`] gives with the same of all positions.
fn close(got: &[Vec<f32>], wanted: &[Vec<f32>], what: &str) {
	let positions = [2, 7].into_iter().chain(8..wanted.len());
	let largest = wanted
		.iter()
		.flatten()
		.fold(0f64, |m, v| m.max(f64::from(v.abs())));
	assert!(largest > 1.0, "{what}: the reference itself says nothing");
	let mut apart = 0f64;
	for (got, position) in got.iter().zip(positions) {
		for (g, w) in got.iter().zip(&wanted[position]) {
			apart = apart.max((f64::from(*g) - f64::from(*w)).abs() / largest);
		}
	}
	println!("{what}: {apart:.1e}");
	assert!(apart <= TOLERANCE, "{what}: {apart:e} apart");
}

#[test]
fn every_family_and_adapter_should_agree_with_transformers_and_peft() {
	for (name, adapters) in FAMILIES {
		let mut family = Family::load(name);
		let mut loaded = vec![None];
		loaded.extend(adapters.iter().map(|adapter| Some(family.adapter(adapter))));
		let rows = family.logits(&loaded);
		assert_eq!(rows[0].len(), 2 + family.tokens().len() - 8);
		for (adapter, rows) in ["base"].iter().chain(adapters).zip(&rows) {
			close(rows, &family.wanted(adapter), &format!("{name} {adapter}"));
		}
		// Alone, every one has the same bits as beside the others.
		for (adapter, rows) in loaded.into_iter().zip(&rows) {
			assert_eq!(&family.logits(&[adapter])[0], rows, "{name}");
		}
	}
}

#[test]
fn adapters_should_apply_to_gguf_files_of_their_base_as_to_the_base() {
	for (name, adapters) in FAMILIES {
		// Llama 3's frequencies and SmolLM3's unusual interval have no place in a GGUF's metadata.
		if ["llama3", "smollm3"].contains(&name) {
			continue;
		}
		let mut family = Family::load_gguf(name);
		let mut loaded = vec![None];
		loaded.extend(adapters.iter().map(|adapter| Some(family.adapter(adapter))));
		let rows = family.logits(&loaded);
		for (adapter, rows) in ["base"].iter().chain(adapters).zip(&rows) {
			close(
				rows,
				&family.wanted(adapter),
				&format!("{name} {adapter}, GGUF"),
			);
		}
	}
}

#[test]
fn a_weighted_set_should_agree_with_pefts_sum_of_two_adapters() {
	let mut family = Family::load("llama");
	let (lora, rslora) = (family.adapter("lora"), family.adapter("rslora"));
	let set = Arc::new(LoraWeights::set(vec![
		(Arc::clone(&lora), 0.75),
		(Arc::clone(&rslora), 0.5),
	]));
	assert_eq!(set.bytes(), lora.bytes() + rslora.bytes());
	let adapters = [Some(lora), Some(set.clone()), Some(rslora), None, Some(set)];
	let rows = family.logits(&adapters);
	for (rows, name) in rows.iter().zip(["lora", "set", "rslora", "base", "set"]) {
		close(rows, &family.wanted(name), name);
	}
	assert_eq!(rows[1], rows[4]);
}

#[test]
fn a_set_should_add_the_updates_of_dora_and_embeddings_to_the_base() {
	let mut family = Family::load("llama");
	let (dora, embedding) = (family.adapter("dora"), family.adapter("embedding"));
	let set = |members: &[(&Arc<LoraWeights>, f32)]| {
		let members = members
			.iter()
			.map(|(adapter, factor)| (Arc::clone(adapter), *factor));
		Some(Arc::new(LoraWeights::set(members.collect())))
	};
	let rows = family.logits(&[
		set(&[(&dora, 1.0)]),
		set(&[(&dora, 0.25), (&dora, 0.75)]),
		set(&[(&embedding, 0.5), (&embedding, 0.5)]),
		set(&[(&embedding, 1.0), (&dora, 2.0), (&dora, -2.0)]),
	]);
	for (rows, name) in rows.iter().zip(["dora", "dora", "embedding", "embedding"]) {
		close(rows, &family.wanted(name), name);
	}
}

#[test]
fn adapters_that_need_the_base_should_be_refused_without_it() {
	let family = Family::load("llama");
	for name in ["dora", "embedding"] {
		let read = |file: &str| fs::read(family.folder.join(name).join(file)).unwrap();
		let config = AdapterConfig::parse(&read("adapter_config.json")).unwrap();
		let weights = read("adapter_model.safetensors");
		let error = LoraWeights::parse(&config, &weights, &family.config).unwrap_err();
		assert_eq!(error.code(), "adapter-unsupported", "{name}: {error}");
	}
}

#[test]
fn a_changed_copy_of_the_embedding_should_be_refused() {
	let family = Family::load("llama");
	let read = |file: &str| fs::read(family.folder.join("embedding").join(file)).unwrap();
	let config = AdapterConfig::parse(&read("adapter_config.json")).unwrap();
	let weights = read("adapter_model.safetensors");
	let load = |weights: &[u8]| {
		LoraWeights::load(&config, weights, &family.config, family.rows.as_deref())
	};
	assert!(load(&weights).is_ok());
	let view = SafeTensors::deserialize(&weights).unwrap();
	let name = "base_model.model.model.embed_tokens.base_layer.weight";
	let data = view.tensor(name).unwrap().data();
	let at = data.as_ptr() as usize - weights.as_ptr() as usize;
	let mut changed = weights.clone();
	// One row of another sign.
	for byte in changed[at..at + 64].iter_mut().skip(1).step_by(2) {
		*byte ^= 0x80;
	}
	let error = load(&changed).unwrap_err();
	assert_eq!(error.code(), "adapter-unsupported");
	assert!(
		error.to_string().contains("save_embedding_layers=False"),
		"{error}"
	);
}
