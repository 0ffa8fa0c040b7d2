// The protocol's bytes in plain JavaScript: what a dApp needs to sign vouchers and to check proofs.
// See docs/protocol.md.
import { bnToU8a, hexToU8a, stringToU8a, u8aConcat, u8aToBigInt } from '@polkadot/util';
import { sha256AsU8a } from '@polkadot/util-crypto';

const uint = (bits) => (value) => bnToU8a(BigInt(value), { bitLength: bits, isLe: true });
export const u16 = uint(16);
export const u32 = uint(32);
export const u64 = uint(64);
export const u128 = uint(128);
const bytes = (value) => (typeof value === 'string' ? hexToU8a(value) : value);

export const structuredHash = (tag, scale) => sha256AsU8a(u8aConcat(stringToU8a(tag), scale));

export const encodeVoucher = (v) =>
  u8aConcat(
    bytes(v.genesis), u64(v.channel), u32(v.generation), u16(v.lane), u128(v.amount), u128(v.licence),
    u64(v.tokens), bytes(v.receipts), u32(v.quote), u32(v.valid_until),
  );

export const voucherDigest = (v) => structuredHash('openledger/voucher/1', encodeVoucher(v));

export const acknowledge = (accumulator, receipt) =>
  structuredHash('openledger/receipts/1', u8aConcat(bytes(accumulator), bytes(receipt)));

export const encodeReceipt = (r) =>
  u8aConcat(
    bytes(r.genesis), u64(r.channel), u32(r.generation), u16(r.lane), u32(r.sequence), u32(r.base),
    r.adapter === null ? [0] : u8aConcat([1], u32(r.adapter)), u32(r.tokens_in), u32(r.tokens_out), u32(r.quote), u128(r.compute), u128(r.licence),
    bytes(r.request), bytes(r.response), u16(r.algorithm), bytes(r.index), bytes(r.attribution),
  );

export const receiptDigest = (r) => structuredHash('openledger/receipt/1', encodeReceipt(r));

// The unit below `sum` that an audit's draw falls on; `tree` is 0 for receipts, 1 for parts and payouts.
export function auditDraw(seed, tree, number, sum) {
  const digest = structuredHash('openledger/audit/1', u8aConcat(bytes(seed), [tree], u32(number)));
  return u8aToBigInt(digest.subarray(0, 16), { isLe: true }) % sum;
}

// What a browser wallet signs when it is asked to sign these bytes.
export const wrap = (digest) => u8aConcat('<Bytes>', digest, '</Bytes>');

export const leaf = (scale, amount) => ({
  hash: sha256AsU8a(u8aConcat([0], bytes(scale))),
  sum: BigInt(amount),
});

export const join = (left, right) => ({
  hash: sha256AsU8a(u8aConcat([1], left.hash, u128(left.sum), right.hash, u128(right.sum))),
  sum: left.sum + right.sum,
});

const PADDING = { hash: new Uint8Array(32), sum: 0n };

export function tree(leaves) {
  let level = leaves;
  let padding = PADDING;
  while (level.length > 1) {
    const above = [];
    for (let i = 0; i < level.length; i += 2) above.push(join(level[i], level[i + 1] ?? padding));
    level = above;
    padding = join(padding, padding);
  }
  return { root: level[0].hash, sum: level[0].sum, count: leaves.length };
}

// Proof that the leaf at `index` is in the tree over `leaves`.
export function prove(leaves, index) {
  const proof = [];
  let [level, padding, at] = [leaves, PADDING, index];
  while (level.length > 1) {
    const sibling = level[at ^ 1];
    if (sibling) proof.push(sibling);
    const above = [];
    for (let i = 0; i < level.length; i += 2) above.push(join(level[i], level[i + 1] ?? padding));
    [level, at] = [above, at >> 1];
    padding = join(padding, padding);
  }
  return proof;
}

// Whether `leaves` stand from `start` on in the tree behind `commitment`.
export function verifyRange(commitment, start, leaves, proof) {
  let [low, high, width, level, padding] = [start, start + leaves.length, commitment.count, leaves, PADDING];
  const rest = [...proof];
  if (leaves.length === 0 || high > width) return false;
  for (let depth = Math.ceil(Math.log2(commitment.count)); depth > 0; depth--) {
    const sibling = (at) => (at < width ? rest.shift() : padding);
    if (low % 2 === 1) level = [sibling(low - 1), ...level];
    if (high % 2 === 1) level = [...level, sibling(high)];
    if (level.includes(undefined)) return false;
    const above = [];
    for (let i = 0; i < level.length; i += 2) above.push(join(level[i], level[i + 1]));
    [low, high, width, level] = [Math.floor(low / 2), Math.ceil(high / 2), Math.ceil(width / 2), above];
    padding = join(padding, padding);
  }
  const [root] = level;
  const same = root.hash.every((byte, i) => byte === bytes(commitment.root)[i]);
  return rest.length === 0 && level.length === 1 && same && root.sum === BigInt(commitment.sum);
}
