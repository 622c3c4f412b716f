#include "base/mem.h"
#include "ledger/journal.h"
#include "lib/t.h"

/* A journal against copies of a whole small state, one a checkpoint. */

enum {
    ACCOUNTS = 4,
    SLOTS = 6,
    DEPTH = 8,
};

struct model {
    uint64_t balance[ACCOUNTS], nonce[ACCOUNTS];
    uint8_t slot[ACCOUNTS][SLOTS]; /* 0: absent */
    size_t n_logs;
};

static struct address addr(unsigned i)
{
    struct address a = {{0xaa, (uint8_t)i}};

    return a;
}

struct committed {
    struct model m;
    unsigned reads;
    enum rc fail;
};

static enum rc committed_get(void *data, struct bytes key, struct arena *out, struct bytes *value,
                             struct err *e)
{
    struct committed *c = data;
    struct account acc = {0};
    uint8_t record[STATE_ACCOUNT_SIZE];
    unsigned who = key.p[2];

    c->reads++;
    *value = bytes_of(NULL, 0);
    if (c->fail != RC_OK)
        return err_set(e, c->fail, "disk");
    if (key.p[0] == STATE_ACCOUNT) {
        acc.balance = u256_from_u64(c->m.balance[who]);
        acc.nonce = c->m.nonce[who];
        account_encode(record, &acc);
        if (!account_is_empty(&acc))
            *value = arena_dup(out, BYTES_OF(&record));
    } else if (key.p[0] == STATE_STORAGE && c->m.slot[who][key.p[21]] != 0) {
        *value = arena_dup(out, bytes_of(&c->m.slot[who][key.p[21]], 1));
    }
    return RC_OK;
}

static void check_equal(struct journal *j, const struct model *m)
{
    struct err e;

    CHECK_INT(j->n_logs, m->n_logs);
    for (unsigned a = 0; a < ACCOUNTS; a++) {
        struct address who = addr(a);
        struct account acc;

        CHECK_OK(journal_account(j, &who, &acc, &e), &e);
        CHECK_INT(acc.balance.w[0], m->balance[a]);
        CHECK_INT(acc.nonce, m->nonce[a]);
        for (uint8_t s = 0; s < SLOTS; s++) {
            struct state_key k = state_key_storage(&who, BYTES_OF(&s));
            struct bytes v;

            CHECK_OK(journal_get(j, state_key_bytes(&k), &v, &e), &e);
            CHECK_INT(v.n, m->slot[a][s] != 0);
            CHECK_INT(v.p == NULL ? 0 : v.p[0], m->slot[a][s]);
        }
    }
}

static void random_write(struct journal *j, struct model *m)
{
    unsigned a = (unsigned)t_rand_below(ACCOUNTS);
    struct address who = addr(a);
    uint8_t s = (uint8_t)t_rand_below(SLOTS);
    struct state_key k = state_key_storage(&who, BYTES_OF(&s));
    struct account acc = {0};
    struct err e;

    switch (t_rand_below(4)) {
    case 0:
        m->balance[a] = t_rand_below(3);
        m->nonce[a] = t_rand_below(2);
        acc.balance = u256_from_u64(m->balance[a]);
        acc.nonce = m->nonce[a];
        CHECK_OK(journal_set_account(j, &who, &acc, &e), &e);
        break;
    case 1:
        journal_add_log(j, &who, NULL, 0, BYTES_OF(&s));
        m->n_logs++;
        break;
    default:
        m->slot[a][s] = (uint8_t)t_rand_below(4);
        CHECK_OK(journal_set(j, state_key_bytes(&k),
                             bytes_of(&m->slot[a][s], m->slot[a][s] == 0 ? 0 : 1), &e),
                 &e);
        break;
    }
}

/* Apply the change set to a copy of the committed model: it must be the journal's view. */
static void check_changes(const struct journal *j, const struct model *start, const struct model *m)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct state_changes c = journal_changes(j, &mem);
    struct model now = *start;
    struct account acc;
    struct err e;

    for (size_t i = 0; i < c.n; i++) {
        struct bytes key = c.items[i].key, value = c.items[i].value;

        CHECK_TRUE(!bytes_eq(value, c.items[i].old));
        CHECK_TRUE(i == 0 || bytes_cmp(c.items[i - 1].key, key) < 0);
        if (key.p[0] == STATE_ACCOUNT) {
            CHECK_OK(account_decode(&acc, value, &e), &e);
            now.balance[key.p[2]] = acc.balance.w[0];
            now.nonce[key.p[2]] = acc.nonce;
        } else {
            now.slot[key.p[2]][key.p[21]] = value.p == NULL ? 0 : value.p[0];
        }
    }
    now.n_logs = m->n_logs;
    CHECK_MEM(BYTES_OF(&now), BYTES_OF(m));
}

