//! What happens to a provider that cheats, through the whole runtime.
#![allow(clippy::unwrap_used)]

mod common;

use common::{chain_from_preset, check_invariants};
use frame_support::{assert_noop, assert_ok, traits::Hooks};
use openledger_primitives::{
	algorithm,
	dispute::{
		audit_draw, AuditAnswer, AuditTree, Dispute, Leaf, Opened, ShownPart, ShownReceipt,
		AUDIT_LEAVES,
	},
	merkle::Tree,
	report::{parts, payouts, Earning},
	voucher::acknowledge,
	Commitment, Hash, PartLeaf, Payee, PayoutLeaf, Rate, Receipt, ReceiptLeaf, SignedVoucher,
	Terms, Voucher, PARTS,
};
use openledger_runtime::{
	currency::*, parameters::governed::attribution, Attribution, Balances, Channels, Datanets,
	Governance, Models, Providers, Runtime, RuntimeOrigin, RuntimeParameters, System,
};
use pallet_datanets::Curation;
use sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie, Dave, Eve, Ferdie, FerdieStash};

const CONTRIBUTOR: Sr25519Keyring = Bob;
const BASE_OWNER: Sr25519Keyring = Charlie;
const BUILDER: Sr25519Keyring = Dave;
const PROVIDER: Sr25519Keyring = Eve;
const HOT_KEY: Sr25519Keyring = FerdieStash;
const PAYER: Sr25519Keyring = Ferdie;
const WATCHER: Sr25519Keyring = Alice;
const FRIEND: Sr25519Keyring = Sr25519Keyring::AliceStash;
/// What a friend paid, in a test where there is one.
const FRIENDS: u128 = OPEN / 1_000;
/// What the payer paid in licence money, and what is left of it after the cut.
const LICENCE: u128 = OPEN;
const NET: u128 = OPEN / 100 * 95;

fn signed(key: Sr25519Keyring) -> RuntimeOrigin {
	RuntimeOrigin::signed(key.to_account_id())
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

/// 500 tokens of adapter 0 on channel 0, at 2 OPEN per 1,000.
fn receipt() -> Receipt {
	Receipt {
		genesis: System::block_hash(0),
		channel: 0,
		generation: 0,
		lane: 0,
		sequence: 0,
		base: 0,
		adapter: Some(0),
		tokens_in: 100,
		tokens_out: 400,
		quote: 1,
		compute: 0,
		licence: LICENCE,
		request: Hash::repeat_byte(8),
		response: Hash::repeat_byte(9),
		algorithm: algorithm::SPAN_SA_1,
		index: Hash::repeat_byte(7),
		attribution: Hash::repeat_byte(10),
	}
}

/// A market in which the provider has redeemed one voucher for one answer, in an epoch that is over.
/// Every report is audited.
fn market() {
	market_with(false);
}

/// The same; with `friend`, a friend of the provider has paid it [`FRIENDS`] on channel 1.
fn market_with(friend: bool) {
	go_to_block(1);
	let every = attribution::Parameters::AuditRate(attribution::AuditRate, Some(PARTS));
	assert_ok!(Governance::set(
		RuntimeOrigin::root(),
		RuntimeParameters::Attribution(every)
	));
	assert_ok!(Datanets::create(
		signed(WATCHER),
		bytes("Tide tables"),
		bytes("CC-BY-4.0"),
		bytes("text/plain"),
		Curation::Owner,
	));
	assert_ok!(Datanets::contribute(
		signed(CONTRIBUTOR),
		0,
		Commitment {
			root: Hash::repeat_byte(1),
			sum: 1_000,
			count: 10,
		},
		bytes("https://example.org/tides"),
		CONTRIBUTOR.to_account_id(),
	));
	assert_ok!(Datanets::accept(signed(WATCHER), 0, 0));
	assert_ok!(Datanets::snapshot(signed(WATCHER), 0));
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
			base: 0,
			weights: Hash::repeat_byte(4),
			config: Hash::repeat_byte(5),
			rank: 8,
			targets: vec![bytes("q_proj")].try_into().unwrap(),
			lineage: vec![(0, 1)].try_into().unwrap(),
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
		vec![0].try_into().unwrap(),
		rate,
	));
	let provider = PROVIDER.to_account_id();
	assert_ok!(Channels::open(
		signed(PAYER),
		provider.clone(),
		10 * OPEN,
		None
	));
	let voucher = Voucher {
		genesis: System::block_hash(0),
		channel: 0,
		generation: 0,
		lane: 0,
		amount: LICENCE,
		licence: LICENCE,
		tokens: 500,
		receipts: acknowledge(Hash::zero(), receipt().digest()),
		quote: 1,
		valid_until: System::block_number() + 10,
	};
	let signature = PAYER.sign(voucher.digest().as_bytes()).into();
	let mut vouchers = vec![SignedVoucher { voucher, signature }];
	if friend {
		assert_ok!(Channels::open(signed(FRIEND), provider.clone(), OPEN, None));
		let voucher = Voucher {
			genesis: System::block_hash(0),
			channel: 1,
			generation: 0,
			lane: 0,
			amount: FRIENDS,
			licence: FRIENDS,
			tokens: 1,
			receipts: Hash::repeat_byte(0x12),
			quote: 1,
			valid_until: System::block_number() + 10,
		};
		let signature = FRIEND.sign(voucher.digest().as_bytes()).into();
		vouchers.push(SignedVoucher { voucher, signature });
	}
	assert_ok!(Channels::redeem(
		signed(HOT_KEY),
		vouchers.try_into().unwrap()
	));
	let epoch = Attribution::epoch();
	go_to_block(epoch.start + epoch.length);
	let pot = Attribution::pot(provider, 0).unwrap();
	let friends = if friend { FRIENDS } else { 0 };
	assert_eq!(
		(pot.licence, pot.net),
		(LICENCE + friends, NET + friends / 100 * 95)
	);
}

