/* The block store. Job: packs hold the truth, the index says where; a commit syncs the pack and
 * then the index, so the index never points at bytes that a crash can take away. Trust: the disk
 * lies. Must not: answer a block whose hash does not fit, or write after a failed sync. */
#include "store/store.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "crypto/hash.h"
#include "os/file.h"
#include "store/internal/state.h"

#include <fcntl.h>
#include <stdio.h>

#define PACK_SIZE_DEFAULT ((uint64_t)1 << 30)
#define WRITEBACK_SIZE                                                                             \
    ((uint64_t)8 << 20)                 /* bytes after which the kernel is told to begin writing */
#define SMALL_RECORD ((size_t)64 << 10) /* below: header and payload in one write */
#define SLOT_SIZE 16

static struct disk_store *disk_of(struct store *base)
{
    return (struct disk_store *)base;
}

static void lock(pthread_mutex_t *m)
{
    CHECK(pthread_mutex_lock(m) == 0);
}

static void unlock(pthread_mutex_t *m)
{
    CHECK(pthread_mutex_unlock(m) == 0);
}

/* ---- where a block is ---- */

static void slot_encode(uint8_t out[SLOT_SIZE], const struct op *op)
{
    store_u32le(out, (uint32_t)op->seq);
    store_u32le(out + 4, op->size);
    store_u64le(out + 8, op->at);
}

enum rc state_slot_decode(struct op *out, struct bytes in, struct err *e)
{
    if (in.n != SLOT_SIZE)
        return err_set(e, RC_CORRUPT, "index: entry of %zu bytes", in.n);
    *out = (struct op){.type = PACK_BLOCK,
                       .seq = load_u32le(in.p),
                       .size = load_u32le(in.p + 4),
                       .at = load_u64le(in.p + 8)};
    return RC_OK;
}

/* mu held. */
static const struct pack *pack_of(const struct disk_store *s, uint64_t seq)
{
    for (size_t i = s->packs_len; i-- > 0;)
        if (s->packs[i].seq == seq)
            return &s->packs[i];
    return NULL;
}

static enum rc find_in_index(struct disk_store *s, struct op *out, const struct hash32 *digest,
                             struct err *e)
{
    struct kv_txn *txn = NULL;
    struct bytes value;
    enum rc rc;

    TRY(kv_read_begin(&txn, s->kv, e));
    rc = kv_get(txn, TABLE_BLOCKS, BYTES_OF(digest), &value, e);
    if (rc == RC_OK)
        rc = state_slot_decode(out, value, e);
    kv_read_end(txn);
    return rc;
}

/* mu held. RC_NOTFOUND without text. */
enum rc state_find(struct disk_store *s, struct op *out, const struct hash32 *digest, struct err *e)
{
    const struct op *op = opset_find(&s->pending, digest);

    if (op == NULL)
        op = opset_find(&s->committing, digest);
    if (op == NULL)
        return find_in_index(s, out, digest, e);
    if (op->type == PACK_REMOVE)
        return RC_NOTFOUND;
    *out = *op;
    return RC_OK;
}

/* ---- writing ---- */

static enum rc append_bytes(struct disk_store *s, struct pack *p, const struct pack_record *r,
                            struct bytes payload, struct err *e)
{
    uint8_t header[PACK_HEADER_SIZE];
    const struct disk *d = s->disk;

    pack_header_encode(header, p, r);
    if (payload.n < SMALL_RECORD) {
        buf_reset(&s->scratch);
        buf_put(&s->scratch, header, sizeof(header));
        buf_put_bytes(&s->scratch, payload);
        return d->pwrite(d->ctx, p->fd, buf_bytes(&s->scratch), p->size, e);
    }
    TRY(d->pwrite(d->ctx, p->fd, BYTES_OF(&header), p->size, e));
    return d->pwrite(d->ctx, p->fd, payload, p->size + sizeof(header), e);
}

