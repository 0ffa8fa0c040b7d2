//! What the pallet stores.

use crate::*;

/// A name, a licence, an architecture or a module: printable UTF-8.
pub type NameOf<T> = BoundedVec<u8, <T as Config>::MaxNameLen>;
/// Where files are found: printable UTF-8.
pub type UriOf<T> = BoundedVec<u8, <T as Config>::MaxUriLen>;
/// The modules of a model that an adapter changes.
pub type TargetsOf<T> = BoundedVec<NameOf<T>, ConstU32<MAX_TARGETS>>;
/// The snapshots that an adapter was trained on.
pub type LineageOf<T> = BoundedVec<(DatanetId, SnapshotVersion), <T as Config>::MaxLineage>;

/// Most modules an adapter changes.
pub const MAX_TARGETS: u32 = 16;
/// Highest rank of an adapter.
pub const MAX_RANK: u16 = 512;

/// Tells whether a Datanet's snapshot exists.
pub trait SnapshotInspect {
	/// Whether the Datanet has a snapshot with this version.
	fn exists(datanet: DatanetId, version: SnapshotVersion) -> bool;
}

/// What a name stands for.
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
pub enum Model {
	/// A base model.
	#[codec(index = 0)]
	Base(BaseModelId),
	/// An adapter on its base model.
	#[codec(index = 1)]
	Adapter(AdapterId),
}

/// A model as its makers published it. Never changes.
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
pub struct BaseModel<T: Config> {
	/// Who registered it and earns its licence rate.
	pub owner: AccountId,
	/// The name it is asked for by; unique among base models and adapters.
	pub name: NameOf<T>,
	/// Its architecture, such as `llama`.
	pub architecture: NameOf<T>,
	/// Content hash of its weights' file.
	pub weights: Hash,
	/// Content hash of its tokenizer's file; of the weights' file where that contains the tokenizer.
	pub tokenizer: Hash,
	/// SPDX identifier of its licence.
	pub licence: NameOf<T>,
	/// What its use costs, in units per 1,000 tokens.
	pub rate: Rate,
}

/// Whether an adapter is offered.
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
pub enum AdapterState {
	/// It may be served.
	#[codec(index = 0)]
	Active,
	/// Its owner has taken it out of service. What it earned before is still paid.
	#[codec(index = 1)]
	Retired,
}

/// What an owner says of a new adapter.
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
pub struct AdapterRegistration<T: Config> {
	/// The name it will be asked for by; unique among base models and adapters.
	pub name: NameOf<T>,
	/// The base model it was trained on.
	pub base: BaseModelId,
	/// Content hash of `adapter_model.safetensors`.
	pub weights: Hash,
	/// Content hash of `adapter_config.json`.
	pub config: Hash,
	/// Rank of its matrices, from 1 to [`MAX_RANK`].
	pub rank: u16,
	/// The modules it changes, such as `q_proj`; at least one, none twice.
	pub targets: TargetsOf<T>,
	/// The snapshots it was trained on; at least one, none twice.
	pub lineage: LineageOf<T>,
	/// Content hash of its training manifest.
	pub manifest: Hash,
	/// The algorithm that attributes its answers.
	pub algorithm: AlgorithmId,
	/// Content hash of its attribution index; zero where the algorithm needs none.
	pub index: Hash,
	/// Where its files are found.
	pub uri: UriOf<T>,
	/// What its use costs on top of its base model's rate, in units per 1,000 tokens.
	pub rate: Rate,
}

/// A low-rank fine-tuning of a base model. Only its state ever changes.
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
pub struct Adapter<T: Config> {
	/// Who registered it and earns its licence rate.
	pub owner: AccountId,
	/// The name it is asked for by; unique among base models and adapters.
	pub name: NameOf<T>,
	/// The base model it was trained on.
	pub base: BaseModelId,
	/// Content hash of `adapter_model.safetensors`.
	pub weights: Hash,
	/// Content hash of `adapter_config.json`.
	pub config: Hash,
	/// Rank of its matrices.
	pub rank: u16,
	/// The modules it changes.
	pub targets: TargetsOf<T>,
	/// The snapshots it was trained on.
	pub lineage: LineageOf<T>,
	/// Content hash of its training manifest.
	pub manifest: Hash,
	/// The algorithm that attributes its answers.
	pub algorithm: AlgorithmId,
	/// Content hash of its attribution index; zero where the algorithm needs none.
	pub index: Hash,
	/// Where its files are found.
	pub uri: UriOf<T>,
	/// What its use costs on top of its base model's rate, in units per 1,000 tokens.
	pub rate: Rate,
	/// Whether it is offered.
	pub state: AdapterState,
}

impl<T: Config> Adapter<T> {
	/// The active adapter that `owner` registers.
	pub(crate) fn new(owner: AccountId, registration: AdapterRegistration<T>) -> Self {
		let AdapterRegistration {
			name,
			base,
			weights,
			config,
			rank,
			targets,
			lineage,
			manifest,
			algorithm,
			index,
			uri,
			rate,
		} = registration;
		Self {
			owner,
			name,
			base,
			weights,
			config,
			rank,
			targets,
			lineage,
			manifest,
			algorithm,
			index,
			uri,
			rate,
			state: AdapterState::Active,
		}
	}
}

/// How far an attribution algorithm is in use: proposed, then shadow, active, retired, in this order.
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
pub enum AlgorithmState {
	/// Computed and published for comparison; pays nobody, so no adapter may choose it.
	#[codec(index = 0)]
	Shadow,
	/// New adapters may choose it.
	#[codec(index = 1)]
	Active,
	/// Adapters that chose it keep it; new ones may not.
	#[codec(index = 2)]
	Retired,
	/// Somebody has put it forward; governance has not taken it up.
	#[codec(index = 3)]
	Proposed,
}

/// What somebody who puts an attribution algorithm forward says of it.
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
pub struct AlgorithmProposal<T: Config> {
	/// Its name and version, such as `span-sa/1`; no algorithm that governance took up has it.
	pub name: NameOf<T>,
	/// Content hash of its specification.
	pub spec: Hash,
	/// Content hash of its test vectors: whoever implements it computes the same from them.
	pub vectors: Hash,
	/// Content hash of the schema of its parameters.
	pub schema: Hash,
	/// Where the three files are found.
	pub uri: UriOf<T>,
}

/// The id of a proposed attribution algorithm.
pub type ProposalId = u32;

/// A version of an attribution algorithm. Only its state ever changes.
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
pub struct Algorithm<T: Config> {
	/// Its name and version, such as `span-sa/1`.
	pub name: NameOf<T>,
	/// Content hash of its specification; zero for one that the chain began with.
	pub spec: Hash,
	/// Content hash of its test vectors; zero for one that the chain began with.
	pub vectors: Hash,
	/// Content hash of the schema of its parameters; zero for one that the chain began with.
	pub schema: Hash,
	/// Where the three files are found; empty for one that the chain began with.
	pub uri: UriOf<T>,
	/// Who put it forward; nobody, for one that the chain began with.
	pub proposer: Option<AccountId>,
	/// How far it is in use.
	pub state: AlgorithmState,
}
