// connect() of clients/js: a chain told by nodes that are made here, and the worker of worker.mjs. What each says can be
// changed, and every change must be found out. Argument: folder of the contracts' ABI.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { BadAnswer, ChannelClosed, NodesDisagree, connect } from '@cloister/client';
import { Interface, toQuantity } from 'ethers';
import { WebSocket, Worker, account, chainId, commitKey, contract, genesis, receive, registry, workerThat } from './worker.mjs';

const tests = [];
const test = (name, fn) => tests.push({ name, fn });
const workers = '0x' + '77'.repeat(20);
const hash = (n) => '0x' + n.toString(16).padStart(64, '0');
const second = '0x' + '88'.repeat(20);
const root = '0x' + 'd4'.repeat(32);
const abiOf = (name) => new Interface(JSON.parse(readFileSync(`${process.argv[2]}/${name}.json`)));
const abi = abiOf('ConfidentialContracts');
const list = abiOf('Workers');

// The chain that all nodes tell of; the fetch of `connect`.
function chainOf(worker) {
  const chain = {
    height: 20n, cluster: 1n, active: true, receiveKey: receive.publicKey, commitSigner: commitKey.address, calls: [],
    confirmed: () => ({ batch: 3n, root }),
    eth_chainId: () => toQuantity(chainId),
    eth_blockNumber: () => toQuantity(chain.height),
    eth_getBlockByNumber: (tag) => ({ hash: BigInt(tag) === 0n ? genesis : hash(BigInt(tag)) }),
    eth_call: ({ to, data }, tag) => {
      assert.ok(BigInt(tag) <= chain.height, 'a call at a height that is not there yet');
      const i = to === registry ? abi : list;
      const call = i.parseTransaction({ data });
      const other = data.includes(second.slice(2)) && chain.other;
      chain.calls.push(call.name);
      const answers = {
        contracts: () => [[chain.cluster, registry, 2, root, 'ipfs://x', 1, root, true, 0, 5, root, '']],
        membersOf: () => [chain.other ? [account, second] : [account]],
        workers: () => (i === abi ? [workers] : [[call.args[0], 2, 2, account, account, chain.commitSigner, chain.receiveKey, '0x',
          other ? other.url : worker.url, root, root, root, true, 0, 0, '', 0, 0, 0, 0, 0, root]]),
        isActive: () => [other ? other.active : chain.active],
        confirmed: () => { const c = chain.confirmed(BigInt(tag)); return [[c.batch, 0, c.root, 0, 0]]; },
      };
      return i.encodeFunctionResult(call.name, answers[call.name]());
    },
    async fetch(url, options) {
      assert.equal(this, undefined); // a browser's fetch is nobody's method
      if (!String(url).startsWith('http://node')) return fetch(url, options);
      const { method, params } = JSON.parse(options.body);
      return Response.json({ jsonrpc: '2.0', id: 1, result: await chain[method](...params) });
    },
    connect: (more) => connect({ nodes: ['http://node-1', 'http://node-2'], registry, fetch: chain.fetch, ...more }),
  };
  return chain;
}

// Both ways of asking.
async function asking(chain, fn) {
  const network = await chain.connect();
  await fn((more) => network.query({ contract, data: '0x05', ...more }), network);
  const other = await chain.connect();
  const channel = await other.channel({ contract, WebSocket });
  assert.equal(channel.worker, account);
  await fn((more) => channel.query({ data: '0x05', ...more }), other);
  channel.close();
}

test('an answer that the chain bears out', () => workerThat({}, async (worker) => {
  const chain = chainOf(worker);
  await asking(chain, async (ask) => {
    const answer = await ask();
    assert.equal(answer.result, '0x05');
    assert.equal(answer.batch, 3n);
    const { expiry } = worker.queries.at(-1).q; // a channel's is in its opening
    const away = (expiry ?? worker.opening.said.expiry) - Date.now() / 1000;
    assert.ok(away > 60 && away < (expiry === undefined ? 3600 : 600));
  });
}));

test('an answer is held against what was confirmed at its height', () => workerThat({}, async (worker) => {
  const chain = chainOf(worker);
  for (const confirmed of [
    (at) => ({ batch: 3n, root: at === 9n ? hash(1n) : root }),
    (at) => ({ batch: at === 9n ? 4n : 3n, root }),
  ]) {
    chain.confirmed = confirmed;
    await asking(chain, (ask) => assert.rejects(ask(), BadAnswer));
  }
  chain.confirmed = (at) => ({ batch: at === 9n ? 3n : 8n, root: at === 9n ? root : hash(1n) });
  await asking(chain, (ask) => ask());
}));

