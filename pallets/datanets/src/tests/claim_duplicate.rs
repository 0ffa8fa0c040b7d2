use crate::{
	mock::{Datanets, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

const OURS: [&str; 3] = ["a wren", "an owl", "a rook"];
const THEIRS: [&str; 5] = ["a crow", "a tit", "a kite", "an owl", "a gull"];

/// Bob's records, known by snapshot 1, and Carol's, one of which is Bob's, both accepted, with the
/// proofs of it.
fn copied(datanet: DatanetId) -> (RecordProof, RecordProof) {
	let first = give(bob(), datanet, &OURS);
	snapshot(datanet);
	pass(ORIGINAL_AGE);
	let second = give(carol(), datanet, &THEIRS);
	(prove(first, &OURS, 1), prove(second, &THEIRS, 3))
}

fn claim(datanet: DatanetId, proofs: &(RecordProof, RecordProof)) -> DispatchResult {
	let (original, duplicate) = proofs.clone();
	Datanets::claim_duplicate(signed(mallory()), datanet, original, duplicate)
}

#[test]
fn claim_duplicate_should_exclude_the_later_contribution_from_later_snapshots() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let proofs = copied(id);
		snapshot(id);
		assert_ok!(claim(id, &proofs));
		assert_eq!(
			state(id, 1),
			Some(ContributionState::Duplicate {
				since: 2,
				until: 3,
				original: 0
			})
		);
		assert_eq!(state(id, 0), Some(ContributionState::Accepted { since: 1 }));
		snapshot(id);
		assert_eq!(Datanets::snapshot_at(id, 2).unwrap().contributions.count, 2);
		assert_eq!(Datanets::snapshot_at(id, 3).unwrap().contributions.count, 1);
		assert_eq!(Datanets::payout_account(id, 2, 1), Some(carol()));
		assert_eq!(Datanets::payout_account(id, 3, 1), None);
	});
}

#[test]
fn claim_duplicate_should_divide_the_bond_between_claimer_and_treasury() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let proofs = copied(id);
		snapshot(id);
		let bond = Datanets::bond(id, 1).unwrap().amount;
		assert_eq!(bond, 5_700);
		assert_ok!(claim(id, &proofs));
		assert_last_event(Event::DuplicateProven {
			datanet: id,
			contribution: 1,
			contributor: carol(),
			original: 0,
			record: openledger_primitives::content_hash(b"an owl"),
			claimer: mallory(),
			reward: 2_280,
			forfeited: 3_420,
		});
		assert_eq!(wealth(mallory()), ENDOWMENT + 2_280);
		assert_eq!(wealth(treasury()), ENDOWMENT + 3_420);
		assert_eq!(wealth(carol()), ENDOWMENT - 5_700);
		assert_eq!(held_for(HoldReason::Bond, carol()), 0);
	});
}

#[test]
fn claim_duplicate_should_remove_what_no_snapshot_contains() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let proofs = copied(id);
		assert_ok!(claim(id, &proofs));
		assert_eq!(state(id, 1), None);
		assert_eq!(Datanets::datanet(id).unwrap().kept, 1);
		assert_eq!(Balances::free_balance(carol()), ENDOWMENT - 5_700);
	});
}

#[test]
fn claim_duplicate_should_work_by_an_original_whose_consent_was_withdrawn() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let proofs = copied(id);
		snapshot(id);
		assert_ok!(Datanets::withdraw(signed(bob()), id, 0));
		assert_ok!(claim(id, &proofs));
		assert_eq!(Datanets::datanet(id).unwrap().accepted, 0);
	});
}

#[test]
fn claim_duplicate_should_take_the_bond_of_what_was_withdrawn() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let proofs = copied(id);
		snapshot(id);
		assert_ok!(Datanets::withdraw(signed(carol()), id, 1));
		assert_ok!(claim(id, &proofs));
		assert_eq!(wealth(carol()), ENDOWMENT - 5_700);
		assert_noop!(claim(id, &proofs), Error::<Test>::AlreadyExcluded);
	});
}

