// The test vectors of primitives/, checked by an independent implementation.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { hexToU8a, u8aToHex } from '@polkadot/util';
import { cryptoWaitReady, sha256AsU8a, signatureVerify } from '@polkadot/util-crypto';
import { acknowledge, encodeReceipt, encodeVoucher, leaf, prove, receiptDigest, structuredHash, tree, verifyRange, voucherDigest, wrap } from './lib/protocol.mjs';

const vectors = (name) =>
  JSON.parse(readFileSync(new URL(`../../primitives/vectors/${name}.json`, import.meta.url)));
const node = ({ hash, sum }) => ({ hash: hexToU8a(hash), sum: BigInt(sum) });

test('structured hashes', () => {
  const { content, structured } = vectors('hashes');
  assert.equal(u8aToHex(sha256AsU8a(content.bytes)), content.digest);
  for (const { tag, scale, digest } of Object.values(structured)) {
    assert.equal(u8aToHex(structuredHash(tag, hexToU8a(scale))), digest);
  }
  const { voucher, receipt, acknowledge: ack } = structured;
  assert.equal(u8aToHex(encodeVoucher(voucher.value)), voucher.scale);
  assert.equal(u8aToHex(encodeReceipt(receipt.value)), receipt.scale);
  assert.equal(u8aToHex(receiptDigest(receipt.value)), receipt.digest);
  assert.equal(u8aToHex(acknowledge(ack.value.accumulator, ack.value.receipt)), ack.digest);
});

test('Merkle-sum trees', () => {
  const { records, payouts } = vectors('merkle');
  for (const { leaves, commitment, ranges = [] } of [records, payouts]) {
    const nodes = leaves.map(({ scale, amount }) => leaf(scale, amount));
    const built = tree(nodes);
    assert.equal(u8aToHex(built.root), commitment.root);
    assert.equal(String(built.sum), commitment.sum);
    for (const { start, len, proof } of ranges) {
      const range = nodes.slice(start, start + len);
      assert.ok(verifyRange(commitment, start, range, proof.map(node)));
      if (len === 1) assert.deepEqual(prove(nodes, start), proof.map(node));
      const forged = [{ ...range[0], sum: range[0].sum + 1n }, ...range.slice(1)];
      assert.ok(!verifyRange(commitment, start, forged, proof.map(node)));
    }
  }
});

test('signed vouchers, raw and as wallets wrap them', async () => {
  await cryptoWaitReady();
  const { structured } = vectors('hashes');
  const { voucher, signatures } = vectors('signatures');
  assert.equal(voucher, structured.voucher.scale);
  const digest = voucherDigest(structured.voucher.value);
  for (const { signer, wrapped, signature } of signatures) {
    const { isValid } = signatureVerify(wrapped ? wrap(digest) : digest, signature, signer);
    assert.ok(isValid, `${signer} wrapped=${wrapped}`);
  }
});
