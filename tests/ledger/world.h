/* tests/ledger/world.h - a small chain in memory for tests: committed state with faults on demand,
 * a journal, an executor, and a few accounts. */
#pragma once

#include "base/mem.h"
#include "crypto/hash.h"
#include "guest.h"
#include "ledger/block.h"
#include "lib/t.h"

#define BASE_FEE 7u
#define UNUSED __attribute__((unused))

struct kv {
    struct bytes key, value;
};

struct world {
    struct arena mem;
    struct kv *items; /* sorted by key */
    size_t n, cap;
    unsigned reads;
    unsigned fail_at; /* the read with this number fails with RC_IO; 0: none */
    struct executor *x;
    struct journal journal;
    struct block_env env;
    struct u256 burned;
    uint64_t nonce[8];
};

UNUSED static struct address who(unsigned i)
{
    struct address a = {{0xee, 0, (uint8_t)i}};

    return a;
}

static size_t world_place(const struct world *w, struct bytes key)
{
    size_t lo = 0, hi = w->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (bytes_cmp(w->items[mid].key, key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static enum rc world_get(void *data, struct bytes key, struct arena *out, struct bytes *value,
                         struct err *e)
{
    struct world *w = data;
    size_t at = world_place(w, key);

    *value = bytes_of(NULL, 0);
    if (++w->reads == w->fail_at)
        return err_set(e, RC_IO, "read number %u failed", w->reads);
    if (at < w->n && bytes_eq(w->items[at].key, key))
        *value = arena_dup(out, w->items[at].value);
    return RC_OK;
}

UNUSED static struct state_source world_source(struct world *w)
{
    return (struct state_source){.get = world_get, .data = w};
}

UNUSED static void world_commit(struct world *w, const struct state_changes *c)
{
    for (size_t i = 0; i < c->n; i++) {
        struct bytes key = c->items[i].key, value = c->items[i].value;
        size_t at = world_place(w, key);
        bool here = at < w->n && bytes_eq(w->items[at].key, key);

        if (here && value.p == NULL) {
            memmove(w->items + at, w->items + at + 1, (w->n - at - 1) * sizeof(*w->items));
            w->n--;
        } else if (here) {
            w->items[at].value = arena_dup(&w->mem, value);
        } else if (value.p != NULL) {
            if (w->n == w->cap) {
                w->cap = w->cap * 2 + 16;
                w->items = xreallocarray(w->items, w->cap, sizeof(*w->items));
            }
            memmove(w->items + at + 1, w->items + at, (w->n - at) * sizeof(*w->items));
            w->items[at] = (struct kv){arena_dup(&w->mem, key), arena_dup(&w->mem, value)};
            w->n++;
        }
    }
}

/* Eight accounts with 10^18 wei each, in committed state. */
UNUSED static void world_init(struct world *w)
{
    struct state_change items[8];
    struct state_key keys[8];
    uint8_t records[8][STATE_ACCOUNT_SIZE];

    memset(w, 0, sizeof(*w));
    w->x = executor_new(NULL);
    w->env = (struct block_env){.height = 5,
                                .time_s = 1700000000,
                                .chain_id = 1337,
                                .proposer = {{0xcc}},
                                .base_fee_wei = {{BASE_FEE}},
                                .gas_limit = 50000000};
    for (unsigned i = 0; i < 8; i++) {
        struct address a = who(i);
        struct account acc = {.balance = u256_from_u64(1000000000000000000u)};

        keys[i] = state_key_account(&a);
        account_encode(records[i], &acc);
        items[i] =
            (struct state_change){.key = state_key_bytes(&keys[i]), .value = BYTES_OF(&records[i])};
    }
    world_commit(w, &(struct state_changes){.items = items, .n = 8});
    journal_init(&w->journal, world_source(w));
}

UNUSED static void world_clear(struct world *w)
{
    journal_clear(&w->journal);
    executor_free(w->x);
    free(w->items);
    arena_clear(&w->mem);
}

UNUSED static struct ledger_tx tx_from(const struct world *w, unsigned sender,
                                       const struct address *to, struct bytes data, uint64_t gas)
{
    struct ledger_tx t = {.sender = who(sender)};

    t.tx.has_chain_id = true;
    t.tx.chain_id = w->env.chain_id;
    t.tx.nonce = w->nonce[sender];
    t.tx.gas_limit = gas;
    t.tx.max_fee_wei = t.tx.gas_price_wei = u256_from_u64(BASE_FEE + 3);
    t.tx.max_priority_wei = u256_from_u64(3);
    t.tx.data = data;
    t.tx.is_create = to == NULL;
    if (to != NULL)
        t.tx.to = *to;
    return t;
}

/* Execute in the world's journal; it must be valid. */
UNUSED static struct exec_result world_run(struct world *w, const struct ledger_tx *t)
{
    struct exec_result r;
    struct err e;

    CHECK_OK(ledger_execute_tx(w->x, &w->journal, &w->env, t, 0, &w->mem, &r, &e), &e);
    if (!tx_code_is_included(r.code))
        t_fail(__FILE__, __LINE__, "not included: %s", r.why);
    w->nonce[t->sender.b[2]]++;
    CHECK_TRUE(u256_add(&w->burned, &w->burned, &r.burned_wei));
    return r;
}

UNUSED static struct exec_result world_call(struct world *w, const struct address *to,
                                            struct bytes data, uint64_t gas)
{
    struct ledger_tx t = tx_from(w, 0, to, data, gas);

    return world_run(w, &t);
}

/* A guest contract, deployed by account 7. */
UNUSED static struct address world_deploy(struct world *w, uint32_t salt,
                                          const uint8_t (*selectors)[4], size_t n)
{
    AUTO_CLEAR(buf) struct buf elf = {0};
    struct exec_result r;
    struct ledger_tx t;

    guest_elf(&elf, salt, selectors, n);
    t = tx_from(w, 7, NULL, buf_bytes(&elf), 2000000);
    r = world_run(w, &t);
    if (r.code != TX_OK)
        t_fail(__FILE__, __LINE__, "deploy: code %d %s", (int)r.code, r.why);
    CHECK_TRUE(r.has_contract);
    return r.contract;
}

UNUSED static struct u256 world_balance(struct world *w, const struct address *a)
{
    struct account acc;
    struct err e;

    CHECK_OK(journal_account(&w->journal, a, &acc, &e), &e);
    return acc.balance;
}

/* No coin is made or lost: what left the balances was burned. */
UNUSED static void world_check_supply(struct world *w)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct state_changes c = journal_changes(&w->journal, &mem);
    struct u256 plus, minus;
    struct err e;

    CHECK_OK(ledger_supply_delta(&c, &plus, &minus, &e), &e);
    CHECK_TRUE(u256_add(&plus, &plus, &w->burned));
    CHECK_MEM(BYTES_OF(&plus), BYTES_OF(&minus));
}

/* Little-endian words of an output. */
UNUSED static uint64_t word(struct bytes out, size_t i)
{
    if (out.n < (i + 1) * 8)
        t_fail(__FILE__, __LINE__, "output has %zu bytes, no word %zu", out.n, i);
    return load_u64le(out.p + i * 8);
}
