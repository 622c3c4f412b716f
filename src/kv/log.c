#include "kv/log.h"

#include "base/hex.h"
#include "base/log.h"
#include "base/num.h"
#include "os/file.h"

#include <pthread.h>
#include <stdio.h>

#define MAGIC 0x31524c43u /* "CLR1" */
#define ALIGN 16
#define DEFAULT_SEGMENT_SIZE (256ull << 20)
#define NAME_SIZE 20 /* 16 digits and ".log" */
#define SCAN_CHUNK (4u << 20)

struct segment {
    uint64_t first; /* offset of its first byte */
    uint64_t size;
    int fd; /* -1: not opened yet */
};

struct record_log {
    char *dir;
    const struct disk *disk;
    uint64_t segment_size;
    bool read_only;
    bool broken;   /* a write failed: what the file holds is unknown */
    bool unsynced; /* the last record is not durable yet */
    struct buf frame;
    /* Guards what follows: the writer changes it, readers look. */
    pthread_mutex_t lock;
    struct segment *segs; /* ascending, without gaps */
    size_t n_segs, cap_segs;
    uint64_t end;
};

static size_t padded(size_t n)
{
    return (n + (ALIGN - 1)) & ~(size_t)(ALIGN - 1);
}

static char *segment_path(const struct record_log *log, uint64_t first)
{
    return xasprintf("%s/%016llx.log", log->dir, (unsigned long long)first);
}

static void header_make(uint8_t h[RECORD_HEADER_SIZE], struct bytes data)
{
    store_u32le(h, MAGIC);
    store_u32le(h + 4, (uint32_t)data.n);
    store_u32le(h + 8, crc32c(0, data));
    store_u32le(h + 12, crc32c(0, bytes_of(h, 12)));
}

static bool all_zero(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] != 0)
            return false;
    return true;
}

/* RC_OK with the length of the data; RC_AGAIN: never written; RC_CORRUPT. */
static enum rc header_parse(struct bytes h, size_t *n, struct err *e)
{
    *n = 0;
    /* The file got longer but the sector of the header was not written: it reads as zeros. */
    if (all_zero(h))
        return err_set(e, RC_AGAIN, "no record header");
    if (load_u32le(h.p + 12) != crc32c(0, bytes_of(h.p, 12)) || load_u32le(h.p) != MAGIC)
        return err_set(e, RC_CORRUPT, "damaged record header");
    *n = load_u32le(h.p + 4);
    if (*n == 0 || *n > RECORD_MAX_SIZE)
        return err_set(e, RC_CORRUPT, "record of %zu bytes, limit %u", *n, RECORD_MAX_SIZE);
    return RC_OK;
}

enum rc record_parse(struct bytes in, struct bytes *data, size_t *size, struct err *e)
{
    size_t n, total;

    *data = bytes_of(NULL, 0);
    *size = 0;
    if (in.n < RECORD_HEADER_SIZE)
        return err_set(e, RC_AGAIN, "%zu bytes of a record header", in.n);
    if (header_parse(bytes_of(in.p, RECORD_HEADER_SIZE), &n, e) == RC_CORRUPT)
        return RC_CORRUPT;
    if (n == 0) {
        /* What follows can only be the rest of the one record that was not synced. */
        if (in.n > RECORD_HEADER_SIZE + (size_t)RECORD_MAX_SIZE + ALIGN)
            return err_set(e, RC_CORRUPT, "%zu bytes without a record header", in.n);
        return RC_AGAIN;
    }
    total = RECORD_HEADER_SIZE + padded(n);
    if (in.n < total)
        return err_set(e, RC_AGAIN, "%zu of %zu bytes of a record", in.n, total);
    *data = bytes_of(in.p + RECORD_HEADER_SIZE, n);
    if (crc32c(0, *data) != load_u32le(in.p + 8) ||
        !all_zero(bytes_of(in.p + RECORD_HEADER_SIZE + n, padded(n) - n))) {
        *data = bytes_of(NULL, 0);
        /* A later record is only ever written after this one was synced. */
        if (in.n > total)
            return err_set(e, RC_CORRUPT, "damaged record, with others after it");
        return err_set(e, RC_AGAIN, "incomplete record");
    }
    *size = total;
    return RC_OK;
}

/* ---- opening -----------------------------------------------------------------------------------
 */

static struct segment *add_segment(struct record_log *log, uint64_t first, int fd, uint64_t size)
{
    if (log->n_segs == log->cap_segs) {
        log->cap_segs = log->cap_segs == 0 ? 16 : log->cap_segs * 2;
        log->segs = xreallocarray(log->segs, log->cap_segs, sizeof(*log->segs));
    }
    log->segs[log->n_segs] = (struct segment){first, size, fd};
    return &log->segs[log->n_segs++];
}