/// A report of that epoch.
struct Book {
	receipt: Receipt,
	parts: Vec<PartLeaf>,
	payouts: Vec<PayoutLeaf>,
}

impl Book {
	fn honest() -> Self {
		let earning = Earning {
			paid: LICENCE,
			base: Some(0),
			adapter: Some((0, vec![(0, 0, 1)])),
		};
		let parts = parts(LICENCE, NET, &[earning], &Terms::default()).unwrap();
		Self {
			receipt: receipt(),
			payouts: payouts(&parts).unwrap(),
			parts,
		}
	}

	fn leaf(&self) -> ReceiptLeaf {
		ReceiptLeaf {
			receipt: self.receipt.digest(),
			paid: LICENCE,
		}
	}

	fn commitments(&self) -> [Commitment; 3] {
		[
			tree(&[self.leaf()]).commitment(),
			tree(&self.parts).commitment(),
			tree(&self.payouts).commitment(),
		]
	}

	fn report(&self) {
		let [receipts, parts, payouts] = self.commitments();
		assert_ok!(Attribution::report(
			signed(HOT_KEY),
			0,
			receipts,
			parts,
			payouts
		));
	}

	fn wrong_part(&self, index: usize) -> Dispute {
		Dispute::WrongPart {
			part: open(&self.parts, index),
			leaf: open(&[self.leaf()], 0),
			receipt: Some(self.receipt.clone()),
		}
	}

	fn answer(&self) -> AuditAnswer {
		let report = Attribution::report_of(PROVIDER.to_account_id(), 0).unwrap();
		let seed = report.audit.unwrap().seed;
		let of = || ShownReceipt {
			leaf: open(&[self.leaf()], 0),
			receipt: Some(self.receipt.clone()),
		};
		let shown = (0..AUDIT_LEAVES).map(|number| {
			let mut unit = audit_draw(seed, AuditTree::Parts, number, NET).unwrap();
			// One receipt: parts and payouts stand alike.
			let holds = |part: &PartLeaf| {
				let found = unit < part.amount;
				unit = unit.saturating_sub(part.amount);
				found
			};
			let index = self.parts.iter().position(holds).unwrap();
			ShownPart {
				part: open(&self.parts, index),
				payout: open(&self.payouts, index),
				of: of(),
			}
		});
		AuditAnswer {
			receipts: vec![of(); AUDIT_LEAVES as usize].try_into().unwrap(),
			parts: shown.collect::<Vec<_>>().try_into().unwrap(),
		}
	}

	fn settle(&self) {
		let count = self.payouts.len() as u32;
		assert_ok!(Attribution::settle(
			signed(WATCHER),
			PROVIDER.to_account_id(),
			0,
			self.payouts.clone().try_into().unwrap(),
			tree(&self.payouts)
				.range_proof(0, count)
				.unwrap()
				.try_into()
				.unwrap(),
		));
	}
}

