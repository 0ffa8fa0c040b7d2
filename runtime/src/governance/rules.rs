//! Who may change each governed value, and within which bounds.
//!
//! [`rule`] has one line per value: a value without a rule does not compile. The bounds are wide
//! enough to govern and narrow enough that no decision can take anybody's money or stop the chain:
//! the protocol always has a cut, so that earning one's own payments always costs; contributors
//! always have a share; a dispute always has time. Where a chain only tries things out, periods may
//! be as short as one block.

use super::Origin;
use crate::{
	currency::{MICRO_OPEN, MILLI_OPEN, OPEN, TOTAL_SUPPLY},
	parameters::{
		governed::{attribution, datanets, fees, serving, stakes},
		RuntimeParameters, RuntimeParametersKey, RuntimeParametersValue,
	},
	time::{DAYS, HOURS, MINUTES},
	Balance, BlockNumber, Launch, OriginCaller, Runtime, System,
};
use codec::{Decode, DecodeWithMemTracking, Encode};
use frame_support::traits::{dynamic_params::AggregatedKeyValue, Get};
use frame_system::RawOrigin;
use openledger_primitives::{Terms, PARTS};
use scale_info::TypeInfo;

/// Who may change a value. Root may change every one.
#[derive(Clone, Copy, Debug, Decode, DecodeWithMemTracking, Encode, Eq, PartialEq, TypeInfo)]
pub enum Authority {
	/// Nobody but root.
	#[codec(index = 0)]
	Root,
	/// The track `treasurer`.
	#[codec(index = 1)]
	Treasurer,
	/// The track `attribution`.
	#[codec(index = 2)]
	Attribution,
	/// The track `serving`.
	#[codec(index = 3)]
	Serving,
}

impl Authority {
	/// Whether `origin` has this authority.
	pub fn admits(self, origin: &OriginCaller) -> bool {
		match (self, origin) {
			(_, OriginCaller::system(RawOrigin::Root)) => true,
			(Self::Treasurer, OriginCaller::Governance(origin)) => *origin == Origin::Treasurer,
			(Self::Attribution, OriginCaller::Governance(origin)) => *origin == Origin::Attribution,
			(Self::Serving, OriginCaller::Governance(origin)) => *origin == Origin::Serving,
			_ => false,
		}
	}
}

/// What a value is and may become.
#[derive(Clone, Debug, Decode, DecodeWithMemTracking, Encode, Eq, PartialEq, TypeInfo)]
pub enum Bounds {
	/// An amount of OPEN, a number of blocks or a part.
	#[codec(index = 0)]
	Number {
		/// The value in force.
		now: u128,
		/// The least it may be set to.
		least: u128,
		/// The most it may be set to.
		most: u128,
	},
	/// The terms of the split, whose licence shares must also sum to the whole.
	#[codec(index = 1)]
	Terms {
		/// The terms that hold from the next epoch on.
		now: Terms,
		/// The least of each term.
		least: Terms,
		/// The most of each term.
		most: Terms,
	},
}

/// Who may change a value, and within which bounds.
#[derive(Clone, Debug, Decode, DecodeWithMemTracking, Encode, Eq, PartialEq, TypeInfo)]
pub struct Rule {
	/// Who may change it, besides root.
	pub authority: Authority,
	/// What it is and may become.
	pub bounds: Bounds,
}

/// Why a value is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Violation {
	/// It is below its least.
	TooLow,
	/// It is above its most.
	TooHigh,
	/// The licence shares do not sum to the whole.
	SharesDoNotSum,
}

/// The least of each term. Who pays himself loses the cut at every setting.
pub const LEAST_TERMS: Terms = Terms {
	protocol_cut: 10_000,
	burnt: 100_000,
	base_owner: 0,
	adapter_owner: 0,
	stakers: 0,
	data: 200_000,
	attributed: 0,
	cap: 10_000,
};

/// The most of each term.
pub const MOST_TERMS: Terms = Terms {
	protocol_cut: 200_000,
	burnt: PARTS,
	base_owner: 400_000,
	adapter_owner: 600_000,
	stakers: 300_000,
	data: 900_000,
	attributed: PARTS,
	cap: PARTS,
};

fn each_term(terms: &Terms) -> [u32; 8] {
	let Terms {
		protocol_cut,
		burnt,
		base_owner,
		adapter_owner,
		stakers,
		data,
		attributed,
		cap,
	} = *terms;
	[
		protocol_cut,
		burnt,
		base_owner,
		adapter_owner,
		stakers,
		data,
		attributed,
		cap,
	]
}

/// An amount of OPEN in its smallest units.
fn amount(authority: Authority, now: Balance, least: Balance, most: Balance) -> Rule {
	Rule {
		authority,
		bounds: Bounds::Number { now, least, most },
	}
}

