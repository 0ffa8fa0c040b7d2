//! What distinguishes the families of models that are otherwise Llama.

use openledger_kernels::{rms_norm, Level};
use serde_json::Value;

use crate::error::ModelError;

/// Layers between two that do not rotate, unless a configuration says otherwise (SmolLM3).
const UNROTATED_INTERVAL: usize = 4;

/// The normalisation of each head of q and of k (Qwen3).
pub(crate) struct HeadNorms {
	pub q: Vec<f32>,
	pub k: Vec<f32>,
}

impl HeadNorms {
	/// Normalises the heads of a row of `q_width` queries and then keys in place, head by head.
	pub fn apply(
		&self,
		level: Level,
		row: &mut [f32],
		q_width: usize,
		eps: f32,
		copy: &mut Vec<f32>,
	) {
		copy.clear();
		copy.extend_from_slice(row);
		let (queries, keys) = row.split_at_mut(q_width);
		rms_norm(level, queries, &copy[..q_width], &self.q, eps);
		rms_norm(level, keys, &copy[q_width..], &self.k, eps);
	}
}

/// Base of the rotary embedding when a `config.json` has none.
pub(crate) fn default_theta(architecture: &str) -> f64 {
	match architecture {
		"smollm3" => 2_000_000.0,
		_ => 10_000.0,
	}
}

/// Every `interval`-th of the layers, the first such one being number `interval - 1`.
fn every(interval: usize, layers: usize) -> Vec<usize> {
	(0..layers)
		.filter(|layer| (layer + 1).is_multiple_of(interval))
		.collect()
}

/// The layers without rotation of a SmolLM3 whose file does not list them, as in GGUF.
pub(crate) fn every_fourth(layers: usize) -> Vec<usize> {
	every(UNROTATED_INTERVAL, layers.min(4096))
}

/// The layers without rotation by `no_rope_layers` (a list that has 0 for each) or `no_rope_layer_interval`.
pub(crate) fn unrotated(json: &Value, layers: usize) -> Result<Vec<usize>, ModelError> {
	let bad = |why: &str| ModelError::Malformed(format!("config.json: {why}"));
	let layers = layers.min(4096);
	match json.get("no_rope_layers") {
		Some(Value::Array(list)) => {
			let turns: Vec<u64> = list.iter().filter_map(Value::as_u64).take(layers).collect();
			if turns.len() < layers || turns.iter().any(|turn| *turn > 1) {
				return Err(bad("no_rope_layers does not have 0 or 1 for each layer"));
			}
			Ok((0..layers).filter(|layer| turns[*layer] == 0).collect())
		}
		None | Some(Value::Null) => match json.get("no_rope_layer_interval") {
			None | Some(Value::Null) => Ok(every_fourth(layers)),
			Some(interval) => interval
				.as_u64()
				.filter(|interval| *interval > 0)
				.map(|interval| every(interval as usize, layers))
				.ok_or_else(|| bad("no_rope_layer_interval is not a positive number")),
		},
		Some(_) => Err(bad("no_rope_layers is not a list")),
	}
}

/// The longest context a model with a sliding window (early Mistral, some Qwen) can have here: up to the window's
/// length it attends to everything, as this engine does.
pub(crate) fn windowed(json: &Value, architecture: &str, max_context: usize) -> usize {
	// Llama and Mistral have no switch: a window that is set is used.
	let used = json
		.get("use_sliding_window")
		.and_then(Value::as_bool)
		.unwrap_or(architecture == "llama");
	match json.get("sliding_window").and_then(Value::as_u64) {
		Some(window) if used && (window as usize) < max_context => {
			tracing::info!(
				window,
				max_context,
				"the context is limited to the sliding window"
			);
			window as usize
		}
		_ => max_context,
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use serde_json::json;

	#[test]
	fn layers_without_rotation_should_be_read_as_lists_or_intervals() {
		let read = |json: Value| unrotated(&json, 8).map_err(|e| e.code());
		assert_eq!(read(json!({})), Ok(vec![3, 7]));
		assert_eq!(
			read(json!({"no_rope_layer_interval": 2})),
			Ok(vec![1, 3, 5, 7])
		);
		let list = json!({"no_rope_layers": [1, 1, 0, 1, 1, 1, 1, 0, 0]});
		assert_eq!(read(list), Ok(vec![2, 7]));
		for bad in [
			json!({"no_rope_layers": [1, 0]}),
			json!({"no_rope_layers": [1, 1, 1, 1, 1, 1, 1, 2]}),
			json!({"no_rope_layers": 4}),
			json!({"no_rope_layer_interval": 0}),
		] {
			assert_eq!(read(bad), Err("model-malformed"));
		}
	}

	#[test]
	fn a_sliding_window_should_limit_the_context() {
		let context = |json: Value| windowed(&json, "llama", 32768);
		assert_eq!(context(json!({"sliding_window": 4096})), 4096);
		assert_eq!(context(json!({"sliding_window": null})), 32768);
		let unused = json!({"sliding_window": 4096, "use_sliding_window": false});
		assert_eq!(context(unused), 32768);
		assert_eq!(context(json!({"sliding_window": 99999})), 32768);
		let default = windowed(&json!({"sliding_window": 4096}), "qwen3", 32768);
		assert_eq!(default, 32768, "Qwen has a switch, and it is off");
	}
}
