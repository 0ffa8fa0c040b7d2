//! The invariants must notice what they are for.

use crate::{mock::*, *};
use frame::testing_prelude::{assert_err, assert_ok, hypothetically};

/// `damage` to a chain with a base model and an adapter must be noticed with `report`.
fn assert_noticed(report: impl Into<DispatchError>, damage: impl FnOnce()) {
	build_and_execute(|| {
		adapter(base(), 9);
		assert_ok!(Models::do_try_state());
		hypothetically!({
			damage();
			assert_err!(Models::do_try_state(), report.into());
		});
	});
}

fn damage_adapter(damage: impl FnOnce(&mut Adapter<Test>)) {
	Adapters::<Test>::mutate(0, |adapter| damage(adapter.as_mut().unwrap()));
}

#[test]
fn try_state_should_notice_ids_that_were_not_given() {
	assert_noticed("1: id of a base model", || NextBaseModel::<Test>::put(0));
	assert_noticed("1: id of an adapter", || NextAdapter::<Test>::put(0));
}

#[test]
fn try_state_should_notice_lost_and_left_over_deposits() {
	assert_noticed("1: deposit of a base model", || {
		BaseModelDeposits::<Test>::remove(0)
	});
	assert_noticed("1: deposit of an adapter", || {
		AdapterDeposits::<Test>::remove(0)
	});
	assert_noticed("1: a deposit without an adapter", || {
		AdapterDeposits::<Test>::insert(1, AdapterDeposits::<Test>::get(0).unwrap())
	});
}

#[test]
fn try_state_should_notice_names_that_lead_elsewhere() {
	assert_noticed("2: a base model's name leads elsewhere", || {
		Names::<Test>::remove(name("base-0"))
	});
	assert_noticed("2: an adapter's name leads elsewhere", || {
		Names::<Test>::insert(name("birdsong-9"), Model::Base(0))
	});
	assert_noticed("2: a name without a model", || {
		Names::<Test>::insert(name("ghost"), Model::Base(0))
	});
}

#[test]
fn try_state_should_notice_files_that_lead_elsewhere() {
	assert_noticed("3: an adapter's files lead elsewhere", || {
		damage_adapter(|adapter| adapter.weights = Hash::repeat_byte(8))
	});
	assert_noticed("3: files without an adapter", || {
		AdapterByFiles::<Test>::insert((Hash::zero(), Hash::zero()), 0)
	});
}

#[test]
fn try_state_should_notice_adapters_that_refer_to_nothing() {
	assert_noticed("4: an adapter without a base model", || {
		damage_adapter(|adapter| adapter.base = 5)
	});
	assert_noticed("4: an adapter without an algorithm", || {
		damage_adapter(|adapter| adapter.algorithm = 5)
	});
	assert_noticed(Error::<Test>::NoLineage, || {
		damage_adapter(|adapter| adapter.lineage.clear())
	});
	assert_noticed(Error::<Test>::UnknownSnapshot, || {
		damage_adapter(|adapter| adapter.lineage = vec![(99, 1)].try_into().unwrap())
	});
	assert_noticed("6: rank and targets of an adapter", || {
		damage_adapter(|adapter| adapter.rank = 0)
	});
}

#[test]
fn try_state_should_notice_algorithms_that_are_not_kept_right() {
	build_and_execute(|| {
		let id = take_up("mix/1");
		let proposal = propose("mix/2");
		assert_ok!(Models::do_try_state());
		let broken = |report: &'static str, damage: &dyn Fn()| {
			hypothetically!({
				damage();
				assert_err!(Models::do_try_state(), DispatchError::from(report));
			});
		};
		broken("7: id of an algorithm", &|| NextAlgorithm::<Test>::put(id));
		broken("7: an algorithm's name leads elsewhere", &|| {
			AlgorithmNames::<Test>::insert(name("mix/1"), 0)
		});
		broken("7: a name without an algorithm", &|| {
			AlgorithmNames::<Test>::insert(name("ghost/1"), 0)
		});
		broken("9: number of active algorithms", &|| {
			ActiveAlgorithms::<Test>::put(1)
		});
		broken("7: a proposal with the id of an algorithm", &|| {
			Algorithms::<Test>::mutate(id, |kept| {
				kept.as_mut().unwrap().state = AlgorithmState::Proposed
			})
		});
		broken("8: id of a proposal", &|| {
			NextProposal::<Test>::put(proposal)
		});
		broken("8: a proposal that is more than that", &|| {
			Proposals::<Test>::mutate(proposal, |kept| kept.as_mut().unwrap().proposer = None)
		});
		broken("8: deposit of a proposal", &|| {
			ProposalDeposits::<Test>::remove(proposal)
		});
		broken("8: a deposit without a proposal", &|| {
			let deposit = ProposalDeposits::<Test>::get(proposal).unwrap();
			ProposalDeposits::<Test>::insert(77, deposit)
		});
	});
}
