// Events as plain values.
import type { EventRecord } from '@polkadot/types/interfaces';
import type { Codec } from '@polkadot/types-codec/types';
import { OpenLedgerError } from '../errors.js';
import { camel, plain, plainField } from './plain.js';
import type { EventMap, EventName, EventOf, LedgerEvent } from './types.js';

/** An event record as plain values. */
export function eventFrom({ event, phase }: EventRecord): LedgerEvent {
	const pallet = event.section.replace(/^./, (letter) => letter.toUpperCase());
	const names = event.data.names;
	const values = [...(event.data as unknown as Codec[])];
	const fields = names?.map((name, i) => [camel(name), values[i]] as const);
	const data = fields
		? Object.fromEntries(fields.map(([name, value]) => [name, value === undefined ? null : plainField(name, value)]))
		: values.map((value) => plain(value));
	return { name: `${pallet}.${event.method}`, data, extrinsic: phase.isApplyExtrinsic ? phase.asApplyExtrinsic.toNumber() : null };
}

/** Whether an event is the named one. */
export const isEvent = <Name extends EventName>(event: LedgerEvent, name: Name): event is EventOf<Name> => event.name === name;

/** The data of all events with a name, in order. */
export const eventsOf = <Name extends EventName>(events: readonly LedgerEvent[], name: Name): EventMap[Name][] =>
	events.filter((event): event is EventOf<Name> => isEvent(event, name)).map(({ data }) => data);

/** The data of the first event with a name. Throws `node-error` if there is none. */
export function eventOf<Name extends EventName>(events: readonly LedgerEvent[], name: Name): EventMap[Name] {
	const [found] = eventsOf(events, name);
	if (found === undefined) {
		throw new OpenLedgerError('node-error', `There is no event ${name}, only ${[...new Set(events.map((event) => event.name))].join(', ') || 'none at all'}.`);
	}
	return found;
}
