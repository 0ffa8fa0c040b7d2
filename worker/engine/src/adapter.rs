//! PEFT LoRA adapters: strict reading, and the layout the kernels use.
//!
//! What an adapter asks for and this engine would not do is refused by name, never ignored. Honoured are LoRA, rsLoRA
//! and DoRA on the linear layers of a block and on `lm_head`, LoRA on `embed_tokens`, and ranks and alphas that differ
//! by module.
//!
//! A file is believed in three steps, and each sees only what the one before has admitted: its header's size and
//! structure, then every name, type and shape in it ([`LoraWeights::needed`] is known from here on), then the values.

use std::{
	collections::{BTreeMap, HashMap, HashSet},
	sync::Arc,
};

use half::{bf16, f16};
use openledger_kernels::{LoraSite, LoraSlice, LoraStore, LoraValues};
use regex::{Regex, RegexBuilder};
use safetensors::{tensor::TensorView, Dtype, SafeTensors};
use serde::Deserialize;
use serde_json::Value;

use crate::{
	config::ModelConfig,
	dora::{self, BaseRows},
	error::AdapterError,
	weights::{parse_safetensors, SafetensorsProblem},
	SITES,
};

/// Largest rank accepted.
const MAX_RANK: usize = 1024;

/// Largest header of an adapter file in bytes: one of 4,096 layers has a quarter of it.
const MAX_HEADER: u64 = 8 << 20;

/// Most patterns in `rank_pattern` and in `alpha_pattern`, and most bytes a compiled one may take.
const MAX_PATTERNS: usize = 1024;
const MAX_PATTERN_BYTES: usize = 1 << 18;

/// Settings whose presence (other than null, false or empty) changes what the adapter computes, which this engine
/// does not do, and what to do instead.
const REFUSED: &[(&str, &str)] = &[
	(
		"fan_in_fan_out",
		"it is for transposed layers, which no supported base model has; train without it",
	),
	(
		"modules_to_save",
		"train lm_head and embed_tokens as target_modules, or merge the adapter and serve the result as a base model",
	),
	("lora_bias", "train with lora_bias=False"),
	(
		"trainable_token_indices",
		"train embed_tokens as one of target_modules",
	),
	(
		"layer_replication",
		"serve the replicated model as a base model of its own",
	),
	(
		"alora_invocation_tokens",
		"train an ordinary LoRA, without alora_invocation_tokens",
	),
	("use_qalora", "train with use_qalora=False"),
	(
		"target_parameters",
		"name the layers in target_modules instead",
	),
	("megatron_config", "convert the adapter to PEFT's own layers"),
	("use_bdlora", "train without use_bdlora"),
	("arrow_config", "serve the adapters as one weighted set instead"),
	("monteclora_config", "train without monteclora_config"),
	("kasa_config", "train without kasa_config"),
	(
		"ensure_weight_tying",
		"train with ensure_weight_tying=False and, if both are meant, with lm_head and embed_tokens as targets",
	),
];

/// Initialisations that change the base weights: the adapter alone is not the fine-tuned model.
const REFUSED_INITS: &[&str] = &["pissa", "olora", "corda", "loftq", "lora_ga"];

/// A list of JSON members in the order of the file, which decides between patterns that both match.
struct Ordered(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Ordered {
	fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
		struct Members;
		impl<'de> serde::de::Visitor<'de> for Members {
			type Value = Ordered;

			fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
				f.write_str("an object")
			}

			fn visit_map<A: serde::de::MapAccess<'de>>(
				self,
				mut map: A,
			) -> Result<Ordered, A::Error> {
				let mut list = Vec::new();
				while let Some(entry) = map.next_entry()? {
					list.push(entry);
				}
				Ok(Ordered(list))
			}
		}
		deserializer.deserialize_map(Members)
	}
}

/// The two settings whose order counts.
#[derive(Deserialize)]
struct InOrder {
	rank_pattern: Option<Ordered>,
	alpha_pattern: Option<Ordered>,
}

#[derive(Clone, Debug)]
enum Pattern {
	/// The whole path.
	Whole(String),
	/// Its last components.
	End(String),
	Regex(Regex),
}

impl Pattern {
	/// As PEFT reads a key: a regular expression for the end of a module's path, beginning at a component.
	fn parse(key: &str, setting: &str) -> Result<Self, AdapterError> {
		let plain = |text: &str| {
			text.chars()
				.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
		};
		let body = key.strip_suffix('$').unwrap_or(key);
		if let Some(whole) = body.strip_prefix('^').filter(|text| plain(text)) {
			return Ok(Self::Whole(whole.to_string()));
		}
		if plain(body) {
			return Ok(Self::End(body.to_string()));
		}
		RegexBuilder::new(&format!(r"^(?:.*\.)?(?:{key})$"))
			.size_limit(MAX_PATTERN_BYTES)
			.nest_limit(32)
			.build()
			.map(Self::Regex)
			.map_err(|_| {
				AdapterError::unsupported(
					format!("the regular expression {key:?} in {setting}"),
					"write it without look-around and back-references, or name the modules",
				)
			})
	}

