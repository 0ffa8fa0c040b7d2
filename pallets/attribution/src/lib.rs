//! Shares out what the network earns: redeemed money at once, licence money by epoch and report.
//!
//! # Terms
//!
//! - **Redemption**: money drawn from a channel: a compute part and a licence part.
//! - **Cut**: the protocol's part of both; one part of it is burnt, the rest is the treasury's.
//! - **Epoch**: a stretch of blocks. Licence money redeemed in it is shared out together.
//! - **Terms**: the governed shares. An epoch has one version of them from its first block to its last.
//! - **Pot**: one provider's licence money of one epoch.
//! - **Source**: a lane that a part of the pot was redeemed from, and how much that was.
//! - **Report**: that provider's commitment to who is owed what of the pot.
//! - **Dispute**: a proof that a report is wrong. It is checked at once, and nobody decides anything.
//! - **Audit**: a draw of leaves that a reporter has to open, so that it cannot keep them to itself.
//! - **Settlement**: turning the report's payout leaves into credits, in order, each with its proof.
//! - **Credit**: what an account may claim. Dust stays credited until there is more of it.
//!
//! # Story
//!
//! Bob's machine answered for Alice with an adapter that Carol trained on Dave's text. Bob redeems
//! Alice's voucher; he gets the compute part less the cut, and the licence part goes into his pot.
//! The epoch ends. Bob's hot key [reports](Call::report) one root over the receipts, one over the parts
//! that payees get of each, and one over the payouts; the chain knows how much money there was, so none
//! can promise more or less. Anyone who has the receipts can compute the same roots. When the dispute
//! window has passed, Dave, or anyone for him, [settles](Call::settle) the leaves and
//! [claims](Call::claim) what he was credited.
//!
//! Another time Bob writes himself into the payouts. Dave sees it and [disputes](Call::dispute) the
//! report with the leaf and its receipt. The report is gone, Bob is slashed and jailed, half of what he
//! lost is Dave's, and Dave [reports the epoch](Call::report_for) as it was, against a deposit that he
//! has back when it is settled.
//!
//! # Design
//!
//! - A payout names what somebody did, "contribution 3 of Datanet 1", never an account. The chain
//!   finds the account, so no report can put another in its place. What has no account goes to the
//!   treasury.
//! - [`Dispute::check`](openledger_primitives::dispute::Dispute::check) is the whole judgement, and the
//!   same function off chain. One who files a false dispute pays the fee.
//! - The chain keeps the [sources](Sources) of each pot, so receipts can be counted only for what their
//!   own lane earned: whoever makes up receipts can do so with its own money alone. When the pot is
//!   settled, they are [swept](Call::sweep).
//! - A report is drawn for an audit with the randomness of several blocks after it, so that one who
//!   makes some of them, and knows what they will give, cannot choose when to report.
//!   Leaves that nobody can open are of no use to a cheat that is drawn.
//! - Leaves that are not published can be [demanded](Call::demand_audit): then the audit is certain,
//!   and nothing is settled before it is passed.
//! - Who reports stands to lose no less than the pot: a provider its bond, another its deposit. A
//!   provider whose bond does not answer for its pots, or who was proven wrong, needs a deposit too,
//!   and its hot key cannot put up the provider's own money for it.
//! - A pot that nobody reports in time is [forfeited](Call::forfeit) to the treasury, by a report of the
//!   chain's own, so that it cannot be reported again. So is what nobody can settle.
//! - Leaves are settled in order, which makes it impossible to settle one twice and needs no bitmap.
//! - [`Pallet::collect`] cannot fail, since the channel has already let go of the money: what an
//!   account cannot take is credited to it.
//! - The pots and credits lie in [one account](Pallet::account_id), which genesis keeps alive.

#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used))]
#![cfg_attr(
	not(test),
	deny(
		clippy::arithmetic_side_effects,
		clippy::indexing_slicing,
		clippy::expect_used
	)
)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod demands;
mod disputes;
mod impls;
pub mod migrations;
#[cfg(test)]
mod mock;
mod sources;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;
mod types;
pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
pub use benchmarking::BenchmarkHelper;
pub use pallet::*;
pub use sources::{FREE_SWEEP, MAX_SWEEP};
pub use types::*;
pub use weights::WeightInfo;

