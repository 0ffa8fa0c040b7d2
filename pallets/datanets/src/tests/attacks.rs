use crate::{
	mock::{Datanets, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

use frame::deps::frame_support::traits::{LockableCurrency, WithdrawReasons};
use Vote::{Accept, Reject};

#[test]
fn duplicated_records_under_a_second_identity_should_cost_more_than_they_bring() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let ours = ["a wren at dawn", "an owl at dusk"];
		let honest = give(bob(), id, &ours);
		// The very tree is refused; another order or one record more makes another tree.
		assert_noop!(
			Datanets::contribute(
				signed(mallory()),
				id,
				tree(&ours).commitment(),
				uri("a"),
				mallory()
			),
			Error::<Test>::DuplicateContribution
		);
		snapshot(id);
		pass(ORIGINAL_AGE);
		let copies = ["an owl at dusk", "a wren at dawn", "and some junk"];
		let copy = give(mallory(), id, &copies);
		let (original, duplicate) = (prove(honest, &ours, 0), prove(copy, &copies, 1));
		// She would rather prove it herself and have the reward: she still loses the rest.
		assert_ok!(Datanets::claim_duplicate(
			signed(mallory()),
			id,
			original,
			duplicate
		));
		assert!(wealth(mallory()) < ENDOWMENT - 3_000);
		assert_eq!(state(id, copy), None);
		assert_eq!(Datanets::payout_account(id, 1, honest), Some(bob()));
	});
}

#[test]
fn a_bait_laid_in_the_same_block_should_not_take_a_bond() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let ours = ["an owl", "a wren", "a rook", "a gull"];
		// She sees Bob's contribution coming, and lays one of his records before it. With a snapshot
		// of it, even.
		let bait = give(mallory(), id, &["a wren"]);
		snapshot(id);
		let honest = give(bob(), id, &ours);
		assert_ok!(Datanets::claim_duplicate(
			signed(mallory()),
			id,
			prove(bait, &["a wren"], 0),
			prove(honest, &ours, 1)
		));
		assert_eq!(state(id, honest), None);
		assert_eq!(Balances::free_balance(bob()), ENDOWMENT);
		assert_eq!(wealth(mallory()), ENDOWMENT);
		// He leaves that record out, and nothing is in his way.
		give(bob(), id, &["an owl", "a rook", "a gull"]);
	});
}

#[test]
fn an_original_should_not_be_withdrawn_with_its_bond_after_a_claim() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let bait = give(mallory(), id, &["a wren"]);
		snapshot(id);
		pass(ORIGINAL_AGE);
		let copy = give(bob(), id, &["a wren", "an owl"]);
		assert_ok!(Datanets::claim_duplicate(
			signed(carol()),
			id,
			prove(bait, &["a wren"], 0),
			prove(copy, &["a wren", "an owl"], 0)
		));
		assert!(wealth(carol()) > ENDOWMENT);
		// What was the original for a forfeited bond stays for all to see, and its own bond locked.
		assert_ok!(Datanets::withdraw(signed(mallory()), id, bait));
		assert_noop!(
			Datanets::release_bond(signed(mallory()), id, bait),
			Error::<Test>::BondLocked
		);
		assert!(Datanets::contribution(id, bait).is_some());
	});
}

#[test]
fn withdrawing_a_duplicate_should_not_save_its_bond() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let (ours, copies) = (["a wren"], ["junk", "a wren"]);
		let honest = give(bob(), id, &ours);
		snapshot(id);
		pass(ORIGINAL_AGE);
		let copy = give(mallory(), id, &copies);
		snapshot(id);
		assert_ok!(Datanets::withdraw(signed(mallory()), id, copy));
		assert_noop!(
			Datanets::release_bond(signed(mallory()), id, copy),
			Error::<Test>::BondLocked
		);
		let (original, duplicate) = (prove(honest, &ours, 0), prove(copy, &copies, 1));
		assert_ok!(Datanets::claim_duplicate(
			signed(bob()),
			id,
			original,
			duplicate
		));
		assert_eq!(held_for(HoldReason::Bond, mallory()), 0);
		assert!(wealth(bob()) > ENDOWMENT);
	});
}

#[test]
fn honest_records_should_not_be_excluded_by_a_copy_made_later() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let (ours, copies) = (["a wren"], ["junk", "a wren"]);
		let honest = give(bob(), id, &ours);
		let copy = give(mallory(), id, &copies);
		assert_noop!(
			Datanets::claim_duplicate(
				signed(mallory()),
				id,
				prove(copy, &copies, 1),
				prove(honest, &ours, 0)
			),
			Error::<Test>::NotLater
		);
	});
}

