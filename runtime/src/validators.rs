//! Who makes blocks: for now the accounts that genesis names, and nobody else. Stake-elected
//! validators will take this module's place behind the same two traits.

use crate::{time::REPORTABLE_SESSIONS, AccountId, Historical, Runtime, Session, SessionKeys};
use alloc::vec::Vec;
use frame_support::weights::Weight;
use pallet_session::{historical, NextKeys, QueuedKeys, Validators};
use sp_runtime::{traits::Convert, Perbill};
use sp_staking::{
	offence::{OffenceDetails, OffenceSeverity, OnOffenceHandler},
	SessionIndex,
};

/// Keeps the set of validators that genesis named.
///
/// A session is declared changed only when a validator has rotated its keys: declaring it changed
/// each time would start a new GRANDPA set, and pardon every disabled validator, at every session.
pub struct GenesisValidators;

impl GenesisValidators {
	/// Genesis: every account that was given session keys, in order of account id.
	fn at_genesis() -> Vec<AccountId> {
		let mut validators: Vec<AccountId> = NextKeys::<Runtime>::iter_keys().collect();
		validators.sort();
		validators
	}

	fn keys_rotated() -> bool {
		let has_rotated = |(validator, queued): &(AccountId, SessionKeys)| {
			Session::load_keys(validator).is_some_and(|next| next != *queued)
		};
		QueuedKeys::<Runtime>::get().iter().any(has_rotated)
	}
}

fn with_identity(validators: Vec<AccountId>) -> Vec<(AccountId, ())> {
	validators
		.into_iter()
		.map(|validator| (validator, ()))
		.collect()
}

impl pallet_session::SessionManager<AccountId> for GenesisValidators {
	fn new_session(_: SessionIndex) -> Option<Vec<AccountId>> {
		Self::keys_rotated().then(Validators::<Runtime>::get)
	}

	fn new_session_genesis(_: SessionIndex) -> Option<Vec<AccountId>> {
		Some(Self::at_genesis())
	}

	fn start_session(_: SessionIndex) {}

	fn end_session(ended: SessionIndex) {
		// Past this, offences can no longer be reported and the proof data is of no use.
		Historical::prune_up_to(ended.saturating_sub(REPORTABLE_SESSIONS));
	}
}

impl historical::SessionManager<AccountId, ()> for GenesisValidators {
	fn new_session(index: SessionIndex) -> Option<Vec<(AccountId, ())>> {
		<Self as pallet_session::SessionManager<AccountId>>::new_session(index).map(with_identity)
	}

	fn new_session_genesis(index: SessionIndex) -> Option<Vec<(AccountId, ())>> {
		<Self as pallet_session::SessionManager<AccountId>>::new_session_genesis(index)
			.map(with_identity)
	}

	fn start_session(index: SessionIndex) {
		<Self as pallet_session::SessionManager<AccountId>>::start_session(index)
	}

	fn end_session(index: SessionIndex) {
		<Self as pallet_session::SessionManager<AccountId>>::end_session(index)
	}
}

/// Lets only present validators set session keys: keys of others could never be used.
pub struct ValidatorOf;

impl Convert<AccountId, Option<AccountId>> for ValidatorOf {
	fn convert(account: AccountId) -> Option<AccountId> {
		Validators::<Runtime>::get()
			.contains(&account)
			.then_some(account)
	}
}

/// What is known of a validator besides its account: nothing, until there is stake.
pub struct NoIdentification;

impl Convert<AccountId, Option<()>> for NoIdentification {
	fn convert(_: AccountId) -> Option<()> {
		Some(())
	}
}

/// Disables a validator proven to have equivocated: it makes no more blocks. There is no stake to
/// slash yet. At most a third of the set is disabled at a time, the worst offenders first.
pub struct DisableOffenders;

impl OnOffenceHandler<AccountId, historical::IdentificationTuple<Runtime>, Weight>
	for DisableOffenders
{
	fn on_offence(
		offenders: &[OffenceDetails<AccountId, historical::IdentificationTuple<Runtime>>],
		slash_fractions: &[Perbill],
		_: SessionIndex,
	) -> Weight {
		for (details, fraction) in offenders.iter().zip(slash_fractions) {
			let (validator, ()) = &details.offender;
			Session::report_offence(validator.clone(), OffenceSeverity(*fraction));
		}
		// The reporting call's weight already covers the few entries touched here.
		Weight::zero()
	}
}
