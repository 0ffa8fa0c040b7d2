//! From an epoch's receipts to its payouts: what a usage report commits to.
//!
//! A provider splits the epoch's pot over its receipts in proportion to the licence money each
//! brought in, each receipt's net over the roles by the governed shares, and the data share over
//! contributions by the receipt's scores. Anyone who has the receipts gets the same leaves.
//!
//! A report commits to three trees. The **receipts** say what was paid for, the **parts** what each
//! payee gets of each receipt, the **payouts** what each payee gets in all. What one receipt nets
//! follows from its own leaf and the sum of those before it, so a part can be checked against one
//! receipt; parts and payouts stand in the same order and come to the same sum, so each part lies
//! within its payee's payout, and that can be checked with one leaf of either.

use crate::{
	fees::{apportion, scale, Terms},
	merkle::{self, MerkleError, Node, Tree},
	AdapterId, Balance, BaseModelId, ContributionId, DatanetId, Hash,
};
use alloc::{collections::BTreeMap, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::cmp::Reverse;
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
	/// [Digest](crate::Receipt::digest) of the receipt; zero for money that the provider cannot
	/// explain any more, which goes to the treasury.
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
	/// The treasury: for money that nobody's work explains.
	#[codec(index = 4)]
	Treasury,
}

/// A leaf of a report's parts tree: what one payee gets of one receipt; its amount is `amount`.
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
pub struct PartLeaf {
	/// Who is paid.
	pub payee: Payee,
	/// Index of the receipt in the receipts tree.
	pub receipt: u32,
	/// How much, in units.
	#[cfg_attr(feature = "std", serde(with = "crate::amount_as_string"))]
	pub amount: Balance,
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

impl PartLeaf {
	/// This leaf's node in the tree.
	pub fn node(&self) -> Node {
		merkle::leaf(self, self.amount)
	}
}

impl PayoutLeaf {
	/// This leaf's node in the tree.
	pub fn node(&self) -> Node {
		merkle::leaf(self, self.amount)
	}
}

/// Most contributors that one receipt pays: one fewer than a dispute can add up, so that it sees all of
/// them wherever there are more.
pub const MAX_CONTRIBUTORS: u32 = 127;

/// A contribution and its weight in a receipt's data share; only ratios matter.
pub type DataWeight = (DatanetId, ContributionId, u128);

/// What one receipt contributes to an epoch's payouts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earning {
	/// The licence money of this receipt that was redeemed in this epoch, in units.
	pub paid: Balance,
	/// The base model that answered; `None` for money that no receipt explains (whose leaf has the
	/// zero hash).
	pub base: Option<BaseModelId>,
	/// The adapter that answered and the weights of its data contributors, if there was one.
	pub adapter: Option<(AdapterId, Vec<DataWeight>)>,
}

/// What one receipt is worth after the protocol's cut, in units, given the epoch's `licence` money
/// before and `net` after it, the licence money `before` this receipt in the receipts tree and what
/// was `paid` of this one: `floor(net × (before + paid) / licence) − floor(net × before / licence)`.
///
/// Over all receipts of a tree these sum to `net` exactly. `None` on overflow or without licence money.
pub fn receipt_net(
	licence: Balance,
	net: Balance,
	before: Balance,
	paid: Balance,
) -> Option<Balance> {
	let from = scale(net, before, licence)?;
	let to = scale(net, before.checked_add(paid)?, licence)?;
	to.checked_sub(from)
}

/// The shares of `net` units that one receipt earned: of the base owner, the adapter owner, the
/// stakers and the data contributors, in units. `None` if no share is positive.
pub fn role_shares(net: Balance, terms: &Terms) -> Option<[Balance; 4]> {
	let shares = [
		terms.base_owner,
		terms.adapter_owner,
		terms.stakers,
		terms.data,
	]
	.map(u128::from);
	apportion(net, &shares)?.try_into().ok()
}

