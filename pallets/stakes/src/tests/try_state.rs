//! The invariants must notice what they are for.

use super::*;
use frame::testing_prelude::{assert_err, hypothetically};

/// `damage` to a chain where Carol has delegated must be noticed with `report`.
fn assert_noticed(report: &'static str, damage: impl FnOnce()) {
	build_and_execute(|| {
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 500));
		next_session();
		assert_ok!(Stakes::delegate(signed(dave()), alice(), 500));
		pay_out(2_000);
		assert_ok!(Stakes::do_try_state());
		hypothetically!({
			damage();
			assert_err!(Stakes::do_try_state(), DispatchError::from(report));
		});
	});
}

fn damage_candidate(damage: impl FnOnce(&mut Candidate)) {
	Candidates::<Test>::mutate(alice(), |candidate| damage(candidate.as_mut().unwrap()));
}

fn damage_position(damage: impl FnOnce(&mut Position<Test>)) {
	Positions::<Test>::mutate(alice(), carol(), damage);
}

#[test]
fn try_state_should_notice_what_is_not_held() {
	assert_noticed("1: what is held and what is staked", || {
		let chunk = Chunk {
			amount: 5,
			since: 0,
			free_at: 9,
		};
		damage_position(|position| position.unbonding.try_push(chunk).unwrap());
	});
}

#[test]
fn try_state_should_notice_sums_that_do_not_add_up() {
	assert_noticed("2: a candidate's stake is eligible or fresh", || {
		damage_candidate(|candidate| candidate.stake += 1)
	});
	assert_noticed("2: a candidate's stake", || {
		damage_candidate(|candidate| {
			candidate.stake += 1;
			candidate.pool.eligible += 1;
		})
	});
	assert_noticed("2: a candidate's own stake", || {
		damage_candidate(|candidate| candidate.own += 1)
	});
	assert_noticed("2: a candidate's delegators", || {
		damage_candidate(|candidate| candidate.delegators += 1)
	});
	assert_noticed("2: a position without a candidate", || {
		Candidates::<Test>::remove(alice())
	});
}

#[test]
fn try_state_should_notice_money_that_is_not_there() {
	assert_noticed("3: more can be claimed than is owed", || {
		damage_position(|position| position.rewards += 100)
	});
	assert_noticed("3: the pot holds less than it owes", || {
		Owed::<Test>::mutate(|owed| *owed += 1)
	});
}

#[test]
fn try_state_should_notice_marks_that_do_not_fit() {
	assert_noticed("4: a mark's positions", || {
		Marks::<Test>::mutate(alice(), 0, |mark| mark.as_mut().unwrap().positions += 1)
	});
	assert_noticed("4: a position without a mark", || {
		Marks::<Test>::remove(alice(), 0)
	});
	assert_noticed("4: a mark's positions", || {
		let mark = Mark {
			per_unit: U256::zero(),
			positions: 1,
		};
		Marks::<Test>::insert(bob(), 7, mark)
	});
}

#[test]
fn try_state_should_notice_slashes_outside_the_queue() {
	assert_noticed("6: a slash outside the queue", || {
		let slash = Slash::<Test> {
			offender: alice(),
			offence: 0,
			apply_at: 0,
			fraction: Perbill::one(),
			parts: Default::default(),
		};
		Slashes::<Test>::insert(7, slash)
	});
	assert_noticed("7: sprees out of order", || {
		let spree = Spree {
			since: 1,
			fraction: Perbill::one(),
			slash: None,
		};
		Sprees::<Test>::insert(alice(), BoundedVec::truncate_from(vec![spree; 2]))
	});
	assert_noticed("7: an empty list of sprees", || {
		Sprees::<Test>::insert(alice(), BoundedVec::default())
	});
	assert_noticed("5: an empty position", || {
		Positions::<Test>::insert(alice(), account(9), Position::<Test>::default())
	});
}
