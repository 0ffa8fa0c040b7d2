//! What an older runtime stored is read as it was meant.

use crate::{
	migrations::{v1, LearnOrigin, PartProposals, V1, V2},
	mock::*,
	*,
};
use frame::{
	deps::{frame_support::traits::OnRuntimeUpgrade, sp_io},
	testing_prelude::{assert_ok, TestState},
	traits::GetStorageVersion,
};

/// The key of an algorithm, spelt out: prefix of pallet and item, and the id after its hash.
fn key(id: AlgorithmId) -> Vec<u8> {
	let mut key = Algorithms::<Test>::hashed_key_for(id);
	let prefix = [
		sp_io::hashing::twox_128(b"Models"),
		sp_io::hashing::twox_128(b"Algorithms"),
	]
	.concat();
	assert!(key.starts_with(&prefix));
	key.truncate(prefix.len());
	key.extend(sp_io::hashing::twox_64(&id.encode()));
	key.extend(id.encode());
	key
}

/// What version 0 stored: a name with its length, 32 bytes of hash, a state.
fn old_bytes(title: &str, spec: u8, state: u8) -> Vec<u8> {
	let mut bytes = vec![u8::try_from(title.len()).unwrap() << 2];
	bytes.extend(title.as_bytes());
	bytes.extend([spec; 32]);
	bytes.push(state);
	bytes
}

fn chain_of_version_0(test: impl FnOnce()) {
	TestState::new_empty().execute_with(|| {
		StorageVersion::new(0).put::<Models>();
		for (id, title, spec, state) in [
			(0, "equal/1", 0, 1),
			(1, "span-sa/1", 7, 1),
			(5, "mix/1", 9, 2),
		] {
			sp_io::storage::set(&key(id), &old_bytes(title, spec, state));
		}
		test();
	});
}

#[test]
fn algorithms_of_version_0_should_keep_id_name_hash_and_state() {
	chain_of_version_0(|| {
		let noted = LearnOrigin::<Test>::note();
		V1::<Test>::on_runtime_upgrade();
		assert_ok!(LearnOrigin::<Test>::verify(&noted));
		assert_eq!(Models::on_chain_storage_version(), 1);
		for (id, title, spec, state) in [
			(0, "equal/1", 0, AlgorithmState::Active),
			(1, "span-sa/1", 7, AlgorithmState::Active),
			(5, "mix/1", 9, AlgorithmState::Retired),
		] {
			let kept = Models::algorithm(id).unwrap();
			assert_eq!(
				(kept.name.clone(), kept.spec, kept.state, kept.proposer),
				(name(title), Hash::repeat_byte(spec), state, None)
			);
			assert_eq!(Models::algorithm_by_name(kept.name), Some(id));
		}
		assert_eq!(Algorithms::<Test>::iter().count(), 3);
		assert_eq!(NextAlgorithm::<Test>::get(), 6);
		Models::do_try_state().unwrap();
	});
}

#[test]
fn the_check_of_the_upgrade_should_notice_what_it_lost_or_changed() {
	chain_of_version_0(|| {
		let noted = LearnOrigin::<Test>::note();
		V1::<Test>::on_runtime_upgrade();
		let kept = Models::algorithm(5).unwrap();
		let changed = Algorithm {
			spec: Hash::zero(),
			..kept.clone()
		};
		for damaged in [None, Some(changed)] {
			Algorithms::<Test>::set(5, damaged);
			assert!(LearnOrigin::<Test>::verify(&noted).is_err());
		}
		Algorithms::<Test>::insert(5, kept);
		assert_ok!(LearnOrigin::<Test>::verify(&noted));
		assert!(LearnOrigin::<Test>::verify(&noted[1..]).is_err());
	});
}

#[test]
fn a_chain_of_this_version_should_not_be_touched() {
	build_and_execute(|| {
		let (proposal, id) = (propose("mix/2"), take_up("mix/1"));
		let before = (Models::proposal(proposal), Models::algorithm(id));
		V1::<Test>::on_runtime_upgrade();
		V2::<Test>::on_runtime_upgrade();
		assert_eq!((Models::proposal(proposal), Models::algorithm(id)), before);
	});
}

#[test]
fn proposals_of_version_1_should_keep_their_number_and_give_their_ids_back() {
	build_and_execute(|| {
		let shadow = take_up("mix/1");
		let new = propose("mix/2");
		// As version 1 had it: the proposal among the algorithms, and ids gone to withdrawn ones.
		StorageVersion::new(1).put::<Models>();
		let deposit = ProposalDeposits::<Test>::take(new).unwrap();
		let said = Proposals::<Test>::take(new).unwrap();
		v1::AlgorithmDeposits::<Test>::insert(70, deposit);
		Algorithms::<Test>::insert(70, &said);
		AlgorithmNames::<Test>::insert(&said.name, 70);
		NextAlgorithm::<Test>::put(90);
		NextProposal::<Test>::kill();

		let noted = PartProposals::<Test>::note();
		V2::<Test>::on_runtime_upgrade();
		assert_ok!(PartProposals::<Test>::verify(&noted));
		assert_eq!(Models::on_chain_storage_version(), 2);
		assert_eq!(Models::proposal(70), Some(said));
		assert_eq!(Models::algorithm(70), None);
		assert_eq!(NextAlgorithm::<Test>::get(), shadow + 1);
		assert_eq!(propose("mix/3"), 90);
		assert_ok!(Models::shadow_algorithm(RuntimeOrigin::root(), 70));
		assert_eq!(Models::algorithm_by_name(name("mix/2")), Some(shadow + 1));
		assert_ok!(Models::withdraw_algorithm(signed(bob()), 90));
		assert_eq!(held(bob()), 0);
	});
}
