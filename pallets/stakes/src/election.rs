//! Who validates: the session pallet asks here for each session's set.

use crate::*;
use alloc::{collections::BTreeSet, vec::Vec};
use pallet_session::historical;

/// The outcome of an election.
pub(crate) struct Election {
	/// The validators, in order of account id.
	pub validators: Vec<AccountId>,
	/// How many of them are there only because too few were elected.
	pub fallback: u32,
}

impl<T: Config> Pallet<T> {
	/// The candidates with the most stake among those that can be elected, and the fallback if they
	/// are too few.
	pub(crate) fn elect() -> Election {
		let least = T::MinSelfStake::get();
		let can_validate =
			|who: &AccountId| T::Sessions::has_keys(who) && !Jailed::<T>::contains_key(who);
		let mut able: Vec<(Balance, AccountId)> = Candidates::<T>::iter()
			.filter(|(who, candidate)| {
				candidate.active && candidate.own >= least && candidate.own > 0 && can_validate(who)
			})
			.map(|(who, candidate)| (candidate.stake, who))
			.collect();
		able.sort_by(|(one, a), (other, b)| other.cmp(one).then_with(|| a.cmp(b)));

		let as_usize = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
		let most = as_usize(T::MaxValidators::get().max(1));
		let mut validators: BTreeSet<AccountId> =
			able.into_iter().take(most).map(|(_, who)| who).collect();
		let mut fallback = 0u32;
		if validators.len() < as_usize(T::MinValidators::get()) {
			for who in Self::fallback() {
				if can_validate(&who) && validators.insert(who) {
					fallback = fallback.saturating_add(1);
				}
			}
		}
		Election {
			validators: validators.into_iter().collect(),
			fallback,
		}
	}

	/// Who joins when too few are elected. A chain that got this pallet in an upgrade has named nobody
	/// yet; there, whoever validates goes on, so that the first candidates do not take it over.
	fn fallback() -> Vec<AccountId> {
		let named = Fallback::<T>::get();
		if named.is_empty() {
			return T::Sessions::validators();
		}
		named.into_inner()
	}

	/// The set for the session after the one that is about to begin.
	fn plan(session: SessionIndex) -> Vec<AccountId> {
		let Election {
			validators,
			fallback,
		} = Self::elect();
		let present = T::Sessions::validators();
		if validators.is_empty() {
			// Nobody at all to validate would end the chain: the present ones go on.
			return present;
		}
		if validators != present {
			Self::deposit_event(Event::Elected {
				session,
				validators: u32::try_from(validators.len()).unwrap_or(u32::MAX),
				fallback,
			});
		}
		validators
	}

	pub(crate) fn do_set_fallback(
		validators: BoundedVec<AccountId, T::MaxCandidates>,
	) -> DispatchResult {
		let distinct: BTreeSet<_> = validators.iter().collect();
		ensure!(
			!validators.is_empty()
				&& distinct.len() == validators.len()
				&& validators.iter().all(T::Sessions::has_keys),
			Error::<T>::InvalidFallback
		);
		let count = u32::try_from(validators.len()).unwrap_or(u32::MAX);
		Fallback::<T>::put(validators);
		Self::deposit_event(Event::FallbackSet { validators: count });
		Ok(())
	}
}

impl<T: Config> pallet_session::SessionManager<AccountId> for Pallet<T> {
	/// Each session's set is announced, even if it is equal to the one before: votes on finality name
	/// the set and not the session, and would else be proven to be of any session of that set.
	fn new_session(index: SessionIndex) -> Option<Vec<AccountId>> {
		Some(Self::plan(index))
	}

	/// Whoever has session keys at genesis validates in the first sessions, and is the fallback.
	fn new_session_genesis(_: SessionIndex) -> Option<Vec<AccountId>> {
		let mut validators = T::Sessions::keyed();
		validators.sort();
		Fallback::<T>::put(BoundedVec::truncate_from(validators.clone()));
		Some(validators)
	}

	/// Each session's set begins with nobody disabled. One that is in jail may be in it still.
	fn start_session(index: SessionIndex) {
		Self::watch(index);
		for validator in T::Sessions::validators() {
			if let Some(jail) = Jailed::<T>::get(&validator) {
				T::Sessions::disable(&validator, jail.fraction);
			}
		}
	}

	fn end_session(ended: SessionIndex) {
		// Only now, so that a chain that gets this pallet in an upgrade counts as its sessions do.
		CurrentSession::<T>::put(ended);
		Self::share_out();
		Self::chill_missing();
		CurrentSession::<T>::put(ended.saturating_add(1));
		// Past this, offences can no longer be reported and the proof data is of no use.
		T::Sessions::prune_before(ended.saturating_sub(T::ReportableSessions::get()));
	}
}

fn with_identity(validators: Vec<AccountId>) -> Vec<(AccountId, ())> {
	validators
		.into_iter()
		.map(|validator| (validator, ()))
		.collect()
}

/// Nothing needs to be known of a validator in a past session but that it was one: what was at stake
/// then is told by what is at stake and unbonding now.
impl<T: Config> historical::SessionManager<AccountId, ()> for Pallet<T> {
	fn new_session(index: SessionIndex) -> Option<Vec<(AccountId, ())>> {
		<Self as pallet_session::SessionManager<_>>::new_session(index).map(with_identity)
	}

	fn new_session_genesis(index: SessionIndex) -> Option<Vec<(AccountId, ())>> {
		<Self as pallet_session::SessionManager<_>>::new_session_genesis(index).map(with_identity)
	}

	fn start_session(index: SessionIndex) {
		<Self as pallet_session::SessionManager<_>>::start_session(index)
	}

	fn end_session(index: SessionIndex) {
		<Self as pallet_session::SessionManager<_>>::end_session(index)
	}
}
