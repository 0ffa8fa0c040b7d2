//! Reward per share: one addition shares income out among all who have a stake.
//!
//! The pool keeps what a unit of stake has earned since the pool began. A position remembers the
//! value at which it was last settled; what it earned since is its stake times the difference. Both
//! divisions round down, so that the positions together never earn more than was put in; what the
//! first leaves over is carried to the next deposit.

use crate::{Balance, SessionIndex};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame::prelude::U256;
use scale_info::TypeInfo;

/// What [`Pool::per_unit`] counts in a unit of money.
fn unit() -> U256 {
	U256::from(1u128 << 64)
}

/// How a candidate's income is shared out among its positions.
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
pub struct Pool {
	/// What one unit of eligible stake has earned since the pool began, in units × 2⁶⁴.
	pub per_unit: U256,
	/// What the last deposit left over, in units × 2⁶⁴.
	pub carry: U256,
	/// The stake that earns, in units.
	pub eligible: Balance,
	/// The stake that earns from the session after `fresh_in`, in units.
	pub fresh: Balance,
	/// The session in which `fresh` was staked.
	pub fresh_in: SessionIndex,
	/// How many positions have a part in `fresh`.
	pub fresh_positions: u32,
}

/// What a unit had earned when the stake of some session became eligible.
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
pub struct Mark {
	/// [`Pool::per_unit`] then.
	pub per_unit: U256,
	/// How many positions have yet to be settled by it.
	pub positions: u32,
}

impl Pool {
	/// Shares `amount` units out among the eligible stake. `None`, and nothing changes, if there is no
	/// such stake or a number overflows.
	pub fn deposit(&mut self, amount: Balance) -> Option<()> {
		let stake = U256::from(self.eligible);
		let scaled = U256::from(amount)
			.checked_mul(unit())?
			.checked_add(self.carry)?;
		let each = scaled.checked_div(stake)?;
		let per_unit = self.per_unit.checked_add(each)?;
		self.carry = scaled.checked_rem(stake)?;
		self.per_unit = per_unit;
		Some(())
	}

	/// Makes stake of a session before `now` eligible. Gives that session and the mark by which its
	/// positions are settled; `None` if there is no such stake.
	pub fn mature(&mut self, now: SessionIndex) -> Option<(SessionIndex, Mark)> {
		if self.fresh_positions == 0 || self.fresh_in >= now {
			return None;
		}
		self.eligible = self.eligible.checked_add(self.fresh)?;
		let mark = Mark {
			per_unit: self.per_unit,
			positions: self.fresh_positions,
		};
		self.fresh = 0;
		self.fresh_positions = 0;
		Some((self.fresh_in, mark))
	}
}

/// What `stake` earned while [`Pool::per_unit`] rose from `from` to `to`, rounded down, in units.
/// `None` on overflow, or if it fell.
pub fn earned(stake: Balance, from: U256, to: U256) -> Option<Balance> {
	let scaled = to.checked_sub(from)?.checked_mul(U256::from(stake))?;
	scaled.checked_div(unit())?.try_into().ok()
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	proptest! {
		#[test]
		fn positions_should_never_earn_more_than_was_deposited_nor_much_less(
			stakes in prop::collection::vec(1u128..1_000_000_000_000_000_000_000_000_000, 1..10),
			deposits in prop::collection::vec(0u128..1_000_000_000_000_000_000_000_000_000, 1..10),
		) {
			let mut pool = Pool { eligible: stakes.iter().sum(), ..Pool::default() };
			for amount in &deposits {
				pool.deposit(*amount).unwrap();
			}
			let paid: u128 = stakes
				.iter()
				.map(|stake| earned(*stake, U256::zero(), pool.per_unit).unwrap())
				.sum();
			let income: u128 = deposits.iter().sum();
			prop_assert!(paid <= income);
			// A unit for each position, and what the carry is worth.
			let carried = (pool.eligible >> 64) + 1;
			prop_assert!(income - paid <= stakes.len() as u128 + carried);
		}
	}

	#[test]
	fn a_deposit_without_stake_should_change_nothing() {
		let mut pool = Pool::default();
		assert_eq!(pool.deposit(5), None);
		assert_eq!(pool, Pool::default());
	}

	#[test]
	fn what_a_deposit_leaves_over_should_be_carried_to_the_next() {
		let mut pool = Pool {
			eligible: 3,
			..Pool::default()
		};
		pool.deposit(1).unwrap();
		assert_eq!(pool.carry, U256::one());
		pool.deposit(1).unwrap();
		assert_eq!(pool.carry, U256::from(2));
		pool.deposit(1).unwrap();
		assert_eq!(pool.carry, U256::zero());
		assert_eq!(earned(3, U256::zero(), pool.per_unit), Some(3));
	}
}
