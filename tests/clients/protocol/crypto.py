"""The cryptography docs/protocol.md names, written from the standards and slow: a second opinion for
tests. Nothing here is constant-time; keys of test networks only."""
import hashlib
import hmac
import os


def sha256(data):
    return hashlib.sha256(data).digest()


# ---- Keccak-256 (original padding) ----

def _round_constants():
    out, r = [], 1
    for _ in range(24):
        c = 0
        for j in range(7):
            if r & 1:
                c |= 1 << ((1 << j) - 1)
            r = (r << 1) ^ (0x171 if r & 0x80 else 0)
        out.append(c)
    return out


_RC = _round_constants()
_M = (1 << 64) - 1


def _rol(v, n):
    return ((v << n) | (v >> (64 - n))) & _M if n else v


def _permute(a):
    for rc in _RC:
        c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        d = [c[(x - 1) % 5] ^ _rol(c[(x + 1) % 5], 1) for x in range(5)]
        a = [v ^ d[i % 5] for i, v in enumerate(a)]
        b = [0] * 25
        x, y, b[0] = 1, 0, a[0]
        for t in range(24):
            b[y + 5 * ((2 * x + 3 * y) % 5)] = _rol(a[x + 5 * y], (t + 1) * (t + 2) // 2 % 64)
            x, y = y, (2 * x + 3 * y) % 5
        a = [b[i] ^ (~b[i // 5 * 5 + (i + 1) % 5] & b[i // 5 * 5 + (i + 2) % 5] & _M)
             for i in range(25)]
        a[0] ^= rc
    return a


def keccak256(data):
    data = bytearray(data) + b"\1"
    data += bytes(-len(data) % 136)
    data[-1] |= 0x80
    a = [0] * 25
    for o in range(0, len(data), 136):
        for i in range(17):
            a[i] ^= int.from_bytes(data[o + 8 * i:o + 8 * i + 8], "little")
        a = _permute(a)
    return b"".join(v.to_bytes(8, "little") for v in a[:4])


# ---- secp256k1: deterministic signatures (RFC 6979), recovery ----

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)


def _add(a, b):
    if a is None or b is None:
        return b if a is None else a
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        s = 3 * a[0] * a[0] * pow(2 * a[1], -1, P)
    else:
        s = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (s * s - a[0] - b[0]) % P
    return x, (s * (a[0] - x) - a[1]) % P


def _mul(k, p):
    r = None
    while k:
        if k & 1:
            r = _add(r, p)
        p, k = _add(p, p), k >> 1
    return r


def sign(key, digest):
    """65 bytes r | s | v, low s, v 27 or 28."""
    def mac(k, m):
        return hmac.new(k, m, "sha256").digest()

    z = int.from_bytes(digest, "big")
    seed = key.to_bytes(32, "big") + (z % N).to_bytes(32, "big")
    v, k = b"\1" * 32, bytes(32)
    for sep in (b"\0", b"\1"):
        k = mac(k, v + sep + seed)
        v = mac(k, v)
    v = mac(k, v)
    nonce = int.from_bytes(v, "big")
    assert 0 < nonce < N
    point = _mul(nonce, G)
    r = point[0] % N
    s, odd = pow(nonce, -1, N) * (z + r * key) % N, point[1] & 1
    if s > N // 2:
        s, odd = N - s, odd ^ 1
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + odd])


def recover(digest, sig):
    """Address of the signer, 20 bytes."""
    r, s, odd = int.from_bytes(sig[:32], "big"), int.from_bytes(sig[32:64], "big"), sig[64] - 27
    assert len(sig) == 65 and 0 < s <= N // 2 and odd in (0, 1)
    y = pow(r**3 + 7, (P + 1) // 4, P)
    if y & 1 != odd:
        y = P - y
    z, inv = int.from_bytes(digest, "big"), pow(r, -1, N)
    q = _add(_mul(s * inv % N, (r, y)), _mul(-z * inv % N, G))
    return keccak256(q[0].to_bytes(32, "big") + q[1].to_bytes(32, "big"))[12:]


# ---- X25519 (RFC 7748) ----

_P25519 = 2**255 - 19


def x25519(scalar, u):
    p = _P25519
    k = int.from_bytes(scalar, "little") & ~(1 << 255) & ~7 | 1 << 254
    u = int.from_bytes(u, "little") & ((1 << 255) - 1)
    x2, z2, x3, z3, swap = 1, 0, u, 1, 0
    for t in range(254, -1, -1):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % p, b * b % p, d * a % p, c * b % p
        e = aa - bb
        x3, z3 = (da + cb)**2 % p, u * (da - cb)**2 % p
        x2, z2 = aa * bb % p, e * (aa + 121665 * e) % p
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, -1, p) % p).to_bytes(32, "little")