fn tree<L: Leaf>(leaves: &[L]) -> Tree {
	Tree::new(leaves.iter().map(Leaf::node).collect()).unwrap()
}

fn open<L: Leaf + Clone>(leaves: &[L], index: usize) -> Opened<L> {
	Opened {
		index: index as u32,
		leaf: leaves[index].clone(),
		proof: tree(leaves)
			.proof(index as u32)
			.unwrap()
			.try_into()
			.unwrap(),
	}
}

fn dispute(dispute: Dispute) -> sp_runtime::DispatchResult {
	let provider = PROVIDER.to_account_id();
	Attribution::dispute(signed(WATCHER), provider, 0, Box::new(dispute))
		.map(|_| ())
		.map_err(|error| error.error)
}

#[test]
fn a_provider_that_cheats_should_lose_of_its_bond_and_contributors_be_paid() {
	chain_from_preset("development").execute_with(|| {
		market();
		let provider = PROVIDER.to_account_id();
		assert_eq!(Attribution::at_risk(&provider), NET);
		// All to the adapter's owner, who is its friend.
		let part = PartLeaf {
			payee: Payee::AdapterOwner(0),
			receipt: 0,
			amount: NET,
		};
		let stolen = Book {
			receipt: receipt(),
			parts: vec![part],
			payouts: payouts(&[part]).unwrap(),
		};
		stolen.report();
		let issuance = Balances::total_issuance();
		assert_ok!(dispute(stolen.wrong_part(0)));
		assert_eq!(Providers::bond_of(&provider), 90 * OPEN);
		assert!(!Providers::is_active(&provider));
		assert_eq!(Attribution::credit(WATCHER.to_account_id()), 5 * OPEN);
		assert_eq!(issuance - Balances::total_issuance(), 5 * OPEN);

		// The watcher reports what was, for everybody whose money it is.
		let right = Book::honest();
		let [receipts, parts, payouts] = right.commitments();
		assert_ok!(Attribution::report_for(
			signed(WATCHER),
			provider.clone(),
			0,
			receipts,
			parts,
			payouts
		));
		go_to_block(System::block_number() + 6);
		assert_ok!(Attribution::answer_audit(
			signed(WATCHER),
			provider.clone(),
			0,
			Box::new(right.answer())
		));
		go_to_block(Attribution::report_of(provider.clone(), 0).unwrap().open_at);
		right.settle();
		assert_eq!(Attribution::credit(CONTRIBUTOR.to_account_id()), NET / 2);
		assert_eq!(Attribution::at_risk(&provider), 0);
		check_invariants();
	});
}

#[test]
fn an_honest_report_should_pass_its_audit_and_no_dispute_should_remove_it() {
	chain_from_preset("development").execute_with(|| {
		market();
		let book = Book::honest();
		book.report();
		let holds: sp_runtime::DispatchError =
			pallet_attribution::Error::<Runtime>::ReportHolds.into();
		for index in 0..book.parts.len() {
			assert_noop!(dispute(book.wrong_part(index)), holds);
			let payout = open(&book.payouts, index);
			assert_noop!(dispute(Dispute::UnknownPayee { payout }), holds);
		}
		let (leaf, receipt) = (open(&[book.leaf()], 0), book.receipt.clone());
		for kind in [
			Dispute::WrongReceipt {
				leaf: leaf.clone(),
				receipt: receipt.clone(),
			},
			Dispute::NotAcknowledged {
				leaf: leaf.clone(),
				receipt: receipt.clone(),
				acknowledged: vec![receipt.digest()].try_into().unwrap(),
			},
			Dispute::NotRedeemed {
				leaf: leaf.clone(),
				receipt: receipt.clone(),
				acknowledged: vec![receipt.clone()].try_into().unwrap(),
			},
			lane_exceeded(leaf, receipt),
		] {
			assert_noop!(dispute(kind), holds);
		}
		go_to_block(System::block_number() + 6);
		let provider = PROVIDER.to_account_id();
		let answer = Box::new(book.answer());
		assert_ok!(Attribution::answer_audit(
			signed(HOT_KEY),
			provider.clone(),
			0,
			answer
		));
		go_to_block(Attribution::report_of(provider, 0).unwrap().open_at);
		book.settle();
		check_invariants();
	});
}

