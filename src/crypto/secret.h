/* crypto/secret.h - memory for secrets: wiped when released, kept out of core dumps, locked where
 * the system lets us (locking is best effort: RLIMIT_MEMLOCK). No formatter, no log, no equality
 * but ct_eq. */
#pragma once

#include "base/bytes.h"
#include "base/mem.h"

/* True if n bytes are equal; the time depends on n alone. */
bool ct_eq(const void *a, const void *b, size_t n);

/* A 32-byte key or shared secret by value. Declare locals as AUTO_CLEAR(secret32) struct secret32.
 */
struct secret32 {
    uint8_t b[32];
};
void secret32_clear(struct secret32 *s);

/* n zeroed bytes between guard pages, for small long-lived keys (some pages each). Never NULL;
 * aborts when out of memory. Free with secret_free, which wipes; NULL is fine there. Thread-safe.
 */
void *secret_alloc(size_t n);
void secret_free(void *p);
static inline void cleanup_secret_free(void *pp)
{
    void *p;

    memcpy(&p, pp, sizeof(p));
    secret_free(p);
}
#define AUTO_SECRET __attribute__((cleanup(cleanup_secret_free)))

/* Secret bytes that grow: like struct buf, but growth leaves no copy behind and release wipes.
 * Whole pages of its own, so not for many small values. Zero-initialise: struct secbuf b = {0}.
 * Aborts when out of memory. One owner; not thread-safe. */
struct secbuf {
    uint8_t *p;
    size_t n;
    size_t cap;
};
/* Wipe, release and zero the struct; usable as AUTO_CLEAR(secbuf). */
void secbuf_clear(struct secbuf *b);
/* Wipe the content, keep the memory. */
void secbuf_reset(struct secbuf *b);
static inline struct bytes secbuf_bytes(const struct secbuf *b)
{
    return bytes_of(b->p, b->n);
}
/* Room for n more bytes at the end; returns where they start. Does not change b->n. */
uint8_t *secbuf_reserve(struct secbuf *b, size_t n);
/* Lengthen by n zeroed bytes; returns where they start. */
uint8_t *secbuf_extend(struct secbuf *b, size_t n);
void secbuf_put(struct secbuf *b, const void *p, size_t n);
void secbuf_put_bytes(struct secbuf *b, struct bytes s);
void secbuf_put_str(struct secbuf *b, const char *s);
void secbuf_u8(struct secbuf *b, uint8_t v);
/* Shorten to n <= b->n bytes, wiping the rest. */
void secbuf_truncate(struct secbuf *b, size_t n);
/* NUL after the content (not counted in n); valid until the next change. */
const char *secbuf_cstr(struct secbuf *b);
