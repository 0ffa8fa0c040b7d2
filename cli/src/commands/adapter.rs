//! `openledger adapter`.

use crate::{
	amount::plain,
	args::RateArgs,
	context::{base_of, Context},
	output::{fields, hash, short, table, Output},
	workers, CliError,
};
use clap::{Subcommand, ValueEnum};
use openledger_client::{
	calls::{self, AdapterRegistration},
	events::ModelsEvent,
	types::{self, AdapterState, ModelId, ProviderState},
	Chain, ChainEvent, Wait,
};
use openledger_primitives::{
	algorithm, content_hash, AdapterId, AlgorithmId, BaseModelId, Commitment, Hash,
};
use openledger_trainer::Manifest;
use serde_json::json;
use std::path::{Path, PathBuf};

/// The manifest's file in a training folder.
const MANIFEST: &str = "training_manifest.json";

/// Adapters.
#[derive(Debug, Subcommand)]
pub enum Adapter {
	/// Registers the adapter in a folder that `openledger train` wrote.
	Register {
		/// What requests will call it.
		name: String,
		/// The folder.
		#[arg(long, value_name = "DIR")]
		dir: PathBuf,
		/// The base model, by name or id; otherwise the one with the weights it was trained on.
		#[arg(long)]
		base: Option<String>,
		/// How its answers are attributed.
		#[arg(long, value_enum, default_value = "span-sa")]
		algorithm: Algorithm,
		/// Where its files are published [default: the folder on this machine].
		#[arg(long)]
		uri: Option<String>,
		/// What its owner asks.
		#[command(flatten)]
		rate: RateArgs,
		/// Sends its files to the providers that serve its base.
		#[arg(long)]
		push: bool,
	},
	/// Sends a registered adapter's files to providers.
	Push {
		/// The adapter's name.
		name: String,
		/// The folder with its files.
		#[arg(long, value_name = "DIR")]
		dir: PathBuf,
		/// A provider's account, or a worker's address; otherwise all that serve its base.
		#[arg(long)]
		to: Vec<String>,
	},
	/// Stops offering an adapter.
	Retire {
		/// The adapter's name.
		name: String,
	},
	/// Lists the adapters.
	List,
	/// Shows an adapter.
	Show {
		/// The adapter's name.
		name: String,
	},
}

/// How an adapter's answers are attributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Algorithm {
	/// `equal/1`: every contribution, by its tokens.
	Equal,
	/// `span-sa/1`: most of it by what answers quote word for word.
	SpanSa,
}

impl From<Algorithm> for AlgorithmId {
	fn from(algorithm: Algorithm) -> Self {
		match algorithm {
			Algorithm::Equal => algorithm::EQUAL_1,
			Algorithm::SpanSa => algorithm::SPAN_SA_1,
		}
	}
}

