//! What can be wrong with a usage report, and how anyone proves it.
//!
//! A dispute opens a few leaves of a report and shows a contradiction: between them, with a receipt's
//! own bytes, or with what the chain knows. [`Dispute::check`] is the whole judgement. The chain, those
//! who watch it and the tests call the same function, so nobody has to decide anything.
//!
//! | dispute | what it shows |
//! |---|---|
//! | [`DuplicateReceipt`](Dispute::DuplicateReceipt) | one receipt counts twice |
//! | [`WrongReceipt`](Dispute::WrongReceipt) | a receipt contradicts the chain: channel, models, price |
//! | [`Overpaid`](Dispute::Overpaid) | more was counted of a receipt than it costs |
//! | [`PaidTwice`](Dispute::PaidTwice) | the same over several epochs |
//! | [`WrongPart`](Dispute::WrongPart) | a payee gets what is not its share of a receipt |
//! | [`DuplicatePart`](Dispute::DuplicatePart) | a payee gets its part of a receipt twice |
//! | [`PartWithoutReceipt`](Dispute::PartWithoutReceipt) | a part of a receipt that is not there |
//! | [`DataExceeded`](Dispute::DataExceeded) | a receipt's contributors get more than the data share, or are too many |
//! | [`Misplaced`](Dispute::Misplaced) | a payout is not the sum of its payee's parts |
//! | [`UnknownPayee`](Dispute::UnknownPayee) | a payee that does not exist |
//! | [`PayoutsDisordered`](Dispute::PayoutsDisordered) | a payee with two payouts, or payouts that are not in the order of payees |
//! | [`EmptyPayout`](Dispute::EmptyPayout) | a payout of nothing |
//! | [`FalseSpan`](Dispute::FalseSpan) | a quotation that is not in the record it names |
//! | [`NotAcknowledged`](Dispute::NotAcknowledged) | the payer acknowledged another receipt in its place, or none there |
//! | [`NotRedeemed`](Dispute::NotRedeemed) | what was redeemed went to the receipts that the payer acknowledged |
//! | [`LaneExceeded`](Dispute::LaneExceeded) | a lane's receipts count more than the lane earned in the epoch |
//! | [`Unexplained`](Dispute::Unexplained) | one who reports in a provider's place has not all receipts |
//!
//! Sums that do not add up need no dispute: no such leaf can be opened or settled. A part that is
//! missing makes others too large, since the sum is fixed; so does a receipt that is missing, since the
//! chain knows what each lane earned.

use crate::{
	content_hash,
	fees::{Rate, Terms},
	hash::structured_hash,
	merkle::{self, Commitment, MerkleError, Node, MAX_PROOF},
	report::{
		receipt_net, role_shares, PartLeaf, Payee, PayoutLeaf, ReceiptLeaf, MAX_CONTRIBUTORS,
	},
	voucher::acknowledge,
	AccountId, AdapterId, AlgorithmId, Attribution, Balance, BaseModelId, ChannelId,
	ContributionId, DatanetId, EpochIndex, Generation, Hash, Lane, Receipt, RecordLeaf,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::ConstU32;
use sp_runtime::BoundedVec;

/// Most bytes of a record or an answer that a dispute shows.
pub const MAX_TEXT: u32 = 1 << 20;
/// Most parts that a dispute adds up: one more than a receipt may have of contributors.
pub const MAX_PARTS: u32 = MAX_CONTRIBUTORS + 1;
/// Most epochs that a dispute adds up, beside the disputed one.
pub const MAX_EPOCHS: u32 = 32;
/// Most receipts of a lane in one generation, which a dispute can list all.
pub const MAX_ACKNOWLEDGED: u32 = 4_096;

/// Most receipts of a lane that a dispute shows.
pub const MAX_SHOWN: u32 = MAX_ACKNOWLEDGED;

/// The nodes that lead from a leaf to the root.
pub type Path = BoundedVec<Node, ConstU32<MAX_PROOF>>;
/// The bytes of a record or an answer.
pub type Text = BoundedVec<u8, ConstU32<MAX_TEXT>>;

/// A leaf of a Merkle-sum tree.
pub trait Leaf {
	/// Its node in the tree.
	fn node(&self) -> Node;
}

impl Leaf for ReceiptLeaf {
	fn node(&self) -> Node {
		ReceiptLeaf::node(self)
	}
}

impl Leaf for PartLeaf {
	fn node(&self) -> Node {
		PartLeaf::node(self)
	}
}

impl Leaf for PayoutLeaf {
	fn node(&self) -> Node {
		PayoutLeaf::node(self)
	}
}

impl Leaf for RecordLeaf {
	fn node(&self) -> Node {
		RecordLeaf::node(self)
	}
}

/// A leaf with its place in a tree and the proof that it stands there.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Opened<L> {
	/// Where it stands.
	pub index: u32,
	/// The leaf.
	pub leaf: L,
	/// The way to the root.
	pub proof: Path,
}

