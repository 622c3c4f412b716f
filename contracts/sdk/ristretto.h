/* sdk/ristretto.h - ristretto255 for contracts, over the host's arithmetic; hashes of
 * length-prefixed fields. Scalars and elements are their 32-byte encodings (RFC 9496). Nothing here
 * is secret. */
#pragma once

#include "sdk/contract.h"

__attribute__((unused)) static const bytes32 RISTRETTO_BASE = {{
    0xe2, 0xf2, 0xae, 0x0a, 0x6a, 0xbc, 0x4e, 0x71, 0xa8, 0x84, 0xa9, 0x61, 0xc5, 0x00, 0x51, 0x5f,
    0x58, 0xe3, 0x0b, 0x6a, 0xa5, 0x82, 0xdd, 0x8d, 0xb6, 0xa6, 0x59, 0x45, 0xe0, 0x8d, 0x2d, 0x76,
}};

/* lp(field): length as 4 bytes big-endian, then the bytes. */
UNUSED_OK void lp_put(enc *e, const void *p, u64 n)
{
    u8 size[4] = {(u8)(n >> 24), (u8)(n >> 16), (u8)(n >> 8), (u8)n};

    enc_raw(e, size, 4);
    enc_raw(e, p, n);
}
#define LP_LABEL(e, literal) lp_put(e, literal, sizeof(literal) - 1)

UNUSED_OK void u64be_put(enc *e, u64 v)
{
    for (int i = 56; i >= 0; i -= 8)
        *enc_room(e, 1) = (u8)(v >> i);
}

UNUSED_OK void lp_u64(enc *e, u64 v)
{
    static const u8 eight[4] = {0, 0, 0, 8};

    enc_raw(e, eight, 4);
    u64be_put(e, v);
}

/* SHA-512 of what was put, modulo the group order. */
UNUSED_OK bytes32 hash_to_scalar(const enc *e)
{
    bytes32 out = {{0}};
    str wide = sha512_of(enc_str(e));

    HOST4(HOST_RISTRETTO_SCALAR, 0, wide.p, 0, &out);
    return out;
}

/* SHA-512 of what was put, as an element. */
UNUSED_OK bytes32 hash_to_element(const enc *e)
{
    bytes32 out;
    str wide = sha512_of(enc_str(e));

    HOST2(HOST_RISTRETTO_FROM_HASH, wide.p, &out);
    return out;
}

/* Sum of n scalars times n elements; false if one of them is not canonical, or an identity. */
[[nodiscard]] UNUSED_OK bool element_sum(bytes32 *out, const bytes32 *scalars,
                                         const bytes32 *elements, u64 n)
{
    return HOST4(HOST_RISTRETTO_SUM, scalars, elements, n, out) == 0;
}

enum scalar_op { SCALAR_ADD = 1, SCALAR_SUB = 2, SCALAR_MUL = 3, SCALAR_INVERT = 4 };
/* False if an operand is not canonical, or for the inverse of zero. */
[[nodiscard]] UNUSED_OK bool scalar_calc(bytes32 *out, enum scalar_op op, bytes32 a, bytes32 b)
{
    return HOST4(HOST_RISTRETTO_SCALAR, op, &a, &b, out) == 0;
}

/* z * base - c * power: what a prover's nonce was committed to, if the proof (c, z) is true. */
[[nodiscard]] UNUSED_OK bool proof_commitment(bytes32 *out, bytes32 c, bytes32 z, bytes32 base,
                                              bytes32 power)
{
    bytes32 scalars[2] = {z, {{0}}}, elements[2] = {base, power};

    return scalar_calc(&scalars[1], SCALAR_SUB, scalars[1], c) &&
           element_sum(out, scalars, elements, 2);
}

/* Weight at 0 of the share `at` among `all`: product of k / (k - at) over the others. */
UNUSED_OK bytes32 weight_at_zero(const u8 *all, u64 n, u8 at)
{
    bytes32 top = {{1}}, bottom = {{1}}, me = {{at}}, out = {{0}};
    bool ok = true;

    for (u64 i = 0; i < n; i++) {
        bytes32 other = {{all[i]}}, d;

        if (all[i] == at)
            continue;
        ok = ok && scalar_calc(&top, SCALAR_MUL, top, other) &&
             scalar_calc(&d, SCALAR_SUB, other, me) && scalar_calc(&bottom, SCALAR_MUL, bottom, d);
    }
    ok = ok && scalar_calc(&bottom, SCALAR_INVERT, bottom, bottom) &&
         scalar_calc(&out, SCALAR_MUL, top, bottom);
    if (!ok)
        revert_panic(PANIC_ASSERT);
    return out;
}

/* HMAC-SHA-256 with a key of at most 64 bytes. */
UNUSED_OK bytes32 hmac_sha256_of(str key, str data)
{
    u8 *inner = alloc(64 + data.n), outer[96];
    bytes32 h;

    memset(inner, 0x36, 64);
    memset(outer, 0x5c, 64);
    for (u64 i = 0; i < key.n && i < 64; i++) {
        inner[i] ^= key.p[i];
        outer[i] ^= key.p[i];
    }
    memcpy(inner + 64, data.p, data.n);
    h = sha256_of((str){inner, 64 + data.n});
    memcpy(outer + 64, &h, 32);
    return sha256_of((str){outer, 96});
}
