// kubo-rpc-client against cloister-store. Usage: run.mjs RPC_URL GATEWAY_URL MODULES
// CIDs: "hello world" as `ipfs add` gives it; the pattern rows are ipfs-unixfs-importer 17.1.1's.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [rpc, gateway, modules] = process.argv.slice(2)
const require = createRequire(`${modules}/x.js`)
const load = async (name) => import(pathToFileURL(require.resolve(name)))
const { create, CID } = await load('kubo-rpc-client')

const ipfs = create({ url: `${rpc}/api/v0` })
const hello = new TextEncoder().encode('hello world')
const helloV1 = 'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'
const helloV0 = 'Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD'
let checks = 0

const collect = async (it) => {
  const parts = []
  for await (const p of it) parts.push(p)
  return Buffer.concat(parts)
}
const all = async (it) => {
  const out = []
  for await (const v of it) out.push(v)
  return out
}
const test = async (name, fn) => {
  try {
    await fn()
    checks++
  } catch (e) {
    console.error(`FAIL ${name}: ${e.stack}`)
    process.exit(1)
  }
}
const pattern = (n) => {
  const b = new Uint8Array(n)
  for (let i = 0; i < n; i++) b[i] = (i * 31 + (i >> 8) * 17 + (i >> 16) * 7) & 255
  return b
}

await test('version, id, stat', async () => {
  assert.equal(typeof (await ipfs.version()).version, 'string')
  assert.match((await ipfs.id()).id.toString(), /^Qm/)
  assert.equal(typeof (await ipfs.repo.stat()).numObjects, 'bigint')
})
await test('add v0 and v1', async () => {
  assert.equal((await ipfs.add(hello)).cid.toString(), helloV0)
  const r = await ipfs.add({ path: 'hello.txt', content: hello },
    { cidVersion: 1, rawLeaves: true, pin: true })
  assert.equal(r.cid.toString(), helloV1)
  assert.equal(r.path, 'hello.txt')
  assert.equal(r.size, 11)
})
await test('larger files in three layouts', async () => {
  const n = 3500000
  const content = pattern(n)
  const rows = [
    [{ cidVersion: 1, chunker: 'size-1048576', maxFileLinks: 1024 }],
    [{ cidVersion: 1 }],
    [{ cidVersion: 0 }]
  ]
  for (const [options] of rows) {
    let told = 0
    const r = await ipfs.add(content, { ...options, progress: (bytes) => { told = bytes } })
    assert.equal(told, n)
    assert.ok(Buffer.from(content).equals(await collect(ipfs.cat(r.cid))))
    const part = await collect(ipfs.cat(r.cid, { offset: 262140, length: 1000000 }))
    assert.ok(Buffer.from(content.subarray(262140, 1262140)).equals(part))
    const got = await fetch(`${gateway}/ipfs/${r.cid}`)
    assert.ok(Buffer.from(content).equals(Buffer.from(await got.arrayBuffer())))
  }
  assert.equal((await ipfs.add(pattern(262143), { cidVersion: 1 })).cid.toString(),
    'bafkreih2wtlmo64i345cd5tekxppqq5yh53tlowxdfyrhribgw3h262neu')
  assert.equal((await ipfs.add(pattern(262143))).cid.toString(),
    'QmWrhMr2ezHVZ5ikXbAXUTfpzMMrvir85mC1EPuREVUHF8')
})
await test('an endless source in pieces', async () => {
  const pieces = async function * () { for (let i = 0; i < 300; i++) yield pattern(10007) }
  const r = await ipfs.add(pieces(), { cidVersion: 1 })
  assert.equal((await collect(ipfs.cat(r.cid))).length, 300 * 10007)
})
await test('only-hash', async () => {
  const r = await ipfs.add('never stored', { onlyHash: true, cidVersion: 1 })
  await assert.rejects(ipfs.block.get(r.cid), /is not here/)
})
await test('folders', async () => {
  const out = await all(ipfs.addAll(
    [{ path: 'd/a', content: '1' }, { path: 'd/b', content: '2' }],
    { wrapWithDirectory: true, cidVersion: 1 }))
  assert.deepEqual(out.map((e) => e.path), ['d/a', 'd/b', 'd', ''])
  const root = out[3].cid
  assert.equal((await collect(ipfs.cat(`/ipfs/${root}/d/b`))).toString(), '2')
  const names = (await all(ipfs.ls(`/ipfs/${root}/d`))).map((e) => [e.name, e.type, e.size])
  assert.deepEqual(names, [['a', 'file', 1], ['b', 'file', 1]])
})
await test('blocks', async () => {
  const cid = await ipfs.block.put(hello, { format: 'raw' })
  assert.equal(cid.toString(), helloV1)
  assert.equal(Buffer.from(await ipfs.block.get(cid)).toString(), 'hello world')
  assert.equal((await ipfs.block.stat(cid)).size, 11)
  const other = await ipfs.block.put(new TextEncoder().encode('to be removed'))
  const [gone] = await all(ipfs.block.rm(other))
  assert.equal(gone.error, undefined)
  await assert.rejects(ipfs.block.get(other), /is not here/)
  const [kept] = await all(ipfs.block.rm(CID.parse(helloV1)))
  assert.match(kept.error.message, /pinned/)
})
await test('pins', async () => {
  const { cid } = await ipfs.add('pin me', { cidVersion: 1, pin: false })
  await assert.rejects(all(ipfs.pin.ls({ paths: cid })), /not pinned/)
  assert.equal((await ipfs.pin.add(cid)).toString(), cid.toString())
  const listed = await all(ipfs.pin.ls({ type: 'recursive' }))
  assert.ok(listed.some((p) => p.cid.equals(cid) && p.type === 'recursive'))
  assert.equal((await ipfs.pin.rm(cid)).toString(), cid.toString())
  await assert.rejects(ipfs.pin.rm(cid), /not pinned/)
})
await test('archives', async () => {
  const car = await collect(ipfs.dag.export(CID.parse(helloV1)))
  assert.equal(car.length, 107)
  const [{ root }] = await all(ipfs.dag.import([car]))
  assert.equal(root.cid.toString(), helloV1)
  assert.equal(root.pinErrorMsg, '')
})
await test('collection', async () => {
  const { cid } = await ipfs.add('garbage', { cidVersion: 1, pin: false })
  const removed = await all(ipfs.repo.gc())
  assert.ok(removed.some((r) => r.cid !== undefined && r.cid.equals(cid)))
  await assert.rejects(ipfs.block.get(cid), /is not here/)
  assert.equal((await collect(ipfs.cat(helloV0))).toString(), 'hello world')
})
await test('two hundred adds at once', async () => {
  const out = await Promise.all(Array.from({ length: 200 }, (_, i) =>
    ipfs.add(`file ${i}`, { cidVersion: 1 })))
  for (const [i, { cid }] of out.entries()) {
    assert.equal((await collect(ipfs.cat(cid))).toString(), `file ${i}`)
  }
})
await test('trustless gateway', async () => {
  const raw = await fetch(`${gateway}/ipfs/${helloV1}`,
    { headers: { accept: 'application/vnd.ipld.raw' } })
  assert.equal(raw.headers.get('content-type'), 'application/vnd.ipld.raw')
  assert.equal(raw.headers.get('etag'), `"${helloV1}.raw"`)
  assert.equal(await raw.text(), 'hello world')
})
console.log(`${checks} groups of kubo-rpc-client calls agree`)
