// SCALE, as far as the protocol's values need it. Each codec also reads the JSON that the Rust
// programs write: amounts as decimal strings, hashes as hex, fields in snake_case.
import { hexToU8a, isHex, u8aConcat, u8aToHex } from '@polkadot/util';
import { OpenLedgerError } from '../errors.js';

/** 32 bytes (or any other number) as `0x…`. */
export type Hex = `0x${string}`;

/** Encodes, decodes and reads from JSON values of one type. */
export interface Codec<T> {
	encode(value: T): Uint8Array;
	/** Takes a value from the front of `bytes`. Throws `bad-bytes`. */
	read(bytes: Reader): T;
	/** Reads a value from JSON. Throws `bad-argument`, naming the field. */
	fromJson(json: unknown, where?: string): T;
}

/** Bytes that are taken from the front. */
export class Reader {
	#at = 0;
	constructor(readonly bytes: Uint8Array) {}

	take(length: number): Uint8Array {
		const taken = this.bytes.subarray(this.#at, this.#at + length);
		if (taken.length < length) throw new OpenLedgerError('bad-bytes', 'the bytes end too early');
		this.#at += length;
		return taken;
	}

	get left(): number {
		return this.bytes.length - this.#at;
	}
}

/** Decodes one value that fills `bytes` completely. Throws `bad-bytes`. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
	const reader = new Reader(bytes);
	const value = codec.read(reader);
	if (reader.left > 0) throw new OpenLedgerError('bad-bytes', `${reader.left} bytes are left over`);
	return value;
}

const bad = (where: string, what: string): never => {
	throw new OpenLedgerError('bad-argument', `${where || 'value'}: ${what}`);
};

function integer(bits: number): Codec<bigint> {
	const size = bits / 8;
	const check = (value: bigint, where = ''): bigint =>
		value >= 0n && value < 1n << BigInt(bits) ? value : bad(where, `${value} does not fit ${bits} bits`);
	return {
		encode(value) {
			let rest = check(BigInt(value));
			return Uint8Array.from({ length: size }, () => {
				const byte = Number(rest & 0xffn);
				rest >>= 8n;
				return byte;
			});
		},
		read: (bytes) => bytes.take(size).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n),
		fromJson(json, where = '') {
			if (typeof json === 'bigint') return check(json, where);
			if (typeof json === 'number' && Number.isSafeInteger(json)) return check(BigInt(json), where);
			if (typeof json === 'string' && /^\d+$/.test(json)) return check(BigInt(json), where);
			return bad(where, 'expected a whole number');
		},
	};
}

function small(bits: number): Codec<number> {
	const wide = integer(bits);
	return {
		encode: (value) => (Number.isInteger(value) ? wide.encode(BigInt(value)) : bad('', `${value} is no whole number`)),
		read: (bytes) => Number(wide.read(bytes)),
		fromJson: (json, where) => Number(wide.fromJson(json, where)),
	};
}

export const u8 = small(8);
export const u16 = small(16);
export const u32 = small(32);
export const u64 = integer(64);
export const u128 = integer(128);

/** Exactly 32 bytes. */
export const hash: Codec<Hex> = {
	encode: (value) => bytesOf(hash.fromJson(value)),
	read: (bytes) => u8aToHex(bytes.take(32)),
	fromJson: (json, where = '') =>
		isHex(json, 256) ? (json.toLowerCase() as Hex) : bad(where, 'expected 32 bytes as 0x and 64 hex digits'),
};

/** Zero, which stands for "none yet" in accumulators and "no index" in receipts. */
export const ZERO: Hex = `0x${'00'.repeat(32)}`;

/** SCALE's compact number, as far as lengths need it. */
export const length: Codec<number> = {
	encode(value) {
		if (!Number.isInteger(value) || value < 0 || value >= 2 ** 30) bad('', `${value} is no length`);
		if (value < 2 ** 6) return u8.encode(value * 4);
		return value < 2 ** 14 ? u16.encode(value * 4 + 1) : u32.encode(value * 4 + 2);
	},
	read(bytes) {
		const [first = 0] = bytes.take(1);
		const mode = first & 3;
		if (mode === 3) throw new OpenLedgerError('bad-bytes', 'a length is too large');
		const more = bytes.take([0, 1, 3][mode] ?? 0);
		const value = (Number(more.reduceRight((sum, byte) => sum * 256 + byte, 0)) * 256 + first) >>> 0;
		const result = Math.floor(value / 4);
		if (this.encode(result).length !== more.length + 1) throw new OpenLedgerError('bad-bytes', 'a length is not in its shortest form');
		return result;
	},
	fromJson: (json, where) => u32.fromJson(json, where),
};

/** A list with its length before it. */
export function list<T>(item: Codec<T>): Codec<T[]> {
	return {
		encode: (values) => u8aConcat(length.encode(values.length), ...values.map((value) => item.encode(value))),
		read(bytes) {
			const count = length.read(bytes);
			// Every item has at least one byte: a length cannot claim more memory than bytes came.
			if (count > bytes.left) throw new OpenLedgerError('bad-bytes', 'the bytes end too early');
			return Array.from({ length: count }, () => item.read(bytes));
		},
		fromJson: (json, where = '') =>
			Array.isArray(json) ? json.map((value, i) => item.fromJson(value, `${where}[${i}]`)) : bad(where, 'expected a list'),
	};
}

/** A value or nothing, which is `null`. */
export function option<T>(item: Codec<T>): Codec<T | null> {
	return {
		encode: (value) => (value === null ? u8.encode(0) : u8aConcat([1], item.encode(value))),
		read(bytes) {
			const tag = u8.read(bytes);
			if (tag > 1) throw new OpenLedgerError('bad-bytes', `an option begins with ${tag}`);
			return tag === 1 ? item.read(bytes) : null;
		},
		fromJson: (json, where) => (json === null || json === undefined ? null : item.fromJson(json, where)),
	};
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Fields one after the other. From JSON, names may be in camelCase or snake_case. */
export function struct<T extends object>(fields: { [K in keyof T]-?: Codec<T[K]> }): Codec<T> {
	const entries = Object.entries(fields) as [keyof T & string, Codec<T[keyof T]>][];
	return {
		encode: (value) =>
			u8aConcat(
				...entries.map(([name, codec]) => {
					if (value[name] === undefined) bad(name, 'is missing');
					return codec.encode(value[name]);
				}),
			),
		read: (bytes) => Object.fromEntries(entries.map(([name, codec]) => [name, codec.read(bytes)])) as T,
		fromJson(json, where = '') {
			if (typeof json !== 'object' || json === null) return bad(where, 'expected an object');
			const given = json as Record<string, unknown>;
			const read = entries.map(([name, codec]) => {
				const value = given[name] ?? given[snake(name)];
				const path = where ? `${where}.${name}` : name;
				return [name, codec.fromJson(value, path)];
			});
			return Object.fromEntries(read) as T;
		},
	};
}

/** A case of a variant: its index, and its value's codec; `null` where it carries nothing. */
// The values of the cases have nothing in common.
export type Case = readonly [index: number, value: Codec<any> | null];

/**
 * One of several cases. A case with a value is `{ Name: value }`, a case without is `'Name'`, as in
 * the Rust programs' JSON and in what polkadot.js takes.
 */
export function variant<T>(cases: Record<string, Case>): Codec<T> {
	const parts = (value: unknown, where = ''): [string, Case, unknown] => {
		const [name, inner] =
			typeof value === 'string' ? [value, undefined] : (Object.entries((value ?? {}) as object)[0] ?? ['', undefined]);
		const found = cases[name] ?? bad(where, `expected one of ${Object.keys(cases).join(', ')}`);
		return [name, found, inner];
	};
	const value = (name: string, inner: unknown, found: Case): T => (found[1] ? { [name]: inner } : name) as T;
	return {
		encode(given) {
			const [, found, inner] = parts(given);
			return found[1] ? u8aConcat([found[0]], found[1].encode(inner)) : u8.encode(found[0]);
		},
		read(bytes) {
			const index = u8.read(bytes);
			const entry = Object.entries(cases).find(([, [at]]) => at === index);
			if (!entry) throw new OpenLedgerError('bad-bytes', `no case has the index ${index}`);
			const [name, found] = entry;
			return value(name, found[1]?.read(bytes), found);
		},
		fromJson(json, where = '') {
			const [name, found, inner] = parts(json, where);
			return value(name, found[1]?.fromJson(inner, `${where}.${name}`), found);
		},
	};
}

/** Bytes given as bytes, as `0x…`, or as base64, which is how protobuf's JSON writes them. */
export function bytesOf(value: Uint8Array | string): Uint8Array {
	if (value instanceof Uint8Array) return value;
	if (isHex(value)) return hexToU8a(value);
	try {
		return Uint8Array.from(atob(value.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
	} catch (error) {
		throw new OpenLedgerError('bad-bytes', `\`${value.slice(0, 40)}\` is neither hex nor base64`, error);
	}
}
