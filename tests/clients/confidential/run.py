# Confidential contracts on a live network, by a client made from docs/confidential.md alone.
# run.py NETWORK_DIR CONTRACTS_DIR SECONDS_OF_KILLS SEED
import glob
import http.client as http_client
import os
import random
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time

from client import (DONE, NO_CONTRACT, PLAIN, REVERTED, SEALED, UNREADABLE, Account, Chain, Contract,
                    Failed, List, Long, Tuple, call, http, json, keccak256, new_key, open_receipt, query,
                    selector, u256, unhex, words)

net_dir, elf_dir, kill_seconds, seed = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
rng = random.Random(seed)
network = json.load(open(net_dir + "/devnet.json"))
chain = Chain(network)
people = [Account(chain, unhex(a["private_key"])) for a in network["accounts"]]
GAS = 1 << 22
PRICE = 10**9
DEPLOYED = keccak256(b"Deployed(uint64,address,address,bytes32,string)")


def check(what, condition, detail=""):
    if not condition:
        raise SystemExit(f"failed: {what} {detail} (seed {seed})")


def wait(what, condition, seconds=60):
    until = time.time() + seconds
    while True:
        value = condition()
        if value:
            return value
        check(what, time.time() < until, "did not come in %d s" % seconds)
        time.sleep(0.03)


def say(text):
    print("%6.1f  %s" % (time.time() - started, text), flush=True)


started = time.time()


def identity(url):
    def ask():
        try:
            status, answer = http(url + "/identity")
            return answer if status == 200 else None
        except OSError:
            return None
    return wait("identity of " + url, ask)


workers = [{"url": w["url"], "address": unhex(w["address"]),
            "x25519": unhex(identity(w["url"])["x25519"])} for w in network["contract_workers"]]


def add(path):
    out = subprocess.run(["curl", "-sf", "-F", "file=@" + path,
                          network["store"]["rpc"] + "/api/v0/add?cid-version=1"],
                         capture_output=True, check=True)
    return json.loads(out.stdout)["Hash"]


def record(address):
    w = words(chain.read(chain.registry, call("contracts(address)", address)))[1:]
    return {"status": w[2], "code_hash": u256(w[3]), "epoch": w[5], "public": u256(w[6])}


def deploy(name, owner, upgradable=False):
    path = "%s/%s.elf" % (elf_dir, name)
    elf = open(path, "rb").read()
    params = Tuple(keccak256(elf), Long("ipfs://" + add(path)), upgradable, 1, os.urandom(32), GAS, Long(b""))
    receipt = owner.send(chain.registry, call("deploy(uint64,(bytes32,string,bool,uint8,bytes32,uint64,bytes))",
                                              1, params), value=GAS * PRICE, gas=5000000)
    address = [unhex(x["topics"][2])[12:] for x in receipt["logs"] if unhex(x["topics"][0]) == DEPLOYED][0]
    wait("a key for " + name, lambda: record(address)["status"] == 2)
    return Contract(chain, address)


def receipt_of(index, private, seconds=90):
    def ask():
        for w in rng.sample(workers, len(workers)):
            try:
                status, answer = http("%s/contracts/receipt?cluster=1&index=%d" % (w["url"], index))
            except OSError:
                continue
            if status == 200:
                return open_receipt(chain, 1, index, private, unhex(answer["sealed"]))
        return None
    return wait("the receipt of command %d" % index, ask, seconds)


def command(contract, account, data, value=0):
    r = record(contract.address)
    private, public = new_key()
    sequence, expiry = contract.next_sequence(account.address), chain.height() + 100000
    sealed = contract.envelope((r["public"], r["epoch"], r["code_hash"]), account.address, sequence, expiry, GAS,
                               public, data)
    index = contract.send_payload(account, sequence, expiry, GAS, SEALED, sealed, PRICE, value)
    return index, private, (sequence, expiry, sealed)


def done(contract, account, data, value=0):
    index, private, sent = command(contract, account, data, value)
    status, output = receipt_of(index, private)
    check("a command", status == DONE, str((status, output)))
    return sent


def ask(worker, contract, data, account=None):
    """A worker that was just started answers soon. The newest block proves the state before it."""
    until = time.time() + 60
    while True:
        try:
            return query(chain, worker, contract.address, data, account, minimum_height=chain.height() - 1)
        except (OSError, Failed) as e:
            check("a query", time.time() < until and ("again" in str(e).lower() or "not found" in str(e) or
                                                      isinstance(e, OSError)), str(e))
            time.sleep(0.1)


def refused(what, why, action):
    try:
        action()
    except Failed as e:
        check(what, selector(why).hex() in str(e), str(e))
        return
    check(what, False, "was let through")


# ---- killing ----

def pids(name):
    out = subprocess.run(["pgrep", "-f", "--", "--dir %s/%s( |$)" % (net_dir, name)],
                         capture_output=True, text=True)
    return [int(x) for x in out.stdout.split()]


