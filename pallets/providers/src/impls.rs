//! The logic behind the calls.

use crate::*;
use alloc::collections::BTreeSet;
use frame::{
	deps::frame_support::pallet_prelude::{
		InvalidTransaction, TransactionSource, TransactionValidityWithRefund, ValidTransaction,
	},
	token::{
		fungible::hold::{Balanced as _, Mutate as _},
		Precision,
	},
	traits::{Defensive as _, Imbalance as _},
};
use openledger_primitives::Heartbeat;

/// How many blocks later than announced first a price may change, where many change at once.
pub(crate) const SPREAD: BlockNumber = 16;

impl<T: Config> Pallet<T> {
	/// Whether the account is a provider that takes work.
	pub fn is_active(account: &AccountId) -> bool {
		Providers::<T>::get(account).is_some_and(|provider| provider.state == ProviderState::Active)
	}

	/// The provider that a hot key belongs to; also one that is leaving.
	pub fn provider_of_hot_key(hot_key: &AccountId) -> Option<AccountId> {
		HotKeys::<T>::get(hot_key)
	}

	/// What the account has at stake, in units; nothing if it is no provider.
	pub fn bond_of(account: &AccountId) -> Balance {
		Providers::<T>::get(account).map_or(0, |provider| provider.bond)
	}

	/// Takes `amount` units of a provider's bond, or as much as there is, whether it is active, jailed
	/// or leaving. Who has less than the least bond left takes no work until it has bonded more and
	/// [unjailed](Self::unjail) itself. Gives nothing if the account is no provider.
	pub fn slash_bond(account: &AccountId, amount: Balance) -> CreditOf<T> {
		let Some(mut provider) = Providers::<T>::get(account) else {
			return CreditOf::<T>::zero();
		};
		let (credit, _) =
			T::Currency::slash(&HoldReason::Bond.into(), account, amount.min(provider.bond));
		let amount = credit.peek();
		if amount == 0 {
			return credit;
		}
		// No more than the bond is asked for, so no more than it is taken.
		let bond = provider.bond.checked_sub(amount);
		provider.bond = bond.defensive_unwrap_or_default();
		let bond = provider.bond;
		Self::deposit_event(Event::BondSlashed {
			provider: account.clone(),
			amount,
			bond,
		});
		if provider.state == ProviderState::Active && bond < T::MinBond::get() {
			let until = T::BlockNumberProvider::current_block_number();
			provider.state = ProviderState::Jailed { until };
			Self::deposit_event(Event::Jailed {
				provider: account.clone(),
				until,
			});
		}
		Providers::<T>::insert(account, provider);
		credit
	}

	/// Puts a provider in jail for the period in force now, or for longer if it is there already. For
	/// one that is leaving, its bond stays held for that long. Does nothing to an account that is no
	/// provider.
	pub fn jail(account: &AccountId) {
		let Some(mut provider) = Providers::<T>::get(account) else {
			return;
		};
		// At the end of all block numbers, for ever is as long as can be said.
		let end =
			T::BlockNumberProvider::current_block_number().saturating_add(T::JailPeriod::get());
		let until = match &mut provider.state {
			ProviderState::Active => {
				provider.state = ProviderState::Jailed { until: end };
				end
			}
			ProviderState::Jailed { until: later } | ProviderState::Leaving { free_at: later } => {
				*later = end.max(*later);
				*later
			}
		};
		Providers::<T>::insert(account, provider);
		Self::deposit_event(Event::Jailed {
			provider: account.clone(),
			until,
		});
	}

