//! What stakers and candidates do.

use crate::*;
use alloc::vec::Vec;
use frame::{
	token::Precision,
	traits::{fungible::hold::Mutate as _, Defensive as _},
};

/// Sessions from a change of commission to its effect: the rest of this one, and a whole one.
const COMMISSION_NOTICE: SessionIndex = 2;

/// `amount` more.
fn plus(amount: Balance, more: Balance) -> Result<Balance, DispatchError> {
	Ok(amount.checked_add(more).ok_or(ArithmeticError::Overflow)?)
}

/// `amount` less.
fn minus(amount: Balance, less: Balance) -> Result<Balance, DispatchError> {
	Ok(amount.checked_sub(less).ok_or(ArithmeticError::Underflow)?)
}

impl<T: Config> Pallet<T> {
	pub(crate) fn do_bond(who: AccountId, amount: Balance, commission: Perbill) -> DispatchResult {
		ensure!(
			!Candidates::<T>::contains_key(&who),
			Error::<T>::AlreadyCandidate
		);
		ensure!(
			Candidates::<T>::count() < T::MaxCandidates::get(),
			Error::<T>::TooManyCandidates
		);
		ensure!(
			amount >= T::MinSelfStake::get() && amount > 0,
			Error::<T>::StakeTooSmall
		);
		Self::ensure_commission(commission)?;
		let mut candidate = Self::new_candidate(commission);
		let mut position = Position::default();
		Self::stake(&who, &mut candidate, &who, &mut position, amount)?;
		Self::put(&who, candidate, &who, position)?;
		Self::deposit_event(Event::Bonded {
			candidate: who,
			amount,
			commission,
		});
		Ok(())
	}

	/// Makes `who` a candidate whose stake earns from the first session on.
	pub(crate) fn bond_at_genesis(who: &AccountId, amount: Balance) -> DispatchResult {
		Self::do_bond(who.clone(), amount, Perbill::zero())?;
		Candidates::<T>::mutate(who, |candidate| {
			if let Some(Candidate { pool, .. }) = candidate {
				pool.eligible = pool.fresh;
				pool.fresh = 0;
				pool.fresh_positions = 0;
			}
		});
		Positions::<T>::mutate(who, who, |position| {
			position.eligible = position.fresh;
			position.fresh = 0;
		});
		Ok(())
	}

	fn new_candidate(commission: Perbill) -> Candidate {
		Candidate {
			own: 0,
			stake: 0,
			commission,
			next_commission: None,
			active: true,
			delegators: 0,
			pool: Pool::default(),
		}
	}

	pub(crate) fn do_bond_more(who: AccountId, amount: Balance) -> DispatchResult {
		let mut candidate = Self::open(&who)?;
		ensure!(amount > 0, Error::<T>::ZeroAmount);
		let mut position = Self::settled(&who, &candidate.pool, &who)?;
		Self::stake(&who, &mut candidate, &who, &mut position, amount)?;
		ensure!(
			candidate.own >= T::MinSelfStake::get(),
			Error::<T>::StakeTooSmall
		);
		Self::put_staked(who.clone(), candidate, who, position, amount)
	}

	pub(crate) fn do_delegate(to: AccountId, who: AccountId, amount: Balance) -> DispatchResult {
		ensure!(to != who, Error::<T>::OwnCandidate);
		let mut candidate = Self::open(&to)?;
		ensure!(
			candidate.active && !Jailed::<T>::contains_key(&to),
			Error::<T>::NotValidating
		);
		ensure!(amount > 0, Error::<T>::ZeroAmount);
		ensure!(
			Positions::<T>::contains_key(&to, &who)
				|| candidate.delegators < T::MaxDelegators::get(),
			Error::<T>::TooManyDelegators
		);
		let least = if Positions::<T>::contains_key(&to, &who) {
			T::MinDelegation::get()
		} else {
			Self::least_delegation(candidate.delegators)
		};
		let mut position = Self::settled(&to, &candidate.pool, &who)?;
		Self::stake(&to, &mut candidate, &who, &mut position, amount)?;
		let stake = position.stake().ok_or(ArithmeticError::Overflow)?;
		ensure!(stake >= least, Error::<T>::StakeTooSmall);
		Self::put_staked(to, candidate, who, position, amount)
	}

