//! Providers on the whole chain: heartbeats as transactions, prices that change by themselves, and
//! bonds that answer for what was collected.
#![allow(clippy::unwrap_used)]

mod common;

use codec::{Decode, Encode};
use common::{chain_from_preset, check_invariants};
use frame_support::{
	assert_noop, assert_ok,
	traits::{fungible::Inspect, Get},
};
use openledger_primitives::{Hash, Heartbeat, Rate, SignedVoucher, Voucher};
use openledger_runtime::{
	currency::OPEN, parameters::governed::serving, AccountId, Attribution, Balance, Balances,
	BlockNumber, Channels, Executive, Models, Providers, Runtime, RuntimeCall, RuntimeEvent,
	RuntimeOrigin, System, TxExtension, UncheckedExtrinsic,
};
use pallet_channels::SkipReason;
use sp_consensus_babe::digests::{CompatibleDigestItem, PreDigest, SecondaryPlainPreDigest};
use sp_keyring::Sr25519Keyring::{self as Keyring, Alice, Bob, Charlie};
use sp_runtime::{
	generic::Era,
	traits::Header as _,
	transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidityError},
	Digest, DigestItem,
};

/// Serves.
const PROVIDER: Keyring = Bob;
/// The key on the provider's machine.
const HOT_KEY: Keyring = Charlie;

fn signed(who: Keyring) -> RuntimeOrigin {
	RuntimeOrigin::signed(who.to_account_id())
}

/// Begins block `number`, whose author is Alice, the only validator; blocks may have been skipped.
fn begin_block(number: BlockNumber) {
	let pre_digest = PreDigest::SecondaryPlain(SecondaryPlainPreDigest {
		authority_index: 0,
		slot: u64::from(number).into(),
	});
	let digest = Digest {
		logs: vec![<DigestItem as CompatibleDigestItem>::babe_pre_digest(
			pre_digest,
		)],
	};
	System::set_block_number(number - 1);
	let parent = System::block_hash(number - 1);
	let header = openledger_runtime::Header::new(
		number,
		Default::default(),
		Default::default(),
		parent,
		digest,
	);
	Executive::initialize_block(&header);
}

fn text<Bounded: TryFrom<Vec<u8>, Error: core::fmt::Debug>>(text: &str) -> Bounded {
	text.as_bytes().to_vec().try_into().unwrap()
}

/// Registers the provider in block 1 with a base model to serve.
fn register() {
	begin_block(1);
	let rate = Rate {
		input: OPEN,
		output: OPEN,
	};
	assert_ok!(Models::register_base(
		signed(Alice),
		text("small"),
		text("llama"),
		Hash::repeat_byte(2),
		Hash::repeat_byte(3),
		text("Apache-2.0"),
		rate,
	));
	assert_ok!(Providers::register(
		signed(PROVIDER),
		HOT_KEY.to_account_id(),
		text("https://example.org"),
		100 * OPEN,
		vec![0].try_into().unwrap(),
		rate,
	));
}

/// A heartbeat of the provider's machine, as a transaction without a sender.
fn heartbeat(at: BlockNumber, key: Keyring) -> UncheckedExtrinsic {
	let provider = PROVIDER.to_account_id();
	let beat = Heartbeat {
		genesis: System::block_hash(0),
		provider: provider.clone(),
		at,
	};
	let signature = key.sign(beat.digest().as_bytes()).into();
	let call = RuntimeCall::Providers(pallet_providers::Call::heartbeat {
		provider,
		at,
		signature,
	});
	let extension: TxExtension = (
		frame_system::AuthorizeCall::new(),
		frame_system::CheckNonZeroSender::new(),
		frame_system::CheckSpecVersion::new(),
		frame_system::CheckTxVersion::new(),
		frame_system::CheckGenesis::new(),
		frame_system::CheckEra::from(Era::Immortal),
		frame_system::CheckNonce::from(0),
		frame_system::CheckWeight::new(),
		pallet_transaction_payment::ChargeTransactionPayment::from(0),
		frame_metadata_hash_extension::CheckMetadataHash::new(false),
		frame_system::WeightReclaim::new(),
	);
	let transaction = UncheckedExtrinsic::new_transaction(call, extension);
	// As it arrives from outside.
	UncheckedExtrinsic::decode(&mut &transaction.encode()[..]).unwrap()
}

