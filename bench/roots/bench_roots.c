/* A checkpoint of one contract with N keys of 1 KiB: written, opened, its leaves keyed (in one
 * thread, then in two), its tree put together. Processor seconds of each part, for they hardly
 * change with what else the machine does; the wall clock of the whole last. Rows for bench/run. */
#include "cluster/roots.h"
#include "cluster/state_file.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define VALUE_SIZE 1024
#define THREADS 2

static const struct address contract = {{1, 2, 3}};
static struct contract_keys keys;
static struct state_file_head head;
static struct blinder blinder;
static struct cluster_roots *roots;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct state_sections next;
static double opened, keyed, loaded; /* processor seconds */

static double seconds(clockid_t id)
{
    struct timespec t;

    (void)clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void write_file(struct buf *out, size_t n)
{
    struct state_file_contract c = {.contract = contract};
    struct contract_root root = {.contract = contract, .root = {{1}}};
    struct state_file_head h = {
        .kind = STATE_FILE_CHECKPOINT, .contracts = &c, .n_contracts = 1, .end_batch = 1};
    uint8_t value[VALUE_SIZE] = {0};
    struct state_file_writer *w;

    c.root_after = root.root;
    cluster_root_of(&h.new_root, &root, 1);
    CHECK(state_file_begin(&w, &h, NULL, state_file_to_buf(out), NULL) == RC_OK);
    CHECK(state_file_contract(w, &keys, &keys.blind, NULL) == RC_OK);
    for (uint64_t i = 0; i < n; i++) {
        struct state_key key = state_key_storage(&contract, BYTES_OF(&i));

        store_u64be(value, i * 0x9e3779b97f4a7c15u + 1);
        CHECK(state_file_change(w, state_key_bytes(&key), BYTES_OF(&value), NULL) == RC_OK);
    }
    CHECK(state_file_end(w, NULL) == RC_OK);
}

/* Leaves of one section. */
static size_t make_leaves(struct tree_leaf *out, struct bytes plain)
{
    struct bytes item, key, value;
    enum state_item tag;
    size_t n = 0;

    while (state_item_next(&tag, &item, &plain, NULL) == RC_OK) {
        if (tag != ITEM_CHANGE)
            continue;
        CHECK(state_item_change(&key, &value, &contract, item, NULL) == RC_OK);
        keyed_tree_leaf_make(&out[n++], &blinder, key, value);
    }
    return n;
}

static void *load(void *unused)
{
    struct tree_leaf *leaves = xcalloc(STATE_SECTION_MAX / VALUE_SIZE, sizeof(*leaves));
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    double t[4];

    (void)unused;
    for (;;) {
        struct state_section s;
        enum rc rc;
        size_t n;

        (void)pthread_mutex_lock(&lock);
        rc = state_sections_next(&s, &next, NULL);
        (void)pthread_mutex_unlock(&lock);
        if (rc != RC_OK)
            break;
        secbuf_reset(&plain);
        t[0] = seconds(CLOCK_THREAD_CPUTIME_ID);
        CHECK(state_section_open(&plain, &head, &s, &keys, NULL) == RC_OK);
        t[1] = seconds(CLOCK_THREAD_CPUTIME_ID);
        n = make_leaves(leaves, secbuf_bytes(&plain));
        t[2] = seconds(CLOCK_THREAD_CPUTIME_ID);
        (void)pthread_mutex_lock(&lock);
        CHECK(cluster_roots_load_leaves(roots, &contract, leaves, n, NULL) == RC_OK);
        t[3] = seconds(CLOCK_THREAD_CPUTIME_ID);
        opened += t[1] - t[0];
        keyed += t[2] - t[1];
        loaded += t[3] - t[2];
        (void)pthread_mutex_unlock(&lock);
    }
    free(leaves);
    return NULL;
}

static void run(struct bytes rest, size_t threads, struct hash32 *root)
{
    pthread_t t[THREADS];
    double wall = seconds(CLOCK_MONOTONIC), cpu;

    roots = cluster_roots_new();
    CHECK(cluster_roots_add(roots, &contract, &keys.blind, NULL) == RC_OK);
    opened = keyed = loaded = 0;
    state_sections_begin(&next, &head, rest);
    for (size_t i = 0; i < threads; i++)
        CHECK(pthread_create(&t[i], NULL, load, NULL) == 0);
    for (size_t i = 0; i < threads; i++)
        CHECK(pthread_join(t[i], NULL) == 0);
    cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
    CHECK(cluster_roots_loaded(roots, NULL, root, NULL) == RC_OK);
    cpu = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
    wall = seconds(CLOCK_MONOTONIC) - wall;
    printf("roots|open sections, processor time (%zu threads)|%.2f s||\n"
           "roots|key leaves, processor time (%zu threads)|%.2f s||\n"
           "roots|gather leaves, processor time (%zu threads)|%.2f s||\n"
           "roots|tree and root, processor time (%zu threads)|%.2f s||\n"
           "roots|all of it, by the clock (%zu threads)|%.2f s||\n"
           "roots|memory of the roots (%zu threads)|%zu MiB||\n",
           threads, opened, threads, keyed, threads, loaded, threads, cpu, threads, wall, threads,
           cluster_roots_ram_size(roots) >> 20);
    cluster_roots_free(roots);
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 1000000;
    AUTO_CLEAR(buf) struct buf file = {0};
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct secret32 k = {{1}};
    struct hash32 root[THREADS];
    struct bytes rest;
    double t;

    contract_keys_derive(&keys, &contract, 0, &k);
    blinder_init(&blinder, &keys.blind);
    (void)buf_reserve(&file, n * (VALUE_SIZE + 64) + (size_t)2 * STATE_SECTION_MAX);
    t = seconds(CLOCK_THREAD_CPUTIME_ID);
    write_file(&file, n);
    printf("roots|seal a checkpoint, %zu keys of 1 KiB, %zu MiB|%.2f s||\n", n, file.n >> 20,
           seconds(CLOCK_THREAD_CPUTIME_ID) - t);
    CHECK(state_file_parse(&head, &rest, buf_bytes(&file), &mem, NULL) == RC_OK);
    for (size_t i = 0; i < THREADS; i++)
        run(rest, i + 1, &root[i]);
    CHECK(hash32_eq(&root[0], &root[1]));
    return 0;
}
