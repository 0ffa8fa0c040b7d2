//! A provider reports that its whole pot belongs to the stakers. `openledger watch` finds out from what the
//! provider's own worker publishes, the provider loses part of its bond, and with an honest report by
//! somebody else the contributors are paid.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use codec::Encode;
use openledger_client::{
	calls::{self, AdapterRegistration},
	types::{Curation, ProviderState},
	Chain, Keypair, Payload, Submitted, Wait,
};
use openledger_primitives::{
	algorithm,
	dispute::{
		audit_draw, AuditAnswer, AuditTree, Leaf, Opened, ShownPart, ShownReceipt, AUDIT_LEAVES,
	},
	merkle::Tree,
	report::{parts, parts_tree, payouts, payouts_tree, receipts_tree, Earning},
	AccountId, Attribution, Commitment, Hash, PartLeaf, Payee, PayoutLeaf, Rate, Receipt,
	ReceiptLeaf, Score, Voucher, OPEN,
};
use openledger_proto::v1::{
	receipts_server::{Receipts, ReceiptsServer},
	GetReceiptRequest, ReceiptDetail, ReportDetail, ReportPiece, ReportRequest,
};
use openledger_tests::{process::free_port, Cli, Node};
use std::time::Duration;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{async_trait, transport::Server, Request, Response, Status};

const PRICE: Rate = Rate {
	input: OPEN,
	output: OPEN,
};

/// A worker that publishes what its owner wants.
struct Liar {
	piece: ReportPiece,
}

#[async_trait]
impl Receipts for Liar {
	type PublishedStream = ReceiverStream<Result<ReportPiece, Status>>;

	async fn published(
		&self,
		_: Request<ReportRequest>,
	) -> Result<Response<Self::PublishedStream>, Status> {
		let (pieces, receiver) = tokio::sync::mpsc::channel(1);
		pieces.send(Ok(self.piece.clone())).await.unwrap();
		Ok(Response::new(ReceiverStream::new(receiver)))
	}

	async fn get(&self, _: Request<GetReceiptRequest>) -> Result<Response<ReceiptDetail>, Status> {
		Err(Status::not_found("none"))
	}

	async fn report(&self, _: Request<ReportRequest>) -> Result<Response<ReportDetail>, Status> {
		Err(Status::not_found("none"))
	}
}

async fn send(chain: &Chain, key: &str, call: impl Payload) -> Submitted {
	let key = Keypair::from_uri(key).unwrap();
	chain.submit(&call, &key, Wait::InBlock).await.unwrap()
}

fn account(key: &str) -> AccountId {
	Keypair::from_uri(key).unwrap().account()
}

/// A Datanet with one contribution of Eve's, and Ferdie's adapter that was made of it.
async fn adapter(chain: &Chain) {
	let curation = Curation::Owner;
	let datanet = calls::create_datanet("Tide tables", "CC-BY-4.0", "text/plain", curation);
	send(chain, "//Alice", datanet).await;
	let records = Commitment {
		root: Hash::repeat_byte(5),
		sum: 1_000,
		count: 10,
	};
	let contribution = calls::contribute(0, records, "https://example.org", account("//Eve"));
	send(chain, "//Eve", contribution).await;
	send(chain, "//Alice", calls::accept(0, 0)).await;
	send(chain, "//Alice", calls::snapshot(0)).await;
	let registration = AdapterRegistration {
		name: "tides".into(),
		base: 0,
		weights: Hash::repeat_byte(6),
		config: Hash::repeat_byte(7),
		rank: 8,
		targets: vec!["q_proj".into()],
		lineage: vec![(0, 1)],
		manifest: Hash::repeat_byte(8),
		algorithm: algorithm::EQUAL_1,
		index: Hash::zero(),
		uri: "https://example.org".into(),
		rate: PRICE,
	};
	send(chain, "//Ferdie", calls::register_adapter(registration)).await;
}

fn open<L: Leaf + Clone>(tree: &Tree, leaves: &[L], index: usize) -> Opened<L> {
	let number = u32::try_from(index).unwrap();
	Opened {
		index: number,
		leaf: leaves[index].clone(),
		proof: tree.proof(number).unwrap().try_into().unwrap(),
	}
}

