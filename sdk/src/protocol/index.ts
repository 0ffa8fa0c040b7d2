// The protocol's bytes and arithmetic, without a chain. See docs/protocol.md.
export { bytesOf, decode, Reader, ZERO, type Codec, type Hex } from './codec.js';
export * from './audit.js';
export type * from './dispute.js';
export * from './fees.js';
export * from './hash.js';
export * from './merkle.js';
export * from './receipt.js';
export * from './records.js';
export * from './report.js';
export * from './voucher.js';
