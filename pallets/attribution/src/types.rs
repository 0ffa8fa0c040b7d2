//! What an epoch's licence money goes through on its way to credits.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame::prelude::fungible;
use openledger_primitives::{
	AccountId, Balance, BlockNumber, Commitment, EpochIndex, Hash, Payee, TermsVersion,
};
use scale_info::TypeInfo;

/// Redeemed money on its way to those who share in it.
pub type CreditOf<T> = fungible::Credit<AccountId, <T as crate::Config>::Currency>;

/// Tells for whom a hot key acts.
pub trait ProviderInspect {
	/// The provider whose hot key this is.
	fn provider_of_hot_key(hot_key: &AccountId) -> Option<AccountId>;
}

/// Punishes providers.
pub trait ProviderPenalty<Credit> {
	/// Whether the provider's bond answers for all that is in its pots.
	fn covers(provider: &AccountId) -> bool;

	/// Takes `amount` units of the provider's bond, or as much as there is, whatever its state.
	fn slash(provider: &AccountId, amount: Balance) -> Credit;

	/// Keeps the provider from taking work for a while.
	fn jail(provider: &AccountId);
}

/// Randomness of blocks.
pub trait AuditRandomness {
	/// A hash that the last block's author gave and nobody else could know before.
	fn random(subject: &[u8]) -> Hash;
}

/// Finds the accounts of those who are paid by what they did.
pub trait PayeeInspect {
	/// The account of `payee`; `None` if there is no such owner or contributor.
	fn account_of(payee: &Payee) -> Option<AccountId>;
}

/// A stretch of blocks whose licence money is settled together, under the same terms.
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
pub struct Epoch {
	/// Counts epochs, from 0.
	pub index: EpochIndex,
	/// Its first block.
	pub start: BlockNumber,
	/// Its length in blocks.
	pub length: BlockNumber,
	/// The version of the terms in force.
	pub terms: TermsVersion,
}

/// The licence money that a provider's customers paid in one epoch, in units.
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
pub struct Pot {
	/// What was redeemed.
	pub licence: Balance,
	/// What is left of it after the protocol's cut, to be paid out.
	pub net: Balance,
	/// The version of the terms by which it is shared out.
	pub terms: TermsVersion,
}

/// What an audited reporter has to do.
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
pub struct Audit {
	/// What the leaves to be opened are drawn with.
	pub seed: Hash,
	/// The last block for the answer.
	pub due: BlockNumber,
	/// Whether an earlier last block passed without one.
	pub missed: bool,
}

/// An account of one provider's epoch: which receipts earned the pot, and who is owed how much of it.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Report {
	/// Over receipt leaves; sums to the pot's licence money.
	pub receipts: Commitment,
	/// Over part leaves; sums to the pot after the cut.
	pub parts: Commitment,
	/// Over payout leaves; sums to the pot after the cut.
	pub payouts: Commitment,
	/// The version of the terms by which it was made.
	pub terms: TermsVersion,
	/// Who made it: the provider, another in its place, or the treasury for a pot that nobody reported.
	pub reporter: AccountId,
	/// What its reporter has on hold for it, in units; nothing if a bond answers for it.
	pub deposit: Balance,
	/// The block in which it was made.
	pub reported_at: BlockNumber,
	/// The first block in which it may be settled.
	pub open_at: BlockNumber,
	/// The audit that it has yet to pass, if it was drawn for one.
	pub audit: Option<Audit>,
	/// How many payout leaves are settled.
	pub settled: u32,
	/// What they amounted to, in units.
	pub paid: Balance,
}

/// What became of the reports of a pot that has none now.
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
pub struct Removed {
	/// How many were proven wrong.
	pub times: u32,
	/// The epoch in which the last of them was.
	pub since: EpochIndex,
}

/// An audit that somebody demanded.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Demand {
	/// Who demanded it.
	pub by: AccountId,
	/// What it has on hold for it, in units; nothing once the audit is passed.
	pub deposit: Balance,
	/// The block in which the leaves are drawn.
	pub drawn_at: BlockNumber,
	/// Whether an audit was passed since it was demanded.
	pub answered: bool,
}

/// Where all money went that was ever redeemed, in units.
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
pub struct Flows {
	/// Redeemed: the sum of the next four.
	pub redeemed: Balance,
	/// Destroyed.
	pub burnt: Balance,
	/// The treasury's.
	pub treasury: Balance,
	/// The providers'.
	pub providers: Balance,
	/// Put into pots.
	pub licence: Balance,
	/// Of `licence`, what was settled.
	pub settled: Balance,
	/// Credited to accounts: `settled`, and what an account could not take at once because it would
	/// have stayed below the least balance.
	pub credited: Balance,
	/// Of `credited`, what was claimed.
	pub claimed: Balance,
}
