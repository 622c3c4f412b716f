#include "engine/internal/engine.h"

#include "base/hex.h"
#include "base/log.h"
#include "engine/internal/snapshot.h"
#include "os/clock.h"
#include "os/file.h"

#include <errno.h>

#define DEFAULT_PROOF_BLOCK_MS 50

/* ---- the validator's key -----------------------------------------------------------------------
 */

static enum rc read_key(const char *path, struct ed25519_key *key, struct err *e)
{
    char text[80 + 1];
    uint8_t seed[32];
    size_t n;
    enum rc rc = file_read_secret(text, sizeof(text) - 1, &n, path, e);

    if (rc == RC_OK) {
        while (n != 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
            n--;
        if (hex_decode_fixed(seed, sizeof(seed), bytes_of(text, n), e) != RC_OK)
            rc = err_wrap(e, RC_CORRUPT, "%s", path);
        else
            ed25519_from_seed(key, seed);
    }
    wipe(text, sizeof(text));
    wipe(seed, sizeof(seed));
    return rc;
}

static enum rc load_key(const char *dir, struct ed25519_key *key, struct err *e)
{
    AUTO_FREE char *path = xasprintf("%s/validator.key", dir);
    struct ed25519_key fresh;
    char text[66];
    enum rc rc = read_key(path, key, e);

    if (rc != RC_NOTFOUND)
        return rc;
    TRY(dir_make(dir, 0700, e));
    ed25519_generate(&fresh, NULL);
    /* The first half is the seed. */
    hex_encode(text, bytes_of(fresh.b, 32));
    text[64] = '\n';
    rc = file_write_new(path, bytes_of(text, 65), 0600, e);
    wipe(text, sizeof(text));
    ed25519_key_clear(&fresh);
    /* Another process may have been first: what is in the file counts. */
    return rc == RC_OK || rc == RC_EXISTS ? read_key(path, key, e) : rc;
}

enum rc engine_validator_key(const char *dir, uint8_t pub_key[32], struct err *e)
{
    AUTO_CLEAR(ed25519_key) struct ed25519_key key = {0};

    memset(pub_key, 0, 32);
    TRY(load_key(dir, &key, e));
    ed25519_pub(pub_key, &key);
    return RC_OK;
}

/* ---- open, close -------------------------------------------------------------------------------
 */

static enum rc pool_account(void *data, const struct address *a, struct account *out, struct err *e)
{
    struct engine *en = data;

    if (en->pool_snap == NULL)
        TRY(db_snapshot_open(en->db, UINT64_MAX, &en->pool_snap, e));
    return state_account(&en->pool_snap->source, a, out, e);
}

static enum rc check_validator(struct engine *en, const char *dir, struct err *e)
{
    const struct validator_set *v = &en->db->validators;
    uint8_t pub[32];

    if (strcmp(en->db->genesis.engine, "solo") != 0)
        return err_set(e, RC_UNSUPPORTED, "genesis wants engine %s, this is solo",
                       en->db->genesis.engine);
    TRY(load_key(dir, &en->key, e));
    ed25519_pub(pub, &en->key);
    if (v->n != 1 || memcmp(v->v[0].pub_key, pub, sizeof(pub)) != 0)
        return err_set(e, RC_DENIED,
                       "engine solo needs the key in %s/validator.key as genesis' only validator",
                       dir);
    return RC_OK;
}

static void init_locks(struct engine *en)
{
    pthread_condattr_t attr;

    CHECK(pthread_condattr_init(&attr) == 0);
    CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_mutex_init(&en->lock, NULL) == 0);
    CHECK(pthread_mutex_init(&en->listeners_lock, NULL) == 0);
    CHECK(pthread_cond_init(&en->work, &attr) == 0);
    CHECK(pthread_cond_init(&en->news, &attr) == 0);
    CHECK(pthread_cond_init(&en->saved, &attr) == 0);
    (void)pthread_condattr_destroy(&attr);
}

static enum rc start(struct engine *en, const struct engine_options *o, struct err *e)
{
    struct db_options dopt = {.dir = o->dir,
                              .genesis_path = o->genesis_path,
                              .disk = o->disk,
                              .read_only = o->read_only,
                              .checkpoint_bytes = o->checkpoint_bytes};
    struct pool_config pc = {.account = pool_account, .data = en};

    TRY(db_open(&en->db, &dopt, e));
    en->pool = pool_new(&pc);
    if (en->db->head != NULL)
        en->last_time = en->db->head->commit->sigs[0].time;
    else
        en->last_time = (struct chain_time){(int64_t)en->db->genesis.time_s, 0};
    if (o->read_only)
        return RC_OK;
    TRY(check_validator(en, o->dir, e));
    if (en->db->head == NULL)
        TRY(solo_first_block(en, e));
    solo_start(en);
    return RC_OK;
}

