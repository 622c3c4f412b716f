// Vana's SDK, and ethers where it has no helper, against a network of profile vana-compat.
// Usage: node --import ./hook.mjs flow.mjs NETWORK_FOLDER ABI_FOLDER   (beside node_modules)
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Contract, JsonRpcProvider, Wallet, verifyMessage } from 'ethers'
import { createPublicClient, createWalletClient, http, parseEventLogs } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import {
  DEFAULT_ENCRYPTION_SEED, IpfsStorage, Vana, createNodePlatformAdapter, encryptWithWalletPublicKey,
  generateEncryptionKey, getAbi, getContractAddress, mokshaTestnet
} from '@opendatalabs/vana-sdk/node'

const [folder, abis] = process.argv.slice(2)
const network = JSON.parse(readFileSync(join(folder, 'devnet.json')))
const abiOf = (name) => JSON.parse(readFileSync(join(abis, `${name}.json`)))
const chain = 14800
let checks = 0
const check = (name, fn) => Promise.resolve().then(fn).then(
  (v) => { checks++; return v },
  (e) => { console.error(`FAIL ${name}: ${e.stack}`); process.exit(1) })

// Nothing leaves this machine: what the SDK asks of public IPFS gateways, our store answers.
const outside = globalThis.fetch
globalThis.fetch = (input, init) => {
  const url = new URL(typeof input === 'string' ? input : input.url ?? input)
  if (url.hostname === '127.0.0.1') return outside(input, init)
  if (!url.pathname.startsWith('/ipfs/')) throw new TypeError(`fetch of ${url} in a test`)
  return outside(network.store.gateway + url.pathname, init)
}
// It writes what it tries to the console.
console.debug = console.info = console.log = () => {}

const account = (name) => network.accounts.find((a) => a.name === name)
const viem = { chain: mokshaTestnet, transport: http(network.rpc), pollingInterval: 50 }
const walletOf = (name) => createWalletClient({ ...viem, account: privateKeyToAccount(account(name).private_key) })
const reader = createPublicClient(viem)
const client = (name) =>
  Vana({
    walletClient: walletOf(name), publicClient: reader, subgraphUrl: '', ipfsGateways: [network.store.gateway + '/ipfs/'],
    storage: {
      providers: {
        ipfs: new IpfsStorage({
          apiEndpoint: network.store.rpc + '/api/v0/add', gatewayUrl: network.store.gateway + '/ipfs'
        })
      },
      defaultProvider: 'ipfs'
    }
  })
const alice = client('alice')
const bob = client('bob')
const admin = client('admin')
const platform = await createNodePlatformAdapter()
const provider = new JsonRpcProvider(network.rpc, chain, { staticNetwork: true, cacheTimeout: -1, pollingInterval: 50 })
const signer = new Wallet(account('alice').private_key, provider)
const contribution = (rows) => Array.from({ length: rows }, (_, i) => `row ${i}`).join('\n') + '\n'

await check('addresses and chain', async () => {
  for (const name of ['DataRegistry', 'DataRefinerRegistry', 'DLPRegistry'])
    assert.equal(getContractAddress(chain, name).toLowerCase(), network.contracts[name].toLowerCase())
  assert.equal(getContractAddress(chain, 'TeePoolPhala').toLowerCase(), network.contracts.TeePool.toLowerCase())
  assert.equal(await alice.protocol.getChainId(), chain)
})

// ---- pools and schemas ----

