//! What calls and hooks weigh, measured in this runtime: one file per pallet, written by
//! `make weights`. `docs/weights.md` says how they are measured and how to read them.
//!
//! A weight is the time of the call's own computation on the machine that the file names, and the
//! time of its reads and writes by the SDK's figures for ParityDB, which every node uses.

pub mod frame_system;
pub mod frame_system_extensions;
pub mod governance;
pub mod pallet_attribution;
pub mod pallet_babe;
pub mod pallet_balances;
pub mod pallet_channels;
pub mod pallet_conviction_voting;
pub mod pallet_datanets;
pub mod pallet_grandpa;
pub mod pallet_models;
pub mod pallet_multisig;
pub mod pallet_preimage;
pub mod pallet_providers;
pub mod pallet_proxy;
pub mod pallet_referenda;
pub mod pallet_scheduler;
pub mod pallet_session;
pub mod pallet_stakes;
pub mod pallet_timestamp;
pub mod pallet_transaction_payment;
pub mod pallet_treasury;
pub mod pallet_utility;

use crate::Runtime;
use core::marker::PhantomData;
use frame_support::weights::Weight;

/// Most validators there can be: as many as can be elected, and as many to fall back on.
pub const MOST_VALIDATORS: u32 = 512;

/// What a report of an equivocation weighs. It says itself how many validators there were; with too
/// low a number it would be refused, but not before the whole set was looked at. So it weighs as if
/// there were as many as there can be.
pub struct Reports<Measured>(PhantomData<Measured>);

impl<Measured: ::pallet_babe::WeightInfo> ::pallet_babe::WeightInfo for Reports<Measured> {
	fn plan_config_change() -> Weight {
		Measured::plan_config_change()
	}

	fn report_equivocation(validators: u32, delegators: u32) -> Weight {
		Measured::report_equivocation(validators.max(MOST_VALIDATORS), delegators)
	}
}

impl<Measured: ::pallet_grandpa::WeightInfo> ::pallet_grandpa::WeightInfo for Reports<Measured> {
	fn report_equivocation(validators: u32, delegators: u32) -> Weight {
		Measured::report_equivocation(validators.max(MOST_VALIDATORS), delegators)
	}

	fn note_stalled() -> Weight {
		Measured::note_stalled()
	}
}

/// What a call of `pallet_parameters` weighs. Nobody may use it; to refuse it takes less than to set
/// a value by `governance.set`.
pub struct Parameters;

impl pallet_parameters::WeightInfo for Parameters {
	fn set_parameter() -> Weight {
		<governance::WeightInfo<Runtime> as crate::governance::WeightInfo>::set()
	}
}