impl<L: Leaf> Opened<L> {
	/// Checks the proof against `commitment`; returns the sum of the leaves before this one.
	pub fn before(&self, commitment: &Commitment) -> Result<Balance, NotProven> {
		merkle::verify_at(commitment, self.index, self.leaf.node(), &self.proof)
			.map_err(NotProven::Opening)
	}
}

/// How a span is shown to be false.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum SpanEvidence {
	/// The record and the answer themselves: they differ where the span says that they agree.
	#[codec(index = 0)]
	Texts {
		/// Bytes of the record that the span names.
		record: Text,
		/// Bytes of the answer.
		answer: Text,
	},
	/// The record that stands in the contribution where the span says that its record stands: it is
	/// another one, or too short for the span.
	#[codec(index = 1)]
	Record(Opened<RecordLeaf>),
	/// The contribution has no record at that index.
	#[codec(index = 2)]
	OutOfTree,
}

/// A proof that a report is wrong.
// It is boxed as a whole wherever it is kept.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Dispute {
	/// Two leaves name the same receipt.
	#[codec(index = 0)]
	DuplicateReceipt {
		/// One.
		first: Opened<ReceiptLeaf>,
		/// The other.
		second: Opened<ReceiptLeaf>,
	},
	/// A receipt contradicts the chain.
	#[codec(index = 1)]
	WrongReceipt {
		/// Its leaf.
		leaf: Opened<ReceiptLeaf>,
		/// The receipt.
		receipt: Receipt,
	},
	/// A receipt's leaf counts more than its licence price.
	#[codec(index = 2)]
	Overpaid {
		/// Its leaf.
		leaf: Opened<ReceiptLeaf>,
		/// The receipt.
		receipt: Receipt,
	},
	/// The leaves of several reports by the same reporter count more of a receipt than its price.
	#[codec(index = 3)]
	PaidTwice {
		/// The leaf in the disputed report.
		leaf: Opened<ReceiptLeaf>,
		/// The receipt.
		receipt: Receipt,
		/// Leaves of other epochs, in the order of the epochs.
		others: BoundedVec<(EpochIndex, Opened<ReceiptLeaf>), ConstU32<MAX_EPOCHS>>,
	},
	/// A part is not what its payee is due of the receipt.
	#[codec(index = 4)]
	WrongPart {
		/// The part.
		part: Opened<PartLeaf>,
		/// The leaf of the receipt it names.
		leaf: Opened<ReceiptLeaf>,
		/// The receipt; not needed where it is unexplained, nor for the stakers' part.
		receipt: Option<Receipt>,
	},
	/// Two parts name the same payee and receipt.
	#[codec(index = 5)]
	DuplicatePart {
		/// One.
		first: Opened<PartLeaf>,
		/// The other.
		second: Opened<PartLeaf>,
	},
	/// A part and a payout of different payees lie over one another.
	#[codec(index = 6)]
	Misplaced {
		/// The part.
		part: Opened<PartLeaf>,
		/// The payout.
		payout: Opened<PayoutLeaf>,
	},
	/// A payout's payee does not exist.
	#[codec(index = 7)]
	UnknownPayee {
		/// The payout.
		payout: Opened<PayoutLeaf>,
	},
	/// A span of a receipt's attribution is not in the record it names.
	#[codec(index = 8)]
	FalseSpan {
		/// The receipt's leaf.
		leaf: Opened<ReceiptLeaf>,
		/// The receipt.
		receipt: Receipt,
		/// Its attribution.
		attribution: Attribution,
		/// Index of the span in it.
		span: u32,
		/// Why it is false.
		evidence: SpanEvidence,
	},
	/// The lane's payer had acknowledged another receipt in this one's place when a voucher was last
	/// redeemed in the epoch; or it is further ahead of those acknowledged than the next, where no money
	/// can have come from.
	#[codec(index = 9)]
	NotAcknowledged {
		/// The receipt's leaf.
		leaf: Opened<ReceiptLeaf>,
		/// The receipt.
		receipt: Receipt,
		/// Digests of all receipts acknowledged on the lane in this generation, from the first to
		/// that of the voucher redeemed last in the epoch.
		acknowledged: BoundedVec<Hash, ConstU32<MAX_ACKNOWLEDGED>>,
	},
	/// A part names a receipt that is not in the receipts tree.
	#[codec(index = 10)]
	PartWithoutReceipt {
		/// The part.
		part: Opened<PartLeaf>,
	},
	/// The parts of a receipt's contributors come to more than its data share, or are more than a receipt
	/// may have, [`MAX_CONTRIBUTORS`]: else small ones beyond number could come to any sum.
	#[codec(index = 11)]
	DataExceeded {
		/// The receipt's leaf.
		leaf: Opened<ReceiptLeaf>,
		/// The receipt.
		receipt: Receipt,
		/// Parts of this receipt, in their order.
		parts: BoundedVec<Opened<PartLeaf>, ConstU32<MAX_PARTS>>,
	},
	/// More was counted of a receipt that the payer had not acknowledged by then than was redeemed on its
	/// lane beyond those that it had.
	#[codec(index = 12)]
	NotRedeemed {
		/// The receipt's leaf.
		leaf: Opened<ReceiptLeaf>,
		/// The receipt.
		receipt: Receipt,
		/// All receipts acknowledged on the lane in this generation, from the first to that of the
		/// voucher redeemed last in the epoch.
		acknowledged: BoundedVec<Receipt, ConstU32<MAX_SHOWN>>,
	},
	/// Another than the provider reported money that it cannot explain, which only the provider may:
	/// else anyone could send to the treasury what others have earned.
	#[codec(index = 13)]
	Unexplained {
		/// A leaf with the zero hash.
		leaf: Opened<ReceiptLeaf>,
	},
	/// The leaves from one of a lane's receipts to another count more than was redeemed on the lane in the
	/// epoch. In an honest report the receipts of a lane stand side by side, in their sequence, so
	/// there are no others between them. Leaves that do not stand in sequence are a fault as well.
	#[codec(index = 14)]
	LaneExceeded {
		/// The leaf that stands first.
		first: Opened<ReceiptLeaf>,
		/// Its receipt.
		first_receipt: Receipt,
		/// The leaf that stands last; it may be the same.
		last: Opened<ReceiptLeaf>,
		/// Its receipt, of the same lane.
		last_receipt: Receipt,
	},
	/// A payout's payee does not come after that of one before it. Without an order, a report could be
	/// padded with more leaves than anyone will settle.
	#[codec(index = 15)]
	PayoutsDisordered {
		/// The payout that stands first.
		first: Opened<PayoutLeaf>,
		/// One that stands after it.
		second: Opened<PayoutLeaf>,
	},
	/// A payout of nothing, which is but padding.
	#[codec(index = 16)]
	EmptyPayout {
		/// The payout.
		payout: Opened<PayoutLeaf>,
	},
}

