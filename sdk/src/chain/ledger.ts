// The SDK's entrance: a connected chain with its pallets.
import type { ApiPromise } from '@polkadot/api';
import type { Hex } from '../protocol/codec.js';
import { Attribution } from './attribution.js';
import { Call } from './call.js';
import { Chain, open, type ConnectOptions } from './chain.js';
import { Channels } from './channels.js';
import { Datanets } from './datanets.js';
import { Governance } from './governance.js';
import { Models } from './models.js';
import { plain } from './plain.js';
import { Providers } from './providers.js';
import { Stakes } from './stakes.js';

/** An account's money, in units. */
export interface Balance {
	/** Free to use, including what is frozen. */
	free: bigint;
	/** Held for deposits, bonds and stakes. Escrow is not among it: see `channels`. */
	reserved: bigint;
	frozen: bigint;
}

/** OpenLedger, as seen through one node. A new pallet's class is added here and nowhere else. */
export class OpenLedger extends Chain {
	readonly datanets: Datanets;
	readonly models: Models;
	readonly providers: Providers;
	readonly channels: Channels;
	readonly attribution: Attribution;
	readonly stakes: Stakes;
	readonly governance: Governance;

	constructor(api: ApiPromise, block?: Hex) {
		super(api, block);
		this.datanets = new Datanets(this);
		this.models = new Models(this);
		this.providers = new Providers(this);
		this.channels = new Channels(this);
		this.attribution = new Attribution(this);
		this.stakes = new Stakes(this);
		this.governance = new Governance(this);
	}

	/** Hash of the chain's first block: which chain it is. */
	get genesis(): Hex {
		return this.api.genesisHash.toHex();
	}

	/** The same chain, with all reads made at one block: for figures that belong together. */
	at(block: Hex): OpenLedger {
		return new OpenLedger(this.api, block);
	}

	/** The same chain, with all reads made at the newest final block. */
	async atFinalized(): Promise<OpenLedger> {
		return this.at((await this.finalized()).hash);
	}

	/** An account's money. */
	async balance(account: string): Promise<Balance> {
		return this.ask(async () => {
			const api = this.block === undefined ? this.api : await this.api.at(this.block);
			const found = await api.query['system']?.['account']?.(account);
			const { free, reserved, frozen } = (plain(found as never) as { data: Balance }).data;
			return { free, reserved, frozen };
		});
	}

	/** Sends `amount` units, keeping the sender's account alive. */
	transfer(of: { to: string; amount: bigint }): Call {
		return this.call('Balances', 'transferKeepAlive', { dest: of.to, value: of.amount });
	}

	/** Ends the connection. */
	async disconnect(): Promise<void> {
		await this.api.disconnect();
	}
}

/**
 * Connects to a node, such as `ws://127.0.0.1:9944`. Throws `bad-node-address`, `node-unreachable`,
 * `wrong-chain`.
 */
export const connect = async (endpoint: string, options?: ConnectOptions): Promise<OpenLedger> => new OpenLedger(await open(endpoint, options));
