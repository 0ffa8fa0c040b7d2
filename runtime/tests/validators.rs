//! Who validates, in the whole runtime: sessions change by BABE's slots, keys are real, and a
//! validator that signs two blocks of one slot pays for it.
#![allow(clippy::unwrap_used)]

mod common;

use codec::{Decode, Encode};
use common::{chain_from_preset, check_invariants, preset_names};
use frame_support::{
	assert_noop, assert_ok,
	traits::{
		fungible::{Inspect, InspectHold},
		KeyOwnerProofSystem, OnFinalize, OnInitialize,
	},
};
use openledger_runtime::{
	accounts, currency::*, launch::SessionSlots, AccountId, AllPalletsWithSystem, Authorship, Babe,
	Balances, BlockNumber, Grandpa, Hash, Header, Historical, Runtime, RuntimeCall, RuntimeOrigin,
	Session, SessionKeys, Stakes, System,
};
use pallet_stakes::HoldReason;
use sp_consensus_babe::{
	digests::{CompatibleDigestItem, PreDigest, SecondaryPlainPreDigest},
	AuthorityId as BabeId, EquivocationProof, Slot, KEY_TYPE,
};
use sp_core::Pair;
use sp_io::TestExternalities;
use sp_keyring::{
	Ed25519Keyring,
	Sr25519Keyring::{self, Alice, Bob, Charlie, Dave, Eve, Ferdie},
};
use sp_keystore::{testing::MemoryKeystore, KeystoreExt};
use sp_runtime::{
	traits::{Dispatchable, Header as _},
	transaction_validity::TransactionSource,
	Digest, DigestItem, Perbill,
};

const FIRST_SLOT: u64 = 1_000_000;

fn chain(preset: &str) -> TestExternalities {
	let mut chain = chain_from_preset(preset);
	chain.register_extension(KeystoreExt::new(MemoryKeystore::new()));
	chain
}

fn signed(key: Sr25519Keyring) -> RuntimeOrigin {
	RuntimeOrigin::signed(key.to_account_id())
}

fn sorted(keys: &[Sr25519Keyring]) -> Vec<AccountId> {
	let mut accounts: Vec<_> = keys.iter().map(|key| key.to_account_id()).collect();
	accounts.sort();
	accounts
}

fn held(who: &AccountId) -> u128 {
	Balances::balance_on_hold(&HoldReason::Stake.into(), who)
}

fn pre_digest(authority_index: u32, slot: u64) -> DigestItem {
	DigestItem::babe_pre_digest(PreDigest::SecondaryPlain(SecondaryPlainPreDigest {
		authority_index,
		slot: slot.into(),
	}))
}

/// The slot of the session's first block, in which every block of these tests is.
fn slot() -> u64 {
	FIRST_SLOT + u64::from(Session::current_index()) * SessionSlots::<Runtime>::get()
}

/// A block of the first validator that may make one in `slot`.
fn block(slot: u64) {
	let disabled = Session::disabled_validators();
	let author = (0..4).find(|index| !disabled.contains(index)).unwrap();
	block_of(author, slot);
}

fn block_of(author: u32, slot: u64) {
	let number = System::block_number() + 1;
	let digest = Digest {
		logs: vec![pre_digest(author, slot)],
	};
	System::initialize(&number, &System::parent_hash(), &digest);
	AllPalletsWithSystem::on_initialize(number);
	Authorship::on_finalize(number);
	Babe::on_finalize(number);
	Grandpa::on_finalize(number);
}

/// Goes on to the first block of the next session.
fn next_session() {
	if System::block_number() == 0 {
		block(FIRST_SLOT);
	}
	let before = Session::current_index();
	block(slot() + SessionSlots::<Runtime>::get());
	assert_eq!(Session::current_index(), before + 1);
	assert_eq!(
		pallet_stakes::CurrentSession::<Runtime>::get(),
		Session::current_index()
	);
	check_invariants();
}

fn next_sessions(count: u32) {
	for _ in 0..count {
		next_session();
	}
}

/// Sets new session keys of `who`.
fn set_keys(who: Sr25519Keyring) -> SessionKeys {
	let generated = SessionKeys::generate(&who.to_account_id().encode(), None);
	assert_ok!(Session::set_keys(
		signed(who),
		generated.keys.clone(),
		generated.proof.encode()
	));
	generated.keys
}