/// What is wrong with a report.
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
pub enum Fault {
	/// A receipt counts twice.
	#[codec(index = 0)]
	DuplicateReceipt,
	/// A receipt was made on another chain.
	#[codec(index = 1)]
	WrongChain,
	/// A receipt's channel was never opened.
	#[codec(index = 2)]
	UnknownChannel,
	/// A receipt's channel pays another provider.
	#[codec(index = 3)]
	ForeignChannel,
	/// A receipt's base model does not exist.
	#[codec(index = 4)]
	UnknownBase,
	/// A receipt's adapter does not exist.
	#[codec(index = 5)]
	UnknownAdapter,
	/// A receipt's adapter belongs to another base model.
	#[codec(index = 6)]
	OtherBase,
	/// A receipt was attributed by another algorithm than its adapter's.
	#[codec(index = 7)]
	WrongAlgorithm,
	/// A receipt was attributed with another index than its adapter's.
	#[codec(index = 8)]
	WrongIndex,
	/// A receipt's licence price is not what the models cost.
	#[codec(index = 9)]
	WrongPrice,
	/// More was counted of a receipt than it costs.
	#[codec(index = 10)]
	Overpaid,
	/// More was counted of a receipt in several epochs than it costs.
	#[codec(index = 11)]
	PaidTwice,
	/// A payee gets of a receipt what is not its share.
	#[codec(index = 12)]
	WrongPart,
	/// A payee gets its part of a receipt twice.
	#[codec(index = 13)]
	DuplicatePart,
	/// A part names no receipt.
	#[codec(index = 14)]
	PartWithoutReceipt,
	/// The contributors of a receipt get more than the data share.
	#[codec(index = 15)]
	DataExceeded,
	/// A payout is not the sum of its payee's parts.
	#[codec(index = 16)]
	Misplaced,
	/// A payee does not exist.
	#[codec(index = 17)]
	UnknownPayee,
	/// A quotation is not in the record it names.
	#[codec(index = 18)]
	FalseSpan,
	/// The payer acknowledged another receipt.
	#[codec(index = 19)]
	NotAcknowledged,
	/// The reporter opened the wrong leaves, or none, when it was audited.
	#[codec(index = 20)]
	AuditFailed,
	/// What was redeemed went to other receipts.
	#[codec(index = 21)]
	NotRedeemed,
	/// One who reported in a provider's place had not all receipts.
	#[codec(index = 22)]
	Unexplained,
	/// The payouts were never settled, though there was time enough.
	#[codec(index = 23)]
	Unsettled,
	/// More was counted of a lane's receipts than was redeemed on it in the epoch.
	#[codec(index = 24)]
	LaneExceeded,
	/// A lane's receipts do not stand in their sequence.
	#[codec(index = 25)]
	LaneDisordered,
	/// A receipt pays more contributors than it may.
	#[codec(index = 26)]
	TooManyParts,
	/// The payouts are not in the order of their payees, or a payee has two.
	#[codec(index = 27)]
	PayoutsDisordered,
	/// A payout is of nothing.
	#[codec(index = 28)]
	EmptyPayout,
	/// A receipt stands further along its lane than a lane is long.
	#[codec(index = 29)]
	LaneTooLong,
}

