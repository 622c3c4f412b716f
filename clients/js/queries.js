// One query over HTTP, and what makes an answer believed, over HTTP and over a channel.
// Trust: the worker's keys are the caller's word; what it answers is checked against them.
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { BadAnswer, STATUS, WorkerError, bytes, concat, generateReplyKey, hex, lp, open, paddedJson, seal, text, u64, word } from './wire.js';

const DOMAIN_TYPE = 'EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)';
const REPLY_TYPE = 'Reply(address contractAddress,bytes32 queryHash,uint64 batch,uint64 height,bytes32 root,' +
  'uint8 status,bytes32 resultHash)';

export const domain = (q) => ({
  name: 'Cloister', version: '1', chainId: BigInt(q.chainId), verifyingContract: hex(bytes(q.registry, 'registry', 20)),
});

/** What a caller signs to be known to the contract: ethers' signTypedData(domain, types, message), viem's signTypedData(all). */
export function queryTypedData(q) {
  return {
    domain: domain(q),
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
  const separator = keccak_256(concat(
    keccak_256(text(DOMAIN_TYPE)), keccak_256(text('Cloister')), keccak_256(text('1')),
    word(q.chainId, 'chainId'), pad(bytes(q.registry, 'registry', 20))));
  const struct = keccak_256(concat(
    keccak_256(text(REPLY_TYPE)), pad(bytes(q.contract, 'contract', 20)), queryHash(q), word(r.batch, 'batch'),
    word(r.height, 'height'), bytes(r.root, 'root', 32), word(r.status, 'status'),
    keccak_256(bytes(r.result, 'result'))));
  return keccak_256(concat(Uint8Array.of(0x19, 1), separator, struct));
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
  const aad = concat(lp(u64(q.chainId, 'chainId')), lp(bytes(q.genesis, 'genesis', 32)),
    lp(bytes(q.worker, 'worker', 20)));
  return hex(await seal(bytes(q.receiveKey, 'receiveKey', 32), 'cloister/cluster/query/v1', aad, paddedJson(o)));
}

/** Open an answer and check that `commitSigner` signed it over exactly this query. */
export async function openAnswer(q, replyPrivateKey, sealed) {
  const aad = concat(lp(u64(q.chainId, 'chainId')), lp(bytes(q.genesis, 'genesis', 32)),
    lp(bytes(q.worker, 'worker', 20)), lp(queryHash(q)));
  const key = bytes(replyPrivateKey, 'replyPrivateKey', 32);
  let plain;
  try {
    plain = await open(key, 'cloister/cluster/reply/v1', aad, bytes(sealed, 'sealed'));
  } catch (cause) {
    throw new BadAnswer(cause.message, { cause });
  }
  return believed(q, plain);
}

/** An answer's JSON, when `commitSigner` signed it over exactly this query. */
export function believed(q, plain) {
  let r, signer;
  try {
    r = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(plain));
    if (!r.error) signer = signerOf(replyDigest(q, r), r.signature);
  } catch (cause) {
    throw new BadAnswer('it is not in an answer\'s form', { cause });
  }
  if (r.error) throw new WorkerError(r.error.message, r.error.code);
  if (signer !== hex(bytes(q.commitSigner, 'commitSigner', 20))) {
    throw new BadAnswer('it is not signed by the worker\'s commit key over this query');
  }
  return { batch: BigInt(r.batch), height: BigInt(r.height), root: r.root, status: STATUS[r.status] ?? 'unknown',
    result: r.result };
}

/** What a worker says over HTTP. */
export async function said(response) {
  const body = await response.json().catch(() => null);
  if (response.ok) return body;
  const e = body?.detail?.error ?? {};
  throw new WorkerError(`HTTP ${response.status}: ${e.message ?? 'no reason'}`, e.code);
}

/** A caller without a signature would be nobody, unnoticed. */
export function callerOrNobody(q) {
  if ((q.caller === undefined) !== (q.signTypedData === undefined)) {
    throw new TypeError('caller and signTypedData: both, or neither');
  }
}

/** Unix seconds. */
export const secondsFromNow = (n) => Math.floor(Date.now() / 1000) + n;

export const newNonce = () => crypto.getRandomValues(new Uint8Array(32));

/**
 * Ask a worker: sign (with signTypedData and caller), seal, send, open, check the signature. The root in the answer
 * is the caller's to compare with `confirmed` of ConfidentialContracts.
 */
export async function query(q) {
  callerOrNobody(q);
  const { privateKey, publicKey } = await generateReplyKey();
  const full = { ...q, replyKey: publicKey, nonce: newNonce(), expiry: q.expiry ?? secondsFromNow(300) };
  if (q.caller !== undefined) full.signature = await q.signTypedData(queryTypedData(full));
  const response = await (q.fetch ?? fetch)(new URL('/contracts/query', q.url), {
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sealed: await sealQuery(full) }),
  });
  return openAnswer(full, privateKey, (await said(response))?.sealed);
}
