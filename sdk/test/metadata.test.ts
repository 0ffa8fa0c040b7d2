// Every call and read of the SDK, encoded by the committed metadata of the runtime: names, arguments and
// their types are those of the chain that this repository builds.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import type { ApiPromise } from '@polkadot/api';
import { Metadata, TypeRegistry } from '@polkadot/types';
import { decorateExtrinsics } from '@polkadot/types/metadata/decorate';
import { Call, isOpenLedgerError, OpenLedger, plain, type Dispute, type Hex } from '../src/index.js';

const file = process.env['OPENLEDGER_METADATA'] ?? new URL('../../../client/metadata.scale', import.meta.url);
const registry = new TypeRegistry();
const metadata = new Metadata(registry, new Uint8Array(readFileSync(file)));
registry.setMetadata(metadata);

const api = {
	tx: transactions(),
	registry,
	query: new Proxy({}, { get: (_, pallet) => new Proxy({}, { get: (_, item) => stored(String(pallet), String(item)) }) }),
	rpc: { state: { call: async () => Promise.reject(new Error('offline')) }, chain: { getHeader: async () => Promise.reject(new Error('offline')) } },
};

// What polkadot.js makes of the metadata's calls, wrapped like its transactions.
function transactions(): object {
	const decorated = decorateExtrinsics(registry, metadata.asLatest, metadata.version);
	const wrapped = Object.entries(decorated).map(([pallet, calls]) => {
		const made = Object.entries(calls).map(([name, fn]) => {
			const transaction = (...args: unknown[]): object => {
				const method = fn(...args);
				return { method, toU8a: () => method.toU8a() };
			};
			return [name, Object.assign(transaction, { meta: fn.meta })];
		});
		return [pallet, Object.fromEntries(made)];
	});
	return Object.fromEntries(wrapped) as object;
}

function stored(pallet: string, item: string): unknown {
	const found = registry.metadata.pallets.find(({ name }) => name.toString().toLowerCase() === pallet.toLowerCase());
	const items = found?.storage.unwrapOrDefault().items.map(({ name }) => name.toString().replace(/^./, (letter) => letter.toLowerCase()));
	return items?.includes(item) ? { entries: async () => Promise.reject(new Error('offline')) } : undefined;
}

const who = '5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY';
const hash: Hex = `0x${'01'.repeat(32)}`;
const rate = { input: 1n, output: 2n };
const tree = { root: hash, sum: 3n, count: 1 };
const node = { hash, sum: 1n };
const receipt = {
	genesis: hash, channel: 1n, generation: 0, lane: 0, sequence: 0, base: 0, adapter: 1, tokensIn: 1, tokensOut: 1, quote: 1, compute: 1n,
	licence: 1n, request: hash, response: hash, algorithm: 0, index: hash, attribution: hash,
};
const openedReceipt = { index: 0, leaf: { receipt: hash, paid: 1n }, proof: [node] };
const shown = { leaf: openedReceipt, receipt };
const payee = { Contributor: { adapter: 1, datanet: 0, contribution: 0 } };
const part = { index: 0, leaf: { payee, receipt: 0, amount: 1n }, proof: [node] };
const payout = { index: 0, leaf: { payee: 'Treasury' as const, amount: 1n }, proof: [] };
const voucher = { genesis: hash, channel: 1n, generation: 0, lane: 0, amount: 2n, licence: 1n, tokens: 1n, receipts: hash, quote: 1, validUntil: 9 };
const record = { contribution: 0, index: 0, leaf: { record: hash, bytes: 5 }, proof: [node] };
const of = { datanet: 0, contribution: 0 };
const epoch = { provider: who, epoch: 1 };
const report = { epoch: 1, receipts: tree, parts: tree, payouts: tree };