	pub(crate) fn do_register(
		who: AccountId,
		hot_key: AccountId,
		endpoint: EndpointOf<T>,
		bond: Balance,
		bases: BasesOf<T>,
		rate: Rate,
	) -> DispatchResult {
		ensure!(
			!Providers::<T>::contains_key(&who),
			Error::<T>::AlreadyRegistered
		);
		Self::ensure_hot_key(&who, &hot_key)?;
		ensure!(is_endpoint(&endpoint), Error::<T>::InvalidEndpoint);
		ensure!(bond >= T::MinBond::get(), Error::<T>::BondTooSmall);
		Self::ensure_bases(&bases)?;
		Self::ensure_rate(&rate)?;

		T::Currency::hold(&HoldReason::Bond.into(), &who, bond)?;
		let id = LastQuotes::<T>::take(&who)
			.checked_add(1)
			.ok_or(ArithmeticError::Overflow)?;
		let quote = Quote { id, rate };
		let provider = Provider::<T> {
			hot_key: hot_key.clone(),
			endpoint: endpoint.clone(),
			bond,
			bases: bases.clone(),
			quote,
			state: ProviderState::Active,
		};
		Providers::<T>::insert(&who, provider);
		HotKeys::<T>::insert(&hot_key, &who);
		LastSeen::<T>::insert(&who, T::BlockNumberProvider::current_block_number());
		Self::deposit_event(Event::Registered {
			provider: who,
			hot_key,
			endpoint,
			bond,
			bases,
			quote,
		});
		Ok(())
	}

	pub(crate) fn do_set_quote(who: AccountId, rate: Rate) -> DispatchResult {
		let provider = Self::staying(&who)?;
		Self::ensure_rate(&rate)?;
		let newest = PendingQuotes::<T>::get(&who).map_or(provider.quote.id, |void| void.quote.id);
		let id = newest.checked_add(1).ok_or(ArithmeticError::Overflow)?;
		let first = T::BlockNumberProvider::current_block_number()
			.checked_add(T::QuoteNotice::get().max(1))
			.ok_or(ArithmeticError::Overflow)?;
		Self::drop_pending_quote(&who);
		let from = Self::enlist(&who, first).ok_or(Error::<T>::TooManyQuoteChanges)?;
		let quote = Quote { id, rate };
		PendingQuotes::<T>::insert(&who, PendingQuote { quote, from });
		Self::deposit_event(Event::QuoteAnnounced {
			provider: who,
			quote,
			from,
		});
		Ok(())
	}

	/// Notes that `who`'s price changes in block `first` or one of the next, where there is room; says
	/// in which.
	fn enlist(who: &AccountId, first: BlockNumber) -> Option<BlockNumber> {
		(0..SPREAD)
			.filter_map(|later| first.checked_add(later))
			.find(|block| QuoteChanges::<T>::try_append(block, who.clone()).is_ok())
	}

	/// Forgets what `who` announced, if that is not in force yet.
	fn drop_pending_quote(who: &AccountId) {
		let Some(pending) = PendingQuotes::<T>::take(who) else {
			return;
		};
		QuoteChanges::<T>::mutate_exists(pending.from, |changes| {
			if let Some(due) = changes {
				due.retain(|account| account != who);
				if due.is_empty() {
					*changes = None;
				}
			}
		});
	}

	/// Puts the quotes in force whose block has come; says how many.
	pub(crate) fn change_quotes() -> u32 {
		let now = T::BlockNumberProvider::current_block_number();
		let due = QuoteChanges::<T>::take(now);
		let count = u32::try_from(due.len()).unwrap_or(u32::MAX);
		for who in due {
			let pending = PendingQuotes::<T>::take(&who);
			let provider = Providers::<T>::get(&who);
			let (Some(PendingQuote { quote, .. }), Some(mut provider)) = (pending, provider) else {
				defensive!("a price was to change that was not announced");
				continue;
			};
			let former = core::mem::replace(&mut provider.quote, quote);
			Providers::<T>::insert(&who, provider);
			FormerQuotes::<T>::mutate(&who, |quotes| {
				if quotes.is_full() {
					quotes.remove(0);
				}
				// There is room for one now.
				let _ = quotes.try_push(former).defensive();
			});
			Self::deposit_event(Event::QuoteChanged {
				provider: who,
				quote,
			});
		}
		count
	}

