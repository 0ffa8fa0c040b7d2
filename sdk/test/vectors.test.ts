// The test vectors of primitives/, without a chain.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { u8aToHex } from '@polkadot/util';
import {
	acknowledge, apportion, Attribution, attributionDigest, auditAnswer, auditDraw, AUDIT_LEAVES, bytesOf, contentHash, decode, isOpenLedgerError, leaf, Node, PartLeaf,
	partNode, parts, PayoutLeaf, payoutNode, payouts, Receipt, receiptDigest, receiptNode, recordsTree, RecordLeaf, recordNode, splitRedemption, Tree, verifyLeaf, verifyRange, verifySpan,
	verifyVoucher, Voucher, voucherDigest, ZERO, type Codec, type Commitment, type Earning, type Hex, type MultiSignature, type Terms,
} from '../src/index.js';

type Json = any;
const vectors = (name: string): Json =>
	JSON.parse(readFileSync(new URL(`../../../primitives/vectors/${name}.json`, import.meta.url), 'utf8'));
const amount = (text: string): bigint => BigInt(text);
const badProof = (error: unknown): boolean => isOpenLedgerError(error, 'bad-proof');

test('values should encode to the bytes of the vectors, read back, and hash to their digests', () => {
	const { content, structured } = vectors('hashes');
	assert.equal(contentHash(bytesOf(content.bytes)), content.digest);
	const check = <T>(name: string, codec: Codec<T>, digest: (value: T) => Hex): void => {
		const vector = structured[name];
		const value = codec.fromJson(vector.value);
		assert.equal(u8aToHex(codec.encode(value)), vector.scale);
		assert.deepEqual(decode(codec, bytesOf(vector.scale)), value);
		assert.equal(digest(value), vector.digest);
	};
	check('voucher', Voucher, (value) => u8aToHex(voucherDigest(value)));
	check('receipt', Receipt, receiptDigest);
	check('attribution', Attribution, attributionDigest);
	const { value, digest } = structured.acknowledge;
	assert.equal(acknowledge(value.accumulator, value.receipt), digest);
});

test('every prefix and every extension of a value should be refused', () => {
	const { structured } = vectors('hashes');
	for (const [name, codec] of [['voucher', Voucher], ['receipt', Receipt], ['attribution', Attribution]] as const) {
		const bytes = bytesOf(structured[name].scale as string);
		const refused = (wrong: Uint8Array): void =>
			assert.throws(() => decode<unknown>(codec, wrong), (error) => isOpenLedgerError(error, 'bad-bytes'));
		for (let end = 0; end < bytes.length; end++) refused(bytes.subarray(0, end));
		refused(Uint8Array.from([...bytes, 0]));
	}
});

test('trees and range proofs should be those of the vectors', () => {
	const merkle = vectors('merkle');
	const check = <T>(name: string, codec: Codec<T>, node: (value: T) => Node): void => {
		const { leaves, commitment, ranges = [] } = merkle[name];
		const nodes: Node[] = leaves.map((vector: Json) => {
			const made = node(decode(codec, bytesOf(vector.scale)));
			assert.deepEqual(made, leaf(bytesOf(vector.scale), amount(vector.amount)));
			assert.equal(made.hash, vector.hash);
			return made;
		});
		const tree = new Tree(nodes);
		const given: Commitment = { ...commitment, sum: amount(commitment.sum) };
		assert.deepEqual(tree.commitment, given);
		for (const { start, len, proof } of ranges) {
			const path: Node[] = proof.map((json: Json) => Node.fromJson(json));
			assert.deepEqual(tree.proof(start, len), path);
		}
		for (let start = 0; start < nodes.length; start++) {
			for (let len = 1; start + len <= nodes.length; len++) {
				const range = nodes.slice(start, start + len);
				const proof = tree.proof(start, len);
				const before = nodes.slice(0, start).reduce((sum, { sum: more }) => sum + more, 0n);
				assert.equal(verifyRange(given, start, range, proof), before);
				const [first = leaf(new Uint8Array(), 0n), ...rest] = range;
				assert.throws(() => verifyRange(given, start, [{ ...first, sum: first.sum + 1n }, ...rest], proof), badProof);
				assert.throws(() => verifyRange(given, start + 1, range, proof), badProof);
				assert.throws(() => verifyRange(given, start, range, [...proof, first]), badProof);
				if (proof.length > 0) assert.throws(() => verifyRange(given, start, range, proof.slice(1)), badProof);
			}
		}
	};
	check('records', RecordLeaf, recordNode);
	check('payouts', PayoutLeaf, payoutNode);
});

