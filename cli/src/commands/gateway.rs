//! `openledger gateway`.

use crate::{
	amount::Open,
	context::Context,
	gateway::{self, purse::Budget},
	output::say,
	CliError,
};
use clap::Args;
use openledger_client::Chain;
use serde_json::json;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// How much may be spent, as options.
#[derive(Clone, Copy, Debug, Args)]
pub struct Spending {
	/// What to put into a channel when it is opened, and again when it runs low, in OPEN.
	#[arg(long, default_value = "10", value_name = "OPEN")]
	pub escrow: Open,
	/// The most to put into channels in all, in OPEN.
	#[arg(long, default_value = "100", value_name = "OPEN")]
	pub max_spend: Open,
	/// The most that one answer may cost, in OPEN.
	#[arg(long, default_value = "5", value_name = "OPEN")]
	pub max_per_answer: Open,
	/// Answers at a time per provider.
	#[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=256))]
	pub lanes: u16,
}

impl Spending {
	/// Opens a gateway that spends so much of the account of `--key`.
	pub async fn open(
		self,
		context: &Context,
		chain: &Chain,
	) -> Result<std::sync::Arc<gateway::Gateway>, CliError> {
		let budget = Budget {
			escrow: self.escrow.0,
			max_spend: self.max_spend.0,
			per_answer: self.max_per_answer.0,
			lanes: self.lanes,
		};
		gateway::Gateway::open(chain, &context.home, context.key()?, budget).await
	}
}

/// Serves the OpenAI API on this machine and pays for the answers.
#[derive(Debug, Args)]
pub struct Gateway {
	/// Where to listen. Whoever can reach it spends your OPEN.
	#[arg(long, default_value = "127.0.0.1:8787", value_name = "ADDRESS")]
	listen: SocketAddr,
	/// How much may be spent.
	#[command(flatten)]
	spending: Spending,
}

impl Gateway {
	/// Serves until it is told to stop.
	pub async fn run(self, context: &Context) -> Result<(), CliError> {
		let chain = context.chain().await?;
		let gateway = self.spending.open(context, &chain).await?;
		let listener = TcpListener::bind(self.listen).await.map_err(|error| {
			CliError::new(
				"listen",
				format!(
					"{} cannot be listened on: {error}. Choose another --listen.",
					self.listen
				),
			)
		})?;
		let address = listener.local_addr().unwrap_or(self.listen);
		let payer = gateway.purse.payer();
		let hello = match context.global.json {
			true => json!({ "listening": address, "payer": payer }).to_string(),
			false => format!("Serving the OpenAI API on http://{address}/v1, paid by {payer}."),
		};
		say(&format!("{hello}\n"));
		gateway.serve(listener, stopped()).await
	}
}

/// Resolves when the process is asked to end.
async fn stopped() {
	let interrupt = async {
		// Without the handler, the signal ends the process by itself.
		let _asked = tokio::signal::ctrl_c().await;
	};
	#[cfg(unix)]
	let terminate = async {
		use tokio::signal::unix::{signal, SignalKind};
		match signal(SignalKind::terminate()) {
			Ok(mut signal) => {
				signal.recv().await;
			}
			Err(_) => std::future::pending().await,
		}
	};
	#[cfg(not(unix))]
	let terminate = std::future::pending::<()>();
	tokio::select! {
		() = interrupt => (),
		() = terminate => (),
	}
}
