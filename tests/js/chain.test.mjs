// The whole way of the money through polkadot.js alone, with no custom types: a Datanet, a model, a
// provider, a channel, a voucher signed here, a report, its settlement and a claim.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import { Keyring } from '@polkadot/api';
import { compactAddLength, compactStripLength, hexToU8a, u8aConcat, u8aToHex } from '@polkadot/util';
import { cryptoWaitReady } from '@polkadot/util-crypto';
import { connect, find, submit } from './lib/node.mjs';
import { auditDraw, leaf, prove, receiptDigest, tree, u128, u32, voucherDigest, wrap } from './lib/protocol.mjs';

const OPEN = 10n ** 18n;
const hash = (byte) => u8aToHex(new Uint8Array(32).fill(byte));
const unique = Math.random().toString(36).slice(2, 10);

async function untilBlock(api, number) {
  await new Promise((resolve) => {
    const stop = api.rpc.chain.subscribeFinalizedHeads(async (header) => {
      if (header.number.toNumber() >= number) {
        (await stop)();
        resolve();
      }
    });
  });
}

// Calls a view function by its pallet and name; the metadata gives its id and its types.
async function view(api, pallet, name, ...args) {
  const metadata = api.registry.metadata.pallets.find((p) => p.name.eq(pallet));
  const fn = metadata.viewFunctions.find((f) => f.name.eq(name));
  assert.ok(fn, `the metadata has no view function ${pallet}.${name}`);
  const types = fn.inputs.map((input) => api.registry.createLookupType(input.type));
  const input = u8aConcat(...args.map((arg, i) => api.registry.createType(types[i], arg).toU8a()));
  const answer = await api.rpc.state.call(
    'RuntimeViewFunction_execute_view_function',
    u8aToHex(u8aConcat(fn.id.toU8a(), compactAddLength(input))),
  );
  const bytes = hexToU8a(answer.toHex());
  assert.equal(bytes[0], 0, `the view function failed: ${u8aToHex(bytes)}`);
  const [, value] = compactStripLength(bytes.subarray(1));
  return api.registry.createType(api.registry.createLookupType(fn.output), value);
}

