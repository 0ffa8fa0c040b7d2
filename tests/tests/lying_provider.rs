//! A provider reports that its whole pot belongs to the stakers. `openledger watch` finds out from what the
//! provider's own worker publishes, and the provider loses part of its bond.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use codec::Encode;
use openledger_client::{calls, types::ProviderState, Chain, Keypair, Payload, Wait};
use openledger_primitives::{
	algorithm,
	report::{parts_tree, payouts_tree, receipts_tree},
	Attribution, Hash, PartLeaf, Payee, PayoutLeaf, Rate, Receipt, ReceiptLeaf, Voucher, OPEN,
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

async fn send(chain: &Chain, key: &str, call: impl Payload) {
	let key = Keypair::from_uri(key).unwrap();
	chain.submit(&call, &key, Wait::InBlock).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lying_report_should_be_found_disputed_and_slashed() {
	let folder = tempfile::tempdir().unwrap();
	let node = Node::start(folder.path()).await.unwrap();
	let chain = Chain::connect(&node.url).await.unwrap();
	let (bob, charlie) = ("//Bob", "//Charlie");
	let provider = Keypair::from_uri(bob).unwrap().account();
	let hot = Keypair::from_uri("//Bob//hot").unwrap().account();
	let port = free_port().unwrap();

	let (weights, tokenizer) = (Hash::repeat_byte(1), Hash::repeat_byte(2));
	let base = calls::register_base("base", "llama", weights, tokenizer, "Apache-2.0", PRICE);
	send(&chain, "//Alice", base).await;
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

	// One answer of 2,000 tokens, paid with one voucher.
	let attribution = Attribution::default();
	let receipt = Receipt {
		genesis: chain.genesis(),
		channel: 0,
		generation: 0,
		lane: 0,
		sequence: 0,
		base: 0,
		adapter: None,
		tokens_in: 1_000,
		tokens_out: 1_000,
		quote: 1,
		compute: 0,
		licence: 2 * OPEN,
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
		amount: 2 * OPEN,
		licence: 2 * OPEN,
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
	assert_eq!(pot.licence, 2 * OPEN);
	while chain.epoch().await.unwrap().index <= epoch {
		tokio::time::sleep(Duration::from_secs(1)).await;
	}

	// The stakers' share is a tenth; the base model's owner should have the rest.
	let receipts = [ReceiptLeaf {
		receipt: receipt.digest(),
		paid: pot.licence,
	}];
	let parts = [PartLeaf {
		payee: Payee::Stakers,
		receipt: 0,
		amount: pot.net,
	}];
	let payouts = [PayoutLeaf {
		payee: Payee::Stakers,
		amount: pot.net,
	}];
	let piece = ReportPiece {
		receipt_leaves: receipts.iter().map(Encode::encode).collect(),
		part_leaves: parts.iter().map(Encode::encode).collect(),
		payout_leaves: payouts.iter().map(Encode::encode).collect(),
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
		parts_tree(&parts).unwrap().commitment(),
		payouts_tree(&payouts).unwrap().commitment(),
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
	let watcher = Keypair::from_uri("//Dave").unwrap().account();
	let reward = chain.credit(&watcher).await.unwrap();
	assert_eq!(reward, (bond - punished.bond) / 2, "half of it");
	served.abort();
}