	fn hits(&self, module: &str) -> bool {
		match self {
			Self::Whole(path) => module == path,
			Self::End(end) => ends_with(module, end),
			Self::Regex(regex) => regex.is_match(module),
		}
	}
}

/// Whether a path's last components are `end`.
fn ends_with(path: &str, end: &str) -> bool {
	path.strip_suffix(end)
		.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Values of the modules that differ; the first pattern that hits counts.
#[derive(Clone, Debug)]
pub struct Patterns<T>(Vec<(Pattern, T)>);

impl<T: Copy> Patterns<T> {
	fn parse(
		list: Option<Ordered>,
		setting: &str,
		read: impl Fn(&Value) -> Option<T>,
	) -> Result<Self, AdapterError> {
		let list = list.map(|ordered| ordered.0).unwrap_or_default();
		if list.len() > MAX_PATTERNS {
			return Err(AdapterError::BadConfig(format!(
				"{setting} has {} entries, the limit is {MAX_PATTERNS}",
				list.len()
			)));
		}
		let one = |(key, value): (String, Value)| {
			let bad =
				|| AdapterError::BadConfig(format!("{setting}.{key} is not a number in its range"));
			let value = read(&value).ok_or_else(bad)?;
			Ok((Pattern::parse(&key, setting)?, value))
		};
		Ok(Self(list.into_iter().map(one).collect::<Result<_, _>>()?))
	}

	/// The value of a module (`model.layers.0.self_attn.q_proj`), if it differs.
	pub fn get(&self, module: &str) -> Option<T> {
		self.0
			.iter()
			.find(|(pattern, _)| pattern.hits(module))
			.map(|(_, value)| *value)
	}
}

/// What `adapter_config.json` says, as far as inference needs it.
#[derive(Clone, Debug)]
pub struct AdapterConfig {
	/// Default rank.
	pub rank: usize,
	/// Default alpha; the update is scaled by alpha / rank.
	pub alpha: f64,
	/// Whether the scale is alpha / √rank (rsLoRA).
	pub rank_stabilised: bool,
	/// Whether the updated weights' rows have learned lengths (DoRA).
	pub dora: bool,
	/// Ranks of modules that differ.
	pub rank_pattern: Patterns<usize>,
	/// Alphas of modules that differ.
	pub alpha_pattern: Patterns<f64>,
	/// Module names, or `None` when they are given as a pattern.
	pub targets: Option<Vec<String>>,
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
			Some(kind) => {
				return Err(AdapterError::unsupported(
					format!("peft_type {kind}"),
					"train a LORA adapter",
				))
			}
		}
		for (name, advice) in REFUSED {
			let off = match json.get(*name) {
				None | Some(Value::Null) | Some(Value::Bool(false)) => true,
				Some(Value::Array(list)) => list.is_empty(),
				Some(Value::Object(map)) => map.is_empty(),
				Some(_) => false,
			};
			if !off {
				return Err(AdapterError::unsupported(*name, advice));
			}
		}
		match json.get("bias") {
			None | Some(Value::Null) => {}
			Some(bias) if bias.as_str() == Some("none") => {}
			Some(bias) => {
				return Err(AdapterError::unsupported(
					format!("bias {bias}"),
					"train with bias=\"none\"",
				))
			}
		}
		if let Some(init) = json.get("init_lora_weights").and_then(Value::as_str) {
			let init = init.to_ascii_lowercase();
			if REFUSED_INITS.iter().any(|name| init.starts_with(name)) {
				return Err(AdapterError::unsupported(
					format!("init_lora_weights {init}"),
					"save the adapter with path_initial_model_for_weight_conversion, as PEFT describes",
				));
			}
		}
		let flag = |name: &str| match json.get(name) {
			None | Some(Value::Null) => Ok(false),
			Some(Value::Bool(set)) => Ok(*set),
			Some(_) => Err(bad(&format!("{name} is neither true nor false"))),
		};
		let rank = |v: &Value| {
			v.as_u64()
				.map(|v| v as usize)
				.filter(|r| (1..=MAX_RANK).contains(r))
		};
		let alpha = |v: &Value| v.as_f64().filter(|a| a.is_finite());
		let targets = match json.get("target_modules") {
			Some(Value::String(text)) if text == "all-linear" => Some(vec![text.clone()]),
			Some(Value::String(_)) => None,
			Some(Value::Array(list)) => Some(
				list.iter()
					.map(|v| v.as_str().map(str::to_string))
					.collect::<Option<Vec<_>>>()
					.ok_or_else(|| bad("target_modules holds something other than text"))?,
			),
			_ => return Err(bad("target_modules is neither a text nor a list")),
		};
		let in_order: InOrder = serde_json::from_slice(bytes).map_err(|e| bad(&e.to_string()))?;
		Ok(Self {
			rank: json
				.get("r")
				.and_then(rank)
				.ok_or_else(|| bad("r is not a rank between 1 and 1024"))?,
			alpha: json
				.get("lora_alpha")
				.and_then(alpha)
				.ok_or_else(|| bad("lora_alpha is not a number"))?,
			rank_stabilised: flag("use_rslora")?,
			dora: flag("use_dora")?,
			rank_pattern: Patterns::parse(in_order.rank_pattern, "rank_pattern", rank)?,
			alpha_pattern: Patterns::parse(in_order.alpha_pattern, "alpha_pattern", alpha)?,
			targets,
		})
	}

	/// Rank of a module (`model.layers.0.self_attn.q_proj`).
	pub fn rank(&self, module: &str) -> usize {
		self.rank_pattern.get(module).unwrap_or(self.rank)
	}

	/// Factor of a module's update.
	pub fn scale(&self, module: &str) -> f32 {
		let alpha = self.alpha_pattern.get(module).unwrap_or(self.alpha);
		let rank = self.rank(module) as f64;
		(alpha
			/ if self.rank_stabilised {
				rank.sqrt()
			} else {
				rank
			}) as f32
	}

	/// Whether a module is among the targets.
	fn aims_at(&self, path: &str) -> bool {
		self.targets.as_ref().is_none_or(|targets| {
			targets
				.iter()
				.any(|t| ends_with(path, t) || (t == "all-linear" && path != EMBEDDING))
		})
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
	/// The output matrix, of no layer.
	Head,
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
	/// `B^T`, with DoRA times the scale and each column's stretch: `[rank, width]`.
	pub b: LoraStore,
	/// Factor of the update that is not in `b` already.
	pub scale: f32,
	/// By how much DoRA stretches what the base computes, less 1: `[width]`; empty without DoRA.
	pub gain: Vec<f32>,
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

/// An adapter's update of the input embedding.
#[derive(Clone, Debug)]
pub struct EmbeddingWeights {
	/// Rank.
	pub rank: usize,
	/// `A^T`: `[vocabulary, rank]`.
	pub a: Vec<f32>,
	/// `B^T` times the scale: `[rank, width]`.
	pub b: Vec<f32>,
}

/// An adapter in the layout of the kernels, or a weighted set of them.
#[derive(Clone, Debug)]
pub struct LoraWeights {
	layers: Vec<[SiteWeights; 4]>,
	head: SiteWeights,
	embedding: Option<EmbeddingWeights>,
	gained: bool,
	/// With members, nothing else is set.
	members: Vec<(Arc<LoraWeights>, f32)>,
	bytes: usize,
}

/// Path of the input embedding and of the output matrix.
const EMBEDDING: &str = "model.embed_tokens";
const HEAD: &str = "lm_head";

/// What a tensor of an adapter file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
	A,
	B,
	Magnitude,
}

