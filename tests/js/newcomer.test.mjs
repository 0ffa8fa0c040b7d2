// Somebody new bonds, sets session keys, is elected and makes blocks. Takes three sessions, which last
// two minutes on a development chain.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Keyring } from '@polkadot/api';
import { cryptoWaitReady } from '@polkadot/util-crypto';
import { u8aToHex } from '@polkadot/util';
import { startNode } from './lib/dev-node.mjs';
import { connect, submit } from './lib/node.mjs';

const OPEN = 10n ** 18n;

async function rpc(url, method, params = []) {
  const answer = await fetch(url.replace('ws', 'http'), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  const { result, error } = await answer.json();
  if (error) throw new Error(`${method}: ${JSON.stringify(error)}`);
  return result;
}

test('a new validator bonds, is elected and makes blocks', { timeout: 900_000 }, async (t) => {
  await cryptoWaitReady();
  const { api, url, stop } = await connect();
  t.after(stop);
  const eve = new Keyring({ type: 'sr25519' }).addFromUri('//Eve');

  const addresses = await rpc(url, 'system_localListenAddresses');
  const boot = addresses.find((address) => address.includes('/ip4/127.0.0.1/tcp/'));
  assert.ok(boot, addresses.join(' '));
  const node = await startNode(
    ['--bootnodes', boot, '--unsafe-force-node-key-generation', '--allow-private-ip'],
    ['--chain', 'dev', '--validator', '--name', 'newcomer'],
  );
  t.after(node.stop);

  const { keys, proof } = await rpc(node.url, 'author_rotateKeysWithOwner', [u8aToHex(eve.publicKey)]);
  // Keys are for those who have something at stake.
  await assert.rejects(submit(api, api.tx.session.setKeys(keys, proof), eve), /session\.NoAssociatedValidatorId/);
  await assert.rejects(submit(api, api.tx.stakes.bond(1n * OPEN, 0), eve), /stakes\./);
  await submit(api, api.tx.stakes.bond(50_000n * OPEN, 0), eve);
  await submit(api, api.tx.session.setKeys(keys, proof), eve);

  const deadline = Date.now() + 600_000;
  const pause = () => new Promise((resolve) => setTimeout(resolve, 3000));
  while (!(await api.query.session.validators()).some((who) => who.eq(eve.address))) {
    assert.ok(Date.now() < deadline, 'Eve is not elected');
    await pause();
  }
  for (;;) {
    const header = await api.derive.chain.getHeader(await api.rpc.chain.getFinalizedHead());
    if (header.author?.eq(eve.address)) break;
    assert.ok(Date.now() < deadline, 'Eve makes no blocks that become final');
    await pause();
  }
});