enum rc engine_open(struct engine **out, const struct engine_options *o, struct err *e)
{
    struct engine *en = xcalloc(1, sizeof(*en));
    enum rc rc;

    *out = NULL;
    en->read_only = o->read_only;
    en->proof_block_ns =
        (o->proof_block_ms != 0 ? o->proof_block_ms : DEFAULT_PROOF_BLOCK_MS) * 1000000ull;
    init_locks(en);
    rc = start(en, o, e);
    if (rc != RC_OK) {
        engine_close(en);
        return rc;
    }
    *out = en;
    return RC_OK;
}

void engine_close(struct engine *en)
{
    if (en == NULL)
        return;
    (void)pthread_mutex_lock(&en->lock);
    en->stopping = true;
    (void)pthread_cond_broadcast(&en->work);
    (void)pthread_cond_broadcast(&en->news);
    (void)pthread_cond_broadcast(&en->saved);
    engine_snapshot_close(MOVE(en->pool_snap));
    (void)pthread_mutex_unlock(&en->lock);
    solo_join(en);
    engine_snapshot_close(MOVE(en->pool_snap));
    if (en->pool != NULL)
        pool_free(en->pool);
    db_close(en->db);
    ed25519_key_clear(&en->key);
    free(en->subs);
    (void)pthread_mutex_destroy(&en->lock);
    (void)pthread_mutex_destroy(&en->listeners_lock);
    (void)pthread_cond_destroy(&en->work);
    (void)pthread_cond_destroy(&en->news);
    (void)pthread_cond_destroy(&en->saved);
    free(en);
}

enum rc engine_health(struct engine *en, struct err *e)
{
    enum rc rc = RC_OK;

    (void)pthread_mutex_lock(&en->lock);
    if (en->failed)
        rc = err_set(e, en->failure.code, "%s", en->failure.msg);
    (void)pthread_mutex_unlock(&en->lock);
    return rc;
}

const struct genesis *engine_genesis(const struct engine *en)
{
    return &en->db->genesis;
}

uint64_t engine_chain_id(const struct engine *en)
{
    return en->db->genesis.chain_id;
}

const struct hash32 *engine_genesis_hash(const struct engine *en)
{
    return &en->db->genesis_hash;
}

/* ---- blocks ------------------------------------------------------------------------------------
 */

uint64_t engine_height(struct engine *en)
{
    uint64_t h;

    (void)pthread_rwlock_rdlock(&en->db->lock);
    h = en->db->height;
    (void)pthread_rwlock_unlock(&en->db->lock);
    return h;
}

enum rc engine_head(struct engine *en, struct engine_block **out, struct err *e)
{
    *out = NULL;
    (void)pthread_rwlock_rdlock(&en->db->lock);
    if (en->db->head != NULL)
        *out = engine_block_ref(en->db->head);
    (void)pthread_rwlock_unlock(&en->db->lock);
    return *out != NULL ? RC_OK : err_set(e, RC_NOTFOUND, "the chain has no block yet");
}

enum rc engine_block_at(struct engine *en, uint64_t height, struct engine_block **out,
                        struct err *e)
{
    return db_block_at(en->db, height, out, e);
}

enum rc engine_block_by_hash(struct engine *en, const struct hash32 *hash,
                             struct engine_block **out, struct err *e)
{
    return db_block_by_hash(en->db, hash, out, e);
}

enum rc engine_tx_find(struct engine *en, const struct hash32 *tx_hash, struct engine_block **out,
                       uint32_t *index, struct err *e)
{
    uint64_t height;

    *out = NULL;
    TRY(db_find_tx(en->db, tx_hash, &height, index, e));
    TRY(db_block_at(en->db, height, out, e));
    if (*index < (*out)->n_txs)
        return RC_OK;
    engine_block_unref(MOVE(*out));
    return err_set(e, RC_CORRUPT, "the index names transaction %u, block %llu has fewer", *index,
                   (unsigned long long)height);
}

/* An environment for calls: the block's own, or the one to come. */
enum rc engine_block_env(struct engine *en, uint64_t height, struct block_env *out, struct err *e)
{
    AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;

    if (height == UINT64_MAX) {
        uint64_t now = clock_wall_ns();

        TRY(engine_head(en, &b, e));
        if ((int64_t)(now / 1000000000u) < b->header->time.s)
            now = (uint64_t)b->header->time.s * 1000000000u;
        *out =
            db_block_env(en->db, b->height + 1, now / 1000000000u, (uint32_t)(now % 1000000000u));
        return RC_OK;
    }
    if (height == 0) {
        *out = db_block_env(en->db, 0, en->db->genesis.time_s, 0);
        return RC_OK;
    }
    TRY(db_block_at(en->db, height, &b, e));
    *out = db_block_env(en->db, height, (uint64_t)b->header->time.s, (uint32_t)b->header->time.ns);
    return RC_OK;
}

