// The connection: calls by name, reads through view functions, events to finality. The pallets build on it.
import { ApiPromise, WsProvider } from '@polkadot/api';
import type { ApiOptions, SubmittableExtrinsic } from '@polkadot/api/types';
import type { Codec } from '@polkadot/types-codec/types';
import { compactAddLength, compactStripLength, hexToU8a, u8aConcat, u8aToHex } from '@polkadot/util';
import { OpenLedgerError, reason } from '../errors.js';
import type { Hex } from '../protocol/codec.js';
import { Call } from './call.js';
import { eventFrom } from './events.js';
import { camel, plain, text } from './plain.js';
import type { LedgerEvent } from './types.js';

/** How to connect. */
export interface ConnectOptions {
	/** How long to wait for the node, in milliseconds. Default 20,000. */
	timeout?: number;
	/** The genesis hash the chain must have. Money goes by it, so applications should give it. */
	genesis?: string;
}

/** A finalized block and what happened in it. */
export interface Block {
	number: number;
	hash: Hex;
	events: LedgerEvent[];
}

const VIEW = 'RuntimeViewFunction_execute_view_function';

/** Connects to a node. Throws `bad-node-address`, `node-unreachable`, `wrong-chain`, `runtime-incompatible`. */
export async function open(endpoint: string, options: ConnectOptions = {}): Promise<ApiPromise> {
	let url: URL | undefined;
	try {
		url = new URL(endpoint);
	} catch {
		// Said below, as for other schemes.
	}
	if (!url || !['ws:', 'wss:'].includes(url.protocol) || !url.hostname) {
		throw new OpenLedgerError('bad-node-address', `\`${endpoint}\` is no address of a node. Give one like ws://127.0.0.1:9944.`);
	}
	const provider = new WsProvider(endpoint, 1_000);
	try {
		await within(options.timeout ?? 20_000, async () => {
			await new Promise<void>((resolve, reject) => {
				provider.on('connected', resolve);
				provider.on('error', (error: unknown) => reject(error as Error));
			});
		});
		const api = await within(options.timeout ?? 20_000, () => ApiPromise.create({ provider: provider as NonNullable<ApiOptions['provider']>, noInitWarn: true, throwOnConnect: true }));
		expect(api, endpoint, options.genesis);
		return api;
	} catch (error) {
		await provider.disconnect();
		if (error instanceof OpenLedgerError) throw error;
		const why = reason(error).startsWith('[object') ? 'the connection failed' : reason(error);
		throw new OpenLedgerError('node-unreachable', `No node answers at ${endpoint}: ${why}. Start one with \`make dev-chain\`, or give another address.`, error);
	}
}

function expect(api: ApiPromise, endpoint: string, genesis: string | undefined): void {
	const spec = api.runtimeVersion.specName.toString();
	if (spec !== 'openledger') {
		throw new OpenLedgerError('wrong-chain', `The node at ${endpoint} runs the chain \`${spec}\`, not OpenLedger. Give another address.`);
	}
	if (genesis !== undefined && genesis.toLowerCase() !== api.genesisHash.toHex()) {
		throw new OpenLedgerError('wrong-chain', `The chain at ${endpoint} has the genesis hash ${api.genesisHash.toHex()}, not ${genesis}. Give the address of a node of the right network.`);
	}
}

async function within<T>(milliseconds: number, work: () => Promise<T>): Promise<T> {
	let timer: ReturnType<typeof setTimeout> | undefined;
	const late = new Promise<never>((_, reject) => {
		timer = setTimeout(() => reject(new Error(`no answer in ${milliseconds / 1000} s`)), milliseconds);
	});
	try {
		return await Promise.race([work(), late]);
	} finally {
		clearTimeout(timer);
	}
}

/** What every pallet's class builds on. Any pallet of the runtime can be used through it by name. */
export class Chain {
	constructor(
		readonly api: ApiPromise,
		/** The block that reads are made at; the newest if absent. */
		readonly block?: Hex,
	) {}

