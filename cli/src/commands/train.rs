//! `openledger train`.

use crate::{
	content::{self, SnapshotName},
	context::Context,
	output::{fields, hash, Output},
	CliError,
};
use clap::Args;
use openledger_attribution::Snapshot;
use openledger_trainer::{Bar, TrainSettings};
use std::path::PathBuf;

/// Fine-tunes an adapter on snapshots.
#[derive(Debug, Args)]
pub struct Train {
	/// A snapshot to train on, such as 3@2, or 3 for the newest; fetched and checked against the chain.
	#[arg(
		long = "datanet",
		value_name = "SNAPSHOT",
		required_unless_present = "snapshots"
	)]
	datanets: Vec<SnapshotName>,
	/// A folder that `openledger datanet fetch` wrote, to train on without a chain.
	#[arg(long = "snapshot", value_name = "DIR")]
	snapshots: Vec<PathBuf>,
	/// The base model: a GGUF file or a folder.
	#[arg(long, value_name = "PATH")]
	base: PathBuf,
	/// Name of the base model, written into adapter_config.json.
	#[arg(long, default_value = "")]
	base_name: String,
	/// The folder to write.
	#[arg(long, value_name = "DIR")]
	out: PathBuf,
	/// Rank of the update.
	#[arg(long)]
	rank: Option<usize>,
	/// The update is scaled by alpha / rank.
	#[arg(long)]
	alpha: Option<f64>,
	/// The modules to change, separated by commas.
	#[arg(long, value_delimiter = ',')]
	targets: Option<Vec<String>>,
	/// Number of blocks to change, counted from the last; fewer train faster.
	#[arg(long)]
	layers: Option<usize>,
	/// The highest learning rate.
	#[arg(long)]
	learning_rate: Option<f64>,
	/// Number of steps.
	#[arg(long)]
	steps: Option<usize>,
	/// Samples per step.
	#[arg(long)]
	batch: Option<usize>,
	/// Longer samples are cut, in tokens.
	#[arg(long)]
	max_tokens: Option<usize>,
	/// Seed of the initial matrices and of the order of samples.
	#[arg(long)]
	seed: Option<u64>,
	/// One in so many records is held out; 0 holds out none.
	#[arg(long)]
	held_out: Option<u64>,
}

impl Train {
	/// Runs it.
	pub async fn run(self, context: &Context) -> Result<Output, CliError> {
		let mut snapshots = Vec::new();
		for folder in &self.snapshots {
			snapshots.push(Snapshot::load(folder)?);
		}
		if !self.datanets.is_empty() {
			let chain = context.chain().await?;
			for name in &self.datanets {
				let (datanet, version) = name.resolve(&chain).await?;
				tracing::info!("fetching snapshot {datanet}@{version}");
				snapshots.push(content::fetch_snapshot(&chain, datanet, version, |_, _| ()).await?);
			}
		}
		let settings = self.settings();
		let quiet = context.global.json;
		let (base, out) = (self.base, self.out);
		let folder = out.clone();
		let training = tokio::task::spawn_blocking(move || {
			let model = openledger_engine::load_model(&base)
				.map_err(|error| CliError::new("model", error.to_string()))?;
			let bar = (!quiet).then(Bar::new);
			let mut show = |progress: &openledger_trainer::Progress| {
				if let Some(bar) = &bar {
					bar.show(progress);
				}
			};
			let trained = openledger_trainer::train(&model, &snapshots, &settings, &mut show)
				.map_err(|error| CliError::new("training", error.to_string()))?;
			trained
				.save(&folder)
				.map_err(|error| CliError::new("training", error.to_string()))
		});
		let manifest = training.await.map_err(|error| {
			CliError::new("training", format!("Training was broken off: {error}."))
		})??;
		let loss =
			|loss: Option<f32>| loss.map_or("none held out".into(), |loss| format!("{loss:.3}"));
		let human = fields([
			("folder", out.display().to_string()),
			(
				"records",
				format!(
					"{} trained on, {} held out",
					manifest.records, manifest.held_out_records
				),
			),
			(
				"held-out loss",
				format!(
					"{} before, {} after",
					loss(manifest.held_out_before),
					loss(manifest.held_out_after)
				),
			),
			("weights", hash(&manifest.files.weights)),
			("config", hash(&manifest.files.config)),
			("index", hash(&manifest.files.index)),
		]);
		let human = format!(
			"{human}\n\nRegister it with `openledger adapter register NAME --dir {}`.",
			out.display()
		);
		Ok(Output::new(
			serde_json::json!({ "folder": out, "manifest": manifest }),
			human,
		))
	}

	/// The trainer's defaults with what was given.
	fn settings(&self) -> TrainSettings {
		let default = TrainSettings::default();
		TrainSettings {
			base: self.base_name.clone(),
			rank: self.rank.unwrap_or(default.rank),
			alpha: self.alpha.unwrap_or(default.alpha),
			targets: self.targets.clone().unwrap_or(default.targets),
			layers: self.layers.or(default.layers),
			learning_rate: self.learning_rate.unwrap_or(default.learning_rate),
			steps: self.steps.unwrap_or(default.steps),
			batch: self.batch.unwrap_or(default.batch),
			max_tokens: self.max_tokens.unwrap_or(default.max_tokens),
			seed: self.seed.unwrap_or(default.seed),
			held_out: self.held_out.unwrap_or(default.held_out),
			..default
		}
	}
}
