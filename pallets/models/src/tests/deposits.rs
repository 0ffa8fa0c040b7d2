//! Whatever is registered, what is held is the price of what is kept.

use crate::{mock::*, *};
use frame::testing_prelude::StateVersion;
use proptest::prelude::*;

type Balance = openledger_primitives::Balance;

/// The price of all that `who` has registered.
fn due(who: &AccountId) -> Balance {
	let bases = BaseModels::<Test>::iter_values()
		.filter(|model| model.owner == *who)
		.map(|model| (&model, &model.name).encoded_size());
	let adapters = Adapters::<Test>::iter_values()
		.filter(|adapter| adapter.owner == *who)
		.map(|adapter| (&adapter, &adapter.name, (adapter.weights, adapter.config)).encoded_size());
	bases
		.chain(adapters)
		.map(|size| 1_000 + size as Balance)
		.sum()
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(64))]

	#[test]
	fn held_money_should_be_the_price_of_what_is_registered(
		acts in prop::collection::vec((any::<bool>(), 0u8..4, 1u8..12, 0usize..8), 1..40),
	) {
		build_and_execute(|| {
			let issuance = Balances::total_issuance();
			for (by_alice, act, seed, size) in acts {
				let who = if by_alice { alice() } else { bob() };
				let before = frame::deps::sp_io::storage::root(StateVersion::V1);
				let done = match act {
					0 => Models::register_base(
						signed(who),
						name(&"b".repeat(size)),
						name("llama"),
						Hash::repeat_byte(seed),
						Hash::repeat_byte(seed),
						name("MIT"),
						RATE,
					),
					1 => Models::retire_adapter(signed(who), u32::from(seed) % 4),
					_ => {
						let mut said = registration(u32::from(seed) % 3, seed);
						said.lineage.truncate(size);
						Models::register_adapter(signed(who), said)
					},
				};
				if done.is_err() {
					assert_eq!(frame::deps::sp_io::storage::root(StateVersion::V1), before);
				}
				Models::do_try_state().unwrap();
				for who in [alice(), bob()] {
					assert_eq!(held(who.clone()), due(&who));
					assert_eq!(Balances::free_balance(&who) + held(who), ENDOWMENT);
				}
			}
			assert_eq!(Balances::total_issuance(), issuance);
		});
	}
}
