#include "engine/internal/snapshot.h"

#include "base/mem.h"

static enum rc snapshot_get(void *data, struct bytes key, struct arena *out, struct bytes *value,
                            struct err *e)
{
    struct engine_snapshot *s = data;
    bool found;
    enum rc rc;

    (void)out;
    (void)pthread_rwlock_rdlock(&s->db->lock);
    found = overlay_find(&s->db->overlay, key, s->base_next, s->height, value);
    (void)pthread_rwlock_unlock(&s->db->lock);
    if (found || s->txn == NULL)
        return RC_OK;
    rc = kv_get(s->txn, DB_STATE, key, value, e);
    return rc == RC_NOTFOUND ? RC_OK : rc;
}

/* The LMDB view and the entry in the list are made under one lock: a checkpoint that commits later
 * sees the snapshot and keeps the overlay it needs; one that committed before is in the view. */
static enum rc attach(struct engine_snapshot *s, struct err *e)
{
    struct db *db = s->db;
    struct db_meta meta;
    enum rc rc = RC_OK;

    (void)pthread_mutex_lock(&db->snaps_lock);
    if (db->kv != NULL)
        rc = kv_read_begin(&s->txn, db->kv, e);
    if (rc == RC_OK && s->txn != NULL) {
        rc = db_meta_read(s->txn, &meta, e);
        s->base_next = rc == RC_OK ? meta.next : 0;
        if (rc == RC_NOTFOUND)
            rc = RC_OK;
    }
    if (rc == RC_OK) {
        s->next = db->snaps;
        if (s->next != NULL)
            s->next->prev = s;
        db->snaps = s;
        s->attached = true;
    }
    (void)pthread_mutex_unlock(&db->snaps_lock);
    return rc;
}

enum rc db_snapshot_open(struct db *db, uint64_t height, struct engine_snapshot **out,
                         struct err *e)
{
    struct engine_snapshot *s = xcalloc(1, sizeof(*s));
    uint64_t head;
    enum rc rc;

    *out = NULL;
    s->db = db;
    s->source = (struct state_source){snapshot_get, s};
    rc = attach(s, e);
    (void)pthread_rwlock_rdlock(&db->lock);
    head = db->height;
    (void)pthread_rwlock_unlock(&db->lock);
    s->height = height == UINT64_MAX ? head : height;
    if (rc == RC_OK && s->height > head)
        rc = err_set(e, RC_RANGE, "no block %llu yet, the newest is %llu",
                     (unsigned long long)s->height, (unsigned long long)head);
    else if (rc == RC_OK && s->height + 1 < s->base_next)
        rc = err_set(e, RC_RANGE,
                     "state of block %llu is not kept any more, the oldest kept is %llu",
                     (unsigned long long)s->height, (unsigned long long)s->base_next - 1);
    if (rc != RC_OK) {
        engine_snapshot_close(s);
        return rc;
    }
    *out = s;
    return RC_OK;
}

void engine_snapshot_close(struct engine_snapshot *s)
{
    if (s == NULL)
        return;
    if (s->attached) {
        (void)pthread_mutex_lock(&s->db->snaps_lock);
        *(s->prev != NULL ? &s->prev->next : &s->db->snaps) = s->next;
        if (s->next != NULL)
            s->next->prev = s->prev;
        (void)pthread_mutex_unlock(&s->db->snaps_lock);
    }
    kv_read_end(s->txn);
    free(s);
}

uint64_t engine_snapshot_height(const struct engine_snapshot *s)
{
    return s->height;
}

const struct state_source *engine_snapshot_source(struct engine_snapshot *s)
{
    return &s->source;
}

uint64_t db_snapshot_floor(struct db *db, uint64_t if_none)
{
    uint64_t floor = if_none;

    (void)pthread_mutex_lock(&db->snaps_lock);
    for (const struct engine_snapshot *s = db->snaps; s != NULL; s = s->next)
        floor = s->base_next < floor ? s->base_next : floor;
    (void)pthread_mutex_unlock(&db->snaps_lock);
    return floor;
}
