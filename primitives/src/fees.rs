//! Fee arithmetic: prices, the split of a redemption, the split of licence money.
//!
//! Pure functions on integers. Each either accounts for every unit of its input or fails.

use crate::Balance;
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::U256;

/// Shares are given in millionths of the whole.
pub const PARTS: u32 = 1_000_000;

/// A price in units per 1,000 tokens.
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
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Rate {
	/// Units per 1,000 tokens read.
	#[cfg_attr(feature = "std", serde(with = "crate::amount_as_string"))]
	pub input: Balance,
	/// Units per 1,000 tokens written.
	#[cfg_attr(feature = "std", serde(with = "crate::amount_as_string"))]
	pub output: Balance,
}

impl Rate {
	/// Sum of two rates; `None` on overflow.
	pub fn checked_add(&self, other: &Rate) -> Option<Rate> {
		Some(Rate {
			input: self.input.checked_add(other.input)?,
			output: self.output.checked_add(other.output)?,
		})
	}

	/// What `tokens_in` and `tokens_out` cost: `ceil((in × input + out × output) / 1000)`, in units.
	/// `None` on overflow.
	pub fn charge(&self, tokens_in: u32, tokens_out: u32) -> Option<Balance> {
		let input = self.input.checked_mul(tokens_in.into())?;
		let output = self.output.checked_mul(tokens_out.into())?;
		Some(input.checked_add(output)?.div_ceil(1000))
	}
}

/// What a token costs: the provider's quote and the licence rate (base plus adapter).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
	/// The provider's quote.
	pub compute: Rate,
	/// Base model's rate plus adapter's rate.
	pub licence: Rate,
}

impl Price {
	/// Compute and licence parts of the price of an answer, in units; `None` on overflow.
	pub fn charge(&self, tokens_in: u32, tokens_out: u32) -> Option<(Balance, Balance)> {
		Some((
			self.compute.charge(tokens_in, tokens_out)?,
			self.licence.charge(tokens_in, tokens_out)?,
		))
	}
}

/// The governed shares in force in an epoch, each in [parts per million](PARTS).
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
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Terms {
	/// The protocol's cut of compute and of licence money.
	pub protocol_cut: u32,
	/// The part of the cut that is burnt; the rest goes to the treasury.
	pub burnt: u32,
	/// The base model owner's share of licence money after the cut.
	pub base_owner: u32,
	/// The adapter owner's share.
	pub adapter_owner: u32,
	/// The stakers' share.
	pub stakers: u32,
	/// The data contributors' share.
	pub data: u32,
	/// The part of the data share that follows the attribution; the rest is paid by `equal/1`.
	pub attributed: u32,
	/// The most of one answer's attributed part that one contribution may earn.
	pub cap: u32,
}

impl Default for Terms {
	/// Cut 5 %, half of it burnt; 10 / 30 / 10 / 50 %; 70 % attributed, at most 30 % to one.
	fn default() -> Self {
		Self {
			protocol_cut: 50_000,
			burnt: 500_000,
			base_owner: 100_000,
			adapter_owner: 300_000,
			stakers: 100_000,
			data: 500_000,
			attributed: 700_000,
			cap: 300_000,
		}
	}
}

impl Terms {
	/// Whether the four licence shares sum to the whole and no part exceeds it.
	pub fn is_valid(&self) -> bool {
		let shares = [self.base_owner, self.adapter_owner, self.stakers, self.data];
		let sum = shares
			.iter()
			.try_fold(0u32, |sum, share| sum.checked_add(*share));
		sum == Some(PARTS)
			&& [self.protocol_cut, self.burnt, self.attributed, self.cap]
				.iter()
				.all(|part| *part <= PARTS)
	}
}

/// Where one redemption's money goes, in units. The parts sum to `compute + licence`.
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
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct RedemptionSplit {
	/// Destroyed.
	#[cfg_attr(feature = "std", serde(with = "crate::amount_as_string"))]
	pub burnt: Balance,
	/// To the treasury.
	#[cfg_attr(feature = "std", serde(with = "crate::amount_as_string"))]
	pub treasury: Balance,
	/// To the provider, at once.
	#[cfg_attr(feature = "std", serde(with = "crate::amount_as_string"))]
	pub provider: Balance,
	/// To the epoch's pot of licence money.
	#[cfg_attr(feature = "std", serde(with = "crate::amount_as_string"))]
	pub pot: Balance,
}

/// Splits a redemption: the cut of each part is rounded down, so what cannot be divided stays with
/// the provider and the pot; the burnt part of the cut is rounded down, the treasury takes the rest.
/// `None` on overflow or if a share exceeds the whole.
pub fn split_redemption(
	compute: Balance,
	licence: Balance,
	terms: &Terms,
) -> Option<RedemptionSplit> {
	let cut_of_compute = part(compute, terms.protocol_cut)?;
	let cut_of_licence = part(licence, terms.protocol_cut)?;
	let cut = cut_of_compute.checked_add(cut_of_licence)?;
	let burnt = part(cut, terms.burnt)?;
	Some(RedemptionSplit {
		burnt,
		treasury: cut.checked_sub(burnt)?,
		provider: compute.checked_sub(cut_of_compute)?,
		pot: licence.checked_sub(cut_of_licence)?,
	})
}

/// `floor(amount × parts / 1,000,000)`; `None` if `parts` exceeds the whole.
pub fn part(amount: Balance, parts: u32) -> Option<Balance> {
	if parts > PARTS {
		return None;
	}
	scale(amount, parts.into(), PARTS.into())
}

/// `floor(amount × numerator / denominator)`, exact in 256 bits; `None` if it does not fit.
pub fn scale(amount: Balance, numerator: u128, denominator: u128) -> Option<Balance> {
	// The product of two 128-bit numbers fits 256 bits.
	U256::from(amount)
		.checked_mul(U256::from(numerator))?
		.checked_div(U256::from(denominator))?
		.try_into()
		.ok()
}

/// Splits `total` in proportion to `weights` by the largest remainder: each gets the floor of its
/// exact share, and the units left over go one each to the largest remainders, ties to the earlier.
///
/// The result has one amount per weight and sums to `total` exactly. `None` if no weight is positive
/// or the weights overflow.
pub fn apportion(total: Balance, weights: &[u128]) -> Option<Vec<Balance>> {
	let whole = weights
		.iter()
		.try_fold(0u128, |sum, weight| sum.checked_add(*weight))?;
	if whole == 0 {
		return None;
	}
	let mut amounts = Vec::with_capacity(weights.len());
	let mut remainders = Vec::with_capacity(weights.len());
	let mut left = total;
	for (index, weight) in weights.iter().enumerate() {
		let product = U256::from(total).checked_mul(U256::from(*weight))?;
		let floor: Balance = product.checked_div(U256::from(whole))?.try_into().ok()?;
		let remainder: u128 = product.checked_rem(U256::from(whole))?.try_into().ok()?;
		left = left.checked_sub(floor)?;
		amounts.push(floor);
		remainders.push((core::cmp::Reverse(remainder), index));
	}
	// Fewer units are left than there are weights, since each floor loses less than one.
	remainders.sort_unstable();
	for (_, index) in remainders.into_iter().take(usize::try_from(left).ok()?) {
		let amount = amounts.get_mut(index)?;
		*amount = amount.checked_add(1)?;
	}
	Some(amounts)
}
