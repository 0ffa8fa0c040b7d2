//! Starts a worker from its settings, and stops it without losing an answer.

use crate::{
	attributor::Attributor,
	catalog::{Offline, OnChain},
	chain::{live::Live, Chain},
	files::Files,
	follower::Follower,
	generator::Generator,
	grpc::Services,
	heart::Heart,
	http,
	meter::Meter,
	metrics::Metrics,
	operator::Operator,
	payee::Payee,
	redeemer::Redeemer,
	reporter::Reporter,
	settings::Serve,
	store::Store,
	view::View,
	worker::{stopped, Limits, Mode, Worker},
};
use anyhow::{anyhow, bail, Context, Result};
use openledger_client::{keys::KeyFile, Chain as Client, Keypair};
use openledger_engine::{load_model, Engine, EngineConfig, ObjectSource};
use openledger_primitives::{AccountId, BaseModelId, Hash, OPEN};
use openledger_proto::v1::{
	adapters_server::AdaptersServer, inference_server::InferenceServer,
	receipts_server::ReceiptsServer,
};
use std::{future::Future, net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::{
	net::TcpListener,
	sync::{watch, Semaphore},
	task::JoinSet,
};
use tokio_stream::wrappers::TcpListenerStream;

/// How long running answers get to end when the worker stops.
const GRACE: Duration = Duration::from_secs(40);

/// How long connections get to close after that, and the last redemption to be included.
const LAST: Duration = Duration::from_secs(30);

/// How long to wait for a block that shows a channel that was just opened or topped up.
const PATIENCE: Duration = Duration::from_secs(3);

const MIB: usize = 1 << 20;

/// Most places to fetch adapters from.
const MAX_SOURCES: usize = 8;

/// A worker that serves.
#[derive(Debug)]
pub struct Running {
	/// Where gRPC listens.
	pub grpc: SocketAddr,
	/// Where HTTP listens.
	pub http: SocketAddr,
	stop: watch::Sender<bool>,
	drained: watch::Sender<bool>,
	places: Arc<Semaphore>,
	streams: u32,
	generator: Arc<dyn Generator>,
	servers: JoinSet<Result<()>>,
	tasks: JoinSet<()>,
}

impl std::fmt::Debug for dyn Generator {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.write_str("Generator")
	}
}

/// What a chain adds to a worker.
struct OnTheChain {
	payee: Arc<Payee>,
	follower: Follower,
}

