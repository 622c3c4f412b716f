/* Engine solo: one writer thread that is the only validator, and a thread that moves state to LMDB.
 * A block is made as soon as a transaction is ready; while its record goes to the disk the next
 * ones gather in the pool, so blocks grow with the load (group commit). */
#include "base/log.h"
#include "engine/internal/engine.h"
#include "os/clock.h"

#include <errno.h>

/* The writer waits for the checkpointer when so many times checkpoint_bytes are in RAM. */
#define RAM_LIMIT_FACTOR 8

struct batch {
    struct arena mem;
    struct ledger_tx *txs;
    size_t n;
};

static void fail(struct engine *en, const struct err *why)
{
    (void)pthread_mutex_lock(&en->lock);
    if (!en->failed) {
        en->failed = true;
        en->failure = *why;
        log_error("engine", "no more blocks are made: %s", why->msg);
    }
    (void)pthread_cond_broadcast(&en->news);
    (void)pthread_cond_broadcast(&en->work);
    (void)pthread_cond_broadcast(&en->saved);
    (void)pthread_mutex_unlock(&en->lock);
}

static struct chain_time time_from_ns(uint64_t ns)
{
    return (struct chain_time){(int64_t)(ns / 1000000000u), (int32_t)(ns % 1000000000u)};
}

/* The wall clock, but always later than `last`: it may stand still or be set back. */
static struct chain_time next_time(const struct chain_time *last)
{
    struct chain_time t = time_from_ns(clock_wall_ns());

    if (chain_time_cmp(&t, last) > 0)
        return t;
    t = *last;
    if (++t.ns == 1000000000) {
        t.ns = 0;
        t.s++;
    }
    return t;
}

/* ---- one block ---------------------------------------------------------------------------------
 */

static void sign_commit(struct engine *en, const struct header *h, const struct block_id *id,
                        struct commit *c, struct commit_sig *sig)
{
    AUTO_CLEAR(buf) struct buf msg = {0};

    *sig = (struct commit_sig){.flag = COMMIT_FOR_BLOCK,
                               .validator = h->proposer_address,
                               .time = next_time(&h->time),
                               .signature_size = 64};
    *c = (struct commit){.height = h->height, .block_id = *id, .sigs = sig, .n_sigs = 1};
    vote_sign_bytes(&msg, h->chain_id, VOTE_PRECOMMIT, h->height, 0, id, &sig->time);
    ed25519_sign(sig->signature, &en->key, buf_bytes(&msg));
}

/* From the results to the durable record. */
static enum rc store_block(struct engine *en, struct db_run *r, const struct bytes *raws,
                           const struct chain_time *time, struct engine_block **out, struct err *e)
{
    struct block blk = {.n_txs = r->result.n};
    AUTO_CLEAR(buf) struct buf encoded = {0};
    AUTO_CLEAR(buf) struct buf record = {0};
    struct db *db = en->db;
    struct commit_sig sig;
    struct commit commit;
    struct block_id id;
    uint64_t offset;

    db_next_header(db, &blk.header, time);
    block_data_hash(&blk.header.data_hash, raws, blk.n_txs);
    blk.txs = arena_array(&r->mem, blk.n_txs, sizeof(*blk.txs));
    for (size_t i = 0; i < blk.n_txs; i++)
        blk.txs[i] = raws[i];
    if (db->head != NULL)
        blk.last_commit = *db->head->commit;
    block_encode(&encoded, &blk);
    block_id_of(&id, &blk.header, buf_bytes(&encoded));
    sign_commit(en, &blk.header, &id, &commit, &sig);
    block_record_encode(&record, &r->app_hash, buf_bytes(&encoded), &commit, r->result.receipts,
                        r->result.n);
    TRY(record_log_append(db->log, buf_bytes(&record), &offset, e));
    TRY(record_log_sync(db->log, e));
    TRY(block_box_new(out, &record, &db->genesis, e));
    box_of(*out)->offset = offset;
    return RC_OK;
}

/* *out NULL: none of the transactions was valid and no empty block was asked for. Those that were
 * not valid are named in `dropped`. On success r is finished and waits for db_commit. */