#[test]
fn junk_records_should_bind_money_by_the_byte_where_all_is_accepted() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let leaf = RecordLeaf {
			record: Hash::repeat_byte(1),
			bytes: u32::MAX,
		};
		let junk = merkle::Tree::new(vec![leaf.node()]).unwrap().commitment();
		// 4 GiB of anything need more than she has.
		assert_noop!(
			Datanets::contribute(signed(mallory()), id, junk, uri("a"), mallory()),
			TokenError::FundsUnavailable
		);
		// Saying that they are smaller is possible, but then they count as that.
		let small = give(mallory(), id, &["junk"]);
		assert_eq!(Datanets::bond(id, small).unwrap().amount, 5_700);
		assert_noop!(
			Datanets::release_bond(signed(mallory()), id, small),
			Error::<Test>::BondLocked
		);
	});
}

#[test]
fn junk_records_should_cost_the_fee_where_reviewers_decide() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		for content in ["junk", "more junk", "yet more junk"] {
			let junk = give(mallory(), id, &[content]);
			decide(id, junk, &[Reject; 3]);
		}
		pass(AppealPeriod::get());
		for junk in 0..3 {
			assert_ok!(Datanets::clear_rejected(signed(bob()), id, junk));
		}
		assert_eq!(wealth(mallory()), ENDOWMENT - 3 * 100);
		for who in reviewers() {
			assert!((ENDOWMENT + 3 * 33..=ENDOWMENT + 3 * 34).contains(&wealth(who)));
		}
	});
}

#[test]
fn a_copied_vote_should_be_impossible_to_reveal_and_cost_stake() {
	build_and_execute(|| {
		let id = reviewed([10_000, 20_000, 40_000]);
		let wren = contribute(bob(), id, b"a wren");
		let [honest, copier, third] = reviewers();
		let sealed = vote_commitment(id, wren, &honest, Accept, &salt(&honest));
		assert_ok!(Datanets::commit_vote(
			signed(honest.clone()),
			id,
			wren,
			sealed
		));
		assert_ok!(Datanets::commit_vote(
			signed(copier.clone()),
			id,
			wren,
			sealed
		));
		assert_ok!(commit(id, wren, third.clone(), Accept));
		assert_ok!(reveal(id, wren, honest.clone(), Accept));
		// Now the copier knows vote and salt, and they do not open the commitment for it.
		for vote in [Accept, Reject] {
			assert_noop!(
				Datanets::reveal_vote(signed(copier.clone()), id, wren, vote, salt(&honest)),
				Error::<Test>::WrongReveal
			);
		}
		assert_ok!(reveal(id, wren, third, Accept));
		pass(COMMIT + REVEAL);
		assert_ok!(conclude(id, wren));
		assert_eq!(wealth(copier), ENDOWMENT - 1_000);
		assert_eq!(wealth(honest), ENDOWMENT + 20);
	});
}

#[test]
fn a_vote_should_not_be_copied_by_waiting_for_others_to_reveal() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let wren = contribute(bob(), id, b"a wren");
		let [first, second, third] = reviewers();
		for who in [first.clone(), second.clone()] {
			assert_ok!(commit(id, wren, who, Accept));
		}
		// While the third can still commit nobody reveals, and afterwards it cannot commit.
		assert_noop!(
			reveal(id, wren, first.clone(), Accept),
			Error::<Test>::RevealTooEarly
		);
		pass(COMMIT);
		assert_ok!(reveal(id, wren, first, Accept));
		assert_noop!(
			commit(id, wren, third, Accept),
			Error::<Test>::CommitPhaseOver
		);
	});
}

#[test]
fn a_withheld_reveal_should_neither_block_the_review_nor_be_free() {
	build_and_execute(|| {
		let id = reviewed([20_001, 20_000, 20_000]);
		let wren = contribute(bob(), id, b"a wren");
		let [first, second, third] = reviewers();
		for who in [first.clone(), second.clone(), third.clone()] {
			assert_ok!(commit(id, wren, who, Accept));
		}
		assert_ok!(reveal(id, wren, first, Accept));
		// Two see the first vote and keep silent; they cannot leave either.
		assert_ok!(Datanets::leave_panel(signed(second.clone()), id));
		pass(COMMIT + REVEAL);
		assert_ok!(conclude(id, wren));
		assert_eq!(
			state(id, wren),
			Some(ContributionState::Accepted { since: 1 })
		);
		for who in [second, third] {
			assert_eq!(wealth(who), ENDOWMENT - 1_000);
		}
	});
}

