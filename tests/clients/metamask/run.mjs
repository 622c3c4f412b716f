// MetaMask against cloister-ledger: its own middleware and block tracker, stacked as its network
// client stacks them, and over them the calls its controllers make for each thing a user does.
// The extension's part of signing is done with ethers. Usage: run.mjs RPC_URL ACCOUNTS CONTRACTS ABIS
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BrowserProvider, Contract, Wallet, verifyMessage, verifyTypedData } from 'ethers'
import * as blockTracker from '@metamask/eth-block-tracker'
import * as middleware from '@metamask/eth-json-rpc-middleware'
import * as providers from '@metamask/eth-json-rpc-provider'
import * as engines from '@metamask/json-rpc-engine'

const url = process.argv[2]
const [accounts, contracts] = process.argv.slice(3, 5).map((t) => JSON.parse(t))
const abi = (name) => JSON.parse(readFileSync(join(process.argv[5], `${name}.json`)))
const chainId = '0x7a69'
const wallet = new Wallet(accounts[1].key)
const bob = '0x00000000000000000000000000000000000000b0'
const quantity = /^0x(0|[1-9a-f][0-9a-f]*)$/
const hash = /^0x[0-9a-f]{64}$/
let checks = 0
const check = (name, fn) => Promise.resolve().then(fn).then(
  (v) => { checks++; return v },
  (e) => { console.error(`FAIL ${name}: ${e.stack}`); process.exit(1) })

// ---- the network client ----

const sent = [] // every request as it went out
const rpcService = {
  async request (request) {
    sent.push(request.method)
    const reply = await fetch(url, {
      method: 'POST', headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify(request)
    })
    assert.equal(reply.status, 200, 'RPC errors come with status 200')
    return reply.json()
  }
}
const { JsonRpcEngine, mergeMiddleware } = engines
const provide = (...stack) => {
  const engine = new JsonRpcEngine()
  engine.push(mergeMiddleware(stack))
  return providers.providerFromEngine(engine)
}
const fetchMiddleware = middleware.createFetchMiddleware({ rpcService })
const inner = provide(fetchMiddleware)
const tracker = new blockTracker.PollingBlockTracker({ provider: inner, pollingInterval: 100 })
const signed = []
const provider = provide(
  middleware.createWalletMiddleware({
    getAccounts: async () => [wallet.address.toLowerCase()],
    processTransaction: (params) => sendTransaction(params),
    processPersonalMessage: (m) => wallet.signMessage(Buffer.from(m.data.slice(2), 'hex')),
    processTypedMessageV4: (m) => {
      const { domain, types: { EIP712Domain, ...types }, message } = JSON.parse(m.data)
      return wallet.signTypedData(domain, types, message)
    }
  }),
  middleware.createInflightCacheMiddleware(),
  middleware.createBlockCacheMiddleware({ blockTracker: tracker }),
  middleware.createBlockRefMiddleware({ blockTracker: tracker, provider: inner }),
  middleware.createRetryOnEmptyMiddleware({ blockTracker: tracker, provider: inner }),
  middleware.createBlockTrackerInspectorMiddleware({ blockTracker: tracker }),
  fetchMiddleware)
const call = (method, ...params) => provider.request({ method, params })

// ---- what its transaction controller does with eth_sendTransaction ----

