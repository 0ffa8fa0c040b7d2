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
	/// The reviewers on its panel, by commit–reveal votes that weigh as much as their stake.
	#[codec(index = 2)]
	Reviewers,
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
	/// How many contributions are kept that were accepted once: accepted, or withdrawn or excluded but part
	/// of a snapshot.
	pub kept: u32,
	/// How many contributions are accepted and not withdrawn.
	pub accepted: u32,
	/// The newest snapshot; 0 if there is none.
	pub snapshots: SnapshotVersion,
}

/// Where a contribution stands.
///
/// What is rejected for good, or withdrawn or excluded before a snapshot contains it, leaves no state at
/// all.
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
	/// Waits for the owner or the reviewers to accept or reject it.
	#[codec(index = 0)]
	Pending,
	/// Will be part of every snapshot from `since` on.
	#[codec(index = 1)]
	Accepted {
		/// The first snapshot that contains it, or will.
		since: SnapshotVersion,
	},
	/// Was rejected by the reviewers; its contributor may appeal.
	#[codec(index = 2)]
	Rejected {
		/// The first block in which it is too late for that.
		until: BlockNumber,
	},
	/// Was taken back after snapshots had been made of it; those keep it.
	#[codec(index = 3)]
	Withdrawn {
		/// The first snapshot that contains it.
		since: SnapshotVersion,
		/// The first snapshot that does not contain it any more.
		until: SnapshotVersion,
	},
	/// Was proven to repeat a record of an earlier contribution after snapshots had been made of it;
	/// those keep it.
	#[codec(index = 4)]
	Duplicate {
		/// The first snapshot that contains it.
		since: SnapshotVersion,
		/// The first snapshot that does not contain it any more.
		until: SnapshotVersion,
		/// The contribution that had the record first.
		original: ContributionId,
	},
}

impl ContributionState {
	/// Whether the contribution was never accepted, so far.
	pub fn is_undecided(&self) -> bool {
		matches!(self, Self::Pending | Self::Rejected { .. })
	}

	/// Whether the snapshot `version`, if there is one, contains the contribution.
	pub fn is_in(&self, version: SnapshotVersion) -> bool {
		match self {
			Self::Pending | Self::Rejected { .. } => false,
			Self::Accepted { since } => *since <= version,
			Self::Withdrawn { since, until } | Self::Duplicate { since, until, .. } => {
				*since <= version && version < *until
			}
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

/// Money that was slashed, on its way to whoever gets it.
pub type CreditOf<T> = fungible::Credit<AccountId, <T as Config>::Currency>;

/// What a contribution has at stake beside its storage deposit. Held of its contributor.
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
pub struct Bond {
	/// Forfeited if the contribution is proven to be a duplicate; in units.
	pub amount: Balance,
	/// What the reviewers of the present or the next review get, in units; zero where there is none.
	pub fee: Balance,
	/// The block from which `amount` may be taken back; counted from acceptance, so `None` before.
	pub free_at: Option<BlockNumber>,
	/// The block the contribution was made in; 0 where it is older than this record.
	pub registered: BlockNumber,
}

/// Who has stake in a Datanet's panel.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Reviewer {
	/// The account.
	pub account: AccountId,
	/// What it has at stake, in units.
	pub stake: Balance,
	/// The block since which it has had all of that at stake.
	pub since: BlockNumber,
	/// In how many open reviews it has a seat. Its stake stays while there are any.
	pub seats: u32,
	/// Whether it leaves as soon as those are concluded.
	pub leaving: bool,
	/// The block in which it last lost something for not voting; 0 if it never did.
	pub absent: BlockNumber,
}

/// The reviewers of a Datanet.
pub type PanelOf<T> = BoundedVec<Reviewer, <T as Config>::MaxPanel>;

/// What a reviewer says of a contribution.
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
pub enum Vote {
	/// It does not belong into the Datanet.
	#[codec(index = 0)]
	Reject,
	/// It does.
	#[codec(index = 1)]
	Accept,
}

/// How far a reviewer's vote has come.
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
pub enum Ballot {
	/// Nothing yet.
	#[codec(index = 0)]
	Empty,
	/// Committed to, under this [commitment](vote_commitment).
	#[codec(index = 1)]
	Sealed(Hash),
	/// Revealed.
	#[codec(index = 2)]
	Open(Vote),
}

/// Somebody's part in a review.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Seat {
	/// The reviewer.
	pub reviewer: AccountId,
	/// What it had at stake when the review was opened, in units; what its vote weighs.
	pub weight: Balance,
	/// Its vote.
	pub ballot: Ballot,
}

/// The seats of a review.
pub type SeatsOf<T> = BoundedVec<Seat, <T as Config>::MaxPanel>;

/// Where a review stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
	/// Votes are committed to.
	Commit,
	/// Votes are revealed.
	Reveal,
	/// Nothing is left but to conclude it.
	Over,
}

