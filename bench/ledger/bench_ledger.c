/* Transactions through the engine in one process, from signed bytes to a durable receipt: signature
 * recovery, pool, execution, state tree, block, fdatasync. Prints transactions a second (two
 * submitting threads, ten senders), the time from submit to receipt, one at a time, and what a key
 * of state takes in memory.
 * Usage: bench_ledger FOLDER DATAREGISTRY_ELF [N [ROUNDS [FILES]]]: FOLDER must not exist. N files
 * are added ROUNDS times; with FILES, files are then added until there are so many, and N files
 * ROUNDS times more, turn by turn with a second ledger that began empty: the two medians say
 * whether speed falls as the state grows, whatever else the machine does. */
#include "base/hex.h"
#include "base/log.h"
#include "base/num.h"
#include "chain/receipt.h"
#include "chain/tx.h"
#include "crypto/hash.h"
#include "crypto/secp256k1.h"
#include "engine/engine.h"
#include "ledger/tree.h"
#include "os/clock.h"
#include "os/file.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define SENDERS 10
#define THREADS 2
#define CHAIN 7772
#define LATENCY_N 1000
#define TREE_KEYS 2000000u
#define GROW_STEP 50000u
#define MAX_ROUNDS 1000u

static const struct address REGISTRY = {{0xda, 0x7a}};
static struct secp_key keys[SENDERS];
static struct address who[SENDERS];
static uint64_t first_nonces[SENDERS], second_nonces[SENDERS], *nonces = first_nonces;

static void must(enum rc rc, const struct err *e)
{
    if (rc == RC_OK)
        return;
    (void)fprintf(stderr, "bench_ledger: %s\n", e->msg);
    exit(1);
}

static void put_word(struct buf *b, struct bytes right)
{
    buf_put_zero(b, 32 - right.n);
    buf_put_bytes(b, right);
}

static void put_selector(struct buf *b, const char *signature)
{
    struct hash32 h;

    keccak256(&h, bytes_str(signature));
    buf_put(b, h.b, 4);
}

static void write_genesis(const char *dir, const char *elf, char **path)
{
    struct buf j = {0}, init = {0};
    uint8_t pub[32];
    struct err e;

    must(engine_validator_key(dir, pub, &e), &e);
    *path = xasprintf("%s/genesis.json", dir);
    buf_printf(&j,
               "{\"chain_id\":%d,\"chain_name\":\"bench-1\",\"profile\":\"devnet\","
               "\"engine\":\"solo\",\"time\":1700000000,\"block_gas_limit\":1000000000,"
               "\"admin\":\"0x00000000000000000000000000000000000000aa\","
               "\"validators\":[{\"power\":1,\"pub_key\":\"",
               CHAIN);
    hex_put(&j, BYTES_OF(&pub));
    buf_put_str(&j, "\"}],\"accounts\":[");
    for (unsigned i = 0; i < SENDERS; i++) {
        uint8_t secret[32] = {[31] = (uint8_t)(i + 1)};

        must(secp_key_from_bytes(&keys[i], secret, &e), &e);
        secp_key_address(&who[i], &keys[i]);
        buf_put_str(&j, i == 0 ? "{\"address\":\"" : ",{\"address\":\"");
        hex_put_0x(&j, BYTES_OF(&who[i]));
        buf_put_str(&j, "\",\"balance_wei\":\"1000000000000000000000000\"}");
    }
    put_selector(&init, "initialize(address,address)");
    put_word(&init, BYTES_OF(&who[0]));
    put_word(&init, BYTES_OF(&who[0]));
    buf_put_str(&j, "],\"contracts\":[{\"name\":\"DataRegistry\",\"address\":\"");
    hex_put_0x(&j, BYTES_OF(&REGISTRY));
    buf_printf(&j, "\",\"elf\":\"%s\",\"init\":\"", elf);
    hex_put_0x(&j, buf_bytes(&init));
    buf_put_str(&j, "\"}]}");
    must(file_write_atomic(*path, buf_bytes(&j), 0600, &e), &e);
    buf_clear(&j);
    buf_clear(&init);
}

static void add_file_data(struct buf *b, uint64_t i)
{
    char *url = xasprintf("ipfs://bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5e%09llu",
                          (unsigned long long)i);
    size_t n = strlen(url);
    uint8_t len = (uint8_t)n, off = 32;

    put_selector(b, "addFile(string)");
    put_word(b, bytes_of(&off, 1));
    put_word(b, bytes_of(&len, 1));
    buf_put_str(b, url);
    buf_put_zero(b, (32 - n % 32) % 32);
    free(url);
}

