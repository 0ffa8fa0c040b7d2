//! What can go wrong between here and the chain.

use openledger_primitives::Hash;
use std::time::Duration;
use subxt::error::DispatchError;

/// Why something asked of the chain did not happen. The text says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
	/// The address of the node cannot be used.
	#[error("`{url}` is no address of a node: {reason}. Give one like ws://127.0.0.1:9944.")]
	BadUrl {
		/// The address.
		url: String,
		/// What is wrong with it.
		reason: String,
	},
	/// No node answers there.
	#[error(
		"No node answers at {url}: {reason}. Start one with `make dev-chain`, or name another \
		 with `--chain ws://HOST:PORT`."
	)]
	Unreachable {
		/// The address.
		url: String,
		/// What the attempt ended with.
		reason: String,
	},
	/// The node did not answer in time.
	#[error(
		"The node did not answer in {seconds} s ({what}). Look whether it runs and makes blocks, \
		 then try again."
	)]
	Timeout {
		/// What was asked.
		what: &'static str,
		/// How long was waited.
		seconds: u64,
	},
	/// The node's runtime has another shape than this program was built for.
	#[error(
		"The node runs a runtime that this program was not built for ({0}). Use the versions of both \
		 that belong together, or run `make metadata` and build again."
	)]
	Incompatible(String),
	/// The node no longer has the state of a block.
	#[error(
		"The node has dropped the state of block {0} already. Ask an archive node \
		 (`--state-pruning archive`)."
	)]
	Pruned(String),
	/// There is no such block.
	#[error("The chain has no block {0}.")]
	UnknownBlock(String),
	/// The call was included and failed: the pallet said no.
	#[error("{pallet}.{error}: {docs}")]
	Dispatch {
		/// The pallet, such as `Channels`.
		pallet: String,
		/// The error's name, such as `AlreadyThawing`.
		error: String,
		/// What it means and what to do.
		docs: String,
	},
	/// The account cannot pay the fee of the transaction.
	#[error("The account {0} cannot pay the transaction's fee. Send it some OPEN first.")]
	CannotPayFee(String),
	/// The node refused the transaction.
	#[error("The node refused the transaction: {0}")]
	Refused(String),
	/// The transaction was accepted and then given up by the node.
	#[error(
		"The transaction {extrinsic:?} did not make it into a block: {reason}. Nothing was changed; \
		 send it again."
	)]
	Dropped {
		/// Its hash.
		extrinsic: Hash,
		/// What the node said.
		reason: String,
	},
	/// Anything else between here and the node.
	#[error("Talking to the node failed: {0}")]
	Rpc(String),
}

impl ChainError {
	/// A stable name of the error, for programs. Errors of pallets are `Pallet.Error`.
	pub fn code(&self) -> String {
		match self {
			Self::BadUrl { .. } => "bad-node-address".into(),
			Self::Unreachable { .. } => "node-unreachable".into(),
			Self::Timeout { .. } => "node-timeout".into(),
			Self::Incompatible(_) => "runtime-incompatible".into(),
			Self::Pruned(_) => "state-pruned".into(),
			Self::UnknownBlock(_) => "unknown-block".into(),
			Self::Dispatch { pallet, error, .. } => format!("{pallet}.{error}"),
			Self::CannotPayFee(_) => "cannot-pay-fee".into(),
			Self::Refused(_) => "transaction-refused".into(),
			Self::Dropped { .. } => "transaction-dropped".into(),
			Self::Rpc(_) => "node-error".into(),
		}
	}

	/// Whether the call failed with this error of this pallet.
	pub fn is(&self, pallet: &str, error: &str) -> bool {
		matches!(self, Self::Dispatch { pallet: p, error: e, .. } if p == pallet && e == error)
	}

	/// Whether trying again later may help.
	pub fn is_transient(&self) -> bool {
		matches!(
			self,
			Self::Unreachable { .. } | Self::Timeout { .. } | Self::Dropped { .. } | Self::Rpc(_)
		)
	}

	pub(crate) fn timeout(what: &'static str, after: Duration) -> Self {
		Self::Timeout {
			what,
			seconds: after.as_secs(),
		}
	}

	/// From any of subxt's errors.
	pub(crate) fn from_subxt(error: impl Into<subxt::Error>) -> Self {
		let error = error.into();
		let text = error.to_string();
		if text.contains("State already discarded") {
			return Self::Pruned(text);
		}
		match error {
			subxt::Error::StorageError(subxt::error::StorageError::IncompatibleCodegen)
			| subxt::Error::ConstantError(subxt::error::ConstantError::IncompatibleCodegen)
			| subxt::Error::ExtrinsicError(subxt::error::ExtrinsicError::IncompatibleCodegen)
			| subxt::Error::StorageError(
				subxt::error::StorageError::PalletNameNotFound(_)
				| subxt::error::StorageError::StorageEntryNotFound { .. },
			)
			| subxt::Error::StorageValueError(_)
			| subxt::Error::StorageKeyError(_)
			| subxt::Error::EventsError(_) => Self::Incompatible(text),
			_ => Self::Rpc(text),
		}
	}

	/// From what a call failed with on chain.
	pub(crate) fn from_dispatch(error: DispatchError) -> Self {
		let (pallet, error, docs) = match &error {
			DispatchError::Module(module) => match module.details() {
				Ok(details) => (
					details.pallet.name().to_owned(),
					details.variant.name.clone(),
					details.variant.docs.join(" ").trim().to_owned(),
				),
				Err(_) => (
					"Unknown".to_owned(),
					"Unknown".to_owned(),
					module.details_string(),
				),
			},
			DispatchError::Token(token) => (
				"Token".to_owned(),
				format!("{token:?}"),
				format!("{token} Look at the account's free balance, and keep the least an account must hold."),
			),
			DispatchError::BadOrigin => (
				"System".to_owned(),
				"BadOrigin".to_owned(),
				"This account may not make this call; sign with the one that may.".to_owned(),
			),
			other => {
				let name = format!("{other:?}");
				let name = name.split(['(', ' ']).next().unwrap_or("Other").to_owned();
				("System".to_owned(), name, other.to_string())
			},
		};
		Self::Dispatch {
			pallet,
			error,
			docs,
		}
	}
}

impl From<subxt::rpcs::Error> for ChainError {
	fn from(error: subxt::rpcs::Error) -> Self {
		Self::from_subxt(error)
	}
}
