/* The store's functions over whatever keeps the blocks. Must not: let a block in that is too large
 * or, where the caller has not hashed it, has another hash. */
#include "store/internal/backend.h"

#include "crypto/hash.h"

enum rc store_not_found(const struct cid *cid, struct err *e)
{
    char text[CID_TEXT_SIZE];

    cid_format(text, cid);
    return err_set(e, RC_NOTFOUND, "block %s is not here", text);
}

enum rc store_put_hashed(struct store *s, const struct cid *cid, struct bytes data, struct err *e)
{
    if (data.n > STORE_MAX_BLOCK)
        return err_set(e, RC_LIMIT, "block of %zu bytes, the limit is %zu", data.n,
                       STORE_MAX_BLOCK);
    return s->backend->put(s, cid, data, e);
}

enum rc store_put(struct store *s, const struct cid *cid, struct bytes data, struct err *e)
{
    struct hash32 digest;
    char text[CID_TEXT_SIZE];

    if (data.n <= STORE_MAX_BLOCK) {
        sha256(&digest, data);
        cid_format(text, cid);
        if (!hash32_eq(&digest, &cid->digest))
            return err_set(e, RC_CORRUPT, "%s: %zu bytes with another hash", text, data.n);
    }
    return store_put_hashed(s, cid, data, e);
}

enum rc store_commit(struct store *s, struct err *e)
{
    return s->backend->commit(s, e);
}

enum rc store_get(struct store *s, const struct cid *cid, struct buf *out, struct err *e)
{
    return s->backend->get(s, cid, out, e);
}

enum rc store_get_fn(void *ctx, const struct cid *cid, struct buf *out, struct err *e)
{
    return store_get(ctx, cid, out, e);
}

enum rc store_size(struct store *s, const struct cid *cid, uint64_t *size, struct err *e)
{
    return s->backend->size(s, cid, size, e);
}

enum rc store_remove(struct store *s, const struct cid *cid, struct err *e)
{
    return s->backend->remove(s, cid, e);
}

enum rc store_each(struct store *s, store_each_fn fn, void *ctx, struct err *e)
{
    return s->backend->each(s, fn, ctx, e);
}

enum rc store_compact(struct store *s, uint64_t *freed, struct err *e)
{
    *freed = 0;
    return s->backend->compact != NULL ? s->backend->compact(s, freed, e) : RC_OK;
}

enum rc store_pin_set(struct store *s, const struct cid *cid, enum store_pin kind,
                      struct bytes name, struct err *e)
{
    if (name.n > STORE_MAX_PIN_NAME)
        return err_set(e, RC_LIMIT, "pin name of %zu bytes, the limit is %d", name.n,
                       STORE_MAX_PIN_NAME);
    return s->backend->pin_set(s, cid, kind, name, e);
}

enum rc store_pin_get(struct store *s, const struct cid *cid, enum store_pin *kind,
                      struct buf *name, struct err *e)
{
    return s->backend->pin_get(s, cid, kind, name, e);
}

enum rc store_pin_each(struct store *s, store_pin_fn fn, void *ctx, struct err *e)
{
    return s->backend->pin_each(s, fn, ctx, e);
}

enum rc store_stat(struct store *s, struct store_stat *out, struct err *e)
{
    return s->backend->stat(s, out, e);
}

void store_close(struct store *s)
{
    if (s != NULL)
        s->backend->close(s);
}