static enum rc open_segment(struct record_log *log, struct segment *s, struct err *e)
{
    AUTO_FREE char *path = segment_path(log, s->first);

    if (s->fd >= 0)
        return RC_OK;
    return log->disk->open(log->disk->ctx, &s->fd, path, false, e);
}

static enum rc found_name(void *ctx, const char *name, struct err *e)
{
    struct record_log *log = ctx;
    char text[NAME_SIZE] = "0x";
    uint64_t first;
    struct segment *s;

    if (strlen(name) != NAME_SIZE || strcmp(name + 16, ".log") != 0)
        return RC_OK;
    memcpy(text + 2, name, 16);
    if (parse_hex_u64(&first, bytes_of(text, 18), UINT64_MAX, NULL) != RC_OK)
        return RC_OK;
    s = add_segment(log, first, -1, 0);
    TRY(open_segment(log, s, e));
    TRY(log->disk->size(log->disk->ctx, s->fd, &s->size, e));
    return RC_OK;
}

/* Find the end of the last segment; *good becomes what is good of it, *last where its last record
 * begins. */
static enum rc scan_tail(struct record_log *log, struct segment *s, uint64_t *good, uint64_t *last,
                         struct err *e)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    uint64_t at = 0; /* where b starts in the segment */
    size_t want = SCAN_CHUNK;

    *good = *last = 0;
    while (at < s->size) {
        uint64_t left = s->size - at;
        size_t n = left < want ? (size_t)left : want;
        struct bytes data, in;
        size_t size, used = 0;
        enum rc rc = RC_OK;

        buf_reset(&b);
        TRY(log->disk->pread(log->disk->ctx, s->fd, buf_extend(&b, n), n, at, e));
        in = buf_bytes(&b);
        while (used < n) {
            rc = record_parse(bytes_of(in.p + used, n - used), &data, &size, e);
            if (rc != RC_OK)
                break;
            *last = at + used;
            used += size;
        }
        at += used;
        *good = at;
        if (rc == RC_OK)
            continue;
        /* Judge with the whole rest of the segment in sight. */
        if (n < left) {
            want = used != 0 ? SCAN_CHUNK : want * 2;
            continue;
        }
        if (rc == RC_AGAIN)
            return RC_OK;
        return err_wrap(e, rc, "%s at offset %llu", log->dir, (unsigned long long)(s->first + at));
    }
    return RC_OK;
}

static enum rc check_gaps(const struct record_log *log, struct err *e)
{
    for (size_t i = 0; i + 1 < log->n_segs; i++)
        if (log->segs[i].first + log->segs[i].size != log->segs[i + 1].first)
            return err_set(
                e, RC_CORRUPT, "%s: segment %016llx is %llu bytes, but the next starts at %016llx",
                log->dir, (unsigned long long)log->segs[i].first,
                (unsigned long long)log->segs[i].size, (unsigned long long)log->segs[i + 1].first);
    return RC_OK;
}

static enum rc new_segment(struct record_log *log, uint64_t first, struct err *e)
{
    AUTO_FREE char *path = segment_path(log, first);
    int fd;

    TRY(log->disk->open(log->disk->ctx, &fd, path, true, e));
    (void)pthread_mutex_lock(&log->lock);
    (void)add_segment(log, first, fd, 0);
    (void)pthread_mutex_unlock(&log->lock);
    /* The name must last before a record in it is called durable. */
    return log->disk->sync_dir(log->disk->ctx, log->dir, e);
}

/* The last record may be one whose sync failed before a restart: then it is in the system's cache,
 * which takes it for written, and nowhere else. Written again it is what a sync syncs. The records
 * before it were synced before it was written. */
static enum rc write_again(struct record_log *log, const struct segment *s, uint64_t from,
                           uint64_t to, struct err *e)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    size_t n = (size_t)(to - from);

    TRY(log->disk->sync_dir(log->disk->ctx, log->dir,
                            e)); /* the segment's name, for the same reason */
    if (n == 0)
        return RC_OK;
    TRY(log->disk->pread(log->disk->ctx, s->fd, buf_extend(&b, n), n, from, e));
    TRY(log->disk->pwrite(log->disk->ctx, s->fd, buf_bytes(&b), from, e));
    return log->disk->sync(log->disk->ctx, s->fd, e);
}

static enum rc recover(struct record_log *log, struct record_log_found *found, struct err *e)
{
    struct segment *last;
    uint64_t good, record;

