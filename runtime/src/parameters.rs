//! Every value that governance can change, with its default. Each is typed, and has its bounds and
//! who may change it in [`crate::governance::rules`], without which a new one does not compile.
//! Until somebody sets it, the default holds. Terms and length of an attribution epoch take effect
//! with the next one, everything else with the block that changes it, for what begins then: what
//! is open keeps the window it was promised. Only the deadline of reports holds for the pots that
//! are open, too; it cannot be set below its default, and is counted in epochs of their length then.
//!
//! The codec indices of modules and keys are part of the encoding of `parameters.set_parameter`:
//! they never change and are never reused.

use crate::{
	currency::{MICRO_OPEN, MILLI_OPEN, OPEN},
	time::{DAYS, HOURS, MINUTES},
	Balance, BlockNumber, Runtime,
};
use frame_support::dynamic_params::{dynamic_pallet_params, dynamic_params};
use openledger_primitives::{EpochIndex, Terms};

/// The governed values, one module per theme.
#[dynamic_params(RuntimeParameters, pallet_parameters::Parameters::<Runtime>)]
pub mod governed {
	use super::*;

	/// What transactions cost; see [`crate::fees`].
	#[dynamic_pallet_params]
	#[codec(index = 0)]
	pub mod fees {
		/// Fee of a call that does nothing, in units of 10⁻¹⁸ OPEN.
		#[codec(index = 0)]
		pub static BaseFee: Balance = MILLI_OPEN;

		/// Fee per byte of a transaction, in units of 10⁻¹⁸ OPEN.
		#[codec(index = 1)]
		pub static ByteFee: Balance = 5 * MICRO_OPEN;
	}

	/// How licence money is counted and split; see `pallet-attribution`.
	#[dynamic_pallet_params]
	#[codec(index = 1)]
	pub mod attribution {
		/// The protocol's cut and everybody's share. New terms hold from the next epoch on; terms
		/// whose shares do not sum to the whole are ignored.
		#[codec(index = 0)]
		pub static SplitTerms: Terms = Terms::default();

		/// Blocks in an epoch, from the next one on; at least two.
		#[codec(index = 1)]
		pub static EpochLength: BlockNumber = HOURS;

		/// Blocks between a usage report and its settlement, in which it can be disputed.
		#[codec(index = 2)]
		pub static DisputeWindow: BlockNumber = DAYS;

		/// Epochs after which others may report a pot in its provider's place; after twice as many
		/// it is forfeited to the treasury.
		#[codec(index = 3)]
		pub static ReportDeadline: EpochIndex = 24;

		/// The least that another than the provider puts on hold for a report, in units of 10⁻¹⁸
		/// OPEN. It is never less than the pot.
		#[codec(index = 4)]
		pub static ReporterDeposit: Balance = 100 * OPEN;

		/// The least that a provider is slashed by for a false report, in units of 10⁻¹⁸ OPEN.
		#[codec(index = 5)]
		pub static MinSlash: Balance = 10 * OPEN;

		/// What it is slashed by, in parts per million of the pot.
		#[codec(index = 6)]
		pub static SlashFactor: u32 = 2_000_000;

		/// What of a slash goes to who proved the report false, in parts per million; the rest is
		/// burnt.
		#[codec(index = 7)]
		pub static DisputerShare: u32 = 500_000;

		/// How many reports are audited, in parts per million.
		#[codec(index = 8)]
		pub static AuditRate: u32 = 100_000;

		/// Blocks in which an audit is to be answered.
		#[codec(index = 9)]
		pub static AuditPeriod: BlockNumber = HOURS;

		/// What who demands an audit puts on hold for whoever answers it, in units of 10⁻¹⁸ OPEN.
		#[codec(index = 10)]
		pub static DemandDeposit: Balance = OPEN;
	}

	/// What payers and providers are held to; see `pallet-channels` and `pallet-providers`.
	#[dynamic_pallet_params]
	#[codec(index = 2)]
	pub mod serving {
		/// Blocks between a payer's notice and the withdrawal of its escrow. A thaw always outlasts
		/// every voucher, whatever this says.
		#[codec(index = 0)]
		pub static ThawPeriod: BlockNumber = 2 * DAYS;

		/// The most blocks that a voucher may still be good for when it is redeemed.
		#[codec(index = 1)]
		pub static VoucherLifetime: BlockNumber = DAYS;

		/// Least escrow of a new channel, in units of 10⁻¹⁸ OPEN.
		#[codec(index = 2)]
		pub static MinEscrow: Balance = 100 * MILLI_OPEN;

		/// Least bond of a provider, in units of 10⁻¹⁸ OPEN.
		#[codec(index = 3)]
		pub static MinBond: Balance = 100 * OPEN;

		/// Blocks that a leaving provider waits for its bond.
		#[codec(index = 4)]
		pub static UnbondingPeriod: BlockNumber = 7 * DAYS;

		/// Highest price anybody may ask per 1,000 tokens, in units of 10⁻¹⁸ OPEN.
		#[codec(index = 5)]
		pub static MaxRate: Balance = 1_000 * OPEN;