fn refusal(transaction: UncheckedExtrinsic) -> InvalidTransaction {
	match Executive::apply_extrinsic(transaction).unwrap_err() {
		TransactionValidityError::Invalid(invalid) => invalid,
		other => panic!("{other:?}"),
	}
}

#[test]
fn a_heartbeat_should_be_a_transaction_without_sender_and_fee() {
	chain_from_preset("development").execute_with(|| {
		register();
		let block = 1 + serving::HeartbeatPeriod::get();
		begin_block(block);
		let transaction = heartbeat(block, HOT_KEY);
		let parent = System::parent_hash();
		let validity = Executive::validate_transaction(
			TransactionSource::External,
			transaction.clone(),
			parent,
		);
		assert!(validity.unwrap().propagate);

		begin_block(block);
		let money = |who: Keyring| {
			let account: AccountId = who.to_account_id();
			Balances::total_balance(&account)
		};
		let before = [Alice, PROVIDER, HOT_KEY].map(money);
		let issuance = Balances::total_issuance();
		assert_ok!(Executive::apply_extrinsic(transaction.clone()).unwrap());
		assert_eq!([Alice, PROVIDER, HOT_KEY].map(money), before);
		assert_eq!(Balances::total_issuance(), issuance);
		assert_eq!(Providers::last_seen(PROVIDER.to_account_id()), Some(block));
		assert!(Providers::is_alive(PROVIDER.to_account_id()));

		assert_eq!(
			refusal(transaction),
			InvalidTransaction::Stale,
			"a signature is worth one transaction"
		);
		check_invariants();
	});
}

#[test]
fn a_heartbeat_that_says_too_little_should_not_be_included() {
	chain_from_preset("development").execute_with(|| {
		register();
		let block = 1 + serving::HeartbeatPeriod::get();
		begin_block(block);
		assert_eq!(
			refusal(heartbeat(block, PROVIDER)),
			InvalidTransaction::BadProof,
			"the cold key's"
		);
		assert_eq!(
			refusal(heartbeat(block + 1, HOT_KEY)),
			InvalidTransaction::Future
		);
		assert_eq!(
			Providers::last_seen(PROVIDER.to_account_id()),
			Some(1),
			"none of them counted"
		);
	});
}

#[test]
fn a_price_should_change_by_itself_after_the_notice() {
	chain_from_preset("development").execute_with(|| {
		register();
		let dearer = Rate {
			input: 2 * OPEN,
			output: 3 * OPEN,
		};
		assert_ok!(Providers::set_quote(signed(PROVIDER), dearer));
		let provider = PROVIDER.to_account_id();
		let from = Providers::pending_quote(provider.clone()).unwrap().from;
		assert_eq!(from, 1 + serving::QuoteNotice::get());
		for block in 2..from {
			begin_block(block);
			assert_eq!(Providers::quote(provider.clone()).unwrap().id, 1);
		}
		begin_block(from);
		let quote = Providers::quote(provider.clone()).unwrap();
		assert_eq!((quote.id, quote.rate), (2, dearer));
		assert!(Providers::quote_rate(provider, 1).is_some());
		check_invariants();
	});
}

/// A voucher of Alice's for channel 0, signed.
fn voucher(licence: Balance) -> SignedVoucher {
	let voucher = Voucher {
		genesis: System::block_hash(0),
		channel: 0,
		generation: 0,
		lane: 0,
		amount: licence,
		licence,
		tokens: 1_000,
		receipts: Hash::repeat_byte(8),
		quote: 1,
		valid_until: System::block_number() + 10,
	};
	let signature = Alice.sign(voucher.digest().as_bytes()).into();
	SignedVoucher { voucher, signature }
}

