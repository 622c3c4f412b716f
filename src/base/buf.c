#include "base/buf.h"

#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

void buf_clear(struct buf *b)
{
    free(b->p);
    *b = (struct buf){0};
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
    if (n > b->cap - b->n) {
        size_t want;
        size_t cap = b->cap < 64 ? 64 : b->cap;

        CHECK(!__builtin_add_overflow(b->n, n, &want));
        CHECK(want <= SIZE_MAX / 2);
        while (cap < want)
            cap *= 2;
        b->p = xrealloc(b->p, cap);
        b->cap = cap;
    }
    return b->p + b->n;
}

uint8_t *buf_extend(struct buf *b, size_t n)
{
    uint8_t *p = buf_reserve(b, n == 0 ? 1 : n);

    b->n += n;
    return p;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
    if (n != 0)
        memcpy(buf_extend(b, n), p, n);
}

void buf_put_bytes(struct buf *b, struct bytes s)
{
    buf_put(b, s.p, s.n);
}

void buf_put_str(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

void buf_put_zero(struct buf *b, size_t n)
{
    if (n != 0)
        memset(buf_extend(b, n), 0, n);
}

void buf_u8(struct buf *b, uint8_t v)
{
    *buf_extend(b, 1) = v;
}

void buf_u16be(struct buf *b, uint16_t v)
{
    uint8_t *p = buf_extend(b, 2);

    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

void buf_u32be(struct buf *b, uint32_t v)
{
    store_u32be(buf_extend(b, 4), v);
}

void buf_u64be(struct buf *b, uint64_t v)
{
    store_u64be(buf_extend(b, 8), v);
}

void buf_u32le(struct buf *b, uint32_t v)
{
    store_u32le(buf_extend(b, 4), v);
}

void buf_u64le(struct buf *b, uint64_t v)
{
    store_u64le(buf_extend(b, 8), v);
}

void buf_uvarint(struct buf *b, uint64_t v)
{
    while (v >= 0x80) {
        buf_u8(b, (uint8_t)(v & 0x7f) | 0x80);
        v >>= 7;
    }
    buf_u8(b, (uint8_t)v);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    CHECK(n >= 0);
    (void)buf_reserve(b, (size_t)n + 1);
    va_start(ap, fmt);
    n = vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, ap);
    va_end(ap);
    CHECK(n >= 0);
    b->n += (size_t)n;
}

const char *buf_cstr(struct buf *b)
{
    *buf_reserve(b, 1) = 0;
    return (const char *)b->p;
}
