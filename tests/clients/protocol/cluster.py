"""docs/confidential.md, written a second time from that page alone: prints the vectors that
tests/cluster compares the C code with. Slow and not constant-time; made-up keys only."""
import hashlib
import hmac
import json
import sys

from crypto import N, aes256_gcm_seal, hpke_derive, hpke_seal, keccak256, sha256, sign, x25519
from crypto import _mul, G
from wire import lp, padded, u8, u16, u32, u64, u256

CHAIN = 1414
GENESIS = sha256(b"genesis")
REGISTRY = keccak256(b"registry")[12:]
CLUSTER = 7
EMPTY = b"SPARSE_MERKLE_PLACEHOLDER_HASH__"


def hkdf(ikm, salt, info, n=32):
    prk = hmac.new(salt, ikm, "sha256").digest()
    assert n == 32
    return hmac.new(prk, info + b"\1", "sha256").digest()


def x_public(private):
    return x25519(private, (9).to_bytes(32, "little"))


def address_of(key):
    x, y = _mul(key, G)
    return keccak256(u256(x) + u256(y))[12:]


def hexes(v):
    if isinstance(v, (bytes, bytearray)):
        return "0x" + v.hex()
    if isinstance(v, dict):
        return {k: hexes(x) for k, x in v.items()}
    if isinstance(v, (list, tuple)):
        return [hexes(x) for x in v]
    return v


# ---- keys ----

class Keys:
    def __init__(self, contract, epoch, k):
        part = {label: hkdf(k, b"cloister/cluster/key/v1", label.encode())
                for label in ("receive", "state", "blind", "sign")}
        self.contract, self.epoch, self.k = contract, epoch, k
        self.receive = hpke_derive(part["receive"])
        self.public = x_public(self.receive)
        self.state, self.blind, self.sign = part["state"], part["blind"], part["sign"]
        while not 0 < int.from_bytes(self.sign, "big") < N:
            self.sign = sha256(self.sign)

    def vector(self):
        return {"contract": self.contract, "epoch": self.epoch, "k": self.k, "receive": self.receive,
                "public": self.public, "state": self.state, "blind": self.blind, "sign": self.sign}


# ---- queue ----

def entry(x):
    return (u8(1) + u8(x["kind"]) + x["contract"] + x["sender"] + u64(x["index"]) + u64(x["sequence"]) +
            u64(x["expiry"]) + u64(x["gas"]) + u256(x["value"]) + lp(x["payload"]))


def queue(entries):
    h = keccak256(lp(b"cloister/cluster/queue/v1") + GENESIS + u64(CLUSTER))
    out = [h]
    for x in entries:
        h = keccak256(h + keccak256(x))
        out.append(h)
    return out


# ---- EIP-712 ----

def digest(kind, *members):
    domain = keccak256(keccak256(b"EIP712Domain(string name,string version,uint256 chainId,"
                                 b"address verifyingContract)") + keccak256(b"Cloister") +
                       keccak256(b"1") + u256(CHAIN) + bytes(12) + REGISTRY)
    words = [m if isinstance(m, bytes) and len(m) == 32 else
             bytes(12) + m if isinstance(m, bytes) else u256(m) for m in members]
    return keccak256(b"\x19\x01" + domain + keccak256(keccak256(kind) + b"".join(words)))


COMMIT = (b"Commit(uint64 cluster,uint64 epoch,uint64 firstBatch,uint64 endBatch,uint64 firstIndex,"
          b"uint64 endIndex,bytes32 queueHash,bytes32 previousRoot,bytes32 newRoot,"
          b"bytes32 outboxDigest)")
KEY_RECORD = b"KeyRecord(address contractAddress,uint64 epoch,bytes32 publicKey,bytes32 codeHash)"
QUERY = (b"Query(address contractAddress,address worker,bytes32 payloadHash,bytes32 nonce,"
         b"uint64 minimumHeight,uint64 expiry)")
REPLY = (b"Reply(address contractAddress,bytes32 queryHash,uint64 batch,uint64 height,bytes32 root,"
         b"uint8 status,bytes32 resultHash)")
GRANT = b"AuditGrant(address contractAddress,bytes32 auditor,uint64 endBatch,uint64 expiry)"
LOGS = (b"Logs(address contractAddress,address worker,bytes32 replyKey,uint64 firstBatch,"
        b"uint64 endBatch,uint64 expiry)")


# ---- outbox ----

def message(m):
    return u8(1) + m["from"] + m["to"] + u256(m["value"]) + lp(m["data"])


