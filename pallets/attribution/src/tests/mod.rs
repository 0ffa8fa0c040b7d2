//! Tests: one file per call, and for what happens without one; one for the attacks and one for random
//! sequences.

mod answer_audit;
mod attacks;
mod claim;
mod collect;
mod demand_audit;
mod deposits;
mod dispute;
mod epochs;
mod fail_audit;
mod forfeit;
mod migrations;
mod random;
mod report;
mod report_for;
mod settle;
mod sweep;
mod weights;
mod withdraw_credit;

pub(super) use crate::{mock::*, *};
pub(super) use frame::{
	testing_prelude::*,
	traits::fungible::{hold::Inspect as _, Inspect as _, Mutate as _},
};
pub(super) use openledger_primitives::{Hash, Receipt, OPEN};
