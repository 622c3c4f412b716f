#include "engine/internal/db.h"
#include "engine/internal/snapshot.h"

static struct engine_block *find_recent(const struct db *db, uint64_t height)
{
    if (db->n_recent == 0 || height < db->first_recent || height > db->height)
        return NULL;
    return engine_block_ref(db->recent[height - db->first_recent]);
}

static enum rc read_stored(struct db *db, uint64_t offset, uint64_t height,
                           struct engine_block **out, struct err *e)
{
    AUTO_CLEAR(buf) struct buf record = {0};
    enum rc rc;

    TRY(record_log_read(db->log, offset, &record, NULL, e));
    rc = block_box_new(out, &record, &db->genesis, e);
    if (rc == RC_OK && (*out)->height != height) {
        rc = err_set(e, RC_CORRUPT, "the record holds block %llu",
                     (unsigned long long)(*out)->height);
        engine_block_unref(*out);
        *out = NULL;
    }
    if (rc != RC_OK)
        return err_wrap(e, RC_CORRUPT, "block %llu at offset %llu", (unsigned long long)height,
                        (unsigned long long)offset);
    box_of(*out)->offset = offset;
    return RC_OK;
}

enum rc db_block_at(struct db *db, uint64_t height, struct engine_block **out, struct err *e)
{
    struct kv_txn *txn = NULL;
    uint64_t offset = 0;
    struct bytes value;
    uint8_t key[8];
    enum rc rc;

    (void)pthread_rwlock_rdlock(&db->lock);
    *out = find_recent(db, height);
    if (*out == NULL && db->head != NULL && db->head->height == height)
        *out = engine_block_ref(db->head);
    (void)pthread_rwlock_unlock(&db->lock);
    if (*out != NULL)
        return RC_OK;
    if (db->kv == NULL)
        return err_set(e, RC_NOTFOUND, "no block %llu", (unsigned long long)height);
    TRY(kv_read_begin(&txn, db->kv, e));
    store_u64be(key, height);
    rc = kv_get(txn, DB_HEIGHTS, bytes_of(key, sizeof(key)), &value, e);
    if (rc == RC_OK && value.n < 8)
        rc = err_set(e, RC_CORRUPT, "index entry of block %llu", (unsigned long long)height);
    if (rc == RC_OK)
        offset = load_u64be(value.p);
    kv_read_end(txn);
    if (rc == RC_NOTFOUND)
        return err_set(e, RC_NOTFOUND, "no block %llu", (unsigned long long)height);
    TRY(rc);
    return read_stored(db, offset, height, out, e);
}

static enum rc hash_at(void *data, uint64_t height, struct hash32 *out, struct err *e)
{
    AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;

    TRY(db_block_at(data, height, &b, e));
    *out = b->hash;
    return RC_OK;
}

struct block_env db_block_env(struct db *db, uint64_t height, uint64_t time_s, uint32_t time_ns)
{
    struct address proposer;
    struct block_env env;

    validator_address(&proposer, db->validators.v[0].pub_key);
    env = genesis_block_env(&db->genesis, height, time_s, time_ns, &proposer);
    env.hashes = (struct block_hashes){hash_at, db};
    env.genesis_hash = db->genesis_hash;
    return env;
}

/* In RAM, else in a table of LMDB. */
static enum rc find_hash(struct db *db, enum db_table table, const struct hash32 *hash,
                         uint64_t *height, uint32_t *index, struct err *e)
{
    struct kv_txn *txn = NULL;
    struct bytes value;
    bool found;
    enum rc rc;

    (void)pthread_rwlock_rdlock(&db->lock);
    found = hashmap_find(&db->index, hash, height, index);
    (void)pthread_rwlock_unlock(&db->lock);
    if (found)
        return (*index == HASHMAP_BLOCK) == (table == DB_HASHES) ? RC_OK : RC_NOTFOUND;
    if (db->kv == NULL)
        return RC_NOTFOUND;
    TRY(kv_read_begin(&txn, db->kv, e));
    rc = kv_get(txn, table, BYTES_OF(hash), &value, e);
    if (rc == RC_OK && value.n != (table == DB_HASHES ? 8u : 12u))
        rc = err_set(e, RC_CORRUPT, "index entry of %zu bytes", value.n);
    if (rc == RC_OK) {
        *height = load_u64be(value.p);
        *index = table == DB_HASHES ? HASHMAP_BLOCK : load_u32be(value.p + 8);
    }
    kv_read_end(txn);
    return rc;
}

