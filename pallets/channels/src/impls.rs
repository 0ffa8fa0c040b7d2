//! How escrow is put up, drawn and given back.

use crate::*;
use alloc::vec::Vec;
use core::ops::RangeInclusive;
use frame::traits::{
	fungible::{Balanced as _, Mutate as _},
	AccountIdConversion, Consideration, Footprint, Imbalance,
};
use openledger_primitives::{RedeemedLane, Voucher};

/// Signatures that may have to be checked for one voucher, beyond the first: there are three keys, and
/// two ways of signing.
pub(crate) const MAX_EXTRA_CHECKS: u32 = 5;

/// Which of a channel's keys signed a voucher.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signer {
	Payer,
	Delegate,
	Former,
}

/// What one provider earns by a batch of vouchers.
struct Takings {
	provider: AccountId,
	/// Licence money that it may still collect, in units; asked for when there is some.
	room: Option<Balance>,
	compute: Balance,
	licence: Balance,
	lanes: Vec<RedeemedLane>,
}

impl Takings {
	fn new(provider: AccountId) -> Self {
		Self {
			provider,
			room: None,
			compute: 0,
			licence: 0,
			lanes: Vec::new(),
		}
	}

	/// Adds what one voucher pays. Changes nothing unless there is room for it.
	fn take<T: Config>(&mut self, payment: &Payment, lane: RedeemedLane) -> Result<(), SkipReason> {
		let add = |sum: Balance, more| sum.checked_add(more).ok_or(SkipReason::NotMonotone);
		let licence = add(self.licence, payment.licence)?;
		let compute = add(self.compute, payment.compute)?;
		if payment.licence > 0 {
			let room = *self
				.room
				.get_or_insert_with(|| T::Revenue::room(&self.provider));
			ensure!(licence <= room, SkipReason::BondTooSmall);
		}
		(self.licence, self.compute) = (licence, compute);
		self.lanes.push(lane);
		Ok(())
	}
}

impl<T: Config> Pallet<T> {
	/// The account that escrow waits in.
	pub fn account() -> AccountId {
		T::PalletId::get().into_account_truncating()
	}

	/// What `count` vouchers weigh if `extra_checks` signatures are checked beside the first of each.
	pub(crate) fn redeem_weight(count: u32, extra_checks: u32) -> Weight {
		T::WeightInfo::check_signature()
			.saturating_mul(extra_checks.into())
			.saturating_add(T::WeightInfo::redeem(count))
	}

	pub(crate) fn do_open(
		payer: AccountId,
		provider: AccountId,
		escrow: Balance,
		delegate: Option<(AccountId, Balance)>,
	) -> DispatchResult {
		ensure!(
			T::Providers::is_active(&provider),
			Error::<T>::ProviderNotActive
		);
		ensure!(escrow >= T::MinEscrow::get(), Error::<T>::EscrowTooSmall);
		let delegate = Self::appoint(&payer, delegate)?;

		let id = NextChannel::<T>::get();
		let next = id.checked_add(1).ok_or(Error::<T>::CounterExhausted)?;
		let ticket = T::ChannelConsideration::new(&payer, Self::footprint())?;
		Self::put_in(&payer, escrow)?;

		let channel = Channel {
			payer: payer.clone(),
			provider: provider.clone(),
			generation: 0,
			escrow,
			deposited: escrow,
			redeemed: 0,
			withdrawn: 0,
			thaw: None,
			delegate: delegate.clone(),
			former: None,
		};
		NextChannel::<T>::put(next);
		Deposits::<T>::insert(id, ticket);
		let generation = channel.generation;
		Channels::<T>::insert(id, channel);
		Self::deposit_event(Event::Opened {
			channel: id,
			payer,
			provider,
			escrow,
			generation,
		});
		if delegate.is_some() {
			Self::deposit_event(Event::DelegateSet {
				channel: id,
				delegate,
				former: None,
			});
		}
		Ok(())
	}

