//! Loads a Llama-family model as named tensors: from a GGUF file or a Hugging Face folder.
//!
//! Weights stay in the precision they are stored in. Only what the kernels do not know (GGUF's Q2_K and Q3_K) is
//! widened to f32.
//!
//! Both give the same thing: tensors under their Hugging Face names and in Hugging Face order. In particular the
//! rows of `q_proj` and `k_proj` of a `llama` GGUF, stored interleaved, are put back into rotate-half order, so
//! that PEFT adapters apply to them directly.

use std::{
	collections::BTreeMap,
	fs::File,
	io::Read,
	path::{Path, PathBuf},
};

use candle_core::quantized::GgmlDType;
use half::{bf16, f16};
use memmap2::Mmap;
use openledger_kernels::{Quant, Values};
use rayon::prelude::*;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use sha2::{Digest, Sha256};

use crate::{config::ModelConfig, error::ModelError, gguf::Gguf, tokenizer::Tokenizer};

/// Largest JSON file read whole.
const MAX_JSON: u64 = 256 << 20;

/// A row-major tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
	/// Outermost dimension first.
	pub shape: Vec<usize>,
	/// Product of `shape` values, as stored.
	pub data: Values,
}

impl Tensor {
	/// The values, widened to f32. Exact.
	pub fn to_f32(&self) -> Vec<f32> {
		self.data.to_f32()
	}
}

/// The weights of a model by Hugging Face name (`model.layers.0.self_attn.q_proj.weight`).
#[derive(Clone, Debug, Default)]
pub struct ModelWeights {
	/// Name → tensor. Linear weights are `[out, in]`.
	pub tensors: BTreeMap<String, Tensor>,
}

impl ModelWeights {
	/// The tensor of that name.
	///
	/// # Errors
	/// [`ModelError::MissingTensor`].
	pub fn get(&self, name: &str) -> Result<&Tensor, ModelError> {
		self.tensors
			.get(name)
			.ok_or_else(|| ModelError::MissingTensor(name.to_string()))
	}

	/// Takes the tensor of that name out.
	///
	/// # Errors
	/// [`ModelError::MissingTensor`].
	pub fn take(&mut self, name: &str) -> Result<Tensor, ModelError> {
		self.tensors
			.remove(name)
			.ok_or_else(|| ModelError::MissingTensor(name.to_string()))
	}

	/// Checks names, shapes and values against the configuration, and drops what the architecture does not use.
	///
	/// # Errors
	/// [`ModelError::MissingTensor`], [`ModelError::WrongShape`], [`ModelError::NotFinite`].
	pub fn checked(mut self, config: &ModelConfig) -> Result<Self, ModelError> {
		let mut kept = BTreeMap::new();
		for (name, expected) in config.tensors() {
			let tensor = self.take(&name)?;
			if tensor.shape != expected || tensor.data.len() != expected.iter().product::<usize>() {
				return Err(ModelError::WrongShape {
					name,
					expected,
					found: tensor.shape,
				});
			}
			kept.insert(name, tensor);
		}
		let broken = kept
			.par_iter()
			.find_any(|(_, tensor)| !tensor.data.is_finite());
		if let Some((name, _)) = broken {
			return Err(ModelError::NotFinite(name.clone()));
		}
		Ok(Self { tensors: kept })
	}
}

/// A model in memory, with what identifies it.
#[derive(Clone, Debug)]
pub struct LoadedModel {
	/// Shape and constants.
	pub config: ModelConfig,
	/// All weights, as stored.
	pub weights: ModelWeights,
	/// Text ↔ tokens, and the chat template.
	pub tokenizer: Tokenizer,
	/// SHA-256 of the GGUF file. For a folder: SHA-256 of the lines `<hex SHA-256>  <file name>\n` of `config.json`
	/// and every `*.safetensors`, sorted by file name in byte order: what `LC_ALL=C; sha256sum config.json
	/// *.safetensors | sort -k2 | sha256sum` prints.
	pub weights_hash: [u8; 32],
	/// SHA-256 of `tokenizer.json`; for a GGUF, of the `tokenizer.json` made from its metadata.
	pub tokenizer_hash: [u8; 32],
}

fn io(path: &Path, error: std::io::Error) -> ModelError {
	ModelError::Io {
		path: path.display().to_string(),
		reason: error.to_string(),
	}
}

