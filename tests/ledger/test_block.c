#include "ledger/block.h"
#include "world.h"

#define OUT 0x30000u

enum {
    N = 60,
};

/* A block of payments, deploys, storage writes, failures and invalid ones. */
static void make_txs(struct world *w, const struct address *c, struct ledger_tx *txs, uint64_t seed)
{
    uint64_t nonce[8] = {0};

    for (unsigned i = 0; i < N; i++) {
        unsigned from = (unsigned)((seed + i * 7) % 6);
        struct address to = who((i + 1) % 8);
        struct buf data = {0};
        struct script s = script_new(3);
        struct ledger_tx *t = &txs[i];

        switch ((seed / 3 + i) % 5) {
        case 0:
            *t = tx_from(w, from, &to, bytes_of(NULL, 0), 21000);
            t->tx.value_wei = u256_from_u64(i);
            break;
        case 1:
            guest_elf(&data, 10 + i % 3, NULL, 0);
            *t = tx_from(w, from, NULL, bytes_of(NULL, 0), 400000);
            break;
        case 2:
            guest_step(&s.steps, HOST_STORAGE_SET, GUEST_BUF + 16, 8, GUEST_BUF, 8 + i, 0, 0, 0);
            guest_step(&s.steps, HOST_LOG, GUEST_BUF, i % 5, GUEST_BUF, i, 0, 0, 0);
            guest_step(&s.steps, HOST_RETURN, GUEST_BUF, 8, i, 0, 0, 0, 0);
            script_done(&s, &data);
            *t = tx_from(w, from, c, bytes_of(NULL, 0), 200000);
            break;
        case 3:
            guest_step(&s.steps, HOST_STORAGE_SET, GUEST_BUF, 8, GUEST_BUF, 8, i, 0, 0);
            guest_step(&s.steps, i % 2 ? HOST_REVERT : GUEST_ILLEGAL, GUEST_BUF, 8, 0, 0, 0, 0, 0);
            script_done(&s, &data);
            *t = tx_from(w, from, c, bytes_of(NULL, 0), 100000);
            break;
        default:
            *t = tx_from(w, from, &to, bytes_of(NULL, 0), i % 2 ? 20000 : 21000);
            t->tx.value_wei = u256_from_u64(i % 2 ? 0 : UINT64_MAX);
            nonce[from]--; /* not valid: takes no nonce */
            break;
        }
        t->tx.data = arena_dup(&w->mem, buf_bytes(&data));
        t->tx.nonce = nonce[from];
        if ((seed / 3 + i) % 5 == 4)
            t->tx.nonce = nonce[from] + 1;
        nonce[from]++;
        sha256(&t->hash, BYTES_OF(&i));
        buf_clear(&data);
        script_clear(&s);
    }
}

static void apply(struct world *w, struct executor *x, const struct ledger_tx *txs,
                  struct block_run *run, struct block_result *r)
{
    struct err e;

    block_run_init(run, x, world_source(w), &w->env, &w->mem);
    CHECK_OK(ledger_apply_block(run, txs, N, r, &e), &e);
}

