//! The command line.

use crate::sealing::Sealing;

/// What the node was asked to do.
#[derive(Debug, clap::Parser)]
pub struct Cli {
	/// A task other than running the node.
	#[command(subcommand)]
	pub subcommand: Option<Subcommand>,

	#[command(flatten)]
	pub run: sc_cli::RunCmd,

	/// Makes blocks on demand instead of by the clock, on a development chain: `instant` for
	/// every transaction, `manual` for every `engine_createBlock` call.
	#[arg(long, value_enum, ignore_case = true, conflicts_with = "validator")]
	pub sealing: Option<Sealing>,
}

/// A task other than running the node.
#[derive(Debug, clap::Subcommand)]
#[allow(clippy::large_enum_variant)]
pub enum Subcommand {
	/// Makes, inspects and inserts keys.
	#[command(subcommand)]
	Key(sc_cli::KeySubcommand),

	/// Writes a chain's specification to a file.
	ExportChainSpec(sc_cli::ExportChainSpecCmd),

	/// Checks that a block is valid.
	CheckBlock(sc_cli::CheckBlockCmd),

	/// Writes blocks to a file.
	ExportBlocks(sc_cli::ExportBlocksCmd),

	/// Writes the state at a block as a chain specification.
	ExportState(sc_cli::ExportStateCmd),

	/// Reads blocks from a file.
	ImportBlocks(sc_cli::ImportBlocksCmd),

	/// Deletes the chain's data.
	PurgeChain(sc_cli::PurgeChainCmd),

	/// Takes back unfinalised blocks.
	Revert(sc_cli::RevertCmd),

	/// Prints what the database knows of the chain.
	ChainInfo(sc_cli::ChainInfoCmd),
}