	pub(crate) fn do_top_up(who: AccountId, id: ChannelId, amount: Balance) -> DispatchResult {
		ensure!(amount > 0, Error::<T>::ZeroAmount);
		let mut channel = Channels::<T>::get(id).ok_or(Error::<T>::UnknownChannel)?;
		Self::put_in(&who, amount)?;
		channel.escrow = channel
			.escrow
			.checked_add(amount)
			.ok_or(ArithmeticError::Overflow)?;
		channel.deposited = channel
			.deposited
			.checked_add(amount)
			.ok_or(ArithmeticError::Overflow)?;
		let escrow = channel.escrow;
		Channels::<T>::insert(id, channel);
		Self::deposit_event(Event::ToppedUp {
			channel: id,
			by: who,
			amount,
			escrow,
		});
		Ok(())
	}

	pub(crate) fn do_set_delegate(
		who: AccountId,
		id: ChannelId,
		delegate: Option<(AccountId, Balance)>,
	) -> DispatchResult {
		let mut channel = Self::own_channel(&who, id)?;
		let new = Self::appoint(&who, delegate)?;
		let now = T::BlockNumberProvider::current_block_number();
		let until = now
			.checked_add(T::MaxVoucherLifetime::get())
			.ok_or(ArithmeticError::Overflow)?;

		let former = channel.former.take().filter(|former| former.until >= now);
		let outgoing = channel
			.delegate
			.take()
			.map(|delegate| Former { delegate, until });
		// A provider may hold vouchers of either key: each is appointed anew with no less to spend,
		// or remains good for a while.
		for still_good in [former, outgoing].into_iter().flatten() {
			let left = still_good.delegate.left();
			match &new {
				Some(new) if new.signer == still_good.delegate.signer => {
					ensure!(new.limit >= left, Error::<T>::LimitLowered)
				}
				_ if left == 0 => {}
				_ => {
					ensure!(
						channel.former.is_none(),
						Error::<T>::FormerDelegateStillGood
					);
					channel.former = Some(still_good);
				}
			}
		}
		channel.delegate = new;
		Self::deposit_event(Event::DelegateSet {
			channel: id,
			delegate: channel.delegate.clone(),
			former: channel.former.clone(),
		});
		Channels::<T>::insert(id, channel);
		Ok(())
	}

	pub(crate) fn do_thaw(who: AccountId, id: ChannelId) -> DispatchResult {
		let mut channel = Self::own_channel(&who, id)?;
		ensure!(channel.thaw.is_none(), Error::<T>::AlreadyThawing);
		// Both periods may be governed, so their order is made sure of here too.
		let free_at = T::MaxVoucherLifetime::get()
			.checked_add(1)
			.map(|outlasting| outlasting.max(T::ThawPeriod::get()))
			.and_then(|period| T::BlockNumberProvider::current_block_number().checked_add(period))
			.ok_or(ArithmeticError::Overflow)?;
		channel.thaw = Some(free_at);
		Channels::<T>::insert(id, channel);
		Self::deposit_event(Event::Thawing {
			channel: id,
			free_at,
		});
		Ok(())
	}

	pub(crate) fn do_cancel_thaw(who: AccountId, id: ChannelId) -> DispatchResult {
		let mut channel = Self::own_channel(&who, id)?;
		channel.thaw.take().ok_or(Error::<T>::NotThawing)?;
		Channels::<T>::insert(id, channel);
		Self::deposit_event(Event::ThawCancelled { channel: id });
		Ok(())
	}

	pub(crate) fn do_withdraw(who: AccountId, id: ChannelId) -> DispatchResult {
		let mut channel = Self::own_channel(&who, id)?;
		Self::take_back(id, &mut channel)?;
		Channels::<T>::insert(id, channel);
		Ok(())
	}

	/// Moves `amount` units out of `who`'s account into escrow, unless they are locked there.
	fn put_in(who: &AccountId, amount: Balance) -> DispatchResult {
		T::Currency::transfer(who, &Self::account(), amount, Preservation::Preserve)?;
		Ok(())
	}

	/// Gives the escrow back to the payer if its thaw has ended, and begins the next generation.
	fn take_back(id: ChannelId, channel: &mut Channel) -> DispatchResult {
		let free_at = channel.thaw.take().ok_or(Error::<T>::NotThawing)?;
		ensure!(
			T::BlockNumberProvider::current_block_number() >= free_at,
			Error::<T>::StillThawing
		);
		channel.generation = channel
			.generation
			.checked_add(1)
			.ok_or(Error::<T>::CounterExhausted)?;
		let amount = core::mem::take(&mut channel.escrow);
		channel.withdrawn = channel
			.withdrawn
			.checked_add(amount)
			.ok_or(ArithmeticError::Overflow)?;
		let escrow = Self::account();
		T::Currency::transfer(&escrow, &channel.payer, amount, Preservation::Preserve)?;
		Self::deposit_event(Event::Withdrawn {
			channel: id,
			amount,
			generation: channel.generation,
		});
		Ok(())
	}

