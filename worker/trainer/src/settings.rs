//! What a builder chooses.

use serde::{Deserialize, Serialize};

/// The modules an adapter may change, by their PEFT names.
pub const TARGETS: [&str; 7] = [
	"q_proj",
	"k_proj",
	"v_proj",
	"o_proj",
	"gate_proj",
	"up_proj",
	"down_proj",
];

/// How to train. [`Default`] gives settings that suit a small model and some dozens of records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainSettings {
	/// Name of the base model, for `adapter_config.json`.
	pub base: String,
	/// Rank of the update, from 1 to 256.
	pub rank: usize,
	/// The update is scaled by `alpha / rank`.
	pub alpha: f64,
	/// The modules to change: a part of [`TARGETS`].
	pub targets: Vec<String>,
	/// Number of blocks to change, counted from the last; all if absent. Those below are computed only
	/// once per sample, so fewer blocks train faster.
	pub layers: Option<usize>,
	/// The highest learning rate.
	pub learning_rate: f64,
	/// Part of the steps in which the rate rises from 0, from 0 to 1; then it falls along a cosine.
	pub warm_up: f64,
	/// AdamW's weight decay.
	pub weight_decay: f64,
	/// The gradient's norm is clipped to this.
	pub clip: f64,
	/// Number of steps.
	pub steps: usize,
	/// Samples per step.
	pub batch: usize,
	/// Longer samples are cut, in tokens.
	pub max_tokens: usize,
	/// Seed of the initial matrices and of the order of samples.
	pub seed: u64,
	/// One in so many records is held out, chosen by its hash; 0 holds out none.
	pub held_out: u64,
}

impl Default for TrainSettings {
	fn default() -> Self {
		Self {
			base: String::new(),
			rank: 8,
			alpha: 16.0,
			targets: ["q_proj", "v_proj", "gate_proj", "up_proj", "down_proj"]
				.map(str::to_string)
				.to_vec(),
			layers: None,
			learning_rate: 2e-3,
			warm_up: 0.06,
			weight_decay: 0.0,
			clip: 1.0,
			steps: 120,
			batch: 1,
			max_tokens: 160,
			seed: 1,
			held_out: 10,
		}
	}
}

/// A setting out of its bounds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct BadSetting {
	/// The setting.
	pub name: &'static str,
	/// What it may be.
	pub reason: &'static str,
}

impl TrainSettings {
	/// Checks every setting against its bounds; `layers` is the number of the base model's blocks.
	pub fn validate(&self, layers: usize) -> Result<(), BadSetting> {
		let check = |holds: bool, name, reason| {
			if holds {
				Ok(())
			} else {
				Err(BadSetting { name, reason })
			}
		};
		let known = self
			.targets
			.iter()
			.all(|target| TARGETS.contains(&target.as_str()));
		let distinct = self
			.targets
			.iter()
			.collect::<std::collections::BTreeSet<_>>()
			.len();
		let count = self.targets.len();
		check(
			count > 0 && known && distinct == count,
			"targets",
			"name at least one of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, each once",
		)?;
		check((1..=256).contains(&self.rank), "rank", "from 1 to 256")?;
		let alpha = self.alpha.is_finite() && self.alpha > 0.0 && self.alpha <= 1024.0;
		check(alpha, "alpha", "above 0, at most 1024")?;
		let few = self
			.layers
			.is_none_or(|count| (1..=layers).contains(&count));
		check(
			few,
			"layers",
			"from 1 to the number of the base model's blocks",
		)?;
		let rate = self.learning_rate > 0.0 && self.learning_rate <= 0.1;
		check(rate, "learning_rate", "above 0, at most 0.1")?;
		check(
			(0.0..=1.0).contains(&self.warm_up),
			"warm_up",
			"from 0 to 1",
		)?;
		check(
			(0.0..=1.0).contains(&self.weight_decay),
			"weight_decay",
			"from 0 to 1",
		)?;
		check(self.clip.is_finite() && self.clip > 0.0, "clip", "above 0")?;
		check(
			(1..=1_000_000).contains(&self.steps),
			"steps",
			"from 1 to 1000000",
		)?;
		check((1..=64).contains(&self.batch), "batch", "from 1 to 64")?;
		check(
			(8..=2048).contains(&self.max_tokens),
			"max_tokens",
			"from 8 to 2048",
		)?;
		check(
			self.held_out != 1,
			"held_out",
			"0 for none, or 2 and more: 1 would leave nothing to train on",
		)
	}

	/// The learning rate of a step, from 0.
	pub fn rate(&self, step: usize) -> f64 {
		let warm = (self.steps as f64 * self.warm_up).ceil();
		let step = step as f64;
		if step < warm {
			return self.learning_rate * (step + 1.0) / warm;
		}
		let left = (self.steps as f64 - warm).max(1.0);
		let done = (step - warm) / left;
		self.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn rate_should_rise_then_fall_to_nearly_nothing() {
		let settings = TrainSettings {
			steps: 100,
			warm_up: 0.1,
			learning_rate: 1.0,
			..TrainSettings::default()
		};
		assert!((settings.rate(0) - 0.1).abs() < 1e-9);
		assert!((settings.rate(9) - 1.0).abs() < 1e-9);
		assert!((10..99).all(|step| settings.rate(step) > settings.rate(step + 1)));
		assert!(settings.rate(99) < 0.01);
	}

	#[test]
	fn settings_out_of_bounds_should_be_refused_by_name() {
		let default = TrainSettings::default;
		default().validate(4).unwrap();
		for (name, settings) in [
			(
				"rank",
				TrainSettings {
					rank: 0,
					..default()
				},
			),
			(
				"targets",
				TrainSettings {
					targets: vec![],
					..default()
				},
			),
			(
				"targets",
				TrainSettings {
					targets: vec!["lm_head".into()],
					..default()
				},
			),
			(
				"layers",
				TrainSettings {
					layers: Some(5),
					..default()
				},
			),
			(
				"alpha",
				TrainSettings {
					alpha: f64::NAN,
					..default()
				},
			),
			(
				"learning_rate",
				TrainSettings {
					learning_rate: f64::INFINITY,
					..default()
				},
			),
			(
				"held_out",
				TrainSettings {
					held_out: 1,
					..default()
				},
			),
		] {
			assert_eq!(settings.validate(4).unwrap_err().name, name);
		}
	}
}