/* Spread the work of the final sync over the writing. Only a hint. */
static void begin_writeback(struct disk_store *s, const struct pack *p)
{
    if (s->disk != disk_os() || p->size - s->writeback_at < WRITEBACK_SIZE)
        return;
    (void)sync_file_range(p->fd, (off64_t)s->writeback_at, (off64_t)(p->size - s->writeback_at),
                          SYNC_FILE_RANGE_WRITE);
    s->writeback_at = p->size;
}

static enum rc add_pack(struct disk_store *s, struct err *e)
{
    uint64_t seq = s->packs_len != 0 ? s->packs[s->packs_len - 1].seq + 1 : 1;
    struct pack p;

    if (seq > UINT32_MAX)
        return err_set(e, RC_LIMIT, "store: out of pack numbers");
    TRY(pack_create(&p, s->disk, s->packs_dir, seq, e));
    s->packs = xreallocarray(s->packs, s->packs_len + 1, sizeof(*s->packs));
    s->packs[s->packs_len++] = p;
    s->writeback_at = 0;
    return RC_OK;
}

enum rc state_rotate(struct disk_store *s, struct err *e)
{
    enum rc rc = s->disk->sync(s->disk->ctx, s->packs[s->packs_len - 1].fd, e);

    if (rc != RC_OK) {
        s->broken = true; /* what was written before is of unknown state */
        return rc;
    }
    return add_pack(s, e);
}

static enum rc make_room(struct disk_store *s, size_t n, struct err *e)
{
    const struct pack *p = &s->packs[s->packs_len - 1];

    if (p->size + n <= s->pack_size || p->size == PACK_FILE_HEADER_SIZE)
        return RC_OK;
    return state_rotate(s, e);
}

/* mu held. Write one record and note it as pending. */
enum rc state_append(struct disk_store *s, enum pack_type type, const struct hash32 *digest,
                     struct bytes payload, const struct op *note, struct err *e)
{
    struct pack_record r = {.type = type, .size = (uint32_t)payload.n, .digest = *digest};
    struct op op = *note;
    struct pack *p;
    enum rc rc;

    if (s->broken)
        return err_set(e, RC_IO, "store: a write to disk failed earlier: restart it");
    TRY(make_room(s, PACK_HEADER_SIZE + payload.n, e));
    p = &s->packs[s->packs_len - 1];
    rc = append_bytes(s, p, &r, payload, e);
    if (rc != RC_OK) {
        if (s->disk->truncate(s->disk->ctx, p->fd, p->size, NULL) != RC_OK)
            s->broken = true;
        return err_wrap(e, rc, "store: cannot write to %s", s->packs_dir);
    }
    op.seq = p->seq;
    op.at = p->size + PACK_HEADER_SIZE;
    op.size = r.size;
    p->size += PACK_HEADER_SIZE + payload.n;
    opset_add(&s->pending, &op);
    begin_writeback(s, p);
    return RC_OK;
}

static enum rc put_locked(struct disk_store *s, const struct cid *cid, struct bytes data,
                          struct err *e)
{
    struct op there, note = {.type = PACK_BLOCK, .digest = cid->digest};
    enum rc rc = state_find(s, &there, &cid->digest, e);

    if (rc != RC_NOTFOUND)
        return rc;
    return state_append(s, PACK_BLOCK, &cid->digest, data, &note, e);
}

static enum rc disk_put(struct store *base, const struct cid *cid, struct bytes data, struct err *e)
{
    struct disk_store *s = disk_of(base);
    bool full;
    enum rc rc;

    lock(&s->mu);
    rc = put_locked(s, cid, data, e);
    full = s->pending.n >= PENDING_MAX;
    unlock(&s->mu);
    return rc == RC_OK && full ? state_commit(s, e) : rc;
}

static enum rc disk_remove(struct store *base, const struct cid *cid, struct err *e)
{
    struct disk_store *s = disk_of(base);
    struct op there, note = {.type = PACK_REMOVE, .digest = cid->digest};
    struct hash32 digest;
    enum rc rc;

