//! Blocks on demand, for development and tests: no slot is waited for, and each block is final at
//! once. The chain's clock still advances by one slot per block, so it may run ahead of real time.

use crate::service::{BlockImport, Client, SelectChain, TransactionPool};
use futures::{channel::mpsc, future::BoxFuture, stream, Stream, StreamExt};
use openledger_runtime::{opaque::Block, Hash};
use sc_consensus_manual_seal::{
	consensus::{babe::BabeConsensusDataProvider, timestamp::SlotTimestampProvider},
	rpc::EngineCommand,
	run_manual_seal, ManualSealParams,
};
use sc_transaction_pool_api::TransactionPool as _;
use sp_consensus_babe::inherents::InherentDataProvider as SlotInherent;
use sp_keystore::KeystorePtr;
use std::{future::ready, pin::Pin, sync::Arc};

/// When to make a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Sealing {
	/// For every transaction that enters the pool, and for every `engine_createBlock` call.
	Instant,
	/// For every `engine_createBlock` call.
	Manual,
}

/// `engine_createBlock` calls that may wait for their turn.
const WAITING_COMMANDS: usize = 1_000;

/// What making blocks needs of the node.
pub struct Deps {
	pub client: Arc<Client>,
	pub pool: Arc<TransactionPool>,
	pub select_chain: SelectChain,
	pub block_import: BlockImport,
	pub babe_link: sc_consensus_babe::BabeLink<Block>,
	pub keystore: KeystorePtr,
	pub spawner: sc_service::SpawnTaskHandle,
}

type Commands = Pin<Box<dyn Stream<Item = EngineCommand<Hash>> + Send>>;

/// Opens the channel that `engine_createBlock` writes to.
pub fn commands() -> (
	mpsc::Sender<EngineCommand<Hash>>,
	mpsc::Receiver<EngineCommand<Hash>>,
) {
	mpsc::channel(WAITING_COMMANDS)
}

/// The task that makes blocks as `sealing` says, until the node stops.
///
/// # Errors
/// When the chain's BABE configuration cannot be read.
pub fn task(
	sealing: Sealing,
	requested: mpsc::Receiver<EngineCommand<Hash>>,
	deps: Deps,
) -> Result<BoxFuture<'static, ()>, sc_service::Error> {
	let proposer = sc_basic_authorship::ProposerFactory::new(
		deps.spawner,
		Arc::clone(&deps.client),
		Arc::clone(&deps.pool),
		None,
		None,
	);
	let authorities = deps.babe_link.config().authorities.clone();
	let digests = BabeConsensusDataProvider::new(
		Arc::clone(&deps.client),
		deps.keystore,
		deps.babe_link.epoch_changes().clone(),
		authorities,
	)
	.map_err(other)?;

	let commands: Commands = match sealing {
		Sealing::Manual => Box::pin(requested),
		Sealing::Instant => {
			let per_transaction =
				deps.pool
					.import_notification_stream()
					.map(|_| EngineCommand::SealNewBlock {
						create_empty: true,
						finalize: true,
						parent_hash: None,
						sender: None,
					});
			Box::pin(stream::select(per_transaction, requested))
		}
	};

	let client = Arc::clone(&deps.client);
	Ok(Box::pin(run_manual_seal(ManualSealParams {
		block_import: deps.block_import,
		env: proposer,
		client: deps.client,
		pool: deps.pool,
		commands_stream: commands,
		select_chain: deps.select_chain,
		consensus_data_provider: Some(Box::new(digests)),
		create_inherent_data_providers: move |_, ()| ready(next_slot(Arc::clone(&client))),
	})))
}

/// The slot after the best block's, and its time.
fn next_slot(
	client: Arc<Client>,
) -> Result<(SlotTimestampProvider, SlotInherent), Box<dyn std::error::Error + Send + Sync>> {
	let clock = SlotTimestampProvider::new_babe(client)?;
	let slot = SlotInherent::new(clock.slot());
	Ok((clock, slot))
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> sc_service::Error {
	sc_service::Error::Application(Box::new(error))
}
