//! Each test is an attack, and fails as an attack.

use super::*;
use codec::{Decode, Encode};
use openledger_primitives::{
	merkle::{self, Tree, MAX_LEAVES},
	PartLeaf,
};

fn leaf(payee: Payee, amount: Balance) -> PayoutLeaf {
	PayoutLeaf { payee, amount }
}

#[test]
fn a_report_should_not_differ_from_what_was_redeemed() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 60 * OPEN, 40 * OPEN);
		end_epoch();
		let book = Book::of(bob(), 0, 4);
		let report = |receipts, payouts| {
			Attribution::report(signed(hot(&bob())), 0, receipts, book.parts, payouts)
		};
		for sum in [0, 40 * OPEN - 1, 40 * OPEN + 1, 38 * OPEN, Balance::MAX] {
			let receipts = Commitment {
				sum,
				..book.receipts
			};
			assert_noop!(
				report(receipts, book.payouts),
				Error::<Test>::ReceiptsDoNotMatch
			);
		}
		for sum in [0, 38 * OPEN - 1, 38 * OPEN + 1, 40 * OPEN, Balance::MAX] {
			let payouts = Commitment {
				sum,
				..book.payouts
			};
			assert_noop!(
				report(book.receipts, payouts),
				Error::<Test>::PayoutsDoNotMatch
			);
			let parts = Commitment { sum, ..book.parts };
			let refused = Book {
				parts,
				..book.clone()
			};
			assert_noop!(refused.report(), Error::<Test>::PartsDoNotMatch);
		}
		for count in [0, MAX_LEAVES + 1, u32::MAX] {
			let receipts = Commitment {
				count,
				..book.receipts
			};
			assert_noop!(
				report(receipts, book.payouts),
				Error::<Test>::LeafCountOutOfRange
			);
			let payouts = Commitment {
				count,
				..book.payouts
			};
			assert_noop!(
				report(book.receipts, payouts),
				Error::<Test>::LeafCountOutOfRange
			);
		}
		assert_ok!(book.report());
	})
}

#[test]
fn an_epoch_should_not_be_reported_twice() {
	ExtBuilder.build_and_execute(|| {
		let book = reported();
		let other = Book::of(bob(), 0, 1);
		assert_noop!(book.report(), Error::<Test>::AlreadyReported);
		assert_noop!(other.report(), Error::<Test>::AlreadyReported);
		book.settle_all();
		assert_noop!(other.report(), Error::<Test>::AlreadyReported);
	})
}

#[test]
fn a_pot_should_not_grow_after_its_epoch() {
	ExtBuilder.build_and_execute(|| {
		reported();
		let pot = Attribution::pot(bob(), 0);
		collect(&bob(), 0, 40 * OPEN);
		assert_eq!(Attribution::pot(bob(), 0), pot);
	})
}

#[test]
fn a_leaf_should_not_be_settled_twice_nor_out_of_order() {
	ExtBuilder.build_and_execute(|| {
		let book = reported();
		assert_noop!(book.settle(1, 1), Error::<Test>::InvalidProof);
		assert_ok!(book.settle(0, 2));
		assert_noop!(book.settle(0, 2), Error::<Test>::InvalidProof);
		assert_noop!(book.settle(0, 1), Error::<Test>::InvalidProof);
		assert_noop!(book.settle(3, 1), Error::<Test>::InvalidProof);
		assert_ok!(book.settle(2, 5));
	})
}

#[test]
fn a_leaf_should_not_be_changed() {
	ExtBuilder.build_and_execute(|| {
		let book = reported();
		let proof = book.tree.range_proof(0, 2).unwrap();
		let good = book.leaves[..2].to_vec();
		let changes: [fn(&mut Vec<PayoutLeaf>); 4] = [
			|leaves| leaves[0].amount += 1,
			|leaves| leaves[0].payee = Payee::Stakers,
			|leaves| leaves.swap(0, 1),
			// More to one and less to the other leaves the sum as it was.
			|leaves| {
				leaves[0].amount += 1;
				leaves[1].amount -= 1;
			},
		];
		for change in changes {
			let mut leaves = good.clone();
			change(&mut leaves);
			assert_noop!(
				book.settle_with(leaves, proof.clone()),
				Error::<Test>::InvalidProof
			);
		}
		assert_ok!(book.settle_with(good, proof));
	})
}