    sha256(&digest, BYTES_OF(&cid->digest));
    lock(&s->mu);
    rc = state_find(s, &there, &cid->digest, e);
    if (rc == RC_OK)
        rc = state_append(s, PACK_REMOVE, &digest, BYTES_OF(&cid->digest), &note, e);
    unlock(&s->mu);
    return rc == RC_NOTFOUND ? store_not_found(cid, e) : rc;
}

/* ---- commit ---- */

struct ends {
    struct disk_store *store;
    struct pack *packs; /* a copy: seq and size as of the snapshot */
    size_t n;
};

static enum rc apply_op(struct kv_txn *txn, const struct op *op, struct err *e)
{
    uint8_t slot[SLOT_SIZE];

    switch (op->type) {
    case PACK_BLOCK:
        slot_encode(slot, op);
        return kv_put(txn, TABLE_BLOCKS, BYTES_OF(&op->digest), BYTES_OF(&slot), e);
    case PACK_REMOVE:
        return kv_del(txn, TABLE_BLOCKS, BYTES_OF(&op->digest), e);
    case PACK_PIN:
        if (op->pin_value.n == 0)
            return kv_del(txn, TABLE_PINS, op->pin_key, e);
        return kv_put(txn, TABLE_PINS, op->pin_key, op->pin_value, e);
    }
    return RC_OK;
}

static enum rc apply_all(void *ctx, struct kv_txn *txn, struct err *e)
{
    struct ends *ends = ctx;
    const struct opset *ops = &ends->store->committing;

    for (size_t i = 0; i < ops->n; i++)
        TRY(apply_op(txn, &ops->ops[i], e));
    for (size_t i = 0; i < ends->n; i++) {
        uint8_t key[8], value[8];

        store_u64be(key, ends->packs[i].seq);
        store_u64be(value, ends->packs[i].size);
        TRY(kv_put(txn, TABLE_PACKS, BYTES_OF(&key), BYTES_OF(&value), e));
    }
    return RC_OK;
}

static enum rc flush(struct disk_store *s, struct ends *ends, struct err *e)
{
    const struct pack *last = &ends->packs[ends->n - 1];

    /* Packs before the last one were synced when it was begun. */
    TRY(s->disk->sync(s->disk->ctx, last->fd, e));
    return kv_update(s->kv, apply_all, ends, e);
}

/* mu held: move pending to committing and note how far each pack goes. */
static void take_pending(struct disk_store *s, struct ends *ends)
{
    size_t first = s->packs_len - 1;

    while (first > 0 && s->packs[first].seq > s->indexed_seq)
        first--;
    ends->store = s;
    ends->n = s->packs_len - first;
    ends->packs = xmemdup(s->packs + first, ends->n * sizeof(*s->packs));
    s->committing = s->pending;
    s->pending = (struct opset){0};
    s->synced = 0;
}

enum rc state_index(struct disk_store *s, bool partial, struct err *e)
{
    struct ends ends = {0};
    enum rc rc = RC_OK;
    size_t n;
    bool any;

    lock(&s->mu);
    any = (s->pending.n != 0 || s->indexed_seq == 0) && !s->broken;
    if (s->broken)
        rc = err_set(e, RC_IO, "store: a write to disk failed earlier: restart it");
    if (any)
        take_pending(s, &ends);
    unlock(&s->mu);
    if (!any)
        return rc;
    n = ends.n;
    if (partial)
        ends.n = 0;
    rc = partial ? kv_update(s->kv, apply_all, &ends, e) : flush(s, &ends, e);
    lock(&s->mu);
    if (rc == RC_OK) {
        s->indexed_seq = partial ? 0 : ends.packs[n - 1].seq;
        opset_clear(&s->committing);
    } else {
        s->broken = true; /* committing stays: its blocks can still be read */
    }
    unlock(&s->mu);
    free(ends.packs);
    return rc;
}

enum rc state_commit(struct disk_store *s, struct err *e)
{
    enum rc rc;

