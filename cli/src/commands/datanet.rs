//! `openledger datanet`.

use crate::{
	commands::review::Review,
	content::{self, SnapshotName},
	context::Context,
	output::{bytes, fields, short, short_hash, table, Output},
	CliError,
};
use clap::{Subcommand, ValueEnum};
use openledger_attribution::Records;
use openledger_client::{
	calls,
	events::DatanetsEvent,
	reviews,
	types::{self, ContributionState},
	Chain, ChainEvent, Submitted,
};
use openledger_primitives::{ContributionId, DatanetId};
use serde_json::json;
use std::path::PathBuf;

/// Datanets: pools of records.
#[derive(Debug, Subcommand)]
pub enum Datanet {
	/// Creates a Datanet.
	Create {
		/// What to call it.
		name: String,
		/// SPDX identifier of the licence that all its records are given under.
		#[arg(long, default_value = "CC-BY-4.0", alias = "license")]
		licence: String,
		/// Media type of its records.
		#[arg(long, default_value = "text/plain")]
		media_type: String,
		/// Who decides what it accepts.
		#[arg(long, value_enum, default_value = "owner")]
		curation: Curation,
	},
	/// Lists all Datanets.
	List,
	/// Shows a Datanet with its contributions.
	Show {
		/// The Datanet.
		datanet: DatanetId,
	},
	/// Contributes records: a .jsonl file with a `text` on each line, or a folder of .txt and .md files.
	Contribute {
		/// The Datanet.
		datanet: DatanetId,
		/// The file or folder.
		path: PathBuf,
		/// The account that earns: an address or a key's name; otherwise the account of `--key`.
		#[arg(long)]
		payout: Option<String>,
		/// Folder to put the records in [default: content/ in the home folder].
		#[arg(long, value_name = "DIR")]
		content: Option<PathBuf>,
		/// Web address under which that folder can be fetched; without one, only this machine can.
		#[arg(long, value_name = "URL")]
		publish_at: Option<String>,
		/// Where the records are published already; nothing is copied.
		#[arg(long, conflicts_with_all = ["content", "publish_at"])]
		uri: Option<String>,
	},
	/// Accepts a contribution.
	Accept {
		/// The Datanet.
		datanet: DatanetId,
		/// The contribution; several can be given.
		#[arg(required = true)]
		contributions: Vec<ContributionId>,
	},
	/// Rejects a contribution.
	Reject {
		/// The Datanet.
		datanet: DatanetId,
		/// The contribution; several can be given.
		#[arg(required = true)]
		contributions: Vec<ContributionId>,
	},
	/// Takes a contribution of yours back; snapshots that contain it keep it.
	Withdraw {
		/// The Datanet.
		datanet: DatanetId,
		/// The contribution.
		contribution: ContributionId,
	},
	/// Changes the account that a contribution of yours earns for, in old snapshots too.
	SetPayout {
		/// The Datanet.
		datanet: DatanetId,
		/// The contribution.
		contribution: ContributionId,
		/// An address or a key's name.
		account: String,
	},
	/// Takes a contribution's bond back, some time after its acceptance.
	ReleaseBond {
		/// The Datanet.
		datanet: DatanetId,
		/// The contribution.
		contribution: ContributionId,
	},
	/// Appeals against the reviewers' rejection of a contribution of yours; needs a deposit.
	Appeal {
		/// The Datanet.
		datanet: DatanetId,
		/// The contribution.
		contribution: ContributionId,
	},
	/// Fetches two contributions and, if they share a record, proves that the later is a duplicate.
	ClaimDuplicate {
		/// The Datanet.
		datanet: DatanetId,
		/// The earlier contribution.
		original: ContributionId,
		/// The later one.
		duplicate: ContributionId,
	},
	/// Reviewing contributions, with money at stake.
	#[command(subcommand)]
	Review(Review),
	/// Freezes what is accepted.
	Snapshot {
		/// The Datanet.
		datanet: DatanetId,
	},
	/// Fetches everything in a snapshot, checked against the chain, into a folder.
	Fetch {
		/// Such as 3@2, or 3 for the newest.
		snapshot: SnapshotName,
		/// The folder.
		#[arg(long, value_name = "DIR")]
		out: PathBuf,
	},
}

