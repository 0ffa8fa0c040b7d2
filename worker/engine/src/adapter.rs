//! PEFT LoRA adapters: strict reading, and the layout the kernels use.
//!
//! What an adapter asks for and this engine would not do is refused by name, never ignored.

use std::collections::{BTreeMap, HashMap, HashSet};

use openledger_kernels::{LoraSite, LoraSlice, LoraStore, LoraValues};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use crate::{
	config::ModelConfig,
	error::AdapterError,
	weights::{parse_safetensors, widen, SafetensorsProblem},
	SITES,
};

/// Largest rank accepted.
const MAX_RANK: usize = 1024;

/// Settings whose presence (other than null, false or empty) changes what the adapter computes, and which this
/// engine does not do.
const REFUSED: &[&str] = &[
	"fan_in_fan_out",
	"modules_to_save",
	"use_dora",
	"lora_bias",
	"trainable_token_indices",
	"layer_replication",
	"alora_invocation_tokens",
	"use_qalora",
	"target_parameters",
	"megatron_config",
	"use_bdlora",
	"arrow_config",
	"monteclora_config",
];

/// Initialisations that change the base weights: the adapter alone is not the fine-tuned model.
const REFUSED_INITS: &[&str] = &["pissa", "olora", "corda", "loftq", "lora_ga"];

/// What `adapter_config.json` says, as far as inference needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterConfig {
	/// Default rank.
	pub rank: usize,
	/// Default alpha; the update is scaled by alpha / rank.
	pub alpha: f64,
	/// Whether the scale is alpha / √rank.
	pub rank_stabilised: bool,
	/// Ranks of modules that differ: pattern → rank.
	pub rank_pattern: BTreeMap<String, usize>,
	/// Alphas of modules that differ: pattern → alpha.
	pub alpha_pattern: BTreeMap<String, f64>,
	/// Module names, or `None` when they are given as a pattern.
	pub targets: Option<Vec<String>>,
}

/// The value whose key names the module: the whole path or its last components.
fn pattern<'a, T>(patterns: &'a BTreeMap<String, T>, module: &str) -> Option<&'a T> {
	patterns.iter().find_map(|(key, value)| {
		let key = key.strip_prefix('^').unwrap_or(key);
		let hit = module == key
			|| module
				.strip_suffix(key)
				.is_some_and(|rest| rest.ends_with('.'));
		hit.then_some(value)
	})
}

fn patterns<T>(
	json: &Value,
	name: &str,
	read: impl Fn(&Value) -> Option<T>,
) -> Result<BTreeMap<String, T>, AdapterError> {
	let mut list = BTreeMap::new();
	match json.get(name) {
		None | Some(Value::Null) => {}
		Some(Value::Object(map)) => {
			for (key, value) in map {
				let plain = key.strip_prefix('^').unwrap_or(key);
				if !plain
					.chars()
					.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
				{
					return Err(AdapterError::Unsupported(format!(
						"regular expression in {name}"
					)));
				}
				let value = read(value)
					.ok_or_else(|| AdapterError::BadConfig(format!("{name}.{key} is no number")))?;
				list.insert(key.clone(), value);
			}
		}
		Some(_) => return Err(AdapterError::BadConfig(format!("{name} is not an object"))),
	}
	Ok(list)
}