    lock(&s->commit_mu);
    rc = state_index(s, false, e);
    unlock(&s->commit_mu);
    return rc;
}

/* What is in a synced pack is durable: the next start reads what the index lacks. So the index,
 * which costs two more syncs, follows only now and then. */
static enum rc sync_pending(struct disk_store *s, struct err *e)
{
    bool dirty, index;
    size_t n;
    enum rc rc;
    int fd;

    lock(&s->mu);
    n = s->pending.n;
    dirty = n > s->synced;
    index = s->broken || n >= INDEX_EVERY;
    fd = s->packs[s->packs_len - 1].fd; /* the ones before were synced when it was begun */
    unlock(&s->mu);
    if (index)
        return state_index(s, false, e);
    if (!dirty)
        return RC_OK;
    rc = s->disk->sync(s->disk->ctx, fd, e);
    lock(&s->mu);
    if (rc != RC_OK)
        s->broken = true;
    else
        s->synced = n;
    unlock(&s->mu);
    return rc;
}

/* ---- reading ---- */

static enum rc check_block(const struct pack *p, const struct op *op, const struct cid *cid,
                           const uint8_t *header, struct bytes data, struct err *e)
{
    struct pack_record r;
    struct hash32 digest;
    char text[CID_TEXT_SIZE];

    sha256(&digest, data);
    if (pack_header_decode(&r, p, header, NULL) == RC_OK && hash32_eq(&digest, &cid->digest) &&
        r.size == op->size)
        return RC_OK;
    cid_format(text, cid);
    return err_set(e, RC_CORRUPT, "block %s is damaged on disk (pack %016llx, byte %llu)", text,
                   (unsigned long long)p->seq, (unsigned long long)op->at);
}

static enum rc read_block(struct disk_store *s, const struct pack *p, const struct op *op,
                          const struct cid *cid, struct buf *out, struct err *e)
{
    const struct disk *d = s->disk;
    uint8_t header[PACK_HEADER_SIZE], *at;
    size_t old = out->n;
    char text[CID_TEXT_SIZE];
    enum rc rc;

    if (op->size > STORE_MAX_BLOCK || op->at < PACK_HEADER_SIZE) {
        cid_format(text, cid);
        return err_set(e, RC_CORRUPT, "index: bad entry for block %s", text);
    }
    at = buf_extend(out, op->size);
    rc = d->pread(d->ctx, p->fd, header, sizeof(header), op->at - PACK_HEADER_SIZE, e);
    if (rc == RC_OK)
        rc = d->pread(d->ctx, p->fd, at, op->size, op->at, e);
    if (rc == RC_OK) {
        rc = check_block(p, op, cid, header, bytes_of(at, op->size), e);
    } else {
        cid_format(text, cid);
        rc = err_wrap(e, rc, "block %s, pack %016llx", text, (unsigned long long)p->seq);
    }
    if (rc != RC_OK)
        out->n = old;
    return rc;
}

static enum rc get(struct disk_store *s, const struct cid *cid, struct buf *out, struct err *e)
{
    const struct pack *p;
    struct pack copy;
    struct op op = {.type = PACK_BLOCK};
    enum rc rc;

    lock(&s->mu);
    rc = state_find(s, &op, &cid->digest, e);
    p = rc == RC_OK ? pack_of(s, op.seq) : NULL;
    if (p != NULL)
        copy = *p;
    unlock(&s->mu);
    if (rc == RC_NOTFOUND)
        return store_not_found(cid, e);
    TRY(rc);
    if (p == NULL)
        return err_set(e, RC_CORRUPT, "index: pack %016llx is missing", (unsigned long long)op.seq);
    return read_block(s, &copy, &op, cid, out, e);
}

static enum rc disk_get(struct store *base, const struct cid *cid, struct buf *out, struct err *e)
{
    struct disk_store *s = disk_of(base);
    enum rc rc;

    CHECK(pthread_rwlock_rdlock(&s->files) == 0);
    rc = get(s, cid, out, e);
    CHECK(pthread_rwlock_unlock(&s->files) == 0);
    return rc;
}

