/* cluster/internal/form.h - how fields of this module's formats are written. */
#pragma once

#include "base/buf.h"
#include "base/reader.h"
#include "crypto/hpke.h"
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

/* The epoch that `text` (what: for errors) was sealed for: version, epoch, HPKE of a plaintext of
 * at least `least` bytes. RC_UNSUPPORTED: another version; RC_MALFORMED. *epoch is 0 then. */
static inline enum rc sealed_epoch(uint64_t *epoch, struct bytes text, uint8_t version,
                                   size_t least, const char *what, struct err *e)
{
    struct reader r = reader_init(text);
    uint8_t found = reader_u8(&r);

    *epoch = 0;
    if (reader_ok(&r) && found != version)
        return err_set(e, RC_UNSUPPORTED, "%s: version %u, known is %u", what, found, version);
    *epoch = reader_u64be(&r);
    (void)reader_take(&r, HPKE_OVERHEAD + least);
    (void)reader_rest(&r);
    if (!reader_ok(&r))
        *epoch = 0;
    return reader_done(&r, what, e);
}
