// From an epoch's receipts to its payouts: what a usage report commits to.
import { hash, struct, u128, u32, variant, type Codec, type Hex } from './codec.js';
import { apportion, checked, type Terms } from './fees.js';
import { leaf, type Node } from './merkle.js';

/** Who is paid, by what it did; the chain finds the account. */
export type Payee =
	| { BaseOwner: number }
	| { AdapterOwner: number }
	| 'Stakers'
	| { Contributor: { adapter: number; datanet: number; contribution: number } };

export const Payee: Codec<Payee> = variant<Payee>({
	BaseOwner: [0, u32],
	AdapterOwner: [1, u32],
	Stakers: [2, null],
	Contributor: [3, struct<{ adapter: number; datanet: number; contribution: number }>({ adapter: u32, datanet: u32, contribution: u32 })],
});

/** A leaf of a report's receipts tree; its amount is `paid`. */
export interface ReceiptLeaf {
	/** Digest of the receipt. */
	receipt: Hex;
	/** The licence money of this receipt that was redeemed in this epoch, in units. */
	paid: bigint;
}

export const ReceiptLeaf: Codec<ReceiptLeaf> = struct<ReceiptLeaf>({ receipt: hash, paid: u128 });

/** A leaf of a report's payouts tree. */
export interface PayoutLeaf {
	payee: Payee;
	/** How much, in units. */
	amount: bigint;
}

export const PayoutLeaf: Codec<PayoutLeaf> = struct<PayoutLeaf>({ payee: Payee, amount: u128 });

/** The nodes of the leaves. */
export const receiptNode = (value: ReceiptLeaf): Node => leaf(ReceiptLeaf.encode(value), value.paid);
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
	/** The base model that answered. */
	base: number;
	/** The adapter that answered, if there was one. */
	adapter: number | null;
	/** The weights of the adapter's data contributors; empty without an adapter. */
	contributors: DataWeight[];
}

/** Splits `net` units that one receipt earned over its payees; a payee may get nothing. */
export function split(earning: Pick<Earning, 'base' | 'adapter' | 'contributors'>, net: bigint, terms: Terms): PayoutLeaf[] {
	const shares = [terms.baseOwner, terms.adapterOwner, terms.stakers, terms.data].map(BigInt);
	const [base = 0n, adapter = 0n, stakers = 0n, data = 0n] = apportion(net, shares);
	const parts: PayoutLeaf[] = [{ payee: 'Stakers', amount: stakers }];
	const id = earning.adapter;
	if (id === null) return [...parts, { payee: { BaseOwner: earning.base }, amount: base + adapter + data }];
	parts.push({ payee: { BaseOwner: earning.base }, amount: base });
	const weights = earning.contributors.map(({ weight }) => weight);
	if (weights.every((weight) => weight === 0n)) {
		return [...parts, { payee: { AdapterOwner: id }, amount: adapter + data }];
	}
	parts.push({ payee: { AdapterOwner: id }, amount: adapter });
	const amounts = apportion(data, weights);
	earning.contributors.forEach(({ datanet, contribution }, i) => {
		parts.push({ payee: { Contributor: { adapter: id, datanet, contribution } }, amount: amounts[i] ?? 0n });
	});
	return parts;
}

/**
 * The payouts of an epoch whose pot holds `pot` units, ordered by payee, none of them zero, summing to
 * `pot` exactly.
 */
export function payouts(pot: bigint, earnings: readonly Earning[], terms: Terms): PayoutLeaf[] {
	if (pot === 0n) return [];
	const nets = apportion(pot, earnings.map(({ paid }) => paid));
	const all = earnings.flatMap((earning, i) => split(earning, nets[i] ?? 0n, terms));
	return total(all);
}

/** One leaf for each payee, in the order of trees. */
export function total(parts: readonly PayoutLeaf[]): PayoutLeaf[] {
	const owed = new Map<string, PayoutLeaf>();
	for (const { payee, amount } of parts) {
		const key = order(payee).join();
		owed.set(key, { payee, amount: checked((owed.get(key)?.amount ?? 0n) + amount) });
	}
	return [...owed.values()].filter(({ amount }) => amount > 0n).sort((a, b) => comparePayees(a.payee, b.payee));
}

/** The order of payees in a tree. */
export function comparePayees(a: Payee, b: Payee): number {
	const [left, right] = [order(a), order(b)];
	const at = left.findIndex((value, i) => value !== right[i]);
	return at === -1 ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
}

function order(payee: Payee): number[] {
	if (payee === 'Stakers') return [2];
	if ('BaseOwner' in payee) return [0, payee.BaseOwner];
	if ('AdapterOwner' in payee) return [1, payee.AdapterOwner];
	const { adapter, datanet, contribution } = payee.Contributor;
	return [3, adapter, datanet, contribution];
}
