//! The presets a chain starts from.
//!
//! Every preset hands out exactly [`TOTAL_SUPPLY`]: named accounts get their part, the protocol's
//! own accounts one existential deposit each, and the community reserve the rest.
//!
//! Both presets here are for trying things out. Their validators and purses are the well-known
//! development keys (`//Alice` …), which anybody can sign with.

use crate::{
	accounts,
	currency::{EXISTENTIAL_DEPOSIT, OPEN, TOTAL_SUPPLY},
	time::{MINUTES, PRIMARY_PROBABILITY},
	AccountId, BabeConfig, Balance, BalancesConfig, LaunchConfig, RuntimeGenesisConfig,
	SessionConfig, SessionKeys, StakesConfig,
};
use alloc::{vec, vec::Vec};
use frame_support::build_struct_json_patch;
use serde_json::Value;
use sp_consensus_babe::{AllowedSlots, BabeEpochConfiguration};
use sp_genesis_builder::{PresetId, DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET};
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};

/// How BABE fills slots from the first block on.
pub const EPOCH_CONFIG: BabeEpochConfiguration = BabeEpochConfiguration {
	c: PRIMARY_PROBABILITY,
	allowed_slots: AllowedSlots::PrimaryAndSecondaryVRFSlots,
};

/// What each development account owns at genesis.
pub const DEVELOPMENT_PURSE: Balance = 1_000_000 * OPEN;

/// What each development validator has at stake at genesis, besides its purse.
pub const VALIDATOR_STAKE: Balance = 100_000 * OPEN;

/// Slots in a session of the presets: two minutes, to see validators come and go.
const SESSION_SLOTS: u64 = 2 * MINUTES as u64;

/// The development accounts that genesis funds.
const PURSES: [Sr25519Keyring; 12] = [
	Sr25519Keyring::Alice,
	Sr25519Keyring::Bob,
	Sr25519Keyring::Charlie,
	Sr25519Keyring::Dave,
	Sr25519Keyring::Eve,
	Sr25519Keyring::Ferdie,
	Sr25519Keyring::AliceStash,
	Sr25519Keyring::BobStash,
	Sr25519Keyring::CharlieStash,
	Sr25519Keyring::DaveStash,
	Sr25519Keyring::EveStash,
	Sr25519Keyring::FerdieStash,
];

/// A validator run with a development key: `--alice`, `--bob` …
struct DevelopmentValidator {
	account: Sr25519Keyring,
	finality: Ed25519Keyring,
}

const ALICE: DevelopmentValidator = DevelopmentValidator {
	account: Sr25519Keyring::Alice,
	finality: Ed25519Keyring::Alice,
};
const BOB: DevelopmentValidator = DevelopmentValidator {
	account: Sr25519Keyring::Bob,
	finality: Ed25519Keyring::Bob,
};
const CHARLIE: DevelopmentValidator = DevelopmentValidator {
	account: Sr25519Keyring::Charlie,
	finality: Ed25519Keyring::Charlie,
};
const DAVE: DevelopmentValidator = DevelopmentValidator {
	account: Sr25519Keyring::Dave,
	finality: Ed25519Keyring::Dave,
};

impl DevelopmentValidator {
	fn genesis_keys(&self) -> (AccountId, AccountId, SessionKeys) {
		let account = self.account.to_account_id();
		let keys = SessionKeys {
			babe: self.account.public().into(),
			grandpa: self.finality.public().into(),
		};
		(account.clone(), account, keys)
	}
}

/// Adds the protocol's own accounts to `purses` and gives the rest of the supply to the community
/// reserve.
fn allocate(mut purses: Vec<(AccountId, Balance)>) -> Vec<(AccountId, Balance)> {
	purses.extend(accounts::endowed().map(|account| (account, EXISTENTIAL_DEPOSIT)));
	let rest = purses
		.iter()
		.try_fold(0 as Balance, |sum, (_, amount)| sum.checked_add(*amount))
		.and_then(|sum| TOTAL_SUPPLY.checked_sub(sum))
		.expect("the presets' purses are constants that sum to less than the supply; qed");
	purses.push((accounts::community(), rest));
	purses
}

fn development_genesis(validators: &[DevelopmentValidator], launch: LaunchConfig) -> Value {
	let stakes: Vec<(AccountId, Balance)> = validators
		.iter()
		.map(|validator| (validator.account.to_account_id(), VALIDATOR_STAKE))
		.collect();
	let purse = |key: &Sr25519Keyring| {
		let account = key.to_account_id();
		let has_stake = stakes.iter().any(|(staker, _)| *staker == account);
		let stake = if has_stake { VALIDATOR_STAKE } else { 0 };
		(account, DEVELOPMENT_PURSE.saturating_add(stake))
	};
	let purses = PURSES.iter().map(purse).collect();
	build_struct_json_patch!(RuntimeGenesisConfig {
		babe: BabeConfig {
			epoch_config: EPOCH_CONFIG
		},
		balances: BalancesConfig {
			balances: allocate(purses)
		},
		launch,
		session: SessionConfig {
			keys: validators
				.iter()
				.map(DevelopmentValidator::genesis_keys)
				.collect(),
		},
		stakes: StakesConfig { stakes },
	})
}

/// One validator, Alice, and periods short enough to watch money go all the way in minutes.
fn development() -> Value {
	let launch = LaunchConfig {
		trial: true,
		epoch_length: Some(MINUTES / 2),
		dispute_window: Some(3),
		voucher_lifetime: Some(5 * MINUTES),
		thaw_period: Some(6 * MINUTES),
		unbonding_period: Some(10 * MINUTES),
		jail_period: Some(2 * MINUTES),
		quote_notice: Some(3),
		heartbeat_period: Some(MINUTES),
		reviewer_warm_up: Some(3),
		review_period: Some(MINUTES),
		appeal_period: Some(2 * MINUTES),
		session_slots: Some(SESSION_SLOTS),
		slash_delay: Some(5),
		..Default::default()
	};
	development_genesis(&[ALICE], launch)
}

/// Four validators, the fewest that keep finality when one fails.
fn local_testnet() -> Value {
	let launch = LaunchConfig {
		session_slots: Some(SESSION_SLOTS),
		..Default::default()
	};
	development_genesis(&[ALICE, BOB, CHARLIE, DAVE], launch)
}

/// The preset called `id` as JSON, a patch on the default genesis configuration.
pub fn preset(id: &PresetId) -> Option<Vec<u8>> {
	let patch = match id.as_ref() {
		DEV_RUNTIME_PRESET => development(),
		LOCAL_TESTNET_RUNTIME_PRESET => local_testnet(),
		_ => return None,
	};
	serde_json::to_vec(&patch).ok()
}

/// The names [`preset`] knows.
pub fn preset_names() -> Vec<PresetId> {
	vec![
		PresetId::from(DEV_RUNTIME_PRESET),
		PresetId::from(LOCAL_TESTNET_RUNTIME_PRESET),
	]
}
