//! Sets governed parameters at genesis, so that a chain for trying things out can have short
//! periods from its first block. It has no calls, no storage and nothing to do afterwards.

pub use pallet::*;

#[frame_support::pallet]
pub mod pallet {
	use crate::{
		parameters::governed::{attribution, serving},
		BlockNumber, Parameters, RuntimeOrigin, RuntimeParameters,
	};
	use frame_support::pallet_prelude::*;

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config {}

	/// Values that replace the defaults; `null` keeps the default. All are numbers of blocks.
	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// Length of an attribution epoch.
		pub epoch_length: Option<BlockNumber>,
		/// Time in which a usage report can be disputed.
		pub dispute_window: Option<BlockNumber>,
		/// Time a payer waits between asking for a channel's escrow and getting it.
		pub thaw_period: Option<BlockNumber>,
		/// Most time a voucher may stay valid.
		pub voucher_lifetime: Option<BlockNumber>,
		/// Time a leaving provider waits for its bond.
		pub unbonding_period: Option<BlockNumber>,
		/// Nothing.
		#[serde(skip)]
		pub marker: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			use attribution::Parameters as A;
			use serving::Parameters as S;
			let values = [
				self.epoch_length.map(|blocks| {
					RuntimeParameters::Attribution(A::EpochLength(
						attribution::EpochLength,
						Some(blocks),
					))
				}),
				self.dispute_window.map(|blocks| {
					RuntimeParameters::Attribution(A::DisputeWindow(
						attribution::DisputeWindow,
						Some(blocks),
					))
				}),
				self.thaw_period.map(|blocks| {
					RuntimeParameters::Serving(S::ThawPeriod(serving::ThawPeriod, Some(blocks)))
				}),
				self.voucher_lifetime.map(|blocks| {
					RuntimeParameters::Serving(S::VoucherLifetime(
						serving::VoucherLifetime,
						Some(blocks),
					))
				}),
				self.unbonding_period.map(|blocks| {
					RuntimeParameters::Serving(S::UnbondingPeriod(
						serving::UnbondingPeriod,
						Some(blocks),
					))
				}),
			];
			for value in values.into_iter().flatten() {
				Parameters::set_parameter(RuntimeOrigin::root(), value)
					.expect("root may set every parameter; qed");
			}
		}
	}
}
