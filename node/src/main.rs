//! `openledger-node`: validates blocks, or follows the chain and answers RPC.

// The error types are the framework's, and an error is made once, on the way out.
#![allow(clippy::result_large_err)]

mod chain_spec;
mod cli;
mod command;
mod equivocation;
mod metrics;
mod rpc;
mod sealing;
mod service;

fn main() -> sc_cli::Result<()> {
	command::run()
}
