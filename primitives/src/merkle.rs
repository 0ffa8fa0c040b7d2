//! A Merkle-sum tree: one root commits to every leaf and to the sum of their amounts.
//!
//! ```text
//! leaf = sha256(0x00 ‖ SCALE(value))                         with the leaf's amount as its sum
//! node = sha256(0x01 ‖ l.hash ‖ l.sum ‖ r.hash ‖ r.sum)      with l.sum + r.sum, checked
//! ```
//!
//! Sums are little-endian `u128`. The tree has depth `ceil(log2 n)`; missing leaves are `(0…0, 0)`.
//! Leaves and inner nodes are hashed under different prefixes and the depth follows from the leaf
//! count, so neither an inner node nor a short proof can pass for a leaf.
//!
//! A proof covers a contiguous range of leaves. It lists, level by level from the leaves up, the
//! left neighbour and then the right neighbour of the range, each only where the range's edge cuts a
//! pair and the neighbour is not padding (padding is known, so it is computed, not believed).

use crate::{Balance, Hash};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_io::hashing::sha2_256;

/// Most leaves a tree may have: bounds the work of building one and the depth of a proof.
pub const MAX_LEAVES: u32 = 1 << 20;

/// Depth of a tree of [`MAX_LEAVES`] leaves.
pub const MAX_DEPTH: u32 = 20;

/// Most nodes a proof can have: two for each level.
pub const MAX_PROOF: u32 = 2 * MAX_DEPTH;

/// A node of the tree: its hash and the sum of the amounts below it.
#[derive(
	Clone,
	Copy,
	Debug,
	Default,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Node {
	/// Hash of the leaf's value or of the two children.
	pub hash: Hash,
	/// Sum of the amounts of the leaves below.
	#[cfg_attr(feature = "std", serde(with = "crate::amount_as_string"))]
	pub sum: Balance,
}

/// What goes on chain of a tree.
#[derive(
	Clone,
	Copy,
	Debug,
	Default,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Commitment {
	/// Hash of the root.
	pub root: Hash,
	/// Sum of all leaves' amounts.
	#[cfg_attr(feature = "std", serde(with = "crate::amount_as_string"))]
	pub sum: Balance,
	/// Number of leaves, which fixes the depth.
	pub count: u32,
}

/// Why a tree could not be built or a proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MerkleError {
	/// No leaves, or more than [`MAX_LEAVES`].
	LeafCount,
	/// The amounts add up to more than a `u128` holds.
	SumOverflow,
	/// The range is empty or reaches past the last leaf.
	OutOfRange,
	/// The proof has too few nodes.
	ProofTooShort,
	/// The proof has nodes left over.
	ProofTooLong,
	/// The proof leads to another root hash or sum.
	WrongRoot,
}

impl core::fmt::Display for MerkleError {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		f.write_str(match self {
			Self::LeafCount => "a Merkle-sum tree has between 1 and 1,048,576 leaves",
			Self::SumOverflow => "the amounts of the leaves overflow",
			Self::OutOfRange => "the range of leaves is empty or reaches past the last leaf",
			Self::ProofTooShort => "the proof has too few nodes for its depth",
			Self::ProofTooLong => "the proof has more nodes than its depth allows",
			Self::WrongRoot => "the proof leads to another root or sum",
		})
	}
}

impl core::error::Error for MerkleError {}

/// The leaf for `value`, carrying `amount`.
pub fn leaf(value: &impl Encode, amount: Balance) -> Node {
	let mut bytes = alloc::vec![0u8];
	value.encode_to(&mut bytes);
	Node {
		hash: Hash::from(sha2_256(&bytes)),
		sum: amount,
	}
}

/// Parent of `left` and `right`.
pub fn join(left: &Node, right: &Node) -> Result<Node, MerkleError> {
	let bytes = (1u8, left.hash, left.sum, right.hash, right.sum).encode();
	let sum = left
		.sum
		.checked_add(right.sum)
		.ok_or(MerkleError::SumOverflow)?;
	Ok(Node {
		hash: Hash::from(sha2_256(&bytes)),
		sum,
	})
}

/// Depth of a tree of `count` leaves: `ceil(log2 count)`.
pub fn depth(count: u32) -> Result<u32, MerkleError> {
	if count == 0 || count > MAX_LEAVES {
		return Err(MerkleError::LeafCount);
	}
	Ok(count.next_power_of_two().trailing_zeros())
}

/// A whole tree, kept by whoever proves.
#[derive(Clone, Debug)]
pub struct Tree {
	/// `levels[0]` are the leaves, the last level is the root; padding is not stored.
	levels: Vec<Vec<Node>>,
}

impl Tree {
	/// Builds the tree over `leaves`, in their order.
	pub fn new(leaves: Vec<Node>) -> Result<Self, MerkleError> {
		let count = u32::try_from(leaves.len()).map_err(|_| MerkleError::LeafCount)?;
		let mut padding = Node::default();
		let mut levels = alloc::vec![leaves];
		for _ in 0..depth(count)? {
			let below = levels.last().map(Vec::as_slice).unwrap_or_default();
			let above = below
				.chunks(2)
				.map(|pair| match pair {
					[left, right] => join(left, right),
					[left] => join(left, &padding),
					_ => Err(MerkleError::LeafCount),
				})
				.collect::<Result<Vec<_>, _>>()?;
			levels.push(above);
			padding = join(&padding, &padding)?;
		}
		Ok(Self { levels })
	}

