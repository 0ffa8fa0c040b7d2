// Vouchers: "for this lane of this channel I owe this much in all".
import { u8aConcat, u8aToHex, u8aWrapBytes } from '@polkadot/util';
import { cryptoWaitReady, decodeAddress, ed25519Verify, secp256k1Verify, sr25519Verify } from '@polkadot/util-crypto';
import { OpenLedgerError } from '../errors.js';
import { hash, struct, u128, u16, u32, u64, ZERO, type Codec, type Hex } from './codec.js';
import { structuredHash } from './hash.js';

/** What a payer owes on one lane, in all, since the lane's generation began. */
export interface Voucher {
	/** Genesis hash of the chain it is good on. */
	genesis: Hex;
	/** The channel it draws on. */
	channel: bigint;
	/** The channel's generation it is good for. */
	generation: number;
	/** The lane it counts for, from 0 to 255. */
	lane: number;
	/** Total owed, in units: compute and licence together. */
	amount: bigint;
	/** The licence part of `amount`, in units. */
	licence: bigint;
	/** Total tokens, in and out, that `amount` pays for. */
	tokens: bigint;
	/** Accumulator over the receipts acknowledged so far; zero before the first. */
	receipts: Hex;
	/** The provider's quote in force. */
	quote: number;
	/** The last block in which it may be redeemed. */
	validUntil: number;
}

export const Voucher: Codec<Voucher> = struct<Voucher>({
	genesis: hash,
	channel: u64,
	generation: u32,
	lane: u16,
	amount: u128,
	licence: u128,
	tokens: u64,
	receipts: hash,
	quote: u32,
	validUntil: u32,
});

/** A signature with its kind. */
export type MultiSignature = { Ed25519: Hex } | { Sr25519: Hex } | { Ecdsa: Hex };

/** A voucher with its signature. */
export interface SignedVoucher {
	voucher: Voucher;
	signature: MultiSignature;
}

/** The 32 bytes that are signed. */
export const voucherDigest = (voucher: Voucher): Uint8Array => structuredHash('openledger/voucher/1', Voucher.encode(voucher));

/** The receipts accumulator after acknowledging the receipt with this digest. */
export const acknowledge = (accumulator: Hex, receipt: Hex): Hex =>
	u8aToHex(structuredHash('openledger/receipts/1', u8aConcat(hash.encode(accumulator), hash.encode(receipt))));

/** The accumulator over receipts, by their digests, in order. */
export const acknowledgeAll = (receipts: readonly Hex[]): Hex => receipts.reduce(acknowledge, ZERO);

/** What signs with a local key: a polkadot.js keyring pair, or anything shaped like one. */
export interface Pair {
	readonly address: string;
	sign(message: Uint8Array): Uint8Array;
}

/** What a browser wallet offers for signing; `signRaw` wraps the bytes in `<Bytes>…</Bytes>`. */
export interface RawSigner {
	signRaw?: ((raw: { address: string; data: string; type: 'bytes' }) => Promise<{ signature: string }>) | undefined;
}

/** Who signs: a local pair, or an account of an injected wallet. */
export type VoucherSigner = Pair | { address: string; signer: RawSigner };

/** Whether it is a local pair. */
export const isPair = (signer: unknown): signer is Pair => typeof (signer as Pair).sign === 'function';

/**
 * Signs a voucher. The signature is checked before it is returned: `bad-signature` if the wallet
 * signed something else or with another key, `wallet-refused` if it did not sign.
 */
export async function signVoucher(voucher: Voucher, signer: VoucherSigner): Promise<SignedVoucher> {
	await cryptoWaitReady();
	const digest = voucherDigest(voucher);
	const bytes = isPair(signer) ? signer.sign(digest) : await askWallet(signer, digest);
	const signature = candidates(bytes).find((candidate) => signed({ voucher, signature: candidate }, signer.address));
	if (!signature) {
		throw new OpenLedgerError('bad-signature', `The signature does not verify for ${signer.address}: sign with the payer's key or its delegate's, in sr25519, ed25519 or ecdsa.`);
	}
	return { voucher, signature };
}

async function askWallet({ address, signer }: { address: string; signer: RawSigner }, digest: Uint8Array): Promise<Uint8Array> {
	if (!signer.signRaw) throw new OpenLedgerError('wallet-refused', 'This wallet cannot sign bytes: use one that offers signRaw, or name a delegate key for the channel.');
	try {
		const { signature } = await signer.signRaw({ address, data: u8aToHex(digest), type: 'bytes' });
		return hexBytes(signature);
	} catch (error) {
		if (error instanceof OpenLedgerError) throw error;
		throw new OpenLedgerError('wallet-refused', 'The wallet did not sign the voucher.', error);
	}
}

const hexBytes = (text: string): Uint8Array => {
	if (!/^0x([0-9a-f]{2})+$/i.test(text)) throw new OpenLedgerError('bad-signature', 'The wallet returned no hex signature.');
	return Uint8Array.from(text.slice(2).match(/../g) ?? [], (byte) => parseInt(byte, 16));
};

// Wallets return a signature bare or with the byte of its kind before it.
function candidates(bytes: Uint8Array): MultiSignature[] {
	const [bare, rest] = [u8aToHex(bytes), u8aToHex(bytes.subarray(1))];
	if (bytes.length === 64) return [{ Sr25519: bare }, { Ed25519: bare }];
	if (bytes.length === 65) return [bytes[0] === 0 ? { Ed25519: rest } : { Sr25519: rest }, { Ecdsa: bare }];
	return bytes.length === 66 && bytes[0] === 2 ? [{ Ecdsa: rest }] : [];
}

/**
 * Whether `account` signed this voucher, either its digest or the digest wrapped as wallets do it.
 * Call `cryptoWaitReady` before, or use {@link verifyVoucher}.
 */
function signed({ voucher, signature }: SignedVoucher, account: string): boolean {
	const digest = voucherDigest(voucher);
	return [digest, u8aWrapBytes(digest)].some((message) => {
		try {
			if ('Sr25519' in signature) return sr25519Verify(message, signature.Sr25519, decodeAddress(account));
			if ('Ed25519' in signature) return ed25519Verify(message, signature.Ed25519, decodeAddress(account));
			return secp256k1Verify(message, signature.Ecdsa, decodeAddress(account), 'blake2');
		} catch {
			// The verifiers throw for keys and signatures of a wrong shape, which no key signed.
			return false;
		}
	});
}

/** Whether `account` signed this voucher, as the chain checks it. */
export async function verifyVoucher(voucher: SignedVoucher, account: string): Promise<boolean> {
	await cryptoWaitReady();
	return signed(voucher, account);
}
