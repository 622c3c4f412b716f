/* Log queries, and the filters that clients poll. A filter lives until it has not been asked for
 * FILTER_IDLE_MS; there are at most FILTERS_MAX, and when they are all taken, the client with the
 * most of them makes room. */
#include "base/hex.h"
#include "base/mem.h"
#include "chain/receipt.h"
#include "crypto/random.h"
#include "gateway/internal/rpc.h"
#include "os/clock.h"

#include <pthread.h>

#define FILTERS_MAX 1024
#define FILTER_IDLE_MS (5 * 60 * 1000)
#define PENDING_KEPT FILTERS_PENDING_KEPT

enum filter_kind { FILTER_FREE, FILTER_LOGS, FILTER_BLOCKS, FILTER_PENDING };

struct filter {
    enum filter_kind kind;
    uint64_t id;
    uint64_t client;
    uint64_t used_ms;
    uint64_t next; /* first height, or number of the first pending hash, not given out yet */
    json_t *query; /* of FILTER_LOGS: the filter object as the client gave it */
};

struct filters {
    struct engine *engine;
    uint64_t subscription;
    pthread_mutex_t lock;
    struct filter items[FILTERS_MAX];
    struct hash32 pending[PENDING_KEPT];
    uint64_t n_pending; /* ever seen; number i is at i % PENDING_KEPT */
};

static void on_pending(void *ctx, const struct hash32 *hash)
{
    struct filters *f = ctx;

    (void)pthread_mutex_lock(&f->lock);
    f->pending[f->n_pending++ % PENDING_KEPT] = *hash;
    (void)pthread_mutex_unlock(&f->lock);
}

size_t filters_pending(struct filters *f, uint64_t *next, struct hash32 *out, size_t max)
{
    size_t n = 0;

    (void)pthread_mutex_lock(&f->lock);
    if (*next > f->n_pending)
        *next = f->n_pending;
    if (f->n_pending - *next > PENDING_KEPT)
        *next = f->n_pending - PENDING_KEPT;
    for (; n < max && *next < f->n_pending; n++)
        out[n] = f->pending[(*next)++ % PENDING_KEPT];
    (void)pthread_mutex_unlock(&f->lock);
    return n;
}

uint64_t filters_pending_behind(struct filters *f, uint64_t next)
{
    uint64_t n;

    (void)pthread_mutex_lock(&f->lock);
    n = f->n_pending > next ? f->n_pending - next : 0;
    (void)pthread_mutex_unlock(&f->lock);
    return n;
}

struct filters *filters_new(struct engine *engine)
{
    struct filters *f = xcalloc(1, sizeof(*f));
    const struct engine_listener listener = {.ctx = f, .on_pending = on_pending};

    f->engine = engine;
    CHECK(pthread_mutex_init(&f->lock, NULL) == 0);
    engine_subscribe(engine, &listener, &f->subscription);
    return f;
}

void filters_free(struct filters *f)
{
    if (f == NULL)
        return;
    engine_unsubscribe(f->engine, f->subscription);
    for (size_t i = 0; i < FILTERS_MAX; i++)
        json_decref(f->items[i].query);
    (void)pthread_mutex_destroy(&f->lock);
    free(f);
}

/* ---- the filter object ---- */

/* A value, or an array of values: appended as `size`-byte items. */
static enum rc one_or_many(struct rpc_call *c, const json_t *v, const char *what, size_t size,
                           void **out, size_t *n, struct err *e)
{
    size_t count = json_is_array(v) ? json_array_size(v) : 1;
    uint8_t *items;

    if (count > ENGINE_MAX_FILTER_ITEMS)
        return err_set(e, RC_MALFORMED, "%zu values of %s exceed the limit of %d", count, what,
                       ENGINE_MAX_FILTER_ITEMS);
    items = arena_array(&c->mem, count, size);
    for (size_t i = 0; i < count; i++)
        TRY(rpc_bad(json_value_hex_fixed(items + i * size, size,
                                         json_is_array(v) ? json_array_get(v, i) : v, what, e)));
    *out = items;
    *n = count;
    return RC_OK;
}

