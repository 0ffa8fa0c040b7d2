// Epochs, reports, settlement and claims.
import type { Terms } from '../protocol/fees.js';
import type { Commitment, Node } from '../protocol/merkle.js';
import type { PayoutLeaf } from '../protocol/report.js';
import type { Call } from './call.js';
import { Pallet } from './chain.js';
import { eventOf, eventsOf } from './events.js';
import type { Epoch, EventMap, Flows, Pot, Report } from './types.js';

const NAME = 'Attribution';

/** What a provider commits to after an epoch. */
export interface ReportOf {
	epoch: number;
	/** Over receipt leaves. */
	receipts: Commitment;
	/** Over part leaves; left out where the runtime does not know them. */
	parts?: Commitment;
	/** Over payout leaves. */
	payouts: Commitment;
}

/** The licence money's way from pots to credits to claims. */
export class Attribution extends Pallet {
	/** Commits the sender's provider to what an epoch's receipts were and who is owed what. */
	report(of: ReportOf): Call<EventMap['Attribution.Reported']> {
		const { parts, ...args } = of;
		const known = this.chain.takes(NAME, 'report', 'parts');
		return this.chain.call(NAME, 'report', known ? { ...args, parts } : args, (events) => eventOf(events, 'Attribution.Reported'));
	}

	/** Credits the next payouts of a report, in order. Anyone may. */
	settle(of: { provider: string; epoch: number; leaves: readonly PayoutLeaf[]; proof: readonly Node[] }): Call<EventMap['Attribution.Credited'][]> {
		return this.chain.call(NAME, 'settle', { ...of }, (events) => eventsOf(events, 'Attribution.Credited'));
	}

	/** Pays `beneficiary` all that it was credited. Anyone may do it for anyone. */
	claim(beneficiary: string): Call<EventMap['Attribution.Claimed']> {
		return this.chain.call(NAME, 'claim', { beneficiary }, (events) => eventOf(events, 'Attribution.Claimed'));
	}

	/** The epoch in progress. */
	epoch(): Promise<Epoch> {
		return this.chain.view(NAME, 'epoch');
	}

	/** A version of the terms. */
	terms(version: number): Promise<Terms | null> {
		return this.chain.view(NAME, 'terms', version);
	}

	/** A provider's pot of an epoch. */
	pot(provider: string, epoch: number): Promise<Pot | null> {
		return this.chain.view(NAME, 'pot', provider, epoch);
	}

	/** A provider's report of an epoch. */
	reportOf(provider: string, epoch: number): Promise<Report | null> {
		return this.chain.view(NAME, 'reportOf', provider, epoch);
	}

	/** What an account may claim, in units. */
	credit(account: string): Promise<bigint> {
		return this.chain.view(NAME, 'credit', account);
	}

	/** Where all money went. */
	totals(): Promise<Flows> {
		return this.chain.view(NAME, 'totals');
	}
}
