"""A second client, written from docs/protocol.md alone: reads what the programs wrote, byte by byte,
and runs a job of its own. Usage: check.py NETWORK HOME FILE_ID JOB_ID KEY_OUT < shown: JOB_ID is a job of
alice's about her file, not run yet; shown is what `cloister proof show --json` says of a proof of it;
the file key is written to KEY_OUT. Prints what it checked; fails at the first thing that is not as
the page says."""
import glob
import json
import os
import sys
import time
import urllib.error
import urllib.request

from crypto import ed25519_ok, hpke_seal, keccak256, recover, sha256, sign
from wire import lp, u64, u256

NET = json.load(open(os.path.join(sys.argv[1], "devnet.json")))
GENESIS = json.load(open(os.path.join(sys.argv[1], "genesis.json")))
FILE, JOB = int(sys.argv[3]), int(sys.argv[4])
CHAIN, TEE_POOL = NET["chain_id"], NET["contracts"]["TeePool"]
RECORD = next(r for name in glob.glob(f"{sys.argv[2]}/contributions/*.json")
              if (r := json.load(open(name)))["file_id"] == FILE)
OWNER_KEY = int(next(a["private_key"] for a in NET["accounts"] if a["name"] == "alice"), 16)


def unhex(text):
    assert text.startswith("0x")
    return bytes.fromhex(text[2:])


def is_(what, got, want):
    assert got == want, f"{what}: {got!r}, should be {want!r}"


def ok(what):
    print("ok", what)


def http(url, body=None):
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as e:
        return e.code, json.load(e)


def rpc(method, *params):
    return http(NET["rpc"], {"jsonrpc": "2.0", "id": 1, "method": method, "params": params})[1]["result"]


# ---- formats ----

def canonical(value):
    return json.dumps(value, sort_keys=True).encode()


def personal(message):
    return keccak256(b"\x19Ethereum Signed Message:\n" + str(len(message)).encode() + message)


def typed(kind, *members):
    domain = keccak256(keccak256(b"EIP712Domain(string name,string version,uint256 chainId,"
                                 b"address verifyingContract)") +
                       keccak256(b"Cloister") + keccak256(b"1") + u256(CHAIN) + addr(TEE_POOL))
    return keccak256(b"\x19\x01" + domain + keccak256(keccak256(kind) + b"".join(members)))


def addr(text):
    return unhex(text).rjust(32, b"\0")


# ---- sections 1 and 2: keys, consent ----

def file_key():
    return ("0x" + sign(OWNER_KEY, personal(RECORD["seed"].encode())).hex()).encode()


def check_seed():
    lines = RECORD["seed"].split("\n")
    is_("seed", lines[:2], ["Please sign to retrieve your encryption key", f"chain: {CHAIN}"])
    is_("its last line", (len(lines), lines[2][:6], len(bytes.fromhex(lines[2][6:]))), (3, "file: ", 32))
    is_("file key", len(file_key()), 132)
    ok("seed message")


def wrapped(worker, epoch):
    aad = (lp(u64(CHAIN)) + lp(RECORD["url"][7:].encode()) + lp(unhex(RECORD["owner"])) +
           lp(unhex(worker["address"])) + lp(b"run-proof") + lp(u64(epoch)))
    box = hpke_seal(bytes.fromhex(worker["public_key"][7:]), b"cloister/wrapped-key/v1", aad, file_key())
    return "hpke1:" + box.hex()


def secret(worker, pool, name, value):
    aad = (lp(u64(CHAIN)) + lp(u64(pool["id"])) + lp(pool["proof_instruction"].encode()) +
           lp(name.encode()) + lp(unhex(worker["address"])))
    box = hpke_seal(bytes.fromhex(worker["public_key"][7:]), b"cloister/secret/v1", aad, value)
    return "hpke1:" + box.hex()


def authorization(worker, pool, env, expiry):
    digest = typed(b"RunAuthorization(uint256 jobId,uint256 fileId,string fileCid,uint256 dlpId,"
                   b"string validator,bytes32 envHash,address worker,uint256 expiry)",
                   u256(JOB), u256(FILE), keccak256(RECORD["url"][7:].encode()), u256(pool["id"]),
                   keccak256(pool["proof_instruction"].encode()), keccak256(canonical(env)),
                   addr(worker["address"]), u256(expiry))
    return {"expiry": expiry, "dlp_id": pool["id"],
            "signature": "0x" + sign(OWNER_KEY, digest).hex()}


# ---- section 3: RunProof ----

