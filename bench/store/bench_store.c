/* bench/store/bench_store.c - the store in one process: a large file in and out, small files one at
 * a time; SHA-256 alone as the yardstick, since every byte must be hashed both ways. Rows as
 * bench/run reads them. Argument: a folder that does not exist. */
#include "codec/unixfs_read.h"
#include "crypto/hash.h"
#include "os/clock.h"
#include "store/dag.h"

#include <stdio.h>

#define ROUNDS 5
#define LARGE ((size_t)256 << 20)
#define SMALL 1024
#define N_SMALL 500

static void must(enum rc rc, const struct err *e)
{
    if (rc == RC_OK)
        return;
    (void)fprintf(stderr, "bench_store: %s\n", e->msg);
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof(*v), by_value);
    return v[n / 2];
}

/* Other bytes each time (xorshift64), or the store would have them. */
static void fill(uint8_t *p, size_t n, uint64_t seed)
{
    uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;

    for (size_t i = 0; i + 8 <= n; i += 8) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memcpy(p + i, &x, 8);
    }
}

static double seconds_since(uint64_t start)
{
    return (double)(clock_mono_ns() - start) / 1e9;
}

static void add(struct store *s, struct cid *root, struct bytes data)
{
    struct dag_adder a;
    struct err e;

    dag_adder_init(&a, s, &UNIXFS_V1_2025);
    must(dag_adder_write(&a, data, &e), &e);
    must(dag_adder_finish(&a, root, NULL, NULL, &e), &e);
    must(store_commit(s, &e), &e);
    dag_adder_clear(&a);
}

struct got {
    const uint8_t *want;
    size_t n;
};

static enum rc compare(void *ctx, struct bytes piece, struct err *e)
{
    struct got *g = ctx;

    if (piece.n > LARGE - g->n || memcmp(piece.p, g->want + g->n, piece.n) != 0)
        return err_set(e, RC_CORRUPT, "what came out is not what went in");
    g->n += piece.n;
    return RC_OK;
}

static void large(struct store *s)
{
    double in[ROUNDS], out[ROUNDS], hash[ROUNDS], mib = LARGE >> 20;
    uint8_t *data = xmalloc(LARGE);

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct got g = {.want = data};
        struct hash32 h;
        struct cid root;
        struct err e;
        uint64_t t;

        fill(data, LARGE, i + 1);
        t = clock_mono_ns();
        sha256(&h, bytes_of(data, LARGE));
        hash[i] = seconds_since(t);
        t = clock_mono_ns();
        add(s, &root, bytes_of(data, LARGE));
        in[i] = seconds_since(t);
        t = clock_mono_ns();
        must(unixfs_cat(&root, 0, UINT64_MAX, store_get_fn, s, compare, &g, &e), &e);
        out[i] = seconds_since(t);
        if (g.n != LARGE)
            must(err_set(&e, RC_CORRUPT, "%zu bytes came out of %zu", g.n, LARGE), &e);
    }
    {
        double h = median(hash, ROUNDS), a = median(in, ROUNDS), c = median(out, ROUNDS);

        (void)printf(
            "store|add 256 MiB, durable, in process|%.0f MiB/s|sha256 alone %.0f MiB/s|%.2f\n",
            mib / a, mib / h, a / h);
        (void)printf(
            "store|read 256 MiB, verified, in process|%.0f MiB/s|sha256 alone %.0f MiB/s|%.2f\n",
            mib / c, mib / h, c / h);
    }
    free(data);
}

static void small(struct store *s)
{
    static double in[N_SMALL];
    uint8_t data[SMALL];

    for (unsigned i = 0; i < N_SMALL; i++) {
        struct cid root;
        uint64_t t;

        fill(data, SMALL, 1000 + i);
        t = clock_mono_ns();
        add(s, &root, bytes_of(data, SMALL));
        in[i] = seconds_since(t) * 1e3;
    }
    (void)printf("store|add 1 KiB, durable, one at a time|%.2f ms||\n", median(in, N_SMALL));
}

int main(int argc, char **argv)
{
    struct store_options o = {0};
    struct store *s = NULL;
    struct err e;

    if (argc != 2)
        return 2;
    o.dir = argv[1];
    must(store_open(&s, &o, NULL, &e), &e);
    large(s);
    small(s);
    store_close(s);
    return 0;
}
