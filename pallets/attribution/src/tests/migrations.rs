use super::*;
use crate::migrations::{v0, AddParts, V0ToV1};
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
