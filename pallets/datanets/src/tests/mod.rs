//! One file per call, and others for sequences of them and for the invariants.

mod accept;
mod contribute;
mod create;
mod deposits;
mod reject;
mod snapshot;
mod try_state;
mod withdraw;
