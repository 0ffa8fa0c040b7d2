//! How the pot's income is shared out.

use crate::*;
use frame::{
	token::Preservation,
	traits::{
		fungible::{Balanced as _, Inspect as _, Mutate as _},
		AccountIdConversion, Defensive as _, DefensiveSaturating as _, Zero,
	},
};
use openledger_primitives::fees::scale;

impl<T: Config> Pallet<T> {
	/// The account that holds what stakers have earned.
	pub fn pot() -> AccountId {
		T::PalletId::get().into_account_truncating()
	}

	/// What the pot holds beyond what it owes and the least balance, in units.
	pub(crate) fn surplus() -> Balance {
		T::Currency::balance(&Self::pot())
			.saturating_sub(T::Currency::minimum_balance())
			.saturating_sub(Owed::<T>::get())
	}

	/// Pulls the income and shares out all that the pot does not owe yet among the validators of the
	/// session in progress, by eligible stake. Those in jail, those without stake and those that did not
	/// work get nothing. What cannot be divided stays in the pot for the next session.
	pub(crate) fn share_out() {
		// The pot exists since genesis, so this cannot fail; a failure would burn the income.
		let _ = T::Currency::resolve(&Self::pot(), T::Income::collect()).defensive();
		let income = Self::surplus();
		if income.is_zero() {
			return;
		}
		let session = CurrentSession::<T>::get();
		let mut earners = Vec::new();
		let mut whole: Balance = 0;
		let validators = T::Sessions::validators();
		let roll = Self::roll(validators.len());
		for validator in validators {
			if Jailed::<T>::contains_key(&validator) || !roll.has_worked::<T>(&validator) {
				continue;
			}
			let Ok(candidate) = Self::open(&validator) else {
				continue;
			};
			// All stakes together are no more than the issuance.
			whole = whole.defensive_saturating_add(candidate.pool.eligible);
			earners.push((validator, candidate));
		}
		let mut shared: Balance = 0;
		for (validator, candidate) in earners {
			// The parts sum to no more than the income.
			let part = scale(income, candidate.pool.eligible, whole).unwrap_or_default();
			let given = Self::give(&validator, candidate, part, session);
			shared = shared.defensive_saturating_add(given);
		}
		Owed::<T>::mutate(|owed| *owed = owed.defensive_saturating_add(shared));
		Self::deposit_event(Event::Shared {
			session,
			amount: shared,
			left: income.saturating_sub(shared),
		});
	}

	/// Gives `part` to a validator's pool, less its commission. The answer is what was given.
	fn give(
		validator: &AccountId,
		mut candidate: Candidate,
		part: Balance,
		session: SessionIndex,
	) -> Balance {
		// Governance may allow less than was agreed.
		let rate = candidate
			.commission_in(session)
			.min(T::MaxCommission::get());
		let commission = rate.mul_floor(part);
		let rest = part.saturating_sub(commission);
		let is_given = !part.is_zero() && candidate.pool.deposit(rest).is_some();
		Candidates::<T>::insert(validator, candidate);
		if !is_given {
			return 0;
		}
		if !commission.is_zero() {
			// A validator with a stake has a position; the reward does not touch its mark.
			Positions::<T>::mutate(validator, validator, |own| {
				own.rewards = own.rewards.defensive_saturating_add(commission);
			});
		}
		Self::deposit_event(Event::Earned {
			validator: validator.clone(),
			session,
			amount: part,
			commission,
		});
		part
	}

	pub(crate) fn do_claim(id: AccountId, staker: AccountId) -> DispatchResult {
		let candidate = Self::open(&id)?;
		let mut position = Self::settled(&id, &candidate.pool, &staker)?;
		let amount = position.rewards;
		ensure!(amount > 0, Error::<T>::NothingToClaim);
		position.rewards = 0;
		T::Currency::transfer(&Self::pot(), &staker, amount, Preservation::Preserve)?;
		Owed::<T>::mutate(|owed| *owed = owed.defensive_saturating_sub(amount));
		Self::put(&id, candidate, &staker, position)?;
		Self::deposit_event(Event::Claimed {
			candidate: id,
			staker,
			amount,
		});
		Ok(())
	}

	/// Pays what a position earned that is at its end. What the account cannot take, because it is
	/// empty and this is less than the least balance, is shared out among all.
	pub(crate) fn pay_last(id: &AccountId, staker: &AccountId, amount: Balance) {
		if amount == 0 {
			return;
		}
		let paid = frame::deps::frame_support::storage::with_storage_layer(|| {
			T::Currency::transfer(&Self::pot(), staker, amount, Preservation::Preserve)
		});
		Owed::<T>::mutate(|owed| *owed = owed.defensive_saturating_sub(amount));
		if paid.is_ok() {
			Self::deposit_event(Event::Claimed {
				candidate: id.clone(),
				staker: staker.clone(),
				amount,
			});
		}
	}

	/// What `staker` can claim of what candidate `id` earned, in units; changes nothing.
	pub(crate) fn rewards_of(id: &AccountId, staker: &AccountId) -> Option<Balance> {
		let candidate = Candidates::<T>::get(id)?;
		let position = Positions::<T>::try_get(id, staker).ok()?;
		Self::with_earned(id, &candidate.pool, &position).ok()
	}
}
