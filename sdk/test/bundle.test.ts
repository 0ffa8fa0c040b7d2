// What a web page needs: the SDK in one file, without anything of Node.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { build } from 'esbuild';

test('the SDK should bundle for browsers without anything of Node', async () => {
	const entry = new URL('../../src/index.ts', import.meta.url).pathname;
	const { outputFiles, warnings } = await build({ entryPoints: [entry], bundle: true, format: 'esm', platform: 'browser', minify: true, write: false });
	assert.deepEqual(warnings, []);
	const [file] = outputFiles;
	assert.ok(file);
	assert.doesNotMatch(file.text, /from ?"node:|require\("node:/);
	assert.match(file.text, /export ?\{[^]*as connect\b/);
});

test('the example should be a page of under 100 lines', () => {
	const html = readFileSync(new URL('../../example/index.html', import.meta.url), 'utf8');
	assert.ok(html.split('\n').length < 100);
});
