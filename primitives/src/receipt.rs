//! Receipts: what one answer was and what it cost. Kept off chain; reports commit to them.

use crate::{
	hash::structured_hash, AdapterId, AlgorithmId, Balance, BaseModelId, ChannelId, Generation,
	Hash, Lane, QuoteId,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Tag of a receipt's structured hash.
pub const TAG: &[u8] = b"openledger/receipt/1";

/// What one answer was, what it cost, and what its attribution was.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Receipt {
	/// Genesis hash of the chain it is paid on.
	pub genesis: Hash,
	/// The channel it is paid from.
	pub channel: ChannelId,
	/// The channel's generation.
	pub generation: Generation,
	/// The lane.
	pub lane: Lane,
	/// Position among the lane's receipts of this generation, from 0.
	pub sequence: u32,
	/// The base model that answered.
	pub base: BaseModelId,
	/// The adapter, if any.
	pub adapter: Option<AdapterId>,
	/// Tokens read.
	pub tokens_in: u32,
	/// Tokens written.
	pub tokens_out: u32,
	/// The provider's quote it was priced by.
	pub quote: QuoteId,
	/// Compute part of the price, in units.
	#[cfg_attr(feature = "std", serde(with = "crate::amount_as_string"))]
	pub compute: Balance,
	/// Licence part of the price, in units.
	#[cfg_attr(feature = "std", serde(with = "crate::amount_as_string"))]
	pub licence: Balance,
	/// Content hash of the prompt as the model read it: its token ids, little-endian `u32` each.
	pub request: Hash,
	/// Content hash of the answer's UTF-8 bytes.
	pub response: Hash,
	/// The algorithm that attributed it.
	pub algorithm: AlgorithmId,
	/// Content hash of the attribution index; zero without an adapter.
	pub index: Hash,
	/// [Digest](crate::Attribution::digest) of the attribution.
	pub attribution: Hash,
}

impl Receipt {
	/// The receipt's identity: what vouchers acknowledge and reports commit to.
	pub fn digest(&self) -> Hash {
		structured_hash(TAG, self)
	}

	/// Compute and licence together; `None` on overflow.
	pub fn amount(&self) -> Option<Balance> {
		self.compute.checked_add(self.licence)
	}
}
