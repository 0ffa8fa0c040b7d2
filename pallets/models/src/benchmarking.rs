//! What the calls cost at worst, measured.

// This runs nowhere but where weights are measured; a wrong sum or index there stops the measurement.
#![allow(
	clippy::arithmetic_side_effects,
	clippy::expect_used,
	clippy::indexing_slicing,
	clippy::unwrap_used
)]

use crate::{impls::MAX_MODEL_NAME, *};
use alloc::{vec, vec::Vec};
use frame::{benchmarking::prelude::*, traits::EnsureOrigin};
use openledger_primitives::Hash;

/// What the benchmarks need of other pallets.
pub trait BenchmarkHelper {
	/// Makes so many snapshots, each of another Datanet and with the longest texts, and names them.
	fn snapshots(count: u32) -> Vec<(DatanetId, SnapshotVersion)>;
}

/// Bytes that every deposit is enough for.
const ROOM: usize = 4_096;
/// Encoded bytes of a registration with every target and the longest lineage that leave all texts room
/// to be shorter.
const LEAST_REGISTRATION: u32 = 512;

/// Somebody who can pay every deposit of this pallet, and has paid one of each kind already, so that
/// each change of a hold reads and writes a list.
fn funded<T: Config>(role: &'static str) -> Result<AccountId, BenchmarkError> {
	let who: AccountId = account(role, 0, 0);
	let footprint = Footprint::from_parts(1, ROOM);
	for _ in 0..2 {
		T::BaseModelConsideration::ensure_successful(&who, footprint);
		T::AdapterConsideration::ensure_successful(&who, footprint);
		T::AlgorithmConsideration::ensure_successful(&who, footprint);
	}
	// Deposits for nothing that is stored: nobody gives them back.
	let footprint = Footprint::from_parts(1, 1);
	drop((
		T::BaseModelConsideration::new(&who, footprint)?,
		T::AdapterConsideration::new(&who, footprint)?,
		T::AlgorithmConsideration::new(&who, footprint)?,
	));
	Ok(who)
}

/// A text of `len` bytes `byte`, or of as many as fit.
fn text<B: Get<u32>>(byte: u8, len: u32) -> BoundedVec<u8, B> {
	BoundedVec::truncate_from(vec![byte; len as usize])
}

/// Most bytes of a name.
fn longest_name<T: Config>() -> u32 {
	T::MaxNameLen::get().min(MAX_MODEL_NAME as u32)
}

/// The highest rate.
fn rate<T: Config>() -> Rate {
	Rate {
		input: T::MaxRate::get(),
		output: T::MaxRate::get(),
	}
}

/// A base model with the longest texts.
fn base<T: Config>() -> Result<BaseModelId, BenchmarkError> {
	let base = NextBaseModel::<T>::get();
	Pallet::<T>::do_register_base(BaseModel {
		owner: funded::<T>("publisher")?,
		name: text(b'b', longest_name::<T>()),
		architecture: text(b'x', T::MaxNameLen::get()),
		weights: Hash::repeat_byte(1),
		tokenizer: Hash::repeat_byte(2),
		licence: text(b'x', T::MaxNameLen::get()),
		rate: rate::<T>(),
	})?;
	Ok(base)
}

/// What a proposer says of an algorithm whose name is of `name` bytes and whose URI is of `uri`.
fn proposal<T: Config>(byte: u8, name: u32, uri: u32) -> AlgorithmProposal<T> {
	let mut title = vec![byte; name as usize];
	let version = name as usize - 2;
	title[version..].copy_from_slice(b"/1");
	AlgorithmProposal {
		name: BoundedVec::truncate_from(title),
		spec: Hash::repeat_byte(1),
		vectors: Hash::repeat_byte(2),
		schema: Hash::repeat_byte(3),
		uri: text(b'x', uri),
	}
}

/// A proposed algorithm with the longest texts, and who proposed it. Another one is active.
fn proposed<T: Config>() -> Result<(ProposalId, AccountId), BenchmarkError> {
	let other = NextAlgorithm::<T>::get();
	Pallet::<T>::insert_original(other, text(b'o', 8), Hash::zero(), AlgorithmState::Active);
	let who = funded::<T>("proposer")?;
	let said = proposal::<T>(b'a', longest_name::<T>(), T::MaxUriLen::get());
	let id = NextProposal::<T>::get();
	Pallet::<T>::do_propose_algorithm(who.clone(), said)?;
	Ok((id, who))
}

