//! Properties of the fee arithmetic: no unit is lost, none is made.
#![allow(clippy::unwrap_used)]

use openledger_primitives::{
	apportion,
	fees::{part, scale, split_redemption},
	report::{parts, payouts, receipt_net, split, Earning},
	Balance, PartLeaf, Payee, Price, Rate, Terms, OPEN, PARTS,
};
use proptest::prelude::*;

/// More OPEN than there will ever be.
const SUPPLY: Balance = 1_000_000_000 * OPEN;

fn terms() -> impl Strategy<Value = Terms> {
	let part = 0..=PARTS;
	let shares = prop::array::uniform3(0..=PARTS);
	(shares, part.clone(), part.clone(), part.clone(), part).prop_map(
		|(mut cuts, protocol_cut, burnt, attributed, cap)| {
			cuts.sort_unstable();
			let [a, b, c] = cuts;
			Terms {
				protocol_cut,
				burnt,
				base_owner: a,
				adapter_owner: b - a,
				stakers: c - b,
				data: PARTS - c,
				attributed,
				cap,
			}
		},
	)
}

fn earning() -> impl Strategy<Value = Earning> {
	let contributors = prop::collection::btree_map((0u32..3, 0u32..5), 0u128..1_000_000, 0..6);
	let adapter = prop::option::of((0u32..4, contributors));
	let base = prop::option::weighted(0.9, 0u32..2);
	(0..OPEN, base, adapter).prop_map(|(paid, base, adapter)| Earning {
		paid,
		base,
		adapter: adapter.filter(|_| base.is_some()).map(|(id, weights)| {
			(
				id,
				weights
					.into_iter()
					.map(|((datanet, c), weight)| (datanet, c, weight))
					.collect(),
			)
		}),
	})
}

#[test]
fn charge_should_round_up_to_the_next_unit() {
	let rate = Rate {
		input: 1,
		output: 1_000,
	};
	assert_eq!(rate.charge(0, 0), Some(0));
	assert_eq!(rate.charge(1, 0), Some(1));
	assert_eq!(rate.charge(1_000, 0), Some(1));
	assert_eq!(rate.charge(1_001, 2), Some(4));
	assert_eq!(
		Rate {
			input: Balance::MAX,
			output: 0
		}
		.charge(2, 0),
		None
	);
}

#[test]
fn default_terms_should_be_valid_and_split_an_answer_as_published() {
	let terms = Terms::default();
	assert!(terms.is_valid());
	let split = split_redemption(6 * OPEN, 4 * OPEN, &terms).unwrap();
	assert_eq!(split.burnt, OPEN / 4);
	assert_eq!(split.treasury, OPEN / 4);
	assert_eq!(split.provider, 57 * OPEN / 10);
	assert_eq!(split.pot, 38 * OPEN / 10);
}

#[test]
fn shares_that_do_not_sum_to_the_whole_should_be_invalid() {
	assert!(!Terms {
		data: 499_999,
		..Terms::default()
	}
	.is_valid());
	assert!(!Terms {
		protocol_cut: PARTS + 1,
		..Terms::default()
	}
	.is_valid());
	assert!(!Terms {
		data: u32::MAX,
		..Terms::default()
	}
	.is_valid());
	assert_eq!(
		parts(
			0,
			0,
			&[],
			&Terms {
				data: 0,
				..Terms::default()
			}
		),
		None
	);
}

#[test]
fn leftover_units_should_go_to_the_largest_remainders_and_ties_to_the_earlier() {
	assert_eq!(apportion(10, &[1, 1, 1]), Some(vec![4, 3, 3]));
	assert_eq!(apportion(7, &[3, 1, 0]), Some(vec![5, 2, 0]));
	assert_eq!(apportion(0, &[5, 5]), Some(vec![0, 0]));
	assert_eq!(apportion(1, &[0, 0]), None);
	assert_eq!(apportion(1, &[]), None);
	assert_eq!(apportion(1, &[u128::MAX, 1]), None);
}

#[test]
fn an_answer_of_the_bare_base_should_pay_its_owner_what_an_adapter_side_would_have_got() {
	let earning = Earning {
		paid: 100,
		base: Some(7),
		adapter: None,
	};
	let parts = parts(100, 1_000, &[earning], &Terms::default()).unwrap();
	let leaves = payouts(&parts).unwrap();
	let paid: Vec<_> = leaves
		.iter()
		.map(|leaf| (leaf.payee, leaf.amount))
		.collect();
	assert_eq!(
		paid,
		vec![(Payee::BaseOwner(7), 900), (Payee::Stakers, 100)]
	);
}

#[test]
fn the_data_share_of_an_adapter_without_weighted_contributors_should_go_to_the_treasury() {
	let earning = Earning {
		paid: 1,
		base: Some(0),
		adapter: Some((3, vec![(0, 0, 0)])),
	};
	let parts = split(&earning, 1_000, &Terms::default()).unwrap();
	assert!(parts.contains(&(Payee::AdapterOwner(3), 300)));
	assert!(parts.contains(&(Payee::Treasury, 500)));
	assert_eq!(
		parts.iter().map(|(_, amount)| amount).sum::<Balance>(),
		1_000
	);
}

