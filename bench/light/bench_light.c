/* bench/light/bench_light.c - light client: a header that 100 validators of equal power signed,
 * next to the trusted one and far from it; a proved value. Beside: the Ed25519 verifications that
 * are needed in any case (67 of them). Medians of CPU time. */
#include "light/net.h"
#include "light/proof.h"

#include <sodium.h>

#include <stdio.h>
#include <time.h>

#define ROUNDS 51
#define N 100

/* Of this process: other work on the machine does not count. */
static uint64_t cpu_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static double median_ms(uint64_t ns[ROUNDS])
{
    qsort(ns, ROUNDS, sizeof(ns[0]), by_value);
    return (double)ns[ROUNDS / 2] / 1e6;
}

static void must(enum rc rc, const struct err *e)
{
    if (rc == RC_OK)
        return;
    (void)fprintf(stderr, "bench_light: %s\n", e->msg);
    exit(1);
}

/* Only what no verifier can leave out; the peer is libsodium's own, stricter check. */
static void signatures(struct net *t, const struct light_block *b)
{
    AUTO_CLEAR(buf) struct buf msg = {0};

    (void)t;
    for (size_t i = 0; i < N * 2 / 3 + 1; i++) {
        const struct commit_sig *s = &b->commit.sigs[i];

        buf_reset(&msg);
        vote_sign_bytes(&msg, b->header.chain_id, VOTE_PRECOMMIT, b->commit.height, b->commit.round,
                        &b->commit.block_id, &s->time);
        if (crypto_sign_verify_detached(s->signature, msg.p, msg.n, b->validators.v[i].pub_key) !=
            0)
            exit(1);
    }
}

static double measure(struct net *t, const struct light_block *root, const struct light_block *b,
                      bool encoded, double *beside)
{
    const struct chain_time now = net_now(b->header.height);
    AUTO_CLEAR(buf) struct buf bin = {0};
    uint64_t ns[ROUNDS], alone[ROUNDS];
    struct err e;

    light_block_encode(&bin, b);
    for (int i = 0; i < ROUNDS; i++) {
        AUTO_CLEAR(arena) struct arena a = {0};
        struct light_block got = *b;
        uint64_t start = cpu_ns();

        if (encoded)
            must(light_block_decode(&got, &a, buf_bytes(&bin), &e), &e);
        must(light_verify(root, &got, &LIGHT_DEFAULTS, &now, &e), &e);
        ns[i] = cpu_ns() - start;
        start = cpu_ns();
        signatures(t, b);
        alone[i] = cpu_ns() - start;
    }
    *beside = median_ms(alone);
    return median_ms(ns);
}

static void row(const char *what, double ours, double beside)
{
    printf("light|%s|%.2f ms|67 signatures, libsodium %.2f ms|%.2f\n", what, ours, beside,
           ours / beside);
}

int main(void)
{
    AUTO_CLEAR(net) struct net t;
    struct light_block root, b;
    double beside, ours;

    net_init(&t, N, 0);
    net_genesis(&t, &root);
    net_block(&t, &b, 1);
    ours = measure(&t, &root, &b, false, &beside);
    row("header of 100 validators, adjacent", ours, beside);
    net_block(&t, &b, 1000);
    ours = measure(&t, &root, &b, false, &beside);
    row("header of 100 validators, skipping", ours, beside);
    ours = measure(&t, &root, &b, true, &beside);
    row("the same from its binary form", ours, beside);
    net_clear(&t);
    net_init(&t, N, 1); /* another set, 33 of 100 new: twice as many names, no more signatures */
    net_genesis(&t, &root);
    net_block(&t, &b, 30);
    ours = measure(&t, &root, &b, false, &beside);
    row("the same, 29 of the 100 are new", ours, beside);
    return 0;
}