test('an answer of a height that no node has yet is waited for, and not for ever', () => workerThat({
  state: { batch: 3, height: 22, root },
}, async (worker) => {
  const chain = chainOf(worker);
  const network = await chain.connect();
  const { setTimeout } = globalThis;
  globalThis.setTimeout = (fn, ms) => setTimeout(fn, ms === 250 ? 0 : ms);
  try {
    let asked = 0;
    chain.eth_blockNumber = () => toQuantity(asked++ > 6 ? (chain.height = 22n) : 20n);
    await network.query({ contract, data: '0x05' });
    assert.ok(asked > 6);
    worker.state.height = 100;
    await assert.rejects(network.query({ contract, data: '0x05' }), (e) => e instanceof BadAnswer && /nodes are at 22/.test(e.message));
  } finally {
    globalThis.setTimeout = setTimeout;
  }
}));

test('answers do not go back, nor behind what was asked for', () => workerThat({}, async (worker) => {
  const chain = chainOf(worker);
  await asking(chain, async (ask) => {
    worker.state.height = 9;
    await assert.rejects(ask({ minimumHeight: 10 }), /after 10 was asked for/);
    worker.state.height = 12;
    await ask({ minimumHeight: 10 });
    assert.equal(worker.queries.at(-1).q.minimum_height, 10);
    worker.state.height = 11;
    await assert.rejects(ask(), /after 12 was asked for or seen/);
    assert.equal(worker.queries.at(-1).q.minimum_height, 12);
  });
}));

test('an answer that comes late does not take back what was seen', () => workerThat({}, async (worker) => {
  const chain = chainOf(worker);
  const network = await chain.connect();
  const { answer } = Worker.prototype;
  let free;
  worker.answer = async function late(q, i) { // asked before the other, answered after it
    const old = await answer.call(this, q);
    if (i !== 1) return old;
    await new Promise((resolve) => { free = resolve; });
    return old;
  };
  const first = network.query({ contract, data: '0x05' });
  while (free === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
  worker.state = { ...worker.state, height: 15 };
  await network.query({ contract, data: '0x05' });
  free();
  assert.equal((await first).height, 9n);
  await network.query({ contract, data: '0x05' });
  assert.equal(worker.queries.at(-1).q.minimum_height, 15);
}));

test('asked at once, nodes are not taken for going back', () => workerThat({}, async (worker) => {
  const chain = chainOf(worker);
  const network = await chain.connect();
  let free;
  const slow = new Promise((resolve) => { free = resolve; });
  let n = 0;
  chain.eth_blockNumber = async () => {
    if (n++ >= 2) return toQuantity(21);
    await slow;
    return toQuantity(20);
  };
  chain.height = 21n;
  const first = network.contract(contract);
  await network.contract(contract);
  free();
  assert.equal((await first).cluster, 1n);
  chain.eth_blockNumber = () => toQuantity(20);
  await assert.rejects(network.contract(contract), /is at block 20, after 21 was seen/);
}));

test('many queries on a channel ask the chain once', () => workerThat({}, async (worker) => {
  const chain = chainOf(worker);
  const network = await chain.connect();
  const channel = await network.channel({ contract, WebSocket });
  chain.calls.length = 0;
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => channel.query({ data: '0x' + (16 + i).toString(16) })));
  assert.deepEqual(answers.map((a) => a.result), Array.from({ length: 20 }, (_, i) => '0x' + (16 + i).toString(16)));
  assert.deepEqual(chain.calls, ['confirmed', 'confirmed']); // of each node
  channel.close();
}));

test('a channel ends when its worker is no longer what it was', () => workerThat({}, async (worker) => {
  const { now } = Date;
  let late = 0;
  Date.now = () => now() + late;
  try {
    for (const change of [{ active: false }, { receiveKey: hash(5n) }, { commitSigner: registry }]) {
      const chain = chainOf(worker);
      const network = await chain.connect();
      const channel = await network.channel({ contract, WebSocket });
      Object.assign(chain, change);
      await channel.query({ data: '0x05' });
      late += 2000;
      await assert.rejects(channel.query({ data: '0x05' }), (e) => e instanceof ChannelClosed && /no attested member/.test(e.message));
      await assert.rejects(channel.query({ data: '0x05' }), ChannelClosed);
      Object.assign(chain, chainOf(worker), { fetch: chain.fetch });
      late += 2000;
      await assert.rejects(channel.query({ data: '0x05' }), /closed here/);
    }
    const chain = chainOf(worker);
    const network = await chain.connect();
    const channel = await network.channel({ contract, WebSocket });
    chain.cluster = 2n;
    await assert.rejects(channel.query({ contract: workers, data: '0x05' }), /is in cluster 2, the channel in 1/);
    chain.cluster = 1n;
    assert.equal((await channel.query({ data: '0x05' })).result, '0x05');
    channel.close();
  } finally {
    Date.now = now;
  }
}));

