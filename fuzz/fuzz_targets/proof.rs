//! A Merkle proof of one leaf. Whatever the bytes, no proof may lead from a leaf that is not there
//! to the root of an honest tree.

#![no_main]

use codec::Decode;
use libfuzzer_sys::fuzz_target;
use openledger_primitives::{
	merkle::{self, Node, Tree},
	Commitment,
};
use std::sync::LazyLock;

static HONEST: LazyLock<Tree> = LazyLock::new(|| {
	let leaves = (0..13u32).map(|at| merkle::leaf(&at, u128::from(at) * 1_000));
	Tree::new(leaves.collect()).unwrap()
});

fuzz_target!(|input: &[u8]| {
	let Ok((index, amount, proof)) = <(u32, u128, Vec<Node>)>::decode(&mut &input[..]) else {
		return;
	};
	let forged = merkle::leaf(&"forged", amount);
	assert!(merkle::verify(&HONEST.commitment(), index, forged, &proof).is_err());
	// The commitment may be a stranger's as well.
	if let Ok((commitment, leaf, index, proof)) =
		<(Commitment, Node, u32, Vec<Node>)>::decode(&mut &input[..])
	{
		let _ = merkle::verify(&commitment, index, leaf, &proof);
	}
});