#[test]
fn every_presets_validators_should_have_enough_at_stake_to_be_elected() {
	for preset in preset_names() {
		chain(&preset).execute_with(|| {
			assert_eq!(Stakes::elected(), Session::validators(), "{preset}");
			for validator in Session::validators() {
				assert_eq!(
					held(&validator),
					Stakes::candidate(validator).unwrap().own,
					"{preset}"
				);
			}
			assert_eq!(Balances::total_issuance(), TOTAL_SUPPLY);
		});
	}
}

#[test]
fn each_session_should_have_a_set_of_its_own() {
	chain("local_testnet").execute_with(|| {
		// Genesis makes the first two.
		next_session();
		for session in 2..6 {
			next_session();
			assert_eq!(Grandpa::current_set_id(), session - 1);
			assert_eq!(Session::validators(), sorted(&[Alice, Bob, Charlie, Dave]));
		}
	});
}

#[test]
fn rotated_keys_should_take_effect() {
	chain("local_testnet").execute_with(|| {
		next_session();
		let keys = set_keys(Bob);
		next_sessions(2);
		let finalisers: Vec<_> = Grandpa::grandpa_authorities();
		assert!(finalisers.iter().any(|(id, _)| *id == keys.grandpa));
		assert!(Babe::authorities().iter().any(|(id, _)| *id == keys.babe));
	});
}

#[test]
fn a_candidate_should_enter_the_set_with_stake_and_keys_and_leave_it_when_chilled() {
	chain("local_testnet").execute_with(|| {
		next_session();
		let generated = SessionKeys::generate(&Eve.to_account_id().encode(), None);
		assert_noop!(
			Session::set_keys(signed(Eve), generated.keys, generated.proof.encode()),
			pallet_session::Error::<Runtime>::NoAssociatedValidatorId
		);
		assert_ok!(Stakes::bond(
			signed(Eve),
			50_000 * OPEN,
			Perbill::from_percent(5)
		));
		next_sessions(2);
		assert_eq!(Session::validators().len(), 4, "it has no keys");
		let keys = set_keys(Eve);
		next_sessions(2);
		assert_eq!(
			Session::validators(),
			sorted(&[Alice, Bob, Charlie, Dave, Eve])
		);
		assert!(Babe::authorities().iter().any(|(id, _)| *id == keys.babe));

		assert_ok!(Stakes::chill(signed(Eve)));
		next_sessions(2);
		assert_eq!(Session::validators(), sorted(&[Alice, Bob, Charlie, Dave]));
		assert_noop!(
			Stakes::purge_keys(signed(Eve)),
			pallet_stakes::Error::<Runtime>::KeysInUse
		);
	});
}

/// A block of `author` in `slot` that differs from others by `number`, with its seal.
fn sealed_header(author: Sr25519Keyring, authority_index: u32, slot: u64, number: u32) -> Header {
	let mut header = Header::new(
		number,
		Default::default(),
		Default::default(),
		Default::default(),
		Digest {
			logs: vec![pre_digest(authority_index, slot)],
		},
	);
	let signature = author.pair().sign(header.hash().as_ref());
	header
		.digest_mut()
		.push(DigestItem::babe_seal(signature.into()));
	header
}

/// Two blocks that `offender` made in the present slot.
fn double_block(offender: Sr25519Keyring) -> EquivocationProof<Header> {
	let slot = slot();
	let id = BabeId::from(offender.public());
	let index = Babe::authorities()
		.iter()
		.position(|(authority, _)| *authority == id)
		.unwrap() as u32;
	EquivocationProof {
		offender: id,
		slot: Slot::from(slot),
		first_header: sealed_header(offender, index, slot, 7),
		second_header: sealed_header(offender, index, slot, 8),
	}
}

/// Reports that `offender` made two blocks in the present slot, as the author of a block does.
fn report(offender: Sr25519Keyring) {
	let proof = double_block(offender);
	let key_owner = Historical::prove((KEY_TYPE, proof.offender.clone())).unwrap();
	let call = pallet_babe::Call::<Runtime>::report_equivocation_unsigned {
		equivocation_proof: Box::new(proof),
		key_owner_proof: key_owner,
	};
	assert_ok!(RuntimeCall::from(call).dispatch(RuntimeOrigin::none()));
}

