//! Every value that governance can change, with its default. Each is typed and takes effect with
//! the block that changes it; until somebody sets it, the default holds.
//!
//! The codec indices of modules and keys are part of the encoding of `parameters.set_parameter`:
//! they never change and are never reused.

use crate::{
	currency::{MICRO_OPEN, MILLI_OPEN},
	Balance, Runtime,
};
use frame_support::dynamic_params::{dynamic_pallet_params, dynamic_params};

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
}