/// A part of a whole, in millionths.
fn parts(authority: Authority, now: u32, least: u32, most: u32) -> Rule {
	amount(authority, now.into(), least.into(), most.into())
}

/// A number of blocks, epochs or sessions; any short one will do where a chain only tries things
/// out.
fn period(authority: Authority, now: BlockNumber, least: BlockNumber, most: BlockNumber) -> Rule {
	let least = if Launch::is_trial() { 1 } else { least };
	Rule {
		authority,
		bounds: Bounds::Number {
			now: now.into(),
			least: least.into(),
			most: most.into(),
		},
	}
}

/// The rule of the value that `key` names.
pub fn rule(key: &RuntimeParametersKey) -> Rule {
	use attribution::ParametersKey as A;
	use datanets::ParametersKey as D;
	use fees::ParametersKey as F;
	use serving::ParametersKey as S;
	use stakes::ParametersKey as K;
	use Authority::{Attribution, Root, Serving, Treasurer};
	use RuntimeParametersKey as Key;

	match key {
		Key::Fees(F::BaseFee(key)) => amount(Treasurer, get(key), MICRO_OPEN, OPEN),
		Key::Fees(F::ByteFee(key)) => amount(Treasurer, get(key), 0, MILLI_OPEN),

		Key::Attribution(A::SplitTerms(_)) => Rule {
			authority: Attribution,
			bounds: Bounds::Terms {
				now: attribution::SplitTerms::get(),
				least: LEAST_TERMS,
				most: MOST_TERMS,
			},
		},
		Key::Attribution(A::EpochLength(key)) => {
			period(Attribution, get(key), 10 * MINUTES, 7 * DAYS)
		}
		Key::Attribution(A::DisputeWindow(key)) => period(Attribution, get(key), HOURS, 14 * DAYS),
		// The deadline of pots that are open is this one, too: none ends sooner than it began with by
		// default.
		Key::Attribution(A::ReportDeadline(key)) => period(Attribution, get(key), 24, 1_000),
		Key::Attribution(A::ReporterDeposit(key)) => {
			amount(Attribution, get(key), OPEN, 100_000 * OPEN)
		}
		// It pays for the answer, and must not keep anybody from demanding one.
		Key::Attribution(A::DemandDeposit(key)) => {
			amount(Attribution, get(key), 100 * MILLI_OPEN, 100 * OPEN)
		}
		Key::Attribution(A::MinSlash(key)) => amount(Attribution, get(key), OPEN, 10_000 * OPEN),
		// With half of it at most to the disputer, a cheat never gains by disputing itself.
		Key::Attribution(A::SlashFactor(key)) => {
			parts(Attribution, get(key), 2 * PARTS, 100 * PARTS)
		}
		Key::Attribution(A::DisputerShare(key)) => {
			parts(Attribution, get(key), PARTS / 20, PARTS / 2)
		}
		Key::Attribution(A::AuditRate(key)) => parts(Attribution, get(key), PARTS / 100, PARTS),
		Key::Attribution(A::AuditPeriod(key)) => {
			period(Attribution, get(key), 10 * MINUTES, 7 * DAYS)
		}

		Key::Serving(S::ThawPeriod(key)) => period(Serving, get(key), HOURS, 30 * DAYS),
		Key::Serving(S::VoucherLifetime(key)) => period(Serving, get(key), 10 * MINUTES, 14 * DAYS),
		Key::Serving(S::MinEscrow(key)) => amount(Serving, get(key), MILLI_OPEN, 100 * OPEN),
		Key::Serving(S::MinBond(key)) => amount(Serving, get(key), OPEN, 100_000 * OPEN),
		Key::Serving(S::UnbondingPeriod(key)) => period(Serving, get(key), DAYS, 60 * DAYS),
		Key::Serving(S::MaxRate(key)) => amount(Serving, get(key), OPEN, TOTAL_SUPPLY),
		Key::Serving(S::JailPeriod(key)) => period(Serving, get(key), HOURS, 30 * DAYS),
		Key::Serving(S::BondFactor(key)) => parts(Serving, get(key), PARTS / 10, 20 * PARTS),
		Key::Serving(S::QuoteNotice(key)) => period(Serving, get(key), 5 * MINUTES, 7 * DAYS),
		Key::Serving(S::HeartbeatPeriod(key)) => period(Serving, get(key), MINUTES, DAYS),
		Key::Serving(S::MissedHeartbeats(key)) => amount(Serving, get(key).into(), 1, 1_000),

		Key::Stakes(K::MinSelfStake(key)) => amount(Root, get(key), OPEN, 1_000_000 * OPEN),
		Key::Stakes(K::MinDelegation(key)) => amount(Root, get(key), MILLI_OPEN, 10_000 * OPEN),
		Key::Stakes(K::MinValidators(key)) => parts(Root, get(key), 1, 100),
		Key::Stakes(K::MaxValidators(key)) => parts(Root, get(key), 4, 256),
		Key::Stakes(K::MaxCommission(key)) => parts(Root, get(key), 0, PARTS / 2),
		Key::Stakes(K::UnbondingPeriod(key)) => period(Root, get(key), 7 * 24, 60 * 24),
		// Longer than the track that cancels slashes takes to decide.
		Key::Stakes(K::SlashDelay(key)) => period(Root, get(key), 4 * 24, 30 * 24),
		Key::Stakes(K::JailPeriod(key)) => period(Root, get(key), 24, 90 * 24),

		Key::Datanets(D::ContributionBond(key)) => amount(Attribution, get(key), 0, 1_000 * OPEN),
		Key::Datanets(D::OpenBondPerKib(key)) => amount(Attribution, get(key), 0, 10 * OPEN),
		Key::Datanets(D::BondPeriod(key)) => period(Attribution, get(key), DAYS, 365 * DAYS),
		Key::Datanets(D::DuplicateReward(key)) => parts(Attribution, get(key), 100_000, 900_000),
		Key::Datanets(D::MinReviewerStake(key)) => {
			amount(Attribution, get(key), OPEN, 100_000 * OPEN)
		}
		Key::Datanets(D::ReviewerWarmUp(key)) => period(Attribution, get(key), MINUTES, 30 * DAYS),
		Key::Datanets(D::ReviewFee(key)) => amount(Attribution, get(key), 0, 100 * OPEN),
		Key::Datanets(D::CommitPeriod(key)) => period(Attribution, get(key), HOURS, 14 * DAYS),
		Key::Datanets(D::RevealPeriod(key)) => period(Attribution, get(key), HOURS, 14 * DAYS),
		Key::Datanets(D::AppealPeriod(key)) => period(Attribution, get(key), HOURS, 30 * DAYS),
		Key::Datanets(D::AppealDeposit(key)) => amount(Attribution, get(key), 0, 10_000 * OPEN),
		Key::Datanets(D::ReviewQuorum(key)) => parts(Attribution, get(key), 100_000, 900_000),
		Key::Datanets(D::AppealQuorum(key)) => parts(Attribution, get(key), 100_000, 900_000),
		Key::Datanets(D::SilenceSlash(key)) => parts(Attribution, get(key), 0, 500_000),
	}
}