	/// Whether a heartbeat is let in; see [`Pallet::heartbeat`].
	pub(crate) fn authorize_heartbeat(
		_: TransactionSource,
		account: &AccountId,
		at: &BlockNumber,
		signature: &MultiSignature,
	) -> TransactionValidityWithRefund {
		// The signature last, since it costs most.
		let provider = Providers::<T>::get(account)
			.filter(|provider| provider.state == ProviderState::Active)
			.ok_or(InvalidTransaction::BadSigner)?;
		let (now, at) = (T::BlockNumberProvider::current_block_number(), *at);
		let age = now.checked_sub(at).ok_or(InvalidTransaction::Future)?;
		let period = T::HeartbeatPeriod::get().max(1);
		ensure!(age <= period, InvalidTransaction::AncientBirthBlock);
		let last = LastSeen::<T>::get(account);
		let is_due = |last: BlockNumber| at.checked_sub(last).is_some_and(|since| since >= period);
		ensure!(last.is_none_or(is_due), InvalidTransaction::Stale);
		let heartbeat = Heartbeat {
			genesis: frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero()),
			provider: account.clone(),
			at,
		};
		ensure!(
			heartbeat.is_signed_by(signature, &provider.hot_key),
			InvalidTransaction::BadProof
		);
		let validity = ValidTransaction::with_tag_prefix("OpenLedgerHeartbeat")
			// Of those that follow the same one, only one can be included.
			.and_provides((account, last))
			.longevity(period.saturating_sub(age).into())
			.propagate(true);
		Ok((validity.into(), Weight::zero()))
	}

	pub(crate) fn do_heartbeat(provider: AccountId, at: BlockNumber) {
		LastSeen::<T>::insert(&provider, at);
		Self::deposit_event(Event::Heartbeat { provider, at });
	}

	pub(crate) fn do_set_hot_key(who: AccountId, hot_key: AccountId) -> DispatchResult {
		let mut provider = Self::registered(&who)?;
		Self::ensure_hot_key(&who, &hot_key)?;
		HotKeys::<T>::remove(&provider.hot_key);
		HotKeys::<T>::insert(&hot_key, &who);
		provider.hot_key = hot_key.clone();
		Providers::<T>::insert(&who, provider);
		Self::deposit_event(Event::HotKeyChanged {
			provider: who,
			hot_key,
		});
		Ok(())
	}

	pub(crate) fn do_set_endpoint(who: AccountId, endpoint: EndpointOf<T>) -> DispatchResult {
		let mut provider = Self::registered(&who)?;
		ensure!(is_endpoint(&endpoint), Error::<T>::InvalidEndpoint);
		provider.endpoint = endpoint.clone();
		Providers::<T>::insert(&who, provider);
		Self::deposit_event(Event::EndpointChanged {
			provider: who,
			endpoint,
		});
		Ok(())
	}

	pub(crate) fn do_bond_more(who: AccountId, amount: Balance) -> DispatchResult {
		let mut provider = Self::staying(&who)?;
		ensure!(amount > 0, Error::<T>::ZeroAmount);
		let bond = provider
			.bond
			.checked_add(amount)
			.ok_or(ArithmeticError::Overflow)?;
		T::Currency::hold(&HoldReason::Bond.into(), &who, amount)?;
		provider.bond = bond;
		Providers::<T>::insert(&who, provider);
		Self::deposit_event(Event::Bonded {
			provider: who,
			bond,
		});
		Ok(())
	}

	pub(crate) fn do_leave(who: AccountId) -> DispatchResult {
		let mut provider = Self::staying(&who)?;
		let mut free_at = T::BlockNumberProvider::current_block_number()
			.checked_add(T::UnbondingPeriod::get())
			.ok_or(ArithmeticError::Overflow)?;
		// Leaving and coming back must not be a way around jail.
		if let ProviderState::Jailed { until } = provider.state {
			free_at = free_at.max(until);
		}
		// What was announced is void, and its number used.
		let newest = PendingQuotes::<T>::get(&who).map_or(provider.quote.id, |void| void.quote.id);
		LastQuotes::<T>::insert(&who, newest);
		Self::drop_pending_quote(&who);
		provider.state = ProviderState::Leaving { free_at };
		Providers::<T>::insert(&who, provider);
		Self::deposit_event(Event::Leaving {
			provider: who,
			free_at,
		});
		Ok(())
	}

	pub(crate) fn do_withdraw_bond(who: AccountId) -> DispatchResult {
		let provider = Self::registered(&who)?;
		let free_at = match provider.state {
			ProviderState::Leaving { free_at } => free_at,
			_ => return Err(Error::<T>::NotLeaving.into()),
		};
		ensure!(
			T::BlockNumberProvider::current_block_number() >= free_at,
			Error::<T>::BondLocked
		);
		ensure!(T::AtRisk::at_risk(&who) == 0, Error::<T>::BondAtRisk);
		let bond = provider.bond;
		T::Currency::release(&HoldReason::Bond.into(), &who, bond, Precision::Exact)?;
		HotKeys::<T>::remove(&provider.hot_key);
		Providers::<T>::remove(&who);
		FormerQuotes::<T>::remove(&who);
		LastQuotes::<T>::mutate(&who, |last| *last = (*last).max(provider.quote.id));
		LastSeen::<T>::remove(&who);
		Self::deposit_event(Event::Left {
			provider: who,
			bond,
		});
		Ok(())
	}

	pub(crate) fn do_unjail(who: AccountId) -> DispatchResult {
		let mut provider = Self::registered(&who)?;
		let ProviderState::Jailed { until } = provider.state else {
			return Err(Error::<T>::NotJailed.into());
		};
		ensure!(
			T::BlockNumberProvider::current_block_number() >= until,
			Error::<T>::StillJailed
		);
		ensure!(provider.bond >= T::MinBond::get(), Error::<T>::BondTooSmall);
		provider.state = ProviderState::Active;
		Providers::<T>::insert(&who, provider);
		LastSeen::<T>::insert(&who, T::BlockNumberProvider::current_block_number());
		Self::deposit_event(Event::Unjailed { provider: who });
		Ok(())
	}

	/// The provider with this account.
	fn registered(who: &AccountId) -> Result<Provider<T>, DispatchError> {
		Ok(Providers::<T>::get(who).ok_or(Error::<T>::NotProvider)?)
	}

	/// The provider with this account, if it is not leaving.
	fn staying(who: &AccountId) -> Result<Provider<T>, DispatchError> {
		let provider = Self::registered(who)?;
		ensure!(
			!matches!(provider.state, ProviderState::Leaving { .. }),
			Error::<T>::AlreadyLeaving
		);
		Ok(provider)
	}

	/// Fails unless `hot_key` is free and not `who` itself.
	fn ensure_hot_key(who: &AccountId, hot_key: &AccountId) -> DispatchResult {
		ensure!(who != hot_key, Error::<T>::HotKeyIsProvider);
		ensure!(
			!HotKeys::<T>::contains_key(hot_key),
			Error::<T>::HotKeyTaken
		);
		Ok(())
	}

	/// Fails unless `bases` names base models that exist, each once.
	fn ensure_bases(bases: &BasesOf<T>) -> DispatchResult {
		ensure!(!bases.is_empty(), Error::<T>::NoBases);
		let mut seen = BTreeSet::new();
		ensure!(
			bases.iter().all(|base| seen.insert(base)),
			Error::<T>::DuplicateBase
		);
		ensure!(
			bases.iter().all(|base| T::Bases::exists(*base)),
			Error::<T>::UnknownBase
		);
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

	/// Checks that
	///
	/// 1. every provider's bond is what is held on its account, to the unit;
	/// 2. every provider's hot key leads to it and is not its account, and there are no other hot keys;
	/// 3. every provider serves at least one base model, each of which exists and is named once;
	/// 4. every provider has an endpoint that is a URL, and a quote number of at least 1;
	/// 5. every announced quote is of a provider that is not leaving, has a higher number than that in
	///    force, and is due in a block to come, where it is listed once; nothing else is listed;
	/// 6. former quotes are of providers, numbered in order, and below that in force;
	/// 7. who was seen is a provider, and was not seen in a block to come;
	/// 8. the last quote number is known of those who are leaving or left, and of nobody else; it is not
	///    below that in force.
	#[cfg(any(feature = "std", feature = "try-runtime"))]
	pub fn do_try_state() -> Result<(), frame::deps::sp_runtime::TryRuntimeError> {
		use frame::token::fungible::hold::Inspect as _;

		for (account, provider) in Providers::<T>::iter() {
			ensure!(
				T::Currency::balance_on_hold(&HoldReason::Bond.into(), &account) == provider.bond,
				"1: a bond and what is held for it"
			);
			ensure!(
				HotKeys::<T>::get(&provider.hot_key).as_ref() == Some(&account),
				"2: a provider's hot key leads elsewhere"
			);
			ensure!(
				provider.hot_key != account,
				"2: a hot key that is its provider's account"
			);
			Self::ensure_bases(&provider.bases)?;
			ensure!(
				is_endpoint(&provider.endpoint),
				"4: an endpoint that is no URL"
			);
			ensure!(provider.quote.id > 0, "4: a quote without a number");
		}
		ensure!(
			HotKeys::<T>::iter_values().count() == Providers::<T>::iter_keys().count(),
			"2: a hot key without a provider"
		);

		let now = T::BlockNumberProvider::current_block_number();
		for (account, PendingQuote { quote, from }) in PendingQuotes::<T>::iter() {
			let provider = Self::staying(&account)?;
			ensure!(
				quote.id > provider.quote.id,
				"5: an announced quote with an old number"
			);
			ensure!(from > now, "5: an announced quote that is overdue");
			let listed = QuoteChanges::<T>::get(from)
				.into_iter()
				.filter(|due| *due == account);
			ensure!(
				listed.count() == 1,
				"5: an announced quote that is not listed once"
			);
		}
		ensure!(
			QuoteChanges::<T>::iter_values().flatten().count()
				== PendingQuotes::<T>::iter_keys().count(),
			"5: a change of a price that is not announced"
		);
		for (account, former) in FormerQuotes::<T>::iter() {
			let present = Self::registered(&account)?.quote.id;
			ensure!(
				former
					.iter()
					.map(|quote| quote.id)
					.chain([present])
					.is_sorted_by(|earlier, later| earlier < later),
				"6: former quotes that are out of order"
			);
		}
		for (account, last) in LastQuotes::<T>::iter() {
			let present = Providers::<T>::get(&account);
			ensure!(
				last > 0
					&& present.is_none_or(|provider| {
						matches!(provider.state, ProviderState::Leaving { .. })
							&& provider.quote.id <= last
					}),
				"8: the last quote number of who is not leaving"
			);
		}
		for (account, at) in LastSeen::<T>::iter() {
			Self::registered(&account)?;
			ensure!(at <= now, "7: a provider that was seen in a block to come");
		}
		Ok(())
	}
}

/// Whether `endpoint` is an `http://` or `https://` URL with a host, without spaces or control
/// characters.
fn is_endpoint(endpoint: &[u8]) -> bool {
	let Ok(url) = core::str::from_utf8(endpoint) else {
		return false;
	};
	let rest = url
		.strip_prefix("https://")
		.or_else(|| url.strip_prefix("http://"));
	let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
	host.is_some_and(|host| !host.is_empty())
		&& !url
			.chars()
			.any(|char| char.is_control() || char.is_whitespace())
}
