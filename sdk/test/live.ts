// A development node for a test file, which makes a block for every transaction.
import { Keyring } from '@polkadot/api';
import { cryptoWaitReady } from '@polkadot/util-crypto';
import { connect, type OpenLedger } from '../src/index.js';

type KeyringPair = ReturnType<Keyring['addFromUri']>;

interface DevNode {
	url: string;
	stop(): void;
}

/** A connected development chain. */
export interface Live {
	ledger: OpenLedger;
	url: string;
	/** The pair of a development account, by name, or of any other secret URI. */
	pair(uri: string, type?: 'sr25519' | 'ed25519' | 'ecdsa'): KeyringPair;
	/** Makes blocks until the chain has one of this number. */
	untilBlock(number: number): Promise<void>;
	stop(): Promise<void>;
}

/** Starts a node and connects to it. */
export async function live(): Promise<Live> {
	const helper = (await import(new URL('../../../tests/js/lib/dev-node.mjs', import.meta.url).href)) as {
		startNode(extra: string[]): Promise<DevNode>;
	};
	await cryptoWaitReady();
	const node = await helper.startNode(['--sealing', 'instant']);
	const ledger = await connect(node.url);
	const makeBlock = (): Promise<unknown> => ledger.api.rpc.engine.createBlock(true, true);
	// A block at the change of sessions has no room for transactions, and nothing else would ask for
	// the next: whatever has waited for two looks gets one.
	let waiting = '';
	const pulse = setInterval(async () => {
		const pending = await ledger.api.rpc.author.pendingExtrinsics().catch(() => []);
		const now = pending.map((transaction) => transaction.hash.toHex()).join();
		if (now && now === waiting) await makeBlock().catch(() => undefined);
		waiting = now;
	}, 700);
	return {
		ledger,
		url: node.url,
		pair: (uri, type = 'sr25519') => new Keyring({ type }).addFromUri(uri.startsWith('//') ? uri : `//${uri}`),
		async untilBlock(number) {
			while ((await ledger.number()) < number) await makeBlock();
		},
		async stop() {
			clearInterval(pulse);
			await ledger.disconnect();
			node.stop();
		},
	};
}

/** What a browser extension would inject: it shows one account and wraps bytes before it signs them. */
export function fakeWallet(pair: KeyringPair, registry: OpenLedger['api']['registry']): Record<string, unknown> {
	return {
		version: '1',
		enable: async () => ({
			accounts: { get: async () => [{ address: pair.address, name: 'test', type: pair.type }] },
			signer: {
				signRaw: async ({ data }: { data: string }) => {
					const bytes = Uint8Array.from(Buffer.from(data.slice(2), 'hex'));
					const wrapped = Buffer.concat([Buffer.from('<Bytes>'), bytes, Buffer.from('</Bytes>')]);
					return { id: 1, signature: `0x${Buffer.from(pair.sign(wrapped)).toString('hex')}` };
				},
				signPayload: async (payload: object) => {
					const made = registry.createType('ExtrinsicPayload', payload, { version: (payload as { version: number }).version });
					return { id: 1, ...made.sign(pair) };
				},
			},
		}),
	};
}
