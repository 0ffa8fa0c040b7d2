//! What an offence costs.

use crate::*;
use alloc::vec::Vec;
use frame::{
	token::Precision,
	traits::{
		fungible::hold::{Balanced as _, Mutate as _},
		Defensive as _, Imbalance as _, OnUnbalanced as _,
	},
};
use sp_staking::offence::{OffenceDetails, OnOffenceHandler};

/// What is still to be taken so that in all `whole` is, after `taken` was: a fraction of the rest.
fn beyond(whole: Perbill, taken: Perbill) -> Perbill {
	let missing = whole.saturating_sub(taken);
	let rest = Perbill::one().saturating_sub(taken);
	if rest.is_zero() {
		return Perbill::zero();
	}
	Perbill::from_rational(missing.deconstruct(), rest.deconstruct())
}

/// The part that two fractions take, one of the rest that the other leaves.
fn both(one: Perbill, other: Perbill) -> Perbill {
	let rest = Perbill::one().saturating_sub(one);
	one.saturating_add(Perbill::from_parts(other.mul_floor(rest.deconstruct())))
}

impl<T: Config> Pallet<T> {
	/// The sprees of `who` that can still be reported, the oldest first.
	pub(crate) fn sprees(who: &AccountId) -> Vec<Spree> {
		let mut sprees = Sprees::<T>::get(who).into_inner();
		if sprees.is_empty() {
			// An older runtime kept in the jail alone what it had punished.
			sprees.extend(Jailed::<T>::get(who).map(|jail| Spree {
				since: jail.since,
				fraction: jail.fraction,
				slash: None,
			}));
		}
		let now = CurrentSession::<T>::get();
		let reportable = Self::reportable_after();
		sprees.retain(|spree| spree.since.saturating_add(reportable) >= now);
		sprees
	}

	/// Remembers them.
	pub(crate) fn put_sprees(who: &AccountId, mut sprees: Vec<Spree>) {
		while sprees.len() > MAX_SPREES as usize {
			let oldest = sprees.remove(0);
			if let Some(next) = sprees.first_mut() {
				next.fraction = next.fraction.max(oldest.fraction);
			}
		}
		if sprees.is_empty() {
			Sprees::<T>::remove(who);
		} else {
			Sprees::<T>::insert(who, BoundedVec::truncate_from(sprees));
		}
	}

	/// Jails `offender` and seizes `fraction` of every stake on it that backed it in session
	/// `offence`, as far as its spree has not cost that already.
	fn punish(offender: &AccountId, fraction: Perbill, offence: SessionIndex) -> DispatchResult {
		let now = CurrentSession::<T>::get();
		let mut sprees = Self::sprees(offender);
		let known = sprees.iter_mut().find(|spree| offence <= spree.since);
		let mut spree = known.as_deref().copied().unwrap_or(Spree {
			since: now,
			fraction: Perbill::zero(),
			slash: None,
		});
		let seize = beyond(fraction, spree.fraction);
		spree.fraction = fraction;

		let until = now.saturating_add(T::JailPeriod::get());
		let before = Jailed::<T>::get(offender);
		let jail = Jail {
			since: before.map_or(spree.since, |jail| jail.since.max(spree.since)),
			until: before.map_or(until, |jail| jail.until.max(until)),
			fraction: before.map_or(fraction, |jail| jail.fraction.max(fraction)),
		};
		Jailed::<T>::insert(offender, jail);
		Self::deposit_event(Event::Jailed {
			validator: offender.clone(),
			offence,
			until: jail.until,
		});
		if !seize.is_zero() && Candidates::<T>::contains_key(offender) {
			spree.slash = Self::seize(offender, seize, offence, spree.slash)?;
		}
		match known {
			Some(known) => *known = spree,
			None => sprees.push(spree),
		}
		Self::put_sprees(offender, sprees);
		Ok(())
	}

