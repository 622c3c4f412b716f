/* bench/cluster/bench_cluster.c - contracts of a cluster: commands and queries of the Guestbook, in
 * this process and through cloister-runtime; a large state loaded, forked, handed out. Prints rows
 * for bench/run. Arguments: cloister-runtime, Guestbook.elf, keys of the large state. */
#include "base/buf.h"
#include "base/num.h"
#include "chain/gen/guestbook.h"
#include "cluster/entry.h"
#include "os/clock.h"
#include "os/file.h"
#include "runtime/runtime.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define BATCH 500
#define BATCHES 20
#define QUERIES 20000
#define INSTANCES 200
#define VALUE 1024u

static void or_die(enum rc rc, const struct err *e)
{
    if (rc == RC_OK)
        return;
    (void)fprintf(stderr, "bench_cluster: %s\n", e->msg);
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static double now_us(void)
{
    return (double)clock_mono_ns() / 1000;
}

static double cpu_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void row(const char *what, const char *fmt, double v)
{
    char text[64];

    (void)snprintf(text, sizeof(text), fmt, v);
    (void)printf("cluster|%s|%s||\n", what, text);
    (void)fflush(stdout);
}

static struct address contract_at(unsigned i)
{
    struct address a = {{0xc0}};

    store_u32be(a.b + 16, i);
    return a;
}

static struct command activation(unsigned i, const struct hash32 *code)
{
    return (struct command){
        .kind = ENTRY_ACTIVATE, .contract = contract_at(i), .gas = 1u << 20, .code_hash = *code};
}

static struct command signing(struct bytes calldata)
{
    return (struct command){.kind = ENTRY_SEALED,
                            .height = 5,
                            .time_s = 1700000000,
                            .contract = contract_at(0),
                            .sender = {{7}},
                            .gas = 1u << 18,
                            .calldata = calldata};
}

static struct machine_query counting(unsigned contract, struct bytes calldata)
{
    return (struct machine_query){
        .contract = contract_at(contract), .calldata = calldata, .gas = 1u << 20, .height = 5};
}

/* Contract 0 and INSTANCES more: the same code. */
static void activate_all(struct machine *m, struct runtime *rt, const struct hash32 *code)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct command c[INSTANCES + 1];
    struct command_result results[INSTANCES + 1];
    const struct out_message *messages;
    struct state_changes changes;
    size_t n;
    struct err e;

    for (unsigned i = 0; i <= INSTANCES; i++)
        c[i] = activation(i, code);
    if (m != NULL)
        or_die(machine_run(m, c, INSTANCES + 1, &mem, results, &messages, &n, &changes, &e), &e);
    else
        or_die(runtime_run(rt, c, INSTANCES + 1, &mem, results, &messages, &n, &changes, &e), &e);
}

/* Commands a second; exactly one of m, rt. */
static double commands(struct machine *m, struct runtime *rt, struct bytes calldata)
{
    struct command c[BATCH];
    struct command_result results[BATCH];
    double start = now_us();

    for (size_t i = 0; i < BATCH; i++)
        c[i] = signing(calldata);
    for (size_t k = 0; k < BATCHES; k++) {
        AUTO_CLEAR(arena) struct arena mem = {0};
        const struct out_message *messages;
        struct state_changes changes;
        size_t n;
        struct err e;

        if (m != NULL)
            or_die(machine_run(m, c, BATCH, &mem, results, &messages, &n, &changes, &e), &e);
        else
            or_die(runtime_run(rt, c, BATCH, &mem, results, &messages, &n, &changes, &e), &e);
        for (size_t i = 0; i < BATCH; i++)
            CHECK(results[i].status == RECEIPT_DONE && results[i].n_events == 1);
    }
    return BATCH * BATCHES / ((now_us() - start) / 1e6);
}

/* ---- in this process ---- */

static void query_here(struct machine *m, unsigned contract, struct bytes calldata,
                       enum receipt_status want)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct machine_query q = counting(contract, calldata);
    struct command_result x;
    struct err e;

    or_die(machine_query(m, &q, &mem, &x, &e), &e);
    CHECK(x.status == want);
}

