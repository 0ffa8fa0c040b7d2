//! Stakes: who validates, with what at stake, and what stakers earn.
//!
//! # Terms
//!
//! - **Candidate**: an account that offers to validate. It stakes money of its own.
//! - **Delegator**: an account that stakes money on a candidate, and shares its fate.
//! - **Position**: what one account has staked on one candidate.
//! - **Session**: the stretch of blocks for which a set of validators holds; all periods here are
//!   counted in sessions.
//! - **Unbonding**: money that has left a stake and is not free yet.
//! - **Fallback**: the validators that genesis or governance names for when too few are elected.
//!
//! # Story
//!
//! Alice runs a machine. She [bonds](Call::bond) 10,000 OPEN, sets session keys, and at the next
//! session is among the candidates with the most stake: she validates. Bob
//! [delegates](Call::delegate) 500 OPEN to her. At the end of each session the pot's income is shared
//! out; Alice takes her commission, the rest goes by stake, and both [claim](Call::claim) what is
//! theirs. Alice's machine is copied and signs two blocks of one slot. Somebody reports it: the part
//! of both stakes that this costs is seized at once, and Alice is jailed. Governance has some days to
//! [cancel](Call::cancel_slash); it does not, and the money is gone. Bob
//! [undelegates](Call::undelegate) and later [withdraws](Call::withdraw_unbonded) the rest.
//!
//! # Design
//!
//! - **Election.** The candidates with session keys, enough of their own at stake and the most stake
//!   in all validate, as many as governance says. If they are too few, the fallback joins them. Every
//!   session's set is announced as another one, also if it is equal, so that a vote on finality, which
//!   names its set, is of one session and no other.
//! - **Rewards.** Income is pulled once a session. It is shared among the validators of the session
//!   that ended, by eligible stake, and among a validator's positions by [reward per share](Pool):
//!   its cost grows with the number of validators and not with that of delegators.
//! - **Only who works earns.** A validator that has made no block since it entered the set, or none
//!   for so long that bad luck does not explain it, is not paid, and one that goes on so is
//!   [chilled](Call::chill). Votes on finality leave no trace here: who makes blocks and does not vote
//!   is paid.
//! - **Only whole sessions earn.** Stake is *fresh* in the session in which it comes and becomes
//!   eligible with the next; what leaves earns nothing for the session in which it leaves, nor while
//!   it unbonds. So stake that comes just before a payout and goes just after earns nothing, and stake
//!   that stays for one payout is locked for the unbonding period unpaid.
//! - **Slashes.** An offence seizes the part of each stake that it costs when it is reported: from
//!   then on this part earns nothing and cannot leave. It is slashed after a delay, in which governance
//!   can give it back. What unbonds counts as if it had stayed, if it left in the session of the
//!   offence, later, or in the session before: the validators of the offence were elected with it.
//!   Unbonding takes longer than offences can be reported. Stake of the session in progress is
//!   spared. Who delegates between an offence and its report shares in the slash.
//! - **One spree, one price.** A machine that misbehaves does so many times before it is stopped. All
//!   offences up to the session in which the first is reported cost what the worst of them costs, in
//!   whatever order they are reported, and whether its time in jail is over by then or not. What one
//!   spree costs more in the same session is added to the slash that waits for it: a report of many
//!   offenders, which makes every one's offence graver, makes no further slashes.
//! - Every list is bounded: candidates, delegators of a candidate, unbonding chunks of a position and
//!   waiting slashes. A full one refuses newcomers by a named error, except that the oldest slash is
//!   carried out early to make room.

#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs)]
#![cfg_attr(
	not(test),
	deny(
		clippy::arithmetic_side_effects,
		clippy::indexing_slicing,
		clippy::expect_used
	)
)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod election;
mod impls;
#[cfg(test)]
mod mock;
mod offences;
mod pool;
mod presence;
mod rewards;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;
mod types;
pub mod weights;

use alloc::vec::Vec;
use codec::MaxEncodedLen;
use frame::prelude::*;
use openledger_primitives::{AccountId, Balance};
pub use sp_staking::SessionIndex;

