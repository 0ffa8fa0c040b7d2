// Receipts and attributions: what one answer was, what it cost, and whose records moved it.
import { u8aToHex } from '@polkadot/util';
import { hash, list, option, struct, u128, u16, u32, u64, type Codec, type Hex } from './codec.js';
import { structuredHash } from './hash.js';

/** What one answer was, what it cost, and what its attribution was. */
export interface Receipt {
	/** Genesis hash of the chain it is paid on. */
	genesis: Hex;
	/** The channel it is paid from. */
	channel: bigint;
	/** The channel's generation. */
	generation: number;
	/** The lane. */
	lane: number;
	/** Position among the lane's receipts of this generation, from 0. */
	sequence: number;
	/** The base model that answered. */
	base: number;
	/** The adapter, if any. */
	adapter: number | null;
	/** Tokens read. */
	tokensIn: number;
	/** Tokens written. */
	tokensOut: number;
	/** The provider's quote it was priced by. */
	quote: number;
	/** Compute part of the price, in units. */
	compute: bigint;
	/** Licence part of the price, in units. */
	licence: bigint;
	/** Content hash of the prompt as the model read it: its token ids, little-endian `u32` each. */
	request: Hex;
	/** Content hash of the answer's UTF-8 bytes. */
	response: Hex;
	/** The algorithm that attributed it. */
	algorithm: number;
	/** Content hash of the attribution index; zero without an adapter. */
	index: Hex;
	/** Digest of the attribution. */
	attribution: Hex;
}

export const Receipt: Codec<Receipt> = struct<Receipt>({
	genesis: hash,
	channel: u64,
	generation: u32,
	lane: u16,
	sequence: u32,
	base: u32,
	adapter: option(u32),
	tokensIn: u32,
	tokensOut: u32,
	quote: u32,
	compute: u128,
	licence: u128,
	request: hash,
	response: hash,
	algorithm: u16,
	index: hash,
	attribution: hash,
});

/** The receipt's identity: what vouchers acknowledge and reports commit to. */
export const receiptDigest = (receipt: Receipt): Hex => u8aToHex(structuredHash('openledger/receipt/1', Receipt.encode(receipt)));

/** A contribution's weight in one answer's data share; only ratios matter. */
export interface Score {
	datanet: number;
	contribution: number;
	weight: bigint;
}

/** A stretch of the answer that stands word for word in a record; offsets in UTF-8 bytes. */
export interface Span {
	datanet: number;
	contribution: number;
	/** Content hash of the record. */
	record: Hex;
	/** Index of the record in its contribution. */
	recordIndex: number;
	/** Where the span begins in the record. */
	recordOffset: number;
	/** Where the span begins in the answer. */
	answerOffset: number;
	/** Length in bytes. */
	length: number;
	/** What the span weighs in the answer's data share. */
	weight: bigint;
}

/** The attribution of one answer: a measured estimate, no proof of causation. */
export interface Attribution {
	/** The algorithm that computed it. */
	algorithm: number;
	/** What each contribution earns, ordered by Datanet and contribution. */
	scores: Score[];
	/** The evidence, ordered by position in the answer. */
	spans: Span[];
}

export const Attribution: Codec<Attribution> = struct<Attribution>({
	algorithm: u16,
	scores: list(struct<Score>({ datanet: u32, contribution: u32, weight: u64 })),
	spans: list(
		struct<Span>({
			datanet: u32,
			contribution: u32,
			record: hash,
			recordIndex: u32,
			recordOffset: u32,
			answerOffset: u32,
			length: u32,
			weight: u64,
		}),
	),
});

/** What a receipt commits to. */
export const attributionDigest = (attribution: Attribution): Hex =>
	u8aToHex(structuredHash('openledger/attribution/1', Attribution.encode(attribution)));
