// OPEN as people write it: decimals, exact to the last of 18 digits.
import { OpenLedgerError } from './errors.js';

/** Digits after the point. */
export const DECIMALS = 18;
/** Units in one OPEN. */
export const OPEN = 10n ** 18n;
/** The most a balance can hold, in units. */
export const MAX_AMOUNT = 2n ** 128n - 1n;

/**
 * Units of an amount that was typed: `1`, `1.5`, `0.000000000000000001`, `1_000`, each with or
 * without `OPEN` behind it. Throws `bad-amount`.
 */
export function parseOpen(text: string): bigint {
	const fail = (why: string): never => {
		throw new OpenLedgerError('bad-amount', `\`${text}\` ${why}`);
	};
	const number = text.trim().replace(/OPEN$/, '').trim().replaceAll('_', '');
	const match = /^(\d*)(?:\.(\d*))?$/.exec(number);
	const [whole, fraction] = [match?.[1] ?? '', (match?.[2] ?? '').replace(/0+$/, '')];
	if (!match || (!whole && !match[2])) fail('is no amount of OPEN: write a number such as 12 or 1.5');
	if (fraction.length > DECIMALS) fail('has more than 18 digits after the point, and OPEN has 18');
	const units = BigInt(whole || '0') * OPEN + BigInt(fraction.padEnd(DECIMALS, '0'));
	if (units > MAX_AMOUNT) fail('is more OPEN than a balance can hold');
	return units;
}

/** `units` in OPEN, with as many decimals as it has and no more; `parseOpen` reads it back. */
export function formatOpen(units: bigint, options: { unit?: boolean } = {}): string {
	const sign = units < 0n ? '-' : '';
	const size = units < 0n ? -units : units;
	const fraction = (size % OPEN).toString().padStart(DECIMALS, '0').replace(/0+$/, '');
	const number = `${sign}${size / OPEN}${fraction && `.${fraction}`}`;
	return options.unit ? `${number} OPEN` : number;
}
