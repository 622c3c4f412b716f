/* Pack files: records that prove themselves. Trust: after a crash or on a bad disk any byte may be
 * anything; a record counts only if its hash fits. */
#include "store/internal/pack.h"

#include "crypto/hash.h"
#include "crypto/random.h"

#include <stdio.h>

static const uint8_t file_magic[8] = {'C', 'S', 'P', 'A', 'C', 'K', '1', '\n'};

static void pack_path(struct buf *out, const char *dir, uint64_t seq)
{
    buf_printf(out, "%s/%016llx.pack", dir, (unsigned long long)seq);
}

enum rc pack_create(struct pack *out, const struct disk *d, const char *dir, uint64_t seq,
                    struct err *e)
{
    AUTO_CLEAR(buf) struct buf path = {0};
    uint8_t header[PACK_FILE_HEADER_SIZE];
    enum rc rc;

    *out = (struct pack){.seq = seq, .fd = -1, .size = PACK_FILE_HEADER_SIZE};
    pack_path(&path, dir, seq);
    random_bytes(out->tag, sizeof(out->tag));
    memcpy(header, file_magic, sizeof(file_magic));
    memcpy(header + sizeof(file_magic), out->tag, sizeof(out->tag));
    TRY(d->open(d->ctx, &out->fd, buf_cstr(&path), true, e));
    rc = d->truncate(d->ctx, out->fd, 0, e);
    if (rc == RC_OK)
        rc = d->pwrite(d->ctx, out->fd, BYTES_OF(&header), 0, e);
    if (rc == RC_OK)
        rc = d->sync(d->ctx, out->fd, e);
    if (rc == RC_OK)
        rc = d->sync_dir(d->ctx, dir, e);
    if (rc != RC_OK) {
        d->close(d->ctx, out->fd);
        out->fd = -1;
    }
    return rc;
}

static enum rc read_file_header(struct pack *p, const struct disk *d, struct err *e)
{
    uint8_t header[PACK_FILE_HEADER_SIZE];

    TRY(d->size(d->ctx, p->fd, &p->size, e));
    if (p->size < sizeof(header))
        return err_set(e, RC_AGAIN, "pack %llu was never begun", (unsigned long long)p->seq);
    TRY(d->pread(d->ctx, p->fd, header, sizeof(header), 0, e));
    if (memcmp(header, file_magic, sizeof(file_magic)) != 0)
        return err_set(e, p->size == sizeof(header) ? RC_AGAIN : RC_CORRUPT,
                       "pack %llu: not a pack file", (unsigned long long)p->seq);
    memcpy(p->tag, header + sizeof(file_magic), sizeof(p->tag));
    return RC_OK;
}

enum rc pack_open(struct pack *out, const struct disk *d, const char *dir, uint64_t seq,
                  struct err *e)
{
    AUTO_CLEAR(buf) struct buf path = {0};
    enum rc rc;

    *out = (struct pack){.seq = seq, .fd = -1};
    pack_path(&path, dir, seq);
    TRY(d->open(d->ctx, &out->fd, buf_cstr(&path), false, e));
    rc = read_file_header(out, d, e);
    if (rc != RC_OK) {
        d->close(d->ctx, out->fd);
        out->fd = -1;
    }
    return rc;
}

enum rc pack_remove(struct pack *p, const struct disk *d, const char *dir, struct err *e)
{
    AUTO_CLEAR(buf) struct buf path = {0};

    pack_path(&path, dir, p->seq);
    d->close(d->ctx, p->fd);
    p->fd = -1;
    TRY(d->unlink(d->ctx, buf_cstr(&path), e));
    return d->sync_dir(d->ctx, dir, e);
}

void pack_header_encode(uint8_t out[PACK_HEADER_SIZE], const struct pack *p,
                        const struct pack_record *r)
{
    memcpy(out, p->tag, PACK_TAG_SIZE);
    store_u32le(out + 8, (uint32_t)r->type << 24 | r->size);
    memcpy(out + 12, r->digest.b, sizeof(r->digest.b));
}

