"""A network of real processes for end-to-end tests in Python: devnet, client, JSON-RPC."""
import json, os, random, shutil, signal, socket, subprocess, sys, tempfile, threading, time, urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GIVEN = set()  # by free_ports()


class Failure(Exception):
    pass


def expect(cond, text):
    if not cond:
        raise Failure(text)


def free_ports():
    """A base whose ports are free: BASE..BASE+63 for a devnet, BASE+64..BASE+99 for what a test has beside it. All are
    below the range of outgoing connections, and a test does not get the same ones twice. tests/run has each lane choose
    elsewhere (TEST_PORTS=FIRST-LAST)."""
    first, last = map(int, os.environ.get("TEST_PORTS", "12000-32000").split("-"))
    while True:
        base = random.randrange(first, last, 100)
        if base in GIVEN:
            continue
        socks = []
        try:
            for p in range(100):
                s = socket.socket()
                socks.append(s)
                s.bind(("127.0.0.1", base + p))
            GIVEN.add(base)
            return base
        except OSError:
            continue
        finally:
            for s in socks:
                s.close()


def until(what, fn, seconds=20):
    """Wait for a true value of fn. What takes long to ask is asked less often: the answer needs the processor too."""
    end = time.time() + seconds
    while True:
        asked = time.time()
        v = fn()
        if v:
            return v
        if time.time() > end:
            raise Failure(f"not within {seconds} s: {what}")
        time.sleep(min(max(0.05, 4 * (time.time() - asked)), 0.5))


class Net:
    def __init__(self, build, work, workers=1, env=None, args=()):
        self.args = list(args)
        self.build = os.path.abspath(build)
        self.bin = f"{self.build}/release/bin"
        self.work, self.dir = work, f"{work}/net"
        self.workers, self.port = workers, free_ports()
        self.env = dict(os.environ, CLOISTER_NETWORK=self.dir, CLOISTER_HOME=f"{work}/home", **(env or {}))
        self.proc = None

    def start(self):
        log = open(f"{self.work}/devnet.log", "a")
        self.proc = subprocess.Popen(
            [f"{self.bin}/cloister", "devnet", "--dir", self.dir, "--workers", str(self.workers), "--ports",
             str(self.port), *self.args], stdout=subprocess.PIPE, stderr=log, env=self.env, text=True)
        for line in self.proc.stdout:
            if line.startswith("devnet ready"):
                threading.Thread(target=self.proc.stdout.read, daemon=True).start()
                self.about = json.load(open(f"{self.dir}/devnet.json"))
                return
        raise Failure("the network does not start: " + open(f"{self.work}/devnet.log").read()[-2000:])

    def stop(self):
        if self.proc and self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
            try:
                self.proc.wait(30)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()

    def cli(self, *args, check=True, timeout=120):
        """-> exit status, the JSON it printed, its standard error"""
        p = subprocess.run([f"{self.bin}/cloister", *args, "--json"], env=self.env, capture_output=True, text=True,
                           timeout=timeout)
        try:
            out = json.loads(p.stdout.strip().splitlines()[-1])
        except (IndexError, ValueError):
            out = None
        if check:
            expect(p.returncode == 0, f"cloister {' '.join(args)[:200]}: {p.stderr.strip()}")
        return p.returncode, out, p.stderr.strip()

    def call(self, to, signature, *args):
        return self.cli("contract", "call", to, signature, *args)[1]

    def number(self, to, signature, *args):
        return int(self.call(to, signature, *args).strip("()"))

    def rpc(self, method, *params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}).encode()
        req = urllib.request.Request(f"http://127.0.0.1:{self.port}", body, {"content-type": "application/json"})
        v = json.load(urllib.request.urlopen(req, timeout=20))
        expect("result" in v, f"{method}: {v.get('error')}")
        return v["result"]

    def pid(self, name):
        """The process that holds the daemon's folder; None if there is none."""
        for p in filter(str.isdigit, os.listdir("/proc")):
            try:
                argv = open(f"/proc/{p}/cmdline", "rb").read().split(b"\0")
            except OSError:
                continue
            if len(argv) > 2 and argv[1] == b"--dir" and argv[2] == f"{self.dir}/{name}".encode():
                return int(p)
        return None

    def port_of(self, name):
        if name.startswith("contract-worker"):
            return int(self.about["contract_workers"][int(name[-1])]["url"].rsplit(":", 1)[1])
        return self.port + (10 + int(name[-1]) if name.startswith("worker") else ["ledger", "store"].index(name))

    def serves(self, name):
        try:
            socket.create_connection(("127.0.0.1", self.port_of(name)), 1).close()
            return True
        except OSError:
            return False

    def restart(self, name, signum=signal.SIGTERM, wait=True):
        """End a daemon; devnet starts it again."""
        pid = until(f"{name} runs", lambda: self.pid(name))
        os.kill(pid, signum)
        until(f"{name} ends", lambda: self.pid(name) != pid, 30)
        if wait:
            until(f"{name} is back", lambda: self.pid(name) and self.serves(name), 30)

    def records(self):
        """What this machine's contributions were, by file."""
        folder = f"{self.work}/home/contributions"
        names = [f for f in os.listdir(folder) if f.endswith(".json")] if os.path.isdir(folder) else []
        return {f: json.load(open(f"{folder}/{f}")) for f in names}

    def log(self, name):
        try:
            return open(f"{self.dir}/logs/{name}.log").read()
        except OSError:
            return ""


def npm_packages(client, build):
    """The folder of a client's packages (tests/lib/npm-packages); without them the test is skipped."""
    p = subprocess.run([f"{ROOT}/tests/lib/npm-packages", client, build], capture_output=True, text=True)
    if p.returncode != 0:
        print(p.stdout.strip() or p.stderr.strip())
        sys.exit(p.returncode)
    return p.stdout.strip()


def run(body, name):
    """A test's main: body(build folder, work folder) -> summary. Tidies up whatever happens."""
    build = sys.argv[1] if len(sys.argv) > 1 else "build"
    if not os.access(f"{build}/release/bin/cloister", os.X_OK):
        print(f"{build}/release/bin/cloister is not built")
        sys.exit(77)
    work = tempfile.mkdtemp(prefix=f"cloister-{name}-")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    code = 0
    try:
        print(body(build, work))
    except Failure as e:
        print(f"FAIL: {e}")
        code = 1
    finally:
        if code == 0 or not os.environ.get("KEEP"):
            shutil.rmtree(work, ignore_errors=True)
        else:
            print("kept", work)
    sys.exit(code)


if __name__ == "__main__":  # for scripts in bash
    print(free_ports())
