// From an epoch's receipts to its payouts: what a usage report commits to.
//
// A report commits to three trees. The receipts say what was paid for, the parts what each payee gets
// of each receipt, the payouts what each payee gets in all. What one receipt nets follows from its own
// leaf and the sum of those before it, so whoever has one receipt and its proof can check its parts.
import { OpenLedgerError } from '../errors.js';
import { hash, struct, u128, u32, variant, type Codec, type Hex } from './codec.js';
import { apportion, checked, scale, type Terms } from './fees.js';
import { leaf, type Node } from './merkle.js';

/** Who is paid, by what it did; the chain finds the account. */
export type Payee =
	| { BaseOwner: number }
	| { AdapterOwner: number }
	/** Those who stake for the network's validators. */
	| 'Stakers'
	| { Contributor: { adapter: number; datanet: number; contribution: number } }
	/** For money that nobody's work explains. */
	| 'Treasury';

export const Payee: Codec<Payee> = variant<Payee>({
	BaseOwner: [0, u32],
	AdapterOwner: [1, u32],
	Stakers: [2, null],
	Contributor: [3, struct<{ adapter: number; datanet: number; contribution: number }>({ adapter: u32, datanet: u32, contribution: u32 })],
	Treasury: [4, null],
});

/** A leaf of a report's receipts tree; its amount is `paid`. */
export interface ReceiptLeaf {
	/** Digest of the receipt; zero for money that the provider cannot explain any more. */
	receipt: Hex;
	/** The licence money of this receipt that was redeemed in this epoch, in units. */
	paid: bigint;
}

export const ReceiptLeaf: Codec<ReceiptLeaf> = struct<ReceiptLeaf>({ receipt: hash, paid: u128 });

/** A leaf of a report's parts tree: what one payee gets of one receipt. */
export interface PartLeaf {
	payee: Payee;
	/** Index of the receipt in the receipts tree. */
	receipt: number;
	/** How much, in units. */
	amount: bigint;
}

export const PartLeaf: Codec<PartLeaf> = struct<PartLeaf>({ payee: Payee, receipt: u32, amount: u128 });

/** A leaf of a report's payouts tree. */
export interface PayoutLeaf {
	payee: Payee;
	/** How much, in units. */
	amount: bigint;
}

export const PayoutLeaf: Codec<PayoutLeaf> = struct<PayoutLeaf>({ payee: Payee, amount: u128 });

/** The node of a receipt's leaf. */
export const receiptNode = (value: ReceiptLeaf): Node => leaf(ReceiptLeaf.encode(value), value.paid);
/** The node of a part's leaf. */
export const partNode = (value: PartLeaf): Node => leaf(PartLeaf.encode(value), value.amount);
/** The node of a payout's leaf. */
export const payoutNode = (value: PayoutLeaf): Node => leaf(PayoutLeaf.encode(value), value.amount);

/** A contribution and its weight in a receipt's data share. */
export interface DataWeight {
	datanet: number;
	contribution: number;
	weight: bigint;
}

/** What one receipt contributes to an epoch's payouts. */
export interface Earning {
	/** The licence money of this receipt that was redeemed in this epoch, in units. */
	paid: bigint;
	/** The base model that answered; `null` for money that no receipt explains. */
	base: number | null;
	/** The adapter that answered, if there was one. */
	adapter: number | null;
	/** The weights of the adapter's data contributors; empty without an adapter. */
	contributors: DataWeight[];
}

/**
 * What one receipt is worth after the protocol's cut, given the epoch's `licence` money before and `net`
 * after it, the licence money `before` this receipt in the tree and what was `paid` of this one. Over
 * all receipts of a tree these sum to `net` exactly.
 */
export const receiptNet = (licence: bigint, net: bigint, before: bigint, paid: bigint): bigint =>
	scale(net, before + paid, licence) - scale(net, before, licence);

/** Most contributors that one receipt pays. */
export const MAX_CONTRIBUTORS = 127;

/** Those with the largest weights, as many as one receipt pays, in their order; of equal ones the earlier. */
function largest(contributors: readonly DataWeight[]): readonly DataWeight[] {
	if (contributors.length <= MAX_CONTRIBUTORS) return contributors;
	return contributors
		.map((weighed, at) => ({ weighed, at }))
		.sort((a, b) => (a.weighed.weight === b.weighed.weight ? a.at - b.at : a.weighed.weight > b.weighed.weight ? -1 : 1))
		.slice(0, MAX_CONTRIBUTORS)
		.sort((a, b) => a.at - b.at)
		.map(({ weighed }) => weighed);
}

