//! How money is shared out, epochs roll, and reports become credits.

use crate::*;
use alloc::vec::Vec;
use frame::traits::{
	fungible::{hold::Mutate as _, Balanced as _, Inspect as _, Mutate as _},
	AccountIdConversion, Imbalance,
};
use openledger_primitives::{
	fees::split_redemption,
	merkle::{verify_range, MAX_LEAVES},
	RedeemedLane,
};

/// The fewest blocks in an epoch.
const MIN_EPOCH_LENGTH: BlockNumber = 2;

impl<T: Config> Pallet<T> {
	/// The account that holds the pots and the credits.
	pub fn account_id() -> AccountId {
		T::PalletId::get().into_account_truncating()
	}

	/// Shares out what vouchers drew: burns and pays the treasury the protocol's cut, pays `provider` the
	/// rest of `compute`, and puts the rest of `licence` into its pot of the epoch, with a note of the
	/// `lanes` that it came from, in the order in which it was drawn. Cannot fail.
	///
	/// What the provider or the treasury cannot take, because it would stay below the least balance,
	/// is credited to it. What not even the pallet's account can take is burnt: that happens only
	/// where genesis left it without the least balance.
	pub fn collect(
		provider: &AccountId,
		lanes: &[RedeemedLane],
		compute: CreditOf<T>,
		licence: CreditOf<T>,
	) {
		let epoch = CurrentEpoch::<T>::get();
		let (gross_compute, gross_licence) = (compute.peek(), licence.peek());
		// Terms in force are valid, so this takes no other way than the first.
		let planned = TermsOf::<T>::get(epoch.terms)
			.and_then(|terms| split_redemption(gross_compute, gross_licence, &terms))
			.defensive_unwrap_or(RedemptionSplit {
				provider: gross_compute,
				pot: gross_licence,
				..RedemptionSplit::default()
			});

		let (to_provider, rest) = compute.merge(licence).split(planned.provider);
		let (to_pot, rest) = rest.split(planned.pot);
		let (to_treasury, to_burn) = rest.split(planned.treasury);
		// A dropped credit leaves the issuance.
		drop(to_burn);
		let treasury = Self::pay(&T::Treasury::get(), to_treasury);
		let provided = Self::pay(provider, to_provider);
		let pot = Self::keep(to_pot);
		let gross = gross_compute.defensive_saturating_add(gross_licence);
		let split = RedemptionSplit {
			burnt: gross
				.defensive_saturating_sub(treasury)
				.defensive_saturating_sub(provided)
				.defensive_saturating_sub(pot),
			treasury,
			provider: provided,
			pot,
		};

		if gross_licence > 0 {
			Pots::<T>::mutate(provider, epoch.index, |pot| {
				let pot = pot.get_or_insert(Pot {
					terms: epoch.terms,
					..Pot::default()
				});
				add(&mut pot.licence, gross_licence);
				add(&mut pot.net, split.pot);
			});
			for lane in lanes.iter().filter(|lane| lane.drawn > 0) {
				Self::book_source(provider, epoch.index, lane);
			}
		}
		if split.pot > 0 {
			AtRisk::<T>::mutate(provider, |at_risk| add(at_risk, split.pot));
		}
		Totals::<T>::mutate(|totals| {
			add(&mut totals.redeemed, gross);
			add(&mut totals.burnt, split.burnt);
			add(&mut totals.treasury, split.treasury);
			add(&mut totals.providers, split.provider);
			add(&mut totals.licence, split.pot);
		});
		Self::deposit_event(Event::Collected {
			provider: provider.clone(),
			epoch: epoch.index,
			compute: gross_compute,
			licence: gross_licence,
			split,
		});
	}

	/// Pays `money` to `who`, or credits it. Returns what was paid or credited.
	fn pay(who: &AccountId, money: CreditOf<T>) -> Balance {
		let amount = money.peek();
		match T::Currency::resolve(who, money) {
			Ok(()) => amount,
			Err(money) => {
				let kept = Self::keep(money);
				if kept > 0 {
					Self::credit_to(who, kept);
					Self::deposit_event(Event::Deferred {
						account: who.clone(),
						amount: kept,
					});
				}
				kept
			}
		}
	}

	/// Takes `money` into the pallet's account. Returns what was taken; the rest is burnt.
	pub(crate) fn keep(money: CreditOf<T>) -> Balance {
		let amount = money.peek();
		match T::Currency::resolve(&Self::account_id(), money) {
			Ok(()) => amount,
			Err(_burnt) => 0,
		}
	}

