//! A hundred thousand random operations over all our pallets together, on the real runtime: people who
//! contribute, review, register models, serve, pay, report, cheat, dispute, stake and govern, rightly
//! and wrongly, while blocks and sessions pass. After each, nothing is lost of the money; every so often
//! every invariant of every pallet is checked.
//!
//! `OPENLEDGER_RANDOM_OPS` says how many operations, `OPENLEDGER_RANDOM_SEED` runs one seed alone: that of
//! a failure, which prints its seed, its step and the operations before it.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod data;
mod governance;
mod market;
mod people;
mod reports;
mod stakes;
mod world;

use frame_support::traits::GetCallMetadata;
use openledger_runtime::RuntimeCall;
use std::{
	collections::BTreeMap,
	thread,
	time::{Duration, Instant},
};
use world::{Tally, World};

/// Operations in all, shared out among the seeds.
const OPERATIONS: u64 = 100_000;
/// Each has a chain of its own.
const SEEDS: [u64; 4] = [1, 2, 3, 4];
/// Operations between two checks of every invariant.
const BETWEEN_CHECKS: u64 = 500;

/// An operation, and how often it is chosen.
type Operation = (u32, fn(&mut World));

const OPERATIONS_BY_WEIGHT: &[Operation] = &[
	(200, World::pass_block),
	// Datanets.
	(6, World::create),
	(60, World::contribute),
	(25, World::accept),
	(8, World::reject),
	(20, World::snapshot),
	(8, World::withdraw_contribution),
	(6, World::set_payout_account),
	(14, World::release_bond),
	(24, World::claim_duplicate),
	(12, World::join_panel),
	(5, World::leave_panel),
	(10, World::open_review),
	(80, World::commit_vote),
	(60, World::reveal_vote),
	(30, World::conclude_review),
	(20, World::appeal),
	(8, World::clear_rejected),
	// Models.
	(4, World::register_base),
	(10, World::register_adapter),
	(2, World::retire_adapter),
	(4, World::propose_algorithm),
	(2, World::withdraw_algorithm),
	(4, World::shadow_algorithm),
	(3, World::activate_algorithm),
	(2, World::retire_algorithm),
	// Providers.
	(14, World::register_provider),
	(10, World::set_quote),
	(5, World::set_hot_key),
	(4, World::set_endpoint),
	(8, World::bond_more_as_provider),
	(4, World::leave),
	(6, World::withdraw_bond),
	(14, World::unjail_provider),
	(14, World::heartbeat),
	// Channels.
	(30, World::open_channel),
	(20, World::top_up),
	(10, World::set_delegate),
	(8, World::thaw),
	(4, World::cancel_thaw),
	(8, World::withdraw_escrow),
	(8, World::close),
	(120, World::redeem),
	// Attribution.
	(80, World::report),
	(14, World::report_for),
	(50, World::dispute),
	(60, World::answer_audit),
	(14, World::fail_audit),
	(110, World::settle),
	(40, World::claim_credit),
	(8, World::forfeit),
	(14, World::demand_audit),
	(14, World::sweep),
	// Stakes.
	(6, World::bond),
	(6, World::set_keys),
	(8, World::bond_more),
	(10, World::unbond),
	(16, World::delegate),
	(12, World::undelegate),
	(14, World::withdraw_unbonded),
	(16, World::claim_rewards),
	(4, World::validate),
	(3, World::chill),
	(6, World::unjail),
	(4, World::purge_keys),
	(6, World::dissolve),
	(6, World::equivocate),
	(8, World::cancel_slash),
	(2, World::set_fallback),
	// The rest.
	(20, World::govern),
	(20, World::transfer),
];

fn run(seed: u64, operations: u64) -> Tally {
	let mut whole = Duration::ZERO;
	let mut chain = common::chain_from_preset("development");
	chain.register_extension(sp_keystore::KeystoreExt::new(
		sp_keystore::testing::MemoryKeystore::new(),
	));
	chain.execute_with(|| {
		let mut world = World::new(seed);
		world.begin();
		for step in 0..operations {
			world.step = step;
			let operation = world.choose(OPERATIONS_BY_WEIGHT);
			operation(&mut world);
			world.check_money();
			if step % BETWEEN_CHECKS == BETWEEN_CHECKS - 1 {
				let started = Instant::now();
				world.check_everything();
				whole += started.elapsed();
			}
		}
		world.check_everything();
		world.check_time = whole;
		world.finish()
	})
}

/// The fewest successes of each call in a whole run, all seeds together, and the exceptions.
fn fewest(pallet: &str, call: &str) -> u32 {
	match (pallet, call) {
		// Takes a stake's whole way out of the set first, more than 168 sessions.
		("Stakes", "purge_keys" | "dissolve") => 1,
		("Stakes", "cancel_slash") | ("Datanets", "clear_rejected") => 5,
		_ => 20,
	}
}

fn setting(name: &str) -> Option<u64> {
	let text = std::env::var(name).ok()?;
	Some(
		text.parse()
			.unwrap_or_else(|_| panic!("{name} is a number, not {text}")),
	)
}

#[test]
fn no_sequence_of_operations_should_break_an_invariant() {
	let started = Instant::now();
	let operations = setting("OPENLEDGER_RANDOM_OPS").unwrap_or(OPERATIONS);
	let seeds = match setting("OPENLEDGER_RANDOM_SEED") {
		Some(seed) => vec![seed],
		None => SEEDS.to_vec(),
	};
	let each = operations / seeds.len() as u64;
	println!("{operations} operations, seeds {seeds:?}");
	let runs: Vec<_> = seeds
		.iter()
		.map(|seed| {
			let seed = *seed;
			thread::Builder::new()
				.name(format!("seed {seed}"))
				.spawn(move || run(seed, each))
				.unwrap()
		})
		.collect();
	let mut tally = Tally::default();
	// What failed is printed where it did.
	let results: Vec<_> = runs.into_iter().map(|run| run.join()).collect();
	for (seed, result) in seeds.iter().zip(results) {
		tally.add(result.unwrap_or_else(|_| panic!("seed {seed} fails, see above")));
	}
	println!("{tally}");
	println!("{:.1} s", started.elapsed().as_secs_f64());
	if operations < OPERATIONS || seeds.len() < SEEDS.len() {
		return;
	}

	let mut missing = BTreeMap::new();
	for pallet in [
		"Datanets",
		"Models",
		"Providers",
		"Channels",
		"Attribution",
		"Stakes",
		"Governance",
	] {
		for call in RuntimeCall::get_call_names(pallet) {
			let ok = tally.successes(pallet, call);
			if ok < fewest(pallet, call) {
				missing.insert((pallet, *call), ok);
			}
		}
	}
	for (what, least) in [
		("voucher paid", 1_000),
		("voucher paid in part", 50),
		("voucher skipped", 300),
		("lie disputed", 100),
		("false dispute refused", 100),
		("audit drawn", 100),
		("validators changed", 20),
		("slash carried out", 5),
		("transaction with a fee", 1_000),
	] {
		if tally.count(what) < least {
			missing.insert(("at least", what), tally.count(what));
		}
	}
	assert!(missing.is_empty(), "tried too little: {missing:?}");
}