#[test]
fn a_proof_should_not_be_short_long_or_of_another_report() {
	ExtBuilder.build_and_execute(|| {
		collect(&eve(), 0, 40 * OPEN);
		let book = reported();
		let others = Book::of(eve(), 0, 5);
		assert_ok!(others.report());
		pass(5);
		let leaves = book.leaves[..1].to_vec();
		let proof = book.tree.range_proof(0, 1).unwrap();
		assert!(proof.len() > 1);
		for length in 0..proof.len() {
			let short = proof[..length].to_vec();
			assert_noop!(
				book.settle_with(leaves.clone(), short),
				Error::<Test>::InvalidProof
			);
		}
		let long = [proof.clone(), vec![Node::default()]].concat();
		assert_noop!(
			book.settle_with(leaves.clone(), long),
			Error::<Test>::InvalidProof
		);
		let foreign = others.tree.range_proof(0, 1).unwrap();
		assert_noop!(
			book.settle_with(leaves.clone(), foreign),
			Error::<Test>::InvalidProof
		);
		assert_noop!(
			others.settle_with(leaves.clone(), proof.clone()),
			Error::<Test>::InvalidProof
		);
		for at in 0..proof.len() {
			let mut forged = proof.clone();
			forged[at].sum += 1;
			assert_noop!(
				book.settle_with(leaves.clone(), forged),
				Error::<Test>::InvalidProof
			);
			let mut forged = proof.clone();
			forged[at].hash = Hash::repeat_byte(1);
			assert_noop!(
				book.settle_with(leaves.clone(), forged),
				Error::<Test>::InvalidProof
			);
		}
		assert_ok!(book.settle_with(leaves, proof));
	})
}

#[test]
fn an_inner_node_should_not_pass_for_a_leaf() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 0, 40 * OPEN);
		end_epoch();
		let half = 19 * OPEN;
		let leaves = vec![leaf(Payee::Stakers, half), leaf(Payee::BaseOwner(0), half)];
		let book = Book::with_leaves(bob(), 0, leaves);
		assert_ok!(book.report());
		pass(5);
		// A tree of one leaf has its leaf as the root. No leaf's bytes can hash to an inner node, as
		// the first byte differs, so none stands for the root, even if the count were forged to one.
		let root = Node {
			hash: book.payouts.root,
			sum: book.payouts.sum,
		};
		let pair = (book.leaves[0].node(), book.leaves[1].node());
		let bytes = (pair.0.hash, pair.0.sum, pair.1.hash, pair.1.sum).encode();
		assert_ne!(merkle::leaf(&bytes, root.sum), root);
		assert_eq!(merkle::join(&pair.0, &pair.1), Ok(root));
		// One leaf for the whole pot, with no proof, where the tree has two.
		for payee in [Payee::Stakers, Payee::AdapterOwner(0)] {
			assert_noop!(
				book.settle_with(vec![leaf(payee, 38 * OPEN)], vec![]),
				Error::<Test>::InvalidProof
			);
		}
		// Nor do more leaves than the tree has.
		let doubled = [book.leaves.clone(), book.leaves.clone()].concat();
		assert_noop!(
			book.settle_with(doubled, vec![]),
			Error::<Test>::InvalidProof
		);
	})
}

#[test]
fn sums_should_not_overflow_into_a_small_total() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 0, 40 * OPEN);
		end_epoch();
		// Two leaves whose amounts come to 38 OPEN in 128 bits.
		let amount = (Balance::MAX - 38 * OPEN) / 2;
		let wrapping = Balance::MAX - amount + 38 * OPEN + 1;
		assert_eq!(amount.wrapping_add(wrapping), 38 * OPEN);
		let leaves = [
			leaf(Payee::Stakers, amount),
			leaf(Payee::AdapterOwner(0), wrapping),
		];
		let nodes = leaves.map(|leaf| leaf.node());
		assert!(Tree::new(nodes.to_vec()).is_err());
		// The root as an implementation that wraps around would compute it.
		let bytes = (
			1u8,
			nodes[0].hash,
			nodes[0].sum,
			nodes[1].hash,
			nodes[1].sum,
		)
			.encode();
		let root = openledger_primitives::content_hash(&bytes);
		let payouts = Commitment {
			root,
			sum: 38 * OPEN,
			count: 2,
		};
		let book = Book::of(bob(), 0, 1);
		let forged = Book {
			payouts,
			..book.clone()
		};
		assert_ok!(forged.report());
		pass(5);
		assert_noop!(
			book.settle_with(leaves.to_vec(), vec![]),
			Error::<Test>::InvalidProof
		);
		let first = book.settle_with(leaves[..1].to_vec(), vec![nodes[1]]);
		assert_eq!(first, Err(Error::<Test>::InvalidProof.into()));
		assert_eq!(Attribution::totals().credited, 0);
	})
}

