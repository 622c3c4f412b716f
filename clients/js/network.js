// The chain, asked of several nodes that must say the same, and what a worker answers held against it.
// Trust: of the nodes at least one; each lie of the others is an error that names them.
import { keccak_256 } from '@noble/hashes/sha3.js';
import { openChannel } from './channel.js';
import { query } from './queries.js';
import { BadAnswer, ChannelClosed } from './wire.js';

const ROLE_CONTRACT = 2n;
const ACTIVE = 2n;
const LOOK_MS = 2000; // how long what the chain says of a worker and a contract holds for queries on a channel

const selector = (signature) => Array.from(keccak_256(new TextEncoder().encode(signature)).subarray(0, 4),
  (b) => b.toString(16).padStart(2, '0')).join('');
const hexWord = (n) => BigInt(n).toString(16).padStart(64, '0');
const HASH = /^0x[0-9a-f]{64}$/;

/** What nodes say differs: `answers` has each node with what it said. */
export class NodesDisagree extends Error {
  constructor(what, answers) {
    super(`nodes disagree about ${what}: ${answers.map((a) => `${a.node} says ${a.value.slice(0, 80)}`).join('; ')}`);
    this.name = 'NodesDisagree';
    this.answers = answers;
  }
}

// Words of an ABI answer; places are counted from `at`.
class Words {
  constructor(data, at = 0) {
    if (!/^0x([0-9a-f]{2})*$/.test(data)) throw new Error('node: an answer that is not hexadecimal');
    this.data = data;
    this.at = at;
  }
  raw(i) {
    const from = 2 + 2 * (this.at + 32 * i);
    const word = this.data.slice(from, from + 64);
    if (word.length !== 64) throw new Error('node: an answer that is too short');
    return word;
  }
  number(i) {
    return BigInt('0x' + this.raw(i));
  }
  hash(i) {
    return '0x' + this.raw(i);
  }
  address(i) {
    return '0x' + this.raw(i).slice(24);
  }
  below(i) {
    const offset = this.number(i);
    if (offset > BigInt(this.data.length)) throw new Error('node: an answer with an offset outside it');
    return new Words(this.data, this.at + Number(offset));
  }
  text(i) {
    const s = this.below(i);
    const n = s.number(0);
    const hex = this.data.slice(2 + 2 * (s.at + 32), 2 + 2 * (s.at + 32 + Number(n)));
    if (n > 65536n || BigInt(hex.length) !== 2n * n) throw new Error('node: an answer that is too short');
    return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(hex.match(/../g) ?? [], (h) => parseInt(h, 16)));
  }
}

class Network {
  #nodes;
  #fetch;
  #height = 0n;
  #seen = new Map(); // contract -> height of the newest answer
  #confirmed = new Map(); // cluster -> the newest {height, state} that an answer was held against

  constructor(o) {
    this.#nodes = o.nodes;
    this.#fetch = o.fetch ?? fetch;
    this.registry = o.registry.toLowerCase();
  }

