// Who was paid for an answer, and why: the receipt, what the worker says of it, and what the chain
// confirms. Everything that can be computed from the chain and the receipt is computed here; a worker is
// believed in nothing.
import type { OpenLedger } from './chain/ledger.js';
import { OpenLedgerError, reason } from './errors.js';
import { bytesOf, decode, u128, u32, type Codec, type Hex } from './protocol/codec.js';
import { apportion, splitRedemption, type RedemptionSplit, type Terms } from './protocol/fees.js';
import { MerkleProof, verifyLeaf, type Node } from './protocol/merkle.js';
import { Attribution, attributionDigest, Receipt, receiptDigest } from './protocol/receipt.js';
import { comparePayees, Payee, payouts, PayoutLeaf, receiptNet, receiptNode, split } from './protocol/report.js';

/** A receipt as a worker knows it: what its `Receipts.Get` answers. */
export interface ReceiptDetail {
	receipt: Receipt;
	/** The attribution, if the worker sent one that the receipt commits to. */
	attribution: Attribution | null;
	/** Its part in each epoch in which it was redeemed. */
	earned: Earned[];
}

/** A receipt's part in one epoch, as the worker says. */
export interface Earned {
	epoch: number;
	/** Licence money of this receipt redeemed in the epoch, before the protocol's cut, in units. */
	paid: bigint;
	/** What it adds to the epoch's payouts. */
	payouts: PayoutLeaf[];
	/** Its place in the report's receipts tree, once there is a report. */
	place: { index: number; proof: Node[] } | null;
}

/** Whether something is so. */
export type Proof =
	| { state: 'proved' }
	/** There is nothing on chain yet to check against. */
	| { state: 'waiting' }
	| { state: 'unchecked' | 'refuted'; why: string };

/** An amount for somebody. */
export interface Share {
	payee: Payee;
	/** The account that is paid; `null` for the stakers and the treasury. */
	account: string | null;
	/** In units. */
	amount: bigint;
}

/** What an epoch paid of an answer. */
export interface EpochPart {
	epoch: number;
	/** Licence money of this answer redeemed in it, before the protocol's cut. */
	paid: bigint;
	/** `disputable` reports can be settled from `openAt` on, `audited` ones when they have passed their audit. */
	state: 'running' | 'unreported' | 'disputable' | 'audited' | 'open' | 'settled';
	openAt: number | null;
	/** Whether the receipt stands in the report on chain with this much. */
	receipt: Proof;
	/** Whether the payouts are what the report, the receipt and its attribution entail. */
	shares: Proof;
	payouts: Share[];
}

/** Everything that is known of an answer's money. */
export interface Explained {
	receipt: Receipt;
	/** Digest of the receipt. */
	digest: Hex;
	provider: string;
	/** Where the whole price goes by the terms in force. */
	split: RedemptionSplit;
	/** Where the licence part goes by role and the terms in force; exact figures come per epoch. */
	expected: { role: 'base owner' | 'adapter owner' | 'stakers' | 'data contributors'; amount: bigint }[];
	attribution: Attribution | null;
	/** What was paid of it. */
	epochs: EpochPart[];
}

/**
 * Reads a worker's answer to `Receipts.Get` from JSON: protobuf's JSON (what grpcurl prints, bytes in
 * base64), or the receipts and attributions that the command line writes as objects. An attribution
 * that is not the receipt's is left out. Throws `bad-argument`, `bad-bytes`.
 */
export function readReceiptDetail(json: unknown): ReceiptDetail {
	const from = (json ?? {}) as Record<string, unknown>;
	const receipt = value(Receipt, from['receipt'], 'receipt');
	if (!receipt) throw new OpenLedgerError('bad-argument', 'receipt: is missing. Ask the worker that gave the answer.');
	const attribution = value(Attribution, from['attribution'], 'attribution');
	const committed = attribution !== null && attributionDigest(attribution) === receipt.attribution;
	return { receipt, attribution: committed ? attribution : null, earned: items(from['earned']).map(readEarned) };
}