#[cfg(feature = "runtime-benchmarks")]
pub use benchmarking::BenchmarkHelper;
pub use pallet::*;
pub use pool::{earned, Mark, Pool};
pub use types::*;
pub use weights::WeightInfo;

// What the macro generates expects things of the runtime that hold once it compiles.
#[allow(clippy::expect_used)]
#[frame::pallet]
pub mod pallet {
	use super::*;
	use frame::traits::OnUnbalanced;

	/// What the runtime decides.
	#[pallet::config]
	pub trait Config:
		frame_system::Config<AccountId = AccountId, RuntimeEvent: From<Event<Self>>>
	{
		/// The money that is staked and earned.
		type Currency: fungible::Mutate<AccountId, Balance = Balance>
			+ fungible::Balanced<AccountId>
			+ fungible::hold::Mutate<AccountId, Reason = Self::RuntimeHoldReason>
			+ fungible::hold::Balanced<AccountId>;

		/// The runtime's reasons for holding money.
		type RuntimeHoldReason: From<HoldReason>;

		/// Names the account that holds what stakers have earned.
		#[pallet::constant]
		type PalletId: Get<PalletId>;

		/// Where the stakers' income comes from.
		type Income: Income<CreditOf<Self>>;

		/// Who gets slashed money; what is dropped is burnt.
		type Slashed: OnUnbalanced<CreditOf<Self>>;

		/// The sessions that validators are elected for.
		type Sessions: Sessions;

		/// Who may cancel slashes.
		type CancelOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// Who may name the fallback.
		type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// Least stake of its own that a candidate needs, in units.
		type MinSelfStake: Get<Balance>;

		/// Least stake of a delegator on a candidate, in units.
		type MinDelegation: Get<Balance>;

		/// With fewer elected validators than this, the fallback joins them.
		type MinValidators: Get<u32>;

		/// Most validators that are elected; at least one.
		type MaxValidators: Get<u32>;

		/// Highest commission that a candidate may take.
		type MaxCommission: Get<Perbill>;

		/// Sessions that money waits after it has left a stake; always longer than offences can be
		/// reported, whatever this says.
		type UnbondingPeriod: Get<SessionIndex>;

		/// Sessions between the report of an offence and its slash.
		type SlashDelay: Get<SessionIndex>;

		/// Sessions that an offender stays in jail.
		type JailPeriod: Get<SessionIndex>;

		/// Sessions for which an offence can be reported.
		#[pallet::constant]
		type ReportableSessions: Get<SessionIndex>;

		/// Most candidates.
		#[pallet::constant]
		type MaxCandidates: Get<u32>;

		/// Most delegators of a candidate.
		#[pallet::constant]
		type MaxDelegators: Get<u32>;

		/// Most chunks of one position that unbond at a time.
		#[pallet::constant]
		type MaxUnbonding: Get<u32>;

		/// Most slashes that wait at a time.
		#[pallet::constant]
		type MaxSlashes: Get<u32>;

		/// Weights of the calls.
		type WeightInfo: WeightInfo;

		/// What benchmarks need of other pallets.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: BenchmarkHelper;
	}

