/* Searching logs: by LMDB's index (address, or address and first topic) for heights before the
 * checkpoint, block by block for newer ones and for searches without address. */
#include "engine/internal/db.h"

/* A search without address reads this many blocks at most. */
#define MAX_BLOCKS_READ 20000
/* The index is gone through in pieces, so that no LMDB view is held while the caller works. */
#define PIECE 512

struct search {
    struct db *db;
    const struct engine_log_filter *f;
    size_t left;
    engine_log_fn fn;
    void *ctx;
};

static bool one_of_topics(const struct engine_log_filter *f, size_t i, const struct hash32 *t)
{
    for (size_t k = 0; k < f->n_topics[i]; k++)
        if (hash32_eq(&f->topics[i][k], t))
            return true;
    return f->n_topics[i] == 0;
}

static bool matches(const struct engine_log_filter *f, const struct log *log)
{
    bool address = f->n_addresses == 0;

    for (size_t k = 0; k < f->n_addresses && !address; k++)
        address = address_eq(&f->addresses[k], &log->address);
    for (size_t i = 0; i < 4 && address; i++)
        if (f->n_topics[i] != 0 && (i >= log->n_topics || !one_of_topics(f, i, &log->topics[i])))
            return false;
    return address;
}

static bool bloom_any(const uint8_t bloom[256], const void *items, size_t n, size_t size)
{
    const uint8_t *p = items;
    struct bloom b;

    memcpy(b.b, bloom, sizeof(b.b));
    for (size_t i = 0; i < n; i++)
        if (bloom_may_contain(&b, bytes_of(p + i * size, size)))
            return true;
    return n == 0;
}

static bool bloom_matches(const struct engine_log_filter *f, const uint8_t bloom[256])
{
    if (!bloom_any(bloom, f->addresses, f->n_addresses, sizeof(struct address)))
        return false;
    for (size_t i = 0; i < 4; i++)
        if (!bloom_any(bloom, f->topics[i], f->n_topics[i], sizeof(struct hash32)))
            return false;
    return true;
}

static enum rc emit(struct search *s, const struct engine_block *b, uint32_t tx, uint32_t i,
                    struct err *e)
{
    if (s->left == 0)
        return err_set(e, RC_LIMIT, "more logs than the limit: ask for fewer blocks");
    s->left--;
    return s->fn(s->ctx, b, tx, i, e);
}

static enum rc search_block(struct search *s, const struct engine_block *b, struct err *e)
{
    if (!bloom_matches(s->f, b->bloom))
        return RC_OK;
    for (uint32_t t = 0; t < b->n_txs; t++)
        for (uint32_t i = 0; i < b->txs[t].receipt->n_logs; i++)
            if (matches(s->f, &b->txs[t].receipt->logs[i]))
                TRY(emit(s, b, t, i, e));
    return RC_OK;
}

/* ---- by index ----------------------------------------------------------------------------------
 */

struct found {
    uint64_t height;
    uint32_t tx, log;
};

struct piece {
    struct found items[PIECE];
    size_t n;
    uint64_t to;
};

static enum rc collect(void *ctx, struct bytes key, struct bytes value, bool *stop, struct err *e)
{
    struct piece *p = ctx;
    const uint8_t *tail;

    (void)value;
    if (key.n < DB_LOG_TAIL_SIZE)
        return err_set(e, RC_CORRUPT, "log index entry of %zu bytes", key.n);
    tail = key.p + key.n - DB_LOG_TAIL_SIZE;
    if (load_u64be(tail) > p->to) {
        *stop = true;
        return RC_OK;
    }
    p->items[p->n++] =
        (struct found){load_u64be(tail), load_u32be(tail + 8), load_u32be(tail + 12)};
    *stop = p->n == PIECE;
    return RC_OK;
}

/* One ordered run of index entries. */
struct cursor {
    struct buf prefix;
    struct buf from;
    struct piece piece;
    size_t at;
    bool end;
};

