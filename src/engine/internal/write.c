/* The writer's half of the database: run a block, then make it the head. */
#include "base/log.h"
#include "engine/internal/db.h"
#include "engine/internal/snapshot.h"

enum rc db_run_begin(struct db *db, struct db_run *r, const struct chain_time *time, struct err *e)
{
    *r = (struct db_run){.db = db};
    TRY(db_snapshot_open(db, UINT64_MAX, &r->snap, e));
    r->env = db_block_env(db, db->height + 1, (uint64_t)time->s, (uint32_t)time->ns);
    block_run_init(&r->run, db->executor, r->snap->source, &r->env, &r->mem);
    return RC_OK;
}

void db_run_finish(struct db_run *r)
{
    block_run_finish(&r->run, &r->result);
    (void)pthread_rwlock_wrlock(&r->db->tree_lock);
    tree_apply(r->db->tree, r->env.height, &r->result.changes, &r->app_hash);
    (void)pthread_rwlock_unlock(&r->db->tree_lock);
}

void db_run_end(struct db_run *r)
{
    if (r->snap != NULL)
        block_run_clear(&r->run);
    engine_snapshot_close(r->snap);
    arena_clear(&r->mem);
    *r = (struct db_run){0};
}

static void index_block(struct db *db, const struct engine_block *b)
{
    hashmap_put(&db->index, &b->hash, b->height, HASHMAP_BLOCK);
    for (size_t i = 0; i < b->n_txs; i++)
        hashmap_put(&db->index, &b->txs[i].hash, b->height, (uint32_t)i);
}

void db_commit(struct db *db, struct db_run *r, struct engine_block *b)
{
    struct overlay_block *changes = overlay_block_new(b->height, &r->result.changes);

    db->app_hash = r->app_hash;
    db->last_results_hash = r->result.last_results_hash;
    (void)pthread_rwlock_wrlock(&db->lock);
    overlay_commit(&db->overlay, changes);
    if (db->n_recent == db->cap_recent) {
        db->cap_recent = db->cap_recent == 0 ? 256 : db->cap_recent * 2;
        db->recent = xreallocarray(db->recent, db->cap_recent, sizeof(struct engine_block *));
    }
    if (db->n_recent == 0)
        db->first_recent = b->height;
    db->recent[db->n_recent++] = b;
    db->recent_size += block_box_size(b);
    index_block(db, b);
    engine_block_unref(db->head);
    db->head = engine_block_ref(b);
    db->height = b->height;
    (void)pthread_rwlock_unlock(&db->lock);
}

void db_next_header(struct db *db, struct header *h, const struct chain_time *time)
{
    *h = (struct header){
        .version_block = HEADER_BLOCK_VERSION,
        .height = db->height + 1,
        .time = *time,
        .validators_hash = db->validators_hash,
        .next_validators_hash = db->validators_hash,
        .consensus_hash = db->consensus_hash,
        .app_hash_size = sizeof(h->app_hash),
        .last_results_hash = db->last_results_hash,
    };
    memcpy(h->chain_id, db->genesis.chain_name, strlen(db->genesis.chain_name));
    memcpy(h->app_hash, db->app_hash.b, sizeof(h->app_hash));
    validator_address(&h->proposer_address, db->validators.v[0].pub_key);
    block_empty_hash(&h->evidence_hash);
    if (db->head != NULL) {
        h->last_block_id = db->head->commit->block_id;
        commit_hash(&h->last_commit_hash, db->head->commit);
    } else {
        block_empty_hash(&h->last_commit_hash);
    }
}
