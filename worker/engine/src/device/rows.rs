//! The base weights in host memory, row by row: for DoRA's lengths, and to fill a device again that was lost.

use std::sync::Arc;

use openledger_kernels::Values;

use crate::{dora::BaseRows, weights::ModelWeights};

/// A model's weights as they were loaded.
pub(crate) struct HostRows(pub Arc<ModelWeights>);

impl BaseRows for HostRows {
	fn row(&self, layer: usize, module: &str, row: usize, out: &mut [f32]) {
		let name = match module {
			"q_proj" | "k_proj" | "v_proj" | "o_proj" => {
				format!("model.layers.{layer}.self_attn.{module}.weight")
			}
			"gate_proj" | "up_proj" | "down_proj" => {
				format!("model.layers.{layer}.mlp.{module}.weight")
			}
			"lm_head" if self.0.tensors.contains_key("lm_head.weight") => "lm_head.weight".into(),
			_ => "model.embed_tokens.weight".into(),
		};
		let Some(tensor) = self.0.tensors.get(&name) else {
			debug_assert!(false, "the weights were checked when they were loaded");
			return;
		};
		let from = row * out.len()..(row + 1) * out.len();
		match &tensor.data {
			Values::F32(v) => out.copy_from_slice(&v[from]),
			Values::F16(v) => out
				.iter_mut()
				.zip(&v[from])
				.for_each(|(o, v)| *o = v.to_f32()),
			Values::Bf16(v) => out
				.iter_mut()
				.zip(&v[from])
				.for_each(|(o, v)| *o = v.to_f32()),
			Values::Blocks(quant, bytes) => {
				let size = out.len() / quant.block_len() * quant.block_bytes();
				quant.dequantise(&bytes[row * size..(row + 1) * size], out);
			}
		}
	}
}
