/* Winning disk back. Job: what the index still points to is appended again at the end, made
 * durable, and only then the old pack goes. Trust: none of its own. Must not: let a removal or a
 * pin be undone, neither now nor when the index is made anew from the packs, which is a replay in
 * order: a removal stays on record as long as an older pack may hold what it removes. */
#include "base/log.h"
#include "base/mem.h"
#include "store/internal/state.h"

static void lock(pthread_mutex_t *m)
{
    CHECK(pthread_mutex_lock(m) == 0);
}

static void unlock(pthread_mutex_t *m)
{
    CHECK(pthread_mutex_unlock(m) == 0);
}

/* ---- how much of each pack is in use ---- */

struct usage {
    const struct pack *packs; /* a copy, ascending */
    uint64_t *live;           /* bytes of records in use */
    size_t n;
};

static enum rc count_block(void *ctx, struct bytes key, struct bytes value, bool *stop,
                           struct err *e)
{
    struct usage *u = ctx;
    struct op op;

    (void)key;
    *stop = false;
    TRY(state_slot_decode(&op, value, e));
    for (size_t i = u->n; i-- > 0;)
        if (u->packs[i].seq == op.seq) {
            u->live[i] += PACK_HEADER_SIZE + op.size;
            break;
        }
    return RC_OK;
}

static enum rc count_usage(struct disk_store *s, struct usage *u, struct err *e)
{
    struct kv_txn *txn = NULL;
    enum rc rc;

    TRY(kv_read_begin(&txn, s->kv, e));
    rc = kv_scan(txn, TABLE_BLOCKS, bytes_of(NULL, 0), bytes_of(NULL, 0), count_block, u, e);
    kv_read_end(txn);
    return rc;
}

/* ---- moving one pack's records ---- */

struct move {
    struct disk_store *store;
    bool oldest; /* no pack is older: there is nothing a removal could still be needed for */
    uint64_t moved;
};

/* mu held. Is this what the index says of the pin, or will say? */
static enum rc is_current_pin(bool *out, struct disk_store *s, const struct op *op, struct err *e)
{
    const struct opset *sets[] = {&s->pending, &s->committing};
    struct kv_txn *txn = NULL;
    struct bytes value = {0};
    enum rc rc;

    for (size_t k = 0; k < ARRAY_LEN(sets); k++)
        for (size_t i = sets[k]->n; i-- > 0;) {
            const struct op *o = &sets[k]->ops[i];

            if (o->type == PACK_PIN && bytes_eq(o->pin_key, op->pin_key)) {
                *out = bytes_eq(o->pin_value, op->pin_value);
                return RC_OK;
            }
        }
    TRY(kv_read_begin(&txn, s->kv, e));
    rc = kv_get(txn, TABLE_PINS, op->pin_key, &value, e);
    *out = rc == RC_NOTFOUND ? op->pin_value.n == 0 : bytes_eq(value, op->pin_value);
    kv_read_end(txn);
    return rc == RC_NOTFOUND ? RC_OK : rc;
}

/* mu held. */
static enum rc move_pin(struct move *m, const struct pack_record *r, struct bytes payload,
                        struct err *e)
{
    AUTO_CLEAR(buf) struct buf keep = {0};
    struct op op;
    bool current;

    if (state_pin_op(&op, &keep, payload, NULL) != RC_OK)
        return RC_OK; /* the index does not know it either */
    TRY(is_current_pin(&current, m->store, &op, e));
    if (!current || (op.pin_value.n == 0 && m->oldest))
        return RC_OK;
    return state_append(m->store, PACK_PIN, &r->digest, payload, &op, e);
}

/* mu held. */
static enum rc move_record_locked(struct move *m, const struct pack *p, const struct pack_record *r,
                                  uint64_t at, struct bytes payload, struct err *e)
{
    struct op there, note = {.type = r->type, .digest = r->digest};
    enum rc rc;

    switch (r->type) {
    case PACK_BLOCK:
        rc = state_find(m->store, &there, &r->digest, e);
        if (rc != RC_OK || there.seq != p->seq || there.at != at)
            return rc == RC_NOTFOUND ? RC_OK : rc;
        m->moved += PACK_HEADER_SIZE + payload.n;
        return state_append(m->store, PACK_BLOCK, &r->digest, payload, &note, e);
    case PACK_REMOVE:
        if (m->oldest || payload.n != sizeof(note.digest.b))
            return RC_OK;
        memcpy(note.digest.b, payload.p, sizeof(note.digest.b));
        rc = state_find(m->store, &there, &note.digest, e);
        if (rc != RC_NOTFOUND)
            return rc; /* it was put again */
        return state_append(m->store, PACK_REMOVE, &r->digest, payload, &note, e);
    case PACK_PIN:
        return move_pin(m, r, payload, e);
    }
    return RC_OK;
}

