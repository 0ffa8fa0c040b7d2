//! The life of an answer, of its money and of its epoch, against a chain in memory.

use crate::{
	error::Refusal,
	heart::Heart,
	payments::Totals,
	testing::{
		keys, text_of, FakeChain, Payer, World, ADAPTER, BASE, CHANNEL, GENESIS, HEARTBEAT_PERIOD,
		LIFETIME,
	},
};
use codec::Decode;
use openledger_client::{
	reports::Published,
	types::{AdapterState, LaneState},
};
use openledger_primitives::{
	algorithm, content_hash,
	dispute::Fault,
	report::{payouts, Payee as Earner},
	Attribution, Commitment, Hash, PartLeaf, PayoutLeaf, Receipt, OPEN,
};
use openledger_proto::v1::{generate_response::Frame as In, GenerateRequest};
use proptest::prelude::*;

async fn refusal_of_first(world: &World, change: impl FnOnce(&mut Payer)) -> String {
	let mut payer = Payer::new(0);
	let mut call = world.call(payer.start(BASE, 40));
	let accepted = call.accepted().await;
	payer.due(accepted.due.as_ref().unwrap());
	change(&mut payer);
	call.voucher(crate::testing::sign(payer.signer, payer.claim.clone()))
		.await;
	let code = call.refusal().await;
	assert!(
		world.payee.store.lane(&world.key(0)).unwrap().is_none(),
		"nothing is held"
	);
	code
}

#[tokio::test]
async fn a_paid_answer_should_end_settled_with_its_receipt() {
	let world = World::new().await;
	let mut payer = Payer::new(3);
	let finished = world.answer(&mut payer, ADAPTER, 70).await;
	assert_eq!(finished.reason, "length");
	assert_eq!(payer.text, text_of(70));
	let receipt = &payer.receipts[0];
	assert_eq!((receipt.tokens_in, receipt.tokens_out), (21, 70));
	assert_eq!(receipt.adapter, Some(4));
	assert_eq!(receipt.algorithm, algorithm::SPAN_SA_1);
	let request: Vec<u8> = "tell me about the fox"
		.bytes()
		.flat_map(|byte| u32::from(byte).to_le_bytes())
		.collect();
	assert_eq!(receipt.request, content_hash(&request));
	let attribution = Attribution::decode(&mut &finished.attribution[..]).unwrap();
	assert_eq!(receipt.attribution, attribution.digest());
	assert_eq!(
		attribution.scores[0].contribution, 0,
		"the answer stands in its record"
	);
	assert!(!attribution.spans.is_empty());
	let lane = world.payee.store.lane(&world.key(3)).unwrap().unwrap();
	assert_eq!(lane.paid(), payer.totals());
	assert_eq!(lane.owed, payer.totals());
	assert_eq!(lane.held.unwrap().voucher.receipts, payer.claim.receipts);
	assert!(world.payee.store.open_answers().unwrap().is_empty());
	assert_eq!(world.payee.meter.taken(), 0);
}

#[tokio::test]
async fn the_worker_should_never_be_more_than_a_chunk_ahead_of_the_money() {
	let world = World::new().await;
	let mut payer = Payer::new(0);
	let mut call = world.call(payer.start(BASE, 500));
	payer.accept(&mut call).await;
	let mut seen = 0;
	// Nothing more is paid, so exactly one chunk comes, then the answer is closed.
	loop {
		match call.next().await {
			Ok(In::Chunk(chunk)) => seen = chunk.completion_tokens,
			Ok(other) => panic!("{other:?}"),
			Err(status) => {
				assert_eq!(
					status.metadata().get("openledger-error").unwrap(),
					"payment-timeout"
				);
				break;
			}
		}
	}
	assert_eq!(seen, crate::meter::CHUNK);
	let lane = world.payee.store.lane(&world.key(0)).unwrap().unwrap();
	let came = u64::from(crate::meter::CHUNK);
	assert_eq!(lane.owed.tokens, lane.paid().tokens + came);
	// The chunk that came is a debt of the lane: the next answer begins with paying it.
	let mut call = world.call(payer.start(BASE, 10));
	let accepted = call.accepted().await;
	let due: u128 = accepted.due.unwrap().amount.parse().unwrap();
	assert!(due > lane.owed.amount && lane.owed.amount > lane.paid().amount);
	payer.claim.amount += due - lane.owed.amount;
	call.voucher(crate::testing::sign("//Payer", payer.claim.clone()))
		.await;
	assert_eq!(call.refusal().await, "voucher-short");
}

#[tokio::test]
async fn bad_first_vouchers_should_be_refused_by_name() {
	let world = World::new().await;
	let other = Hash::repeat_byte(1);
	assert_eq!(
		refusal_of_first(&world, |p| p.signer = "//Mallory").await,
		"voucher-bad-signature"
	);
	assert_eq!(
		refusal_of_first(&world, |p| p.claim.genesis = other).await,
		"voucher-wrong-chain"
	);
	assert_eq!(
		refusal_of_first(&world, |p| p.claim.lane = 1).await,
		"voucher-wrong-lane"
	);
	assert_eq!(
		refusal_of_first(&world, |p| p.claim.channel = 6).await,
		"voucher-wrong-lane"
	);
	assert_eq!(
		refusal_of_first(&world, |p| p.claim.generation = 1).await,
		"voucher-wrong-lane"
	);
	assert_eq!(
		refusal_of_first(&world, |p| p.claim.amount -= 1).await,
		"voucher-short"
	);
	assert_eq!(
		refusal_of_first(&world, |p| p.claim.amount += 1).await,
		"voucher-mismatch"
	);
	assert_eq!(
		refusal_of_first(&world, |p| p.claim.valid_until = 15).await,
		"voucher-expired"
	);
	let late = |p: &mut Payer| p.claim.valid_until = LIFETIME * 2;
	assert_eq!(refusal_of_first(&world, late).await, "voucher-lifetime");
	assert_eq!(
		refusal_of_first(&world, |p| p.claim.receipts = other).await,
		"voucher-wrong-receipts"
	);
	assert_eq!(
		refusal_of_first(&world, |p| p.claim.quote = 9).await,
		"quote-mismatch"
	);
	let text = world.worker.metrics.render().unwrap();
	assert!(
		text.contains("openledger_errors_total{code=\"voucher-short\"} 1"),
		"{text}"
	);
	assert!(
		text.contains("openledger_vouchers_total{result=\"quote-mismatch\"} 1"),
		"{text}"
	);
}