static enum rc run_block(struct engine *en, struct db_run *r, const struct batch *batch,
                         bool even_empty, struct engine_block **out, struct err *e)
{
    struct chain_time time = next_time(&en->last_time);
    struct bytes *raws;
    size_t n = 0;

    *out = NULL;
    TRY(db_run_begin(en->db, r, &time, e));
    raws = arena_array(&r->mem, batch->n, sizeof(*raws));
    for (size_t i = 0; i < batch->n; i++) {
        struct ledger_tx *tx = &batch->txs[i];
        enum tx_code code;

        TRY(block_run_add(&r->run, tx, false, &code, e));
        /* Not in: the pool is told by the hash's absence from the block. */
        if (tx_code_is_included(code))
            raws[n++] = tx->raw;
        else
            tx->decoded = code;
    }
    if (n == 0 && !even_empty)
        return RC_OK;
    db_run_finish(r);
    CHECK(r->result.n == n);
    TRY(store_block(en, r, raws, &time, out, e));
    en->last_time = (*out)->commit->sigs[0].time;
    return RC_OK;
}

static void pool_after(struct engine *en, const struct batch *batch, bool made, struct err *e)
{
    struct address *senders = xcalloc(batch->n + 1, sizeof(*senders));
    enum rc rc = RC_OK;

    for (size_t i = 0; i < batch->n; i++) {
        senders[i] = batch->txs[i].sender;
        if (batch->txs[i].decoded != TX_OK && batch->txs[i].decoded != TX_BLOCK_GAS)
            pool_remove(en->pool, &batch->txs[i].hash);
    }
    if (made)
        rc = pool_block_done(en->pool, senders, batch->n, e);
    if (rc != RC_OK)
        log_error("engine", "pool: %s", e->msg);
    free(senders);
}

static enum rc make_block(struct engine *en, struct batch *batch, bool even_empty, struct err *e)
{
    struct engine_block *b = NULL;
    struct db_run r;
    enum rc rc = run_block(en, &r, batch, even_empty, &b, e);

    if (rc == RC_OK) {
        /* The pool reads accounts from the newest state: both move on as one. */
        (void)pthread_mutex_lock(&en->lock);
        if (b != NULL) {
            engine_snapshot_close(MOVE(en->pool_snap));
            db_commit(en->db, &r, engine_block_ref(b));
            en->proof_wanted = false;
        }
        if (batch->n != 0)
            pool_after(en, batch, b != NULL, e);
        if (pool_n_ready(en->pool) != 0 && b != NULL)
            en->fresh = true;
        (void)pthread_cond_broadcast(&en->news);
        if (db_checkpoint_due(en->db, false) != UINT64_MAX)
            (void)pthread_cond_broadcast(&en->saved);
        (void)pthread_mutex_unlock(&en->lock);
    }
    db_run_end(&r);
    if (b != NULL)
        engine_tell_block(en, b);
    engine_block_unref(b);
    return rc;
}

/* ---- the writer --------------------------------------------------------------------------------
 */

/* The newest root or results are in no header yet. */
bool solo_proof_due(const struct engine *en)
{
    const struct db *db = en->db;

    return db->head == NULL || memcmp(db->head->header->app_hash, db->app_hash.b, 32) != 0 ||
           db->head->n_txs != 0;
}

static void take(struct engine *en, struct batch *batch)
{
    const struct ledger_tx *ptrs[1024];
    struct block_env env =
        genesis_block_env(&en->db->genesis, en->db->height + 1, 0, 0, &(struct address){{0}});
    size_t n = pool_take(en->pool, &env, en->db->genesis.block_max_size, ptrs, ARRAY_LEN(ptrs));

    en->fresh = false;
    batch->txs = arena_array(&batch->mem, n, sizeof(*batch->txs));
    batch->n = n;
    for (size_t i = 0; i < n; i++)
        batch->txs[i] = (struct ledger_tx){.raw = arena_dup(&batch->mem, ptrs[i]->raw),
                                           .hash = ptrs[i]->hash,
                                           .sender = ptrs[i]->sender};
}