/// A review of a contribution in progress.
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
pub struct Review<T: Config> {
	/// Whether it decides on an appeal.
	pub appeal: bool,
	/// What the contributor has put at stake with the appeal, in units.
	pub deposit: Balance,
	/// The first block in which it is too late to commit.
	pub commit_until: BlockNumber,
	/// The first block in which it is too late to reveal.
	pub reveal_until: BlockNumber,
	/// Who may vote.
	pub seats: SeatsOf<T>,
}

impl<T: Config> Review<T> {
	/// Where it stands at block `now`. A phase ends early when nobody is left to act in it.
	pub fn phase(&self, now: BlockNumber) -> Phase {
		let any = |test: fn(&Ballot) -> bool| self.seats.iter().any(|seat| test(&seat.ballot));
		if now < self.commit_until && any(|ballot| *ballot == Ballot::Empty) {
			Phase::Commit
		} else if now < self.reveal_until && any(|ballot| matches!(ballot, Ballot::Sealed(_))) {
			Phase::Reveal
		} else {
			Phase::Over
		}
	}

	/// The stake of the seats for which `test` holds, in units.
	pub(crate) fn weight(&self, test: impl Fn(&Ballot) -> bool) -> Result<Balance, DispatchError> {
		self.seats
			.iter()
			.filter(|seat| test(&seat.ballot))
			.try_fold(Balance::default(), |sum, seat| sum.checked_add(seat.weight))
			.ok_or(ArithmeticError::Overflow.into())
	}
}

/// What a review came to.
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
pub enum Outcome {
	/// More stake was for the contribution than against it.
	#[codec(index = 0)]
	Accepted,
	/// It was not.
	#[codec(index = 1)]
	Rejected,
	/// Too little stake voted.
	#[codec(index = 2)]
	Undecided,
}

/// Proof that a contribution contains a record.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct RecordProof {
	/// The contribution.
	pub contribution: ContributionId,
	/// The record's position in it.
	pub index: u32,
	/// The record.
	pub leaf: RecordLeaf,
	/// The record's proof in the contribution's tree, as
	/// [`Tree::proof`](openledger_primitives::merkle::Tree::proof) makes it.
	pub proof: BoundedVec<Node, ConstU32<MAX_PROOF>>,
}

impl RecordProof {
	/// How many nodes the proof has.
	pub(crate) fn nodes(&self) -> u32 {
		u32::try_from(self.proof.len()).unwrap_or(u32::MAX)
	}
}

/// What comes before a vote where it is hashed.
pub const VOTE_TAG: &[u8] = b"openledger/review-vote/1";

/// The commitment of `reviewer` to `vote`: `sha256(VOTE_TAG ‖ SCALE(datanet, contribution, reviewer,
/// vote, salt))`. It names the reviewer, so nobody else can use it.
///
/// `salt` must be random and new for each vote, or others can try out what the vote is.
pub fn vote_commitment(
	datanet: DatanetId,
	contribution: ContributionId,
	reviewer: &AccountId,
	vote: Vote,
	salt: &Hash,
) -> Hash {
	structured_hash(VOTE_TAG, &(datanet, contribution, reviewer, vote, salt))
}