static enum rc move_record(void *ctx, const struct pack *p, const struct pack_record *r,
                           uint64_t at, struct bytes payload, struct err *e)
{
    struct move *m = ctx;
    enum rc rc;
    bool full;

    lock(&m->store->mu);
    rc = move_record_locked(m, p, r, at, payload, e);
    full = m->store->pending.n >= PENDING_MAX;
    unlock(&m->store->mu);
    return rc == RC_OK && full ? state_commit(m->store, e) : rc;
}

/* The pack leaves the list under all locks: no reader and no commit holds its file. */
static enum rc drop(struct disk_store *s, uint64_t seq, struct err *e)
{
    struct pack gone = {.fd = -1};

    CHECK(pthread_rwlock_wrlock(&s->files) == 0);
    lock(&s->commit_mu);
    lock(&s->mu);
    for (size_t i = 0; i < s->packs_len; i++)
        if (s->packs[i].seq == seq) {
            gone = s->packs[i];
            memmove(&s->packs[i], &s->packs[i + 1], (s->packs_len - i - 1) * sizeof(gone));
            s->packs_len--;
            break;
        }
    unlock(&s->mu);
    unlock(&s->commit_mu);
    CHECK(pthread_rwlock_unlock(&s->files) == 0);
    return gone.fd >= 0 ? pack_remove(&gone, s->disk, s->packs_dir, e) : RC_OK;
}

static enum rc compact_pack(struct disk_store *s, const struct pack *p, uint64_t *freed,
                            struct err *e)
{
    struct move m = {.store = s};
    struct pack_scan scan;

    lock(&s->mu);
    m.oldest = s->packs[0].seq == p->seq;
    unlock(&s->mu);
    TRY(pack_scan(&scan, s->disk, p, 0, move_record, &m, e));
    TRY(state_commit(s, e));
    if (scan.damaged != 0 || scan.end != p->size) {
        log_error("store", "pack %016llx: damaged, not taken away", (unsigned long long)p->seq);
        return RC_OK;
    }
    TRY(drop(s, p->seq, e));
    *freed += p->size - m.moved;
    return RC_OK;
}

/* ---- choosing ---- */

/* A little is not worth the rewriting: removals and pins would move at every call. */
static bool is_mostly_dead(const struct disk_store *s, const struct pack *p, uint64_t live)
{
    return p->size - live > s->pack_size / 32 && live < p->size / 2;
}

static enum rc compact(struct disk_store *s, const struct usage *u, uint64_t *freed, struct err *e)
{
    size_t last = u->n - 1;
    enum rc rc = RC_OK;

    if (is_mostly_dead(s, &u->packs[last], u->live[last])) {
        lock(&s->mu);
        if (s->broken)
            rc = err_set(e, RC_IO, "store: a write to disk failed earlier: restart it");
        else if (s->packs[s->packs_len - 1].seq == u->packs[last].seq &&
                 s->packs[s->packs_len - 1].size == u->packs[last].size)
            rc = state_rotate(s, e);
        else
            last--; /* written to meanwhile: the next time */
        unlock(&s->mu);
        TRY(rc);
    } else {
        last--;
    }
    for (size_t i = 0; last != SIZE_MAX && i <= last; i++)
        if (is_mostly_dead(s, &u->packs[i], u->live[i]))
            TRY(compact_pack(s, &u->packs[i], freed, e));
    return RC_OK;
}

enum rc state_compact(struct disk_store *s, uint64_t *freed, struct err *e)
{
    struct usage u = {0};
    AUTO_FREE struct pack *packs = NULL;
    AUTO_FREE uint64_t *live = NULL;

    *freed = 0;
    TRY(state_commit(s, e));
    lock(&s->mu);
    u.n = s->packs_len;
    packs = xmemdup(s->packs, u.n * sizeof(*packs));
    unlock(&s->mu);
    live = xcalloc(u.n, sizeof(*live));
    u.packs = packs;
    u.live = live;
    TRY(count_usage(s, &u, e));
    return compact(s, &u, freed, e);
}
