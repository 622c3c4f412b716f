// Confidential contracts from JavaScript: docs/confidential.md says what every byte here is.
// Trust: keys and records are the caller's; what workers answer is not believed before it is checked.
import { keccak_256 } from '@noble/hashes/sha3.js';
import { said } from './queries.js';
import { CLASS_MIN, STATUS, bytes, classOf, concat, hex, lp, number, open, seal, text, u64, word } from './wire.js';

export { openChannel, channelTypedData } from './channel.js';
export { connect, NodesDisagree } from './network.js';
export { openAnswer, query, queryTypedData, sealQuery } from './queries.js';
export { BadAnswer, ChannelClosed, WorkerError, generateReplyKey } from './wire.js';

const CALLDATA_MAX = 32768 - 37;
const OUTPUT_MAX = 4096;

/** Functions of ConfidentialContracts and Workers that clients need, as ethers and viem's parseAbi read them. */
export const registryAbi = [
  'function contracts(address contractAddress) view returns ((uint64 cluster,address owner,uint8 status,bytes32 codeHash,string codeUrl,uint64 keyEpoch,bytes32 publicKey,bool upgradable,uint8 audit,uint64 deployedAt,bytes32 wantedCodeHash,string wantedUrl) record)',
  'function clusters(uint64 cluster) view returns ((address owner,bool anyoneDeploys,bool anyoneJoins,uint8 replicas,uint8 quorum,uint256 gasPrice,uint64 mostGas,uint256 stake,uint64 createdAt,uint64 epoch,uint64 oldest,uint64 members,uint64 contracts) record)',
  'function confirmed(uint64 cluster) view returns ((uint64 batches,uint64 index,bytes32 root,uint64 commits,uint64 checkpoint) record)',
  'function membersOf(uint64 cluster) view returns (address[] members)',
  'function nextSequence(address contractAddress, address sender) view returns (uint64 sequence)',
  'event Queued(uint64 indexed cluster, uint64 indexed index, address indexed contractAddress, bytes entry)',
];

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

/** The receipt of a command, from a worker; null while it is not confirmed. */
export async function receipt(r) {
  const url = new URL('/contracts/receipt', r.url);
  url.searchParams.set('cluster', String(r.cluster));
  url.searchParams.set('index', String(r.index));
  try {
    return await openReceipt({ ...r, sealed: (await said(await (r.fetch ?? fetch)(url)))?.sealed });
  } catch (e) {
    if (e.code === 'RECEIPT_NOT_YET') return null;
    throw e;
  }
}
