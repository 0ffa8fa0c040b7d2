//! Four validators as processes: one is killed, two are cut off, one signs twice, and a node without
//! history joins them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use openledger_tests::net::{eventually, turn, Network};
use serde_json::json;
use std::time::Duration;

/// Key of the storage value `System.Events`: the hashes of the pallet's and of the value's name.
const EVENTS: &str = "0x26aa394eea5630e07c48ae0c9558cef780d41e5e16056765bc8461851072c9d7";
/// Prefixes of the storage maps `Stakes.Jailed` and `Stakes.Slashes`.
const JAILED: &str = "0x99631790894601a7ff7dac1d1ca231bca1c39208ae179326200d042614e71922";
const SLASHES: &str = "0x99631790894601a7ff7dac1d1ca231bcad9af5438627d81aa32798bd09871b8e";
/// Key of the storage value `System.Number`.
const NUMBER: &str = "0x26aa394eea5630e07c48ae0c9558cef702a5c1b19ab7a04f536c519aca4983ac";

/// How long a few blocks may take to be final, in seconds, on a machine with other things to do.
const FINAL: u64 = 180;

#[tokio::test(flavor = "multi_thread")]
async fn finality_should_go_on_with_one_of_four_killed_and_take_it_back_when_it_returns() {
	let _turn = turn().await;
	let folder = tempfile::tempdir().unwrap();
	let mut net = Network::start(folder.path(), false).await.unwrap();
	net.until_final(2, FINAL).await.unwrap();

	net.peers[3].kill().unwrap();
	let best_when_killed = net.peers[0].best().await.unwrap();
	for survivor in &net.peers[..3] {
		// Past what was known when the fourth died, so that it had no part in it.
		survivor
			.until_final(best_when_killed + 2, FINAL)
			.await
			.unwrap();
	}

	net.peers[3].restart().await.unwrap();
	let best_when_back = net.peers[0].best().await.unwrap();
	net.until_final(best_when_back + 2, FINAL).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partitioned_pair_should_rejoin_without_two_finalised_histories() {
	let _turn = turn().await;
	let folder = tempfile::tempdir().unwrap();
	let net = Network::start(folder.path(), true).await.unwrap();
	net.until_final(2, FINAL).await.unwrap();

	net.set_partition(true).await.unwrap();
	for peer in &net.peers {
		let what = format!("{} hears its partner alone", peer.name);
		eventually(&what, 60, || async {
			Ok((peer.peers().await? == 1).then_some(()))
		})
		.await
		.unwrap();
	}
	// Votes and blocks that were under way have arrived; from here on a half is no majority.
	tokio::time::sleep(Duration::from_secs(3)).await;
	let (left, right) = (&net.peers[0], &net.peers[2]);
	let common = left.best().await.unwrap().min(right.best().await.unwrap());
	let final_left = left.finalised().await.unwrap();
	let final_right = right.finalised().await.unwrap();
	// Both halves build on, each its own chain.
	let forked = common + 3;
	for half in [left, right] {
		let what = format!("the half of {} builds on", half.name);
		eventually(&what, FINAL, || async {
			Ok((half.best().await? >= forked).then_some(()))
		})
		.await
		.unwrap();
	}
	assert_ne!(
		left.hash_at(forked).await.unwrap(),
		right.hash_at(forked).await.unwrap(),
		"two halves that cannot hear each other made the same block"
	);
	assert_eq!(
		(final_left, final_right),
		(
			left.finalised().await.unwrap(),
			right.finalised().await.unwrap()
		),
		"half of the validators finalised"
	);

	net.set_partition(false).await.unwrap();
	let longest = left.best().await.unwrap().max(right.best().await.unwrap());
	net.until_final(longest + 2, FINAL).await.unwrap();
	assert_eq!(
		left.hash_at(forked).await.unwrap(),
		right.hash_at(forked).await.unwrap(),
	);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_signs_twice_should_be_jailed_and_its_stake_seized() {
	let _turn = turn().await;
	let folder = tempfile::tempdir().unwrap();
	let mut net = Network::start(folder.path(), false).await.unwrap();
	// A second machine with Bob's keys: the mistake that validators are warned of most.
	net.add("twin", &["--validator", "--bob"]).await.unwrap();

	// `Offences.Offence`, whose first field names the kind in 16 bytes.
	let mut offence = "0600".to_owned();
	for byte in b"babe:equivocatio" {
		offence.push_str(&format!("{byte:02x}"));
	}
	let alice = &net.peers[0];
	let next = std::sync::atomic::AtomicU32::new(1);
	let reported_in = eventually("a block reports the equivocation", 2 * FINAL, || async {
		let number = next.load(std::sync::atomic::Ordering::Relaxed);
		// A block that is not final may yet give way to its twin.
		if alice.finalised().await? < number {
			return Ok(None);
		}
		next.store(number + 1, std::sync::atomic::Ordering::Relaxed);
		let block = alice.hash_at(number).await?;
		let events = alice.storage(EVENTS, &block).await?.unwrap_or_default();
		Ok(events.contains(&offence).then_some(number))
	})
	.await
	.unwrap();

	// It is Bob who is jailed, and what he loses is set aside until governance has had its time.
	let block = alice.hash_at(reported_in).await.unwrap();
	let jailed = alice.keys(JAILED, &block).await.unwrap();
	assert_eq!(jailed.len(), 1, "{jailed:?}");
	let bob = "8eaf04151687736326c9fea17e25fc5287613693c912909cb226aa4794f26a48";
	assert!(jailed[0].ends_with(bob), "{jailed:?}");
	assert_eq!(alice.keys(SLASHES, &block).await.unwrap().len(), 1);

	// The others are not disturbed.
	net.peers[0]
		.until_final(reported_in + 1, FINAL)
		.await
		.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes two minutes and wants a machine that does nothing else: cargo test --test validators -- --ignored"]
async fn a_pruning_node_should_warp_to_the_head_without_running_history() {
	let _turn = turn().await;
	let folder = tempfile::tempdir().unwrap();
	let mut net = Network::start(folder.path(), false).await.unwrap();
	net.until_final(6, FINAL).await.unwrap();

	let newcomer = net
		.add(
			"newcomer",
			&[
				"--sync",
				"warp",
				"--state-pruning",
				"64",
				"--blocks-pruning",
				"64",
			],
		)
		.await
		.unwrap();
	let best = net.peers[0].best().await.unwrap();
	net.until_final(best + 2, FINAL).await.unwrap();

	let newcomer = &net.peers[newcomer];
	let log = newcomer.log();
	assert!(
		log.contains("Warp sync is complete"),
		"it synced otherwise:\n{log}"
	);
	// It has the state of the head; that of the first block it never computed.
	let head = newcomer
		.call("chain_getFinalizedHead", json!([]))
		.await
		.unwrap();
	let head = head.as_str().unwrap();
	assert!(newcomer.storage(NUMBER, head).await.unwrap().is_some());
	let first = net.peers[0].hash_at(1).await.unwrap();
	assert!(newcomer.storage(NUMBER, &first).await.is_err());
}
