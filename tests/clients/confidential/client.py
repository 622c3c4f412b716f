# A client of confidential contracts made from docs/confidential.md alone: transactions, envelopes,
# receipts and queries, with no code of ours but the plain cryptography beside it.
import json
import os
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "protocol"))
from crypto import G, _mul, hpke_derive, hpke_open, hpke_seal, keccak256, sign, x25519  # noqa: E402
from wire import lp, padded, u8, u32, u64, u256  # noqa: E402

BASE_POINT = (9).to_bytes(32, "little")


def unhex(text):
    text = text[2:] if text.startswith("0x") else text
    return bytes.fromhex(text)


def rlp(x):
    if isinstance(x, int):
        x = x.to_bytes((x.bit_length() + 7) // 8, "big")
    if isinstance(x, list):
        body = b"".join(rlp(i) for i in x)
        return _rlp_head(0xC0, len(body)) + body
    if len(x) == 1 and x[0] < 0x80:
        return x
    return _rlp_head(0x80, len(x)) + x


def _rlp_head(base, n):
    if n < 56:
        return u8(base + n)
    size = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return u8(base + 55 + len(size)) + size


# ---- ABI: words, then what is long ----

def selector(signature):
    return keccak256(signature.encode())[:4]


def word(v):
    if isinstance(v, bool):
        return u256(int(v))
    if isinstance(v, int):
        return u256(v)
    assert isinstance(v, bytes)
    return bytes(12) + v if len(v) == 20 else v


class Long:
    """bytes or text"""

    def __init__(self, data):
        self.data = data.encode() if isinstance(data, str) else data

    def encode(self):
        return u256(len(self.data)) + self.data + bytes(-len(self.data) % 32)


class List:
    def __init__(self, items):
        self.items = items

    def encode(self):
        return u256(len(self.items)) + args(*self.items)


class Tuple:
    """One with something long in it."""

    def __init__(self, *items):
        self.items = items

    def encode(self):
        return args(*self.items)


def args(*values):
    head, tail = b"", b""
    size = 32 * len(values)
    for v in values:
        if isinstance(v, (Long, List, Tuple)):
            head += u256(size + len(tail))
            tail += v.encode()
        else:
            head += word(v)
    return head + tail


def call(signature, *values):
    return selector(signature) + args(*values)


def words(data):
    return [int.from_bytes(data[i:i + 32], "big") for i in range(0, len(data), 32)]


# ---- the chain ----

class Failed(Exception):
    pass


class Chain:
    def __init__(self, network):
        self.url = network["rpc"]
        self.id = network["chain_id"]
        self.network = network
        self.registry = unhex(network["contracts"]["ConfidentialContracts"])
        self.workers = unhex(network["contracts"]["Workers"])
        self._genesis = None

    def rpc(self, method, *params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        for attempt in range(200):
            try:
                request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
                with urllib.request.urlopen(request, timeout=10) as answer:
                    reply = json.load(answer)
                break
            except (OSError, ValueError):
                if attempt == 199:
                    raise
                time.sleep(0.1)
        if "error" in reply:
            raise Failed("%s %s" % (reply["error"]["message"], reply["error"].get("data", "")))
        return reply["result"]

    def genesis(self):
        if self._genesis is None:
            self._genesis = unhex(self.rpc("eth_getBlockByNumber", "0x0", False)["hash"])
        return self._genesis

    def height(self):
        return int(self.rpc("eth_blockNumber"), 16)

    def read(self, to, data, height="latest"):
        return unhex(self.rpc("eth_call", {"to": "0x" + to.hex(), "data": "0x" + data.hex()}, height))


class Account:
    def __init__(self, chain, key):
        self.chain, self.key = chain, key
        x, y = _mul(int.from_bytes(key, "big"), G)
        self.address = keccak256(u256(x) + u256(y))[12:]

    def send(self, to, data, value=0, gas=3000000):
        nonce = int(self.chain.rpc("eth_getTransactionCount", "0x" + self.address.hex(), "pending"), 16)
        price = 2 * int(self.chain.rpc("eth_gasPrice"), 16)
        fields = [nonce, price, gas, to, value, data]
        sig = sign(int.from_bytes(self.key, "big"), keccak256(rlp(fields + [self.chain.id, 0, 0])))
        v = sig[64] - 27 + 35 + 2 * self.chain.id
        raw = rlp(fields + [v, int.from_bytes(sig[:32], "big"), int.from_bytes(sig[32:64], "big")])
        try:
            tx = self.chain.rpc("eth_sendRawTransaction", "0x" + raw.hex())
        except Failed as e:
            if "already known" not in str(e):
                raise
            tx = "0x" + keccak256(raw).hex()
        for _ in range(600):
            receipt = self.chain.rpc("eth_getTransactionReceipt", tx)
            if receipt is not None:
                if receipt["status"] != "0x1":
                    raise Failed("transaction reverted")
                return receipt
            time.sleep(0.02)
        raise Failed("no receipt")


# ---- contracts ----

RECORD = ("cluster", "owner", "status", "code_hash", "key_epoch", "public_key")
DONE, REVERTED, TRAPPED, UNREADABLE, NO_CONTRACT = 1, 2, 3, 4, 5
SEALED, PLAIN = 1, 2
QUEUED = keccak256(b"Queued(uint64,uint64,address,bytes)")


class Contract:
    def __init__(self, chain, address, cluster=1):
        self.chain, self.address, self.cluster = chain, address, cluster

    def record(self):
        data = self.chain.read(self.chain.registry, call("contracts(address)", self.address))
        return words(data)

    def key(self, fields):
        """(public key, epoch, code hash) of the active record, or None"""
        return fields(self.record())

    def next_sequence(self, sender):
        return words(self.chain.read(self.chain.registry, call("nextSequence(address,address)",
                                                               self.address, sender)))[0]

    def envelope(self, key, sender, sequence, expiry, gas, reply, calldata):
        public, epoch, code_hash = key
        aad = (lp(u64(self.chain.id)) + lp(self.chain.genesis()) + lp(self.address) + lp(sender) +
               lp(u64(sequence)) + lp(u64(expiry)) + lp(u64(gas)) + lp(u64(epoch)) + lp(code_hash))
        plain = padded(u8(1) + reply + u32(len(calldata)) + calldata, 128)
        return u8(1) + u64(epoch) + hpke_seal(public, b"cloister/cluster/command/v1", aad, plain)

    def send_payload(self, account, sequence, expiry, gas, kind, payload, price, value=0):
        data = call("send(address,uint64,uint64,uint64,uint8,bytes)", self.address, sequence, expiry,
                    gas, kind, Long(payload))
        # Refusals with their reason, and without a transaction.
        self.chain.rpc("eth_call", {"from": "0x" + account.address.hex(),
                                    "to": "0x" + self.chain.registry.hex(), "data": "0x" + data.hex(),
                                    "value": hex(gas * price + value)}, "latest")
        receipt = account.send(self.chain.registry, data, value=gas * price + value, gas=2000000)
        for log in receipt["logs"]:
            if unhex(log["topics"][0]) == QUEUED:
                return int(log["topics"][2], 16)
        raise Failed("no entry was queued")


def open_receipt(chain, cluster, index, reply_key, sealed):
    aad = lp(u64(chain.id)) + lp(chain.genesis()) + lp(u64(cluster)) + lp(u64(index))
    plain = hpke_open(reply_key, b"cloister/cluster/receipt/v1", aad, sealed)
    n = int.from_bytes(plain[2:6], "big")
    return plain[1], plain[6:6 + n]


def http(url, body=None):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as e:
        return e.code, json.load(e)


def new_key():
    private = hpke_derive(os.urandom(32))
    return private, x25519(private, BASE_POINT)


def seal_query(chain, worker, contract, calldata, account=None, minimum_height=0, expiry=None, nonce=None):
    """worker: {"url", "address", "x25519"}. What ask_sealed() takes, any number of times."""
    private, public = new_key()
    nonce = nonce or os.urandom(32)
    expiry = expiry if expiry is not None else int(time.time()) + 60
    inner = {"contract": "0x" + contract.hex(), "data": "0x" + calldata.hex(), "nonce": "0x" + nonce.hex(),
             "minimum_height": minimum_height, "expiry": expiry, "reply_key": "0x" + public.hex()}
    if account is not None:
        inner["caller"] = "0x" + account.address.hex()
        inner["signature"] = "0x" + sign(int.from_bytes(account.key, "big"), typed(
            chain, b"Query(address contractAddress,address worker,bytes32 payloadHash,bytes32 nonce,"
            b"uint64 minimumHeight,uint64 expiry)", contract, worker["address"], keccak256(calldata),
            nonce, minimum_height, expiry)).hex()
    text = json.dumps(inner).encode()
    size = 512
    while size < len(text):
        size *= 2
    text += b" " * (size - len(text))
    context = lp(u64(chain.id)) + lp(chain.genesis()) + lp(worker["address"])
    sealed = hpke_seal(worker["x25519"], b"cloister/cluster/query/v1", context, text)
    name = keccak256(lp(contract) + lp(calldata) + lp(nonce))
    return "0x" + sealed.hex(), private, context + lp(name)


def ask_sealed(worker, sealed_query):
    """(status, result, all of the answer) or raises Failed with the error."""
    sealed, private, context = sealed_query
    status, answer = http(worker["url"] + "/contracts/query", {"sealed": sealed})
    if status != 200:
        raise Failed(answer["detail"]["error"]["code"])
    plain = json.loads(hpke_open(private, b"cloister/cluster/reply/v1", context, unhex(answer["sealed"])))
    if "error" in plain:
        raise Failed(plain["error"]["code"] + ": " + plain["error"]["message"])
    return plain["status"], unhex(plain["result"]), plain


def query(chain, worker, *question, **options):
    """As seal_query(), asked once."""
    return ask_sealed(worker, seal_query(chain, worker, *question, **options))


def typed(chain, kind, *members):
    domain = keccak256(keccak256(b"EIP712Domain(string name,string version,uint256 chainId,"
                                 b"address verifyingContract)") + keccak256(b"Cloister") +
                       keccak256(b"1") + u256(chain.id) + bytes(12) + chain.registry)
    return keccak256(b"\x19\x01" + domain + keccak256(
        keccak256(kind) + b"".join(word(m) for m in members)))