	/// Books `amount` units, which the pallet's account holds, as `who`'s.
	pub(crate) fn credit_to(who: &AccountId, amount: Balance) {
		if amount > 0 {
			Credits::<T>::mutate(who, |credit| add(credit, amount));
			Totals::<T>::mutate(|totals| add(&mut totals.credited, amount));
		}
	}

	/// Begins the first epoch, and sees to it that the pallet's account exists. A genesis that is to
	/// have an exact issuance endows the account with the least balance; otherwise it is minted here.
	pub(crate) fn do_genesis() {
		CurrentEpoch::<T>::put(Epoch {
			index: 0,
			start: T::BlockNumberProvider::current_block_number(),
			length: Self::epoch_length(),
			terms: Self::governed_terms(0),
		});
		let least = T::Currency::minimum_balance();
		if T::Currency::balance(&Self::account_id()) < least {
			let minted = T::Currency::mint_into(&Self::account_id(), least);
			assert!(
				minted.is_ok(),
				"the least balance can be minted at genesis: {minted:?}"
			);
		}
	}

	/// Begins the next epoch if the one in progress is over. Returns whether it was.
	pub(crate) fn roll_epoch() -> bool {
		let now = T::BlockNumberProvider::current_block_number();
		let last = CurrentEpoch::<T>::get();
		let end = last
			.start
			.checked_add(last.length)
			.unwrap_or(BlockNumber::MAX);
		let Some(index) = last.index.checked_add(1).filter(|_| now >= end) else {
			return false;
		};
		let terms = Self::governed_terms(last.terms);
		CurrentEpoch::<T>::put(Epoch {
			index,
			start: now,
			length: Self::epoch_length(),
			terms,
		});
		Self::deposit_event(Event::EpochStarted {
			epoch: index,
			terms,
		});
		true
	}

	fn epoch_length() -> BlockNumber {
		T::EpochLength::get().max(MIN_EPOCH_LENGTH)
	}

	/// The version of the governed terms, given the version in force: a new one if they changed.
	/// Invalid terms are passed over, since money is split by them where nothing can fail.
	fn governed_terms(version: TermsVersion) -> TermsVersion {
		let governed = T::Terms::get();
		let in_force = TermsOf::<T>::get(version);
		let terms = if governed.is_valid() {
			governed
		} else {
			in_force.unwrap_or_default()
		};
		match version.checked_add(1) {
			Some(next) if in_force != Some(terms) => {
				TermsOf::<T>::insert(next, terms);
				next
			}
			_ => version,
		}
	}

	pub(crate) fn do_report(
		who: AccountId,
		epoch: EpochIndex,
		receipts: Commitment,
		parts: Commitment,
		payouts: Commitment,
	) -> DispatchResult {
		// Anyone can name a provider's account as a hot key, which must not keep it from its own pot.
		let provider = if Pots::<T>::contains_key(&who, epoch) {
			who.clone()
		} else {
			T::Providers::provider_of_hot_key(&who).unwrap_or_else(|| who.clone())
		};
		let pot = Self::pot_to_report(&provider, epoch)?;
		Self::report_as_provider(who, provider, epoch, pot, [receipts, parts, payouts])
	}

	/// Stores the report of the provider itself or its hot key. It needs a deposit where there is no bond
	/// that answers for it; the hot key then reports for itself, with its own money.
	fn report_as_provider(
		who: AccountId,
		provider: AccountId,
		epoch: EpochIndex,
		pot: Pot,
		commitments: [Commitment; 3],
	) -> DispatchResult {
		let is_covered =
			!Disproved::<T>::contains_key(&provider, epoch) && T::Penalty::covers(&provider);
		if is_covered {
			let reporter = provider.clone();
			return Self::put_report(provider, epoch, pot, reporter, 0, commitments);
		}
		Self::report_with_deposit(who, provider, epoch, pot, commitments)
	}

	/// Stores a report that `who` puts up a deposit for.
	fn report_with_deposit(
		who: AccountId,
		provider: AccountId,
		epoch: EpochIndex,
		pot: Pot,
		commitments: [Commitment; 3],
	) -> DispatchResult {
		// There is nothing to lose in a pot without money.
		let deposit = match pot.net {
			0 => 0,
			net => T::ReporterDeposit::get().max(net),
		};
		if deposit > 0 {
			T::Currency::hold(&HoldReason::Report.into(), &who, deposit)?;
		}
		Self::put_report(provider, epoch, pot, who, deposit, commitments)
	}

