//! Adapters from object stores: S3 and what speaks its protocol, HTTP servers, and folders.
//!
//! The layout is the store's own: `<place>/<weights>-<config>/{adapter_model.safetensors, adapter_config.json}`, and other
//! files beside those folders. Every request is bounded in time and size; redirects are not followed.

use std::{
	future::Future,
	sync::{mpsc, Arc},
	time::Duration,
};

use futures::StreamExt;
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
	client::legacy::{connect::HttpConnector as Tcp, Client},
	rt::TokioExecutor,
};
use object_store::{
	aws::{AmazonS3Builder, AmazonS3ConfigKey},
	client::{
		HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
		HttpResponse, HttpResponseBody, HttpService,
	},
	http::HttpBuilder,
	local::LocalFileSystem,
	path::Path,
	ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig,
};
use tokio::runtime::Runtime;

use crate::{
	error::AdapterError,
	store::{AdapterFiles, AdapterKey, AdapterSource, CONFIG_FILE, MAX_CONFIG, WEIGHTS_FILE},
};

/// How long an answer may take to begin, with all tries.
const ANSWER: Duration = Duration::from_secs(30);

/// How long an answer may pause.
const PAUSE: Duration = Duration::from_secs(15);

/// How long all of an adapter may take.
const WHOLE: Duration = Duration::from_secs(600);

/// Tries after the first.
const RETRIES: usize = 2;

/// Bytes set aside for an answer before any have come.
const FIRST: u64 = 64 << 20;

/// A place in an object store.
pub struct ObjectSource {
	place: String,
	store: Arc<dyn ObjectStore>,
	prefix: Path,
	/// Always there but while it is dropped.
	runtime: Option<Runtime>,
}

impl std::fmt::Debug for ObjectSource {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		write!(f, "ObjectSource({})", self.place)
	}
}

impl ObjectSource {
	/// Opens `s3://BUCKET/PREFIX`, `http(s)://HOST/PREFIX` or `file:///FOLDER`.
	///
	/// For S3, region, keys and endpoint are taken from the environment (`AWS_REGION`, `AWS_ACCESS_KEY_ID`,
	/// `AWS_SECRET_ACCESS_KEY`, `AWS_ENDPOINT`, `AWS_SKIP_SIGNATURE`, …) and then from `options`, whose names are the
	/// same in small letters.
	///
	/// # Errors
	/// [`AdapterError::BadSource`].
	pub fn open(place: &str, options: &[(&str, &str)]) -> Result<Arc<Self>, AdapterError> {
		// A query or a user's part may carry secrets: neither is shown.
		let shown = place.split('?').next().unwrap_or_default();
		let (scheme, rest) = shown.split_once("://").unwrap_or(("", shown));
		let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
		let bad = |reason: String| AdapterError::BadSource {
			place: match scheme {
				"" => host.to_string(),
				scheme => format!("{scheme}://{host}"),
			},
			reason,
		};
		let (scheme, rest) = place
			.split_once("://")
			.ok_or_else(|| bad("give s3://…, http://…, https://… or file:///…".into()))?;
		if rest.contains(['?', '#', '@']) {
			return Err(bad("give no query and no credentials in the address".into()));
		}
		let (host, prefix) = rest.split_once('/').unwrap_or((rest, ""));
		let prefix = Path::parse(prefix.trim_end_matches('/')).map_err(|e| bad(e.to_string()))?;
		let retry = RetryConfig {
			max_retries: RETRIES,
			retry_timeout: ANSWER,
			..RetryConfig::default()
		};
		let store: Arc<dyn ObjectStore> = match scheme {
			"s3" => {
				let mut builder = AmazonS3Builder::from_env()
					.with_bucket_name(host)
					.with_retry(retry)
					.with_http_connector(Connector);
				for (name, value) in options {
					let key: AmazonS3ConfigKey = name
						.parse()
						.map_err(|_| bad(format!("there is no option {name}")))?;
					builder = builder.with_config(key, *value);
				}
				Arc::new(builder.build().map_err(|e| bad(e.to_string()))?)
			}
			_ if !options.is_empty() => {
				let (name, _) = options[0];
				return Err(bad(format!("there is no option {name}")));
			}
			"http" | "https" => {
				let builder = HttpBuilder::new()
					.with_url(format!("{scheme}://{host}"))
					.with_retry(retry)
					.with_http_connector(Connector);
				Arc::new(builder.build().map_err(|e| bad(e.to_string()))?)
			}
			"file" if host.is_empty() => Arc::new(LocalFileSystem::new()),
			_ => return Err(bad("give s3://…, http://…, https://… or file:///…".into())),
		};
		let runtime = tokio::runtime::Builder::new_multi_thread()
			.worker_threads(1)
			.thread_name("adapter-source")
			.enable_all()
			.build()
			.map_err(|e| bad(e.to_string()))?;
		Ok(Arc::new(Self {
			place: shown.to_string(),
			store,
			prefix,
			runtime: Some(runtime),
		}))
	}
}

impl AdapterSource for ObjectSource {
	fn name(&self) -> String {
		self.place.clone()
	}

