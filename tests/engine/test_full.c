/* The ledger's disk fills up: block log, checkpoint to LMDB, first start. Whatever was acknowledged
 * is there when there is room again. */
#include "chain/receipt.h"
#include "engine/net.h"
#include "lib/smallfs.h"
#include "os/clock.h"

#define SIZE (12u << 20)

static const struct address BOB = {{0xb0, 0xb0}};

struct acked {
    struct hash32 *v;
    size_t n, cap;
};

static void note(struct acked *a, const struct hash32 *h)
{
    if (a->n == a->cap) {
        a->cap = a->cap == 0 ? 1024 : a->cap * 2;
        a->v = xreallocarray(a->v, a->cap, sizeof(*a->v));
    }
    a->v[a->n++] = *h;
}

static void check_acked(struct engine *en, const struct acked *a)
{
    for (size_t i = 0; i < a->n; i++) {
        AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;
        uint32_t index;
        struct err e;

        CHECK_OK(engine_tx_find(en, &a->v[i], &b, &index, &e), &e);
        CHECK_INT(b->txs[index].receipt->code, 0);
    }
}

/* Send until the disk ends it, at most n; true if it did. */
static bool send_some(struct engine *en, const struct net *net, size_t n, struct acked *a)
{
    uint64_t nonce = net_account(en, &net->who[0], UINT64_MAX).nonce;

    for (size_t i = 0; i < n; i++) {
        AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;
        AUTO_CLEAR(buf) struct buf raw = {0};
        struct hash32 h;
        uint32_t index;
        struct err e;
        enum rc rc;

        net_transfer(&raw, net, 0, &BOB, nonce++, 1);
        rc = engine_submit(en, buf_bytes(&raw), &h, &e);
        if (rc == RC_OK)
            rc = engine_wait(en, &h, 20000, &b, &index, &e);
        if (rc != RC_OK) {
            CHECK_RC(rc, RC_CLOSED, &e, "the disk is full");
            CHECK_RC(engine_submit(en, buf_bytes(&raw), &h, &e), RC_CLOSED, &e, "start it again");
            CHECK_RC(engine_health(en, &e), RC_LIMIT, &e, "the disk is full");
            return true;
        }
        note(a, &h);
    }
    return false;
}

static struct engine_options options(const struct net *n)
{
    /* Small: blocks go to LMDB all the time. */
    return (struct engine_options){
        .dir = n->dir, .genesis_path = n->genesis, .checkpoint_bytes = 8192};
}

TEST(full_at_every_page)
{
    AUTO_SMALLFS char *at = smallfs_new(SIZE);
    struct engine_check_report report;
    struct acked acked = {0};
    struct engine *en;
    size_t stopped = 0;
    struct net n;
    struct err e;

    net_init(&n, at);
    for (uint64_t left = 0; left < 96 << 10; left += 4096 * (1 + t_rand_below(2))) {
        struct engine_options o = options(&n);
        enum rc rc;

        CHECK_OK(engine_open(&en, &o, &e), &e);
        (void)send_some(en, &n, 20, &acked);
        smallfs_fill(at, left);
        stopped += send_some(en, &n, 400, &acked);
        check_acked(en, &acked);
        engine_close(en);
        /* A start on the full disk works, or says so. */
        rc = engine_open(&en, &o, &e);
        if (rc != RC_OK)
            CHECK_TRUE(strstr(e.msg, "the disk is full") != NULL);
        else {
            check_acked(en, &acked);
            engine_close(en);
        }
        smallfs_room(at);
    }
    CHECK_TRUE(stopped > 5);
    en = net_open(&n);
    check_acked(en, &acked);
    CHECK_TRUE(!send_some(en, &n, 1, &acked));
    engine_close(en);
    CHECK_OK(engine_check(n.dir, true, &report, &e), &e);
    free(acked.v);
    net_clear(&n);
}

TEST(first_start_on_a_full_disk)
{
    AUTO_SMALLFS char *at = smallfs_new(SIZE);
    struct acked acked = {0};
    bool started = false;
    struct net n;

    net_init(&n, at);
    for (uint64_t left = 0; left < 128 << 10 && !started; left += 4096) {
        struct engine_options o = options(&n);
        struct engine *en;
        struct err e;
        enum rc rc;

        smallfs_fill(at, left);
        rc = engine_open(&en, &o, &e);
        if (rc != RC_OK)
            CHECK_TRUE(strstr(e.msg, "the disk is full") != NULL);
        else {
            started = true;
            engine_close(en);
        }
        smallfs_room(at);
    }
    CHECK_TRUE(started);
    {
        struct engine *en = net_open(&n);

        CHECK_TRUE(!send_some(en, &n, 3, &acked));
        engine_close(en);
    }
    free(acked.v);
    net_clear(&n);
}
