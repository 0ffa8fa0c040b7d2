//! What the calls, the hook, offences and changes of sessions cost, each in the worst case that it
//! can meet.
//!
//! Most of them touch a candidate and one position. That costs most where the pool has stake that
//! has just become eligible, so that a mark is made, and the position has stake that became eligible
//! earlier, so that another mark is used up; and where as many chunks unbond as may.

// This runs on no chain: what does not go as it should must fail loudly.
#![allow(
	clippy::arithmetic_side_effects,
	clippy::expect_used,
	clippy::indexing_slicing
)]

use crate::*;
use alloc::{vec, vec::Vec};
use frame::{
	benchmarking::prelude::*,
	traits::fungible::{
		hold::{Inspect as _, Mutate as _},
		Inspect as _, Mutate as _,
	},
};
use pallet_session::SessionManager;
use sp_staking::offence::{OffenceDetails, OnOffenceHandler};

/// What benchmarks need of the session pallet and of others.
pub trait BenchmarkHelper {
	/// Gives `who` session keys, as if it had set them and paid the deposit.
	fn set_keys(who: &AccountId);

	/// Makes these, who have session keys, the validators of the session in progress and of the next.
	fn seat(validators: &[AccountId]);

	/// Whether this validator is disabled for the rest of the session.
	fn is_disabled(validator: &AccountId) -> bool;

	/// Makes `amount` units the stakers' next income.
	fn earn(amount: Balance);
}

/// Most candidates that are measured.
const MAX_CANDIDATES: u32 = 256;
/// Most validators that are measured: each candidate may be elected, and as many others are in the
/// fallback.
const MAX_VALIDATORS: u32 = 2 * MAX_CANDIDATES;
/// Most positions of a candidate that are measured: of as many delegators and its own.
const MAX_PARTS: u32 = 257;
/// A session late enough for everything to have happened in one before.
const NOW: SessionIndex = 100_000;

/// Fails if the runtime allows more than is measured.
pub(crate) fn assert_bounds_are_measured<T: Config>() {
	assert!(
		T::MaxCandidates::get() <= MAX_CANDIDATES && MaxParts::<T>::get() <= MAX_PARTS,
		"weights are measured up to what the runtime allows; raise the benchmarks' bounds with it"
	);
}

/// A stake that is enough for a candidate and for a delegator, and for the account to have one.
fn stake<T: Config>() -> Balance {
	T::MinSelfStake::get()
		.max(T::MinDelegation::get())
		.max(T::Currency::minimum_balance())
		.max(1_000)
}

/// What unbonds in a chunk, and what is seized of an account.
fn small<T: Config>() -> Balance {
	T::Currency::minimum_balance().max(1_000)
}

/// Gives `who` this much and enough to live.
fn fund<T: Config>(who: &AccountId, amount: Balance) {
	let amount = amount + T::Currency::minimum_balance() * 2;
	T::Currency::mint_into(who, amount).expect("there is room for it");
}

/// Holds this much, new, of `who`.
fn hold<T: Config>(who: &AccountId, amount: Balance) {
	fund::<T>(who, amount);
	T::Currency::hold(&HoldReason::Stake.into(), who, amount).expect("it was just given");
}

/// What is held of `who`.
fn held<T: Config>(who: &AccountId) -> Balance {
	T::Currency::balance_on_hold(&HoldReason::Stake.into(), who)
}

fn delegator(index: u32) -> AccountId {
	account("delegator", index, 0)
}

fn others(count: u32) -> Vec<AccountId> {
	(0..count).map(|index| account("other", index, 0)).collect()
}

/// [`Pool::per_unit`] for so many units for each of stake.
fn per_unit(units: u32) -> U256 {
	U256::from(units) << 64
}