	/// The least that a new delegator stakes on a candidate that has so many. The last quarter of the
	/// places is for who brings more: the least doubles with each sixteenth of that quarter, so that
	/// small delegators cannot keep a large one out.
	pub(crate) fn least_delegation(delegators: u32) -> Balance {
		let most = T::MaxDelegators::get();
		let cheap = most.saturating_sub(most.div_ceil(4));
		let step = most.div_ceil(64).max(1);
		let doublings = delegators.saturating_sub(cheap).div_ceil(step);
		let times = 1u128.checked_shl(doublings).unwrap_or(Balance::MAX);
		T::MinDelegation::get().saturating_mul(times)
	}

	fn put_staked(
		candidate: AccountId,
		record: Candidate,
		staker: AccountId,
		position: Position<T>,
		amount: Balance,
	) -> DispatchResult {
		let stake = position.stake().ok_or(ArithmeticError::Overflow)?;
		Self::put(&candidate, record, &staker, position)?;
		Self::deposit_event(Event::Staked {
			candidate,
			staker,
			amount,
			stake,
		});
		Ok(())
	}

	/// Holds `amount` of `who` and adds it to its stake.
	fn stake(
		id: &AccountId,
		candidate: &mut Candidate,
		who: &AccountId,
		position: &mut Position<T>,
		amount: Balance,
	) -> DispatchResult {
		let now = CurrentSession::<T>::get();
		let pool = &mut candidate.pool;
		if position.fresh == 0 {
			pool.fresh_positions = pool
				.fresh_positions
				.checked_add(1)
				.ok_or(ArithmeticError::Overflow)?;
		}
		position.fresh = plus(position.fresh, amount)?;
		position.fresh_in = now;
		pool.fresh = plus(pool.fresh, amount)?;
		pool.fresh_in = now;
		candidate.stake = plus(candidate.stake, amount)?;
		if who == id {
			candidate.own = plus(candidate.own, amount)?;
		}
		T::Currency::hold(&HoldReason::Stake.into(), who, amount)
	}

	/// Takes `amount` out of the stake of `who` on the candidate `id`; it unbonds from now on.
	pub(crate) fn do_unbond(id: AccountId, who: AccountId, amount: Balance) -> DispatchResult {
		let mut candidate = Self::open(&id)?;
		ensure!(amount > 0, Error::<T>::ZeroAmount);
		let mut position = Self::settled(&id, &candidate.pool, &who)?;
		let stake = position.stake().ok_or(ArithmeticError::Overflow)?;
		let left = stake
			.checked_sub(amount)
			.ok_or(Error::<T>::NotSoMuchStaked)?;
		let least = if who == id {
			T::MinSelfStake::get()
		} else {
			// What it would have to bring to take the place now.
			Self::least_delegation(candidate.delegators.saturating_sub(1))
		};
		ensure!(left == 0 || left >= least, Error::<T>::LeavesTooLittle);

		// What has not begun to earn goes first.
		let of_fresh = amount.min(position.fresh);
		let of_eligible = minus(amount, of_fresh)?;
		let pool = &mut candidate.pool;
		position.fresh = minus(position.fresh, of_fresh)?;
		if of_fresh > 0 && position.fresh == 0 {
			pool.fresh_positions = pool
				.fresh_positions
				.checked_sub(1)
				.ok_or(ArithmeticError::Underflow)?;
		}
		pool.fresh = minus(pool.fresh, of_fresh)?;
		position.eligible = minus(position.eligible, of_eligible)?;
		pool.eligible = minus(pool.eligible, of_eligible)?;
		candidate.stake = minus(candidate.stake, amount)?;
		if who == id {
			candidate.own = minus(candidate.own, amount)?;
		}

		let since = CurrentSession::<T>::get();
		let free_at = since
			.checked_add(Self::unbonding_period())
			.ok_or(ArithmeticError::Overflow)?;
		match position.unbonding.last_mut() {
			Some(last) if last.since == since && last.free_at == free_at => {
				last.amount = plus(last.amount, amount)?;
			}
			_ => position
				.unbonding
				.try_push(Chunk {
					amount,
					since,
					free_at,
				})
				.map_err(|_| Error::<T>::TooManyChunks)?,
		}
		Self::put(&id, candidate, &who, position)?;
		Self::deposit_event(Event::Unbonding {
			candidate: id,
			staker: who,
			amount,
			free_at,
		});
		Ok(())
	}