/* A contract's first call ever on a machine that has never run any code. */
static double first_call_us(struct bytes elf, struct bytes calldata)
{
    static double us[31];

    for (size_t i = 0; i < 31; i++) {
        struct machine *m = machine_new(&(struct machine_config){.chain_id = 1});
        struct hash32 code;
        struct err e;
        double start;

        or_die(machine_put_code(m, elf, &code, &e), &e);
        activate_all(m, NULL, &code);
        start = now_us();
        query_here(m, 0, calldata, RECEIPT_DONE);
        us[i] = now_us() - start;
        machine_free(m);
    }
    qsort(us, 31, sizeof(*us), by_value);
    return us[15];
}

/* Calls of contracts that have not been called yet, whose code is known. */
static double cold_call_us(struct machine *m, struct bytes calldata)
{
    static double us[INSTANCES];

    for (unsigned i = 0; i < INSTANCES; i++) {
        double start = now_us();

        query_here(m, i + 1, calldata, RECEIPT_DONE);
        us[i] = now_us() - start;
    }
    qsort(us, INSTANCES, sizeof(*us), by_value);
    return us[INSTANCES / 2];
}

static void in_process(struct bytes elf, struct bytes sign, struct bytes count)
{
    struct machine *m = machine_new(&(struct machine_config){.chain_id = 1});
    struct hash32 code;
    double start;
    struct err e;

    or_die(machine_put_code(m, elf, &code, &e), &e);
    activate_all(m, NULL, &code);
    row("first call of new code", "%.0f us", first_call_us(elf, count));
    row("first call of a contract, code known", "%.1f us", cold_call_us(m, count));
    start = now_us();
    for (unsigned i = 0; i < QUERIES; i++)
        query_here(m, 0, count, RECEIPT_DONE);
    row("query, in process", "%.0f a second", QUERIES / ((now_us() - start) / 1e6));
    row("command (Guestbook sign), in process", "%.0f a second", commands(m, NULL, sign));
    machine_free(m);
}

/* ---- through cloister-runtime ---- */

struct asker {
    struct snapshot *s;
    struct bytes calldata;
    double *us; /* QUERIES of them */
};

static void *ask(void *data)
{
    struct asker *a = data;

    for (size_t i = 0; i < QUERIES; i++) {
        AUTO_CLEAR(arena) struct arena mem = {0};
        struct machine_query q = counting(0, a->calldata);
        struct command_result x;
        double start = now_us();
        struct err e;

        or_die(snapshot_query(a->s, &q, &mem, &x, &e), &e);
        CHECK(x.status == RECEIPT_DONE);
        a->us[i] = now_us() - start;
    }
    return NULL;
}

static void queries(struct runtime *rt, struct bytes count)
{
    static double us[2][QUERIES];
    struct asker a[2];
    struct snapshot *s;
    pthread_t other;
    struct err e;
    double start;

    or_die(runtime_snapshot(rt, &s, &e), &e);
    for (size_t i = 0; i < 2; i++)
        a[i] = (struct asker){s, count, us[i]};
    start = now_us();
    (void)ask(&a[0]);
    row("query of a snapshot, one caller", "%.0f a second", QUERIES / ((now_us() - start) / 1e6));
    qsort(us[0], QUERIES, sizeof(double), by_value);
    row("query of a snapshot, p50", "%.1f us", us[0][QUERIES / 2]);
    row("query of a snapshot, p99", "%.1f us", us[0][QUERIES / 100 * 99]);
    start = now_us();
    CHECK(pthread_create(&other, NULL, ask, &a[0]) == 0);
    (void)ask(&a[1]);
    CHECK(pthread_join(other, NULL) == 0);
    row("query of a snapshot, two callers", "%.0f a second",
        2 * QUERIES / ((now_us() - start) / 1e6));
    snapshot_free(s);
}

static double median_snapshot_us(struct runtime *rt, struct bytes count, double *first_query_us)
{
    double us[9], first[9];

    for (size_t i = 0; i < 9; i++) {
        AUTO_CLEAR(arena) struct arena mem = {0};
        struct machine_query q = counting(0, count);
        struct command_result x;
        struct snapshot *s;
        struct err e;
        double start = now_us();

        or_die(runtime_snapshot(rt, &s, &e), &e);
        us[i] = now_us() - start;
        start = now_us();
        or_die(snapshot_query(s, &q, &mem, &x, &e), &e);
        first[i] = now_us() - start;
        snapshot_free(s);
    }
    qsort(us, 9, sizeof(*us), by_value);
    qsort(first, 9, sizeof(*first), by_value);
    *first_query_us = first[4];
    return us[4];
}

