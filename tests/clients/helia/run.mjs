// helia, whose blocks come from the trustless gateway of cloister-store alone.
// Usage: run.mjs RPC_URL GATEWAY_URL   (beside node_modules)
import assert from 'node:assert/strict'

// node 20 has it not yet.
Promise.withResolvers ??= function () {
  const r = {}
  r.promise = new Promise((resolve, reject) => Object.assign(r, { resolve, reject }))
  return r
}
const { createHeliaHTTP } = await import('@helia/http')
const { trustlessGateway } = await import('@helia/block-brokers')
const { httpGatewayRouting } = await import('@helia/routers')
const { unixfs } = await import('@helia/unixfs')
const { CID } = await import('multiformats/cid')

const [rpc, gateway] = process.argv.slice(2)
const helia = await createHeliaHTTP({
  blockBrokers: [trustlessGateway({ allowInsecure: true, allowLocal: true })],
  routers: [httpGatewayRouting({ gateways: [gateway] })],
  libp2p: { start: false }
})
const fs = unixfs(helia)
let checks = 0

async function check (name, fn) {
  try {
    await fn()
    checks++
  } catch (e) {
    console.error(`FAIL ${name}: ${e.stack}`)
    process.exit(1)
  }
}
async function collect (it) {
  const parts = []
  for await (const p of it) parts.push(p)
  return Buffer.concat(parts)
}
const requests = []
const http = globalThis.fetch
const statuses = new Map()
globalThis.fetch = async (input, init) => {
  const url = String(input.url ?? input)
  requests.push(url)
  const reply = await http(input, init)
  statuses.set(url, reply.status)
  return reply
}
// The parts of a multipart body: [path, bytes or null for a folder].
async function add (parts, query) {
  const body = new FormData()
  for (const [name, bytes] of parts) {
    const type = bytes === null ? 'application/x-directory' : 'application/octet-stream'
    body.append('file', new Blob([bytes ?? ''], { type }), encodeURIComponent(name))
  }
  const reply = await http(`${rpc}/api/v0/add?${query}`, { method: 'POST', body })
  assert.equal(reply.status, 200, await reply.clone().text())
  const lines = (await reply.text()).trim().split('\n').map((l) => JSON.parse(l))
  return CID.parse(lines.at(-1).Hash)
}
const pattern = (n) => Uint8Array.from({ length: n }, (_, i) => (i * 31 + (i >> 8) * 17 + (i >> 16) * 7) & 255)

await check('a file of one block', async () => {
  const bytes = new TextEncoder().encode('hello world')
  const cid = await add([['hello', bytes]], 'cid-version=1')
  assert.deepEqual(await collect(fs.cat(cid)), Buffer.from(bytes))
})
const big = pattern(3 << 20)
for (const query of ['cid-version=1', 'cid-version=0', 'cid-version=1&chunker=size-65536&max-file-links=16']) {
  await check(`3 MiB, ${query}`, async () => {
    const cid = await add([['big', big]], query)
    const before = requests.length
    assert.ok(Buffer.from(big).equals(await collect(fs.cat(cid))))
    const asked = requests.slice(before)
    assert.ok(asked.length > 3, `${asked.length} requests`)
    assert.ok(asked.every((u) => u.startsWith(`${gateway}/ipfs/`)), asked[0])
    assert.equal(Number((await fs.stat(cid)).fileSize ?? (await fs.stat(cid)).size), big.length)
  })
}
await check('a range', async () => {
  const cid = await add([['ranged', pattern(2 << 20)]], 'cid-version=1&pin=true')
  const got = await collect(fs.cat(cid, { offset: 1048570, length: 20 }))
  assert.deepEqual(got, Buffer.from(pattern(2 << 20)).subarray(1048570, 1048590))
})
await check('a folder, listed and walked', async () => {
  const cid = await add([['d', null], ['d/a', pattern(10)], ['d/b', pattern(300000)]], 'cid-version=1')
  const names = []
  for await (const e of fs.ls(cid)) names.push(e.name)
  assert.deepEqual(names, ['a', 'b'])
  assert.ok(Buffer.from(pattern(300000)).equals(await collect(fs.cat(cid, { path: 'b' }))))
})
await check('what the store has not, helia is told at once', async () => {
  const cid = CID.parse('bafkreiaixnpf23vkyecj5xqispjq5ubcwgsntnnurw2bjby7khe4wnjihu')
  // It goes on looking for other gateways for as long as it may.
  const looking = helia.blockstore.get(cid).then(() => 'found', () => 'given up')
  const later = new Promise((resolve) => { setTimeout(resolve, 500, 'looking') })
  assert.notEqual(await Promise.race([looking, later]), 'found')
  assert.equal(statuses.get(`${gateway}/ipfs/${cid}?format=raw`), 404)
})
await check('helia makes the same names', async () => {
  const text = new TextEncoder().encode('the same bytes, the same name')
  const stored = await add([['t', text]], 'cid-version=1')
  assert.equal((await fs.addBytes(text)).toString(), stored.toString())
})

process.stdout.write(`${checks} flows of helia passed\n`)
process.exit(0)