/* ---- sending -----------------------------------------------------------------------------------
 */

static enum rc stopped(const struct engine *en, struct err *e)
{
    if (en->failed)
        return err_set(e, RC_CLOSED, "the ledger stopped: %.160s; then start it again",
                       en->failure.msg);
    if (en->stopping)
        return err_set(e, RC_CLOSED, "the ledger is shutting down");
    if (en->read_only)
        return err_set(e, RC_CLOSED, "the ledger is open for reading only");
    return RC_OK;
}

static void tell_pending(struct engine *en, const struct hash32 *hash)
{
    (void)pthread_mutex_lock(&en->listeners_lock);
    for (size_t i = 0; i < en->n_subs; i++)
        if (en->subs[i].l.on_pending != NULL)
            en->subs[i].l.on_pending(en->subs[i].l.ctx, hash);
    (void)pthread_mutex_unlock(&en->listeners_lock);
}

enum rc engine_submit(struct engine *en, struct bytes raw, struct hash32 *hash, struct err *e)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct ledger_tx tx;
    struct block_env env;
    enum rc rc;

    tx_hash(hash, raw);
    if (raw.n > ENGINE_MAX_TX_SIZE)
        return err_set(e, RC_LIMIT, "transaction of %zu bytes, limit %u", raw.n,
                       ENGINE_MAX_TX_SIZE);
    ledger_tx_prepare(&tx, raw, &mem, e);
    if (tx.decoded != TX_OK)
        return tx.decoded == TX_UNSUPPORTED ? RC_UNSUPPORTED : RC_MALFORMED;
    (void)pthread_mutex_lock(&en->lock);
    rc = stopped(en, e);
    if (rc == RC_OK) {
        env = genesis_block_env(&en->db->genesis, en->db->height + 1, 0, 0, &(struct address){{0}});
        rc = pool_add(en->pool, &env, &tx, NULL, e);
    }
    if (rc == RC_OK) {
        en->fresh = true;
        (void)pthread_cond_signal(&en->work);
    }
    (void)pthread_mutex_unlock(&en->lock);
    if (rc == RC_OK)
        tell_pending(en, hash);
    return rc;
}

/* Under the lock. RC_AGAIN: in the pool. */
static enum rc look(struct engine *en, const struct hash32 *hash, struct err *e)
{
    uint64_t height;
    uint32_t index;
    enum rc rc = db_find_tx(en->db, hash, &height, &index, e);

    if (rc != RC_NOTFOUND)
        return rc;
    TRY(stopped(en, e));
    if (pool_find(en->pool, hash) != NULL)
        return RC_AGAIN;
    return err_set(e, RC_NOTFOUND, "the transaction is in no block and not in the pool");
}

static struct timespec deadline_after(uint64_t timeout_ms)
{
    uint64_t until = clock_mono_ns() + (timeout_ms < 86400000 ? timeout_ms : 86400000) * 1000000u;

    return (struct timespec){.tv_sec = (time_t)(until / 1000000000u),
                             .tv_nsec = (long)(until % 1000000000u)};
}

enum rc engine_wait(struct engine *en, const struct hash32 *tx_hash, uint64_t timeout_ms,
                    struct engine_block **out, uint32_t *index, struct err *e)
{
    struct timespec ts = deadline_after(timeout_ms);
    bool late = false;
    enum rc rc;

    *out = NULL;
    *index = 0;
    (void)pthread_mutex_lock(&en->lock);
    while ((rc = look(en, tx_hash, e)) == RC_AGAIN && !late)
        late = pthread_cond_timedwait(&en->news, &en->lock, &ts) == ETIMEDOUT;
    (void)pthread_mutex_unlock(&en->lock);
    if (rc == RC_AGAIN)
        return err_set(e, RC_TIMEOUT, "the transaction is in no block after %llu ms",
                       (unsigned long long)timeout_ms);
    TRY(rc);
    return engine_tx_find(en, tx_hash, out, index, e);
}

/* A block that anything needs comes at once; only the one that proves is put off, for others to
 * prove by the way. */
enum rc engine_await_proof(struct engine *en, uint64_t height, uint64_t timeout_ms, struct err *e)
{
    struct timespec ts = deadline_after(timeout_ms);
    enum rc rc = RC_OK;
    bool late = false;