#[tokio::test]
async fn a_replayed_voucher_should_be_refused_and_the_answer_closed_at_what_was_sent() {
	let world = World::new().await;
	let mut payer = Payer::new(0);
	let mut call = world.call(payer.start(BASE, 100));
	payer.accept(&mut call).await;
	call.voucher(crate::testing::sign("//Payer", payer.claim.clone()))
		.await;
	assert_eq!(call.refusal().await, "voucher-stale");
	let lane = world.payee.store.lane(&world.key(0)).unwrap().unwrap();
	assert_eq!(lane.paid(), payer.totals());
	assert!(lane.owed.tokens <= payer.totals().tokens + u64::from(crate::meter::CHUNK));
	let mut call = world.call(payer.start(BASE, 100));
	call.accepted().await;
	call.raw_voucher(vec![1, 2, 3]).await;
	assert_eq!(call.refusal().await, "voucher-malformed");
}

#[tokio::test]
async fn a_busy_lane_should_refuse_a_second_request_and_go_on_with_the_first() {
	let world = World::new().await;
	let mut payer = Payer::new(0);
	let mut call = world.call(payer.start(BASE, 40));
	payer.accept(&mut call).await;
	let mut second = world.call(payer.start(BASE, 40));
	assert_eq!(second.refusal().await, "lane-busy");
	let finished = payer.stream(&mut call, u32::MAX).await.unwrap();
	payer.acknowledge(&mut call, &finished).await;
	call.task.await.unwrap();
	world.answer(&mut payer, BASE, 40).await;
}

#[tokio::test]
async fn channels_that_cannot_pay_should_be_refused_before_anything_is_read() {
	let world = World::new().await;
	let payer = Payer::new(0);
	let code = |world: &World| {
		let mut call = world.call(payer.start(BASE, 40));
		async move { call.refusal().await }
	};
	let follow = || async { world.follower.catch_up().await.unwrap() };
	world
		.chain
		.channel_mut(|channel| channel.escrow = OPEN / 100);
	follow().await;
	assert_eq!(code(&world).await, "escrow-empty");
	world.chain.channel_mut(|channel| channel.thaw = Some(200));
	follow().await;
	assert_eq!(code(&world).await, "channel-thawing");
	world.chain.channel_mut(|channel| channel.generation = 1);
	follow().await;
	assert_eq!(code(&world).await, "wrong-generation");
	world
		.chain
		.channel_mut(|channel| channel.provider = keys("//Other").1);
	follow().await;
	assert_eq!(code(&world).await, "foreign-channel");
	let mut start = payer.start(BASE, 40);
	start.payer.as_mut().unwrap().channel = 77;
	assert_eq!(world.call(start).refusal().await, "unknown-channel");
	let mut start = payer.start(BASE, 40);
	start.payer.as_mut().unwrap().lane = 256;
	assert_eq!(world.call(start).refusal().await, "lane-out-of-range");
	let mut start = payer.start(BASE, 40);
	start.payer = None;
	assert_eq!(world.call(start).refusal().await, "payment-required");
}

#[tokio::test]
async fn requests_that_cannot_be_answered_should_be_refused_by_name() {
	let world = World::new().await;
	let payer = Payer::new(0);
	let refusal = |start| {
		let mut call = world.call(start);
		async move { call.refusal().await }
	};
	assert_eq!(refusal(payer.start("nobody", 1)).await, "unknown-model");
	assert_eq!(refusal(payer.start("", 1)).await, "bad-request");
	let mut long = payer.start(BASE, 1);
	long.input = Some(openledger_proto::v1::start::Input::Prompt(
		"x".repeat(1_000),
	));
	assert_eq!(refusal(long).await, "prompt-too-long");
	let mut none = payer.start(BASE, 1);
	none.input = None;
	assert_eq!(refusal(none).await, "bad-request");
	let mut hot = payer.start(BASE, 1);
	hot.sampling = Some(openledger_proto::v1::Sampling {
		temperature: -1.0,
		..Default::default()
	});
	assert_eq!(refusal(hot).await, "bad-sampling");
	let mut set = payer.start(BASE, 1);
	set.adapters = vec![openledger_proto::v1::WeightedAdapter {
		name: ADAPTER.into(),
		weight: 1.0,
	}];
	assert_eq!(refusal(set).await, "set-not-payable");
	let spelt = payer.start("fox*0.5+fox", 1);
	assert_eq!(refusal(spelt).await, "set-not-payable");
	world.chain.lock().adapters[0].state = AdapterState::Retired;
	world.chain.next_block();
	world.follower.catch_up().await.unwrap();
	assert_eq!(refusal(payer.start(ADAPTER, 1)).await, "model-retired");
	world.chain.lock().adapters[0].state = AdapterState::Active;
	world.chain.lock().adapters[0].base = 1;
	world.chain.next_block();
	world.follower.catch_up().await.unwrap();
	assert_eq!(refusal(payer.start(ADAPTER, 1)).await, "other-base");
	world.chain.lock().adapters[0].base = 0;
	world.chain.next_block();
	world.follower.catch_up().await.unwrap();
	let index = world.chain.lock().adapters[0].index;
	let index = world.worker.files.index(&index);
	std::fs::write(&index, b"not the index").unwrap();
	assert_eq!(refusal(payer.start(ADAPTER, 1)).await, "hash-mismatch");
	std::fs::remove_file(&index).unwrap();
	assert_eq!(refusal(payer.start(ADAPTER, 1)).await, "adapter-missing");
}

#[tokio::test]
async fn an_adapter_that_only_a_source_has_should_be_fetched_and_paid_for_as_any() {
	let world = World::new().await;
	let (store, far) = (
		world.folder.path().join("store"),
		world.folder.path().join("far"),
	);
	std::fs::rename(&store, &far).unwrap();
	std::fs::create_dir(&store).unwrap();
	let mut payer = Payer::new(0);
	let mut call = world.call(payer.start(ADAPTER, 20));
	assert_eq!(call.refusal().await, "adapter-missing");
	let place = format!("file://{}", far.display());
	world
		.worker
		.files
		.add_source(openledger_engine::ObjectSource::open(&place, &[]).unwrap());
	let finished = world.answer(&mut payer, ADAPTER, 20).await;
	assert_eq!(finished.reason, "length");
	assert_eq!(payer.receipts[0].adapter, Some(4));
	// All of it lies in the store now, the index too.
	std::fs::remove_dir_all(&far).unwrap();
	world.answer(&mut payer, ADAPTER, 5).await;
	let registered = crate::catalog::registered(&world.chain.lock().adapters[0]);
	assert_eq!(world.worker.files.missing(&registered), None);
}

