//! Proposing, withdrawing, shadowing, activating and retiring attribution algorithms.

use crate::{mock::*, *};
use frame::testing_prelude::{assert_noop, assert_ok};
use AlgorithmState::{Active, Proposed, Retired, Shadow};

fn root() -> RuntimeOrigin {
	RuntimeOrigin::root()
}

fn state(id: AlgorithmId) -> AlgorithmState {
	Models::algorithm(id).unwrap().state
}

#[test]
fn propose_algorithm_should_store_it_and_hold_a_deposit_by_size() {
	build_and_execute(|| {
		let id = propose("mix/1");
		let said = proposal("mix/1");
		assert_last_event(Event::AlgorithmProposed {
			proposal: id,
			proposer: bob(),
			name: said.name.clone(),
			spec: said.spec,
			vectors: said.vectors,
			schema: said.schema,
			uri: said.uri.clone(),
		});
		let stored = Models::proposal(id).unwrap();
		assert_eq!((id, stored.state), (0, Proposed));
		assert_eq!(stored.proposer, Some(bob()));
		assert_eq!(Models::algorithm_by_name(said.name.clone()), None);
		let size = (&stored, &said.name).encoded_size() as Balance;
		assert_eq!(held(bob()), 1_000 + size);
		assert_noop!(
			Models::propose_algorithm(signed(pauper()), proposal("mix/2")),
			TokenError::FundsUnavailable
		);
	});
}

#[test]
fn propose_algorithm_should_refuse_what_is_not_a_name_with_a_version() {
	build_and_execute(|| {
		for bad in [
			"mix", "mix/", "/1", "Mix/1", "mix/0", "mix/01", "mix/1a", "mix/1/2", "m x/1", "",
		] {
			assert_noop!(
				Models::propose_algorithm(signed(bob()), proposal(bad)),
				Error::<Test>::InvalidAlgorithmName
			);
		}
		propose("a-mix.of_2/10");
	});
}

#[test]
fn propose_algorithm_should_refuse_a_name_that_is_taken() {
	build_and_execute(|| {
		take_up("mix/1");
		for taken in ["mix/1", "span-sa/1"] {
			assert_noop!(
				Models::propose_algorithm(signed(alice()), proposal(taken)),
				Error::<Test>::AlgorithmNameTaken
			);
		}
	});
}

#[test]
fn propose_algorithm_should_refuse_zero_hashes_and_a_uri_that_is_empty() {
	type Spoil = fn(&mut AlgorithmProposal<Test>);
	let hashes: [Spoil; 3] = [
		|said| said.spec = Hash::zero(),
		|said| said.vectors = Hash::zero(),
		|said| said.schema = Hash::zero(),
	];
	build_and_execute(|| {
		for spoil in hashes {
			let mut said = proposal("mix/1");
			spoil(&mut said);
			assert_noop!(
				Models::propose_algorithm(signed(bob()), said),
				Error::<Test>::NoHash
			);
		}
		let said = AlgorithmProposal {
			uri: Default::default(),
			..proposal("mix/1")
		};
		assert_noop!(
			Models::propose_algorithm(signed(bob()), said),
			Error::<Test>::InvalidText
		);
	});
}

#[test]
fn a_name_should_belong_to_the_first_that_is_taken_up_not_to_the_first_that_is_proposed() {
	build_and_execute(|| {
		let (squatted, wanted) = (propose("mix/1"), propose("mix/1"));
		assert_ok!(Models::shadow_algorithm(root(), wanted));
		assert_noop!(
			Models::shadow_algorithm(root(), squatted),
			Error::<Test>::AlgorithmNameTaken
		);
		assert_ok!(Models::withdraw_algorithm(signed(bob()), squatted));
	});
}

#[test]
fn proposals_should_not_use_up_the_ids_of_algorithms() {
	build_and_execute(|| {
		NextAlgorithm::<Test>::put(AlgorithmId::MAX - 1);
		for _ in 0..3 {
			let proposal = propose("mix/1");
			assert_ok!(Models::withdraw_algorithm(signed(bob()), proposal));
		}
		assert_eq!(NextAlgorithm::<Test>::get(), AlgorithmId::MAX - 1);
		assert_eq!(take_up("mix/1"), AlgorithmId::MAX - 1);
	});
}

