use super::*;
use crate::migrations::{v0, AddParts, KeepSources, V0ToV1, V1ToV2};
use codec::{Decode, Encode};
use frame::traits::OnRuntimeUpgrade;

#[test]
fn reports_of_layout_0_should_be_kept_settled_as_they_were_and_counted() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 0, 40 * OPEN);
		collect(&eve(), 0, 20 * OPEN);
		end_epoch();
		let book = Book::of(bob(), 0, 4);
		assert_ok!(book.report());
		pass(5);
		assert_ok!(book.settle(0, 3));
		// Back to the old layout.
		let report = book.on_chain().unwrap();
		Reports::<Test>::remove(bob(), 0);
		let _ = AtRisk::<Test>::clear(10, None);
		let old = v0::Report {
			receipts: report.receipts,
			payouts: report.payouts,
			terms: report.terms,
			reported_at: report.reported_at,
			open_at: report.open_at,
			settled: report.settled,
			paid: report.paid,
		};
		v0::Reports::<Test>::insert(bob(), 0, &old);
		StorageVersion::new(0).put::<Attribution>();
		assert!(Report::decode(&mut &old.encode()[..]).is_err());

		let noted = AddParts::<Test>::note();
		V0ToV1::<Test>::on_runtime_upgrade();
		assert_ok!(AddParts::<Test>::verify(&noted));
		// A report that was lost would be noticed.
		let kept = Reports::<Test>::take(bob(), 0);
		assert!(AddParts::<Test>::verify(&noted).is_err());
		Reports::<Test>::set(bob(), 0, kept);
		assert_eq!(StorageVersion::get::<Attribution>(), 1);
		let expected = Report {
			parts: Commitment::default(),
			..report
		};
		assert_eq!(book.on_chain(), Some(expected));
		assert_eq!(
			Attribution::at_risk(&bob()),
			38 * OPEN - book.on_chain().unwrap().paid
		);
		assert_eq!(Attribution::at_risk(&eve()), 19 * OPEN);
		Attribution::do_try_state().unwrap();
		// It runs once.
		V0ToV1::<Test>::on_runtime_upgrade();
		assert_eq!(Attribution::at_risk(&eve()), 19 * OPEN);
		assert_ok!(book.settle(3, 4));
		assert_eq!(Attribution::at_risk(&bob()), 0);
	})
}

#[test]
fn money_redeemed_before_sources_were_kept_should_not_be_held_against_anyone() {
	ExtBuilder.build_and_execute(|| {
		// As layout 1 left it: an epoch that is over, and one in progress.
		collect(&bob(), 0, 40 * OPEN);
		end_epoch();
		collect(&bob(), 0, 20 * OPEN);
		let _ = Sources::<Test>::clear(10, None);
		SourcesSince::<Test>::kill();
		StorageVersion::new(1).put::<Attribution>();
		Attribution::do_try_state().unwrap();
		let unknown = Attribution::source(&bob(), 1, 0, 0, 0);
		assert_eq!(unknown, Some(Source::default()));

		V1ToV2::<Test>::on_runtime_upgrade();
		assert_ok!(KeepSources::<Test>::verify());
		// Redeemed in the epoch of the upgrade, after it.
		collect(&bob(), 0, 10 * OPEN);
		end_epoch();
		collect(&bob(), 0, 30 * OPEN);
		assert_eq!(Attribution::source(&bob(), 0, 0, 0, 0), None);
		assert_eq!(Attribution::source(&bob(), 1, 0, 0, 0), None);
		let known = Attribution::source(&bob(), 2, 0, 0, 0).unwrap();
		assert_eq!((known.licence, known.total), (30 * OPEN, 100 * OPEN));

		for epoch in [0, 1] {
			let book = Book::of(bob(), epoch, 4);
			assert_ok!(book.report());
			let dispute = book.dispute(eve(), book.lane_exceeded());
			assert_eq!(dispute, Err(Error::<Test>::FactUnknown.into()));
		}
		// It runs once.
		V1ToV2::<Test>::on_runtime_upgrade();
		assert_eq!(SourcesSince::<Test>::get(), 2);
	})
}