/// The value in force of the parameter that is a type of its own.
fn get<Value, Parameter: Get<Value>>(_: &Parameter) -> Value {
	Parameter::get()
}

impl Rule {
	/// Checks that `value` is within the bounds.
	pub fn check(&self, value: &RuntimeParametersValue) -> Result<(), Violation> {
		let within = |value: u128, least: u128, most: u128| match value {
			low if low < least => Err(Violation::TooLow),
			high if high > most => Err(Violation::TooHigh),
			_ => Ok(()),
		};
		match &self.bounds {
			Bounds::Number { least, most, .. } => within(number(value), *least, *most),
			Bounds::Terms { least, most, .. } => {
				let RuntimeParametersValue::Attribution(attribution::ParametersValue::SplitTerms(
					terms,
				)) = value
				else {
					return Err(Violation::TooHigh);
				};
				let bounds = each_term(least).into_iter().zip(each_term(most));
				for (term, (least, most)) in each_term(terms).into_iter().zip(bounds) {
					within(term.into(), least.into(), most.into())?;
				}
				if terms.is_valid() {
					Ok(())
				} else {
					Err(Violation::SharesDoNotSum)
				}
			}
		}
	}
}

/// The number that `value` is. All governed numbers are unsigned and of fixed width, so their
/// encoding is their bytes, the lowest first, after the indices of module and key.
fn number(value: &RuntimeParametersValue) -> u128 {
	let encoded = value.encode();
	let digits = encoded.get(2..).unwrap_or_default();
	digits
		.iter()
		.rev()
		.fold(0u128, |number, digit| (number << 8) | u128::from(*digit))
}

/// Sets a value within its bounds, whoever asks; for genesis.
pub(crate) fn set(parameter: RuntimeParameters) -> Result<(), Violation> {
	let (key, value) = parameter.into_parts();
	if let Some(value) = &value {
		rule(&key).check(value)?;
	}
	store(key, value);
	Ok(())
}

/// Writes a value that was checked, and says so.
pub(crate) fn store(key: RuntimeParametersKey, value: Option<RuntimeParametersValue>) {
	let old_value = pallet_parameters::Parameters::<Runtime>::get(&key);
	pallet_parameters::Parameters::<Runtime>::set(&key, value.clone());
	System::deposit_event(pallet_parameters::Event::<Runtime>::Updated {
		key,
		old_value,
		new_value: value,
	});
}
