// Governance: referenda on tracks, votes, and the values they set.
import { u8aToHex } from '@polkadot/util';
import { blake2AsU8a } from '@polkadot/util-crypto';
import type { Call } from './call.js';
import { Pallet } from './chain.js';
import { eventOf } from './events.js';
import type { EventMap } from './types.js';

/** A track that referenda are decided on; its origin has its powers and no others. */
export type Track = 'Root' | 'Attribution' | 'Serving' | 'Treasurer' | 'Canceller' | 'Killer';

/** How much longer one's OPEN stays locked, and how much more it counts. */
export type Conviction = 'None' | 'Locked1x' | 'Locked2x' | 'Locked3x' | 'Locked4x' | 'Locked5x' | 'Locked6x';

// Longer calls are put on chain first and named by their hash.
const MAX_INLINE = 128;

/** Proposals, votes and governed values. */
export class Governance extends Pallet {
	/** Submits a referendum on `call`, to be carried out `after` blocks once it is approved, at the earliest. */
	propose(of: { track: Track; call: Call<unknown>; after?: number }): Call<EventMap['Referenda.Submitted']> {
		const encoded = of.call.extrinsic.method.toU8a();
		const short = encoded.length <= MAX_INLINE;
		const hash = u8aToHex(blake2AsU8a(encoded));
		const submit = this.chain.call(
			'Referenda',
			'submit',
			{
				proposalOrigin: of.track === 'Root' ? { system: 'Root' } : { Governance: of.track },
				proposal: short ? { Inline: u8aToHex(encoded) } : { Lookup: { hash, len: encoded.length } },
				enactmentMoment: { After: of.after ?? 0 },
			},
			(events) => eventOf(events, 'Referenda.Submitted'),
		);
		if (short) return submit;
		const note = this.chain.call('Preimage', 'notePreimage', { bytes: u8aToHex(encoded) });
		return this.chain.batch([note, submit], (events) => eventOf(events, 'Referenda.Submitted'));
	}

	/** Places a referendum's decision deposit; without it nothing is decided. Anybody may. */
	placeDecisionDeposit(index: number): Call {
		return this.chain.call('Referenda', 'placeDecisionDeposit', { index });
	}

	/** Votes with `balance` units. */
	vote(of: { referendum: number; aye: boolean; conviction?: Conviction; balance: bigint }): Call {
		const vote = { Standard: { vote: { aye: of.aye, conviction: of.conviction ?? 'None' }, balance: of.balance } };
		return this.chain.call('ConvictionVoting', 'vote', { pollIndex: of.referendum, vote });
	}

	/** The call that sets a governed value, such as `{ Attribution: { EpochLength: [null, 600] } }`; to be proposed. */
	set(parameter: Record<string, unknown>): Call {
		return this.chain.call('Governance', 'set', { parameter });
	}

	/** Who may change a value, such as `{ Attribution: 'EpochLength' }`, what it is now, and its bounds. */
	rule(key: Record<string, unknown>): Promise<unknown> {
		return this.chain.view('Governance', 'rule', key);
	}

	/** All referenda, by index, with how far they are. */
	async referenda(): Promise<{ index: number; info: unknown }[]> {
		const entries = await this.chain.entries<[number], unknown>('Referenda', 'referendumInfoFor');
		return entries.map(({ key: [index], value }) => ({ index, info: value }));
	}
}
