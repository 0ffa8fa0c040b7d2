// What docs/validators.md tells a validator to do with its keys, against a real node.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Keyring } from '@polkadot/api';
import { cryptoWaitReady } from '@polkadot/util-crypto';
import { u8aToHex } from '@polkadot/util';
import { connect, submit } from './lib/node.mjs';

test('session keys rotate with a proof of their owner, and not without', { timeout: 300_000 }, async (t) => {
  await cryptoWaitReady();
  const { api, url, stop } = await connect();
  t.after(stop);
  const keyring = new Keyring({ type: 'sr25519' });
  const [alice, bob] = ['//Alice', '//Bob'].map((uri) => keyring.addFromUri(uri));

  // polkadot.js does not know this method, so it is called as the document does it.
  const rotate = async (owner) => {
    const answer = await fetch(url.replace('ws', 'http'), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        jsonrpc: '2.0', id: 1, method: 'author_rotateKeysWithOwner', params: [u8aToHex(owner.publicKey)],
      }),
    });
    const { result, error } = await answer.json();
    assert.ok(result, JSON.stringify(error));
    return result;
  };

  const { keys, proof } = await rotate(alice);
  assert.equal(keys.length, 2 + 128);
  await assert.rejects(submit(api, api.tx.session.setKeys(keys, '0x'), alice), /session\.InvalidProof/);
  // A proof is for one owner: what Bob's node made does not give Alice his keys.
  const bobs = await rotate(bob);
  await assert.rejects(submit(api, api.tx.session.setKeys(bobs.keys, bobs.proof), alice), /session\.InvalidProof/);

  await submit(api, api.tx.session.setKeys(keys, proof), alice);
  const next = await api.query.session.nextKeys(alice.address);
  assert.equal(u8aToHex(next.unwrap().toU8a()), keys);
});
