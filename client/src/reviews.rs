//! Reviews of contributions by staked reviewers, duplicates, bonds, and who is paid: calls and reads of
//! the Datanets pallet beyond [contributing](crate::calls::contribute).

use crate::{
	api::{
		self,
		runtime_types::{
			openledger_primitives::attribution::RecordLeaf as RawLeaf,
			pallet_datanets::types as datanets,
		},
	},
	Chain, ChainError,
};
use openledger_primitives::{
	amount_as_string, hash::structured_hash, merkle::Node, AccountId, Balance, BlockNumber,
	ContributionId, DatanetId, Hash, RecordLeaf,
};
use serde::{Deserialize, Serialize};
use subxt::{transactions::Payload, utils::Static};

/// What comes before a vote where it is hashed.
const VOTE_TAG: &[u8] = b"openledger/review-vote/1";

/// What a reviewer says of a contribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Vote {
	/// It does not belong into the Datanet.
	Reject,
	/// It does.
	Accept,
}

/// Somebody on a Datanet's panel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviewer {
	/// The account.
	pub account: AccountId,
	/// What it has at stake, in units.
	#[serde(with = "amount_as_string")]
	pub stake: Balance,
	/// The block since which it has had all of that at stake.
	pub since: BlockNumber,
	/// In how many open reviews it has a seat.
	pub seats: u32,
	/// Whether it leaves when those are concluded.
	pub leaving: bool,
}

/// A review in progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
	/// Whether it decides on an appeal.
	pub appeal: bool,
	/// The first block in which it is too late to commit.
	pub commit_until: BlockNumber,
	/// The first block in which it is too late to reveal.
	pub reveal_until: BlockNumber,
	/// Who may vote, and what has come of it.
	pub seats: Vec<Seat>,
}

/// Somebody's part in a review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
	/// The reviewer.
	pub reviewer: AccountId,
	/// What its vote weighs, in units.
	#[serde(with = "amount_as_string")]
	pub weight: Balance,
	/// Whether it has committed to a vote.
	pub committed: bool,
	/// The vote, once revealed.
	pub vote: Option<Vote>,
}

/// A record of a contribution, with its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordProof {
	/// The contribution.
	pub contribution: ContributionId,
	/// The record's position in it.
	pub index: u32,
	/// The record.
	pub leaf: RecordLeaf,
	/// The nodes beside its way to the root.
	pub proof: Vec<Node>,
}

impl From<datanets::Vote> for Vote {
	fn from(vote: datanets::Vote) -> Self {
		match vote {
			datanets::Vote::Reject => Self::Reject,
			datanets::Vote::Accept => Self::Accept,
		}
	}
}

impl From<Vote> for datanets::Vote {
	fn from(vote: Vote) -> Self {
		match vote {
			Vote::Reject => Self::Reject,
			Vote::Accept => Self::Accept,
		}
	}
}

impl From<RecordProof> for datanets::RecordProof {
	fn from(proof: RecordProof) -> Self {
		Self {
			contribution: proof.contribution,
			index: proof.index,
			leaf: RawLeaf {
				record: proof.leaf.record,
				bytes: proof.leaf.bytes,
			},
			proof: proof.proof.into_iter().map(Static).collect(),
		}
	}
}

impl From<datanets::Reviewer> for Reviewer {
	fn from(value: datanets::Reviewer) -> Self {
		Self {
			account: value.account.0,
			stake: value.stake,
			since: value.since,
			seats: value.seats,
			leaving: value.leaving,
		}
	}
}

impl From<datanets::Review> for Review {
	fn from(value: datanets::Review) -> Self {
		let seats = value.seats.into_iter().map(|seat| Seat {
			reviewer: seat.reviewer.0,
			weight: seat.weight,
			committed: !matches!(seat.ballot, datanets::Ballot::Empty),
			vote: match seat.ballot {
				datanets::Ballot::Open(vote) => Some(vote.into()),
				datanets::Ballot::Empty | datanets::Ballot::Sealed(_) => None,
			},
		});
		Self {
			appeal: value.appeal,
			commit_until: value.commit_until,
			reveal_until: value.reveal_until,
			seats: seats.collect(),
		}
	}
}

impl Chain {
	/// The reviewers of a Datanet.
	pub async fn panel(&self, datanet: DatanetId) -> Result<Vec<Reviewer>, ChainError> {
		let panel = self
			.get(api::storage().datanets().panels(), (datanet,))
			.await?;
		Ok(panel
			.unwrap_or_default()
			.into_iter()
			.map(Into::into)
			.collect())
	}

