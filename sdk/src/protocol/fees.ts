// Fee arithmetic: prices, the split of a redemption, apportionment. Amounts are in units.
import { MAX_AMOUNT } from '../amount.js';
import { OpenLedgerError } from '../errors.js';

/** Shares are given in millionths of the whole. */
export const PARTS = 1_000_000n;

/** A price in units per 1,000 tokens. */
export interface Rate {
	/** Per 1,000 tokens read. */
	input: bigint;
	/** Per 1,000 tokens written. */
	output: bigint;
}

/** The governed shares in force in an epoch, in parts per million. */
export interface Terms {
	/** The protocol's cut of compute and of licence money. */
	protocolCut: number;
	/** The part of the cut that is burnt; the rest goes to the treasury. */
	burnt: number;
	/** The base model owner's share of licence money after the cut. */
	baseOwner: number;
	/** The adapter owner's share. */
	adapterOwner: number;
	/** The stakers' share. */
	stakers: number;
	/** The data contributors' share. */
	data: number;
	/** The part of the data share that follows the attribution. */
	attributed: number;
	/** The most of one answer's attributed part that one contribution may earn. */
	cap: number;
}

/** Where one redemption's money goes, in units. */
export interface RedemptionSplit {
	/** Destroyed. */
	burnt: bigint;
	/** To the treasury. */
	treasury: bigint;
	/** To the provider, at once. */
	provider: bigint;
	/** To the epoch's pot of licence money. */
	pot: bigint;
}

/** `amount`, if a balance can hold it. Throws `bad-amount`. */
export function checked(amount: bigint): bigint {
	if (amount < 0n || amount > MAX_AMOUNT) {
		throw new OpenLedgerError('bad-amount', `${amount} units do not fit a balance`);
	}
	return amount;
}

/** What an answer costs at `rate`: `ceil((in × input + out × output) / 1000)` units. */
export function charge(rate: Rate, tokensIn: number, tokensOut: number): bigint {
	const thousandfold = checked(rate.input) * BigInt(tokensIn) + checked(rate.output) * BigInt(tokensOut);
	return checked((thousandfold + 999n) / 1000n);
}

/** `floor(amount × numerator / denominator)`. */
export function scale(amount: bigint, numerator: bigint, denominator: bigint): bigint {
	if (denominator === 0n) throw new OpenLedgerError('bad-argument', 'nothing can be divided by zero');
	return checked((amount * numerator) / denominator);
}

/** `floor(amount × parts / 1,000,000)`. */
export function part(amount: bigint, parts: number): bigint {
	if (BigInt(parts) > PARTS) throw new OpenLedgerError('bad-argument', `a share of ${parts} parts exceeds the whole`);
	return scale(amount, BigInt(parts), PARTS);
}

/** Splits a redemption by the terms, to the last unit. */
export function splitRedemption(compute: bigint, licence: bigint, terms: Pick<Terms, 'protocolCut' | 'burnt'>): RedemptionSplit {
	const [ofCompute, ofLicence] = [part(compute, terms.protocolCut), part(licence, terms.protocolCut)];
	const cut = checked(ofCompute + ofLicence);
	const burnt = part(cut, terms.burnt);
	return { burnt, treasury: cut - burnt, provider: compute - ofCompute, pot: licence - ofLicence };
}

/**
 * Splits `total` in proportion to `weights`: each gets the floor of its exact share, and the units
 * left over go one each to the largest remainders, ties to the earlier. The parts sum to `total`.
 */
export function apportion(total: bigint, weights: readonly bigint[]): bigint[] {
	const whole = weights.reduce((sum, weight) => sum + weight, 0n);
	if (whole <= 0n) throw new OpenLedgerError('bad-argument', 'no weight is positive');
	const amounts = weights.map((weight) => (total * weight) / whole);
	let left = total - amounts.reduce((sum, amount) => sum + amount, 0n);
	const order = weights
		.map((weight, index) => ({ index, remainder: (total * weight) % whole }))
		.sort((a, b) => (a.remainder === b.remainder ? a.index - b.index : a.remainder > b.remainder ? -1 : 1));
	for (const { index } of order) {
		if (left === 0n) break;
		amounts[index] = (amounts[index] ?? 0n) + 1n;
		left -= 1n;
	}
	return amounts;
}
