// Audits: which leaves a reporter has to open, and the answer that opens them.
import { u8aConcat } from '@polkadot/util';
import { OpenLedgerError } from '../errors.js';
import { hash, u32, u8, ZERO, type Hex } from './codec.js';
import { structuredHash } from './hash.js';
import { Tree, type Node } from './merkle.js';
import type { Receipt } from './receipt.js';
import { partNode, payoutNode, receiptNode, type PartLeaf, type PayoutLeaf, type ReceiptLeaf } from './report.js';

/** How many leaves an audit draws from each tree. */
export const AUDIT_LEAVES = 4;

/** A leaf with its place in a tree and the proof that it stands there. */
export interface Opened<Leaf> {
	index: number;
	leaf: Leaf;
	proof: Node[];
}

/** A receipt's leaf with the receipt behind it; `null` where the leaf has the zero hash. */
export interface ShownReceipt {
	leaf: Opened<ReceiptLeaf>;
	receipt: Receipt | null;
}

/** A part with the payout it lies in and the receipt it is of. */
export interface ShownPart {
	part: Opened<PartLeaf>;
	payout: Opened<PayoutLeaf>;
	of: ShownReceipt;
}

/** The leaves that hold the units that were drawn, in the order of the draws. */
export interface AuditAnswer {
	receipts: ShownReceipt[];
	parts: ShownPart[];
}

/**
 * The unit below `sum` that draw `number` of an audit falls on: the first 16 bytes of
 * `sha256("openledger/audit/1" ‖ seed ‖ tree ‖ number)`, little-endian, modulo `sum`.
 */
export function auditDraw(seed: Hex, tree: 'Receipts' | 'Parts', number: number, sum: bigint): bigint {
	if (sum <= 0n) throw new OpenLedgerError('bad-argument', 'nothing can be drawn from an empty tree');
	const index = tree === 'Receipts' ? 0 : 1;
	const digest = structuredHash('openledger/audit/1', u8aConcat(hash.encode(seed), u8.encode(index), u32.encode(number)));
	return digest.subarray(0, 16).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n) % sum;
}

/** All leaves of a report, in the order of their trees, with the receipts behind them by digest. */
export interface Leaves {
	receipts: readonly ReceiptLeaf[];
	parts: readonly PartLeaf[];
	payouts: readonly PayoutLeaf[];
	known: ReadonlyMap<Hex, Receipt>;
}

/** The answer to an audit with `seed`. Throws `bad-argument` if a receipt that was drawn is not known. */
export function auditAnswer(seed: Hex, { receipts, parts, payouts, known }: Leaves): AuditAnswer {
	const receiptsTree = new Tree(receipts.map(receiptNode));
	const partsTree = parts.length > 0 ? new Tree(parts.map(partNode)) : undefined;
	const payoutsTree = payouts.length > 0 ? new Tree(payouts.map(payoutNode)) : undefined;
	const show = (index: number): ShownReceipt => {
		const leaf = opened(receipts, receiptsTree, index);
		if (leaf.leaf.receipt === ZERO) return { leaf, receipt: null };
		const receipt = known.get(leaf.leaf.receipt);
		if (!receipt) throw new OpenLedgerError('bad-argument', `The receipt ${leaf.leaf.receipt} was drawn and is not known.`);
		return { leaf, receipt };
	};
	const draws = Array.from({ length: AUDIT_LEAVES }, (_, number) => number);
	const shownReceipts = draws.map((number) => show(at(receipts, ({ paid }) => paid, auditDraw(seed, 'Receipts', number, receiptsTree.commitment.sum))));
	if (!partsTree || !payoutsTree) return { receipts: shownReceipts, parts: [] };
	const shownParts = draws.map((number): ShownPart => {
		const unit = auditDraw(seed, 'Parts', number, partsTree.commitment.sum);
		const part = opened(parts, partsTree, at(parts, ({ amount }) => amount, unit));
		const payout = opened(payouts, payoutsTree, at(payouts, ({ amount }) => amount, unit));
		return { part, payout, of: show(part.leaf.receipt) };
	});
	return { receipts: shownReceipts, parts: shownParts };
}

function opened<Leaf>(leaves: readonly Leaf[], tree: Tree, index: number): Opened<Leaf> {
	const leaf = leaves[index];
	if (leaf === undefined) throw new OpenLedgerError('bad-argument', `There is no leaf ${index}.`);
	return { index, leaf, proof: tree.proof(index) };
}

/** Index of the leaf whose interval holds `unit`. */
function at<Leaf>(leaves: readonly Leaf[], amount: (leaf: Leaf) => bigint, unit: bigint): number {
	let before = 0n;
	return leaves.findIndex((leaf) => {
		before += amount(leaf);
		return unit < before;
	});
}
