//! What must hold whatever was done.

use crate::*;
use alloc::{
	collections::{BTreeMap, BTreeSet},
	vec::Vec,
};
use frame::{deps::sp_runtime::TryRuntimeError, traits::fungible::hold::Inspect as _};

impl<T: Config> Pallet<T> {
	/// Checks that
	///
	/// 1. every Datanet has an id below the next one, and a deposit, and no deposit is left over;
	/// 2. every contribution belongs to a Datanet, has an id below that Datanet's next one, and a
	///    deposit, and no deposit is left over;
	/// 3. a Datanet counts the contributions that have a place and those it has accepted rightly, and has
	///    no more of the first than it may; just those have a place that are not pending or rejected;
	/// 4. each contribution's root leads to it, and there are no other roots;
	/// 5. no contribution to an open Datanet is pending, and only reviewers leave one rejected;
	/// 6. a contribution is accepted from the next snapshot on at the latest; a withdrawn one or a
	///    duplicate is in at least one snapshot, and a duplicate later than its original;
	/// 7. a Datanet's snapshots have the versions from 1 to its last, without a gap;
	/// 8. every snapshot still is the root over the contributions that say they are in it;
	/// 9. every bond belongs to a contribution that is no duplicate, is free some time after acceptance
	///    and not before, and has a fee only where there may be a review;
	/// 10. only Datanets curated by reviewers have a panel; nobody is on it twice, stays there without
	///     stake, or leaves without a seat in an open review;
	/// 11. every review is of a pending contribution, or of a rejected one if it is an appeal, and only
	///     then has a deposit; nobody has two seats, or one in the review of the own contribution;
	/// 12. a reviewer's seats are those it has in open reviews, and nobody else has one;
	/// 13. bonds with fees, stakes and appeals' deposits are, account by account, what is held for them.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		let next = NextDatanet::<T>::get();
		ensure!(
			Datanets::<T>::iter_keys().all(|id| id < next),
			"1: id of a Datanet"
		);
		ensure!(
			Datanets::<T>::iter_keys().all(DatanetDeposits::<T>::contains_key)
				&& DatanetDeposits::<T>::iter_keys().all(Datanets::<T>::contains_key),
			"1: deposit of a Datanet"
		);
		for (datanet, id, contribution) in Contributions::<T>::iter() {
			let pool = Datanets::<T>::get(datanet).ok_or("2: a contribution without a Datanet")?;
			ensure!(id < pool.contributions, "2: id of a contribution");
			ensure!(
				ContributionDeposits::<T>::contains_key(datanet, id),
				"2: a contribution without a deposit"
			);
			ensure!(
				ContributionByRoot::<T>::get(datanet, contribution.records.root) == Some(id),
				"4: a contribution's root leads elsewhere"
			);
			match contribution.state {
				ContributionState::Pending => {
					ensure!(
						pool.curation != Curation::Open,
						"5: pending in an open Datanet"
					)
				}
				ContributionState::Rejected { .. } => ensure!(
					pool.curation == Curation::Reviewers,
					"5: rejected without reviewers"
				),
				ContributionState::Accepted { since } => ensure!(
					since > 0 && since.checked_sub(1) <= Some(pool.snapshots),
					"6: accepted from a snapshot after the next"
				),
				ContributionState::Withdrawn { since, until } => ensure!(
					since > 0 && since < until && until.checked_sub(1) <= Some(pool.snapshots),
					"6: withdrawn but in no snapshot"
				),
				ContributionState::Duplicate {
					since,
					until,
					original,
				} => ensure!(
					since > 0
						&& since < until && until.checked_sub(1) <= Some(pool.snapshots)
						&& original < id,
					"6: duplicate but in no snapshot or of nothing earlier"
				),
			}
		}
		ensure!(
			ContributionDeposits::<T>::iter_keys()
				.all(|(datanet, id)| Contributions::<T>::contains_key(datanet, id)),
			"2: a deposit without a contribution"
		);
		ensure!(
			ContributionByRoot::<T>::iter().all(|(datanet, root, id)| {
				Contributions::<T>::get(datanet, id).is_some_and(|kept| kept.records.root == root)
			}),
			"4: a root without a contribution"
		);
		for (datanet, pool) in Datanets::<T>::iter() {
			let states: Vec<_> = Contributions::<T>::iter_prefix(datanet)
				.filter(|(_, kept)| !kept.state.is_undecided())
				.map(|(id, kept)| (id, kept.state))
				.collect();
			ensure!(
				states
					.iter()
					.all(|(id, _)| Admitted::<T>::contains_key(datanet, id))
					&& Admitted::<T>::iter_key_prefix(datanet).count() == states.len(),
				"3: contributions with a place"
			);
			let accepted = states
				.iter()
				.filter(|(_, state)| matches!(state, ContributionState::Accepted { .. }))
				.count();
			ensure!(
				u32::try_from(states.len()) == Ok(pool.kept),
				"3: contributions kept"
			);
			ensure!(
				u32::try_from(accepted) == Ok(pool.accepted),
				"3: contributions accepted"
			);
			ensure!(
				pool.kept <= T::MaxContributions::get(),
				"3: more contributions than allowed"
			);
			let mut versions: Vec<_> = Snapshots::<T>::iter_key_prefix(datanet).collect();
			versions.sort_unstable();
			ensure!(
				versions.into_iter().eq(1..=pool.snapshots),
				"7: versions of the snapshots"
			);
		}
		for (datanet, version, snapshot) in Snapshots::<T>::iter() {
			ensure!(
				Datanets::<T>::contains_key(datanet),
				"7: a snapshot without a Datanet"
			);
			ensure!(
				Self::contributions_in(datanet, version)? == Some(snapshot.contributions),
				"8: a snapshot's root"
			);
		}
		let mut held = BTreeMap::new();
		Self::check_bonds(&mut held)?;
		Self::check_reviews(&mut held)?;
		Self::check_panels(&mut held)?;
		for ((reason, who), amount) in held {
			let reason = match reason {
				0 => HoldReason::Bond,
				1 => HoldReason::Stake,
				_ => HoldReason::Appeal,
			};
			ensure!(
				T::Currency::balance_on_hold(&reason.into(), &who) == amount,
				"13: what is held"
			);
		}
		Ok(())
	}

	fn check_bonds(held: &mut Held) -> Result<(), TryRuntimeError> {
		for (datanet, id, bond) in Bonds::<T>::iter() {
			let contribution =
				Contributions::<T>::get(datanet, id).ok_or("9: a bond without a contribution")?;
			let (decided, duplicate) = match contribution.state {
				ContributionState::Pending | ContributionState::Rejected { .. } => (false, false),
				ContributionState::Accepted { .. } | ContributionState::Withdrawn { .. } => {
					(true, false)
				}
				ContributionState::Duplicate { .. } => (true, true),
			};
			ensure!(!duplicate, "9: a duplicate with a bond");
			ensure!(bond.free_at.is_some() == decided, "9: when a bond is free");
			ensure!(!decided || bond.fee == 0, "9: a fee without a review");
			add(held, 0, contribution.contributor.clone(), bond.amount)?;
			add(held, 0, contribution.contributor, bond.fee)?;
		}
		Ok(())
	}

	fn check_panels(held: &mut Held) -> Result<(), TryRuntimeError> {
		for (datanet, panel) in Panels::<T>::iter() {
			let pool = Datanets::<T>::get(datanet).ok_or("10: a panel without a Datanet")?;
			ensure!(
				pool.curation == Curation::Reviewers,
				"10: a panel without a use"
			);
			let accounts: BTreeSet<_> = panel.iter().map(|reviewer| &reviewer.account).collect();
			ensure!(accounts.len() == panel.len(), "10: a reviewer twice");
			for reviewer in panel.iter() {
				ensure!(
					reviewer.stake > 0 || reviewer.leaving,
					"10: a reviewer without stake"
				);
				ensure!(
					!reviewer.leaving || reviewer.seats > 0,
					"10: a reviewer who should have left"
				);
				let seats = Reviews::<T>::iter_prefix_values(datanet)
					.flat_map(|review| review.seats.into_inner())
					.filter(|seat| seat.reviewer == reviewer.account)
					.count();
				ensure!(
					u32::try_from(seats) == Ok(reviewer.seats),
					"12: a reviewer's seats"
				);
				add(held, 1, reviewer.account.clone(), reviewer.stake)?;
			}
		}
		Ok(())
	}

	fn check_reviews(held: &mut Held) -> Result<(), TryRuntimeError> {
		for (datanet, id, review) in Reviews::<T>::iter() {
			let contribution = Contributions::<T>::get(datanet, id)
				.ok_or("11: a review without a contribution")?;
			let appeal = match contribution.state {
				ContributionState::Pending => Some(false),
				ContributionState::Rejected { .. } => Some(true),
				_ => None,
			};
			ensure!(
				appeal == Some(review.appeal) && (review.appeal || review.deposit == 0),
				"11: a review of what is decided"
			);
			let panel = Panels::<T>::get(datanet);
			let accounts: BTreeSet<_> = review.seats.iter().map(|seat| &seat.reviewer).collect();
			ensure!(
				accounts.len() == review.seats.len()
					&& !accounts.contains(&contribution.contributor),
				"11: who has a seat"
			);
			ensure!(
				review.seats.iter().all(|seat| {
					panel
						.iter()
						.any(|reviewer| reviewer.account == seat.reviewer)
				}),
				"12: a seat of somebody who left"
			);
			add(held, 2, contribution.contributor, review.deposit)?;
		}
		Ok(())
	}
}

/// What ought to be held: by reason, bonds first, then stakes, then appeals; and by account.
type Held = BTreeMap<(u8, AccountId), Balance>;

fn add(
	held: &mut Held,
	reason: u8,
	who: AccountId,
	amount: Balance,
) -> Result<(), TryRuntimeError> {
	let sum = held.entry((reason, who)).or_default();
	*sum = sum
		.checked_add(amount)
		.ok_or("13: what is held overflows")?;
	Ok(())
}
