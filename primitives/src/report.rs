//! From an epoch's receipts to its payouts: what a usage report commits to.
//!
//! A provider splits the epoch's pot over its receipts in proportion to the licence money each
//! brought in, each receipt's part over the roles by the governed shares, and the data share over
//! contributions by the receipt's scores. Anyone who has the receipts gets the same leaves.

use crate::{
	fees::{apportion, Terms},
	merkle::{self, MerkleError, Node, Tree},
	AdapterId, Balance, BaseModelId, ContributionId, DatanetId, Hash,
};
use alloc::{collections::BTreeMap, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// A leaf of a report's receipts tree; its amount is `paid`.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct ReceiptLeaf {
	/// [Digest](crate::Receipt::digest) of the receipt.
	pub receipt: Hash,
	/// The licence money of this receipt that was redeemed in this epoch, in units; less than the
	/// receipt's licence price where the escrow was short.
	#[cfg_attr(feature = "std", serde(with = "crate::amount_as_string"))]
	pub paid: Balance,
}

/// Who is paid, by what it did. The chain finds the account, so nobody can be named in its place.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub enum Payee {
	/// The owner of a base model.
	#[codec(index = 0)]
	BaseOwner(BaseModelId),
	/// The owner of an adapter.
	#[codec(index = 1)]
	AdapterOwner(AdapterId),
	/// Those who stake for the network's validators.
	#[codec(index = 2)]
	Stakers,
	/// A contributor to a snapshot that an adapter was trained on.
	#[codec(index = 3)]
	Contributor {
		/// The adapter.
		adapter: AdapterId,
		/// The Datanet.
		datanet: DatanetId,
		/// The contribution within it.
		contribution: ContributionId,
	},
}

/// A leaf of a report's payouts tree; its amount is `amount`.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct PayoutLeaf {
	/// Who is paid.
	pub payee: Payee,
	/// How much, in units.
	#[cfg_attr(feature = "std", serde(with = "crate::amount_as_string"))]
	pub amount: Balance,
}

impl ReceiptLeaf {
	/// This leaf's node in the tree.
	pub fn node(&self) -> Node {
		merkle::leaf(self, self.paid)
	}
}

impl PayoutLeaf {
	/// This leaf's node in the tree.
	pub fn node(&self) -> Node {
		merkle::leaf(self, self.amount)
	}
}

/// A contribution and its weight in a receipt's data share; only ratios matter.
pub type DataWeight = (DatanetId, ContributionId, u128);

/// What one receipt contributes to an epoch's payouts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earning {
	/// The licence money of this receipt that was redeemed in this epoch, in units.
	pub paid: Balance,
	/// The base model that answered.
	pub base: BaseModelId,
	/// The adapter that answered and the weights of its data contributors, if there was one.
	pub adapter: Option<(AdapterId, Vec<DataWeight>)>,
}

/// The payouts of an epoch whose pot holds `pot` units, ordered by payee, none of them zero, summing
/// to `pot` exactly.
///
/// Where there is no adapter, or none of its contributors has a positive weight, the shares that
/// would have gone to the adapter's side go to the base owner, or the data share to the adapter owner.
/// `None` on overflow, if `terms` are invalid, or if there is a pot but nothing was earned.
pub fn payouts(pot: Balance, earnings: &[Earning], terms: &Terms) -> Option<Vec<PayoutLeaf>> {
	if !terms.is_valid() {
		return None;
	}
	if pot == 0 {
		return Some(Vec::new());
	}
	let paid: Vec<u128> = earnings.iter().map(|earning| earning.paid).collect();
	let mut owed = BTreeMap::<Payee, Balance>::new();
	for (earning, net) in earnings.iter().zip(apportion(pot, &paid)?) {
		for (payee, amount) in split(earning, net, terms)? {
			let entry = owed.entry(payee).or_default();
			*entry = entry.checked_add(amount)?;
		}
	}
	Some(
		owed.into_iter()
			.filter(|(_, amount)| *amount > 0)
			.map(|(payee, amount)| PayoutLeaf { payee, amount })
			.collect(),
	)
}

/// Splits `net` units that one receipt earned over its payees.
pub fn split(earning: &Earning, net: Balance, terms: &Terms) -> Option<Vec<(Payee, Balance)>> {
	let shares = [
		terms.base_owner,
		terms.adapter_owner,
		terms.stakers,
		terms.data,
	]
	.map(u128::from);
	let [base, adapter, stakers, data]: [Balance; 4] = apportion(net, &shares)?.try_into().ok()?;
	let mut parts = alloc::vec![(Payee::Stakers, stakers)];
	let Some((id, contributors)) = &earning.adapter else {
		let rest = base.checked_add(adapter)?.checked_add(data)?;
		parts.push((Payee::BaseOwner(earning.base), rest));
		return Some(parts);
	};
	parts.push((Payee::BaseOwner(earning.base), base));
	let weights: Vec<u128> = contributors.iter().map(|(_, _, weight)| *weight).collect();
	if weights.iter().all(|weight| *weight == 0) {
		parts.push((Payee::AdapterOwner(*id), adapter.checked_add(data)?));
		return Some(parts);
	}
	parts.push((Payee::AdapterOwner(*id), adapter));
	for ((datanet, contribution, _), amount) in contributors.iter().zip(apportion(data, &weights)?)
	{
		let payee = Payee::Contributor {
			adapter: *id,
			datanet: *datanet,
			contribution: *contribution,
		};
		parts.push((payee, amount));
	}
	Some(parts)
}

/// The tree over an epoch's payouts.
pub fn payouts_tree(leaves: &[PayoutLeaf]) -> Result<Tree, MerkleError> {
	Tree::new(leaves.iter().map(PayoutLeaf::node).collect())
}

/// The tree over an epoch's receipts.
pub fn receipts_tree(leaves: &[ReceiptLeaf]) -> Result<Tree, MerkleError> {
	Tree::new(leaves.iter().map(ReceiptLeaf::node).collect())
}
