#include "engine/internal/db.h"

#include "base/log.h"
#include "engine/internal/snapshot.h"
#include "os/file.h"

#include <stdio.h>

#define MAP_SIZE (8ull << 30)
#define DEFAULT_CHECKPOINT_BYTES (64ull << 20)

static const char *const TABLES[] = {"meta", "state", "heights", "hashes", "txs", "logs", NULL};

/* ---- genesis -----------------------------------------------------------------------------------
 */

struct loading {
    const char *dir; /* of the genesis file */
    struct arena *mem;
    struct genesis_record *record;
    const struct genesis *genesis;
};

/* Read the ELF files that genesis names and put them beside it: the log needs nothing outside. */
static enum rc gather_elfs(struct loading *l, struct err *e)
{
    const struct genesis *g = l->genesis;

    l->record->elfs = arena_array(l->mem, g->n_contracts, sizeof(*l->record->elfs));
    for (size_t i = 0; i < g->n_contracts; i++) {
        const char *name = g->contracts[i].elf;
        AUTO_FREE char *path = name[0] == '/' ? xstrdup(name) : xasprintf("%s/%s", l->dir, name);
        AUTO_CLEAR(buf) struct buf elf = {0};
        bool have = false;

        for (size_t k = 0; k < l->record->n_elfs; k++)
            have = have || bytes_eq(l->record->elfs[k].name, bytes_str(name));
        if (have)
            continue;
        TRY(file_read(&elf, path, STATE_CODE_MAX, e));
        l->record->elfs[l->record->n_elfs++] = (struct genesis_elf){
            arena_dup(l->mem, bytes_str(name)), arena_dup(l->mem, buf_bytes(&elf))};
    }
    return RC_OK;
}

static enum rc load_recorded(void *data, const char *name, struct bytes *elf, struct err *e)
{
    const struct genesis_record *r = data;

    for (size_t i = 0; i < r->n_elfs; i++)
        if (bytes_eq(r->elfs[i].name, bytes_str(name))) {
            *elf = r->elfs[i].elf;
            return RC_OK;
        }
    return err_set(e, RC_NOTFOUND, "genesis record: no program %s", name);
}

static enum rc read_genesis_file(const char *path, struct buf *json, struct err *e)
{
    if (path == NULL)
        return err_set(e, RC_NOTFOUND, "the first start needs a genesis file: give --genesis FILE");
    return file_read(json, path, GENESIS_MAX_SIZE, e);
}

/* First start: the first record. */
static enum rc write_genesis(struct db *db, const char *path, struct err *e)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    AUTO_CLEAR(buf) struct buf json = {0};
    struct genesis_record record = {0};
    struct genesis g;
    const char *slash = path != NULL ? strrchr(path, '/') : NULL;
    AUTO_FREE char *dir =
        slash == NULL ? xstrdup(".") : xasprintf("%.*s", (int)(slash - path + 1), path);
    uint64_t offset;

    TRY(read_genesis_file(path, &json, e));
    TRY(genesis_parse(&g, buf_bytes(&json), &mem, e));
    record.json = buf_bytes(&json);
    TRY(gather_elfs(&(struct loading){dir, &mem, &record, &g}, e));
    genesis_record_encode(&db->genesis_bytes, &record);
    /* Try it before anything is written: a genesis that fails must leave an empty folder. */
    {
        AUTO_EXECUTOR struct executor *x = executor_new(NULL);
        struct block_result result;
        struct block_run run;
        struct hash32 hash;
        enum rc rc = genesis_apply(&g, (struct genesis_loader){load_recorded, &record}, x, &run,
                                   &mem, &hash, &result, e);

        if (rc != RC_OK)
            return err_wrap(e, rc, "genesis %s", path);
        block_run_clear(&run);
    }
    TRY(record_log_append(db->log, buf_bytes(&db->genesis_bytes), &offset, e));
    return record_log_sync(db->log, e);
}

static enum rc same_genesis(const struct db *db, const char *path, struct err *e)
{
    AUTO_CLEAR(buf) struct buf json = {0};

    if (path == NULL)
        return RC_OK;
    TRY(read_genesis_file(path, &json, e));
    if (!bytes_eq(buf_bytes(&json), db->genesis_record.json))
        return err_set(e, RC_DENIED, "%s holds another chain than genesis %s describes", db->dir,
                       path);
    return RC_OK;
}

static enum rc validators_of(struct db *db, struct err *e)
{
    const struct genesis *g = &db->genesis;
    uint64_t total;