test('a dApp can do everything with polkadot.js alone', { timeout: 600_000 }, async (t) => {
  await cryptoWaitReady();
  const { api, stop } = await connect();
  t.after(stop);
  const keyring = new Keyring({ type: 'sr25519' });
  const [alice, bob, charlie, dave, eve] = ['Alice', 'Bob', 'Charlie', 'Dave', 'Eve'].map((name) =>
    keyring.addFromUri(`//${name}`),
  );
  const hotKey = keyring.addFromUri(`//Bob//hot//${unique}`);
  const state = {};

  await t.test('the chain introduces itself', () => {
    assert.equal(api.registry.chainTokens[0], 'OPEN');
    assert.equal(api.registry.chainDecimals[0], 18);
    assert.equal(api.runtimeVersion.specName.toString(), 'openledger');
    for (const pallet of ['datanets', 'models', 'providers', 'channels', 'attribution']) {
      assert.ok(api.tx[pallet], `no pallet ${pallet}`);
    }
  });

  await t.test('datanets: create, contribute, accept, snapshot', async () => {
    const created = await submit(api, api.tx.datanets.create('Soups', 'CC0-1.0', 'text/plain', 'Owner'), alice);
    state.datanet = find(created, 'datanets', 'Created').datanet.toNumber();
    const records = tree([leaf(u8aConcat(hexToU8a(hash(1)), [100, 0, 0, 0]), 100n)]);
    const contribute = api.tx.datanets.contribute(
      state.datanet, { root: records.root, sum: records.sum, count: records.count }, 'https://example.org/soups.jsonl', charlie.address,
    );
    const contributed = find(await submit(api, contribute, charlie), 'datanets', 'Contributed');
    state.contribution = contributed.contribution.toNumber();
    assert.equal(contributed.payout.toString(), charlie.address);
    await assert.rejects(submit(api, contribute, charlie), /datanets\.DuplicateContribution/);
    await submit(api, api.tx.datanets.accept(state.datanet, state.contribution), alice);
    const snapshot = find(await submit(api, api.tx.datanets.snapshot(state.datanet), alice), 'datanets', 'Snapshotted');
    assert.equal(snapshot.version.toNumber(), 1);
  });

  await t.test('models: register a base model and an adapter', async () => {
    const rate = { input: OPEN, output: 2n * OPEN };
    const base = api.tx.models.registerBase(`base-${unique}`, 'llama', hash(2), hash(3), 'Apache-2.0', rate);
    state.base = find(await submit(api, base, alice), 'models', 'BaseRegistered').base.toNumber();
    const adapter = api.tx.models.registerAdapter({
      name: `soups-${unique}`, base: state.base, weights: u8aToHex(randomBytes(32)), config: hash(5), rank: 8, targets: ['q_proj', 'v_proj'],
      lineage: [[state.datanet, 1]], manifest: hash(6), algorithm: 0, index: hash(7), uri: 'https://example.org/soups', rate,
    });
    state.adapter = find(await submit(api, adapter, dave), 'models', 'AdapterRegistered').adapter.toNumber();
  });

  await t.test('providers: register with a bond', async () => {
    const register = api.tx.providers.register(
      hotKey.address, 'http://127.0.0.1:50051', 1_000n * OPEN, [state.base], { input: OPEN, output: 3n * OPEN },
    );
    find(await submit(api, register, bob), 'providers', 'Registered');
    await submit(api, api.tx.balances.transferKeepAlive(hotKey.address, 10n * OPEN), bob);
  });

  await t.test('channels: open, and redeem a voucher that a wallet signed', async () => {
    const opened = find(await submit(api, api.tx.channels.open(bob.address, 100n * OPEN, null), eve), 'channels', 'Opened');
    state.channel = opened.channel.toBigInt();
    const now = (await api.rpc.chain.getHeader()).number.toNumber();
    const voucher = {
      genesis: api.genesisHash.toHex(), channel: state.channel, generation: opened.generation.toNumber(), lane: 0,
      amount: 8n * OPEN, licence: 3n * OPEN, tokens: 2_000, receipts: hash(8), quote: 1, valid_until: now + 15,
    };
    const wallet = (message) => ({ Sr25519: eve.sign(message) });
    const { valid_until: validUntil, ...rest } = voucher;
    const signed = (message, lane = 0) => ({ voucher: { ...rest, lane, validUntil }, signature: wallet(message) });
    const digest = voucherDigest(voucher);
    // A good one, the same again, and one whose signature is for another lane.
    const batch = [signed(wrap(digest)), signed(digest), signed(digest, 1)];
    // Only the provider or its hot key can redeem: what a stranger sends is skipped.
    const refused = find(await submit(api, api.tx.channels.redeem([signed(digest)]), charlie), 'channels', 'VoucherSkipped');
    assert.equal(refused.reason.toString(), 'NotProvider');
    const events = await submit(api, api.tx.channels.redeem(batch), hotKey, 'isFinalized');
    const redeemed = find(events, 'channels', 'Redeemed');
    assert.equal(redeemed.compute.toBigInt(), 5n * OPEN);
    assert.equal(redeemed.licence.toBigInt(), 3n * OPEN);
    const skipped = events.filter((event) => event.method === 'VoucherSkipped');
    assert.deepEqual(skipped.map((event) => event.data.reason.toString()), ['Stale', 'BadSignature']);
    const collected = find(events, 'attribution', 'Collected');
    state.epoch = collected.epoch.toNumber();
    state.pot = collected.split.pot.toBigInt();
    assert.equal(state.pot, (3n * OPEN * 95n) / 100n);
    assert.equal(collected.split.burnt.toBigInt(), (8n * OPEN * 25n) / 1000n);
  });

  await t.test('a view function answers', async () => {
    const channel = (await view(api, 'Channels', 'channel', state.channel)).unwrap();
    assert.equal(channel.escrow.toBigInt(), 92n * OPEN);
    assert.equal(channel.payer.toString(), eve.address);
  });

  await t.test('attribution: report, settle after the window, claim', async () => {
    const current = await api.query.attribution.currentEpoch();
    if (current.index.toNumber() === state.epoch) {
      await untilBlock(api, current.start.toNumber() + current.length.toNumber() + 1);
    }
    // A runtime with disputes wants the parts of each receipt, too, and draws some reports for an audit.
    const disputable = api.tx.attribution.report.meta.args.some((arg) => arg.name.eq('parts'));
    const receipt = {
      genesis: api.genesisHash.toHex(), channel: state.channel, generation: 0, lane: 0, sequence: 0, base: state.base, adapter: state.adapter,
      tokens_in: 500, tokens_out: 500, quote: 1, compute: 5n * OPEN, licence: 3n * OPEN, request: hash(10), response: hash(11), algorithm: 0,
      index: hash(7), attribution: hash(12),
    };
    const receiptLeaf = { receipt: u8aToHex(receiptDigest(receipt)), paid: 3n * OPEN };
    const receiptNodes = [leaf(u8aConcat(hexToU8a(receiptLeaf.receipt), u128(receiptLeaf.paid)), receiptLeaf.paid)];
    const receipts = tree(receiptNodes);
    const shares = [
      [{ BaseOwner: state.base }, 10n],
      [{ AdapterOwner: state.adapter }, 30n],
      ['Stakers', 10n],
      [{ Contributor: { adapter: state.adapter, datanet: state.datanet, contribution: state.contribution } }, 50n],
    ];
    const Leaves = api.tx.attribution.settle.meta.args[2].type.toString();
    const leaves = api.createType(Leaves, shares.map(([payee, share]) => ({ payee, amount: (state.pot * share) / 100n })));
    const payoutNodes = leaves.map((item) => leaf(item.toU8a(), item.amount.toBigInt()));
    const payouts = tree(payoutNodes);
    const partNodes = leaves.map((item) => leaf(u8aConcat(item.payee.toU8a(), u32(0), item.amount.toU8a()), item.amount.toBigInt()));
    const report = (sum) => {
      const rest = disputable ? [tree(partNodes), payouts] : [payouts];
      return api.tx.attribution.report(state.epoch, { ...receipts, sum }, ...rest);
    };
    await assert.rejects(submit(api, report(receipts.sum - 1n), hotKey), /ReceiptsDoNotMatch/);
    const reported = find(await submit(api, report(receipts.sum), hotKey), 'attribution', 'Reported');
    const settle = api.tx.attribution.settle(bob.address, state.epoch, leaves, []);
    await assert.rejects(submit(api, settle, alice), /attribution\.WindowOpen/);
    await untilBlock(api, reported.openAt.toNumber());
    const { audit } = (await view(api, 'Attribution', 'report_of', bob.address, state.epoch)).unwrap();
    if (audit?.isSome) {
      const { tokens_in: tokensIn, tokens_out: tokensOut, ...common } = receipt;
      const shown = { leaf: { index: 0, leaf: receiptLeaf, proof: prove(receiptNodes, 0) }, receipt: { ...common, tokensIn, tokensOut } };
      const parts = [0, 1, 2, 3].map((number) => {
        let unit = auditDraw(audit.unwrap().seed.toHex(), 1, number, state.pot);
        const index = leaves.findIndex(({ amount }) => (unit -= amount.toBigInt()) < 0n);
        const { payee, amount } = leaves[index];
        const part = { index, leaf: { payee, receipt: 0, amount }, proof: prove(partNodes, index) };
        return { part, payout: { index, leaf: { payee, amount }, proof: prove(payoutNodes, index) }, of: shown };
      });
      const answer = { receipts: [shown, shown, shown, shown], parts };
      find(await submit(api, api.tx.attribution.answerAudit(bob.address, state.epoch, answer), alice), 'attribution', 'AuditPassed');
    }
    find(await submit(api, settle, alice, 'isFinalized'), 'attribution', 'Settled');
    const before = (await api.query.system.account(charlie.address)).data.free.toBigInt();
    const claimed = find(await submit(api, api.tx.attribution.claim(charlie.address), alice), 'attribution', 'Claimed');
    const after = (await api.query.system.account(charlie.address)).data.free.toBigInt();
    assert.equal(claimed.amount.toBigInt(), state.pot / 2n);
    assert.equal(after - before, state.pot / 2n);
  });
});
