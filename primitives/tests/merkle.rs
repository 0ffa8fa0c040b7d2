//! Properties of the Merkle-sum tree, and the attacks on it.
#![allow(clippy::unwrap_used)]

use codec::Encode;
use openledger_primitives::{
	merkle::{
		depth, join, leaf, verify, verify_at, verify_range, Commitment, MerkleError, Node, Tree,
	},
	Balance,
};
use proptest::prelude::*;

fn leaves(amounts: &[u64]) -> Vec<Node> {
	amounts
		.iter()
		.enumerate()
		.map(|(i, amount)| leaf(&(i as u32), (*amount).into()))
		.collect()
}

fn some_tree(count: u64) -> (Tree, Vec<Node>) {
	let leaves = leaves(&(1..=count).collect::<Vec<_>>());
	(Tree::new(leaves.clone()).unwrap(), leaves)
}

#[test]
fn depth_should_be_the_ceiling_of_the_binary_logarithm() {
	let depths = [1, 2, 3, 4, 5, 8, 9].map(|count| depth(count).unwrap());
	assert_eq!(depths, [0, 1, 2, 2, 3, 3, 4]);
	assert_eq!(depth(0), Err(MerkleError::LeafCount));
	assert_eq!(depth(u32::MAX), Err(MerkleError::LeafCount));
}

#[test]
fn a_tree_of_one_leaf_should_be_that_leaf() {
	let (tree, leaves) = some_tree(1);
	let commitment = tree.commitment();
	assert_eq!(
		(commitment.root, commitment.sum, commitment.count),
		(leaves[0].hash, 1, 1)
	);
	verify(&commitment, 0, leaves[0], &[]).unwrap();
}

#[test]
fn an_inner_node_should_not_pass_for_a_leaf() {
	let (tree, leaves) = some_tree(4);
	let inner = join(&leaves[0], &leaves[1]).unwrap();
	let sibling = join(&leaves[2], &leaves[3]).unwrap();
	// In a tree said to have two leaves the inner nodes would be the leaves: the root is the same…
	let claimed = Commitment {
		count: 2,
		..tree.commitment()
	};
	verify(&claimed, 0, inner, &[sibling]).unwrap();
	// …but the chain holds the count, which fixes the depth.
	let refused = verify(&tree.commitment(), 0, inner, &[sibling]);
	assert_eq!(refused, Err(MerkleError::ProofTooShort));
	// And the bytes of an inner node, taken as a leaf's value, hash to something else.
	let bytes = (leaves[0].hash, leaves[0].sum, leaves[1].hash, leaves[1].sum);
	assert_ne!(leaf(&bytes, inner.sum).hash, inner.hash);
	assert_eq!(bytes.encode().len(), 96);
}

#[test]
fn short_and_long_proofs_should_be_refused() {
	let (tree, leaves) = some_tree(7);
	let mut proof = tree.proof(3).unwrap();
	let last = proof.pop().unwrap();
	let commitment = tree.commitment();
	assert_eq!(
		verify(&commitment, 3, leaves[3], &proof),
		Err(MerkleError::ProofTooShort)
	);
	proof.extend([last, last]);
	assert_eq!(
		verify(&commitment, 3, leaves[3], &proof),
		Err(MerkleError::ProofTooLong)
	);
}

#[test]
fn overflowing_sums_should_be_refused() {
	let huge = Node {
		sum: Balance::MAX,
		..Node::default()
	};
	let one = Node {
		sum: 1,
		..Node::default()
	};
	assert_eq!(
		Tree::new(vec![huge, one]).unwrap_err(),
		MerkleError::SumOverflow
	);
	let commitment = Commitment {
		sum: 0,
		count: 2,
		..Commitment::default()
	};
	assert_eq!(
		verify(&commitment, 0, huge, &[one]),
		Err(MerkleError::SumOverflow)
	);
}

#[test]
fn leaves_past_the_end_should_not_exist() {
	let (tree, _) = some_tree(5);
	let commitment = tree.commitment();
	assert_eq!(tree.proof(5), Err(MerkleError::OutOfRange));
	let refused = verify(&commitment, 5, Node::default(), &[]);
	assert_eq!(refused, Err(MerkleError::OutOfRange));
	assert_eq!(
		verify_range(&commitment, 0, vec![], &[]),
		Err(MerkleError::OutOfRange)
	);
	let wrap = verify_range(&commitment, u32::MAX, vec![Node::default()], &[]);
	assert_eq!(wrap, Err(MerkleError::OutOfRange));
}

#[test]
fn money_hidden_behind_the_padding_should_be_found() {
	// A cheat builds four leaves and declares three.
	let (tree, leaves) = some_tree(4);
	let claimed = Commitment {
		count: 3,
		..tree.commitment()
	};
	let proof = tree.proof(2).unwrap();
	assert!(verify(&claimed, 2, leaves[2], &proof).is_err());
	assert!(verify(&claimed, 2, leaves[2], &proof[1..]).is_err());
}

proptest! {
	#[test]
	fn every_range_should_verify_and_no_forged_one_should(
		amounts in prop::collection::vec(any::<u64>(), 1..70),
		start: prop::sample::Index,
		len: prop::sample::Index,
		forged: prop::sample::Index,
		delta in 1u128..,
	) {
		let leaves = leaves(&amounts);
		let tree = Tree::new(leaves.clone()).unwrap();
		let commitment = tree.commitment();
		prop_assert_eq!(commitment.sum, amounts.iter().map(|a| u128::from(*a)).sum::<u128>());
		let start = start.index(leaves.len());
		let len = 1 + len.index(leaves.len() - start);
		let proof = tree.range_proof(start as u32, len as u32).unwrap();
		let mut range = leaves[start..start + len].to_vec();
		prop_assert_eq!(verify_range(&commitment, start as u32, range.clone(), &proof), Ok(()));

		let at = forged.index(len + proof.len());
		let mut proof = proof;
		let node = if at < len { &mut range[at] } else { &mut proof[at - len] };
		node.sum = node.sum.wrapping_add(delta);
		prop_assert!(verify_range(&commitment, start as u32, range, &proof).is_err());
	}

	#[test]
	fn verify_at_should_tell_the_sum_before_a_leaf(
		amounts in prop::collection::vec(any::<u64>(), 1..70), at: prop::sample::Index,
	) {
		let leaves = leaves(&amounts);
		let tree = Tree::new(leaves.clone()).unwrap();
		let at = at.index(leaves.len());
		let proof = tree.proof(at as u32).unwrap();
		let before = verify_at(&tree.commitment(), at as u32, leaves[at], &proof).unwrap();
		prop_assert_eq!(before, amounts[..at].iter().map(|a| u128::from(*a)).sum::<u128>());
		let short = &proof[..proof.len().saturating_sub(1)];
		if !proof.is_empty() {
			prop_assert!(verify_at(&tree.commitment(), at as u32, leaves[at], short).is_err());
		}
	}

	#[test]
	fn a_leaf_should_not_verify_at_another_place(
		count in 2u64..40, a: prop::sample::Index, b: prop::sample::Index,
	) {
		let (tree, leaves) = some_tree(count);
		let (a, b) = (a.index(leaves.len()), b.index(leaves.len()));
		prop_assume!(a != b);
		let proof = tree.proof(a as u32).unwrap();
		prop_assert!(verify(&tree.commitment(), b as u32, leaves[a], &proof).is_err());
	}
}
