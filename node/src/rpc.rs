//! The RPC methods added to those that every node of this kind serves.

use crate::service::{Client, FullBackend, SelectChain, TransactionPool};
use openledger_runtime::{opaque::Block, BlockNumber, Hash};
use sc_consensus_babe::BabeWorkerHandle;
use sc_consensus_babe_rpc::{Babe, BabeApiServer};
use sc_consensus_grandpa::{
	FinalityProofProvider, GrandpaJustificationStream, SharedAuthoritySet, SharedVoterState,
};
use sc_consensus_grandpa_rpc::{Grandpa, GrandpaApiServer};
use sc_consensus_manual_seal::rpc::{EngineCommand, ManualSeal, ManualSealApiServer};
use sc_rpc::SubscriptionTaskExecutor;
use sc_sync_state_rpc::{SyncState, SyncStateApiServer};
use sp_keystore::KeystorePtr;
use std::sync::Arc;

/// What the methods need of the node.
pub struct Deps {
	pub client: Arc<Client>,
	pub pool: Arc<TransactionPool>,
	pub select_chain: SelectChain,
	pub chain_spec: Box<dyn sc_chain_spec::ChainSpec>,
	pub keystore: KeystorePtr,
	pub babe_worker: BabeWorkerHandle<Block>,
	pub authority_set: SharedAuthoritySet<Hash, BlockNumber>,
	pub voter_state: SharedVoterState,
	pub justifications: GrandpaJustificationStream<Block>,
	pub finality_proofs: Arc<FinalityProofProvider<FullBackend, Block>>,
	/// Where `engine_createBlock` sends its commands, on a chain sealed on demand.
	pub seal_commands: Option<futures::channel::mpsc::Sender<EngineCommand<Hash>>>,
}

/// Builds the methods.
pub fn create(
	deps: &Deps,
	executor: SubscriptionTaskExecutor,
) -> Result<jsonrpsee::RpcModule<()>, Box<dyn std::error::Error + Send + Sync>> {
	use pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer};
	use substrate_frame_rpc_system::{System, SystemApiServer};

	let mut module = jsonrpsee::RpcModule::new(());
	module.merge(System::new(Arc::clone(&deps.client), Arc::clone(&deps.pool)).into_rpc())?;
	module.merge(TransactionPayment::new(Arc::clone(&deps.client)).into_rpc())?;
	module.merge(
		Babe::new(
			Arc::clone(&deps.client),
			deps.babe_worker.clone(),
			Arc::clone(&deps.keystore),
			deps.select_chain.clone(),
		)
		.into_rpc(),
	)?;
	module.merge(
		Grandpa::new(
			executor,
			deps.authority_set.clone(),
			deps.voter_state.clone(),
			deps.justifications.clone(),
			Arc::clone(&deps.finality_proofs),
		)
		.into_rpc(),
	)?;
	module.merge(
		SyncState::new(
			deps.chain_spec.cloned_box(),
			Arc::clone(&deps.client),
			deps.authority_set.clone(),
			deps.babe_worker.clone(),
		)?
		.into_rpc(),
	)?;
	if let Some(commands) = &deps.seal_commands {
		module.merge(ManualSeal::new(commands.clone()).into_rpc())?;
	}
	Ok(module)
}