/// Who decides what a Datanet accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Curation {
	/// Nobody: everything is accepted at once.
	Open,
	/// Its owner.
	Owner,
	/// Reviewers with money at stake.
	Reviewers,
}

impl From<Curation> for types::Curation {
	fn from(curation: Curation) -> Self {
		match curation {
			Curation::Open => Self::Open,
			Curation::Owner => Self::Owner,
			Curation::Reviewers => Self::Reviewers,
		}
	}
}

impl Datanet {
	/// Runs it.
	pub async fn run(self, context: &Context) -> Result<Output, CliError> {
		let chain = context.chain().await?;
		match self {
			Self::Create {
				name,
				licence,
				media_type,
				curation,
			} => {
				let call = calls::create_datanet(&name, &licence, &media_type, curation.into());
				let done = context.submit(&chain, &call).await?;
				let id = done.events.iter().find_map(|event| match event {
					ChainEvent::Datanets(DatanetsEvent::Created { datanet, .. }) => Some(*datanet),
					_ => None,
				});
				let id = said(id)?;
				let human = format!(
					"Created Datanet {id} “{name}” under {licence}. Contribute with `openledger \
					 datanet contribute {id} PATH`."
				);
				Ok(Output::new(
					json!({ "datanet": id, "transaction": done }),
					human,
				))
			}
			Self::List => {
				let datanets = chain.datanets().await?;
				let rows = datanets.iter().map(|datanet| {
					[
						datanet.id.to_string(),
						datanet.name.clone(),
						datanet.licence.clone(),
						short(&datanet.owner),
						datanet.accepted.to_string(),
						datanet.snapshots.to_string(),
					]
				});
				let heading = [
					"Datanet",
					"name",
					"licence",
					"owner",
					"accepted",
					"snapshots",
				];
				Ok(Output::new(&datanets, table(&heading, rows)))
			}
			Self::Show { datanet } => show(&chain, datanet).await,
			Self::Contribute {
				datanet,
				path,
				payout,
				content,
				publish_at,
				uri,
			} => {
				let payout = context.account(payout.as_deref())?;
				let gathered = Records::from_path(&path)?;
				let records = gathered.records;
				let commitment = records.commitment()?;
				let (uri, folder) = match uri {
					Some(uri) => {
						content::fetch(&uri, &commitment).await?;
						(uri, None)
					}
					None => {
						let folder = content.unwrap_or_else(|| context.home.content());
						let uri = content::address(&records, &folder, publish_at.as_deref())?;
						(uri, Some(folder))
					}
				};
				let call = calls::contribute(datanet, commitment, &uri, payout.clone());
				let done = context.submit(&chain, &call).await?;
				if let Some(folder) = folder {
					content::publish(&records, &folder)?;
				}
				let id = done.events.iter().find_map(|event| match event {
					ChainEvent::Datanets(DatanetsEvent::Contributed { contribution, .. }) => {
						Some(*contribution)
					}
					_ => None,
				});
				let id = said(id)?;
				let human = fields([
					("contribution", format!("{id} of Datanet {datanet}")),
					(
						"records",
						format!(
							"{} ({}), {} repeated ones left out",
							commitment.count,
							bytes(commitment.sum),
							gathered.duplicates
						),
					),
					("root", crate::output::hash(&commitment.root)),
					("earns", payout.to_string()),
					("at", uri.clone()),
				]);
				let value = json!({
					"datanet": datanet,
					"contribution": id,
					"records": commitment,
					"duplicates": gathered.duplicates,
					"uri": uri,
					"payout": payout,
					"transaction": done,
				});
				Ok(Output::new(value, human))
			}
			Self::Accept {
				datanet,
				contributions,
			} => {
				let mut done = Vec::new();
				for contribution in &contributions {
					let call = calls::accept(datanet, *contribution);
					done.push(context.submit(&chain, &call).await?);
				}
				Ok(decided("Accepted", datanet, &contributions, done))
			}
			Self::Reject {
				datanet,
				contributions,
			} => {
				let mut done = Vec::new();
				for contribution in &contributions {
					let call = calls::reject(datanet, *contribution);
					done.push(context.submit(&chain, &call).await?);
				}
				Ok(decided("Rejected", datanet, &contributions, done))
			}
			Self::Withdraw {
				datanet,
				contribution,
			} => {
				let call = calls::withdraw_contribution(datanet, contribution);
				let done = context.submit(&chain, &call).await?;
				Ok(decided("Withdrew", datanet, &[contribution], vec![done]))
			}
			Self::SetPayout {
				datanet,
				contribution,
				account,
			} => {
				let payout = context.account(Some(&account))?;
				let call = reviews::set_payout_account(datanet, contribution, payout.clone());
				let done = context.submit(&chain, &call).await?;
				let human =
					format!("Contribution {contribution} of Datanet {datanet} earns for {payout}.");
				Ok(Output::new(
					json!({ "payout": payout, "transaction": done }),
					human,
				))
			}
			Self::ReleaseBond {
				datanet,
				contribution,
			} => {
				let call = reviews::release_bond(datanet, contribution);
				let done = context.submit(&chain, &call).await?;
				Ok(decided(
					"Released the bond of",
					datanet,
					&[contribution],
					vec![done],
				))
			}
			Self::Appeal {
				datanet,
				contribution,
			} => {
				let call = reviews::appeal(datanet, contribution);
				let done = context.submit(&chain, &call).await?;
				Ok(decided(
					"Appealed for",
					datanet,
					&[contribution],
					vec![done],
				))
			}
			Self::ClaimDuplicate {
				datanet,
				original,
				duplicate,
			} => claim_duplicate(context, &chain, datanet, original, duplicate).await,
			Self::Review(review) => review.run(context, &chain).await,
			Self::Snapshot { datanet } => {
				let done = context.submit(&chain, &calls::snapshot(datanet)).await?;
				let made = done.events.iter().find_map(|event| match event {
					ChainEvent::Datanets(DatanetsEvent::Snapshotted {
						version,
						contributions,
						..
					}) => Some((*version, *contributions)),
					_ => None,
				});
				let (version, commitment) = said(made)?;
				let human = format!(
					"Snapshot {version} of Datanet {datanet}: {} contributions, {}. Train on it with \
					 `openledger train --datanet {datanet}@{version}`.",
					commitment.count,
					bytes(commitment.sum)
				);
				let value = json!({
					"datanet": datanet,
					"version": version,
					"contributions": commitment,
					"transaction": done,
				});
				Ok(Output::new(value, human))
			}
			Self::Fetch { snapshot, out } => {
				let (datanet, version) = snapshot.resolve(&chain).await?;
				let fetched = content::fetch_snapshot(&chain, datanet, version, |_, _| ()).await?;
				fetched.save(&out)?;
				let records: usize = fetched
					.contributions
					.iter()
					.map(|each| each.records.texts().len())
					.sum();
				let human = format!(
					"Snapshot {datanet}@{version}: {} contributions with {records} records, checked \
					 against the chain, in {}.",
					fetched.contributions.len(),
					out.display()
				);
				let value = json!({
					"datanet": datanet,
					"version": version,
					"contributions": fetched.contributions.len(),
					"records": records,
					"folder": out,
				});
				Ok(Output::new(value, human))
			}
		}
	}
}