TEST(the_same_block_gives_the_same_everything)
{
    struct world w;
    struct address c;
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct ledger_tx txs[N];
    struct state_changes changes;

    world_init(&w);
    c = world_deploy(&w, 1, NULL, 0);
    changes = journal_changes(&w.journal, &mem);
    world_commit(&w, &changes);
    for (uint64_t seed = 0; seed < 15; seed++) {
        AUTO_EXECUTOR struct executor *cold =
            executor_new(&(struct executor_opts){.code_cache_size = 1, .idle_vms = 1});
        struct block_run a, b;
        struct block_result ra, rb;
        struct u256 plus, minus;
        size_t kinds[64] = {0};
        uint64_t cumulative = 0;
        struct err e;

        make_txs(&w, &c, txs, seed);
        apply(&w, w.x, txs, &a, &ra);
        apply(&w, cold, txs, &b, &rb);
        CHECK_MEM(BYTES_OF(&ra.last_results_hash), BYTES_OF(&rb.last_results_hash));
        CHECK_MEM(BYTES_OF(&ra.bloom), BYTES_OF(&rb.bloom));
        CHECK_INT(ra.changes.n, rb.changes.n);
        for (size_t i = 0; i < ra.changes.n; i++) {
            CHECK_MEM(ra.changes.items[i].key, rb.changes.items[i].key);
            CHECK_MEM(ra.changes.items[i].value, rb.changes.items[i].value);
        }
        CHECK_INT(ra.n, N);
        for (size_t i = 0; i < N; i++) {
            kinds[ra.receipts[i].code]++;
            cumulative += ra.receipts[i].gas_used;
            CHECK_INT(ra.receipts[i].cumulative_gas, cumulative);
            if (!tx_code_is_included((enum tx_code)ra.receipts[i].code))
                CHECK_INT(ra.receipts[i].gas_used, 0);
        }
        CHECK_INT(ra.gas_used, cumulative);
        CHECK_TRUE(kinds[TX_OK] > 10 && kinds[TX_REVERTED] > 0 && kinds[TX_TRAPPED] > 0 &&
                   kinds[TX_NONCE_HIGH] + kinds[TX_GAS_TOO_LOW] > 5);
        CHECK_OK(ledger_supply_delta(&ra.changes, &plus, &minus, &e), &e);
        CHECK_TRUE(u256_add(&plus, &plus, &ra.burned_wei));
        CHECK_MEM(BYTES_OF(&plus), BYTES_OF(&minus));
        CHECK_INT(ra.burned_wei.w[0], ra.gas_used * BASE_FEE);

        /* A proposer that leaves the invalid ones out makes the same state. */
        {
            struct block_run p;
            struct block_result rp;
            enum tx_code code;
            size_t in = 0;

            block_run_init(&p, w.x, world_source(&w), &w.env, &w.mem);
            for (size_t i = 0; i < N; i++) {
                CHECK_OK(block_run_add(&p, &txs[i], false, &code, &e), &e);
                in += tx_code_is_included(code);
            }
            block_run_finish(&p, &rp);
            CHECK_INT(rp.n, in);
            CHECK_TRUE(in < N);
            CHECK_INT(rp.changes.n, ra.changes.n);
            CHECK_INT(rp.gas_used, ra.gas_used);
            block_run_clear(&p);
        }
        block_run_clear(&a);
        block_run_clear(&b);
    }
    world_clear(&w);
}

TEST(roots_follow_the_changes)
{
    struct world w;
    struct address c;
    AUTO_TREE struct tree *live = tree_new();
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct ledger_tx txs[N];
    struct state_changes changes;
    struct hash32 root, preview, scanned;
    struct err e;

    world_init(&w);
    c = world_deploy(&w, 1, NULL, 0);
    changes = journal_changes(&w.journal, &mem);
    world_commit(&w, &changes);
    for (size_t i = 0; i < w.n; i++)
        CHECK_OK(tree_load(live, w.items[i].key, w.items[i].value, &e), &e);
    tree_loaded(live, 0, &root);
    for (uint64_t h = 1; h < 8; h++) {
        AUTO_TREE struct tree *again = tree_new();
        struct block_run run;
        struct block_result r;

        make_txs(&w, &c, txs, h * 3);
        for (size_t i = 0; i < N; i++) {
            struct account acc;

            CHECK_OK(state_account(&(struct state_source){world_get, &w}, &txs[i].sender, &acc, &e),
                     &e);
            txs[i].tx.nonce += acc.nonce;
        }
        apply(&w, w.x, txs, &run, &r);
        CHECK_TRUE(r.changes.n > 10);
        tree_preview(live, &r.changes, &preview);
        tree_apply(live, h, &r.changes, &root);
        CHECK_MEM(BYTES_OF(&preview), BYTES_OF(&root));
        world_commit(&w, &r.changes);
        for (size_t i = 0; i < w.n; i++)
            CHECK_OK(tree_load(again, w.items[i].key, w.items[i].value, &e), &e);
        tree_loaded(again, h, &scanned);
        CHECK_MEM(BYTES_OF(&scanned), BYTES_OF(&root));
        block_run_clear(&run);
    }
    world_clear(&w);
}

TEST(gas_limit_of_a_block)
{
    struct world w;
    struct address to = who(3);
    struct ledger_tx t;
    struct block_run run;
    struct block_result r;
    enum tx_code code = TX_OK;
    struct err e;

    world_init(&w);
    w.env.gas_limit = 21000 * 3 + 20999;
    block_run_init(&run, w.x, world_source(&w), &w.env, &w.mem);
    for (int i = 0; i < 5; i++) {
        t = tx_from(&w, 0, &to, bytes_of(NULL, 0), 21000);
        CHECK_OK(block_run_add(&run, &t, false, &code, &e), &e);
        CHECK_INT(code, i < 3 ? TX_OK : TX_BLOCK_GAS);
        w.nonce[0] += i < 3;
    }
    block_run_finish(&run, &r);
    CHECK_INT(r.n, 3);
    block_run_clear(&run);
    world_clear(&w);
}
