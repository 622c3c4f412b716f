/* base/buf.h - bytes that are owned and grow. Zero-initialise: struct buf b = {0}. Aborts when out
 * of memory. Not for secrets (growth leaves copies behind): see crypto/secret.h. */
#pragma once

#include "base/bytes.h"
#include "base/mem.h"

struct buf {
    uint8_t *p;
    size_t n;
    size_t cap;
};

/* Free and zero the struct; usable as AUTO_CLEAR(buf). */
void buf_clear(struct buf *b);
/* Keep the memory, forget the content. */
static inline void buf_reset(struct buf *b)
{
    b->n = 0;
}
static inline struct bytes buf_bytes(const struct buf *b)
{
    return bytes_of(b->p, b->n);
}
/* Room for n more bytes at the end; returns where they start. Does not change b->n. */
uint8_t *buf_reserve(struct buf *b, size_t n);
/* Lengthen by n uninitialised bytes; returns where they start. */
uint8_t *buf_extend(struct buf *b, size_t n);
void buf_put(struct buf *b, const void *p, size_t n);
void buf_put_bytes(struct buf *b, struct bytes s);
void buf_put_str(struct buf *b, const char *s);
void buf_put_zero(struct buf *b, size_t n);
void buf_u8(struct buf *b, uint8_t v);
void buf_u16be(struct buf *b, uint16_t v);
void buf_u32be(struct buf *b, uint32_t v);
void buf_u64be(struct buf *b, uint64_t v);
void buf_u32le(struct buf *b, uint32_t v);
void buf_u64le(struct buf *b, uint64_t v);
/* Unsigned LEB128, minimal. */
void buf_uvarint(struct buf *b, uint64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* NUL after the content (not counted in n); the content as a C string, valid until the next change.
 */
const char *buf_cstr(struct buf *b);
