"""Query channels, from docs/confidential.md and docs/worker.md; the WebSocket (RFC 6455) too, so that
everything can be bent."""
import base64
import json
import os
import socket
import ssl
import struct
import time

from client import Failed, typed, unhex
from crypto import HpkeSender, aes256_gcm_open, nonce_of, sign
from wire import lp, u64


class Closed(Exception):
    """status, reason"""


class WebSocket:
    def __init__(self, url, source=None):
        host, port = url.split("//")[1].rstrip("/").split(":")
        self.sock = socket.create_connection((host, int(port)), 30, (source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if url.startswith("https:"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the key in the chain is what counts
            self.sock = context.wrap_socket(self.sock)
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall(("GET /contracts/channel HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n" % (host, key)).encode())
        self.rest = b""
        head = b""
        while b"\r\n\r\n" not in head:
            more = self.sock.recv(4096)
            if not more:
                raise Failed("no answer to the handshake")
            head += more
        head, self.rest = head.split(b"\r\n\r\n", 1)
        self.status = int(head.split()[1])
        if self.status != 101:
            raise Failed("HTTP %d" % self.status)

    def send(self, payload, opcode=2):
        mask = os.urandom(4)
        n = len(payload)
        size = bytes([0x80 | n]) if n < 126 else b"\xfe" + struct.pack(">H", n)
        body = bytes(b ^ mask[i % 4] for i, b in enumerate(payload))
        self.sock.sendall(bytes([0x80 | opcode]) + size + mask + body)

    def _take(self, n):
        while len(self.rest) < n:
            more = self.sock.recv(65536)
            if not more:
                raise Closed(0, "cut off")
            self.rest += more
        out, self.rest = self.rest[:n], self.rest[n:]
        return out

    def receive(self):
        """the next message: (opcode, payload)"""
        first, n = self._take(2)
        if n == 126:
            n = struct.unpack(">H", self._take(2))[0]
        elif n == 127:
            n = struct.unpack(">Q", self._take(8))[0]
        payload = self._take(n)
        if first & 15 == 8:
            raise Closed(struct.unpack(">H", payload[:2])[0], payload[2:].decode())
        return first & 15, payload

    def close(self):
        self.sock.close()


def padded(value):
    text = json.dumps(value).encode()
    size = 512
    while size < len(text):
        size *= 2
    return text + b" " * (size - len(text))


class Channel:
    """worker: {"url", "address", "x25519"}. `opening`: a recorded one, sent instead of ours."""

    def __init__(self, chain, worker, account=None, expiry=None, signer=None, opening=None, source=None):
        self.ws = WebSocket(worker["url"], source)
        opcode, hello = self.ws.receive()
        if opcode != 2 or len(hello) != 33 or hello[0] != 1:
            raise Failed("not a hello: %r" % hello)
        challenge = hello[1:]
        self.there = HpkeSender(worker["x25519"], b"cloister/cluster/channel/v1")
        expiry = expiry if expiry is not None else int(time.time()) + 600
        inner = {"expiry": expiry}
        if account is not None:
            inner["caller"] = "0x" + account.address.hex()
            inner["signature"] = "0x" + sign(int.from_bytes((signer or account).key, "big"), typed(
                chain, b"Channel(address worker,bytes32 key,bytes32 challenge,uint64 expiry)", worker["address"],
                self.there.enc, challenge, expiry)).hex()
        aad = lp(u64(chain.id)) + lp(chain.genesis()) + lp(worker["address"]) + lp(challenge)
        self.opening = opening or self.there.enc + self.there.seal(aad, padded(inner))
        self.key = self.there.export(b"cloister/cluster/channel/reply/v1 key", 32)
        self.nonce = self.there.export(b"cloister/cluster/channel/reply/v1 nonce", 12)
        self.received = 0
        self.ws.send(self.opening)
        ack = self.answer()
        if "error" in ack:
            raise Failed(ack["error"]["code"] + ": " + ack["error"]["message"])
        self.height = ack["height"]

    def question(self, contract, calldata, minimum_height=0, nonce=None):
        """the next message, sealed and not sent"""
        nonce = nonce or os.urandom(32)
        return self.there.seal(b"", padded({"contract": "0x" + contract.hex(), "data": "0x" + calldata.hex(),
                                            "nonce": "0x" + nonce.hex(), "minimum_height": minimum_height}))

    def answer(self):
        opcode, message = self.ws.receive()
        plain = aes256_gcm_open(self.key, nonce_of(self.nonce, self.received), message, b"")
        if opcode != 2 or plain is None or len(plain) & (len(plain) - 1) or len(plain) < 512:
            raise Failed("not the worker's next message")
        self.received += 1
        return json.loads(plain)

    def ask(self, contract, calldata, **rest):
        self.ws.send(self.question(contract, calldata, **rest))
        plain = self.answer()
        if "error" in plain:
            raise Failed(plain["error"]["code"] + ": " + plain["error"]["message"])
        return plain["status"], unhex(plain["result"]), plain

    def close(self):
        self.ws.close()
