//! What an attribution says, in a form that a chain can check.
//!
//! The scores are computed by `worker/attribution`; here stand only the bytes that receipts commit to.

use crate::{
	hash::structured_hash,
	merkle::{self, Commitment, Node},
	ContributionId, DatanetId, Hash,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Identifies an attribution algorithm and its version in the on-chain registry.
pub type AlgorithmId = u16;

/// The algorithms known at genesis.
pub mod algorithm {
	use super::AlgorithmId;

	/// `equal/1`: equal per accepted, de-duplicated token of the snapshot.
	pub const EQUAL_1: AlgorithmId = 0;
	/// `span-sa/1`: rare maximal verbatim spans of the answer found in the snapshot.
	pub const SPAN_SA_1: AlgorithmId = 1;
}

/// Tag of an attribution's structured hash.
pub const TAG: &[u8] = b"openledger/attribution/1";

/// A record's leaf in its contribution's Merkle-sum tree; its amount is its length in bytes.
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
pub struct RecordLeaf {
	/// Content hash of the record.
	pub record: Hash,
	/// Length of the record in bytes.
	pub bytes: u32,
}

/// The attribution of one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Attribution {
	/// The algorithm that computed it.
	pub algorithm: AlgorithmId,
	/// What each contribution earns, as integer weights, ordered by Datanet and contribution.
	pub scores: Vec<Score>,
	/// The evidence, ordered by position in the answer; empty where the algorithm has none.
	pub spans: Vec<Span>,
}

impl Attribution {
	/// What a receipt commits to.
	pub fn digest(&self) -> Hash {
		structured_hash(TAG, self)
	}
}

/// A contribution's weight in one answer's data share.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Encode,
	Decode,
	DecodeWithMemTracking,
	TypeInfo,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Score {
	/// The Datanet.
	pub datanet: DatanetId,
	/// The contribution within it.
	pub contribution: ContributionId,
	/// Relative weight; only ratios matter.
	pub weight: u64,
}

/// A stretch of the answer that stands word for word in a record.
///
/// `record[record_offset ..][.. length] == answer[answer_offset ..][.. length]`, in UTF-8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Span {
	/// The Datanet.
	pub datanet: DatanetId,
	/// The contribution within it.
	pub contribution: ContributionId,
	/// Content hash of the record.
	pub record: Hash,
	/// Index of the record in its contribution.
	pub record_index: u32,
	/// Where the span begins in the record, in bytes.
	pub record_offset: u32,
	/// Where the span begins in the answer, in bytes.
	pub answer_offset: u32,
	/// Length in bytes.
	pub length: u32,
	/// What the span weighs in the answer's data share.
	pub weight: u64,
}

/// A contribution's leaf in its snapshot's Merkle-sum tree; its amount is the contribution's bytes.
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
pub struct ContributionLeaf {
	/// The contribution.
	pub contribution: ContributionId,
	/// Its records.
	pub records: Commitment,
}

impl RecordLeaf {
	/// This leaf's node in its contribution's tree.
	pub fn node(&self) -> Node {
		merkle::leaf(self, self.bytes.into())
	}
}

impl ContributionLeaf {
	/// This leaf's node in its snapshot's tree.
	pub fn node(&self) -> Node {
		merkle::leaf(self, self.records.sum)
	}
}
