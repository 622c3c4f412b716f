/* A running engine: transactions, reads, proofs, restarts. */
#include "chain/block.h"
#include "chain/receipt.h"
#include "chain/state_proof.h"
#include "engine/net.h"
#include "ledger/executor.h"

#include <sys/mman.h>

static const struct address BOB = {{0xb0, 0xb0}};

TEST(first_start_needs_genesis)
{
    struct engine_options o = {.dir = xasprintf("%s/none", t_tmpdir())};
    struct engine *en;
    struct err e;

    CHECK_RC(engine_open(&en, &o, &e), RC_NOTFOUND, &e, "genesis");
    CHECK_TRUE(en == NULL);
    free((void *)(uintptr_t)o.dir);
}

TEST(transfer_is_included_and_proved)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    AUTO_CLEAR(buf) struct buf value = {0};
    AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL, *next = NULL;
    struct state_key key = state_key_account(&BOB);
    struct state_proof proof;
    struct hash32 hash, root;
    struct account acc;
    struct engine *en;
    uint64_t proven;
    uint32_t index;
    struct net n;
    struct err e;
    bool found;

    net_init(&n, t_tmpdir());
    en = net_open(&n);
    CHECK_INT(engine_height(en), 1);
    hash = net_send(en, &n, 0, &BOB, 0, 12345);
    CHECK_OK(engine_wait(en, &hash, 10000, &b, &index, &e), &e);
    CHECK_INT(b->height, 2);
    CHECK_INT(index, 0);
    CHECK_INT(b->txs[0].receipt->code, 0);
    CHECK_INT(b->gas_used, NET_TRANSFER_GAS);
    CHECK_TRUE(address_eq(&b->txs[0].from, &n.who[0]));
    acc = net_account(en, &BOB, UINT64_MAX);
    CHECK_INT(acc.balance.w[0], 12345);
    CHECK_INT(net_account(en, &BOB, 1).balance.w[0], 0);
    CHECK_INT(net_account(en, &n.who[0], UINT64_MAX).nonce, 1);

    /* The empty block after it carries the root under which the balance is proved. */
    net_until(en, 3);
    CHECK_OK(engine_prove(en, UINT64_MAX, state_key_bytes(&key), &mem, &proof, &found, &proven,
                          &value, &next, &e),
             &e);
    CHECK_INT(proven, 2);
    CHECK_TRUE(found);
    CHECK_INT(next->height, 3);
    memcpy(root.b, next->header->app_hash, 32);
    CHECK_OK(state_proof_verify(&root, state_key_bytes(&key), buf_bytes(&value), &proof, &e), &e);
    CHECK_OK(account_decode(&acc, buf_bytes(&value), &e), &e);
    CHECK_INT(acc.balance.w[0], 12345);
    value.p[71] ^= 1;
    CHECK_RC(state_proof_verify(&root, state_key_bytes(&key), buf_bytes(&value), &proof, &e),
             RC_DENIED, &e, "");
    engine_close(en);
    net_clear(&n);
}

TEST(idle_chain_stands_still)
{
    struct engine *en;
    struct net n;

    net_init(&n, t_tmpdir());
    en = net_open(&n);
    (void)usleep(300000);
    /* Block 1 proves genesis; it changed nothing, so nothing follows. */
    CHECK_INT(engine_height(en), 1);
    (void)net_send(en, &n, 0, &BOB, 0, 1);
    net_until(en, 3);
    (void)usleep(300000);
    CHECK_INT(engine_height(en), 3);
    engine_close(en);
    net_clear(&n);
}

TEST(a_proof_that_is_waited_for_comes_at_once)
{
    struct engine *en;
    struct hash32 hash;
    struct net n;
    struct err e;

    net_init(&n, t_tmpdir());
    en = net_open_with(&n, (struct engine_options){.proof_block_ms = 3600000});
    CHECK_RC(engine_await_proof(en, 1, 1000, &e), RC_RANGE, &e, "block 1"); /* changed nothing */
    for (uint64_t i = 0; i < 3; i++) {
        hash = net_send(en, &n, 0, &BOB, i, 1);
        CHECK_INT(net_wait(en, &hash), 2 + 2 * i);
        CHECK_RC(engine_await_proof(en, 3 + 2 * i, 1000, &e), RC_RANGE, &e, "has not come");
        CHECK_INT(engine_height(en), 2 + 2 * i);
        CHECK_OK(engine_await_proof(en, 2 + 2 * i, 10000, &e), &e);
        CHECK_INT(engine_height(en), 3 + 2 * i);
        CHECK_OK(engine_await_proof(en, 2 + 2 * i, 10000, &e), &e); /* is there */
        CHECK_RC(engine_await_proof(en, 3 + 2 * i, 1000, &e), RC_RANGE, &e, "changed nothing");
    }
    CHECK_INT(engine_height(en), 7);
    engine_close(en);
    net_clear(&n);
}

