// What the chain stores and says, as plain values. Amounts are in units, ids are numbers (channels'
// are 64 bits), accounts are SS58, hashes are hex.
import type { Hex } from '../protocol/codec.js';
import type { RedemptionSplit, Rate } from '../protocol/fees.js';
import type { Commitment } from '../protocol/merkle.js';
import type { Vote } from '../protocol/records.js';
import type { Payee } from '../protocol/report.js';

/** Who decides what a Datanet accepts. A newer runtime may know more ways. */
export type Curation = 'Open' | 'Owner' | 'Reviewers' | (string & {});

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
export type ContributionState =
	| 'Pending'
	| { Accepted: { since: number } }
	/** By reviewers; may be appealed against before block `until`. */
	| { Rejected: { until: number } }
	| { Withdrawn: { since: number; until: number } }
	| { Duplicate: { since: number; until: number; original: number } };

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

/** What a contribution has at stake beside its storage deposit, in units. */
export interface Bond {
	amount: bigint;
	/** What the reviewers of the present or the next review get. */
	fee: bigint;
	/** The block from which it may be taken back. */
	freeAt: number | null;
}

/** Who has stake in a Datanet's panel. */
export interface Reviewer {
	account: string;
	stake: bigint;
	since: number;
	/** In how many open reviews it has committed to a vote. */
	votes: number;
	leaving: boolean;
}