/// Says of an adapter with every target what makes `bytes` encoded bytes, or as many as there can be.
fn registration<T: Config>(
	base: BaseModelId,
	algorithm: AlgorithmId,
	lineage: LineageOf<T>,
	bytes: u32,
) -> AdapterRegistration<T> {
	// They differ in the last byte only, so that comparing two reads them whole.
	let targets: Vec<NameOf<T>> = (0..MAX_TARGETS)
		.map(|at| text(b'A' + at as u8, 1))
		.collect();
	let mut said = AdapterRegistration::<T> {
		name: text(b'a', 1),
		base,
		weights: Hash::repeat_byte(1),
		config: Hash::repeat_byte(2),
		rank: MAX_RANK,
		targets: BoundedVec::truncate_from(targets),
		lineage,
		manifest: Hash::repeat_byte(3),
		algorithm,
		index: Hash::repeat_byte(4),
		uri: text(b'x', 1),
		rate: rate::<T>(),
	};
	while said.encoded_size() < bytes as usize {
		let AdapterRegistration {
			name, uri, targets, ..
		} = &mut said;
		let has_grown = (name.len() < longest_name::<T>() as usize && name.try_push(b'a').is_ok())
			|| uri.try_push(b'x').is_ok()
			|| targets
				.iter_mut()
				.any(|target| target.try_insert(0, b'x').is_ok());
		if !has_grown {
			break;
		}
	}
	said
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// Worst case: three texts of `t` bytes in all, the name as long as it can be, since that is stored
	/// twice.
	#[benchmark]
	fn register_base(t: Linear<3, { 3 * T::MaxNameLen::get() }>) -> Result<(), BenchmarkError> {
		let owner = funded::<T>("publisher")?;
		let base = NextBaseModel::<T>::get();
		let name: NameOf<T> = text(b'b', (t - 2).min(longest_name::<T>()));
		let architecture = (t - name.len() as u32 - 1).min(T::MaxNameLen::get());
		let licence = t - name.len() as u32 - architecture;

		#[extrinsic_call]
		_(
			RawOrigin::Signed(owner.clone()),
			name.clone(),
			text(b'x', architecture),
			Hash::repeat_byte(1),
			Hash::repeat_byte(2),
			text(b'x', licence),
			rate::<T>(),
		);

		let model = BaseModels::<T>::get(base).ok_or("not stored")?;
		assert_eq!(model.owner, owner);
		assert!(
			Pallet::<T>::text_len(&[&model.name, &model.architecture, &model.licence]) == t
				|| longest_name::<T>() < T::MaxNameLen::get()
		);
		assert_eq!(Names::<T>::get(name), Some(Model::Base(base)));
		assert!(BaseModelDeposits::<T>::contains_key(base));
		Ok(())
	}

	/// Worst case: as many targets as there can be, which differ in their last byte; `l` snapshots, each
	/// of another Datanet; texts that make `b` bytes in all.
	#[benchmark]
	fn register_adapter(
		b: Linear<LEAST_REGISTRATION, { AdapterRegistration::<T>::max_encoded_len() as u32 }>,
		l: Linear<1, { T::MaxLineage::get() }>,
	) -> Result<(), BenchmarkError> {
		let base = base::<T>()?;
		let (proposal, _) = proposed::<T>()?;
		let algorithm = NextAlgorithm::<T>::get();
		Pallet::<T>::do_take_up(proposal)?;
		Pallet::<T>::do_change_algorithm(algorithm, AlgorithmState::Active)?;
		let lineage = BoundedVec::truncate_from(T::BenchmarkHelper::snapshots(l));
		assert_eq!(lineage.len(), l as usize);
		let said = registration::<T>(base, algorithm, lineage, b);
		let most = AdapterRegistration::<T>::max_encoded_len();
		let missing =
			(T::MaxLineage::get() - l) as usize * <(DatanetId, SnapshotVersion)>::max_encoded_len();
		assert!(
			said.encoded_size() >= (b as usize).min(most - missing)
				|| longest_name::<T>() < T::MaxNameLen::get()
		);
		let owner = funded::<T>("trainer")?;
		let id = NextAdapter::<T>::get();

		#[extrinsic_call]
		_(RawOrigin::Signed(owner.clone()), said.clone());

		let files = (said.weights, said.config);
		assert_eq!(Names::<T>::get(&said.name), Some(Model::Adapter(id)));
		assert_eq!(AdapterByFiles::<T>::get(files), Some(id));
		assert_eq!(Adapters::<T>::get(id), Some(Adapter::new(owner, said)));
		assert!(AdapterDeposits::<T>::contains_key(id));
		Ok(())
	}

	/// Worst case: an adapter with as much of everything as there can be.
	#[benchmark]
	fn retire_adapter() -> Result<(), BenchmarkError> {
		let base = base::<T>()?;
		let (proposal, _) = proposed::<T>()?;
		let algorithm = NextAlgorithm::<T>::get();
		Pallet::<T>::do_take_up(proposal)?;
		Pallet::<T>::do_change_algorithm(algorithm, AlgorithmState::Active)?;
		let snapshots = T::BenchmarkHelper::snapshots(T::MaxLineage::get());
		let lineage = BoundedVec::truncate_from(snapshots);
		let said = registration::<T>(base, algorithm, lineage, u32::MAX);
		let owner = funded::<T>("trainer")?;
		let id = NextAdapter::<T>::get();
		Pallet::<T>::do_register_adapter(owner.clone(), said)?;

		#[extrinsic_call]
		_(RawOrigin::Signed(owner), id);

		let adapter = Adapters::<T>::get(id).ok_or("gone")?;
		assert_eq!(adapter.state, AdapterState::Retired);
		Ok(())
	}

	/// Worst case: `t` bytes of text, the name as long as it can be, since that is stored twice.
	#[benchmark]
	fn propose_algorithm(
		t: Linear<4, { T::MaxNameLen::get() + T::MaxUriLen::get() }>,
	) -> Result<(), BenchmarkError> {
		let proposer = funded::<T>("proposer")?;
		let id = NextProposal::<T>::get();
		let name = (t - 1).min(longest_name::<T>());
		let uri = (t - name).min(T::MaxUriLen::get());
		let said = proposal::<T>(b'a', name, uri);

		#[extrinsic_call]
		_(RawOrigin::Signed(proposer.clone()), said.clone());

		let algorithm = Proposals::<T>::get(id).ok_or("not stored")?;
		assert_eq!(algorithm.proposer, Some(proposer));
		assert_eq!(algorithm.state, AlgorithmState::Proposed);
		assert_eq!(
			(algorithm.name.len(), algorithm.uri.len()),
			(name as usize, uri as usize)
		);
		assert!(ProposalDeposits::<T>::contains_key(id));
		Ok(())
	}

	/// Worst case: the longest texts.
	#[benchmark]
	fn withdraw_algorithm() -> Result<(), BenchmarkError> {
		let (id, proposer) = proposed::<T>()?;

		#[extrinsic_call]
		_(RawOrigin::Signed(proposer), id);

		assert!(!Proposals::<T>::contains_key(id));
		assert!(!ProposalDeposits::<T>::contains_key(id));
		Ok(())
	}

	/// Worst case: the longest texts, and of the three changes the one that gives the deposit back; the
	/// others read and write no more.
	#[benchmark]
	fn change_algorithm() -> Result<(), BenchmarkError> {
		let origin = T::AlgorithmOrigin::try_successful_origin()
			.map_err(|()| BenchmarkError::Stop("nobody decides on algorithms"))?;
		let (id, _) = proposed::<T>()?;
		let next = NextAlgorithm::<T>::get();
		assert!(ProposalDeposits::<T>::contains_key(id));

		#[extrinsic_call]
		shadow_algorithm(origin as T::RuntimeOrigin, id);

		let algorithm = Algorithms::<T>::get(next).ok_or("not stored")?;
		assert_eq!(algorithm.state, AlgorithmState::Shadow);
		assert_eq!(AlgorithmNames::<T>::get(algorithm.name), Some(next));
		assert!(!ProposalDeposits::<T>::contains_key(id));
		Ok(())
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
