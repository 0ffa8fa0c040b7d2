//! The logic behind the calls.

use crate::*;
use alloc::collections::BTreeSet;

impl<T: Config> Pallet<T> {
	/// Whether a base model has this id.
	pub fn base_exists(base: BaseModelId) -> bool {
		BaseModels::<T>::contains_key(base)
	}

	/// Who earns a base model's licence rate.
	pub fn base_owner(base: BaseModelId) -> Option<AccountId> {
		BaseModels::<T>::get(base).map(|model| model.owner)
	}

	/// Who earns an adapter's licence rate; also of a retired one.
	pub fn adapter_owner(adapter: AdapterId) -> Option<AccountId> {
		Adapters::<T>::get(adapter).map(|adapter| adapter.owner)
	}

	/// The snapshots an adapter was trained on; also of a retired one.
	pub fn adapter_lineage(adapter: AdapterId) -> Option<LineageOf<T>> {
		Adapters::<T>::get(adapter).map(|adapter| adapter.lineage)
	}

	/// Bytes of all `texts` together.
	pub(crate) fn text_len<B: Get<u32>>(texts: &[&BoundedVec<u8, B>]) -> u32 {
		texts
			.iter()
			.map(|text| u32::try_from(text.len()).unwrap_or(u32::MAX))
			.fold(0, u32::saturating_add)
	}

	pub(crate) fn do_register_base(model: BaseModel<T>) -> DispatchResult {
		Self::ensure_name(&model.name)?;
		ensure!(is_text(&model.architecture), Error::<T>::InvalidText);
		ensure!(is_text(&model.licence), Error::<T>::InvalidText);
		ensure!(
			!model.weights.is_zero() && !model.tokenizer.is_zero(),
			Error::<T>::NoHash
		);
		Self::ensure_rate(&model.rate)?;

		let base = NextBaseModel::<T>::get();
		let next = base.checked_add(1).ok_or(ArithmeticError::Overflow)?;
		// The name is stored a second time, as a key.
		let footprint = Footprint::from_encodable((&model, &model.name));
		let deposit = T::BaseModelConsideration::new(&model.owner, footprint)?;
		NextBaseModel::<T>::put(next);
		Names::<T>::insert(&model.name, Model::Base(base));
		BaseModels::<T>::insert(base, &model);
		BaseModelDeposits::<T>::insert(base, deposit);
		let BaseModel {
			owner,
			name,
			weights,
			tokenizer,
			rate,
			..
		} = model;
		Self::deposit_event(Event::BaseRegistered {
			base,
			owner,
			name,
			weights,
			tokenizer,
			rate,
		});
		Ok(())
	}

	pub(crate) fn do_register_adapter(
		owner: AccountId,
		registration: AdapterRegistration<T>,
	) -> DispatchResult {
		Self::ensure_name(&registration.name)?;
		ensure!(
			Self::base_exists(registration.base),
			Error::<T>::UnknownBase
		);
		let hashes = [
			registration.weights,
			registration.config,
			registration.manifest,
		];
		ensure!(
			hashes.iter().all(|hash| !hash.is_zero()),
			Error::<T>::NoHash
		);
		let files = (registration.weights, registration.config);
		ensure!(
			!AdapterByFiles::<T>::contains_key(files),
			Error::<T>::DuplicateAdapter
		);
		ensure!(
			(1..=MAX_RANK).contains(&registration.rank),
			Error::<T>::InvalidRank
		);
		let targets = &registration.targets;
		ensure!(
			!targets.is_empty()
				&& are_distinct(targets.iter())
				&& targets.iter().all(|target| is_text(target)),
			Error::<T>::InvalidTargets
		);
		Self::ensure_lineage(&registration.lineage)?;
		let algorithm =
			Algorithms::<T>::get(registration.algorithm).ok_or(Error::<T>::UnknownAlgorithm)?;
		ensure!(
			algorithm.state == AlgorithmState::Active,
			Error::<T>::AlgorithmNotActive
		);
		ensure!(is_text(&registration.uri), Error::<T>::InvalidText);
		Self::ensure_rate(&registration.rate)?;

		let id = NextAdapter::<T>::get();
		let next = id.checked_add(1).ok_or(ArithmeticError::Overflow)?;
		let adapter = Adapter::<T>::new(owner, registration);
		// Name and file hashes are stored a second time, as keys.
		let footprint = Footprint::from_encodable((&adapter, &adapter.name, files));
		let deposit = T::AdapterConsideration::new(&adapter.owner, footprint)?;
		NextAdapter::<T>::put(next);
		Names::<T>::insert(&adapter.name, Model::Adapter(id));
		AdapterByFiles::<T>::insert(files, id);
		Adapters::<T>::insert(id, &adapter);
		AdapterDeposits::<T>::insert(id, deposit);
		Self::deposit_event(Event::AdapterRegistered {
			adapter: id,
			owner: adapter.owner,
			name: adapter.name,
			base: adapter.base,
			weights: adapter.weights,
			config: adapter.config,
			index: adapter.index,
			algorithm: adapter.algorithm,
			lineage: adapter.lineage,
			rate: adapter.rate,
		});
		Ok(())
	}

