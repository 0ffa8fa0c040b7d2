// From polkadot.js values to plain ones: `null`, booleans, numbers up to 32 bits, bigints above, SS58
// accounts, hex, lists, and objects with the chain's field names in camelCase. A case of an enum is
// `'Name'`, or `{ Name: value }` where it carries something, as in the Rust programs' JSON.
import { AbstractArray, AbstractInt, bool, Compact, Enum, Map as CodecMap, Null, Option, Raw, Struct, Text } from '@polkadot/types-codec';
import type { Codec } from '@polkadot/types-codec/types';
import { stringCamelCase, u8aToHex } from '@polkadot/util';

// Byte strings that the chain only takes as printable UTF-8, by their field's name.
const TEXTS = new Set(['name', 'licence', 'mediaType', 'uri', 'architecture', 'endpoint', 'targets']);

/** The plain value of `codec`; byte strings become text if `text` is set. */
export function plain(codec: Codec, text = false): unknown {
	if (codec instanceof Null) return null;
	if (codec instanceof Option) return codec.isSome ? plain(codec.unwrap(), text) : null;
	if (codec instanceof bool) return codec.isTrue;
	if (codec instanceof Compact) return plain(codec.unwrap());
	if (codec instanceof AbstractInt) return codec.bitLength() <= 32 ? codec.toNumber() : codec.toBigInt();
	if (codec instanceof Text) return codec.toString();
	if (codec instanceof Struct) {
		const fields = [...codec.entries()] as [string, Codec][];
		// polkadot.js calls a field `hash_` where its own objects have a `hash`.
		return Object.fromEntries(fields.map(([name, value]) => [name.replace(/_$/, ''), plainField(name, value)]));
	}
	if (codec instanceof Enum) {
		const empty = codec.isBasic || codec.inner instanceof Null;
		return empty ? codec.type : { [codec.type]: plain(codec.inner) };
	}
	if (codec instanceof CodecMap) {
		return [...(codec as unknown as Map<Codec, Codec>).entries()].map(([key, value]) => [plain(key), plain(value)]);
	}
	if (codec instanceof AbstractArray) return [...(codec as unknown as Codec[])].map((item) => plain(item, text));
	if (codec instanceof Raw) {
		if (codec.toRawType() === 'AccountId') return codec.toString();
		// `Bytes` keeps its length apart from its content, as does every other byte string here.
		const bytes = Uint8Array.from(codec as unknown as Uint8Array);
		return text ? new TextDecoder().decode(bytes) : u8aToHex(bytes);
	}
	// Numbers of more than 64 bits and what wraps another type read as JSON.
	return codec.toJSON();
}

/** The plain value of a field, whose name tells texts from other bytes. */
export const plainField = (name: string, codec: Codec): unknown => plain(codec, TEXTS.has(name));

/** A text, as an argument for a call; strings would be taken for hex where they look like it. */
export const text = (value: string): string => u8aToHex(new TextEncoder().encode(value));

/** `register_base` → `registerBase`, `Channels` → `channels`: how polkadot.js names things. */
export const camel = (name: string): string => stringCamelCase(name);