	/// Whether an offence costs nothing beyond what its spree has cost by now.
	fn is_paid_for(offender: &AccountId, fraction: Perbill, offence: SessionIndex) -> bool {
		Self::sprees(offender)
			.iter()
			.find(|spree| offence <= spree.since)
			.is_some_and(|spree| fraction <= spree.fraction)
	}

	/// Takes `fraction` out of every stake on `offender`. The slash of it is added to the slash
	/// `newest` if that was queued in this session, or queued. The answer is the newest slash then.
	fn seize(
		offender: &AccountId,
		fraction: Perbill,
		offence: SessionIndex,
		newest: Option<SlashId>,
	) -> Result<Option<SlashId>, DispatchError> {
		let parts = Self::cut(offender, fraction, offence)?;
		if parts.is_empty() {
			return Ok(newest);
		}
		let added = Slash::<T> {
			offender: offender.clone(),
			offence,
			apply_at: CurrentSession::<T>::get().saturating_add(T::SlashDelay::get()),
			fraction,
			parts,
		};
		let amount = added.total().ok_or(ArithmeticError::Overflow)?;
		let apply_at = added.apply_at;
		// One of an earlier session may be before a vote: it stays what is voted on.
		let waiting = newest
			.and_then(|id| Some((id, Slashes::<T>::get(id)?)))
			.filter(|(_, slash)| slash.apply_at == apply_at);
		let id = match waiting {
			Some((id, slash)) => {
				Slashes::<T>::insert(id, Self::merged(slash, added)?);
				id
			}
			None => Self::enqueue(added)?,
		};
		Self::deposit_event(Event::Seized {
			id,
			offender: offender.clone(),
			offence,
			fraction,
			amount,
			apply_at,
		});
		Ok(Some(id))
	}

	/// One slash of what two are of.
	fn merged(mut slash: Slash<T>, added: Slash<T>) -> Result<Slash<T>, DispatchError> {
		for (staker, amount) in added.parts {
			match slash.parts.iter_mut().find(|(who, _)| *who == staker) {
				Some((_, seized)) => {
					*seized = seized
						.checked_add(amount)
						.ok_or(ArithmeticError::Overflow)?;
				}
				None => slash
					.parts
					.try_push((staker, amount))
					.map_err(|_| Error::<T>::TooManyDelegators)?,
			}
		}
		slash.fraction = both(slash.fraction, added.fraction);
		Ok(slash)
	}

	/// Takes `fraction` out of every stake that backed `offender` in session `offence`. The answer is
	/// what was taken of whom.
	fn cut(
		offender: &AccountId,
		fraction: Perbill,
		offence: SessionIndex,
	) -> Result<Parts<T>, DispatchError> {
		let stakers: Vec<AccountId> = Positions::<T>::iter_key_prefix(offender).collect();
		let mut parts = BoundedVec::new();
		for staker in stakers {
			let mut candidate = Self::open(offender)?;
			// What stays fresh came in the session in progress, after the offence or too late to have
			// backed the offender.
			let mut position = Self::settled(offender, &candidate.pool, &staker)?;
			let of_stake = fraction.mul_floor(position.eligible);
			let less = |amount: Balance, cut: Balance| {
				amount.checked_sub(cut).ok_or(ArithmeticError::Underflow)
			};
			position.eligible = less(position.eligible, of_stake)?;
			candidate.pool.eligible = less(candidate.pool.eligible, of_stake)?;
			candidate.stake = less(candidate.stake, of_stake)?;
			if staker == *offender {
				candidate.own = less(candidate.own, of_stake)?;
			}
			let mut seized = of_stake;
			for chunk in &mut position.unbonding {
				if chunk.backed_until() >= offence {
					let cut = fraction.mul_floor(chunk.amount);
					chunk.amount = less(chunk.amount, cut)?;
					seized = seized.checked_add(cut).ok_or(ArithmeticError::Overflow)?;
				}
			}
			position.unbonding.retain(|chunk| chunk.amount > 0);
			Self::put(offender, candidate, &staker, position)?;
			if seized > 0 {
				parts
					.try_push((staker, seized))
					.map_err(|_| Error::<T>::TooManyDelegators)?;
			}
		}
		Ok(parts)
	}

