//! Every call weighs what was measured.
#![allow(clippy::unwrap_used)]

use frame_support::traits::{Get, GetCallMetadata};
use openledger_runtime::{weights, Runtime, RuntimeCall};
use std::{collections::BTreeSet, fs, path::PathBuf};

/// A call whose weight is not a measured function of its name.
struct Other {
	/// The pallet and the call.
	call: (&'static str, &'static str),
	/// The measured functions that give its weight, `file::function`.
	measured: &'static [&'static str],
	/// Why they do.
	why: &'static str,
}

const OTHERS: &[Other] = &[
	Other {
		call: ("System", "set_code_without_checks"),
		measured: &["frame_system::set_code"],
		why: "it checks less",
	},
	Other {
		call: ("System", "authorize_upgrade_without_checks"),
		measured: &["frame_system::authorize_upgrade"],
		why: "it writes the same",
	},
	Other {
		call: ("Babe", "report_equivocation_unsigned"),
		measured: &["pallet_babe::report_equivocation"],
		why: "the unsigned report is what is measured",
	},
	Other {
		call: ("Grandpa", "report_equivocation_unsigned"),
		measured: &["pallet_grandpa::report_equivocation"],
		why: "the unsigned report is what is measured",
	},
	Other {
		call: ("Parameters", "set_parameter"),
		measured: &["governance::set"],
		why: "nobody may use it, and it would do less than `Governance::set`",
	},
	Other {
		call: ("Scheduler", "schedule_after"),
		measured: &["pallet_scheduler::schedule"],
		why: "it schedules",
	},
	Other {
		call: ("Scheduler", "schedule_named_after"),
		measured: &["pallet_scheduler::schedule_named"],
		why: "it schedules",
	},
	Other {
		call: ("Referenda", "place_decision_deposit"),
		measured: &[
			"pallet_referenda::place_decision_deposit_preparing",
			"pallet_referenda::place_decision_deposit_queued",
			"pallet_referenda::place_decision_deposit_not_queued",
			"pallet_referenda::place_decision_deposit_passing",
			"pallet_referenda::place_decision_deposit_failing",
		],
		why: "the heaviest of what can follow",
	},
	Other {
		call: ("Referenda", "nudge_referendum"),
		measured: &[
			"pallet_referenda::nudge_referendum_no_deposit",
			"pallet_referenda::nudge_referendum_preparing",
			"pallet_referenda::nudge_referendum_queued",
			"pallet_referenda::nudge_referendum_not_queued",
			"pallet_referenda::nudge_referendum_requeued_insertion",
			"pallet_referenda::nudge_referendum_requeued_slide",
			"pallet_referenda::nudge_referendum_begin_deciding_passing",
			"pallet_referenda::nudge_referendum_begin_deciding_failing",
			"pallet_referenda::nudge_referendum_begin_confirming",
			"pallet_referenda::nudge_referendum_end_confirming",
			"pallet_referenda::nudge_referendum_continue_confirming",
			"pallet_referenda::nudge_referendum_continue_not_confirming",
			"pallet_referenda::nudge_referendum_approved",
			"pallet_referenda::nudge_referendum_rejected",
			"pallet_referenda::nudge_referendum_timed_out",
		],
		why: "the heaviest of what can follow",
	},
	Other {
		call: ("Referenda", "one_fewer_deciding"),
		measured: &[
			"pallet_referenda::one_fewer_deciding_queue_empty",
			"pallet_referenda::one_fewer_deciding_passing",
			"pallet_referenda::one_fewer_deciding_failing",
		],
		why: "the heaviest of what can follow",
	},
	Other {
		call: ("Referenda", "set_metadata"),
		measured: &[
			"pallet_referenda::set_some_metadata",
			"pallet_referenda::clear_metadata",
		],
		why: "it sets or clears",
	},
	Other {
		call: ("ConvictionVoting", "vote"),
		measured: &[
			"pallet_conviction_voting::vote_new",
			"pallet_conviction_voting::vote_existing",
		],
		why: "the heavier of the two",
	},
	Other {
		call: ("Multisig", "as_multi"),
		measured: &[
			"pallet_multisig::as_multi_create",
			"pallet_multisig::as_multi_approve",
			"pallet_multisig::as_multi_complete",
		],
		why: "the heaviest of the three, and the call it carries",
	},
	Other {
		call: ("Multisig", "approve_as_multi"),
		measured: &[
			"pallet_multisig::approve_as_multi_create",
			"pallet_multisig::approve_as_multi_approve",
		],
		why: "the heavier of the two",
	},
	Other {
		call: ("Balances", "force_set_balance"),
		measured: &[
			"pallet_balances::force_set_balance_creating",
			"pallet_balances::force_set_balance_killing",
		],
		why: "the heavier of the two",
	},
	Other {
		call: ("Balances", "burn"),
		measured: &[
			"pallet_balances::burn_allow_death",
			"pallet_balances::burn_keep_alive",
		],
		why: "as the caller says",
	},
	Other {
		call: ("Models", "shadow_algorithm"),
		measured: &["pallet_models::change_algorithm"],
		why: "the three changes of an algorithm do the same",
	},
	Other {
		call: ("Models", "activate_algorithm"),
		measured: &["pallet_models::change_algorithm"],
		why: "the three changes of an algorithm do the same",
	},
	Other {
		call: ("Models", "retire_algorithm"),
		measured: &["pallet_models::change_algorithm"],
		why: "the three changes of an algorithm do the same",
	},
	Other {
		call: ("Utility", "with_weight"),
		measured: &[],
		why: "root says what it weighs",
	},
];

