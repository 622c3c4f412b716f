/* Moves state and indexes of blocks that leave the history window from RAM to LMDB, in one
 * transaction: LMDB is always exactly the state of one height. */
#include "base/reader.h"
#include "engine/internal/db.h"

#define META_KEY "head"
#define META_FORMAT 1

/* Behind the window so many blocks are gathered before they are written, unless they are large. */
#define BATCH_BLOCKS 1024
#define FORGET_BLOCKS 16

enum rc db_meta_read(struct kv_txn *txn, struct db_meta *out, struct err *e)
{
    struct bytes value;
    struct reader r;
    uint32_t format;
    enum rc rc = kv_get(txn, DB_META, bytes_str(META_KEY), &value, e);

    *out = (struct db_meta){0};
    if (rc != RC_OK)
        return rc;
    r = reader_init(value);
    format = reader_u32be(&r);
    if (reader_ok(&r) && format != META_FORMAT)
        return err_set(e, RC_UNSUPPORTED,
                       "state format %u, this version reads %d: use a newer version", format,
                       META_FORMAT);
    out->next = reader_u64be(&r);
    out->offset = reader_u64be(&r);
    reader_copy(&r, &out->app_hash, sizeof(out->app_hash));
    reader_copy(&r, &out->block_hash, sizeof(out->block_hash));
    reader_copy(&r, &out->last_results_hash, sizeof(out->last_results_hash));
    reader_copy(&r, &out->genesis_hash, sizeof(out->genesis_hash));
    if (reader_done(&r, "state record", e) != RC_OK)
        return err_wrap(e, RC_CORRUPT, "checkpoint");
    return RC_OK;
}

static enum rc meta_write(struct kv_txn *txn, const struct db_meta *m, struct err *e)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    buf_u32be(&b, META_FORMAT);
    buf_u64be(&b, m->next);
    buf_u64be(&b, m->offset);
    buf_put_bytes(&b, BYTES_OF(&m->app_hash));
    buf_put_bytes(&b, BYTES_OF(&m->block_hash));
    buf_put_bytes(&b, BYTES_OF(&m->last_results_hash));
    buf_put_bytes(&b, BYTES_OF(&m->genesis_hash));
    return kv_put(txn, DB_META, bytes_str(META_KEY), buf_bytes(&b), e);
}

static enum rc put_log(struct kv_txn *txn, const struct engine_block *b, uint32_t tx, uint32_t i,
                       struct err *e)
{
    const struct log *log = &b->txs[tx].receipt->logs[i];
    AUTO_CLEAR(buf) struct buf k = {0};

    buf_u8(&k, DB_LOG_BY_ADDRESS);
    buf_put_bytes(&k, BYTES_OF(&log->address));
    buf_u64be(&k, b->height);
    buf_u32be(&k, tx);
    buf_u32be(&k, i);
    TRY(kv_put(txn, DB_LOGS, buf_bytes(&k), bytes_of(NULL, 0), e));
    if (log->n_topics == 0)
        return RC_OK;
    buf_reset(&k);
    buf_u8(&k, DB_LOG_BY_TOPIC);
    buf_put_bytes(&k, BYTES_OF(&log->address));
    buf_put_bytes(&k, BYTES_OF(&log->topics[0]));
    buf_u64be(&k, b->height);
    buf_u32be(&k, tx);
    buf_u32be(&k, i);
    return kv_put(txn, DB_LOGS, buf_bytes(&k), bytes_of(NULL, 0), e);
}

static enum rc put_block(struct kv_txn *txn, const struct engine_block *b, struct err *e)
{
    AUTO_CLEAR(buf) struct buf v = {0};
    uint8_t height[8];

    store_u64be(height, b->height);
    buf_u64be(&v, box_of_const(b)->offset);
    buf_put_bytes(&v, BYTES_OF(&b->hash));
    /* The bloom lets a search without address skip blocks; most have no log. */
    for (size_t i = 0; i < b->n_txs; i++)
        if (b->txs[i].receipt->n_logs != 0) {
            buf_put(&v, b->bloom, sizeof(b->bloom));
            break;
        }
    TRY(kv_put(txn, DB_HEIGHTS, bytes_of(height, 8), buf_bytes(&v), e));
    TRY(kv_put(txn, DB_HASHES, BYTES_OF(&b->hash), bytes_of(height, 8), e));
    for (uint32_t i = 0; i < b->n_txs; i++) {
        uint8_t at[12];

        store_u64be(at, b->height);
        store_u32be(at + 8, i);
        TRY(kv_put(txn, DB_TXS, BYTES_OF(&b->txs[i].hash), bytes_of(at, sizeof(at)), e));
        for (uint32_t k = 0; k < b->txs[i].receipt->n_logs; k++)
            TRY(put_log(txn, b, i, k, e));
    }
    return RC_OK;
}

struct write {
    struct state_changes changes;
    struct engine_block **blocks;
    size_t n_blocks;
    struct db_meta meta;
};

static enum rc write_all(void *ctx, struct kv_txn *txn, struct err *e)
{
    const struct write *w = ctx;

    for (size_t i = 0; i < w->changes.n; i++) {
        const struct state_change *c = &w->changes.items[i];

        TRY(c->value.p != NULL ? kv_put(txn, DB_STATE, c->key, c->value, e)
                               : kv_del(txn, DB_STATE, c->key, e));
    }
    for (size_t i = 0; i < w->n_blocks; i++)
        TRY(put_block(txn, w->blocks[i], e));
    return meta_write(txn, &w->meta, e);
}

