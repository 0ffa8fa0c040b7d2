//! Puts the node together: database, transaction pool, consensus, network and RPC.

use crate::{
	equivocation::ReportDoubleSigners,
	metrics::ChainMetrics,
	rpc,
	sealing::{self, Sealing},
};
use futures::FutureExt;
use openledger_runtime::{opaque::Block, Hash, RuntimeApi};
use sc_client_api::{Backend, BlockBackend};
use sc_consensus::{DefaultImportQueue, LongestChain};
use sc_consensus_babe::{BabeBlockImport, BabeLink, BabeWorkerHandle, SlotProportion};
use sc_consensus_grandpa::{
	FinalityProofProvider, GrandpaBlockImport, GrandpaPruningFilter, LinkHalf, SharedVoterState,
};
use sc_network::NetworkBackend;
use sc_service::{
	error::Error as ServiceError, Configuration, KeystoreContainer, TaskManager, WarpSyncConfig,
};
use sc_telemetry::{Telemetry, TelemetryHandle, TelemetryWorker};
use sc_transaction_pool::TransactionPoolHandle;
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_consensus_babe::inherents::{
	BabeCreateInherentDataProviders, InherentDataProvider as SlotInherent,
};
use sp_timestamp::InherentDataProvider as TimeInherent;
use std::{sync::Arc, time::Duration};

type Executor = sc_executor::WasmExecutor<sp_io::SubstrateHostFunctions>;
/// Access to the chain's blocks and state.
pub type Client = sc_service::TFullClient<Block, RuntimeApi, Executor>;
/// The database.
pub type FullBackend = sc_service::TFullBackend<Block>;
/// Chooses the chain to build on: the longest.
pub type SelectChain = LongestChain<FullBackend, Block>;
/// Transactions that wait for a block.
pub type TransactionPool = TransactionPoolHandle<Block, Client>;
type FinalityImport = GrandpaBlockImport<FullBackend, Block, Client, SelectChain>;
/// Checks blocks and takes them into the database.
pub type BlockImport = ReportDoubleSigners<
	BabeBlockImport<
		Block,
		Client,
		FinalityImport,
		BabeCreateInherentDataProviders<Block>,
		SelectChain,
	>,
>;

/// Blocks between two stored proofs of finality.
const JUSTIFICATION_PERIOD: u32 = 512;
/// How long a finality vote may take across the network.
const GOSSIP_DURATION: Duration = Duration::from_millis(333);
/// Part of a slot spent on filling its block; the rest is for spreading it.
const PROPOSAL_PORTION: f32 = 0.5;
/// The clock of a chain sealed on demand may run ahead; its blocks are checked against a time
/// that is always later: the year 3000.
const FAR_FUTURE_MILLIS: u64 = 32_503_680_000_000;

/// The parts of a node that do not need a network; enough for the offline subcommands.
pub struct Parts {
	pub client: Arc<Client>,
	pub backend: Arc<FullBackend>,
	pub task_manager: TaskManager,
	pub keystore: KeystoreContainer,
	pub select_chain: SelectChain,
	pub pool: Arc<TransactionPool>,
	pub import_queue: DefaultImportQueue<Block>,
	pub block_import: BlockImport,
	pub babe_link: BabeLink<Block>,
	pub babe_worker: BabeWorkerHandle<Block>,
	pub grandpa_link: LinkHalf<Block, Client, SelectChain>,
	pub telemetry: Option<Telemetry>,
}

