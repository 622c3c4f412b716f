/* cluster/internal/form.h - how fields of this module's formats are written. */
#pragma once

#include "base/buf.h"
#include "base/reader.h"
#include "crypto/secret.h"

/* Envelopes and receipts are padded to 2^7 .. 2^15 bytes. */
#define CLASS_MIN 128u
#define CLASS_MAX 32768u

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

/* The smallest class, a power of two from `least` on, that holds n bytes. */
static inline size_t class_of(size_t n, size_t least)
{
    size_t c = least;

    while (c < n)
        c *= 2;
    return c;
}

static inline bool all_zero(struct bytes b)
{
    uint8_t any = 0;

    for (size_t i = 0; i < b.n; i++)
        any |= b.p[i];
    return any == 0;
}
