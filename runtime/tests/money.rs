//! The way of money through the whole runtime: from a payer's escrow to everybody who earned it.
#![allow(clippy::unwrap_used)]

mod common;

use common::{chain_from_preset, check_invariants};
use frame_support::{
	assert_noop, assert_ok,
	traits::{fungible::Inspect, Hooks},
};
use openledger_primitives::{
	algorithm, merkle, Commitment, Hash, PartLeaf, Payee, PayoutLeaf, Rate, ReceiptLeaf,
	SignedVoucher, Voucher,
};
use openledger_runtime::{
	accounts, currency::*, AccountId, Attribution, Balances, Channels, Datanets, Models, Providers,
	Runtime, RuntimeOrigin, System,
};
use pallet_datanets::Curation;
use sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie, Dave, Eve, Ferdie, FerdieStash};

const DATANET: u32 = 0;
const BASE: u32 = 0;
const ADAPTER: u32 = 0;
const CHANNEL: u64 = 0;
/// The community, who owns the Datanet.
const COMMUNITY: Sr25519Keyring = Alice;
const CONTRIBUTOR: Sr25519Keyring = Bob;
const BASE_OWNER: Sr25519Keyring = Charlie;
const BUILDER: Sr25519Keyring = Dave;
const PROVIDER: Sr25519Keyring = Eve;
const HOT_KEY: Sr25519Keyring = FerdieStash;
const PAYER: Sr25519Keyring = Ferdie;

fn signed(key: Sr25519Keyring) -> RuntimeOrigin {
	RuntimeOrigin::signed(key.to_account_id())
}

fn balance(key: Sr25519Keyring) -> u128 {
	Balances::total_balance(&key.to_account_id())
}

fn bytes<B: TryFrom<Vec<u8>>>(text: &str) -> B {
	B::try_from(text.as_bytes().to_vec())
		.ok()
		.expect("the text is short enough")
}

fn go_to_block(number: u32) {
	while System::block_number() < number {
		let next = System::block_number() + 1;
		System::set_block_number(next);
		Attribution::on_initialize(next);
	}
}

/// A Datanet with one contribution, an adapter trained on it, a provider and a funded channel.
fn market() {
	go_to_block(1);
	assert_ok!(Datanets::create(
		signed(COMMUNITY),
		bytes("Tide tables"),
		bytes("CC-BY-4.0"),
		bytes("text/plain"),
		Curation::Owner,
	));
	let records = Commitment {
		root: Hash::repeat_byte(1),
		sum: 1_000,
		count: 10,
	};
	assert_ok!(Datanets::contribute(
		signed(CONTRIBUTOR),
		DATANET,
		records,
		bytes("https://example.org/tides"),
		CONTRIBUTOR.to_account_id(),
	));
	assert_ok!(Datanets::accept(signed(COMMUNITY), DATANET, 0));
	assert_ok!(Datanets::snapshot(signed(COMMUNITY), DATANET));
	let rate = Rate {
		input: OPEN,
		output: OPEN,
	};
	assert_ok!(Models::register_base(
		signed(BASE_OWNER),
		bytes("base"),
		bytes("llama"),
		Hash::repeat_byte(2),
		Hash::repeat_byte(3),
		bytes("Apache-2.0"),
		rate,
	));
	assert_ok!(Models::register_adapter(
		signed(BUILDER),
		pallet_models::AdapterRegistration {
			name: bytes("tides"),
			base: BASE,
			weights: Hash::repeat_byte(4),
			config: Hash::repeat_byte(5),
			rank: 8,
			targets: vec![bytes("q_proj")].try_into().unwrap(),
			lineage: vec![(DATANET, 1)].try_into().unwrap(),
			manifest: Hash::repeat_byte(6),
			algorithm: algorithm::SPAN_SA_1,
			index: Hash::repeat_byte(7),
			uri: bytes("https://example.org/adapter"),
			rate,
		}
	));
	assert_ok!(Providers::register(
		signed(PROVIDER),
		HOT_KEY.to_account_id(),
		bytes("https://example.org"),
		100 * OPEN,
		vec![BASE].try_into().unwrap(),
		rate,
	));
	assert_ok!(Channels::open(
		signed(PAYER),
		PROVIDER.to_account_id(),
		10 * OPEN,
		None
	));
}

fn voucher(amount: u128, licence: u128) -> SignedVoucher {
	let voucher = Voucher {
		genesis: System::block_hash(0),
		channel: CHANNEL,
		generation: Channels::channel(CHANNEL).unwrap().generation,
		lane: 0,
		amount,
		licence,
		tokens: 1_000,
		receipts: Hash::repeat_byte(8),
		quote: Providers::quote(PROVIDER.to_account_id()).unwrap().id,
		valid_until: System::block_number() + 10,
	};
	let signature = PAYER.sign(voucher.digest().as_bytes()).into();
	SignedVoucher { voucher, signature }
}

