//! One file per call, others for genesis, many registrations and the invariants.

mod algorithms;
mod deposits;
mod genesis;
mod migrations;
mod register_adapter;
mod register_base;
mod retire_adapter;
mod try_state;
