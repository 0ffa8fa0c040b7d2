//! The forward pass of a Llama-family model with LoRA updates, differentiable in the updates only.

use crate::{
	graph::{attention, gated, linear, loss, rms_norm, Heads, Update},
	settings::TrainSettings,
};
use candle_core::{bail, Device, Result, Tensor, Var};
use openledger_engine::{ModelConfig, ModelWeights};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{collections::BTreeMap, sync::Arc};

/// A frozen linear layer.
struct Linear {
	weight: Tensor,
	bias: Option<Tensor>,
}

struct Block {
	input_norm: Vec<f32>,
	post_norm: Vec<f32>,
	/// By PEFT module name.
	linears: BTreeMap<&'static str, Linear>,
}

/// The frozen base model.
pub struct Base {
	config: ModelConfig,
	embedding: Tensor,
	head: Tensor,
	norm: Vec<f32>,
	blocks: Vec<Block>,
	heads: Arc<Heads>,
}

/// The modules of a block and the part of it they stand in.
const MODULES: [(&str, &str); 7] = [
	("q_proj", "self_attn"),
	("k_proj", "self_attn"),
	("v_proj", "self_attn"),
	("o_proj", "self_attn"),
	("gate_proj", "mlp"),
	("up_proj", "mlp"),
	("down_proj", "mlp"),
];

/// The name of a module in the base model: `model.layers.3.self_attn.q_proj`.
fn path(layer: usize, module: &str) -> String {
	let part = MODULES
		.iter()
		.find(|(name, _)| *name == module)
		.map_or("", |(_, part)| part);
	format!("model.layers.{layer}.{part}.{module}")
}

impl Base {
	/// Takes over the weights; `positions` bounds the length of a sequence.
	///
	/// # Errors
	/// When a tensor is missing or has another shape than the configuration says, or the family has parts that are
	/// served but not trained here.
	pub fn new(config: &ModelConfig, weights: &ModelWeights, positions: usize) -> Result<Self> {
		if config.qk_norm || !config.unrotated.is_empty() {
			bail!(
				"{} cannot be trained here: its head norms or unrotated layers are only served; train with PEFT",
				config.architecture
			)
		}
		let shapes: BTreeMap<String, Vec<usize>> = config.tensors().into_iter().collect();
		let get = |name: &str| -> Result<Tensor> {
			let tensor = weights.get(name).map_err(candle_core::Error::wrap)?;
			if shapes.get(name) != Some(&tensor.shape) {
				bail!("{name} has the shape {:?}", tensor.shape)
			}
			Tensor::from_vec(tensor.to_f32(), tensor.shape.as_slice(), &Device::Cpu)
		};
		let vector = |name: &str| get(name)?.to_vec1::<f32>();
		let block = |layer: usize| -> Result<Block> {
			let linears = MODULES
				.iter()
				.map(|(module, part)| {
					let path = path(layer, module);
					let biased = config.qkv_bias && *part == "self_attn" && *module != "o_proj";
					let bias = biased.then(|| get(&format!("{path}.bias"))).transpose()?;
					Ok((
						*module,
						Linear {
							weight: get(&format!("{path}.weight"))?,
							bias,
						},
					))
				})
				.collect::<Result<_>>()?;
			let layer = format!("model.layers.{layer}");
			Ok(Block {
				input_norm: vector(&format!("{layer}.input_layernorm.weight"))?,
				post_norm: vector(&format!("{layer}.post_attention_layernorm.weight"))?,
				linears,
			})
		};
		let frequencies = config.inverse_frequencies();
		let rotation = (0..positions)
			.flat_map(|position| {
				frequencies.iter().map(move |frequency| {
					let (sin, cos) = (position as f32 * frequency).sin_cos();
					(cos, sin)
				})
			})
			.collect();
		let embedding = get("model.embed_tokens.weight")?;
		let head = match config.tied_embeddings {
			true => embedding.clone(),
			false => get("lm_head.weight")?,
		};
		Ok(Self {
			embedding,
			head,
			norm: vector("model.norm.weight")?,
			blocks: (0..config.layers).map(block).collect::<Result<_>>()?,
			heads: Arc::new(Heads {
				queries: config.heads,
				keys: config.kv_heads,
				width: config.head_dim,
				rotation,
			}),
			config: config.clone(),
		})
	}

	/// The residual stream of `tokens` before the first block: `[tokens, width]`.
	pub fn embed(&self, tokens: &[u32]) -> Result<Tensor> {
		if tokens.len() * self.config.head_dim / 2 > self.heads.rotation.len() {
			bail!(
				"a sequence of {} tokens is longer than the model was prepared for",
				tokens.len()
			)
		}
		let ids = Tensor::new(tokens, &Device::Cpu)?;
		self.embedding.index_select(&ids, 0)
	}

