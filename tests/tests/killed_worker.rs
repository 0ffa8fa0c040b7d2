//! `kill -9` of the worker in the middle of eight paid streams: no acknowledged token goes unpaid and
//! none is paid twice.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use futures::{future::join_all, StreamExt};
use openledger_cli::gateway::journal::Journal;
use openledger_client::{Chain, Keypair};
use openledger_primitives::Hash;
use openledger_tests::service::{Service, BASE};
use serde_json::{json, Value};
use std::{
	sync::atomic::{AtomicUsize, Ordering},
	time::Duration,
};

/// Tokens that may be served ahead of payment.
const CHUNK: u64 = 32;

/// What came of one streamed answer.
struct Heard {
	text: String,
	/// Whether the stream ended as it should.
	complete: bool,
	/// The error it named, if it did not.
	error: Option<String>,
}

/// Asks for a long answer and counts the pieces as they come into `pieces`.
async fn stream(gateway: &str, question: String, max_tokens: u32, pieces: &AtomicUsize) -> Heard {
	let body = json!({
		"model": BASE,
		"messages": [{ "role": "user", "content": question }],
		"max_tokens": max_tokens,
		"temperature": 0,
		"stream": true,
	});
	let answer = reqwest::Client::new()
		.post(format!("{gateway}/v1/chat/completions"))
		.json(&body)
		.send()
		.await
		.unwrap();
	let status = answer.status();
	let mut heard = Heard {
		text: String::new(),
		complete: false,
		error: None,
	};
	let mut buffer = String::new();
	let mut bytes = answer.bytes_stream();
	while let Some(Ok(part)) = bytes.next().await {
		buffer.push_str(&String::from_utf8_lossy(&part));
		while let Some((event, rest)) = buffer.split_once("\n\n") {
			if let Some(data) = event.strip_prefix("data: ") {
				if data == "[DONE]" {
					heard.complete = heard.error.is_none();
				} else {
					let event: Value = serde_json::from_str(data).unwrap();
					if let Some(text) = event["choices"][0]["delta"]["content"].as_str() {
						heard.text.push_str(text);
						pieces.fetch_add(1, Ordering::Relaxed);
					}
					if let Some(code) = event["error"]["code"].as_str() {
						heard.error = Some(code.to_owned());
					}
				}
			}
			buffer = rest.to_owned();
		}
	}
	assert!(status.is_success(), "{status}: {buffer}");
	heard
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_should_be_paid_for_every_acknowledged_token_once() {
	let folder = tempfile::tempdir().unwrap();
	let mut service = Service::start(folder.path()).await.unwrap();
	let gateway = service.gateway.clone();
	let chain = Chain::connect(&service.node.url).await.unwrap();
	let provider = Keypair::from_uri("//Bob").unwrap().account();
	let genesis = service.payer.run(&["network"]).unwrap()["genesis"].clone();

	// Eight long answers; the worker dies when all of them have been under way for a while.
	let pieces: Vec<AtomicUsize> = (0..8).map(|_| AtomicUsize::new(0)).collect();
	let asking = join_all((0..8).map(|i| {
		let question = format!("Write a long story about the number {i}.");
		stream(&gateway, question, 300, &pieces[i])
	}));
	let killing = async {
		while pieces
			.iter()
			.any(|count| count.load(Ordering::Relaxed) < 40)
		{
			tokio::time::sleep(Duration::from_millis(20)).await;
		}
		service.kill_worker().unwrap();
	};
	let (broken, ()) = tokio::time::timeout(Duration::from_secs(180), async {
		tokio::join!(asking, killing)
	})
	.await
	.unwrap();
	assert!(broken.iter().all(|heard| !heard.text.is_empty()));
	assert!(
		broken
			.iter()
			.all(|heard| !heard.complete && heard.error.is_some()),
		"every broken stream names an error"
	);

	// It comes back on what is on its disk, and serves on.
	service.restart_worker().await.unwrap();
	let more: Vec<AtomicUsize> = (0..8).map(|_| AtomicUsize::new(0)).collect();
	let answers = join_all((0..8).map(|i| {
		let question = format!("What is {i} plus one? Answer in one sentence.");
		stream(&gateway, question, 32, &more[i])
	}))
	.await;
	assert!(answers
		.iter()
		.all(|heard| heard.complete && !heard.text.is_empty()));

	let channel = service.redeemed().await.unwrap();
	let seen = chain.last_heartbeat(&provider).await.unwrap();
	assert!(seen.is_some(), "the worker shows the chain that it runs");
	service.gateway_process.kill().unwrap();

	// What the payer signed, and what both had agreed on, lane by lane, against what the chain paid.
	let genesis: Hash = serde_json::from_value(genesis).unwrap();
	let journal = Journal::open(&service.home.join("gateway"), genesis).unwrap();
	let signed = journal.lanes(0, 0).unwrap();
	let paid = channel["lanes"].as_array().unwrap();
	assert!(signed.len() >= 8);
	let mut tokens_paid = 0;
	for (lane, record) in &signed {
		let state = paid
			.iter()
			.find(|entry| entry["lane"] == json!(lane))
			.map(|e| &e["state"]);
		let amount: u128 = state.map_or(0, |s| s["amount"].as_str().unwrap().parse().unwrap());
		assert!(
			amount >= record.settled.amount,
			"lane {lane}: an acknowledged token is unpaid"
		);
		assert!(
			amount <= record.signed.amount,
			"lane {lane}: more was paid than was signed"
		);
		tokens_paid += state.map_or(0, |s| s["tokens"].as_u64().unwrap());
	}
	assert!(
		paid.len() <= signed.len(),
		"nothing is paid on a lane that nobody signed for"
	);

	// Tokens heard bound the tokens paid: a piece is a token, except for the few that end in the
	// middle of a character or are the end token. Prompts are below 50 tokens each.
	let heard: usize = pieces
		.iter()
		.chain(&more)
		.map(|count| count.load(Ordering::Relaxed))
		.sum();
	let heard = heard as u64;
	assert!(
		tokens_paid + 16 * CHUNK >= heard,
		"{heard} tokens came, {tokens_paid} are paid"
	);
	assert!(
		tokens_paid <= heard + 16 * 50 + 16,
		"{heard} tokens came, {tokens_paid} are paid"
	);
}
