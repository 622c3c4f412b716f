/* bench/attest/bench_attest.c - one quote verified over and over. Arguments: QUOTE COLLATERAL TIME.
 * Prints the medians in microseconds: all from the JSON text on ("cold"), with the collateral prepared
 * ("warm"), and the three signature checks of the latter alone. */
#include "attest/dcap.h"
#include "base/num.h"
#include "crypto/hash.h"
#include "crypto/p256.h"
#include "os/clock.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 400

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static double median_us(uint64_t *ns)
{
    qsort(ns, ROUNDS, sizeof(*ns), compare);
    return (double)ns[ROUNDS / 2] / 1e3;
}

static const struct attest_roots VENDORS = {.vendors = true};

static double cold(struct bytes quote, struct bytes json, uint64_t now)
{
    static uint64_t ns[ROUNDS];

    for (size_t i = 0; i < ROUNDS; i++) {
        AUTO_CLEAR(arena) struct arena a = {0};
        struct attest_verdict v;
        struct collateral c;
        struct err e = {0};
        uint64_t start = clock_mono_ns();

        if (collateral_parse(&c, json, &a, &e) != RC_OK ||
            dcap_verify_cold(&v, quote, &c, &VENDORS, now, &a, &e) != RC_OK) {
            (void)fprintf(stderr, "bench_attest: %s\n", e.msg);
            exit(1);
        }
        ns[i] = clock_mono_ns() - start;
    }
    return median_us(ns);
}

static double warm(struct bytes quote, struct bytes json, uint64_t now)
{
    static uint64_t ns[ROUNDS];
    AUTO_CLEAR(arena) struct arena keep = {0}, scratch = {0};
    struct dcap_collateral d;
    enum attest_stage stage;
    struct collateral c;
    struct err e = {0};

    if (collateral_parse(&c, json, &keep, &e) != RC_OK ||
        dcap_collateral_prepare(&d, &c, &VENDORS, &keep, &stage, &e) != RC_OK)
        exit(1);
    for (size_t i = 0; i < ROUNDS; i++) {
        struct attest_verdict v;
        uint64_t start = clock_mono_ns();

        if (dcap_verify(&v, quote, &d, now, &scratch, &e) != RC_OK)
            exit(1);
        arena_reset(&scratch);
        ns[i] = clock_mono_ns() - start;
    }
    return median_us(ns);
}

/* Three signature checks alone, as many as a warm verification has: the floor. */
static double floor_us(struct bytes quote)
{
    static uint64_t ns[ROUNDS];
    struct hash32 digest;
    struct quote q;
    struct err e = {0};

    if (quote_parse(&q, quote, &e) != RC_OK)
        exit(1);
    sha256(&digest, q.signed_part);
    for (size_t i = 0; i < ROUNDS; i++) {
        uint64_t start = clock_mono_ns();

        for (size_t k = 0; k < 3; k++)
            if (p256_verify(q.att_key, &digest, q.signature, &e) != RC_OK)
                exit(1);
        ns[i] = clock_mono_ns() - start;
    }
    return median_us(ns);
}

int main(int argc, char **argv)
{
    struct buf quote = {0}, json = {0};
    struct err e = {0};
    uint64_t now;

    if (argc != 4 || parse_u64(&now, bytes_str(argv[3]), INT64_MAX, &e) != RC_OK)
        return 2;
    if (file_read(&quote, argv[1], 1 << 20, &e) != RC_OK ||
        file_read(&json, argv[2], 1 << 24, &e) != RC_OK) {
        (void)fprintf(stderr, "bench_attest: %s\n", e.msg);
        return 1;
    }
    (void)printf("%.1f ", cold(buf_bytes(&quote), buf_bytes(&json), now));
    (void)printf("%.1f ", warm(buf_bytes(&quote), buf_bytes(&json), now));
    (void)printf("%.1f\n", floor_us(buf_bytes(&quote)));
    buf_clear(&quote);
    buf_clear(&json);
    return 0;
}