  async #rpc(node, method, params) {
    const ask = this.#fetch; // not as our method: a browser's does not run then
    let body;
    try {
      const response = await ask(node, {
        method: 'POST', headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
      });
      body = await response.json();
    } catch (e) {
      throw new Error(`node ${node}: ${e.message}`);
    }
    if (body?.error) throw new Error(`node ${node}: ${body.error.message}`);
    return body?.result;
  }

  async #all(what, method, params, pick = (x) => x) {
    const answers = await Promise.all(this.#nodes.map(async (node) => {
      const value = pick(await this.#rpc(node, method, params));
      if (typeof value !== 'string') throw new Error(`node ${node}: no ${what}`);
      return { node, value: value.toLowerCase() };
    }));
    if (answers.some((a) => a.value !== answers[0].value)) throw new NodesDisagree(what, answers);
    return answers[0].value;
  }

  // The newest block that all have. One behind what was seen before would be an old state told anew.
  async #sync() {
    const before = this.#height;
    const heights = await Promise.all(this.#nodes.map((node) => this.#rpc(node, 'eth_blockNumber', [])));
    const least = heights.reduce((a, h) => (BigInt(h) < a ? BigInt(h) : a), BigInt(heights[0]));
    if (least < before) {
      const at = heights.findIndex((h) => BigInt(h) === least);
      throw new Error(`node ${this.#nodes[at]} is at block ${least}, after ${before} was seen`);
    }
    const tag = '0x' + least.toString(16);
    await this.#all(`block ${least}`, 'eth_getBlockByNumber', [tag, false], (b) => b?.hash);
    if (least > this.#height) this.#height = least;
    return tag;
  }

  async #call(tag, to, signature, ...args) {
    const data = '0x' + selector(signature) + args.map(hexWord).join('');
    return new Words(await this.#all(signature, 'eth_call', [{ to, data }, tag]));
  }

  async open() {
    this.chainId = BigInt(await this.#all('the chain id', 'eth_chainId', []));
    this.genesis = await this.#all('block 0', 'eth_getBlockByNumber', ['0x0', false], (b) => b?.hash);
    if (!HASH.test(this.genesis)) throw new Error('node: the hash of block 0 is none');
    return this;
  }

  async #record(tag, contract) {
    const k = (await this.#call(tag, this.registry, 'contracts(address)', contract)).below(0);
    if (k.number(2) !== ACTIVE) throw new Error(`contract ${contract} is not active`);
    return { cluster: k.number(0), owner: k.address(1), codeHash: k.hash(3), codeUrl: k.text(4), keyEpoch: k.number(5),
      publicKey: k.hash(6) };
  }

  async contract(contract) {
    return this.#record(await this.#sync(), contract);
  }

  async #members(tag, cluster) {
    const registry = await this.#call(tag, this.registry, 'workers()');
    const list = (await this.#call(tag, this.registry, 'membersOf(uint64)', cluster)).below(0);
    const members = [];
    for (let i = 0; i < Number(list.number(0)); i++) {
      const account = list.address(1 + i);
      const w = (await this.#call(tag, registry.address(0), 'workers(address)', account)).below(0);
      const active = await this.#call(tag, registry.address(0), 'isActive(address,uint8)', account, ROLE_CONTRACT);
      members.push({ worker: account, url: w.text(8), receiveKey: w.hash(6), commitSigner: w.address(5),
        active: active.number(0) === 1n, simulated: w.number(12) === 1n });
    }
    return members;
  }

  async members(cluster) {
    return this.#members(await this.#sync(), cluster);
  }

  // What the cluster had confirmed at that height: batches and root. Many answers of one height ask once.
  #confirmedAt(cluster, height) {
    const known = this.#confirmed.get(cluster);
    if (known?.height === height) return known.state;
    const state = this.#readConfirmed(cluster, height);
    this.#confirmed.set(cluster, { height, state });
    state.catch(() => this.#confirmed.delete(cluster));
    return state;
  }

  async #readConfirmed(cluster, height) {
    for (let i = 0; this.#height < height; i++) {
      if (i === 20) throw new BadAnswer(`it is of block ${height}, and the nodes are at ${this.#height}`);
      if (i > 0) await new Promise((resolve) => setTimeout(resolve, 250)); // a node may be a block behind the worker
      await this.#sync();
    }
    const c = await this.#call('0x' + height.toString(16), this.registry, 'confirmed(uint64)', cluster);
    return { batch: c.number(0), root: c.hash(2) };
  }

  // A member that may be asked now, as all nodes have it.
  async #choose(q) {
    const tag = await this.#sync();
    const contract = q.contract.toLowerCase();
    const { cluster } = await this.#record(tag, contract);
    const members = (await this.#members(tag, cluster)).filter((m) => m.active && (m.url !== '' || q.url) &&
      (q.worker === undefined || m.worker === q.worker.toLowerCase()));
    if (members.length === 0) throw new Error(`cluster ${cluster} has no ${q.worker ?? 'active'} member to ask`);
    const m = members[Math.floor(Math.random() * members.length)];
    return { contract, cluster, member: { ...m, url: q.url ?? m.url } };
  }

  #to(m) {
    return { chainId: this.chainId, genesis: this.genesis, registry: this.registry, url: m.url, worker: m.worker,
      receiveKey: m.receiveKey, commitSigner: m.commitSigner };
  }

  // Ask, and hold the answer against the chain.
  async #held(contract, cluster, minimumHeight, asking) {
    const seen = this.#seen.get(contract) ?? 0n;
    const least = BigInt(minimumHeight ?? 0) > seen ? BigInt(minimumHeight) : seen;
    const answer = await asking(least);
    if (answer.height < least) throw new BadAnswer(`it is of block ${answer.height}, after ${least} was asked for or seen`);
    const confirmed = await this.#confirmedAt(cluster, answer.height);
    if (answer.batch !== confirmed.batch || answer.root.toLowerCase() !== confirmed.root) {
      throw new BadAnswer(`batch ${answer.batch} with its root is not what was confirmed at block ${answer.height}`);
    }
    if (answer.height > (this.#seen.get(contract) ?? 0n)) this.#seen.set(contract, answer.height);
    return answer;
  }

  async query(q) {
    const { contract, cluster, member } = await this.#choose(q);
    const answer = await this.#held(contract, cluster, q.minimumHeight, (minimumHeight) =>
      query({ ...q, ...this.#to(member), contract, minimumHeight, fetch: this.#fetch }));
    return { ...answer, worker: member.worker };
  }

  async channel(o) {
    const { contract: first, cluster, member } = await this.#choose(o);
    const line = await openChannel({ ...o, ...this.#to(member) });
    const looks = new Map(); // contract -> when the chain was asked, and what came of it
    const look = (contract) => {
      const known = looks.get(contract);
      if (known !== undefined && Date.now() - known.at < LOOK_MS) return known.outcome;
      const outcome = this.#stands(contract, cluster, member).catch((e) => {
        if (e instanceof ChannelClosed) line.close();
        throw e;
      });
      looks.set(contract, { at: Date.now(), outcome });
      return outcome;
    };
    looks.set(first, { at: Date.now(), outcome: Promise.resolve() });
    return {
      worker: member.worker,
      expiry: line.expiry,
      query: async (q) => {
        const contract = (q.contract ?? first).toLowerCase();
        await look(contract);
        return this.#held(contract, cluster, q.minimumHeight, (minimumHeight) =>
          line.query({ contract, data: q.data, minimumHeight }));
      },
      close: () => line.close(),
    };
  }

  // The channel's member is still what it was when it was chosen, and the contract its cluster's.
  async #stands(contract, cluster, member) {
    const tag = await this.#sync();
    const record = await this.#record(tag, contract);
    if (record.cluster !== cluster) throw new Error(`contract ${contract} is in cluster ${record.cluster}, the channel in ${cluster}`);
    const now = (await this.#members(tag, cluster)).find((m) => m.worker === member.worker);
    if (!now?.active || now.receiveKey !== member.receiveKey || now.commitSigner !== member.commitSigner) {
      throw new ChannelClosed(`${member.worker} is no attested member of cluster ${cluster} any more, or has other keys`, 1000);
    }
  }
}

/** Open a network by the RPC addresses of nodes that do not lie together. */
export async function connect(o) {
  if (!Array.isArray(o.nodes) || o.nodes.length === 0) throw new TypeError('nodes: a list of RPC addresses');
  if (!/^0x[0-9a-fA-F]{40}$/.test(o.registry)) throw new TypeError('registry: not an address');
  return new Network(o).open();
}
