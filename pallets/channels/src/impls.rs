//! How escrow is put up, drawn and given back.

use crate::*;
use frame::traits::{
	fungible::{
		hold::{Balanced as _, Inspect as _, Mutate as _},
		Credit,
	},
	Consideration, Footprint, Imbalance,
};
use openledger_primitives::{RedeemedLane, Voucher};

/// Which of a channel's keys signed a voucher.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signer {
	Payer,
	Delegate,
	Former,
}

impl<T: Config> Pallet<T> {
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
		T::Currency::hold(&HoldReason::Escrow.into(), &payer, escrow)?;

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
		let reason = HoldReason::Escrow.into();
		if who == channel.payer {
			T::Currency::hold(&reason, &who, amount)?;
		} else {
			T::Currency::transfer_and_hold(
				&reason,
				&who,
				&channel.payer,
				amount,
				Precision::Exact,
				Preservation::Preserve,
				Fortitude::Polite,
			)?;
		}
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

	/// Releases the escrow to the payer if its thaw has ended, and begins the next generation.
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
		let reason = HoldReason::Escrow.into();
		T::Currency::release(&reason, &channel.payer, amount, Precision::Exact)?;
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

	pub(crate) fn do_redeem(
		who: AccountId,
		vouchers: BoundedVec<SignedVoucher, T::MaxBatch>,
	) -> DispatchResult {
		ensure!(!vouchers.is_empty(), Error::<T>::NoVouchers);
		// Anyone can name a provider's account as a hot key, which must not take its own rights away.
		let providers = [T::Providers::provider_of_hot_key(&who), Some(who)];
		let genesis = frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero());
		let now = T::BlockNumberProvider::current_block_number();
		let latest = now
			.checked_add(T::MaxVoucherLifetime::get())
			.unwrap_or(BlockNumber::MAX);
		for (index, signed) in (0u32..).zip(vouchers) {
			if let Err(reason) = Self::redeem_one(&signed, &providers, genesis, now, latest) {
				let Voucher { channel, lane, .. } = signed.voucher;
				Self::deposit_event(Event::VoucherSkipped {
					index,
					channel,
					lane,
					reason,
				});
			}
		}
		Ok(())
	}

	/// Pays one voucher of a channel to one of `providers` in block `now`; `latest` is the last block
	/// a voucher may name as its last. Changes nothing if it is not good. What costs least is checked
	/// first.
	fn redeem_one(
		signed: &SignedVoucher,
		providers: &[Option<AccountId>],
		genesis: Hash,
		now: BlockNumber,
		latest: BlockNumber,
	) -> Result<(), SkipReason> {
		let voucher = &signed.voucher;
		let (id, lane) = (voucher.channel, voucher.lane);
		ensure!(voucher.genesis == genesis, SkipReason::WrongChain);
		ensure!(
			u32::from(lane) < T::MaxLanes::get(),
			SkipReason::LaneOutOfRange
		);
		ensure!(voucher.valid_until >= now, SkipReason::Expired);
		ensure!(voucher.valid_until <= latest, SkipReason::LifetimeTooLong);
		let mut channel = Channels::<T>::get(id).ok_or(SkipReason::UnknownChannel)?;
		ensure!(
			providers
				.iter()
				.flatten()
				.any(|provider| *provider == channel.provider),
			SkipReason::NotProvider
		);
		ensure!(
			voucher.generation == channel.generation,
			SkipReason::WrongGeneration
		);
		let before = Self::lane_state(id, lane, channel.generation);
		let due = before.due(voucher)?;
		ensure!(channel.escrow > 0, SkipReason::EscrowEmpty);
		let signer = channel
			.signer(signed, now)
			.ok_or(SkipReason::BadSignature)?;
		let limit = channel.limit(signer);
		ensure!(limit > 0, SkipReason::DelegateLimit);

		// Below, nothing can overflow: all sums are bounded by the money there is.
		let payment = due
			.capped(channel.escrow.min(limit))
			.ok_or(SkipReason::NotMonotone)?;
		let pay = payment.total().ok_or(SkipReason::NotMonotone)?;
		ensure!(
			payment.licence == 0 || payment.licence <= T::Revenue::room(&channel.provider),
			SkipReason::BondTooSmall
		);
		let after = before
			.after(voucher, &payment)
			.ok_or(SkipReason::NotMonotone)?;
		channel.spend(signer, pay).ok_or(SkipReason::NotMonotone)?;
		let (licence, compute) = Self::draw(&channel.payer, pay, payment.licence)?;

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
		let provider = channel.provider.clone();
		Channels::<T>::insert(id, channel);
		let lane = RedeemedLane {
			channel: id,
			generation: after.generation,
			lane,
			licence: after.licence,
			receipts: after.receipts,
		};
		T::Revenue::collect(&provider, &lane, compute, licence);
		Ok(())
	}

	/// Takes `pay` units out of the payer's escrow, as its licence part and the rest.
	fn draw(
		payer: &AccountId,
		pay: Balance,
		licence: Balance,
	) -> Result<(CreditOf<T>, CreditOf<T>), SkipReason> {
		let reason = HoldReason::Escrow.into();
		// Invariant 1 says that the hold is there; without this a shortfall would pass unnoticed.
		if T::Currency::balance_on_hold(&reason, payer) < pay {
			defensive!("the escrow of a channel is not on hold");
			return Err(SkipReason::EscrowEmpty);
		}
		let (credit, _): (Credit<AccountId, T::Currency>, _) =
			T::Currency::slash(&reason, payer, pay);
		Ok(credit.split(licence))
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
	/// Which of the keys that are good in block `now` signed.
	fn signer(&self, signed: &SignedVoucher, now: BlockNumber) -> Option<Signer> {
		if signed.is_signed_by(&self.payer) {
			return Some(Signer::Payer);
		}
		let delegate = self.delegate.as_ref();
		if delegate.is_some_and(|delegate| signed.is_signed_by(&delegate.signer)) {
			return Some(Signer::Delegate);
		}
		let former = self.former.as_ref().filter(|former| former.until >= now);
		former
			.is_some_and(|former| signed.is_signed_by(&former.delegate.signer))
			.then_some(Signer::Former)
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
	/// 1. What is on hold as escrow of a payer is the sum of the escrows of its channels.
	/// 2. All that was paid into a channel is in escrow, redeemed or withdrawn.
	/// 3. A channel's lanes are below `MaxLanes`, none is ahead of the channel's generation, and none
	///    has more licence money than money.
	/// 4. The lanes of a channel's generation have redeemed no more than the channel.
	/// 5. No delegate has spent more than its limit, and none is the payer.
	/// 6. Every channel has an id below the next one and a deposit, and nothing else has.
	pub fn do_try_state() -> DispatchResult {
		use alloc::collections::BTreeMap;

		let mut escrows = BTreeMap::<AccountId, Balance>::new();
		for (id, channel) in Channels::<T>::iter() {
			let escrow = escrows.entry(channel.payer.clone()).or_default();
			*escrow = escrow
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
		for (payer, escrow) in escrows {
			ensure!(
				T::Currency::balance_on_hold(&HoldReason::Escrow.into(), &payer) == escrow,
				"1: what is on hold is the sum of the escrows"
			);
		}
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
