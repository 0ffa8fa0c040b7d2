//! The training loop.

use crate::{
	data::{held_out, samples, Sample},
	model::{Adapter, Base},
	progress::Progress,
	settings::{BadSetting, TrainSettings},
};
use candle_core::{backprop::GradStore, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use openledger_attribution::{byte_level_tokens, Index, IndexError, Snapshot, Token};
use openledger_engine::{LoadedModel, ModelError, Tokenizer};
use rand::{seq::SliceRandom, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{collections::HashMap, time::Instant};

/// Most bytes of remembered activations of the blocks that are not trained.
const MAX_REMEMBERED: usize = 1 << 30;

/// Why training stopped.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
	/// A setting is out of bounds.
	#[error(transparent)]
	Setting(#[from] BadSetting),
	/// The tokenizer or the chat template failed.
	#[error(transparent)]
	Model(#[from] ModelError),
	/// The arithmetic failed: a tensor is missing or has a wrong shape.
	#[error(transparent)]
	Compute(#[from] candle_core::Error),
	/// The attribution index could not be built.
	#[error(transparent)]
	Index(#[from] IndexError),
	/// No record is short enough to leave room for an answer.
	#[error(
		"no record to train on: each fills max_tokens with its question alone, or all are held out"
	)]
	NoSamples,
	/// The loss is no number.
	#[error("the loss became {loss} at step {step}: lower the learning rate")]
	Diverged {
		/// The step, from 1.
		step: usize,
		/// The loss.
		loss: f32,
	},
	/// A file could not be written.
	#[error("{path}: {source}")]
	Io {
		/// The file or folder.
		path: std::path::PathBuf,
		/// What the system said.
		source: std::io::Error,
	},
	/// The adapter could not be put into safetensors.
	#[error("the adapter could not be written: {0}")]
	Safetensors(String),
}

/// An adapter and how it came about.
pub struct Trained {
	/// The matrices.
	pub adapter: Adapter,
	/// The settings.
	pub settings: TrainSettings,
	/// Mean loss of each step's tokens, in nats.
	pub losses: Vec<f32>,
	/// Mean loss per token of the held-out records, before and after, if any were held out.
	pub held_out: Option<(f32, f32)>,
	/// Number of records trained on, and held out.
	pub records: (usize, usize),
	/// The attribution index over all records of the snapshots.
	pub index: Index,
	/// Content hash of the base model's weights.
	pub base_weights: [u8; 32],
	/// Content hash of its tokenizer.
	pub base_tokenizer: [u8; 32],
}

/// Splits a text with the model's tokenizer for the attribution index; no tokens if the tokenizer
/// cannot represent the text byte by byte.
pub fn tokenize(tokenizer: &Tokenizer, text: &str) -> Vec<Token> {
	let ids = tokenizer.encode(text).unwrap_or_default();
	byte_level_tokens(text, &ids, &|id| tokenizer.id_to_token(id)).unwrap_or_default()
}

/// The attribution index of an adapter trained on `snapshots`.
///
/// # Errors
/// As [`Index::build`].
pub fn index_of(model: &LoadedModel, snapshots: &[Snapshot]) -> Result<Index, IndexError> {
	Index::build(snapshots, &|text| tokenize(&model.tokenizer, text))
}

/// The blocks below the first trained one, remembered per sample.
struct Trunk<'a> {
	base: &'a Base,
	first: usize,
	known: HashMap<(usize, usize), Tensor>,
	bytes: usize,
}

impl Trunk<'_> {
	fn get(&mut self, key: (usize, usize), sample: &Sample) -> candle_core::Result<Tensor> {
		if let Some(known) = self.known.get(&key) {
			return Ok(known.clone());
		}
		let embedded = self.base.embed(&sample.tokens)?;
		let lengths = [sample.tokens.len()];
		let x = self
			.base
			.blocks(embedded, &lengths, 0..self.first, &Adapter::none())?;
		let bytes = x.elem_count() * 4;
		if self.first > 0 && self.bytes + bytes <= MAX_REMEMBERED {
			self.bytes += bytes;
			self.known.insert(key, x.clone());
		}
		Ok(x)
	}
}

/// Sum of the losses of `samples`, and how many tokens they are of.
fn batch_loss(
	trunk: &mut Trunk,
	adapter: &Adapter,
	samples: &[((usize, usize), &Sample)],
) -> candle_core::Result<(Tensor, usize)> {
	let (mut rows, mut targets) = (Vec::new(), Vec::new());
	let (mut parts, mut lengths) = (Vec::new(), Vec::new());
	let mut start = 0u32;
	for (key, sample) in samples {
		parts.push(trunk.get(*key, sample)?);
		lengths.push(sample.tokens.len());
		let (at, next) = sample.targets();
		rows.extend(at.into_iter().map(|row| row + start));
		targets.extend(next);
		start += sample.tokens.len() as u32;
	}
	let x = match parts.as_slice() {
		[one] => one.clone(),
		_ => Tensor::cat(&parts, 0)?,
	};
	let base = trunk.base;
	let x = base.blocks(x, &lengths, trunk.first..base.layers(), adapter)?;
	Ok((base.loss(&x, &rows, &targets)?, targets.len()))
}

/// Mean loss per token of `records` (each with its samples), asked in the first way.
fn evaluate(
	trunk: &mut Trunk,
	adapter: &Adapter,
	records: &[(usize, &Vec<Sample>)],
) -> candle_core::Result<Option<f32>> {
	let (mut sum, mut count) = (0f64, 0usize);
	for (record, samples) in records {
		if let Some(sample) = samples.first() {
			let (loss, tokens) = batch_loss(trunk, adapter, &[((*record, 0), sample)])?;
			sum += f64::from(loss.to_scalar::<f32>()?);
			count += tokens;
		}
	}
	Ok((count > 0).then(|| (sum / count as f64) as f32))
}

/// Scales the gradients so that their norm together is at most `clip`, and by `factor` before that.
fn clip(
	gradients: &mut GradStore,
	variables: &[Var],
	factor: f64,
	clip: f64,
) -> candle_core::Result<()> {
	let mut squares = 0f64;
	for variable in variables {
		if let Some(gradient) = gradients.get(variable) {
			squares += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
		}
	}
	let norm = squares.sqrt() * factor;
	let factor = factor * (clip / norm.max(1e-12)).min(1.0);
	for variable in variables {
		if let Some(gradient) = gradients.remove(variable) {
			gradients.insert(variable, (gradient * factor)?);
		}
	}
	Ok(())
}

/// Trains an adapter for `model` on the records of `snapshots`.
///
/// # Errors
/// [`TrainError`] says which setting, record or number was at fault.
pub fn train(
	model: &LoadedModel,
	snapshots: &[Snapshot],
	settings: &TrainSettings,
	progress: &mut dyn FnMut(&Progress),
) -> Result<Trained, TrainError> {
	settings.validate(model.config.layers)?;
	let index = index_of(model, snapshots)?;
	let records: Vec<&str> = index
		.snapshots()
		.iter()
		.flat_map(|snapshot| &snapshot.contributions)
		.flat_map(|contribution| contribution.records.texts())
		.map(String::as_str)
		.collect();
	let all = records
		.iter()
		.map(|record| samples(model, record, settings.max_tokens))
		.collect::<Result<Vec<_>, _>>()?;
	let held = held_out(&records, settings);
	let part = |wanted: bool| -> Vec<(usize, &Vec<Sample>)> {
		let usable = all.iter().enumerate().zip(&held);
		usable
			.filter(|((_, samples), held)| **held == wanted && !samples.is_empty())
			.map(|(sample, _)| sample)
			.collect()
	};
	let (learned, tested) = (part(false), part(true));
	if learned.is_empty() {
		return Err(TrainError::NoSamples);
	}

	let base = Base::new(&model.config, &model.weights, settings.max_tokens)?;
	let adapter = Adapter::new(&model.config, settings)?;
	let first = adapter.first(base.layers());
	let mut trunk = Trunk {
		base: &base,
		first,
		known: HashMap::new(),
		bytes: 0,
	};
	let variables = adapter.variables();
	let parameters = ParamsAdamW {
		lr: settings.learning_rate,
		weight_decay: settings.weight_decay,
		..ParamsAdamW::default()
	};
	let mut optimiser = AdamW::new(variables.clone(), parameters)?;
	// Another stream than the one of the initial matrices.
	let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
	random.set_stream(1);

	let before = evaluate(&mut trunk, &adapter, &tested)?;
	let mut losses = Vec::with_capacity(settings.steps);
	let mut queue: Vec<usize> = Vec::new();
	let mut turns = vec![0usize; learned.len()];
	let (started, mut read) = (Instant::now(), 0usize);
	for step in 0..settings.steps {
		let mut batch = Vec::with_capacity(settings.batch);
		while batch.len() < settings.batch {
			let Some(at) = queue.pop() else {
				queue = (0..learned.len()).collect();
				queue.shuffle(&mut random);
				continue;
			};
			let (record, samples) = learned[at];
			// Each record begins with another way of asking, so that an epoch has all of them.
			let way = (turns[at] + at) % samples.len();
			turns[at] += 1;
			read += samples[way].tokens.len();
			batch.push(((record, way), &samples[way]));
		}
		let (sum, tokens) = batch_loss(&mut trunk, &adapter, &batch)?;
		let loss = sum.to_scalar::<f32>()? / tokens as f32;
		if !loss.is_finite() {
			return Err(TrainError::Diverged {
				step: step + 1,
				loss,
			});
		}
		let mut gradients = sum.backward()?;
		clip(
			&mut gradients,
			&variables,
			1.0 / tokens as f64,
			settings.clip,
		)?;
		optimiser.set_learning_rate(settings.rate(step));
		optimiser.step(&gradients)?;
		losses.push(loss);
		progress(&Progress {
			step: step + 1,
			steps: settings.steps,
			loss,
			tokens_per_second: read as f64 / started.elapsed().as_secs_f64().max(1e-9),
		});
	}
	let after = evaluate(&mut trunk, &adapter, &tested)?;
	Ok(Trained {
		adapter,
		settings: settings.clone(),
		losses,
		held_out: before.zip(after),
		records: (learned.len(), tested.len()),
		index,
		base_weights: model.weights_hash,
		base_tokenizer: model.tokenizer_hash,
	})
}
