import assert from 'node:assert/strict';
import test from 'node:test';
import { formatOpen, isOpenLedgerError, MAX_AMOUNT, OPEN, parseOpen } from '../src/index.js';

test('amounts should be read exactly', () => {
	const cases: [string, bigint][] = [
		['1', OPEN],
		['1.5', 1_500_000_000_000_000_000n],
		['0.000000000000000001', 1n],
		['.5 OPEN', OPEN / 2n],
		['1_000.', 1_000n * OPEN],
		['0.1000000000000000000000', OPEN / 10n],
		['340282366920938463463.374607431768211455', MAX_AMOUNT],
	];
	for (const [text, units] of cases) assert.equal(parseOpen(text), units, text);
});

test('bad amounts should be refused with the reason', () => {
	const refused = (text: string, why: RegExp): void =>
		assert.throws(() => parseOpen(text), (error) => isOpenLedgerError(error, 'bad-amount') && why.test(error.message));
	for (const text of ['', '.', '-1', '1,5', '1e3', '0x10', 'OPEN', '1.2.3']) refused(text, /is no amount of OPEN/);
	refused('0.0000000000000000001', /18 digits/);
	refused('340282366920938463463.374607431768211456', /more OPEN than a balance can hold/);
});

test('amounts should be shown in full precision and read back', () => {
	for (const units of [0n, 1n, OPEN, OPEN + 1n, MAX_AMOUNT]) assert.equal(parseOpen(formatOpen(units)), units);
	assert.equal(formatOpen(OPEN + 1n), '1.000000000000000001');
	assert.equal(formatOpen((25n * OPEN) / 10n, { unit: true }), '2.5 OPEN');
	assert.equal(formatOpen(-OPEN / 4n), '-0.25');
});