#[test]
fn a_pot_without_earnings_should_not_be_payable() {
	assert_eq!(parts(1, 1, &[], &Terms::default()), None);
	assert_eq!(parts(0, 1, &[], &Terms::default()), None);
	assert_eq!(parts(0, 0, &[], &Terms::default()), Some(vec![]));
	assert_eq!(payouts(&[]), Some(vec![]));
}

#[test]
fn earnings_that_do_not_sum_to_the_licence_money_should_not_be_payable() {
	let earnings = [Earning {
		paid: 10,
		base: Some(0),
		adapter: None,
	}];
	assert_eq!(parts(11, 9, &earnings, &Terms::default()), None);
	assert_eq!(parts(9, 9, &earnings, &Terms::default()), None);
}

#[test]
fn money_that_no_receipt_explains_should_go_to_the_treasury() {
	let earning = |paid, base| Earning {
		paid,
		base,
		adapter: None,
	};
	let earnings = [earning(60, Some(7)), earning(40, None)];
	let parts = parts(100, 1_000, &earnings, &Terms::default()).unwrap();
	let paid: Vec<_> = payouts(&parts)
		.unwrap()
		.iter()
		.map(|leaf| (leaf.payee, leaf.amount))
		.collect();
	assert_eq!(
		paid,
		vec![
			(Payee::BaseOwner(7), 540),
			(Payee::Stakers, 60),
			(Payee::Treasury, 400)
		]
	);
	let senseless = Earning {
		adapter: Some((0, vec![])),
		..earning(1, None)
	};
	assert_eq!(split(&senseless, 1, &Terms::default()), None);
}

proptest! {
	#[test]
	fn apportion_should_sum_to_the_whole_and_stay_within_one_unit(
		total in 0..SUPPLY,
		weights in prop::collection::vec(any::<u64>().prop_map(u128::from), 1..50),
	) {
		let whole: u128 = weights.iter().sum();
		prop_assume!(whole > 0);
		let amounts = apportion(total, &weights).unwrap();
		prop_assert_eq!(amounts.iter().sum::<Balance>(), total);
		for (amount, weight) in amounts.iter().zip(&weights) {
			let floor = scale(total, *weight, whole).unwrap();
			prop_assert!(*amount == floor || *amount == floor + 1);
			prop_assert!(*weight > 0 || *amount == 0);
		}
	}

	#[test]
	fn split_redemption_should_account_for_every_unit(
		compute in 0..SUPPLY, licence in 0..SUPPLY, terms in terms(),
	) {
		let split = split_redemption(compute, licence, &terms).unwrap();
		let sum = split.burnt + split.treasury + split.provider + split.pot;
		prop_assert_eq!(sum, compute + licence);
		prop_assert!(split.provider <= compute && split.pot <= licence);
		prop_assert_eq!(split.pot, licence - part(licence, terms.protocol_cut).unwrap());
	}

	#[test]
	fn payouts_should_sum_to_the_pot_in_payee_order_without_zeros(
		pot in 0..SUPPLY,
		earnings in prop::collection::vec(earning(), 1..20),
		terms in terms(),
	) {
		prop_assume!(earnings.iter().any(|earning| earning.paid > 0));
		let licence = earnings.iter().map(|earning| earning.paid).sum();
		let parts = parts(licence, pot, &earnings, &terms).unwrap();
		let key = |part: &PartLeaf| (part.payee, part.receipt);
		prop_assert_eq!(parts.iter().map(|part| part.amount).sum::<Balance>(), pot);
		prop_assert!(parts.windows(2).all(|pair| key(&pair[0]) < key(&pair[1])));
		prop_assert!(parts.iter().all(|part| part.amount > 0));
		let leaves = payouts(&parts).unwrap();
		prop_assert_eq!(leaves.iter().map(|leaf| leaf.amount).sum::<Balance>(), pot);
		prop_assert!(leaves.windows(2).all(|pair| pair[0].payee < pair[1].payee));
		prop_assert!(leaves.iter().all(|leaf| leaf.amount > 0));
	}

	#[test]
	fn what_receipts_are_worth_should_sum_to_the_net(
		net in 0..SUPPLY,
		paid in prop::collection::vec(0..SUPPLY, 1..30),
	) {
		let licence: Balance = paid.iter().sum();
		prop_assume!(licence > 0);
		let mut before = 0;
		let mut sum = 0;
		for paid in paid {
			let worth = receipt_net(licence, net, before, paid).unwrap();
			let exact = scale(net, paid, licence).unwrap();
			prop_assert!(worth == exact || worth == exact + 1);
			before += paid;
			sum += worth;
		}
		prop_assert_eq!(sum, net);
	}

	#[test]
	fn a_longer_answer_should_never_cost_less(
		rates in prop::array::uniform4(0..OPEN), tokens_in: u32, tokens_out in 0..u32::MAX,
	) {
		let [a, b, c, d] = rates;
		let price = Price {
			compute: Rate { input: a, output: b },
			licence: Rate { input: c, output: d },
		};
		let shorter = price.charge(tokens_in, tokens_out).unwrap();
		let longer = price.charge(tokens_in, tokens_out + 1).unwrap();
		prop_assert!(shorter.0 <= longer.0 && shorter.1 <= longer.1);
	}
}
