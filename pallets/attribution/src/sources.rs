//! Which lanes earned a pot: what the receipts of its report are held against.

use crate::{impls::add, *};
use alloc::vec::Vec;
use openledger_primitives::RedeemedLane;

/// The most sources that one call removes.
pub const MAX_SWEEP: u32 = 256;
/// Who removes fewer sources than this pays the fee.
pub const FREE_SWEEP: u32 = 16;

impl<T: Config> Pallet<T> {
	/// What a provider redeemed of a lane in an epoch; all zero where it redeemed nothing, and where its
	/// pot is settled and swept. `None` for epochs before [`SourcesSince`].
	pub fn source(
		provider: &AccountId,
		epoch: EpochIndex,
		channel: ChannelId,
		generation: Generation,
		lane: Lane,
	) -> Option<Source> {
		let is_known = epoch >= SourcesSince::<T>::get();
		let key = (provider, epoch);
		is_known.then(|| Sources::<T>::get(key, (channel, generation, lane)).unwrap_or_default())
	}

	/// Books the licence money that `provider` redeemed of `lane` now.
	pub(crate) fn book_source(provider: &AccountId, epoch: EpochIndex, lane: &RedeemedLane) {
		let key = (lane.channel, lane.generation, lane.lane);
		Sources::<T>::mutate((provider, epoch), key, |source| {
			let source = source.get_or_insert_default();
			add(&mut source.licence, lane.drawn);
			source.total = lane.licence;
			source.receipts = lane.receipts;
		});
	}

	/// Removes up to `limit` sources of a settled pot; returns how many.
	pub(crate) fn do_sweep(
		provider: AccountId,
		epoch: EpochIndex,
		limit: u32,
	) -> Result<u32, DispatchError> {
		let report = Reports::<T>::get(&provider, epoch).ok_or(Error::<T>::NotReported)?;
		ensure!(
			report.settled >= report.payouts.count,
			Error::<T>::NotSettled
		);
		let limit = usize::try_from(limit.min(MAX_SWEEP)).unwrap_or_default();
		let pot = (provider, epoch);
		let lanes: Vec<_> = Sources::<T>::iter_key_prefix(&pot).take(limit).collect();
		ensure!(!lanes.is_empty(), Error::<T>::NothingToSweep);
		for lane in &lanes {
			Sources::<T>::remove(&pot, lane);
		}
		u32::try_from(lanes.len()).map_err(|_| ArithmeticError::Overflow.into())
	}
}
