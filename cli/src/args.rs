//! The command line.

use crate::commands::{
	account, adapter, channel, chat, datanet, gateway, keys, model, network, provider, receipt,
	rewards, train, watch,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use openledger_client::Wait;
use std::path::PathBuf;

/// Specialised AI that pays the people who made it.
#[derive(Debug, Parser)]
#[command(name = "openledger", version, propagate_version = true)]
pub struct Cli {
	/// What holds for every command.
	#[command(flatten)]
	pub global: Global,
	/// The command.
	#[command(subcommand)]
	pub command: Command,
}

/// What holds for every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
	/// Address of the node.
	#[arg(
		long,
		global = true,
		env = "OPENLEDGER_CHAIN",
		default_value = "ws://127.0.0.1:9944",
		value_name = "URL"
	)]
	pub chain: String,

	/// The key that signs: its name, a key file, or a development key such as //Alice.
	#[arg(long, global = true, env = "OPENLEDGER_KEY", default_value = "default")]
	pub key: String,

	/// Prints JSON.
	#[arg(long, global = true)]
	pub json: bool,

	/// What to wait for after sending a transaction.
	#[arg(
		long,
		global = true,
		value_enum,
		default_value = "in-block",
		value_name = "UNTIL"
	)]
	pub wait: WaitFor,

	/// Where keys and journals are kept [default: ~/.config/openledger].
	#[arg(long, global = true, env = "OPENLEDGER_HOME", value_name = "DIR")]
	pub home: Option<PathBuf>,

	/// Says more about what happens.
	#[arg(long, short, global = true)]
	pub verbose: bool,
}

/// What to wait for after sending a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WaitFor {
	/// A block contains it.
	InBlock,
	/// That block is final.
	Finalized,
}

impl From<WaitFor> for Wait {
	fn from(wait: WaitFor) -> Self {
		match wait {
			WaitFor::InBlock => Self::InBlock,
			WaitFor::Finalized => Self::Finalized,
		}
	}
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
	/// Keys on this machine.
	#[command(subcommand)]
	Keys(keys::Keys),
	/// What accounts hold.
	#[command(subcommand)]
	Account(account::Account),
	/// Datanets: pools of records.
	#[command(subcommand)]
	Datanet(datanet::Datanet),
	/// Fine-tunes an adapter on snapshots.
	Train(train::Train),
	/// Base models.
	#[command(subcommand)]
	Model(model::Model),
	/// Adapters.
	#[command(subcommand)]
	Adapter(adapter::Adapter),
	/// Providers.
	#[command(subcommand)]
	Provider(provider::Provider),
	/// Payment channels.
	#[command(subcommand)]
	Channel(channel::Channel),
	/// Serves the OpenAI API on this machine and pays for the answers.
	Gateway(gateway::Gateway),
	/// Asks a model.
	Chat(chat::Chat),
	/// What you have earned.
	#[command(subcommand)]
	Rewards(rewards::Rewards),
	/// Who was paid for an answer, and why.
	#[command(subcommand)]
	Receipt(receipt::Receipt),
	/// Checks every usage report and disputes what is wrong.
	Watch(watch::Watch),
	/// The chain: its epoch, terms and totals.
	#[command(alias = "status")]
	Network,
}

impl Command {
	/// Runs the command and prints its result.
	pub async fn run(self, context: &crate::context::Context) -> Result<(), crate::CliError> {
		let output = match self {
			Self::Keys(command) => command.run(context)?,
			Self::Account(command) => command.run(context).await?,
			Self::Datanet(command) => command.run(context).await?,
			Self::Train(command) => command.run(context).await?,
			Self::Model(command) => command.run(context).await?,
			Self::Adapter(command) => command.run(context).await?,
			Self::Provider(command) => command.run(context).await?,
			Self::Channel(command) => command.run(context).await?,
			Self::Gateway(command) => return command.run(context).await,
			Self::Chat(command) => return command.run(context).await,
			Self::Rewards(command) => command.run(context).await?,
			Self::Receipt(command) => command.run(context).await?,
			Self::Watch(command) => return command.run(context).await,
			Self::Network => network::run(context).await?,
		};
		context.print(&output);
		Ok(())
	}
}

/// A price for tokens, as options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub struct RateArgs {
	/// Price of 1,000 tokens read, in OPEN.
	#[arg(long, default_value = "0", value_name = "OPEN")]
	pub rate_in: crate::amount::Open,
	/// Price of 1,000 tokens written, in OPEN.
	#[arg(long, default_value = "0", value_name = "OPEN")]
	pub rate_out: crate::amount::Open,
}

impl From<RateArgs> for openledger_primitives::Rate {
	fn from(args: RateArgs) -> Self {
		Self {
			input: args.rate_in.0,
			output: args.rate_out.0,
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clap::CommandFactory;

	#[test]
	fn command_line_should_be_consistent() {
		Cli::command().debug_assert();
	}

	#[test]
	fn global_options_should_hold_behind_the_command_too() {
		let cli = Cli::try_parse_from([
			"openledger",
			"network",
			"--chain",
			"ws://h:1",
			"--key",
			"//Bob",
			"--json",
			"--wait",
			"finalized",
		])
		.unwrap();
		assert_eq!(cli.global.chain, "ws://h:1");
		assert_eq!(cli.global.key, "//Bob");
		assert!(cli.global.json);
		assert_eq!(cli.global.wait, WaitFor::Finalized);
	}

	#[test]
	fn amounts_should_be_parsed_on_the_command_line() {
		let parse = |escrow: &str| {
			Cli::try_parse_from([
				"openledger",
				"channel",
				"open",
				"--provider",
				"//Bob",
				"--escrow",
				escrow,
			])
		};
		assert!(parse("1.5").is_ok());
		let error = parse("1,5").unwrap_err().to_string();
		assert!(error.contains("no amount of OPEN"), "{error}");
	}
}