// Arguments for every method of every pallet's class.
const samples = {
	datanets: {
		create: [{ name: 'a', licence: 'CC0-1.0', mediaType: 'text/plain', curation: 'Owner' }], contribute: [{ datanet: 0, records: tree, uri: 'a', payout: who }],
		accept: [of], reject: [of], snapshot: [0], withdraw: [of], setPayoutAccount: [{ ...of, payout: who }], releaseBond: [of],
		claimDuplicate: [{ datanet: 0, original: record, duplicate: { ...record, contribution: 1 } }], joinPanel: [{ datanet: 0, stake: 5n }], leavePanel: [0],
		openReview: [of], commitVote: [{ ...of, commitment: hash }], revealVote: [{ ...of, vote: 'Accept', salt: hash }], concludeReview: [of], appeal: [of],
		clearRejected: [of], datanet: [0], all: [], contribution: [0, 0], contributions: [0], snapshotAt: [0, 1], bond: [0, 0], contributionRecords: [0, 0], panel: [0], review: [0, 0],
		payoutAccount: [0, 1, 0],
	},
	models: {
		registerBase: [{ name: 'a', architecture: 'llama', weights: hash, tokenizer: hash, licence: 'MIT', rate }],
		registerAdapter: [{ name: 'b', base: 0, weights: hash, config: hash, rank: 8, targets: ['q_proj'], lineage: [[0, 1]], manifest: hash, algorithm: 0, index: hash, uri: 'a', rate }],
		retireAdapter: [0], proposeAlgorithm: [{ name: 'x/1', spec: hash, vectors: hash, schema: hash, uri: 'a' }], withdrawAlgorithm: [2], shadowAlgorithm: [2], activateAlgorithm: [2], retireAlgorithm: [2], baseModel: [0],
		baseModels: [], adapter: [0], adapters: [], byName: ['a'], proposal: [2], algorithm: [0], algorithmByName: ['x/1'],
	},
	providers: {
		register: [{ hotKey: who, endpoint: 'http://a', bond: 1n, bases: [0], rate }], setQuote: [rate], setHotKey: [who], setEndpoint: ['http://b'], bondMore: [1n],
		leave: [], withdrawBond: [], unjail: [], provider: [who], all: [], quote: [who], pendingQuote: [who], quoteRate: [who, 1], lastSeen: [who], isAlive: [who],
		providerOf: [who],
	},
	channels: {
		open: [{ provider: who, escrow: 1n, delegate: { signer: who, limit: 1n } }], topUp: [{ channel: 1n, amount: 1n }], setDelegate: [{ channel: 1n }], thaw: [1n],
		cancelThaw: [1n], withdraw: [1n], close: [1n], redeem: [[{ voucher, signature: { Sr25519: `0x${'02'.repeat(64)}` } }]], channel: [1n], lane: [1n, 0], room: [who],
		ofPayer: [who], voucher: [{ channel: 1n, lane: 0, amount: 2n, licence: 1n, tokens: 1n }],
	},
	attribution: {
		report: [report], settle: [{ ...epoch, leaves: [{ payee, amount: 1n }], proof: [node] }], claim: [who], reportFor: [{ provider: who, ...report }],
		dispute: [{ ...epoch, dispute: { Overpaid: { leaf: openedReceipt, receipt } } }], answerAudit: [{ ...epoch, answer: { receipts: [shown], parts: [{ part, payout, of: shown }] } }],
		failAudit: [epoch], forfeit: [epoch], epoch: [], terms: [1], pot: [who, 1], reportOf: [who, 1], disproved: [who, 1], atRiskOf: [who], credit: [who], totals: [],
	},
	stakes: {
		bond: [{ amount: 1n, commission: 5 }], bondMore: [1n], unbond: [1n], delegate: [{ candidate: who, amount: 1n }], undelegate: [{ candidate: who, amount: 1n }],
		withdrawUnbonded: [who], claim: [{ candidate: who, staker: who }], validate: [5], chill: [], unjail: [], purgeKeys: [], cancelSlash: [0], setFallback: [[who]], jail: [who], candidate: [who], candidates: [], elected: [],
		position: [who, who], positionsOf: [who], claimable: [who, who],
	},
	governance: {
		propose: [{ track: 'Attribution', get call() { return new OpenLedger(api as unknown as ApiPromise).governance.set({ Attribution: { EpochLength: [null, 600] } }); } }],
		placeDecisionDeposit: [0], vote: [{ referendum: 0, aye: true, conviction: 'Locked1x', balance: 5n }], set: [{ Attribution: { EpochLength: [null, 600] } }],
		rule: [{ Attribution: 'EpochLength' }], referenda: [],
	},
};

// Metadata from before the stakes' pallet lacks what came with it; it is not what this SDK is for.
const complete = registry.metadata.pallets.some(({ name }) => name.eq('Stakes'));
const older = (error: unknown): boolean => !complete && isOpenLedgerError(error, 'runtime-incompatible');

