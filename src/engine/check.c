#include "engine/check.h"

#include "base/hex.h"
#include "crypto/hash.h"
#include "engine/internal/db.h"
#include "os/file.h"

#include <stdio.h>

#define OUTPUT_CHUNK 65536

static void fill(struct db *db, struct engine_check_report *out)
{
    *out = (struct engine_check_report){.height = db->height,
                                        .checkpoint_height =
                                            db->base_next == 0 ? 0 : db->base_next - 1,
                                        .n_keys = tree_n_keys(db->tree),
                                        .log_bytes = record_log_end(db->log),
                                        .cut_bytes = db->log_cut_bytes,
                                        .app_hash = db->app_hash};
    if (db->head != NULL)
        out->block_hash = db->head->hash;
}

/* ---- the chain of headers ----------------------------------------------------------------------
 */

/* A light client's view of one block, given the one before (NULL for the first). */
static enum rc check_block(struct db *db, const struct engine_block *b,
                           const struct engine_block *prev, struct err *e)
{
    const struct block *blk = &box_of_const(b)->block;
    const char *chain = db->genesis.chain_name;
    struct block_id id;

    TRY(block_check(blk, e));
    if (b->height != (prev != NULL ? prev->height + 1 : 1))
        return err_set(e, RC_CORRUPT, "its height is %llu", (unsigned long long)b->height);
    block_id_of(&id, b->header, b->encoded);
    TRY(commit_verify(b->commit, &db->validators, chain, b->height, &id, e));
    for (size_t i = 0; i < b->n_txs; i++) {
        struct hash32 h;

        tx_hash(&h, b->txs[i].raw);
        if (!hash32_eq(&h, &b->txs[i].hash))
            return err_set(e, RC_CORRUPT, "receipt %zu belongs to another transaction", i);
    }
    if (!hash32_eq(&b->header->validators_hash, &db->validators_hash))
        return err_set(e, RC_CORRUPT, "its validators are not those of genesis");
    if (prev == NULL)
        return RC_OK;
    if (!block_id_eq(&b->header->last_block_id, &prev->commit->block_id))
        return err_set(e, RC_CORRUPT, "it does not follow the block before");
    if (memcmp(b->header->app_hash, prev->app_hash.b, 32) != 0)
        return err_set(e, RC_CORRUPT, "it does not carry the state root of the block before");
    if (chain_time_cmp(&b->header->time, &prev->header->time) <= 0)
        return err_set(e, RC_CORRUPT, "its time is not after the block before");
    return commit_verify(&blk->last_commit, &db->validators, chain, prev->height,
                         &b->header->last_block_id, e);
}

static enum rc check_blocks(struct db *db, struct engine_check_report *out, struct err *e)
{
    AUTO_CLEAR(engine_block_p) struct engine_block *prev = NULL;
    uint64_t offset = db->genesis_offset, end = record_log_end(db->log);
    AUTO_CLEAR(buf) struct buf skip = {0};

    TRY(record_log_read(db->log, offset, &skip, &offset, e));
    while (offset < end) {
        AUTO_CLEAR(buf) struct buf record = {0};
        struct engine_block *b;
        uint64_t at = offset;
        enum rc rc;

        TRY(record_log_read(db->log, at, &record, &offset, e));
        rc = block_box_new(&b, &record, &db->genesis, e);
        if (rc == RC_OK)
            rc = check_block(db, b, prev, e);
        if (rc != RC_OK) {
            engine_block_unref(b);
            return err_wrap(e, RC_CORRUPT, "block %llu at offset %llu",
                            (unsigned long long)(prev != NULL ? prev->height + 1 : 1),
                            (unsigned long long)at);
        }
        out->n_txs += b->n_txs;
        engine_block_unref(prev);
        prev = b;
    }
    return RC_OK;
}

/* ---- LMDB's indexes -----------------------------------------------------------------------------
 */

