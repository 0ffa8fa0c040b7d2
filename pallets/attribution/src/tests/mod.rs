//! Tests: one file per call, and for what happens without one; one for the attacks and one for random
//! sequences.

mod attacks;
mod claim;
mod collect;
mod epochs;
mod random;
mod report;
mod settle;
mod weights;

pub(super) use crate::{mock::*, *};
pub(super) use frame::{
	testing_prelude::*,
	traits::fungible::{Inspect as _, Mutate as _},
};
pub(super) use openledger_primitives::{Hash, OPEN};