    db->validators.n = g->n_validators;
    db->validators.v = arena_array(&db->genesis_mem, g->n_validators, sizeof(*db->validators.v));
    for (size_t i = 0; i < g->n_validators; i++) {
        memcpy(db->validators.v[i].pub_key, g->validators[i].pub_key, 32);
        db->validators.v[i].power = g->validators[i].power;
    }
    TRY(validator_set_total(&total, &db->validators, e));
    validator_set_sort(&db->validators);
    validator_set_hash(&db->validators_hash, &db->validators);
    if (g->block_gas_limit > INT64_MAX || g->block_max_size > INT64_MAX)
        return err_set(e, RC_RANGE, "genesis: block limits above 2^63");
    consensus_params_hash(&db->consensus_hash, (int64_t)g->block_max_size,
                          (int64_t)g->block_gas_limit);
    return RC_OK;
}

static enum rc open_genesis(struct db *db, const struct db_options *o, struct err *e)
{
    enum rc rc;

    if (record_log_end(db->log) == record_log_first(db->log)) {
        if (o->read_only)
            return err_set(e, RC_NOTFOUND, "%s holds no chain", db->dir);
        TRY(write_genesis(db, o->genesis_path, e));
    }
    buf_reset(&db->genesis_bytes);
    db->genesis_offset = record_log_first(db->log);
    TRY(record_log_read(db->log, db->genesis_offset, &db->genesis_bytes, NULL, e));
    rc = genesis_record_decode(&db->genesis_record, &db->genesis_mem, buf_bytes(&db->genesis_bytes),
                               e);
    if (rc == RC_OK)
        rc = genesis_parse(&db->genesis, db->genesis_record.json, &db->genesis_mem, e);
    if (rc == RC_OK)
        rc = validators_of(db, e);
    if (rc != RC_OK)
        return err_wrap(e, rc == RC_UNSUPPORTED ? rc : RC_CORRUPT, "%s", db->dir);
    return same_genesis(db, o->genesis_path, e);
}

/* State of height 0 into overlay and tree. */
static enum rc apply_genesis(struct db *db, struct err *e)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct block_result result;
    struct block_run run;
    enum rc rc =
        genesis_apply(&db->genesis, (struct genesis_loader){load_recorded, &db->genesis_record},
                      db->executor, &run, &mem, &db->genesis_hash, &result, e);

    TRY(rc);
    for (size_t i = 0; i < result.changes.n && rc == RC_OK; i++)
        rc = tree_load(db->tree, result.changes.items[i].key, result.changes.items[i].value, e);
    if (rc == RC_OK) {
        tree_loaded(db->tree, 0, &db->app_hash);
        db->genesis_root = db->app_hash;
        block_empty_hash(&db->last_results_hash);
        overlay_commit(&db->overlay, overlay_block_new(0, &result.changes));
    }
    block_run_clear(&run);
    return rc;
}

/* ---- checkpoint --------------------------------------------------------------------------------
 */

static enum rc load_key(void *ctx, struct bytes key, struct bytes value, bool *stop, struct err *e)
{
    (void)stop;
    return tree_load(ctx, key, value, e);
}

static enum rc load_state(struct db *db, struct kv_txn *txn, const struct db_meta *meta,
                          struct err *e)
{
    struct hash32 root;

    TRY(kv_scan(txn, DB_STATE, bytes_of(NULL, 0), bytes_of(NULL, 0), load_key, db->tree, e));
    tree_loaded(db->tree, meta->next - 1, &root);
    if (!hash32_eq(&root, &meta->app_hash))
        return err_set(e, RC_CORRUPT,
                       "%s: the stored state of block %llu has another root than the chain says; "
                       "remove %s/state to have it rebuilt",
                       db->dir, (unsigned long long)meta->next - 1, db->dir);
    return RC_OK;
}

/* The block the checkpoint stands on becomes head. *offset: where replay starts. */
static enum rc load_base_block(struct db *db, const struct db_meta *meta, uint64_t *offset,
                               struct err *e)
{
    AUTO_CLEAR(buf) struct buf record = {0};
    struct engine_block *b = NULL;
    enum rc rc = record_log_read(db->log, meta->offset, &record, offset, e);

