# Query channels on a live network, by a client made from the documents alone.
# channels.py NETWORK_DIR SURVEY STUCK
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

from channel import Channel, Closed, WebSocket
from client import (DONE, REVERTED, TRAPPED, Account, Chain, Failed, call, http, keccak256, lp, query, typed, unhex,
                    word)
from crypto import recover

net_dir, survey, stuck = sys.argv[1], unhex(sys.argv[2]), unhex(sys.argv[3])
network = json.load(open(net_dir + "/devnet.json"))
chain = Chain(network)
people = [Account(chain, unhex(a["private_key"])) for a in network["accounts"]]
alice, bob = people[1], people[2]
mine, counts = call("mine()"), call("counts()")


def check(what, condition, detail=""):
    if not condition:
        raise SystemExit(f"failed: {what} {detail}")


def wait(what, condition, seconds=60):
    until = time.time() + seconds
    while not condition():
        check(what, time.time() < until, f"did not come in {seconds} s")
        time.sleep(0.05)


def refused(what, why, action):
    """why: of the error, or of the good-bye"""
    try:
        action()
    except (Failed, Closed) as e:
        check(what, why in str(e), str(e))
        return
    check(what, False, "was let through")


def signer(contract, data, nonce, reply):
    return recover(typed(
        chain, b"Reply(address contractAddress,bytes32 queryHash,uint64 batch,uint64 height,bytes32 root,uint8 status,"
        b"bytes32 resultHash)", contract, keccak256(lp(contract) + lp(data) + lp(nonce)), reply["batch"],
        reply["height"], unhex(reply["root"]), reply["status"], keccak256(unhex(reply["result"]))),
        unhex(reply["signature"]))


w = network["contract_workers"][0]
worker = {"url": w["url"], "address": unhex(w["address"]), "x25519": unhex(http(w["url"] + "/identity")[1]["x25519"])}

# ---- the same answers as over HTTP, signed for the same state
least = chain.height() - 1
for account in (None, alice, bob):
    c = Channel(chain, worker, account)
    check("an acknowledged height", c.height > 0)
    for data in (mine, counts, mine):
        nonce = os.urandom(32)
        status, result, reply = c.ask(survey, data, minimum_height=least, nonce=nonce)
        again = query(chain, worker, survey, data, account, minimum_height=least, nonce=nonce)
        check("one answer", (status, result) == again[:2], f"{reply} {again[2]}")
        check("the worker's signature", signer(survey, data, nonce, reply) == signer(survey, data, nonce, again[2]))
    c.close()
check("what alice answered", query(chain, worker, survey, mine, alice)[1][-1] == 2)

host, port = worker["url"].rsplit(":", 1)
c = Channel(chain, dict(worker, url=f"https:{host.split(':')[1]}:{int(port) + 4}"), alice)
check("over the TLS port", c.ask(survey, mine)[1][-1] == 2)
c.close()

# ---- sent ahead: answers in order
c = Channel(chain, worker, alice)
other = Channel(chain, worker, bob)
for message in [c.question(survey, data) for data in (mine, counts, mine)]:
    c.ws.send(message)
check("answers in order", [c.answer()["status"] for _ in range(3)] == [DONE, REVERTED, DONE])

# ---- what a query does wrong is the query's, not the channel's
refused("an unknown contract", "not found", lambda: c.ask(bytes(19) + b"\1", mine))
refused("a height to come", "again", lambda: c.ask(survey, mine, minimum_height=chain.height() + 1000000))
c.ws.send(c.there.seal(b"", b'{"contract":1}' + b" " * 498))
check("a query without form", c.answer()["error"]["code"] == "malformed")
check("a query that never ends", c.ask(stuck, call("spin()"))[0] == TRAPPED)
check("the next one", c.ask(stuck, call("one()"))[1] == word(1))
check("the one after", c.ask(survey, mine)[1][-1] == 2)

# ---- openings: replayed, of another, out of time
refused("a replayed opening", "1008", lambda: Channel(chain, worker, opening=c.opening))
refused("another's signature", "denied", lambda: Channel(chain, worker, alice, signer=bob))
refused("an expiry that is over", "denied", lambda: Channel(chain, worker, alice, expiry=int(time.time()) - 2))
refused("an expiry too far", "denied", lambda: Channel(chain, worker, alice, expiry=int(time.time()) + 3700))
refused("another worker's", "1008", lambda: Channel(chain, dict(worker, address=bytes(20)), alice))
refused("no opening at all", "1002", lambda: Channel(chain, worker, opening=b"short"))


# ---- messages: moved, repeated, altered
def bent(what, message):
    victim = Channel(chain, worker, bob)
    victim.ws.send(message(victim))
    refused(what, "1008", victim.answer)
    victim.close()


donor = Channel(chain, worker, alice)
bent("a query moved to another channel", lambda victim: donor.question(survey, mine))
bent("a query altered", lambda victim: victim.question(survey, mine)[:-1] + b"\0")
first = other.question(survey, mine)
other.ws.send(first)
check("before it is repeated", other.answer()["status"] == DONE)
other.ws.send(first)
refused("a query repeated", "1008", other.answer)

# ---- expiry closes, also when nothing is sent
short = Channel(chain, worker, alice, expiry=int(time.time()) + 2)
check("before it expires", short.ask(survey, mine)[0] == DONE)
refused("an expired channel", "time is over", short.answer)

# ---- 64 channels, half of the rest for one address; HTTP answers all the same
open_ones = []
sources = [f"127.0.0.{i}" for i in range(1, 9)]
for source in sources:
    try:
        while True:
            open_ones.append(WebSocket(worker["url"], source))
            check("channels of one worker", len(open_ones) < 65)
    except Failed as e:
        check("one too many", "503" in str(e), str(e))
check("as many as there may be", 55 < len(open_ones) < 63, str(len(open_ones)))  # c and donor too, and any that end just now


def channels_open():
    with urllib.request.urlopen(worker["url"] + "/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return int(float([x for x in lines if x.startswith("cloister_worker_query_channels ")][0].split()[1]))


check("its metric", channels_open() > len(open_ones), str(channels_open()))
check("queries over HTTP", query(chain, worker, survey, mine, alice)[0] == DONE)
check("queries of an open channel", c.ask(survey, mine)[0] == DONE)
for ws in open_ones[1:]:
    ws.close()
wait("its metric, when they are closed", lambda: channels_open() < 8)


# ---- a worker that stops says so
def worker_pid():
    out = subprocess.run(["pgrep", "-f", "--", f"cloister-worker --dir {net_dir}/contract-worker-0( |$)"],
                         capture_output=True, text=True)
    return [int(x) for x in out.stdout.split()]


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


wait("a free place", lambda: c.ask(survey, mine)[0] == DONE)
pid = worker_pid()[0]
os.kill(pid, signal.SIGTERM)
refused("a channel of a worker that stops", "1001", c.answer)
refused("one that is not open yet", "1001", lambda: [open_ones[0].receive() for _ in range(2)])
wait("the worker's end", lambda: is_gone(pid), 30)
print("channels: the same answers; replayed, moved, repeated, expired and too many refused; a worker stops")
