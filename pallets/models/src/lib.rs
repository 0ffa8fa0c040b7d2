//! Models: base models, the adapters trained on them, and what each adapter was trained on.
//!
//! # Terms
//!
//! - **Base model**: a language model as its makers published it, known by the hashes of its files.
//! - **Adapter**: a low-rank fine-tuning of one base model, in PEFT's layout.
//! - **Lineage**: the Datanet snapshots an adapter was trained on. Money that the adapter earns for data
//!   goes to their contributors and to nobody else.
//! - **Rate**: what the owner asks for the use of a model, in units per 1,000 tokens read and written.
//! - **Algorithm**: a version of a rule by which answers are attributed to contributions. An adapter
//!   pins the one it was indexed with.
//!
//! # A user's story
//!
//! Alice [registers](Pallet::register_base) a base model: anybody can now check with `sha256sum` that a
//! provider serves the very files. Bob trains an adapter on snapshot 1 of two Datanets and
//! [registers](Pallet::register_adapter) it as `birdsong-v1` with its lineage and the index by which its
//! answers are attributed. A client asks for the model `birdsong-v1`, pays Alice's rate and Bob's, and
//! part of it goes to the contributors of the two snapshots. When Bob has a better one he registers
//! `birdsong-v2` and [retires](Pallet::retire_adapter) the first.
//!
//! # Design
//!
//! What is registered never changes. A new price, new weights or another lineage is a new adapter under
//! a new name, so that a payer who signed for a name knows what it gets and what it costs, and old
//! receipts can always be settled by what they were made under. For the same reason names are never
//! free again. They are one namespace for base models and adapters, because a client asks for either
//! in the same field.
//!
//! The same pair of adapter files cannot be registered twice, so what is registered is not sold under
//! another name by mistake. That is no protection of authors: one space more in the config makes other
//! files, and who registers first, by copying a transaction on its way if need be, has the name and the
//! files; nor are base models told apart by theirs. Who registers pays a deposit by size.
//!
//! Attribution algorithms are versions too, and never change: another rule is another algorithm.
//! Anybody may [propose](Pallet::propose_algorithm) one, with the hashes of its specification, its test
//! vectors and the schema of its parameters. Governance lets it run in the
//! [shadow](Pallet::shadow_algorithm) of the ones in use, where its results can be compared and pay
//! nobody, then makes it [active](Pallet::activate_algorithm): new adapters may choose it. One day it
//! [retires](Pallet::retire_algorithm) it. An adapter keeps the algorithm it chose whatever becomes of
//! that, so old receipts are settled by what they were made under. Receipts and adapters have little
//! room for an algorithm's id, so only governance gives one.

#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs)]
#![cfg_attr(
	not(test),
	deny(
		clippy::arithmetic_side_effects,
		clippy::indexing_slicing,
		clippy::expect_used
	)
)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod impls;
pub mod migrations;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
mod types;
pub mod weights;

use frame::{prelude::*, traits::Consideration, traits::Footprint};
use openledger_primitives::{
	algorithm, AccountId, AdapterId, AlgorithmId, Balance, BaseModelId, DatanetId, Hash, Rate,
	SnapshotVersion,
};

#[cfg(feature = "runtime-benchmarks")]
pub use benchmarking::BenchmarkHelper;
pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

// What the macro generates expects things of the runtime that hold once it compiles.
#[allow(clippy::expect_used)]
#[frame::pallet]
pub mod pallet {
	use super::*;
	use alloc::{string::String, vec::Vec};

