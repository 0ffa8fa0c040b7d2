//! One file per call, and others for what happens between calls.

mod attacks;
mod bond;
mod bond_more;
mod cancel_slash;
mod chill;
mod claim;
mod delegate;
mod dissolve;
mod election;
mod offences;
mod purge_keys;
mod random;
mod set_fallback;
mod try_state;
mod unbond;
mod undelegate;
mod unjail;
mod validate;
mod weights;
mod withdraw_unbonded;

use crate::{
	mock::{Stakes, *},
	*,
};
use frame::testing_prelude::{assert_noop, assert_ok};

type Balance = openledger_primitives::Balance;