    TRY(dir_list(log->dir, found_name, log, e));
    TRY(check_gaps(log, e));
    if (log->n_segs == 0) {
        if (log->read_only)
            return err_set(e, RC_NOTFOUND, "%s: no log", log->dir);
        TRY(new_segment(log, 0, e));
    }
    last = &log->segs[log->n_segs - 1];
    TRY(scan_tail(log, last, &good, &record, e));
    *found = (struct record_log_found){log->segs[0].first, last->first + good, last->size - good};
    if (found->cut_bytes != 0 && !log->read_only) {
        log_warn("kv", "%s: cut %llu bytes of an unfinished record at offset %llu", log->dir,
                 (unsigned long long)found->cut_bytes, (unsigned long long)found->end);
        TRY(log->disk->truncate(log->disk->ctx, last->fd, good, e));
        TRY(log->disk->sync(log->disk->ctx, last->fd, e));
    }
    if (!log->read_only)
        TRY(write_again(log, last, record, good, e));
    last->size = good;
    log->end = found->end;
    return RC_OK;
}

enum rc record_log_open(struct record_log **out, const struct record_log_options *o,
                        struct record_log_found *found, struct err *e)
{
    struct record_log *log;
    enum rc rc;

    *out = NULL;
    *found = (struct record_log_found){0};
    if (!o->read_only)
        TRY(dir_make(o->dir, 0700, e));
    log = xcalloc(1, sizeof(*log));
    log->dir = xstrdup(o->dir);
    log->disk = o->disk != NULL ? o->disk : disk_os();
    log->segment_size = o->segment_size != 0 ? o->segment_size : DEFAULT_SEGMENT_SIZE;
    log->read_only = o->read_only;
    CHECK(pthread_mutex_init(&log->lock, NULL) == 0);
    rc = recover(log, found, e);
    if (rc != RC_OK) {
        record_log_close(log);
        return rc;
    }
    *out = log;
    return RC_OK;
}

void record_log_close(struct record_log *log)
{
    if (log == NULL)
        return;
    for (size_t i = 0; i < log->n_segs; i++)
        if (log->segs[i].fd >= 0)
            log->disk->close(log->disk->ctx, log->segs[i].fd);
    free(log->segs);
    buf_clear(&log->frame);
    (void)pthread_mutex_destroy(&log->lock);
    free(log->dir);
    free(log);
}

/* ---- writing -----------------------------------------------------------------------------------
 */

enum rc record_log_sync(struct record_log *log, struct err *e)
{
    enum rc rc;

    if (!log->unsynced)
        return RC_OK;
    rc = log->disk->sync(log->disk->ctx, log->segs[log->n_segs - 1].fd, e);
    if (rc != RC_OK) {
        log->broken = true;
        return err_wrap(e, rc, "%s", log->dir);
    }
    log->unsynced = false;
    return RC_OK;
}

static enum rc append(struct record_log *log, struct bytes data, struct err *e)
{
    struct segment *s = &log->segs[log->n_segs - 1];

    TRY(record_log_sync(log, e));
    if (s->size >= log->segment_size) {
        TRY(new_segment(log, log->end, e));
        s = &log->segs[log->n_segs - 1];
    }
    buf_reset(&log->frame);
    header_make(buf_extend(&log->frame, RECORD_HEADER_SIZE), data);
    buf_put_bytes(&log->frame, data);
    buf_put_zero(&log->frame, padded(data.n) - data.n);
    return log->disk->pwrite(log->disk->ctx, s->fd, buf_bytes(&log->frame), s->size, e);
}

enum rc record_log_append(struct record_log *log, struct bytes data, uint64_t *offset,
                          struct err *e)
{
    enum rc rc;

    *offset = 0;
    if (data.n == 0 || data.n > RECORD_MAX_SIZE)
        return err_set(e, RC_LIMIT, "record of %zu bytes, limit %u", data.n, RECORD_MAX_SIZE);
    if (log->read_only || log->broken)
        return err_set(e, RC_IO, "%s: %s", log->dir,
                       log->broken ? "a write failed earlier" : "opened for reading");
    rc = append(log, data, e);
    if (rc != RC_OK) {
        log->broken = true;
        return err_wrap(e, rc, "%s", log->dir);
    }
    log->unsynced = true;
    (void)pthread_mutex_lock(&log->lock);
    *offset = log->end;
    log->end += log->frame.n;
    log->segs[log->n_segs - 1].size += log->frame.n;
    (void)pthread_mutex_unlock(&log->lock);
    return RC_OK;
}

