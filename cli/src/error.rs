//! Failures of commands.

use openledger_client::{ChainError, KeyError};
use std::path::Path;

/// Why a command failed: a stable code for programs and a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CliError {
	/// Stable identifier of the cause.
	pub code: String,
	/// What happened and what to do.
	pub message: String,
}

impl CliError {
	/// An error with this code and message.
	pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
		Self {
			code: code.into(),
			message: message.into(),
		}
	}

	/// The command line does not say what is needed.
	pub fn usage(message: impl Into<String>) -> Self {
		Self::new("usage", message)
	}

	/// A file or folder cannot be used.
	pub fn io(path: &Path, error: std::io::Error) -> Self {
		Self::new("file", format!("{}: {error}.", path.display()))
	}

	/// Something named does not exist.
	pub fn missing(what: impl Into<String>) -> Self {
		Self::new("not-found", what)
	}

	/// Writes the error to the terminal: text to standard error, or JSON to standard output.
	pub fn print(&self, json: bool) {
		if json {
			let value = serde_json::json!({
				"error": { "code": self.code, "message": self.message }
			});
			crate::output::say(&format!("{value}\n"));
		} else {
			eprintln!("error[{}]: {}", self.code, self.message);
		}
	}
}

impl From<ChainError> for CliError {
	fn from(error: ChainError) -> Self {
		let message = match &error {
			// The code names pallet and error already.
			ChainError::Dispatch { docs, .. } => docs.clone(),
			_ => error.to_string(),
		};
		Self::new(error.code(), message)
	}
}

impl From<KeyError> for CliError {
	fn from(error: KeyError) -> Self {
		Self::new("key", error.to_string())
	}
}

impl From<openledger_attribution::SnapshotError> for CliError {
	fn from(error: openledger_attribution::SnapshotError) -> Self {
		Self::new("records", error.to_string())
	}
}

impl From<openledger_primitives::merkle::MerkleError> for CliError {
	fn from(error: openledger_primitives::merkle::MerkleError) -> Self {
		Self::new("merkle", error.to_string())
	}
}

impl From<serde_json::Error> for CliError {
	fn from(error: serde_json::Error) -> Self {
		Self::new("json", error.to_string())
	}
}

/// A worker's refusal: its own code where it sent one.
impl From<tonic::Status> for CliError {
	fn from(status: tonic::Status) -> Self {
		let code = status
			.metadata()
			.get(openledger_proto::ERROR_CODE)
			.and_then(|code| code.to_str().ok())
			.unwrap_or("worker");
		Self::new(code, format!("The worker refused: {}", status.message()))
	}
}