/// Why a dispute proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotProven {
	/// A leaf does not stand where it is said to stand.
	Opening(MerkleError),
	/// The receipt or attribution is not the one that was committed to, or is needed and missing.
	Preimage,
	/// The parts of the dispute have nothing to do with each other.
	Unrelated,
	/// The chain does not know what the dispute relies on.
	Unknown,
	/// The report is right in this.
	Holds,
	/// Amounts overflow.
	Overflow,
}

impl core::fmt::Display for NotProven {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		f.write_str(match self {
			Self::Opening(error) => return error.fmt(f),
			Self::Preimage => "the receipt or attribution is not the one committed to",
			Self::Unrelated => "the leaves have nothing to do with each other",
			Self::Unknown => "the chain does not know what the dispute relies on",
			Self::Holds => "the report is right in this",
			Self::Overflow => "the amounts overflow",
		})
	}
}

impl core::error::Error for NotProven {}

/// The report in question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportFacts {
	/// Whose pot it shares out.
	pub provider: AccountId,
	/// The epoch.
	pub epoch: EpochIndex,
	/// Who made it: the provider (also by its hot key), or another in its place.
	pub reporter: AccountId,
	/// Over the receipts; sums to the licence money.
	pub receipts: Commitment,
	/// Over the parts; sums to what is left of it after the cut.
	pub parts: Commitment,
	/// Over the payouts; sums to the same.
	pub payouts: Commitment,
	/// The terms it was made by.
	pub terms: Terms,
}

/// What the chain knows of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelFact {
	/// No channel has had this id.
	NeverOpened,
	/// It was closed; whom it paid is not known any more.
	Closed,
	/// It pays this provider.
	Open {
		/// The provider.
		provider: AccountId,
	},
}

/// What the chain knows of an adapter. None of it ever changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdapterFact {
	/// Its base model.
	pub base: BaseModelId,
	/// Its licence rate.
	pub rate: Rate,
	/// The algorithm that attributes its answers.
	pub algorithm: AlgorithmId,
	/// Content hash of its attribution index.
	pub index: Hash,
}

/// What a provider redeemed of one lane in one epoch. All zero where it redeemed nothing.
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
pub struct Source {
	/// Licence money redeemed in the epoch, in units.
	#[cfg_attr(feature = "std", serde(with = "crate::amount_as_string"))]
	pub licence: Balance,
	/// Licence money redeemed on the lane in its generation by the epoch's last redemption, that of
	/// earlier epochs included, in units.
	#[cfg_attr(feature = "std", serde(with = "crate::amount_as_string"))]
	pub total: Balance,
	/// Accumulator over the receipts that were acknowledged by then.
	pub receipts: Hash,
}

/// What disputes are checked against.
pub trait ChainFacts {
	/// Genesis hash of the chain.
	fn genesis(&self) -> Hash;

	/// What is known of a channel.
	fn channel(&self, channel: ChannelId) -> ChannelFact;

	/// What `provider` redeemed of a lane in `epoch`; `None` if the chain kept no account of lanes then.
	fn source(
		&self,
		provider: &AccountId,
		epoch: EpochIndex,
		channel: ChannelId,
		generation: Generation,
		lane: Lane,
	) -> Option<Source>;

	/// A base model's licence rate; `None` if there is no such model.
	fn base_rate(&self, base: BaseModelId) -> Option<Rate>;

	/// An adapter; `None` if there is no such adapter.
	fn adapter(&self, adapter: AdapterId) -> Option<AdapterFact>;

	/// Whether the payee exists: a contributor, in a snapshot its adapter was trained on.
	fn is_payable(&self, payee: &Payee) -> bool;

	/// The record tree of a contribution; `None` if it is not known.
	fn records(&self, datanet: DatanetId, contribution: ContributionId) -> Option<Commitment>;

	/// Who reported a provider's epoch, and the receipts it committed to.
	fn reported(&self, provider: &AccountId, epoch: EpochIndex) -> Option<(AccountId, Commitment)>;
}

