// Datanets: pools of records under one licence.
import type { Commitment } from '../protocol/merkle.js';
import type { Call } from './call.js';
import { Pallet, text } from './chain.js';
import { eventOf } from './events.js';
import type { Contribution, Curation, Datanet, EventMap, Snapshot } from './types.js';

const NAME = 'Datanets';

/** Datanets, their contributions and snapshots. */
export class Datanets extends Pallet {
	/** Creates a Datanet that the sender owns; `licence` is an SPDX identifier. Holds a deposit. */
	create(of: { name: string; licence: string; mediaType: string; curation: Curation }): Call<EventMap['Datanets.Created']> {
		const args = { name: text(of.name), licence: text(of.licence), mediaType: text(of.mediaType), curation: of.curation };
		return this.chain.call(NAME, 'create', args, (events) => eventOf(events, 'Datanets.Created'));
	}

	/** Gives records, known by their tree's commitment (see `recordsTree`), under the Datanet's licence. */
	contribute(of: { datanet: number; records: Commitment; uri: string; payout: string }): Call<EventMap['Datanets.Contributed']> {
		return this.chain.call(NAME, 'contribute', { ...of, uri: text(of.uri) }, (events) => eventOf(events, 'Datanets.Contributed'));
	}

	/** Accepts a pending contribution. Only the owner may. */
	accept(of: { datanet: number; contribution: number }): Call<EventMap['Datanets.Accepted']> {
		return this.chain.call(NAME, 'accept', { ...of }, (events) => eventOf(events, 'Datanets.Accepted'));
	}

	/** Rejects a pending contribution and returns its deposit. Only the owner may. */
	reject(of: { datanet: number; contribution: number }): Call<EventMap['Datanets.Rejected']> {
		return this.chain.call(NAME, 'reject', { ...of }, (events) => eventOf(events, 'Datanets.Rejected'));
	}

	/** Freezes what is accepted under the next version. */
	snapshot(datanet: number): Call<EventMap['Datanets.Snapshotted']> {
		return this.chain.call(NAME, 'snapshot', { datanet }, (events) => eventOf(events, 'Datanets.Snapshotted'));
	}

	/** Takes a contribution back: later snapshots are without it. Only its contributor may. */
	withdraw(of: { datanet: number; contribution: number }): Call<EventMap['Datanets.Withdrawn']> {
		return this.chain.call(NAME, 'withdraw', { ...of }, (events) => eventOf(events, 'Datanets.Withdrawn'));
	}

	/** The Datanet with this id. */
	datanet(datanet: number): Promise<Datanet | null> {
		return this.chain.view(NAME, 'datanet', datanet);
	}

	/** All Datanets, by id. */
	async all(): Promise<(Datanet & { id: number })[]> {
		const entries = await this.chain.entries<[number], Datanet>(NAME, 'datanets');
		return entries.map(({ key: [id], value }) => ({ id, ...value }));
	}

	/** A contribution that the Datanet keeps. */
	contribution(datanet: number, contribution: number): Promise<Contribution | null> {
		return this.chain.view(NAME, 'contribution', datanet, contribution);
	}

	/** All contributions that a Datanet keeps, by id. */
	async contributions(datanet: number): Promise<(Contribution & { id: number })[]> {
		const entries = await this.chain.entries<[number, number], Contribution>(NAME, 'contributions', datanet);
		return entries.map(({ key: [, id], value }) => ({ id, ...value }));
	}

	/** A snapshot of a Datanet. */
	snapshotAt(datanet: number, version: number): Promise<Snapshot | null> {
		return this.chain.view(NAME, 'snapshotAt', datanet, version);
	}

	/** The account that earns for a contribution, if the snapshot contains it. */
	payoutAccount(datanet: number, version: number, contribution: number): Promise<string | null> {
		return this.chain.view(NAME, 'payoutAccount', datanet, version, contribution);
	}
}
