#include "kv/lmdb.h"
#include "lib/t.h"

#include <pthread.h>

static const char *const TABLES[] = {"a", "b", NULL};

static struct kv *open_kv(uint64_t map_size)
{
    struct kv_options o = {.dir = t_tmpdir(), .tables = TABLES, .map_size = map_size};
    struct kv *kv;
    struct err e;

    CHECK_OK(kv_open(&kv, &o, &e), &e);
    return kv;
}

struct range {
    uint32_t from, to;
    size_t value_size;
    bool fail;
};

static enum rc put_range(void *ctx, struct kv_txn *txn, struct err *e)
{
    const struct range *r = ctx;
    AUTO_CLEAR(buf) struct buf v = {0};

    for (uint32_t i = r->from; i < r->to; i++) {
        uint8_t key[4];

        store_u32be(key, i);
        buf_reset(&v);
        while (v.n < r->value_size)
            buf_u32be(&v, i);
        TRY(kv_put(txn, 1, bytes_of(key, 4), buf_bytes(&v), e));
    }
    return r->fail ? err_set(e, RC_DENIED, "asked to fail") : RC_OK;
}

static enum rc count_up(void *ctx, struct bytes key, struct bytes value, bool *stop, struct err *e)
{
    uint32_t *next = ctx;

    (void)stop;
    (void)e;
    CHECK_INT(load_u32be(key.p), *next);
    CHECK_INT(load_u32be(value.p), *next);
    (*next)++;
    return RC_OK;
}

static uint32_t scan(struct kv *kv, struct bytes prefix, uint32_t from)
{
    struct kv_txn *txn;
    uint8_t key[4];
    struct err e;

    store_u32be(key, from);
    CHECK_OK(kv_read_begin(&txn, kv, &e), &e);
    CHECK_OK(kv_scan(txn, 1, prefix, bytes_of(key, 4), count_up, &from, &e), &e);
    kv_read_end(txn);
    return from;
}

TEST(put_get_scan_reopen)
{
    struct kv *kv = open_kv(0);
    struct range r = {0, 1000, 8, false};
    struct kv_txn *txn;
    struct bytes v;
    uint64_t n;
    struct err e;

    CHECK_OK(kv_update(kv, put_range, &r, &e), &e);
    CHECK_INT(scan(kv, bytes_of(NULL, 0), 0), 1000);
    CHECK_INT(scan(kv, bytes_of(NULL, 0), 990), 1000);
    CHECK_INT(scan(kv, bytes_of("\0\0\1", 3), 256), 512);
    kv_close(kv);
    kv = open_kv(0);
    CHECK_OK(kv_read_begin(&txn, kv, &e), &e);
    CHECK_OK(kv_get(txn, 1, bytes_of("\0\0\0\7", 4), &v, &e), &e);
    CHECK_INT(v.n, 8);
    CHECK_TRUE(kv_get(txn, 0, bytes_of("\0\0\0\7", 4), &v, &e) == RC_NOTFOUND);
    CHECK_OK(kv_count(txn, 1, &n, &e), &e);
    CHECK_INT(n, 1000);
    kv_read_end(txn);
    kv_close(kv);
}

TEST(a_failed_update_changes_nothing)
{
    struct kv *kv = open_kv(0);
    struct range r = {0, 10, 8, false}, bad = {5, 50, 8, true};
    struct err e;

    CHECK_OK(kv_update(kv, put_range, &r, &e), &e);
    CHECK_RC(kv_update(kv, put_range, &bad, &e), RC_DENIED, &e, "asked");
    CHECK_INT(scan(kv, bytes_of(NULL, 0), 0), 10);
    kv_close(kv);
}

/* 64 KiB of map, tens of megabytes of data, in one transaction and in many. */
TEST(the_map_grows)
{
    struct kv *kv = open_kv(65536 * 4);
    struct range r = {0, 3000, 4000, false};
    struct err e;

    CHECK_OK(kv_update(kv, put_range, &r, &e), &e);
    for (uint32_t i = 0; i < 30; i++) {
        r = (struct range){3000 + i * 100, 3100 + i * 100, 4000, false};
        CHECK_OK(kv_update(kv, put_range, &r, &e), &e);
    }
    CHECK_INT(scan(kv, bytes_of(NULL, 0), 0), 6000);
    kv_close(kv);
}

struct shared {
    struct kv *kv;
    int stop;
};

static void *reader_main(void *arg)
{
    struct shared *s = arg;

    while (__atomic_load_n(&s->stop, __ATOMIC_RELAXED) == 0) {
        uint32_t n = scan(s->kv, bytes_of(NULL, 0), 0);

        /* Each transaction put a whole hundred. */
        CHECK_INT(n % 100, 0);
    }
    return NULL;
}

TEST(readers_see_whole_transactions_while_the_map_grows)
{
    struct shared s = {open_kv(65536 * 4), 0};
    pthread_t t[3];
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        CHECK_TRUE(pthread_create(&t[i], NULL, reader_main, &s) == 0);
    for (uint32_t i = 0; i < 40; i++) {
        struct range r = {i * 100, i * 100 + 100, 400, false};

        CHECK_OK(kv_update(s.kv, put_range, &r, &e), &e);
    }
    __atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        (void)pthread_join(t[i], NULL);
    CHECK_INT(scan(s.kv, bytes_of(NULL, 0), 0), 4000);
    kv_close(s.kv);
}

TEST(a_file_that_is_no_store_is_refused)
{
    struct kv_options o = {.dir = xasprintf("%s/x", t_tmpdir()), .tables = TABLES};
    struct kv *kv;
    struct err e;

    o.read_only = true;
    CHECK_RC(kv_open(&kv, &o, &e), RC_NOTFOUND, &e, "no such store");
    free((void *)(uintptr_t)o.dir);
}