	/// Returns the number of lanes that were removed.
	pub(crate) fn do_close(who: AccountId, id: ChannelId) -> Result<u32, DispatchError> {
		let mut channel = Self::own_channel(&who, id)?;
		if channel.escrow > 0 {
			ensure!(channel.thaw.is_some(), Error::<T>::EscrowNotEmpty);
			Self::take_back(id, &mut channel)?;
		}
		if let Some(ticket) = Deposits::<T>::take(id) {
			ticket.drop(&who)?;
		}
		Channels::<T>::remove(id);
		// A channel has no more than `MaxLanes` lanes, so this removes them all.
		let removed = Lanes::<T>::drain_prefix(id).fold(0u32, |count, _| count.saturating_add(1));
		Self::deposit_event(Event::Closed { channel: id });
		Ok(removed)
	}

	/// Returns how many signatures were checked beside the first of each voucher.
	pub(crate) fn do_redeem(
		who: AccountId,
		vouchers: BoundedVec<SignedVoucher, T::MaxBatch>,
	) -> Result<u32, DispatchError> {
		ensure!(!vouchers.is_empty(), Error::<T>::NoVouchers);
		// Anyone can name a provider's account as a hot key, which must not take its own rights away.
		let providers = [T::Providers::provider_of_hot_key(&who), Some(who)];
		let mut takings: Vec<_> = providers.into_iter().flatten().map(Takings::new).collect();
		let genesis = frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero());
		let now = T::BlockNumberProvider::current_block_number();
		let latest = now
			.checked_add(T::MaxVoucherLifetime::get())
			.unwrap_or(BlockNumber::MAX);
		let mut extra_checks = 0u32;
		for (index, signed) in (0u32..).zip(vouchers) {
			let mut checks = 0;
			let result =
				Self::redeem_one(&signed, &mut takings, genesis, now..=latest, &mut checks);
			extra_checks = extra_checks.saturating_add(checks.saturating_sub(1));
			if let Err(reason) = result {
				let Voucher { channel, lane, .. } = signed.voucher;
				Self::deposit_event(Event::VoucherSkipped {
					index,
					channel,
					lane,
					reason,
				});
			}
		}
		for takings in takings {
			Self::draw(takings)?;
		}
		Ok(extra_checks)
	}

	/// Books one voucher of a channel to one of the providers in `takings`. `lifetime` is from this block
	/// to the last that a voucher may name as its last; `checks` is set to the number of signatures that
	/// were checked. Changes nothing if the voucher is not good. What costs least is checked first.
	fn redeem_one(
		signed: &SignedVoucher,
		takings: &mut [Takings],
		genesis: Hash,
		lifetime: RangeInclusive<BlockNumber>,
		checks: &mut u32,
	) -> Result<(), SkipReason> {
		let voucher = &signed.voucher;
		let (id, lane) = (voucher.channel, voucher.lane);
		ensure!(voucher.genesis == genesis, SkipReason::WrongChain);
		ensure!(
			u32::from(lane) < T::MaxLanes::get(),
			SkipReason::LaneOutOfRange
		);
		ensure!(
			voucher.valid_until >= *lifetime.start(),
			SkipReason::Expired
		);
		ensure!(
			voucher.valid_until <= *lifetime.end(),
			SkipReason::LifetimeTooLong
		);
		let mut channel = Channels::<T>::get(id).ok_or(SkipReason::UnknownChannel)?;
		let takings = takings
			.iter_mut()
			.find(|takings| takings.provider == channel.provider)
			.ok_or(SkipReason::NotProvider)?;
		ensure!(
			voucher.generation == channel.generation,
			SkipReason::WrongGeneration
		);
		let before = Self::lane_state(id, lane, channel.generation);
		let due = before.due(voucher)?;
		ensure!(channel.escrow > 0, SkipReason::EscrowEmpty);
		let (signer, checked) = channel.signer(signed, *lifetime.start());
		*checks = checked;
		let signer = signer.ok_or(SkipReason::BadSignature)?;
		let limit = channel.limit(signer);
		ensure!(limit > 0, SkipReason::DelegateLimit);

		// Below, nothing can overflow: all sums are bounded by the money there is.
		let payment = due
			.capped(channel.escrow.min(limit))
			.ok_or(SkipReason::NotMonotone)?;
		let pay = payment.total().ok_or(SkipReason::NotMonotone)?;
		let after = before
			.after(voucher, &payment)
			.ok_or(SkipReason::NotMonotone)?;
		channel.spend(signer, pay).ok_or(SkipReason::NotMonotone)?;
		takings.take::<T>(
			&payment,
			RedeemedLane {
				channel: id,
				generation: after.generation,
				lane,
				drawn: payment.licence,
				licence: after.licence,
				receipts: after.receipts,
			},
		)?;

		Self::deposit_event(Event::Redeemed {
			channel: id,
			payer: channel.payer.clone(),
			provider: channel.provider.clone(),
			generation: channel.generation,
			lane,
			compute: payment.compute,
			licence: payment.licence,
			amount: after.amount,
			escrow: channel.escrow,
		});
		Lanes::<T>::insert(id, lane, after);
		Channels::<T>::insert(id, channel);
		Ok(())
	}

	/// Takes what was booked out of escrow and hands it on.
	fn draw(takings: Takings) -> DispatchResult {
		if takings.lanes.is_empty() {
			return Ok(());
		}
		let drawn = takings
			.licence
			.checked_add(takings.compute)
			.ok_or(ArithmeticError::Overflow)?;
		// Invariant 1 says that it is there.
		let credit = T::Currency::withdraw(
			&Self::account(),
			drawn,
			Precision::Exact,
			Preservation::Preserve,
			Fortitude::Polite,
		)
		.defensive_proof("what is in escrow is in the pallet's account")?;
		let (licence, compute) = credit.split(takings.licence);
		T::Revenue::collect(&takings.provider, &takings.lanes, compute, licence);
		Ok(())
	}

	/// The state of a lane in `generation`.
	pub(crate) fn lane_state(id: ChannelId, lane: Lane, generation: Generation) -> LaneState {
		Lanes::<T>::get(id, lane)
			.filter(|state| state.generation == generation)
			.unwrap_or(LaneState::new(generation))
	}

	/// What a deposit is left for: a channel and all the lanes it may come to have, since a lane
	/// comes into being when the provider redeems, and the payer may have nothing left by then.
	fn footprint() -> Footprint {
		let lanes =
			u64::from(T::MaxLanes::get()).saturating_mul(LaneState::max_encoded_len() as u64);
		Footprint {
			count: 1,
			size: lanes.saturating_add(Channel::max_encoded_len() as u64),
		}
	}

	fn own_channel(who: &AccountId, id: ChannelId) -> Result<Channel, Error<T>> {
		let channel = Channels::<T>::get(id).ok_or(Error::<T>::UnknownChannel)?;
		ensure!(channel.payer == *who, Error::<T>::NotPayer);
		Ok(channel)
	}

	fn appoint(
		payer: &AccountId,
		delegate: Option<(AccountId, Balance)>,
	) -> Result<Option<Delegate>, Error<T>> {
		let delegate = delegate.map(|(signer, limit)| Delegate {
			signer,
			limit,
			spent: 0,
		});
		ensure!(
			delegate
				.as_ref()
				.is_none_or(|delegate| delegate.signer != *payer),
			Error::<T>::DelegateIsPayer
		);
		Ok(delegate)
	}
}