/* A height, not a tag that moves with the head. */
static bool is_number(const json_t *v)
{
    const char *s = json_string_value(v);

    return json_is_integer(v) || (s != NULL && s[0] >= '0' && s[0] <= '9');
}

static enum rc range_of(struct rpc_call *c, const json_t *v, struct engine_log_filter *out,
                        struct err *e)
{
    if (rpc_has(v, "blockHash")) {
        if (rpc_has(v, "fromBlock") || rpc_has(v, "toBlock"))
            return err_set(e, RC_MALFORMED, "blockHash excludes fromBlock and toBlock");
        TRY(rpc_height_of(c, v, &out->from, e));
        out->to = out->from;
        return RC_OK;
    }
    TRY(rpc_height_of(c, json_object_get(v, "fromBlock"), &out->from, e));
    TRY(rpc_height_of(c, json_object_get(v, "toBlock"), &out->to, e));
    if (out->from > out->to && is_number(json_object_get(v, "fromBlock")) &&
        is_number(json_object_get(v, "toBlock")))
        return err_set(e, RC_MALFORMED, "fromBlock %llu is above toBlock %llu",
                       (unsigned long long)out->from, (unsigned long long)out->to);
    return RC_OK;
}

enum rc rpc_log_filter(struct rpc_call *c, const json_t *v, struct engine_log_filter *out,
                       struct err *e)
{
    const json_t *address, *topics;
    void *items = NULL;

    *out = (struct engine_log_filter){0};
    c->min_topics = 0;
    if (!json_is_object(v))
        return err_set(e, RC_MALFORMED, "parameter 1 is not a filter object");
    TRY(range_of(c, v, out, e));
    address = json_object_get(v, "address");
    if (address != NULL && !json_is_null(address)) {
        TRY(one_or_many(c, address, "address", 20, &items, &out->n_addresses, e));
        out->addresses = items;
    }
    topics = json_object_get(v, "topics");
    if (topics == NULL || json_is_null(topics))
        return RC_OK;
    if (!json_is_array(topics) || json_array_size(topics) > 4)
        return err_set(e, RC_MALFORMED, "topics is not an array of at most 4");
    c->min_topics = json_array_size(topics);
    for (size_t i = 0; i < json_array_size(topics); i++) {
        const json_t *t = json_array_get(topics, i);

        if (json_is_null(t))
            continue;
        TRY(one_or_many(c, t, "topic", 32, &items, &out->n_topics[i], e));
        out->topics[i] = items;
    }
    return RC_OK;
}

struct log_sink {
    struct buf *out;
    size_t start;
    size_t min_topics; /* [null, null] asks for logs that have two */
    bool any;
};

static enum rc put_one(void *ctx, const struct engine_block *b, uint32_t tx_index,
                       uint32_t log_in_tx, struct err *e)
{
    struct log_sink *s = ctx;

    if (b->txs[tx_index].receipt->logs[log_in_tx].n_topics < s->min_topics)
        return RC_OK;
    if (s->out->n - s->start > RPC_REPLY_MAX)
        return err_set(e, RC_LIMIT, "the logs exceed %zu MiB of text: ask for fewer blocks",
                       RPC_REPLY_MAX >> 20);
    if (s->any)
        buf_u8(s->out, ',');
    s->any = true;
    rpc_put_log(s->out, b, tx_index, log_in_tx);
    return RC_OK;
}

enum rc rpc_put_logs(struct rpc_call *c, const struct engine_log_filter *f, struct err *e)
{
    struct log_sink sink = {.out = c->out, .start = c->out->n, .min_topics = c->min_topics};

    if (f->from > f->to) {
        buf_put_str(c->out, "[]");
        return RC_OK;
    }
    buf_u8(c->out, '[');
    TRY(engine_logs(c->g->engine, f, RPC_LOGS_MAX, put_one, &sink, e));
    buf_u8(c->out, ']');
    return RC_OK;
}

