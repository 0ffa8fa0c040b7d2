//! What transactions cost and where the money goes.
#![allow(clippy::unwrap_used)]

mod common;

use common::chain_from_preset;
use frame_support::{
	assert_noop, assert_ok,
	dispatch::{DispatchInfo, GetDispatchInfo, PostDispatchInfo},
	traits::fungible::Inspect,
};
use openledger_runtime::{
	accounts, currency::*, parameters::governed, Balances, Executive, Governance, Runtime,
	RuntimeCall, RuntimeOrigin, RuntimeParameters, System, TransactionPayment,
};
use pallet_transaction_payment::OnChargeTransaction;
use sp_consensus_babe::digests::{PreDigest, SecondaryPlainPreDigest};
use sp_keyring::Sr25519Keyring::{Alice, Bob, Charlie};
use sp_runtime::{
	traits::{BadOrigin, Dispatchable, Header as _},
	Digest, DigestItem,
};

/// Bytes of a signed transfer.
const TRANSFER_LENGTH: u32 = 145;

fn transfer(amount: u128) -> RuntimeCall {
	RuntimeCall::Balances(pallet_balances::Call::transfer_keep_alive {
		dest: Bob.to_account_id().into(),
		value: amount,
	})
}

fn fee_of(call: &RuntimeCall, length: u32) -> u128 {
	TransactionPayment::compute_fee(length, &call.get_dispatch_info(), 0)
}

/// Begins block 1, whose author is Alice, the only validator.
fn begin_block_by_alice() {
	let pre_digest = PreDigest::SecondaryPlain(SecondaryPlainPreDigest {
		authority_index: 0,
		slot: 1.into(),
	});
	let digest = Digest {
		logs: vec![
			<DigestItem as sp_consensus_babe::digests::CompatibleDigestItem>::babe_pre_digest(
				pre_digest,
			),
		],
	};
	let header = openledger_runtime::Header::new(
		1,
		Default::default(),
		Default::default(),
		System::block_hash(0),
		digest,
	);
	Executive::initialize_block(&header);
}

fn charge(who: sp_keyring::Sr25519Keyring, fee: u128, tip: u128) {
	type Charge = <Runtime as pallet_transaction_payment::Config>::OnChargeTransaction;
	let (call, info, post) = (
		transfer(1),
		DispatchInfo::default(),
		PostDispatchInfo::default(),
	);
	let who = who.to_account_id();
	let paid =
		<Charge as OnChargeTransaction<Runtime>>::withdraw_fee(&who, &call, &info, fee + tip, tip)
			.unwrap();
	<Charge as OnChargeTransaction<Runtime>>::correct_and_deposit_fee(
		&who,
		&info,
		&post,
		fee + tip,
		tip,
		paid,
	)
	.unwrap();
}

#[test]
fn an_ordinary_call_should_cost_between_one_and_ten_thousandths_of_an_open() {
	chain_from_preset("development").execute_with(|| {
		let fee = fee_of(&transfer(OPEN), TRANSFER_LENGTH);
		assert!(
			(MILLI_OPEN..=10 * MILLI_OPEN).contains(&fee),
			"a transfer costs {fee}"
		);
	});
}

#[test]
fn fees_should_go_to_the_treasury_and_tips_to_the_author() {
	chain_from_preset("development").execute_with(|| {
		begin_block_by_alice();
		let treasury = accounts::treasury();
		let before = (
			Balances::balance(&treasury),
			Balances::balance(&Alice.to_account_id()),
		);
		let issued = Balances::total_issuance();

		charge(Charlie, 3 * MILLI_OPEN, 2 * OPEN);

		assert_eq!(Balances::balance(&treasury), before.0 + 3 * MILLI_OPEN);
		assert_eq!(
			Balances::balance(&Alice.to_account_id()),
			before.1 + 2 * OPEN
		);
		assert_eq!(Balances::total_issuance(), issued);
	});
}

#[test]
fn a_tip_should_go_to_the_treasury_when_the_block_has_no_author() {
	chain_from_preset("development").execute_with(|| {
		let treasury = accounts::treasury();
		let before = Balances::balance(&treasury);
		charge(Charlie, MILLI_OPEN, OPEN);
		assert_eq!(Balances::balance(&treasury), before + MILLI_OPEN + OPEN);
		assert_eq!(Balances::total_issuance(), TOTAL_SUPPLY);
	});
}

#[test]
fn dust_should_go_to_the_treasury() {
	chain_from_preset("development").execute_with(|| {
		let (bob, treasury) = (Bob.to_account_id(), accounts::treasury());
		let before = Balances::balance(&treasury);
		let leaves_dust = Balances::balance(&bob) - EXISTENTIAL_DEPOSIT / 2;
		assert_ok!(Balances::transfer_allow_death(
			RuntimeOrigin::signed(bob.clone()),
			Charlie.to_account_id().into(),
			leaves_dust
		));
		assert_eq!(Balances::balance(&bob), 0);
		assert_eq!(
			Balances::balance(&treasury),
			before + EXISTENTIAL_DEPOSIT / 2
		);
		assert_eq!(Balances::total_issuance(), TOTAL_SUPPLY);
	});
}

#[test]
fn governance_alone_should_change_fees() {
	chain_from_preset("development").execute_with(|| {
		let before = fee_of(&transfer(OPEN), 0);
		let doubled = || {
			RuntimeParameters::Fees(governed::fees::Parameters::BaseFee(
				governed::fees::BaseFee,
				Some(2 * MILLI_OPEN),
			))
		};
		assert_noop!(
			Governance::set(RuntimeOrigin::signed(Alice.to_account_id()), doubled()),
			BadOrigin
		);
		assert_ok!(Governance::set(RuntimeOrigin::root(), doubled()));
		let after = fee_of(&transfer(OPEN), 0);
		assert!(after.abs_diff(2 * before) <= 2, "{before} became {after}");
	});
}

#[test]
fn a_validator_should_not_be_able_to_drop_its_keys() {
	chain_from_preset("development").execute_with(|| {
		let purge = RuntimeCall::Session(pallet_session::Call::purge_keys {});
		assert_noop!(
			purge.dispatch(RuntimeOrigin::signed(Alice.to_account_id())),
			frame_system::Error::<Runtime>::CallFiltered
		);
	});
}
