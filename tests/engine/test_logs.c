/* Logs found by index and block by block are those a look at every receipt finds; state of old
 * heights; all with real contracts, a small checkpoint and a restart in between. */
#include "chain/receipt.h"
#include "engine/net.h"
#include "ledger/guest.h"

#include <pthread.h>

#define N_CONTRACTS 3
#define N_CALLS 220

struct seen {
    uint64_t height;
    uint32_t tx, log;
};

struct list {
    struct seen items[2000];
    size_t n;
};

static struct net net;
static struct address contracts[N_CONTRACTS];

static struct hash32 topic(unsigned i)
{
    return (struct hash32){.b = {0x70, (uint8_t)i}};
}

static struct hash32 submit(struct engine *en, const struct address *to, struct bytes data,
                            uint64_t nonce)
{
    AUTO_CLEAR(buf) struct buf raw = {0};
    struct tx tx = {.type = TX_DYNAMIC_FEE,
                    .has_chain_id = true,
                    .chain_id = NET_CHAIN_ID,
                    .nonce = nonce,
                    .gas_limit = 3000000,
                    .is_create = to == NULL,
                    .data = data,
                    .max_fee_wei = u256_from_u64(100000000000ull)};
    struct hash32 hash;
    struct err e;

    tx.gas_price_wei = tx.max_fee_wei;
    if (to != NULL)
        tx.to = *to;
    CHECK_OK(tx_sign(&tx, &net.keys[0], &e), &e);
    tx_encode(&raw, &tx);
    CHECK_OK(engine_submit(en, buf_bytes(&raw), &hash, &e), &e);
    return hash;
}

/* One call emits a log with topics (i % 3, i % 5) and one without topics every fourth time. */
static void call(struct engine *en, uint64_t i, uint64_t nonce, bool wait)
{
    struct script s = script_new(4);
    AUTO_CLEAR(buf) struct buf data = {0};
    struct hash32 topics[2] = {topic((unsigned)(i % 3)), topic(10 + (unsigned)(i % 5))}, h;
    uint64_t at = script_data(&s, bytes_of(topics, sizeof(topics)));

    guest_step(&s.steps, HOST_LOG, at, 2, at, 8, 0, 0, 0);
    if (i % 4 == 0)
        guest_step(&s.steps, HOST_LOG, at, 0, at, 8, 0, 0, 0);
    script_done(&s, &data);
    h = submit(en, &contracts[i % N_CONTRACTS], buf_bytes(&data), nonce);
    if (wait)
        (void)net_wait(en, &h);
    script_clear(&s);
}

static enum rc collect(void *ctx, const struct engine_block *b, uint32_t tx, uint32_t log,
                       struct err *e)
{
    struct list *l = ctx;

    (void)e;
    CHECK_TRUE(l->n < ARRAY_LEN(l->items));
    l->items[l->n++] = (struct seen){b->height, tx, log};
    return RC_OK;
}

static bool among(const void *items, size_t n, size_t size, const void *one)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp((const uint8_t *)items + i * size, one, size) == 0)
            return true;
    return n == 0;
}

static void brute(struct engine *en, const struct engine_log_filter *f, struct list *l)
{
    for (uint64_t h = f->from == 0 ? 1 : f->from; h <= f->to && h <= engine_height(en); h++) {
        AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;
        struct err e;

        CHECK_OK(engine_block_at(en, h, &b, &e), &e);
        for (uint32_t t = 0; t < b->n_txs; t++)
            for (uint32_t i = 0; i < b->txs[t].receipt->n_logs; i++) {
                const struct log *log = &b->txs[t].receipt->logs[i];
                bool ok = among(f->addresses, f->n_addresses, 20, &log->address);

                for (size_t k = 0; k < 4; k++)
                    ok = ok && (f->n_topics[k] == 0 ||
                                (k < log->n_topics &&
                                 among(f->topics[k], f->n_topics[k], 32, &log->topics[k])));
                if (ok)
                    (void)!collect(l, b, t, i, NULL);
            }
    }
}

static size_t compare(struct engine *en, const struct engine_log_filter *f)
{
    static struct list got, want;
    struct err e;

    got.n = want.n = 0;
    CHECK_OK(engine_logs(en, f, 2000, collect, &got, &e), &e);
    brute(en, f, &want);
    CHECK_INT(got.n, want.n);
    for (size_t i = 0; i < want.n; i++) {
        CHECK_INT(got.items[i].height, want.items[i].height);
        CHECK_INT(got.items[i].tx, want.items[i].tx);
        CHECK_INT(got.items[i].log, want.items[i].log);
    }
    if (want.n > 1) {
        got.n = 0;
        CHECK_RC(engine_logs(en, f, want.n - 1, collect, &got, &e), RC_LIMIT, &e, "limit");
    }
    return want.n;
}

static void random_filters(struct engine *en)
{
    size_t total = 0;

    for (int i = 0; i < 150; i++) {
        struct address addresses[3];
        struct hash32 first[3], second[2];
        struct engine_log_filter f = {.addresses = addresses, .topics = {first, second}};

        f.from = t_rand_below(engine_height(en));
        f.to = t_rand_below(3) == 0 ? UINT64_MAX : f.from + t_rand_below(engine_height(en));
        f.n_addresses = t_rand_below(4);
        f.n_topics[0] = t_rand_below(3);
        f.n_topics[1] = t_rand_below(3);
        for (size_t k = 0; k < 3; k++) {
            addresses[k] = contracts[t_rand_below(N_CONTRACTS)];
            first[k] = topic((unsigned)t_rand_below(4));
            second[k % 2] = topic(10 + (unsigned)t_rand_below(5));
        }
        total += compare(en, &f);
    }
    CHECK_TRUE(total > 1000);
}