	/// What the runtime decides.
	#[pallet::config]
	pub trait Config:
		frame_system::Config<AccountId = AccountId, Hash = Hash, RuntimeEvent: From<Event<Self>>>
	{
		/// Deposit for a base model, by its encoded size.
		type BaseModelConsideration: Consideration<AccountId, Footprint>;

		/// Deposit for an adapter, by its encoded size.
		type AdapterConsideration: Consideration<AccountId, Footprint>;

		/// Deposit for a proposed attribution algorithm, by its encoded size, until governance takes it
		/// up or its proposer withdraws it.
		type AlgorithmConsideration: Consideration<AccountId, Footprint>;

		/// Who decides on attribution algorithms.
		type AlgorithmOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// The snapshots that there are.
		type Snapshots: SnapshotInspect;

		/// Most bytes of a name, a licence, an architecture or a target.
		#[pallet::constant]
		type MaxNameLen: Get<u32>;

		/// Most bytes of a URI.
		#[pallet::constant]
		type MaxUriLen: Get<u32>;

		/// Most snapshots an adapter may be trained on.
		#[pallet::constant]
		type MaxLineage: Get<u32>;

		/// Highest rate an owner may ask, in units per 1,000 tokens.
		type MaxRate: Get<Balance>;

		/// Weights of the calls.
		type WeightInfo: WeightInfo;

		/// Sets up what the benchmarks need of other pallets.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: BenchmarkHelper;
	}

