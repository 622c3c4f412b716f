// @cloister/client on a live network: a survey answered with ethers and with viem, its receipt,
// signed and anonymous queries. Arguments: JSON of the network, see tests/e2e/js-client.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { BadAnswer, commandTransaction, connect, gasClass, generateReplyKey, NodesDisagree, query, receipt, registryAbi, sealCommand } from '@cloister/client';
import { Contract, Interface, JsonRpcProvider, Wallet } from 'ethers';
import { createPublicClient, createWalletClient, encodeFunctionData, http, parseAbi } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';

const net = JSON.parse(process.argv[2]);
const provider = new JsonRpcProvider(net.rpc, undefined, { pollingInterval: 100, cacheTimeout: -1 });
const registry = new Contract(net.registry, registryAbi, provider);
const survey = new Interface(['function answer(uint256 choice)', 'function mine() view returns (uint256)',
  'function question() view returns (string,string[],uint64,uint64,bool)']);
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
    assert.equal(await receipt({ url: w.url, chainId, genesis, cluster: record.cluster, index,
      replyPrivateKey: reply.privateKey }), null);
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
  const confirmed = registry.interface.getFunction('confirmed').selector;
  const root = await lying((request, answer) => { // another confirmed root
    if (request.method === 'eth_call' && request.params[0].data.startsWith(confirmed)) {
      answer.result = answer.result.slice(0, 2 + 64 * 2) + '33'.repeat(32) + answer.result.slice(2 + 64 * 3);
    }
  });
  await assert.rejects(root.query(mineQuery()), (e) => e instanceof BadAnswer && /not what was confirmed/.test(e.message));
});

console.log(`flow: ${passed} passed, 0 failed`);
process.exit(0);
