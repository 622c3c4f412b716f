// Many queries to one worker over one WebSocket: docs/confidential.md, "Channels".
// Trust: the worker's keys are the caller's word. The line is anybody's: each message opens under keys that only this
// worker and we have, in its place, or the channel ends.
import { BadAnswer, ChannelClosed, WorkerError, bytes, concat, hex, lp, own, paddedJson, suite, text, u64 } from './wire.js';
import { believed, callerOrNobody, domain, newNonce, secondsFromNow } from './queries.js';

const INFO = 'cloister/cluster/channel/v1';
const REPLY_KEY = 'cloister/cluster/channel/reply/v1 key';
const REPLY_NONCE = 'cloister/cluster/channel/reply/v1 nonce';
const VALID_S = 1800; // a worker takes at most an hour, by its own clock
const SILENCE_MS = 30000; // with something due the worker is gone, whatever the line says

/** What a caller signs to be known to the contracts asked on a channel: `key` is the channel's. */
export function channelTypedData(c) {
  return {
    domain: domain(c),
    types: {
      Channel: [
        { name: 'worker', type: 'address' }, { name: 'key', type: 'bytes32' }, { name: 'challenge', type: 'bytes32' },
        { name: 'expiry', type: 'uint64' },
      ],
    },
    primaryType: 'Channel',
    message: {
      worker: hex(bytes(c.worker, 'worker', 20)), key: hex(bytes(c.key, 'key', 32)),
      challenge: hex(bytes(c.challenge, 'challenge', 32)), expiry: BigInt(c.expiry),
    },
  };
}

// Messages in the order in which they come, and the one end of them. More than are `due` end it: nothing piles up.
class Line {
  #socket;
  #url;
  #due = 1; // the challenge
  #come = [];
  #waiting = null;
  #timer = null;
  #end = null;

