//! `openledger watch`.

use crate::{
	context::Context,
	output::{say, short},
	watch::{disputable, look, Looked, Verdict},
	CliError,
};
use clap::Args;
use openledger_client::{calls, Chain};
use openledger_primitives::{AccountId, EpochIndex, Hash};
use serde_json::{json, Value};
use std::{collections::HashSet, time::Duration};

/// Checks every usage report that can still be disputed against what its worker published and what the
/// chain knows, and disputes what is wrong. Part of the bond of a provider that is proven wrong goes to
/// whoever proved it.
#[derive(Debug, Args)]
pub struct Watch {
	/// Looks once and ends; otherwise it goes on until it is stopped.
	#[arg(long)]
	once: bool,

	/// Says what is wrong, but does not dispute it.
	#[arg(long)]
	dry_run: bool,

	/// Only this provider: an address or a key's name.
	#[arg(long, value_name = "ACCOUNT")]
	provider: Option<String>,

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
				Ok(looked) if matches!(looked.verdict, Verdict::Unchecked(_)) => {}
				Ok(_) => {
					done.insert(key);
				}
				Err(error) => first = first.and(Err(error)),
			}
		}
		first
	}

	/// Disputes what is wrong, and says what was found.
	async fn act(&self, context: &Context, chain: &Chain, looked: &Looked) -> Result<(), CliError> {
		let mut disputed = None;
		if let (Verdict::Wrong(found), false) = (&looked.verdict, self.dry_run) {
			if let Some(finding) = found.first() {
				let dispute = finding.dispute.clone();
				let call = calls::dispute(looked.provider.clone(), looked.epoch, dispute);
				disputed = Some(context.submit(chain, &call).await?);
			}
		}
		let line = match context.global.json {
			true => describe(looked, disputed.as_ref().map(|sent| json!(sent))).to_string(),
			false => sentence(looked, disputed.is_some()),
		};
		say(&format!("{line}\n"));
		Ok(())
	}
}

fn describe(looked: &Looked, transaction: Option<Value>) -> Value {
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
		"dispute": transaction,
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
