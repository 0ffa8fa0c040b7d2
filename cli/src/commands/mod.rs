//! The commands, one file per noun.

pub mod account;
pub mod adapter;
pub mod channel;
pub mod chat;
pub mod datanet;
pub mod gateway;
pub mod keys;
pub mod model;
pub mod network;
pub mod provider;
pub mod receipt;
pub mod review;
pub mod rewards;
pub mod train;
pub mod watch;

use crate::{context::Context, Cli, CliError};

/// Runs the command line.
pub async fn run(cli: Cli) -> Result<(), CliError> {
	let context = Context::new(cli.global)?;
	cli.command.run(&context).await
}