use alloc::boxed::Box;
use frame::prelude::*;
use openledger_primitives::{
	dispute::{AuditAnswer, ChainFacts, Dispute, Fault, Source},
	merkle::{Node, MAX_PROOF},
	AccountId, Balance, BlockNumber, ChannelId, Commitment, EpochIndex, Generation, Hash, Lane,
	Payee, PayoutLeaf, RedemptionSplit, Terms, TermsVersion,
};

/// The pallet.
// The macros expand to `expect`s that hold for every pallet in a runtime.
#[allow(clippy::expect_used)]
#[frame::pallet]
pub mod pallet {
	use super::*;
	use frame::traits::fungible::hold;

	#[pallet::pallet]
	#[pallet::storage_version(migrations::STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	/// What the runtime has to supply.
	#[pallet::config]
	pub trait Config:
		frame_system::Config<AccountId = AccountId, Hash = Hash, RuntimeEvent: From<Event<Self>>>
	{
		/// OPEN.
		type Currency: fungible::Mutate<AccountId, Balance = Balance>
			+ fungible::Balanced<AccountId>
			+ hold::Mutate<AccountId, Balance = Balance, Reason = Self::RuntimeHoldReason>
			+ hold::Balanced<AccountId>;

		/// The runtime's reasons for holds.
		type RuntimeHoldReason: From<HoldReason>;

		/// Names the account that holds pots and credits.
		#[pallet::constant]
		type PalletId: Get<PalletId>;

		/// The treasury's account.
		type Treasury: Get<AccountId>;

		/// Who reports for whom.
		type Providers: ProviderInspect;

		/// Who is paid for what.
		type Payees: PayeeInspect;

		/// How those who report for themselves are punished.
		type Penalty: ProviderPenalty<CreditOf<Self>>;

		/// What disputes are checked against.
		type Facts: ChainFacts + Default;

		/// What audits are drawn from.
		type Randomness: AuditRandomness;

		/// The governed shares, read when an epoch begins.
		type Terms: Get<Terms>;

		/// Blocks in an epoch, at least two, read when an epoch begins.
		type EpochLength: Get<BlockNumber>;

		/// Blocks between a report and its settlement, read when it is made.
		type DisputeWindow: Get<BlockNumber>;

		/// Epochs after which a pot may be reported by anyone; after twice as many it is forfeited.
		type ReportDeadline: Get<EpochIndex>;

		/// The least that is put on hold for a report that no bond answers for, in units. It is never
		/// less than the pot.
		type ReporterDeposit: Get<Balance>;

		/// What is put on hold for an audit that somebody demands, in units.
		type DemandDeposit: Get<Balance>;

		/// The least that a provider is slashed by, in units, if it has as much.
		type MinSlash: Get<Balance>;

		/// What it is slashed by in parts per million of the pot.
		type SlashFactor: Get<u32>;

		/// What of it is the disputer's, in parts per million; the rest is burnt.
		type DisputerShare: Get<u32>;

		/// How many reports are audited, in parts per million.
		type AuditRate: Get<u32>;

		/// Blocks in which an audit is to be answered.
		type AuditPeriod: Get<BlockNumber>;

		/// Blocks between a report and its draw. The randomness of all but the first of them is younger
		/// than the report; who can make them all knows the draw beforehand.
		#[pallet::constant]
		type AuditDelay: Get<BlockNumber>;

		/// The most reports made in one block.
		#[pallet::constant]
		type MaxReports: Get<u32>;

		/// The most payout leaves settled at once.
		#[pallet::constant]
		type MaxSettle: Get<u32>;

		/// The clock.
		type BlockNumberProvider: BlockNumberProvider<BlockNumber = BlockNumber>;

		/// Weights of the calls.
		type WeightInfo: WeightInfo;

		/// What benchmarks need of other pallets.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: BenchmarkHelper;
	}

