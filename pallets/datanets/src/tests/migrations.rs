//! What an older runtime stored is read as it was meant.

use crate::{
	migrations::{v0, CountSeats, V1},
	mock::{Datanets, *},
	*,
};
use frame::{
	deps::frame_support::traits::OnRuntimeUpgrade, testing_prelude::assert_ok,
	traits::GetStorageVersion,
};
use Vote::Accept;

/// Writes bonds and panels as version 0 did, with the votes that it counted.
fn go_back() {
	StorageVersion::new(0).put::<Datanets>();
	let bonds: Vec<_> = Bonds::<Test>::iter().collect();
	for (datanet, id, bond) in bonds {
		let (amount, fee, free_at) = (bond.amount, bond.fee, bond.free_at);
		let old = v0::Bond {
			amount,
			fee,
			free_at,
		};
		v0::Bonds::<Test>::insert(datanet, id, old);
	}
	let _ = Admitted::<Test>::clear(u32::MAX, None);
	let pools: Vec<_> = crate::Datanets::<Test>::iter_keys().collect();
	for datanet in pools {
		let kept = Contributions::<Test>::iter_key_prefix(datanet).count() as u32;
		crate::Datanets::<Test>::mutate(datanet, |pool| pool.as_mut().unwrap().kept = kept);
	}
	let panels: Vec<_> = Panels::<Test>::iter().collect();
	for (datanet, panel) in panels {
		let old = panel.into_iter().map(|reviewer| {
			let votes = Reviews::<Test>::iter_prefix_values(datanet)
				.flat_map(|review| review.seats.into_inner())
				.filter(|seat| seat.reviewer == reviewer.account && seat.ballot != Ballot::Empty)
				.count() as u32;
			v0::Reviewer {
				account: reviewer.account,
				stake: reviewer.stake,
				since: reviewer.since,
				votes,
				leaving: reviewer.leaving,
			}
		});
		let old: Vec<_> = old.collect();
		v0::Panels::<Test>::insert(datanet, v0::PanelOf::<Test>::truncate_from(old));
	}
}

#[test]
fn reviewers_of_version_0_should_have_their_seats_and_those_who_left_none() {
	build_and_execute(|| {
		let id = reviewed([10_000, 20_000, 30_000]);
		let wren = contribute(bob(), id, b"a wren");
		let owl = contribute(bob(), id, b"an owl");
		let [first, second, third] = reviewers();
		assert_ok!(commit(id, wren, first.clone(), Accept));
		go_back();
		// By version 0, the third could leave without a vote, and its seats stayed.
		v0::Panels::<Test>::mutate(id, |panel| panel.retain(|old| old.account != third));
		assert_ok!(Datanets::give_back(HoldReason::Stake, &third, 30_000));

		let noted = CountSeats::<Test>::note();
		V1::<Test>::on_runtime_upgrade();
		assert_ok!(CountSeats::<Test>::verify(&noted));
		assert_eq!(Datanets::on_chain_storage_version(), 1);
		let panel = Datanets::panel(id);
		assert_eq!(panel.len(), 2);
		assert!(panel.iter().all(|reviewer| reviewer.seats == 2));
		assert_eq!(Datanets::bond(id, wren).unwrap().registered, 0);

		// All goes on from there.
		assert_ok!(commit(id, wren, second.clone(), Accept));
		for who in [first.clone(), second.clone()] {
			assert_ok!(reveal(id, wren, who, Accept));
		}
		assert_ok!(conclude(id, wren));
		assert_eq!(
			state(id, wren),
			Some(ContributionState::Accepted { since: 1 })
		);
		pass(COMMIT);
		assert_ok!(conclude(id, owl));
	});
}

#[test]
fn bonds_of_version_0_should_not_be_lost_by_a_rule_that_is_younger() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let original = give(bob(), id, &["a wren"]);
		snapshot(id);
		pass(ORIGINAL_AGE);
		let copy = give(carol(), id, &["a wren", "an owl"]);
		go_back();
		V1::<Test>::on_runtime_upgrade();
		assert_ok!(Datanets::claim_duplicate(
			signed(mallory()),
			id,
			prove(original, &["a wren"], 0),
			prove(copy, &["a wren", "an owl"], 0)
		));
		assert_eq!(wealth(carol()), ENDOWMENT);
	});
}
