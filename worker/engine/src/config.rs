//! The shape of a Llama-family model, from GGUF metadata or from `config.json`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{error::ModelError, family, gguf::Gguf};

/// Largest dimension accepted anywhere: keeps products of two within 64 bits and refuses absurd headers early.
const MAX_DIMENSION: usize = 1 << 24;

/// How the rotary frequencies are stretched for long contexts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum RopeScaling {
	/// Not at all.
	None,
	/// All frequencies divided by the factor.
	Linear(f32),
	/// Llama 3.1: low frequencies divided by `factor`, high ones kept, those between interpolated.
	Llama3 {
		factor: f32,
		low: f32,
		high: f32,
		original_context: usize,
	},
}

/// Shape and constants of a Llama-family model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
	/// `llama` (with SmolLM 1 and 2, and Mistral), `smollm3`, `qwen2` or `qwen3`.
	pub architecture: String,
	/// Width of the residual stream.
	pub hidden_size: usize,
	/// Width of the feed-forward layer.
	pub intermediate_size: usize,
	/// Number of blocks.
	pub layers: usize,
	/// Query heads.
	pub heads: usize,
	/// Key/value heads; divides `heads`.
	pub kv_heads: usize,
	/// Width of one head.
	pub head_dim: usize,
	/// Entries of the embedding.
	pub vocab_size: usize,
	/// Longest context the model was made for, in tokens.
	pub max_context: usize,
	/// Base of the rotary embedding.
	pub rope_theta: f32,
	/// Stretching of the rotary embedding.
	pub rope_scaling: RopeScaling,
	/// Added to the mean square in every normalisation.
	pub rms_eps: f32,
	/// Whether the output matrix is the embedding.
	pub tied_embeddings: bool,
	/// Whether q, k and v have biases (Qwen2).
	pub qkv_bias: bool,
	/// Whether every head of q and k is normalised before it is rotated (Qwen3).
	#[serde(default)]
	pub qk_norm: bool,
	/// Layers whose q and k are not rotated (SmolLM3), in order.
	#[serde(default)]
	pub unrotated: Vec<usize>,
	/// Tokens that end an answer.
	pub eos: Vec<u32>,
	/// Token that begins a text, if any.
	pub bos: Option<u32>,
}

impl ModelConfig {
	/// Width of the queries.
	pub fn q_width(&self) -> usize {
		self.heads * self.head_dim
	}

	/// Width of the keys, and of the values.
	pub fn kv_width(&self) -> usize {
		self.kv_heads * self.head_dim
	}

	/// Whether a layer rotates its queries and keys.
	pub fn rotates(&self, layer: usize) -> bool {
		!self.unrotated.contains(&layer)
	}

	/// Whether a GGUF file of this architecture stores the rows of q and k interleaved.
	pub fn is_permuted_in_gguf(&self) -> bool {
		matches!(self.architecture.as_str(), "llama" | "smollm3")
	}

	/// Inverse frequencies of the rotary embedding, `head_dim / 2` of them.
	pub fn inverse_frequencies(&self) -> Vec<f32> {
		let base = (0..self.head_dim)
			.step_by(2)
			.map(|i| 1.0 / self.rope_theta.powf(i as f32 / self.head_dim as f32));
		match self.rope_scaling {
			RopeScaling::None => base.collect(),
			RopeScaling::Linear(factor) => base.map(|f| f / factor).collect(),
			RopeScaling::Llama3 {
				factor,
				low,
				high,
				original_context,
			} => {
				let context = original_context as f32;
				base.map(|f| {
					let wavelength = 2.0 * std::f32::consts::PI / f;
					if wavelength < context / high {
						f
					} else if wavelength > context / low {
						f / factor
					} else {
						let smooth = (context / wavelength - low) / (high - low);
						(1.0 - smooth) * f / factor + smooth * f
					}
				})
				.collect()
			}
		}
	}

	/// Input and output width of a linear site by its PEFT module name (`q_proj`, …), or `None` for another name.
	pub fn site_shape(&self, module: &str) -> Option<(usize, usize)> {
		Some(match module {
			"q_proj" => (self.hidden_size, self.q_width()),
			"k_proj" | "v_proj" => (self.hidden_size, self.kv_width()),
			"o_proj" => (self.q_width(), self.hidden_size),
			"gate_proj" | "up_proj" => (self.hidden_size, self.intermediate_size),
			"down_proj" => (self.intermediate_size, self.hidden_size),
			_ => return None,
		})
	}

