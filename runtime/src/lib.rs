//! The OpenLedger state machine.
//!
//! It composes our pallets with BABE (block production), GRANDPA (finality), sessions, balances
//! (OPEN), fees, multisig, proxy and governed parameters. Nothing here mints: every OPEN there
//! will ever be exists at genesis, and can only move or be burnt.
//!
//! Where to look:
//! - [`configs`]: how each pallet is configured, one file per theme;
//! - [`parameters`]: every value that governance can change;
//! - [`governance`]: who may change it, within which bounds, and by which vote;
//! - [`fees`]: what a transaction costs and who receives it;
//! - [`validators`]: what `pallet-stakes`, which elects validators, is tied to;
//! - [`genesis`] and [`launch`]: the presets a chain starts from;
//! - [`migrations`]: what an upgrade does to older storage;
//! - `invariants`: what must hold whatever was done, checked natively;
//! - [`weights`]: what calls cost;
//! - [`accounts`]: the keyless accounts that hold the protocol's money;
//! - `apis`: what the node and other clients may ask.

#![cfg_attr(not(feature = "std"), no_std)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]
#![recursion_limit = "512"]

#[cfg(feature = "std")]
include!(concat!(env!("OUT_DIR"), "/wasm_binary.rs"));

extern crate alloc;

pub mod accounts;
mod apis;
#[cfg(feature = "runtime-benchmarks")]
pub mod benchmarking;
pub mod configs;
pub mod currency;
pub mod fees;
pub mod genesis;
pub mod governance;
#[cfg(feature = "std")]
pub mod invariants;
pub mod launch;
pub mod migrations;
pub mod parameters;
pub mod time;
mod transactions;
pub mod validators;
pub mod weights;

use alloc::{borrow::Cow, vec::Vec};
use sp_runtime::{
	generic, impl_opaque_keys,
	traits::{BlakeTwo256, IdentifyAccount, Verify},
	MultiAddress, MultiSignature,
};
use sp_version::RuntimeVersion;

pub use apis::RuntimeApi;
pub use transactions::{SignedPayload, TxExtension, UncheckedExtrinsic};
// Named here because the node and the macros below look for it at the root.
pub use parameters::{RuntimeParameters, RuntimeParametersKey};

/// Number of a block.
pub type BlockNumber = u32;
/// Signature of a transaction: sr25519, ed25519 or ecdsa.
pub type Signature = MultiSignature;
/// Identifies an account: its public key, or a hash that stands for one.
pub type AccountId = <<Signature as Verify>::Signer as IdentifyAccount>::AccountId;
/// How a transaction may name an account.
pub type Address = MultiAddress<AccountId, ()>;
/// Amount of OPEN in its smallest unit, 10⁻¹⁸ OPEN.
pub type Balance = u128;
/// Number of transactions an account has sent.
pub type Nonce = u32;
/// Hash of a block, an extrinsic or a piece of state.
pub type Hash = sp_core::H256;
/// Milliseconds since the Unix epoch.
pub type Moment = u64;
/// Head of a block.
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
/// A block of this chain.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;
/// Runs blocks.
pub type Executive = frame_executive::Executive<
	Runtime,
	Block,
	frame_system::ChainContext<Runtime>,
	Runtime,
	AllPalletsWithSystem,
>;

/// Types for code that handles blocks without knowing the runtime's calls, as the node does.
pub mod opaque {
	use super::{generic, BlakeTwo256};
	pub use sp_runtime::OpaqueExtrinsic as UncheckedExtrinsic;

	/// Head of a block.
	pub type Header = generic::Header<super::BlockNumber, BlakeTwo256>;
	/// A block whose extrinsics are bytes.
	pub type Block = generic::Block<Header, UncheckedExtrinsic>;
	/// Hash of a block.
	pub type Hash = super::Hash;
}

impl_opaque_keys! {
	/// The keys a validator signs blocks and finality votes with.
	pub struct SessionKeys {
		pub babe: Babe,
		pub grandpa: Grandpa,
	}
}

/// Which runtime this is. `spec_version` rises with every change of behaviour,
/// `transaction_version` with every change of a call's or an extension's encoding.
#[sp_version::runtime_version]
pub const VERSION: RuntimeVersion = RuntimeVersion {
	spec_name: Cow::Borrowed("openledger"),
	impl_name: Cow::Borrowed("openledger"),
	authoring_version: 1,
	spec_version: 3,
	impl_version: 1,
	apis: apis::RUNTIME_API_VERSIONS,
	transaction_version: 3,
	system_version: 1,
};

// An index is part of every encoded call, event and error: it never changes and is never reused.
// 0–19 the chain itself, 20–29 tools for accounts, 30–49 what OpenLedger is about.
#[frame_support::runtime]
mod runtime {
	#[runtime::runtime]
	#[runtime::derive(
		RuntimeCall,
		RuntimeEvent,
		RuntimeError,
		RuntimeOrigin,
		RuntimeFreezeReason,
		RuntimeHoldReason,
		RuntimeSlashReason,
		RuntimeLockId,
		RuntimeTask,
		RuntimeViewFunction
	)]
	pub struct Runtime;

	#[runtime::pallet_index(0)]
	pub type System = frame_system;
	#[runtime::pallet_index(1)]
	pub type Babe = pallet_babe;
	#[runtime::pallet_index(2)]
	pub type Timestamp = pallet_timestamp;
	#[runtime::pallet_index(3)]
	pub type Authorship = pallet_authorship;
	#[runtime::pallet_index(4)]
	pub type Balances = pallet_balances;
	#[runtime::pallet_index(5)]
	pub type TransactionPayment = pallet_transaction_payment;
	#[runtime::pallet_index(6)]
	pub type Offences = pallet_offences;
	#[runtime::pallet_index(7)]
	pub type Historical = pallet_session::historical;
	#[runtime::pallet_index(8)]
	pub type Session = pallet_session;
	#[runtime::pallet_index(9)]
	pub type Grandpa = pallet_grandpa;
	#[runtime::pallet_index(10)]
	pub type Parameters = pallet_parameters;
	#[runtime::pallet_index(11)]
	pub type Launch = crate::launch;
	#[runtime::pallet_index(12)]
	pub type Preimage = pallet_preimage;
	#[runtime::pallet_index(13)]
	pub type Scheduler = pallet_scheduler;
	#[runtime::pallet_index(14)]
	pub type Referenda = pallet_referenda;
	#[runtime::pallet_index(15)]
	pub type ConvictionVoting = pallet_conviction_voting;
	#[runtime::pallet_index(16)]
	pub type Treasury = pallet_treasury;
	#[runtime::pallet_index(17)]
	pub type Governance = crate::governance;

	#[runtime::pallet_index(20)]
	pub type Utility = pallet_utility;
	#[runtime::pallet_index(21)]
	pub type Multisig = pallet_multisig;
	#[runtime::pallet_index(22)]
	pub type Proxy = pallet_proxy;

	#[runtime::pallet_index(30)]
	pub type Datanets = pallet_datanets;
	#[runtime::pallet_index(31)]
	pub type Models = pallet_models;
	#[runtime::pallet_index(32)]
	pub type Providers = pallet_providers;
	#[runtime::pallet_index(33)]
	pub type Channels = pallet_channels;
	#[runtime::pallet_index(34)]
	pub type Attribution = pallet_attribution;
	#[runtime::pallet_index(35)]
	pub type Stakes = pallet_stakes;
}