impl Adapter {
	/// Runs it.
	pub async fn run(self, context: &Context) -> Result<Output, CliError> {
		let chain = context.chain().await?;
		match self {
			Self::Register {
				name,
				dir,
				base,
				algorithm,
				uri,
				rate,
				push,
			} => {
				let base = match base {
					Some(base) => Some(base_of(&chain, &base).await?),
					None => None,
				};
				let files = Trained::read(&dir)?;
				files.check_against(&chain).await?;
				let base = files.base(&chain, base).await?;
				let uri = match uri {
					Some(uri) => uri,
					None => {
						let path = dir
							.canonicalize()
							.map_err(|error| CliError::io(&dir, error))?;
						format!("file://{}", path.display())
					}
				};
				let call = calls::register_adapter(AdapterRegistration {
					name: name.clone(),
					base,
					weights: files.manifest.files.weights,
					config: files.manifest.files.config,
					rank: files.rank()?,
					targets: files.manifest.settings.targets.clone(),
					lineage: files
						.manifest
						.snapshots
						.iter()
						.map(|snapshot| (snapshot.datanet, snapshot.version))
						.collect(),
					manifest: files.manifest_hash,
					algorithm: algorithm.into(),
					index: files.manifest.files.index,
					uri,
					rate: rate.into(),
				});
				// Workers believe what is final, so files are sent only then.
				let wait = if push {
					Wait::Finalized
				} else {
					context.wait()
				};
				let done = chain.submit(&call, &context.key()?, wait).await?;
				let id = done.events.iter().find_map(|event| match event {
					ChainEvent::Models(ModelsEvent::AdapterRegistered { adapter, .. }) => {
						Some(*adapter)
					}
					_ => None,
				});
				let id = id.ok_or_else(|| {
					CliError::new(
						"runtime-incompatible",
						"The call went through without its event.",
					)
				})?;
				let pushed = match push {
					true => push_all(&chain, &name, base, &dir, &[]).await?,
					false => Vec::new(),
				};
				let adapter = known(&chain, id).await?;
				let mut human = show(&adapter);
				for (endpoint, tier) in &pushed {
					human = format!("{human}\nSent to {endpoint}: {tier}.");
				}
				let value = json!({
					"adapter": adapter,
					"pushed": pushed,
					"transaction": done,
				});
				Ok(Output::new(value, human))
			}
			Self::Push { name, dir, to } => {
				let adapter = named(&chain, &name).await?;
				let mut endpoints = Vec::with_capacity(to.len());
				for target in to {
					if target.contains("://") {
						endpoints.push(target);
						continue;
					}
					let account = context.account(Some(&target))?;
					let provider = chain
						.provider(&account)
						.await?
						.ok_or_else(|| CliError::missing(format!("{account} is no provider.")))?;
					endpoints.push(provider.endpoint);
				}
				let pushed = push_all(&chain, &name, adapter.base, &dir, &endpoints).await?;
				let rows = pushed
					.iter()
					.map(|(endpoint, tier)| [endpoint.clone(), tier.clone()]);
				Ok(Output::new(
					&pushed,
					table(&["worker", "holds it in"], rows),
				))
			}
			Self::Retire { name } => {
				let adapter = named(&chain, &name).await?;
				let done = context
					.submit(&chain, &calls::retire_adapter(adapter.id))
					.await?;
				Ok(Output::new(done, format!("{name} is retired.")))
			}
			Self::List => {
				let adapters = chain.adapters().await?;
				let heading = [
					"adapter",
					"name",
					"base",
					"trained on",
					"owner",
					"in / 1,000",
					"out / 1,000",
					"state",
				];
				Ok(Output::new(
					&adapters,
					table(&heading, adapters.iter().map(row)),
				))
			}
			Self::Show { name } => {
				let adapter = named(&chain, &name).await?;
				Ok(Output::new(&adapter, show(&adapter)))
			}
		}
	}
}

/// The files of a training folder, checked against its manifest.
struct Trained {
	manifest: Manifest,
	manifest_hash: Hash,
}

impl Trained {
	fn read(folder: &Path) -> Result<Self, CliError> {
		let read = |name: &str| {
			let path = folder.join(name);
			std::fs::read(&path).map_err(|error| CliError::io(&path, error))
		};
		let bytes = read(MANIFEST)?;
		let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| {
			CliError::new(
				"manifest",
				format!("{MANIFEST} in {}: {error}.", folder.display()),
			)
		})?;
		let files = &manifest.files;
		for (name, expected) in
			workers::ADAPTER_FILES
				.iter()
				.zip([files.weights, files.config, files.index])
		{
			if content_hash(&read(name)?) != expected {
				return Err(CliError::new(
					"hash-mismatch",
					format!(
						"{name} in {} is not the file that its {MANIFEST} names. Train again, or \
						 restore the file.",
						folder.display()
					),
				));
			}
		}
		Ok(Self {
			manifest_hash: content_hash(&bytes),
			manifest,
		})
	}

	fn rank(&self) -> Result<u16, CliError> {
		u16::try_from(self.manifest.settings.rank)
			.map_err(|_| CliError::new("manifest", "The rank is above what the chain takes (512)."))
	}

	/// Its snapshots are those on chain.
	async fn check_against(&self, chain: &Chain) -> Result<(), CliError> {
		for snapshot in &self.manifest.snapshots {
			let (datanet, version) = (snapshot.datanet, snapshot.version);
			let on_chain: Option<Commitment> = chain
				.snapshot(datanet, version)
				.await?
				.map(|found| found.contributions);
			if on_chain != Some(snapshot.contributions) {
				return Err(CliError::new(
					"wrong-snapshot",
					format!(
						"Snapshot {datanet}@{version} on this chain is not the one that was trained \
						 on. Train on what `openledger datanet fetch` gives."
					),
				));
			}
		}
		Ok(())
	}

	/// The base model it was trained on.
	async fn base(
		&self,
		chain: &Chain,
		named: Option<BaseModelId>,
	) -> Result<BaseModelId, CliError> {
		let weights = self.manifest.base_weights;
		let bases = chain.base_models().await?;
		let fits = |base: &&types::BaseModel| base.weights == weights;
		match named {
			None => bases.iter().find(fits).map(|base| base.id).ok_or_else(|| {
				CliError::missing(format!(
					"No base model with the weights {} is registered. Register it first with \
					 `openledger model register`.",
					hash(&weights)
				))
			}),
			Some(id) if bases.iter().filter(fits).any(|base| base.id == id) => Ok(id),
			Some(id) => Err(CliError::new(
				"other-base",
				format!("The adapter was trained on other weights than those of base model {id}."),
			)),
		}
	}
}

