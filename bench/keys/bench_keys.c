/* Times of the keepers' cryptography, one core: medians. Rows for bench/run. */
#include "keys/dkg.h"
#include "keys/dprf.h"

#include <stdio.h>
#include <time.h>

enum { ROUNDS = 301 };

static double now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof(v[0]), by_value);
    return v[n / 2];
}

struct sharing {
    struct keyset keys;
    struct ristretto_scalar shares[KEYS_MAX_KEEPERS];
};

static void deal(struct sharing *s, uint32_t t, uint32_t n)
{
    struct vss_polynomial p = {.t = t};

    *s = (struct sharing){.keys = {.generation = 1, .round = 1, .t = t, .n = n}};
    for (uint32_t k = 0; k < t; k++)
        ristretto_scalar_random(&p.a[k], NULL);
    ristretto_mul_base(&s->keys.public_key, &p.a[0]);
    for (uint32_t i = 1; i <= n; i++) {
        vss_share(&s->shares[i - 1], &p, i);
        ristretto_mul_base(&s->keys.members[i - 1].commitment, &s->shares[i - 1]);
        memset(s->keys.members[i - 1].who.b, (int)i, 20);
    }
}

static void derive(uint32_t t, uint32_t n)
{
    double make[ROUNDS], verify[ROUNDS], all[ROUNDS];
    struct dprf_input in = {bytes_str("contract"), bytes_str("a subject"), 1};
    struct hash32 request = {{1}};
    struct sharing s;

    deal(&s, t, n);
    for (int r = 0; r < ROUNDS; r++) {
        struct dprf_partial parts[KEYS_MAX_KEEPERS];
        struct dprf d;
        uint8_t key[32];
        double start = now_us(), mid;

        for (uint32_t i = 1; i <= t; i++)
            CHECK(dprf_evaluate(&parts[i - 1], &s.keys, i, &s.shares[i - 1], &in, &request, NULL,
                                NULL) == RC_OK);
        make[r] = (now_us() - start) / t;
        CHECK(dprf_begin(&d, &s.keys, &in, &request, NULL) == RC_OK);
        mid = now_us();
        for (uint32_t i = 0; i < t; i++)
            CHECK(dprf_add(&d, &parts[i], NULL) == RC_OK);
        verify[r] = (now_us() - mid) / t;
        CHECK(dprf_key(key, sizeof(key), &d, bytes_str("x"), NULL) == RC_OK);
        all[r] = now_us() - start;
    }
    (void)printf("keys|one partial with its proof, %u of %u|%.0f us||\n", t, n,
                 median(make, ROUNDS));
    (void)printf("keys|one partial verified, %u of %u|%.0f us||\n", t, n, median(verify, ROUNDS));
    (void)printf("keys|a key: %u partials made, verified, combined|%.2f ms||\n", t,
                 median(all, ROUNDS) / 1e3);
}

static void generate(uint32_t t, uint32_t n)
{
    struct dkg_params p = {
        .kind = DKG_GENERATE, .generation = 1, .round = 1, .t = t, .n = n, .phase_heights = 100};
    struct dkg_member m[KEYS_MAX_KEEPERS];
    struct dkg *d;
    double start = now_us();

    for (uint32_t i = 0; i < n; i++)
        memset(p.keepers[i].b, (int)i + 1, 20);
    CHECK(dkg_new(&d, &p, NULL) == RC_OK);
    for (uint32_t i = 0; i < n; i++)
        CHECK(dkg_member_init(&m[i], d, &p.keepers[i], NULL, NULL, NULL) == RC_OK);
    for (uint64_t h = 1; !dkg_is_over(d); h++) {
        for (uint32_t i = 0; i < n; i++) {
            AUTO_CLEAR(buf) struct buf b = {0};

            if (dkg_member_next(&b, d, &m[i], NULL))
                CHECK(dkg_post(d, h, &p.keepers[i], buf_bytes(&b), NULL) == RC_OK);
        }
        CHECK(dkg_advance(d, h, NULL) == RC_OK);
    }
    CHECK(d->phase == DKG_ACTIVE);
    (void)printf("keys|key generation, %u of %u, all keepers on one core|%.0f ms||\n", t, n,
                 (now_us() - start) / 1e3);
    dkg_free(d);
}

int main(void)
{
    derive(2, 3);
    derive(3, 5);
    generate(2, 3);
    generate(3, 5);
    return 0;
}
