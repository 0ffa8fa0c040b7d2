//! What happens to reports that are wrong, that are audited, or that nobody makes.

use crate::{impls::add, *};
use frame::traits::{
	fungible::hold::{Balanced as _, Inspect as _},
	Imbalance,
};
use openledger_primitives::{
	dispute::{NotProven, ReportFacts, SpanEvidence},
	fees::{part, scale},
	hash::structured_hash,
	merkle, PartLeaf, ReceiptLeaf, PARTS,
};

/// Tag of the entropy.
const ENTROPY_TAG: &[u8] = b"openledger/entropy/1";
/// Tag of an audit's seed.
const SEED_TAG: &[u8] = b"openledger/audit-seed/1";

impl<T: Config> Pallet<T> {
	/// Who reported a provider's epoch, and the receipts it committed to.
	pub fn reported(provider: &AccountId, epoch: EpochIndex) -> Option<(AccountId, Commitment)> {
		let report = Reports::<T>::get(provider, epoch)?;
		Some((report.reporter, report.receipts))
	}

	pub(crate) fn do_dispute(
		who: AccountId,
		provider: AccountId,
		epoch: EpochIndex,
		dispute: &Dispute,
	) -> DispatchResult {
		let report = Reports::<T>::get(&provider, epoch).ok_or(Error::<T>::NotReported)?;
		let now = T::BlockNumberProvider::current_block_number();
		let unsettled = report.settled == 0 && report.payouts.count > 0;
		ensure!(
			unsettled && (now < report.open_at || report.audit.is_some()),
			Error::<T>::DisputeTooLate
		);
		let facts = Self::facts(&provider, epoch, &report)?;
		let fault = dispute
			.check(&facts, &T::Facts::default())
			.map_err(Self::refusal)?;
		Self::remove_report(who, provider, epoch, report, fault);
		Ok(())
	}

	pub(crate) fn do_answer_audit(
		who: AccountId,
		provider: AccountId,
		epoch: EpochIndex,
		answer: &AuditAnswer,
	) -> DispatchResult {
		let mut report = Reports::<T>::get(&provider, epoch).ok_or(Error::<T>::NotReported)?;
		let audit = report.audit.take().ok_or(Error::<T>::NoAudit)?;
		let facts = Self::facts(&provider, epoch, &report)?;
		answer
			.check(audit.seed, &facts, &T::Facts::default())
			.map_err(Self::refusal)?;
		Reports::<T>::insert(&provider, epoch, report);
		Self::pay_answer(&who, &provider, epoch);
		Self::deposit_event(Event::AuditPassed {
			provider,
			epoch,
			by: who,
		});
		Ok(())
	}

	pub(crate) fn do_fail_audit(
		who: AccountId,
		provider: AccountId,
		epoch: EpochIndex,
	) -> DispatchResult {
		let mut report = Reports::<T>::get(&provider, epoch).ok_or(Error::<T>::NotReported)?;
		let audit = report.audit.as_mut().ok_or(Error::<T>::NoAudit)?;
		let now = T::BlockNumberProvider::current_block_number();
		ensure!(now > audit.due, Error::<T>::AuditNotDue);
		if audit.missed || report.reporter != provider || report.deposit > 0 {
			Self::remove_report(who, provider, epoch, report, Fault::AuditFailed);
			return Ok(());
		}
		let due = now
			.checked_add(T::AuditPeriod::get())
			.ok_or(ArithmeticError::Overflow)?;
		audit.missed = true;
		audit.due = due;
		Reports::<T>::insert(&provider, epoch, report);
		T::Penalty::jail(&provider);
		Self::deposit_event(Event::AuditMissed {
			provider,
			epoch,
			due,
		});
		Ok(())
	}

	pub(crate) fn do_forfeit(
		who: AccountId,
		provider: AccountId,
		epoch: EpochIndex,
	) -> DispatchResult {
		match Reports::<T>::get(&provider, epoch) {
			Some(report) => Self::forfeit_unsettled(who, provider, epoch, report),
			None => Self::forfeit_unreported(provider, epoch),
		}
	}

