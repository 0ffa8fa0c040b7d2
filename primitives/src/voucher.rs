//! Vouchers: how a payer pays while tokens stream.
//!
//! A voucher says "for this lane of this channel I owe this much in all". Each one replaces the one
//! before it, so a provider keeps only the newest and redeems it whenever it likes.

use crate::{
	hash::structured_hash, AccountId, Balance, BlockNumber, ChannelId, Generation, Hash, Lane,
	QuoteId,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_runtime::{traits::Verify, MultiSignature};

/// Tag of the structured hash that is signed.
pub const TAG: &[u8] = b"openledger/voucher/1";
/// Tag of the receipts accumulator.
pub const RECEIPTS_TAG: &[u8] = b"openledger/receipts/1";

/// What a payer owes on one lane, in all, since the lane's generation began.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Voucher {
	/// Genesis hash of the chain it is good on.
	pub genesis: Hash,
	/// The channel it draws on.
	pub channel: ChannelId,
	/// The channel's generation it is good for.
	pub generation: Generation,
	/// The lane it counts for.
	pub lane: Lane,
	/// Total owed, in units: compute and licence together.
	#[cfg_attr(feature = "std", serde(with = "crate::amount_as_string"))]
	pub amount: Balance,
	/// The licence part of `amount`, in units.
	#[cfg_attr(feature = "std", serde(with = "crate::amount_as_string"))]
	pub licence: Balance,
	/// Total tokens, in and out, that `amount` pays for.
	pub tokens: u64,
	/// Accumulator over the receipts acknowledged so far; zero before the first.
	pub receipts: Hash,
	/// The provider's quote in force.
	pub quote: QuoteId,
	/// The last block in which it may be redeemed.
	pub valid_until: BlockNumber,
}

impl Voucher {
	/// The 32 bytes that are signed.
	pub fn digest(&self) -> Hash {
		structured_hash(TAG, self)
	}

	/// The compute part of `amount`; `None` if the voucher claims more licence than amount.
	pub fn compute(&self) -> Option<Balance> {
		self.amount.checked_sub(self.licence)
	}
}

/// The receipts accumulator after acknowledging `receipt`: `sha256(tag ‖ accumulator ‖ receipt)`.
pub fn acknowledge(accumulator: Hash, receipt: Hash) -> Hash {
	structured_hash(RECEIPTS_TAG, &(accumulator, receipt))
}

/// A lane after a redemption: where licence money came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RedeemedLane {
	/// The channel.
	pub channel: ChannelId,
	/// The channel's generation.
	pub generation: Generation,
	/// The lane.
	pub lane: Lane,
	/// Licence money that this redemption drew, in units.
	pub drawn: Balance,
	/// Licence money redeemed on the lane in this generation, this redemption included, in units.
	pub licence: Balance,
	/// Accumulator over the receipts acknowledged by the voucher.
	pub receipts: Hash,
}

/// A voucher with its signature.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct SignedVoucher {
	/// What is owed.
	pub voucher: Voucher,
	/// The payer's signature, or its delegate's, over the voucher's [digest](Voucher::digest).
	pub signature: MultiSignature,
}

impl SignedVoucher {
	/// Whether `signer` signed this voucher, either the digest itself or the digest wrapped in
	/// `<Bytes>…</Bytes>`, which is what browser wallets sign.
	pub fn is_signed_by(&self, signer: &AccountId) -> bool {
		self.signer([(signer, ())].into_iter()).0.is_some()
	}

	/// Whose of `keys` the signature is, and how many times it was checked to find out. Most programs
	/// sign the digest itself, so that is tried with every key before the wrapped one is with any: the
	/// usual voucher, signed by the first key, takes one check.
	pub fn signer<'a, Name>(
		&self,
		keys: impl Iterator<Item = (&'a AccountId, Name)> + Clone,
	) -> (Option<Name>, u32) {
		let digest = self.voucher.digest();
		let mut checks = 0u32;
		for message in [digest.as_bytes(), wrap(digest).as_slice()] {
			for (key, name) in keys.clone() {
				checks = checks.saturating_add(1);
				if self.signature.verify(message, key) {
					return (Some(name), checks);
				}
			}
		}
		(None, checks)
	}
}

/// `digest` as wallets wrap it before signing.
pub fn wrap(digest: Hash) -> Vec<u8> {
	[b"<Bytes>".as_slice(), digest.as_bytes(), b"</Bytes>"].concat()
}
