"""The keepers of a devnet (net.py), further ones beside it, and a requester of keys, for end-to-end tests in Python."""
import json, os, subprocess, sys, threading, time, urllib.error, urllib.request

from net import Failure, expect, until

RESHARE = 2


class Keepers:
    def __init__(self, net):
        self.net = net
        self.requester = f"{net.build}/asan/tests/keeper/test_network"
        self.processes, self.argv, self.dead, self.over = {}, {}, set(), threading.Event()
        self.urls = {}  # by account, where the requester asks keepers that devnet.json does not know
        if not os.access(self.requester, os.X_OK):
            print("needs the unit tests' programs (make BUILD=asan unit-bins)")
            sys.exit(77)

    # ---- the requester ----
    def begin(self, test, **env):
        """A request that runs meanwhile; ended() is its outcome."""
        return subprocess.Popen([self.requester, test], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                env=dict(os.environ, KEEPER_NETWORK=self.net.dir, **env))

    def ended(self, p):
        """-> whether it went well, what it said"""
        try:
            text, _ = p.communicate(timeout=120)
        finally:
            p.kill()
        return p.returncode == 0, text

    def request(self, test, **env):
        return self.ended(self.begin(test, **env))

    def add_machines(self, *names):
        ok, text = self.request("machines_are_added", KEEPER_MACHINES=" ".join(names))
        expect(ok, text[-1500:])

    def keys_once(self):
        """-> (keys, what was said of keepers that did not help), or None and why"""
        out = f"{self.net.work}/keys"
        if os.path.exists(out):
            os.remove(out)
        ok, text = self.request("keys_and_liars_are_written", KEEPER_OUT=out, KEEPER_MACHINE="requester",
                                KEEPER_URLS=" ".join(f"{a}={u}" for a, u in self.urls.items()))
        if not ok:
            return None, [text[-800:]]
        lines = open(out).read().splitlines()
        keys = [line[4:] for line in lines if line.startswith("key ")]
        said = [line for line in lines if not line.startswith("key ")]
        return (keys, said) if len(keys) == 3 else (None, said)

    def keys(self, seconds=90):
        """Daemons may be dying: until they are given. A lie is none."""
        last = []

        def once():
            keys, said = self.keys_once()
            expect(not [s for s in said if s.startswith("lied")], f"a keeper lied: {said}")
            last[:] = said
            return keys and (keys, said)
        try:
            return until("keys", once, seconds)
        except Failure as e:
            raise Failure(f"{e}: {last}")

    # ---- what the chain says ----
    def ask(self, signature, *args):
        rc, out, _ = self.net.cli("contract", "call", "Gatekeepers", signature, *map(str, args), check=False)
        return out if rc == 0 else None

    def in_force(self):
        v = self.ask("roundInForce()(uint64)")
        return int(v.strip("()")) if v else None

    def keyset(self):
        def once():
            n = self.in_force()
            return n and self.ask("keyset(uint64)(bytes)", n)
        return bytes.fromhex(until("a keyset", once, 30).strip("()").removeprefix("0x"))

    def public_key(self):
        return self.keyset()[51:83]

    def members(self):
        k = self.keyset()
        return ["0x" + k[83 + 52 * i:103 + 52 * i].hex() for i in range(k[50])]

    def change(self, admin, t, who):
        """The council has them share; a round that comes to nothing is begun again."""
        for _ in range(4):
            admin(self.net, "Gatekeepers", "startRound(uint8,uint8,address[])", RESHARE, t, f"[{','.join(who)}]")
            end = time.time() + 60
            while time.time() < end:
                if self.members() == who:
                    return
                time.sleep(0.2)
        raise Failure(f"these do not become the keepers: {who}")

    # ---- the daemons ----
    def addresses(self):
        return [k["address"].lower() for k in self.net.about["keepers"]]

    def url(self, name):
        i = int(name.split("-")[1])
        return f"http://127.0.0.1:{self.net.port + 50 + i}"

    def tls_url(self, name):
        i = int(name.split("-")[1])
        return f"https://127.0.0.1:{self.net.port + 57 + i}"

    def get(self, name, path):
        try:
            with urllib.request.urlopen(self.url(name) + path, timeout=3) as r:
                return json.load(r)
        except urllib.error.HTTPError as e:
            return json.load(e)
        except (OSError, ValueError):
            return {}

    def health(self, name):
        return self.get(name, "/health")

    def address_of(self, name):
        return until(f"{name} says who it is", lambda: self.get(name, "/identity").get("address"), 30).lower()

    def own(self):
        return list(self.processes)

    def start_own(self, name, url=None):
        """One more keeper, as the devnet's are; started again when it dies."""
        i = int(name.split("-")[1])
        pid = until("a keeper to take after", lambda: self.net.pid("keeper-1"))
        argv = [a.decode() for a in open(f"/proc/{pid}/cmdline", "rb").read().split(b"\0")[:-1]]
        for option, value in [("--dir", f"{self.net.dir}/{name}"), ("--listen", f"127.0.0.1:{self.net.port + 50 + i}"),
                              ("--tls-listen", self.tls_url(name).removeprefix("https://")),
                              ("--tee", f"simulator:{self.net.dir}/simulator/{name}")]:
            argv[argv.index(option) + 1] = value
        self.argv[name] = argv + (["--url", url] if url else [])
        self.spawn(name)
        self.urls[self.address_of(name)] = url or self.url(name)
        threading.Thread(target=self.look_after, args=(name,), daemon=True).start()

    def spawn(self, name):
        log = open(f"{self.net.dir}/logs/{name}.log", "a")
        self.processes[name] = subprocess.Popen(self.argv[name], stdout=log, stderr=log)

    def end_own(self, name):
        """It dies and stays dead."""
        self.dead.add(name)
        self.processes[name].kill()
        self.processes[name].wait()

    def start_again(self, name):
        self.dead.discard(name)

    def look_after(self, name):
        while not self.over.is_set():
            if name not in self.dead and self.processes[name].poll() is not None and not self.over.wait(0.1):
                self.spawn(name)
            self.over.wait(0.05)

    def stop_own(self):
        self.over.set()
        time.sleep(0.2)
        for p in self.processes.values():
            if p.poll() is None:
                p.terminate()
                p.wait(20)

    def fund(self, name):
        who = self.address_of(name)

        def once():
            return self.net.cli("send", who, "100", "--key", "admin", check=False)[0] == 0
        until(f"coins for {name}", once, 30)
