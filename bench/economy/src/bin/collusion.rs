//! Prints what a ring that pays itself loses at every corner of what governance may choose.
//!
//! `make bench-economy`

use openledger_economy::collusion::{corners, rings, Ring};
use openledger_primitives::{Terms, OPEN, PARTS};
use openledger_runtime::governance::rules::{LEAST_TERMS, MOST_TERMS};
use std::process::ExitCode;

/// Parts per million as a percentage with two digits.
fn percent(parts: i128) -> String {
	format!("{:.2} %", parts as f64 / f64::from(PARTS) * 100.0)
}

fn row(terms: &Terms) -> bool {
	let ring = |stake| Ring {
		compute: OPEN,
		licence: 3 * OPEN,
		stake,
		adapter: true,
	};
	let loss = |stake| {
		ring(stake)
			.play(terms)
			.map_or(0, |outcome| outcome.loss_parts())
	};
	let losses = [loss(0), loss(PARTS / 3), loss(PARTS)];
	println!(
		"| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
		percent(terms.protocol_cut.into()),
		percent(terms.burnt.into()),
		percent(terms.base_owner.into()),
		percent(terms.adapter_owner.into()),
		percent(terms.stakers.into()),
		percent(terms.data.into()),
		percent(losses[0]),
		percent(losses[1]),
		percent(losses[2]),
	);
	rings().iter().all(|ring| {
		ring.play(terms)
			.and_then(|outcome| outcome.loss())
			.is_some_and(|loss| loss > 0)
	})
}

fn main() -> ExitCode {
	println!("# A ring of payer, provider, owners, contributors and stakers pays itself\n");
	println!(
		"It pays 1 OPEN for compute and 3 OPEN for licences, and gets back all but its loss.\n"
	);
	println!("| cut | burnt of it | base | adapter | stakers | data | loss without stake | with 1/3 of all stake | with all stake |");
	println!("|---|---|---|---|---|---|---|---|---|");
	let defaults = row(&Terms::default());
	let corners = corners(&LEAST_TERMS, &MOST_TERMS);
	let losing = corners.iter().filter(|terms| row(terms)).count();
	println!(
		"\nThe first row holds the defaults. {losing} of {} corners lose money for every one of {} rings.",
		corners.len(),
		rings().len(),
	);
	if defaults && losing == corners.len() {
		ExitCode::SUCCESS
	} else {
		ExitCode::FAILURE
	}
}