#[tokio::test]
async fn a_full_queue_should_be_known_before_the_money_is_taken() {
	let world = World::with(FakeChain::new(), |script| script.full = true).await;
	let mut payer = Payer::new(0);
	let mut call = world.call(payer.start(BASE, 40));
	payer.accept(&mut call).await;
	assert_eq!(call.refusal().await, "queue-full");
	assert!(world.payee.store.lane(&world.key(0)).unwrap().is_none());
}

#[tokio::test]
async fn the_payer_should_be_the_tenant_whatever_the_lane() {
	let tenants = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
	let seen = tenants.clone();
	let world = World::with(FakeChain::new(), move |script| script.tenants = seen).await;
	for lane in [0, 7] {
		world.answer(&mut Payer::new(lane), BASE, 3).await;
	}
	let payer = world.chain.lock().channels[&CHANNEL].payer.clone();
	let expected = Some(openledger_engine::Tenant::of(&payer));
	assert_eq!(*tenants.lock().unwrap(), [expected, expected]);
}

#[tokio::test]
async fn an_engine_that_fails_should_leave_a_receipt_for_what_is_paid() {
	let world = World::with(FakeChain::new(), |script| script.fails_at = Some(20)).await;
	let mut payer = Payer::new(0);
	let mut call = world.call(payer.start(BASE, 100));
	payer.accept(&mut call).await;
	assert_eq!(call.refusal().await, "backend");
	call.task.await.unwrap();
	let lane = world.payee.store.lane(&world.key(0)).unwrap().unwrap();
	assert_eq!(lane.unacknowledged.len(), 1);
	assert_eq!(lane.owed, lane.paid());
}

#[tokio::test]
async fn a_cancelled_answer_should_owe_what_was_generated() {
	let world = World::new().await;
	let mut payer = Payer::new(0);
	let mut call = world.call(payer.start(BASE, 500));
	payer.accept(&mut call).await;
	call.cancel().await;
	let finished = payer.stream(&mut call, u32::MAX).await.unwrap();
	assert_eq!(finished.reason, "cancelled");
	payer.acknowledge(&mut call, &finished).await;
	assert_eq!(payer.receipts[0].tokens_out, finished.completion_tokens);
}

#[tokio::test]
async fn a_lost_client_should_leave_a_receipt_that_the_next_answer_acknowledges() {
	let world = World::new().await;
	let mut payer = Payer::new(0);
	let mut call = world.call(payer.start(BASE, 500));
	payer.accept(&mut call).await;
	assert!(payer.stream(&mut call, 2).await.is_none());
	drop(call.frames);
	call.task.await.unwrap();
	let before = payer.claim.clone();
	let mut call = world.call(payer.start(BASE, 30));
	let accepted = payer.accept(&mut call).await;
	let receipt = Receipt::decode(&mut &accepted.unacknowledged[0][..]).unwrap();
	let sent = receipt.tokens_out;
	assert!(
		(48..=64).contains(&sent),
		"all that came, paid or not: {sent}"
	);
	assert_eq!(receipt.response, content_hash(text_of(sent).as_bytes()));
	assert_eq!(accepted.lane.unwrap().amount, before.amount.to_string());
	let finished = payer.stream(&mut call, u32::MAX).await.unwrap();
	payer.acknowledge(&mut call, &finished).await;
	let lane = world.payee.store.lane(&world.key(0)).unwrap().unwrap();
	assert_eq!(lane.owed, payer.totals());
	assert!(lane.unacknowledged.is_empty());
}

#[tokio::test]
async fn a_receipt_that_is_not_acknowledged_should_be_due_with_the_next_answer() {
	let world = World::new().await;
	let mut payer = Payer::new(0);
	let mut call = world.call(payer.start(BASE, 20));
	payer.accept(&mut call).await;
	let finished = payer.stream(&mut call, u32::MAX).await.unwrap();
	assert_eq!(call.refusal().await, "payment-timeout");
	call.task.await.unwrap();
	let lane = world.payee.store.lane(&world.key(0)).unwrap().unwrap();
	assert!(
		lane.owed.amount > lane.paid().amount,
		"the last four tokens are not paid"
	);
	let mut call = world.call(payer.start(BASE, 10));
	let accepted = payer.accept(&mut call).await;
	assert_eq!(accepted.unacknowledged, [finished.receipt]);
	let finished = payer.stream(&mut call, u32::MAX).await.unwrap();
	payer.acknowledge(&mut call, &finished).await;
	let lane = world.payee.store.lane(&world.key(0)).unwrap().unwrap();
	assert_eq!((lane.owed, lane.paid()), (payer.totals(), payer.totals()));
}

#[tokio::test]
async fn a_lane_that_was_used_elsewhere_should_be_refused() {
	let world = World::new().await;
	let state = LaneState {
		generation: 0,
		amount: 5,
		..LaneState::default()
	};
	world.chain.lock().lanes.insert((CHANNEL, 0), state);
	let payer = Payer::new(0);
	assert_eq!(
		world.call(payer.start(BASE, 1)).refusal().await,
		"lane-unknown"
	);
	world.answer(&mut Payer::new(1), BASE, 1).await;
}

#[tokio::test]
async fn a_full_lane_should_be_refused() {
	let world = World::new().await;
	let store = &world.payee.store;
	let last = openledger_primitives::dispute::MAX_ACKNOWLEDGED - 1;
	store.set_sequence(world.key(0), last).await.unwrap();
	let finished = world.answer(&mut Payer::new(0), BASE, 10).await;
	assert_eq!(finished.completion_tokens, 10, "there is room for one more");
	let payer = Payer::new(0);
	let mut call = world.call(payer.start(BASE, 10));
	assert_eq!(call.refusal().await, "lane-full");
	// Another lane goes on.
	world.answer(&mut Payer::new(1), BASE, 10).await;
}