TEST(refusals_have_geths_words)
{
    AUTO_CLEAR(buf) struct buf raw = {0};
    struct engine *en;
    struct hash32 h, want;
    struct net n;
    struct err e;

    net_init(&n, t_tmpdir());
    en = net_open(&n);
    CHECK_RC(engine_submit(en, bytes_of("\xc1\x80", 2), &h, &e), RC_MALFORMED, &e, "");
    CHECK_RC(engine_submit(en, bytes_of("\x03\xc0", 2), &h, &e), RC_UNSUPPORTED, &e, "");
    net_transfer(&raw, &n, 0, &BOB, 5, 1);
    CHECK_OK(engine_submit(en, buf_bytes(&raw), &h, &e), &e);
    keccak256(&want, buf_bytes(&raw));
    CHECK_MEM(BYTES_OF(&h), BYTES_OF(&want));
    CHECK_RC(engine_submit(en, buf_bytes(&raw), &h, &e), RC_EXISTS, &e, "already known");
    {
        AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;
        struct engine_pool_status st;
        uint32_t index;

        engine_pool_status(en, &st);
        CHECK_INT(st.n_parked, 1);
        CHECK_RC(engine_wait(en, &h, 30, &b, &index, &e), RC_TIMEOUT, &e, "30 ms");
        h.b[0] ^= 1;
        CHECK_RC(engine_wait(en, &h, 30, &b, &index, &e), RC_NOTFOUND, &e, "");
    }
    h = net_send(en, &n, 0, &BOB, 0, 1);
    (void)net_wait(en, &h);
    buf_reset(&raw);
    net_transfer(&raw, &n, 0, &BOB, 0, 2);
    CHECK_RC(engine_submit(en, buf_bytes(&raw), &h, &e), RC_DENIED, &e, "nonce too low");
    engine_close(en);
    net_clear(&n);
}

TEST(one_process_a_folder)
{
    struct engine_options o = {0};
    struct engine *en, *second;
    struct engine_check_report r;
    struct net n;
    struct err e;

    net_init(&n, t_tmpdir());
    en = net_open(&n);
    o.dir = n.dir;
    CHECK_RC(engine_open(&second, &o, &e), RC_EXISTS, &e, "in use");
    CHECK_RC(engine_check(n.dir, false, &r, &e), RC_EXISTS, &e, "in use");
    engine_close(en);
    CHECK_OK(engine_check(n.dir, false, &r, &e), &e);
    CHECK_INT(r.height, 1);
    net_clear(&n);
}

TEST(another_genesis_is_refused)
{
    AUTO_CLEAR(buf) struct buf j = {0};
    struct engine_options o = {0};
    struct engine *en;
    struct net n;
    struct err e;

    net_init(&n, t_tmpdir());
    engine_close(net_open(&n));
    CHECK_OK(file_read(&j, n.genesis, 65536, &e), &e);
    j.p[12] = '9';
    CHECK_OK(file_write_atomic(n.genesis, buf_bytes(&j), 0600, &e), &e);
    o.dir = n.dir;
    o.genesis_path = n.genesis;
    CHECK_RC(engine_open(&en, &o, &e), RC_DENIED, &e, "another chain");
    net_clear(&n);
}

/* Restart, re-execution from the checkpoint and from genesis all give the same root. */
TEST(restart_gives_the_same_state)
{
    struct engine_check_report a, b;
    struct hash32 last = {{0}};
    struct engine *en;
    struct net n;
    struct err e;
    int fd;

    net_init(&n, t_tmpdir());
    en = net_open(&n);
    for (uint64_t i = 0; i < 300; i++) {
        struct address to = {{(uint8_t)i, (uint8_t)(i >> 8), 1}};

        last = net_send(en, &n, (unsigned)(i % 4), &to, i / 4, i + 1);
        if (i % 2 == 0)
            (void)net_wait(en, &last);
    }
    (void)net_wait(en, &last);
    engine_close(en);
    CHECK_OK(engine_check(n.dir, false, &a, &e), &e);
    CHECK_INT(a.n_txs, 300);
    CHECK_TRUE(a.checkpoint_height != 0);
    CHECK_OK(engine_check(n.dir, true, &b, &e), &e);
    CHECK_MEM(BYTES_OF(&a.app_hash), BYTES_OF(&b.app_hash));
    en = net_open(&n);
    CHECK_TRUE(engine_height(en) >= a.height);
    for (uint64_t i = 0; i < 300; i++) {
        struct address to = {{(uint8_t)i, (uint8_t)(i >> 8), 1}};

        CHECK_INT(net_account(en, &to, UINT64_MAX).balance.w[0], i + 1);
    }
    CHECK_INT(net_account(en, &n.who[0], UINT64_MAX).nonce, 75);
    {
        struct engine_snapshot *s;

        CHECK_RC(engine_snapshot_open(en, 1, &s, &e), RC_RANGE, &e, "oldest kept is");
        CHECK_OK(engine_snapshot_open(en, engine_oldest_state(en), &s, &e), &e);
        engine_snapshot_close(s);
        CHECK_RC(engine_snapshot_open(en, engine_height(en) + 1, &s, &e), RC_RANGE, &e, "yet");
    }
    last = net_send(en, &n, 0, &BOB, 75, 7);
    (void)net_wait(en, &last);
    engine_close(en);

    /* Without LMDB everything is rebuilt from the block log. */
    {
        AUTO_FREE char *state = xasprintf("%s/state", n.dir);

        CHECK_OK(dir_remove(state, &e), &e);
    }
    en = net_open(&n);
    CHECK_INT(net_account(en, &BOB, UINT64_MAX).balance.w[0], 7);
    CHECK_INT(net_account(en, &BOB, engine_height(en) - 100).balance.w[0], 0);
    engine_close(en);
    fd = memfd_create("export", 0);
    CHECK_OK(engine_export(n.dir, fd, &a, &e), &e);
    CHECK_TRUE(lseek(fd, 0, SEEK_END) > 300 * 150);
    (void)close(fd);
    net_clear(&n);
}

