//! `openledger rewards`.

use crate::{
	amount::{named, plain},
	context::Context,
	output::{table, Output},
	CliError,
};
use clap::Subcommand;
use openledger_client::{calls, events::AttributionEvent, ChainEvent};
use serde_json::json;

/// What you have earned.
#[derive(Debug, Subcommand)]
pub enum Rewards {
	/// Shows what an account can claim; with `--all`, every account that can.
	Show {
		/// An address or a key's name; otherwise the account of `--key`.
		account: Option<String>,
		/// Every account with something to claim.
		#[arg(long, conflicts_with = "account")]
		all: bool,
	},
	/// Pays out what an account can claim. Anybody may trigger it; only the account is paid.
	Claim {
		/// An address or a key's name; otherwise the account of `--key`.
		account: Option<String>,
	},
}

impl Rewards {
	/// Runs it.
	pub async fn run(self, context: &Context) -> Result<Output, CliError> {
		let chain = context.chain().await?;
		match self {
			Self::Show { all: true, .. } => {
				let credits = chain.credits().await?;
				let rows = credits
					.iter()
					.map(|(who, credit)| [who.to_string(), plain(*credit)]);
				let human = table(&["account", "to claim OPEN"], rows);
				let value: Vec<_> = credits
					.iter()
					.map(|(who, credit)| json!({ "account": who, "credit": credit.to_string() }))
					.collect();
				Ok(Output::new(value, human))
			}
			Self::Show { account, .. } => {
				let account = context.account(account.as_deref())?;
				let credit = chain.credit(&account).await?;
				let hint = match credit {
					0 => "Earnings appear here when the epoch they were redeemed in is settled.",
					_ => "Get it with `openledger rewards claim`.",
				};
				let human = format!("{account} can claim {}. {hint}", named(credit));
				let value = json!({ "account": account, "credit": credit.to_string() });
				Ok(Output::new(value, human))
			}
			Self::Claim { account } => {
				let account = context.account(account.as_deref())?;
				let done = context
					.submit(&chain, &calls::claim(account.clone()))
					.await?;
				let paid = done.events.iter().find_map(|event| match event {
					ChainEvent::Attribution(AttributionEvent::Claimed { amount, .. }) => {
						Some(*amount)
					}
					_ => None,
				});
				let paid = paid.unwrap_or_default();
				let human = format!(
					"{account} was paid {} in block {}.",
					named(paid),
					done.number
				);
				let value = json!({
					"account": account,
					"amount": paid.to_string(),
					"transaction": done,
				});
				Ok(Output::new(value, human))
			}
		}
	}
}