/// Opens the database and builds everything up to the import queue.
///
/// # Errors
/// When the database, the keystore or the telemetry endpoint cannot be opened, or the runtime does
/// not offer what consensus needs.
pub fn new_partial(
	config: &Configuration,
	sealing: Option<Sealing>,
) -> Result<Parts, ServiceError> {
	let telemetry = open_telemetry(config)?;
	let telemetry_handle = |(_, telemetry): &(_, Telemetry)| telemetry.handle();

	let (client, backend, keystore, task_manager) =
		sc_service::new_full_parts::<Block, RuntimeApi, _>(
			config,
			telemetry.as_ref().map(telemetry_handle),
			sc_service::new_wasm_executor(&config.executor),
			// Keeps the justifications that warp sync needs when old blocks are pruned.
			vec![Arc::new(GrandpaPruningFilter)],
		)?;
	let client = Arc::new(client);
	let telemetry = telemetry.map(|(worker, telemetry)| {
		task_manager
			.spawn_handle()
			.spawn("telemetry", None, worker.run());
		telemetry
	});
	let telemetry_handle: Option<TelemetryHandle> = telemetry.as_ref().map(Telemetry::handle);

	let select_chain = LongestChain::new(Arc::clone(&backend));
	let pool = Arc::new(
		sc_transaction_pool::Builder::new(
			task_manager.spawn_essential_handle(),
			Arc::clone(&client),
			config.role.is_authority().into(),
		)
		.with_options(config.transaction_pool.clone())
		.with_prometheus(config.prometheus_registry())
		.build(),
	);

	let (grandpa_import, grandpa_link) = sc_consensus_grandpa::block_import(
		Arc::clone(&client),
		JUSTIFICATION_PERIOD,
		&client,
		select_chain.clone(),
		telemetry_handle.clone(),
	)?;
	let justification_import = grandpa_import.clone();

	let babe_config = sc_consensus_babe::configuration(&*client)?;
	let slot_duration = babe_config.slot_duration();
	let ahead_of_time = sealing.is_some();
	let inherents: BabeCreateInherentDataProviders<Block> = Arc::new(move |_, ()| async move {
		let time = if ahead_of_time {
			TimeInherent::new(FAR_FUTURE_MILLIS.into())
		} else {
			TimeInherent::from_system_time()
		};
		let slot = SlotInherent::from_timestamp_and_slot_duration(*time, slot_duration);
		Ok((slot, time))
	});
	let (block_import, babe_link) = sc_consensus_babe::block_import(
		babe_config,
		grandpa_import,
		Arc::clone(&client),
		inherents,
		select_chain.clone(),
		OffchainTransactionPoolFactory::new(Arc::clone(&pool)),
	)?;
	let block_import =
		ReportDoubleSigners::new(block_import, Arc::clone(&client), Arc::clone(&pool));
	let (import_queue, babe_worker) =
		sc_consensus_babe::import_queue(sc_consensus_babe::ImportQueueParams {
			link: babe_link.clone(),
			block_import: block_import.clone(),
			justification_import: Some(Box::new(justification_import)),
			client: Arc::clone(&client),
			slot_duration,
			spawner: &task_manager.spawn_essential_handle(),
			registry: config.prometheus_registry(),
			telemetry: telemetry_handle,
		})?;

	Ok(Parts {
		client,
		backend,
		task_manager,
		keystore,
		select_chain,
		pool,
		import_queue,
		block_import,
		babe_link,
		babe_worker,
		grandpa_link,
		telemetry,
	})
}

fn open_telemetry(
	config: &Configuration,
) -> Result<Option<(TelemetryWorker, Telemetry)>, ServiceError> {
	let Some(endpoints) = config
		.telemetry_endpoints
		.clone()
		.filter(|some| !some.is_empty())
	else {
		return Ok(None);
	};
	let worker = TelemetryWorker::new(16)?;
	let telemetry = worker.handle().new_telemetry(endpoints);
	Ok(Some((worker, telemetry)))
}

