//! The logic behind the calls.

use crate::*;
use alloc::vec::Vec;
use frame::traits::{
	fungible::hold::{Balanced as _, Mutate as _},
	tokens::{Fortitude, Precision, Restriction},
	Imbalance, OnUnbalanced,
};
use openledger_primitives::{
	merkle::{MerkleError, Tree},
	ContributionLeaf,
};

/// Bytes that the bond of a contribution to an open Datanet is counted by.
const KIB: Balance = 1_024;

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
		let id = pool.contributions;
		pool.contributions = increment(id)?;
		let state = match pool.curation {
			Curation::Open => Self::admit(&mut pool, datanet, id)?,
			Curation::Owner | Curation::Reviewers => ContributionState::Pending,
		};
		let contribution = Contribution::<T> {
			contributor: contributor.clone(),
			payout: payout.clone(),
			records,
			uri: uri.clone(),
			state,
		};
		let bond = Self::bond_of(pool.curation, state, &records)?;
		let review = match pool.curation {
			Curation::Reviewers => Review::<T>::max_encoded_len(),
			Curation::Open | Curation::Owner => 0,
		};
		// The root is stored a second time, as a key.
		let size = (&contribution, records.root, bond)
			.encoded_size()
			.saturating_add(review);
		let footprint = Footprint::from_parts(1, size);
		let deposit = T::ContributionConsideration::new(&contributor, footprint)?;
		let stake = bond
			.amount
			.checked_add(bond.fee)
			.ok_or(ArithmeticError::Overflow)?;
		Self::take(HoldReason::Bond, &contributor, stake)?;
		let curation = pool.curation;
		Datanets::<T>::insert(datanet, pool);
		Contributions::<T>::insert(datanet, id, &contribution);
		Bonds::<T>::insert(datanet, id, bond);
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
		match curation {
			Curation::Open => Self::deposit_event(Event::Accepted {
				datanet,
				contribution: id,
				contributor,
			}),
			Curation::Owner => {}
			// Without reviewers to seat it waits for some.
			Curation::Reviewers => {
				let seats = Self::seats_for(datanet, &contribution)?;
				if !seats.is_empty() {
					Self::begin_review(datanet, id, seats, None)?;
				}
			}
		}
		Ok(())
	}

	pub(crate) fn do_accept(
		who: AccountId,
		datanet: DatanetId,
		id: ContributionId,
	) -> DispatchResult {
		let (pool, contribution) = Self::pending(who, datanet, id)?;
		Self::accept_into(pool, datanet, id, contribution)
	}

	pub(crate) fn do_reject(
		who: AccountId,
		datanet: DatanetId,
		id: ContributionId,
	) -> DispatchResult {
		let (pool, contribution) = Self::pending(who, datanet, id)?;
		Self::reject_from(pool, datanet, id, contribution)
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
			ContributionState::Duplicate { .. } => return Err(Error::<T>::AlreadyExcluded.into()),
			ContributionState::Pending | ContributionState::Rejected { .. } => {
				Self::cancel_review(datanet, id, &contribution)?;
				Self::remove(&mut pool, datanet, id, &contribution)?
			}
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
			Curation::Open | Curation::Reviewers => {}
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
		let mut leaves: Vec<ContributionLeaf> = Admitted::<T>::iter_key_prefix(datanet)
			.filter_map(|id| Contributions::<T>::get(datanet, id).map(|kept| (id, kept)))
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

	/// A pending contribution and its Datanet, which `who` must own and curate.
	fn pending(
		who: AccountId,
		datanet: DatanetId,
		id: ContributionId,
	) -> Result<(Datanet<T>, Contribution<T>), DispatchError> {
		let pool = Datanets::<T>::get(datanet).ok_or(Error::<T>::UnknownDatanet)?;
		ensure!(
			pool.curation != Curation::Reviewers,
			Error::<T>::ReviewersDecide
		);
		ensure!(pool.owner == who, Error::<T>::NotOwner);
		let contribution =
			Contributions::<T>::get(datanet, id).ok_or(Error::<T>::UnknownContribution)?;
		ensure!(
			contribution.state == ContributionState::Pending,
			Error::<T>::NotPending
		);
		Ok((pool, contribution))
	}

	/// Whether the Datanet can accept no more contributions.
	pub(crate) fn is_full(pool: &Datanet<T>) -> bool {
		pool.kept >= T::MaxContributions::get()
	}

	/// Gives an accepted contribution its place, counts it, and gives the state it is in.
	fn admit(
		pool: &mut Datanet<T>,
		datanet: DatanetId,
		id: ContributionId,
	) -> Result<ContributionState, DispatchError> {
		ensure!(!Self::is_full(pool), Error::<T>::DatanetFull);
		Admitted::<T>::insert(datanet, id, ());
		pool.kept = increment(pool.kept)?;
		pool.accepted = increment(pool.accepted)?;
		Ok(ContributionState::Accepted {
			since: increment(pool.snapshots)?,
		})
	}

	/// Accepts a contribution, starts the time until its bond is free, and says so.
	pub(crate) fn accept_into(
		mut pool: Datanet<T>,
		datanet: DatanetId,
		id: ContributionId,
		mut contribution: Contribution<T>,
	) -> DispatchResult {
		contribution.state = Self::admit(&mut pool, datanet, id)?;
		let contributor = contribution.contributor.clone();
		Datanets::<T>::insert(datanet, pool);
		Contributions::<T>::insert(datanet, id, contribution);
		Bonds::<T>::mutate(datanet, id, |bond| {
			if let Some(bond) = bond {
				bond.free_at = Some(Self::bond_free_at());
			}
		});
		Self::deposit_event(Event::Accepted {
			datanet,
			contribution: id,
			contributor,
		});
		Ok(())
	}

	/// Rejects a contribution for good, and says so.
	pub(crate) fn reject_from(
		mut pool: Datanet<T>,
		datanet: DatanetId,
		id: ContributionId,
		contribution: Contribution<T>,
	) -> DispatchResult {
		Self::remove(&mut pool, datanet, id, &contribution)?;
		Datanets::<T>::insert(datanet, pool);
		Self::deposit_event(Event::Rejected {
			datanet,
			contribution: id,
			contributor: contribution.contributor,
		});
		Ok(())
	}

	/// What a contribution that is made now, in this state, puts at stake.
	fn bond_of(
		curation: Curation,
		state: ContributionState,
		records: &Commitment,
	) -> Result<Bond, DispatchError> {
		let by_size = match curation {
			Curation::Open => T::OpenBondPerKib::get()
				.checked_mul(records.sum.div_ceil(KIB))
				.ok_or(ArithmeticError::Overflow)?,
			Curation::Owner | Curation::Reviewers => 0,
		};
		let amount = T::ContributionBond::get()
			.checked_add(by_size)
			.ok_or(ArithmeticError::Overflow)?;
		let fee = match curation {
			Curation::Reviewers => T::ReviewFee::get(),
			Curation::Open | Curation::Owner => 0,
		};
		let free_at = matches!(state, ContributionState::Accepted { .. }).then(Self::bond_free_at);
		Ok(Bond {
			amount,
			fee,
			free_at,
			registered: T::BlockNumberProvider::current_block_number(),
		})
	}

	/// When the bond of what is accepted now may be taken back.
	fn bond_free_at() -> BlockNumber {
		T::BlockNumberProvider::current_block_number().saturating_add(T::BondPeriod::get())
	}

	/// Removes a contribution that no snapshot contains and returns its deposit and what is left of its
	/// bond. The caller stores `pool`.
	pub(crate) fn remove(
		pool: &mut Datanet<T>,
		datanet: DatanetId,
		id: ContributionId,
		contribution: &Contribution<T>,
	) -> DispatchResult {
		if Admitted::<T>::take(datanet, id).is_some() {
			pool.kept = decrement(pool.kept)?;
		}
		if let Some(deposit) = ContributionDeposits::<T>::take(datanet, id) {
			deposit.drop(&contribution.contributor)?;
		}
		if let Some(bond) = Bonds::<T>::take(datanet, id) {
			let stake = bond
				.amount
				.checked_add(bond.fee)
				.ok_or(ArithmeticError::Overflow)?;
			Self::give_back(HoldReason::Bond, &contribution.contributor, stake)?;
		}
		Contributions::<T>::remove(datanet, id);
		ContributionByRoot::<T>::remove(datanet, contribution.records.root);
		Ok(())
	}

	/// Holds money of somebody.
	pub(crate) fn take(reason: HoldReason, who: &AccountId, amount: Balance) -> DispatchResult {
		if amount == 0 {
			return Ok(());
		}
		T::Currency::hold(&reason.into(), who, amount)
	}

	/// Returns held money to whom it is held of.
	pub(crate) fn give_back(
		reason: HoldReason,
		who: &AccountId,
		amount: Balance,
	) -> DispatchResult {
		if amount == 0 {
			return Ok(());
		}
		T::Currency::release(&reason.into(), who, amount, Precision::Exact).map(|_| ())
	}

	/// Pays somebody out of what is held of `from`.
	pub(crate) fn pay_held(
		reason: HoldReason,
		from: &AccountId,
		to: &AccountId,
		amount: Balance,
	) -> DispatchResult {
		// Forced, since whoever pays could freeze the money to avoid that.
		let (precision, mode, force) = (Precision::Exact, Restriction::Free, Fortitude::Force);
		T::Currency::transfer_on_hold(&reason.into(), from, to, amount, precision, mode, force)
			.map(|_| ())
	}

	/// Moves held money to where forfeited money goes, and tells how much that was.
	pub(crate) fn forfeit(reason: HoldReason, who: &AccountId, amount: Balance) -> Balance {
		let (credit, _) = T::Currency::slash(&reason.into(), who, amount);
		let forfeited = credit.peek();
		T::Slash::on_unbalanced(credit);
		forfeited
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
}

pub(crate) fn increment(count: u32) -> Result<u32, DispatchError> {
	count.checked_add(1).ok_or(ArithmeticError::Overflow.into())
}

pub(crate) fn decrement(count: u32) -> Result<u32, DispatchError> {
	count
		.checked_sub(1)
		.ok_or(ArithmeticError::Underflow.into())
}