#[tokio::test]
async fn money_of_a_lane_from_before_lanes_had_an_end_should_go_unexplained() {
	let mut world = World::new().await;
	let mut payer = Payer::new(0);
	let mut call = world.call(payer.start(BASE, 40));
	payer.accept(&mut call).await;
	// As the store of a worker would have it that knew no end.
	let end = openledger_primitives::dispute::MAX_ACKNOWLEDGED;
	let store = &world.payee.store;
	store.set_sequence(world.key(0), end).await.unwrap();
	let finished = payer.stream(&mut call, u32::MAX).await.unwrap();
	payer.acknowledge(&mut call, &finished).await;
	world.answer(&mut Payer::new(1), BASE, 10).await;
	world.redeem().await;
	world.chain.next_epoch();
	finish_epochs(&world, 1).await;
	let report = world.payee.store.epoch(0).unwrap().unwrap().report.unwrap();
	let explained: Vec<_> = report
		.receipt_leaves
		.iter()
		.map(|leaf| !leaf.receipt.is_zero())
		.collect();
	assert_eq!(explained, [true, false]);
}

#[tokio::test]
async fn lanes_together_should_not_spend_more_than_the_escrow() {
	let world = World::new().await;
	// One answer's prompt and first chunk cost less than an OPEN; two do not fit.
	world.chain.channel_mut(|channel| channel.escrow = OPEN / 5);
	world.follower.catch_up().await.unwrap();
	let mut first = Payer::new(0);
	let mut call = world.call(first.start(BASE, 32));
	let accepted = first.accept(&mut call).await;
	let due: u128 = accepted.due.unwrap().amount.parse().unwrap();
	assert!(due < OPEN / 10);
	let second = Payer::new(1);
	assert_eq!(
		world.call(second.start(BASE, 32)).refusal().await,
		"escrow-empty"
	);
	let finished = first.stream(&mut call, u32::MAX).await.unwrap();
	first.acknowledge(&mut call, &finished).await;
}

#[tokio::test]
async fn a_delegate_should_not_spend_beyond_its_limit() {
	let world = World::new().await;
	world.chain.delegate("//Delegate", OPEN / 10);
	world.follower.catch_up().await.unwrap();
	let mut payer = Payer {
		signer: "//Delegate",
		..Payer::new(0)
	};
	let mut call = world.call(payer.start(BASE, 100));
	payer.accept(&mut call).await;
	assert_eq!(call.refusal().await, "delegate-limit");
	world.chain.delegate("//Delegate", 10 * OPEN);
	world.follower.catch_up().await.unwrap();
	let mut payer = Payer {
		signer: "//Delegate",
		..Payer::new(1)
	};
	world.answer(&mut payer, BASE, 40).await;
}

#[tokio::test]
async fn a_delegate_without_a_limit_should_not_replace_the_payers_voucher() {
	let world = World::new().await;
	world.chain.delegate("//Delegate", 0);
	world.follower.catch_up().await.unwrap();
	// In the middle of an answer, and with its last voucher.
	for (lane, tokens) in [(0, 100), (1, 10)] {
		let mut payer = Payer::new(lane);
		let mut call = world.call(payer.start(BASE, tokens));
		payer.accept(&mut call).await;
		let good = payer.claim.clone();
		payer.signer = "//Delegate";
		if let Some(finished) = payer.stream(&mut call, 1).await {
			let last = payer.last(&finished);
			call.voucher(last).await;
		}
		assert_eq!(call.refusal().await, "delegate-limit");
		let held = world.payee.store.lane(&world.key(lane)).unwrap().unwrap();
		let held = held.held.unwrap();
		assert_eq!(held.voucher, good);
		assert!(held.is_signed_by(&keys("//Payer").1));
	}
}

#[tokio::test]
async fn a_lane_redeemed_beyond_the_held_voucher_should_be_refused() {
	let world = World::new().await;
	let mut payer = Payer::new(0);
	world.answer(&mut payer, BASE, 20).await;
	let held = payer.totals();
	let same = LaneState {
		amount: held.amount,
		licence: held.licence,
		tokens: held.tokens,
		..LaneState::default()
	};
	let beyond = [
		LaneState {
			amount: held.amount + 1,
			..same
		},
		LaneState {
			licence: held.licence + 1,
			..same
		},
		LaneState {
			licence: held.licence - 1,
			..same
		},
		LaneState {
			tokens: held.tokens + 1,
			..same
		},
	];
	for state in beyond {
		world.chain.lock().lanes.insert((CHANNEL, 0), state);
		world.chain.next_block();
		world.follower.catch_up().await.unwrap();
		let refusal = world.call(payer.start(BASE, 1)).refusal().await;
		assert_eq!(refusal, "lane-unknown");
	}
	world.chain.lock().lanes.insert((CHANNEL, 0), same);
	world.chain.next_block();
	world.follower.catch_up().await.unwrap();
	world.answer(&mut payer, BASE, 1).await;
}

#[tokio::test]
async fn a_voucher_that_the_chain_skips_should_not_be_sent_every_round() {
	let mut world = World::new().await;
	let mut payer = Payer::new(0);
	world.answer(&mut payer, BASE, 10).await;
	world.chain.lock().skip = Some("NotMonotone");
	assert_eq!(world.redeem().await, 1);
	assert_eq!(world.redeem().await, 0, "the same total is not sent again");
	let text = world.worker.metrics.render().unwrap();
	let skipped = "openledger_redemptions_total{result=\"skipped\"} 1";
	assert!(text.contains(skipped), "{text}");
	world.answer(&mut payer, BASE, 10).await;
	assert_eq!(world.redeem().await, 1, "a newer voucher is");
	world.chain.lock().skip = None;
	assert_eq!(world.redeem().await, 0);
	for _ in 0..100 {
		world.chain.next_block();
	}
	world.follower.catch_up().await.unwrap();
	assert_eq!(world.redeem().await, 1, "after a while it is tried again");
	let lane = world.payee.store.lane(&world.key(0)).unwrap().unwrap();
	assert_eq!(lane.redeemed.amount, payer.claim.amount);
}

