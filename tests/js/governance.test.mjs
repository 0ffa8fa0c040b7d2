// Owners of OPEN change the data share by a referendum, through polkadot.js alone; the next epoch has new terms.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Keyring } from '@polkadot/api';
import { cryptoWaitReady } from '@polkadot/util-crypto';
import { connect, find, submit } from './lib/node.mjs';

const OPEN = 10n ** 18n;

// Resolves with the first answer of `probe` that is not undefined, asked at every new block.
async function eachBlock(api, blocks, probe) {
  const start = (await api.rpc.chain.getHeader()).number.toNumber();
  return new Promise((resolve, reject) => {
    const stop = api.rpc.chain.subscribeNewHeads(async (header) => {
      const answer = await probe(await api.at(header.hash)).catch((error) => error);
      const late = header.number.toNumber() > start + blocks;
      if (answer === undefined && !late) return;
      (await stop)();
      if (answer instanceof Error) reject(answer);
      else if (answer === undefined) reject(new Error(`nothing came of it in ${blocks} blocks`));
      else resolve(answer);
    });
  });
}

// Puts `call` to the vote on the track whose origin is `origin`, and lets most owners vote for it.
async function carry(api, origin, call, [proposer, ...voters]) {
  const proposal = { Inline: call.method.toHex() };
  const submitted = await submit(api, api.tx.referenda.submit({ Governance: origin }, proposal, { After: 0 }), proposer);
  const index = find(submitted, 'referenda', 'Submitted').index.toNumber();
  await submit(api, api.tx.referenda.placeDecisionDeposit(index), proposer);
  const standard = { vote: { aye: true, conviction: 'Locked1x' }, balance: 900_000n * OPEN };
  const vote = api.tx.convictionVoting.vote(index, { Standard: standard });
  await Promise.all([proposer, ...voters].map((voter) => submit(api, vote, voter)));
  return index;
}

// The error with which the scheduler carried something out, if it did at this block.
async function failure(api, at) {
  for (const { event } of await at.query.system.events()) {
    if (event.section !== 'scheduler' || event.method !== 'Dispatched' || event.data.result.isOk) continue;
    const error = event.data.result.asErr;
    if (!error.isModule) return error.type;
    const { section, name } = api.registry.findMetaError(error.asModule);
    return `${section}.${name}`;
  }
}

test('owners govern', { timeout: 600_000 }, async (t) => {
  await cryptoWaitReady();
  const { api, stop } = await connect();
  t.after(stop);
  const keyring = new Keyring({ type: 'sr25519' });
  const owners = ['Alice', 'Bob', 'Charlie', 'Dave'].map((name) => keyring.addFromUri(`//${name}`));
  const setTerms = (terms) => api.tx.governance.set({ Attribution: { SplitTerms: [null, terms] } });
  const { terms: version } = await api.query.attribution.currentEpoch();
  const before = (await api.query.attribution.termsOf(version)).unwrap();
  const changed = {
    ...Object.fromEntries([...before.entries()].map(([term, parts]) => [term, parts.toNumber()])),
    adapterOwner: before.adapterOwner.toNumber() + before.data.toNumber() - 400_000,
    data: 400_000,
  };

  await t.test('there is no administrator', () => {
    assert.equal(api.tx.sudo, undefined);
    const tracks = api.consts.referenda.tracks.map(([id]) => id.toNumber());
    assert.deepEqual(tracks, [0, 10, 11, 20, 30, 31]);
  });

  await t.test('nobody sets a value alone, not even unchecked', async () => {
    await assert.rejects(submit(api, setTerms(changed), owners[0]), /badOrigin/i);
    const unchecked = api.tx.parameters.setParameter({ Attribution: { SplitTerms: [null, changed] } });
    await assert.rejects(submit(api, unchecked, owners[0]), /badOrigin/i);
  });

  await t.test('a referendum on the attribution track changes the data share from the next epoch on', async () => {
    await carry(api, 'Attribution', setTerms(changed), owners);
    const epoch = await eachBlock(api, 60, async (at) => {
      const now = await at.query.attribution.currentEpoch();
      return now.terms.toNumber() > version.toNumber() ? now : undefined;
    });
    assert.equal(epoch.terms.toNumber(), version.toNumber() + 1);
    const after = (await api.query.attribution.termsOf(epoch.terms)).unwrap();
    assert.equal(after.data.toNumber(), 400_000);
    assert.equal(after.adapterOwner.toNumber(), changed.adapterOwner);
    // What was earned before is still split as it was.
    const kept = (await api.query.attribution.termsOf(version)).unwrap();
    assert.equal(kept.data.toNumber(), before.data.toNumber());
  });

  await t.test('a majority cannot set terms out of bounds', async () => {
    await carry(api, 'Attribution', setTerms({ ...changed, protocolCut: 0 }), owners);
    assert.equal(await eachBlock(api, 40, (at) => failure(api, at)), 'governance.TooLow');
  });

  await t.test('a majority cannot set terms on another track', async () => {
    await carry(api, 'Serving', setTerms({ ...changed, data: 300_000 }), owners);
    assert.equal(await eachBlock(api, 40, (at) => failure(api, at)), 'BadOrigin');
  });
});