/// Stakes on `id` as `stakers` with `chunks` unbonding chunks each, which are free by now if
/// `are_free`. Each but the last has a mark of its own by which it is to be settled; the last one's
/// stake became eligible with the session in progress. Each has money to claim, except the last
/// perhaps. The pot has the money.
fn stake_all<T: Config>(id: &AccountId, stakers: &[AccountId], chunks: u32, are_free: bool) {
	CurrentSession::<T>::put(NOW);
	let count = u32::try_from(stakers.len()).expect("there are fewer");
	let (stake, chunk) = (stake::<T>(), small::<T>());
	let free_at = if are_free { NOW } else { NOW + 1 };
	let chunk = Chunk {
		amount: chunk,
		since: NOW - 1,
		free_at,
	};
	let unbonding = vec![chunk; chunks as usize];
	for (staker, age) in stakers.iter().zip((1..=count).rev()) {
		hold::<T>(staker, stake * 2 + chunk.amount * Balance::from(chunks));
		let position = Position::<T> {
			eligible: stake,
			fresh: stake,
			fresh_in: NOW - age,
			mark: per_unit(1),
			rewards: 1,
			unbonding: BoundedVec::truncate_from(unbonding.clone()),
		};
		if age > 1 {
			let mark = Mark {
				per_unit: per_unit(2),
				positions: 1,
			};
			Marks::<T>::insert(id, position.fresh_in, mark);
		}
		Positions::<T>::insert(id, staker, position);
	}
	let whole = stake * 2 * Balance::from(count);
	let delegators = stakers.iter().filter(|staker| *staker != id).count();
	let candidate = Candidate {
		own: if stakers.contains(id) { stake * 2 } else { 0 },
		stake: whole,
		commission: Perbill::zero(),
		next_commission: Some((T::MaxCommission::get(), NOW)),
		active: true,
		delegators: u32::try_from(delegators).expect("there are fewer"),
		pool: Pool {
			per_unit: per_unit(3),
			carry: U256::zero(),
			eligible: whole - stake,
			fresh: stake,
			fresh_in: NOW - 1,
			fresh_positions: 1,
		},
	};
	Candidates::<T>::insert(id, candidate);
	let owed = whole * 3;
	Owed::<T>::mutate(|all| *all += owed);
	fund::<T>(&Pallet::<T>::pot(), owed);
}

/// A candidate with a position that is its own, and a delegator's, as [`stake_all`] says.
fn candidate<T: Config>(chunks: u32, are_free: bool) -> AccountId {
	let id: AccountId = whitelisted_caller();
	stake_all::<T>(&id, &[id.clone(), delegator(0)], chunks, are_free);
	id
}

/// A candidate and one who delegates to it; another one does, too. As [`stake_all`] says.
fn candidate_and_delegator<T: Config>(chunks: u32, are_free: bool) -> (AccountId, AccountId) {
	let (id, who) = (
		account("candidate", 0, 0),
		whitelisted_caller::<AccountId>(),
	);
	stake_all::<T>(&id, &[who.clone(), delegator(0)], chunks, are_free);
	(id, who)
}

/// The calls settle a position by its mark, and leave one for who came last.
fn assert_settled<T: Config>(id: &AccountId, who: &AccountId) {
	let position = Positions::<T>::get(id, who);
	assert_eq!(position.mark, per_unit(3));
	assert!(!Marks::<T>::contains_key(id, NOW - 2));
	assert!(Marks::<T>::contains_key(id, NOW - 1));
}

fn stake_of<T: Config>(id: &AccountId, who: &AccountId) -> Balance {
	let position = Positions::<T>::get(id, who);
	position.stake().expect("it is less than all money")
}