impl Dispute {
	/// What this proves to be wrong with `report`, given what the `chain` knows.
	pub fn check(&self, report: &ReportFacts, chain: &impl ChainFacts) -> Result<Fault, NotProven> {
		let proven = match self {
			Self::DuplicateReceipt { first, second } => {
				first.before(&report.receipts)?;
				second.before(&report.receipts)?;
				let same = first.leaf.receipt == second.leaf.receipt;
				(first.index != second.index && same && !first.leaf.receipt.is_zero())
					.then_some(Fault::DuplicateReceipt)
			}
			Self::WrongReceipt { leaf, receipt } => {
				opened(leaf, receipt, report)?;
				receipt_fault(receipt, report, chain)
			}
			Self::Overpaid { leaf, receipt } => {
				opened(leaf, receipt, report)?;
				(leaf.leaf.paid > receipt.licence).then_some(Fault::Overpaid)
			}
			Self::PaidTwice {
				leaf,
				receipt,
				others,
			} => paid_twice(leaf, receipt, others, report, chain)?,
			Self::WrongPart {
				part,
				leaf,
				receipt,
			} => {
				part.before(&report.parts)?;
				let net = net_of(leaf, report)?;
				related(part.leaf.receipt == leaf.index)?;
				if let Some(receipt) = receipt {
					same_receipt(&leaf.leaf, receipt)?;
				}
				part_fault(&part.leaf, &leaf.leaf, net, receipt.as_ref(), &report.terms)?
			}
			Self::DuplicatePart { first, second } => {
				first.before(&report.parts)?;
				second.before(&report.parts)?;
				let same = first.leaf.payee == second.leaf.payee
					&& first.leaf.receipt == second.leaf.receipt;
				(first.index != second.index && same).then_some(Fault::DuplicatePart)
			}
			Self::PartWithoutReceipt { part } => {
				part.before(&report.parts)?;
				(part.leaf.receipt >= report.receipts.count).then_some(Fault::PartWithoutReceipt)
			}
			Self::DataExceeded {
				leaf,
				receipt,
				parts,
			} => data_exceeded(leaf, receipt, parts, report, chain)?,
			Self::Misplaced { part, payout } => {
				let part_at = part.before(&report.parts)?;
				let payout_at = payout.before(&report.payouts)?;
				let overlap = part_at.max(payout_at)
					< end(part_at, part.leaf.amount)?.min(end(payout_at, payout.leaf.amount)?);
				(overlap && part.leaf.payee != payout.leaf.payee).then_some(Fault::Misplaced)
			}
			Self::UnknownPayee { payout } => {
				payout.before(&report.payouts)?;
				(!chain.is_payable(&payout.leaf.payee)).then_some(Fault::UnknownPayee)
			}
			Self::PayoutsDisordered { first, second } => {
				first.before(&report.payouts)?;
				second.before(&report.payouts)?;
				related(first.index < second.index)?;
				(first.leaf.payee >= second.leaf.payee).then_some(Fault::PayoutsDisordered)
			}
			Self::EmptyPayout { payout } => {
				payout.before(&report.payouts)?;
				(payout.leaf.amount == 0).then_some(Fault::EmptyPayout)
			}
			Self::Unexplained { leaf } => {
				leaf.before(&report.receipts)?;
				(leaf.leaf.receipt.is_zero() && report.reporter != report.provider)
					.then_some(Fault::Unexplained)
			}
			Self::FalseSpan {
				leaf,
				receipt,
				attribution,
				span,
				evidence,
			} => {
				opened(leaf, receipt, report)?;
				if attribution.digest() != receipt.attribution {
					return Err(NotProven::Preimage);
				}
				is_false_span(receipt, attribution, *span, evidence, chain)?
					.then_some(Fault::FalseSpan)
			}
			Self::NotAcknowledged {
				leaf,
				receipt,
				acknowledged,
			} => {
				opened(leaf, receipt, report)?;
				let source = source_of(receipt, report, chain)?;
				related(fold(acknowledged.iter().copied()) == source.receipts)?;
				let at = usize::try_from(receipt.sequence).map_err(|_| NotProven::Overflow)?;
				let wrong = match acknowledged.get(at) {
					Some(digest) => *digest != leaf.leaf.receipt,
					// Who pays for a receipt has acknowledged all before it.
					None => at > acknowledged.len() && leaf.leaf.paid > 0,
				};
				wrong.then_some(Fault::NotAcknowledged)
			}
			Self::NotRedeemed {
				leaf,
				receipt,
				acknowledged,
			} => {
				opened(leaf, receipt, report)?;
				let source = source_of(receipt, report, chain)?;
				related(fold(acknowledged.iter().map(Receipt::digest)) == source.receipts)?;
				let at = usize::try_from(receipt.sequence).map_err(|_| NotProven::Overflow)?;
				let theirs = acknowledged
					.iter()
					.try_fold(0u128, |sum, receipt| sum.checked_add(receipt.licence))
					.ok_or(NotProven::Overflow)?;
				let left = source.total.saturating_sub(theirs);
				(at >= acknowledged.len() && leaf.leaf.paid > left).then_some(Fault::NotRedeemed)
			}
			Self::LaneExceeded {
				first,
				first_receipt,
				last,
				last_receipt,
			} => lane_fault((first, first_receipt), (last, last_receipt), report, chain)?,
		};
		proven.ok_or(NotProven::Holds)
	}
}