#[test]
fn a_root_should_not_promise_more_than_its_leaves_hold_or_fewer_leaves_than_it_has() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 0, 40 * OPEN);
		end_epoch();
		// The leaves come to twice the pot; the sum is forged to match it.
		let leaves = vec![
			leaf(Payee::Stakers, 38 * OPEN),
			leaf(Payee::BaseOwner(0), 38 * OPEN),
		];
		let book = Book::with_leaves(bob(), 0, leaves);
		let payouts = Commitment {
			sum: 38 * OPEN,
			..book.payouts
		};
		let parts = Book::of(bob(), 0, 1).parts;
		let book = Book { parts, ..book };
		let forged = Book {
			payouts,
			..book.clone()
		};
		assert_ok!(forged.report());
		pass(5);
		assert_noop!(book.settle(0, 1), Error::<Test>::InvalidProof);
		assert_noop!(book.settle(0, 2), Error::<Test>::InvalidProof);
	})
}

#[test]
fn a_pot_should_not_be_frozen_by_naming_its_provider_as_a_hot_key() {
	for eve_has_a_pot in [false, true] {
		ExtBuilder.build_and_execute(|| {
			collect(&bob(), 0, 40 * OPEN);
			if eve_has_a_pot {
				collect(&eve(), 0, 20 * OPEN);
			}
			end_epoch();
			EvesHotKey::set(&Some(bob()));
			let book = Book::of(bob(), 0, 1);
			assert_ok!(book.report_by(bob()));
			assert!(Attribution::report_of(bob(), 0).is_some());
			assert_noop!(book.report_by(bob()), Error::<Test>::AlreadyReported);
			assert!(Attribution::report_of(eve(), 0).is_none());
		})
	}
}

#[test]
fn a_provider_should_not_be_able_to_name_an_account() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 0, 40 * OPEN);
		end_epoch();
		// Bob names himself the contributor of a contribution that does not exist.
		let payee = Payee::Contributor {
			adapter: 0,
			datanet: 7,
			contribution: CONTRIBUTORS + 1,
		};
		let book = Book::with_leaves(bob(), 0, vec![leaf(payee, 38 * OPEN)]);
		assert_ok!(book.report());
		pass(5);
		book.settle_all();
		assert_eq!(Attribution::credit(bob()), 0);
		assert_eq!(Attribution::credit(treasury()), 38 * OPEN);
	})
}

#[test]
fn anothers_credit_should_not_be_claimed_away() {
	ExtBuilder.build_and_execute(|| {
		reported().settle_all();
		let before = Balances::balance(&alice());
		assert_ok!(Attribution::claim(signed(alice()), dave()));
		assert_eq!(Balances::balance(&alice()), before);
		assert_eq!(Balances::balance(&dave()), ENDOWMENT + 38 * OPEN / 10 * 3);
	})
}

#[test]
fn new_terms_should_not_change_a_pot_that_was_redeemed_under_the_old() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 0, 40 * OPEN);
		GovernedTerms::set(&Terms {
			protocol_cut: 1_000_000,
			..Terms::default()
		});
		end_epoch();
		let book = Book::of(bob(), 0, 4);
		assert_eq!(book.payouts.sum, 38 * OPEN);
		assert_ok!(book.report());
		assert_eq!(Attribution::report_of(bob(), 0).unwrap().terms, 1);
	})
}

