/* Power loss and kill -9: whatever was acknowledged is there afterwards. */
#include "chain/receipt.h"
#include "engine/net.h"
#include "kv/power.h"
#include "os/clock.h"

#include <signal.h>
#include <sys/wait.h>

#define N_TRANSFERS 30

static const struct address BOB = {{0xb0, 0xb0}};

static struct u256 supply(struct engine *en, const struct net *n, struct u256 *burned)
{
    struct u256 sum = net_account(en, &BOB, UINT64_MAX).balance;
    struct engine_fees fees;
    struct u256 gas;
    uint64_t nonces = 0;

    for (unsigned i = 0; i < NET_ACCOUNTS; i++) {
        struct account a = net_account(en, &n->who[i], UINT64_MAX);

        CHECK_TRUE(u256_add(&sum, &sum, &a.balance));
        nonces += a.nonce;
    }
    engine_fees(en, &fees);
    gas = u256_from_u64(nonces * NET_TRANSFER_GAS);
    CHECK_TRUE(u256_mul(burned, &fees.base_fee, &gas));
    return sum;
}

/* What the accounts had at first is what they have and what was burned. */
static void check_supply(struct engine *en, const struct net *n)
{
    struct u256 burned, sum = supply(en, n, &burned), start, coin = u256_from_u64(NET_COIN);
    struct u256 coins = u256_from_u64(1000 * NET_ACCOUNTS);

    CHECK_TRUE(u256_mul(&start, &coin, &coins));
    CHECK_TRUE(u256_add(&sum, &sum, &burned));
    CHECK_INT(u256_cmp(&sum, &start), 0);
}

/* Open what is in `n`->dir, look for the transactions, go on with one more. */
static void check_after(const struct net *n, const struct power *p, size_t cut)
{
    struct disk fast = power_fast_disk();
    struct engine_options o = {.dir = n->dir, .genesis_path = n->genesis, .disk = &fast};
    struct engine_check_report report;
    struct engine *en;
    struct hash32 h;
    struct err e;

    CHECK_OK(engine_open(&en, &o, &e), &e);
    for (size_t i = 0; i < cut; i++)
        if (p->events[i].kind == POWER_MARK) {
            AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;
            uint32_t index;

            memcpy(h.b, p->events[i].data.p, 32);
            CHECK_OK(engine_tx_find(en, &h, &b, &index, &e), &e);
            CHECK_INT(b->txs[index].receipt->code, 0);
        }
    check_supply(en, n);
    h = net_send(en, n, 3, &BOB, net_account(en, &n->who[3], UINT64_MAX).nonce, 5);
    (void)net_wait(en, &h);
    engine_close(en);
    CHECK_OK(engine_check(n->dir, false, &report, &e), &e);
}

static void run_recorded(const struct net *n, struct power *p, uint64_t first_nonce)
{
    struct engine_options o = {.dir = n->dir, .genesis_path = n->genesis, .disk = &p->disk};
    struct engine *en;
    struct err e;

    CHECK_OK(engine_open(&en, &o, &e), &e);
    for (uint64_t i = 0; i < N_TRANSFERS; i++) {
        struct hash32 h = net_send(en, n, (unsigned)(i % 3), &BOB, first_nonce + i / 3, i + 1);

        if (i % 4 == 3)
            continue;
        (void)net_wait(en, &h);
        power_mark(p, BYTES_OF(&h));
    }
    engine_close(en);
}

TEST(power_loss_from_the_first_start_on)
{
    struct net n, after;
    struct power p;
    struct err e;

    net_init(&n, t_tmpdir());
    power_init(&p, n.dir);
    run_recorded(&n, &p, 0);
    after = n;
    after.dir = xasprintf("%s/after", t_tmpdir());
    for (size_t cut = 0; cut <= p.n; cut++) {
        AUTO_FREE char *key = xasprintf("%s/validator.key", n.dir);
        AUTO_FREE char *to = xasprintf("%s/validator.key", after.dir);
        AUTO_FREE char *blocks = xasprintf("%s/blocks", after.dir);
        AUTO_CLEAR(buf) struct buf b = {0};

        /* Just before and just after each sync, and after each acknowledgement. */
        if (cut < p.n && p.events[cut].kind != POWER_SYNC &&
            (cut == 0 || p.events[cut - 1].kind == POWER_WRITE))
            continue;
        CHECK_OK(dir_remove(after.dir, &e), &e);
        CHECK_OK(dir_make(blocks, 0700, &e), &e);
        CHECK_OK(file_read(&b, key, 100, &e), &e);
        power_put(to, buf_bytes(&b));
        power_replay(&p, cut, after.dir);
        check_after(&after, &p, cut);
    }
    power_clear(&p);
    free(after.dir);
    net_clear(&n);
}

/* The same with a checkpoint in LMDB below the recorded blocks, and with one above the cut, which
 * cannot be (LMDB gets only what the log has) and must be noticed. */