	fn fetch(&self, key: &AdapterKey, limit: u64) -> Result<Option<AdapterFiles>, AdapterError> {
		let (store, folder) = (
			Arc::clone(&self.store),
			self.prefix.clone().join(key.folder()),
		);
		self.run(key.folder(), async move {
			let config = get(&*store, &folder, CONFIG_FILE, MAX_CONFIG).await?;
			let Some(config) = config else {
				return Ok(None);
			};
			let weights = get(&*store, &folder, WEIGHTS_FILE, limit).await?;
			Ok(weights.map(|weights| AdapterFiles { config, weights }))
		})
	}

	fn fetch_file(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, AdapterError> {
		let (store, folder, file) = (
			Arc::clone(&self.store),
			self.prefix.clone(),
			name.to_owned(),
		);
		self.run(name.to_owned(), async move {
			get(&*store, &folder, &file, limit).await
		})
	}
}

impl ObjectSource {
	/// Does `work` for `what` on the source's own thread, and waits for it.
	fn run<T: Send + 'static>(
		&self,
		what: String,
		work: impl Future<Output = Result<T, Problem>> + Send + 'static,
	) -> Result<T, AdapterError> {
		let failed = |reason: String| AdapterError::Fetch {
			adapter: what.clone(),
			place: self.place.clone(),
			reason,
		};
		// Waiting for a message works on any thread; entering a runtime would panic on one of another runtime.
		let (done, answer) = mpsc::sync_channel(1);
		let runtime = self
			.runtime
			.as_ref()
			.ok_or_else(|| failed("it is being closed".into()))?;
		runtime.spawn(async move {
			let late = || Err(Problem::Other("it took too long".into()));
			let result = tokio::time::timeout(WHOLE, work).await;
			if done.send(result.unwrap_or_else(|_| late())).is_err() {
				tracing::debug!("nobody waits for a fetched adapter any more");
			}
		});
		match answer.recv() {
			Ok(Ok(found)) => Ok(found),
			Ok(Err(Problem::TooLarge { file, bytes, limit })) => Err(AdapterError::TooLarge {
				file: format!("{file} at {}", self.place),
				bytes,
				limit,
			}),
			Ok(Err(Problem::Other(reason))) => Err(failed(reason)),
			Err(_) => Err(failed("fetching it ended unexpectedly".into())),
		}
	}
}

impl Drop for ObjectSource {
	fn drop(&mut self) {
		// A runtime must not be waited for on a thread of another one.
		if let Some(runtime) = self.runtime.take() {
			runtime.shutdown_background();
		}
	}
}

enum Problem {
	TooLarge {
		file: String,
		bytes: u64,
		limit: u64,
	},
	Other(String),
}

/// Reads an object of at most `limit` bytes; `None` if there is none.
async fn get(
	store: &dyn ObjectStore,
	folder: &Path,
	file: &str,
	limit: u64,
) -> Result<Option<Vec<u8>>, Problem> {
	let other = |reason: &str| Problem::Other(format!("{file}: {reason}"));
	let path = folder.clone().join(file);
	let answer = match tokio::time::timeout(ANSWER, store.get(&path)).await {
		Err(_) => return Err(other("no answer in time")),
		Ok(Err(object_store::Error::NotFound { .. })) => return Ok(None),
		Ok(Err(error)) => return Err(other(&error.to_string())),
		Ok(Ok(answer)) => answer,
	};
	let announced = answer.meta.size;
	let too_large = |bytes| Problem::TooLarge {
		file: file.to_owned(),
		bytes,
		limit,
	};
	if announced > limit {
		return Err(too_large(announced));
	}
	let mut bytes = Vec::with_capacity(announced.min(FIRST) as usize);
	let mut chunks = answer.into_stream();
	loop {
		match tokio::time::timeout(PAUSE, chunks.next()).await {
			Err(_) => return Err(other("the answer stopped")),
			Ok(None) => return Ok(Some(bytes)),
			Ok(Some(Err(error))) => return Err(other(&error.to_string())),
			Ok(Some(Ok(chunk))) => {
				let total = (bytes.len() + chunk.len()) as u64;
				if total > limit {
					return Err(too_large(total));
				}
				bytes.extend_from_slice(&chunk);
			}
		}
	}
}

/// The HTTP client of the object stores: hyper with the TLS library the rest of the worker has.
#[derive(Debug)]
struct Connector;

impl HttpConnector for Connector {
	fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
		let tls = HttpsConnectorBuilder::new()
			.with_provider_and_native_roots(rustls_provider())
			.map_err(|error| object_store::Error::Generic {
				store: "HTTP",
				source: Box::new(error),
			})?
			.https_or_http()
			.enable_http1()
			.build();
		let client = Client::builder(TokioExecutor::new()).build(tls);
		Ok(HttpClient::new(Hyper(client)))
	}
}

fn rustls_provider() -> rustls::crypto::CryptoProvider {
	rustls::crypto::ring::default_provider()
}

#[derive(Debug)]
struct Hyper(Client<HttpsConnector<Tcp>, HttpRequestBody>);

#[async_trait::async_trait]
impl HttpService for Hyper {
	async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
		let answer = self.0.request(request).await.map_err(|error| {
			let kind = match error.is_connect() {
				true => HttpErrorKind::Connect,
				false => HttpErrorKind::Request,
			};
			HttpError::new(kind, error)
		})?;
		let (parts, body) = answer.into_parts();
		let body = body.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, error));
		Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)))
	}
}
