//! A proof of several leaves at once, as settlements carry it.

#![no_main]

use codec::Decode;
use libfuzzer_sys::fuzz_target;
use openledger_primitives::{
	merkle::{self, Node, Tree},
	Commitment,
};
use std::sync::LazyLock;

static LEAVES: LazyLock<Vec<Node>> = LazyLock::new(|| {
	(0..29u32)
		.map(|at| merkle::leaf(&at, u128::from(at) << 90))
		.collect()
});
static HONEST: LazyLock<Tree> = LazyLock::new(|| Tree::new(LEAVES.clone()).unwrap());

fuzz_target!(|input: &[u8]| {
	let Ok((start, leaves, proof)) = <(u32, Vec<Node>, Vec<Node>)>::decode(&mut &input[..]) else {
		return;
	};
	let honest = HONEST.commitment();
	if merkle::verify_range(&honest, start, leaves.clone(), &proof).is_ok() {
		let there = LEAVES.iter().skip(start as usize).take(leaves.len());
		assert!(there.eq(leaves.iter()), "only what is there can be proved");
	}
	if let Ok(commitment) = Commitment::decode(&mut &input[..]) {
		let _ = merkle::verify_range(&commitment, start, leaves, &proof);
	}
});
