// What commands, queries and channels are made of: bytes, lengths, HPKE; and the errors of all of them.
import { Aes256Gcm, CipherSuite, HkdfSha256 } from '@hpke/core';
import { DhkemX25519HkdfSha256 } from '@hpke/dhkem-x25519';

export const CLASS_MIN = 128; // bytes; what is padded with zeros
const JSON_CLASS_MIN = 512;
const ENC = 32; // bytes of an HPKE key before the ciphertext
export const STATUS = [null, 'done', 'reverted', 'trapped', 'unreadable', 'no contract'];

export const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

/** A worker refuses: `code` says how (again, not found, denied, malformed, limit, …). */
export class WorkerError extends Error {
  constructor(message, code) {
    super(`worker: ${message}`);
    this.name = 'WorkerError';
    this.code = code;
  }
}

/** A worker's answer that is not believed: it is not signed by its key, or not what the chain confirmed. */
export class BadAnswer extends Error {
  constructor(message, options) {
    super(`reply: ${message}`, options);
    this.name = 'BadAnswer';
  }
}

/** The channel is over, and with it what was asked on it and not answered. `code` is WebSocket's; 1006: the line broke. */
export class ChannelClosed extends Error {
  constructor(message, code, options) {
    super(`channel: ${message}`, options);
    this.name = 'ChannelClosed';
    this.code = code;
  }
}

// ---- bytes ----

export const text = (s) => new TextEncoder().encode(s);

export function bytes(v, what, size) {
  let out = v;
  if (typeof v === 'string') {
    if (!/^0x([0-9a-fA-F]{2})*$/.test(v)) throw new TypeError(`${what}: not 0x and hexadecimal digits`);
    out = Uint8Array.from(v.slice(2).match(/../g) ?? [], (h) => parseInt(h, 16));
  }
  if (!(out instanceof Uint8Array)) throw new TypeError(`${what}: neither a 0x string nor a Uint8Array`);
  if (size !== undefined && out.length !== size) {
    throw new RangeError(`${what}: ${out.length} bytes, ${size} are needed`);
  }
  return out;
}

export function hex(b) {
  return '0x' + Array.from(b, (x) => x.toString(16).padStart(2, '0')).join('');
}

export function concat(...parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

export function number(v, size, what) {
  const n = BigInt(v);
  if (n < 0n || n >> BigInt(8 * size) !== 0n) throw new RangeError(`${what}: ${n} is not in ${8 * size} bits`);
  return bytes('0x' + n.toString(16).padStart(2 * size, '0'), what);
}

export const u64 = (v, what) => number(v, 8, what);
export const word = (v, what) => number(v, 32, what);
export const lp = (b) => concat(number(b.length, 4, 'length'), b);

export function classOf(n, least) {
  let size = least;
  while (size < n) size *= 2;
  return size;
}

/** JSON with spaces after it: how long it is tells no more than its power of two. */
export function paddedJson(o) {
  const plain = text(JSON.stringify(o));
  const padded = new Uint8Array(classOf(plain.length, JSON_CLASS_MIN)).fill(0x20);
  padded.set(plain);
  return padded;
}

// ---- HPKE ----

// Whole buffers of their own: WebCrypto takes no views into others.
export const own = (b) => Uint8Array.from(b).buffer;

export async function seal(publicKey, info, aad, plain) {
  const key = await suite.kem.deserializePublicKey(own(publicKey));
  const { ct, enc } = await suite.seal({ recipientPublicKey: key, info: own(text(info)) }, own(plain), own(aad));
  return concat(new Uint8Array(enc), new Uint8Array(ct));
}

export async function open(privateKey, info, aad, sealed) {
  if (sealed.length < ENC + 16) throw new Error(`${info}: ${sealed.length} bytes are too short`);
  const key = await suite.kem.deserializePrivateKey(own(privateKey));
  try {
    const plain = await suite.open(
      { recipientKey: key, enc: own(sealed.subarray(0, ENC)), info: own(text(info)) },
      own(sealed.subarray(ENC)), own(aad));
    return new Uint8Array(plain);
  } catch {
    throw new Error(`${info}: does not open: made for another key or context, or altered`);
  }
}

/** A new X25519 key pair: receipts and answers are sealed to it. */
export async function generateReplyKey() {
  const pair = await suite.kem.generateKeyPair();
  return {
    privateKey: new Uint8Array(await suite.kem.serializePrivateKey(pair.privateKey)),
    publicKey: new Uint8Array(await suite.kem.serializePublicKey(pair.publicKey)),
  };
}
