#include "ledger/pool.h"

#include "base/mem.h"

#include <stdio.h>

enum {
    TX_BUCKETS = 16384,
    SENDER_BUCKETS = 4096,
};

struct entry {
    struct entry *next; /* chain of a hash bucket */
    struct ledger_tx t;
    struct u256 cost; /* value + gas limit * max fee */
    uint64_t arrival;
    struct arena mem; /* of t's access list */
};

struct sender {
    struct sender *next; /* chain of an address bucket */
    struct address address;
    uint64_t nonce;         /* the state's, when last asked */
    struct entry **entries; /* by nonce */
    size_t n, cap, n_ready; /* the first n_ready have nonces from `nonce` on without a gap */
    struct u256 cost;       /* sum over entries */
};

struct pool {
    struct pool_config config;
    struct entry *txs[TX_BUCKETS];
    struct sender *senders[SENDER_BUCKETS];
    size_t n_senders, n_ready, n_parked, size;
    uint64_t arrivals;
};

struct pool *pool_new(const struct pool_config *config)
{
    struct pool *p = xcalloc(1, sizeof(*p));

    p->config = *config;
    if (p->config.ready_max == 0)
        p->config.ready_max = POOL_READY_MAX;
    if (p->config.parked_max == 0)
        p->config.parked_max = POOL_PARKED_MAX;
    return p;
}

static void entry_free(struct entry *en)
{
    arena_clear(&en->mem);
    free(en);
}

void pool_free(struct pool *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < SENDER_BUCKETS; i++) {
        while (p->senders[i] != NULL) {
            struct sender *s = p->senders[i];

            p->senders[i] = s->next;
            for (size_t k = 0; k < s->n; k++)
                entry_free(s->entries[k]);
            free(s->entries);
            free(s);
        }
    }
    free(p);
}

/* ---- looking up ---- */

static struct entry **tx_bucket(struct pool *p, const struct hash32 *hash)
{
    return &p->txs[load_u32be(hash->b) % TX_BUCKETS];
}

static struct entry *find(const struct pool *p, const struct hash32 *hash)
{
    struct entry *en = p->txs[load_u32be(hash->b) % TX_BUCKETS];

    while (en != NULL && !hash32_eq(&en->t.hash, hash))
        en = en->next;
    return en;
}

const struct ledger_tx *pool_find(const struct pool *p, const struct hash32 *hash)
{
    const struct entry *en = find(p, hash);

    return en == NULL ? NULL : &en->t;
}

static struct sender **sender_bucket(struct pool *p, const struct address *a)
{
    uint64_t h = (load_u64be(a->b) ^ load_u64be(a->b + 12)) * 0x9e3779b97f4a7c15ULL;

    return &p->senders[(h >> 32) % SENDER_BUCKETS];
}

static struct sender *sender_find(struct pool *p, const struct address *a)
{
    struct sender *s = *sender_bucket(p, a);

    while (s != NULL && !address_eq(&s->address, a))
        s = s->next;
    return s;
}