#[test]
fn receipts_that_the_payer_did_not_acknowledge_should_not_get_its_money() {
	type Change = fn(&mut Receipt);
	let changes: [Change; 6] = [
		// Another answer in the place of the one that was paid, or beside it.
		|receipt| receipt.response = Hash::zero(),
		|receipt| receipt.sequence = 1,
		|receipt| receipt.sequence = 2,
		// One of a lane or a generation that nobody used.
		|receipt| receipt.lane = 7,
		|receipt| receipt.lane = 60_000,
		|receipt| receipt.generation = 1,
	];
	for change in changes {
		chain_from_preset("development").execute_with(|| {
			market();
			let mut forged = Book::honest();
			change(&mut forged.receipt);
			forged.report();
			let (leaf, given) = (open(&[forged.leaf()], 0), forged.receipt.clone());
			let not_acknowledged = Dispute::NotAcknowledged {
				leaf: leaf.clone(),
				receipt: given.clone(),
				acknowledged: vec![receipt().digest()].try_into().unwrap(),
			};
			let not_redeemed = Dispute::NotRedeemed {
				leaf: leaf.clone(),
				receipt: given.clone(),
				acknowledged: vec![receipt()].try_into().unwrap(),
			};
			let removed = dispute(not_acknowledged)
				.or_else(|_| dispute(not_redeemed))
				.or_else(|_| dispute(lane_exceeded(leaf, given)));
			assert_ok!(removed);
			let report = Attribution::report_of(PROVIDER.to_account_id(), 0);
			assert_eq!(report, None);
			check_invariants();
		});
	}
}

fn lane_exceeded(leaf: Opened<ReceiptLeaf>, receipt: Receipt) -> Dispute {
	Dispute::LaneExceeded {
		first: leaf.clone(),
		first_receipt: receipt.clone(),
		last: leaf,
		last_receipt: receipt,
	}
}

#[test]
fn a_pot_should_not_be_paid_to_receipts_of_a_lane_that_did_not_earn_it() {
	for is_closed in [false, true] {
		chain_from_preset("development").execute_with(|| {
			market_with(true);
			let provider = PROVIDER.to_account_id();
			let pot = Attribution::pot(provider.clone(), 0).unwrap();
			if is_closed {
				assert_ok!(Channels::thaw(signed(FRIEND), 1));
				go_to_block(System::block_number() + 14_400 * 2);
				assert_ok!(Channels::close(signed(FRIEND), 1));
			}
			// An answer that nobody asked for, of a base model that is the provider's, for all there is.
			let receipt = Receipt {
				channel: 1,
				adapter: None,
				tokens_in: 0,
				tokens_out: 1_001,
				licence: pot.licence,
				algorithm: algorithm::EQUAL_1,
				index: Hash::zero(),
				..receipt()
			};
			let leaf = ReceiptLeaf {
				receipt: receipt.digest(),
				paid: pot.licence,
			};
			let earning = Earning {
				paid: pot.licence,
				base: Some(0),
				adapter: None,
			};
			let parts = parts(pot.licence, pot.net, &[earning], &Terms::default()).unwrap();
			let payouts = payouts(&parts).unwrap();
			assert_ok!(Attribution::report(
				signed(HOT_KEY),
				0,
				tree(&[leaf]).commitment(),
				tree(&parts).commitment(),
				tree(&payouts).commitment(),
			));
			let opened = open(&[leaf], 0);
			let holds = pallet_attribution::Error::<Runtime>::ReportHolds;
			let wrong = Dispute::WrongReceipt {
				leaf: opened.clone(),
				receipt: receipt.clone(),
			};
			assert_noop!(dispute(wrong), holds);
			assert_ok!(dispute(lane_exceeded(opened, receipt)));
			assert_eq!(Attribution::report_of(provider, 0), None);
			check_invariants();
		});
	}
}

#[test]
fn a_bond_should_stay_until_what_it_answers_for_is_settled() {
	chain_from_preset("development").execute_with(|| {
		market();
		assert_ok!(Providers::leave(signed(PROVIDER)));
		go_to_block(System::block_number() + 14_400 * 7);
		assert_noop!(
			Providers::withdraw_bond(signed(PROVIDER)),
			pallet_providers::Error::<Runtime>::BondAtRisk
		);
		// Nobody reported in all that time.
		assert_ok!(Attribution::forfeit(
			signed(WATCHER),
			PROVIDER.to_account_id(),
			0
		));
		// Jailed for what it did not report; then its bond is free.
		go_to_block(System::block_number() + 14_400);
		assert_ok!(Providers::withdraw_bond(signed(PROVIDER)));
		check_invariants();
	});
}