/// A tensor whose name, type and shape are admitted.
struct Found<'a> {
	name: String,
	view: TensorView<'a>,
}

/// A module's tensors by [`Part`].
#[derive(Default)]
struct Parts<'a>([Option<Found<'a>>; 3]);

/// A module that an adapter may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Module {
	Embedding,
	Linear(usize, &'static str, &'static str),
	Head,
}

impl Module {
	fn path(self) -> String {
		match self {
			Self::Embedding => EMBEDDING.into(),
			Self::Linear(layer, block, module) => format!("model.layers.{layer}.{block}.{module}"),
			Self::Head => HEAD.into(),
		}
	}

	/// By its last component, as `target_modules` usually has it.
	fn name(self) -> &'static str {
		match self {
			Self::Embedding => "embed_tokens",
			Self::Linear(_, _, module) => module,
			Self::Head => HEAD,
		}
	}

	/// Inputs and outputs.
	fn shape(self, base: &ModelConfig) -> (usize, usize) {
		match self {
			Self::Embedding => (base.vocab_size, base.hidden_size),
			Self::Linear(_, _, module) => base
				.site_shape(module)
				.expect("modules are made from SITES; qed"),
			Self::Head => (base.hidden_size, base.vocab_size),
		}
	}
}

/// An adapter file of which everything but the values is checked.
struct Survey<'a> {
	modules: BTreeMap<Module, Parts<'a>>,
	/// Copies of the base's embedding or output matrix that PEFT adds to adapters that target them.
	copies: Vec<(Module, Found<'a>)>,
}

/// What a tensor of a linear module's or the embedding's update is called.
const UPDATE: &str = ".lora_";

/// Whether the linear updates stay bf16 in memory: when all of the file's are, and DoRA does not change them.
/// Otherwise all are f32.
fn narrow(file: &SafeTensors<'_>) -> bool {
	file.iter()
		.filter(|(name, _)| name.contains(UPDATE))
		.all(|(name, view)| view.dtype() == Dtype::BF16 && !name.contains("lora_magnitude_vector"))
}

/// Bytes in memory of what a file's tensors become, by header alone.
fn bytes_of(file: &SafeTensors<'_>) -> usize {
	let narrow = narrow(file);
	file.iter()
		.filter(|(name, _)| name.contains(UPDATE))
		.map(|(name, view)| {
			let size = match narrow && !name.contains("lora_embedding") {
				true => 2,
				false => 4,
			};
			view.shape().iter().product::<usize>() * size
		})
		.sum()
}

impl LoraWeights {
	/// The update of one site; of the head, whatever the layer. Empty for a set: ask its [`Self::members`].
	pub fn site(&self, layer: usize, site: Site) -> &SiteWeights {
		match site {
			Site::Head => &self.head,
			_ => &self.layers[layer][site as usize],
		}
	}

