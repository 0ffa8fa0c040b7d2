//! Governance: who may decide what, how long a decision takes, and what may be decided.
//!
//! Whoever owns OPEN decides. Somebody puts a call to the vote as a referendum on one of the
//! [`tracks`]; the owners vote with their OPEN; a referendum that passes is carried out with its
//! track's [`Origin`], which can do what its track is for and nothing else. Only the track `root`
//! can do everything, runtime upgrades among it. There is no key that can do without a vote.
//!
//! Governed values are changed by [`Pallet::set`] and by nothing else: it checks that the origin
//! may change that value, and that the new value is within its [`rules`]. `docs/governance.md`
//! tells voters what they need to know.

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
pub mod origins;
pub mod rules;
pub mod tracks;

pub use pallet::*;

use frame_support::weights::Weight;

/// Weights of this pallet's calls.
pub trait WeightInfo {
	/// [`Pallet::set`] of the value that takes longest.
	fn set() -> Weight;
}

#[frame_support::pallet]
pub mod pallet {
	use super::{
		rules::{self, Rule, Violation},
		WeightInfo as _,
	};
	use crate::{RuntimeEvent, RuntimeOrigin, RuntimeParameters, RuntimeParametersKey};
	use frame_support::{
		pallet_prelude::*,
		traits::{dynamic_params::AggregatedKeyValue, OriginTrait},
	};
	use frame_system::pallet_prelude::*;

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config:
		frame_system::Config<RuntimeOrigin = RuntimeOrigin, RuntimeEvent = RuntimeEvent>
	{
		/// Weights of the calls.
		type WeightInfo: super::WeightInfo;
	}

	/// Whom a referendum that passed acts as: one for each track but `root`.
	#[pallet::origin]
	#[derive(
		Clone,
		Copy,
		Debug,
		Decode,
		DecodeWithMemTracking,
		Encode,
		Eq,
		MaxEncodedLen,
		PartialEq,
		TypeInfo,
	)]
	pub enum Origin {
		/// Spends the treasury's money and sets transaction fees.
		#[codec(index = 0)]
		Treasurer,
		/// Sets shares, epochs and disputes; decides on attribution algorithms.
		#[codec(index = 1)]
		Attribution,
		/// Sets what payers and providers are held to.
		#[codec(index = 2)]
		Serving,
		/// Cancels referenda and slashes; deposits go back.
		#[codec(index = 3)]
		Canceller,
		/// Cancels referenda that mean harm; deposits are slashed.
		#[codec(index = 4)]
		Killer,
	}

	/// Why a governed value cannot be set.
	#[pallet::error]
	pub enum Error<T> {
		/// The value, or one of the terms, is below what is allowed; look its bounds up with the
		/// view function `rule`.
		#[codec(index = 0)]
		TooLow,
		/// The value, or one of the terms, is above what is allowed; look its bounds up with the
		/// view function `rule`.
		#[codec(index = 1)]
		TooHigh,
		/// The four licence shares must sum to exactly 1,000,000 parts.
		#[codec(index = 2)]
		SharesDoNotSum,
	}

	impl<T> From<Violation> for Error<T> {
		fn from(violation: Violation) -> Self {
			match violation {
				Violation::TooLow => Error::TooLow,
				Violation::TooHigh => Error::TooHigh,
				Violation::SharesDoNotSum => Error::SharesDoNotSum,
			}
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Sets a governed value, or back to its default where none is given.
		///
		/// The origin must be that of the value's track, or root. Emits
		/// `pallet_parameters::Event::Updated`. Fails with [`Error::TooLow`], [`Error::TooHigh`],
		/// [`Error::SharesDoNotSum`].
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::set())]
		pub fn set(origin: OriginFor<T>, parameter: RuntimeParameters) -> DispatchResult {
			let (key, value) = parameter.into_parts();
			let rule = rules::rule(&key);
			ensure!(
				rule.authority.admits(origin.caller()),
				DispatchError::BadOrigin
			);
			if let Some(value) = &value {
				rule.check(value).map_err(Error::<T>::from)?;
			}
			rules::store(key, value);
			Ok(())
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// Who may change this value, what it is now, and its bounds.
		pub fn rule(key: RuntimeParametersKey) -> Rule {
			rules::rule(&key)
		}
	}
}
