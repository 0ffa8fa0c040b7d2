//! The server of a provider.

use clap::Parser;
use openledger_worker::{
	doctor, serve,
	settings::{Cli, Command, Serve},
	telemetry::Telemetry,
};
use std::process::ExitCode;
use tokio::signal::unix::{signal, SignalKind};

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
	let settings = match Cli::parse().command {
		Command::Serve(settings) => settings,
		Command::Doctor(settings) => return doctor::run(settings),
	};
	let done = match Telemetry::start(&settings) {
		Ok(telemetry) => {
			let done = run(*settings).await;
			// Sending the last traces waits for a task, which must not wait for this thread.
			if tokio::task::spawn_blocking(|| telemetry.shutdown())
				.await
				.is_err()
			{
				eprintln!("openledger-worker: the last traces were not sent");
			}
			done
		}
		Err(error) => Err(error),
	};
	match done {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("openledger-worker: {error:#}");
			ExitCode::FAILURE
		}
	}
}