/// Puts a slash of so many parts, due now, at the end of the queue.
fn queue_slash<T: Config>(parts: u32) -> (SlashId, Vec<AccountId>) {
	CurrentSession::<T>::put(NOW);
	let stakers = others(parts);
	for staker in &stakers {
		hold::<T>(staker, small::<T>());
	}
	let parts = stakers.iter().map(|staker| (staker.clone(), small::<T>()));
	let slash = Slash::<T> {
		offender: account("offender", 0, 0),
		offence: NOW - 1,
		apply_at: NOW,
		fraction: Perbill::from_percent(1),
		parts: BoundedVec::truncate_from(parts.collect()),
	};
	let mut queue = SlashQueue::<T>::get();
	let id = queue.next;
	queue.next += 1;
	Slashes::<T>::insert(id, slash);
	SlashQueue::<T>::put(queue);
	(id, stakers)
}

/// So many validators, or as many as there can be, of this session and the next.
fn seat<T: Config>(count: u32) -> Vec<AccountId> {
	let mut validators: Vec<AccountId> = (0..count.min(T::MaxCandidates::get() * 2))
		.map(|index| account("validator", index, 0))
		.collect();
	validators.sort();
	validators.iter().for_each(T::BenchmarkHelper::set_keys);
	T::BenchmarkHelper::seat(&validators);
	validators
}

/// Names as many others as there may be as the fallback; they have session keys.
fn fill_fallback<T: Config>() {
	let fallback = others(T::MaxCandidates::get());
	fallback.iter().for_each(T::BenchmarkHelper::set_keys);
	Fallback::<T>::put(BoundedVec::truncate_from(fallback));
}

