// A worker written from docs/confidential.md, in place of a real one: it can be made to lie. It has the sockets of the
// package ws.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Aes256Gcm, CipherSuite, HkdfSha256 } from '@hpke/core';
import { DhkemX25519HkdfSha256 } from '@hpke/dhkem-x25519';
import { generateReplyKey, openChannel } from '@cloister/client';
import { Wallet, concat, getBytes, hexlify, keccak256, toBeHex } from 'ethers';
import * as ws from 'ws';

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
export const WebSocket = globalThis.WebSocket ?? ws.WebSocket; // the platform's, where it has one
export const domain = { name: 'Cloister', version: '1', chainId, verifyingContract: registry };

async function receiver(enc, info) {
  return suite.createRecipientContext({ recipientKey: await suite.kem.deserializePrivateKey(own(receive.privateKey)), enc,
    info: text(info) });
}

const hashOf = (q) => keccak256(concat([lp(q.contract), lp(q.data), lp(q.nonce)]));
const where = (...more) => getBytes(concat([lp(toBeHex(chainId, 8)), lp(genesis), lp(account), ...more.map(lp)]));

// `change` replaces what it does: first, opened, answer, frames, state, signer.
export class Worker {
  constructor(change = {}) {
    Object.assign(this, change);
    this.queries = [];
    this.http = createServer((request, response) => this.post(request, response)).listen(0, '127.0.0.1');
    this.server = new ws.WebSocketServer({ server: this.http });
    this.server.on('connection', (socket, request) => this.serve(socket, request));
  }

  get url() {
    return `http://127.0.0.1:${this.http.address().port}`;
  }

  state = { batch: 3, height: 9, root: '0x' + 'd4'.repeat(32) };
  challenge = crypto.getRandomValues(new Uint8Array(32));

  first() {
    return concat(['0x01', this.challenge]);
  }

  opened() {
    return { height: 7 };
  }

  async answer(q) {
    const r = { ...this.state, contractAddress: q.contract, queryHash: hashOf(q), status: 1, resultHash: keccak256(q.data) };
    const signature = await (this.signer ?? commitKey).signTypedData(domain, { Reply: [
      { name: 'contractAddress', type: 'address' }, { name: 'queryHash', type: 'bytes32' }, { name: 'batch', type: 'uint64' },
      { name: 'height', type: 'uint64' }, { name: 'root', type: 'bytes32' }, { name: 'status', type: 'uint8' },
      { name: 'resultHash', type: 'bytes32' }] }, r);
    return { ...this.state, status: 1, result: q.data, signature };
  }

  frames(socket, sealed) {
    socket.send(sealed);
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

  async serve(socket, request) {
    this.path = request.url;
    this.socket = socket;
    socket.binaryType = 'arraybuffer';
    let context, key, nonce, sent = 0, turn = Promise.resolve();
    const put = async (o) => {
      const iv = Uint8Array.from(nonce);
      new DataView(iv.buffer).setUint32(8, new DataView(iv.buffer).getUint32(8) ^ sent);
      const plain = text(typeof o === 'string' ? o : JSON.stringify(o));
      this.frames(socket, new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, plain)), sent++);
    };
    const take = async (message) => {
      if (context === undefined) {
        const enc = message.slice(0, 32);
        context = await receiver(enc, 'cloister/cluster/channel/v1');
        const plain = await context.open(message.slice(32), own(where(this.challenge)));
        this.opening = { enc: new Uint8Array(enc), size: plain.byteLength, said: JSON.parse(new TextDecoder().decode(plain)) };
        key = await crypto.subtle.importKey('raw', await context.export(text('cloister/cluster/channel/reply/v1 key'), 32),
          'AES-GCM', false, ['encrypt']);
        nonce = new Uint8Array(await context.export(text('cloister/cluster/channel/reply/v1 nonce'), 12));
        return put(await this.opened(socket));
      }
      const plain = await context.open(message);
      const q = JSON.parse(new TextDecoder().decode(plain));
      this.queries.push({ size: plain.byteLength, q });
      return put(await this.answer(q, this.queries.length, socket));
    };
    socket.on('message', (message) => {
      turn = turn.then(() => take(message)).catch((e) => { this.error = e; socket.close(1002); });
    });
    if (this.first() !== null) socket.send(getBytes(this.first()));
  }

  context() {
    return { chainId, genesis, registry, url: this.url, worker: account, receiveKey: receive.publicKey,
      commitSigner: commitKey.address, WebSocket };
  }

  open(change = {}) {
    return openChannel({ ...this.context(), ...change });
  }
}

export async function workerThat(change, fn) {
  const worker = new Worker(change);
  await once(worker.http, 'listening');
  try {
    await fn(worker);
    assert.equal(worker.error, undefined);
  } finally {
    for (const c of worker.server.clients) c.terminate();
    worker.http.close();
  }
}

