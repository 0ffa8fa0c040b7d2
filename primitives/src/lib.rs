//! What the chain and the workers must agree on, byte for byte.
//!
//! # Terms
//!
//! - **Unit**: the smallest part of OPEN; 1 OPEN = 10^18 units. Every amount is in units.
//! - **Content hash**: SHA-256 of a file's bytes, what `sha256sum` prints.
//! - **Structured hash**: SHA-256 of a type's ASCII tag followed by its SCALE encoding.
//! - **Commitment**: root, sum and leaf count of a [Merkle-sum tree](merkle).
//! - **Voucher**: a payer's signed, ever-growing total for one lane of one channel.
//! - **Receipt**: what one answer was, what it cost, and what its attribution was.
//! - **Part**: what one payee is owed of one receipt.
//! - **Payout**: what one payee of an epoch's licence money is owed.
//! - **Dispute**: a proof that a report is wrong, which the chain can check.
//!
//! Test vectors for other languages stand in `vectors/`; `docs/protocol.md` explains them.

#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs)]
#![cfg_attr(
	not(test),
	deny(
		clippy::arithmetic_side_effects,
		clippy::indexing_slicing,
		clippy::panic
	)
)]

extern crate alloc;

pub mod attribution;
pub mod dispute;
pub mod fees;
pub mod hash;
pub mod heartbeat;
pub mod merkle;
pub mod receipt;
pub mod report;
pub mod voucher;

pub use attribution::{
	algorithm, AlgorithmId, Attribution, ContributionLeaf, RecordLeaf, Score, Span,
};
pub use fees::{apportion, Price, Rate, RedemptionSplit, Terms, PARTS};
pub use hash::content_hash;
pub use heartbeat::Heartbeat;
pub use merkle::Commitment;
pub use receipt::Receipt;
pub use report::{PartLeaf, Payee, PayoutLeaf, ReceiptLeaf};
pub use voucher::{RedeemedLane, SignedVoucher, Voucher};

/// A 32-byte hash.
pub type Hash = sp_core::H256;
/// An account: a public key, or the hash of one.
pub type AccountId = sp_runtime::AccountId32;
/// An amount of OPEN in its smallest unit, 10^-18.
pub type Balance = u128;
/// The number of a block.
pub type BlockNumber = u32;

/// One OPEN in units.
pub const OPEN: Balance = 1_000_000_000_000_000_000;

/// Identifies a Datanet.
pub type DatanetId = u32;
/// Identifies a contribution within its Datanet.
pub type ContributionId = u32;
/// Counts a Datanet's snapshots, from 1.
pub type SnapshotVersion = u32;
/// Identifies a base model.
pub type BaseModelId = u32;
/// Identifies an adapter.
pub type AdapterId = u32;
/// Identifies a payment channel; never reused.
pub type ChannelId = u64;
/// Counts how often a channel's escrow was withdrawn; a voucher is good for one generation.
pub type Generation = u32;
/// An independent counter inside a channel, so that several requests can be paid at a time.
pub type Lane = u16;
/// Counts settlement epochs, from 0.
pub type EpochIndex = u32;
/// Counts a provider's quotes, from 1.
pub type QuoteId = u32;
/// Counts versions of the [`Terms`], from 1.
pub type TermsVersion = u32;

/// Serialises amounts as decimal strings, since JSON numbers end at 2^53 in most languages.
#[cfg(feature = "std")]
pub mod amount_as_string {
	use serde::{de::Error, Deserialize, Deserializer, Serializer};

	/// Writes `amount` as a decimal string.
	pub fn serialize<S: Serializer>(amount: &u128, serializer: S) -> Result<S::Ok, S::Error> {
		serializer.collect_str(amount)
	}

	/// Reads a decimal string.
	pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
		String::deserialize(deserializer)?
			.parse()
			.map_err(D::Error::custom)
	}
}