#[test]
fn a_withdrawal_should_not_save_a_silent_reviewer() {
	build_and_execute(|| {
		let id = reviewed([20_000; 3]);
		let wren = contribute(bob(), id, b"a wren");
		let [first, ..] = reviewers();
		assert_ok!(commit(id, wren, first.clone(), Accept));
		pass(COMMIT + REVEAL);
		assert_ok!(Datanets::withdraw(signed(bob()), id, wren));
		assert_eq!(wealth(first), ENDOWMENT - 1_000);
	});
}

#[test]
fn a_reviewer_should_not_vote_on_its_own_contribution() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let [first, ..] = reviewers();
		let own = give(first.clone(), id, &["mine"]);
		assert_noop!(
			commit(id, own, first, Accept),
			Error::<Test>::OwnContribution
		);
		assert_eq!(Datanets::review(id, own).unwrap().seats.len(), 2);
	});
}

#[test]
fn a_contributor_should_not_silence_a_reviewer_by_naming_it_as_payee() {
	build_and_execute(|| {
		let id = reviewed([10_000, 20_000, 90_000]);
		let [_, _, strict] = reviewers();
		assert_ok!(Datanets::contribute(
			signed(mallory()),
			id,
			records(b"junk"),
			uri("ipfs://junk"),
			strict.clone()
		));
		assert_eq!(Datanets::review(id, 0).unwrap().seats.len(), 3);
		assert_ok!(Datanets::set_payout_account(
			signed(mallory()),
			id,
			0,
			strict
		));
		decide(id, 0, &[Accept, Accept, Reject]);
		assert!(matches!(
			state(id, 0),
			Some(ContributionState::Rejected { .. })
		));
	});
}

#[test]
fn stake_put_up_for_one_vote_should_get_no_seat() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		join(id, carol(), 500_000);
		let junk = give(mallory(), id, &["junk"]);
		pass(WARM_UP);
		assert_noop!(commit(id, junk, carol(), Accept), Error::<Test>::NotSeated);
		// Adding to stake that has stood does not help: all of it warms up again.
		join(id, carol(), 100_000);
		let more = give(mallory(), id, &["more junk"]);
		assert_noop!(commit(id, more, carol(), Accept), Error::<Test>::NotSeated);
	});
}

#[test]
fn splitting_one_stake_over_many_accounts_should_not_outvote_the_same_stake() {
	build_and_execute(|| {
		let id = reviewed([10_000, 10_000, 21_000]);
		let junk = give(mallory(), id, &["junk"]);
		decide(id, junk, &[Accept, Accept, Reject]);
		assert!(matches!(
			state(id, junk),
			Some(ContributionState::Rejected { .. })
		));
	});
}

#[test]
fn small_stakes_should_not_keep_others_out_of_the_panel() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		join(id, mallory(), 10_000);
		assert_eq!(Datanets::panel(id).len() as u32, PANEL);
		for who in [alice(), bob(), carol()] {
			join(id, who, 10_001);
		}
		assert_eq!(Datanets::panel(id).len() as u32, PANEL);
	});
}

#[test]
fn money_frozen_elsewhere_should_not_keep_reviewers_from_their_pay() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let junk = give(mallory(), id, &["junk"]);
		Balances::set_lock(*b"votelock", &mallory(), ENDOWMENT, WithdrawReasons::all());
		decide(id, junk, &[Reject; 3]);
		for (who, share) in reviewers().into_iter().zip([34, 33, 33]) {
			assert_eq!(wealth(who), ENDOWMENT + share);
		}
	});
}

#[test]
fn stake_that_left_should_not_block_a_review() {
	build_and_execute(|| {
		let id = datanet(Curation::Reviewers);
		for who in reviewers() {
			join(id, who, 10_000);
		}
		join(id, mallory(), 60_100);
		pass(WARM_UP);
		let wren = contribute(bob(), id, b"a wren");
		// Her seat counts for the quorum, so her stake stays with it, and loses by not voting.
		assert_ok!(Datanets::leave_panel(signed(mallory()), id));
		assert_last_event(Event::PanelLeaving {
			datanet: id,
			reviewer: mallory(),
		});
		decide(id, wren, &[Accept; 3]);
		assert_eq!(state(id, wren), Some(ContributionState::Pending));
		assert_eq!(wealth(mallory()), ENDOWMENT - 601);
		// Once it is gone it blocks nothing, and does not come back in the block in which it is needed.
		assert_eq!(held_for(HoldReason::Stake, mallory()), 0);
		join(id, mallory(), 60_100);
		assert_ok!(Datanets::open_review(signed(bob()), id, wren));
		decide(id, wren, &[Accept; 3]);
		assert_eq!(
			state(id, wren),
			Some(ContributionState::Accepted { since: 1 })
		);
	});
}

