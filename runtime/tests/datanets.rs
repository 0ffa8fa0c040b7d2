//! A contribution's life under reviewers, with the chain's own parameters.

#![allow(clippy::unwrap_used)]

mod common;

use common::{chain_from_preset, check_invariants};
use frame_support::{assert_ok, traits::Get};
use openledger_primitives::{merkle::Tree, AccountId, BlockNumber, Hash, RecordLeaf};
use openledger_runtime::{
	accounts, currency::OPEN, Balances, Datanets, Runtime, RuntimeOrigin, System,
};
use pallet_datanets::{vote_commitment, ContributionState, Curation, RecordProof, Vote};
use sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie, Dave, Eve};

const DATANET: u32 = 0;

fn signed(who: Sr25519Keyring) -> RuntimeOrigin {
	RuntimeOrigin::signed(who.to_account_id())
}

fn bytes<S: Get<u32>>(text: &str) -> frame_support::BoundedVec<u8, S> {
	text.as_bytes().to_vec().try_into().unwrap()
}

fn pass(blocks: BlockNumber) {
	System::set_block_number(System::block_number() + blocks);
}

fn leaves(records: &[u8]) -> Vec<RecordLeaf> {
	records
		.iter()
		.map(|record| RecordLeaf {
			record: Hash::repeat_byte(*record),
			bytes: 100,
		})
		.collect()
}

fn tree(records: &[u8]) -> Tree {
	Tree::new(leaves(records).iter().map(RecordLeaf::node).collect()).unwrap()
}

fn contribute(who: Sr25519Keyring, records: &[u8]) {
	assert_ok!(Datanets::contribute(
		signed(who),
		DATANET,
		tree(records).commitment(),
		bytes("https://example.org/records"),
		who.to_account_id(),
	));
}

fn prove(contribution: u32, records: &[u8], index: u32) -> RecordProof {
	RecordProof {
		contribution,
		index,
		leaf: leaves(records)[index as usize],
		proof: tree(records).proof(index).unwrap().try_into().unwrap(),
	}
}

fn vote(contribution: u32, votes: &[(Sr25519Keyring, Vote)]) {
	let salt = |who: Sr25519Keyring| Hash::from(who.to_raw_public());
	for (who, vote) in votes {
		let account = who.to_account_id();
		let sealed = vote_commitment(DATANET, contribution, &account, *vote, &salt(*who));
		assert_ok!(Datanets::commit_vote(
			signed(*who),
			DATANET,
			contribution,
			sealed
		));
	}
	pass(<Runtime as pallet_datanets::Config>::CommitPeriod::get());
	for (who, vote) in votes {
		assert_ok!(Datanets::reveal_vote(
			signed(*who),
			DATANET,
			contribution,
			*vote,
			salt(*who)
		));
	}
	assert_ok!(Datanets::conclude_review(
		signed(Alice),
		DATANET,
		contribution
	));
}

fn state(contribution: u32) -> Option<ContributionState> {
	Datanets::contribution(DATANET, contribution).map(|kept| kept.state)
}

#[test]
fn a_contribution_should_go_all_its_ways_under_reviewers() {
	chain_from_preset("development").execute_with(|| {
		System::set_block_number(1);
		assert_ok!(Datanets::create(
			signed(Alice),
			bytes("Tide tables"),
			bytes("CC-BY-4.0"),
			bytes("text/plain"),
			Curation::Reviewers,
		));
		for (who, stake) in [(Charlie, 100), (Dave, 200)] {
			assert_ok!(Datanets::join_panel(signed(who), DATANET, stake * OPEN));
		}
		pass(<Runtime as pallet_datanets::Config>::ReviewerWarmUp::get());

		// Rejected by the smaller stake while the larger is away, accepted on appeal.
		contribute(Bob, &[1, 2, 3]);
		vote(0, &[(Charlie, Vote::Reject)]);
		// A third of the stake is just short of the quorum.
		assert_eq!(state(0), Some(ContributionState::Pending));
		assert_ok!(Datanets::open_review(signed(Alice), DATANET, 0));
		vote(0, &[(Charlie, Vote::Accept), (Dave, Vote::Reject)]);
		assert!(matches!(state(0), Some(ContributionState::Rejected { .. })));
		assert_ok!(Datanets::appeal(signed(Bob), DATANET, 0));
		vote(0, &[(Charlie, Vote::Reject), (Dave, Vote::Accept)]);
		assert_eq!(state(0), Some(ContributionState::Accepted { since: 1 }));

		// A second identity brings one of the records of a snapshot again and gets through.
		assert_ok!(Datanets::snapshot(signed(Eve), DATANET));
		pass(<Runtime as pallet_datanets::Config>::OriginalAge::get());
		contribute(Eve, &[9, 2]);
		vote(1, &[(Charlie, Vote::Accept), (Dave, Vote::Accept)]);
		assert_ok!(Datanets::snapshot(signed(Alice), DATANET));
		let treasury = Balances::free_balance(accounts::treasury());
		assert_ok!(Datanets::claim_duplicate(
			signed(Alice),
			DATANET,
			prove(0, &[1, 2, 3], 1),
			prove(1, &[9, 2], 1)
		));
		assert_eq!(
			Balances::free_balance(accounts::treasury()) - treasury,
			OPEN / 2
		);

		// Consent withdrawn, account rotated: the past snapshot pays the new account.
		assert_ok!(Datanets::withdraw(signed(Bob), DATANET, 0));
		let cold: AccountId = [7; 32].into();
		assert_ok!(Datanets::set_payout_account(
			signed(Bob),
			DATANET,
			0,
			cold.clone()
		));
		assert_eq!(Datanets::payout_account(DATANET, 1, 0), Some(cold));
		assert_eq!(
			Datanets::payout_account(DATANET, 2, 1),
			Some(Eve.to_account_id())
		);
		contribute(Bob, &[4]);
		vote(2, &[(Charlie, Vote::Accept), (Dave, Vote::Accept)]);
		assert_ok!(Datanets::snapshot(signed(Eve), DATANET));
		assert_eq!(Datanets::payout_account(DATANET, 3, 0), None);
		assert_eq!(Datanets::payout_account(DATANET, 3, 1), None);
		assert_eq!(
			Datanets::payout_account(DATANET, 3, 2),
			Some(Bob.to_account_id())
		);

		for who in [Charlie, Dave] {
			assert_ok!(Datanets::leave_panel(signed(who), DATANET));
		}
		assert!(Datanets::panel(DATANET).is_empty());
		pass(<Runtime as pallet_datanets::Config>::BondPeriod::get());
		assert_ok!(Datanets::release_bond(signed(Bob), DATANET, 2));
		check_invariants();
	});
}