impl Channel {
	/// Which of the keys that are good in block `now` signed, and how many signatures were checked to
	/// find out. The delegate comes first, since whoever has one lets it sign.
	fn signer(&self, signed: &SignedVoucher, now: BlockNumber) -> (Option<Signer>, u32) {
		let delegate = self.delegate.as_ref().map(|delegate| &delegate.signer);
		let former = self.former.as_ref().filter(|former| former.until >= now);
		let former = former.map(|former| &former.delegate.signer);
		let keys = [
			(delegate, Signer::Delegate),
			(Some(&self.payer), Signer::Payer),
			(former, Signer::Former),
		];
		let keys = keys
			.into_iter()
			.filter_map(|(key, signer)| Some((key?, signer)));
		signed.signer(keys)
	}

	/// The most that `signer` may draw from any escrow, in units.
	fn limit(&self, signer: Signer) -> Balance {
		match signer {
			Signer::Payer => Balance::MAX,
			Signer::Delegate => self.delegate.as_ref().map_or(0, Delegate::left),
			Signer::Former => self
				.former
				.as_ref()
				.map_or(0, |former| former.delegate.left()),
		}
	}

	/// Books `pay` units out of the escrow, signed for by `signer`.
	fn spend(&mut self, signer: Signer, pay: Balance) -> Option<()> {
		self.escrow = self.escrow.checked_sub(pay)?;
		self.redeemed = self.redeemed.checked_add(pay)?;
		let delegate = match signer {
			Signer::Payer => None,
			Signer::Delegate => self.delegate.as_mut(),
			Signer::Former => self.former.as_mut().map(|former| &mut former.delegate),
		};
		if let Some(delegate) = delegate {
			delegate.spent = delegate.spent.checked_add(pay)?;
		}
		Some(())
	}
}

