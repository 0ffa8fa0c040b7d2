// Providers: who serves models, on what terms.
import type { Rate } from '../protocol/fees.js';
import type { Call } from './call.js';
import { Pallet, text } from './chain.js';
import { eventOf } from './events.js';
import type { EventMap, Provider, Quote } from './types.js';

const NAME = 'Providers';

/** Providers, their bonds and quotes. */
export class Providers extends Pallet {
	/** Registers the sender as a provider with `bond` units at stake. */
	register(of: { hotKey: string; endpoint: string; bond: bigint; bases: number[]; rate: Rate }): Call<EventMap['Providers.Registered']> {
		const args = { ...of, endpoint: text(of.endpoint) };
		return this.chain.call(NAME, 'register', args, (events) => eventOf(events, 'Providers.Registered'));
	}

	/** Asks another price, in units per 1,000 tokens, under the next quote number. */
	setQuote(rate: Rate): Call<void> {
		return this.chain.call(NAME, 'setQuote', { rate }, () => undefined);
	}

	/** Replaces the hot key. */
	setHotKey(hotKey: string): Call<EventMap['Providers.HotKeyChanged']> {
		return this.chain.call(NAME, 'setHotKey', { hotKey }, (events) => eventOf(events, 'Providers.HotKeyChanged'));
	}

	/** Says where the provider is reached from now on. */
	setEndpoint(endpoint: string): Call<EventMap['Providers.EndpointChanged']> {
		return this.chain.call(NAME, 'setEndpoint', { endpoint: text(endpoint) }, (events) => eventOf(events, 'Providers.EndpointChanged'));
	}

	/** Puts `amount` more units at stake. */
	bondMore(amount: bigint): Call<EventMap['Providers.Bonded']> {
		return this.chain.call(NAME, 'bondMore', { amount }, (events) => eventOf(events, 'Providers.Bonded'));
	}

	/** Stops taking work, for good; the bond stays held for the unbonding period. */
	leave(): Call<EventMap['Providers.Leaving']> {
		return this.chain.call(NAME, 'leave', {}, (events) => eventOf(events, 'Providers.Leaving'));
	}

	/** Takes the bond after the unbonding period and removes the registration. */
	withdrawBond(): Call<EventMap['Providers.Left']> {
		return this.chain.call(NAME, 'withdrawBond', {}, (events) => eventOf(events, 'Providers.Left'));
	}

	/** The provider with this account. */
	provider(account: string): Promise<Provider | null> {
		return this.chain.view(NAME, 'provider', account);
	}

	/** All providers, by account. */
	async all(): Promise<(Provider & { account: string })[]> {
		const entries = await this.chain.entries<[string], Provider>(NAME, 'providers');
		return entries.map(({ key: [account], value }) => ({ account, ...value }));
	}

	/** What the provider asks; `null` if it takes no work. */
	quote(account: string): Promise<Quote | null> {
		return this.chain.view(NAME, 'quote', account);
	}

	/** The provider that a hot key belongs to. */
	providerOf(hotKey: string): Promise<string | null> {
		return this.chain.view(NAME, 'providerOf', hotKey);
	}
}