		/// Blocks that a jailed provider stays jailed at least.
		#[codec(index = 6)]
		pub static JailPeriod: BlockNumber = DAYS;

		/// How many times its bond a provider may have collected in licence money that is not settled,
		/// in parts per million.
		#[codec(index = 7)]
		pub static BondFactor: u32 = 4_000_000;

		/// Blocks between the announcement of a provider's price and the first block it holds in.
		#[codec(index = 8)]
		pub static QuoteNotice: BlockNumber = HOURS;

		/// The fewest blocks between two heartbeats of a provider, and the most that one may be old.
		#[codec(index = 9)]
		pub static HeartbeatPeriod: BlockNumber = 10 * MINUTES;

		/// After how many of those periods without a heartbeat a provider counts as silent.
		#[codec(index = 10)]
		pub static MissedHeartbeats: u32 = 3;
	}

	/// What holds contributors and reviewers of data to their word; see `pallet-datanets`.
	#[dynamic_pallet_params]
	#[codec(index = 3)]
	pub mod datanets {
		/// What a contribution locks beside its storage deposit, in units of 10⁻¹⁸ OPEN; forfeited
		/// when it is proven to be a duplicate.
		#[codec(index = 0)]
		pub static ContributionBond: Balance = OPEN;

		/// What a contribution to an open Datanet locks in addition for each KiB of records begun, in
		/// units of 10⁻¹⁸ OPEN.
		#[codec(index = 1)]
		pub static OpenBondPerKib: Balance = 10 * MILLI_OPEN;

		/// Blocks after acceptance until the bond may be taken back.
		#[codec(index = 2)]
		pub static BondPeriod: BlockNumber = 30 * DAYS;

		/// The part of a duplicate's bond that goes to who proves it, in millionths.
		#[codec(index = 3)]
		pub static DuplicateReward: u32 = 500_000;

		/// Least stake of a reviewer, in units of 10⁻¹⁸ OPEN.
		#[codec(index = 4)]
		pub static MinReviewerStake: Balance = 100 * OPEN;

		/// Blocks that stake must have stood before it gets a seat in a review.
		#[codec(index = 5)]
		pub static ReviewerWarmUp: BlockNumber = HOURS;

		/// What the contributor pays the reviewers for each review, in units of 10⁻¹⁸ OPEN.
		#[codec(index = 6)]
		pub static ReviewFee: Balance = OPEN;

		/// Blocks in which reviewers commit to their votes.
		#[codec(index = 7)]
		pub static CommitPeriod: BlockNumber = DAYS;

		/// Blocks after that in which they reveal them.
		#[codec(index = 8)]
		pub static RevealPeriod: BlockNumber = DAYS;

		/// Blocks after a rejection in which the contributor may appeal.
		#[codec(index = 9)]
		pub static AppealPeriod: BlockNumber = 3 * DAYS;

		/// What an appeal puts at stake, in units of 10⁻¹⁸ OPEN.
		#[codec(index = 10)]
		pub static AppealDeposit: Balance = 10 * OPEN;

		/// The part of the seated stake that must have voted for a review to count, in millionths.
		#[codec(index = 11)]
		pub static ReviewQuorum: u32 = 333_334;

		/// The same for an appeal.
		#[codec(index = 12)]
		pub static AppealQuorum: u32 = 500_001;

		/// The part of its stake that a reviewer loses who commits to a vote and does not reveal it,
		/// in millionths; who does not vote loses a fifth of that.
		#[codec(index = 13)]
		pub static SilenceSlash: u32 = 50_000;
	}

	/// Who validates and what stakers are held to; see `pallet-stakes`. A session is the stretch of
	/// blocks for which a set of validators holds, an hour.
	#[dynamic_pallet_params]
	#[codec(index = 4)]
	pub mod stakes {
		/// Least stake of its own that a validator needs, in units of 10⁻¹⁸ OPEN.
		#[codec(index = 0)]
		pub static MinSelfStake: Balance = 10_000 * OPEN;

		/// Least stake of a delegator on a validator, in units of 10⁻¹⁸ OPEN.
		#[codec(index = 1)]
		pub static MinDelegation: Balance = 10 * OPEN;

		/// With fewer elected validators than this, the fallback set joins them. Four are the fewest
		/// that keep finality when one fails.
		#[codec(index = 2)]
		pub static MinValidators: u32 = 4;

		/// Most validators that are elected.
		#[codec(index = 3)]
		pub static MaxValidators: u32 = 100;

		/// Highest commission of a validator, in millionths of its income.
		#[codec(index = 4)]
		pub static MaxCommission: u32 = 200_000;

		/// Sessions that money waits after it has left a stake. It always waits for longer than
		/// offences can be reported, whatever this says.
		#[codec(index = 5)]
		pub static UnbondingPeriod: u32 = 14 * 24;

		/// Sessions between the report of a validator's offence and its slash, in which the slash can
		/// be cancelled.
		#[codec(index = 6)]
		pub static SlashDelay: u32 = 7 * 24;

		/// Sessions that a validator stays in jail at least.
		#[codec(index = 7)]
		pub static JailPeriod: u32 = 7 * 24;
	}
}
