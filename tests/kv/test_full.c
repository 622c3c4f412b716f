/* A disk that is full under the tables: errors, never a signal, and nothing lost. */
#include "kv/lmdb.h"
#include "lib/smallfs.h"

#define N_READERS 400

static const char *const TABLES[] = {"t", NULL};

struct put {
    uint32_t key;
    size_t size;
};

static enum rc put_one(void *ctx, struct kv_txn *txn, struct err *e)
{
    const struct put *p = ctx;
    AUTO_CLEAR(buf) struct buf value = {0};

    memset(buf_extend(&value, p->size), (int)p->key & 0xff, p->size);
    return kv_put(txn, 0, BYTES_OF(&p->key), buf_bytes(&value), e);
}

static enum rc put(struct kv *kv, uint32_t key, size_t size, struct err *e)
{
    struct put p = {key, size};

    return kv_update(kv, put_one, &p, e);
}

static void check_all(struct kv *kv, uint32_t n, size_t size)
{
    struct kv_txn *txn;
    struct bytes v;
    struct err e;

    CHECK_OK(kv_read_begin(&txn, kv, &e), &e);
    for (uint32_t i = 0; i < n; i++) {
        CHECK_OK(kv_get(txn, 0, BYTES_OF(&i), &v, &e), &e);
        CHECK_INT(v.n, size);
        CHECK_INT(v.p[size - 1], i & 0xff);
    }
    kv_read_end(txn);
}

TEST(opened_on_a_full_disk)
{
    AUTO_SMALLFS char *at = smallfs_new(256 << 10);
    AUTO_FREE char *dir = xasprintf("%s/db", at);
    struct kv_options o = {.dir = dir, .tables = TABLES};
    struct kv *kv;
    struct err e;

    CHECK_OK(dir_make(dir, 0700, &e), &e);
    for (uint64_t left = 0; left < 80 << 10; left += 4096) {
        enum rc rc;

        smallfs_fill(at, left);
        rc = kv_open(&kv, &o, &e);
        if (rc != RC_OK)
            CHECK_RC(rc, RC_LIMIT, &e, "the disk is full");
        else
            kv_close(kv);
        smallfs_room(at);
        if (left % 3 == 0)
            CHECK_OK(dir_remove(dir, &e), &e);
        CHECK_OK(dir_make(dir, 0700, &e), &e);
    }
    CHECK_OK(kv_open(&kv, &o, &e), &e);
    CHECK_OK(put(kv, 0, 100, &e), &e);
    kv_close(kv);
}

/* The places of readers in the lock file are written through a map: without disk behind it that
 * would be a SIGBUS. */
TEST(many_readers_on_a_full_disk)
{
    AUTO_SMALLFS char *at = smallfs_new(1 << 20);
    AUTO_FREE char *dir = xasprintf("%s/db", at);
    struct kv_options o = {.dir = dir, .tables = TABLES};
    struct kv_txn *txns[N_READERS];
    struct kv *kv;
    struct err e;

    CHECK_OK(kv_open(&kv, &o, &e), &e);
    CHECK_OK(put(kv, 0, 100, &e), &e);
    smallfs_fill(at, 0);
    for (size_t i = 0; i < N_READERS; i++)
        CHECK_OK(kv_read_begin(&txns[i], kv, &e), &e);
    CHECK_RC(put(kv, 1, 60000, &e), RC_LIMIT, &e, "the disk is full");
    for (size_t i = 0; i < N_READERS; i++)
        kv_read_end(txns[i]);
    check_all(kv, 1, 100);
    kv_close(kv);
}

/* A commit that meets the end of the disk, at every page of its way. */
TEST(commit_at_every_page)
{
    AUTO_SMALLFS char *at = smallfs_new(4 << 20);
    AUTO_FREE char *dir = xasprintf("%s/db", at);
    struct kv_options o = {.dir = dir, .tables = TABLES};
    uint32_t n = 0, refused = 0;
    struct kv *kv;
    struct err e;

    CHECK_OK(kv_open(&kv, &o, &e), &e);
    for (uint64_t left = 0; left < 64 << 10; left += 4096) {
        enum rc rc = RC_OK;

        smallfs_fill(at, left);
        for (int i = 0; i < 100 && rc == RC_OK; i++) {
            rc = put(kv, n, 9000, &e);
            n += rc == RC_OK;
        }
        CHECK_RC(rc, RC_LIMIT, &e, "the disk is full");
        refused++;
        check_all(kv, n, 9000);
        smallfs_room(at);
        /* LMDB refuses to go on after a failed write of its head: then it is opened again. */
        if (put(kv, n, 9000, &e) != RC_OK) {
            kv_close(kv);
            CHECK_OK(kv_open(&kv, &o, &e), &e);
            CHECK_OK(put(kv, n, 9000, &e), &e);
        }
        n++;
        check_all(kv, n, 9000);
    }
    CHECK_INT(refused, 16);
    kv_close(kv);
}
