//! How `pallet-stakes`, which decides who validates, is tied to the session pallet, to the stakers'
//! income and to the treasury.

use crate::{
	accounts, AccountId, Attribution, Balances, BlockNumber, Historical, Runtime, RuntimeOrigin,
	Session, Stakes,
};
use alloc::vec::Vec;
use frame_support::traits::fungible::Credit;
use pallet_session::{NextKeys, QueuedKeys, Validators};
use pallet_stakes::{Candidates, Fallback};
use sp_runtime::{traits::Convert, DispatchResult, Perbill};
use sp_staking::{offence::OffenceSeverity, SessionIndex};

/// The session pallet, as stakes see it.
pub struct Sessions;

impl pallet_stakes::Sessions for Sessions {
	fn validators() -> Vec<AccountId> {
		Validators::<Runtime>::get()
	}

	fn is_seated(who: &AccountId) -> bool {
		let queued = QueuedKeys::<Runtime>::get();
		Validators::<Runtime>::get().contains(who) || queued.iter().any(|(queued, _)| queued == who)
	}

	fn has_keys(who: &AccountId) -> bool {
		NextKeys::<Runtime>::contains_key(who)
	}

	fn keyed() -> Vec<AccountId> {
		NextKeys::<Runtime>::iter_keys().collect()
	}

	/// At most a third of the set is disabled at a time, the worst offenders first.
	fn disable(validator: &AccountId, severity: Perbill) {
		Session::report_offence(validator.clone(), OffenceSeverity(severity));
	}

	fn purge_keys(who: &AccountId) -> DispatchResult {
		Session::purge_keys(RuntimeOrigin::signed(who.clone()))
	}

	fn prune_before(session: SessionIndex) {
		Historical::prune_up_to(session);
	}
}

/// Tells `pallet-stakes` who makes blocks.
pub struct NoteAuthor;

impl pallet_authorship::EventHandler<AccountId, BlockNumber> for NoteAuthor {
	fn note_author(author: AccountId) {
		Stakes::note_author(author);
	}
}

/// Lets those set session keys who may come to validate: candidates, the fallback and present
/// validators. Keys of others could never be used.
pub struct ValidatorOf;

impl Convert<AccountId, Option<AccountId>> for ValidatorOf {
	fn convert(account: AccountId) -> Option<AccountId> {
		let may_validate = Candidates::<Runtime>::contains_key(&account)
			|| Fallback::<Runtime>::get().contains(&account)
			|| Validators::<Runtime>::get().contains(&account);
		may_validate.then_some(account)
	}
}

/// What the session pallet has to know of a past validator besides its account: nothing, since
/// `pallet-stakes` knows what was at stake.
pub struct NoIdentification;

impl Convert<AccountId, Option<()>> for NoIdentification {
	fn convert(_: AccountId) -> Option<()> {
		Some(())
	}
}

/// The stakers' share of licence money, which attribution credits to the stakers' pot.
pub struct LicenceShare;

impl pallet_stakes::Income<Credit<AccountId, Balances>> for LicenceShare {
	fn collect() -> Credit<AccountId, Balances> {
		Attribution::withdraw_credit(&accounts::stakers_pot())
	}
}