/// Sends the files to `endpoints`, or to every provider that serves the base; answers where they are.
async fn push_all(
	chain: &Chain,
	name: &str,
	base: BaseModelId,
	folder: &Path,
	endpoints: &[String],
) -> Result<Vec<(String, String)>, CliError> {
	let mut endpoints = endpoints.to_vec();
	if endpoints.is_empty() {
		let serves = |provider: &types::Provider| {
			provider.state == ProviderState::Active && provider.bases.contains(&base)
		};
		let providers = chain.providers().await?;
		endpoints.extend(
			providers
				.into_iter()
				.filter(serves)
				.map(|provider| provider.endpoint),
		);
	}
	if endpoints.is_empty() {
		return Err(CliError::missing(
			"No provider serves this adapter's base model yet, so there is nowhere to send it.",
		));
	}
	let mut pushed = Vec::with_capacity(endpoints.len());
	for endpoint in endpoints {
		let status = workers::push(&endpoint, name, folder)
			.await
			.map_err(|error| CliError::new(error.code, format!("{endpoint}: {}", error.message)))?;
		pushed.push((endpoint, status.tier));
	}
	Ok(pushed)
}

async fn known(chain: &Chain, id: AdapterId) -> Result<types::Adapter, CliError> {
	let adapter = chain.adapter(id).await?;
	adapter.ok_or_else(|| CliError::missing(format!("There is no adapter {id}.")))
}

async fn named(chain: &Chain, name: &str) -> Result<types::Adapter, CliError> {
	match chain.by_name(name).await? {
		Some(ModelId::Adapter(id)) => known(chain, id).await,
		_ => Err(CliError::missing(format!(
			"There is no adapter `{name}`. `openledger adapter list` shows them."
		))),
	}
}

fn lineage(adapter: &types::Adapter) -> String {
	let lineage: Vec<String> = adapter
		.lineage
		.iter()
		.map(|(datanet, version)| format!("{datanet}@{version}"))
		.collect();
	lineage.join(", ")
}

fn state(adapter: &types::Adapter) -> &'static str {
	match adapter.state {
		AdapterState::Active => "active",
		AdapterState::Retired => "retired",
	}
}

fn row(adapter: &types::Adapter) -> [String; 8] {
	[
		adapter.id.to_string(),
		adapter.name.clone(),
		adapter.base.to_string(),
		lineage(adapter),
		short(&adapter.owner),
		plain(adapter.rate.input),
		plain(adapter.rate.output),
		state(adapter).to_owned(),
	]
}

fn show(adapter: &types::Adapter) -> String {
	fields([
		("adapter", format!("{} “{}”", adapter.id, adapter.name)),
		("owner", adapter.owner.to_string()),
		("base model", adapter.base.to_string()),
		("trained on", lineage(adapter)),
		(
			"rank",
			format!("{} on {}", adapter.rank, adapter.targets.join(", ")),
		),
		("weights", hash(&adapter.weights)),
		("config", hash(&adapter.config)),
		("index", hash(&adapter.index)),
		("algorithm", adapter.algorithm.to_string()),
		(
			"rate",
			format!(
				"{} in, {} out per 1,000 tokens",
				plain(adapter.rate.input),
				plain(adapter.rate.output)
			),
		),
		("state", state(adapter).to_owned()),
		("at", adapter.uri.clone()),
	])
}