/* A piece of forget(), under the lock for writing: at most FORGET_BLOCKS blocks, so that nobody
 * waits long. *gone gets the blocks to give back. False: nothing was left. */
static bool forget_some(struct db *db, uint64_t next, uint64_t floor, struct engine_block **gone,
                        size_t *n_gone)
{
    uint64_t first = db->overlay.n_blocks != 0 ? db->overlay.blocks[0]->height : floor;
    size_t n = 0;

    if (first < floor)
        overlay_trim(&db->overlay, floor - first > FORGET_BLOCKS ? first + FORGET_BLOCKS : floor);
    for (; n < db->n_recent && n < FORGET_BLOCKS && db->recent[n]->height < next; n++) {
        struct engine_block *b = db->recent[n];

        hashmap_remove(&db->index, &b->hash, b->height);
        for (size_t k = 0; k < b->n_txs; k++)
            hashmap_remove(&db->index, &b->txs[k].hash, b->height);
        db->recent_size -= block_box_size(b);
        gone[n] = b;
    }
    memmove(db->recent, db->recent + n, (db->n_recent - n) * sizeof(struct engine_block *));
    db->n_recent -= n;
    db->first_recent += n;
    *n_gone = n;
    return n != 0 || first < floor;
}

/* Forget in RAM what is in LMDB and no snapshot looks for here. */
static void forget(struct db *db, uint64_t next)
{
    struct engine_block *gone[FORGET_BLOCKS];
    uint64_t floor = db_snapshot_floor(db, next);
    bool more = true;

    (void)pthread_rwlock_wrlock(&db->lock);
    db->base_next = next;
    (void)pthread_rwlock_unlock(&db->lock);
    while (more) {
        size_t n;

        (void)pthread_rwlock_wrlock(&db->lock);
        more = forget_some(db, next, floor, gone, &n);
        (void)pthread_rwlock_unlock(&db->lock);
        for (size_t i = 0; i < n; i++)
            engine_block_unref(gone[i]);
    }
}

enum rc db_checkpoint(struct db *db, uint64_t height, struct err *e)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct write w = {.meta = {.next = height + 1,
                               .offset = db->genesis_offset,
                               .genesis_hash = db->genesis_hash}};
    enum rc rc;

    (void)pthread_rwlock_rdlock(&db->lock);
    CHECK(height >= db->base_next && height <= db->height);
    w.changes = overlay_collect(&db->overlay, height, &mem);
    while (w.n_blocks < db->n_recent && db->recent[w.n_blocks]->height <= height)
        w.n_blocks++;
    w.blocks = xmalloc((w.n_blocks + 1) * sizeof(struct engine_block *));
    for (size_t i = 0; i < w.n_blocks; i++)
        w.blocks[i] = engine_block_ref(db->recent[i]);
    (void)pthread_rwlock_unlock(&db->lock);
    if (w.n_blocks != 0) {
        const struct engine_block *last = w.blocks[w.n_blocks - 1];
        struct receipt *receipts = arena_array(&mem, last->n_txs, sizeof(*receipts));

        CHECK(last->height == height);
        for (size_t i = 0; i < last->n_txs; i++)
            receipts[i] = *last->txs[i].receipt;
        receipts_root(&w.meta.last_results_hash, receipts, last->n_txs);
        w.meta.offset = box_of_const(last)->offset;
        w.meta.app_hash = last->app_hash;
        w.meta.block_hash = last->hash;
    } else {
        CHECK(height == 0);
        w.meta.app_hash = db->genesis_root;
        block_empty_hash(&w.meta.last_results_hash);
    }
    rc = kv_update(db->kv, write_all, &w, e);
    for (size_t i = 0; i < w.n_blocks; i++)
        engine_block_unref(w.blocks[i]);
    free(w.blocks);
    if (rc != RC_OK)
        return err_wrap(e, rc, "checkpoint of block %llu", (unsigned long long)height);
    forget(db, height + 1);
    return RC_OK;
}

size_t db_ram_size(struct db *db)
{
    size_t size;

    (void)pthread_rwlock_rdlock(&db->lock);
    size = db->overlay.size + db->recent_size;
    (void)pthread_rwlock_unlock(&db->lock);
    return size;
}

uint64_t db_checkpoint_due(struct db *db, bool hurry)
{
    uint64_t upto = UINT64_MAX;
    size_t size;

    (void)pthread_rwlock_rdlock(&db->lock);
    size = db->overlay.size + db->recent_size;
    if (db->height >= ENGINE_STATE_HISTORY + db->base_next) {
        uint64_t behind = db->height - ENGINE_STATE_HISTORY + 1 - db->base_next;

        if (hurry || behind >= BATCH_BLOCKS || size > db->checkpoint_bytes)
            upto = db->height - ENGINE_STATE_HISTORY;
    }
    /* Large blocks: the window shrinks to what memory holds, at least the newest two. */
    if (size > db->checkpoint_bytes * 2 && db->height >= db->base_next + 2) {
        uint64_t half = db->base_next + (db->height - db->base_next) / 2;

        if (half <= db->height - 2 && (upto == UINT64_MAX || upto < half))
            upto = half;
    }
    (void)pthread_rwlock_unlock(&db->lock);
    return upto;
}