fn map(path: &Path) -> Result<Mmap, ModelError> {
	let file = File::open(path).map_err(|e| io(path, e))?;
	// SAFETY: the mapping is only read. Whoever serves a model must not truncate its file meanwhile; the process
	// would be stopped by the kernel, not corrupted.
	unsafe { Mmap::map(&file) }.map_err(|e| io(path, e))
}

fn read_text(path: &Path) -> Result<String, ModelError> {
	let file = File::open(path).map_err(|e| io(path, e))?;
	let mut text = String::new();
	file.take(MAX_JSON)
		.read_to_string(&mut text)
		.map_err(|e| io(path, e))?;
	Ok(text)
}

/// Loads a model from a GGUF file or a folder of `config.json`, `tokenizer.json` and `*.safetensors`.
///
/// # Errors
/// [`ModelError`] names what is wrong with the file; nothing panics on hostile input.
pub fn load_model(path: &Path) -> Result<LoadedModel, ModelError> {
	let kind = std::fs::metadata(path).map_err(|e| io(path, e))?;
	if kind.is_dir() {
		return load_folder(path);
	}
	let bytes = map(path)?;
	if !Gguf::is_magic(&bytes) {
		return Err(ModelError::NotAModel {
			path: path.display().to_string(),
		});
	}
	let mut model = load_gguf(&bytes)?;
	model.weights_hash = Sha256::digest(&bytes).into();
	Ok(model)
}

/// Hugging Face name of a GGUF tensor.
fn hf_name(name: &str) -> Option<String> {
	match name {
		"token_embd.weight" => return Some("model.embed_tokens.weight".into()),
		"output_norm.weight" => return Some("model.norm.weight".into()),
		"output.weight" => return Some("lm_head.weight".into()),
		_ => {}
	}
	let (layer, rest) = name.strip_prefix("blk.")?.split_once('.')?;
	let layer: usize = layer.parse().ok()?;
	let (part, kind) = rest.rsplit_once('.')?;
	let part = match part {
		"attn_norm" => "input_layernorm",
		"ffn_norm" => "post_attention_layernorm",
		"attn_q" => "self_attn.q_proj",
		"attn_k" => "self_attn.k_proj",
		"attn_v" => "self_attn.v_proj",
		"attn_output" => "self_attn.o_proj",
		"ffn_gate" => "mlp.gate_proj",
		"ffn_up" => "mlp.up_proj",
		"ffn_down" => "mlp.down_proj",
		_ => return None,
	};
	Some(format!("model.layers.{layer}.{part}.{kind}"))
}

/// Puts interleaved rows (`2 i + half` of each head) back into rotate-half order (`half * head_dim / 2 + i`).
///
/// Rows move whole, so those of a block format need no decoding: blocks run along a row.
fn unpermute(tensor: Tensor, heads: usize) -> Tensor {
	fn rows<T: Copy>(data: &[T], rows: usize, heads: usize) -> Vec<T> {
		let columns = data.len() / rows.max(1);
		let dim = rows / heads;
		let mut out = Vec::with_capacity(data.len());
		for head in 0..heads {
			for half in 0..2 {
				for i in 0..dim / 2 {
					let row = head * dim + 2 * i + half;
					out.extend_from_slice(&data[row * columns..(row + 1) * columns]);
				}
			}
		}
		out
	}
	let n = tensor.shape.first().copied().unwrap_or(0);
	let data = match &tensor.data {
		Values::F32(v) => Values::F32(rows(v, n, heads)),
		Values::F16(v) => Values::F16(rows(v, n, heads)),
		Values::Bf16(v) => Values::Bf16(rows(v, n, heads)),
		Values::Blocks(quant, bytes) => Values::Blocks(*quant, rows(bytes, n, heads)),
	};
	Tensor {
		shape: tensor.shape,
		data,
	}
}

