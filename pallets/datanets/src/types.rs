//! What the pallet stores.

use crate::*;

/// A name, an SPDX licence or a media type: printable UTF-8.
pub type NameOf<T> = BoundedVec<u8, <T as Config>::MaxNameLen>;
/// Where content is found: printable UTF-8.
pub type UriOf<T> = BoundedVec<u8, <T as Config>::MaxUriLen>;

/// Who decides what a Datanet accepts.
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
pub enum Curation {
	/// Nobody: every contribution is accepted at once.
	#[codec(index = 0)]
	Open,
	/// The owner, one contribution at a time.
	#[codec(index = 1)]
	Owner,
}

/// A pool of records under one licence. The records themselves stay off chain.
#[derive(
	CloneNoBound,
	DebugNoBound,
	PartialEqNoBound,
	EqNoBound,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
#[scale_info(skip_type_params(T))]
#[codec(mel_bound())]
pub struct Datanet<T: Config> {
	/// Who created it and, where it is curated by its owner, who accepts and snapshots.
	pub owner: AccountId,
	/// What it is called; not unique.
	pub name: NameOf<T>,
	/// SPDX identifier of the licence that every contribution is given under.
	pub licence: NameOf<T>,
	/// Media type of its records, such as `text/plain`.
	pub media_type: NameOf<T>,
	/// Who decides what is accepted.
	pub curation: Curation,
	/// The id the next contribution gets; ids are never reused.
	pub contributions: ContributionId,
	/// How many contributions are kept: pending, accepted, or withdrawn but part of a snapshot.
	pub kept: u32,
	/// How many contributions are accepted and not withdrawn.
	pub accepted: u32,
	/// The newest snapshot; 0 if there is none.
	pub snapshots: SnapshotVersion,
}

/// Where a contribution stands.
///
/// What is rejected, or withdrawn before a snapshot contains it, leaves no state at all.
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
pub enum ContributionState {
	/// Waits for the owner to accept or reject it.
	#[codec(index = 0)]
	Pending,
	/// Will be part of every snapshot from `since` on.
	#[codec(index = 1)]
	Accepted {
		/// The first snapshot that contains it, or will.
		since: SnapshotVersion,
	},
	/// Was taken back after snapshots had been made of it; those keep it.
	#[codec(index = 3)]
	Withdrawn {
		/// The first snapshot that contains it.
		since: SnapshotVersion,
		/// The first snapshot that does not contain it any more.
		until: SnapshotVersion,
	},
}

impl ContributionState {
	/// Whether the snapshot `version`, if there is one, contains the contribution.
	pub fn is_in(&self, version: SnapshotVersion) -> bool {
		match self {
			Self::Pending => false,
			Self::Accepted { since } => *since <= version,
			Self::Withdrawn { since, until } => *since <= version && version < *until,
		}
	}
}

/// Records that one contributor gave to a Datanet, known on chain by their root.
#[derive(
	CloneNoBound,
	DebugNoBound,
	PartialEqNoBound,
	EqNoBound,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
#[scale_info(skip_type_params(T))]
#[codec(mel_bound())]
pub struct Contribution<T: Config> {
	/// Who contributed, pays the deposit, and may withdraw.
	pub contributor: AccountId,
	/// The account that earns.
	pub payout: AccountId,
	/// Merkle-sum tree over the records, in order; the sum counts bytes.
	/// Leaves: [`RecordLeaf`](openledger_primitives::RecordLeaf).
	pub records: Commitment,
	/// Where the records are found.
	pub uri: UriOf<T>,
	/// Where it stands.
	pub state: ContributionState,
}

/// What a Datanet contained at one moment. Never changes.
#[derive(
	CloneNoBound,
	DebugNoBound,
	PartialEqNoBound,
	EqNoBound,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
#[scale_info(skip_type_params(T))]
#[codec(mel_bound())]
pub struct Snapshot<T: Config> {
	/// Merkle-sum tree over the accepted contributions, by ascending id; the sum counts bytes.
	/// Leaves: [`ContributionLeaf`](openledger_primitives::ContributionLeaf).
	pub contributions: Commitment,
	/// The licence its content is under.
	pub licence: NameOf<T>,
	/// The block it was made in.
	pub block: BlockNumber,
}