def check_run():
    pool = NET["pools"][0]
    while True:  # the worker is chosen a moment after the job is there
        state = prove(TEE_POOL, "0x0901" + bytes([JOB]).hex())  # record: file, bid, status, time, owner, tee
        if state[-20:] != bytes(20):
            break
        time.sleep(0.05)
    worker = next(w for w in NET["workers"] if unhex(w["address"]) == state[-20:])
    env = {"NAME": "caf\u00e9", "A": "1"}
    body = {"job_id": JOB, "file_id": FILE, "proof_url": pool["proof_instruction"],
            "encrypted_encryption_key": wrapped(worker, JOB), "encryption_seed": RECORD["seed"],
            "env_vars": env, "secrets": {"TOKEN": secret(worker, pool, "TOKEN", b"s3cret")},
            "nonce": "12345", "authorization": authorization(worker, pool, env, int(time.time()) + 600)}

    def refused(status, code, **changes):
        got, answer = http(worker["url"] + "/RunProof", {**body, **changes})
        is_("refusal", (got, answer["detail"]["error"]["code"]), (status, code))

    refused(400, "INVALID_REQUEST", nonce="0x12")
    refused(403, "UNAUTHORIZED", authorization=None)
    refused(403, "UNAUTHORIZED", authorization={**body["authorization"], "expiry": int(time.time()) + 601})
    refused(403, "UNAUTHORIZED", env_vars={**env, "A": "2"})
    refused(400, "INVALID_KEY", encrypted_encryption_key=wrapped(worker, JOB + 1))
    refused(400, "INVALID_SECRETS", secrets={"OTHER": body["secrets"]["TOKEN"]})
    refused(400, "INVALID_PROOF_URL", proof_url=pool["proof_instruction"] + "x")
    refused(400, "INVALID_JOB", file_id=FILE + 1)
    ok("what differs from what was signed and sealed is refused")
    status, answer = http(worker["url"] + "/RunProof", body)
    is_(f"RunProof {answer}", (status, answer.get("success")), (200, True))
    is_("signer of the nonce", recover(personal(b"12345"), unhex(answer["signature"])),
        unhex(worker["address"]))
    again = http(worker["url"] + "/RunProof", {**body, "nonce": "6"})[1]
    is_("the same request again", again["proof"], answer["proof"])
    ok(f"a run by this client: proof {answer['proof']['index']}, score {answer['proof']['score']}")
    identity = http(worker["url"] + "/identity")[1]
    digest = typed(b"WorkerIdentity(address worker,address proofSigner,string publicKey,string url)",
                   addr(identity["address"]), addr(identity["proof_signer"]),
                   keccak256(identity["public_key"].encode()), keccak256(identity["url"].encode()))
    is_("identity's signer", recover(digest, unhex(identity["signature"])), unhex(worker["address"]))
    is_("attestation", identity["attestation"]["insecure_simulator"], True)
    ok("the worker's identity")


# ---- sections 5 and 6: document and proof ----

def check_proof(index, shown):
    """shown: what `cloister proof show --json` printed."""
    doc = shown["document"]
    fields, ours = doc["signed_fields"], doc["cloister"]
    signer = unhex(fields["prover"]["address"])
    text = canonical(fields)
    is_("document's signer", recover(personal(text), unhex(doc["signature"])), signer)
    is_("evidence hash", unhex(ours["evidence_hash"]), keccak256(text))
    digest = typed(b"ContributionProof(uint256 jobId,uint256 fileId,uint256 dlpId,bytes32 evidenceHash)",
                   u256(ours["job_id"]), u256(fields["subject"]["file_id"]),
                   u256(fields["proof"]["dlp_id"]), keccak256(text))
    is_("signer of the binding", recover(digest, unhex(ours["signature"])), signer)
    is_("metadata", shown["metadata"].encode(), canonical(fields["proof"]["metadata"]))
    score = round(fields["proof"]["score"] * 1000) * 10**15
    packed = (fields["subject"]["url"].encode() + u256(score) + u256(fields["proof"]["dlp_id"]) +
              shown["metadata"].encode() + shown["proof_url"].encode() + shown["validator"].encode())
    is_("signer of the proof", recover(personal(keccak256(packed)), unhex(shown["signature"])), signer)
    # record: job, worker, signer, standing, pool, height, under (file, index)
    record = prove(TEE_POOL, "0x0d01" + bytes([FILE]).hex() + "01" + bytes([index]).hex())
    is_("recorded job", record[:2], b"\1" + bytes([ours["job_id"]]))
    is_("recorded signer and standing", record[22:44], signer + b"\1\1")
    ok(f"document, proof and record of proof {index}")


