//! Whatever is done in whatever order, the invariants hold, nothing is lost, and what is refused changes
//! nothing.

use crate::{
	mock::{Datanets, *},
	*,
};
use frame::deps::{
	frame_support::{dispatch::RawOrigin, traits::UnfilteredDispatchable},
	sp_io,
};
use frame::testing_prelude::StateVersion;
use proptest::prelude::*;

/// The records that contributions are made of: few, so that they are often the same.
const RECORDS: [&str; 5] = ["a wren", "an owl", "a rook", "a crow", "a gull"];

/// Something somebody does, perhaps in vain.
#[derive(Clone, Debug)]
enum Act {
	Contribute { contents: Vec<usize> },
	Accept(u32),
	Reject(u32),
	Withdraw(u32),
	Snapshot,
	SetPayout { contribution: u32, payout: usize },
	ReleaseBond(u32),
	Claim { first: u32, second: u32 },
	Join(Balance),
	Leave,
	Open(u32),
	Commit { contribution: u32, vote: Vote },
	Reveal { contribution: u32, vote: Vote },
	Conclude(u32),
	Appeal(u32),
	Clear(u32),
	Pass(BlockNumber),
}

fn act() -> impl Strategy<Value = Act> {
	let vote = || prop_oneof![Just(Vote::Accept), Just(Vote::Reject)];
	let id = || 0u32..10;
	prop_oneof![
		6 => prop::collection::vec(0..RECORDS.len(), 1..3)
			.prop_map(|contents| Act::Contribute { contents }),
		3 => id().prop_map(Act::Accept),
		1 => id().prop_map(Act::Reject),
		2 => id().prop_map(Act::Withdraw),
		2 => Just(Act::Snapshot),
		1 => (id(), 0usize..8)
			.prop_map(|(contribution, payout)| Act::SetPayout { contribution, payout }),
		2 => id().prop_map(Act::ReleaseBond),
		4 => (id(), id()).prop_map(|(first, second)| Act::Claim { first, second }),
		5 => (5_000u128..40_000).prop_map(Act::Join),
		2 => Just(Act::Leave),
		4 => id().prop_map(Act::Open),
		10 => (id(), vote())
			.prop_map(|(contribution, vote)| Act::Commit { contribution, vote }),
		10 => (id(), vote())
			.prop_map(|(contribution, vote)| Act::Reveal { contribution, vote }),
		6 => id().prop_map(Act::Conclude),
		4 => id().prop_map(Act::Appeal),
		3 => id().prop_map(Act::Clear),
		8 => (1u32..25).prop_map(Act::Pass),
	]
}

/// The contents of each contribution ever made, by id.
type Given = Vec<Vec<&'static str>>;

fn call(datanet: DatanetId, who: &AccountId, given: &mut Given, act: Act) -> Option<Call<Test>> {
	let proof = |contribution: u32, record: &str| {
		let contents = given.get(contribution as usize)?;
		let index = contents.iter().position(|content| *content == record)?;
		Some(prove(contribution, contents, index as u32))
	};
	Some(match act {
		Act::Contribute { contents } => {
			let contents: Vec<_> = contents.into_iter().map(|at| RECORDS[at]).collect();
			Call::contribute {
				datanet,
				records: tree(&contents).commitment(),
				uri: uri("ipfs://notes"),
				payout: who.clone(),
			}
		}
		Act::Accept(contribution) => Call::accept {
			datanet,
			contribution,
		},
		Act::Reject(contribution) => Call::reject {
			datanet,
			contribution,
		},
		Act::Withdraw(contribution) => Call::withdraw {
			datanet,
			contribution,
		},
		Act::Snapshot => Call::snapshot { datanet },
		Act::SetPayout {
			contribution,
			payout,
		} => Call::set_payout_account {
			datanet,
			contribution,
			payout: everybody()[payout].clone(),
		},
		Act::ReleaseBond(contribution) => Call::release_bond {
			datanet,
			contribution,
		},
		Act::Claim { first, second } => {
			let shared = given.get(first as usize)?.iter().find(|record| {
				given
					.get(second as usize)
					.is_some_and(|other| other.contains(record))
			})?;
			Call::claim_duplicate {
				datanet,
				original: proof(first, shared)?,
				duplicate: proof(second, shared)?,
			}
		}
		Act::Join(stake) => Call::join_panel { datanet, stake },
		Act::Leave => Call::leave_panel { datanet },
		Act::Open(contribution) => Call::open_review {
			datanet,
			contribution,
		},
		Act::Commit { contribution, vote } => Call::commit_vote {
			datanet,
			contribution,
			commitment: vote_commitment(datanet, contribution, who, vote, &salt(who)),
		},
		Act::Reveal { contribution, vote } => Call::reveal_vote {
			datanet,
			contribution,
			vote,
			salt: salt(who),
		},
		Act::Conclude(contribution) => Call::conclude_review {
			datanet,
			contribution,
		},
		Act::Appeal(contribution) => Call::appeal {
			datanet,
			contribution,
		},
		Act::Clear(contribution) => Call::clear_rejected {
			datanet,
			contribution,
		},
		Act::Pass(blocks) => {
			pass(blocks);
			return None;
		}
	})
}

/// Does it; what is refused must change nothing.
fn perform(datanet: DatanetId, given: &mut Given, who: AccountId, act: Act) {
	let contents = match &act {
		Act::Contribute { contents } => Some(contents.iter().map(|at| RECORDS[*at]).collect()),
		_ => None,
	};
	let Some(call) = call(datanet, &who, given, act) else {
		return;
	};
	let before = sp_io::storage::root(StateVersion::V1);
	let origin = RuntimeOrigin::from(RawOrigin::Signed(who));
	match call.dispatch_bypass_filter(origin) {
		Ok(_) => given.extend(contents),
		Err(_) => assert_eq!(sp_io::storage::root(StateVersion::V1), before),
	}
}

fn run(curation: Curation, acts: Vec<(usize, Act)>) {
	build_and_execute(|| {
		let id = datanet(curation);
		let issuance = Balances::total_issuance();
		let mut given = Given::new();
		let mut frozen: Vec<Snapshot<Test>> = Vec::new();
		for (who, act) in acts {
			perform(id, &mut given, everybody()[who].clone(), act);
			Datanets::do_try_state().unwrap();
			assert_eq!(Balances::total_issuance(), issuance);
			let newest = Datanets::datanet(id).unwrap().snapshots;
			for (version, old) in (1..).zip(&frozen) {
				assert_eq!(Datanets::snapshot_at(id, version).as_ref(), Some(old));
			}
			frozen.extend(
				(frozen.len() as u32 + 1..=newest)
					.filter_map(|version| Datanets::snapshot_at(id, version)),
			);
		}
	});
}

fn acts() -> impl Strategy<Value = Vec<(usize, Act)>> {
	prop::collection::vec((0usize..8, act()), 1..150)
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(32))]

	#[test]
	fn the_invariants_should_hold_where_reviewers_decide(acts in acts()) {
		run(Curation::Reviewers, acts);
	}

	#[test]
	fn the_invariants_should_hold_where_all_is_accepted(acts in acts()) {
		run(Curation::Open, acts);
	}

	#[test]
	fn the_invariants_should_hold_where_the_owner_decides(acts in acts()) {
		run(Curation::Owner, acts);
	}
}