	pub(crate) fn do_retire_adapter(who: AccountId, id: AdapterId) -> DispatchResult {
		let mut adapter = Adapters::<T>::get(id).ok_or(Error::<T>::UnknownAdapter)?;
		ensure!(adapter.owner == who, Error::<T>::NotOwner);
		ensure!(
			adapter.state == AdapterState::Active,
			Error::<T>::AlreadyRetired
		);
		adapter.state = AdapterState::Retired;
		Adapters::<T>::insert(id, adapter);
		Self::deposit_event(Event::AdapterRetired {
			adapter: id,
			owner: who,
		});
		Ok(())
	}

	/// Stores an algorithm that nobody had to propose.
	pub(crate) fn insert_original(
		id: AlgorithmId,
		name: NameOf<T>,
		spec: Hash,
		state: AlgorithmState,
	) {
		AlgorithmNames::<T>::insert(&name, id);
		if state == AlgorithmState::Active {
			ActiveAlgorithms::<T>::mutate(|active| active.saturating_inc());
		}
		let algorithm = Algorithm {
			name,
			spec,
			vectors: Hash::zero(),
			schema: Hash::zero(),
			uri: Default::default(),
			proposer: None,
			state,
		};
		Algorithms::<T>::insert(id, algorithm);
		NextAlgorithm::<T>::mutate(|next| *next = (*next).max(id.saturating_add(1)));
	}

	pub(crate) fn do_propose_algorithm(
		proposer: AccountId,
		proposal: AlgorithmProposal<T>,
	) -> DispatchResult {
		let AlgorithmProposal {
			name,
			spec,
			vectors,
			schema,
			uri,
		} = proposal;
		ensure!(is_algorithm_name(&name), Error::<T>::InvalidAlgorithmName);
		ensure!(
			!AlgorithmNames::<T>::contains_key(&name),
			Error::<T>::AlgorithmNameTaken
		);
		ensure!(
			![spec, vectors, schema].iter().any(Hash::is_zero),
			Error::<T>::NoHash
		);
		ensure!(is_text(&uri), Error::<T>::InvalidText);

		let id = NextProposal::<T>::get();
		let next = id.checked_add(1).ok_or(ArithmeticError::Overflow)?;
		let algorithm = Algorithm::<T> {
			name: name.clone(),
			spec,
			vectors,
			schema,
			uri: uri.clone(),
			proposer: Some(proposer.clone()),
			state: AlgorithmState::Proposed,
		};
		// The name is stored a second time, as a key, once it is taken up.
		let footprint = Footprint::from_encodable((&algorithm, &name));
		let deposit = T::AlgorithmConsideration::new(&proposer, footprint)?;
		NextProposal::<T>::put(next);
		Proposals::<T>::insert(id, algorithm);
		ProposalDeposits::<T>::insert(id, deposit);
		Self::deposit_event(Event::AlgorithmProposed {
			proposal: id,
			proposer,
			name,
			spec,
			vectors,
			schema,
			uri,
		});
		Ok(())
	}

	pub(crate) fn do_withdraw_algorithm(who: AccountId, proposal: ProposalId) -> DispatchResult {
		let algorithm = Proposals::<T>::get(proposal).ok_or(Error::<T>::UnknownProposal)?;
		ensure!(
			algorithm.proposer.as_ref() == Some(&who),
			Error::<T>::NotProposer
		);
		Self::forget_proposal(proposal, &algorithm)?;
		Self::deposit_event(Event::AlgorithmWithdrawn {
			proposal,
			proposer: who,
		});
		Ok(())
	}

	pub(crate) fn do_take_up(proposal: ProposalId) -> DispatchResult {
		let mut algorithm = Proposals::<T>::get(proposal).ok_or(Error::<T>::UnknownProposal)?;
		ensure!(
			!AlgorithmNames::<T>::contains_key(&algorithm.name),
			Error::<T>::AlgorithmNameTaken
		);
		let id = NextAlgorithm::<T>::get();
		let next = id.checked_add(1).ok_or(ArithmeticError::Overflow)?;
		Self::forget_proposal(proposal, &algorithm)?;
		let (from, to) = (algorithm.state, AlgorithmState::Shadow);
		algorithm.state = to;
		NextAlgorithm::<T>::put(next);
		AlgorithmNames::<T>::insert(&algorithm.name, id);
		Algorithms::<T>::insert(id, algorithm);
		Self::deposit_event(Event::AlgorithmTakenUp {
			proposal,
			algorithm: id,
		});
		Self::deposit_event(Event::AlgorithmStateChanged {
			algorithm: id,
			from,
			to,
		});
		Ok(())
	}