	/// Sessions that money waits: while an offence can be reported, it can be slashed. It backs
	/// validators for one session more than that in which it leaves. That one's offences can be
	/// reported until its proof data is forgotten, at the end of a session that comes after as many as
	/// are reportable.
	fn unbonding_period() -> SessionIndex {
		T::UnbondingPeriod::get().max(Self::reportable_after())
	}

	/// Sessions after one until nothing can be reported any more of it and of the one after it.
	pub(crate) fn reportable_after() -> SessionIndex {
		T::ReportableSessions::get().saturating_add(3)
	}

	pub(crate) fn do_withdraw_unbonded(id: AccountId, who: AccountId) -> DispatchResult {
		let candidate = Self::open(&id)?;
		let mut position = Self::settled(&id, &candidate.pool, &who)?;
		let now = CurrentSession::<T>::get();
		let amount = position
			.unbonding
			.iter()
			.filter(|chunk| chunk.free_at <= now)
			.try_fold(0, |sum, chunk| plus(sum, chunk.amount))?;
		ensure!(amount > 0, Error::<T>::NothingUnbonded);
		position.unbonding.retain(|chunk| chunk.free_at > now);
		T::Currency::release(&HoldReason::Stake.into(), &who, amount, Precision::Exact)?;
		if position.held() == Some(0) {
			// What it earned would keep its place.
			Self::pay_last(&id, &who, core::mem::take(&mut position.rewards));
		}
		Self::put(&id, candidate, &who, position)?;
		Self::deposit_event(Event::Withdrawn {
			candidate: id,
			staker: who,
			amount,
		});
		Ok(())
	}

	/// The answer is how many positions there were.
	pub(crate) fn do_dissolve(id: AccountId) -> Result<u32, DispatchError> {
		let candidate = Self::open(&id)?;
		let own = Positions::<T>::get(&id, &id).held();
		let is_deserted = own == Some(0)
			&& !T::Sessions::is_seated(&id)
			&& !Fallback::<T>::get().contains(&id)
			&& Self::sprees(&id).is_empty();
		ensure!(is_deserted, Error::<T>::NotDeserted);
		let stakers: Vec<AccountId> = Positions::<T>::iter_key_prefix(&id).collect();
		for staker in &stakers {
			let position = Self::settled(&id, &candidate.pool, staker)?;
			Positions::<T>::remove(&id, staker);
			let amount = position.held().ok_or(ArithmeticError::Overflow)?;
			if amount > 0 {
				T::Currency::release(&HoldReason::Stake.into(), staker, amount, Precision::Exact)?;
				Self::deposit_event(Event::Withdrawn {
					candidate: id.clone(),
					staker: staker.clone(),
					amount,
				});
			}
			Self::pay_last(&id, staker, position.rewards);
		}
		Candidates::<T>::remove(&id);
		Self::deposit_event(Event::Dissolved { candidate: id });
		Ok(u32::try_from(stakers.len()).unwrap_or(u32::MAX))
	}

	pub(crate) fn do_validate(who: AccountId, commission: Perbill) -> DispatchResult {
		let mut candidate = Self::open(&who)?;
		ensure!(!Jailed::<T>::contains_key(&who), Error::<T>::InJail);
		Self::ensure_commission(commission)?;
		let now = CurrentSession::<T>::get();
		candidate.active = true;
		candidate.commission = candidate.commission_in(now);
		let from = if commission == candidate.commission {
			candidate.next_commission = None;
			now
		} else {
			let from = now
				.checked_add(COMMISSION_NOTICE)
				.ok_or(ArithmeticError::Overflow)?;
			candidate.next_commission = Some((commission, from));
			from
		};
		Candidates::<T>::insert(&who, candidate);
		Self::deposit_event(Event::Validating {
			candidate: who,
			commission,
			from,
		});
		Ok(())
	}

	pub(crate) fn do_chill(who: AccountId) -> DispatchResult {
		let mut candidate = Self::open(&who)?;
		candidate.active = false;
		Candidates::<T>::insert(&who, candidate);
		Self::deposit_event(Event::Chilled { candidate: who });
		Ok(())
	}

