//! Datanets: communities pool records here, and models say which of them they were trained on.
//!
//! # Terms
//!
//! - **Datanet**: a pool of records of one media type under one licence.
//! - **Record**: a piece of content, such as a text. Stays off chain.
//! - **Contribution**: records that one contributor gives at once; on chain stands the root of a
//!   [Merkle-sum tree](openledger_primitives::merkle) over them, with their count and bytes.
//! - **Curation**: who decides whether a contribution is accepted.
//! - **Panel**: the reviewers of a Datanet, each with money at stake.
//! - **Review**: a vote of the panel on one contribution, first committed to, then revealed.
//! - **Bond**: what a contribution has at stake against being a duplicate.
//! - **Snapshot**: the accepted contributions at one moment, frozen under a version number. Models are
//!   trained on snapshots, and money earned by a model goes to the contributors of its snapshots.
//!
//! # A user's story
//!
//! Alice [creates](Pallet::create) a Datanet of birdsong field notes under `CC-BY-4.0`, curated by
//! herself. Bob [contributes](Pallet::contribute) 200 notes: he puts the files where the URI says, and
//! their root on chain, and names the account that shall earn. Alice reads them and
//! [accepts](Pallet::accept). She makes [snapshot](Pallet::snapshot) 1, and somebody trains an adapter
//! on it. Should Bob [withdraw](Pallet::withdraw) later, snapshot 2 is without his notes; snapshot 1,
//! and what he earns through models trained on it, stay.
//!
//! Carol's Datanet is curated by reviewers. Dave [joins](Pallet::join_panel) its panel with 100 OPEN.
//! When Bob contributes, a review opens: Dave reads the records, [commits](Pallet::commit_vote) to his
//! vote, [reveals](Pallet::reveal_vote) it when all have committed, and gets a part of Bob's fee. If
//! Bob is rejected he can [appeal](Pallet::appeal) once.
//!
//! Mallory copies one of Bob's notes from a snapshot into a contribution of her own. Anyone who sees it
//! [proves](Pallet::claim_duplicate) it, and takes a part of Mallory's bond.
//!
//! # Design
//!
//! A snapshot's root covers root, count and bytes of every contribution, so who has the content can
//! prove to the chain that a record is part of a snapshot, by two short proofs.
//!
//! A root can be in a Datanet once, so nobody can give the same records again under another name; the
//! root of what a snapshot contains stays taken even after a withdrawal. One record in two contributions
//! shows by two Merkle proofs; then the later contribution, as the chain counts them, is out. Its bond is
//! lost only if a snapshot had contained the record for a while: who races a contribution that is on
//! its way gains nothing by laying a copy before it. The chain knows neither content nor authors: it
//! cannot see a paraphrase, and who registers first counts as the first. The bytes of a record are what
//! its contributor says.
//!
//! A vote weighs as much as the stake behind it. Joining a panel is open to all, so counting heads
//! would reward whoever splits one stake over many accounts; by weight that gains nothing. A review
//! fixes its seats and their weights when it opens, and only stake that has stood for a while gets
//! a seat, so nobody can join for one vote after seeing what is up. A seat is a duty: its stake stays
//! until the review ends, and loses a little where there is no vote, since what is seated counts for the
//! quorum; or stake that is gone could block reviews. A panel is bounded because concluding a review
//! goes through all seats; in a full one, more stake displaces the least that has no seat in an open
//! review, so it cannot be squatted, and who may vote cannot be kept from it. Reviewers are paid by the
//! contributor for having voted, by the stake too, whatever they voted and however it ends, so the pay
//! favours neither side and junk costs its contributor. Who commits and does not reveal loses a small
//! part of the stake to the treasury, not to the owner or to other reviewers, so that nobody gains from
//! keeping somebody silent.
//!
//! Who puts something on chain pays a deposit by its size. It comes back when the state goes: for
//! contributions that are rejected, or withdrawn before a snapshot contains them. Nothing else of them
//! stays. The bond comes back with it, or some time after acceptance; where everything is accepted at
//! once, it grows with the bytes, so that junk in bulk binds money in bulk. The number of
//! accepted contributions a Datanet keeps is bounded, because making a snapshot reads them all; of
//! pending ones there may be as many as there are deposits and bonds for.

#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs)]
#![cfg_attr(
	not(test),
	deny(
		clippy::arithmetic_side_effects,
		clippy::indexing_slicing,
		clippy::expect_used
	)
)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod claims;
mod impls;
#[cfg(any(feature = "std", feature = "try-runtime"))]
mod invariants;
pub mod migrations;
#[cfg(test)]
mod mock;
mod reviews;
#[cfg(test)]
mod tests;
mod types;
pub mod weights;

use frame::{prelude::*, traits::Consideration, traits::Footprint};
use openledger_primitives::{
	hash::structured_hash,
	merkle::{self, Node, MAX_PROOF},
	AccountId, Balance, BlockNumber, Commitment, ContributionId, DatanetId, Hash, RecordLeaf,
	SnapshotVersion,
};

pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

// What the macro generates expects things of the runtime that hold once it compiles.
#[allow(clippy::expect_used)]
#[frame::pallet]
pub mod pallet {
	use super::*;