	/// Root, sum and leaf count.
	pub fn commitment(&self) -> Commitment {
		let root = self
			.levels
			.last()
			.and_then(|level| level.first())
			.copied()
			.unwrap_or_default();
		let count = self.levels.first().map_or(0, Vec::len);
		Commitment {
			root: root.hash,
			sum: root.sum,
			count: count.try_into().unwrap_or(u32::MAX),
		}
	}

	/// Proof that the leaf at `index` is in the tree.
	pub fn proof(&self, index: u32) -> Result<Vec<Node>, MerkleError> {
		self.range_proof(index, 1)
	}

	/// Proof that `len` leaves from `start` on are in the tree, in their order.
	pub fn range_proof(&self, start: u32, len: u32) -> Result<Vec<Node>, MerkleError> {
		let (mut low, mut high) = range(start, len, self.commitment().count)?;
		let mut proof = Vec::new();
		for level in self
			.levels
			.split_last()
			.map(|(_, below)| below)
			.unwrap_or_default()
		{
			for neighbour in neighbours(low, high).into_iter().flatten() {
				proof.extend(usize::try_from(neighbour).ok().and_then(|at| level.get(at)));
			}
			(low, high) = parents(low, high);
		}
		Ok(proof)
	}
}

/// Checks that `leaf` stands at `index` in the tree behind `commitment`.
pub fn verify(
	commitment: &Commitment,
	index: u32,
	leaf: Node,
	proof: &[Node],
) -> Result<(), MerkleError> {
	verify_range(commitment, index, alloc::vec![leaf], proof)
}

/// As [`verify`], and tells the sum of all leaves before this one: the leaf's amount covers the
/// interval from there on.
pub fn verify_at(
	commitment: &Commitment,
	index: u32,
	leaf: Node,
	proof: &[Node],
) -> Result<Balance, MerkleError> {
	verify(commitment, index, leaf, proof)?;
	let mut before: Balance = 0;
	let (mut at, mut width) = (index, commitment.count);
	let mut proof = proof.iter();
	for _ in 0..depth(commitment.count)? {
		let next = at.checked_add(1).ok_or(MerkleError::OutOfRange)?;
		let [left, right] = neighbours(at, next);
		if left.is_some() {
			let sibling = proof.next().ok_or(MerkleError::ProofTooShort)?;
			before = before
				.checked_add(sibling.sum)
				.ok_or(MerkleError::SumOverflow)?;
		}
		if right.is_some_and(|right| right < width) {
			proof.next();
		}
		at /= 2;
		width = width.div_ceil(2);
	}
	Ok(before)
}

/// Checks that `leaves` stand from `start` on, in their order, in the tree behind `commitment`.
pub fn verify_range(
	commitment: &Commitment,
	start: u32,
	leaves: Vec<Node>,
	proof: &[Node],
) -> Result<(), MerkleError> {
	let len = u32::try_from(leaves.len()).map_err(|_| MerkleError::OutOfRange)?;
	let (mut low, mut high) = range(start, len, commitment.count)?;
	let mut width = commitment.count;
	let mut padding = Node::default();
	let mut proof = proof.iter();
	let mut level = leaves;
	for _ in 0..depth(commitment.count)? {
		let mut sibling = |at: u32| {
			if at < width {
				proof.next().copied().ok_or(MerkleError::ProofTooShort)
			} else {
				Ok(padding)
			}
		};
		let [left, right] = neighbours(low, high);
		if let Some(at) = left {
			level.insert(0, sibling(at)?);
		}
		if let Some(at) = right {
			level.push(sibling(at)?);
		}
		level = level
			.chunks(2)
			.map(|pair| match pair {
				[left, right] => join(left, right),
				_ => Err(MerkleError::OutOfRange),
			})
			.collect::<Result<_, _>>()?;
		(low, high) = parents(low, high);
		width = width.div_ceil(2);
		padding = join(&padding, &padding)?;
	}
	if proof.next().is_some() {
		return Err(MerkleError::ProofTooLong);
	}
	match level.as_slice() {
		[root] if root.hash == commitment.root && root.sum == commitment.sum => Ok(()),
		_ => Err(MerkleError::WrongRoot),
	}
}

/// `[low, high)` of a range of leaves, if it lies within `count`.
fn range(start: u32, len: u32, count: u32) -> Result<(u32, u32), MerkleError> {
	match start.checked_add(len) {
		Some(end) if len > 0 && end <= count => Ok((start, end)),
		_ => Err(MerkleError::OutOfRange),
	}
}

/// Positions of the nodes beside `[low, high)` that its parents need: left, then right.
fn neighbours(low: u32, high: u32) -> [Option<u32>; 2] {
	[
		if low % 2 == 1 {
			low.checked_sub(1)
		} else {
			None
		},
		(high % 2 == 1).then_some(high),
	]
}

/// The range of the parents of `[low, high)`.
fn parents(low: u32, high: u32) -> (u32, u32) {
	(low / 2, high.div_ceil(2))
}
