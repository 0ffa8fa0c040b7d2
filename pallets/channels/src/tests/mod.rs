//! Tests: one file per call, one for the attacks and one for random sequences of calls.

mod attacks;
mod cancel_thaw;
mod close;
mod migrations;
mod open;
mod random;
mod redeem;
mod room;
mod set_delegate;
mod signatures;
mod thaw;
mod top_up;
mod weights;
mod withdraw;

// Named, since the pallet's storage of channels bears the same name.
pub(super) use crate::mock::Channels;
pub(super) use crate::{mock::*, *};
pub(super) use frame::{
	deps::sp_core::Pair as _,
	testing_prelude::*,
	traits::{
		fungible::{Inspect as _, InspectHold as _},
		LockableCurrency as _, WithdrawReasons,
	},
};
pub(super) use openledger_primitives::{Hash, Voucher, OPEN};
