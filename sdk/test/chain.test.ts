// The whole way of the money through the SDK against a development node.
import assert from 'node:assert/strict';
import test from 'node:test';
import {
	Attribution, attributionDigest, auditAnswer, connect, connectWallet, eventOf, explain, formatOpen, isEvent, isOpenLedgerError, MerkleProof, OPEN, partNode, parts,
	payoutNode, PayoutLeaf, payouts, readReceiptDetail, Receipt, receiptDigest, receiptNode, recordsTree, signVoucher, splitRedemption, Tree,
	verifyVoucher, Voucher, wallets, ZERO, type Block, type Hex, type MultiSignature,
} from '../src/index.js';
import { fakeWallet, live } from './live.js';
import { loadPage } from './page.js';

const hash = (byte: number): Hex => `0x${byte.toString(16).padStart(2, '0').repeat(32)}`;
const fails = (code: string, message = /./) => (error: unknown): boolean => isOpenLedgerError(error, code) && message.test(error.message);

test('connecting should say what is wrong', { timeout: 60_000 }, async () => {
	await assert.rejects(connect('127.0.0.1:9944'), fails('bad-node-address', /ws:\/\/127\.0\.0\.1:9944/));
	await assert.rejects(connect('http://127.0.0.1:9944'), fails('bad-node-address'));
	await assert.rejects(connect('ws://127.0.0.1:9', { timeout: 5_000 }), fails('node-unreachable', /127\.0\.0\.1:9.*make dev-chain/));
});

