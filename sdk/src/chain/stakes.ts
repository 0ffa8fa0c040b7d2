// Stakes: who may validate, and who stakes on whom.
import type { Call } from './call.js';
import { Pallet } from './chain.js';
import { eventOf } from './events.js';
import type { Candidate, EventMap, Jail, Position } from './types.js';

const NAME = 'Stakes';

/** Candidates, delegations and what they earn. Fractions are in billionths, as `commission`. */
export class Stakes extends Pallet {
	/** Offers to validate with `amount` units of own stake. Needs session keys to be elected. */
	bond(of: { amount: bigint; commission: number }): Call<EventMap['Stakes.Bonded']> {
		return this.chain.call(NAME, 'bond', { ...of }, (events) => eventOf(events, 'Stakes.Bonded'));
	}

	/** Adds to the sender's own stake as a candidate. */
	bondMore(amount: bigint): Call<EventMap['Stakes.Staked']> {
		return this.chain.call(NAME, 'bondMore', { amount }, (events) => eventOf(events, 'Stakes.Staked'));
	}

	/** Takes `amount` units out of the sender's own stake. */
	unbond(amount: bigint): Call<EventMap['Stakes.Unbonding']> {
		return this.chain.call(NAME, 'unbond', { amount }, (events) => eventOf(events, 'Stakes.Unbonding'));
	}

	/** Stakes `amount` units on a candidate; they earn from the next session on. */
	delegate(of: { candidate: string; amount: bigint }): Call<EventMap['Stakes.Staked']> {
		return this.chain.call(NAME, 'delegate', { ...of }, (events) => eventOf(events, 'Stakes.Staked'));
	}

	/** Takes `amount` units out of the sender's stake on a candidate. */
	undelegate(of: { candidate: string; amount: bigint }): Call<EventMap['Stakes.Unbonding']> {
		return this.chain.call(NAME, 'undelegate', { ...of }, (events) => eventOf(events, 'Stakes.Unbonding'));
	}

	/** Frees what the sender took out of its stake on a candidate and what has waited long enough. */
	withdrawUnbonded(candidate: string): Call<EventMap['Stakes.Withdrawn']> {
		return this.chain.call(NAME, 'withdrawUnbonded', { candidate }, (events) => eventOf(events, 'Stakes.Withdrawn'));
	}

	/** Pays a staker what it earned with its stake on a candidate. Anybody may. */
	claim(of: { candidate: string; staker: string }): Call<EventMap['Stakes.Claimed']> {
		return this.chain.call(NAME, 'claim', { ...of }, (events) => eventOf(events, 'Stakes.Claimed'));
	}

	/** Wants to be elected, for this commission. */
	validate(commission: number): Call<EventMap['Stakes.Validating']> {
		return this.chain.call(NAME, 'validate', { commission }, (events) => eventOf(events, 'Stakes.Validating'));
	}

	/** Wants to be elected no more. The stakes stay. */
	chill(): Call<EventMap['Stakes.Chilled']> {
		return this.chain.call(NAME, 'chill', {}, (events) => eventOf(events, 'Stakes.Chilled'));
	}

	/** Leaves jail when the time is over. */
	unjail(): Call<EventMap['Stakes.Unjailed']> {
		return this.chain.call(NAME, 'unjail', {}, (events) => eventOf(events, 'Stakes.Unjailed'));
	}

	/** Forgets the sender's session keys and returns the deposit for them. */
	purgeKeys(): Call {
		return this.chain.call(NAME, 'purgeKeys');
	}

	/** Gives back what was seized by a slash; to be proposed. */
	cancelSlash(id: number): Call<EventMap['Stakes.SlashCancelled']> {
		return this.chain.call(NAME, 'cancelSlash', { id }, (events) => eventOf(events, 'Stakes.SlashCancelled'));
	}

	/** Names the validators that join when too few are elected; to be proposed. */
	setFallback(validators: readonly string[]): Call<EventMap['Stakes.FallbackSet']> {
		return this.chain.call(NAME, 'setFallback', { validators }, (events) => eventOf(events, 'Stakes.FallbackSet'));
	}

	/** How long this validator is in jail, if it is. */
	jail(validator: string): Promise<Jail | null> {
		return this.chain.view(NAME, 'jail', validator);
	}

	/** The candidate with this account. */
	candidate(account: string): Promise<Candidate | null> {
		return this.chain.view(NAME, 'candidate', account);
	}

	/** Every candidate, the one with the most stake first. */
	async candidates(): Promise<(Candidate & { account: string })[]> {
		const all = await this.chain.view<[string, Candidate][]>(NAME, 'candidates');
		return all.map(([account, candidate]) => ({ account, ...candidate }));
	}

	/** Who would validate if there were an election now. */
	elected(): Promise<string[]> {
		return this.chain.view(NAME, 'elected');
	}

	/** What a staker has staked on a candidate. */
	position(candidate: string, staker: string): Promise<Position | null> {
		return this.chain.view(NAME, 'position', candidate, staker);
	}

	/** All that a staker has staked, by candidate. */
	async positionsOf(staker: string): Promise<(Position & { candidate: string })[]> {
		const all = await this.chain.view<[string, Position][]>(NAME, 'positionsOf', staker);
		return all.map(([candidate, position]) => ({ candidate, ...position }));
	}

	/** What a staker can claim of what a candidate earned, in units. */
	claimable(candidate: string, staker: string): Promise<bigint> {
		return this.chain.view(NAME, 'claimable', candidate, staker);
	}
}
