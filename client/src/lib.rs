//! Typed access to an OpenLedger chain for the worker and the command line, by metadata alone.
//!
//! [`Chain`] is a connection that survives a node's restart. Reads answer from the best block, or
//! from another one chosen by [`Chain::at`]; [`Chain::submit`] signs a [call](calls), waits for it and
//! names what went wrong; [`Chain::follow`] walks the finalized blocks one by one.
//!
//! The interface is generated from `metadata.scale`, which `make metadata` writes. A node whose runtime
//! has another shape is told apart at the first call that would be wrong
//! ([`ChainError::Incompatible`]).

#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod calls;
mod chain;
mod convert;
mod error;
pub mod events;
mod follow;
pub mod keys;
mod parameters;
mod queries;
pub mod reports;
pub mod reviews;
mod submit;
pub mod types;

pub use chain::{At, Chain, Settings};
pub use error::ChainError;
pub use events::ChainEvent;
pub use follow::{Block, Follower};
pub use keys::{KeyError, KeyFile, Keypair};
pub use queries::LaneOf;
pub use submit::{Submitted, Wait};
pub use subxt::transactions::Payload;

/// What the chain's runtime offers, generated from its metadata.
#[allow(missing_docs, clippy::all, rustdoc::all)]
#[subxt::subxt(
	runtime_metadata_path = "metadata.scale",
	derive_for_all_types = "Clone",
	substitute_type(
		path = "sp_core::crypto::AccountId32",
		with = "::subxt::utils::Static<::openledger_primitives::AccountId>"
	),
	substitute_type(
		path = "sp_runtime::MultiSignature",
		with = "::subxt::utils::Static<::sp_runtime::MultiSignature>"
	),
	substitute_type(
		path = "bounded_collections::bounded_vec::BoundedVec<A>",
		with = "::std::vec::Vec<A>"
	),
	substitute_type(
		path = "openledger_primitives::merkle::Commitment",
		with = "::subxt::utils::Static<::openledger_primitives::Commitment>"
	),
	substitute_type(
		path = "openledger_primitives::merkle::Node",
		with = "::subxt::utils::Static<::openledger_primitives::merkle::Node>"
	),
	substitute_type(
		path = "openledger_primitives::fees::Rate",
		with = "::subxt::utils::Static<::openledger_primitives::Rate>"
	),
	substitute_type(
		path = "openledger_primitives::fees::Terms",
		with = "::subxt::utils::Static<::openledger_primitives::Terms>"
	),
	substitute_type(
		path = "openledger_primitives::fees::RedemptionSplit",
		with = "::subxt::utils::Static<::openledger_primitives::RedemptionSplit>"
	),
	substitute_type(
		path = "openledger_primitives::report::Payee",
		with = "::subxt::utils::Static<::openledger_primitives::Payee>"
	),
	substitute_type(
		path = "openledger_primitives::report::PayoutLeaf",
		with = "::subxt::utils::Static<::openledger_primitives::PayoutLeaf>"
	),
	substitute_type(
		path = "openledger_primitives::dispute::Dispute",
		with = "::subxt::utils::Static<::openledger_primitives::dispute::Dispute>"
	),
	substitute_type(
		path = "openledger_primitives::dispute::AuditAnswer",
		with = "::subxt::utils::Static<::openledger_primitives::dispute::AuditAnswer>"
	),
	substitute_type(
		path = "openledger_primitives::dispute::Source",
		with = "::subxt::utils::Static<::openledger_primitives::dispute::Source>"
	),
	substitute_type(
		path = "openledger_primitives::dispute::Fault",
		with = "::subxt::utils::Static<::openledger_primitives::dispute::Fault>"
	),
	substitute_type(
		path = "openledger_primitives::voucher::SignedVoucher",
		with = "::subxt::utils::Static<::openledger_primitives::SignedVoucher>"
	)
)]
pub mod api {}