    if (rc == RC_NOTFOUND)
        return err_set(e, RC_CORRUPT,
                       "%s: the block log ends at %llu, before block %llu of the checkpoint",
                       db->dir, (unsigned long long)record_log_end(db->log),
                       (unsigned long long)meta->next - 1);
    TRY(rc);
    db->height = meta->next - 1;
    if (meta->next == 1)
        return RC_OK;
    rc = block_box_new(&b, &record, &db->genesis, e);
    if (rc != RC_OK || !hash32_eq(&b->hash, &meta->block_hash)) {
        engine_block_unref(b);
        if (rc == RC_OK)
            (void)!err_set(e, RC_CORRUPT, "hash differs");
        return err_wrap(e, RC_CORRUPT, "%s: block %llu of the checkpoint", db->dir,
                        (unsigned long long)meta->next - 1);
    }
    box_of(b)->offset = meta->offset;
    db->head = b;
    return RC_OK;
}

static enum rc load_checkpoint(struct db *db, uint64_t *offset, struct err *e)
{
    struct kv_txn *txn = NULL;
    struct db_meta meta;
    enum rc rc = RC_NOTFOUND;

    if (db->kv != NULL) {
        TRY(kv_read_begin(&txn, db->kv, e));
        rc = db_meta_read(txn, &meta, e);
        if (rc == RC_OK)
            rc = load_state(db, txn, &meta, e);
        kv_read_end(txn);
    }
    if (rc == RC_NOTFOUND) {
        AUTO_CLEAR(buf) struct buf record = {0};

        TRY(apply_genesis(db, e));
        return record_log_read(db->log, db->genesis_offset, &record, offset, e);
    }
    TRY(rc);
    db->base_next = meta.next;
    db->app_hash = meta.app_hash;
    db->last_results_hash = meta.last_results_hash;
    db->genesis_hash = meta.genesis_hash;
    return load_base_block(db, &meta, offset, e);
}

/* ---- replay ------------------------------------------------------------------------------------
 */

static enum rc differs(struct err *e, const char *what)
{
    return err_set(e, RC_CORRUPT, "%s differs", what);
}

/* A stored header follows from what was before it. */
static enum rc check_header(struct db *db, const struct engine_block *b, struct err *e)
{
    const struct block *blk = &box_of_const(b)->block;
    struct header want;

    db_next_header(db, &want, &b->header->time);
    if (b->header->height != want.height)
        return differs(e, "the height");
    block_data_hash(&want.data_hash, blk->txs, blk->n_txs);
    if (memcmp(b->header->app_hash, want.app_hash, 32) != 0)
        return differs(e, "the state root of the block before");
    if (!hash32_eq(&b->header->last_results_hash, &want.last_results_hash))
        return differs(e, "the results hash of the block before");
    if (!block_id_eq(&b->header->last_block_id, &want.last_block_id))
        return differs(e, "the id of the block before");
    {
        struct hash32 hash;

        header_hash(&hash, &want);
        if (!hash32_eq(&hash, &b->hash))
            return differs(e, "the header");
    }
    if (db->head != NULL && chain_time_cmp(&b->header->time, &db->head->header->time) <= 0)
        return err_set(e, RC_CORRUPT, "its time is not after the block before");
    return block_check(blk, e);
}

static enum rc replay_txs(struct db_run *r, const struct engine_block *b, struct err *e)
{
    struct hash32 stored, made;
    struct receipt *receipts;

    for (size_t i = 0; i < b->n_txs; i++) {
        struct ledger_tx *tx = arena_alloc(&r->mem, sizeof(*tx));
        enum tx_code code;

        ledger_tx_prepare(tx, b->txs[i].raw, &r->mem, NULL);
        TRY(block_run_add(&r->run, tx, false, &code, e));
        if (!tx_code_is_included(code))
            return err_set(e, RC_CORRUPT, "transaction %zu is not valid here: %s", i,
                           tx_code_text(code));
    }
    db_run_finish(r);
    if (!hash32_eq(&r->app_hash, &b->app_hash))
        return differs(e, "the state root after it");
    receipts = arena_array(&r->mem, b->n_txs, sizeof(*receipts));
    for (size_t i = 0; i < b->n_txs; i++)
        receipts[i] = *b->txs[i].receipt;
    receipts_root(&stored, receipts, b->n_txs);
    receipts_root(&made, r->result.receipts, r->result.n);
    return hash32_eq(&stored, &made) ? RC_OK : differs(e, "a receipt");
}

static enum rc replay_block(struct db *db, struct engine_block *b, struct err *e)
{
    struct db_run r;
    enum rc rc = check_header(db, b, e);

    if (rc == RC_OK)
        rc = db_run_begin(db, &r, &b->header->time, e);
    if (rc != RC_OK)
        return rc;
    rc = replay_txs(&r, b, e);
    if (rc == RC_OK)
        db_commit(db, &r, engine_block_ref(b));
    db_run_end(&r);
    return rc;
}