test('only a member that is attested, and somewhere, is asked', () => workerThat({}, async (worker) => {
  const chain = chainOf(worker);
  const network = await chain.connect();
  const asked = (more) => network.query({ contract, data: '0x05', ...more });
  for (const other of [{ active: false, url: 'http://127.0.0.1:1' }, { active: true, url: '' }]) {
    chain.other = other;
    for (let i = 0; i < 10; i++) assert.equal((await asked()).worker, account);
    await assert.rejects(asked({ worker: second }), /cluster 1 has no 0x88.* member to ask/);
  }
  chain.other = { active: true, url: 'http://127.0.0.1:1' };
  for (let i = 0; i < 10; i++) assert.equal((await asked({ worker: account })).worker, account);
  chain.other = { active: false, url: '' };
  chain.active = false;
  await assert.rejects(asked(), /cluster 1 has no active member to ask/);
  await assert.rejects(network.channel({ contract, WebSocket }), /no active member/);
  chain.active = true;
  await assert.rejects(asked({ url: 'http://127.0.0.1:1' }), /fetch failed/);
}));

test('the newest block that all have is asked of', () => workerThat({}, async (worker) => {
  const chain = chainOf(worker);
  const tags = new Set();
  const { fetch: plain } = chain;
  const network = await chain.connect({ fetch: async (url, options) => {
    const { method, params } = JSON.parse(options.body);
    if (method === 'eth_call') tags.add(params[1]);
    if (method === 'eth_blockNumber' && String(url) === 'http://node-2') return Response.json({ result: '0x12' });
    return plain(url, options);
  } });
  await network.contract(contract);
  assert.deepEqual([...tags], ['0x12']);
}));

test('what a node could not say is asked again', () => workerThat({}, async (worker) => {
  const chain = chainOf(worker);
  const network = await chain.connect();
  chain.confirmed = () => { throw new Error('not now'); };
  await assert.rejects(network.query({ contract, data: '0x05' }), /not now/);
  chain.confirmed = () => ({ batch: 3n, root });
  assert.equal((await network.query({ contract, data: '0x05' })).result, '0x05');
}));

test('nodes that say different things', () => workerThat({}, async (worker) => {
  const methods = ['eth_chainId', 'eth_getBlockByNumber', 'eth_getBlockByNumber', 'eth_call']; // of block 0, then of the newest
  for (const [i, method] of methods.entries()) {
    const chain = chainOf(worker);
    const { fetch: plain } = chain;
    let n = 0;
    const lie = async (url, options) => {
      const answer = await plain(url, options);
      const asked = JSON.parse(options.body);
      if (String(url) !== 'http://node-2' || asked.method !== method || (i === 2 && asked.params[0] === '0x0')) return answer;
      const body = await answer.json();
      const flip = (h) => h.slice(0, -1) + (h.endsWith('0') ? '1' : '0');
      body.result = typeof body.result === 'string' ? flip(body.result) : { hash: flip(body.result.hash) };
      n++;
      return Response.json(body);
    };
    await assert.rejects(async () => (await chain.connect({ fetch: lie })).contract(contract), (e) =>
      e instanceof NodesDisagree && e.answers[1].node === 'http://node-2' && e.answers.length === 2);
    assert.ok(n > 0);
  }
}));

test('answers of nodes have a form', () => workerThat({}, async (worker) => {
  const word = (n) => BigInt(n).toString(16).padStart(64, '0');
  const chain = chainOf(worker);
  const network = await chain.connect();
  const good = await chain.eth_call({ to: registry, data: abi.encodeFunctionData('contracts', [contract]) }, '0x14');
  const changed = (i, n) => good.slice(0, 2 + 64 * i) + word(n) + good.slice(2 + 64 * (i + 1));
  for (const [answer, text] of [['0x', /too short/], ['0xzz', /hexadecimal/], [null, /no contracts/], [good.slice(0, -64 * 14), /too short/],
    [changed(0, 1n << 200n), /offset/], [changed(5, 1n << 200n), /offset/], [changed(13, 1n << 60n), /too short/],
    [changed(13, 200), /too short/], [changed(3, 1), /not active/]]) {
    chain.eth_call = () => answer;
    await assert.rejects(network.contract(contract), text, String(answer));
  }
  chain.eth_getBlockByNumber = () => null;
  await assert.rejects(chain.connect(), /no block 0/);
  chain.eth_getBlockByNumber = () => ({ hash: '0x12' });
  await assert.rejects(chain.connect(), /hash of block 0/);
  await assert.rejects(chain.connect({ fetch: async () => Response.json({ error: { message: 'too many' } }) }), /node-1: too many/);
  await assert.rejects(chain.connect({ fetch: async () => new Response('<html>') }), /node http:..node-1/);
}));

test('a network is opened by addresses', async () => {
  await assert.rejects(connect({ nodes: [], registry }), /nodes/);
  await assert.rejects(connect({ registry }), /nodes/);
  await assert.rejects(connect({ nodes: ['http://node'], registry: '0x12' }), /registry/);
});

for (const { name, fn } of tests) {
  try {
    await fn();
  } catch (e) {
    console.error(`network: ${name}`);
    throw e;
  }
}
console.log(`network: ${tests.length} passed, 0 failed`);
process.exit(0);