/// What is wrong with a receipt that `report` says its provider earned money by, as far as the chain can
/// tell.
pub fn receipt_fault(
	receipt: &Receipt,
	report: &ReportFacts,
	chain: &impl ChainFacts,
) -> Option<Fault> {
	if receipt.genesis != chain.genesis() {
		return Some(Fault::WrongChain);
	}
	match chain.channel(receipt.channel) {
		ChannelFact::NeverOpened => return Some(Fault::UnknownChannel),
		ChannelFact::Open { provider } if provider != report.provider => {
			return Some(Fault::ForeignChannel)
		}
		ChannelFact::Closed | ChannelFact::Open { .. } => {}
	}
	// Before the chain kept an account of lanes, nobody knew that they end.
	if receipt.sequence >= MAX_ACKNOWLEDGED && source_of(receipt, report, chain).is_ok() {
		return Some(Fault::LaneTooLong);
	}
	let Some(mut rate) = chain.base_rate(receipt.base) else {
		return Some(Fault::UnknownBase);
	};
	let mut index = Hash::zero();
	if let Some(id) = receipt.adapter {
		let Some(adapter) = chain.adapter(id) else {
			return Some(Fault::UnknownAdapter);
		};
		if adapter.base != receipt.base {
			return Some(Fault::OtherBase);
		}
		if adapter.algorithm != receipt.algorithm {
			return Some(Fault::WrongAlgorithm);
		}
		index = adapter.index;
		let Some(sum) = rate.checked_add(&adapter.rate) else {
			return Some(Fault::WrongPrice);
		};
		rate = sum;
	}
	if receipt.index != index {
		return Some(Fault::WrongIndex);
	}
	(rate.charge(receipt.tokens_in, receipt.tokens_out) != Some(receipt.licence))
		.then_some(Fault::WrongPrice)
}

/// What is wrong with a part of a receipt that is worth `net` units. The `receipt` is not needed where
/// its leaf has the zero hash, nor for what goes to the stakers.
pub fn part_fault(
	part: &PartLeaf,
	leaf: &ReceiptLeaf,
	net: Balance,
	receipt: Option<&Receipt>,
	terms: &Terms,
) -> Result<Option<Fault>, NotProven> {
	let [base, adapter, stakers, data] = role_shares(net, terms).ok_or(NotProven::Overflow)?;
	let right = if leaf.receipt.is_zero() {
		part.payee == Payee::Treasury && part.amount == net
	} else if part.payee == Payee::Stakers {
		part.amount == stakers
	} else if part.amount > net {
		false
	} else {
		let receipt = receipt.ok_or(NotProven::Preimage)?;
		match (part.payee, receipt.adapter) {
			(Payee::BaseOwner(id), Some(_)) => id == receipt.base && part.amount == base,
			(Payee::BaseOwner(id), None) => {
				// All but the stakers' share: the four sum to the net.
				id == receipt.base && Some(part.amount) == net.checked_sub(stakers)
			}
			(Payee::AdapterOwner(id), Some(own)) => id == own && part.amount == adapter,
			(Payee::Contributor { adapter: id, .. }, Some(own)) => id == own && part.amount <= data,
			(Payee::Treasury, Some(_)) => part.amount <= data,
			(_, _) => false,
		}
	};
	Ok((!right).then_some(Fault::WrongPart))
}

/// Checks that a receipt's leaf stands in the report and names `receipt`.
fn opened(
	leaf: &Opened<ReceiptLeaf>,
	receipt: &Receipt,
	report: &ReportFacts,
) -> Result<(), NotProven> {
	leaf.before(&report.receipts)?;
	same_receipt(&leaf.leaf, receipt)
}

fn same_receipt(leaf: &ReceiptLeaf, receipt: &Receipt) -> Result<(), NotProven> {
	if receipt.digest() == leaf.receipt {
		Ok(())
	} else {
		Err(NotProven::Preimage)
	}
}

fn related(related: bool) -> Result<(), NotProven> {
	if related {
		Ok(())
	} else {
		Err(NotProven::Unrelated)
	}
}

fn end(start: Balance, amount: Balance) -> Result<Balance, NotProven> {
	start.checked_add(amount).ok_or(NotProven::Overflow)
}

/// What a receipt is worth in a report, which its leaf stands in.
pub fn net_of(leaf: &Opened<ReceiptLeaf>, report: &ReportFacts) -> Result<Balance, NotProven> {
	let before = leaf.before(&report.receipts)?;
	receipt_net(
		report.receipts.sum,
		report.payouts.sum,
		before,
		leaf.leaf.paid,
	)
	.ok_or(NotProven::Overflow)
}

fn paid_twice(
	leaf: &Opened<ReceiptLeaf>,
	receipt: &Receipt,
	others: &[(EpochIndex, Opened<ReceiptLeaf>)],
	report: &ReportFacts,
	chain: &impl ChainFacts,
) -> Result<Option<Fault>, NotProven> {
	opened(leaf, receipt, report)?;
	let ordered = others
		.iter()
		.zip(others.iter().skip(1))
		.all(|((earlier, _), (later, _))| earlier < later);
	related(ordered && !others.is_empty())?;
	let mut paid = leaf.leaf.paid;
	for (epoch, other) in others {
		let (reporter, receipts) = chain
			.reported(&report.provider, *epoch)
			.ok_or(NotProven::Unknown)?;
		// What one reporter said does not bind another.
		related(*epoch != report.epoch && reporter == report.reporter)?;
		other.before(&receipts)?;
		same_receipt(&other.leaf, receipt)?;
		paid = end(paid, other.leaf.paid)?;
	}
	Ok((paid > receipt.licence).then_some(Fault::PaidTwice))
}