TEST(logs_by_index_and_by_block)
{
    struct engine_options o = {.checkpoint_bytes = 200000};
    struct engine_log_filter all = {.to = UINT64_MAX}, wrong = {.from = 5, .to = 4};
    struct engine_check_report report;
    uint64_t nonce = 0;
    struct engine *en;
    struct list none = {.n = 0};
    struct err e;

    net_init(&net, t_tmpdir());
    o.dir = net.dir;
    o.genesis_path = net.genesis;
    CHECK_OK(engine_open(&en, &o, &e), &e);
    for (uint32_t i = 0; i < N_CONTRACTS; i++) {
        AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;
        AUTO_CLEAR(buf) struct buf elf = {0};
        struct hash32 h;
        uint32_t index;

        guest_elf(&elf, i + 1, NULL, 0);
        h = submit(en, NULL, buf_bytes(&elf), nonce++);
        CHECK_OK(engine_wait(en, &h, 10000, &b, &index, &e), &e);
        CHECK_INT(b->txs[index].receipt->code, 0);
        contracts[i] = b->txs[index].receipt->contract;
    }
    for (uint64_t i = 0; i < N_CALLS; i++)
        call(en, i, nonce++,
             i % 3 != 0 || i + 1 == N_CALLS); /* all are in blocks before any is read */
    random_filters(en);
    CHECK_INT(compare(en, &all), N_CALLS + N_CALLS / 4);
    CHECK_RC(engine_logs(en, &wrong, 10, collect, &none, &e), RC_RANGE, &e, "above");
    CHECK_TRUE(engine_oldest_state(en) > 0);
    engine_close(en);
    CHECK_OK(engine_check(net.dir, true, &report, &e), &e);

    CHECK_OK(engine_open(&en, &o, &e), &e);
    for (uint64_t i = 0; i < 40; i++)
        call(en, i, nonce++, true);
    random_filters(en);
    CHECK_INT(compare(en, &all), N_CALLS + N_CALLS / 4 + 50);
    engine_close(en);
    net_clear(&net);
}

/* Snapshots keep their height's state while blocks and checkpoints go on. */
TEST(snapshots_stand_still)
{
    static const struct address bob = {{0xb0}};
    struct engine_options o = {.checkpoint_bytes = 20000};
    struct engine_snapshot *s[40];
    uint64_t want[40];
    struct engine *en;
    struct err e;

    net_init(&net, t_tmpdir());
    o.dir = net.dir;
    o.genesis_path = net.genesis;
    CHECK_OK(engine_open(&en, &o, &e), &e);
    for (uint64_t i = 0; i < 200; i++) {
        struct hash32 h = net_send(en, &net, 0, &bob, i, 1);

        (void)net_wait(en, &h);
        if (i % 5 == 0) {
            CHECK_OK(engine_snapshot_open(en, UINT64_MAX, &s[i / 5], &e), &e);
            want[i / 5] = i + 1;
        }
    }
    CHECK_TRUE(engine_oldest_state(en) > 100);
    for (size_t i = 0; i < 40; i++) {
        struct account a;

        CHECK_OK(state_account(engine_snapshot_source(s[i]), &bob, &a, &e), &e);
        CHECK_INT(a.balance.w[0], want[i]);
        engine_snapshot_close(s[i]);
    }
    engine_close(en);
    net_clear(&net);
}

struct reading {
    struct engine *en;
    int stop;
};

/* Values stay what they were for as long as the snapshot is open, and never go back. */
static void *read_main(void *arg)
{
    static const struct address bob = {{0xb0}};
    struct state_key key = state_key_account(&bob);
    struct reading *r = arg;
    uint64_t last = 0;

    while (__atomic_load_n(&r->stop, __ATOMIC_RELAXED) == 0) {
        AUTO_CLEAR(arena) struct arena mem = {0};
        struct engine_snapshot *s;
        const struct state_source *source;
        uint8_t before[STATE_ACCOUNT_SIZE] = {0};
        struct bytes value;
        struct account a;
        struct err e;

        CHECK_OK(engine_snapshot_open(r->en, UINT64_MAX, &s, &e), &e);
        source = engine_snapshot_source(s);
        CHECK_OK(source->get(source->data, state_key_bytes(&key), &mem, &value, &e), &e);
        if (value.n != 0)
            memcpy(before, value.p, sizeof(before));
        (void)usleep((useconds_t)(last % 7) * 300);
        if (value.n != 0)
            CHECK_MEM(value, bytes_of(before, sizeof(before)));
        CHECK_OK(account_decode(&a, value, &e), &e);
        CHECK_TRUE(a.balance.w[0] >= last);
        last = a.balance.w[0];
        engine_snapshot_close(s);
    }
    return NULL;
}

TEST(readers_beside_checkpoints)
{
    static const struct address bob = {{0xb0}};
    struct engine_options o = {.checkpoint_bytes = 4000};
    struct reading r = {0};
    pthread_t t[3];
    struct err e;

    net_init(&net, t_tmpdir());
    o.dir = net.dir;
    o.genesis_path = net.genesis;
    CHECK_OK(engine_open(&r.en, &o, &e), &e);
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        CHECK_TRUE(pthread_create(&t[i], NULL, read_main, &r) == 0);
    for (uint64_t i = 0; i < 600; i++) {
        struct hash32 h = net_send(r.en, &net, 0, &bob, i, 1);

        (void)net_wait(r.en, &h);
    }
    __atomic_store_n(&r.stop, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        (void)pthread_join(t[i], NULL);
    engine_close(r.en);
    net_clear(&net);
}
