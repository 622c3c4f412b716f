/* store/internal/backend.h - what keeps the blocks and pins behind a struct store: packs on this
 * machine's disk (store.c), or a Kubo node (kubo.c). The functions of store/store.h check sizes and
 * hashes and then call these; each says there what it does. Private to store. */
#pragma once

#include "store/dag.h"
#include "store/store.h"

struct store_backend {
    enum rc (*put)(struct store *s, const struct cid *cid, struct bytes data, struct err *e);
    enum rc (*commit)(struct store *s, struct err *e);
    enum rc (*get)(struct store *s, const struct cid *cid, struct buf *out, struct err *e);
    enum rc (*size)(struct store *s, const struct cid *cid, uint64_t *size, struct err *e);
    enum rc (*remove)(struct store *s, const struct cid *cid, struct err *e);
    enum rc (*each)(struct store *s, store_each_fn fn, void *ctx, struct err *e);
    /* NULL: nothing of the kind is needed. */
    enum rc (*compact)(struct store *s, uint64_t *freed, struct err *e);
    /* As dag_collect, for a backend that has pins and roots of its own to look at. NULL: what the
     * pins of this store do not reach goes. */
    enum rc (*collect)(struct store *s, dag_visit_fn fn, void *ctx, uint64_t *removed,
                       struct err *e);
    enum rc (*pin_set)(struct store *s, const struct cid *cid, enum store_pin kind,
                       struct bytes name, struct err *e);
    enum rc (*pin_get)(struct store *s, const struct cid *cid, enum store_pin *kind,
                       struct buf *name, struct err *e);
    enum rc (*pin_each)(struct store *s, store_pin_fn fn, void *ctx, struct err *e);
    enum rc (*stat)(struct store *s, struct store_stat *out, struct err *e);
    void (*close)(struct store *s);
};

/* The first member of what a backend keeps. */
struct store {
    const struct store_backend *backend;
};

/* "block CID is not here". */
enum rc store_not_found(const struct cid *cid, struct err *e);
