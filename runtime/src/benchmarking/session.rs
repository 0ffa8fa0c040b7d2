//! Benchmarks of session keys. Those of the SDK need its staking pallet.

use crate::{AccountId, Balances, Runtime, RuntimeOrigin, Session, SessionKeys};
use codec::Encode;
use core::marker::PhantomData;
use frame_benchmarking::v2::*;
use frame_support::traits::fungible::{InspectHold, Mutate};
use pallet_session::{HoldReason, KeyOwner, NextKeys, Validators};
use pallet_stakes::Fallback;
use sp_core::crypto::KeyTypeId;
use sp_runtime::traits::OpaqueKeys;

/// Carries these benchmarks.
pub struct Pallet<T: Config>(PhantomData<T>);
/// What they run in.
pub trait Config: frame_system::Config {}
impl Config for Runtime {}

/// The last of as many validators as there can be, besides as many fallback validators as there can
/// be, with money for its deposit.
fn validator() -> AccountId {
	let validator: AccountId = account("validator", 0, 0);
	let paid = Balances::mint_into(&validator, 1_000 * crate::currency::OPEN);
	paid.expect("the purse is a small one; qed");
	let others = |name| (1..super::MOST_VALIDATORS).map(move |index| account(name, index, 0));
	let fallback: alloc::vec::Vec<AccountId> = others("fallback").collect();
	Fallback::<Runtime>::put(frame_support::BoundedVec::truncate_from(fallback));
	let validators = others("other").chain([validator.clone()]);
	Validators::<Runtime>::put(validators.collect::<alloc::vec::Vec<AccountId>>());
	validator
}

fn owner(id: &KeyTypeId, keys: &SessionKeys) -> Option<AccountId> {
	KeyOwner::<Runtime>::get((*id, keys.get_raw(*id)))
}

fn is_deposit_held(validator: &AccountId) -> bool {
	Balances::balance_on_hold(&HoldReason::Keys.into(), validator) > 0
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// The worst case is the first set of keys, for which a deposit is held, of the last one who is
	/// found among those who may have keys.
	#[benchmark]
	fn set_keys() {
		let validator = validator();
		let generated = SessionKeys::generate(&validator.encode(), None);
		let origin = RuntimeOrigin::signed(validator.clone());

		#[block]
		{
			Session::set_keys(origin, generated.keys.clone(), generated.proof.encode())
				.expect("the keys are the validator's own; qed");
		}

		assert_eq!(
			NextKeys::<Runtime>::get(&validator).as_ref(),
			Some(&generated.keys)
		);
		for id in SessionKeys::key_ids() {
			assert_eq!(owner(id, &generated.keys).as_ref(), Some(&validator));
		}
		assert!(is_deposit_held(&validator));
	}

	/// The worst case is a deposit to give back, to the last one who is found.
	#[benchmark]
	fn purge_keys() {
		let validator = validator();
		let generated = SessionKeys::generate(&validator.encode(), None);
		let origin = RuntimeOrigin::signed(validator.clone());
		let set = Session::set_keys(
			origin.clone(),
			generated.keys.clone(),
			generated.proof.encode(),
		);
		set.expect("the keys are the validator's own; qed");

		#[block]
		{
			Session::purge_keys(origin).expect("there are keys; qed");
		}

		assert_eq!(NextKeys::<Runtime>::get(&validator), None);
		for id in SessionKeys::key_ids() {
			assert_eq!(owner(id, &generated.keys), None);
		}
		assert!(!is_deposit_held(&validator));
	}
}
