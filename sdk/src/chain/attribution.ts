// Epochs, reports, settlement and claims.
import { OpenLedgerError } from '../errors.js';
import type { AuditAnswer } from '../protocol/audit.js';
import type { Dispute } from '../protocol/dispute.js';
import type { Terms } from '../protocol/fees.js';
import type { Commitment, Node } from '../protocol/merkle.js';
import type { PayoutLeaf } from '../protocol/report.js';
import type { Call } from './call.js';
import { Pallet } from './chain.js';
import { eventOf, eventsOf } from './events.js';
import type { Epoch, EventMap, Flows, Pot, Removed, Report } from './types.js';

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
		if (known && parts === undefined) {
			throw new OpenLedgerError('bad-argument', 'Attribution.report: `parts` is missing; this runtime wants the commitment to the part leaves.');
		}
		return this.chain.call(NAME, 'report', known ? { ...args, parts } : args, (events) => eventOf(events, 'Attribution.Reported'));
	}

	/** Reports an epoch in a provider's place, with a deposit: after a proven dispute, or a missed deadline. */
	reportFor(of: { provider: string; epoch: number; receipts: Commitment; parts: Commitment; payouts: Commitment }): Call<EventMap['Attribution.Reported']> {
		return this.chain.call(NAME, 'reportFor', { ...of }, (events) => eventOf(events, 'Attribution.Reported'));
	}

	/** Proves a report wrong. Who made it is slashed, the sender gets a part of that. */
	dispute(of: { provider: string; epoch: number; dispute: Dispute }): Call<EventMap['Attribution.ReportRemoved']> {
		return this.chain.call(NAME, 'dispute', { ...of }, (events) => eventOf(events, 'Attribution.ReportRemoved'));
	}

	/** Opens the leaves that an audit drew (see `auditAnswer`). Anyone who has them may. */
	answerAudit(of: { provider: string; epoch: number; answer: AuditAnswer }): Call<EventMap['Attribution.AuditPassed']> {
		return this.chain.call(NAME, 'answerAudit', { ...of }, (events) => eventOf(events, 'Attribution.AuditPassed'));
	}

	/** States that an audit was not answered in time. */
	failAudit(of: { provider: string; epoch: number }): Call {
		return this.chain.call(NAME, 'failAudit', { ...of });
	}

	/** Credits the treasury with a pot that nobody has reported for long. */
	forfeit(of: { provider: string; epoch: number }): Call<EventMap['Attribution.Forfeited']> {
		return this.chain.call(NAME, 'forfeit', { ...of }, (events) => eventOf(events, 'Attribution.Forfeited'));
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

	/** What became of the reports of a pot, if any was proven wrong and it is not settled. */
	disproved(provider: string, epoch: number): Promise<Removed | null> {
		return this.chain.view(NAME, 'disproved', provider, epoch);
	}

	/** What of a provider's pots is not settled, in units. */
	atRiskOf(provider: string): Promise<bigint> {
		return this.chain.view(NAME, 'atRiskOf', provider);
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