impl AdapterConfig {
	/// Reads `adapter_config.json`. Unknown keys are ignored, as PEFT adds some with every release.
	///
	/// # Errors
	/// [`AdapterError::BadConfig`] and [`AdapterError::Unsupported`].
	pub fn parse(bytes: &[u8]) -> Result<Self, AdapterError> {
		let bad = |why: &str| AdapterError::BadConfig(why.to_string());
		let json: Value = serde_json::from_slice(bytes).map_err(|e| bad(&e.to_string()))?;
		if !json.is_object() {
			return Err(bad("not a JSON object"));
		}
		match json.get("peft_type") {
			None => return Err(bad("peft_type is missing")),
			Some(kind) if kind.as_str() == Some("LORA") => {}
			Some(kind) => return Err(AdapterError::Unsupported(format!("peft_type {kind}"))),
		}
		for name in REFUSED {
			let off = match json.get(*name) {
				None | Some(Value::Null) | Some(Value::Bool(false)) => true,
				Some(Value::Array(list)) => list.is_empty(),
				Some(Value::Object(map)) => map.is_empty(),
				Some(_) => false,
			};
			if !off {
				return Err(AdapterError::Unsupported(name.to_string()));
			}
		}
		match json.get("bias") {
			None | Some(Value::Null) => {}
			Some(bias) if bias.as_str() == Some("none") => {}
			Some(bias) => return Err(AdapterError::Unsupported(format!("bias {bias}"))),
		}
		if let Some(init) = json.get("init_lora_weights").and_then(Value::as_str) {
			let init = init.to_ascii_lowercase();
			if REFUSED_INITS.iter().any(|name| init.starts_with(name)) {
				return Err(AdapterError::Unsupported(format!(
					"init_lora_weights {init}"
				)));
			}
		}
		let rank = |v: &Value| {
			v.as_u64()
				.map(|v| v as usize)
				.filter(|r| (1..=MAX_RANK).contains(r))
		};
		let alpha = |v: &Value| v.as_f64().filter(|a| a.is_finite());
		let targets = match json.get("target_modules") {
			Some(Value::String(_)) => None,
			Some(Value::Array(list)) => Some(
				list.iter()
					.map(|v| v.as_str().map(str::to_string))
					.collect::<Option<Vec<_>>>()
					.ok_or_else(|| bad("target_modules holds something other than text"))?,
			),
			_ => return Err(bad("target_modules is neither a text nor a list")),
		};
		Ok(Self {
			rank: json
				.get("r")
				.and_then(rank)
				.ok_or_else(|| bad("r is not a rank between 1 and 1024"))?,
			alpha: json
				.get("lora_alpha")
				.and_then(alpha)
				.ok_or_else(|| bad("lora_alpha is not a number"))?,
			rank_stabilised: json
				.get("use_rslora")
				.and_then(Value::as_bool)
				.unwrap_or(false),
			rank_pattern: patterns(&json, "rank_pattern", rank)?,
			alpha_pattern: patterns(&json, "alpha_pattern", alpha)?,
			targets,
		})
	}

	/// Rank of a module (`model.layers.0.self_attn.q_proj`).
	pub fn rank(&self, module: &str) -> usize {
		pattern(&self.rank_pattern, module)
			.copied()
			.unwrap_or(self.rank)
	}

	/// Factor of a module's update.
	pub fn scale(&self, module: &str) -> f32 {
		let alpha = pattern(&self.alpha_pattern, module)
			.copied()
			.unwrap_or(self.alpha);
		let rank = self.rank(module) as f64;
		(alpha
			/ if self.rank_stabilised {
				rank.sqrt()
			} else {
				rank
			}) as f32
	}
}

/// Linear sites that are computed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
	/// q, k and v beside each other.
	Qkv,
	/// The attention's output projection.
	Output,
	/// Gate and up beside each other.
	GateUp,
	/// The feed-forward's output projection.
	Down,
}

/// One projection's update inside a fused site.
#[derive(Clone, Debug)]
pub struct SliceWeights {
	/// First of its rows in the site's `a`.
	pub first: usize,
	/// Rank.
	pub rank: usize,
	/// First of its columns in the site's output.
	pub column: usize,
	/// Number of its columns.
	pub width: usize,
	/// `B^T`: `[rank, width]`.
	pub b: LoraStore,
	/// Factor of the update that is not in `b` already.
	pub scale: f32,
}

/// An adapter's update of one fused site of one layer; empty where it has none.
#[derive(Clone, Debug, Default)]
pub struct SiteWeights {
	/// All `A` one below the other: `[sum of ranks, inputs]`.
	pub a: LoraStore,
	/// The projections.
	pub slices: Vec<SliceWeights>,
}

impl LoraSite for SiteWeights {
	fn a(&self) -> LoraValues<'_> {
		self.a.values()
	}

	fn slices(&self) -> usize {
		self.slices.len()
	}

	fn slice(&self, index: usize) -> LoraSlice<'_> {
		let slice = &self.slices[index];
		LoraSlice {
			first: slice.first,
			rank: slice.rank,
			column: slice.column,
			width: slice.width,
			b: slice.b.values(),
			scale: slice.scale,
		}
	}
}