    (void)pthread_mutex_lock(&en->lock);
    if (height > en->db->height || (height == en->db->height && !solo_proof_due(en)))
        rc = err_set(e, RC_RANGE, "block %llu has changed nothing, or has not come",
                     (unsigned long long)height);
    while (rc == RC_OK && en->db->height == height && !late) {
        rc = stopped(en, e);
        if (rc != RC_OK)
            break;
        en->proof_wanted = true;
        (void)pthread_cond_signal(&en->work);
        late = pthread_cond_timedwait(&en->news, &en->lock, &ts) == ETIMEDOUT;
    }
    if (rc == RC_OK && en->db->height == height)
        rc = err_set(e, RC_TIMEOUT, "no block after %llu came in %llu ms",
                     (unsigned long long)height, (unsigned long long)timeout_ms);
    (void)pthread_mutex_unlock(&en->lock);
    return rc;
}

enum rc engine_pending_tx(struct engine *en, const struct hash32 *tx_hash, struct buf *raw,
                          struct address *from, struct err *e)
{
    const struct ledger_tx *tx;

    (void)pthread_mutex_lock(&en->lock);
    tx = pool_find(en->pool, tx_hash);
    if (tx != NULL) {
        buf_put_bytes(raw, tx->raw);
        *from = tx->sender;
    }
    (void)pthread_mutex_unlock(&en->lock);
    return tx != NULL ? RC_OK : err_set(e, RC_NOTFOUND, "not in the pool");
}

enum rc engine_pending_nonce(struct engine *en, const struct address *a, uint64_t *nonce,
                             struct err *e)
{
    enum rc rc;

    (void)pthread_mutex_lock(&en->lock);
    rc = pool_next_nonce(en->pool, a, nonce, e);
    (void)pthread_mutex_unlock(&en->lock);
    return rc;
}

void engine_pool_status(struct engine *en, struct engine_pool_status *out)
{
    (void)pthread_mutex_lock(&en->lock);
    out->n_ready = pool_n_ready(en->pool);
    out->n_parked = pool_n_parked(en->pool);
    (void)pthread_mutex_unlock(&en->lock);
}

void engine_fees(struct engine *en, struct engine_fees *out)
{
    const struct genesis *g = &en->db->genesis;
    struct u256 ten = u256_from_u64(10);

    *out = (struct engine_fees){.base_fee = g->base_fee_wei, .block_gas_limit = g->block_gas_limit};
    /* Blocks are not full: a tenth of the base fee is as good an offer as any. */
    CHECK(u256_divmod(&out->priority_fee, NULL, &g->base_fee_wei, &ten));
}

/* ---- news --------------------------------------------------------------------------------------
 */

void engine_subscribe(struct engine *en, const struct engine_listener *l, uint64_t *id)
{
    (void)pthread_mutex_lock(&en->listeners_lock);
    if (en->n_subs == en->cap_subs) {
        en->cap_subs = en->cap_subs == 0 ? 8 : en->cap_subs * 2;
        en->subs = xreallocarray(en->subs, en->cap_subs, sizeof(*en->subs));
    }
    *id = ++en->next_sub;
    en->subs[en->n_subs++] = (struct subscription){*id, *l};
    (void)pthread_mutex_unlock(&en->listeners_lock);
}

void engine_unsubscribe(struct engine *en, uint64_t id)
{
    (void)pthread_mutex_lock(&en->listeners_lock);
    for (size_t i = 0; i < en->n_subs; i++)
        if (en->subs[i].id == id) {
            memmove(&en->subs[i], &en->subs[i + 1], (en->n_subs - i - 1) * sizeof(*en->subs));
            en->n_subs--;
            break;
        }
    (void)pthread_mutex_unlock(&en->listeners_lock);
}

void engine_tell_block(struct engine *en, struct engine_block *b)
{
    (void)pthread_mutex_lock(&en->listeners_lock);
    for (size_t i = 0; i < en->n_subs; i++)
        if (en->subs[i].l.on_block != NULL)
            en->subs[i].l.on_block(en->subs[i].l.ctx, b);
    (void)pthread_mutex_unlock(&en->listeners_lock);
}

/* ---- reads -------------------------------------------------------------------------------------
 */

enum rc engine_logs(struct engine *en, const struct engine_log_filter *f, size_t max,
                    engine_log_fn fn, void *ctx, struct err *e)
{
    return db_logs(en->db, f, max, fn, ctx, e);
}

enum rc engine_snapshot_open(struct engine *en, uint64_t height, struct engine_snapshot **out,
                             struct err *e)
{
    return db_snapshot_open(en->db, height, out, e);
}

uint64_t engine_oldest_state(struct engine *en)
{
    uint64_t base;

    (void)pthread_rwlock_rdlock(&en->db->lock);
    base = en->db->base_next;
    (void)pthread_rwlock_unlock(&en->db->lock);
    return base == 0 ? 0 : base - 1;
}

enum rc engine_prove(struct engine *en, uint64_t height, struct bytes key, struct arena *mem,
                     struct state_proof *proof, bool *found, uint64_t *proven, struct buf *value,
                     struct engine_block **next, struct err *e)
{
    return db_prove(en->db, height, key, mem, proof, found, proven, value, next, e);
}
