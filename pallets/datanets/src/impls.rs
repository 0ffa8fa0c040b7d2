//! The logic behind the calls.

use crate::*;
use alloc::vec::Vec;
use openledger_primitives::{
	merkle::{MerkleError, Tree},
	ContributionLeaf,
};

impl<T: Config> Pallet<T> {
	/// Whether the Datanet has a snapshot with this version.
	pub fn snapshot_exists(datanet: DatanetId, version: SnapshotVersion) -> bool {
		Snapshots::<T>::contains_key(datanet, version)
	}

	/// Bytes of all `texts` together.
	pub(crate) fn text_len<B: Get<u32>>(texts: &[&BoundedVec<u8, B>]) -> u32 {
		texts
			.iter()
			.map(|text| u32::try_from(text.len()).unwrap_or(u32::MAX))
			.fold(0, u32::saturating_add)
	}

	pub(crate) fn do_create(
		owner: AccountId,
		name: NameOf<T>,
		licence: NameOf<T>,
		media_type: NameOf<T>,
		curation: Curation,
	) -> DispatchResult {
		for text in [&name, &licence, &media_type] {
			Self::ensure_text(text)?;
		}
		let id = NextDatanet::<T>::get();
		let next = id.checked_add(1).ok_or(ArithmeticError::Overflow)?;
		let datanet = Datanet::<T> {
			owner: owner.clone(),
			name: name.clone(),
			licence: licence.clone(),
			media_type: media_type.clone(),
			curation,
			contributions: 0,
			kept: 0,
			accepted: 0,
			snapshots: 0,
		};
		let deposit = T::DatanetConsideration::new(&owner, Footprint::from_encodable(&datanet))?;
		NextDatanet::<T>::put(next);
		Datanets::<T>::insert(id, datanet);
		DatanetDeposits::<T>::insert(id, deposit);
		Self::deposit_event(Event::Created {
			datanet: id,
			owner,
			name,
			licence,
			media_type,
			curation,
		});
		Ok(())
	}

	pub(crate) fn do_contribute(
		contributor: AccountId,
		datanet: DatanetId,
		records: Commitment,
		uri: UriOf<T>,
		payout: AccountId,
	) -> DispatchResult {
		let mut pool = Datanets::<T>::get(datanet).ok_or(Error::<T>::UnknownDatanet)?;
		Self::ensure_text(&uri)?;
		Self::ensure_records(&records)?;
		ensure!(
			!ContributionByRoot::<T>::contains_key(datanet, records.root),
			Error::<T>::DuplicateContribution
		);
		ensure!(
			pool.kept < T::MaxContributions::get(),
			Error::<T>::DatanetFull
		);

		let id = pool.contributions;
		pool.contributions = increment(id)?;
		pool.kept = increment(pool.kept)?;
		let state = match pool.curation {
			Curation::Open => Self::admit(&mut pool)?,
			Curation::Owner => ContributionState::Pending,
		};
		let contribution = Contribution::<T> {
			contributor: contributor.clone(),
			payout: payout.clone(),
			records,
			uri: uri.clone(),
			state,
		};
		// The root is stored a second time, as a key.
		let footprint = Footprint::from_encodable((&contribution, records.root));
		let deposit = T::ContributionConsideration::new(&contributor, footprint)?;
		Datanets::<T>::insert(datanet, pool);
		Contributions::<T>::insert(datanet, id, contribution);
		ContributionDeposits::<T>::insert(datanet, id, deposit);
		ContributionByRoot::<T>::insert(datanet, records.root, id);

		Self::deposit_event(Event::Contributed {
			datanet,
			contribution: id,
			contributor: contributor.clone(),
			payout,
			records,
			uri,
		});
		if state != ContributionState::Pending {
			Self::deposit_event(Event::Accepted {
				datanet,
				contribution: id,
				contributor,
			});
		}
		Ok(())
	}

	pub(crate) fn do_accept(
		who: AccountId,
		datanet: DatanetId,
		id: ContributionId,
	) -> DispatchResult {
		let (mut pool, mut contribution) = Self::pending(who, datanet, id)?;
		contribution.state = Self::admit(&mut pool)?;
		let contributor = contribution.contributor.clone();
		Datanets::<T>::insert(datanet, pool);
		Contributions::<T>::insert(datanet, id, contribution);
		Self::deposit_event(Event::Accepted {
			datanet,
			contribution: id,
			contributor,
		});
		Ok(())
	}