static enum rc replay(struct db *db, uint64_t offset, bool may_checkpoint, struct err *e)
{
    while (offset < record_log_end(db->log)) {
        AUTO_CLEAR(buf) struct buf record = {0};
        AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;
        uint64_t next, upto;
        enum rc rc;

        TRY(record_log_read(db->log, offset, &record, &next, e));
        rc = block_box_new(&b, &record, &db->genesis, e);
        if (rc == RC_OK) {
            box_of(b)->offset = offset;
            rc = replay_block(db, b, e);
        }
        if (rc != RC_OK)
            return err_wrap(e, rc == RC_IO || rc == RC_LIMIT ? rc : RC_CORRUPT,
                            "%s: block %llu does not follow from the chain before it", db->dir,
                            (unsigned long long)db->height + 1);
        offset = next;
        upto = may_checkpoint ? db_checkpoint_due(db, false) : UINT64_MAX;
        if (upto != UINT64_MAX)
            TRY(db_checkpoint(db, upto, e));
    }
    return RC_OK;
}

/* ---- open, close -------------------------------------------------------------------------------
 */

static enum rc open_stores(struct db *db, const struct db_options *o, struct err *e)
{
    AUTO_FREE char *blocks = xasprintf("%s/blocks", db->dir);
    AUTO_FREE char *state =
        o->scratch_dir != NULL ? xstrdup(o->scratch_dir) : xasprintf("%s/state", db->dir);
    AUTO_FREE char *data = xasprintf("%s/data.mdb", state);
    struct record_log_options lo = {.dir = blocks, .disk = o->disk, .read_only = o->read_only};
    struct kv_options ko = {.dir = state, .tables = TABLES, .map_size = MAP_SIZE};
    struct record_log_found found;

    if (o->read_only && !file_exists(blocks))
        return err_set(e, RC_NOTFOUND, "%s holds no chain", db->dir);
    TRY(dir_lock(&db->lock_fd, db->dir, e));
    TRY(record_log_open(&db->log, &lo, &found, e));
    db->log_cut_bytes = found.cut_bytes;
    TRY(open_genesis(db, o, e));
    if (o->read_only && o->scratch_dir == NULL) {
        if (!file_exists(data))
            return RC_OK;
        ko.read_only = true;
    }
    return kv_open(&db->kv, &ko, e);
}

static enum rc open_all(struct db *db, const struct db_options *o, struct err *e)
{
    uint64_t offset = 0;

    TRY(open_stores(db, o, e));
    TRY(load_checkpoint(db, &offset, e));
    return replay(db, offset, !o->read_only || o->scratch_dir != NULL, e);
}

enum rc db_open(struct db **out, const struct db_options *o, struct err *e)
{
    struct executor_opts xo = {.code_cache_size = 64u << 20};
    struct db *db;
    enum rc rc;

    *out = NULL;
    if (!o->read_only)
        TRY(dir_make(o->dir, 0700, e));
    db = xcalloc(1, sizeof(*db));
    db->dir = xstrdup(o->dir);
    db->lock_fd = -1;
    db->read_only = o->read_only;
    db->checkpoint_bytes =
        o->checkpoint_bytes != 0 ? o->checkpoint_bytes : DEFAULT_CHECKPOINT_BYTES;
    CHECK(pthread_rwlock_init(&db->lock, NULL) == 0);
    CHECK(pthread_rwlock_init(&db->tree_lock, NULL) == 0);
    CHECK(pthread_mutex_init(&db->snaps_lock, NULL) == 0);
    overlay_init(&db->overlay);
    hashmap_init(&db->index);
    db->tree = tree_new();
    db->executor = executor_new(&xo);
    rc = open_all(db, o, e);
    if (rc != RC_OK) {
        db_close(db);
        return rc;
    }
    *out = db;
    return RC_OK;
}

void db_close(struct db *db)
{
    if (db == NULL)
        return;
    for (size_t i = 0; i < db->n_recent; i++)
        engine_block_unref(db->recent[i]);
    free(db->recent);
    engine_block_unref(db->head);
    hashmap_clear(&db->index);
    overlay_clear(&db->overlay);
    tree_free(db->tree);
    executor_free(db->executor);
    kv_close(db->kv);
    record_log_close(db->log);
    arena_clear(&db->genesis_mem);
    buf_clear(&db->genesis_bytes);
    if (db->lock_fd >= 0)
        (void)close(db->lock_fd);
    (void)pthread_rwlock_destroy(&db->lock);
    (void)pthread_rwlock_destroy(&db->tree_lock);
    (void)pthread_mutex_destroy(&db->snaps_lock);
    free(db->dir);
    free(db);
}