#[test]
fn reports_that_pay_no_fee_should_get_into_a_block_by_its_author_only() {
	chain("local_testnet").execute_with(|| {
		next_sessions(2);
		let blocks = double_block(Bob);
		let key_owner = Historical::prove((KEY_TYPE, blocks.offender.clone())).unwrap();
		let id = sp_consensus_grandpa::AuthorityId::from(Ed25519Keyring::Bob.public());
		let of_votes = Historical::prove((sp_consensus_grandpa::KEY_TYPE, id)).unwrap();
		let calls: [RuntimeCall; 2] = [
			pallet_babe::Call::report_equivocation {
				equivocation_proof: Box::new(blocks),
				key_owner_proof: key_owner,
			}
			.into(),
			pallet_grandpa::Call::report_equivocation {
				equivocation_proof: Box::new(double_vote(
					Ed25519Keyring::Bob,
					Grandpa::current_set_id(),
				)),
				key_owner_proof: of_votes,
			}
			.into(),
		];
		for call in calls {
			assert_noop!(
				call.dispatch(signed(Ferdie))
					.map_err(|refused| refused.error),
				frame_system::Error::<Runtime>::CallFiltered
			);
		}
		// Nor by others' nodes: an unsigned one does not travel.
		let call = pallet_babe::Call::<Runtime>::report_equivocation_unsigned {
			equivocation_proof: Box::new(double_block(Bob)),
			key_owner_proof: Historical::prove((KEY_TYPE, double_block(Bob).offender)).unwrap(),
		};
		let from = |source| Babe::validate_unsigned(source, &call);
		assert!(from(TransactionSource::External).is_err());
		assert!(!from(TransactionSource::Local).unwrap().propagate);
		report(Bob);
		assert!(Stakes::jail(Bob.to_account_id()).is_some());
	});
}

#[test]
fn a_validator_that_signs_two_blocks_of_a_slot_should_lose_its_place_and_its_stake() {
	chain("local_testnet").execute_with(|| {
		assert_ok!(Stakes::delegate(
			signed(Ferdie),
			Bob.to_account_id(),
			10_000 * OPEN
		));
		next_sessions(2);
		let stake = held(&Bob.to_account_id());
		report(Bob);

		// One of four: the square of three quarters.
		let fraction = Perbill::from_rational(9u32, 16u32);
		let seized = fraction * stake;
		let bob = Stakes::candidate(Bob.to_account_id()).unwrap();
		assert_eq!(bob.own, stake - seized);
		assert_eq!(
			bob.stake,
			stake - seized + (10_000 * OPEN - fraction * (10_000 * OPEN))
		);
		assert!(Stakes::jail(Bob.to_account_id()).is_some());
		assert_eq!(Session::disabled_validators().len(), 1);

		next_sessions(2);
		assert_eq!(Session::validators(), sorted(&[Alice, Charlie, Dave]));

		let treasury = Balances::balance(&accounts::treasury());
		let issuance = Balances::total_issuance();
		next_sessions(7 * 24);
		assert_eq!(held(&Bob.to_account_id()), stake - seized);
		assert_eq!(
			Balances::balance(&accounts::treasury()) - treasury,
			seized + fraction * (10_000 * OPEN)
		);
		assert_eq!(Balances::total_issuance(), issuance);
		assert!(Stakes::slashes().is_empty());

		assert_ok!(Stakes::unjail(signed(Bob)));
		next_sessions(2);
		assert_eq!(Session::validators(), sorted(&[Alice, Bob, Charlie, Dave]));
	});
}

/// Two votes of one round, both signed by `voter`, as nodes send them.
fn double_vote(
	voter: Ed25519Keyring,
	set: u64,
) -> sp_consensus_grandpa::EquivocationProof<Hash, BlockNumber> {
	use sp_consensus_grandpa::{
		localized_payload, AuthorityId, AuthoritySignature, Message, Prevote,
	};
	type Vote = (Prevote<Header>, AuthoritySignature);
	const ROUND: u64 = 1;
	const PREVOTE: u8 = 0;
	let vote = |target: u8| -> Vote {
		let vote = Prevote::<Header> {
			target_hash: [target; 32].into(),
			target_number: 10,
		};
		let message = Message::<Header>::Prevote(vote.clone());
		let signature = voter.pair().sign(&localized_payload(ROUND, set, &message));
		(vote, signature.into())
	};
	let parts: (u64, u8, u64, AuthorityId, Vote, Vote) =
		(set, PREVOTE, ROUND, voter.public().into(), vote(0), vote(1));
	Decode::decode(&mut &parts.encode()[..]).unwrap()
}