	pub(crate) fn do_unjail(who: AccountId) -> DispatchResult {
		let jail = Jailed::<T>::get(&who).ok_or(Error::<T>::NotInJail)?;
		ensure!(
			CurrentSession::<T>::get() >= jail.until,
			Error::<T>::JailNotOver
		);
		// What it did can be reported for longer, and must not cost anew.
		let sprees = Self::sprees(&who);
		Jailed::<T>::remove(&who);
		Self::put_sprees(&who, sprees);
		Self::deposit_event(Event::Unjailed { validator: who });
		Ok(())
	}

	fn ensure_commission(commission: Perbill) -> DispatchResult {
		ensure!(
			commission <= T::MaxCommission::get(),
			Error::<T>::CommissionTooHigh
		);
		Ok(())
	}

	/// The candidate `id`, with the stake of earlier sessions made eligible.
	pub(crate) fn open(id: &AccountId) -> Result<Candidate, DispatchError> {
		let mut candidate = Candidates::<T>::get(id).ok_or(Error::<T>::NotCandidate)?;
		if let Some((session, mark)) = candidate.pool.mature(CurrentSession::<T>::get()) {
			Marks::<T>::insert(id, session, mark);
		}
		Ok(candidate)
	}

	/// The position of `who` with an [opened](Self::open) candidate, with all that it has earned by
	/// now. A new one if there is none.
	pub(crate) fn settled(
		id: &AccountId,
		pool: &Pool,
		who: &AccountId,
	) -> Result<Position<T>, DispatchError> {
		let mut position = Positions::<T>::get(id, who);
		position.rewards = Self::with_earned(id, pool, &position)?;
		let is_mature = position.fresh > 0 && position.fresh_in < CurrentSession::<T>::get();
		if is_mature {
			position.eligible = plus(position.eligible, position.fresh)?;
			position.fresh = 0;
			Marks::<T>::mutate_exists(id, position.fresh_in, |mark| {
				*mark = mark.take().defensive().and_then(
					|Mark {
					     per_unit,
					     positions,
					 }| {
						let positions = positions.checked_sub(1).filter(|left| *left > 0)?;
						Some(Mark {
							per_unit,
							positions,
						})
					},
				);
			});
		}
		position.mark = pool.per_unit;
		Ok(position)
	}

	/// The rewards of a position, with what its stake has earned since it was settled last.
	pub(crate) fn with_earned(
		id: &AccountId,
		pool: &Pool,
		position: &Position<T>,
	) -> Result<Balance, DispatchError> {
		let by_eligible = earned(position.eligible, position.mark, pool.per_unit)
			.ok_or(ArithmeticError::Overflow)?;
		let is_mature = position.fresh > 0 && position.fresh_in < CurrentSession::<T>::get();
		let by_fresh = if is_mature {
			// Without a mark nothing was shared out since the stake became eligible.
			let mark =
				Marks::<T>::get(id, position.fresh_in).map_or(pool.per_unit, |mark| mark.per_unit);
			earned(position.fresh, mark, pool.per_unit).ok_or(ArithmeticError::Overflow)?
		} else {
			0
		};
		plus(plus(position.rewards, by_eligible)?, by_fresh)
	}

	/// Stores both, or removes what is empty.
	pub(crate) fn put(
		id: &AccountId,
		mut candidate: Candidate,
		who: &AccountId,
		position: Position<T>,
	) -> DispatchResult {
		let was_there = Positions::<T>::contains_key(id, who);
		let is_there = !position.is_empty();
		if is_there {
			Positions::<T>::insert(id, who, position);
		} else {
			Positions::<T>::remove(id, who);
		}
		if who != id {
			candidate.delegators = match (was_there, is_there) {
				(false, true) => candidate.delegators.checked_add(1),
				(true, false) => candidate.delegators.checked_sub(1),
				_ => Some(candidate.delegators),
			}
			.ok_or(ArithmeticError::Overflow)?;
		}
		let is_left = candidate.delegators > 0 || Positions::<T>::contains_key(id, id);
		if is_left {
			Candidates::<T>::insert(id, candidate);
		} else {
			Candidates::<T>::remove(id);
		}
		Ok(())
	}
}
