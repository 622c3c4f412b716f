"""A cloister-ledger with the system contracts and five funded accounts, for tests with clients."""
import json
import os
import subprocess
import tempfile
import time
import urllib.request

CHAIN_ID = 31337
# The well-known development keys of Hardhat and Anvil, accounts 0 to 4.
KEYS = [
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
    "47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
]
ADDRESSES = [
    "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266",
    "0x70997970c51812dc3a010c7d01b50e0d17dc79c8",
    "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc",
    "0x90f79bf6eb2c4f870365e785982e1f101e93b906",
    "0x15d34aaf54267db7d7c367839aaf71a00a2c6a65",
]
REGISTRY = "0x8c8788f98385f6ba1add4234e551abba0f82cb7c"
TEE_POOL = "0xe8ec6bd73b23ad40e6b9a6f4bd343fac411bd99a"
MULTICALL3 = "0xca11bde05977b3631167028862be2a173976ca11"


def word(value):
    """An ABI word of a number or an address."""
    return (int(value, 16) if isinstance(value, str) else value).to_bytes(32, "big").hex()


def text(value):
    """An ABI string: length and padded bytes."""
    raw = value.encode()
    return word(len(raw)) + raw.hex().ljust((len(raw) + 31) // 32 * 64, "0")


def add_tee(address):
    """Calldata of addTee(address,string,string)."""
    url, key = text("http://127.0.0.1:1"), text("x25519:" + "11" * 32)
    return "0x8acfae94" + word(address) + word(96) + word(96 + len(url) // 2) + url + key


class Node:
    """`with Node(o) as node`: node.url is where JSON-RPC is served. `o` is the build's folder."""

    def __init__(self, o, build="release"):
        self.o = os.path.abspath(o)
        self.binary = os.path.join(self.o, build, "bin", "cloister-ledger")
        self.tmp = tempfile.TemporaryDirectory(prefix="ledger-node-")
        self.process = None
        self.url = ""

    def elf(self, name):
        return os.path.join(self.o, "contracts", name + ".elf")

    def _genesis(self, key):
        admin = ADDRESSES[0]
        contracts = [
            {
                "name": "DataRegistry",
                "address": REGISTRY,
                "elf": self.elf("DataRegistry"),
                # initialize(address,address)
                "init": "0x485cc955" + word(0) + word(admin),
            },
            {
                "name": "TeePool",
                "address": TEE_POOL,
                "elf": self.elf("TeePool"),
                # initialize(address,address,address,uint256)
                "init": "0xcf756fdf" + word(0) + word(admin) + word(REGISTRY) + word(60),
            },
            {"name": "Multicall3", "address": MULTICALL3, "elf": self.elf("Multicall3")},
        ]
        return {
            "chain_id": CHAIN_ID,
            "chain_name": "clients-1",
            "time": int(time.time()),
            "admin": admin,
            "validators": [{"pub_key": key, "power": 1}],
            "accounts": [{"address": a, "balance_wei": str(10**22)} for a in ADDRESSES],
            "contracts": contracts,
            "calls": [{"note": "a worker", "to": TEE_POOL, "data": add_tee(ADDRESSES[4])}],
        }

    def __enter__(self):
        folder = os.path.join(self.tmp.name, "node")
        genesis = os.path.join(self.tmp.name, "genesis.json")
        show = [self.binary, "--dir", folder, "--validator-key"]
        key = subprocess.run(show, capture_output=True, check=True, text=True).stdout.strip()
        with open(genesis, "w", encoding="utf-8") as f:
            json.dump(self._genesis(key), f)
        self.process = subprocess.Popen(
            [self.binary, "--dir", folder, "--genesis", genesis, "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline().split()
        if line[:3] != ["cloister-ledger", "ready", "on"]:
            raise RuntimeError("cloister-ledger did not start")
        self.url = line[3]
        return self

    def __exit__(self, *_):
        self.process.terminate()
        code = self.process.wait(timeout=30)
        self.tmp.cleanup()
        if code != 0:
            raise RuntimeError(f"cloister-ledger ended with {code}")

    def post(self, request):
        """The parsed answer to a request object or batch."""
        r = urllib.request.Request(
            self.url,
            json.dumps(request).encode(),
            {"content-type": "application/json", "accept-encoding": "gzip"},
        )
        with urllib.request.urlopen(r, timeout=60) as answer:
            return json.loads(answer.read())