	pub(crate) fn do_reject(
		who: AccountId,
		datanet: DatanetId,
		id: ContributionId,
	) -> DispatchResult {
		let (mut pool, contribution) = Self::pending(who, datanet, id)?;
		Self::remove(&mut pool, datanet, id, &contribution)?;
		Datanets::<T>::insert(datanet, pool);
		Self::deposit_event(Event::Rejected {
			datanet,
			contribution: id,
			contributor: contribution.contributor,
		});
		Ok(())
	}

	pub(crate) fn do_withdraw(
		who: AccountId,
		datanet: DatanetId,
		id: ContributionId,
	) -> DispatchResult {
		let mut pool = Datanets::<T>::get(datanet).ok_or(Error::<T>::UnknownDatanet)?;
		let mut contribution =
			Contributions::<T>::get(datanet, id).ok_or(Error::<T>::UnknownContribution)?;
		ensure!(contribution.contributor == who, Error::<T>::NotContributor);
		match contribution.state {
			ContributionState::Withdrawn { .. } => return Err(Error::<T>::AlreadyWithdrawn.into()),
			ContributionState::Pending => Self::remove(&mut pool, datanet, id, &contribution)?,
			ContributionState::Accepted { since } => {
				pool.accepted = decrement(pool.accepted)?;
				if since > pool.snapshots {
					Self::remove(&mut pool, datanet, id, &contribution)?;
				} else {
					let until = increment(pool.snapshots)?;
					contribution.state = ContributionState::Withdrawn { since, until };
					Contributions::<T>::insert(datanet, id, contribution);
				}
			}
		}
		Datanets::<T>::insert(datanet, pool);
		Self::deposit_event(Event::Withdrawn {
			datanet,
			contribution: id,
			contributor: who,
		});
		Ok(())
	}

	pub(crate) fn do_snapshot(who: AccountId, datanet: DatanetId) -> DispatchResultWithPostInfo {
		let pool = Datanets::<T>::get(datanet);
		let kept = pool.as_ref().map_or(0, |pool| pool.kept);
		let post_info = PostDispatchInfo::from(Some(T::WeightInfo::snapshot(kept)));
		pool.ok_or_else(|| Error::<T>::UnknownDatanet.into())
			.and_then(|pool| Self::freeze(who, datanet, pool))
			.map(|()| post_info)
			.map_err(|error| DispatchErrorWithPostInfo { post_info, error })
	}

	/// Makes the next snapshot.
	fn freeze(who: AccountId, datanet: DatanetId, mut pool: Datanet<T>) -> DispatchResult {
		match pool.curation {
			Curation::Open => {}
			Curation::Owner => ensure!(pool.owner == who, Error::<T>::NotOwner),
		}
		let version = increment(pool.snapshots)?;
		let contributions =
			Self::contributions_in(datanet, version)?.ok_or(Error::<T>::NothingNew)?;
		let last = Snapshots::<T>::get(datanet, pool.snapshots);
		ensure!(
			last.map(|snapshot| snapshot.contributions) != Some(contributions),
			Error::<T>::NothingNew
		);
		let licence = pool.licence.clone();
		let block = T::BlockNumberProvider::current_block_number();
		let snapshot = Snapshot::<T> {
			contributions,
			licence: licence.clone(),
			block,
		};
		pool.snapshots = version;
		Datanets::<T>::insert(datanet, pool);
		Snapshots::<T>::insert(datanet, version, snapshot);
		Self::deposit_event(Event::Snapshotted {
			datanet,
			version,
			contributions,
			licence,
		});
		Ok(())
	}

