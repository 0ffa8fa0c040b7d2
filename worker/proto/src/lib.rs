//! The gRPC surface of a worker; the `.proto` files in `proto/` document every message.

/// `openledger.inference.v1`.
pub mod v1 {
	#![allow(clippy::all, clippy::unwrap_used, missing_docs)]
	tonic::include_proto!("openledger.inference.v1");
}

/// The compiled descriptors, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("openledger_descriptor");

/// Metadata key that carries an error's stable code.
pub const ERROR_CODE: &str = "openledger-error";