#[tokio::test]
async fn an_index_that_is_not_the_lineages_should_be_refused() {
	let world = World::new().await;
	let payer = Payer::new(0);
	let lie = Commitment {
		root: Hash::repeat_byte(9),
		..world.chain.lock().snapshots[&(1, 1)]
	};
	let good = world.chain.lock().snapshots.insert((1, 1), lie).unwrap();
	world.chain.next_block();
	world.follower.catch_up().await.unwrap();
	let mut call = world.call(payer.start(ADAPTER, 1));
	assert_eq!(call.refusal().await, "attribution");
	world.chain.lock().snapshots.insert((1, 1), good);
	// A snapshot that is not in the lineage must not earn either.
	world.chain.lock().adapters[0].lineage.clear();
	world.chain.next_block();
	world.follower.catch_up().await.unwrap();
	let mut call = world.call(payer.start(ADAPTER, 1));
	assert_eq!(call.refusal().await, "attribution");
	world.chain.lock().adapters[0].lineage = vec![(1, 1)];
	world.chain.next_block();
	world.follower.catch_up().await.unwrap();
	world.answer(&mut Payer::new(0), ADAPTER, 1).await;
}

#[tokio::test]
async fn stopping_should_close_running_answers_in_order() {
	let world = World::new().await;
	let mut payer = Payer::new(0);
	let mut call = world.call(payer.start(BASE, 900));
	payer.accept(&mut call).await;
	assert!(matches!(call.next().await, Ok(In::Chunk(chunk)) if {
		payer.text.push_str(&chunk.text);
		true
	}));
	world.stop.send_replace(true);
	let finished = payer.stream(&mut call, u32::MAX).await.unwrap();
	assert_eq!(finished.reason, "cancelled");
	payer.acknowledge(&mut call, &finished).await;
	assert_eq!(
		world.call(payer.start(BASE, 1)).refusal().await,
		"shutting-down"
	);
}

#[tokio::test]
async fn frames_out_of_order_should_be_refused() {
	let world = World::new().await;
	let mut payer = Payer::new(0);
	let mut call = world.call(payer.start(BASE, 500));
	payer.accept(&mut call).await;
	let start = openledger_proto::v1::generate_request::Frame::Start(payer.start(BASE, 1));
	call.frames
		.send(Ok(GenerateRequest { frame: Some(start) }))
		.await
		.unwrap();
	assert_eq!(call.refusal().await, "bad-request");
	call.task.await.unwrap();
	let lane = world.payee.store.lane(&world.key(0)).unwrap().unwrap();
	assert_eq!(lane.unacknowledged.len(), 1);
}

#[tokio::test]
async fn a_store_should_refuse_another_chain_or_provider() {
	let world = World::new().await;
	let store = &world.payee.store;
	let other = store
		.claim(Hash::zero(), &world.payee.provider)
		.await
		.unwrap_err();
	assert!(other.to_string().contains("--data"), "{other}");
	store.claim(GENESIS, &keys("//Other").1).await.unwrap_err();
	store.claim(GENESIS, &world.payee.provider).await.unwrap();
}

#[tokio::test]
async fn redeeming_should_take_the_newest_voucher_of_each_lane_once() {
	let mut world = World::new().await;
	let mut payers = [Payer::new(0), Payer::new(1)];
	for payer in &mut payers {
		world.answer(payer, BASE, 40).await;
		world.answer(payer, ADAPTER, 40).await;
	}
	assert_eq!(world.redeem().await, 2);
	assert_eq!(world.redeem().await, 0);
	for payer in &payers {
		let lane = world
			.payee
			.store
			.lane(&world.key(payer.lane))
			.unwrap()
			.unwrap();
		assert_eq!(lane.redeemed.amount, payer.claim.amount);
		assert_eq!(lane.redeemed.licence, payer.claim.licence);
	}
	assert!(world.chain.lock().skipped.is_empty());
}

#[tokio::test]
async fn a_short_escrow_should_pay_in_part_and_the_rest_after_a_top_up() {
	let mut world = World::new().await;
	let mut payer = Payer::new(0);
	world.answer(&mut payer, ADAPTER, 64).await;
	let part = payer.claim.amount / 3;
	world.chain.channel_mut(|channel| channel.escrow = part);
	world.follower.catch_up().await.unwrap();
	assert_eq!(world.redeem().await, 1);
	let lane = world.payee.store.lane(&world.key(0)).unwrap().unwrap();
	assert_eq!(lane.redeemed.amount, part);
	assert_eq!(world.redeem().await, 0, "nothing is left to take");
	world.chain.next_epoch();
	world
		.chain
		.channel_mut(|channel| channel.escrow = 10 * OPEN);
	world.follower.catch_up().await.unwrap();
	assert_eq!(world.redeem().await, 1);
	let lane = world.payee.store.lane(&world.key(0)).unwrap().unwrap();
	assert_eq!(lane.redeemed.amount, payer.claim.amount);
	// One receipt, paid over two epochs: the parts make the whole.
	world.chain.next_epoch();
	finish_epochs(&world, 2).await;
	let record = world
		.payee
		.store
		.receipt(&payer.receipts[0].digest())
		.unwrap()
		.unwrap();
	let parts = world.payee.store.earnings_of(&record).unwrap();
	assert_eq!(parts.len(), 2);
	assert_eq!(parts[0].1 + parts[1].1, payer.claim.licence);
}

#[tokio::test]
async fn a_voucher_that_can_no_longer_be_redeemed_should_be_reported_once() {
	let mut world = World::new().await;
	let mut payer = Payer::new(0);
	world.answer(&mut payer, BASE, 10).await;
	world.chain.channel_mut(|channel| channel.generation = 1);
	world.follower.catch_up().await.unwrap();
	assert_eq!(world.redeem().await, 0);
	assert_eq!(world.redeem().await, 0);
	let text = world.worker.metrics.render().unwrap();
	let lost = text
		.lines()
		.find(|line| line.starts_with("openledger_lost_open_total"))
		.unwrap();
	let lost: f64 = lost.rsplit(' ').next().unwrap().parse().unwrap();
	assert!((lost - payer.claim.amount as f64 / OPEN as f64).abs() < 1e-9);
}

/// Follows, reports and settles until every epoch is done.
async fn finish_epochs(world: &World, rounds: usize) {
	for _ in 0..rounds * 8 {
		world.chain.next_block();
		world.follower.catch_up().await.unwrap();
		world.reporter.advance().await;
		if world.payee.store.pending_epochs().unwrap().is_empty() {
			world.assert_reports_hold();
			return;
		}
	}
	panic!("epochs are left: {:?}", world.payee.store.pending_epochs());
}