	/// Every weight the architecture needs: Hugging Face name and shape.
	pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
		let mut list = vec![
			(
				"model.embed_tokens.weight".to_string(),
				vec![self.vocab_size, self.hidden_size],
			),
			("model.norm.weight".to_string(), vec![self.hidden_size]),
		];
		if !self.tied_embeddings {
			list.push((
				"lm_head.weight".to_string(),
				vec![self.vocab_size, self.hidden_size],
			));
		}
		for layer in 0..self.layers {
			let prefix = format!("model.layers.{layer}");
			for norm in ["input_layernorm", "post_attention_layernorm"] {
				list.push((format!("{prefix}.{norm}.weight"), vec![self.hidden_size]));
			}
			for (block, module) in crate::SITES {
				let (input, output) = self.site_shape(module).expect("SITES are known; qed");
				list.push((
					format!("{prefix}.{block}.{module}.weight"),
					vec![output, input],
				));
				if self.qk_norm && matches!(module, "q_proj" | "k_proj") {
					let norm = module.replace("_proj", "_norm");
					list.push((
						format!("{prefix}.{block}.{norm}.weight"),
						vec![self.head_dim],
					));
				}
				if self.qkv_bias && matches!(module, "q_proj" | "k_proj" | "v_proj") {
					list.push((format!("{prefix}.{block}.{module}.bias"), vec![output]));
				}
			}
		}
		list
	}

	/// Checks that the numbers are possible.
	fn checked(self) -> Result<Self, ModelError> {
		let bad = |what: &str| {
			Err(ModelError::Malformed(format!(
				"impossible configuration: {what}"
			)))
		};
		for (name, value) in [
			("hidden_size", self.hidden_size),
			("intermediate_size", self.intermediate_size),
			("layers", self.layers),
			("heads", self.heads),
			("kv_heads", self.kv_heads),
			("head_dim", self.head_dim),
			("vocab_size", self.vocab_size),
			("max_context", self.max_context),
		] {
			if value == 0 || value > MAX_DIMENSION {
				return bad(&format!("{name} = {value}"));
			}
		}
		if !self.heads.is_multiple_of(self.kv_heads) {
			return bad("heads is not a multiple of kv_heads");
		}
		if !self.head_dim.is_multiple_of(2)
			|| self.head_dim > 4096
			|| self.heads > 4096
			|| self.layers > 4096
		{
			return bad("head_dim is odd, or head_dim, heads or layers is over 4096");
		}
		if !(self.rope_theta.is_finite() && self.rope_theta > 0.0) {
			return bad("rope_theta is not a positive number");
		}
		if !(self.rms_eps.is_finite() && (0.0..1.0).contains(&self.rms_eps)) {
			return bad("rms_norm_eps is not between 0 and 1");
		}
		Ok(self)
	}

	/// Reads the configuration of a Hugging Face `config.json`.
	///
	/// Accepts the rope base at the top level (`rope_theta`) and inside `rope_parameters`.
	pub fn from_json(text: &str) -> Result<Self, ModelError> {
		let json: Value = serde_json::from_str(text)
			.map_err(|e| ModelError::Malformed(format!("config.json: {e}")))?;
		let architecture = json
			.get("model_type")
			.and_then(Value::as_str)
			.ok_or_else(|| ModelError::Malformed("config.json has no model_type".into()))?
			.to_string();
		let architecture = match architecture.as_str() {
			"llama" | "smollm" | "mistral" => "llama".to_string(),
			"qwen2" | "qwen3" | "smollm3" => architecture,
			other => return Err(ModelError::UnsupportedArchitecture(other.to_string())),
		};
		let number = |name: &str| json.get(name).and_then(Value::as_u64).map(|v| v as usize);
		let needed = |name: &str| {
			number(name).ok_or_else(|| ModelError::Malformed(format!("config.json has no {name}")))
		};
		let set = |name: &str| json.get(name).is_some_and(|v| v.as_bool() == Some(true));
		if set("mlp_bias") || (architecture != "qwen2" && set("attention_bias")) {
			return Err(ModelError::Unsupported("attention_bias or mlp_bias".into()));
		}
		if let Some(act) = json.get("hidden_act").and_then(Value::as_str) {
			if act != "silu" {
				return Err(ModelError::Unsupported(format!("activation {act}")));
			}
		}
		let parameters = json.get("rope_parameters").filter(|v| v.is_object());
		let theta = parameters
			.and_then(|p| p.get("rope_theta"))
			.or_else(|| json.get("rope_theta"))
			.and_then(Value::as_f64)
			.unwrap_or(family::default_theta(&architecture)) as f32;
		let scaling = json
			.get("rope_scaling")
			.filter(|v| v.is_object())
			.or(parameters);
		let rope_scaling = match scaling {
			None => RopeScaling::None,
			Some(s) => Self::rope_scaling(s)?,
		};
		let (hidden_size, heads) = (needed("hidden_size")?, needed("num_attention_heads")?);
		let layers = needed("num_hidden_layers")?;
		let eos = match json.get("eos_token_id") {
			Some(Value::Number(n)) => n.as_u64().map(|v| v as u32).into_iter().collect(),
			Some(Value::Array(list)) => list
				.iter()
				.filter_map(Value::as_u64)
				.map(|v| v as u32)
				.collect(),
			_ => Vec::new(),
		};
		Self {
			qkv_bias: architecture == "qwen2",
			qk_norm: architecture == "qwen3",
			unrotated: match architecture.as_str() {
				"smollm3" => family::unrotated(&json, layers)?,
				_ => Vec::new(),
			},
			max_context: family::windowed(
				&json,
				&architecture,
				number("max_position_embeddings").unwrap_or(2048),
			),
			architecture,
			hidden_size,
			intermediate_size: needed("intermediate_size")?,
			layers,
			heads,
			kv_heads: number("num_key_value_heads").unwrap_or(heads),
			head_dim: number("head_dim").unwrap_or(hidden_size.checked_div(heads).unwrap_or(0)),
			vocab_size: needed("vocab_size")?,
			rope_theta: theta,
			rope_scaling,
			rms_eps: json
				.get("rms_norm_eps")
				.and_then(Value::as_f64)
				.unwrap_or(1e-6) as f32,
			tied_embeddings: set("tie_word_embeddings"),
			eos,
			bos: json
				.get("bos_token_id")
				.and_then(Value::as_u64)
				.map(|v| v as u32),
		}
		.checked()
	}

	fn rope_scaling(s: &Value) -> Result<RopeScaling, ModelError> {
		let kind = s
			.get("rope_type")
			.or_else(|| s.get("type"))
			.and_then(Value::as_str);
		let number = |name: &str| {
			s.get(name)
				.and_then(Value::as_f64)
				.filter(|v| *v > 0.0)
				.ok_or_else(|| ModelError::Malformed(format!("rope scaling has no {name}")))
		};
		Ok(match kind.unwrap_or("default") {
			"default" => RopeScaling::None,
			"linear" => RopeScaling::Linear(number("factor")? as f32),
			"llama3" => RopeScaling::Llama3 {
				factor: number("factor")? as f32,
				low: number("low_freq_factor")? as f32,
				high: number("high_freq_factor")? as f32,
				original_context: number("original_max_position_embeddings")? as usize,
			},
			other => return Err(ModelError::Unsupported(format!("rope scaling {other}"))),
		})
	}

	/// Reads the configuration of a GGUF file.
	pub(crate) fn from_gguf(gguf: &Gguf<'_>) -> Result<Self, ModelError> {
		let architecture = gguf.string("general.architecture")?.to_string();
		if !matches!(
			architecture.as_str(),
			"llama" | "qwen2" | "qwen3" | "smollm3"
		) {
			return Err(ModelError::UnsupportedArchitecture(architecture));
		}
		let number = |name: &str| gguf.number(&format!("{architecture}.{name}"));
		let needed = |name: &str| {
			number(name).ok_or_else(|| {
				ModelError::Malformed(format!("metadata {architecture}.{name} is missing"))
			})
		};
		if number("expert_count").is_some_and(|n| n > 0) {
			return Err(ModelError::Unsupported("mixture of experts".into()));
		}
		let kind = gguf
			.string(&format!("{architecture}.rope.scaling.type"))
			.unwrap_or("none");
		let rope_scaling = match kind {
			"none" => RopeScaling::None,
			"linear" => RopeScaling::Linear(
				gguf.float(&format!("{architecture}.rope.scaling.factor"))
					.unwrap_or(1.0),
			),
			other => return Err(ModelError::Unsupported(format!("rope scaling {other}"))),
		};
		if gguf.tensors.contains_key("rope_freqs.weight") {
			return Err(ModelError::Unsupported("rope_freqs.weight in GGUF".into()));
		}
		let (hidden_size, heads) = (needed("embedding_length")?, needed("attention.head_count")?);
		let layers = needed("block_count")?;
		let head_dim = match number("attention.key_length") {
			Some(n) => n,
			None => hidden_size.checked_div(heads).unwrap_or(0),
		};
		if number("rope.dimension_count").is_some_and(|n| n != head_dim) {
			return Err(ModelError::Unsupported("partial rotary embedding".into()));
		}
		let vocab_size = gguf
			.tensors
			.get("token_embd.weight")
			.and_then(|t| t.shape.first().copied())
			.ok_or_else(|| ModelError::MissingTensor("token_embd.weight".into()))?;
		let mut eos: Vec<u32> = Vec::new();
		for key in ["eos_token_id", "eot_token_id", "eom_token_id"] {
			if let Some(id) = gguf.number(&format!("tokenizer.ggml.{key}")) {
				if id < vocab_size && !eos.contains(&(id as u32)) {
					eos.push(id as u32);
				}
			}
		}
		Self {
			hidden_size,
			intermediate_size: needed("feed_forward_length")?,
			layers,
			heads,
			kv_heads: number("attention.head_count_kv").unwrap_or(heads),
			head_dim,
			vocab_size,
			max_context: needed("context_length")?,
			rope_theta: gguf
				.float(&format!("{architecture}.rope.freq_base"))
				.unwrap_or(10_000.0),
			rope_scaling,
			rms_eps: gguf
				.float(&format!("{architecture}.attention.layer_norm_rms_epsilon"))
				.unwrap_or(1e-5),
			tied_embeddings: !gguf.tensors.contains_key("output.weight"),
			qkv_bias: gguf.tensors.contains_key("blk.0.attn_q.bias"),
			qk_norm: architecture == "qwen3",
			unrotated: match architecture.as_str() {
				"smollm3" => family::every_fourth(layers),
				_ => Vec::new(),
			},
			eos,
			bos: gguf.number("tokenizer.ggml.bos_token_id").map(|v| v as u32),
			architecture,
		}
		.checked()
	}
}