#[test]
fn oversized_leaves_and_proofs_should_not_decode() {
	let leaves = vec![leaf(Payee::Stakers, 1); MAX_SETTLE as usize + 1].encode();
	assert!(
		BoundedVec::<PayoutLeaf, <Test as Config>::MaxSettle>::decode(&mut &leaves[..]).is_err()
	);
	let proof = vec![Node::default(); MAX_PROOF as usize + 1].encode();
	assert!(BoundedVec::<Node, ConstU32<{ MAX_PROOF }>>::decode(&mut &proof[..]).is_err());
}

/// What Bob reports after 40 OPEN of licence money: all of it to adapter owners, say.
fn stolen() -> Book {
	collect(&bob(), 0, 40 * OPEN);
	end_epoch();
	let book = Book::with_leaves(bob(), 0, vec![leaf(Payee::AdapterOwner(0), 38 * OPEN)]);
	assert_ok!(book.report());
	book
}

fn wrong_part(book: &Book) -> Dispute {
	Dispute::WrongPart {
		part: book.part(0),
		leaf: book.leaf(),
		receipt: book.receipt.clone(),
	}
}

#[test]
fn the_data_share_should_not_be_stolen_from_contributors() {
	ExtBuilder.build_and_execute(|| {
		let book = stolen();
		assert_ok!(book.dispute(contributor(0), wrong_part(&book)));
		assert_eq!(book.on_chain(), None);
		// Bob keeps his lie to himself; a contributor's friend reports the epoch as it was.
		let right = Book::of(bob(), 0, 4);
		assert_ok!(right.report_for(eve()));
		pass(5);
		right.settle_all();
		assert_eq!(
			Attribution::credit(contributor(1)),
			38 * OPEN / 8,
			"honest contributors are paid although the provider cheated"
		);
		assert_eq!(BondOfBob::get(), 1_000 * OPEN - 76 * OPEN);
		assert_eq!(Jailed::get(), vec![bob()]);
	})
}

#[test]
fn an_honest_report_should_not_be_removed_by_any_dispute() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 0, 40 * OPEN);
		end_epoch();
		let book = Book::of(bob(), 0, 4);
		assert_ok!(book.report());
		let (leaf, receipt) = (book.leaf(), book.receipt.clone().unwrap());
		assert_noop!(
			book.dispute(eve(), wrong_part(&book)),
			Error::<Test>::ReportHolds
		);
		let dispute = Dispute::WrongReceipt {
			leaf: leaf.clone(),
			receipt: receipt.clone(),
		};
		assert_noop!(book.dispute(eve(), dispute), Error::<Test>::ReportHolds);
		let dispute = Dispute::UnknownPayee {
			payout: book.payout(0),
		};
		assert_noop!(book.dispute(eve(), dispute), Error::<Test>::ReportHolds);
		let mut forged = receipt;
		forged.licence += 1;
		let dispute = Dispute::WrongReceipt {
			leaf: leaf.clone(),
			receipt: forged,
		};
		assert_noop!(book.dispute(eve(), dispute), Error::<Test>::WrongPreimage);
		let mut moved = book.part(0);
		moved.leaf.amount += 1;
		let dispute = Dispute::WrongPart {
			part: moved,
			leaf,
			receipt: None,
		};
		assert_noop!(book.dispute(eve(), dispute), Error::<Test>::InvalidOpening);
		assert!(book.on_chain().is_some() && Jailed::get().is_empty());
	})
}

#[test]
fn a_dispute_should_not_be_worth_filing_against_oneself() {
	ExtBuilder.build_and_execute(|| {
		let bond = BondOfBob::get();
		let book = stolen();
		// Dave is Bob.
		assert_ok!(book.dispute(dave(), wrong_part(&book)));
		let lost = bond - BondOfBob::get();
		assert_eq!(Attribution::credit(dave()), lost / 2);
		assert!(lost / 2 >= 38 * OPEN, "it costs no less than the pot");
	})
}

#[test]
fn a_report_should_not_be_settled_twice_through_a_dispute() {
	ExtBuilder.build_and_execute(|| {
		let book = stolen();
		pass(5);
		book.settle_all();
		assert_noop!(
			book.dispute(eve(), wrong_part(&book)),
			Error::<Test>::DisputeTooLate
		);
		assert_noop!(
			Book::of(bob(), 0, 4).report(),
			Error::<Test>::AlreadyReported
		);
	})
}