/* What a light client does with 50 blocks. */
TEST(headers_and_commits_verify)
{
    struct engine_block *prev = NULL;
    struct validator val = {.power = 1};
    struct validator_set set = {&val, 1};
    struct hash32 vals_hash;
    struct engine *en;
    struct net n;
    struct err e;

    net_init(&n, t_tmpdir());
    CHECK_OK(engine_validator_key(n.dir, val.pub_key, &e), &e);
    validator_set_hash(&vals_hash, &set);
    en = net_open(&n);
    for (uint64_t i = 0; i < 50; i++) {
        struct hash32 h = net_send(en, &n, 0, &BOB, i, 1);

        (void)net_wait(en, &h);
    }
    for (uint64_t h = 1; h <= 50; h++) {
        struct engine_block *b;
        struct block_id id;

        CHECK_OK(engine_block_at(en, h, &b, &e), &e);
        CHECK_INT(b->header->height, h);
        block_id_of(&id, b->header, b->encoded);
        CHECK_MEM(BYTES_OF(&id.hash), BYTES_OF(&b->hash));
        CHECK_OK(commit_verify(b->commit, &set, "test-1", h, &id, &e), &e);
        CHECK_RC(commit_verify(b->commit, &set, "test-2", h, &id, &e), RC_DENIED, &e, "");
        CHECK_OK(header_check(b->header, &e), &e);
        CHECK_MEM(BYTES_OF(&b->header->validators_hash), BYTES_OF(&vals_hash));
        if (prev != NULL) {
            struct hash32 hash;
            struct receipt r[1];

            CHECK_TRUE(block_id_eq(&b->header->last_block_id, &prev->commit->block_id));
            CHECK_TRUE(chain_time_cmp(&b->header->time, &prev->header->time) > 0);
            CHECK_MEM(bytes_of(b->header->app_hash, 32), BYTES_OF(&prev->app_hash));
            commit_hash(&hash, prev->commit);
            CHECK_MEM(BYTES_OF(&b->header->last_commit_hash), BYTES_OF(&hash));
            if (prev->n_txs == 1) {
                r[0] = *prev->txs[0].receipt;
                receipts_root(&hash, r, 1);
                CHECK_MEM(BYTES_OF(&b->header->last_results_hash), BYTES_OF(&hash));
            }
        }
        engine_block_unref(prev);
        prev = b;
    }
    engine_block_unref(prev);
    engine_close(en);
    net_clear(&n);
}

struct heard {
    int n_blocks, n_pending, n_txs;
};

static void on_block(void *ctx, struct engine_block *b)
{
    struct heard *h = ctx;

    h->n_blocks++;
    h->n_txs += (int)b->n_txs;
}

static void on_pending(void *ctx, const struct hash32 *hash)
{
    (void)hash;
    ((struct heard *)ctx)->n_pending++;
}

TEST(listeners_hear_each_block_once)
{
    struct heard heard = {0};
    struct engine_listener l = {&heard, on_block, on_pending};
    struct engine *en;
    struct hash32 h = {{0}};
    uint64_t id;
    struct net n;

    net_init(&n, t_tmpdir());
    en = net_open(&n);
    engine_subscribe(en, &l, &id);
    for (uint64_t i = 0; i < 20; i++)
        h = net_send(en, &n, 1, &BOB, i, 1);
    (void)net_wait(en, &h);
    net_until(en, 3);
    (void)usleep(200000);
    engine_unsubscribe(en, id);
    CHECK_INT(heard.n_pending, 20);
    CHECK_INT(heard.n_txs, 20);
    CHECK_INT(heard.n_blocks, engine_height(en) - 1);
    h = net_send(en, &n, 1, &BOB, 20, 1);
    (void)net_wait(en, &h);
    CHECK_INT(heard.n_pending, 20);
    engine_close(en);
    net_clear(&n);
}
