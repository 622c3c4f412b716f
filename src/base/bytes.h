/* base/bytes.h - borrowed bytes and the two fixed-size values everything is named by. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes; never owned, never NUL-terminated. p may be NULL when n is 0. */
struct bytes {
    const uint8_t *p;
    size_t n;
};

/* A 32-byte digest or identifier (SHA-256 or Keccak-256, as the field says). */
struct hash32 {
    uint8_t b[32];
};

/* A 20-byte account or contract address, as Ethereum's. */
struct address {
    uint8_t b[20];
};

static inline struct bytes bytes_of(const void *p, size_t n)
{
    return (struct bytes){.p = p, .n = n};
}

static inline struct bytes bytes_str(const char *s)
{
    return (struct bytes){.p = (const uint8_t *)s, .n = strlen(s)};
}

/* Not for secrets: returns early. */
static inline bool bytes_eq(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Order by content, then length (as memcmp over the common part). */
static inline int bytes_cmp(struct bytes a, struct bytes b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n == 0 ? 0 : memcmp(a.p, b.p, n);

    if (c != 0)
        return c;
    return a.n < b.n ? -1 : a.n > b.n;
}

static inline bool hash32_eq(const struct hash32 *a, const struct hash32 *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static inline bool hash32_is_zero(const struct hash32 *a)
{
    static const struct hash32 zero;

    return hash32_eq(a, &zero);
}

static inline bool address_eq(const struct address *a, const struct address *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static inline bool address_is_zero(const struct address *a)
{
    static const struct address zero;

    return address_eq(a, &zero);
}

/* The bytes of a fixed-size value, e.g. BYTES_OF(&hash). */
#define BYTES_OF(ptr) bytes_of((ptr), sizeof(*(ptr)))

static inline uint16_t load_u16be(const uint8_t *p)
{
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static inline uint32_t load_u32be(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t load_u64be(const uint8_t *p)
{
    return (uint64_t)load_u32be(p) << 32 | load_u32be(p + 4);
}

static inline uint32_t load_u32le(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static inline uint64_t load_u64le(const uint8_t *p)
{
    return (uint64_t)load_u32le(p + 4) << 32 | load_u32le(p);
}

static inline void store_u32be(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static inline void store_u64be(uint8_t *p, uint64_t v)
{
    store_u32be(p, (uint32_t)(v >> 32));
    store_u32be(p + 4, (uint32_t)v);
}

static inline void store_u32le(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

static inline void store_u64le(uint8_t *p, uint64_t v)
{
    store_u32le(p, (uint32_t)v);
    store_u32le(p + 4, (uint32_t)(v >> 32));
}
