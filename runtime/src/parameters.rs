//! Every value that governance can change, with its default. Each is typed and takes effect with
//! the block that changes it; until somebody sets it, the default holds.
//!
//! The codec indices of modules and keys are part of the encoding of `parameters.set_parameter`:
//! they never change and are never reused.

use crate::{
	currency::{MICRO_OPEN, MILLI_OPEN, OPEN},
	time::{DAYS, HOURS},
	Balance, BlockNumber, Runtime,
};
use frame_support::dynamic_params::{dynamic_pallet_params, dynamic_params};
use openledger_primitives::Terms;

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
	}
}