/// Starts a worker: everything is checked and caught up when this returns.
pub async fn start(settings: Serve) -> Result<Running> {
	let connected = if settings.offline {
		None
	} else {
		Some(connect(&settings).await?)
	};
	let engine = load(&settings).await?;
	let generator: Arc<dyn Generator> = Arc::new(engine.clone());
	let limit = settings.max_upload.saturating_mul(1 << 20);
	let quota = settings.store_quota.saturating_mul(1 << 20);
	let files = Arc::new(Files::new(generator.store(), limit).with_quota(quota));
	if settings.adapter_source.len() > MAX_SOURCES {
		bail!("--adapter-source is given more than {MAX_SOURCES} times");
	}
	for place in &settings.adapter_source {
		let source = ObjectSource::open(place, &[]).context("--adapter-source cannot be used")?;
		files.add_source(source);
	}
	let operator = Operator::open(&settings)?;
	let budget = settings.index_budget.saturating_mul(MIB);
	let attributor = Arc::new(Attributor::new(files.clone(), generator.clone(), budget));
	let limits = Limits {
		streams: settings.max_streams.min(Semaphore::MAX_PERMITS),
		streams_per_channel: settings.max_streams_per_channel,
		voucher_wait: Duration::from_secs(settings.voucher_wait),
		voucher_margin: settings.voucher_margin,
		default_max_tokens: settings.default_max_tokens.max(1),
		message: usize::try_from(settings.max_message)
			.unwrap_or(4096)
			.saturating_mul(1024),
		..Limits::default()
	};
	let (name, chain) = match connected {
		None => (offline_name(&settings), None),
		Some(connected) => {
			let hash = Hash::from(engine.model_hash());
			let joined = join(
				&settings,
				connected,
				hash,
				&files,
				&attributor,
				limits.block_age,
			)
			.await?;
			(joined.0, Some(joined.1))
		}
	};
	let metrics = Metrics::new(&name, settings.max_batch, generator.clone(), files.clone());
	let mode = match &chain {
		Some(chain) => Mode::Paid(chain.payee.clone()),
		None => Mode::Offline(Arc::new(Offline::new(name.clone(), generator.clone()))),
	};
	let (stop, stopping) = watch::channel(false);
	let (drained, is_drained) = watch::channel(false);
	let places = Arc::new(Semaphore::new(limits.streams));
	let streams = u32::try_from(limits.streams).unwrap_or(u32::MAX);
	let worker = Arc::new(Worker {
		generator: generator.clone(),
		files,
		attributor,
		metrics: metrics.clone(),
		limits,
		operator,
		mode,
		places: places.clone(),
		stop: stopping.clone(),
	});
	let mut tasks = JoinSet::new();
	if let Some(OnTheChain { payee, follower }) = chain {
		let redeemer = Redeemer::new(
			payee.clone(),
			follower.skips(),
			metrics.clone(),
			Duration::from_secs(settings.redeem_every),
			u128::from(settings.redeem_above).saturating_mul(OPEN),
			settings.voucher_margin,
		);
		tasks.spawn(Heart::new(payee.clone(), metrics.clone()).run(is_drained.clone()));
		let reporter = Reporter::new(payee, metrics.clone());
		tasks.spawn(follower.with_metrics(metrics).run(is_drained.clone()));
		tasks.spawn(redeemer.run(is_drained.clone()));
		tasks.spawn(reporter.run(is_drained));
	}
	let mut servers = JoinSet::new();
	let grpc = serve_grpc(&settings, worker.clone(), stopping.clone(), &mut servers).await?;
	let http = serve_http(&settings, worker, stopping, &mut servers).await?;
	tracing::info!(%grpc, %http, model = name, offline = settings.offline, "serving");
	Ok(Running {
		grpc,
		http,
		stop,
		drained,
		places,
		streams,
		generator,
		servers,
		tasks,
	})
}

impl Running {
	/// Waits until `stop` is ready or a server fails, then ends running answers and stops.
	pub async fn until(mut self, stop: impl Future<Output = ()>) -> Result<()> {
		let failed = tokio::select! {
			() = stop => Ok(()),
			ended = self.servers.join_next() => match ended {
				Some(Ok(result)) => result,
				_ => Err(anyhow!("a server ended unexpectedly")),
			},
		};
		tracing::info!("stopping: running answers are closed, new ones refused");
		self.stop.send_replace(true);
		let all = self.places.acquire_many(self.streams);
		if tokio::time::timeout(GRACE, all).await.is_err() {
			tracing::warn!("some answers did not end in time; they are closed at the next start");
		}
		self.drained.send_replace(true);
		let rest = async {
			while self.tasks.join_next().await.is_some() {}
			while self.servers.join_next().await.is_some() {}
		};
		if tokio::time::timeout(LAST, rest).await.is_err() {
			tracing::warn!("the last redemption or a connection did not end in time");
		}
		let generator = self.generator.clone();
		tokio::task::spawn_blocking(move || generator.shutdown())
			.await
			.context("stopping the engine")?;
		tracing::info!("stopped");
		failed
	}
}

fn offline_name(settings: &Serve) -> String {
	settings.base_name.clone().unwrap_or_else(|| {
		settings
			.model
			.file_stem()
			.map(|stem| stem.to_string_lossy().into_owned())
			.unwrap_or_else(|| "base".into())
	})
}