	/// The update of the input embedding.
	pub fn embedding(&self) -> Option<&EmbeddingWeights> {
		self.embedding.as_ref()
	}

	/// Whether any of its modules uses DoRA.
	pub fn is_dora(&self) -> bool {
		self.gained
	}

	/// The adapters of a set with their factors; empty for a single adapter.
	pub fn members(&self) -> &[(Arc<LoraWeights>, f32)] {
		&self.members
	}

	/// Adapters whose updates are added to each other, each times its factor. The weights are shared, not copied; a
	/// member that is a set itself adds nothing.
	pub fn set(members: Vec<(Arc<LoraWeights>, f32)>) -> Self {
		Self {
			layers: Vec::new(),
			head: SiteWeights::default(),
			embedding: None,
			gained: members.iter().any(|(member, _)| member.gained),
			bytes: members.iter().map(|(member, _)| member.bytes).sum(),
			members,
		}
	}

	/// Bytes of memory the weights take; of a set, those of its members.
	pub fn bytes(&self) -> usize {
		self.bytes
	}

	/// Bytes of memory an adapter file will take, from its header alone.
	///
	/// # Errors
	/// [`AdapterError::Malformed`].
	pub fn needed(weights: &[u8]) -> Result<usize, AdapterError> {
		Ok(bytes_of(&open(weights)?))
	}

	/// Checks everything about an adapter but its values, and returns the bytes of memory it will take. Allocates no
	/// more than the file's header.
	///
	/// # Errors
	/// [`AdapterError`]; see its variants.
	pub fn examine(
		config: &AdapterConfig,
		weights: &[u8],
		base: &ModelConfig,
	) -> Result<usize, AdapterError> {
		let file = open(weights)?;
		survey(config, &file, base)?;
		Ok(bytes_of(&file))
	}

	/// Reads an adapter for the model of `base`, without the model's weights: what needs them (DoRA, and files with
	/// copies of the embedding) is refused. [`Self::load`] reads those too.
	///
	/// # Errors
	/// [`AdapterError`]; see its variants.
	pub fn parse(
		config: &AdapterConfig,
		weights: &[u8],
		base: &ModelConfig,
	) -> Result<Self, AdapterError> {
		Self::load(config, weights, base, None)
	}

	/// Reads an adapter for the model of `base`, whose weights are `rows`; without them as [`Self::parse`].
	///
	/// # Errors
	/// [`AdapterError`]; see its variants.
	pub fn load(
		config: &AdapterConfig,
		weights: &[u8],
		base: &ModelConfig,
		rows: Option<&dyn BaseRows>,
	) -> Result<Self, AdapterError> {
		Self::load_between(config, weights, base, rows, &|| {})
	}

	/// [`Self::load`], calling `between` between matrices.
	pub(crate) fn load_between(
		config: &AdapterConfig,
		weights: &[u8],
		base: &ModelConfig,
		rows: Option<&dyn BaseRows>,
		between: &dyn Fn(),
	) -> Result<Self, AdapterError> {
		let file = open(weights)?;
		let mut survey = survey(config, &file, base)?;
		for (module, copy) in &survey.copies {
			check_copy(*module, copy, base, rows)?;
		}
		let narrow = narrow(&file);
		let mut bytes = 0;
		let embedding = survey
			.modules
			.remove(&Module::Embedding)
			.map(|parts| embedding(config, &parts, base))
			.transpose()?;
		if let Some(update) = &embedding {
			bytes += (update.a.len() + update.b.len()) * 4;
		}
		let mut read: HashMap<Module, (LoraStore, SliceWeights)> = HashMap::new();
		for (module, parts) in &survey.modules {
			let Linear {
				a,
				b,
				gain,
				rank,
				scale,
			} = linear(config, *module, parts, rows, narrow)?;
			let slice = SliceWeights {
				first: 0,
				rank,
				column: 0,
				width: module.shape(base).1,
				b,
				scale,
				gain,
			};
			bytes += slice.b.bytes() + slice.gain.len() * 4;
			read.insert(*module, (a, slice));
			between();
		}
		let mut site = |modules: &[Module]| {
			let mut site = SiteWeights::default();
			let mut all = Vec::with_capacity(modules.len());
			let (mut first, mut column) = (0, 0);
			for module in modules {
				let (_, width) = module.shape(base);
				if let Some((a, mut slice)) = read.remove(module) {
					all.push(a);
					(slice.first, slice.column) = (first, column);
					first += slice.rank;
					site.slices.push(slice);
				}
				column += width;
			}
			site.a = stacked(all);
			bytes += site.a.bytes();
			between();
			site
		};
		let layers = (0..base.layers)
			.map(|layer| {
				let of = |names: &[usize]| -> Vec<Module> {
					names
						.iter()
						.map(|i| Module::Linear(layer, SITES[*i].0, SITES[*i].1))
						.collect()
				};
				[
					site(&of(&[0, 1, 2])),
					site(&of(&[3])),
					site(&of(&[4, 5])),
					site(&of(&[6])),
				]
			})
			.collect();
		let head = site(&[Module::Head]);
		Ok(Self {
			layers,
			head,
			embedding,
			gained: config.dora,
			members: Vec::new(),
			bytes,
		})
	}
}

