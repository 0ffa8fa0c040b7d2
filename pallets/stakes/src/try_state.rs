//! The invariants.

use crate::*;
use alloc::collections::BTreeMap;
use frame::traits::fungible::{hold::Inspect as _, Inspect as _};

impl<T: Config> Pallet<T> {
	/// Checks that
	///
	/// 1. what is held of every account is what it has staked, unbonding and seized, to the unit;
	/// 2. a candidate's stake, its own, what is eligible and what is fresh are the sums over its
	///    positions, and its count of delegators is right; it has at least one position, and nobody
	///    has positions with who is no candidate;
	/// 3. all that can be claimed is no more than what the pot owes, and the pot holds what it owes and
	///    the least balance;
	/// 4. marks are kept exactly for the positions that have yet to be settled by them;
	/// 5. no position is empty, no chunk or part of a slash is zero;
	/// 6. there are no more candidates, delegators and slashes than there may be, and all waiting
	///    slashes have ids in the queue's range;
	/// 7. the sprees of a validator are in the order in which they were first reported, and there is
	///    no empty list of them.
	pub fn do_try_state() -> Result<(), frame::deps::sp_runtime::TryRuntimeError> {
		let now = CurrentSession::<T>::get();
		let mut held: BTreeMap<AccountId, Balance> = BTreeMap::new();
		let mut hold = |who: AccountId, amount: Balance| {
			let sum = held.entry(who).or_default();
			*sum = sum.checked_add(amount).ok_or("1: sums overflow")?;
			Ok::<_, &'static str>(())
		};
		let mut claimable: Balance = 0;
		// Positions to be settled by the mark of a session.
		let mut waiting: BTreeMap<(AccountId, SessionIndex), u32> = BTreeMap::new();
		// Stake, own stake, eligible stake and delegators of a candidate.
		let mut sums: BTreeMap<AccountId, (Balance, Balance, Balance, u32)> = BTreeMap::new();

		for (id, who, position) in Positions::<T>::iter() {
			let candidate = Candidates::<T>::get(&id).ok_or("2: a position without a candidate")?;
			ensure!(!position.is_empty(), "5: an empty position");
			ensure!(
				position.unbonding.iter().all(|chunk| chunk.amount > 0),
				"5: an empty chunk"
			);
			hold(who.clone(), position.held().ok_or("1: sums overflow")?)?;
			let rewards = Self::with_earned(&id, &candidate.pool, &position)?;
			claimable = claimable.checked_add(rewards).ok_or("3: sums overflow")?;

			let stake = position.stake().ok_or("2: sums overflow")?;
			let is_fresh = position.fresh > 0 && position.fresh_in >= now;
			let eligible = if is_fresh { position.eligible } else { stake };
			let sum = sums.entry(id.clone()).or_default();
			sum.0 = sum.0.checked_add(stake).ok_or("2: sums overflow")?;
			sum.2 = sum.2.checked_add(eligible).ok_or("2: sums overflow")?;
			if who == id {
				sum.1 = stake;
			} else {
				sum.3 = sum.3.saturating_add(1);
			}
			if position.fresh > 0 {
				let count = waiting.entry((id, position.fresh_in)).or_default();
				*count = count.saturating_add(1);
			}
		}

		for (id, candidate) in Candidates::<T>::iter() {
			let sum = sums.get(&id).ok_or("2: a candidate without positions")?;
			let pool = candidate.pool;
			let eligible = if pool.fresh_in < now {
				pool.eligible.checked_add(pool.fresh)
			} else {
				Some(pool.eligible)
			};
			ensure!(
				pool.eligible.checked_add(pool.fresh) == Some(candidate.stake),
				"2: a candidate's stake is eligible or fresh"
			);
			ensure!(candidate.stake == sum.0, "2: a candidate's stake");
			ensure!(candidate.own == sum.1, "2: a candidate's own stake");
			ensure!(eligible == Some(sum.2), "2: a candidate's eligible stake");
			ensure!(candidate.delegators == sum.3, "2: a candidate's delegators");
			ensure!(
				candidate.delegators <= T::MaxDelegators::get(),
				"6: too many delegators"
			);
			ensure!(
				(pool.fresh == 0) == (pool.fresh_positions == 0),
				"4: fresh stake belongs to positions"
			);
			if pool.fresh_positions > 0 {
				// They are settled by a mark that is yet to be made.
				let count = waiting.remove(&(id, pool.fresh_in));
				ensure!(
					count == Some(pool.fresh_positions),
					"4: the positions with fresh stake"
				);
			}
		}
		for (id, session, mark) in Marks::<T>::iter() {
			let count = waiting.remove(&(id, session));
			ensure!(count == Some(mark.positions), "4: a mark's positions");
		}
		ensure!(waiting.is_empty(), "4: a position without a mark");

		let queue = SlashQueue::<T>::get();
		ensure!(queue.first <= queue.next, "6: the queue's range");
		for (id, slash) in Slashes::<T>::iter() {
			ensure!(
				(queue.first..queue.next).contains(&id),
				"6: a slash outside the queue"
			);
			for (who, amount) in slash.parts {
				ensure!(amount > 0, "5: an empty part of a slash");
				hold(who, amount)?;
			}
		}
		ensure!(
			queue.next.saturating_sub(queue.first) <= T::MaxSlashes::get(),
			"6: too many slashes"
		);
		ensure!(
			Candidates::<T>::count() <= T::MaxCandidates::get(),
			"6: too many candidates"
		);

		for (_, sprees) in Sprees::<T>::iter() {
			ensure!(!sprees.is_empty(), "7: an empty list of sprees");
			ensure!(
				sprees
					.windows(2)
					.all(|two| matches!(two, [one, next] if one.since < next.since)),
				"7: sprees out of order"
			);
		}

		for (who, amount) in held {
			ensure!(
				T::Currency::balance_on_hold(&HoldReason::Stake.into(), &who) == amount,
				"1: what is held and what is staked"
			);
		}
		let owed = Owed::<T>::get();
		ensure!(claimable <= owed, "3: more can be claimed than is owed");
		let backing = owed
			.checked_add(T::Currency::minimum_balance())
			.ok_or("3: sums overflow")?;
		ensure!(
			owed == 0 || T::Currency::balance(&Self::pot()) >= backing,
			"3: the pot holds less than it owes"
		);
		Ok(())
	}
}
