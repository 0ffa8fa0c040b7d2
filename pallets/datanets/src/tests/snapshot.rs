use crate::{
	mock::{Datanets, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};
use openledger_primitives::{merkle::Tree, ContributionLeaf, RecordLeaf};

#[test]
fn snapshot_should_commit_to_the_accepted_contributions_by_id() {
	build_and_execute(|| {
		let id = datanet(Curation::Owner);
		for content in [b"a wren", b"an owl", b"a rook"] {
			contribute(bob(), id, content);
		}
		// Accepted in another order, and one not at all.
		assert_ok!(Datanets::accept(signed(alice()), id, 2));
		assert_ok!(Datanets::accept(signed(alice()), id, 0));
		System::set_block_number(5);
		assert_ok!(Datanets::snapshot(signed(alice()), id));

		let leaves = [(0, b"a wren"), (2, b"a rook")].map(|(contribution, content)| {
			ContributionLeaf {
				contribution,
				records: records(content),
			}
			.node()
		});
		let expected = Tree::new(leaves.to_vec()).unwrap().commitment();
		assert_eq!((expected.sum, expected.count), (12, 2));
		assert_last_event(Event::Snapshotted {
			datanet: id,
			version: 1,
			contributions: expected,
			licence: name("CC-BY-4.0"),
		});
		let frozen = Datanets::snapshot_at(id, 1).unwrap();
		assert_eq!(frozen.contributions, expected);
		assert_eq!(frozen.block, 5);
		assert!(Datanets::snapshot_exists(id, 1));
		assert!(!Datanets::snapshot_exists(id, 2));
	});
}

#[test]
fn snapshot_should_let_a_record_be_proved_by_two_short_proofs() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		let leaves: Vec<RecordLeaf> = (0u32..5)
			.map(|seed| RecordLeaf {
				record: Hash::repeat_byte(seed as u8),
				bytes: 10 + seed,
			})
			.collect();
		let tree = Tree::new(leaves.iter().map(RecordLeaf::node).collect()).unwrap();
		contribute(carol(), id, b"an owl");
		let given = tree.commitment();
		assert_ok!(Datanets::contribute(
			signed(bob()),
			id,
			given,
			uri("ipfs://a"),
			bob()
		));
		snapshot(id);

		let owl = ContributionLeaf {
			contribution: 0,
			records: records(b"an owl"),
		}
		.node();
		let ours = ContributionLeaf {
			contribution: 1,
			records: given,
		}
		.node();
		let whole = Datanets::snapshot_at(id, 1).unwrap().contributions;
		assert_ok!(merkle::verify(&whole, 1, ours, &[owl]));
		let proof = tree.proof(3).unwrap();
		assert_ok!(merkle::verify(&given, 3, leaves[3].node(), &proof));
	});
}

#[test]
fn snapshot_should_never_change_afterwards() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		contribute(bob(), id, b"a wren");
		contribute(carol(), id, b"an owl");
		snapshot(id);
		let first = Datanets::snapshot_at(id, 1).unwrap();
		contribute(carol(), id, b"a rook");
		assert_ok!(Datanets::withdraw(signed(bob()), id, 0));
		snapshot(id);
		assert_eq!(Datanets::snapshot_at(id, 1).unwrap(), first);
		assert_ne!(Datanets::snapshot_at(id, 2).unwrap(), first);
	});
}

#[test]
fn snapshot_should_refuse_when_nothing_is_accepted() {
	build_and_execute(|| {
		let id = datanet(Curation::Owner);
		let snapshot = || Datanets::snapshot(signed(alice()), id).map_err(|error| error.error);
		assert_noop!(snapshot(), Error::<Test>::NothingNew);
		contribute(bob(), id, b"a wren");
		assert_noop!(snapshot(), Error::<Test>::NothingNew);
	});
}