/// One below the other. All parts of an adapter have one type.
fn stacked(mut parts: Vec<LoraStore>) -> LoraStore {
	if parts.len() == 1 {
		return parts.remove(0);
	}
	let len: usize = parts.iter().map(|part| part.values().len()).sum();
	let (mut wide, mut narrow) = (Vec::new(), Vec::new());
	for part in &parts {
		match part {
			LoraStore::F32(part) => {
				wide.reserve_exact(len - wide.len());
				wide.extend_from_slice(part);
			}
			LoraStore::Bf16(part) => {
				narrow.reserve_exact(len - narrow.len());
				narrow.extend_from_slice(part);
			}
		}
	}
	match narrow.is_empty() {
		true => LoraStore::F32(wide),
		false => LoraStore::Bf16(narrow),
	}
}

fn open(weights: &[u8]) -> Result<SafeTensors<'_>, AdapterError> {
	let header = weights.first_chunk::<8>().map(|h| u64::from_le_bytes(*h));
	if let Some(bytes) = header.filter(|bytes| *bytes > MAX_HEADER) {
		return Err(AdapterError::Malformed(format!(
			"its header claims {bytes} bytes, the limit is {MAX_HEADER}"
		)));
	}
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

/// What a tensor's name says it is; `None` for a name this engine does not know.
fn named(name: &str) -> Option<(usize, Module, Option<Part>)> {
	let rest = name.strip_prefix("base_model.model.")?;
	let (layer, path, part) = match rest.strip_prefix("model.layers.") {
		Some(rest) => {
			let (layer, rest) = rest.split_once('.')?;
			let (path, part) = rest.split_once(".lora_")?;
			(Some(layer.parse::<usize>().ok()?), path, Some(part))
		}
		None => match rest.split_once(".lora_") {
			Some((path, part)) => (None, path, Some(part)),
			None => {
				let path = rest.strip_suffix(".weight")?;
				let path = path.strip_suffix(".base_layer").unwrap_or(path);
				(None, path, None)
			}
		},
	};
	let module = match layer {
		Some(layer) => SITES
			.into_iter()
			.find(|(block, module)| path.split_once('.') == Some((block, module)))
			.map(|(block, module)| Module::Linear(layer, block, module))?,
		None if path == EMBEDDING => Module::Embedding,
		None if path == HEAD => Module::Head,
		None => return None,
	};
	let part = part
		.map(|part| {
			// Older releases leave the adapter's name in.
			let part = part.strip_suffix(".weight").unwrap_or(part);
			let part = part.strip_suffix(".default").unwrap_or(part);
			Some(match (module, part) {
				(Module::Embedding, "embedding_A") => Part::A,
				(Module::Embedding, "embedding_B") => Part::B,
				(Module::Embedding, _) => return None,
				(_, "A") => Part::A,
				(_, "B") => Part::B,
				(_, "magnitude_vector") => Part::Magnitude,
				_ => return None,
			})
		})
		.map_or(Some(None), |part| part.map(Some))?;
	Some((layer.unwrap_or(0), module, part))
}

/// Checks names, types and shapes against the configuration and the base model.
fn survey<'a>(
	config: &AdapterConfig,
	file: &'a SafeTensors<'a>,
	base: &ModelConfig,
) -> Result<Survey<'a>, AdapterError> {
	let mut modules: BTreeMap<Module, Parts> = BTreeMap::new();
	let mut copies = Vec::new();
	for (name, view) in file.iter() {
		let (layer, module, part) = named(name).ok_or_else(|| {
			AdapterError::unsupported(
				format!("tensor {name}"),
				"only LoRA and DoRA weights of linear layers, lm_head and embed_tokens are served",
			)
		})?;
		if layer >= base.layers {
			return Err(AdapterError::ForAnotherBase(format!(
				"it has a layer {layer}, the base has {} layers",
				base.layers
			)));
		}
		if !matches!(view.dtype(), Dtype::F32 | Dtype::F16 | Dtype::BF16) {
			return Err(AdapterError::unsupported(
				format!("type {:?} of {name}", view.dtype()),
				"save the adapter in f32, f16 or bf16",
			));
		}
		let found = Found {
			name: name.to_string(),
			view,
		};
		let Some(part) = part else {
			copies.push((module, found));
			continue;
		};
		if part == Part::Magnitude && !config.dora {
			return Err(AdapterError::BadConfig(format!(
				"{name} is a DoRA weight, but use_dora is not set"
			)));
		}
		let slot = &mut modules.entry(module).or_default().0[part as usize];
		if slot.replace(found).is_some() {
			return Err(AdapterError::Malformed(format!("{name} occurs twice")));
		}
	}
	if modules.is_empty() {
		return Err(AdapterError::MissingTensor("(every one of them)".into()));
	}
	let mut seen = HashSet::new();
	for (module, parts) in &modules {
		let path = module.path();
		if !config.aims_at(&path) {
			return Err(AdapterError::BadConfig(format!(
				"{path} has weights but is not among target_modules"
			)));
		}
		seen.insert(module.name());
		check_shapes(config, *module, parts, base)?;
	}
	for target in config.targets.iter().flatten() {
		let name = target.rsplit('.').next().unwrap_or(target);
		if target == "all-linear" || seen.contains(name) {
			continue;
		}
		let known = base.site_shape(name).is_some() || matches!(name, HEAD | "embed_tokens");
		return Err(if known {
			AdapterError::MissingTensor(format!("of target module {target}"))
		} else {
			AdapterError::unsupported(
				format!("target module {target}"),
				"the linear layers of attention and feed-forward, lm_head and embed_tokens are served",
			)
		});
	}
	Ok(Survey { modules, copies })
}

