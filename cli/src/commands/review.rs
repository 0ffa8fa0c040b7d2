//! `openledger datanet review`.

use crate::{
	amount::{named, plain, Open},
	context::Context,
	home::write_whole,
	output::{fields, short, table, Output},
	CliError,
};
use clap::{Subcommand, ValueEnum};
use openledger_client::{reviews, Chain};
use openledger_primitives::{AccountId, ContributionId, DatanetId, Hash};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::PathBuf;

/// Reviewing contributions, with money at stake.
#[derive(Debug, Subcommand)]
pub enum Review {
	/// Shows a Datanet's panel and, with a contribution, its review.
	Show {
		/// The Datanet.
		datanet: DatanetId,
		/// The contribution.
		contribution: Option<ContributionId>,
	},
	/// Joins a Datanet's panel, or puts more at stake there.
	Join {
		/// The Datanet.
		datanet: DatanetId,
		/// What to put at stake, in OPEN.
		stake: Open,
	},
	/// Leaves a panel; the stake comes back when the reviews with a vote of yours are concluded.
	Leave {
		/// The Datanet.
		datanet: DatanetId,
	},
	/// Opens the review of a contribution that waits for one.
	Open {
		/// The Datanet.
		datanet: DatanetId,
		/// The contribution.
		contribution: ContributionId,
	},
	/// Commits to a vote, which stays secret, and keeps what `reveal` needs in the home folder.
	Commit {
		/// The Datanet.
		datanet: DatanetId,
		/// The contribution.
		contribution: ContributionId,
		/// The vote.
		#[arg(value_enum)]
		vote: Vote,
	},
	/// Reveals the vote that this machine committed to.
	Reveal {
		/// The Datanet.
		datanet: DatanetId,
		/// The contribution.
		contribution: ContributionId,
	},
	/// Counts the votes of a review that is over.
	Conclude {
		/// The Datanet.
		datanet: DatanetId,
		/// The contribution.
		contribution: ContributionId,
	},
	/// Removes a rejected contribution that nobody appealed for in time.
	Clear {
		/// The Datanet.
		datanet: DatanetId,
		/// The contribution.
		contribution: ContributionId,
	},
}

/// What a reviewer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Vote {
	/// It belongs into the Datanet.
	Accept,
	/// It does not.
	Reject,
}

impl From<Vote> for reviews::Vote {
	fn from(vote: Vote) -> Self {
		match vote {
			Vote::Accept => Self::Accept,
			Vote::Reject => Self::Reject,
		}
	}
}

/// What is needed to reveal a vote.
#[derive(Debug, Serialize, Deserialize)]
struct Sealed {
	vote: reviews::Vote,
	salt: Hash,
}

