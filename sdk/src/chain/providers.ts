// Providers: who serves models, on what terms.
import type { Rate } from '../protocol/fees.js';
import type { Call } from './call.js';
import { Pallet, text } from './chain.js';
import { eventOf } from './events.js';
import type { EventMap, PendingQuote, Provider, Quote } from './types.js';

const NAME = 'Providers';

/** Providers, their bonds and quotes. */
export class Providers extends Pallet {
	/** Registers the sender as a provider with `bond` units at stake. */
	register(of: { hotKey: string; endpoint: string; bond: bigint; bases: number[]; rate: Rate }): Call<EventMap['Providers.Registered']> {
		const args = { ...of, endpoint: text(of.endpoint) };
		return this.chain.call(NAME, 'register', args, (events) => eventOf(events, 'Providers.Registered'));
	}

	/** Announces another price, in units per 1,000 tokens, in force under the next quote number after the notice. */
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

	/** Takes work again after jail. */
	unjail(): Call<EventMap['Providers.Unjailed']> {
		return this.chain.call(NAME, 'unjail', {}, (events) => eventOf(events, 'Providers.Unjailed'));
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

	/** The price that a provider has announced and does not ask yet. */
	pendingQuote(account: string): Promise<PendingQuote | null> {
		return this.chain.view(NAME, 'pendingQuote', account);
	}

	/** What a provider asks, or once asked, under a quote number, in units per 1,000 tokens. */
	quoteRate(account: string, quote: number): Promise<Rate | null> {
		return this.chain.view(NAME, 'quoteRate', account, quote);
	}

	/** The block in which a provider's machine was last known to be there. */
	lastSeen(account: string): Promise<number | null> {
		return this.chain.view(NAME, 'lastSeen', account);
	}

	/** Whether a provider takes work and has given signs of life lately. */
	isAlive(account: string): Promise<boolean> {
		return this.chain.view(NAME, 'isAlive', account);
	}

	/** The provider that a hot key belongs to. */
	providerOf(hotKey: string): Promise<string | null> {
		return this.chain.view(NAME, 'providerOf', hotKey);
	}
}
