//! Audits that somebody demands, because the leaves of a report are withheld.

use crate::*;
use frame::traits::fungible::hold::{Balanced as _, Mutate as _};

impl<T: Config> Pallet<T> {
	pub(crate) fn do_demand_audit(
		by: AccountId,
		provider: AccountId,
		epoch: EpochIndex,
	) -> DispatchResult {
		let mut report = Reports::<T>::get(&provider, epoch).ok_or(Error::<T>::NotReported)?;
		let now = T::BlockNumberProvider::current_block_number();
		ensure!(report.audit.is_none(), Error::<T>::AuditOpen);
		ensure!(
			report.settled < report.payouts.count && now < report.open_at,
			Error::<T>::DisputeTooLate
		);
		ensure!(
			!Demands::<T>::contains_key(&provider, epoch),
			Error::<T>::AlreadyDemanded
		);
		let drawn_at = now
			.checked_add(T::AuditDelay::get())
			.ok_or(ArithmeticError::Overflow)?;
		ToDraw::<T>::try_append(drawn_at, (provider.clone(), epoch))
			.map_err(|()| Error::<T>::TooManyReports)?;
		let deposit = T::DemandDeposit::get();
		T::Currency::hold(&HoldReason::Demand.into(), &by, deposit)?;
		// From the draw on the open audit keeps it from being settled.
		report.open_at = report.open_at.max(drawn_at);
		Reports::<T>::insert(&provider, epoch, report);
		let demand = Demand {
			by: by.clone(),
			deposit,
			drawn_at,
			answered: false,
		};
		Demands::<T>::insert(&provider, epoch, demand);
		Self::deposit_event(Event::AuditDemanded {
			provider,
			epoch,
			by,
			deposit,
			drawn_at,
		});
		Ok(())
	}

	/// Whether an audit was demanded that is to be drawn now.
	pub(crate) fn is_demanded(provider: &AccountId, epoch: EpochIndex, now: BlockNumber) -> bool {
		Demands::<T>::get(provider, epoch)
			.is_some_and(|demand| demand.drawn_at == now && !demand.answered)
	}

	/// Credits `who`, who passed an audit, with the deposit of whoever demanded it.
	pub(crate) fn pay_answer(who: &AccountId, provider: &AccountId, epoch: EpochIndex) {
		let Some(mut demand) = Demands::<T>::get(provider, epoch) else {
			return;
		};
		let deposit = core::mem::take(&mut demand.deposit);
		let (paid, _) = T::Currency::slash(&HoldReason::Demand.into(), &demand.by, deposit);
		Self::credit_to(who, Self::keep(paid));
		demand.answered = true;
		Demands::<T>::insert(provider, epoch, demand);
	}

	/// Ends a demand, and gives back what is on hold for it.
	pub(crate) fn end_demand(provider: &AccountId, epoch: EpochIndex) -> Option<Demand> {
		let demand = Demands::<T>::take(provider, epoch)?;
		if demand.deposit > 0 {
			let released = T::Currency::release(
				&HoldReason::Demand.into(),
				&demand.by,
				demand.deposit,
				Precision::BestEffort,
			);
			// Invariant 11 says that it is there; a shortfall must not keep others from their right.
			let _ = released.defensive();
		}
		Some(demand)
	}
}