async fn load(settings: &Serve) -> Result<Engine> {
	let config = EngineConfig {
		max_batch: settings.max_batch,
		max_context: settings.max_context,
		kv_budget: settings.kv_budget.saturating_mul(MIB),
		adapter_budget: settings.adapter_budget.saturating_mul(MIB),
		memory_budget: settings.memory_budget.saturating_mul(MIB),
		max_queue: settings.max_queue,
		max_queue_per_tenant: settings.max_queue_per_tenant,
		step_adapter_bytes: settings.step_adapter_budget.saturating_mul(MIB),
		prefix_cache: !settings.no_prefix_cache,
		prompts_first: settings.prompts_first,
		threads: settings.threads,
		precision: settings.precision,
		device: settings.device,
		store: settings.store.clone(),
	};
	let path = settings.model.clone();
	tracing::info!(path = %path.display(), "loading the model");
	tokio::task::spawn_blocking(move || {
		let model = load_model(&path)
			.with_context(|| format!("the model {} cannot be used", path.display()))?;
		Engine::new(model, config).context("the engine cannot start")
	})
	.await
	.context("loading the model")?
}

/// A node, the hot key, and whose hot key it is.
struct Connected {
	chain: Arc<dyn Chain>,
	provider: AccountId,
}

fn hot_key(settings: &Serve) -> Result<Keypair> {
	let Some(key) = &settings.key else {
		bail!(
			"--key is missing: give the provider's hot key (a file that `openledger keys new` made), or \
			 serve for nothing with --offline"
		);
	};
	let is_secret = key.starts_with("//") || key.starts_with("0x") || key.trim().contains(' ');
	let opened = if is_secret {
		Keypair::from_uri(key)
	} else {
		KeyFile::open(Path::new(key), settings.passphrase.as_deref())
	};
	opened.context("the hot key cannot be used")
}

async fn connect(settings: &Serve) -> Result<Connected> {
	let key = hot_key(settings)?;
	let account = key.account();
	let client = Client::connect(&settings.chain)
		.await
		.context("there is no chain to work with")?;
	let chain: Arc<dyn Chain> = Arc::new(Live::new(client, key));
	let block = chain
		.finalized()
		.await
		.context("the node does not answer")?;
	let provider = chain.provider_of(block.hash, &account).await?;
	let Some(provider) = provider else {
		let grpc = settings.grpc;
		bail!(
			"{account} is not the hot key of a provider (as of finalized block {}). Register it with \
			 the provider's own key:\n\n  openledger provider register --hot-key {account} \\\n    \
			 --endpoint http://{grpc} --base <MODEL> --bond <OPEN> \\\n    --rate-in <OPEN> \
			 --rate-out <OPEN> --key <PROVIDER KEY>\n\nor, if the provider exists:\n\n  \
			 openledger provider hot-key {account} --key <PROVIDER KEY>\n",
			block.number
		);
	};
	tracing::info!(%account, %provider, chain = settings.chain, "hot key found");
	Ok(Connected { chain, provider })
}

/// The base model on chain that has these weights, among those the provider serves.
async fn find_base(
	chain: &Arc<dyn Chain>,
	at: Hash,
	provider: &AccountId,
	weights: Hash,
) -> Result<(BaseModelId, String)> {
	let account = provider;
	let provider = chain
		.provider(at, account)
		.await?
		.ok_or_else(|| anyhow!("the provider {account} is not on the chain any more"))?;
	let mut others = Vec::new();
	for id in &provider.bases {
		if let Some(base) = chain.base_model(at, *id).await? {
			if base.weights == weights {
				return Ok((*id, base.name));
			}
			others.push(format!("{} ({})", base.name, hex::encode(base.weights.0)));
		}
	}
	bail!(
		"the model has SHA-256 {}, and the provider serves {}. Give the file that is registered, or \
		 register this one with `openledger model register <NAME> --file <PATH>` and a provider for it \
		 with `openledger provider register --base <NAME>`",
		hex::encode(weights.0),
		if others.is_empty() { "no base model".into() } else { others.join(", ") },
	)
}

