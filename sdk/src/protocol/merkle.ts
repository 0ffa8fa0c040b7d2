// The Merkle-sum tree: one root commits to every leaf and to the sum of their amounts.
import { u8aConcat, u8aEq, u8aToHex } from '@polkadot/util';
import { MAX_AMOUNT } from '../amount.js';
import { OpenLedgerError } from '../errors.js';
import { bytesOf, hash, list, struct, u128, u32, type Codec, type Hex } from './codec.js';
import { sha256 } from './hash.js';

/** Most leaves a tree may have. */
export const MAX_LEAVES = 2 ** 20;

/** A node: its hash, and the sum of the amounts below it, in units (or bytes, for records). */
export interface Node {
	hash: Hex;
	sum: bigint;
}

/** What goes on chain of a tree. */
export interface Commitment {
	root: Hex;
	/** Sum of all leaves' amounts. */
	sum: bigint;
	/** Number of leaves, which fixes the depth. */
	count: number;
}

export const Node: Codec<Node> = struct<Node>({ hash, sum: u128 });
export const Commitment: Codec<Commitment> = struct<Commitment>({ root: hash, sum: u128, count: u32 });
/** A proof as workers send it. */
export const MerkleProof: Codec<Node[]> = list(Node);

const PADDING: Node = { hash: `0x${'00'.repeat(32)}`, sum: 0n };
const bad = (what: string): never => {
	throw new OpenLedgerError('bad-proof', what);
};

/** The leaf for a value's SCALE bytes, carrying `amount`. */
export const leaf = (scale: Uint8Array, amount: bigint): Node => ({
	hash: u8aToHex(sha256(u8aConcat([0], scale))),
	sum: amount,
});

/** Parent of two nodes. Throws `bad-proof` if the sums overflow. */
export function join(left: Node, right: Node): Node {
	const sum = left.sum + right.sum;
	if (sum > MAX_AMOUNT) bad('the amounts of the leaves overflow');
	return { hash: u8aToHex(sha256(u8aConcat([1], Node.encode(left), Node.encode(right)))), sum };
}

/** Depth of a tree of `count` leaves: `ceil(log2 count)`. */
export function depth(count: number): number {
	if (!Number.isInteger(count) || count < 1 || count > MAX_LEAVES) bad('a Merkle-sum tree has between 1 and 1,048,576 leaves');
	return count === 1 ? 0 : 32 - Math.clz32(count - 1);
}

/** A whole tree, kept by whoever proves. */
export class Tree {
	readonly #levels: Node[][];

	constructor(leaves: readonly Node[]) {
		let padding = PADDING;
		let level = [...leaves];
		this.#levels = [level];
		for (let left = depth(leaves.length); left > 0; left--) {
			const above: Node[] = [];
			for (let i = 0; i < level.length; i += 2) above.push(join(level[i] ?? padding, level[i + 1] ?? padding));
			this.#levels.push(above);
			[level, padding] = [above, join(padding, padding)];
		}
	}

	/** Root, sum and leaf count. */
	get commitment(): Commitment {
		const root = this.#levels.at(-1)?.[0] ?? PADDING;
		return { root: root.hash, sum: root.sum, count: this.#levels[0]?.length ?? 0 };
	}

	/** Proof that `length` leaves from `start` on are in the tree, in their order. */
	proof(start: number, length = 1): Node[] {
		let [low, high] = range(start, length, this.commitment.count);
		const proof: Node[] = [];
		for (const level of this.#levels.slice(0, -1)) {
			for (const at of neighbours(low, high)) {
				const node = at === undefined ? undefined : level[at];
				if (node) proof.push(node);
			}
			[low, high] = [Math.floor(low / 2), Math.ceil(high / 2)];
		}
		return proof;
	}
}

/**
 * Checks that `leaves` stand from `start` on, in their order, in the tree behind `commitment`, and
 * returns the sum of all leaves before them. Throws `bad-proof`, which says how it does not hold.
 */
export function verifyRange(commitment: Commitment, start: number, leaves: readonly Node[], proof: readonly Node[]): bigint {
	let [low, high] = range(start, leaves.length, commitment.count);
	let [width, padding, level, before] = [commitment.count, PADDING, [...leaves], 0n];
	const rest = [...proof];
	for (let left = depth(commitment.count); left > 0; left--) {
		const sibling = (at: number): Node => (at < width ? (rest.shift() ?? bad('the proof has too few nodes for its depth')) : padding);
		const [lower, upper] = neighbours(low, high);
		if (lower !== undefined) {
			const node = sibling(lower);
			before += node.sum;
			level = [node, ...level];
		}
		if (upper !== undefined) level = [...level, sibling(upper)];
		const above: Node[] = [];
		for (let i = 0; i < level.length; i += 2) {
			above.push(join(level[i] ?? bad('the range is empty'), level[i + 1] ?? bad('the range is cut')));
		}
		[low, high, width, level] = [Math.floor(low / 2), Math.ceil(high / 2), Math.ceil(width / 2), above];
		padding = join(padding, padding);
	}
	if (rest.length > 0) bad('the proof has more nodes than its depth allows');
	const [root] = level;
	if (!root || !u8aEq(bytesOf(root.hash), bytesOf(commitment.root)) || root.sum !== commitment.sum) {
		bad('the proof leads to another root or sum');
	}
	return before;
}

/** Like {@link verifyRange}, for one leaf. */
export const verifyLeaf = (commitment: Commitment, index: number, node: Node, proof: readonly Node[]): bigint =>
	verifyRange(commitment, index, [node], proof);

function range(start: number, length: number, count: number): [number, number] {
	const whole = Number.isInteger(start) && Number.isInteger(length);
	if (!whole || start < 0 || length < 1 || start + length > count) bad('the range of leaves is empty or reaches past the last leaf');
	return [start, start + length];
}

const neighbours = (low: number, high: number): [number | undefined, number | undefined] => [
	low % 2 === 1 ? low - 1 : undefined,
	high % 2 === 1 ? high : undefined,
];