def rests(messages):
    out = [bytes(32)]
    for m in reversed(messages):
        out.insert(0, keccak256(keccak256(message(m)) + out[0]))
    return out


# ---- envelopes and receipts ----

def envelope(keys, c, reply, calldata, ephemeral):
    aad = (lp(u64(CHAIN)) + lp(GENESIS) + lp(keys.contract) + lp(c["sender"]) + lp(u64(c["sequence"])) +
           lp(u64(c["expiry"])) + lp(u64(c["gas"])) + lp(u64(keys.epoch)) + lp(c["code_hash"]))
    plain = padded(u8(1) + reply + u32(len(calldata)) + calldata, 128)
    return u8(1) + u64(keys.epoch) + hpke_seal(keys.public, b"cloister/cluster/command/v1", aad, plain,
                                               ephemeral)


def receipt(keys, index, reply, status, output):
    aad = lp(u64(CHAIN)) + lp(GENESIS) + lp(u64(CLUSTER)) + lp(u64(index))
    plain = padded(u8(1) + u8(status) + u32(len(output[:4096])) + output[:4096], 128)
    info = b"cloister/cluster/receipt/v1"
    ephemeral = hpke_derive(hkdf(keys.state, info, sha256(lp(aad) + reply + plain)))
    return hpke_seal(reply, info, aad, plain, ephemeral)


# ---- code that is not public ----

def elf_of(content):
    """No program: a header, and one segment of these bytes."""
    def le(v, n):
        return v.to_bytes(n, "little")
    header = (b"\x7fELF\x02\x01" + bytes(26) + le(64, 8) + le(0, 8) + le(0, 4) + le(64, 2) + le(56, 2) + le(1, 2) +
              bytes(6))
    return header + bytes(8) + le(120, 8) + bytes(16) + le(len(content), 8) + bytes(16) + content


def code_file(keys, program, ephemeral):
    aad = (lp(u64(CHAIN)) + lp(GENESIS) + lp(u64(CLUSTER)) + lp(keys.contract) + lp(u64(keys.epoch)) +
           lp(keccak256(program)))
    plain = padded(u8(1) + u32(len(program)) + program, 4096)
    return u8(1) + u64(keys.epoch) + hpke_seal(keys.public, b"cloister/cluster/code/v1", aad, plain, ephemeral)


# ---- trees ----

