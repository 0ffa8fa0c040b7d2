//! What a transaction costs, and who receives it.
//!
//! `fee = multiplier × weight fee + byte fee`. The weight fee is linear: a call that does nothing
//! costs [`fees::BaseFee`], and every other call more in proportion to its compute time. The
//! multiplier is 1 while blocks are less than a quarter full and rises when they stay fuller. An
//! ordinary call costs 0.001 to 0.01 OPEN.
//!
//! Fees go to the treasury, tips to the block's author.

use crate::{
	accounts, parameters::governed::fees, AccountId, Authorship, Balance, Balances, Runtime,
};
use frame_support::{
	traits::{
		fungible::{Balanced, Credit},
		OnUnbalanced,
	},
	weights::{
		constants::ExtrinsicBaseWeight, Weight, WeightToFee, WeightToFeeCoefficient,
		WeightToFeeCoefficients, WeightToFeePolynomial,
	},
};
use pallet_transaction_payment::{Multiplier, TargetedFeeAdjustment};
use sp_runtime::{
	traits::{Bounded, Get, One},
	FixedPointNumber, Perbill, Perquintill,
};

/// Fee for compute time.
pub struct ComputeFee;

impl WeightToFeePolynomial for ComputeFee {
	type Balance = Balance;

	fn polynomial() -> WeightToFeeCoefficients<Balance> {
		let base_fee = fees::BaseFee::get();
		let base_time = Balance::from(ExtrinsicBaseWeight::get().ref_time()).max(1);
		let per_picosecond = base_fee.checked_div(base_time).unwrap_or_default();
		let remainder = base_fee.checked_rem(base_time).unwrap_or_default();
		[WeightToFeeCoefficient {
			degree: 1,
			negative: false,
			coeff_integer: per_picosecond,
			coeff_frac: Perbill::from_rational(remainder, base_time),
		}]
		.into_iter()
		.collect()
	}
}

/// Fee for the bytes a transaction occupies in a block. Its argument is a length, carried as
/// reference time.
pub struct LengthFee;

impl WeightToFee for LengthFee {
	type Balance = Balance;

	fn weight_to_fee(length: &Weight) -> Balance {
		Balance::from(length.ref_time()).saturating_mul(fees::ByteFee::get())
	}
}

/// Fullness of blocks above which fees rise.
pub struct TargetFullness;

impl Get<Perquintill> for TargetFullness {
	fn get() -> Perquintill {
		Perquintill::from_percent(25)
	}
}

/// How fast fees follow fullness: in a day of 14,400 blocks they are multiplied by e to the power of
/// 1.08 times the difference to the target: by 2.2 while all that is for ordinary calls is full.
pub struct AdjustmentSpeed;

impl Get<Multiplier> for AdjustmentSpeed {
	fn get() -> Multiplier {
		Multiplier::saturating_from_rational(75, 1_000_000)
	}
}

/// Fees never fall below their base.
pub struct MinimumMultiplier;

impl Get<Multiplier> for MinimumMultiplier {
	fn get() -> Multiplier {
		Multiplier::one()
	}
}

/// The largest multiplier there can be.
pub struct MaximumMultiplier;

impl Get<Multiplier> for MaximumMultiplier {
	fn get() -> Multiplier {
		Bounded::max_value()
	}
}

/// Raises fees while blocks are fuller than the target, lowers them again afterwards.
pub type FeeAdjustment = TargetedFeeAdjustment<
	Runtime,
	TargetFullness,
	AdjustmentSpeed,
	MinimumMultiplier,
	MaximumMultiplier,
>;

/// Gives fees to the treasury and tips to the author. A tip too small to open the author's account
/// goes to the treasury: no part of a fee is ever lost.
pub struct PayTreasuryAndAuthor;

impl PayTreasuryAndAuthor {
	fn pay_treasury(credit: Credit<AccountId, Balances>) {
		// The treasury exists since genesis, so this cannot fail; a failure would burn the fee.
		drop(Balances::resolve(&accounts::treasury(), credit));
	}
}

impl OnUnbalanced<Credit<AccountId, Balances>> for PayTreasuryAndAuthor {
	fn on_unbalanceds(mut fee_then_tip: impl Iterator<Item = Credit<AccountId, Balances>>) {
		if let Some(fee) = fee_then_tip.next() {
			Self::pay_treasury(fee);
		}
		if let Some(tip) = fee_then_tip.next() {
			let unpaid = match Authorship::author() {
				Some(author) => Balances::resolve(&author, tip).err(),
				None => Some(tip),
			};
			if let Some(tip) = unpaid {
				Self::pay_treasury(tip);
			}
		}
	}
}