	/// Removes a proposal and gives its deposit back.
	fn forget_proposal(proposal: ProposalId, algorithm: &Algorithm<T>) -> DispatchResult {
		Proposals::<T>::remove(proposal);
		match (ProposalDeposits::<T>::take(proposal), &algorithm.proposer) {
			(Some(deposit), Some(proposer)) => deposit.drop(proposer),
			_ => Ok(()),
		}
	}

	pub(crate) fn do_change_algorithm(id: AlgorithmId, to: AlgorithmState) -> DispatchResult {
		use AlgorithmState::{Active, Retired, Shadow};
		let mut algorithm = Algorithms::<T>::get(id).ok_or(Error::<T>::UnknownAlgorithm)?;
		let from = algorithm.state;
		ensure!(
			matches!((from, to), (Shadow, Active) | (Shadow | Active, Retired)),
			Error::<T>::WrongAlgorithmState
		);
		let active = ActiveAlgorithms::<T>::get();
		let active = match (from, to) {
			(_, Active) => active.checked_add(1),
			(Active, _) => active.checked_sub(1),
			_ => Some(active),
		};
		let active = active.ok_or(ArithmeticError::Overflow)?;
		ensure!(active > 0, Error::<T>::LastActiveAlgorithm);
		ActiveAlgorithms::<T>::put(active);
		algorithm.state = to;
		Algorithms::<T>::insert(id, algorithm);
		Self::deposit_event(Event::AlgorithmStateChanged {
			algorithm: id,
			from,
			to,
		});
		Ok(())
	}

	/// Fails unless `name` is well-formed and was never taken.
	fn ensure_name(name: &NameOf<T>) -> DispatchResult {
		ensure!(is_model_name(name), Error::<T>::InvalidName);
		ensure!(!Names::<T>::contains_key(name), Error::<T>::NameTaken);
		Ok(())
	}

	/// Fails unless both parts of `rate` are within governance's bound.
	fn ensure_rate(rate: &Rate) -> DispatchResult {
		let most = T::MaxRate::get();
		ensure!(
			rate.input <= most && rate.output <= most,
			Error::<T>::RateTooHigh
		);
		Ok(())
	}

	/// Fails unless `lineage` names snapshots that exist, each once.
	fn ensure_lineage(lineage: &LineageOf<T>) -> DispatchResult {
		ensure!(!lineage.is_empty(), Error::<T>::NoLineage);
		ensure!(are_distinct(lineage.iter()), Error::<T>::DuplicateLineage);
		ensure!(
			lineage
				.iter()
				.all(|(datanet, version)| T::Snapshots::exists(*datanet, *version)),
			Error::<T>::UnknownSnapshot
		);
		Ok(())
	}