const pool = await check('listDLPs, through Multicall3 at Vana\'s address', async () => {
  const list = await alice.data.listDLPs()
  assert.equal(list.length, 1)
  assert.equal(list[0].name, 'lines')
  const one = await alice.data.getDLP(1)
  assert.deepEqual(one, list[0])
  return one
})
const schema = await check('schemas.create', async () => {
  const made = await alice.schemas.create({
    name: 'Rows', dialect: 'json',
    schema: { type: 'object', properties: { rows: { type: 'array' } }, required: ['rows'] }
  })
  assert.equal(Number(made.schemaId), 1)
  assert.match(made.definitionUrl, /^ipfs:\/\//)
  return Number(made.schemaId)
})
await check('schemas: get, count, list', async () => {
  const got = await bob.schemas.get(schema)
  assert.equal(got.name, 'Rows')
  assert.deepEqual(got.schema.required, ['rows'])
  assert.equal(await bob.schemas.count(), 1)
  assert.equal((await bob.schemas.list()).length, 1)
})
await check('refiners', async () => {
  const r = { dlpId: 1, name: 'rows', schemaId: schema, refinementInstructionUrl: 'ipfs://refine' }
  const { refinerId } = await admin.data.addRefiner(r)
  const got = await bob.data.getRefiner(refinerId)
  assert.equal(got.schemaId, schema)
  assert.equal(got.owner, pool.owner)
  assert.equal(await bob.data.getRefinersCount(), 1)
  assert.equal(await bob.data.isValidSchemaId(schema), true)
  assert.equal(await bob.data.isValidSchemaId(schema + 1), false)
  await admin.data.updateSchemaId({ refinerId, newSchemaId: schema })
  const error = console.error
  console.error = () => {}
  await assert.rejects(alice.data.addRefiner(r), /NotDlpOwner/)
  console.error = error
})

// ---- a file: encrypted by openpgp.js, stored, registered, shared ----

const text = contribution(70)
const bobKey = privateKeyToAccount(account('bob').private_key).publicKey
const file = await check('upload', async () => {
  const r = await alice.data.upload({
    content: text, filename: 'rows.txt', permissions: [{ account: account('bob').address, publicKey: bobKey }]
  })
  assert.equal(r.fileId, 1)
  return r
})
let files
await check('upload with a schema', async () => {
  const r = await alice.data.upload({ content: { rows: [1] }, filename: 'rows.json', schemaId: schema })
  assert.equal(r.isValid, true)
  const { address, abi } = bob.protocol.getContract('DataRegistry')
  const { schemaId } = await reader.readContract({ address, abi, functionName: 'files', args: [BigInt(r.fileId)] })
  assert.equal(Number(schemaId), schema)
  // Early versions of the SDK only say so, later ones refuse.
  const bad = await alice.data.upload({ content: { columns: 1 }, filename: 'x.json', schemaId: schema })
    .catch((e) => ({ isValid: !/required property/.test(e.message), refused: true }))
  assert.equal(bad.isValid, false)
  files = bad.refused ? 2 : 3
})
const stored = await check('getFileById', async () => {
  const f = await bob.data.getFileById(file.fileId)
  assert.equal(f.url, file.url)
  assert.equal(f.ownerAddress.toLowerCase(), account('alice').address.toLowerCase())
  assert.equal(await bob.data.getTotalFilesCount(), files)
  return f
})
await check('files of an owner, from the logs since genesis', async () => {
  const found = await reader.getContractEvents({
    address: network.contracts.DataRegistry, abi: abiOf('DataRegistry'), eventName: 'FileAddedV2',
    args: { ownerAddress: account('alice').address }, fromBlock: 'earliest', toBlock: 'latest'
  })
  assert.deepEqual(found.map((e) => Number(e.args.fileId)), Array.from({ length: files }, (_, i) => i + 1))
})
await check('decryptFile by the owner', async () => {
  assert.equal(await (await alice.data.decryptFile(stored)).text(), text)
})
await check('decryptFileWithPermission by the other', async () => {
  const opened = await bob.data.decryptFileWithPermission(stored, account('bob').private_key)
  assert.equal(await opened.text(), text)
})
await check('a permission afterwards', async () => {
  const who = account('carol')
  const tx = await alice.data.submitFilePermission(
    stored.id, who.address, privateKeyToAccount(who.private_key).publicKey)
  const { expectedEvents } = await alice.waitForTransactionEvents(tx)
  assert.equal(Number(expectedEvents.PermissionGranted.fileId), stored.id)
  const carol = client('carol')
  assert.equal(await (await carol.data.decryptFileWithPermission(stored, who.private_key)).text(), text)
})
await check('getFilePermission of somebody without', async () => {
  assert.equal(await bob.data.getFilePermission(stored.id, account('dave').address), '')
})

// ---- the proof: TeePool by viem with the SDK's ABI, RunProof as Vana's pages send it ----

const teeAbi = getAbi('TeePoolPhala')
const teePool = { address: getContractAddress(chain, 'TeePoolPhala'), abi: teeAbi }
const wallet = walletOf('alice')
const instruction = await reader.readContract(
  { address: pool.address, abi: abiOf('DataLiquidityPool'), functionName: 'proofInstruction' })
const fileKey = await generateEncryptionKey(wallet, platform, DEFAULT_ENCRYPTION_SEED)

async function requestJob (fileId) {
  const fee = await reader.readContract({ ...teePool, functionName: 'teeFee' })
  const hash = await wallet.writeContract(
    { ...teePool, functionName: 'requestContributionProof', args: [BigInt(fileId)], value: fee })
  const receipt = await reader.waitForTransactionReceipt({ hash })
  const [event] = parseEventLogs({ abi: teeAbi, logs: receipt.logs, eventName: 'JobSubmitted' })
  assert.equal(event.args.fileId, BigInt(fileId))
  const job = await reader.readContract({ ...teePool, functionName: 'jobs', args: [event.args.jobId] })
  const tee = await reader.readContract({ ...teePool, functionName: 'tees', args: [job.teeAddress] })
  return { id: Number(event.args.jobId), tee }
}
async function runProof (job, fileId, extra) {
  const r = await fetch(`${job.tee.url}/RunProof`, {
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      job_id: job.id, file_id: fileId, proof_url: instruction, encryption_seed: DEFAULT_ENCRYPTION_SEED,
      env_vars: { USER_EMAIL: 'alice@example.org' }, secrets: {}, ...extra
    })
  })
  return { status: r.status, body: await r.json() }
}
async function checkProof (fileId, score) {
  const { address, abi } = alice.protocol.getContract('DataRegistry')
  const proof = await reader.readContract({ address, abi, functionName: 'fileProofs', args: [BigInt(fileId), 1n] })
  assert.equal(proof.data.score, score)
  assert.equal(proof.data.dlpId, 1n)
  assert.equal(proof.data.instruction, instruction)
  const document = await (await alice.data.fetchFromIPFS(proof.data.proofUrl)).text()
  const { signed_fields: fields } = JSON.parse(document)
  assert.equal(fields.subject.file_id, fileId)
  assert.equal(fields.subject.encryption_seed, DEFAULT_ENCRYPTION_SEED)
  assert.ok(!document.includes(fileKey) && !document.includes('row 1'))
}