	/// The review of a contribution, if one is open.
	pub async fn review(
		&self,
		datanet: DatanetId,
		contribution: ContributionId,
	) -> Result<Option<Review>, ChainError> {
		let address = api::storage().datanets().reviews();
		let review = self.get(address, (datanet, contribution)).await?;
		Ok(review.map(Into::into))
	}
}

/// `Datanets.set_payout_account`.
pub fn set_payout_account(
	datanet: DatanetId,
	contribution: ContributionId,
	payout: AccountId,
) -> impl Payload {
	api::tx()
		.datanets()
		.set_payout_account(datanet, contribution, Static(payout))
}

/// `Datanets.release_bond`.
pub fn release_bond(datanet: DatanetId, contribution: ContributionId) -> impl Payload {
	api::tx().datanets().release_bond(datanet, contribution)
}

/// `Datanets.claim_duplicate`.
pub fn claim_duplicate(
	datanet: DatanetId,
	original: RecordProof,
	duplicate: RecordProof,
) -> impl Payload {
	api::tx()
		.datanets()
		.claim_duplicate(datanet, original.into(), duplicate.into())
}

/// `Datanets.join_panel`.
pub fn join_panel(datanet: DatanetId, stake: Balance) -> impl Payload {
	api::tx().datanets().join_panel(datanet, stake)
}

/// `Datanets.leave_panel`.
pub fn leave_panel(datanet: DatanetId) -> impl Payload {
	api::tx().datanets().leave_panel(datanet)
}

/// `Datanets.open_review`.
pub fn open_review(datanet: DatanetId, contribution: ContributionId) -> impl Payload {
	api::tx().datanets().open_review(datanet, contribution)
}

/// `Datanets.commit_vote`, to be signed by `reviewer`, who must keep `salt` for [`reveal_vote`]. The salt
/// must be [random](random_salt) and new for each vote.
pub fn commit_vote(
	datanet: DatanetId,
	contribution: ContributionId,
	reviewer: &AccountId,
	vote: Vote,
	salt: &Hash,
) -> impl Payload {
	let commitment = vote_commitment(datanet, contribution, reviewer, vote, salt);
	api::tx()
		.datanets()
		.commit_vote(datanet, contribution, commitment)
}

/// `Datanets.reveal_vote`.
pub fn reveal_vote(
	datanet: DatanetId,
	contribution: ContributionId,
	vote: Vote,
	salt: Hash,
) -> impl Payload {
	api::tx()
		.datanets()
		.reveal_vote(datanet, contribution, vote.into(), salt)
}

/// `Datanets.conclude_review`.
pub fn conclude_review(datanet: DatanetId, contribution: ContributionId) -> impl Payload {
	api::tx().datanets().conclude_review(datanet, contribution)
}

/// `Datanets.appeal`.
pub fn appeal(datanet: DatanetId, contribution: ContributionId) -> impl Payload {
	api::tx().datanets().appeal(datanet, contribution)
}

/// `Datanets.clear_rejected`.
pub fn clear_rejected(datanet: DatanetId, contribution: ContributionId) -> impl Payload {
	api::tx().datanets().clear_rejected(datanet, contribution)
}

/// What commits `reviewer` to `vote`: `sha256(tag ‖ SCALE(datanet, contribution, reviewer, vote, salt))`.
pub fn vote_commitment(
	datanet: DatanetId,
	contribution: ContributionId,
	reviewer: &AccountId,
	vote: Vote,
	salt: &Hash,
) -> Hash {
	let accepts = vote == Vote::Accept;
	structured_hash(VOTE_TAG, &(datanet, contribution, reviewer, accepts, salt))
}

/// A random salt for [`commit_vote`].
pub fn random_salt() -> Hash {
	Hash::from(rand::random::<[u8; 32]>())
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn vote_commitment_should_be_the_pallets() {
		let mut bytes = b"openledger/review-vote/1".to_vec();
		bytes.extend(7u32.to_le_bytes());
		bytes.extend(9u32.to_le_bytes());
		bytes.extend([3; 32]);
		bytes.push(1);
		bytes.extend([5; 32]);
		let (reviewer, salt) = (AccountId::new([3; 32]), Hash::repeat_byte(5));
		assert_eq!(
			vote_commitment(7, 9, &reviewer, Vote::Accept, &salt),
			openledger_primitives::content_hash(&bytes)
		);
	}
}
