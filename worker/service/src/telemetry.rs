//! Who asked what, in logs and traces: a name for every request, and spans that an OpenTelemetry collector takes.

use crate::settings::Serve;
use anyhow::{Context, Result};
use axum::{
	extract::Request,
	http::{header::HeaderMap, HeaderName, HeaderValue},
	middleware::Next,
	response::Response,
};
use opentelemetry::{
	propagation::{Extractor, TextMapPropagator},
	trace::TracerProvider,
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{propagation::TraceContextPropagator, trace::SdkTracerProvider, Resource};
use std::io::IsTerminal;
use tracing::{field::Empty, Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt, EnvFilter, Layer};

/// The header that names a request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Most bytes of a name that a client gives its request.
const MAX_ID: usize = 128;

/// Sends what is left of the traces when it is shut down.
#[derive(Debug)]
pub struct Telemetry {
	provider: Option<SdkTracerProvider>,
}

impl Telemetry {
	/// Begins to log, and to trace where the settings name a collector. Once in a process.
	///
	/// # Errors
	/// When the collector's address cannot be used.
	pub fn start(settings: &Serve) -> Result<Self> {
		let provider = match &settings.otlp_endpoint {
			None => None,
			Some(endpoint) => {
				let exporter = SpanExporter::builder()
					.with_tonic()
					.with_endpoint(endpoint)
					.build()
					.with_context(|| format!("--otlp-endpoint {endpoint} cannot be used"))?;
				let resource = Resource::builder()
					.with_service_name("openledger-worker")
					.build();
				let provider = SdkTracerProvider::builder()
					.with_batch_exporter(exporter)
					.with_resource(resource)
					.build();
				Some(provider)
			}
		};
		let filter =
			|| EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
		let logs = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
		let logs = if settings.log_json {
			logs.json().with_filter(filter()).boxed()
		} else {
			let is_terminal = std::io::stderr().is_terminal();
			logs.with_target(false)
				.with_ansi(is_terminal)
				.with_filter(filter())
				.boxed()
		};
		let traces = provider.as_ref().map(|provider| {
			// The exporter's own calls must not be traced: each would cause another.
			let own = EnvFilter::new("off,openledger_worker=info");
			tracing_opentelemetry::layer()
				.with_tracer(provider.tracer("openledger-worker"))
				.with_filter(own)
		});
		tracing_subscriber::registry()
			.with(logs)
			.with(traces)
			.try_init()
			.context("logging cannot begin")?;
		Ok(Self { provider })
	}

	/// Sends what was traced and not sent yet. Blocks.
	pub fn shutdown(self) {
		if let Some(Err(error)) = self.provider.map(|provider| provider.shutdown()) {
			tracing::warn!(%error, "the last traces could not be sent");
		}
	}
}

/// Header fields as OpenTelemetry reads them.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
	fn get(&self, key: &str) -> Option<&str> {
		self.0.get(key)?.to_str().ok()
	}

	fn keys(&self) -> Vec<&str> {
		self.0.keys().map(HeaderName::as_str).collect()
	}
}

/// The client's name for its request if it is fit for logs, otherwise a new one.
pub fn request_id(given: Option<&str>) -> String {
	given
		.filter(|id| {
			(1..=MAX_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
		})
		.map_or_else(
			|| format!("req-{:032x}", rand::random::<u128>()),
			str::to_owned,
		)
}

/// Gives a request its name, and a span in which everything of it is logged.
pub async fn identified(request: Request, next: Next) -> Response {
	let headers = request.headers();
	let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
	let id = request_id(given);
	let (method, path) = (request.method().clone(), request.uri().path().to_owned());
	let span = tracing::info_span!(
		"request", request_id = id, %method, path, status = Empty,
		otel.name = format!("{method} {path}"), otel.kind = "server"
	);
	// A caller that traces gets our spans below its own.
	let parent = TraceContextPropagator::new().extract(&Headers(headers));
	if span.set_parent(parent).is_err() {
		tracing::trace!("the request is not traced");
	}
	let mut response = next.run(request).instrument(span.clone()).await;
	span.record("status", response.status().as_u16());
	if let Ok(id) = HeaderValue::from_str(&id) {
		response.headers_mut().insert(REQUEST_ID, id);
	}
	response
}

/// The span of a gRPC call whose metadata names it so.
pub fn call(name: &'static str, given: Option<&str>) -> Span {
	let id = request_id(given);
	tracing::info_span!(
		"call",
		request_id = id,
		otel.name = name,
		otel.kind = "server"
	)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_name_that_could_break_a_log_should_be_replaced() {
		assert_eq!(request_id(Some("abc-1")), "abc-1");
		for given in [
			None,
			Some(""),
			Some("two words"),
			Some("line\n"),
			Some(&*"x".repeat(129)),
		] {
			assert!(request_id(given).starts_with("req-"), "{given:?}");
		}
	}
}
