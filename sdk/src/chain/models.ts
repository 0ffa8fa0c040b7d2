// Base models, adapters and attribution algorithms.
import type { Hex } from '../protocol/codec.js';
import type { Rate } from '../protocol/fees.js';
import type { Call } from './call.js';
import { Pallet, text } from './chain.js';
import { eventOf } from './events.js';
import type { Adapter, AdapterRegistration, Algorithm, AlgorithmProposal, BaseModel, EventMap, Model } from './types.js';

const NAME = 'Models';

/** What a base model's owner says of it. */
export interface BaseRegistration {
	name: string;
	architecture: string;
	weights: Hex;
	tokenizer: Hex;
	/** SPDX identifier. */
	licence: string;
	/** Units per 1,000 tokens; can never be changed. */
	rate: Rate;
}

/** Base models, adapters and algorithms. */
export class Models extends Pallet {
	/** Registers a base model that the sender owns. Holds a deposit. */
	registerBase(of: BaseRegistration): Call<EventMap['Models.BaseRegistered']> {
		const texts = { name: text(of.name), architecture: text(of.architecture), licence: text(of.licence) };
		return this.chain.call(NAME, 'registerBase', { ...of, ...texts }, (events) => eventOf(events, 'Models.BaseRegistered'));
	}

	/** Registers an adapter that the sender owns, with the snapshots it was trained on. Holds a deposit. */
	registerAdapter(of: AdapterRegistration): Call<EventMap['Models.AdapterRegistered']> {
		const registration = { ...of, name: text(of.name), uri: text(of.uri), targets: of.targets.map(text) };
		return this.chain.call(NAME, 'registerAdapter', { registration }, (events) => eventOf(events, 'Models.AdapterRegistered'));
	}

	/** Takes an adapter out of service, for good. Only its owner may. */
	retireAdapter(adapter: number): Call<EventMap['Models.AdapterRetired']> {
		return this.chain.call(NAME, 'retireAdapter', { adapter }, (events) => eventOf(events, 'Models.AdapterRetired'));
	}

	/** Puts an attribution algorithm forward. Holds a deposit until governance takes it up. */
	proposeAlgorithm(of: AlgorithmProposal): Call<EventMap['Models.AlgorithmProposed']> {
		const proposal = { ...of, name: text(of.name), uri: text(of.uri) };
		return this.chain.call(NAME, 'proposeAlgorithm', { proposal }, (events) => eventOf(events, 'Models.AlgorithmProposed'));
	}

	/** Withdraws a proposal that governance has not taken up. */
	withdrawAlgorithm(proposal: number): Call<EventMap['Models.AlgorithmWithdrawn']> {
		return this.chain.call(NAME, 'withdrawAlgorithm', { proposal }, (events) => eventOf(events, 'Models.AlgorithmWithdrawn'));
	}

	/** Takes a proposed algorithm up for comparison, paying nobody, and gives it its id; to be proposed to governance. */
	shadowAlgorithm(proposal: number): Call<EventMap['Models.AlgorithmTakenUp']> {
		return this.chain.call(NAME, 'shadowAlgorithm', { proposal }, (events) => eventOf(events, 'Models.AlgorithmTakenUp'));
	}

	/** Lets new adapters choose an algorithm that is in shadow; to be proposed to governance. */
	activateAlgorithm(algorithm: number): Call<EventMap['Models.AlgorithmStateChanged']> {
		return this.#change('activateAlgorithm', algorithm);
	}

	/** Lets no new adapter choose an algorithm; to be proposed to governance. */
	retireAlgorithm(algorithm: number): Call<EventMap['Models.AlgorithmStateChanged']> {
		return this.#change('retireAlgorithm', algorithm);
	}

	#change(call: string, algorithm: number): Call<EventMap['Models.AlgorithmStateChanged']> {
		return this.chain.call(NAME, call, { algorithm }, (events) => eventOf(events, 'Models.AlgorithmStateChanged'));
	}

	/** The proposed algorithm with this number, if governance has not taken it up. */
	proposal(proposal: number): Promise<Algorithm | null> {
		return this.chain.view(NAME, 'proposal', proposal);
	}

	/** The base model with this id. */
	baseModel(base: number): Promise<BaseModel | null> {
		return this.chain.view(NAME, 'baseModel', base);
	}

	/** All base models, by id. */
	async baseModels(): Promise<(BaseModel & { id: number })[]> {
		const entries = await this.chain.entries<[number], BaseModel>(NAME, 'baseModels');
		return entries.map(({ key: [id], value }) => ({ id, ...value }));
	}

	/** The adapter with this id. */
	adapter(adapter: number): Promise<Adapter | null> {
		return this.chain.view(NAME, 'adapter', adapter);
	}

	/** All adapters, by id. */
	async adapters(): Promise<(Adapter & { id: number })[]> {
		const entries = await this.chain.entries<[number], Adapter>(NAME, 'adapters');
		return entries.map(({ key: [id], value }) => ({ id, ...value }));
	}

	/** The base model or adapter that has this name. */
	byName(name: string): Promise<Model | null> {
		return this.chain.view(NAME, 'byName', text(name));
	}

	/** The attribution algorithm with this id. */
	algorithm(algorithm: number): Promise<Algorithm | null> {
		return this.chain.view(NAME, 'algorithm', algorithm);
	}

	/** The id of the attribution algorithm that has this name and version. */
	algorithmByName(name: string): Promise<number | null> {
		return this.chain.view(NAME, 'algorithmByName', text(name));
	}
}
