// What the chain stores and says, as plain values. Amounts are in units, ids are numbers (channels'
// are 64 bits), accounts are SS58, hashes are hex.
import type { Hex } from '../protocol/codec.js';
import type { RedemptionSplit, Rate } from '../protocol/fees.js';
import type { Commitment } from '../protocol/merkle.js';
import type { Payee } from '../protocol/report.js';

/** Who decides what a Datanet accepts. A newer runtime may know more ways. */
export type Curation = 'Open' | 'Owner' | (string & {}) | Record<string, unknown>;

/** A pool of records under one licence. A newer runtime may add fields. */
export interface Datanet {
	owner: string;
	name: string;
	/** SPDX identifier. */
	licence: string;
	mediaType: string;
	curation: Curation;
	/** The id the next contribution gets. */
	contributions: number;
	/** How many contributions are kept. */
	kept: number;
	/** How many are accepted and not withdrawn. */
	accepted: number;
	/** The newest snapshot; 0 if there is none. */
	snapshots: number;
}

/** Where a contribution stands. */
export type ContributionState = 'Pending' | { Accepted: { since: number } } | { Withdrawn: { since: number; until: number } };

/** Records that one contributor gave. */
export interface Contribution {
	contributor: string;
	/** The account that earns. */
	payout: string;
	/** Over its records; the sum counts bytes. */
	records: Commitment;
	uri: string;
	state: ContributionState;
}

/** What a Datanet contained at one moment. */
export interface Snapshot {
	contributions: Commitment;
	licence: string;
	/** The block it was made in. */
	block: number;
}

/** What a name stands for. */
export type Model = { Base: number } | { Adapter: number };

/** A model as its makers published it. */
export interface BaseModel {
	owner: string;
	name: string;
	architecture: string;
	weights: Hex;
	tokenizer: Hex;
	licence: string;
	rate: Rate;
}

/** What an owner says of a new adapter. */
export interface AdapterRegistration {
	name: string;
	base: number;
	weights: Hex;
	config: Hex;
	rank: number;
	targets: string[];
	/** The Datanets and versions of the snapshots it was trained on. */
	lineage: [datanet: number, version: number][];
	manifest: Hex;
	algorithm: number;
	/** Content hash of its attribution index; zero where the algorithm needs none. */
	index: Hex;
	uri: string;
	rate: Rate;
}

/** A low-rank fine-tuning of a base model. */
export interface Adapter extends AdapterRegistration {
	owner: string;
	state: 'Active' | 'Retired';
}

/** A version of an attribution algorithm. */
export interface Algorithm {
	name: string;
	spec: Hex;
	state: 'Shadow' | 'Active' | 'Retired' | (string & {});
}

/** What a provider asks for computing. */
export interface Quote {
	id: number;
	rate: Rate;
}

/** Who serves models, on what terms. */
export interface Provider {
	hotKey: string;
	endpoint: string;
	/** What it has at stake, in units. */
	bond: bigint;
	/** The base models it serves. */
	bases: number[];
	quote: Quote;
	state: 'Active' | { Leaving: { freeAt: number } } | (string & {}) | Record<string, unknown>;
}

/** A hot key that may sign vouchers up to a limit. */
export interface Delegate {
	signer: string;
	limit: bigint;
	spent: bigint;
}

/** A payer's prepaid balance with one provider. */
export interface Channel {
	payer: string;
	provider: string;
	/** How often the escrow was withdrawn. */
	generation: number;
	/** What is left to spend, in units. */
	escrow: bigint;
	deposited: bigint;
	redeemed: bigint;
	withdrawn: bigint;
	/** The first block in which the payer may withdraw, once it has started a thaw. */
	thaw: number | null;
	delegate: Delegate | null;
	/** The delegate before it, whose vouchers are good until a block yet. */
	former: { delegate: Delegate; until: number } | null;
}

/** What was redeemed on one lane. */
export interface LaneState {
	generation: number;
	amount: bigint;
	licence: bigint;
	tokens: bigint;
	/** Accumulator over the receipts that the newest voucher acknowledged. */
	receipts: Hex;
}

/** Why a voucher was not paid. */
export type SkipReason =
	| 'WrongChain' | 'UnknownChannel' | 'WrongGeneration' | 'LaneOutOfRange' | 'Expired' | 'LifetimeTooLong' | 'BadSignature'
	| 'Stale' | 'NotMonotone' | 'EscrowEmpty' | 'DelegateLimit' | 'NotProvider' | (string & {});

/** A stretch of blocks whose licence money is settled together. */
export interface Epoch {
	index: number;
	/** Its first block. */
	start: number;
	/** Its length in blocks. */
	length: number;
	/** The version of the terms in force. */
	terms: number;
}

/** The licence money that a provider's customers paid in one epoch. */
export interface Pot {
	/** What was redeemed, in units. */
	licence: bigint;
	/** What is left of it after the protocol's cut. */
	net: bigint;
	terms: number;
}

