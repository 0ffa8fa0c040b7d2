//! What holds at block zero, whichever preset a chain starts from.
#![allow(clippy::unwrap_used)]

mod common;

use common::{chain_from_preset, check_invariants, preset_names};
use frame_support::traits::fungible::Inspect;
use openledger_runtime::{
	accounts, configs::MAX_BLOCK_WEIGHT, currency::*, Babe, Balances, Grandpa, Historical, Runtime,
	Session,
};
use sp_keyring::Sr25519Keyring::{Alice, Bob, Charlie, Dave};

#[test]
fn every_preset_should_issue_exactly_the_supply() {
	for preset in preset_names() {
		chain_from_preset(&preset).execute_with(|| {
			let accounts = frame_system::Account::<Runtime>::iter_keys();
			let held: u128 = accounts.map(|who| Balances::total_balance(&who)).sum();
			assert_eq!(Balances::total_issuance(), 1_000_000_000 * OPEN, "{preset}");
			assert_eq!(held, Balances::total_issuance(), "{preset}");
			check_invariants();
		});
	}
}

#[test]
fn every_preset_should_open_the_protocol_accounts() {
	for preset in preset_names() {
		chain_from_preset(&preset).execute_with(|| {
			for account in accounts::endowed() {
				assert_eq!(
					Balances::free_balance(account),
					EXISTENTIAL_DEPOSIT,
					"{preset}"
				);
			}
			assert!(Balances::free_balance(accounts::community()) > 900_000_000 * OPEN);
		});
	}
}

#[test]
fn development_should_have_one_validator_and_local_testnet_four() {
	let validators_of = |preset| {
		chain_from_preset(preset).execute_with(|| {
			assert_eq!(Babe::authorities().len(), Session::validators().len());
			assert_eq!(
				Grandpa::grandpa_authorities().len(),
				Session::validators().len()
			);
			Session::validators()
		})
	};
	let mut four: Vec<_> = [Alice, Bob, Charlie, Dave]
		.map(|key| key.to_account_id())
		.into();
	four.sort();
	assert_eq!(validators_of("development"), [Alice.to_account_id()]);
	assert_eq!(validators_of("local_testnet"), four);
}

#[test]
fn the_first_sessions_should_be_provable() {
	chain_from_preset("local_testnet").execute_with(|| {
		for session in [0, 1] {
			let (_, count) = Historical::historical_root(session).expect("root of the session");
			assert_eq!(count, 4);
		}
	});
}

#[test]
fn an_unknown_preset_should_be_refused() {
	assert!(openledger_runtime::genesis::preset(&"moon".into()).is_none());
}

#[test]
fn a_block_should_take_at_most_a_third_of_its_slot() {
	let slot_picoseconds = openledger_runtime::time::SLOT_MILLIS * 1_000_000_000;
	assert_eq!(MAX_BLOCK_WEIGHT.ref_time() * 3, slot_picoseconds);
}
