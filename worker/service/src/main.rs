//! The server of a provider.

use clap::Parser;
use openledger_worker::{
	serve,
	settings::{Cli, Command, Serve},
};
use std::{io::IsTerminal, process::ExitCode};
use tokio::signal::unix::{signal, SignalKind};
use tracing_subscriber::EnvFilter;

fn logs(settings: &Serve) {
	let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
	let subscriber = tracing_subscriber::fmt()
		.with_env_filter(filter)
		.with_writer(std::io::stderr);
	if settings.log_json {
		subscriber.json().init();
	} else {
		let is_terminal = std::io::stderr().is_terminal();
		subscriber.with_target(false).with_ansi(is_terminal).init();
	}
}

async fn run(settings: Serve) -> anyhow::Result<()> {
	let mut terminate = signal(SignalKind::terminate())?;
	let mut interrupt = signal(SignalKind::interrupt())?;
	let stop = async move {
		tokio::select! {
			_ = terminate.recv() => {},
			_ = interrupt.recv() => {},
		}
	};
	tokio::pin!(stop);
	let running = tokio::select! {
		running = serve::start(settings) => running?,
		() = &mut stop => return Ok(()),
	};
	running.until(stop).await
}

#[tokio::main]
async fn main() -> ExitCode {
	let Command::Serve(settings) = Cli::parse().command;
	logs(&settings);
	match run(*settings).await {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("openledger-worker: {error:#}");
			ExitCode::FAILURE
		}
	}
}
