//! The files of an adapter.

use crate::{
	settings::TrainSettings,
	train::{TrainError, Trained},
};
use openledger_primitives::{content_hash, Commitment, DatanetId, Hash, SnapshotVersion};
use safetensors::{tensor::TensorView, Dtype};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, path::Path};

/// Content hashes of an adapter's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileHashes {
	/// Of `adapter_model.safetensors`.
	pub weights: Hash,
	/// Of `adapter_config.json`.
	pub config: Hash,
	/// Of `index.bin`.
	pub index: Hash,
}

/// A snapshot an adapter was trained on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotEntry {
	/// The Datanet.
	pub datanet: DatanetId,
	/// The snapshot's version.
	pub version: SnapshotVersion,
	/// Its licence.
	pub licence: String,
	/// Its root, as on chain.
	pub contributions: Commitment,
}

/// `training_manifest.json`: what an adapter was made from and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
	/// Version of this format.
	pub format: u32,
	/// Versions of the programs that computed it.
	pub versions: BTreeMap<String, String>,
	/// Content hash of the base model's weights.
	pub base_weights: Hash,
	/// Content hash of its tokenizer.
	pub base_tokenizer: Hash,
	/// The snapshots.
	pub snapshots: Vec<SnapshotEntry>,
	/// The settings, seed included.
	pub settings: TrainSettings,
	/// Records trained on.
	pub records: usize,
	/// Records held out.
	pub held_out_records: usize,
	/// Mean loss per held-out token before training, in nats.
	pub held_out_before: Option<f32>,
	/// The same after training.
	pub held_out_after: Option<f32>,
	/// Mean loss of each step's tokens, in nats.
	pub losses: Vec<f32>,
	/// The files.
	pub files: FileHashes,
}

impl Trained {
	/// Writes `adapter_model.safetensors`, `adapter_config.json`, `index.bin` and
	/// `training_manifest.json` into `folder`, which is created. Nothing in them depends on the time or
	/// the machine's name.
	///
	/// # Errors
	/// [`TrainError::Io`] names the file that could not be written.
	pub fn save(&self, folder: &Path) -> Result<Manifest, TrainError> {
		fs::create_dir_all(folder).map_err(|source| TrainError::Io {
			path: folder.to_path_buf(),
			source,
		})?;
		let write = |name: &str, bytes: &[u8]| {
			let path = folder.join(name);
			fs::write(&path, bytes).map_err(|source| TrainError::Io { path, source })?;
			Ok::<Hash, TrainError>(content_hash(bytes))
		};
		let files = FileHashes {
			weights: write("adapter_model.safetensors", &self.weights()?)?,
			config: write("adapter_config.json", json(&self.config())?.as_bytes())?,
			index: write("index.bin", &self.index.encode())?,
		};
		let snapshots = self.index.snapshots().iter().filter_map(|snapshot| {
			let (version, contributions) = self.index.commitment(snapshot.datanet)?;
			Some(SnapshotEntry {
				datanet: snapshot.datanet,
				version,
				licence: snapshot.licence.clone(),
				contributions,
			})
		});
		let versions = [
			("openledger-trainer", env!("CARGO_PKG_VERSION")),
			("candle", "0.11.1"),
		];
		let manifest = Manifest {
			format: 1,
			versions: versions
				.map(|(name, version)| (name.into(), version.into()))
				.into(),
			base_weights: Hash::from(self.base_weights),
			base_tokenizer: Hash::from(self.base_tokenizer),
			snapshots: snapshots.collect(),
			settings: self.settings.clone(),
			records: self.records.0,
			held_out_records: self.records.1,
			held_out_before: self.held_out.map(|(before, _)| before),
			held_out_after: self.held_out.map(|(_, after)| after),
			losses: self.losses.clone(),
			files,
		};
		write("training_manifest.json", json(&manifest)?.as_bytes())?;
		Ok(manifest)
	}

	/// The bytes of `adapter_model.safetensors`.
	pub fn weights(&self) -> Result<Vec<u8>, TrainError> {
		let bytes: BTreeMap<String, (Vec<usize>, Vec<u8>)> = self
			.adapter
			.tensors()?
			.into_iter()
			.map(|(name, (shape, values))| {
				(
					name,
					(
						shape,
						values
							.iter()
							.flat_map(|value| value.to_le_bytes())
							.collect(),
					),
				)
			})
			.collect();
		let failed =
			|error: safetensors::SafeTensorError| TrainError::Safetensors(error.to_string());
		let views = bytes
			.iter()
			.map(|(name, (shape, data))| {
				let view = TensorView::new(Dtype::F32, shape.clone(), data).map_err(failed)?;
				Ok((name.as_str(), view))
			})
			.collect::<Result<Vec<_>, TrainError>>()?;
		safetensors::serialize(views, None).map_err(failed)
	}

	/// `adapter_config.json`: the fields PEFT needs.
	fn config(&self) -> serde_json::Value {
		let settings = &self.settings;
		let layers: Vec<usize> = {
			let mut layers: Vec<usize> =
				self.adapter.sites.keys().map(|(layer, _)| *layer).collect();
			layers.dedup();
			layers
		};
		serde_json::json!({
			"base_model_name_or_path": settings.base,
			"bias": "none",
			"fan_in_fan_out": false,
			"inference_mode": true,
			"init_lora_weights": true,
			"layers_pattern": null,
			"layers_to_transform": settings.layers.map(|_| layers),
			"lora_alpha": settings.alpha,
			"lora_dropout": 0.0,
			"modules_to_save": null,
			"peft_type": "LORA",
			"r": settings.rank,
			"target_modules": settings.targets,
			"task_type": "CAUSAL_LM",
			"use_dora": false,
			"use_rslora": false,
		})
	}
}

fn json(value: &impl Serialize) -> Result<String, TrainError> {
	let mut text = serde_json::to_string_pretty(value)
		.map_err(|error| TrainError::Safetensors(error.to_string()))?;
	text.push('\n');
	Ok(text)
}