enum rc db_block_by_hash(struct db *db, const struct hash32 *hash, struct engine_block **out,
                         struct err *e)
{
    uint64_t height;
    uint32_t index;
    enum rc rc = find_hash(db, DB_HASHES, hash, &height, &index, e);

    *out = NULL;
    if (rc == RC_NOTFOUND)
        return err_set(e, RC_NOTFOUND, "no block with this hash");
    TRY(rc);
    return db_block_at(db, height, out, e);
}

enum rc db_find_tx(struct db *db, const struct hash32 *hash, uint64_t *height, uint32_t *index,
                   struct err *e)
{
    enum rc rc = find_hash(db, DB_TXS, hash, height, index, e);

    return rc == RC_NOTFOUND ? err_set(e, RC_NOTFOUND, "no block has this transaction") : rc;
}

enum rc db_prove(struct db *db, uint64_t height, struct bytes key, struct arena *mem,
                 struct state_proof *proof, bool *found, uint64_t *proven, struct buf *value,
                 struct engine_block **next, struct err *e)
{
    struct engine_snapshot *snap = NULL;
    struct bytes v = {0};
    uint64_t head;
    enum rc rc;

    *next = NULL;
    (void)pthread_rwlock_rdlock(&db->lock);
    head = db->height;
    (void)pthread_rwlock_unlock(&db->lock);
    if (height == UINT64_MAX && head > 0)
        height = head - 1;
    *proven = height;
    if (height >= head)
        return err_set(e, RC_RANGE, "block %llu, which would carry the root, is not there yet",
                       (unsigned long long)height + 1);
    TRY(db_snapshot_open(db, height, &snap, e));
    (void)pthread_rwlock_rdlock(&db->tree_lock);
    rc = tree_prove(db->tree, height, key, mem, proof, found, NULL, e);
    (void)pthread_rwlock_unlock(&db->tree_lock);
    if (rc == RC_OK)
        rc = db_block_at(db, height + 1, next, e);
    if (rc == RC_OK && *found)
        rc = snap->source.get(snap, key, mem, &v, e);
    if (rc == RC_OK && *found)
        buf_put_bytes(value, v);
    engine_snapshot_close(snap);
    if (rc != RC_OK) {
        engine_block_unref(*next);
        *next = NULL;
    }
    return rc;
}

/* ---- all of the newest state --------------------------------------------------------------------
 */

struct scan {
    struct state_changes over; /* newer than LMDB, sorted */
    size_t at;
    enum rc (*fn)(void *ctx, struct bytes key, struct bytes value, struct err *e);
    void *ctx;
};

/* What the overlay has below `key`. */
static enum rc scan_over(struct scan *s, struct bytes key, bool all, struct err *e)
{
    for (; s->at < s->over.n; s->at++) {
        const struct state_change *c = &s->over.items[s->at];

        if (!all && bytes_cmp(c->key, key) >= 0)
            break;
        if (c->value.p != NULL)
            TRY(s->fn(s->ctx, c->key, c->value, e));
    }
    return RC_OK;
}

static enum rc scan_stored(void *ctx, struct bytes key, struct bytes value, bool *stop,
                           struct err *e)
{
    struct scan *s = ctx;

    (void)stop;
    TRY(scan_over(s, key, false, e));
    if (s->at < s->over.n && bytes_eq(s->over.items[s->at].key, key))
        return RC_OK;
    return s->fn(s->ctx, key, value, e);
}

enum rc db_scan_state(struct db *db,
                      enum rc (*fn)(void *ctx, struct bytes key, struct bytes value, struct err *e),
                      void *ctx, struct err *e)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct engine_snapshot *snap = NULL;
    struct scan s = {.fn = fn, .ctx = ctx};
    enum rc rc = RC_OK;

    TRY(db_snapshot_open(db, UINT64_MAX, &snap, e));
    (void)pthread_rwlock_rdlock(&db->lock);
    s.over = overlay_collect(&db->overlay, snap->height, &mem);
    (void)pthread_rwlock_unlock(&db->lock);
    if (snap->txn != NULL)
        rc = kv_scan(snap->txn, DB_STATE, bytes_of(NULL, 0), bytes_of(NULL, 0), scan_stored, &s, e);
    if (rc == RC_OK)
        rc = scan_over(&s, bytes_of(NULL, 0), true, e);
    engine_snapshot_close(snap);
    return rc;
}