/// An adapter in the layout of the kernels.
#[derive(Clone, Debug)]
pub struct LoraWeights {
	layers: Vec<[SiteWeights; 4]>,
	bytes: usize,
}

/// Layer, block and module → names of its A and B in the file.
type Names = BTreeMap<(usize, &'static str, &'static str), [Option<String>; 2]>;

/// Rank, A, B transposed, and the factor of their product.
type Pair = (usize, Vec<f32>, Vec<f32>, f32);

/// Whether the weights stay bf16 in memory: when the whole file is. Otherwise all are f32.
fn narrow(file: &SafeTensors<'_>) -> bool {
	file.iter().all(|(_, view)| view.dtype() == Dtype::BF16)
}

impl LoraWeights {
	/// The update of one site.
	pub fn site(&self, layer: usize, site: Site) -> &SiteWeights {
		&self.layers[layer][site as usize]
	}

	/// Bytes of memory the weights take.
	pub fn bytes(&self) -> usize {
		self.bytes
	}

	/// Bytes of memory an adapter file will take, from its header alone.
	///
	/// # Errors
	/// [`AdapterError::Malformed`].
	pub fn needed(weights: &[u8]) -> Result<usize, AdapterError> {
		let file = open(weights)?;
		let size = if narrow(&file) { 2 } else { 4 };
		Ok(file
			.iter()
			.map(|(_, view)| view.shape().iter().product::<usize>() * size)
			.sum())
	}

	/// Reads an adapter for the model of `base`.
	///
	/// # Errors
	/// [`AdapterError`]; see its variants.
	pub fn parse(
		config: &AdapterConfig,
		weights: &[u8],
		base: &ModelConfig,
	) -> Result<Self, AdapterError> {
		let file = open(weights)?;
		let names = names(&file, base)?;
		let mut seen = HashSet::new();
		let mut sites: HashMap<(usize, &str), Pair> = HashMap::new();
		for ((layer, block, module), pair) in &names {
			let path = format!("model.layers.{layer}.{block}.{module}");
			let [Some(a_name), Some(b_name)] = pair else {
				let part = if pair[0].is_none() {
					"lora_A"
				} else {
					"lora_B"
				};
				return Err(AdapterError::MissingTensor(format!("{path}.{part}.weight")));
			};
			if let Some(targets) = &config.targets {
				let hit = targets.iter().any(|t| {
					path == *t
						|| path
							.strip_suffix(t.as_str())
							.is_some_and(|r| r.ends_with('.'))
				});
				if !hit && !targets.iter().any(|t| t == "all-linear") {
					return Err(AdapterError::BadConfig(format!(
						"{path} has weights but is not among target_modules"
					)));
				}
			}
			seen.insert(*module);
			let (input, output) = base
				.site_shape(module)
				.expect("names are of known modules; qed");
			let rank = config.rank(&path);
			let a = tensor(&file, a_name, [rank, input], 0)?;
			let b = tensor(&file, b_name, [output, rank], 1)?;
			// Transposed so that one row of x becomes a few long multiply-adds instead of many short dot products.
			let scale = config.scale(&path);
			let mut transposed = vec![0.0; b.len()];
			for (row, values) in b.chunks_exact(rank).enumerate() {
				for (j, value) in values.iter().enumerate() {
					transposed[j * output + row] = *value;
				}
			}
			if transposed.iter().any(|v| !(v * scale).is_finite()) {
				return Err(AdapterError::NotFinite(b_name.clone()));
			}
			sites.insert((*layer, module), (rank, a, transposed, scale));
		}
		if sites.is_empty() {
			return Err(AdapterError::MissingTensor("(every one of them)".into()));
		}
		for target in config.targets.iter().flatten() {
			let module = target.rsplit('.').next().unwrap_or(target);
			if target != "all-linear" && !seen.contains(module) {
				return Err(match base.site_shape(module) {
					Some(_) => AdapterError::MissingTensor(format!("of target module {target}")),
					None => AdapterError::Unsupported(format!("target module {target}")),
				});
			}
		}
		let fused: [&[&str]; 4] = [
			&["q_proj", "k_proj", "v_proj"],
			&["o_proj"],
			&["gate_proj", "up_proj"],
			&["down_proj"],
		];
		let narrow = narrow(&file);
		let store = |values: Vec<f32>| match narrow {
			true => LoraStore::narrow(&values),
			false => LoraStore::F32(values),
		};
		let mut bytes = 0;
		let layers = (0..base.layers)
			.map(|layer| {
				fused.map(|modules| {
					let mut site = SiteWeights::default();
					let mut all = Vec::new();
					let (mut first, mut column) = (0, 0);
					for module in modules {
						let (_, width) = base.site_shape(module).expect("known modules; qed");
						if let Some((rank, a, b, scale)) = sites.remove(&(layer, *module)) {
							all.extend_from_slice(&a);
							let b = store(b);
							bytes += b.bytes();
							site.slices.push(SliceWeights {
								first,
								rank,
								column,
								width,
								b,
								scale,
							});
							first += rank;
						}
						column += width;
					}
					all.shrink_to_fit();
					site.a = store(all);
					bytes += site.a.bytes();
					site
				})
			})
			.collect();
		Ok(Self { layers, bytes })
	}
}

