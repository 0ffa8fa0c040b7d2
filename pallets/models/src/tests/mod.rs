//! One file per call, one for genesis, and one for many registrations.

mod deposits;
mod genesis;
mod register_adapter;
mod register_base;
mod retire_adapter;