	/// Root, bytes and number of the contributions that the snapshot `version` contains or, if it is
	/// the next one, would contain; `None` if there are none.
	pub(crate) fn contributions_in(
		datanet: DatanetId,
		version: SnapshotVersion,
	) -> Result<Option<Commitment>, DispatchError> {
		let mut leaves: Vec<ContributionLeaf> = Contributions::<T>::iter_prefix(datanet)
			.filter(|(_, kept)| kept.state.is_in(version))
			.map(|(contribution, kept)| ContributionLeaf {
				contribution,
				records: kept.records,
			})
			.collect();
		if leaves.is_empty() {
			return Ok(None);
		}
		leaves.sort_unstable_by_key(|leaf| leaf.contribution);
		match Tree::new(leaves.iter().map(ContributionLeaf::node).collect()) {
			Ok(tree) => Ok(Some(tree.commitment())),
			Err(MerkleError::LeafCount) => Err(Error::<T>::DatanetFull.into()),
			Err(_) => Err(ArithmeticError::Overflow.into()),
		}
	}

	/// The account that earns for a contribution, if the snapshot contains it.
	pub(crate) fn do_payout_account(
		datanet: DatanetId,
		version: SnapshotVersion,
		contribution: ContributionId,
	) -> Option<AccountId> {
		if !Self::snapshot_exists(datanet, version) {
			return None;
		}
		let contribution = Contributions::<T>::get(datanet, contribution)?;
		contribution
			.state
			.is_in(version)
			.then_some(contribution.payout)
	}

	/// A pending contribution and its Datanet, which `who` must own.
	fn pending(
		who: AccountId,
		datanet: DatanetId,
		id: ContributionId,
	) -> Result<(Datanet<T>, Contribution<T>), DispatchError> {
		let pool = Datanets::<T>::get(datanet).ok_or(Error::<T>::UnknownDatanet)?;
		ensure!(pool.owner == who, Error::<T>::NotOwner);
		let contribution =
			Contributions::<T>::get(datanet, id).ok_or(Error::<T>::UnknownContribution)?;
		ensure!(
			contribution.state == ContributionState::Pending,
			Error::<T>::NotPending
		);
		Ok((pool, contribution))
	}

	/// Counts one more accepted contribution and gives the state it is in.
	fn admit(pool: &mut Datanet<T>) -> Result<ContributionState, DispatchError> {
		pool.accepted = increment(pool.accepted)?;
		Ok(ContributionState::Accepted {
			since: increment(pool.snapshots)?,
		})
	}

	/// Removes a contribution that no snapshot contains and returns its deposit. The caller stores
	/// `pool`.
	fn remove(
		pool: &mut Datanet<T>,
		datanet: DatanetId,
		id: ContributionId,
		contribution: &Contribution<T>,
	) -> DispatchResult {
		pool.kept = decrement(pool.kept)?;
		if let Some(deposit) = ContributionDeposits::<T>::take(datanet, id) {
			deposit.drop(&contribution.contributor)?;
		}
		Contributions::<T>::remove(datanet, id);
		ContributionByRoot::<T>::remove(datanet, contribution.records.root);
		Ok(())
	}

	/// Fails unless `text` is printable UTF-8.
	fn ensure_text(text: &[u8]) -> DispatchResult {
		let printable = core::str::from_utf8(text)
			.is_ok_and(|text| !text.is_empty() && !text.chars().any(char::is_control));
		ensure!(printable, Error::<T>::InvalidText);
		Ok(())
	}

	/// Fails unless `records` can be the commitment of a tree of non-empty records.
	fn ensure_records(records: &Commitment) -> DispatchResult {
		ensure!(!records.root.is_zero(), Error::<T>::NoRoot);
		ensure!(records.count > 0, Error::<T>::NoRecords);
		ensure!(
			records.count <= merkle::MAX_LEAVES,
			Error::<T>::TooManyRecords
		);
		ensure!(
			records.sum >= u128::from(records.count),
			Error::<T>::EmptyRecords
		);
		// Without this bound one false sum would overflow every later snapshot.
		let most = u64::from(records.count).saturating_mul(u32::MAX.into());
		ensure!(records.sum <= u128::from(most), Error::<T>::TooManyBytes);
		Ok(())
	}

