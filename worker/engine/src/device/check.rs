//! A look at a device before it is trusted with a model: how fast it moves bytes, and whether it computes what the
//! processor does.

use std::{collections::BTreeMap, sync::Arc};

use half::bf16;
use openledger_kernels::{
	device::{
		conformance::{self, Extent},
		Copy, Device, DeviceError, Stream,
	},
	Values,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::{tensor::TensorView, Dtype};

use super::{DeviceBackend, DeviceSettings};
use crate::{
	adapter::{AdapterConfig, LoraWeights},
	backend::{Backend, BatchItem},
	config::{ModelConfig, RopeScaling},
	cpu::CpuBackend,
	error::{AdapterError, EngineError},
	store::AdapterFiles,
	weights::{ModelWeights, Tensor},
	SITES,
};

/// Largest difference of logits from the processor's, over the largest logit, that bf16 explains.
pub const TOLERANCE: f64 = 4e-2;

/// How fast bytes move, in bytes per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speeds {
	/// From pinned host memory to the device.
	pub to_device: f64,
	/// Back.
	pub from_device: f64,
	/// Within the device: bytes read and written by a copy.
	pub inside: f64,
}

/// Measures a device that nothing else uses, with blocks of up to `bytes` bytes; the best of a few.
///
/// # Errors
/// [`DeviceError`].
pub fn speeds(device: &dyn Device, bytes: usize) -> Result<Speeds, DeviceError> {
	const TURNS: usize = 5;
	let arena = device.arena();
	let bytes = (arena.bytes / 2).min(bytes) / 256 * 256;
	let memory = device.pinned(bytes)?;
	let (begin, end) = (device.event()?, device.event()?);
	let timed = |work: &dyn Fn() -> Result<(), DeviceError>| -> Result<f64, DeviceError> {
		let mut best = f64::INFINITY;
		for _ in 0..TURNS {
			device.record(Stream::Compute, begin)?;
			work()?;
			device.record(Stream::Compute, end)?;
			device.finish(end)?;
			best = best.min(device.seconds(begin, end)?);
		}
		Ok(best.max(1e-9))
	};
	let start = arena.start;
	let copy = Copy {
		from: start,
		to: start.at(bytes),
		bytes,
	};
	Ok(Speeds {
		to_device: bytes as f64
			/ timed(&|| device.copy_in(Stream::Compute, start, &memory, 0, bytes))?,
		from_device: bytes as f64
			/ timed(&|| device.copy_out(Stream::Compute, &memory, 0, start, bytes))?,
		inside: 2.0 * bytes as f64 / timed(&|| device.launch(Stream::Compute, &copy.into()))?,
	})
}

/// A small Llama with the head width of large ones.
pub(super) fn shape() -> ModelConfig {
	ModelConfig {
		architecture: "qwen3".into(),
		hidden_size: 256,
		intermediate_size: 512,
		layers: 2,
		heads: 8,
		kv_heads: 2,
		head_dim: 64,
		vocab_size: 512,
		max_context: 512,
		rope_theta: 10_000.0,
		rope_scaling: RopeScaling::None,
		rms_eps: 1e-5,
		tied_embeddings: true,
		qkv_bias: true,
		qk_norm: true,
		unrotated: Vec::new(),
		eos: Vec::new(),
		bos: None,
	}
}

/// Random bf16 weights of a model.
pub fn random_weights(config: &ModelConfig, seed: u64) -> ModelWeights {
	let mut rng = ChaCha8Rng::seed_from_u64(seed);
	let tensors = config.tensors().into_iter().map(|(name, shape)| {
		let spread = 1.5 / (*shape.last().unwrap_or(&1) as f32).sqrt();
		let len = shape.iter().product();
		let mut values = Vec::with_capacity(len);
		for _ in 0..len {
			let value = match shape.len() {
				1 if name.ends_with("norm.weight") => rng.random_range(0.5..1.5),
				_ => rng.random_range(-spread..spread),
			};
			values.push(bf16::from_f32(value));
		}
		let data = Values::Bf16(values);
		(name, Tensor { shape, data })
	});
	ModelWeights {
		tensors: tensors.collect(),
	}
}

/// A random bf16 adapter of one rank on these modules of every layer, as PEFT would save it.
///
/// # Errors
/// [`AdapterError::Malformed`] if it cannot be written.
pub fn random_adapter(
	config: &ModelConfig,
	seed: u64,
	rank: usize,
	modules: &[&str],
) -> Result<AdapterFiles, AdapterError> {
	let mut rng = ChaCha8Rng::seed_from_u64(seed);
	let mut tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)> = BTreeMap::new();
	for layer in 0..config.layers {
		for (block, module) in SITES {
			let Some((input, output)) = config
				.site_shape(module)
				.filter(|_| modules.contains(&module))
			else {
				continue;
			};
			let prefix = format!("base_model.model.model.layers.{layer}.{block}.{module}");
			let mut take = |n: usize, spread: f32| -> Vec<u8> {
				let values = (0..n).map(|_| bf16::from_f32(rng.random_range(-spread..spread)));
				values.flat_map(|v| v.to_le_bytes()).collect()
			};
			let a = take(rank * input, 1.0 / (input as f32).sqrt());
			let b = take(output * rank, 0.1);
			tensors.insert(format!("{prefix}.lora_A.weight"), (vec![rank, input], a));
			tensors.insert(format!("{prefix}.lora_B.weight"), (vec![output, rank], b));
		}
	}
	let malformed = |e: safetensors::SafeTensorError| AdapterError::Malformed(e.to_string());
	let views = tensors
		.iter()
		.map(|(name, (shape, bytes))| {
			Ok((name, TensorView::new(Dtype::BF16, shape.clone(), bytes)?))
		})
		.collect::<Result<Vec<_>, _>>()
		.map_err(malformed)?;
	let weights = safetensors::serialize(views, None).map_err(malformed)?;
	let config = serde_json::json!({"peft_type": "LORA", "r": rank, "lora_alpha": rank,
		"bias": "none", "target_modules": modules});
	Ok(AdapterFiles {
		config: config.to_string().into_bytes(),
		weights,
	})
}

