//! What becomes of a contribution after its acceptance: who earns by it, when its bond is free, and what
//! happens if it is a duplicate.

use crate::{
	impls::{decrement, increment},
	*,
};

impl<T: Config> Pallet<T> {
	pub(crate) fn do_set_payout_account(
		who: AccountId,
		datanet: DatanetId,
		id: ContributionId,
		payout: AccountId,
	) -> DispatchResult {
		let mut contribution = Self::own_contribution(&who, datanet, id)?;
		contribution.payout = payout.clone();
		Contributions::<T>::insert(datanet, id, contribution);
		Self::deposit_event(Event::PayoutAccountSet {
			datanet,
			contribution: id,
			contributor: who,
			payout,
		});
		Ok(())
	}

	pub(crate) fn do_release_bond(
		who: AccountId,
		datanet: DatanetId,
		id: ContributionId,
	) -> DispatchResult {
		Self::own_contribution(&who, datanet, id)?;
		let bond = Bonds::<T>::get(datanet, id).ok_or(Error::<T>::NoBond)?;
		let now = T::BlockNumberProvider::current_block_number();
		ensure!(
			bond.free_at.is_some_and(|block| block <= now),
			Error::<T>::BondLocked
		);
		Bonds::<T>::remove(datanet, id);
		Self::give_back(HoldReason::Bond, &who, bond.amount)?;
		Self::deposit_event(Event::BondReleased {
			datanet,
			contribution: id,
			contributor: who,
			amount: bond.amount,
		});
		Ok(())
	}

	pub(crate) fn do_claim_duplicate(
		claimer: AccountId,
		datanet: DatanetId,
		original: RecordProof,
		duplicate: RecordProof,
	) -> DispatchResult {
		// Ids are given in the order of registration.
		ensure!(
			original.contribution < duplicate.contribution,
			Error::<T>::NotLater
		);
		let record = duplicate.leaf.record;
		ensure!(original.leaf.record == record, Error::<T>::DifferentRecords);
		let mut pool = Datanets::<T>::get(datanet).ok_or(Error::<T>::UnknownDatanet)?;
		let contribution_of = |proof: &RecordProof| {
			Contributions::<T>::get(datanet, proof.contribution)
				.ok_or(Error::<T>::UnknownContribution)
		};
		let first = contribution_of(&original)?;
		let mut second = contribution_of(&duplicate)?;
		ensure!(
			matches!(
				first.state,
				ContributionState::Accepted { .. } | ContributionState::Withdrawn { .. }
			),
			Error::<T>::NotAccepted
		);
		let id = duplicate.contribution;
		let (since, until) = match second.state {
			ContributionState::Pending | ContributionState::Rejected { .. } => {
				return Err(Error::<T>::NotAccepted.into())
			}
			ContributionState::Duplicate { .. } => return Err(Error::<T>::AlreadyExcluded.into()),
			ContributionState::Withdrawn { since, until } => {
				let has_bond = Bonds::<T>::contains_key(datanet, id);
				ensure!(has_bond, Error::<T>::AlreadyExcluded);
				(since, until)
			}
			ContributionState::Accepted { since } => {
				pool.accepted = decrement(pool.accepted)?;
				(since, increment(pool.snapshots)?)
			}
		};
		ensure!(
			Self::is_proven(&first, &original),
			Error::<T>::OriginalNotProven
		);
		ensure!(
			Self::is_proven(&second, &duplicate),
			Error::<T>::DuplicateNotProven
		);

		let contributor = second.contributor.clone();
		let (reward, forfeited) = if Self::was_known(datanet, &first, id) {
			Self::divide_bond(&claimer, &contributor, datanet, id)?
		} else {
			Self::return_bond(&contributor, datanet, id)?;
			(0, 0)
		};
		if since < until {
			second.state = ContributionState::Duplicate {
				since,
				until,
				original: original.contribution,
			};
			Contributions::<T>::insert(datanet, id, second);
		} else {
			Self::remove(&mut pool, datanet, id, &second)?;
		}
		Datanets::<T>::insert(datanet, pool);
		Self::deposit_event(Event::DuplicateProven {
			datanet,
			contribution: id,
			contributor,
			original: original.contribution,
			record,
			claimer,
			reward,
			forfeited,
		});
		Ok(())
	}

	/// Whether `proof` shows a record of `contribution`.
	fn is_proven(contribution: &Contribution<T>, proof: &RecordProof) -> bool {
		let node = proof.leaf.node();
		merkle::verify(&contribution.records, proof.index, node, &proof.proof).is_ok()
	}

	/// Whether the chain shows that the contributor of `later` could know the records of `first`: a
	/// snapshot contained them long enough before. Otherwise who sees a contribution coming could lay
	/// one of its records before it, take the bond, and withdraw.
	fn was_known(datanet: DatanetId, first: &Contribution<T>, later: ContributionId) -> bool {
		let (ContributionState::Accepted { since } | ContributionState::Withdrawn { since, .. }) =
			first.state
		else {
			return false;
		};
		let known = Snapshots::<T>::get(datanet, since)
			.and_then(|snapshot| snapshot.block.checked_add(T::OriginalAge::get()));
		let registered = Bonds::<T>::get(datanet, later).map(|bond| bond.registered);
		matches!((known, registered), (Some(known), Some(registered)) if known <= registered)
	}

	/// Returns the bond of a duplicate that is not forfeited.
	fn return_bond(
		contributor: &AccountId,
		datanet: DatanetId,
		id: ContributionId,
	) -> DispatchResult {
		match Bonds::<T>::take(datanet, id) {
			Some(bond) => Self::give_back(HoldReason::Bond, contributor, bond.amount),
			None => Ok(()),
		}
	}

	/// Takes the bond of a duplicate: one part goes to the claimer, the rest is forfeited. Gives both
	/// amounts.
	fn divide_bond(
		claimer: &AccountId,
		contributor: &AccountId,
		datanet: DatanetId,
		id: ContributionId,
	) -> Result<(Balance, Balance), DispatchError> {
		let Some(bond) = Bonds::<T>::take(datanet, id) else {
			return Ok((0, 0));
		};
		let reward = Permill::from_parts(T::DuplicateReward::get()).mul_floor(bond.amount);
		if reward > 0 {
			Self::pay_held(HoldReason::Bond, contributor, claimer, reward)?;
		}
		let rest = bond
			.amount
			.checked_sub(reward)
			.ok_or(ArithmeticError::Underflow)?;
		Ok((reward, Self::forfeit(HoldReason::Bond, contributor, rest)))
	}

	/// A contribution that `who` must have made.
	pub(crate) fn own_contribution(
		who: &AccountId,
		datanet: DatanetId,
		id: ContributionId,
	) -> Result<Contribution<T>, DispatchError> {
		let contribution =
			Contributions::<T>::get(datanet, id).ok_or(Error::<T>::UnknownContribution)?;
		ensure!(contribution.contributor == *who, Error::<T>::NotContributor);
		Ok(contribution)
	}
}
