//! What each kernel is given, and the header in which kernels read it: `cuda/tables.cuh` is written from here.
//!
//! A kernel has one parameter, a structure of plain numbers without gaps, so that nothing can be passed in the wrong
//! order: the structures are declared once, here, and a test compares the header with them.

use crate::device::tables::{entry, Entry, MAX_SLICES};

entry! {
	/// `embed_*`.
	EmbedArgs {
		/// The matrix.
		table: u64,
		/// Its scales.
		scales: u64,
		/// Tokens.
		tokens: u64,
		/// Address of the count of rows, as everywhere.
		rows: u64,
		/// Result.
		out: u64,
		/// Tokens there are.
		n: u32,
		/// Width.
		k: u32,
	}
}

entry! {
	/// `rms_norm_*`.
	RmsNormArgs {
		/// Residual stream.
		x: u64,
		/// What is added to it, or 0.
		add: u64,
		/// Weight.
		weight: u64,
		/// Indices of rows, or 0.
		gather: u64,
		/// Count of rows.
		rows: u64,
		/// Result.
		out: u64,
		/// Width.
		width: u32,
		/// Added to the mean square.
		eps: f32,
	}
}

entry! {
	/// `gemm_*`.
	GemmArgs {
		/// Inputs.
		x: u64,
		/// Weights.
		w: u64,
		/// Scales of int8 weights, or 0.
		scales: u64,
		/// Result.
		y: u64,
		/// Count of rows.
		rows: u64,
		/// Sums of spans: `[spans][most][n]` f32.
		workspace: u64,
		/// How many blocks of a tile are done: u32, zero between launches.
		counters: u64,
		/// Outputs.
		n: u32,
		/// Inputs.
		k: u32,
		/// Rows that the workspace has for each span.
		most: u32,
		/// Blocks that share the spans of a tile.
		splits: u32,
	}
}

entry! {
	/// `rope_*`.
	RopeArgs {
		/// Queries, keys, values.
		qkv: u64,
		/// Bias, or 0.
		bias: u64,
		/// Norm of queries, or 0.
		q_norm: u64,
		/// Norm of keys.
		k_norm: u64,
		/// Cosines and sines, or 0.
		table: u64,
		/// Positions of rows.
		positions: u64,
		/// Pages of rows.
		pages: u64,
		/// Count of rows.
		rows: u64,
		/// Query heads.
		heads: u32,
		/// Key/value heads.
		kv_heads: u32,
		/// Values of a head.
		head_dim: u32,
		/// Positions of the table.
		table_len: u32,
		/// Positions of a page.
		page_tokens: u32,
		/// Layer.
		layer: u32,
		/// Added to the mean square.
		eps: f32,
		/// Nothing.
		unused: u32,
	}
}

entry! {
	/// `attention_*`.
	AttentionArgs {
		/// Queries.
		qkv: u64,
		/// Result.
		out: u64,
		/// Partial results.
		partial: u64,
		/// Decode works.
		work: u64,
		/// Their count.
		works: u64,
		/// Decode rows.
		merge: u64,
		/// Their count.
		merges: u64,
		/// Prefill tiles.
		tile: u64,
		/// Their count.
		tiles: u64,
		/// Query heads.
		heads: u32,
		/// Key/value heads.
		kv_heads: u32,
		/// Values of a head.
		head_dim: u32,
		/// Positions of a page.
		page_tokens: u32,
		/// Layer.
		layer: u32,
		/// log2(e) / sqrt(head_dim), for the plain kernels.
		scale: f32,
	}
}

entry! {
	/// `lora_*`.
	LoraArgs {
		/// Chunks.
		chunks: u64,
		/// Their count.
		count: u64,
		/// Inputs.
		x: u64,
		/// What is updated.
		y: u64,
		/// Values between the two products.
		inner: u64,
		/// Inputs.
		k: u32,
		/// Columns of a row of `y`.
		n: u32,
		/// Which entry of an adapter's table.
		entry: u32,
		/// Slices.
		slices: u32,
		/// First columns of slices.
		column: [u32; MAX_SLICES],
		/// Columns of slices.
		width: [u32; MAX_SLICES],
	}
}