const disputes: Dispute[] = [
	{ DuplicateReceipt: { first: openedReceipt, second: openedReceipt } },
	{ WrongReceipt: shown },
	{ Overpaid: shown },
	{ PaidTwice: { ...shown, others: [[1, openedReceipt]] } },
	{ WrongPart: { part, leaf: openedReceipt, receipt: null } },
	{ DuplicatePart: { first: part, second: part } },
	{ Misplaced: { part, payout } },
	{ UnknownPayee: { payout } },
	{ FalseSpan: { ...shown, attribution: { algorithm: 1, scores: [], spans: [] }, span: 0, evidence: { Texts: { record: hash, answer: '0x' } } } },
	{ FalseSpan: { ...shown, attribution: { algorithm: 1, scores: [], spans: [] }, span: 0, evidence: { Record: { index: 0, leaf: record.leaf, proof: [node] } } } },
	{ FalseSpan: { ...shown, attribution: { algorithm: 1, scores: [], spans: [] }, span: 0, evidence: 'OutOfTree' } },
	{ NotAcknowledged: { ...shown, acknowledged: [hash] } },
	{ PartWithoutReceipt: { part } },
	{ DataExceeded: { ...shown, parts: [part] } },
	{ NotRedeemed: { ...shown, acknowledged: [shown.receipt] } },
	{ Unexplained: { leaf: openedReceipt } },
	{ LaneExceeded: { first: openedReceipt, firstReceipt: shown.receipt, last: openedReceipt, lastReceipt: shown.receipt } },
	{ PayoutsDisordered: { first: payout, second: payout } },
	{ EmptyPayout: { payout } },
];

test('every dispute should be encoded as the runtime reads it', { skip: complete ? false : 'the metadata is older than disputes' }, () => {
	const ledger = new OpenLedger(api as unknown as ApiPromise);
	for (const dispute of disputes) {
		const call = ledger.attribution.dispute({ ...epoch, dispute }).extrinsic.method;
		const read = plain(call.args[2] as never);
		assert.deepEqual(read, dispute);
	}
});

test('a long call should be put on chain before it is proposed', { skip: complete ? false : 'the metadata is older than governance' }, () => {
	const ledger = new OpenLedger(api as unknown as ApiPromise);
	const call = ledger.stakes.setFallback(Array.from({ length: 10 }, () => who));
	const proposed = Buffer.from(ledger.governance.propose({ track: 'Root', call }).extrinsic.toU8a()).toString('hex');
	const encoded = Buffer.from(call.extrinsic.method.toU8a()).toString('hex');
	assert.equal(proposed.split(encoded).length, 2, 'the call is there once, in the preimage');
	const short = ledger.governance.propose({ track: 'Root', call: ledger.stakes.setFallback([who]) });
	assert.ok(Buffer.from(short.extrinsic.toU8a()).length < 128);
});

for (const [pallet, methods] of Object.entries(samples)) {
	test(`${pallet}: every call and read should be the runtime's`, async () => {
		const ledger = new OpenLedger(api as unknown as ApiPromise);
		const instance = ledger[pallet as keyof typeof samples] as unknown as Record<string, (...args: unknown[]) => unknown>;
		const all = Object.getOwnPropertyNames(Object.getPrototypeOf(instance)).filter((name) => name !== 'constructor');
		assert.deepEqual(Object.keys(methods).sort(), all.sort(), 'every method has a sample');
		for (const [name, args] of Object.entries(methods)) {
			try {
				const made = instance[name]?.(...(args as unknown[]));
				if (made instanceof Call) {
					const encoded = made.extrinsic.toU8a();
					// What was encoded reads back as the same call: nothing was lost on the way.
					assert.deepEqual(registry.createType('Call', encoded).toU8a(), encoded);
				} else {
					await made;
					assert.fail(`${name} should have asked the chain`);
				}
			} catch (error) {
				if (older(error)) continue;
				// A read that is well-formed gets as far as the chain, which is not there.
				assert.ok(isOpenLedgerError(error, 'node-error'), `${pallet}.${name}: ${String(error)}`);
			}
		}
	});
}

test('the events that the SDK knows should be the runtime\'s, with their fields', () => {
	const source = readFileSync(new URL('../../src/chain/types.ts', import.meta.url), 'utf8');
	const declared = [...source.matchAll(/^\t'(\w+)\.(\w+)': \{([^]*?)\n?\t?\};?$/gm)];
	assert.ok(declared.length > 40);
	for (const [, pallet = '', name = '', fields = ''] of declared) {
		const found = registry.metadata.pallets.find((each) => each.name.eq(pallet));
		const variants = found?.events.isSome ? registry.lookup.getSiType(found.events.unwrap().type).def.asVariant.variants : undefined;
		const event = variants?.find((each) => each.name.eq(name));
		if (!event && !complete) continue;
		assert.ok(event, `the runtime has an event ${pallet}.${name}`);
		const wanted = event.fields.map((field) => field.name.unwrap().toString().replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())).sort();
		const written = [...fields.replace(/\[[^\]]*\]/g, '').matchAll(/(\w+)(\??):/g)];
		const names = written.filter(([, field = '', optional]) => optional !== '?' || wanted.includes(field)).map(([, field = '']) => field);
		assert.deepEqual(names.sort(), wanted, `${pallet}.${name}`);
	}
});