#[tokio::test]
async fn an_epoch_should_be_reported_and_settled_to_the_last_unit() {
	let mut world = World::new().await;
	let mut payers = [Payer::new(0), Payer::new(1), Payer::new(2)];
	for payer in &mut payers {
		world.answer(payer, ADAPTER, 70).await;
		world.answer(payer, BASE, 33).await;
	}
	world.redeem().await;
	world.reporter.advance().await;
	assert!(
		world.chain.lock().reports.is_empty(),
		"the epoch still runs"
	);
	world.chain.next_epoch();
	finish_epochs(&world, 1).await;
	let state = world.chain.lock();
	let (pot, report) = (state.pots[&0], state.reports[&0].clone());
	assert_eq!(report.receipts.sum, pot.licence);
	assert_eq!(report.receipts.count, 6);
	assert_eq!(report.payouts.sum, pot.net);
	assert_eq!(
		(report.paid, report.settled),
		(pot.net, report.payouts.count)
	);
	let paid: u128 = payers.iter().map(|payer| payer.claim.licence).sum();
	assert_eq!(pot.licence, paid);
	assert_eq!(state.swept, [(0, 3)], "one for each lane");
	let earned = |contribution| {
		let payee = Earner::Contributor {
			adapter: 4,
			datanet: 1,
			contribution,
		};
		state
			.settled
			.iter()
			.find(|leaf| leaf.payee == payee)
			.unwrap()
			.amount
	};
	assert!(
		earned(0) > earned(1),
		"the record that the answers repeat earns most"
	);
	assert!(earned(1) > 0, "the equal part goes to all");
}

/// Puts another receipt in the place of one.
fn forge(published: &mut Published, at: usize, change: impl FnOnce(&mut Receipt)) {
	let leaf = &mut published.receipt_leaves[at];
	let mut receipt = published.receipts.remove(&leaf.receipt).unwrap();
	change(&mut receipt);
	leaf.receipt = receipt.digest();
	published.receipts.insert(leaf.receipt, receipt);
}

#[tokio::test]
async fn lies_should_be_found_by_whoever_sees_the_leaves() {
	let mut world = World::new().await;
	let mut payer = Payer::new(0);
	world.answer(&mut payer, ADAPTER, 70).await;
	world.answer(&mut payer, BASE, 30).await;
	world.answer(&mut Payer::new(1), BASE, 30).await;
	world.redeem().await;
	world.chain.next_epoch();
	finish_epochs(&world, 1).await;

	// A receipt of a lane that nobody used, or of one that earned less.
	for (at, lane, sequence) in [(0, 9, 0), (2, 0, 2)] {
		let faults = world.faults(0, |published| {
			forge(published, at, |receipt| {
				(receipt.lane, receipt.sequence) = (lane, sequence);
			})
		});
		assert_eq!(faults, [Fault::LaneExceeded]);
	}
	let faults = world.faults(0, |published| {
		forge(published, 0, |receipt| receipt.sequence = 1)
	});
	assert_eq!(faults, [Fault::LaneDisordered]);
	let faults = world.faults(0, |published| {
		forge(published, 1, |receipt| receipt.sequence = 4_096)
	});
	assert_eq!(faults, [Fault::LaneTooLong]);

	// As many parts of one answer as no dispute could add up.
	let faults = world.faults(0, |published| {
		let is_data = |part: &PartLeaf| matches!(part.payee, Earner::Contributor { .. });
		let at = published.part_leaves.iter().position(is_data).unwrap();
		let whole = published.part_leaves[at];
		let piece = |number: u32| PartLeaf {
			payee: Earner::Contributor {
				adapter: 4,
				datanet: 1,
				contribution: 100 + number,
			},
			amount: whole.amount / 256 + if number == 0 { whole.amount % 256 } else { 0 },
			..whole
		};
		published.part_leaves.splice(at..=at, (0..256).map(piece));
		published
			.part_leaves
			.sort_by_key(|part| (part.payee, part.receipt));
		published.payout_leaves = payouts(&published.part_leaves).unwrap();
	});
	assert_eq!(faults, [Fault::TooManyParts]);

	// Payouts that nobody would settle.
	let faults = world.faults(0, |published| {
		let first = published.payout_leaves[0];
		let nothing = PayoutLeaf { amount: 0, ..first };
		published.payout_leaves.insert(0, nothing);
	});
	assert_eq!(faults, [Fault::EmptyPayout, Fault::PayoutsDisordered]);
}

#[tokio::test]
async fn a_receipts_earnings_should_add_up_to_the_payouts() {
	let mut world = World::new().await;
	let mut payer = Payer::new(0);
	for model in [ADAPTER, BASE, ADAPTER] {
		world.answer(&mut payer, model, 50).await;
	}
	world.redeem().await;
	world.chain.next_epoch();
	finish_epochs(&world, 1).await;
	let record = world.payee.store.epoch(0).unwrap().unwrap();
	let report = record.report.unwrap();
	let mut sum = 0;
	for (position, leaf) in report.receipt_leaves.iter().enumerate() {
		let receipt = world.payee.store.receipt(&leaf.receipt).unwrap().unwrap();
		let parts = crate::reporter::payouts_of(&world.payee, &report, position, &receipt).unwrap();
		sum += parts.iter().map(|part| part.amount).sum::<u128>();
	}
	assert_eq!(sum, report.net);
}

#[tokio::test]
async fn a_report_should_wait_for_an_answer_that_still_runs() {
	let mut world = World::new().await;
	let mut payer = Payer::new(0);
	let mut call = world.call(payer.start(BASE, 100));
	payer.accept(&mut call).await;
	// The voucher for the prompt is on disk before the first token comes.
	assert!(matches!(call.next().await, Ok(In::Chunk(chunk)) if {
		payer.text.push_str(&chunk.text);
		true
	}));
	assert_eq!(world.redeem().await, 1);
	world.chain.next_epoch();
	world.follower.catch_up().await.unwrap();
	world.reporter.advance().await;
	assert!(world.chain.lock().reports.is_empty());
	let finished = payer.stream(&mut call, u32::MAX).await.unwrap();
	payer.acknowledge(&mut call, &finished).await;
	finish_epochs(&world, 1).await;
	let state = world.chain.lock();
	assert_eq!(state.reports[&0].receipts.sum, state.pots[&0].licence);
}

#[tokio::test]
async fn a_report_of_more_than_was_redeemed_should_not_be_posted() {
	let mut world = World::new().await;
	world.answer(&mut Payer::new(0), BASE, 40).await;
	world.redeem().await;
	world.chain.next_epoch();
	world.chain.lock().pots.get_mut(&0).unwrap().licence -= 1;
	world.follower.catch_up().await.unwrap();
	world.reporter.advance().await;
	assert!(world.chain.lock().reports.is_empty());
	let text = world.worker.metrics.render().unwrap();
	assert!(
		text.contains("openledger_reports_total{result=\"wrong\"} 1"),
		"{text}"
	);
}