	/** Whether the runtime's call has an argument of this name. */
	takes(pallet: string, name: string, argument: string): boolean {
		return this.#method(pallet, name).meta.args.some((arg) => camel(arg.name.toString()) === argument);
	}

	/**
	 * The call `pallet.name` with its arguments by name, all as plain values. Throws
	 * `runtime-incompatible` if the runtime's call is another, `bad-argument` if a value does not fit.
	 */
	call<Result = LedgerEvent[]>(
		pallet: string,
		name: string,
		args: Record<string, unknown> = {},
		result: (events: LedgerEvent[]) => Result = (events) => events as Result,
	): Call<Result> {
		const method = this.#method(pallet, name);
		const wanted = method.meta.args.map((arg) => camel(arg.name.toString()));
		const given = Object.keys(args);
		if (wanted.length !== given.length || wanted.some((arg) => !given.includes(arg))) {
			throw new OpenLedgerError(
				'runtime-incompatible',
				`${pallet}.${name} of this runtime takes (${wanted.join(', ')}), not (${given.join(', ')}). Use versions of node and SDK that belong together.`,
			);
		}
		try {
			const extrinsic = (method as unknown as (...args: unknown[]) => SubmittableExtrinsic<'promise'>)(...wanted.map((arg) => args[arg]));
			return new Call(this.api, extrinsic, result);
		} catch (error) {
			throw new OpenLedgerError('bad-argument', `${pallet}.${name}: ${reason(error)}`, error);
		}
	}

	/** All calls in one transaction, or none of them. */
	batch<Result = LedgerEvent[]>(calls: readonly Call<unknown>[], result?: (events: LedgerEvent[]) => Result): Call<Result> {
		return this.call('Utility', 'batchAll', { calls: calls.map(({ extrinsic }) => extrinsic.method) }, result);
	}