/// Shows the leaves that an audit with `seed` draws of a report on one receipt.
fn answer(
	seed: Hash,
	of: &ShownReceipt,
	parts: &[PartLeaf],
	payouts: &[PayoutLeaf],
) -> AuditAnswer {
	let (part_tree, payout_tree) = (parts_tree(parts).unwrap(), payouts_tree(payouts).unwrap());
	let net = part_tree.commitment().sum;
	let shown = (0..AUDIT_LEAVES).map(|number| {
		let mut unit = audit_draw(seed, AuditTree::Parts, number, net).unwrap();
		// With one receipt, parts and payouts stand alike.
		let index = parts.iter().position(|part| {
			let holds = unit < part.amount;
			unit = unit.saturating_sub(part.amount);
			holds
		});
		let index = index.unwrap();
		ShownPart {
			part: open(&part_tree, parts, index),
			payout: open(&payout_tree, payouts, index),
			of: of.clone(),
		}
	});
	let receipts = vec![of.clone(); AUDIT_LEAVES as usize];
	AuditAnswer {
		parts: shown.collect::<Vec<_>>().try_into().unwrap(),
		receipts: receipts.try_into().unwrap(),
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lying_report_should_be_found_disputed_slashed_and_the_contributors_paid() {
	let folder = tempfile::tempdir().unwrap();
	let node = Node::start(folder.path()).await.unwrap();
	let chain = Chain::connect(&node.url).await.unwrap();
	let (bob, charlie) = ("//Bob", "//Charlie");
	let (provider, hot) = (account(bob), account("//Bob//hot"));
	let port = free_port().unwrap();

	let (weights, tokenizer) = (Hash::repeat_byte(1), Hash::repeat_byte(2));
	let base = calls::register_base("base", "llama", weights, tokenizer, "Apache-2.0", PRICE);
	send(&chain, "//Alice", base).await;
	adapter(&chain).await;
	let endpoint = format!("http://127.0.0.1:{port}");
	let bond = 1_000 * OPEN;
	let free = Rate::default();
	let register = calls::register_provider(hot, &endpoint, bond, vec![0], free);
	send(&chain, bob, register).await;
	send(
		&chain,
		charlie,
		calls::open_channel(provider.clone(), 10 * OPEN, None),
	)
	.await;

	// One answer of 2,000 tokens, at 2 OPEN a thousand, paid with one voucher.
	let attribution = Attribution {
		algorithm: algorithm::EQUAL_1,
		scores: vec![Score {
			datanet: 0,
			contribution: 0,
			weight: 1,
		}],
		spans: Vec::new(),
	};
	let receipt = Receipt {
		genesis: chain.genesis(),
		channel: 0,
		generation: 0,
		lane: 0,
		sequence: 0,
		base: 0,
		adapter: Some(0),
		tokens_in: 1_000,
		tokens_out: 1_000,
		quote: 1,
		compute: 0,
		licence: 4 * OPEN,
		request: Hash::repeat_byte(3),
		response: Hash::repeat_byte(4),
		algorithm: algorithm::EQUAL_1,
		index: Hash::zero(),
		attribution: attribution.digest(),
	};
	let voucher = Voucher {
		genesis: chain.genesis(),
		channel: 0,
		generation: 0,
		lane: 0,
		amount: 4 * OPEN,
		licence: 4 * OPEN,
		tokens: 2_000,
		receipts: openledger_primitives::voucher::acknowledge(Hash::zero(), receipt.digest()),
		quote: 1,
		valid_until: chain.best_number().await.unwrap() + 40,
	};
	let voucher = Keypair::from_uri(charlie).unwrap().sign_voucher(voucher);
	send(&chain, bob, calls::redeem(vec![voucher])).await;
	let mut redeemed = None;
	for epoch in 0..=chain.epoch().await.unwrap().index {
		let pot = chain.pot(&provider, epoch).await.unwrap();
		redeemed = redeemed.or(pot.map(|pot| (epoch, pot)));
	}
	let (epoch, pot) = redeemed.expect("the voucher was redeemed");
	assert_eq!(pot.licence, 4 * OPEN);
	while chain.epoch().await.unwrap().index <= epoch {
		tokio::time::sleep(Duration::from_secs(1)).await;
	}

	// The stakers' share is a tenth; the rest belongs to the owners of data, adapter and base.
	let receipts = [ReceiptLeaf {
		receipt: receipt.digest(),
		paid: pot.licence,
	}];
	let lie = [PartLeaf {
		payee: Payee::Stakers,
		receipt: 0,
		amount: pot.net,
	}];
	let lied = [PayoutLeaf {
		payee: Payee::Stakers,
		amount: pot.net,
	}];
	let piece = ReportPiece {
		receipt_leaves: receipts.iter().map(Encode::encode).collect(),
		part_leaves: lie.iter().map(Encode::encode).collect(),
		payout_leaves: lied.iter().map(Encode::encode).collect(),
		receipts: vec![receipt.encode()],
		attributions: vec![attribution.encode()],
	};
	let served = Server::builder()
		.add_service(ReceiptsServer::new(Liar { piece }))
		.serve(([127, 0, 0, 1], port).into());
	let served = tokio::spawn(served);
	let report = calls::report(
		epoch,
		receipts_tree(&receipts).unwrap().commitment(),
		parts_tree(&lie).unwrap().commitment(),
		payouts_tree(&lied).unwrap().commitment(),
	);
	let key = Keypair::from_uri(bob).unwrap();
	chain.submit(&report, &key, Wait::Finalized).await.unwrap();

	let dave = Cli::new(&node.url, &folder.path().join("home"), "//Dave");
	let found = dave.run(&["watch", "--once"]).unwrap();
	assert_eq!(found["verdict"], "wrong", "{found}");
	assert!(found["dispute"].is_object(), "{found}");

	let punished = chain.provider(&provider).await.unwrap().unwrap();
	assert!(punished.bond < bond, "the bond was slashed");
	assert!(matches!(punished.state, ProviderState::Jailed { .. }));
	assert!(chain.report(&provider, epoch).await.unwrap().is_none());
	let reward = chain.credit(&account("//Dave")).await.unwrap();
	assert_eq!(reward, (bond - punished.bond) / 2, "half of it");
	served.abort();

	// The payer has the receipt, so it can report what the provider should have.
	let earning = Earning {
		paid: pot.licence,
		base: Some(0),
		adapter: Some((0, vec![(0, 0, 1)])),
	};
	let terms = chain.terms(pot.terms).await.unwrap().unwrap();
	let parts = parts(pot.licence, pot.net, &[earning], &terms).unwrap();
	let payouts = payouts(&parts).unwrap();
	let tree = payouts_tree(&payouts).unwrap();
	let honest = calls::report_for(
		provider.clone(),
		epoch,
		receipts_tree(&receipts).unwrap().commitment(),
		parts_tree(&parts).unwrap().commitment(),
		tree.commitment(),
	);
	let on_hold = async || chain.balance(&account(charlie)).await.unwrap().reserved;
	let before = on_hold().await;
	send(&chain, charlie, honest).await;
	let report = chain.report(&provider, epoch).await.unwrap().unwrap();
	assert_eq!(report.reporter, account(charlie));
	let deposit = on_hold().await - before;
	assert!(deposit >= pot.net, "as much as a lie could take");
	while chain.best_number().await.unwrap() < report.open_at {
		tokio::time::sleep(Duration::from_secs(1)).await;
	}
	let report = chain.report(&provider, epoch).await.unwrap().unwrap();
	if let Some(audit) = report.audit {
		let of = ShownReceipt {
			leaf: open(&receipts_tree(&receipts).unwrap(), &receipts, 0),
			receipt: Some(receipt.clone()),
		};
		let answer = answer(audit.seed, &of, &parts, &payouts);
		let answer = calls::answer_audit(provider.clone(), epoch, answer);
		send(&chain, charlie, answer).await;
	}
	let count = u32::try_from(payouts.len()).unwrap();
	let proof = tree.range_proof(0, count).unwrap();
	let settle = calls::settle(provider.clone(), epoch, payouts.clone(), proof);
	send(&chain, "//Alice", settle).await;
	let report = chain.report(&provider, epoch).await.unwrap().unwrap();
	assert_eq!((report.paid, report.settled), (pot.net, count));
	assert_eq!(on_hold().await, before, "the deposit is given back");

	let due = |payee| {
		let leaf = payouts.iter().find(|leaf| leaf.payee == payee).unwrap();
		leaf.amount
	};
	let data = due(Payee::Contributor {
		adapter: 0,
		datanet: 0,
		contribution: 0,
	});
	assert!(data >= pot.net / 2, "the data share is the largest");
	for (key, amount) in [
		("//Eve", data),
		("//Ferdie", due(Payee::AdapterOwner(0))),
		("//Alice", due(Payee::BaseOwner(0))),
	] {
		assert_eq!(chain.credit(&account(key)).await.unwrap(), amount, "{key}");
		let before = chain.balance(&account(key)).await.unwrap().free;
		send(&chain, "//Dave", calls::claim(account(key))).await;
		let after = chain.balance(&account(key)).await.unwrap().free;
		assert_eq!(after, before + amount, "{key}");
	}
}