/** Splits `net` units that one receipt earned over its payees, of whom some may get nothing. */
export function split(earning: Omit<Earning, 'paid'>, net: bigint, terms: Terms): PayoutLeaf[] {
	if (earning.base === null) return [{ payee: 'Treasury', amount: net }];
	const shares = [terms.baseOwner, terms.adapterOwner, terms.stakers, terms.data].map(BigInt);
	const [base = 0n, adapter = 0n, stakers = 0n, data = 0n] = apportion(net, shares);
	const all: PayoutLeaf[] = [{ payee: 'Stakers', amount: stakers }];
	const id = earning.adapter;
	if (id === null) return [...all, { payee: { BaseOwner: earning.base }, amount: base + adapter + data }];
	all.push({ payee: { BaseOwner: earning.base }, amount: base }, { payee: { AdapterOwner: id }, amount: adapter });
	const contributors = largest(earning.contributors);
	const weights = contributors.map(({ weight }) => weight);
	if (weights.every((weight) => weight === 0n)) return [...all, { payee: 'Treasury', amount: data }];
	const amounts = apportion(data, weights);
	contributors.forEach(({ datanet, contribution }, i) => {
		all.push({ payee: { Contributor: { adapter: id, datanet, contribution } }, amount: amounts[i] ?? 0n });
	});
	return all;
}

/**
 * The parts of an epoch that redeemed `licence` units, of which `net` are left after the cut: what each
 * payee gets of each of `earnings`, which stand as in the receipts tree. Ordered by payee and receipt,
 * none of them zero, summing to `net` exactly. Throws `bad-argument` if the earnings do not sum to
 * `licence`.
 */
export function parts(licence: bigint, net: bigint, earnings: readonly Earning[], terms: Terms): PartLeaf[] {
	let before = 0n;
	const owed: PartLeaf[] = [];
	earnings.forEach((earning, receipt) => {
		if (net > 0n) {
			const worth = receiptNet(licence, net, before, earning.paid);
			owed.push(...split(earning, worth, terms).map((part) => ({ payee: part.payee, receipt, amount: part.amount })));
		}
		before += earning.paid;
	});
	if (before !== licence) throw new OpenLedgerError('bad-argument', `the receipts sum to ${before} units, the licence money is ${licence}`);
	return merged(owed, ({ payee, receipt }) => [...order(payee), receipt]);
}

/** What each payee gets in all: the sums of its parts, ordered by payee, none of them zero. */
export const payouts = (leaves: readonly Pick<PartLeaf, 'payee' | 'amount'>[]): PayoutLeaf[] =>
	merged(leaves.map(({ payee, amount }) => ({ payee, amount })), ({ payee }) => order(payee));

/** One leaf for each key, in the order of the keys, with the sum of the amounts; none that is zero. */
function merged<T extends { amount: bigint }>(leaves: readonly T[], key: (leaf: T) => number[]): T[] {
	const sums = new Map<string, { at: number[]; leaf: T }>();
	for (const leaf of leaves) {
		const at = key(leaf);
		const known = sums.get(at.join());
		sums.set(at.join(), { at, leaf: { ...leaf, amount: checked((known?.leaf.amount ?? 0n) + leaf.amount) } });
	}
	return [...sums.values()]
		.filter(({ leaf }) => leaf.amount > 0n)
		.sort((a, b) => compare(a.at, b.at))
		.map(({ leaf }) => leaf);
}

/** The order of payees in a tree. */
export const comparePayees = (a: Payee, b: Payee): number => compare(order(a), order(b));

function compare(a: number[], b: number[]): number {
	const at = a.findIndex((value, i) => value !== b[i]);
	return at === -1 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}

function order(payee: Payee): number[] {
	if (payee === 'Stakers') return [2];
	if (payee === 'Treasury') return [4];
	if ('BaseOwner' in payee) return [0, payee.BaseOwner];
	if ('AdapterOwner' in payee) return [1, payee.AdapterOwner];
	const { adapter, datanet, contribution } = payee.Contributor;
	return [3, adapter, datanet, contribution];
}