static enum rc disk_size(struct store *base, const struct cid *cid, uint64_t *size, struct err *e)
{
    struct disk_store *s = disk_of(base);
    struct op op = {.type = PACK_BLOCK};
    enum rc rc;

    lock(&s->mu);
    rc = state_find(s, &op, &cid->digest, e);
    unlock(&s->mu);
    *size = op.size;
    return rc == RC_NOTFOUND ? store_not_found(cid, e) : rc;
}

struct each {
    store_each_fn block_fn;
    store_pin_fn pin_fn;
    void *ctx;
};

static enum rc scan_table(struct disk_store *s, unsigned table, kv_scan_fn fn, struct each *each,
                          struct err *e)
{
    struct kv_txn *txn = NULL;
    enum rc rc;

    TRY(state_commit(s, e));
    TRY(kv_read_begin(&txn, s->kv, e));
    rc = kv_scan(txn, table, bytes_of(NULL, 0), bytes_of(NULL, 0), fn, each, e);
    kv_read_end(txn);
    return rc;
}

static enum rc each_block(void *ctx, struct bytes key, struct bytes value, bool *stop,
                          struct err *e)
{
    const struct each *each = ctx;
    struct hash32 digest;
    struct op op;

    *stop = false;
    if (key.n != sizeof(digest.b))
        return err_set(e, RC_CORRUPT, "index: key of %zu bytes", key.n);
    memcpy(digest.b, key.p, sizeof(digest.b));
    TRY(state_slot_decode(&op, value, e));
    return each->block_fn(each->ctx, &digest, op.size, e);
}

static enum rc disk_each(struct store *base, store_each_fn fn, void *ctx, struct err *e)
{
    struct disk_store *s = disk_of(base);
    struct each each = {.block_fn = fn, .ctx = ctx};

    return scan_table(s, TABLE_BLOCKS, each_block, &each, e);
}

static enum rc disk_stat(struct store *base, struct store_stat *out, struct err *e)
{
    struct disk_store *s = disk_of(base);
    struct kv_txn *txn = NULL;
    enum rc rc;

    *out = (struct store_stat){0};
    TRY(state_commit(s, e));
    lock(&s->mu);
    for (size_t i = 0; i < s->packs_len; i++)
        out->disk_bytes += s->packs[i].size;
    unlock(&s->mu);
    TRY(kv_read_begin(&txn, s->kv, e));
    rc = kv_count(txn, TABLE_BLOCKS, &out->blocks, e);
    if (rc == RC_OK)
        rc = kv_count(txn, TABLE_PINS, &out->pins, e);
    kv_read_end(txn);
    return rc;
}

/* ---- pins ---- */

/* The CID without its version: 1 and 0 name the same graph. */
static struct bytes pin_key(uint8_t out[CID_BIN_MAX], const struct cid *cid)
{
    struct cid v1 = cid_v1(cid->codec, &cid->digest);

    return bytes_of(out, cid_encode(out, &v1));
}

/* Payload of a pin record: kind, CID length, CID, name. The index holds kind, version, name. */
enum rc state_pin_op(struct op *op, struct buf *keep, struct bytes payload, struct err *e)
{
    struct reader r = reader_init(payload);
    uint8_t kind = reader_u8(&r), n = reader_u8(&r), key[CID_BIN_MAX];
    struct bytes bin = reader_take(&r, n), name = reader_rest(&r), k;
    struct cid cid;

    TRY(reader_done(&r, "pin record", e));
    TRY(cid_decode(&cid, bin, e));
    if (kind > STORE_PIN_DIRECT || name.n > STORE_MAX_PIN_NAME)
        return err_set(e, RC_MALFORMED, "pin record: kind %u, name of %zu bytes", kind, name.n);
    k = pin_key(key, &cid);
    buf_put_bytes(keep, k);
    if (kind != STORE_PIN_NONE) {
        buf_u8(keep, kind);
        buf_u8(keep, cid.version);
        buf_put_bytes(keep, name);
    }
    *op = (struct op){.type = PACK_PIN,
                      .pin_key = bytes_of(keep->p, k.n),
                      .pin_value = bytes_of(keep->p + k.n, keep->n - k.n)};
    return RC_OK;
}