async fn join(
	settings: &Serve,
	connected: Connected,
	weights: Hash,
	files: &Arc<Files>,
	attributor: &Arc<Attributor>,
	block_age: Duration,
) -> Result<(String, OnTheChain)> {
	let Connected { chain, provider } = connected;
	let block = chain.finalized().await?;
	let (base, name) = find_base(&chain, block.hash, &provider, weights).await?;
	let genesis = chain.genesis();
	let store = Store::open(&settings.data).context("the data folder cannot be used")?;
	store
		.claim(genesis, &provider)
		.await
		.context("the data folder cannot be used")?;
	let (follower, followed) =
		Follower::start(chain.clone(), store.clone(), provider.clone()).await?;
	follower
		.catch_up()
		.await
		.context("catching up with the chain")?;
	let view = Arc::new(View::new(chain.clone()));
	let payee = Arc::new(Payee {
		catalog: OnChain::new(view.clone(), files.clone(), provider.clone(), base),
		view,
		store,
		meter: Meter::default(),
		attributor: attributor.clone(),
		genesis,
		max_lifetime: chain.max_voucher_lifetime(block.hash).await?,
		provider,
		followed,
		block_age,
		patience: PATIENCE,
	});
	let recovered = payee
		.recover_all()
		.await
		.context("closing answers that broke off")?;
	if recovered > 0 {
		tracing::info!(
			answers = recovered,
			"answers that broke off were closed at what is paid"
		);
	}
	Ok((name, OnTheChain { payee, follower }))
}

async fn serve_grpc(
	settings: &Serve,
	worker: Arc<Worker>,
	mut stop: watch::Receiver<bool>,
	servers: &mut JoinSet<Result<()>>,
) -> Result<SocketAddr> {
	let listener = TcpListener::bind(settings.grpc)
		.await
		.with_context(|| format!("--grpc {} cannot be used", settings.grpc))?;
	let address = listener.local_addr()?;
	let limit = worker.limits.message;
	let services = Services::new(worker);
	let (health, health_service) = tonic_health::server::health_reporter();
	health.set_serving::<InferenceServer<Services>>().await;
	health.set_serving::<AdaptersServer<Services>>().await;
	health.set_serving::<ReceiptsServer<Services>>().await;
	let reflection = tonic_reflection::server::Builder::configure()
		.register_encoded_file_descriptor_set(openledger_proto::DESCRIPTORS)
		.register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
		.build_v1()
		.context("gRPC reflection")?;
	let router = tonic::transport::Server::builder()
		.http2_keepalive_interval(Some(Duration::from_secs(30)))
		.http2_keepalive_timeout(Some(Duration::from_secs(20)))
		.max_concurrent_streams(1024)
		.add_service(health_service)
		.add_service(reflection)
		.add_service(InferenceServer::new(services.clone()).max_decoding_message_size(limit))
		.add_service(AdaptersServer::new(services.clone()).max_decoding_message_size(limit))
		.add_service(ReceiptsServer::new(services).max_decoding_message_size(limit));
	servers.spawn(async move {
		let signal = async move {
			stopped(&mut stop).await;
			health.set_not_serving::<InferenceServer<Services>>().await;
		};
		router
			.serve_with_incoming_shutdown(TcpListenerStream::new(listener), signal)
			.await
			.context("the gRPC server failed")
	});
	Ok(address)
}

async fn serve_http(
	settings: &Serve,
	worker: Arc<Worker>,
	mut stop: watch::Receiver<bool>,
	servers: &mut JoinSet<Result<()>>,
) -> Result<SocketAddr> {
	let listener = TcpListener::bind(settings.http)
		.await
		.with_context(|| format!("--http {} cannot be used", settings.http))?;
	let address = listener.local_addr()?;
	servers.spawn(async move {
		axum::serve(listener, http::router(worker))
			.with_graceful_shutdown(async move {
				stopped(&mut stop).await;
			})
			.await
			.context("the HTTP server failed")
	});
	Ok(address)
}