/* Where in s the nonce stands or would stand. */
static size_t place(const struct sender *s, uint64_t nonce)
{
    size_t lo = 0, hi = s->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (s->entries[mid]->t.tx.nonce < nonce)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* ---- changing ---- */

static void count_ready(struct pool *p, struct sender *s)
{
    size_t ready = 0;

    while (ready < s->n && s->entries[ready]->t.tx.nonce == s->nonce + ready)
        ready++;
    p->n_ready = p->n_ready - s->n_ready + ready;
    p->n_parked = p->n_parked + s->n_ready - ready;
    s->n_ready = ready;
}

/* After one more at `at`: only what was parked behind a gap can have become ready. */
static void extend_ready(struct pool *p, struct sender *s)
{
    while (s->n_ready < s->n && s->entries[s->n_ready]->t.tx.nonce == s->nonce + s->n_ready) {
        s->n_ready++;
        p->n_ready++;
        p->n_parked--;
    }
}

static void unlink_entry(struct pool *p, struct sender *s, struct entry *en)
{
    struct entry **at = tx_bucket(p, &en->t.hash);

    while (*at != en)
        at = &(*at)->next;
    *at = en->next;
    CHECK(u256_sub(&s->cost, &s->cost, &en->cost));
    p->size -= en->t.raw.n;
    entry_free(en);
}

/* Remove entries [from, to); counts are put right. */
static void drop_range(struct pool *p, struct sender *s, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        unlink_entry(p, s, s->entries[i]);
    memmove(s->entries + from, s->entries + to, (s->n - to) * sizeof(*s->entries));
    s->n -= to - from;
    p->n_parked -= to - from; /* all count as parked until count_ready has looked */
}

static void drop(struct pool *p, struct sender *s, size_t from, size_t to)
{
    p->n_parked += s->n_ready;
    p->n_ready -= s->n_ready;
    s->n_ready = 0;
    drop_range(p, s, from, to);
    count_ready(p, s);
}

static void forget_if_empty(struct pool *p, struct sender *s)
{
    struct sender **at = sender_bucket(p, &s->address);

    if (s->n != 0)
        return;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    free(s->entries);
    free(s);
    p->n_senders--;
}

static void catch_up(struct pool *p, struct sender *s, uint64_t nonce)
{
    size_t stale;

    if (s->nonce == nonce)
        return;
    s->nonce = nonce;
    stale = place(s, nonce);
    drop(p, s, 0, stale);
}

static struct sender *sender_make(struct pool *p, const struct address *a, uint64_t nonce)
{
    struct sender **bucket = sender_bucket(p, a);
    struct sender *s = sender_find(p, a);

    if (s != NULL) {
        catch_up(p, s, nonce);
        return s;
    }
    s = xcalloc(1, sizeof(*s));
    s->address = *a;
    s->nonce = nonce;
    s->next = *bucket;
    *bucket = s;
    p->n_senders++;
    return s;
}

static void insert(struct pool *p, struct sender *s, size_t at, struct entry *en)
{
    struct entry **bucket = tx_bucket(p, &en->t.hash);

    if (s->n == s->cap) {
        s->cap = s->cap == 0 ? 4 : s->cap * 2;
        s->entries = xreallocarray(s->entries, s->cap, sizeof(struct entry *));
    }
    memmove(s->entries + at + 1, s->entries + at, (s->n - at) * sizeof(struct entry *));
    s->entries[at] = en;
    s->n++;
    en->next = *bucket;
    *bucket = en;
    p->size += en->t.raw.n;
    p->n_parked++;
    CHECK(u256_add(&s->cost, &s->cost, &en->cost));
    extend_ready(p, s);
}

/* ---- adding ---- */

static enum rc refuse(enum tx_code code, enum tx_code *out, enum rc rc, struct err *e,
                      const char *detail)
{
    if (out != NULL)
        *out = code;
    return err_set(e, rc, "%s%s", tx_code_text(code), detail);
}

/* ledger_check_static() in geth's words. */
static enum rc check_static(const struct block_env *env, const struct ledger_tx *t,
                            enum tx_code *code, struct err *e)
{
    AUTO_CLEAR(buf) struct buf d = {0};
    enum tx_code c = ledger_check_static(env, t);
    char fee[U256_DEC_SIZE], base[U256_DEC_SIZE];

    switch ((unsigned)c) {
    case TX_OK:
        return RC_OK;
    case TX_GAS_TOO_LOW:
        buf_printf(&d, ": gas %llu, minimum needed %llu", (unsigned long long)t->tx.gas_limit,
                   (unsigned long long)ledger_intrinsic_gas(t));
        break;
    case TX_FEE_TOO_LOW:
        u256_to_dec(fee, &t->tx.max_fee_wei);
        u256_to_dec(base, &env->base_fee_wei);
        buf_printf(&d, ": maxFeePerGas: %s, baseFee: %s", fee, base);
        break;
    case TX_BLOCK_GAS:
        buf_printf(&d, ": gas %llu, limit %llu", (unsigned long long)t->tx.gas_limit,
                   (unsigned long long)env->gas_limit);
        break;
    case TX_WRONG_CHAIN:
        buf_printf(&d, " for signer: have %llu want %llu", (unsigned long long)t->tx.chain_id,
                   (unsigned long long)env->chain_id);
        break;
    case TX_TOO_LARGE:
        buf_printf(&d, ": transaction size %zu, limit %u", t->tx.data.n, LEDGER_TX_DATA_MAX);
        break;
    default:
        break;
    }
    return refuse(c, code, RC_DENIED, e, buf_cstr(&d));
}

static enum rc check_funds(const struct sender *s, const struct entry *replaced,
                           const struct account *acc, const struct u256 *cost, enum tx_code *code,
                           struct err *e)
{
    struct u256 all = s->cost;
    char have[U256_DEC_SIZE], need[U256_DEC_SIZE];

    if (replaced != NULL)
        CHECK(u256_sub(&all, &all, &replaced->cost));
    if (!u256_add(&all, &all, cost))
        return refuse(TX_OVERFLOW, code, RC_DENIED, e, "");
    if (u256_cmp(&all, &acc->balance) <= 0)
        return RC_OK;
    u256_to_dec(have, &acc->balance);
    u256_to_dec(need, &all);
    if (code != NULL)
        *code = TX_NO_FUNDS;
    return err_set(e, RC_DENIED, "%s: balance %s, tx cost with those waiting %s",
                   tx_code_text(TX_NO_FUNDS), have, need);
}

/* new >= old + 10 % */
static bool bumped(const struct u256 *new, const struct u256 *old)
{
    struct u256 ten = u256_from_u64(10), eleven = u256_from_u64(11), a, b;

    return u256_mul(&a, new, &ten) && u256_mul(&b, old, &eleven) && u256_cmp(&a, &b) >= 0;
}

static enum rc check_room(const struct pool *p, const struct sender *s, const struct ledger_tx *t,
                          struct err *e)
{
    size_t parked = s->n - s->n_ready;

    if (p->size > POOL_SIZE_MAX - t->raw.n)
        return err_set(e, RC_LIMIT, "txpool is full: %zu bytes wait", p->size);
    if (t->tx.nonce == s->nonce + s->n_ready) {
        if (p->n_ready >= p->config.ready_max)
            return err_set(e, RC_LIMIT, "txpool is full: %zu transactions wait", p->n_ready);
        return RC_OK;
    }
    if (parked >= POOL_SENDER_PARKED_MAX)
        return err_set(e, RC_LIMIT,
                       "nonce too high: %zu transactions of this sender wait behind a gap; "
                       "next nonce %llu, tx nonce %llu",
                       parked, (unsigned long long)(s->nonce + s->n_ready),
                       (unsigned long long)t->tx.nonce);
    if (p->n_parked >= p->config.parked_max)
        return err_set(e, RC_LIMIT, "txpool is full: %zu transactions wait behind gaps",
                       p->n_parked);
    return RC_OK;
}

static struct entry *entry_new(struct pool *p, const struct ledger_tx *t, const struct u256 *cost)
{
    struct entry *en = xcalloc(1, sizeof(*en) + t->raw.n);
    uint8_t *raw = (uint8_t *)(en + 1);

    memcpy(raw, t->raw.p, t->raw.n);
    en->t = *t;
    en->t.raw = bytes_of(raw, t->raw.n);
    CHECK(tx_decode(&en->t.tx, &en->mem, en->t.raw, NULL) == RC_OK); /* it was decoded before */
    en->cost = *cost;
    en->arrival = p->arrivals++;
    return en;
}

static enum rc add_to_sender(struct pool *p, struct sender *s, const struct account *acc,
                             const struct ledger_tx *t, enum tx_code *code, struct err *e)
{
    size_t at = place(s, t->tx.nonce);
    struct entry *old = NULL;
    struct u256 cost;

    if (at < s->n && s->entries[at]->t.tx.nonce == t->tx.nonce)
        old = s->entries[at];
    if (old != NULL && !(bumped(&t->tx.max_fee_wei, &old->t.tx.max_fee_wei) &&
                         bumped(&t->tx.max_priority_wei, &old->t.tx.max_priority_wei)))
        return err_set(e, RC_DENIED, "replacement transaction underpriced");
    if (tx_max_cost(&cost, &t->tx, NULL) != RC_OK)
        return refuse(TX_OVERFLOW, code, RC_DENIED, e, "");
    TRY(check_funds(s, old, acc, &cost, code, e));
    if (old != NULL) {
        drop(p, s, at, at + 1);
        insert(p, s, at, entry_new(p, t, &cost));
        return RC_OK;
    }
    TRY(check_room(p, s, t, e));
    insert(p, s, at, entry_new(p, t, &cost));
    return RC_OK;
}

enum rc pool_add(struct pool *p, const struct block_env *env, const struct ledger_tx *t,
                 enum tx_code *code, struct err *e)
{
    struct account acc;
    struct sender *s;
    char detail[96];
    enum rc rc;

    if (code != NULL)
        *code = TX_OK;
    if (find(p, &t->hash) != NULL)
        return err_set(e, RC_EXISTS, "already known");
    TRY(check_static(env, t, code, e));
    TRY(p->config.account(p->config.data, &t->sender, &acc, e));
    if (account_has_code(&acc))
        return refuse(TX_SENDER_HAS_CODE, code, RC_DENIED, e, "");
    (void)snprintf(detail, sizeof(detail), ": next nonce %llu, tx nonce %llu",
                   (unsigned long long)acc.nonce, (unsigned long long)t->tx.nonce);
    if (t->tx.nonce < acc.nonce)
        return refuse(TX_NONCE_LOW, code, RC_DENIED, e, detail);
    if (t->tx.nonce == UINT64_MAX)
        return refuse(TX_NONCE_HIGH, code, RC_DENIED, e, detail);
    s = sender_make(p, &t->sender, acc.nonce);
    rc = add_to_sender(p, s, &acc, t, code, e);
    forget_if_empty(p, s);
    return rc;
}

/* ---- asking ---- */

enum rc pool_next_nonce(struct pool *p, const struct address *a, uint64_t *nonce, struct err *e)
{
    struct sender *s = sender_find(p, a);
    struct account acc;

    *nonce = 0;
    TRY(p->config.account(p->config.data, a, &acc, e));
    *nonce = acc.nonce;
    if (s == NULL)
        return RC_OK;
    catch_up(p, s, acc.nonce);
    *nonce += s->n_ready;
    forget_if_empty(p, s);
    return RC_OK;
}

size_t pool_n_ready(const struct pool *p)
{
    return p->n_ready;
}

size_t pool_n_parked(const struct pool *p)
{
    return p->n_parked;
}

void pool_each(const struct pool *p, void (*fn)(void *data, const struct ledger_tx *tx, bool ready),
               void *data)
{
    for (size_t i = 0; i < SENDER_BUCKETS; i++)
        for (const struct sender *s = p->senders[i]; s != NULL; s = s->next)
            for (size_t k = 0; k < s->n; k++)
                fn(data, &s->entries[k]->t, k < s->n_ready);
}

/* ---- choosing for a block: a heap of senders by what their next transaction tips ---- */

struct lane {
    const struct sender *s;
    size_t next;
    struct u256 tip;
};

/* The tip of the lane's next transaction; false: there is none, or its fee is too low for now. */
static bool lane_load(struct lane *lane, const struct u256 *base_fee)
{
    const struct tx *tx;
    struct u256 room;

    if (lane->next >= lane->s->n_ready)
        return false;
    tx = &lane->s->entries[lane->next]->t.tx;
    if (!u256_sub(&room, &tx->max_fee_wei, base_fee))
        return false;
    lane->tip = u256_cmp(&room, &tx->max_priority_wei) < 0 ? room : tx->max_priority_wei;
    return true;
}

static bool lane_before(const struct lane *a, const struct lane *b)
{
    int c = u256_cmp(&a->tip, &b->tip);

    if (c != 0)
        return c > 0;
    return a->s->entries[a->next]->arrival < b->s->entries[b->next]->arrival;
}

static void sift_down(struct lane *heap, size_t n, size_t i)
{
    for (;;) {
        size_t top = i;
        struct lane swap;

        for (size_t c = 2 * i + 1; c <= 2 * i + 2 && c < n; c++)
            if (lane_before(&heap[c], &heap[top]))
                top = c;
        if (top == i)
            return;
        swap = heap[i];
        heap[i] = heap[top];
        heap[top] = swap;
        i = top;
    }
}

static size_t lanes_open(const struct pool *p, const struct u256 *base_fee, struct lane *heap)
{
    size_t n = 0;

    for (size_t i = 0; i < SENDER_BUCKETS; i++)
        for (const struct sender *s = p->senders[i]; s != NULL; s = s->next) {
            heap[n] = (struct lane){.s = s};
            n += lane_load(&heap[n], base_fee) ? 1u : 0u;
        }
    for (size_t i = n / 2; i-- > 0;)
        sift_down(heap, n, i);
    return n;
}

size_t pool_take(struct pool *p, const struct block_env *env, size_t max_size,
                 const struct ledger_tx **out, size_t cap)
{
    AUTO_FREE struct lane *heap = xcalloc(p->n_senders + 1, sizeof(*heap));
    size_t n = lanes_open(p, &env->base_fee_wei, heap), taken = 0;
    uint64_t gas = env->gas_limit;

    while (n > 0 && taken < cap) {
        struct lane *top = &heap[0];
        const struct ledger_tx *t = &top->s->entries[top->next]->t;
        bool fits = t->tx.gas_limit <= gas && t->raw.n <= max_size;

        if (fits) {
            out[taken++] = t;
            gas -= t->tx.gas_limit;
            max_size -= t->raw.n;
            top->next++;
        }
        /* What does not fit holds up its sender: nonces have an order. */
        if (!fits || !lane_load(top, &env->base_fee_wei))
            *top = heap[--n];
        sift_down(heap, n, 0);
    }
    return taken;
}

/* ---- after a block ---- */

enum rc pool_block_done(struct pool *p, const struct address *senders, size_t n, struct err *e)
{
    struct account acc;

    for (size_t i = 0; i < n; i++) {
        struct sender *s = sender_find(p, &senders[i]);

        if (s == NULL)
            continue;
        TRY(p->config.account(p->config.data, &senders[i], &acc, e));
        catch_up(p, s, acc.nonce);
        forget_if_empty(p, s);
    }
    return RC_OK;
}

void pool_remove(struct pool *p, const struct hash32 *hash)
{
    struct entry *en = find(p, hash);
    struct sender *s;
    size_t at;

    if (en == NULL)
        return;
    s = sender_find(p, &en->t.sender);
    CHECK(s != NULL);
    at = place(s, en->t.tx.nonce);
    drop(p, s, at, at + 1);
    forget_if_empty(p, s);
}