function readEarned(json: unknown): Earned {
	const from = (json ?? {}) as Record<string, unknown>;
	// Protobuf's JSON leaves out zeros and empty lists.
	const reported = from['reported'] === true;
	const index = u32.fromJson(from['index'] ?? 0, 'earned.index');
	return {
		epoch: u32.fromJson(from['epoch'] ?? 0, 'earned.epoch'),
		paid: u128.fromJson(from['paid'] || '0', 'earned.paid'),
		payouts: items(from['payouts']).flatMap((leaf) => value(PayoutLeaf, leaf, 'earned.payouts') ?? []),
		place: reported ? { index, proof: value(MerkleProof, from['proof'] ?? [], 'earned.proof') ?? [] } : null,
	};
}

const items = (json: unknown): unknown[] => (Array.isArray(json) ? json : []);

function value<T>(codec: Codec<T>, json: unknown, where: string): T | null {
	if (json === undefined || json === null || json === '') return null;
	if (json instanceof Uint8Array || typeof json === 'string') {
		const bytes = bytesOf(json);
		return bytes.length === 0 ? null : decode(codec, bytes);
	}
	return codec.fromJson(json, where);
}

/**
 * Explains one answer's money. `provider` is needed only where the receipt's channel is closed; `digest`
 * is what the payer acknowledged, and refuses any other receipt. What cannot be found out is said.
 */
export async function explain(ledger: OpenLedger, detail: ReceiptDetail, options: { provider?: string; digest?: Hex } = {}): Promise<Explained> {
	const { receipt, attribution } = detail;
	const digest = receiptDigest(receipt);
	if (options.digest !== undefined && options.digest.toLowerCase() !== digest) {
		throw new OpenLedgerError('bad-argument', `This is the receipt ${digest}, not ${options.digest}.`);
	}
	if (receipt.genesis !== ledger.genesis) throw new OpenLedgerError('wrong-chain', 'The receipt was made on another chain.');
	// All figures at one block, so that they belong together.
	const at = ledger.block === undefined ? await ledger.atFinalized() : ledger;
	const provider = options.provider ?? (await at.channels.channel(receipt.channel))?.provider;
	if (provider === undefined) {
		throw new OpenLedgerError('bad-argument', `Channel ${receipt.channel} is closed: say which provider gave the answer.`);
	}
	const running = await at.attribution.epoch();
	const terms = await termsOf(at, running.terms);
	const priced = splitRedemption(receipt.compute, receipt.licence, terms);
	const accounts = new Accounts(at);
	const epochs: EpochPart[] = [];
	for (const earned of detail.earned) epochs.push(await part(at, { ...detail, digest, provider, running: running.index }, earned, accounts));
	return { receipt, digest, provider, split: priced, expected: byRole(priced.pot, receipt.adapter !== null, terms), attribution, epochs };
}

async function termsOf(ledger: OpenLedger, version: number): Promise<Terms> {
	const terms = await ledger.attribution.terms(version);
	if (!terms) throw new OpenLedgerError('runtime-incompatible', `The chain has no terms of version ${version}.`);
	return terms;
}

function byRole(pot: bigint, hasAdapter: boolean, terms: Terms): Explained['expected'] {
	const { baseOwner, adapterOwner, stakers, data } = terms;
	const shares: [Explained['expected'][number]['role'], number][] = hasAdapter
		? [['base owner', baseOwner], ['adapter owner', adapterOwner], ['stakers', stakers], ['data contributors', data]]
		: [['base owner', baseOwner + adapterOwner + data], ['stakers', stakers]];
	const amounts = apportion(pot, shares.map(([, share]) => BigInt(share)));
	return shares.map(([role], i) => ({ role, amount: amounts[i] ?? 0n }));
}

type Known = ReceiptDetail & { digest: Hex; provider: string; running: number };