async function sendTransaction (params) {
  const block = await call('eth_getBlockByNumber', 'latest', false)
  assert.match(block.baseFeePerGas, quantity)
  // Empty: a plain send; else a call of a contract.
  const code = params.to === undefined ? undefined : await call('eth_getCode', params.to, 'latest')
  const plain = (code === '0x' || code === '0x0') && (params.data ?? '0x') === '0x'
  const gas = plain
    ? '0x5208'
    : await call('eth_estimateGas', { from: params.from, to: params.to, data: params.data, value: params.value ?? '0x0' })
  assert.match(gas, quantity)
  const history = await call('eth_feeHistory', '0x5', 'latest', [10, 20, 30])
  assert.equal(history.reward.length, history.gasUsedRatio.length)
  assert.equal(history.baseFeePerGas.length, history.gasUsedRatio.length + 1)
  const tip = BigInt(history.reward.at(-1)[1])
  const nonce = await call('eth_getTransactionCount', params.from, await tracker.getLatestBlock())
  const raw = await wallet.signTransaction({
    to: params.to, data: params.data, value: params.value ?? 0n, nonce: Number(nonce), chainId: Number(chainId),
    gasLimit: plain ? gas : BigInt(gas) * 3n / 2n, type: 2, maxPriorityFeePerGas: tip || 100000000n,
    maxFeePerGas: BigInt(history.baseFeePerGas.at(-1)) * 2n + (tip || 100000000n)
  })
  signed.push({ plain, nonce })
  return call('eth_sendRawTransaction', raw)
}
// Its pending transaction tracker: on each block, the receipt, then the block it is in.
async function included (txHash) {
  for (let i = 0; i < 100; i++) {
    const receipt = await call('eth_getTransactionReceipt', txHash)
    if (receipt !== null && receipt.blockNumber !== null) {
      const block = await call('eth_getBlockByHash', receipt.blockHash, false)
      assert.match(block.timestamp, quantity)
      assert.equal(block.number, receipt.blockNumber)
      assert.ok(block.transactions.includes(txHash))
      await tracker.checkForLatestBlock()
      return receipt
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`${txHash} is in no block`)
}

// ---- the flows ----

await check('a network is added', async () => {
  assert.equal(await call('eth_chainId'), chainId)
  assert.equal(await call('net_version'), String(Number(chainId)))
})
await check('it is looked up: EIP-1559 or not', async () => {
  const block = await call('eth_getBlockByNumber', 'latest', false)
  for (const field of ['number', 'timestamp', 'baseFeePerGas', 'gasLimit', 'gasUsed']) assert.match(block[field], quantity)
  assert.match(block.hash, hash)
})
await check('a block of every height is there: no null to retry', async () => {
  const height = Number(await tracker.getLatestBlock())
  for (let n = 0; n <= height; n++) {
    const before = sent.length
    const block = await call('eth_getBlockByNumber', '0x' + n.toString(16), false)
    assert.equal(Number(block.number), n)
    assert.ok(sent.length - before <= 2, 'asked again')
  }
})
await check('accounts and balances', async () => {
  assert.deepEqual(await call('eth_accounts'), [wallet.address.toLowerCase()])
  assert.match(await call('eth_getBalance', wallet.address, 'latest'), quantity)
  const at = await tracker.getLatestBlock()
  assert.equal(BigInt(await call('eth_getBalance', bob, at)), 0n)
})
await check('gas prices without an API for the chain', async () => {
  assert.match(await call('eth_gasPrice'), quantity)
  assert.match(await call('eth_maxPriorityFeePerGas'), quantity)
})
await check('a plain send, and the block it makes is seen', async () => {
  assert.match(await tracker.getLatestBlock(), quantity)
  const seen = new Promise((resolve) => { tracker.once('latest', resolve) })
  const tx = await call('eth_sendTransaction', { from: wallet.address, to: bob, value: '0x5' })
  assert.match(tx, hash)
  const receipt = await included(tx)
  assert.equal(receipt.status, '0x1')
  assert.equal(receipt.gasUsed, '0x5208')
  assert.equal(signed.at(-1).plain, true)
  assert.ok(Number(await seen) >= Number(receipt.blockNumber))
  const found = await call('eth_getTransactionByHash', tx)
  assert.equal(found.from, wallet.address.toLowerCase())
  assert.equal(found.blockHash, receipt.blockHash)
})

const dapp = new BrowserProvider(provider, Number(chainId), { cacheTimeout: -1, pollingInterval: 100 })
const registry = new Contract(contracts.registry, abi('DataRegistry'), await dapp.getSigner())
await check('a page calls a contract: it has code', async () => {
  assert.ok((await call('eth_getCode', contracts.registry, 'latest')).length > 4)
  const receipt = await (await registry.addFile('ipfs://metamask')).wait()
  assert.equal(receipt.status, 1)
  assert.equal(signed.at(-1).plain, false)
  const id = registry.interface.parseLog(receipt.logs[0]).args[0]
  assert.equal((await registry.files(id)).url, 'ipfs://metamask')
})
await check('a call that reverts is shown with its reason before it is sent', async () => {
  const data = registry.interface.encodeFunctionData('addFile', ['ipfs://metamask'])
  const error = await call('eth_estimateGas', { from: wallet.address, to: contracts.registry, data }).catch((e) => e)
  // The middleware wraps the node's error: code 3 and the custom error's data.
  const inner = error.data?.cause ?? error.data
  assert.equal(inner.code, 3)
  assert.match(inner.message, /execution reverted/)
  assert.equal(registry.interface.parseError(inner.data).name, 'FileUrlAlreadyUsed')
})
await check('nonce too low, by geth\'s words', async () => {
  const raw = await wallet.signTransaction({
    to: bob, value: 1n, nonce: 0, chainId: Number(chainId), gasLimit: 21000n, type: 2,
    maxPriorityFeePerGas: 1n, maxFeePerGas: 5000000000n
  })
  const error = await call('eth_sendRawTransaction', raw).catch((e) => e)
  assert.match((error.data?.cause ?? error.data).message, /nonce too low/)
})
await check('several at once: nonces of the pending pool', async () => {
  const nonce = Number(await call('eth_getTransactionCount', wallet.address, 'pending'))
  const hashes = []
  for (let i = 0; i < 3; i++) {
    hashes.push(await call('eth_sendRawTransaction', await wallet.signTransaction({
      to: bob, value: 1n, nonce: nonce + i, chainId: Number(chainId), gasLimit: 21000n, type: 2,
      maxPriorityFeePerGas: 100000000n, maxFeePerGas: 5000000000n
    })))
  }
  for (const h of hashes) assert.equal((await included(h)).status, '0x1')
})
await check('personal_sign', async () => {
  const seed = 'Please sign to retrieve your encryption key'
  const signature = await (await dapp.getSigner()).signMessage(seed)
  assert.equal(verifyMessage(seed, signature), wallet.address)
})
await check('eth_signTypedData_v4', async () => {
  const domain = { name: 'Cloister', version: '1', chainId: Number(chainId), verifyingContract: contracts.teePool }
  const types = { RunAuthorization: [{ name: 'jobId', type: 'uint256' }, { name: 'worker', type: 'address' }] }
  const value = { jobId: 1n, worker: bob }
  const signature = await (await dapp.getSigner()).signTypedData(domain, types, value)
  assert.equal(verifyTypedData(domain, types, value, signature), wallet.address)
})
await check('what the ledger has not, it says in the words wallets know', async () => {
  const error = await call('eth_getWork').catch((e) => e)
  const inner = error.data?.cause ?? error.data
  assert.equal(inner.code, -32601)
  assert.match(inner.message, /the method .* does not exist/)
})
await check('every call of its list was made', () => {
  for (const method of ['eth_chainId', 'net_version', 'eth_getBlockByNumber', 'eth_blockNumber', 'eth_getBalance',
    'eth_getCode', 'eth_estimateGas', 'eth_getTransactionCount', 'eth_gasPrice', 'eth_feeHistory',
    'eth_sendRawTransaction', 'eth_getTransactionReceipt', 'eth_getBlockByHash', 'eth_getTransactionByHash', 'eth_call'])
    assert.ok(sent.includes(method), method)
})

process.stdout.write(`${checks} flows of MetaMask's network stack passed\n`)
process.exit(0)