	/// Checks that
	///
	/// 1. every base model and adapter has an id below the next one, and a deposit, and no deposit is
	///    left over;
	/// 2. every base model's and adapter's name leads to it, and there are no other names;
	/// 3. every adapter's files lead to it, and there are no other files;
	/// 4. every adapter has a base model and an algorithm that exist;
	/// 5. every adapter has a lineage of distinct snapshots that exist;
	/// 6. every adapter has a rank and targets within bounds;
	/// 7. every algorithm has an id below the next one, is more than proposed, and its name leads to it,
	///    and there are no other names;
	/// 8. every proposal has an id below the next one, a proposer and a deposit, is only proposed, and no
	///    deposit is left over;
	/// 9. the active algorithms are counted right.
	#[cfg(any(feature = "std", feature = "try-runtime"))]
	pub fn do_try_state() -> Result<(), frame::deps::sp_runtime::TryRuntimeError> {
		let (mut names, mut files) = (0usize, 0usize);
		let next = NextBaseModel::<T>::get();
		for (id, model) in BaseModels::<T>::iter() {
			ensure!(id < next, "1: id of a base model");
			ensure!(
				BaseModelDeposits::<T>::contains_key(id),
				"1: deposit of a base model"
			);
			ensure!(
				Names::<T>::get(&model.name) == Some(Model::Base(id)),
				"2: a base model's name leads elsewhere"
			);
			names = names.saturating_add(1);
		}
		ensure!(
			BaseModelDeposits::<T>::iter_keys().all(BaseModels::<T>::contains_key),
			"1: a deposit without a base model"
		);
		let next = NextAdapter::<T>::get();
		for (id, adapter) in Adapters::<T>::iter() {
			ensure!(id < next, "1: id of an adapter");
			ensure!(
				AdapterDeposits::<T>::contains_key(id),
				"1: deposit of an adapter"
			);
			ensure!(
				Names::<T>::get(&adapter.name) == Some(Model::Adapter(id)),
				"2: an adapter's name leads elsewhere"
			);
			names = names.saturating_add(1);
			ensure!(
				AdapterByFiles::<T>::get((adapter.weights, adapter.config)) == Some(id),
				"3: an adapter's files lead elsewhere"
			);
			files = files.saturating_add(1);
			ensure!(
				Self::base_exists(adapter.base),
				"4: an adapter without a base model"
			);
			ensure!(
				Algorithms::<T>::contains_key(adapter.algorithm),
				"4: an adapter without an algorithm"
			);
			Self::ensure_lineage(&adapter.lineage)?;
			ensure!(
				(1..=MAX_RANK).contains(&adapter.rank) && !adapter.targets.is_empty(),
				"6: rank and targets of an adapter"
			);
		}
		ensure!(
			AdapterDeposits::<T>::iter_keys().all(Adapters::<T>::contains_key),
			"1: a deposit without an adapter"
		);
		let next = NextAlgorithm::<T>::get();
		let (mut algorithms, mut active) = (0usize, 0u16);
		for (id, algorithm) in Algorithms::<T>::iter() {
			ensure!(id < next, "7: id of an algorithm");
			ensure!(
				AlgorithmNames::<T>::get(&algorithm.name) == Some(id),
				"7: an algorithm's name leads elsewhere"
			);
			ensure!(
				algorithm.state != AlgorithmState::Proposed,
				"7: a proposal with the id of an algorithm"
			);
			algorithms = algorithms.saturating_add(1);
			if algorithm.state == AlgorithmState::Active {
				active = active.saturating_add(1);
			}
		}
		ensure!(
			ActiveAlgorithms::<T>::get() == active,
			"9: number of active algorithms"
		);
		ensure!(
			AlgorithmNames::<T>::iter_keys().count() == algorithms,
			"7: a name without an algorithm"
		);
		let next = NextProposal::<T>::get();
		for (id, proposal) in Proposals::<T>::iter() {
			ensure!(id < next, "8: id of a proposal");
			ensure!(
				proposal.state == AlgorithmState::Proposed && proposal.proposer.is_some(),
				"8: a proposal that is more than that"
			);
			ensure!(
				ProposalDeposits::<T>::contains_key(id),
				"8: deposit of a proposal"
			);
		}
		ensure!(
			ProposalDeposits::<T>::iter_keys().all(Proposals::<T>::contains_key),
			"8: a deposit without a proposal"
		);
		ensure!(
			Names::<T>::iter_keys().count() == names,
			"2: a name without a model"
		);
		ensure!(
			AdapterByFiles::<T>::iter_keys().count() == files,
			"3: files without an adapter"
		);
		Ok(())
	}
}

/// Most bytes of a model's name.
pub(crate) const MAX_MODEL_NAME: usize = 64;

/// Whether `name` is 1 to 64 of `a-z 0-9 . _ -` and begins with a letter or digit.
fn is_model_name(name: &[u8]) -> bool {
	let is_alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
	name.len() <= MAX_MODEL_NAME
		&& name.first().is_some_and(is_alphanumeric)
		&& name
			.iter()
			.all(|byte| is_alphanumeric(byte) || b"._-".contains(byte))
}

/// Whether `name` is a name as of a model, `/`, and a version: a number from 1 without leading zeros.
fn is_algorithm_name(name: &[u8]) -> bool {
	let mut parts = name.splitn(2, |byte| *byte == b'/');
	let (Some(stem), Some(version)) = (parts.next(), parts.next()) else {
		return false;
	};
	name.len() <= MAX_MODEL_NAME
		&& is_model_name(stem)
		&& version.first().is_some_and(|first| *first != b'0')
		&& version.iter().all(u8::is_ascii_digit)
}

/// Whether `text` is printable UTF-8 and not empty.
fn is_text(text: &[u8]) -> bool {
	core::str::from_utf8(text)
		.is_ok_and(|text| !text.is_empty() && !text.chars().any(char::is_control))
}

/// Whether no item occurs twice.
fn are_distinct<I: Ord>(mut items: impl Iterator<Item = I>) -> bool {
	let mut seen = BTreeSet::new();
	items.all(|item| seen.insert(item))
}
