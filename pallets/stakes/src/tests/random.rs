//! Whatever is done in whatever order, holds are stakes, nobody claims more than came in, and no unit
//! is made or lost.

use super::*;
use frame::{
	deps::sp_io::storage::root, testing_prelude::StateVersion, traits::fungible::Inspect as _,
};
use proptest::prelude::*;

/// Something somebody does, perhaps in vain.
#[derive(Clone, Debug)]
enum Act {
	Bond(Balance, u32),
	BondMore(Balance),
	Unbond(Option<Balance>),
	Delegate(u8, Balance),
	Undelegate(u8, Option<Balance>),
	Withdraw(u8),
	Claim(u8),
	Validate(u32),
	Chill,
	Unjail,
	Offend { percent: u32, ago: SessionIndex },
	CancelSlash(SlashId),
	EndSession(Balance),
}

const ACTORS: u8 = 7;

fn act() -> impl Strategy<Value = Act> {
	let other = 1..=ACTORS;
	let amount = prop_oneof![0u128..3_000, 0..ENDOWMENT];
	let part = prop::option::weighted(0.7, 0u128..2_000);
	prop_oneof![
		2 => (amount.clone(), 0u32..25).prop_map(|(amount, percent)| Act::Bond(amount, percent)),
		2 => (0u128..2_000).prop_map(Act::BondMore),
		2 => part.clone().prop_map(Act::Unbond),
		5 => (other.clone(), amount).prop_map(|(to, amount)| Act::Delegate(to, amount)),
		4 => (other.clone(), part).prop_map(|(from, part)| Act::Undelegate(from, part)),
		3 => other.clone().prop_map(Act::Withdraw),
		3 => other.prop_map(Act::Claim),
		1 => (0u32..25).prop_map(Act::Validate),
		1 => Just(Act::Chill),
		1 => Just(Act::Unjail),
		1 => (0u32..=100, 0u32..=REPORTABLE).prop_map(|(percent, ago)| Act::Offend { percent, ago }),
		1 => (0u32..6).prop_map(Act::CancelSlash),
		6 => prop_oneof![Just(0), 0u128..10_000_000, 0u128..50].prop_map(Act::EndSession),
	]
}

fn perform(who: AccountId, act: Act) -> DispatchResult {
	let origin = signed(who.clone());
	let stake_of = |candidate: &AccountId| {
		Stakes::position(candidate.clone(), who.clone())
			.and_then(|position| position.stake())
			.unwrap_or_default()
	};
	match act {
		Act::Bond(amount, percent) => {
			let commission = Perbill::from_percent(percent);
			Stakes::bond(origin, amount, commission)?;
			Keyed::mutate(|keyed| keyed.push(who));
			Ok(())
		}
		Act::BondMore(amount) => Stakes::bond_more(origin, amount),
		Act::Unbond(part) => Stakes::unbond(origin, part.unwrap_or(stake_of(&who))),
		Act::Delegate(to, amount) => Stakes::delegate(origin, account(to), amount),
		Act::Undelegate(from, part) => {
			let from = account(from);
			let amount = part.unwrap_or(stake_of(&from));
			Stakes::undelegate(origin, from, amount)
		}
		Act::Withdraw(from) => Stakes::withdraw_unbonded(origin, account(from)),
		Act::Claim(from) => Stakes::claim(origin, account(from), who),
		Act::Validate(percent) => Stakes::validate(origin, Perbill::from_percent(percent)),
		Act::Chill => Stakes::chill(origin),
		Act::Unjail => Stakes::unjail(origin),
		Act::Offend { percent, ago } => {
			report(who, percent, session().saturating_sub(ago));
			Ok(())
		}
		Act::CancelSlash(id) => Stakes::cancel_slash(RuntimeOrigin::root(), id),
		Act::EndSession(income) => {
			pay_out(income);
			Ok(())
		}
	}
}

fn all_money() -> Balance {
	(1..=20)
		.map(account)
		.chain([crate::Pallet::<Test>::pot()])
		.map(|who| Balances::total_balance(&who))
		.sum()
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(96))]

	#[test]
	fn any_sequence_of_acts_should_keep_the_invariants_and_every_unit(
		acts in prop::collection::vec((1..=ACTORS, act()), 1..80),
	) {
		build_and_execute(|| {
			let start = all_money();
			let mut income = 0;
			for (number, act) in acts {
				if let Act::EndSession(amount) = act {
					income += amount;
				}
				let before = root(StateVersion::V1);
				if perform(account(number), act).is_err() {
					assert_eq!(root(StateVersion::V1), before);
				}
				Stakes::do_try_state().unwrap();
				assert_eq!(all_money(), start + income - Burnt::get());
			}
			// Everybody can leave with what is theirs.
			next_sessions(SlashDelay::get() + 1);
			for (id, who, position) in Positions::<Test>::iter().collect::<Vec<_>>() {
				if position.unbonding.is_full() {
					continue;
				}
				let stake = position.stake().unwrap();
				if stake > 0 && id == who {
					assert_ok!(Stakes::unbond(signed(who), stake));
				} else if stake > 0 {
					assert_ok!(Stakes::undelegate(signed(who), id, stake));
				}
			}
			next_sessions(UnbondingPeriod::get());
			for (id, who, position) in Positions::<Test>::iter().collect::<Vec<_>>() {
				if !position.unbonding.is_empty() {
					assert_ok!(Stakes::withdraw_unbonded(signed(who.clone()), id.clone()));
				}
				if claimable(id.clone(), who.clone()) > 0 {
					claim(id, who);
				}
			}
			Stakes::do_try_state().unwrap();
			assert_eq!(all_money(), start + income - Burnt::get());
		});
	}
}