static enum rc refill(struct search *s, struct cursor *c, struct err *e)
{
    struct kv_txn *txn;
    enum rc rc;

    c->piece.n = c->at = 0;
    if (c->end)
        return RC_OK;
    TRY(kv_read_begin(&txn, s->db->kv, e));
    rc = kv_scan(txn, DB_LOGS, buf_bytes(&c->prefix), buf_bytes(&c->from), collect, &c->piece, e);
    kv_read_end(txn);
    TRY(rc);
    c->end = c->piece.n < PIECE;
    if (c->piece.n != 0) {
        const struct found *last = &c->piece.items[c->piece.n - 1];

        /* Log indexes stay far below 2^32, so + 1 is the next possible key. */
        buf_reset(&c->from);
        buf_put_bytes(&c->from, buf_bytes(&c->prefix));
        buf_u64be(&c->from, last->height);
        buf_u32be(&c->from, last->tx);
        buf_u32be(&c->from, last->log + 1);
    }
    return RC_OK;
}

static int by_place(const struct found *a, const struct found *b)
{
    if (a->height != b->height)
        return a->height < b->height ? -1 : 1;
    if (a->tx != b->tx)
        return a->tx < b->tx ? -1 : 1;
    return a->log < b->log ? -1 : a->log > b->log;
}

static enum rc visit(struct search *s, struct engine_block **b, const struct found *at,
                     struct err *e)
{
    if (*b == NULL || (*b)->height != at->height) {
        engine_block_unref(*b);
        *b = NULL;
        TRY(db_block_at(s->db, at->height, b, e));
    }
    if (at->tx >= (*b)->n_txs || at->log >= (*b)->txs[at->tx].receipt->n_logs)
        return err_set(e, RC_CORRUPT, "the log index names a log block %llu does not have",
                       (unsigned long long)at->height);
    if (!matches(s->f, &(*b)->txs[at->tx].receipt->logs[at->log]))
        return RC_OK;
    return emit(s, *b, at->tx, at->log, e);
}

/* Merge the runs, so that logs come out in chain order. */
static enum rc merge(struct search *s, struct cursor *cs, size_t n, struct err *e)
{
    AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;

    for (size_t i = 0; i < n; i++)
        TRY(refill(s, &cs[i], e));
    for (;;) {
        struct cursor *least = NULL;

        for (size_t i = 0; i < n; i++)
            if (cs[i].at < cs[i].piece.n &&
                (least == NULL ||
                 by_place(&cs[i].piece.items[cs[i].at], &least->piece.items[least->at]) < 0))
                least = &cs[i];
        if (least == NULL)
            return RC_OK;
        TRY(visit(s, &b, &least->piece.items[least->at], e));
        if (++least->at == least->piece.n)
            TRY(refill(s, least, e));
    }
}

static enum rc search_index(struct search *s, uint64_t from, uint64_t to, struct err *e)
{
    const struct engine_log_filter *f = s->f;
    size_t per = f->n_topics[0] != 0 ? f->n_topics[0] : 1, n = 0;
    struct cursor *cs = xcalloc(f->n_addresses * per, sizeof(*cs));
    enum rc rc;

    for (size_t a = 0; a < f->n_addresses; a++)
        for (size_t t = 0; t < per; t++) {
            struct cursor *c = &cs[n];
            bool twice = false;

            buf_u8(&c->prefix, f->n_topics[0] != 0 ? DB_LOG_BY_TOPIC : DB_LOG_BY_ADDRESS);
            buf_put_bytes(&c->prefix, BYTES_OF(&f->addresses[a]));
            if (f->n_topics[0] != 0)
                buf_put_bytes(&c->prefix, BYTES_OF(&f->topics[0][t]));
            buf_put_bytes(&c->from, buf_bytes(&c->prefix));
            buf_u64be(&c->from, from);
            c->piece.to = to;
            /* The same address or topic named twice must not give a log twice. */
            for (size_t i = 0; i < n; i++)
                twice = twice || bytes_eq(buf_bytes(&cs[i].prefix), buf_bytes(&c->prefix));
            if (twice) {
                buf_clear(&c->prefix);
                buf_clear(&c->from);
            } else {
                n++;
            }
        }
    rc = merge(s, cs, n, e);
    for (size_t i = 0; i < n; i++) {
        buf_clear(&cs[i].prefix);
        buf_clear(&cs[i].from);
    }
    free(cs);
    return rc;
}