fn open(weights: &[u8]) -> Result<SafeTensors<'_>, AdapterError> {
	parse_safetensors(weights).map_err(|problem| {
		AdapterError::Malformed(match problem {
			SafetensorsProblem::Truncated { needed } => {
				format!(
					"it is truncated: needs byte {needed}, has {}",
					weights.len()
				)
			}
			SafetensorsProblem::Malformed(why) => why,
		})
	})
}

/// Sorts the file's tensor names by layer and module; refuses any that is not a LoRA weight of a known site.
fn names(file: &SafeTensors<'_>, base: &ModelConfig) -> Result<Names, AdapterError> {
	let mut names = Names::new();
	for (name, _) in file.iter() {
		let unknown = || AdapterError::Unsupported(format!("tensor {name}"));
		let rest = name
			.strip_prefix("base_model.model.model.layers.")
			.ok_or_else(unknown)?;
		let (layer, rest) = rest.split_once('.').ok_or_else(unknown)?;
		let layer: usize = layer.parse().map_err(|_| unknown())?;
		let (path, part) = rest.rsplit_once(".lora_").ok_or_else(unknown)?;
		let part = match part {
			"A.weight" | "A.default.weight" => 0,
			"B.weight" | "B.default.weight" => 1,
			_ => return Err(unknown()),
		};
		let (block, module) = SITES
			.into_iter()
			.find(|(block, module)| path.split_once('.') == Some((block, module)))
			.ok_or_else(unknown)?;
		if layer >= base.layers {
			return Err(AdapterError::ForAnotherBase(format!(
				"it has a layer {layer}, the base has {} layers",
				base.layers
			)));
		}
		let slot = &mut names.entry((layer, block, module)).or_default()[part];
		if slot.replace(name.to_string()).is_some() {
			return Err(AdapterError::Malformed(format!("{name} occurs twice")));
		}
	}
	Ok(names)
}

/// A tensor of the expected shape; `rank_at` is the dimension that is the rank.
fn tensor(
	file: &SafeTensors<'_>,
	name: &str,
	expected: [usize; 2],
	rank_at: usize,
) -> Result<Vec<f32>, AdapterError> {
	let view = file
		.tensor(name)
		.map_err(|e| AdapterError::Malformed(e.to_string()))?;
	let &[rows, columns] = view.shape() else {
		return Err(AdapterError::Malformed(format!(
			"{name} has shape {:?}",
			view.shape()
		)));
	};
	let found = [rows, columns];
	if found[1 - rank_at] != expected[1 - rank_at] {
		return Err(AdapterError::ForAnotherBase(format!(
			"{name} has shape {found:?}, the base asks for {expected:?}"
		)));
	}
	if found[rank_at] != expected[rank_at] {
		return Err(AdapterError::RankMismatch {
			name: name.to_string(),
			expected: expected[rank_at],
			found: found[rank_at],
		});
	}
	let data = widen(view.dtype(), view.data())
		.ok_or_else(|| AdapterError::Unsupported(format!("type {:?} of {name}", view.dtype())))?;
	if data.iter().any(|v| !v.is_finite()) {
		return Err(AdapterError::NotFinite(name.to_string()));
	}
	Ok(data)
}
