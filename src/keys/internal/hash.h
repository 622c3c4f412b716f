/* keys/internal/hash.h - length-prefixed hashing: H(lp(label) | lp(field)...). */
#pragma once

#include "base/buf.h"
#include "crypto/hash.h"
#include "crypto/ristretto.h"

/* Fields of a hash, built in order. Not for long-lived secrets: wipe_fields after use if any field
 * was secret. Fits every fixed-size use here without growing. */
static inline void put_lp(struct buf *b, struct bytes field)
{
    buf_u32be(b, (uint32_t)field.n);
    buf_put_bytes(b, field);
}

static inline void put_lp_u64(struct buf *b, uint64_t v)
{
    buf_u32be(b, 8);
    buf_u64be(b, v);
}

/* SHA-512 of b, modulo the group order. */
static inline void hash_to_scalar(struct ristretto_scalar *out, const struct buf *b)
{
    uint8_t wide[64];

    sha512(wide, buf_bytes(b));
    ristretto_scalar_reduce(out, wide);
    wipe(wide, sizeof(wide));
}