	/// Why money is held.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// It is staked, unbonding, or seized for an offence.
		#[codec(index = 0)]
		Stake,
	}

	/// The pallet.
	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// Candidates by account. Whoever stakes chooses the key, so the hasher must be a strong one; at
	/// most [`Config::MaxCandidates`].
	#[pallet::storage]
	pub type Candidates<T: Config> = CountedStorageMap<_, Blake2_128Concat, AccountId, Candidate>;

	/// Positions by candidate and staker, both free to choose, hence the strong hashers. At most
	/// [`Config::MaxDelegators`] for each candidate, and its own.
	#[pallet::storage]
	pub type Positions<T: Config> = StorageDoubleMap<
		_,
		Blake2_128Concat,
		AccountId,
		Blake2_128Concat,
		AccountId,
		Position<T>,
		ValueQuery,
	>;

	/// What a candidate's pool had earned when the stake of a session became eligible. Sessions are
	/// counted, so a cheap hasher does. An entry lasts until the last position that needs it is
	/// settled, so there are at most as many as positions.
	#[pallet::storage]
	pub type Marks<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, AccountId, Twox64Concat, SessionIndex, Mark>;

	/// Validators in jail. Only validators get there, so there are few.
	#[pallet::storage]
	pub type Jailed<T: Config> = StorageMap<_, Blake2_128Concat, AccountId, Jail>;

	/// What validators were punished for and can still be reported for, the oldest spree first; also
	/// after they have left jail. Only validators get there, so there are few.
	#[pallet::storage]
	pub type Sprees<T: Config> = StorageMap<
		_,
		Blake2_128Concat,
		AccountId,
		BoundedVec<Spree, ConstU32<MAX_SPREES>>,
		ValueQuery,
	>;

	/// Slashes that wait, by id, at most [`Config::MaxSlashes`]. Ids are counted, so a cheap hasher
	/// does.
	#[pallet::storage]
	pub type Slashes<T: Config> = StorageMap<_, Twox64Concat, SlashId, Slash<T>>;

	/// The range of their ids.
	#[pallet::storage]
	pub type SlashQueue<T: Config> = StorageValue<_, Queue, ValueQuery>;

	/// The validators that join when too few are elected; while nobody is named, the present ones do.
	#[pallet::storage]
	pub type Fallback<T: Config> =
		StorageValue<_, BoundedVec<AccountId, T::MaxCandidates>, ValueQuery>;

	/// The session in progress.
	#[pallet::storage]
	pub type CurrentSession<T: Config> = StorageValue<_, SessionIndex, ValueQuery>;

	/// How many blocks validators have made since this is counted.
	#[pallet::storage]
	pub type Blocks<T: Config> = StorageValue<_, u64, ValueQuery>;

	/// When each validator of the session in progress was last seen to work. Those of others are
	/// forgotten at the start of a session.
	#[pallet::storage]
	pub type Presences<T: Config> = StorageMap<_, Blake2_128Concat, AccountId, Presence>;

	/// What the pot owes to stakers, in units: all that was shared out and not claimed.
	#[pallet::storage]
	pub type Owed<T: Config> = StorageValue<_, Balance, ValueQuery>;

	/// Stakes at genesis.
	#[pallet::genesis_config]
	#[derive(frame::prelude::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// Candidates and their own stakes, in units; taken from their balances.
		pub stakes: Vec<(AccountId, Balance)>,
		/// Nothing.
		#[serde(skip)]
		pub marker: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			for (account, stake) in &self.stakes {
				Pallet::<T>::bond_at_genesis(account, *stake)
					.expect("each candidate at genesis is named once and owns its stake");
			}
		}
	}

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(pub(crate) fn deposit_event)]
	pub enum Event<T: Config> {
		/// An account offers to validate.
		#[codec(index = 0)]
		Bonded {
			/// Its account.
			candidate: AccountId,
			/// What it staked, in units.
			amount: Balance,
			/// The commission it takes.
			commission: Perbill,
		},
		/// Money was staked on a candidate, its own or a delegator's.
		#[codec(index = 1)]
		Staked {
			/// The candidate.
			candidate: AccountId,
			/// Who staked.
			staker: AccountId,
			/// What was added, in units.
			amount: Balance,
			/// What the staker has staked on it now, in units.
			stake: Balance,
		},
		/// Money left a stake.
		#[codec(index = 2)]
		Unbonding {
			/// The candidate.
			candidate: AccountId,
			/// Whose money it is.
			staker: AccountId,
			/// How much, in units.
			amount: Balance,
			/// The first session in which it may be withdrawn.
			free_at: SessionIndex,
		},
		/// Unbonded money was withdrawn.
		#[codec(index = 3)]
		Withdrawn {
			/// The candidate it was staked on.
			candidate: AccountId,
			/// Whose money it is.
			staker: AccountId,
			/// How much, in units.
			amount: Balance,
		},
		/// A staker was paid what it had earned.
		#[codec(index = 4)]
		Claimed {
			/// The candidate it staked on.
			candidate: AccountId,
			/// Who was paid.
			staker: AccountId,
			/// How much, in units.
			amount: Balance,
		},
		/// A candidate wants to be elected.
		#[codec(index = 5)]
		Validating {
			/// The candidate.
			candidate: AccountId,
			/// The commission it asks.
			commission: Perbill,
			/// The first session with this commission.
			from: SessionIndex,
		},
		/// A candidate wants to be elected no more, or has made no blocks for long.
		#[codec(index = 6)]
		Chilled {
			/// The candidate.
			candidate: AccountId,
		},
		/// A validator was jailed for an offence.
		#[codec(index = 7)]
		Jailed {
			/// The validator.
			validator: AccountId,
			/// The session of the offence.
			offence: SessionIndex,
			/// The first session in which it may leave jail.
			until: SessionIndex,
		},
		/// A validator left jail.
		#[codec(index = 8)]
		Unjailed {
			/// The validator.
			validator: AccountId,
		},
		/// Stakes were seized for an offence.
		#[codec(index = 9)]
		Seized {
			/// The number of the slash.
			id: SlashId,
			/// The validator that misbehaved.
			offender: AccountId,
			/// The session in which it did.
			offence: SessionIndex,
			/// The part of each stake that was seized.
			fraction: Perbill,
			/// What was seized in all, in units.
			amount: Balance,
			/// The session from which on it is slashed.
			apply_at: SessionIndex,
		},
		/// Seized stakes were slashed.
		#[codec(index = 10)]
		Slashed {
			/// The number of the slash.
			id: SlashId,
			/// The validator that misbehaved.
			offender: AccountId,
			/// What was slashed in all, in units.
			amount: Balance,
		},
		/// Governance gave seized stakes back. The money is free, not staked.
		#[codec(index = 11)]
		SlashCancelled {
			/// The number of the slash.
			id: SlashId,
			/// The validator it was for.
			offender: AccountId,
			/// What was given back in all, in units.
			amount: Balance,
		},
		/// A session's income was shared out.
		#[codec(index = 12)]
		Shared {
			/// The session that ended.
			session: SessionIndex,
			/// What was shared out, in units.
			amount: Balance,
			/// What is left for the next session, in units.
			left: Balance,
		},
		/// A validator and its delegators earned.
		#[codec(index = 13)]
		Earned {
			/// The validator.
			validator: AccountId,
			/// The session that ended.
			session: SessionIndex,
			/// What they earned in all, in units.
			amount: Balance,
			/// Of this, the validator's commission, in units.
			commission: Balance,
		},
		/// Other validators were planned.
		#[codec(index = 14)]
		Elected {
			/// The session from which on they validate.
			session: SessionIndex,
			/// How many they are.
			validators: u32,
			/// How many of them are there only because too few were elected.
			fallback: u32,
		},
		/// Governance named the fallback.
		#[codec(index = 15)]
		FallbackSet {
			/// How many validators it has.
			validators: u32,
		},
		/// A candidate that had left was dissolved; its delegators have their money back.
		#[codec(index = 16)]
		Dissolved {
			/// The candidate.
			candidate: AccountId,
		},
	}

	/// What went wrong.
	#[pallet::error]
	pub enum Error<T> {
		/// The account is no candidate; bond first.
		#[codec(index = 0)]
		NotCandidate,
		/// The account is a candidate already; bond more instead.
		#[codec(index = 1)]
		AlreadyCandidate,
		/// There are as many candidates as there may be; dissolve one that has withdrawn its stake, wait
		/// for one to leave, or delegate.
		#[codec(index = 2)]
		TooManyCandidates,
		/// The candidate has as many delegators as it may have; delegate to another.
		#[codec(index = 3)]
		TooManyDelegators,
		/// The stake would be below the least stake, which is higher for new delegators of a candidate that
		/// has many; stake more.
		#[codec(index = 4)]
		StakeTooSmall,
		/// What would be left is below the least stake; leave more, or take everything.
		#[codec(index = 5)]
		LeavesTooLittle,
		/// There is not so much at stake; take less.
		#[codec(index = 6)]
		NotSoMuchStaked,
		/// The amount is zero.
		#[codec(index = 7)]
		ZeroAmount,
		/// The commission is above what governance allows.
		#[codec(index = 8)]
		CommissionTooHigh,
		/// The candidate is chilled or in jail; delegate to another.
		#[codec(index = 9)]
		NotValidating,
		/// A candidate does not delegate to itself; bond more instead.
		#[codec(index = 10)]
		OwnCandidate,
		/// Too many chunks of this position unbond; withdraw what is free, or wait.
		#[codec(index = 11)]
		TooManyChunks,
		/// Nothing of this position is unbonded yet; wait for the session given when it left.
		#[codec(index = 12)]
		NothingUnbonded,
		/// There is nothing to claim; wait for a session to end.
		#[codec(index = 13)]
		NothingToClaim,
		/// The account is in jail; unjail it first.
		#[codec(index = 14)]
		InJail,
		/// The account is not in jail.
		#[codec(index = 15)]
		NotInJail,
		/// The time in jail is not over; wait for the session given when it was jailed.
		#[codec(index = 16)]
		JailNotOver,
		/// No such slash waits; it was carried out or cancelled.
		#[codec(index = 17)]
		UnknownSlash,
		/// The account may be needed as a validator; unbond, withdraw and wait to be out of the set.
		#[codec(index = 18)]
		KeysInUse,
		/// The fallback needs at least one validator, each named once and with session keys.
		#[codec(index = 19)]
		InvalidFallback,
		/// The candidate has money of its own at stake, may be made a validator, or was punished for what
		/// can be reported for longer; wait.
		#[codec(index = 20)]
		NotDeserted,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_initialize(_: BlockNumberFor<T>) -> Weight {
			T::WeightInfo::on_initialize(Self::slash_next_due())
		}

		fn integrity_test() {
			assert!(T::MaxCandidates::get() > 0, "there are candidates");
			assert!(T::MaxUnbonding::get() > 0, "stakers can leave");
			assert!(T::MaxSlashes::get() > 0, "offenders are slashed");
			#[cfg(feature = "runtime-benchmarks")]
			benchmarking::assert_bounds_are_measured::<T>();
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), frame::try_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Offers to validate. The caller also needs session keys to be elected.
		///
		/// - `amount`: its own stake, in units; held on its account.
		/// - `commission`: the part of its income that it takes before delegators share.
		///
		/// Emits [`Event::Bonded`]. Fails with [`Error::AlreadyCandidate`],
		/// [`Error::TooManyCandidates`], [`Error::StakeTooSmall`], [`Error::CommissionTooHigh`], or
		/// if the caller cannot pay it.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::bond())]
		pub fn bond(origin: OriginFor<T>, amount: Balance, commission: Perbill) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_bond(who, amount, commission)
		}

		/// Adds `amount` units to the caller's own stake as a candidate. They earn from the next
		/// session on.
		///
		/// Emits [`Event::Staked`]. Fails with [`Error::NotCandidate`], [`Error::ZeroAmount`],
		/// [`Error::StakeTooSmall`], or if the caller cannot pay it.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::bond_more())]
		pub fn bond_more(origin: OriginFor<T>, amount: Balance) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_bond_more(who, amount)
		}

		/// Takes `amount` units out of the caller's own stake. With less than the least stake a
		/// candidate is not elected any more.
		///
		/// Emits [`Event::Unbonding`]. Fails with [`Error::NotCandidate`], [`Error::ZeroAmount`],
		/// [`Error::NotSoMuchStaked`], [`Error::LeavesTooLittle`], [`Error::TooManyChunks`].
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::unbond())]
		pub fn unbond(origin: OriginFor<T>, amount: Balance) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_unbond(who.clone(), who, amount)
		}

		/// Stakes `amount` units on `candidate`. They earn from the next session on.
		///
		/// Emits [`Event::Staked`]. Fails with [`Error::OwnCandidate`], [`Error::NotCandidate`],
		/// [`Error::NotValidating`], [`Error::TooManyDelegators`], [`Error::ZeroAmount`],
		/// [`Error::StakeTooSmall`], or if the caller cannot pay it.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::delegate())]
		pub fn delegate(
			origin: OriginFor<T>,
			candidate: AccountId,
			amount: Balance,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_delegate(candidate, who, amount)
		}

		/// Takes `amount` units out of the caller's stake on `candidate`.
		///
		/// Emits [`Event::Unbonding`]. Fails with [`Error::OwnCandidate`], [`Error::NotCandidate`],
		/// [`Error::ZeroAmount`], [`Error::NotSoMuchStaked`], [`Error::LeavesTooLittle`],
		/// [`Error::TooManyChunks`].
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::undelegate())]
		pub fn undelegate(
			origin: OriginFor<T>,
			candidate: AccountId,
			amount: Balance,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			ensure!(candidate != who, Error::<T>::OwnCandidate);
			Self::do_unbond(candidate, who, amount)
		}

		/// Frees what the caller took out of its stake on `candidate`, which may be itself, and what
		/// has waited long enough. If nothing is left there then, pays what it earned, too.
		///
		/// Emits [`Event::Withdrawn`], [`Event::Claimed`]. Fails with [`Error::NotCandidate`],
		/// [`Error::NothingUnbonded`].
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::withdraw_unbonded().saturating_add(T::WeightInfo::claim()))]
		pub fn withdraw_unbonded(origin: OriginFor<T>, candidate: AccountId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_withdraw_unbonded(candidate, who)
		}

		/// Pays `staker` what it earned with its stake on `candidate`. Anybody may ask for it.
		///
		/// Emits [`Event::Claimed`]. Fails with [`Error::NotCandidate`],
		/// [`Error::NothingToClaim`], or if the staker's account cannot take it.
		#[pallet::call_index(6)]
		#[pallet::weight(T::WeightInfo::claim())]
		pub fn claim(
			origin: OriginFor<T>,
			candidate: AccountId,
			staker: AccountId,
		) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_claim(candidate, staker)
		}

		/// Wants to be elected, for `commission`. Another commission than the present one is taken
		/// after one more whole session, so that delegators can leave before.
		///
		/// Emits [`Event::Validating`]. Fails with [`Error::NotCandidate`], [`Error::InJail`],
		/// [`Error::CommissionTooHigh`].
		#[pallet::call_index(7)]
		#[pallet::weight(T::WeightInfo::validate())]
		pub fn validate(origin: OriginFor<T>, commission: Perbill) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_validate(who, commission)
		}

		/// Wants to be elected no more. The stakes stay.
		///
		/// Emits [`Event::Chilled`]. Fails with [`Error::NotCandidate`].
		#[pallet::call_index(8)]
		#[pallet::weight(T::WeightInfo::chill())]
		pub fn chill(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_chill(who)
		}

		/// Leaves jail when the time is over.
		///
		/// Emits [`Event::Unjailed`]. Fails with [`Error::NotInJail`], [`Error::JailNotOver`].
		#[pallet::call_index(9)]
		#[pallet::weight(T::WeightInfo::unjail())]
		pub fn unjail(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_unjail(who)
		}

		/// Forgets the caller's session keys and returns the deposit for them. Only for those who can
		/// not be made a validator any more: no candidates, fallback or present validators.
		///
		/// Fails with [`Error::KeysInUse`], or if there are no keys.
		#[pallet::call_index(10)]
		#[pallet::weight(T::WeightInfo::purge_keys())]
		pub fn purge_keys(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			let may_validate = Candidates::<T>::contains_key(&who)
				|| Fallback::<T>::get().contains(&who)
				|| T::Sessions::is_seated(&who);
			ensure!(!may_validate, Error::<T>::KeysInUse);
			T::Sessions::purge_keys(&who)
		}

		/// Gives back what was seized by slash `id`. For governance.
		///
		/// Emits [`Event::SlashCancelled`]. Fails with [`Error::UnknownSlash`].
		#[pallet::call_index(11)]
		#[pallet::weight(T::WeightInfo::cancel_slash(MaxParts::<T>::get()))]
		pub fn cancel_slash(origin: OriginFor<T>, id: SlashId) -> DispatchResult {
			T::CancelOrigin::ensure_origin(origin)?;
			Self::do_cancel_slash(id)
		}

		/// Names the validators that join when too few are elected. For governance.
		///
		/// Emits [`Event::FallbackSet`]. Fails with [`Error::InvalidFallback`].
		#[pallet::call_index(12)]
		#[pallet::weight(
			T::WeightInfo::set_fallback(u32::try_from(validators.len()).unwrap_or(u32::MAX))
		)]
		pub fn set_fallback(
			origin: OriginFor<T>,
			validators: BoundedVec<AccountId, T::MaxCandidates>,
		) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_set_fallback(validators)
		}

		/// Frees the place of a candidate that has withdrawn all that it had staked. Its delegators get
		/// their stakes back at once, since nothing of that can be slashed any more, and what they
		/// earned. Anybody may ask for it.
		///
		/// Emits [`Event::Withdrawn`] and [`Event::Claimed`] for each of them, and
		/// [`Event::Dissolved`]. Fails with [`Error::NotCandidate`], [`Error::NotDeserted`].
		#[pallet::call_index(13)]
		#[pallet::weight(T::WeightInfo::dissolve(MaxParts::<T>::get()))]
		pub fn dissolve(origin: OriginFor<T>, candidate: AccountId) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			let positions = Self::do_dissolve(candidate)?;
			Ok(Some(T::WeightInfo::dissolve(positions)).into())
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// The least that a new delegator stakes on this candidate, in units.
		pub fn least_stake(candidate: AccountId) -> Balance {
			let delegators = Candidates::<T>::get(candidate).map_or(0, |it| it.delegators);
			Self::least_delegation(delegators)
		}

		/// The candidate with this account.
		pub fn candidate(account: AccountId) -> Option<Candidate> {
			Candidates::<T>::get(account)
		}

		/// Every candidate, the one with the most stake first.
		pub fn candidates() -> Vec<(AccountId, Candidate)> {
			let mut candidates: Vec<_> = Candidates::<T>::iter().collect();
			candidates
				.sort_by(|(a, one), (b, other)| other.stake.cmp(&one.stake).then_with(|| a.cmp(b)));
			candidates
		}

		/// Who would validate if there were an election now.
		pub fn elected() -> Vec<AccountId> {
			Self::elect().validators
		}

		/// What `staker` has staked on `candidate`.
		pub fn position(candidate: AccountId, staker: AccountId) -> Option<Position<T>> {
			Positions::<T>::try_get(candidate, staker).ok()
		}

		/// All that `staker` has staked, by candidate.
		pub fn positions_of(staker: AccountId) -> Vec<(AccountId, Position<T>)> {
			Candidates::<T>::iter_keys()
				.filter_map(|candidate| {
					let position = Positions::<T>::try_get(&candidate, &staker).ok()?;
					Some((candidate, position))
				})
				.collect()
		}

		/// What `staker` can claim of what `candidate` earned, in units.
		pub fn claimable(candidate: AccountId, staker: AccountId) -> Balance {
			Self::rewards_of(&candidate, &staker).unwrap_or_default()
		}

		/// How long this validator is in jail, if it is.
		pub fn jail(validator: AccountId) -> Option<Jail> {
			Jailed::<T>::get(validator)
		}

		/// The slashes that wait, the oldest first.
		pub fn slashes() -> Vec<(SlashId, Slash<T>)> {
			let queue = SlashQueue::<T>::get();
			(queue.first..queue.next)
				.filter_map(|id| Some((id, Slashes::<T>::get(id)?)))
				.collect()
		}
	}
}
