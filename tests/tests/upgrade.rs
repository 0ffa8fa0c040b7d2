//! Owners of OPEN replace the runtime of a running chain: one that began with the previous release goes on
//! with today's, and nothing on it is lost.
#![allow(clippy::unwrap_used)]

use codec::Encode;
use openledger_client::{
	api::{
		self,
		runtime_types::{
			frame_support::{
				dispatch::RawOrigin,
				traits::{preimages::Bounded, schedule::DispatchTime},
			},
			openledger_runtime::OriginCaller,
			pallet_conviction_voting::vote::{AccountVote, Vote},
		},
	},
	calls, Chain, ChainError, Keypair, Payload, Submitted, Wait,
};
use openledger_primitives::{Hash, Rate, OPEN};
use openledger_runtime::{
	accounts, currency::EXISTENTIAL_DEPOSIT, RuntimeCall, VERSION, WASM_BINARY,
};
use openledger_tests::Node;
use serde_json::{json, Value};
use sp_runtime::traits::{BlakeTwo256, Hash as _};
use std::{
	path::Path,
	process::Command,
	time::{Duration, Instant},
};

/// The runtime that the chain begins with.
const PREVIOUS: (u32, &[u8]) = (2, include_bytes!("../fixtures/runtime-2.wasm"));
/// Most bytes of code, unpacked.
const CODE_LIMIT: usize = 32 * 1024 * 1024;
/// An aye whose OPEN stays locked for one period.
const AYE: u8 = 0x81;

/// Writes the development chain's specification with the previous runtime in it.
fn previous_chain(folder: &Path) -> String {
	let exported = Command::new(openledger_tests::binary("openledger-node").unwrap())
		.args(["export-chain-spec", "--chain", "dev"])
		.output()
		.unwrap();
	assert!(exported.status.success(), "{exported:?}");
	let mut spec: Value = serde_json::from_slice(&exported.stdout).unwrap();
	let code = spec.pointer_mut("/genesis/runtimeGenesis/code").unwrap();
	let hex: String = PREVIOUS
		.1
		.iter()
		.map(|byte| format!("{byte:02x}"))
		.collect();
	*code = json!(format!("0x{hex}"));
	let path = folder.join("previous.json");
	std::fs::write(&path, spec.to_string()).unwrap();
	path.to_str().unwrap().into()
}

/// The version of the runtime that carries out the newest block.
async fn spec_version(node: &Node) -> u64 {
	let request =
		json!({ "jsonrpc": "2.0", "id": 1, "method": "state_getRuntimeVersion", "params": [] });
	let answer = reqwest::Client::new()
		.post(node.url.replace("ws://", "http://"))
		.header("content-type", "application/json")
		.body(request.to_string())
		.send()
		.await
		.unwrap();
	let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
	answer["result"]["specVersion"].as_u64().unwrap()
}

async fn send(chain: &Chain, key: &str, call: impl Payload) -> Result<Submitted, ChainError> {
	let key = Keypair::from_uri(key).unwrap();
	chain.submit(&call, &key, Wait::InBlock).await
}

