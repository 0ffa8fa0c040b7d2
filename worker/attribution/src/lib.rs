//! A Datanet snapshot + an answer -> how much each contribution moved it, with evidence.
//!
//! # Terms
//!
//! - **Record**: one text of a contribution. [`Records`] are a contribution's, [`Snapshot`] a
//!   Datanet's at one version; both are known on chain by a Merkle-sum root.
//! - **Index**: the tokens of all records an adapter was trained on, ready to be searched. Its
//!   SHA-256 stands on chain beside the adapter, so whoever has the file gets the same scores.
//! - **Score**: a contribution's weight in one answer. It is a measured estimate, not a proof of
//!   causation.
//! - **Claim**: the Merkle proof that a span that earned stands in the record it names.
//!
//! # A story
//!
//! A builder trains on a [`Snapshot`] and publishes its [`Index`] with the adapter. A worker answers
//! a prompt, calls [`Index::attribute`], puts the digest of the result into the receipt and, at the
//! end of the epoch, turns it into money weights with [`data_weights`]. Anyone with the index gets
//! the same numbers; anyone without it can still check a [`SpanClaim`] against the chain.
//!
//! # Design
//!
//! Everything is integer arithmetic in a fixed order: the same input gives the same bytes on any
//! machine and at any thread count. Nothing here opens a socket.
//!
//! Each algorithm is a variant of [`Algorithm`], known on chain by its id, and a module that turns an
//! index, a prompt and an answer into an `Attribution`. A gradient score takes its place the same
//! way: a variant, a module, and what it needs per record as a further section of the index under
//! the next format version.

#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod claim;
mod echo;
pub mod equal;
pub mod index;
pub mod snapshot;
pub mod span;
mod suffixes;
mod tokens;
pub mod weights;

pub use claim::{ClaimError, SpanClaim};
pub use index::{Algorithm, Index, IndexError};
pub use snapshot::{Contribution, Gathered, Records, Snapshot, SnapshotError};
pub use tokens::byte_level_tokens;
pub use weights::{data_weights, WeightsError};

/// A token and the byte range of the text it stands for.
///
/// Ranges are ordered by their start and lie within the text. Tokens that share one character carry
/// the same range.
pub type Token = (u32, (usize, usize));

/// Splits a text into tokens. The base model's tokenizer, without special tokens.
pub type Tokenize<'a> = dyn Fn(&str) -> Vec<Token> + 'a;