	pub(crate) fn do_report_for(
		who: AccountId,
		provider: AccountId,
		epoch: EpochIndex,
		receipts: Commitment,
		parts: Commitment,
		payouts: Commitment,
	) -> DispatchResult {
		let pot = Self::pot_to_report(&provider, epoch)?;
		let commitments = [receipts, parts, payouts];
		let is_provider =
			who == provider || T::Providers::provider_of_hot_key(&who).as_ref() == Some(&provider);
		if is_provider {
			return Self::report_as_provider(who, provider, epoch, pot, commitments);
		}
		ensure!(
			Disproved::<T>::contains_key(&provider, epoch)
				|| Self::epochs_since(epoch) > T::ReportDeadline::get(),
			Error::<T>::ProviderMayReport
		);
		Self::report_with_deposit(who, provider, epoch, pot, commitments)
	}

	/// Epochs that have begun after `epoch`.
	pub(crate) fn epochs_since(epoch: EpochIndex) -> EpochIndex {
		CurrentEpoch::<T>::get().index.saturating_sub(epoch)
	}

	/// The pot of an epoch that is over and has no report.
	fn pot_to_report(provider: &AccountId, epoch: EpochIndex) -> Result<Pot, Error<T>> {
		ensure!(
			epoch < CurrentEpoch::<T>::get().index,
			Error::<T>::EpochNotOver
		);
		let pot = Pots::<T>::get(provider, epoch).ok_or(Error::<T>::NothingToReport)?;
		ensure!(
			!Reports::<T>::contains_key(provider, epoch),
			Error::<T>::AlreadyReported
		);
		Ok(pot)
	}

	/// Checks the sums of the three commitments, and stores the report.
	fn put_report(
		provider: AccountId,
		epoch: EpochIndex,
		pot: Pot,
		reporter: AccountId,
		deposit: Balance,
		[receipts, parts, payouts]: [Commitment; 3],
	) -> DispatchResult {
		Self::ensure_leaf_count(&receipts)?;
		ensure!(receipts.sum == pot.licence, Error::<T>::ReceiptsDoNotMatch);
		if pot.net == 0 {
			let none = Commitment::default();
			ensure!(parts == none, Error::<T>::PartsDoNotMatch);
			ensure!(payouts == none, Error::<T>::PayoutsDoNotMatch);
		} else {
			Self::ensure_leaf_count(&parts)?;
			Self::ensure_leaf_count(&payouts)?;
			ensure!(parts.sum == pot.net, Error::<T>::PartsDoNotMatch);
			ensure!(payouts.sum == pot.net, Error::<T>::PayoutsDoNotMatch);
		}

		let now = T::BlockNumberProvider::current_block_number();
		let drawn_at = now
			.checked_add(T::AuditDelay::get())
			.ok_or(ArithmeticError::Overflow)?;
		// Whether it is audited must be known before it can be settled.
		let open_at = now
			.checked_add(T::DisputeWindow::get())
			.ok_or(ArithmeticError::Overflow)?
			.max(drawn_at);
		if payouts.count > 0 {
			ToDraw::<T>::try_append(drawn_at, (provider.clone(), epoch))
				.map_err(|()| Error::<T>::TooManyReports)?;
		}
		let report = Report {
			receipts,
			parts,
			payouts,
			terms: pot.terms,
			reporter: reporter.clone(),
			deposit,
			reported_at: now,
			open_at,
			audit: None,
			settled: 0,
			paid: 0,
		};
		Reports::<T>::insert(&provider, epoch, report);
		Self::deposit_event(Event::Reported {
			provider: provider.clone(),
			epoch,
			receipts,
			payouts,
			terms: pot.terms,
			open_at,
			parts,
			reporter,
			deposit,
		});
		if payouts.count == 0 {
			Disproved::<T>::remove(&provider, epoch);
			Self::deposit_event(Event::Settled {
				provider,
				epoch,
				paid: 0,
			});
		}
		Ok(())
	}

	fn ensure_leaf_count(commitment: &Commitment) -> DispatchResult {
		ensure!(
			(1..=MAX_LEAVES).contains(&commitment.count),
			Error::<T>::LeafCountOutOfRange
		);
		Ok(())
	}