static void decode_batch(struct batch *batch)
{
    struct err e;

    for (size_t i = 0; i < batch->n; i++)
        CHECK(tx_decode(&batch->txs[i].tx, &batch->mem, batch->txs[i].raw, &e) == RC_OK);
}

static struct timespec deadline_of(uint64_t mono_ns)
{
    return (struct timespec){.tv_sec = (time_t)(mono_ns / 1000000000u),
                             .tv_nsec = (long)(mono_ns % 1000000000u)};
}

static bool halted(const struct engine *en)
{
    return en->stopping || en->failed;
}

/* Wait for something to do; holds en->lock. True: an empty block is due. */
static bool wait_for_work(struct engine *en)
{
    uint64_t due = solo_proof_due(en) ? clock_mono_ns() + en->proof_block_ns : 0;
    struct timespec until = deadline_of(due);

    while (!halted(en) && !en->fresh) {
        if (due == 0)
            (void)pthread_cond_wait(&en->work, &en->lock);
        else if (en->proof_wanted ||
                 pthread_cond_timedwait(&en->work, &en->lock, &until) == ETIMEDOUT)
            return !en->fresh;
    }
    return false;
}

static void wait_for_room(struct engine *en)
{
    while (!halted(en) &&
           db_ram_size(en->db) > RAM_LIMIT_FACTOR * (size_t)en->db->checkpoint_bytes &&
           db_checkpoint_due(en->db, false) != UINT64_MAX)
        (void)pthread_cond_wait(&en->saved, &en->lock);
}

static void *writer_main(void *arg)
{
    struct batch batch = {0};
    struct engine *en = arg;

    for (;;) {
        struct err e = {0};
        bool empty;

        (void)pthread_mutex_lock(&en->lock);
        empty = wait_for_work(en);
        wait_for_room(en);
        if (halted(en)) {
            (void)pthread_mutex_unlock(&en->lock);
            break;
        }
        take(en, &batch);
        (void)pthread_mutex_unlock(&en->lock);
        decode_batch(&batch);
        if ((batch.n != 0 || empty) && make_block(en, &batch, empty, &e) != RC_OK)
            fail(en, &e);
        arena_reset(&batch.mem);
        batch.n = 0;
    }
    arena_clear(&batch.mem);
    return NULL;
}

enum rc solo_first_block(struct engine *en, struct err *e)
{
    struct batch none = {0};

    return make_block(en, &none, true, e);
}

/* ---- the checkpointer --------------------------------------------------------------------------
 */

static void *checkpointer_main(void *arg)
{
    struct engine *en = arg;

    (void)pthread_mutex_lock(&en->lock);
    while (!halted(en)) {
        uint64_t upto = db_checkpoint_due(en->db, false);
        struct err e = {0};

        if (upto == UINT64_MAX) {
            (void)pthread_cond_wait(&en->saved, &en->lock);
            continue;
        }
        (void)pthread_mutex_unlock(&en->lock);
        if (db_checkpoint(en->db, upto, &e) != RC_OK)
            fail(en, &e);
        (void)pthread_mutex_lock(&en->lock);
        (void)pthread_cond_broadcast(&en->saved);
    }
    (void)pthread_mutex_unlock(&en->lock);
    return NULL;
}

void solo_start(struct engine *en)
{
    CHECK(pthread_create(&en->writer, NULL, writer_main, en) == 0);
    CHECK(pthread_create(&en->checkpointer, NULL, checkpointer_main, en) == 0);
    en->threads_run = true;
}

void solo_join(struct engine *en)
{
    struct err e = {0};
    uint64_t upto;

    if (!en->threads_run)
        return;
    (void)pthread_join(en->writer, NULL);
    (void)pthread_join(en->checkpointer, NULL);
    upto = en->failed ? UINT64_MAX : db_checkpoint_due(en->db, true);
    if (upto != UINT64_MAX && db_checkpoint(en->db, upto, &e) != RC_OK)
        log_error("engine", "at stop: %s", e.msg);
}
