"""How docs/protocol.md and docs/confidential.md put numbers and byte strings into bytes: big-endian, fields behind their
length, plaintexts padded to sizes that tell little."""


def u8(v):
    return v.to_bytes(1, "big")


def u16(v):
    return v.to_bytes(2, "big")


def u32(v):
    return v.to_bytes(4, "big")


def u64(v):
    return v.to_bytes(8, "big")


def u256(v):
    return v.to_bytes(32, "big")


def lp(*fields):
    return b"".join(u32(len(f)) + f for f in fields)


def padded(plain, least):
    size = least
    while size < len(plain):
        size *= 2
    return plain + bytes(size - len(plain))
