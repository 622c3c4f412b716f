/* client/store_client.h - put files into and get files out of a content store: Kubo's RPC for
 * writing (/api/v0), a trustless gateway or block/get for reading.
 * Trust: the store is hostile. What is read is checked against the CID block by block before it is
 * handed out; what is added is hashed here too, so a store that answers another CID is named.
 * One thread at a time a client. */
#pragma once

#include "base/buf.h"
#include "codec/cid.h"
#include "codec/unixfs.h"
#include "net/http_client.h"

struct store_client;

struct store_client_config {
    const char *rpc_url;     /* "http://127.0.0.1:5001"; NULL: reading only */
    const char *gateway_url; /* "http://127.0.0.1:8080"; NULL: read through the RPC */
    unsigned timeout_ms;     /* for a block [30,000] */
};

/* RC_MALFORMED: neither URL is given. */
enum rc store_client_new(struct store_client **out, const struct store_client_config *config,
                         struct err *e);
void store_client_free(struct store_client *c);
/* As http_client_stop_on. */
void store_client_stop_on(struct store_client *c, const atomic_bool *stop);

/* Add a file in the unixfs-v1-2025 layout (raw leaves, 1 MiB chunks, CIDv1) and pin it; `source` is
 * called until it gives 0 bytes. Any size in bounded memory. *cid is computed here; the store must
 * have answered the same. RC_CORRUPT: it answered another one (both are named). Others as
 * http_client_do and what source returns. size may be NULL. */
enum rc store_client_add(struct store_client *c, struct cid *cid, uint64_t *size,
                         http_source_fn *source, void *data, struct err *e);
/* The CID that these bytes get, without asking any store. RC_LIMIT: more than a file may have. */
enum rc store_client_cid(struct cid *cid, struct bytes content, struct err *e);
/* store_client_add for bytes in memory. */
enum rc store_client_add_bytes(struct store_client *c, struct cid *cid, struct bytes content,
                               struct err *e);

/* Read a file (any UnixFS layout, raw leaf or dag-pb): verified bytes go to `sink`, in order; sink
 * gets nothing that failed verification. Stops with RC_LIMIT above max_size (0: no limit).
 * RC_NOTFOUND: the store lacks a block (named). RC_CORRUPT: the store sent bytes that are not the
 * block asked for (block and URL named). RC_MALFORMED: the DAG is not a well-formed file. */
enum rc store_client_cat(struct store_client *c, const struct cid *cid, uint64_t max_size,
                         http_data_fn *sink, void *data, struct err *e);
/* The same for content that shows by itself whether it is whole and right (sealed, then compared
 * with a root): raw blocks, which are nearly all of a large file, are not hashed. What comes may be
 * anything of the sizes that the file's tree names; where it turns out to be wrong,
 * store_client_cat() tells whether the store or the file is at fault. */
enum rc store_client_cat_unchecked(struct store_client *c, const struct cid *cid, uint64_t max_size,
                                   http_data_fn *sink, void *data, struct err *e);
/* store_client_cat, appended to out. */
enum rc store_client_cat_bytes(struct store_client *c, struct buf *out, const struct cid *cid,
                               uint64_t max_size, struct err *e);
/* One verified block, at most 2 MiB. */
enum rc store_client_block(struct store_client *c, struct buf *out, const struct cid *cid,
                           struct err *e);

/* Ask the store to keep or to let go (recursively). RC_NOTFOUND: not pinned. */
enum rc store_client_pin(struct store_client *c, const struct cid *cid, struct err *e);
enum rc store_client_unpin(struct store_client *c, const struct cid *cid, struct err *e);
