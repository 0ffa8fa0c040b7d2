//! `openledger`: what a contributor, builder, provider or payer types, and the payer's local gateway.
//!
//! Every command prints a table or a few lines for people, or one JSON value with `--json`. Every
//! failure has a stable code and says what to do.

#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod amount;
pub mod answers;
pub mod args;
pub mod commands;
pub mod content;
pub mod context;
pub mod error;
pub mod explain;
pub mod gateway;
pub mod home;
pub mod output;
pub mod watch;
pub mod workers;

pub use args::Cli;
pub use error::CliError;