/* Transaction i: from sender i % SENDERS. */
static void sign(struct buf *raw, bool files, uint64_t i, uint64_t serial)
{
    struct buf data = {0};
    unsigned from = (unsigned)(i % SENDERS);
    struct tx tx = {.type = TX_DYNAMIC_FEE,
                    .has_chain_id = true,
                    .chain_id = CHAIN,
                    .nonce = nonces[from]++,
                    .gas_limit = files ? 400000 : 21000,
                    .to = files ? REGISTRY : (struct address){{1, (uint8_t)i, (uint8_t)(i >> 8)}},
                    .max_fee_wei = u256_from_u64(100000000000ull)};
    struct err e;

    tx.gas_price_wei = tx.max_fee_wei;
    if (files)
        add_file_data(&data, serial);
    else
        tx.value_wei = u256_from_u64(1);
    tx.data = buf_bytes(&data);
    must(tx_sign(&tx, &keys[from], &e), &e);
    tx_encode(raw, &tx);
    buf_clear(&data);
}

struct work {
    struct engine *en;
    struct buf *raws;
    size_t n, thread;
    struct hash32 last;
};

static void *submit_main(void *arg)
{
    struct work *w = arg;
    struct err e;

    for (size_t i = 0; i < w->n; i++) {
        enum rc rc;

        /* A sender belongs to one thread, so that its nonces come in order. */
        if (i % SENDERS % THREADS != w->thread)
            continue;
        while ((rc = engine_submit(w->en, buf_bytes(&w->raws[i]), &w->last, &e)) == RC_LIMIT)
            clock_sleep_ms(1);
        must(rc, &e);
    }
    return NULL;
}

static void check_ok(struct engine *en, const struct hash32 *hash)
{
    struct engine_block *b;
    uint32_t index;
    struct err e;

    must(engine_wait(en, hash, 60000, &b, &index, &e), &e);
    if (b->txs[index].receipt->code != 0) {
        (void)fprintf(stderr, "bench_ledger: a transaction failed with code %u\n",
                      b->txs[index].receipt->code);
        exit(1);
    }
    engine_block_unref(b);
}

