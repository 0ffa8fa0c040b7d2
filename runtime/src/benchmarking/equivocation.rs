//! The worst that a report of an equivocation can meet, for BABE's and GRANDPA's benchmarks: a
//! validator of the session in progress, whose set is therefore put into a trie again to check the
//! proof; all its delegators' stakes are seized, some of it while it unbonds; the queue of slashes is
//! full, so that the oldest is carried out; and as many validators are disabled as can be, so that
//! another has to be enabled again.

use crate::{
	currency::OPEN, AccountId, Balance, Balances, Historical, Runtime, RuntimeOrigin, SessionKeys,
	Stakes,
};
use alloc::vec::Vec;
use frame_benchmarking::v2::account;
use frame_support::{
	traits::{
		fungible::{Mutate, MutateHold},
		Get, KeyOwnerProofSystem,
	},
	BoundedVec,
};
use pallet_session::{CurrentIndex, DisabledValidators, NextKeys, Validators};
use pallet_stakes::{
	Chunk, CurrentSession, HoldReason, Positions, Queue, Slash, SlashQueue, Slashes,
};
use sp_core::{crypto::KeyTypeId, ed25519, sr25519, ByteArray};
use sp_runtime::{Perbill, RuntimeAppPublic};
use sp_session::MembershipProof;
use sp_staking::{offence::OffenceSeverity, SessionIndex};

/// The session in progress, in which everything happens.
pub(super) const SESSION: SessionIndex = 1;

/// Who signed twice.
pub(super) struct Offender {
	account: AccountId,
	pub(super) keys: SessionKeys,
	delegators: u32,
}

fn funded(name: &'static str, index: u32, amount: Balance) -> AccountId {
	let who: AccountId = account(name, index, 0);
	let paid = Balances::mint_into(&who, amount);
	paid.expect("benchmarks hand out less than there can be; qed");
	who
}

impl Offender {
	/// One of `validators` validators, with `delegators` delegators.
	pub(super) fn new(validators: u32, delegators: u32) -> Self {
		let own = <Runtime as pallet_stakes::Config>::MinSelfStake::get();
		let delegation = <Runtime as pallet_stakes::Config>::MinDelegation::get();
		CurrentSession::<Runtime>::put(SESSION - 1);
		let offender = funded("offender", 0, 2 * own);
		let origin = RuntimeOrigin::signed(offender.clone());
		Stakes::bond(origin, own, Perbill::zero()).expect("it has enough; qed");
		for index in 0..delegators {
			// The last ones have to bring more.
			let stake = Stakes::least_stake(offender.clone()).max(delegation);
			let delegator = funded("delegator", index, 2 * stake);
			let origin = RuntimeOrigin::signed(delegator);
			Stakes::delegate(origin, offender.clone(), stake)
				.expect("there is room for this many delegators; qed");
		}
		CurrentSession::<Runtime>::put(SESSION);
		CurrentIndex::<Runtime>::put(SESSION);
		let stakers: Vec<AccountId> = Positions::<Runtime>::iter_key_prefix(&offender).collect();
		for staker in &stakers {
			Positions::<Runtime>::mutate(&offender, staker, |position| {
				let chunk = Chunk {
					amount: OPEN,
					since: SESSION,
					free_at: SESSION + 1_000,
				};
				while position.unbonding.try_push(chunk).is_ok() {}
			});
		}

		let keys = SessionKeys {
			babe: RuntimeAppPublic::generate_pair(None),
			grandpa: RuntimeAppPublic::generate_pair(None),
		};
		let mut set = Vec::new();
		for index in 1..validators {
			let validator: AccountId = account("validator", index, 0);
			let bytes: &[u8] = validator.as_ref();
			let babe = sr25519::Public::from_slice(bytes).expect("both are 32 bytes; qed");
			let grandpa = ed25519::Public::from_slice(bytes).expect("both are 32 bytes; qed");
			let keys = SessionKeys {
				babe: babe.into(),
				grandpa: grandpa.into(),
			};
			NextKeys::<Runtime>::insert(&validator, keys);
			set.push(validator);
		}
		NextKeys::<Runtime>::insert(&offender, keys.clone());
		set.push(offender.clone());
		Validators::<Runtime>::put(set);
		let disabled: Vec<(u32, OffenceSeverity)> = (0..(validators - 1) / 3)
			.map(|index| (index, OffenceSeverity(Perbill::zero())))
			.collect();
		DisabledValidators::<Runtime>::put(disabled);

		Self::fill_queue(delegators, delegation);
		Self {
			account: offender,
			keys,
			delegators,
		}
	}

	/// Slashes wait, as many as can; the oldest is of a validator with `delegators` delegators.
	fn fill_queue(delegators: u32, seized: Balance) {
		let mut parts = BoundedVec::new();
		for index in 0..=delegators {
			let staker = funded("slashed", index, 2 * seized);
			Balances::hold(&HoldReason::Stake.into(), &staker, seized).expect("it has enough; qed");
			let pushed = parts.try_push((staker, seized));
			pushed.expect("a slash has room for every delegator; qed");
		}
		Slashes::<Runtime>::insert(
			0,
			Slash {
				offender: account("other", 0, 0),
				offence: SESSION,
				apply_at: SESSION + 1,
				fraction: Perbill::one(),
				parts,
			},
		);
		SlashQueue::<Runtime>::put(Queue {
			first: 0,
			next: <Runtime as pallet_stakes::Config>::MaxSlashes::get(),
		});
	}

	/// Proof that a key was the offender's.
	pub(super) fn proof(&self, id: KeyTypeId, key: &[u8]) -> MembershipProof {
		Historical::prove((id, key)).expect("the offender is a validator; qed")
	}

	/// Checks that all that the report is to do was done.
	pub(super) fn assert_punished(&self) {
		let queue = SlashQueue::<Runtime>::get();
		assert_eq!(queue.first, 1);
		assert!(!Slashes::<Runtime>::contains_key(0));
		let slash = Slashes::<Runtime>::get(queue.next - 1).expect("a slash was queued");
		assert_eq!(slash.offender, self.account);
		assert_eq!(slash.parts.len(), self.delegators as usize + 1);
		let validators = Validators::<Runtime>::get();
		let last = validators.len() as u32 - 1;
		let disabled = DisabledValidators::<Runtime>::get();
		assert!(disabled.iter().any(|(index, _)| *index == last));
	}
}