/// What an event must have said.
fn said<T>(what: Option<T>) -> Result<T, CliError> {
	what.ok_or_else(|| {
		CliError::new(
			"runtime-incompatible",
			"The call went through without its event.",
		)
	})
}

fn decided(
	what: &str,
	datanet: DatanetId,
	contributions: &[ContributionId],
	done: Vec<Submitted>,
) -> Output {
	let ids: Vec<String> = contributions.iter().map(ToString::to_string).collect();
	let human = format!("{what} {} of Datanet {datanet}.", ids.join(", "));
	let value = json!({
		"datanet": datanet,
		"contributions": contributions,
		"transactions": done,
	});
	Output::new(value, human)
}

fn state(state: &ContributionState) -> String {
	match state {
		ContributionState::Pending => "pending".into(),
		ContributionState::Accepted { since } => format!("accepted, in snapshots from {since}"),
		ContributionState::Withdrawn { since, until } => {
			format!(
				"withdrawn, in snapshots {since} to {}",
				until.saturating_sub(1)
			)
		}
		ContributionState::Rejected { until } => {
			format!("rejected, appeal before block {until}")
		}
		ContributionState::Duplicate {
			since,
			until,
			original,
		} => {
			format!(
				"repeats a record of contribution {original}, in snapshots {since} to {}",
				until.saturating_sub(1)
			)
		}
	}
}