/// Loads a model from the bytes of a GGUF file. `weights_hash` is left zero.
fn load_gguf(bytes: &[u8]) -> Result<LoadedModel, ModelError> {
	let gguf = Gguf::parse(bytes)?;
	let config = ModelConfig::from_gguf(&gguf)?;
	let known: Vec<(String, &crate::gguf::TensorInfo)> = gguf
		.tensors
		.iter()
		.filter_map(|(name, info)| {
			let hf = hf_name(name);
			if hf.is_none() {
				tracing::debug!(tensor = name, "tensor is not used by the architecture");
			}
			hf.map(|hf| (hf, info))
		})
		.collect();
	// Shapes are checked before anything is dequantised: a header cannot ask for more memory than its file backs
	// times the widest expansion (32 bits from 2).
	let expected: BTreeMap<String, Vec<usize>> = config.tensors().into_iter().collect();
	for (name, info) in &known {
		match expected.get(name) {
			Some(shape) if *shape == info.shape => {}
			Some(shape) => {
				return Err(ModelError::WrongShape {
					name: name.clone(),
					expected: shape.clone(),
					found: info.shape.clone(),
				})
			}
			None => return Err(ModelError::Unsupported(format!("tensor {name}"))),
		}
	}
	let tensors = known
		.into_par_iter()
		.map(|(name, info)| {
			let tensor = stored(&name, info)?;
			let permuted = config.architecture == "llama";
			let tensor = match name.rsplit('.').nth(1) {
				Some("q_proj") if permuted => unpermute(tensor, config.heads),
				Some("k_proj") if permuted => unpermute(tensor, config.kv_heads),
				_ => tensor,
			};
			Ok((name, tensor))
		})
		.collect::<Result<BTreeMap<_, _>, ModelError>>()?;
	let weights = ModelWeights { tensors }.checked(&config)?;
	let (tokenizer, tokenizer_hash) = Tokenizer::from_gguf(&gguf, &config)?;
	Ok(LoadedModel {
		config,
		weights,
		tokenizer,
		weights_hash: [0; 32],
		tokenizer_hash,
	})
}

/// A block format of the kernels, if the type is one.
fn quant_of(dtype: GgmlDType) -> Option<Quant> {
	Some(match dtype {
		GgmlDType::Q4_0 => Quant::Q4_0,
		GgmlDType::Q4_1 => Quant::Q4_1,
		GgmlDType::Q5_0 => Quant::Q5_0,
		GgmlDType::Q5_1 => Quant::Q5_1,
		GgmlDType::Q8_0 => Quant::Q8_0,
		GgmlDType::Q4K => Quant::Q4K,
		GgmlDType::Q5K => Quant::Q5K,
		GgmlDType::Q6K => Quant::Q6K,
		_ => return None,
	})
}

/// The tensor as the file has it.
fn stored(name: &str, info: &crate::gguf::TensorInfo) -> Result<Tensor, ModelError> {
	let plain = match info.dtype {
		GgmlDType::F32 => Some(Dtype::F32),
		GgmlDType::F16 => Some(Dtype::F16),
		GgmlDType::BF16 => Some(Dtype::BF16),
		_ => None,
	};
	let data = match (
		plain.and_then(|dtype| values(dtype, info.data)),
		quant_of(info.dtype),
	) {
		(Some(plain), _) => plain,
		(None, Some(quant)) => Values::Blocks(quant, info.data.to_vec()),
		(None, None) => Values::F32(dequantise(name, info)?),
	};
	Ok(Tensor {
		shape: info.shape.clone(),
		data,
	})
}

/// Any type candle reads, widened to f32.
fn dequantise(name: &str, info: &crate::gguf::TensorInfo) -> Result<Vec<f32>, ModelError> {
	let device = candle_core::Device::Cpu;
	candle_core::quantized::ggml_file::qtensor_from_ggml(
		info.dtype,
		info.data,
		info.shape.clone(),
		&device,
	)
	.and_then(|q| q.dequantize(&device))
	.and_then(|t| t.flatten_all()?.to_vec1::<f32>())
	.map_err(|e| ModelError::Malformed(format!("tensor {name}: {e}")))
}

/// Safetensors bytes of type f32, f16 or bf16, as stored; `None` for another type.
pub(crate) fn values(dtype: Dtype, bytes: &[u8]) -> Option<Values> {
	let two = |b: &[u8]| [b[0], b[1]];
	Some(match dtype {
		Dtype::F32 => Values::F32(
			bytes
				.chunks_exact(4)
				.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
				.collect(),
		),
		Dtype::F16 => Values::F16(
			bytes
				.chunks_exact(2)
				.map(|b| f16::from_le_bytes(two(b)))
				.collect(),
		),
		Dtype::BF16 => Values::Bf16(
			bytes
				.chunks_exact(2)
				.map(|b| bf16::from_le_bytes(two(b)))
				.collect(),
		),
		_ => return None,
	})
}

/// Widens safetensors bytes of type f32, f16 or bf16; `None` for another type.
pub(crate) fn widen(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
	match values(dtype, bytes)? {
		Values::F32(data) => Some(data),
		other => Some(other.to_f32()),
	}
}

