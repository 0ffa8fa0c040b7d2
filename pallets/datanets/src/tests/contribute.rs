use crate::{
	mock::{Datanets, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

fn contribute_records(datanet: DatanetId, records: Commitment) -> DispatchResult {
	Datanets::contribute(
		signed(bob()),
		datanet,
		records,
		uri("ipfs://notes"),
		wallet(),
	)
}

#[test]
fn contribute_should_wait_for_the_owner_of_a_curated_datanet() {
	build_and_execute(|| {
		let id = datanet(Curation::Owner);
		let given = records(b"a wren at dawn");
		assert_ok!(contribute_records(id, given));
		assert_last_event(Event::Contributed {
			datanet: id,
			contribution: 0,
			contributor: bob(),
			payout: wallet(),
			records: given,
			uri: uri("ipfs://notes"),
		});
		assert_eq!(state(id, 0), Some(ContributionState::Pending));
		let pool = Datanets::datanet(id).unwrap();
		assert_eq!((pool.contributions, pool.kept, pool.accepted), (1, 0, 0));
	});
}

#[test]
fn contribute_should_be_accepted_at_once_by_an_open_datanet() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		assert_ok!(contribute_records(id, records(b"a wren at dawn")));
		assert_last_event(Event::Accepted {
			datanet: id,
			contribution: 0,
			contributor: bob(),
		});
		assert_eq!(state(id, 0), Some(ContributionState::Accepted { since: 1 }));
		assert_eq!(Datanets::datanet(id).unwrap().accepted, 1);
	});
}

#[test]
fn contribute_should_hold_a_deposit_by_size() {
	build_and_execute(|| {
		let id = datanet(Curation::Owner);
		let give = |content: &[u8], place: &str| {
			let before = held(bob());
			let given = records(content);
			assert_ok!(Datanets::contribute(
				signed(bob()),
				id,
				given,
				uri(place),
				wallet()
			));
			held(bob()) - before
		};
		let short = give(b"a wren", "ipfs://a");
		assert!(short > 1_000);
		assert_eq!(give(b"an owl", "ipfs://abcde"), short + 4);
	});
}

#[test]
fn contribute_should_hold_a_bond_that_grows_with_the_bytes_where_all_is_accepted() {
	build_and_execute(|| {
		let held_by = |curation, content: &[u8]| {
			let before = held_for(HoldReason::Bond, bob());
			let id = datanet(curation);
			let given = contribute(bob(), id, content);
			let bond = Datanets::bond(id, given).unwrap();
			assert_eq!(
				held_for(HoldReason::Bond, bob()) - before,
				bond.amount + bond.fee
			);
			bond
		};
		let (kib, more) = (vec![7; 1_024], vec![7; 1_025]);
		let open = held_by(Curation::Open, &kib);
		assert_eq!((open.amount, open.fee), (5_000 + 700, 0));
		assert_eq!(open.free_at, Some(1 + BOND_PERIOD));
		assert_eq!(held_by(Curation::Open, &more).amount, 5_000 + 2 * 700);
		let owners = held_by(Curation::Owner, &more);
		assert_eq!(
			(owners.amount, owners.fee, owners.free_at),
			(5_000, 0, None)
		);
		let reviewers = held_by(Curation::Reviewers, &more);
		assert_eq!((reviewers.amount, reviewers.fee), (5_000, 100));
	});
}

#[test]
fn contribute_should_fail_without_money_for_the_bond() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		ContributionBond::set(ENDOWMENT);
		// The deposit is held first; as every call, this one is undone as a whole when it fails.
		assert_noop!(
			frame::deps::frame_support::storage::with_storage_layer(|| {
				contribute_records(id, records(b"a wren"))
			}),
			TokenError::FundsUnavailable
		);
	});
}

#[test]
fn contribute_should_open_a_review_where_there_are_reviewers() {
	build_and_execute(|| {
		let id = reviewed([10_000, 20_000, 30_000]);
		let given = contribute(bob(), id, b"a wren");
		let now = System::block_number();
		assert_last_event(Event::ReviewOpened {
			datanet: id,
			contribution: given,
			appeal: false,
			seats: 3,
			commit_until: now + COMMIT,
			reveal_until: now + COMMIT + REVEAL,
		});
		assert_eq!(state(id, given), Some(ContributionState::Pending));
		let weights: Vec<_> = Datanets::review(id, given)
			.unwrap()
			.seats
			.iter()
			.map(|seat| seat.weight)
			.collect();
		assert_eq!(weights, [10_000, 20_000, 30_000]);
	});
}

