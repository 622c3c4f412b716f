/* A sharing made by one dealer who knows everything: for tests of what comes after. */
#pragma once

#include "crypto/hash.h"
#include "keys/dprf.h"
#include "keys/vss.h"
#include "lib/t.h"

struct dealt {
    struct keyset keys;
    struct ristretto_scalar secret;
    struct ristretto_scalar shares[KEYS_MAX_KEEPERS]; /* keeper i at i - 1 */
};

static inline void dealt_init(struct dealt *d, uint32_t t, uint32_t n, uint64_t round)
{
    struct vss_polynomial p = {.t = t};

    *d = (struct dealt){.keys = {.generation = 1, .round = round, .t = t, .n = n}};
    memset(d->keys.genesis.b, 0x67, sizeof(d->keys.genesis.b));
    for (uint32_t k = 0; k < t; k++)
        ristretto_scalar_random(&p.a[k], NULL);
    d->secret = p.a[0];
    ristretto_mul_base(&d->keys.public_key, &d->secret);
    for (uint32_t i = 1; i <= n; i++) {
        memset(d->keys.members[i - 1].who.b, (int)i, 20);
        vss_share(&d->shares[i - 1], &p, i);
        ristretto_mul_base(&d->keys.members[i - 1].commitment, &d->shares[i - 1]);
    }
}

/* The key as one who knows the secret computes it. */
static inline void dealt_key(uint8_t out[32], const struct keyset *k,
                             const struct ristretto_scalar *secret, const struct dprf_input *in,
                             const char *context)
{
    struct ristretto point;
    struct err e;

    CHECK_OK(dprf_point(&point, k, in, &e), &e);
    ristretto_mul(&point, secret, &point);
    dprf_key_of(out, 32, &point, k, in, bytes_str(context));
}