# ---- Ed25519 verification (RFC 8032, cofactored) ----

_D = -121665 * pow(121666, -1, _P25519) % _P25519


def _ed_add(a, b):
    p = _P25519
    x1, y1, x2, y2 = *a, *b
    t = _D * x1 * x2 * y1 * y2 % p
    return ((x1 * y2 + x2 * y1) * pow(1 + t, -1, p) % p, (y1 * y2 + x1 * x2) * pow(1 - t, -1, p) % p)


def _ed_mul(k, a):
    r = (0, 1)
    while k:
        if k & 1:
            r = _ed_add(r, a)
        a, k = _ed_add(a, a), k >> 1
    return r


def _ed_point(b):
    p = _P25519
    y = int.from_bytes(b, "little")
    odd, y = y >> 255, y & ((1 << 255) - 1)
    xx = (y * y - 1) * pow(_D * y * y + 1, -1, p) % p
    x = pow(xx, (p + 3) // 8, p)
    if (x * x - xx) % p:
        x = x * pow(2, (p - 1) // 4, p) % p
    assert (x * x - xx) % p == 0
    return (p - x if x & 1 != odd else x, y)


def ed25519_ok(pub, msg, sig):
    order = 2**252 + 27742317777372353535851937790883648493
    s = int.from_bytes(sig[32:], "little")
    h = int.from_bytes(hashlib.sha512(sig[:32] + pub + msg).digest(), "little") % order
    base = _ed_point((4 * pow(5, -1, _P25519) % _P25519).to_bytes(32, "little"))
    left = _ed_mul(8 * s, base)
    right = _ed_mul(8, _ed_add(_ed_point(sig[:32]), _ed_mul(h, _ed_point(pub))))
    return s < order and left == right


# ---- AES-256-GCM (FIPS 197, SP 800-38D) ----

def _xtime(v):
    return (v << 1) ^ (0x11b if v & 0x80 else 0)


def _sbox():
    exp, v = [], 1
    for _ in range(255):
        exp.append(v)
        v ^= _xtime(v)
    log = {v: i for i, v in enumerate(exp)}
    out = []
    for i in range(256):
        v = exp[(255 - log[i]) % 255] if i else 0
        r = v
        for _ in range(4):
            v = (v << 1 | v >> 7) & 255
            r ^= v
        out.append(r ^ 0x63)
    return out


_S = _sbox()


def _aes_keys(key):
    w = [list(key[i:i + 4]) for i in range(0, 32, 4)]
    rcon = 1
    for i in range(8, 60):
        t = list(w[-1])
        if i % 8 == 0:
            t = [_S[v] for v in t[1:] + t[:1]]
            t[0] ^= rcon
            rcon = _xtime(rcon)
        elif i % 8 == 4:
            t = [_S[v] for v in t]
        w.append([a ^ b for a, b in zip(w[-8], t)])
    return [sum(w[i:i + 4], []) for i in range(0, 60, 4)]


def _aes_block(keys, block):
    s = [a ^ b for a, b in zip(block, keys[0])]
    for n, key in enumerate(keys[1:]):
        s = [_S[s[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if n != 13:
            for c in range(0, 16, 4):
                a = s[c:c + 4]
                for i in range(4):
                    s[c + i] = (_xtime(a[i]) ^ _xtime(a[(i + 1) % 4]) ^ a[(i + 1) % 4] ^
                                a[(i + 2) % 4] ^ a[(i + 3) % 4])
        s = [a ^ b for a, b in zip(s, key)]
    return bytes(s)


def aes256_gcm_seal(key, nonce, plain, aad):
    def times(x, y):
        z = 0
        for i in range(127, -1, -1):
            if x >> i & 1:
                z ^= y
            y = y >> 1 ^ (0xe1 << 120 if y & 1 else 0)
        return z

    keys = _aes_keys(key)
    h = int.from_bytes(_aes_block(keys, bytes(16)), "big")
    out = b""
    for i in range(0, len(plain), 16):
        pad = _aes_block(keys, nonce + (2 + i // 16).to_bytes(4, "big"))
        out += bytes(a ^ b for a, b in zip(plain[i:i + 16], pad))
    y = 0
    for part in (aad, out, None):
        if part is None:
            part = (8 * len(aad)).to_bytes(8, "big") + (8 * len(out)).to_bytes(8, "big")
        part += bytes(-len(part) % 16)
        for i in range(0, len(part), 16):
            y = times(y ^ int.from_bytes(part[i:i + 16], "big"), h)
    mask = int.from_bytes(_aes_block(keys, nonce + b"\0\0\0\1"), "big")
    return out + (y ^ mask).to_bytes(16, "big")


def aes256_gcm_open(key, nonce, sealed, aad):
    """None: altered, or another key"""
    plain = aes256_gcm_seal(key, nonce, sealed[:-16], aad)[:-16]
    return plain if aes256_gcm_seal(key, nonce, plain, aad) == sealed else None


# ---- HPKE (RFC 9180): base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM ----

def _extract(suite, salt, label, ikm):
    return hmac.new(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256").digest()


def _expand(suite, prk, label, info, n):
    info = n.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.new(prk, info + b"\1", "sha256").digest()[:n]


def hpke_derive(ikm):
    """DeriveKeyPair: the private key"""
    kem = b"KEM\0\x20"
    return _expand(kem, _extract(kem, b"", b"dkp_prk", ikm), b"sk", b"", 32)


def _hpke_keys(enc, pub, dh, info):
    kem, suite = b"KEM\0\x20", b"HPKE\0\x20\0\1\0\2"
    eae = _extract(kem, b"", b"eae_prk", dh)
    shared = _expand(kem, eae, b"shared_secret", enc + pub, 32)
    context = (b"\0" + _extract(suite, b"", b"psk_id_hash", b"") +
               _extract(suite, b"", b"info_hash", info))
    secret = _extract(suite, shared, b"secret", b"")
    return (_expand(suite, secret, b"key", context, 32),
            _expand(suite, secret, b"base_nonce", context, 12),
            _expand(suite, secret, b"exp", context, 32))


class HpkeSender:
    """Many messages to one key, and what is exported from its context"""

    def __init__(self, pub, info, ephemeral=None):
        ephemeral = ephemeral or os.urandom(32)
        self.enc = x25519(ephemeral, (9).to_bytes(32, "little"))
        self.key, self.nonce, self.exporter = _hpke_keys(self.enc, pub, x25519(ephemeral, pub), info)
        self.sequence = 0

    def seal(self, aad, plain):
        self.sequence += 1
        return aes256_gcm_seal(self.key, nonce_of(self.nonce, self.sequence - 1), plain, aad)

    def export(self, context, n):
        return _expand(b"HPKE\0\x20\0\1\0\2", self.exporter, b"sec", context, n)


def nonce_of(base, sequence):
    return bytes(a ^ b for a, b in zip(base, sequence.to_bytes(12, "big")))


def hpke_seal(pub, info, aad, plain, ephemeral=None):
    """enc | ciphertext | tag"""
    ephemeral = ephemeral or os.urandom(32)
    enc = x25519(ephemeral, (9).to_bytes(32, "little"))
    key, nonce, _ = _hpke_keys(enc, pub, x25519(ephemeral, pub), info)
    return enc + aes256_gcm_seal(key, nonce, plain, aad)


def hpke_open(private, info, aad, sealed):
    """None: not for this key and context"""
    enc, pub = sealed[:32], x25519(private, (9).to_bytes(32, "little"))
    key, nonce, _ = _hpke_keys(enc, pub, x25519(private, enc), info)
    return aes256_gcm_open(key, nonce, sealed[32:], aad)


# ---- known answers ----

assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
# RFC 7748 section 5.2, one iteration
assert x25519((9).to_bytes(32, "little"), (9).to_bytes(32, "little")).hex() == \
    "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"
# NIST GCM, test case 13: empty plaintext under a zero key
assert aes256_gcm_seal(bytes(32), bytes(12), b"", b"").hex() == "530f8afbc74536b9a963b4f1c4cb738b"
