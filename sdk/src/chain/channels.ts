// Channels: a payer's prepaid balance with one provider, spent by vouchers.
import { OpenLedgerError } from '../errors.js';
import { ZERO, type Hex } from '../protocol/codec.js';
import type { SignedVoucher, Voucher } from '../protocol/voucher.js';
import type { Call } from './call.js';
import { Pallet } from './chain.js';
import { eventOf, eventsOf } from './events.js';
import type { Channel, EventMap, LaneState } from './types.js';

const NAME = 'Channels';

/** What a voucher is to say beyond what the chain knows. */
export interface VoucherOf {
	channel: bigint;
	lane: number;
	/** Total owed on the lane since its generation began, in units. */
	amount: bigint;
	/** The licence part of it. */
	licence: bigint;
	/** Total tokens paid for. */
	tokens: bigint;
	/** Accumulator over the receipts acknowledged; zero before the first. */
	receipts?: Hex;
	/** For how many blocks from now it is good. Default 50, which every preset's limit allows. */
	validFor?: number;
}

/** What became of a batch of vouchers. */
export interface Redemption {
	redeemed: EventMap['Channels.Redeemed'][];
	/** The vouchers that were not paid, with the reason. */
	skipped: EventMap['Channels.VoucherSkipped'][];
}

/** Channels and what was redeemed on their lanes. */
export class Channels extends Pallet {
	/** Opens a channel with `escrow` units; `delegate` may sign vouchers up to `limit` units. */
	open(of: { provider: string; escrow: bigint; delegate?: { signer: string; limit: bigint } }): Call<EventMap['Channels.Opened']> {
		const args = { provider: of.provider, escrow: of.escrow, delegate: pair(of.delegate) };
		return this.chain.call(NAME, 'open', args, (events) => eventOf(events, 'Channels.Opened'));
	}

	/** Adds `amount` units to a channel, whoever's it is. */
	topUp(of: { channel: bigint; amount: bigint }): Call<EventMap['Channels.ToppedUp']> {
		return this.chain.call(NAME, 'topUp', { ...of }, (events) => eventOf(events, 'Channels.ToppedUp'));
	}

	/** Appoints or replaces the key that may sign vouchers beside the payer, or revokes it. */
	setDelegate(of: { channel: bigint; delegate?: { signer: string; limit: bigint } }): Call<EventMap['Channels.DelegateSet']> {
		const args = { channel: of.channel, delegate: pair(of.delegate) };
		return this.chain.call(NAME, 'setDelegate', args, (events) => eventOf(events, 'Channels.DelegateSet'));
	}

	/** Gives notice that the payer will withdraw the escrow. */
	thaw(channel: bigint): Call<EventMap['Channels.Thawing']> {
		return this.chain.call(NAME, 'thaw', { channel }, (events) => eventOf(events, 'Channels.Thawing'));
	}

	/** Takes the notice back. */
	cancelThaw(channel: bigint): Call<EventMap['Channels.ThawCancelled']> {
		return this.chain.call(NAME, 'cancelThaw', { channel }, (events) => eventOf(events, 'Channels.ThawCancelled'));
	}

	/** Releases the whole escrow to the payer, once the thaw has ended. */
	withdraw(channel: bigint): Call<EventMap['Channels.Withdrawn']> {
		return this.chain.call(NAME, 'withdraw', { channel }, (events) => eventOf(events, 'Channels.Withdrawn'));
	}

	/** Removes a channel with an empty escrow and releases its deposit. */
	close(channel: bigint): Call<EventMap['Channels.Closed']> {
		return this.chain.call(NAME, 'close', { channel }, (events) => eventOf(events, 'Channels.Closed'));
	}

	/** Draws what each voucher owes. Only the provider or its hot key may; bad vouchers are skipped. */
	redeem(vouchers: readonly SignedVoucher[]): Call<Redemption> {
		return this.chain.call(NAME, 'redeem', { vouchers }, (events) => ({
			redeemed: eventsOf(events, 'Channels.Redeemed'),
			skipped: eventsOf(events, 'Channels.VoucherSkipped'),
		}));
	}

	/** The channel with this id. */
	channel(channel: bigint): Promise<Channel | null> {
		return this.chain.view(NAME, 'channel', channel);
	}

	/** What was redeemed on a lane in the channel's generation; `null` if there is no such lane. */
	lane(channel: bigint, lane: number): Promise<LaneState | null> {
		return this.chain.view(NAME, 'lane', channel, lane);
	}

	/** The licence money, in units, that a provider may still collect before it outgrows its bond. */
	room(provider: string): Promise<bigint> {
		return this.chain.view(NAME, 'room', provider);
	}

	/** The channels that this account pays from, by id. Reads all channels. */
	async ofPayer(payer: string): Promise<(Channel & { id: bigint })[]> {
		const entries = await this.chain.entries<[bigint], Channel>(NAME, 'channels');
		return entries.map(({ key: [id], value }) => ({ id, ...value })).filter((channel) => channel.payer === payer);
	}

	/**
	 * The voucher to sign for a channel: what the chain knows is filled in. Throws `bad-argument` where
	 * no worker and no chain would take it.
	 */
	async voucher(of: VoucherOf): Promise<Voucher> {
		const [channel, lane, now] = await Promise.all([this.channel(of.channel), this.lane(of.channel, of.lane), this.chain.number()]);
		if (!channel) throw new OpenLedgerError('bad-argument', `There is no channel ${of.channel}.`);
		if (!lane) throw new OpenLedgerError('bad-argument', `Channel ${of.channel} has no lane ${of.lane}.`);
		const compute = of.amount - of.licence;
		if (of.licence < lane.licence || compute < lane.amount - lane.licence || of.tokens < lane.tokens) {
			throw new OpenLedgerError('bad-argument', `The lane already paid ${lane.amount} units, of them ${lane.licence} for licences, for ${lane.tokens} tokens: a voucher says what is owed in all.`);
		}
		const quote = await this.chain.view<{ id: number } | null>('Providers', 'quote', channel.provider);
		if (!quote) throw new OpenLedgerError('bad-argument', `The provider ${channel.provider} takes no work.`);
		return {
			genesis: this.chain.api.genesisHash.toHex(),
			channel: of.channel,
			generation: channel.generation,
			lane: of.lane,
			amount: of.amount,
			licence: of.licence,
			tokens: of.tokens,
			receipts: of.receipts ?? ZERO,
			quote: quote.id,
			validUntil: now + (of.validFor ?? 50),
		};
	}
}

const pair = (delegate?: { signer: string; limit: bigint }): [string, bigint] | null => (delegate ? [delegate.signer, delegate.limit] : null);
