// What can be wrong with a usage report, as `Attribution.dispute` takes it. The chain judges; see
// docs/protocol.md for what each one shows.
import type { Hex } from './codec.js';
import type { Opened } from './audit.js';
import type { Attribution, Receipt } from './receipt.js';
import type { RecordLeaf } from './records.js';
import type { PartLeaf, PayoutLeaf, ReceiptLeaf } from './report.js';

/** How a span is shown to be false. Texts are bytes, as hex. */
export type SpanEvidence =
	/** The record and the answer differ where the span says that they agree. */
	| { Texts: { record: Hex; answer: Hex } }
	/** Another record stands where the span says that its record stands, or one that is too short. */
	| { Record: Opened<RecordLeaf> }
	/** The contribution has no record at that index. */
	| 'OutOfTree';

/** A proof that a report is wrong. */
export type Dispute =
	/** One receipt counts twice. */
	| { DuplicateReceipt: { first: Opened<ReceiptLeaf>; second: Opened<ReceiptLeaf> } }
	/** A receipt contradicts the chain: channel, models, price. */
	| { WrongReceipt: { leaf: Opened<ReceiptLeaf>; receipt: Receipt } }
	/** More was counted of a receipt than it costs. */
	| { Overpaid: { leaf: Opened<ReceiptLeaf>; receipt: Receipt } }
	/** The same over several epochs, in their order. */
	| { PaidTwice: { leaf: Opened<ReceiptLeaf>; receipt: Receipt; others: [epoch: number, leaf: Opened<ReceiptLeaf>][] } }
	/** A payee gets what is not its share of a receipt. */
	| { WrongPart: { part: Opened<PartLeaf>; leaf: Opened<ReceiptLeaf>; receipt: Receipt | null } }
	/** A payee gets its part of a receipt twice. */
	| { DuplicatePart: { first: Opened<PartLeaf>; second: Opened<PartLeaf> } }
	/** A payout is not the sum of its payee's parts. */
	| { Misplaced: { part: Opened<PartLeaf>; payout: Opened<PayoutLeaf> } }
	/** A payee that does not exist. */
	| { UnknownPayee: { payout: Opened<PayoutLeaf> } }
	/** A quotation that is not in the record it names. */
	| { FalseSpan: { leaf: Opened<ReceiptLeaf>; receipt: Receipt; attribution: Attribution; span: number; evidence: SpanEvidence } }
	/** The payer acknowledged another receipt in its place: the digests of all of the lane's. */
	| { NotAcknowledged: { leaf: Opened<ReceiptLeaf>; receipt: Receipt; acknowledged: Hex[] } }
	/** A part of a receipt that is not there. */
	| { PartWithoutReceipt: { part: Opened<PartLeaf> } }
	/** A receipt's contributors get more than the data share, or are more than may be. */
	| { DataExceeded: { leaf: Opened<ReceiptLeaf>; receipt: Receipt; parts: Opened<PartLeaf>[] } }
	/** What was redeemed went to the receipts that the payer acknowledged: all of the lane's. */
	| { NotRedeemed: { leaf: Opened<ReceiptLeaf>; receipt: Receipt; acknowledged: Receipt[] } }
	/** Another than the provider reports money without a receipt. */
	| { Unexplained: { leaf: Opened<ReceiptLeaf> } }
	/** A lane's receipts, from one to another, count more than it earned in the epoch, or are out of sequence. */
	| { LaneExceeded: { first: Opened<ReceiptLeaf>; firstReceipt: Receipt; last: Opened<ReceiptLeaf>; lastReceipt: Receipt } }
	/** Payouts that are not in the order of their payees. */
	| { PayoutsDisordered: { first: Opened<PayoutLeaf>; second: Opened<PayoutLeaf> } }
	/** A payout of nothing. */
	| { EmptyPayout: { payout: Opened<PayoutLeaf> } };