fn load_folder(folder: &Path) -> Result<LoadedModel, ModelError> {
	let config_path = folder.join("config.json");
	let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
		.map_err(|e| io(folder, e))?
		.filter_map(|entry| entry.ok().map(|e| e.path()))
		.filter(|p| p.extension().is_some_and(|e| e == "safetensors"))
		.collect();
	if files.is_empty() || !config_path.is_file() {
		return Err(ModelError::NotAModel {
			path: folder.display().to_string(),
		});
	}
	let mut config = ModelConfig::from_json(&read_text(&config_path)?)?;
	if let Ok(text) = read_text(&folder.join("generation_config.json")) {
		let json: serde_json::Value = serde_json::from_str(&text)
			.map_err(|e| ModelError::Malformed(format!("generation_config.json: {e}")))?;
		let ids = match json.get("eos_token_id") {
			Some(serde_json::Value::Array(list)) => list.clone(),
			Some(id) => vec![id.clone()],
			None => Vec::new(),
		};
		for id in ids.iter().filter_map(|v| v.as_u64()) {
			if !config.eos.contains(&(id as u32)) {
				config.eos.push(id as u32);
			}
		}
	}
	files.sort();
	let expected: BTreeMap<String, Vec<usize>> = config.tensors().into_iter().collect();
	let mut tensors = BTreeMap::new();
	let mut hashes = BTreeMap::new();
	let name_of = |path: &Path| {
		path.file_name()
			.map(|n| n.to_string_lossy().into_owned())
			.unwrap_or_default()
	};
	hashes.insert(name_of(&config_path), Sha256::digest(map(&config_path)?));
	for path in &files {
		let bytes = map(path)?;
		hashes.insert(name_of(path), Sha256::digest(&bytes));
		let file = parse_safetensors(&bytes).map_err(|why| match why {
			SafetensorsProblem::Truncated { needed } => ModelError::Truncated {
				what: name_of(path),
				needed,
				len: bytes.len() as u64,
			},
			SafetensorsProblem::Malformed(why) => {
				ModelError::Malformed(format!("{}: {why}", name_of(path)))
			}
		})?;
		for (name, view) in file.iter() {
			match expected.get(name) {
				None => {
					tracing::debug!(tensor = name, "tensor is not used by the architecture");
					continue;
				}
				Some(shape) if shape.as_slice() != view.shape() => {
					return Err(ModelError::WrongShape {
						name: name.to_string(),
						expected: shape.clone(),
						found: view.shape().to_vec(),
					})
				}
				Some(_) => {}
			}
			let data = values(view.dtype(), view.data()).ok_or_else(|| {
				ModelError::Unsupported(format!("tensor type {:?} of {name}", view.dtype()))
			})?;
			tensors.insert(
				name.to_string(),
				Tensor {
					shape: view.shape().to_vec(),
					data,
				},
			);
		}
	}
	let weights = ModelWeights { tensors }.checked(&config)?;
	let mut listing = String::new();
	for (name, hash) in hashes {
		listing.push_str(&format!("{}  {name}\n", crate::hex(hash.as_slice())));
	}
	let (tokenizer, tokenizer_hash) = Tokenizer::from_folder(folder, &config)?;
	let weights_hash = Sha256::digest(listing).into();
	Ok(LoadedModel {
		config,
		weights,
		tokenizer,
		weights_hash,
		tokenizer_hash,
	})
}

pub(crate) enum SafetensorsProblem {
	Truncated { needed: u64 },
	Malformed(String),
}

/// Opens safetensors bytes; tells a short file from a broken one.
pub(crate) fn parse_safetensors(bytes: &[u8]) -> Result<SafeTensors<'_>, SafetensorsProblem> {
	let Some(Ok(header)) = bytes.get(..8).map(TryInto::try_into) else {
		return Err(SafetensorsProblem::Truncated { needed: 8 });
	};
	let needed = u64::from_le_bytes(header).saturating_add(8);
	if needed <= 100_000_008 && needed > bytes.len() as u64 {
		return Err(SafetensorsProblem::Truncated { needed });
	}
	SafeTensors::deserialize(bytes).map_err(|error| {
		if let SafeTensorError::MetadataIncompleteBuffer = error {
			let announced = announced(&bytes[8..needed as usize]).saturating_add(needed);
			if announced > bytes.len() as u64 {
				return SafetensorsProblem::Truncated { needed: announced };
			}
		}
		SafetensorsProblem::Malformed(error.to_string())
	})
}