#[test]
fn contribute_should_wait_without_a_review_where_there_is_nobody_to_seat() {
	build_and_execute(|| {
		let id = datanet(Curation::Reviewers);
		let given = contribute(bob(), id, b"a wren");
		assert_eq!(state(id, given), Some(ContributionState::Pending));
		assert_eq!(Datanets::review(id, given), None);
	});
}

#[test]
fn contribute_should_fail_without_money_for_the_deposit() {
	build_and_execute(|| {
		let id = datanet(Curation::Owner);
		assert_noop!(
			Datanets::contribute(
				signed(pauper()),
				id,
				records(b"a wren"),
				uri("ipfs://a"),
				bob()
			),
			TokenError::FundsUnavailable
		);
	});
}

#[test]
fn contribute_should_refuse_an_unknown_datanet() {
	build_and_execute(|| {
		assert_noop!(
			contribute_records(7, records(b"a wren")),
			Error::<Test>::UnknownDatanet
		);
	});
}

#[test]
fn contribute_should_refuse_records_under_a_second_identity() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		contribute(bob(), id, b"a wren at dawn");
		assert_noop!(
			Datanets::contribute(
				signed(carol()),
				id,
				records(b"a wren at dawn"),
				uri("https://elsewhere"),
				carol()
			),
			Error::<Test>::DuplicateContribution
		);
	});
}

#[test]
fn contribute_should_allow_the_same_records_in_another_datanet() {
	build_and_execute(|| {
		let (first, second) = (datanet(Curation::Open), datanet(Curation::Open));
		contribute(bob(), first, b"a wren at dawn");
		contribute(bob(), second, b"a wren at dawn");
		assert_eq!(Datanets::datanet(second).unwrap().accepted, 1);
	});
}

#[test]
fn contribute_should_refuse_records_that_no_tree_can_have() {
	build_and_execute(|| {
		OpenBondPerKib::set(0);
		let id = datanet(Curation::Open);
		let good = records(b"a wren");
		let most = u128::from(u32::MAX);
		for (bad, error) in [
			(
				Commitment {
					root: Hash::zero(),
					..good
				},
				Error::<Test>::NoRoot,
			),
			(Commitment { count: 0, ..good }, Error::<Test>::NoRecords),
			(
				Commitment {
					count: merkle::MAX_LEAVES + 1,
					..good
				},
				Error::<Test>::TooManyRecords,
			),
			(Commitment { count: 7, ..good }, Error::<Test>::EmptyRecords),
			(Commitment { sum: 0, ..good }, Error::<Test>::EmptyRecords),
			(
				Commitment {
					sum: most + 1,
					..good
				},
				Error::<Test>::TooManyBytes,
			),
			(
				Commitment {
					sum: u128::MAX,
					..good
				},
				Error::<Test>::TooManyBytes,
			),
		] {
			assert_noop!(contribute_records(id, bad), error);
		}
		assert_ok!(contribute_records(id, Commitment { sum: most, ..good }));
	});
}

#[test]
fn contribute_should_not_be_able_to_break_the_snapshot_by_a_false_sum() {
	build_and_execute(|| {
		OpenBondPerKib::set(0);
		let id = datanet(Curation::Open);
		let most = u128::from(merkle::MAX_LEAVES) * u128::from(u32::MAX);
		for seed in 1..=MaxContributions::get() {
			let root = Hash::from_low_u64_be(seed.into());
			let biggest = Commitment {
				root,
				sum: most,
				count: merkle::MAX_LEAVES,
			};
			assert_ok!(contribute_records(id, biggest));
		}
		let version = snapshot(id);
		let whole = Datanets::snapshot_at(id, version).unwrap().contributions;
		assert_eq!(whole.sum, most * u128::from(MaxContributions::get()));
	});
}

#[test]
fn contribute_should_refuse_a_uri_that_is_empty_or_not_printable() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		for bad in ["", "https://a\0b", "https://a\nb"] {
			assert_noop!(
				Datanets::contribute(signed(bob()), id, records(b"a wren"), uri(bad), wallet()),
				Error::<Test>::InvalidText
			);
		}
	});
}

#[test]
fn contribute_should_refuse_more_than_a_datanet_keeps_until_room_is_made() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		for content in 0..MaxContributions::get() {
			contribute(bob(), id, &content.to_le_bytes());
		}
		assert_noop!(
			contribute_records(id, records(b"one more")),
			Error::<Test>::DatanetFull
		);
		assert_ok!(Datanets::withdraw(signed(bob()), id, 3));
		assert_ok!(contribute_records(id, records(b"one more")));
		assert_eq!(
			state(id, 8),
			Some(ContributionState::Accepted { since: 1 }),
			"ids are not reused"
		);
	});
}