# ---- sections 7 and 8: state, blocks ----

def root(leaves):
    if len(leaves) < 2:
        return sha256(b"\0" + leaves[0]) if leaves else sha256(b"")
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\1" + root(leaves[:k]) + root(leaves[k:]))


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def fields_of(data):
    """A protobuf message of varints and byte strings, each field once."""
    out, i = {}, 0

    def take():
        nonlocal i
        n = shift = 0
        while True:
            n |= (data[i] & 127) << shift
            i, shift = i + 1, shift + 7
            if data[i - 1] < 128:
                return n

    while i < len(data):
        key = take()
        n = take()
        if key & 7 == 2:
            n, i = data[i:i + n], i + n
        assert key >> 3 not in out
        out[key >> 3] = n
    return out


def check_header(answer):
    """Returns the header's fields after checking hash and signature against genesis."""
    header, commit = fields_of(unhex(answer["header"])), fields_of(unhex(answer["commit"]))
    name = header[2]
    leaves = [header[1], b"\x0a" + varint(len(name)) + name, b"\x08" + varint(header[3]), header[4],
              header[5]]
    for n in range(6, 15):
        value = header.get(n, b"")
        leaves.append(b"\x0a" + varint(len(value)) + value if value else b"")
    is_("header hash", root(leaves), fields_of(commit[3])[1])
    key = bytes.fromhex(GENESIS["validators"][0]["pub_key"].removeprefix("0x"))
    vote = fields_of(commit[4])
    message = (b"\x08\x02\x11" + commit[1].to_bytes(8, "little") + b"\x22" + varint(len(commit[3])) +
               commit[3] + b"\x2a" + varint(len(vote[3])) + vote[3] + b"\x32" + varint(len(name)) + name)
    assert ed25519_ok(key, varint(len(message)) + message, vote[4]), "commit's signature"
    is_("proposer", header[14], sha256(key)[:20])
    validator = b"\x0a\x22\x0a\x20" + key + b"\x10" + varint(GENESIS["validators"][0]["power"])
    is_("validators hash", header[8], root([validator]))
    is_("chain name", name.decode(), GENESIS["chain_name"])
    return header


def prove(contract, storage_key):
    """A storage value (None: absent), proved from genesis' validator key."""
    answer = rpc("cloister_getProof", contract, storage_key)
    key = b"\2" + unhex(contract) + unhex(storage_key)
    is_("key", unhex(answer["key"]), key)
    path, proof = sha256(key), answer["proof"]
    value = None if answer["value"] is None else unhex(answer["value"])
    if value is not None:
        node = sha256(b"JMT::LeafNode" + path + sha256(value))
    elif proof["leaf"] is not None:
        other = unhex(proof["leaf"]["path"])
        n = len(proof["siblings"])
        assert other != path and int.from_bytes(other, "big") >> 256 - n == int.from_bytes(path, "big") >> 256 - n
        node = sha256(b"JMT::LeafNode" + other + unhex(proof["leaf"]["valueHash"]))
    else:
        node = b"SPARSE_MERKLE_PLACEHOLDER_HASH__"
    for i, sibling in enumerate(proof["siblings"]):
        right = int.from_bytes(path, "big") >> 256 - len(proof["siblings"]) + i & 1
        pair = unhex(sibling) + node if right else node + unhex(sibling)
        node = sha256(b"JMT::IntrnalNode" + pair)
    header = check_header(answer)
    is_("state root", header[11], node)
    is_("height of the header", header[3], int(answer["height"], 16) + 1)
    return value


def check_state():
    assert prove(TEE_POOL, "0x02") == bytes([1, JOB]), "number of jobs"
    assert prove(TEE_POOL, "0x0800") == bytes([1, len(NET["workers"])]), "number of active workers"
    assert prove(TEE_POOL, "0x0901" + bytes([JOB + 1]).hex()) is None, "a job that is not"
    first = check_header(rpc("cloister_getCommit", "0x1"))
    is_("block 1", (first[7], first[6]), (sha256(b""), sha256(b"")))
    ok("state proofs, headers and commits, from the validator's key in genesis")


def main():
    shown = json.load(sys.stdin)
    check_seed()
    check_state()
    check_run()
    check_proof(shown["proof"], shown)
    with open(sys.argv[5], "wb") as f:
        f.write(file_key())


main()
