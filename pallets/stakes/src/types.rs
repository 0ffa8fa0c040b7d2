//! What the pallet stores, and what it asks of the runtime.

use crate::*;
use alloc::vec::Vec;
use frame::{prelude::fungible, traits::Get};

/// Money on its way, of this pallet's currency.
pub type CreditOf<T> = fungible::Credit<AccountId, <T as Config>::Currency>;

/// Where the stakers' income comes from.
pub trait Income<Credit> {
	/// Takes what has come in since the last call; perhaps nothing.
	fn collect() -> Credit;
}

/// The sessions that validators are elected for.
pub trait Sessions {
	/// The validators of the session in progress.
	fn validators() -> Vec<AccountId>;

	/// Whether `who` is a validator now or is to be one in the next session.
	fn is_seated(who: &AccountId) -> bool;

	/// Whether `who` has registered session keys.
	fn has_keys(who: &AccountId) -> bool;

	/// Every account with session keys.
	fn keyed() -> Vec<AccountId>;

	/// Keeps a validator from making blocks for the rest of the session; does nothing where that
	/// would disable too many.
	fn disable(validator: &AccountId, severity: Perbill);

	/// Forgets the session keys of `who` and returns the deposit for them.
	fn purge_keys(who: &AccountId) -> DispatchResult;

	/// Forgets what proves who validated in sessions before `session`.
	fn prune_before(session: SessionIndex);
}

/// Money that has left a stake and is not free yet. It earns nothing, and can still be slashed for
/// an offence of a session that it [backed](Self::backed_until) a validator in.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Chunk {
	/// How much, in units.
	pub amount: Balance,
	/// The session in which it left the stake.
	pub since: SessionIndex,
	/// The first session in which it may be withdrawn.
	pub free_at: SessionIndex,
}

impl Chunk {
	/// The last session with a validator that it helped to elect. When it left, the validators of
	/// the next session were elected already, and it counted.
	pub fn backed_until(&self) -> SessionIndex {
		self.since.saturating_add(1)
	}
}

/// What one account has staked on one candidate; the candidate's own stake is such a position too.
#[derive(
	CloneNoBound,
	DebugNoBound,
	DefaultNoBound,
	PartialEqNoBound,
	EqNoBound,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
#[scale_info(skip_type_params(T))]
#[codec(mel_bound())]
pub struct Position<T: Config> {
	/// Stake that earns, in units.
	pub eligible: Balance,
	/// Stake that earns from the session after `fresh_in`, in units.
	pub fresh: Balance,
	/// The session in which `fresh` was staked.
	pub fresh_in: SessionIndex,
	/// The pool's [`Pool::per_unit`] up to which `rewards` counts.
	pub mark: U256,
	/// What was earned and not yet claimed, in units.
	pub rewards: Balance,
	/// What has left the stake and is not withdrawn yet, in the order in which it left.
	pub unbonding: BoundedVec<Chunk, T::MaxUnbonding>,
}

impl<T: Config> Position<T> {
	/// What is staked, in units.
	pub fn stake(&self) -> Option<Balance> {
		self.eligible.checked_add(self.fresh)
	}

	/// What is held for this position, in units: its stake and what is unbonding.
	pub fn held(&self) -> Option<Balance> {
		self.unbonding
			.iter()
			.try_fold(self.stake()?, |sum, chunk| sum.checked_add(chunk.amount))
	}

	/// Whether nothing is left of it.
	pub fn is_empty(&self) -> bool {
		self.eligible == 0 && self.fresh == 0 && self.rewards == 0 && self.unbonding.is_empty()
	}
}

/// An account that offers to validate, and what is staked on it.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Candidate {
	/// Its own stake, in units.
	pub own: Balance,
	/// All that is staked on it, its own stake too, in units.
	pub stake: Balance,
	/// The part of its pool's income that it takes before the rest is shared out.
	pub commission: Perbill,
	/// The commission from a later session on, if it is to change.
	pub next_commission: Option<(Perbill, SessionIndex)>,
	/// Whether it wants to be elected.
	pub active: bool,
	/// How many others have a position with it; one that only waits for its unbonding counts.
	pub delegators: u32,
	/// How its income is shared out.
	pub pool: Pool,
}

impl Candidate {
	/// The commission in `session`.
	pub fn commission_in(&self, session: SessionIndex) -> Perbill {
		match self.next_commission {
			Some((commission, from)) if session >= from => commission,
			_ => self.commission,
		}
	}
}

/// A validator that is kept out of the set after an offence.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Jail {
	/// The session in which its newest [spree](Spree) was reported.
	pub since: SessionIndex,
	/// The first session in which it may leave.
	pub until: SessionIndex,
	/// The largest part of a stake that an offence in this time has cost.
	pub fraction: Perbill,
}

/// When a validator was last seen to work.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Presence {
	/// How many blocks there were in all when it made its last one, or when it entered the set.
	pub block: u64,
	/// The session in which it made its last one; before its first one, that before it entered.
	pub session: SessionIndex,
	/// Whether it has made one since it entered the set.
	pub has_made: bool,
}

/// Offences of a validator that cost together what the worst of them costs: all from the end of the
/// spree before to the session in which the first was reported.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Spree {
	/// The session in which the first of them was reported.
	pub since: SessionIndex,
	/// What part of the stake was seized. Further offences seize only what a larger fraction asks
	/// beyond it.
	pub fraction: Perbill,
	/// The newest slash for it.
	pub slash: Option<SlashId>,
}

/// Most sprees that are remembered of a validator. It makes two in a row at most before it has left
/// the set for a time in jail; of one that makes more, the two oldest are taken for one.
pub const MAX_SPREES: u32 = 16;

/// Most parts of a slash: every delegator and the candidate itself.
pub struct MaxParts<T>(core::marker::PhantomData<T>);

impl<T: Config> Get<u32> for MaxParts<T> {
	fn get() -> u32 {
		T::MaxDelegators::get().saturating_add(1)
	}
}

/// Whose money was seized, and how much, in units.
pub type Parts<T> = BoundedVec<(AccountId, Balance), MaxParts<T>>;

/// Stake that was seized for an offence and waits to be slashed, or to be given back.
#[derive(
	CloneNoBound,
	DebugNoBound,
	PartialEqNoBound,
	EqNoBound,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
#[scale_info(skip_type_params(T))]
#[codec(mel_bound())]
pub struct Slash<T: Config> {
	/// The validator that misbehaved.
	pub offender: AccountId,
	/// The session in which it did.
	pub offence: SessionIndex,
	/// The session from which on the slash is carried out.
	pub apply_at: SessionIndex,
	/// The part of each stake that was seized.
	pub fraction: Perbill,
	/// Whose money was seized, and how much, in units.
	pub parts: Parts<T>,
}

impl<T: Config> Slash<T> {
	/// What was seized in all, in units.
	pub fn total(&self) -> Option<Balance> {
		self.parts
			.iter()
			.try_fold(0, |sum: Balance, (_, amount)| sum.checked_add(*amount))
	}
}

/// The slashes that wait: ids from `first` up to but not including `next`. Cancelled ones among them
/// are gone from storage.
#[derive(
	Clone,
	Copy,
	Debug,
	Default,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Queue {
	/// The oldest.
	pub first: SlashId,
	/// The id that the next one gets.
	pub next: SlashId,
}

/// Counts slashes, from 0.
pub type SlashId = u32;