#[test]
fn many_contributions_at_once_should_not_drain_reviewers_who_are_away() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let junk: Vec<_> = ["junk", "more junk", "yet more junk"]
			.iter()
			.map(|content| give(mallory(), id, &[content]))
			.collect();
		pass(COMMIT);
		for junk in junk {
			assert_ok!(conclude(id, junk));
		}
		for who in reviewers() {
			assert_eq!(wealth(who), ENDOWMENT - 100);
		}
	});
}

#[test]
fn reviewers_who_are_away_should_not_leave_the_panel_to_one_who_is_not() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		join(id, mallory(), 14_000);
		pass(WARM_UP);
		let junk = give(carol(), id, &["junk"]);
		for _ in 0..5 {
			assert_ok!(commit(id, junk, mallory(), Accept));
			pass(COMMIT);
			assert_ok!(reveal(id, junk, mallory(), Accept));
			assert_ok!(conclude(id, junk));
			// Their seats count, though it costs them.
			assert_eq!(state(id, junk), Some(ContributionState::Pending));
			assert_ok!(Datanets::open_review(signed(mallory()), id, junk));
			assert_eq!(Datanets::review(id, junk).unwrap().seats.len(), 4);
		}
	});
}

#[test]
fn a_seated_reviewer_should_not_be_displaced_before_it_has_voted() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let wren = contribute(bob(), id, b"a wren");
		join(id, carol(), 10_000);
		// The panel is full. Nobody with a seat has to go, however rich she is.
		join(id, mallory(), 50_000);
		assert_noop!(
			Datanets::join_panel(signed(alice()), id, 50_000),
			Error::<Test>::PanelFull
		);
		decide(id, wren, &[Accept; 3]);
		assert_eq!(
			state(id, wren),
			Some(ContributionState::Accepted { since: 1 })
		);
	});
}

#[test]
fn a_panel_should_not_be_emptied_in_a_block() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		join(id, carol(), 10_000);
		join(id, mallory(), 50_000);
		assert_noop!(
			Datanets::leave_panel(signed(mallory()), id),
			Error::<Test>::WarmingUp
		);
	});
}

#[test]
fn splitting_a_stake_should_not_earn_more_of_the_fee() {
	build_and_execute(|| {
		let id = reviewed([10_000, 10_000, 20_000]);
		let wren = contribute(bob(), id, b"a wren");
		decide(id, wren, &[Accept; 3]);
		let [first, second, third] = reviewers().map(|who| wealth(who) - ENDOWMENT);
		assert_eq!(first + second, third);
		assert_eq!(first + second + third, 100);
	});
}

#[test]
fn pending_junk_should_not_keep_others_out() {
	build_and_execute(|| {
		let id = datanet(Curation::Owner);
		for content in 0..MaxContributions::get() {
			contribute(mallory(), id, &content.to_le_bytes());
		}
		let wren = contribute(bob(), id, b"a wren");
		assert_ok!(Datanets::accept(signed(alice()), id, wren));
		// It is what is accepted that takes the places, and the owner who gives them.
		for junk in 1..MaxContributions::get() {
			assert_ok!(Datanets::accept(signed(alice()), id, junk));
		}
		assert_noop!(
			Datanets::accept(signed(alice()), id, 0),
			Error::<Test>::DatanetFull
		);
	});
}

#[test]
fn a_full_datanet_should_not_keep_a_review_open() {
	build_and_execute(|| {
		MaxContributions::set(1);
		let id = reviewed([10_000; 3]);
		let (wren, owl) = (
			contribute(bob(), id, b"a wren"),
			contribute(bob(), id, b"an owl"),
		);
		decide(id, wren, &[Accept; 3]);
		for who in reviewers() {
			let vote = vote_commitment(id, owl, &who, Accept, &salt(&who));
			assert_noop!(
				Datanets::commit_vote(signed(who), id, owl, vote),
				Error::<Test>::CommitPhaseOver
			);
		}
		assert_ok!(conclude(id, owl));
		assert_ok!(Datanets::open_review(signed(bob()), id, owl));
		decide(id, owl, &[Accept; 3]);
		assert_eq!(state(id, owl), None);
		assert!(Datanets::panel(id).iter().all(|who| who.seats == 0));
	});
}