  constructor(Socket, url) {
    this.#url = url;
    this.#socket = new Socket(url);
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.addEventListener('message', ({ data }) => this.#take(data));
    // Not every platform closes what could not be connected.
    this.#socket.addEventListener('error', ({ message }) => this.end(1006, message || 'no connection, or a broken one'));
    this.#socket.addEventListener('close', ({ code, reason }) => this.end(code, reason || `closed (${code})`));
    this.#watch();
  }

  #watch() {
    clearTimeout(this.#timer);
    if (this.#due > 0 && !this.isOver) {
      this.#timer = setTimeout(() => this.end(1006, `no answer in ${SILENCE_MS / 1000} s`), SILENCE_MS);
    }
  }

  get isOver() {
    return this.#end !== null;
  }

  #take(data) {
    if (this.isOver) return;
    if (typeof data === 'string') return this.end(1002, 'the worker sent text');
    if (this.#due === 0) return this.end(1002, 'the worker sent what nobody asked for');
    this.#due--;
    this.#watch();
    if (this.#waiting === null) return this.#come.push(new Uint8Array(data));
    this.#waiting.resolve(new Uint8Array(data));
    this.#waiting = null;
  }

  // The first end counts.
  end(code, why, cause) {
    if (this.isOver) return;
    this.#end = new ChannelClosed(`${this.#url}: ${why}`, code, { cause });
    this.#waiting?.reject(this.#end);
    this.#watch();
    this.#socket.close();
  }

  check() {
    if (this.isOver) throw this.#end;
  }

  // One answer is due for each message.
  send(message) {
    this.check();
    this.#socket.send(message);
    if (this.#due++ === 0) this.#watch();
  }

  next() {
    if (this.#come.length > 0) return Promise.resolve(this.#come.shift());
    if (this.isOver) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => { this.#waiting = { resolve, reject }; });
  }
}

class Channel {
  #worker; // what its answers are signed with and over
  #line;
  #sender; // HPKE context: message i of ours
  #replies; // key and first nonce of the other direction
  #opened = 0; // messages of the worker
  #asked = []; // queries not answered yet
  #sending = Promise.resolve();

  constructor(worker, line, sender, replies) {
    this.#worker = worker;
    this.#line = line;
    this.#sender = sender;
    this.#replies = replies;
  }

  async next() {
    const message = await this.#line.next();
    const nonce = Uint8Array.from(this.#replies.nonce);
    const tail = new DataView(nonce.buffer, 8);
    tail.setUint32(0, tail.getUint32(0) ^ this.#opened++);
    try {
      return new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv: nonce }, this.#replies.key, message));
    } catch (cause) {
      this.#line.end(1002, 'an answer does not open: another worker\'s, out of its place, or altered', cause);
      return this.#line.check();
    }
  }

  // Until the end, which is everybody's who waits.
  async serve() {
    try {
      for (;;) {
        const plain = await this.next();
        const { q, resolve, reject } = this.#asked.shift();
        try {
          resolve(believed(q, plain));
        } catch (e) {
          reject(e);
        }
      }
    } catch (e) {
      for (const { reject } of this.#asked.splice(0)) reject(e);
    }
  }

  query({ contract, data, minimumHeight = 0 }) {
    return new Promise((resolve, reject) => {
      const q = { ...this.#worker, contract, data, nonce: newNonce() };
      const plain = paddedJson({
        contract: hex(bytes(contract, 'contract', 20)), data: hex(bytes(data, 'data')), nonce: hex(q.nonce),
        minimum_height: Number(minimumHeight),
      });
      // One after the other: a message's number is its place on the line.
      this.#sending = this.#sending.then(async () => {
        this.#line.send(await this.#sender.seal(own(plain)));
        this.#asked.push({ q, resolve, reject });
      }).catch(reject);
    });
  }

  close() {
    this.#line.end(1000, 'closed here');
  }
}

async function opened(o, worker, line) {
  const first = await line.next();
  if (first.length !== 33 || first[0] !== 1) throw new BadAnswer('the worker did not begin with a challenge');
  const challenge = first.subarray(1);
  const sender = await suite.createSenderContext({
    recipientPublicKey: await suite.kem.deserializePublicKey(own(worker.receiveKey)), info: own(text(INFO)),
  });
  const enc = new Uint8Array(sender.enc);
  const expiry = o.expiry ?? secondsFromNow(VALID_S);
  const opening = { expiry: Number(expiry) };
  if (o.caller !== undefined) {
    opening.caller = hex(bytes(o.caller, 'caller', 20));
    opening.signature = await o.signTypedData(channelTypedData({ ...o, key: enc, challenge, expiry }));
  }
  const aad = concat(lp(u64(o.chainId, 'chainId')), lp(worker.genesis), lp(worker.worker), lp(challenge));
  const replies = {
    key: await crypto.subtle.importKey('raw', await sender.export(own(text(REPLY_KEY)), 32), 'AES-GCM', false, ['decrypt']),
    nonce: new Uint8Array(await sender.export(own(text(REPLY_NONCE)), 12)),
  };
  const sealed = await sender.seal(own(paddedJson(opening)), own(aad));
  const channel = new Channel(worker, line, sender, replies);
  line.send(concat(enc, new Uint8Array(sealed)));
  let said;
  const plain = await channel.next();
  try {
    said = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(plain));
  } catch (cause) {
    throw new BadAnswer('to the opening: it is not JSON', { cause });
  }
  if (said?.error) throw new WorkerError(said.error.message, said.error.code);
  channel.serve();
  return { channel, expiry: BigInt(expiry) };
}

/**
 * Open a channel to a worker: {query, close, expiry}. `query` may be called again before answers have come; they come
 * in order, each checked as those of `query` are.
 */
export async function openChannel(o) {
  callerOrNobody(o);
  const Socket = o.WebSocket ?? globalThis.WebSocket;
  if (Socket === undefined) {
    throw new TypeError('this platform has no WebSocket (Node has one from 22 on): give one, as of the package ws');
  }
  const worker = {
    chainId: o.chainId, registry: bytes(o.registry, 'registry', 20), genesis: bytes(o.genesis, 'genesis', 32),
    worker: bytes(o.worker, 'worker', 20), receiveKey: bytes(o.receiveKey, 'receiveKey', 32),
    commitSigner: bytes(o.commitSigner, 'commitSigner', 20),
  };
  const url = new URL('/contracts/channel', o.url);
  url.protocol = url.protocol.replace('http', 'ws');
  const line = new Line(Socket, url.href);
  try {
    const { channel, expiry } = await opened(o, worker, line);
    return { expiry, query: (q) => channel.query(q), close: () => channel.close() };
  } catch (e) {
    line.end(1000, 'not opened', e);
    throw e;
  }
}
