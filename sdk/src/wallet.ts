// Browser wallets: extensions that put themselves into the page's `injectedWeb3`.
import type { Signer as PolkadotSigner } from '@polkadot/types/types';
import { OpenLedgerError, reason } from './errors.js';
import type { RawSigner } from './protocol/voucher.js';

/** An account of a wallet; a signer for calls and vouchers. */
export interface WalletAccount {
	/** SS58. */
	address: string;
	/** What the user calls it, if anything. */
	name: string | undefined;
	/** The wallet's name. */
	wallet: string;
	signer: PolkadotSigner & RawSigner;
}

interface Injected {
	accounts: { get(): Promise<{ address: string; name?: string; type?: string; genesisHash?: string | null }[]> };
	signer: PolkadotSigner & RawSigner;
}

interface InjectedWeb3 {
	[wallet: string]: { version?: string; enable?(application: string): Promise<Injected>; connect?(application: string): Promise<Injected> };
}

const injected = (): InjectedWeb3 => (globalThis as { injectedWeb3?: InjectedWeb3 }).injectedWeb3 ?? {};

/** Names of the wallets in this page. Wallets may appear some moments after the page has loaded. */
export const wallets = (): string[] => Object.keys(injected());

/**
 * Asks a wallet (or the only one there is) for its accounts, under the application's name. Accounts
 * that the user has bound to another chain are left out if `genesis` is given, and so are Ethereum's.
 * Throws `no-wallet`, `wallet-refused`.
 */
export async function connectWallet(application: string, options: { wallet?: string; genesis?: string } = {}): Promise<WalletAccount[]> {
	const name = options.wallet ?? wallets()[0];
	const found = name === undefined ? undefined : injected()[name];
	const enable = found?.enable ?? found?.connect;
	if (name === undefined || !found || !enable) {
		throw new OpenLedgerError('no-wallet', `There is no ${options.wallet ? `wallet \`${options.wallet}\`` : 'wallet'} in this page. Install a wallet extension for Substrate chains and load the page anew.`);
	}
	let accounts: Awaited<ReturnType<Injected['accounts']['get']>>;
	let signer: Injected['signer'];
	try {
		const wallet = await enable.call(found, application);
		[accounts, signer] = [await wallet.accounts.get(), wallet.signer];
	} catch (error) {
		throw new OpenLedgerError('wallet-refused', `The wallet \`${name}\` gave no access: ${reason(error)}`, error);
	}
	const usable = accounts.filter(({ type, genesisHash }) => type !== 'ethereum' && (!genesisHash || !options.genesis || genesisHash === options.genesis));
	if (usable.length === 0) throw new OpenLedgerError('no-wallet', `The wallet \`${name}\` shows this page no account of this chain. Add one, or allow it in the wallet.`);
	return usable.map((account) => ({ address: account.address, name: account.name, wallet: name, signer }));
}