/// Starts a full node: a validator where `config` says so, sealing on demand where `sealing` does.
///
/// # Errors
/// When any part cannot be started, for example because the database is locked or a port is taken.
pub fn new_full<Network: NetworkBackend<Block, Hash>>(
	config: Configuration,
	sealing: Option<Sealing>,
) -> Result<TaskManager, ServiceError> {
	let Parts {
		client,
		backend,
		mut task_manager,
		keystore,
		select_chain,
		pool,
		import_queue,
		block_import,
		babe_link,
		babe_worker,
		grandpa_link,
		mut telemetry,
	} = new_partial(&config, sealing)?;
	let keystore = keystore.keystore();

	let mut net_config = sc_network::config::FullNetworkConfiguration::<_, _, Network>::new(
		&config.network,
		config.prometheus_registry().cloned(),
	);
	let metrics = Network::register_notification_metrics(config.prometheus_registry());
	let genesis_hash = client
		.block_hash(0)
		.ok()
		.flatten()
		.ok_or_else(|| ServiceError::Other("the database holds no genesis block".into()))?;
	let grandpa_protocol =
		sc_consensus_grandpa::protocol_standard_name(&genesis_hash, &config.chain_spec);
	let (grandpa_protocol_config, grandpa_notifications) =
		sc_consensus_grandpa::grandpa_peers_set_config::<_, Network>(
			grandpa_protocol.clone(),
			metrics.clone(),
			net_config.peer_store_handle(),
		);
	net_config.add_notification_protocol(grandpa_protocol_config);
	let warp_sync = Arc::new(sc_consensus_grandpa::warp_proof::NetworkProvider::new(
		Arc::clone(&backend),
		grandpa_link.shared_authority_set().clone(),
		Vec::new(),
	));

	let (network, system_rpc_tx, tx_handler_controller, sync_service, _bitswap) =
		sc_service::build_network(sc_service::BuildNetworkParams {
			config: &config,
			net_config,
			client: Arc::clone(&client),
			transaction_pool: Arc::clone(&pool),
			spawn_handle: task_manager.spawn_handle(),
			spawn_essential_handle: task_manager.spawn_essential_handle(),
			import_queue,
			block_announce_validator_builder: None,
			warp_sync_config: Some(WarpSyncConfig::WithProvider(warp_sync)),
			block_relay: None,
			metrics,
			gap_sync_body_policy: None,
		})?;

	if config.offchain_worker.enabled {
		let workers = sc_offchain::OffchainWorkers::new(sc_offchain::OffchainWorkerOptions {
			runtime_api_provider: Arc::clone(&client),
			keystore: Some(Arc::clone(&keystore)),
			offchain_db: backend.offchain_storage(),
			transaction_pool: Some(OffchainTransactionPoolFactory::new(Arc::clone(&pool))),
			network_provider: Arc::new(Arc::clone(&network)),
			is_validator: config.role.is_authority(),
			enable_http_requests: false,
			custom_extensions: |_| Vec::new(),
		})?;
		task_manager.spawn_handle().spawn(
			"offchain-workers",
			"offchain-worker",
			workers
				.run(Arc::clone(&client), task_manager.spawn_handle())
				.boxed(),
		);
	}

	let role = config.role;
	let name = config.network.node_name.clone();
	let force_authoring = config.force_authoring;
	let finalize = !config.disable_grandpa && sealing.is_none();
	let registry = config.prometheus_registry().cloned();
	let voter_state = SharedVoterState::empty();

	if let Some(registry) = &registry {
		let metrics = ChainMetrics::new(registry)?;
		task_manager.spawn_handle().spawn_blocking(
			"chain-metrics",
			None,
			metrics.run(Arc::clone(&client)),
		);
	}

	let (seal_sender, seal_receiver) = sealing.map(|_| sealing::commands()).unzip();
	let rpc_deps = rpc::Deps {
		client: Arc::clone(&client),
		pool: Arc::clone(&pool),
		select_chain: select_chain.clone(),
		chain_spec: config.chain_spec.cloned_box(),
		keystore: Arc::clone(&keystore),
		babe_worker,
		authority_set: grandpa_link.shared_authority_set().clone(),
		voter_state: voter_state.clone(),
		justifications: grandpa_link.justification_stream(),
		finality_proofs: FinalityProofProvider::new_for_service(
			Arc::clone(&backend),
			Some(grandpa_link.shared_authority_set().clone()),
		),
		seal_commands: seal_sender,
	};
	sc_service::spawn_tasks(sc_service::SpawnTasksParams {
		config,
		client: Arc::clone(&client),
		backend,
		task_manager: &mut task_manager,
		keystore: Arc::clone(&keystore),
		transaction_pool: Arc::clone(&pool),
		rpc_builder: Box::new(move |executor| {
			rpc::create(&rpc_deps, executor).map_err(ServiceError::Application)
		}),
		network: Arc::clone(&network),
		system_rpc_tx,
		tx_handler_controller,
		sync_service: Arc::clone(&sync_service),
		telemetry: telemetry.as_mut(),
		tracing_execute_block: None,
	})?;

	if let (Some(sealing), Some(requested)) = (sealing, seal_receiver) {
		let deps = sealing::Deps {
			client,
			pool,
			select_chain,
			block_import,
			babe_link,
			keystore,
			spawner: task_manager.spawn_handle(),
		};
		let task = sealing::task(sealing, requested, deps)?;
		task_manager
			.spawn_essential_handle()
			.spawn_blocking("sealing", "block-authoring", task);
		return Ok(task_manager);
	}

	if role.is_authority() {
		let proposer = sc_basic_authorship::ProposerFactory::new(
			task_manager.spawn_handle(),
			Arc::clone(&client),
			Arc::clone(&pool),
			registry.as_ref(),
			telemetry.as_ref().map(Telemetry::handle),
		);
		let slot_duration = babe_link.config().slot_duration();
		let babe = sc_consensus_babe::start_babe(sc_consensus_babe::BabeParams {
			keystore: Arc::clone(&keystore),
			client: Arc::clone(&client),
			select_chain,
			env: proposer,
			block_import,
			sync_oracle: Arc::clone(&sync_service),
			justification_sync_link: Arc::clone(&sync_service),
			create_inherent_data_providers: move |_, ()| async move {
				let time = TimeInherent::from_system_time();
				let slot = SlotInherent::from_timestamp_and_slot_duration(*time, slot_duration);
				Ok((slot, time))
			},
			force_authoring,
			backoff_authoring_blocks: None::<()>,
			babe_link,
			block_proposal_slot_portion: SlotProportion::new(PROPOSAL_PORTION),
			max_block_proposal_slot_portion: None,
			telemetry: telemetry.as_ref().map(Telemetry::handle),
		})?;
		task_manager
			.spawn_essential_handle()
			.spawn_blocking("babe", "block-authoring", babe);
	}

	if finalize {
		let voter = sc_consensus_grandpa::run_grandpa_voter(sc_consensus_grandpa::GrandpaParams {
			config: sc_consensus_grandpa::Config {
				gossip_duration: GOSSIP_DURATION,
				justification_generation_period: JUSTIFICATION_PERIOD,
				observer_enabled: false,
				local_role: role,
				name: Some(name),
				keystore: role.is_authority().then_some(keystore),
				telemetry: telemetry.as_ref().map(Telemetry::handle),
				protocol_name: grandpa_protocol,
			},
			link: grandpa_link,
			network,
			sync: sync_service,
			notification_service: grandpa_notifications,
			voting_rule: sc_consensus_grandpa::VotingRulesBuilder::default().build(),
			prometheus_registry: registry,
			shared_voter_state: voter_state,
			telemetry: telemetry.as_ref().map(Telemetry::handle),
			offchain_tx_pool_factory: OffchainTransactionPoolFactory::new(pool),
		})?;
		task_manager
			.spawn_essential_handle()
			.spawn_blocking("grandpa", None, voter);
	}

	Ok(task_manager)
}