entry! {
	/// `silu_mul_*`.
	SiluMulArgs {
		/// Gates and ups.
		gate_up: u64,
		/// Result.
		out: u64,
		/// Count of rows.
		rows: u64,
		/// Columns of the result.
		width: u32,
		/// Nothing.
		unused: u32,
	}
}

entry! {
	/// `sample`.
	SampleArgs {
		/// Logits.
		logits: u64,
		/// How rows are drawn.
		how: u64,
		/// Result.
		tokens: u64,
		/// Count of rows.
		rows: u64,
		/// Tokens there are.
		vocabulary: u32,
		/// Nothing.
		unused: u32,
	}
}

entry! {
	/// `convert_*`.
	ConvertArgs {
		/// Source.
		from: u64,
		/// Target.
		to: u64,
		/// Values.
		len: u64,
	}
}

/// The text of `cuda/tables.cuh`.
#[cfg(test)]
pub(crate) fn header() -> String {
	use crate::device::tables::{
		DecodeRow, DecodeWork, LoraChunk, LoraEntry, PrefillTile, SampleRow, SPLIT_POSITIONS,
		TILE_PAIRS,
	};
	let mut text = String::from(
		"// Tables and arguments as the host writes them. Written by `UPDATE_TABLES=1 cargo test -p openledger-kernels \
		 tables_of_the_kernels`\n// from src/device/tables.rs and src/device/cuda/args.rs; not to be edited.\n#pragma once\n\
		 #include \"common.cuh\"\n\n",
	);
	let declarations = [
		LoraChunk::declaration(),
		LoraEntry::declaration(),
		DecodeWork::declaration(),
		DecodeRow::declaration(),
		PrefillTile::declaration(),
		SampleRow::declaration(),
		EmbedArgs::declaration(),
		RmsNormArgs::declaration(),
		GemmArgs::declaration(),
		RopeArgs::declaration(),
		AttentionArgs::declaration(),
		LoraArgs::declaration(),
		SiluMulArgs::declaration(),
		SampleArgs::declaration(),
		ConvertArgs::declaration(),
	];
	text.push_str(&declarations.join("\n"));
	text.push_str(&format!(
		"\nconst u32 SPLIT = {SPLIT_POSITIONS}; // positions of a split\nconst u32 PAIRS = {TILE_PAIRS}; // of a row and a head in a tile\n"
	));
	text
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::device::tables::{LoraChunk, LoraEntry};

	#[test]
	fn tables_of_the_kernels_should_be_those_the_host_writes() {
		let path = concat!(env!("CARGO_MANIFEST_DIR"), "/cuda/tables.cuh");
		if std::env::var_os("UPDATE_TABLES").is_some() {
			std::fs::write(path, header()).expect("the header can be written");
		}
		assert_eq!(
			include_str!("../../../cuda/tables.cuh"),
			header(),
			"run with UPDATE_TABLES=1 to write it anew"
		);
	}

	#[test]
	fn arguments_should_have_no_gaps() {
		let args = RopeArgs {
			qkv: 1,
			layer: 2,
			eps: 1.0,
			..Default::default()
		};
		let mut bytes = vec![0; RopeArgs::BYTES];
		args.write(&mut bytes);
		assert_eq!(RopeArgs::read(&bytes), args);
		for size in [
			EmbedArgs::BYTES,
			RmsNormArgs::BYTES,
			GemmArgs::BYTES,
			RopeArgs::BYTES,
			AttentionArgs::BYTES,
			LoraArgs::BYTES,
			SiluMulArgs::BYTES,
			SampleArgs::BYTES,
			ConvertArgs::BYTES,
			LoraEntry::BYTES,
			LoraChunk::BYTES,
		] {
			assert_eq!(size % 8, 0);
		}
	}
}
