// One transaction: made, signed, sent, and followed to a block.
import type { ApiPromise } from '@polkadot/api';
import type { SubmittableExtrinsic } from '@polkadot/api/types';
import type { DispatchError } from '@polkadot/types/interfaces';
import type { IKeyringPair, ISubmittableResult, Signer as PolkadotSigner } from '@polkadot/types/types';
import { OpenLedgerError, reason } from '../errors.js';
import type { Hex } from '../protocol/codec.js';
import { isPair, type RawSigner } from '../protocol/voucher.js';
import { eventFrom } from './events.js';
import type { LedgerEvent } from './types.js';

/** Who signs transactions and vouchers: a keyring pair, or an account of an injected wallet. */
export type Signer = IKeyringPair | { address: string; signer: PolkadotSigner & RawSigner };

/** How to send. */
export interface SendOptions {
	/** What to wait for; a block that is not final may yet be replaced. Default `finalized`. */
	until?: 'inBlock' | 'finalized';
	/** Told of each stage, such as `Ready`, `InBlock`, `Finalized`. */
	onStatus?: (status: string) => void;
	/** The account's number of transactions so far; by default the node is asked. */
	nonce?: number;
}

/** A transaction that succeeded. */
export interface Sent<Result> {
	/** Hash of the transaction. */
	extrinsic: Hex;
	/** Hash and number of the block that contains it. */
	block: Hex;
	number: number;
	/** All it did. */
	events: LedgerEvent[];
	/** What it was about, from its events. */
	result: Result;
}

/** A call that can be signed and sent. */
export class Call<Result = LedgerEvent[]> {
	constructor(
		readonly api: ApiPromise,
		/** The transaction as polkadot.js has it. */
		readonly extrinsic: SubmittableExtrinsic<'promise'>,
		private readonly result: (events: LedgerEvent[]) => Result,
	) {}

	/** What it would cost the sender, in units. */
	async fee(sender: string): Promise<bigint> {
		const { partialFee } = await this.extrinsic.paymentInfo(sender);
		return partialFee.toBigInt();
	}

	/**
	 * Signs, sends, and waits. Throws `Pallet.Error` where the chain refused, with the reason and what
	 * to do; `cannot-pay-fee`, `transaction-refused`, `transaction-dropped`, `wallet-refused`.
	 */
	send(signer: Signer, options: SendOptions = {}): Promise<Sent<Result>> {
		const until = options.until ?? 'finalized';
		const account = isPair(signer) ? (signer as IKeyringPair) : signer.address;
		const signing = { nonce: options.nonce ?? -1, ...(isPair(signer) ? {} : { signer: (signer as { signer: PolkadotSigner }).signer }) };
		return new Promise((resolve, reject) => {
			let stop: (() => void) | undefined;
			let over = false;
			const end = (): void => {
				over = true;
				stop?.();
			};
			const fail = (error: OpenLedgerError): void => {
				end();
				reject(error);
			};
			const watch = (update: ISubmittableResult): void => {
				if (over) return;
				const { status } = update;
				options.onStatus?.(status.type);
				if (status.isDropped || status.isInvalid || status.isUsurped || status.isFinalityTimeout) {
					const why = `The transaction did not make it into a final block (${status.type}). Look whether it took effect, then send it again.`;
					return fail(new OpenLedgerError('transaction-dropped', why));
				}
				if (!(until === 'finalized' ? status.isFinalized : status.isInBlock || status.isFinalized)) return;
				if (update.dispatchError) return fail(dispatchError(this.api, update.dispatchError));
				end();
				this.#done(update).then(resolve, reject);
			};
			this.extrinsic
				.signAndSend(account, signing, watch)
				.then((unsubscribe) => {
					stop = unsubscribe;
					if (over) unsubscribe();
				})
				.catch((error: unknown) => fail(refused(error, isPair(signer))));
		});
	}

	async #done(update: ISubmittableResult): Promise<Sent<Result>> {
		const block = update.status.isFinalized ? update.status.asFinalized : update.status.asInBlock;
		const number = (update as { blockNumber?: { toNumber(): number } }).blockNumber ?? (await this.api.rpc.chain.getHeader(block)).number;
		const events = update.events.map(eventFrom);
		return {
			extrinsic: update.txHash.toHex(),
			block: block.toHex(),
			number: number.toNumber(),
			events,
			result: this.result(events),
		};
	}
}

/** Why the chain refused a call, with the pallet's own words. */
export function dispatchError(api: ApiPromise, error: DispatchError): OpenLedgerError {
	if (error.isModule) {
		try {
			const { section, name, docs } = api.registry.findMetaError(error.asModule);
			const pallet = section.replace(/^./, (letter) => letter.toUpperCase());
			return new OpenLedgerError(`${pallet}.${name}`, `${pallet}.${name}: ${docs.map((line) => line.trim()).join(' ').trim()}`);
		} catch {
			return new OpenLedgerError('runtime-incompatible', `The chain refused the call with an error that its metadata does not name: ${error.toString()}`);
		}
	}
	const kind = error.type;
	const inner = error.inner?.toString();
	const code = inner && /^\w+$/.test(inner) ? `${kind}.${inner}` : kind;
	return new OpenLedgerError(code, `${code}: ${GENERAL[code] ?? GENERAL[kind] ?? 'The chain refused the call.'}`);
}

const GENERAL: Record<string, string> = {
	Arithmetic: 'The amounts are larger than can be.',
	BadOrigin: 'This account may not make this call.',
	'Token.FundsUnavailable': 'The account has not enough free OPEN for this.',
	'Token.OnlyProvider': 'The account would fall below the least balance that keeps it alive.',
	'Token.BelowMinimum': 'The receiving account would stay below the least balance.',
	'Token.NotExpendable': 'The account would fall below the least balance that keeps it alive.',
};

function refused(error: unknown, local: boolean): OpenLedgerError {
	if (error instanceof OpenLedgerError) return error;
	const why = reason(error);
	if (/pay some fees|balance too low/i.test(why)) {
		return new OpenLedgerError('cannot-pay-fee', 'The account cannot pay the fee of the transaction. Send it some OPEN first.', error);
	}
	if (!local && /cancel|reject|denied/i.test(why)) {
		return new OpenLedgerError('wallet-refused', `The wallet did not sign the transaction: ${why}`, error);
	}
	if (/not connected|disconnected/i.test(why)) {
		return new OpenLedgerError('node-error', 'The connection to the node is lost. Look whether the transaction took effect before you send it again.', error);
	}
	return new OpenLedgerError('transaction-refused', `The node refused the transaction: ${why}`, error);
}
