// Runs the example page's own script in Node, on the little of a browser that it uses.
import { readFileSync, writeFileSync } from 'node:fs';
import type { OpenLedger } from '../src/index.js';

const EXAMPLE = new URL('../../example/index.html', import.meta.url);

class Element {
	value = '';
	textContent = '';
	#listeners: (() => unknown)[] = [];

	addEventListener(_: string, listener: () => unknown): void {
		this.#listeners.push(listener);
	}

	replaceChildren(...options: { value: string }[]): void {
		this.value = options[0]?.value ?? '';
	}

	/** Clicks or changes it and waits for what that does. */
	async click(): Promise<void> {
		for (const listener of this.#listeners) await listener();
	}
}

/** The page's elements, by id, once its script has run, and what a browser does when it is closed. */
export async function loadPage(): Promise<{ page: (id: string) => Element; close(): Promise<void> }> {
	const html = readFileSync(EXAMPLE, 'utf8');
	const elements = new Map<string, Element>();
	for (const [tag, id = ''] of html.matchAll(/<\w+ id="(\w+)"[^>]*>/g)) {
		const element = new Element();
		element.value = /value="([^"]*)"/.exec(tag)?.[1] ?? '';
		elements.set(id, element);
	}
	const find = (id: string): Element => {
		const element = elements.get(id);
		if (!element) throw new Error(`the page has no element ${id}`);
		return element;
	};
	Object.assign(globalThis, {
		document: { getElementById: find },
		Option: class {
			constructor(
				readonly text: string,
				readonly value: string,
			) {}
		},
	});
	const script = /<script type="module">([^]*)<\/script>/.exec(html)?.[1] ?? '';
	writeFileSync(new URL('../page-sdk.mjs', import.meta.url), SDK);
	const file = new URL('../page-script.mjs', import.meta.url);
	writeFileSync(file, script.replace('./openledger.js', './page-sdk.mjs'));
	await import(file.href);
	const { connections } = (await import(new URL('../page-sdk.mjs', import.meta.url).href)) as { connections: OpenLedger[] };
	return {
		page: find,
		async close() {
			for (const connection of connections) await connection.disconnect();
		},
	};
}

// The SDK as the page sees it, with its connections kept, since a page need not end them itself.
const SDK = `
export * from './src/index.js';
import * as sdk from './src/index.js';
export const connections = [];
export async function connect(...args) {
	const ledger = await sdk.connect(...args);
	connections.push(ledger);
	return ledger;
}
`;
