//! `openledger account`.

use crate::{
	amount::{named, plain, Open},
	context::Context,
	output::{fields, table, Output},
	CliError,
};
use clap::Subcommand;
use openledger_client::calls;
use serde_json::json;

/// What accounts hold.
#[derive(Debug, Subcommand)]
pub enum Account {
	/// Shows what an account holds and can claim.
	Show {
		/// An address, or a key's name; otherwise the account of `--key`.
		account: Option<String>,
	},
	/// Lists every account and the whole supply, all at one block.
	List,
	/// Sends OPEN.
	Send {
		/// To whom: an address or a key's name.
		to: String,
		/// How much, in OPEN.
		amount: Open,
	},
}

impl Account {
	/// Runs it.
	pub async fn run(self, context: &Context) -> Result<Output, CliError> {
		match self {
			Self::Show { account } => {
				let account = context.account(account.as_deref())?;
				let chain = context.chain().await?.pinned().await?;
				let balance = chain.balance(&account).await?;
				let credit = chain.credit(&account).await?;
				let human = fields([
					("account", account.to_string()),
					("free", named(balance.free)),
					("held", named(balance.reserved)),
					("to claim", named(credit)),
				]);
				let value = json!({
					"account": account,
					"free": balance.free.to_string(),
					"reserved": balance.reserved.to_string(),
					"total": balance.total().to_string(),
					"credit": credit.to_string(),
					"nonce": balance.nonce,
				});
				Ok(Output::new(value, human))
			}
			Self::List => {
				let chain = context.chain().await?.pinned().await?;
				let block = chain.number().await?;
				let accounts = chain.all_accounts().await?;
				let issuance = chain.total_issuance().await?;
				let rows = accounts.iter().map(|account| {
					[
						account.account.to_string(),
						plain(account.free),
						plain(account.reserved),
					]
				});
				let human = format!(
					"{}\nAll there is at block {block}: {}",
					table(&["account", "free OPEN", "held OPEN"], rows),
					named(issuance)
				);
				let value = json!({
					"block": block,
					"issuance": issuance.to_string(),
					"accounts": accounts,
				});
				Ok(Output::new(value, human))
			}
			Self::Send { to, amount } => {
				let to = context.account(Some(&to))?;
				let chain = context.chain().await?;
				let call = calls::transfer(to.clone(), amount.0);
				let done = context.submit(&chain, &call).await?;
				let human = format!("Sent {} to {to} in block {}.", named(amount.0), done.number);
				Ok(Output::new(done, human))
			}
		}
	}
}