	/// Checks that
	///
	/// 1. every Datanet has an id below the next one, and a deposit, and no deposit is left over;
	/// 2. every contribution belongs to a Datanet, has an id below that Datanet's next one, and a
	///    deposit, and no deposit is left over;
	/// 3. a Datanet counts the contributions it keeps and those it has accepted rightly, and keeps no
	///    more than it may;
	/// 4. each contribution's root leads to it, and there are no other roots;
	/// 5. no contribution to an open Datanet is pending;
	/// 6. a contribution is accepted from the next snapshot on at the latest, and a withdrawn one is in
	///    at least one snapshot;
	/// 7. a Datanet's snapshots have the versions from 1 to its last, without a gap;
	/// 8. every snapshot still is the root over the contributions that say they are in it.
	#[cfg(any(feature = "try-runtime", test))]
	pub fn do_try_state() -> Result<(), frame::deps::sp_runtime::TryRuntimeError> {
		let next = NextDatanet::<T>::get();
		ensure!(
			Datanets::<T>::iter_keys().all(|id| id < next),
			"1: id of a Datanet"
		);
		ensure!(
			Datanets::<T>::iter_keys().all(DatanetDeposits::<T>::contains_key)
				&& DatanetDeposits::<T>::iter_keys().all(Datanets::<T>::contains_key),
			"1: deposit of a Datanet"
		);
		for (datanet, id, contribution) in Contributions::<T>::iter() {
			let pool = Datanets::<T>::get(datanet).ok_or("2: a contribution without a Datanet")?;
			ensure!(id < pool.contributions, "2: id of a contribution");
			ensure!(
				ContributionDeposits::<T>::contains_key(datanet, id),
				"2: a contribution without a deposit"
			);
			ensure!(
				ContributionByRoot::<T>::get(datanet, contribution.records.root) == Some(id),
				"4: a contribution's root leads elsewhere"
			);
			match contribution.state {
				ContributionState::Pending => {
					ensure!(
						pool.curation != Curation::Open,
						"5: pending in an open Datanet"
					)
				}
				ContributionState::Accepted { since } => ensure!(
					since > 0 && since.checked_sub(1) <= Some(pool.snapshots),
					"6: accepted from a snapshot after the next"
				),
				ContributionState::Withdrawn { since, until } => ensure!(
					since > 0 && since < until && until.checked_sub(1) <= Some(pool.snapshots),
					"6: withdrawn but in no snapshot"
				),
			}
		}
		ensure!(
			ContributionDeposits::<T>::iter_keys()
				.all(|(datanet, id)| Contributions::<T>::contains_key(datanet, id)),
			"2: a deposit without a contribution"
		);
		ensure!(
			ContributionByRoot::<T>::iter().all(|(datanet, root, id)| {
				Contributions::<T>::get(datanet, id).is_some_and(|kept| kept.records.root == root)
			}),
			"4: a root without a contribution"
		);
		for (datanet, pool) in Datanets::<T>::iter() {
			let states: Vec<_> = Contributions::<T>::iter_prefix_values(datanet)
				.map(|kept| kept.state)
				.collect();
			let accepted = states
				.iter()
				.filter(|state| matches!(state, ContributionState::Accepted { .. }))
				.count();
			ensure!(
				u32::try_from(states.len()) == Ok(pool.kept),
				"3: contributions kept"
			);
			ensure!(
				u32::try_from(accepted) == Ok(pool.accepted),
				"3: contributions accepted"
			);
			ensure!(
				pool.kept <= T::MaxContributions::get(),
				"3: more contributions than allowed"
			);
			let mut versions: Vec<_> = Snapshots::<T>::iter_key_prefix(datanet).collect();
			versions.sort_unstable();
			ensure!(
				versions.into_iter().eq(1..=pool.snapshots),
				"7: versions of the snapshots"
			);
		}
		for (datanet, version, snapshot) in Snapshots::<T>::iter() {
			ensure!(
				Datanets::<T>::contains_key(datanet),
				"7: a snapshot without a Datanet"
			);
			ensure!(
				Self::contributions_in(datanet, version)? == Some(snapshot.contributions),
				"8: a snapshot's root"
			);
		}
		Ok(())
	}
}

fn increment(count: u32) -> Result<u32, DispatchError> {
	count.checked_add(1).ok_or(ArithmeticError::Overflow.into())
}

fn decrement(count: u32) -> Result<u32, DispatchError> {
	count
		.checked_sub(1)
		.ok_or(ArithmeticError::Underflow.into())
}