static enum rc disk_pin_set(struct store *base, const struct cid *cid, enum store_pin kind,
                            struct bytes name, struct err *e)
{
    struct disk_store *s = disk_of(base);
    AUTO_CLEAR(buf) struct buf payload = {0}, keep = {0};
    uint8_t bin[CID_BIN_MAX];
    struct hash32 digest;
    struct op op;
    enum rc rc;

    buf_u8(&payload, (uint8_t)kind);
    buf_u8(&payload, (uint8_t)cid_encode(bin, cid));
    buf_put(&payload, bin, payload.p[1]);
    buf_put_bytes(&payload, name);
    TRY(state_pin_op(&op, &keep, buf_bytes(&payload), e));
    sha256(&digest, buf_bytes(&payload));
    lock(&s->mu);
    rc = state_append(s, PACK_PIN, &digest, buf_bytes(&payload), &op, e);
    unlock(&s->mu);
    return rc;
}

static enum rc pin_decode(struct cid *cid, enum store_pin *kind, struct bytes *name,
                          struct bytes key, struct bytes value, struct err *e)
{
    TRY(cid_decode(cid, key, e));
    if (value.n < 2 || value.p[0] < STORE_PIN_RECURSIVE || value.p[0] > STORE_PIN_DIRECT ||
        value.p[1] > 1)
        return err_set(e, RC_CORRUPT, "index: bad pin entry");
    *kind = (enum store_pin)value.p[0];
    if (value.p[1] == 0)
        *cid = cid_v0(&cid->digest);
    *name = bytes_of(value.p + 2, value.n - 2);
    return RC_OK;
}

static enum rc disk_pin_get(struct store *base, const struct cid *cid, enum store_pin *kind,
                            struct buf *name, struct err *e)
{
    struct disk_store *s = disk_of(base);
    uint8_t key[CID_BIN_MAX];
    struct kv_txn *txn = NULL;
    struct bytes value, text = {0};
    struct cid found;
    enum rc rc;

    *kind = STORE_PIN_NONE;
    TRY(state_commit(s, e));
    TRY(kv_read_begin(&txn, s->kv, e));
    rc = kv_get(txn, TABLE_PINS, pin_key(key, cid), &value, e);
    if (rc == RC_OK)
        rc = pin_decode(&found, kind, &text, pin_key(key, cid), value, e);
    if (rc == RC_OK && name != NULL)
        buf_put_bytes(name, text);
    kv_read_end(txn);
    return rc == RC_NOTFOUND ? RC_OK : rc;
}

static enum rc each_pin(void *ctx, struct bytes key, struct bytes value, bool *stop, struct err *e)
{
    const struct each *each = ctx;
    enum store_pin kind;
    struct bytes name;
    struct cid cid;

    *stop = false;
    TRY(pin_decode(&cid, &kind, &name, key, value, e));
    return each->pin_fn(each->ctx, &cid, kind, name, e);
}

static enum rc disk_pin_each(struct store *base, store_pin_fn fn, void *ctx, struct err *e)
{
    struct disk_store *s = disk_of(base);
    struct each each = {.pin_fn = fn, .ctx = ctx};

    return scan_table(s, TABLE_PINS, each_pin, &each, e);
}

/* ---- opening ---- */

static enum rc open_pack(void *ctx, const char *name, struct err *e)
{
    struct disk_store *s = ctx;
    size_t n = strlen(name);
    char hex[24];
    struct pack p;
    uint64_t seq;
    enum rc rc;

