// Content hashes and structured hashes.
import { stringToU8a, u8aConcat, u8aToHex } from '@polkadot/util';
import { sha256AsU8a } from '@polkadot/util-crypto';
import type { Hex } from './codec.js';

/** SHA-256. */
export const sha256 = (bytes: Uint8Array): Uint8Array => sha256AsU8a(bytes);

/** The SHA-256 of a file's or a text's bytes, what `sha256sum` prints. */
export const contentHash = (bytes: Uint8Array | string): Hex =>
	u8aToHex(sha256(typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes));

/** `sha256(tag ‖ SCALE)`. */
export const structuredHash = (tag: string, scale: Uint8Array): Uint8Array => sha256(u8aConcat(stringToU8a(tag), scale));