#[test]
fn a_double_vote_should_be_reported_for_the_session_it_was_cast_in_only() {
	chain("local_testnet").execute_with(|| {
		let voter = Ed25519Keyring::Bob;
		let id = sp_consensus_grandpa::AuthorityId::from(voter.public());
		let mut proofs = vec![];
		let mut set = 0;
		next_session();
		for session in 2..=4 {
			next_session();
			if session == 3 {
				set = Grandpa::current_set_id();
			}
			proofs.push(Historical::prove((sp_consensus_grandpa::KEY_TYPE, id.clone())).unwrap());
		}
		let [before, same, after] = proofs.try_into().ok().unwrap();
		let report = |proof| {
			let votes = Box::new(double_vote(voter, set));
			Grandpa::report_equivocation_unsigned(RuntimeOrigin::none(), votes, proof)
				.map(|_| ())
				.map_err(|refused| refused.error)
		};
		let invalid = || pallet_grandpa::Error::<Runtime>::InvalidEquivocationProof;
		assert_noop!(report(before), invalid());
		assert_noop!(report(after), invalid());
		assert_ok!(report(same));
		assert_eq!(Stakes::slashes()[0].1.offence, 3);
	});
}

#[test]
fn a_validator_that_is_switched_off_should_lose_its_seat() {
	chain("local_testnet").execute_with(|| {
		next_session();
		let off = Session::validators()[3].clone();
		for _ in 0..8 {
			let slots = slot() + 1..slot() + SessionSlots::<Runtime>::get();
			for (author, slot) in (0..3).cycle().zip(slots) {
				block_of(author, slot);
			}
			next_session();
		}
		assert!(!Stakes::candidate(off.clone()).unwrap().active);
		assert!(Session::validators()
			.iter()
			.all(|who| Stakes::candidate(who.clone()).is_some()));
		// Of four candidates three are too few, so that it stays as one of the fallback.
		next_sessions(2);
		assert!(Session::validators().contains(&off));
		assert!(!Stakes::elected().is_empty());
	});
}

#[test]
fn governance_should_be_able_to_cancel_a_slash() {
	use openledger_runtime::governance::Origin;
	chain("local_testnet").execute_with(|| {
		next_session();
		let stake = held(&Bob.to_account_id());
		report(Bob);
		assert_noop!(
			Stakes::cancel_slash(Origin::Treasurer.into(), 0),
			sp_runtime::DispatchError::BadOrigin
		);
		let free = Balances::balance(&Bob.to_account_id());
		assert_ok!(Stakes::cancel_slash(Origin::Canceller.into(), 0));
		let left = Stakes::candidate(Bob.to_account_id()).unwrap().own;
		assert_eq!(Balances::balance(&Bob.to_account_id()) - free, stake - left);
		check_invariants();
	});
}

#[test]
fn the_only_validator_should_go_on_whatever_it_does() {
	chain("development").execute_with(|| {
		next_session();
		report(Alice);
		// Alone it may not misbehave at all: everything it had at stake is gone.
		assert_eq!(Stakes::candidate(Alice.to_account_id()), None);
		next_sessions(4);
		assert_eq!(Session::validators(), sorted(&[Alice]));
		assert!(Session::disabled_validators().is_empty());
	});
}

#[test]
fn what_attribution_credits_to_the_stakers_should_be_theirs_at_the_end_of_the_session() {
	use pallet_attribution::{Credits, Totals};
	chain("local_testnet").execute_with(|| {
		next_session();
		// As a settlement does it.
		let share = 1_000 * OPEN;
		Credits::<Runtime>::insert(accounts::stakers_pot(), share);
		Totals::<Runtime>::mutate(|totals| totals.credited += share);
		assert_ok!(Balances::transfer_keep_alive(
			signed(Ferdie),
			accounts::attribution_pot().into(),
			share
		));
		for (author, slot) in (0..4).zip(slot() + 1..) {
			block_of(author, slot);
		}
		next_session();
		assert_eq!(Credits::<Runtime>::get(accounts::stakers_pot()), 0);
		let quarter = share / 4;
		for validator in Session::validators() {
			let free = Balances::balance(&validator);
			assert_ok!(Stakes::claim(
				signed(Ferdie),
				validator.clone(),
				validator.clone()
			));
			let rounded = quarter - (Balances::balance(&validator) - free);
			assert!(rounded < MICRO_OPEN / 1_000_000, "{rounded} units less");
		}
		let left = Balances::balance(&accounts::stakers_pot()) - EXISTENTIAL_DEPOSIT;
		assert!(left < MICRO_OPEN / 1_000_000);
	});
}
