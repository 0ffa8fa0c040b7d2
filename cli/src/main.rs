//! The `openledger` program.

use clap::Parser;
use openledger_cli::{commands, Cli};
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
	let cli = Cli::parse();
	let level = if cli.global.verbose {
		"openledger=debug"
	} else {
		"openledger=info"
	};
	let filter = tracing_subscriber::EnvFilter::try_from_default_env()
		.unwrap_or_else(|_| format!("{level},openledger_cli={}", &level[11..]).into());
	tracing_subscriber::fmt()
		.with_env_filter(filter)
		.with_writer(std::io::stderr)
		.init();
	let json = cli.global.json;
	match commands::run(cli).await {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => {
			error.print(json);
			ExitCode::FAILURE
		}
	}
}