	/// Why money is on hold.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// For a report that no bond answers for.
		#[codec(index = 0)]
		Report,
		/// For an audit that somebody demanded.
		#[codec(index = 1)]
		Demand,
	}

	/// The epoch in progress.
	#[pallet::storage]
	pub type CurrentEpoch<T: Config> = StorageValue<_, Epoch, ValueQuery>;

	/// Every version of the terms that was ever in force. The hasher is cheap since versions are
	/// counted; there is at most one an epoch, and only when governance changed them.
	#[pallet::storage]
	pub type TermsOf<T: Config> = StorageMap<_, Twox64Concat, TermsVersion, Terms>;

	/// The pots. Accounts are free to choose, so they are hashed with a strong hash; epochs are
	/// counted. Each pot was paid for by a redemption.
	#[pallet::storage]
	pub type Pots<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, AccountId, Twox64Concat, EpochIndex, Pot>;

	/// The lanes that each pot came from: under provider and epoch, the channel, generation and lane.
	/// Accounts are free to choose, hence the strong hash; the rest is counted. Each was paid for by a
	/// redemption, and is removed once the pot is settled.
	#[pallet::storage]
	pub type Sources<T: Config> = StorageDoubleMap<
		_,
		Blake2_128Concat,
		(AccountId, EpochIndex),
		Twox64Concat,
		(ChannelId, Generation, Lane),
		Source,
	>;

	/// The first epoch all of whose sources are known.
	#[pallet::storage]
	pub type SourcesSince<T: Config> = StorageValue<_, EpochIndex, ValueQuery>;

	/// The reports, one for each pot at most; hashed as the pots are.
	#[pallet::storage]
	pub type Reports<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, AccountId, Twox64Concat, EpochIndex, Report>;

	/// The pots whose reports were proven wrong, until they are settled; hashed as the pots are.
	#[pallet::storage]
	pub type Disproved<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, AccountId, Twox64Concat, EpochIndex, Removed>;

	/// The audits that somebody demanded, of reports that are not settled; hashed as the pots are.
	#[pallet::storage]
	pub type Demands<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, AccountId, Twox64Concat, EpochIndex, Demand>;

	/// What of each provider's pots is not settled, in units; hashed as the pots are, and none is zero.
	#[pallet::storage]
	pub type AtRisk<T: Config> = StorageMap<_, Blake2_128Concat, AccountId, Balance, ValueQuery>;

	/// What the randomness of every block so far was stirred into; audits are drawn from it.
	#[pallet::storage]
	pub type Entropy<T: Config> = StorageValue<_, Hash, ValueQuery>;

	/// The reports that a block draws audits from, removed when it does. The hasher is cheap since
	/// blocks are counted; a block has `MaxReports` at most.
	#[pallet::storage]
	pub type ToDraw<T: Config> = StorageMap<
		_,
		Twox64Concat,
		BlockNumber,
		BoundedVec<(AccountId, EpochIndex), T::MaxReports>,
		ValueQuery,
	>;

	/// What each account may claim, in units. Accounts are free to choose, hence the strong hash; an
	/// entry is made only against money that is there, and none is zero.
	#[pallet::storage]
	pub type Credits<T: Config> = StorageMap<_, Blake2_128Concat, AccountId, Balance, ValueQuery>;

	/// Where all money went.
	#[pallet::storage]
	pub type Totals<T: Config> = StorageValue<_, Flows, ValueQuery>;

	/// Begins the first epoch.
	#[pallet::genesis_config]
	#[derive(frame::prelude::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// Nothing to configure: lengths and shares are governed parameters.
		#[serde(skip)]
		pub _config: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			Pallet::<T>::do_genesis();
		}
	}

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(pub(crate) fn deposit_event)]
	pub enum Event<T: Config> {
		/// An epoch began, and the one before ended.
		#[codec(index = 0)]
		EpochStarted {
			/// The epoch.
			epoch: EpochIndex,
			/// The version of the terms in force in it.
			terms: TermsVersion,
		},
		/// A redemption's money was shared out.
		#[codec(index = 1)]
		Collected {
			/// Who earned it.
			provider: AccountId,
			/// The epoch whose pot its licence part went to.
			epoch: EpochIndex,
			/// The compute part before the cut, in units.
			compute: Balance,
			/// The licence part before the cut, in units.
			licence: Balance,
			/// Where it went.
			split: RedemptionSplit,
		},
		/// A provider reported an epoch.
		#[codec(index = 2)]
		Reported {
			/// The provider.
			provider: AccountId,
			/// The epoch.
			epoch: EpochIndex,
			/// Over the receipts.
			receipts: Commitment,
			/// Over the payouts.
			payouts: Commitment,
			/// The version of the terms it was made by.
			terms: TermsVersion,
			/// The first block in which it may be settled.
			open_at: BlockNumber,
			/// Over the parts.
			parts: Commitment,
			/// Who made it.
			reporter: AccountId,
			/// What it has on hold for it, in units; nothing if a bond answers for it.
			deposit: Balance,
		},
		/// A payout was credited.
		#[codec(index = 3)]
		Credited {
			/// The provider who reported it.
			provider: AccountId,
			/// The epoch it was earned in.
			epoch: EpochIndex,
			/// What for.
			payee: Payee,
			/// Whose credit grew.
			account: AccountId,
			/// By how much, in units.
			amount: Balance,
		},
		/// A payout named nobody, and was credited to the treasury.
		#[codec(index = 4)]
		Unpayable {
			/// The provider who reported it.
			provider: AccountId,
			/// The epoch it was earned in.
			epoch: EpochIndex,
			/// Who does not exist.
			payee: Payee,
			/// How much it was, in units.
			amount: Balance,
		},
		/// The last payout of a report was credited.
		#[codec(index = 5)]
		Settled {
			/// The provider.
			provider: AccountId,
			/// The epoch.
			epoch: EpochIndex,
			/// All that was credited, in units.
			paid: Balance,
		},
		/// An account got what it was credited.
		#[codec(index = 6)]
		Claimed {
			/// The account.
			account: AccountId,
			/// How much it was, in units.
			amount: Balance,
		},
		/// An account could not take what it earned, since it would have stayed below the least
		/// balance, and was credited with it.
		#[codec(index = 7)]
		Deferred {
			/// The account.
			account: AccountId,
			/// How much it was, in units.
			amount: Balance,
		},
		/// A report was proven wrong, or its audit was missed for good, and is removed.
		#[codec(index = 8)]
		ReportRemoved {
			/// The provider.
			provider: AccountId,
			/// The epoch.
			epoch: EpochIndex,
			/// Who made it.
			reporter: AccountId,
			/// Who proved it, or demanded the audit that was missed.
			by: AccountId,
			/// What was wrong.
			fault: Fault,
			/// Over the receipts.
			receipts: Commitment,
			/// Over the parts.
			parts: Commitment,
			/// Over the payouts.
			payouts: Commitment,
			/// What the reporter lost, in units.
			slashed: Balance,
			/// What `by` was credited of it, in units; the rest was burnt.
			reward: Balance,
		},
		/// A report was drawn for an audit.
		#[codec(index = 9)]
		AuditDrawn {
			/// The provider.
			provider: AccountId,
			/// The epoch.
			epoch: EpochIndex,
			/// What the leaves to be opened are drawn with.
			seed: Hash,
			/// The last block for the answer.
			due: BlockNumber,
		},
		/// The leaves drawn by an audit were opened, and nothing is wrong with them.
		#[codec(index = 10)]
		AuditPassed {
			/// The provider.
			provider: AccountId,
			/// The epoch.
			epoch: EpochIndex,
			/// Who opened them.
			by: AccountId,
		},
		/// An audit was not answered in time. The provider is jailed and has one more period.
		#[codec(index = 11)]
		AuditMissed {
			/// The provider.
			provider: AccountId,
			/// The epoch.
			epoch: EpochIndex,
			/// The new last block.
			due: BlockNumber,
		},
		/// What nobody reported of a pot, or settled of its report, was credited to the treasury.
		#[codec(index = 12)]
		Forfeited {
			/// The provider.
			provider: AccountId,
			/// The epoch.
			epoch: EpochIndex,
			/// How much it was, in units.
			amount: Balance,
		},
		/// Somebody demanded an audit of a report.
		#[codec(index = 13)]
		AuditDemanded {
			/// The provider.
			provider: AccountId,
			/// The epoch.
			epoch: EpochIndex,
			/// Who demanded it.
			by: AccountId,
			/// What it has on hold for it, in units.
			deposit: Balance,
			/// The block in which the leaves are drawn.
			drawn_at: BlockNumber,
		},
	}

	/// Why a call was refused.
	#[pallet::error]
	pub enum Error<T> {
		/// The epoch has not ended, so its pot may still grow. Report it when the next has begun.
		#[codec(index = 0)]
		EpochNotOver,
		/// The sender redeemed no licence money in this epoch. Check the epoch, and sign with the
		/// provider's hot key or its own.
		#[codec(index = 1)]
		NothingToReport,
		/// There is a report for this provider and epoch, and it cannot be changed.
		#[codec(index = 2)]
		AlreadyReported,
		/// The receipts do not sum to the licence money that was redeemed. Name each with what was
		/// redeemed of it in this epoch.
		#[codec(index = 3)]
		ReceiptsDoNotMatch,
		/// The payouts do not sum to the pot after the cut. Compute them from the pot by its terms.
		#[codec(index = 4)]
		PayoutsDoNotMatch,
		/// There are no leaves below a root, or more than a tree may have. Join small leaves.
		#[codec(index = 5)]
		LeafCountOutOfRange,
		/// There is no report for this provider and epoch. It has to be made first.
		#[codec(index = 6)]
		NotReported,
		/// The report may still be disputed. Settle it from the block it names on.
		#[codec(index = 7)]
		WindowOpen,
		/// There are no leaves in the call. Send the next ones.
		#[codec(index = 8)]
		NoLeaves,
		/// Every leaf of this report is settled.
		#[codec(index = 9)]
		NothingLeft,
		/// The proof does not lead from these leaves, as the next ones, to the report's root. Begin
		/// with the first leaf that is not settled.
		#[codec(index = 10)]
		InvalidProof,
		/// The account has no credit. Settle a report that pays it first.
		#[codec(index = 11)]
		NothingToClaim,
		/// The account would stay below the least balance. Wait for more credit, or send it some
		/// money first; the credit is kept.
		#[codec(index = 12)]
		BelowMinimum,
		/// The parts do not sum to the pot after the cut. Compute them from the pot by its terms.
		#[codec(index = 13)]
		PartsDoNotMatch,
		/// This block has had as many reports as it may. Send it again in the next.
		#[codec(index = 14)]
		TooManyReports,
		/// The provider still has time to report this epoch itself. Wait for the deadline.
		#[codec(index = 15)]
		ProviderMayReport,
		/// There is no pot for this provider and epoch. Check both.
		#[codec(index = 16)]
		NoPot,
		/// The report can be disputed no more: its window is over and it has no audit to pass.
		#[codec(index = 17)]
		DisputeTooLate,
		/// A leaf does not stand where it is said to stand. Prove it against the report on chain.
		#[codec(index = 18)]
		InvalidOpening,
		/// A receipt or attribution is not the one that was committed to, or is needed and missing.
		/// Send the one behind the leaf.
		#[codec(index = 19)]
		WrongPreimage,
		/// The leaves have nothing to do with each other, or not with what was drawn. Send those
		/// that the dispute or the audit is about.
		#[codec(index = 20)]
		Unrelated,
		/// The chain does not know, or no more, what the dispute relies on.
		#[codec(index = 21)]
		FactUnknown,
		/// The report is right in this. Check it again before you dispute it.
		#[codec(index = 22)]
		ReportHolds,
		/// The report has an audit to pass. Wait until it has.
		#[codec(index = 23)]
		AuditOpen,
		/// The report has no audit to pass.
		#[codec(index = 24)]
		NoAudit,
		/// The audit may still be answered. Wait until its last block has passed.
		#[codec(index = 25)]
		AuditNotDue,
		/// The pot may still be reported, or its report settled. Wait for twice the deadline.
		#[codec(index = 26)]
		TooEarlyToForfeit,
		/// An audit of this report was demanded before, and one is enough.
		#[codec(index = 27)]
		AlreadyDemanded,
		/// The report is not settled, so it may yet be needed what its pot came from. Settle it first.
		#[codec(index = 28)]
		NotSettled,
		/// No lanes are kept of this pot any more.
		#[codec(index = 29)]
		NothingToSweep,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_initialize(_: BlockNumberFor<T>) -> Weight {
			let epoch = if Self::roll_epoch() {
				T::WeightInfo::begin_epoch()
			} else {
				T::WeightInfo::on_initialize()
			};
			Self::stir();
			epoch.saturating_add(T::WeightInfo::draw_audits(Self::draw_audits()))
		}

		fn integrity_test() {
			assert!(
				T::MaxSettle::get() > 0,
				"a settlement must hold a leaf: MaxSettle > 0"
			);
			assert!(
				T::AuditDelay::get() > 1,
				"an audit is drawn with what the blocks after the report give: AuditDelay > 1"
			);
			assert!(
				T::MaxReports::get() > 0,
				"a block must hold a report: MaxReports > 0"
			);
			#[cfg(feature = "runtime-benchmarks")]
			benchmarking::assert_bounds_are_measured::<T>();
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), frame::try_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Commits the sender's provider to what an epoch's receipts were and who is owed what. There
		/// is one report for each provider and epoch, and it is final unless it is proven wrong. Signed
		/// by the provider's hot key, or by the provider itself, which is the only way once it has
		/// left. A sender with a pot of its own reports that one, whoever's hot key it is.
		///
		/// `receipts` has to sum to the licence money redeemed in the epoch, `parts` and `payouts` to
		/// the same after the cut. Where the cut took all, both are the empty commitment and the report
		/// is settled at once.
		///
		/// Where the provider's bond does not cover what its pots hold, or a report of this epoch was
		/// proven wrong before, the sender puts up a deposit as for [`Call::report_for`].
		///
		/// Fails with [`Error::EpochNotOver`], [`Error::NothingToReport`], [`Error::AlreadyReported`],
		/// [`Error::LeafCountOutOfRange`], [`Error::ReceiptsDoNotMatch`], [`Error::PartsDoNotMatch`],
		/// [`Error::PayoutsDoNotMatch`], [`Error::TooManyReports`], or if the sender lacks the deposit.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::report())]
		pub fn report(
			origin: OriginFor<T>,
			epoch: EpochIndex,
			receipts: Commitment,
			parts: Commitment,
			payouts: Commitment,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_report(who, epoch, receipts, parts, payouts)
		}

		/// Credits the next payouts of a report, in order, with one
		/// [range proof](openledger_primitives::merkle) for all of them. Anyone may do it.
		///
		/// Fails with [`Error::NotReported`], [`Error::NoLeaves`], [`Error::NothingLeft`],
		/// [`Error::WindowOpen`], [`Error::AuditOpen`], [`Error::InvalidProof`].
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::settle(leaves.len() as u32))]
		pub fn settle(
			origin: OriginFor<T>,
			provider: AccountId,
			epoch: EpochIndex,
			leaves: BoundedVec<PayoutLeaf, T::MaxSettle>,
			proof: BoundedVec<Node, ConstU32<{ MAX_PROOF }>>,
		) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_settle(provider, epoch, leaves.into_inner(), &proof)
		}

		/// Pays `beneficiary` all that it was credited. Anyone may do it for anyone.
		///
		/// Fails with [`Error::NothingToClaim`], [`Error::BelowMinimum`].
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::claim())]
		pub fn claim(origin: OriginFor<T>, beneficiary: AccountId) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_claim(beneficiary)
		}

		/// Reports an epoch in a provider's place: because its report was proven wrong, or because it
		/// has not reported for [`Config::ReportDeadline`] epochs. As much as the pot holds, and no less
		/// than [`Config::ReporterDeposit`], is put on hold of the sender's money until the report is
		/// settled, and slashed if it is proven wrong. The provider itself, or its hot key, needs none
		/// where it would need none for [`Call::report`].
		///
		/// Fails as [`Call::report`] does, with [`Error::ProviderMayReport`], or if the sender lacks the
		/// deposit.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::report_for())]
		pub fn report_for(
			origin: OriginFor<T>,
			provider: AccountId,
			epoch: EpochIndex,
			receipts: Commitment,
			parts: Commitment,
			payouts: Commitment,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_report_for(who, provider, epoch, receipts, parts, payouts)
		}

		/// Proves a report wrong. It is removed, its pot is open to be reported again, and who made it
		/// is slashed: a provider by `max(MinSlash, pot × SlashFactor)` of its bond, as far as it goes,
		/// and jailed; another by its deposit. A part of that is credited to the sender, the rest burnt.
		/// A dispute that proves something costs no fee.
		///
		/// Fails with [`Error::NotReported`], [`Error::DisputeTooLate`], [`Error::InvalidOpening`],
		/// [`Error::WrongPreimage`], [`Error::Unrelated`], [`Error::FactUnknown`],
		/// [`Error::ReportHolds`].
		#[pallet::call_index(4)]
		#[pallet::weight(
			T::WeightInfo::dispute(dispute.encoded_size() as u32)
				.saturating_add(T::WeightInfo::openings(disputes::further_openings(dispute)))
		)]
		pub fn dispute(
			origin: OriginFor<T>,
			provider: AccountId,
			epoch: EpochIndex,
			dispute: Box<Dispute>,
		) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			Self::do_dispute(who, provider, epoch, &dispute)?;
			Ok(Pays::No.into())
		}

		/// Opens the leaves that an audit drew. Anyone who has them may. Where somebody demanded the
		/// audit, the sender is credited with the deposit.
		///
		/// Fails with [`Error::NotReported`], [`Error::NoAudit`], [`Error::InvalidOpening`],
		/// [`Error::WrongPreimage`], [`Error::Unrelated`].
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::answer_audit())]
		pub fn answer_audit(
			origin: OriginFor<T>,
			provider: AccountId,
			epoch: EpochIndex,
			answer: Box<AuditAnswer>,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_answer_audit(who, provider, epoch, &answer)
		}

		/// States that an audit was not answered in time. The first time the provider is jailed and has
		/// another [`Config::AuditPeriod`]; the second time, and at once where there is a deposit for
		/// the report, it is removed as one that is [disputed](Call::dispute). What a disputer gets is
		/// then of who demanded the audit, if anyone did, else the sender's. It costs no fee.
		///
		/// Fails with [`Error::NotReported`], [`Error::NoAudit`], [`Error::AuditNotDue`].
		#[pallet::call_index(6)]
		#[pallet::weight(T::WeightInfo::fail_audit())]
		pub fn fail_audit(
			origin: OriginFor<T>,
			provider: AccountId,
			epoch: EpochIndex,
		) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			Self::do_fail_audit(who, provider, epoch)?;
			Ok(Pays::No.into())
		}

		/// Ends what nobody brought to its end in time, so that nothing is locked for ever:
		///
		/// - a pot that nobody has reported for twice [`Config::ReportDeadline`] epochs since it was
		///   earned, or since its last report was proven wrong: the treasury is credited with it, and
		///   the provider jailed;
		/// - a report of which nothing is settled as long after it could be: it is removed as one that
		///   is [disputed](Call::dispute);
		/// - a report that is settled in part: the treasury is credited with the rest and the deposit.
		///
		/// Fails with [`Error::NoPot`], [`Error::AlreadyReported`], [`Error::AuditOpen`],
		/// [`Error::TooEarlyToForfeit`].
		#[pallet::call_index(7)]
		#[pallet::weight(T::WeightInfo::forfeit().max(T::WeightInfo::fail_audit()))]
		pub fn forfeit(
			origin: OriginFor<T>,
			provider: AccountId,
			epoch: EpochIndex,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_forfeit(who, provider, epoch)
		}

		/// Demands that the leaves of a report be opened, as by an audit that is drawn: for watchers
		/// from whom they are withheld. [`Config::DemandDeposit`] is put on hold of the sender's money
		/// until it is answered, and is then of who answers. If it is not, the sender has it back and
		/// gets what a disputer would. Once for each report.
		///
		/// Fails with [`Error::NotReported`], [`Error::DisputeTooLate`], [`Error::AuditOpen`],
		/// [`Error::AlreadyDemanded`], [`Error::TooManyReports`], or if the sender lacks the deposit.
		#[pallet::call_index(8)]
		#[pallet::weight(T::WeightInfo::demand_audit())]
		pub fn demand_audit(
			origin: OriginFor<T>,
			provider: AccountId,
			epoch: EpochIndex,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_demand_audit(who, provider, epoch)
		}

		/// Removes up to `limit` [sources](Sources) of a pot that is settled or forfeited, no more than
		/// [`MAX_SWEEP`]. Anyone may do it, for no fee if there are `limit` of them and at least
		/// [`FREE_SWEEP`].
		///
		/// Fails with [`Error::NotReported`], [`Error::NotSettled`], [`Error::NothingToSweep`].
		#[pallet::call_index(9)]
		#[pallet::weight(T::WeightInfo::sweep((*limit).min(MAX_SWEEP)))]
		pub fn sweep(
			origin: OriginFor<T>,
			provider: AccountId,
			epoch: EpochIndex,
			limit: u32,
		) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			let removed = Self::do_sweep(provider, epoch, limit)?;
			let is_free = removed == limit && removed >= FREE_SWEEP;
			let pays = if is_free { Pays::No } else { Pays::Yes };
			Ok((Some(T::WeightInfo::sweep(removed)), pays).into())
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// The epoch in progress.
		pub fn epoch() -> Epoch {
			CurrentEpoch::<T>::get()
		}

		/// A version of the terms.
		pub fn terms(version: TermsVersion) -> Option<Terms> {
			TermsOf::<T>::get(version)
		}

		/// A provider's pot of an epoch.
		pub fn pot(provider: AccountId, epoch: EpochIndex) -> Option<Pot> {
			Pots::<T>::get(provider, epoch)
		}

		/// What a provider redeemed of a lane in an epoch; all zero where that was nothing, and where its
		/// pot is settled and swept; nothing for epochs before sources were kept.
		pub fn source_of(
			provider: AccountId,
			epoch: EpochIndex,
			channel: ChannelId,
			generation: Generation,
			lane: Lane,
		) -> Option<Source> {
			Self::source(&provider, epoch, channel, generation, lane)
		}

		/// A provider's report of an epoch. (`report` is the name of the call.)
		pub fn report_of(provider: AccountId, epoch: EpochIndex) -> Option<Report> {
			Reports::<T>::get(provider, epoch)
		}

		/// What became of the reports of a pot, if any was proven wrong and it is not settled.
		pub fn disproved(provider: AccountId, epoch: EpochIndex) -> Option<Removed> {
			Disproved::<T>::get(provider, epoch)
		}

		/// The audit that somebody demanded of a report that is not settled.
		pub fn demand(provider: AccountId, epoch: EpochIndex) -> Option<Demand> {
			Demands::<T>::get(provider, epoch)
		}

		/// What of a provider's pots is not settled, in units.
		pub fn at_risk_of(provider: AccountId) -> Balance {
			Self::at_risk(&provider)
		}

		/// What an account may claim, in units.
		pub fn credit(account: AccountId) -> Balance {
			Credits::<T>::get(account)
		}

		/// Where all money went.
		pub fn totals() -> Flows {
			Totals::<T>::get()
		}
	}
}
