#include "crypto/secret.h"

#include "base/err.h"

#include <openssl/crypto.h>
#include <sodium.h>

#include <sys/mman.h>

enum { PAGE = 4096 };

bool ct_eq(const void *a, const void *b, size_t n)
{
    return n == 0 || CRYPTO_memcmp(a, b, n) == 0;
}

void secret32_clear(struct secret32 *s)
{
    wipe(s, sizeof(*s));
}

void *secret_alloc(size_t n)
{
    void *p;

    CHECK(sodium_init() >= 0);
    p = sodium_malloc(n);
    CHECK(p != NULL);
    wipe(p, n);
    return p;
}

void secret_free(void *p)
{
    sodium_free(p); /* wipes, and checks the canary */
}

static void *map_pages(size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(p != MAP_FAILED);
    CHECK(madvise(p, n, MADV_DONTDUMP) == 0);
    /* Best effort; on fault, so that a large buffer does not pay for pages it never touches. */
    (void)mlock2(p, n, MLOCK_ONFAULT);
    return p;
}

uint8_t *secbuf_reserve(struct secbuf *b, size_t n)
{
    size_t need, cap;

    CHECK(n < SIZE_MAX / 4 && b->n < SIZE_MAX / 4);
    need = b->n + n;
    if (need <= b->cap && b->p != NULL)
        return b->p + b->n;
    cap = b->cap + b->cap / 2;
    if (cap < need)
        cap = need;
    cap = (cap + PAGE) / PAGE * PAGE;
    if (b->p == NULL) {
        b->p = map_pages(cap);
    } else {
        /* The pages themselves move: nothing is copied, so nothing is left behind. A refused
         * enlargement of locked memory falls back to unlocked. */
        void *p = mremap(b->p, b->cap, cap, MREMAP_MAYMOVE);

        if (p == MAP_FAILED) {
            (void)munlock(b->p, b->cap);
            p = mremap(b->p, b->cap, cap, MREMAP_MAYMOVE);
        }
        CHECK(p != MAP_FAILED);
        b->p = p;
    }
    b->cap = cap;
    return b->p + b->n;
}

uint8_t *secbuf_extend(struct secbuf *b, size_t n)
{
    uint8_t *p = secbuf_reserve(b, n);

    b->n += n;
    return p;
}

void secbuf_put(struct secbuf *b, const void *p, size_t n)
{
    if (n != 0)
        memcpy(secbuf_extend(b, n), p, n);
}

void secbuf_put_bytes(struct secbuf *b, struct bytes s)
{
    secbuf_put(b, s.p, s.n);
}

void secbuf_put_str(struct secbuf *b, const char *s)
{
    secbuf_put(b, s, strlen(s));
}

void secbuf_u8(struct secbuf *b, uint8_t v)
{
    secbuf_put(b, &v, 1);
}

void secbuf_truncate(struct secbuf *b, size_t n)
{
    CHECK(n <= b->n);
    if (b->p != NULL)
        wipe(b->p + n, b->n - n);
    b->n = n;
}

void secbuf_reset(struct secbuf *b)
{
    secbuf_truncate(b, 0);
}

const char *secbuf_cstr(struct secbuf *b)
{
    *secbuf_reserve(b, 1) = 0;
    return (const char *)b->p;
}

void secbuf_clear(struct secbuf *b)
{
    if (b->p != NULL) {
        /* The whole of it: a caller may have written past n through secbuf_reserve. */
        wipe(b->p, b->cap);
        CHECK(munmap(b->p, b->cap) == 0);
    }
    *b = (struct secbuf){0};
}
