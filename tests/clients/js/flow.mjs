// @cloister/client on a live network: a survey answered with ethers and with viem, its receipt,
// signed and anonymous queries. Arguments: JSON of the network, see tests/e2e/js-client.
import assert from 'node:assert/strict';
import { commandTransaction, gasClass, generateReplyKey, query, receipt, registryAbi, sealCommand } from '@cloister/client';
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

console.log(`flow: ${passed} passed, 0 failed`);
process.exit(0);