enum rc pack_header_decode(struct pack_record *out, const struct pack *p,
                           const uint8_t in[PACK_HEADER_SIZE], struct err *e)
{
    uint32_t word = load_u32le(in + 8), type = word >> 24, size = word & 0xffffff;

    *out = (struct pack_record){.type = PACK_BLOCK};
    if (memcmp(in, p->tag, PACK_TAG_SIZE) != 0 || type < PACK_BLOCK || type > PACK_PIN ||
        size > PACK_PAYLOAD_MAX)
        return err_set(e, RC_CORRUPT, "no record header");
    out->type = (enum pack_type)type;
    out->size = size;
    memcpy(out->digest.b, in + 12, sizeof(out->digest.b));
    return RC_OK;
}

/* RC_CORRUPT: the bytes at `at` are no whole record. */
static enum rc read_record(const struct disk *d, const struct pack *p, uint64_t at,
                           struct pack_record *r, struct buf *payload, struct err *e)
{
    uint8_t header[PACK_HEADER_SIZE];
    struct hash32 digest;

    if (p->size - at < PACK_HEADER_SIZE)
        return err_set(e, RC_CORRUPT, "cut inside a header");
    TRY(d->pread(d->ctx, p->fd, header, sizeof(header), at, e));
    TRY(pack_header_decode(r, p, header, e));
    if (r->size > p->size - at - PACK_HEADER_SIZE)
        return err_set(e, RC_CORRUPT, "cut inside a payload");
    buf_reset(payload);
    TRY(d->pread(d->ctx, p->fd, buf_extend(payload, r->size), r->size, at + PACK_HEADER_SIZE, e));
    sha256(&digest, buf_bytes(payload));
    if (!hash32_eq(&digest, &r->digest))
        return err_set(e, RC_CORRUPT, "hash does not fit");
    return RC_OK;
}

/* Where the tag appears next at or behind `at`; the pack's size if it does not. */
static enum rc find_tag(const struct disk *d, const struct pack *p, uint64_t *at, struct err *e)
{
    AUTO_CLEAR(buf) struct buf window = {0};

    while (p->size - *at >= PACK_HEADER_SIZE) {
        size_t n = p->size - *at < PACK_PAYLOAD_MAX ? (size_t)(p->size - *at) : PACK_PAYLOAD_MAX;
        const uint8_t *hit;

        buf_reset(&window);
        TRY(d->pread(d->ctx, p->fd, buf_extend(&window, n), n, *at, e));
        hit = memmem(window.p, n, p->tag, PACK_TAG_SIZE);
        if (hit != NULL) {
            *at += (size_t)(hit - window.p);
            return RC_OK;
        }
        *at += n - PACK_TAG_SIZE + 1;
    }
    *at = p->size;
    return RC_OK;
}

enum rc pack_scan(struct pack_scan *out, const struct disk *d, const struct pack *p, uint64_t from,
                  pack_fn fn, void *ctx, struct err *e)
{
    AUTO_CLEAR(buf) struct buf payload = {0};
    uint64_t at = from < PACK_FILE_HEADER_SIZE ? PACK_FILE_HEADER_SIZE : from;

    *out = (struct pack_scan){.end = at};
    while (at < p->size) {
        struct pack_record r;
        enum rc rc = read_record(d, p, at, &r, &payload, e);

        if (rc == RC_CORRUPT) {
            at++;
            TRY(find_tag(d, p, &at, e));
            continue;
        }
        TRY(rc);
        TRY(fn(ctx, p, &r, at + PACK_HEADER_SIZE, buf_bytes(&payload), e));
        out->damaged += at - out->end;
        at += PACK_HEADER_SIZE + r.size;
        out->end = at;
    }
    return RC_OK;
}