/// The file in `weights/` that a pallet's calls are measured in.
fn file_of(pallet: &str) -> String {
	match pallet {
		"System" => "frame_system".into(),
		"Governance" => "governance".into(),
		other => {
			let mut name = String::from("pallet");
			for letter in other.chars() {
				if letter.is_uppercase() {
					name.push('_');
				}
				name.extend(letter.to_lowercase());
			}
			name
		}
	}
}

fn source(path: &str) -> PathBuf {
	PathBuf::from(env!("CARGO_MANIFEST_DIR"))
		.join("src")
		.join(path)
}

/// The weight functions in a generated file.
fn measured(file: &str) -> BTreeSet<String> {
	let text = fs::read_to_string(source(&format!("weights/{file}.rs"))).unwrap_or_default();
	text.lines()
		.filter_map(|line| line.trim_start().strip_prefix("fn "))
		.map(|rest| rest.split('(').next().unwrap().to_owned())
		.collect()
}

#[test]
fn every_call_should_have_a_measured_weight() {
	let mut missing = Vec::new();
	for pallet in RuntimeCall::get_module_names().iter().copied() {
		let own = file_of(pallet);
		for call in RuntimeCall::get_call_names(pallet) {
			let functions = match OTHERS.iter().find(|other| other.call == (pallet, *call)) {
				Some(other) => other.measured.iter().map(|name| name.to_string()).collect(),
				None => vec![format!("{own}::{call}")],
			};
			let unmeasured = functions.into_iter().filter(|function| {
				let (file, name) = function.split_once("::").unwrap();
				!measured(file).contains(name)
			});
			missing.extend(unmeasured);
		}
	}
	assert!(
		missing.is_empty(),
		"not measured: {missing:#?}. Write benchmarks and run `make weights`."
	);
}

#[test]
fn no_exception_should_be_needless() {
	for Other { call, why, .. } in OTHERS {
		let (pallet, name) = call;
		assert!(!why.is_empty());
		assert!(
			RuntimeCall::get_call_names(pallet).contains(name),
			"there is no {pallet}::{name}"
		);
		assert!(
			!measured(&file_of(pallet)).contains(*name),
			"{pallet}::{name} is measured by its name"
		);
	}
}

#[test]
fn every_pallet_should_be_configured_with_measured_weights() {
	let mut configured = 0;
	for entry in fs::read_dir(source("configs")).unwrap() {
		let path = entry.unwrap().path();
		for line in fs::read_to_string(&path).unwrap().lines() {
			let Some((name, weights)) = line
				.trim_start()
				.strip_prefix("type ")
				.and_then(|rest| rest.split_once(" = "))
			else {
				continue;
			};
			if name.ends_with("WeightInfo") {
				configured += 1;
				assert!(
					weights.starts_with("weights::"),
					"{}: {line}",
					path.display()
				);
			}
		}
	}
	assert!(configured >= 24, "only {configured} weights are configured");
}

#[test]
fn a_report_of_too_few_validators_should_weigh_like_one_of_the_largest_set() {
	type OfBabe = <Runtime as pallet_babe::Config>::WeightInfo;
	type OfGrandpa = <Runtime as pallet_grandpa::Config>::WeightInfo;
	let candidates: u32 = <Runtime as pallet_stakes::Config>::MaxCandidates::get();
	let most = weights::MOST_VALIDATORS;
	assert_eq!(most, 2 * candidates);
	assert_eq!(
		<OfBabe as pallet_babe::WeightInfo>::report_equivocation(0, 256),
		<OfBabe as pallet_babe::WeightInfo>::report_equivocation(most, 256)
	);
	assert_eq!(
		<OfGrandpa as pallet_grandpa::WeightInfo>::report_equivocation(0, 256),
		<OfGrandpa as pallet_grandpa::WeightInfo>::report_equivocation(most, 256)
	);
}
