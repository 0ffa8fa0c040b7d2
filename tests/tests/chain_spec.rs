//! The test network's specification, made by the script that makes the real one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use openledger_tests::binary;
use serde_json::{json, Value};
use std::{
	path::{Path, PathBuf},
	process::{Command, Output},
};

/// Key of the storage value `Balances.TotalIssuance`.
const ISSUANCE: &str = "0xc2261276cc9d1f8598ea4b6a74b15c2f57c875e4cff74148e4628f264b974c80";
/// 1,000,000,000 OPEN in units.
const SUPPLY: u128 = 1_000_000_000 * 1_000_000_000_000_000_000;

fn folder() -> PathBuf {
	Path::new(env!("CARGO_MANIFEST_DIR")).join("../chain-spec")
}

fn make(holders: &Path, parameters: &Path, output: &Path) -> Output {
	Command::new("python3")
		.arg(folder().join("make.py"))
		.arg("--node")
		.arg(binary("openledger-node").unwrap())
		.arg("--holders")
		.arg(holders)
		.arg("--parameters")
		.arg(parameters)
		.arg("--output")
		.arg(output)
		.output()
		.unwrap()
}

fn read(path: &Path) -> Value {
	serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_test_network_should_begin_with_the_whole_supply_and_nothing_else() {
	let output = tempfile::tempdir().unwrap();
	let (holders, parameters) = (
		folder().join("test-holders.json"),
		folder().join("testnet.json"),
	);
	let made = make(&holders, &parameters, output.path());
	assert!(made.status.success(), "{made:?}");

	// Read from what nodes are given, after the runtime itself has built the genesis.
	let raw = read(&output.path().join("openledger_testnet.raw.json"));
	let issuance = raw["genesis"]["raw"]["top"][ISSUANCE].as_str().unwrap();
	let bytes: Vec<u8> = (2..issuance.len())
		.step_by(2)
		.map(|i| u8::from_str_radix(&issuance[i..i + 2], 16).unwrap())
		.collect();
	assert_eq!(u128::from_le_bytes(bytes.try_into().unwrap()), SUPPLY);

	let printed = String::from_utf8(made.stdout).unwrap();
	let accounts = &read(&holders)["accounts"];
	for (name, open) in [
		("investors", "182,900,000"),
		("team", "150,000,000"),
		("liquidity", "50,000,000"),
	] {
		let line = format!("{open}  {}", accounts[name].as_str().unwrap());
		assert!(
			printed.contains(&line),
			"{name} has not {open} OPEN:\n{printed}"
		);
	}
}

#[test]
fn a_specification_should_not_be_made_from_mistaken_parameters() {
	let output = tempfile::tempdir().unwrap();
	let refuse = |change: &dyn Fn(&mut Value, &mut Value), expected: &str| {
		let mut holders = read(&folder().join("test-holders.json"));
		let mut parameters = read(&folder().join("testnet.json"));
		change(&mut holders, &mut parameters);
		let paths = ["holders", "parameters"].map(|name| output.path().join(name));
		std::fs::write(&paths[0], holders.to_string()).unwrap();
		std::fs::write(&paths[1], parameters.to_string()).unwrap();
		let made = make(&paths[0], &paths[1], output.path());
		let message = String::from_utf8(made.stderr).unwrap();
		assert!(!made.status.success());
		assert!(message.contains(expected), "{message}");
	};
	refuse(
		&|_, parameters| parameters["allocation"]["team"]["percent"] = json!("80"),
		"more than the supply",
	);
	refuse(
		&|holders, _| {
			holders["accounts"].as_object_mut().unwrap().remove("team");
		},
		"no account for team",
	);
	refuse(
		&|holders, _| {
			// One wrong character.
			holders["accounts"]["team"] = json!("5Fmued74BBWS3S4kX2kvSxvsvwrE7CNEjNfZDmSZZ39R5nkf");
		},
		"no address",
	);
	refuse(
		&|holders, _| {
			holders["validators"].as_array_mut().unwrap().pop();
		},
		"four validators",
	);
	refuse(
		&|holders, _| holders["validators"][0]["session_keys"] = json!("0x00"),
		"not 64",
	);
}