	/// The residual stream after the blocks `from..to`. The rows of `x` are sequences of the lengths
	/// `lengths`, one after the other.
	pub fn blocks(
		&self,
		mut x: Tensor,
		lengths: &[usize],
		blocks: std::ops::Range<usize>,
		adapter: &Adapter,
	) -> Result<Tensor> {
		for layer in blocks {
			let block = &self.blocks[layer];
			let apply = |x: &Tensor, module: &'static str| {
				let Linear { weight, bias } = &block.linears[module];
				linear(
					x,
					weight,
					bias.as_ref(),
					adapter.update(layer, module).as_ref(),
				)
			};
			let normed = rms_norm(&x, &block.input_norm, self.config.rms_eps)?;
			let (q, k, v) = (
				apply(&normed, "q_proj")?,
				apply(&normed, "k_proj")?,
				apply(&normed, "v_proj")?,
			);
			let attended = match lengths {
				[_] => attention(&q, &k, &v, &self.heads)?,
				_ => {
					let mut start = 0;
					let mut parts = Vec::with_capacity(lengths.len());
					for length in lengths {
						let [q, k, v] = [&q, &k, &v].map(|tensor| tensor.narrow(0, start, *length));
						parts.push(attention(&q?, &k?, &v?, &self.heads)?);
						start += length;
					}
					Tensor::cat(&parts, 0)?
				}
			};
			x = (x + apply(&attended, "o_proj")?)?;
			let normed = rms_norm(&x, &block.post_norm, self.config.rms_eps)?;
			let inner = gated(&apply(&normed, "gate_proj")?, &apply(&normed, "up_proj")?)?;
			x = (x + apply(&inner, "down_proj")?)?;
		}
		Ok(x)
	}

	/// Sum of the losses of `targets` at `rows` of the last block's stream.
	pub fn loss(&self, x: &Tensor, rows: &[u32], targets: &[u32]) -> Result<Tensor> {
		let rows = Tensor::new(rows, &Device::Cpu)?;
		let normed = rms_norm(&x.index_select(&rows, 0)?, &self.norm, self.config.rms_eps)?;
		loss(&normed, &self.head, targets)
	}

	/// The logits after the last of `tokens`.
	pub fn logits(&self, tokens: &[u32], adapter: &Adapter) -> Result<Vec<f32>> {
		let x = self.blocks(
			self.embed(tokens)?,
			&[tokens.len()],
			0..self.blocks.len(),
			adapter,
		)?;
		let last = x.detach().narrow(0, tokens.len() - 1, 1)?;
		let normed = rms_norm(&last, &self.norm, self.config.rms_eps)?;
		normed.matmul(&self.head.t()?)?.flatten_all()?.to_vec1()
	}

	/// Number of blocks.
	pub fn layers(&self) -> usize {
		self.blocks.len()
	}
}

/// Name -> shape and values, row by row.
pub type NamedTensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// The LoRA matrices, the only thing that is trained.
pub struct Adapter {
	/// By block and PEFT module name: `A: [rank, in]`, `B: [out, rank]`.
	pub sites: BTreeMap<(usize, String), (Var, Var)>,
	/// Factor of the update.
	pub scale: f64,
}

impl Adapter {
	/// New matrices as PEFT starts them: `A` uniform within `±1 / sqrt(in)`, `B` zero, so that the
	/// model begins unchanged.
	pub fn new(config: &ModelConfig, settings: &TrainSettings) -> Result<Self> {
		let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
		let mut sites = BTreeMap::new();
		let first = config.layers - settings.layers.unwrap_or(config.layers).min(config.layers);
		for layer in first..config.layers {
			for (module, _) in MODULES {
				if !settings.targets.iter().any(|target| target == module) {
					continue;
				}
				let Some((input, output)) = config.site_shape(module) else {
					bail!("the model has no module {module}")
				};
				let bound = 1.0 / (input as f32).sqrt();
				let values: Vec<f32> = (0..settings.rank * input)
					.map(|_| random.random_range(-bound..bound))
					.collect();
				let a = Tensor::from_vec(values, (settings.rank, input), &Device::Cpu)?;
				let b = Tensor::zeros(
					(output, settings.rank),
					candle_core::DType::F32,
					&Device::Cpu,
				)?;
				let pair = (Var::from_tensor(&a)?, Var::from_tensor(&b)?);
				sites.insert((layer, module.to_string()), pair);
			}
		}
		Ok(Self {
			sites,
			scale: settings.alpha / settings.rank as f64,
		})
	}

	/// No update at all.
	pub fn none() -> Self {
		Self {
			sites: BTreeMap::new(),
			scale: 0.0,
		}
	}

	fn update(&self, layer: usize, module: &str) -> Option<Update> {
		let (a, b) = self.sites.get(&(layer, module.to_string()))?;
		Some(Update {
			a: a.as_tensor().clone(),
			b: b.as_tensor().clone(),
			scale: self.scale,
		})
	}

	/// The first block that is changed, or `layers` if none is.
	pub fn first(&self, layers: usize) -> usize {
		self.sites.keys().next().map_or(layers, |(layer, _)| *layer)
	}

	/// All matrices, in a fixed order.
	pub fn variables(&self) -> Vec<Var> {
		self.sites
			.values()
			.flat_map(|(a, b)| [a.clone(), b.clone()])
			.collect()
	}

	/// The matrices by their PEFT names, with shape and values.
	pub fn tensors(&self) -> Result<NamedTensors> {
		let mut tensors = BTreeMap::new();
		for ((layer, module), (a, b)) in &self.sites {
			let path = path(*layer, module);
			for (name, var) in [("lora_A", a), ("lora_B", b)] {
				let values = var.as_tensor().flatten_all()?.to_vec1::<f32>()?;
				let name = format!("base_model.model.{path}.{name}.weight");
				tensors.insert(name, (var.as_tensor().dims().to_vec(), values));
			}
		}
		Ok(tensors)
	}
}