#[test]
fn a_payers_money_should_reach_everybody_who_earned_it_and_none_should_be_lost() {
	chain_from_preset("development").execute_with(|| {
		market();
		let (compute, licence) = (2 * OPEN, OPEN);
		let earners = [CONTRIBUTOR, BASE_OWNER, BUILDER, PROVIDER];
		let before = earners.map(balance);
		let treasury_before = Balances::balance(&accounts::treasury());
		let escrow_before = Balances::balance(&accounts::escrow());

		let vouchers = vec![voucher(compute + licence, licence)];
		assert_ok!(Channels::redeem(
			signed(HOT_KEY),
			vouchers.try_into().unwrap()
		));
		let escrow = Balances::balance(&accounts::escrow());
		assert_eq!(escrow, escrow_before - compute - licence);
		// 5 % of both is the protocol's, half of it burnt.
		let cut = (compute + licence) / 20;
		assert_eq!(Balances::total_issuance(), TOTAL_SUPPLY - cut / 2);
		assert_eq!(
			Balances::balance(&accounts::treasury()),
			treasury_before + cut / 2
		);

		let epoch = Attribution::epoch();
		go_to_block(epoch.start + epoch.length);
		let provider = PROVIDER.to_account_id();
		let pot = Attribution::pot(provider.clone(), epoch.index).unwrap();
		assert_eq!((pot.licence, pot.net), (licence, licence - licence / 20));

		let receipts = commit(&[(
			ReceiptLeaf {
				receipt: Hash::zero(),
				paid: licence,
			},
			licence,
		)]);
		let share = |percent| pot.net * percent / 100;
		let payouts = [
			(Payee::BaseOwner(BASE), share(10)),
			(Payee::AdapterOwner(ADAPTER), share(30)),
			(Payee::Stakers, share(10)),
			(
				Payee::Contributor {
					adapter: ADAPTER,
					datanet: DATANET,
					contribution: 0,
				},
				share(50),
			),
		]
		.map(|(payee, amount)| PayoutLeaf { payee, amount });
		let tree = tree(&payouts.map(|leaf| (leaf, leaf.amount)));
		let parts = commit(&payouts.map(|PayoutLeaf { payee, amount }| {
			let part = PartLeaf {
				payee,
				receipt: 0,
				amount,
			};
			(part, amount)
		}));
		assert_ok!(Attribution::report(
			signed(HOT_KEY),
			epoch.index,
			receipts,
			parts,
			tree.commitment()
		));

		let settle = || {
			Attribution::settle(
				signed(PAYER),
				provider.clone(),
				epoch.index,
				payouts.to_vec().try_into().unwrap(),
				tree.range_proof(0, 4).unwrap().try_into().unwrap(),
			)
		};
		assert!(settle().is_err(), "the dispute window is open");
		let report = Attribution::report_of(provider.clone(), epoch.index).unwrap();
		go_to_block(report.open_at);
		assert_ok!(settle());

		for key in [CONTRIBUTOR, BASE_OWNER, BUILDER] {
			assert_ok!(Attribution::claim(signed(key), key.to_account_id()));
		}
		let earned: Vec<u128> = earners
			.iter()
			.zip(before)
			.map(|(key, before)| balance(*key) - before)
			.collect();
		assert_eq!(
			earned,
			[share(50), share(10), share(30), compute - compute / 20]
		);
		let waiting_for_stakers = Balances::balance(&accounts::attribution_pot());
		assert_eq!(waiting_for_stakers, EXISTENTIAL_DEPOSIT + share(10));
		assert_eq!(Balances::total_issuance(), TOTAL_SUPPLY - cut / 2);
		check_invariants();
	});
}

fn tree<L: codec::Encode>(leaves: &[(L, u128)]) -> merkle::Tree {
	let leaves = leaves
		.iter()
		.map(|(leaf, amount)| merkle::leaf(leaf, *amount))
		.collect();
	merkle::Tree::new(leaves).unwrap()
}

fn commit<L: codec::Encode>(leaves: &[(L, u128)]) -> Commitment {
	tree(leaves).commitment()
}

#[test]
fn a_contribution_outside_the_adapters_snapshots_should_have_no_payee() {
	use pallet_attribution::PayeeInspect;
	type Payees = <Runtime as pallet_attribution::Config>::Payees;
	let account_of = |adapter, datanet, contribution| -> Option<AccountId> {
		Payees::account_of(&Payee::Contributor {
			adapter,
			datanet,
			contribution,
		})
	};
	chain_from_preset("development").execute_with(|| {
		market();
		// Accepted after the snapshot that the adapter was trained on.
		let records = Commitment {
			root: Hash::repeat_byte(9),
			sum: 1_000,
			count: 10,
		};
		assert_ok!(Datanets::contribute(
			signed(Alice),
			DATANET,
			records,
			bytes("https://example.org/late"),
			Alice.to_account_id(),
		));
		assert_ok!(Datanets::accept(signed(COMMUNITY), DATANET, 1));
		assert_ok!(Datanets::snapshot(signed(COMMUNITY), DATANET));

		assert_eq!(
			account_of(ADAPTER, DATANET, 0),
			Some(CONTRIBUTOR.to_account_id())
		);
		assert_eq!(account_of(ADAPTER, DATANET, 1), None);
		assert_eq!(account_of(ADAPTER, DATANET + 1, 0), None);
		assert_eq!(account_of(ADAPTER + 1, DATANET, 0), None);
		check_invariants();
	});
}

#[test]
fn an_adapter_should_need_a_snapshot_that_exists() {
	chain_from_preset("development").execute_with(|| {
		market();
		let adapter = Models::adapter(ADAPTER).unwrap();
		let registration = pallet_models::AdapterRegistration {
			name: bytes("waves"),
			base: BASE,
			weights: Hash::repeat_byte(10),
			config: adapter.config,
			rank: adapter.rank,
			targets: adapter.targets,
			lineage: vec![(DATANET, 2)].try_into().unwrap(),
			manifest: adapter.manifest,
			algorithm: adapter.algorithm,
			index: adapter.index,
			uri: adapter.uri,
			rate: adapter.rate,
		};
		assert_noop!(
			Models::register_adapter(signed(BUILDER), registration),
			pallet_models::Error::<Runtime>::UnknownSnapshot
		);
	});
}

#[test]
fn a_channel_should_need_an_active_provider() {
	chain_from_preset("development").execute_with(|| {
		market();
		assert_noop!(
			Channels::open(signed(PAYER), Alice.to_account_id(), 10 * OPEN, None),
			pallet_channels::Error::<Runtime>::ProviderNotActive
		);
	});
}
