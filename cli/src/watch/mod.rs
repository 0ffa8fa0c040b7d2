//! Watching reports: fetch what was published, check it, and dispute what is wrong.

mod facts;

pub use facts::Known;

use crate::{workers, CliError};
use openledger_client::{
	reports::{find, Finding, Withheld},
	types, Chain,
};
use openledger_primitives::{dispute::ReportFacts, AccountId, EpochIndex};

/// Most findings of one report; one strikes it down.
const FINDINGS: usize = 16;

/// A report that was looked at.
#[derive(Debug)]
pub struct Looked {
	/// Whose pot it shares out.
	pub provider: AccountId,
	/// The epoch.
	pub epoch: EpochIndex,
	/// What it committed to.
	pub report: types::Report,
	/// What came of it.
	pub verdict: Verdict,
}

/// What a look at a report showed.
#[derive(Debug)]
pub enum Verdict {
	/// Nothing is wrong with it, as far as its leaves, its receipts and the chain can tell.
	Good {
		/// How many of its receipts were not published, and so could not be checked.
		withheld: usize,
	},
	/// It is wrong, with proof.
	Wrong(Vec<Finding>),
	/// It could not be checked: its worker does not answer, or shows something else.
	Unchecked(String),
}

impl Verdict {
	/// Whether there was nothing that could not be checked.
	pub fn is_whole(&self) -> bool {
		!matches!(self, Self::Unchecked(_) | Self::Good { withheld: 1.. })
	}
}

/// Reports of the last `epochs` epochs that may still be disputed.
pub async fn disputable(
	chain: &Chain,
	provider: Option<&AccountId>,
	epochs: EpochIndex,
) -> Result<Vec<(types::Provider, EpochIndex, types::Report)>, CliError> {
	let now = chain.number().await?;
	let current = chain.epoch().await?.index;
	let mut found = Vec::new();
	for candidate in chain.providers().await? {
		if provider.is_some_and(|provider| *provider != candidate.account) {
			continue;
		}
		for epoch in current.saturating_sub(epochs)..current {
			let report = chain.report(&candidate.account, epoch).await?;
			if let Some(report) = report.filter(|report| report.is_disputable(now)) {
				found.push((candidate.clone(), epoch, report));
			}
		}
	}
	Ok(found)
}

/// Fetches a report's leaves and receipts from its provider's worker and checks them.
pub async fn look(
	chain: &Chain,
	provider: &types::Provider,
	epoch: EpochIndex,
	report: types::Report,
) -> Result<Looked, CliError> {
	let verdict = verdict(chain, provider, epoch, &report).await?;
	Ok(Looked {
		provider: provider.account.clone(),
		epoch,
		report,
		verdict,
	})
}

async fn verdict(
	chain: &Chain,
	provider: &types::Provider,
	epoch: EpochIndex,
	report: &types::Report,
) -> Result<Verdict, CliError> {
	let published = match workers::published(&provider.endpoint, epoch).await {
		Ok(published) => published,
		Err(error) => return Ok(Verdict::Unchecked(error.message)),
	};
	let terms = chain.terms(report.terms).await?.ok_or_else(|| {
		CliError::new(
			"runtime-incompatible",
			"The chain has no terms for its own report.",
		)
	})?;
	let facts = ReportFacts {
		provider: provider.account.clone(),
		epoch,
		reporter: report.reporter.clone(),
		receipts: report.receipts,
		parts: report.parts,
		payouts: report.payouts,
		terms,
	};
	let known = Known::gather(chain, &provider.account, epoch, &published).await?;
	let searched = tokio::task::spawn_blocking(move || {
		let found = find(&published, &facts, &known, FINDINGS)?;
		let missing = published
			.receipt_leaves
			.iter()
			.filter(|leaf| !leaf.receipt.is_zero())
			.filter(|leaf| !published.receipts.contains_key(&leaf.receipt))
			.count();
		Ok::<_, Withheld>((found, missing))
	});
	let searched = searched
		.await
		.map_err(|error| CliError::new("watch", format!("The check was broken off: {error}.")))?;
	Ok(match searched {
		Ok((found, withheld)) if found.is_empty() => Verdict::Good { withheld },
		Ok((found, _)) => Verdict::Wrong(found),
		Err(withheld) => Verdict::Unchecked(withheld.to_string()),
	})
}