	/// What the runtime decides.
	#[pallet::config]
	pub trait Config:
		frame_system::Config<AccountId = AccountId, Hash = Hash, RuntimeEvent: From<Event<Self>>>
	{
		/// The money that bonds and stakes are of.
		type Currency: fungible::Inspect<AccountId, Balance = Balance>
			+ fungible::hold::Mutate<AccountId, Reason = Self::RuntimeHoldReason>
			+ fungible::hold::Balanced<AccountId>;

		/// The runtime's reasons for holding money.
		type RuntimeHoldReason: From<HoldReason>;

		/// Where forfeited money goes: the treasury.
		type Slash: OnUnbalanced<CreditOf<Self>>;

		/// Deposit for a Datanet, by its encoded size.
		type DatanetConsideration: Consideration<AccountId, Footprint>;

		/// Deposit for a contribution, by its encoded size.
		type ContributionConsideration: Consideration<AccountId, Footprint>;

		/// Most bytes of a name, a licence or a media type.
		#[pallet::constant]
		type MaxNameLen: Get<u32>;

		/// Most bytes of a URI.
		#[pallet::constant]
		type MaxUriLen: Get<u32>;

		/// Most contributions a Datanet keeps of those it accepted; bounds the work of making a snapshot.
		#[pallet::constant]
		type MaxContributions: Get<u32>;

		/// Most reviewers of a Datanet; bounds the work of concluding a review.
		#[pallet::constant]
		type MaxPanel: Get<u32>;

		/// The least that a contribution has at stake, in units.
		type ContributionBond: Get<Balance>;

		/// What a contribution to an open Datanet has at stake in addition for each KiB of records
		/// begun, in units.
		type OpenBondPerKib: Get<Balance>;

		/// Blocks from acceptance until the bond may be taken back.
		type BondPeriod: Get<BlockNumber>;

		/// Blocks that a snapshot must have contained the original before a duplicate of it is made, for
		/// the duplicate to lose its bond.
		#[pallet::constant]
		type OriginalAge: Get<BlockNumber>;

		/// The part of a duplicate's bond that goes to who proves it, in millionths.
		type DuplicateReward: Get<u32>;

		/// Least stake of a reviewer, in units. One that loses by its duties gets seats as long as it has
		/// four fifths of that.
		type MinReviewerStake: Get<Balance>;

		/// Blocks that a reviewer's stake must have stood before it gets a seat.
		type ReviewerWarmUp: Get<BlockNumber>;

		/// What a contributor pays the reviewers for a review, in units.
		type ReviewFee: Get<Balance>;

		/// Blocks in which votes are committed to; at least one.
		type CommitPeriod: Get<BlockNumber>;

		/// Blocks in which votes are revealed; at least one.
		type RevealPeriod: Get<BlockNumber>;

		/// Blocks after a rejection in which there can be an appeal.
		type AppealPeriod: Get<BlockNumber>;

		/// What an appeal puts at stake, in units.
		type AppealDeposit: Get<Balance>;

		/// The part of the seated stake that must have voted for a review to count, in millionths.
		type ReviewQuorum: Get<u32>;

		/// The same for the review of an appeal.
		type AppealQuorum: Get<u32>;

		/// The part of the stake that is lost by not revealing a vote, in millionths. A fifth of it is
		/// lost by not voting, at most once in a [`Config::CommitPeriod`].
		type SilenceSlash: Get<u32>;

		/// The clock that snapshots are dated by and reviews run by.
		type BlockNumberProvider: BlockNumberProvider<BlockNumber = BlockNumber>;

		/// Weights of the calls.
		type WeightInfo: WeightInfo;
	}