	/// Why money is held.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// Deposit for a base model.
		#[codec(index = 0)]
		BaseModel,
		/// Deposit for an adapter.
		#[codec(index = 1)]
		Adapter,
		/// Deposit for a proposed attribution algorithm.
		#[codec(index = 2)]
		Algorithm,
	}

	/// The pallet.
	#[pallet::pallet]
	#[pallet::storage_version(migrations::STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	/// The id the next base model gets.
	#[pallet::storage]
	pub type NextBaseModel<T: Config> = StorageValue<_, BaseModelId, ValueQuery>;

	/// The id the next adapter gets.
	#[pallet::storage]
	pub type NextAdapter<T: Config> = StorageValue<_, AdapterId, ValueQuery>;

	/// Base models by id. The chain counts the ids, so the cheap hasher is safe; each entry is paid for
	/// by a deposit.
	#[pallet::storage]
	pub type BaseModels<T: Config> = StorageMap<_, Twox64Concat, BaseModelId, BaseModel<T>>;

	/// The deposit of each base model: one entry per entry of [`BaseModels`], under the same key.
	#[pallet::storage]
	pub type BaseModelDeposits<T: Config> =
		StorageMap<_, Twox64Concat, BaseModelId, T::BaseModelConsideration>;

	/// Adapters by id. The chain counts the ids, so the cheap hasher is safe; each entry is paid for by
	/// a deposit.
	#[pallet::storage]
	pub type Adapters<T: Config> = StorageMap<_, Twox64Concat, AdapterId, Adapter<T>>;

	/// The deposit of each adapter: one entry per entry of [`Adapters`], under the same key.
	#[pallet::storage]
	pub type AdapterDeposits<T: Config> =
		StorageMap<_, Twox64Concat, AdapterId, T::AdapterConsideration>;

	/// What each name stands for. Owners choose names, so the hasher must be a strong one; one entry per
	/// base model and adapter.
	#[pallet::storage]
	pub type Names<T: Config> = StorageMap<_, Blake2_128Concat, NameOf<T>, Model>;

	/// Which adapter consists of these files: content hashes of weights and config. Owners choose them,
	/// so the hasher must be a strong one; one entry per adapter.
	#[pallet::storage]
	pub type AdapterByFiles<T: Config> = StorageMap<_, Blake2_128Concat, (Hash, Hash), AdapterId>;

	/// Attribution algorithms by id, but for those that are only proposed. Genesis and the chain's count
	/// give the ids, so the cheap hasher is safe; each entry was wanted by governance.
	#[pallet::storage]
	pub type Algorithms<T: Config> = StorageMap<_, Twox64Concat, AlgorithmId, Algorithm<T>>;

	/// The id the next attribution algorithm gets.
	#[pallet::storage]
	pub type NextAlgorithm<T: Config> = StorageValue<_, AlgorithmId, ValueQuery>;

	/// How many attribution algorithms are active.
	#[pallet::storage]
	pub type ActiveAlgorithms<T: Config> = StorageValue<_, AlgorithmId, ValueQuery>;

	/// Proposed algorithms that governance has not taken up. The chain counts their ids, which are not
	/// those of algorithms: there are too few of these to give one to whoever asks. So the cheap hasher
	/// is safe; each entry is paid for by a deposit.
	#[pallet::storage]
	pub type Proposals<T: Config> = StorageMap<_, Twox64Concat, ProposalId, Algorithm<T>>;

	/// The id the next proposal gets.
	#[pallet::storage]
	pub type NextProposal<T: Config> = StorageValue<_, ProposalId, ValueQuery>;

	/// The deposit of each proposed algorithm, under the same key as in [`Proposals`].
	#[pallet::storage]
	pub type ProposalDeposits<T: Config> =
		StorageMap<_, Twox64Concat, ProposalId, T::AlgorithmConsideration>;

	/// Which algorithm has this name. Proposers choose names, so the hasher must be a strong one; one
	/// entry per algorithm. Proposals have none, so that nobody can keep a name from others.
	#[pallet::storage]
	pub type AlgorithmNames<T: Config> = StorageMap<_, Blake2_128Concat, NameOf<T>, AlgorithmId>;

	/// The attribution algorithms known at genesis, all active.
	#[pallet::genesis_config]
	pub struct GenesisConfig<T: Config> {
		/// Id, name and content hash of the specification of each; the hash is zero where none is
		/// published yet.
		pub algorithms: Vec<(AlgorithmId, String, Hash)>,
		#[doc(hidden)]
		#[serde(skip)]
		pub _config: PhantomData<T>,
	}

	impl<T: Config> Default for GenesisConfig<T> {
		fn default() -> Self {
			let algorithms = [
				(algorithm::EQUAL_1, "equal/1"),
				(algorithm::SPAN_SA_1, "span-sa/1"),
			]
			.map(|(id, name)| (id, name.into(), Hash::zero()))
			.into();
			Self {
				algorithms,
				_config: PhantomData,
			}
		}
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			for (id, name, spec) in &self.algorithms {
				let name = name.as_bytes().to_vec().try_into();
				assert!(name.is_ok(), "the name of algorithm {id} is too long");
				assert!(
					!Algorithms::<T>::contains_key(id),
					"algorithm {id} is given twice"
				);
				if let Ok(name) = name {
					Pallet::<T>::insert_original(*id, name, *spec, AlgorithmState::Active);
				}
			}
		}
	}

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(pub(crate) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A base model was registered.
		#[codec(index = 0)]
		BaseRegistered {
			/// Its id.
			base: BaseModelId,
			/// Its owner.
			owner: AccountId,
			/// Its name.
			name: NameOf<T>,
			/// Content hash of its weights.
			weights: Hash,
			/// Content hash of its tokenizer.
			tokenizer: Hash,
			/// What its use costs.
			rate: Rate,
		},
		/// An adapter was registered.
		#[codec(index = 1)]
		AdapterRegistered {
			/// Its id.
			adapter: AdapterId,
			/// Its owner.
			owner: AccountId,
			/// Its name.
			name: NameOf<T>,
			/// Its base model.
			base: BaseModelId,
			/// Content hash of its weights.
			weights: Hash,
			/// Content hash of its config.
			config: Hash,
			/// Content hash of its attribution index.
			index: Hash,
			/// The algorithm that attributes its answers.
			algorithm: AlgorithmId,
			/// The snapshots it was trained on.
			lineage: LineageOf<T>,
			/// What its use costs on top of its base model's rate.
			rate: Rate,
		},
		/// An adapter was taken out of service.
		#[codec(index = 2)]
		AdapterRetired {
			/// The adapter.
			adapter: AdapterId,
			/// Its owner.
			owner: AccountId,
		},
		/// An attribution algorithm was put forward.
		#[codec(index = 6)]
		AlgorithmProposed {
			/// The proposal's id.
			proposal: ProposalId,
			/// Who put it forward.
			proposer: AccountId,
			/// Its name and version.
			name: NameOf<T>,
			/// Content hash of its specification.
			spec: Hash,
			/// Content hash of its test vectors.
			vectors: Hash,
			/// Content hash of the schema of its parameters.
			schema: Hash,
			/// Where the three files are found.
			uri: UriOf<T>,
		},
		/// A proposed algorithm was withdrawn; the proposal's id is never used again.
		#[codec(index = 7)]
		AlgorithmWithdrawn {
			/// The proposal.
			proposal: ProposalId,
			/// Who had put it forward.
			proposer: AccountId,
		},
		/// Governance took a proposed algorithm up, which runs in the shadow of others now.
		#[codec(index = 8)]
		AlgorithmTakenUp {
			/// What the proposal's id was.
			proposal: ProposalId,
			/// The algorithm's id.
			algorithm: AlgorithmId,
		},
		/// Governance decided how far an algorithm is in use.
		#[codec(index = 5)]
		AlgorithmStateChanged {
			/// The algorithm.
			algorithm: AlgorithmId,
			/// How far it was in use.
			from: AlgorithmState,
			/// How far it is in use now.
			to: AlgorithmState,
		},
	}

	/// What went wrong.
	#[pallet::error]
	pub enum Error<T> {
		/// There is no base model with this id; register it first.
		#[codec(index = 0)]
		UnknownBase,
		/// There is no adapter with this id; look it up by its name.
		#[codec(index = 1)]
		UnknownAdapter,
		/// There is no attribution algorithm with this id; choose one that the chain knows.
		#[codec(index = 2)]
		UnknownAlgorithm,
		/// The algorithm is proposed, in shadow or retired; choose an active one.
		#[codec(index = 3)]
		AlgorithmNotActive,
		/// A name is 1 to 64 of `a-z 0-9 . _ -` and begins with a letter or digit.
		#[codec(index = 4)]
		InvalidName,
		/// A base model or adapter has or had this name; names are never free again, choose another.
		#[codec(index = 5)]
		NameTaken,
		/// Architecture, licence and URI must be UTF-8 text, not empty, without control characters.
		#[codec(index = 6)]
		InvalidText,
		/// A required hash is zero; give the SHA-256 of the file.
		#[codec(index = 7)]
		NoHash,
		/// The rate is above what governance allows.
		#[codec(index = 8)]
		RateTooHigh,
		/// The rank must be between 1 and 512.
		#[codec(index = 9)]
		InvalidRank,
		/// Targets must be at least one, distinct, UTF-8 text without control characters.
		#[codec(index = 10)]
		InvalidTargets,
		/// An adapter needs at least one snapshot that it was trained on.
		#[codec(index = 11)]
		NoLineage,
		/// The lineage names a snapshot twice; name each once.
		#[codec(index = 12)]
		DuplicateLineage,
		/// The lineage names a snapshot that does not exist; make the snapshot first.
		#[codec(index = 13)]
		UnknownSnapshot,
		/// An adapter with these weights and this config is registered already.
		#[codec(index = 14)]
		DuplicateAdapter,
		/// Only the owner may do this; sign with the owner's account.
		#[codec(index = 15)]
		NotOwner,
		/// The adapter is retired already; nothing is left to do.
		#[codec(index = 16)]
		AlreadyRetired,
		/// An algorithm's name is a name as of a model, then `/`, then its version, a number from 1,
		/// such as `span-sa/1`; together at most 64 bytes.
		#[codec(index = 17)]
		InvalidAlgorithmName,
		/// An algorithm that governance took up has this name and version; raise the version.
		#[codec(index = 18)]
		AlgorithmNameTaken,
		/// Only who put the algorithm forward may withdraw it; sign with that account.
		#[codec(index = 19)]
		NotProposer,
		/// The algorithm is not in the state before this one: proposed, shadow, active, retired; look
		/// its state up.
		#[codec(index = 20)]
		WrongAlgorithmState,
		/// No other algorithm is active, and adapters could choose none; activate another first.
		#[codec(index = 21)]
		LastActiveAlgorithm,
		/// There is no proposal with this id, or it was withdrawn or taken up.
		#[codec(index = 22)]
		UnknownProposal,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			assert!(T::MaxNameLen::get() > 0, "names need at least one byte");
			assert!(T::MaxUriLen::get() > 0, "URIs need at least one byte");
			assert!(T::MaxLineage::get() > 0, "an adapter needs a snapshot");
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), frame::try_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Registers a base model that the caller owns.
		///
		/// - `name`: the name to ask for it by.
		/// - `architecture`: such as `llama`.
		/// - `weights`, `tokenizer`: content hashes of the files; the same hash twice where one file
		///   has both.
		/// - `licence`: SPDX identifier.
		/// - `rate`: what its use costs, in units per 1,000 tokens; can never be changed.
		///
		/// Holds a deposit of the caller. Emits [`Event::BaseRegistered`]. Fails with
		/// [`Error::InvalidName`], [`Error::NameTaken`], [`Error::InvalidText`], [`Error::NoHash`],
		/// [`Error::RateTooHigh`], or if the caller cannot pay the deposit.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::register_base(
			Pallet::<T>::text_len(&[name, architecture, licence])
		))]
		pub fn register_base(
			origin: OriginFor<T>,
			name: NameOf<T>,
			architecture: NameOf<T>,
			weights: Hash,
			tokenizer: Hash,
			licence: NameOf<T>,
			rate: Rate,
		) -> DispatchResult {
			let owner = ensure_signed(origin)?;
			Self::do_register_base(BaseModel {
				owner,
				name,
				architecture,
				weights,
				tokenizer,
				licence,
				rate,
			})
		}

		/// Registers an adapter that the caller owns, with the snapshots it was trained on.
		///
		/// Holds a deposit of the caller. Emits [`Event::AdapterRegistered`]. Fails with
		/// [`Error::InvalidName`], [`Error::NameTaken`], [`Error::UnknownBase`], [`Error::NoHash`] for
		/// weights, config or manifest, [`Error::DuplicateAdapter`], [`Error::InvalidRank`],
		/// [`Error::InvalidTargets`], [`Error::NoLineage`], [`Error::DuplicateLineage`],
		/// [`Error::UnknownSnapshot`], [`Error::UnknownAlgorithm`], [`Error::AlgorithmNotActive`],
		/// [`Error::InvalidText`], [`Error::RateTooHigh`], or if the caller cannot pay the deposit.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::register_adapter(
			u32::try_from(registration.encoded_size()).unwrap_or(u32::MAX),
			u32::try_from(registration.lineage.len()).unwrap_or(u32::MAX),
		))]
		pub fn register_adapter(
			origin: OriginFor<T>,
			registration: AdapterRegistration<T>,
		) -> DispatchResult {
			let owner = ensure_signed(origin)?;
			Self::do_register_adapter(owner, registration)
		}

		/// Takes an adapter out of service, for good. Only its owner may.
		///
		/// It stays on record, since earlier receipts are settled by it; so does its deposit. Emits
		/// [`Event::AdapterRetired`]. Fails with [`Error::UnknownAdapter`], [`Error::NotOwner`],
		/// [`Error::AlreadyRetired`].
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::retire_adapter())]
		pub fn retire_adapter(origin: OriginFor<T>, adapter: AdapterId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_retire_adapter(who, adapter)
		}

		/// Puts an attribution algorithm forward.
		///
		/// Holds a deposit of the caller until governance takes the algorithm up, or the caller
		/// withdraws it. Several proposals may have the same name; the first to be taken up has it. Emits
		/// [`Event::AlgorithmProposed`]. Fails with
		/// [`Error::InvalidAlgorithmName`], [`Error::AlgorithmNameTaken`], [`Error::NoHash`],
		/// [`Error::InvalidText`], or if the caller cannot pay the deposit.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::propose_algorithm(
			Pallet::<T>::text_len(&[&proposal.name]).saturating_add(Pallet::<T>::text_len(&[&proposal.uri]))
		))]
		pub fn propose_algorithm(
			origin: OriginFor<T>,
			proposal: AlgorithmProposal<T>,
		) -> DispatchResult {
			let proposer = ensure_signed(origin)?;
			Self::do_propose_algorithm(proposer, proposal)
		}

		/// Withdraws an attribution algorithm that the caller put forward and governance has not taken
		/// up. The deposit goes back.
		///
		/// Emits [`Event::AlgorithmWithdrawn`]. Fails with [`Error::UnknownProposal`],
		/// [`Error::NotProposer`].
		// Index 4 was this call when proposals had ids of algorithms.
		#[pallet::call_index(8)]
		#[pallet::weight(T::WeightInfo::withdraw_algorithm())]
		pub fn withdraw_algorithm(origin: OriginFor<T>, proposal: ProposalId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_withdraw_algorithm(who, proposal)
		}

		/// Takes a proposed algorithm up: it gets its id, is computed and published for comparison, and
		/// pays nobody. Only governance may. The proposer's deposit goes back.
		///
		/// What a proposal says never changes and its id is never used again, so the id tells what is
		/// voted on. Emits [`Event::AlgorithmTakenUp`] and [`Event::AlgorithmStateChanged`]. Fails with
		/// [`Error::UnknownProposal`], [`Error::AlgorithmNameTaken`].
		// Index 5 was this call when proposals had ids of algorithms.
		#[pallet::call_index(9)]
		#[pallet::weight(T::WeightInfo::change_algorithm())]
		pub fn shadow_algorithm(origin: OriginFor<T>, proposal: ProposalId) -> DispatchResult {
			T::AlgorithmOrigin::ensure_origin(origin)?;
			Self::do_take_up(proposal)
		}

		/// Lets new adapters choose an algorithm that is in shadow. Only governance may.
		///
		/// Emits [`Event::AlgorithmStateChanged`]. Fails with [`Error::UnknownAlgorithm`],
		/// [`Error::WrongAlgorithmState`].
		#[pallet::call_index(6)]
		#[pallet::weight(T::WeightInfo::change_algorithm())]
		pub fn activate_algorithm(origin: OriginFor<T>, algorithm: AlgorithmId) -> DispatchResult {
			T::AlgorithmOrigin::ensure_origin(origin)?;
			Self::do_change_algorithm(algorithm, AlgorithmState::Active)
		}

		/// Lets no new adapter choose an algorithm that is in shadow or active. Only governance may.
		/// Adapters that chose it keep it.
		///
		/// Emits [`Event::AlgorithmStateChanged`]. Fails with [`Error::UnknownAlgorithm`],
		/// [`Error::WrongAlgorithmState`], [`Error::LastActiveAlgorithm`].
		#[pallet::call_index(7)]
		#[pallet::weight(T::WeightInfo::change_algorithm())]
		pub fn retire_algorithm(origin: OriginFor<T>, algorithm: AlgorithmId) -> DispatchResult {
			T::AlgorithmOrigin::ensure_origin(origin)?;
			Self::do_change_algorithm(algorithm, AlgorithmState::Retired)
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// The base model with this id.
		pub fn base_model(base: BaseModelId) -> Option<BaseModel<T>> {
			BaseModels::<T>::get(base)
		}

		/// The adapter with this id.
		pub fn adapter(adapter: AdapterId) -> Option<Adapter<T>> {
			Adapters::<T>::get(adapter)
		}

		/// The base model or adapter that has this name.
		pub fn by_name(name: NameOf<T>) -> Option<Model> {
			Names::<T>::get(name)
		}

		/// The proposed attribution algorithm with this id, if governance has not taken it up.
		pub fn proposal(proposal: ProposalId) -> Option<Algorithm<T>> {
			Proposals::<T>::get(proposal)
		}

		/// The attribution algorithm with this id, if governance has taken it up.
		pub fn algorithm(algorithm: AlgorithmId) -> Option<Algorithm<T>> {
			Algorithms::<T>::get(algorithm)
		}

		/// The id of the attribution algorithm that has this name and version.
		pub fn algorithm_by_name(name: NameOf<T>) -> Option<AlgorithmId> {
			AlgorithmNames::<T>::get(name)
		}
	}
}
