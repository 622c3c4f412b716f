// clients/js against tests/cluster/vectors.json, which an implementation in Python made from
// docs/confidential.md: envelopes open there, receipts and answers made there open here.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { Aes256Gcm, CipherSuite, HkdfSha256 } from '@hpke/core';
import { DhkemX25519HkdfSha256 } from '@hpke/dhkem-x25519';
import { BadAnswer, WorkerError, commandTransaction, gasClass, generateReplyKey, openAnswer, openReceipt, query, queryTypedData, receipt,
  registryAbi, sealCommand } from '@cloister/client';
import { AbiCoder, Interface, TypedDataEncoder } from 'ethers';
import { parseAbi } from 'viem';

const v = JSON.parse(fs.readFileSync(process.argv[2]));
const network = { chainId: v.chain_id, genesis: v.genesis };
const buffer = (h) => Uint8Array.from(Buffer.from(h.slice(2), 'hex')).buffer;
const suite = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
let passed = 0;

async function test(name, fn) {
  await fn();
  passed++;
}

await test('receipts open', async () => {
  const names = [null, 'done', 'reverted', 'trapped', 'unreadable', 'no contract'];
  for (const r of v.receipts) {
    const context = { ...network, cluster: v.cluster, index: r.index, replyPrivateKey: r.reply_secret };
    const got = await openReceipt({ ...context, sealed: r.sealed });
    assert.deepEqual(got, { status: names[r.status], output: r.output });
    await assert.rejects(openReceipt({ ...context, index: r.index + 1, sealed: r.sealed }), /does not open/);
    const altered = r.sealed.slice(0, -2) + (r.sealed.endsWith('00') ? '01' : '00');
    await assert.rejects(openReceipt({ ...context, sealed: altered }), /does not open/);
    await assert.rejects(openReceipt({ ...context, sealed: '0x00' }), /too short/);
  }
});