test('an audit should be answered with the leaves that hold what was drawn', () => {
	const terms = { protocolCut: 0, burnt: 0, baseOwner: 100_000, adapterOwner: 300_000, stakers: 100_000, data: 500_000, attributed: 0, cap: 0 };
	const template = Receipt.fromJson(vectors('hashes').structured.receipt.value);
	const known = new Map(Array.from({ length: 5 }, (_, sequence) => ({ ...template, sequence })).map((each) => [receiptDigest(each), each]));
	const receipts = [...known.keys(), ZERO].map((receipt, i) => ({ receipt, paid: BigInt(i + 1) * 100n }));
	const licence = receipts.reduce((sum, { paid }) => sum + paid, 0n);
	const earnings = receipts.map(({ receipt, paid }) => ({ paid, base: receipt === ZERO ? null : 0, adapter: null, contributors: [] }));
	const partLeaves = parts(licence, 1_999n, earnings, terms);
	const leaves = { receipts, parts: partLeaves, payouts: payouts(partLeaves), known };
	const [receiptsTree, partsTree, payoutsTree] = [new Tree(receipts.map(receiptNode)), new Tree(partLeaves.map(partNode)), new Tree(leaves.payouts.map(payoutNode))];
	const holds = (before: bigint, sum: bigint, unit: bigint): boolean => before <= unit && unit < before + sum;
	for (let round = 0; round < 50; round++) {
		const seed = contentHash(`seed ${round}`);
		const answer = auditAnswer(seed, leaves);
		assert.equal(answer.receipts.length, AUDIT_LEAVES);
		assert.equal(answer.parts.length, AUDIT_LEAVES);
		answer.receipts.forEach(({ leaf: { index, leaf, proof }, receipt }, number) => {
			const before = verifyLeaf(receiptsTree.commitment, index, receiptNode(leaf), proof);
			assert.ok(holds(before, leaf.paid, auditDraw(seed, 'Receipts', number, licence)));
			assert.equal(receipt ? receiptDigest(receipt) : ZERO, leaf.receipt);
		});
		answer.parts.forEach(({ part, payout, of }, number) => {
			const unit = auditDraw(seed, 'Parts', number, 1_999n);
			assert.ok(holds(verifyLeaf(partsTree.commitment, part.index, partNode(part.leaf), part.proof), part.leaf.amount, unit));
			assert.ok(holds(verifyLeaf(payoutsTree.commitment, payout.index, payoutNode(payout.leaf), payout.proof), payout.leaf.amount, unit));
			assert.deepEqual(payout.leaf.payee, part.leaf.payee);
			assert.equal(of.leaf.index, part.leaf.receipt);
		});
	}
	assert.throws(() => auditAnswer(contentHash('seed'), { ...leaves, known: new Map() }), (error) => isOpenLedgerError(error, 'bad-argument'));
});

test('a span should be proved by its record and refuted by any other', () => {
	const records = ['Leek soup: two leeks.', 'Zwiebelsuppe für sechs: sechs Zwiebeln.', 'Onion soup'];
	const tree = recordsTree(records);
	const answer = 'Man nehme für sechs: sechs Zwiebeln!';
	const record = records[1] ?? '';
	const offset = (text: string): number => Buffer.from(text.slice(0, text.indexOf('für'))).length;
	const span = {
		datanet: 0, contribution: 0, record: contentHash(record), recordIndex: 1, recordOffset: offset(record), answerOffset: offset(answer),
		length: Buffer.from('für sechs: sechs Zwiebeln').length, weight: 1n,
	};
	const check = (changed: object, text = record, proof = tree.proof(1)): string => verifySpan({ ...span, ...changed }, answer, text, tree.commitment, proof);
	assert.equal(check({}), 'für sechs: sechs Zwiebeln');
	for (const changed of [{ recordOffset: 0 }, { answerOffset: 0 }, { recordIndex: 0 }, { length: 100 }, { length: 0 }, { record: contentHash('else') }]) {
		assert.throws(() => check(changed), badProof, JSON.stringify(changed));
	}
	assert.throws(() => check({}, `${record} `), badProof);
	assert.throws(() => check({}, record, tree.proof(0)), badProof);
});

test('every signature of the vectors should verify for its signer and for nobody else', async () => {
	const { structured } = vectors('hashes');
	const { voucher: scale, signatures } = vectors('signatures');
	const voucher = Voucher.fromJson(structured.voucher.value);
	assert.equal(u8aToHex(Voucher.encode(voucher)), scale);
	const kinds = ['Ed25519', 'Sr25519', 'Ecdsa'];
	for (const { signer, signature: bytes } of signatures) {
		const signature = { [kinds[Number(bytes.slice(2, 4))] ?? '']: `0x${bytes.slice(4)}` } as MultiSignature;
		assert.ok(await verifyVoucher({ voucher, signature }, signer));
		assert.ok(!(await verifyVoucher({ voucher: { ...voucher, amount: voucher.amount + 1n }, signature }, signer)));
		const other = signatures.find((vector: Json) => vector.signer !== signer).signer;
		assert.ok(!(await verifyVoucher({ voucher, signature }, other)));
	}
});

test('money should be split as in the vectors', () => {
	const fees = vectors('fees');
	for (const { total, weights, amounts } of fees.apportion) {
		assert.deepEqual(apportion(amount(total), weights.map(amount)).map(String), amounts);
	}
	const terms = Object.fromEntries(
		Object.entries(fees.terms).map(([name, parts]) => [name.replace(/_(.)/g, (_, letter) => letter.toUpperCase()), parts]),
	) as unknown as Terms;
	for (const { compute, licence, split } of fees.redemptions) {
		const made = splitRedemption(amount(compute), amount(licence), terms);
		assert.deepEqual(Object.fromEntries(Object.entries(made).map(([name, value]) => [name, String(value)])), split);
	}
	const earnings: Earning[] = fees.payouts.earnings.map((earning: Json) => ({
		paid: amount(earning.paid),
		base: earning.base,
		adapter: earning.adapter,
		contributors: earning.contributors.map((each: Json) => ({ ...each, weight: amount(each.weight) })),
	}));
	const epoch = fees.payouts;
	const made = parts(amount(epoch.licence), amount(epoch.net), earnings, terms);
	assert.deepEqual(made, epoch.parts.map((json: Json) => PartLeaf.fromJson(json)));
	assert.deepEqual(payouts(made), epoch.leaves.map((json: Json) => PayoutLeaf.fromJson(json)));
	assert.deepEqual(new Tree(made.map(partNode)).commitment, { ...epoch.parts_commitment, sum: amount(epoch.parts_commitment.sum) });
	assert.deepEqual(made.map((leaf) => decode(PartLeaf, PartLeaf.encode(leaf))), made);
	assert.throws(() => parts(amount(epoch.licence) + 1n, amount(epoch.net), earnings, terms), /the receipts sum to/);
});
