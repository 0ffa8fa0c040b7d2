// The records of a contribution, and the proof that an answer quotes one.
import { u8aConcat, u8aEq, u8aToHex } from '@polkadot/util';
import { decodeAddress } from '@polkadot/util-crypto';
import { OpenLedgerError } from '../errors.js';
import { hash, struct, u32, variant, type Codec, type Hex } from './codec.js';
import { contentHash, structuredHash } from './hash.js';
import { Commitment, leaf, Tree, verifyLeaf, type Node } from './merkle.js';
import type { Span } from './receipt.js';

/** A record's leaf in its contribution's tree; its amount is its length in bytes. */
export interface RecordLeaf {
	/** Content hash of the record. */
	record: Hex;
	/** Length of the record in bytes. */
	bytes: number;
}

export const RecordLeaf: Codec<RecordLeaf> = struct<RecordLeaf>({ record: hash, bytes: u32 });

/** A contribution's leaf in its snapshot's tree; its amount is the contribution's bytes. */
export interface ContributionLeaf {
	contribution: number;
	/** Its records. */
	records: Commitment;
}

export const ContributionLeaf: Codec<ContributionLeaf> = struct<ContributionLeaf>({ contribution: u32, records: Commitment });

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The leaf of a record's text. */
export const recordLeaf = (text: string): RecordLeaf => ({ record: contentHash(text), bytes: utf8(text).length });

/** The node of a record's leaf. */
export const recordNode = (value: RecordLeaf): Node => leaf(RecordLeaf.encode(value), BigInt(value.bytes));

/** The node of a contribution's leaf in its snapshot's tree. */
export const contributionNode = (value: ContributionLeaf): Node => leaf(ContributionLeaf.encode(value), value.records.sum);

/** The tree over a contribution's records, in their order: what `contribute` commits to. */
export const recordsTree = (texts: readonly string[]): Tree => new Tree(texts.map((text) => recordNode(recordLeaf(text))));

/** Proof that a contribution contains a record. */
export interface RecordProof {
	contribution: number;
	/** The record's position in it. */
	index: number;
	leaf: RecordLeaf;
	proof: Node[];
}

/** What a reviewer says of a contribution. */
export type Vote = 'Reject' | 'Accept';

export const Vote: Codec<Vote> = variant<Vote>({ Reject: [0, null], Accept: [1, null] });

/**
 * A reviewer's commitment to a vote: `sha256("openledger/review-vote/1" ‖ SCALE(datanet, contribution,
 * reviewer, vote, salt))`. `salt` must be random and new for each vote, and kept until the vote is
 * revealed.
 */
export function voteCommitment(of: { datanet: number; contribution: number; reviewer: string; vote: Vote; salt: Hex }): Hex {
	const { datanet, contribution, reviewer, vote, salt } = of;
	const scale = u8aConcat(u32.encode(datanet), u32.encode(contribution), decodeAddress(reviewer), Vote.encode(vote), hash.encode(salt));
	return u8aToHex(structuredHash('openledger/review-vote/1', scale));
}

/**
 * Checks that `span` is true: that the record stands in the contribution whose records are
 * committed to on chain, and says the same bytes as the answer where the span says so. Returns the
 * words. Throws `bad-proof`.
 */
export function verifySpan(span: Span, answer: string, record: string, records: Commitment, proof: readonly Node[]): string {
	const fails = (what: string): never => {
		throw new OpenLedgerError('bad-proof', what);
	};
	const cut = (text: string, offset: number): Uint8Array => {
		const bytes = utf8(text).subarray(offset, offset + span.length);
		return span.length > 0 && bytes.length === span.length ? bytes : fails('the span reaches past the text');
	};
	const value = recordLeaf(record);
	if (value.record !== span.record) fails('this is not the record that the span names');
	const words = cut(answer, span.answerOffset);
	if (!u8aEq(words, cut(record, span.recordOffset))) fails('the record does not say these words');
	verifyLeaf(records, span.recordIndex, recordNode(value), proof);
	return new TextDecoder().decode(words);
}
