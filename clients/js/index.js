// Confidential contracts from JavaScript: docs/confidential.md says what every byte here is.
// Trust: keys and records are the caller's; what workers answer is not believed before it is checked.
import { Aes256Gcm, CipherSuite, HkdfSha256 } from '@hpke/core';
import { DhkemX25519HkdfSha256 } from '@hpke/dhkem-x25519';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';

export { connect, NodesDisagree } from './network.js';

const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

const CALLDATA_MAX = 32768 - 37;
const OUTPUT_MAX = 4096;
const CLASS_MIN = 128;
const JSON_CLASS_MIN = 512;
const ENC = 32; // bytes of an HPKE key before the ciphertext
const STATUS = [null, 'done', 'reverted', 'trapped', 'unreadable', 'no contract'];

/** Functions of ConfidentialContracts and Workers that clients need, as ethers and viem's parseAbi read them. */
export const registryAbi = [
  'function contracts(address contractAddress) view returns ((uint64 cluster,address owner,uint8 status,bytes32 codeHash,string codeUrl,uint64 keyEpoch,bytes32 publicKey,bool upgradable,uint8 audit,uint64 deployedAt,bytes32 wantedCodeHash,string wantedUrl) record)',
  'function clusters(uint64 cluster) view returns ((address owner,bool anyoneDeploys,bool anyoneJoins,uint8 replicas,uint8 quorum,uint256 gasPrice,uint64 mostGas,uint256 stake,uint64 createdAt,uint64 epoch,uint64 oldest,uint64 members,uint64 contracts) record)',
  'function confirmed(uint64 cluster) view returns ((uint64 batches,uint64 index,bytes32 root,uint64 commits,uint64 checkpoint) record)',
  'function membersOf(uint64 cluster) view returns (address[] members)',
  'function nextSequence(address contractAddress, address sender) view returns (uint64 sequence)',
  'event Queued(uint64 indexed cluster, uint64 indexed index, address indexed contractAddress, bytes entry)',
];

// ---- bytes ----

const text = (s) => new TextEncoder().encode(s);

