//! What the pallet stores.

use crate::*;

/// Where a provider is reached: an `http://` or `https://` URL.
pub type EndpointOf<T> = BoundedVec<u8, <T as Config>::MaxEndpointLen>;
/// The base models a provider serves.
pub type BasesOf<T> = BoundedVec<BaseModelId, <T as Config>::MaxBases>;

/// Money that was slashed, on its way to whoever gets it.
pub type CreditOf<T> = fungible::Credit<AccountId, <T as Config>::Currency>;

/// Tells whether a base model exists.
pub trait BaseInspect {
	/// Whether a base model has this id.
	fn exists(base: BaseModelId) -> bool;
}

/// Tells what a provider has yet to account for.
pub trait AtRisk {
	/// Money, in units, that went through the provider's hands and is not settled: while there is
	/// any, its bond stays where it is.
	fn at_risk(provider: &AccountId) -> Balance;
}

/// Where providers collect nothing, nothing is at risk.
impl AtRisk for () {
	fn at_risk(_: &AccountId) -> Balance {
		0
	}
}

/// What a provider asks for computing.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Quote {
	/// Counts the quotes of this account, from 1, over all its registrations; receipts and vouchers name
	/// it.
	pub id: QuoteId,
	/// Units per 1,000 tokens.
	pub rate: Rate,
}

/// A quote that is announced and not in force yet.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct PendingQuote {
	/// What the provider will ask.
	pub quote: Quote,
	/// The first block in which it asks that.
	pub from: BlockNumber,
}

/// Whether a provider takes work.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub enum ProviderState {
	/// It does.
	#[codec(index = 0)]
	Active,
	/// It has stopped and waits for its bond.
	#[codec(index = 1)]
	Leaving {
		/// The first block in which it may take its bond.
		free_at: BlockNumber,
	},
	/// It was caught cheating, or has too little at stake, and has not asked to be let out yet.
	#[codec(index = 2)]
	Jailed {
		/// The first block in which it may ask.
		until: BlockNumber,
	},
}

/// Who serves models, on what terms.
#[derive(
	CloneNoBound,
	DebugNoBound,
	PartialEqNoBound,
	EqNoBound,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
#[scale_info(skip_type_params(T))]
#[codec(mel_bound())]
pub struct Provider<T: Config> {
	/// The key on its machines, which signs reports but cannot touch the bond.
	pub hot_key: AccountId,
	/// Where it is reached.
	pub endpoint: EndpointOf<T>,
	/// What it has at stake, in units; held on its account.
	pub bond: Balance,
	/// The base models it serves.
	pub bases: BasesOf<T>,
	/// What it asks for computing now.
	pub quote: Quote,
	/// Whether it takes work.
	pub state: ProviderState,
}