/* ---- polled filters ---- */

static size_t owned(const struct filters *f, uint64_t client)
{
    size_t n = 0;

    for (size_t i = 0; i < FILTERS_MAX; i++)
        n += f->items[i].kind != FILTER_FREE && f->items[i].client == client;
    return n;
}

/* All are taken: the filter not asked for longest, of the client that has the most. NULL: that is
 * the one who asks for another. The lock is held. */
static struct filter *take_from_richest(struct filters *f, uint64_t client)
{
    struct filter *found = NULL;
    uint64_t richest = client;
    size_t most = owned(f, client);

    /* Whoever is first met at i has at most what follows. */
    for (size_t i = 0; i < FILTERS_MAX && most < FILTERS_MAX - i; i++) {
        size_t n = f->items[i].client == richest ? 0 : owned(f, f->items[i].client);

        if (n > most) {
            most = n;
            richest = f->items[i].client;
        }
    }
    if (richest == client)
        return NULL;
    for (size_t i = 0; i < FILTERS_MAX; i++)
        if (f->items[i].client == richest &&
            (found == NULL || f->items[i].used_ms < found->used_ms))
            found = &f->items[i];
    return found;
}

static enum rc filter_new(struct rpc_call *c, enum filter_kind kind, const json_t *query,
                          struct err *e)
{
    struct filters *f = c->g->filters;
    uint64_t now = clock_mono_ms();
    struct filter *slot = NULL;

    (void)pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < FILTERS_MAX && slot == NULL; i++)
        if (f->items[i].kind == FILTER_FREE || now - f->items[i].used_ms > FILTER_IDLE_MS)
            slot = &f->items[i];
    if (slot == NULL)
        slot = take_from_richest(f, c->client);
    if (slot != NULL) {
        json_decref(slot->query);
        *slot =
            (struct filter){.kind = kind, .id = rng_u64(NULL), .client = c->client, .used_ms = now};
        slot->query = query == NULL ? NULL : json_deep_copy(query);
        slot->next = kind == FILTER_PENDING ? f->n_pending : engine_height(f->engine) + 1;
        rpc_put_quantity(c->out, slot->id);
    }
    (void)pthread_mutex_unlock(&f->lock);
    if (slot == NULL) {
        c->code = RPC_SERVER;
        return err_set(e, RC_LIMIT, "all %d filters are taken, most by you: uninstall some",
                       FILTERS_MAX);
    }
    return RC_OK;
}

enum rc rpc_eth_newFilter(struct rpc_call *c, struct err *e)
{
    struct engine_log_filter check;

    TRY(rpc_log_filter(c, rpc_param(c, 0), &check, e));
    return filter_new(c, FILTER_LOGS, rpc_param(c, 0), e);
}

enum rc rpc_eth_newBlockFilter(struct rpc_call *c, struct err *e)
{
    return filter_new(c, FILTER_BLOCKS, NULL, e);
}

enum rc rpc_eth_newPendingTransactionFilter(struct rpc_call *c, struct err *e)
{
    return filter_new(c, FILTER_PENDING, NULL, e);
}

/* Copy the filter of parameter 1 (its query referenced) and move its position on. */
static enum rc filter_take(struct rpc_call *c, bool remove, struct filter *out, struct err *e)
{
    struct filters *f = c->g->filters;
    bool found = false;
    uint64_t id;

    *out = (struct filter){0};
    if (rpc_param(c, 0) == NULL)
        return err_set(e, RC_MALFORMED, "missing parameter 1: a filter id");
    TRY(rpc_bad(json_value_u64(&id, rpc_param(c, 0), "filter id", UINT64_MAX, e)));
    (void)pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < FILTERS_MAX && !found; i++) {
        struct filter *it = &f->items[i];

        if (it->kind == FILTER_FREE || it->id != id)
            continue;
        found = true;
        *out = *it;
        if (remove) {
            *it = (struct filter){0};
        } else {
            out->query = json_incref(it->query);
            it->used_ms = clock_mono_ms();
            it->next = it->kind == FILTER_PENDING ? f->n_pending : engine_height(f->engine) + 1;
            out->used_ms = it->next; /* where this poll ends */
        }
    }
    (void)pthread_mutex_unlock(&f->lock);
    if (!found) {
        c->code = RPC_SERVER;
        return err_set(e, RC_NOTFOUND, "filter not found");
    }
    return RC_OK;
}