class Killer(threading.Thread):
    def __init__(self, names, seconds):
        super().__init__(daemon=True)
        self.names, self.until, self.count = names, time.time() + seconds, 0

    def run(self):
        while time.time() < self.until:
            time.sleep(rng.uniform(0.2, 1.2))
            for pid in pids(rng.choice(self.names)):
                try:
                    os.kill(pid, signal.SIGKILL)
                    self.count += 1
                except ProcessLookupError:
                    pass


# ---- the play ----

def survey():
    owner = people[1]
    contract = deploy("Survey", owner)
    say("a survey at 0x%s" % contract.address.hex())
    closes = int(time.time()) + 3600
    done(contract, owner, call("open(string,string[],uint64,uint64)", Long("who reads this?"),
                               List([Long("nobody"), Long("everybody")]), closes, 2))
    return contract


def envelopes(contract):
    """Nothing but the very command it was sealed for opens."""
    who, other = people[2], people[3]
    sequence, expiry, sealed = done(contract, who, call("answer(uint256)", 1))
    refused("the same command again", "WrongSequence(uint64)", lambda: contract.send_payload(
        who, sequence, expiry, GAS, SEALED, sealed, PRICE))
    before = ask(workers[0], contract, call("question()"))[2]
    second = deploy("Survey", people[1])
    tries = [(contract, who, sequence + 1, expiry, sealed), (contract, other, 0, expiry, sealed),
             (second, who, 0, expiry, sealed), (contract, who, sequence + 2, expiry + 1, sealed),
             (contract, other, 1, expiry, sealed[:-1]), (contract, other, 2, expiry, sealed[:60])]
    last = 0
    for at, account, number, until, payload in tries:
        last = at.send_payload(account, number, until, GAS, SEALED, payload, PRICE)
    refused("an epoch that is not", "WrongEpoch(uint64)", lambda: contract.send_payload(
        other, 3, expiry, GAS, SEALED, sealed[:1] + (99).to_bytes(8, "big") + sealed[9:], PRICE))
    refused("an expired command", "Expired(uint64)", lambda: contract.send_payload(
        other, 3, 1, GAS, SEALED, sealed, PRICE))
    wait("what does not open is confirmed all the same", lambda: words(chain.read(
        chain.registry, call("confirmed(uint64)", 1)))[1] > last)
    after = ask(workers[0], contract, call("question()"))[2]
    check("no replayed answer counts", before["result"] == after["result"])
    second_survey[:] = [second]
    say("a command sealed once opens once: 6 replayed, moved or cut ones did nothing, 3 were refused")


def under_kills(contract):
    names = ["contract-worker-%d" % i for i in range(len(workers))] * 3 + ["keeper-0", "keeper-1", "ledger", "store"]
    killer = Killer(names, kill_seconds)
    answered, counted = {}, 0
    killer.start()
    while killer.is_alive():
        account, choice = rng.choice(people[2:]), rng.randrange(2)
        try:
            index, private, _ = command(contract, account, call("answer(uint256)", choice))
        except (OSError, Failed) as e:
            # Not queued, or queued and the answer lost: look, as any client must.
            say("a try failed: %s" % str(e)[:80])
            time.sleep(0.3)
            continue
        status, output = receipt_of(index, private, 120)
        check("an answer under kills", status == DONE, str((status, output)))
        answered[account.address] = choice
        counted += 1
    for account in people[2:]:
        status, result, _ = ask(rng.choice(workers), contract, call("mine()"), account)
        want = answered.get(account.address)
        if want is not None:
            check("each has its last answer", words(result)[0] == want + 1)
    say("%d commands done, each once, under %d kills" % (counted, killer.count))
    return answered


def same_everywhere(contract):
    roots = set()
    for w in workers:
        _, _, answer = ask(w, contract, call("question()"))
        roots.add((answer["batch"], answer["root"]))
    check("all workers serve one state", len(roots) == 1, str(roots))


def roll_back(contract):
    """An older copy of a worker's folder is put back: it serves the confirmed state all the same."""
    name = "contract-worker-0"
    folder, copy = net_dir + "/" + name, net_dir + "/older"
    shutil.copytree(folder, copy)
    done(contract, people[4], call("answer(uint256)", 0))
    os.rename(folder, folder + ".away")  # it is started again at once: into the older copy
    os.rename(copy, folder)
    for pid in pids(name):
        os.kill(pid, signal.SIGKILL)
    status, result, _ = ask(workers[0], contract, call("mine()"), people[4])
    check("the newest state is served", status == DONE and words(result)[0] == 1)
    same_everywhere(contract)
    say("an older folder of a worker put back: it serves what is confirmed")


