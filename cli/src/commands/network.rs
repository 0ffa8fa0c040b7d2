//! `openledger network`.

use crate::{
	amount::named,
	context::Context,
	output::{fields, hash, Output},
	CliError,
};
use openledger_primitives::{Terms, PARTS};
use serde_json::json;

/// Shows the chain: its blocks, epoch, terms and totals.
pub async fn run(context: &Context) -> Result<Output, CliError> {
	let chain = context.chain().await?;
	let (best, finalized) = (chain.best_number().await?, chain.finalized_number().await?);
	let chain = chain.pinned().await?;
	let epoch = chain.epoch().await?;
	let terms = chain.terms(epoch.terms).await?.ok_or_else(|| {
		CliError::new(
			"runtime-incompatible",
			"The chain has no terms for its own epoch.",
		)
	})?;
	let totals = chain.totals().await?;
	let issuance = chain.total_issuance().await?;
	let parameters = chain.parameters().await?;
	let left = epoch
		.start
		.saturating_add(epoch.length)
		.saturating_sub(best);
	let human = fields([
		("node", chain.url().to_owned()),
		("genesis", hash(&chain.genesis())),
		("blocks", format!("best {best}, finalized {finalized}")),
		("supply", named(issuance)),
		(
			"epoch",
			format!(
				"{} since block {}, {left} blocks left",
				epoch.index, epoch.start
			),
		),
		(
			"terms",
			format!("version {}: {}", epoch.terms, shares(&terms)),
		),
		("redeemed", named(totals.redeemed)),
		("  burnt", named(totals.burnt)),
		("  treasury", named(totals.treasury)),
		("  providers", named(totals.providers)),
		("  licences", named(totals.licence)),
		("credited", named(totals.credited)),
		("claimed", named(totals.claimed)),
	]);
	let value = json!({
		"url": chain.url(),
		"genesis": chain.genesis(),
		"best": best,
		"finalized": finalized,
		"issuance": issuance.to_string(),
		"epoch": epoch,
		"terms": terms,
		"totals": totals,
		"parameters": parameters,
	});
	Ok(Output::new(value, human))
}

/// The terms in a line.
fn shares(terms: &Terms) -> String {
	let percent = |parts: u32| f64::from(parts) * 100.0 / f64::from(PARTS);
	format!(
		"cut {} % ({} % of it burnt); base {} %, adapter {} %, stakers {} %, data {} %",
		percent(terms.protocol_cut),
		percent(terms.burnt),
		percent(terms.base_owner),
		percent(terms.adapter_owner),
		percent(terms.stakers),
		percent(terms.data),
	)
}