await check('TeeInfo.publicKey is 64 bytes of a secp256k1 key', async () => {
  assert.match(network.workers[0].public_key, /^0x[0-9a-f]{128}$/)
})
await check('encrypted_encryption_key, validate_permissions, nonce as text', async () => {
  const job = await requestJob(file.fileId)
  const boxed = await encryptWithWalletPublicKey(fileKey, '0x04' + job.tee.publicKey.slice(2), platform)
  const nonce = Date.now().toString()
  const { status, body } = await runProof(job, file.fileId, {
    encrypted_encryption_key: boxed, nonce,
    validate_permissions: [{
      address: pool.address, public_key: bobKey, iv: '0102030405060708090a0b0c0d0e0f10',
      ephemeral_key: '11'.repeat(32)
    }]
  })
  assert.equal(status, 200, JSON.stringify(body))
  assert.equal(body.success, true)
  assert.equal(verifyMessage(nonce, body.signature), job.tee.teeAddress)
  await checkProof(file.fileId, 700000000000000000n)
})
await check('plain encryption_key, nonce as number, a file of encryptFile and uploadToStorage', async () => {
  const { encryptedData, encryptionKey } = await alice.data.encryptFile(contribution(50))
  assert.equal(encryptionKey, fileKey)
  const { url } = await alice.data.uploadToStorage(encryptedData, 'more.txt')
  const registry = new Contract(network.contracts.DataRegistry, abiOf('DataRegistry'), signer)
  const receipt = await (await registry.addFile(url)).wait()
  const fileId = Number(registry.interface.parseLog(receipt.logs[0]).args[0])
  const job = await requestJob(fileId)
  const { status, body } = await runProof(job, fileId, { encryption_key: encryptionKey, nonce: 1234 })
  assert.equal(status, 200, JSON.stringify(body))
  assert.equal(verifyMessage('1234', body.signature), job.tee.teeAddress)
  await checkProof(fileId, 500000000000000000n)
})
await check('a stranger cannot have the file run', async () => {
  const job = await requestJob(file.fileId)
  const box = await encryptWithWalletPublicKey(
    await generateEncryptionKey(walletOf('bob'), await createNodePlatformAdapter(), DEFAULT_ENCRYPTION_SEED),
    '0x04' + job.tee.publicKey.slice(2), platform)
  const { status, body } = await runProof(job, file.fileId, { encrypted_encryption_key: box })
  assert.ok(status === 400 || status === 403, `${status}`)
  assert.ok(body.detail.error.code.length > 0)
})
await check('requestReward(fileId, 1) by ethers', async () => {
  const dlp = new Contract(pool.address, abiOf('DataLiquidityPool'), signer)
  const token = new Contract(await dlp.token(), abiOf('DataToken'), provider)
  const before = await token.balanceOf(signer.address)
  assert.equal((await (await dlp.requestReward(file.fileId, 1)).wait()).status, 1)
  const factor = await dlp.fileRewardFactor()
  assert.equal(await token.balanceOf(signer.address) - before, factor * 7n / 10n)
  await assert.rejects(dlp.requestReward.staticCall(file.fileId, 1), (e) => e.revert !== undefined)
})

process.stdout.write(`${checks} flows of Vana's SDK passed\n`)
process.exit(0)