/// Runs a few shapes of every operation with fresh random inputs against f64.
///
/// # Errors
/// The operation that is wrong, and how.
pub fn kernels(device: &dyn Device) -> Result<(), String> {
	conformance::run(device, rand::random(), Extent::Small, |_| ())
		.map(|_| ())
		.map_err(|failed| failed.to_string())
}

/// Computes a small random model with adapters of several ranks on a device that nothing else uses, and on the
/// processor; the largest difference of logits over the largest logit. Every kernel of a step takes part: prompts in
/// pieces, decoding, biases, norms of heads, rotation, paged attention beyond one split, mixed ranks, graphs.
///
/// # Errors
/// [`EngineError::Backend`] from the device.
pub fn conforms(device: &Arc<dyn Device>) -> Result<f64, EngineError> {
	let config = shape();
	let weights = random_weights(&config, 1);
	let settings = DeviceSettings {
		max_context: config.max_context,
		max_rows: 64,
		max_items: 8,
		pinned_bytes: 64 << 20,
		..DeviceSettings::DEFAULT
	};
	let opened = Arc::clone(device);
	let open = Box::new(move || Ok(Arc::clone(&opened)));
	let mut tested = DeviceBackend::new(&config, weights.clone(), settings, open)?;
	let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
	let mut reference = CpuBackend::new(&config, weights, config.max_context, threads)?;
	let modules = SITES.map(|(_, module)| module);
	let adapters = [
		(0, &modules[..]),
		(4, &modules[..]),
		(16, &modules[..]),
		(40, &modules[2..4]),
	]
	.into_iter()
	.map(|(rank, modules)| {
		if rank == 0 {
			return Ok(None);
		}
		let files = random_adapter(&config, rank as u64, rank, modules)?;
		let parsed = AdapterConfig::parse(&files.config)?;
		LoraWeights::parse(&parsed, &files.weights, &config).map(|w| Some(Arc::new(w)))
	})
	.collect::<Result<Vec<_>, AdapterError>>()?;
	let mut rng = ChaCha8Rng::seed_from_u64(2);
	let mut worst = 0f64;
	let run = |backend: &mut dyn Backend, tokens: &[u32]| -> Result<Vec<f32>, EngineError> {
		let ids: Vec<_> = adapters.iter().map(|_| backend.open()).collect();
		let mut all = Vec::new();
		let mut position = 0;
		for length in [37, 1, 150, 1, 1] {
			let batch: Vec<BatchItem> = ids
				.iter()
				.zip(&adapters)
				.map(|(id, adapter)| BatchItem {
					sequence: *id,
					tokens: tokens[position..position + length].to_vec(),
					position,
					adapter: adapter.clone(),
					logits: true,
				})
				.collect();
			let mut logits = Vec::new();
			backend.step(&batch, &mut logits)?;
			all.extend(logits);
			position += length;
		}
		ids.into_iter().for_each(|id| backend.close(id));
		Ok(all)
	};
	for _ in 0..2 {
		let tokens: Vec<u32> = (0..190).map(|_| rng.random_range(0..512)).collect();
		let wanted = run(&mut reference, &tokens)?;
		let got = run(&mut tested, &tokens)?;
		let largest = wanted.iter().fold(0f64, |m, v| m.max(f64::from(v.abs())));
		for (got, wanted) in got.iter().zip(&wanted) {
			let apart = (f64::from(*got) - f64::from(*wanted)).abs() / largest;
			worst = if apart.is_nan() {
				f64::INFINITY
			} else {
				worst.max(apart)
			};
		}
	}
	Ok(worst)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
	use openledger_kernels::device::Twin;

	use super::*;

	#[test]
	fn the_twin_should_conform_and_move_bytes() {
		let device: Arc<dyn Device> = Arc::new(Twin::new(64 << 20).unwrap());
		let speeds = speeds(&*device, 1 << 20).unwrap();
		assert!(speeds.to_device > 0.0 && speeds.from_device > 0.0 && speeds.inside > 0.0);
		let worst = conforms(&device).unwrap();
		println!("{worst:.1e}");
		assert!(worst > 0.0 && worst <= TOLERANCE, "{worst:e}");
	}
}