	/// Ends a report that could have been settled long ago: its payouts may be such that nobody can.
	fn forfeit_unsettled(
		who: AccountId,
		provider: AccountId,
		epoch: EpochIndex,
		mut report: Report,
	) -> DispatchResult {
		ensure!(
			report.settled < report.payouts.count,
			Error::<T>::AlreadyReported
		);
		ensure!(report.audit.is_none(), Error::<T>::AuditOpen);
		let epochs = T::ReportDeadline::get().saturating_mul(2);
		let patience = T::EpochLength::get().saturating_mul(epochs);
		ensure!(
			T::BlockNumberProvider::current_block_number()
				> report.open_at.saturating_add(patience),
			Error::<T>::TooEarlyToForfeit
		);
		if report.settled == 0 {
			Self::remove_report(who, provider, epoch, report, Fault::Unsettled);
			return Ok(());
		}
		// Who was paid keeps it, so the pot cannot be reported again.
		let deposit = Self::keep(Self::slash_deposit(&mut report));
		let amount = report.payouts.sum.defensive_saturating_sub(report.paid);
		report.settled = report.payouts.count;
		report.paid = report.payouts.sum;
		if report.reporter == provider {
			T::Penalty::jail(&provider);
		}
		Reports::<T>::insert(&provider, epoch, report);
		Self::end_demand(&provider, epoch);
		Disproved::<T>::remove(&provider, epoch);
		Self::credit_to(&T::Treasury::get(), amount);
		Self::credit_to(&T::Treasury::get(), deposit);
		Totals::<T>::mutate(|totals| add(&mut totals.settled, amount));
		Self::secure(&provider, amount);
		Self::deposit_event(Event::Forfeited {
			provider,
			epoch,
			amount,
		});
		Ok(())
	}

	fn forfeit_unreported(provider: AccountId, epoch: EpochIndex) -> DispatchResult {
		let pot = Pots::<T>::get(&provider, epoch).ok_or(Error::<T>::NoPot)?;
		let since = Disproved::<T>::get(&provider, epoch).map_or(epoch, |removed| removed.since);
		ensure!(
			Self::epochs_since(since) > T::ReportDeadline::get().saturating_mul(2),
			Error::<T>::TooEarlyToForfeit
		);
		let now = T::BlockNumberProvider::current_block_number();
		// What the provider could have reported, had it lost its receipts: all goes to the treasury.
		let amount = pot.net;
		let payee = Payee::Treasury;
		let receipt = ReceiptLeaf {
			receipt: Hash::zero(),
			paid: pot.licence,
		};
		let part = PartLeaf {
			payee,
			receipt: 0,
			amount,
		};
		let (parts, payouts) = if amount > 0 {
			(only(part.node()), only(PayoutLeaf { payee, amount }.node()))
		} else {
			Default::default()
		};
		let report = Report {
			receipts: only(receipt.node()),
			parts,
			payouts,
			terms: pot.terms,
			reporter: T::Treasury::get(),
			deposit: 0,
			reported_at: now,
			open_at: now,
			audit: None,
			settled: payouts.count,
			paid: amount,
		};
		Reports::<T>::insert(&provider, epoch, report);
		Disproved::<T>::remove(&provider, epoch);
		Self::credit_to(&T::Treasury::get(), amount);
		Totals::<T>::mutate(|totals| add(&mut totals.settled, amount));
		Self::secure(&provider, amount);
		T::Penalty::jail(&provider);
		Self::deposit_event(Event::Forfeited {
			provider,
			epoch,
			amount,
		});
		Ok(())
	}

	/// Stirs the last block's randomness into that of all before.
	pub(crate) fn stir() {
		let fresh = T::Randomness::random(b"audit");
		Entropy::<T>::mutate(|entropy| {
			*entropy = structured_hash(ENTROPY_TAG, &(*entropy, fresh));
		});
	}

	/// Draws audits from the reports whose turn it is. Returns how many reports there were.
	pub(crate) fn draw_audits() -> u32 {
		let now = T::BlockNumberProvider::current_block_number();
		let entropy = Entropy::<T>::get();
		let mut count: u32 = 0;
		for (provider, epoch) in ToDraw::<T>::take(now) {
			count = count.saturating_add(1);
			let is_demanded = Self::is_demanded(&provider, epoch, now);
			// It may have been removed, or removed and made anew, since.
			let Some(mut report) = Reports::<T>::get(&provider, epoch).filter(|report| {
				let is_new = report.reported_at.checked_add(T::AuditDelay::get()) == Some(now);
				(is_new || is_demanded) && report.audit.is_none()
			}) else {
				continue;
			};
			let seed = structured_hash(SEED_TAG, &(entropy, &provider, epoch));
			if !is_demanded && !is_drawn(&seed, T::AuditRate::get()) {
				continue;
			}
			let due = now.saturating_add(T::AuditPeriod::get());
			report.audit = Some(Audit {
				seed,
				due,
				missed: false,
			});
			Reports::<T>::insert(&provider, epoch, report);
			Self::deposit_event(Event::AuditDrawn {
				provider,
				epoch,
				seed,
				due,
			});
		}
		count
	}

