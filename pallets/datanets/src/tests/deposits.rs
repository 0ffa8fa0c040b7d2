//! Whatever is done in whatever order, what is held is the price of what is kept.

use crate::{
	mock::{Datanets, *},
	*,
};
use frame::{testing_prelude::StateVersion, traits::fungible::InspectHold};
use proptest::prelude::*;

/// Something somebody does, perhaps in vain.
#[derive(Clone, Debug)]
enum Act {
	Contribute { by_bob: bool, content: u8 },
	Accept(u32),
	Reject(u32),
	Withdraw { by_bob: bool, contribution: u32 },
	Snapshot,
}

fn act() -> impl Strategy<Value = Act> {
	prop_oneof![
		4 => (any::<bool>(), 0u8..12)
			.prop_map(|(by_bob, content)| Act::Contribute { by_bob, content }),
		3 => (0u32..12).prop_map(Act::Accept),
		1 => (0u32..12).prop_map(Act::Reject),
		2 => (any::<bool>(), 0u32..12)
			.prop_map(|(by_bob, contribution)| Act::Withdraw { by_bob, contribution }),
		2 => Just(Act::Snapshot),
	]
}

fn perform(datanet: DatanetId, act: Act) {
	let contributor = |by_bob| if by_bob { bob() } else { carol() };
	// What is refused must change nothing; `assert_noop!` would want to know the error.
	let before = frame::deps::sp_io::storage::root(StateVersion::V1);
	let done = match act {
		Act::Contribute { by_bob, content } => Datanets::contribute(
			signed(contributor(by_bob)),
			datanet,
			records(&[content]),
			uri("ipfs://notes"),
			wallet(),
		),
		Act::Accept(contribution) => Datanets::accept(signed(alice()), datanet, contribution),
		Act::Reject(contribution) => Datanets::reject(signed(alice()), datanet, contribution),
		Act::Withdraw {
			by_bob,
			contribution,
		} => Datanets::withdraw(signed(contributor(by_bob)), datanet, contribution),
		Act::Snapshot => Datanets::snapshot(signed(alice()), datanet)
			.map(|_| ())
			.map_err(|error| error.error),
	};
	if done.is_err() {
		assert_eq!(frame::deps::sp_io::storage::root(StateVersion::V1), before);
	}
}

/// The price of all that `who` has in storage.
fn due(who: AccountId) -> Balance {
	let size = |kept: Contribution<Test>| {
		// Deposits are fixed while pending, whatever the state becomes, except in open Datanets.
		let pending = Contribution {
			state: ContributionState::Pending,
			..kept
		};
		let bond = Bond {
			amount: 0,
			fee: 0,
			free_at: None,
			registered: 0,
		};
		(&pending, pending.records.root, bond).encoded_size() as Balance
	};
	Contributions::<Test>::iter_values()
		.filter(|kept| kept.contributor == who)
		.map(|kept| 1_000 + size(kept))
		.sum()
}

type Balance = openledger_primitives::Balance;

proptest! {
	#![proptest_config(ProptestConfig::with_cases(64))]

	#[test]
	fn held_money_should_be_the_price_of_what_is_kept(acts in prop::collection::vec(act(), 1..60)) {
		build_and_execute(|| {
			let id = datanet(Curation::Owner);
			let issuance = Balances::total_issuance();
			for act in acts {
				perform(id, act);
				Datanets::do_try_state().unwrap();
				for who in [bob(), carol()] {
					assert_eq!(held(who.clone()), due(who.clone()));
					let bonds = held_for(HoldReason::Bond, who.clone());
					assert_eq!(wealth(who.clone()), ENDOWMENT);
					assert_eq!(Balances::total_balance_on_hold(&who), held(who) + bonds);
				}
			}
			assert_eq!(Balances::total_issuance(), issuance);
		});
	}
}