/** A provider's account of one epoch. A newer runtime may add fields. */
export interface Report {
	/** Over receipt leaves; sums to the pot's licence money. */
	receipts: Commitment;
	/** Over part leaves, where the runtime has them; sums to the pot after the cut. */
	parts?: Commitment;
	/** Over payout leaves; sums to the pot after the cut. */
	payouts: Commitment;
	terms: number;
	reportedAt: number;
	/** The first block in which it may be settled. */
	openAt: number;
	/** How many payout leaves are settled. */
	settled: number;
	/** What they amounted to, in units. */
	paid: bigint;
}

/** Where all money went that was ever redeemed, in units. */
export interface Flows {
	redeemed: bigint;
	burnt: bigint;
	treasury: bigint;
	providers: bigint;
	licence: bigint;
	settled: bigint;
	credited: bigint;
	claimed: bigint;
}

/** The events that the SDK knows by type. Others come with their data as they are. */
export interface EventMap {
	'Datanets.Created': { datanet: number; owner: string; name: string; licence: string; mediaType: string; curation: Curation };
	'Datanets.Contributed': { datanet: number; contribution: number; contributor: string; payout: string; records: Commitment; uri: string };
	'Datanets.Accepted': { datanet: number; contribution: number; contributor: string };
	'Datanets.Rejected': { datanet: number; contribution: number; contributor: string };
	'Datanets.Snapshotted': { datanet: number; version: number; contributions: Commitment; licence: string };
	'Datanets.Withdrawn': { datanet: number; contribution: number; contributor: string };
	'Models.BaseRegistered': { base: number; owner: string; name: string; weights: Hex; tokenizer: Hex; rate: Rate };
	'Models.AdapterRegistered': {
		adapter: number; owner: string; name: string; base: number; weights: Hex; config: Hex; index: Hex; algorithm: number;
		lineage: [number, number][]; rate: Rate;
	};
	'Models.AdapterRetired': { adapter: number; owner: string };
	'Providers.Registered': { provider: string; hotKey: string; endpoint: string; bond: bigint; bases: number[]; quote: Quote };
	'Providers.QuoteChanged': { provider: string; quote: Quote };
	'Providers.HotKeyChanged': { provider: string; hotKey: string };
	'Providers.EndpointChanged': { provider: string; endpoint: string };
	'Providers.Bonded': { provider: string; bond: bigint };
	'Providers.Leaving': { provider: string; freeAt: number };
	'Providers.Left': { provider: string; bond: bigint };
	'Channels.Opened': { channel: bigint; payer: string; provider: string; escrow: bigint; generation: number };
	'Channels.ToppedUp': { channel: bigint; by: string; amount: bigint; escrow: bigint };
	'Channels.DelegateSet': { channel: bigint; delegate: Delegate | null; former: Channel['former'] };
	'Channels.Thawing': { channel: bigint; freeAt: number };
	'Channels.ThawCancelled': { channel: bigint };
	'Channels.Withdrawn': { channel: bigint; amount: bigint; generation: number };
	'Channels.Closed': { channel: bigint };
	'Channels.Redeemed': {
		channel: bigint; payer: string; provider: string; generation: number; lane: number;
		compute: bigint; licence: bigint; amount: bigint; escrow: bigint;
	};
	'Channels.VoucherSkipped': { index: number; channel: bigint; lane: number; reason: SkipReason };
	'Attribution.EpochStarted': { epoch: number; terms: number };
	'Attribution.Collected': { provider: string; epoch: number; compute: bigint; licence: bigint; split: RedemptionSplit };
	'Attribution.Reported': {
		provider: string; epoch: number; receipts: Commitment; parts?: Commitment; payouts: Commitment; terms: number; openAt: number;
	};
	'Attribution.Credited': { provider: string; epoch: number; payee: Payee; account: string; amount: bigint };
	'Attribution.Unpayable': { provider: string; epoch: number; payee: Payee; amount: bigint };
	'Attribution.Settled': { provider: string; epoch: number; paid: bigint };
	'Attribution.Claimed': { account: string; amount: bigint };
	'Attribution.Deferred': { account: string; amount: bigint };
	'Balances.Transfer': { from: string; to: string; amount: bigint };
	'Balances.Burned': { who: string; amount: bigint };
	'TransactionPayment.TransactionFeePaid': { who: string; actualFee: bigint; tip: bigint };
}

/** Name of an event that the SDK knows by type. */
export type EventName = keyof EventMap;

/** Something that happened on the chain. */
export interface LedgerEvent<Name extends string = string, Data = unknown> {
	/** The pallet and the event, such as `Channels.Opened`. */
	name: Name;
	/** Its fields by name (a list, where the event's fields have none). */
	data: Data;
	/** Position in the block of the transaction that caused it; `null` if the chain itself did. */
	extrinsic: number | null;
}

/** An event of a known type. */
export type EventOf<Name extends EventName> = LedgerEvent<Name, EventMap[Name]>;
