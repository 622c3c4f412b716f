// clients/js against tests/cluster/vectors.json, which an implementation in Python made from
// docs/confidential.md: envelopes open there, receipts and answers made there open here.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { Aes256Gcm, CipherSuite, HkdfSha256 } from '@hpke/core';
import { DhkemX25519HkdfSha256 } from '@hpke/dhkem-x25519';
import { commandTransaction, gasClass, openAnswer, openReceipt, queryTypedData, registryAbi, sealCommand } from '@cloister/client';
import { AbiCoder, Interface, TypedDataEncoder } from 'ethers';
import { parseAbi } from 'viem';

const v = JSON.parse(fs.readFileSync(process.argv[2]));
const network = { chainId: v.chain_id, genesis: v.genesis };
const buffer = (h) => Uint8Array.from(Buffer.from(h.slice(2), 'hex')).buffer;
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

// The other direction: what sealCommand makes has the document's form, byte by byte.
await test('envelopes are the document\'s', async () => {
  const suite = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
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
  await assert.rejects(openAnswer({ ...asked, nonce: s.after }, v.query.reply_secret, v.query.answer), /does not open/);
});

console.log(`vectors: ${passed} passed, 0 failed`);
