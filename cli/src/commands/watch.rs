//! `openledger watch`.

use crate::{
	context::Context,
	output::{say, short},
	watch::{disputable, look, Looked, Verdict},
	CliError,
};
use clap::Args;
use openledger_client::{calls, Chain};
use openledger_primitives::{AccountId, BlockNumber, EpochIndex, Hash};
use serde_json::{json, Value};
use std::{collections::HashSet, time::Duration};

/// Checks every usage report that can still be disputed against what its worker published and what the
/// chain knows, and disputes what is wrong; of what it is not shown it demands an audit. Part of the bond
/// of a provider that is proven wrong goes to whoever proved it.
#[derive(Debug, Args)]
pub struct Watch {
	/// Looks once and ends; otherwise it goes on until it is stopped.
	#[arg(long)]
	once: bool,

	/// Says what is wrong, but disputes nothing and demands nothing.
	#[arg(long)]
	dry_run: bool,

	/// Only this provider: an address or a key's name.
	#[arg(long, value_name = "ACCOUNT")]
	provider: Option<String>,

	/// Demands an audit of a report that is not shown whole when no more than so many blocks are left
	/// to dispute it. That costs a deposit, which whoever answers gets. 0 demands none.
	#[arg(long, default_value_t = 600, value_name = "BLOCKS")]
	demand_within: BlockNumber,

	/// How many epochs back.
	#[arg(long, default_value_t = 48, value_name = "N")]
	epochs: EpochIndex,

	/// Seconds between two looks.
	#[arg(long, default_value_t = 6, value_name = "SECONDS")]
	every: u64,
}

impl Watch {
	/// Runs it.
	pub async fn run(self, context: &Context) -> Result<(), CliError> {
		let provider = match &self.provider {
			Some(name) => Some(context.account(Some(name))?),
			None => None,
		};
		if !self.dry_run {
			// A watcher that cannot sign would find out when it matters.
			context.key()?;
		}
		let chain = context.chain().await?;
		let mut done = HashSet::new();
		loop {
			let round = self
				.round(context, &chain, provider.as_ref(), &mut done)
				.await;
			match round {
				Err(error) if self.once => return Err(error),
				Err(error) => eprintln!("{}", error.message),
				Ok(()) => {}
			}
			if self.once {
				return Ok(());
			}
			tokio::time::sleep(Duration::from_secs(self.every.max(1))).await;
		}
	}

	/// Looks at every report that was not looked at before. What could not be checked is tried again;
	/// what goes wrong with one report keeps no other from being checked.
	async fn round(
		&self,
		context: &Context,
		chain: &Chain,
		provider: Option<&AccountId>,
		done: &mut HashSet<(AccountId, EpochIndex, Hash)>,
	) -> Result<(), CliError> {
		let view = chain.finalized().pinned().await?;
		let mut first = Ok(());
		for (candidate, epoch, report) in disputable(&view, provider, self.epochs).await? {
			let key = (candidate.account.clone(), epoch, report.parts.root);
			if done.contains(&key) {
				continue;
			}
			let checked = match look(&view, &candidate, epoch, report).await {
				Ok(looked) => self.act(context, chain, &looked).await.map(|()| looked),
				Err(error) => Err(error),
			};
			match checked {
				// It may be shown yet, or an audit be due.
				Ok(looked) if !looked.verdict.is_whole() => {}
				Ok(_) => {
					done.insert(key);
				}
				Err(error) => first = first.and(Err(error)),
			}
		}
		first
	}

	/// Disputes what is wrong, demands what is not shown, and says what was found.
	async fn act(&self, context: &Context, chain: &Chain, looked: &Looked) -> Result<(), CliError> {
		let mut disputed = None;
		let mut demanded = None;
		if !looked.verdict.is_whole() && self.is_to_be_demanded(chain, looked).await? {
			let call = calls::demand_audit(looked.provider.clone(), looked.epoch);
			demanded = Some(context.submit(chain, &call).await?);
		}
		if let (Verdict::Wrong(found), false) = (&looked.verdict, self.dry_run) {
			if let Some(finding) = found.first() {
				let dispute = finding.dispute.clone();
				let call = calls::dispute(looked.provider.clone(), looked.epoch, dispute);
				disputed = Some(context.submit(chain, &call).await?);
			}
		}
		let line = match context.global.json {
			true => {
				let mut line = describe(looked);
				line["dispute"] = json!(disputed);
				line["demand"] = json!(demanded);
				line.to_string()
			}
			false if demanded.is_some() => format!("{}; audit demanded", sentence(looked, false)),
			false => sentence(looked, disputed.is_some()),
		};
		say(&format!("{line}\n"));
		Ok(())
	}

	/// Whether it is time to demand an audit, and nobody has.
	async fn is_to_be_demanded(&self, chain: &Chain, looked: &Looked) -> Result<bool, CliError> {
		let left = looked.report.open_at.saturating_sub(chain.number().await?);
		if self.dry_run || looked.report.audit.is_some() || left == 0 || left > self.demand_within {
			return Ok(false);
		}
		Ok(!chain.is_demanded(&looked.provider, looked.epoch).await?)
	}
}

fn describe(looked: &Looked) -> Value {
	let (verdict, detail) = match &looked.verdict {
		Verdict::Good { withheld } => ("good", json!({ "withheld": withheld })),
		Verdict::Wrong(found) => (
			"wrong",
			json!(found
				.iter()
				.map(|finding| finding.fault)
				.collect::<Vec<_>>()),
		),
		Verdict::Unchecked(why) => ("unchecked", json!(why)),
	};
	json!({
		"provider": looked.provider,
		"epoch": looked.epoch,
		"receipts": looked.report.receipts.count,
		"verdict": verdict,
		"detail": detail,
	})
}

fn sentence(looked: &Looked, disputed: bool) -> String {
	let about = format!(
		"{} epoch {}, {} receipts",
		short(&looked.provider),
		looked.epoch,
		looked.report.receipts.count
	);
	match &looked.verdict {
		Verdict::Good { withheld: 0 } => format!("{about}: good"),
		Verdict::Good { withheld } => {
			format!("{about}: nothing wrong found, but {withheld} receipts were not shown")
		}
		Verdict::Wrong(found) => {
			let faults: Vec<String> = found
				.iter()
				.map(|finding| format!("{:?}", finding.fault))
				.collect();
			let done = if disputed { "disputed" } else { "not disputed" };
			format!("{about}: WRONG ({}), {done}", faults.join(", "))
		}
		Verdict::Unchecked(why) => format!("{about}: cannot be checked: {why}"),
	}
}