TEST(power_loss_above_a_checkpoint)
{
    struct net n, base, after;
    struct hash32 h;
    struct engine *en;
    struct power p;
    struct err e;

    net_init(&n, t_tmpdir());
    en = net_open(&n);
    for (uint64_t i = 0; i < 300; i++) {
        h = net_send(en, &n, (unsigned)(i % 3), &BOB, i / 3, 1);
        (void)net_wait(en, &h);
    }
    engine_close(en);
    base = after = n;
    base.dir = xasprintf("%s/base", t_tmpdir());
    after.dir = xasprintf("%s/after", t_tmpdir());
    power_copy(n.dir, base.dir);
    power_init(&p, n.dir);
    run_recorded(&n, &p, 100);
    for (size_t cut = 0; cut <= p.n; cut += 1 + t_rand_below(4)) {
        CHECK_OK(dir_remove(after.dir, &e), &e);
        power_copy(base.dir, after.dir);
        power_replay(&p, cut, after.dir);
        check_after(&after, &p, cut);
    }
    {
        AUTO_FREE char *blocks = xasprintf("%s/blocks/0000000000000000.log", after.dir);
        struct engine_options o = {.dir = after.dir};
        AUTO_CLEAR(buf) struct buf b = {0};

        CHECK_OK(file_read(&b, blocks, 1u << 30, &e), &e);
        CHECK_OK(dir_remove(after.dir, &e), &e);
        power_copy(n.dir, after.dir);
        power_put(blocks, bytes_of(b.p, 40000));
        CHECK_RC(engine_open(&en, &o, &e), RC_CORRUPT, &e, "before block");
    }
    power_clear(&p);
    free(base.dir);
    free(after.dir);
    net_clear(&n);
}

/* ---- kill -9 -----------------------------------------------------------------------------------
 */

/* The child sends transfers without end and writes the hash of each that was acknowledged. */
static _Noreturn void child(const struct net *n, int fd)
{
    struct engine *en = net_open(n);
    uint64_t nonce[NET_ACCOUNTS];

    for (unsigned i = 0; i < NET_ACCOUNTS; i++)
        nonce[i] = net_account(en, &n->who[i], UINT64_MAX).nonce;
    for (;;) {
        struct hash32 h[NET_ACCOUNTS];

        for (unsigned i = 0; i < NET_ACCOUNTS; i++)
            h[i] = net_send(en, n, i, &BOB, nonce[i]++, 1);
        for (unsigned i = 0; i < NET_ACCOUNTS; i++) {
            (void)net_wait(en, &h[i]);
            if (write(fd, h[i].b, 32) != 32)
                _exit(1);
        }
    }
}

TEST(kill_in_a_loop)
{
    AUTO_CLEAR(buf) struct buf acked = {0};
    struct engine_check_report report;
    struct engine *en;
    struct net n;
    struct err e;

    net_init(&n, t_tmpdir());
    for (int round = 0; round < 8; round++) {
        int ends[2], status;
        pid_t pid;

        CHECK_TRUE(pipe(ends) == 0);
        pid = fork();
        CHECK_TRUE(pid >= 0);
        if (pid == 0) {
            (void)close(ends[0]);
            child(&n, ends[1]);
        }
        (void)close(ends[1]);
        clock_sleep_ms(150 + t_rand_below(400));
        CHECK_TRUE(kill(pid, SIGKILL) == 0);
        CHECK_TRUE(waitpid(pid, &status, 0) == pid);
        CHECK_TRUE(WIFSIGNALED(status));
        CHECK_OK(file_read_fd(&acked, ends[0], 1u << 24, &e), &e);
        (void)close(ends[0]);
    }
    CHECK_TRUE(acked.n / 32 > 50);
    CHECK_OK(engine_check(n.dir, true, &report, &e), &e);
    en = net_open(&n);
    for (size_t at = 0; at + 32 <= acked.n; at += 32) {
        AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;
        struct hash32 h;
        uint32_t index;

        memcpy(h.b, acked.p + at, 32);
        CHECK_OK(engine_tx_find(en, &h, &b, &index, &e), &e);
        CHECK_INT(b->txs[index].receipt->code, 0);
    }
    CHECK_TRUE(net_account(en, &BOB, UINT64_MAX).balance.w[0] >= acked.n / 32);
    check_supply(en, &n);
    engine_close(en);
    net_clear(&n);
}

/* ---- a disk that fails -------------------------------------------------------------------------
 */

static enum rc no_sync(void *ctx, int fd, struct err *e)
{
    (void)ctx;
    (void)fd;
    return err_set(e, RC_IO, "fdatasync: Input/output error");
}

TEST(a_failing_disk_stops_blocks_but_not_reads)
{
    struct disk d = *disk_os();
    AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;
    AUTO_CLEAR(buf) struct buf raw = {0};
    struct engine *en;
    struct hash32 h;
    uint32_t index;
    struct net n;
    struct err e;

    net_init(&n, t_tmpdir());
    en = net_open_with(&n, (struct engine_options){.disk = &d});
    h = net_send(en, &n, 0, &BOB, 0, 9);
    (void)net_wait(en, &h);
    net_until(en, 3);
    d.sync = no_sync;
    h = net_send(en, &n, 0, &BOB, 1, 9);
    CHECK_RC(engine_wait(en, &h, 10000, &b, &index, &e), RC_CLOSED, &e, "Input/output error");
    CHECK_RC(engine_health(en, &e), RC_IO, &e, "fdatasync");
    net_transfer(&raw, &n, 0, &BOB, 2, 1);
    CHECK_RC(engine_submit(en, buf_bytes(&raw), &h, &e), RC_CLOSED, &e, "stopped");
    /* Not acknowledged, not to be seen. */
    CHECK_INT(net_account(en, &BOB, UINT64_MAX).balance.w[0], 9);
    CHECK_INT(engine_height(en), 3);
    engine_close(en);
    en = net_open(&n);
    check_supply(en, &n);
    engine_close(en);
    net_clear(&n);
}