	/// Removes a report with `fault`, punishes who made it, and rewards `by`, who showed it.
	fn remove_report(
		by: AccountId,
		provider: AccountId,
		epoch: EpochIndex,
		mut report: Report,
		fault: Fault,
	) {
		Reports::<T>::remove(&provider, epoch);
		let since = CurrentEpoch::<T>::get().index;
		Disproved::<T>::mutate(&provider, epoch, |removed| {
			let times = removed.map_or(0, |removed| removed.times);
			*removed = Some(Removed {
				times: times.saturating_add(1),
				since,
			});
		});
		let deposit = report.deposit;
		let mut penalty = Self::slash_deposit(&mut report);
		if report.reporter == provider {
			let by_value = scale(
				report.payouts.sum,
				T::SlashFactor::get().into(),
				PARTS.into(),
			)
			.unwrap_or(Balance::MAX)
			.max(T::MinSlash::get());
			let slashed = T::Penalty::slash(&provider, by_value.saturating_sub(deposit));
			penalty = penalty.merge(slashed);
			T::Penalty::jail(&provider);
		}
		// Without the demand there had been no audit to miss.
		let by = match Self::end_demand(&provider, epoch) {
			Some(demand) if fault == Fault::AuditFailed => demand.by,
			_ => by,
		};
		let slashed = penalty.peek();
		let share = part(slashed, T::DisputerShare::get()).unwrap_or_default();
		let (to_disputer, to_burn) = penalty.split(share);
		// A dropped credit leaves the issuance.
		drop(to_burn);
		let reward = Self::keep(to_disputer);
		Self::credit_to(&by, reward);
		Self::deposit_event(Event::ReportRemoved {
			provider,
			epoch,
			reporter: report.reporter,
			by,
			fault,
			receipts: report.receipts,
			parts: report.parts,
			payouts: report.payouts,
			slashed,
			reward,
		});
	}

	/// Takes what the reporter has on hold for a report.
	fn slash_deposit(report: &mut Report) -> CreditOf<T> {
		let deposit = core::mem::take(&mut report.deposit);
		if deposit == 0 {
			return CreditOf::<T>::zero();
		}
		let reason = HoldReason::Report.into();
		if T::Currency::balance_on_hold(&reason, &report.reporter) < deposit {
			defensive!("the deposit of a report is not on hold");
		}
		T::Currency::slash(&reason, &report.reporter, deposit).0
	}

	/// What disputes and audits of a report are judged by.
	fn facts(
		provider: &AccountId,
		epoch: EpochIndex,
		report: &Report,
	) -> Result<ReportFacts, DispatchError> {
		Ok(ReportFacts {
			provider: provider.clone(),
			epoch,
			reporter: report.reporter.clone(),
			receipts: report.receipts,
			parts: report.parts,
			payouts: report.payouts,
			terms: TermsOf::<T>::get(report.terms).ok_or(Error::<T>::FactUnknown)?,
		})
	}

	fn refusal(reason: NotProven) -> DispatchError {
		match reason {
			NotProven::Opening(_) => Error::<T>::InvalidOpening.into(),
			NotProven::Preimage => Error::<T>::WrongPreimage.into(),
			NotProven::Unrelated => Error::<T>::Unrelated.into(),
			NotProven::Unknown => Error::<T>::FactUnknown.into(),
			NotProven::Holds => Error::<T>::ReportHolds.into(),
			NotProven::Overflow => ArithmeticError::Overflow.into(),
		}
	}
}

/// How many leaves a dispute opens beside one. Of an opening as short as any, the chain may have to hash
/// its way up the highest tree, so the bytes of a dispute do not tell what it costs.
pub(crate) fn further_openings(dispute: &Dispute) -> u32 {
	let further = match dispute {
		Dispute::DuplicateReceipt { .. }
		| Dispute::WrongPart { .. }
		| Dispute::DuplicatePart { .. }
		| Dispute::Misplaced { .. }
		| Dispute::LaneExceeded { .. }
		| Dispute::PayoutsDisordered { .. }
		| Dispute::FalseSpan {
			evidence: SpanEvidence::Record(_),
			..
		} => 1,
		Dispute::PaidTwice { others, .. } => others.len(),
		Dispute::DataExceeded { parts, .. } => parts.len(),
		Dispute::WrongReceipt { .. }
		| Dispute::Overpaid { .. }
		| Dispute::UnknownPayee { .. }
		| Dispute::EmptyPayout { .. }
		| Dispute::FalseSpan { .. }
		| Dispute::NotAcknowledged { .. }
		| Dispute::PartWithoutReceipt { .. }
		| Dispute::NotRedeemed { .. }
		| Dispute::Unexplained { .. } => 0,
	};
	u32::try_from(further).unwrap_or(u32::MAX)
}

/// The tree of one leaf.
fn only(leaf: merkle::Node) -> Commitment {
	Commitment {
		root: leaf.hash,
		sum: leaf.sum,
		count: 1,
	}
}

/// Whether `seed` falls into `rate` parts per million. The draws of leaves hash the seed again, so they
/// are independent of this.
fn is_drawn(seed: &Hash, rate: u32) -> bool {
	let (start, _) = seed.as_fixed_bytes().split_at(8);
	let number = start
		.iter()
		.fold(0u64, |number, byte| (number << 8) | u64::from(*byte));
	number
		.checked_rem(u64::from(PARTS))
		.is_some_and(|drawn| drawn < u64::from(rate))
}