await test('a receipt has one form', async () => {
  const r = v.receipts[0];
  const { publicKey, privateKey } = await generateReplyKey();
  const context = { ...network, cluster: v.cluster, index: r.index, replyPrivateKey: privateKey };
  const u64 = (n) => '00000008' + BigInt(n).toString(16).padStart(16, '0');
  const aad = buffer('0x' + u64(v.chain_id) + '00000020' + v.genesis.slice(2) + u64(v.cluster) + u64(r.index));
  const open = async (size, bytes) => {
    const plain = new Uint8Array(size);
    for (const [at, b] of Object.entries(bytes)) plain[at] = b;
    const recipientPublicKey = await suite.kem.deserializePublicKey(Uint8Array.from(publicKey).buffer);
    const { ct, enc } = await suite.seal({ recipientPublicKey, info: new TextEncoder().encode('cloister/cluster/receipt/v1').buffer },
      plain.buffer, aad);
    return openReceipt({ ...context, sealed: new Uint8Array(Buffer.concat([Buffer.from(enc), Buffer.from(ct)])) });
  };
  assert.deepEqual(await open(128, { 0: 1, 1: 5, 5: 1, 6: 7 }), { status: 'no contract', output: '0x07' });
  assert.equal((await open(8192, { 0: 1, 1: 1, 4: 16 })).output.length, 2 + 2 * 4096);
  for (const [size, bytes] of [[128, { 0: 2, 1: 1 }], [128, { 0: 1 }], [128, { 0: 1, 1: 6 }], [128, { 0: 1, 1: 1, 5: 1, 7: 1 }],
    [128, { 0: 1, 1: 1, 127: 1 }], [256, { 0: 1, 1: 1 }], [64, { 0: 1, 1: 1 }], [128, { 0: 1, 1: 1, 5: 123 }], [5, { 0: 1, 1: 1 }],
    [8192, { 0: 1, 1: 1, 4: 16, 5: 1 }]]) {
    await assert.rejects(open(size, bytes), /not in a receipt's form/, JSON.stringify([size, bytes]));
  }
});

await test('what a worker says about a receipt', async () => {
  const ask = (status, body) => receipt({ ...network, url: 'http://worker', cluster: v.cluster, index: v.receipts[0].index,
    replyPrivateKey: v.receipts[0].reply_secret, fetch: async (url) => {
      assert.equal(String(url), `http://worker/contracts/receipt?cluster=${v.cluster}&index=${v.receipts[0].index}`);
      return Response.json(body, { status });
    } });
  const coded = (code) => ({ detail: { error: { code, message: 'x' } } });
  assert.equal(await ask(404, coded('RECEIPT_NOT_YET')), null);
  await assert.rejects(ask(404, coded('RECEIPT_NONE')), (e) => e instanceof WorkerError && e.code === 'RECEIPT_NONE');
  await assert.rejects(ask(200, { sealed: '0x00' }), /too short/);
  await assert.rejects(ask(503, {}), (e) => e instanceof WorkerError && /503/.test(e.message));
  assert.equal((await ask(200, { sealed: v.receipts[0].sealed })).output, v.receipts[0].output);
});

// The other direction: what sealCommand makes has the document's form, byte by byte.
await test('envelopes are the document\'s', async () => {
  for (const x of v.envelopes) {
    const keys = v.keys[x.keys];
    const c = {
      ...network, contract: keys.contract, sender: x.sender, sequence: x.sequence, expiry: x.expiry, gas: x.gas,
      epoch: keys.epoch, codeHash: x.code_hash, publicKey: keys.public, calldata: x.calldata, replyKey: x.reply,
    };
    const ours = await sealCommand(c);
    assert.equal(ours.length, x.sealed.length);
    assert.equal(ours.slice(0, 20), x.sealed.slice(0, 20));
    const lp = (h) => (h.length / 2 - 1).toString(16).padStart(8, '0') + h.slice(2);
    const u64 = (n) => '0x' + BigInt(n).toString(16).padStart(16, '0');
    const aad = '0x' + lp(u64(v.chain_id)) + lp(v.genesis) + lp(keys.contract) + lp(x.sender) + lp(u64(x.sequence)) +
      lp(u64(x.expiry)) + lp(u64(x.gas)) + lp(u64(keys.epoch)) + lp(x.code_hash);
    const plain = [];
    for (const sealed of [ours, x.sealed]) {
      const b = buffer(sealed);
      plain.push(Buffer.from(await suite.open({
        recipientKey: await suite.kem.deserializePrivateKey(buffer(keys.receive)), enc: b.slice(9, 41),
        info: new TextEncoder().encode('cloister/cluster/command/v1').buffer,
      }, b.slice(41), buffer(aad))).toString('hex'));
    }
    assert.equal(plain[0], plain[1]);
  }
  await assert.rejects(sealCommand({ ...network, calldata: new Uint8Array(32732) }), /at most 32731/);
  await assert.rejects(sealCommand({ ...network, calldata: '0x1' }), /hexadecimal/);
  const x = v.envelopes[0];
  for (const sequence of [-1n, 1n << 64n]) {
    await assert.rejects(sealCommand({ ...network, contract: v.keys[0].contract, sender: x.sender, sequence, expiry: 1, gas: 1, epoch: 1,
      codeHash: x.code_hash, publicKey: v.keys[0].public, calldata: '0x' }), RangeError);
  }
});

await test('the transaction is send(...)', () => {
  const x = v.envelopes[1];
  const t = commandTransaction({
    registry: v.registry, contract: v.keys[0].contract, sequence: 3, expiry: 4, gas: gasClass(70000), gasPrice: 5n,
    value: 7n, payload: x.sealed,
  });
  const abi = new Interface(['function send(address,uint64,uint64,uint64,uint8,bytes) payable returns (uint64)']);
  assert.equal(t.data, abi.encodeFunctionData('send', [v.keys[0].contract, 3, 4, 131072, 1, x.sealed]));
  assert.equal(t.value, 131072n * 5n + 7n);
  assert.equal(t.to, v.registry);
  assert.equal(new Interface(registryAbi).fragments.length, parseAbi(registryAbi).length);
  assert.equal(AbiCoder.defaultAbiCoder().encode(['uint256'], [1]).length, 66);
});

const s = v.signed;
const asked = {
  ...network, registry: v.registry, contract: v.keys[0].contract, worker: s.worker, data: s.data, nonce: s.nonce,
  minimumHeight: 900, expiry: 1700000000, commitSigner: v.query.commit_signer,
};

await test('queries are signed as the document says', () => {
  const d = queryTypedData(asked);
  assert.equal(TypedDataEncoder.hash(d.domain, d.types, d.message), s.query);
});

await test('answers open and are checked', async () => {
  const got = await openAnswer(asked, v.query.reply_secret, v.query.answer);
  assert.deepEqual(got, { batch: 12n, height: 910n, root: s.after, status: 'done', result: s.result });
  await assert.rejects(openAnswer({ ...asked, commitSigner: s.worker }, v.query.reply_secret, v.query.answer),
    /not signed by/);
  await assert.rejects(openAnswer({ ...asked, nonce: s.after }, v.query.reply_secret, v.query.answer),
    (e) => e instanceof BadAnswer && /does not open/.test(e.message));
});

await test('what a worker says instead of an answer', async () => {
  const ask = (body, status) => query({ ...asked, url: 'http://worker', receiveKey: v.keys[0].public,
    fetch: async () => new Response(body, { status }) });
  await assert.rejects(ask(JSON.stringify({ detail: { error: { code: 'QUERY_MALFORMED', message: 'no' } } }), 400),
    (e) => e instanceof WorkerError && e.code === 'QUERY_MALFORMED' && /HTTP 400: no$/.test(e.message));
  await assert.rejects(ask('<html>', 502), (e) => e instanceof WorkerError && /HTTP 502: no reason/.test(e.message));
  for (const body of ['<html>', 'null', '{}', '{"sealed":"0x00"}', `{"sealed":"${v.query.answer}"}`]) {
    await assert.rejects(ask(body, 200), BadAnswer, body);
  }
});

console.log(`vectors: ${passed} passed, 0 failed`);