impl Review {
	/// Runs it.
	pub async fn run(self, context: &Context, chain: &Chain) -> Result<Output, CliError> {
		match self {
			Self::Show {
				datanet,
				contribution,
			} => show(chain, datanet, contribution).await,
			Self::Join { datanet, stake } => {
				let call = reviews::join_panel(datanet, stake.0);
				let done = context.submit(chain, &call).await?;
				let human = format!(
					"{} are at stake in the panel of Datanet {datanet}. They get a seat when they have \
					 stood for a while; `openledger datanet review show {datanet}` shows the panel.",
					named(stake.0)
				);
				Ok(Output::new(
					json!({ "datanet": datanet, "transaction": done }),
					human,
				))
			}
			Self::Leave { datanet } => {
				let done = context
					.submit(chain, &reviews::leave_panel(datanet))
					.await?;
				let human = format!(
					"Left the panel of Datanet {datanet}. Stake with open votes comes back when those \
					 reviews are concluded."
				);
				Ok(Output::new(
					json!({ "datanet": datanet, "transaction": done }),
					human,
				))
			}
			Self::Open {
				datanet,
				contribution,
			} => {
				let call = reviews::open_review(datanet, contribution);
				let done = context.submit(chain, &call).await?;
				let human = format!("Opened the review of {datanet}/{contribution}.");
				Ok(Output::new(json!({ "transaction": done }), human))
			}
			Self::Commit {
				datanet,
				contribution,
				vote,
			} => {
				let reviewer = context.account(None)?;
				let path = path_of(context, datanet, contribution, &reviewer);
				let sealed = Sealed {
					vote: vote.into(),
					salt: reviews::random_salt(),
				};
				// On disk first: a vote whose salt is lost cannot be revealed, and costs stake.
				let kept = serde_json::to_vec_pretty(&sealed)
					.map_err(|error| CliError::new("internal", error.to_string()))?;
				let review = chain.review(datanet, contribution).await?;
				let committed = review
					.iter()
					.flat_map(|review| &review.seats)
					.any(|seat| seat.reviewer == reviewer && seat.committed);
				if committed {
					return Err(CliError::usage(format!(
						"You have committed to a vote on {datanet}/{contribution} already. Reveal that \
						 one with `openledger datanet review reveal {datanet} {contribution}`."
					)));
				}
				write_whole(&path, &kept)?;
				let call = reviews::commit_vote(
					datanet,
					contribution,
					&reviewer,
					sealed.vote,
					&sealed.salt,
				);
				let done = context.submit(chain, &call).await?;
				let human = format!(
					"Committed. What reveals the vote is in {}; keep it, and run `openledger datanet \
					 review reveal {datanet} {contribution}` when the time to commit is over.",
					path.display()
				);
				Ok(Output::new(
					json!({ "file": path, "transaction": done }),
					human,
				))
			}
			Self::Reveal {
				datanet,
				contribution,
			} => {
				let reviewer = context.account(None)?;
				let path = path_of(context, datanet, contribution, &reviewer);
				let kept = std::fs::read(&path).map_err(|error| CliError::io(&path, error))?;
				let sealed: Sealed = serde_json::from_slice(&kept).map_err(|error| {
					CliError::usage(format!("{} is no vote: {error}.", path.display()))
				})?;
				let call = reviews::reveal_vote(datanet, contribution, sealed.vote, sealed.salt);
				let done = context.submit(chain, &call).await?;
				let human = format!("Revealed the vote on {datanet}/{contribution}.");
				Ok(Output::new(
					json!({ "vote": sealed.vote, "transaction": done }),
					human,
				))
			}
			Self::Conclude {
				datanet,
				contribution,
			} => {
				let call = reviews::conclude_review(datanet, contribution);
				let done = context.submit(chain, &call).await?;
				let human = format!("Concluded the review of {datanet}/{contribution}.");
				Ok(Output::new(json!({ "transaction": done }), human))
			}
			Self::Clear {
				datanet,
				contribution,
			} => {
				let call = reviews::clear_rejected(datanet, contribution);
				let done = context.submit(chain, &call).await?;
				let human = format!("Removed {datanet}/{contribution}.");
				Ok(Output::new(json!({ "transaction": done }), human))
			}
		}
	}
}

/// Where what reveals a vote is kept.
fn path_of(
	context: &Context,
	datanet: DatanetId,
	contribution: ContributionId,
	reviewer: &AccountId,
) -> PathBuf {
	let name = format!("{datanet}-{contribution}-{reviewer}.json");
	context.home.path().join("votes").join(name)
}

async fn show(
	chain: &Chain,
	datanet: DatanetId,
	contribution: Option<ContributionId>,
) -> Result<Output, CliError> {
	let panel = chain.panel(datanet).await?;
	let rows = panel.iter().map(|reviewer| {
		[
			short(&reviewer.account),
			plain(reviewer.stake),
			reviewer.since.to_string(),
			reviewer.seats.to_string(),
			if reviewer.leaving { "leaving" } else { "" }.to_owned(),
		]
	});
	let heading = ["reviewer", "stake OPEN", "since block", "open seats", ""];
	let mut human = table(&heading, rows);
	let mut review = None;
	if let Some(id) = contribution {
		review = chain.review(datanet, id).await?;
		match &review {
			None => human.push_str(&format!("\n\nNo review of {datanet}/{id} is open.")),
			Some(review) => {
				let head = fields([
					("review of", format!("{datanet}/{id}")),
					("on appeal", review.appeal.to_string()),
					("commit before block", review.commit_until.to_string()),
					("reveal before block", review.reveal_until.to_string()),
				]);
				let rows = review.seats.iter().map(|seat| {
					let ballot = match (seat.vote, seat.committed) {
						(Some(reviews::Vote::Accept), _) => "accept",
						(Some(reviews::Vote::Reject), _) => "reject",
						(None, true) => "committed",
						(None, false) => "",
					};
					[short(&seat.reviewer), plain(seat.weight), ballot.to_owned()]
				});
				let seats = table(&["seat", "weight OPEN", "vote"], rows);
				human.push_str(&format!("\n\n{head}\n\n{seats}"));
			}
		}
	}
	let value = json!({ "datanet": datanet, "panel": panel, "review": review });
	Ok(Output::new(value, human))
}