/* ---- block by block ----------------------------------------------------------------------------
 */

struct heights {
    const struct engine_log_filter *f;
    uint64_t items[PIECE];
    size_t n;
    uint64_t next, to;
};

static enum rc pick_height(void *ctx, struct bytes key, struct bytes value, bool *stop,
                           struct err *e)
{
    struct heights *h = ctx;

    if (key.n != 8 || (value.n != 40 && value.n != 40 + 256))
        return err_set(e, RC_CORRUPT, "block index entry of %zu bytes", value.n);
    h->next = load_u64be(key.p) + 1;
    if (h->next - 1 > h->to)
        *stop = true;
    else if (value.n != 40 && bloom_matches(h->f, value.p + 40))
        h->items[h->n++] = h->next - 1;
    *stop = *stop || h->n == PIECE;
    return RC_OK;
}

/* Heights before the checkpoint: their blooms say which blocks to read. */
static enum rc search_blooms(struct search *s, uint64_t from, uint64_t to, struct err *e)
{
    struct heights *h = xcalloc(1, sizeof(*h));
    size_t n_read = 0;
    enum rc rc = RC_OK;

    *h = (struct heights){.f = s->f, .next = from, .to = to};
    while (rc == RC_OK && h->next <= to) {
        struct kv_txn *txn;
        uint64_t before = h->next;
        uint8_t key[8];

        h->n = 0;
        store_u64be(key, h->next);
        rc = kv_read_begin(&txn, s->db->kv, e);
        if (rc != RC_OK)
            break;
        rc = kv_scan(txn, DB_HEIGHTS, bytes_of(NULL, 0), bytes_of(key, 8), pick_height, h, e);
        kv_read_end(txn);
        for (size_t i = 0; i < h->n && rc == RC_OK; i++) {
            AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;

            if (++n_read > MAX_BLOCKS_READ)
                rc = err_set(e, RC_LIMIT,
                             "a search without address may read %d blocks: ask for fewer blocks",
                             MAX_BLOCKS_READ);
            if (rc == RC_OK)
                rc = db_block_at(s->db, h->items[i], &b, e);
            if (rc == RC_OK)
                rc = search_block(s, b, e);
        }
        if (h->next == before)
            break;
    }
    free(h);
    return rc;
}

enum rc db_logs(struct db *db, const struct engine_log_filter *f, size_t max, engine_log_fn fn,
                void *ctx, struct err *e)
{
    struct search s = {db, f, max, fn, ctx};
    uint64_t base, to;

    if (f->from > f->to)
        return err_set(e, RC_RANGE, "from block %llu is above to block %llu",
                       (unsigned long long)f->from, (unsigned long long)f->to);
    CHECK(f->n_addresses <= ENGINE_MAX_FILTER_ITEMS && f->n_topics[0] <= ENGINE_MAX_FILTER_ITEMS);
    (void)pthread_rwlock_rdlock(&db->lock);
    base = db->base_next;
    to = f->to < db->height ? f->to : db->height;
    (void)pthread_rwlock_unlock(&db->lock);
    if (f->from < base && db->kv != NULL) {
        uint64_t last = to < base ? to : base - 1;

        TRY(f->n_addresses != 0 ? search_index(&s, f->from, last, e)
                                : search_blooms(&s, f->from, last, e));
    }
    for (uint64_t h = f->from > base ? f->from : base; h <= to; h++) {
        AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;

        if (h == 0)
            continue;
        TRY(db_block_at(db, h, &b, e));
        TRY(search_block(&s, b, e));
    }
    return RC_OK;
}
