// @cloister/client on a live network: a survey answered with ethers and with viem, its receipt,
// signed and anonymous queries. Arguments: JSON of the network, see tests/e2e/js-client.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { BadAnswer, ChannelClosed, NodesDisagree, WorkerError, commandTransaction, connect, gasClass, generateReplyKey, openChannel, query,
  receipt, registryAbi, sealCommand } from '@cloister/client';
import { Contract, Interface, JsonRpcProvider, Wallet } from 'ethers';
import { createPublicClient, createWalletClient, encodeFunctionData, http, parseAbi } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { WebSocket } from 'ws';

const net = JSON.parse(process.argv[2]);
const provider = new JsonRpcProvider(net.rpc, undefined, { pollingInterval: 100, cacheTimeout: -1 });
const registry = new Contract(net.registry, registryAbi, provider);
const survey = new Interface(['function answer(uint256 choice)', 'function mine() view returns (uint256)',
  'function question() view returns (string,string[],uint64,uint64,bool)', 'function counts() view returns (uint256[])']);
const { chainId } = await provider.getNetwork();
const genesis = (await provider.getBlock(0)).hash;
const record = await registry.contracts(net.contract);
const { gasPrice } = await registry.clusters(record.cluster);
let passed = 0;

async function test(name, fn) {
  await fn();
  passed++;
}

async function prepared(sender, calldata, change = {}) {
  const reply = await generateReplyKey();
  const command = {
    chainId, genesis, contract: net.contract, sender, calldata, replyKey: reply.publicKey,
    sequence: await registry.nextSequence(net.contract, sender), expiry: (await provider.getBlockNumber()) + 100,
    gas: gasClass(1_000_000), epoch: record.keyEpoch, codeHash: record.codeHash, publicKey: record.publicKey,
  };
  const payload = await sealCommand({ ...command, ...change });
  return { reply, transaction: commandTransaction({ ...command, registry: net.registry, gasPrice, payload }) };
}

function indexOf(logs) {
  return logs.map((l) => registry.interface.parseLog(l)).find((l) => l?.name === 'Queued').args.index;
}