test('the whole way of the money', { timeout: 300_000 }, async (t) => {
	const chain = await live();
	t.after(() => chain.stop());
	const { ledger, pair, untilBlock } = chain;
	const [alice, bob, charlie, dave, eve] = ['Alice', 'Bob', 'Charlie', 'Dave', 'Eve'].map((name) => pair(name)) as [
		ReturnType<typeof pair>, ReturnType<typeof pair>, ReturnType<typeof pair>, ReturnType<typeof pair>, ReturnType<typeof pair>,
	];
	const hotKey = pair('//Bob//hot');
	const records = recordsTree(['Leek soup: two leeks, one potato.', 'Onion soup: six onions, an hour.']).commitment;
	let [datanet, contribution, base, adapter, channel, epoch] = [0, 0, 0, 0, 0n, 0];
	const quick = { until: 'inBlock' } as const;

	const untilOver = async (index: number): Promise<void> => {
		for (let now = await ledger.attribution.epoch(); now.index <= index; now = await ledger.attribution.epoch()) {
			await untilBlock(now.start + now.length);
		}
	};

	const following = new AbortController();
	const followed: Block[] = [];
	const follower = (async () => {
		for await (const block of ledger.follow({ from: 1, signal: following.signal })) followed.push(block);
	})();

	await t.test('another genesis hash should be refused', async () => {
		await assert.rejects(connect(chain.url, { genesis: hash(1) }), fails('wrong-chain', /genesis hash/));
		const same = await connect(chain.url, { genesis: ledger.genesis });
		await same.disconnect();
	});

	await t.test('a Datanet should take contributions and make snapshots', async () => {
		const of = { name: '0xSoups', licence: 'CC0-1.0', mediaType: 'text/plain', curation: 'Owner' } as const;
		const created = await ledger.datanets.create(of).send(alice);
		datanet = created.result.datanet;
		assert.equal(created.result.owner, alice.address);
		assert.equal(created.result.name, '0xSoups', 'a text that looks like hex stays a text');
		const contribute = ledger.datanets.contribute({ datanet, records, uri: 'https://example.org/soups.jsonl', payout: charlie.address });
		contribution = (await contribute.send(charlie, quick)).result.contribution;
		await assert.rejects(contribute.send(charlie, quick), fails('Datanets.DuplicateContribution', /Datanets\.DuplicateContribution: \w+/));
		assert.equal((await ledger.datanets.contribution(datanet, contribution))?.state, 'Pending');
		await ledger.datanets.accept({ datanet, contribution }).send(alice, quick);
		assert.deepEqual((await ledger.datanets.contribution(datanet, contribution))?.state, { Accepted: { since: 1 } });
		const snapshot = await ledger.datanets.snapshot(datanet).send(alice, quick);
		assert.equal(snapshot.result.version, 1);
		assert.equal((await ledger.datanets.snapshotAt(datanet, 1))?.contributions.sum, records.sum);
		assert.equal(await ledger.datanets.payoutAccount(datanet, 1, contribution), charlie.address);
		assert.equal(await ledger.datanets.payoutAccount(datanet, 1, contribution + 1), null);
		const all = await ledger.datanets.all();
		assert.equal(all.find(({ id }) => id === datanet)?.name, '0xSoups');
		assert.deepEqual((await ledger.datanets.contributions(datanet)).map(({ payout }) => payout), [charlie.address]);
		assert.equal(await ledger.datanets.datanet(datanet + 1), null);
	});

	await t.test('models should be registered and found by name', async () => {
		const rate = { input: OPEN, output: 2n * OPEN };
		const registered = await ledger.models
			.registerBase({ name: 'tiny', architecture: 'llama', weights: hash(2), tokenizer: hash(3), licence: 'Apache-2.0', rate })
			.send(alice, quick);
		base = registered.result.base;
		const adapterOf = {
			name: 'soups', base, weights: hash(4), config: hash(5), rank: 8, targets: ['q_proj', 'v_proj'],
			lineage: [[datanet, 1]] as [number, number][], manifest: hash(6), algorithm: 0, index: hash(7), uri: 'https://example.org/soups', rate,
		};
		adapter = (await ledger.models.registerAdapter(adapterOf).send(dave, quick)).result.adapter;
		assert.deepEqual(await ledger.models.adapter(adapter), { owner: dave.address, ...adapterOf, state: 'Active' });
		assert.deepEqual(await ledger.models.byName('soups'), { Adapter: adapter });
		assert.deepEqual(await ledger.models.byName('tiny'), { Base: base });
		assert.equal(await ledger.models.byName('no such name'), null);
		assert.deepEqual((await ledger.models.baseModels()).map(({ name }) => name), ['tiny']);
		assert.equal((await ledger.models.adapters())[0]?.id, adapter);
		assert.equal((await ledger.models.algorithm(0))?.name, 'equal/1');
	});

	await t.test('a provider should register with a bond', async () => {
		const of = { hotKey: hotKey.address, endpoint: 'http://127.0.0.1:50051', bond: 1_000n * OPEN, bases: [base], rate: { input: OPEN, output: 3n * OPEN } };
		const { result } = await ledger.providers.register(of).send(bob, quick);
		assert.equal(result.bond, 1_000n * OPEN);
		await ledger.transfer({ to: hotKey.address, amount: 10n * OPEN }).send(bob, quick);
		assert.equal((await ledger.balance(hotKey.address)).free, 10n * OPEN);
		assert.equal(await ledger.providers.providerOf(hotKey.address), bob.address);
		assert.equal((await ledger.providers.quote(bob.address))?.id, 1);
		assert.deepEqual((await ledger.providers.all()).map(({ account }) => account), [bob.address]);
	});

	await t.test('owners should change a governed value by a referendum', async () => {
		const audited = (): Promise<unknown> => ledger.governance.rule({ Attribution: 'AuditRate' });
		const bounds = (now: bigint): object => ({ authority: 'Attribution', bounds: { Number: { now, least: 10_000n, most: 1_000_000n } } });
		assert.deepEqual(await audited(), bounds(100_000n));
		const call = ledger.governance.set({ Attribution: { AuditRate: [null, 1_000_000] } });
		await assert.rejects(call.send(alice, quick), fails('BadOrigin'));
		const { index } = (await ledger.governance.propose({ track: 'Attribution', call }).send(alice, quick)).result;
		await ledger.governance.placeDecisionDeposit(index).send(alice, quick);
		for (const owner of [alice, bob, charlie, dave]) {
			await ledger.governance.vote({ referendum: index, aye: true, conviction: 'Locked1x', balance: 900_000n * OPEN }).send(owner, quick);
		}
		const approved = async (): Promise<boolean> => 'Approved' in ((await ledger.governance.referenda())[index]?.info as object);
		for (let blocks = 0; !(await approved()); blocks++) {
			assert.ok(blocks < 30, 'a development chain decides within some blocks');
			await untilBlock((await ledger.number()) + 1);
		}
		await untilBlock((await ledger.number()) + 2);
		assert.deepEqual(await audited(), bounds(1_000_000n));
	});

	await t.test('a stake should be put on a validator', async () => {
		const [candidate] = await ledger.stakes.candidates();
		assert.equal(candidate?.account, alice.address);
		assert.deepEqual(await ledger.stakes.elected(), [alice.address]);
		const { result } = await ledger.stakes.delegate({ candidate: alice.address, amount: 1_000n * OPEN }).send(eve, quick);
		assert.equal(result.stake, 1_000n * OPEN);
		assert.equal((await ledger.stakes.position(alice.address, eve.address))?.fresh, 1_000n * OPEN);
		assert.deepEqual((await ledger.stakes.positionsOf(eve.address)).map(({ candidate: on }) => on), [alice.address]);
		assert.equal(await ledger.stakes.claimable(alice.address, eve.address), 0n);
	});

	await t.test('an account of a wallet should open a channel and sign vouchers', async () => {
		await assert.rejects(connectWallet('test'), fails('no-wallet'));
		(globalThis as { injectedWeb3?: object }).injectedWeb3 = { fake: fakeWallet(eve, ledger.api.registry) };
		assert.deepEqual(wallets(), ['fake']);
		const [wallet] = await connectWallet('test', { genesis: ledger.genesis });
		assert.ok(wallet);
		const open = ledger.channels.open({ provider: bob.address, escrow: 100n * OPEN });
		assert.ok((await open.fee(wallet.address)) > 0n);
		const opened = await open.send(wallet, quick);
		channel = opened.result.channel;
		assert.equal(opened.result.payer, eve.address);
		assert.equal((await ledger.channels.channel(channel))?.escrow, 100n * OPEN);
		assert.deepEqual((await ledger.channels.ofPayer(eve.address)).map(({ id }) => id), [channel]);
		// The wallet's signature goes to the chain; so does a delegate's with another kind of key.
		const delegate = pair('//Eve//delegate', 'ecdsa');
		await ledger.channels.setDelegate({ channel, delegate: { signer: delegate.address, limit: 20n * OPEN } }).send(wallet, quick);
		const owed = { channel, amount: 8n * OPEN, licence: 3n * OPEN, tokens: 2_000n };
		const byWallet = await signVoucher(await ledger.channels.voucher({ ...owed, lane: 0, receipts: hash(8) }), wallet);
		const byDelegate = await signVoucher(await ledger.channels.voucher({ ...owed, lane: 1 }), delegate);
		const byOther = await signVoucher(await ledger.channels.voucher({ ...owed, lane: 2 }), alice);
		assert.ok(await verifyVoucher(byWallet, eve.address));
		assert.ok(!(await verifyVoucher(byWallet, alice.address)));
		assert.ok('Ecdsa' in byDelegate.signature);
		const { result, events } = await ledger.channels.redeem([byWallet, byWallet, byDelegate, byOther]).send(hotKey);
		epoch = eventOf(events, 'Attribution.Collected').epoch;
		assert.deepEqual(result.redeemed.map(({ lane, compute, licence }) => [lane, compute, licence]), [
			[0, 5n * OPEN, 3n * OPEN],
			[1, 5n * OPEN, 3n * OPEN],
		]);
		assert.deepEqual(result.skipped.map(({ index, reason }) => [index, reason]), [[1, 'Stale'], [3, 'BadSignature']]);
		assert.equal((await ledger.channels.lane(channel, 0))?.receipts, hash(8));
		assert.equal(await ledger.channels.lane(channel, 60_000), null);
		await assert.rejects(ledger.channels.voucher({ ...owed, lane: 0, amount: 7n * OPEN }), fails('bad-argument', /already paid/));
		await assert.rejects(ledger.channels.voucher({ ...owed, lane: 0, channel: channel + 1n }), fails('bad-argument', /no channel/));
	});

	await t.test('what the wallet signs wrongly should be caught', async () => {
		const voucher = await ledger.channels.voucher({ channel, lane: 5, amount: OPEN, licence: 0n, tokens: 1n });
		const liar = { address: eve.address, signer: { signRaw: async () => ({ signature: `0x${'11'.repeat(64)}` }) } };
		await assert.rejects(signVoucher(voucher, liar), fails('bad-signature'));
		const refuser = { address: eve.address, signer: { signRaw: async () => Promise.reject(new Error('Cancelled')) } };
		await assert.rejects(signVoucher(voucher, refuser), fails('wallet-refused'));
		await assert.rejects(signVoucher(voucher, { address: eve.address, signer: {} }), fails('wallet-refused'));
	});

	await t.test('an epoch should be reported, explained, settled and claimed', async () => {
		const pot = await ledger.attribution.pot(bob.address, epoch);
		const terms = pot && (await ledger.attribution.terms(pot.terms));
		assert.ok(terms && pot);
		assert.equal(pot.licence, 6n * OPEN);
		assert.equal(pot.net, 2n * splitRedemption(5n * OPEN, 3n * OPEN, terms).pot);

		// Two answers: one by the adapter, one by the base model alone.
		const attribution: Attribution = { algorithm: 0, scores: [{ datanet, contribution, weight: 65_536n }], spans: [] };
		const common = { genesis: ledger.genesis, channel, generation: 0, lane: 0, base, tokensIn: 500, tokensOut: 500, quote: 1, compute: 5n * OPEN, licence: 3n * OPEN, request: hash(1), response: hash(2), algorithm: 0 };
		const receipt: Receipt = { ...common, sequence: 1, adapter, index: hash(7), attribution: attributionDigest(attribution) };
		const bare: Receipt = { ...common, sequence: 0, tokensIn: 1_000, tokensOut: 1_000, adapter: null, index: ZERO, attribution: attributionDigest({ algorithm: 0, scores: [], spans: [] }) };
		const receiptLeaves = [bare, receipt].map((each) => ({ receipt: receiptDigest(each), paid: 3n * OPEN }));
		const earnings = [
			{ paid: 3n * OPEN, base, adapter: null, contributors: [] },
			{ paid: 3n * OPEN, base, adapter, contributors: attribution.scores },
		];
		const partLeaves = parts(pot.licence, pot.net, earnings, terms);
		const leaves = payouts(partLeaves);
		const [receiptsTree, partsTree, tree] = [new Tree(receiptLeaves.map(receiptNode)), new Tree(partLeaves.map(partNode)), new Tree(leaves.map(payoutNode))];
		// What a worker answers, in protobuf's JSON.
		const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
		const own = partLeaves.filter((part) => part.receipt === 1);
		const earned = {
			epoch, paid: String(3n * OPEN), payouts: own.map((part) => base64(PayoutLeaf.encode(part))),
			reported: true, index: 1, proof: base64(MerkleProof.encode(receiptsTree.proof(1))),
		};
		const json = { id: 'chatcmpl-1', receipt: base64(Receipt.encode(receipt)), attribution: base64(Attribution.encode(attribution)), earned: [earned] };
		const detail = readReceiptDetail(json);
		assert.deepEqual(detail.receipt, receipt);
		const running = await explain(ledger, detail);
		assert.match(running.epochs[0]?.state ?? '', /running|unreported/);
		assert.deepEqual(running.epochs[0]?.receipt, { state: 'waiting' });
		assert.equal(running.expected.reduce((sum, { amount }) => sum + amount, 0n), running.split.pot);

		await untilOver(epoch);
		const of = { epoch, receipts: receiptsTree.commitment, parts: partsTree.commitment, payouts: tree.commitment };
		const wrong = { ...of, receipts: { ...of.receipts, sum: of.receipts.sum - 1n } };
		await assert.rejects(ledger.attribution.report(wrong).send(hotKey, quick), fails('Attribution.ReceiptsDoNotMatch'));
		const { result } = await ledger.attribution.report(of).send(hotKey);
		const report = await ledger.attribution.reportOf(bob.address, epoch);
		assert.deepEqual(report?.payouts, tree.commitment);

		const explained = await explain(ledger, detail, { digest: receiptDigest(receipt) });
		const [known] = explained.epochs;
		assert.ok(known);
		assert.deepEqual(known.receipt, { state: 'proved' });
		assert.deepEqual(known.shares, { state: 'proved' });
		assert.deepEqual(known.payouts.map(({ account, amount }) => [account, amount]), [
			[charlie.address, (pot.net * 25n) / 100n],
			[dave.address, (pot.net * 15n) / 100n],
			[alice.address, (pot.net * 5n) / 100n],
			[null, (pot.net * 5n) / 100n],
		]);
		const liar = readReceiptDetail({ ...json, earned: [{ ...earned, paid: String(2n * OPEN) }] });
		assert.equal((await explain(ledger, liar)).epochs[0]?.receipt.state, 'refuted');
		const thief = readReceiptDetail({ ...json, earned: [{ ...earned, payouts: [base64(PayoutLeaf.encode({ payee: 'Stakers', amount: pot.net }))] }] });
		assert.equal((await explain(ledger, thief)).epochs[0]?.shares.state, 'refuted');
		const forged = readReceiptDetail({ ...json, attribution: base64(Attribution.encode({ ...attribution, algorithm: 1 })) });
		assert.equal(forged.attribution, null, 'an attribution that the receipt does not commit to is not believed');
		await assert.rejects(explain(ledger, detail, { digest: hash(1) }), fails('bad-argument'));

		const first = ledger.attribution.settle({ provider: bob.address, epoch, leaves: leaves.slice(0, 2), proof: tree.proof(0, 2) });
		await assert.rejects(first.send(alice, quick), fails('Attribution.WindowOpen', /Attribution\.WindowOpen: \w+/));
		await untilBlock(result.openAt);
		// By now every report is audited, which has to be passed before it is settled.
		await assert.rejects(first.send(alice, quick), fails('Attribution.AuditOpen'));
		assert.equal((await explain(ledger, detail)).epochs[0]?.state, 'audited');
		const seed = (await ledger.attribution.reportOf(bob.address, epoch))?.audit?.seed;
		assert.ok(seed);
		const behind = new Map([bare, receipt].map((each) => [receiptDigest(each), each]));
		const answer = auditAnswer(seed, { receipts: receiptLeaves, parts: partLeaves, payouts: leaves, known: behind });
		const audit = { provider: bob.address, epoch };
		const silence = { ...audit, answer: { receipts: [], parts: [] } };
		await assert.rejects(ledger.attribution.answerAudit(silence).send(alice, quick), fails('Attribution.Unrelated'));
		const passed = await ledger.attribution.answerAudit({ ...audit, answer }).send(alice, quick);
		assert.equal(passed.result.by, alice.address);
		assert.equal((await first.send(alice, quick)).result.length, 2);
		const rest = ledger.attribution.settle({ provider: bob.address, epoch, leaves: leaves.slice(2), proof: tree.proof(2, leaves.length - 2) });
		const credited = (await rest.send(alice)).result;
		const data = (pot.net * 25n) / 100n;
		assert.equal(credited.find(({ account }) => account === charlie.address)?.amount, data);
		assert.equal(await ledger.attribution.credit(charlie.address), data);
		assert.equal((await explain(ledger, detail)).epochs[0]?.state, 'settled');
		const before = (await ledger.balance(charlie.address)).free;
		const claimed = await ledger.attribution.claim(charlie.address).send(alice);
		assert.equal(claimed.result.amount, data);
		assert.equal((await ledger.balance(charlie.address)).free - before, data);
		assert.equal((await ledger.attribution.totals()).claimed, data);
		assert.equal(await ledger.at(claimed.block).attribution.credit(charlie.address), 0n);
	});

	await t.test('the example page should open a channel, sign a voucher and claim', async (t) => {
		(globalThis as { injectedWeb3?: object }).injectedWeb3 = { fake: fakeWallet(dave, ledger.api.registry) };
		const { page, close } = await loadPage();
		t.after(close);
		page('node').value = chain.url;
		await page('claim').click();
		assert.equal(page('status').textContent, 'Connect a wallet first.');
		await page('connect').click();
		assert.equal(page('status').textContent, '');
		assert.equal(page('account').value, dave.address);
		assert.equal(page('provider').value, bob.address);
		const credit = await ledger.attribution.credit(dave.address);
		assert.equal(page('earned').textContent, `${formatOpen(credit)} OPEN can be claimed`);
		await page('open').click();
		assert.match(page('status').textContent, /^Channel \d+ is open since block \d+\.$/);
		assert.equal((await ledger.channels.channel(BigInt(page('channel').value)))?.escrow, 10n * OPEN);
		await page('sign').click();
		const { voucher, signature } = JSON.parse(page('voucher').textContent) as { voucher: unknown; signature: MultiSignature };
		assert.ok(await verifyVoucher({ voucher: Voucher.fromJson(voucher), signature }, dave.address));
		page('amount').value = 'much';
		await page('sign').click();
		assert.match(page('status').textContent, /`much` is no amount of OPEN/);
		await page('claim').click();
		assert.equal(page('status').textContent, `Claimed ${formatOpen(credit)} OPEN.`);
		await page('claim').click();
		assert.match(page('status').textContent, /^Attribution\.NothingToClaim: /);
	});

	await t.test('a report that counts a receipt twice should be disputed and made anew by another', async () => {
		const owed = await ledger.channels.voucher({ channel, lane: 7, amount: 8n * OPEN, licence: 3n * OPEN, tokens: 2_000n });
		const paid = await ledger.channels.redeem([await signVoucher(owed, eve)]).send(hotKey);
		assert.equal(paid.result.redeemed.length, 1);
		const { epoch: index } = eventOf(paid.events, 'Attribution.Collected');
		const pot = await ledger.attribution.pot(bob.address, index);
		const terms = pot && (await ledger.attribution.terms(pot.terms));
		assert.ok(terms && pot);
		await untilOver(index);
		const build = (receipts: { receipt: Hex; paid: bigint; base: number | null }[]) => {
			const earnings = receipts.map((each) => ({ paid: each.paid, base: each.base, adapter: null, contributors: [] }));
			const partLeaves = parts(pot.licence, pot.net, earnings, terms);
			const trees = { receipts: new Tree(receipts.map(receiptNode)), parts: new Tree(partLeaves.map(partNode)), payouts: new Tree(payouts(partLeaves).map(payoutNode)) };
			const commitments = { receipts: trees.receipts.commitment, parts: trees.parts.commitment, payouts: trees.payouts.commitment };
			return { trees, of: { epoch: index, ...commitments } };
		};
		const half = { receipt: hash(9), paid: pot.licence / 2n, base };
		const doubled = build([half, half]);
		await ledger.attribution.report(doubled.of).send(hotKey, quick);
		const opened = (index: number) => ({ index, leaf: { receipt: half.receipt, paid: half.paid }, proof: doubled.trees.receipts.proof(index) });
		const about = { provider: bob.address, epoch: index };
		const wrong = { ...about, dispute: { DuplicateReceipt: { first: opened(0), second: opened(0) } } };
		await assert.rejects(ledger.attribution.dispute(wrong).send(eve, quick), /Attribution\.\w+/);
		const { result } = await ledger.attribution.dispute({ ...about, dispute: { DuplicateReceipt: { first: opened(0), second: opened(1) } } }).send(eve);
		assert.equal(result.fault, 'DuplicateReceipt');
		assert.equal(result.by, eve.address);
		assert.ok(result.reward > 0n && result.slashed > result.reward);
		assert.equal(await ledger.attribution.credit(eve.address), result.reward);
		assert.equal((await ledger.attribution.disproved(bob.address, index))?.times, 1);
		const provider = await ledger.providers.provider(bob.address);
		assert.ok(provider && typeof provider.state === 'object' && 'Jailed' in provider.state);
		assert.equal(provider.bond, 1_000n * OPEN - result.slashed);
		// Nobody knows the receipts now, so the money goes to the treasury; whoever reports leaves a deposit.
		const honest = build([{ receipt: ZERO, paid: pot.licence, base: null }]);
		const anew = await ledger.attribution.reportFor({ provider: bob.address, ...honest.of }).send(alice, quick);
		assert.equal(anew.result.reporter, alice.address);
		assert.ok((anew.result.deposit ?? 0n) > 0n);
	});

	await t.test('a batch should do all or nothing', async () => {
		const good = ledger.transfer({ to: charlie.address, amount: OPEN });
		const bad = ledger.channels.thaw(channel);
		const before = (await ledger.balance(charlie.address)).free;
		await assert.rejects(ledger.batch([good, bad]).send(alice, quick), fails('Channels.NotPayer'));
		assert.equal((await ledger.balance(charlie.address)).free, before);
		await ledger.batch([good, good]).send(alice, quick);
		assert.equal((await ledger.balance(charlie.address)).free, before + 2n * OPEN);
	});

	await t.test('mistakes should be named', async () => {
		await assert.rejects(ledger.channels.topUp({ channel: channel + 1_000n, amount: OPEN }).send(eve, quick), fails('Channels.UnknownChannel'));
		await assert.rejects(ledger.transfer({ to: eve.address, amount: OPEN }).send(pair('//Nobody'), quick), fails('cannot-pay-fee'));
		await assert.rejects(ledger.transfer({ to: eve.address, amount: 10n ** 26n }).send(eve, quick), fails('Token.FundsUnavailable'));
		assert.throws(() => ledger.transfer({ to: 'nobody', amount: OPEN }), fails('bad-argument'));
		assert.throws(() => ledger.transfer({ to: eve.address, amount: 2n ** 128n }), fails('bad-argument'));
		assert.throws(() => ledger.call('Channels', 'thaw', { channel, hurry: true }), fails('runtime-incompatible', /takes \(channel\)/));
		assert.throws(() => ledger.call('Channels', 'melt'), fails('runtime-incompatible'));
		await assert.rejects(ledger.view('Channels', 'nothing'), fails('runtime-incompatible'));
	});

	await t.test('a follower should have seen every final block once, in order, with its events', async () => {
		const last = await ledger.finalized();
		while ((followed.at(-1)?.number ?? 0) < last.number) await new Promise((resolve) => setTimeout(resolve, 100));
		following.abort();
		await follower;
		assert.deepEqual(followed.map(({ number }) => number), followed.map((_, i) => i + 1));
		const events = followed.flatMap((block) => block.events);
		assert.equal(events.filter((event) => isEvent(event, 'Channels.VoucherSkipped')).length, 2);
		assert.equal(eventOf(events, 'Attribution.Claimed').account, charlie.address);
		assert.equal(eventOf(events, 'Attribution.Reported').epoch, epoch);
		assert.throws(() => eventOf(events, 'Providers.Left'), fails('node-error'));
		const redeemed = events.find((event) => isEvent(event, 'Channels.Redeemed'));
		assert.ok(redeemed?.extrinsic, 'a transaction caused it');
		assert.notEqual(ZERO, last.hash);
	});
});
