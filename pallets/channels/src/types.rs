//! What a channel is made of, and how much a voucher adds to a lane.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame::prelude::fungible;
use openledger_primitives::{
	fees, AccountId, Balance, BlockNumber, Generation, Hash, RedeemedLane, Voucher,
};
use scale_info::TypeInfo;

/// Money on its way from an escrow to whoever shares in it.
pub type CreditOf<T> = fungible::Credit<AccountId, <T as crate::Config>::Currency>;

/// Tells who may be paid through a channel, and who acts for them.
pub trait ProviderInspect {
	/// Whether `provider` is registered and takes work: it is neither jailed nor leaving.
	fn is_active(provider: &AccountId) -> bool;

	/// The provider whose hot key this is.
	fn provider_of_hot_key(hot_key: &AccountId) -> Option<AccountId>;
}

/// Takes the money that leaves a channel.
pub trait Revenue<Credit> {
	/// Takes the `compute` and `licence` money that `provider` earned by a batch of vouchers. `lanes`
	/// says what each of them drew, in their order, and how it left its lane; what they drew of licence
	/// money sums to `licence`.
	///
	/// Cannot fail: the implementation has to place, or burn and account for, every unit.
	fn collect(provider: &AccountId, lanes: &[RedeemedLane], compute: Credit, licence: Credit);

	/// The licence money, in units, that `provider` may still collect before what it has to account
	/// for outgrows its bond. What a batch draws counts in full, the protocol's cut included.
	fn room(provider: &AccountId) -> Balance;
}

/// A payer's prepaid balance with one provider.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Channel {
	/// Whose money it is, and whose signature spends it.
	pub payer: AccountId,
	/// Who is paid from it.
	pub provider: AccountId,
	/// How often the escrow was withdrawn; vouchers of an earlier generation are void.
	pub generation: Generation,
	/// What is left to spend, in units.
	pub escrow: Balance,
	/// All that was ever paid in, in units.
	pub deposited: Balance,
	/// All that was ever paid out to the provider's side, in units.
	pub redeemed: Balance,
	/// All that the payer ever took back, in units.
	pub withdrawn: Balance,
	/// The first block in which the payer may withdraw, once it has started a thaw.
	pub thaw: Option<BlockNumber>,
	/// A second key that may sign vouchers.
	pub delegate: Option<Delegate>,
	/// The delegate before it, whose vouchers are good for a while yet.
	pub former: Option<Former>,
}

/// A hot key that may sign vouchers up to a limit.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Delegate {
	/// The key's account.
	pub signer: AccountId,
	/// The most its vouchers may draw, in units.
	pub limit: Balance,
	/// What its vouchers have drawn, in units.
	pub spent: Balance,
}

impl Delegate {
	/// What its vouchers may still draw, in units.
	pub fn left(&self) -> Balance {
		self.limit.saturating_sub(self.spent)
	}
}

/// A delegate that was revoked. A provider served its vouchers in good faith, so they stay good until
/// the last of them must have expired.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Former {
	/// The revoked delegate.
	pub delegate: Delegate,
	/// The last block in which its vouchers are good.
	pub until: BlockNumber,
}

/// What was redeemed on one lane of one channel.
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
pub struct LaneState {
	/// The channel's generation this counts for; in any later one the lane is back at zero.
	pub generation: Generation,
	/// Redeemed so far, in units: compute and licence together.
	pub amount: Balance,
	/// The licence part of `amount`, in units.
	pub licence: Balance,
	/// Tokens acknowledged by the newest voucher.
	pub tokens: u64,
	/// Accumulator over the receipts that the newest voucher acknowledged.
	pub receipts: Hash,
}

impl LaneState {
	/// A lane of `generation` on which nothing was redeemed.
	pub fn new(generation: Generation) -> Self {
		Self {
			generation,
			..Self::default()
		}
	}

	/// What `voucher` owes beyond what was redeemed: more in all, and no part of it less.
	pub fn due(&self, voucher: &Voucher) -> Result<Payment, SkipReason> {
		let amount = voucher
			.amount
			.checked_sub(self.amount)
			.filter(|amount| *amount > 0)
			.ok_or(SkipReason::Stale)?;
		// With the licence claimed no greater than the amount, `amount - licence` cannot fail, and
		// the compute part falls behind exactly when the licence part outgrows the amount.
		let licence = voucher
			.licence
			.checked_sub(self.licence)
			.ok_or(SkipReason::NotMonotone)?;
		let compute = amount.checked_sub(licence).ok_or(SkipReason::NotMonotone)?;
		if voucher.compute().is_none() || voucher.tokens < self.tokens {
			return Err(SkipReason::NotMonotone);
		}
		Ok(Payment { compute, licence })
	}

	/// The lane after `voucher` was paid to the extent of `payment`; `None` on overflow.
	pub fn after(&self, voucher: &Voucher, payment: &Payment) -> Option<Self> {
		Some(Self {
			generation: self.generation,
			amount: self.amount.checked_add(payment.total()?)?,
			licence: self.licence.checked_add(payment.licence)?,
			tokens: voucher.tokens,
			receipts: voucher.receipts,
		})
	}
}

/// What one voucher is paid, in units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payment {
	/// The compute part.
	pub compute: Balance,
	/// The licence part.
	pub licence: Balance,
}

impl Payment {
	/// Both parts together; `None` on overflow.
	pub fn total(&self) -> Option<Balance> {
		self.compute.checked_add(self.licence)
	}

	/// This payment cut down to `available` units. The licence part is rounded down, so what is left
	/// unpaid of either part is never negative and a later payment makes good the exact rest.
	pub fn capped(self, available: Balance) -> Option<Self> {
		let total = self.total()?;
		if total <= available {
			return Some(self);
		}
		let licence = fees::scale(available, self.licence, total)?;
		Some(Self {
			compute: available.checked_sub(licence)?,
			licence,
		})
	}
}

/// Why a voucher in a batch was not paid.
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
pub enum SkipReason {
	/// It was signed for another chain.
	#[codec(index = 0)]
	WrongChain,
	/// There is no such channel, or it was closed.
	#[codec(index = 1)]
	UnknownChannel,
	/// The escrow it was good for was withdrawn.
	#[codec(index = 2)]
	WrongGeneration,
	/// The lane number is not below the number of lanes a channel has.
	#[codec(index = 3)]
	LaneOutOfRange,
	/// The last block in which it could be redeemed has passed.
	#[codec(index = 4)]
	Expired,
	/// It is good for longer than vouchers may be; redeem it nearer to its last block.
	#[codec(index = 5)]
	LifetimeTooLong,
	/// Neither the payer nor a delegate of its signed it.
	#[codec(index = 6)]
	BadSignature,
	/// No more is owed than was redeemed already.
	#[codec(index = 7)]
	Stale,
	/// It claims less licence money, less compute money or fewer tokens than were redeemed already,
	/// or more licence money than money.
	#[codec(index = 8)]
	NotMonotone,
	/// Nothing is left in escrow; redeem it after a top-up.
	#[codec(index = 9)]
	EscrowEmpty,
	/// The delegate who signed it has spent its limit.
	#[codec(index = 10)]
	DelegateLimit,
	/// The sender is neither the channel's provider nor its hot key.
	#[codec(index = 11)]
	NotProvider,
	/// With its licence money, the provider would have more to account for than its bond covers.
	/// Redeem it when former epochs are settled, or bond more.
	#[codec(index = 12)]
	BondTooSmall,
}
