//! The invariants.

use crate::*;
use alloc::collections::BTreeMap;
use frame::traits::fungible::{hold::Inspect as _, Inspect as _};

impl<T: Config> Pallet<T> {
	/// Checks that:
	///
	/// 1. All that was redeemed was burnt, or is the treasury's, a provider's, or in a pot.
	/// 2. The pots after the cut sum to the licence money that was put into pots, and none holds more
	///    than was redeemed into it.
	/// 3. The reports have paid what was settled in all; none has paid more than its pot, and one that
	///    is settled has paid all of it.
	/// 4. A report is about an epoch that is over, and agrees with its pot in both sums and the terms.
	/// 5. The credits are what was credited less what was claimed; none is zero.
	/// 6. The pallet's account holds the unsettled pots, the credits and, so that the last of them can
	///    be paid, the least balance.
	/// 7. Every version of the terms up to the one in force is there and valid; no pot has another.
	/// 8. What is at risk of a provider is what its reports have not paid of its pots; none is zero.
	/// 9. Who reported has on hold what its reports say, for no settled one.
	/// 10. A report with an audit to pass has paid nothing, nor has one that was removed.
	/// 11. An audit is demanded of a report that is not settled only, and who demanded it has on hold
	///     what the demands that are not answered say.
	/// 12. The sources of a pot sum to its licence money, or to less once it is settled, and may then be
	///     gone; none is zero, and none counts more than its lane's total.
	pub fn do_try_state() -> DispatchResult {
		let sum = |sum: Balance, amount: Balance| sum.checked_add(amount).ok_or("sums overflow");
		let totals = Totals::<T>::get();
		let epoch = CurrentEpoch::<T>::get();

		let parts = [
			totals.burnt,
			totals.treasury,
			totals.providers,
			totals.licence,
		];
		ensure!(
			parts.into_iter().try_fold(0, sum)? == totals.redeemed,
			"1: all that was redeemed is accounted for"
		);

		let mut sources = BTreeMap::<(AccountId, EpochIndex), Balance>::new();
		for (pot, _, source) in Sources::<T>::iter() {
			ensure!(
				source.licence > 0 && source.licence <= source.total,
				"12: a source is a part of its lane"
			);
			let entry = sources.entry(pot).or_default();
			*entry = sum(*entry, source.licence)?;
		}
		// A chain that is about to be upgraded does not know any.
		let known_since = match StorageVersion::get::<Self>() < migrations::STORAGE_VERSION {
			true => EpochIndex::MAX,
			false => SourcesSince::<T>::get(),
		};
		let mut net = 0;
		let mut at_risk = BTreeMap::<AccountId, Balance>::new();
		for (provider, index, pot) in Pots::<T>::iter() {
			net = sum(net, pot.net)?;
			let paid = Reports::<T>::get(&provider, index).map_or(0, |report| report.paid);
			let is_settled = Reports::<T>::get(&provider, index)
				.is_some_and(|report| report.settled == report.payouts.count);
			let earned = sources
				.remove(&(provider.clone(), index))
				.unwrap_or_default();
			ensure!(
				earned <= pot.licence
					&& (is_settled || index < known_since || earned == pot.licence),
				"12: the sources of a pot sum to it"
			);
			let open = pot.net.checked_sub(paid).ok_or("3: paid more than a pot")?;
			let entry = at_risk.entry(provider).or_default();
			*entry = sum(*entry, open)?;
			ensure!(
				pot.net <= pot.licence,
				"2: a pot is no more than was redeemed"
			);
			ensure!(
				(1..=epoch.terms).contains(&pot.terms),
				"7: a pot has known terms"
			);
		}
		ensure!(net == totals.licence, "2: the pots sum to what was put in");
		ensure!(sources.is_empty(), "12: a source has a pot");

		at_risk.retain(|_, amount| *amount > 0);
		ensure!(
			AtRisk::<T>::iter().collect::<BTreeMap<_, _>>() == at_risk,
			"8: what is at risk is what is not settled"
		);

		let mut paid = 0;
		let mut deposits = BTreeMap::<AccountId, Balance>::new();
		for (provider, index, report) in Reports::<T>::iter() {
			let pot = Pots::<T>::get(provider, index).ok_or("4: a report has a pot")?;
			ensure!(index < epoch.index, "4: a report's epoch is over");
			ensure!(
				report.receipts.sum == pot.licence
					&& report.payouts.sum == pot.net
					// Reports from before there were parts have none.
					&& (report.parts.sum == pot.net || report.parts == Commitment::default())
					&& report.terms == pot.terms,
				"4: a report agrees with its pot"
			);
			ensure!(
				report.paid <= pot.net && report.settled <= report.payouts.count,
				"3: a report pays no more than its pot"
			);
			ensure!(
				report.settled < report.payouts.count || report.paid == pot.net,
				"3: a settled report has paid its pot"
			);
			paid = sum(paid, report.paid)?;
			ensure!(
				report.deposit == 0 || report.settled < report.payouts.count,
				"9: a settled report holds no deposit"
			);
			if report.deposit > 0 {
				let held = deposits.entry(report.reporter).or_default();
				*held = sum(*held, report.deposit)?;
			}
			ensure!(
				report.audit.is_none() || report.settled == 0,
				"10: an audited report has paid nothing"
			);
		}
		ensure!(
			paid == totals.settled,
			"3: the reports paid what was settled"
		);

		for (reporter, deposit) in deposits {
			ensure!(
				T::Currency::balance_on_hold(&HoldReason::Report.into(), &reporter) == deposit,
				"9: what reports hold is on hold"
			);
		}
		let mut demanded = BTreeMap::<AccountId, Balance>::new();
		for (provider, index, demand) in Demands::<T>::iter() {
			ensure!(
				Reports::<T>::get(provider, index)
					.is_some_and(|report| report.settled < report.payouts.count),
				"11: a demand is about a report that is not settled"
			);
			ensure!(
				!demand.answered || demand.deposit == 0,
				"11: who answered has the deposit"
			);
			let held = demanded.entry(demand.by).or_default();
			*held = sum(*held, demand.deposit)?;
		}
		for (by, deposit) in demanded {
			ensure!(
				T::Currency::balance_on_hold(&HoldReason::Demand.into(), &by) == deposit,
				"11: what demands hold is on hold"
			);
		}
		for (provider, index, _) in Disproved::<T>::iter() {
			ensure!(
				Pots::<T>::contains_key(&provider, index)
					&& Reports::<T>::get(&provider, index)
						.is_none_or(|report| report.settled < report.payouts.count),
				"10: a pot whose report was removed is not settled"
			);
		}

		let mut credits = 0;
		for (_, credit) in Credits::<T>::iter() {
			ensure!(credit > 0, "5: no credit is zero");
			credits = sum(credits, credit)?;
		}
		ensure!(
			totals.credited.checked_sub(totals.claimed) == Some(credits),
			"5: the credits are what was credited and not claimed"
		);

		let unsettled = totals
			.licence
			.checked_sub(totals.settled)
			.ok_or("3: no more is settled than was put in")?;
		let backing = [unsettled, credits, T::Currency::minimum_balance()];
		ensure!(
			T::Currency::balance(&Self::account_id()) >= backing.into_iter().try_fold(0, sum)?,
			"6: the pallet's account holds what it owes"
		);

		for version in 1..=epoch.terms {
			ensure!(
				TermsOf::<T>::get(version).is_some_and(|terms| terms.is_valid()),
				"7: every version of the terms is valid"
			);
		}
		Ok(())
	}
}