/// Bytes of data that a safetensors header announces.
fn announced(header: &[u8]) -> u64 {
	let json: serde_json::Value = serde_json::from_slice(header).unwrap_or_default();
	let ends = json
		.as_object()
		.into_iter()
		.flatten()
		.filter_map(|(_, tensor)| {
			tensor
				.get("data_offsets")
				.and_then(|offsets| offsets.get(1))
				.and_then(|end| end.as_u64())
		});
	ends.max().unwrap_or(0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
	use super::*;

	#[test]
	fn unpermute_should_invert_the_gguf_order() {
		// One head of width 6: stored rows 0..6 are i=0 (halves 0, 1), i=1, i=2.
		let stored = Tensor {
			shape: vec![6, 1],
			data: vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0].into(),
		};
		assert_eq!(
			unpermute(stored, 1).to_f32(),
			[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
		);
	}

	/// Any bytes are a tensor; those of scales are kept small.
	fn bytes(dtype: GgmlDType, blocks: usize) -> Vec<u8> {
		let mut state = 1u64;
		let mut all = Vec::new();
		for _ in 0..blocks {
			let mut block: Vec<u8> = (0..dtype.type_size())
				.map(|_| {
					state = state
						.wrapping_mul(6364136223846793005)
						.wrapping_add(1442695040888963407);
					(state >> 56) as u8
				})
				.collect();
			let scale = f16::from_f32((state >> 40) as f32 / 2f32.powi(24) - 0.5).to_le_bytes();
			match dtype {
				GgmlDType::Q6K => block[208..210].copy_from_slice(&scale),
				_ => block[..2].copy_from_slice(&scale),
			}
			if quant_of(dtype).is_some_and(|q| !q.is_finite(&block)) {
				block[2..4].copy_from_slice(&scale);
			}
			all.extend(block);
		}
		all
	}

	#[test]
	fn block_formats_should_mean_what_candle_reads_also_after_packing() {
		for dtype in [
			GgmlDType::Q4_0,
			GgmlDType::Q4_1,
			GgmlDType::Q5_0,
			GgmlDType::Q5_1,
			GgmlDType::Q8_0,
			GgmlDType::Q4K,
			GgmlDType::Q5K,
			GgmlDType::Q6K,
		] {
			let (rows, columns) = (18, 512);
			let data = bytes(dtype, rows * columns / dtype.block_size());
			let info = crate::gguf::TensorInfo {
				dtype,
				shape: vec![rows, columns],
				data: &data,
			};
			let want = dequantise("x", &info).unwrap();
			let tensor = stored("x", &info).unwrap();
			assert!(matches!(tensor.data, Values::Blocks(..)));
			let matrix = openledger_kernels::Matrix::new(
				&openledger_kernels::Pool::serial(),
				&[&tensor.data],
				columns,
			);
			let mut row = vec![0.0; columns];
			for (at, want) in want.chunks_exact(columns).enumerate() {
				matrix.copy_row(at, &mut row);
				for (got, want) in row.iter().zip(want) {
					assert!(
						(got - want).abs() <= 1e-6 * want.abs().max(1e-3),
						"{dtype:?}: {got}, not {want}"
					);
				}
			}
			let plain = tensor.to_f32();
			assert!(plain
				.iter()
				.zip(&want)
				.all(|(g, w)| (g - w).abs() <= 1e-6 * w.abs().max(1e-3)));
		}
	}

	#[test]
	fn rows_of_blocks_should_move_whole() {
		let data = bytes(GgmlDType::Q4_1, 6);
		let info = crate::gguf::TensorInfo {
			dtype: GgmlDType::Q4_1,
			shape: vec![6, 32],
			data: &data,
		};
		let tensor = stored("x", &info).unwrap();
		let before = tensor.to_f32();
		let after = unpermute(tensor, 1).to_f32();
		for (to, from) in [0, 2, 4, 1, 3, 5].into_iter().enumerate() {
			assert_eq!(after[to * 32..][..32], before[from * 32..][..32]);
		}
	}

	#[test]
	fn widen_should_read_all_three_float_types() {
		assert_eq!(widen(Dtype::F32, &1.5f32.to_le_bytes()), Some(vec![1.5]));
		assert_eq!(
			widen(Dtype::F16, &f16::from_f32(-2.0).to_le_bytes()),
			Some(vec![-2.0])
		);
		assert_eq!(
			widen(Dtype::BF16, &bf16::from_f32(8.0).to_le_bytes()),
			Some(vec![8.0])
		);
		assert_eq!(widen(Dtype::I64, &[0; 8]), None);
	}
}
