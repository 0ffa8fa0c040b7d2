//! Who works: validators that make no blocks earn nothing and lose their seats.
//!
//! Slots are drawn by lot, so that a validator may go without a block for a while. It counts as missing
//! when it has made none in the session, and the others have made as many in the meantime as make that
//! less likely than one in ten million by mere bad luck.

use crate::*;
use alloc::{collections::BTreeSet, vec::Vec};
use frame::traits::Get;

/// Blocks for each validator without one of its own after which it is missing: the chance is e⁻¹⁶.
const MISSING_AFTER: u64 = 16;
/// The same after which it is chilled.
const CHILLED_AFTER: u64 = 32;
/// Whole sessions without a block after which it is chilled, at least.
const CHILLED_SESSIONS: SessionIndex = 2;

/// Who is missing at the end of a session.
pub(crate) struct Roll {
	session: SessionIndex,
	blocks: u64,
	validators: u64,
}

impl Roll {
	/// Whether so many blocks for each validator were made since this one was seen, none by it in
	/// this session.
	fn is_absent(&self, presence: &Presence, for_each: u64) -> bool {
		let since = self.blocks.saturating_sub(presence.block);
		presence.session < self.session && since >= for_each.saturating_mul(self.validators)
	}

	fn is_missing(&self, presence: &Presence) -> bool {
		self.is_absent(presence, MISSING_AFTER)
	}

	fn is_to_be_chilled(&self, presence: &Presence) -> bool {
		self.is_absent(presence, CHILLED_AFTER)
			&& self.session.saturating_sub(presence.session) >= CHILLED_SESSIONS
	}

	/// Whether a validator worked. One that is not watched yet did, since this chain counts blocks only
	/// since an upgrade.
	pub(crate) fn has_worked<T: Config>(&self, validator: &AccountId) -> bool {
		Presences::<T>::get(validator)
			.is_none_or(|presence| presence.has_made && !self.is_missing(&presence))
	}
}

impl<T: Config> Pallet<T> {
	/// Counts the block in progress for its author.
	pub fn note_author(author: AccountId) {
		let block = Blocks::<T>::get().saturating_add(1);
		Blocks::<T>::put(block);
		let presence = Presence {
			block,
			session: CurrentSession::<T>::get(),
			has_made: true,
		};
		Presences::<T>::insert(author, presence);
		// Nobody else counts this.
		frame_system::Pallet::<T>::register_extra_weight_unchecked(
			T::DbWeight::get().reads_writes(2, 2),
			DispatchClass::Mandatory,
		);
	}

	/// What tells who of so many validators worked in the session in progress.
	pub(crate) fn roll(validators: usize) -> Roll {
		Roll {
			session: CurrentSession::<T>::get(),
			blocks: Blocks::<T>::get(),
			validators: u64::try_from(validators).unwrap_or(u64::MAX),
		}
	}

	/// Chills who has been missing for long. Not where more than a third is missing: that may be the
	/// network's fault, and those on one side of it should not decide alone who validates.
	pub(crate) fn chill_missing() {
		let validators = T::Sessions::validators();
		let roll = Self::roll(validators.len());
		let missing: Vec<(&AccountId, Presence)> = validators
			.iter()
			.filter_map(|who| Some((who, Presences::<T>::get(who)?)))
			.filter(|(_, presence)| roll.is_missing(presence))
			.collect();
		if missing.len().saturating_mul(3) > validators.len() {
			return;
		}
		for (who, presence) in missing {
			let is_active = Candidates::<T>::get(who).is_some_and(|candidate| candidate.active);
			if is_active && roll.is_to_be_chilled(&presence) {
				// It is a candidate, so this cannot fail.
				let _ = Self::do_chill(who.clone());
			}
		}
	}

	/// Watches the validators of the session that begins, and no others.
	pub(crate) fn watch(session: SessionIndex) {
		let validators: BTreeSet<AccountId> = T::Sessions::validators().into_iter().collect();
		let watched: BTreeSet<AccountId> = Presences::<T>::iter_keys().collect();
		for gone in watched.difference(&validators) {
			Presences::<T>::remove(gone);
		}
		let block = Blocks::<T>::get();
		for new in validators.difference(&watched) {
			let presence = Presence {
				block,
				session: session.saturating_sub(1),
				has_made: false,
			};
			Presences::<T>::insert(new, presence);
		}
	}
}