/** A review of a contribution in progress. */
export interface Review {
	appeal: boolean;
	deposit: bigint;
	commitUntil: number;
	revealUntil: number;
	seats: { reviewer: string; weight: bigint; ballot: 'Empty' | { Sealed: Hex } | { Open: Vote } }[];
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

/** What somebody who puts an attribution algorithm forward says of it; content hashes of its files. */
export interface AlgorithmProposal {
	name: string;
	spec: Hex;
	vectors: Hex;
	schema: Hex;
	/** Where the three files are found. */
	uri: string;
}

/** A version of an attribution algorithm. A newer runtime says more, as in {@link AlgorithmProposal}. */
export interface Algorithm extends Partial<AlgorithmProposal> {
	name: string;
	spec: Hex;
	/** Who put it forward; `null` for one that the chain began with. */
	proposer?: string | null;
	state: 'Proposed' | 'Shadow' | 'Active' | 'Retired';
}

/** What a provider asks for computing. */
export interface Quote {
	id: number;
	rate: Rate;
}

/** A quote that is announced and in force from block `from` on. */
export interface PendingQuote {
	quote: Quote;
	from: number;
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
	state: 'Active' | { Leaving: { freeAt: number } } | { Jailed: { until: number } };
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
	| 'Stale' | 'NotMonotone' | 'EscrowEmpty' | 'DelegateLimit' | 'NotProvider' | 'BondTooSmall' | (string & {});

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
	/** Who made it, where the runtime says so. */
	reporter?: string;
	/** What another than the provider has on hold for it, in units. */
	deposit?: bigint;
	/** The audit that it has yet to pass, if it was drawn for one. */
	audit?: { seed: Hex; due: number; missed: boolean } | null;
}

/** What became of the reports of a pot that has none now. */
export interface Removed {
	/** How many were proven wrong. */
	times: number;
	/** The epoch in which the last of them was. */
	since: number;
}

/** An account that offers to validate, and what is staked on it, in units; fractions in billionths. */
export interface Candidate {
	own: bigint;
	/** All that is staked on it, its own stake too. */
	stake: bigint;
	commission: number;
	/** The commission from a later session on, if it is to change. */
	nextCommission: [commission: number, session: number] | null;
	active: boolean;
	delegators: number;
}

/** A validator that is kept out of the set after an offence; sessions, and the seized part in billionths. */
export interface Jail {
	since: number;
	until: number;
	fraction: number;
}

/** What one account has staked on one candidate, in units. */
export interface Position {
	/** Stake that earns. */
	eligible: bigint;
	/** Stake that earns from the session after `freshIn`. */
	fresh: bigint;
	freshIn: number;
	/** What was earned and counted, and not yet claimed; `Stakes.claimable` says all. */
	rewards: bigint;
	unbonding: { amount: bigint; since: number; freeAt: number }[];
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
	'Datanets.PayoutAccountSet': { datanet: number; contribution: number; contributor: string; payout: string };
	'Datanets.BondReleased': { datanet: number; contribution: number; contributor: string; amount: bigint };
	'Datanets.DuplicateProven': {
		datanet: number; contribution: number; contributor: string; original: number; record: Hex; claimer: string; reward: bigint; forfeited: bigint;
	};
	'Datanets.PanelJoined': { datanet: number; reviewer: string; stake: bigint };
	'Datanets.PanelLeaving': { datanet: number; reviewer: string };
	'Datanets.PanelLeft': { datanet: number; reviewer: string; stake: bigint; displacedBy: string | null };
	'Datanets.ReviewOpened': { datanet: number; contribution: number; appeal: boolean; seats: number; commitUntil: number; revealUntil: number };
	'Datanets.VoteCommitted': { datanet: number; contribution: number; reviewer: string; commitment: Hex };
	'Datanets.VoteRevealed': { datanet: number; contribution: number; reviewer: string; vote: Vote; weight: bigint };
	'Datanets.ReviewConcluded': {
		datanet: number; contribution: number; appeal: boolean; outcome: 'Accepted' | 'Rejected' | 'Undecided'; accept: bigint; reject: bigint; seated: bigint;
	};
	'Datanets.ReviewCancelled': { datanet: number; contribution: number };
	'Datanets.ReviewerPaid': { datanet: number; contribution: number; reviewer: string; amount: bigint };
	'Datanets.ReviewerSlashed': { datanet: number; contribution: number; reviewer: string; amount: bigint };
	'Datanets.Appealed': { datanet: number; contribution: number; contributor: string; deposit: bigint };
	'Datanets.AppealLost': { datanet: number; contribution: number; contributor: string; deposit: bigint };
	'Models.BaseRegistered': { base: number; owner: string; name: string; weights: Hex; tokenizer: Hex; rate: Rate };
	'Models.AdapterRegistered': {
		adapter: number; owner: string; name: string; base: number; weights: Hex; config: Hex; index: Hex; algorithm: number;
		lineage: [number, number][]; rate: Rate;
	};
	'Models.AdapterRetired': { adapter: number; owner: string };
	'Models.AlgorithmProposed': { proposal: number; proposer: string; name: string; spec: Hex; vectors: Hex; schema: Hex; uri: string };
	'Models.AlgorithmWithdrawn': { proposal: number; proposer: string };
	'Models.AlgorithmTakenUp': { proposal: number; algorithm: number };
	'Models.AlgorithmStateChanged': { algorithm: number; from: Algorithm['state']; to: Algorithm['state'] };
	'Providers.Registered': { provider: string; hotKey: string; endpoint: string; bond: bigint; bases: number[]; quote: Quote };
	'Providers.QuoteChanged': { provider: string; quote: Quote };
	'Providers.HotKeyChanged': { provider: string; hotKey: string };
	'Providers.EndpointChanged': { provider: string; endpoint: string };
	'Providers.Bonded': { provider: string; bond: bigint };
	'Providers.Leaving': { provider: string; freeAt: number };
	'Providers.Left': { provider: string; bond: bigint };
	'Providers.BondSlashed': { provider: string; amount: bigint; bond: bigint };
	'Providers.Jailed': { provider: string; until: number };
	'Providers.Unjailed': { provider: string };
	'Providers.QuoteAnnounced': { provider: string; quote: Quote; from: number };
	'Providers.Heartbeat': { provider: string; at: number };
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
		reporter?: string; deposit?: bigint;
	};
	'Attribution.Credited': { provider: string; epoch: number; payee: Payee; account: string; amount: bigint };
	'Attribution.Unpayable': { provider: string; epoch: number; payee: Payee; amount: bigint };
	'Attribution.Settled': { provider: string; epoch: number; paid: bigint };
	'Attribution.Claimed': { account: string; amount: bigint };
	'Attribution.Deferred': { account: string; amount: bigint };
	'Attribution.ReportRemoved': {
		provider: string; epoch: number; reporter: string; by: string; fault: string; receipts: Commitment; parts: Commitment; payouts: Commitment;
		slashed: bigint; reward: bigint;
	};
	'Attribution.AuditDrawn': { provider: string; epoch: number; seed: Hex; due: number };
	'Attribution.AuditPassed': { provider: string; epoch: number; by: string };
	'Attribution.AuditMissed': { provider: string; epoch: number; due: number };
	'Attribution.Forfeited': { provider: string; epoch: number; amount: bigint };
	'Stakes.Bonded': { candidate: string; amount: bigint; commission: number };
	'Stakes.Staked': { candidate: string; staker: string; amount: bigint; stake: bigint };
	'Stakes.Unbonding': { candidate: string; staker: string; amount: bigint; freeAt: number };
	'Stakes.Withdrawn': { candidate: string; staker: string; amount: bigint };
	'Stakes.Claimed': { candidate: string; staker: string; amount: bigint };
	'Stakes.Validating': { candidate: string; commission: number; from: number };
	'Stakes.Chilled': { candidate: string };
	'Stakes.Jailed': { validator: string; offence: number; until: number };
	'Stakes.Unjailed': { validator: string };
	'Stakes.Seized': { id: number; offender: string; offence: number; fraction: number; amount: bigint; applyAt: number };
	'Stakes.Slashed': { id: number; offender: string; amount: bigint };
	'Stakes.SlashCancelled': { id: number; offender: string; amount: bigint };
	'Stakes.Shared': { session: number; amount: bigint; left: bigint };
	'Stakes.Earned': { validator: string; session: number; amount: bigint; commission: bigint };
	'Stakes.Elected': { session: number; validators: number; fallback: number };
	'Stakes.FallbackSet': { validators: number };
	'Referenda.Submitted': { index: number; track: number; proposal: unknown };
	'Referenda.Confirmed': { index: number; tally: unknown };
	'Referenda.Rejected': { index: number; tally: unknown };
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