#[tokio::test]
async fn money_that_no_receipt_explains_should_go_to_the_treasury() {
	let mut world = World::new().await;
	world.answer(&mut Payer::new(0), BASE, 40).await;
	world.redeem().await;
	world.chain.next_epoch();
	{
		let mut chain = world.chain.lock();
		let pot = chain.pots.get_mut(&0).unwrap();
		// As if the store had lost what earned half of the money.
		(pot.licence, pot.net) = (2 * pot.licence, 2 * pot.net);
	}
	world.follower.catch_up().await.unwrap();
	world.reporter.advance().await;
	assert!(world.chain.lock().reports.contains_key(&0));
	let report = world.payee.store.epoch(0).unwrap().unwrap().report.unwrap();
	let last = report.receipt_leaves.last().unwrap();
	assert!(last.receipt.is_zero());
	assert_eq!(2 * last.paid, report.receipts.sum);
	let treasury = report
		.payout_leaves
		.iter()
		.find(|leaf| leaf.payee == openledger_primitives::Payee::Treasury)
		.unwrap();
	assert!(treasury.amount.abs_diff(report.net / 2) <= 1);
}

#[tokio::test]
async fn an_audit_should_be_answered_before_anything_is_settled() {
	let mut world = World::new().await;
	world.answer(&mut Payer::new(0), ADAPTER, 70).await;
	world.answer(&mut Payer::new(1), BASE, 20).await;
	world.redeem().await;
	world.chain.lock().audit = Some(Hash::repeat_byte(7));
	world.chain.next_epoch();
	world.follower.catch_up().await.unwrap();
	world.reporter.advance().await;
	for _ in 0..8 {
		world.chain.next_block();
	}
	world.follower.catch_up().await.unwrap();
	world.reporter.advance().await;
	{
		let chain = world.chain.lock();
		assert_eq!(chain.reports[&0].audit, None, "it was answered");
		assert!(chain.settled.is_empty());
	}
	world.chain.next_block();
	world.follower.catch_up().await.unwrap();
	world.reporter.advance().await;
	assert!(!world.chain.lock().settled.is_empty());
}

#[tokio::test]
async fn reporting_and_settling_should_resume_where_they_broke_off() {
	let mut world = World::new().await;
	world.answer(&mut Payer::new(0), ADAPTER, 70).await;
	world.redeem().await;
	world.chain.next_epoch();
	world.follower.catch_up().await.unwrap();
	world.chain.lock().failures = 1;
	world.reporter.advance().await;
	assert!(
		world.chain.lock().reports.is_empty(),
		"the report did not arrive"
	);
	let mut world = world.crash().await;
	world.reporter.advance().await;
	assert!(world.chain.lock().reports.contains_key(&0));
	// Posted, but the worker has not seen it: posting again is harmless.
	world.reporter.advance().await;
	world = world.crash().await;
	for _ in 0..4 {
		world.chain.next_block();
	}
	world.follower.catch_up().await.unwrap();
	// The connection breaks after the first batch of two.
	world.chain.lock().settle_limit = Some(1);
	world.reporter.advance().await;
	assert_eq!(world.chain.lock().settled.len(), 2);
	world.chain.lock().settle_limit = None;
	world = world.crash().await;
	// Somebody else settles the next leaf, then this worker goes on behind it.
	let report = world.payee.store.epoch(0).unwrap().unwrap().report.unwrap();
	let tree = openledger_primitives::report::payouts_tree(&report.payout_leaves).unwrap();
	let next = vec![report.payout_leaves[2]];
	let proof = tree.range_proof(2, 1).unwrap();
	let chain = world.payee.view.chain().clone();
	chain
		.settle(&world.payee.provider, 0, next, proof)
		.await
		.unwrap();
	world = world.crash().await;
	finish_epochs(&world, 1).await;
	let state = world.chain.lock();
	assert_eq!(state.settled.len(), report.payout_leaves.len());
	assert_eq!(state.reports[&0].paid, state.pots[&0].net);
}

#[tokio::test]
async fn redemptions_should_be_counted_once_however_often_a_block_is_followed() {
	let mut world = World::new().await;
	let mut payer = Payer::new(0);
	world.answer(&mut payer, BASE, 40).await;
	world.redeem().await;
	let block = world.payee.store.followed().unwrap().unwrap();
	let lane = world.payee.store.lane(&world.key(0)).unwrap().unwrap();
	let again = crate::store::Redemption {
		key: world.key(0),
		compute: 1,
		licence: 1,
		amount: 1,
	};
	world
		.payee
		.store
		.follow(block, 0, vec![again])
		.await
		.unwrap();
	assert_eq!(
		world.payee.store.lane(&world.key(0)).unwrap().unwrap(),
		lane
	);
}

#[tokio::test]
async fn a_node_that_does_not_answer_should_refuse_paid_requests() {
	let mut world = World::new().await;
	let payee = std::sync::Arc::get_mut(&mut world.payee);
	assert!(
		payee.is_none(),
		"the payee is shared, so its age is tested through a fresh one"
	);
	let payee = crate::payee::Payee {
		block_age: std::time::Duration::ZERO,
		catalog: crate::catalog::OnChain::new(
			world.payee.view.clone(),
			world.payee.catalog.files.clone(),
			world.payee.provider.clone(),
			0,
		),
		view: world.payee.view.clone(),
		store: world.payee.store.clone(),
		meter: world.payee.meter.clone(),
		attributor: world.payee.attributor.clone(),
		genesis: GENESIS,
		provider: world.payee.provider.clone(),
		max_lifetime: LIFETIME,
		followed: world.payee.followed.clone(),
		patience: std::time::Duration::ZERO,
	};
	tokio::time::sleep(std::time::Duration::from_millis(2)).await;
	assert!(matches!(payee.block(), Err(Refusal::Chain(_))));
}

/// Where the worker is killed in the life of an answer.
#[derive(Clone, Copy, Debug)]
enum Kill {
	/// After this many vouchers of the stream were signed, the last one not awaited.
	Streaming(u32),
	/// After `Finished`, before the last voucher is sent.
	Finished,
	/// The last voucher is sent, but its reply not awaited.
	Acknowledging,
	/// After `Settled`.
	Settled,
}