#[test]
fn a_provider_should_not_be_pushed_aside_before_its_deadline() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 0, 40 * OPEN);
		end_epoch();
		let book = Book::of(bob(), 0, 4);
		assert_noop!(book.report_for(eve()), Error::<Test>::ProviderMayReport);
		// The hot key of another is another.
		assert_noop!(
			book.report_for(hot(&eve())),
			Error::<Test>::ProviderMayReport
		);
		assert_ok!(book.report_for(hot(&bob())));
		assert_eq!(book.on_chain().unwrap().reporter, bob());
	})
}

#[test]
fn a_false_report_in_anothers_place_should_cost_no_less_than_the_pot() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 0, 4_000 * OPEN);
		end_epoch();
		for _ in 0..4 {
			end_epoch();
		}
		let net = 3_800 * OPEN;
		let book = Book::with_leaves(bob(), 0, vec![leaf(Payee::AdapterOwner(0), net)]);
		assert_ok!(book.report_for(eve()));
		let before = Balances::total_balance(&eve());
		assert_ok!(book.dispute(contributor(0), wrong_part(&book)));
		assert_eq!(before - Balances::total_balance(&eve()), net);
		assert_eq!(Attribution::credit(contributor(0)), net / 2);
		// Bob did nothing wrong here.
		assert_eq!(BondOfBob::get(), 1_000 * OPEN);
		assert!(Jailed::get().is_empty());
	})
}

#[test]
fn the_draw_of_an_audit_should_not_be_known_when_the_report_is_made() {
	ExtBuilder.build_and_execute(|| {
		AuditRate::set(&1_000_000);
		let book = stolen();
		// No draw in the block of the report nor in the next, whose randomness is made after it.
		pass(1);
		assert_eq!(book.on_chain().unwrap().audit, None);
		let before = Entropy::<Test>::get();
		pass(1);
		assert_ne!(before, Entropy::<Test>::get());
		let audit = book.on_chain().unwrap().audit.unwrap();
		// A report that is made anew is drawn anew.
		assert_ok!(book.dispute(eve(), wrong_part(&book)));
		let right = Book::of(bob(), 0, 4);
		assert_ok!(right.report_by(bob()));
		pass(2);
		assert_ne!(right.on_chain().unwrap().audit.unwrap().seed, audit.seed);
	})
}

#[test]
fn the_author_of_a_block_before_the_draw_should_not_know_the_draw() {
	let seed_of = |throw: u32, loaded: BlockNumber| {
		let mut seed = Hash::zero();
		ExtBuilder.build_and_execute(|| {
			AuditRate::set(&1_000_000);
			Throw::set(&throw);
			let book = stolen();
			LoadedIn::set(&(System::block_number() + loaded));
			pass(2);
			seed = book.on_chain().unwrap().audit.unwrap().seed;
		});
		seed
	};
	// Whichever block is the cheat's, the other changes the draw.
	for loaded in [1, 2] {
		assert_ne!(seed_of(0, loaded), seed_of(1, loaded));
	}
	assert_eq!(seed_of(0, 1), seed_of(0, 1));
}

#[test]
fn an_audited_report_should_not_be_settled_before_it_has_passed() {
	ExtBuilder.build_and_execute(|| {
		AuditRate::set(&1_000_000);
		DisputeWindow::set(&0);
		collect(&bob(), 0, 40 * OPEN);
		end_epoch();
		let book = Book::of(bob(), 0, 4);
		assert_ok!(book.report());
		// Not even with a window of nothing.
		assert_noop!(book.settle(0, 1), Error::<Test>::WindowOpen);
		pass(2);
		assert_noop!(book.settle(0, 1), Error::<Test>::AuditOpen);
		let seed = book.on_chain().unwrap().audit.unwrap().seed;
		assert_ok!(book.answer_audit(hot(&bob()), book.answer(seed)));
		assert_ok!(book.settle(0, 1));
	})
}

