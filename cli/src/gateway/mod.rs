//! The payer's gateway: OpenAI's API on this machine, paid for with vouchers.
//!
//! A request names a model of the chain. The gateway picks a provider that serves its base, pays from a
//! channel it opened, and passes the text on. What it signs is bounded four times: by `--max-per-answer`, by
//! `--max-spend`, by the escrow of each channel, and by the limit of the hot key that signs.

pub mod bounds;
pub mod catalog;
pub mod error;
pub mod guard;
pub mod http;
pub mod journal;
pub mod lanes;
pub mod metrics;
pub mod openai;
pub mod purse;
pub mod session;

use crate::{answers::AnswerLog, home::Home, workers, CliError};
use openledger_client::{Chain, KeyFile, Keypair};
use openledger_proto::v1::inference_client::InferenceClient;
use std::{
	collections::HashMap,
	sync::{Arc, Mutex, PoisonError},
	time::Duration,
};
use tokio::net::TcpListener;

/// Most bytes of a frame: an attribution names every contribution of its snapshots.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// How often the gateway looks at the chain's clock.
const TICK: Duration = Duration::from_secs(1);

/// A gateway.
pub struct Gateway {
	/// What the chain offers.
	pub catalog: catalog::Catalog,
	/// What pays.
	pub purse: purse::Purse,
	/// The answers that were paid for.
	pub answers: AnswerLog,
	/// Counters.
	pub metrics: metrics::Metrics,
	workers: Mutex<HashMap<String, tonic::transport::Channel>>,
}

impl Gateway {
	/// A gateway that spends `payer`'s money and keeps its journal in `home`.
	pub async fn open(
		chain: &Chain,
		home: &Home,
		payer: Keypair,
		budget: purse::Budget,
	) -> Result<Arc<Self>, CliError> {
		let hot = hot_key(home, &payer)?;
		let journal = journal::Journal::open(&home.gateway(), chain.genesis())
			.map_err(|error| CliError::new("journal", error.to_string()))?;
		let purse = purse::Purse::open(chain, payer, hot, budget, journal).await?;
		let gateway = Arc::new(Self {
			catalog: catalog::Catalog::new(chain),
			purse,
			answers: AnswerLog::open(home)?,
			metrics: metrics::Metrics::default(),
			workers: Mutex::default(),
		});
		let clock = Arc::downgrade(&gateway);
		tokio::spawn(async move {
			while let Some(gateway) = clock.upgrade() {
				gateway.purse.tick().await;
				drop(gateway);
				tokio::time::sleep(TICK).await;
			}
		});
		Ok(gateway)
	}

	/// Serves HTTP until `stop` resolves; answers under way are finished first.
	pub async fn serve(
		self: Arc<Self>,
		listener: TcpListener,
		stop: impl std::future::Future<Output = ()> + Send + 'static,
	) -> Result<(), CliError> {
		let address = listener
			.local_addr()
			.map_err(|error| CliError::new("http", format!("Serving failed: {error}.")))?;
		axum::serve(listener, guard::guarded(http::router(self), address.ip()))
			.with_graceful_shutdown(stop)
			.await
			.map_err(|error| CliError::new("http", format!("Serving failed: {error}.")))
	}

	/// A client of the worker at `endpoint`; connections are shared.
	fn worker(
		&self,
		endpoint: &str,
	) -> Result<InferenceClient<tonic::transport::Channel>, CliError> {
		let mut known = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
		let channel = match known.get(endpoint) {
			Some(channel) => channel.clone(),
			None => {
				let channel = workers::connect(endpoint)?;
				known.insert(endpoint.to_owned(), channel.clone());
				channel
			}
		};
		Ok(InferenceClient::new(channel).max_decoding_message_size(MAX_MESSAGE))
	}
}

/// The key that signs vouchers for this payer; made when it is first needed.
fn hot_key(home: &Home, payer: &Keypair) -> Result<Keypair, CliError> {
	let path = home.gateway().join(format!("hot-{}.json", payer.account()));
	if !path.exists() {
		let (_, words) = Keypair::generate();
		KeyFile::create(&path, &words, None)?;
	}
	Ok(KeyFile::open(&path, None)?)
}