/// Checks that a module has its tensors, of the right shapes.
fn check_shapes(
	config: &AdapterConfig,
	module: Module,
	parts: &Parts,
	base: &ModelConfig,
) -> Result<(), AdapterError> {
	let path = module.path();
	let (input, output) = module.shape(base);
	let rank = config.rank(&path);
	if config.dora && module == Module::Embedding {
		return Err(AdapterError::unsupported(
			"use_dora on embed_tokens",
			"train embed_tokens with LoRA, or without it",
		));
	}
	let names = match module {
		Module::Embedding => ["lora_embedding_A", "lora_embedding_B", ""],
		_ => ["lora_A.weight", "lora_B.weight", "lora_magnitude_vector"],
	};
	for (index, found) in parts.0.iter().enumerate() {
		let Some(found) = found else {
			if index < Part::Magnitude as usize || config.dora {
				return Err(AdapterError::MissingTensor(format!(
					"{path}.{}",
					names[index]
				)));
			}
			continue;
		};
		let (name, shape) = (&found.name, found.view.shape());
		if index == Part::Magnitude as usize {
			if shape != [output] {
				return Err(AdapterError::ForAnotherBase(format!(
					"{name} has shape {shape:?}, the base asks for [{output}]"
				)));
			}
			continue;
		}
		let (expected, rank_at) = match index {
			0 => ([rank, input], 0),
			_ => ([output, rank], 1),
		};
		let &[rows, columns] = shape else {
			return Err(AdapterError::Malformed(format!(
				"{name} has shape {shape:?}"
			)));
		};
		let found = [rows, columns];
		if found[1 - rank_at] != expected[1 - rank_at] {
			return Err(AdapterError::ForAnotherBase(format!(
				"{name} has shape {found:?}, the base asks for {expected:?}"
			)));
		}
		if found[rank_at] != rank {
			return Err(AdapterError::RankMismatch {
				name: name.clone(),
				expected: rank,
				found: found[rank_at],
			});
		}
	}
	Ok(())
}

impl Found<'_> {
	/// Widens the elements from `first` on into `out`.
	fn copy(&self, first: usize, out: &mut [f32]) {
		let size = match self.view.dtype() {
			Dtype::F32 => 4,
			_ => 2,
		};
		let bytes = &self.view.data()[first * size..(first + out.len()) * size];
		let half = |b: &[u8]| u16::from_le_bytes([b[0], b[1]]);
		match self.view.dtype() {
			Dtype::F32 => {
				for (o, b) in out.iter_mut().zip(bytes.chunks_exact(4)) {
					*o = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
				}
			}
			Dtype::F16 => {
				for (o, b) in out.iter_mut().zip(bytes.chunks_exact(2)) {
					*o = f16::from_bits(half(b)).to_f32();
				}
			}
			// The survey admits no fourth type.
			_ => {
				for (o, b) in out.iter_mut().zip(bytes.chunks_exact(2)) {
					*o = bf16::from_bits(half(b)).to_f32();
				}
			}
		}
	}

	fn check(&self, values: &[f32]) -> Result<(), AdapterError> {
		match all_finite(values) {
			true => Ok(()),
			false => Err(AdapterError::NotFinite(self.name.clone())),
		}
	}

	/// Rows and columns; none of a tensor that is no matrix.
	fn sides(&self) -> (usize, usize) {
		match self.view.shape() {
			&[rows, columns] => (rows, columns),
			_ => (0, 0),
		}
	}

	/// All elements, finite.
	fn values(&self) -> Result<Vec<f32>, AdapterError> {
		let mut values = vec![0.0; self.view.shape().iter().product()];
		self.copy(0, &mut values);
		self.check(&values)?;
		Ok(values)
	}

	/// All elements of a bf16 tensor, finite.
	fn narrow_values(&self) -> Result<Vec<bf16>, AdapterError> {
		let values = self.view.data().chunks_exact(2);
		let values: Vec<bf16> = values.map(|b| bf16::from_le_bytes([b[0], b[1]])).collect();
		match all_finite_narrow(&values) {
			true => Ok(values),
			false => Err(AdapterError::NotFinite(self.name.clone())),
		}
	}

	/// The transposed matrix of a bf16 tensor, finite.
	fn narrow_transposed(&self) -> Result<Vec<bf16>, AdapterError> {
		let (rows, columns) = self.sides();
		let values = self.narrow_values()?;
		let mut out = vec![bf16::ZERO; rows * columns];
		for first in (0..rows).step_by(RUN) {
			let count = RUN.min(rows - first);
			for column in 0..columns {
				let out = &mut out[column * rows + first..][..count];
				for (row, o) in out.iter_mut().enumerate() {
					*o = values[(first + row) * columns + column];
				}
			}
		}
		Ok(out)
	}

	/// The transposed matrix times `scale`, finite before and after.
	fn transposed(&self, scale: f32) -> Result<Vec<f32>, AdapterError> {
		let (rows, columns) = self.sides();
		let mut out = vec![0.0; rows * columns];
		let mut block = vec![0.0; RUN * columns];
		for first in (0..rows).step_by(RUN) {
			let count = RUN.min(rows - first);
			let block = &mut block[..count * columns];
			self.copy(first * columns, block);
			self.check(block)?;
			for column in 0..columns {
				let out = &mut out[column * rows + first..][..count];
				for (row, o) in out.iter_mut().enumerate() {
					*o = block[row * columns + column] * scale;
				}
			}
		}
		self.check(&out)?;
		Ok(out)
	}
}