	/// Why money is held.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// Deposit for a Datanet.
		#[codec(index = 0)]
		Datanet,
		/// Deposit for a contribution.
		#[codec(index = 1)]
		Contribution,
		/// A contribution's bond and the fee for its review.
		#[codec(index = 2)]
		Bond,
		/// A reviewer's stake.
		#[codec(index = 3)]
		Stake,
		/// What an appeal puts at stake.
		#[codec(index = 4)]
		Appeal,
	}

	/// The pallet.
	#[pallet::pallet]
	#[pallet::storage_version(migrations::STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	/// The id the next Datanet gets.
	#[pallet::storage]
	pub type NextDatanet<T: Config> = StorageValue<_, DatanetId, ValueQuery>;

	/// Datanets by id. The chain counts the ids, so the cheap hasher is safe; each entry is paid for by
	/// a deposit.
	#[pallet::storage]
	pub type Datanets<T: Config> = StorageMap<_, Twox64Concat, DatanetId, Datanet<T>>;

	/// The deposit of each Datanet: one entry per entry of [`Datanets`], under the same key.
	#[pallet::storage]
	pub type DatanetDeposits<T: Config> =
		StorageMap<_, Twox64Concat, DatanetId, T::DatanetConsideration>;

	/// Contributions by Datanet and id. The chain counts both, so the cheap hasher is safe; each is paid
	/// for by a deposit, and has a bond while it is pending.
	#[pallet::storage]
	pub type Contributions<T: Config> =
		StorageDoubleMap<_, Twox64Concat, DatanetId, Twox64Concat, ContributionId, Contribution<T>>;

	/// The deposit of each contribution: one entry per entry of [`Contributions`], under the same key.
	#[pallet::storage]
	pub type ContributionDeposits<T: Config> = StorageDoubleMap<
		_,
		Twox64Concat,
		DatanetId,
		Twox64Concat,
		ContributionId,
		T::ContributionConsideration,
	>;

	/// Which contribution of a Datanet has given a root. Contributors choose the root's bytes, so the
	/// hasher must be a strong one; one entry per entry of [`Contributions`].
	#[pallet::storage]
	pub type ContributionByRoot<T: Config> =
		StorageDoubleMap<_, Twox64Concat, DatanetId, Blake2_128Concat, Hash, ContributionId>;

	/// Which contributions of a Datanet were accepted and are kept: those that snapshots are made of. Under
	/// their keys, at most [`Config::MaxContributions`] for each Datanet. Pending ones are not among them,
	/// or whoever locks enough money could leave no place to others.
	#[pallet::storage]
	pub type Admitted<T: Config> =
		StorageDoubleMap<_, Twox64Concat, DatanetId, Twox64Concat, ContributionId, ()>;

	/// Snapshots by Datanet and version. The chain counts both, so the cheap hasher is safe; each costs
	/// its maker a reading of all contributions, and only a change allows another.
	#[pallet::storage]
	pub type Snapshots<T: Config> =
		StorageDoubleMap<_, Twox64Concat, DatanetId, Twox64Concat, SnapshotVersion, Snapshot<T>>;

	/// What contributions have at stake, under their keys. None where there is nothing left of it, or
	/// where the contribution is older than bonds.
	#[pallet::storage]
	pub type Bonds<T: Config> =
		StorageDoubleMap<_, Twox64Concat, DatanetId, Twox64Concat, ContributionId, Bond>;

	/// The reviewers of each Datanet that has any, in no order. The key is counted, so the cheap hasher
	/// is safe; each of at most [`Config::MaxPanel`] reviewers has a stake.
	#[pallet::storage]
	pub type Panels<T: Config> = StorageMap<_, Twox64Concat, DatanetId, PanelOf<T>, ValueQuery>;

	/// The reviews in progress, at most one for each pending or rejected contribution, under its key;
	/// paid for by the contribution's deposit.
	#[pallet::storage]
	pub type Reviews<T: Config> =
		StorageDoubleMap<_, Twox64Concat, DatanetId, Twox64Concat, ContributionId, Review<T>>;

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(pub(crate) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A Datanet was created.
		#[codec(index = 0)]
		Created {
			/// Its id.
			datanet: DatanetId,
			/// Its owner.
			owner: AccountId,
			/// Its name.
			name: NameOf<T>,
			/// SPDX identifier of its licence.
			licence: NameOf<T>,
			/// Media type of its records.
			media_type: NameOf<T>,
			/// Who decides what it accepts.
			curation: Curation,
		},
		/// Records were contributed.
		#[codec(index = 1)]
		Contributed {
			/// The Datanet.
			datanet: DatanetId,
			/// The contribution's id in it.
			contribution: ContributionId,
			/// Who contributed.
			contributor: AccountId,
			/// Who earns.
			payout: AccountId,
			/// The records.
			records: Commitment,
			/// Where they are found.
			uri: UriOf<T>,
		},
		/// A contribution was accepted.
		#[codec(index = 2)]
		Accepted {
			/// The Datanet.
			datanet: DatanetId,
			/// The contribution.
			contribution: ContributionId,
			/// Who contributed.
			contributor: AccountId,
		},
		/// A contribution was rejected and removed.
		#[codec(index = 3)]
		Rejected {
			/// The Datanet.
			datanet: DatanetId,
			/// The contribution.
			contribution: ContributionId,
			/// Who contributed.
			contributor: AccountId,
		},
		/// A snapshot was made.
		#[codec(index = 4)]
		Snapshotted {
			/// The Datanet.
			datanet: DatanetId,
			/// The snapshot's version.
			version: SnapshotVersion,
			/// The accepted contributions.
			contributions: Commitment,
			/// SPDX identifier of the licence.
			licence: NameOf<T>,
		},
		/// A contribution was withdrawn; snapshots from here on are without it.
		#[codec(index = 5)]
		Withdrawn {
			/// The Datanet.
			datanet: DatanetId,
			/// The contribution.
			contribution: ContributionId,
			/// Who contributed.
			contributor: AccountId,
		},
		/// The account that earns for a contribution changed.
		#[codec(index = 6)]
		PayoutAccountSet {
			/// The Datanet.
			datanet: DatanetId,
			/// The contribution.
			contribution: ContributionId,
			/// Who contributed.
			contributor: AccountId,
			/// Who earns from here on, for every snapshot.
			payout: AccountId,
		},
		/// A contribution's bond was returned.
		#[codec(index = 7)]
		BondReleased {
			/// The Datanet.
			datanet: DatanetId,
			/// The contribution.
			contribution: ContributionId,
			/// Who contributed.
			contributor: AccountId,
			/// How much, in units.
			amount: Balance,
		},
		/// A contribution was proven to repeat a record of an earlier one; snapshots from here on are
		/// without it.
		#[codec(index = 8)]
		DuplicateProven {
			/// The Datanet.
			datanet: DatanetId,
			/// The contribution.
			contribution: ContributionId,
			/// Who contributed it.
			contributor: AccountId,
			/// The contribution that had the record first.
			original: ContributionId,
			/// The record's content hash.
			record: Hash,
			/// Who proved it.
			claimer: AccountId,
			/// What the claimer got of the bond, in units.
			reward: Balance,
			/// What went to the treasury, in units.
			forfeited: Balance,
		},
		/// Somebody joined a panel, or put more at stake.
		#[codec(index = 9)]
		PanelJoined {
			/// The Datanet.
			datanet: DatanetId,
			/// The reviewer.
			reviewer: AccountId,
			/// All it has at stake there now, in units.
			stake: Balance,
		},
		/// A reviewer will leave once the reviews it has a seat in are concluded.
		#[codec(index = 10)]
		PanelLeaving {
			/// The Datanet.
			datanet: DatanetId,
			/// The reviewer.
			reviewer: AccountId,
		},
		/// A reviewer left and has its stake back.
		#[codec(index = 11)]
		PanelLeft {
			/// The Datanet.
			datanet: DatanetId,
			/// The reviewer.
			reviewer: AccountId,
			/// What it got back, in units.
			stake: Balance,
			/// Who took its place with more stake, if it did not want to leave.
			displaced_by: Option<AccountId>,
		},
		/// A review began.
		#[codec(index = 12)]
		ReviewOpened {
			/// The Datanet.
			datanet: DatanetId,
			/// The contribution.
			contribution: ContributionId,
			/// Whether it decides on an appeal.
			appeal: bool,
			/// How many reviewers may vote.
			seats: u32,
			/// The first block in which it is too late to commit.
			commit_until: BlockNumber,
			/// The first block in which it is too late to reveal.
			reveal_until: BlockNumber,
		},
		/// A reviewer committed to a vote.
		#[codec(index = 13)]
		VoteCommitted {
			/// The Datanet.
			datanet: DatanetId,
			/// The contribution.
			contribution: ContributionId,
			/// The reviewer.
			reviewer: AccountId,
			/// The commitment.
			commitment: Hash,
		},
		/// A reviewer revealed its vote.
		#[codec(index = 14)]
		VoteRevealed {
			/// The Datanet.
			datanet: DatanetId,
			/// The contribution.
			contribution: ContributionId,
			/// The reviewer.
			reviewer: AccountId,
			/// The vote.
			vote: Vote,
			/// What it weighs, in units.
			weight: Balance,
		},
		/// A review was concluded. What came of the contribution is told by [`Event::Accepted`] or
		/// [`Event::Rejected`], or there can be an appeal or another review.
		#[codec(index = 15)]
		ReviewConcluded {
			/// The Datanet.
			datanet: DatanetId,
			/// The contribution.
			contribution: ContributionId,
			/// Whether it decided on an appeal.
			appeal: bool,
			/// What it came to.
			outcome: Outcome,
			/// The stake for the contribution, in units.
			accept: Balance,
			/// The stake against it, in units.
			reject: Balance,
			/// All stake that had a seat, in units.
			seated: Balance,
		},
		/// A review ended because the contribution was withdrawn.
		#[codec(index = 16)]
		ReviewCancelled {
			/// The Datanet.
			datanet: DatanetId,
			/// The contribution.
			contribution: ContributionId,
		},
		/// A reviewer got its part of the fee.
		#[codec(index = 17)]
		ReviewerPaid {
			/// The Datanet.
			datanet: DatanetId,
			/// The contribution.
			contribution: ContributionId,
			/// The reviewer.
			reviewer: AccountId,
			/// How much, in units.
			amount: Balance,
		},
		/// A reviewer lost a part of its stake for not revealing its vote, or for not voting.
		#[codec(index = 18)]
		ReviewerSlashed {
			/// The Datanet.
			datanet: DatanetId,
			/// The contribution.
			contribution: ContributionId,
			/// The reviewer.
			reviewer: AccountId,
			/// How much went to the treasury, in units.
			amount: Balance,
		},
		/// A contributor appealed against a rejection.
		#[codec(index = 19)]
		Appealed {
			/// The Datanet.
			datanet: DatanetId,
			/// The contribution.
			contribution: ContributionId,
			/// Who contributed.
			contributor: AccountId,
			/// What is at stake, in units.
			deposit: Balance,
		},
		/// An appeal was lost or given up, and what it had at stake went to the treasury.
		#[codec(index = 20)]
		AppealLost {
			/// The Datanet.
			datanet: DatanetId,
			/// The contribution.
			contribution: ContributionId,
			/// Who contributed.
			contributor: AccountId,
			/// How much, in units.
			deposit: Balance,
		},
	}

	/// What went wrong.
	#[pallet::error]
	pub enum Error<T> {
		/// There is no Datanet with this id; look it up by the `Created` event.
		#[codec(index = 0)]
		UnknownDatanet,
		/// The Datanet has no contribution with this id, or it was rejected or withdrawn and is gone.
		#[codec(index = 1)]
		UnknownContribution,
		/// Only the Datanet's owner may do this; sign with the owner's account.
		#[codec(index = 2)]
		NotOwner,
		/// Only the contributor may do this; sign with the account that contributed.
		#[codec(index = 3)]
		NotContributor,
		/// The contribution was accepted or withdrawn already, so it cannot be accepted or rejected.
		#[codec(index = 4)]
		NotPending,
		/// The contribution is withdrawn already; nothing is left to do.
		#[codec(index = 5)]
		AlreadyWithdrawn,
		/// Name, licence, media type and URI must be UTF-8 text, not empty, without control characters.
		#[codec(index = 6)]
		InvalidText,
		/// The records' root is zero; build the tree over at least one record.
		#[codec(index = 7)]
		NoRoot,
		/// The records' count is zero; contribute at least one record.
		#[codec(index = 8)]
		NoRecords,
		/// There are more records than one tree may have; split them into several contributions.
		#[codec(index = 9)]
		TooManyRecords,
		/// The records have fewer bytes than there are records; leave out the empty ones.
		#[codec(index = 10)]
		EmptyRecords,
		/// The records have more bytes than so many records can have; a record has less than 4 GiB.
		#[codec(index = 11)]
		TooManyBytes,
		/// These very records are in the Datanet already; contribute others.
		#[codec(index = 12)]
		DuplicateContribution,
		/// The Datanet has accepted as many contributions as it may keep; create another one.
		#[codec(index = 13)]
		DatanetFull,
		/// Nothing is accepted, or the last snapshot contains just the same; change something first.
		#[codec(index = 14)]
		NothingNew,
		/// Here reviewers decide, not the owner; join the panel and vote.
		#[codec(index = 15)]
		ReviewersDecide,
		/// The Datanet is not curated by reviewers, so it has no panel to join.
		#[codec(index = 16)]
		NoPanel,
		/// The stake is less than a reviewer must have; add to it.
		#[codec(index = 17)]
		StakeTooLow,
		/// The panel is full of reviewers with as much stake, or with a seat in an open review; put up
		/// more than the least of them, or wait until the reviews are concluded.
		#[codec(index = 18)]
		PanelFull,
		/// The account is not on the Datanet's panel; join it first.
		#[codec(index = 19)]
		NotReviewer,
		/// The reviewer leaves already; vote and wait until the reviews it has a seat in are concluded.
		#[codec(index = 20)]
		AlreadyLeaving,
		/// No reviewer can be seated now; wait until somebody has joined and warmed up.
		#[codec(index = 21)]
		NoReviewers,
		/// A review of the contribution is open; conclude it first.
		#[codec(index = 22)]
		UnderReview,
		/// There is no open review of the contribution; open one first.
		#[codec(index = 23)]
		NoReview,
		/// The account has no seat in this review; it was not on the panel when the review opened.
		#[codec(index = 24)]
		NotSeated,
		/// Nobody votes on what it contributed; leave that to the others.
		#[codec(index = 25)]
		OwnContribution,
		/// It is too late to commit to a vote in this review.
		#[codec(index = 26)]
		CommitPhaseOver,
		/// The reviewer has committed to a vote in this review; reveal that one.
		#[codec(index = 27)]
		AlreadyCommitted,
		/// The reviewer has not committed to a vote in this review, so there is none to reveal.
		#[codec(index = 28)]
		NotCommitted,
		/// Votes are still being committed to; reveal when that is over.
		#[codec(index = 29)]
		RevealTooEarly,
		/// It is too late to reveal a vote in this review.
		#[codec(index = 30)]
		RevealPhaseOver,
		/// The reviewer has revealed its vote; nothing is left to do.
		#[codec(index = 31)]
		AlreadyRevealed,
		/// Vote and salt are not those committed to; give the very ones.
		#[codec(index = 32)]
		WrongReveal,
		/// Votes can still be committed to or revealed; conclude the review when that is over.
		#[codec(index = 33)]
		ReviewRunning,
		/// The contribution is not rejected, so there is nothing to appeal against or to clear.
		#[codec(index = 34)]
		NotRejected,
		/// It is too late to appeal against this rejection.
		#[codec(index = 35)]
		AppealPeriodOver,
		/// The contributor may still appeal; clear the contribution when it is too late for that.
		#[codec(index = 36)]
		AppealPeriodRunning,
		/// Only contributions that were accepted can be original or duplicate; reject the others.
		#[codec(index = 37)]
		NotAccepted,
		/// The duplicate must be a later contribution than the original; swap the two.
		#[codec(index = 38)]
		NotLater,
		/// The two proofs are of different records; prove the same one twice.
		#[codec(index = 39)]
		DifferentRecords,
		/// The original does not contain the record as the proof says; build the proof anew.
		#[codec(index = 40)]
		OriginalNotProven,
		/// The duplicate does not contain the record as the proof says; build the proof anew.
		#[codec(index = 41)]
		DuplicateNotProven,
		/// The contribution is out of later snapshots already and has nothing left at stake.
		#[codec(index = 42)]
		AlreadyExcluded,
		/// The contribution has no bond, or it was returned or forfeited.
		#[codec(index = 43)]
		NoBond,
		/// The bond is returned only some time after acceptance; wait for that block.
		#[codec(index = 44)]
		BondLocked,
		/// The reviewer's stake has not stood for the warm-up; leave when it has.
		#[codec(index = 45)]
		WarmingUp,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			assert!(T::MaxNameLen::get() > 0, "names need at least one byte");
			assert!(T::MaxUriLen::get() > 0, "URIs need at least one byte");
			assert!(
				(1..=merkle::MAX_LEAVES).contains(&T::MaxContributions::get()),
				"a snapshot's contributions must fit one tree"
			);
			assert!(
				T::MaxPanel::get() > 0,
				"a panel needs at least one reviewer"
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), frame::try_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Creates a Datanet that the caller owns.
		///
		/// - `name`: what it is called; need not be unique.
		/// - `licence`: SPDX identifier of the licence that everything in it is given under.
		/// - `media_type`: media type of its records, such as `text/plain`.
		/// - `curation`: who decides what is accepted.
		///
		/// Holds a deposit of the caller. Emits [`Event::Created`]. Fails with
		/// [`Error::InvalidText`], or if the caller cannot pay the deposit.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::create(Pallet::<T>::text_len(&[name, licence, media_type])))]
		pub fn create(
			origin: OriginFor<T>,
			name: NameOf<T>,
			licence: NameOf<T>,
			media_type: NameOf<T>,
			curation: Curation,
		) -> DispatchResult {
			let owner = ensure_signed(origin)?;
			Self::do_create(owner, name, licence, media_type, curation)
		}

		/// Contributes records to a Datanet, under its licence.
		///
		/// - `records`: root, count and bytes of the Merkle-sum tree over
		///   [`RecordLeaf`](openledger_primitives::RecordLeaf)s, none of them empty.
		/// - `uri`: where the records are found.
		/// - `payout`: the account that earns.
		///
		/// An open Datanet accepts at once, others when their owner [accepts](Pallet::accept) or the
		/// reviewers' vote is [concluded](Pallet::conclude_review). Holds of the caller a deposit by
		/// size and a bond, which is higher for an open Datanet and there grows with the records' bytes;
		/// where reviewers decide, their fee, too, and opens a review if there is a reviewer to seat.
		/// Emits [`Event::Contributed`], then [`Event::Accepted`] where it is open, and
		/// [`Event::ReviewOpened`] where a review began. Fails with [`Error::UnknownDatanet`], [`Error::InvalidText`], [`Error::NoRoot`],
		/// [`Error::NoRecords`], [`Error::TooManyRecords`], [`Error::EmptyRecords`],
		/// [`Error::TooManyBytes`], [`Error::DuplicateContribution`], [`Error::DatanetFull`], or if the
		/// caller cannot pay what is held.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::contribute(Pallet::<T>::text_len(&[uri])))]
		pub fn contribute(
			origin: OriginFor<T>,
			datanet: DatanetId,
			records: Commitment,
			uri: UriOf<T>,
			payout: AccountId,
		) -> DispatchResult {
			let contributor = ensure_signed(origin)?;
			Self::do_contribute(contributor, datanet, records, uri, payout)
		}

		/// Accepts a pending contribution: the next snapshot contains it. Only the Datanet's owner may.
		///
		/// Emits [`Event::Accepted`]. Fails with [`Error::UnknownDatanet`], [`Error::ReviewersDecide`],
		/// [`Error::NotOwner`], [`Error::UnknownContribution`], [`Error::NotPending`],
		/// [`Error::DatanetFull`].
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::accept())]
		pub fn accept(
			origin: OriginFor<T>,
			datanet: DatanetId,
			contribution: ContributionId,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_accept(who, datanet, contribution)
		}

		/// Rejects a pending contribution: removes it, frees its root, and returns the contributor's
		/// deposit. Only the Datanet's owner may.
		///
		/// Emits [`Event::Rejected`]. Fails with [`Error::UnknownDatanet`], [`Error::ReviewersDecide`],
		/// [`Error::NotOwner`], [`Error::UnknownContribution`], [`Error::NotPending`].
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::reject())]
		pub fn reject(
			origin: OriginFor<T>,
			datanet: DatanetId,
			contribution: ContributionId,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_reject(who, datanet, contribution)
		}

		/// Freezes what is accepted under the next version number. Where the owner curates, only the owner
		/// may, otherwise anyone.
		///
		/// Costs by the number of contributions the Datanet keeps; the rest of the weight is refunded.
		/// Emits [`Event::Snapshotted`]. Fails with [`Error::UnknownDatanet`], [`Error::NotOwner`],
		/// [`Error::NothingNew`].
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::snapshot(T::MaxContributions::get()))]
		pub fn snapshot(origin: OriginFor<T>, datanet: DatanetId) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			Self::do_snapshot(who, datanet)
		}

		/// Takes a contribution back: later snapshots are without it. Only its contributor may.
		///
		/// Where a snapshot contains it, it stays on record, keeps earning through models trained on
		/// that snapshot under the licence of its time, its deposit stays held, and its bond as long
		/// as it would have been. Otherwise it is removed, its root is free again, and deposit and bond
		/// are returned. A review of it is cancelled: who has committed to a vote is paid, or, if votes
		/// have been revealed to the end, who has revealed it; an appeal counts as lost.
		///
		/// Emits [`Event::Withdrawn`], and for a review [`Event::ReviewCancelled`] and what comes with
		/// it. Fails with [`Error::UnknownDatanet`], [`Error::UnknownContribution`],
		/// [`Error::NotContributor`], [`Error::AlreadyWithdrawn`], [`Error::AlreadyExcluded`].
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::withdraw(T::MaxPanel::get()))]
		pub fn withdraw(
			origin: OriginFor<T>,
			datanet: DatanetId,
			contribution: ContributionId,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_withdraw(who, datanet, contribution)
		}

		/// Changes the account that earns for a contribution, for every snapshot, from here on. Only its
		/// contributor may.
		///
		/// What was credited before stays with the account before. Emits [`Event::PayoutAccountSet`].
		/// Fails with [`Error::UnknownContribution`], [`Error::NotContributor`].
		#[pallet::call_index(6)]
		#[pallet::weight(T::WeightInfo::set_payout_account())]
		pub fn set_payout_account(
			origin: OriginFor<T>,
			datanet: DatanetId,
			contribution: ContributionId,
			payout: AccountId,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_set_payout_account(who, datanet, contribution, payout)
		}

		/// Takes a contribution's bond back, some time after its acceptance. Only its contributor may.
		///
		/// Emits [`Event::BondReleased`]. Fails with [`Error::UnknownContribution`],
		/// [`Error::NotContributor`], [`Error::NoBond`], [`Error::BondLocked`].
		#[pallet::call_index(7)]
		#[pallet::weight(T::WeightInfo::release_bond())]
		pub fn release_bond(
			origin: OriginFor<T>,
			datanet: DatanetId,
			contribution: ContributionId,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_release_bond(who, datanet, contribution)
		}

		/// Proves that a contribution repeats a record of an earlier one in the same Datanet. Anyone may.
		///
		/// - `original`: proof that the earlier contribution contains the record.
		/// - `duplicate`: proof that the later one does.
		///
		/// Both must have been accepted. The later one is out of all later snapshots; those that
		/// contain it keep it. If a snapshot had contained the original for [`Config::OriginalAge`]
		/// when the later one was made, its bond, if it still has one, goes in part to the caller, the
		/// rest to the treasury; otherwise its contributor may not have known, and has the bond back.
		/// If no snapshot contains it, it is removed and its deposit returned.
		///
		/// Emits [`Event::DuplicateProven`]. Fails with [`Error::NotLater`],
		/// [`Error::DifferentRecords`], [`Error::UnknownDatanet`], [`Error::UnknownContribution`],
		/// [`Error::NotAccepted`], [`Error::AlreadyExcluded`], [`Error::OriginalNotProven`],
		/// [`Error::DuplicateNotProven`].
		#[pallet::call_index(8)]
		#[pallet::weight(T::WeightInfo::claim_duplicate(
			original.nodes().saturating_add(duplicate.nodes())
		))]
		pub fn claim_duplicate(
			origin: OriginFor<T>,
			datanet: DatanetId,
			original: RecordProof,
			duplicate: RecordProof,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_claim_duplicate(who, datanet, original, duplicate)
		}

		/// Joins the panel of a Datanet that reviewers curate, or puts more at stake there.
		///
		/// - `stake`: what the caller puts up now, in units; held.
		///
		/// The caller gets a seat in the reviews that open when all its stake has stood for the
		/// warm-up, counted anew from here, and can leave no sooner. In a full panel the reviewer with
		/// the least stake who has no seat in an open review is displaced, if it has less. Emits [`Event::PanelJoined`], and
		/// [`Event::PanelLeft`] for the displaced. Fails with [`Error::UnknownDatanet`],
		/// [`Error::NoPanel`], [`Error::AlreadyLeaving`], [`Error::StakeTooLow`],
		/// [`Error::PanelFull`], or if the caller does not have that much.
		#[pallet::call_index(9)]
		#[pallet::weight(T::WeightInfo::join_panel())]
		pub fn join_panel(
			origin: OriginFor<T>,
			datanet: DatanetId,
			#[pallet::compact] stake: Balance,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_join_panel(who, datanet, stake)
		}

		/// Leaves a panel, once all of the stake has stood for the warm-up. It is returned at once or,
		/// where the caller has a seat in open reviews, when those are concluded; until then it can vote
		/// in them, and loses by not voting as anybody does.
		///
		/// Emits [`Event::PanelLeft`] or [`Event::PanelLeaving`]. Fails with [`Error::NotReviewer`],
		/// [`Error::AlreadyLeaving`], [`Error::WarmingUp`].
		#[pallet::call_index(10)]
		#[pallet::weight(T::WeightInfo::leave_panel())]
		pub fn leave_panel(origin: OriginFor<T>, datanet: DatanetId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_leave_panel(who, datanet)
		}

		/// Opens the review of a pending contribution that has none: because nobody could be seated when
		/// it came, or because too few voted. Anyone may.
		///
		/// Emits [`Event::ReviewOpened`]. Fails with [`Error::UnknownDatanet`], [`Error::NoPanel`],
		/// [`Error::UnknownContribution`], [`Error::NotPending`], [`Error::UnderReview`],
		/// [`Error::NoReviewers`].
		#[pallet::call_index(11)]
		#[pallet::weight(T::WeightInfo::open_review())]
		pub fn open_review(
			origin: OriginFor<T>,
			datanet: DatanetId,
			contribution: ContributionId,
		) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_open_review(datanet, contribution)
		}

		/// Commits the caller, who has a seat in the review, to a vote that stays secret until it is
		/// revealed.
		///
		/// - `commitment`: see [`vote_commitment`].
		///
		/// Emits [`Event::VoteCommitted`]. Fails with [`Error::UnknownContribution`],
		/// [`Error::NoReview`], [`Error::OwnContribution`], [`Error::NotSeated`],
		/// [`Error::AlreadyCommitted`], [`Error::CommitPhaseOver`], [`Error::NotReviewer`].
		#[pallet::call_index(12)]
		#[pallet::weight(T::WeightInfo::commit_vote())]
		pub fn commit_vote(
			origin: OriginFor<T>,
			datanet: DatanetId,
			contribution: ContributionId,
			commitment: Hash,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_commit_vote(who, datanet, contribution, commitment)
		}

		/// Reveals the vote that the caller has committed to, once the time to commit is over or
		/// everybody has committed.
		///
		/// - `vote`, `salt`: what the commitment was made of.
		///
		/// Emits [`Event::VoteRevealed`]. Fails with [`Error::NoReview`], [`Error::NotSeated`],
		/// [`Error::NotCommitted`], [`Error::AlreadyRevealed`], [`Error::RevealTooEarly`],
		/// [`Error::RevealPhaseOver`], [`Error::WrongReveal`].
		#[pallet::call_index(13)]
		#[pallet::weight(T::WeightInfo::reveal_vote())]
		pub fn reveal_vote(
			origin: OriginFor<T>,
			datanet: DatanetId,
			contribution: ContributionId,
			vote: Vote,
			salt: Hash,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_reveal_vote(who, datanet, contribution, vote, salt)
		}

		/// Counts the votes of a review that is over: because its time is up, or because all who have
		/// committed have revealed. Anyone may.
		///
		/// If enough of the seated stake has voted, the contribution is accepted where more stake is for
		/// it than against it, otherwise rejected; those who revealed share the fee by their stake. After a first
		/// rejection the contributor may [appeal](Pallet::appeal) for some time; a rejected appeal
		/// removes the contribution and forfeits what the appeal had at stake. If too little stake has
		/// voted, the contribution stays pending; of an appeal, the rejection stands, but what it had at
		/// stake is returned. A Datanet that is full rejects what is accepted, without an appeal. Who has
		/// committed and not revealed loses a part of its stake, who has not
		/// voted a smaller one, at most once in the time of a commit phase.
		///
		/// Emits [`Event::ReviewConcluded`] and what comes of it. Fails with
		/// [`Error::UnknownDatanet`], [`Error::UnknownContribution`], [`Error::NoReview`],
		/// [`Error::ReviewRunning`].
		#[pallet::call_index(14)]
		#[pallet::weight(T::WeightInfo::conclude_review(T::MaxPanel::get()))]
		pub fn conclude_review(
			origin: OriginFor<T>,
			datanet: DatanetId,
			contribution: ContributionId,
		) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			Self::do_conclude_review(datanet, contribution)
		}

		/// Appeals against the rejection of a contribution: the whole panel is asked again, once, and more
		/// of it must vote. Only the contributor may.
		///
		/// Holds what the appeal puts at stake, and another fee for the reviewers. Emits
		/// [`Event::ReviewOpened`] and [`Event::Appealed`]. Fails with
		/// [`Error::UnknownContribution`], [`Error::NotContributor`], [`Error::NotRejected`],
		/// [`Error::UnderReview`], [`Error::AppealPeriodOver`], [`Error::NoReviewers`], or if the caller
		/// does not have that much.
		#[pallet::call_index(15)]
		#[pallet::weight(T::WeightInfo::appeal())]
		pub fn appeal(
			origin: OriginFor<T>,
			datanet: DatanetId,
			contribution: ContributionId,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_appeal(who, datanet, contribution)
		}

		/// Removes a contribution that reviewers rejected and nobody appealed for in time: frees its root
		/// and returns deposit and bond to its contributor. Anyone may.
		///
		/// Emits [`Event::Rejected`]. Fails with [`Error::UnknownDatanet`],
		/// [`Error::UnknownContribution`], [`Error::NotRejected`], [`Error::UnderReview`],
		/// [`Error::AppealPeriodRunning`].
		#[pallet::call_index(16)]
		#[pallet::weight(T::WeightInfo::clear_rejected())]
		pub fn clear_rejected(
			origin: OriginFor<T>,
			datanet: DatanetId,
			contribution: ContributionId,
		) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_clear_rejected(datanet, contribution)
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// The Datanet with this id.
		pub fn datanet(datanet: DatanetId) -> Option<Datanet<T>> {
			Datanets::<T>::get(datanet)
		}

		/// A contribution that the Datanet keeps.
		pub fn contribution(
			datanet: DatanetId,
			contribution: ContributionId,
		) -> Option<Contribution<T>> {
			Contributions::<T>::get(datanet, contribution)
		}

		/// The snapshot of a Datanet with this version.
		pub fn snapshot_at(datanet: DatanetId, version: SnapshotVersion) -> Option<Snapshot<T>> {
			Snapshots::<T>::get(datanet, version)
		}

		/// The account that earns for a contribution, if the snapshot contains it.
		pub fn payout_account(
			datanet: DatanetId,
			version: SnapshotVersion,
			contribution: ContributionId,
		) -> Option<AccountId> {
			Self::do_payout_account(datanet, version, contribution)
		}

		/// Root, bytes and number of a contribution's records, as long as the Datanet keeps it.
		pub fn contribution_records(
			datanet: DatanetId,
			contribution: ContributionId,
		) -> Option<Commitment> {
			Contributions::<T>::get(datanet, contribution).map(|kept| kept.records)
		}

		/// What a contribution has at stake.
		pub fn bond(datanet: DatanetId, contribution: ContributionId) -> Option<Bond> {
			Bonds::<T>::get(datanet, contribution)
		}

		/// The reviewers of a Datanet, in no order.
		pub fn panel(datanet: DatanetId) -> PanelOf<T> {
			Panels::<T>::get(datanet)
		}

		/// The review of a contribution, if one is open.
		pub fn review(datanet: DatanetId, contribution: ContributionId) -> Option<Review<T>> {
			Reviews::<T>::get(datanet, contribution)
		}
	}
}