#[test]
fn claim_duplicate_should_exclude_even_when_the_bond_is_gone() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let proofs = copied(id);
		snapshot(id);
		pass(BOND_PERIOD);
		assert_ok!(Datanets::release_bond(signed(carol()), id, 1));
		assert_ok!(claim(id, &proofs));
		assert_eq!(wealth(mallory()), ENDOWMENT);
		assert_eq!(Datanets::datanet(id).unwrap().accepted, 1);
	});
}

#[test]
fn claim_duplicate_should_leave_the_bond_to_who_could_not_know() {
	// In no snapshot when the duplicate was made; in one since the block before it could be known.
	for age in [None, Some(ORIGINAL_AGE - 1)] {
		build_and_execute(|| {
			let id = datanet(Curation::Open);
			let first = give(bob(), id, &OURS);
			if let Some(age) = age {
				snapshot(id);
				pass(age);
			}
			let second = give(carol(), id, &THEIRS);
			snapshot(id);
			pass(BOND_PERIOD);
			assert_ok!(claim(
				id,
				&(prove(first, &OURS, 1), prove(second, &THEIRS, 3))
			));
			assert!(matches!(
				state(id, second),
				Some(ContributionState::Duplicate { .. })
			));
			assert_eq!(wealth(carol()), ENDOWMENT);
			assert_eq!(held_for(HoldReason::Bond, carol()), 0);
			assert_eq!(wealth(mallory()), ENDOWMENT);
		});
	}
}

#[test]
fn claim_duplicate_should_not_work_twice() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let proofs = copied(id);
		snapshot(id);
		assert_ok!(claim(id, &proofs));
		assert_noop!(claim(id, &proofs), Error::<Test>::AlreadyExcluded);
	});
}

#[test]
fn claim_duplicate_should_never_hit_the_earlier_contribution() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let (original, duplicate) = copied(id);
		assert_noop!(
			claim(id, &(duplicate, original.clone())),
			Error::<Test>::NotLater
		);
		assert_noop!(
			claim(id, &(original.clone(), original)),
			Error::<Test>::NotLater
		);
	});
}

#[test]
fn claim_duplicate_should_refuse_proofs_of_different_records() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let (original, _) = copied(id);
		let other = prove(1, &THEIRS, 0);
		assert_noop!(
			claim(id, &(original, other)),
			Error::<Test>::DifferentRecords
		);
	});
}

#[test]
fn claim_duplicate_should_refuse_proofs_that_do_not_hold() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let proofs = copied(id);
		let spoil = |proof: &RecordProof, kind: u8| {
			let mut proof = proof.clone();
			match kind {
				0 => proof.index += 1,
				1 => proof.leaf.bytes += 1,
				2 => proof.proof[0].hash = Hash::zero(),
				3 => drop(proof.proof.pop()),
				_ => proof.proof.try_push(Node::default()).unwrap(),
			}
			proof
		};
		for kind in 0..5 {
			assert_noop!(
				claim(id, &(spoil(&proofs.0, kind), proofs.1.clone())),
				Error::<Test>::OriginalNotProven
			);
			assert_noop!(
				claim(id, &(proofs.0.clone(), spoil(&proofs.1, kind))),
				Error::<Test>::DuplicateNotProven
			);
		}
	});
}

#[test]
fn claim_duplicate_should_concern_accepted_contributions_alone() {
	build_and_execute(|| {
		let id = datanet(Curation::Owner);
		let (first, second) = (give(bob(), id, &OURS), give(carol(), id, &THEIRS));
		let proofs = (prove(first, &OURS, 1), prove(second, &THEIRS, 3));
		assert_noop!(claim(id, &proofs), Error::<Test>::NotAccepted);
		assert_ok!(Datanets::accept(signed(alice()), id, 1));
		assert_noop!(claim(id, &proofs), Error::<Test>::NotAccepted);
		assert_ok!(Datanets::accept(signed(alice()), id, 0));
		assert_ok!(claim(id, &proofs));
	});
}

#[test]
fn claim_duplicate_should_refuse_what_is_not_there() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let proofs = copied(id);
		assert_noop!(claim(id + 1, &proofs), Error::<Test>::UnknownDatanet);
		let (original, mut duplicate) = proofs;
		duplicate.contribution = 2;
		assert_noop!(
			claim(id, &(original, duplicate)),
			Error::<Test>::UnknownContribution
		);
	});
}