/// Proves the first record that two contributions share.
async fn claim_duplicate(
	context: &Context,
	chain: &Chain,
	datanet: DatanetId,
	original: ContributionId,
	duplicate: ContributionId,
) -> Result<Output, CliError> {
	let mut fetched = Vec::new();
	for id in [original, duplicate] {
		let contribution = chain.contribution(datanet, id).await?.ok_or_else(|| {
			CliError::missing(format!("Datanet {datanet} has no contribution {id}."))
		})?;
		fetched.push(content::fetch(&contribution.uri, &contribution.records).await?);
	}
	let leaves: Vec<_> = fetched.iter().map(Records::leaves).collect();
	let shared = leaves[1].iter().enumerate().find_map(|(second, leaf)| {
		let first = leaves[0]
			.iter()
			.position(|other| other.record == leaf.record)?;
		Some([first, second])
	});
	let [first, second] = shared.ok_or_else(|| {
		CliError::missing(format!(
			"Contributions {original} and {duplicate} of Datanet {datanet} share no record."
		))
	})?;
	let proof = |contribution, which: usize, at: usize| -> Result<reviews::RecordProof, CliError> {
		let index = u32::try_from(at).map_err(|_| {
			CliError::new("content-too-large", "A contribution has too many records.")
		})?;
		Ok(reviews::RecordProof {
			contribution,
			index,
			leaf: leaves[which][at],
			proof: fetched[which].proof(index)?,
		})
	};
	let call = reviews::claim_duplicate(
		datanet,
		proof(original, 0, first)?,
		proof(duplicate, 1, second)?,
	);
	let done = context.submit(chain, &call).await?;
	let record = leaves[1][second].record;
	let human = format!(
		"Proved that contribution {duplicate} of Datanet {datanet} repeats record {} of contribution \
		 {original}; later snapshots are without it.",
		crate::output::hash(&record)
	);
	Ok(Output::new(
		json!({ "record": record, "transaction": done }),
		human,
	))
}

async fn show(chain: &Chain, id: DatanetId) -> Result<Output, CliError> {
	let chain = chain.pinned().await?;
	let datanet = chain.datanet(id).await?.ok_or_else(|| {
		CliError::missing(format!(
			"There is no Datanet {id}. `openledger datanet list` shows them."
		))
	})?;
	let contributions = chain.contributions(id).await?;
	let mut snapshots = Vec::new();
	for version in 1..=datanet.snapshots {
		snapshots.extend(chain.snapshot(id, version).await?);
	}
	let curation = match datanet.curation {
		types::Curation::Open => "open to all",
		types::Curation::Owner => "by its owner",
		types::Curation::Reviewers => "by its reviewers",
	};
	let head = fields([
		("Datanet", format!("{id} “{}”", datanet.name)),
		("owner", datanet.owner.to_string()),
		("licence", datanet.licence.clone()),
		("media type", datanet.media_type.clone()),
		("curation", curation.to_owned()),
	]);
	let rows = contributions.iter().map(|contribution| {
		[
			contribution.id.to_string(),
			short(&contribution.contributor),
			short(&contribution.payout),
			contribution.records.count.to_string(),
			bytes(contribution.records.sum),
			state(&contribution.state),
		]
	});
	let heading = ["contribution", "from", "earns", "records", "size", "state"];
	let given = table(&heading, rows);
	let rows = snapshots.iter().map(|snapshot| {
		[
			snapshot.version.to_string(),
			snapshot.contributions.count.to_string(),
			bytes(snapshot.contributions.sum),
			short_hash(&snapshot.contributions.root),
			snapshot.block.to_string(),
		]
	});
	let frozen = table(
		&["snapshot", "contributions", "size", "root", "block"],
		rows,
	);
	let value = json!({
		"datanet": datanet,
		"contributions": contributions,
		"snapshots": snapshots,
	});
	Ok(Output::new(value, format!("{head}\n\n{given}\n\n{frozen}")))
}