function bytes(v, what, size) {
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

function hex(b) {
  return '0x' + Array.from(b, (x) => x.toString(16).padStart(2, '0')).join('');
}

function concat(...parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

function number(v, size, what) {
  const n = BigInt(v);
  if (n < 0n || n >> BigInt(8 * size) !== 0n) throw new RangeError(`${what}: ${n} is not in ${8 * size} bits`);
  return bytes('0x' + n.toString(16).padStart(2 * size, '0'), what);
}

const u64 = (v, what) => number(v, 8, what);
const word = (v, what) => number(v, 32, what);
const lp = (b) => concat(number(b.length, 4, 'length'), b);

function classOf(n, least) {
  let size = least;
  while (size < n) size *= 2;
  return size;
}

// ---- HPKE ----

// Whole buffers of their own: WebCrypto takes no views into others.
const own = (b) => Uint8Array.from(b).buffer;

async function seal(publicKey, info, aad, plain) {
  const key = await suite.kem.deserializePublicKey(own(publicKey));
  const { ct, enc } = await suite.seal({ recipientPublicKey: key, info: own(text(info)) }, own(plain), own(aad));
  return concat(new Uint8Array(enc), new Uint8Array(ct));
}

async function open(privateKey, info, aad, sealed) {
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

// ---- commands ----

/** Gas of a command comes in powers of two: the class that holds `gas`. */
export function gasClass(gas) {
  let size = 65536n;
  while (size < BigInt(gas)) size *= 2n;
  return size;
}

/** The payload of `send`: calldata that only the contract can open, for exactly this context. */
export async function sealCommand(c) {
  const calldata = bytes(c.calldata, 'calldata');
  if (calldata.length > CALLDATA_MAX) {
    throw new RangeError(`calldata: ${calldata.length} bytes, at most ${CALLDATA_MAX}`);
  }
  const reply = c.replyKey === undefined ? new Uint8Array(32) : bytes(c.replyKey, 'replyKey', 32);
  const head = concat(Uint8Array.of(1), reply, number(calldata.length, 4, 'length'), calldata);
  const plain = new Uint8Array(classOf(head.length, CLASS_MIN));
  plain.set(head);
  const epoch = u64(c.epoch, 'epoch');
  const aad = concat(
    lp(u64(c.chainId, 'chainId')), lp(bytes(c.genesis, 'genesis', 32)), lp(bytes(c.contract, 'contract', 20)),
    lp(bytes(c.sender, 'sender', 20)), lp(u64(c.sequence, 'sequence')), lp(u64(c.expiry, 'expiry')),
    lp(u64(c.gas, 'gas')), lp(epoch), lp(bytes(c.codeHash, 'codeHash', 32)));
  const sealed = await seal(bytes(c.publicKey, 'publicKey', 32), 'cloister/cluster/command/v1', aad, plain);
  return hex(concat(Uint8Array.of(1), epoch, sealed));
}

/** {to, data, value} for ethers' or viem's sendTransaction: `send` of ConfidentialContracts. */
export function commandTransaction(t) {
  const payload = bytes(t.payload, 'payload');
  const selector = keccak_256(text('send(address,uint64,uint64,uint64,uint8,bytes)')).subarray(0, 4);
  const tail = new Uint8Array(Math.ceil(payload.length / 32) * 32);
  tail.set(payload);
  const data = concat(
    selector, new Uint8Array(12), bytes(t.contract, 'contract', 20), word(u64n(t.sequence, 'sequence'), 'sequence'),
    word(u64n(t.expiry, 'expiry'), 'expiry'), word(u64n(t.gas, 'gas'), 'gas'), word(t.plain ? 2 : 1, 'kind'),
    word(192, 'offset'), word(payload.length, 'length'), tail);
  return {
    to: hex(bytes(t.registry, 'registry', 20)),
    data: hex(data),
    value: BigInt(t.gas) * BigInt(t.gasPrice) + BigInt(t.value ?? 0),
  };
}

function u64n(v, what) {
  u64(v, what);
  return BigInt(v);
}

/** What came of a command that was sealed with a reply key. */
export async function openReceipt(r) {
  const aad = concat(lp(u64(r.chainId, 'chainId')), lp(bytes(r.genesis, 'genesis', 32)),
    lp(u64(r.cluster, 'cluster')), lp(u64(r.index, 'index')));
  const plain = await open(bytes(r.replyPrivateKey, 'replyPrivateKey', 32), 'cloister/cluster/receipt/v1', aad,
    bytes(r.sealed, 'sealed'));
  const n = plain.length < 6 ? Infinity : new DataView(plain.buffer).getUint32(2);
  if (n > OUTPUT_MAX || plain[0] !== 1 || plain.length !== classOf(6 + n, CLASS_MIN) ||
      plain.subarray(6 + n).some((b) => b !== 0) || !(plain[1] >= 1 && plain[1] <= 5)) {
    throw new Error('receipt: what is in it is not in a receipt\'s form');
  }
  return { status: STATUS[plain[1]], output: hex(plain.subarray(6, 6 + n)) };
}

// ---- queries ----

const DOMAIN_TYPE = 'EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)';
const REPLY_TYPE = 'Reply(address contractAddress,bytes32 queryHash,uint64 batch,uint64 height,bytes32 root,' +
  'uint8 status,bytes32 resultHash)';

/** What a caller signs to be known to the contract: ethers' signTypedData(domain, types, message), viem's signTypedData(all). */
export function queryTypedData(q) {
  return {
    domain: {
      name: 'Cloister', version: '1', chainId: BigInt(q.chainId),
      verifyingContract: hex(bytes(q.registry, 'registry', 20)),
    },
    types: {
      Query: [
        { name: 'contractAddress', type: 'address' }, { name: 'worker', type: 'address' },
        { name: 'payloadHash', type: 'bytes32' }, { name: 'nonce', type: 'bytes32' },
        { name: 'minimumHeight', type: 'uint64' }, { name: 'expiry', type: 'uint64' },
      ],
    },
    primaryType: 'Query',
    message: {
      contractAddress: hex(bytes(q.contract, 'contract', 20)), worker: hex(bytes(q.worker, 'worker', 20)),
      payloadHash: hex(keccak_256(bytes(q.data, 'data'))), nonce: hex(bytes(q.nonce, 'nonce', 32)),
      minimumHeight: BigInt(q.minimumHeight ?? 0), expiry: BigInt(q.expiry),
    },
  };
}

function queryHash(q) {
  return keccak_256(concat(lp(bytes(q.contract, 'contract', 20)), lp(bytes(q.data, 'data')),
    lp(bytes(q.nonce, 'nonce', 32))));
}

function replyDigest(q, r) {
  const pad = (b) => concat(new Uint8Array(32 - b.length), b);
  const domain = keccak_256(concat(
    keccak_256(text(DOMAIN_TYPE)), keccak_256(text('Cloister')), keccak_256(text('1')),
    word(q.chainId, 'chainId'), pad(bytes(q.registry, 'registry', 20))));
  const struct = keccak_256(concat(
    keccak_256(text(REPLY_TYPE)), pad(bytes(q.contract, 'contract', 20)), queryHash(q), word(r.batch, 'batch'),
    word(r.height, 'height'), bytes(r.root, 'root', 32), word(r.status, 'status'),
    keccak_256(bytes(r.result, 'result'))));
  return keccak_256(concat(Uint8Array.of(0x19, 1), domain, struct));
}

function signerOf(digest, signature) {
  const s = bytes(signature, 'signature', 65);
  const recovered = concat(Uint8Array.of(s[64] - 27), s.subarray(0, 64));
  const key = secp256k1.recoverPublicKey(recovered, digest, { prehash: false });
  const point = secp256k1.Point.fromBytes(key).toBytes(false);
  return hex(keccak_256(point.subarray(1)).subarray(12));
}

/** Seal a query whose nonce, expiry and (unless anonymous) caller and signature are set. */
export async function sealQuery(q) {
  const o = { contract: hex(bytes(q.contract, 'contract', 20)) };
  if (q.caller !== undefined) {
    o.caller = hex(bytes(q.caller, 'caller', 20));
    o.signature = hex(bytes(q.signature, 'signature', 65));
  }
  o.data = hex(bytes(q.data, 'data'));
  o.nonce = hex(bytes(q.nonce, 'nonce', 32));
  o.minimum_height = Number(q.minimumHeight ?? 0);
  o.expiry = Number(q.expiry);
  o.reply_key = hex(bytes(q.replyKey, 'replyKey', 32));
  const plain = text(JSON.stringify(o));
  const padded = new Uint8Array(classOf(plain.length, JSON_CLASS_MIN)).fill(0x20);
  padded.set(plain);
  const aad = concat(lp(u64(q.chainId, 'chainId')), lp(bytes(q.genesis, 'genesis', 32)),
    lp(bytes(q.worker, 'worker', 20)));
  return hex(await seal(bytes(q.receiveKey, 'receiveKey', 32), 'cloister/cluster/query/v1', aad, padded));
}

/** Open an answer and check that `commitSigner` signed it over exactly this query. */
export async function openAnswer(q, replyPrivateKey, sealed) {
  const aad = concat(lp(u64(q.chainId, 'chainId')), lp(bytes(q.genesis, 'genesis', 32)),
    lp(bytes(q.worker, 'worker', 20)), lp(queryHash(q)));
  const plain = await open(bytes(replyPrivateKey, 'replyPrivateKey', 32), 'cloister/cluster/reply/v1', aad,
    bytes(sealed, 'sealed'));
  const r = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(plain));
  if (r.error) {
    const e = new Error(`worker: ${r.error.message}`);
    e.code = r.error.code;
    throw e;
  }
  if (signerOf(replyDigest(q, r), r.signature) !== hex(bytes(q.commitSigner, 'commitSigner', 20))) {
    throw new Error('reply: it is not signed by the worker\'s commit key over this query');
  }
  return { batch: BigInt(r.batch), height: BigInt(r.height), root: r.root, status: STATUS[r.status] ?? 'unknown',
    result: r.result };
}

/**
 * Ask a worker: sign (with signTypedData and caller), seal, send, open, check the signature. The root in the answer
 * is the caller's to compare with `confirmed` of ConfidentialContracts.
 */
export async function query(q) {
  const { privateKey, publicKey } = await generateReplyKey();
  const full = {
    ...q, replyKey: publicKey, nonce: crypto.getRandomValues(new Uint8Array(32)),
    expiry: q.expiry ?? Math.floor(Date.now() / 1000) + 300,
  };
  if (q.signTypedData !== undefined) full.signature = await q.signTypedData(queryTypedData(full));
  else delete full.caller;
  const response = await (q.fetch ?? fetch)(new URL('/contracts/query', q.url), {
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sealed: await sealQuery(full) }),
  });
  const body = await response.json();
  if (!response.ok) {
    const e = body?.detail?.error ?? {};
    throw Object.assign(new Error(`worker: HTTP ${response.status}: ${e.message ?? 'no reason'}`), { code: e.code });
  }
  return openAnswer(full, privateKey, body.sealed);
}

/** The receipt of a command, from a worker; null while it has none. */
export async function receipt(r) {
  const url = new URL('/contracts/receipt', r.url);
  url.searchParams.set('cluster', String(r.cluster));
  url.searchParams.set('index', String(r.index));
  const response = await (r.fetch ?? fetch)(url);
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`worker: HTTP ${response.status}`);
  return openReceipt({ ...r, sealed: (await response.json()).sealed });
}