#[test]
fn leaves_that_nobody_can_open_should_fail_the_audit_and_be_removed() {
	ExtBuilder.build_and_execute(|| {
		AuditRate::set(&1_000_000);
		collect(&bob(), 0, 40 * OPEN);
		end_epoch();
		let mut book = Book::of(bob(), 0, 4);
		// A root of no tree.
		book.parts.root = Hash::repeat_byte(66);
		assert_ok!(book.report());
		pass(2);
		let seed = book.on_chain().unwrap().audit.unwrap().seed;
		assert_noop!(
			book.answer_audit(hot(&bob()), book.answer(seed)),
			Error::<Test>::InvalidOpening
		);
		for _ in 0..2 {
			pass(AuditPeriod::get() + 1);
			assert_ok!(Attribution::fail_audit(signed(eve()), bob(), 0));
		}
		assert_eq!(book.on_chain(), None);
		assert_eq!(Attribution::credit(eve()), 38 * OPEN);
	})
}

#[test]
fn a_pot_should_not_be_forfeited_while_it_may_be_reported() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 0, 40 * OPEN);
		let forfeit = || Attribution::forfeit(signed(eve()), bob(), 0);
		for _ in 0..=8 {
			assert_noop!(forfeit(), Error::<Test>::TooEarlyToForfeit);
			end_epoch();
		}
		// Reported at the last moment and proven wrong: the time begins anew.
		let book = Book::with_leaves(bob(), 0, vec![leaf(Payee::AdapterOwner(0), 38 * OPEN)]);
		assert_ok!(book.report());
		assert_noop!(forfeit(), Error::<Test>::TooEarlyToForfeit);
		assert_ok!(book.dispute(eve(), wrong_part(&book)));
		assert_noop!(forfeit(), Error::<Test>::TooEarlyToForfeit);
		assert_ok!(Book::of(bob(), 0, 4).report_for(dave()));
	})
}

#[test]
fn anothers_money_should_not_be_sent_to_the_treasury_out_of_spite() {
	ExtBuilder.build_and_execute(|| {
		let book = stolen();
		assert_ok!(book.dispute(contributor(0), wrong_part(&book)));
		// Eve is faster than those who have the receipts, and says that nobody has.
		let spite = Book::lost(bob(), 0);
		assert_ok!(spite.report_for(eve()));
		let leaf = spite.leaf();
		assert_ok!(spite.dispute(contributor(0), Dispute::Unexplained { leaf }));
		assert_eq!(Balances::total_balance(&eve()), ENDOWMENT - 100 * OPEN);
		let right = Book::of(bob(), 0, 4);
		assert_ok!(right.report_for(dave()));
		pass(5);
		right.settle_all();
		assert_eq!(Attribution::credit(treasury()), 38 * OPEN / 10);
	})
}

/// Bob's report of 40 OPEN, which Alice paid on channel 0, for one receipt that is as `change` leaves it.
fn made_up(change: impl FnOnce(&mut Receipt)) -> Book {
	let book = Book::of(bob(), 0, 4).forge(change);
	assert_ok!(book.report());
	book
}

#[test]
fn a_pot_should_not_be_paid_to_receipts_of_a_lane_that_did_not_earn_it() {
	type Change = fn(&mut Receipt);
	let elsewhere: [Change; 5] = [
		// Lanes and generations that nobody used.
		|receipt| receipt.lane = 7,
		|receipt| receipt.lane = 60_000,
		|receipt| receipt.generation = 1,
		// A friend's lane, which paid next to nothing and acknowledges whatever Bob wants.
		|receipt| receipt.channel = 2,
		// A channel that was open once.
		|receipt| receipt.channel = 3,
	];
	for change in elsewhere {
		ExtBuilder.build_and_execute(|| {
			collect(&bob(), 0, 40 * OPEN - 1);
			collect_on(&bob(), open_channel(&bob()), 0, 1, Hash::repeat_byte(0x12));
			close_channel(open_channel(&bob()));
			end_epoch();
			let book = made_up(change);
			assert_ok!(book.dispute(eve(), book.lane_exceeded()));
			assert_eq!(book.on_chain(), None);
		})
	}
}

#[test]
fn a_closed_channel_should_keep_its_account_of_what_it_paid() {
	ExtBuilder.build_and_execute(|| {
		let channel = open_channel(&bob());
		collect_on(&bob(), channel, 0, 40 * OPEN, Hash::repeat_byte(0x12));
		close_channel(channel);
		end_epoch();
		let book = made_up(|receipt| receipt.channel = channel);
		// It did pay that much.
		assert_noop!(
			book.dispute(eve(), book.lane_exceeded()),
			Error::<Test>::ReportHolds
		);
		// But not for this receipt.
		let (leaf, receipt) = (book.leaf(), book.receipt.clone().unwrap());
		let acknowledged = BoundedVec::default();
		let dispute = Dispute::NotAcknowledged {
			leaf,
			receipt,
			acknowledged,
		};
		assert_noop!(book.dispute(eve(), dispute), Error::<Test>::Unrelated);
	})
}