fn kills() -> impl Strategy<Value = Kill> {
	prop_oneof![
		(0u32..6).prop_map(Kill::Streaming),
		Just(Kill::Finished),
		Just(Kill::Acknowledging),
		Just(Kill::Settled),
	]
}

async fn killed(world: World, payer: &mut Payer, model: &str, tokens: u32, kill: Kill) -> World {
	let mut call = world.call(payer.start(model, tokens));
	payer.accept(&mut call).await;
	let budget = match kill {
		Kill::Streaming(vouchers) => vouchers,
		_ => u32::MAX,
	};
	if let Some(finished) = payer.stream(&mut call, budget).await {
		match kill {
			Kill::Streaming(_) | Kill::Finished => {}
			Kill::Acknowledging => {
				let voucher = payer.last(&finished);
				call.voucher(voucher).await;
			}
			Kill::Settled => payer.acknowledge(&mut call, &finished).await,
		}
	}
	call.task.abort();
	world.crash().await
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

	#[test]
	fn no_acknowledged_token_should_be_unpaid_and_none_paid_twice(
		answers in prop::collection::vec((kills(), 1u32..100, any::<bool>()), 1..4),
	) {
		let runtime = tokio::runtime::Builder::new_multi_thread()
			.worker_threads(2).enable_all().build().unwrap();
		runtime.block_on(async {
			let mut world = World::new().await;
			let mut payer = Payer::new(0);
			for (kill, tokens, adapter) in answers {
				let model = if adapter { ADAPTER } else { BASE };
				world = killed(world, &mut payer, model, tokens, kill).await;
				let lane = world.payee.store.lane(&world.key(0)).unwrap().unwrap();
				// Every open answer has become a receipt, and the worker holds no more than was signed.
				prop_assert!(world.payee.store.open_answers().unwrap().is_empty());
				prop_assert!(lane.paid().amount <= payer.claim.amount);
				prop_assert!(lane.owed.amount >= lane.paid().amount);
				// The payer as the gateway would stand after the crash: it takes the worker's word for
				// what is held if it signed it, and learns the receipts from `Accepted`.
				let held = lane.held.clone().unwrap().voucher;
				payer.receipts.retain(|receipt| !lane.unacknowledged.contains(&receipt.digest()));
				payer.claim = held;
			}
			let finished = world.answer(&mut payer, BASE, 10).await;
			prop_assert_eq!(finished.completion_tokens, 10);
			world.redeem().await;
			let lane = world.payee.store.lane(&world.key(0)).unwrap().unwrap();
			prop_assert!(lane.unacknowledged.is_empty());
			// What was paid is what the receipts say, one after the other, without gap or overlap.
			let mut totals = Totals::default();
			for (sequence, receipt) in (0u32..).zip(&payer.receipts) {
				let record = world.payee.store.receipt(&receipt.digest()).unwrap().unwrap();
				prop_assert_eq!(record.receipt.sequence, sequence);
				prop_assert_eq!(record.licence_from, totals.licence);
				let text = text_of(receipt.tokens_out);
				prop_assert_eq!(receipt.response, content_hash(text.as_bytes()));
				let tokens = u64::from(receipt.tokens_in + receipt.tokens_out);
				totals = totals.plus((receipt.compute, receipt.licence), tokens).unwrap();
			}
			prop_assert_eq!(totals, payer.totals());
			prop_assert_eq!(totals, lane.owed);
			prop_assert_eq!(lane.redeemed.amount, totals.amount);
			let state = world.chain.lock();
			prop_assert_eq!(state.channels[&CHANNEL].redeemed, totals.amount);
			Ok(())
		})?;
	}
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

	/// Whatever breaks off, whenever money is redeemed and epochs end, and however short the escrow is.
	#[test]
	fn an_honest_workers_reports_should_never_be_proven_wrong(
		answers in prop::collection::vec(
			(0u16..3, kills(), 1u32..100, any::<bool>(), any::<bool>(), any::<bool>()),
			1..6,
		),
		escrow in 1u128..20,
	) {
		let runtime = tokio::runtime::Builder::new_multi_thread()
			.worker_threads(2).enable_all().build().unwrap();
		runtime.block_on(async {
			let mut world = World::new().await;
			let mut payers = [Payer::new(0), Payer::new(1), Payer::new(2)];
			for (lane, kill, tokens, adapter, redeem, roll) in answers {
				let payer = &mut payers[usize::from(lane)];
				let model = if adapter { ADAPTER } else { BASE };
				world = killed(world, payer, model, tokens, kill).await;
				let known = world.payee.store.lane(&world.key(lane)).unwrap().unwrap();
				payer.receipts.retain(|receipt| !known.unacknowledged.contains(&receipt.digest()));
				payer.claim = known.held.clone().unwrap().voucher;
				if redeem {
					// The chain may pay a part only, and the rest later.
					let before = world.chain.lock().channels[&CHANNEL].escrow;
					world.chain.channel_mut(|channel| channel.escrow = escrow * OPEN / 100);
					world.redeem().await;
					let paid = escrow * OPEN / 100 - world.chain.lock().channels[&CHANNEL].escrow;
					world.chain.channel_mut(|channel| channel.escrow = before - paid);
				}
				if roll {
					world.chain.next_epoch();
				}
			}
			world.redeem().await;
			world.chain.next_epoch();
			finish_epochs(&world, 8).await;
		});
	}
}

#[tokio::test]
async fn a_heartbeat_should_be_sent_once_a_period_while_the_provider_is_active() {
	let world = World::new().await;
	let heart = Heart::new(world.payee.clone(), world.worker.metrics.clone());
	assert!(heart.beat().await.unwrap().is_some());
	for _ in 0..HEARTBEAT_PERIOD - 1 {
		assert_eq!(heart.beat().await, Ok(None));
		world.chain.next_block();
	}
	world.chain.lock().jailed = true;
	assert_eq!(heart.beat().await, Ok(None), "the chain would not take it");
	world.chain.lock().jailed = false;
	world.chain.lock().failures = 1;
	assert!(heart.beat().await.is_err());
	assert!(heart.beat().await.unwrap().is_some(), "and again");
	let sent = world.chain.lock().heartbeats.clone();
	assert_eq!(sent.len(), 2);
	assert!(sent[1] >= sent[0] + HEARTBEAT_PERIOD);
}