/// Rows that are transposed at a time: their columns are then written in runs of whole cache lines.
const RUN: usize = 32;

fn all_finite_narrow(values: &[bf16]) -> bool {
	values
		.chunks(1024)
		.all(|chunk| chunk.iter().fold(true, |ok, v| ok & v.is_finite()))
}

fn all_finite(values: &[f32]) -> bool {
	// Without early exits inside a chunk the test becomes a few vector instructions.
	values
		.chunks(1024)
		.all(|chunk| chunk.iter().fold(true, |ok, v| ok & v.is_finite()))
}

/// A and B of a module whose shapes are checked.
fn pair<'a>(parts: &'a Parts<'_>) -> Result<(&'a Found<'a>, &'a Found<'a>), AdapterError> {
	match &parts.0 {
		[Some(a), Some(b), _] => Ok((a, b)),
		_ => Err(AdapterError::MissingTensor("A or B".into())),
	}
}

/// A linear module's update.
struct Linear {
	a: LoraStore,
	/// `B^T`.
	b: LoraStore,
	/// By how much DoRA stretches what the base computes, less 1.
	gain: Vec<f32>,
	rank: usize,
	/// Factor that is not in `b` already.
	scale: f32,
}

/// Reads a linear module's update; in bf16 if `narrow`, which the file then is.
fn linear(
	config: &AdapterConfig,
	module: Module,
	parts: &Parts,
	rows: Option<&dyn BaseRows>,
	narrow: bool,
) -> Result<Linear, AdapterError> {
	let path = module.path();
	let rank = config.rank(&path);
	let (a_tensor, b_tensor) = pair(parts)?;
	// Transposed so that one row of x becomes a few long multiply-adds instead of many short dot products.
	let scale = config.scale(&path);
	let Some(magnitude) = &parts.0[Part::Magnitude as usize] else {
		// As stored, so that bf16 stays exact; the scale is applied to what `A` makes of the input.
		let (a, b, finite);
		if narrow {
			let values = b_tensor.narrow_transposed()?;
			finite = values.iter().all(|v| (v.to_f32() * scale).is_finite());
			(a, b) = (
				LoraStore::Bf16(a_tensor.narrow_values()?),
				LoraStore::Bf16(values),
			);
		} else {
			let values = b_tensor.transposed(1.0)?;
			finite = values.iter().all(|v| (v * scale).is_finite());
			(a, b) = (a_tensor.values()?.into(), values.into());
		}
		if !finite {
			return Err(AdapterError::NotFinite(b_tensor.name.clone()));
		}
		return Ok(Linear {
			a,
			b,
			gain: Vec::new(),
			rank,
			scale,
		});
	};
	let a = a_tensor.values()?;
	let mut b = b_tensor.transposed(scale)?;
	let rows = rows.ok_or_else(|| {
		AdapterError::unsupported("use_dora without the base weights", "load it in an engine")
	})?;
	let (layer, name) = match module {
		Module::Linear(layer, _, name) => (layer, name),
		_ => (0, HEAD),
	};
	let mut gain = magnitude.values()?;
	dora::stretch(rows, layer, name, &a, &mut b, rank, &mut gain)
		.map_err(|row| AdapterError::NotFinite(format!("{} at row {row}", magnitude.name)))?;
	Ok(Linear {
		a: a.into(),
		b: b.into(),
		gain,
		rank,
		scale: 1.0,
	})
}

fn embedding(
	config: &AdapterConfig,
	parts: &Parts,
	base: &ModelConfig,
) -> Result<EmbeddingWeights, AdapterError> {
	let (a, b) = pair(parts)?;
	let rank = config.rank(EMBEDDING);
	let update = EmbeddingWeights {
		rank,
		a: a.transposed(1.0)?,
		b: b.transposed(config.scale(EMBEDDING))?,
	};
	debug_assert_eq!(update.a.len(), rank * base.vocab_size);
	Ok(update)
}