async function outcome(index, reply) {
  for (let i = 0; i < 300; i++) {
    for (const w of net.workers) {
      const got = await receipt({ url: w.url, chainId, genesis, cluster: record.cluster, index,
        replyPrivateKey: reply.privateKey });
      if (got !== null) return got;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`no receipt of command ${index}`);
}

const wallet = new Wallet(net.keys[0], provider);
const account = privateKeyToAccount(net.keys[1]);
const chain = { id: Number(chainId), name: 'net', nativeCurrency: { name: 'c', symbol: 'C', decimals: 18 },
  rpcUrls: { default: { http: [net.rpc] } } };
const viemWallet = createWalletClient({ account, chain, transport: http(net.rpc) });
const viemPublic = createPublicClient({ chain, transport: http(net.rpc), pollingInterval: 100 });

await test('a command with ethers', async () => {
  const { reply, transaction } = await prepared(wallet.address, survey.encodeFunctionData('answer', [1]));
  const mined = await (await wallet.sendTransaction(transaction)).wait();
  assert.deepEqual(await outcome(indexOf(mined.logs), reply), { status: 'done', output: '0x' });
});

await test('a command with viem', async () => {
  const abi = parseAbi(['function answer(uint256 choice)']);
  const { reply, transaction } = await prepared(account.address,
    encodeFunctionData({ abi, functionName: 'answer', args: [9n] }));
  const mined = await viemPublic.waitForTransactionReceipt({ hash: await viemWallet.sendTransaction(transaction) });
  const got = await outcome(indexOf(mined.logs), reply);
  assert.equal(got.status, 'reverted');
});

await test('an envelope for another context stays shut', async () => {
  const { reply, transaction } = await prepared(wallet.address, survey.encodeFunctionData('answer', [0]),
    { sequence: 77n });
  const mined = await (await wallet.sendTransaction(transaction)).wait();
  const index = indexOf(mined.logs);
  for (let i = 0; i < 300; i++) {
    if ((await registry.confirmed(record.cluster)).index > index) break;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.ok((await registry.confirmed(record.cluster)).index > index);
  for (const w of net.workers) {
    const asked = () => receipt({ url: w.url, chainId, genesis, cluster: record.cluster, index, replyPrivateKey: reply.privateKey });
    let got = null;
    for (let i = 0; i < 100 && got === null; i++) {
      got = await asked().catch((e) => e);
      if (got === null) await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.ok(got instanceof WorkerError && got.code === 'RECEIPT_NONE', got);
  }
});

async function ask(data, signer) {
  const w = net.workers[0];
  return query({ chainId, genesis, registry: net.registry, contract: net.contract, data, url: w.url, worker: w.address,
    receiveKey: w.receiveKey, commitSigner: w.commitSigner, ...signer });
}

await test('queries see who signed them', async () => {
  const data = survey.encodeFunctionData('mine');
  const mine = await ask(data, { caller: wallet.address,
    signTypedData: ({ domain, types, message }) => wallet.signTypedData(domain, types, message) });
  assert.equal(mine.status, 'done');
  assert.equal(survey.decodeFunctionResult('mine', mine.result)[0], 2n);
  const confirmed = await registry.confirmed(record.cluster);
  if (mine.batch === confirmed.batches) assert.equal(mine.root, confirmed.root);
  const other = await ask(data, { caller: account.address, signTypedData: (d) => account.signTypedData(d) });
  assert.equal(BigInt(other.result), 0n);
  const nobody = await ask(survey.encodeFunctionData('question'), {});
  assert.equal(survey.decodeFunctionResult('question', nobody.result)[3], 1n);
  await assert.rejects(ask(data, { caller: account.address,
    signTypedData: ({ domain, types, message }) => wallet.signTypedData(domain, types, message) }), /signature/);
});

const channelTo = (w, more) => openChannel({ chainId, genesis, registry: net.registry, url: w.url, worker: w.address,
  receiveKey: w.receiveKey, commitSigner: w.commitSigner, WebSocket, ...more });
const asWallet = { caller: wallet.address,
  signTypedData: ({ domain, types, message }) => wallet.signTypedData(domain, types, message) };

await test('a channel answers as queries do', async () => {
  const data = survey.encodeFunctionData('mine');
  for (const w of net.workers) {
    for (const [who, answers] of [[asWallet, 2n], [{}, 0n],
      [{ caller: account.address, signTypedData: (d) => account.signTypedData(d) }, 0n]]) {
      const channel = await channelTo(w, who);
      const question = survey.encodeFunctionData('question');
      const got = await Promise.all(Array.from({ length: 20 }, (_, i) =>
        channel.query({ contract: net.contract, data: i % 2 === 0 ? data : question })));
      for (const [i, a] of got.entries()) {
        assert.equal(a.status, 'done');
        if (i % 2 === 0) assert.equal(BigInt(a.result), answers);
        else assert.equal(survey.decodeFunctionResult('question', a.result)[3], 1n);
      }
      const confirmed = await registry.confirmed(record.cluster);
      if (got[19].batch === confirmed.batches) assert.equal(got[19].root, confirmed.root);
      const none = channel.query({ contract: wallet.address, data });
      await assert.rejects(none, (e) => e instanceof WorkerError && e.code === 'not found');
      const again = channel.query({ contract: net.contract, data, minimumHeight: 1_000_000 });
      await assert.rejects(again, (e) => e instanceof WorkerError && e.code === 'again');
      const reverts = await channel.query({ contract: net.contract, data: survey.encodeFunctionData('counts') });
      assert.equal(reverts.status, 'reverted');
      channel.close();
    }
  }
});

await test('a channel is opened by whom it says, to whom it is meant, and ends', async () => {
  const denied = (e) => e instanceof WorkerError && e.code === 'denied';
  const now = Math.floor(Date.now() / 1000);
  await assert.rejects(channelTo(net.workers[0], { ...asWallet, caller: account.address }), denied);
  await assert.rejects(channelTo(net.workers[0], { ...asWallet, registry: account.address }), denied);
  await assert.rejects(channelTo(net.workers[0], { expiry: now - 10 }), denied);
  await assert.rejects(channelTo(net.workers[0], { expiry: now + 7200 }), denied);
  for (const change of [{ receiveKey: net.workers[1].receiveKey }, { worker: net.workers[1].address }, { chainId: 1 },
    { genesis: '0x' + '00'.repeat(32) }]) {
    await assert.rejects(channelTo(net.workers[0], change), (e) => e instanceof ChannelClosed && e.code === 1008);
  }
  // As a browser opens it: from any page.
  const OfPage = class extends WebSocket {
    constructor(url) {
      super(url, { origin: 'https://page.example' });
    }
  };
  const channel = await channelTo(net.workers[0], { expiry: now + 2, WebSocket: OfPage });
  const query = () => channel.query({ contract: net.contract, data: survey.encodeFunctionData('mine') });
  let end;
  while (end === undefined) {
    await query().catch((e) => { end = e; });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.ok(end instanceof ChannelClosed && end.code === 1008 && /time is over/.test(end.message), end);
  const liar = await channelTo(net.workers[0], { commitSigner: net.workers[1].commitSigner });
  await assert.rejects(liar.query({ contract: net.contract, data: survey.encodeFunctionData('mine') }), BadAnswer);
  liar.close();
});

// A node that passes everything on, but for what `lie` changes.
async function nodeThat(lie) {
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts).toString();
    const answer = await (await fetch(net.rpc, { method: 'POST', body,
      headers: { 'content-type': 'application/json' } })).json();
    lie(JSON.parse(body), answer);
    response.end(JSON.stringify(answer));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${server.address().port}`;
}

const mineQuery = () => ({ contract: net.contract, data: survey.encodeFunctionData('mine'), caller: wallet.address,
  signTypedData: ({ domain, types, message }) => wallet.signTypedData(domain, types, message) });

await test('nodes that agree, and an answer held against them', async () => {
  const network = await connect({ nodes: [net.rpc, await nodeThat(() => {})], registry: net.registry });
  assert.equal(network.genesis, genesis);
  const r = await network.contract(net.contract);
  assert.equal(r.publicKey, record.publicKey);
  assert.equal(r.codeUrl, record.codeUrl);
  const members = await network.members(r.cluster);
  assert.deepEqual(new Set(members.map((m) => m.commitSigner)),
    new Set(net.workers.map((w) => w.commitSigner.toLowerCase())));
  assert.ok(members.every((m) => m.active && m.simulated && m.url.startsWith('http://')));
  const answer = await network.query(mineQuery());
  assert.equal(BigInt(answer.result), 2n);
  assert.ok((await network.query({ ...mineQuery(), worker: net.workers[1].address })).height >= answer.height);
  await assert.rejects(network.query({ ...mineQuery(), worker: wallet.address }), /no 0x.* member/);
  const channel = await network.channel({ ...mineQuery(), worker: net.workers[0].address, WebSocket });
  assert.equal(channel.worker, net.workers[0].address.toLowerCase());
  const mine = await Promise.all(Array.from({ length: 20 }, () => channel.query(mineQuery())));
  for (const a of mine) assert.ok(BigInt(a.result) === 2n && a.height >= answer.height);
  channel.close();
});

await test('a node that lies is named', async () => {
  const flip = (hex) => hex.slice(0, -1) + (hex.endsWith('0') ? '1' : '0');
  const calls = async (lie) => {
    const liar = await nodeThat(lie);
    const network = await connect({ nodes: [net.rpc, liar], registry: net.registry });
    return { liar, network };
  };
  const key = await calls((request, answer) => { // another public key to seal to
    if (request.method === 'eth_call') answer.result = answer.result.replace(record.publicKey.slice(2), '11'.repeat(32));
  });
  await assert.rejects(key.network.contract(net.contract), (e) => e instanceof NodesDisagree &&
    e.answers.length === 2 && e.answers[1].node === key.liar && e.message.includes(key.liar));
  const block = await calls((request, answer) => {
    if (request.method === 'eth_getBlockByNumber' && request.params[0] !== '0x0') answer.result.hash = flip(answer.result.hash);
  });
  await assert.rejects(block.network.contract(net.contract), NodesDisagree);
  let height;
  const back = await calls((request, answer) => { // goes back
    if (request.method === 'eth_blockNumber') height = answer.result = height === undefined ? answer.result : '0x1';
  });
  await back.network.contract(net.contract);
  await assert.rejects(back.network.contract(net.contract), new RegExp(`${back.liar} is at block 1`));
  await assert.rejects(connect({ nodes: [net.rpc, 'http://127.0.0.1:1'], registry: net.registry }), /127\.0\.0\.1:1/);
});

// One node alone, and it lies: what the worker signed does not fit what it says.
await test('an answer that the chain does not bear out is refused', async () => {
  const lying = async (lie) => connect({ nodes: [await nodeThat(lie)], registry: net.registry });
  const signer = net.workers.map((w) => w.commitSigner.slice(2).toLowerCase());
  const other = await lying((request, answer) => { // another commit signer
    if (request.method === 'eth_call') for (const s of signer) answer.result = answer.result.replace(s, '22'.repeat(20));
  });
  await assert.rejects(other.query(mineQuery()), /not signed by the worker/);
  const otherChannel = await other.channel({ ...mineQuery(), WebSocket });
  await assert.rejects(otherChannel.query(mineQuery()), /not signed by the worker/);
  otherChannel.close();
  const confirmed = registry.interface.getFunction('confirmed').selector;
  const root = await lying((request, answer) => { // another confirmed root
    if (request.method === 'eth_call' && request.params[0].data.startsWith(confirmed)) {
      answer.result = answer.result.slice(0, 2 + 64 * 2) + '33'.repeat(32) + answer.result.slice(2 + 64 * 3);
    }
  });
  await assert.rejects(root.query(mineQuery()), (e) => e instanceof BadAnswer && /not what was confirmed/.test(e.message));
  const rootChannel = await root.channel({ ...mineQuery(), WebSocket });
  await assert.rejects(rootChannel.query(mineQuery()), /not what was confirmed/);
  rootChannel.close();
});

await test('the example of a live view', async () => {
  const example = spawn(process.execPath, [new URL('live.mjs', import.meta.url).pathname, net.rpc, net.registry, net.contract]);
  let seen = '';
  example.stdout.on('data', (b) => { seen += b; });
  example.stderr.on('data', (b) => { seen += b; });
  const until = async (text) => {
    for (let i = 0; i < 300 && !seen.includes(text); i++) await new Promise((resolve) => setTimeout(resolve, 100));
    assert.ok(seen.includes(text), seen);
  };
  await until('whose is it? 1 answers\n');
  const { transaction } = await prepared(account.address, survey.encodeFunctionData('answer', [0]));
  await viemWallet.sendTransaction(transaction);
  await until('whose is it? 2 answers\n');
  example.kill();
});

console.log(`flow: ${passed} passed, 0 failed`);
process.exit(0);