    if (n != 21 || strcmp(name + 16, ".pack") != 0)
        return RC_OK;
    (void)snprintf(hex, sizeof(hex), "0x%.16s", name);
    TRY(parse_hex_u64(&seq, bytes_str(hex), UINT32_MAX, e));
    rc = pack_open(&p, s->disk, s->packs_dir, seq, e);
    if (rc == RC_AGAIN) /* its creation was cut off: nothing was ever in it */
        rc = pack_create(&p, s->disk, s->packs_dir, seq, e);
    TRY(rc);
    s->packs = xreallocarray(s->packs, s->packs_len + 1, sizeof(*s->packs));
    s->packs[s->packs_len++] = p;
    return RC_OK;
}

static enum rc open_all(struct disk_store *s, struct store_found *found, struct err *e)
{
    TRY(dir_make(s->packs_dir, 0700, e));
    TRY(dir_lock(&s->lock_fd, s->dir, e));
    TRY(dir_list(s->packs_dir, open_pack, s, e));
    if (s->packs_len == 0)
        TRY(add_pack(s, e));
    TRY(state_recover(s, found, e));
    s->writeback_at = s->packs[s->packs_len - 1].size;
    return RC_OK;
}

static void disk_close(struct store *base)
{
    struct disk_store *s = disk_of(base);
    struct err e;

    if (!s->broken && state_commit(s, &e) != RC_OK)
        log_error("store", "%s", e.msg);
    kv_close(s->kv);
    for (size_t i = 0; i < s->packs_len; i++)
        s->disk->close(s->disk->ctx, s->packs[i].fd);
    free(s->packs);
    opset_clear(&s->pending);
    opset_clear(&s->committing);
    buf_clear(&s->scratch);
    if (s->lock_fd >= 0)
        (void)close(s->lock_fd);
    (void)pthread_mutex_destroy(&s->mu);
    (void)pthread_mutex_destroy(&s->commit_mu);
    (void)pthread_rwlock_destroy(&s->files);
    free(s->packs_dir);
    free(s->dir);
    free(s);
}

static enum rc disk_commit(struct store *base, struct err *e)
{
    struct disk_store *s = disk_of(base);
    enum rc rc;

    lock(&s->commit_mu);
    rc = sync_pending(s, e);
    unlock(&s->commit_mu);
    return rc;
}

static enum rc disk_compact(struct store *base, uint64_t *freed, struct err *e)
{
    return state_compact(disk_of(base), freed, e);
}

static const struct store_backend DISK = {.put = disk_put,
                                          .commit = disk_commit,
                                          .get = disk_get,
                                          .size = disk_size,
                                          .remove = disk_remove,
                                          .each = disk_each,
                                          .compact = disk_compact,
                                          .pin_set = disk_pin_set,
                                          .pin_get = disk_pin_get,
                                          .pin_each = disk_pin_each,
                                          .stat = disk_stat,
                                          .close = disk_close};

enum rc store_open(struct store **out, const struct store_options *o, struct store_found *found,
                   struct err *e)
{
    struct disk_store *s = xcalloc(1, sizeof(*s));
    struct store_found ignored;
    enum rc rc;

    *out = NULL;
    if (found == NULL)
        found = &ignored;
    *found = (struct store_found){0};
    s->base.backend = &DISK;
    s->dir = xstrdup(o->dir);
    s->packs_dir = xasprintf("%s/packs", o->dir);
    s->disk = o->disk != NULL ? o->disk : disk_os();
    s->pack_size = o->pack_size != 0 ? o->pack_size : PACK_SIZE_DEFAULT;
    s->lock_fd = -1;
    CHECK(pthread_mutex_init(&s->mu, NULL) == 0);
    CHECK(pthread_mutex_init(&s->commit_mu, NULL) == 0);
    CHECK(pthread_rwlock_init(&s->files, NULL) == 0);
    rc = open_all(s, found, e);
    if (rc != RC_OK) {
        s->broken = true; /* nothing to commit */
        disk_close(&s->base);
        return err_wrap(e, rc, "store %s", o->dir);
    }
    *out = &s->base;
    return RC_OK;
}
