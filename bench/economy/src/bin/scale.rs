//! Prints what networks of several sizes cost the chain in a day.
//!
//! `make bench-economy`

use openledger_economy::scale::{credits_per_block, vouchers_per_block, Network, Settlement};
use openledger_runtime::time::{DAYS, HOURS};

fn row(name: &str, network: Network, settlement: Settlement) {
	let day = network.day(settlement);
	let fullness = day.fullness();
	println!(
		"| {name} | {} | {} | {} | {} | {} | {} | {}.{} % | {} MB |",
		network.providers,
		network.contributors,
		network.lanes,
		network.payees,
		match network.epoch {
			HOURS => "1 hour".into(),
			blocks => format!("{} days", blocks / DAYS),
		},
		day.transactions,
		fullness / 10,
		fullness % 10,
		day.state / 1_000_000,
	);
}

fn main() {
	println!("# What a day costs the chain\n");
	println!(
		"A block takes {} vouchers or credits {} payouts, if it holds nothing else.\n",
		vouchers_per_block(),
		credits_per_block(),
	);
	println!("| network | providers | contributors | lanes a provider redeems an epoch | payees a provider owes an epoch | epoch | transactions a day | of the blocks' room | state grows a day |");
	println!("|---|---|---|---|---|---|---|---|---|");
	let small = Network {
		providers: 100,
		contributors: 10_000,
		lanes: 50,
		payees: 500,
		epoch: HOURS,
		claim_days: 7,
	};
	let middle = Network {
		providers: 1_000,
		contributors: 100_000,
		..small
	};
	let large = Network {
		providers: 10_000,
		contributors: 1_000_000,
		payees: 2_000,
		..small
	};
	row("small, every leaf settled", small, Settlement::Leaves);
	row("middle, every leaf settled", middle, Settlement::Leaves);
	row("large, every leaf settled", large, Settlement::Leaves);
	for days in [1, 7] {
		let epoch = days * DAYS;
		row(
			"large, long epochs",
			Network { epoch, ..large },
			Settlement::Leaves,
		);
	}
	row(
		"large, cumulative roots",
		Network {
			epoch: DAYS,
			claim_days: 30,
			..large
		},
		Settlement::CumulativeRoots,
	);
}