def lost_delta(contract):
    """The newest deltas are gone from the store: the batches are executed again."""
    commits = words(chain.read(chain.registry, call("confirmed(uint64)", 1)))[3]
    gone = 0
    for n in range(max(0, commits - 3), commits):
        data = chain.read(chain.registry, call("commitAt(uint64,uint64)", 1, n))
        at = 32 + words(data)[6]
        size = int.from_bytes(data[at:at + 32], "big")
        cid = data[at + 32:at + 32 + size].decode()
        for path in ("pin/rm?arg=%s" % cid, "block/rm?arg=%s&force=true" % cid):
            subprocess.run(["curl", "-s", "-X", "POST", "%s/api/v0/%s" % (network["store"]["rpc"], path)],
                           capture_output=True)
        gone += 1
    for i in range(len(workers)):
        for pid in pids("contract-worker-%d" % i):
            os.kill(pid, signal.SIGKILL)
    same_everywhere(contract)
    done(contract, people[5], call("answer(uint256)", 1))
    log = "".join(open(f, errors="replace").read() for f in glob.glob(net_dir + "/logs/contract-worker-*.log"))
    check("it was executed again", "executing them" in log)
    say("%d deltas lost from the store: workers execute those batches again" % gone)


class Asker(threading.Thread):
    """Queries without a signature over one kept TLS connection, as fast as they go."""

    def __init__(self, worker, contract, until):
        super().__init__(daemon=True)
        self.worker, self.contract, self.until, self.seen, self.failure = worker, contract, until, set(), None

    def run(self):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE  # the evidence is other tests' affair
        host, port = self.worker["url"].split("//")[1].split(":")
        line = http_client.HTTPSConnection(host, int(port) + 4, timeout=30, context=tls)  # a devnet's TLS port
        body = json.dumps({"contract": "0x" + self.contract.address.hex(), "data": "0x" + call("question()").hex(),
                           "nonce": "0x" + bytes(32).hex(), "minimum_height": 0,
                           "expiry": int(time.time()) + 300})
        while time.time() < self.until:
            line.request("POST", "/contracts/query", body, {"Content-Type": "application/json"})
            answer = json.loads(line.getresponse().read())
            if "root" in answer:
                self.seen.add((answer["batch"], answer["height"], answer["root"]))
            elif answer.get("error", {}).get("code") != "again":
                self.failure = answer


def signed_for(contract):
    """What an answer is signed for is what the chain had confirmed at that very height."""
    until = time.time() + min(8, kill_seconds)
    askers = [Asker(workers[i % len(workers)], contract, until) for i in range(4)]
    for a in askers:
        a.start()
    sent = 0
    while any(a.is_alive() for a in askers):
        command(contract, people[2 + sent % 3], call("answer(uint256)", sent % 2))
        sent += 1
    seen = set().union(*(a.seen for a in askers))
    check("queries while commands come", all(a.failure is None for a in askers), str([a.failure for a in askers]))
    for batch, height, root in seen:
        confirmed = words(chain.read(chain.registry, call("confirmed(uint64)", 1), hex(height)))
        check("an answer is signed for the state of its height", (confirmed[0], u256(confirmed[2])) ==
              (batch, unhex(root)), "batch %d at %d, confirmed %d" % (batch, height, confirmed[0]))
    states = len({batch for batch, _, _ in seen})
    check("states went by", states > 2, str(states))
    say("queries during %d commands saw %d states, each at heights where the chain has it" % (sent, states))


def close(contract):
    closes = int(time.time()) + 12  # until then all must have answered, also on a busy machine
    done(contract, people[1], call("open(string,string[],uint64,uint64)", Long("who wrote this?"),
                                   List([Long("you"), Long("me")]), closes, 2))
    for i, account in enumerate(people[2:6]):
        command(contract, account, call("answer(uint256)", i % 2))
    while int(chain.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16) < closes:
        time.sleep(0.5)
        people[0].send(people[0].address, b"", gas=21000)
    done(contract, people[1], call("close()"))
    _, result, _ = ask(workers[-1], contract, call("counts()"))
    counts = words(result)[2:]
    each = [words(ask(workers[0], contract, call("mine()"), a)[1])[0] for a in people]
    check("counts are what people said", counts == [each.count(1), each.count(2)], str((counts, each)))
    status, _, _ = ask(workers[0], contract, call("mine()"))
    check("nobody in particular has no answer", status == DONE)
    say("closed: %d and %d" % (counts[0], counts[1]))
    return counts


def publish(contract):
    """A message to a public contract, delivered once."""
    elf = open(elf_dir + "/Guestbook.elf", "rb").read()
    receipt = people[1].send(b"", elf, gas=20000000)
    book = unhex(receipt["contractAddress"])
    done(contract, people[1], call("publish(address)", book))
    wait("the message is delivered", lambda: words(chain.read(book, call("entriesCount()")))[0] >= 1)
    time.sleep(2)
    check("delivered once", words(chain.read(book, call("entriesCount()")))[0] == 1)
    say("its result went into a public guestbook, once")


def nothing_plain():
    needle = b"who reads this?"
    for where in ("store", "contract-worker-0", "contract-worker-1", "logs"):
        for path, _, files in os.walk(net_dir + "/" + where):
            for f in files:
                with open(os.path.join(path, f), "rb") as data:
                    check("no plaintext in " + f, needle not in data.read())


second_survey = []
contract = survey()
envelopes(contract)
under_kills(contract)
same_everywhere(contract)
signed_for(contract)
roll_back(contract)
lost_delta(contract)
nothing_plain()
close(second_survey[0])
publish(second_survey[0])
print("sealed commands, queries, kills, replays, an old folder, lost deltas and a message out: all as they should")