#[test]
fn receipts_that_did_not_earn_the_pot_should_not_pass_an_audit() {
	ExtBuilder.build_and_execute(|| {
		AuditRate::set(&1_000_000);
		collect(&bob(), 0, 40 * OPEN);
		end_epoch();
		let book = made_up(|receipt| receipt.lane = 7);
		pass(2);
		let seed = book.on_chain().unwrap().audit.unwrap().seed;
		assert_noop!(
			book.answer_audit(hot(&bob()), book.answer(seed)),
			Error::<Test>::Unrelated
		);
	})
}

#[test]
fn what_a_pot_came_from_should_not_be_swept_while_it_may_be_needed() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 0, 40 * OPEN);
		let sweep = || Attribution::sweep(signed(eve()), bob(), 0, MAX_SWEEP);
		assert_noop!(sweep(), Error::<Test>::NotReported);
		end_epoch();
		let book = made_up(|receipt| receipt.lane = 7);
		assert_noop!(sweep(), Error::<Test>::NotSettled);
		assert_ok!(book.dispute(eve(), book.lane_exceeded()));
		assert_noop!(sweep(), Error::<Test>::NotReported);
		assert!(Attribution::source(&bob(), 0, 0, 0, 0).unwrap().licence > 0);
	})
}

#[test]
fn a_data_share_should_not_be_exceeded_by_many_small_parts() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 0, 40 * OPEN);
		end_epoch();
		// Bob's friends, each with so little that no dispute can add up more than the data share.
		let friend = |contribution| PartLeaf {
			payee: Payee::Contributor {
				adapter: 0,
				datanet: 0,
				contribution,
			},
			receipt: 0,
			amount: 38 * OPEN / 256,
		};
		let book = Book::with_parts(bob(), 0, (0..256).map(friend).collect());
		assert_ok!(book.report());
		let shown = |count: usize| Dispute::DataExceeded {
			leaf: book.leaf(),
			receipt: book.receipt.clone().unwrap(),
			parts: (0..count)
				.map(|index| book.part(index))
				.collect::<Vec<_>>()
				.try_into()
				.unwrap(),
		};
		assert_noop!(book.dispute(eve(), shown(127)), Error::<Test>::ReportHolds);
		assert_ok!(book.dispute(eve(), shown(128)));
		// Who has as many contributors pays the largest.
		let right = Book::of(bob(), 0, 256);
		assert_ok!(right.report_for(eve()));
		assert_eq!(right.part_leaves.len(), 127 + 3);
	})
}

#[test]
fn a_report_should_not_be_padded_with_leaves_of_nothing() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 0, 40 * OPEN);
		end_epoch();
		let right = Book::of(bob(), 0, 4);
		let mut leaves = vec![leaf(Payee::Stakers, 0); 1_000];
		leaves.extend(right.leaves.clone());
		let book = Book::with(bob(), 0, right.part_leaves.clone(), leaves);
		assert_ok!(book.report());
		let padding = Dispute::EmptyPayout {
			payout: book.payout(999),
		};
		assert_ok!(book.dispute(eve(), padding));

		// Nor with many payouts of one payee.
		let mut leaves = right.leaves.clone();
		leaves[0].amount -= 1;
		leaves.insert(0, leaf(leaves[0].payee, 1));
		let book = Book::with(bob(), 0, right.part_leaves.clone(), leaves);
		assert_ok!(book.report_for(dave()));
		let padding = Dispute::PayoutsDisordered {
			first: book.payout(0),
			second: book.payout(1),
		};
		assert_ok!(book.dispute(eve(), padding));
		assert_ok!(right.report_for(dave()));
		for index in 0..right.leaves.len() {
			let payout = right.payout(index);
			assert_noop!(
				right.dispute(eve(), Dispute::EmptyPayout { payout }),
				Error::<Test>::ReportHolds
			);
		}
	})
}