	/// Queues a slash; carries out the oldest one if there is no room.
	fn enqueue(slash: Slash<T>) -> Result<SlashId, DispatchError> {
		let mut queue = SlashQueue::<T>::get();
		if queue.next.saturating_sub(queue.first) >= T::MaxSlashes::get() {
			Self::carry_out(queue.first);
			queue.first = queue.first.saturating_add(1);
		}
		let id = queue.next;
		queue.next = id.checked_add(1).ok_or(ArithmeticError::Overflow)?;
		Slashes::<T>::insert(id, slash);
		SlashQueue::<T>::put(queue);
		Ok(id)
	}

	/// Carries out the oldest slash if it is due. The answer is how many parts it had.
	pub(crate) fn slash_next_due() -> u32 {
		let mut queue = SlashQueue::<T>::get();
		if queue.first >= queue.next {
			return 0;
		}
		let is_waiting = Slashes::<T>::get(queue.first)
			.is_some_and(|slash| slash.apply_at > CurrentSession::<T>::get());
		if is_waiting {
			return 0;
		}
		let parts = Self::carry_out(queue.first);
		queue.first = queue.first.saturating_add(1);
		SlashQueue::<T>::put(queue);
		parts
	}

	/// Slashes what was seized by `id`, unless it was cancelled. The answer is how many parts it had.
	fn carry_out(id: SlashId) -> u32 {
		let Some(slash) = Slashes::<T>::take(id) else {
			return 0;
		};
		let mut amount: Balance = 0;
		for (staker, seized) in &slash.parts {
			let (credit, missing) = T::Currency::slash(&HoldReason::Stake.into(), staker, *seized);
			if missing > 0 {
				frame::log::error!(target: "runtime::stakes", "{missing} units of a slash are not held");
			}
			amount = amount.saturating_add(credit.peek());
			T::Slashed::on_unbalanced(credit);
		}
		Self::deposit_event(Event::Slashed {
			id,
			offender: slash.offender,
			amount,
		});
		u32::try_from(slash.parts.len()).unwrap_or(u32::MAX)
	}

	pub(crate) fn do_cancel_slash(id: SlashId) -> DispatchResult {
		let slash = Slashes::<T>::take(id).ok_or(Error::<T>::UnknownSlash)?;
		let amount = slash.total().ok_or(ArithmeticError::Overflow)?;
		for (staker, seized) in &slash.parts {
			T::Currency::release(&HoldReason::Stake.into(), staker, *seized, Precision::Exact)?;
		}
		Self::deposit_event(Event::SlashCancelled {
			id,
			offender: slash.offender,
			amount,
		});
		Ok(())
	}
}

/// Offences of the block and finality protocols: disables the offender for the rest of the session,
/// jails it and seizes what it costs.
impl<T: Config, Identification> OnOffenceHandler<AccountId, (AccountId, Identification), Weight>
	for Pallet<T>
{
	fn on_offence(
		offenders: &[OffenceDetails<AccountId, (AccountId, Identification)>],
		slash_fractions: &[Perbill],
		session: SessionIndex,
	) -> Weight {
		let mut weight = Weight::zero();
		for (details, fraction) in offenders.iter().zip(slash_fractions) {
			let (offender, _) = &details.offender;
			if !Self::is_paid_for(offender, *fraction, session) {
				T::Sessions::disable(offender, *fraction);
				// One offender's records are kept as they were if they are inconsistent; others are
				// punished nevertheless.
				let _ = frame::deps::frame_support::storage::with_storage_layer(|| {
					Self::punish(offender, *fraction, session)
				})
				.defensive();
			}
			let positions = Positions::<T>::iter_key_prefix(offender).count();
			weight.saturating_accrue(T::WeightInfo::on_offence(
				u32::try_from(positions).unwrap_or(u32::MAX),
			));
		}
		weight
	}
}