	#method(pallet: string, name: string): (typeof this.api.tx)[string][string] {
		const method = this.api.tx[camel(pallet)]?.[camel(name)];
		if (!method) throw missing('call', pallet, name);
		return method;
	}

	/**
	 * What the view function `pallet.name` answers, as a plain value. Throws `runtime-incompatible` if
	 * the runtime has none.
	 */
	async view<T>(pallet: string, name: string, ...args: unknown[]): Promise<T> {
		const { registry } = this.api;
		const found = registry.metadata.pallets.find((each) => each.name.eq(pallet));
		const fn = found?.viewFunctions.find((each) => camel(each.name.toString()) === camel(name));
		if (!fn) throw missing('view function', pallet, name);
		if (fn.inputs.length !== args.length) {
			throw new OpenLedgerError('runtime-incompatible', `The view function ${pallet}.${name} of this runtime takes ${fn.inputs.length} arguments, not ${args.length}.`);
		}
		let input: Uint8Array;
		try {
			const encoded = fn.inputs.map(({ type }, i) => registry.createType(registry.createLookupType(type), args[i]).toU8a());
			input = u8aConcat(fn.id.toU8a(), compactAddLength(u8aConcat(...encoded)));
		} catch (error) {
			throw new OpenLedgerError('bad-argument', `${pallet}.${name}: ${reason(error)}`, error);
		}
		// An absent block has to be left out: polkadot.js takes `undefined` for the block with the hash 0.
		const at = this.block === undefined ? [] : [this.block];
		const answer = await this.ask(() => this.api.rpc.state.call(VIEW, u8aToHex(input), ...at));
		const bytes = hexToU8a(answer.toHex());
		if (bytes[0] !== 0) throw new OpenLedgerError('runtime-incompatible', `The view function ${pallet}.${name} failed: ${u8aToHex(bytes)}`);
		const [, value] = compactStripLength(bytes.subarray(1));
		return plain(registry.createType(registry.createLookupType(fn.output), value) as unknown as Codec) as T;
	}

	/** All entries of a storage map, as plain values: their keys and what stands there. */
	async entries<Key extends unknown[], Value>(pallet: string, item: string, ...prefix: unknown[]): Promise<{ key: Key; value: Value }[]> {
		const api = this.block === undefined ? this.api : await this.ask(() => this.api.at(this.block as Hex));
		const query = api.query[camel(pallet)]?.[camel(item)];
		if (!query) throw missing('storage map', pallet, item);
		const entries = await this.ask(() => query.entries(...prefix));
		const all = entries.map(([key, value]) => ({
			key: (key.args as unknown as Codec[]).map((arg) => plain(arg)) as Key,
			value: plain(value as unknown as Codec) as Value,
		}));
		return all.sort((a, b) => compareKeys(a.key, b.key));
	}

	/** Runs a request to the node. Throws `node-error`. */
	async ask<T>(request: () => Promise<T>): Promise<T> {
		try {
			return await request();
		} catch (error) {
			if (error instanceof OpenLedgerError) throw error;
			throw new OpenLedgerError('node-error', `Talking to the node failed: ${reason(error)}`, error);
		}
	}

	/** Number of the newest block, or of the block that reads are made at. */
	async number(): Promise<number> {
		const header = await this.ask(() => (this.block === undefined ? this.api.rpc.chain.getHeader() : this.api.rpc.chain.getHeader(this.block)));
		return header.number.toNumber();
	}

	/** Number and hash of the newest final block. */
	async finalized(): Promise<{ number: number; hash: Hex }> {
		return this.ask(async () => {
			const hash = await this.api.rpc.chain.getFinalizedHead();
			const header = await this.api.rpc.chain.getHeader(hash);
			return { number: header.number.toNumber(), hash: hash.toHex() };
		});
	}

	/** The events of a block, by its hash; also of blocks of an earlier runtime. */
	async events(hash: Hex): Promise<LedgerEvent[]> {
		return this.ask(async () => {
			const at = await this.api.at(hash);
			const records = await at.query['system']?.['events']?.();
			return [...(records as unknown as Parameters<typeof eventFrom>[0][])].map(eventFrom);
		});
	}

	/**
	 * Every final block once, in order, from number `from` (default: the next to become final). A lost
	 * connection is survived; no block is left out. Ends when `signal` is aborted.
	 */
	async *follow(options: { from?: number; signal?: AbortSignal } = {}): AsyncGenerator<Block, void, void> {
		const { signal } = options;
		let next = options.from ?? (await this.finalized()).number + 1;
		let wake: (() => void) | undefined;
		const stop = (): void => wake?.();
		signal?.addEventListener('abort', stop);
		try {
			while (!signal?.aborted) {
				// Polling outlives lost connections and restarted nodes, which end subscriptions.
				const newest = await this.finalized().catch(() => undefined);
				for (; newest && next <= newest.number && !signal?.aborted; next++) {
					const hash = await this.ask(() => this.api.rpc.chain.getBlockHash(next));
					const block: Block = { number: next, hash: hash.toHex(), events: await this.events(hash.toHex()) };
					yield block;
				}
				if (signal?.aborted) return;
				await new Promise<void>((resolve) => {
					wake = resolve;
					setTimeout(resolve, POLL);
				});
			}
		} finally {
			signal?.removeEventListener('abort', stop);
		}
	}
}

/** How often a new final block is looked for, in milliseconds. */
const POLL = 500;

const missing = (what: string, pallet: string, name: string): OpenLedgerError =>
	new OpenLedgerError('runtime-incompatible', `This runtime has no ${what} ${pallet}.${name}. Use versions of node and SDK that belong together.`);

function compareKeys(a: unknown[], b: unknown[]): number {
	const at = a.findIndex((value, i) => value !== b[i]);
	if (at === -1) return 0;
	return (a[at] as never) < (b[at] as never) ? -1 : 1;
}

/** A pallet's part of the SDK: a name, and the chain to reach it through. */
export abstract class Pallet {
	constructor(protected readonly chain: Chain) {}
}

export { text };