/// PEFT adds the embedding and the output matrix themselves to adapters that target them. They are not trained, so
/// what is there must be what the base has, up to its quantisation.
fn check_copy(
	module: Module,
	copy: &Found<'_>,
	base: &ModelConfig,
	rows: Option<&dyn BaseRows>,
) -> Result<(), AdapterError> {
	let (expected, name) = match module {
		Module::Embedding => ([base.vocab_size, base.hidden_size], "embed_tokens"),
		_ => ([base.vocab_size, base.hidden_size], HEAD),
	};
	let refused = |why: &str| {
		AdapterError::unsupported(
			format!("{} {why}", copy.name),
			"save the adapter with save_embedding_layers=False and without a changed vocabulary",
		)
	};
	if copy.view.shape() != expected {
		return Err(refused("of another shape than the base's"));
	}
	let Some(rows) = rows else {
		return Err(refused("without the base weights to compare it with"));
	};
	let (mut theirs, mut ours) = (vec![0.0; expected[1]], vec![0.0; expected[1]]);
	for row in 0..expected[0] {
		copy.copy(row * expected[1], &mut theirs);
		copy.check(&theirs)?;
		rows.row(0, name, row, &mut ours);
		let square = |values: &mut dyn Iterator<Item = f32>| -> f64 {
			values.map(|v| f64::from(v) * f64::from(v)).sum()
		};
		let length = square(&mut ours.iter().copied());
		let apart = square(&mut ours.iter().zip(&theirs).map(|(a, b)| a - b));
		if apart > length / 64.0 + 1e-12 {
			return Err(refused("with other values than the base's"));
		}
	}
	Ok(())
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn patterns_should_match_as_peft_matches_them() {
		let hits = |key: &str, path: &str| {
			Pattern::parse(key, "rank_pattern")
				.unwrap_or_else(|e| panic!("{e}"))
				.hits(path)
		};
		let path = "model.layers.11.self_attn.q_proj";
		assert!(hits("q_proj", path) && hits("self_attn.q_proj", path) && hits(path, path));
		assert!(!hits("_proj", path) && !hits("1.self_attn.q_proj", path));
		assert!(!hits("^q_proj", path) && hits("^model.layers.11.self_attn.q_proj$", path));
		assert!(hits(r"layers\.1[0-3]\..*q_proj", path) && !hits(r"layers\.[0-3]\..*q_proj", path));
		assert!(hits("(q|v)_proj", path) && !hits("(k|v)_proj", path));
		assert!(hits(r"^model\.layers\.\d+\.self_attn\.q_proj", path));
		assert!(!hits(r"^layers\.\d+\.self_attn\.q_proj", path));
		for key in ["(?=x)q_proj", "(a", "(x{1000}){1000}"] {
			let refused = Pattern::parse(key, "rank_pattern").map(|_| ());
			let code = refused.map_err(|error| error.code());
			assert_eq!(code, Err("adapter-unsupported"), "{key}");
		}
	}

	#[test]
	fn the_first_pattern_of_the_file_should_count() {
		let config = |patterns: &str| {
			let text = format!(
				r#"{{"peft_type":"LORA","r":4,"lora_alpha":8,"target_modules":["q_proj"],"rank_pattern":{patterns}}}"#
			);
			AdapterConfig::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{e}"))
		};
		let path = "model.layers.0.self_attn.q_proj";
		assert_eq!(config(r#"{"q_proj": 2, "layers.0.*": 3}"#).rank(path), 2);
		assert_eq!(config(r#"{"layers.0.*": 3, "q_proj": 2}"#).rank(path), 3);
		assert_eq!(config("null").rank(path), 4);
	}

	#[test]
	fn names_should_be_read_in_every_spelling_of_peft() {
		let part = |name: &str| named(name).and_then(|(_, _, part)| part);
		let prefix = "base_model.model.model.layers.3.mlp.up_proj.lora_";
		for (end, expected) in [
			("A.weight", Some(Part::A)),
			("B.default.weight", Some(Part::B)),
			("magnitude_vector", Some(Part::Magnitude)),
			("magnitude_vector.default.weight", Some(Part::Magnitude)),
			("C.weight", None),
			("B.bias", None),
		] {
			assert_eq!(part(&format!("{prefix}{end}")), expected, "{end}");
		}
		let embedding = "base_model.model.model.embed_tokens";
		assert_eq!(
			part(&format!("{embedding}.lora_embedding_A")),
			Some(Part::A)
		);
		assert_eq!(part(&format!("{embedding}.lora_A.weight")), None);
		assert_eq!(
			part("base_model.model.lm_head.lora_B.weight"),
			Some(Part::B)
		);
		let copy = named(&format!("{embedding}.base_layer.weight"));
		assert_eq!(copy, Some((0, Module::Embedding, None)));
		for name in [
			"model.layers.0.mlp.up_proj.lora_A.weight",
			"base_model.model.model.layers.-1.mlp.up_proj.lora_A.weight",
			"base_model.model.model.layers.0.mlp.up_proj.weight",
			"base_model.model.model.norm.weight",
			"base_model.model.../../x.lora_A.weight",
		] {
			assert_eq!(named(name), None, "{name}");
		}
	}
}