fn data_exceeded(
	leaf: &Opened<ReceiptLeaf>,
	receipt: &Receipt,
	parts: &[Opened<PartLeaf>],
	report: &ReportFacts,
	chain: &impl ChainFacts,
) -> Result<Option<Fault>, NotProven> {
	let net = net_of(leaf, report)?;
	same_receipt(&leaf.leaf, receipt)?;
	let [_, _, _, data] = role_shares(net, &report.terms).ok_or(NotProven::Overflow)?;
	let ordered = parts
		.iter()
		.zip(parts.iter().skip(1))
		.all(|(earlier, later)| earlier.index < later.index);
	related(ordered && receipt.adapter.is_some())?;
	let mut sum: Balance = 0;
	for part in parts {
		part.before(&report.parts)?;
		let of_data = matches!(part.leaf.payee, Payee::Contributor { .. } | Payee::Treasury);
		related(part.leaf.receipt == leaf.index && of_data)?;
		sum = end(sum, part.leaf.amount)?;
	}
	if sum > data {
		return Ok(Some(Fault::DataExceeded));
	}
	if u32::try_from(parts.len()).map_err(|_| NotProven::Overflow)? < MAX_PARTS {
		return Ok(None);
	}
	// The rule came with the account of lanes; before, reporters could not know it.
	source_of(receipt, report, chain)?;
	Ok(Some(Fault::TooManyParts))
}

/// The accumulator over receipts with these digests.
fn fold(digests: impl Iterator<Item = Hash>) -> Hash {
	digests.fold(Hash::zero(), acknowledge)
}

/// What the receipt's lane earned in the report's epoch.
fn source_of(
	receipt: &Receipt,
	report: &ReportFacts,
	chain: &impl ChainFacts,
) -> Result<Source, NotProven> {
	let Receipt {
		channel,
		generation,
		lane,
		..
	} = *receipt;
	chain
		.source(&report.provider, report.epoch, channel, generation, lane)
		.ok_or(NotProven::Unknown)
}

/// What is wrong between two leaves of one lane.
fn lane_fault(
	(first, first_receipt): (&Opened<ReceiptLeaf>, &Receipt),
	(last, last_receipt): (&Opened<ReceiptLeaf>, &Receipt),
	report: &ReportFacts,
	chain: &impl ChainFacts,
) -> Result<Option<Fault>, NotProven> {
	let from = first.before(&report.receipts)?;
	same_receipt(&first.leaf, first_receipt)?;
	let to = end(last.before(&report.receipts)?, last.leaf.paid)?;
	same_receipt(&last.leaf, last_receipt)?;
	let lane_of = |receipt: &Receipt| (receipt.channel, receipt.generation, receipt.lane);
	related(lane_of(first_receipt) == lane_of(last_receipt) && first.index <= last.index)?;
	let source = source_of(first_receipt, report, chain)?;
	if first.index < last.index && first_receipt.sequence >= last_receipt.sequence {
		return Ok(Some(Fault::LaneDisordered));
	}
	let counted = to.checked_sub(from).ok_or(NotProven::Overflow)?;
	Ok((counted > source.licence).then_some(Fault::LaneExceeded))
}

fn is_false_span(
	receipt: &Receipt,
	attribution: &Attribution,
	span: u32,
	evidence: &SpanEvidence,
	chain: &impl ChainFacts,
) -> Result<bool, NotProven> {
	let span = usize::try_from(span)
		.ok()
		.and_then(|at| attribution.spans.get(at))
		.ok_or(NotProven::Unrelated)?;
	let records = || {
		chain
			.records(span.datanet, span.contribution)
			.ok_or(NotProven::Unknown)
	};
	match evidence {
		SpanEvidence::Texts { record, answer } => {
			related(content_hash(record) == span.record)?;
			related(content_hash(answer) == receipt.response)?;
			let said = stretch(answer, span.answer_offset, span.length);
			let written = stretch(record, span.record_offset, span.length);
			Ok(said.is_none() || said != written)
		}
		SpanEvidence::Record(opened) => {
			opened.before(&records()?)?;
			related(opened.index == span.record_index)?;
			let last = span.record_offset.checked_add(span.length);
			let too_short = last.is_none_or(|last| last > opened.leaf.bytes);
			Ok(opened.leaf.record != span.record || too_short)
		}
		SpanEvidence::OutOfTree => Ok(span.record_index >= records()?.count),
	}
}

fn stretch(text: &[u8], offset: u32, length: u32) -> Option<&[u8]> {
	let start = usize::try_from(offset).ok()?;
	let end = start.checked_add(usize::try_from(length).ok()?)?;
	text.get(start..end)
}

/// How many leaves an audit draws from each tree.
pub const AUDIT_LEAVES: u32 = 4;

/// Tag of an audit's draws.
pub const AUDIT_TAG: &[u8] = b"openledger/audit/1";

