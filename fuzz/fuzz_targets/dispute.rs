//! Disputes and answers to audits. Whatever the bytes, an honest report cannot be proven wrong.

#![no_main]

use codec::Decode;
use libfuzzer_sys::fuzz_target;
use openledger_primitives::{
	algorithm,
	dispute::{AdapterFact, AuditAnswer, ChainFacts, ChannelFact, Dispute, ReportFacts, Source},
	report::{parts, parts_tree, payouts, payouts_tree, receipts_tree, Earning},
	voucher::acknowledge,
	AccountId, AdapterId, BaseModelId, ChannelId, Commitment, ContributionId, DatanetId,
	EpochIndex, Generation, Hash, Lane, Payee, Rate, Receipt, ReceiptLeaf, Terms,
};
use std::sync::LazyLock;

const RATE: Rate = Rate {
	input: 3_000,
	output: 7_000,
};

/// A chain on which everything that the report names is there.
struct Chain;

fn provider() -> AccountId {
	AccountId::new([9; 32])
}

impl ChainFacts for Chain {
	fn genesis(&self) -> Hash {
		Hash::repeat_byte(1)
	}
	fn channel(&self, channel: ChannelId) -> ChannelFact {
		match channel {
			0..4 => ChannelFact::Open {
				provider: provider(),
			},
			_ => ChannelFact::NeverOpened,
		}
	}
	fn source(
		&self,
		_: &AccountId,
		_: EpochIndex,
		channel: ChannelId,
		generation: Generation,
		lane: Lane,
	) -> Option<Source> {
		let is_used = (generation, lane) == (0, 0);
		Some(is_used.then(|| earned(channel)).unwrap_or_default())
	}
	fn base_rate(&self, base: BaseModelId) -> Option<Rate> {
		(base == 0).then_some(RATE)
	}
	fn adapter(&self, adapter: AdapterId) -> Option<AdapterFact> {
		(adapter == 2).then_some(AdapterFact {
			base: 0,
			rate: RATE,
			algorithm: algorithm::SPAN_SA_1,
			index: Hash::repeat_byte(3),
		})
	}
	fn is_payable(&self, payee: &Payee) -> bool {
		match payee {
			Payee::BaseOwner(base) => *base == 0,
			Payee::AdapterOwner(adapter) => *adapter == 2,
			Payee::Contributor {
				adapter, datanet, ..
			} => (*adapter, *datanet) == (2, 1),
			Payee::Stakers | Payee::Treasury => true,
		}
	}
	fn records(&self, _: DatanetId, _: ContributionId) -> Option<Commitment> {
		None
	}
	fn reported(&self, _: &AccountId, _: EpochIndex) -> Option<(AccountId, Commitment)> {
		None
	}
}

/// What the first lane of a channel earned: the price of its receipts, all acknowledged.
fn earned(channel: ChannelId) -> Source {
	let receipts = RECEIPTS.iter().filter(|receipt| receipt.channel == channel);
	receipts.fold(Source::default(), |source, receipt| Source {
		licence: source.licence + receipt.licence,
		total: source.total + receipt.licence,
		receipts: acknowledge(source.receipts, receipt.digest()),
	})
}

/// Five receipts, three on one channel and two on another, two of them of the bare base model.
static RECEIPTS: LazyLock<Vec<Receipt>> = LazyLock::new(|| {
	(0..5u32)
		.map(|at| {
			let adapter = (at % 3 != 0).then_some(2);
			let mut licence = RATE;
			if adapter.is_some() {
				licence = licence.checked_add(&RATE).unwrap();
			}
			let (tokens_in, tokens_out) = (100 + at, 50 * at);
			Receipt {
				genesis: Hash::repeat_byte(1),
				channel: u64::from(at / 3),
				generation: 0,
				lane: 0,
				sequence: at % 3,
				base: 0,
				adapter,
				tokens_in,
				tokens_out,
				quote: 1,
				compute: 0,
				licence: licence.charge(tokens_in, tokens_out).unwrap(),
				request: Hash::repeat_byte(6),
				response: Hash::repeat_byte(7),
				algorithm: match adapter {
					Some(_) => algorithm::SPAN_SA_1,
					None => algorithm::EQUAL_1,
				},
				index: match adapter {
					Some(_) => Hash::repeat_byte(3),
					None => Hash::zero(),
				},
				attribution: Hash::repeat_byte(8),
			}
		})
		.collect()
});

/// The report of those receipts.
static HONEST: LazyLock<ReportFacts> = LazyLock::new(|| {
	let receipts = &*RECEIPTS;
	let leaves: Vec<ReceiptLeaf> = receipts
		.iter()
		.map(|receipt| ReceiptLeaf {
			receipt: receipt.digest(),
			paid: receipt.licence,
		})
		.collect();
	let earnings: Vec<Earning> = receipts
		.iter()
		.map(|receipt| Earning {
			paid: receipt.licence,
			base: Some(0),
			adapter: receipt
				.adapter
				.map(|adapter| (adapter, vec![(1, 0, 5), (1, 4, 11)])),
		})
		.collect();
	let licence = earnings.iter().map(|earning| earning.paid).sum::<u128>();
	let terms = Terms::default();
	let parts = parts(licence, licence / 20 * 19, &earnings, &terms).unwrap();
	let payouts = payouts(&parts).unwrap();
	ReportFacts {
		provider: provider(),
		epoch: 3,
		reporter: provider(),
		receipts: receipts_tree(&leaves).unwrap().commitment(),
		parts: parts_tree(&parts).unwrap().commitment(),
		payouts: payouts_tree(&payouts).unwrap().commitment(),
		terms,
	}
});

fuzz_target!(|input: &[u8]| {
	if let Ok(dispute) = Dispute::decode(&mut &input[..]) {
		assert!(dispute.check(&HONEST, &Chain).is_err());
		// The commitments may be a stranger's as well.
		let rest = input.get(1..).unwrap_or_default();
		if let Ok((receipts, parts, payouts)) =
			<(Commitment, Commitment, Commitment)>::decode(&mut &rest[..])
		{
			let stranger = ReportFacts {
				receipts,
				parts,
				payouts,
				..HONEST.clone()
			};
			let _ = dispute.check(&stranger, &Chain);
		}
	}
	if let Ok(answer) = AuditAnswer::decode(&mut &input[..]) {
		let _ = answer.check(Hash::repeat_byte(4), &HONEST, &Chain);
	}
});
