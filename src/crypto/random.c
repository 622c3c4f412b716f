#include "crypto/random.h"

#include "base/err.h"
#include "crypto/hash.h"

#include <errno.h>
#include <sys/random.h>

void random_bytes(void *p, size_t n)
{
    uint8_t *at = p;

    while (n != 0) {
        ssize_t got = getrandom(at, n < 256 ? n : 256, 0);

        if (got < 0 && errno == EINTR)
            continue;
        CHECK(got > 0 && (size_t)got <= n);
        at += got;
        n -= (size_t)got;
    }
}

void random_serial(uint8_t out20[20])
{
    random_bytes(out20, 20);
    out20[0] = (uint8_t)((out20[0] & 0x3f) | 0x40);
}

static void system_fill(void *data, void *p, size_t n)
{
    (void)data;
    random_bytes(p, n);
}

struct rng rng_system(void)
{
    return (struct rng){.fill = system_fill, .data = NULL};
}

void rng_fill(const struct rng *r, void *p, size_t n)
{
    if (r != NULL)
        r->fill(r->data, p, n);
    else
        random_bytes(p, n);
}

uint64_t rng_u64(const struct rng *r)
{
    uint8_t b[8];

    rng_fill(r, b, sizeof(b));
    return load_u64le(b);
}

uint64_t rng_below(const struct rng *r, uint64_t n)
{
    uint64_t reject, v;

    CHECK(n != 0);
    reject = (UINT64_MAX % n + 1) % n; /* 2^64 mod n */
    do
        v = rng_u64(r);
    while (v > UINT64_MAX - reject);
    return v % n;
}

static void seeded_fill(void *data, void *p, size_t n)
{
    struct insecure_seed *s = data;
    uint8_t *at = p;

    while (n != 0) {
        uint8_t in[16];
        struct hash32 block;
        size_t take = n < sizeof(block.b) ? n : sizeof(block.b);

        store_u64le(in, s->seed);
        store_u64le(in + 8, s->counter++);
        sha256(&block, bytes_of(in, sizeof(in)));
        memcpy(at, block.b, take);
        at += take;
        n -= take;
    }
}

struct rng insecure_rng(struct insecure_seed *state)
{
    return (struct rng){.fill = seeded_fill, .data = state};
}