/// A receipt's leaf with the receipt behind it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ShownReceipt {
	/// The leaf.
	pub leaf: Opened<ReceiptLeaf>,
	/// The receipt; `None` where the leaf has the zero hash.
	pub receipt: Option<Receipt>,
}

/// A part with the payout it lies in and the receipt it is of.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ShownPart {
	/// The part.
	pub part: Opened<PartLeaf>,
	/// The payout.
	pub payout: Opened<PayoutLeaf>,
	/// The receipt.
	pub of: ShownReceipt,
}

/// What an audited reporter shows: the leaves that hold the units that were drawn, in the order of the
/// draws. Anyone who has the leaves can answer in its place.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct AuditAnswer {
	/// For each draw over the licence money.
	pub receipts: BoundedVec<ShownReceipt, ConstU32<AUDIT_LEAVES>>,
	/// For each draw over the net; none if there is no net.
	pub parts: BoundedVec<ShownPart, ConstU32<AUDIT_LEAVES>>,
}

/// The trees an audit draws from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode)]
pub enum AuditTree {
	/// The receipts.
	#[codec(index = 0)]
	Receipts,
	/// The parts, and the payouts at the same place.
	#[codec(index = 1)]
	Parts,
}

/// The unit that draw `number` of an audit with `seed` falls on, below `sum`: the first 16 bytes of
/// the structured hash of `(seed, tree, number)`, little-endian, modulo `sum`. `None` if `sum` is zero.
pub fn audit_draw(seed: Hash, tree: AuditTree, number: u32, sum: Balance) -> Option<Balance> {
	let digest = structured_hash(AUDIT_TAG, &(seed, tree, number));
	let mut bytes = [0u8; 16];
	for (to, from) in bytes.iter_mut().zip(digest.as_bytes()) {
		*to = *from;
	}
	u128::from_le_bytes(bytes).checked_rem(sum)
}

impl ShownReceipt {
	/// Checks the leaf and what is behind it; returns the sum before the leaf.
	fn check(&self, report: &ReportFacts, chain: &impl ChainFacts) -> Result<Balance, NotProven> {
		let before = self.leaf.before(&report.receipts)?;
		match &self.receipt {
			None if self.leaf.leaf.receipt.is_zero() => {
				related(report.reporter == report.provider)?;
			}
			None => return Err(NotProven::Preimage),
			Some(receipt) => {
				same_receipt(&self.leaf.leaf, receipt)?;
				let lane = (&self.leaf, receipt);
				let exceeded = match lane_fault(lane, lane, report, chain) {
					Ok(fault) => fault.is_some(),
					// The chain kept no account of lanes then.
					Err(NotProven::Unknown) => false,
					Err(error) => return Err(error),
				};
				let faultless = receipt_fault(receipt, report, chain).is_none()
					&& self.leaf.leaf.paid <= receipt.licence;
				related(faultless && !exceeded)?;
			}
		}
		Ok(before)
	}
}

impl AuditAnswer {
	/// Checks that every leaf stands in `report`, holds the unit that was drawn with `seed`, and has
	/// nothing wrong with it.
	pub fn check(
		&self,
		seed: Hash,
		report: &ReportFacts,
		chain: &impl ChainFacts,
	) -> Result<(), NotProven> {
		let all = usize::try_from(AUDIT_LEAVES).map_err(|_| NotProven::Overflow)?;
		let net = report.payouts.sum;
		related(self.receipts.len() == all)?;
		related(self.parts.len() == if net > 0 { all } else { 0 })?;
		for (number, shown) in (0u32..).zip(&self.receipts) {
			let drawn = audit_draw(seed, AuditTree::Receipts, number, report.receipts.sum)
				.ok_or(NotProven::Unrelated)?;
			let before = shown.check(report, chain)?;
			related(holds(before, shown.leaf.leaf.paid, drawn)?)?;
		}
		for (number, shown) in (0u32..).zip(&self.parts) {
			let drawn =
				audit_draw(seed, AuditTree::Parts, number, net).ok_or(NotProven::Unrelated)?;
			let part = &shown.part.leaf;
			let before = shown.part.before(&report.parts)?;
			related(holds(before, part.amount, drawn)?)?;
			let before = shown.payout.before(&report.payouts)?;
			related(holds(before, shown.payout.leaf.amount, drawn)?)?;
			related(shown.payout.leaf.payee == part.payee)?;
			related(chain.is_payable(&part.payee))?;
			shown.of.check(report, chain)?;
			related(part.receipt == shown.of.leaf.index)?;
			let (worth, receipt) = (net_of(&shown.of.leaf, report)?, shown.of.receipt.as_ref());
			let fault = part_fault(part, &shown.of.leaf.leaf, worth, receipt, &report.terms)?;
			related(fault.is_none())?;
		}
		Ok(())
	}
}

/// Whether `unit` lies in the `amount` units from `before` on.
fn holds(before: Balance, amount: Balance, unit: Balance) -> Result<bool, NotProven> {
	Ok(before <= unit && unit < end(before, amount)?)
}
