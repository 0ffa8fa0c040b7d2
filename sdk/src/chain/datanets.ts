// Datanets: pools of records under one licence.
import type { Hex } from '../protocol/codec.js';
import type { Commitment } from '../protocol/merkle.js';
import type { RecordProof, Vote } from '../protocol/records.js';
import type { Call } from './call.js';
import { Pallet, text } from './chain.js';
import { eventOf } from './events.js';
import type { Bond, Contribution, Curation, Datanet, EventMap, Review, Reviewer, Snapshot } from './types.js';

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

	/** Changes the account that earns for a contribution, for every snapshot. Only its contributor may. */
	setPayoutAccount(of: { datanet: number; contribution: number; payout: string }): Call<EventMap['Datanets.PayoutAccountSet']> {
		return this.chain.call(NAME, 'setPayoutAccount', { ...of }, (events) => eventOf(events, 'Datanets.PayoutAccountSet'));
	}

	/** Returns a contribution's bond when its time is over. */
	releaseBond(of: { datanet: number; contribution: number }): Call<EventMap['Datanets.BondReleased']> {
		return this.chain.call(NAME, 'releaseBond', { ...of }, (events) => eventOf(events, 'Datanets.BondReleased'));
	}

	/** Proves that a contribution repeats a record of an earlier one, for a part of its bond. */
	claimDuplicate(of: { datanet: number; original: RecordProof; duplicate: RecordProof }): Call<EventMap['Datanets.DuplicateProven']> {
		return this.chain.call(NAME, 'claimDuplicate', { ...of }, (events) => eventOf(events, 'Datanets.DuplicateProven'));
	}

	/** Joins the panel of a Datanet that reviewers curate, or puts `stake` units more at stake there. */
	joinPanel(of: { datanet: number; stake: bigint }): Call<EventMap['Datanets.PanelJoined']> {
		return this.chain.call(NAME, 'joinPanel', { ...of }, (events) => eventOf(events, 'Datanets.PanelJoined'));
	}

	/** Leaves a panel, at once or when the reviews the sender votes in are concluded. */
	leavePanel(datanet: number): Call {
		return this.chain.call(NAME, 'leavePanel', { datanet });
	}

	/** Opens the review of a pending contribution that has none. Anyone may. */
	openReview(of: { datanet: number; contribution: number }): Call<EventMap['Datanets.ReviewOpened']> {
		return this.chain.call(NAME, 'openReview', { ...of }, (events) => eventOf(events, 'Datanets.ReviewOpened'));
	}

	/** Commits the sender to a vote that stays secret (see `voteCommitment`). */
	commitVote(of: { datanet: number; contribution: number; commitment: Hex }): Call<EventMap['Datanets.VoteCommitted']> {
		return this.chain.call(NAME, 'commitVote', { ...of }, (events) => eventOf(events, 'Datanets.VoteCommitted'));
	}

	/** Reveals the vote that the sender has committed to. */
	revealVote(of: { datanet: number; contribution: number; vote: Vote; salt: Hex }): Call<EventMap['Datanets.VoteRevealed']> {
		return this.chain.call(NAME, 'revealVote', { ...of }, (events) => eventOf(events, 'Datanets.VoteRevealed'));
	}

	/** Counts the votes of a review that is over. Anyone may. */
	concludeReview(of: { datanet: number; contribution: number }): Call<EventMap['Datanets.ReviewConcluded']> {
		return this.chain.call(NAME, 'concludeReview', { ...of }, (events) => eventOf(events, 'Datanets.ReviewConcluded'));
	}

	/** Appeals against the rejection of a contribution. Only its contributor may, once. */
	appeal(of: { datanet: number; contribution: number }): Call<EventMap['Datanets.Appealed']> {
		return this.chain.call(NAME, 'appeal', { ...of }, (events) => eventOf(events, 'Datanets.Appealed'));
	}

	/** Removes a contribution that was rejected and not appealed for in time. Anyone may. */
	clearRejected(of: { datanet: number; contribution: number }): Call<EventMap['Datanets.Rejected']> {
		return this.chain.call(NAME, 'clearRejected', { ...of }, (events) => eventOf(events, 'Datanets.Rejected'));
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

	/** Root, bytes and number of a contribution's records. */
	contributionRecords(datanet: number, contribution: number): Promise<Commitment | null> {
		return this.chain.view(NAME, 'contributionRecords', datanet, contribution);
	}

	/** What a contribution has at stake. */
	bond(datanet: number, contribution: number): Promise<Bond | null> {
		return this.chain.view(NAME, 'bond', datanet, contribution);
	}

	/** The reviewers of a Datanet. */
	panel(datanet: number): Promise<Reviewer[]> {
		return this.chain.view(NAME, 'panel', datanet);
	}

	/** The review of a contribution, if one is open. */
	review(datanet: number, contribution: number): Promise<Review | null> {
		return this.chain.view(NAME, 'review', datanet, contribution);
	}

	/** The account that earns for a contribution, if the snapshot contains it. */
	payoutAccount(datanet: number, version: number, contribution: number): Promise<string | null> {
		return this.chain.view(NAME, 'payoutAccount', datanet, version, contribution);
	}
}