#[test]
fn snapshot_should_refuse_when_the_last_one_contains_the_same() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		contribute(bob(), id, b"a wren");
		snapshot(id);
		let snapshot = || Datanets::snapshot(signed(alice()), id).map_err(|error| error.error);
		assert_noop!(snapshot(), Error::<Test>::NothingNew);
		let owl = contribute(bob(), id, b"an owl");
		assert_ok!(Datanets::withdraw(signed(bob()), id, owl));
		assert_noop!(snapshot(), Error::<Test>::NothingNew);
	});
}

#[test]
fn snapshot_should_be_the_owners_unless_the_datanet_is_open() {
	build_and_execute(|| {
		let (curated, open) = (datanet(Curation::Owner), datanet(Curation::Open));
		contribute(bob(), curated, b"a wren");
		contribute(bob(), open, b"a wren");
		assert_ok!(Datanets::accept(signed(alice()), curated, 0));
		assert_noop!(
			Datanets::snapshot(signed(carol()), curated).map_err(|error| error.error),
			Error::<Test>::NotOwner
		);
		assert_ok!(Datanets::snapshot(signed(carol()), open));
	});
}

#[test]
fn snapshot_should_be_anyones_where_reviewers_decide() {
	build_and_execute(|| {
		let id = reviewed([10_000; 3]);
		let wren = contribute(bob(), id, b"a wren");
		contribute(bob(), id, b"an owl");
		decide(id, wren, &[Vote::Accept; 3]);
		assert_ok!(Datanets::snapshot(signed(carol()), id));
		assert_eq!(Datanets::snapshot_at(id, 1).unwrap().contributions.count, 1);
	});
}

#[test]
fn snapshot_should_refuse_an_unknown_datanet() {
	build_and_execute(|| {
		assert_noop!(
			Datanets::snapshot(signed(alice()), 3).map_err(|error| error.error),
			Error::<Test>::UnknownDatanet
		);
	});
}

#[test]
fn snapshot_should_cost_by_what_the_datanet_keeps() {
	build_and_execute(|| {
		let id = datanet(Curation::Open);
		contribute(bob(), id, b"a wren");
		let one = Datanets::snapshot(signed(alice()), id)
			.unwrap()
			.actual_weight
			.unwrap();
		contribute(bob(), id, b"an owl");
		let two = Datanets::snapshot(signed(alice()), id)
			.unwrap()
			.actual_weight
			.unwrap();
		let most = Call::<Test>::snapshot { datanet: id }
			.get_dispatch_info()
			.call_weight;
		assert!(one.ref_time() < two.ref_time() && two.ref_time() < most.ref_time());
		let refused = Datanets::snapshot(signed(alice()), id).unwrap_err();
		assert_eq!(
			refused.post_info.actual_weight,
			Some(two),
			"a refusal has read them all, too"
		);
	});
}

#[test]
fn payout_account_should_be_known_only_for_contributions_in_the_snapshot() {
	build_and_execute(|| {
		let id = datanet(Curation::Owner);
		let (wren, owl) = (
			contribute(bob(), id, b"a wren"),
			contribute(carol(), id, b"an owl"),
		);
		assert_ok!(Datanets::accept(signed(alice()), id, wren));
		assert_eq!(
			Datanets::payout_account(id, 1, wren),
			None,
			"no such snapshot yet"
		);
		snapshot(id);
		assert_ok!(Datanets::accept(signed(alice()), id, owl));
		assert_ok!(Datanets::withdraw(signed(bob()), id, wren));
		snapshot(id);
		assert_eq!(Datanets::payout_account(id, 1, wren), Some(wallet()));
		assert_eq!(Datanets::payout_account(id, 1, owl), None);
		assert_eq!(Datanets::payout_account(id, 2, wren), None);
		assert_eq!(Datanets::payout_account(id, 2, owl), Some(wallet()));
		assert_eq!(Datanets::payout_account(id, 0, wren), None);
		assert_eq!(Datanets::payout_account(id, 3, owl), None);
		assert_eq!(Datanets::payout_account(id, 1, 9), None);
		assert_eq!(Datanets::payout_account(9, 1, wren), None);
	});
}
