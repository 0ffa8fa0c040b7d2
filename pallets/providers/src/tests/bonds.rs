//! Whatever is done in whatever order, what is held is the bonds, and nothing is made or lost.

use crate::{
	mock::{Providers, *},
	*,
};
use frame::{testing_prelude::StateVersion, traits::Imbalance as _};
use proptest::prelude::*;

type Balance = openledger_primitives::Balance;

/// Something a provider does, perhaps in vain.
#[derive(Clone, Debug)]
enum Act {
	Register { hot_key: u8, bond: Balance },
	SetHotKey(u8),
	BondMore(Balance),
	Leave,
	Withdraw,
	Slash(Balance),
	Jail,
	Unjail,
	SetQuote(Balance),
	Heartbeat { hot_key: u8, age: BlockNumber },
	Wait(BlockNumber),
}

fn act() -> impl Strategy<Value = Act> {
	prop_oneof![
		3 => (0u8..4, 0..2 * MIN_BOND).prop_map(|(hot_key, bond)| Act::Register { hot_key, bond }),
		1 => (0u8..4).prop_map(Act::SetHotKey),
		3 => (0..ENDOWMENT / 2).prop_map(Act::BondMore),
		2 => Just(Act::Leave),
		2 => Just(Act::Withdraw),
		1 => (0..MIN_BOND).prop_map(Act::Slash),
		1 => Just(Act::Jail),
		2 => Just(Act::Unjail),
		3 => (0..2 * MAX_RATE).prop_map(Act::SetQuote),
		4 => (0u8..4, 0u32..12).prop_map(|(hot_key, age)| Act::Heartbeat { hot_key, age }),
		4 => (0u32..25).prop_map(Act::Wait),
	]
}

/// Says how much was slashed, if the act was allowed.
fn perform(who: AccountId, act: Act) -> Result<Balance, DispatchError> {
	let origin = signed(who.clone());
	match act {
		Act::Register {
			hot_key: seed,
			bond,
		} => {
			let url = endpoint("http://example.org");
			Providers::register(origin, hot_key(seed), url, bond, bases(&[1]), RATE)
		}
		Act::SetHotKey(seed) => Providers::set_hot_key(origin, hot_key(seed)),
		Act::BondMore(amount) => Providers::bond_more(origin, amount),
		Act::Leave => Providers::leave(origin),
		Act::Withdraw => Providers::withdraw_bond(origin),
		Act::Unjail => Providers::unjail(origin),
		Act::SetQuote(output) => Providers::set_quote(origin, Rate { output, ..RATE }),
		Act::Heartbeat { hot_key, age } => {
			let at = System::block_number().saturating_sub(age);
			let last = Providers::last_seen(who.clone());
			send_heartbeat(who.clone(), at, hot_key)
				.map_err(|_| DispatchError::Other("not let in"))
				.inspect(|()| assert!(last.unwrap() + HeartbeatPeriod::get() <= at))
		}
		Act::Slash(amount) => return Ok(Providers::slash_bond(&who, amount).peek()),
		Act::Jail => {
			Providers::jail(&who);
			Ok(())
		}
		Act::Wait(blocks) => {
			run_to(System::block_number() + blocks);
			Ok(())
		}
	}
	.map(|()| 0)
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(64))]

	#[test]
	fn bonds_should_be_held_to_the_unit(
		acts in prop::collection::vec((any::<bool>(), act()), 1..80),
	) {
		build_and_execute(|| {
			let issuance = Balances::total_issuance();
			let mut slashed = [0; 2];
			for (by_alice, act) in acts {
				let before = frame::deps::sp_io::storage::root(StateVersion::V1);
				let actor = usize::from(!by_alice);
				match perform([alice(), bob()][actor].clone(), act) {
					Ok(amount) => slashed[actor] += amount,
					Err(_) => {
						assert_eq!(frame::deps::sp_io::storage::root(StateVersion::V1), before)
					}
				}
				Providers::do_try_state().unwrap();
				for (who, slashed) in [alice(), bob()].iter().zip(slashed) {
					let bond = Providers::bond_of(who);
					assert_eq!(held(who), bond);
					assert_eq!(Balances::free_balance(who) + bond + slashed, ENDOWMENT);
				}
				assert_eq!(Balances::total_issuance() + slashed[0] + slashed[1], issuance);
			}
		});
	}
}