async function part(ledger: OpenLedger, known: Known, earned: Earned, accounts: Accounts): Promise<EpochPart> {
	const report = await ledger.attribution.reportOf(known.provider, earned.epoch);
	const shares = async (leaves: readonly PayoutLeaf[]): Promise<Share[]> => {
		const all = await Promise.all(leaves.map((leaf) => accounts.share(leaf)));
		return all.sort((a, b) => (a.amount === b.amount ? comparePayees(a.payee, b.payee) : a.amount > b.amount ? -1 : 1));
	};
	const found = { epoch: earned.epoch, paid: earned.paid, openAt: report?.openAt ?? null };
	const waiting: Proof = { state: 'waiting' };
	if (!report) {
		const state = earned.epoch >= known.running ? 'running' : 'unreported';
		return { ...found, state, receipt: waiting, shares: waiting, payouts: await shares(earned.payouts) };
	}
	const settled = report.settled >= report.payouts.count;
	const early = (await ledger.number()) < report.openAt;
	const state = settled ? 'settled' : report.audit ? 'audited' : early ? 'disputable' : 'open';
	if (!earned.place) {
		const unchecked: Proof = { state: 'unchecked', why: 'the worker has not sent a proof' };
		return { ...found, state, receipt: unchecked, shares: unchecked, payouts: await shares(earned.payouts) };
	}
	let before: bigint;
	try {
		before = verifyLeaf(report.receipts, earned.place.index, receiptNode({ receipt: known.digest, paid: earned.paid }), earned.place.proof);
	} catch (error) {
		const refuted: Proof = { state: 'refuted', why: reason(error) };
		return { ...found, state, receipt: refuted, shares: refuted, payouts: await shares(earned.payouts) };
	}
	const entailed = due(known, receiptNet(report.receipts.sum, report.payouts.sum, before, earned.paid), await termsOf(ledger, report.terms));
	return {
		...found,
		state,
		receipt: { state: 'proved' },
		shares: compare(entailed, earned.payouts, report.parts !== undefined),
		payouts: await shares(report.parts !== undefined && entailed ? entailed : earned.payouts),
	};
}

/** What a receipt's net goes to; `null` where it takes the attribution and that is not there. */
function due({ receipt, attribution }: ReceiptDetail, net: bigint, terms: Terms): PayoutLeaf[] | null {
	if (receipt.adapter !== null && attribution === null) return null;
	const contributors = receipt.adapter === null ? [] : (attribution?.scores ?? []);
	return payouts(split({ base: receipt.base, adapter: receipt.adapter, contributors }, net, terms));
}

function compare(entailed: PayoutLeaf[] | null, said: PayoutLeaf[], byParts: boolean): Proof {
	if (!byParts) return { state: 'unchecked', why: 'reports of this runtime cannot be checked receipt by receipt' };
	if (entailed === null) return { state: 'unchecked', why: 'the attribution that the receipt commits to is not there' };
	const text = (leaves: PayoutLeaf[]): string => JSON.stringify(payouts(leaves), (_, each) => (typeof each === 'bigint' ? String(each) : each));
	return text(entailed) === text(said) ? { state: 'proved' } : { state: 'refuted', why: 'the worker names other payouts than the report entails' };
}

/** The accounts behind payees, each looked up once. */
class Accounts {
	readonly #known = new Map<string, Promise<string | null>>();

	constructor(private readonly ledger: OpenLedger) {}

	async share({ payee, amount }: PayoutLeaf): Promise<Share> {
		const key = JSON.stringify(payee);
		const account = this.#known.get(key) ?? this.#find(payee);
		this.#known.set(key, account);
		return { payee, account: await account, amount };
	}

	async #find(payee: Payee): Promise<string | null> {
		const { models, datanets } = this.ledger;
		if (typeof payee === 'string') return null;
		if ('BaseOwner' in payee) return (await models.baseModel(payee.BaseOwner))?.owner ?? null;
		if ('AdapterOwner' in payee) return (await models.adapter(payee.AdapterOwner))?.owner ?? null;
		const { adapter, datanet, contribution } = payee.Contributor;
		for (const [each, version] of (await models.adapter(adapter))?.lineage ?? []) {
			const account = each === datanet ? await datanets.payoutAccount(datanet, version, contribution) : null;
			if (account !== null) return account;
		}
		return null;
	}
}