#[test]
fn withdraw_algorithm_should_return_the_deposit_and_not_free_the_id() {
	build_and_execute(|| {
		let id = propose("mix/1");
		assert_ok!(Models::withdraw_algorithm(signed(bob()), id));
		assert_last_event(Event::AlgorithmWithdrawn {
			proposal: id,
			proposer: bob(),
		});
		assert_eq!((held(bob()), Models::proposal(id)), (0, None));
		assert_eq!(propose("mix/1"), id + 1);
	});
}

#[test]
fn withdraw_algorithm_should_refuse_others_and_what_governance_took_up() {
	build_and_execute(|| {
		let id = propose("mix/1");
		assert_noop!(
			Models::withdraw_algorithm(signed(alice()), id),
			Error::<Test>::NotProposer
		);
		assert_noop!(
			Models::withdraw_algorithm(signed(bob()), 9),
			Error::<Test>::UnknownProposal
		);
		assert_ok!(Models::shadow_algorithm(root(), id));
		assert_noop!(
			Models::withdraw_algorithm(signed(bob()), id),
			Error::<Test>::UnknownProposal
		);
	});
}

#[test]
fn governance_should_lead_an_algorithm_from_proposal_to_retirement() {
	build_and_execute(|| {
		let proposal = propose("mix/1");
		let said = Models::proposal(proposal).unwrap();
		assert_ok!(Models::shadow_algorithm(root(), proposal));
		let id = Models::algorithm_by_name(name("mix/1")).unwrap();
		System::assert_has_event(
			Event::<Test>::AlgorithmTakenUp {
				proposal,
				algorithm: id,
			}
			.into(),
		);
		assert_last_event(Event::AlgorithmStateChanged {
			algorithm: id,
			from: Proposed,
			to: Shadow,
		});
		let kept = Models::algorithm(id).unwrap();
		assert_eq!((kept.spec, kept.uri), (said.spec, said.uri));
		assert_eq!((state(id), held(bob())), (Shadow, 0));
		assert_ok!(Models::activate_algorithm(root(), id));
		assert_eq!(state(id), Active);
		assert_ok!(Models::retire_algorithm(root(), id));
		assert_eq!(state(id), Retired);
	});
}

#[test]
fn governance_should_skip_no_step_and_take_none_back() {
	build_and_execute(|| {
		let proposal = propose("mix/1");
		let wrong = || Error::<Test>::WrongAlgorithmState;
		let id = NextAlgorithm::<Test>::get();
		for skip in [Models::activate_algorithm, Models::retire_algorithm] {
			assert_noop!(skip(root(), id), Error::<Test>::UnknownAlgorithm);
		}
		assert_ok!(Models::shadow_algorithm(root(), proposal));
		assert_noop!(
			Models::shadow_algorithm(root(), proposal),
			Error::<Test>::UnknownProposal
		);
		assert_ok!(Models::retire_algorithm(root(), id));
		assert_noop!(Models::activate_algorithm(root(), id), wrong());
		assert_noop!(Models::retire_algorithm(root(), id), wrong());
	});
}

#[test]
fn nobody_but_governance_should_decide_on_algorithms() {
	build_and_execute(|| {
		let id = propose("mix/1");
		let bad = DispatchError::BadOrigin;
		assert_noop!(Models::shadow_algorithm(signed(bob()), id), bad);
		let id = take_up("mix/3");
		assert_noop!(Models::activate_algorithm(signed(bob()), id), bad);
		assert_noop!(Models::retire_algorithm(signed(bob()), id), bad);
		assert_noop!(Models::propose_algorithm(root(), proposal("mix/2")), bad);
	});
}

#[test]
fn retire_algorithm_should_leave_one_to_choose() {
	build_and_execute(|| {
		assert_ok!(Models::retire_algorithm(root(), algorithm::EQUAL_1));
		assert_noop!(
			Models::retire_algorithm(root(), algorithm::SPAN_SA_1),
			Error::<Test>::LastActiveAlgorithm
		);
	});
}

#[test]
fn an_adapter_should_keep_the_algorithm_it_chose_when_that_retires() {
	build_and_execute(|| {
		let id = adapter(base(), 9);
		let chosen = Models::adapter(id).unwrap().algorithm;
		assert_ok!(Models::retire_algorithm(root(), chosen));
		assert_eq!(Models::adapter(id).unwrap().algorithm, chosen);
		assert_eq!(state(chosen), Retired);
		assert_noop!(
			Models::register_adapter(signed(bob()), registration(0, 8)),
			Error::<Test>::AlgorithmNotActive
		);
	});
}