/// Puts `who` in jail, with as many sprees as are remembered.
fn jail<T: Config>(who: &AccountId, fraction: Perbill) {
	let jail = Jail {
		since: NOW,
		until: NOW,
		fraction,
	};
	Jailed::<T>::insert(who, jail);
	let spree = Spree {
		since: NOW,
		fraction,
		slash: None,
	};
	let sprees = vec![spree; MAX_SPREES as usize];
	Sprees::<T>::insert(who, BoundedVec::truncate_from(sprees));
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// Nothing about it depends on how many there are.
	#[benchmark]
	fn bond() {
		let who: AccountId = whitelisted_caller();
		let stake = stake::<T>();
		fund::<T>(&who, stake);
		CurrentSession::<T>::put(NOW);
		let commission = T::MaxCommission::get();

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), stake, commission);

		let candidate = Candidates::<T>::get(&who).expect("it is one now");
		assert_eq!(candidate.own, stake);
		assert_eq!(Positions::<T>::get(&who, &who).fresh, stake);
		assert_eq!(held::<T>(&who), stake);
	}

	/// The position is settled by an old mark, with all its chunks unbonding; a new mark is made.
	#[benchmark]
	fn bond_more() {
		let who = candidate::<T>(T::MaxUnbonding::get(), false);
		let stake = stake::<T>();
		fund::<T>(&who, stake);

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), stake);

		assert_settled::<T>(&who, &who);
		assert_eq!(stake_of::<T>(&who, &who), stake * 3);
	}

	/// As `bond_more`, with room for one chunk.
	#[benchmark]
	fn unbond() {
		let who = candidate::<T>(T::MaxUnbonding::get() - 1, false);
		let stake = stake::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), stake);

		assert_settled::<T>(&who, &who);
		assert_eq!(stake_of::<T>(&who, &who), stake);
		assert!(Positions::<T>::get(&who, &who).unbonding.is_full());
	}

	/// As `bond_more`, by who delegates already.
	#[benchmark]
	fn delegate() {
		let (id, who) = candidate_and_delegator::<T>(T::MaxUnbonding::get(), false);
		let stake = stake::<T>();
		fund::<T>(&who, stake);

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), id.clone(), stake);

		assert_settled::<T>(&id, &who);
		assert_eq!(stake_of::<T>(&id, &who), stake * 3);
	}

	/// As `unbond`.
	#[benchmark]
	fn undelegate() {
		let (id, who) = candidate_and_delegator::<T>(T::MaxUnbonding::get() - 1, false);
		let stake = stake::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), id.clone(), stake);

		assert_settled::<T>(&id, &who);
		assert_eq!(stake_of::<T>(&id, &who), stake);
		assert!(Positions::<T>::get(&id, &who).unbonding.is_full());
	}

	/// As many chunks as there may be are free, and there is stake left that is settled.
	#[benchmark]
	fn withdraw_unbonded() {
		let (id, who) = candidate_and_delegator::<T>(T::MaxUnbonding::get(), true);

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), id.clone());

		assert_settled::<T>(&id, &who);
		assert!(Positions::<T>::get(&id, &who).unbonding.is_empty());
		assert_eq!(held::<T>(&who), stake::<T>() * 2);
	}

	/// Somebody else asks for it; the position is settled by an old mark and a new one is made.
	#[benchmark]
	fn claim() {
		let id: AccountId = account("candidate", 0, 0);
		let staker = delegator(0);
		let stakers = [staker.clone(), delegator(1)];
		stake_all::<T>(&id, &stakers, T::MaxUnbonding::get(), false);
		let (had, owed) = (T::Currency::balance(&staker), Owed::<T>::get());
		// Two for a unit of what was eligible, one for a unit that came later, and what it had.
		let amount = stake::<T>() * 3 + 1;

		#[extrinsic_call]
		_(
			RawOrigin::Signed(whitelisted_caller()),
			id.clone(),
			staker.clone(),
		);

		assert_settled::<T>(&id, &staker);
		assert_eq!(Positions::<T>::get(&id, &staker).rewards, 0);
		assert_eq!(T::Currency::balance(&staker), had + amount);
		assert_eq!(Owed::<T>::get(), owed - amount);
	}

	/// A mark is made, a changed commission takes effect and another is to come.
	#[benchmark]
	fn validate() {
		let who = candidate::<T>(T::MaxUnbonding::get(), false);

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), Perbill::zero());

		let candidate = Candidates::<T>::get(&who).expect("it is one");
		assert_eq!(candidate.commission, T::MaxCommission::get());
		assert_eq!(
			candidate.next_commission.map(|(next, _)| next),
			Some(Perbill::zero())
		);
		assert!(Marks::<T>::contains_key(&who, NOW - 1));
	}

	/// A mark is made.
	#[benchmark]
	fn chill() {
		let who = candidate::<T>(T::MaxUnbonding::get(), false);

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));

		assert!(!Candidates::<T>::get(&who).expect("it is one").active);
		assert!(Marks::<T>::contains_key(&who, NOW - 1));
	}

	/// The time in jail is over.
	#[benchmark]
	fn unjail() {
		let who: AccountId = whitelisted_caller();
		CurrentSession::<T>::put(NOW);
		jail::<T>(&who, Perbill::one());

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));

		assert_eq!(Jailed::<T>::get(&who), None);
	}

	/// There are as many validators, now and in the next session, and as many in the fallback, as there
	/// may be; the caller is none of them.
	#[benchmark]
	fn purge_keys() {
		let who: AccountId = whitelisted_caller();
		seat::<T>(MAX_VALIDATORS);
		fill_fallback::<T>();
		T::BenchmarkHelper::set_keys(&who);
		assert!(T::Sessions::has_keys(&who));

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));

		assert!(!T::Sessions::has_keys(&who));
	}

	/// Each part is another account's.
	#[benchmark]
	fn cancel_slash(p: Linear<1, MAX_PARTS>) -> Result<(), BenchmarkError> {
		let (id, stakers) = queue_slash::<T>(p.min(MaxParts::<T>::get()));
		let origin =
			T::CancelOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, id);

		assert!(!Slashes::<T>::contains_key(id));
		for staker in stakers {
			assert_eq!(held::<T>(&staker), 0);
			assert!(T::Currency::balance(&staker) >= small::<T>());
		}
		Ok(())
	}

	/// As many as there may be were named before.
	#[benchmark]
	fn set_fallback(v: Linear<1, MAX_CANDIDATES>) -> Result<(), BenchmarkError> {
		fill_fallback::<T>();
		let validators: Vec<AccountId> = (0..v.min(T::MaxCandidates::get()))
			.map(|index| account("validator", index, 0))
			.collect();
		validators.iter().for_each(T::BenchmarkHelper::set_keys);
		let validators = BoundedVec::truncate_from(validators);
		let origin =
			T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, validators.clone());

		assert_eq!(Fallback::<T>::get(), validators);
		Ok(())
	}

	/// Each delegator has as many chunks as can be, its position is settled by a mark of its own, and it
	/// has earned something.
	#[benchmark]
	fn dissolve(p: Linear<1, MAX_PARTS>) {
		let id: AccountId = account("candidate", 0, 0);
		let stakers: Vec<AccountId> = (0..p.min(T::MaxDelegators::get())).map(delegator).collect();
		stake_all::<T>(&id, &stakers, T::MaxUnbonding::get(), false);
		seat::<T>(MAX_VALIDATORS);
		fill_fallback::<T>();
		let owed = Owed::<T>::get();

		#[extrinsic_call]
		_(RawOrigin::Signed(whitelisted_caller()), id.clone());

		assert!(!Candidates::<T>::contains_key(&id));
		assert_eq!(Positions::<T>::iter_key_prefix(&id).count(), 0);
		assert!(Owed::<T>::get() < owed);
		for staker in stakers {
			assert_eq!(held::<T>(&staker), 0);
		}
	}

	/// The offender is in jail for less already. Another validator is pardoned to disable it, since as
	/// many are disabled as may be. Each of its positions is settled by another mark, and of all their
	/// chunks some is seized. The queue of slashes is full, so that the oldest, as large as it can be,
	/// is carried out.
	#[benchmark]
	fn on_offence(p: Linear<1, MAX_PARTS>) {
		let parts = p.min(MaxParts::<T>::get());
		let validators = seat::<T>(MAX_VALIDATORS);
		let offender = validators[0].clone();
		for other in validators.iter().skip(1).take(validators.len() / 3) {
			T::Sessions::disable(other, Perbill::from_percent(1));
		}
		let mut stakers = vec![offender.clone()];
		stakers.extend((1..parts).map(delegator));
		stake_all::<T>(&offender, &stakers, T::MaxUnbonding::get(), false);
		jail::<T>(&offender, Perbill::from_percent(1));
		let (oldest, slashed) = queue_slash::<T>(MaxParts::<T>::get());
		let queue = Queue {
			first: oldest,
			next: oldest + T::MaxSlashes::get(),
		};
		SlashQueue::<T>::put(queue);
		let details = OffenceDetails {
			offender: (offender.clone(), ()),
			reporters: vec![],
		};
		let whole = stake::<T>() * 2;

		#[block]
		{
			<Pallet<T> as OnOffenceHandler<_, _, _>>::on_offence(
				&[details],
				&[Perbill::from_percent(50)],
				NOW - 1,
			);
		}

		assert!(T::BenchmarkHelper::is_disabled(&offender));
		assert_eq!(
			Jailed::<T>::get(&offender).map(|jail| jail.fraction),
			Some(Perbill::from_percent(50))
		);
		for staker in stakers {
			assert!(stake_of::<T>(&offender, &staker) < whole);
		}
		assert_eq!(Marks::<T>::iter_key_prefix(&offender).count(), 0);
		let slash = Slashes::<T>::get(queue.next).expect("it waits");
		assert_eq!(slash.parts.len(), parts as usize);
		assert!(!Slashes::<T>::contains_key(oldest));
		for staker in slashed {
			assert_eq!(held::<T>(&staker), 0);
		}
	}

	/// The oldest slash is due, and each part is another account's. One without parts still takes
	/// longer than none, or one that has to wait.
	#[benchmark]
	fn on_initialize(p: Linear<0, MAX_PARTS>) {
		let (id, stakers) = queue_slash::<T>(p.min(MaxParts::<T>::get()));

		#[block]
		{
			Pallet::<T>::on_initialize(BlockNumberFor::<T>::zero());
		}

		assert!(!Slashes::<T>::contains_key(id));
		assert_eq!(SlashQueue::<T>::get().first, id + 1);
		for staker in stakers {
			assert_eq!(held::<T>(&staker), 0);
		}
	}

	/// Every candidate has session keys, but all except one are in jail, so that the fallback, which is
	/// as large as it can be and free, joins that one.
	#[benchmark]
	fn new_session(c: Linear<1, MAX_CANDIDATES>) {
		seat::<T>(MAX_VALIDATORS);
		fill_fallback::<T>();
		// The chain may have some from its beginning.
		let before: Vec<AccountId> = Candidates::<T>::iter_keys().collect();
		before.iter().for_each(Candidates::<T>::remove);
		let count = c.min(T::MaxCandidates::get());
		let mut free = None;
		for index in 0..count {
			let id = account("candidate", index, 0);
			stake_all::<T>(&id, core::slice::from_ref(&id), 0, false);
			T::BenchmarkHelper::set_keys(&id);
			if index > 0 {
				jail::<T>(&id, Perbill::one());
			}
			free.get_or_insert(id);
		}
		let free = free.expect("there is a candidate");
		let set;

		#[block]
		{
			set = <Pallet<T> as SessionManager<AccountId>>::new_session(NOW);
		}

		let set = set.expect("it is another one");
		assert!(set.contains(&free));
		assert_eq!(Candidates::<T>::count(), count);
		if T::MinValidators::get() > 1 {
			assert_eq!(set.len(), Fallback::<T>::get().len() + 1);
		}
	}

	/// Every validator is a candidate with stake that has just become eligible, has made blocks and takes
	/// a commission.
	#[benchmark]
	fn end_session(v: Linear<1, MAX_VALIDATORS>) {
		let validators = seat::<T>(v);
		for (index, id) in (0..).zip(&validators) {
			stake_all::<T>(id, &[id.clone(), delegator(index)], 0, false);
		}
		CurrentSession::<T>::put(NOW);
		validators
			.iter()
			.cloned()
			.for_each(Pallet::<T>::note_author);
		let owed = Owed::<T>::get();
		T::BenchmarkHelper::earn(stake::<T>() * Balance::from(v));

		#[block]
		{
			<Pallet<T> as SessionManager<AccountId>>::end_session(NOW);
		}

		assert_eq!(CurrentSession::<T>::get(), NOW + 1);
		assert!(Owed::<T>::get() > owed);
		for id in validators {
			assert!(Marks::<T>::contains_key(&id, NOW - 1));
			assert!(Candidates::<T>::get(&id).is_some_and(|it| it.pool.per_unit > per_unit(3)));
			assert!(Positions::<T>::get(&id, &id).rewards > 1);
		}
	}

	/// Every validator is in jail, each for something worse than the one before, so that each is
	/// disabled and, once as many are as may be, the least offender of them pardoned. They are all new in
	/// the set, and as many others have left it.
	#[benchmark]
	fn start_session(v: Linear<1, MAX_VALIDATORS>) {
		let validators = seat::<T>(v);
		for (severity, validator) in (1..).zip(&validators) {
			jail::<T>(validator, Perbill::from_parts(severity));
		}
		let gone = others(v);
		gone.iter().cloned().for_each(Pallet::<T>::note_author);

		#[block]
		{
			<Pallet<T> as SessionManager<AccountId>>::start_session(NOW);
		}

		assert!(!gone.iter().any(Presences::<T>::contains_key));
		assert!(validators.iter().all(Presences::<T>::contains_key));
		// Of three or fewer none may be disabled.
		if let [_, _, _, .., worst] = &validators[..] {
			assert!(T::BenchmarkHelper::is_disabled(worst));
		}
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
