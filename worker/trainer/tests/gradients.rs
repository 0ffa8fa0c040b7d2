//! The gradients of the LoRA matrices against finite differences, and that they train.
#![allow(clippy::unwrap_used)]

use openledger_engine::{
	backend::{Backend, BatchItem},
	cpu::CpuBackend,
	ModelConfig, ModelWeights, RopeScaling, Tensor,
};
use openledger_trainer::{
	model::{Adapter, Base},
	TrainSettings, TARGETS,
};

fn config(tied: bool, biased: bool) -> ModelConfig {
	ModelConfig {
		architecture: if biased { "qwen2" } else { "llama" }.into(),
		hidden_size: 16,
		intermediate_size: 24,
		layers: 3,
		heads: 4,
		kv_heads: 2,
		head_dim: 4,
		vocab_size: 40,
		max_context: 64,
		rope_theta: 10_000.0,
		rope_scaling: RopeScaling::None,
		rms_eps: 1e-5,
		tied_embeddings: tied,
		qkv_bias: biased,
		qk_norm: false,
		unrotated: Vec::new(),
		eos: vec![0],
		bos: None,
	}
}

struct Noise(u64);

impl Noise {
	fn next(&mut self) -> f32 {
		self.0 = self
			.0
			.wrapping_mul(6364136223846793005)
			.wrapping_add(1442695040888963407);
		(self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
	}
}

fn weights(config: &ModelConfig) -> ModelWeights {
	let mut noise = Noise(7);
	let tensors = config
		.tensors()
		.into_iter()
		.map(|(name, shape)| {
			let count = shape.iter().product();
			let about = if name.contains("norm") { 1.0 } else { 0.0 };
			let data: Vec<f32> = (0..count).map(|_| about + 0.4 * noise.next()).collect();
			let data = data.into();
			(name, Tensor { shape, data })
		})
		.collect();
	ModelWeights { tensors }
}

fn settings() -> TrainSettings {
	TrainSettings {
		rank: 3,
		alpha: 6.0,
		targets: TARGETS.map(str::to_string).to_vec(),
		..TrainSettings::default()
	}
}

/// An adapter whose `B` is not zero either, as it would be before the first step.
fn adapter(config: &ModelConfig, settings: &TrainSettings) -> Adapter {
	let adapter = Adapter::new(config, settings).unwrap();
	let mut noise = Noise(3);
	for (_, b) in adapter.sites.values() {
		let values: Vec<f32> = (0..b.as_tensor().elem_count())
			.map(|_| 0.3 * noise.next())
			.collect();
		set(b, &values);
	}
	adapter
}

fn set(var: &candle_core::Var, values: &[f32]) {
	let shape = var.as_tensor().shape().clone();
	var.set(&candle_core::Tensor::from_slice(values, shape, &candle_core::Device::Cpu).unwrap())
		.unwrap();
}

const FIRST: [u32; 7] = [3, 17, 9, 22, 5, 38, 1];
const SECOND: [u32; 5] = [30, 2, 2, 11, 0];

/// The loss of the last tokens of two sequences side by side.
fn loss(base: &Base, adapter: &Adapter) -> candle_core::Tensor {
	let first = adapter.first(base.layers());
	let none = Adapter::none();
	let trunk = |tokens: &[u32]| {
		base.blocks(
			base.embed(tokens).unwrap(),
			&[tokens.len()],
			0..first,
			&none,
		)
		.unwrap()
	};
	let x = candle_core::Tensor::cat(&[trunk(&FIRST), trunk(&SECOND)], 0).unwrap();
	let x = base
		.blocks(x, &[7, 5], first..base.layers(), adapter)
		.unwrap();
	base.loss(&x, &[3, 4, 5, 8, 9, 10], &[5, 38, 1, 2, 11, 0])
		.unwrap()
}

fn scalar(tensor: &candle_core::Tensor) -> f64 {
	f64::from(tensor.to_scalar::<f32>().unwrap())
}

#[test]
fn gradients_should_agree_with_finite_differences() {
	for (tied, biased, layers) in [
		(true, false, None),
		(false, true, None),
		(true, false, Some(2)),
	] {
		let config = config(tied, biased);
		let base = Base::new(&config, &weights(&config), 16).unwrap();
		let adapter = adapter(
			&config,
			&TrainSettings {
				layers,
				..settings()
			},
		);
		let gradients = loss(&base, &adapter).backward().unwrap();
		for ((layer, module), pair) in &adapter.sites {
			for (side, var) in [("A", &pair.0), ("B", &pair.1)] {
				let gradient = gradients.get(var).unwrap().flatten_all().unwrap();
				let gradient = gradient.to_vec1::<f32>().unwrap();
				let values = var
					.as_tensor()
					.flatten_all()
					.unwrap()
					.to_vec1::<f32>()
					.unwrap();
				for at in [0, values.len() / 2, values.len() - 1] {
					let shifted = |by: f32| {
						let mut values = values.clone();
						values[at] += by;
						set(var, &values);
						scalar(&loss(&base, &adapter))
					};
					let slope = (shifted(4e-3) - shifted(-4e-3)) / 8e-3;
					set(var, &values);
					let found = f64::from(gradient[at]);
					let error = (slope - found).abs() / (slope.abs() + found.abs()).max(0.1);
					assert!(
						error < 2e-2,
						"block {layer} {module} {side}[{at}]: {found} but differences give {slope}"
					);
				}
			}
		}
	}
}

#[test]
fn sequences_side_by_side_should_not_see_each_other() {
	let config = config(true, false);
	let base = Base::new(&config, &weights(&config), 16).unwrap();
	let adapter = adapter(&config, &settings());
	let alone = |tokens: &[u32], rows: &[u32], targets: &[u32]| {
		let x = base.embed(tokens).unwrap();
		let x = base.blocks(x, &[tokens.len()], 0..3, &adapter).unwrap();
		scalar(&base.loss(&x, rows, targets).unwrap())
	};
	let sum = alone(&FIRST, &[3, 4, 5], &[5, 38, 1]) + alone(&SECOND, &[1, 2, 3], &[2, 11, 0]);
	assert!((sum - scalar(&loss(&base, &adapter))).abs() < 1e-4);
}

#[test]
fn engine_should_give_the_logits_of_the_trainer() {
	for (tied, biased) in [(true, false), (false, true)] {
		let config = config(tied, biased);
		let weights = weights(&config);
		let base = Base::new(&config, &weights, 16).unwrap();
		let expected = base.logits(&FIRST, &Adapter::none()).unwrap();
		let mut engine = CpuBackend::new(&config, weights, 16, 1).unwrap();
		let sequence = engine.open();
		let item = BatchItem {
			sequence,
			tokens: FIRST.to_vec(),
			position: 0,
			adapter: None,
			logits: true,
		};
		let mut logits = Vec::new();
		engine.step(&[item], &mut logits).unwrap();
		for (a, b) in expected.iter().zip(&logits) {
			assert!((a - b).abs() < 1e-4, "{a} {b}");
		}
	}
}