/* Of the whole process; unlike the clock's, hardly changed by what else the machine does. */
static uint64_t cpu_ns(void)
{
    struct timespec t;

    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct speed {
    double rate;   /* transactions a second */
    double cpu_us; /* a transaction */
};

static struct speed throughput(struct engine *en, bool files, size_t n, bool show, uint64_t *serial)
{
    struct buf *raws = xcalloc(n, sizeof(*raws));
    struct work w[THREADS];
    pthread_t t[THREADS];
    uint64_t start, ns, cpu, blocks = engine_height(en);
    struct speed s;

    for (size_t i = 0; i < n; i++)
        sign(&raws[i], files, i, (*serial)++);
    cpu = cpu_ns();
    start = clock_mono_ns();
    for (size_t i = 0; i < THREADS; i++) {
        w[i] = (struct work){.en = en, .raws = raws, .n = n, .thread = i};
        CHECK(pthread_create(&t[i], NULL, submit_main, &w[i]) == 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        (void)pthread_join(t[i], NULL);
    for (size_t i = 0; i < THREADS; i++)
        check_ok(en, &w[i].last);
    ns = clock_mono_ns() - start;
    cpu = cpu_ns() - cpu;
    blocks = engine_height(en) - blocks;
    s = (struct speed){.rate = (double)n * 1e9 / (double)ns,
                       .cpu_us = (double)cpu / 1e3 / (double)n};
    if (show)
        (void)printf("%-9s %7zu tx  %8.0f tx/s  %.1f tx a block  %.1f us of CPU a tx\n",
                     files ? "addFile" : "transfer", n, s.rate, (double)n / (double)blocks,
                     s.cpu_us);
    (void)fflush(stdout);
    for (size_t i = 0; i < n; i++)
        buf_clear(&raws[i]);
    free(raws);
    return s;
}

static int by_rate(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

struct rounds {
    double rate[MAX_ROUNDS], cpu_us[MAX_ROUNDS];
};

static void add_round(struct rounds *r, uint64_t i, struct engine *en, size_t n, uint64_t *serial)
{
    struct speed s = throughput(en, true, n, true, serial);

    r->rate[i] = s.rate;
    r->cpu_us[i] = s.cpu_us;
}

static double median(double *v, uint64_t n)
{
    qsort(v, n, sizeof(*v), by_rate);
    return v[n / 2];
}

/* Bytes of memory this process has for itself (not of files). */
static uint64_t own_memory(void)
{
    struct buf text = {0};
    const char *at;
    uint64_t kib;
    struct err e;

    must(file_read(&text, "/proc/self/status", 1 << 16, &e), &e);
    at = strstr(buf_cstr(&text), "RssAnon:");
    CHECK(at != NULL);
    at += 8 + strspn(at + 8, " \t");
    must(parse_u64(&kib, bytes_of((const uint8_t *)at, strspn(at, "0123456789")), 1u << 31, &e),
         &e);
    buf_clear(&text);
    return kib * 1024;
}

static void memory_of_state(void)
{
    uint64_t before = own_memory(), start = clock_mono_ns();
    struct tree *t = tree_new();
    struct hash32 root;
    struct err e;

    for (uint32_t k = 0; k < TREE_KEYS; k++)
        must(tree_load(t, BYTES_OF(&k), BYTES_OF(&k), &e), &e);
    tree_loaded(t, 1, &root);
    (void)printf("state tree of %u keys: %.1f bytes a key, built in %.0f ms\n", TREE_KEYS,
                 (double)(own_memory() - before) / TREE_KEYS,
                 (double)(clock_mono_ns() - start) / 1e6);
    tree_free(t);
}

/* `full` has many files: how it does beside a ledger that begins in `dir` with none. */
static void compare(struct engine *full, const char *dir, const char *elf, size_t n,
                    uint64_t rounds, uint64_t *serial)
{
    static struct rounds many, none;
    struct engine_options o = {.dir = dir};
    struct engine *empty;
    uint64_t files = *serial;
    char *genesis;
    struct err e;

    write_genesis(dir, elf, &genesis);
    o.genesis_path = genesis;
    must(engine_open(&empty, &o, &e), &e);
    for (uint64_t i = 0; i < rounds; i++) {
        nonces = first_nonces;
        add_round(&many, i, full, n, serial);
        nonces = second_nonces;
        add_round(&none, i, empty, n, serial);
    }
    nonces = first_nonces;
    engine_close(empty);
    free(genesis);
    (void)printf("with %llu files: %.2f of the speed with none, %.2f of the CPU time a tx\n",
                 (unsigned long long)files, median(many.rate, rounds) / median(none.rate, rounds),
                 median(many.cpu_us, rounds) / median(none.cpu_us, rounds));
}

static int by_value(const void *a, const void *b)
{
    uint64_t x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return x < y ? -1 : x > y;
}

static void latency(struct engine *en, bool files, uint64_t *serial)
{
    static uint64_t ns[LATENCY_N];
    struct hash32 hash;
    struct err e;

    for (size_t i = 0; i < LATENCY_N; i++) {
        struct buf raw = {0};
        uint64_t start;

        sign(&raw, files, i, (*serial)++);
        start = clock_mono_ns();
        must(engine_submit(en, buf_bytes(&raw), &hash, &e), &e);
        check_ok(en, &hash);
        ns[i] = clock_mono_ns() - start;
        buf_clear(&raw);
    }
    qsort(ns, LATENCY_N, sizeof(ns[0]), by_value);
    (void)printf("%-9s one at a time: p50 %.2f ms  p99 %.2f ms\n", files ? "addFile" : "transfer",
                 (double)ns[LATENCY_N / 2] / 1e6, (double)ns[LATENCY_N * 99 / 100] / 1e6);
}

int main(int argc, char **argv)
{
    struct engine_options o = {0};
    struct engine *en;
    uint64_t n = 40000, rounds = 1, files = 0, serial = 0, start;
    char *genesis, *second;
    struct err e;

    if (argc < 3 || argc > 6) {
        (void)fprintf(stderr, "usage: bench_ledger FOLDER DATAREGISTRY_ELF [N [ROUNDS [FILES]]]\n");
        return 2;
    }
    if (argc > 3)
        must(parse_u64(&n, bytes_str(argv[3]), 10000000, &e), &e);
    if (argc > 4)
        must(parse_u64(&rounds, bytes_str(argv[4]), MAX_ROUNDS, &e), &e);
    CHECK(rounds != 0);
    if (argc > 5)
        must(parse_u64(&files, bytes_str(argv[5]), 100000000, &e), &e);
    log_setup(LOG_WARN, LOG_TEXT);
    memory_of_state();
    write_genesis(argv[1], argv[2], &genesis);
    second = xasprintf("%s-empty", argv[1]);
    o.dir = argv[1];
    o.genesis_path = genesis;
    must(engine_open(&en, &o, &e), &e);
    (void)throughput(en, false, n, true, &serial);
    serial = 0;
    for (uint64_t i = 0; i < rounds; i++)
        (void)throughput(en, true, n, true, &serial);
    if (files != 0) {
        while (serial < files)
            (void)throughput(en, true, GROW_STEP, false, &serial);
        (void)printf("memory with %llu files: %.0f MiB\n", (unsigned long long)serial,
                     (double)own_memory() / 1048576);
        compare(en, second, argv[2], n, rounds, &serial);
    }
    latency(en, false, &serial);
    latency(en, true, &serial);
    engine_close(en);
    start = clock_mono_ns();
    must(engine_open(&en, &o, &e), &e);
    (void)printf("restart at height %llu: %.0f ms\n", (unsigned long long)engine_height(en),
                 (double)(clock_mono_ns() - start) / 1e6);
    engine_close(en);
    free(genesis);
    free(second);
    return 0;
}