	pub(crate) fn do_settle(
		provider: AccountId,
		epoch: EpochIndex,
		leaves: Vec<PayoutLeaf>,
		proof: &[Node],
	) -> DispatchResult {
		let mut report = Reports::<T>::get(&provider, epoch).ok_or(Error::<T>::NotReported)?;
		let count = u32::try_from(leaves.len()).map_err(|_| ArithmeticError::Overflow)?;
		ensure!(count > 0, Error::<T>::NoLeaves);
		ensure!(
			report.settled < report.payouts.count,
			Error::<T>::NothingLeft
		);
		ensure!(
			T::BlockNumberProvider::current_block_number() >= report.open_at,
			Error::<T>::WindowOpen
		);
		ensure!(report.audit.is_none(), Error::<T>::AuditOpen);
		let nodes = leaves.iter().map(PayoutLeaf::node).collect();
		verify_range(&report.payouts, report.settled, nodes, proof)
			.map_err(|_| Error::<T>::InvalidProof)?;

		let mut paid: Balance = 0;
		for PayoutLeaf { payee, amount } in leaves {
			// The proof bounds the sum of all leaves by the pot.
			paid = paid.checked_add(amount).ok_or(ArithmeticError::Overflow)?;
			match T::Payees::account_of(&payee) {
				Some(account) => {
					Self::credit_to(&account, amount);
					Self::deposit_event(Event::Credited {
						provider: provider.clone(),
						epoch,
						payee,
						account,
						amount,
					});
				}
				None => {
					Self::credit_to(&T::Treasury::get(), amount);
					Self::deposit_event(Event::Unpayable {
						provider: provider.clone(),
						epoch,
						payee,
						amount,
					});
				}
			}
		}
		report.settled = report
			.settled
			.checked_add(count)
			.ok_or(ArithmeticError::Overflow)?;
		report.paid = report
			.paid
			.checked_add(paid)
			.ok_or(ArithmeticError::Overflow)?;
		Totals::<T>::mutate(|totals| add(&mut totals.settled, paid));
		Self::secure(&provider, paid);
		let paid = report.paid;
		let is_settled = report.settled == report.payouts.count;
		if is_settled {
			Self::return_deposit(&mut report);
			Self::end_demand(&provider, epoch);
			Disproved::<T>::remove(&provider, epoch);
		}
		Reports::<T>::insert(&provider, epoch, report);
		if is_settled {
			Self::deposit_event(Event::Settled {
				provider,
				epoch,
				paid,
			});
		}
		Ok(())
	}

	/// Books `amount` units of the provider's pots as no longer at risk.
	pub(crate) fn secure(provider: &AccountId, amount: Balance) {
		AtRisk::<T>::mutate_exists(provider, |at_risk| {
			let left = at_risk.unwrap_or_default().defensive_saturating_sub(amount);
			*at_risk = (left > 0).then_some(left);
		});
	}

	/// Gives a reporter back what it has on hold for a report.
	fn return_deposit(report: &mut Report) {
		let deposit = core::mem::take(&mut report.deposit);
		if deposit > 0 {
			// Invariant 9 says that it is there; a shortfall must not keep others from being paid.
			let released = T::Currency::release(
				&HoldReason::Report.into(),
				&report.reporter,
				deposit,
				Precision::BestEffort,
			);
			let _ = released.defensive();
		}
	}

	/// What of a provider's pots is not settled, in units: what may yet be lost through it.
	pub fn at_risk(provider: &AccountId) -> Balance {
		AtRisk::<T>::get(provider)
	}

	/// Takes all that `account` was credited, as money, for a pallet that passes it on. Nothing if
	/// there is nothing.
	pub fn withdraw_credit(account: &AccountId) -> CreditOf<T> {
		let amount = Credits::<T>::get(account);
		if amount == 0 {
			return CreditOf::<T>::zero();
		}
		let withdrawn = T::Currency::withdraw(
			&Self::account_id(),
			amount,
			Precision::Exact,
			Preservation::Preserve,
			Fortitude::Polite,
		);
		let Ok(money) = withdrawn.defensive() else {
			return CreditOf::<T>::zero();
		};
		Credits::<T>::remove(account);
		Totals::<T>::mutate(|totals| add(&mut totals.claimed, amount));
		Self::deposit_event(Event::Claimed {
			account: account.clone(),
			amount,
		});
		money
	}

	pub(crate) fn do_claim(account: AccountId) -> DispatchResult {
		let amount = Credits::<T>::get(&account);
		ensure!(amount > 0, Error::<T>::NothingToClaim);
		let consequence = T::Currency::can_deposit(&account, amount, Provenance::Extant);
		ensure!(
			consequence != DepositConsequence::BelowMinimum,
			Error::<T>::BelowMinimum
		);
		T::Currency::transfer(
			&Self::account_id(),
			&account,
			amount,
			Preservation::Preserve,
		)?;
		Credits::<T>::remove(&account);
		Totals::<T>::mutate(|totals| add(&mut totals.claimed, amount));
		Self::deposit_event(Event::Claimed { account, amount });
		Ok(())
	}
}

/// Adds to a counter of money that comes round again and again. It cannot overflow: 2^128 units are
/// 3 × 10^11 times the whole issuance.
pub(crate) fn add(counter: &mut Balance, amount: Balance) {
	*counter = counter.defensive_saturating_add(amount);
}