static void make_item(struct state_key *key, uint8_t value[VALUE], uint32_t i)
{
    struct address a = contract_at(1);
    uint8_t name[32] = {0};

    store_u32be(name, i);
    *key = state_key_storage(&a, BYTES_OF(&name));
    memset(value, (int)i, VALUE);
    store_u32be(value, i);
}

static enum rc count_items(void *data, struct bytes key, struct bytes value, struct err *e)
{
    (void)key, (void)value, (void)e;
    *(size_t *)data += 1;
    return RC_OK;
}

/* Processor time of a load in this process: the least of three, since a virtual machine is slow to
 * get memory the first time. */
static void load_here(uint32_t n)
{
    double least = INFINITY;

    for (int round = 0; round < 3; round++) {
        struct machine *m = machine_new(&(struct machine_config){.chain_id = 1});
        double start = cpu_s();
        struct err e;

        for (uint32_t i = 0; i < n; i++) {
            struct state_key key;
            uint8_t value[VALUE];

            make_item(&key, value, i);
            or_die(machine_load(m, state_key_bytes(&key), BYTES_OF(&value), &e), &e);
        }
        least = fmin(least, cpu_s() - start);
        machine_free(m);
    }
    row("large state: load in process, processor time", "%.2f s", least);
}

static void large_state(struct runtime *rt, uint32_t n, struct bytes sign, struct bytes count)
{
    struct snapshot *s;
    double start, first;
    size_t seen = 0;
    struct err e;

    load_here(n);
    start = now_us();
    for (uint32_t i = 0; i < n; i++) {
        struct state_key key;
        uint8_t value[VALUE];

        make_item(&key, value, i);
        or_die(runtime_load(rt, state_key_bytes(&key), BYTES_OF(&value), &e), &e);
    }
    or_die(runtime_loaded(rt, &e), &e);
    row("large state: load into cloister-runtime", "%.2f s", (now_us() - start) / 1e6);
    row("large state: snapshot", "%.1f ms", median_snapshot_us(rt, count, &first) / 1e3);
    row("large state: its first query (a second fork)", "%.1f ms", first / 1e3);
    row("large state: command", "%.0f a second", commands(NULL, rt, sign));
    or_die(runtime_snapshot(rt, &s, &e), &e);
    start = now_us();
    or_die(snapshot_each(s, count_items, &seen, &e), &e);
    CHECK(seen >= n);
    row("large state: handed out for a checkpoint", "%.2f s", (now_us() - start) / 1e6);
    snapshot_free(s);
}

static void print_memory(void)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    const char *peak;

    if (file_read(&text, "/proc/self/status", 65536, NULL) != RC_OK)
        return;
    peak = strstr(buf_cstr(&text), "VmHWM:");
    if (peak != NULL)
        row("large state: most memory, in process", "%.2f GiB", strtod(peak + 6, NULL) / 1048576);
}

int main(int argc, char **argv)
{
    AUTO_CLEAR(buf) struct buf elf = {0};
    AUTO_CLEAR(buf) struct buf sign = {0};
    AUTO_CLEAR(buf) struct buf count = {0};
    struct runtime_config config = {.machine.chain_id = 1};
    struct runtime *rt;
    struct hash32 code;
    uint64_t n;
    double first;
    struct err e;

    if (argc != 4 || parse_u64(&n, bytes_str(argv[3]), 100000000, &e) != RC_OK)
        return 2;
    config.path = argv[1];
    or_die(file_read(&elf, argv[2], 1u << 20, &e), &e);
    guestbook_put_sign(&sign, bytes_str("a line of some length, as people write them"));
    guestbook_put_entriesCount(&count);
    in_process(buf_bytes(&elf), buf_bytes(&sign), buf_bytes(&count));
    or_die(runtime_start(&rt, &config, &e), &e);
    or_die(runtime_put_code(rt, buf_bytes(&elf), &code, &e), &e);
    activate_all(NULL, rt, &code);
    row("command (Guestbook sign), cloister-runtime", "%.0f a second",
        commands(NULL, rt, buf_bytes(&sign)));
    row("snapshot of a small state", "%.0f us", median_snapshot_us(rt, buf_bytes(&count), &first));
    queries(rt, buf_bytes(&count));
    large_state(rt, (uint32_t)n, buf_bytes(&sign), buf_bytes(&count));
    print_memory();
    runtime_stop(rt);
    return 0;
}