/// The parts of an epoch that redeemed `licence` units, of which `net` are left after the cut: what
/// each payee gets of each of `earnings`, which stand as in the receipts tree. Ordered by payee and
/// receipt, none of them zero, summing to `net` exactly.
///
/// Without an adapter the shares of its side go to the base owner. Where none of an adapter's
/// contributors has a positive weight, the data share goes to the treasury, and so does everything
/// that no receipt explains. `None` on overflow, if `terms` are invalid, if the earnings do not sum to
/// `licence`, or if there is a net but nothing was earned.
pub fn parts(
	licence: Balance,
	net: Balance,
	earnings: &[Earning],
	terms: &Terms,
) -> Option<Vec<PartLeaf>> {
	if !terms.is_valid() {
		return None;
	}
	let mut before: Balance = 0;
	let mut owed = BTreeMap::<(Payee, u32), Balance>::new();
	for (receipt, earning) in (0u32..).zip(earnings) {
		if net > 0 {
			let worth = receipt_net(licence, net, before, earning.paid)?;
			for (payee, amount) in split(earning, worth, terms)? {
				let entry = owed.entry((payee, receipt)).or_default();
				*entry = entry.checked_add(amount)?;
			}
		}
		before = before.checked_add(earning.paid)?;
	}
	if before != licence || (net > 0 && licence == 0) {
		return None;
	}
	Some(
		owed.into_iter()
			.filter(|(_, amount)| *amount > 0)
			.map(|((payee, receipt), amount)| PartLeaf {
				payee,
				receipt,
				amount,
			})
			.collect(),
	)
}

/// What each payee gets in all: the sums of its parts, ordered by payee, none of them zero. `None` on
/// overflow.
pub fn payouts(parts: &[PartLeaf]) -> Option<Vec<PayoutLeaf>> {
	let mut owed = BTreeMap::<Payee, Balance>::new();
	for part in parts {
		let entry = owed.entry(part.payee).or_default();
		*entry = entry.checked_add(part.amount)?;
	}
	Some(
		owed.into_iter()
			.filter(|(_, amount)| *amount > 0)
			.map(|(payee, amount)| PayoutLeaf { payee, amount })
			.collect(),
	)
}

/// Splits `net` units that one receipt earned over its payees. Of contributors with a weight, the
/// [`MAX_CONTRIBUTORS`] with the largest share in it, of equal ones those that stand earlier. `None` on
/// overflow, or if the earning names an adapter and no base model.
pub fn split(earning: &Earning, net: Balance, terms: &Terms) -> Option<Vec<(Payee, Balance)>> {
	let Some(base_model) = earning.base else {
		return earning
			.adapter
			.is_none()
			.then(|| alloc::vec![(Payee::Treasury, net)]);
	};
	let [base, adapter, stakers, data] = role_shares(net, terms)?;
	let mut parts = alloc::vec![(Payee::Stakers, stakers)];
	let Some((id, contributors)) = &earning.adapter else {
		let rest = base.checked_add(adapter)?.checked_add(data)?;
		parts.push((Payee::BaseOwner(base_model), rest));
		return Some(parts);
	};
	parts.push((Payee::BaseOwner(base_model), base));
	parts.push((Payee::AdapterOwner(*id), adapter));
	let contributors = largest(contributors);
	let weights: Vec<u128> = contributors.iter().map(|(_, _, weight)| *weight).collect();
	if weights.iter().all(|weight| *weight == 0) {
		parts.push((Payee::Treasury, data));
		return Some(parts);
	}
	let amounts = apportion(data, &weights)?;
	for ((datanet, contribution, _), amount) in contributors.iter().zip(amounts) {
		let payee = Payee::Contributor {
			adapter: *id,
			datanet: *datanet,
			contribution: *contribution,
		};
		parts.push((payee, amount));
	}
	Some(parts)
}

/// Those with the largest weights, as many as one receipt pays, in the order in which they stood.
fn largest(contributors: &[DataWeight]) -> Vec<DataWeight> {
	let most = usize::try_from(MAX_CONTRIBUTORS).unwrap_or(usize::MAX);
	let mut ranked: Vec<_> = (0u32..).zip(contributors.iter().copied()).collect();
	if ranked.len() > most {
		ranked.sort_by_key(|(at, (_, _, weight))| (Reverse(*weight), *at));
		ranked.truncate(most);
		ranked.sort_by_key(|(at, _)| *at);
	}
	ranked.into_iter().map(|(_, weighed)| weighed).collect()
}

/// The tree over an epoch's parts.
pub fn parts_tree(leaves: &[PartLeaf]) -> Result<Tree, MerkleError> {
	Tree::new(leaves.iter().map(PartLeaf::node).collect())
}

/// The tree over an epoch's payouts.
pub fn payouts_tree(leaves: &[PayoutLeaf]) -> Result<Tree, MerkleError> {
	Tree::new(leaves.iter().map(PayoutLeaf::node).collect())
}

/// The tree over an epoch's receipts.
pub fn receipts_tree(leaves: &[ReceiptLeaf]) -> Result<Tree, MerkleError> {
	Tree::new(leaves.iter().map(ReceiptLeaf::node).collect())
}
