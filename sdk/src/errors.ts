// What can go wrong, with names that programs can rely on.

/**
 * An error with a stable name.
 *
 * `code` is either `Pallet.Error`, for what a pallet refused, or one of: `bad-node-address`,
 * `node-unreachable`, `node-error`, `wrong-chain`, `runtime-incompatible`,
 * `bad-argument`, `bad-amount`, `bad-bytes`, `bad-proof`, `bad-signature`, `cannot-pay-fee`,
 * `transaction-refused`, `transaction-dropped`, `no-wallet`, `wallet-refused`. The message says what
 * to do.
 */
export class OpenLedgerError extends Error {
	override readonly name = 'OpenLedgerError';
	readonly code: string;

	constructor(code: string, message: string, cause?: unknown) {
		super(message, cause === undefined ? undefined : { cause });
		this.code = code;
	}
}

/** Whether `error` is one of ours, and, if `code` is given, whether it is that one. */
export function isOpenLedgerError(error: unknown, code?: string): error is OpenLedgerError {
	return error instanceof OpenLedgerError && (code === undefined || error.code === code);
}

/** What an unknown thrown value says. */
export function reason(error: unknown): string {
	if (error instanceof Error && error.message) return error.message;
	const message = (error as { message?: unknown } | undefined)?.message;
	return typeof message === 'string' && message ? message : String(error);
}