#[cfg(any(feature = "std", feature = "try-runtime"))]
impl<T: Config> Pallet<T> {
	/// Checks that:
	///
	/// 1. The pallet's account has what is in escrow of all channels, beside the least balance.
	/// 2. All that was paid into a channel is in escrow, redeemed or withdrawn.
	/// 3. A channel's lanes are below `MaxLanes`, none is ahead of the channel's generation, and none
	///    has more licence money than money.
	/// 4. The lanes of a channel's generation have redeemed no more than the channel.
	/// 5. No delegate has spent more than its limit, and none is the payer.
	/// 6. Every channel has an id below the next one and a deposit, and nothing else has.
	pub fn do_try_state() -> DispatchResult {
		use frame::traits::fungible::Inspect as _;

		let mut escrows: Balance = 0;
		for (id, channel) in Channels::<T>::iter() {
			escrows = escrows
				.checked_add(channel.escrow)
				.ok_or("1: escrows overflow")?;

			let accounted = channel
				.escrow
				.checked_add(channel.redeemed)
				.and_then(|sum| sum.checked_add(channel.withdrawn));
			ensure!(
				accounted == Some(channel.deposited),
				"2: what was paid into a channel is in escrow, redeemed or withdrawn"
			);

			let mut redeemed: Balance = 0;
			for (lane, state) in Lanes::<T>::iter_prefix(id) {
				ensure!(
					u32::from(lane) < T::MaxLanes::get(),
					"3: a lane is below MaxLanes"
				);
				ensure!(
					state.generation <= channel.generation,
					"3: no lane is ahead"
				);
				ensure!(
					state.licence <= state.amount,
					"3: licence is part of the amount"
				);
				if state.generation == channel.generation {
					redeemed = redeemed
						.checked_add(state.amount)
						.ok_or("4: lanes overflow")?;
				}
			}
			ensure!(
				redeemed <= channel.redeemed,
				"4: lanes redeem no more than their channel"
			);

			let former = channel.former.as_ref().map(|former| &former.delegate);
			for delegate in channel.delegate.iter().chain(former) {
				ensure!(
					delegate.spent <= delegate.limit,
					"5: a delegate keeps to its limit"
				);
				ensure!(
					delegate.signer != channel.payer,
					"5: a delegate is not the payer"
				);
			}

			ensure!(
				id < NextChannel::<T>::get(),
				"6: channel ids are below the next one"
			);
			ensure!(
				Deposits::<T>::contains_key(id),
				"6: every channel has a deposit"
			);
		}
		let needed = escrows
			.checked_add(T::Currency::minimum_balance())
			.ok_or("1: escrows overflow")?;
		ensure!(
			T::Currency::balance(&Self::account()) >= needed,
			"1: what is in escrow is in the pallet's account"
		);
		for id in Deposits::<T>::iter_keys() {
			ensure!(
				Channels::<T>::contains_key(id),
				"6: every deposit has a channel"
			);
		}
		for (id, _, _) in Lanes::<T>::iter() {
			ensure!(
				Channels::<T>::contains_key(id),
				"6: every lane has a channel"
			);
		}
		Ok(())
	}
}
