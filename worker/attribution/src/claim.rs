//! The proof that a span which earned stands in the record it names.
//!
//! A checker needs the snapshot's root from the chain, the answer, and this claim; neither the index
//! nor the other records.

use crate::snapshot::{leaf, Snapshot, SnapshotError, MAX_RECORD};
use codec::{Decode, Encode};
use openledger_primitives::{
	content_hash,
	merkle::{self, MerkleError, Node},
	Commitment, ContributionLeaf, Span,
};
use serde::{Deserialize, Serialize};

/// Why a claim cannot be made or does not hold.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
	/// The snapshot has no such contribution or record.
	#[error("the snapshot has no record that the span names")]
	NotInSnapshot,
	/// The snapshot is not valid.
	#[error(transparent)]
	Snapshot(#[from] SnapshotError),
	/// The record is empty or longer than a record may be.
	#[error("the record has {0} bytes; a record has between 1 and 65536")]
	RecordLength(usize),
	/// The record is not the one the span names.
	#[error("the record's hash is not the one the span names")]
	WrongRecord,
	/// The leaf is another contribution's.
	#[error("the leaf is not of the contribution the span names")]
	WrongContribution,
	/// The record is not in the contribution.
	#[error("the record is not in the contribution: {0}")]
	NotInContribution(MerkleError),
	/// The contribution is not in the snapshot.
	#[error("the contribution is not in the snapshot: {0}")]
	ContributionNotInSnapshot(MerkleError),
	/// The span is empty or reaches past the record or the answer.
	#[error("the span is empty or reaches past the record or the answer")]
	OutOfRange,
	/// The bytes of the span differ.
	#[error("the answer does not say at this place what the record says")]
	TextDiffers,
}

/// A span, the record it names, and the path from the record to the snapshot's root.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct SpanClaim {
	/// The span.
	pub span: Span,
	/// The record's bytes.
	pub record: Vec<u8>,
	/// Path from the record to its contribution's root.
	pub record_proof: Vec<Node>,
	/// The contribution and the root over its records.
	pub contribution: ContributionLeaf,
	/// Position of the contribution among the snapshot's.
	pub contribution_index: u32,
	/// Path from the contribution to the snapshot's root.
	pub contribution_proof: Vec<Node>,
}

impl SpanClaim {
	/// The claim for `span`, whose Datanet `snapshot` is of.
	pub fn build(snapshot: &Snapshot, span: &Span) -> Result<Self, ClaimError> {
		let found = snapshot
			.contributions
			.iter()
			.zip(0u32..)
			.find(|(contribution, _)| contribution.id == span.contribution)
			.filter(|_| snapshot.datanet == span.datanet);
		let (contribution, contribution_index) = found.ok_or(ClaimError::NotInSnapshot)?;
		let at = usize::try_from(span.record_index).map_err(|_| ClaimError::NotInSnapshot)?;
		let record = contribution
			.records
			.texts()
			.get(at)
			.ok_or(ClaimError::NotInSnapshot)?;
		let records = contribution.records.tree().map_err(SnapshotError::from)?;
		let proof = records
			.proof(span.record_index)
			.map_err(SnapshotError::from)?;
		let path = snapshot
			.tree()?
			.proof(contribution_index)
			.map_err(SnapshotError::from)?;
		Ok(Self {
			span: *span,
			record: record.as_bytes().to_vec(),
			record_proof: proof,
			contribution: ContributionLeaf {
				contribution: contribution.id,
				records: records.commitment(),
			},
			contribution_index,
			contribution_proof: path,
		})
	}

	/// Checks the claim against the root that the chain holds for the snapshot of `span.datanet`.
	pub fn verify(&self, snapshot: &Commitment, answer: &[u8]) -> Result<(), ClaimError> {
		let Self { span, record, .. } = self;
		if record.is_empty() || record.len() > MAX_RECORD {
			return Err(ClaimError::RecordLength(record.len()));
		}
		if content_hash(record) != span.record {
			return Err(ClaimError::WrongRecord);
		}
		if self.contribution.contribution != span.contribution {
			return Err(ClaimError::WrongContribution);
		}
		let node = leaf(record).node();
		let records = &self.contribution.records;
		merkle::verify(records, span.record_index, node, &self.record_proof)
			.map_err(ClaimError::NotInContribution)?;
		let node = self.contribution.node();
		merkle::verify(
			snapshot,
			self.contribution_index,
			node,
			&self.contribution_proof,
		)
		.map_err(ClaimError::ContributionNotInSnapshot)?;
		let in_record = stretch(record, span.record_offset, span.length);
		let in_answer = stretch(answer, span.answer_offset, span.length);
		match (in_record, in_answer) {
			(Some(a), Some(b)) if !a.is_empty() => {
				if a == b {
					Ok(())
				} else {
					Err(ClaimError::TextDiffers)
				}
			}
			_ => Err(ClaimError::OutOfRange),
		}
	}
}

fn stretch(bytes: &[u8], offset: u32, length: u32) -> Option<&[u8]> {
	let start = usize::try_from(offset).ok()?;
	let end = start.checked_add(usize::try_from(length).ok()?)?;
	bytes.get(start..end)
}
