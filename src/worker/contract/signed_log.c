#include "worker/contract/signed_log.h"

#include "base/mem.h"
#include "base/reader.h"
#include "os/file.h"

#include <string.h>

/* version 1, then the commit, as put() writes it; one after another */
#define RECORD_SIZE (1 + 6 * 8 + 4 * 32)
#define SIGNED_MAX 64 /* ends that one round was begun with; then the oldest is forgotten */

static void put(struct buf *out, const struct cluster_commit *c)
{
    buf_u8(out, 1);
    buf_u64be(out, c->cluster);
    buf_u64be(out, c->epoch);
    buf_u64be(out, c->first_batch);
    buf_u64be(out, c->end_batch);
    buf_u64be(out, c->first_index);
    buf_u64be(out, c->end_index);
    buf_put_bytes(out, BYTES_OF(&c->queue_hash));
    buf_put_bytes(out, BYTES_OF(&c->previous_root));
    buf_put_bytes(out, BYTES_OF(&c->new_root));
    buf_put_bytes(out, BYTES_OF(&c->outbox_digest));
}

static struct hash32 get_hash32(struct reader *r)
{
    struct hash32 h;

    reader_copy(r, h.b, sizeof(h.b));
    return h;
}

static enum rc damaged(const char *path, struct err *e)
{
    return err_set(e, RC_CORRUPT,
                   "%s is damaged: what this worker signed last is not known, and signing on could "
                   "convict it",
                   path);
}

static enum rc get(struct cluster_commit *c, struct bytes in, const char *path, struct err *e)
{
    struct reader r = reader_init(in);
    uint8_t version = reader_u8(&r);

    c->cluster = reader_u64be(&r);
    c->epoch = reader_u64be(&r);
    c->first_batch = reader_u64be(&r);
    c->end_batch = reader_u64be(&r);
    c->first_index = reader_u64be(&r);
    c->end_index = reader_u64be(&r);
    c->queue_hash = get_hash32(&r);
    c->previous_root = get_hash32(&r);
    c->new_root = get_hash32(&r);
    c->outbox_digest = get_hash32(&r);
    return reader_done(&r, "record", NULL) != RC_OK || version != 1 ? damaged(path, e) : RC_OK;
}

static bool is_same_range(const struct cluster_commit *a, const struct cluster_commit *b)
{
    return a->first_batch == b->first_batch && a->end_batch == b->end_batch &&
           hash32_eq(&a->queue_hash, &b->queue_hash);
}

/* The epoch is no part of the result: the same one may be signed again in a newer one. */
static bool contradicts(const struct cluster_commit *a, const struct cluster_commit *b)
{
    return is_same_range(a, b) && !(hash32_eq(&a->previous_root, &b->previous_root) &&
                                    hash32_eq(&a->new_root, &b->new_root) &&
                                    hash32_eq(&a->outbox_digest, &b->outbox_digest));
}

/* All that was signed from one batch on: rounds may be begun again with another end. */
static enum rc read_all(struct cluster_commit all[SIGNED_MAX], size_t *n, const char *path,
                        struct err *e)
{
    AUTO_CLEAR(buf) struct buf old = {0};

    *n = 0;
    if (!file_exists(path))
        return RC_OK;
    TRY(file_read(&old, path, SIGNED_MAX * RECORD_SIZE + 1, e));
    if (old.n == 0 || old.n % RECORD_SIZE != 0)
        return damaged(path, e);
    for (; *n < old.n / RECORD_SIZE; (*n)++)
        TRY(get(&all[*n], bytes_of(old.p + *n * RECORD_SIZE, RECORD_SIZE), path, e));
    return RC_OK;
}

enum rc signed_log_add(const char *dir, const struct cluster_commit *c, struct err *e)
{
    AUTO_FREE char *path =
        xasprintf("%s/clusters/%llu.signed", dir, (unsigned long long)c->cluster);
    AUTO_CLEAR(buf) struct buf records = {0};
    struct cluster_commit all[SIGNED_MAX];
    size_t n;

    TRY(read_all(all, &n, path, e));
    for (size_t i = 0; i < n; i++) {
        if (c->first_batch < all[i].first_batch)
            return err_set(e, RC_DENIED,
                           "cluster %llu: batches from %llu on were signed, so those from %llu on "
                           "are confirmed; a chain that does not know went back",
                           (unsigned long long)c->cluster, (unsigned long long)all[i].first_batch,
                           (unsigned long long)c->first_batch);
        if (contradicts(&all[i], c))
            return err_set(e, RC_DENIED,
                           "cluster %llu: another result was signed for batches %llu to %llu",
                           (unsigned long long)c->cluster, (unsigned long long)c->first_batch,
                           (unsigned long long)c->end_batch);
    }
    for (size_t i = n == SIGNED_MAX ? 1 : 0; i < n; i++)
        if (all[i].first_batch == c->first_batch && !is_same_range(&all[i], c))
            put(&records, &all[i]);
    put(&records, c);
    return file_write_atomic(path, buf_bytes(&records), 0600, e);
}
