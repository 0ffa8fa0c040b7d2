//! `openledger model`.

use crate::{
	amount::plain,
	args::RateArgs,
	context::Context,
	output::{fields, hash, short, table, Output},
	CliError,
};
use clap::Subcommand;
use openledger_client::{calls, events::ModelsEvent, ChainEvent};
use openledger_primitives::Hash;
use serde_json::json;
use std::path::PathBuf;

/// Base models.
#[derive(Debug, Subcommand)]
pub enum Model {
	/// Registers a base model; its hashes are computed from its file.
	Register {
		/// What requests will call it.
		name: String,
		/// A GGUF file, or a folder of safetensors with tokenizer.json and config.json.
		#[arg(long, value_name = "PATH")]
		file: PathBuf,
		/// SPDX identifier of its licence.
		#[arg(long, default_value = "Apache-2.0", alias = "license")]
		licence: String,
		/// What its owner asks.
		#[command(flatten)]
		rate: RateArgs,
	},
	/// Lists the base models.
	List,
}

impl Model {
	/// Runs it.
	pub async fn run(self, context: &Context) -> Result<Output, CliError> {
		let chain = context.chain().await?;
		match self {
			Self::Register {
				name,
				file,
				licence,
				rate,
			} => {
				let model = tokio::task::spawn_blocking(move || {
					openledger_engine::load_model(&file)
						.map_err(|error| CliError::new("model", error.to_string()))
				});
				let model = model.await.map_err(|error| {
					CliError::new("model", format!("Reading it failed: {error}."))
				})??;
				let (weights, tokenizer) = (
					Hash::from(model.weights_hash),
					Hash::from(model.tokenizer_hash),
				);
				let architecture = &model.config.architecture;
				let call = calls::register_base(
					&name,
					architecture,
					weights,
					tokenizer,
					&licence,
					rate.into(),
				);
				let done = context.submit(&chain, &call).await?;
				let id = done.events.iter().find_map(|event| match event {
					ChainEvent::Models(ModelsEvent::BaseRegistered { base, .. }) => Some(*base),
					_ => None,
				});
				let id = id.ok_or_else(|| {
					CliError::new(
						"runtime-incompatible",
						"The call went through without its event.",
					)
				})?;
				let human = fields([
					("base model", format!("{id} “{name}”")),
					("architecture", architecture.clone()),
					("weights", hash(&weights)),
					("tokenizer", hash(&tokenizer)),
				]);
				let value = json!({
					"base": id,
					"name": name,
					"weights": weights,
					"tokenizer": tokenizer,
					"transaction": done,
				});
				Ok(Output::new(value, human))
			}
			Self::List => {
				let models = chain.base_models().await?;
				let rows = models.iter().map(|model| {
					[
						model.id.to_string(),
						model.name.clone(),
						model.architecture.clone(),
						model.licence.clone(),
						short(&model.owner),
						plain(model.rate.input),
						plain(model.rate.output),
					]
				});
				let heading = [
					"base",
					"name",
					"architecture",
					"licence",
					"owner",
					"in / 1,000",
					"out / 1,000",
				];
				Ok(Output::new(&models, table(&heading, rows)))
			}
		}
	}
}