enum rc record_log_drop_front(struct record_log *log, uint64_t offset, struct err *e)
{
    enum rc rc = RC_OK;
    size_t n = 0;

    (void)pthread_mutex_lock(&log->lock);
    while (rc == RC_OK && n + 1 < log->n_segs && log->segs[n + 1].first <= offset) {
        AUTO_FREE char *path = segment_path(log, log->segs[n].first);

        rc = log->disk->unlink(log->disk->ctx, path, e);
        if (rc == RC_OK && log->segs[n].fd >= 0)
            log->disk->close(log->disk->ctx, log->segs[n].fd);
        n += rc == RC_OK;
    }
    memmove(log->segs, log->segs + n, (log->n_segs - n) * sizeof(*log->segs));
    log->n_segs -= n;
    (void)pthread_mutex_unlock(&log->lock);
    if (rc == RC_OK && n != 0)
        rc = log->disk->sync_dir(log->disk->ctx, log->dir, e);
    return rc;
}

/* ---- reading -----------------------------------------------------------------------------------
 */

/* The segment with `offset`: its descriptor, the place in it, and its size. */
static enum rc locate(struct record_log *log, uint64_t offset, int *fd, uint64_t *at,
                      uint64_t *size, struct err *e)
{
    size_t lo = 0, hi;
    struct segment *s;
    enum rc rc;

    (void)pthread_mutex_lock(&log->lock);
    hi = log->n_segs;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;

        *(log->segs[mid].first <= offset ? &lo : &hi) = mid;
    }
    s = &log->segs[lo];
    if (offset < s->first || offset >= log->end) {
        rc = err_set(e, RC_NOTFOUND, "%s: no record at offset %llu", log->dir,
                     (unsigned long long)offset);
    } else {
        rc = open_segment(log, s, e);
        *fd = s->fd;
        *at = offset - s->first;
        *size = s->size;
    }
    (void)pthread_mutex_unlock(&log->lock);
    return rc;
}

static enum rc corrupt_at(const struct record_log *log, uint64_t offset, struct err *e)
{
    return err_wrap(e, RC_CORRUPT, "%s at offset %llu", log->dir, (unsigned long long)offset);
}

enum rc record_log_read(struct record_log *log, uint64_t offset, struct buf *out, uint64_t *next,
                        struct err *e)
{
    uint8_t h[RECORD_HEADER_SIZE];
    uint64_t at = 0, size = 0;
    size_t n, before = out->n;
    enum rc rc;
    int fd = -1;

    TRY(locate(log, offset, &fd, &at, &size, e));
    if (at % ALIGN != 0 || size - at < RECORD_HEADER_SIZE)
        return err_set(e, RC_CORRUPT, "%s: no record starts at offset %llu", log->dir,
                       (unsigned long long)offset);
    TRY(log->disk->pread(log->disk->ctx, fd, h, sizeof(h), at, e));
    if (header_parse(bytes_of(h, sizeof(h)), &n, e) != RC_OK)
        return corrupt_at(log, offset, e);
    if (size - at - RECORD_HEADER_SIZE < padded(n)) {
        (void)!err_set(e, RC_CORRUPT, "record of %zu bytes leaves its segment", n);
        return corrupt_at(log, offset, e);
    }
    rc = log->disk->pread(log->disk->ctx, fd, buf_reserve(out, n), n, at + RECORD_HEADER_SIZE, e);
    if (rc != RC_OK)
        return rc;
    out->n += n;
    if (crc32c(0, bytes_of(out->p + before, n)) != load_u32le(h + 8)) {
        out->n = before;
        (void)!err_set(e, RC_CORRUPT, "damaged record");
        return corrupt_at(log, offset, e);
    }
    if (next != NULL)
        *next = offset + RECORD_HEADER_SIZE + padded(n);
    return RC_OK;
}

uint64_t record_log_first(struct record_log *log)
{
    uint64_t v;

    (void)pthread_mutex_lock(&log->lock);
    v = log->segs[0].first;
    (void)pthread_mutex_unlock(&log->lock);
    return v;
}

uint64_t record_log_end(struct record_log *log)
{
    uint64_t v;

    (void)pthread_mutex_lock(&log->lock);
    v = log->end;
    (void)pthread_mutex_unlock(&log->lock);
    return v;
}

enum rc record_log_check(struct record_log *log, uint64_t *n_records, struct err *e)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    uint64_t end = record_log_end(log);

    *n_records = 0;
    for (uint64_t at = record_log_first(log); at < end; (*n_records)++) {
        buf_reset(&b);
        TRY(record_log_read(log, at, &b, &at, e));
    }
    return RC_OK;
}