/// Lets most owners vote for `call` as root.
async fn carry(chain: &Chain, call: RuntimeCall) {
	let root = OriginCaller::system(RawOrigin::Root);
	let proposal = Bounded::Inline(call.encode());
	let submit = api::tx()
		.referenda()
		.submit(root, proposal, DispatchTime::After(0));
	send(chain, "//Alice", submit).await.unwrap();
	let deposit = api::tx().referenda().place_decision_deposit(0);
	send(chain, "//Alice", deposit).await.unwrap();
	for owner in ["//Alice", "//Bob", "//Charlie", "//Dave"] {
		let vote = AccountVote::Standard {
			vote: Vote(AYE),
			balance: 900_000 * OPEN,
		};
		let vote = api::tx().conviction_voting().vote(0, vote);
		send(chain, owner, vote).await.unwrap();
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_should_upgrade_a_running_chain_and_lose_nothing() {
	assert!(
		VERSION.spec_version > PREVIOUS.0,
		"today's runtime must have a higher version than the previous one"
	);
	let folder = tempfile::tempdir().unwrap();
	let node = Node::start_chain(&previous_chain(folder.path()), folder.path())
		.await
		.unwrap();
	assert_eq!(spec_version(&node).await, u64::from(PREVIOUS.0));
	let chain = Chain::connect(&node.url).await.unwrap();

	// Something to lose in every pallet that a user's money may be in.
	let (one, two) = (Hash::repeat_byte(1), Hash::repeat_byte(2));
	let price = Rate {
		input: OPEN,
		output: OPEN,
	};
	let base = calls::register_base("base", "llama", one, two, "Apache-2.0", price);
	send(&chain, "//Alice", base).await.unwrap();
	let hot = Keypair::from_uri("//Bob//hot").unwrap().account();
	let provider = Keypair::from_uri("//Bob").unwrap().account();
	let register = calls::register_provider(
		hot,
		"http://127.0.0.1:1",
		1_000 * OPEN,
		vec![0],
		Rate::default(),
	);
	send(&chain, "//Bob", register).await.unwrap();
	let open = calls::open_channel(provider.clone(), 10 * OPEN, None);
	send(&chain, "//Charlie", open).await.unwrap();
	let before = (
		chain.base_models().await.unwrap(),
		chain.providers().await.unwrap(),
		chain.channels().await.unwrap(),
	);
	let payer = Keypair::from_uri("//Charlie").unwrap().account();
	let held = chain.balance(&payer).await.unwrap().reserved;

	// As a release ships it: a development build leaves the code unpacked, too long for a transaction.
	let code = WASM_BINARY.expect("built without SKIP_WASM_BUILD");
	let code = sp_maybe_compressed_blob::compress_strongly(code, CODE_LIMIT).unwrap();
	let code_hash = BlakeTwo256::hash(&code);
	carry(
		&chain,
		RuntimeCall::System(frame_system::Call::authorize_upgrade { code_hash }),
	)
	.await;

	// Anybody may send the code as soon as the vote is carried out, and nobody before.
	let apply = || api::tx().system().apply_authorized_upgrade(code.clone());
	let deadline = Instant::now() + Duration::from_secs(300);
	while let Err(error) = send(&chain, "//Eve", apply()).await {
		assert!(Instant::now() < deadline, "{error}");
		tokio::time::sleep(Duration::from_secs(3)).await;
	}
	while spec_version(&node).await != u64::from(VERSION.spec_version) {
		assert!(Instant::now() < deadline, "the runtime stays the old one");
		tokio::time::sleep(Duration::from_secs(1)).await;
	}

	// A client that knows today's runtime finds all of it, and can use it.
	let chain = Chain::connect(&node.url).await.unwrap();
	let after = (
		chain.base_models().await.unwrap(),
		chain.providers().await.unwrap(),
		chain.channels().await.unwrap(),
	);
	assert_eq!(after, before);
	// Final, so that the newest finalized block runs the new runtime, which is what is checked below.
	let key = Keypair::from_uri("//Charlie").unwrap();
	let top_up = calls::top_up(0, OPEN);
	tokio::time::timeout(
		Duration::from_secs(120),
		chain.submit(&top_up, &key, Wait::Finalized),
	)
	.await
	.expect("blocks are still finalized")
	.unwrap();
	let channel = chain.channel(0).await.unwrap().unwrap();
	assert_eq!(channel.escrow, 11 * OPEN);
	// Escrow moved from the payer's account to the channels' own; the deposit stayed on hold.
	let charlie = chain.balance(&payer).await.unwrap();
	assert_eq!(charlie.reserved, held - 10 * OPEN);
	let escrow = chain.balance(&accounts::escrow()).await.unwrap();
	assert_eq!(escrow.free, EXISTENTIAL_DEPOSIT + 11 * OPEN);
	let checked = Command::new(openledger_tests::binary("check-state").unwrap())
		.arg(&node.url)
		.output()
		.unwrap();
	assert!(checked.status.success(), "{checked:?}");
}