TEST(reverts_at_random_depth_agree_with_copies)
{
    for (int round = 0; round < 300; round++) {
        struct committed base = {0};
        AUTO_CLEAR(journal) struct journal j;
        struct model stack[DEPTH + 1], now;
        struct journal_mark marks[DEPTH];
        size_t depth = 0;

        for (unsigned a = 0; a < ACCOUNTS; a++)
            for (unsigned s = 0; s < SLOTS; s++)
                base.m.slot[a][s] = (uint8_t)t_rand_below(3);
        base.m.balance[1] = 2;
        now = base.m;
        journal_init(&j, (struct state_source){.get = committed_get, .data = &base});
        for (int step = 0; step < 120; step++) {
            uint64_t what = t_rand_below(10);

            if (what == 0 && depth < DEPTH) {
                stack[depth] = now;
                marks[depth++] = journal_mark(&j);
            } else if (what == 1 && depth > 0) {
                size_t to = t_rand_below(depth);

                journal_revert(&j, marks[to]);
                now = stack[to];
                depth = to;
            } else if (what == 2 && depth > 0) {
                depth--; /* keep what was done above the mark */
            } else if (what == 3 && depth == 0) {
                journal_settle(&j);
                now.n_logs = 0;
            } else {
                random_write(&j, &now);
            }
            if (step % 10 == 0)
                check_equal(&j, &now);
        }
        check_equal(&j, &now);
        check_changes(&j, &base.m, &now);
    }
}

TEST(each_key_is_read_once)
{
    struct committed base = {.m.slot[0][1] = 9};
    AUTO_CLEAR(journal) struct journal j;
    struct address who = addr(0);
    uint8_t slot = 1;
    struct state_key k = state_key_storage(&who, BYTES_OF(&slot));
    struct bytes v;
    struct err e;

    journal_init(&j, (struct state_source){.get = committed_get, .data = &base});
    for (int i = 0; i < 1000; i++)
        CHECK_OK(journal_get(&j, state_key_bytes(&k), &v, &e), &e);
    CHECK_INT(base.reads, 1);
    CHECK_INT(v.p[0], 9);
    base.fail = RC_IO;
    slot = 2;
    k = state_key_storage(&who, BYTES_OF(&slot));
    CHECK_RC(journal_get(&j, state_key_bytes(&k), &v, &e), RC_IO, &e, "disk");
}

TEST(many_keys)
{
    struct committed base = {0};
    AUTO_CLEAR(journal) struct journal j;
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct err e;

    journal_init(&j, (struct state_source){.get = committed_get, .data = &base});
    for (uint32_t i = 0; i < 20000; i++) {
        uint8_t key[40] = {STATE_CODE};

        store_u32be(key + 1, i);
        CHECK_OK(journal_set(&j, BYTES_OF(&key), BYTES_OF(&i), &e), &e);
    }
    CHECK_INT(journal_changes(&j, &mem).n, 20000);
    for (uint32_t i = 0; i < 20000; i++) {
        uint8_t key[40] = {STATE_CODE};
        struct bytes v;

        store_u32be(key + 1, i);
        CHECK_OK(journal_get(&j, BYTES_OF(&key), &v, &e), &e);
        CHECK_MEM(v, BYTES_OF(&i));
    }
}

TEST(records)
{
    struct account a = {.nonce = 7, .balance = {{1, 2, 3, 4}}, .code_hash = {{9}}}, b;
    uint8_t record[STATE_ACCOUNT_SIZE];
    struct err e;

    account_encode(record, &a);
    CHECK_OK(account_decode(&b, BYTES_OF(&record), &e), &e);
    CHECK_MEM(BYTES_OF(&b), BYTES_OF(&a));
    CHECK_RC(account_decode(&b, bytes_of(record, 71), &e), RC_CORRUPT, &e, "71");
    CHECK_OK(account_decode(&b, bytes_of(NULL, 0), &e), &e);
    CHECK_TRUE(account_is_empty(&b));
}