def tree(items, depth=0):
    """items: {path: leaf hash}"""
    if not items:
        return EMPTY
    if len(items) == 1:
        return next(iter(items.values()))
    side = [{}, {}]
    for path, leaf in items.items():
        side[path[depth // 8] >> (7 - depth % 8) & 1][path] = leaf
    return sha256(b"JMT::IntrnalNode" + tree(side[0], depth + 1) + tree(side[1], depth + 1))


def leaf(key, value):
    path = sha256(key)
    return path, sha256(b"JMT::LeafNode" + path + sha256(value))


def contract_root(blind, state):
    out = {}
    for key, value in state.items():
        path_key = hmac.new(blind, b"\0" + key, "sha256").digest()
        hidden = hmac.new(blind, b"\1" + path_key + value, "sha256").digest()
        path, hashed = leaf(path_key, hidden)
        out[path] = hashed
    return tree(out)


def cluster_root(roots):
    return tree(dict(leaf(a, r) for a, r in roots.items() if r != EMPTY))


# ---- state files ----

def item(tag, data):
    return u8(tag) + u32(len(data)) + data


def state_file(kind, first, end, index, before, after, contracts):
    """contracts: [(keys, root before, root after, salt, [plaintexts of sections])]"""
    head = (b"CLSTATE1" + u8(kind) + GENESIS + u64(CLUSTER) + u64(first) + u64(end) + u64(index) + before +
            after + u32(len(contracts)))
    for keys, old, new, salt, _ in contracts:
        head += keys.contract + u64(keys.epoch) + old + new + salt
    out = head
    for number, (keys, _, _, salt, plains) in enumerate(contracts):
        key = hkdf(keys.state, salt, b"cloister/cluster/state/v1")
        for i, plain in enumerate(plains):
            start = u32(number) + u32(i) + u8(i == len(plains) - 1)
            out += start + lp(aes256_gcm_seal(key, bytes(4) + u64(i), padded(plain, 512),
                                              sha256(head) + start))
    return out


# ---- the vectors ----

def make():
    def secret(name):
        return sha256(b"secret of " + name.encode())

    alice = int.from_bytes(secret("alice"), "big")
    worker = keccak256(b"worker")[12:]
    pair = sorted((Keys(keccak256(name)[12:], epoch, secret(name.decode()))
                   for name, epoch in ((b"survey", 3), (b"vault", 0))), key=lambda k: k.contract)
    one, two = pair
    reply = secret("reply")
    code_hash = keccak256(b"code")
    out = {"chain_id": CHAIN, "genesis": GENESIS, "registry": REGISTRY, "cluster": CLUSTER,
           "keys": [k.vector() for k in pair]}

    out["envelopes"] = []
    for n, calldata in enumerate((b"", b"\xa0\x71\x2d\x68" + u256(42), bytes(range(92)), b"x" * 700)):
        c = {"sender": address_of(alice), "sequence": n, "expiry": 1000 + n, "gas": 1 << (16 + n),
             "code_hash": code_hash}
        to = bytes(32) if n == 0 else x_public(reply)
        out["envelopes"].append(c | {"keys": n % 2, "reply": to, "calldata": calldata,
                                     "sealed": envelope(pair[n % 2], c, to, calldata, secret(f"eph {n}"))})
    out["receipts"] = [{"keys": n % 2, "index": 10 + n, "reply_secret": reply, "reply": x_public(reply),
                        "status": n + 1, "output": data,
                        "sealed": receipt(pair[n % 2], 10 + n, x_public(reply), n + 1, data)}
                       for n, data in enumerate((b"", u256(7), b"no" * 61, b"r" * 300, b""))]

    out["codes"] = []
    for n, size in enumerate((0, 4000)):
        elf = elf_of(bytes(size))
        program = elf + secret(f"salt {n}")
        out["codes"].append({"keys": n, "program": program, "code_hash": keccak256(program),
                             "sealed": code_file(pair[n], program, secret(f"code {n}"))})

    entries = [{"kind": 1, "contract": one.contract, "sender": address_of(alice), "index": 0, "sequence": 0,
                "expiry": 1001, "gas": 1 << 17, "value": 10**18, "payload": out["envelopes"][1]["sealed"]},
               {"kind": 2, "contract": two.contract, "sender": worker, "index": 1, "sequence": 4,
                "expiry": 2**64 - 1, "gas": 1 << 16, "value": 2**256 - 1, "payload": b""},
               {"kind": 3, "contract": two.contract, "sender": worker, "index": 2, "sequence": 0,
                "expiry": 9, "gas": 1 << 20, "value": 0, "payload": code_hash + lp(b"init")},
               {"kind": 4, "contract": two.contract, "sender": worker, "index": 3, "sequence": 0,
                "expiry": 9, "gas": 1 << 20, "value": 0, "payload": code_hash}]
    out["entries"] = [x | {"value": u256(x["value"]), "expiry": str(x["expiry"]), "encoded": entry(x)}
                      for x in entries]
    out["queue"] = queue([entry(x) for x in entries])

    messages = [{"from": one.contract, "to": worker, "value": v, "data": d}
                for v, d in ((5, b""), (0, b"\1\2\3"), (2**200, b"z" * 100))]
    out["messages"] = [m | {"value": u256(m["value"]), "encoded": message(m)} for m in messages]
    out["rests"] = rests(messages)

    hashes = {name: sha256(name.encode()) for name in ("queue", "before", "after", "outbox", "nonce")}
    data = b"\x18\x16\x0d\xdd"
    query_hash = keccak256(lp(one.contract) + lp(data) + lp(hashes["nonce"]))
    result = u256(1234)
    out["signed"] = hashes | {
        "commit": digest(COMMIT, CLUSTER, 2, 10, 12, 100, 140, hashes["queue"], hashes["before"],
                         hashes["after"], hashes["outbox"]),
        "key_record": digest(KEY_RECORD, one.contract, one.epoch, one.public, code_hash),
        "worker": worker, "data": data, "query_hash": query_hash, "result": result,
        "query": digest(QUERY, one.contract, worker, keccak256(data), hashes["nonce"], 900, 1700000000),
        "reply": digest(REPLY, one.contract, query_hash, 12, 910, hashes["after"], 1, keccak256(result)),
        "audit_grant": digest(GRANT, one.contract, x_public(reply), 12, 1700000000),
        "logs": digest(LOGS, one.contract, worker, x_public(reply), 3, 12, 1700000000)}
    out["signed"]["alice"] = address_of(alice)
    out["signed"]["query_signature"] = sign(alice, out["signed"]["query"])

    receive = secret("worker receive")
    text = json.dumps({"contract": hexes(one.contract), "caller": hexes(address_of(alice)),
                       "signature": hexes(out["signed"]["query_signature"]), "data": hexes(data),
                       "nonce": hexes(hashes["nonce"]), "minimum_height": 900, "expiry": 1700000000,
                       "reply_key": hexes(x_public(reply))}).encode()
    commit_key = int.from_bytes(secret("commit"), "big")
    answer = json.dumps({"batch": 12, "height": 910, "root": hexes(hashes["after"]), "status": 1,
                         "result": hexes(result),
                         "signature": hexes(sign(commit_key, out["signed"]["reply"]))}).encode()
    base = lp(u64(CHAIN)) + lp(GENESIS) + lp(worker)
    out["query"] = {
        "receive": receive, "reply_secret": reply, "commit_signer": address_of(commit_key),
        "sealed": hpke_seal(x_public(receive), b"cloister/cluster/query/v1", base, text.ljust(1024),
                            secret("eph query")),
        "answer": hpke_seal(x_public(reply), b"cloister/cluster/reply/v1", base + lp(query_hash),
                            answer.ljust(512), secret("eph answer"))}
    out["audit"] = {
        "auditor": reply, "end_batch": 12,
        "sealed": hpke_seal(x_public(reply), b"cloister/cluster/audit/v1",
                            lp(u64(CHAIN)) + lp(GENESIS) + lp(one.contract) + lp(u64(12)),
                            u8(1) + one.blind + u32(1) + u64(one.epoch) + one.receive + one.state,
                            secret("eph audit"))}

    # Two contracts, two commits: the second changes one, deletes of both.
    states = [{}, {}]
    for i, keys in enumerate(pair):
        states[i][b"\1" + keys.contract] = u64(1) + u256(i) + code_hash
        for n in range(5 + 8 * i):
            states[i][b"\2" + keys.contract + b"k%d" % n] = b"value %d" % (n * n)
    state_vectors = []
    roots = {k.contract: contract_root(k.blind, s) for k, s in zip(pair, states)}
    state_vectors.append({"changes": [{"key": k, "value": v} for s in states for k, v in sorted(s.items())],
                          "roots": [roots[k.contract] for k in pair], "root": cluster_root(roots)})
    changes = [{"key": b"\2" + one.contract + b"k%d" % n, "value": b"new" if n % 2 else None}
               for n in range(4)]
    changes += [{"key": b"\2" + two.contract + b"k1", "value": None},
                {"key": b"\2" + two.contract + b"other", "value": b"\0"}]
    for x in changes:
        state = states[0] if x["key"][1:21] == one.contract else states[1]
        if x["value"] is None:
            del state[x["key"]]
        else:
            state[x["key"]] = x["value"]
    after = {k.contract: contract_root(k.blind, s) for k, s in zip(pair, states)}
    state_vectors.append({"changes": changes, "roots": [after[k.contract] for k in pair],
                          "root": cluster_root(after)})
    gone = [{"key": k, "value": None} for k in sorted(states[0])]
    rest = {two.contract: after[two.contract]}
    state_vectors.append({"changes": gone, "roots": [EMPTY, after[two.contract]],
                          "root": cluster_root(rest)})
    out["states"] = state_vectors

    def change(x):
        return item(2, u16(len(x["key"])) + x["key"] + (x["value"] or b""))

    salts = [secret("salt 0"), secret("salt 1")]
    event = u64(101) + u8(2) + sha256(b"topic 0") + sha256(b"topic 1") + b"data"
    delta = state_file(1, 10, 12, 140, state_vectors[0]["root"], state_vectors[1]["root"], [
        (one, roots[one.contract], after[one.contract], salts[0],
         [item(1, one.blind) + b"".join(change(x) for x in changes[:4]) +
          item(4, u64(10) + out["receipts"][0]["sealed"]) + item(5, event) +
          item(6, u32(0) + message(messages[0]))]),
        (two, roots[two.contract], after[two.contract], salts[1],
         [item(1, two.blind) + b"".join(change(x) for x in changes[4:])])])
    checkpoint = state_file(2, 0, 12, 140, bytes(32), state_vectors[1]["root"], [
        (k, bytes(32), after[k.contract], salt,
         [item(1, k.blind) + b"".join(change({"key": x, "value": y}) for x, y in sorted(s.items())) +
          item(3, b"code")])
        for k, s, salt in zip(pair, states, salts)])
    out["files"] = {"salts": salts, "event": {"index": 101, "topics": [sha256(b"topic 0"), sha256(b"topic 1")],
                                              "data": b"data"},
                    "code": b"code", "delta": delta, "checkpoint": checkpoint}
    return out


if __name__ == "__main__":
    json.dump(hexes(make()), sys.stdout, indent=1)
    print()
