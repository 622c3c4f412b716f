/* store/store.h - content-addressed blocks on disk: append-only packs, which hold everything, and
 * an LMDB index, which can be made again from them. Trust: the disk may return damaged bytes: every
 * block is hashed when it is read. What was put is durable when store_commit() has returned RC_OK.
 * A folder belongs to one process. All functions are thread-safe. store/kubo.h opens a store of
 * the same functions whose blocks a Kubo node keeps. */
#pragma once

#include "base/buf.h"
#include "codec/cid.h"
#include "os/disk.h"

#define STORE_MAX_BLOCK ((size_t)2 << 20) /* bytes; Kubo's and Bitswap's limit */
#define STORE_MAX_PIN_NAME 255            /* bytes */

struct store;

struct store_options {
    const char *dir;         /* made if absent */
    const struct disk *disk; /* for the packs; NULL: disk_os() */
    uint64_t pack_size;      /* bytes at which a new pack is begun; 0: 1 GiB */
};

/* What opening found. */
struct store_found {
    uint64_t recovered; /* records that were on disk but not in the index */
    uint64_t cut_bytes; /* torn tail that was cut off */
    bool rebuilt;       /* the index was made anew from all packs */
};

/* found may be NULL. RC_EXISTS: another process has the folder. RC_CORRUPT: damage in the middle of
 * a pack while the index is being made anew (pack and offset named). RC_LIMIT: disk full; RC_IO. */
enum rc store_open(struct store **out, const struct store_options *o, struct store_found *found,
                   struct err *e);
/* Commits what is pending. NULL is fine. */
void store_close(struct store *s);

/* Append a block, unless it is there. The digest in cid must be that of data: the caller has hashed
 * it (store_put_hashed does not do it again); store_put checks: RC_CORRUPT if it is not.
 * RC_LIMIT: larger than STORE_MAX_BLOCK, or disk full; RC_IO. */
enum rc store_put(struct store *s, const struct cid *cid, struct bytes data, struct err *e);
enum rc store_put_hashed(struct store *s, const struct cid *cid, struct bytes data, struct err *e);
/* Make all that was put, removed or pinned before this call durable. Callers that wait at the same
 * time share one flush. After RC_IO the store takes no more writes until it is opened again. */
enum rc store_commit(struct store *s, struct err *e);

/* Append the block to out, verified. RC_NOTFOUND; RC_CORRUPT: damaged on disk (names CID, pack and
 * offset); RC_IO. */
enum rc store_get(struct store *s, const struct cid *cid, struct buf *out, struct err *e);
/* As unixfs_get_fn: ctx is the store. */
enum rc store_get_fn(void *ctx, const struct cid *cid, struct buf *out, struct err *e);
/* Size in bytes without reading it. RC_NOTFOUND. */
enum rc store_size(struct store *s, const struct cid *cid, uint64_t *size, struct err *e);
/* Copy what is still of use out of packs that are mostly dead (and more than 1/32 of a pack), and
 * take those packs away; *freed: bytes of disk won. Anything else may run meanwhile. A pack with
 * damaged bytes stays. At any moment a crash leaves every block and pin as it was. RC_LIMIT: no
 * room for the copies; RC_IO. */
enum rc store_compact(struct store *s, uint64_t *freed, struct err *e);
/* Forget a block (its bytes stay in the pack until store_compact). RC_NOTFOUND. Pins are not looked
 * at. */
enum rc store_remove(struct store *s, const struct cid *cid, struct err *e);
/* Call fn for each block's digest; fn must not call the store. size: 0 if a Kubo node keeps the
 * blocks. */
typedef enum rc (*store_each_fn)(void *ctx, const struct hash32 *digest, uint64_t size,
                                 struct err *e);
enum rc store_each(struct store *s, store_each_fn fn, void *ctx, struct err *e);

enum store_pin { STORE_PIN_NONE = 0, STORE_PIN_RECURSIVE = 1, STORE_PIN_DIRECT = 2 };

/* Set or take away (STORE_PIN_NONE) the pin of a root. Not durable before store_commit. Whether the
 * blocks are there is not looked at: see dag_pin. RC_LIMIT: name too long. */
enum rc store_pin_set(struct store *s, const struct cid *cid, enum store_pin kind,
                      struct bytes name, struct err *e);
/* Looks without regard to the CID's version. name may be NULL. */
enum rc store_pin_get(struct store *s, const struct cid *cid, enum store_pin *kind,
                      struct buf *name, struct err *e);
/* In order of the CID's bytes; fn must not call the store. */
typedef enum rc (*store_pin_fn)(void *ctx, const struct cid *cid, enum store_pin kind,
                                struct bytes name, struct err *e);
enum rc store_pin_each(struct store *s, store_pin_fn fn, void *ctx, struct err *e);

struct store_stat {
    uint64_t blocks;
    uint64_t disk_bytes; /* of all packs; Kubo: of its repository */
    uint64_t pins;
};
enum rc store_stat(struct store *s, struct store_stat *out, struct err *e);
