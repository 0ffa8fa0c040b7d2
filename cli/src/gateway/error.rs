//! Why the gateway refused a request, as OpenAI clients expect to be told.

use super::{journal::JournalError, lanes::LaneMismatch};
use axum::{
	http::StatusCode,
	response::{IntoResponse, Response},
	Json,
};
use openledger_client::ChainError;
use serde_json::json;

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct GatewayError {
	/// HTTP status.
	pub status: u16,
	/// Stable identifier of the cause; a worker's own where it refused.
	pub code: String,
	/// What happened and what to do.
	pub message: String,
	/// The parameter at fault.
	pub param: Option<&'static str>,
}

impl GatewayError {
	/// An error with this status, code and message.
	pub fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
		Self {
			status,
			code: code.into(),
			message: message.into(),
			param: None,
		}
	}

	/// A parameter of the request is wrong.
	pub fn parameter(param: &'static str, message: impl Into<String>) -> Self {
		Self {
			param: Some(param),
			..Self::new(400, "invalid-parameter", message)
		}
	}

	/// Whether the same request may work with another provider or lane.
	pub fn is_elsewhere(&self) -> bool {
		!matches!(self.status, 400 | 404) || self.code == "adapter-missing"
	}

	/// OpenAI's class of the error.
	fn class(&self) -> &'static str {
		match self.status {
			400 | 403 | 404 | 405 | 413 | 415 => "invalid_request_error",
			402 => "insufficient_quota",
			429 => "rate_limit_error",
			_ => "server_error",
		}
	}

	/// The error as OpenAI writes it.
	pub fn body(&self) -> serde_json::Value {
		json!({
			"error": {
				"message": self.message,
				"type": self.class(),
				"param": self.param,
				"code": self.code,
			}
		})
	}
}

impl IntoResponse for GatewayError {
	fn into_response(self) -> Response {
		let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_GATEWAY);
		(status, Json(self.body())).into_response()
	}
}

impl From<JournalError> for GatewayError {
	fn from(error: JournalError) -> Self {
		Self::new(500, "journal", error.to_string())
	}
}

impl From<LaneMismatch> for GatewayError {
	fn from(error: LaneMismatch) -> Self {
		let message =
			format!("{error}; the lane is not used any more and nothing more is paid on it");
		Self::new(502, "lane-mismatch", message)
	}
}

impl From<ChainError> for GatewayError {
	fn from(error: ChainError) -> Self {
		let status = match &error {
			ChainError::CannotPayFee(_) | ChainError::Dispatch { .. } => 402,
			_ => 503,
		};
		Self::new(status, error.code(), error.to_string())
	}
}

impl From<crate::CliError> for GatewayError {
	fn from(error: crate::CliError) -> Self {
		Self::new(502, error.code, error.message)
	}
}

/// A worker's refusal keeps the worker's code.
impl From<tonic::Status> for GatewayError {
	fn from(status: tonic::Status) -> Self {
		use tonic::Code;
		let code = status
			.metadata()
			.get(openledger_proto::ERROR_CODE)
			.and_then(|code| code.to_str().ok())
			.unwrap_or("worker-unreachable");
		let http = match status.code() {
			Code::InvalidArgument | Code::OutOfRange => 400,
			Code::NotFound => 404,
			Code::FailedPrecondition => 402,
			Code::ResourceExhausted => 429,
			Code::Unavailable => 503,
			_ => 502,
		};
		Self::new(http, code, format!("The worker says: {}", status.message()))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn workers_code_should_reach_the_client() {
		let mut status = tonic::Status::not_found("no such model");
		status.metadata_mut().insert(
			openledger_proto::ERROR_CODE,
			tonic::metadata::MetadataValue::from_static("unknown-model"),
		);
		let error = GatewayError::from(status);
		assert_eq!(error.status, 404);
		assert!(!error.is_elsewhere());
		let body = error.body();
		assert_eq!(body["error"]["code"], "unknown-model");
		assert_eq!(body["error"]["type"], "invalid_request_error");
	}

	#[test]
	fn a_worker_that_is_gone_should_send_the_request_elsewhere() {
		let error = GatewayError::from(tonic::Status::unavailable("connection refused"));
		assert_eq!(
			(error.status, error.code.as_str()),
			(503, "worker-unreachable")
		);
		assert!(error.is_elsewhere());
	}
}