/* Every block before the checkpoint is found by height, by hash and by its transactions. */
static enum rc check_indexes(struct db *db, struct err *e)
{
    for (uint64_t h = 1; h < db->base_next; h++) {
        AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL, *by_hash = NULL;

        TRY(db_block_at(db, h, &b, e));
        TRY(db_block_by_hash(db, &b->hash, &by_hash, e));
        for (size_t i = 0; i < b->n_txs; i++) {
            uint64_t height;
            uint32_t index;

            TRY(db_find_tx(db, &b->txs[i].hash, &height, &index, e));
            if (height != h || index != i)
                return err_set(e, RC_CORRUPT, "transaction %zu of block %llu is indexed elsewhere",
                               i, (unsigned long long)h);
        }
    }
    return RC_OK;
}

enum rc engine_check(const char *dir, bool from_genesis, struct engine_check_report *out,
                     struct err *e)
{
    AUTO_FREE char *scratch = xasprintf("%s/check.tmp", dir);
    struct db_options o = {
        .dir = dir, .read_only = true, .scratch_dir = from_genesis ? scratch : NULL};
    struct db *db;
    enum rc rc;

    *out = (struct engine_check_report){0};
    if (from_genesis)
        TRY(dir_remove(scratch, e));
    rc = db_open(&db, &o, e);
    if (rc == RC_OK) {
        fill(db, out);
        rc = check_blocks(db, out, e);
        if (rc == RC_OK)
            rc = check_indexes(db, e);
        if (rc == RC_NOTFOUND)
            rc = err_wrap(e, RC_CORRUPT, "index");
        db_close(db);
    }
    if (from_genesis && rc != RC_EXISTS)
        (void)!dir_remove(scratch, NULL);
    return rc;
}

/* ---- export ------------------------------------------------------------------------------------
 */

struct export
{
    struct buf out;
    int fd;
    uint64_t n;
    struct tree *tree; /* rebuilt from the lines */
};

static enum rc flush(struct export *x, size_t min, struct err *e)
{
    if (x->out.n < min)
        return RC_OK;
    TRY(file_write_fd(x->fd, buf_bytes(&x->out), e));
    buf_reset(&x->out);
    return RC_OK;
}

static enum rc export_key(void *ctx, struct bytes key, struct bytes value, struct err *e)
{
    struct export *x = ctx;

    buf_put_str(&x->out, "{\"key\":\"");
    hex_put_0x(&x->out, key);
    buf_put_str(&x->out, "\",\"value\":\"");
    hex_put_0x(&x->out, value);
    buf_put_str(&x->out, "\"}\n");
    x->n++;
    TRY(tree_load(x->tree, key, value, e));
    return flush(x, OUTPUT_CHUNK, e);
}

static enum rc export_all(struct db *db, struct export *x, struct err *e)
{
    struct hash32 root;

    buf_printf(&x->out, "{\"height\":%llu,\"chain_id\":%llu,\"app_hash\":\"",
               (unsigned long long)db->height, (unsigned long long)db->genesis.chain_id);
    hex_put_0x(&x->out, BYTES_OF(&db->app_hash));
    buf_put_str(&x->out, "\",\"block_hash\":");
    if (db->head != NULL) {
        buf_put_str(&x->out, "\"");
        hex_put_0x(&x->out, BYTES_OF(&db->head->hash));
        buf_put_str(&x->out, "\"}\n");
    } else {
        buf_put_str(&x->out, "null}\n");
    }
    TRY(db_scan_state(db, export_key, x, e));
    tree_loaded(x->tree, db->height, &root);
    if (!hash32_eq(&root, &db->app_hash))
        return err_set(e, RC_CORRUPT, "the exported state has another root than the chain");
    buf_printf(&x->out, "{\"keys\":%llu,\"root\":\"", (unsigned long long)x->n);
    hex_put_0x(&x->out, BYTES_OF(&root));
    buf_put_str(&x->out, "\"}\n");
    return flush(x, 0, e);
}

enum rc engine_export(const char *dir, int fd, struct engine_check_report *out, struct err *e)
{
    struct db_options o = {.dir = dir, .read_only = true};
    struct export x = {.fd = fd};
    struct db *db;
    enum rc rc;

    *out = (struct engine_check_report){0};
    TRY(db_open(&db, &o, e));
    fill(db, out);
    x.tree = tree_new();
    rc = export_all(db, &x, e);
    tree_free(x.tree);
    buf_clear(&x.out);
    db_close(db);
    return rc;
}
