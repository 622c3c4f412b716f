/* What a start finds: the index as far as it goes, then the ends of the packs. */
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "os/file.h"
#include "store/internal/state.h"

#define AGAIN_PIECE ((size_t)1 << 20)

struct recovery {
    struct disk_store *store;
    struct store_found *found;
};

static enum rc recover_record(void *ctx, const struct pack *p, const struct pack_record *r,
                              uint64_t payload_at, struct bytes payload, struct err *e)
{
    struct recovery *re = ctx;
    struct disk_store *s = re->store;
    AUTO_CLEAR(buf) struct buf keep = {0};
    struct op op = {.type = r->type, .digest = r->digest};

    if (r->type == PACK_PIN && state_pin_op(&op, &keep, payload, e) != RC_OK)
        return RC_OK; /* whole, but of a later version: not ours to read */
    if (r->type == PACK_REMOVE) {
        if (payload.n != sizeof(op.digest.b))
            return RC_OK;
        memcpy(op.digest.b, payload.p, sizeof(op.digest.b));
    }
    op.seq = p->seq;
    op.at = payload_at;
    op.size = r->size;
    opset_add(&s->pending, &op);
    re->found->recovered++;
    return s->pending.n >= PENDING_MAX ? state_index(s, true, e) : RC_OK;
}

static enum rc indexed_end(struct disk_store *s, uint64_t seq, uint64_t *end, struct err *e)
{
    struct kv_txn *txn = NULL;
    struct bytes value;
    uint8_t key[8];
    enum rc rc;

    *end = 0;
    store_u64be(key, seq);
    TRY(kv_read_begin(&txn, s->kv, e));
    rc = kv_get(txn, TABLE_PACKS, BYTES_OF(&key), &value, e);
    if (rc == RC_OK && value.n != 8)
        rc = err_set(e, RC_CORRUPT, "index: pack entry of %zu bytes", value.n);
    if (rc == RC_OK)
        *end = load_u64be(value.p);
    kv_read_end(txn);
    return rc == RC_NOTFOUND ? RC_OK : rc;
}

/* What the index lacks may be what a sync failed for before a restart: then it is in the system's
 * cache, which takes it for written, and nowhere else. Written again it is what a sync syncs. Packs
 * before the last one were synced when that was begun. */
static enum rc write_again(struct disk_store *s, const struct pack *p, uint64_t from, struct err *e)
{
    AUTO_CLEAR(buf) struct buf piece = {0};
    const struct disk *d = s->disk;

    TRY(d->sync_dir(d->ctx, s->packs_dir, e)); /* the pack's name, for the same reason */
    while (from < p->size) {
        size_t n = p->size - from < AGAIN_PIECE ? (size_t)(p->size - from) : AGAIN_PIECE;

        buf_reset(&piece);
        TRY(d->pread(d->ctx, p->fd, buf_extend(&piece, n), n, from, e));
        TRY(d->pwrite(d->ctx, p->fd, buf_bytes(&piece), from, e));
        from += n;
    }
    return d->sync(d->ctx, p->fd, e);
}

static enum rc recover_pack(struct disk_store *s, struct pack *p, bool is_last,
                            struct store_found *found, struct err *e)
{
    struct recovery re = {.store = s, .found = found};
    struct pack_scan scan;
    uint64_t from;

    TRY(indexed_end(s, p->seq, &from, e));
    if (from > p->size)
        return err_set(e, RC_CORRUPT, "pack %016llx has %llu bytes, %llu were written",
                       (unsigned long long)p->seq, (unsigned long long)p->size,
                       (unsigned long long)from);
    if (is_last && from < p->size && p->size > PACK_FILE_HEADER_SIZE)
        TRY(write_again(s, p, from, e));
    TRY(pack_scan(&scan, s->disk, p, from, recover_record, &re, e));
    if (scan.damaged != 0)
        log_error("store", "pack %016llx: %llu damaged bytes skipped", (unsigned long long)p->seq,
                  (unsigned long long)scan.damaged);
    if (!is_last) {
        if (scan.end != p->size)
            log_error("store", "pack %016llx: %llu damaged bytes at its end",
                      (unsigned long long)p->seq, (unsigned long long)(p->size - scan.end));
        return RC_OK;
    }
    if (scan.end == p->size)
        return RC_OK;
    found->cut_bytes += p->size - scan.end;
    TRY(s->disk->truncate(s->disk->ctx, p->fd, scan.end, e));
    p->size = scan.end;
    return RC_OK;
}

static enum rc open_index(struct disk_store *s, struct err *e)
{
    static const char *const tables[] = {"blocks", "pins", "packs", NULL};
    AUTO_FREE char *dir = xasprintf("%s/index", s->dir);
    struct kv_options o = {.dir = dir, .tables = tables};

    return kv_open(&s->kv, &o, e);
}

static enum rc recover(struct disk_store *s, struct store_found *found, struct err *e)
{
    TRY(open_index(s, e));
    for (size_t i = 0; i < s->packs_len; i++)
        TRY(recover_pack(s, &s->packs[i], i + 1 == s->packs_len, found, e));
    return state_index(s, false, e);
}

enum rc state_recover(struct disk_store *s, struct store_found *found, struct err *e)
{
    AUTO_FREE char *dir = xasprintf("%s/index", s->dir);
    struct err why = {0};
    enum rc rc = recover(s, found, &why);

    if (rc != RC_CORRUPT) {
        if (e != NULL)
            *e = why;
        return rc;
    }
    log_error("store", "%s: making the index anew", why.msg);
    kv_close(MOVE(s->kv));
    opset_clear(&s->pending);
    opset_clear(&s->committing);
    s->broken = false;
    s->indexed_seq = 0;
    *found = (struct store_found){.rebuilt = true};
    TRY(dir_remove(dir, e));
    return recover(s, found, e);
}
