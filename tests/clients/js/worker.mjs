// A worker written from docs/confidential.md, in place of a real one: it can be made to lie.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Aes256Gcm, CipherSuite, HkdfSha256 } from '@hpke/core';
import { DhkemX25519HkdfSha256 } from '@hpke/dhkem-x25519';
import { generateReplyKey } from '@cloister/client';
import { Wallet, concat, getBytes, hexlify, keccak256, toBeHex } from 'ethers';

const suite = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
const text = (s) => new TextEncoder().encode(s);
const own = (b) => Uint8Array.from(b).buffer;
const lp = (h) => concat([toBeHex(getBytes(h).length, 4), h]);
export const chainId = 31337;
export const genesis = '0x' + 'a1'.repeat(32);
export const registry = '0x' + 'b2'.repeat(20);
export const contract = '0x' + 'c3'.repeat(20);
export const commitKey = Wallet.createRandom();
export const account = Wallet.createRandom().address.toLowerCase();
export const receive = await generateReplyKey();
export const domain = { name: 'Cloister', version: '1', chainId, verifyingContract: registry };

async function receiver(enc, info) {
  return suite.createRecipientContext({ recipientKey: await suite.kem.deserializePrivateKey(own(receive.privateKey)), enc,
    info: text(info) });
}

const hashOf = (q) => keccak256(concat([lp(q.contract), lp(q.data), lp(q.nonce)]));
const where = (...more) => getBytes(concat([lp(toBeHex(chainId, 8)), lp(genesis), lp(account), ...more.map(lp)]));

// `change` replaces what it does: answer, state, signer.
export class Worker {
  constructor(change = {}) {
    Object.assign(this, change);
    this.queries = [];
    this.http = createServer((request, response) => this.post(request, response)).listen(0, '127.0.0.1');
  }

  get url() {
    return `http://127.0.0.1:${this.http.address().port}`;
  }

  state = { batch: 3, height: 9, root: '0x' + 'd4'.repeat(32) };

  async answer(q) {
    const r = { ...this.state, contractAddress: q.contract, queryHash: hashOf(q), status: 1, resultHash: keccak256(q.data) };
    const signature = await (this.signer ?? commitKey).signTypedData(domain, { Reply: [
      { name: 'contractAddress', type: 'address' }, { name: 'queryHash', type: 'bytes32' }, { name: 'batch', type: 'uint64' },
      { name: 'height', type: 'uint64' }, { name: 'root', type: 'bytes32' }, { name: 'status', type: 'uint8' },
      { name: 'resultHash', type: 'bytes32' }] }, r);
    return { ...this.state, status: 1, result: q.data, signature };
  }

  // One query over HTTP.
  async post(request, response) {
    const parts = [];
    for await (const part of request) parts.push(part);
    const sealed = getBytes(JSON.parse(Buffer.concat(parts)).sealed);
    const context = await receiver(own(sealed.subarray(0, 32)), 'cloister/cluster/query/v1');
    const q = JSON.parse(new TextDecoder().decode(await context.open(own(sealed.subarray(32)), own(where()))));
    this.queries.push({ q });
    const sender = await suite.createSenderContext({ info: text('cloister/cluster/reply/v1'),
      recipientPublicKey: await suite.kem.deserializePublicKey(own(getBytes(q.reply_key))) });
    const ct = await sender.seal(text(JSON.stringify(await this.answer(q, this.queries.length))), own(where(hashOf(q))));
    response.end(JSON.stringify({ sealed: hexlify(concat([new Uint8Array(sender.enc), new Uint8Array(ct)])) }));
  }

  context() {
    return { chainId, genesis, registry, url: this.url, worker: account, receiveKey: receive.publicKey,
      commitSigner: commitKey.address };
  }
}

export async function workerThat(change, fn) {
  const worker = new Worker(change);
  await once(worker.http, 'listening');
  try {
    await fn(worker);
  } finally {
    worker.http.close();
  }
}