static enum rc put_blocks(struct rpc_call *c, uint64_t from, uint64_t end, struct err *e)
{
    buf_u8(c->out, '[');
    for (uint64_t h = from; h < end; h++) {
        AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;

        TRY(engine_block_at(c->g->engine, h, &b, e));
        if (h != from)
            buf_u8(c->out, ',');
        rpc_put_hex(c->out, BYTES_OF(&b->hash));
    }
    buf_u8(c->out, ']');
    return RC_OK;
}

static void put_pending_hashes(struct rpc_call *c, uint64_t from, uint64_t end)
{
    struct filters *f = c->g->filters;

    if (end - from > PENDING_KEPT)
        from = end - PENDING_KEPT;
    buf_u8(c->out, '[');
    (void)pthread_mutex_lock(&f->lock);
    for (uint64_t i = from; i < end; i++) {
        if (i != from)
            buf_u8(c->out, ',');
        rpc_put_hex(c->out, BYTES_OF(&f->pending[i % PENDING_KEPT]));
    }
    (void)pthread_mutex_unlock(&f->lock);
    buf_u8(c->out, ']');
}

/* The logs of heights [from, end) that the query asks for. */
static enum rc put_new_logs(struct rpc_call *c, const json_t *query, uint64_t from, uint64_t end,
                            struct err *e)
{
    struct engine_log_filter f;
    TRY(rpc_log_filter(c, query, &f, e));
    if (!is_number(json_object_get(query, "fromBlock")) || f.from < from)
        f.from = from;
    if ((!rpc_has(query, "blockHash") && !is_number(json_object_get(query, "toBlock"))) ||
        f.to >= end)
        f.to = end - 1; /* end is above 0: there always is a block */
    return rpc_put_logs(c, &f, e);
}

enum rc rpc_eth_getFilterChanges(struct rpc_call *c, struct err *e)
{
    struct filter f;
    enum rc rc = RC_OK;

    TRY(filter_take(c, false, &f, e));
    switch (f.kind) {
    case FILTER_FREE:
        break;
    case FILTER_LOGS:
        rc = put_new_logs(c, f.query, f.next, f.used_ms, e);
        break;
    case FILTER_BLOCKS:
        rc = put_blocks(c, f.next, f.used_ms, e);
        break;
    case FILTER_PENDING:
        put_pending_hashes(c, f.next, f.used_ms);
        break;
    }
    json_decref(f.query);
    return rc;
}

enum rc rpc_eth_getFilterLogs(struct rpc_call *c, struct err *e)
{
    struct engine_log_filter logs;
    struct filter f;
    enum rc rc;

    TRY(filter_take(c, false, &f, e));
    if (f.kind != FILTER_LOGS) {
        json_decref(f.query);
        return err_set(e, RC_MALFORMED, "not a log filter");
    }
    rc = rpc_log_filter(c, f.query, &logs, e);
    if (rc == RC_OK)
        rc = rpc_put_logs(c, &logs, e);
    json_decref(f.query);
    return rc;
}

enum rc rpc_eth_uninstallFilter(struct rpc_call *c, struct err *e)
{
    struct filter f;
    enum rc rc = filter_take(c, true, &f, e);

    if (rc == RC_NOTFOUND) {
        c->code = 0;
        buf_put_str(c->out, "false");
        return RC_OK;
    }
    TRY(rc);
    json_decref(f.query);
    buf_put_str(c->out, "true");
    return RC_OK;
}