/// Why the provider's voucher over `licence` units in all is skipped, if it is.
fn redeem(licence: Balance) -> Option<SkipReason> {
	System::reset_events();
	let vouchers = vec![voucher(licence)].try_into().unwrap();
	assert_ok!(Channels::redeem(signed(HOT_KEY), vouchers));
	System::events()
		.into_iter()
		.find_map(|record| match record.event {
			RuntimeEvent::Channels(pallet_channels::Event::VoucherSkipped { reason, .. }) => {
				Some(reason)
			}
			_ => None,
		})
}

#[test]
fn a_provider_should_collect_no_more_than_its_bond_answers_for() {
	chain_from_preset("development").execute_with(|| {
		register();
		let provider = PROVIDER.to_account_id();
		assert_ok!(Channels::open(
			signed(Alice),
			provider.clone(),
			1_000 * OPEN,
			None
		));
		// Four times the bond of 100.
		assert_eq!(redeem(400 * OPEN + 1), Some(SkipReason::BondTooSmall));
		assert_eq!(redeem(400 * OPEN), None);
		// The protocol's 5 % are not the provider's to account for.
		assert_eq!(Attribution::at_risk(&provider), 380 * OPEN);
		assert_eq!(redeem(420 * OPEN + 1), Some(SkipReason::BondTooSmall));
		assert_ok!(Providers::bond_more(signed(PROVIDER), 10 * OPEN));
		assert_eq!(redeem(460 * OPEN), None);
		drop(Providers::slash_bond(&provider, 10 * OPEN));
		assert_eq!(redeem(464 * OPEN), Some(SkipReason::BondTooSmall));
		check_invariants();
	});
}

#[test]
fn a_provider_should_not_leave_with_its_bond_while_it_owes_an_account() {
	chain_from_preset("development").execute_with(|| {
		register();
		let provider = PROVIDER.to_account_id();
		assert_ok!(Channels::open(
			signed(Alice),
			provider.clone(),
			10 * OPEN,
			None
		));
		assert_eq!(redeem(OPEN), None);
		assert_ok!(Providers::leave(signed(PROVIDER)));
		System::set_block_number(1 + serving::UnbondingPeriod::get());
		assert_noop!(
			Providers::withdraw_bond(signed(PROVIDER)),
			pallet_providers::Error::<Runtime>::BondAtRisk
		);
		check_invariants();
	});
}

#[test]
fn a_provider_should_not_take_its_bond_and_collect_afterwards() {
	chain_from_preset("development").execute_with(|| {
		register();
		let provider = PROVIDER.to_account_id();
		assert_ok!(Channels::open(
			signed(Alice),
			provider.clone(),
			10 * OPEN,
			None
		));
		assert_ok!(Providers::leave(signed(PROVIDER)));
		System::set_block_number(1 + serving::UnbondingPeriod::get());
		assert_ok!(Providers::withdraw_bond(signed(PROVIDER)));
		// Its hot key is nobody's any more, but its own account still is the channel's provider.
		let vouchers = vec![voucher(OPEN)].try_into().unwrap();
		System::reset_events();
		assert_ok!(Channels::redeem(signed(PROVIDER), vouchers));
		System::assert_has_event(
			pallet_channels::Event::<Runtime>::VoucherSkipped {
				index: 0,
				channel: 0,
				lane: 0,
				reason: SkipReason::BondTooSmall,
			}
			.into(),
		);
		assert_eq!(Attribution::at_risk(&provider), 0);
		check_invariants();
	});
}

#[test]
fn a_heartbeats_digest_should_be_what_other_languages_can_compute() {
	let beat = Heartbeat {
		genesis: Hash::repeat_byte(1),
		provider: AccountId::new([2; 32]),
		at: 3,
	};
	let bytes = [
		b"openledger/heartbeat/1".as_slice(),
		&[1; 32],
		&[2; 32],
		&3u32.to_le_bytes(),
	]
	.concat();
	assert_eq!(beat.digest(), Hash::from(sp_io::hashing::sha2_256(&bytes)));
}
